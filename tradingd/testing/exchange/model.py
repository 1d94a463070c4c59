"""The loopback exchange's own vocabulary: markets, orders, trades, what the engine tells, what a fault may touch.

Nothing here is shared with the parts of tradingd that are tested against the exchange. Amounts and prices are
`Decimal`, times are milliseconds UTC as on Binance, symbols are Binance's ("BTCUSDT"). Order ids and trade ids
count per symbol from 1, as Binance's do: the same number names different orders on different symbols.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from tradingd.testing.exchange.exact import ZERO
from tradingd.testing.exchange.hooks import Call as Call
from tradingd.testing.exchange.hooks import Fate as Fate
from tradingd.testing.exchange.hooks import FaultLayer as FaultLayer
from tradingd.testing.exchange.hooks import Frame as Frame
from tradingd.testing.exchange.hooks import NoFaults as NoFaults
from tradingd.testing.exchange.hooks import Reply as Reply

__all__ = [
    "HOUSE",
    "BalanceChange",
    "BookChange",
    "Call",
    "EngineEvent",
    "Execution",
    "Fate",
    "FaultLayer",
    "FeeCoin",
    "FeePlan",
    "Frame",
    "MarketChange",
    "MarketSpec",
    "NoFaults",
    "Order",
    "OrderEvent",
    "OrderRequest",
    "OrderType",
    "PublicTrade",
    "Refusal",
    "Replacement",
    "Reply",
    "SelfTrade",
    "Side",
    "Status",
    "TimeInForce",
    "Trade",
    "Transfer",
]

HOUSE = "house"
"""The account of the market source: it trades in the same books, without limits; its balances may go negative."""


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that this one trades against."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """The order types that the spot market takes."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class TimeInForce(StrEnum):
    """How long an order stays."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """Where an order stands."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class Execution(StrEnum):
    """What an execution report reports (its field `x`)."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    TRADE = "TRADE"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


class SelfTrade(StrEnum):
    """What happens when an account's order meets another order of the same account."""

    NONE = "NONE"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class Refusal(Exception):  # noqa: N818 - the exchange refuses; this is not an error of the exchange
    """The exchange says no: HTTP status, Binance's code and message, and data that belongs to it."""

    def __init__(self, code: int, message: str, status: int = 400, data: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.data = data


class MarketSpec(msgspec.Struct, frozen=True, gc=False):
    """One spot market and its filters. The defaults are wide: a test narrows what it is about."""

    symbol: str
    base: str
    quote: str
    tick: Decimal = Decimal("0.01")
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal(1_000_000)
    lot: Decimal = Decimal("0.00001")
    min_qty: Decimal = Decimal("0.00001")
    max_qty: Decimal = Decimal(9_000)
    market_max_qty: Decimal = Decimal(500)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    percent_up: Decimal = Decimal(5)
    percent_down: Decimal = Decimal("0.2")
    max_orders: int = 200
    status: str = "TRADING"
    """TRADING, HALT or BREAK: orders are taken in TRADING only."""

    @property
    def stream(self) -> str:
        """The symbol as stream names have it: "btcusdt"."""
        return self.symbol.lower()


class FeeCoin(msgspec.Struct, frozen=True, gc=False):
    """Fees in a third coin: its own rates, and what one coin costs in the quote asset."""

    asset: str
    maker: Decimal
    taker: Decimal
    price: Decimal


class FeePlan(msgspec.Struct, frozen=True, gc=False):
    """What an account pays: rates of the received asset, or of a third coin while that lasts."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    coin: FeeCoin | None = None


class OrderRequest(msgspec.Struct, frozen=True):
    """An order as asked for. Exactly one of `qty` and `quote_qty` is set (`quote_qty` for MARKET orders only)."""

    symbol: str
    side: Side
    type: OrderType
    qty: Decimal = ZERO
    quote_qty: Decimal = ZERO
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    tif: TimeInForce = TimeInForce.GTC
    client_id: str = ""
    self_trade: SelfTrade | None = None


class Order(msgspec.Struct):
    """An order as the exchange keeps it; the engine alone changes it. Events carry copies."""

    id: int
    account: str
    symbol: str
    client_id: str
    side: Side
    type: OrderType
    tif: TimeInForce
    qty: Decimal
    price: Decimal
    stop_price: Decimal
    quote_qty: Decimal
    ts: int
    updated: int
    self_trade: SelfTrade = SelfTrade.NONE
    status: Status = Status.NEW
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    working: bool = True
    """False while a stop waits for its price."""
    locked: Decimal = ZERO
    """What the order still holds of the asset that it pays with."""

    @property
    def open(self) -> bool:
        """Whether the order can still trade."""
        return self.status in _OPEN


_OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class Replacement(msgspec.Struct, frozen=True):
    """What became of a cancel-and-replace: an order or the refusal, each; `placed` is None when not attempted."""

    canceled: "Order | Refusal"
    placed: "Order | Refusal | None"
    trades: Sequence["Trade"] = ()


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One account's half of a trade (myTrades). Both halves have the same id."""

    symbol: str
    id: int
    order_id: int
    account: str
    client_id: str
    side: Side
    price: Decimal
    qty: Decimal
    quote_qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    ts: int


class OrderEvent(msgspec.Struct, frozen=True):
    """Data of an execution report. `request_id` is the id of the request behind it: on a cancel, the cancel's own.

    `reference` is the client id that Binance puts in `C`: on a cancel the order's own id, else empty.
    """

    ts: int
    account: str
    order: Order
    execution: Execution
    request_id: str
    reference: str = ""
    trade: Trade | None = None
    reason: str = "NONE"


class BalanceChange(msgspec.Struct, frozen=True):
    """Balances after a change: (asset, free, locked) of each asset that changed (outboundAccountPosition)."""

    ts: int
    account: str
    balances: tuple[tuple[str, Decimal, Decimal], ...]


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """A deposit (delta above 0) or a withdrawal (below) (balanceUpdate)."""

    ts: int
    account: str
    asset: str
    delta: Decimal


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """A trade as everybody sees it."""

    ts: int
    symbol: str
    id: int
    price: Decimal
    qty: Decimal
    buyer_maker: bool
    buy_order: int
    sell_order: int


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """A price level has a new total (0 = gone). `update_id` counts a symbol's changes without a gap."""

    ts: int
    symbol: str
    update_id: int
    side: Side
    price: Decimal
    qty: Decimal


class MarketChange(msgspec.Struct, frozen=True, gc=False):
    """Filters or the status of a market changed, or the market is gone (`delisted`)."""

    ts: int
    spec: MarketSpec
    delisted: bool = False


EngineEvent = OrderEvent | BalanceChange | Transfer | PublicTrade | BookChange | MarketChange
"""What the engine tells its listeners, in the order in which things happened."""
