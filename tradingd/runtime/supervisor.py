"""The supervisor: every task has a name and a parent, and no failure goes unheard.

A task that fails with a named transient error (a dropped connection) is started again, with exponential backoff
and within a budget. Any other failure, and a budget that is used up, is final: the task is FAILED and somebody is
told. A critical one halts trading (`on_critical`; the application decides what halting means), and the other
tasks go on: protective orders still need a broker, and an operator still needs the console.

Stopping cancels the tasks in reverse start order, each awaited before the next one is cancelled, within one
deadline for all. A task that will not stop is named in the `StopReport`.

The life of the run is `RUN_TRANSITIONS`, one table::

    STARTING -> RECONCILING -> TRADING <-> HALTED      any of these -> STOPPING -> STOPPED

Nothing in here logs or reads a clock: it reports through callbacks, and `sleep` and `monotonic` are passed in.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from random import Random
from typing import Final, Self

import msgspec

from tradingd.domain.enums import RunState
from tradingd.errors import ComponentError, IllegalTransitionError, TransientError, UsageError
from tradingd.runtime.clock import Backoff, RestartBudget

__all__ = [
    "RUN_TRANSITIONS",
    "Backoff",
    "RestartBudget",
    "StopReport",
    "Supervisor",
    "TaskState",
    "Verdict",
    "VerdictKind",
]

CoroFactory = Callable[[], Awaitable[None]]
Failed = Callable[[str, Exception], None]
StateObserver = Callable[[RunState, RunState, str], None]

_BACKOFF: Final = Backoff()
_BUDGET: Final = RestartBudget()
_R = RunState

RUN_TRANSITIONS: Final[Mapping[RunState, frozenset[RunState]]] = {
    _R.STARTING: frozenset({_R.RECONCILING, _R.HALTED, _R.STOPPING}),
    _R.RECONCILING: frozenset({_R.TRADING, _R.HALTED, _R.STOPPING}),
    _R.TRADING: frozenset({_R.RECONCILING, _R.HALTED, _R.STOPPING}),
    _R.HALTED: frozenset({_R.RECONCILING, _R.TRADING, _R.STOPPING}),
    _R.STOPPING: frozenset({_R.STOPPED}),
    _R.STOPPED: frozenset(),
}
"""Reconnects reconcile by the same path as the start, hence the ways back to RECONCILING."""


class TaskState(StrEnum):
    """The life of a supervised task."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    """Failed with a transient error, waiting for its restart."""
    DONE = "DONE"
    """Returned by itself."""
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    """Ended because it was told to."""


_FINAL: Final = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.STOPPED})


class VerdictKind(StrEnum):
    """Why `Supervisor.wait` returned."""

    STOP_REQUESTED = "STOP_REQUESTED"
    CRITICAL_FAILURE = "CRITICAL_FAILURE"
    ALL_DONE = "ALL_DONE"
    """No task runs any more, by whatever way each of them ended."""


class Verdict(msgspec.Struct, frozen=True):
    """What `Supervisor.wait` waited for: its kind, a reason, and for a failure the task and its error."""

    kind: VerdictKind
    reason: str
    name: str = ""
    error: Exception | None = None


class StopReport(msgspec.Struct, frozen=True):
    """How a stop went."""

    reason: str
    stopped: tuple[str, ...]
    """Tasks that ended in the course of the stop, in that order."""
    stuck: tuple[str, ...]
    """Tasks that ignored their cancellation past the deadline; they still run."""
    failed: tuple[tuple[str, str], ...]
    """Tasks that raised while stopping, with what they raised."""
    elapsed_s: float


@dataclass(slots=True)
class _Child:
    """One supervised task and its record."""

    name: str
    factory: CoroFactory
    critical: bool
    restart_on: tuple[type[Exception], ...]
    backoff: Backoff
    budget: RestartBudget
    state: TaskState = TaskState.PENDING
    restarts: deque[float] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None

    def is_transient(self, error: Exception) -> bool:
        """Whether this is a kind of failure to restart after; a group is if all in it is."""
        if isinstance(error, ExceptionGroup):
            return error.split(self.restart_on)[1] is None
        return isinstance(error, self.restart_on)

    def claim_restart(self, now: float) -> int | None:
        """Take a restart from the budget; returns how many were taken lately, None when it is used up."""
        while self.restarts and now - self.restarts[0] >= self.budget.per_s:
            self.restarts.popleft()
        recent = len(self.restarts)
        if recent >= self.budget.max_restarts:
            return None
        self.restarts.append(now)
        return recent


class Supervisor:
    """Owns the tasks of a run and the run's state.

    `on_critical` and `on_failure` are told of every task that failed for good, critical or not, once each;
    `on_done` of every task that returned; `on_restart` of every transient failure, with the delay in seconds.
    Callbacks run in the failing task, must not block and should not raise: should one raise all the same, its
    error ends that task and is told in the `StopReport`.
    """

    def __init__(
        self,
        *,
        on_critical: Failed,
        on_failure: Failed,
        monotonic: Callable[[], float],
        random: Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_done: Callable[[str], None] = lambda _name: None,
        on_restart: Callable[[str, Exception, float], None] = lambda _name, _error, _delay: None,
    ) -> None:
        self._on_critical = on_critical
        self._on_failure = on_failure
        self._on_done = on_done
        self._on_restart = on_restart
        self._sleep = sleep
        self._monotonic = monotonic
        self._random = random
        self._children: dict[str, _Child] = {}
        self._observers: list[StateObserver] = []
        self._state = RunState.STARTING
        self._started = False
        self._changed = asyncio.Event()
        self._stop_reason: str | None = None
        self._critical: deque[Verdict] = deque()
        self._late_failures: list[tuple[str, str]] = []
        self._deadline: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[StopReport] | None = None

    @property
    def state(self) -> RunState:
        """The run's state."""
        return self._state

    @property
    def tasks(self) -> dict[str, TaskState]:
        """The state of every task by name, in start order."""
        return {name: child.state for name, child in self._children.items()}

    def add(
        self,
        name: str,
        coro_factory: CoroFactory,
        *,
        critical: bool = True,
        restart_on: tuple[type[Exception], ...] = (TransientError,),
        backoff: Backoff = _BACKOFF,
        budget: RestartBudget = _BUDGET,
    ) -> Self:
        """Name a task to run; tasks start in the order they are added and stop in the reverse one.

        Raises:
            UsageError: the name is taken, or the tasks run already.

        """
        if self._started:
            raise UsageError(f"task {name!r} comes too late: the supervisor has started")
        if name in self._children:
            raise UsageError(f"there is a task named {name!r} already")
        self._children[name] = _Child(name, coro_factory, critical, restart_on, backoff, budget)
        return self

    @property
    def _is_stopping(self) -> bool:
        return self._state in {RunState.STOPPING, RunState.STOPPED}

    def on_state(self, observer: StateObserver) -> None:
        """Call `observer(old, new, reason)` at every transition from now on."""
        self._observers.append(observer)

    def mark_reconciling(self, reason: str = "") -> None:
        """Go to RECONCILING: the books are compared with the venue's."""
        self._move(RunState.RECONCILING, reason)

    def mark_trading(self, reason: str = "") -> None:
        """Go to TRADING."""
        self._move(RunState.TRADING, reason)

    def halt(self, reason: str) -> bool:
        """Go to HALTED; returns False, and does nothing, when halted already or on the way to the end."""
        if RunState.HALTED not in RUN_TRANSITIONS[self._state]:
            return False
        self._move(RunState.HALTED, reason)
        return True

    def _move(self, new: RunState, reason: str) -> None:
        old = self._state
        if new not in RUN_TRANSITIONS[old]:
            allowed = ", ".join(sorted(RUN_TRANSITIONS[old])) or "nothing"
            raise IllegalTransitionError(f"the run is {old} and cannot become {new} (it can become: {allowed})")
        self._state = new
        for observer in self._observers:
            observer(old, new, reason)

    async def start(self) -> None:
        """Start every task, in the order they were added.

        Raises:
            UsageError: started before.

        """
        if self._started:
            raise UsageError("the supervisor has started already")
        self._started = True
        for child in self._children.values():
            child.state = TaskState.RUNNING
            child.task = asyncio.create_task(self._supervise(child), name=child.name)
            child.task.add_done_callback(partial(self._ended, child))

    def request_stop(self, reason: str) -> None:
        """Ask whoever waits to stop the run; the first reason counts. For signal handlers and tasks."""
        if self._stop_reason is None:
            self._stop_reason = reason
        self._changed.set()

    async def wait(self) -> Verdict:
        """Wait until a stop is requested, a critical task has failed or no task runs any more.

        Each critical failure is told once, so that a halted run can go on waiting.
        """
        while (verdict := self._verdict()) is None:
            self._changed.clear()
            await self._changed.wait()
        return verdict

    def _verdict(self) -> Verdict | None:
        if self._stop_reason is not None:
            return Verdict(VerdictKind.STOP_REQUESTED, self._stop_reason)
        if self._critical:
            return self._critical.popleft()
        if self._started and all(child.state in _FINAL for child in self._children.values()):
            return Verdict(VerdictKind.ALL_DONE, "all tasks are done")
        return None

    async def _supervise(self, child: _Child) -> None:
        """Run one task to its end, restarts included. What is no Exception (KeyboardInterrupt) passes through."""
        try:
            while await self._run_once(child):
                child.state = TaskState.RUNNING
        except asyncio.CancelledError:
            self._cut_short(child)
            # Without a request for it, the cancellation leaked out of something the task awaited, and ends here.
            if child.task is None or child.task.cancelling():
                raise

    async def _run_once(self, child: _Child) -> bool:
        """Run the task once; returns whether to run it again."""
        try:
            await child.factory()
        except Exception as error:  # noqa: BLE001 - the supervision boundary: whatever it is, somebody is told
            return await self._after_failure(child, error)
        if self._is_stopping:
            child.state = TaskState.STOPPED
        else:
            child.state = TaskState.DONE
            self._on_done(child.name)
        return False

    def _cut_short(self, child: _Child) -> None:
        """The task was cancelled: by us that is a stop, by anybody else a silent death that has to be told."""
        if self._is_stopping:
            child.state = TaskState.STOPPED
        else:
            self._failed(child, ComponentError(f"task {child.name} was ended, but not by its supervisor"))

    def _ended(self, child: _Child, _task: asyncio.Task[None]) -> None:
        """Wake whoever waits; a task that was cut short before its first step has told nobody yet."""
        if child.state not in _FINAL:
            self._cut_short(child)
        self._changed.set()

    async def _after_failure(self, child: _Child, error: Exception) -> bool:
        """Wait for the restart, or give up; returns whether to run again."""
        if self._is_stopping or not child.is_transient(error):
            self._failed(child, error)
            return False
        restarts = child.claim_restart(self._monotonic())
        if restarts is None:
            error.add_note(f"the budget of {child.budget.max_restarts} restarts is used up")
            self._failed(child, error)
            return False
        delay = child.backoff.delay(restarts, self._random)
        child.state = TaskState.BACKOFF
        self._on_restart(child.name, error, delay)
        await self._sleep(delay)
        return True

    def _failed(self, child: _Child, error: Exception) -> None:
        child.state = TaskState.FAILED
        if self._is_stopping:
            self._late_failures.append((child.name, _text(error)))
        if child.critical and not self._is_stopping:
            self._critical.append(Verdict(VerdictKind.CRITICAL_FAILURE, _text(error), child.name, error))
            self._changed.set()
            self._on_critical(child.name, error)
        else:
            self._on_failure(child.name, error)

    async def stop(self, reason: str, timeout_s: float) -> StopReport:
        """Cancel the tasks in reverse start order, within `timeout_s` for all of them, and go to STOPPED.

        A second call while the first one works ends its patience at once; both return the same report. Cancelling
        the caller does not interrupt the stop.

        Raises:
            UsageError: a supervised task called; it would wait for itself. It may call `request_stop`.

        """
        if any(child.task is asyncio.current_task() for child in self._children.values()):
            raise UsageError("a supervised task cannot await the stop of all tasks; call request_stop instead")
        if self._stopping is None:
            if self._state is not RunState.STOPPING:
                self._move(RunState.STOPPING, reason)
            self._deadline = asyncio.create_task(self._doze(timeout_s), name="supervisor-deadline")
            self._stopping = asyncio.create_task(self._stop_all(reason, self._deadline), name="supervisor-stop")
        elif self._deadline is not None:
            self._deadline.cancel()
        return await asyncio.shield(self._stopping)

    async def _stop_all(self, reason: str, deadline: asyncio.Task[None]) -> StopReport:
        began = self._monotonic()
        tasks = {child.name: child.task for child in reversed(self._children.values()) if child.task}
        ending = {name: task for name, task in tasks.items() if not task.done()}
        for task in ending.values():
            task.cancel()
            await asyncio.wait({task, deadline}, return_when=asyncio.FIRST_COMPLETED)
        deadline.cancel()
        await asyncio.wait({deadline})
        raised = [(name, _text(error)) for name, task in tasks.items() if (error := _error_of(task))]
        report = StopReport(
            reason,
            stopped=tuple(name for name, task in ending.items() if task.done()),
            stuck=tuple(name for name, task in ending.items() if not task.done()),
            failed=(*self._late_failures, *raised),
            elapsed_s=self._monotonic() - began,
        )
        self._move(RunState.STOPPED, reason)
        return report

    async def _doze(self, seconds: float) -> None:
        await self._sleep(seconds)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    """What a finished task raised through its supervision: an error of a callback, or KeyboardInterrupt."""
    return task.exception() if task.done() and not task.cancelled() else None


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
