"""The daemon: a feed and all components as supervised tasks of one event loop."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Protocol

from tradingd.analytics.summary import Summary, decimal_text
from tradingd.data.replay import ReplayFeed
from tradingd.domain.enums import RunState
from tradingd.domain.events import EventType, FeedEvent, VenueCondition, VenueStatus
from tradingd.domain.loading import explain
from tradingd.errors import ComponentError, TradingdError, UsageError
from tradingd.runtime.async_manager import AsyncEventManager
from tradingd.runtime.session import Session
from tradingd.runtime.supervisor import StopReport, Supervisor, Verdict, VerdictKind
from tradingd.runtime.watchdog import HandlerWatchdog

END_OF_DATA = "end of data"
"""The stop reason of a run that was not cut short."""

__all__ = ["END_OF_DATA", "DaemonSession", "Feed", "MakeFeed"]

_STATUS_EVERY_S = 5.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last one: its terminal was closed


class Feed(Protocol):
    """Where market data comes from: tasks that publish events, supervised beside the components."""

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The tasks by name; one that returns has come to the end of its data, which ends the run."""

    async def ready(self) -> None:
        """Wait until the strategies may trade on what it brings: history has been fed, streams are live."""


MakeFeed = Callable[[Callable[[FeedEvent], Awaitable[None]]], Feed]
"""(how to publish an event) -> a feed."""


class _Replay:
    """Recorded data as a feed: at once ready, and at an end some time."""

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {"feed.replay": self._run}

    async def ready(self) -> None:
        return


class DaemonSession(Session):
    """Runs a feed through the asynchronous event manager until it ends or somebody stops it.

    `log` is a structlog logger. `make_feed(log)` tells how to make the feed; unless told, what is loaded is
    replayed, `speed` seconds of it in a second (None: as fast as possible). `tick_s` is how often timers are
    looked at in a quiet market; None where time stands still without market data. `keep_reducing` spares orders
    that only reduce from the cancels of a stop: protective stops of positions that outlive the run. `attach` makes
    a further task from the session, such as a live console.

    The run is RECONCILING until every broker is ready and the feed is live, and again whenever a venue is not.

    The first SIGINT, SIGTERM or SIGHUP stops in order: the feed, then new orders, then working orders are
    canceled, then the tasks end. A second one ends them at once.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - those of Session
        log: Any,  # noqa: ANN401 - structlog's loggers have no common type
        speed: float | None = None,
        handler_timeout_s: float = 1.0,
        stop_timeout_s: float = 2.0,
        mode: str = "PAPER",
        make_feed: Callable[[Any], MakeFeed] | None = None,
        tick_s: float | None = None,
        keep_reducing: bool = False,
        **options: Any,  # noqa: ANN401 - those of Session
    ) -> None:
        super().__init__(*args, mode=mode, **options)
        if not isinstance(self.manager, AsyncEventManager):
            raise UsageError('the daemon needs run.mode = "paper" or "live"')
        self._driver = self.manager
        self._log = log
        self._speed = speed
        self._feed = (self._replay if make_feed is None else make_feed(log))(self._publish)
        self._waits = make_feed is not None
        self._tick_s = tick_s
        self._keep_reducing = keep_reducing
        self._begun = asyncio.Event()
        self._ready = False
        self._conditions: dict[str, VenueStatus] = {}
        self.manager.observe(self._on_venue, [EventType.VENUE_STATUS])
        self._handler_timeout_s = handler_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._extra: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._kept: list[Callable[[Any], None]] = []
        self._signals = 0
        self._winding_down: asyncio.Task[None] | None = None
        self._hurry: asyncio.Task[StopReport] | None = None
        self.failure: TradingdError | None = None
        self._deadline: float | None = None
        """When a stop that was asked for must be over, on the monotonic clock."""
        self.stuck: tuple[str, ...] = ()
        """Tasks that ignored their cancellation; the loop cannot be closed while they live."""
        self.forced = False
        self.supervisor = Supervisor(
            on_critical=self._on_critical,
            on_failure=self._on_failure,
            on_restart=self._on_restart,
            monotonic=time.monotonic,
            random=Random(),  # noqa: S311 - jitter of restarts
        )
        self.supervisor.on_state(self._on_state)

    @property
    def state(self) -> RunState:
        """The run's state."""
        return self.supervisor.state

    def keep(self, observer: Callable[[Any], None], types: Sequence[EventType]) -> None:
        """Let `observer` see all events of `types`, and keep it alive for as long as the session lives."""
        self._kept.append(observer)
        self.manager.observe(observer, types)

    def attach(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        """Run `task` beside the daemon; its failure is logged and stops nothing."""
        self._extra.append((name, task))

    async def run(self) -> Summary:
        """Run until the feed ends, a stop is asked for, or a critical component fails.

        After a critical failure the summary is still given; `failure` has the error.
        """
        began = time.perf_counter()
        self._add_tasks()
        loop = asyncio.get_running_loop()
        # what was told to be ignored, as by nohup, stays ignored
        numbers = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in numbers:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            with HandlerWatchdog(self._driver, self._handler_timeout_s, self._on_blocked):
                reason = await self._live()
            self.finish_records()
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)
        return self.summary(reason, time.perf_counter() - began)

    async def status(self) -> None:
        """Log where the session stands, every few seconds; for a daemon without a terminal."""
        while True:
            await asyncio.sleep(_STATUS_EVERY_S)
            self.log_status()

    def log_status(self) -> None:
        """Log where the session stands."""
        now = self.snapshot(self.state)
        self._log.info(
            "status",
            state=now.state,
            equity=decimal_text(now.equity),
            pnl=decimal_text(now.pnl),
            drawdown_percent=decimal_text(now.drawdown_percent),
            positions={line.symbol: decimal_text(line.quantity) for line in now.positions},
            working_orders=len(now.open_orders),
            events=now.events_done,
            events_total=now.events_total,
        )

    # --- the life of a run -----------------------------------------------------------------------------------

    def _add_tasks(self) -> None:
        for name, task in self._driver.tasks().items():
            self.supervisor.add(name, task)
        for broker in self.brokers:
            for name, task in broker.tasks().items():
                self.supervisor.add(f"{broker.venue}.{name}", task)  # two accounts have tasks of the same names
        self.supervisor.add("run.begin", self._begin)
        for name, task in self._feed.tasks().items():
            self.supervisor.add(name, partial(self._until_data_ends, task))
        if self._tick_s is not None:
            self.supervisor.add("run.ticks", self._tick)
        for name, task in self._extra:
            self.supervisor.add(name, task, critical=False)

    async def _live(self) -> str:
        self._log.info(
            "started",
            name=self.name,
            mode=self.mode,
            strategies=[strategy.strategy_id for strategy in self.strategies],
            events=self.report.total_events,
        )
        self.supervisor.mark_reconciling("waiting for the venues and the feed")
        await self.supervisor.start()
        verdict = await self.supervisor.wait()
        reason = self._reason(verdict)
        if self._deadline is None:
            self._deadline = time.monotonic() + self._stop_timeout_s
        await self._wind_down()
        report = await self.supervisor.stop(reason, self._time_left())
        for name in self._driver.stop(lambda: self._time_left() > 0):
            self._log.error("stop_left_out", component=name, reason="the time for the stop is over")
        self.stuck = report.stuck
        for task in report.stuck:
            self._log.error("task_stuck", task=task)
        self._log.info("stopped", reason=reason, elapsed_s=round(report.elapsed_s, 3))
        return reason

    async def _begin(self) -> None:
        """Let the components begin, then the feed; the run trades once all that it trades with is ready."""
        if self._waits:
            self._tell_run(VenueCondition.CONNECTING, "waiting for the venues, the feed and history")
        await self._driver.start()
        self._begun.set()
        for broker in self.brokers:
            await broker.ready()
        await self._feed.ready()
        if self._waits:
            self._tell_run(VenueCondition.READY)
        self._ready = True
        self._judge_state()

    def _tell_run(self, condition: VenueCondition, reason: str = "") -> None:
        """Tell risk whether the run itself is ready: nothing grows before."""
        self._driver.inject(VenueStatus(self._driver.clock.now(), "", condition, reason))

    def _judge_state(self) -> None:
        """Whether the run trades, by what the venues tell of themselves."""
        if not self._ready or self.state not in (RunState.RECONCILING, RunState.TRADING):
            return
        waiting = [s for s in self._conditions.values() if s.condition is not VenueCondition.READY]
        if not waiting and self.state is RunState.RECONCILING:
            self.supervisor.mark_trading()
        elif waiting and self.state is RunState.TRADING:
            told = "; ".join(f"{s.venue} is {s.condition}: {s.reason}" for s in waiting)
            self.supervisor.mark_reconciling(told)

    def _on_venue(self, status: VenueStatus) -> None:
        if not status.venue:
            return
        self._conditions[status.venue] = status
        level = self._log.info if status.condition is VenueCondition.READY else self._log.warning
        level("venue_status", venue=status.venue, condition=status.condition.value, reason=status.reason)
        self._judge_state()

    def _replay(self, publish: Callable[[FeedEvent], Awaitable[None]]) -> Feed:
        return _Replay(
            ReplayFeed(
                self.data.stream(),
                first_ts=self.report.first_ts,
                publish=publish,
                sleep=asyncio.sleep,
                monotonic=time.monotonic,
                speed=self._speed,
            ).run
        )

    async def _until_data_ends(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task of the feed; when it returns, no more data will come."""
        await self._begun.wait()
        await task()
        await self._driver.finish()
        self.supervisor.request_stop(END_OF_DATA)

    async def _tick(self) -> None:
        """Fire timers that are due while no market event comes that would."""
        while True:
            await asyncio.sleep(self._tick_s or 1.0)
            self._driver.tick()

    async def _publish(self, event: FeedEvent) -> None:
        if self._winding_down is not None:
            await asyncio.Event().wait()  # nothing more comes in; the stop cancels this task
        await self._driver.publish(event)

    async def _wind_down(self) -> None:
        """Refuse new orders, cancel the working ones, and wait for quiet as long as there is time.

        Of a run whose core has failed nothing more is sent: its working orders stay as they are known.
        """
        self._winding_down = asyncio.create_task(self._until_settled(), name="wind-down")
        if self.failure is not None:
            self._winding_down.cancel()
            return
        self.execution.refuse_new("STOPPING")
        self.execution.cancel_all("STOPPING", spare_reducing=self._keep_reducing)
        try:
            await asyncio.wait_for(self._winding_down, self._time_left() / 2)
            await asyncio.wait_for(self._say_farewell(), self._time_left() / 2)
        except TimeoutError:
            self._log.warning("wind_down_timed_out", working_orders=len(self.execution.orders))
        except asyncio.CancelledError:
            if not self.forced:
                raise

    async def _until_settled(self) -> None:
        """Wait for quiet, here and on the way to the brokers and back."""
        await self._driver.until_quiet()
        while self.settle():
            await self._driver.until_quiet()
        for broker in self.brokers:
            await broker.settled()
        await self._driver.until_quiet()

    async def _say_farewell(self) -> None:
        """An orderly stop only: otherwise what guards us at a venue (a dead-man switch) shall go on guarding.

        After it the venue must not cancel the protective orders that outlive the run.
        """
        for broker in self.brokers:
            try:
                await broker.farewell()
            except TradingdError as error:
                self._log.warning("farewell_failed", venue=broker.venue, error=str(error))

    @property
    def waiting_events(self) -> int:
        """How many market events wait to be dealt with."""
        return self._driver.waiting_market_events

    def _time_left(self) -> float:
        return 0.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _reason(self, verdict: Verdict) -> str:
        if verdict.kind is VerdictKind.CRITICAL_FAILURE:
            return f"{verdict.name} failed: {verdict.reason}"
        return verdict.reason

    # --- what happens to it ----------------------------------------------------------------------------------

    def _on_signal(self, number: signal.Signals) -> None:
        self._signals += 1
        if self._signals == 1:
            self._deadline = time.monotonic() + self._stop_timeout_s
            self._log.info("stop_requested", signal=number.name)
            self.supervisor.request_stop(number.name)
            return
        self._log.warning("stop_forced", signal=number.name)
        self.forced = True
        self._deadline = time.monotonic()
        if self._winding_down is not None:
            self._winding_down.cancel()
        if self.state is RunState.STOPPING:
            self._hurry = asyncio.create_task(self.supervisor.stop("forced", 0.0), name="hurry")

    def _on_critical(self, name: str, error: Exception) -> None:
        """A critical task died: no new order leaves from now on."""
        self.failure = error if isinstance(error, TradingdError) else ComponentError(f"{name}: {explain(error)}")
        self.execution.refuse_new(f"HALTED: {name} failed")
        self.supervisor.halt(f"{name} failed")
        self._log.critical("trading_halted", task=name, error=str(error), exc_info=error)

    def _on_observer_failure(self, name: str, error: Exception) -> None:
        super()._on_observer_failure(name, error)
        self._log.error("observer_failed", observer=name, error=str(error), exc_info=error)

    def _on_failure(self, name: str, error: Exception) -> None:
        self._log.error("task_failed", task=name, error=str(error), exc_info=error)

    def _on_restart(self, name: str, error: Exception, delay_s: float) -> None:
        self._log.warning("task_restarts", task=name, error=str(error), delay_s=round(delay_s, 3))

    def _on_state(self, old: RunState, new: RunState, reason: str) -> None:
        self._log.info("run_state", old=old.value, new=new.value, reason=reason)

    def _on_blocked(self, component: str, seconds: float, stack: str) -> None:
        self._log.error("handler_blocked", component=component, seconds=seconds, stack=stack)
