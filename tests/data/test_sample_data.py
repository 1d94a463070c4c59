"""The shipped sample data."""

from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

import tradingd
from tradingd.data import Catalog, DataHandler, SeriesKind, parse_time, read_events, scan
from tradingd.domain.events import Bar
from tradingd.domain.instrument import Instrument

SAMPLES = Path(str(files(tradingd))) / "sample_data"
ROWS = {"AAPL": 3_270, "EUR/USD": 6_225, "FB": 196, "GOOG": 2_148, "IBM": 3_270, "MSFT": 3_270}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog of the sample data."""
    return Catalog(SAMPLES)


def test_everything_is_described(catalog: Catalog) -> None:
    """All shipped series are there, each with origin and licence, and none is incomplete."""
    tradable = [spec.symbol for spec in catalog.series() if spec.kind != SeriesKind.TABLE]
    assert tradable == sorted(ROWS)
    assert catalog.incomplete() == ()
    assert all(spec.origin and spec.licence for spec in catalog.series())


@pytest.mark.parametrize("symbol", sorted(ROWS))
def test_series_is_clean(symbol: str, catalog: Catalog) -> None:
    """Each shipped series has all its rows, no problem and no warning."""
    spec = catalog.find(symbol)
    prices = "raw" if symbol == "EUR/USD" else "adjusted"
    report = scan(spec, prices=prices)
    assert (report.rows, report.problem_count, report.warning_count) == (ROWS[symbol], 0, 0)
    assert sum(1 for _ in read_events(spec, prices=prices)) == ROWS[symbol]


@pytest.mark.parametrize("symbol", sorted(ROWS))
def test_series_is_an_instrument(symbol: str, catalog: Catalog) -> None:
    """Each shipped series tells all that an instrument needs."""
    instrument = msgspec.convert({"symbol": symbol, **catalog.find(symbol).instrument}, Instrument)
    assert instrument.quote == "USD"


def test_reference_rates_are_listed(catalog: Catalog) -> None:
    """The European Central Bank's rates are listed as reference data, naming their source."""
    (spec,) = [spec for spec in catalog.series() if spec.kind == SeriesKind.TABLE]
    assert "European Central Bank" in spec.origin


def test_holes_of_currency_hours(catalog: Catalog) -> None:
    """A year of hourly EUR/USD bars has 52 weekends, none of them a gap, and Christmas, which is one."""
    report = scan(catalog.find("EUR/USD"))
    assert [gap.start_ns for gap in report.gaps] == [parse_time("2017-12-25T08:00")]


def test_attacks_of_2001(catalog: Catalog) -> None:
    """The stock exchange's closure of September 2001 is a gap of four days."""
    report = scan(catalog.find("IBM"), parse_time("2001-09-01"), parse_time("2001-09-30"))
    assert (parse_time("2001-09-11"), 4) in {(gap.start_ns, gap.missing) for gap in report.gaps}


def test_true_crash_survives_adjusting(catalog: Catalog) -> None:
    """Adjusting takes Apple's splits out and leaves its true fall of 51.9 % on 2000-09-29 in."""
    handler = DataHandler(lambda symbol: [catalog.find(symbol)], prices="adjusted")
    handler.load_data(["AAPL"], "2000-06-01", "2005-12-31")
    closes = {bar.ts_open: bar.close for bar in handler if isinstance(bar, Bar)}
    days = sorted(closes)
    changes = {day: closes[day] / closes[before] - 1 for before, day in pairwise(days)}
    worst = min(changes, key=changes.__getitem__)
    assert worst == parse_time("2000-09-29")
    assert changes[worst] == pytest.approx(-0.519, abs=0.001)
    assert sum(change < -0.3 for change in changes.values()) == 1


def test_licences_are_told() -> None:
    """The README beside the data tells where all of it is from."""
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for word in (
        "public domain",
        "bokeh-sampledata",
        "European Central Bank",
        "Apache-2.0",
        "gym-anytrading",
        "MIT",
    ):
        assert word in text


def test_files_are_the_sources(recorded: Path) -> None:
    """The shipped files are their sources, byte for byte."""
    source = recorded.parent / "shippable"
    names = {path.relative_to(SAMPLES) for path in SAMPLES.rglob("*.parquet")}
    assert names == {path.relative_to(source) for path in source.rglob("*.parquet")}
    assert all((SAMPLES / name).read_bytes() == (source / name).read_bytes() for name in names)
