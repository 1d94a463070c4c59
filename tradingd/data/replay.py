"""Replay: recorded market data fed to a running daemon at a chosen pace."""

from collections.abc import Awaitable, Callable, Iterable

from tradingd.domain.events import FeedEvent

__all__ = ["ReplayFeed"]

_NS = 1_000_000_000
_WORTH_SLEEPING_S = 0.005
"""Shorter waits are left to add up: a timer of the loop costs more than it would smooth."""


class ReplayFeed:
    """Publishes events in order, no sooner than their pace allows.

    `speed` is how many seconds of data pass in a second; None is as fast as the daemon can take it. Time and
    sleeping are passed in, so that a test needs neither.
    """

    def __init__(
        self,
        events: Iterable[FeedEvent],
        *,
        first_ts: int,
        publish: Callable[[FeedEvent], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
        speed: float | None = None,
    ) -> None:
        self._events = events
        self._first_ts = first_ts
        self._publish = publish
        self._sleep = sleep
        self._monotonic = monotonic
        self._speed = speed
        self.delivered = 0

    async def run(self) -> None:
        """Publish all events, then return."""
        began = self._monotonic()
        for event in self._events:
            if self._speed is not None:
                due = (event.ts - self._first_ts) / _NS / self._speed
                ahead = due - (self._monotonic() - began)
                if ahead > _WORTH_SLEEPING_S:
                    await self._sleep(ahead)
            await self._publish(event)
            self.delivered += 1
