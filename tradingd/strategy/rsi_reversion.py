"""RSI mean reversion: buy when an oversold market turns up, get out when it has recovered."""

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar, OrderUpdate
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.indicators import RSI
from tradingd.strategy.sweep import BarColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RsiReversion"]


class RsiReversion(Strategy):
    """Enter when the RSI leaves an extreme, exit when it has come back to the middle.

    Long: enter when the RSI crosses up through `oversold` (the last one at or below it, this one above), the
    well-known form of Wilder's rule (1978) that waits for the turn instead of catching the fall. Exit when the
    RSI is at or above `exit`. A bar that does both at once (a jump through the whole band) enters nothing.

    Short, unless `long_only`, is the mirror image: enter when the RSI crosses down through `overbought`, exit
    when it is at or below `oversold + overbought - exit`.

    The RSI of a market that has not moved yet is 0 by convention; it counts as no RSI, not as oversold.

    When things go wrong:

    - An entry that ends without any fill (denied, rejected, canceled, expired) is not asked for again before the
      next such crossing.
    - A position that contradicts the last decision, because an exit or a reversal failed, is closed with a FLAT
      signal; again at every bar until it is gone, whatever the RSI does meanwhile. While one of our orders still
      works, its outcome is awaited. A position that the run started with is held until its exit.
    """

    class Params(StrategyParams):
        """Levels are RSI points, 0 to 100; the period is counted in bars."""

        symbol: str = Field(min_length=1, description="What to trade.")
        period: int = Field(14, ge=2, le=10_000, description="Bars that the RSI smooths over.")
        oversold: float = Field(30.0, gt=0, lt=100, description="Enter long when the RSI crosses up through this.")
        exit: float = Field(
            50.0, gt=0, lt=100, description="Exit a long at this RSI or above; above oversold, at most overbought."
        )
        overbought: float = Field(
            70.0, gt=0, lt=100, description="Enter short when the RSI crosses down through this."
        )
        long_only: bool = Field(default=True, description="Never go short.")

        @model_validator(mode="after")
        def _levels_ascend(self) -> Self:
            if not self.oversold < self.exit <= self.overbought:
                raise ValueError(
                    f"levels must ascend: oversold ({self.oversold:g}) < exit ({self.exit:g}) "
                    f"<= overbought ({self.overbought:g})"
                )
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._rsi = RSI(params.period)
        self._exit_short = params.oversold + params.overbought - params.exit
        self._last: float | None = None
        """The RSI at the bar before."""
        self._wanted: Direction | None = None
        """The state asked for last, FLAT when it failed; None before the first RSI."""
        self._intent = ""

    @staticmethod
    def signals(bars: BarColumns, params: Params) -> "NDArray[np.int8]":
        """The same decisions over whole columns, for a sweep (docs/sweep.md)."""
        from tradingd.strategy.kernels import reversion

        levels = (params.oversold, params.exit, params.overbought)
        return reversion(bars, params.period, *levels, long_only=params.long_only)

    @property
    def warmup_bars(self) -> int:
        """The bars it takes for the RSI; a crossing takes one more."""
        return self._rsi.warmup

    def on_bar(self, bar: Bar) -> None:
        """Signal an entry or exit when the RSI says so; close what should be gone."""
        rsi = self._rsi.update(bar.close)
        if rsi is None or (not rsi and self._rsi.unmoved):
            return
        if self._wanted is None:
            self._wanted = self._held()
        last, self._last = self._last, rsi
        wanted = self._entry(last, rsi) or self._kept(self._wanted, rsi)
        if wanted is not self._wanted:
            self._ask(wanted, bar.close)
        elif self._held() not in {wanted, Direction.FLAT} and not self.orders:
            self._ask(Direction.FLAT, bar.close)

    def on_order(self, update: OrderUpdate) -> None:
        """Forget a state that was asked for in vain, unless it is held anyway."""
        in_vain = update.intent_id == self._intent and update.status.is_terminal and not update.filled
        if in_vain and self._held() is not self._wanted:
            self._wanted = Direction.FLAT

    def _entry(self, last: float | None, rsi: float) -> Direction | None:
        """The entry that the step from `last` to `rsi` asks for."""
        if last is None:
            return None
        params = self.params
        if last <= params.oversold < rsi < params.exit:
            return Direction.LONG
        if not params.long_only and last >= params.overbought > rsi > self._exit_short:
            return Direction.SHORT
        return None

    def _kept(self, wanted: Direction, rsi: float) -> Direction:
        """What remains of the wanted state at this RSI."""
        recovered = rsi >= self.params.exit if wanted is Direction.LONG else rsi <= self._exit_short
        return Direction.FLAT if recovered else wanted

    def _held(self) -> Direction:
        """What we hold; less than a lot, which nobody can trade, is nothing."""
        held = self.position(self.params.symbol).quantity
        if not held or not self.instrument(self.params.symbol).floor_quantity(held):
            return Direction.FLAT
        return Direction.LONG if held > 0 else Direction.SHORT

    def _ask(self, direction: Direction, close: float) -> None:
        self._intent = self.signal(self.params.symbol, direction, close)
        self._wanted = direction
