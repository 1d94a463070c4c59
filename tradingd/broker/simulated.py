"""A simulated exchange: fills orders on bars, quotes, trades or books, and refuses as an exchange would."""

from collections.abc import Container
from decimal import Decimal
from typing import Literal

from tradingd.broker.account import AccountType, SimulatedAccount
from tradingd.broker.base import Broker
from tradingd.broker.matching import Match, Phase, match, seen_by
from tradingd.broker.models import FeeModel, SlippageModel, fixed_bps_slippage, maker_taker_fee
from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    Bar,
    BrokerReport,
    MarketEvent,
    ReportKind,
    SubmitOrder,
    TradeReport,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, from_market, magnitude
from tradingd.domain.ports import Clock, Emit, InstrumentLookup
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import PLAIN

__all__ = ["SimulatedBroker"]

_IDS_REMEMBERED = 100_000
"""How many client order ids the exchange recognises as used, as real ones do for a while."""


_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP)
_TIMES = (TimeInForce.GTC, TimeInForce.IOC)


class _Working:
    """A working order as the exchange keeps it."""

    __slots__ = (
        "arrived",
        "fresh",
        "instrument",
        "level",
        "limit_price",
        "order",
        "quantity",
        "stop_price",
    )

    def __init__(self, order: SubmitOrder, instrument: Instrument, arrived: int) -> None:
        self.order = order
        self.instrument = instrument
        self.quantity = order.quantity
        self.reprice(order.limit_price, order.stop_price, arrived)

    @property
    def price(self) -> Decimal | None:
        """The limit or stop price; None of a market order."""
        return self.limit_price if self.limit_price is not None else self.stop_price

    def reprice(self, limit_price: Decimal | None, stop_price: Decimal | None, arrived: int) -> None:
        """Work at these prices from `arrived` (nanoseconds UTC) on, like an order that is new at that time."""
        self.limit_price = limit_price
        self.stop_price = stop_price
        self.arrived = arrived
        self.fresh = True
        self.level = 0.0 if self.price is None else float(self.price)


class SimulatedBroker(Broker):
    """The broker of paper mode and backtests.

    `balances` are the account's opening balances per asset. An order fills in full or not at all; the market
    does not move by it. What it assumes of bars is told in `tradingd.broker.matching`.

    An order may be matched by the first market event *after* it arrived: what a strategy decides at a bar's
    close fills at the next bar's open, and never inside the bar that it has already seen. Of a bar that was being
    made when the order arrived (another symbol's event or a timer led to it), only the close counts.

    IOC: a market or limit order that the first such event does not fill as a taker expires; a stop order's first
    opportunity is its trigger. A changed price makes an order new; a changed quantity alone does not.
    """

    def __init__(
        self,
        *,
        emit: Emit,
        clock: Clock,
        instruments: InstrumentLookup,
        balances: dict[str, Decimal],
        venue: str = "SIM",
        account_type: AccountType = AccountType.CASH,
        leverage: Decimal = ONE,
        fee_model: FeeModel | None = None,
        slippage: SlippageModel | None = None,
        limit_fill: Literal["through", "touch"] = "through",
        prices: PriceBoard | None = None,
    ) -> None:
        super().__init__(venue)
        self.account = SimulatedAccount(balances, account_type=account_type, leverage=leverage)
        self._emit = emit
        self._clock = clock
        self._instruments = instruments
        self._fee = fee_model or maker_taker_fee(ZERO, ZERO)
        self._slip = slippage or fixed_bps_slippage(ZERO)
        self._touch = limit_fill == "touch"
        self._own_prices = prices is None
        self._prices = prices if prices is not None else PriceBoard()
        self._working: dict[str, dict[str, _Working]] = {}
        self._symbol_of: dict[str, str] = {}
        self._used_ids: dict[str, None] = {}
        self._trades = 0
        self._accepted = 0

    # --- orders ------------------------------------------------------------------------------------------

    def place_order(self, order: SubmitOrder) -> None:
        """Accept an order into the book, or refuse it."""
        refusal = self._refusal(order)
        if refusal:
            self._report(order.order_id, ReportKind.REJECTED, reason=refusal)
            return
        working = _Working(order, self._instruments[order.symbol], self._clock.now())
        self._accepted += 1
        self._symbol_of[order.order_id] = order.symbol
        self._used_ids[order.order_id] = None
        if len(self._used_ids) > _IDS_REMEMBERED:
            del self._used_ids[next(iter(self._used_ids))]
        self._working.setdefault(order.symbol, {})[order.order_id] = working
        self._lock(working)
        self._report(order.order_id, ReportKind.ACCEPTED, exchange_order_id=f"{self.venue}-{self._accepted}")

    def cancel_order(self, order_id: str) -> None:
        """Take an order out of the book; CANCEL_REJECTED when it is not there."""
        if self._remove(order_id) is None:
            self._report(order_id, ReportKind.CANCEL_REJECTED, reason="UNKNOWN_ORDER: not in the book")
        else:
            self._report(order_id, ReportKind.CANCELED)

    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> None:
        """Change a working order, or tell with MODIFY_REJECTED why it stays as it is."""
        working = self._working.get(self._symbol_of.get(order_id, ""), {}).get(order_id)
        if working is None:
            self._report(order_id, ReportKind.MODIFY_REJECTED, reason="UNKNOWN_ORDER: not in the book")
            return
        refusal = self._modify_refusal(working, quantity, limit_price, stop_price)
        if refusal:
            self._report(order_id, ReportKind.MODIFY_REJECTED, reason=refusal)
            return
        working.quantity = working.quantity if quantity is None else quantity
        new_limit = working.limit_price if limit_price is None else limit_price
        new_stop = working.stop_price if stop_price is None else stop_price
        if (new_limit, new_stop) != (working.limit_price, working.stop_price):
            working.reprice(new_limit, new_stop, self._clock.now())
        self._lock(working)
        self._emit(
            BrokerReport(
                self._clock.now(),
                self.venue,
                order_id,
                ReportKind.MODIFIED,
                quantity=working.quantity,
                limit_price=working.limit_price,
                stop_price=working.stop_price,
            )
        )

    def _modify_refusal(
        self, working: _Working, quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None
    ) -> str:
        order = working.order
        if (limit is not None and order.limit_price is None) or (stop is not None and order.stop_price is None):
            return f"WRONG_PRICE: a {order.order_type} order has no such price"
        price = limit if limit is not None else stop
        new_price = working.price if price is None else price
        new_quantity = working.quantity if quantity is None else quantity
        violation = working.instrument.violation(new_quantity, new_price, self._mark(order.symbol))
        if violation:
            return violation
        held = self.account.unlock(order.order_id)
        refusal = self._funds_refusal(order, working.instrument, new_quantity, new_price)
        if held:
            self.account.lock(order.order_id, held)
        return refusal

    def _refusal(self, order: SubmitOrder) -> str:
        """Why an exchange would refuse the order; empty when it would take it."""
        return _unsupported(order) or self._own_refusal(order)

    def _own_refusal(self, order: SubmitOrder) -> str:
        if not self.takes(order.symbol) or order.symbol not in self._instruments:
            return f"UNKNOWN_SYMBOL: {order.symbol} is not traded at {self.venue}"
        if order.order_id in self._used_ids or order.order_id in self._symbol_of:
            return f"DUPLICATE_ORDER_ID: {order.order_id} has been used"
        if not order.order_type.prices_fit(order.limit_price, order.stop_price):
            return f"WRONG_PRICE: a {order.order_type} order cannot have these prices"
        instrument = self._instruments[order.symbol]
        price = order.limit_price if order.limit_price is not None else order.stop_price
        violation = instrument.violation(order.quantity, price, self._mark(order.symbol))
        if violation:
            return violation
        if order.reduce_only and not self._reducible(order, instrument):
            return "REDUCE_ONLY: there is no position to reduce"
        return self._funds_refusal(order, instrument, order.quantity, price)

    def _reducible(self, order: SubmitOrder, instrument: Instrument) -> Decimal:
        """How much of a position the order could reduce."""
        held = self.account.position(instrument).quantity
        return magnitude(held) if held and (held > 0) != (order.side is Side.BUY) else ZERO

    def _funds_refusal(
        self, order: SubmitOrder, instrument: Instrument, quantity: Decimal, price: Decimal | None
    ) -> str:
        if order.reduce_only:
            return ""  # clamped to the position when it fills, so it can only free funds
        reference = price if price is not None else self._mark(order.symbol)
        if reference is None:
            return f"NO_PRICE: {order.symbol} has not traded yet"
        fees = self._fee(instrument, quantity, reference, Liquidity.TAKER)
        return self.account.refusal(instrument, order.side, quantity, reference, fees, self._mark)

    def _lock(self, working: _Working) -> None:
        """Hold what the order would take if it filled at its price (a market order: at the latest) as a taker."""
        order, instrument = working.order, working.instrument
        reference = working.price if working.price is not None else self._mark(order.symbol)
        if not self.account.holds_funds or order.reduce_only or reference is None:
            return
        fees = self._fee(instrument, working.quantity, reference, Liquidity.TAKER)
        needed = self.account.needs(instrument, order.side, working.quantity, reference, fees)
        self.account.lock(order.order_id, needed)

    def _remove(self, order_id: str) -> _Working | None:
        book = self._working.get(self._symbol_of.pop(order_id, ""), {})
        working = book.pop(order_id, None)
        if working is not None:
            self.account.unlock(order_id)
            if not book:
                del self._working[working.order.symbol]
        return working

    def _mark(self, symbol: str) -> Decimal | None:
        """The latest price; None before the first and while there is none (an empty book)."""
        price = self._prices.exact(symbol)
        return price if price is not None and price > 0 else None

    # --- market data ---------------------------------------------------------------------------------------

    def market_interest(self) -> Container[str] | None:
        """The symbols with working orders, a live view; all symbols where it keeps the prices itself."""
        return None if self._own_prices else self._working

    def on_market_data(self, data: MarketEvent) -> None:
        """Match the working orders of the event's symbol, in the order that is worst for us."""
        if not self.takes(data.symbol):
            return
        if self._own_prices:
            self._prices.update(data)
        book = self._working.get(data.symbol)
        if book:
            self._match_book(tuple(book.values()), data)

    def _match_book(self, orders: tuple[_Working, ...], event: MarketEvent) -> None:
        matched: list[tuple[Match, _Working, MarketEvent]] = []
        for working in orders:
            seen = seen_by(working.arrived, event, working.order.side)
            if seen is None:
                continue
            found = self._match(working, seen)
            working.fresh = False
            if found is not None:
                matched.append((found, working, seen))
            elif working.order.time_in_force is TimeInForce.IOC and working.stop_price is None:
                self._remove(working.order.order_id)
                self._report(working.order.order_id, ReportKind.EXPIRED, reason="IOC: not filled at once")
        if len(matched) > 1:
            matched.sort(key=_by_phase)
        for found, working, seen in matched:
            self._fill(working, found, seen)

    def _match(self, working: _Working, event: MarketEvent) -> Match | None:
        order = working.order
        found = match(order.order_type, order.side, working.level, event, fresh=working.fresh, touch=self._touch)
        rests = found is not None and found.liquidity is Liquidity.MAKER
        return None if rests and order.time_in_force is TimeInForce.IOC else found

    def _fill(self, working: _Working, found: Match, event: MarketEvent) -> None:
        order, instrument = working.order, working.instrument
        if self._remove(order.order_id) is None:
            return  # an earlier fill's report led to its cancel
        quantity = self._reducing(working) if order.reduce_only else working.quantity
        if not quantity:
            self._report(order.order_id, ReportKind.CANCELED, reason="REDUCE_ONLY: nothing left to reduce")
            return
        price = self._price(working, found)
        refusal = self._fill_refusal(working, quantity, price, found.liquidity)
        if refusal:
            self._report(order.order_id, ReportKind.CANCELED, reason=refusal)
            return
        fees = self._fee(instrument, quantity, price, found.liquidity)
        self.account.settle(instrument, order.side, quantity, price, fees)
        self._trades += 1
        ts = event.ts_open if found.phase is Phase.OPEN and isinstance(event, Bar) else event.ts
        self._emit(
            TradeReport(
                ts,
                self.venue,
                order.order_id,
                f"{self.venue}-T{self._trades}",
                order.symbol,
                order.side,
                quantity,
                price,
                fees,
                found.liquidity,
            )
        )
        if quantity < working.quantity:
            self._report(order.order_id, ReportKind.CANCELED, reason="REDUCE_ONLY: nothing left to reduce")

    def _reducing(self, working: _Working) -> Decimal:
        """How much of a reduce-only order may fill: whole lots, no more than the position, none that is locked."""
        order, instrument = working.order, working.instrument
        quantity = min(working.quantity, self._reducible(order, instrument))
        if self.account.holds_funds and order.side is Side.SELL and not instrument.kind.is_contract:
            quantity = min(quantity, max(ZERO, self.account.free(instrument.base)))
        return instrument.floor_quantity(quantity)

    def _fill_refusal(self, working: _Working, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> str:
        """Why a matched order does not fill after all; empty when it does."""
        order, instrument = working.order, working.instrument
        if price <= 0:
            return f"NO_PRICE: the market is below one tick of {instrument.tick}"
        if order.reduce_only:
            return ""
        fees = self._fee(instrument, quantity, price, liquidity)
        return self.account.refusal(instrument, order.side, quantity, price, fees, self._mark)

    def _price(self, working: _Working, found: Match) -> Decimal:
        """The price of a fill: exact at a limit, slipped where there is none."""
        order = working.order
        limit = working.limit_price
        if limit is None:
            return self._slip(working.instrument, order.side, from_market(found.price))
        if found.price == working.level:
            return limit
        price = working.instrument.worse_price(from_market(found.price), order.side)
        return min(price, limit) if order.side is Side.BUY else max(price, limit)

    def _report(self, order_id: str, kind: ReportKind, *, exchange_order_id: str = "", reason: str = "") -> None:
        self._emit(BrokerReport(self._clock.now(), self.venue, order_id, kind, exchange_order_id, reason))


def _unsupported(order: SubmitOrder) -> str:
    if order.order_type not in _TYPES or order.time_in_force not in _TIMES or order.terms is not PLAIN:
        return f"UNSUPPORTED: there is no such {order.order_type} {order.time_in_force} order here"
    return ""


def _by_phase(matched: tuple[Match, _Working, MarketEvent]) -> int:
    return matched[0].phase
