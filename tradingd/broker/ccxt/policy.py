"""What counts as proof, and how long we look for it."""

import msgspec

from tradingd.errors import UsageError

__all__ = ["EvidencePolicy"]

_EASY = 0.25
"""Up to that load, reads are not spared."""
_MAX_EXPONENT = 32
"""Keeps `factor ** tries` a finite float; `longest_s` has long capped the delay by then."""


class EvidencePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The figures by which the broker believes a venue; all durations are seconds of the monotonic clock."""

    reads: int = 3
    """How many validated reads must not know an order before it counts as absent."""
    endpoints: int = 2
    """From how many different endpoints these have to come."""
    span_s: float = 30.0
    """Over how long they have to spread; a venue's `visibility_s` where that is longer."""
    halt_s: float = 60.0
    """When an order's fate is still not known after this, its instrument is halted; the search goes on."""
    settle_s: float = 60.0
    """When an order is over and the trades still do not add up after this, its instrument is halted."""
    edit_span_s: float = 10.0
    """How long an order has to be read unchanged before a change with no answer counts as not made."""
    first_s: float = 0.25
    """The pause before the first repeated read or cancel."""
    factor: float = 2.0
    longest_s: float = 15.0
    poll_s: float = 5.0
    """How often the trades of a symbol with working orders are read, whatever the streams say."""
    least_pause_s: float = 0.1
    """Between two reads of one symbol's trades, while the venue's budget is hardly used."""
    pause_by_load_s: float = 4.0
    """How much longer that is for each whole of the budget that is used beyond a quarter: many trades in one read
    instead of many reads."""
    late_s: float = 30.0
    """For how long that goes on after an order is over; the venue's `visibility_s` where that is longer."""
    overlap_s: float = 60.0
    """How far back from the latest known trade a read of trades begins, for those that become visible late."""
    barrier_s: float = 60.0
    quiet_s: float = 2.0
    """A barrier needs that long without a trade."""
    stream_grace_s: float = 15.0
    """A stream that does not tell of what a read found for so long is dead."""
    stream_soon_s: float = 0.5
    """A stream that was lost counts as there again when it has been dialed and has not failed for so long."""
    stream_later_s: float = 5.0
    """The same where it failed several times in a row."""
    stale_s: float = 2.0
    """An order that could not be sent for so long is not sent any more."""
    down_after: int = 3
    """After how many failed reads in a row the venue counts as DOWN."""
    refresh_s: float = 60.0
    """The markets are not read anew more often than this, however many orders are refused."""

    def __post_init__(self) -> None:
        if self.reads < 1 or self.endpoints < 1 or self.first_s <= 0 or self.factor < 1:
            raise UsageError(f"{self}: need reads >= 1, endpoints >= 1, first_s > 0 and factor >= 1")

    def pause(self, tries: int) -> float:
        """How long to wait before trying again after `tries` tries."""
        return min(self.longest_s, self.first_s * self.factor ** min(tries, _MAX_EXPONENT))

    def between_reads(self, load: float) -> float:
        """How long to wait between two reads of one symbol's trades when `load` of the budget is used."""
        return self.least_pause_s + self.pause_by_load_s * max(0.0, load - _EASY)
