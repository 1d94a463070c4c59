"""Explicit orders, changes and cancels."""

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.desk import BUY, SELL, Desk, code
from tradingd.domain.enums import HaltScope, HaltState, OrderStatus, OrderType, TimeInForce
from tradingd.domain.events import ModifyRequest, OrderRequest
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.risk.limits import (
    InstrumentFilters,
    MaxOrderQuantity,
    MaxPositionNotional,
    MaxPositionQuantity,
    MaxStrategyCapital,
    PriceCollar,
    ReduceOnly,
)
from tradingd.testing import at, make_instrument


def request(**fields: Any) -> OrderRequest:
    """A market buy of one share."""
    defaults: dict[str, Any] = {"ts": at(0), "strategy_id": "s", "intent_id": "a", "symbol": "AAPL"}
    return OrderRequest(**{**defaults, "side": BUY, "quantity": Decimal(1), **fields})


def working(*limits: Any, **options: Any) -> Desk:
    """With a working limit order `a` to buy 10 at 99."""
    desk = Desk(*limits, **options)
    desk.order(BUY, 10, "a", limit=99)
    desk.update("a")
    return desk


def test_an_order_is_passed_on_as_it_was_asked_for() -> None:
    """Risk changes nothing of an explicit order."""
    desk = Desk()
    asked = request(
        order_type=OrderType.LIMIT,
        limit_price=Decimal("99.5"),
        quantity=Decimal("2.5"),
        time_in_force=TimeInForce.IOC,
        tag="grid",
    )
    desk.risk.on_order_request(asked)
    passed = desk.orders[0]
    for name in ("intent_id", "side", "quantity", "order_type", "limit_price", "time_in_force", "tag"):
        assert getattr(passed, name) == getattr(asked, name)


def test_a_groups_name_becomes_its_strategys() -> None:
    """A venue knows of no strategies: two of them may use one name, and share nothing."""
    desk = Desk()
    desk.risk.on_order_request(request(quantity=Decimal(2), terms=OrderTerms(oco="exits", post_only=False)))
    assert desk.orders[0].terms == OrderTerms(oco="s/exits")


@pytest.mark.parametrize("quantity", [0, -1, Decimal("NaN"), Decimal("Infinity"), 1.5, 1])
def test_a_quantity_that_is_no_positive_decimal_is_denied(quantity: Any) -> None:
    """Whatever limits there are: a negative sell would be a buy that passes for reducing."""
    desk = Desk()
    desk.hold(10)
    given = Decimal(quantity) if quantity in (0, -1) else quantity
    desk.risk.on_order_request(request(side=SELL, quantity=given))
    assert (code(desk.denial("a")), desk.orders) == ("INVALID_NUMBER", [])


@pytest.mark.parametrize("price", [Decimal(0), Decimal(-1), Decimal("NaN"), 99.5])
@pytest.mark.parametrize(("name", "kind"), [("limit_price", OrderType.LIMIT), ("stop_price", OrderType.STOP)])
def test_a_price_that_is_no_positive_decimal_is_denied(name: str, kind: OrderType, price: Any) -> None:
    """A price is a finite Decimal above zero."""
    desk = Desk()
    desk.risk.on_order_request(request(order_type=kind, **{name: price}))
    assert code(desk.denial("a")) == "INVALID_NUMBER"


@pytest.mark.parametrize(
    "fields",
    [
        {"order_type": OrderType.LIMIT},
        {"order_type": OrderType.STOP},
        {"order_type": OrderType.STOP, "limit_price": Decimal(1)},
        {"limit_price": Decimal(1)},
        {"stop_price": Decimal(1)},
    ],
)
def test_an_order_with_the_wrong_prices_is_denied(fields: dict[str, Any]) -> None:
    """A limit order has a limit, a stop order a stop, a market order neither."""
    desk = Desk()
    desk.risk.on_order_request(request(**fields))
    assert code(desk.denial("a")) == "WRONG_PRICE"


@pytest.mark.parametrize("fields", [{"side": "BUY"}, {"order_type": "MARKET"}, {"time_in_force": "GTC"}])
def test_text_for_a_side_or_type_is_denied(fields: dict[str, Any]) -> None:
    """Text that looks like a side would be judged as the other one."""
    desk = Desk()
    desk.risk.on_order_request(request(**fields))
    (text,) = fields.values()
    assert desk.denial("a").startswith(f"INVALID_ORDER: {text!r} is no ")


def test_an_unknown_symbol_is_denied() -> None:
    """What is not configured cannot be traded."""
    desk = Desk(instruments=[make_instrument()])
    assert desk.order(BUY, 1, symbol="GME") == "UNKNOWN_INSTRUMENT: 'GME' is not configured"


def test_a_wrong_lot_is_denied() -> None:
    """A quantity is cut for signals, but not for explicit orders."""
    desk = Desk(InstrumentFilters(), instruments=[make_instrument()])
    assert code(desk.order(BUY, "1.5")) == "LOT"


def test_a_cancel_for_somebody_elses_order_is_ignored() -> None:
    """Only the strategy that has an order may cancel it."""
    desk = working()
    desk.cancel("a", strategy="other")
    assert desk.cancels == []


def test_a_cancel_may_be_asked_for_again() -> None:
    """A strategy's own request is always passed on: it may know better."""
    desk = working()
    desk.cancel("a")
    desk.cancel("a")
    assert desk.cancels == ["a", "a"]


# --- changes -----------------------------------------------------------------------------------------------------


def test_a_change_is_passed_on_as_it_was_asked_for() -> None:
    """What is left as it is stays None."""
    desk = working()
    desk.modify("a", limit=98)
    change = desk.changes[0]
    assert (change.intent_id, change.quantity, change.limit_price, change.stop_price) == ("a", None, 98, None)


def test_nobody_changes_somebody_elses_order() -> None:
    """The request is ignored."""
    desk = working()
    desk.modify("a", 20, strategy="other")
    assert (desk.changes, desk.outstanding("a")) == ([], 10)


@pytest.mark.parametrize("total", [3, 4])
def test_a_total_that_leaves_nothing_open_is_denied(total: int) -> None:
    """Four have filled: the new total must be more."""
    desk = working()
    desk.update("a", filled=4)
    reason = desk.modify("a", total)
    assert reason == f"MODIFY_DENIED: BELOW_FILLED: 4 are filled, {total} would leave nothing open"


def test_a_greater_quantity_is_held_against_the_limits() -> None:
    """The order counts once, at its new quantity."""
    desk = working(MaxPositionQuantity(12))
    reason = desk.modify("a", 13)
    assert reason == "MODIFY_DENIED: MAX_POSITION_QUANTITY: AAPL could reach 13, the limit is 12"
    assert (desk.modify("a", 12), desk.outstanding("a")) == ("", 12)


def test_the_whole_order_is_held_against_the_limits_of_single_orders() -> None:
    """What has filled is part of the order that the venue sees."""
    desk = working(MaxOrderQuantity(12))
    desk.update("a", filled=4)
    desk.booked("a", 4)
    assert code(desk.modify("a", 13).removeprefix("MODIFY_DENIED: ")) == "MAX_ORDER_QUANTITY"


def test_a_new_price_is_held_against_the_collar() -> None:
    """A change may not go where a new order may not."""
    desk = working(PriceCollar(10))
    assert "PRICE_COLLAR: 111 is 11.0000 % away" in desk.modify("a", limit=111)


def test_a_change_that_keeps_its_price_passes_the_collar() -> None:
    """The market has moved away from a resting order, which may still be made smaller or greater."""
    desk = working(PriceCollar(10))
    desk.market(150.0)
    assert (desk.modify("a", 12), desk.modify("a", 5)) == ("", "")


def test_an_order_may_always_be_made_smaller() -> None:
    """Limits that it would not pass any more do not keep an order from shrinking."""
    desk = working(MaxPositionQuantity(10), MaxStrategyCapital(1000))
    desk.hold(20)
    assert (desk.modify("a", 5), desk.modify("a", 5, limit=98) != "") == ("", True)


@pytest.mark.parametrize("change", [{"quantity": 0}, {"quantity": -1}, {"limit": 0}, {"limit": -5}])
def test_a_change_to_what_is_no_positive_number_is_denied(change: dict[str, int]) -> None:
    """Zero and less are no quantity and no price."""
    reason = working().modify("a", **change)  # type: ignore[arg-type]
    assert reason.startswith("MODIFY_DENIED: INVALID_NUMBER")


def test_a_change_to_nan_is_denied() -> None:
    """A Decimal that is not a number stops at the gate, which goes on."""
    desk = working()
    desk.risk.on_modify_request(ModifyRequest(at(0), "s", "a", Decimal("NaN")))
    assert desk.log.events[-1].reason == "MODIFY_DENIED: INVALID_NUMBER: NaN is not greater than 0"


def test_a_price_that_the_order_does_not_have_cannot_be_changed() -> None:
    """A limit order gets no stop."""
    assert working().modify("a", stop=90) == "MODIFY_DENIED: WRONG_PRICE: a LIMIT order has no such price"


def test_a_change_to_what_the_venue_would_refuse_is_denied() -> None:
    """Lot and tick hold for changes, too."""
    desk = working(InstrumentFilters(), instruments=[make_instrument()])
    assert code(desk.modify("a", "10.5").removeprefix("MODIFY_DENIED: ")) == "LOT"
    assert code(desk.modify("a", limit="98.001").removeprefix("MODIFY_DENIED: ")) == "TICK"


def test_a_reduce_only_order_cannot_outgrow_the_position() -> None:
    """A protective stop may follow the position, not exceed it."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.order(SELL, 5, "stop", stop=90, reduce_only=True)
    desk.update("stop")
    assert code(desk.modify("stop", 11).removeprefix("MODIFY_DENIED: ")) == "REDUCE_ONLY"
    assert desk.modify("stop", 10) == ""


def test_a_denied_change_is_told_as_the_order_stands() -> None:
    """Status, fills and prices are what execution last told."""
    desk = working()
    desk.update("a", filled=4)
    desk.modify("a", 1)
    told = desk.log.events[-1]
    assert (told.status, told.filled, told.quantity, told.limit_price) == (OrderStatus.OPEN, 4, 10, 99)


def test_an_order_that_execution_has_not_told_of_cannot_be_changed_yet() -> None:
    """The answer says so, instead of leaving the strategy without one."""
    desk = Desk()
    desk.order(BUY, 10, "a", limit=99)
    assert desk.modify("a", 5) == "MODIFY_DENIED: NOT_SENT: execution has not told of the order yet"


def test_an_order_that_is_over_is_not_told_of_again() -> None:
    """Its end has been told; a copy of an older state must not bring it back."""
    desk = working()
    desk.update("a", OrderStatus.CANCELED, filled=2)
    assert (desk.modify("a", 5), desk.changes) == ("", [])


def test_a_higher_price_counts_before_the_venue_has_confirmed_it() -> None:
    """The order may fill at either price, so exposure takes the higher."""
    desk = working()
    desk.modify("a", limit=120)
    before = desk.risk.book.gross()
    desk.update("a", reason="MODIFY_REJECTED: no")
    assert (before, desk.risk.book.gross()) == (1200, 1000)


def test_a_change_is_judged_at_the_dearer_of_its_prices() -> None:
    """Ten at 110 become fifteen at 90: until that is confirmed all of it may cost 110."""
    desk = Desk(MaxPositionNotional(1600))
    desk.order(BUY, 10, "a", limit=110)
    desk.update("a")
    assert "could reach 1650.00 USD" in desk.modify("a", 15, limit=90)


@pytest.mark.parametrize(("total", "denied"), [(5, False), (12, True)])
def test_while_entries_are_halted_an_entry_may_shrink_but_not_grow(total: int, *, denied: bool) -> None:
    """Making a working order smaller is not an entry."""
    desk = working()
    desk.risk.halt(HaltScope.INSTRUMENT, "AAPL", HaltState.NO_NEW, "test")
    assert desk.modify("a", total).startswith("MODIFY_DENIED: HALTED") is denied


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"order_type": OrderType.TRAILING_STOP}, "a trail belongs to"),
        ({"terms": OrderTerms(trail=Trail(Decimal(1)))}, "a trail belongs to"),
        (
            {"order_type": OrderType.TRAILING_STOP, "terms": OrderTerms(trail=Trail(Decimal(0)))},
            "is not greater than 0",
        ),
        ({"time_in_force": TimeInForce.GTD}, "a moment of expiry belongs to"),
        ({"terms": OrderTerms(expire_ts=2**62)}, "a moment of expiry belongs to"),
        ({"time_in_force": TimeInForce.GTD, "terms": OrderTerms(expire_ts=1)}, "is not after now"),
        ({"terms": OrderTerms(post_only=True)}, "cannot be post-only"),
        (
            {
                "order_type": OrderType.LIMIT,
                "limit_price": Decimal(100),
                "time_in_force": TimeInForce.FOK,
                "terms": OrderTerms(post_only=True),
            },
            "cannot be post-only",
        ),
    ],
)
def test_terms_that_contradict_the_order_are_denied(changes: dict[str, Any], wrong: str) -> None:
    """What no venue could make sense of is told before it is sent."""
    desk = Desk()
    desk.risk.on_order_request(request(**changes))
    denied = desk.denial("a")
    assert (code(denied) in {"WRONG_TERMS", "INVALID_NUMBER"}, desk.orders) == (True, [])
    assert wrong in denied
