"""Time: clocks, timers that run on them, and how long to wait before a restart.

Everything in a run tells time by one injected clock: market data moves a `ManualClock` in backtests and replays,
the machine's own time moves a `SteppedClock` in live trading. `TimerQueue` works on either, so timers fire at the
same instants in a replay as in the session it replays.
"""

import time
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final, NamedTuple

import msgspec

from tradingd.domain.events import Timer
from tradingd.domain.ports import Clock
from tradingd.errors import UsageError

__all__ = ["NEVER", "Backoff", "ManualClock", "RestartBudget", "SteppedClock", "TimerQueue", "steady_wall_time"]

NEVER: Final = 2**63 - 1
"""The due time of a queue without timers: later than any event."""

_NS_PER_S: Final = 1_000_000_000
_STALE_ALLOWED: Final = 64
"""How many replaced or stopped timers may wait in the heap, beyond the number of armed ones."""
_MAX_EXPONENT: Final = 64
"""Keeps `factor ** restarts` a finite float; `max_s` has long capped the delay by then."""


class ManualClock:
    """A clock that stands still until it is moved; it never goes back."""

    __slots__ = ("_now",)

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        return self._now

    def advance_to(self, ns: int) -> None:
        """Move to `ns`; the present instant is allowed, an earlier one is not.

        Raises:
            UsageError: `ns` is in the past.

        """
        if ns < self._now:
            raise UsageError(f"the clock stands at {self._now} ns and cannot go back to {ns} ns")
        self._now = ns

    def reach(self, ts: int) -> int:
        """What time it is once an event of `ts` is handled: just that."""
        return ts

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` (>= 0), rounded to a nanosecond.

        Raises:
            UsageError: `seconds` is negative.

        """
        self.advance_to(self._now + round(seconds * _NS_PER_S))


class SteppedClock:
    """A clock that follows the machine's time, one step per handled event, and stands still in between.

    All that one event sets off thus sees one time, and a replay that steps by the recorded times sees the same.
    `source` tells the time to step to, nanoseconds UTC; it never goes back here, whatever it says.
    """

    __slots__ = ("_now", "_source")

    def __init__(self, source: Callable[[], int]) -> None:
        self._source = source
        self._now = source()

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC, at the latest step."""
        return self._now

    def reach(self, ts: int) -> int:  # noqa: ARG002 - when an event says it happened is not what time it is
        """What time it is once an event of `ts` is handled."""
        return max(self._now, self._source())

    def advance_to(self, ns: int) -> None:
        """Step to `ns`, unless that is past."""
        self._now = max(self._now, ns)


def steady_wall_time() -> Callable[[], int]:
    """A source of wall time that no step of the machine's clock moves: it is read once, then counted on.

    Durations are thus right whatever happens to the clock, and times in signatures are not taken from here.
    """
    began, at = time.time_ns(), time.monotonic_ns()
    return lambda: began + time.monotonic_ns() - at


class _Armed(NamedTuple):
    """One timer in the heap; its order there is due time first, then who was scheduled first."""

    due: int
    number: int
    interval: int
    owner: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        return self.owner, self.name

    def due_by(self, now_ns: int) -> "_Armed":
        """The same timer at its latest due instant that is not after `now_ns`."""
        late = (now_ns - self.due) // self.interval if self.interval else 0
        return self._replace(due=self.due + late * self.interval) if late else self


class TimerQueue:
    """Timers on a run's own time, repeating ones and such for one instant.

    The driver compares the time of each market event with `next_due` and, when that is reached, delivers what
    `pop_due` yields before the event itself.

    A timer fires at its due instants: `interval`, 2 x `interval`, ... after it was scheduled, whenever those are
    noticed. Time that moves in a leap (a weekend, an outage, a clock that starts at zero) does not flood: when a
    timer is late by one interval or more, what it missed is coalesced into one firing at its latest due instant.
    So one call of `pop_due` yields a timer at most once, and its phase never drifts. A timer for one instant
    (`schedule_at`) is never coalesced.

    Timers set while others fire count at once: one that is due by then fires in its turn.
    """

    __slots__ = ("_armed", "_clock", "_heap", "_scheduled", "next_due")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[_Armed] = []
        self._armed: dict[tuple[str, str], _Armed] = {}
        self._scheduled = 0
        self.next_due: int = NEVER
        """When the next timer is due, in nanoseconds, or `NEVER`; read only."""

    def schedule(self, owner: str, name: str, interval_ns: int) -> None:
        """Deliver a Timer to `owner` every `interval_ns`, first one interval from now; replaces its namesake.

        Raises:
            UsageError: the interval is not greater than 0.

        """
        if interval_ns <= 0:
            raise UsageError(f"timer {name!r} of {owner}: the interval must be above 0 ns, it is {interval_ns}")
        self._scheduled += 1
        self._arm(_Armed(self._clock.now() + interval_ns, self._scheduled, interval_ns, owner, name))
        self._settle()

    def schedule_at(self, owner: str, name: str, due_ns: int) -> None:
        """Deliver one Timer to `owner` at `due_ns`, or now where that is past; replaces its namesake."""
        self._scheduled += 1
        self._arm(_Armed(max(due_ns, self._clock.now()), self._scheduled, 0, owner, name))
        self._settle()

    def unschedule(self, owner: str, name: str) -> None:
        """Stop that timer, also if it is due already; an unknown one is no error."""
        self._armed.pop((owner, name), None)
        self._settle()

    def pop_due(self, now_ns: int) -> Iterator[Timer]:
        """The timers due by `now_ns` in the order (due, scheduled), repeating ones armed again for the next time.

        A timer that is unscheduled or replaced while this iterates is not yielded any more; one that is scheduled
        meanwhile, and due by `now_ns`, is.
        """
        while self.next_due <= now_ns:
            timer = heappop(self._heap)
            due = timer.due_by(now_ns)
            if due is not timer:
                self._arm(due)  # what it missed is coalesced: others may come before it now
                self._settle()
                continue
            if timer.interval:
                self._arm(timer._replace(due=timer.due + timer.interval))
            else:
                del self._armed[timer.key]
            self._settle()
            yield Timer(timer.due, timer.owner, timer.name)

    def _arm(self, timer: _Armed) -> None:
        self._armed[timer.key] = timer
        heappush(self._heap, timer)

    def _settle(self) -> None:
        """Shed replaced and stopped timers, and note what is due next.

        Those at the top always go; the others only when there are many, so that it costs next to nothing each.
        """
        heap = self._heap
        if len(heap) > 2 * len(self._armed) + _STALE_ALLOWED:
            heap[:] = self._armed.values()
            heapify(heap)
        while heap and self._armed.get(heap[0].key) is not heap[0]:
            heappop(heap)
        self.next_due = heap[0].due if heap else NEVER


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait before a restart: `initial_s * factor ** n`, at most `max_s`, give or take `jitter`.

    `jitter` is a fraction: 0.2 spreads the delay evenly over 80 % to 120 % (still at most `max_s`), so that tasks
    which lost the same connection do not come back in step.
    """

    initial_s: float = 0.5
    max_s: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if not (0 < self.initial_s <= self.max_s and self.factor >= 1 and 0 <= self.jitter < 1):
            raise UsageError(f"{self}: need 0 < initial_s <= max_s, factor >= 1 and 0 <= jitter < 1")

    def delay(self, restarts: int, random: Random) -> float:
        """Seconds to wait after `restarts` earlier ones."""
        exact = min(self.max_s, self.initial_s * self.factor ** min(restarts, _MAX_EXPONENT))
        return min(self.max_s, exact * (1 + self.jitter * (2 * random.random() - 1)))


class RestartBudget(msgspec.Struct, frozen=True):
    """At most `max_restarts` in any `per_s` seconds; a calm stretch of that length restores it all."""

    max_restarts: int = 5
    per_s: float = 300.0

    def __post_init__(self) -> None:
        if self.max_restarts < 0 or self.per_s <= 0:
            raise UsageError(f"{self}: need max_restarts >= 0 and per_s > 0")
