"""The protective-stop monitor: what a strategy holds has a working stop of that size, where it asks for that.

A `Guard` says what is wanted for one strategy and symbol: a stop at a price or a trailing one, and maybe a
target beside it. `Protection.keep` compares that with what works, at every event that may have changed either,
and does the next step: place, enlarge, shrink, move or cancel. Each step waits for the answer to the one
before. An order whose fate is not known counts as one that may fill, and not as protection, so that no two
stops could ever close more than the position. Nothing is done while a signal makes way for itself, and under
halts that cancel all orders.

The position decides the size, not the entry's fills: what is left of an older position is protected, too.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tradingd.domain.enums import Direction, HaltScope, HaltState, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    CancelRequest,
    CorporateAction,
    OrderRequest,
    OrderUpdate,
    ProtectRequest,
    Signal,
)
from tradingd.domain.money import ZERO, add, magnitude, sub, to_price
from tradingd.domain.position import Position
from tradingd.domain.terms import PLAIN, PROTECTION, OrderTerms
from tradingd.risk.changes import TOO_SMALL, ChangeDesk, invalid_number, trail_problem
from tradingd.risk.exposure import Reservation
from tradingd.risk.gate import RETRY_NS, Gate
from tradingd.risk.guards import NEVER, Guard, Leg, Spec, closing_side, failed, heard, lost, serves
from tradingd.risk.limits.base import Denied
from tradingd.risk.reservation import Change

__all__ = ["Protection"]

Key = tuple[str, str]
"""Strategy id and symbol."""

_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
_LONGEST_PAUSE = 6
"""The pause between tries doubles so often at most."""


class Protection:
    """Keeps the guards."""

    def __init__(
        self,
        gate: Gate,
        changes: ChangeDesk,
        plans: dict[Key, Signal],
        *,
        close: Callable[[Signal], None],
        halt: Callable[[HaltScope, str, HaltState, str], None],
    ) -> None:
        self._gate = gate
        self._book = gate.book
        self._changes = changes
        self._plans = plans
        self._close = close
        self._halt = halt
        self._guards: dict[Key, Guard] = {}
        self.due = NEVER
        """When something that was refused is to be tried again, nanoseconds UTC."""

    @property
    def active(self) -> bool:
        """Whether anything is guarded."""
        return bool(self._guards)

    # --- what strategies ask ---------------------------------------------------------------------------------

    def on_request(self, request: ProtectRequest) -> None:
        """Guard a strategy's position in a symbol as it now asks for, or no longer."""
        denied = self._problem(request)
        if denied is not None:
            self._gate.deny_signal(request, denied)
            return
        key = (request.strategy_id, request.symbol)
        guard = self._guards.get(key)
        if guard is None:
            guard = self._guards[key] = Guard(request.strategy_id, self._book.instrument(request.symbol))
        guard.renew(request.intent_id, stop=request.stop, trail=request.trail, target=request.target)
        guard.then, guard.tries = request.then, request.tries
        self.keep(*key)

    def on_entry(self, signal: Signal) -> None:
        """A signal for a position becomes an order: its stop and target take the place of what was wanted.

        One without them ends what an earlier signal wanted, and leaves alone what the strategy asked for itself.
        What a reversal is to close keeps what was wanted for it, in case that the order does not get so far.
        """
        key = (signal.strategy_id, signal.symbol)
        guard = self._guards.get(key)
        if signal.stop is None and signal.target is None and (guard is None or guard.direction is None):
            return
        if guard is None:
            guard = self._guards[key] = Guard(signal.strategy_id, self._book.instrument(signal.symbol))
        held = self._held(guard)
        self._settle_reversal(guard, held)
        former = guard.wish()
        stop, target = (None if price is None else to_price(price) for price in (signal.stop, signal.target))
        guard.renew(signal.intent_id, stop=stop, target=target, direction=signal.direction)
        if guard.is_reversed(held) and former.intent_id:
            guard.former = former

    def _settle_reversal(self, guard: Guard, held: Decimal) -> None:
        """Take up again what a reversal was to end, if its order is over and has not closed the position."""
        former = guard.former
        if former is None:
            return
        if not guard.is_reversed(held):
            guard.former = None
        elif self._book.get(guard.intent_id) is None:
            guard.restore(former)

    def on_cancel_request(self, request: CancelRequest) -> bool:
        """Call a protection off by its intent; False when it is none of that strategy.

        The intent of a signal's is that of the entry: who cancels that means the order.
        """
        for key, guard in self._guards.items():
            asked = guard.direction is None and guard.intent_id == request.intent_id
            if asked and guard.strategy_id == request.strategy_id:
                guard.renew(guard.intent_id)
                self.keep(*key)
                return True
        return False

    # --- what happens ----------------------------------------------------------------------------------------

    def on_order_update(self, update: OrderUpdate) -> None:
        """An order of a guarded strategy changed: perhaps the next step can be done."""
        guard = self._guards.get((update.strategy_id, update.symbol))
        if guard is None:
            return
        for leg in guard.legs:
            if update.intent_id in leg.orders:
                heard(guard, leg, update)
        self.keep(update.strategy_id, update.symbol)

    def on_over(self, reservation: Reservation) -> None:
        """An order is over: one of a guard's that nobody asked to end so has failed."""
        guard = self._guards.get((reservation.strategy_id, reservation.symbol))
        if guard is None:
            return
        for leg in guard.legs:
            if leg.orders.pop(reservation.intent_id, None) is None:
                continue
            leg.fixed.discard(reservation.intent_id)
            asked = reservation.intent_id in leg.canceled
            leg.canceled.discard(reservation.intent_id)
            if not asked and not self._suspended(guard) and failed(reservation):
                told = reservation.latest
                self._fail(guard, leg, f"{told.status}: {told.reason}" if told is not None else "no answer")

    def restate(self, action: CorporateAction) -> None:
        """A split comes: stops and targets are wanted at prices of new shares from now on."""
        for (_, symbol), guard in self._guards.items():
            if symbol == action.symbol:
                guard.restate(action)

    def retry(self) -> None:
        """Try again what was refused and is due."""
        self.due = NEVER
        for key, guard in tuple(self._guards.items()):
            self.keep(*key)
            for leg in guard.legs:
                if leg.retry_at > self._gate.now:
                    self.due = min(self.due, leg.retry_at)

    def keep_all(self) -> None:
        """Look after every guard."""
        for key in tuple(self._guards):
            self.keep(*key)

    def keep(self, strategy_id: str, symbol: str) -> None:
        """Do the next step towards what is wanted."""
        guard = self._guards.get((strategy_id, symbol))
        if guard is None:
            return
        held = self._held(guard)
        self._settle_reversal(guard, held)
        for leg in guard.legs:
            if self._suspended(guard):
                return  # the stop could not be placed, and the position is being closed
            self._adjust(guard, leg, held)
        if guard.is_done(held) and not self._book.working(symbol, strategy_id):
            self._guards.pop((strategy_id, symbol), None)

    # --- one leg ---------------------------------------------------------------------------------------------

    def _adjust(self, guard: Guard, leg: Leg, held: Decimal) -> None:
        """Bring one leg nearer to what is wanted of it."""
        if not held:
            leg.failures = leg.retry_at = 0
        orders = [order for order in map(self._book.get, leg.orders) if order is not None]
        spec = guard.spec(leg, held)
        if spec is not None and leg is guard.target and not self._may_pair(guard):
            spec = None
        unwanted = [order for order in orders if not serves(order, leg, spec)]
        for order in unwanted:
            self._cancel(leg, order)
        if spec is None or any(not order.is_at_rest and not lost(order) for order in orders):
            return  # the next update of what is under way leads here again
        counted = ZERO
        for order in orders:
            counted = add(counted, order.outstanding)
        missing = sub(self._room(guard, leg, held, spec.side), counted)
        working = [order for order in orders if order.is_at_rest]
        if not missing:
            leg.failures = leg.retry_at = 0
        if missing < 0:
            self._shrink(leg, working, magnitude(missing), may_stay=counted <= magnitude(held))
        else:
            self._move(guard, leg, spec, working, missing)

    def _shrink(self, leg: Leg, orders: list[Reservation], excess: Decimal, *, may_stay: bool) -> None:
        """Take `excess` from a leg's orders, the latest first.

        An order that may not be made smaller is canceled, to be replaced, unless it `may_stay`: else the leg could
        turn the position.
        """
        for order in reversed(orders):
            still_open = sub(order.outstanding, order.unbooked)
            if excess <= 0:
                return
            if still_open <= excess or not self._changeable(leg, order):
                self._cancel(leg, order)
            else:
                total = sub(sub(order.quantity, order.taken), excess)
                denied = self._changes.ask(order, Change(total, None, None))
                if denied is not None and not may_stay:
                    self._cancel(leg, order)
            excess = sub(excess, still_open)

    def _move(self, guard: Guard, leg: Leg, spec: Spec, orders: list[Reservation], missing: Decimal) -> None:
        """Give a leg's orders their price, and what is missing in size to the first of them or to a new one."""
        waits = leg.retry_at > self._gate.now
        replaced = False
        for order in orders:
            more = missing if not waits and self._changeable(leg, order) else ZERO
            price = spec.other_price(order)
            if price is not None and not self._changeable(leg, order):
                self._cancel(leg, order)
                replaced = True
            elif price is not None or more:
                total = add(sub(order.quantity, order.taken), more) if more else None
                change = Change(total, *((price, None) if spec.order_type.has_limit else (None, price)))
                denied = self._changes.ask(order, change)
                if denied is not None and more:
                    self._fail(guard, leg, str(denied))
                    return
                missing = sub(missing, more)
        if missing <= 0 or replaced or waits:
            return
        if orders and guard.has_both:
            for order in orders:  # a second pair would have to be one from its first moment on
                self._cancel(leg, order)
        else:
            self._place(guard, leg, spec, missing, first=not orders)

    def _place(self, guard: Guard, leg: Leg, spec: Spec, quantity: Decimal, *, first: bool) -> None:
        """Send an order for what is missing."""
        instrument = guard.instrument
        shares = first and self._book.pairs(instrument, spec.order_type)
        terms = OrderTerms(trail=spec.trail, oco=PROTECTION if shares else "")
        request = OrderRequest(
            self._gate.now,
            guard.strategy_id,
            guard.next_intent(leg),
            instrument.symbol,
            spec.side,
            quantity,
            spec.order_type,
            spec.price if spec.order_type.has_limit else None,
            None if spec.order_type.has_limit else spec.price,
            reduce_only=True,
            terms=PLAIN if terms == PLAIN else terms,
        )
        proposal = self._gate.requested(request)
        proposal = msgspec.structs.replace(proposal, reduce_only=proposal.reduces, protects=True)
        denied = self._gate.judge_requested(proposal)
        if denied is None:
            leg.orders[request.intent_id] = spec
            self._gate.approve(proposal, TimeInForce.GTC, f"protective {leg.name}")
        elif denied.code not in TOO_SMALL or not self._may_grow(guard, spec.side):
            if denied.code == "REDUCE_ONLY" and not self._gate.is_settled(instrument.symbol):
                leg.retry_at = self._gate.now + 1  # orders under way may turn out to take less than they count
                self.due = min(self.due, leg.retry_at)
                return
            self._gate.deny(request, denied)
            self._fail(guard, leg, str(denied))

    def _cancel(self, leg: Leg, order: Reservation) -> None:
        leg.canceled.add(order.intent_id)
        self._gate.cancel(order, "protection")

    def _changeable(self, leg: Leg, order: Reservation) -> bool:
        return order.intent_id not in leg.fixed and self._book.capabilities(order.instrument).modify

    # --- failures --------------------------------------------------------------------------------------------

    def _fail(self, guard: Guard, leg: Leg, why: str) -> None:
        """Pause before the next try; after too many, do what the strategy chose for that case."""
        leg.failures += 1
        leg.retry_at = self._gate.now + (RETRY_NS << min(leg.failures - 1, _LONGEST_PAUSE))
        self.due = min(self.due, leg.retry_at)
        if leg is not guard.stop or leg.failures < guard.tries:
            return
        if guard.then == "close":
            self._close_position(guard)
        if not self._closes(guard):
            held, symbol = self._held(guard), guard.instrument.symbol
            reason = f"UNPROTECTED: {guard.strategy_id} holds {held} {symbol} without its stop. {why}"
            self._halt(HaltScope.STRATEGY, guard.strategy_id, HaltState.NO_NEW, reason)

    def _close_position(self, guard: Guard) -> None:
        """Signal an exit in the strategy's name; it makes way for itself like any other."""
        symbol = guard.instrument.symbol
        price = self._book.price(symbol) or magnitude(self._position(guard).average_price)
        intent_id = guard.next_intent("close")
        self._close(
            Signal(
                self._gate.now,
                guard.strategy_id,
                intent_id,
                symbol,
                Direction.FLAT,
                float(price),
                tag="UNPROTECTED",
            )
        )

    def _closes(self, guard: Guard) -> bool:
        """Whether an exit is under way, or nothing is left to be closed."""
        held = self._held(guard)
        if not held or guard.key in self._plans:
            return True
        side = closing_side(held)
        working = self._book.working(guard.instrument.symbol, guard.strategy_id)
        return any(order.side is side and order.order_type is OrderType.MARKET for order in working)

    # --- what there is ---------------------------------------------------------------------------------------

    def _room(self, guard: Guard, leg: Leg, held: Decimal, side: Side) -> Decimal:
        """How much a leg is to protect: what is held, less what other orders of the strategy close already.

        Those are orders at market and, for the stop, other stops; not those that share with the guard's.
        """
        room = magnitude(held)
        for order in self._book.working(guard.instrument.symbol, guard.strategy_id):
            shares = order.group is not None and order.group[1] == PROTECTION
            if order.side is not side or order.intent_id in leg.orders or shares:
                continue
            if order.order_type is OrderType.MARKET or (leg is guard.stop and order.order_type in _STOPS):
                room = sub(room, order.outstanding)
        return max(ZERO, room)

    def _may_pair(self, guard: Guard) -> bool:
        """Whether a target may work beside a stop: only where the venue lets one cancel the other."""
        stop = OrderType.TRAILING_STOP if guard.trail is not None else OrderType.STOP
        if not guard.has_both or all(self._book.pairs(guard.instrument, kind) for kind in (stop, OrderType.LIMIT)):
            return True
        if not guard.told_lone:
            guard.told_lone = True
            lacks = f"venue {guard.instrument.venue} keeps no OCO group of these, so only the stop works"
            self._gate.deny_signal(guard.as_request(self._gate.now, ":target"), Denied("OCO", lacks))
        return False

    def _may_grow(self, guard: Guard, closing: Side) -> bool:
        """Whether an order of the strategy works that may make more of the position."""
        working = self._book.working(guard.instrument.symbol, guard.strategy_id)
        return any(order.side is not closing for order in working)

    def _suspended(self, guard: Guard) -> bool:
        """Whether nothing is to be done now: orders make way for a signal, or a halt cancels them all."""
        if guard.key in self._plans:
            return True
        halt = self._gate.halts.strictest(*guard.key)
        return halt is not None and halt.state >= HaltState.CANCEL_ALL

    def _position(self, guard: Guard) -> Position:
        return self._gate.portfolio.get_strategy_position(guard.strategy_id, guard.instrument.symbol)

    def _held(self, guard: Guard) -> Decimal:
        """The strategy's position in whole lots: nobody can trade, or protect, the rest."""
        return guard.instrument.floor_quantity(self._position(guard).quantity)

    def _problem(self, request: ProtectRequest) -> Denied | None:
        if not self._book.knows(request.symbol):
            return Denied("UNKNOWN_INSTRUMENT", f"{request.symbol!r} is not configured")
        if request.tries < 1 or request.then not in ("close", "alarm"):
            return Denied("INVALID_PROTECTION", f"{request.tries} tries, then {request.then!r}")
        trailing = None if request.trail is None else trail_problem(request.trail)
        return trailing or invalid_number(request.stop, request.target)
