"""A whole daemon in live mode at a venue that is not like Binance, by its configuration alone."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.second.okx import ANN, KEY, PASSPHRASE, SECRET, SPOT, SecondVenue
from tests.second.world import HELD
from tradingd.commands.run import LOGGED, run_connected
from tradingd.config import Settings, load_settings
from tradingd.domain.events import AccountSnapshot, EventType, Fill, HaltRequest
from tradingd.errors import NotReadyError
from tradingd.runtime.daemon import DaemonSession
from tradingd.testing import EventLog
from tradingd.testing.exchange.source import MarketSource, Plan
from tradingd.testing.rehearsal.campaign import IN_A_HURRY
from tradingd.wiring.checks import check_accounts, refuse_failures
from tradingd.wiring.live import connect

CONFIG = """
[run]
mode = "live"
accounts = ["main"]
[accounts.main]
exchange = "okx"
environment = "loopback"
{where}
symbols = ["BTC/USDT", "ETH/USDT"]
[data]
interval = "1m"
[data.live]
streams = ["quotes", "books"]
[portfolio]
currency = "USDT"
[[strategies]]
name = "tradingd.testing.rehearsal.prodder:Prodder"
id = "prodder"
params = {{ symbols = ["BTC/USDT", "ETH/USDT"], seed = 5, every = 1 }}
[risk.sizer]
kind = "fixed_notional"
notional = 50
[risk.limits]
max_order_notional = 200
max_position_notional = 100000
max_gross_exposure_percent = 90
price_collar_percent = 5
stale_after_s = 5
max_orders_per_minute = 1000000
daily_loss_percent = 50
max_drawdown_percent = 50
"""
ORDERS = 40


@pytest.fixture
async def venue() -> AsyncIterator[SecondVenue]:
    """The venue with markets that move."""
    async with SecondVenue(SPOT) as made:
        made.add_account(HELD)
        plans = [Plan("BTC-USDT", Decimal(60_000)), Plan("ETH-USDT", Decimal(3_000))]
        source = asyncio.create_task(MarketSource(made.engine, plans, 3).run(400))
        yield made
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)


def settings_at(venue: SecondVenue, folder: Path, where: str = "", **credentials: str) -> Settings:
    """The configuration, with the keys."""
    path = folder / "live.toml"
    path.write_text(CONFIG.format(where=where or f'loopback_url = "{venue.url}"'))
    keys = {"api_key": KEY, "secret": SECRET, "password": PASSPHRASE, **credentials}
    forced = {"credentials": {"main": {name: key for name, key in keys.items() if key}}}
    return load_settings([path], environ={}, forced=forced)


class Watched:
    """A daemon's session that stops after some dozens of orders."""

    def __init__(self, settings: Settings, venue: SecondVenue) -> None:
        self.settings, self.venue = settings, venue
        self.log = EventLog()
        self.session: Any = None

    def start(self, container: Any, strategies: Any, report: Any, **options: Any) -> DaemonSession:
        session = DaemonSession(
            container,
            strategies,
            report,
            name="second",
            run_id="second",
            log=structlog.testing.CapturingLogger(),
            stop_timeout_s=5.0,
            **{**options, "keep_reducing": False},
        )
        session.keep(self.log.observe, (*LOGGED, EventType.ACCOUNT_SNAPSHOT, EventType.FILL, EventType.HALT_REQUEST))
        session.attach("direct", self._direct)
        self.session = session
        return session

    async def _direct(self) -> None:
        await self._until(lambda: len(self.venue.creates) >= ORDERS)
        self.session.execution.refuse_new("ENOUGH")
        self.session.execution.cancel_all("ENOUGH")
        await self._until(lambda: not self.venue.engine.open_orders(ANN))
        count = len(self.log.of(AccountSnapshot))
        await self._until(lambda: len(self.log.of(AccountSnapshot)) > count + 1)
        self.session.supervisor.request_stop("enough")

    async def _until(self, met: Any) -> None:
        async with asyncio.timeout(20):
            while not met():
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("form", ["loopback_url", "urls"])
async def test_some_dozens_of_orders(venue: SecondVenue, tmp_path: Path, form: str) -> None:
    """Bars of its trades, quotes and books in, orders out; the books are the venue's, nothing is sent twice."""
    where = ""
    if form == "urls":
        socket = venue.url.replace("http", "ws")
        where = f'urls = {{ api = {{ rest = "{venue.url}", ws = "{socket}/ws/v5" }} }}'
    settings = settings_at(venue, tmp_path, where)
    refuse_failures(await check_accounts(settings))
    watched = Watched(settings, venue)
    market = await connect(settings, tuning=IN_A_HURRY.tuning)
    try:
        session, _ = await run_connected(settings, market, watched.start)
    finally:
        await market.close()
    assert session.failure is None
    assert [halt.reason for halt in watched.log.of(HaltRequest)] == []
    assert len(set(venue.creates)) == len(venue.creates) >= ORDERS
    fills = watched.log.of(Fill)
    theirs = venue.engine.my_trades(ANN)
    assert len(theirs) > ORDERS / 2
    assert sorted(int(fill.trade_id) for fill in fills) == sorted(trade.id for trade in theirs)
    held = session.portfolio.ledger.balances()
    for asset, (free, locked) in venue.engine.balances(ANN).items():
        assert held[asset] == free + locked


@pytest.mark.parametrize("wrong", ["", "another"])
async def test_a_passphrase_that_lacks_or_is_wrong_ends_the_start(venue: SecondVenue, tmp_path: Path, wrong: str) -> None:
    """Before anything is traded, in one line that says what to look at."""
    settings = settings_at(venue, tmp_path, password=wrong)
    with pytest.raises(NotReadyError) as caught:
        refuse_failures(await check_accounts(settings))
    assert "password" in str(caught.value) or "PASSPHRASE" in str(caught.value)
    assert venue.creates == []


async def test_a_key_that_may_withdraw_is_refused(venue: SecondVenue, tmp_path: Path) -> None:
    """OKX tells so in words."""
    venue.can_withdraw = True
    with pytest.raises(NotReadyError, match="the key may withdraw"):
        refuse_failures(await check_accounts(settings_at(venue, tmp_path)))
