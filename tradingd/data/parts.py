"""A series in parts: a folder `<name>.parts` of files that follow one another, read as if they were one.

Part files are named by their number, `000001.parquet` or `000001.csv`. A file whose name begins with a dot is
being written, and is not read.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from tradingd.data.csv_table import CsvTable
from tradingd.data.parquet_table import ParquetTable
from tradingd.data.tables import Batch, FaultHandler, Layout, Problem, Table
from tradingd.errors import DataError

__all__ = ["PARTS_SUFFIX", "PartsTable", "part_files", "single_table"]

PARTS_SUFFIX = ".parts"
_SUFFIXES = (".parquet", ".csv")


def part_files(folder: Path) -> list[Path]:
    """The parts that are complete, in order."""
    names = (path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.name.startswith("."))
    return sorted(names, key=lambda path: path.stem)


def single_table(path: Path) -> Table:
    """One file as a table of columns, by its suffix.

    Raises:
        DataError: the file is missing, damaged, empty, or neither .parquet nor .csv.

    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return ParquetTable(path)
    if suffix == ".csv":
        return CsvTable(path)
    raise DataError(f"{path} is neither .parquet nor .csv; convert it")


class PartsTable:
    """A folder of parts as one table.

    Raises:
        DataError: the folder has no part, or one of them cannot be read or has other columns.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._files = part_files(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        if not self._files:
            raise DataError(f"{path} has no part that is complete")
        self.names = single_table(self._files[0]).names

    @cached_property
    def last(self) -> Path:
        """The latest part."""
        return self._files[-1]

    def batches(self, layout: Layout, batch_rows: int, on_fault: FaultHandler) -> Iterator[Batch]:
        """See `tables.Table.batches`; rows are counted through all parts."""
        done = 0
        for file in self._files:
            table = single_table(file)
            if table.names != self.names:
                raise DataError(f"{file} has the columns {', '.join(table.names)}, not {', '.join(self.names)}")
            rows = 0

            def refuse(problem: Problem, before: int = done) -> None:
                on_fault(Problem(problem.path, problem.row + before, problem.reason, problem.line))

            for batch in table.batches(layout, batch_rows, refuse):
                rows = batch.rows[-1]
                yield _Shifted(batch, done) if done else batch
            done += rows


class _Shifted:
    """A batch whose rows are counted from further on."""

    def __init__(self, batch: Batch, before: int) -> None:
        self._batch = batch
        self.rows = [row + before for row in batch.rows]
        self.lines = batch.lines
        self.is_clean = batch.is_clean

    @property
    def times(self) -> list[int]:
        return self._batch.times

    @property
    def numbers(self) -> list[list[float]]:
        return self._batch.numbers

    @property
    def texts(self) -> list[list[str]]:
        return self._batch.texts

    @property
    def has_nulls(self) -> bool:
        return self._batch.has_nulls
