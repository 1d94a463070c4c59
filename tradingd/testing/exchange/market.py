"""One market: its book, its orders, how they meet, and the stops that wait for the last price."""

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec.structs import replace

from tradingd.testing.exchange.book import Book, remaining
from tradingd.testing.exchange.clearing import Clearing, required
from tradingd.testing.exchange.exact import ZERO, add, mul, quotient, sub
from tradingd.testing.exchange.filters import LIMITED, STOPS, check_filters
from tradingd.testing.exchange.model import (
    HOUSE,
    BookChange,
    EngineEvent,
    Execution,
    MarketSpec,
    Order,
    OrderEvent,
    OrderRequest,
    OrderType,
    PublicTrade,
    Refusal,
    SelfTrade,
    Side,
    Status,
    TimeInForce,
    Trade,
)

__all__ = ["Market"]

_TAPE = 10_000
"""Public trades that a market remembers."""
_SHORT = "Account has insufficient balance for requested action."


class Market:
    """Matches the orders of one symbol. The engine checks accounts and client ids before it calls."""

    def __init__(
        self, spec: MarketSpec, clearing: Clearing, emit: Callable[[EngineEvent], None], now: Callable[[], int]
    ) -> None:
        self.spec = spec
        self.book = Book(self._level_changed)
        self.orders: dict[int, Order] = {}
        """All orders of users, and those of the house that rest."""
        self.tape: deque[PublicTrade] = deque(maxlen=_TAPE)
        self.last: Decimal | None = None
        self.updates = 0
        self._stops: dict[int, Order] = {}
        self._clearing = clearing
        self._emit = emit
        self._now = now
        self._order_ids = 0
        self._trade_ids = 0

    # -- orders in
    def check(self, account: str, request: OrderRequest, open_orders: int, self_trade: SelfTrade) -> Order:
        """Raises the refusal that `place` would meet, else returns the order as it would be booked."""
        check_filters(self.spec, request, self.last, open_orders)
        order = self._draft(account, request, self_trade)
        self._check_entry(order)
        self._check_funds(order)
        return order

    def _draft(self, account: str, request: OrderRequest, self_trade: SelfTrade) -> Order:
        now = self._now()
        order = Order(
            id=self._order_ids + 1,
            account=account,
            symbol=self.spec.symbol,
            client_id=request.client_id or f"own-{self.spec.stream}-{self._order_ids + 1}",
            side=request.side,
            type=request.type,
            tif=request.tif,
            qty=request.qty,
            price=request.price,
            stop_price=request.stop_price,
            quote_qty=request.quote_qty,
            ts=now,
            updated=now,
            self_trade=request.self_trade or self_trade,
            working=request.type not in STOPS,
        )
        if order.quote_qty:
            order.qty = self._bought_with(order)
        return order

    def _check_entry(self, order: Order) -> None:
        best = self.book.against(order.side).best()
        if order.type is OrderType.LIMIT_MAKER and best is not None and self._crosses(order, best.price):
            raise Refusal(-2010, "Order would immediately match and take.")
        if order.type in STOPS and self._triggered(order):
            raise Refusal(-2010, "Stop price would trigger immediately.")

    def _check_funds(self, order: Order) -> None:
        if order.account == HOUSE:
            return
        needed = self._market_cost(order) if order.type is OrderType.MARKET else required(order)
        if needed > self._clearing.spendable(order, self.spec):
            raise Refusal(-2010, _SHORT)

    def place(self, order: Order, request_id: str = "") -> list[Trade]:
        """Books and matches an order that was checked; returns the trades it made at once."""
        self._order_ids = order.id
        self.orders[order.id] = order
        self._clearing.relock(order, self.spec)
        self._report(order, Execution.NEW, request_id)
        self._tell_balances(order)
        trades: list[Trade] = []
        if order.working:
            trades = self._enter(order)
            self._fire_stops()
            self._forget(order)
        else:
            self._stops[order.id] = order
        return trades

    def cancel(self, order: Order, request_id: str = "") -> None:
        """Takes an open order out."""
        self._end(order, Status.CANCELED, Execution.CANCELED, request_id)

    def expire(self, order: Order) -> None:
        """Takes an open order out on the exchange's own account."""
        self._end(order, Status.EXPIRED, Execution.EXPIRED)

    def close(self) -> None:
        """Cancels everything: the market is gone."""
        for order in [order for order in self.orders.values() if order.open]:
            self.cancel(order)

    # -- matching
    def _enter(self, order: Order) -> list[Trade]:
        if order.tif is TimeInForce.FOK and not self._fillable(order):
            self._end(order, Status.EXPIRED, Execution.EXPIRED)
            return []
        trades = self._sweep(order)
        if order.open:
            if order.type in LIMITED and order.tif is TimeInForce.GTC:
                self.book.side(order.side).add(order)
            else:
                self._end(order, Status.EXPIRED, Execution.EXPIRED)
        return trades

    def _sweep(self, order: Order) -> list[Trade]:
        trades: list[Trade] = []
        against = self.book.against(order.side)
        while order.open and remaining(order):
            maker = against.best()
            if maker is None or not self._crosses(order, maker.price):
                break
            if order.account == maker.account != HOUSE and order.self_trade is not SelfTrade.NONE:
                self._prevent(order, maker)
                continue
            qty = min(remaining(order), remaining(maker), self._affordable(order, maker.price))
            if not qty:
                break
            trades.append(self._trade(order, maker, qty))
        return trades

    def _crosses(self, order: Order, price: Decimal) -> bool:
        limit = order.price if order.type in LIMITED else ZERO
        return self.book.against(order.side).crosses(price, limit)

    def _prevent(self, taker: Order, maker: Order) -> None:
        if taker.self_trade is not SelfTrade.EXPIRE_TAKER:
            self._end(maker, Status.EXPIRED_IN_MATCH, Execution.TRADE_PREVENTION)
        if taker.self_trade is not SelfTrade.EXPIRE_MAKER:
            self._end(taker, Status.EXPIRED_IN_MATCH, Execution.TRADE_PREVENTION)

    def _affordable(self, order: Order, price: Decimal) -> Decimal:
        """What a taker that holds nothing can pay for; whoever holds funds can pay for all of it."""
        if order.account == HOUSE or order.locked:
            return remaining(order)
        funds = self._clearing.spendable(order, self.spec)
        return quotient(funds, price if order.side is Side.BUY else Decimal(1), self.spec.lot)

    def _trade(self, taker: Order, maker: Order, qty: Decimal) -> Trade:
        price = maker.price
        self._trade_ids += 1
        for order in (taker, maker):
            self._fill(order, qty, mul(price, qty))
        self.book.side(maker.side).reduce(maker, qty)
        fees = self._clearing.settle(self.spec, self._trade_ids, maker, taker, price, qty)
        halves = [
            self._half(order, price, qty, fee, maker=order is maker)
            for order, fee in zip((maker, taker), fees, strict=True)
        ]
        self._publish(taker, maker, price, qty)
        for order, half in zip((taker, maker), reversed(halves), strict=True):
            self._report(order, Execution.TRADE, trade=half)
            self._tell_balances(order, half.fee_asset)
        self._forget(maker)
        return halves[1]

    def _forget(self, order: Order) -> None:
        """The house's orders that are done are not kept: there are thousands a second."""
        if order.account == HOUSE and not order.open:
            self.orders.pop(order.id, None)

    def _fill(self, order: Order, qty: Decimal, quote: Decimal) -> None:
        order.filled = add(order.filled, qty)
        order.quote_filled = add(order.quote_filled, quote)
        order.status = Status.PARTIALLY_FILLED if remaining(order) else Status.FILLED
        order.updated = self._now()

    def _half(self, order: Order, price: Decimal, qty: Decimal, fee: tuple[Decimal, str], *, maker: bool) -> Trade:
        return Trade(
            symbol=self.spec.symbol,
            id=self._trade_ids,
            order_id=order.id,
            account=order.account,
            client_id=order.client_id,
            side=order.side,
            price=price,
            qty=qty,
            quote_qty=mul(price, qty),
            fee=fee[0],
            fee_asset=fee[1],
            maker=maker,
            ts=self._now(),
        )

    def _publish(self, taker: Order, maker: Order, price: Decimal, qty: Decimal) -> None:
        buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        self._print(price, qty, buyer_maker=buyer is maker, orders=(buyer.id, seller.id))

    def _print(self, price: Decimal, qty: Decimal, *, buyer_maker: bool, orders: tuple[int, int]) -> None:
        trade = PublicTrade(
            self._now(), self.spec.symbol, self._trade_ids, price, qty, buyer_maker, orders[0], orders[1]
        )
        self.last = price
        self.tape.append(trade)
        self._emit(trade)

    def _end(self, order: Order, status: Status, execution: Execution, request_id: str = "") -> None:
        """Takes an order out for good, whatever of it is left."""
        self._stops.pop(order.id, None)
        self.book.side(order.side).remove(order)
        order.status = status
        order.updated = self._now()
        self._clearing.relock(order, self.spec)
        reference = order.client_id if execution is Execution.CANCELED else ""
        self._report(order, execution, request_id, reference)
        self._tell_balances(order)
        self._forget(order)

    # -- what could be had
    def _offers(self, order: Order) -> Iterator[tuple[Decimal, Decimal]]:
        return self.book.against(order.side).within(order.price if order.type in LIMITED else ZERO)

    def _fillable(self, order: Order) -> bool:
        total = ZERO
        for _, qty in self._offers(order):
            total = add(total, qty)
        return total >= order.qty

    def _bought_with(self, order: Order) -> Decimal:
        """The quantity that `quote_qty` comes to, down the book."""
        left, total = order.quote_qty, ZERO
        for price, offered in self._offers(order):
            qty = min(offered, quotient(left, price, self.spec.lot))
            left, total = sub(left, mul(price, qty)), add(total, qty)
            if qty < offered:
                break
        return total

    def _market_cost(self, order: Order) -> Decimal:
        if order.side is Side.SELL:
            return order.qty
        left, cost = order.qty, ZERO
        for price, offered in self._offers(order):
            qty = min(left, offered)
            left, cost = sub(left, qty), add(cost, mul(price, qty))
        return max(cost, order.quote_qty)

    # -- stops
    def _triggered(self, order: Order) -> bool:
        if self.last is None:
            return False
        falling = (order.side is Side.SELL) == (order.type in {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
        return self.last <= order.stop_price if falling else self.last >= order.stop_price

    def _fire_stops(self) -> None:
        """Sends stops in, one by one: what one of them trades may set off the next."""
        while self._stops:
            fired = next((stop for stop in self._stops.values() if self._triggered(stop)), None)
            if fired is None:
                return
            del self._stops[fired.id]
            fired.working = True
            fired.updated = self._now()
            self._clearing.relock(fired, self.spec)
            self._report(fired, Execution.NEW)
            self._enter(fired)

    # -- the house
    def house_order(self, side: Side, qty: Decimal, price: Decimal, tif: TimeInForce) -> Order:
        """Sends an order of the house in (price 0: a market order)."""
        kind = OrderType.LIMIT if price else OrderType.MARKET
        request = OrderRequest(self.spec.symbol, side, kind, qty=qty, price=price, tif=tif, client_id=HOUSE)
        order = self._draft(HOUSE, request, SelfTrade.NONE)
        self.place(order)
        return order

    def house_print(self, side: Side, price: Decimal, qty: Decimal) -> None:
        """Takes what the book gives at `price` or better and prints the rest at `price`, as the record has it."""
        order = self.house_order(side, qty, price, TimeInForce.IOC)
        left = remaining(order)
        if left:
            self._trade_ids += 1
            orders = (order.id, 0) if side is Side.BUY else (0, order.id)
            self._print(price, left, buyer_maker=side is Side.SELL, orders=orders)
            self._fire_stops()

    def house_drop(self, side: Side, levels: dict[Decimal, Decimal]) -> None:
        """Cancels those orders of the house on one side that are more than `levels` (price: quantity) have."""
        for order in [order for order in self.book.side(side).orders() if order.account == HOUSE]:
            left = sub(levels.get(order.price, ZERO), remaining(order))
            if left < ZERO:
                self.cancel(order)
            else:
                levels[order.price] = left

    def house_fill(self, side: Side, levels: dict[Decimal, Decimal]) -> None:
        """Adds what the house lacks on one side to have `levels` resting."""
        self.house_drop(side, levels)
        for price, qty in levels.items():
            if qty:
                self.house_order(side, qty, price, TimeInForce.GTC)

    # -- telling
    def _report(
        self,
        order: Order,
        execution: Execution,
        request_id: str = "",
        reference: str = "",
        trade: Trade | None = None,
    ) -> None:
        if order.account != HOUSE:
            who = request_id or order.client_id
            self._emit(OrderEvent(self._now(), order.account, replace(order), execution, who, reference, trade))

    def _tell_balances(self, order: Order, *more: str) -> None:
        self._clearing.tell_balances(order.account, (self.spec.base, self.spec.quote, *more))

    def _level_changed(self, side: Side, price: Decimal, total: Decimal) -> None:
        self.updates += 1
        self._emit(BookChange(self._now(), self.spec.symbol, self.updates, side, price, total))
