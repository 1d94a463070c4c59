"""ccxt's dicts as market events, or the reason why they are none.

What is refused here was never a market that anybody could have traded in: a price that is no number, zero or
negative, a bid above its ask, a book without a side. Nothing is repaired, and nothing is guessed.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from math import isfinite
from typing import Any

from tradingd.data.ccxt.model import MarkPrice
from tradingd.domain.aggregation import period_start
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, Book, Quote, Trade

__all__ = [
    "NS_PER_MS",
    "Refusal",
    "Stamp",
    "bar_of",
    "book_of",
    "mark_of",
    "quote_of",
    "time_of",
    "trade_of",
]

NS_PER_MS = 1_000_000
_SANE_NS = 300 * 1_000_000_000
"""How far a venue's time may be from ours."""
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_CANDLE = 6

Levels = tuple[tuple[float, float], ...]


class Refusal(StrEnum):
    """Why something a venue told is no market data."""

    SHAPE = "shape"
    """It is not what ccxt's unified interface promises: a number, a time or a side is missing."""
    SYMBOL = "symbol"
    """It is another symbol's."""
    NOT_FINITE = "not finite"
    NOT_POSITIVE = "not positive"
    CROSSED = "crossed"
    EMPTY = "empty"
    INCONSISTENT = "inconsistent"
    """A candle whose open or close is outside of its low and high."""
    MISALIGNED = "misaligned"
    """A candle that opens where none of its length does."""


class Stamp:
    """Event times of one stream: the venue's where it tells a sane one, never going back, in whole milliseconds.

    A time that is more than five minutes from ours, and one that is missing, is replaced by the time of receipt.
    Whole milliseconds are what the catalog keeps, so that a recording replays with the very same times.
    """

    __slots__ = ("_last", "replaced")

    def __init__(self) -> None:
        self._last = 0
        self.replaced = 0
        """How many times were not sane."""

    def __call__(self, time_ms: object, now_ns: int) -> int:
        """The event's time in nanoseconds UTC, not before that of the last one."""
        return self.ordered(self.sane(time_ms, now_ns))

    def sane(self, time_ms: object, now_ns: int) -> int:
        """The venue's time if it is one that can be, else ours."""
        told = time_of(time_ms)
        if told is not None and abs(told - now_ns) <= _SANE_NS:
            return told
        self.replaced += told is not None
        return now_ns - now_ns % NS_PER_MS

    def ordered(self, ts: int) -> int:
        """`ts`, or the last event's time where that is later."""
        self._last = max(self._last, ts)
        return self._last

    def not_before(self, ts: int) -> None:
        """Let no later event have a time before `ts`: that of a bar which is closed."""
        self._last = max(self._last, ts)


def time_of(time_ms: object) -> int | None:
    """A time in milliseconds as ccxt tells it, in nanoseconds; None where it is none."""
    if isinstance(time_ms, bool) or not isinstance(time_ms, (int, float, str)):
        return None
    try:
        return int(time_ms) * NS_PER_MS
    except (ValueError, OverflowError):
        return None


def trade_of(raw: object, symbol: str, wire: str, ts: int, *, allow_negative: bool = False) -> Trade | Refusal:
    """A public trade; `wire` is the venue's own symbol."""
    if not isinstance(raw, Mapping):
        return Refusal.SHAPE
    if raw.get("symbol", wire) != wire:
        return Refusal.SYMBOL
    price, amount = _number(raw.get("price")), _number(raw.get("amount"))
    side = _SIDES.get(str(raw.get("side")))
    if price is None or amount is None or side is None:
        return Refusal.SHAPE
    if not isfinite(price) or not isfinite(amount):
        return Refusal.NOT_FINITE
    if amount <= 0 or (price <= 0 and not allow_negative):
        return Refusal.NOT_POSITIVE
    trade_id = raw.get("id")
    return Trade(ts, symbol, price, amount, side, "" if trade_id is None else str(trade_id))


def quote_of(raw: object, symbol: str, ts: int, *, allow_negative: bool = False) -> Quote | Refusal:
    """The best bid and ask of a ticker; a size that is not told is 0."""
    if not isinstance(raw, Mapping):
        return Refusal.SHAPE
    bid, ask = _number(raw.get("bid")), _number(raw.get("ask"))
    if bid is None or ask is None:
        return Refusal.EMPTY
    sizes = (_number(raw.get("bidVolume")) or 0.0, _number(raw.get("askVolume")) or 0.0)
    return _checked_quote(ts, symbol, bid, ask, *sizes, allow_negative=allow_negative)


def _checked_quote(
    ts: int, symbol: str, bid: float, ask: float, bid_size: float, ask_size: float, *, allow_negative: bool
) -> Quote | Refusal:
    if not (isfinite(bid) and isfinite(ask) and isfinite(bid_size) and isfinite(ask_size)):
        return Refusal.NOT_FINITE
    if bid_size < 0 or ask_size < 0 or ((bid <= 0 or ask <= 0) and not allow_negative):
        return Refusal.NOT_POSITIVE
    if bid > ask:
        return Refusal.CROSSED
    return Quote(ts, symbol, bid, ask, bid_size, ask_size)


def book_of(
    bids: object, asks: object, symbol: str, ts: int, depth: int, *, allow_negative: bool = False
) -> Book | Refusal:
    """A book of the best `depth` levels a side; one side may be empty, both may not."""
    buying, selling = _levels(bids, depth), _levels(asks, depth)
    if buying is None or selling is None:
        return Refusal.SHAPE
    if not buying and not selling:
        return Refusal.EMPTY
    fault = _book_fault(buying, selling, allow_negative=allow_negative)
    return fault or Book(ts, symbol, buying, selling)


def _book_fault(buying: Levels, selling: Levels, *, allow_negative: bool) -> Refusal | None:
    for price, size in (*buying, *selling):
        if not (isfinite(price) and isfinite(size)):
            return Refusal.NOT_FINITE
        if size <= 0 or (price <= 0 and not allow_negative):
            return Refusal.NOT_POSITIVE
    if buying and selling and buying[0][0] >= selling[0][0]:
        return Refusal.CROSSED
    return None if _in_order(buying, -1) and _in_order(selling, 1) else Refusal.INCONSISTENT


def quote_of_book(book: Book) -> Quote | Refusal:
    """The best bid and ask of a book that has both."""
    if not book.bids or not book.asks:
        return Refusal.EMPTY
    (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
    return Quote(book.ts, book.symbol, bid, ask, bid_size, ask_size)


def bar_of(row: object, symbol: str, interval_ns: int, *, allow_negative: bool = False) -> Bar | Refusal:
    """A candle, closed or not: [open time in ms, open, high, low, close, volume]."""
    if not isinstance(row, Sequence) or isinstance(row, str) or len(row) < _CANDLE:
        return Refusal.SHAPE
    opened = time_of(row[0])
    numbers = [_number(value) for value in row[1:_CANDLE]]
    if opened is None or None in numbers:
        return Refusal.SHAPE
    open_, high, low, close, volume = (value for value in numbers if value is not None)
    bar = Bar(opened + interval_ns, symbol, open_, high, low, close, volume, opened)
    return _bar_fault(bar, interval_ns, allow_negative=allow_negative) or bar


def _bar_fault(bar: Bar, interval_ns: int, *, allow_negative: bool) -> Refusal | None:
    if not all(map(isfinite, (bar.open, bar.high, bar.low, bar.close, bar.volume))):
        return Refusal.NOT_FINITE
    if bar.volume < 0 or (bar.low <= 0 and not allow_negative):
        return Refusal.NOT_POSITIVE
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        return Refusal.INCONSISTENT
    return None if period_start(bar.ts_open, interval_ns) == bar.ts_open else Refusal.MISALIGNED


def mark_of(raw: object, symbol: str, ts: int) -> MarkPrice | Refusal:
    """A mark price or funding rate, of a ticker or of a funding rate's answer."""
    if not isinstance(raw, Mapping):
        return Refusal.SHAPE
    mark, index, rate = (_number(raw.get(name)) for name in ("markPrice", "indexPrice", "fundingRate"))
    if mark is None and rate is None:
        return Refusal.EMPTY
    if not all(isfinite(value) for value in (mark, index, rate) if value is not None):
        return Refusal.NOT_FINITE
    due = time_of(raw.get("nextFundingTimestamp") or raw.get("fundingTimestamp"))
    return MarkPrice(ts, symbol, mark, index, rate, due or 0)


def _number(value: Any) -> float | None:  # noqa: ANN401 - whatever a venue sends
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _levels(side: object, depth: int) -> Levels | None:
    if not isinstance(side, Sequence) or isinstance(side, str):
        return None
    try:
        return tuple((float(level[0]), float(level[1])) for level in side[:depth])
    except (TypeError, ValueError, LookupError, OverflowError):
        return None


def _in_order(levels: Levels, direction: int) -> bool:
    return all((after[0] - before[0]) * direction > 0 for before, after in pairwise(levels))
