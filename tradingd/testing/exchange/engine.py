"""The exchange itself, without a wire: accounts, markets, orders, and everybody who listens.

Synchronous and deterministic: time comes from the caller, and one call finishes before the next begins.
Listeners hear of a call's events after its effects are complete, so that they may call the engine themselves.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from tradingd.testing.exchange.candles import Candle
from tradingd.testing.exchange.clearing import Clearing
from tradingd.testing.exchange.exact import ZERO
from tradingd.testing.exchange.ledger import OUTSIDE, Ledger
from tradingd.testing.exchange.market import Market
from tradingd.testing.exchange.model import (
    EngineEvent,
    FeePlan,
    MarketChange,
    MarketSpec,
    Order,
    OrderEvent,
    OrderRequest,
    PublicTrade,
    Refusal,
    Replacement,
    SelfTrade,
    Side,
    TimeInForce,
    Trade,
    Transfer,
)

__all__ = ["Engine"]


class Engine:
    """Matches orders, keeps the ledger, tells listeners. `now` returns milliseconds UTC."""

    def __init__(
        self,
        markets: Iterable[MarketSpec],
        now: Callable[[], int],
        self_trade: SelfTrade = SelfTrade.NONE,
        clearing: type[Clearing] = Clearing,
    ) -> None:
        self.now = now
        self.self_trade = self_trade
        self._clearing = clearing(self._emit, now)
        self._markets = {spec.symbol: Market(spec, self._clearing, self._emit, now) for spec in markets}
        self._by_client: dict[tuple[str, str, str], Order] = {}
        self._orders: dict[tuple[str, str], list[Order]] = defaultdict(list)
        self._open: dict[tuple[str, str], dict[int, Order]] = defaultdict(dict)
        self._trades: dict[tuple[str, str], list[Trade]] = defaultdict(list)
        self.past: dict[str, Sequence[Candle]] = {}
        """Candles of one minute from before the first trade, by symbol: what a market source says has been."""
        self._listeners: list[Callable[[EngineEvent], None]] = []
        self._pending: deque[EngineEvent] = deque()
        self._telling = False

    # -- listeners
    def listen(self, callback: Callable[[EngineEvent], None]) -> Callable[[], None]:
        """Calls `callback` with each event, in order; returns what ends that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _emit(self, event: EngineEvent) -> None:
        if isinstance(event, OrderEvent):
            self._note(event)
        self._pending.append(event)

    def _note(self, event: OrderEvent) -> None:
        key = (event.account, event.order.symbol)
        if event.trade is not None:
            self._trades[key].append(event.trade)
        if not event.order.open:
            self._open[key].pop(event.order.id, None)

    def _tell(self) -> None:
        if self._telling:
            return
        self._telling = True
        try:
            while self._pending:
                event = self._pending.popleft()
                for listener in tuple(self._listeners):
                    listener(event)
        finally:
            self._telling = False

    # -- accounts
    @property
    def ledger(self) -> Ledger:
        """The exchange's books: what every other set of books is compared with."""
        return self._clearing.ledger

    def add_account(self, name: str, balances: Mapping[str, Decimal], fees: FeePlan | None = None) -> None:
        """Opens an account with what it starts with."""
        self._clearing.fees[name] = fees or FeePlan()
        for asset, amount in balances.items():
            self._move("opening", name, asset, amount)

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Returns (free, locked) of each asset the account ever had."""
        books = self.ledger
        return {
            asset: (books.free(account, asset), books.locked(account, asset)) for asset in books.assets(account)
        }

    def deposit(self, account: str, asset: str, amount: Decimal) -> None:
        """Adds to an account from outside."""
        self._transfer("deposit", account, asset, amount)

    def withdraw(self, account: str, asset: str, amount: Decimal) -> None:
        """Takes free funds out of the exchange; raises Refusal for more than there is."""
        if amount > self.ledger.free(account, asset):
            raise Refusal(-4026, "User has insufficient balance")
        self._transfer("withdrawal", account, asset, amount.copy_negate())

    def set_fees(self, account: str, fees: FeePlan) -> None:
        """Changes what the account pays from the next fill on."""
        self._clearing.fees[account] = fees

    def fees(self, account: str) -> FeePlan:
        """Returns what the account pays."""
        return self._clearing.fees[account]

    def _transfer(self, kind: str, account: str, asset: str, delta: Decimal) -> None:
        self._move(kind, account, asset, delta)
        self._emit(Transfer(self.now(), account, asset, delta))
        self._clearing.tell_balances(account, (asset,))
        self._tell()

    def _move(self, kind: str, account: str, asset: str, delta: Decimal) -> None:
        legs = [(account, asset, delta), (OUTSIDE, asset, delta.copy_negate())]
        self.ledger.post(self.now(), kind, kind, legs)

    # -- orders of accounts
    def place(self, account: str, request: OrderRequest, request_id: str = "") -> tuple[Order, Sequence[Trade]]:
        """Checks, books and matches an order; returns a copy of it and the trades that it made at once."""
        order = self.check(account, request)
        key = (account, order.symbol)
        self._orders[key].append(order)
        self._open[key][order.id] = order
        self._by_client[*key, order.client_id] = order
        trades = self._market(order.symbol).place(order, request_id)
        self._tell()
        return replace(order), trades

    def check(self, account: str, request: OrderRequest) -> Order:
        """Raises the refusal that `place` would meet; changes nothing (order/test)."""
        market = self._market(request.symbol)
        held = self._by_client.get((account, request.symbol, request.client_id))
        if held is not None and held.open:
            raise Refusal(-2010, "Duplicate order sent.")
        return market.check(account, request, len(self._open[account, request.symbol]), self.self_trade)

    def cancel(
        self, account: str, symbol: str, order_id: int | None = None, client_id: str = "", request_id: str = ""
    ) -> Order:
        """Cancels an open order (by the owner's key or by hand on the website: there is no difference)."""
        order = self._find(account, symbol, order_id, client_id)
        if order is None or not order.open:
            raise Refusal(-2011, "Unknown order sent.")
        self._market(symbol).cancel(order, request_id)
        self._tell()
        return replace(order)

    def expire(self, account: str, symbol: str, order_id: int) -> Order:
        """Ends an open order as EXPIRED by the exchange's own doing, which nobody asked for."""
        order = self._find(account, symbol, order_id, "")
        if order is None or not order.open:
            raise Refusal(-2011, "Unknown order sent.")
        self._market(symbol).expire(order)
        self._tell()
        return replace(order)

    def cancel_replace(
        self,
        account: str,
        request: OrderRequest,
        order_id: int | None = None,
        client_id: str = "",
        request_id: str = "",
        *,
        allow_failure: bool = False,
    ) -> Replacement:
        """Cancels an order, then places another; after a failed cancel only with `allow_failure`."""
        canceled: Order | Refusal
        try:
            canceled = self.cancel(account, request.symbol, order_id, client_id, request_id)
        except Refusal as refusal:
            if not allow_failure:
                return Replacement(refusal, None)
            canceled = refusal
        try:
            return Replacement(canceled, *self.place(account, request))
        except Refusal as refusal:
            return Replacement(canceled, refusal)

    def query(self, account: str, symbol: str, order_id: int | None = None, client_id: str = "") -> Order:
        """Returns a copy of an order, open or not; the latest of those that had the client id."""
        self._market(symbol)
        order = self._find(account, symbol, order_id, client_id)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return replace(order)

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Returns copies of the open orders, oldest first."""
        found = [
            replace(order)
            for (owner, where), orders in self._open.items()
            if owner == account and symbol in {None, where}
            for order in orders.values()
        ]
        return sorted(found, key=lambda order: (order.ts, order.symbol, order.id))

    def all_orders(self, account: str, symbol: str) -> list[Order]:
        """Returns copies of all orders of a symbol, oldest first."""
        return [replace(order) for order in self._orders[account, symbol]]

    def my_trades(self, account: str, symbol: str | None = None) -> list[Trade]:
        """Returns the account's trades, oldest first; those of markets that are gone too."""
        if symbol is not None:
            return list(self._trades[account, symbol])
        found = [trade for (owner, _), trades in self._trades.items() if owner == account for trade in trades]
        return sorted(found, key=lambda trade: (trade.ts, trade.symbol, trade.id))

    def _find(self, account: str, symbol: str, order_id: int | None, client_id: str) -> Order | None:
        if order_id is None:
            return self._by_client.get((account, symbol, client_id))
        order = self._market(symbol).orders.get(order_id)
        return order if order is not None and order.account == account else None

    # -- the house: market sources trade through these
    def house_place(
        self, symbol: str, side: Side, qty: Decimal, price: Decimal, tif: TimeInForce = TimeInForce.GTC
    ) -> Order:
        """Places a limit order of the house; it matches like any other."""
        order = self._market(symbol).house_order(side, qty, price, tif)
        self._tell()
        return replace(order)

    def house_market(self, symbol: str, side: Side, qty: Decimal) -> Order:
        """Takes `qty` from the book at any price."""
        return self.house_place(symbol, side, qty, ZERO, TimeInForce.IOC)

    def house_cancel(self, symbol: str, order_id: int) -> None:
        """Takes a resting order of the house away; one that is gone already is passed over."""
        market = self._market(symbol)
        order = market.orders.get(order_id)
        if order is not None and order.open:
            market.cancel(order)
        self._tell()

    def house_set_book(
        self,
        symbol: str,
        bids: Sequence[tuple[Decimal, Decimal]],
        asks: Sequence[tuple[Decimal, Decimal]],
    ) -> None:
        """Makes the house's resting orders these levels (price, qty), changing as few as needed (recorded books).

        Levels that cross a user's order fill it, as they would have.
        """
        market = self._market(symbol)
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            market.house_drop(side, dict(levels))
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            market.house_fill(side, dict(levels))
        self._tell()

    def house_print(self, symbol: str, side: Side, price: Decimal, qty: Decimal) -> None:
        """Replays a recorded trade of a taker on `side`: the house takes at `price` or better from the book.

        What the book does not give is printed at `price` all the same, so that the tape is the recorded one.
        """
        self._market(symbol).house_print(side, price, qty)
        self._tell()

    # -- the market as a whole
    @property
    def markets(self) -> dict[str, MarketSpec]:
        """The markets that exist, by symbol."""
        return {symbol: market.spec for symbol, market in self._markets.items()}

    def depth(self, symbol: str) -> tuple[int, list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Returns (last update id, bids, asks), best first, as (price, total quantity)."""
        market = self._market(symbol)
        bids, asks = (list(market.book.side(side).within(ZERO)) for side in Side)
        return market.updates, bids, asks

    def public_trades(self, symbol: str) -> list[PublicTrade]:
        """Returns the public trades that are kept, oldest first."""
        return list(self._market(symbol).tape)

    def last_price(self, symbol: str) -> Decimal | None:
        """Returns the price of the last trade."""
        return self._market(symbol).last

    def change_filters(self, spec: MarketSpec) -> None:
        """Puts new filters or a new status in force; open orders stay as they are."""
        self._market(spec.symbol).spec = spec
        self._emit(MarketChange(self.now(), spec))
        self._tell()

    def delist(self, symbol: str) -> None:
        """Cancels all orders of the symbol and takes the market away; its history stays."""
        market = self._market(symbol)
        market.close()
        del self._markets[symbol]
        self._emit(MarketChange(self.now(), market.spec, delisted=True))
        self._tell()

    def _market(self, symbol: str) -> Market:
        try:
            return self._markets[symbol]
        except KeyError:
            raise Refusal(-1121, "Invalid symbol.") from None
