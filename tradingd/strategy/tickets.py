"""Following one's own explicit orders, from the wish to the last booked fill."""

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

from tradingd.domain.enums import OrderStatus, Side
from tradingd.domain.events import Fill, OrderUpdate
from tradingd.domain.money import ZERO, add, sub

__all__ = ["Backoff", "Ticket", "Tickets"]

_NS = 1_000_000_000
_KEPT = 256
"""How many settled orders are remembered for late fills."""


class Ticket:
    """One order of a strategy as its strategy knows it.

    News of an order and its fills come on two ways, in either order: an order may be told FILLED before the
    portfolio has booked its last fill. It is `settled`, and its outcome certain, only when both have arrived.
    """

    __slots__ = ("booked", "filled", "intent_id", "key", "quantity", "reason", "side", "status")

    def __init__(self, intent_id: str, side: Side, quantity: Decimal, key: int = 0) -> None:
        self.intent_id = intent_id
        self.side = side
        self.quantity = quantity
        """What was asked for, until an update tells better."""
        self.key = key
        """Which of the strategy's orders this is: a grid's cell, say."""
        self.status: OrderStatus | None = None
        """None until somebody has told of the order."""
        self.filled = ZERO
        """What execution has told as filled."""
        self.booked = ZERO
        """What the portfolio has booked."""
        self.reason = ""
        """What the latest update said."""

    @property
    def ended(self) -> bool:
        """Whether the order works no more; fills may still be on their way."""
        return self.status is not None and self.status.is_terminal

    @property
    def settled(self) -> bool:
        """Whether the order works no more and all its fills are booked."""
        return self.ended and self.booked >= self.filled

    @property
    def failed(self) -> bool:
        """Whether it ended without being filled in full: denied, rejected, canceled, expired, never sent."""
        return self.ended and self.status is not OrderStatus.FILLED

    @property
    def outstanding(self) -> Decimal:
        """What may still be added to the booked position."""
        until = self.filled if self.ended else max(self.quantity, self.filled)
        return max(ZERO, sub(until, self.booked))


class Tickets:
    """The orders that a strategy has asked for and whose outcome is not certain yet, by intent id.

    Pass every `on_order` and `on_fill` on to it. Both return the ticket, also of an order that was settled a short
    while ago (a late fill), or None of what is not one of these orders.
    """

    __slots__ = ("_open", "_settled")

    def __init__(self) -> None:
        self._open: dict[str, Ticket] = {}
        self._settled: OrderedDict[str, Ticket] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(tuple(self._open.values()))

    def add(self, intent_id: str, side: Side, quantity: Decimal, key: int = 0) -> Ticket | None:
        """Follow a new order; None for the empty intent of a strategy that is warming up."""
        if not intent_id:
            return None
        ticket = self._open[intent_id] = Ticket(intent_id, side, quantity, key)
        return ticket

    def get(self, intent_id: str) -> Ticket | None:
        """The ticket of an order, settled or not."""
        return self._open.get(intent_id) or self._settled.get(intent_id)

    def on_order(self, update: OrderUpdate) -> Ticket | None:
        """Take news of an order; a refused change, which repeats an older state, revives none that has ended."""
        ticket = self.get(update.intent_id)
        if ticket is None:
            return None
        ticket.reason = update.reason
        if ticket.ended and update.reason.startswith("MODIFY_DENIED"):
            return ticket
        ticket.status = update.status
        ticket.filled = max(ticket.filled, update.filled)
        if update.quantity:
            ticket.quantity = update.quantity
        self._file(ticket)
        return ticket

    def on_fill(self, fill: Fill) -> Ticket | None:
        """Take a booked fill."""
        ticket = self.get(fill.intent_id)
        if ticket is not None:
            ticket.booked = add(ticket.booked, fill.quantity)
            self._file(ticket)
        return ticket

    def _file(self, ticket: Ticket) -> None:
        """Keep a ticket where it belongs: among those that are settled, or not (any more)."""
        here, there = (self._settled, self._open) if ticket.settled else (self._open, self._settled)
        there.pop(ticket.intent_id, None)
        here[ticket.intent_id] = ticket
        if len(self._settled) > _KEPT:
            self._settled.popitem(last=False)


class Backoff:
    """When to ask again after a refusal: `first_s` later, doubled with each further one up to `most_s`.

    Whoever denied or rejected an order would do so again at the next event; asking at every event is a flood.
    """

    __slots__ = ("_first", "_most", "_wait", "until")

    def __init__(self, first_s: float, most_s: float = 3600.0) -> None:
        self._first = int(first_s * _NS)
        self._most = max(int(most_s * _NS), self._first)
        self._wait = 0
        self.until = 0
        """The run's time, nanoseconds UTC, before which nothing should be asked."""

    @property
    def refused(self) -> bool:
        """Whether the last attempt failed."""
        return self._wait > 0

    def fail(self, now: int) -> None:
        """An attempt has failed."""
        self._wait = min(2 * self._wait, self._most) if self._wait else self._first
        self.until = now + self._wait

    def succeed(self) -> None:
        """An attempt has gone through."""
        self._wait = 0
        self.until = 0

    def waits(self, now: int) -> bool:
        """Whether it is too early to ask again."""
        return now < self.until
