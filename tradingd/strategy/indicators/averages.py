"""Averages of one price."""

from collections import deque
from math import fsum, nan

from tradingd.strategy.indicators.base import _HUGE, Indicator, MeanSeeded


class SMA(Indicator):
    """The simple moving average: the mean of the last `period` observations. Warm-up: `period` updates.

    The value is exactly `math.fsum(window) / period`. The running sum is kept without error in two floats
    (hi + lo) by Knuth's TwoSum (The Art of Computer Programming, vol. 2, 4.2.2): besides the rounded sum of two
    floats it gives what the rounding lost. An update that would not be exact (that takes prices in one window
    that differ by more than a factor of 2) is noticed, and done with as many floats as it takes (J. R. Shewchuk,
    "Adaptive Precision Floating-Point Arithmetic", 1997), which are few, whatever the length of the window.
    """

    __slots__ = ("_hi", "_lo", "_parts", "_window")

    def __init__(self, period: int) -> None:
        super().__init__(period, period)
        self._window = deque([0.0] * period, period)
        self._hi = 0.0
        self._lo = 0.0
        self._parts: list[float] | None = None
        """Floats that add up to the sum exactly, while two are too few; `_lo` is NaN then, failing every test."""

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new value."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        window = self._window
        old = window[0]
        window.append(x)
        change = x - old
        hi = self._hi
        total = hi + change
        arrived = total - hi
        lost = (hi - (total - arrived)) + (change - arrived)
        lo = self._lo
        rest = lo + lost
        rounded = total + rest
        arrived = rounded - total
        # A sum of two floats is exact if and only if each of them comes back when the other is taken away.
        if (
            change + old == x
            and x - change == old
            and rest - lo == lost
            and rest - lost == lo
            and rounded - arrived == total
        ):
            self._hi = rounded
            self._lo = rest - arrived
        else:
            self._replace(old, x)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.value = value = self._hi / self.period
        return value

    def _replace(self, old: float, new: float) -> None:
        """Take `old` from the sum and add `new`, exactly."""
        parts = self._parts
        if parts is None:
            parts = [part for part in (self._lo, self._hi) if part]
        _grow(parts, new)
        _grow(parts, -old)
        self._hi = fsum(parts)
        _grow(parts, -self._hi)  # what is left behind the rounded sum
        if len(parts) < _MANY:
            self._lo = parts[0] if parts else 0.0
            self._parts = None
        else:
            _grow(parts, self._hi)
            self._lo = nan
            self._parts = parts


_MANY = 2
"""So many floats behind the rounded sum are too many for `_lo`."""


def _grow(parts: list[float], x: float) -> None:
    """Add `x` to a sum that is kept as floats that do not overlap, the smallest first, without error."""
    kept = 0
    for part in parts:
        big, small = (x, part) if abs(x) >= abs(part) else (part, x)
        x = big + small
        lost = small - (x - big)
        if lost:
            parts[kept] = lost
            kept += 1
    parts[kept:] = [x] if x else []


class EMA(MeanSeeded):
    """The exponential moving average with weight 2 / (period + 1). Warm-up: `period` updates.

    The first value is the simple average of the first `period` observations, as in TA-Lib.
    """

    __slots__ = ("_weight",)

    def __init__(self, period: int) -> None:
        super().__init__(period, period)
        self._weight = 2.0 / (period + 1)

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new value."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        value = self.value
        if value is None:
            return self._warm_up(x)
        self.value = value = value + self._weight * (x - value)
        return value
