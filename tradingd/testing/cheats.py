"""Strategies that cheat, each in one way that people cheat by mistake: what a look-ahead check has to catch.

All are named `tradingd.testing.cheats:<Class>`. They trade too well or never alike, and are no examples.
"""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from tradingd.data.readers import read_events
from tradingd.data.series import SeriesSpec, parse_interval, resolve_path
from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar
from tradingd.strategy.base import Strategy, StrategyParams

__all__ = ["Chance", "FirstRunOnly", "SetOrder", "TomorrowsClose", "WholeSeries"]


class _WithFile(StrategyParams):
    """A symbol, and the file that its bars are in: relative to the working directory, absolute, or `pkg:`."""

    symbol: str
    path: str
    interval: str = "1d"


def _bars_of(params: _WithFile) -> list[Bar]:
    path = resolve_path(params.path, Path.cwd())
    spec = SeriesSpec(symbol=params.symbol, path=path, interval_ns=parse_interval(params.interval))
    return [event for event in read_events(spec) if isinstance(event, Bar)]


class TomorrowsClose(Strategy):
    """Reads the price file and is long whenever the next bar closes higher."""

    Params = _WithFile

    def on_start(self) -> None:
        """Look up what comes after each bar."""
        bars = _bars_of(self.params)
        self.next_close = {bar.ts: later.close for bar, later in pairwise(bars)}

    def on_bar(self, bar: Bar) -> None:
        """Go with tomorrow."""
        rises = self.next_close.get(bar.ts, bar.close) > bar.close
        self.signal(bar.symbol, Direction.LONG if rises else Direction.FLAT, bar.close)


class WholeSeries(Strategy):
    """Buys below the middle of the whole series' range, which nobody knew; kept by the class for all to use."""

    Params = _WithFile
    middle: ClassVar[float | None] = None

    def on_start(self) -> None:
        """Find the extremes, once in a process."""
        if WholeSeries.middle is None:
            closes = [bar.close for bar in _bars_of(self.params)]
            WholeSeries.middle = (min(closes) + max(closes)) / 2

    def on_bar(self, bar: Bar) -> None:
        """Compare with what is to come, too."""
        cheap = bar.close < (self.middle or 0.0)
        self.signal(bar.symbol, Direction.LONG if cheap else Direction.FLAT, bar.close)


class _WithSymbol(StrategyParams):
    symbol: str


class Chance(Strategy):
    """Tosses a coin at each bar."""

    Params = _WithSymbol

    def on_bar(self, bar: Bar) -> None:
        """Ask chance."""
        heads = random.random() < 0.5  # noqa: S311, PLR2004 - that is the cheat
        self.signal(bar.symbol, Direction.LONG if heads else Direction.FLAT, bar.close)


class FirstRunOnly(Strategy):
    """Keeps prices in its class, so that a second run in the same process begins with those of the first one."""

    Params = _WithSymbol
    closes: ClassVar[list[float]] = []

    def on_bar(self, bar: Bar) -> None:
        """Buy below the mean of all runs."""
        self.closes.append(bar.close)
        cheap = bar.close < sum(self.closes) / len(self.closes)
        self.signal(bar.symbol, Direction.LONG if cheap else Direction.FLAT, bar.close)


class SetOrder(Strategy):
    """Does what comes first out of a set of texts, which every process puts into another order."""

    Params = _WithSymbol

    def __init__(self, params: Any, strategy_id: str) -> None:  # noqa: ANN401 - as in the base
        super().__init__(params, strategy_id)
        self.names = {f"{number:03}" for number in range(1_000)}

    def on_bar(self, bar: Bar) -> None:
        """Tell the first name."""
        self.signal(bar.symbol, Direction.LONG, bar.close, tag=next(iter(self.names)))
