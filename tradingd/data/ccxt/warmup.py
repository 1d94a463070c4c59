"""The history that is told before the first live bar, out of a catalog where it is recorded."""

from collections import deque
from collections.abc import Callable, Sequence

from tradingd.data.catalog import Catalog
from tradingd.data.readers import read_events
from tradingd.data.series import SeriesKind
from tradingd.data.validation import scan
from tradingd.domain.events import Bar
from tradingd.errors import DataError

__all__ = ["Recorded", "joined_history", "recorded_in"]

Recorded = Callable[[str, int, int, int], Sequence[Bar]]
"""Reads the bars of a symbol: its interval, how many, and the time (ns UTC) before which they close."""

_REACH = 4
"""How many times the time of as many bars without a hole is read."""


def recorded_in(catalog: Catalog) -> Recorded:
    """Reads a catalog's bars; a symbol that it does not have gives none."""

    def read(symbol: str, interval_ns: int, bars: int, before_ns: int) -> Sequence[Bar]:
        try:
            spec = catalog.find(symbol, interval_ns, SeriesKind.BARS)
        except DataError:
            return ()
        report = scan(spec)
        if report.problem_count:
            raise DataError(f"the history of {symbol} cannot be used: {report.problems[0]}")
        start = before_ns - _REACH * bars * interval_ns
        events = read_events(spec, start, before_ns - interval_ns)
        return tuple(deque((event for event in events if isinstance(event, Bar)), maxlen=bars))

    return read


def joined_history(recorded: Sequence[Bar], rest: Sequence[Bar], bars: int) -> list[Bar]:
    """What is recorded and what the venue told since then, as one history; empty where it is not enough.

    The venue's answer has to begin where the recording ends: what is missing in between would be taken for a
    quiet market.
    """
    if not rest or rest[0].ts_open != recorded[-1].ts:
        return []
    whole = [*recorded, *rest]
    return whole[-bars - 1 :] if len(whole) > bars else []
