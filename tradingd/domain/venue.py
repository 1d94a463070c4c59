"""What a venue can do of itself: all else is emulated by execution, or refused."""

from collections.abc import Mapping

import msgspec

from tradingd.domain.enums import OrderType, TimeInForce

__all__ = ["EVERYTHING", "VenueCapabilities", "Venues"]


class VenueCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue offers natively. The default offers everything, as the simulated one does unless told."""

    order_types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    post_only: bool = True
    oco: bool = True
    """Whether it takes what fills of one order of a group from the others at once, so that both never fill."""
    modify: bool = True
    """Whether a working order can be changed without being canceled."""


EVERYTHING = VenueCapabilities()

Venues = Mapping[str, VenueCapabilities]
"""Capabilities by venue; a venue that is not in it offers everything."""
