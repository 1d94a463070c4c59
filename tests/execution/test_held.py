"""Conditional and post-only orders at a venue that has none: held here, sent when the market touches them."""

from decimal import Decimal
from typing import Any

import pytest

from tests.execution.desk import K, S
from tests.execution.floor import BARE, SELL, Floor, lacking
from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import ModifyOrder, OrderUpdate, SubmitOrder
from tradingd.domain.terms import PLAIN, OrderTerms, Trail
from tradingd.testing import at, make_bar, make_quote, make_trade

STOP, TAKE = OrderType.STOP, OrderType.TAKE_PROFIT
CASES = [
    # type, side, level, an event short of it, one that touches it
    (STOP, Side.BUY, "101", make_quote(100.9, 100.95, minute=1), make_quote(100.9, 101.0, minute=2)),
    (STOP, Side.SELL, "99", make_quote(99.05, 99.1, minute=1), make_quote(99.0, 99.1, minute=2)),
    (TAKE, Side.BUY, "99", make_quote(98.0, 99.1, minute=1), make_quote(98.0, 99.0, minute=2)),
    (TAKE, Side.SELL, "101", make_quote(100.9, 102.0, minute=1), make_quote(101.0, 102.0, minute=2)),
    (STOP, Side.BUY, "101", make_trade(100.99, minute=1), make_trade(101.0, minute=2)),
    (TAKE, Side.SELL, "101", make_trade(100.99, minute=1), make_trade(101.5, minute=2)),
    (STOP, Side.SELL, "99", make_bar(100, low=99.01, minute=1), make_bar(100, low=99.0, minute=2)),
    (TAKE, Side.BUY, "99", make_bar(100, low=99.01, minute=1), make_bar(100, low=98.0, minute=2)),
    (STOP, Side.BUY, "101", make_bar(100, high=100.99, minute=1), make_bar(100, high=101.0, minute=2)),
]


@pytest.mark.parametrize(("kind", "side", "level", "short", "touch"), CASES)
def test_sent_when_touched(kind: OrderType, side: Side, level: str, short: Any, touch: Any) -> None:
    """It is sent as a market order by the event that touches its level, and not by one that falls short."""
    floor = Floor(BARE)
    floor.place(order_type=kind, side=side, stop_price=level)
    floor.market(short)
    assert not floor.sent
    floor.market(touch)
    (sent,) = floor.sent
    assert (sent.order_type, sent.side, sent.stop_price, sent.terms) == (OrderType.MARKET, side, None, PLAIN)
    assert floor.told() == [S.PREPARED, S.SENDING, S.OPEN]


def test_told_as_held() -> None:
    """While it waits it is PREPARED, which is provably not sent, and told as HELD with its level."""
    floor = Floor(BARE)
    floor.place(order_type=STOP, stop_price="101")
    assert (floor.order().status, floor.reason()) == (S.PREPARED, "HELD: until the market touches 101.0")


def test_native_where_the_venue_has_it() -> None:
    """A venue that has the type gets the order as it is, and no market events are asked for."""
    floor = Floor(lacking("trailing_stop"))
    floor.place(order_type=STOP, stop_price="101")
    assert (floor.sent[0].order_type, floor.sent[0].stop_price) == (STOP, Decimal(101))
    assert not floor.engine.watched


def test_stop_limit_becomes_a_limit_order() -> None:
    """What has a limit price is sent as a limit order at it."""
    floor = Floor(BARE)
    floor.place(order_type=OrderType.STOP_LIMIT, stop_price="101", limit_price="102")
    floor.trade_at(101, 1)
    assert (floor.sent[0].order_type, floor.sent[0].limit_price) == (OrderType.LIMIT, Decimal(102))


def test_nothing_is_routed_until_something_is_held() -> None:
    """Market events come to execution only for symbols that some order has waited for."""
    floor = Floor(BARE)
    floor.place()
    assert floor.engine.event_filter(make_bar().type) == frozenset()
    floor.place("s:2", order_type=STOP, stop_price="101")
    assert floor.engine.event_filter(make_bar().type) == {"AAPL"}


def test_a_bar_that_was_under_way_counts_by_its_close() -> None:
    """Of a bar that had opened before the order was held only the close counts."""
    floor = Floor(BARE)
    floor.wait_until(0.5)
    floor.place(order_type=STOP, stop_price="101")
    floor.bar(99, 102, 100, minute=0)
    assert not floor.sent
    floor.bar(99, 102, 100, minute=1)
    assert floor.sent


def test_canceled_while_held() -> None:
    """A cancel ends it at once, without a word to the venue; what touches its level later sends nothing."""
    floor = Floor(BARE)
    floor.place(order_type=STOP, stop_price="101")
    floor.cancel()
    floor.trade_at(105, 1)
    assert floor.told() == [S.PREPARED, S.CANCELED]
    assert not floor.sent
    assert not floor.canceled()


def test_changed_while_held() -> None:
    """A change holds at once, without a word to the venue."""
    floor = Floor(BARE)
    floor.place(order_type=STOP, stop_price="101")
    floor.change(quantity="4", stop_price="103")
    assert floor.reason() == "MODIFIED"
    floor.trade_at(102, 1)
    assert not floor.sent
    floor.trade_at(103, 2)
    assert floor.sizes == [4]
    assert not floor.log.of(ModifyOrder)


def test_stop_price_after_the_trigger() -> None:
    """Once it was sent as a market order its stop price can be changed no more."""
    floor = Floor(lacking("stop"))
    floor.place(order_type=STOP, stop_price="101")
    floor.trade_at(101, 1)
    floor.change(stop_price="99")
    assert floor.reason() == "MODIFY_REJECTED: it has triggered already"


def test_touched_while_stopping() -> None:
    """What is touched after new orders are refused becomes VOID."""
    floor = Floor(BARE)
    floor.place(order_type=STOP, stop_price="101")
    floor.engine.refuse_new("STOPPING")
    floor.trade_at(101, 1)
    assert (floor.told(), floor.reason()) == ([S.PREPARED, S.VOID], "STOPPING")


def test_canceled_with_all() -> None:
    """Canceling all orders ends held ones, too."""
    floor = Floor(BARE)
    floor.place(order_type=STOP, stop_price="101")
    assert floor.engine.cancel_all("STOPPING") == 1
    assert not floor.engine.orders


def test_stops_come_first() -> None:
    """Of several that one event touches stops are sent before take-profits, whichever was placed first."""
    floor = Floor(BARE)
    floor.place("s:1", order_type=TAKE, side=SELL, stop_price="101")
    floor.place("s:2", order_type=STOP, side=SELL, stop_price="99")
    floor.bar(98, 102, 100, minute=1)
    assert [floor.engine.get_order(order.order_id).intent_id for order in floor.sent] == ["s:2", "s:1"]  # type: ignore[union-attr]


# --- trailing stops ------------------------------------------------------------------------------------------


def trailing(floor: Floor, side: Side, offset: str, *, percent: bool = False, stop: str | None = None) -> None:
    """Place a trailing stop."""
    terms = OrderTerms(trail=Trail(Decimal(offset), percent))
    floor.place(order_type=OrderType.TRAILING_STOP, side=side, stop_price=stop, terms=terms)


@pytest.mark.parametrize(
    ("side", "prices", "hit"),
    [(Side.SELL, [100, 103, 101.5, 105, 103.5], 103.0), (Side.BUY, [100, 97, 98.5, 95, 96.5], 97.0)],
)
def test_trailing_stop_follows(side: Side, prices: list[float], hit: float) -> None:
    """It follows the market at its distance, towards it only, and is sent when the market comes back so far."""
    floor = Floor(BARE)
    floor.trade_at(prices[0], 0)
    trailing(floor, side, "2")
    for minute, price in enumerate(prices, 1):
        floor.trade_at(price, minute)
    assert not floor.sent
    floor.trade_at(hit, 10)
    assert floor.sent[0].order_type is OrderType.MARKET


def test_trailing_stop_in_percent() -> None:
    """Its distance may be percent of the best price, put on the tick behind it."""
    floor = Floor(BARE)
    floor.trade_at(100, 0)
    trailing(floor, SELL, "1.5", percent=True)
    floor.trade_at(103.33, 1)
    assert floor.order().stop_price == Decimal("101.78")  # 101.78005


def test_trailing_stop_begins_where_told() -> None:
    """It begins at its stop price, and moves only when its distance leads beyond that."""
    floor = Floor(BARE)
    floor.trade_at(100, 0)
    trailing(floor, SELL, "2", stop="99")
    assert floor.order().stop_price == Decimal(99)
    floor.trade_at(101.5, 1)
    assert floor.order().stop_price == Decimal("99.50")


def test_trailing_stop_before_any_price() -> None:
    """Placed before there is a price, it begins with the first one."""
    floor = Floor(BARE)
    trailing(floor, SELL, "2")
    floor.trade_at(100, 1)
    assert floor.order().stop_price == Decimal(98)


def test_trailing_stop_within_a_bar() -> None:
    """A bar is held against the old level; then its high moves the level, against which its close is held."""
    floor = Floor(BARE)
    floor.bar(100, 100, 100, minute=0)
    trailing(floor, SELL, "2")
    floor.bar(99, 104, 103, minute=1, open=100)
    assert (floor.order().stop_price, floor.sent) == (Decimal(102), [])
    floor.bar(103, 110, 107, minute=2, open=103)
    assert floor.sent


# --- post-only -----------------------------------------------------------------------------------------------

POST_ONLY = OrderTerms(post_only=True)


def test_post_only_that_rests() -> None:
    """It is sent as a plain limit order when it would rest."""
    floor = Floor(lacking("post_only"))
    floor.quote(99, 101, 0)
    floor.limit("100.99", terms=POST_ONLY)
    assert (floor.sent[0].order_type, floor.sent[0].terms) == (OrderType.LIMIT, PLAIN)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "101"), (Side.SELL, "99")])
def test_post_only_that_would_trade(side: Side, price: str) -> None:
    """It is VOID when the best price of the other side is within its limit."""
    floor = Floor(lacking("post_only"))
    floor.quote(99, 101, 0)
    floor.limit(price, side=side, terms=POST_ONLY)
    assert (floor.told(), floor.reason()) == ([S.VOID], f"POST_ONLY: at {price} it would trade at once")
    assert not floor.sent


def test_post_only_waits_for_a_price() -> None:
    """Before there is a price nobody knows: it waits for the first."""
    floor = Floor(lacking("post_only"))
    floor.limit("100", terms=POST_ONLY)
    assert floor.told() == [S.PREPARED]
    floor.quote(99, 101, 1)
    assert floor.told() == [S.PREPARED, S.SENDING, S.OPEN]


def test_post_only_is_left_to_the_venue() -> None:
    """A venue that has post-only orders gets the word with the order, without the terms that are not its own."""
    floor = Floor()
    floor.limit("100", terms=OrderTerms(post_only=True, parent="s:0"))
    assert floor.sent[0].terms == POST_ONLY


# --- what nothing can stand in for ---------------------------------------------------------------------------


@pytest.mark.parametrize("force", [TimeInForce.IOC, TimeInForce.FOK])
def test_at_once_cannot_be_emulated(force: TimeInForce) -> None:
    """IOC and FOK where the venue has none end as VOID with a reason, before anything is sent."""
    floor = Floor(lacking("ioc", "fok"))
    floor.limit("100", time_in_force=force)
    assert floor.told() == [S.VOID]
    assert floor.reason().startswith(f"UNSUPPORTED: SIM takes no {force} orders")
    assert not floor.log.of(SubmitOrder)


def test_times_of_updates() -> None:
    """What is touched by an event is told with that event's time."""
    floor = Floor(BARE)
    floor.place(order_type=STOP, stop_price="101")
    floor.trade_at(101, 3)
    assert {update.ts for update in floor.log.of(OrderUpdate)[1:]} == {at(3)}


def test_trade_of_an_order_that_was_not_sent() -> None:
    """A trade that the venue tells of a held order is money, and booked, but it is not that order's."""
    floor = Floor(BARE)
    held = floor.place(order_type=OrderType.STOP, side=SELL, stop_price="90")
    floor.fill(held, 4, "90")
    assert floor.fills == [("", 4)]
    assert floor.reason().startswith("CONTRADICTION: a trade of it")
    assert (floor.order().status, floor.order().filled) == (S.PREPARED, 0)


def test_change_of_an_order_that_was_not_sent() -> None:
    """A change that the venue tells of a held order changes nothing, and is told."""
    floor = Floor(BARE)
    held = floor.place(order_type=OrderType.STOP, side=SELL, stop_price="90")
    floor.report(held, K.MODIFIED, quantity=Decimal(5))
    assert floor.reason().startswith("CONTRADICTION: changed")
    assert (floor.order().status, floor.order().quantity) == (S.PREPARED, 10)
