"""The supervisor: restarts, failures, stops and the run's state. Time is moved by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from tradingd.domain.enums import RunState
from tradingd.errors import ComponentError, IllegalTransitionError, TransientError, UsageError
from tradingd.runtime.clock import Backoff, RestartBudget
from tradingd.runtime.supervisor import RUN_TRANSITIONS, Supervisor, TaskState, Verdict, VerdictKind


class HandTime:
    """Monotonic time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds so far."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved time that far."""
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, wake who is due, and let everybody run."""
        await settle()
        self.now += seconds
        for due, future in self._sleepers:
            if due <= self.now and not future.done():
                future.set_result(None)
        await settle()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


class Watched:
    """A supervisor on hand-moved time, with everything it told."""

    def __init__(self, on_critical: Callable[[str, Exception], None] | None = None) -> None:
        self.time = HandTime()
        self.critical: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []
        self.done: list[str] = []
        self.restarts: list[tuple[str, str, float]] = []
        self.states: list[tuple[RunState, RunState, str]] = []
        self.supervisor = Supervisor(
            on_critical=on_critical or (lambda name, error: self.critical.append((name, str(error)))),
            on_failure=lambda name, error: self.failed.append((name, str(error))),
            monotonic=self.time.monotonic,
            random=Random(1),  # noqa: S311 - jitter, not cryptography
            sleep=self.time.sleep,
            on_done=self.done.append,
            on_restart=lambda name, error, delay: self.restarts.append((name, str(error), delay)),
        )
        self.supervisor.on_state(lambda old, new, reason: self.states.append((old, new, reason)))


@pytest.fixture
def watched() -> Watched:
    """A supervisor and its record."""
    return Watched()


async def forever() -> None:
    """Run until cancelled."""
    await asyncio.Event().wait()


async def at_once() -> None:
    """Return."""


def failing(error: Exception) -> Callable[[], Awaitable[None]]:
    """Make a task that always raises `error`."""

    async def run() -> None:
        raise error

    return run


def stubborn(release: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """Make a task that ignores cancellation until released."""

    async def run() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    return run


NO_JITTER = Backoff(initial_s=1, max_s=8, factor=2, jitter=0)


# -- tasks ------------------------------------------------------------------------------------------------------


async def test_tasks_start_in_the_order_they_were_added(watched: Watched) -> None:
    """The first task added runs first."""
    started: list[str] = []

    def starter(name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            started.append(name)

        return run

    for name in ("journal", "broker", "strategy"):
        watched.supervisor.add(name, starter(name))
    await watched.supervisor.start()
    await settle()
    assert started == ["journal", "broker", "strategy"]


async def test_every_task_carries_its_name(watched: Watched) -> None:
    """The tasks are known to asyncio by the names they were added under."""
    watched.supervisor.add("feed", forever)
    await watched.supervisor.start()
    assert "feed" in {task.get_name() for task in asyncio.all_tasks()}
    await watched.supervisor.stop("end", 1)


async def test_a_task_that_returns_is_done(watched: Watched) -> None:
    """A normal return is told by on_done, and is no failure."""
    watched.supervisor.add("feed", at_once)
    await watched.supervisor.start()
    await settle()
    assert (watched.done, watched.supervisor.tasks) == (["feed"], {"feed": TaskState.DONE})


async def test_two_tasks_cannot_share_a_name(watched: Watched) -> None:
    """A name identifies one task."""
    watched.supervisor.add("feed", forever)
    with pytest.raises(UsageError, match="named 'feed' already"):
        watched.supervisor.add("feed", forever)


async def test_no_task_can_be_added_late(watched: Watched) -> None:
    """Once started, the set of tasks is fixed."""
    await watched.supervisor.start()
    with pytest.raises(UsageError, match="comes too late"):
        watched.supervisor.add("feed", forever)


async def test_a_supervisor_starts_once(watched: Watched) -> None:
    """A second start is refused."""
    await watched.supervisor.start()
    with pytest.raises(UsageError, match="started already"):
        await watched.supervisor.start()


# -- failures and restarts --------------------------------------------------------------------------------------


async def test_a_transient_failure_restarts_after_the_backoff(watched: Watched) -> None:
    """A named transient error is told and retried once its delay has passed, not sooner."""
    runs = 0

    async def feed() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise TransientError("connection lost")
        await forever()

    watched.supervisor.add("feed", feed, backoff=NO_JITTER)
    await watched.supervisor.start()
    await watched.time.advance(0.9)
    before = (runs, watched.supervisor.tasks["feed"])
    await watched.time.advance(0.2)
    assert before == (1, TaskState.BACKOFF)
    assert (runs, watched.supervisor.tasks["feed"]) == (2, TaskState.RUNNING)
    assert watched.restarts == [("feed", "connection lost", 1)]
    await watched.supervisor.stop("end", 1)


async def test_delays_grow_while_a_task_keeps_failing(watched: Watched) -> None:
    """Each restart within the window waits longer than the one before."""
    watched.supervisor.add("feed", failing(TransientError("lost")), backoff=NO_JITTER)
    await watched.supervisor.start()
    for _ in range(3):
        await watched.time.advance(8)
    assert [delay for _, _, delay in watched.restarts] == [1, 2, 4, 8]
    await watched.supervisor.stop("end", 1)


async def test_a_used_up_budget_is_a_failure(watched: Watched) -> None:
    """After max_restarts within the window the next transient error is final."""
    budget = RestartBudget(max_restarts=2, per_s=100)
    watched.supervisor.add("feed", failing(TransientError("lost")), backoff=NO_JITTER, budget=budget)
    await watched.supervisor.start()
    for _ in range(4):
        await watched.time.advance(8)
    verdict = await watched.supervisor.wait()
    assert (len(watched.restarts), watched.critical) == (2, [("feed", "lost")])
    assert verdict.error is not None
    assert verdict.error.__notes__ == ["the budget of 2 restarts is used up"]


async def test_a_calm_stretch_restores_the_budget(watched: Watched) -> None:
    """Restarts older than the window no longer count, neither for the budget nor for the delay."""
    budget = RestartBudget(max_restarts=1, per_s=10)
    fail = asyncio.Event()

    async def feed() -> None:
        await fail.wait()
        fail.clear()
        raise TransientError("lost")

    watched.supervisor.add("feed", feed, backoff=NO_JITTER, budget=budget)
    await watched.supervisor.start()
    for _ in range(3):
        fail.set()
        await watched.time.advance(11)
    assert ([delay for _, _, delay in watched.restarts], watched.critical) == ([1, 1, 1], [])
    await watched.supervisor.stop("end", 1)


async def test_only_named_errors_restart(watched: Watched) -> None:
    """An error outside restart_on is final at once."""
    watched.supervisor.add("feed", failing(OSError("disk")), restart_on=(TransientError,))
    await watched.supervisor.start()
    await settle()
    assert (watched.restarts, watched.critical) == ([], [("feed", "disk")])


async def test_a_group_of_transient_errors_restarts(watched: Watched) -> None:
    """A task that used a TaskGroup restarts when all that failed in it was transient."""
    group = ExceptionGroup("feeds", [TransientError("a"), TransientError("b")])
    watched.supervisor.add("feed", failing(group))
    await watched.supervisor.start()
    await settle()
    assert [name for name, _, _ in watched.restarts] == ["feed"]
    await watched.supervisor.stop("end", 1)


async def test_a_group_with_one_other_error_is_final(watched: Watched) -> None:
    """One error that is not transient makes the whole group final."""
    watched.supervisor.add("feed", failing(ExceptionGroup("feeds", [TransientError("a"), ValueError("b")])))
    await watched.supervisor.start()
    await settle()
    assert (watched.restarts, len(watched.critical)) == ([], 1)


async def test_a_critical_failure_is_told_once_and_the_others_go_on(watched: Watched) -> None:
    """on_critical is called once; tasks that did not fail still run."""
    watched.supervisor.add("risk", failing(ValueError("bug"))).add("broker", forever)
    await watched.supervisor.start()
    await settle()
    assert (watched.critical, watched.failed) == ([("risk", "bug")], [])
    assert watched.supervisor.tasks == {"risk": TaskState.FAILED, "broker": TaskState.RUNNING}
    await watched.supervisor.stop("end", 1)


async def test_a_failure_that_is_not_critical_is_told_as_such(watched: Watched) -> None:
    """on_failure, not on_critical, hears of a task added with critical=False."""
    watched.supervisor.add("console", failing(ValueError("bug")), critical=False).add("broker", forever)
    await watched.supervisor.start()
    await settle()
    assert (watched.critical, watched.failed) == ([], [("console", "bug")])
    await watched.supervisor.stop("end", 1)


async def test_a_factory_that_raises_is_a_failure_of_its_task(watched: Watched) -> None:
    """Making the coroutine is supervised like running it."""

    def factory() -> Awaitable[None]:
        raise ValueError("no coroutine")

    watched.supervisor.add("feed", factory)
    await watched.supervisor.start()
    await settle()
    assert watched.critical == [("feed", "no coroutine")]


async def test_a_cancellation_that_leaks_from_inside_is_a_failure(watched: Watched) -> None:
    """A task that dies of a CancelledError nobody sent it does not die silently."""

    async def run() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    watched.supervisor.add("feed", run)
    await watched.supervisor.start()
    await settle()
    assert watched.critical == [("feed", "task feed was ended, but not by its supervisor")]


async def test_a_cancellation_by_a_stranger_is_a_failure_and_propagates(watched: Watched) -> None:
    """Somebody else's cancel ends the task as cancelled, and is told."""
    watched.supervisor.add("feed", forever)
    await watched.supervisor.start()
    await settle()
    task = next(task for task in asyncio.all_tasks() if task.get_name() == "feed")
    task.cancel()
    await settle()
    assert (task.cancelled(), [name for name, _ in watched.critical]) == (True, ["feed"])


async def test_a_cancellation_before_the_first_step_is_told_too(watched: Watched) -> None:
    """A task that a stranger cancels before it ever ran counts as failed."""
    watched.supervisor.add("feed", forever)
    await watched.supervisor.start()
    next(task for task in asyncio.all_tasks() if task.get_name() == "feed").cancel()
    await settle()
    assert (watched.supervisor.tasks["feed"], len(watched.critical)) == (TaskState.FAILED, 1)


# -- waiting ----------------------------------------------------------------------------------------------------


async def test_wait_tells_a_requested_stop(watched: Watched) -> None:
    """request_stop ends the wait with its reason; the first reason counts."""
    watched.supervisor.add("feed", forever)
    await watched.supervisor.start()
    waiting = asyncio.create_task(watched.supervisor.wait())
    await settle()
    watched.supervisor.request_stop("SIGTERM")
    watched.supervisor.request_stop("SIGINT")
    assert await waiting == Verdict(VerdictKind.STOP_REQUESTED, "SIGTERM")
    await watched.supervisor.stop("end", 1)


async def test_wait_tells_that_all_tasks_are_done(watched: Watched) -> None:
    """When the last task has returned, the wait is over."""
    watched.supervisor.add("a", at_once).add("b", at_once)
    await watched.supervisor.start()
    assert (await watched.supervisor.wait()).kind is VerdictKind.ALL_DONE


async def test_wait_tells_each_critical_failure_once(watched: Watched) -> None:
    """A halted run can wait on after a failure, until it is asked to stop."""
    error = ValueError("bug")
    watched.supervisor.add("risk", failing(error)).add("broker", forever)
    await watched.supervisor.start()
    first = await watched.supervisor.wait()
    again = asyncio.create_task(watched.supervisor.wait())
    await settle()
    assert first == Verdict(VerdictKind.CRITICAL_FAILURE, "ValueError: bug", "risk", error)
    assert not again.done()
    watched.supervisor.request_stop("operator")
    assert (await again).kind is VerdictKind.STOP_REQUESTED
    await watched.supervisor.stop("end", 1)


# -- stopping ---------------------------------------------------------------------------------------------------


async def test_tasks_stop_in_reverse_order_one_after_the_other(watched: Watched) -> None:
    """A task is cancelled only once the one that started after it has finished cleaning up."""
    events: list[str] = []

    def task(name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            try:
                await forever()
            finally:
                events.append(f"{name} cancelled")
                await asyncio.sleep(0)
                events.append(f"{name} cleaned up")

        return run

    watched.supervisor.add("journal", task("journal")).add("feed", task("feed"))
    await watched.supervisor.start()
    await settle()
    report = await watched.supervisor.stop("end", 1)
    assert events == ["feed cancelled", "feed cleaned up", "journal cancelled", "journal cleaned up"]
    assert (report.stopped, report.stuck, report.failed) == (("feed", "journal"), (), ())


async def test_a_stop_goes_through_stopping_to_stopped(watched: Watched) -> None:
    """The run is STOPPING while tasks are cancelled and STOPPED afterwards."""
    watched.supervisor.add("feed", forever)
    await watched.supervisor.start()
    await watched.supervisor.stop("SIGTERM", 1)
    assert watched.states == [
        (RunState.STARTING, RunState.STOPPING, "SIGTERM"),
        (RunState.STOPPING, RunState.STOPPED, "SIGTERM"),
    ]


async def test_a_stopped_task_is_no_failure(watched: Watched) -> None:
    """A task that ends because it was told to is STOPPED, also when it was only waiting to be restarted."""
    watched.supervisor.add("feed", forever).add("broker", failing(TransientError("lost")))
    await watched.supervisor.start()
    await settle()
    await watched.supervisor.stop("end", 1)
    assert set(watched.supervisor.tasks.values()) == {TaskState.STOPPED}
    assert (watched.critical, watched.failed, watched.done) == ([], [], [])


async def test_a_task_that_ignores_cancellation_is_named(watched: Watched) -> None:
    """Past the deadline the stop goes on without the task, and says so; the others still stop."""
    release = asyncio.Event()
    watched.supervisor.add("journal", forever).add("feed", stubborn(release)).add("console", forever)
    await watched.supervisor.start()
    stopping = asyncio.create_task(watched.supervisor.stop("end", 5))
    await watched.time.advance(4.9)
    before = stopping.done()
    await watched.time.advance(0.2)
    report = await stopping
    assert not before
    assert (report.stuck, report.stopped) == (("feed",), ("console", "journal"))
    assert report.elapsed_s == pytest.approx(5.1)
    release.set()
    await settle()


async def test_a_straggler_that_ends_after_the_stop_is_no_failure(watched: Watched) -> None:
    """A task that gives way after the deadline is STOPPED, and raises no alarm."""
    release = asyncio.Event()
    watched.supervisor.add("feed", stubborn(release))
    await watched.supervisor.start()
    stopping = asyncio.create_task(watched.supervisor.stop("end", 5))
    await watched.time.advance(5)
    await stopping
    release.set()
    await settle()
    assert (watched.supervisor.tasks["feed"], watched.critical) == (TaskState.STOPPED, [])


async def test_a_second_stop_ends_the_patience_of_the_first(watched: Watched) -> None:
    """A second signal skips the rest of the deadline; both callers get the same report."""
    release = asyncio.Event()
    watched.supervisor.add("feed", stubborn(release))
    await watched.supervisor.start()
    first = asyncio.create_task(watched.supervisor.stop("SIGTERM", 3600))
    await settle()
    second = await watched.supervisor.stop("SIGINT", 3600)
    assert (await first) is second
    assert second.stuck == ("feed",)
    release.set()
    await settle()


async def test_an_error_while_cleaning_up_is_in_the_report(watched: Watched) -> None:
    """A task that raises while it stops is told, not restarted, even if the error is transient."""

    async def run() -> None:
        try:
            await forever()
        finally:
            raise TransientError("could not close")

    watched.supervisor.add("broker", run)
    await watched.supervisor.start()
    await settle()
    report = await watched.supervisor.stop("end", 1)
    assert report.failed == (("broker", "TransientError: could not close"),)
    assert (watched.failed, watched.restarts) == ([("broker", "could not close")], [])


async def test_an_error_of_a_callback_is_in_the_report() -> None:
    """A callback that raises is a bug of ours, and is not lost either."""

    def broken(_name: str, _error: Exception) -> None:
        raise KeyError("callback")

    watched = Watched(on_critical=broken)
    watched.supervisor.add("risk", failing(ValueError("bug")))
    await watched.supervisor.start()
    await settle()
    report = await watched.supervisor.stop("end", 1)
    assert report.failed == (("risk", "KeyError: 'callback'"),)


async def test_a_supervised_task_cannot_await_the_stop(watched: Watched) -> None:
    """A task that would wait for its own end is told to request the stop instead."""

    async def run() -> None:
        await watched.supervisor.stop("me", 1)

    watched.supervisor.add("control", run)
    await watched.supervisor.start()
    await settle()
    assert [text for _, text in watched.critical] == [
        "a supervised task cannot await the stop of all tasks; call request_stop instead"
    ]


async def test_cancelling_the_caller_does_not_interrupt_the_stop(watched: Watched) -> None:
    """Whoever awaited the stop may go; the tasks are stopped all the same, and a later call gets the report."""
    release = asyncio.Event()
    watched.supervisor.add("feed", stubborn(release))
    await watched.supervisor.start()
    caller = asyncio.create_task(watched.supervisor.stop("end", 5))
    await settle()
    caller.cancel()
    await watched.time.advance(5)
    report = await watched.supervisor.stop("again", 5)
    assert (watched.supervisor.state, report.reason) == (RunState.STOPPED, "end")
    release.set()
    await settle()


async def test_a_stop_leaves_no_task_behind(watched: Watched) -> None:
    """The supervisor's own helpers end with the stop."""
    watched.supervisor.add("feed", forever)
    await watched.supervisor.start()
    await watched.supervisor.stop("end", 3600)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_stop_before_the_start_is_possible(watched: Watched) -> None:
    """STARTING may fail before any task runs."""
    watched.supervisor.add("feed", forever)
    report = await watched.supervisor.stop("bad config", 1)
    assert (report.stopped, watched.supervisor.state) == ((), RunState.STOPPED)


# -- the run's state --------------------------------------------------------------------------------------------


def test_every_run_state_has_its_row() -> None:
    """The table is complete, and STOPPED is the only end."""
    assert set(RUN_TRANSITIONS) == set(RunState)
    assert [state for state, targets in RUN_TRANSITIONS.items() if not targets] == [RunState.STOPPED]


async def test_the_run_starts_reconciles_trades_halts_and_resumes(watched: Watched) -> None:
    """The usual life of a run, each step told to the observers with its reason."""
    run = watched.supervisor
    run.mark_reconciling()
    run.mark_trading("books agree")
    run.halt("daily loss")
    run.mark_trading("resumed by operator")
    assert [(new.name, reason) for _, new, reason in watched.states] == [
        ("RECONCILING", ""),
        ("TRADING", "books agree"),
        ("HALTED", "daily loss"),
        ("TRADING", "resumed by operator"),
    ]


async def test_trading_cannot_skip_reconciling(watched: Watched) -> None:
    """An illegal transition raises and changes nothing."""
    with pytest.raises(IllegalTransitionError, match="the run is STARTING and cannot become TRADING"):
        watched.supervisor.mark_trading()
    assert (watched.supervisor.state, watched.states) == (RunState.STARTING, [])


async def test_a_stopped_run_cannot_trade_again(watched: Watched) -> None:
    """Nothing follows STOPPED."""
    await watched.supervisor.stop("end", 1)
    with pytest.raises(IllegalTransitionError, match="it can become: nothing"):
        watched.supervisor.mark_trading()


async def test_halting_twice_is_one_halt(watched: Watched) -> None:
    """A halt of a halted or ending run does nothing, and says so."""
    first, second = watched.supervisor.halt("a"), watched.supervisor.halt("b")
    await watched.supervisor.stop("end", 1)
    assert (first, second, watched.supervisor.halt("c")) == (True, False, False)


async def test_on_critical_can_halt_the_run(watched: Watched) -> None:
    """The callback is where an application halts trading."""

    def halt(name: str, error: Exception) -> None:
        watched.supervisor.halt(f"{name}: {error}")

    watched.supervisor._on_critical = halt
    watched.supervisor.add("risk", failing(ComponentError("dead"))).mark_reconciling()
    await watched.supervisor.start()
    await settle()
    assert watched.states[-1] == (RunState.RECONCILING, RunState.HALTED, "risk: dead")
