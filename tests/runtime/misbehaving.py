"""Strategies that misbehave at their fiftieth bar, and a limit that breaks."""

import contextlib
import sys
from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import ApprovedOrder, Bar, OrderUpdate
from tradingd.strategy.base import Strategy, StrategyParams


class Misbehaving(Strategy):
    """Behaves like a plain strategy until bar 50."""

    class Params(StrategyParams):
        symbol: str

    params: Params

    def on_start(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 20:
            self.signal(bar.symbol, Direction.LONG)
        if self.bars == 50:
            self.misbehave(bar)

    def misbehave(self, bar: Bar) -> None: ...


class Raises(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        raise RuntimeError("boom")


class Exits(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        sys.exit(3)


class Spins(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        while True:
            pass


class Swallows(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        while True:
            with contextlib.suppress(Exception):
                while True:
                    pass


class EmitsForEver(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        while True:
            self.cancel("nothing")


class RestsThenRaises(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        self.resting = self.buy(bar.symbol, 1, limit=bar.close * 0.97)

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        if self.bars == 51:
            raise RuntimeError("boom")


class Insists(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        self.buy(bar.symbol, 10_000_000)

    def on_order(self, update: OrderUpdate) -> None:
        if update.status in {OrderStatus.DENIED, OrderStatus.REJECTED}:
            self.buy(update.symbol, 10_000_000)


class Forges(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        approval = ApprovedOrder(
            bar.ts, "bad", "bad:99", bar.symbol, "SIM", Side.BUY, Decimal(9_000), OrderType.MARKET, None, None,
            TimeInForce.GTC, False,
        )  # fmt: skip
        self.context.emit(approval)


class SignalsNaN(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        self.signal(bar.symbol, Direction.FLAT, float("nan"))


class OrdersNaN(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        self.buy(bar.symbol, 1, limit=float("nan"))


class FloatQuantity(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        self.buy(bar.symbol, 0.1)  # type: ignore[arg-type]


class FloodsSignals(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        for _ in range(1_000_000):
            self.signal(bar.symbol, Direction.FLAT)


class FloodsOrders(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        for _ in range(1_000):
            self.buy(bar.symbol, 1)


class Unknown(Misbehaving):
    def misbehave(self, bar: Bar) -> None:
        self.signal("NOSUCH", Direction.LONG, 1.0)


class Eager(Misbehaving):
    """Orders before the first event."""

    def on_start(self) -> None:
        super().on_start()
        self.buy(self.params.symbol, 1)


class BrokenLimit:
    """A limit of a user's with a bug."""

    def check(self, order: Any, context: Any) -> None:
        raise ZeroDivisionError("a bug in a limit")
