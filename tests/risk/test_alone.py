"""The risk manager used by itself, as the specification shows it."""

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.desk import LONG, Desk
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import EventType
from tradingd.errors import MoneyError, UsageError
from tradingd.portfolio.manager import PortfolioManager
from tradingd.risk.limits import MaxPositionNotional, MaxPositionQuantity, NoShort
from tradingd.risk.manager import Decision, RiskManager
from tradingd.risk.sizing import FixedQuantitySizer
from tradingd.testing import make_fill, make_instrument, make_signal


@pytest.fixture
def portfolio() -> PortfolioManager:
    """With 100,000 in cash."""
    return PortfolioManager(initial_cash=100_000)


@pytest.fixture
def risk(portfolio: PortfolioManager) -> RiskManager:
    """With a fixed size of 10 and at most 15 held."""
    return RiskManager(
        portfolio=portfolio, position_sizer=FixedQuantitySizer(10), risk_limits=[MaxPositionQuantity(15)]
    )


def test_a_direction_becomes_an_order(risk: RiskManager) -> None:
    """The details have side, quantity and type, and are true when there is something to order."""
    details = risk.calculate_order_details("AAPL", "LONG", 150.0)
    assert (details.side, details.quantity, details.order_type) == (Side.BUY, 10, OrderType.MARKET)
    assert details


def test_a_signal_event_adds_its_strategys_position_strength_and_limit(
    risk: RiskManager, portfolio: PortfolioManager
) -> None:
    """The strategy is short 4, and wants half a position at a limit."""
    portfolio.on_fill(make_fill(Side.SELL, 4, 150))
    signal = make_signal(LONG, 150.0, strength=0.5, limit=149.0)
    details = risk.calculate_order_details("AAPL", "LONG", 150.0, signal)
    assert (details.quantity, details.limit_price) == (9, 149)


def test_nothing_to_order_is_false_and_says_why(risk: RiskManager) -> None:
    """FLAT from flat is no order."""
    details = risk.calculate_order_details("AAPL", "FLAT", 150.0)
    assert (bool(details), details.reason) == (False, "ALREADY_FLAT: nothing is held")


def test_a_trade_within_the_limits_is_approved(risk: RiskManager) -> None:
    """The decision is true, and asking reserves nothing."""
    decisions = [risk.evaluate_trade("AAPL", "BUY", 10, 150.0) for _ in range(3)]
    assert (decisions, len(risk.book)) == ([Decision(approved=True)] * 3, 0)


def test_a_trade_beyond_a_limit_is_denied_with_its_code(risk: RiskManager, portfolio: PortfolioManager) -> None:
    """The decision is false and tells code and figures."""
    portfolio.on_fill(make_fill(Side.BUY, 10, 150))
    decision = risk.evaluate_trade("AAPL", "BUY", 10, 150.0)
    assert not decision
    assert decision == Decision(False, "MAX_POSITION_QUANTITY", "AAPL could reach 20, the limit is 15")


def test_a_trade_is_valued_at_the_price_that_is_given(portfolio: PortfolioManager) -> None:
    """No market data is needed."""
    risk = RiskManager(
        portfolio=portfolio, position_sizer=FixedQuantitySizer(1), risk_limits=[MaxPositionNotional(1500)]
    )
    assert risk.evaluate_trade("AAPL", "BUY", 10, 150.0)
    assert not risk.evaluate_trade("AAPL", "BUY", 10, 150.01)


@pytest.mark.parametrize(("held", "approved"), [(10, True), (-10, True), (0, False)])
def test_flat_is_the_side_that_closes(held: int, *, approved: bool) -> None:
    """FLAT sells a long, buys back a short, and from flat there is nothing to close."""
    desk = Desk(NoShort())
    if held:
        desk.hold(held)
    assert desk.risk.evaluate_trade("AAPL", "FLAT", 10, 100).approved is approved


@pytest.mark.parametrize(("quantity", "price"), [(0, 150.0), (-10, 150.0), (10, 0.0), (10, -1.0)])
def test_a_trade_of_nothing_or_less_is_denied(risk: RiskManager, quantity: int, price: float) -> None:
    """A negative quantity is not a reducing one."""
    assert risk.evaluate_trade("AAPL", "BUY", quantity, price).code == "INVALID_NUMBER"


@pytest.mark.parametrize(("quantity", "price"), [(1.5, 150.0), (Decimal("NaN"), 150.0), (1, float("nan"))])
def test_float_quantities_and_what_is_no_number_are_refused(
    risk: RiskManager, quantity: Any, price: float
) -> None:
    """Money is text, int or Decimal; a market price may be a float, but a finite one."""
    with pytest.raises(MoneyError):
        risk.evaluate_trade("AAPL", "BUY", quantity, price)


def test_an_unknown_direction_is_refused(risk: RiskManager) -> None:
    """The error names those there are."""
    with pytest.raises(UsageError, match="LONG, SHORT or FLAT"):
        risk.evaluate_trade("AAPL", "SIDEWAYS", 1, 150.0)


def test_a_trade_in_an_unknown_symbol_is_denied() -> None:
    """What is not configured cannot be traded."""
    decision = Desk(instruments=[make_instrument()]).risk.evaluate_trade("GME", "BUY", 1, 100)
    assert decision == Decision(False, "UNKNOWN_INSTRUMENT", "'GME' is not configured")


def test_it_works_without_anybody_listening(risk: RiskManager) -> None:
    """Without `emit` a signal is judged and reserved all the same."""
    risk.on_signal(make_signal(LONG, 150.0))
    assert risk.book.bounds("AAPL") == (0, 10)


def test_it_has_a_handler_for_all_that_it_requires(risk: RiskManager) -> None:
    """Market data is among it: halts are carried out, and time passes, even when no limit watches prices."""
    assert set(risk.handlers()) == set(risk.required_events)
    assert EventType.BAR in risk.required_events
