"""The event manager: who gets which event, and in what order.

Components register with the events they want; a handler is an ordinary function that takes one event and emits
others. Two drivers share everything in this file: `SyncEventManager` runs a backtest, `AsyncEventManager` runs a
daemon with one asyncio task and one queue per component. Both keep one schedule, so that the same market data
leads to the same decisions:

- A market event is offered stage by stage (broker, portfolio, execution, risk, strategy), and the next stage waits
  until all that the last one set off has been handled.
- So is a corporate action, but to the portfolio first, and to all it concerns, whatever market they ask for.
- In between, components that have events wait in line; each drains its inbox (up to `BATCH` events) in turn.
"""

import inspect
import sys
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Protocol, cast

from tradingd.domain.events import Event, EventType, FeedEvent, StrategyFaulted
from tradingd.domain.loading import explain
from tradingd.domain.ports import Stage
from tradingd.domain.prices import PriceBoard
from tradingd.errors import ComponentError, HandlerTimeoutError, QueueOverflowError, UsageError
from tradingd.runtime.clock import TimerQueue
from tradingd.runtime.stages import Offer, action_stages, market_stages

HARD_BOUND = 8
"""An inbox holds at most this many times `capacity`; a core component that would exceed that halts the run."""

__all__ = ["BATCH", "Component", "EventManager", "Handler", "Node"]

BATCH = 256
"""How many events a component may handle before the next in line gets its turn."""

Handler = Callable[[Any], None]


class Component(Protocol):
    """What can be registered: anything with `on_<event type>` methods, or `handlers()`.

    Optional members: `handlers()` (which method takes which event type), `required_events` (subscribed to
    whatever the registration lists), `stage` (when it is offered market events; STRATEGY unless told),
    `isolated` (a fault stops only this component), `event_filter(event_type)` (the symbols, strategy ids or
    venues it wants), `market_interest()` (a live container of the symbols whose market events it has a use for at
    this moment: it is asked at every event, which spares a component those it would do nothing about; None for
    all), `before_action(action)` (called before any component handles a corporate action), `on_start()` and
    `on_stop()`.
    """


class AdvancingClock(Protocol):
    """A clock that market data moves (a backtest's) or that time moves."""

    def now(self) -> int:
        """Nanoseconds UTC."""

    def reach(self, ts: int) -> int:
        """What time it is once an event of `ts` is handled."""

    def advance_to(self, ts: int) -> None:
        """It is `ts` now."""


class Node:
    """A registered component with its place in the schedule."""

    __slots__ = (
        "component",
        "emitted",
        "faulted",
        "handlers",
        "inbox",
        "isolated",
        "name",
        "queued",
        "stage",
        "step",
        "types",
    )

    def __init__(self, name: str, component: object, types: frozenset[EventType]) -> None:
        self.name = name
        self.component = component
        self.types = types
        self.handlers = _handlers(name, component, types)
        self.stage: Stage = getattr(component, "stage", Stage.STRATEGY)
        self.isolated: bool = getattr(component, "isolated", False)
        self.faulted = False
        self.queued = False
        self.step = -1
        self.emitted = 0
        """How many events it has emitted in `step`."""
        self.inbox: Any = None

    def wants(self, event_type: EventType) -> frozenset[str] | None:
        """The routing keys it wants of a kind of event; None for all."""
        choose = getattr(self.component, "event_filter", None)
        return None if choose is None else cast("frozenset[str] | None", choose(event_type))

    def interest(self) -> Container[str] | None:
        """The live container of symbols whose market events it has a use for; None for all."""
        choose = getattr(self.component, "market_interest", None)
        return None if choose is None else cast("Container[str] | None", choose())


Target = tuple[Node, Handler]
_KINDS = range(max(EventType) + 2)
"""Room for every kind of event, by its number; the one below 0 has the last place."""

Observer = tuple[weakref.ref[Any], Callable[..., None] | None]
"""Who watches: an object and the function of its class to call with it; None: the object is the function."""


class EventManager(ABC):
    """Registers components and routes events between them.

    `capacity` bounds each component's inbox: a strategy that would fill it beyond, or that emits more than that
    in answer to one market event or timer and all that follows from it, is faulted; market data waits. Core
    components may go beyond, up to `HARD_BOUND` times `capacity`, where the run halts: nothing is ever dropped.
    """

    def __init__(
        self, *, clock: AdvancingClock, prices: PriceBoard, timers: TimerQueue, capacity: int = 10_000
    ) -> None:
        self.clock = clock
        self.prices = prices
        self.timers = timers
        self.capacity = capacity
        self.events_handled = 0
        self.market_events = 0
        """Market events that have been through all their stages."""
        self.current: Node | None = None
        """The component whose handler is running, None between handlers."""
        self._nodes: dict[str, Node] = {}
        self._unstarted: list[Node] = []
        self._targets: list[dict[str, tuple[Target, ...]]] = [{} for _ in _KINDS]
        """By kind of event, then by routing key."""
        self._stages: list[dict[str, tuple[tuple[Offer, ...], ...]]] = [{} for _ in _KINDS]
        self._observers: list[tuple[Observer, ...]] = [() for _ in _KINDS]
        self._observing = False
        self._step = 0
        """Counts market events and timers: what one of them sets off is one step."""
        self.shield = 0
        """Above 0 while the manager's own state is being changed: no interrupt may strike then."""
        self.interrupt: tuple[Node, int, BaseException] | None = None
        """An interrupt of a handler that came at such a moment, to be raised right after it."""
        self.on_observer_failure: Callable[[str, Exception], None] = lambda _name, _error: None
        """Called with an observer's name and error when it raised; it is not called any more then."""

    # --- registration --------------------------------------------------------------------------------------

    def register_component(self, name: str, component: object, types: Iterable[EventType] | None = None) -> None:
        """Let `component` handle events of `types`, besides those that it cannot do without.

        Raises:
            UsageError: the name is taken, or the component has no handler for a type.

        """
        if name in self._nodes:
            raise UsageError(f"a component called {name!r} is registered already")
        required: frozenset[EventType] = getattr(component, "required_events", frozenset())
        wanted = frozenset(types or ()) | required
        if not wanted:
            raise UsageError(f"component {name!r} names no event types to handle")
        node = self._adopt(Node(name, component, wanted))
        self._nodes[name] = node
        if hasattr(component, "on_start"):
            self._unstarted.append(node)
        self._forget_routes()

    @property
    def components(self) -> Mapping[str, object]:
        """The registered components by name, in order of registration."""
        return {name: node.component for name, node in self._nodes.items()}

    @property
    def faulted(self) -> tuple[str, ...]:
        """The names of components that were stopped by a fault."""
        return tuple(name for name, node in self._nodes.items() if node.faulted)

    def observe(self, callback: Callable[[Any], None], types: Iterable[EventType] | None = None) -> None:
        """Call `callback` with each emitted event of `types` (all unless told), in order of emission.

        Observers watch and change nothing: they may not emit. One that raises is dropped and told of. They are
        held by weak references, so keep the object alive; a lambda is gone at once.
        """
        observer: Observer = (
            (weakref.ref(callback.__self__), callback.__func__)
            if inspect.ismethod(callback)
            else (weakref.ref(callback), None)
        )
        for event_type in EventType if types is None else types:
            self._observers[event_type] += (observer,)

    def emit(self, event: Event) -> None:
        """Send an event to the components that want it; see the driver for when they handle it.

        Raises:
            QueueOverflowError: the strategy that emits floods.
            UsageError: an observer emits, or a handler emits a market event.

        """
        if self._observing:
            raise UsageError("an observer may only watch, not emit")
        node = self.current
        if node is not None and node.isolated:
            self._count(node)
        self.shield += 1
        try:
            self._send(event)
        finally:
            self.shield -= 1
        if self.interrupt is not None and not self.shield:
            self._raise_interrupt()

    @abstractmethod
    def _send(self, event: Event) -> None:
        """Put an event into the inboxes of those that want it, and tell the observers."""

    def _count(self, node: Node) -> None:
        """Count what a strategy emits in this step, and stop one that floods."""
        if node.step != self._step:
            node.step, node.emitted = self._step, 0
        node.emitted += 1
        if node.emitted > self.capacity:
            raise QueueOverflowError(f"{node.name} emits without end: {node.emitted} events in answer to one")

    def _raise_interrupt(self) -> None:
        """Raise an interrupt that came while the manager was busy, if its handler still runs."""
        if self.interrupt is not None:
            (node, handled, error), self.interrupt = self.interrupt, None
            if (self.current, self.events_handled) == (node, handled):
                raise error

    @abstractmethod
    def _adopt(self, node: Node) -> Node:
        """Give a new node its inbox."""

    # --- routing -------------------------------------------------------------------------------------------

    def _targets_of(self, event: Event) -> tuple[Target, ...]:
        """Who gets this event, from the cache of routes."""
        key = getattr(event, event.route) if event.route else ""
        targets = self._targets[event.type].get(key)
        return self._resolve(event.type, key) if targets is None else targets

    def _stages_of(self, event: FeedEvent) -> tuple[tuple[Offer, ...], ...]:
        """Who is offered this market event, stage by stage, from the cache of routes."""
        stages = self._stages[event.type].get(event.symbol)
        return self._resolve_stages(event.type, event.symbol) if stages is None else stages

    def _resolve(self, event_type: EventType, key: str) -> tuple[Target, ...]:
        """Who gets events of this type and routing key, in order of registration."""
        found = []
        for node in self._nodes.values():
            if event_type in node.types and not node.faulted:
                wanted = node.wants(event_type)
                if wanted is None or key in wanted:
                    found.append((node, node.handlers[event_type]))
        targets = tuple(found)
        self._targets[event_type][key] = targets
        return targets

    def _resolve_stages(self, event_type: EventType, symbol: str) -> tuple[tuple[Offer, ...], ...]:
        """Who is offered a symbol's market events or corporate actions, stage by stage."""
        targets = self._resolve(event_type, symbol)
        is_action = event_type is EventType.CORPORATE_ACTION
        stages = action_stages(targets) if is_action else market_stages(targets)
        self._stages[event_type][symbol] = stages
        return stages

    def _forget_routes(self) -> None:
        for targets in self._targets:
            targets.clear()
        for stages in self._stages:
            stages.clear()

    def reroute(self) -> None:
        """Ask the components anew which symbols they want, after a subscription changed."""
        self._forget_routes()

    def _tell_observers(self, event: Event) -> None:
        self._observing = True
        for observer in self._observers[event.type]:
            reference, function = observer
            watching = reference()
            try:
                if watching is None:
                    self._drop_observer(event.type, observer)
                elif function is None:
                    watching(event)
                else:
                    function(watching, event)
            except Exception as error:  # noqa: BLE001 - who only watches must not harm what is watched; it is told
                self._drop_observer(event.type, observer)
                called = watching if function is None else function
                self._observing = False
                self.on_observer_failure(getattr(called, "__qualname__", repr(called)), error)
                self._observing = True
        self._observing = False

    def _drop_observer(self, event_type: EventType, observer: Observer) -> None:
        self._observers[event_type] = tuple(each for each in self._observers[event_type] if each is not observer)

    # --- handling ------------------------------------------------------------------------------------------

    def _run(self, node: Node, handler: Handler, event: Event) -> None:
        """Let one component handle one event; contain what it raises."""
        if node.faulted:
            return
        self.events_handled += 1
        try:
            self.current = node
            handler(event)
            self.current = None
        except (Exception, SystemExit, HandlerTimeoutError) as error:  # noqa: BLE001 - the supervision boundary: told, never swallowed
            self.current = None
            self._fault(node, event, error)

    def _fault(self, node: Node, event: Event, error: BaseException) -> None:
        """A strategy that raises is stopped alone; any other component stops the run."""
        if not node.isolated:
            raise ComponentError(f"{node.name} failed on {_name(event)}: {explain(error)}") from error
        node.faulted = True
        self._clear_inbox(node)
        self._forget_routes()
        strategy_id = getattr(node.component, "strategy_id", node.name)
        self.emit(StrategyFaulted(self.clock.now(), strategy_id, _describe(error, node.component)))

    @abstractmethod
    def _clear_inbox(self, node: Node) -> None:
        """Drop what a faulted component will not handle any more."""

    def _refuse_flood(self, node: Node, waiting: int) -> None:
        """Stop a strategy that emits more than a component can take; halt when a core component does."""
        if self.current is not None and self.current.isolated:
            raise QueueOverflowError(
                f"{self.current.name} emits faster than it can be served: {waiting} events wait for {node.name}"
            )
        if waiting >= HARD_BOUND * self.capacity:
            raise ComponentError(f"{waiting} events wait for {node.name}: its inbox is full")

    def _start_hooks(self) -> Iterable[tuple[Node, Handler]]:
        """The `on_start` of components that have not begun yet, as handlers that ignore their event."""
        while self._unstarted:
            node = self._unstarted.pop(0)
            yield node, _hook(node, "on_start")

    def _stop_hooks(self) -> Iterable[tuple[Node, Handler]]:
        """The `on_stop` of all components, as handlers that ignore their event."""
        for node in tuple(self._nodes.values()):
            if hasattr(node.component, "on_stop"):
                yield node, _hook(node, "on_stop")


def _hook(node: Node, name: str) -> Handler:
    method = getattr(node.component, name)
    return lambda _: method()


def _handlers(name: str, component: object, types: frozenset[EventType]) -> dict[EventType, Handler]:
    offered: Mapping[EventType, Handler] = component.handlers() if hasattr(component, "handlers") else {}
    found: dict[EventType, Handler] = {}
    for event_type in types:
        handler = offered.get(event_type) or getattr(component, f"on_{event_type.name.lower()}", None)
        if handler is None:
            raise UsageError(
                f"component {name!r} ({type(component).__name__}) cannot handle {event_type.name}: "
                f"it has no method on_{event_type.name.lower()}"
            )
        found[event_type] = handler
    return found


def _describe(error: BaseException, component: object) -> str:
    """An error with the line of the component's own file that led to it."""
    own = getattr(sys.modules.get(type(component).__module__), "__file__", None)
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == own:
            place = f" ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"


def _name(event: Event) -> str:
    """An event's kind, and which one it is."""
    known = [str(getattr(event, field)) for field in ("intent_id", "order_id", "symbol") if hasattr(event, field)]
    return " ".join((type(event).__name__, *filter(None, known[:1])))
