"""Streaming indicators: one update a bar, constant time and memory, no numpy.

All of them work alike. `update` takes the next observation and returns the new value, None until `warmup`
updates have been seen; `value` is the latest value and `ready` tells whether there is one. Values are in the
unit of the input (prices), but for RSI, which runs from 0 to 100. A strategy that wants "the previous n bars"
reads an indicator before it updates it.

An observation that is NaN, infinite or beyond 1e150 raises ValueError and changes nothing: recursive averages
never forget, so one NaN let in would poison every later value.

The figures are those of TA-Lib (https://ta-lib.org) with its default settings: seeds, smoothing and the length
of the warm-up. Where rounding makes a difference these are nearer to the exact value: `SMA` is the correctly
rounded mean of its window and `RollingStd` survives cancellation. Neither drifts, however long it runs.
"""

from collections import deque
from itertools import chain
from math import fsum, nan, sqrt
from typing import NoReturn

__all__ = ["ATR", "EMA", "RSI", "SMA", "Donchian", "Indicator", "RollingStd"]

_HUGE = 1e150
"""Observations are smaller than this, so that neither their sums nor their squares overflow."""


class Indicator:
    """What all indicators share; `update` differs in what it takes."""

    __slots__ = ("_missing", "period", "value", "warmup")

    period: int
    """The length of the window, or of the smoothing, in observations."""
    warmup: int
    """How many updates it takes until there is a value."""
    value: float | None
    """The latest value, None until `ready`. To read; a plain attribute, because it is read at every bar."""

    def __init__(self, period: int, warmup: int) -> None:
        if period < 1:
            raise ValueError(f"{type(self).__name__}: a period is at least 1, this is {period}")
        self.period = period
        self.warmup = warmup
        self.value = None
        self._missing = warmup

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.period}, value={self.value})"

    @property
    def ready(self) -> bool:
        """Whether there is a value yet."""
        return self.value is not None

    def _refuse(self, *observation: float) -> NoReturn:
        shown = ", ".join(map(repr, observation))
        raise ValueError(f"{type(self).__name__}({self.period}): {shown} is no finite price (magnitude < 1e150)")


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


class _MeanSeeded(Indicator):
    """Begins with the plain mean of its first `period` inputs, as TA-Lib does."""

    __slots__ = ("_seed",)

    def __init__(self, period: int, warmup: int) -> None:
        super().__init__(period, warmup)
        self._seed = 0.0

    def _warm_up(self, x: float) -> float | None:
        self._seed += x
        self._missing -= 1
        if not self._missing:
            self.value = self._seed / self.period
        return self.value


class EMA(_MeanSeeded):
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


class ATR(_MeanSeeded):
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
        self._base = 0.0
        self._mean = 0.0  # of observation - base: small, so it rounds little
        self._squares = 0.0
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


class _RollingMax:
    """The maximum of the last `period` numbers, in amortised constant time.

    Keeps only candidates: a number that a later one exceeds can never be the maximum again (the "monotonic
    queue"; Lemire, Nordic Journal of Computing 13, 2006). Equal ones are kept, one for each time they leave.
    """

    __slots__ = ("_candidates", "_window")

    def __init__(self, period: int) -> None:
        self._window: deque[float] = deque(maxlen=period)
        self._candidates: deque[float] = deque()

    def update(self, x: float) -> float:
        window = self._window
        candidates = self._candidates
        if len(window) == window.maxlen and window[0] == candidates[0]:
            candidates.popleft()
        window.append(x)
        while candidates and candidates[-1] < x:
            candidates.pop()
        candidates.append(x)
        return candidates[0]


class Donchian(Indicator):
    """The Donchian channel: highest high and lowest low of the last `period` bars. Warm-up: `period` bars.

    Richard Donchian's four-week rule trades a close outside the channel of the bars *before* it: read `upper`
    and `lower` first, then update. The value is the middle of the channel.
    """

    __slots__ = ("_highs", "_lows", "lower", "upper")

    upper: float | None
    """The highest high, None until `ready`."""
    lower: float | None
    """The lowest low, None until `ready`."""

    def __init__(self, period: int) -> None:
        super().__init__(period, period)
        self._highs = _RollingMax(period)
        self._lows = _RollingMax(period)
        self.upper = None
        self.lower = None

    @property
    def middle(self) -> float | None:
        """Half way between `upper` and `lower`: the same as `value`."""
        return self.value

    def update(self, high: float, low: float) -> float | None:
        """Take the next bar; returns the new middle."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE):
            self._refuse(high, low)
        upper = self._highs.update(high)
        lower = -self._lows.update(-low)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.upper = upper
        self.lower = lower
        self.value = value = (upper + lower) / 2
        return value
