"""What a recorded series is: its symbol, file, kind, bar interval, calendar and instrument fields."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from tradingd.domain.events import EventType
from tradingd.domain.times import EPOCH, NS_PER_US, format_interval, format_time, parse_interval
from tradingd.errors import DataError

__all__ = [
    "ALWAYS",
    "BOOK_DEPTH",
    "CALENDARS",
    "NS_PER_MS",
    "WEEKDAYS",
    "SeriesKind",
    "SeriesSpec",
    "format_interval",
    "format_time",
    "inputs_of",
    "parse_interval",
    "parse_time",
    "resolve_path",
]

NS_PER_MS = 1_000_000

ALWAYS = "24/7"
"""A calendar: every interval has a bar."""
WEEKDAYS = "weekdays"
"""A calendar: no bar is missed at the weekend. It knows no holidays."""
CALENDARS = (ALWAYS, WEEKDAYS)

BOOK_DEPTH = 20
"""How many levels a side of a book is told, unless told otherwise."""

_DAY = timedelta(days=1)
_FLAG = "allow_negative_prices"


class SeriesKind(StrEnum):
    """What the rows of a series are."""

    BARS = "bars"
    QUOTES = "quotes"
    TRADES = "trades"
    BOOKS = "books"
    """Snapshots and changes of order books, as exchanges tell them."""
    TABLE = "table"
    """Reference data: listed in a catalog, but nothing that can be replayed or traded."""


_EVENTS = {
    SeriesKind.BARS: EventType.BAR,
    SeriesKind.TRADES: EventType.TRADE,
    SeriesKind.QUOTES: EventType.QUOTE,
    SeriesKind.BOOKS: EventType.BOOK,
}


class SeriesSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded series and how to read its file.

    `interval_ns` is a bar's length (0 for ticks), `depth` how many levels a side of a book is told.

    `instrument` holds raw fields of `tradingd.domain.instrument.Instrument`, as text. Its one key that is no field
    of an instrument, `allow_negative_prices`, is moved out of it into the flag of that name.

    Raises:
        DataError: bars without an interval, a book without depth, or an unknown calendar.

    """

    symbol: str
    path: Path
    kind: SeriesKind = SeriesKind.BARS
    interval_ns: int = 0
    calendar: str = ALWAYS
    instrument: dict[str, Any] = msgspec.field(default_factory=dict)
    origin: str = ""
    licence: str = ""
    allow_negative_prices: bool = False
    depth: int = BOOK_DEPTH

    def __post_init__(self) -> None:
        if self.kind == SeriesKind.BARS and self.interval_ns <= 0:
            raise DataError(f"{self.symbol} ({self.path}): bars need an interval, such as 1m, 1h or 1d")
        if self.depth < 1:
            raise DataError(f"{self.symbol} ({self.path}): a depth of {self.depth} shows no book; use 1 or more")
        if self.calendar not in CALENDARS:
            raise DataError(
                f"{self.symbol} ({self.path}): {self.calendar!r} is no calendar; use {' or '.join(CALENDARS)}"
            )
        if _FLAG in self.instrument:
            rest = {key: value for key, value in self.instrument.items() if key != _FLAG}
            msgspec.structs.force_setattr(self, _FLAG, str(self.instrument[_FLAG]).lower() == "true")
            msgspec.structs.force_setattr(self, "instrument", rest)

    def __str__(self) -> str:
        interval = f" {format_interval(self.interval_ns)}" if self.interval_ns else ""
        return f"{self.symbol} {self.kind}{interval} ({self.path})"


def inputs_of(series: Iterable[SeriesSpec]) -> dict[str, dict[EventType, list[int]]]:
    """What events a run has of each symbol: by kind, the bar lengths of their series (0 for ticks)."""
    found: dict[str, dict[EventType, list[int]]] = {}
    for spec in series:
        found.setdefault(spec.symbol, {}).setdefault(_EVENTS[spec.kind], []).append(spec.interval_ns)
    return found


def parse_time(value: str | date | datetime | int, *, end: bool = False) -> int:
    """A point in time as nanoseconds UTC.

    Takes an ISO date or datetime (as text or object; UTC where it names no zone) or an int of milliseconds.
    A bare date is its midnight; with `end` it is the last nanosecond of that day, so that a range that ends on a
    date includes the whole of it.

    Raises:
        DataError: the text is no ISO date or datetime.

    """
    if isinstance(value, int):
        return value * NS_PER_MS
    moment = _parse_text(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        return _to_ns(moment)
    midnight = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return _to_ns(midnight + _DAY) - 1 if end else _to_ns(midnight)


def _parse_text(text: str) -> date | datetime:
    text = text.strip()
    for parse in (date.fromisoformat, datetime.fromisoformat):
        try:
            return parse(text)
        except ValueError:
            continue
    raise DataError(f"{text!r} is no ISO date or datetime; write 2020-01-31 or 2020-01-31T14:30:00+00:00")


def _to_ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    # In whole microseconds: `timestamp()` is a float and would round.
    return (aware - EPOCH) // timedelta(microseconds=1) * NS_PER_US


def resolve_path(text: str, base: Path) -> Path:
    """The path that a configuration means.

    `pkg:NAME/sub/path` is a file in the installed package NAME, which is located but not imported; `~` is the
    home folder; a relative path is relative to `base`.

    Raises:
        DataError: that package is not installed.

    """
    if text.startswith("pkg:"):
        name, _, inside = text.removeprefix("pkg:").partition("/")
        return _package_folder(name, text) / inside
    return base / Path(text).expanduser()


def _package_folder(name: str, text: str) -> Path:
    # A dotted name would import its parent package in order to find it.
    if not name.isidentifier():
        raise DataError(f"{text}: write pkg:NAME/path/in/it with the import name of a top-level package")
    try:
        spec = find_spec(name)
    except ValueError:  # a module that was started rather than imported has no spec
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"{text}: the package {name} is not installed: pip install {name}")
    return Path(next(iter(spec.submodule_search_locations)))
