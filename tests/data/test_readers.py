"""Reading series as events."""

import tracemalloc
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradingd.data import SeriesKind, SeriesSpec, parse_time, read_events, scan
from tradingd.data.parquet_table import _to_list
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, Quote, Trade
from tradingd.errors import DataError

MakeFile = Callable[..., Path]
MakeSpec = Callable[..., SeriesSpec]
BarColumns = Callable[..., dict[str, list[Any]]]

START = parse_time("2020-01-01")
START_MS = START // 10**6
MINUTE = 60 * 10**9


def test_bar_is_known_at_its_close(
    suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """A bar's time is its close: the file's open plus the interval."""
    first, second, *_ = read_events(make_spec(make_file(f"x.{suffix}", bar_columns())))
    assert first == Bar(START + MINUTE, "X", 100.0, 101.0, 99.0, 100.5, 10.0, START)
    assert (second.ts, second.price) == (START + 2 * MINUTE, 101.5)


@pytest.mark.parametrize(
    ("start", "end", "opens"),
    [
        (None, None, [0, 1, 2, 3]),
        (START + MINUTE, None, [1, 2, 3]),
        (START + MINUTE + 1, None, [2, 3]),
        (None, START + 2 * MINUTE, [0, 1, 2]),
        (None, START + 2 * MINUTE - 1, [0, 1]),
        (START + MINUTE, START + MINUTE, [1]),
        (START + 1, START + 2, []),
        (START + 9 * MINUTE, None, []),
        (None, START - 1, []),
    ],
)
def test_range(
    start: int | None,
    end: int | None,
    opens: list[int],
    suffix: str,
    make_file: MakeFile,
    make_spec: MakeSpec,
    bar_columns: BarColumns,
) -> None:
    """The range is of the bars' opens, both ends included; the scan counts what the reader reads."""
    spec = make_spec(make_file(f"x.{suffix}", bar_columns(4)))
    for batch_rows in (1, 3, 8192):
        bars = read_events(spec, start, end, batch_rows=batch_rows)
        assert [(bar.ts_open - START) // MINUTE for bar in bars if isinstance(bar, Bar)] == opens
    report = scan(spec, start, end)
    assert (report.rows, report.rows_in_range) == (4, len(opens))
    assert report.range_first_ts == (START + opens[0] * MINUTE if opens else None)
    assert report.range_last_ts == (START + opens[-1] * MINUTE if opens else None)
    assert (report.first_ts, report.last_ts) == (START, START + 3 * MINUTE)


def test_adjusted_prices(suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Adjusted prices are all four scaled by adj_close / close; volume stays as it was traded."""
    columns = bar_columns(2) | {"close": [101.0, 101.5], "adj_close": [50.5, 101.5]}
    first, second = read_events(make_spec(make_file(f"x.{suffix}", columns)), prices="adjusted")
    assert first == Bar(START + MINUTE, "X", 50.0, 50.5, 49.5, 50.5, 10.0, START)
    assert second.price == 101.5


def test_adjusting_keeps_the_close_within_the_bar(
    make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """A close at the high is still at the high once adjusted, whatever the rounding."""
    columns = bar_columns(500)
    columns |= {"close": columns["high"], "adj_close": [price * 0.123_456_789 for price in columns["high"]]}
    bars = read_events(make_spec(make_file("x.parquet", columns)), prices="adjusted")
    assert all(bar.close == bar.high for bar in bars if isinstance(bar, Bar))


def test_no_adjusted_close(suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Adjusted prices of a file without adj_close are refused at once, with the columns there are."""
    spec = make_spec(make_file(f"x.{suffix}", bar_columns()))
    message = r"need the column adj_close; the file has: timestamp, open, high, low, close, volume. Use raw prices"
    with pytest.raises(DataError, match=message):
        read_events(spec, prices="adjusted")


def test_trades(suffix: str, make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A trade is known when it was received, and told with the taker's side."""
    columns = {
        "timestamp": [START_MS, START_MS + 5],
        "price": [100.0, 101.0],
        "amount": [1.0, 2.0],
        "side": ["buy", "SELL"],
        "id": ["7", "8"],
        "recv_timestamp": [START_MS + 1, START_MS + 3],
    }
    spec = make_spec(make_file(f"x.{suffix}", columns), kind=SeriesKind.TRADES)
    assert list(read_events(spec)) == [
        Trade(START + 10**6, "X", 100.0, 1.0, Side.BUY, "7"),
        Trade(START + 3 * 10**6, "X", 101.0, 2.0, Side.SELL, "8"),
    ]


def test_trades_without_id(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """Trades may have no ids and no receive time."""
    columns = {"time": [START_MS], "price": [1.0], "amount": [2.0], "side": ["sell"]}
    spec = make_spec(make_file("x.parquet", columns), kind=SeriesKind.TRADES)
    assert list(read_events(spec)) == [Trade(START, "X", 1.0, 2.0, Side.SELL)]


def test_numeric_trade_ids(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """Ids that a file holds as numbers are text in events."""
    columns = {"time": [START_MS], "price": [1.0], "amount": [2.0], "side": ["sell"], "id": [12]}
    spec = make_spec(make_file("x.parquet", columns), kind=SeriesKind.TRADES)
    assert [event.trade_id for event in read_events(spec) if isinstance(event, Trade)] == ["12"]


def test_unknown_side(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A reader that no scan preceded refuses an unknown side all the same."""
    columns = {"time": [START_MS], "price": [1.0], "amount": [2.0], "side": ["long"]}
    spec = make_spec(make_file("x.csv", columns), kind=SeriesKind.TRADES)
    with pytest.raises(DataError, match="side 'long' is neither buy nor sell"):
        list(read_events(spec))


def test_quotes(suffix: str, make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A quote has prices and sizes, whatever the order of the file's columns."""
    columns = {
        "recv_timestamp": [START_MS],
        "seq": [1],
        "bid": [99.0],
        "bid_size": [1.0],
        "ask": [100.0],
        "ask_size": [2.0],
    }
    spec = make_spec(make_file(f"x.{suffix}", columns), kind=SeriesKind.QUOTES)
    assert list(read_events(spec)) == [Quote(START, "X", 99.0, 100.0, 1.0, 2.0)]


@pytest.mark.parametrize(
    "cells",
    [
        ("1577836800000", "1577836860000"),
        ("1577836800", "1577836860"),
        ("2020-01-01T00:00:00", "2020-01-01T00:01:00"),
        ("2020-01-01 00:00:00+00:00", "2020-01-01 00:01:00Z"),
        ("2020-01-01", "2020-01-01T00:01"),
        ("20200101", "20200101T0001"),
    ],
)
@pytest.mark.parametrize("name", ["timestamp", "Time", "Date", "datetime"])
def test_csv_times(
    name: str, cells: tuple[str, str], make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """A CSV file's times may be milliseconds, seconds or ISO text, under several names."""
    columns = {name: list(cells)} | bar_columns(2)
    if name != "timestamp":
        del columns["timestamp"]
    columns[name] = list(cells)
    bars = read_events(make_spec(make_file("x.csv", columns)))
    assert [bar.ts_open for bar in bars if isinstance(bar, Bar)] == [START, START + MINUTE]


def test_csv_of_a_spreadsheet(tmp_path: Path, make_spec: MakeSpec) -> None:
    """A byte order mark, capitals and blanks in the header and blank lines are tolerated."""
    path = tmp_path / "x.csv"
    text = "\ufeffDate, Open ,High,Low,Close,Adj Close,Volume\r\n2020-01-01,1,2,1,2,1,5\r\n\r\n"
    path.write_text(text, encoding="utf-8", newline="")
    (bar,) = read_events(make_spec(path), prices="adjusted")
    assert bar == Bar(START + MINUTE, "X", 0.5, 1.0, 0.5, 1.0, 5.0, START)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([datetime(2020, 1, 1, tzinfo=UTC)], pa.timestamp("ns", tz="UTC")),
        pa.array([datetime(2020, 1, 1)], pa.timestamp("us")),  # noqa: DTZ001 - without a zone it is UTC
        pa.array([date(2020, 1, 1)], pa.date32()),
        pa.array([START_MS], pa.uint64()),
    ],
)
def test_parquet_time_types(times: pa.Array, tmp_path: Path, make_spec: MakeSpec) -> None:
    """A Parquet file's times may be of Arrow's own types."""
    prices = {name: [1.0] for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"date": times, **prices, "volume": [1]}), tmp_path / "x.parquet")
    (bar,) = read_events(make_spec(tmp_path / "x.parquet"))
    assert bar == Bar(START + MINUTE, "X", 1.0, 1.0, 1.0, 1.0, 1.0, START)


@pytest.mark.parametrize(
    "prices",
    [
        pa.array([1.5, 2.5], pa.float32()),
        pa.array([Decimal("1.5"), Decimal("2.5")], pa.decimal128(10, 2)),
    ],
)
def test_parquet_number_types(prices: pa.Array, tmp_path: Path, make_spec: MakeSpec) -> None:
    """A Parquet file's numbers may be of any numeric type."""
    columns = dict.fromkeys(("open", "high", "low", "close"), prices)
    table = pa.table({"timestamp": [START_MS, START_MS + 60_000], **columns, "volume": [1, 2]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert [bar.price for bar in read_events(make_spec(tmp_path / "x.parquet"))] == [1.5, 2.5]


def test_slices_of_buffers() -> None:
    """A slice of an Arrow array becomes the list of just its values."""
    assert _to_list(pa.array([1.0, 2.0, 3.0, 4.0])[1:3], "d", 0.0) == [2.0, 3.0]
    assert _to_list(pa.array([1, None, 3])[1:], "q", -1) == [-1, 3]
    assert _to_list(pa.array([], pa.int64()), "q", -1) == []


def test_batches_do_not_show(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """The events are the same whatever the batches and the row groups are."""
    path = make_file("x.parquet", bar_columns(1_000))
    expected = list(read_events(make_spec(path)))
    pq.write_table(pq.read_table(path), path.with_name("groups.parquet"), row_group_size=77)
    assert list(read_events(make_spec(path.with_name("groups.parquet")), batch_rows=50)) == expected


def peak(work: Callable[[], object]) -> int:
    """The most bytes of Python objects that some work held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_flat(suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Ten times (of CSV, which takes its time: three times) the rows need no more memory to read or to scan."""
    rows = {"csv": (20_000, 60_000), "parquet": (20_000, 200_000)}[suffix]
    small, large = (make_spec(make_file(f"{count}.{suffix}", bar_columns(count))) for count in rows)
    for work in (lambda spec: deque(read_events(spec), maxlen=0), scan):
        work(small)  # imports and caches are not what is measured
        assert peak(lambda work=work: work(large)) < 1.2 * peak(lambda work=work: work(small))


def test_arrow_memory_is_flat(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """What Arrow holds while a file is read are a few pages of it, however long the row group."""
    peaks = []
    for count in (150_000, 450_000):
        spec = make_spec(make_file("x.parquet", bar_columns(count)))
        peaks.append(max(pa.total_allocated_bytes() for _ in read_events(spec)))
    assert peaks[1] < 1.2 * peaks[0]
