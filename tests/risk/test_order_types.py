"""The limits and the types of orders beyond market, limit and stop."""

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.desk import BUY, SELL, Desk, code
from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import OrderUpdate
from tradingd.domain.terms import OrderTerms, Requote, Trail
from tradingd.risk.limits import (
    InstrumentFilters,
    MaxOrderNotional,
    MaxPositionNotional,
    PriceCollar,
    RepeatedOrders,
    SelfMatch,
)
from tradingd.testing import at, make_instrument

STOP_LIMIT, TAKE_LIMIT = OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT
TAKE, TRAILING = OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP


@pytest.mark.parametrize(("stop", "limit"), [("105.001", "106"), ("105", "106.001")])
@pytest.mark.parametrize("kind", [STOP_LIMIT, TAKE_LIMIT])
def test_both_prices_of_an_order_must_be_on_the_tick(kind: OrderType, stop: str, limit: str) -> None:
    """The venue would refuse it for either."""
    desk = Desk(InstrumentFilters(), instruments=[make_instrument("AAPL")])
    assert code(desk.order(BUY, 1, stop=stop, limit=limit, kind=kind)) == "TICK"
    assert desk.order(BUY, 1, stop="105", limit="106", kind=kind) == ""


@pytest.mark.parametrize(
    ("side", "options", "notional"),
    [
        (BUY, {"kind": STOP_LIMIT, "stop": 105, "limit": 106}, 1060),
        (SELL, {"kind": STOP_LIMIT, "stop": 95, "limit": 94}, 1000),
        (SELL, {"kind": TAKE_LIMIT, "stop": 110, "limit": 109}, 1100),
        (BUY, {"kind": TAKE, "stop": 90}, 1000),
        (SELL, {"kind": TRAILING, "trail": Trail(Decimal(5))}, 1000),
        (SELL, {"kind": TRAILING, "trail": Trail(Decimal(5)), "stop": 120}, 1200),
    ],
)
def test_an_orders_worth_is_the_most_it_could_trade_at(
    side: Side, options: dict[str, object], notional: int
) -> None:
    """A buy cannot pay more than its limit; all else trades at the latest price where that makes more of it."""
    assert Desk(MaxOrderNotional(notional)).order(side, 10, **options) == ""  # type: ignore[arg-type]
    denied = Desk(MaxOrderNotional(notional - 1)).order(side, 10, **options)  # type: ignore[arg-type]
    assert code(denied) == "MAX_ORDER_NOTIONAL"


def test_exposure_counts_the_greater_of_an_orders_two_prices() -> None:
    """A stop-limit that buys up to 110 is that much, whatever its stop."""
    desk = Desk(MaxPositionNotional(1_999))
    assert desk.order(BUY, 10, stop=105, limit=110, kind=STOP_LIMIT) == ""
    assert code(desk.order(BUY, 9, limit=100)) == "MAX_POSITION_NOTIONAL"
    assert desk.order(BUY, 8, limit=100) == ""


def test_a_trailing_stop_counts_at_where_it_has_moved_to() -> None:
    """A buy stop that followed the market up, and down again: its last price counts."""
    desk = Desk()
    desk.order(BUY, 10, "trail", kind=TRAILING, trail=Trail(Decimal(20)))
    known = []
    for stop in (None, 130, 115):
        desk.update("trail", stop_price=None if stop is None else Decimal(stop))
        known.append(desk.risk.book.notional_bounds("AAPL")[1])
    assert known == [1000, 1300, 1150]


def test_a_trailing_stop_needs_a_price_somewhere() -> None:
    """Neither its own nor the market's is known: nobody knows what it costs."""
    desk = Desk(price=None)
    assert code(desk.order(BUY, 1, kind=TRAILING, trail=Trail(Decimal(5)))) == "NO_REFERENCE_PRICE"


@pytest.mark.parametrize(("limit", "passes"), [(84, True), (85, False)])
def test_the_limit_of_a_sleeping_order_is_held_against_its_stop(limit: int, *, passes: bool) -> None:
    """At 80 the market will be there; what is far from the market now is not far then."""
    desk = Desk(PriceCollar(5))
    assert (desk.order(BUY, 1, stop=80, limit=limit, kind=TAKE_LIMIT) == "") is passes


def test_a_sleeping_order_meets_nothing() -> None:
    """It does not trade now, whatever its limit would cross."""
    desk = Desk(SelfMatch())
    desk.order(SELL, 1, limit=105)
    for kind, stop in ((STOP_LIMIT, 110), (TAKE_LIMIT, 90)):
        assert desk.order(BUY, 1, stop=stop, limit=112, kind=kind) == ""


@pytest.mark.parametrize(("market", "meets"), [(91.0, False), (90.0, True), (89.0, True)])
def test_a_stop_limit_rests_once_the_market_is_beyond_its_stop(market: float, *, meets: bool) -> None:
    """A long's stop-limit below the market stands in no buyer's way before."""
    desk = Desk(SelfMatch())
    desk.order(SELL, 1, stop=90, limit=89, kind=STOP_LIMIT)
    desk.market(market, minute=1)
    assert (code(desk.order(BUY, 1)) == "SELF_MATCH") is meets


def test_another_trail_is_another_order() -> None:
    """And the same one again is a repetition, in whatever group."""
    desk = Desk(RepeatedOrders(0, 60))
    for offset in (5, 6):
        assert desk.order(SELL, 1, kind=TRAILING, trail=Trail(Decimal(offset)), oco=f"g{offset}") == ""
    assert code(desk.order(SELL, 1, kind=TRAILING, trail=Trail(Decimal(5)), oco="other")) == "REPEATED_ORDER"


@pytest.mark.parametrize(
    ("kind", "options", "change", "passes"),
    [
        (STOP_LIMIT, {"stop": 105, "limit": 106}, {"stop": 104, "limit": 105}, True),
        (TAKE, {"stop": 95}, {"stop": 94}, True),
        (TAKE, {"stop": 95}, {"limit": 94}, False),
        (TRAILING, {"trail": Trail(Decimal(5))}, {"stop": 107}, True),
        (TRAILING, {"trail": Trail(Decimal(5))}, {"limit": 107}, False),
    ],
)
def test_an_order_can_be_changed_in_the_prices_it_has(
    kind: OrderType, options: dict[str, object], change: dict[str, int], *, passes: bool
) -> None:
    """And in no others."""
    desk = Desk()
    desk.order(BUY, 1, "a", kind=kind, **options)  # type: ignore[arg-type]
    desk.update("a")
    assert (desk.modify("a", **change) == "") is passes  # type: ignore[arg-type]


def test_an_answered_change_of_a_stop_limit_counts_at_its_greater_price() -> None:
    """The limit of a buy, as it is now."""
    desk = Desk()
    desk.order(BUY, 10, "a", stop=105, limit=110, kind=STOP_LIMIT)
    desk.update("a")
    desk.modify("a", stop=104, limit=108)
    desk.update("a", reason="MODIFIED", stop_price=Decimal(104), limit_price=Decimal(108))
    assert desk.risk.book.notional_bounds("AAPL")[1] == 1080


def test_updates_of_an_orders_parts_count_nothing() -> None:
    """An order that is worked in parts is reserved as a whole, and their fills are booked for it."""
    desk = Desk()
    desk.order(BUY, 10, "a", limit=100)
    desk.risk.on_order_update(
        OrderUpdate(
            at(0), "s", "a/1", "t1", "AAPL", BUY, OrderType.LIMIT, Decimal(4), Decimal(0), OrderStatus.OPEN,
            parent_id="t0",
        )
    )  # fmt: skip
    assert (len(desk.risk.book), desk.risk.book.bounds("AAPL")) == (1, (0, 10))


# --- re-quotes -----------------------------------------------------------------------------------------------


def requoted(worst: str | None = None, **fields: Any) -> OrderTerms:
    """Terms of an order that is re-quoted."""
    fields = {"after_ns": 1, "times": 2, **fields}
    return OrderTerms(requote=Requote(worst=None if worst is None else Decimal(worst), **fields))


@pytest.mark.parametrize(
    ("side", "limit", "terms", "notional"),
    [
        (BUY, 90, requoted("110"), 1100),
        (BUY, 90, requoted("80"), 900),
        (BUY, 90, requoted(), 900),
        (BUY, 90, requoted(then="market"), 1000),
        (BUY, 90, requoted("110", then="market"), 1100),
        (BUY, 90, requoted("95", then="market"), 1000),
        (SELL, 110, requoted("90"), 1100),
        (SELL, 90, requoted("80"), 1000),
    ],
)
def test_a_requoted_order_is_worth_the_most_it_may_be_moved_to(
    side: Side, limit: int, terms: OrderTerms, notional: int
) -> None:
    """Its worst price counts where that makes more of it, and the latest one where it may end at market."""
    options: dict[str, Any] = {"limit": limit, "kind": OrderType.LIMIT, "terms": terms}
    assert Desk(MaxOrderNotional(notional)).order(side, 10, **options) == ""
    assert code(Desk(MaxOrderNotional(notional - 1)).order(side, 10, **options)) == "MAX_ORDER_NOTIONAL"


def test_a_requoted_order_is_reserved_at_its_worst_price_until_it_is_over() -> None:
    """A change of its limit, asked for and granted, leaves the price that re-quotes may still move it to."""
    desk = Desk()
    desk.order(BUY, 10, "quote", limit=90, terms=requoted("130"))
    known = [desk.risk.book.notional_bounds("AAPL")[1]]
    desk.update("quote", limit_price=Decimal(90))
    assert desk.modify("quote", limit=95) == ""
    known.append(desk.risk.book.notional_bounds("AAPL")[1])
    desk.update("quote", limit_price=Decimal(95), reason="MODIFIED")
    known.append(desk.risk.book.notional_bounds("AAPL")[1])
    assert known == [1300, 1300, 1300]


def test_a_change_of_a_requoted_order_is_judged_at_its_worst_price() -> None:
    """The limit is lowered, and the order stays as large as its worst price makes it."""
    desk = Desk(MaxOrderNotional(1_300))
    desk.order(BUY, 10, "quote", limit=90, terms=requoted("130"))
    desk.update("quote", limit_price=Decimal(90))
    assert code(desk.modify("quote", 11, limit=80).removeprefix("MODIFY_DENIED: ")) == "MAX_ORDER_NOTIONAL"


@pytest.mark.parametrize(
    "terms", [requoted("0"), requoted("NaN"), requoted(after_ns=0), requoted(times=-1), requoted(then="hope")]
)
def test_a_requote_that_is_none_is_denied(terms: OrderTerms) -> None:
    """Prices are above 0, and time passes before each of its steps."""
    assert code(Desk().order(BUY, 1, limit=90, terms=terms)) in {"WRONG_TERMS", "INVALID_NUMBER"}


def test_the_worst_price_must_be_on_the_tick() -> None:
    """A re-quote may be sent at that very price, and the venue would refuse it."""
    desk = Desk(InstrumentFilters(), instruments=[make_instrument("AAPL")])
    assert code(desk.order(BUY, 1, limit=100, terms=requoted("101.001"))) == "TICK"
    assert desk.order(BUY, 1, limit=100, terms=requoted("101.01")) == ""
