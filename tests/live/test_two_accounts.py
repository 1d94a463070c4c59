"""Several accounts in one daemon: each with its own exchange, connection, orders and books."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from tests.live.world import KEY, LIMITS, SECRET
from tradingd.commands.run import run_connected
from tradingd.config import load_settings
from tradingd.domain.enums import RunState
from tradingd.domain.events import Fill, HaltChanged
from tradingd.runtime.daemon import DaemonSession
from tradingd.testing import EventLog
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.testing.exchange.source import MarketSource, Plan
from tradingd.wiring.live import connect

D = Decimal

CONFIG = """
[run]
mode = "live"
accounts = ["one", "two"]
[accounts.one]
exchange = "binance"
environment = "loopback"
loopback_url = "{one}"
symbols = ["BTC/USDT"]
[accounts.two]
exchange = "binance"
environment = "loopback"
loopback_url = "{two}"
symbols = ["BTC/USDT", "ETH/USDT"]
[[strategies]]
name = "tests.live.flipper:Flipper"
id = "a"
params = {{ symbol = "BTC/USDT@one", orders = 4 }}
[[strategies]]
name = "tests.live.flipper:Flipper"
id = "b"
params = {{ symbol = "BTC/USDT@two", orders = 4 }}
[[strategies]]
name = "tests.live.flipper:Flipper"
id = "c"
params = {{ symbol = "ETH/USDT", orders = 4 }}
"""


async def test_two_accounts_with_the_same_symbol_are_kept_apart(tmp_path: Path) -> None:
    """Orders go to the account that a symbol is qualified by, and each account's books are its exchange's."""
    async with LoopbackExchange() as one, LoopbackExchange() as two:
        exchanges = {"one": one, "two": two}
        owners = {name: each.add_account(KEY, SECRET, {"USDT": D(20_000)}) for name, each in exchanges.items()}
        plans = [Plan("BTCUSDT", D(50_000)), Plan("ETHUSDT", D(3_000))]
        sources = [MarketSource(each.engine, plans, seed=seed) for seed, each in enumerate((one, two))]
        path = tmp_path / "two.toml"
        path.write_text(CONFIG.format(one=one.rest_url, two=two.rest_url) + LIMITS.format(cash=""))
        keys = {name: {"api_key": KEY, "secret": SECRET} for name in exchanges}
        market = await connect(load_settings([path], environ={}, forced={"credentials": keys}))
        log, sessions = EventLog(), []

        def start(*parts: Any, **options: Any) -> DaemonSession:
            session = DaemonSession(
                *parts, name="two", run_id="r", log=structlog.testing.CapturingLogger(), **options
            )
            session.manager.observe(log.observe)
            sessions.append(session)
            return session

        async def move() -> None:
            while not (sessions and sessions[0].state is RunState.TRADING and _all_done(sessions[0])):
                for source in sources:
                    source.step()
                await asyncio.sleep(0)
            sessions[0].supervisor.request_stop("done")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(run_connected(market._settings, market, start))
                group.create_task(move())
        finally:
            await market.close()
        portfolio = sessions[0].portfolio
        for name, each in exchanges.items():
            theirs = {asset: sum(parts) for asset, parts in each.engine.balances(owners[name]).items()}
            assert dict(portfolio.holdings(name)) == theirs
        venues = {(fill.strategy_id, fill.venue, fill.symbol) for fill in log.of(Fill)}
        assert venues == {("a", "one", "BTC/USDT@one"), ("b", "two", "BTC/USDT@two"), ("c", "two", "ETH/USDT")}
        assert log.of(HaltChanged) == []


def _all_done(session: Any) -> bool:
    return all(strategy.ended >= strategy.params.orders for strategy in session.strategies)
