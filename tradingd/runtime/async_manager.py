"""The asynchronous driver: one supervised asyncio task and one queue per component."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from tradingd.domain.events import Event, EventType, FeedEvent
from tradingd.domain.prices import PriceBoard
from tradingd.errors import UsageError
from tradingd.runtime.clock import TimerQueue
from tradingd.runtime.manager import BATCH, HARD_BOUND, AdvancingClock, EventManager, Handler, Node

__all__ = ["AsyncEventManager"]

_Item = tuple[Handler, Event]


class _Mark(Enum):
    """What stands in the market-data queue besides events."""

    END = auto()
    TICK = auto()


class AsyncEventManager(EventManager):
    """Drives components as tasks of the running loop, joined by asyncio queues.

    Market data has a task and a bounded queue of its own: `publish` waits while it is full, which slows the feed
    instead of losing events. Each component's queue is bounded, too: see `EventManager` for what happens there.
    """

    def __init__(
        self, *, clock: AdvancingClock, prices: PriceBoard, timers: TimerQueue, capacity: int = 10_000
    ) -> None:
        super().__init__(clock=clock, prices=prices, timers=timers, capacity=capacity)
        self._market: asyncio.Queue[FeedEvent | _Mark] = asyncio.Queue(self.capacity)
        self._pending = 0
        self._have_tasks = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The tasks to supervise, by name in starting order: the components, then market data."""
        self._have_tasks = True
        tasks: dict[str, Callable[[], Awaitable[None]]] = {
            f"component.{name}": lambda node=node: self._serve(node)  # type: ignore[misc]
            for name, node in self._nodes.items()
        }
        return {**tasks, "market_data": self._deliver}

    async def start(self) -> None:
        """Let the components begin."""
        for node, hook in self._start_hooks():
            self._run(node, hook, _NO_EVENT)
            await self.until_quiet()

    def stop(self, may_go_on: Callable[[], bool] = lambda: True) -> tuple[str, ...]:
        """Let the components end; what they ask for now is not handled any more.

        Returns the names of those that were left out because `may_go_on` said no before their turn.
        """
        left_out = []
        for node, hook in self._stop_hooks():
            if may_go_on():
                self._run(node, hook, _NO_EVENT)
            else:
                left_out.append(node.name)
        return tuple(left_out)

    async def publish(self, event: FeedEvent) -> None:
        """Hand a market event to the market-data task; waits while its queue is full."""
        await self._market.put(event)

    async def finish(self) -> None:
        """Tell that no market event will follow; returns when the last one has been dealt with."""
        await self._market.put(_Mark.END)
        await self._market.join()

    def tick(self) -> None:
        """Let timers fire that are due by now, in a market that is quiet; a busy one fires them by itself."""
        if self.timers.next_due <= self.clock.reach(0) and self._market.empty():
            self._market.put_nowait(_Mark.TICK)

    def inject(self, event: Event) -> None:
        """Bring in an event from outside the components: what a broker heard from its venue.

        To be called by tasks of this loop, between handlers. It is a step of its own.
        """
        self._step += 1
        self.clock.advance_to(self.clock.reach(event.ts))
        self.emit(event)

    def _send(self, event: Event) -> None:
        """Put an event into the queues of those that want it; never waits."""
        if event.type <= EventType.BOOK:
            raise UsageError("the asynchronous event manager takes market events by `await publish(event)`")
        for node, handler in self._targets_of(event):
            self._enqueue(node, handler, event)
        self._tell_observers(event)

    @property
    def waiting_market_events(self) -> int:
        """How many events wait for the market-data task."""
        return self._market.qsize()

    @property
    def queue_depths(self) -> dict[str, int]:
        """How many events wait for each component, and for the market-data task."""
        depths: dict[str, int] = {name: node.inbox.qsize() for name, node in self._nodes.items()}
        return {**depths, "market_data": self._market.qsize()}

    def _adopt(self, node: Node) -> Node:
        if self._have_tasks:
            raise UsageError(f"component {node.name!r} comes too late: the tasks have been made")
        node.inbox = asyncio.Queue(HARD_BOUND * self.capacity)
        return node

    def _clear_inbox(self, node: Node) -> None:
        inbox: asyncio.Queue[_Item] = node.inbox
        while not inbox.empty():
            inbox.get_nowait()
            self._settle()

    def _enqueue(self, node: Node, handler: Handler, event: Event) -> None:
        inbox: asyncio.Queue[_Item] = node.inbox
        if inbox.qsize() >= self.capacity:
            self._refuse_flood(node, inbox.qsize())
        self._pending += 1
        self._quiet.clear()
        inbox.put_nowait((handler, event))

    def _settle(self) -> None:
        """One event has been dealt with."""
        self._pending -= 1
        if not self._pending:
            self._quiet.set()

    async def _serve(self, node: Node) -> None:
        """A component's task: take one event, then drain what has come meanwhile, then yield."""
        inbox: asyncio.Queue[_Item] = node.inbox
        while True:
            item = await inbox.get()
            handled = 0
            while True:
                self._run(node, *item)
                self._settle()
                if inbox.empty():
                    break
                handled += 1
                if handled == BATCH:
                    handled = 0
                    await asyncio.sleep(0)
                    if inbox.empty():  # a fault has cleared it meanwhile
                        break
                item = inbox.get_nowait()

    async def _deliver(self) -> None:
        """The market-data task: take each event through its stages, with quiet in between."""
        while True:
            event = await self._market.get()
            if event is _Mark.TICK:
                await self._fire_timers(self.clock.reach(0) + 1)
            elif event is not _Mark.END:
                await self._offer(event)
            self._market.task_done()
            if event is _Mark.END:
                return

    async def _offer(self, event: FeedEvent) -> None:
        now = self.clock.reach(event.ts)
        if now > self.timers.next_due:
            await self._fire_timers(now)
        self._step += 1
        self.clock.advance_to(now)
        self.prices.update(event)
        symbol = event.symbol
        for offers in self._stages_of(event):
            for interest, node, handler in offers:
                if interest is None or symbol in interest:
                    self._enqueue(node, handler, event)
            if self._pending:
                await self._quiet.wait()
        self.market_events += 1
        self._tell_observers(event)

    async def _fire_timers(self, ts: int) -> None:
        """Timers that were due before `ts` come first."""
        for timer in self.timers.pop_due(ts - 1):
            self._step += 1
            self.clock.advance_to(timer.ts)
            self.emit(timer)
            await self.until_quiet()

    async def until_quiet(self) -> None:
        """Wait until every event that was emitted has been handled."""
        if self._pending:
            await self._quiet.wait()


_NO_EVENT = Event(0)
