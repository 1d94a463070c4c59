"""Events: frozen facts and commands that flow between components.

Every event has `ts`: nanoseconds since the Unix epoch, UTC, at which it is known. A bar is known at its close.
Market data holds floats; whatever moves money holds Decimals.

How one order travels, left to right::

    Signal | OrderRequest -> risk -> ApprovedOrder -> execution -> SubmitOrder -> broker
    broker -> BrokerReport | TradeReport -> execution -> Fill -> portfolio -> PositionUpdate -> risk, strategy
                                            execution -> OrderUpdate -> risk, strategy

An `intent_id` names the wish, from the strategy that had it to the last fill; an `order_id` is the client order
id that execution gave the order.
"""

from decimal import Decimal
from enum import IntEnum
from typing import ClassVar

import msgspec

from tradingd.domain.enums import (
    Direction,
    HaltScope,
    HaltState,
    Liquidity,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

__all__ = [
    "MARKET_EVENTS",
    "ApprovedOrder",
    "Bar",
    "Book",
    "BrokerReport",
    "CancelCommand",
    "CancelOrder",
    "CancelRequest",
    "Event",
    "EventType",
    "Fee",
    "Fill",
    "HaltChanged",
    "LedgerEntry",
    "MarketEvent",
    "ModifyCommand",
    "ModifyOrder",
    "ModifyRequest",
    "OrderRequest",
    "OrderUpdate",
    "PositionUpdate",
    "Quote",
    "ReportKind",
    "Signal",
    "StrategyFaulted",
    "SubmitOrder",
    "Timer",
    "Trade",
    "TradeReport",
]


class EventType(IntEnum):
    """The kinds of events a component can subscribe to."""

    BAR = 0
    QUOTE = 1
    TRADE = 2
    BOOK = 3
    TIMER = 4
    SIGNAL = 5
    ORDER_REQUEST = 6
    CANCEL_REQUEST = 7
    MODIFY_REQUEST = 8
    ORDER = 9
    CANCEL = 10
    MODIFY = 11
    SUBMIT = 12
    SUBMIT_CANCEL = 13
    SUBMIT_MODIFY = 14
    BROKER_REPORT = 15
    TRADE_REPORT = 16
    FILL = 17
    ORDER_UPDATE = 18
    POSITION = 19
    LEDGER = 20
    FAULT = 21
    HALT = 22


MARKET_EVENTS = frozenset({EventType.BAR, EventType.QUOTE, EventType.TRADE, EventType.BOOK})


class Event(msgspec.Struct, frozen=True, gc=False):
    """The base of all events."""

    type: ClassVar[EventType]
    route: ClassVar[str] = ""
    """The field that a component may filter this kind of event by; empty for none."""

    ts: int


class Bar(Event, frozen=True, gc=False):
    """A closed price bar; `ts` is its close and `ts_open` its open, in nanoseconds UTC."""

    type = EventType.BAR
    route = "symbol"

    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    ts_open: int

    @property
    def price(self) -> float:
        """The latest price this event knows of."""
        return self.close


class Quote(Event, frozen=True, gc=False):
    """The best bid and ask with their sizes."""

    type = EventType.QUOTE
    route = "symbol"

    symbol: str
    bid: float
    ask: float
    bid_size: float
    ask_size: float

    @property
    def price(self) -> float:
        """The mid price."""
        return (self.bid + self.ask) / 2


class Trade(Event, frozen=True, gc=False):
    """A public trade; `side` is the taker's."""

    type = EventType.TRADE
    route = "symbol"

    symbol: str
    price: float
    amount: float
    side: Side
    trade_id: str = ""


class Book(Event, frozen=True, gc=False):
    """An order book: levels of (price, size), best first."""

    type = EventType.BOOK
    route = "symbol"

    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]

    @property
    def price(self) -> float:
        """The mid price of a two-sided book, else the best price of the side there is (NaN for none)."""
        best = [levels[0][0] for levels in (self.bids, self.asks) if levels]
        return sum(best) / len(best) if best else float("nan")


MarketEvent = Bar | Quote | Trade | Book


class Timer(Event, frozen=True, gc=False):
    """A timer of one strategy came due."""

    type = EventType.TIMER
    route = "strategy_id"

    strategy_id: str
    name: str


class Signal(Event, frozen=True, gc=False):
    """A strategy's wish for a position; risk decides the size.

    `limit` asks for a limit order at that price instead of a market order. `stop` and `target` tell sizers where
    the strategy means to get out; placing those exits is the strategy's own doing (an order request).
    """

    type = EventType.SIGNAL
    route = "strategy_id"

    strategy_id: str
    intent_id: str
    symbol: str
    direction: Direction
    price: float
    strength: float = 1.0
    limit: float | None = None
    stop: float | None = None
    target: float | None = None
    tag: str = ""


class OrderRequest(Event, frozen=True, gc=False):
    """A strategy's explicit order; risk checks it, and changes nothing of it."""

    type = EventType.ORDER_REQUEST
    route = "strategy_id"

    strategy_id: str
    intent_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    tag: str = ""


class CancelRequest(Event, frozen=True, gc=False):
    """A strategy asks to cancel its order."""

    type = EventType.CANCEL_REQUEST
    route = "strategy_id"

    strategy_id: str
    intent_id: str


class ModifyRequest(Event, frozen=True, gc=False):
    """A strategy asks to change its working order; None leaves a field as it is."""

    type = EventType.MODIFY_REQUEST
    route = "strategy_id"

    strategy_id: str
    intent_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class ApprovedOrder(Event, frozen=True, gc=False):
    """An order that risk has approved and holds a reservation for: the only kind execution accepts.

    Made by the risk gate and nobody else; a reduce-only order is one that cannot grow the account's position
    whichever of its open orders fill.
    """

    type = EventType.ORDER

    strategy_id: str
    intent_id: str
    symbol: str
    venue: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce
    reduce_only: bool
    tag: str = ""


class CancelCommand(Event, frozen=True, gc=False):
    """Risk passes a cancel on to execution; it releases no reservation."""

    type = EventType.CANCEL

    intent_id: str
    reason: str = ""


class ModifyCommand(Event, frozen=True, gc=False):
    """Risk passes a checked change on to execution."""

    type = EventType.MODIFY

    intent_id: str
    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None


class SubmitOrder(Event, frozen=True, gc=False):
    """Execution tells a broker to place an order."""

    type = EventType.SUBMIT
    route = "venue"

    venue: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False


class CancelOrder(Event, frozen=True, gc=False):
    """Execution tells a broker to cancel an order."""

    type = EventType.SUBMIT_CANCEL
    route = "venue"

    venue: str
    order_id: str


class ModifyOrder(Event, frozen=True, gc=False):
    """Execution tells a broker to change an order."""

    type = EventType.SUBMIT_MODIFY
    route = "venue"

    venue: str
    order_id: str
    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None


class ReportKind(IntEnum):
    """What a broker reports of an order, besides trades."""

    ACCEPTED = 0
    REJECTED = 1
    CANCELED = 2
    EXPIRED = 3
    MODIFIED = 4
    CANCEL_REJECTED = 5
    MODIFY_REJECTED = 6
    UNKNOWN = 7
    """Nobody can tell yet whether the venue has the order."""
    ABSENT = 8
    """Proved: the venue never had the order."""


class BrokerReport(Event, frozen=True, gc=False):
    """A broker tells of an order's fate at the venue."""

    type = EventType.BROKER_REPORT

    venue: str
    order_id: str
    kind: ReportKind
    exchange_order_id: str = ""
    reason: str = ""
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class Fee(msgspec.Struct, frozen=True, gc=False):
    """A fee of a fill, in its own coin; a negative amount is a rebate."""

    asset: str
    amount: Decimal


class TradeReport(Event, frozen=True, gc=False):
    """A broker tells of a trade of one of our orders; possibly more than once, possibly late."""

    type = EventType.TRADE_REPORT

    venue: str
    order_id: str
    trade_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: tuple[Fee, ...] = ()
    liquidity: Liquidity = Liquidity.TAKER


class Fill(Event, frozen=True, gc=False):
    """A trade of ours, told exactly once, attributed to its order and strategy."""

    type = EventType.FILL
    route = "strategy_id"

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: tuple[Fee, ...] = ()
    strategy_id: str = ""
    intent_id: str = ""
    order_id: str = ""
    trade_id: str = ""
    venue: str = "SIM"
    liquidity: Liquidity = Liquidity.TAKER


class OrderUpdate(Event, frozen=True, gc=False):
    """An order changed, as execution sees it; or risk denied one (`status` DENIED, no order id)."""

    type = EventType.ORDER_UPDATE
    route = "strategy_id"

    strategy_id: str
    intent_id: str
    order_id: str
    symbol: str
    side: Side | None
    order_type: OrderType | None
    quantity: Decimal
    filled: Decimal
    status: OrderStatus
    reason: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class PositionUpdate(Event, frozen=True, gc=False):
    """The portfolio has booked a fill; the figures are the account's position after it."""

    type = EventType.POSITION
    route = "strategy_id"

    strategy_id: str
    symbol: str
    quantity: Decimal
    cost: Decimal
    realized_pnl: Decimal
    fill: Fill


class LedgerEntry(Event, frozen=True, gc=False):
    """One movement of one asset between two accounts: `debit` gains `amount`, `credit` gives it.

    Accounts: `assets` (ours), `market` (the other side of our trades), `fees`, `pnl` (gains on contracts) and
    `equity` (deposits, withdrawals).
    """

    type = EventType.LEDGER

    reference: str
    kind: str
    asset: str
    amount: Decimal
    debit: str
    credit: str
    strategy_id: str = ""


class StrategyFaulted(Event, frozen=True, gc=False):
    """A strategy raised, flooded or blocked; it gets no further events."""

    type = EventType.FAULT

    strategy_id: str
    error: str


class HaltChanged(Event, frozen=True, gc=False):
    """A halt state changed."""

    type = EventType.HALT

    scope: HaltScope
    key: str
    state: HaltState
    reason: str
