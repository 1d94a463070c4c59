"""How long orders work: the end of a day, a given moment, and what of an event came before."""

from tradingd.domain.enums import TimeInForce
from tradingd.domain.events import Bar, MarketEvent, SubmitOrder

__all__ = ["DAY_OPEN", "NEVER", "end_of_day", "expiry", "until"]

NEVER = 2**63 - 1
"""When a GTC order expires."""
DAY_OPEN = 0
"""A DAY order that has met no event yet: its day has not begun."""

_DAY = 86_400_000_000_000


def expiry(order: SubmitOrder) -> int:
    """When an order expires (nanoseconds UTC)."""
    if order.time_in_force is TimeInForce.GTD:
        return order.terms.expire_ts
    return DAY_OPEN if order.time_in_force is TimeInForce.DAY else NEVER


def end_of_day(event: MarketEvent, seen: MarketEvent) -> int:
    """The end of the UTC day in which an order meets its first event, seen by it as `seen`.

    A bar belongs to the day in which it opens, and one of which only the close is seen to the day that it ends: a
    bar that closes at midnight is the last one of its day.
    """
    moment = event.ts
    if type(event) is Bar:
        moment = event.ts_open if seen is event else event.ts - 1
    return (moment // _DAY + 1) * _DAY


def until(expires: int, event: MarketEvent, seen: MarketEvent) -> MarketEvent | None:
    """What of `seen` provably came before `expires`; None for nothing.

    Of a bar that spans the expiry that is its open, with the part of its volume that the time before makes up.
    """
    if type(event) is not Bar:
        return seen if event.ts < expires else None
    if event.ts <= expires:
        return seen
    if seen is not event or event.ts_open >= expires:
        return None
    part = (expires - event.ts_open) / (event.ts - event.ts_open)
    price = event.open
    return Bar(expires, event.symbol, price, price, price, price, event.volume * part, event.ts_open)
