"""Parquet files as tables, streamed by pyarrow and handed on as Python lists, without numpy.

The time column holds int64 milliseconds UTC, or Arrow's own timestamp or date type (UTC where it has no zone).
pyarrow is imported when the first file is opened, because a live daemon needs none of it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tradingd.data.column_rules import CLEAN
from tradingd.data.series import SeriesKind
from tradingd.data.tables import FaultHandler, Layout, normal_name, require_unique
from tradingd.errors import DataError

__all__ = ["NULL_TIME", "ArrowBatch", "ParquetTable", "import_pyarrow"]

NULL_TIME = -(2**63)
"""What a null in the time column reads as."""

# Streams a column chunk instead of holding all of it: a row group may be the whole file.
_BUFFER_BYTES = 1 << 16
_NAN = float("nan")


def import_pyarrow() -> Any:  # noqa: ANN401 - pyarrow has no types
    """The pyarrow module with its parquet submodule.

    Raises:
        DataError: it is not installed.

    """
    # What is read here is of one size and short-lived; the pool that Arrow takes by itself keeps 15 MiB of it.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        import pyarrow as pa
        import pyarrow.parquet  # makes pa.parquet
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: pip install 'tradingd[data]'") from error
    return pa


class ArrowBatch:
    """Rows of a Parquet file; a column becomes a list when it is first asked for."""

    lines = ()

    def __init__(self, layout: Layout, arrays: dict[str, Any], first_row: int) -> None:
        self._layout = layout
        self._arrays = arrays
        self.rows = range(first_row, first_row + len(arrays[layout.time]))

    @cached_property
    def times(self) -> list[int]:
        """See `tables.Batch.times`; a null is NULL_TIME."""
        return _to_list(self._arrays[self._layout.time], "q", NULL_TIME)

    @cached_property
    def numbers(self) -> list[list[float]]:
        """See `tables.Batch.numbers`."""
        return [_to_list(self._arrays[name], "d", _NAN) for name in self._layout.numbers]

    @cached_property
    def texts(self) -> list[list[str]]:
        """See `tables.Batch.texts`."""
        columns = [self._arrays[name].to_pylist() for name in self._layout.texts]
        return [["" if value is None else value for value in column] for column in columns]

    @property
    def has_nulls(self) -> bool:
        """See `tables.Batch.has_nulls`."""
        names = (self._layout.time, *self._layout.numbers)
        return any(self._arrays[name].null_count for name in names)

    def is_clean(self, kind: SeriesKind, *, allow_negative: bool) -> bool:
        """See `tables.Batch.is_clean`; over whole columns."""
        if any(array.null_count for array in self._arrays.values()):
            return False  # a missing text would read as an empty one
        return CLEAN[kind](self.numbers, self.texts, allow_negative=allow_negative)


def _to_list(array: Any, code: Literal["q", "d"], null: float) -> list[Any]:  # noqa: ANN401
    """An int64 ("q") or float64 ("d") array as a list, some times faster than `to_pylist`."""
    if array.null_count:
        array = array.fill_null(null)
    if not len(array):
        return []
    start = array.offset  # a batch may be a slice of a longer buffer
    values: memoryview[Any] = memoryview(array.buffers()[1]).cast(code)
    return values[start : start + len(array)].tolist()


class ParquetTable:
    """A Parquet file.

    Raises:
        DataError: pyarrow is missing, or the file is, or it is truncated, no Parquet, or names a column twice.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pa = import_pyarrow()
        with self._open() as file:
            schema = file.schema_arrow
            self._rows = file.metadata.num_rows
        self._physical = {normal_name(name): name for name in schema.names}
        self._types = {normal_name(field.name): field.type for field in schema}
        self.names = tuple(map(normal_name, schema.names))
        require_unique(path, self.names)

    def batches(self, layout: Layout, batch_rows: int, on_fault: FaultHandler) -> Iterator[ArrowBatch]:  # noqa: ARG002
        """See `tables.Table.batches`; what is typed is never unparsable, so `on_fault` is never called."""
        if not self._rows:
            raise DataError(f"{self.path} has no rows")
        casts = self._casts(layout)
        first_row = 1
        try:
            with self._open() as file:
                columns = [self._physical[name] for name in layout.names]
                for record in file.iter_batches(batch_rows, columns=columns, use_threads=False):
                    arrays = {name: self._array(record, name, casts[name]) for name in layout.names}
                    yield ArrowBatch(layout, arrays, first_row)
                    first_row += record.num_rows
        except (self._pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.path} is damaged at or after row {first_row}: {error}; get it again"
            ) from error

    def _array(self, record: Any, name: str, cast: Any) -> Any:  # noqa: ANN401
        array = record.column(self._physical[name])
        for target in cast:
            array = array.cast(target, safe=False)
        return array

    def _casts(self, layout: Layout) -> dict[str, list[Any]]:
        """For each column the types to cast it to, one after another."""
        casts = {name: self._number_cast(name) for name in layout.numbers}
        texts = {name: [self._pa.large_string()] for name in layout.texts}
        return {**casts, **texts, layout.time: self._time_cast(layout.time)}

    def _number_cast(self, name: str) -> list[Any]:
        types, kind = self._pa.types, self._types[name]
        if types.is_float64(kind):
            return []
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            return [self._pa.float64()]
        raise DataError(f"{self.path}: the column {name} holds {kind}; convert it to numbers (float64)")

    def _time_cast(self, name: str) -> list[Any]:
        types, kind = self._pa.types, self._types[name]
        if types.is_integer(kind):
            return [] if types.is_int64(kind) else [self._pa.int64()]
        if types.is_timestamp(kind):
            return [self._pa.timestamp("ms", tz=kind.tz), self._pa.int64()]
        if types.is_date(kind):
            return [self._pa.timestamp("ms"), self._pa.int64()]
        raise DataError(f"{self.path}: the column {name} holds {kind}; convert it to int64 milliseconds UTC")

    @contextmanager
    def _open(self) -> Iterator[Any]:
        if not self.path.is_file():
            raise DataError(f"{self.path} cannot be read: there is no such file")
        try:
            file = self._pa.parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        except (self._pa.ArrowException, OSError) as error:
            raise DataError(f"{self.path} is truncated or no Parquet file: {error}; get it again") from error
        with file:
            yield file
