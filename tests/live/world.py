"""A whole daemon on live data, in one loop with the loopback exchange that it trades on."""

import asyncio
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradingd.commands.run import run_connected
from tradingd.config import load_settings
from tradingd.domain.enums import RunState
from tradingd.ops.logging import configure_logging
from tradingd.runtime.daemon import DaemonSession
from tradingd.testing import EventLog
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.testing.exchange.source import MarketSource, Plan
from tradingd.wiring.live import connect

KEY, SECRET = "CANARY-key-7f3a9c", "CANARY-secret-b81d44"
D = Decimal
_ROUNDS = 25
"""How often the loop goes round for each step of the market: it must not run ahead of those who listen."""

LIMITS = """
[portfolio]
currency = "USDT"
{cash}
[risk.limits]
max_order_notional = 50000
max_position_notional = 60000
max_gross_exposure_percent = 100
price_collar_percent = 10
stale_after_s = 30
max_orders_per_minute = 6000
daily_loss_percent = 50
max_drawdown_percent = 50
[logging]
level = "debug"
"""

CONFIG = """
[run]
name = "whole"
mode = "{mode}"
accounts = ["main"]
[accounts.main]
exchange = "binance"
environment = "loopback"
loopback_url = "{url}"
symbols = ["BTC/USDT"]
{data}
[[strategies]]
name = "tests.live.flipper:Flipper"
id = "flip"
params = {{ symbol = "BTC/USDT", orders = {orders} }}
"""


class Run:
    """What there is of a run while it goes on, and after it."""

    def __init__(self, exchange: LoopbackExchange, account: str, folder: Path) -> None:
        self.exchange, self.account, self.folder = exchange, account, folder
        self.session: Any = None
        self.events = EventLog()
        self.logged = io.StringIO()
        self.summary: Any = None

    @property
    def strategy(self) -> Any:
        """The strategy that trades."""
        return self.session.strategies[0]

    @property
    def is_done(self) -> bool:
        """Whether all orders of the strategy are over."""
        ready = self.session is not None and self.session.state is RunState.TRADING
        return ready and self.strategy.ended >= self.strategy.params.orders


async def whole_run(
    folder: Path,
    mode: str = "live",
    *,
    orders: int = 12,
    data: str = "",
    then: Callable[[Run], bool] = lambda run: run.is_done,
) -> Run:
    """Run a daemon until `then`; the market moves meanwhile, and no time is waited for."""
    async with LoopbackExchange() as exchange:
        account = exchange.add_account(KEY, SECRET, {"USDT": D(20_000), "BTC": D("0.5")})
        source = MarketSource(exchange.engine, [Plan("BTCUSDT", D(50_000))], seed=7)
        source.step(20)
        run = Run(exchange, account, folder)
        path = folder / "whole.toml"
        cash = "initial_cash = 20000" if mode == "paper" else ""
        text = CONFIG.format(mode=mode, url=exchange.rest_url, data=data, orders=orders) + LIMITS.format(cash=cash)
        path.write_text(text)
        keys = {"credentials": {"main": {"api_key": KEY, "secret": SECRET}}} if mode == "live" else {}
        settings = load_settings([path], environ={}, forced=keys)
        handle = configure_logging("debug", "json", run.logged, "r")
        market = await connect(settings)

        def start(*parts: Any, **options: Any) -> DaemonSession:
            run.session = DaemonSession(*parts, name="whole", run_id="r", log=handle.logger, **options)
            run.session.manager.observe(run.events.observe)
            return run.session

        async def move() -> None:
            while not then(run):
                source.step()
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
            run.session.supervisor.request_stop("done")

        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(run_connected(settings, market, start))
                group.create_task(move())
            _, run.summary = running.result()
        finally:
            await market.close()
            handle.close(5.0)
        return run
