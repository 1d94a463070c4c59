"""Figures whose weights rise evenly from the oldest observation of a window to the newest."""

from collections import deque
from math import fsum

from tradingd.strategy.indicators.base import _HUGE, Indicator


class _RampWeighted(Indicator):
    """Keeps two sums over the window: of d, and of i x d with i = 1 for the oldest and n for the newest.

    d is the observation less a base near it, so the sums are small and round little, however high the prices.
    When an observation comes, the second sum loses the first one (every weight falls by 1) and gains n x d.
    What rounding error that gathers is bounded as in `RollingStd`: both are summed afresh every `period`
    updates, and whenever they have shrunk so far (1/64) that the error of the greater ones would show.
    """

    __slots__ = (
        "_base",
        "_divisor",
        "_floor",
        "_of_base",
        "_plain",
        "_ramp",
        "_tilt",
        "_until_afresh",
        "_window",
    )

    def __init__(self, period: int, *, of_base: float, tilt: float, divisor: float) -> None:
        """The value is of_base x base + (second sum - tilt x first sum) / divisor."""
        super().__init__(period, period)
        self._of_base = of_base
        self._tilt = tilt
        self._divisor = divisor
        self._window = deque([0.0] * period, period)
        self._base = 0.0
        self._plain = 0.0
        self._ramp = 0.0
        self._floor = 0.0
        self._until_afresh = period

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new value."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        window = self._window
        old = window[0]
        window.append(x)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
            self._sum_afresh()
        else:
            base = self._base
            plain = self._plain
            n = self.period
            d = x - base
            self._ramp = ramp = (self._ramp - plain) + n * d
            self._plain = plain = (plain - (old - base)) + d
            size = abs(plain) * n + abs(ramp)
            self._until_afresh = left = self._until_afresh - 1
            floor = self._floor
            if not left or size < floor:
                self._sum_afresh()
            elif size > floor * 64.0:
                self._floor = size / 64.0
        self.value = value = self._of_base * self._base + (self._ramp - self._tilt * self._plain) / self._divisor
        return value

    def _sum_afresh(self) -> None:
        """The newest observation becomes the base, so that a market that has come to rest gives exact zeros."""
        window, n = self._window, self.period
        self._base = base = window[-1]
        deviations = [x - base for x in window]
        self._plain = plain = fsum(deviations)
        self._ramp = ramp = fsum([i * d for i, d in enumerate(deviations, 1)])
        self._floor = (abs(plain) * n + abs(ramp)) / 64.0
        self._until_afresh = n


class WMA(_RampWeighted):
    """The linearly weighted moving average: weights 1 (oldest) to `period` (newest). Warm-up: `period` updates.

    Perry Kaufman, Trading Systems and Methods (1987 and later), "Weighted moving average"; TA-Lib WMA.
    """

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, of_base=1.0, tilt=0.0, divisor=period * (period + 1) / 2)


class LinRegSlope(_RampWeighted):
    """The slope of the least-squares line through the last `period` observations. Warm-up: `period` updates.

    In the unit of the input per observation. With i - (n + 1) / 2 for abscissa the slope is
    sum of (abscissa x observation) / sum of abscissa squared, which is n (n^2 - 1) / 12 (Gauss, Theoria motus,
    1809); TA-Lib LINEARREG_SLOPE. The period is at least 2.
    """

    __slots__ = ()

    def __init__(self, period: int) -> None:
        self._check_periods(period)
        if period == 1:
            raise ValueError("LinRegSlope: a slope takes a period of at least 2, this is 1")
        super().__init__(period, of_base=0.0, tilt=(period + 1) / 2, divisor=period * (period * period - 1) / 12)
