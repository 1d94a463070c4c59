"""What waits to be published: quotes and books conflate per symbol, trades and bars are never dropped.

Of a symbol's quotes (or books) only the latest waits, in the place of the first that was not taken yet: so a slow
reader gets the present, and none of the rest. Trades and bars keep their order and are all kept; when `is_full`
says so, those who bring them stop reading and catch up over REST later.
"""

from collections import Counter, deque

from tradingd.domain.events import Bar, Book, EventType, Quote, Trade

__all__ = ["Outbox"]

Slot = tuple[EventType, str]


class Outbox:
    """The line of events between the streams and the publisher."""

    __slots__ = ("_kept", "_latest", "_line", "capacity", "conflated")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._line: deque[Trade | Bar | Slot] = deque()
        self._latest: dict[Slot, Quote | Book] = {}
        self._kept = 0
        self.conflated: Counter[Slot] = Counter()
        """How many quotes and books a later one has replaced."""

    def __len__(self) -> int:
        return len(self._line)

    @property
    def is_full(self) -> bool:
        """Whether no more trades and bars should be brought for now; what is put all the same is kept."""
        return self._kept >= self.capacity

    @property
    def has_room(self) -> bool:
        """Whether those who stopped may go on: half of the line is free."""
        return 2 * self._kept <= self.capacity

    def put(self, event: Trade | Bar) -> None:
        """Add an event that is never dropped."""
        self._line.append(event)
        self._kept += 1

    def put_latest(self, event: Quote | Book) -> None:
        """Add an event that replaces the one of its kind and symbol which still waits."""
        slot = event.type, event.symbol
        if slot in self._latest:
            self.conflated[slot] += 1
        else:
            self._line.append(slot)
        self._latest[slot] = event

    def take(self) -> Trade | Bar | Quote | Book | None:
        """The next event; None when nothing waits."""
        if not self._line:
            return None
        first = self._line.popleft()
        if isinstance(first, tuple):
            return self._latest.pop(first)
        self._kept -= 1
        return first
