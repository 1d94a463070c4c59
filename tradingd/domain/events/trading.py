"""Wishes, orders, fills, and what came of them."""

from decimal import Decimal
from enum import IntEnum
from typing import Literal

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
from tradingd.domain.events.base import Event, EventType
from tradingd.domain.terms import PLAIN, OrderTerms, Trail

__all__ = [
    "ApprovedOrder",
    "BrokerReport",
    "CancelCommand",
    "CancelOrder",
    "CancelRequest",
    "Fee",
    "Fill",
    "HaltChanged",
    "LedgerEntry",
    "ModifyCommand",
    "ModifyOrder",
    "ModifyRequest",
    "OrderRequest",
    "OrderUpdate",
    "PositionUpdate",
    "ProtectRequest",
    "ReportKind",
    "Signal",
    "StrategyFaulted",
    "SubmitOrder",
    "Timer",
    "TradeReport",
]


class Timer(Event, frozen=True, gc=False):
    """A timer of one strategy came due."""

    type = EventType.TIMER
    route = "strategy_id"

    strategy_id: str
    name: str


class Signal(Event, frozen=True, gc=False):
    """A strategy's wish for a position; risk decides the size.

    `limit` asks for a limit order at that price instead of a market order. `stop` and `target` are where to get
    out: risk keeps a stop and a limit order of the position's size at these prices, one cancels the other, until
    the position is closed or a later signal for a position says otherwise.
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
    terms: OrderTerms = PLAIN


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


class ProtectRequest(Event, frozen=True, gc=False):
    """A strategy asks that whatever it holds in a symbol has a protective stop of that size, from now on.

    The stop is at `stop`, or trails by `trail` (and then begins at `stop` where that is given, too). `target` asks
    for a limit order of the same size, in one OCO group with the stop. A later request takes this one's place; one
    with none of these calls the protection off. A stop that is refused is tried again with a growing pause; after
    `tries` refusals the position is closed at market, or (`then` is "alarm") the strategy is halted for entries.
    """

    type = EventType.PROTECT_REQUEST
    route = "strategy_id"

    strategy_id: str
    intent_id: str
    symbol: str
    stop: Decimal | None = None
    trail: Trail | None = None
    target: Decimal | None = None
    then: Literal["close", "alarm"] = "close"
    tries: int = 3


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
    terms: OrderTerms = PLAIN


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
    terms: OrderTerms = PLAIN


class CancelOrder(Event, frozen=True, gc=False):
    """Execution tells a broker to cancel an order."""

    type = EventType.SUBMIT_CANCEL
    route = "venue"

    venue: str
    order_id: str


class ModifyOrder(Event, frozen=True, gc=False):
    """Execution tells a broker to change an order; changes of one order are to reach the venue one after another.

    `change` is a rising number; the answer repeats it, so that answers may come in any order and more than once.
    """

    type = EventType.SUBMIT_MODIFY
    route = "venue"

    venue: str
    order_id: str
    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    change: int = 0


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
    filled: Decimal | None = None
    """How much of the order had filled by then, where the venue tells: trades up to that are still to come."""
    change: int = 0
    """Of an answer to a change: its number. 0 of what the venue changed of itself, and where nobody can tell."""


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
    forced: bool = False
    """Whether the venue traded for us unasked, by an order of its own: a liquidation."""


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
    forced: bool = False
    """Whether the venue closed (a part of) our position unasked; it counts for the strategies that held it."""


class OrderUpdate(Event, frozen=True, gc=False):
    """An order changed, as execution sees it; or risk denied one (`status` DENIED, no order id).

    One with a `parent_id` tells of a child: one of several orders at the venue that work one intent. It is for
    records; what it does to the intent is told by the updates of its parent, the order with that id.
    """

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
    parent_id: str = ""


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

    Accounts: `assets` (ours), `market` (the other side of our trades and of splits), `fees`, `pnl` (gains on
    contracts), `dividends` and `equity` (deposits, withdrawals).
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
