"""Every kind of order through the whole machine, at a venue that has next to none of them, in both drivers."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.execution.desk import S
from tests.runtime.parts import REPO, drive, journal_of, loaded
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import Event, EventType, Fill, OrderRequest, OrderUpdate

TICKS = REPO.parent / "shared" / "data" / "tests_only" / "crypto_ticks"
STRATEGY = "tests.execution.everything:Everything"

BARS = f"""
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
start = 2008-01-01
end = 2010-12-31
[risk]
allow_short = true
limits = {{ prevent_self_match = false }}
[[strategies]]
name = "{STRATEGY}"
id = "a"
params = {{ symbol = "AAPL", quantity = "10", each = 1, pause_s = 86400, step = 0.0005 }}
[[strategies]]
name = "{STRATEGY}"
id = "m"
params = {{ symbol = "MSFT", quantity = "20", each = 2, pause_s = 172800, step = 0.001 }}
"""


def ticks() -> str:
    """The recorded trades and quotes of a symbol."""
    if not TICKS.is_dir():
        pytest.skip(f"the recorded ticks are not here: {TICKS}")
    return (
        "".join(
            f'[[data.files]]\nsymbol = "BTC/USDT"\nkind = "{kind}"\n'
            f'path = "{TICKS}/binance_BTCUSDT_20240808_{kind}.parquet"\n'
            for kind in ("trades", "quotes")
        )
        + '[[instruments]]\nsymbol = "BTC/USDT"\ntick = "0.01"\nlot = "0.00001"\n'
        + '[portfolio]\ncurrency = "USDT"\ninitial_cash = 1000000\n'
        + "[risk]\nallow_short = true\nlimits = { prevent_self_match = false }\n"
        + f'[[strategies]]\nname = "{STRATEGY}"\nid = "b"\n'
        + 'params = { symbol = "BTC/USDT", quantity = "0.01", each = 40, pause_s = 5, step = 0.00001 }\n'
    )


def configured(folder: Path, text: str, broker: str = "Bare") -> Path:
    """A configuration file."""
    config = folder / f"{broker}.toml"
    config.write_text(f'[broker]\nkind = "tests.execution.bare:{broker}"\n' + text)
    return config


def check(journal: list[Event]) -> None:
    """Every order ended as it may: parents sum up their children, and nothing contradicts itself."""
    updates = [event for event in journal if isinstance(event, OrderUpdate)]
    latest = {update.order_id: update for update in updates if update.order_id}
    filled: Counter[str] = Counter()
    for fill in journal:
        if isinstance(fill, Fill):
            filled[fill.intent_id] += fill.quantity  # type: ignore[assignment]  # a Decimal
    for update in latest.values():
        if not update.parent_id:
            assert update.filled == filled[update.intent_id], update
            assert update.filled <= update.quantity or "OVERFILL" in update.reason, update
    wrong = ("CONTRADICTION", "UNSUPPORTED", "WRONG", "REFUSED")
    assert not [update for update in updates if update.reason.startswith(wrong)]
    mixed = {(S.FILLED, "UNFILLED"), (S.CANCELED, "MODIFIED")}
    assert not mixed & {(update.status, update.reason.partition(":")[0]) for update in updates}


def kinds(journal: list[Event]) -> dict[str, set[OrderStatus]]:
    """By kind of order, the states that its orders came to."""
    names: dict[str, str] = {}
    found: dict[str, set[OrderStatus]] = {}
    for event in journal:
        if isinstance(event, OrderRequest):
            algo = event.terms.algo
            names[event.intent_id] = f"{event.order_type} {algo.name}" if algo else event.order_type.value
        elif isinstance(event, OrderUpdate) and not event.parent_id:
            found.setdefault(names[event.intent_id], set()).add(event.status)
    return found


@pytest.mark.parametrize("data", ["bars", "ticks"])
def test_everything_in_both_drivers(data: str, tmp_path: Path) -> None:
    """Emulated orders, parents and algorithms give one journal in both drivers, and each kind comes to fills."""
    config = configured(tmp_path, BARS if data == "bars" else ticks())
    synchronous = journal_of([config], "backtest")
    check(synchronous)
    states = kinds(synchronous)
    assert [kind for kind, seen in states.items() if S.FILLED not in seen] == []
    assert len(states) >= 10
    statuses = set().union(*states.values())
    assert {S.EXPIRED, S.CANCELED, S.VOID} <= statuses
    assert synchronous == journal_of([config], "paper")


def test_stop_leaves_nothing_open(tmp_path: Path) -> None:
    """When a run stops, held orders, parents and children all end."""
    container, _, report = loaded([configured(tmp_path, BARS)], "backtest")
    manager: Any = container.get("event_manager")
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    engine = container.get("execution_engine")
    assert engine.orders
    engine.refuse_new("STOPPING")
    engine.cancel_all("STOPPING")
    assert not engine.orders


def test_market_events_reach_execution_only_when_needed(tmp_path: Path) -> None:
    """At a venue that has everything, a run of plain orders routes no market event to execution."""
    config = tmp_path / "plain.toml"
    config.write_text(
        '[data]\ncatalog = "pkg:tradingd/sample_data"\ninterval = "1d"\n'
        '[[strategies]]\nname = "ma_crossover"\nparams = { symbol = "AAPL" }\n'
    )
    container, _, report = loaded([config], "backtest")
    manager: Any = container.get("event_manager")
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    assert not container.get("execution_engine").watched
    routed = [node.name for node, _ in manager._resolve(EventType.BAR, "AAPL")]
    assert "execution_engine" not in routed
    assert not any(name.startswith("algo.") for name in routed)
