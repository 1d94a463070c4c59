"""Session statistics and the summary made of them."""

from decimal import Decimal

import msgspec
import pytest

from tradingd.analytics.summary import (
    PositionLine,
    SessionStats,
    Summary,
    build_summary,
    decimal_text,
    percent,
    position_line,
    to_json,
)
from tradingd.domain.enums import HaltScope, HaltState, OrderStatus, OrderType, Side
from tradingd.domain.events import (
    Event,
    Fee,
    Fill,
    HaltChanged,
    OrderUpdate,
    PositionUpdate,
    StrategyFaulted,
    Timer,
)
from tradingd.domain.position import Position

D = Decimal


def update(status: OrderStatus, order_id: str = "o-1", reason: str = "") -> OrderUpdate:
    """Make an order's update."""
    return OrderUpdate(1, "s", "i-1", order_id, "AAPL", Side.BUY, OrderType.MARKET, D(1), D(0), status, reason)


def fill(strategy_id: str, *fees: tuple[str, str]) -> Fill:
    """Make a fill with its fees."""
    taken = tuple(Fee(asset, D(amount)) for asset, amount in fees)
    return Fill(1, "AAPL", Side.BUY, D(1), D(100), taken, strategy_id)


def observed(*events: Event) -> SessionStats:
    """Gather statistics of some events."""
    stats = SessionStats()
    for event in events:
        stats.observe(event)
    return stats


def with_equities(*equities: str) -> SessionStats:
    """Gather statistics of equities, one a nanosecond."""
    stats = SessionStats()
    for ts, equity in enumerate(equities):
        stats.on_equity(ts, D(equity))
    return stats


def summary_of(stats: SessionStats, initial: str = "1000", equity: str = "1000") -> Summary:
    """Make a summary whose other fields do not matter."""
    return build_summary(
        stats,
        run_id="r",
        name="n",
        mode="backtest",
        stop_reason="end of data",
        started_ns=1,
        ended_ns=2,
        wall_s=0.5,
        events=3,
        currency="USD",
        initial_equity=D(initial),
        equity=D(equity),
    )


# -- fills and fees ---------------------------------------------------------------------------------------------


def test_fills_and_fees_add_up_by_asset() -> None:
    """Fees stay in the coin they were taken in, and rebates count against them."""
    stats = observed(fill("a", ("USD", "1.5"), ("BNB", "0.1")), fill("b", ("USD", "-0.5")))
    assert (stats.fills, stats.fees) == (2, {"BNB": D("0.1"), "USD": D("1.0")})


def test_a_strategy_has_its_own_fills_and_fees() -> None:
    """A strategy's line counts what was attributed to it, and nothing of the others."""
    stats = observed(fill("a", ("USD", "1")), fill("a", ("USD", "2")), fill("b", ("USD", "4")))
    line = stats.strategy_line("a", "RUNNING", D(10), D(-3))
    assert (line.fills, line.fees, line.realized_pnl, line.unrealized_pnl) == (2, {"USD": D(3)}, D(10), D(-3))


def test_a_forced_fill_counts_once_and_for_each_strategy_that_held() -> None:
    """The account has one fill with its fee; each strategy has its part of it, as the portfolio booked it."""
    whole = msgspec.structs.replace(fill("external", ("USD", "3")), forced=True)
    parts = [
        msgspec.structs.replace(fill(name, ("USD", fee)), forced=True) for name, fee in (("a", "1"), ("b", "2"))
    ]
    own = fill("a", ("USD", "5"))
    bookings = [PositionUpdate(1, each.strategy_id, "AAPL", D(0), D(0), D(0), each) for each in (own, *parts)]
    stats = observed(own, whole, *bookings)
    assert (stats.fills, stats.fees) == (2, {"USD": D(8)})
    lines = [stats.strategy_line(name, "TRADING", D(0), D(0)) for name in ("a", "b")]
    assert [(line.fills, line.fees) for line in lines] == [(2, {"USD": D(6)}), (1, {"USD": D(2)})]


def test_a_strategy_without_fills_has_a_line() -> None:
    """A strategy that never traded is told with zeros."""
    line = SessionStats().strategy_line("a", "RUNNING", D(0), D(0))
    assert (line.fills, line.fees) == (0, {})


def test_other_events_are_of_no_account() -> None:
    """An event that no figure is made of changes nothing."""
    stats = observed(Timer(1, "s", "t"))
    assert (stats.fills, stats.orders, stats.halts, stats.faults) == (0, {}, (), ())


# -- orders -----------------------------------------------------------------------------------------------------


def test_an_order_counts_once_at_its_terminal_status() -> None:
    """The way there does not count, nor does a terminal status told twice."""
    states = [OrderStatus.SENDING, OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.CANCELED]
    assert observed(*map(update, states)).orders == {"CANCELED": 1}


def test_parts_of_an_order_do_not_count() -> None:
    """Of an order that is worked by several only the whole counts."""
    part = msgspec.structs.replace(update(OrderStatus.CANCELED, "o-2"), parent_id="o-1")
    assert observed(part, update(OrderStatus.FILLED)).orders == {"FILLED": 1}


def test_a_late_fill_moves_the_count() -> None:
    """A cancelled order that turns out to be filled is one filled order."""
    assert observed(update(OrderStatus.CANCELED), update(OrderStatus.FILLED)).orders == {"FILLED": 1}


def test_a_finished_order_that_becomes_unknown_counts_as_unknown() -> None:
    """A fill on an order that was thought refused leaves it open again, until somebody has looked."""
    stats = observed(update(OrderStatus.REJECTED), update(OrderStatus.UNKNOWN))
    assert stats.orders == {"UNKNOWN": 1}


def test_an_order_that_still_works_counts_by_its_last_status() -> None:
    """What is left open at the end is told."""
    stats = observed(
        update(OrderStatus.FILLED), update(OrderStatus.SENDING, "o-2"), update(OrderStatus.OPEN, "o-2")
    )
    assert stats.orders == {"OPEN": 1, "FILLED": 1}


def test_denials_count_by_their_reason_code() -> None:
    """The code is the reason up to its colon; the most frequent comes first."""
    reasons = ["STALE: 3 s", "MAX_POSITION: 5 > 3", "MAX_POSITION: 9 > 3", ""]
    stats = observed(*(update(OrderStatus.DENIED, "", reason) for reason in reasons))
    assert list(stats.denials.items()) == [("MAX_POSITION", 2), ("STALE", 1), ("UNSPECIFIED", 1)]
    assert stats.orders == {"DENIED": 4}


def test_memory_does_not_grow_with_orders() -> None:
    """Only the latest finished orders are remembered one by one."""
    stats = observed(*(update(OrderStatus.FILLED, f"o-{number}") for number in range(5_000)))
    assert (stats.orders, len(stats._finished), len(stats._working)) == ({"FILLED": 5_000}, 4_096, 0)


# -- halts and faults -------------------------------------------------------------------------------------------


def test_a_halt_is_told_with_its_scope_and_reason() -> None:
    """A summary says what was halted, how far and why."""
    stats = observed(HaltChanged(1, HaltScope.STRATEGY, "grid", HaltState.NO_NEW, "daily loss"))
    assert stats.halts == ("strategy grid: NO_NEW (daily loss)",)


def test_a_resume_is_no_halt() -> None:
    """Going back to trading is not counted, and lifts the halt."""
    stats = observed(
        HaltChanged(1, HaltScope.ACCOUNT, "", HaltState.HALTED, "operator"),
        HaltChanged(2, HaltScope.ACCOUNT, "", HaltState.TRADING, "resumed"),
    )
    assert (stats.halts, stats.halted) == (("account: HALTED (operator)",), {})


def test_a_fault_is_told_with_its_error() -> None:
    """A strategy that faulted is named with what it raised."""
    assert observed(StrategyFaulted(1, "grid", "ZeroDivisionError")).faults == ("grid: ZeroDivisionError",)


def test_many_halts_are_told_by_the_latest_and_a_number() -> None:
    """A flapping halt neither fills memory nor hides that there were more."""
    states = [HaltState.NO_NEW, HaltState.TRADING] * 150
    stats = observed(*(HaltChanged(1, HaltScope.ACCOUNT, "", state, "x") for state in states))
    assert (len(stats.halts), stats.halts[0]) == (101, "(50 earlier ones)")


# -- equity -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equities", "expected"),
    [
        (["100"], "0"),
        (["100", "110", "120"], "0"),
        (["100", "80", "120", "90"], "0.25"),
        (["100", "200", "150", "190", "140"], "0.3"),
        (["100", "-50"], "1.5"),
        (["0", "-50"], "0"),
    ],
)
def test_max_drawdown_is_the_deepest_fall_from_a_peak(equities: list[str], expected: str) -> None:
    """It is a fraction of the peak before it, as the docstring's formula has it."""
    assert with_equities(*equities).max_drawdown == D(expected)


def test_equity_has_a_first_and_a_last() -> None:
    """The ends of the curve are kept with their times."""
    stats = with_equities("100", "130", "120")
    assert (stats.first_equity, stats.last_equity, stats.peak) == (D(100), D(120), D(130))
    assert (stats.first_ns, stats.last_ns) == (0, 2)


# -- the summary ------------------------------------------------------------------------------------------------


def test_profit_and_return_come_from_the_two_equities() -> None:
    """P&L is the difference, the return that in percent of the start, rounded to 4 decimals."""
    summary = summary_of(SessionStats(), "3000", "3001")
    assert (summary.pnl, str(summary.return_percent)) == (D(1), "0.0333")


def test_drawdown_is_told_in_percent() -> None:
    """The fraction becomes percent with 4 decimals."""
    assert str(summary_of(with_equities("3", "2")).max_drawdown_percent) == "33.3333"


def test_percent_of_nothing_is_zero() -> None:
    """An account that started empty has no return."""
    assert percent(D(5), D(0)) == 0


def test_a_position_line_is_marked_at_the_price() -> None:
    """The line takes its figures from the position and the market price."""
    position = Position("AAPL")
    position.add_quantity(2, "10")
    expected = PositionLine(
        symbol="AAPL",
        quantity=D(2),
        average_price=D(10),
        price=D("12.5"),
        unrealized_pnl=D(5),
        realized_pnl=D(0),
    )
    assert position_line(position, 12.5) == expected


def test_a_position_without_a_price_has_no_unrealized_profit() -> None:
    """What cannot be valued is not told as zero."""
    line = position_line(Position("AAPL"), None)
    assert (line.price, line.unrealized_pnl) == (None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1E+5", "100000"),
        ("1E-8", "0.00000001"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("0E-18", "0"),
        ("-0.00", "0"),
        ("-2.50", "-2.5"),
    ],
)
def test_decimals_are_told_in_plain_digits(value: str, expected: str) -> None:
    """No exponent, no trailing zeros, no minus zero; nothing is rounded."""
    assert decimal_text(D(value)) == expected


def test_json_has_decimals_as_plain_text() -> None:
    """A reader of the JSON gets the exact digits, whatever exponent the Decimal had."""
    data = msgspec.json.decode(to_json(summary_of(observed(fill("a", ("BNB", "1E-9"))), "1E+3", "0E-18")))
    assert (data["initial_equity"], data["equity"], data["fees"]) == ("1000", "0", {"BNB": "0.000000001"})


def test_json_can_be_read_back() -> None:
    """The JSON decodes into an equal summary."""
    summary = summary_of(observed(fill("a", ("BNB", "0.10")), update(OrderStatus.FILLED)), "1000.50", "999")
    assert msgspec.json.decode(to_json(summary), type=Summary) == summary
