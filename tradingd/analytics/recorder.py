"""Recording a run: fills, orders, signals, equity and ledger, written as they happen."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from tradingd.domain.events import EventType, Fill, LedgerEntry, OrderUpdate, Signal
from tradingd.errors import OutputError, UsageError

__all__ = ["RunRecorder", "utc_text"]

_NS = 1_000_000_000
_DAY_S = 86_400
_BATCH = 1_024

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "signals": (
        "time", "ts", "intent_id", "strategy_id", "symbol", "direction", "price", "strength", "tag",
    ),
    "orders": (
        "time", "ts", "order_id", "intent_id", "strategy_id", "symbol", "side", "type", "quantity", "filled",
        "limit_price", "stop_price", "status", "reason",
    ),
    "fills": (
        "time", "ts", "trade_id", "order_id", "intent_id", "strategy_id", "symbol", "side", "quantity", "price",
        "fee", "fee_asset", "liquidity", "venue",
    ),
    "ledger": ("time", "ts", "reference", "kind", "asset", "amount", "debit", "credit", "strategy_id"),
    "equity": ("time", "ts", "equity"),
}  # fmt: skip


def utc_text(ts: int) -> str:
    """Nanoseconds since the epoch as ISO text in UTC, to the microsecond."""
    seconds, ns = divmod(ts, _NS)
    day, second = divmod(seconds, _DAY_S)
    minute, second = divmod(second, 60)
    micro = ns // 1_000
    fraction = f".{micro:06d}" if micro else ""
    return f"{_date_text(day)}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}{fraction}Z"


@lru_cache(maxsize=64)
def _date_text(day: int) -> str:
    """The date of a day since the epoch; nearly every row is of the day of the row before."""
    return f"{datetime.fromtimestamp(day * _DAY_S, tz=UTC):%Y-%m-%d}"


class _Table(Protocol):
    def write(self, rows: Sequence[tuple[Any, ...]]) -> None: ...
    def close(self) -> None: ...


class RunRecorder:
    """Writes a run to `folder`: signals, orders (each at its last state), fills, ledger and equity.

    Rows are written in batches, so memory does not grow with the run. Amounts are decimal text in both formats:
    exact, whatever their number of digits. Equity has a row for each instant at which it changed, and a last one.
    """

    event_types = (EventType.SIGNAL, EventType.ORDER_UPDATE, EventType.FILL, EventType.LEDGER)

    def __init__(self, folder: Path, fmt: Literal["parquet", "csv"] = "parquet") -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write to {folder}: {error.strerror}; give another folder") from error
        there = [name for name in _COLUMNS for end in ("csv", "parquet") if (folder / f"{name}.{end}").exists()]
        if there:
            raise UsageError(f"{folder} has the records of another run; give another folder, or remove them")
        make = _CsvTable if fmt == "csv" else _ParquetTable
        self.folder = folder
        self._tables: dict[str, _Table] = {
            name: make(folder / f"{name}.{fmt}", columns) for name, columns in _COLUMNS.items()
        }
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
        self._working: dict[str, OrderUpdate] = {}
        self.failure: OutputError | None = None
        """What stopped the recording, if something did. The run goes on without; whoever ends it tells."""

    def observe(self, event: Signal | OrderUpdate | Fill | LedgerEntry) -> None:
        """Record one event."""
        if isinstance(event, Fill):
            self._add("fills", _fill_row(event))
        elif isinstance(event, LedgerEntry):
            self._add("ledger", _ledger_row(event))
        elif isinstance(event, Signal):
            self._add("signals", _signal_row(event))
        elif event.status.is_terminal:
            self._working.pop(event.intent_id, None)
            self._add("orders", _order_row(event))
        else:
            self._working[event.intent_id] = event

    def on_equity(self, ts: int, equity: Decimal) -> None:
        """Record a point of the equity curve."""
        self._add("equity", (utc_text(ts), ts, _text(equity)))

    def close(self) -> None:
        """Write what is left, orders that are still working included."""
        for update in self._working.values():
            self._add("orders", _order_row(update))
        for name, table in self._tables.items():
            self._write(name)
            try:
                table.close()
            except OSError as error:
                self._failed(name, error)

    def _add(self, name: str, row: tuple[Any, ...]) -> None:
        rows = self._rows[name]
        rows.append(row)
        if len(rows) >= _BATCH:
            self._write(name)

    def _write(self, name: str) -> None:
        rows, self._rows[name] = self._rows[name], []
        if self.failure is not None:
            return
        try:
            self._tables[name].write(rows)
        except OSError as error:
            self._failed(name, error)

    def _failed(self, name: str, error: OSError) -> None:
        if self.failure is None:
            told = f"{self.folder}: {name} could not be written, the records are not complete: {error.strerror}"
            self.failure = OutputError(told)


class _CsvTable:
    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._writer.writerows(rows)

    def close(self) -> None:
        self._file.close()


class _ParquetTable:
    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise UsageError(
                "writing Parquet needs pyarrow: pip install 'tradingd[data]', or choose --format csv"
            ) from None
        self._table = pa.table
        types = [(name, pa.int64() if name == "ts" else pa.string()) for name in columns]
        self._schema = pa.schema(types)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", use_dictionary=False)

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = zip(*rows, strict=True) if rows else [()] * len(self._schema)
        data = dict(zip(self._schema.names, map(list, columns), strict=True))
        self._writer.write_table(self._table(data, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


def _fill_row(fill: Fill) -> tuple[Any, ...]:
    return (
        utc_text(fill.ts), fill.ts, fill.trade_id, fill.order_id, fill.intent_id, fill.strategy_id, fill.symbol,
        str(fill.side), _text(fill.quantity), _text(fill.price),
        ";".join(_text(fee.amount) for fee in fill.fees), ";".join(fee.asset for fee in fill.fees),
        str(fill.liquidity), fill.venue,
    )  # fmt: skip


def _order_row(order: OrderUpdate) -> tuple[Any, ...]:
    return (
        utc_text(order.ts), order.ts, order.order_id, order.intent_id, order.strategy_id, order.symbol,
        str(order.side or ""), str(order.order_type or ""), _text(order.quantity), _text(order.filled),
        _text(order.limit_price), _text(order.stop_price), str(order.status), order.reason,
    )  # fmt: skip


def _ledger_row(entry: LedgerEntry) -> tuple[Any, ...]:
    return (
        utc_text(entry.ts), entry.ts, entry.reference, entry.kind, entry.asset, _text(entry.amount), entry.debit,
        entry.credit, entry.strategy_id,
    )  # fmt: skip


def _signal_row(signal: Signal) -> tuple[Any, ...]:
    return (
        utc_text(signal.ts), signal.ts, signal.intent_id, signal.strategy_id, signal.symbol,
        str(signal.direction), repr(signal.price), repr(signal.strength), signal.tag,
    )  # fmt: skip
