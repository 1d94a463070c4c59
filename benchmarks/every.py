"""A strategy that trades as often as it is told to, whatever the prices do: for the cost of a fill."""

from tradingd.domain.enums import Side
from tradingd.domain.events import Bar
from tradingd.strategy.base import Strategy, StrategyParams


class Every(Strategy):
    """Buys one and sells it again, an order at each `every`th bar; 0 is never."""

    class Params(StrategyParams):
        """Which symbol, and how often."""

        symbol: str
        every: int = 0

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._bars = 0
        self._side = Side.BUY

    def on_bar(self, bar: Bar) -> None:
        """Ask for an order at every so many bars."""
        self._bars += 1
        if self.params.every and self._bars % self.params.every == 0:
            self.order(bar.symbol, self._side, 1)
            self._side = Side.SELL if self._side is Side.BUY else Side.BUY
