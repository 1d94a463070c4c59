"""When an order whose answer is missing may be believed absent.

The venue may have the order until the contrary is proved. What proves it: enough validated reads (`reads`), from
different endpoints (`endpoints`), none of which knew the order, the first and the last of them far enough apart
(`span_s`, or the venue's own `visibility_s`), and a balance that moved by nothing but trades that we know.
A failed read is no read. Each read counts from the moment it was asked for.
"""

from enum import StrEnum

import msgspec

from tradingd.broker.ccxt.policy import EvidencePolicy

__all__ = ["Case", "Endpoint"]


_SLOWER = 4
"""A search that has halted its instrument goes on more slowly: it must not use up what cancels need."""


class Endpoint(StrEnum):
    """Where a read looked."""

    ORDER = "order"
    OPEN = "open orders"
    CLOSED = "closed orders"
    TRADES = "trades"


class Case(msgspec.Struct):
    """The search for one order. Times are seconds of the monotonic clock."""

    opened: float
    why: str
    """Why its answer is missing."""
    span_s: float
    asked: dict[Endpoint, list[float]] = msgspec.field(default_factory=dict)
    """When each endpoint was asked, in reads that did not know the order."""
    known: bool = False
    """Whether the venue has said, without showing it, that it has the order: it can never be absent then."""
    unexplained: bool = False
    """Whether the balances moved by more than the trades that we know."""

    def note(self, endpoint: Endpoint, asked_at: float) -> None:
        """A validated read, asked for at `asked_at`, did not know the order."""
        if asked_at >= self.opened:
            self.asked.setdefault(endpoint, []).append(asked_at)

    @property
    def count(self) -> int:
        """How many reads did not know the order."""
        return sum(map(len, self.asked.values()))

    @property
    def first(self) -> float | None:
        """When the first of them was asked for."""
        return min((times[0] for times in self.asked.values()), default=None)

    def unseen(self, policy: EvidencePolicy) -> bool:
        """Whether the reads suffice; the balances have to be looked at besides."""
        if self.known or self.count < policy.reads or len(self.asked) < policy.endpoints:
            return False
        # Those endpoints are needed that looked late enough, not merely one of them again and again.
        first = self.first or 0.0
        late = [endpoint for endpoint, times in self.asked.items() if times[-1] - first >= self.span_s]
        return len(late) >= policy.endpoints

    def overdue(self, now: float, policy: EvidencePolicy) -> bool:
        """Whether the search has lasted too long to let its instrument trade on."""
        return now - self.opened >= policy.halt_s

    def next_read(self, now: float, tries: int, policy: EvidencePolicy) -> float:
        """When to look again: with a growing pause, and right when the span is over, and when it is overdue."""
        due = now + policy.pause(tries) * (_SLOWER if self.overdue(now, policy) else 1)
        first = self.first
        for moment in (self.opened + policy.halt_s, *(() if first is None else (first + self.span_s,))):
            if now < moment < due:
                due = moment
        return due

    def __str__(self) -> str:
        looked = ", ".join(f"{endpoint} {len(times)} times" for endpoint, times in self.asked.items())
        return f"{self.why}; not seen in {looked or 'no read yet'}" + (
            "; the balance moved by more than the trades we know" if self.unexplained else ""
        )
