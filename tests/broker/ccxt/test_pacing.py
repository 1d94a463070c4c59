"""How often trades are read: the more of the venue's budget is used, the more trades one read has to bring."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.broker.ccxt.loopback import BTC as SPOT
from tests.broker.ccxt.loopback import loopback
from tests.broker.ccxt.pure import Pure
from tests.broker.ccxt.rig import BTC, ETH, Rig, scripted
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.testing import VirtualTime
from tradingd.testing.exchange.limits import LimitPlan, Limits
from tradingd.testing.venue import ScriptedVenue
from tradingd.venues.model import TradeSeen

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


# --- the pause -------------------------------------------------------------------------------------------------


def test_pause_grows_with_the_load_beyond_a_quarter() -> None:
    """Up to a quarter of the budget reads are 0.1 s apart; beyond, 4 s longer for each whole that is used more."""
    between = EvidencePolicy().between_reads
    assert [between(load) for load in (0.0, 0.1, 0.25)] == [0.1, 0.1, 0.1]
    assert [between(load) for load in (0.5, 0.75, 1.0)] == pytest.approx([1.1, 2.1, 3.1])


@pytest.mark.parametrize(("load", "pause"), [(0.0, 0.1), (0.75, 2.1)])
def test_next_read_waits_for_the_pause(load: float, pause: float) -> None:
    """News of trades right after a read is read when the pause is over, not sooner, and as one read."""
    core = Pure()
    core.venue.load = load
    core.fates.want_trades(BTC)
    assert core.fates.trades_due() == [BTC]
    core.fates.reading.discard(BTC)
    for _ in range(5):
        core.fates.want_trades(BTC)
    assert core.fates.trades_due() == []
    assert core.fates.trades_next() == pytest.approx(pause)
    core.after(pause - 0.01)
    assert core.fates.trades_due() == []
    core.after(0.011)
    assert core.fates.trades_due() == [BTC]
    core.fates.reading.discard(BTC)
    assert core.fates.trades_due() == []


def test_symbols_do_not_wait_for_one_another() -> None:
    """The pause is each symbol's own."""
    core = Pure()
    core.fates.want_trades(BTC)
    core.fates.trades_due()
    core.fates.want_trades(ETH)
    assert core.fates.trades_due() == [ETH]


def test_symbol_that_is_being_read_is_not_due() -> None:
    """While a read is in flight its symbol is not due, however long it takes; news is for the next read."""
    core = Pure()
    core.fates.want_trades(BTC)
    core.fates.trades_due()
    core.fates.want_trades(BTC)
    core.after(60)
    assert core.fates.trades_due() == []
    assert core.fates.trades_next() == float("inf")
    core.fates.reading.discard(BTC)
    assert core.fates.trades_due() == [BTC]


def test_sooner_wish_wins() -> None:
    """A read that is due later is brought forward by news, and never put off by a later wish."""
    core = Pure()
    core.fates.want_trades(BTC, 5.0)
    core.fates.want_trades(BTC, 1.0)
    core.fates.want_trades(BTC, 3.0)
    assert core.fates.trades_next() == 1.0


def test_symbol_of_nobody_is_not_read() -> None:
    """What the account does not trade is not asked for."""
    core = Pure()
    core.fates.want_trades("DOGE/USD")
    assert core.fates.trades_due() == []


# --- the reads -------------------------------------------------------------------------------------------------


class Slow(ScriptedVenue):
    """Takes a second for each page of trades, and counts."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.count()

    def count(self) -> None:
        """From here on."""
        self.in_flight: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.pages = 0

    async def fetch_trades(self, symbol: str, since_ns: int) -> Sequence[TradeSeen]:
        self.pages += 1
        self.in_flight[symbol] += 1
        self.most[symbol] = max(self.most[symbol], self.in_flight[symbol])
        await self._sleep(1.0)
        try:
            return await super().fetch_trades(symbol, since_ns)
        finally:
            self.in_flight[symbol] -= 1


async def test_one_read_of_a_symbol_at_a_time() -> None:
    """Ten orders a second that fill at once, reads that take a second: no symbol is polled twice at a time."""
    time = VirtualTime()
    venue = scripted(time, Slow)
    async with Rig(venue, time=time) as rig:
        await rig.ready()
        await rig.time.pass_by(5)
        venue.count()
        for number in range(40):
            rig.order(BUY, "0.01", symbol=(BTC, ETH)[number % 2])
            await rig.time.pass_by(0.1)
        assert venue.most == {BTC: 1, ETH: 1}
        await rig.until(lambda: len(rig.fills) == 40)
        await rig.agree()


async def test_page_that_brings_all_that_is_missed_is_enough() -> None:
    """After a fill that is told of one page is asked for, not one more to see that there is nothing new."""
    time = VirtualTime()
    venue = scripted(time, Slow)
    async with Rig(venue, time=time) as rig:
        await rig.ready()
        await rig.time.pass_by(5)
        venue.count()
        order_id = rig.order(BUY, "0.01")
        await rig.until_status(order_id, S.FILLED)
        assert venue.pages == 1
        await rig.agree()


async def test_ten_orders_a_second_stay_within_the_budget() -> None:
    """Over sockets: each fill of 300 orders in 30 s is booked, by fewer than 0.6 reads of trades for an order."""
    async with loopback() as rig:
        plan = LimitPlan(orders_10s=1_000)
        rig.exchange.desk.limits = Limits(plan, lambda: rig.time.now() // 1_000_000)
        await rig.time.pass_by(60)
        before, count = len(rig.exchange.wire), 300
        for number in range(count):
            rig.order((BUY, SELL)[number % 2], "0.0005", symbol=SPOT)
            await rig.time.pass_by(0.1)
        await rig.until(lambda: len(rig.fills) == count, within_s=30)
        asked = Counter(call.path.rpartition("/")[2] for call in rig.exchange.wire[before:])
        assert asked["order"] == count
        assert asked["myTrades"] < count * 0.6
        assert sum(asked.values()) < count * 1.6
        assert rig.venue.load < 0.65  # so that nobody's calls have to wait
        await rig.agree()
