"""A liquidation through the whole machine: exchange, ledger, positions and risk agree after it."""

from pathlib import Path

import pytest

from tests.runtime.parts import RECORDED, drive, loaded
from tests.runtime.test_whole_machine import Auditor
from tradingd.domain.enums import HaltState, OrderStatus
from tradingd.domain.events import Event, EventType, Fill, HaltChanged, MarginCall, OrderUpdate, PositionUpdate
from tradingd.testing import EventLog

CONFIG = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
start = 2008-01-02
end = 2009-06-30
[portfolio]
initial_cash = 8000
[broker]
account = "margin"
leverage = 5
maintenance_margin_percent = 18
margin_call_percent = 105
liquidation_fee_percent = 0.7
maker_fee_percent = -0.01
slippage_bps = 3
[risk]
allow_short = true
[risk.sizer]
kind = "percent_of_equity"
percent = 150
[risk.limits]
max_position_quantity = 6000
"""
WATCHED = (*RECORDED, EventType.MARGIN_CALL, EventType.HALT, EventType.POSITION, EventType.BROKER_REPORT)


def write(folder: Path, seed: int) -> Path:
    """Three chaotic strategies on overlapping symbols."""
    path = folder / "c.toml"
    strategies = "".join(
        f'[[strategies]]\nname = "tests.runtime.chaotic:Chaotic"\nid = "c{i}"\n'
        f"params = {{ symbols = {symbols}, seed = {seed * 10 + i} }}\n"
        for i, symbols in enumerate(('["AAPL", "IBM"]', '["AAPL", "GOOG"]', '["MSFT", "AAPL"]'))
    )
    path.write_text(CONFIG + strategies)
    return path


def run(config: Path, mode: str) -> tuple[list[Event], list[str], Auditor]:
    """The journal of a run with its margin calls, audited at each bar."""
    container, _, report = loaded([config], mode)
    manager = container.get("event_manager")
    log, auditor, failures = EventLog(), Auditor(container), list[str]()
    manager.observe(log.observe, WATCHED)
    manager.observe(auditor.audit, [EventType.BAR])
    manager.on_observer_failure = lambda name, error: failures.append(f"{name}: {error!r}")
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    assert manager.faulted == ()
    return log.events, failures, auditor


def test_all_books_agree_after_a_liquidation(tmp_path: Path) -> None:
    """Positions per strategy, of the account and at the exchange agree at each bar, and so do both drivers."""
    liquidated = sum(_liquidated(write(tmp_path, seed)) for seed in (2, 3, 5))
    assert liquidated > 1


def _liquidated(config: Path) -> bool:
    """Whether the exchange had to close something; whatever it did, all books agree."""
    journal, failures, auditor = run(config, "backtest")
    assert failures == []
    forced = [event for event in journal if isinstance(event, Fill) and event.forced]
    assert all(fill.strategy_id == "external" for fill in forced)
    updates = [event for event in journal if isinstance(event, PositionUpdate) and event.fill.forced]
    assert {update.strategy_id for update in updates} <= {"c0", "c1", "c2"}
    assert not [owner for owner, _ in auditor.portfolio.strategy_symbols() if owner == "external"]
    other, failures, _ = run(config, "paper")
    assert failures == []
    assert journal == other
    return bool(forced)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_risk_lets_nothing_grow_after_a_margin_call(seed: int, tmp_path: Path) -> None:
    """A call halts the account's entries, so that the fills after it only shrink what is held."""
    journal, _, _ = run(write(tmp_path, seed), "backtest")
    called = next(i for i, event in enumerate(journal) if isinstance(event, MarginCall))
    halts = [event for event in journal[called:] if isinstance(event, HaltChanged)]
    assert [(halt.state, halt.reason[:12]) for halt in halts] == [(HaltState.NO_NEW, "MARGIN_CALL:")]
    denied = [event for event in journal[called:] if isinstance(event, OrderUpdate)]
    assert any(update.reason.startswith("HALTED") for update in denied if update.status is OrderStatus.DENIED)


def test_a_run_without_maintenance_liquidates_nothing(tmp_path: Path) -> None:
    """0 percent turns it off."""
    config = write(tmp_path, 1)
    config.write_text(
        config.read_text().replace("maintenance_margin_percent = 18", "maintenance_margin_percent = 0")
    )
    journal, _, _ = run(config, "backtest")
    assert not [event for event in journal if isinstance(event, MarginCall)]
