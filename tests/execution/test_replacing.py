"""Re-quotes, and changes at a venue that cannot change orders: one child after another."""

from decimal import Decimal
from typing import Any

import pytest

from tests.execution.desk import K, S
from tests.execution.floor import SELL, Floor, lacking
from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import OrderUpdate
from tradingd.domain.terms import OrderTerms, Requote
from tradingd.testing import make_instrument

D = Decimal


def requoted(floor: Floor, limit: str = "100", side: Side = Side.BUY, **terms: Any) -> None:
    """A limit order that is re-quoted each half minute."""
    requote = Requote(**{"after_ns": 30_000_000_000, "times": 2, "worst": D("102"), **terms})
    floor.limit(limit, side=side, terms=OrderTerms(requote=requote))


def limits(floor: Floor) -> list[Decimal | None]:
    """The limit prices that the venue was sent."""
    return [order.limit_price for order in floor.sent]


# --- re-quotes -----------------------------------------------------------------------------------------------


def test_requote_to_the_best_price_of_its_side() -> None:
    """After its time the working order is canceled, and the rest sent at the best price of its own side."""
    floor = Floor()
    floor.quote(100, 101, 0)
    requoted(floor)
    floor.fill(floor.latest, 4)
    floor.quote(100.5, 101, 0.3)
    floor.wait_until(0.6)
    assert (limits(floor), floor.sizes) == ([D(100), D("100.5")], [10, 6])
    assert floor.order().limit_price == D("100.5")
    assert floor.reason() == "REQUOTED: to 100.5, 1 left"
    assert floor.told() == [S.SENDING, S.OPEN]


@pytest.mark.parametrize(
    ("side", "limit", "worst", "bid", "ask", "expected"),
    [(Side.BUY, "100", "102", 103, 104, "102"), (Side.SELL, "100", "98", 96, 97, "98")],
)
def test_never_beyond_the_worst(side: Side, limit: str, worst: str, bid: float, ask: float, expected: str) -> None:
    """A re-quote never goes beyond the worst price."""
    floor = Floor()
    requoted(floor, limit, side, worst=D(worst))
    floor.quote(bid, ask, 0.1)
    floor.wait_until(0.6)
    assert limits(floor)[-1] == D(expected)


def test_without_a_worst_the_limit_holds() -> None:
    """Without a worst price the order's own limit is never passed."""
    floor = Floor()
    requoted(floor, worst=None)
    floor.quote(103, 104, 0.1)
    floor.wait_until(0.6)
    assert limits(floor) == [D(100)]
    floor.quote(99, 104, 0.7)
    floor.wait_until(1.2)
    assert limits(floor) == [D(100), D(99)]


def test_a_changed_limit_is_the_new_worst() -> None:
    """Who raises the limit of an order without a worst price allows its re-quotes as much."""
    floor = Floor()
    requoted(floor, worst=None)
    floor.change(limit_price="102")
    floor.quote(101.5, 104, 0.1)
    floor.wait_until(0.7)
    assert limits(floor) == [D(100), D(102), D("101.5")]
    floor.quote(103, 104, 0.8)
    floor.wait_until(1.3)
    assert limits(floor)[-1] == D(102)


def test_a_change_that_comes_too_late_is_answered() -> None:
    """The working order fills in full while it is being canceled: the change asked for is told as rejected."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.venue.answers = False
    floor.change(quantity="20")
    floor.fill(floor.latest, 10)
    assert floor.order().status is S.FILLED
    assert floor.reason().startswith("MODIFY_REJECTED")


def test_stays_where_it_is_best() -> None:
    """An order that is at that price already keeps its place in the queue; the try counts."""
    floor = Floor()
    requoted(floor, times=1)
    floor.quote(100, 101, 0.1)
    floor.wait_until(0.6)
    assert len(floor.sent) == 1
    floor.wait_until(1.1)
    assert floor.told()[-1] is S.CANCELED


def test_latest_price_of_bars() -> None:
    """On bars the best price is the latest close."""
    floor = Floor()
    requoted(floor, after_ns=150_000_000_000)
    floor.bar(100, 101, 100.7, minute=0)
    floor.wait_until(3)
    assert limits(floor)[-1] == D("100.7")


def test_canceled_after_the_last() -> None:
    """When it has not filled after the last re-quote it is canceled."""
    floor = Floor()
    requoted(floor)
    for number in range(4):
        floor.quote(100 + number / 10, 102, 0.4 + number / 2)
    floor.wait_until(3)
    assert limits(floor) == [D(100), D("100.1")]
    assert (floor.told()[-1], floor.reason()) == (S.CANCELED, "UNFILLED: re-quoted 2 times")


def test_at_market_after_the_last() -> None:
    """The rest is sent at market instead, where that is asked for, as a part of the same intent."""
    floor = Floor()
    requoted(floor, times=0, then="market")
    floor.fill(floor.latest, 4)
    floor.wait_until(1)
    assert (floor.sent[-1].order_type, floor.sizes) == (OrderType.MARKET, [10, 6])
    floor.fill(floor.latest, 6, "103")
    assert floor.told()[-1] is S.FILLED
    assert floor.fills == [("s:1", 4), ("s:1", 6)]


def test_fill_during_the_replacement() -> None:
    """What fills while the working order is being canceled is not sent again."""
    floor = Floor()
    floor.quote(100, 101, 0)
    requoted(floor)
    floor.quote(100.5, 101, 0.3)
    floor.venue.answers = False
    floor.report(floor.latest, K.ACCEPTED)
    floor.wait_until(0.6)
    first = floor.latest
    floor.fill(first, 7)
    floor.report(first, K.CANCELED)
    assert floor.sizes == [10, 3]


def test_complete_fill_during_the_replacement() -> None:
    """An order that fills while it is being canceled is over, and no other is sent."""
    floor = Floor()
    requoted(floor)
    floor.quote(100.5, 101, 0.3)
    floor.venue.answers = False
    floor.wait_until(0.6)
    first = floor.latest
    floor.fill(first, 10)
    floor.report(first, K.CANCEL_REJECTED)
    assert (len(floor.sent), floor.told()[-1]) == (1, S.FILLED)


def test_refused_cancel_tries_again() -> None:
    """When the venue refuses to cancel, the order stays, and is re-quoted after the next while."""
    floor = Floor()
    requoted(floor)
    floor.quote(100.5, 101, 0.3)
    floor.venue.answers = False
    floor.wait_until(0.6)
    floor.report(floor.latest, K.CANCEL_REJECTED)
    floor.venue.answers = True
    assert len(floor.sent) == 1
    floor.wait_until(1.5)
    assert limits(floor) == [D(100), D("100.5")]


def test_unknown_child_is_not_replaced() -> None:
    """Nothing is sent in place of an order whose fate is unknown."""
    floor = Floor()
    requoted(floor)
    floor.quote(100.5, 101, 0.3)
    floor.report(floor.latest, K.UNKNOWN)
    floor.wait_until(5)
    assert len(floor.sent) == 1
    assert floor.order().is_open


def test_canceled_by_the_strategy() -> None:
    """A cancel ends the whole, and nothing is sent after it."""
    floor = Floor()
    requoted(floor)
    floor.cancel()
    floor.wait_until(5)
    assert (floor.told()[-1], len(floor.sent)) == (S.CANCELED, 1)
    assert floor.timers.next_due > floor.clock.now() + 10**15


@pytest.mark.parametrize(
    ("kind", "status"), [(K.REJECTED, S.REJECTED), (K.EXPIRED, S.EXPIRED), (K.CANCELED, S.CANCELED)]
)
def test_ended_by_the_venue(kind: Any, status: Any) -> None:
    """When the venue ends the working order of itself, the intent ends like it, with its reason."""
    floor = Floor()
    requoted(floor)
    floor.report(floor.latest, kind, reason="because")
    assert (floor.told()[-1], floor.reason()) == (status, "because")


def test_rest_too_small_is_left_alone() -> None:
    """A rest that the venue would refuse as an order of its own stays where it is."""
    floor = Floor(instrument=make_instrument(min_quantity=D(5)))
    requoted(floor)
    floor.fill(floor.latest, 7)
    floor.quote(101, 102, 0.3)
    floor.wait_until(0.6)
    assert len(floor.sent) == 1


def test_post_only_requote() -> None:
    """Each part of a post-only order is post-only."""
    floor = Floor()
    requote = Requote(after_ns=30_000_000_000, times=1)
    floor.limit("100", terms=OrderTerms(requote=requote, post_only=True))
    floor.quote(99, 101, 0.3)
    floor.wait_until(0.6)
    assert [order.terms for order in floor.sent] == [OrderTerms(post_only=True)] * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"order_type": OrderType.MARKET},
        {"order_type": OrderType.LIMIT, "limit_price": "100", "time_in_force": TimeInForce.IOC},
        {"order_type": OrderType.STOP, "stop_price": "100"},
    ],
)
def test_what_cannot_be_requoted(fields: dict[str, Any]) -> None:
    """Only a limit order that may rest can be re-quoted; others end before anything is sent."""
    floor = Floor()
    floor.place(terms=OrderTerms(requote=Requote(after_ns=1, times=1)), **fields)
    assert (floor.told(), floor.reason().partition(":")[0]) == ([S.VOID], "WRONG_TERMS")


def test_day_order_that_is_requoted() -> None:
    """The end of a re-quoted GTD order is brought about here, and ends it as EXPIRED."""
    floor = Floor()
    requote = Requote(after_ns=30_000_000_000, times=50)
    ends = floor.clock.now() + 90_000_000_000
    terms = OrderTerms(requote=requote, expire_ts=ends)
    floor.limit("100", time_in_force=TimeInForce.GTD, terms=terms)
    floor.wait_until(5)
    assert (floor.sent[0].time_in_force, floor.told()[-1]) == (TimeInForce.GTC, S.EXPIRED)


# --- changes at a venue that cannot --------------------------------------------------------------------------


def test_change_by_replacement() -> None:
    """The working order is canceled and a changed one sent, for what has not filled; told as MODIFIED."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.fill(floor.latest, 4)
    floor.change(quantity="12", limit_price="101")
    assert (floor.sizes, limits(floor)) == ([10, 8], [D(100), D(101)])
    assert (floor.order().quantity, floor.order().limit_price, floor.reason()) == (D(12), D(101), "MODIFIED")


def test_nothing_is_sent_before_the_cancel_is_confirmed() -> None:
    """The changed order waits for the confirmation that the old one is over."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.venue.answers = False
    first = floor.latest
    floor.change(limit_price="101")
    assert floor.latest == first
    floor.report(first, K.CANCELED)
    assert floor.latest != first


def test_change_to_what_has_filled_meanwhile() -> None:
    """When as much has filled as the order was to be made, it is FILLED, and nothing more is sent."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.venue.answers = False
    first = floor.latest
    floor.change(quantity="6")
    floor.fill(first, 6)
    floor.report(first, K.CANCELED)
    assert (floor.told()[-1], len(floor.sent)) == (S.FILLED, 1)


def test_refused_change() -> None:
    """When the venue refuses to cancel, the order stays as it was, told as MODIFY_REJECTED."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.venue.answers = False
    floor.change(limit_price="101")
    floor.report(floor.latest, K.CANCEL_REJECTED)
    assert floor.reason().startswith("MODIFY_REJECTED")
    assert floor.order().limit_price == D(100)
    assert len(floor.sent) == 1


def test_second_change_meanwhile() -> None:
    """A change while one is under way is refused."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.venue.answers = False
    floor.change(limit_price="101")
    floor.change(limit_price="102")
    assert floor.reason() == "MODIFY_REJECTED: it is being replaced or canceled"


def test_native_stop_at_a_venue_without_changes() -> None:
    """A stop order that the venue has is sent as one, and replaced by one with the new stop price."""
    floor = Floor(lacking("modify"))
    floor.place(order_type=OrderType.STOP, side=SELL, stop_price="90")
    floor.change(stop_price="95")
    assert [(order.order_type, order.stop_price) for order in floor.sent] == [
        (OrderType.STOP, D(90)),
        (OrderType.STOP, D(95)),
    ]


def test_market_order_needs_no_child() -> None:
    """An order that cannot rest is sent itself."""
    floor = Floor(lacking("modify"))
    order_id = floor.place()
    assert floor.latest == order_id


def test_updates_of_a_replaced_order() -> None:
    """Of the intent itself only its own states are told: never that a part of it was canceled."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.change(limit_price="101")
    own = [update.status for update in floor.log.of(OrderUpdate) if update.intent_id == "s:1"]
    assert set(own) == {S.SENDING, S.OPEN}


def test_made_smaller_than_what_has_filled_meanwhile() -> None:
    """A change to less than what fills before the cancel arrives ends the order at what has filled."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    floor.venue.answers = False
    floor.change(quantity="2")
    floor.fill(floor.latest, 3)
    floor.report(floor.latest, K.CANCELED, filled=D(3))
    order = floor.order()
    assert (order.status, order.quantity, order.filled) == (S.FILLED, 3, 3)


def test_earlier_child_that_lives_after_all() -> None:
    """An order whose earlier child, thought to be refused, turns up again is over when that one is."""
    floor = Floor(lacking("modify"))
    floor.limit("100")
    first = floor.latest
    floor.venue.answers = False
    floor.change(limit_price="101")
    floor.report(first, K.REJECTED)
    second = floor.latest
    floor.report(first, K.ACCEPTED)
    floor.report(second, K.REJECTED)
    assert floor.order().is_open
    floor.report(first, K.CANCELED)
    assert not floor.order().is_open
