"""Exits that risk keeps, in whole runs: every position has its stop at every bar, in both drivers alike."""

from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import drive, journal_of, loaded
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import Fill, OrderUpdate

CONFIG = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
start = 2008-01-02
end = 2009-12-31
[portfolio]
initial_cash = 200000
[broker]
account = "margin"
leverage = 3
[risk]
allow_short = true
[risk.sizer]
kind = "fixed_quantity"
quantity = 30
[[strategies]]
name = "tests.runtime.protecting:{name}"
id = "p"
params = {{ symbol = "AAPL" }}
"""
NAMES = ("BySignal", "ByBracket", "ByProtection")


def write(folder: Path, name: str) -> Path:
    """One strategy alone."""
    path = folder / "c.toml"
    path.write_text(CONFIG.format(name=name))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_every_position_has_its_stop_at_every_bar(tmp_path: Path, name: str) -> None:
    """What fills of an entry is protected before the strategy sees that bar, and closed with the position."""
    container, strategies, report = loaded([write(tmp_path, name)], "backtest")
    container.get("event_manager").clock.advance_to(report.first_ts)
    drive(container.get("event_manager"), container.get("data_handler").stream())
    strategy: Any = strategies[0]
    held = [seen for seen in strategy.seen if seen[0]]
    assert len(held) > 20
    assert all(stops == abs(quantity) for quantity, stops in strategy.seen)


@pytest.mark.parametrize("name", NAMES)
def test_both_drivers_keep_the_same_exits(tmp_path: Path, name: str) -> None:
    """Every order, fill and ledger entry, those of risk's own orders too; stops fill, and none is refused."""
    files = [write(tmp_path, name)]
    journal = journal_of(files, "backtest")
    assert journal == journal_of(files, "paper")
    fills = [event.intent_id for event in journal if isinstance(event, Fill)]
    assert len(set(fills)) > 10
    refused = {OrderStatus.DENIED, OrderStatus.REJECTED}
    told = [event.reason for event in journal if isinstance(event, OrderUpdate) and event.status in refused]
    assert all(reason.startswith(("ALREADY_FLAT", "ALREADY_HELD", "ON_ITS_WAY")) for reason in told), told
