"""Changes of working orders: judged as what the order would become, and counted until the venue has answered."""

from decimal import Decimal

import msgspec

from tradingd.domain.enums import OrderStatus, OrderType
from tradingd.domain.events import ModifyCommand, OrderUpdate
from tradingd.domain.money import sub
from tradingd.domain.terms import PLAIN, OrderTerms, Trail
from tradingd.risk.exposure import Reservation
from tradingd.risk.gate import Gate
from tradingd.risk.limits.base import Denied, Proposal
from tradingd.risk.reservation import Change

__all__ = ["TOO_SMALL", "ChangeDesk", "change_problem", "invalid_number", "trail_problem"]

TOO_SMALL = frozenset({"LOT", "MIN_QUANTITY", "MIN_NOTIONAL"})
"""Refusals of a part that may become great enough by further fills."""


class ChangeDesk:
    """Takes changes of working orders to the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._book = gate.book

    def ask(self, reservation: Reservation, change: Change) -> Denied | None:
        """Pass a change on, or tell the order's strategy, and return, why it stays as it is."""
        denied = self._problem(reservation, change)
        if denied is None:
            with self._book.without(reservation):
                denied = self._gate.judge(self._changed(reservation, change))
        if denied is not None:
            self.refuse(reservation, denied)
            return denied
        self._book.ask(reservation, change)
        self._gate.tell(ModifyCommand(self._gate.now, reservation.intent_id, *change))
        return None

    def refuse(self, reservation: Reservation, denied: Denied) -> None:
        """Tell the order's strategy why it stays as it is."""
        self._gate.tell(_unchanged(reservation, self._gate.now, f"MODIFY_DENIED: {denied}"))

    def _problem(self, reservation: Reservation, change: Change) -> Denied | None:
        if reservation.latest is None:
            return Denied("NOT_SENT", "execution has not told of the order yet")
        problem = change_problem(reservation.order_type, change)
        if problem is None and change.quantity is not None and change.quantity <= reservation.filled:
            detail = f"{reservation.filled} are filled, {change.quantity} would leave nothing open"
            return Denied("BELOW_FILLED", detail)
        return problem

    def _changed(self, reservation: Reservation, change: Change) -> Proposal:
        """What the order would become: all of it that is not booked, at the new price or the old."""
        symbol, side = reservation.symbol, reservation.side
        present = sub(reservation.quantity, reservation.taken)
        total = present if change.quantity is None else change.quantity
        unbooked = sub(total, reservation.booked)
        keeps_price = _same(change.limit_price, reservation.limit_price) and _same(
            change.stop_price, reservation.stop_price
        )
        keeps_quantity = change.quantity is None
        shares = reservation.shares if keeps_quantity or reservation.reduce_only else None
        # in a group a smaller quantity may yet be more than what other legs have left of it meanwhile
        eases = keeps_price and total <= present and (keeps_quantity or reservation.group is None)
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
            reduces=eases
            or self._book.reduces(
                symbol, side, unbooked, shares, reservation.unbooked, reduce_only=reservation.reduce_only
            ),
            group=shares,
            keeps_quantity=keeps_quantity,
            unbooked=reservation.unbooked,
            is_change=True,
            total=total,
            works_at=reservation.price,
            keeps_price=keeps_price,
            eases=eases,
            terms=PLAIN if reservation.requote is None else OrderTerms(requote=reservation.requote),
        )


def _same(wanted: Decimal | None, present: Decimal | None) -> bool:
    return wanted is None or wanted == present


def change_problem(kind: OrderType, change: Change) -> Denied | None:
    """What makes a change impossible for any order of this type."""
    if (change.limit_price is not None and not kind.has_limit) or (
        change.stop_price is not None and not kind.is_conditional
    ):
        return Denied("WRONG_PRICE", f"a {kind} order has no such price")
    return invalid_number(*change)


def invalid_number(*numbers: object) -> Denied | None:
    """The first quantity or price that is no exact number above 0."""
    for number in numbers:
        if number is None:
            continue
        if not isinstance(number, Decimal):
            return Denied("INVALID_NUMBER", f"{number!r} is a {type(number).__name__}, not a Decimal")
        if not number.is_finite() or number <= 0:
            return Denied("INVALID_NUMBER", f"{number} is not greater than 0")
    return None


def trail_problem(trail: Trail) -> Denied | None:
    """What makes a trailing stop's distance none."""
    problem = invalid_number(trail.offset)
    if problem is None and trail.is_percent and trail.offset >= _WHOLE:
        return Denied("INVALID_NUMBER", f"a trail of {trail.offset} % reaches to 0; 2 means 2 %")
    return problem


_WHOLE = Decimal(100)


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
