"""Scan a series' file: what it holds, what is wrong with it, and where it has holes; memory stays flat."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat
from operator import le, lt
from typing import Generic, TypeVar

import msgspec

from tradingd.data.books import BookReplay, Row, rows_of
from tradingd.data.gaps import missing_bars
from tradingd.data.readers import is_adjusted, open_table
from tradingd.data.rules import TIME_LIMIT_MS, bar_oddity, order_fault, row_fault, time_fault
from tradingd.data.series import NS_PER_MS, SeriesKind, SeriesSpec, format_interval
from tradingd.data.tables import Batch, Layout, Problem, Table, Window, layout_of, window_of

__all__ = ["Gap", "ScanReport", "scan"]

_BATCH_ROWS = 8192

T = TypeVar("T")


class Gap(msgspec.Struct, frozen=True):
    """A hole in a series of bars: from the close of the bar before it to the open of the bar after it."""

    start_ns: int
    end_ns: int
    missing: int
    """How many bars the calendar expects in it."""


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds. Times are the file's own (a bar's is its open), nanoseconds UTC.

    Of books, `rows_in_range` counts the books that messages lead to, and the range is theirs.
    Problems and warnings are of the whole file, gaps of the scanned range. Of each only the first few are kept;
    the counts are of all.
    """

    spec: SeriesSpec
    rows: int
    first_ts: int
    last_ts: int
    rows_in_range: int
    range_first_ts: int | None
    range_last_ts: int | None
    problems: tuple[Problem, ...]
    problem_count: int
    warnings: tuple[Problem, ...]
    warning_count: int
    gaps: tuple[Gap, ...]
    gap_count: int
    missing: int
    """The bars that all gaps together lack."""


def scan(
    spec: SeriesSpec,
    start_ns: int | None = None,
    end_ns: int | None = None,
    limit: int = 20,
    *,
    prices: str = "raw",
) -> ScanReport:
    """Read the whole file and check every row; the range [start, end] only says what is counted as in range.

    `limit` is how many problems, warnings and gaps are kept each. With `prices` "adjusted" the column adj_close is
    needed and checked, too.

    Raises:
        DataError: the file cannot be read at all: missing, damaged, empty, or without a needed column.

    """
    table = open_table(spec.path)
    layout = layout_of(spec, table.names, adjusted=is_adjusted(prices))
    if spec.kind == SeriesKind.BOOKS:
        return _BookScanner(spec, window_of(start_ns, end_ns), limit).scan(table, layout)
    scanner = _Scanner(spec, window_of(start_ns, end_ns), limit)
    for batch in table.batches(layout, _BATCH_ROWS, scanner.problems.add):
        scanner.take(batch)
    return scanner.report()


class _Tally(Generic[T]):
    """The first few of many, and how many there were."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.first: list[T] = []
        self.count = 0

    def add(self, item: T) -> None:
        self.count += 1
        if len(self.first) < self.limit:
            self.first.append(item)


class _Scanner:
    """Takes a file's batches in order and adds up what they show."""

    def __init__(self, spec: SeriesSpec, window: Window, limit: int) -> None:
        self._spec = spec
        self._window = window
        self._step = spec.interval_ns // NS_PER_MS
        self.problems: _Tally[Problem] = _Tally(limit)
        self._warnings: _Tally[Problem] = _Tally(limit)
        self._gaps: _Tally[Gap] = _Tally(limit)
        self._missing = 0
        self._rows = 0
        self._rows_in_range = 0
        self._first: int | None = None
        self._last: int | None = None
        self._last_id = ""
        self._range_first: int | None = None
        self._range_last: int | None = None

    def take(self, batch: Batch) -> None:
        """Check one batch and count it."""
        times = batch.times
        if not self._is_clean(batch):
            self._check_rows(batch)
        if self._spec.kind == SeriesKind.BARS:
            self._check_spacing(batch)
        low, high = self._window.cut(times)
        if low < high:
            self._rows_in_range += high - low
            self._range_first = times[low] if self._range_first is None else self._range_first
            self._range_last = times[high - 1]
        self._first = times[0] if self._first is None else self._first
        self._last = times[-1]
        self._last_id = self._ids(batch)[-1]
        self._rows = batch.rows[-1]

    def report(self) -> ScanReport:
        """What all batches showed."""
        return ScanReport(
            spec=self._spec,
            rows=self._rows,
            first_ts=(self._first or 0) * NS_PER_MS,
            last_ts=(self._last or 0) * NS_PER_MS,
            rows_in_range=self._rows_in_range,
            range_first_ts=None if self._range_first is None else self._range_first * NS_PER_MS,
            range_last_ts=None if self._range_last is None else self._range_last * NS_PER_MS,
            problems=tuple(self.problems.first),
            problem_count=self.problems.count,
            warnings=tuple(self._warnings.first),
            warning_count=self._warnings.count,
            gaps=tuple(self._gaps.first),
            gap_count=self._gaps.count,
            missing=self._missing,
        )

    def _is_clean(self, batch: Batch) -> bool:
        """Whether the batch obeys every rule, seen as whole columns; False says nothing."""
        if not batch.is_clean(self._spec.kind, allow_negative=self._spec.allow_negative_prices):
            return False
        times = batch.times if self._last is None else [self._last, *batch.times]
        follows = lt if self._spec.kind == SeriesKind.BARS else le
        ids = [self._last_id, *self._ids(batch)]
        return (
            all(map(follows, times, times[1:]))
            and times[0] > -TIME_LIMIT_MS
            and times[-1] < TIME_LIMIT_MS
            and not any(id_ and id_ == above for above, id_ in pairwise(ids))
        )

    @staticmethod
    def _ids(batch: Batch) -> Sequence[str]:
        """The trades' ids; empty texts where there are none."""
        return batch.texts[1] if len(batch.texts) > 1 else ("",)

    def _check_rows(self, batch: Batch) -> None:
        previous, above = self._last, self._last_id
        numbers = zip(*batch.numbers, strict=True)
        texts = zip(*batch.texts, strict=True) if batch.texts else repeat(())
        for index, (time, values, words) in enumerate(zip(batch.times, numbers, texts, strict=False)):
            reason = time_fault(time) or order_fault(self._spec.kind, time, previous)
            reason = reason or row_fault(
                self._spec.kind, values, words, allow_negative=self._spec.allow_negative_prices
            )
            id_ = words[1] if len(words) > 1 else ""
            if not reason and id_ and id_ == above:
                reason = f"the id {id_} is that of the row above: the trade is told twice"
            if reason:
                self.problems.add(self._problem(batch, index, reason))
            elif self._spec.kind == SeriesKind.BARS and (oddity := bar_oddity(values)):
                self._warnings.add(self._problem(batch, index, oddity))
            previous, above = time, id_

    def _problem(self, batch: Batch, index: int, reason: str) -> Problem:
        line = batch.lines[index] if batch.lines else 0
        return Problem(self._spec.path, batch.rows[index], reason, line)

    def _check_spacing(self, batch: Batch) -> None:
        carried = self._last is not None
        times = batch.times if self._last is None else [self._last, *batch.times]
        step = self._step
        for index in [index for index, (a, b) in enumerate(pairwise(times)) if b - a != step]:
            row = index if carried else index + 1
            self._judge_spacing(batch, row, times[index], times[index + 1])

    def _judge_spacing(self, batch: Batch, index: int, previous: int, time: int) -> None:
        if 0 < time - previous < self._step:
            interval = format_interval(self._spec.interval_ns)
            reason = f"opens before the bar above closes; is the interval {interval} right?"
            self._warnings.add(self._problem(batch, index, reason))
        if time - previous <= self._step or previous < self._window.start or time > self._window.end:
            return
        missing = missing_bars(previous, time, self._step, self._spec.calendar)
        if missing:
            self._missing += missing
            self._gaps.add(Gap((previous + self._step) * NS_PER_MS, time * NS_PER_MS, missing))


class _BookScanner:
    """Checks the rows of a file of books, and rebuilds these as a replay would."""

    def __init__(self, spec: SeriesSpec, window: Window, limit: int) -> None:
        self._spec = spec
        self._window = window
        self._problems: _Tally[Problem] = _Tally(limit)
        self._warnings: _Tally[Problem] = _Tally(limit)
        self._first: int | None = None
        self._last: int | None = None
        self._rows = 0

    def scan(self, table: Table, layout: Layout) -> ScanReport:
        """What the file holds."""
        count, first, last = 0, None, None
        for book in BookReplay(self._spec, self._warnings.add).books(self._sound_rows(table, layout)):
            if self._window.start <= book.ts // NS_PER_MS <= self._window.end:
                count += 1
                first, last = book.ts if first is None else first, book.ts
        return ScanReport(
            spec=self._spec,
            rows=self._rows,
            first_ts=(self._first or 0) * NS_PER_MS,
            last_ts=(self._last or 0) * NS_PER_MS,
            rows_in_range=count,
            range_first_ts=first,
            range_last_ts=last,
            problems=tuple(self._problems.first),
            problem_count=self._problems.count,
            warnings=tuple(self._warnings.first),
            warning_count=self._warnings.count,
            gaps=(),
            gap_count=0,
            missing=0,
        )

    def _sound_rows(self, table: Table, layout: Layout) -> Iterator[Row]:
        """The rows that have no fault; the faults are counted."""
        for batch in table.batches(layout, _BATCH_ROWS, self._problems.add):
            self._rows = batch.rows[-1]
            for row in rows_of(batch):
                reason = self._fault(row)
                if reason:
                    self._problems.add(Problem(self._spec.path, row.number, reason, row.line))
                else:
                    self._first = row.time if self._first is None else self._first
                    self._last = row.time
                    yield row

    def _fault(self, row: Row) -> str:
        return (
            time_fault(row.time)
            or order_fault(self._spec.kind, row.time, self._last)
            or row_fault(
                self._spec.kind,
                (row.price, row.amount, row.seq_first, row.seq_last),
                (row.kind, row.side),
                allow_negative=self._spec.allow_negative_prices,
            )
        )
