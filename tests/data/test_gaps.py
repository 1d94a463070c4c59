"""Holes in series of bars."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.data import Gap, SeriesSpec, parse_interval, parse_time, scan
from tradingd.data.gaps import missing_bars

MakeFile = Callable[..., Path]
MakeSpec = Callable[..., SeriesSpec]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def bars_at(*opens: str) -> dict[str, list[Any]]:
    """Flat bars that open at these times."""
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * len(opens))
    return {"timestamp": [parse_time(text) // 10**6 for text in opens], **flat}


def test_gap(suffix: str, make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A gap is told from the close before it to the open after it, with what it lacks."""
    columns = bars_at("2020-01-01T00:00", "2020-01-01T01:00", "2020-01-01T05:00", "2020-01-01T07:00")
    report = scan(make_spec(make_file(f"x.{suffix}", columns), interval="1h"))
    assert report.gaps == (
        Gap(parse_time("2020-01-01T02:00"), parse_time("2020-01-01T05:00"), 3),
        Gap(parse_time("2020-01-01T06:00"), parse_time("2020-01-01T07:00"), 1),
    )
    assert (report.gap_count, report.missing) == (2, 4)
    assert (report.problem_count, report.warning_count) == (0, 0)


def test_gap_out_of_range(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """A gap outside of the scanned range is not told."""
    columns = bars_at("2020-01-01", "2020-01-05", "2020-01-06", "2020-01-08")
    spec = make_spec(make_file("x.csv", columns), interval="1d")
    assert scan(spec, parse_time("2020-01-05"), parse_time("2020-01-07")).gap_count == 0
    assert scan(spec, parse_time("2020-01-05")).missing == 1


def test_gap_limit(make_file: MakeFile, make_spec: MakeSpec) -> None:
    """Only the first gaps are kept, but all are counted."""
    columns = bars_at("2020-01-01", "2020-01-03", "2020-01-05", "2020-01-07")
    report = scan(make_spec(make_file("x.csv", columns), interval="1d"), limit=2)
    assert (len(report.gaps), report.gap_count, report.missing) == (2, 3, 3)


@pytest.mark.parametrize(
    ("opens", "interval", "missing"),
    [
        (("2020-01-03", "2020-01-06"), "1d", 0),  # Friday to Monday
        (("2020-01-02", "2020-01-06"), "1d", 1),  # Thursday to Monday
        (("2020-01-03", "2020-01-13"), "1d", 5),  # a whole week besides two weekends
        (("2020-01-03T20:00", "2020-01-05T22:00"), "1h", 0),  # Friday evening to Sunday evening
        (("2020-01-03T19:00", "2020-01-06T00:00"), "1h", 0),
        (("2020-01-03T18:00", "2020-01-05T22:00"), "1h", 1),
        (("2020-01-01T10:00", "2020-01-01T14:00"), "1h", 3),
        (("2020-01-06", "2020-01-20"), "1w", 1),
    ],
)
def test_weekdays(
    opens: tuple[str, str], interval: str, missing: int, make_file: MakeFile, make_spec: MakeSpec
) -> None:
    """A series of weekdays misses nothing at the weekend."""
    spec = make_spec(make_file("x.csv", bars_at(*opens)), interval=interval, calendar="weekdays")
    assert scan(spec).missing == missing


@given(
    st.integers(0, 20 * 24).map(lambda hour: hour * HOUR_MS),
    st.integers(1, 30 * 24).map(lambda hour: hour * HOUR_MS),
    st.sampled_from(["1h", "4h", "1d"]),
)
def test_missing_bars_are_counted_right(start: int, length: int, interval: str) -> None:
    """The count of missing bars is what walking over all of them gives."""
    step = parse_interval(interval) // 10**6
    close = 4 * DAY_MS + 20 * HOUR_MS if step < DAY_MS else 5 * DAY_MS
    walked = range(start + step, start + length, step)
    expected = sum((time - 4 * DAY_MS) % (7 * DAY_MS) < close for time in walked)
    assert missing_bars(start, start + length, step, "weekdays") == expected
    assert missing_bars(start, start + length, step, "24/7") == len(walked)


def test_missing_bars_add_up() -> None:
    """The epoch's own weekend is found where it was: 1970-01-03 and 04."""
    days = [parse_time(f"1970-01-0{day}") // 10**6 for day in (1, 2, 5, 6)]
    assert [missing_bars(a, b, DAY_MS, "weekdays") for a, b in pairwise(days)] == [0, 0, 0]
