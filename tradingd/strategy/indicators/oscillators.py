"""Figures that swing between bounds or about zero."""

from tradingd.strategy.indicators.base import _HUGE, Indicator


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
