"""A strategy that misbehaves gets a clear answer, stops alone, and leaves the books right."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.runtime.parts import loaded
from tradingd.analytics.summary import Summary
from tradingd.runtime.backtest import BacktestSession
from tradingd.runtime.daemon import DaemonSession

CONFIG = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
start = 2006-01-03
end = 2007-03-01
[[strategies]]
name = "tests.runtime.misbehaving:{name}"
id = "bad"
params = {{ symbol = "AAPL" }}
[[strategies]]
name = "ma_crossover"
id = "good"
params = {{ symbol = "MSFT" }}
[risk.limits]
max_orders_per_minute = 5
"""

Run = Callable[[Path, str], tuple[Any, Summary]]


def backtest(folder: Path, name: str) -> tuple[Any, Summary]:
    """Run it in a backtest."""
    session = BacktestSession(*loaded([write(folder, name)], "backtest"), name="t", run_id="r")
    return session, session.run()


async def paper(folder: Path, name: str) -> tuple[DaemonSession, Summary]:
    """Run it in the daemon."""
    log = structlog.testing.CapturingLogger()
    parts = loaded([write(folder, name)], "paper")
    # A flood is to be told as a flood, however slow the machine is.
    patience = 0.1 if name in {"Spins", "Swallows", "EmitsForEver"} else 30.0
    session = DaemonSession(*parts, name="t", run_id="r", log=log, handler_timeout_s=patience)
    return session, await session.run()


def write(folder: Path, name: str) -> Path:
    """The configuration with one misbehaving and one good strategy."""
    path = folder / "c.toml"
    path.write_text(CONFIG.format(name=name))
    return path


def states(summary: Summary) -> dict[str, str]:
    """The strategies' states."""
    return {line.strategy_id: line.state for line in summary.strategies}


def assert_books_are_right(session: Any) -> None:
    """The ledger balances, and the simulated exchange's books say the same."""
    portfolio = session.portfolio
    portfolio.ledger.verify()
    account = session.manager.components["broker"].account
    assert dict(portfolio.ledger.balances()) == account.balances
    held = {symbol: position.quantity for symbol, position in account.positions.items() if position.quantity}
    assert {symbol: position.quantity for symbol, position in portfolio.positions.items()} == held


FAULTS = {
    "Raises": "RuntimeError: boom (misbehaving.py:",
    "Exits": "SystemExit: 3 (misbehaving.py:",
    "OrdersNaN": "MoneyError: nan is not a finite market price (misbehaving.py:",
    "FloatQuantity": "MoneyError: 0.1 is a float; money takes text, int or Decimal",
    "FloodsSignals": "QueueOverflowError: strategy.bad emits without end: 10001 events in answer to one",
}
DENIALS = {"SignalsNaN": "INVALID_NUMBER", "FloodsOrders": "ORDER_RATE", "Unknown": "UNKNOWN_INSTRUMENT"}


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_it_is_faulted_alone(name: str, tmp_path: Path) -> None:
    """It is stopped, told what and where, and the other strategy trades on; in both drivers alike."""
    for session, summary in (backtest(tmp_path, name), await paper(tmp_path, name)):
        assert states(summary) == {"bad": "FAULTED", "good": "RUNNING"}
        assert FAULTS[name] in summary.faults[0]
        assert next(line.fills for line in summary.strategies if line.strategy_id == "good") > 3
        assert any("strategy bad: REDUCE_ONLY" in halt for halt in summary.halts)
        assert_books_are_right(session)


@pytest.mark.parametrize("name", sorted(DENIALS))
async def test_what_it_asks_for_is_denied_with_a_reason(name: str, tmp_path: Path) -> None:
    """Nonsense is denied under a reason code and the strategy runs on; in both drivers alike."""
    for session, summary in (backtest(tmp_path, name), await paper(tmp_path, name)):
        assert states(summary) == {"bad": "RUNNING", "good": "RUNNING"}
        assert summary.denials[DENIALS[name]] > 0
        assert_books_are_right(session)


def test_a_flood_of_orders_is_held_to_the_rate(tmp_path: Path) -> None:
    """Of a thousand orders at one bar only as many pass as the rate allows."""
    _, summary = backtest(tmp_path, "FloodsOrders")
    bad = next(line for line in summary.strategies if line.strategy_id == "bad")
    assert (bad.fills, summary.denials) == (1 + 5, {"ORDER_RATE": 995})


async def test_a_strategy_that_blocks_the_loop_is_interrupted(tmp_path: Path) -> None:
    """An endless loop in a handler is broken, told with its stack, and faults that strategy alone."""
    session, summary = await paper(tmp_path, "Spins")
    assert states(summary) == {"bad": "FAULTED", "good": "RUNNING"}
    assert "strategy.bad blocked the event loop for over 0.1 s (misbehaving.py:" in summary.faults[0]
    blocked = next(call for call in session._log.calls if call.args == ("handler_blocked",))
    assert blocked.kwargs["component"] == "strategy.bad"
    assert "while True" in blocked.kwargs["stack"] or "pass" in blocked.kwargs["stack"]
    assert_books_are_right(session)


async def test_an_interrupt_cannot_be_swallowed(tmp_path: Path) -> None:
    """A loop that catches every Exception is broken all the same."""
    _, summary = await paper(tmp_path, "Swallows")
    assert states(summary) == {"bad": "FAULTED", "good": "RUNNING"}


async def test_an_interrupt_never_strikes_inside_the_manager(tmp_path: Path) -> None:
    """A strategy that is interrupted while it emits leaves queues and counts whole: the run goes on to its end."""
    config = write(tmp_path, "EmitsForEver")
    log = structlog.testing.CapturingLogger()
    parts = loaded([config], "paper", ["runtime.queue_capacity=10000000"])
    session = DaemonSession(*parts, name="t", run_id="r", log=log, handler_timeout_s=0.05)
    summary = await session.run()
    assert states(summary)["bad"] == "FAULTED"
    assert summary.stop_reason == "end of data"


def test_a_faulted_strategy_leaves_no_working_entry(tmp_path: Path) -> None:
    """An entry that was working when its strategy faulted is canceled, and never fills."""
    session, summary = backtest(tmp_path, "RestsThenRaises")
    bad = next(line for line in summary.strategies if line.strategy_id == "bad")
    assert (bad.state, bad.fills) == ("FAULTED", 1)
    assert summary.orders["CANCELED"] == 1
    assert not session.execution.orders


def test_a_strategy_that_orders_again_at_every_denial_is_faulted(tmp_path: Path) -> None:
    """Asking again in on_order would go on for ever at one bar; the strategy is stopped, the others trade on."""
    _, summary = backtest(tmp_path, "Insists")
    assert states(summary) == {"bad": "FAULTED", "good": "RUNNING"}
    assert "emits without end" in summary.faults[0]


def test_a_strategy_cannot_go_round_risk(tmp_path: Path) -> None:
    """A strategy that forges an approval is faulted; nothing reaches execution."""
    _, summary = backtest(tmp_path, "Forges")
    assert "may emit only its own signals" in summary.faults[0]
    assert next(line.fills for line in summary.strategies if line.strategy_id == "bad") == 1


async def test_a_faulted_strategy_keeps_its_position(tmp_path: Path) -> None:
    """What a faulted strategy holds stays held and is marked on."""
    session, summary = await paper(tmp_path, "Raises")
    assert "AAPL" in {line.symbol for line in summary.positions}
    assert session.portfolio.get_strategy_position("bad", "AAPL").quantity > 0
    assert summary.equity != Decimal(100_000)
