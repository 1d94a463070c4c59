"""When streams are opened: staggered at the start, jittered backoff after failures, so many a minute at most.

A venue that closes all sockets at once (every 24 hours, after maintenance) would otherwise be dialled by all
streams in the same instant, again and again, until it refuses handshakes or bans the address.
"""

from collections import deque
from random import Random

__all__ = ["Dialer"]

_MINUTE_S = 60.0
_MAX_EXPONENT = 16


class Dialer:
    """Tells every stream of one venue how long to wait before it is opened. Times are monotonic seconds."""

    __slots__ = ("_base_s", "_most_s", "_per_minute", "_random", "_recent", "_stagger_s", "dials")

    def __init__(
        self,
        random: Random,
        *,
        per_minute: int = 120,
        stagger_s: float = 0.05,
        base_s: float = 0.25,
        most_s: float = 30.0,
    ) -> None:
        self._random = random
        self._per_minute = per_minute
        self._stagger_s = stagger_s
        self._base_s, self._most_s = base_s, most_s
        self._recent: deque[float] = deque()
        """When the last dials were, or will be: so many as a minute may have."""
        self.dials = 0

    def first(self, number: int, now: float) -> float:
        """How long the stream of this number waits at the start."""
        return self._booked(now, number * self._stagger_s)

    def again(self, failures: int, now: float, retry_after_s: float | None = None) -> float:
        """How long a stream waits that failed `failures` times in a row, after the time that the venue asked for.

        Half of the delay is random, so that streams that failed together do not come back together.
        """
        full = min(self._most_s, self._base_s * 2 ** min(failures, _MAX_EXPONENT))
        delay = full / 2 + self._random.random() * full / 2
        return self._booked(now, delay + (retry_after_s or 0.0))

    def _booked(self, now: float, delay: float) -> float:
        due = now + delay
        if len(self._recent) >= self._per_minute:
            due = max(due, self._recent.popleft() + _MINUTE_S)
        self._recent.append(due)
        self.dials += 1
        return due - now
