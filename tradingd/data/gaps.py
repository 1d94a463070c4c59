"""Holes in a series of bars, by its calendar. Times are milliseconds UTC.

The calendar "weekdays" expects no bar that opens at the weekend: Saturday and Sunday, and for bars shorter than a
day the time from Friday 20:00, too, because currency and futures markets close on Friday evening in New York
(20:00 to 22:00 UTC, by season and market) and open again on Sunday evening. It knows no holidays and no nightly
closure; those are told as gaps.
"""

from tradingd.data.series import WEEKDAYS

__all__ = ["missing_bars"]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_WEEK_MS = 7 * _DAY_MS
# The epoch was a Thursday: the first Monday began four days later.
_MONDAY_MS = 4 * _DAY_MS
_INTRADAY_CLOSE_MS = 4 * _DAY_MS + 20 * _HOUR_MS
_DAILY_CLOSE_MS = 5 * _DAY_MS


def missing_bars(previous_ms: int, next_ms: int, step_ms: int, calendar: str) -> int:
    """How many bars should have opened between two bars that follow each other in a file.

    Bars are expected every `step_ms` from `previous_ms` on. The work grows with the weeks in the hole, not with
    the bars.
    """
    missing = _points(previous_ms, step_ms, previous_ms + 1, next_ms)
    if not missing or calendar != WEEKDAYS or step_ms > _DAY_MS:
        return missing
    close_ms = _INTRADAY_CLOSE_MS if step_ms < _DAY_MS else _DAILY_CLOSE_MS
    monday = previous_ms - (previous_ms - _MONDAY_MS) % _WEEK_MS
    while monday < next_ms:
        start = max(monday + close_ms, previous_ms + 1)
        missing -= _points(previous_ms, step_ms, start, min(monday + _WEEK_MS, next_ms))
        monday += _WEEK_MS
    return missing


def _points(origin: int, step: int, start: int, end: int) -> int:
    """How many of origin, origin + step, origin + 2 step, ... are in [start, end); start >= origin."""
    if end <= start:
        return 0
    return -((origin - end) // step) - -((origin - start) // step)
