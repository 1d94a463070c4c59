"""Explicit orders and changes: checked, and passed on as they are or not at all."""

from collections.abc import Mapping

from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import ModifyRequest, OrderRequest, Signal
from tradingd.domain.terms import PLAIN, Requote
from tradingd.risk.changes import ChangeDesk, invalid_number, trail_problem
from tradingd.risk.child import Key
from tradingd.risk.children import ChildDesk
from tradingd.risk.gate import Gate
from tradingd.risk.limits.base import Denied
from tradingd.risk.reservation import Change

__all__ = ["RequestDesk"]


class RequestDesk:
    """Takes what strategies ask of single orders."""

    def __init__(self, gate: Gate, changes: ChangeDesk, children: ChildDesk, plans: Mapping[Key, Signal]) -> None:
        self._gate = gate
        self._book = gate.book
        self._changes = changes
        self._children = children
        self._plans = plans

    def on_order_request(self, request: OrderRequest) -> None:
        """Check an explicit order and pass it on unchanged, or deny it."""
        denied = self._order_problem(request)
        if denied is not None:
            self._gate.deny(request, denied)
            return
        if request.terms.parent:
            self._children.take(request)
            return
        proposal = self._gate.requested(request)
        denied = self._gate.judge_requested(proposal)
        if denied is None:
            self._gate.approve(proposal, request.time_in_force, request.tag)
        else:
            self._gate.deny(request, denied)

    def on_modify_request(self, request: ModifyRequest) -> None:
        """Check what an order would become and pass the change on, or tell why it stays as it is.

        Nothing is told of an order that is over, or somebody else's.
        """
        change = Change(request.quantity, request.limit_price, request.stop_price)
        if self._children.modify(request.strategy_id, request.intent_id, change):
            return
        reservation = self._book.get(request.intent_id)
        if reservation is None or reservation.closed or reservation.strategy_id != request.strategy_id:
            return
        self._changes.ask(reservation, change)

    def _order_problem(self, request: OrderRequest) -> Denied | None:
        """What makes a request no order at all."""
        if not self._book.knows(request.symbol):
            return Denied("UNKNOWN_INSTRUMENT", f"{request.symbol!r} is not configured")
        if self._book.had(request.intent_id) or self._children.has(request.intent_id):
            return Denied("DUPLICATE_INTENT", f"{request.intent_id} has an order already; it is never sent twice")
        plan = self._plans.get((request.strategy_id, request.symbol)) if self._plans else None
        if plan is not None:  # it would be in the way again, and what is held has no stop meanwhile
            return Denied("MAKES_WAY", f"orders in {request.symbol} make way for the signal {plan.intent_id}")
        vague = _vague(request.side, request.order_type, request.time_in_force)
        if vague is not None:
            return vague
        if not request.order_type.prices_fit(request.limit_price, request.stop_price):
            return Denied("WRONG_PRICE", f"a {request.order_type} order cannot have these prices")
        return invalid_number(request.quantity, request.limit_price, request.stop_price) or _terms_problem(request)


def _vague(side: object, order_type: object, time_in_force: object) -> Denied | None:
    """Text such as "BUY" would compare as no side at all, and be taken for the other one."""
    for given, kind in ((side, Side), (order_type, OrderType), (time_in_force, TimeInForce)):
        if not isinstance(given, kind):
            return Denied("INVALID_ORDER", f"{given!r} is no {kind.__name__}")
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
    problem = problem or _requote_problem(terms.requote)
    if problem:
        return Denied("WRONG_TERMS", problem)
    if terms.requote is not None and terms.requote.worst is not None:
        return invalid_number(terms.requote.worst)
    return None if terms.trail is None else trail_problem(terms.trail)


def _requote_problem(requote: Requote | None) -> str:
    if requote is None or (requote.after_ns > 0 and requote.times >= 0 and requote.then in ("cancel", "market")):
        return ""
    return f"no re-quote: {requote.times} times after {requote.after_ns} ns, then {requote.then!r}"


_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
