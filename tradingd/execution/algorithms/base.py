"""The base of algorithms: a component that works parent orders through children."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from tradingd.domain.enums import OrderType
from tradingd.domain.events import (
    AlgoDone,
    AlgoOrder,
    AlgoUpdate,
    ChildCancel,
    ChildOrder,
    EventType,
    Timer,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, from_market, sub
from tradingd.domain.ports import Clock, Emit, InstrumentLookup, TimerService
from tradingd.domain.prices import PriceBoard
from tradingd.errors import UsageError
from tradingd.execution.algodesk import component_name
from tradingd.execution.algorithms.params import Params
from tradingd.execution.triggers import best_of

__all__ = ["Algorithm", "Child", "Parent"]


class Child:
    """One order at the venue, as its algorithm knows it."""

    __slots__ = ("filled", "is_open", "limit_price", "quantity")

    def __init__(self, quantity: Decimal, limit_price: Decimal | None) -> None:
        self.quantity = quantity
        self.limit_price = limit_price
        self.filled = ZERO
        self.is_open = True


class Parent:
    """One order that an algorithm works; `state` is the algorithm's own."""

    __slots__ = ("children", "done", "order", "state")

    def __init__(self, order: AlgoOrder) -> None:
        self.order = order
        self.children: dict[int, Child] = {}
        """All its children, by number."""
        self.done = False
        """The algorithm asks for nothing more."""
        self.state: Any = None

    @property
    def live(self) -> dict[int, Child]:
        """The children that are not over."""
        return {label: child for label, child in self.children.items() if child.is_open}

    @property
    def unfilled(self) -> Decimal:
        """What has not filled yet."""
        left = self.order.quantity
        for child in self.children.values():
            left = sub(left, child.filled)
        return left

    @property
    def available(self) -> Decimal:
        """What is neither filled nor may fill by a child: no more than that can be asked for."""
        left = self.unfilled
        for child in self.live.values():
            left = sub(left, sub(child.quantity, child.filled))
        return left


class Algorithm(ABC):
    """Splits orders. Override `accept`, which reads the parameters of one, and `advance`, which goes on.

    `advance` is called after `accept`, when an alarm comes due, and when a child is over. It asks for children
    with `send` and `cancel`, for time with `wake_at`, and ends with `done`. A child that was refused is over, too:
    who asks for the same again, at once and each time, asks for ever, and is stopped as one that floods.

    It runs as a component of its own. If it raises, this algorithm is stopped, and what it worked is canceled.

    `draw` gives numbers from 0 up to 1; it is the run's seeded generator. `curves` are the volume curves of the
    configuration.
    """

    isolated: ClassVar[bool] = True
    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {EventType.ALGO_ORDER, EventType.ALGO_UPDATE, EventType.TIMER}
    )

    def __init__(
        self,
        name: str,
        *,
        emit: Emit,
        clock: Clock,
        timers: TimerService,
        prices: PriceBoard,
        instruments: InstrumentLookup,
        draw: Callable[[], float],
        curves: Mapping[str, str],
    ) -> None:
        self.name = name
        self.strategy_id = component_name(name)
        """Under this name a fault of it is told."""
        self.clock = clock
        self.draw = draw
        self.curves = curves
        self._emit = emit
        self._timers = timers
        self._prices = prices
        self._instruments = instruments
        self._owner = f"@{self.strategy_id}"
        self._parents: dict[str, Parent] = {}

    # --- to override -----------------------------------------------------------------------------------------

    @abstractmethod
    def accept(self, parent: Parent, params: Params) -> None:
        """Take on an order: read its parameters, set `parent.state`.

        Raises:
            UsageError: the parameters are wrong; the order ends as VOID, with this as the reason.

        """

    @abstractmethod
    def advance(self, parent: Parent) -> None:
        """Go on with an order."""

    # --- what an algorithm may do ----------------------------------------------------------------------------

    def send(self, parent: Parent, quantity: Decimal, limit_price: Decimal | None = None) -> None:
        """Ask for a child: a limit order where a price is given, else a market order."""
        label = len(parent.children) + 1
        parent.children[label] = Child(quantity, limit_price)
        kind = OrderType.MARKET if limit_price is None else OrderType.LIMIT
        now, intent_id = self.clock.now(), parent.order.intent_id
        self._emit(ChildOrder(now, self.name, intent_id, label, quantity, kind, limit_price))

    def cancel(self, parent: Parent, label: int) -> None:
        """Ask for a child's cancel."""
        self._emit(ChildCancel(self.clock.now(), self.name, parent.order.intent_id, label))

    def done(self, parent: Parent, reason: str) -> None:
        """Ask for nothing more: the order is over when its children are."""
        if not parent.done:
            parent.done = True
            self._emit(AlgoDone(self.clock.now(), self.name, parent.order.intent_id, reason))

    def wake_at(self, parent: Parent, ts: int) -> None:
        """Call `advance` at `ts`, nanoseconds UTC; replaces an earlier wish."""
        self._timers.schedule_at(self._owner, parent.order.intent_id, ts)

    def instrument(self, parent: Parent) -> Instrument:
        """What is traded."""
        return self._instruments[parent.order.symbol]

    def own_best(self, parent: Parent) -> Decimal | None:
        """The best price of the order's side, on the tick; of trades and bars the latest. None when unknown."""
        latest = self._prices.latest.get(parent.order.symbol)
        best = None if latest is None else best_of(latest, parent.order.side)
        if best is None:
            return None
        return self.instrument(parent).round_price(from_market(best), parent.order.side)

    def is_too_small(self, parent: Parent, quantity: Decimal) -> bool:
        """Whether the venue would refuse an order of this quantity as too small, as far as its price is known."""
        instrument = self.instrument(parent)
        if quantity <= 0 or quantity < instrument.min_quantity:
            return True
        price = parent.order.limit_price
        if price is None:
            price = self.own_best(parent)
        return price is not None and instrument.notional(quantity, price) < instrument.min_notional

    # --- how the run drives it -------------------------------------------------------------------------------

    def event_filter(self, event_type: EventType) -> frozenset[str] | None:
        """What is addressed to this algorithm, and its own timers."""
        return frozenset({self._owner if event_type is EventType.TIMER else self.name})

    def on_algo_order(self, order: AlgoOrder) -> None:
        """Take on an order, or tell why not."""
        parent = Parent(order)
        try:
            params = Params(order.params)
            self.accept(parent, params)
            params.finish()
        except UsageError as error:
            self.done(parent, f"WRONG_PARAMETER: {self.name}: {error}")
            return
        self._parents[order.intent_id] = parent
        self.advance(parent)

    def on_algo_update(self, update: AlgoUpdate) -> None:
        """Follow a parent and its children."""
        parent = self._parents.get(update.intent_id)
        if parent is None:
            return
        if not update.child:
            if update.status.is_terminal:
                del self._parents[update.intent_id]
                self._timers.unschedule(self._owner, update.intent_id)
            return
        child = parent.children.get(update.child)
        if child is None:
            return
        was_open = child.is_open
        child.filled, child.is_open = update.filled, not update.status.is_terminal
        if was_open and not child.is_open and not parent.done:
            self.on_child_over(parent, update)

    def on_child_over(self, parent: Parent, update: AlgoUpdate) -> None:
        """A child is over: `advance`, unless overridden."""
        del update
        self.advance(parent)

    def on_timer(self, timer: Timer) -> None:
        """It is time to go on with an order."""
        parent = self._parents.get(timer.name)
        if parent is not None and not parent.done:
            self.advance(parent)
