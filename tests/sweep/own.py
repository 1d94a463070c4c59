"""Strategies of a user's own, for the sweep's tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.ma_crossover import MovingAverageCrossover
from tradingd.strategy.sweep import FLAT, HOLD, LONG, BarColumns


class EveryNth(Strategy):
    """Long at every n-th bar, flat at the one after; says the same by `signals`, in numpy alone."""

    class Params(StrategyParams):
        symbol: str
        n: int = 4

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._bars = 0

    @staticmethod
    def signals(bars: BarColumns, params: Params) -> NDArray[np.int8]:
        codes = np.full(len(bars.close), HOLD, np.int8)
        codes[params.n - 1 :: params.n] = LONG
        codes[params.n :: params.n] = FLAT
        return codes

    def on_bar(self, bar: Bar) -> None:
        self._bars += 1
        place = self._bars % self.params.n
        if place == 0:
            self.signal(bar.symbol, Direction.LONG, bar.close)
        elif place == 1 and self._bars > 1:
            self.signal(bar.symbol, Direction.FLAT, bar.close)


class Cheat(EveryNth):
    """Says by `signals` what it would like to have done."""

    @staticmethod
    def signals(bars: BarColumns, params: Any) -> NDArray[np.int8]:
        del params
        codes = np.full(len(bars.close), HOLD, np.int8)
        codes[1], codes[3] = LONG, FLAT
        return codes


class TooFew(EveryNth):
    """Returns codes for some of the bars only."""

    @staticmethod
    def signals(bars: BarColumns, params: Any) -> NDArray[np.int8]:
        del bars, params
        return np.zeros(3, np.int8)


class Reckless(MovingAverageCrossover):
    """Changes what the strategy does at a bar, and inherits signals that know nothing of it."""

    def on_bar(self, bar: Bar) -> None:
        self.signal(bar.symbol, Direction.LONG, bar.close)


class Silent(Strategy):
    """Offers no sweep."""

    class Params(StrategyParams):
        symbol: str
