"""Both event managers: registration, routing, schedule, faults, floods, timers, observers."""

import asyncio
import gc
from typing import Any

import pytest

from tests.runtime.parts import Probe, drive, make_manager
from tradingd.domain.enums import ActionKind, Direction, Side
from tradingd.domain.events import CorporateAction, EventType, Fill, StrategyFaulted, Timer
from tradingd.domain.ports import Stage
from tradingd.errors import ComponentError, UsageError
from tradingd.runtime.async_manager import AsyncEventManager
from tradingd.runtime.manager import BATCH
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.testing import EventLog, at, make_bar, make_bars, make_fill, make_signal

BOTH = pytest.mark.parametrize("kind", [SyncEventManager, AsyncEventManager])
BAR = [EventType.BAR]


def signal(name: str) -> Any:
    """A signal that is told by its name."""
    return make_signal(Direction.LONG, intent_id=name)


@BOTH
def test_market_events_go_stage_by_stage(kind: Any) -> None:
    """A market event is offered to broker, portfolio, execution, risk and strategy in that order."""
    notes: list[Any] = []
    manager = make_manager(kind)
    for stage in reversed(Stage):
        manager.register_component(stage.name, Probe(notes, stage.name, stage=stage), BAR)
    drive(manager, [make_bar()])
    assert [name for name, _ in notes] == ["BROKER", "PORTFOLIO", "EXECUTION", "RISK", "STRATEGY"]


class Ahead(Probe):
    """A component that has something to tell before an action is handled."""

    def before_action(self, action: Any) -> None:
        """Note it."""
        self._notes.append((self._name, "ahead"))

    def market_interest(self) -> set[str]:
        """No market at all."""
        return set()


@BOTH
def test_a_corporate_action_is_booked_before_anybody_answers_it(kind: Any) -> None:
    """What is under way comes first, then the portfolio, then the broker; no lack of interest keeps it away."""
    notes: list[Any] = []
    manager = make_manager(kind)
    for stage in reversed(Stage):
        manager.register_component(
            stage.name,
            (Ahead if stage is Stage.BROKER else Probe)(notes, stage.name, stage=stage),
            [EventType.CORPORATE_ACTION, EventType.BAR],
        )
    drive(manager, [CorporateAction(at(0), "AAPL", ActionKind.SPLIT, 2, 1)])
    names = ["BROKER", "PORTFOLIO", "BROKER", "EXECUTION", "RISK", "STRATEGY"]
    assert notes == list(zip(names, ["ahead", *["CORPORATE_ACTION"] * 5], strict=True))
    assert manager.market_events == 1


@BOTH
def test_actions_come_from_a_feed_only(kind: Any) -> None:
    """A component cannot emit a corporate action, as it cannot emit market data."""
    manager = make_manager(kind)
    split = CorporateAction(at(0), "AAPL", ActionKind.SPLIT, 2, 1)
    manager.register_component("broker", Probe([], "broker", then=lambda _: manager.emit(split)), BAR)
    with pytest.raises((ComponentError, ExceptionGroup)):
        drive(manager, [make_bar()])


@BOTH
def test_a_market_event_goes_only_to_those_with_a_use_for_it(kind: Any) -> None:
    """A component's live container is asked at each event, when its stage comes."""
    notes: list[Any] = []
    manager = make_manager(kind)
    wanted: set[str] = set()
    portfolio = Probe(notes, "portfolio", stage=Stage.PORTFOLIO)
    portfolio.market_interest = lambda: wanted  # type: ignore[attr-defined]

    def answer(bar: Any) -> None:
        wanted.symmetric_difference_update({bar.symbol})

    manager.register_component("broker", Probe(notes, "broker", stage=Stage.BROKER, then=answer), BAR)
    manager.register_component("portfolio", portfolio, BAR)
    drive(manager, make_bars([1.0, 2.0, 3.0]))
    assert [name for name, _ in notes] == ["broker", "portfolio", "broker", "broker", "portfolio"]


@BOTH
def test_the_next_stage_waits_for_quiet(kind: Any) -> None:
    """What a stage sets off, and what that sets off, is handled before the next stage sees the event."""
    notes: list[Any] = []
    manager = make_manager(kind)

    def answer(event: Any) -> None:
        if event.intent_id == "first":
            manager.emit(signal("second"))

    broker = Probe(notes, "broker", stage=Stage.BROKER, then=lambda _: manager.emit(signal("first")))
    manager.register_component("strategy", Probe(notes, "strategy"), BAR)
    manager.register_component("risk", Probe(notes, "risk", then=answer), [EventType.SIGNAL])
    manager.register_component("broker", broker, BAR)
    drive(manager, [make_bar()])
    assert notes == [("broker", "BAR"), ("risk", "first"), ("risk", "second"), ("strategy", "BAR")]


@BOTH
def test_components_drain_their_inbox_in_line(kind: Any) -> None:
    """Components are served in the order in which they got their first waiting event, each drained in turn."""
    notes: list[Any] = []
    manager = make_manager(kind)

    def spread(_: Any) -> None:
        for name in ("a", "b"):
            manager.emit(signal(name))
            manager.emit(make_fill(Side.BUY, 1, 1))

    manager.register_component("source", Probe(notes, "source", then=spread), BAR)
    manager.register_component("signals", Probe(notes, "signals"), [EventType.SIGNAL])
    manager.register_component("fills", Probe(notes, "fills"), [EventType.FILL])
    drive(manager, [make_bar()])
    assert notes[1:] == [("signals", "a"), ("signals", "b"), ("fills", "FILL"), ("fills", "FILL")]


@BOTH
def test_a_long_inbox_is_drained_in_batches(kind: Any) -> None:
    """A component with more than a batch of events lets the next in line have its turn in between."""
    notes: list[Any] = []
    manager = make_manager(kind)

    def spread(_: Any) -> None:
        for number in range(BATCH + 1):
            manager.emit(signal(str(number)))
        manager.emit(make_fill(Side.BUY, 1, 1))

    manager.register_component("source", Probe(notes, "source", then=spread), BAR)
    manager.register_component("signals", Probe(notes, "signals"), [EventType.SIGNAL])
    manager.register_component("fills", Probe(notes, "fills"), [EventType.FILL])
    drive(manager, [make_bar()])
    assert notes.index(("fills", "FILL")) == 1 + BATCH
    assert notes[-1] == ("signals", str(BATCH))


@BOTH
def test_a_component_gets_only_the_symbols_it_wants(kind: Any) -> None:
    """A bar goes only to components whose filter has its symbol."""
    notes: list[Any] = []
    manager = make_manager(kind)
    manager.register_component("a", Probe(notes, "a", symbols=frozenset({"AAPL"})), BAR)
    manager.register_component("m", Probe(notes, "m", symbols=frozenset({"MSFT"})), BAR)
    manager.register_component("all", Probe(notes, "all"), BAR)
    drive(manager, [make_bar(symbol="MSFT")])
    assert [name for name, _ in notes] == ["m", "all"]


def test_a_changed_subscription_counts_after_rerouting() -> None:
    """Routes are kept; `reroute` asks the components anew which symbols they want."""
    notes: list[Any] = []
    manager = make_manager(SyncEventManager)
    probe = Probe(notes, "broker", symbols=frozenset({"AAPL"}))
    manager.register_component("broker", probe, BAR)
    manager.publish(make_bar(symbol="MSFT"))
    probe._symbols = frozenset({"MSFT"})
    manager.reroute()
    manager.publish(make_bar(symbol="MSFT"))
    manager.publish(make_bar(symbol="AAPL"))
    assert notes == [("broker", "BAR")]


@BOTH
def test_clock_and_prices_move_before_anybody_sees_the_event(kind: Any) -> None:
    """While an event is handled the clock shows its time and the price board its price."""
    seen: list[Any] = []
    manager = make_manager(kind)

    def look(event: Any) -> None:
        seen.append((manager.clock.now() == event.ts, manager.prices.price("AAPL")))

    manager.register_component("s", Probe([], "s", stage=Stage.BROKER, then=look), BAR)
    drive(manager, make_bars([10.0, 11.0]))
    assert seen == [(True, 10.0), (True, 11.0)]


@BOTH
def test_a_raising_strategy_is_faulted_alone(kind: Any) -> None:
    """A strategy that raises gets no more events and is told of; the others run on."""
    notes: list[Any] = []
    manager = make_manager(kind)

    def fail(_: Any) -> None:
        raise RuntimeError("boom")

    manager.register_component("bad", Probe(notes, "bad", then=fail, isolated=True), BAR)
    manager.register_component("good", Probe(notes, "good", isolated=True), BAR)
    log = EventLog()
    manager.observe(log.observe, [EventType.FAULT])
    drive(manager, make_bars([1.0, 2.0]))
    assert notes == [("bad", "BAR"), ("good", "BAR"), ("good", "BAR")]
    (fault,) = log.of(StrategyFaulted)
    assert fault.error.startswith("RuntimeError: boom (parts.py:")
    assert manager.faulted == ("bad",)


def test_a_failing_core_component_stops_a_backtest() -> None:
    """A component that is not a strategy ends the run with an error that names it and keeps the cause."""
    manager = make_manager(SyncEventManager)
    manager.register_component("ledger", Probe([], "ledger", then=lambda _: 1 / 0), BAR)
    with pytest.raises(ComponentError, match="ledger failed on Bar") as caught:
        drive(manager, [make_bar()])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_failing_core_component_ends_its_task() -> None:
    """In the daemon the component's task ends with the error, for the supervisor to see."""
    manager = make_manager(AsyncEventManager)
    manager.register_component("ledger", Probe([], "ledger", then=lambda _: 1 / 0), BAR)
    with pytest.raises(ExceptionGroup) as caught:
        drive(manager, [make_bar()])
    assert caught.group_contains(ComponentError, match="ledger failed")


@BOTH
def test_a_flooding_strategy_is_faulted(kind: Any) -> None:
    """A strategy that fills another component's inbox is stopped; what was let in is handled."""
    notes: list[Any] = []
    manager = make_manager(kind, capacity=100)

    def flood(_: Any) -> None:
        for number in range(1_000):
            manager.emit(signal(str(number)))

    manager.register_component("flood", Probe([], "flood", then=flood, isolated=True), BAR)
    manager.register_component("risk", Probe(notes, "risk"), [EventType.SIGNAL])
    log = EventLog()
    manager.observe(log.observe, [EventType.FAULT])
    drive(manager, [make_bar()])
    assert len(notes) == 100
    assert "flood emits without end: 101 events in answer to one" in log.last(StrategyFaulted).error


@BOTH
def test_a_strategy_that_answers_every_answer_is_faulted(kind: Any) -> None:
    """A strategy that asks again at every refusal would never let the next event come; it is stopped."""
    manager = make_manager(kind, capacity=100)
    answers: list[Any] = []

    class Asks(Probe):
        required_events = frozenset({EventType.FILL})

    def ask(_: Any) -> None:
        manager.emit(signal("again"))

    manager.register_component("asks", Asks(answers, "asks", then=ask, isolated=True), BAR)
    refuse = Probe([], "risk", then=lambda _: manager.emit(make_fill(Side.BUY, 1, 1)))
    manager.register_component("risk", refuse, [EventType.SIGNAL])
    log = EventLog()
    manager.observe(log.observe, [EventType.FAULT, EventType.BAR])
    drive(manager, make_bars([1.0, 2.0]))
    assert len(answers) == 101
    assert [event.type for event in log.events] == [EventType.FAULT, EventType.BAR, EventType.BAR]


@BOTH
def test_what_a_strategy_emits_is_counted_per_event(kind: Any) -> None:
    """Many events over many bars are no flood."""
    manager = make_manager(kind, capacity=16)
    busy = Probe([], "s", then=lambda _: [manager.emit(signal("x")) for _ in range(10)], isolated=True)
    manager.register_component("s", busy, BAR)
    manager.register_component("risk", Probe([], "risk"), [EventType.SIGNAL])
    drive(manager, make_bars([1.0] * 20))
    assert manager.faulted == ()


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH])
@pytest.mark.parametrize("loops", [False, True])
def test_both_drivers_agree_on_full_batches(count: int, loops: bool) -> None:  # noqa: FBT001
    """However many events a component emits, to itself or to another, both drivers serve them in one order."""
    journals = []
    for kind in (SyncEventManager, AsyncEventManager):
        notes: list[Any] = []
        manager = make_manager(kind)

        def spread(event: Any, manager: Any = manager) -> None:
            if event.type is EventType.BAR:
                for number in range(count):
                    manager.emit(signal(str(number)))
                manager.emit(make_fill(Side.BUY, 1, 1))

        source = Probe(notes, "source", then=spread)
        manager.register_component("source", source, [*BAR, EventType.SIGNAL] if loops else BAR)
        manager.register_component("signals", Probe(notes, "signals"), [EventType.SIGNAL])
        manager.register_component("fills", Probe(notes, "fills"), [EventType.FILL])
        drive(manager, make_bars([1.0, 2.0]))
        journals.append(notes)
    assert journals[0] == journals[1]


@BOTH
def test_an_inbox_has_a_hard_bound(kind: Any) -> None:
    """A core component that fills another's inbox without end halts the run instead of the memory."""
    manager = make_manager(kind, capacity=16)
    flood = Probe([], "core", then=lambda _: [manager.emit(signal("x")) for _ in range(10_000)])
    manager.register_component("core", flood, BAR)
    manager.register_component("risk", Probe([], "risk"), [EventType.SIGNAL])
    with pytest.raises((ComponentError, ExceptionGroup)) as caught:
        drive(manager, [make_bar()])
    told = str(caught.value) if kind is SyncEventManager else str(caught.value.exceptions[0])  # type: ignore[union-attr]
    assert "128 events wait for risk: its inbox is full" in told


@BOTH
def test_a_failing_observer_is_dropped_and_told(kind: Any) -> None:
    """What only watches harms nothing: it is dropped, told once, and the run goes on."""
    manager = make_manager(kind)
    notes: list[Any] = []
    told: list[str] = []
    manager.on_observer_failure = lambda name, error: told.append(f"{name}: {error}")
    manager.register_component("s", Probe(notes, "s", isolated=True), BAR)

    class Watcher:
        def watch(self, event: Any) -> None:
            raise OSError("the disk is full")

    watcher = Watcher()
    manager.observe(watcher.watch)
    drive(manager, make_bars([1.0, 2.0]))
    assert len(notes) == 2
    assert manager.faulted == ()
    assert [line.rpartition(".")[2] for line in told] == ["watch: the disk is full"]


@BOTH
def test_an_observer_may_not_emit(kind: Any) -> None:
    """An observer that emits would make the run depend on being watched; it is refused."""
    manager = make_manager(kind)
    manager.register_component("risk", Probe([], "risk"), [EventType.SIGNAL, EventType.BAR])
    told: list[str] = []
    manager.on_observer_failure = lambda _, error: told.append(str(error))

    class Meddler:
        def watch(self, event: Any) -> None:
            manager.emit(signal("x"))

    meddler = Meddler()
    manager.observe(meddler.watch, BAR)
    drive(manager, [make_bar()])
    assert told == ["an observer may only watch, not emit"]


@BOTH
def test_a_component_cannot_emit_market_events(kind: Any) -> None:
    """Market events come from a feed, stage by stage; a strategy that emits one is faulted."""
    manager = make_manager(kind)
    forger = Probe([], "forger", then=lambda _: manager.emit(make_bar()), isolated=True)
    manager.register_component("forger", forger, BAR)
    drive(manager, [make_bar()])
    assert manager.faulted == ("forger",)


def test_a_component_cannot_come_after_the_tasks() -> None:
    """Once the daemon's tasks are made, a new component would have none, and is refused."""
    manager = make_manager(AsyncEventManager)
    manager.tasks()
    with pytest.raises(UsageError, match="comes too late"):
        manager.register_component("s", Probe([], "s"), BAR)


@BOTH
def test_events_of_core_components_are_never_dropped(kind: Any) -> None:
    """A fill is delivered even into an inbox that is over its capacity."""
    notes: list[Any] = []
    manager = make_manager(kind, capacity=16)

    def fill(_: Any) -> None:
        for _number in range(100):
            manager.emit(make_fill(Side.BUY, 1, 1))

    manager.register_component("execution", Probe([], "execution", then=fill), BAR)
    manager.register_component("portfolio", Probe(notes, "portfolio"), [EventType.FILL])
    drive(manager, [make_bar()])
    assert len(notes) == 100


@BOTH
def test_observers_see_events_in_order_of_emission(kind: Any) -> None:
    """An observer sees each emitted event once, in order, and market events after they were handled."""
    manager = make_manager(kind)
    manager.register_component("s", Probe([], "s", then=lambda _: manager.emit(signal("x"))), BAR)
    log = EventLog()
    manager.observe(log.observe)
    drive(manager, [make_bar()])
    assert [event.type for event in log.events] == [EventType.SIGNAL, EventType.BAR]


@BOTH
def test_observers_are_held_weakly(kind: Any) -> None:
    """An observer that nobody else holds is forgotten."""
    manager = make_manager(kind)
    manager.register_component("s", Probe([], "s"), BAR)
    log = EventLog()
    kept = EventLog()
    events = log.events
    manager.observe(log.observe)
    manager.observe(kept.observe)
    del log
    gc.collect()
    drive(manager, [make_bar()])
    assert (len(events), len(kept.events)) == (0, 1)


@BOTH
def test_timers_fire_between_market_events(kind: Any) -> None:
    """A timer that was due before an event comes first; one due at it comes after."""
    notes: list[Any] = []
    manager = make_manager(kind)
    manager.clock.advance_to(at(0))
    manager.timers.schedule("s", "tick", 120_000_000_000)
    times: list[float] = []

    def note(event: Any) -> None:
        if isinstance(event, Timer):
            times.append((manager.clock.now() - at(0)) / 60e9)

    manager.register_component("s", Probe(notes, "s", then=note), [EventType.BAR, EventType.TIMER])
    drive(manager, make_bars([1.0] * 5))
    assert [what for _, what in notes] == ["BAR", "BAR", "TIMER", "BAR", "BAR", "TIMER", "BAR"]
    assert times == [2.0, 4.0]


@BOTH
def test_on_start_comes_before_the_first_event_and_on_stop_after_the_last(kind: Any) -> None:
    """Components begin before and end after the market events."""
    notes: list[Any] = []

    class Strategy(Probe):
        def on_start(self) -> None:
            notes.append("start")

        def on_stop(self) -> None:
            notes.append("stop")

    manager = make_manager(kind)
    manager.register_component("s", Strategy(notes, "s"), BAR)
    drive(manager, [make_bar()])
    assert notes == ["start", ("s", "BAR"), "stop"]


def test_a_user_loop_needs_no_start() -> None:
    """A component that is registered and fed by a plain loop begins by itself."""
    notes: list[Any] = []

    class Strategy(Probe):
        def on_start(self) -> None:
            notes.append("start")

    manager = make_manager(SyncEventManager)
    manager.register_component("s", Strategy(notes, "s"), BAR)
    manager.emit(make_bar())
    assert notes == ["start", ("s", "BAR")]


def test_emit_from_outside_returns_when_all_is_handled() -> None:
    """In the synchronous driver an event from outside and all it sets off is handled when emit returns."""
    notes: list[Any] = []
    manager = make_manager(SyncEventManager)
    manager.register_component("risk", Probe(notes, "risk", then=lambda _: manager.emit(fill)), [EventType.SIGNAL])
    manager.register_component("portfolio", Probe(notes, "portfolio"), [EventType.FILL])
    fill = make_fill(Side.BUY, 1, 1)
    manager.emit(signal("x"))
    assert notes == [("risk", "x"), ("portfolio", "FILL")]


def test_a_name_is_taken_once() -> None:
    """Two components cannot have one name."""
    manager = make_manager(SyncEventManager)
    manager.register_component("s", Probe([], "s"), BAR)
    with pytest.raises(UsageError, match="'s' is registered already"):
        manager.register_component("s", Probe([], "s"), BAR)


def test_a_component_must_be_able_to_handle_what_it_registers_for() -> None:
    """Registering for events that a component has no method for says which method is missing."""

    class OnlyFills:
        def on_fill(self, fill: Fill) -> None: ...

    manager = make_manager(SyncEventManager)
    manager.register_component("ok", OnlyFills(), [EventType.FILL])
    with pytest.raises(UsageError, match=r"'fills' \(OnlyFills\) cannot handle BAR: it has no method on_bar"):
        manager.register_component("fills", OnlyFills(), BAR)


def test_a_component_must_name_events() -> None:
    """A component without events to handle is refused."""
    manager = make_manager(SyncEventManager)
    with pytest.raises(UsageError, match="names no event types"):
        manager.register_component("idle", object())


def test_the_asynchronous_manager_takes_market_events_by_publish_only() -> None:
    """Emitting a bar there would skip its stages, and is refused."""
    manager = make_manager(AsyncEventManager)
    with pytest.raises(UsageError, match="await publish"):
        manager.emit(make_bar())


async def test_market_data_waits_while_its_queue_is_full() -> None:
    """A feed that is faster than the daemon is slowed down instead of losing events."""
    manager = make_manager(AsyncEventManager, capacity=2)
    await manager.publish(make_bar())
    await manager.publish(make_bar())
    third = asyncio.ensure_future(manager.publish(make_bar()))
    await asyncio.sleep(0)
    assert not third.done()
    assert manager.queue_depths["market_data"] == 2
    delivering = asyncio.ensure_future(manager.tasks()["market_data"]())
    await third
    delivering.cancel()


@BOTH
def test_timers_set_by_timers_fire_in_order(kind: Any) -> None:
    """A timer that another one's handler sets, due before the next market event, fires in its turn."""
    notes: list[Any] = []
    manager = make_manager(kind)

    class Chain:
        """Sets the next timer when one fires."""

        def on_start(self) -> None:
            """Set the first."""
            manager.timers.schedule_at("chain", "0", make_bar().ts_open + 1)

        def on_timer(self, timer: Any) -> None:
            """Note it, and set the next."""
            notes.append(manager.clock.now() - make_bar().ts_open)
            if len(notes) < 4:
                manager.timers.schedule_at("chain", str(len(notes)), manager.clock.now() + 10)

    manager.register_component("chain", Chain(), (EventType.TIMER,))
    manager.clock.advance_to(make_bar().ts_open)
    drive(manager, [make_bar(), make_bar(minute=1)])
    assert notes == [1, 11, 21, 31]
