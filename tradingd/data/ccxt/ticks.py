"""Streams of which nothing may be lost: trades, and bars by whatever way."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tradingd.data.ccxt.bars import TradeBars
from tradingd.data.ccxt.catchup import TradeAnswer
from tradingd.data.ccxt.convert import Refusal, bar_of, trade_of
from tradingd.data.ccxt.gaps import BarJoin, Phase, TradeJoin, in_order
from tradingd.data.ccxt.model import StreamKind, StreamStatus, Subscription
from tradingd.data.ccxt.streams import Answer, Stream, StreamParts, Work
from tradingd.domain.aggregation import period_start
from tradingd.domain.events import Bar, Trade
from tradingd.domain.times import format_interval
from tradingd.errors import ConfigError

__all__ = ["BarStream", "TradeStream"]

_NS = 1_000_000_000
_Watched = tuple[str, tuple[Any, ...], Mapping[str, Any]]


class _Joined:
    """A symbol's bars of one length, joined; shared by bars of candles and bars of trades."""

    def __init__(self, subscription: Subscription, parts: StreamParts) -> None:
        interval = self.interval_ns = subscription.interval_ns
        grace = round(parts.options.grace_s * _NS)
        self.can_read = parts.client.has("fetchOHLCV")
        self._history = subscription.history if self.can_read else 0
        self._align_ns = subscription.align_ns
        start = period_start(parts.now(), interval)
        self.join = BarJoin(
            interval, start, grace_ns=grace, held=self._history > 0, empty=not subscription.from_trades
        )
        self.filled = 0

    def work(self, now_ns: int, before_ns: int | None = None) -> Work | None:
        if not self.can_read:
            return None
        interval = self.interval_ns
        if self.join.is_held:
            return Work(what="bars", asked_ns=now_ns, interval_ns=interval, bars=self._bars_before(now_ns))
        since = self.join.wants(now_ns, before_ns)
        return None if since is None else Work(what="bars", asked_ns=now_ns, interval_ns=interval, since_ns=since)

    def _bars_before(self, now_ns: int) -> int:
        """How many bars the history has, from where the longer bars that are built from it begin."""
        here = period_start(now_ns, self.interval_ns)
        start = period_start(here - self._history * self.interval_ns, self._align_ns or self.interval_ns)
        return (here - start) // self.interval_ns

    def answer(self, work: Work, rows: Sequence[Bar]) -> list[Bar]:
        bars = self.join.history(rows, work.asked_ns)
        self.filled += len(bars)
        return bars

    @property
    def tallies(self) -> tuple[int, int, int]:
        return self.join.duplicates, self.filled, self.join.holes


class BarStream(Stream):
    """Bars out of the venue's candles."""

    keeps_all = True
    looks_by = "fetchOHLCV"

    def __init__(self, subscription: Subscription, parts: StreamParts) -> None:
        super().__init__(subscription, parts)
        self.bars = _Joined(subscription, parts)
        self._before: dict[int, Bar] | None = None
        """What REST told at the last look, while the stream has told nothing."""

    def _watched(self) -> _Watched:
        if not self.parts.client.has("watchOHLCV"):
            raise ConfigError(
                f"{self.parts.client.exchange_id} streams no candles of {self.symbol}; "
                'set data.live.bars_from = "trades"'
            )
        return "watch_ohlcv", (self.wire, format_interval(self.subscription.interval_ns)), {}

    def convert(self, row: Any) -> Bar | Refusal:  # noqa: ANN401 - as the venue sent it
        """One candle."""
        return bar_of(row, self.symbol, self.subscription.interval_ns)

    def _take(self, raw: Any) -> int:  # noqa: ANN401
        usable = 0
        for row in raw if isinstance(raw, list) else [raw]:
            self.received += 1
            candle = self.convert(row)
            if isinstance(candle, Refusal):
                self._refuse(candle)
                continue
            usable += 1
            self._put(self.bars.join.live(candle))
            if not self.bars.can_read:
                self._put(self.bars.join.advance(candle.ts_open))  # what it has not told by now, nobody will tell
        return usable

    def work(self, *, looking: bool) -> Work | None:
        """The history, bars that are due, or, to look, the candle that forms."""
        now = self.parts.now()
        work = self.bars.work(now)
        if work is None and looking and self.bars.can_read:
            work = Work(
                what="bars",
                asked_ns=now,
                since_ns=self.bars.join.next_ns,
                interval_ns=self.bars.interval_ns,
                looking=True,
            )
        return work

    def answer(self, work: Work, answer: Answer) -> bool | None:
        """Take candles; whether the stream has told the one that forms as it is."""
        rows = answer if isinstance(answer, list) else []
        traded = [row for row in rows if row.volume]  # a candle of nothing is no news
        told_all = self._has_told(traded) if work.looking else None
        self._put(self.bars.answer(work, rows))
        return told_all

    def _has_told(self, rows: Sequence[Bar]) -> bool | None:
        if self.last_message_ns > self.opened_ns:
            return self.bars.join.agrees(rows)
        before, self._before = self._before, {row.ts_open: row for row in rows}
        return None if before is None else all(row == before.get(row.ts_open) for row in rows)

    def _broken(self) -> None:
        self._before = None
        self.bars.join.interrupted()

    @property
    def is_joined(self) -> bool:
        """Whether the history is told and no closed bar is missing."""
        return self.bars.work(self.parts.now()) is None

    @property
    def tallies(self) -> tuple[int, int, int]:
        """See Stream."""
        return self.bars.tallies


class TradeStream(Stream):
    """Trades, and the bars that are built from them."""

    keeps_all = True
    looks_by = "fetchTrades"

    def __init__(
        self,
        subscription: Subscription,
        parts: StreamParts,
        bars: Sequence[Subscription] = (),
        *,
        tell: bool = True,
    ) -> None:
        super().__init__(subscription, parts)
        self.join = TradeJoin(held=5 * parts.options.capacity)
        self.bars = {each.interval_ns: (_Joined(each, parts), TradeBars(each.interval_ns)) for each in bars}
        self._bar_subscriptions = tuple(bars)
        self._tell = tell
        self._can_read = parts.client.has("fetchTrades")
        self._grace_ns = round(parts.options.grace_s * _NS)
        self._made_ns = parts.now()
        self._limit: int = getattr(parts.client, "trades_limit", 0)
        self._count_field: str = getattr(parts.client, "trade_count_field", "")

    def _watched(self) -> _Watched:
        if not self.parts.client.has("watchTrades"):
            raise ConfigError(f"{self.parts.client.exchange_id} streams no trades of {self.symbol}")
        return "watch_trades", (self.wire,), {}

    def convert(self, raw: Any) -> Trade | Refusal:  # noqa: ANN401 - as the venue sent it
        """One trade, with the venue's time where that is sane."""
        told = raw.get("timestamp") if isinstance(raw, Mapping) else None
        return trade_of(raw, self.symbol, self.wire, self.stamp.sane(told, self.parts.now()))

    # --- what comes --------------------------------------------------------------------------------------------

    def _take(self, raw: Any) -> int:  # noqa: ANN401 - ccxt's own list
        rows = raw if isinstance(raw, list) else [raw]
        if self._limit and len(rows) >= self._limit:
            self._broken()  # ccxt's cache was full: what it pushed out has to be read
        trades: list[Trade] = []
        for row in rows:
            trade = self.convert(row)
            if isinstance(trade, Refusal):
                self._refuse(trade)
            else:
                trades.append(trade)
                if self._count_field:
                    self._note_parts(row, trade.trade_id)
        self.received += len(rows)
        self._let_out(self.join.live(trades))
        return len(trades)

    def _note_parts(self, raw: Any, trade_id: str) -> None:  # noqa: ANN401 - ccxt's own object
        told = (raw.get("info") or {}).get(self._count_field)
        if isinstance(told, str | int) and str(told).isdecimal() and int(told) > 1:
            self.join.stands_for(trade_id, int(told))

    def _let_out(self, trades: Sequence[Trade]) -> None:
        """Tell trades, each after the bars that it closes."""
        for trade in trades:
            ordered = in_order(trade, self.stamp.ordered(trade.ts))
            for joined, bars in self.bars.values():
                self._tell_bars(joined, bars, bars.add(ordered))
            if self._tell:
                self.published += 1
                self.parts.outbox.put(ordered)

    def _tell_bars(self, joined: _Joined, bars: TradeBars, closed: Sequence[Bar]) -> None:
        due = [bar for each in closed for bar in joined.join.whole(each)]
        if bars.whole_from is not None and (joined.join.next_ns >= bars.whole_from or not joined.can_read):
            due += joined.join.advance(bars.closed_until)
        if due:
            self.stamp.not_before(due[-1].ts)
            self._put(due)

    def _close_by(self, ts: int) -> None:
        """All trades before `ts` have been told."""
        for joined, bars in self.bars.values():
            self._tell_bars(joined, bars, bars.until(ts))

    def _broken(self) -> None:
        if self._can_read:
            self.join.interrupted()
        else:
            self.join.holes += self.join.last_ts is not None
            self._hole()

    def _hole(self) -> None:
        for _, bars in self.bars.values():
            bars.broken(self.parts.now())

    # --- what is read ------------------------------------------------------------------------------------------

    def work(self, *, looking: bool) -> Work | None:
        """What was missed; bars that were not watched as a whole; whether a silent period had trades."""
        now = self.parts.now()
        if self._can_read and self.join.wants():
            return self._trades(now, looking=looking)
        for joined, bars in self.bars.values():
            work = joined.work(now, bars.whole_from)
            if work is not None:
                return work
        if not self._can_read:
            self._close_by(now - self._grace_ns)  # nothing tells whether it was quiet, so the clock has to do
            return None
        return self._trades(now, looking=True) if looking or self._is_period_over(now) else None

    def _is_period_over(self, now: int) -> bool:
        if self.join.phase is not Phase.LIVE:
            return False
        return any(
            bars.whole_from is not None
            and period_start(now - self._grace_ns, bars.interval_ns) > bars.closed_until
            for _, bars in self.bars.values()
        )

    def _trades(self, now: int, *, looking: bool) -> Work:
        since = self._made_ns if self.join.last_ts is None else self.join.last_ts
        return Work(
            what="trades",
            asked_ns=now,
            since_ns=since,
            phase=self.join.asked(),
            ends_at=self.join.first_held,
            looking=looking,
        )

    def answer(self, work: Work, answer: Answer) -> bool | None:
        """Take trades or candles; returns whether the stream has told all trades that REST tells."""
        if isinstance(answer, TradeAnswer):
            return self._answered(work, answer)
        joined, bars = self.bars[work.interval_ns]
        due = joined.answer(work, answer if isinstance(answer, list) else [])
        if due:
            self.stamp.not_before(due[-1].ts)
            self._put(due)
        self._tell_bars(joined, bars, ())
        return None

    def _answered(self, work: Work, answer: TradeAnswer) -> bool | None:
        known = self.join.last_ts is not None
        reached = answer.reached or not known
        fresh = self.join.history(answer.trades, work.phase or Phase.LIVE, reached=reached and answer.whole)
        self._let_out(fresh)
        if not reached or not answer.whole:
            self._hole()
        was_open = not self.is_waiting and work.asked_ns > self.opened_ns + self._grace_ns
        if was_open and self.join.phase is Phase.LOST and answer.whole:
            self.join.resumed()  # what happens from here on, the stream tells
        if self.join.phase is Phase.LIVE:
            self._close_by(work.asked_ns - self._grace_ns)
        if not fresh:
            return True
        # what happened while it was being opened, it could not tell
        return False if fresh[-1].ts > self.opened_ns + self._grace_ns else None

    def unanswered(self, work: Work) -> None:
        """Ask again."""
        if work.what == "trades":
            self.join.failed()

    def give_up(self) -> bool:
        """Go on with a hole; the bars that it is in are left to REST."""
        held = self.join.given_up()
        if held:
            self._hole()
            self._let_out(held)
        return bool(held)

    @property
    def is_joined(self) -> bool:
        """Whether no trade is missing, and no bar."""
        now = self.parts.now()
        return self.join.phase is Phase.LIVE and all(
            joined.work(now, bars.whole_from) is None for joined, bars in self.bars.values()
        )

    # --- what is told of it ------------------------------------------------------------------------------------

    @property
    def tallies(self) -> tuple[int, int, int]:
        """See Stream."""
        return self.join.duplicates, self.join.filled, self.join.holes

    def statuses(self) -> tuple[StreamStatus, ...]:
        """Of the trades, if anybody wants those, and of each length of bars."""
        own = self.status()
        found = [own] if self._tell else []
        for each in self._bar_subscriptions:
            duplicates, filled, holes = self.bars[each.interval_ns][0].tallies
            found.append(
                msgspec.structs.replace(
                    own,
                    kind=StreamKind.BARS,
                    interval_ns=each.interval_ns,
                    duplicates=duplicates,
                    filled=filled,
                    holes=holes,
                )
            )
        return tuple(found)
