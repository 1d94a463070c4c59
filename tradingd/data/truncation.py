"""Copies of data files that end at a moment: what a file would have held then."""

import csv
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from tradingd.data.parquet_table import import_pyarrow
from tradingd.data.parts import PARTS_SUFFIX, part_files, single_table
from tradingd.data.readers import open_table
from tradingd.data.series import NS_PER_MS, SeriesKind, SeriesSpec
from tradingd.data.tables import Layout, Problem, Table
from tradingd.errors import DataError

__all__ = ["DATA_SUFFIXES", "DataFile", "data_file", "recorded_file", "truncate"]

DATA_SUFFIXES = frozenset({".csv", ".parquet"})

_ROWS = 65_536
_BAR_COLUMNS = frozenset({"open", "high", "low", "close"})
# As the readers choose: a tick is known when it was received, a bar has no such time.
_TIME_NAMES = ("timestamp", "time", "date", "datetime")
_TICK_TIME_NAMES = ("recv_timestamp", *_TIME_NAMES)


class DataFile(msgspec.Struct, frozen=True):
    """A file whose rows can be told apart by time: a row of time t is known at t + `interval_ns`."""

    path: Path
    time: str
    interval_ns: int


def recorded_file(spec: SeriesSpec) -> DataFile:
    """The file of a series, whose catalog or configuration says how long its bars are."""
    names = open_table(spec.path).names
    is_bars = spec.kind == SeriesKind.BARS
    return DataFile(spec.path, _time_column(spec.path, names, is_bars=is_bars), spec.interval_ns)


def data_file(path: Path) -> DataFile:
    """Any CSV or Parquet file with a time; bars are as long as the smallest distance of two rows.

    Raises:
        DataError: it cannot be read, or has no column of times.

    """
    table = open_table(path)
    is_bars = set(table.names) >= _BAR_COLUMNS
    time = _time_column(path, table.names, is_bars=is_bars)
    return DataFile(path, time, _smallest_step(table, time) if is_bars else 0)


def truncate(file: DataFile, target: Path, until_ns: int) -> None:
    """Write to `target` the rows of `file` that were known at `until_ns`, with all their columns.

    Raises:
        DataError: the file cannot be read.

    """
    table = open_table(file.path)
    last = (until_ns - file.interval_ns) // NS_PER_MS
    known = bytearray()
    for row, time in _times(table, file.time):
        known.extend(bytes(row - 1 - len(known)))  # rows that could not be parsed are not known to be known
        known.append(time <= last)
    if file.path.suffix == PARTS_SUFFIX:
        _copy_parts(file, target, known)
    else:
        _copy_of(file.path)(file.path, target, known)


def _copy_of(path: Path) -> Callable[[Path, Path, bytearray], None]:
    return _copy_csv if path.suffix.lower() == ".csv" else _copy_parquet


def _copy_parts(file: DataFile, target: Path, known: bytearray) -> None:
    target.mkdir()
    first = 0
    for part in part_files(file.path):
        rows = sum(1 for _ in _times(single_table(part), file.time))
        flags, first = known[first : first + rows], first + rows
        if any(flags):
            _copy_of(part)(part, target / part.name, flags)


def _time_column(path: Path, names: tuple[str, ...], *, is_bars: bool) -> str:
    wanted = _TIME_NAMES if is_bars else _TICK_TIME_NAMES
    found = next((name for name in wanted if name in names), "")
    if not found:
        raise DataError(f"{path} has no column of times ({', '.join(wanted)})")
    return found


def _times(table: Table, column: str) -> Iterator[tuple[int, int]]:
    for batch in table.batches(Layout(column, ()), _ROWS, _pass_over):
        yield from zip(batch.rows, batch.times, strict=True)


def _pass_over(_problem: Problem) -> None:
    """A row whose time cannot be read; whoever loads the file is told of it."""


def _smallest_step(table: Table, column: str) -> int:
    times = (time for _, time in _times(table, column))
    return min((later - time for time, later in pairwise(times) if later > time), default=0) * NS_PER_MS


def _copy_csv(source: Path, target: Path, known: bytearray) -> None:
    with (
        source.open(encoding="utf-8-sig", newline="") as rows,
        target.open("w", encoding="utf-8", newline="") as copy,
    ):
        writer = csv.writer(copy, lineterminator="\n")
        filled = (cells for cells in csv.reader(rows) if cells)
        writer.writerow(next(filled))
        writer.writerows(cells for cells, is_known in zip(filled, known, strict=False) if is_known)


def _copy_parquet(source: Path, target: Path, known: bytearray) -> None:
    pa = import_pyarrow()
    first = 0
    with (
        pa.parquet.ParquetFile(source, pre_buffer=False) as file,
        pa.parquet.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer,
    ):
        for record in file.iter_batches(_ROWS, use_threads=False):
            flags = known[first : first + record.num_rows]
            first += record.num_rows
            if any(flags):
                writer.write_batch(record if all(flags) else record.filter(pa.array(map(bool, flags))))
