"""A strategy for the tests that trades on ticks: signals on trades, resting limits around quotes, timers."""

from tradingd.domain.enums import Direction
from tradingd.domain.events import OrderUpdate, Quote, Timer, Trade
from tradingd.strategy.base import Strategy, StrategyParams


class Ticker(Strategy):
    """Goes long and flat every hundred trades, and quotes a limit buy below the bid."""

    class Params(StrategyParams):
        symbols: list[str]

    def on_start(self) -> None:
        self.trades = 0
        self.quotes = 0
        self.resting = ""
        self.set_timer("clear", 5)

    def on_trade(self, trade: Trade) -> None:
        self.trades += 1
        if self.trades % 100 == 0:
            held = self.position(trade.symbol).quantity > 0
            self.signal(trade.symbol, Direction.FLAT if held else Direction.LONG)

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        if not self.resting and self.quotes % 50 == 0:
            self.resting = self.buy(quote.symbol, "0.001", limit=quote.bid - 0.5)

    def on_order(self, update: OrderUpdate) -> None:
        if update.intent_id == self.resting and update.status.is_terminal:
            self.resting = ""

    def on_timer(self, timer: Timer) -> None:
        if self.resting in self.orders:
            self.cancel(self.resting)
