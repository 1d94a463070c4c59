"""The exchange itself, without a wire: accounts, markets, orders, and everybody who listens.

Synchronous and deterministic: time comes from the caller, and one call finishes before the next begins.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from tradingd.testing.exchange.model import (
    EngineEvent,
    FeePlan,
    MarketSpec,
    Order,
    OrderRequest,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
    Trade,
)

__all__ = ["Engine"]


class Engine:
    """Matches orders, keeps the ledger, tells listeners. `now` returns milliseconds UTC."""

    def __init__(self, markets: Iterable[MarketSpec], now: Callable[[], int]) -> None:
        self.markets: dict[str, MarketSpec] = {market.symbol: market for market in markets}
        self.now = now

    # -- listeners
    def listen(self, callback: Callable[[EngineEvent], None]) -> Callable[[], None]:
        """Calls `callback` with each event, in order; returns what ends that."""
        raise NotImplementedError

    # -- accounts
    def add_account(self, name: str, balances: dict[str, Decimal], fees: FeePlan | None = None) -> None:
        """Opens an account with what it starts with."""
        raise NotImplementedError

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Returns (free, locked) of each asset the account ever had."""
        raise NotImplementedError

    def deposit(self, account: str, asset: str, amount: Decimal) -> None:
        """Adds to an account from outside."""
        raise NotImplementedError

    def withdraw(self, account: str, asset: str, amount: Decimal) -> None:
        """Takes free funds out of the exchange."""
        raise NotImplementedError

    def set_fees(self, account: str, fees: FeePlan) -> None:
        """Changes what the account pays from the next fill on."""
        raise NotImplementedError

    # -- orders of accounts
    def place(self, account: str, request: OrderRequest) -> tuple[Order, Sequence[Trade]]:
        """Checks, books and matches an order; returns a copy of it and the trades that it made at once."""
        raise NotImplementedError

    def cancel(
        self, account: str, symbol: str, order_id: int | None = None, client_id: str = "", request_id: str = ""
    ) -> Order:
        """Cancels an open order (by the owner's key or by hand on the website: there is no difference)."""
        raise NotImplementedError

    def cancel_replace(
        self,
        account: str,
        request: OrderRequest,
        order_id: int | None = None,
        client_id: str = "",
        request_id: str = "",
        *,
        go_on: bool = False,
    ) -> tuple[Order, Order, Sequence[Trade]]:
        """Cancels one order and places another. `go_on`: ALLOW_FAILURE instead of STOP_ON_FAILURE."""
        raise NotImplementedError

    def query(self, account: str, symbol: str, order_id: int | None = None, client_id: str = "") -> Order:
        """Returns a copy of an order, open or not."""
        raise NotImplementedError

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Returns copies of the open orders, oldest first."""
        raise NotImplementedError

    def all_orders(self, account: str, symbol: str) -> list[Order]:
        """Returns copies of all orders of a symbol, oldest first."""
        raise NotImplementedError

    def my_trades(self, account: str, symbol: str | None = None) -> list[Trade]:
        """Returns the account's trades, oldest first."""
        raise NotImplementedError

    # -- the house: market sources trade through these
    def house_place(
        self, symbol: str, side: Side, qty: Decimal, price: Decimal, tif: TimeInForce = TimeInForce.GTC
    ) -> Order:
        """Places a limit order of the house; it matches like any other."""
        raise NotImplementedError

    def house_market(self, symbol: str, side: Side, qty: Decimal) -> Order:
        """Takes `qty` from the book at any price."""
        raise NotImplementedError

    def house_cancel(self, symbol: str, order_id: int) -> None:
        """Takes a resting order of the house away; one that is gone already is passed over."""
        raise NotImplementedError

    def house_set_book(
        self,
        symbol: str,
        bids: Sequence[tuple[Decimal, Decimal]],
        asks: Sequence[tuple[Decimal, Decimal]],
    ) -> None:
        """Makes the house's resting orders these levels (price, qty), changing as few as needed (recorded books)."""
        raise NotImplementedError

    def house_print(self, symbol: str, side: Side, price: Decimal, qty: Decimal) -> None:
        """Replays a recorded trade: the house takes at `price` or better, and what no book gave prints at `price`."""
        raise NotImplementedError

    # -- the market as a whole
    def depth(self, symbol: str) -> tuple[int, list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Returns (last update id, bids, asks), best first, as (price, total quantity)."""
        raise NotImplementedError

    def public_trades(self, symbol: str) -> list[EngineEvent]:
        """Returns the public trades that are kept, oldest first."""
        raise NotImplementedError

    def last_price(self, symbol: str) -> Decimal | None:
        """Returns the price of the last trade."""
        raise NotImplementedError

    def change_filters(self, spec: MarketSpec) -> None:
        """Puts new filters or a new status in force; open orders stay as they are."""
        raise NotImplementedError

    def delist(self, symbol: str) -> None:
        """Cancels all orders of the symbol and takes the market away."""
        raise NotImplementedError


_ = (OrderType, SelfTrade)
