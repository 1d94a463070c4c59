"""Joining what a stream tells to what REST tells, without a gap and without a double.

`BarJoin` lets each bar out once, when it is closed, in order of time. Its inputs are a venue's candles, which come
again and again while they form and may be missing, late, doubled or revised; bars that are known to be closed;
and answers of REST. It says what has to be read, and it never gives up a bar without evidence: a period has no bar
only if the venue tells a later one and not this.

`TradeJoin` lets each trade out once. After an interruption it holds back what comes until REST has told what was
missed: once at the start of the interruption, and once more when the first trade has come after it, because only
then can nothing fall in between.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from itertools import count, zip_longest

import msgspec

from tradingd.domain.events import Bar, Trade

__all__ = ["BarJoin", "Phase", "TradeJoin"]

_NEVER = -(2**63)
_QUIET_NS = 60 * 1_000_000_000
_MOST_TRIES = 6
_MOST_PARTS = 10_000


class BarJoin:
    """One symbol's bars of one length. Times are nanoseconds UTC, by the venue's clock as far as it is known."""

    def __init__(
        self, interval_ns: int, start_ns: int, *, grace_ns: int = 0, held: bool = False, empty: bool = True
    ) -> None:
        self.interval_ns = interval_ns
        self._has_empty = empty
        """Whether a candle in which nothing was traded is a bar."""
        self.is_held = held
        """Whether nothing is let out before REST has told the history."""
        self._grace_ns = grace_ns
        self.next_ns = start_ns
        """The open of the bar that is told next."""
        self._closed: dict[int, Bar] = {}
        self._forming: dict[int, Bar] = {}
        self._newest = _NEVER
        """The open of the latest candle of the stream since its last interruption."""
        self._covered = start_ns
        """All periods that open before this have no other bars than those that are known."""
        self._ask_after = _NEVER
        self._tries = 0
        self._last: Bar | None = None
        self.duplicates = 0
        self.revised = 0
        """Candles that were told otherwise after their bar was out. It stays as it was told."""
        self.absent = 0
        """Periods in which nothing was traded, as far as the venue tells."""
        self.holes = 0

    # --- inputs ------------------------------------------------------------------------------------------------

    def live(self, candle: Bar) -> list[Bar]:
        """A candle of the stream as it is now, closed or not; returns the bars that are due."""
        if candle.ts_open < self.next_ns:
            self._tell_again(candle)
            return []
        self._forming[candle.ts_open] = candle
        self._newest = max(self._newest, candle.ts_open)
        return self._drain()

    def whole(self, bar: Bar) -> list[Bar]:
        """A bar that is closed for certain; returns the bars that are due."""
        if bar.ts_open < self.next_ns:
            self._tell_again(bar)
            return []
        self._closed[bar.ts_open] = bar
        return self._drain()

    def advance(self, until_ns: int) -> list[Bar]:
        """No bar that opens before `until_ns` is to come any more, from whoever tells whole ones."""
        self._covered = max(self._covered, until_ns)
        return self._drain()

    def history(self, rows: Sequence[Bar], asked_ns: int) -> list[Bar]:
        """REST's candles in order of time, the last may be forming; returns the bars that are due.

        A row is closed if the answer has a later one, or if it was asked for when the bar had long been over.
        """
        before, self.is_held = self.next_ns, False
        if rows and self._last is None and rows[0].ts_open < self.next_ns:
            self.next_ns = rows[0].ts_open  # a history that reaches back further than was asked for
        for row, later in zip_longest(rows, rows[1:]):
            over = row.ts + self._grace_ns <= asked_ns
            if row.ts_open >= self.next_ns and (over or later is not None) and (row.volume or self._has_empty):
                self._closed.setdefault(row.ts_open, row)
        if rows:
            self._covered = max(self._covered, rows[-1].ts_open)
        out = self._drain()
        self._answered(asked_ns, progress=self.next_ns != before)
        return [*out, *self._drain()]

    def interrupted(self) -> None:
        """The stream broke: how its candles ended is not known."""
        self._forming.clear()
        self._newest = _NEVER
        self._ask_after = _NEVER
        self._tries = 0

    # --- what is to be read ------------------------------------------------------------------------------------

    def wants(self, now_ns: int, before_ns: int | None = None) -> int | None:
        """From which open on REST has to be read now; None for nothing.

        That is so when a bar should be closed and known, and is not. With `before_ns`, only bars that open
        before it are looked up.
        """
        late = self.next_ns + self.interval_ns + self._grace_ns <= now_ns
        wanted = before_ns is None or self.next_ns < before_ns
        return self.next_ns if late and wanted and now_ns >= self._ask_after else None

    def agrees(self, rows: Sequence[Bar]) -> bool:
        """Whether REST's candles tell nothing that the stream has not told: then it is quiet, not dead."""
        return all(row == self._forming.get(row.ts_open) for row in rows if row.ts_open >= self.next_ns)

    # --- in between --------------------------------------------------------------------------------------------

    def _drain(self) -> list[Bar]:
        out: list[Bar] = []
        while not self.is_held:
            bar = self._due()
            if bar is not None:
                out.append(bar)
                self._last = bar
                self._move(bar.ts)
            elif self.next_ns < self._covered:
                later = (start for known in (self._closed, self._forming) for start in known)
                step = min((start for start in later if start > self.next_ns), default=self._covered)
                step = min(step, self._covered)
                self.absent += (step - self.next_ns) // self.interval_ns
                self._move(step)
            else:
                break
        return out

    def _due(self) -> Bar | None:
        bar = self._closed.pop(self.next_ns, None)
        if bar is None and self._newest > self.next_ns:
            bar = self._forming.get(self.next_ns)
        return bar

    def _move(self, next_ns: int) -> None:
        self.next_ns = next_ns
        self._tries = 0
        self._ask_after = _NEVER
        for known in (self._forming, self._closed):
            for start in [start for start in known if start < next_ns]:
                del known[start]

    def _answered(self, asked_ns: int, *, progress: bool) -> None:
        """Decide when to ask again; a bar that only REST could tell, and does not, is given up at last."""
        if progress:
            return
        if self._newest <= self.next_ns:
            self._ask_after = asked_ns + min(self.interval_ns, _QUIET_NS)
            return
        self._tries += 1
        if self._tries < _MOST_TRIES:
            self._ask_after = asked_ns + max(self._grace_ns, 1_000_000_000) * 2**self._tries
            return
        self.holes += 1
        self._covered = max(self._covered, min(start for start in self._forming if start > self.next_ns))

    def _tell_again(self, bar: Bar) -> None:
        last = self._last
        if last is not None and bar.ts_open == last.ts_open and bar != last:
            self.revised += 1
        else:
            self.duplicates += 1


class Phase(Enum):
    """Where a `TradeJoin` stands."""

    LIVE = auto()
    LOST = auto()
    """Interrupted, and nothing has come since."""
    BACK = auto()
    """Interrupted, but trades come again: they wait for what was missed."""


class TradeJoin:
    """One symbol's trades. Their `ts` are the venue's times, in whatever order it told them."""

    def __init__(self, *, remembered: int = 20_000, held: int = 50_000) -> None:
        self._remembered, self._most_held = remembered, held
        self._recent: set[str] = set()
        self._earlier: set[str] = set()
        """What is remembered, in two halves: the earlier one is forgotten as a whole."""
        self._held: list[Trade] = []
        self._parts: dict[str, int] = {}
        """How many trades one is that the stream told as one, until it is let out."""
        self._asked: Phase | None = None
        """The phase in which REST was asked last, since the last change of phase."""
        self.phase = Phase.LIVE
        self.last_ts: int | None = None
        """The time of the last trade that was let out."""
        self.duplicates = 0
        self.filled = 0
        self.holes = 0

    def stands_for(self, trade_id: str, count: int) -> None:
        """The stream is about to tell trades as one, by the last one's id: once that is out, the others are, too."""
        if trade_id.isdecimal():
            self._parts[trade_id] = min(count, int(trade_id), _MOST_PARTS)

    def live(self, trades: Iterable[Trade]) -> list[Trade]:
        """What the stream brought; returns what is due."""
        if self.phase is Phase.LIVE:
            return self._fresh(trades)
        self._held.extend(trades)
        if len(self._held) > self._most_held:
            self.interrupted()  # what is dropped here will be read once there is time for it
        elif self.phase is Phase.LOST and self._held:
            self.phase, self._asked = Phase.BACK, None
        return []

    def interrupted(self) -> None:
        """Some trades may have been missed. Before the first trade there is nothing that could be joined to."""
        self._drop_held()
        if self.last_ts is not None:
            self.phase, self._asked = Phase.LOST, None

    def wants(self) -> bool:
        """Whether REST is to be asked for the trades since `last_ts`."""
        return self.phase is not Phase.LIVE and self._asked is not self.phase

    def asked(self) -> Phase:
        """REST is being asked; the phase has to be given back with its answer."""
        self._asked = self.phase
        return self.phase

    def failed(self) -> None:
        """REST did not answer: it is to be asked again."""
        self._asked = None

    def history(self, trades: Sequence[Trade], asked: Phase, *, reached: bool) -> list[Trade]:
        """REST's trades since `last_ts`, in order; returns what is due.

        `reached` is whether they begin at or before the last trade that was let out; if they do not, there is a
        hole that nobody can fill.
        """
        if asked is Phase.BACK and self.phase is Phase.LIVE:
            return []  # it was given up, and what came since has been told
        if not reached:
            self.holes += 1
        out = self._fresh(trades)
        self.filled += len(out)
        if asked is Phase.BACK and self.phase is Phase.BACK and self._asked is Phase.BACK:
            held, self._held = self._held, []
            self.phase, self._asked = Phase.LIVE, None
            out += self._fresh(held)
        return out

    @property
    def first_held(self) -> str:
        """The id of the first trade that waits; empty for none."""
        return self._held[0].trade_id if self._held else ""

    def given_up(self) -> list[Trade]:
        """What was missed will not be told: there is a hole. Returns what waited."""
        if self.phase is not Phase.BACK:
            return []
        held, self._held = self._held, []
        self.holes += 1
        self.phase, self._asked = Phase.LIVE, None
        return self._fresh(held)

    def resumed(self) -> None:
        """Nothing was missed up to now, and what comes from now on will be heard."""
        self._drop_held()
        self.phase, self._asked = Phase.LIVE, None

    def _drop_held(self) -> None:
        self._held.clear()
        self._parts.clear()

    def _fresh(self, trades: Iterable[Trade]) -> list[Trade]:
        out: list[Trade] = []
        taken: set[str] = set()
        for trade in trades:
            key = trade.trade_id or _unnamed(trade, taken)
            taken.add(key)
            if key in self._recent or key in self._earlier:
                self.duplicates += 1
                continue
            self._recent.add(key)
            if self._parts:
                self._recent.update(self._others(key))
            out.append(trade)
        if len(self._recent) > self._remembered:
            self._earlier, self._recent = self._recent, set()
        if out:
            self.last_ts = max(self.last_ts or 0, *(trade.ts for trade in out))
        return out

    def _others(self, trade_id: str) -> list[str]:
        """The ids of the trades that were told together with this one."""
        return [str(int(trade_id) - back) for back in range(1, self._parts.pop(trade_id, 1))]


def _key(trade: Trade, number: int) -> str:
    return f"{trade.ts}/{trade.price}/{trade.amount}/{trade.side}#{number}"


def _unnamed(trade: Trade, taken: set[str]) -> str:
    """What a trade without an id is told by: equal ones in one answer are numbered."""
    return next(key for number in count() if (key := _key(trade, number)) not in taken)


def in_order(trade: Trade, ts: int) -> Trade:
    """The trade with another time, itself where that is its own."""
    return trade if trade.ts == ts else msgspec.structs.replace(trade, ts=ts)
