"""The daemon's life: states, critical failures, tasks beside it, stops."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.runtime.parts import REPO, Probe, loaded
from tradingd.analytics.recorder import RunRecorder
from tradingd.commands.run import exit_code
from tradingd.domain.enums import OrderStatus, RunState
from tradingd.domain.events import Event, EventType, OrderUpdate
from tradingd.errors import ComponentError, UsageError
from tradingd.runtime.backtest import BacktestSession
from tradingd.runtime.daemon import DaemonSession
from tradingd.testing import EventLog

_UPDATES = [EventType.ORDER_UPDATE]
SHORT = ("data.end=2006-06-01", "data.replay.duration_s=none")


def make_session(
    *overrides: str, files: tuple[Path, ...] = (REPO / "config.toml",), **options: Any
) -> DaemonSession:
    """A daemon on the shipped configuration, at full speed, with a log that is kept."""
    parts = loaded(files, "paper", [*SHORT, *overrides])
    return DaemonSession(*parts, name="t", run_id="r", log=structlog.testing.CapturingLogger(), **options)


def logged(session: DaemonSession, event: str) -> list[dict[str, Any]]:
    """The fields of all log lines of one event."""
    return [call.kwargs for call in session._log.calls if call.args == (event,)]


async def test_a_run_goes_through_its_states() -> None:
    """A run starts, reconciles, trades, stops and is stopped, in that order."""
    session = make_session()
    summary = await session.run()
    assert [line["new"] for line in logged(session, "run_state")] == [
        "RECONCILING",
        "TRADING",
        "STOPPING",
        "STOPPED",
    ]
    assert (summary.stop_reason, summary.events) == ("end of data", session.report.total_events)


async def test_every_component_has_a_task_of_its_own() -> None:
    """Each component, strategies and algorithms among them, market data and the feed are supervised tasks."""
    session = make_session()
    await session.run()
    assert set(session.supervisor.tasks) == {
        "component.broker",
        "component.algo.iceberg",
        "component.algo.twap",
        "component.algo.vwap",
        "component.execution_engine",
        "component.portfolio_manager",
        "component.risk_manager",
        "component.strategy.trend-aapl",
        "component.strategy.trend-goog",
        "component.strategy.revert-ibm",
        "component.strategy.breakout-msft",
        "market_data",
        "feed.replay",
        "run.begin",
    }


async def test_no_task_is_left_behind() -> None:
    """When a run is over, the only task of the loop is the caller's."""
    session = make_session()
    await session.run()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_dead_core_component_halts_trading() -> None:
    """When a core task dies the run is HALTED, nothing more is sent, and it ends with the error."""
    session = make_session("risk.limits.extra=['tests.runtime.misbehaving:BrokenLimit']")
    log = EventLog()
    session.manager.observe(log.observe, [EventType.FILL, EventType.SUBMIT])
    summary = await session.run()
    assert [line["new"] for line in logged(session, "run_state")][-3:] == ["HALTED", "STOPPING", "STOPPED"]
    assert "component.risk_manager failed" in summary.stop_reason
    assert not logged(session, "stop_left_out")
    assert session.failure is not None
    assert "ZeroDivisionError: a bug in a limit" in str(session.failure)
    assert log.events == []


async def test_a_core_component_that_dies_at_the_start_ends_the_run() -> None:
    """A failure set off by a strategy's on_start ends the run instead of leaving it waiting."""
    session = make_session("strategies=[{name='tests.runtime.misbehaving:Eager', params={symbol='AAPL'}}]")

    def fail(_: Event) -> None:
        raise RuntimeError("a bug")

    session.manager.register_component("core", Probe([], "core", then=fail), [EventType.ORDER_REQUEST])
    summary = await session.run()
    assert "component.core failed" in summary.stop_reason
    assert summary.events == 0


async def test_a_failure_beside_the_daemon_is_told_and_stops_nothing() -> None:
    """A task such as the console may fail: that is logged, and the run goes on to its end."""
    session = make_session()

    async def fail() -> None:
        raise OSError("the terminal is gone")

    session.attach("console", fail)
    summary = await session.run()
    assert summary.stop_reason == "end of data"
    assert logged(session, "task_failed")[0]["task"] == "console"


async def test_a_failing_observer_is_logged() -> None:
    """What only watches may fail: it is told, and the run goes on to its end."""
    session = make_session()
    observer = _Observer(lambda _: 1 / 0)
    session.manager.observe(observer.observe, [EventType.FILL])
    summary = await session.run()
    assert summary.stop_reason == "end of data"
    assert len(logged(session, "observer_failed")) == 1


def test_a_backtest_that_fails_keeps_its_records(tmp_path: Path) -> None:
    """What was recorded before a core component failed is in the files."""
    files = [REPO / "config.toml"]
    recorder = RunRecorder(tmp_path, "csv")
    parts = loaded(files, "backtest", [*SHORT, "risk.limits.extra=['tests.runtime.misbehaving:BrokenLimit']"])
    session = BacktestSession(*parts, name="t", run_id="r", recorder=recorder)
    with pytest.raises(ComponentError, match="a bug in a limit"):
        session.run()
    (point,) = (tmp_path / "equity.csv").read_text().splitlines()[1:]
    assert point.endswith(",100000")
    assert len((tmp_path / "signals.csv").read_text().splitlines()) == 2


async def test_of_a_failed_run_nothing_more_is_sent() -> None:
    """When a core task has died, working orders stay as they are known: no cancel goes out."""
    session = make_session("data.end=2013-03-01")
    log = EventLog()
    session.manager.observe(log.observe, [EventType.SUBMIT_CANCEL])

    def fail_at_a_working_stop(update: OrderUpdate) -> None:
        if update.status is OrderStatus.OPEN and update.order_type == "STOP":
            log.clear()
            raise RuntimeError("a bug")

    session.manager.register_component("core", Probe([], "core", then=fail_at_a_working_stop), _UPDATES)
    summary = await session.run()
    assert "component.core failed" in summary.stop_reason
    assert log.events == []
    assert summary.orders["OPEN"] >= 1


@pytest.mark.parametrize("timeout_s", [0.0, 2.0])
async def test_a_requested_stop_cancels_what_works(timeout_s: float) -> None:
    """A stop refuses new orders and cancels the working ones before the tasks end, however little time it has."""
    session = make_session("data.end=2013-03-01", stop_timeout_s=timeout_s)
    log = EventLog()
    session.manager.observe(log.observe, [EventType.ORDER_UPDATE])

    def stop_at_a_working_stop(update: OrderUpdate) -> None:
        if update.status is OrderStatus.OPEN and update.order_type == "STOP":
            session.supervisor.request_stop("enough")

    observer = _Observer(stop_at_a_working_stop)
    session.manager.observe(observer.observe, [EventType.ORDER_UPDATE])
    summary = await session.run()
    assert summary.stop_reason == "enough"
    assert summary.events < session.report.total_events
    assert all(order.status is OrderStatus.CANCELING for order in session.execution.orders.values())
    assert timeout_s == 0 or not session.execution.orders
    assert any(update.reason == "STOPPING" for update in log.of(OrderUpdate))


class _Observer:
    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def observe(self, event: Any) -> None:
        self._callback(event)


async def test_a_second_signal_forces() -> None:
    """A stop that a task holds up ends at once at the second signal, names the task, and exits with 130."""
    session = make_session("data.end=2013-03-01", stop_timeout_s=600.0)
    held_up = asyncio.Event()

    async def stubborn() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            held_up.set()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    session.attach("stubborn", stubborn)
    summary = await session.run()
    assert held_up.is_set()
    assert (session.forced, session.stuck, summary.stop_reason) == (True, ("stubborn",), "SIGINT")
    assert exit_code(session) == 130


async def test_progress_is_told_in_a_snapshot() -> None:
    """A snapshot at the end shows all events done, the state, the strategies and the books."""
    session = make_session()
    await session.run()
    snapshot = session.snapshot(session.state)
    assert (snapshot.state, snapshot.progress, snapshot.mode) == (RunState.STOPPED, 1.0, "PAPER")
    assert snapshot.equity == session.portfolio.get_equity()
    assert len(snapshot.strategies) == 4


def test_each_session_wants_its_own_driver() -> None:
    """A backtest session refuses the asynchronous manager and the daemon the synchronous one."""
    files = [REPO / "config.toml"]
    with pytest.raises(UsageError, match="backtest"):
        BacktestSession(*loaded(files, "paper", SHORT), name="t", run_id="r")
    with pytest.raises(UsageError, match="paper"):
        DaemonSession(*loaded(files, "backtest", SHORT), name="t", run_id="r", log=None)
