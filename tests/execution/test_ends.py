"""DAY and GTD at a venue that has neither, and unfilled timeouts."""

from decimal import Decimal

import pytest

from tests.execution.desk import K, S
from tests.execution.floor import BARE, Floor, lacking
from tradingd.domain.enums import OrderStatus, OrderType, TimeInForce
from tradingd.domain.events import Bar, CancelOrder, OrderUpdate
from tradingd.domain.terms import OrderTerms, Requote
from tradingd.domain.venue import EVERYTHING
from tradingd.testing import at, make_bar

SHORT = lacking("day", "gtd")
MIDNIGHT = 1_700_006_400_000_000_000
"""The end of the day of `at(0)`."""
MINUTES_LEFT = (MIDNIGHT - at(0)) // 60_000_000_000  # 106 and 40 s


def gtd(floor: Floor, minute: float = 5) -> str:
    """A limit order good until `minute`."""
    return floor.limit("90", time_in_force=TimeInForce.GTD, terms=OrderTerms(expire_ts=at(minute)))


def test_gtd_is_sent_as_gtc_and_ended_here() -> None:
    """The venue gets a GTC order, and a cancel at the very moment; confirmed, the order is EXPIRED."""
    floor = Floor(SHORT)
    gtd(floor)
    assert floor.sent[0].time_in_force is TimeInForce.GTC
    floor.wait_until(5)
    assert not floor.canceled()
    floor.wait_until(100)
    assert floor.log.last(CancelOrder).ts == at(5)
    assert floor.told() == [S.SENDING, S.OPEN, S.CANCELING, S.EXPIRED]


def test_gtd_is_left_to_a_venue_that_has_it() -> None:
    """A venue that has GTD gets the order with its moment."""
    floor = Floor()
    gtd(floor)
    assert (floor.sent[0].time_in_force, floor.sent[0].terms.expire_ts) == (TimeInForce.GTD, at(5))
    assert not floor.timers.next_due < at(10)


@pytest.mark.parametrize("able", [SHORT, BARE])
def test_what_filled_needs_no_end(able: object) -> None:
    """The alarm of an order that is over is stopped."""
    floor = Floor(able)  # type: ignore[arg-type]
    gtd(floor)
    floor.fill(floor.latest, 10)
    floor.wait_until(100)
    assert floor.told()[-1] is S.FILLED
    assert not floor.canceled()
    assert floor.timers.next_due > at(1000)


def test_late_fill_of_an_expired_order() -> None:
    """A fill that the venue made before it heard of the end is booked, and completes the order."""
    floor = Floor(SHORT)
    gtd(floor)
    floor.wait_until(6)
    floor.fill(floor.latest, 10)
    assert floor.told()[-2:] == [S.EXPIRED, S.FILLED]


def test_end_is_tried_again() -> None:
    """If the venue refuses to cancel, the order is asked for again a little later."""
    floor = Floor(SHORT)
    gtd(floor)
    floor.venue.answers = False
    floor.wait_until(5.01)
    floor.report(floor.latest, K.CANCEL_REJECTED)
    floor.venue.answers = True
    floor.wait_until(6)
    assert floor.told()[-2:] == [S.CANCELING, S.EXPIRED]


def test_canceled_by_the_strategy_is_canceled() -> None:
    """An order that was canceled before its end is CANCELED, not EXPIRED."""
    floor = Floor(SHORT)
    gtd(floor)
    floor.cancel()
    assert floor.told()[-1] is S.CANCELED


def test_held_order_expires() -> None:
    """An order that is held here expires at once at its moment, without a word to the venue."""
    floor = Floor(BARE)
    terms = OrderTerms(expire_ts=at(5))
    floor.place(order_type=OrderType.STOP, stop_price="200", time_in_force=TimeInForce.GTD, terms=terms)
    floor.wait_until(6)
    assert floor.told() == [S.PREPARED, S.EXPIRED]
    assert not floor.canceled()


def test_day_ends_with_the_day_of_its_first_event() -> None:
    """A DAY order ends with the UTC day of the first event of its symbol after it was placed."""
    floor = Floor(SHORT)
    floor.limit("90", time_in_force=TimeInForce.DAY)
    floor.wait_until(MINUTES_LEFT + 10)  # another symbol, in the next day
    assert floor.told() == [S.SENDING, S.OPEN]
    floor.trade_at(100, MINUTES_LEFT + 20)
    floor.wait_until(MINUTES_LEFT + 24 * 60)
    assert floor.told() == [S.SENDING, S.OPEN]
    floor.wait_until(MINUTES_LEFT + 24 * 60 + 2)
    assert floor.told()[-1] is S.EXPIRED
    assert floor.log.last(OrderUpdate).ts == MIDNIGHT + 86_400_000_000_000


@pytest.mark.parametrize(
    ("opens", "closes", "status"),
    [
        (MIDNIGHT - 60_000_000_000, MIDNIGHT, S.EXPIRED),  # the last bar of the day
        (MIDNIGHT, MIDNIGHT + 60_000_000_000, S.OPEN),  # the first of the next
        (at(-10), MIDNIGHT, S.EXPIRED),  # under way when the order came; it is over with its day
    ],
)
def test_day_of_a_bar(opens: int, closes: int, status: OrderStatus) -> None:
    """A bar belongs to the day in which it opens; one that had opened before, to the day that it ends."""
    floor = Floor(SHORT)
    floor.limit("90", time_in_force=TimeInForce.DAY)
    floor.market(Bar(closes, "AAPL", 100, 100, 100, 100, 1, opens))
    assert floor.order().status is status


# --- unfilled timeouts ---------------------------------------------------------------------------------------

TIMEOUT = Requote(after_ns=30_000_000_000)


def test_unfilled_timeout() -> None:
    """A limit order that has not filled in time is canceled; it stays one order, without children."""
    floor = Floor()
    order_id = floor.limit("90", terms=OrderTerms(requote=TIMEOUT))
    floor.wait_until(0.4)
    floor.fill(order_id, 3)
    floor.wait_until(0.6)
    assert [order.order_id for order in floor.sent] == [order_id]
    assert (floor.told()[-1], floor.order().filled) == (S.CANCELED, Decimal(3))
    assert floor.reason() == "UNFILLED: not filled within 30 s"


def test_default_timeout() -> None:
    """The default holds for limit orders, not for market orders nor for those with a word of their own."""
    floor = Floor(unfilled_timeout_ns=TIMEOUT.after_ns)
    floor.limit("90", "s:1")
    floor.limit("90", "s:2", terms=OrderTerms(requote=Requote(after_ns=10**15)))
    floor.place("s:3")
    floor.limit("90", "s:4", time_in_force=TimeInForce.IOC)
    floor.wait_until(1)
    assert [floor.order(f"s:{number}").is_open for number in (1, 2, 3, 4)] == [False, True, True, True]


@pytest.mark.parametrize("able", [EVERYTHING, BARE])
def test_timeout_of_a_conditional_order_begins_with_its_trigger(able: object) -> None:
    """A stop-limit order has its time from its trigger, also where the venue has such orders."""
    floor = Floor(able)  # type: ignore[arg-type]
    terms = OrderTerms(requote=TIMEOUT)
    floor.place(order_type=OrderType.STOP_LIMIT, stop_price="101", limit_price="102", terms=terms)
    floor.trade_at(101, 2)
    floor.wait_until(2.4)
    assert floor.order().is_open
    floor.wait_until(2.6)
    assert floor.told()[-1] is S.CANCELED


def test_without_timers() -> None:
    """An engine that was given no timers refuses what it cannot end."""
    floor = Floor(SHORT, timers=None)
    gtd(floor)
    assert (floor.told(), floor.reason().partition(":")[0]) == ([S.VOID], "UNSUPPORTED")


def test_bars_do_not_move_it() -> None:
    """Market events of its symbol do not change when a GTD order ends."""
    floor = Floor(SHORT)
    gtd(floor)
    floor.market(make_bar(100, minute=0), make_bar(100, minute=1))
    floor.wait_until(5.5)
    assert floor.log.last(CancelOrder).ts == at(5)


def test_end_that_comes_while_a_cancel_is_under_way() -> None:
    """When the venue refuses the cancel of an order whose time is over by now, it is asked once more, for that."""
    floor = Floor(SHORT)
    order_id = gtd(floor, minute=1)
    floor.venue.answers = False
    floor.cancel()
    floor.wait_until(2)
    floor.report(order_id, K.CANCEL_REJECTED)
    floor.wait_until(3)
    floor.report(order_id, K.CANCELED)
    assert floor.canceled() == [order_id, order_id]
    assert floor.told()[-1] is S.EXPIRED
