"""A strategy whose requests depend on the number of the event alone, never on what came of earlier ones."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Side, TimeInForce
from tradingd.domain.events import Quote
from tradingd.domain.terms import Trail
from tradingd.strategy.base import Strategy, StrategyParams


class Scripted(Strategy):
    """At each fortieth quote one of the kinds of orders that a venue may have of itself."""

    class Params(StrategyParams):
        symbol: str
        kinds: list[str]

    params: Params

    def on_start(self) -> None:
        self.quotes = 0

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        if self.quotes % 40:
            return
        number = self.quotes // 40
        side = Side.BUY if number % 2 else Side.SELL
        kind = self.params.kinds[number // 2 % len(self.params.kinds)]
        ask: Callable[..., None] = getattr(self, kind)
        ask(side, lambda steps: round((quote.bid + quote.ask) / 2 + steps * 0.05 * side.sign, 2), number)

    def ask(self, side: Side, **options: Any) -> None:
        self.order(self.params.symbol, side, 10, **options)

    def stop(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, stop=off(4))

    def stop_limit(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, stop=off(4), limit=off(20))

    def take_profit(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, take_profit=off(-4))

    def take_profit_limit(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, take_profit=off(-4), limit=off(20))

    def trailing_stop(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, trail=Trail(Decimal("0.2")) if number % 4 < 2 else Trail(Decimal("0.3"), is_percent=True))

    def gtd(self, side: Side, off: Callable[[int], float], number: int) -> None:
        ends = self.now + 30_000_000_500
        self.ask(side, limit=off(-3), time_in_force=TimeInForce.GTD, expire_ts=ends)

    def day(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, limit=off(-10), time_in_force=TimeInForce.DAY)

    def oco(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, limit=off(-5), oco=f"pair-{number}")
        self.ask(side, stop=off(5), oco=f"pair-{number}")

    def post_only(self, side: Side, off: Callable[[int], float], number: int) -> None:
        self.ask(side, limit=off(5 if number % 4 < 2 else -2), post_only=True)
