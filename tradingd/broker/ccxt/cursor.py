"""Reading the trade history: where to go on, what is new, when a read is complete."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from tradingd.venues.model import TradeSeen

__all__ = ["Cursor", "Paging", "Step", "key_of"]

_NS = 1_000_000_000
_MS = 1_000_000

TradeKey = tuple[str, str]


def key_of(trade: TradeSeen) -> TradeKey:
    """What names a trade within its symbol; the side, because a trade with oneself is two."""
    return trade.trade_id, trade.side.value


class Cursor:
    """How far the trades of one symbol are known. Remembers the latest `kept` keys; times are ns UTC."""

    def __init__(self, since_ns: int, kept: int = 20_000) -> None:
        self.since_ns = since_ns
        """The time of the latest known trade, or where to begin."""
        self.whole_ns = -1
        """An instant of which is known that all its trades are: it need not be looked behind again."""
        self._kept = kept
        self._known: OrderedDict[TradeKey, None] = OrderedDict()

    def is_new(self, trade: TradeSeen) -> bool:
        """Remember a trade; whether it was not known before."""
        key = key_of(trade)
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > self._kept:
            self._known.popitem(last=False)
        self.since_ns = max(self.since_ns, trade.ts)
        return True


class Step(Enum):
    """What follows from a page of trades."""

    GO_ON = auto()
    DONE = auto()
    STUCK = auto()
    """A page held no more than the trades of one instant, and there were later ones: some of that instant may be
    missing, and no later read would bring them. To be told; then go on."""


class Paging(msgspec.Struct):
    """One complete read of a symbol's trades, page by page, from `since_ns` to `until_ns`.

    Pages overlap by their last instant, since several trades may share it; how many a page holds is not relied on:
    the read goes on until nothing is new. A page that a venue bounds by a window
    may be empty although later ones are not: then the next window is read, until `until_ns`.
    """

    since_ns: int
    until_ns: int
    window_ns: int | None = None
    whole_ns: int = -1
    """An instant whose trades are all known."""
    instant_ns: int = -1
    """The instant that the last page was all of, while it is found out whether the page was cut there; else -1."""
    later_ns: int = 0
    """The time of what was found behind it."""
    seen: set[TradeKey] = msgspec.field(default_factory=set)

    @classmethod
    def of(cls, cursor: Cursor, now_ns: int, overlap_s: float, window_s: float | None) -> "Paging":
        """A read that begins `overlap_s` before what is known."""
        since = max(0, cursor.since_ns - int(overlap_s * _NS))
        window = None if window_s is None else int(window_s * _NS)
        return cls(since, now_ns, window, cursor.whole_ns)

    def take(self, trades: Sequence[TradeSeen]) -> tuple[Step, list[TradeSeen]]:
        """Take a page; returns what to do next, and those of its trades that this read had not seen."""
        named = _with_ids(trades)
        fresh = [trade for trade in named if key_of(trade) not in self.seen]
        self.seen.update(map(key_of, fresh))
        if self.later_ns:
            return self._judge(named), fresh
        if fresh:
            first = min(trade.ts for trade in fresh)
            self.since_ns = max(self.since_ns, *(trade.ts for trade in fresh))
            if self.instant_ns >= 0 and self._reaches(first):
                # There is more behind the instant: look whether its page shows that, too.
                self.later_ns, self.since_ns = self.since_ns, self.instant_ns
            else:
                self.instant_ns = -1
            return Step.GO_ON, fresh
        self.instant_ns = -1
        is_instant = len(named) > 1 and all(trade.ts == self.since_ns for trade in named)
        if is_instant and self.since_ns != self.whole_ns:
            # Either these are the last there are, or they fill the page: what comes a moment later tells.
            self.instant_ns = self.whole_ns = self.since_ns
            self.since_ns += _MS
            return Step.GO_ON, []
        if self.window_ns is not None and self.since_ns + self.window_ns < self.until_ns:
            self.since_ns += self.window_ns
            return Step.GO_ON, []
        return Step.DONE, []

    def _reaches(self, moment_ns: int) -> bool:
        """Whether a page from the instant on could show that moment."""
        return self.window_ns is None or moment_ns <= self.instant_ns + self.window_ns

    def _judge(self, page: Sequence[TradeSeen]) -> Step:
        """The page of one instant was read again: it is whole if it shows what is behind that instant."""
        is_whole = any(trade.ts > self.instant_ns for trade in page)
        self.since_ns, self.instant_ns, self.later_ns = max(self.later_ns, self.since_ns), -1, 0
        return Step.GO_ON if is_whole else Step.STUCK


def _with_ids(trades: Sequence[TradeSeen]) -> Sequence[TradeSeen]:
    """Trades that a venue gives no id are named by all that they are, and by how often that came before."""
    if all(trade.trade_id for trade in trades):
        return trades
    came: Counter[str] = Counter()
    named = []
    for trade in trades:
        if trade.trade_id:
            named.append(trade)
            continue
        what = f"{trade.exchange_order_id}:{trade.ts}:{trade.price}:{trade.quantity}"
        came[what + trade.side] += 1
        named.append(msgspec.structs.replace(trade, trade_id=f"{what}:{came[what + trade.side]}"))
    return named
