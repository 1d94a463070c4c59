"""What a strategy tells the sweep: one code a bar, from whole columns of bars.

A strategy offers itself to `tradingd sweep` by a static method beside its `on_bar`::

    @staticmethod
    def signals(bars: BarColumns, params: Params) -> "NDArray[numpy.int8]":
        from my_package.my_kernel import my_codes  # numpy and numba are imported when a sweep asks for them
        return my_codes(bars.close, params.lookback)

The codes say what the strategy wants at each bar's close. The sweep remembers, as the shipped strategies do, which
state was asked for last:

- LONG, SHORT and FLAT ask for that state, unless it is the one that was asked for last;
- LEAVE_LONG asks for FLAT if LONG was asked for last, LEAVE_SHORT if SHORT was; else they say nothing;
- HOLD says nothing.

A strategy that enters only when it holds nothing, and never reverses, says `BREAKOUT` and what holds of the bar:
UP or DOWN where it would enter LONG or SHORT, NEWS where that was not so of the bar before (the fill that ends a
trade makes it news anyway), END_LONG and END_SHORT where such a position is to be closed.

A state that was asked for in vain (the order was denied, rejected or canceled) counts as FLAT from then on, unless
it is held anyway, and is not asked for again before a code says so. A position that contradicts what was asked
for last is closed, at every bar until it is gone. A strategy whose `on_bar` behaves otherwise must not offer
`signals`; `tradingd sweep --verify` finds out.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BREAKOUT",
    "DOWN",
    "END_LONG",
    "END_SHORT",
    "FLAT",
    "HOLD",
    "LEAVE_LONG",
    "LEAVE_SHORT",
    "LONG",
    "NEWS",
    "SHORT",
    "UP",
    "BarColumns",
]

LONG: Final = 1
"""Be long."""
FLAT: Final = 0
"""Hold nothing."""
SHORT: Final = -1
"""Be short."""
LEAVE_LONG: Final = 2
"""Hold nothing, if long is what was asked for last."""
LEAVE_SHORT: Final = -2
"""Hold nothing, if short is what was asked for last."""
HOLD: Final = 127
"""No news; also while warming up."""
BREAKOUT: Final = 32
"""To this the following are added; it does not say anything alone."""
UP: Final = 1
DOWN: Final = 2
NEWS: Final = 4
END_LONG: Final = 8
END_SHORT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarColumns:
    """The bars of one symbol as columns of equal length; do not write to them, all parameter sets share them."""

    ts_open: "NDArray[np.int64]"
    """When the bars opened, nanoseconds UTC."""
    ts: "NDArray[np.int64]"
    """When they closed, nanoseconds UTC."""
    open: "NDArray[np.float64]"
    high: "NDArray[np.float64]"
    low: "NDArray[np.float64]"
    close: "NDArray[np.float64]"
    volume: "NDArray[np.float64]"
    close_sums: "NDArray[np.int64]"
    """Sums of the closes before each bar, and of all, in units of `close_unit`, each close rounded to one.

    Their differences are sums of windows in constant time, free of any error but that rounding (the sums may wrap
    around; the difference of two that are at most 10,000 bars apart may not).
    """
    close_unit: float
    """A power of two, so small that a close is at most 2**48 of it."""
