"""Bands about the price."""

from tradingd.strategy.indicators.base import _HUGE, Indicator
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
