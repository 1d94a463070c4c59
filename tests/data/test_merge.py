from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tradingd.data import DataHandler, SeriesSpec, merge_by_time, parse_interval, parse_time
from tradingd.domain.events import Quote

times = st.lists(st.lists(st.integers(0, 20)).map(sorted), max_size=6)


@given(times)
def test_merge_is_a_stable_sort(streams: list[list[int]]) -> None:
    """A merge gives what a stable sort by time of all streams, one after another, gives."""
    events = [
        [Quote(ts, f"{stream}/{place}", 1.0, 2.0, 1.0, 1.0) for place, ts in enumerate(column)]
        for stream, column in enumerate(streams)
    ]
    expected = sorted((event for stream in events for event in stream), key=attrgetter("ts"))
    assert list(merge_by_time([iter(stream) for stream in events])) == expected


def test_single_stream_is_passed_through() -> None:
    """A single stream costs nothing: it is handed back as it is."""
    stream = iter([Quote(1, "X", 1.0, 2.0, 1.0, 1.0)])
    assert merge_by_time([stream]) is stream


def test_no_look_ahead(make_file: Callable[..., Path]) -> None:
    """A daily bar comes after all hourly bars of its day, because it is known at its close."""
    start = parse_time("2020-01-01") // 10**6
    flat = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}

    def series(symbol: str, interval: str, count: int) -> SeriesSpec:
        step = parse_interval(interval)
        columns = {"timestamp": [start + index * step // 10**6 for index in range(count)]}
        path = make_file(f"{symbol}.csv", columns | {name: [value] * count for name, value in flat.items()})
        return SeriesSpec(symbol=symbol, path=path, interval_ns=step)

    specs = {"DAY": [series("DAY", "1d", 2)], "HOUR": [series("HOUR", "1h", 48)]}
    handler = DataHandler(specs.__getitem__)
    handler.load_data(["DAY", "HOUR"])
    order = [(event.symbol, event.ts) for event in handler]
    first_day = order.index(("DAY", parse_time("2020-01-02")))
    # The 24th hour closes at the same time; on a tie the order of the symbols decides.
    assert first_day == 23
    assert all(ts <= parse_time("2020-01-02") for _, ts in order[:first_day])
    assert [ts for _, ts in order] == sorted(ts for _, ts in order)
