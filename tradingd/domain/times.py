"""Lengths and points of time as text."""

import re
from datetime import UTC, datetime, timedelta

from tradingd.errors import DataError

__all__ = ["EPOCH", "NS_PER_US", "format_interval", "format_time", "parse_interval"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_US = 1_000

_UNITS = {"s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9, "w": 604_800 * 10**9}
_INTERVAL = re.compile(r"([1-9][0-9]*)([smhdw])")


def parse_interval(text: str) -> int:
    """The length of an interval such as `1m`, `5m`, `1h`, `1d` or `1w`, in nanoseconds.

    Raises:
        DataError: the text is no interval.

    """
    match = _INTERVAL.fullmatch(text.strip().lower())
    if match is None:
        raise DataError(f"{text!r} is no interval; write a number and one of s, m, h, d, w: 1m, 5m, 1h, 1d, 1w")
    return int(match[1]) * _UNITS[match[2]]


def format_interval(interval_ns: int) -> str:
    """An interval in its largest whole unit: 3,600 s is `1h`."""
    for unit in ("w", "d", "h", "m", "s"):
        count, rest = divmod(interval_ns, _UNITS[unit])
        if count and not rest:
            return f"{count}{unit}"
    return f"{interval_ns}ns"


def format_time(ts: int) -> str:
    """Nanoseconds UTC as an ISO text for messages; a time outside the years 1 to 9999 stays a number."""
    try:
        moment = EPOCH + timedelta(microseconds=ts // NS_PER_US)
    except OverflowError:
        return f"{ts} ns"
    return moment.isoformat(sep=" ").removesuffix("+00:00")
