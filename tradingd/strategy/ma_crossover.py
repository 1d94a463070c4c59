"""The moving-average crossover: long while a fast average is above a slow one."""

from math import isclose
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar, Fill, OrderUpdate
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.indicators import SMA
from tradingd.strategy.sweep import BarColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MovingAverageCrossover"]

_NEAR = 1e-18
"""Averages whose distance has a larger square than this share of their own are not worth a closer look."""


class MovingAverageCrossover(Strategy):
    """Long while the fast simple moving average of the closes is above the slow one, else flat or short.

    It first decides at the bar on which the slow average is ready, by where the averages stand, and then at each
    crossing. A tie is no crossing: the last decision stands.

    When things go wrong:

    - An entry that ends without any fill (denied, rejected, canceled, expired) is not asked for again before the
      averages have crossed back and forth: whoever refused it would refuse it at every bar.
    - A position that contradicts the last decision, because an exit or a reversal failed, or because the run
      started with it, is closed with a FLAT signal; again at every bar until it is gone. While one of our orders
      still works, its outcome is awaited.
    """

    class Params(StrategyParams):
        """Periods are counted in bars; the averages are of closes."""

        symbol: str = Field(min_length=1, description="What to trade.")
        fast_ma: int = Field(10, ge=1, le=10_000, description="Bars in the fast average.")
        slow_ma: int = Field(30, ge=2, le=10_000, description="Bars in the slow average; more than fast_ma.")
        long_only: bool = Field(
            default=True, description="Go flat instead of short while the fast average is below the slow one."
        )

        @model_validator(mode="after")
        def _fast_is_faster(self) -> Self:
            if self.fast_ma >= self.slow_ma:
                raise ValueError(f"fast_ma ({self.fast_ma}) must be smaller than slow_ma ({self.slow_ma})")
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._fast = SMA(params.fast_ma)
        self._slow = SMA(params.slow_ma)
        self._below = Direction.FLAT if params.long_only else Direction.SHORT
        self._decided: Direction | None = None
        """Where the averages stood last."""
        self._signalled = Direction.FLAT
        """The last state asked for that has not failed."""
        self._intent = ""
        self._in_doubt = True
        """Whether what is held may contradict the last decision: what changes either of them sets this."""

    @staticmethod
    def signals(bars: BarColumns, params: Params) -> "NDArray[np.int8]":
        """The same decisions over whole columns, for a sweep (docs/sweep.md)."""
        from tradingd.strategy.kernels import crossover

        return crossover(bars, params.fast_ma, params.slow_ma, long_only=params.long_only)

    @property
    def warmup_bars(self) -> int:
        """The bars it takes for the slow average."""
        return self.params.slow_ma

    def on_bar(self, bar: Bar) -> None:
        """Signal what the averages say when that is news; close what contradicts them."""
        stand = self._stand(bar.close)
        if stand is None:
            return
        if stand is not self._decided:
            self._decided = stand
            self._in_doubt = True
            if stand is not self._signalled:
                self._ask(stand, bar.close)
                return
        if self._in_doubt:
            self._in_doubt = self._holds_against(stand)
            if self._in_doubt and not self.orders:
                self._ask(Direction.FLAT, bar.close)

    def on_fill(self, fill: Fill) -> None:
        """Look again at what is held."""
        del fill
        self._in_doubt = True

    def on_order(self, update: OrderUpdate) -> None:
        """Forget a state that was asked for in vain."""
        self._in_doubt = True
        if update.intent_id == self._intent and update.status.is_terminal and not update.filled:
            self._signalled = Direction.FLAT

    def _stand(self, close: float) -> Direction | None:
        """What the averages say; None before the first decision."""
        fast = self._fast.update(close)
        slow = self._slow.update(close)
        if fast is None or slow is None:
            return None
        # Averages that are equal in exact arithmetic (all prices the same, say) can differ in the last digit,
        # because a sum of 10 and a sum of 30 floats round differently. That is no crossing.
        gap = fast - slow
        if gap * gap < _NEAR * slow * slow and isclose(fast, slow, rel_tol=1e-12):
            return self._decided
        return Direction.LONG if fast > slow else self._below

    def _ask(self, direction: Direction, close: float) -> None:
        self._intent = self.signal(self.params.symbol, direction, close)
        self._signalled = direction

    def _holds_against(self, stand: Direction) -> bool:
        """Whether we hold what `stand` says we should not; less than a lot, which nobody can trade, is nothing."""
        held = self.position(self.params.symbol).quantity
        if held:
            held = self.instrument(self.params.symbol).floor_quantity(held)
        if stand is Direction.FLAT:
            return bool(held)
        return held < 0 if stand is Direction.LONG else held > 0
