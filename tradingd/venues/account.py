"""A real account: `VenueAccount` over ccxt's unified interface."""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.errors import ConfigError, TradingdError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.client import VenueClient
from tradingd.venues.convert import exact
from tradingd.venues.evidence import prove, refuse_rounded
from tradingd.venues.guarded import StreamFault
from tradingd.venues.markets import common_capabilities, features_of
from tradingd.venues.model import Lane, OrderRef, OrderSeen
from tradingd.venues.outcome import NOT_SENT, UNKNOWN_ORDER
from tradingd.venues.public import PublicVenue
from tradingd.venues.reading import AccountReads
from tradingd.venues.requests import OrderRequest, order_request, plain
from tradingd.venues.settings import Credentials, VenueSettings
from tradingd.venues.untyped import Untyped

__all__ = ["CcxtAccount", "make_account"]

_MOST_PATIENCE_S = 2.0
"""How long an order may wait for its turn in the budget: after that it is too old to be sent."""
_COLLAR = Decimal("1.01")
"""How far above the best ask a market buy may go, where the venue takes none in the base coin."""


class CcxtAccount(AccountReads):
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
        super().__init__(public, orders, now=now)
        self.kill = kill
        self._patience_s = min(_MOST_PATIENCE_S, settings.order_timeout_s)
        self.capabilities = common_capabilities(orders.ccxt, settings.market_types, amends=self.row.amends)
        """What all kinds of markets of the account have in common."""

    def __repr__(self) -> str:
        return f"CcxtAccount({self.name}, {self.orders!r})"

    @property
    def load(self) -> float:
        """How much of the weight budget is used now, from 0 to 1."""
        return self.public.client.budget.load

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
            raise ConfigError(f"{self.name}: no symbol is traded here; open the public side with some")
        await self._set_clock()

    async def close(self) -> None:
        """Close all connections of the account; the public side stays open."""
        await self.orders.close()
        await self.kill.close()

    async def refresh_instruments(self) -> None:
        """Read the markets anew, after a refusal for a filter."""
        await self.public.refresh_instruments()
        self._share_markets()

    def _share_markets(self) -> None:
        super()._share_markets()
        self.kill.take_markets(self.public.client)

    def is_filter_refusal(self, code: str) -> bool:
        """Whether a refusal's code says that tick, lot or size have changed: then refresh the instruments."""
        return code in self.row.filter_codes

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
                patience_s=self._patience_s,
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
        create = features_of(self.orders.ccxt, self.public.market(order.symbol)).get("createOrder") or {}
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
        return await self._cancel(self.orders, ref)

    async def _cancel(self, client: VenueClient, ref: OrderRef) -> OrderSeen | None:
        exchange_id, params = self._naming(ref, self.row.cancel)
        await self._with_clock()
        try:
            told = await client.call(
                "cancel_order", exchange_id, self.public.to_ccxt(ref.symbol), lane=Lane.CANCEL, params=params
            )
        except VenueRefusedError as error:
            self._note(error)
            raise
        if not isinstance(told, Mapping) or not told.get("id"):
            return None
        return self._convert.order(told, f"{self.name}: cancel_order", symbol=ref.symbol)

    async def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel everything of a symbol, or of the account's symbols: the kill path, on its own connection.

        What fails for one symbol or order does not keep the others from being tried; the first error is raised
        at the end.
        """
        failures: list[TradingdError] = []
        for each in self.instruments if symbol is None else [symbol]:
            try:
                await self._cancel_symbol(each)
            except TradingdError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _cancel_symbol(self, symbol: str) -> None:
        if self.kill.has("cancelAllOrders"):
            try:
                await self.kill.call("cancel_all_orders", self.public.to_ccxt(symbol), lane=Lane.CANCEL)
            except VenueRefusedError as error:
                if error.code != UNKNOWN_ORDER:  # what some venues say where there is nothing to cancel
                    raise
            return
        failure: TradingdError | None = None
        for seen in await self._working(self.kill, Lane.CANCEL, symbol):
            try:
                await self._cancel(self.kill, OrderRef(seen.order_id, seen.symbol, seen.exchange_order_id))
            except TradingdError as error:
                is_gone = isinstance(error, VenueRefusedError) and error.code == UNKNOWN_ORDER
                failure = failure if is_gone else error
        if failure is not None:
            raise failure

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
            patience_s=self._patience_s,
        )
        return self._convert.order(told, f"{self.name}: edit_order", symbol=order.symbol)

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
        is_per_market = "{market}" in self.row.dead_man_params.values()
        for symbol in self.instruments if is_per_market else [""]:
            market = self.public.market(symbol)["id"] if symbol else ""
            params = {
                key: market if text == "{market}" else text for key, text in self.row.dead_man_params.items()
            }
            await self.kill.call(kind, lane=Lane.CANCEL, params={**params, name: value})

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
