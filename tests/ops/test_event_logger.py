"""Domain events as log lines."""

import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tradingd.domain.enums import Direction, HaltScope, HaltState, OrderStatus, OrderType, Side
from tradingd.domain.events import Bar, Event, Fee, Fill, HaltChanged, OrderUpdate, Signal, StrategyFaulted
from tradingd.ops.event_logger import EventLogger
from tradingd.ops.logging import configure_logging

D = Decimal
NOON = 1_704_110_400_123_456_789
SIGNAL = Signal(NOON, "s", "i-7", "BTC/USDT", Direction.LONG, 42000.5)
FILL = Fill(
    NOON,
    "BTC/USDT",
    Side.BUY,
    D("0.50"),
    D("4.2E+4"),
    (Fee("BNB", D("1E-7")), Fee("USDT", D(1))),
    "s",
    "i-7",
    "o-1",
    "t-1",
)


def update(status: OrderStatus, reason: str = "") -> OrderUpdate:
    """Make an order's update."""
    return OrderUpdate(
        NOON,
        "s",
        "i-7",
        "o-1",
        "BTC/USDT",
        Side.BUY,
        OrderType.LIMIT,
        D("1E+1"),
        D(0),
        status,
        reason,
        D("42000.10"),
    )


@pytest.fixture
def logged() -> Callable[..., list[dict[str, Any]]]:
    """Log events at a level and return the lines."""

    def log(*events: Event, level: str = "debug") -> list[dict[str, Any]]:
        stream = io.StringIO()
        handle = configure_logging(level, "json", stream, "run-1")
        try:
            observer = EventLogger(handle.logger)
            for event in events:
                observer.observe(event)
        finally:
            handle.close(20.0)
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return log


Logged = Callable[..., list[dict[str, Any]]]


def told(line: dict[str, Any]) -> dict[str, Any]:
    """A line without what every line has."""
    return {key: value for key, value in line.items() if key not in {"timestamp", "run_id"}}


def test_an_order_update_tells_all_of_the_order(logged: Logged) -> None:
    """Status, side, quantity and prices in plain digits, under one event name."""
    (line,) = logged(update(OrderStatus.OPEN))
    assert told(line) == {
        "level": "info",
        "event": "order_update",
        "at": "2024-01-01T12:00:00.123456Z",
        "intent_id": "i-7",
        "strategy_id": "s",
        "symbol": "BTC/USDT",
        "order_id": "o-1",
        "status": "OPEN",
        "side": "BUY",
        "order_type": "LIMIT",
        "quantity": "10",
        "limit_price": "42000.1",
        "filled": "0",
    }


def test_a_denial_tells_its_reason(logged: Logged) -> None:
    """The reason code and its words are on the line."""
    (line,) = logged(update(OrderStatus.DENIED, "MAX_POSITION: 5 > 3"))
    assert (line["status"], line["reason"]) == ("DENIED", "MAX_POSITION: 5 > 3")


@pytest.mark.parametrize("status", [OrderStatus.UNKNOWN, OrderStatus.REJECTED])
def test_a_worrying_order_is_a_warning(logged: Logged, status: OrderStatus) -> None:
    """An unknown outcome and a refusal by the venue are for somebody to look at."""
    assert logged(update(status), level="warning")[0]["level"] == "warning"


def test_a_fill_tells_price_quantity_and_fees(logged: Logged) -> None:
    """Fees are told in their own coins, without exponents."""
    (line,) = logged(FILL)
    assert (line["event"], line["price"], line["quantity"]) == ("fill", "42000", "0.5")
    assert line["fees"] == ["0.0000001 BNB", "1 USDT"]


def test_an_intent_can_be_traced_from_signal_to_fill(logged: Logged) -> None:
    """One id leads through the lines of one wish."""
    lines = logged(SIGNAL, update(OrderStatus.OPEN), FILL, update(OrderStatus.FILLED))
    assert [line["event"] for line in lines if line["intent_id"] == "i-7"] == [
        "signal",
        "order_update",
        "fill",
        "order_update",
    ]


def test_signals_are_told_at_debug_only(logged: Logged) -> None:
    """At info a signal costs nothing and says nothing."""
    assert (logged(SIGNAL, level="info"), logged(SIGNAL)[0]["level"]) == ([], "debug")


def test_a_halt_is_a_warning(logged: Logged) -> None:
    """A halt tells its scope, how far it goes, and why."""
    (line,) = logged(HaltChanged(NOON, HaltScope.ACCOUNT, "", HaltState.NO_NEW, "daily loss"))
    assert (line["event"], line["level"]) == ("halt", "warning")
    assert (line["scope"], line["state"], line["reason"]) == ("account", "NO_NEW", "daily loss")


def test_a_resume_is_told_by_its_own_name(logged: Logged) -> None:
    """Going back to trading is no halt."""
    (line,) = logged(HaltChanged(NOON, HaltScope.ACCOUNT, "", HaltState.TRADING, "operator"))
    assert (line["event"], line["level"]) == ("resume", "info")


def test_a_faulted_strategy_is_an_error(logged: Logged) -> None:
    """The strategy is named with what it raised."""
    (line,) = logged(StrategyFaulted(NOON, "grid", "ZeroDivisionError"))
    assert (line["event"], line["level"], line["strategy_id"]) == ("strategy_faulted", "error", "grid")


def test_market_data_is_not_logged(logged: Logged) -> None:
    """Bars and ticks are data, not happenings."""
    assert logged(Bar(NOON, "BTC/USDT", 1.0, 1.0, 1.0, 1.0, 1.0, NOON)) == []
