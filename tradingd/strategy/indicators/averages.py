"""Averages of one price."""

from collections import deque
from itertools import chain
from math import fsum, nan

from tradingd.strategy.indicators.base import _HUGE, Indicator, MeanSeeded


class SMA(Indicator):
    """The simple moving average: the mean of the last `period` observations. Warm-up: `period` updates.

    The value is exactly `math.fsum(window) / period`. The running sum is kept without error in two floats
    (hi + lo) by Knuth's TwoSum (The Art of Computer Programming, vol. 2, 4.2.2): besides the rounded sum of two
    floats it gives what the rounding lost. An update that would not be exact (that takes prices in one window
    that differ by more than a factor of 2) is noticed, and sums the window afresh.
    """

    __slots__ = ("_hi", "_lo", "_window")

    def __init__(self, period: int) -> None:
        super().__init__(period, period)
        self._window = deque([0.0] * period, period)
        self._hi = 0.0
        self._lo = 0.0

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
            self._sum_afresh()
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.value = value = self._hi / self.period
        return value

    def _sum_afresh(self) -> None:
        """Sum the window exactly; a `lo` of NaN says that two floats cannot hold the sum."""
        window = self._window
        self._hi = hi = fsum(window)
        self._lo = lo = fsum(chain(window, (-hi,)))
        if fsum(chain(window, (-hi, -lo))):
            self._lo = nan


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
