"""Figures that swing between bounds or about zero."""

from collections import deque
from math import fsum
from sys import float_info
from typing import ClassVar

from tradingd.strategy.indicators.base import _HUGE, Indicator
from tradingd.strategy.indicators.windows import RollingMax, RollingSum

_ROUNDING = 4.0 * float_info.epsilon


class RSI(Indicator):
    """The relative strength index, 0 to 100. Warm-up: `period` + 1 updates.

    J. Welles Wilder, New Concepts in Technical Trading Systems (1978), section VI: 100 x gain / (gain + loss),
    both averages of the changes, seeded with the mean of the first `period` changes and smoothed from then on
    as (average x (period - 1) + change) / period.

    Without any movement the ratio is undefined; the value is then 0, as in TA-Lib, and `unmoved` tells that 0
    from a market that only fell. (TA-Lib also takes averages below 1e-14 for none; here small prices count.)
    """

    __slots__ = ("_gain", "_kept", "_loss", "_previous")

    def __init__(self, period: int) -> None:
        super().__init__(period, period + 1)
        self._kept = period - 1
        self._gain = 0.0
        self._loss = 0.0
        self._previous = 0.0

    @property
    def unmoved(self) -> bool:
        """Whether all observations so far were equal, so that the value means nothing."""
        return not (self._gain or self._loss)

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new value."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        change = x - self._previous
        self._previous = x
        if self.value is None:
            return self._warm_up(change)
        kept = self._kept
        period = self.period
        if change > 0.0:
            self._gain = gain = (self._gain * kept + change) / period
            self._loss = loss = self._loss * kept / period
        else:
            self._gain = gain = self._gain * kept / period
            self._loss = loss = (self._loss * kept - change) / period
        moved = gain + loss
        self.value = value = 100.0 * (gain / moved) if moved else 0.0
        return value

    def _warm_up(self, change: float) -> float | None:
        first = self._missing == self.warmup
        self._missing -= 1
        if first:  # there is no change yet
            return None
        self._gain += max(change, 0.0)
        self._loss += max(-change, 0.0)
        if self._missing:
            return None
        moved = self._gain + self._loss
        self.value = 100.0 * (self._gain / moved) if moved else 0.0
        self._gain /= self.period
        self._loss /= self.period
        return self.value


class Stochastic(Indicator):
    """The stochastic oscillator, 0 to 100. Warm-up: `period` + `smoothing` + `signal` - 2 bars.

    George Lane, Lane's Stochastics (Technical Analysis of Stocks and Commodities 2, 1984). The raw %K is where
    the close lies between the lowest low (0) and the highest high (100) of the last `period` bars. The value,
    `k`, is its mean over `smoothing` bars, and `d` that of `k` over `signal` bars (TA-Lib STOCH with simple
    averages). With `smoothing` 1 it is the fast stochastic (TA-Lib STOCHF).

    While highest and lowest are equal the raw %K is undefined; it then counts as 0, as in TA-Lib. A close
    outside its bar is refused.
    """

    __slots__ = ("_highs", "_ks", "_lows", "_raws", "_signal", "_smoothing", "d")

    _takes: ClassVar[str] = "bar of finite prices (magnitude < 1e150) with low <= close <= high"

    d: float | None
    """%D, the average of the value; None until `ready`."""

    def __init__(self, period: int = 14, smoothing: int = 3, signal: int = 3) -> None:
        super().__init__(period, period + smoothing + signal - 2, made_with=(period, smoothing, signal))
        self._check_periods(smoothing, signal)
        self._highs = RollingMax(period)
        self._lows = RollingMax(period)
        self._smoothing = smoothing
        self._signal = signal
        self._raws = RollingSum(smoothing)
        self._ks = RollingSum(signal)
        self.d = None

    @property
    def k(self) -> float | None:
        """%K: the same as `value`."""
        return self.value

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar; returns the new %K."""
        if not -_HUGE < low <= close <= high < _HUGE:
            self._refuse(high, low, close)
        highest = self._highs.update(high)
        lowest = -self._lows.update(-low)
        span = highest - lowest
        k = self._raws.update(100.0 * ((close - lowest) / span) if span else 0.0) / self._smoothing
        d = self._ks.update(k) / self._signal
        if self._missing:  # what was summed of windows that were not full yet has left the sums by the end of this
            self._missing -= 1
            if self._missing:
                return None
        self.d = d
        self.value = k
        return k


class CCI(Indicator):
    """The commodity channel index, mostly within -100 and 100. Warm-up: `period` bars.

    Donald Lambert, Commodity Channel Index (Commodities magazine, October 1980): the typical price
    (high + low + close) / 3 less its mean over `period` bars, in units of 0.015 x its mean deviation from
    that mean. A window without deviation has the value 0, as in TA-Lib.

    The mean deviation has no sliding form, so an update takes time in proportion to the period. Typical prices
    are kept with what rounding loses and taken relative to the newest before they are averaged, so the index
    is exact however little prices move. A deviation within the rounding of the prices themselves (decimals are
    no floats) counts as none: the value is then 0 and not the ratio of two rounding errors.
    """

    __slots__ = ("_window",)

    def __init__(self, period: int = 20) -> None:
        super().__init__(period, period)
        self._window: deque[tuple[float, float]] = deque(maxlen=period)

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar; returns the new value."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE and -_HUGE < close < _HUGE):
            self._refuse(high, low, close)
        window = self._window
        newest = high + low + close  # thrice the typical price: the index is the same at any scale
        lost = fsum((high, low, close, -newest))
        window.append((newest, lost))
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        period = self.period
        relative = [(price - newest) + (rest - lost) for price, rest in window]
        mean = fsum(relative) / period
        deviation = fsum([abs(price - mean) for price in relative]) / period
        self.value = value = -mean / (0.015 * deviation) if deviation > _ROUNDING * abs(newest) else 0.0
        return value
