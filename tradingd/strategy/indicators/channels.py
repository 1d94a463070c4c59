"""Bands about the price."""

from tradingd.strategy.indicators.averages import EMA
from tradingd.strategy.indicators.base import _HUGE, Indicator
from tradingd.strategy.indicators.volatility import ATR, RollingStd
from tradingd.strategy.indicators.windows import RollingMax


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
        self._highs = RollingMax(period)
        self._lows = RollingMax(period)
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


class _Band(Indicator):
    """A middle with a line as far above it as below."""

    __slots__ = ("_multiplier", "lower", "upper")

    upper: float | None
    """The upper line, None until `ready`."""
    lower: float | None
    """The lower line, None until `ready`."""

    def __init__(self, period: int, warmup: int, multiplier: float, made_with: tuple[float, ...]) -> None:
        super().__init__(period, warmup, made_with=made_with)
        self._check_multiplier(multiplier)
        self._multiplier = multiplier
        self.upper = None
        self.lower = None

    @property
    def middle(self) -> float | None:
        """Half way between `upper` and `lower`: the same as `value`."""
        return self.value


class Bollinger(_Band):
    """Bollinger bands: `multiplier` standard deviations about the simple average. Warm-up: `period` updates.

    John Bollinger, Bollinger on Bollinger Bands (2001). The deviation is the population's (TA-Lib BBANDS); it
    and the mean are `RollingStd`'s. The value is the average; `upper`, `middle` and `lower` are the lines.
    """

    __slots__ = ("_deviation",)

    def __init__(self, period: int = 20, multiplier: float = 2.0) -> None:
        super().__init__(period, period, multiplier, (period, multiplier))
        self._deviation = RollingStd(period)

    def update(self, x: float) -> float | None:
        """Take the next observation; returns the new middle."""
        if not -_HUGE < x < _HUGE:
            self._refuse(x)
        deviation = self._deviation.update(x)
        if deviation is None:
            return None
        self.value = middle = self._deviation.mean
        reach = self._multiplier * deviation
        self.upper = middle + reach
        self.lower = middle - reach
        return middle


class Keltner(_Band):
    """Keltner channels: `multiplier` average true ranges about the EMA of the closes.

    Chester Keltner, How to Make Money in Commodities (1960), in the form Linda Bradford Raschke gave it (Street
    Smarts, 1995): `EMA(period)` +- `multiplier` x `ATR(atr_period)`. Warm-up: `period` or `atr_period` + 1
    bars, whichever is more. The value is the EMA; `upper`, `middle` and `lower` are the lines.
    """

    __slots__ = ("_atr", "_average")

    def __init__(self, period: int = 20, multiplier: float = 2.0, atr_period: int = 10) -> None:
        warmup = max(period, atr_period + 1)
        super().__init__(period, warmup, multiplier, (period, multiplier, atr_period))
        self._check_periods(atr_period)
        self._average = EMA(period)
        self._atr = ATR(atr_period)

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar; returns the new middle."""
        if not (-_HUGE < low < _HUGE and -_HUGE < high < _HUGE and -_HUGE < close < _HUGE):
            self._refuse(high, low, close)
        middle = self._average.update(close)
        atr = self._atr.update(high, low, close)
        if middle is None or atr is None:
            return None
        reach = self._multiplier * atr
        self.value = middle
        self.upper = middle + reach
        self.lower = middle - reach
        return middle
