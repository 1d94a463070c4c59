"""The small parts: the link's condition, the judge of streams, balances explained by trades, the dead man."""

import pytest

from tests.broker.ccxt.rig import BTC, D, Rig, scripted
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.movements import Movements
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.streams import StreamWatch
from tradingd.domain.enums import InstrumentKind, Side
from tradingd.domain.events import AccountPosition, Balance, Fee, HaltRequest, VenueStatus
from tradingd.domain.events import VenueCondition as C
from tradingd.errors import UsageError, VenueUnavailableError
from tradingd.testing import EventLog, VirtualTime, make_instrument
from tradingd.venues.model import TradeSeen, VenueTraits


def link() -> tuple[Link, EventLog, VirtualTime]:
    """A link that is READY."""
    time, log = VirtualTime(), EventLog()
    made = Link("X", EvidencePolicy(), tell=log, now=time.now, monotonic=time.monotonic)
    made.catching_up()
    made.caught_up()
    log.clear()
    return made, log, time


def test_one_failed_read_is_not_down() -> None:
    """Three failures in a row are; an answer in between starts the count anew."""
    it, log, _ = link()
    for _ in range(5):
        it.failed("timed out")
        it.failed("timed out")
        it.answered()
    assert log.events == []
    for _ in range(3):
        it.failed("timed out")
    assert [status.condition for status in log.of(VenueStatus)] == [C.DOWN]
    assert it.hindrance == "the venue is DOWN: timed out"


def test_being_asked_to_wait_is_down_at_once() -> None:
    """A venue that asks to wait 20 s is not asked again sooner."""
    it, _, time = link()
    it.failed("429", wait_s=20)
    assert it.condition is C.DOWN
    assert it.begins_at == time.monotonic() + 20


def test_lost_stream_counts_as_there_some_time_after_it_was_dialed() -> None:
    """Once lost: soon; lost several times in a row: later."""
    it, _, _ = link()
    it.stream_lost("orders", "reset")
    assert (it.condition, it.begins_at) == (C.CONNECTING, float("inf"))
    it.stream_dialed("orders")
    assert it.begins_at == 0.5
    it.stream_lost("orders", "reset")
    it.stream_dialed("orders")
    assert it.begins_at == 5.0
    it.stream_heard("orders")
    assert it.begins_at == 0.0


def test_loss_while_catching_up_begins_anew() -> None:
    """READY is not told when the connection was lost again meanwhile."""
    it, _, _ = link()
    it.stream_lost("orders", "reset")
    it.catching_up()
    it.stream_lost("trades", "reset")
    assert not it.caught_up()
    assert it.condition is C.CONNECTING


def test_refusal_of_the_key_is_final() -> None:
    """Told once, with a halt of the account; nothing leads out of it."""
    it, log, _ = link()
    it.refused("-2015")
    it.refused("-2015")
    it.failed("timed out", wait_s=1)
    it.catching_up()
    assert it.condition is C.REFUSED
    assert len(log.of(HaltRequest)) == 1
    assert len(log.of(VenueStatus)) == 1


def test_streams_that_tell_are_alive() -> None:
    """A trade that was told before or after it was found proves nothing against the streams."""
    watch = StreamWatch(15)
    watch.trade_told(BTC, "1")
    watch.found(BTC, "1", 10)
    watch.found(BTC, "2", 20)
    watch.trade_told(BTC, "2")
    assert not watch.take_dead(1e9)


def test_streams_that_do_not_tell_are_dead_once() -> None:
    """A trade that no stream tells of shows them dead when the time is over; told once."""
    watch = StreamWatch(15)
    watch.trade_told(BTC, "1")
    watch.found(BTC, "2", 20)
    assert watch.next_due() == 35
    assert not watch.take_dead(34)
    assert watch.take_dead(35)
    assert not watch.take_dead(1e9)


def test_venue_without_a_stream_of_trades_is_judged_by_its_orders() -> None:
    """News of an order shortly before the trade was found, or after, has told of it."""
    watch = StreamWatch(15)
    watch.order_told(BTC, 10)
    watch.found(BTC, "1", 12)
    assert not watch.take_dead(1e9)
    watch.found(BTC, "2", 100)
    assert watch.next_due() == 115
    watch.order_told(BTC, 101)
    assert not watch.take_dead(1e9)


def _trade(**fields: object) -> TradeSeen:
    given = {"quantity": D(2), "price": D(100), "side": Side.BUY, "symbol": BTC} | fields
    return TradeSeen("1", "1", "", **given)  # type: ignore[arg-type]


def test_trades_explain_balances() -> None:
    """Base, quote and the fee's coin move by the trades; anything else is unexplained."""
    moves = Movements({BTC: make_instrument(BTC)})
    assert not moves.explains(BTC, [], [])
    moves.take([Balance("BTC", D(1), D(0)), Balance("USD", D(1000), D(0)), Balance("BNB", D(5), D(0))], [])
    moves.count(_trade(fees=(Fee("BNB", D(1)),)))
    after = [Balance("BTC", D(3), D(0)), Balance("USD", D(800), D(0)), Balance("BNB", D(4), D(0))]
    assert moves.explains(BTC, after, [])
    assert moves.explains_all(after)
    assert not moves.explains_all([*after[:2], Balance("BNB", D(5), D(0))])
    assert not moves.explains(BTC, [Balance("BTC", D(1), D(0))], [])


def test_trades_explain_contract_positions() -> None:
    """A contract moves its position; its settlement coin moves by funding, too, and is not judged."""
    swap = make_instrument("BTC/USD", kind=InstrumentKind.SWAP)
    moves = Movements({BTC: swap})
    moves.take([Balance("USD", D(1000), D(0))], [AccountPosition(BTC, D(-1))])
    moves.count(_trade())
    funded = [Balance("USD", D(1001), D(0))]
    assert moves.explains(BTC, funded, [AccountPosition(BTC, D(1))])
    assert not moves.explains(BTC, funded, [AccountPosition(BTC, D(2))])
    assert moves.explains_all(funded)


def test_dead_man_needs_a_venue_that_has_one() -> None:
    """Arming a switch that the venue does not have is a mistake told at once."""
    time = VirtualTime()
    venue = scripted(time, traits=VenueTraits(exchange_id="binance"))
    with pytest.raises(UsageError, match="binance has none; leave it off"):
        Rig(venue, time=time, dead_man_s=30)


async def test_dead_man_that_may_have_fired_has_everything_read() -> None:
    """Where the switch could not be armed for its whole time, the orders are read anew."""
    rig = Rig(dead_man_s=30)
    async with rig:
        await rig.ready()
        rig.venue.script("set_dead_man", VenueUnavailableError("timed out"), times=5)
        await rig.until(lambda: C.CONNECTING in rig.conditions[1:])
        await rig.ready()
        assert rig.time.monotonic() < 60
