"""What a scan refuses, in both formats: always with the file, the row and the reason."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tradingd.data import Problem, SeriesKind, SeriesSpec, read_events, scan
from tradingd.errors import DataError

MakeFile = Callable[..., Path]
MakeSpec = Callable[..., SeriesSpec]
BarColumns = Callable[..., dict[str, list[Any]]]

START_MS = 1_577_836_800_000
NAN, INF = math.nan, math.inf

BAD_BARS = [
    ({("open", 2): NAN}, "open is nan, missing or not finite"),
    ({("high", 2): INF}, "high is inf, missing or not finite"),
    ({("volume", 2): NAN}, "volume is nan, missing or not finite"),
    ({("low", 2): 110.0, ("high", 2): 105.0}, "high 105.0 is below low 110.0"),
    ({("volume", 2): -1.0}, "volume -1.0 is negative"),
    ({("low", 2): 0.0}, "low 0.0 is not positive"),
    ({("close", 2): -3.0}, "close -3.0 is not positive"),
    ({("timestamp", 2): START_MS + 60_000}, "the time 2020-01-01 00:01:00 is a duplicate of the row above"),
    ({("timestamp", 2): START_MS}, "the time 2020-01-01 00:00:00 is before that of the row above"),
]
GOOD_TRADE = {"timestamp": START_MS, "price": 100.0, "amount": 1.0, "side": "buy"}
BAD_TRADES = [
    ({"timestamp": START_MS - 1}, "is before that of the row above"),
    ({"price": 0.0}, "price 0.0 is not positive"),
    ({"price": NAN}, "price is nan"),
    ({"amount": 0.0}, "amount 0.0 is not positive"),
    ({"amount": -1.0}, "amount -1.0 is not positive"),
    ({"side": "long"}, "side 'long' is neither buy nor sell"),
    ({"id": "1"}, "the id 1 is that of the row above"),
]
GOOD_QUOTE = {"timestamp": START_MS, "bid": 99.0, "ask": 100.0, "bid_size": 1.0, "ask_size": 0.0}
BAD_QUOTES = [
    ({"timestamp": START_MS - 1}, "is before that of the row above"),
    ({"bid": 100.5}, "bid 100.5 is above ask 100.0: the quote is crossed"),
    ({"bid": 0.0}, "bid 0.0 is not positive"),
    ({"ask": NAN}, "ask is nan"),
    ({"bid_size": -1.0}, "bid_size -1.0 is negative"),
    ({"ask_size": INF}, "ask_size is inf"),
]


def only_problem(spec: SeriesSpec) -> Problem:
    """The one problem that a scan finds."""
    report = scan(spec)
    assert report.problem_count == 1
    return report.problems[0]


def tick_columns(good: dict[str, Any], bad: dict[str, Any]) -> dict[str, list[Any]]:
    """Three rows, the second of which is bad."""
    ids = {"id": ["1", "2", "3"]} if "side" in good else {}
    columns = {name: [value] * 3 for name, value in good.items()} | ids
    for name, value in bad.items():
        columns[name][1] = value
    return columns


@pytest.mark.parametrize(("cells", "reason"), BAD_BARS)
def test_bad_bar(
    cells: dict[tuple[str, int], float],
    reason: str,
    suffix: str,
    make_file: MakeFile,
    make_spec: MakeSpec,
    bar_columns: BarColumns,
) -> None:
    """A bar that cannot be is refused with its file, row and reason."""
    path = make_file(f"x.{suffix}", bar_columns(4, cells))
    problem = only_problem(make_spec(path))
    assert (problem.path, problem.row) == (path, 3)
    assert reason in problem.reason
    assert problem.line == (4 if suffix == "csv" else 0)


@pytest.mark.parametrize(("bad", "reason"), BAD_TRADES)
def test_bad_trade(
    bad: dict[str, Any], reason: str, suffix: str, make_file: MakeFile, make_spec: MakeSpec
) -> None:
    """A trade that cannot be is refused with its file, row and reason."""
    path = make_file(f"x.{suffix}", tick_columns(GOOD_TRADE, bad))
    problem = only_problem(make_spec(path, kind=SeriesKind.TRADES))
    assert (problem.path, problem.row) == (path, 2)
    assert reason in problem.reason


@pytest.mark.parametrize(("bad", "reason"), BAD_QUOTES)
def test_bad_quote(
    bad: dict[str, Any], reason: str, suffix: str, make_file: MakeFile, make_spec: MakeSpec
) -> None:
    """A quote that cannot be is refused with its file, row and reason."""
    path = make_file(f"x.{suffix}", tick_columns(GOOD_QUOTE, bad))
    problem = only_problem(make_spec(path, kind=SeriesKind.QUOTES))
    assert (problem.path, problem.row) == (path, 2)
    assert reason in problem.reason


@pytest.mark.parametrize(("kind", "good"), [(SeriesKind.TRADES, GOOD_TRADE), (SeriesKind.QUOTES, GOOD_QUOTE)])
def test_ticks_may_share_a_time(
    kind: SeriesKind, good: dict[str, Any], suffix: str, make_file: MakeFile, make_spec: MakeSpec
) -> None:
    """Several ticks of one millisecond are sound."""
    report = scan(make_spec(make_file(f"x.{suffix}", tick_columns(good, {})), kind=kind))
    assert (report.rows, report.problem_count, report.warning_count) == (3, 0, 0)


def test_locked_quote(suffix: str, make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A bid that equals the ask is sound."""
    path = make_file(f"x.{suffix}", tick_columns(GOOD_QUOTE, {"bid": 100.0}))
    assert scan(make_spec(path, kind=SeriesKind.QUOTES)).problem_count == 0


def test_negative_prices_allowed(
    suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """Where the series says so a price may be negative, as oil's was in April 2020."""
    path = make_file(f"x.{suffix}", bar_columns(4, {("low", 2): -36.98}))
    assert scan(make_spec(path, instrument={"allow_negative_prices": True})).problem_count == 0


@pytest.mark.parametrize("name", ["open", "close"])
def test_odd_bar(
    name: str, suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """An open or close outside of the bar's range is a warning, no refusal."""
    report = scan(make_spec(make_file(f"x.{suffix}", bar_columns(4, {(name, 1): 200.0}))))
    assert (report.problem_count, report.warning_count) == (0, 1)
    assert (report.warnings[0].row, report.warnings[0].reason) == (
        2,
        f"{name} 200.0 is outside of low 100.0 and high 102.0",
    )


def test_wrong_interval(suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Bars that overlap are warned of: the interval is probably wrong."""
    report = scan(make_spec(make_file(f"x.{suffix}", bar_columns(3)), interval="1h"))
    assert [warning.row for warning in report.warnings] == [2, 3]
    assert "opens before the bar above closes; is the interval 1h right?" in report.warnings[0].reason


def test_fault_across_batches(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A duplicate is found where one batch ends and the next begins, too."""
    columns = bar_columns(8_300)
    columns["timestamp"][8_192:] = columns["timestamp"][8_191:-1]
    problem = only_problem(make_spec(make_file("x.parquet", columns)))
    assert (problem.row, "duplicate" in problem.reason) == (8_193, True)


def test_duplicate_id_across_batches(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A trade told twice is found where one batch ends and the next begins, too."""
    columns: dict[str, list[Any]] = {name: [value] * 8_193 for name, value in GOOD_TRADE.items()}
    columns["id"] = [*map(str, range(8_192)), "8191"]
    problem = only_problem(make_spec(make_file("x.parquet", columns), kind=SeriesKind.TRADES))
    assert (problem.row, "told twice" in problem.reason) == (8_193, True)


def test_limit(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Only the first problems are kept, but all are counted."""
    columns = bar_columns(10) | {"volume": [-1.0] * 10}
    report = scan(make_spec(make_file("x.parquet", columns)), limit=3)
    assert (len(report.problems), report.problem_count) == (3, 10)


@pytest.mark.parametrize("name", ["timestamp", "open", "volume"])
def test_null(name: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A null is refused by a scan with its row, and by a reader that was not preceded by one."""
    spec = make_spec(make_file("x.parquet", bar_columns(4, {(name, 3): None})))
    assert scan(spec).problems[0].row == 4
    assert "missing" in scan(spec).problems[0].reason
    with pytest.raises(DataError, match="a value is missing in rows 1 to 4"):
        list(read_events(spec))


def test_null_side(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A trade without a side is refused."""
    path = make_file("x.parquet", tick_columns(GOOD_TRADE, {"side": None}))
    assert "side ''" in only_problem(make_spec(path, kind=SeriesKind.TRADES)).reason


def test_null_id(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """Trades without an id each are no duplicates of one another, and read as they were scanned."""
    path = make_file("x.parquet", tick_columns(GOOD_TRADE, {}) | {"id": ["1", None, None]})
    spec = make_spec(path, kind=SeriesKind.TRADES)
    assert scan(spec).problem_count == 0
    assert len(list(read_events(spec))) == 3


def test_repeated_column(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Two Parquet columns that mean the same are refused."""
    spec = make_spec(make_file("x.parquet", bar_columns() | {"Close": [1.0] * 4}))
    with pytest.raises(DataError, match="names the column close twice"):
        scan(spec)


def test_nanoseconds(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Times in a finer unit than milliseconds are refused."""
    columns = bar_columns(2)
    columns["timestamp"] = [time * 1_000_000 for time in columns["timestamp"]]
    assert "not in milliseconds" in scan(make_spec(make_file("x.parquet", columns))).problems[0].reason


def test_adjusting_needs_positive_prices(
    suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """The adjusted close is checked when prices shall be adjusted, and not otherwise."""
    columns = bar_columns(3) | {"adj_close": [50.0, 0.0, 50.0]}
    spec = make_spec(make_file(f"x.{suffix}", columns))
    assert scan(spec).problem_count == 0
    assert scan(spec, prices="adjusted").problems[0].reason == "adj_close 0.0 is not positive"


@pytest.mark.parametrize(("kind", "column"), [("bars", "volume"), ("trades", "side"), ("quotes", "ask_size")])
def test_missing_column(
    kind: str, column: str, suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """A missing column is told with those there are."""
    columns = {
        "bars": bar_columns(),
        "trades": tick_columns(GOOD_TRADE, {}),
        "quotes": tick_columns(GOOD_QUOTE, {}),
    }[kind]
    del columns[column]
    spec = make_spec(make_file(f"x.{suffix}", columns), kind=SeriesKind(kind))
    with pytest.raises(DataError, match=rf"{kind} need the column {column}; the file has: timestamp, .* Rename"):
        scan(spec)


def test_missing_time(suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A file without a time column is told which names are looked for."""
    columns = bar_columns()
    columns["when"] = columns.pop("timestamp")
    with pytest.raises(DataError, match=r"need the column a time \(timestamp, time, date, datetime\)"):
        scan(make_spec(make_file(f"x.{suffix}", columns)))


def test_no_rows(suffix: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A file without rows is refused."""
    columns = bar_columns(0)
    with pytest.raises(DataError, match="no rows"):
        scan(make_spec(make_file(f"x.{suffix}", columns)))


def test_empty_file(suffix: str, tmp_path: Path, make_spec: MakeSpec) -> None:
    """A file of no bytes is refused."""
    (tmp_path / f"x.{suffix}").touch()
    with pytest.raises(DataError, match=r"is empty|truncated or no Parquet"):
        scan(make_spec(tmp_path / f"x.{suffix}"))


def test_missing_file(suffix: str, tmp_path: Path, make_spec: MakeSpec) -> None:
    """A file that is not there is told with its path."""
    with pytest.raises(DataError, match=rf"nowhere\.{suffix} cannot be read: "):
        scan(make_spec(tmp_path / f"nowhere.{suffix}"))


def test_unknown_format(tmp_path: Path, make_spec: MakeSpec) -> None:
    """A file of another format is refused."""
    with pytest.raises(DataError, match=r"neither \.parquet nor \.csv"):
        scan(make_spec(tmp_path / "x.json"))


def test_reference_data(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Reference data has no events to read."""
    spec = make_spec(make_file("x.csv", bar_columns()), kind=SeriesKind.TABLE)
    with pytest.raises(DataError, match="a table is reference data"):
        read_events(spec)


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_truncated_parquet(keep: float, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A Parquet file that was cut off is refused."""
    path = make_file("x.parquet", bar_columns(1_000))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match=r"x\.parquet is truncated or no Parquet file"):
        scan(make_spec(path))


def test_damaged_parquet(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A Parquet file with damage inside is refused by scan and reader, with about where it is."""
    path = make_file("x.parquet", bar_columns(50_000))
    pq.write_table(pq.read_table(path), path, compression="zstd")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2_000] = bytes(2_000)
    path.write_bytes(data)
    for read in (scan, lambda spec: list(read_events(spec))):
        with pytest.raises(DataError, match=r"x\.parquet is damaged at or after row \d+"):
            read(make_spec(path))


def test_text_in_number_column(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A Parquet column of the wrong type is told with its type."""
    spec = make_spec(make_file("x.parquet", bar_columns() | {"open": ["1", "2", "3", "4"]}))
    with pytest.raises(DataError, match="the column open holds string; convert it to numbers"):
        scan(spec)


def test_text_in_time_column(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A Parquet time column of the wrong type is told with its type."""
    spec = make_spec(make_file("x.parquet", bar_columns() | {"timestamp": ["1", "2", "3", "4"]}))
    with pytest.raises(DataError, match="the column timestamp holds string; convert it to int64"):
        scan(spec)


HEADER = "timestamp,open,high,low,close,volume\n"
ROW = "1577836800000,1,2,1,1,5\n"


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("1577836860000,1,2,1", "4 fields instead of 6: the file is cut off or damaged here"),
        ("1577836860000,1,2,1,1,5,9", "7 fields instead of 6"),
        ("1577836860000,1,2,1,x,5", "close 'x' is no number"),
        ("1577836860000,1,2,1,,5", "close '' is no number"),
        ("then,1,2,1,1,5", "timestamp 'then' is no time like those above it"),
        ("1577836860000000,1,2,1,1,5", "timestamp '1577836860000000' is no time like those above it"),
    ],
)
def test_bad_csv_row(last: str, reason: str, tmp_path: Path, make_spec: MakeSpec) -> None:
    """A CSV row that cannot be parsed is told with its row and line, and ends a reader that meets it."""
    path = tmp_path / "x.csv"
    path.write_text(HEADER + ROW + "\n" + last, encoding="utf-8")
    problem = only_problem(make_spec(path))
    assert (problem.path, problem.row, problem.line) == (path, 2, 4)
    assert reason in problem.reason
    with pytest.raises(DataError, match=r"x\.csv, row 2 \(line 4\): .*; mend the file"):
        list(read_events(make_spec(path)))


def test_only_bad_csv_rows(tmp_path: Path, make_spec: MakeSpec) -> None:
    """A CSV file without one sound row has as many problems as rows."""
    path = tmp_path / "x.csv"
    path.write_text(HEADER + "a\nb\n", encoding="utf-8")
    report = scan(make_spec(path))
    assert (report.problem_count, report.rows_in_range) == (2, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEADER.encode() + ROW.encode() + b"\xff\xfe", "is not UTF-8 after line"),
        (HEADER.encode() + b'"1577836800000,1', "is damaged after line 1: unexpected end of data"),
        (b"open,open\n1,2\n", "names the column open twice"),
    ],
)
def test_bad_csv(data: bytes, message: str, tmp_path: Path, make_spec: MakeSpec) -> None:
    """A CSV file that is damaged as a whole is refused with where and why."""
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"x\.csv.*{message}"):
        scan(make_spec(path))


@pytest.mark.parametrize("value", ["raw ", "ADJUSTED", ""])
def test_unknown_prices(value: str, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """Prices are raw or adjusted and nothing else."""
    with pytest.raises(DataError, match="prices are raw or adjusted"):
        read_events(make_spec(make_file("x.csv", bar_columns())), prices=value)


def test_without_pyarrow(
    make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow a Parquet file is refused with what to install, and CSV still reads."""
    spec = make_spec(make_file("x.parquet", bar_columns()))
    other = make_spec(make_file("x.csv", bar_columns()))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"reading Parquet needs pyarrow: pip install 'tradingd\[data\]'"):
        scan(spec)
    assert len(list(read_events(other))) == 4
