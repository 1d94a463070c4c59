"""The broker and the account on the second venue, through ccxt's unmodified client."""

import asyncio
import time as wall
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.broker.ccxt.loopback import POLICY, Counted
from tests.broker.ccxt.rig import Rig
from tests.second.okx import ANN, KEY, PASSPHRASE, SECRET, SPOT, SecondVenue
from tradingd.testing import VirtualTime
from tradingd.testing.exchange.model import FeePlan, MarketSpec
from tradingd.venues.account import CcxtAccount, make_account
from tradingd.venues.model import Lane
from tradingd.venues.public import PublicVenue, make_public
from tradingd.venues.settings import Credentials, VenueSettings

BTC, ETH = "BTC/USDT", "ETH/USDT"
PERPETUAL = "BTC/USDT:USDT"
KEYS = Credentials(api_key=KEY, secret=SECRET, password=PASSPHRASE)
HELD = {"BTC": 2, "USDT": 100_000, "ETH": 10}


def settings_for(venue: SecondVenue, **changes: Any) -> VenueSettings:
    """Where the venue is."""
    made: dict[str, Any] = {"loopback_url": venue.url, "order_timeout_s": 0.4, "market_timeout_s": 3.0, **changes}
    return VenueSettings("acc", "okx", "loopback", **made)


@asynccontextmanager
async def venue_of(
    markets: Sequence[MarketSpec] = SPOT, *, fees: FeePlan | None = None, **more: Any
) -> AsyncIterator[SecondVenue]:
    """The venue with an account and books of two levels a side."""
    async with SecondVenue(markets, **more) as venue:
        venue.add_account(HELD, fees)
        for spec in markets:
            middle = 50_000 if spec.symbol.startswith("BTC") else 2_000
            venue.set_book(spec.symbol, middle - 10, middle + 10)
        yield venue


@asynccontextmanager
async def account_at(
    venue: SecondVenue, symbols: Sequence[str] = (BTC, ETH), *, keys: Credentials = KEYS, **changes: Any
) -> AsyncIterator[CcxtAccount]:
    """An account at the venue, opened."""
    settings = settings_for(venue, **changes)
    public = make_public(settings)
    public.client.budget.allowance.capacity = 1e6  # no test is about the pace of calls
    account = make_account(settings, keys, public)
    try:
        await public.open(symbols)
        await account.open()
        yield account
    finally:
        await account.close()
        await public.close()


class SecondRig(Rig):
    """A rig whose account is at the second venue."""

    public: PublicVenue
    site: SecondVenue

    def compare(self) -> None:
        """No order was sent twice; balances and trades are the venue's."""
        assert len(set(self.site.creates)) == len(self.site.creates), "an order was sent twice"
        for asset, (free, locked) in self.site.engine.balances(ANN).items():
            assert self.held(asset) == free + locked, (asset, self.held(asset), free + locked)
        theirs = sorted((trade.symbol, trade.id, trade.qty) for trade in self.site.engine.my_trades(ANN))
        ours = sorted((_theirs(fill.symbol), int(fill.trade_id), fill.quantity) for fill in self.fills)
        assert ours == theirs


def _theirs(symbol: str) -> str:
    spot, _, settle = symbol.partition(":")
    return spot.replace("/", "-") + ("-SWAP" if settle else "")


async def subscribed(rig: SecondRig) -> None:
    """Wait, in real time, until the owner's orders are told: a login comes before."""
    async with asyncio.timeout(10):
        while not rig.site.streams.subscribers("orders"):
            await asyncio.sleep(0)


@asynccontextmanager
async def second(
    markets: Sequence[MarketSpec] = SPOT,
    symbols: Sequence[str] = (BTC, ETH),
    *,
    fees: FeePlan | None = None,
    market_types: tuple[str, ...] = ("spot",),
    **options: Any,
) -> AsyncIterator[SecondRig]:
    """A broker at the venue, ready."""
    time = VirtualTime(wall.time_ns())
    async with venue_of(markets, fees=fees) as venue:
        settings = settings_for(venue, market_types=market_types)
        public = make_public(settings, monotonic=time.monotonic, sleep=time.sleep)
        account = make_account(settings, KEYS, public)
        counted = Counted(account, time)
        budget = public.client.budget
        budget.allowance.capacity = 1e6
        time.busy = lambda: counted.under_way > sum(map(budget.waiting, Lane))
        try:
            await public.open(symbols)
            await account.open()
            rig = SecondRig(counted, time=time, **{"now": wall.time_ns, "policy": POLICY, **options})
            rig.public, rig.site = public, venue
            async with rig:
                await rig.ready()
                await subscribed(rig)
                yield rig
        finally:
            await account.close()
            await public.close()
