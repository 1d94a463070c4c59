"""What --out writes."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
import pytest

from tradingd.analytics.recorder import RunRecorder, utc_text
from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side
from tradingd.domain.events import LedgerEntry, OrderUpdate
from tradingd.errors import UsageError
from tradingd.testing import at, make_fill, make_signal

Format = Literal["csv", "parquet"]
BOTH = pytest.mark.parametrize("fmt", ["csv", "parquet"])


def read(folder: Path, name: str, fmt: Format) -> list[dict[str, Any]]:
    """A table's rows, all as text."""
    path = folder / f"{name}.{fmt}"
    if fmt == "csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    return [{key: str(value) for key, value in row.items()} for row in pq.read_table(path).to_pylist()]


def update(status: OrderStatus, filled: str = "0", intent: str = "s:1") -> OrderUpdate:
    """An order's state."""
    return OrderUpdate(
        at(0), "s", intent, "t1-1-1", "AAPL", Side.BUY, OrderType.MARKET, Decimal(2), Decimal(filled), status
    )


@BOTH
def test_amounts_are_exact_text(tmp_path: Path, fmt: Format) -> None:
    """However many digits an amount has, and however small it is, it is written in full."""
    price = "12345.678901234567890123456789"
    recorder = RunRecorder(tmp_path, fmt)
    recorder.observe(make_fill(Side.BUY, "0.00000001", price, fees=[("USD", "1E-20"), ("BNB", "-0.5")]))
    recorder.close()
    (row,) = read(tmp_path, "fills", fmt)
    assert (row["quantity"], row["price"]) == ("0.00000001", price)
    assert (row["fee"], row["fee_asset"]) == ("0.00000000000000000001;-0.5", "USD;BNB")


@BOTH
def test_an_order_is_written_once_at_its_last_state(tmp_path: Path, fmt: Format) -> None:
    """An order has one row, with its terminal state; one that still works at the end is written as it is."""
    recorder = RunRecorder(tmp_path, fmt)
    for status in (OrderStatus.SENDING, OrderStatus.OPEN, OrderStatus.FILLED):
        recorder.observe(update(status))
    recorder.observe(update(OrderStatus.OPEN, intent="s:2"))
    recorder.close()
    rows = read(tmp_path, "orders", fmt)
    assert [(row["intent_id"], row["status"]) for row in rows] == [("s:1", "FILLED"), ("s:2", "OPEN")]


@BOTH
def test_signals_ledger_and_equity_are_written(tmp_path: Path, fmt: Format) -> None:
    """Signals, ledger entries and equity points have a row each, with readable and exact times."""
    recorder = RunRecorder(tmp_path, fmt)
    recorder.observe(make_signal(Direction.LONG, 100.5))
    recorder.observe(LedgerEntry(at(0), "T1", "fee", "USD", Decimal("-0.1"), "assets", "fees", "s"))
    recorder.on_equity(at(0), Decimal("99999.9"))
    recorder.close()
    assert read(tmp_path, "signals", fmt)[0]["price"] == "100.5"
    assert read(tmp_path, "ledger", fmt)[0]["amount"] == "-0.1"
    (point,) = read(tmp_path, "equity", fmt)
    assert point == {"time": "2023-11-14T22:13:20Z", "ts": str(at(0)), "equity": "99999.9"}


@BOTH
def test_rows_are_written_as_they_come(tmp_path: Path, fmt: Format) -> None:
    """Of many rows none is lost and only a batch is held in memory."""
    recorder = RunRecorder(tmp_path, fmt)
    for number in range(10_000):
        recorder.on_equity(at(number), Decimal(number))
        assert len(recorder._rows["equity"]) < 5_000
    recorder.close()
    rows = read(tmp_path, "equity", fmt)
    assert [row["equity"] for row in rows] == [str(number) for number in range(10_000)]


def test_a_run_without_events_writes_empty_tables(tmp_path: Path) -> None:
    """Nothing happened: the files are there, with their columns and no rows."""
    RunRecorder(tmp_path, "parquet").close()
    table = pq.read_table(tmp_path / "fills.parquet")
    assert (table.num_rows, table.column_names[:3]) == (0, ["time", "ts", "trade_id"])


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """A path that is a file is told, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write to .*give another folder"):
        RunRecorder(tmp_path / "file", "csv")


def test_times_are_utc_text() -> None:
    """Nanoseconds become ISO text in UTC, with microseconds only where there are some."""
    assert utc_text(at(0)) == "2023-11-14T22:13:20Z"
    assert utc_text(at(0) + 1_234_000) == "2023-11-14T22:13:20.001234Z"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_stops_the_recording_and_nothing_else(tmp_path: Path) -> None:
    """When a file cannot be written the recorder goes quiet, and tells which one and why."""
    recorder = RunRecorder(tmp_path, "csv")
    table: Any = recorder._tables["equity"]
    table.close()
    table._file = Path("/dev/full").open("w", newline="")  # noqa: SIM115 - the recorder closes it
    table._writer = csv.writer(table._file)
    for number in range(100_000):
        recorder.on_equity(at(number), Decimal(number))
    recorder.close()
    told = f"{tmp_path}: equity could not be written, the records are not complete: No space left on device"
    assert str(recorder.failure) == told
