"""A small exchange account in memory, with scripted trouble: what `VenueAccount` is, without a wire."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import AccountPosition, Balance, Fee, SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, mul, neg, sub
from tradingd.domain.venue import EVERYTHING, VenueCapabilities
from tradingd.errors import DuplicateOrderError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import OrderRef, OrderSeen, SeenStatus, TradeSeen, VenueTraits

__all__ = ["ScriptedVenue"]

T = TypeVar("T")


class _Order(msgspec.Struct):
    order: SubmitOrder
    exchange_id: str
    visible_at: float
    filled: Decimal = ZERO
    status: SeenStatus = SeenStatus.OPEN
    ts: int = 0

    @property
    def left(self) -> Decimal:
        return sub(self.order.quantity, self.filled)

    def seen(self) -> OrderSeen:
        order = self.order
        return OrderSeen(
            self.exchange_id,
            order.order_id,
            order.symbol,
            order.side,
            self.status,
            order.quantity,
            self.filled,
            order.limit_price,
            order.stop_price,
            self.ts,
        )


class _Twist(msgspec.Struct):
    error: Exception | None
    done: bool
    delay_s: float


class ScriptedVenue:
    """Spot trading with a ledger of its own. Orders rest until a test fills them; market orders fill at `prices`.

    `script` says what the next calls of a method come to. New orders stay out of reads for `visibility_s`, trades
    for `trades_lag_s`. What happens is told on the streams unless `muted`. `wire` has every call that arrived:
    (method, client order id).
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        balances: Mapping[str, Decimal],
        *,
        name: str = "X",
        now: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        capabilities: VenueCapabilities = EVERYTHING,
        traits: VenueTraits | None = None,
    ) -> None:
        self.name = name
        self.traits = traits or VenueTraits(exchange_id="scripted", visibility_s=30.0)
        self.capabilities = capabilities
        self.load = 0.0
        self.instruments: dict[str, Instrument] = {one.symbol: one for one in instruments}
        self.totals: defaultdict[str, Decimal] = defaultdict(lambda: ZERO, balances)
        self.prices: dict[str, Decimal] = {}
        self.fee_rate = ZERO
        self.visibility_s = 0.0
        self.trades_lag_s = 0.0
        self.page = 500
        self.muted = False
        self.refreshed = 0
        self.resets = 0
        self.dead_man: list[float] = []
        self.wire: list[tuple[str, str]] = []
        self.orders: dict[str, _Order] = {}
        self.trades: list[tuple[float, TradeSeen]] = []
        """(when it becomes visible, the trade), oldest first."""
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._scripts: defaultdict[str, deque[_Twist]] = defaultdict(deque)
        self._news: dict[str, asyncio.Queue[object]] = {
            name: asyncio.Queue() for name in ("orders", "trades", "balances")
        }

    # --- the test's side -------------------------------------------------------------------------------------

    def script(
        self,
        method: str,
        error: Exception | None = None,
        *,
        done: bool = False,
        delay_s: float = 0.0,
        times: int = 1,
    ) -> None:
        """The next calls of `method` raise `error`, after having done their work or not, and take `delay_s`."""
        self._scripts[method].extend(_Twist(error, done, delay_s) for _ in range(times))

    def clear_scripts(self) -> None:
        """Nothing goes wrong any more."""
        self._scripts.clear()

    def fill(
        self, order_id: str, quantity: Decimal, price: Decimal, *, liquidity: Liquidity = Liquidity.MAKER
    ) -> None:
        """Somebody trades with an order."""
        entry = self.orders[order_id]
        if entry.status is not SeenStatus.OPEN or not ZERO < quantity <= entry.left:
            return
        self._book(entry.order.symbol, entry.order.side, quantity, price, entry.exchange_id, liquidity)
        entry.filled, entry.ts = add(entry.filled, quantity), self._now()
        if not entry.left:
            entry.status = SeenStatus.CLOSED
        self._tell_order(entry)

    def end(self, order_id: str, status: SeenStatus) -> None:
        """The venue, or the account's owner, ends an order."""
        entry = self.orders[order_id]
        if entry.status is SeenStatus.OPEN:
            entry.status, entry.ts = status, self._now()
            self._tell_order(entry)

    def trade_by_hand(self, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> None:
        """The account's owner trades on the website."""
        self._book(symbol, side, quantity, price, f"manual-{len(self.trades)}", Liquidity.TAKER)

    def lose_streams(self, why: str = "connection reset") -> None:
        """All streams break; what was not taken is gone."""
        for queue in self._news.values():
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(VenueUnavailableError(why))

    @property
    def sent(self) -> list[str]:
        """The client order ids of all orders that arrived, as often as they did."""
        return [order_id for method, order_id in self.wire if method == "create_order"]

    # --- orders ----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to close."""

    async def refresh_instruments(self) -> None:
        """Count it."""
        await self._meet("refresh_instruments", lambda: None)
        self.refreshed += 1

    async def create_order(self, order: SubmitOrder) -> OrderSeen:
        """Book an order; a market order fills at once."""
        self.wire.append(("create_order", order.order_id))
        return await self._meet("create_order", lambda: self._create(order))

    async def cancel_order(self, ref: OrderRef) -> OrderSeen | None:
        """Cancel an open order."""
        self.wire.append(("cancel_order", ref.order_id))
        return await self._meet("cancel_order", lambda: self._cancel(ref))

    async def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel every open order."""
        self.wire.append(("cancel_all", ""))
        await self._meet("cancel_all", lambda: self._cancel_all(symbol))

    async def edit_order(self, ref: OrderRef, order: SubmitOrder) -> OrderSeen:
        """Change an open order."""
        self.wire.append(("edit_order", ref.order_id))
        return await self._meet("edit_order", lambda: self._edit(ref, order))

    # --- reads -----------------------------------------------------------------------------------------------

    async def fetch_order(self, ref: OrderRef) -> OrderSeen | None:
        """One order, if it is visible."""
        return await self._meet("fetch_order", lambda: self._read(ref))

    async def fetch_open_orders(self, symbol: str | None = None) -> Sequence[OrderSeen]:
        """The visible open orders."""
        return await self._meet("fetch_open_orders", lambda: self._list(symbol, open_ones=True))

    async def fetch_closed_orders(self, symbol: str, since_ns: int) -> Sequence[OrderSeen]:
        """The visible orders that are over."""
        return await self._meet(
            "fetch_closed_orders",
            lambda: [one for one in self._list(symbol, open_ones=False) if one.ts >= since_ns],
        )

    async def fetch_trades(self, symbol: str, since_ns: int) -> Sequence[TradeSeen]:
        """One page of visible trades."""
        return await self._meet("fetch_trades", lambda: self._page(symbol, since_ns))

    async def fetch_balances(self) -> Sequence[Balance]:
        """What the account holds."""
        return await self._meet(
            "fetch_balances",
            lambda: [Balance(asset, total, self._used(asset)) for asset, total in sorted(self.totals.items())],
        )

    async def fetch_positions(self) -> Sequence[AccountPosition]:
        """None: this is spot."""
        return await self._meet("fetch_positions", list)

    async def clock_offset_ns(self) -> int:
        """No offset."""
        return 0

    async def set_dead_man(self, timeout_s: float) -> None:
        """Note it."""
        await self._meet("set_dead_man", lambda: self.dead_man.append(timeout_s))

    # --- streams ---------------------------------------------------------------------------------------------

    async def watch_orders(self) -> Sequence[OrderSeen]:
        """News of orders."""
        return await self._next("orders")

    async def watch_trades(self) -> Sequence[TradeSeen]:
        """News of trades."""
        return await self._next("trades")

    async def watch_balances(self) -> Sequence[Balance]:
        """News of balances: there are none."""
        return await self._next("balances")

    async def reset_streams(self) -> None:
        """Dial anew."""
        self.resets += 1
        await self._meet("reset_streams", lambda: None)
        self.muted = False

    # --- inside ----------------------------------------------------------------------------------------------

    async def _meet(self, method: str, work: Callable[[], T]) -> T:
        """Do a call's work, as scripted."""
        twist = self._scripts[method].popleft() if self._scripts[method] else None
        if twist is None:
            await asyncio.sleep(0)
            return work()
        answer = work() if twist.done or twist.error is None else None
        if twist.delay_s:
            await self._sleep(twist.delay_s)
        if twist.error is not None:
            raise twist.error
        return answer  # type: ignore[return-value]

    async def _next(self, stream: str) -> Sequence[Any]:
        news = await self._news[stream].get()
        if isinstance(news, Exception):
            raise news
        return [news]

    def _create(self, order: SubmitOrder) -> OrderSeen:
        if order.order_id in self.orders:
            raise DuplicateOrderError("Duplicate order sent.", code="-2010")
        number = str(len(self.orders) + 1)
        entry = _Order(order, number, self._monotonic() + self.visibility_s, ts=self._now())
        self.orders[order.order_id] = entry
        self._tell_order(entry)
        self._enter(entry)
        return entry.seen()

    def _enter(self, entry: _Order) -> None:
        """What an order meets when it arrives; a venue with a market of its own overrides this."""
        order = entry.order
        if order.order_type is OrderType.MARKET:
            self.fill(order.order_id, order.quantity, self.prices[order.symbol], liquidity=Liquidity.TAKER)

    def _open(self, ref: OrderRef) -> _Order:
        entry = self._find(ref)
        if entry is None or entry.status is not SeenStatus.OPEN:
            raise VenueRefusedError("Unknown order sent.", code="UNKNOWN_ORDER")
        return entry

    def _find(self, ref: OrderRef) -> _Order | None:
        if ref.order_id:
            return self.orders.get(ref.order_id)
        return next((one for one in self.orders.values() if one.exchange_id == ref.exchange_order_id), None)

    def _cancel(self, ref: OrderRef) -> OrderSeen:
        entry = self._open(ref)
        self.end(entry.order.order_id, SeenStatus.CANCELED)
        return entry.seen()

    def _cancel_all(self, symbol: str | None) -> None:
        for order_id, entry in self.orders.items():
            if symbol in {None, entry.order.symbol}:
                self.end(order_id, SeenStatus.CANCELED)

    def _edit(self, ref: OrderRef, order: SubmitOrder) -> OrderSeen:
        entry = self._open(ref)
        entry.order, entry.ts = order, self._now()
        self._tell_order(entry)
        return entry.seen()

    def _read(self, ref: OrderRef) -> OrderSeen | None:
        entry = self._find(ref)
        return entry.seen() if entry is not None and entry.visible_at <= self._monotonic() else None

    def _list(self, symbol: str | None, *, open_ones: bool) -> list[OrderSeen]:
        return [
            entry.seen()
            for entry in self.orders.values()
            if symbol in {None, entry.order.symbol}
            and entry.visible_at <= self._monotonic()
            and (entry.status is SeenStatus.OPEN) == open_ones
        ]

    def _page(self, symbol: str, since_ns: int) -> list[TradeSeen]:
        shown = [
            trade
            for visible_at, trade in self.trades
            if trade.symbol == symbol and trade.ts >= since_ns and visible_at <= self._monotonic()
        ]
        return shown[: self.page]

    def _book(
        self, symbol: str, side: Side, quantity: Decimal, price: Decimal, exchange_id: str, liquidity: Liquidity
    ) -> None:
        instrument = self.instruments[symbol]
        bought = quantity if side is Side.BUY else neg(quantity)
        self._move(instrument.base, bought)
        self._move(instrument.quote, neg(mul(bought, price)))
        fees = self._fees(instrument, quantity, price)
        for fee in fees:
            self._move(fee.asset, neg(fee.amount))
        trade_id = str(len(self.trades) + 1)
        trade = TradeSeen(trade_id, exchange_id, "", symbol, side, quantity, price, fees, liquidity, self._now())
        self.trades.append((self._monotonic() + self.trades_lag_s, trade))
        if not self.muted:
            self._news["trades"].put_nowait(trade)

    def _fees(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> tuple[Fee, ...]:
        """What a trade costs: `fee_rate` of its value, in the quote coin."""
        fee = mul(mul(quantity, price), self.fee_rate)
        return (Fee(instrument.quote, fee),) if fee else ()

    def _move(self, asset: str, amount: Decimal) -> None:
        self.totals[asset] = add(self.totals[asset], amount)

    def _used(self, asset: str) -> Decimal:
        used = ZERO
        for entry in self.orders.values():
            instrument = self.instruments[entry.order.symbol]
            if entry.status is not SeenStatus.OPEN:
                continue
            if entry.order.side is Side.SELL and instrument.base == asset:
                used = add(used, entry.left)
            elif (
                entry.order.side is Side.BUY and instrument.quote == asset and entry.order.limit_price is not None
            ):
                used = add(used, mul(entry.left, entry.order.limit_price))
        return used

    def _tell_order(self, entry: _Order) -> None:
        if not self.muted:
            self._news["orders"].put_nowait(entry.seen())
