"""A strategy that trades all the time, for whole runs on live data."""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import OrderUpdate, Quote
from tradingd.strategy.base import Strategy, StrategyParams


class Flipper(Strategy):
    """Buys and sells at market in turn, at every third quote, until it has asked `orders` times."""

    class Params(StrategyParams):
        """What and how often."""

        symbol: str
        orders: int = 12

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._quotes = 0
        self.asked = self.ended = 0

    def on_quote(self, quote: Quote) -> None:
        """Ask now and then, once what was asked before is done."""
        self._quotes += 1
        if self._quotes % 3 or self.asked >= self.params.orders or self.orders:
            return
        self.asked += 1
        if self.position(quote.symbol).quantity > Decimal("0.015"):
            self.sell(quote.symbol, Decimal("0.012"))
        else:
            self.buy(quote.symbol, Decimal("0.01"))

    def on_order(self, update: OrderUpdate) -> None:
        """Count what is over; what was denied does not count."""
        if update.status is OrderStatus.DENIED:
            self.asked -= 1
        elif update.status.is_terminal:
            self.ended += 1
