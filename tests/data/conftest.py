"""Files of market data in tmp_path, in both formats."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradingd.data import SeriesKind, SeriesSpec, parse_interval

Columns = Mapping[str, Sequence[Any]]
MakeFile = Callable[[str, Columns], Path]
MakeSpec = Callable[..., SeriesSpec]

START_MS = 1_577_836_800_000  # 2020-01-01, a Wednesday
MINUTE_MS = 60_000


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Write columns to tmp_path/name; the suffix chooses the format."""

    def make(name: str, columns: Columns) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(pa.table({key: list(values) for key, values in columns.items()}), path)
            return path
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        return path

    return make


@pytest.fixture(params=["csv", "parquet"])
def suffix(request: pytest.FixtureRequest) -> str:
    """Each format in turn."""
    return str(request.param)


@pytest.fixture
def bar_columns() -> Callable[..., dict[str, list[Any]]]:
    """Sound minute bars as columns, with whole columns or single cells replaced."""

    def make(count: int = 4, cells: Mapping[tuple[str, int], Any] | None = None) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {
            "timestamp": [START_MS + MINUTE_MS * index for index in range(count)],
            "open": [100.0 + index for index in range(count)],
            "high": [101.0 + index for index in range(count)],
            "low": [99.0 + index for index in range(count)],
            "close": [100.5 + index for index in range(count)],
            "volume": [10.0] * count,
        }
        for (name, index), value in (cells or {}).items():
            columns[name][index] = value
        return columns

    return make


@pytest.fixture
def make_spec() -> MakeSpec:
    """A spec of minute bars of X, unless told."""

    def make(path: Path, **fields: Any) -> SeriesSpec:
        kind = fields.get("kind", SeriesKind.BARS)
        interval = parse_interval(fields.pop("interval", "1m")) if kind == SeriesKind.BARS else 0
        return SeriesSpec(symbol=fields.pop("symbol", "X"), path=path, interval_ns=interval, **fields)

    return make


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded data that is for tests only."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tests_only"
    if not folder.is_dir():
        pytest.skip(f"the recorded market data is not here: {folder}")
    return folder
