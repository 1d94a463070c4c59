"""What each kind of stream makes of what it is told. No loop, clock or socket in here: the rim is `feed.py`.

A stream takes ccxt's own objects on receipt, makes frozen events of them, and puts these into the outbox. It says
what it wants read over REST, and takes the answer.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from tradingd.data.ccxt.catchup import TradeAnswer
from tradingd.data.ccxt.conflation import Outbox
from tradingd.data.ccxt.convert import Refusal, Stamp
from tradingd.data.ccxt.gaps import Phase
from tradingd.data.ccxt.liveness import Liveness, ResetPolicy
from tradingd.data.ccxt.model import (
    EVENT_OF,
    FeedOptions,
    MarketClient,
    StreamKind,
    StreamState,
    StreamStatus,
    Subscription,
    ccxt_symbol,
)
from tradingd.domain.events import Bar

__all__ = ["Answer", "Stream", "StreamParts", "Work"]

Answer = TradeAnswer | Sequence[Bar] | Mapping[str, Any]
"""What REST told: trades, candles, or ccxt's order book."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream wants read."""

    what: str
    """`trades`, `bars` or `book`."""
    asked_ns: int
    since_ns: int = 0
    interval_ns: int = 0
    """The length of the bars."""
    bars: int = 0
    """How many closed bars are wanted at least, wherever they begin; 0 for all since `since_ns`."""
    phase: Phase | None = None
    ends_at: str = ""
    """The id of the first trade that waits for what is read; empty for none."""
    looking: bool = False
    """Whether it is to tell a quiet market from a dead stream."""


class StreamParts(msgspec.Struct, frozen=True, kw_only=True):
    """What all streams of a feed share."""

    client: MarketClient
    outbox: Outbox
    options: FeedOptions
    now: Callable[[], int]
    """The venue's time, nanoseconds UTC."""
    on_state: Callable[["Stream"], None]
    wire: Callable[[str], str] = ccxt_symbol
    """The venue's own symbol of one of the run's."""


class Stream(ABC):
    """One subscription's stream: what it has told, what is missing, whether it can be traded on."""

    keeps_all: ClassVar[bool] = False
    """Whether nothing of it may be dropped."""
    looks_by: ClassVar[str] = ""
    """What is read, by ccxt's name, to tell a quiet market from a dead stream."""

    def __init__(self, subscription: Subscription, parts: StreamParts) -> None:
        self.subscription = subscription
        self.symbol = subscription.symbol
        self.wire = parts.wire(subscription.symbol)
        self.parts = parts
        self.method, self.args, self.params = self._watched()
        self.state = StreamState.CONNECTING
        self.reason = ""
        self.since_ns = 0
        self.failures = 0
        self.is_waiting = True
        """Whether it is not open and waits for its turn to be dialled."""
        self.opened_ns = 0
        self.joining_s = 0.0
        """Since when it is joined to what was missed, if it is."""
        self.is_busy = False
        """Whether REST is being read for it."""
        self.rest_failures = 0
        self.not_before_s = 0.0
        """Until when REST is left alone after it failed."""
        self.look_after_s = 0.0
        """Until when a silence is not looked at again."""
        self.liveness = Liveness(parts.options.stale_after_s, can_look=parts.client.has(self.looks_by))
        self.resets = ResetPolicy(parts.options.stale_after_s)
        self.stamp = Stamp()
        self.refused: Counter[str] = Counter()
        self.last_message_ns = self.received = self.published = self.reconnects = self.heard = 0
        """`heard` counts the messages that held something usable."""

    @abstractmethod
    def _watched(self) -> tuple[str, tuple[Any, ...], Mapping[str, Any]]:
        """The method of ccxt that is awaited, and its arguments."""

    @abstractmethod
    def _take(self, raw: Any) -> int:  # noqa: ANN401 - ccxt's own object
        """Make events of what came and put them out; returns how many things were usable."""

    def work(self, *, looking: bool) -> Work | None:
        """What is to be read over REST now; with `looking`, what tells whether the stream is merely quiet."""
        del looking
        return None

    def answer(self, work: Work, answer: Answer) -> bool | None:
        """Take what REST told; returns whether the stream has told all of it, None if that cannot be said."""
        del work, answer
        return None

    def unanswered(self, work: Work) -> None:
        """REST failed; the work is to be asked for again."""
        del work

    def give_up(self) -> bool:
        """REST does not tell what was missed: go on with what the stream tells; returns whether that is done."""
        return False

    def _broken(self) -> None:
        """Something may have been missed."""
        return

    @property
    def is_joined(self) -> bool:
        """Whether nothing is missing between what was told before and what comes now."""
        return True

    # --- what happens to it ------------------------------------------------------------------------------------

    def receive(self, raw: Any) -> int:  # noqa: ANN401 - ccxt's own object
        """Take what the stream brought, on receipt; returns how many things were usable."""
        usable = self._take(raw)
        if usable:
            self.heard += 1
            self.failures = 0
            self.last_message_ns = self.parts.now()
            self.resets.spoke()
            if self.state is not StreamState.LIVE:
                self.settle()
        return usable

    def settle(self) -> None:
        """The stream speaks, or is known to be quiet: it is live as soon as it is joined."""
        self.enter(StreamState.LIVE if self.is_joined else StreamState.JOINING)

    def opened(self) -> None:
        """It is being opened."""
        self.is_waiting = False
        self.opened_ns = self.parts.now()

    def interrupted(self, state: StreamState, reason: str) -> None:
        """It broke, was closed, or is not read any more."""
        self._broken()
        self.enter(state, reason)

    def enter(self, state: StreamState, reason: str = "") -> None:
        """Change the state, and tell."""
        if state is self.state and reason == self.reason:
            return
        self.state, self.reason, self.since_ns = state, reason, self.parts.now()
        self.parts.on_state(self)

    # --- helpers -----------------------------------------------------------------------------------------------

    def _refuse(self, reason: Refusal) -> int:
        self.refused[str(reason)] += 1
        return 0

    def _put(self, bars: Iterable[Bar]) -> None:
        for bar in bars:
            self.published += 1
            self.parts.outbox.put(bar)

    # --- what is told of it ------------------------------------------------------------------------------------

    @property
    def tallies(self) -> tuple[int, int, int]:
        """Duplicates, what was filled over REST, holes."""
        return 0, 0, 0

    def statuses(self) -> tuple[StreamStatus, ...]:
        """What operators see of it; more than one where several things are made of it."""
        return (self.status(),)

    def status(self) -> StreamStatus:
        """The stream as operators see it."""
        kind = self.subscription.kind
        duplicates, filled, holes = self.tallies
        slot = (EVENT_OF[kind], self.symbol) if kind is not StreamKind.MARKS else None
        return StreamStatus(
            symbol=self.symbol,
            kind=kind,
            interval_ns=self.subscription.interval_ns,
            state=self.state,
            reason=self.reason,
            since_ns=self.since_ns,
            last_message_ns=self.last_message_ns,
            received=self.received,
            published=self.published,
            duplicates=duplicates,
            conflated=self.parts.outbox.conflated[slot] if slot else 0,
            refused=dict(self.refused),
            reconnects=self.reconnects,
            filled=filled,
            holes=holes,
        )
