"""What a simulated venue can be told to lack, so that paper and backtests imitate one that does."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tradingd.domain.enums import OrderType, TimeInForce
from tradingd.domain.events import SubmitOrder
from tradingd.domain.terms import PLAIN
from tradingd.domain.venue import EVERYTHING, VenueCapabilities
from tradingd.errors import UsageError

__all__ = ["LACKABLE", "lacking", "unsupported"]

_FLAGS: Final = ("post_only", "oco", "modify")
_TYPES: Final = {kind.value.lower(): kind for kind in OrderType if kind.is_conditional}
_TIMES: Final = {time.value.lower(): time for time in TimeInForce if time is not TimeInForce.GTC}

LACKABLE: Final = (*_TYPES, *_TIMES, *_FLAGS)
"""What a venue may lack; market, limit and GTC orders all have."""


def lacking(names: Iterable[str]) -> VenueCapabilities:
    """A venue that offers everything but what is named (see `LACKABLE`).

    Raises:
        UsageError: a name is none of them.

    """
    lacks = frozenset(names)
    if not lacks:
        return EVERYTHING
    unknown = lacks.difference(LACKABLE)
    if unknown:
        raise UsageError(f"a venue cannot lack {', '.join(sorted(unknown))}; it can lack {', '.join(LACKABLE)}")
    return msgspec.structs.replace(
        EVERYTHING,
        order_types=EVERYTHING.order_types.difference(_TYPES[name] for name in lacks if name in _TYPES),
        times_in_force=EVERYTHING.times_in_force.difference(_TIMES[name] for name in lacks if name in _TIMES),
        **{flag: flag not in lacks for flag in _FLAGS},
    )


def unsupported(order: SubmitOrder, venue: VenueCapabilities) -> str:
    """What of an order the venue does not offer; empty when it offers all."""
    if order.order_type not in venue.order_types:
        return f"{order.order_type} orders"
    if order.time_in_force not in venue.times_in_force:
        return f"{order.time_in_force} orders"
    if order.terms is PLAIN:
        return ""
    if order.terms.post_only and not venue.post_only:
        return "post-only orders"
    return "OCO groups" if order.terms.oco and not venue.oco else ""
