"""The risk gate: nothing reaches execution by another way."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, ClassVar, cast

import msgspec

from tradingd.domain.enums import Direction, HaltScope, HaltState, OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    ApprovedOrder,
    Bar,
    CancelCommand,
    CancelRequest,
    EventType,
    HaltChanged,
    MarketEvent,
    ModifyCommand,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    Signal,
    StrategyFaulted,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, DecimalLike, PriceLike, from_market, sub, to_decimal, to_price
from tradingd.domain.ports import Emit, InstrumentLookup, PortfolioView, Stage
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError
from tradingd.risk.exposure import ExposureBook, Reservation
from tradingd.risk.halts import ACCOUNT_KEY, Halt, HaltBoard
from tradingd.risk.limits.base import Denied, Limit, Monitor, Proposal, RiskContext
from tradingd.risk.sizing import PositionSizer
from tradingd.risk.targets import OrderDetails, SignalSizing

__all__ = ["Decision", "RiskManager"]

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

    A signal that needs this strategy's working orders in that symbol out of the way (an exit, a reversal) first
    cancels them, and acts when the last of them is terminal and its fills are booked; a later signal meanwhile
    takes its place.
    """

    stage: ClassVar[Stage] = Stage.RISK

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
    ) -> None:
        self.portfolio = portfolio
        self.limits = tuple(risk_limits)
        self.halts = HaltBoard()
        self._instruments = instruments
        self._prices = prices if prices is not None else PriceBoard()
        self._emit = emit or _nowhere
        self.book = ExposureBook(portfolio, self._prices, instruments)
        self._context = RiskContext(portfolio, self.book, self._prices)
        self._sizing = SignalSizing(position_sizer, portfolio, allow_short=allow_short)
        self._monitors = [cast("Monitor", limit) for limit in risk_limits if hasattr(limit, "watch")]
        self._counting: list[Any] = [limit for limit in risk_limits if hasattr(limit, "passed")]
        self._bar_sizer: Any = position_sizer if getattr(position_sizer, "wants_bars", False) else None
        self._plans: dict[tuple[str, str], Signal] = {}
        self._unclosable: dict[tuple[str, str], Decimal] = {}
        self._flattened = 0

    @property
    def required_events(self) -> frozenset[EventType]:
        """What this component cannot do without; market data only if a limit or the sizer watches it."""
        needed = {
            EventType.SIGNAL,
            EventType.ORDER_REQUEST,
            EventType.CANCEL_REQUEST,
            EventType.MODIFY_REQUEST,
            EventType.ORDER_UPDATE,
            EventType.POSITION,
            EventType.FAULT,
        }
        return frozenset(needed | set(_MARKET if self._monitors or self._bar_sizer else ()))

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        return {
            EventType.SIGNAL: self.on_signal,
            EventType.ORDER_REQUEST: self.on_order_request,
            EventType.CANCEL_REQUEST: self.on_cancel_request,
            EventType.MODIFY_REQUEST: self.on_modify_request,
            EventType.ORDER_UPDATE: self.on_order_update,
            EventType.POSITION: self.on_position,
            EventType.FAULT: self.on_fault,
            **dict.fromkeys(_MARKET, self.on_market_data),
        }

    # --- to be asked ---------------------------------------------------------------------------------------

    def calculate_order_details(
        self, symbol: str, direction: Direction | str, price: PriceLike, signal_event: Signal | None = None
    ) -> OrderDetails:
        """What a signal would become now, before the limits; quantity 0 and a reason when nothing is to be done.

        `signal_event` adds the strategy whose position counts, a strength and a limit price.
        """
        return self._sizing.details(
            self._instrument(symbol), Direction.parse(direction), to_price(price), signal_event
        )

    def evaluate_trade(
        self, symbol: str, direction: Direction | Side | str, quantity: DecimalLike, price: PriceLike
    ) -> Decision:
        """Whether a market order of `quantity` would pass halts and limits now; it reserves nothing."""
        wanted = Direction.parse(direction)
        closes_long = wanted is Direction.FLAT and self.portfolio.get_position(symbol).quantity > 0
        side = Side.SELL if closes_long or wanted is Direction.SHORT else Side.BUY
        amount = to_decimal(quantity)
        denied = self._judge(
            Proposal(
                ts=self._context.now,
                strategy_id="",
                intent_id="",
                instrument=self._instrument(symbol),
                side=side,
                quantity=amount,
                order_type=OrderType.MARKET,
                reference=to_price(price),
                reduces=self.book.reduces(symbol, side, amount),
            )
        )
        return Decision(approved=True) if denied is None else Decision(False, denied.code, denied.detail)

    # --- what strategies ask -------------------------------------------------------------------------------

    def on_signal(self, signal: Signal) -> None:
        """Size a signal and send the order, now or when the strategy's working orders are out of the way."""
        self._context.now = max(self._context.now, signal.ts)
        denied = self._signal_problem(signal) or self._sizing.pointless(signal, self.book)
        if denied is not None:
            self._deny_signal(signal, denied)
            return
        key = (signal.strategy_id, signal.symbol)
        superseded = self._plans.pop(key, None)
        if superseded is not None:
            self._deny_signal(superseded, Denied("SUPERSEDED", f"by {signal.intent_id}"))
        working = self.book.working(signal.symbol, signal.strategy_id)
        if not working:
            self._act_on(signal)
            return
        self._plans[key] = signal
        for reservation in working:
            self._cancel(reservation, f"makes way for {signal.intent_id}")

    def on_order_request(self, request: OrderRequest) -> None:
        """Check an explicit order and pass it on unchanged, or deny it."""
        self._context.now = max(self._context.now, request.ts)
        if not self._knows(request.symbol):
            self._deny(request, Denied("UNKNOWN_INSTRUMENT", f"{request.symbol!r} is not configured"))
            return
        proposal = Proposal(
            ts=request.ts,
            strategy_id=request.strategy_id,
            intent_id=request.intent_id,
            instrument=self._instrument(request.symbol),
            side=request.side,
            quantity=request.quantity,
            order_type=request.order_type,
            reference=self.book.price(request.symbol),
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            reduce_only=request.reduce_only,
            reduces=self.book.reduces(request.symbol, request.side, request.quantity),
        )
        denied = self._judge(proposal)
        if denied is None:
            self._approve(proposal, request.time_in_force, request.tag)
        else:
            self._deny(request, denied)

    def on_cancel_request(self, request: CancelRequest) -> None:
        """Pass a cancel on; it releases nothing. One that comes after the order's end has nothing to do."""
        self._context.now = max(self._context.now, request.ts)
        reservation = self.book.get(request.intent_id)
        if reservation is not None and reservation.strategy_id == request.strategy_id:
            self._cancel(reservation, "requested")
            return
        for key, plan in tuple(self._plans.items()):
            if plan.intent_id == request.intent_id:
                del self._plans[key]
                self._deny_signal(plan, Denied("CANCELED", "before it was sent"))

    def on_modify_request(self, request: ModifyRequest) -> None:
        """Check what an order would become and pass the change on, or tell why it stays as it is."""
        self._context.now = max(self._context.now, request.ts)
        reservation = self.book.get(request.intent_id)
        if reservation is None or reservation.latest is None or reservation.strategy_id != request.strategy_id:
            return
        total = reservation.quantity if request.quantity is None else request.quantity
        with self.book.without(reservation):
            proposal = self._changed(reservation, request, total)
            denied = self._judge(proposal)
        if denied is not None:
            told = msgspec.structs.replace(
                reservation.latest, ts=self._context.now, reason=f"MODIFY_DENIED: {denied}"
            )
            self._emit(told)
            return
        self.book.raise_to(reservation, total)
        reservation.price = max(reservation.price, proposal.price)
        self._emit(
            ModifyCommand(
                self._context.now, request.intent_id, request.quantity, request.limit_price, request.stop_price
            )
        )

    def _changed(self, reservation: Reservation, request: ModifyRequest, total: Decimal) -> Proposal:
        remaining = sub(total, reservation.filled)
        symbol, side = reservation.symbol, reservation.side
        return Proposal(
            ts=request.ts,
            strategy_id=reservation.strategy_id,
            intent_id=reservation.intent_id,
            instrument=reservation.instrument,
            side=side,
            quantity=remaining,
            order_type=reservation.order_type,
            reference=self.book.price(symbol),
            limit_price=reservation.limit_price if request.limit_price is None else request.limit_price,
            stop_price=reservation.stop_price if request.stop_price is None else request.stop_price,
            reduces=self.book.reduces(symbol, side, remaining),
            is_change=True,
        )

    # --- what happens to orders ----------------------------------------------------------------------------

    def on_order_update(self, update: OrderUpdate) -> None:
        """Follow an order's state; release what is provably over."""
        self._context.now = max(self._context.now, update.ts)
        if update.filled > update.quantity and update.order_id:
            self.halt(HaltScope.INSTRUMENT, update.symbol, HaltState.NO_NEW, update.reason or "OVERFILL")
        released = self.book.on_order_update(update)
        if released is not None:
            self._advance(released.strategy_id, released.symbol)

    def on_position(self, update: PositionUpdate) -> None:
        """A fill has been booked: its part of the reservation has become position."""
        self._context.now = max(self._context.now, update.ts)
        released = self.book.on_position(update)
        if released is not None:
            self._advance(released.strategy_id, released.symbol)

    def on_fault(self, fault: StrategyFaulted) -> None:
        """A strategy is out of order: it may not enter any more; its protective orders stay."""
        self.halt(HaltScope.STRATEGY, fault.strategy_id, HaltState.NO_NEW, f"FAULTED: {fault.error}")

    def on_market_data(self, event: MarketEvent) -> None:
        """Let the sizer and the watching limits see the market."""
        context = self._context
        context.now = max(context.now, event.ts)
        if self._bar_sizer is not None and isinstance(event, Bar):
            self._bar_sizer.on_bar(event)
        for monitor in self._monitors:
            demand = monitor.watch(context)
            if demand is not None:
                self.halt(HaltScope.ACCOUNT, ACCOUNT_KEY, demand.state, demand.reason)
        if self.halts.in_force:
            self._flatten()

    # --- halts ---------------------------------------------------------------------------------------------

    def halt(self, scope: HaltScope, key: str, state: HaltState, reason: str) -> None:
        """Raise a halt and do at once what it demands; a lower state than the present changes nothing."""
        if not self.halts.escalate(scope, key, state, reason):
            return
        self._emit(HaltChanged(self._context.now, scope, key, state, reason))
        if state >= HaltState.REDUCE_ONLY:
            for reservation in self.book:
                if _concerns(scope, key, reservation) and (
                    state >= HaltState.CANCEL_ALL or self._grows(reservation)
                ):
                    self._cancel(reservation, f"halt: {reason}")
        self._flatten()

    def resume(self, scope: HaltScope, key: str, *, operator: str, reason: str) -> None:
        """Lift a halt, signed by an operator and with a reason."""
        lifted = self.halts.resume(scope, key, operator=operator, reason=reason)
        if lifted is not None:
            told = f"resumed by {operator}: {reason}"
            self._emit(HaltChanged(self._context.now, scope, key, HaltState.TRADING, told))

    def _grows(self, reservation: Reservation) -> bool:
        held = self.portfolio.get_position(reservation.symbol).quantity
        return not held or (held > 0) == (reservation.side is Side.BUY)

    def _flatten(self) -> None:
        """Close what a FLATTEN halt covers, one market order per strategy and symbol, once nothing else works."""
        for strategy_id, symbol in self.portfolio.strategy_symbols():
            halt = self.halts.strictest(strategy_id, symbol)
            if halt is None or halt.state is not HaltState.FLATTEN or self.book.working(symbol, strategy_id):
                continue
            held = self.portfolio.get_strategy_position(strategy_id, symbol).quantity
            if self._unclosable.get((strategy_id, symbol)) != held:
                self._close(strategy_id, symbol, held, halt)

    def _close(self, strategy_id: str, symbol: str, held: Decimal, halt: Halt) -> None:
        instrument = self._instrument(symbol)
        self._flattened += 1
        proposal = self._proposal(
            ts=self._context.now,
            strategy_id=strategy_id,
            intent_id=f"risk:flatten:{self._flattened}",
            details=self._sizing.exit(instrument, held),
            instrument=instrument,
        )
        violation = instrument.violation(proposal.quantity, None, proposal.reference)
        if violation:
            self._unclosable[strategy_id, symbol] = held
            self._deny(proposal, Denied("UNCLOSABLE", violation))
        else:
            self._approve(proposal, TimeInForce.GTC, f"flatten: {halt.reason}")

    # --- inside --------------------------------------------------------------------------------------------

    def _act_on(self, signal: Signal) -> None:
        """Turn a signal into an order, now that nothing of its strategy works in that symbol."""
        instrument = self._instrument(signal.symbol)
        price = from_market(signal.price)
        details = self._sizing.details(instrument, signal.direction, price, signal)
        if not details:
            self._deny_signal(signal, Denied.parse(details.reason))
            return
        proposal = self._proposal(
            ts=self._context.now,
            strategy_id=signal.strategy_id,
            intent_id=signal.intent_id,
            details=details,
            instrument=instrument,
            decided_at=price,
        )
        denied = self._judge(proposal)
        if denied is None:
            self._approve(proposal, TimeInForce.GTC, signal.tag)
        else:
            self._deny_signal(signal, denied)

    def _proposal(
        self,
        *,
        ts: int,
        strategy_id: str,
        intent_id: str,
        details: OrderDetails,
        instrument: Instrument,
        decided_at: Decimal | None = None,
    ) -> Proposal:
        """An order for `details`, reduce-only where that is provably all it can do."""
        reduces = self.book.reduces(instrument.symbol, details.side, details.quantity)
        return Proposal(
            ts=ts,
            strategy_id=strategy_id,
            intent_id=intent_id,
            instrument=instrument,
            side=details.side,
            quantity=details.quantity,
            order_type=details.order_type,
            reference=self.book.price(instrument.symbol),
            decided_at=decided_at,
            limit_price=details.limit_price,
            reduce_only=details.is_exit and reduces,
            reduces=reduces,
        )

    def _judge(self, proposal: Proposal) -> Denied | None:
        """The first reason against an order, or None."""
        halt = self.halts.strictest(proposal.strategy_id, proposal.symbol)
        if halt is not None and (halt.state >= HaltState.CANCEL_ALL or not proposal.reduces):
            return Denied("HALTED", f"{halt.scope} {halt.key} is {halt.state.name}: {halt.reason}")
        try:
            for limit in self.limits:
                denied = limit.check(proposal, self._context)
                if denied is not None:
                    return denied
        except AccountingError as error:
            return Denied("UNPRICED", str(error))
        return None

    def _approve(self, proposal: Proposal, time_in_force: TimeInForce, tag: str) -> None:
        """Reserve, count, and hand over to execution."""
        for limit in self._counting:
            limit.passed(proposal)
        self.book.reserve(
            Reservation(
                intent_id=proposal.intent_id,
                strategy_id=proposal.strategy_id,
                instrument=proposal.instrument,
                side=proposal.side,
                quantity=proposal.quantity,
                price=proposal.price,
                order_type=proposal.order_type,
                limit_price=proposal.limit_price,
                stop_price=proposal.stop_price,
            )
        )
        self._emit(
            ApprovedOrder(
                self._context.now,
                proposal.strategy_id,
                proposal.intent_id,
                proposal.symbol,
                proposal.instrument.venue,
                proposal.side,
                proposal.quantity,
                proposal.order_type,
                proposal.limit_price,
                proposal.stop_price,
                time_in_force,
                proposal.reduce_only,
                tag,
            )
        )

    def _advance(self, strategy_id: str, symbol: str) -> None:
        """An order is over: go on with what waited for it."""
        if self.book.working(symbol, strategy_id):
            return
        plan = self._plans.pop((strategy_id, symbol), None)
        if plan is not None:
            self._act_on(plan)
        elif self.halts.in_force:
            self._flatten()

    def _cancel(self, reservation: Reservation, reason: str) -> None:
        self._emit(CancelCommand(self._context.now, reservation.intent_id, reason))

    def _signal_problem(self, signal: Signal) -> Denied | None:
        numbers = {"price": signal.price, "limit": signal.limit, "strength": signal.strength}
        for name, number in numbers.items():
            if number is not None and not isfinite(number):
                return Denied("INVALID_NUMBER", f"the signal's {name} is {number}")
        if not self._knows(signal.symbol):
            return Denied("UNKNOWN_INSTRUMENT", f"{signal.symbol!r} is not configured")
        if signal.price <= 0:
            return Denied("INVALID_NUMBER", f"the signal's price is {signal.price}")
        halt = self.halts.strictest(signal.strategy_id, signal.symbol)
        if halt is not None and (halt.state >= HaltState.CANCEL_ALL or signal.direction is not Direction.FLAT):
            return Denied("HALTED", f"{halt.scope} {halt.key} is {halt.state.name}: {halt.reason}")
        return None

    def _deny_signal(self, signal: Signal, denied: Denied) -> None:
        self._tell_denied(signal.strategy_id, signal.intent_id, signal.symbol, None, ZERO, denied)

    def _deny(self, order: OrderRequest | Proposal, denied: Denied) -> None:
        self._tell_denied(order.strategy_id, order.intent_id, order.symbol, order.side, order.quantity, denied)

    def _tell_denied(
        self, strategy_id: str, intent_id: str, symbol: str, side: Side | None, quantity: Decimal, denied: Denied
    ) -> None:
        self._emit(
            OrderUpdate(
                self._context.now,
                strategy_id,
                intent_id,
                "",
                symbol,
                side,
                None,
                quantity,
                ZERO,
                OrderStatus.DENIED,
                str(denied),
            )
        )

    def _knows(self, symbol: str) -> bool:
        return self._instruments is None or symbol in self._instruments

    def _instrument(self, symbol: str) -> Instrument:
        return self.book.instrument(symbol)


def _concerns(scope: HaltScope, key: str, reservation: Reservation) -> bool:
    if scope is HaltScope.ACCOUNT:
        return True
    return key == (reservation.symbol if scope is HaltScope.INSTRUMENT else reservation.strategy_id)


def _nowhere(event: object) -> None:
    """Where a gate that is used alone tells its events."""
