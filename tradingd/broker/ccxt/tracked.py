"""What the broker knows of one order of ours."""

from collections import OrderedDict, deque
from decimal import Decimal
from enum import IntEnum

import msgspec

from tradingd.broker.ccxt.evidence import Case
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.domain.events import SubmitOrder
from tradingd.domain.money import ZERO
from tradingd.venues.model import OrderRef, OrderSeen

__all__ = ["Book", "Change", "Phase", "Tracked"]


class Phase(IntEnum):
    """How far an order is."""

    QUEUED = 0
    """Not sent."""
    SENDING = 1
    """On its way: nobody can tell."""
    UNKNOWN = 2
    """Its answer is missing: evidence is looked for."""
    LIVE = 3
    """The venue has it."""
    ENDING = 4
    """The venue says that it is over, the trades do not add up yet."""
    OVER = 5


class Change(msgspec.Struct):
    """A change that was asked for; None leaves a field as it is."""

    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    number: int = 0
    """Execution's number of it, to be repeated in the answer."""
    sent: bool = False
    lost_at: float | None = None
    """Since when its answer is missing."""
    unchanged_at: float | None = None
    """When the order was first read as it had been, after that."""


class Tracked(msgspec.Struct):
    """One order. Times are seconds of the monotonic clock; None is never."""

    order: SubmitOrder
    """As it is by what the venue confirmed last."""
    asked_at: float
    phase: Phase = Phase.QUEUED
    exchange_id: str = ""
    live_at: float = 0.0
    traded: Decimal = ZERO
    """The sum of its trades."""
    told: Decimal = ZERO
    """The most that the venue has said was filled, while it works."""
    ended: OrderSeen | None = None
    """The venue's word that it is over."""
    ended_at: float = 0.0
    end_reads: int = 0
    """How many complete reads of trades began after that."""
    case: Case | None = None
    """The search for evidence, while it is UNKNOWN."""
    doubt_since: float | None = None
    """Since when the venue does not know an order any more that it had."""
    read_at: float | None = None
    """When to read it."""
    reads: int = 0
    reading: bool = False
    cancel_wanted: bool = False
    cancel_at: float | None = None
    """When to ask (again) for its cancel."""
    cancels: int = 0
    canceling: bool = False
    """A cancel is under way."""
    changes: deque[Change] = msgspec.field(default_factory=deque)
    accepted_told: bool = False
    absent: bool = False
    """It was reported as not being there: refused, or proved absent."""
    halted: bool = False

    @property
    def order_id(self) -> str:
        """Our client order id."""
        return self.order.order_id

    @property
    def symbol(self) -> str:
        """What it trades."""
        return self.order.symbol

    @property
    def ref(self) -> OrderRef:
        """What names it at the venue."""
        return OrderRef(self.order_id, self.symbol, self.exchange_id)

    @property
    def change(self) -> Change | None:
        """The change that is under way, or next."""
        return self.changes[0] if self.changes else None

    @property
    def in_doubt(self) -> float | None:
        """Since when its state, or the answer to a change of it, is missing; None where all is told."""
        change = self.change
        lost = None if change is None else change.lost_at
        return min((at for at in (self.doubt_since, lost) if at is not None), default=None)

    def overdue_at(self, policy: EvidencePolicy) -> float:
        """From when on its instrument may not trade on, unless it is told by then what became of it."""
        if self.phase is Phase.ENDING:
            return self.ended_at + policy.settle_s
        since = self.in_doubt if self.case is None else self.case.opened
        return _NEVER if since is None or self.phase is Phase.OVER else since + policy.halt_s

    @property
    def misses_trades(self) -> bool:
        """Whether it has trades that have not been read, or may have."""
        return self.phase in {Phase.ENDING, Phase.UNKNOWN} or self.told > self.traded

    @property
    def unsettled(self) -> bool:
        """Whether something about it is under way: the account cannot be compared meanwhile."""
        return self.phase not in _SETTLED or self.canceling or self.cancel_wanted or bool(self.changes)


_NEVER = float("inf")
_SETTLED = frozenset({Phase.LIVE, Phase.OVER})


class Book:
    """Our orders by client order id: those that are not over, and the latest `kept` of those that are."""

    def __init__(self, kept: int = 10_000) -> None:
        self._kept = kept
        self.open: dict[str, Tracked] = {}
        self._closed: OrderedDict[str, Tracked] = OrderedDict()

    def get(self, order_id: str) -> Tracked | None:
        """An order that is not over, or lately was."""
        return self.open.get(order_id) or self._closed.get(order_id)

    def add(self, tracked: Tracked) -> None:
        """Keep an order as one that is not over."""
        self._closed.pop(tracked.order_id, None)
        self.open[tracked.order_id] = tracked

    def close(self, tracked: Tracked) -> Tracked | None:
        """Keep an order as one that is over; returns one that is forgotten for it."""
        self.open.pop(tracked.order_id, None)
        self._closed[tracked.order_id] = tracked
        return self._closed.popitem(last=False)[1] if len(self._closed) > self._kept else None
