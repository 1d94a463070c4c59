"""Small components and wiring for the runtime's tests."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tradingd.app import build, load_market_data, make_strategies, register_all
from tradingd.config import Settings, load_settings
from tradingd.data.handler import LoadReport
from tradingd.domain.events import Event, EventType, MarketEvent, Signal
from tradingd.domain.ports import Stage
from tradingd.domain.prices import PriceBoard
from tradingd.runtime.async_manager import AsyncEventManager
from tradingd.runtime.clock import ManualClock, TimerQueue
from tradingd.runtime.container import Container
from tradingd.runtime.manager import EventManager
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.strategy.base import Strategy
from tradingd.testing import EventLog

REPO = Path(__file__).resolve().parents[2]
RECORDED = (
    EventType.SIGNAL,
    EventType.ORDER_REQUEST,
    EventType.ORDER,
    EventType.ORDER_UPDATE,
    EventType.FILL,
    EventType.LEDGER,
)


class Probe:
    """A component that notes what it handles and does what it is told to with each event."""

    def __init__(
        self,
        notes: list[Any],
        name: str,
        *,
        stage: Stage = Stage.STRATEGY,
        then: Callable[[Event], None] | None = None,
        isolated: bool = False,
        symbols: frozenset[str] | None = None,
    ) -> None:
        self.stage = stage
        self.isolated = isolated
        self._notes = notes
        self._name = name
        self._then = then
        self._symbols = symbols

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        return dict.fromkeys(EventType, self.handle)

    def event_filter(self, event_type: EventType) -> frozenset[str] | None:
        return self._symbols if event_type <= EventType.BOOK else None

    def handle(self, event: Any) -> None:
        self._notes.append((self._name, label(event)))
        if self._then is not None:
            self._then(event)


def label(event: Any) -> str:
    """A short name of an event."""
    return event.intent_id if isinstance(event, Signal) else event.type.name


def make_manager(kind: type[EventManager], capacity: int = 10_000) -> Any:
    """An event manager with a clock, a price board and timers of its own."""
    clock = ManualClock()
    return kind(clock=clock, prices=PriceBoard(), timers=TimerQueue(clock), capacity=capacity)


def drive(manager: Any, events: Iterable[MarketEvent], finally_: Callable[[], object] | None = None) -> None:
    """Run market events through either driver to the end; `finally_` is what is done then, and settled."""
    if isinstance(manager, SyncEventManager):
        manager.start()
        for event in events:
            manager.publish(event)
        if finally_ is not None:
            finally_()
            while manager.components["broker"].settle():  # type: ignore[attr-defined]
                pass
        manager.stop()
    else:
        asyncio.run(_drive(manager, events, finally_))


async def _drive(
    manager: AsyncEventManager, events: Iterable[MarketEvent], finally_: Callable[[], object] | None
) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(task()) for task in manager.tasks().values()]
        await manager.start()
        for event in events:
            await manager.publish(event)
        await manager.finish()
        if finally_ is not None:
            finally_()
            await manager.until_quiet()
            while manager.components["broker"].settle():  # type: ignore[attr-defined]
                await manager.until_quiet()
        manager.stop()
        for task in tasks:
            task.cancel()


def loaded(
    files: Sequence[Path], mode: str, overrides: Sequence[str] = ()
) -> tuple[Container, list[Strategy], LoadReport]:
    """A run that is wired and loaded, from configuration files."""
    return wired(load_settings(files, overrides=[*overrides, f"run.mode={mode}"], environ={}))


def wired(settings: Settings) -> tuple[Container, list[Strategy], LoadReport]:
    """A run that is wired and loaded, from settings."""
    container = build(settings)
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    register_all(container, strategies)
    return container, strategies, report


def journal_of(files: Sequence[Path], mode: str, overrides: Sequence[str] = ()) -> list[Event]:
    """Every signal, order, fill and ledger entry of a run, in the order in which they happened."""
    container, _, report = loaded(files, mode, overrides)
    manager = container.get("event_manager")
    log = EventLog()
    manager.observe(log.observe, RECORDED)
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    return log.events
