"""What an order needs beyond being sent: told by its terms and by what its venue lacks."""

from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

from tradingd.domain.enums import OrderType, TimeInForce
from tradingd.domain.order import Order
from tradingd.domain.terms import PLAIN, OrderTerms, Requote
from tradingd.domain.venue import VenueCapabilities

__all__ = ["NOTHING", "Form", "Needs", "form_of", "needs_of"]

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_ENDING = frozenset({TimeInForce.DAY, TimeInForce.GTD})


class Form(NamedTuple):
    """What of an order the venue is told, where that differs from the order itself."""

    order_type: OrderType
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce
    terms: OrderTerms


class Needs(NamedTuple):
    """What execution has to do for an order."""

    refusal: str = ""
    """Why it cannot be worked at all."""
    held: bool = False
    """It is kept here until its trigger is touched."""
    priced: bool = False
    """Post-only: it is sent only if it would rest."""
    ended: bool = False
    """Its end (DAY, GTD) is brought about here."""
    group: bool = False
    """It belongs to an OCO group."""
    group_native: bool = False
    """The venue keeps the group among those of its orders that it has."""
    algorithm: bool = False
    replaced: bool = False
    """It is worked by one child after another: re-quoted, or changed at a venue that cannot."""
    timeout: Requote | None = None
    """It is canceled when it has not filled by then."""


NOTHING = Needs()


def needs_of(
    order: Order,
    able: VenueCapabilities,
    *,
    timeout: Requote | None = None,
    algorithms: Collection[str] = (),
) -> Needs:
    """What `order` needs at a venue that is so `able`.

    `timeout` is the default for limit orders without a word of their own, `algorithms` the names that there are.
    """
    terms, kind = order.terms, order.order_type
    refusal = _refusal(order, able, algorithms)
    if refusal:
        return Needs(refusal=refusal)
    worked = terms.algo is not None
    requote = terms.requote
    if requote is None and kind is OrderType.LIMIT and not worked and order.time_in_force not in _AT_ONCE:
        requote = timeout
    simple = requote is not None and not requote.times and requote.then == "cancel"
    requoted = requote is not None and not simple
    # the time of an order that is to trade within some begins with its trigger, of which a venue does not tell
    held = kind.is_conditional and (kind not in able.order_types or worked or requote is not None)
    rests = (
        kind is not OrderType.MARKET and order.time_in_force not in _AT_ONCE and not (held and not kind.has_limit)
    )
    replaced = not worked and (requoted or (rests and not able.modify))
    split = worked or replaced
    return Needs(
        held=held,
        priced=terms.post_only and not able.post_only,
        ended=order.time_in_force in _ENDING and (split or held or order.time_in_force not in able.times_in_force),
        group=bool(terms.oco),
        group_native=bool(terms.oco) and able.oco and not (split or held),
        algorithm=worked,
        replaced=replaced,
        timeout=requote if simple else None,
    )


def _refusal(order: Order, able: VenueCapabilities, algorithms: Collection[str]) -> str:
    """Why nothing can make up for what the venue lacks, or why the terms make no sense; empty when they do."""
    terms, kind, force = order.terms, order.order_type, order.time_in_force
    split = terms.algo is not None or terms.requote is not None
    sent = _when_triggered(kind)
    if sent not in able.order_types:
        return f"UNSUPPORTED: {order.venue} takes no {sent} orders, and nothing can stand in for one"
    if force in _AT_ONCE and force not in able.times_in_force:
        return f"UNSUPPORTED: {order.venue} takes no {force} orders, and from here nobody can tell what is at once"
    if terms.requote is not None and (not kind.has_limit or terms.algo is not None):
        return "WRONG_TERMS: only a limit order that no algorithm works can be re-quoted"
    if split and force in _AT_ONCE:
        return f"WRONG_TERMS: an order that is worked bit by bit cannot be {force}"
    if terms.algo is not None and terms.algo.name not in algorithms:
        known = ", ".join(sorted(algorithms)) or "none"
        return f"UNKNOWN_ALGORITHM: {terms.algo.name!r}; there are: {known} (execution.algorithms adds your own)"
    return ""


def _when_triggered(kind: OrderType) -> OrderType:
    """What an order of this type is once it trades."""
    return OrderType.LIMIT if kind.has_limit else OrderType.MARKET


def form_of(order: Order, needs: Needs) -> Form:
    """The order as its venue is to see it: without what is done for it here."""
    kind = _when_triggered(order.order_type) if needs.held else order.order_type
    split = needs.algorithm or needs.replaced
    terms = OrderTerms(
        post_only=order.terms.post_only and not needs.priced,
        expire_ts=0 if needs.ended else order.terms.expire_ts,
        trail=order.terms.trail if kind is OrderType.TRAILING_STOP else None,
        oco=order.terms.oco if needs.group_native else "",
    )
    return Form(
        kind,
        order.limit_price,
        order.stop_price if kind.is_conditional else None,
        TimeInForce.GTC if needs.ended or (split and order.time_in_force not in _AT_ONCE) else order.time_in_force,
        PLAIN if terms == PLAIN else terms,
    )
