"""Resampling a series of the catalog to longer bars."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradingd.data import Catalog, SeriesKind, import_file, parse_interval, read_events, resample
from tradingd.domain.aggregation import TimeBars
from tradingd.domain.events import Bar, MarketEvent
from tradingd.errors import DataError

MakeFile = Callable[..., Path]
BarColumns = Callable[..., dict[str, list[Any]]]

START_MS = 1_577_836_800_000
SPOT = {"kind": "spot", "base": "BTC", "quote": "USD", "tick": "0.1", "lot": "0.001", "min_notional": "5"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty catalog."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    return folder


def add(root: Path, source: Path, dataset: str = "mine", **changes: Any) -> None:
    """Import minute bars of BTC/USD, unless told."""
    arguments: dict[str, Any] = {
        "dataset": dataset,
        "symbol": "BTC/USD",
        "interval": "1m",
        "kind": SeriesKind.BARS,
        "calendar": "24/7",
        "instrument": SPOT,
    }
    import_file(source, root, **(arguments | changes))


def bars(events: Any) -> list[tuple[Any, ...]]:
    """Bars as tuples."""
    return [
        (bar.ts_open, bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in events
        if isinstance(bar, Bar)
    ]


def aggregated(events: list[MarketEvent], interval: str) -> list[Bar]:
    """What a strategy that asks for these bars would get."""
    rule = TimeBars(parse_interval(interval))
    return [bar for event in events for bar in rule.update(event)]


def test_bars_of_bars(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """The new series holds the very bars that a strategy would aggregate, and the instrument of the old."""
    add(root, make_file("x.csv", bar_columns(17)))
    report = resample(Catalog(root), "BTC/USD", "5m")
    assert report.path == root / "resampled_5m" / "BTC_USD.parquet"
    new = Catalog(root).find("BTC/USD", parse_interval("5m"))
    old = Catalog(root).find("BTC/USD", parse_interval("1m"))
    assert bars(read_events(new)) == bars(aggregated(list(read_events(old)), "5m"))
    assert (report.scan.rows, new.instrument, new.calendar) == (3, SPOT, "24/7")
    assert new.origin == "resampled from the 1m bars of mine/BTC_USD.parquet, raw prices"


def test_bars_of_trades(root: Path, make_file: MakeFile) -> None:
    """Trades become bars with their volume; a minute without trades has none, the last one is not over."""
    times = [0, 20_000, 59_999, 60_000, 185_000, 241_000]
    columns = {
        "timestamp": [START_MS + time for time in times],
        "price": [100.0, 103.0, 99.5, 101.0, 102.0, 110.0],
        "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "side": ["buy", "sell"] * 3,
        "id": [str(number) for number in range(6)],
    }
    add(root, make_file("t.csv", columns), kind=SeriesKind.TRADES, interval=None)
    report = resample(Catalog(root), "BTC/USD", "1m", dataset="minutes")
    told = bars(read_events(Catalog(root).find("BTC/USD", kind=SeriesKind.BARS)))
    assert [row[2:] for row in told] == [
        (100.0, 103.0, 99.5, 99.5, 6.0),
        (101.0, 101.0, 101.0, 101.0, 4.0),
        (102.0, 102.0, 102.0, 102.0, 5.0),
    ]
    assert report.path.parent.name == "minutes"


def test_of_several_series_one_has_to_be_named(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """Where bars could be built from more than one series, the message lists them, and `source` chooses."""
    add(root, make_file("x.csv", bar_columns(30)))
    resample(Catalog(root), "BTC/USD", "5m")
    with pytest.raises(DataError, match=r"several series to build from; tell which .*1m.*5m"):
        resample(Catalog(root), "BTC/USD", "10m")
    assert resample(Catalog(root), "BTC/USD", "10m", source="5m").scan.rows == 3
    found = Catalog(root).find("BTC/USD", parse_interval("10m"))
    assert "the 5m bars of resampled_5m/" in found.origin


def test_adjusted_prices(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """Adjusted prices can be resampled as such: they are multiplied before they are joined."""
    columns = bar_columns(4)
    columns["adj_close"] = [close / 2 for close in columns["close"]]
    add(root, make_file("x.csv", columns))
    resample(Catalog(root), "BTC/USD", "4m", prices="adjusted")
    (bar,) = bars(read_events(Catalog(root).find("BTC/USD", parse_interval("4m"))))
    assert bar[2:] == (50.0, 52.0, 49.5, 51.75, 40.0)


@pytest.mark.parametrize(
    ("to", "options", "reason"),
    [
        ("1m", {}, "no bars of 1m can be built from what there is: BTC/USD bars 1m"),
        ("90s", {"source": "1m"}, "not a whole number of bars of 1m"),
        ("5m", {"source": "trades"}, "has no series of trades"),
        ("5m", {"source": "2m"}, "has no series of bars 2m"),
        ("1h", {}, "too short for one whole bar of 1h"),
        ("tick:100", {}, "is no interval"),
        ("5m", {"dataset": "mine"}, "is in the dataset mine itself"),
        ("5m", {"prices": "better"}, "prices are raw or adjusted"),
    ],
)
def test_refusals(
    to: str, options: dict[str, str], reason: str, root: Path, make_file: MakeFile, bar_columns: BarColumns
) -> None:
    """What cannot be built is refused with what is there, and nothing is written."""
    add(root, make_file("x.csv", bar_columns(17)))
    with pytest.raises(DataError, match=reason):
        resample(Catalog(root), "BTC/USD", to, **options)  # type: ignore[arg-type]
    assert sorted(path.name for path in root.iterdir()) == ["mine"]


def test_unknown_symbol(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """An unknown symbol is told with the nearest names."""
    add(root, make_file("x.csv", bar_columns(17)))
    with pytest.raises(DataError, match="the nearest: BTC/USD"):
        resample(Catalog(root), "BTC/USDT", "5m")


def test_it_replaces_only_when_told(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """What is there already stays, unless it is to be overwritten."""
    add(root, make_file("x.csv", bar_columns(17)))
    resample(Catalog(root), "BTC/USD", "5m", source="1m")
    with pytest.raises(DataError, match="exists"):
        resample(Catalog(root), "BTC/USD", "5m", source="1m")
    assert resample(Catalog(root), "BTC/USD", "5m", source="1m", overwrite=True).scan.rows == 3


def test_faulty_data_are_not_resampled(root: Path, make_file: MakeFile, bar_columns: BarColumns) -> None:
    """A series with problems is refused with them: their bars would look sound."""
    folder = root / "raw"
    folder.mkdir()
    make_file("catalog/raw/X.csv", bar_columns(10, {("high", 3): 1.0}))
    (folder / "X.toml").write_text('interval = "1m"\n', encoding="utf-8")
    with pytest.raises(DataError, match="was not resampled, it has 1 problems"):
        resample(Catalog(root), "X", "5m")
