"""A strategy that keeps orders coming, so that a rehearsal has something to spoil within seconds."""

from random import Random

from pydantic import Field

from tradingd.domain.enums import Direction, OrderStatus
from tradingd.domain.events import OrderUpdate, Trade
from tradingd.strategy.base import Strategy, StrategyParams

__all__ = ["Prodder"]

_AWAY = 0.0004  # how far from the price its limit orders rest: some fill, some are canceled
_STOP = 0.02
_REST = 20  # so many trades of a symbol it lets pass after an order that came to nothing
_NOTHING = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.VOID})
_MARKET, _LIMIT = 0.5, 0.85  # of all entries: at the market, resting, and at the market with a stop


class Prodder(Strategy):
    """Gets in and out all the time, by market orders, limit orders that it cancels, and stops.

    Sizes are those of the run's sizer, and the run's limits hold for it as for every strategy.
    """

    class Params(StrategyParams):
        """What is traded, and how often."""

        symbols: list[str] = Field(description="All that it trades.")
        seed: int = Field(1, description="Of its choices.")
        every: int = Field(3, ge=1, description="It acts on every so many trades of a symbol, on the average.")

    params: Params

    def on_start(self) -> None:
        """Before the first event."""
        self.random = Random(self.params.seed)  # noqa: S311 - repeatable, nothing secret
        self.resting: dict[str, int] = {}

    def on_trade(self, trade: Trade) -> None:
        """Do something now and then."""
        if self.random.random() * self.params.every >= 1:
            return
        resting = self.resting.get(trade.symbol, 0)
        if resting:
            self.resting[trade.symbol] = resting - 1
            return
        working = {intent: order for intent, order in self.orders.items() if order.symbol == trade.symbol}
        if working:
            keen = [intent for intent, order in working.items() if order.status is not OrderStatus.CANCELING]
            if keen:
                self.cancel(self.random.choice(keen))
        elif self._can_close(trade):
            self.signal(trade.symbol, Direction.FLAT)
        else:
            self._enter(trade)

    def on_order(self, update: OrderUpdate) -> None:
        """Where orders come to nothing, wait: to ask again at each trade leads to nothing but noise."""
        if update.status in _NOTHING:
            self.resting[update.symbol] = _REST

    def _can_close(self, trade: Trade) -> bool:
        """Whether it holds more than the dust that fees in the base coin leave, which no venue takes."""
        least = self.instrument(trade.symbol).min_notional
        return float(self.position(trade.symbol).quantity) * trade.price > float(least)

    def _enter(self, trade: Trade) -> None:
        how = self.random.random()
        if how < _MARKET:
            self.signal(trade.symbol, Direction.LONG)
        elif how < _LIMIT:
            self.signal(trade.symbol, Direction.LONG, limit=trade.price * (1 - _AWAY))
        else:
            self.signal(trade.symbol, Direction.LONG, stop=trade.price * (1 - _STOP))
