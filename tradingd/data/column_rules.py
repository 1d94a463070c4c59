"""The rules of `rules.py` over whole columns, to pass clean batches at once.

These only ever vouch: a batch they do not pass is looked at row by row, which finds the row and names the reason.
A comparison with NaN is false, so NaN never passes. Lists and `map` do this at 30 ns a value and rule; pyarrow's
own compute functions are faster, but importing them costs 15 MiB and a tenth of a second in every run.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from math import inf
from operator import le, lt
from typing import Protocol

from tradingd.data.series import SeriesKind

__all__ = ["CLEAN"]

Column = Sequence[float]
_KNOWN_SIDES = frozenset({"buy", "sell"})


class _Clean(Protocol):
    def __call__(
        self, numbers: Sequence[Column], texts: Sequence[Sequence[str]], *, allow_negative: bool
    ) -> bool: ...


def _holds(compare: Callable[[float, float], bool], lower: Column, upper: Column) -> bool:
    return all(map(compare, lower, upper))


def _within(low: float, column: Column, compare: Callable[[float, float], bool] = le) -> bool:
    """Whether all values are finite and not below `low` (with `lt`: above it)."""
    return all(map(compare, repeat(low), column)) and all(map(lt, column, repeat(inf)))


def _finite(column: Column) -> bool:
    return _within(-inf, column, lt)


def _clean_bars(numbers: Sequence[Column], texts: Sequence[Sequence[str]], *, allow_negative: bool) -> bool:
    del texts
    open_, high, low, close, volume, *adjusted = numbers
    return (
        _holds(le, low, open_)
        and _holds(le, open_, high)
        and _holds(le, low, close)
        and _holds(le, close, high)
        and all(map(lt, high, repeat(inf)))
        and all(map(lt, repeat(-inf if allow_negative else 0.0), low))
        and _within(0.0, volume)
        and all(_within(0.0, column, lt) for column in (adjusted and [close, *adjusted]))
    )


def _clean_quotes(numbers: Sequence[Column], texts: Sequence[Sequence[str]], *, allow_negative: bool) -> bool:
    del texts
    bid, ask, bid_size, ask_size = numbers
    return (
        _holds(le, bid, ask)
        and _finite(bid)
        and _finite(ask)
        and (allow_negative or all(map(lt, repeat(0.0), bid)))
        and _within(0.0, bid_size)
        and _within(0.0, ask_size)
    )


def _clean_trades(numbers: Sequence[Column], texts: Sequence[Sequence[str]], *, allow_negative: bool) -> bool:
    price, amount = numbers
    return (
        _KNOWN_SIDES.issuperset(texts[0])
        and _finite(price)
        and (allow_negative or all(map(lt, repeat(0.0), price)))
        and _within(0.0, amount, lt)
    )


CLEAN: dict[SeriesKind, _Clean] = {
    SeriesKind.BARS: _clean_bars,
    SeriesKind.QUOTES: _clean_quotes,
    SeriesKind.TRADES: _clean_trades,
}
"""Whether all rows of these columns obey the rules, by kind."""
