"""A strategy that asks for every kind of order in turn, and keeps its position small."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Side, TimeInForce
from tradingd.domain.events import Bar, MarketEvent, OrderUpdate, Quote, Trade
from tradingd.domain.terms import AlgoSpec, Requote, Trail
from tradingd.strategy.base import Strategy, StrategyParams

_NS = 1_000_000_000


class Everything(Strategy):
    """At every `each`-th event the next kind of order; orders that have long worked are changed, then canceled."""

    class Params(StrategyParams):
        symbol: str
        quantity: Decimal
        each: int
        pause_s: float
        """About how much time there is between two orders."""
        step: float
        """How far off the price orders are, as a fraction of it."""

    params: Params

    def on_start(self) -> None:
        self.events = 0
        self.asked = 0
        self.age: dict[str, int] = {}

    def on_bar(self, bar: Bar) -> None:
        self.act(bar)

    def on_trade(self, trade: Trade) -> None:
        self.act(trade)

    def on_quote(self, quote: Quote) -> None:
        self.act(quote)

    def on_order(self, update: OrderUpdate) -> None:
        if update.status.is_terminal:
            self.age.pop(update.intent_id, None)

    def act(self, event: MarketEvent) -> None:
        self.events += 1
        if self.events % self.params.each:
            return
        kinds = self.kinds()
        kind = kinds[self.asked % len(kinds)]
        held = self.position(self.params.symbol).quantity
        side = Side.SELL if held > 0 or (not held and self.asked % 2) else Side.BUY
        self.asked += 1
        kind(side, event.price)
        for intent, age in tuple(self.age.items()):
            self.age[intent] = age + 1
            order = self.orders.get(intent)
            if age == 3 and order is not None and order.limit_price is not None and order.stop_price is None:
                self.modify(intent, limit=float(order.limit_price) * (1 + self.params.step))
            elif age == 30:
                self.cancel(intent)

    def near(self, side: Side, price: float, steps: int) -> float:
        """The price with `steps` steps more to buy, less to sell."""
        return price * (1 + steps * self.params.step * side.sign)

    def ask(self, side: Side, **options: Any) -> None:
        quantity = options.pop("quantity", self.params.quantity)
        self.age[self.order(self.params.symbol, side, quantity, **options)] = 0

    def kinds(self) -> list[Callable[[Side, float], None]]:
        return [
            self.market,
            self.stop,
            self.stop_limit,
            self.take_profit,
            self.trailing,
            self.trailing_percent,
            self.pair,
            self.good_till,
            self.day,
            self.post_only,
            self.requoted,
            self.twap,
            self.passive,
            self.vwap,
            self.iceberg,
        ]

    def market(self, side: Side, price: float) -> None:
        self.ask(side)

    def stop(self, side: Side, price: float) -> None:
        self.ask(side, stop=self.near(side, price, 2))

    def stop_limit(self, side: Side, price: float) -> None:
        self.ask(
            side,
            stop=self.near(side, price, 2),
            limit=self.near(side, price, 10),
        )

    def take_profit(self, side: Side, price: float) -> None:
        self.ask(side, take_profit=self.near(side, price, -2))

    def trailing(self, side: Side, price: float) -> None:
        self.ask(side, trail=Trail(Decimal(str(round(price * 5 * self.params.step, 2)))))

    def trailing_percent(self, side: Side, price: float) -> None:
        self.ask(side, trail=Trail(Decimal(str(round(self.params.step * 500, 6))), is_percent=True))

    def pair(self, side: Side, price: float) -> None:
        group = f"pair-{self.asked}"
        self.ask(side, limit=self.near(side, price, -3), oco=group)
        self.ask(side, stop=self.near(side, price, 3), oco=group)

    def good_till(self, side: Side, price: float) -> None:
        ends = self.now + int(self.params.pause_s * 2 * _NS)
        self.ask(
            side,
            limit=self.near(side, price, -10),
            time_in_force=TimeInForce.GTD,
            expire_ts=ends,
        )

    def day(self, side: Side, price: float) -> None:
        self.ask(side, limit=self.near(side, price, -3), time_in_force=TimeInForce.DAY)

    def post_only(self, side: Side, price: float) -> None:
        self.ask(side, limit=self.near(side, price, -1), post_only=True)
        self.ask(side, limit=self.near(side, price, 100), post_only=True)

    def requoted(self, side: Side, price: float) -> None:
        requote = Requote(
            after_ns=int(self.params.pause_s * _NS / 2),
            times=2,
            worst=Decimal(str(round(self.near(side, price, 20), 2))),
            then="market" if self.asked % 4 else "cancel",
        )
        self.ask(side, limit=self.near(side, price, -5), requote=requote)

    def twap(self, side: Side, price: float) -> None:
        algo = AlgoSpec.of("twap", duration_s=self.params.pause_s * 3, slices=5, jitter="0.4")
        self.ask(side, quantity=self.params.quantity * 7, algo=algo)

    def passive(self, side: Side, price: float) -> None:
        algo = AlgoSpec.of("twap", duration_s=self.params.pause_s * 2, slices=3, style="passive")
        self.ask(
            side,
            quantity=self.params.quantity * 3,
            limit=self.near(side, price, 2),
            algo=algo,
        )

    def vwap(self, side: Side, price: float) -> None:
        algo = AlgoSpec.of("vwap", duration_s=self.params.pause_s * 3, curve="3,1,2")
        self.ask(side, quantity=self.params.quantity * 6, algo=algo)

    def iceberg(self, side: Side, price: float) -> None:
        algo = AlgoSpec.of("iceberg", display=self.params.quantity)
        self.ask(
            side,
            quantity=self.params.quantity * 4,
            limit=self.near(side, price, -2),
            algo=algo,
        )
