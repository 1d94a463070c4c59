"""What makes a row of a series unusable (a fault) or doubtful (an oddity), row by row and with the reason.

`column_rules.py` says the same of whole columns; a test keeps the two in step.
"""

from collections.abc import Callable, Sequence
from math import inf, isfinite

from tradingd.data.series import NS_PER_MS, SeriesKind, format_time
from tradingd.domain.enums import Side

__all__ = ["SIDES", "SNAPSHOT", "TIME_LIMIT_MS", "bar_oddity", "order_fault", "row_fault", "time_fault"]

SIDES = {"buy": Side.BUY, "sell": Side.SELL, "BUY": Side.BUY, "SELL": Side.SELL}
"""The taker's side by the texts that files use."""

SNAPSHOT = "snapshot"
"""The type of a message that tells a whole book."""
_MESSAGES = {SNAPSHOT, "delta"}
_BOOK_SIDES = {"bid", "ask"}

TIME_LIMIT_MS = 10**14
"""A time of this size (the year 5138) is no millisecond but a finer unit."""

_BAR_NAMES = ("open", "high", "low", "close", "volume", "adj_close")
_QUOTE_NAMES = ("bid", "ask", "bid_size", "ask_size")
_TRADE_NAMES = ("price", "amount")

_Fault = Callable[[Sequence[float], Sequence[str], bool], str]


def time_fault(time_ms: int) -> str:
    """Why a time (milliseconds UTC) cannot be one; empty when it can."""
    if abs(time_ms) < TIME_LIMIT_MS:
        return ""
    return f"the time {time_ms} is missing or not in milliseconds"


def order_fault(kind: SeriesKind, time_ms: int, previous_ms: int | None) -> str:
    """Why a row may not follow one of the time `previous_ms`; empty when it may. Ticks may share a time."""
    if previous_ms is None or time_ms > previous_ms:
        return ""
    if time_ms < previous_ms:
        return (
            f"the time {_moment(time_ms)} is before that of the row above, {_moment(previous_ms)}; sort the rows"
        )
    if kind == SeriesKind.BARS:
        return f"the time {_moment(time_ms)} is a duplicate of the row above; remove one"
    return ""


def row_fault(kind: SeriesKind, numbers: Sequence[float], texts: Sequence[str], *, allow_negative: bool) -> str:
    """Why a row's values cannot be used; empty when they can."""
    return _FAULTS[kind](numbers, texts, allow_negative)


def bar_oddity(numbers: Sequence[float]) -> str:
    """What is doubtful about a bar that has no fault; empty when nothing is."""
    open_, high, low, close, *_ = numbers
    for name, price in (("open", open_), ("close", close)):
        if not low <= price <= high:
            return f"{name} {price} is outside of low {low} and high {high}"
    return ""


def _moment(time_ms: int) -> str:
    return format_time(time_ms * NS_PER_MS)


def _not_finite(names: Sequence[str], numbers: Sequence[float]) -> str:
    for name, number in zip(names, numbers, strict=False):
        if not isfinite(number):
            return f"{name} is {number}, missing or not finite"
    return ""


def _not_positive(names: Sequence[str], numbers: Sequence[float]) -> str:
    for name, number in zip(names, numbers, strict=False):
        if number <= 0:
            return f"{name} {number} is not positive"
    return ""


def _negative(names: Sequence[str], numbers: Sequence[float]) -> str:
    for name, number in zip(names, numbers, strict=False):
        if number < 0:
            return f"{name} {number} is negative"
    return ""


def _bar_fault(numbers: Sequence[float], _texts: Sequence[str], allow_negative: bool) -> str:  # noqa: FBT001
    open_, high, low, close, volume, *adjusted = numbers
    if 0 < low <= open_ <= high < inf and low <= close <= high and 0 <= volume < inf and not adjusted:
        return ""  # nearly all rows; what follows is for naming the reason
    reason = _not_finite(_BAR_NAMES, numbers)
    if not reason and not allow_negative:
        reason = _not_positive(_BAR_NAMES, numbers[:4])
    if not reason and high < low:
        reason = f"high {high} is below low {low}"
    if not reason and adjusted:  # adjusting divides by the close
        reason = _not_positive(("adj_close", "close"), (adjusted[0], close))
    return reason or _negative(("volume",), (volume,))


def _quote_fault(numbers: Sequence[float], _texts: Sequence[str], allow_negative: bool) -> str:  # noqa: FBT001
    bid, ask, *sizes = numbers
    reason = _not_finite(_QUOTE_NAMES, numbers)
    if not reason and not allow_negative:
        reason = _not_positive(_QUOTE_NAMES, (bid, ask))
    if not reason and bid > ask:
        reason = f"bid {bid} is above ask {ask}: the quote is crossed"
    return reason or _negative(_QUOTE_NAMES[2:], sizes)


def _trade_fault(numbers: Sequence[float], texts: Sequence[str], allow_negative: bool) -> str:  # noqa: FBT001
    reason = _not_finite(_TRADE_NAMES, numbers)
    if not reason and not allow_negative:
        reason = _not_positive(_TRADE_NAMES, numbers[:1])
    if not reason:
        reason = _not_positive(("amount",), numbers[1:])
    if not reason and texts[0] not in SIDES:
        reason = f"side {texts[0]!r} is neither buy nor sell"
    return reason


def _book_fault(numbers: Sequence[float], texts: Sequence[str], allow_negative: bool) -> str:  # noqa: FBT001
    price, amount, first, last = numbers
    reason = _not_finite(("price", "amount", "seq_first", "seq_last"), numbers)
    if not reason and not allow_negative:
        reason = _not_positive(("price",), (price,))
    if not reason and last < first:
        reason = f"seq_last {last:.0f} is before seq_first {first:.0f}"
    if not reason and texts[0] not in _MESSAGES:
        reason = f"type {texts[0]!r} is neither snapshot nor delta"
    if not reason and texts[1] not in _BOOK_SIDES:
        reason = f"side {texts[1]!r} is neither bid nor ask"
    return reason or _negative(("amount",), (amount,))


_FAULTS: dict[SeriesKind, _Fault] = {
    SeriesKind.BARS: _bar_fault,
    SeriesKind.QUOTES: _quote_fault,
    SeriesKind.TRADES: _trade_fault,
    SeriesKind.BOOKS: _book_fault,
}
