"""What is read of an account: the evidence that settles what became of an order, and what it holds."""

from collections.abc import Callable, Mapping, Sequence

from tradingd.domain.events import AccountPosition, Balance
from tradingd.domain.instrument import Instrument
from tradingd.errors import RateLimitedError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.client import VenueClient
from tradingd.venues.convert import Converter
from tradingd.venues.markets import features_of
from tradingd.venues.model import Lane, OrderRef, OrderSeen, SeenStatus, TradeSeen, VenueTraits
from tradingd.venues.outcome import NOT_SENT, UNKNOWN_ORDER
from tradingd.venues.public import PublicVenue
from tradingd.venues.shapes import entries, holds_nothing
from tradingd.venues.table import ClientIdUse
from tradingd.venues.untyped import Untyped

__all__ = ["AccountReads"]

_MS = 1_000_000
_NS = 1_000_000_000


class AccountReads:
    """The reads and streams of one account; `CcxtAccount` adds what acts."""

    def __init__(self, public: PublicVenue, orders: VenueClient, *, now: Callable[[], int]) -> None:
        self.name = public.name
        self.row = public.row
        self.traits: VenueTraits = public.row.traits
        self.instruments: Mapping[str, Instrument] = public.instruments
        self.public = public
        self.orders = orders
        self._now = now
        self._convert = Converter(public.row, public.ours)
        self._clock_is_off = False
        self._stream_failed = False

    async def _with_clock(self) -> None:
        """After a refusal for the clock: measure it anew first."""
        if self._clock_is_off:
            await self._set_clock()

    async def _set_clock(self) -> None:
        await self.public.set_clock()
        self._clock_is_off = False
        self._share_markets()

    def _share_markets(self) -> None:
        self.orders.take_markets(self.public.client)

    def _note(self, error: VenueRefusedError) -> None:
        self._clock_is_off = self._clock_is_off or error.code in self.row.clock_codes

    async def clock_offset_ns(self) -> int:
        """The venue's clock minus ours: the median of several readings, each halved by its round trip."""
        return await self.public.clock_offset_ns()

    async def _read(self, method: str, *args: Untyped, lane: Lane, **named: Untyped) -> tuple[Untyped, Untyped]:
        return await self._read_with(self.orders, method, *args, lane=lane, **named)

    async def _read_with(
        self,
        client: VenueClient,
        method: str,
        *args: Untyped,
        lane: Lane,
        **named: Untyped,
    ) -> tuple[Untyped, Untyped]:
        await self._with_clock()
        try:
            return await client.read(method, *args, lane=lane, **named)
        except VenueRefusedError as error:
            self._note(error)
            raise

    def _naming(self, ref: OrderRef, use: ClientIdUse) -> tuple[str | None, dict[str, Untyped]]:
        """How an order is named in a call: by the venue's id where it is known, else by ours."""
        if ref.exchange_order_id:
            return ref.exchange_order_id, {}
        if use.as_id:
            return self.row.codec.encode(ref.order_id), {}
        if use.param:
            return None, {use.param: self.row.codec.encode(ref.order_id)}
        raise VenueUnavailableError(
            f"{self.name}: {ref.order_id}: this venue names orders by its own id only, which is not known yet"
        )

    # --- evidence --------------------------------------------------------------------------------------------

    async def fetch_order(self, ref: OrderRef) -> OrderSeen | None:
        """Read one order; None is the venue's definite word that it does not know it now."""
        if not ref.exchange_order_id and not self.row.fetch.is_offered:
            return await self._found_working(ref)
        exchange_id, params = self._naming(ref, self.row.fetch)
        theirs, params = self.public.to_ccxt(ref.symbol), {**self.row.read_params, **params}
        try:
            told, _ = await self._read("fetch_order", exchange_id, theirs, lane=Lane.EVIDENCE, params=params)
        except VenueRefusedError as error:
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
        return await self._working(self.orders, Lane.EVIDENCE, symbol)

    async def _working(self, client: VenueClient, lane: Lane, symbol: str | None) -> list[OrderSeen]:
        what = f"{self.name}: fetch_open_orders"
        page = self._page(symbol)
        theirs = None if symbol is None else self.public.to_ccxt(symbol)
        told, body = await self._read_with(client, "fetch_open_orders", theirs, None, page, lane=lane)
        found = [self._convert.order(entry, what, symbol=symbol or "") for entry in entries(told, body, what)]
        if page is None or len(found) < page:
            return found
        if symbol is None:
            return [seen for each in self.instruments for seen in await self._working(client, lane, each)]
        raise VenueUnavailableError(f"{what}: {symbol}: more working orders than one read of this venue has")

    def _page(self, symbol: str | None) -> int | None:
        """How many working orders a read has at most; None for all."""
        some = symbol if symbol is not None else next(iter(self.instruments))
        features = features_of(self.orders.ccxt, self.public.market(some))
        page = (features.get("fetchOpenOrders") or {}).get("limit")
        return page if isinstance(page, int) else None

    async def fetch_closed_orders(self, symbol: str, since_ns: int) -> Sequence[OrderSeen]:
        """Read the orders that are over, from `since_ns` on; empty as well where the venue offers no such call."""
        found: dict[str, OrderSeen] = {}
        for method in self._closed_methods():
            what = f"{self.name}: {method}"
            theirs = self.public.to_ccxt(symbol)
            told, body = await self._read(method, theirs, since_ns // _MS or None, lane=Lane.EVIDENCE)
            for entry in entries(told, body, what):
                seen = self._convert.order(entry, what, symbol=symbol)
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
        """Read our trades from `since_ns` on, oldest first; the caller goes on until nothing is new.

        Where a request may reach only so far, empty stretches are passed over. Where the venue tells the newest
        page, those before it are read as well, for a caller that goes on from the last would miss them. A page of
        one instant alone is completed by ids where the venue has them: a caller could not get past it by time.
        """
        window_ns = int((self.traits.trades_window_s or 0) * _NS) if since_ns > 0 else 0
        since_ms = since_ns // _MS or None
        if self.row.trades_offset:
            return await self._by_offset(symbol, since_ms)
        while True:
            until = since_ns + window_ns if window_ns and self._now() - since_ns > window_ns else 0
            found = await self._trades(symbol, since_ms, {"until": until // _MS} if until else {})
            if found and self.row.tells_oldest_trades_first:
                return await self._whole_instant(symbol, found)
            if found and since_ms is not None:
                return await self._with_earlier(symbol, since_ms, found)
            if found or not until:
                return found
            since_ns, since_ms = until, until // _MS

    async def _by_offset(self, symbol: str, since_ms: int | None) -> list[TradeSeen]:
        """A symbol's trades out of a history of all, from the newest back.

        What is traded meanwhile moves the pages back: some is told twice, nothing is passed over.
        """
        found: dict[str, TradeSeen] = {}
        offset, is_full = 0, True
        while is_full:
            page = await self._trades("", since_ms, {self.row.trades_offset: offset} if offset else {})
            found |= {trade.trade_id: trade for trade in page}
            offset += len(page)
            is_full = len(page) >= self.traits.trades_page and since_ms is not None
        return sorted((trade for trade in found.values() if trade.symbol == symbol), key=lambda trade: trade.ts)

    async def _with_earlier(self, symbol: str, since_ms: int, found: list[TradeSeen]) -> list[TradeSeen]:
        """`found`, and the pages before it back to `since_ms`."""
        while found[0].ts // _MS > since_ms:
            oldest = found[0].ts // _MS
            page = await self._trades(symbol, since_ms, {"until": oldest})
            if page and not _known_in(page, found):  # the end is not included there: the rest of that instant
                page += await self._trades(symbol, since_ms, {"until": oldest + 1})
            elif page and len(_known_in(page, found)) == len(page) and oldest > since_ms:
                page = await self._trades(symbol, since_ms, {"until": oldest - 1})
            known = {trade.trade_id for trade in found}
            earlier = {
                each.trade_id: each for each in page if each.trade_id not in known and each.ts <= found[0].ts
            }
            if not earlier:
                self._refuse_unread(page, oldest)
                return found
            found = sorted([*earlier.values(), *found], key=lambda trade: trade.ts)
        return found

    def _refuse_unread(self, page: list[TradeSeen], oldest_ms: int) -> None:
        """Refuse a history that goes on before what can be read of it."""
        is_full = len(page) >= self.traits.trades_page
        if is_full and any(trade.ts // _MS >= oldest_ms for trade in page):
            raise VenueUnavailableError(f"{self.name}: fetch_my_trades: earlier trades cannot be read")

    async def _whole_instant(self, symbol: str, found: list[TradeSeen]) -> list[TradeSeen]:
        instant = found[0].ts
        # No page holds one trade only, so that the usual case costs no second read.
        while self.row.trades_from_id and len(found) > 1 and found[-1].ts == instant:
            known = [int(trade.trade_id) for trade in found if trade.trade_id.isdecimal()]
            if len(known) != len(found):
                return found
            more = await self._trades(symbol, None, {self.row.trades_from_id: str(max(known) + 1)})
            fresh = [trade for trade in more if trade.trade_id.isdecimal() and int(trade.trade_id) > max(known)]
            if not fresh:
                return found
            found += fresh
        return found

    async def _trades(self, symbol: str, since_ms: int | None, params: dict[str, Untyped]) -> list[TradeSeen]:
        what = f"{self.name}: fetch_my_trades"
        theirs = self.public.to_ccxt(symbol) if symbol else None
        told, body = await self._read(
            "fetch_my_trades", theirs, since_ms, self.traits.trades_page, lane=Lane.EVIDENCE, params=params
        )
        found = [self._convert.trade(entry, what, symbol=symbol) for entry in entries(told, body, what)]
        return sorted(found, key=lambda trade: trade.ts)

    async def fetch_balances(self) -> Sequence[Balance]:
        """Read what the account holds."""
        what = f"{self.name}: fetch_balance"
        told, body = await self._read("fetch_balance", lane=Lane.ACCOUNT)
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
        told, body = await self._read("fetch_positions", contracts, lane=Lane.ACCOUNT)
        return list(self._convert.positions(entries(told, body, what), what))

    # --- hints -----------------------------------------------------------------------------------------------

    async def watch_orders(self) -> Sequence[OrderSeen]:
        """Wait for news of orders; VenueRefusedError where the venue has no such stream."""
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
            raise VenueRefusedError(f"{self.name}: this venue has no {unified}", NOT_SENT)
        if self._stream_failed:
            # Perhaps the venue refused to subscribe us for our clock: ccxt does not tell that of other failures.
            self._stream_failed = False
            await self._set_clock()
        try:
            return await self.orders.watch(method)
        except RateLimitedError:
            raise
        except VenueUnavailableError:
            self._stream_failed = True
            raise


def _known_in(page: list[TradeSeen], found: list[TradeSeen]) -> list[TradeSeen]:
    known = {trade.trade_id for trade in found}
    return [trade for trade in page if trade.trade_id in known]
