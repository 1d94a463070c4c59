"""Strategies that leave their exits to risk, and look whether these are there."""

from decimal import Decimal

from tradingd.domain.enums import Direction, OrderType, Side
from tradingd.domain.events import Bar
from tradingd.strategy.base import Strategy, StrategyParams


class Looking(Strategy):
    """Notes at every bar what it holds, and what its stops could close."""

    class Params(StrategyParams):
        symbol: str

    params: Params

    def on_start(self) -> None:
        self.number = 0
        self.seen: list[tuple[Decimal, Decimal]] = []

    def on_bar(self, bar: Bar) -> None:
        self.number += 1
        working = [order for order in self.orders.values() if order.order_id]  # those that are held are not
        stops = [order.quantity - order.filled for order in working if order.order_type is OrderType.STOP]
        self.seen.append((self.position(bar.symbol).quantity, sum(stops, Decimal(0))))
        self.trade(bar)

    def trade(self, bar: Bar) -> None:
        """Ask for something."""


class BySignal(Looking):
    """Goes long, or turns short, with a stop and a target; leaves at market now and then."""

    def trade(self, bar: Bar) -> None:
        turn = self.number % 30
        if turn in {1, 12}:
            side = 1 if turn == 1 else -1
            stop, target = bar.close * (1 - side * 0.02), bar.close * (1 + side * 0.04)
            self.signal(bar.symbol, Direction.LONG if side > 0 else Direction.SHORT, stop=stop, target=target)
        elif turn == 25:
            self.signal(bar.symbol, Direction.FLAT)


class ByBracket(Looking):
    """Enters with a limit order whose exits wait for it."""

    def trade(self, bar: Bar) -> None:
        if self.position(bar.symbol).is_flat and not self.orders:
            self.bracket(bar.symbol, Side.BUY, 40, limit=bar.close, stop=bar.close * 0.98, target=bar.close * 1.03)


class ByProtection(Looking):
    """Buys more and more, moves its stop up, and is stopped out."""

    def trade(self, bar: Bar) -> None:
        if self.number % 5 == 0:
            self.protect(bar.symbol, stop=bar.close * 0.985)
            self.buy(bar.symbol, 10)
