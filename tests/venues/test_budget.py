"""Who may send when the weight budget is short."""

import asyncio
from collections.abc import Awaitable

import pytest

from tradingd.errors import RateLimitedError
from tradingd.venues.budget import QUEUE_LIMIT, Allowance, WeightBudget
from tradingd.venues.model import Lane


class Hours:
    """A clock that is moved by hand; who sleeps wakes when it has come so far."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> Awaitable[None]:
        waking = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, waking))
        return waking

    async def go(self, seconds: float) -> None:
        self.now += seconds
        for due, waking in self._sleepers:
            if due <= self.now + 1e-9 and not waking.done():
                waking.set_result(None)
        await settle()


async def settle() -> None:
    """Let all tasks go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def budget(hours: Hours, capacity: float = 100, window_s: float = 60) -> WeightBudget:
    """A budget by that clock."""
    return WeightBudget(capacity=capacity, window_s=window_s, monotonic=hours.monotonic, sleep=hours.sleep)


def test_what_was_spent_comes_back_after_the_window() -> None:
    """A weight counts for exactly one window."""
    allowance = Allowance(10, 60)
    allowance.spend(10, now=0)
    assert allowance.wait(Lane.CANCEL, 1, now=59) == pytest.approx(1)
    assert allowance.wait(Lane.CANCEL, 1, now=60) == 0


@pytest.mark.parametrize(
    ("used", "goes"), [(64, Lane.MARKET), (74, Lane.ACCOUNT), (84, Lane.EVIDENCE), (94, Lane.ORDER)]
)
def test_a_part_is_kept_for_the_lanes_above(used: float, goes: Lane) -> None:
    """Market calls stop at 65 %, account reads at 75 %, evidence at 85 %, orders at 95 %; cancels have all."""
    allowance = Allowance(100, 60)
    allowance.spend(used, now=0)
    assert [lane for lane in Lane if allowance.wait(lane, 1, now=0) == 0] == [
        lane for lane in Lane if lane <= goes
    ]


def test_a_call_that_costs_more_than_the_budget_goes_alone() -> None:
    """It would wait for ever otherwise."""
    allowance = Allowance(10, 60)
    assert allowance.wait(Lane.MARKET, 50, now=0) == 0
    allowance.spend(1, now=0)
    assert allowance.wait(Lane.MARKET, 50, now=0) > 0


def test_what_the_venue_tells_counts() -> None:
    """Another program with the same key uses the same limit."""
    allowance = Allowance(100, 60)
    allowance.told(0.7, now=0)
    assert allowance.wait(Lane.MARKET, 1, now=0) > 0
    assert allowance.wait(Lane.ACCOUNT, 1, now=0) == 0


async def test_a_cancel_is_not_behind_300_market_calls() -> None:
    """However many market calls wait, a cancel goes at once."""
    hours = Hours()
    shared = budget(hours)
    market = [asyncio.create_task(shared.turn(Lane.MARKET, 1)) for _ in range(365)]
    await settle()
    assert shared.waiting(Lane.MARKET) == 300
    async with asyncio.timeout(0):
        await shared.turn(Lane.CANCEL, 1)
    for task in market:
        task.cancel()
    shared.close()


async def test_who_waits_is_served_by_lane_when_there_is_room() -> None:
    """The order of service is the lanes' order, not that of arrival."""
    hours, served = Hours(), list[Lane]()
    shared = budget(hours, capacity=1)
    await shared.turn(Lane.CANCEL, 1)

    async def one(lane: Lane) -> None:
        await shared.turn(lane, 1)
        served.append(lane)

    tasks = [asyncio.create_task(one(lane)) for lane in (Lane.MARKET, Lane.EVIDENCE, Lane.CANCEL, Lane.ORDER)]
    await settle()
    for _ in tasks:
        await hours.go(60)
    assert served == [Lane.CANCEL, Lane.ORDER, Lane.EVIDENCE, Lane.MARKET]
    shared.close()


async def test_one_who_gave_up_does_not_hold_up_the_others() -> None:
    """A canceled call leaves its place."""
    hours = Hours()
    shared = budget(hours, capacity=1)
    await shared.turn(Lane.CANCEL, 1)
    first, second = (asyncio.create_task(shared.turn(Lane.ORDER, 1)) for _ in range(2))
    await settle()
    first.cancel()
    await hours.go(60)
    assert second.done()
    assert not second.cancelled()
    shared.close()


async def test_retry_after_stops_every_lane_and_tells_for_how_long() -> None:
    """After a 429 nothing is sent until the time is over, not even what waited."""
    hours = Hours()
    shared = budget(hours, capacity=1)
    await shared.turn(Lane.CANCEL, 1)
    waiting = asyncio.create_task(shared.turn(Lane.MARKET, 1))
    await settle()
    shared.stop(7, is_ban=False)
    with pytest.raises(RateLimitedError):
        await waiting
    with pytest.raises(RateLimitedError) as caught:
        await shared.turn(Lane.CANCEL, 1)
    assert caught.value.retry_after_s == 7
    await hours.go(60)
    await shared.turn(Lane.CANCEL, 1)
    shared.close()


async def test_a_ban_that_tells_no_time_is_taken_for_the_shortest_there_is() -> None:
    """A 418 without Retry-After stops us for two minutes."""
    shared = budget(Hours())
    assert shared.stop(None, is_ban=True) == 120


async def test_no_queue_is_without_a_bound() -> None:
    """Whoever asks without end is refused instead of filling memory."""
    hours = Hours()
    shared = budget(hours, capacity=1)
    await shared.turn(Lane.CANCEL, 1)
    tasks = [asyncio.create_task(shared.turn(Lane.MARKET, 1)) for _ in range(QUEUE_LIMIT)]
    await settle()
    with pytest.raises(RateLimitedError, match="wait already"):
        await shared.turn(Lane.MARKET, 1)
    for task in tasks:
        task.cancel()
    shared.close()


def test_nonces_only_grow() -> None:
    """Two connections of an account never send the same nonce, nor a lesser one."""
    shared = budget(Hours())
    assert [shared.next_nonce(5), shared.next_nonce(5), shared.next_nonce(3), shared.next_nonce(9)] == [5, 6, 7, 9]
