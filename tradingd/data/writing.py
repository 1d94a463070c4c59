"""Writing series: tables of columns in both formats, their sidecars, and files that appear at once."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tradingd.data.parquet_table import import_pyarrow
from tradingd.data.tables import Batch, Layout

__all__ = ["Write", "csv_writer", "parquet_writer", "sidecar_text", "staged"]

_FLAGS = {"inverse", "allow_negative_prices"}

Write = Callable[[Batch], None]


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place at the end, or vanishes if that is not reached."""
    beside = target.with_name(f".{target.name}.importing")
    try:
        yield beside
        os.replace(beside, target)  # noqa: PTH105 - the atomic one, by its name
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def parquet_writer(path: Path, layout: Layout) -> Iterator[Write]:
    """A Parquet file of a layout's columns; a batch becomes a row group."""
    pa = import_pyarrow()
    types = [pa.int64(), *(pa.float64() for _ in layout.numbers), *(pa.string() for _ in layout.texts)]
    schema = pa.schema(list(zip(layout.names, types, strict=True)))
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda batch: writer.write_batch(pa.record_batch(_columns(batch), schema=schema))


@contextmanager
def csv_writer(path: Path, layout: Layout) -> Iterator[Write]:
    """A CSV file of a layout's columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(layout.names)
        yield lambda batch: writer.writerows(zip(*_columns(batch), strict=True))


def _columns(batch: Batch) -> list[list[int] | list[float] | list[str]]:
    return [batch.times, *batch.numbers, *batch.texts]


def sidecar_text(head: Mapping[str, str | int], instrument: Mapping[str, str]) -> str:
    """A sidecar: what is in `head` and not empty, and the instrument's fields."""
    said = {key: value for key, value in head.items() if value}
    lines = [f"{key} = {_toml_text(value) if isinstance(value, str) else value}" for key, value in said.items()]
    return "\n".join([*lines, "", "[instrument]", *_toml_table(instrument), ""])


def _toml_table(table: Mapping[str, str]) -> Iterable[str]:
    for key, value in table.items():
        is_flag = key in _FLAGS and value.lower() in {"true", "false"}
        yield f"{key} = {value.lower() if is_flag else _toml_text(value)}"


def _toml_text(text: str) -> str:
    # JSON's escapes are all TOML's, too; only DEL may stand bare in JSON and not in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
