"""A strategy for the tests that decides on one-minute bars by what fifteen minutes and the hour say."""

from typing import Any

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar
from tradingd.strategy.base import Strategy, StrategyParams


class Frames(Strategy):
    """Goes with the last closed larger bars where they agree, and notes what it is told."""

    class Params(StrategyParams):
        symbols: list[str]
        rules: tuple[str, ...] = ("15m", "1h")

    def __init__(self, params: Any, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.told: list[tuple[int, str, Bar]] = []
        self.ups: dict[tuple[str, str], bool] = {}
        for symbol in params.symbols:
            for rule in params.rules:
                self.aggregate(symbol, rule, warmup=1)

    def on_aggregate(self, bar: Bar, rule: str) -> None:
        self.told.append((self.now, rule, bar))
        self.ups[bar.symbol, rule] = bar.close > bar.open

    def on_bar(self, bar: Bar) -> None:
        self.told.append((self.now, "", bar))
        ups = {up for (symbol, _), up in self.ups.items() if symbol == bar.symbol}
        if len(ups) == 1:
            self.signal(bar.symbol, Direction.LONG if ups.pop() else Direction.FLAT, bar.close)
