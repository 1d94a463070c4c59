"""What an exchange says, in our own terms: frozen, exact, copied on receipt.

ccxt's dicts end here. A text that a venue left out is empty, a number is None, a time is 0. Nothing is guessed:
a figure that a venue does not tell is not computed from others.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Protocol

import msgspec

from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import AccountPosition, Balance, Fee, SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.venue import VenueCapabilities

__all__ = [
    "Lane",
    "OrderRef",
    "OrderSeen",
    "SeenStatus",
    "TradeSeen",
    "VenueAccount",
    "VenueTraits",
]


class Lane(IntEnum):
    """Whose turn it is when the weight budget is short: the lower goes first."""

    CANCEL = 0
    """Cancels and the dead-man switch; they may use the part of the budget that is kept for them."""
    ORDER = 1
    EVIDENCE = 2
    """Reads that settle an unknown outcome, and trades since the cursor."""
    ACCOUNT = 3
    """Balances, positions, open orders, at the periodic barrier."""
    MARKET = 4


class SeenStatus(StrEnum):
    """What a venue says of an order's state."""

    UNTOLD = ""
    OPEN = "open"
    CLOSED = "closed"
    """Filled, in full."""
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class OrderRef(msgspec.Struct, frozen=True, gc=False):
    """What names an order at a venue: our client order id, and the venue's own id where it is known."""

    order_id: str
    """Ours, as execution knows it; the venue's codec is applied to it and undone on the way back."""
    symbol: str
    exchange_order_id: str = ""


class OrderSeen(msgspec.Struct, frozen=True, gc=False):
    """An order as a venue tells it: in the answer to a create, in a read, or on a stream."""

    exchange_order_id: str
    order_id: str
    """Our client order id, decoded; empty where the venue tells none, as told where it is not one of ours."""
    symbol: str
    side: Side | None = None
    status: SeenStatus = SeenStatus.UNTOLD
    quantity: Decimal | None = None
    filled: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    ts: int = 0
    """When it changed last by the venue's clock, nanoseconds UTC."""


class TradeSeen(msgspec.Struct, frozen=True, gc=False):
    """A trade of ours as a venue tells it; amounts are exact, a negative fee is a rebate."""

    trade_id: str
    exchange_order_id: str
    order_id: str
    """Our client order id, decoded, where the venue tells it; most do not with trades."""
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: tuple[Fee, ...] = ()
    liquidity: Liquidity = Liquidity.TAKER
    ts: int = 0


class VenueTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between venues and cannot be asked of ccxt: the one per-venue table (`venues/table.py`)."""

    exchange_id: str
    visibility_s: float = 30.0
    """How long a new order may stay out of the venue's reads: absence is proved no sooner."""
    trades_page: int = 500
    """How many trades a page of the history has at most."""
    trades_window_s: float | None = None
    """How far a single request for trades may reach; None for no bound known."""
    fetches_by_client_id: bool = True
    dead_man: str = ""
    """Empty: none. `cancelAllOrdersAfter` by the unified call; else the name of what is used instead."""


class VenueAccount(Protocol):
    """One account at one venue, as the broker uses it. `tradingd.venues.account.CcxtAccount` is the real one.

    Every call raises only these: `VenueUnavailableError` (nothing is known: time-out, reset, garbage, 5xx, an
    outcome that is not in the table), its `RateLimitedError`, `VenueRefusedError` (definite), `VenueAuthError`,
    and `DuplicateOrderError` (of `create_order` only). No call is ever repeated by itself.
    """

    name: str
    """The account's id in the configuration: the `venue` of its instruments, orders and reports."""
    traits: VenueTraits
    capabilities: VenueCapabilities
    instruments: Mapping[str, Instrument]
    """Those of the symbols this run uses; the same object is refreshed in place when filters change."""

    @property
    def load(self) -> float:
        """How much of what the venue allows to be asked is used now, from 0 to 1."""

    async def open(self) -> None:
        """Load markets, measure the clock, check ccxt's settings."""

    async def close(self) -> None:
        """Close all connections."""

    async def refresh_instruments(self) -> None:
        """Read the markets anew, after a refusal for a filter."""

    # --- orders ----------------------------------------------------------------------------------------------

    async def create_order(self, order: SubmitOrder) -> OrderSeen:
        """Send an order once. Returns only what proves that it exists: an id of the venue's, ours echoed."""

    async def cancel_order(self, ref: OrderRef) -> OrderSeen | None:
        """Ask for a cancel. Returns what the venue says of the order, None where it only says yes.

        `VenueRefusedError` with the code `UNKNOWN_ORDER` where the venue does not know the order (any more).
        """

    async def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel everything of a symbol, or of the account: the kill path."""

    async def edit_order(
        self,
        ref: OrderRef,
        order: SubmitOrder,
    ) -> OrderSeen:
        """Change an order in place, where the venue can (`capabilities.modify`); `order` is how it is to be."""

    # --- evidence --------------------------------------------------------------------------------------------

    async def fetch_order(self, ref: OrderRef) -> OrderSeen | None:
        """Read one order; None is the venue's definite word that it does not know it now."""

    async def fetch_open_orders(self, symbol: str | None = None) -> Sequence[OrderSeen]:
        """Read the working orders, whole: all pages."""

    async def fetch_closed_orders(self, symbol: str, since_ns: int) -> Sequence[OrderSeen]:
        """Read the orders that are over, from `since_ns` on; empty as well where the venue offers no such call."""

    async def fetch_trades(self, symbol: str, since_ns: int) -> Sequence[TradeSeen]:
        """Read one page of our trades from `since_ns` on, oldest first; the caller pages until nothing is new."""

    async def fetch_balances(self) -> Sequence[Balance]:
        """Read what the account holds."""

    async def fetch_positions(self) -> Sequence[AccountPosition]:
        """Read the contract positions; empty where the run has no contracts."""

    async def clock_offset_ns(self) -> int:
        """The venue's clock minus ours: the median of several readings, each halved by its round trip."""

    async def set_dead_man(self, timeout_s: float) -> None:
        """Let the venue cancel all orders unless this is called again within `timeout_s`; 0 disarms it."""

    # --- hints -----------------------------------------------------------------------------------------------

    async def watch_orders(self) -> Sequence[OrderSeen]:
        """Wait for news of orders; one task awaits it in a loop and does nothing but take what comes."""

    async def watch_trades(self) -> Sequence[TradeSeen]:
        """Wait for news of our trades."""

    async def watch_balances(self) -> Sequence[Balance]:
        """Wait for news of balances."""

    async def reset_streams(self) -> None:
        """Close the account's sockets, so that the next watch dials anew, at once."""
