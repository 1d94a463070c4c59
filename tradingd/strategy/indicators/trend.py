"""Whether there is a trend, how strong, and which way."""

from collections import deque

from tradingd.strategy.indicators.base import _HUGE, Indicator
from tradingd.strategy.indicators.channels import Donchian
from tradingd.strategy.indicators.volatility import ATR


class MACD(Indicator):
    """Moving average convergence/divergence: the fast EMA less the slow one. Warm-up: `slow` + `signal` - 1.

    Gerald Appel, The Moving Average Convergence-Divergence Method (1979). `value` is that difference, `signal`
    its EMA and `histogram` what it is above its signal, all in the unit of the input.

    Both averages begin at the same observation, the `slow`-th, as in TA-Lib: the fast one with the mean of the
    `fast` observations up to there. (TA-Lib swaps a fast that is longer than the slow; here it is refused.)
    """

    __slots__ = (
        "_average",
        "_fast",
        "_fast_period",
        "_fast_weight",
        "_signal_period",
        "_signal_weight",
        "_slow",
        "_slow_weight",
        "histogram",
        "signal",
    )

    signal: float | None
    """The EMA of the value, None until `ready`."""
    histogram: float | None
    """The value less its signal, None until `ready`."""

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        super().__init__(slow, slow + signal - 1, made_with=(fast, slow, signal))
        self._check_periods(fast, signal)
        if fast >= slow:
            raise ValueError(f"MACD: the fast period is less than the slow one {slow}, this is {fast}")
        self._fast_period = fast
        self._signal_period = signal
        self._fast_weight = 2.0 / (fast + 1)
        self._slow_weight = 2.0 / (slow + 1)
        self._signal_weight = 2.0 / (signal + 1)
        self._fast = 0.0  # these three are sums until there are enough observations to make averages of them
        self._slow = 0.0
        self._average = 0.0
        self.signal = None
        self.histogram = None

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new value."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        if self._missing:
            self._missing -= 1
            if not self._warm_up(x):
                return None
            line = self._fast - self._slow
        else:
            line = self._move(x)
            self._average += self._signal_weight * (line - self._average)
        self.signal = signal = self._average
        self.histogram = line - signal
        self.value = line
        return line

    def _move(self, x: float) -> float:
        self._fast = fast = self._fast + self._fast_weight * (x - self._fast)
        self._slow = slow = self._slow + self._slow_weight * (x - self._slow)
        return fast - slow

    def _warm_up(self, x: float) -> bool:
        """Take an observation of the warm-up; returns whether it was the last one."""
        seen = self.warmup - self._missing
        if seen > self.period:
            self._average += self._move(x)
        else:
            self._slow += x
            if seen > self.period - self._fast_period:
                self._fast += x
            if seen == self.period:
                self._slow /= self.period
                self._fast /= self._fast_period
                self._average = self._fast - self._slow
        if self._missing:
            return False
        self._average /= self._signal_period
        return True


class ADX(Indicator):
    """The average directional index, 0 to 100, with both directional indicators. Warm-up: 2 x `period` bars.

    Wilder (1978), section IV. A bar moves up by high - previous high or down by previous low - low: whichever
    is greater and above 0. `plus_di` and `minus_di` are 100 x the smoothed movement / the smoothed true range,
    the value is the average of 100 x |plus - minus| / (plus + minus).

    Seeds and smoothing are TA-Lib's (ADX, PLUS_DI, MINUS_DI): `plus_di` and `minus_di` have values from
    `period` + 1 bars on, before there is an average of them. A market without any range has 0 for both; the
    average then stays as it is.
    """

    __slots__ = ("_close", "_down", "_high", "_kept", "_low", "_range", "_sum", "_up", "minus_di", "plus_di")

    plus_di: float | None
    """The upward directional indicator, 0 to 100; None before `period` + 1 bars."""
    minus_di: float | None
    """The downward directional indicator, 0 to 100; None before `period` + 1 bars."""

    def __init__(self, period: int = 14) -> None:
        super().__init__(period, 2 * period)
        self._kept = period - 1
        self._high = self._low = self._close = 0.0
        self._range = self._up = self._down = 0.0
        self._sum = 0.0
        self.plus_di = None
        self.minus_di = None

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar; returns the new value."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE and -_HUGE < close < _HUGE):
            self._refuse(high, low, close)
        previous = self._close
        up = high - self._high
        down = self._low - low
        self._high = high
        self._low = low
        self._close = close
        top = high if high > previous else previous  # noqa: FURB136 - a call of max() costs twice as much
        bottom = low if low < previous else previous  # noqa: FURB136
        if self._missing > self.period:
            self._seed(up, down, top - bottom)
            return None
        period = self.period
        self._range = span = self._range - self._range / period + (top - bottom)
        self._up = ups = self._up - self._up / period + (up if up > 0.0 and up > down else 0.0)
        self._down = downs = self._down - self._down / period + (down if down > 0.0 and down > up else 0.0)
        self.plus_di = plus = 100.0 * (ups / span) if span else 0.0
        self.minus_di = minus = 100.0 * (downs / span) if span else 0.0
        moved = plus + minus
        return self._average(100.0 * (abs(plus - minus) / moved) if moved else None)

    def _seed(self, up: float, down: float, true_range: float) -> None:
        """The sums begin with `period` - 1 movements; the first bar has none."""
        first = self._missing == self.warmup
        self._missing -= 1
        if first:
            return
        self._range += true_range
        if up > 0.0 and up > down:
            self._up += up
        elif down > 0.0 and down > up:
            self._down += down

    def _average(self, index: float | None) -> float | None:
        """Of no movement at all there is no index: it leaves the average as it is."""
        value = self.value
        if value is not None:
            if index is not None:
                self.value = (value * self._kept + index) / self.period
            return self.value
        self._sum += index or 0.0
        self._missing -= 1
        if not self._missing:
            self.value = self._sum / self.period
        return self.value


class Supertrend(Indicator):
    """A trailing stop that turns over when a close crosses it. Warm-up: `period` + 1 bars.

    Olivier Seban's indicator, as TradingView's ta.supertrend computes it (Pine Script reference): bands at
    (high + low) / 2 +- `multiplier` x `ATR(period)`. The upper one only falls until a close is above it, the
    lower one only rises until a close is below it. The value is the lower band while the trend is up and the
    upper one while it is down; a close beyond it turns the trend. It begins down.
    """

    __slots__ = ("_atr", "_close", "_multiplier", "direction", "lower", "upper")

    upper: float | None
    """The band that a close must exceed for the trend to turn up, None until `ready`."""
    lower: float | None
    """The band that a close must undercut for the trend to turn down, None until `ready`."""
    direction: int | None
    """1 while the trend is up, -1 while it is down, None until `ready`."""

    def __init__(self, period: int = 10, multiplier: float = 3.0) -> None:
        super().__init__(period, period + 1, made_with=(period, multiplier))
        self._check_multiplier(multiplier)
        self._multiplier = multiplier
        self._atr = ATR(period)
        self._close = 0.0
        self.upper = None
        self.lower = None
        self.direction = None

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar; returns the new value."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE and -_HUGE < close < _HUGE):
            self._refuse(high, low, close)
        before = self._close
        self._close = close
        atr = self._atr.update(high, low, close)
        if atr is None:
            return None
        middle = (high + low) / 2
        upper = middle + self._multiplier * atr
        lower = middle - self._multiplier * atr
        ceiling, floor = self.upper, self.lower
        direction = -1
        if ceiling is not None and floor is not None:
            if upper >= ceiling >= before:
                upper = ceiling
            if lower <= floor <= before:
                lower = floor
            up = close >= lower if self.direction == 1 else close > upper
            direction = 1 if up else -1
        self.upper = upper
        self.lower = lower
        self.direction = direction
        self.value = value = lower if direction == 1 else upper
        return value


class Ichimoku(Indicator):
    """Ichimoku kinko hyo. Warm-up: the longest of the three periods + `displacement` - 1 bars (77).

    Goichi Hosoda (Ichimoku Sanjin), Ichimoku kinko hyo (1969). All lines are middles between the highest high
    and the lowest low of a number of bars: `conversion` (tenkan-sen) of 9, the value, also `base` (kijun-sen),
    of 26. Half way between them lies the first leading span, and the middle of 52 bars is the second; both are
    drawn `displacement` bars ahead, the present bar being the first of them. So `leading_a` and `leading_b`
    are the spans computed now, for the future, and `cloud_a` and `cloud_b` those drawn at the present bar,
    computed `displacement` - 1 bars ago. The lagging span (chikou) is the close itself, drawn back: compare
    the close with that of `displacement` - 1 bars ago.
    """

    __slots__ = (
        "_base",
        "_conversion",
        "_drawn",
        "_span",
        "cloud_a",
        "cloud_b",
        "conversion",
        "leading_a",
        "leading_b",
    )

    conversion: float | None
    """Tenkan-sen, None until `ready`."""
    leading_a: float | None
    """Senkou span A computed at this bar, None until `ready`."""
    leading_b: float | None
    """Senkou span B computed at this bar, None until `ready`."""
    cloud_a: float | None
    """Senkou span A drawn at this bar, None until `ready`."""
    cloud_b: float | None
    """Senkou span B drawn at this bar, None until `ready`."""

    def __init__(self, conversion: int = 9, base: int = 26, span: int = 52, displacement: int = 26) -> None:
        warmup = max(conversion, base, span) + displacement - 1
        super().__init__(base, warmup, made_with=(conversion, base, span, displacement))
        self._check_periods(conversion, span, displacement)
        self._conversion = Donchian(conversion)
        self._base = Donchian(base)
        self._span = Donchian(span)
        self._drawn: deque[tuple[float, float]] = deque(maxlen=displacement)
        self.conversion = None
        self.leading_a = self.leading_b = None
        self.cloud_a = self.cloud_b = None

    @property
    def base(self) -> float | None:
        """Kijun-sen: the same as `value`."""
        return self.value

    def update(self, high: float, low: float) -> float | None:
        """Take the next bar; returns the new base line."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE):
            self._refuse(high, low)
        conversion = self._conversion.update(high, low)
        base = self._base.update(high, low)
        span = self._span.update(high, low)
        if conversion is None or base is None or span is None:
            self._missing -= 1
            return None
        drawn = self._drawn
        ahead = (conversion + base) / 2
        drawn.append((ahead, span))
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.conversion = conversion
        self.leading_a = ahead
        self.leading_b = span
        self.cloud_a, self.cloud_b = drawn[0]
        self.value = base
        return base
