"""The risk gate: nothing reaches execution by another way."""

from collections.abc import Callable, Container, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, cast

import msgspec

from tradingd.domain.enums import ActionKind, Direction, HaltScope, HaltState, OrderStatus, OrderType, Side
from tradingd.domain.events import (
    Bar,
    CancelRequest,
    CorporateAction,
    EventType,
    HaltRequest,
    MarginCall,
    MarketEvent,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    ProtectRequest,
    Signal,
    StrategyFaulted,
    VenueStatus,
)
from tradingd.domain.money import ZERO, DecimalLike, PriceLike, to_decimal, to_price
from tradingd.domain.ports import Emit, InstrumentLookup, PortfolioView, Stage
from tradingd.domain.prices import PriceBoard
from tradingd.domain.venue import Venues
from tradingd.errors import AccountingError, MoneyError
from tradingd.risk.changes import ChangeDesk
from tradingd.risk.children import ChildDesk
from tradingd.risk.exposure import ExposureBook, Reservation
from tradingd.risk.gate import RETRY_NS, Gate
from tradingd.risk.halting import Halting
from tradingd.risk.halts import ACCOUNT_KEY, HaltBoard
from tradingd.risk.interest import RiskInterest
from tradingd.risk.limits.base import DAY_NS, Limit, Monitor, Proposal, RiskContext
from tradingd.risk.protection import Protection
from tradingd.risk.requests import RequestDesk
from tradingd.risk.signals import SignalDesk
from tradingd.risk.sizing import PositionSizer
from tradingd.risk.targets import OrderDetails, SignalSizing

__all__ = ["Decision", "RiskManager"]

_WRONG = ("CONTRADICTION", "OVERFILL")
"""What execution tells of orders, or of groups of them, that nobody may trade on: the reasons begin so."""
_MARKET = (EventType.BAR, EventType.QUOTE, EventType.TRADE, EventType.BOOK)


class Decision(msgspec.Struct, frozen=True):
    """What the gate says of an order; true when it may pass."""

    approved: bool
    code: str = ""
    detail: str = ""

    def __bool__(self) -> bool:
        return self.approved


class RiskManager:
    """Sizes signals, checks every order against the limits, reserves what it approves, and keeps the halts.

    Works alone: `RiskManager(portfolio=..., position_sizer=..., risk_limits=[...])` with
    `calculate_order_details` and `evaluate_trade`.

    Inside, one `Gate` judges and approves; `SignalDesk` and `RequestDesk` bring it what strategies ask for,
    `ChildDesk` the orders that wait for others' fills, and `Protection` the stops it keeps for strategies;
    `Halting` does what halts demand. This class takes the events and keeps the order in which they count.

    `venues` tells what the venues can do of themselves; everything unless told.
    """

    stage: ClassVar[Stage] = Stage.RISK
    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {
            EventType.SIGNAL,
            EventType.ORDER_REQUEST,
            EventType.CANCEL_REQUEST,
            EventType.MODIFY_REQUEST,
            EventType.PROTECT_REQUEST,
            EventType.ORDER_UPDATE,
            EventType.POSITION,
            EventType.FAULT,
            EventType.MARGIN_CALL,
            EventType.VENUE_STATUS,
            EventType.HALT_REQUEST,
            EventType.CORPORATE_ACTION,
            *_MARKET,
        }
    )

    def __init__(
        self,
        *,
        portfolio: PortfolioView,
        position_sizer: PositionSizer,
        risk_limits: Sequence[Limit] = (),
        instruments: InstrumentLookup | None = None,
        prices: PriceBoard | None = None,
        emit: Emit | None = None,
        allow_short: bool = True,
        venues: Venues | None = None,
    ) -> None:
        self.portfolio = portfolio
        self.limits = tuple(risk_limits)
        self._gate = Gate(
            portfolio=portfolio,
            limits=self.limits,
            instruments=instruments,
            prices=prices if prices is not None else PriceBoard(),
            emit=emit or _nowhere,
            venues=venues,
        )
        self._sizing = SignalSizing(position_sizer, portfolio, allow_short=allow_short)
        self._context = self._gate.context
        self._in_old_shares: tuple[Reservation, ...] = ()
        self._halts = self._gate.halts
        self._plans: dict[tuple[str, str], Signal] = {}
        plans = self._plans
        changes = ChangeDesk(self._gate)
        self._children = ChildDesk(self._gate, changes)
        self._protection = Protection(self._gate, changes, plans, close=self._close, halt=self.halt)
        self._signals = SignalDesk(self._gate, self._sizing, plans, self._children, self._protection)
        self._requests = RequestDesk(self._gate, changes, self._children, plans)
        self._halting = Halting(self._gate, self._sizing, self._signals)
        self._monitors = [cast("Monitor", limit) for limit in risk_limits if hasattr(limit, "watch")]
        self._watch_equity = all(getattr(limit, "watches_equity", False) for limit in self._monitors)
        self._watched: Decimal | None = None
        """The equity that the limits were last asked about, and when they are to be asked again all the same."""
        self._watch_again = 0
        self._bar_sizer: Any = position_sizer if getattr(position_sizer, "wants_bars", False) else None

    @property
    def book(self) -> ExposureBook:
        """Reservations and what they could lead to; read only."""
        return self._gate.book

    @property
    def halts(self) -> HaltBoard:
        """The halts in force; raise and lift them with `halt` and `resume`."""
        return self._gate.halts

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        return {
            EventType.SIGNAL: self.on_signal,
            EventType.ORDER_REQUEST: self.on_order_request,
            EventType.CANCEL_REQUEST: self.on_cancel_request,
            EventType.MODIFY_REQUEST: self.on_modify_request,
            EventType.PROTECT_REQUEST: self.on_protect_request,
            EventType.ORDER_UPDATE: self.on_order_update,
            EventType.POSITION: self.on_position,
            EventType.FAULT: self.on_fault,
            EventType.MARGIN_CALL: self.on_margin_call,
            EventType.VENUE_STATUS: self.on_venue_status,
            EventType.HALT_REQUEST: self.on_halt_request,
            EventType.CORPORATE_ACTION: self.on_corporate_action,
            **dict.fromkeys(_MARKET, self.on_market_data),
        }

    # --- to be asked ---------------------------------------------------------------------------------------

    def calculate_order_details(
        self, symbol: str, direction: Direction | str, price: PriceLike, signal_event: Signal | None = None
    ) -> OrderDetails:
        """What a signal would become now, before the limits; quantity 0 and a reason when nothing is to be done.

        `signal_event` adds the strategy whose position counts, a strength and a limit price.

        Raises:
            UsageError: the direction is none.
            MoneyError: the price is not a finite number.
            KeyError: the symbol is not configured.

        """
        instrument = self.book.instrument(symbol)
        return self._sizing.details(instrument, Direction.parse(direction), to_price(price), signal_event)

    def evaluate_trade(
        self, symbol: str, direction: Direction | Side | str, quantity: DecimalLike, price: PriceLike
    ) -> Decision:
        """Whether a market order of `quantity` would pass halts and limits now; it reserves nothing.

        Raises:
            UsageError: the direction is none.
            MoneyError: the quantity is a float, or a number is not finite.

        """
        wanted, amount, reference = Direction.parse(direction), to_decimal(quantity), to_price(price)
        if not self.book.knows(symbol):
            return Decision(False, "UNKNOWN_INSTRUMENT", f"{symbol!r} is not configured")
        if amount <= 0 or reference <= 0:
            return Decision(False, "INVALID_NUMBER", f"{amount} at {reference}: both must be greater than 0")
        held = self.portfolio.get_position(symbol).quantity
        if wanted is Direction.FLAT and not held:
            return Decision(False, "ALREADY_FLAT", "there is nothing to close")
        sells = wanted is Direction.SHORT or (wanted is Direction.FLAT and held > ZERO)
        side = Side.SELL if sells else Side.BUY
        denied = self._gate.judge(
            Proposal(
                ts=self._gate.now,
                strategy_id="",
                intent_id="",
                instrument=self.book.instrument(symbol),
                side=side,
                quantity=amount,
                order_type=OrderType.MARKET,
                reference=reference,
                reduces=self.book.reduces(symbol, side, amount),
            )
        )
        return Decision(approved=True) if denied is None else Decision(False, denied.code, denied.detail)

    # --- what strategies ask -------------------------------------------------------------------------------

    def on_signal(self, signal: Signal) -> None:
        """Size a signal and send the order, now or when the strategy's working orders are out of the way."""
        self._gate.advance(signal.ts)
        self._signals.on_signal(signal)

    def on_order_request(self, request: OrderRequest) -> None:
        """Check an explicit order and pass it on unchanged, or deny it."""
        self._gate.advance(request.ts)
        self._requests.on_order_request(request)

    def on_cancel_request(self, request: CancelRequest) -> None:
        """Pass a cancel on; it releases nothing. One that comes after the order's end has nothing to do."""
        self._gate.advance(request.ts)
        if self._children.on_cancel_request(request) or self._protection.on_cancel_request(request):
            return
        reservation = self.book.get(request.intent_id)
        if reservation is None:
            self._signals.on_cancel_request(request)
            self._protection.keep_all()  # what waited for a signal that was taken back
        elif reservation.strategy_id == request.strategy_id:
            self._gate.pass_cancel(reservation, "requested")

    def on_modify_request(self, request: ModifyRequest) -> None:
        """Check what an order would become and pass the change on, or tell why it stays as it is."""
        self._gate.advance(request.ts)
        self._requests.on_modify_request(request)

    def on_protect_request(self, request: ProtectRequest) -> None:
        """Keep a protective stop as large as what the strategy holds, from now on, or no longer."""
        self._gate.advance(request.ts)
        self._protection.on_request(request)

    # --- what happens to orders ----------------------------------------------------------------------------

    def on_order_update(self, update: OrderUpdate) -> None:
        """Follow an order's state; release what is provably over."""
        self._gate.advance(update.ts)
        released = self._gate.book.on_order_update(update)
        reason = update.reason
        if update.filled > update.quantity and update.order_id:
            over = f"OVERFILL: {update.filled} of {update.quantity} ({update.intent_id})"
            self.halt(HaltScope.INSTRUMENT, update.symbol, HaltState.NO_NEW, over)
        elif reason and update.symbol and reason.startswith(_WRONG):
            self.halt(HaltScope.INSTRUMENT, update.symbol, HaltState.NO_NEW, reason)
        if update.order_id and not (reason and reason.startswith("MODIFY_DENIED")):
            if self._children.active:
                self._children.on_order_update(update)
            if self._protection.active and released is None:
                self._protection.on_order_update(update)
        if self._plans and update.status is OrderStatus.OPEN:  # perhaps a refused cancel: nobody else asks again
            self._protection.due = min(self._protection.due, self._gate.now + RETRY_NS)
        self._after(released)

    def on_position(self, update: PositionUpdate) -> None:
        """A fill has been booked: its part of the reservation has become position."""
        self._gate.advance(update.ts)
        released = self.book.on_position(update)
        if self._children.active:
            self._children.on_booked(update.fill.intent_id, update.symbol)
        self._after(released)
        if self._protection.active:
            self._protection.keep(update.strategy_id, update.symbol)

    def on_fault(self, fault: StrategyFaulted) -> None:
        """A strategy is out of order: its entries end, working ones too; its protective orders stay."""
        self._gate.advance(fault.ts)
        self.halt(HaltScope.STRATEGY, fault.strategy_id, HaltState.REDUCE_ONLY, f"FAULTED: {fault.error}")

    def on_margin_call(self, call: MarginCall) -> None:
        """A venue has called for margin: nothing may grow any more until an operator resumes."""
        self._gate.advance(call.ts)
        what = f"equity {call.equity} {call.currency}, maintenance margin {call.required}"
        self.halt(HaltScope.ACCOUNT, ACCOUNT_KEY, HaltState.NO_NEW, f"MARGIN_CALL: {call.venue}: {what}")

    def on_venue_status(self, status: VenueStatus) -> None:
        """A venue's condition: nothing that grows a position goes to one that is not ready."""
        self._gate.advance(status.ts)
        self._gate.conditions[status.venue] = status

    def on_halt_request(self, request: HaltRequest) -> None:
        """A component found something that nobody may trade on."""
        self._gate.advance(request.ts)
        self.halt(request.scope, request.key, request.state, request.reason)

    def before_action(self, action: CorporateAction) -> None:
        """Note the orders that a split ends, and want protection, and what waits, in new shares."""
        if action.kind is ActionKind.SPLIT:
            self._in_old_shares = tuple(self.book.working(action.symbol))
            self._protection.restate(action)
            self._signals.restate(action)

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Cancel what the venue has not: orders in old shares that execution holds, or that are under way."""
        self._gate.advance(action.ts)
        old, self._in_old_shares = self._in_old_shares, ()
        for reservation in old:
            if self.book.get(reservation.intent_id) is reservation:
                self._gate.pass_cancel(reservation, "SPLIT")

    def market_interest(self) -> Container[str] | None:
        """All symbols where a limit watches or the sizer follows bars; else none, but while there is work to do.

        That is while a halt is in force, or a stop or cancel that was refused is to be tried again.
        """
        return (
            None if self._monitors or self._bar_sizer is not None else RiskInterest(self._halts, self._protection)
        )

    def on_market_data(self, event: MarketEvent) -> None:
        """Let the sizer and the watching limits see the market; do what halts still demand."""
        context = self._context
        if event.ts > context.now:  # noqa: PLR1730 - at every event, and a call of max() costs five times this
            context.now = event.ts
        if self._bar_sizer is not None and type(event) is Bar:
            self._bar_sizer.on_bar(event)
        if self._monitors:
            self._watch(context)
        if self._halts:
            self._halting.enforce()
        if event.ts >= self._protection.due:
            self._protection.retry()
            self._signals.remind()

    def _watch(self, context: RiskContext) -> None:
        """Ask the watching limits; those that only look at equity have nothing to say while it stays as it is."""
        if self._watch_equity:
            try:
                equity = self.portfolio.get_equity()
            except (AccountingError, MoneyError):
                return  # until it can be told, the same limits' `check` denies entries
            if equity is self._watched and context.now < self._watch_again:
                return
            self._watched = equity
            self._watch_again = (context.now // DAY_NS + 1) * DAY_NS
        for monitor in self._monitors:
            try:
                demand = monitor.watch(context)
            except (AccountingError, MoneyError):
                continue  # as above
            if demand is not None:
                self.halt(HaltScope.ACCOUNT, ACCOUNT_KEY, demand.state, demand.reason)

    def _after(self, released: Reservation | None) -> None:
        """An order is over: go on with what waited for it."""
        if released is None:
            return
        if self._children.active:
            self._children.on_parent(released.intent_id)
        if self._protection.active:
            self._protection.on_over(released)
        if not self.book.working(released.symbol, released.strategy_id):
            self._signals.on_cleared(released.strategy_id, released.symbol)
            if self._halts:
                self._halting.flatten()
        if self._protection.active:
            self._protection.keep(released.strategy_id, released.symbol)

    def _close(self, signal: Signal) -> None:
        """Close a position that cannot be protected."""
        self._signals.on_signal(signal)

    # --- halts ---------------------------------------------------------------------------------------------

    def halt(self, scope: HaltScope, key: str, state: HaltState, reason: str) -> None:
        """Raise a halt and do at once what it demands; a lower state than the present changes nothing."""
        if self._halting.halt(scope, key, state, reason):
            self._children.on_halt()
            self._protection.keep_all()  # what waited for a signal that the halt has ended

    def resume(self, scope: HaltScope, key: str, *, operator: str, reason: str) -> None:
        """Lift a halt, signed by an operator and with a reason."""
        self._halting.resume(scope, key, operator=operator, reason=reason)
        self._watched = None  # what the limits demanded, they may demand again
        self._protection.keep_all()


def _nowhere(event: object) -> None:
    """Where a gate that is used alone tells its events."""
