"""The synchronous driver: backtests and replays, without an event loop."""

from collections import deque

from tradingd.domain.events import MARKET_EVENTS, Event, MarketEvent
from tradingd.errors import UsageError
from tradingd.runtime.manager import BATCH, EventManager, Handler, Node

__all__ = ["SyncEventManager"]


class SyncEventManager(EventManager):
    """Drives components by plain calls, on the schedule that the asyncio loop would keep."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._line: deque[Node] = deque()
        self._busy = False

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

    def _send(self, event: Event) -> None:
        """Send an event to those that want it.

        From inside a handler it waits its turn; from outside everything it sets off is handled before this
        returns, and a market event goes through its stages like one from a feed.
        """
        outside = not self._busy
        if event.type in MARKET_EVENTS:
            if not outside:
                raise UsageError("a component cannot emit market events; they come from a feed")
            self.publish(event)  # type: ignore[arg-type]
            return
        for node, handler in self._targets_of(event):
            self._enqueue(node, handler, event)
        self._tell_observers(event)
        if outside:
            self._busy = True
            try:
                self._drain()
            finally:
                self._busy = False

    def publish(self, event: MarketEvent) -> None:
        """Take a market event through its stages; returns when all is quiet."""
        if self._unstarted:
            self.start()
        self._busy = True
        try:
            self._offer(event)
        finally:
            self._busy = False

    def _offer(self, event: MarketEvent) -> None:
        if event.ts > self.timers.next_due:
            self._fire_timers(event.ts)
        self._step += 1
        self.clock.advance_to(event.ts)
        self.prices.update(event)
        for targets in self._stages_of(event):
            if len(targets) == 1:
                node, handler = targets[0]
                node.queued = True
                self._run(node, handler, event)
                if node.inbox:
                    self._line.appendleft(node)
                    self._drain(spent=1)
                    continue
                node.queued = False
            else:
                for node, handler in targets:
                    self._enqueue(node, handler, event)
            if self._line:
                self._drain()
        self.market_events += 1
        if self._observers:
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
            for _ in range(BATCH - spent):
                if not inbox:
                    break
                handler, event = inbox.popleft()
                self._run(node, handler, event)
            spent = 0
            if inbox:
                line.append(node)
            else:
                node.queued = False


_NO_EVENT = Event(0)
