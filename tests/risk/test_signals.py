"""Signals: from a wish for a position to one order."""

from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest

from tests.risk.desk import BUY, FLAT, LONG, SELL, SHORT, Desk, code
from tradingd.domain.enums import Direction, OrderType
from tradingd.risk.limits import InstrumentFilters, MaxPositionQuantity, ReduceOnly
from tradingd.testing import make_instrument


def holding(quantity: int | str, *limits: Any, **options: Any) -> Desk:
    """Strategy `s` holds `quantity`."""
    desk = Desk(*limits, **options)
    desk.hold(quantity)
    return desk


# --- where a signal leads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "direction", "order"),
    [
        (0, LONG, (BUY, 10)),
        (0, SHORT, (SELL, 10)),
        (7, SHORT, (SELL, 17)),
        (-7, LONG, (BUY, 17)),
        (7, FLAT, (SELL, 7)),
        (-7, FLAT, (BUY, 7)),
    ],
)
def test_one_order_takes_the_position_where_the_signal_wants_it(
    held: int, direction: Direction, order: tuple[object, int]
) -> None:
    """From flat the sizer decides, an exit closes what is held, a reversal does both in one order."""
    desk = holding(held) if held else Desk()
    desk.signal(direction)
    assert desk.last == order


@pytest.mark.parametrize(
    ("held", "direction", "reason"),
    [
        (7, LONG, "ALREADY_HELD: 7 AAPL"),
        (-7, SHORT, "ALREADY_HELD: -7 AAPL"),
        (0, FLAT, "ALREADY_FLAT: there is nothing to close"),
    ],
)
def test_a_signal_for_what_is_held_already_asks_for_nothing(held: int, direction: Direction, reason: str) -> None:
    """A position does not grow by repeating its signal."""
    desk = holding(held) if held else Desk()
    assert (desk.signal(direction), desk.orders) == (reason, [])


def test_a_signal_for_what_is_on_its_way_asks_for_nothing() -> None:
    """A repeated entry does not double the working one."""
    desk = Desk()
    desk.signal(LONG)
    assert desk.signal(LONG) == "ON_ITS_WAY: a BUY order is working"


def test_a_reversal_on_its_way_is_not_asked_for_again() -> None:
    """While the order that crosses zero works, the same signal neither cancels nor repeats it."""
    desk = holding(7)
    desk.signal(SHORT)
    assert (code(desk.signal(SHORT)), desk.cancels) == ("ON_ITS_WAY", [])


def test_an_exit_on_its_way_is_not_asked_for_again() -> None:
    """While the exit works, a second FLAT leaves it alone."""
    desk = holding(7)
    desk.signal(FLAT)
    assert (code(desk.signal(FLAT)), desk.cancels) == ("ON_ITS_WAY", [])


@pytest.mark.parametrize(("held", "reason"), [(0, "SHORT_NOT_ALLOWED: short selling is off"), (7, "")])
def test_without_short_selling_a_short_signal_only_closes(held: int, reason: str) -> None:
    """SHORT closes a long, and opens nothing."""
    desk = holding(held, allow_short=False) if held else Desk(allow_short=False)
    assert desk.signal(SHORT) == reason
    assert [order.quantity for order in desk.orders] == ([7] if held else [])


def test_strategies_hold_positions_of_their_own() -> None:
    """What another strategy holds in the same symbol is not this one's to close."""
    desk = Desk()
    desk.hold(7, strategy="other")
    assert code(desk.signal(FLAT)) == "ALREADY_FLAT"


def test_an_exit_that_can_only_reduce_says_so() -> None:
    """The account holds at least what is sold, whichever orders fill."""
    desk = holding(7)
    desk.signal(FLAT)
    assert desk.orders[0].reduce_only


def test_an_exit_that_could_open_a_position_of_the_account_does_not_call_itself_reduce_only() -> None:
    """Long in one strategy and short in another, the account is flat: closing one leg opens a position."""
    desk = holding(7)
    desk.hold(-7, strategy="other")
    desk.signal(FLAT)
    assert not desk.orders[0].reduce_only


def test_where_strategies_share_a_symbol_ones_exit_does_not_hold_back_the_others_reversal() -> None:
    """A reduce-only exit would reserve the account's position for itself, so the exit is a plain order."""
    desk = holding(10, ReduceOnly())
    desk.hold(10, strategy="other")
    desk.signal(FLAT)
    assert (desk.orders[0].reduce_only, desk.signal(SHORT, strategy_id="other")) == (False, "")


def test_a_reversal_is_not_reduce_only() -> None:
    """It opens the other side."""
    desk = holding(7)
    desk.signal(SHORT)
    assert not desk.orders[0].reduce_only


def test_a_limit_makes_a_limit_order_on_the_tick() -> None:
    """A buy limit is rounded down: never more than was asked for."""
    desk = Desk(instruments=[make_instrument(tick=Decimal("0.5"))])
    desk.signal(LONG, limit=99.9)
    order = desk.orders[0]
    assert (order.order_type, order.limit_price) == (OrderType.LIMIT, Decimal("99.5"))


def test_a_denied_signal_is_told_with_the_limits_reason() -> None:
    """The strategy learns the code and the figures under its own intent."""
    reason = Desk(MaxPositionQuantity(5)).signal(LONG)
    assert reason == "MAX_POSITION_QUANTITY: AAPL could reach 10, the limit is 5"


# --- what is no signal -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [nan, inf, -inf, 0.0, -1.0, "many"])
@pytest.mark.parametrize("name", ["price", "limit", "stop", "target"])
def test_a_price_that_is_none_is_denied(name: str, number: Any) -> None:
    """NaN, infinities, zero, negatives and what is no number stop at the gate, which goes on."""
    desk = Desk()
    fields = {"price": 100.0, name: number}
    reason = desk.signal(LONG, **fields)
    assert (reason, desk.signal(LONG)) == (f"INVALID_NUMBER: the signal's {name} is {number}", "")


def test_a_signal_needs_a_price() -> None:
    """A signal whose price is missing is denied, not fatal."""
    assert Desk().signal(LONG, None) == "INVALID_NUMBER: the signal's price is None"  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [nan, inf, -0.5])
def test_a_strength_that_is_none_is_denied(number: float) -> None:
    """A strength is a finite number, 0 or more."""
    assert Desk().signal(LONG, strength=number) == f"INVALID_NUMBER: the signal's strength is {number}"


@pytest.mark.parametrize("price", [Decimal(100), 100])
def test_an_exact_price_is_a_price(price: Any) -> None:
    """A strategy that computes in Decimal is not refused for it."""
    assert Desk().signal(LONG, price, limit=price) == ""


def test_an_unknown_symbol_is_denied() -> None:
    """What is not configured cannot be traded."""
    desk = Desk(instruments=[make_instrument()])
    assert desk.signal(LONG, symbol="GME") == "UNKNOWN_INSTRUMENT: 'GME' is not configured"


def test_a_signal_whose_intent_has_an_order_is_denied() -> None:
    """One intent, one order."""
    desk = Desk()
    desk.order(BUY, 1, "mine")
    assert code(desk.signal(SHORT, intent_id="mine")) == "DUPLICATE_INTENT"


@pytest.mark.parametrize(("text", "order"), [("LONG", (BUY, 10)), ("short", (SELL, 10)), ("BUY", (BUY, 10))])
def test_a_direction_told_as_text_is_that_direction(text: Any, order: tuple[object, int]) -> None:
    """A strategy that writes "LONG" buys."""
    desk = Desk()
    desk.signal(text)
    assert desk.last == order


def test_what_is_no_direction_is_denied() -> None:
    """The reason names those there are."""
    assert "use LONG, SHORT or FLAT" in Desk().signal("SIDEWAYS")  # type: ignore[arg-type]


# --- dust and what cannot be closed ------------------------------------------------------------------------------


@pytest.mark.parametrize("dust", ["0.4", "-0.4"])
def test_less_than_a_lot_is_not_a_position(dust: str) -> None:
    """Dust is neither held, nor to be closed, nor in the way of an entry."""
    desk = holding(dust, instruments=[make_instrument()])
    assert code(desk.signal(FLAT)) == "ALREADY_FLAT"
    assert (desk.signal(LONG), desk.last) == ("", (BUY, 10))


def test_an_exit_leaves_dust() -> None:
    """Whole lots are sold, the rest cannot be."""
    desk = holding("7.4", instruments=[make_instrument()])
    desk.signal(FLAT)
    assert desk.last == (SELL, 7)


def test_a_position_below_the_venues_minimum_cannot_be_closed_and_the_reason_says_so() -> None:
    """The denial names the filter; nothing is tried again until somebody asks."""
    desk = holding(2, InstrumentFilters(), instruments=[make_instrument(min_notional=Decimal(300))])
    assert desk.signal(FLAT) == "MIN_NOTIONAL: AAPL: 200.0 is below the minimum 300 USD"
    assert desk.orders == []


def test_an_exit_above_the_venues_greatest_order_closes_as_much_as_one_order_may() -> None:
    """Part of a position closed is better than a refusal."""
    desk = holding(70, InstrumentFilters(), instruments=[make_instrument(max_quantity=Decimal(50))])
    desk.signal(FLAT)
    assert desk.last == (SELL, 50)
