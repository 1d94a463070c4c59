"""The closed vocabularies: sides, directions, order types, statuses."""

from enum import IntEnum, StrEnum
from typing import Self

from tradingd.errors import UsageError

__all__ = [
    "ActionKind",
    "Direction",
    "HaltScope",
    "HaltState",
    "InstrumentKind",
    "Liquidity",
    "OrderStatus",
    "OrderType",
    "RunState",
    "Side",
    "TimeInForce",
]


class Side(StrEnum):
    """The side of an order or fill."""

    BUY = "BUY"
    SELL = "SELL"

    sign: int
    """+1 for BUY, -1 for SELL."""

    def __init__(self, value: str) -> None:
        self.sign = 1 if value == "BUY" else -1


class Direction(StrEnum):
    """What a signal wants the strategy's position to become."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    @classmethod
    def parse(cls, value: "str | Direction | Side") -> Self:
        """Take a direction, a side (BUY is LONG, SELL is SHORT) or either's name in any case.

        Raises:
            UsageError: the text names neither.

        """
        text = str(value).upper()
        try:
            return cls({"BUY": "LONG", "SELL": "SHORT"}.get(text, text))
        except ValueError:
            raise UsageError(f"{value!r} is no direction; use LONG, SHORT or FLAT (or BUY, SELL)") from None


class OrderType(StrEnum):
    """How an order wants to trade.

    A conditional order sleeps until the market touches its trigger (`stop_price`) and becomes a market or a limit
    order then. A stop triggers when the market moves against its own side (a sell below, a buy above the market),
    a take-profit when it moves in favour of it (a sell above, a buy below).
    """

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    """Becomes a market order once the stop price is touched."""
    STOP_LIMIT = "STOP_LIMIT"
    """Becomes a limit order once the stop price is touched."""
    TAKE_PROFIT = "TAKE_PROFIT"
    """Becomes a market order once the price is touched from the other side than a stop's (market if touched)."""
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    """Becomes a limit order once the price is touched from the other side than a stop's (limit if touched)."""
    TRAILING_STOP = "TRAILING_STOP"
    """A stop whose price follows the market at a distance (`Trail`), towards it only."""

    has_limit: bool
    """Whether it has a limit price."""
    is_conditional: bool
    """Whether it sleeps until its stop price is touched."""

    def __init__(self, value: str) -> None:
        self.has_limit = value in {"LIMIT", "STOP_LIMIT", "TAKE_PROFIT_LIMIT"}
        self.is_conditional = value not in {"MARKET", "LIMIT"}

    def prices_fit(self, limit_price: object, stop_price: object) -> bool:
        """Whether an order of this type has just these prices; a trailing stop may leave its first one open."""
        wants_stop = self.is_conditional and (self is not OrderType.TRAILING_STOP or stop_price is not None)
        return (limit_price is not None, stop_price is not None) == (self.has_limit, wants_stop)


class TimeInForce(StrEnum):
    """How long an order works."""

    GTC = "GTC"
    """Until filled or canceled."""
    DAY = "DAY"
    """Until the end of the (UTC) day on which it can first trade."""
    GTD = "GTD"
    """Until the moment in `OrderTerms.expire_ts`."""
    IOC = "IOC"
    """What does not fill at the first opportunity is canceled."""
    FOK = "FOK"
    """Fills in full at the first opportunity, or not at all."""


class Liquidity(StrEnum):
    """Whether a fill took or made liquidity; it decides the fee."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class OrderStatus(StrEnum):
    """The states of an order; `tradingd.domain.order` has the table of its transitions."""

    NEW = "NEW"
    PREPARED = "PREPARED"
    SENDING = "SENDING"
    OPEN = "OPEN"
    CANCELING = "CANCELING"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DENIED = "DENIED"
    VOID = "VOID"

    is_terminal: bool
    """Whether nothing but a late fill can follow."""

    def __init__(self, value: str) -> None:
        self.is_terminal = value in {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "DENIED", "VOID"}


class InstrumentKind(StrEnum):
    """What an instrument is; it decides how a fill moves the books."""

    SPOT = "spot"
    """Exchanges the base asset for the quote asset."""
    EQUITY = "equity"
    """Like spot: the share is the base asset."""
    SWAP = "swap"
    """A perpetual contract, settled in cash."""
    FUTURE = "future"
    OPTION = "option"

    is_contract: bool
    """Whether a fill opens a contract settled in cash instead of exchanging assets."""

    def __init__(self, value: str) -> None:
        self.is_contract = value in {"swap", "future", "option"}


class HaltState(IntEnum):
    """How far trading is halted, from not at all to completely. Left only by a resume with a reason."""

    TRADING = 0
    NO_NEW = 1
    """No order that opens or grows a position."""
    REDUCE_ONLY = 2
    """Only orders that cannot but shrink a position."""
    CANCEL_ALL = 3
    """Working orders are canceled, too."""
    FLATTEN = 4
    """Working orders are canceled and positions closed."""
    HALTED = 5
    """No order at all."""


class HaltScope(StrEnum):
    """What a halt holds for."""

    STRATEGY = "strategy"
    INSTRUMENT = "instrument"
    ACCOUNT = "account"


class ActionKind(StrEnum):
    """What a corporate action is."""

    SPLIT = "split"
    DIVIDEND = "dividend"


class RunState(StrEnum):
    """The life of a run."""

    STARTING = "STARTING"
    RECONCILING = "RECONCILING"
    TRADING = "TRADING"
    HALTED = "HALTED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
