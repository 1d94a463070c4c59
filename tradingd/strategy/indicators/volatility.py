"""How far prices move and spread."""

from collections import deque
from math import fsum, nan, sqrt

from tradingd.strategy.indicators.base import _HUGE, Indicator, MeanSeeded


class ATR(MeanSeeded):
    """The average true range, in the unit of the prices. Warm-up: `period` + 1 bars.

    Wilder (1978), section III: the true range of a bar reaches from its low to its high, extended to the
    previous close. The first bar has none; the first value is the mean of the first `period` true ranges, then
    (value x (period - 1) + true range) / period.
    """

    __slots__ = ("_close", "_kept")

    def __init__(self, period: int) -> None:
        super().__init__(period, period + 1)
        self._kept = period - 1
        self._close = 0.0

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar; returns the new value."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE and -_HUGE < close < _HUGE):
            self._refuse(high, low, close)
        previous = self._close
        self._close = close
        value = self.value
        if value is None and self._missing == self.warmup:
            self._missing -= 1
            return None
        top = high if high > previous else previous  # noqa: FURB136 - a call of max() costs twice as much
        bottom = low if low < previous else previous  # noqa: FURB136
        true_range = top - bottom
        if value is None:
            return self._warm_up(true_range)
        self.value = value = (value * self._kept + true_range) / self.period
        return value


class RollingStd(Indicator):
    """The standard deviation of the last `period` observations. Warm-up: `period` updates.

    `ddof` 0 divides by n (the population's, TA-Lib STDDEV), 1 by n - 1 (the sample's).

    Welford's update (Technometrics 4, 1962), sliding: it moves the mean and the sum of squared deviations from
    it by the observation that comes and the one that goes, and so does not subtract two great sums of squares.
    What rounding error it gathers is bounded: the sums are computed afresh from the window every `period`
    updates, and whenever the squares have shrunk so far (1e-4) that the error of the greater ones would show.
    """

    __slots__ = ("_base", "_divisor", "_floor", "_mean", "_squares", "_until_afresh", "_window")

    def __init__(self, period: int, ddof: int = 0) -> None:
        super().__init__(period, period)
        if not 0 <= ddof < period:
            raise ValueError(f"RollingStd: ddof is at least 0 and less than the period {period}, this is {ddof}")
        self._divisor = period - ddof
        self._window = deque([0.0] * period, period)
        self._base = nan
        self._mean = 0.0  # of observation - base: small, so it rounds little
        self._squares = 0.0
        self._floor = 0.0
        self._until_afresh = period

    @property
    def mean(self) -> float:
        """The mean of the same window; NaN until `ready`."""
        return self._base + self._mean

    @property
    def distance(self) -> float:
        """The latest observation less the mean, exact even where they are huge beside it; NaN until `ready`."""
        return (self._window[-1] - self._base) - self._mean

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
            mean = self._mean
            base = self._base
            change = x - old
            self._mean = moved = mean + change / self.period
            self._squares = squares = self._squares + change * (((x - base) - moved) + ((old - base) - mean))
            self._until_afresh = left = self._until_afresh - 1
            floor = self._floor
            if not left or squares < floor:
                self._sum_afresh()
            elif squares * 1e-4 > floor:
                self._floor = squares * 1e-4
        self.value = value = sqrt(self._squares / self._divisor)
        return value

    def _sum_afresh(self) -> None:
        """Two passes with the correction for the rounded mean (Chan, Golub, LeVeque 1983, eq. 1.7)."""
        window, n = self._window, self.period
        self._base = base = fsum(window) / n
        deviations = [x - base for x in window]
        off = fsum(deviations)
        self._mean = off / n
        self._squares = max(0.0, fsum([d * d for d in deviations]) - off * off / n)
        self._floor = self._squares * 1e-4
        self._until_afresh = n


class ZScore(Indicator):
    """How many standard deviations the latest observation lies above the mean. Warm-up: `period` updates.

    Mean and deviation are those of the last `period` observations, the latest included. `ddof` is that of
    `RollingStd`, which does the work. Without any deviation the quotient is undefined; the value is then 0.
    """

    __slots__ = ("_deviation",)

    def __init__(self, period: int, ddof: int = 0) -> None:
        super().__init__(period, period, made_with=(period, ddof))
        if not 0 <= ddof < period:
            raise ValueError(f"ZScore: ddof is at least 0 and less than the period {period}, this is {ddof}")
        self._deviation = RollingStd(period, ddof)

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new value."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        deviation = self._deviation.update(x)
        if deviation is None:
            return None
        self.value = value = self._deviation.distance / deviation if deviation else 0.0
        return value
