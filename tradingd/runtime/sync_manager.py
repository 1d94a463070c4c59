"""The synchronous driver: backtests and replays, without an event loop."""

from collections import deque
from collections.abc import Iterable

from tradingd.domain.events import Event, EventType, FeedEvent
from tradingd.domain.prices import PriceBoard
from tradingd.errors import UsageError
from tradingd.runtime.clock import TimerQueue
from tradingd.runtime.manager import BATCH, AdvancingClock, EventManager, Handler, Node

__all__ = ["SyncEventManager"]


class SyncEventManager(EventManager):
    """Drives components by plain calls, on the schedule that the asyncio loop would keep."""

    def __init__(
        self, *, clock: AdvancingClock, prices: PriceBoard, timers: TimerQueue, capacity: int = 10_000
    ) -> None:
        super().__init__(clock=clock, prices=prices, timers=timers, capacity=capacity)
        self._line: deque[Node] = deque()
        self._busy = False
        self.stopping = False
        """Set it to let `run` return after the event at hand."""

    def start(self) -> None:
        """Let the components begin that have not yet; the first market event does so, too."""
        self._busy = True
        try:
            for node, hook in self._start_hooks():
                self._run(node, hook, _NO_EVENT)
                self._drain()
        finally:
            self._busy = False

    def stop(self) -> None:
        """Let the components end; what they ask for now is not handled any more."""
        self._busy = True
        for node, hook in self._stop_hooks():
            self._run(node, hook, _NO_EVENT)
        self._busy = False
        self._line.clear()
        for node in self._nodes.values():
            self._clear_inbox(node)

    def emit(self, event: Event) -> None:
        """Send an event to the components that want it; as in the base, but no interrupt strikes in a backtest.

        Raises:
            QueueOverflowError: the strategy that emits floods.
            UsageError: an observer emits, or a handler emits a market event.

        """
        if self._observing:
            raise UsageError("an observer may only watch, not emit")
        node = self.current
        if node is not None and node.isolated:
            self._count(node)
        self._send(event)

    def _send(self, event: Event) -> None:
        """Send an event to those that want it.

        From inside a handler it waits its turn; from outside everything it sets off is handled before this
        returns, and a market event goes through its stages like one from a feed.
        """
        event_type = event.type
        if event_type <= EventType.BOOK:
            if self._busy:
                raise UsageError("a component cannot emit market events; they come from a feed")
            self.publish(event)  # type: ignore[arg-type]
            return
        route = event.route
        key = getattr(event, route) if route else ""
        targets = self._targets[event_type].get(key)
        if targets is None:
            targets = self._resolve(event_type, key)
        for node, handler in targets:
            inbox = node.inbox
            if len(inbox) >= self.capacity:
                self._refuse_flood(node, len(inbox))
            inbox.append((handler, event))
            if not node.queued:
                node.queued = True
                self._line.append(node)
        if self._observers[event_type]:
            self._tell_observers(event)
        if not self._busy:
            self._busy = True
            try:
                self._drain()
            finally:
                self._busy = False

    def publish(self, event: FeedEvent) -> None:
        """Take a market event through its stages; returns when all is quiet."""
        if self._unstarted:
            self.start()
        self._busy = True
        try:
            self._offer(event)
        finally:
            self._busy = False

    def run(self, events: Iterable[FeedEvent]) -> None:
        """Take all `events` through their stages, one after the other, until `stopping` is set."""
        if self._unstarted:
            self.start()
        self._busy = True
        try:
            for event in events:
                self._offer(event)
                if self.stopping:
                    break
        finally:
            self._busy = False

    def _offer(self, event: FeedEvent) -> None:
        ts = event.ts
        if ts > self.timers.next_due:
            self._fire_timers(ts)
        self._step += 1
        self.clock.advance_to(ts)
        self.prices.update(event)
        symbol = event.symbol
        stages = self._stages[event.type].get(symbol)
        if stages is None:
            stages = self._resolve_stages(event.type, symbol)
        line = self._line
        for offers in stages:
            if len(offers) == 1:  # nearly always: let it handle the event at once, then all that this sets off
                interest, node, handler = offers[0]
                if node.faulted or not (interest is None or symbol in interest):
                    continue
                node.queued = True
                self.events_handled += 1
                self.current = node
                try:
                    handler(event)
                    self.current = None
                except (Exception, SystemExit) as error:  # noqa: BLE001 - the supervision boundary: told, never swallowed
                    self.current = None
                    self._fault(node, event, error)
                if node.inbox:
                    line.appendleft(node)
                    self._drain(spent=1)
                    continue
                node.queued = False
            else:
                for interest, node, handler in offers:
                    if interest is None or symbol in interest:
                        self._enqueue(node, handler, event)
            if line:
                self._drain()
        self.market_events += 1
        if self._observers[event.type]:
            self._tell_observers(event)

    def _fire_timers(self, ts: int) -> None:
        """Timers that were due before `ts` come first."""
        for timer in self.timers.pop_due(ts - 1):
            self._step += 1
            self.clock.advance_to(timer.ts)
            self.emit(timer)
            self._drain()

    def _adopt(self, node: Node) -> Node:
        node.inbox = deque()
        return node

    def _clear_inbox(self, node: Node) -> None:
        node.inbox.clear()

    def _enqueue(self, node: Node, handler: Handler, event: Event) -> None:
        inbox = node.inbox
        if len(inbox) >= self.capacity:
            self._refuse_flood(node, len(inbox))
        inbox.append((handler, event))
        if not node.queued:
            node.queued = True
            self._line.append(node)

    def _drain(self, spent: int = 0) -> None:
        """Let each component in line handle its inbox, until the line is empty.

        `spent` is how many events of its batch the first one has handled already.
        """
        line = self._line
        while line:
            node = line.popleft()
            inbox = node.inbox
            left = BATCH - spent
            spent = 0
            while inbox and left:
                left -= 1
                handler, event = inbox.popleft()
                if node.faulted:
                    continue
                self.events_handled += 1
                self.current = node
                try:
                    handler(event)
                    self.current = None
                except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                    self.current = None
                    self._fault(node, event, error)
            if inbox:
                line.append(node)
            else:
                node.queued = False


_NO_EVENT = Event(0)
