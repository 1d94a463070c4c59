"""Who may send next, and when: one weight budget for all connections of an account, with priorities.

ccxt's own throttle is one queue per instance, first come, first served: a cancel waited 30 s behind 300 market
calls. Each of our instances asks this budget instead (`guarded.py`), so the calls of an account share what the
venue allows and are served by lane. The higher lanes may use more of the budget than the lower ones: what the
market lane cannot touch is always there for a cancel.

`Allowance` decides and is pure; `WeightBudget` lets tasks wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from tradingd.errors import RateLimitedError
from tradingd.venues.model import Lane

__all__ = ["QUEUE_LIMIT", "Allowance", "WeightBudget"]

_SHARES: Final = {Lane.CANCEL: 1.0, Lane.ORDER: 0.95, Lane.EVIDENCE: 0.85, Lane.ACCOUNT: 0.75, Lane.MARKET: 0.65}
"""How much of the window's weight may be used when a lane's call is let through."""
_SLACK = 1e-9
_DEFAULT_WAIT_S = 10.0
"""How long to wait after a 429 that does not tell."""
_DEFAULT_BAN_S = 120.0
"""The shortest ban that venues hand out, for a 418 that does not tell."""
QUEUE_LIMIT = 2_000
"""How many calls of one lane may wait; more is a fault of whoever asks."""


class Allowance:
    """What may be sent now: the weights of the last window, and a stop until a ban ends. Times are seconds."""

    __slots__ = ("_spent", "_total", "capacity", "stopped_until", "window_s")

    def __init__(self, capacity: float, window_s: float) -> None:
        self.capacity = capacity
        self.window_s = window_s
        self.stopped_until = 0.0
        self._spent: deque[tuple[float, float]] = deque()
        self._total = 0.0

    def used(self, now: float) -> float:
        """The weight of the last window."""
        horizon = now - self.window_s
        while self._spent and self._spent[0][0] <= horizon:
            self._total -= self._spent.popleft()[1]
        if not self._spent:
            self._total = 0.0
        return self._total

    def wait(self, lane: Lane, cost: float, now: float) -> float:
        """How many seconds until `lane` may send a call of `cost`; 0 for now."""
        if now < self.stopped_until:
            return self.stopped_until - now
        room = max(_SHARES[lane] * self.capacity - cost, 0.0)
        excess = self.used(now) - room
        if excess <= _SLACK:
            return 0.0
        for at, weight in self._spent:
            excess -= weight
            if excess <= _SLACK:
                return max(at + self.window_s - now, 0.001)
        return self.window_s

    def spend(self, cost: float, now: float) -> None:
        """Count a call that goes out now."""
        if cost > 0:
            self._spent.append((now, cost))
            self._total += cost

    def told(self, fraction: float, now: float) -> None:
        """The venue tells how much of its limit is used: what others spent with this key counts, too."""
        missing = min(fraction, 1.0) * self.capacity - self.used(now)
        if missing > 1:
            self.spend(missing, now)

    def stop(self, seconds: float, now: float) -> None:
        """Nothing is sent for `seconds` from now."""
        self.stopped_until = max(self.stopped_until, now + seconds)


class WeightBudget:
    """The budget of one account: `turn` returns when it is a call's turn."""

    def __init__(
        self,
        *,
        capacity: float,
        window_s: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.allowance = Allowance(capacity, window_s)
        self._monotonic = monotonic
        self._sleep = sleep
        self._lanes: dict[Lane, deque[tuple[float, asyncio.Future[None]]]] = {lane: deque() for lane in Lane}
        self._server: asyncio.Task[None] | None = None
        self._head: Lane | None = None
        self._last_nonce = 0

    def next_nonce(self, nonce: int) -> int:
        """`nonce`, or the least that is greater than any before: an account's connections share their order."""
        self._last_nonce = max(nonce, self._last_nonce + 1)
        return self._last_nonce

    def banned_for(self) -> float:
        """How many seconds nothing may be sent; 0 where nothing stops us."""
        return max(self.allowance.stopped_until - self._monotonic(), 0.0)

    @property
    def load(self) -> float:
        """How much of the budget the last window used, from 0 to 1."""
        return min(self.allowance.used(self._monotonic()) / self.allowance.capacity, 1.0)

    def waiting(self, lane: Lane) -> int:
        """How many calls of a lane wait for their turn."""
        return len(self._lanes[lane])

    async def turn(self, lane: Lane, cost: float) -> None:
        """Wait until a call of `cost` may go out.

        Raises:
            RateLimitedError: the venue told us to stop for a time that is not over, or too many wait already.

        """
        self._refuse_while_stopped()
        if not any(self._lanes.values()) and not self.allowance.wait(lane, cost, self._monotonic()):
            self.allowance.spend(cost, self._monotonic())
            return
        await self._queued(lane, cost)

    def _refuse_while_stopped(self) -> None:
        banned = self.banned_for()
        if banned:
            raise RateLimitedError(f"the venue asked us to wait; {banned:.1f} s are left", banned)

    async def _queued(self, lane: Lane, cost: float) -> None:
        queue = self._lanes[lane]
        if len(queue) >= QUEUE_LIMIT:
            raise RateLimitedError(f"{QUEUE_LIMIT} calls of the lane {lane.name} wait already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append((cost, turn))
        self._serve()
        await turn

    def _serve(self) -> None:
        """Let through who may go, and see to it that somebody looks again when the next one may."""
        wait = self._let_through()
        head = self._first()
        if head is None:
            return
        if self._server is not None and not self._server.done():
            if head == self._head:
                return
            self._server.cancel()
        self._head = head
        self._server = asyncio.get_running_loop().create_task(self._look_again(wait), name="weight budget")

    async def _look_again(self, wait: float) -> None:
        await self._sleep(wait)
        self._server = None
        self._serve()

    def _first(self) -> Lane | None:
        return next((lane for lane, queue in self._lanes.items() if queue), None)

    def _let_through(self) -> float:
        """The wait of the first that may not go yet; those behind it wait as well, so that it is not starved."""
        for lane, queue in self._lanes.items():
            while queue:
                cost, turn = queue[0]
                if turn.done():
                    queue.popleft()
                    continue
                now = self._monotonic()
                wait = self.allowance.wait(lane, cost, now)
                if wait:
                    return wait
                queue.popleft()
                self.allowance.spend(cost, now)
                turn.set_result(None)
        return 0.0

    def told(self, fraction: float) -> None:
        """The venue told how much of its limit is used."""
        self.allowance.told(fraction, self._monotonic())

    def stop(self, retry_after_s: float | None, *, is_ban: bool) -> float:
        """The venue refused for too many requests; who waits is told. Returns for how many seconds we stop."""
        seconds = retry_after_s if retry_after_s is not None else (_DEFAULT_BAN_S if is_ban else _DEFAULT_WAIT_S)
        self.allowance.stop(seconds, self._monotonic())
        for queue in self._lanes.values():
            while queue:
                _, turn = queue.popleft()
                if not turn.done():
                    turn.set_exception(RateLimitedError(f"the venue asks us to wait {seconds:.1f} s", seconds))
        return seconds

    def close(self) -> None:
        """Nobody waits any more."""
        if self._server is not None:
            self._server.cancel()
        self._server = None
