"""Clocks, timers and backoff."""

import time
from collections.abc import Callable
from random import Random

import pytest

from tradingd.domain.events import Timer
from tradingd.domain.ports import Clock, TimerService
from tradingd.errors import UsageError
from tradingd.runtime.clock import (
    NEVER,
    Backoff,
    ManualClock,
    RestartBudget,
    SteppedClock,
    TimerQueue,
    steady_wall_time,
)

SECOND = 1_000_000_000


def fired(timers: TimerQueue, now_ns: int) -> list[tuple[int, str, str]]:
    """What fires by `now_ns`, as plain tuples."""
    return [(timer.ts, timer.strategy_id, timer.name) for timer in timers.pop_due(now_ns)]


def test_manual_clock_stands_still() -> None:
    """A manual clock tells its start until it is moved."""
    clock: Clock = ManualClock(7)
    assert [clock.now(), clock.now()] == [7, 7]


def test_manual_clock_moves_to_an_instant() -> None:
    """advance_to sets the time, and the present instant is allowed."""
    clock = ManualClock()
    clock.advance_to(5)
    clock.advance_to(5)
    assert clock.now() == 5


def test_manual_clock_moves_by_seconds() -> None:
    """Advance counts in seconds, exact to the nanosecond."""
    clock = ManualClock(1)
    clock.advance(0.1)
    assert clock.now() == 100_000_001


@pytest.mark.parametrize("move", [lambda c: c.advance_to(99), lambda c: c.advance(-1e-9)])
def test_manual_clock_never_goes_back(move: Callable[[ManualClock], None]) -> None:
    """Moving a clock into the past raises and leaves it where it is."""
    clock = ManualClock(100)
    with pytest.raises(UsageError, match="cannot go back"):
        move(clock)
    assert clock.now() == 100


def test_steady_wall_time_starts_at_the_machine_time() -> None:
    """The steady time begins at the machine's wall time and counts on from there."""
    before = time.time_ns()
    source = steady_wall_time()
    first = source()
    assert before <= first <= time.time_ns() + 1_000_000
    assert source() >= first


def test_stepped_clock_stands_still_between_steps() -> None:
    """A stepped clock tells one time until it is moved on, whatever its source says meanwhile."""
    times = iter((100, 150, 170))
    clock = SteppedClock(lambda: next(times))
    stepped: Clock = clock
    assert stepped.now() == 100
    assert clock.reach(7) == 150
    assert stepped.now() == 100
    clock.advance_to(150)
    assert stepped.now() == 150


def test_stepped_clock_never_goes_back() -> None:
    """A source that jumps back does not take the clock with it."""
    times = iter((100, 40))
    clock = SteppedClock(lambda: next(times))
    assert clock.reach(0) == 100
    clock.advance_to(60)
    assert clock.now() == 100


def test_no_timer_is_never_due() -> None:
    """An empty queue's next_due is later than any event."""
    assert TimerQueue(ManualClock()).next_due == NEVER


def test_first_firing_is_one_interval_from_now() -> None:
    """A timer is due one interval after it was scheduled, not at once."""
    timers = TimerQueue(ManualClock(100))
    service: TimerService = timers
    service.schedule("s", "t", 10)
    assert (timers.next_due, fired(timers, 109)) == (110, [])


def test_a_timer_event_carries_its_due_time_and_owner() -> None:
    """What fires is a Timer event whose ts is when it was due, not when that was noticed."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "t", 10)
    assert list(timers.pop_due(14)) == [Timer(10, "s", "t")]


def test_a_timer_repeats_without_drift() -> None:
    """Firings noticed late do not shift the later ones."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "t", 10)
    assert [fired(timers, now)[0][0] for now in (13, 25, 30)] == [10, 20, 30]


def test_due_timers_fire_in_order_of_due_time_then_of_scheduling() -> None:
    """The order is (due, insertion), whoever owns the timers."""
    timers = TimerQueue(ManualClock())
    timers.schedule("b", "late", 12)
    timers.schedule("z", "first", 10)
    timers.schedule("a", "second", 10)
    assert [name for _, _, name in fired(timers, 12)] == ["first", "second", "late"]


def test_the_order_of_scheduling_outlives_rearming() -> None:
    """Timers of different intervals that meet fire in the order they were scheduled in."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "slow", 20)
    timers.schedule("s", "quick", 10)
    assert fired(timers, 10) == [(10, "s", "quick")]
    assert fired(timers, 20) == [(20, "s", "slow"), (20, "s", "quick")]


def test_a_gap_fires_a_timer_once_at_its_latest_due_instant() -> None:
    """A weekend without data gives one firing, not thousands."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "t", 10)
    assert fired(timers, 1_000_007) == [(1_000_000, "s", "t")]
    assert timers.next_due == 1_000_010


def test_timers_coalesced_over_a_gap_stay_in_order() -> None:
    """After a gap the order is that of the instants that are told, not of those that were missed."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "quick", 3)
    timers.schedule("s", "slow", 50)
    assert fired(timers, 100) == [(99, "s", "quick"), (100, "s", "slow")]


def test_rescheduling_replaces_the_timer() -> None:
    """A second schedule of the same (owner, name) leaves one timer, with the new interval from now."""
    clock = ManualClock()
    timers = TimerQueue(clock)
    timers.schedule("s", "t", 10)
    clock.advance_to(5)
    timers.schedule("s", "t", 100)
    assert (timers.next_due, fired(timers, 104), fired(timers, 105)) == (105, [], [(105, "s", "t")])


def test_unscheduling_stops_the_timer() -> None:
    """An unscheduled timer fires no more, and next_due knows at once."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "t", 10)
    timers.schedule("s", "other", 30)
    timers.unschedule("s", "t")
    assert (timers.next_due, fired(timers, 29)) == (30, [])


def test_unscheduling_an_unknown_timer_is_no_error() -> None:
    """Unscheduling twice, or what never was, is harmless."""
    timers = TimerQueue(ManualClock())
    timers.unschedule("s", "t")
    assert timers.next_due == NEVER


def test_namesakes_of_two_owners_are_two_timers() -> None:
    """The key of a timer is its owner and its name."""
    timers = TimerQueue(ManualClock())
    timers.schedule("a", "t", 10)
    timers.schedule("b", "t", 10)
    timers.unschedule("a", "t")
    assert fired(timers, 10) == [(10, "b", "t")]


def test_a_due_timer_that_an_earlier_one_unschedules_does_not_fire() -> None:
    """A handler can stop a timer that is due at the same instant."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "first", 10)
    timers.schedule("s", "second", 10)
    names = []
    for timer in timers.pop_due(10):
        names.append(timer.name)
        timers.unschedule("s", "second")
    assert (names, timers.next_due) == (["first"], 20)


def test_a_timer_scheduled_by_a_firing_waits_its_interval() -> None:
    """A handler can schedule while the due timers are delivered; the new one is not part of that round."""
    clock = ManualClock(10)
    timers = TimerQueue(clock)
    timers.schedule("s", "t", 10)
    clock.advance_to(20)
    names = []
    for timer in timers.pop_due(20):
        names.append(timer.name)
        timers.schedule("s", "new", 5)
    assert (names, timers.next_due) == (["t"], 25)


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_must_be_positive(interval: int) -> None:
    """An interval that would fire for ever at one instant is refused by name."""
    timers = TimerQueue(ManualClock())
    with pytest.raises(UsageError, match="timer 't' of s: the interval must be above 0 ns"):
        timers.schedule("s", "t", interval)


def test_replacing_a_timer_for_ever_keeps_the_queue_small() -> None:
    """Replaced timers do not pile up, not even behind a timer that is due sooner."""
    timers = TimerQueue(ManualClock())
    timers.schedule("s", "soon", 1)
    for _ in range(1_000):
        timers.schedule("s", "t", SECOND)
    assert len(timers._heap) < 100


def test_backoff_grows_by_its_factor_up_to_its_maximum() -> None:
    """Without jitter the delays are initial * factor ** n, capped."""
    backoff = Backoff(initial_s=1, max_s=8, factor=2, jitter=0)
    assert [backoff.delay(n, Random(1)) for n in (0, 1, 2, 3, 4, 10_000)] == [1, 2, 4, 8, 8, 8]  # noqa: S311


def test_backoff_jitter_stays_within_its_fraction() -> None:
    """Jitter spreads the delay by at most that fraction, and never above the maximum."""
    random = Random(7)  # noqa: S311 - jitter, not cryptography
    first = [Backoff(jitter=0.2, initial_s=1, max_s=8).delay(0, random) for _ in range(500)]
    capped = [Backoff(jitter=0.2, initial_s=1, max_s=8).delay(9, random) for _ in range(500)]
    assert 0.8 <= min(first) < 0.85
    assert 1.15 < max(first) <= 1.2
    assert 6.4 <= min(capped) < max(capped) == 8


@pytest.mark.parametrize(
    "fields", [{"initial_s": 0.0}, {"initial_s": 9.0, "max_s": 8.0}, {"factor": 0.5}, {"jitter": 1.0}]
)
def test_a_senseless_backoff_is_refused(fields: dict[str, float]) -> None:
    """A backoff that would spin or shrink cannot be made."""
    with pytest.raises(UsageError, match="need 0 < initial_s"):
        Backoff(**fields)


def test_a_senseless_budget_is_refused() -> None:
    """A budget needs a window."""
    with pytest.raises(UsageError, match="need max_restarts >= 0"):
        RestartBudget(max_restarts=1, per_s=0)


# --- timers for one instant, and timers set while others fire ------------------------------------------------


def test_a_timer_for_one_instant_fires_once() -> None:
    """It fires at its instant, and never again."""
    timers = TimerQueue(ManualClock(100))
    timers.schedule_at("s", "t", 150)
    assert (fired(timers, 149), fired(timers, 10_000), fired(timers, 20_000)) == ([], [(150, "s", "t")], [])
    assert timers.next_due == NEVER


def test_a_past_instant_is_now() -> None:
    """A timer for an instant that is past fires at the present one: time never goes back."""
    timers = TimerQueue(ManualClock(100))
    timers.schedule_at("s", "t", 50)
    assert fired(timers, 100) == [(100, "s", "t")]


def test_instants_in_a_gap_fire_one_by_one() -> None:
    """Timers for single instants are not coalesced, however long the gap."""
    timers = TimerQueue(ManualClock())
    for number in (3, 1, 2):
        timers.schedule_at("s", f"t{number}", number)
    assert [due for due, _, _ in fired(timers, 10**9)] == [1, 2, 3]


def test_a_timer_set_while_others_fire_takes_its_turn() -> None:
    """One that is set by what another set off, and is due before a third, fires between them."""
    clock = ManualClock()
    timers = TimerQueue(clock)
    timers.schedule_at("s", "first", 10)
    timers.schedule_at("s", "last", 30)
    told = []
    for timer in timers.pop_due(100):
        clock.advance_to(timer.ts)
        told.append((timer.ts, timer.name))
        if timer.name == "first":
            timers.schedule("s", "between", 15)
            timers.schedule_at("s", "next", 20)
    assert told == [(10, "first"), (20, "next"), (30, "last"), (100, "between")]


def test_a_timer_that_sets_itself_anew_does_not_flood() -> None:
    """A repeating timer that its owner sets anew each time it fires is coalesced over a gap all the same."""
    clock = ManualClock()
    timers = TimerQueue(clock)
    timers.schedule("s", "t", 10)
    told = []
    for timer in timers.pop_due(1_000_005):
        clock.advance_to(timer.ts)
        told.append(timer.ts)
        timers.schedule("s", "t", 10)
    assert told == [1_000_000]
    assert timers.next_due == 1_000_010
