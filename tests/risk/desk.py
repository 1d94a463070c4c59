"""A risk gate with a real portfolio around it; the test plays strategies, execution and the venue."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side
from tradingd.domain.events import (
    ApprovedOrder,
    Bar,
    CancelCommand,
    CancelRequest,
    Event,
    HaltChanged,
    ModifyCommand,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    ProtectRequest,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import DecimalLike, to_decimal
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.domain.venue import Venues
from tradingd.portfolio.manager import PortfolioManager
from tradingd.risk.limits import Limit
from tradingd.risk.manager import RiskManager
from tradingd.risk.sizing import FixedQuantitySizer, PositionSizer
from tradingd.testing import EventLog, at, make_bar, make_fill, make_signal

LONG, SHORT, FLAT = Direction.LONG, Direction.SHORT, Direction.FLAT
BUY, SELL = Side.BUY, Side.SELL


class Desk:
    """Risk, portfolio and prices. What risk emits is in `log`; `react` may handle it synchronously."""

    def __init__(
        self,
        *limits: Limit,
        sizer: PositionSizer | None = None,
        cash: DecimalLike = 100_000,
        allow_short: bool = True,
        instruments: Sequence[Instrument] | None = None,
        price: float | None = 100.0,
        venues: Venues | None = None,
    ) -> None:
        self.log = EventLog()
        self.react: Callable[[Event], None] | None = None
        self.prices = PriceBoard()
        known: Mapping[str, Instrument] | None = None
        if instruments is not None:
            known = {instrument.symbol: instrument for instrument in instruments}
        self.bookings: list[PositionUpdate] = []
        self.portfolio = PortfolioManager(cash, instruments=known, prices=self.prices, emit=self._booked)
        self.risk = RiskManager(
            portfolio=self.portfolio,
            position_sizer=sizer or FixedQuantitySizer(10, known),
            risk_limits=limits,
            instruments=known,
            prices=self.prices,
            emit=self._emit,
            allow_short=allow_short,
            venues=venues,
        )
        self._intents = 0
        if price is not None:
            self.market(price)

    def _emit(self, event: Event) -> None:
        self.log(event)
        if self.react is not None:
            self.react(event)

    def _booked(self, event: Event) -> None:
        if isinstance(event, PositionUpdate):
            self.bookings.append(event)

    # --- the market and the books ----------------------------------------------------------------------------

    def market(self, close: float, *, symbol: str = "AAPL", minute: float = 0, **fields: Any) -> Bar:
        """A bar that closes at `at(minute)`, seen by prices, portfolio and risk."""
        bar = make_bar(close, symbol=symbol, minute=minute - 1, **fields)
        self.prices.update(bar)
        self.portfolio.on_market_data(bar)
        self.risk.on_market_data(bar)
        return bar

    def hold(
        self, quantity: int | str, price: DecimalLike = 100, *, strategy: str = "s", symbol: str = "AAPL"
    ) -> None:
        """Change the portfolio directly: risk hears nothing of it."""
        amount = Decimal(quantity)
        fields = {"symbol": symbol, "strategy_id": strategy}
        self.portfolio.on_fill(make_fill(BUY if amount > 0 else SELL, abs(amount), price, **fields))
        self.bookings.clear()

    # --- strategies ------------------------------------------------------------------------------------------

    def signal(self, direction: Direction, price: float = 100.0, **fields: Any) -> str:
        """Send a signal; returns why it was denied, "" when it was not."""
        self._intents += 1
        signal = make_signal(direction, price, **{"intent_id": f"s:{self._intents}", **fields})
        self.risk.on_signal(signal)
        return self.denial(signal.intent_id)

    def order(
        self,
        side: Side,
        quantity: DecimalLike,
        intent: str = "",
        *,
        strategy: str = "s",
        symbol: str = "AAPL",
        limit: DecimalLike | None = None,
        stop: DecimalLike | None = None,
        minute: float = 0,
        kind: OrderType | None = None,
        oco: str = "",
        parent: str = "",
        trail: Trail | None = None,
        **fields: Any,
    ) -> str:
        """Request an order; returns why it was denied, "" when it was not."""
        self._intents += 1
        if kind is None:
            by_price = OrderType.LIMIT if limit is not None else OrderType.STOP
            kind = OrderType.MARKET if limit is None and stop is None else by_price
        if oco or parent or trail:
            fields["terms"] = OrderTerms(oco=oco, parent=parent, trail=trail)
        request = OrderRequest(
            ts=at(minute),
            strategy_id=strategy,
            intent_id=intent or f"o:{self._intents}",
            symbol=symbol,
            side=side,
            quantity=to_decimal(quantity),
            order_type=kind,
            limit_price=None if limit is None else to_decimal(limit),
            stop_price=None if stop is None else to_decimal(stop),
            **fields,
        )
        seen = len(self.log.events)
        self.risk.on_order_request(request)
        return self.denial(request.intent_id, self.log.events[seen:])

    def modify(
        self,
        intent: str,
        quantity: DecimalLike | None = None,
        *,
        limit: DecimalLike | None = None,
        stop: DecimalLike | None = None,
        strategy: str = "s",
    ) -> str:
        """Ask for a change; returns why it was denied, "" when it was not."""
        quantity, limit, stop = (None if each is None else to_decimal(each) for each in (quantity, limit, stop))
        seen = len(self.log.events)
        self.risk.on_modify_request(ModifyRequest(at(0), strategy, intent, quantity, limit, stop))
        told = [event.reason for event in self.log.events[seen:] if isinstance(event, OrderUpdate)]
        return told[-1] if told else ""

    def protect(self, intent: str = "guard", *, strategy: str = "s", symbol: str = "AAPL", **wanted: Any) -> str:
        """Ask for protection; returns why it was denied, "" when it was not."""
        for name in ("stop", "target"):
            if wanted.get(name) is not None:
                wanted[name] = to_decimal(wanted[name])
        seen = len(self.log.events)
        self.risk.on_protect_request(ProtectRequest(at(0), strategy, intent, symbol, **wanted))
        return self.denial(intent, self.log.events[seen:])

    def cancel(self, intent: str, strategy: str = "s") -> None:
        """Ask for a cancel."""
        self.risk.on_cancel_request(CancelRequest(at(0), strategy, intent))

    # --- execution and the venue -----------------------------------------------------------------------------

    def update(
        self,
        intent: str,
        status: OrderStatus = OrderStatus.OPEN,
        filled: DecimalLike = 0,
        *,
        minute: float = 0,
        **changes: Any,
    ) -> None:
        """Execution tells of an order; what is not given is as it was last told, or approved."""
        order = self.approved(intent)
        reservation = self.risk.book.get(intent)
        last: Any = reservation.latest if reservation is not None and reservation.latest is not None else order
        fields = {
            "quantity": last.quantity,
            "limit_price": last.limit_price,
            "stop_price": last.stop_price,
            "reason": "",
        }
        self.risk.on_order_update(
            OrderUpdate(
                ts=at(minute),
                strategy_id=order.strategy_id,
                intent_id=intent,
                order_id=f"t-{intent}",
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                filled=to_decimal(filled),
                status=status,
                **{**fields, **changes},
            )
        )

    def trade(self, intent: str, quantity: DecimalLike, price: DecimalLike = 100) -> PositionUpdate:
        """The portfolio books a fill; risk does not hear of it yet."""
        order = self.approved(intent)
        self.portfolio.on_fill(
            make_fill(
                order.side,
                quantity,
                price,
                symbol=order.symbol,
                strategy_id=order.strategy_id,
                intent_id=intent,
                order_id=f"t-{intent}",
            )
        )
        return self.bookings.pop()

    def booked(self, intent: str, quantity: DecimalLike, price: DecimalLike = 100) -> None:
        """The portfolio books a fill and risk hears of it."""
        self.risk.on_position(self.trade(intent, quantity, price))

    def filled(self, intent: str, price: DecimalLike = 100) -> None:
        """The order fills in full, is booked and told."""
        quantity = self.approved(intent).quantity
        self.booked(intent, quantity, price)
        self.update(intent, OrderStatus.FILLED, quantity)

    # --- what came of it -------------------------------------------------------------------------------------

    def approved(self, intent: str) -> ApprovedOrder:
        """The approved order of an intent."""
        return next(order for order in self.log.of(ApprovedOrder) if order.intent_id == intent)

    @property
    def orders(self) -> list[ApprovedOrder]:
        """The approved orders."""
        return self.log.of(ApprovedOrder)

    @property
    def last(self) -> tuple[Side, Decimal]:
        """Side and quantity of the latest approved order."""
        order = self.log.last(ApprovedOrder)
        return order.side, order.quantity

    @property
    def cancels(self) -> list[str]:
        """The intents whose cancel was passed on."""
        return [command.intent_id for command in self.log.of(CancelCommand)]

    @property
    def changes(self) -> list[ModifyCommand]:
        """The changes that were passed on."""
        return self.log.of(ModifyCommand)

    @property
    def halts(self) -> list[tuple[str, str, str]]:
        """Scope, key and state of the halts told."""
        return [(halt.scope.value, halt.key, halt.state.name) for halt in self.log.of(HaltChanged)]

    def denial(self, intent: str, events: Sequence[Event] | None = None) -> str:
        """Why an intent was denied, "" when it was not."""
        for event in reversed(self.log.events if events is None else events):
            if isinstance(event, OrderUpdate) and event.intent_id == intent and event.status is OrderStatus.DENIED:
                return event.reason
        return ""

    def told(self, intent: str) -> list[tuple[str, str]]:
        """Status and the reason's code of what risk itself told of an intent."""
        return [
            (update.status.value, code(update.reason))
            for update in self.log.of(OrderUpdate)
            if update.intent_id == intent
        ]

    def outstanding(self, intent: str) -> Decimal:
        """What an order still counts."""
        reservation = self.risk.book.get(intent)
        return Decimal(0) if reservation is None else reservation.outstanding


def code(reason: str) -> str:
    """The code of a reason."""
    return reason.partition(": ")[0]
