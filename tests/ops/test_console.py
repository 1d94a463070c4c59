"""The live panel and the summary, rendered to a recorded console."""

import asyncio
import io
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from tradingd.analytics.summary import PositionLine, SessionStats, StrategyLine, Summary, build_summary
from tradingd.errors import ComponentError
from tradingd.ops.console import (
    LiveConsole,
    OrderLine,
    Snapshot,
    format_money,
    render_snapshot,
    render_summary,
)

D = Decimal
PATIENCE_S = 20.0

POSITION = PositionLine(
    symbol="BTC/USDT",
    quantity=D("0.50"),
    average_price=D("42123.123456789012345678"),
    price=D("43000.5"),
    unrealized_pnl=D("438.69"),
    realized_pnl=D("-12.5"),
)
ORDER = OrderLine(
    symbol="BTC/USDT",
    side="BUY",
    order_type="LIMIT",
    quantity=D(1),
    filled=D("0.25"),
    price=D(42000),
    status="OPEN",
)
STRATEGY = StrategyLine(
    strategy_id="grid", state="RUNNING", fills=7, realized_pnl=D(5), fees={"BNB": D("0.00012")}
)
SNAPSHOT = Snapshot(
    mode="paper",
    name="demo",
    state="TRADING",
    clock_ns=1_709_294_400_000_000_000,
    progress=0.452,
    events_done=45_231,
    events_total=100_000,
    currency="USDT",
    equity=D("101234.5678"),
    pnl=D("1234.5678"),
    return_percent=D("1.2346"),
    drawdown_percent=D("2.1"),
    positions=(POSITION,),
    open_orders=(ORDER,),
    recent=tuple(f"event {number}" for number in range(50)),
    strategies=(STRATEGY,),
)


def panel(width: int = 80, height: int = 24, *, styles: bool = False, **changes: Any) -> str:
    """Render the live panel as text."""
    console = Console(
        record=True, width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    console.print(render_snapshot(replace(SNAPSHOT, **changes), width, height))
    return console.export_text(styles=styles)


def summary(**changes: Any) -> Summary:
    """Make a summary."""
    made = build_summary(
        SessionStats(),
        run_id="run-1",
        name="demo",
        mode="backtest",
        stop_reason="end of data",
        started_ns=1_700_000_000_000_000_000,
        ended_ns=1_709_294_400_000_000_000,
        wall_s=2.0,
        events=100_000,
        currency="USD",
        initial_equity=D(100_000),
        equity=D("98765.4321"),
        positions=[POSITION],
        strategies=[STRATEGY],
    )
    return replace(made, **changes)


def printed(made: Summary, width: int = 80, *, styles: bool = False) -> str:
    """Print a summary as text."""
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="standard", height=50
    )
    render_summary(made, console)
    return console.export_text(styles=styles)


# -- money ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        ("1234567.891", "USD", "1,234,567.89 USD"),
        ("-1234.5", "USDT", "-1,234.50 USDT"),
        ("0", "USD", "0.00 USD"),
        ("-0.000", "USD", "0.00 USD"),
        ("1E+6", "EUR", "1,000,000.00 EUR"),
        ("0.00123456", "USD", "0.001235 USD"),
        ("1.23456789", "BTC", "1.23456789 BTC"),
        ("2", "BTC", "2.00 BTC"),
        ("0.00012", "BNB", "0.00012 BNB"),
        ("0.0000000012345678", "BTC", "0.000000001235 BTC"),
        ("-0.25", "", "-0.25"),
        ("0.0123456", "", "0.01235"),
    ],
)
def test_money_is_formatted_for_reading(value: str, currency: str, expected: str) -> None:
    """Cash has two decimals, coins as many as matter, and nothing small is shown as nothing."""
    assert format_money(D(value), currency) == expected


# -- the live panel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (60, 12)])
def test_the_panel_fills_the_terminal_exactly(width: int, height: int) -> None:
    """Neither a line nor a column too many, at any size and however much there is to show."""
    lines = panel(width, height, positions=(POSITION,) * 30, open_orders=(ORDER,) * 30).splitlines()
    assert (len(lines), {len(line) for line in lines}) == (height, {width})


@pytest.mark.parametrize(
    ("mode", "badge", "colour"),
    [
        ("live", "LIVE - REAL MONEY", "41m"),
        ("paper", "PAPER - simulated money", "46m"),
        ("backtest", "BACKTEST", "43m"),
    ],
)
def test_the_mode_is_unmistakable(mode: str, badge: str, colour: str) -> None:
    """The title says it in words, on a colour of its own."""
    first = panel(mode=mode, styles=True).splitlines()[0]
    assert f"{colour} {badge} " in first


def test_the_panel_tells_state_time_and_money() -> None:
    """The head has what an operator looks for first."""
    text = panel()
    assert "TRADING   2024-03-01 12:00:00 UTC   grid RUNNING" in text
    assert "Equity 101,234.57 USDT   P&L +1,234.57 USDT (+1.23%)   Drawdown 2.10%" in text


def test_the_replay_has_a_progress_bar() -> None:
    """Share and count of the events done are shown beside the bar."""
    assert "45.2%  45,231 / 100,000 events" in panel()


def test_a_live_feed_has_no_progress_bar() -> None:
    """Nobody knows how many events there will be."""
    text = panel(progress=None, events_total=None)
    assert "45,231 events" in text
    assert "%  45,231" not in text


def test_a_halt_is_shown_in_the_head() -> None:
    """The latest halt has a line of its own."""
    assert "HALT account: HALTED (daily loss)" in panel(halts=("older", "account: HALTED (daily loss)"))


def test_positions_and_orders_have_a_line_each() -> None:
    """The figures are rounded for reading, and whole."""
    rows = [" ".join(line.strip("┃").split()) for line in panel().splitlines()]
    assert "BTC/USDT 0.5 42,123.123 43,000.50 +438.69 -12.50" in rows
    assert "BTC/USDT BUY LIMIT 1 0.25 42,000.00 OPEN" in rows


def test_where_it_gets_narrow_the_names_give_way_not_the_figures() -> None:
    """A figure is never cut: half a number is a wrong number."""
    long = replace(
        POSITION, symbol="A-VERY-LONG-SYMBOL-THAT-DOES-NOT-FIT/USDT:USDT", realized_pnl=D("1234567.891")
    )
    text = panel(positions=(long,))
    assert "A-VERY-" in text
    assert "+1,234,567.89" in text
    assert "FIT/USDT" not in text


def test_what_does_not_fit_is_counted() -> None:
    """A table that is cut says how many lines are missing."""
    assert "Working orders (24 more not shown)" in panel(open_orders=(ORDER,) * 30)


def test_the_latest_events_are_shown_last() -> None:
    """The event list ends with the newest."""
    assert panel().splitlines()[-2].strip("┃ ") == "event 49"


def test_an_empty_session_says_so() -> None:
    """Nothing held and nothing working is told as none."""
    assert panel(positions=(), open_orders=(), recent=()).count("none") == 2


def test_a_faulted_strategy_is_named_first() -> None:
    """Of many strategies the one in trouble is the one that stays visible."""
    strategies = (STRATEGY, replace(STRATEGY, strategy_id="ma", state="FAULTED"))
    assert "ma FAULTED, grid RUNNING" in panel(strategies=strategies)


def test_a_tall_terminal_has_a_table_of_strategies() -> None:
    """Where there is room, every strategy has its figures."""
    assert "0.00012 BNB" in panel(120, 40)


def test_no_text_can_steer_the_terminal() -> None:
    """Escape sequences and markup in somebody's text are shown as they are."""
    text = panel(recent=("\x1b[2J[red]gone\nsecond",), styles=False)
    assert "\x1b" not in text
    assert "[2J[red]gone second" in text


# -- the live console -------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A terminal that keeps what was written to it, and can go away."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False

    def write(self, text: str) -> int:
        """Keep the text."""
        if self.gone:
            raise OSError(5, "Input/output error")
        return super().write(text)

    def console(self) -> Console:
        """Make a console of 80 x 24 on this terminal."""
        return Console(file=self, force_terminal=True, width=80, height=24, color_system="standard")


def test_close_restores_the_terminal() -> None:
    """The alternate screen is left, and the cursor is back."""
    terminal = Terminal()
    live = LiveConsole(lambda: SNAPSHOT, terminal.console())
    live.refresh()
    assert live.close(PATIENCE_S)
    text = terminal.getvalue()
    assert 0 <= text.index("\x1b[?1049h") < text.index("PAPER") < text.index("\x1b[?1049l")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_close_paints_the_last_state_first() -> None:
    """What was refreshed last is what the operator saw last."""
    terminal = Terminal()
    states = iter(["STARTING", "TRADING", "STOPPING"])
    live = LiveConsole(lambda: replace(SNAPSHOT, state=next(states)), terminal.console())
    for _ in range(3):
        live.refresh()
    live.close(PATIENCE_S)
    assert "STOPPING" in terminal.getvalue()


def test_close_may_come_first_and_twice() -> None:
    """A console that never painted leaves the terminal alone."""
    terminal = Terminal()
    live = LiveConsole(lambda: SNAPSHOT, terminal.console())
    assert live.close(PATIENCE_S)
    assert live.close(PATIENCE_S)
    live.refresh()
    assert terminal.getvalue() == ""


async def test_run_refreshes_at_its_rate_until_cancelled() -> None:
    """Between two refreshes it sleeps an eighth of a second; cancelled, it restores the terminal."""
    terminal = Terminal()
    slept: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            enough.set()
            await asyncio.Event().wait()

    live = LiveConsole(lambda: SNAPSHOT, terminal.console(), sleep=sleep)
    task = asyncio.create_task(live.run())
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert live.close(PATIENCE_S)
    assert slept == [0.125] * 3
    assert "\x1b[?1049l" in terminal.getvalue()


def test_a_terminal_that_is_gone_is_a_failure_of_the_console() -> None:
    """The error surfaces at the next refresh, for the supervisor to tell; nothing is swallowed."""
    terminal = Terminal()
    terminal.gone = True
    live = LiveConsole(lambda: SNAPSHOT, terminal.console())
    live.refresh()
    assert not live.close(PATIENCE_S)
    with pytest.raises(ComponentError, match=r"the live console failed: .*Input/output error"):
        live.refresh()


# -- the summary ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_fits_its_width(width: int) -> None:
    """No line is wider than the terminal."""
    assert max(map(len, printed(summary(), width).splitlines())) <= width


def test_the_summary_tells_the_key_figures() -> None:
    """Period, pace, equity, profit and why it ended are all there."""
    text = printed(summary())
    for expected in (
        "BACKTEST  demo",
        "run-1",
        "end of data",
        "2023-11-14 22:13:20 UTC to 2024-03-01 12:00:00 UTC",
        "100,000 in 2.00 s, 50,000/s",
        "100,000.00 USD",
        "-1,234.57 USD (-1.23%)",
    ):
        assert expected in text


@pytest.mark.parametrize(("pnl", "colour"), [("5", "\x1b[32m+5.00 USD"), ("-5", "\x1b[31m-5.00 USD")])
def test_profit_is_green_and_loss_is_red(pnl: str, colour: str) -> None:
    """The sign is told by colour, too."""
    assert colour in printed(summary(pnl=D(pnl)), styles=True)


def test_the_summary_tells_orders_denials_and_fees() -> None:
    """Orders by state, denials by reason and fees by coin have a line each."""
    text = printed(
        summary(
            orders={"FILLED": 1_234, "DENIED": 2},
            denials={"STALE": 2},
            fees={"BNB": D("0.00012"), "USD": D("3.5")},
        )
    )
    assert "FILLED 1,234  DENIED 2" in text
    assert "STALE 2" in text
    assert "0.00012 BNB  3.50 USD" in text


def test_the_summary_tells_positions_and_strategies() -> None:
    """Every position and every strategy has a line."""
    rows = [" ".join(line.split()) for line in printed(summary()).splitlines()]
    assert "BTC/USDT 0.5 42,123.123 43,000.50 +438.69 -12.50" in rows
    assert "grid RUNNING 7 0.00 +5.00 0.00012 BNB" in rows


def test_the_summary_tells_halts_and_faults() -> None:
    """What went wrong is in words at the end."""
    text = printed(summary(halts=("account: NO_NEW (daily loss)",), faults=("grid: ZeroDivisionError",)))
    assert "account: NO_NEW (daily loss)" in text
    assert "grid: ZeroDivisionError" in text


def test_a_quiet_session_has_no_empty_tables() -> None:
    """Without positions, strategies, halts or faults there is the panel alone."""
    assert printed(summary(positions=(), strategies=())).splitlines()[-1].startswith("┗")
