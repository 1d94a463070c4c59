"""Virtual time for tests of what waits: it stands still until all sleep, then leaps to the first who wakes."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["VirtualTime"]

_NS = 1_000_000_000
_HOPS = 40
"""How many turns of the loop let everything that is runnable run: what one event sets off takes about ten."""


_SHORTEST_S = 1e-6
"""No sleep is shorter, as in reality: a rounding error must not keep the time from moving."""


class VirtualTime:
    """Clock and sleep for components that take both as arguments.

    `busy` tells that something real (a socket) is under way: time stands still meanwhile.
    """

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000, busy: Callable[[], bool] | None = None) -> None:
        self._start_ns = start_ns
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self.busy: Callable[[], bool] = busy or (lambda: False)

    def now(self) -> int:
        """Nanoseconds UTC."""
        return self._start_ns + int(self._elapsed * _NS)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until the time has come."""
        self._count += 1
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._elapsed + max(_SHORTEST_S, seconds), self._count, sleeper))
        await sleeper

    async def until(self, reached: Callable[[], bool], *, within_s: float = 600.0) -> None:
        """Let everything run, and time pass, until `reached`.

        Raises:
            TimeoutError: it was not reached within so many seconds.

        """
        end = self._elapsed + within_s
        while not reached():
            if await self._idle(reached) or self._leap(end):
                continue
            raise TimeoutError(f"not reached within {within_s} s, that is at {self._elapsed:.1f} s")

    async def pass_by(self, seconds: float) -> None:
        """Let everything run for so many seconds."""
        end = self._elapsed + seconds
        while self._elapsed < end:
            await self.settle()
            if not self._leap(end):
                self._elapsed = end
        await self.settle()

    async def settle(self) -> None:
        """Let everything run that is runnable now."""
        await self._idle(lambda: False)

    async def _idle(self, reached: Callable[[], bool]) -> bool:
        """Let run what is runnable, and what is real end; True if `reached` before that is over."""
        quiet = 0
        while quiet < _HOPS:
            await asyncio.sleep(0)
            if reached():
                return True
            quiet = 0 if self.busy() else quiet + 1  # what ends just now has consequences yet
        return False

    def _leap(self, end: float) -> bool:
        """Wake the first sleeper, if it is due by `end`."""
        while self._sleepers and self._sleepers[0][2].done():
            heappop(self._sleepers)
        if not self._sleepers or self._sleepers[0][0] > end:
            return False
        self._elapsed, _, sleeper = heappop(self._sleepers)
        sleeper.set_result(None)
        return True
