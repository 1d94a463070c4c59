"""A real account: `VenueAccount` over ccxt's unified interface."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import AccountPosition, Balance, SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.venue import VenueCapabilities
from tradingd.errors import ConfigError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.client import VenueClient
from tradingd.venues.convert import Converter, exact
from tradingd.venues.evidence import prove, refuse_rounded
from tradingd.venues.guarded import StreamFault
from tradingd.venues.markets import capabilities_of, features_of
from tradingd.venues.model import Lane, OrderRef, OrderSeen, SeenStatus, TradeSeen, VenueTraits
from tradingd.venues.outcome import NOT_SENT, UNKNOWN_ORDER
from tradingd.venues.public import PublicVenue
from tradingd.venues.requests import OrderRequest, order_request, plain
from tradingd.venues.settings import Credentials, VenueSettings
from tradingd.venues.shapes import entries, holds_nothing
from tradingd.venues.untyped import Untyped

__all__ = ["CcxtAccount", "make_account"]

_MS = 1_000_000
_NS = 1_000_000_000
_COLLAR = Decimal("1.01")
"""How far above the best ask a market buy may go, where the venue takes none in the base coin."""


class CcxtAccount:
    """One account at one venue.

    Creates, cancels, reads and streams go through `orders`; what stops everything goes through `kill`, so that
    nothing of the former can be in its way. Both share the public side's budget.
    """

    def __init__(
        self,
        settings: VenueSettings,
        public: PublicVenue,
        orders: VenueClient,
        kill: VenueClient,
        *,
        now: Callable[[], int],
    ) -> None:
        self.name = settings.name
        self.row = public.row
        self.traits: VenueTraits = public.row.traits
        self.capabilities = VenueCapabilities()
        self.instruments: Mapping[str, Instrument] = public.instruments
        self.public = public
        self.orders = orders
        self.kill = kill
        self._settings = settings
        self._now = now
        self._convert = Converter(public.row, public.ours)
        self._features: Mapping[str, Untyped] = {}
        self._clock_is_off = False

    def __repr__(self) -> str:
        return f"CcxtAccount({self.name}, {self.orders!r})"

    # --- life ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take the public side's markets, measure the clock, assert ccxt's settings; the public side is open.

        Raises:
            ConfigError: a setting of ccxt's is not as it has to be, or the account trades nothing.

        """
        for client in (self.orders, self.kill):
            faults = client.setting_faults()
            if faults:
                raise ConfigError(f"{self.name}: {faults[0]}")
        if not self.instruments:
            raise ConfigError(
                f"{self.name}: no symbol is traded here; open the public side with the run's symbols"
            )
        await self._set_clock()
        market = self.public.market(next(iter(self.instruments)))
        self._features = features_of(self.orders.ccxt, market)
        self.capabilities = capabilities_of(self._features, amends=self.row.amends)

    async def close(self) -> None:
        """Close all connections of the account; the public side stays open."""
        await self.orders.close()
        await self.kill.close()

    async def refresh_instruments(self) -> None:
        """Read the markets anew, after a refusal for a filter."""
        await self.public.refresh_instruments()
        self._share_markets()

    def _share_markets(self) -> None:
        for client in (self.orders, self.kill):
            client.take_markets(self.public.client)

    async def _set_clock(self) -> None:
        await self.public.set_clock()
        self._clock_is_off = False
        self._share_markets()

    async def clock_offset_ns(self) -> int:
        """The venue's clock minus ours: the median of several readings, each halved by its round trip."""
        return await self.public.clock_offset_ns()

    def is_filter_refusal(self, code: str) -> bool:
        """Whether a refusal's code says that tick, lot or size have changed: then refresh the instruments."""
        return code in self.row.filter_codes

    async def _with_clock(self) -> None:
        """After a refusal for the clock: measure it anew first."""
        if self._clock_is_off:
            await self._set_clock()

    def _note(self, error: VenueRefusedError) -> None:
        self._clock_is_off = self._clock_is_off or error.code in self.row.clock_codes

    # --- orders ----------------------------------------------------------------------------------------------

    async def create_order(self, order: SubmitOrder) -> OrderSeen:
        """Send an order once. Returns only what proves that it exists: an id of the venue's, ours echoed."""
        request = await self._request(order)
        await self._with_clock()
        try:
            told = await self.orders.call(
                "create_order",
                request.symbol,
                request.kind,
                request.side,
                request.amount,
                request.price,
                lane=Lane.ORDER,
                params=request.params,
            )
        except VenueRefusedError as error:
            self._note(error)
            raise
        what = f"{self.name}: create_order"
        seen = self._convert.order(told, what, symbol=order.symbol)
        return prove(seen, order, what, must_echo=self.row.echoes_client_id)

    async def _request(self, order: SubmitOrder) -> OrderRequest:
        instrument = self._instrument(order.symbol)
        request = order_request(order, instrument, self.public.to_ccxt(order.symbol), self.row, self.capabilities)
        if self._wants_a_price(order, instrument):
            request = await self._market_buy(order, request)
        refuse_rounded(request, self.orders.ccxt, order.order_id)
        return request

    def _instrument(self, symbol: str) -> Instrument:
        found = self.instruments.get(symbol)
        if found is None:
            raise VenueRefusedError(f"{symbol}: {self.name} does not trade it; it was not sent", NOT_SENT)
        return found

    def _wants_a_price(self, order: SubmitOrder, instrument: Instrument) -> bool:
        if order.order_type is not OrderType.MARKET or order.side is not Side.BUY or instrument.kind.is_contract:
            return False
        create = self._features.get("createOrder") or {}
        return bool(create.get("marketBuyRequiresPrice")) and not self.row.buys_base_at_market

    async def _market_buy(self, order: SubmitOrder, request: OrderRequest) -> OrderRequest:
        """A market buy where the venue wants to be told what to spend: a limit IOC of the exact quantity."""
        if TimeInForce.IOC not in self.capabilities.times_in_force:
            raise VenueRefusedError(
                f"{order.order_id}: {self.name} takes no market buys; it was not sent", NOT_SENT
            )
        try:
            book = await self.orders.call("fetch_order_book", request.symbol, 5, lane=Lane.ORDER)
            ask = exact(book["asks"][0][0], "fetch_order_book")
        except (VenueUnavailableError, LookupError, TypeError):
            ask = None
        if not ask:
            raise VenueRefusedError(f"{order.order_id}: no price for a market buy; it was not sent", NOT_SENT)
        price = self._instrument(order.symbol).round_price(ask * _COLLAR, Side.BUY)
        return msgspec.structs.replace(
            request, kind="limit", price=plain(price), params=request.params | {"timeInForce": "IOC"}
        )

    async def cancel_order(self, ref: OrderRef) -> OrderSeen | None:
        """Ask for a cancel. Returns what the venue says of the order, None where it only says yes."""
        exchange_id, params = self._naming(ref, self.row.cancel.param, as_id=self.row.cancel.as_id)
        await self._with_clock()
        try:
            told = await self.orders.call(
                "cancel_order", exchange_id, self.public.to_ccxt(ref.symbol), lane=Lane.CANCEL, params=params
            )
        except VenueRefusedError as error:
            self._note(error)
            raise
        if not isinstance(told, Mapping) or not told.get("id"):
            return None
        return self._convert.order(told, f"{self.name}: cancel_order", symbol=ref.symbol)

    def _naming(self, ref: OrderRef, param: str, *, as_id: bool) -> tuple[str | None, dict[str, Untyped]]:
        """How an order is named in a call: by the venue's id where it is known, else by ours."""
        if ref.exchange_order_id:
            return ref.exchange_order_id, {}
        if as_id:
            return self.row.codec.encode(ref.order_id), {}
        if param:
            return None, {param: self.row.codec.encode(ref.order_id)}
        raise VenueUnavailableError(
            f"{self.name}: {ref.order_id}: this venue names orders by its own id only, which is not known yet"
        )

    async def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel everything of a symbol, or of the account: the kill path."""
        if self.kill.has("cancelAllOrders"):
            for theirs in self._symbols(symbol):
                await self._cancel_all(theirs)
            return
        for seen in await self.fetch_open_orders(symbol):
            await self.cancel_order(OrderRef(seen.order_id, seen.symbol, seen.exchange_order_id))

    async def _cancel_all(self, theirs: str) -> None:
        try:
            await self.kill.call("cancel_all_orders", theirs, lane=Lane.CANCEL)
        except VenueRefusedError as error:
            if error.code != UNKNOWN_ORDER:  # what some venues say where there is nothing to cancel
                raise

    def _symbols(self, symbol: str | None) -> list[str]:
        chosen = self.instruments if symbol is None else [symbol]
        return [self.public.to_ccxt(each) for each in chosen]

    async def edit_order(self, ref: OrderRef, order: SubmitOrder) -> OrderSeen:
        """Change an order in place; refused, unsent, where the venue would cancel it and make another."""
        if not self.capabilities.modify or not ref.exchange_order_id:
            raise VenueRefusedError(f"{ref.order_id}: {self.name} cannot change it in place; not sent", NOT_SENT)
        request = await self._request(order)
        params = {name: value for name, value in request.params.items() if name != self.row.create_param}
        told = await self.orders.call(
            "edit_order",
            ref.exchange_order_id,
            request.symbol,
            request.kind,
            request.side,
            request.amount,
            request.price,
            lane=Lane.ORDER,
            params=params,
        )
        return self._convert.order(told, f"{self.name}: edit_order", symbol=order.symbol)

    # --- evidence --------------------------------------------------------------------------------------------

    async def fetch_order(self, ref: OrderRef) -> OrderSeen | None:
        """Read one order; None is the venue's definite word that it does not know it now."""
        if not ref.exchange_order_id and not self.row.fetch.is_offered:
            return await self._found_working(ref)
        exchange_id, params = self._naming(ref, self.row.fetch.param, as_id=self.row.fetch.as_id)
        await self._with_clock()
        try:
            told = await self.orders.call(
                "fetch_order",
                exchange_id,
                self.public.to_ccxt(ref.symbol),
                lane=Lane.EVIDENCE,
                params={**self.row.read_params, **params},
            )
        except VenueRefusedError as error:
            self._note(error)
            if error.code == UNKNOWN_ORDER:
                return None
            raise
        what = f"{self.name}: fetch_order"
        seen = self._convert.order(told, what, symbol=ref.symbol)
        wanted = ref.exchange_order_id
        is_other = seen.exchange_order_id != wanted if wanted else seen.order_id not in {"", ref.order_id}
        if is_other or seen.symbol != ref.symbol:
            raise VenueUnavailableError(f"{what}: the answer is another order")
        return seen

    async def _found_working(self, ref: OrderRef) -> OrderSeen:
        """The order among those that work, where the venue cannot be asked for it by our id."""
        for seen in await self.fetch_open_orders(ref.symbol):
            if seen.order_id == ref.order_id:
                return seen
        raise VenueUnavailableError(f"{self.name}: fetch_order: this venue cannot be asked by our id")

    async def fetch_open_orders(self, symbol: str | None = None) -> Sequence[OrderSeen]:
        """Read the working orders, whole: all pages."""
        theirs = None if symbol is None else self.public.to_ccxt(symbol)
        found, is_whole = await self._open_orders(theirs)
        if is_whole:
            return found
        if symbol is None:
            return [seen for each in self.instruments for seen in await self.fetch_open_orders(each)]
        raise VenueUnavailableError(f"{self.name}: {symbol}: more working orders than one read of this venue has")

    async def _open_orders(self, theirs: str | None) -> tuple[list[OrderSeen], bool]:
        what = f"{self.name}: fetch_open_orders"
        page = (self._features.get("fetchOpenOrders") or {}).get("limit")
        found = list(await self._orders(what, "fetch_open_orders", theirs, None, page))
        return found, not isinstance(page, int) or len(found) < page

    async def _orders(self, what: str, method: str, *args: Untyped) -> Iterator[OrderSeen]:
        await self._with_clock()
        told, body = await self.orders.read(method, *args, lane=Lane.EVIDENCE)
        symbol = "" if not args or args[0] is None else self.public.ours(args[0])
        return (self._convert.order(entry, what, symbol=symbol) for entry in entries(told, body, what))

    async def fetch_closed_orders(self, symbol: str, since_ns: int) -> Sequence[OrderSeen]:
        """Read the orders that are over, from `since_ns` on; empty as well where the venue offers no such call."""
        found: dict[str, OrderSeen] = {}
        for method in self._closed_methods():
            what = f"{self.name}: {method}"
            for seen in await self._orders(what, method, self.public.to_ccxt(symbol), since_ns // _MS):
                if seen.status is not SeenStatus.OPEN:
                    found[seen.exchange_order_id] = seen
        return list(found.values())

    def _closed_methods(self) -> list[str]:
        """`fetch_closed_orders` alone leaves out what was canceled."""
        for unified, method in (
            ("fetchOrders", "fetch_orders"),
            ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
        ):
            if self.orders.has(unified):
                return [method]
        both = {"fetchClosedOrders": "fetch_closed_orders", "fetchCanceledOrders": "fetch_canceled_orders"}
        return [method for unified, method in both.items() if self.orders.has(unified)]

    async def fetch_trades(self, symbol: str, since_ns: int) -> Sequence[TradeSeen]:
        """Read one page of our trades from `since_ns` on, oldest first; the caller pages until nothing is new.

        Where a request may reach only so far, empty stretches are passed over.
        """
        window_ns = int((self.traits.trades_window_s or 0) * _NS) if since_ns > 0 else 0
        while True:
            until = since_ns + window_ns if window_ns and self._now() - since_ns > window_ns else 0
            found = await self._trades(symbol, since_ns, until)
            if found or not until:
                return found
            since_ns = until

    async def _trades(self, symbol: str, since_ns: int, until_ns: int) -> list[TradeSeen]:
        what = f"{self.name}: fetch_my_trades"
        params = {"until": until_ns // _MS} if until_ns else {}
        await self._with_clock()
        told, body = await self.orders.read(
            "fetch_my_trades",
            self.public.to_ccxt(symbol),
            since_ns // _MS or None,
            self.traits.trades_page,
            lane=Lane.EVIDENCE,
            params=params,
        )
        found = [self._convert.trade(entry, what, symbol=symbol) for entry in entries(told, body, what)]
        return sorted(found, key=lambda trade: trade.ts)

    async def fetch_balances(self) -> Sequence[Balance]:
        """Read what the account holds."""
        what = f"{self.name}: fetch_balance"
        await self._with_clock()
        told, body = await self.orders.read("fetch_balance", lane=Lane.ACCOUNT)
        found = list(self._convert.balances(told, what))
        if not found and not holds_nothing(body):
            raise VenueUnavailableError(f"{what}: the answer has not the shape of a balance")
        return [balance for balance in found if balance.total or balance.used]

    async def fetch_positions(self) -> Sequence[AccountPosition]:
        """Read the contract positions; empty where the run has no contracts."""
        contracts = [
            self.public.to_ccxt(symbol) for symbol, each in self.instruments.items() if each.kind.is_contract
        ]
        if not contracts:
            return ()
        what = f"{self.name}: fetch_positions"
        await self._with_clock()
        told, body = await self.orders.read("fetch_positions", contracts, lane=Lane.ACCOUNT)
        return list(self._convert.positions(entries(told, body, what), what))

    async def set_dead_man(self, timeout_s: float) -> None:
        """Let the venue cancel all orders unless this is called again within `timeout_s`; 0 disarms it."""
        kind = self.traits.dead_man
        if not kind:
            raise VenueRefusedError(f"{self.name}: this venue has no dead-man switch", NOT_SENT)
        if kind == "cancelAllOrdersAfter":
            await self.kill.call("cancel_all_orders_after", round(timeout_s * 1000), lane=Lane.CANCEL)
            return
        name, units = self.row.dead_man_unit
        value = round(timeout_s * units) if timeout_s else self.row.dead_man_off
        for theirs in self._symbols(None) if "{market}" in self.row.dead_man_params.values() else [""]:
            market = self.public.market(theirs)["id"] if theirs else ""
            params = {
                key: market if text == "{market}" else text for key, text in self.row.dead_man_params.items()
            }
            await self.kill.call(kind, lane=Lane.CANCEL, params={**params, name: value})

    # --- hints -----------------------------------------------------------------------------------------------

    async def watch_orders(self) -> Sequence[OrderSeen]:
        """Wait for news of orders; a venue without this stream never tells any."""
        told = await self._watched("watchOrders", "watch_orders")
        return [self._convert.order(entry, f"{self.name}: watch_orders") for entry in told]

    async def watch_trades(self) -> Sequence[TradeSeen]:
        """Wait for news of our trades."""
        told = await self._watched("watchMyTrades", "watch_my_trades")
        what, sign = f"{self.name}: watch_my_trades", self.row.stream_fee_sign
        return [self._convert.trade(entry, what, fee_sign=sign) for entry in told]

    async def watch_balances(self) -> Sequence[Balance]:
        """Wait for news of balances; what has become nothing is told as well."""
        told = await self._watched("watchBalance", "watch_balance")
        return list(self._convert.balances(told, f"{self.name}: watch_balance"))

    async def _watched(self, unified: str, method: str) -> Untyped:
        if not self.orders.has(unified):
            await asyncio.Event().wait()
        return await self.orders.watch(method)

    async def reset_streams(self) -> None:
        """Close the account's sockets, so that the next watch dials anew, at once."""
        await self.orders.reset_streams()


def make_account(
    settings: VenueSettings,
    credentials: Credentials,
    public: PublicVenue,
    *,
    session: Untyped = None,
    now: Callable[[], int] = time.time_ns,
    on_fault: Callable[[StreamFault], None] | None = None,
) -> CcxtAccount:
    """The account that `settings` names, next to its public side.

    Raises:
        ConfigError: ccxt has no such exchange, or not in this environment.

    """
    made = [
        VenueClient(
            settings,
            public.row,
            budget=public.client.budget,
            lane=lane,
            credentials=credentials,
            session=session,
            is_order_path=True,
            on_fault=on_fault,
        )
        for lane in (Lane.ACCOUNT, Lane.CANCEL)
    ]
    return CcxtAccount(settings, public, made[0], made[1], now=now)
