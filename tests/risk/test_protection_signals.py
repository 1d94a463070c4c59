"""Protection and signals: cancels, reversals that fail, and what comes back when a signal no longer makes way."""

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.desk import BUY, FLAT, LONG, SELL, SHORT, Desk, code
from tradingd.domain.enums import ActionKind, Direction, HaltScope, HaltState, OrderStatus, OrderType
from tradingd.domain.events import CorporateAction
from tradingd.domain.terms import Trail
from tradingd.risk.guards import Guard
from tradingd.risk.limits import InstrumentFilters, ReduceOnly
from tradingd.testing import at, make_instrument

CANCELED, REJECTED, FILLED = OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.FILLED


def desk_of(*limits: Any) -> Desk:
    """A desk with the limits that are always on."""
    return Desk(InstrumentFilters(), ReduceOnly(), *limits, instruments=[make_instrument("AAPL")])


def held_by_signal(**fields: Any) -> Desk:
    """A long position of 10 that a signal made, with its stop at 90 working."""
    desk = desk_of()
    desk.signal(LONG, intent_id="entry", **({"stop": 90} | fields))
    desk.update("entry")
    desk.filled("entry")
    desk.update(desk.orders[-1].intent_id)
    return desk


def reversed_by(desk: Desk, **fields: Any) -> str:
    """A signal to go short: the stop makes way, and the order that reverses is sent. Returns its intent."""
    stop = desk.orders[-1].intent_id
    desk.signal(SHORT, intent_id="flip", **fields)
    desk.update(stop, CANCELED, reason="makes way")
    desk.update("flip")
    return "flip"


def stops(desk: Desk) -> list[tuple[str, int, Any]]:
    """Side, size and price of the stops that count something."""
    kinds = (OrderType.STOP, OrderType.TRAILING_STOP)
    working = [order for order in desk.risk.book if order.order_type in kinds]
    return [(order.side.value, int(order.outstanding), order.stop_price) for order in working]


def test_canceling_a_signals_limit_order_cancels_the_order() -> None:
    """Its intent is that of the entry; what of it has filled keeps its stop."""
    desk = desk_of()
    desk.signal(LONG, intent_id="entry", limit=99, stop=90)
    desk.update("entry")
    desk.booked("entry", 4)
    desk.cancel("entry")
    assert (desk.cancels, stops(desk)) == (["entry"], [("SELL", 4, 90)])


@pytest.mark.parametrize("stop", [None, 110])
def test_a_reversal_that_is_rejected_leaves_the_position_its_stop(stop: int | None) -> None:
    """The stop made way for nothing: what is still held gets it back."""
    desk = held_by_signal()
    desk.update(reversed_by(desk, stop=stop), REJECTED, reason="no margin")
    assert stops(desk) == [("SELL", 10, 90)]


def test_a_reversal_that_fills_in_part_leaves_the_rest_its_stop() -> None:
    """Four of the ten are sold, and the order ends."""
    desk = held_by_signal()
    flip = reversed_by(desk, stop=110)
    desk.booked(flip, 4)
    desk.update(flip, CANCELED, 4)
    assert stops(desk) == [("SELL", 6, 90)]


def test_after_a_reversal_the_former_stop_is_forgotten() -> None:
    """A later position on the former side has not that stop again."""
    desk = held_by_signal()
    desk.filled(reversed_by(desk))
    flat = [order.intent_id for order in desk.risk.book]
    desk.order(BUY, 20, "back")
    desk.filled("back")
    assert (flat, stops(desk)) == ([], [])


def test_what_a_strategy_asked_to_protect_stays_protected_when_a_signal_fails() -> None:
    """A protection of its own took second place to the signal's, and comes back while the old position is held."""
    desk = desk_of()
    desk.hold(10)
    desk.protect(stop=90)
    desk.update(desk.orders[-1].intent_id)
    desk.update(reversed_by(desk, stop=110), REJECTED)
    assert stops(desk) == [("SELL", 10, 90)]


def test_a_trailing_stop_of_the_other_side_begins_at_its_own_distance() -> None:
    """Where the former side's stop was is a price that the market has left behind: it would fill at once."""
    desk = desk_of()
    desk.hold(10)
    desk.protect(trail=Trail(Decimal(5)))
    stop = desk.orders[-1].intent_id
    desk.update(stop, stop_price=Decimal(95))
    desk.signal(SHORT, intent_id="flip")
    desk.update(stop, CANCELED, reason="makes way")
    desk.update("flip")
    desk.filled("flip")
    assert stops(desk) == [("BUY", 10, None)]


def test_a_trailing_stop_begins_at_a_given_price_once() -> None:
    """The position after the next is at other prices."""
    desk = desk_of()
    desk.hold(10)
    desk.protect(stop=90, trail=Trail(Decimal(5)))
    stop = desk.orders[-1].intent_id
    desk.update(stop)
    desk.filled(stop)
    desk.market(50.0, minute=1)
    desk.order(BUY, 10, "again")
    desk.filled("again")
    assert stops(desk) == [("SELL", 10, None)]


def test_a_plan_that_is_taken_back_brings_the_stop_back() -> None:
    """The stop had gone, and another order still was in the way."""
    desk = held_by_signal()
    stop = desk.orders[-1].intent_id
    desk.order(BUY, 1, "more", limit=95)
    desk.update("more")
    desk.signal(SHORT, intent_id="flip")
    desk.update(stop, CANCELED, reason="makes way")
    desk.cancel("flip")
    assert (code(desk.denial("flip")), stops(desk)) == ("CANCELED", [("SELL", 10, 90)])


def test_a_plan_that_a_halt_ends_brings_the_stop_back() -> None:
    """A reversal may grow a position; under NO_NEW it ends, and what is held is protected again."""
    desk = held_by_signal()
    stop = desk.orders[-1].intent_id
    desk.order(BUY, 1, "more", limit=95)
    desk.update("more")
    desk.signal(SHORT, intent_id="flip")
    desk.update(stop, CANCELED, reason="makes way")
    desk.risk.halt(HaltScope.ACCOUNT, "account", HaltState.NO_NEW, "by hand")
    assert (code(desk.denial("flip")), stops(desk)) == ("HALTED", [("SELL", 10, 90)])


def test_a_split_restates_what_a_reversal_put_aside() -> None:
    """Twice the shares at half the price: the stop that comes back is at half of what it was."""
    guard = Guard("s", make_instrument("AAPL"))
    guard.renew("entry", stop=Decimal(90), direction=LONG)
    former = guard.wish()
    guard.renew("flip", stop=Decimal(110), direction=SHORT)
    guard.former = former
    guard.restate(CorporateAction(at(0), "AAPL", ActionKind.SPLIT, 2, 1))
    assert (guard.stop_price, guard.former.stop_price) == (55, 45)


@pytest.mark.parametrize(
    ("direction", "prices"),
    [
        (LONG, {"stop": 105}),
        (LONG, {"target": 95}),
        (SHORT, {"stop": 95}),
        (SHORT, {"target": 100}),
        (LONG, {"limit": 98, "stop": 99}),
    ],
)
def test_a_signal_with_an_exit_on_the_wrong_side_is_denied(direction: Direction, prices: dict[str, Any]) -> None:
    """It would be out again at once."""
    desk = desk_of()
    assert (code(desk.signal(direction, 100.0, **prices)), desk.orders) == ("WRONG_EXIT", [])


def test_a_trail_that_reaches_to_zero_is_denied() -> None:
    """Such a stop of a long position could never be touched."""
    desk = desk_of()
    desk.hold(10)
    trail = Trail(Decimal(100), is_percent=True)
    denied = [desk.protect(trail=trail), desk.order(SELL, 10, kind=OrderType.TRAILING_STOP, trail=trail)]
    assert ([code(each) for each in denied], desk.orders) == (["INVALID_NUMBER"] * 2, [])


def test_a_refused_cancel_that_a_signal_waits_for_is_asked_for_again() -> None:
    """The stop has gone already; nobody else would ever ask, and the position stay without one."""
    desk = held_by_signal()
    stop = desk.orders[-1].intent_id
    desk.order(BUY, 1, "more", limit=95)
    desk.update("more")
    desk.signal(FLAT, intent_id="out")
    desk.update(stop, CANCELED, reason="makes way")
    desk.update("more", reason="CANCEL_REJECTED")
    early = desk.cancels.count("more")
    wanted = "AAPL" in (desk.risk.market_interest() or ())
    desk.market(100.0, minute=1)
    desk.update("more", CANCELED)
    assert (early, wanted, desk.cancels.count("more")) == (1, True, 2)
    assert desk.last == (SELL, 10)


def test_a_split_restates_what_a_waiting_signal_asks_for() -> None:
    """The split cancels what it waited for; its stop at a price of old shares would fire at once."""
    desk = desk_of()
    desk.order(BUY, 1, "more", limit=95)
    desk.update("more")
    desk.signal(SHORT, intent_id="flip", stop=110, target=80)
    split = CorporateAction(at(1), "AAPL", ActionKind.SPLIT, 2, 1)
    desk.risk.before_action(split)
    desk.update("more", CANCELED, reason="SPLIT")
    desk.update("flip")
    desk.filled("flip")
    assert [price for _, _, price in stops(desk)] == [55]
