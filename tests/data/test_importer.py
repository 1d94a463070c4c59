"""Importing files into a catalog."""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tradingd.data import (
    Catalog,
    ImportReport,
    SeriesKind,
    SeriesSpec,
    import_file,
    parse_interval,
    read_events,
    scan,
)
from tradingd.domain.events import MarketEvent
from tradingd.errors import DataError

MakeFile = Callable[..., Path]
MakeSpec = Callable[..., SeriesSpec]
BarColumns = Callable[..., dict[str, list[Any]]]

SPOT = {"kind": "spot", "base": "BTC", "quote": "USD"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty catalog."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    return folder


def take(source: Path, root: Path, **changes: Any) -> ImportReport:
    """Import minute bars of BTC/USD into the dataset `mine`, unless told."""
    arguments: dict[str, Any] = {
        "dataset": "mine",
        "symbol": "BTC/USD",
        "interval": "1m",
        "kind": SeriesKind.BARS,
        "calendar": "24/7",
        "instrument": SPOT,
    }
    return import_file(source, root, **(arguments | changes))


def renamed(events: list[MarketEvent], symbol: str) -> list[tuple[Any, ...]]:
    """Events as tuples, under another symbol."""
    return [tuple(symbol if value == "X" else value for value in _fields(event)) for event in events]


def _fields(event: MarketEvent) -> list[Any]:
    return [getattr(event, name) for name in event.__struct_fields__]


def test_round_trip(
    suffix: str, root: Path, make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns
) -> None:
    """What is imported is found in the catalog under its symbol and reads as the very same events."""
    source = make_file(f"x.{suffix}", bar_columns(5))
    report = take(source, root)
    spec = Catalog(root).find("BTC/USD")
    assert report.path == spec.path == root / "mine" / "BTC_USD.parquet"
    assert report.sidecar == root / "mine" / "BTC_USD.toml"
    assert (spec.interval_ns, spec.calendar) == (parse_interval("1m"), "24/7")
    assert spec.origin == f"imported from x.{suffix}"
    assert spec.instrument == SPOT | {"tick": "0.1", "lot": "0.00000001"}
    imported = [tuple(_fields(event)) for event in read_events(spec)]
    assert imported == renamed(list(read_events(make_spec(source))), "BTC/USD")
    assert (report.scan.rows, report.derived, report.dropped) == (5, {"tick": "0.1", "lot": "0.00000001"}, ())


def test_parquet_is_as_documented(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """The catalog's files hold int64 milliseconds and float64 columns, compressed with zstd."""
    file = pq.ParquetFile(take(make_file("x.csv", bar_columns()), root).path)
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types.pop("timestamp") == "int64"
    assert set(types.values()) == {"double"}
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_adjusted_close_is_kept(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """The column adj_close is taken over; columns that nothing reads are dropped, and told."""
    columns = bar_columns(2) | {"adj_close": [50.0, 51.0], "dividends": [0.0, 0.0]}
    report = take(make_file("x.csv", columns), root)
    assert report.dropped == ("dividends",)
    assert len(list(read_events(Catalog(root).find("BTC/USD"), prices="adjusted"))) == 2


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (
            SeriesKind.TRADES,
            {
                "timestamp": [1, 2],
                "price": [1.25, 2.0],
                "amount": [1, 2],
                "side": ["buy", "sell"],
                "id": ["a", "b"],
            },
        ),
        (
            SeriesKind.QUOTES,
            {"recv_timestamp": [1, 2], "bid": [1.25, 2.0], "ask": [2, 3], "bid_size": [1, 1], "ask_size": [0, 1]},
        ),
    ],
)
def test_ticks_round_trip(
    kind: SeriesKind, columns: dict[str, list[Any]], root: Path, make_file: MakeFile, make_spec: MakeSpec
) -> None:
    """Trades and quotes are imported, too, and need no interval."""
    source = make_file("x.parquet", columns)
    report = take(source, root, kind=kind, interval=None)
    spec = Catalog(root).find("BTC/USD")
    assert (spec.kind, report.derived["tick"]) == (kind, "0.01")
    imported = [tuple(_fields(event)) for event in read_events(spec)]
    assert imported == renamed(list(read_events(make_spec(source, kind=kind))), "BTC/USD")


@pytest.mark.parametrize(
    ("prices", "tick"),
    [([100.0, 200.0], "1"), ([0.5, 100.0], "0.1"), ([1.00001, 1.1], "0.00001"), ([1e-7], "0.0000001")],
)
def test_derived_tick(prices: list[float], tick: str, root: Path, make_file: MakeFile) -> None:
    """The tick is derived as the finest decimal step of the prices."""
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    source = make_file("x.csv", {"date": [f"2020-01-0{day + 1}" for day in range(len(prices))], **flat})
    report = take(source, root, interval="1d")
    assert report.derived["tick"] == tick
    assert Decimal(Catalog(root).find("BTC/USD").instrument["tick"]) == Decimal(tick)


def test_share(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """Shares come in whole lots; what is given is not derived."""
    instrument = {"kind": "equity", "quote": "USD", "tick": "0.01"}
    report = take(make_file("x.csv", bar_columns()), root, symbol="AAPL", instrument=instrument)
    assert report.derived == {"lot": "1"}
    assert Catalog(root).find("AAPL").instrument == instrument | {"lot": "1", "base": "AAPL"}


@pytest.mark.parametrize("symbol", ['A"B\\C', "BTC/USDT:USDT", "tab\there\x7f", "Ünïcode😀"])
def test_odd_symbols(symbol: str, root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """Any symbol survives the way through a file name and TOML."""
    take(make_file("x.csv", bar_columns()), root, symbol=symbol)
    assert Catalog(root).find(symbol).symbol == symbol


def test_flags(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """Flags are given as text and written as TOML's booleans."""
    columns = bar_columns(2) | {"low": [-1.0, -1.0]}
    instrument = SPOT | {"allow_negative_prices": "true", "inverse": "False"}
    take(make_file("x.csv", columns), root, instrument=instrument)
    spec = Catalog(root).find("BTC/USD")
    assert spec.allow_negative_prices
    assert spec.instrument["inverse"] is False


def test_problems_write_nothing(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """A file with problems is refused with all of them, and leaves no trace."""
    source = make_file("x.csv", bar_columns(4, {("volume", 1): -1.0, ("open", 3): "x"}))
    with pytest.raises(DataError) as caught:
        take(source, root)
    message = str(caught.value)
    assert "was not imported, it has 2 problems" in message
    assert "row 2 (line 3): volume -1.0 is negative" in message
    assert "row 4 (line 5): open 'x' is no number" in message
    assert list(root.iterdir()) == []


def test_no_overwriting(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """A series that exists is overwritten only when that is asked for."""
    take(make_file("x.csv", bar_columns(4)), root)
    longer = make_file("y.csv", bar_columns(6))
    with pytest.raises(DataError, match=r"BTC_USD\.parquet exists; choose another dataset, or overwrite"):
        take(longer, root)
    take(longer, root, overwrite=True)
    assert scan(Catalog(root).find("BTC/USD")).rows == 6
    assert sorted(path.name for path in (root / "mine").iterdir()) == ["BTC_USD.parquet", "BTC_USD.toml"]


def test_import_in_place(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """A catalog's own file can be imported over itself."""
    path = take(make_file("x.csv", bar_columns(4)), root).path
    take(path, root, overwrite=True)
    assert scan(Catalog(root).find("BTC/USD")).rows == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval": None}, "'' is no interval"),
        ({"calendar": "NYSE"}, "'NYSE' is no calendar"),
        ({"dataset": "../up"}, "the dataset '../up' must be one folder's name"),
        ({"dataset": ""}, "must be one folder's name"),
        ({"symbol": "dataset"}, "the symbol 'dataset' makes no name for a file"),
        ({"symbol": ".."}, r"the symbol '\.\.' makes no name"),
        ({"instrument": {"tik": "1"}}, "instrument: unknown key tik; did you mean tick?"),
        ({"instrument": {"tick": "fine"}}, "instrument: tick 'fine' is not a decimal number"),
        ({"instrument": {"lot": "0"}}, "instrument: lot 0 must be greater than 0"),
        ({"kind": SeriesKind.TABLE}, "a table is reference data"),
    ],
)
def test_bad_arguments(
    changes: dict[str, Any], message: str, root: Path, make_file: MakeFile, bar_columns: BarColumns
) -> None:
    """A wrong argument is refused with what is right, and nothing is written."""
    with pytest.raises(DataError, match=message):
        take(make_file("x.csv", bar_columns()), root, **changes)
    assert list(root.iterdir()) == []


def test_without_pyarrow(
    root: Path, make_file: MakeFile, bar_columns: BarColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow the catalog gets CSV; importing again with it leaves only the Parquet file."""
    source = make_file("x.csv", bar_columns(4))
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "pyarrow", None)
        report = take(source, root)
        assert report.path.name == "BTC_USD.csv"
        assert len(list(read_events(Catalog(root).find("BTC/USD")))) == 4
    expected = list(read_events(Catalog(root).find("BTC/USD")))
    with pytest.raises(DataError, match=r"BTC_USD\.csv exists"):
        take(source, root)
    take(source, root, overwrite=True)
    assert sorted(path.name for path in (root / "mine").iterdir()) == ["BTC_USD.parquet", "BTC_USD.toml"]
    assert list(read_events(Catalog(root).find("BTC/USD"))) == expected
