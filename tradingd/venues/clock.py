"""How far a venue's clock is from ours."""

from collections.abc import Sequence
from statistics import median_low

import msgspec

__all__ = ["ClockReading", "offset_ns"]

_BEST = 3
"""Of how many readings the median is taken: those with the shortest round trips, whose halving errs least."""


class ClockReading(msgspec.Struct, frozen=True):
    """One question for the time: ours when it was sent and when the answer came, and the venue's; nanoseconds."""

    sent_ns: int
    received_ns: int
    venue_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long the answer took."""
        return self.received_ns - self.sent_ns

    @property
    def offset_ns(self) -> int:
        """The venue's clock minus ours, had it read its clock half-way."""
        return self.venue_ns - (self.sent_ns + self.round_trip_ns // 2)


def offset_ns(readings: Sequence[ClockReading]) -> int:
    """The venue's clock minus ours: the median over the readings with the shortest round trips."""
    best = sorted(readings, key=lambda reading: reading.round_trip_ns)[:_BEST]
    return median_low([reading.offset_ns for reading in best])
