"""What an exchange looks at before it takes an order, apart from the account: its form and its terms."""

from math import inf

from tradingd.broker.matching import is_marketable, taker_price
from tradingd.domain.enums import OrderType, TimeInForce
from tradingd.domain.events import Book, MarketEvent, Quote, SubmitOrder
from tradingd.domain.money import ZERO
from tradingd.domain.ports import Clock
from tradingd.domain.terms import PLAIN, OrderTerms, Trail

__all__ = ["post_only_violation", "terms_violation"]

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_HUNDRED = 100


def terms_violation(order: SubmitOrder, clock: Clock) -> str:
    """What is wrong with an order's terms; empty when nothing is.

    What execution does of itself (a parent, re-quoting, an algorithm) is none of the exchange's business.
    """
    terms = order.terms
    is_gtd = order.time_in_force is TimeInForce.GTD
    if terms is PLAIN and not is_gtd and order.order_type is not OrderType.TRAILING_STOP:
        return ""
    now = clock.now()
    if is_gtd and terms.expire_ts <= now:
        return f"WRONG_TERMS: a GTD order must expire after {now}, this one does at {terms.expire_ts}"
    if terms.expire_ts and not is_gtd:
        return f"WRONG_TERMS: a {order.time_in_force} order has no moment of expiry"
    if terms.post_only and not (order.order_type.has_limit and order.time_in_force not in _AT_ONCE):
        return f"POST_ONLY: a {order.order_type} {order.time_in_force} order cannot rest"
    return _trail_violation(order, terms)


def _trail_violation(order: SubmitOrder, terms: OrderTerms) -> str:
    trails = order.order_type is OrderType.TRAILING_STOP
    if not trails:
        return f"WRONG_TERMS: a {order.order_type} order trails nothing" if terms.trail is not None else ""
    if terms.trail is None:
        return "WRONG_TERMS: a trailing stop needs its distance"
    return "" if _is_distance(terms.trail) else f"WRONG_TERMS: {terms.trail.offset} is no distance to trail at"


def _is_distance(trail: Trail) -> bool:
    return trail.offset.is_finite() and trail.offset > ZERO and not (trail.is_percent and trail.offset >= _HUNDRED)


def post_only_violation(order: SubmitOrder, limit: float, latest: MarketEvent | None) -> str:
    """Why a post-only order would take at once, as far as a quote or book tells that; empty when it would rest."""
    if order.order_type is not OrderType.LIMIT or not isinstance(latest, Quote | Book):
        return ""
    price = taker_price(order.side, latest)
    if 0 < price < inf and is_marketable(order.side, price, limit):
        return f"POST_ONLY: it would take at {price}"
    return ""
