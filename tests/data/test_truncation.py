"""Copies of data files that end at a moment."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradingd.data.series import NS_PER_MS, SeriesKind, SeriesSpec
from tradingd.data.truncation import DataFile, data_file, recorded_file, truncate
from tradingd.errors import DataError

MINUTE_MS = 60_000
START_MS = 1_600_000_020_000
BARS = "timestamp,open,high,low,close,volume,note\n" + "".join(
    f'{START_MS + index * MINUTE_MS},1.10,2,1,1.5,7,"a, {index}"\n' for index in range(6)
)


def ns(minutes: float) -> int:
    """Nanoseconds UTC, that many minutes after the first bar's open."""
    return int((START_MS + minutes * MINUTE_MS) * NS_PER_MS)


def write(folder: Path, suffix: str) -> Path:
    """Six one-minute bars with a column more."""
    path = folder / f"bars{suffix}"
    if suffix == ".csv":
        path.write_text("\ufeff" + BARS, encoding="utf-8")
    else:
        times = [START_MS + index * MINUTE_MS for index in range(6)]
        prices = {name: [1.5] * 6 for name in ("open", "high", "low", "close")}
        table = pa.table({"timestamp": times, **prices, "note": [str(index) for index in range(6)]})
        pq.write_table(table.replace_schema_metadata({"who": "me"}), path, row_group_size=2)
    return path


def times_of(path: Path) -> list[int]:
    """The bars of a file, by their number."""
    if path.suffix == ".csv":
        times = [int(line.partition(",")[0]) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    else:
        times = pq.read_table(path, use_threads=False)["timestamp"].to_pylist()
    return [(time - START_MS) // MINUTE_MS for time in times]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(("until", "left"), [(3, 3), (2.99, 2), (1, 1), (0.5, 0), (6, 6), (99, 6)])
def test_a_bar_is_kept_from_its_close_on(tmp_path: Path, suffix: str, until: float, left: int) -> None:
    """A bar is known at its close, not at the open that its row is stamped with."""
    target = tmp_path / f"cut{suffix}"
    truncate(data_file(write(tmp_path, suffix)), target, ns(until))
    assert times_of(target) == list(range(left))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_kept_is_kept_whole(tmp_path: Path, suffix: str) -> None:
    """All columns stay, those that nobody reads and the texts included, as they are written."""
    source, target = write(tmp_path, suffix), tmp_path / f"cut{suffix}"
    truncate(data_file(source), target, ns(4))
    if suffix == ".csv":
        assert target.read_text(encoding="utf-8").splitlines() == BARS.splitlines()[:5]
    else:
        whole, cut = pq.read_table(source, use_threads=False), pq.read_table(target, use_threads=False)
        assert cut.equals(whole.slice(0, 4))
        assert cut.schema.metadata[b"who"] == b"me"


def test_the_catalog_knows_better_how_long_bars_are(tmp_path: Path) -> None:
    """With holes in a file, the smallest distance of rows may be more than a bar; what is configured counts."""
    spec = SeriesSpec(symbol="X", path=write(tmp_path, ".csv"), interval_ns=3 * MINUTE_MS * NS_PER_MS)
    truncate(recorded_file(spec), tmp_path / "cut.csv", ns(4))
    assert times_of(tmp_path / "cut.csv") == [0, 1]


def test_ticks_are_known_when_they_were_received(tmp_path: Path) -> None:
    """Of ticks the time of receipt counts, and they have no length."""
    path = tmp_path / "trades.csv"
    rows = [f"{START_MS},{START_MS + 1000 * index},1,1,buy" for index in range(5)]
    path.write_text("timestamp,recv_timestamp,price,amount,side\n" + "\n".join(rows) + "\n")
    file = recorded_file(SeriesSpec(symbol="X", path=path, kind=SeriesKind.TRADES))
    assert file == data_file(path) == DataFile(path, "recv_timestamp", 0)
    truncate(file, tmp_path / "cut.csv", ns(0) + 2 * 10**9)
    assert len((tmp_path / "cut.csv").read_text().splitlines()) == 4


def test_rows_out_of_order_are_judged_one_by_one(tmp_path: Path) -> None:
    """A file that a strategy reads by itself may be in any order; each row goes by its own time."""
    path = tmp_path / "events.csv"
    path.write_text("date,what\n2020-01-03,c\n2020-01-01,a\nsoon,x\n2020-01-02,b\n")
    truncate(data_file(path), tmp_path / "cut.csv", 1_577_923_200 * 10**9)
    assert (tmp_path / "cut.csv").read_text() == "date,what\n2020-01-01,a\n2020-01-02,b\n"


def test_a_file_without_times_cannot_be_cut(tmp_path: Path) -> None:
    """It is said which columns would do."""
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column of times"):
        data_file(path)
