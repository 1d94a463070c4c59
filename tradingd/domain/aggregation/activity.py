"""Bars that close when enough has been traded, or when buyers and sellers are far enough from balance.

Source: M. Lopez de Prado, Advances in Financial Machine Learning, Wiley 2018, chapter 2. His imbalance bars expect
a threshold from exponential averages of past bars, which feed back on themselves and drift to bars of one trade or
of a whole day; here the threshold is fixed.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from tradingd.domain.aggregation.base import ANY_PRICE, ANY_VOLUME, Aggregator, FormingBar
from tradingd.domain.events import Bar, EventType, MarketEvent, Trade

__all__ = ["ActivityBars", "Measure"]

Measure = Literal["tick", "volume", "value"]
"""What is counted: inputs, the amount traded, or price times amount."""

_TRADES = frozenset({EventType.TRADE})
_REACHED = 1 - 1e-12
"""The part of a threshold at which it counts as reached: ten times 0.1 adds up to less than 1 in floats."""


def _tick(_bar: Bar) -> float:
    return 1.0


def _volume(bar: Bar) -> float:
    return bar.volume


def _value(bar: Bar) -> float:
    # For a trade the middle is its price; what a bar's volume was traded at is not known any better.
    return (bar.high + bar.low) / 2 * bar.volume


_MEASURES: dict[Measure, Callable[[Bar], float]] = {"tick": _tick, "volume": _volume, "value": _value}


class ActivityBars(Aggregator):
    """Closes a bar with the input that brings what is measured since the last one to `threshold`.

    With `imbalance` it is buying minus selling that is measured, and that closes a bar at `threshold` to either
    side. A trade's side is its taker's, as it was recorded; nothing has to be guessed from the prices.

    An input is never split, though it may overshoot: the parts of one trade would be bars with the same time and
    price, which nobody traded. What it overshoots by is not carried over. A bar's times are its first input's open
    and its last one's close. From smaller bars, `tick` counts those and `value` takes the middle of their range.
    """

    def __init__(self, measure: Measure, threshold: float, *, imbalance: bool = False) -> None:
        super().__init__()
        self.measure: Measure = measure
        self.threshold = threshold
        self.imbalance = imbalance
        self.takes = _TRADES if imbalance else ANY_PRICE if measure == "tick" else ANY_VOLUME
        self._weigh = _MEASURES[measure]
        self._enough = threshold * _REACHED
        self._sign = 1
        self._sum = 0.0
        self._forming = FormingBar()

    def update(self, event: MarketEvent) -> Sequence[Bar]:
        """Take the next event; returns the bar if it is closed now."""
        if self.imbalance and type(event) is Trade:
            self._sign = event.side.sign
        return super().update(event)

    def _add(self, bar: Bar) -> Sequence[Bar]:
        self._forming.add(bar)
        self._sum += self._sign * self._weigh(bar)
        if -self._enough < self._sum < self._enough:
            return ()
        self._sum = 0.0
        return (self._forming.finish(self._forming.ts_open, bar.ts),)

    def __str__(self) -> str:
        return f"{self.measure}{'-imbalance' * self.imbalance}:{self.threshold:.15g}"
