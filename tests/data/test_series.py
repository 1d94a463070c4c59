from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradingd.data as package
from tradingd.data import SeriesKind, SeriesSpec, format_interval, parse_interval, parse_time, resolve_path
from tradingd.data.series import format_time
from tradingd.errors import DataError

DAY = 86_400 * 10**9
NEW_YEAR = 1_577_836_800 * 10**9  # 2020-01-01


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("5m", 300), ("1h", 3_600), ("1d", 86_400), ("1w", 604_800), (" 15M ", 900)]
)
def test_interval(text: str, seconds: int) -> None:
    """An interval is a number and a unit."""
    assert parse_interval(text) == seconds * 10**9


@pytest.mark.parametrize("text", ["", "m", "0m", "1", "1.5h", "-1d", "1y", "1 h"])
def test_no_interval(text: str) -> None:
    """What is no interval is refused with what one looks like."""
    with pytest.raises(DataError, match=r"is no interval; write .* 1m, 5m, 1h"):
        parse_interval(text)


@given(st.integers(1, 10_000), st.sampled_from("smhdw"))
def test_interval_round_trip(count: int, unit: str) -> None:
    """The text of an interval reads as that interval."""
    interval = parse_interval(f"{count}{unit}")
    assert parse_interval(format_interval(interval)) == interval


def test_interval_without_unit() -> None:
    """An interval below a second is told in nanoseconds."""
    assert format_interval(1_500) == "1500ns"


@pytest.mark.parametrize(
    "value",
    [
        "2020-01-01",
        " 2020-01-01T00:00 ",
        "2020-01-01T00:00:00Z",
        "2020-01-01T01:00:00+01:00",
        date(2020, 1, 1),
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1),  # noqa: DTZ001 - that it is taken as UTC is the point
        datetime(2020, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))),
        1_577_836_800_000,
    ],
)
def test_time(value: str | date | int) -> None:
    """A time may be text, a date, a datetime or milliseconds, and is UTC unless it says otherwise."""
    assert parse_time(value) == NEW_YEAR


@pytest.mark.parametrize("value", ["2020-01-01", date(2020, 1, 1)])
def test_end_date_is_inclusive(value: str | date) -> None:
    """A bare date as the end of a range includes its whole day."""
    assert parse_time(value, end=True) == NEW_YEAR + DAY - 1


@pytest.mark.parametrize("value", ["2020-01-01T12:00", datetime(2020, 1, 1, 12, tzinfo=UTC)])
def test_end_time_is_exact(value: str | datetime) -> None:
    """A time of day as the end of a range is taken as it is."""
    assert parse_time(value, end=True) == NEW_YEAR + DAY // 2


def test_time_keeps_microseconds() -> None:
    """A time is exact to the microsecond, where a float would round."""
    assert parse_time("2020-01-01T00:00:00.123457") == NEW_YEAR + 123_457_000


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01", "01/02/2020"])
def test_no_time(text: str) -> None:
    """What is no ISO time is refused with what one looks like."""
    with pytest.raises(DataError, match="is no ISO date or datetime; write 2020-01-31"):
        parse_time(text)


def test_format_time() -> None:
    """Messages tell times as ISO text, and impossible ones as numbers."""
    assert format_time(NEW_YEAR) == "2020-01-01 00:00:00"
    assert format_time(2**80).endswith(" ns")


def test_relative_path(tmp_path: Path) -> None:
    """A relative path is relative to the base, an absolute one stays."""
    assert resolve_path("data/x", tmp_path) == tmp_path / "data" / "x"
    assert resolve_path("/data/x", tmp_path) == Path("/data/x")


def test_home_path(tmp_path: Path) -> None:
    """A tilde is the home folder."""
    assert resolve_path("~/data", tmp_path) == Path.home() / "data"


def test_package_path(tmp_path: Path) -> None:
    """A package path is inside the installed package."""
    path = resolve_path("pkg:hvsampledata/_data/apple_stocks.csv", tmp_path)
    assert path.is_file()


@pytest.mark.parametrize("name", ["no_such_package_here", "__main__", "sys"])
def test_missing_package(name: str, tmp_path: Path) -> None:
    """A package that is not installed, or is no package, is told with how to install it."""
    with pytest.raises(DataError, match=f"{name} is not installed: pip install {name}"):
        resolve_path(f"pkg:{name}/x.csv", tmp_path)


def test_dotted_package(tmp_path: Path) -> None:
    """A dotted package name is refused, because finding it would import its parent."""
    with pytest.raises(DataError, match="top-level package"):
        resolve_path("pkg:a.b/x.csv", tmp_path)


def test_bars_need_an_interval(tmp_path: Path) -> None:
    """A series of bars without an interval cannot be made."""
    with pytest.raises(DataError, match="bars need an interval"):
        SeriesSpec(symbol="X", path=tmp_path)


def test_unknown_calendar(tmp_path: Path) -> None:
    """An unknown calendar is refused with those there are."""
    with pytest.raises(DataError, match="'NYSE' is no calendar; use 24/7 or weekdays"):
        SeriesSpec(symbol="X", path=tmp_path, kind=SeriesKind.TRADES, calendar="NYSE")


@pytest.mark.parametrize("value", [True, "true"])
def test_negative_prices_flag(value: bool | str, tmp_path: Path) -> None:  # noqa: FBT001
    """The flag for negative prices leaves the instrument's table, whose other keys are an Instrument's."""
    instrument = {"tick": "0.01", "allow_negative_prices": value}
    spec = SeriesSpec(symbol="X", path=tmp_path, kind=SeriesKind.TRADES, instrument=instrument)
    assert spec.allow_negative_prices
    assert spec.instrument == {"tick": "0.01"}


def test_public_names() -> None:
    """The package's public names are sorted and exist."""
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
