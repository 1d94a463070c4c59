"""A strategy that does anything it may, at random but repeatably."""

import random
from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Direction, OrderType, TimeInForce
from tradingd.domain.events import Bar, Fill, OrderUpdate, Timer
from tradingd.domain.terms import Trail
from tradingd.strategy.base import Strategy, StrategyParams


class Chaotic(Strategy):
    """Signals, requests, changes and cancels from every handler."""

    class Params(StrategyParams):
        symbols: tuple[str, ...]
        seed: int

    params: Params

    def on_start(self) -> None:
        self.chance = random.Random(self.params.seed)  # noqa: S311 - repeatable on purpose
        self.set_timer("tick", 86_400 * 3)

    def on_bar(self, bar: Bar) -> None:
        self.act(bar.symbol, bar.close, 0.3)

    def on_fill(self, fill: Fill) -> None:
        self.act(fill.symbol, float(fill.price), 0.3)

    def on_order(self, update: OrderUpdate) -> None:
        price = self.price(update.symbol)
        if price is not None:
            self.act(update.symbol, price, 0.05)

    def on_timer(self, timer: Timer) -> None:
        for intent in tuple(self.orders):
            if self.chance.random() < 0.3:
                self.cancel(intent)

    def act(self, symbol: str, price: float, likely: float) -> None:
        """Do one of all that can be done, or nothing."""
        if self.chance.random() > likely:
            return
        deed = self.chance.choice([self.wish, self.wish, self.request, self.request, self.change, self.recall])
        deed(symbol, price)

    def wish(self, symbol: str, price: float) -> None:
        limit = price * self.chance.uniform(0.97, 1.03) if self.chance.random() < 0.3 else None
        strength = self.chance.choice([0.25, 0.5, 1.0])
        self.signal(symbol, self.chance.choice(list(Direction)), price, limit=limit, strength=strength)

    def request(self, symbol: str, price: float) -> None:
        kind = self.chance.choice(list(OrderType))
        options = {"reduce_only": self.chance.random() < 0.3, **self.prices_of(kind, price), **self.terms_of(kind)}
        deed = self.chance.choice([self.buy, self.sell])
        deed(symbol, self.chance.randint(1, 200), **options)

    def prices_of(self, kind: OrderType, price: float) -> dict[str, Any]:
        """Prices around the market that make an order of this type."""
        level, limit = (price * self.chance.uniform(0.96, 1.04) for _ in range(2))
        prices: dict[str, Any] = {"limit": limit} if kind.has_limit else {}
        if kind is OrderType.TRAILING_STOP:
            prices["trail"] = Trail(Decimal(self.chance.randint(1, 5)), is_percent=self.chance.random() < 0.5)
        elif kind.is_conditional:
            prices["stop" if kind in {OrderType.STOP, OrderType.STOP_LIMIT} else "take_profit"] = level
        return prices

    def terms_of(self, kind: OrderType) -> dict[str, Any]:
        """How long it works, and in what company."""
        time = self.chance.choice(list(TimeInForce))
        terms: dict[str, Any] = {"time_in_force": time}
        if time is TimeInForce.GTD:
            terms["expire_ts"] = self.context.now + self.chance.randint(1, 10 * 86_400) * 1_000_000_000
        if kind.has_limit and time not in {TimeInForce.IOC, TimeInForce.FOK} and self.chance.random() < 0.2:
            terms["post_only"] = True
        if self.chance.random() < 0.2:
            terms["oco"] = f"{self.strategy_id}-{self.chance.randint(1, 2)}"
        return terms

    def change(self, symbol: str, price: float) -> None:
        for intent, order in tuple(self.orders.items()):
            if order.symbol != symbol or order.order_type is OrderType.MARKET or order.order_type is None:
                continue
            level = "limit" if order.order_type.has_limit else "stop"
            wanted: dict[str, Any] = {level: price * self.chance.uniform(0.95, 1.05)}
            if self.chance.random() < 0.5:
                wanted["quantity"] = self.chance.randint(1, 300)
            self.modify(intent, **wanted)

    def recall(self, symbol: str, _price: float) -> None:
        for intent, order in tuple(self.orders.items()):
            if order.symbol == symbol and self.chance.random() < 0.5:
                self.cancel(intent)
