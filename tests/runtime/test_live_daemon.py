"""What a daemon does that trades in real time: stepped time, injected events, waiting for venue and feed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import structlog

from tests.runtime.parts import REPO, Probe, loaded
from tradingd.broker.base import Broker
from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events import EventType, HaltRequest, MarketEvent, SubmitOrder, VenueCondition, VenueStatus
from tradingd.domain.prices import PriceBoard
from tradingd.errors import TradingdError, VenueUnavailableError
from tradingd.runtime.async_manager import AsyncEventManager
from tradingd.runtime.clock import SteppedClock, TimerQueue
from tradingd.runtime.daemon import DaemonSession
from tradingd.testing import EventLog, at, make_bar, make_trade


class Time:
    """A source of time that is moved by hand."""

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def __call__(self) -> int:
        return self.ns


class Rig:
    """A live manager with one component that notes what it gets and at what time."""

    def __init__(self) -> None:
        self.time = Time(at(10))
        self.clock = SteppedClock(self.time)
        self.timers = TimerQueue(self.clock)
        self.manager = AsyncEventManager(clock=self.clock, prices=PriceBoard(), timers=self.timers)
        self.seen: list[tuple[str, int]] = []
        probe = Probe([], "p", then=lambda event: self.seen.append((event.type.name, self.clock.now())))
        kinds = [EventType.BAR, EventType.TRADE, EventType.TIMER, EventType.HALT_REQUEST]
        self.manager.register_component("p", probe, kinds)

    async def drive(self, body: Callable[[], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(task()) for task in self.manager.tasks().values()]
            await self.manager.start()
            await body()
            await self.manager.finish()  # ends the market-data task, so a body calls `idle` in between
            for task in tasks:
                task.cancel()

    async def idle(self) -> None:
        """Wait until the market-data task has dealt with all it was given."""
        await self.manager._market.join()


async def test_events_of_several_streams_may_be_older_than_now() -> None:
    """A bar that is told after a later trade is handled at the present time, and the clock does not go back."""
    rig = Rig()

    async def body() -> None:
        await rig.manager.publish(make_trade(1.0, minute=9.9))
        await rig.manager.publish(make_bar(1.0, minute=8))

    await rig.drive(body)
    assert rig.seen == [("TRADE", at(10)), ("BAR", at(10))]


async def test_each_step_sees_one_time() -> None:
    """The clock moves with the machine's between events, not within one."""
    rig = Rig()

    async def body() -> None:
        await rig.manager.publish(make_trade(1.0, minute=9.9))
        await rig.idle()
        rig.time.ns = at(11)
        await rig.manager.publish(make_trade(1.0, minute=9.95))

    await rig.drive(body)
    assert rig.seen == [("TRADE", at(10)), ("TRADE", at(11))]


async def test_a_timer_fires_in_a_quiet_market() -> None:
    """A tick fires what is due by now, with no market event to do it."""
    rig = Rig()

    async def body() -> None:
        rig.timers.schedule_at("p", "t", at(10.5))
        rig.manager.tick()
        await rig.idle()
        assert rig.seen == []
        rig.time.ns = at(10.5)
        rig.manager.tick()

    await rig.drive(body)
    assert rig.seen == [("TIMER", at(10.5))]


async def test_a_broker_task_injects_at_the_present_time() -> None:
    """What a task tells is a step of its own: the clock moves to now, then it is routed."""
    rig = Rig()

    async def body() -> None:
        rig.time.ns = at(12)
        rig.manager.inject(HaltRequest(at(3), HaltScope.ACCOUNT, "account", HaltState.NO_NEW, "why"))
        await rig.manager.until_quiet()

    await rig.drive(body)
    assert rig.seen == [("HALT_REQUEST", at(12))]


class Feed:
    """A feed that publishes nothing and is ready when it is told so."""

    def __init__(self) -> None:
        self.live = asyncio.Event()

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {"feed.fake": self._stay}

    async def ready(self) -> None:
        await self.live.wait()

    async def _stay(self) -> None:
        await asyncio.Event().wait()


def make_session(feed: Feed) -> DaemonSession:
    """A daemon on the shipped configuration with a feed of its own."""
    parts = loaded((REPO / "config.toml",), "paper", ["data.end=2006-06-01"])
    log = structlog.testing.CapturingLogger()
    return DaemonSession(
        *parts, name="t", run_id="r", log=log, make_feed=lambda _log: lambda _publish: feed, mode="LIVE"
    )


async def until(session: DaemonSession, state: str) -> None:
    """Wait until the run is in a state."""
    reached = asyncio.Event()
    session.supervisor.on_state(lambda _old, new, _reason: reached.set() if new.value == state else None)
    if session.state.value != state:
        await reached.wait()


async def test_the_run_trades_once_its_feed_is_live() -> None:
    """A run reconciles until the feed is ready, tells risk so, then trades."""
    feed = Feed()
    session = make_session(feed)
    log = EventLog()
    session.manager.observe(log.observe, [EventType.VENUE_STATUS])

    def told() -> list[str]:
        return [status.condition.value for status in log.of(VenueStatus) if not status.venue]

    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        await until(session, "RECONCILING")
        for _ in range(20):
            await asyncio.sleep(0)
        assert session.state.value == "RECONCILING"
        assert told() == ["CONNECTING"]
        feed.live.set()
        await until(session, "TRADING")
        assert told() == ["CONNECTING", "READY"]
        session.supervisor.request_stop("enough")
    assert running.result().stop_reason == "enough"


class Armed(Broker):
    """A broker whose venue would act of its own accord."""

    def __init__(self, error: TradingdError | None = None) -> None:
        super().__init__("armed")
        self.said: list[str] = []
        self._error = error

    async def settled(self) -> None:
        self.said.append("settled")

    async def disarm(self) -> None:
        self.said.append("disarmed")
        if self._error is not None:
            raise self._error

    def place_order(self, order: SubmitOrder) -> None: ...
    def cancel_order(self, order_id: str) -> None: ...
    def modify_order(self, *args: Any, **fields: Any) -> None: ...
    def on_market_data(self, data: MarketEvent) -> None: ...


@pytest.mark.parametrize("error", [None, VenueUnavailableError("timed out")])
async def test_an_orderly_stop_disarms_the_venues(error: TradingdError | None) -> None:
    """Once all is settled no venue may cancel what is to outlive the run; a failure of that is told."""
    feed, broker = Feed(), Armed(error)
    feed.live.set()
    session = make_session(feed)
    session.brokers = (broker,)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        await until(session, "TRADING")
        session.supervisor.request_stop("enough")
    assert broker.said == ["settled", "disarmed"]
    assert running.result().stop_reason == "enough"
    calls = [call.kwargs for call in session._log.calls if call.args == ("still_armed",)]
    assert calls == ([] if error is None else [{"venue": "armed", "error": "timed out"}])


async def test_a_venue_that_is_lost_takes_the_run_back_to_reconciling() -> None:
    """While any venue is not ready the run is RECONCILING, with what the venue says; then it trades again."""
    feed = Feed()
    feed.live.set()
    session = make_session(feed)
    manager: Any = session.manager
    async with asyncio.TaskGroup() as group:
        group.create_task(session.run())
        await until(session, "TRADING")
        manager.inject(VenueStatus(at(1), "main", VenueCondition.DOWN, "maintenance"))
        assert session.state.value == "RECONCILING"
        manager.inject(VenueStatus(at(1), "main", VenueCondition.READY))
        assert session.state.value == "TRADING"
        session.supervisor.request_stop("enough")
    told = [call.kwargs["reason"] for call in session._log.calls if call.args == ("run_state",)]
    assert "main is DOWN: maintenance" in told
