"""The rules of `rules.py` over whole Arrow columns, to pass clean batches at once.

These only ever vouch: a batch they do not pass is looked at row by row, which finds the row and names the reason.
Columns must be free of nulls. A comparison with NaN is false, so NaN never passes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tradingd.data.series import SeriesKind

__all__ = ["CLEAN"]


class _Clean(Protocol):
    def __call__(self, arrays: Sequence[Any], *, allow_negative: bool) -> bool: ...


def _all(mask: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    import pyarrow.compute as pc

    return pc.all(mask).as_py() is True


def _finite(arrays: Sequence[Any]) -> bool:
    import pyarrow.compute as pc

    return all(_all(pc.is_finite(array)) for array in arrays)


def _holds(compare: Callable[[Any, Any], Any], lower: Any, upper: Any) -> bool:  # noqa: ANN401
    return _all(compare(lower, upper))


def _clean_bars(arrays: Sequence[Any], *, allow_negative: bool) -> bool:
    import pyarrow.compute as pc

    open_, high, low, close, volume, *adjusted = arrays
    return (
        _finite(arrays)
        and all(_holds(pc.less_equal, low, price) for price in (open_, high, close))
        and all(_holds(pc.less_equal, price, high) for price in (open_, close))
        and _holds(pc.greater_equal, volume, 0.0)
        and (allow_negative or _holds(pc.greater, low, 0.0))
        and all(_holds(pc.greater, column, 0.0) for column in (adjusted and [close, *adjusted]))
    )


def _clean_quotes(arrays: Sequence[Any], *, allow_negative: bool) -> bool:
    import pyarrow.compute as pc

    bid, ask, bid_size, ask_size = arrays
    return (
        _finite(arrays)
        and _holds(pc.less_equal, bid, ask)
        and (allow_negative or _holds(pc.greater, bid, 0.0))
        and all(_holds(pc.greater_equal, size, 0.0) for size in (bid_size, ask_size))
    )


def _clean_trades(arrays: Sequence[Any], *, allow_negative: bool) -> bool:
    import pyarrow.compute as pc

    price, amount, side, *_ = arrays
    known = _all(pc.or_(pc.equal(side, "buy"), pc.equal(side, "sell")))
    return (
        known
        and _finite((price, amount))
        and _holds(pc.greater, amount, 0.0)
        and (allow_negative or _holds(pc.greater, price, 0.0))
    )


CLEAN: dict[SeriesKind, _Clean] = {
    SeriesKind.BARS: _clean_bars,
    SeriesKind.QUOTES: _clean_quotes,
    SeriesKind.TRADES: _clean_trades,
}
"""Whether all rows of these columns (numbers, then texts) obey the rules, by kind."""
