"""The recorder: a live feed's events, kept in a catalog, to be replayed tick for tick.

It watches what is published and writes each series in parts (`tradingd.data.parts`). The part being written is a
hidden CSV file to which rows are added every second, so that a crash loses no more than that; when it is full, or
the recorder is closed, it becomes a Parquet file (CSV without pyarrow), written beside and put in its place at
once. What a crash left behind becomes a part at the next start, without its last row if that was cut off.

Times are kept in whole milliseconds, which is what a live feed gives its events. A book is kept as a snapshot; the
empty book that tells that it is not known is kept as a change that does not follow.
"""

import asyncio
import csv
import re
import tomllib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tradingd.data.csv_table import CsvTable
from tradingd.data.parts import PARTS_SUFFIX, part_files, single_table
from tradingd.data.rules import SNAPSHOT
from tradingd.data.series import BOOK_DEPTH, NS_PER_MS, SeriesKind, SeriesSpec, format_interval
from tradingd.data.tables import Layout, layout_of, refuse
from tradingd.data.writing import parquet_writer, sidecar_text, staged
from tradingd.domain.events import Bar, Book, EventType, MarketEvent, Quote, Trade
from tradingd.domain.instrument import Instrument
from tradingd.errors import DataError, OutputError

__all__ = ["FeedRecorder"]

_KINDS = {
    EventType.BAR: SeriesKind.BARS,
    EventType.QUOTE: SeriesKind.QUOTES,
    EventType.TRADE: SeriesKind.TRADES,
    EventType.BOOK: SeriesKind.BOOKS,
}
_COLUMNS = {
    SeriesKind.BARS: ("timestamp", "open", "high", "low", "close", "volume"),
    SeriesKind.QUOTES: ("timestamp", "bid", "ask", "bid_size", "ask_size"),
    SeriesKind.TRADES: ("timestamp", "price", "amount", "side", "id"),
    SeriesKind.BOOKS: ("timestamp", "price", "amount", "seq_first", "seq_last", "type", "side"),
}
_SEQ_LAST = 4
_NEVER = -(2**63)
_BATCH_ROWS = 65_536
_WAITING_ROWS = 4_096
_FLUSH_S = 1.0
_ORIGIN = "recorded by tradingd"

Row = Sequence[Any]


class FeedRecorder:
    """Records events: give it to the event manager as an observer of `types`, and run `run` as a task.

    `kinds` are those that are kept. A part ends after `part_rows` rows or `part_s` seconds.

    Raises:
        OutputError: the folder cannot be written to; when called, that a row cannot.

    """

    def __init__(
        self,
        catalog: Path,
        *,
        dataset: str = "recorded",
        kinds: Collection[SeriesKind] = (SeriesKind.TRADES, SeriesKind.QUOTES),
        instruments: Mapping[str, Instrument] | None = None,
        depth: int = BOOK_DEPTH,
        part_rows: int = 500_000,
        part_s: float = 86_400.0,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.folder = catalog / dataset
        self.types = frozenset(event for event, kind in _KINDS.items() if kind in kinds)
        self._instruments = instruments or {}
        self._depth = depth
        self._part_rows, self._part_s = part_rows, part_s
        self._monotonic, self._sleep = monotonic, sleep
        self._series: dict[tuple[str, SeriesKind, int], _Series] = {}
        self._full: list[Path] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in sorted(self.folder.glob(f"*{PARTS_SUFFIX}/.*.open")):
                _recover(left)
        except OSError as error:
            raise OutputError(
                f"cannot record to {self.folder}: {error.strerror}; set data.record.catalog"
            ) from error

    @property
    def rows(self) -> int:
        """How many rows have been taken."""
        return sum(series.taken for series in self._series.values())

    @property
    def passed_over(self) -> int:
        """How many events were not kept because they are not later than what is: history that is told again."""
        return sum(series.passed_over for series in self._series.values())

    def __call__(self, event: MarketEvent) -> None:
        """Keep an event."""
        kind = _KINDS[event.type]
        interval = event.ts - event.ts_open if isinstance(event, Bar) else 0
        key = event.symbol, kind, interval
        series = self._series.get(key)
        try:
            if series is None:
                series = self._series[key] = self._begin(*key)
            series.take(event)
            if series.waiting >= _WAITING_ROWS:
                self._write(series)
        except OSError as error:
            raise OutputError(f"cannot record {event.symbol} to {self.folder}: {error.strerror}") from error

    def flush(self) -> None:
        """Write what waits, and end the parts that are full or old."""
        for series in self._series.values():
            self._write(series)

    async def run(self) -> None:
        """Write every second, for ever; parts that are full are converted in a thread."""
        while True:
            await self._sleep(_FLUSH_S)
            self.flush()
            while self._full:
                await asyncio.to_thread(_complete, self._full.pop(0))

    def close(self) -> None:
        """Write everything and complete all parts."""
        self.flush()
        for series in self._series.values():
            self._end(series)
        while self._full:
            _complete(self._full.pop(0))

    def _begin(self, symbol: str, kind: SeriesKind, interval_ns: int) -> "_Series":
        length = f"-{format_interval(interval_ns)}" if interval_ns else ""
        name = re.sub(r"[^\w.-]", "_", symbol).lstrip(".")
        folder = self.folder / f"{name}-{kind}{length}{PARTS_SUFFIX}"
        folder.mkdir(exist_ok=True)
        head = {"symbol": symbol, "kind": str(kind), "interval": length.removeprefix("-")}
        depth = {"depth": self._depth} if kind is SeriesKind.BOOKS else {}
        text = sidecar_text({**head, **depth, "origin": _ORIGIN}, _fields(self._instruments.get(symbol)))
        sidecar = folder.with_suffix(".toml")
        if sidecar.exists() and tomllib.loads(sidecar.read_text(encoding="utf-8")).get("symbol") != symbol:
            raise OutputError(f"{sidecar} is of another symbol than {symbol}; set another data.record.dataset")
        with staged(sidecar) as beside:
            beside.write_text(text, encoding="utf-8")
        return _Series(folder, kind)

    def _write(self, series: "_Series") -> None:
        series.write(self._monotonic())
        if series.rows >= self._part_rows or self._monotonic() - series.since >= self._part_s:
            self._end(series)

    def _end(self, series: "_Series") -> None:
        ended = series.end()
        if ended is not None:
            self._full.append(ended)


class _Series:
    """One series and the part of it that is being written."""

    def __init__(self, folder: Path, kind: SeriesKind) -> None:
        self._folder, self._kind = folder, kind
        self._rows_of = _ROWS[kind]
        self._number, self._last, self._sequence = _left_off(folder, kind)
        self._waiting: list[Row] = []
        self._path: Path | None = None
        self._is_known = False
        self.rows = 0
        """Rows in the part that is being written."""
        self.since = 0.0
        self.taken = self.passed_over = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self, event: Any) -> None:  # noqa: ANN401 - a market event of its kind
        """Keep an event, if it is later than what is kept; ticks may share a time."""
        time = (event.ts_open if self._kind is SeriesKind.BARS else event.ts) // NS_PER_MS
        if time < self._last or (time == self._last and self._kind is SeriesKind.BARS):
            self.passed_over += 1
            return
        if self._kind is SeriesKind.BOOKS and not self._number_book(event):
            return
        self._last = time
        self._waiting.extend(self._rows_of(time, event, self._sequence))
        self.taken += 1

    def _number_book(self, book: Book) -> bool:
        """Give a book its sequence number; an unknown one leaves a hole before it, and is told once."""
        known = bool(book.bids or book.asks)
        if not known and not self._is_known:
            return False
        self._sequence += 1 if known else 2
        self._is_known = known
        return True

    def write(self, now: float) -> None:
        """Add what waits to the part."""
        if not self._waiting:
            return
        if self._path is None:
            self._number += 1
            self._path = self._folder / f".{self._number:06d}.open"
            self._waiting.insert(0, _COLUMNS[self._kind])
            self.rows, self.since = -1, now
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(self._waiting)
        self.rows += len(self._waiting)
        self._waiting.clear()

    def end(self) -> Path | None:
        """End the part that is being written, if there is one; returns its file."""
        ended, self._path = self._path, None
        self.rows = 0
        return ended


# --- rows ------------------------------------------------------------------------------------------------------


def _bar_row(time: int, bar: Bar, _sequence: int) -> Iterable[Row]:
    return ((time, bar.open, bar.high, bar.low, bar.close, bar.volume),)


def _quote_row(time: int, quote: Quote, _sequence: int) -> Iterable[Row]:
    return ((time, quote.bid, quote.ask, quote.bid_size, quote.ask_size),)


def _trade_row(time: int, trade: Trade, _sequence: int) -> Iterable[Row]:
    return ((time, trade.price, trade.amount, trade.side.lower(), trade.trade_id),)


def _book_rows(time: int, book: Book, number: int) -> Iterable[Row]:
    if not book.bids and not book.asks:
        return ((time, 1.0, 0.0, number, number, "delta", "bid"),)
    sides = (("bid", book.bids), ("ask", book.asks))
    return [
        (time, price, size, number, number, SNAPSHOT, side) for side, levels in sides for price, size in levels
    ]


_ROWS: Mapping[SeriesKind, Callable[[int, Any, int], Iterable[Row]]] = {
    SeriesKind.BARS: _bar_row,
    SeriesKind.QUOTES: _quote_row,
    SeriesKind.TRADES: _trade_row,
    SeriesKind.BOOKS: _book_rows,
}


# --- files -----------------------------------------------------------------------------------------------------


def _layout(kind: SeriesKind, path: Path) -> Layout:
    """The columns of a part; the interval of bars plays no part in it."""
    spec = SeriesSpec(symbol=path.stem, path=path, kind=kind, interval_ns=int(kind is SeriesKind.BARS))
    return layout_of(spec, _COLUMNS[kind])


def _kind_of(path: Path) -> SeriesKind:
    return next(SeriesKind(word) for word in reversed(path.parent.stem.split("-")) if word in set(_COLUMNS))


def _complete(open_file: Path) -> None:
    """Turn a part that is full into one that is read."""
    target = open_file.with_name(f"{open_file.stem.removeprefix('.')}.parquet")
    if find_spec("pyarrow") is None:
        open_file.rename(target.with_suffix(".csv"))
        return
    layout = _layout(_kind_of(open_file), open_file)
    with staged(target) as beside, parquet_writer(beside, layout) as write:
        for batch in CsvTable(open_file).batches(layout, _BATCH_ROWS, refuse):
            write(batch)
    open_file.unlink()


def _recover(open_file: Path) -> None:
    """Complete what a crash left behind: without a row that was cut off, and without a book that may be."""
    number = open_file.stem.removeprefix(".")
    if any(open_file.with_name(f"{number}{suffix}").exists() for suffix in (".parquet", ".csv")):
        open_file.unlink()  # it was complete already
        return
    lines = open_file.read_bytes().split(b"\n")[:-1]
    if _kind_of(open_file) is SeriesKind.BOOKS and len(lines) > 1:
        last = lines[-1].split(b",")[3:6]
        while len(lines) > 1 and lines[-1].split(b",")[3:6] == last:
            lines.pop()
    if len(lines) <= 1:
        open_file.unlink()
        return
    open_file.write_bytes(b"\n".join([*lines, b""]))
    _complete(open_file)


def _left_off(folder: Path, kind: SeriesKind) -> tuple[int, int, int]:
    """The number of the last part, the time of its last row, and the last sequence number of books."""
    parts = part_files(folder)
    if not parts:
        return 0, _NEVER, 0
    layout = _layout(kind, parts[-1])
    time, sequence = _NEVER, 0
    for batch in single_table(parts[-1]).batches(layout, _BATCH_ROWS, refuse):
        time = batch.times[-1]
        sequence = int(batch.numbers[_SEQ_LAST - 1][-1]) if kind is SeriesKind.BOOKS else 0
    try:
        return int(parts[-1].stem), time, sequence
    except ValueError:
        raise DataError(f"{parts[-1]} is no part of a recording; move it elsewhere") from None


def _fields(instrument: Instrument | None) -> dict[str, str]:
    """What of an instrument a sidecar tells, as text."""
    if instrument is None:
        return {}
    skipped = {"symbol", "venue"}
    values = {name: getattr(instrument, name) for name in Instrument.__struct_fields__ if name not in skipped}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value
    }
