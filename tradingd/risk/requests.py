"""Explicit orders and changes: checked, and passed on as they are or not at all."""

from decimal import Decimal

import msgspec

from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import ModifyCommand, ModifyRequest, OrderRequest, OrderUpdate
from tradingd.domain.money import sub
from tradingd.domain.terms import PLAIN
from tradingd.risk.exposure import Reservation
from tradingd.risk.gate import Gate
from tradingd.risk.limits.base import Denied, Proposal
from tradingd.risk.reservations import Change

__all__ = ["RequestDesk"]


class RequestDesk:
    """Takes what strategies ask of single orders."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._book = gate.book

    def on_order_request(self, request: OrderRequest) -> None:
        """Check an explicit order and pass it on unchanged, or deny it."""
        denied = self._order_problem(request)
        if denied is not None:
            self._gate.deny(request, denied)
            return
        proposal = self._proposed(request)
        denied = self._gate.judge(proposal)
        if denied is None:
            self._gate.approve(proposal, request.time_in_force, request.tag)
        else:
            self._gate.deny(request, denied)

    def on_modify_request(self, request: ModifyRequest) -> None:
        """Check what an order would become and pass the change on, or tell why it stays as it is.

        Nothing is told of an order that is over, or somebody else's.
        """
        reservation = self._book.get(request.intent_id)
        if reservation is None or reservation.closed or reservation.strategy_id != request.strategy_id:
            return
        change = Change(request.quantity, request.limit_price, request.stop_price)
        denied = _change_problem(reservation, change)
        if denied is None:
            with self._book.without(reservation):
                denied = self._gate.judge(self._changed(reservation, change))
        if denied is not None:
            self._gate.tell(_unchanged(reservation, self._gate.now, f"MODIFY_DENIED: {denied}"))
            return
        self._book.ask(reservation, change)
        self._gate.tell(ModifyCommand(self._gate.now, request.intent_id, *change))

    def _order_problem(self, request: OrderRequest) -> Denied | None:
        """What makes a request no order at all."""
        if not self._book.knows(request.symbol):
            return Denied("UNKNOWN_INSTRUMENT", f"{request.symbol!r} is not configured")
        if self._book.had(request.intent_id):
            return Denied("DUPLICATE_INTENT", f"{request.intent_id} has an order already; it is never sent twice")
        vague = _vague(request.side, request.order_type, request.time_in_force)
        if vague is not None:
            return vague
        if not request.order_type.prices_fit(request.limit_price, request.stop_price):
            return Denied("WRONG_PRICE", f"a {request.order_type} order cannot have these prices")
        return _invalid(request.quantity, request.limit_price, request.stop_price) or _terms_problem(request)

    def _proposed(self, request: OrderRequest) -> Proposal:
        return Proposal(
            ts=self._gate.now,
            strategy_id=request.strategy_id,
            intent_id=request.intent_id,
            instrument=self._book.instrument(request.symbol),
            side=request.side,
            quantity=request.quantity,
            order_type=request.order_type,
            reference=self._book.price(request.symbol),
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            reduce_only=request.reduce_only,
            reduces=self._book.reduces(request.symbol, request.side, request.quantity),
            terms=request.terms,
        )

    def _changed(self, reservation: Reservation, change: Change) -> Proposal:
        """What the order would become: all of it that is not booked, at the new price or the old."""
        symbol, side = reservation.symbol, reservation.side
        total = reservation.quantity if change.quantity is None else change.quantity
        unbooked = sub(total, reservation.booked)
        keeps_price = _same(change.limit_price, reservation.limit_price) and _same(
            change.stop_price, reservation.stop_price
        )
        eases = keeps_price and total <= reservation.quantity
        return Proposal(
            ts=self._gate.now,
            strategy_id=reservation.strategy_id,
            intent_id=reservation.intent_id,
            instrument=reservation.instrument,
            side=side,
            quantity=unbooked,
            order_type=reservation.order_type,
            reference=self._book.price(symbol),
            limit_price=reservation.limit_price if change.limit_price is None else change.limit_price,
            stop_price=reservation.stop_price if change.stop_price is None else change.stop_price,
            reduce_only=reservation.reduce_only,
            reduces=eases or self._book.reduces(symbol, side, unbooked),
            is_change=True,
            total=total,
            works_at=reservation.price,
            keeps_price=keeps_price,
            eases=eases,
        )


def _same(wanted: Decimal | None, present: Decimal | None) -> bool:
    return wanted is None or wanted == present


def _vague(side: object, order_type: object, time_in_force: object) -> Denied | None:
    """Text such as "BUY" would compare as no side at all, and be taken for the other one."""
    for given, kind in ((side, Side), (order_type, OrderType), (time_in_force, TimeInForce)):
        if not isinstance(given, kind):
            return Denied("INVALID_ORDER", f"{given!r} is no {kind.__name__}")
    return None


def _invalid(*numbers: object) -> Denied | None:
    """The first quantity or price that is no exact number above 0."""
    for number in numbers:
        if number is None:
            continue
        if not isinstance(number, Decimal):
            return Denied("INVALID_NUMBER", f"{number!r} is a {type(number).__name__}, not a Decimal")
        if not number.is_finite() or number <= 0:
            return Denied("INVALID_NUMBER", f"{number} is not greater than 0")
    return None


def _terms_problem(request: OrderRequest) -> Denied | None:
    """What contradicts itself in the terms of an order."""
    terms, kind, tif = request.terms, request.order_type, request.time_in_force
    if terms is PLAIN and kind is not OrderType.TRAILING_STOP and tif is not TimeInForce.GTD:
        return None  # nearly all orders
    problem = ""
    if (kind is OrderType.TRAILING_STOP) != (terms.trail is not None):
        problem = f"a trail belongs to a TRAILING_STOP and to nothing else, this is a {kind}"
    elif (tif is TimeInForce.GTD) != (terms.expire_ts > 0):
        problem = f"a moment of expiry belongs to GTD and to nothing else, this is {tif}"
    elif tif is TimeInForce.GTD and terms.expire_ts <= request.ts:
        problem = f"its expiry {terms.expire_ts} ns is not after now, {request.ts} ns"
    elif terms.post_only and (not kind.has_limit or tif in _AT_ONCE):
        problem = f"a {kind} {tif} order cannot be post-only: it may not rest in the book"
    if problem:
        return Denied("WRONG_TERMS", problem)
    return None if terms.trail is None else _invalid(terms.trail.offset)


_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


def _change_problem(reservation: Reservation, change: Change) -> Denied | None:
    """What makes a change impossible."""
    if reservation.latest is None:
        return Denied("NOT_SENT", "execution has not told of the order yet")
    kind = reservation.order_type
    if (change.limit_price is not None and not kind.has_limit) or (
        change.stop_price is not None and not kind.is_conditional
    ):
        return Denied("WRONG_PRICE", f"a {reservation.order_type} order has no such price")
    invalid = _invalid(*change)
    if invalid is not None:
        return invalid
    if change.quantity is not None and change.quantity <= reservation.filled:
        return Denied(
            "BELOW_FILLED", f"{reservation.filled} are filled, {change.quantity} would leave nothing open"
        )
    return None


def _unchanged(reservation: Reservation, ts: int, reason: str) -> OrderUpdate:
    """The order as execution last told it, with why it stays so."""
    if reservation.latest is not None:
        return msgspec.structs.replace(reservation.latest, ts=ts, reason=reason)
    return OrderUpdate(
        ts,
        reservation.strategy_id,
        reservation.intent_id,
        "",
        reservation.symbol,
        reservation.side,
        reservation.order_type,
        reservation.quantity,
        reservation.filled,
        OrderStatus.NEW,
        reason,
        reservation.limit_price,
        reservation.stop_price,
    )
