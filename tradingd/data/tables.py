"""What readers of files have in common: the columns a kind of series needs, batches of rows, faults in them."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from tradingd.data.series import NS_PER_MS, SeriesKind, SeriesSpec
from tradingd.errors import DataError

__all__ = [
    "ADJUSTED_CLOSE",
    "Batch",
    "FaultHandler",
    "Layout",
    "Problem",
    "Table",
    "Window",
    "layout_of",
    "normal_name",
    "refuse",
    "require_unique",
    "window_of",
]

ADJUSTED_CLOSE = "adj_close"

_TIME_NAMES = ("timestamp", "time", "date", "datetime")
# A tick is known when it is received, whatever the exchange's clock says.
_TICK_TIME_NAMES = ("recv_timestamp", *_TIME_NAMES)
_NUMBERS = {
    SeriesKind.BARS: ("open", "high", "low", "close", "volume"),
    SeriesKind.QUOTES: ("bid", "ask", "bid_size", "ask_size"),
    SeriesKind.TRADES: ("price", "amount"),
    SeriesKind.BOOKS: ("price", "amount", "seq_first", "seq_last"),
}
_TEXTS = {SeriesKind.TRADES: ("side",), SeriesKind.BOOKS: ("type", "side")}
# Beyond any time in milliseconds that is in a file.
_FOREVER_MS = 2**62


class Problem(msgspec.Struct, frozen=True):
    """A row that is refused or doubtful: `row` counts data rows from 1, `line` a text file's lines (else 0)."""

    path: Path
    row: int
    reason: str
    line: int = 0

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line else ""
        return f"{self.path}, row {self.row}{line}: {self.reason}"


FaultHandler = Callable[[Problem], None]
"""What a reader does with a row that it cannot even parse; it goes on with the next if this returns."""


def refuse(problem: Problem) -> None:
    """The strict fault handler: the first row that cannot be parsed ends the reading."""
    raise DataError(f"{problem}; mend the file or get it again")


class Layout(msgspec.Struct, frozen=True):
    """Which columns of a file are read: the time, then numbers, then texts, by their normal names."""

    time: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (self.time, *self.numbers, *self.texts)


class Batch(Protocol):
    """Some consecutive rows of a file, as columns."""

    @property
    def rows(self) -> Sequence[int]:
        """The rows' numbers in the file, from 1."""

    @property
    def lines(self) -> Sequence[int]:
        """The rows' lines in a text file; empty for a binary one."""

    @property
    def times(self) -> list[int]:
        """The time column, milliseconds UTC."""

    @property
    def numbers(self) -> list[list[float]]:
        """The number columns; a null is NaN."""

    @property
    def texts(self) -> list[list[str]]:
        """The text columns; a null is empty."""

    @property
    def has_nulls(self) -> bool:
        """Whether a time or number is missing."""

    def is_clean(self, kind: SeriesKind, *, allow_negative: bool) -> bool:
        """Whether no row has a fault or oddity by itself, as far as can be told cheaply; False is no verdict."""


class Table(Protocol):
    """A file of columns that can be read in batches, any number of times."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, by their normal names."""

    def batches(self, layout: Layout, batch_rows: int, on_fault: FaultHandler) -> Iterator[Batch]:
        """The file's rows, at most `batch_rows` at a time; memory does not grow with the file.

        Raises:
            DataError: the file is damaged, empty, or a column has a type that cannot be read.

        """


class Window(NamedTuple):
    """A closed range of times in milliseconds UTC."""

    start: int
    end: int

    def cut(self, times: Sequence[int]) -> tuple[int, int]:
        """The half-open range of indexes whose times are inside; `times` must be in order."""
        return bisect_left(times, self.start), bisect_right(times, self.end)


def window_of(start_ns: int | None, end_ns: int | None) -> Window:
    """The whole milliseconds within [start, end]; None leaves that end open."""
    start = -_FOREVER_MS if start_ns is None else -(-start_ns // NS_PER_MS)
    return Window(start, _FOREVER_MS if end_ns is None else end_ns // NS_PER_MS)


def normal_name(name: str) -> str:
    """A column's name as it is looked up: `Adj Close` is `adj_close`."""
    return name.strip().lower().replace(" ", "_")


def require_unique(path: Path, names: Sequence[str]) -> None:
    """Raise a DataError if two columns have the same normal name: which one is meant cannot be told."""
    for name in names:
        if name and names.count(name) > 1:
            raise DataError(f"{path} names the column {name} twice; remove one")


def layout_of(spec: SeriesSpec, names: Sequence[str], *, adjusted: bool = False) -> Layout:
    """The columns to read of a file that has the columns `names`; `adjusted` needs `adj_close`, too.

    Raises:
        DataError: a column is missing, or the series is no kind that can be read.

    """
    if spec.kind not in _NUMBERS:
        raise DataError(
            f"{spec.path}: a {spec.kind} is reference data, it holds no bars, quotes, trades or books to read"
        )
    ticks = spec.kind != SeriesKind.BARS
    time_names = _TICK_TIME_NAMES if ticks else _TIME_NAMES
    time = next((name for name in time_names if name in names), "")
    numbers = _NUMBERS[spec.kind]
    if adjusted and not ticks:
        numbers = (*numbers, ADJUSTED_CLOSE)
    texts = _TEXTS.get(spec.kind, ())
    missing = [name for name in (*numbers, *texts) if name not in names]
    if not time:
        missing.insert(0, f"a time ({', '.join(time_names)})")
    if missing:
        raise DataError(
            f"{spec.path}: {spec.kind} need the column {', '.join(missing)}; the file has: {', '.join(names)}. "
            + ("Use raw prices." if missing == [ADJUSTED_CLOSE] else "Rename or add it, or correct the kind.")
        )
    if spec.kind == SeriesKind.TRADES and "id" in names:
        texts = (*texts, "id")
    return Layout(time, numbers, texts)
