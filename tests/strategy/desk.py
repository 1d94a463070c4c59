"""A desk around a StrategyRun on which the test plays risk, exchange and portfolio for explicit orders."""

from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import (
    CancelRequest,
    Event,
    EventType,
    Fee,
    MarketEvent,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    Signal,
)
from tradingd.domain.money import add, magnitude
from tradingd.strategy.base import Strategy
from tradingd.testing import StrategyRun, make_fill


class Desk:
    """Everything that a test tells is answered with what the strategy asked for because of it."""

    def __init__(self, cls: type[Strategy], params: dict[str, Any], **options: Any) -> None:
        self.run = StrategyRun(cls, params, **options)
        self.strategy: Any = self.run.strategy
        self.orders: dict[str, OrderUpdate] = {}
        self._trades = count(1)
        self._told = 0

    def new(self) -> list[Any]:
        """What the strategy has asked for since the last answer."""
        asked = self.run.log.events[self._told :]
        self._told = len(self.run.log.events)
        return asked

    def market(self, event: MarketEvent) -> list[Any]:
        """A market event; timers that were due before it come first."""
        before = self.until(event.ts - 1)
        self.run.market(event)
        return [*before, *self.new()]

    def until(self, ts: int) -> list[Any]:
        """Time passes."""
        for timer in self.run.timers.pop_due(ts):
            self.run.clock.advance_to(max(timer.ts, self.run.clock.now()))
            self.strategy.handlers()[EventType.TIMER](timer)
        self.run.clock.advance_to(max(ts, self.run.clock.now()))
        return self.new()

    def hold(self, symbol: str, quantity: str, price: str) -> None:
        """A position from before, of which the strategy has heard nothing in this run."""
        side = Side.SELL if quantity.startswith("-") else Side.BUY
        self.run.portfolio.on_fill(
            make_fill(side, quantity.lstrip("-"), price, symbol=symbol, trade_id=f"T{next(self._trades)}")
        )

    def tell(self, wish: Event | str, status: OrderStatus, reason: str = "", **changes: Any) -> list[Any]:
        """News of an order."""
        intent = wish if isinstance(wish, str) else wish.intent_id  # type: ignore[attr-defined]
        before = self.orders.get(intent) or _first(wish)
        if status is not OrderStatus.DENIED:
            changes.setdefault("order_id", f"c-{intent}")
        update = msgspec.structs.replace(before, ts=self.run.clock.now(), status=status, reason=reason, **changes)
        self.orders[intent] = update
        self.run.order(update)
        return self.new()

    def accept(self, wish: Event) -> list[Any]:
        """Risk has passed it, and the venue has it."""
        sent = self.tell(wish, OrderStatus.SENDING)
        return [*sent, *self.tell(wish, OrderStatus.OPEN)]

    def deny(self, wish: Event, reason: str = "MAX_SOMETHING: too much") -> list[Any]:
        """Risk has denied it."""
        return self.tell(wish, OrderStatus.DENIED, reason)

    def book(self, wish: Any, quantity: str | Decimal, price: str, *, fees: Any = ()) -> list[Any]:
        """The portfolio has booked a fill."""
        fill = make_fill(
            wish.side,
            quantity,
            price,
            symbol=wish.symbol,
            intent_id=wish.intent_id,
            ts=self.run.clock.now(),
            trade_id=f"T{next(self._trades)}",
        )
        fill = msgspec.structs.replace(fill, fees=tuple(Fee(asset, Decimal(amount)) for asset, amount in fees))
        self.run.fill(fill)
        return self.new()

    def fill(
        self, wish: Any, quantity: str | Decimal = "", price: str = "", *, fees: Any = (), late: bool = False
    ) -> list[Any]:
        """An order fills, in full unless told; `late` tells of the order before the fill is booked."""
        before = self.orders.get(wish.intent_id) or _first(wish)
        amount = Decimal(quantity) if quantity else before.quantity - before.filled
        at = price or str(wish.limit_price)
        filled = add(before.filled, amount)
        status = OrderStatus.FILLED if filled >= before.quantity else OrderStatus.OPEN
        if late:
            first = self.tell(wish, status, filled=filled)
            return [*first, *self.book(wish, amount, at, fees=fees)]
        first = self.book(wish, amount, at, fees=fees)
        return [*first, *self.tell(wish, status, filled=filled)]

    def close(self, signal: Signal, price: str) -> list[Any]:
        """A FLAT signal has closed the strategy's position."""
        held = self.run.portfolio.get_strategy_position("s", signal.symbol).quantity
        side = Side.SELL if held > 0 else Side.BUY
        order = OrderRequest(signal.ts, "s", signal.intent_id, signal.symbol, side, magnitude(held))
        return [*self.accept(order), *self.fill(order, price=price)]

    def position(self, symbol: str) -> Decimal:
        """What the strategy holds."""
        return self.run.portfolio.get_strategy_position("s", symbol).quantity


def _first(wish: Any) -> OrderUpdate:
    """What is known of an order when it has just been asked for."""
    if isinstance(wish, Signal):
        return OrderUpdate(
            wish.ts, "s", wish.intent_id, "", wish.symbol, None, None, Decimal(0), Decimal(0), OrderStatus.NEW
        )
    return OrderUpdate(
        wish.ts,
        "s",
        wish.intent_id,
        "",
        wish.symbol,
        wish.side,
        wish.order_type,
        wish.quantity,
        Decimal(0),
        OrderStatus.NEW,
        "",
        wish.limit_price,
        wish.stop_price,
    )


def stray(symbol: str, side: Side, price: str, quantity: str = "1") -> OrderRequest:
    """An order that an earlier run has left behind."""
    return OrderRequest(
        0, "s", "s:old", symbol, side, Decimal(quantity), OrderType.LIMIT, limit_price=Decimal(price)
    )


def requests(events: list[Any]) -> list[OrderRequest]:
    """The explicit orders among them."""
    return [event for event in events if isinstance(event, OrderRequest)]


def cancels(events: list[Any]) -> list[str]:
    """The intents whose cancel is asked for."""
    return [event.intent_id for event in events if isinstance(event, CancelRequest)]


def changes(events: list[Any]) -> list[ModifyRequest]:
    """The changes asked for."""
    return [event for event in events if isinstance(event, ModifyRequest)]


def signals(events: list[Any]) -> list[tuple[str, str]]:
    """Symbol and direction of each signal."""
    return [(event.symbol, str(event.direction)) for event in events if isinstance(event, Signal)]


def wanted(events: list[Any]) -> list[tuple[str, str, str]]:
    """Side, quantity and limit, to the cent, of each explicit order, as text."""
    return [(str(each.side), f"{each.quantity:f}", cents(each.limit_price)) for each in requests(events)]


def cents(price: Decimal | None) -> str:
    """A price to two places."""
    return "None" if price is None else f"{price:.2f}"
