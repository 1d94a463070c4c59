"""How far the venue can be traded with: one condition out of what calls and streams meet."""

from collections.abc import Callable

from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events import Event, HaltRequest, VenueCondition, VenueStatus

__all__ = ["Link"]

_ACCOUNT = "account"
"""The key of a halt of everything."""
_NEVER = float("inf")


class Link:
    """Keeps the condition and tells its changes by `tell`.

    CONNECTING and DOWN are left by catching up: open orders and trades are read, then READY. A stream that was
    lost counts as there again when it has been dialed anew and has not failed for a moment; a longer one where it
    failed several times in a row. REFUSED is final: the key is tried no more, and the account is halted.
    """

    def __init__(
        self,
        venue: str,
        policy: EvidencePolicy,
        *,
        tell: Callable[[Event], None],
        now: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._venue = venue
        self._policy = policy
        self._tell = tell
        self._now = now
        self._monotonic = monotonic
        self._up_at: dict[str, float] = {}
        """By stream: from when on it counts as there."""
        self._losses: dict[str, int] = {}
        self._failures = 0
        self._wait_until = 0.0
        self.condition = VenueCondition.CONNECTING
        self.reason = ""

    def start(self) -> None:
        """Tell the condition to begin with."""
        self._tell(VenueStatus(self._now(), self._venue, self.condition, "starting"))

    # --- calls -----------------------------------------------------------------------------------------------

    def answered(self) -> None:
        """A call was answered: the venue is there."""
        self._failures = 0

    def failed(self, why: str, *, wait_s: float | None = None) -> None:
        """A read got no answer. `wait_s`: the venue asks us to wait, or bans us, for so long."""
        self._failures += 1
        if wait_s is not None:
            self._wait_until = max(self._wait_until, self._monotonic() + wait_s)
        if wait_s is not None or self._failures >= self._policy.down_after:
            self._become(VenueCondition.DOWN, why)

    def refused(self, why: str) -> None:
        """The venue refuses the key."""
        if self.condition is not VenueCondition.REFUSED:
            self._become(VenueCondition.REFUSED, why)
            reason = f"{self._venue} refuses the key: {why}"
            self._tell(HaltRequest(self._now(), HaltScope.ACCOUNT, _ACCOUNT, HaltState.NO_NEW, reason))

    # --- streams ---------------------------------------------------------------------------------------------

    def stream_lost(self, name: str, why: str) -> None:
        """A stream failed: what it did not tell has to be read."""
        self._losses[name] = self._losses.get(name, 0) + 1
        self._up_at[name] = _NEVER
        if self.condition in {VenueCondition.READY, VenueCondition.CATCHING_UP}:
            self._become(VenueCondition.CONNECTING, f"stream {name}: {why}")

    def stream_dialed(self, name: str) -> None:
        """A stream is awaited anew."""
        if name in self._up_at:
            policy = self._policy
            proven_s = policy.stream_soon_s if self._losses[name] == 1 else policy.stream_later_s
            self._up_at[name] = self._monotonic() + proven_s

    def stream_heard(self, name: str) -> None:
        """A stream told something."""
        if self._losses.get(name):
            self._losses[name] = 0
            self._up_at[name] = self._monotonic()

    # --- catching up -----------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether nothing has to be caught up with."""
        return self.condition is VenueCondition.READY

    @property
    def is_refused(self) -> bool:
        """Whether the venue refuses the key."""
        return self.condition is VenueCondition.REFUSED

    @property
    def hindrance(self) -> str:
        """Why no order may be sent now, as it could only be refused or lost; empty when it may."""
        if self.condition in {VenueCondition.DOWN, VenueCondition.REFUSED}:
            return f"the venue is {self.condition}: {self.reason}"
        return ""

    @property
    def begins_at(self) -> float:
        """From when on it is of use to catch up: every stream is there, the venue does not ask us to wait."""
        return max(self._wait_until, *self._up_at.values(), 0.0)

    def catching_up(self) -> None:
        """What happened meanwhile is being read."""
        if not self.is_refused:
            self._become(VenueCondition.CATCHING_UP, self.reason)

    def caught_up(self) -> bool:
        """All has been read; False where the connection was lost again meanwhile."""
        if self.condition is not VenueCondition.CATCHING_UP:
            return False
        self._become(VenueCondition.READY, "")
        return True

    def _become(self, condition: VenueCondition, reason: str) -> None:
        if self.condition is VenueCondition.REFUSED or self.condition is condition:
            return
        self.condition, self.reason = condition, reason
        self._tell(VenueStatus(self._now(), self._venue, condition, reason))
