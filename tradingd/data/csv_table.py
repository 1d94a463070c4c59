"""CSV files as tables, by the standard library alone.

A file has a header, commas, and strict UTF-8 (a byte order mark is tolerated). Its time column is, as the first
row tells for the whole file,

- an integer of 12 to 14 digits: milliseconds since the epoch, UTC (1973 to 5138);
- an integer below 100,000,000,000: seconds, except that 8 digits are a date, YYYYMMDD;
- anything else: an ISO 8601 date or datetime, UTC where it names no zone, kept to the millisecond.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from tradingd.data.series import NS_PER_MS, SeriesKind, parse_time
from tradingd.data.tables import FaultHandler, Layout, Problem, normal_name, require_unique
from tradingd.errors import DataError

__all__ = ["CsvTable"]

_SECONDS_BELOW = 100_000_000_000
_MILLISECONDS_BELOW = 1_000 * _SECONDS_BELOW
_DATE_DIGITS = 8
_MS_PER_SECOND = 1_000

Cells = list[str]


class CsvBatch:
    """Rows of a CSV file; they are parsed already, so nothing is null."""

    __slots__ = ("lines", "numbers", "rows", "texts", "times")

    has_nulls = False

    def __init__(self, rows: Sequence[int], lines: Sequence[int]) -> None:
        self.rows = rows
        self.lines = lines
        self.times: list[int] = []
        self.numbers: list[list[float]] = []
        self.texts: list[list[str]] = []

    def is_clean(self, kind: SeriesKind, *, allow_negative: bool) -> bool:  # noqa: ARG002
        """Never told: lists have no cheaper check than looking at each row."""
        return False


class CsvTable:
    """A CSV file with a header.

    Raises:
        DataError: the file cannot be opened, is empty, is not UTF-8, or names a column twice.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        header = next((cells for _, cells in self._lines()), None)
        if header is None:
            raise DataError(f"{path} is empty; it needs a header and rows")
        self.names = tuple(normal_name(cell) for cell in header)
        require_unique(path, self.names)

    def batches(self, layout: Layout, batch_rows: int, on_fault: FaultHandler) -> Iterator[CsvBatch]:
        """See `tables.Table.batches`."""
        lines = self._lines()
        next(lines)
        chunk = list(islice(lines, batch_rows))
        if not chunk:
            raise DataError(f"{self.path} has a header but no rows")
        parser = _Parser(self.path, self.names, layout, chunk[0][1], on_fault)
        first_row = 1
        while chunk:
            batch = parser.parse(chunk, first_row)
            first_row += len(chunk)
            if batch.times:
                yield batch
            chunk = list(islice(lines, batch_rows))

    def _lines(self) -> Iterator[tuple[int, Cells]]:
        """Each line that is not blank, with its number."""
        line = 0
        try:
            with self.path.open(encoding="utf-8-sig", errors="strict", newline="") as file:
                reader = csv.reader(file, strict=True)
                for cells in reader:
                    line = reader.line_num
                    if cells:
                        yield line, cells
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not UTF-8 after line {line}: {error}; convert it") from error
        except csv.Error as error:
            raise DataError(f"{self.path} is damaged after line {line}: {error}; get it again") from error
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}") from error


class _Parser:
    """Turns cells into columns: a column at a time while all is well, else row by row to find the fault."""

    def __init__(
        self, path: Path, names: Sequence[str], layout: Layout, sample: Cells, on_fault: FaultHandler
    ) -> None:
        self._path = path
        self._names = names
        self._on_fault = on_fault
        self._time = names.index(layout.time)
        self._numbers = [names.index(name) for name in layout.numbers]
        self._texts = [names.index(name) for name in layout.texts]
        self._parse_time = _time_parser(sample[self._time] if self._time < len(sample) else "")

    def parse(self, chunk: Sequence[tuple[int, Cells]], first_row: int) -> CsvBatch:
        rows: Sequence[int] = range(first_row, first_row + len(chunk))
        lines = [line for line, _ in chunk]
        try:
            return self._columns(rows, lines, [cells for _, cells in chunk])
        except ValueError:
            good = [index for index, (line, cells) in enumerate(chunk) if self._is_good(rows[index], line, cells)]
        return self._columns(
            [rows[index] for index in good], [lines[index] for index in good], [chunk[index][1] for index in good]
        )

    def _columns(self, rows: Sequence[int], lines: Sequence[int], table: Sequence[Cells]) -> CsvBatch:
        batch = CsvBatch(rows, lines)
        if not table:
            return batch
        columns = list(zip(*table, strict=True))
        if len(columns) != len(self._names):
            raise ValueError
        batch.times = list(map(self._parse_time, columns[self._time]))
        batch.numbers = [list(map(float, columns[index])) for index in self._numbers]
        batch.texts = [[cell.strip() for cell in columns[index]] for index in self._texts]
        return batch

    def _is_good(self, row: int, line: int, cells: Cells) -> bool:
        reason = self._fault(cells)
        if reason:
            self._on_fault(Problem(self._path, row, reason, line))
        return not reason

    def _fault(self, cells: Cells) -> str:
        if len(cells) != len(self._names):
            return f"{len(cells)} fields instead of {len(self._names)}: the file is cut off or damaged here"
        if not _parses(self._parse_time, cells[self._time]):
            return f"{self._names[self._time]} {cells[self._time]!r} is no time like those above it"
        for index in self._numbers:
            if not _parses(float, cells[index]):
                return f"{self._names[index]} {cells[index]!r} is no number"
        return ""


def _parses(parse: Callable[[str], float], cell: str) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def _time_parser(cell: str) -> Callable[[str], int]:
    """How to read a time column whose first cell is `cell`; see the module's docstring for the rule."""
    digits = cell.strip().removeprefix("-")
    if not digits.isdecimal() or len(digits) == _DATE_DIGITS:
        return _iso_ms
    return _seconds_ms if int(digits) < _SECONDS_BELOW else _checked_ms


def _seconds_ms(cell: str) -> int:
    return _checked_ms(cell) * _MS_PER_SECOND


def _checked_ms(cell: str) -> int:
    value = int(cell)
    if abs(value) >= _MILLISECONDS_BELOW:
        raise ValueError
    return value


def _iso_ms(cell: str) -> int:
    try:
        return parse_time(cell) // NS_PER_MS
    except DataError as error:
        raise ValueError from error
