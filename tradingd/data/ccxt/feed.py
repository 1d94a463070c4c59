"""The live feed: a venue's streams as tasks, and their events published in the order in which they came.

One task per stream does nothing but wait for news and put them into the outbox: an update that arrives while
nobody waits would be told only with the one after it. One task publishes. One looks at the clock: which stream is
silent for too long, which bar is over. A few read over REST what was missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random

from tradingd.data.ccxt.catchup import Pages, read_bars, read_book, read_history, read_trades
from tradingd.data.ccxt.conflation import Outbox
from tradingd.data.ccxt.convert import Refusal, bar_of
from tradingd.data.ccxt.dialing import Dialer
from tradingd.data.ccxt.latest import BookStream, MarkStream, QuoteStream
from tradingd.data.ccxt.liveness import Silence
from tradingd.data.ccxt.model import (
    FeedOptions,
    FeedStatus,
    MarketVenue,
    StreamKind,
    StreamState,
    StreamStatus,
    Subscription,
    ccxt_symbol,
)
from tradingd.data.ccxt.streams import Answer, Stream, StreamParts, Work
from tradingd.data.ccxt.ticks import BarStream, TradeStream
from tradingd.data.ccxt.warmup import Recorded, joined_history
from tradingd.domain.events import Bar, FeedEvent
from tradingd.errors import RateLimitedError, VenueRefusedError, VenueUnavailableError

__all__ = ["LiveFeed"]

_S = StreamState
_REFUSED_PAUSE_S = 60.0
_RETRY_S = 0.5
_LONGEST_RETRY_S = 30.0
_MOST_DOUBLINGS = 6
_PATIENCE = 2
"""How many times the limit of a silence new trades wait for those that were missed, before there is a hole."""
_LOOKS = 6
"""How often at most REST is asked, within the limit of a silence, whether it is one."""


class LiveFeed:
    """Publishes a venue's market data. `tasks()` are to be run by the supervisor until they are cancelled.

    `publish` is awaited for every event, one after another. `now` is our wall clock in nanoseconds, corrected by
    `clock_offset_ns()` to the venue's; `on_status` is told of each stream whose state changes. `wire` gives the
    venue's own symbol of one of the run's. `recorded` reads history from a catalog, before the venue is asked.
    """

    def __init__(
        self,
        public: MarketVenue,
        subscriptions: Sequence[Subscription],
        *,
        publish: Callable[[FeedEvent], Awaitable[None]],
        now: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        random: Random,
        on_status: Callable[[StreamStatus], None] = lambda _status: None,
        options: FeedOptions | None = None,
        clock_offset_ns: Callable[[], int] = lambda: 0,
        wire: Callable[[str], str] = ccxt_symbol,
        recorded: Recorded | None = None,
    ) -> None:
        self._public, self._client = public, public.client
        self._publish, self._monotonic, self._sleep = publish, monotonic, sleep
        self._on_status = on_status
        self.options = options or FeedOptions()
        self._outbox = Outbox(self.options.capacity)
        self._dialer = Dialer(random, per_minute=self.options.dials_per_minute, stagger_s=self.options.stagger_s)
        self._pages = Pages(self.options.page, self.options.pages)
        self._resets = self._faults = 0
        self._ready, self._room, self._work = asyncio.Event(), asyncio.Event(), asyncio.Event()
        parts = StreamParts(
            client=self._client,
            outbox=self._outbox,
            options=self.options,
            now=lambda: now() + clock_offset_ns(),
            on_state=self._told,
            wire=wire,
        )
        self._recorded = recorded
        self.streams = _streams(subscriptions, parts)
        self._unanswered = set(self.streams)
        self._all_answered = asyncio.Event()
        if not self.streams:
            self._all_answered.set()

    @property
    def venue(self) -> str:
        """The account's id whose venue this is."""
        return self._public.name

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The feed's tasks by name, none of which returns."""
        named: dict[str, Callable[[], Awaitable[None]]] = {
            f"feed.{self.venue}.publish": self._publish_all,
            f"feed.{self.venue}.clock": self._clock,
        }
        for number in range(1, self.options.workers + 1):
            named[f"feed.{self.venue}.catchup-{number}"] = self._catch_up
        for number, stream in enumerate(self.streams):
            named[f"feed.{self.venue}.{stream.subscription.name}"] = partial(self._read, number, stream)
        return named

    def status(self) -> FeedStatus:
        """Where all streams stand."""
        return FeedStatus(
            venue=self.venue,
            streams=tuple(status for stream in self.streams for status in stream.statuses()),
            marks={each.symbol: each.last for each in self.streams if isinstance(each, MarkStream) and each.last},
            queued=len(self._outbox),
            capacity=self.options.capacity,
            dials=self._dialer.dials,
            resets=self._resets,
        )

    async def ready(self) -> None:
        """Wait until every stream has been live once; one that the venue refuses is not waited for."""
        await self._all_answered.wait()

    @property
    def is_live(self) -> bool:
        """Whether every stream is current."""
        return all(stream.state is _S.LIVE for stream in self.streams)

    # --- reading -----------------------------------------------------------------------------------------------

    async def _read(self, number: int, stream: Stream) -> None:
        """Wait for news of one stream, for ever."""
        await self._sleep(self._dialer.first(number, self._monotonic()))
        self._open(stream)
        while True:
            try:
                await self._client.watch(stream.method, *stream.args, params=stream.params, pick=stream.receive)
            except VenueRefusedError as error:
                await self._reopen(stream, _S.REFUSED, str(error), _REFUSED_PAUSE_S)
            except VenueUnavailableError as error:
                wait = error.retry_after_s if isinstance(error, RateLimitedError) else None
                await self._reopen(stream, _S.CONNECTING, str(error), wait)
            else:
                self._heard(stream)
                if stream.keeps_all and self._outbox.is_full:
                    await self._fall_behind(stream)

    def _heard(self, stream: Stream) -> None:
        if stream.heard:
            stream.heard = 0
            stream.liveness.heard(self._monotonic())
        self._ready.set()
        if stream.state is not _S.LIVE:
            self._work.set()

    def _open(self, stream: Stream) -> None:
        stream.opened()
        stream.liveness.opened(self._monotonic())
        self._work.set()

    async def _reopen(self, stream: Stream, state: StreamState, reason: str, wait_s: float | None) -> None:
        """A stream broke: wait for its turn, then open it again."""
        stream.is_waiting = True
        stream.reconnects += 1
        stream.interrupted(state, reason)
        self._ready.set()
        delay = self._dialer.again(stream.failures, self._monotonic(), wait_s)
        stream.failures += 1
        self._work.set()
        await self._sleep(delay)
        self._open(stream)

    async def _fall_behind(self, stream: Stream) -> None:
        """Stop reading until there is room; what comes meanwhile is read over REST afterwards."""
        stream.is_waiting = True
        stream.interrupted(_S.BEHIND, f"{len(self._outbox)} events wait to be handled")
        while not self._outbox.has_room:
            self._room.clear()
            await self._room.wait()
        self._open(stream)
        stream.settle()

    # --- publishing --------------------------------------------------------------------------------------------

    async def _publish_all(self) -> None:
        while True:
            event = self._outbox.take()
            if event is None:
                self._ready.clear()
                await self._ready.wait()
                continue
            await self._publish(event)
            if self._outbox.has_room:
                self._room.set()

    # --- the clock ---------------------------------------------------------------------------------------------

    async def _clock(self) -> None:
        while True:
            await self._sleep(self.options.tick_s)
            self._mind_faults()
            now = self._monotonic()
            self._mind_joins(now)
            silent = [each for each in self.streams if not each.is_waiting and self._is_stale(each, now)]
            self._work.set()
            claims = [stream for stream in silent if stream.resets.claim(now)]
            if claims:
                self._resets += 1
                await self._client.reset_streams()

    def _mind_faults(self) -> None:
        """After frames that ccxt could not take: each may have been anybody's, so see what is missing."""
        faults = self._client.faults
        if faults == self._faults:
            return
        self._faults = faults
        for stream in self.streams:
            if stream.keeps_all and stream.state is _S.LIVE:
                stream.interrupted(_S.JOINING, "a frame could not be read; what it may have told is looked up")

    def _mind_joins(self, now: float) -> None:
        """Let no stream wait for ever for what REST does not tell: a hole is better than nothing."""
        for stream in self.streams:
            if stream.state is not _S.JOINING:
                stream.joining_s = now
            elif now - stream.joining_s > _PATIENCE * self.options.stale_after_s and stream.give_up():
                self._ready.set()
                stream.settle()

    def _is_stale(self, stream: Stream, now: float) -> bool:
        if stream.liveness.judge(now) is not Silence.STALE:
            return False
        if stream.state not in {_S.STALE, _S.REFUSED}:
            limit = f"{stream.liveness.limit_s:g} s"
            stream.liveness.gave_up()
            stream.interrupted(_S.STALE, f"nothing has come for {limit}; it is opened anew")
            self._ready.set()
        return True

    # --- catching up -------------------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        while True:
            found = self._next_work()
            if found is None:
                self._work.clear()
                await self._work.wait()
                continue
            await self._serve(*found)

    def _next_work(self) -> tuple[Stream, Work] | None:
        now = self._monotonic()
        for stream in self.streams:
            if stream.is_busy or stream.state is _S.BEHIND or now < stream.not_before_s:
                continue
            looking = (
                not stream.is_waiting and now >= stream.look_after_s and stream.liveness.judge(now) is Silence.LOOK
            )
            work = stream.work(looking=looking)
            self._ready.set()
            if work is not None:
                return stream, work
        return None

    async def _serve(self, stream: Stream, work: Work) -> None:
        stream.is_busy, asked = True, self._monotonic()
        try:
            answer = await self._ask(stream, work)
        except (VenueUnavailableError, VenueRefusedError) as error:
            stream.unanswered(work)
            wait = error.retry_after_s if isinstance(error, RateLimitedError) else None
            stream.rest_failures = min(stream.rest_failures + 1, _MOST_DOUBLINGS)
            if stream.state is _S.JOINING:
                stream.enter(_S.JOINING, f"what it lacks cannot be read: {error}")
            backoff = min(_RETRY_S * 2**stream.rest_failures, _LONGEST_RETRY_S)
            stream.not_before_s = self._monotonic() + max(backoff, wait or 0.0)
            return
        finally:
            stream.is_busy = False
        stream.rest_failures = 0
        self._answered(stream, work, answer, asked)

    def _answered(self, stream: Stream, work: Work, answer: Answer, asked: float) -> None:
        quiet = stream.answer(work, answer)
        now = self._monotonic()
        if work.looking and not stream.is_waiting:
            stream.look_after_s = now + stream.liveness.limit_s / _LOOKS
            if stream.liveness.judge(now) is not Silence.STALE:
                stream.liveness.looked(asked, now, is_quiet=quiet)
        if stream.state is _S.JOINING or (quiet and stream.state is _S.CONNECTING and not stream.is_waiting):
            stream.settle()
        self._ready.set()

    async def _ask(self, stream: Stream, work: Work) -> Answer:
        client, wire = self._client, stream.wire
        if work.what == "book":
            return await read_book(client, wire)
        if isinstance(stream, TradeStream) and work.what == "trades":
            return await read_trades(
                client, wire, work.since_ns, work.asked_ns, stream.convert, self._pages, work.ends_at
            )
        candle = partial(bar_of, symbol=stream.symbol, interval_ns=work.interval_ns)
        if work.bars:
            return await self._history(stream, work, candle)
        return await read_bars(client, wire, work.interval_ns, work.since_ns, work.asked_ns, candle, self._pages)

    async def _history(self, stream: Stream, work: Work, candle: Callable[[object], Bar | Refusal]) -> list[Bar]:
        """The bars before the first live one: what is recorded, and the rest from the venue."""
        client, wire, interval = self._client, stream.wire, work.interval_ns
        if self._recorded is not None:
            rows = await asyncio.to_thread(self._recorded, stream.symbol, interval, work.bars, work.asked_ns)
            if rows:
                rest = await read_bars(client, wire, interval, rows[-1].ts, work.asked_ns, candle, self._pages)
                joined = joined_history(rows, rest, work.bars)
                if joined:
                    return joined
        return await read_history(client, wire, interval, work.bars, work.asked_ns, candle, self._pages)

    def _told(self, stream: Stream) -> None:
        if stream.state in {_S.LIVE, _S.REFUSED}:
            self._unanswered.discard(stream)
            if not self._unanswered:
                self._all_answered.set()
        for status in stream.statuses():
            self._on_status(status)


def _streams(subscriptions: Sequence[Subscription], parts: StreamParts) -> tuple[Stream, ...]:
    """One stream for each subscription; those of a symbol's trades and of bars built from them are one."""
    wanted = dict.fromkeys(subscriptions)
    built: dict[str, list[Subscription]] = {}
    for each in wanted:
        if each.from_trades:
            built.setdefault(each.symbol, []).append(each)
    trades = {each.symbol: each for each in wanted if each.kind is StreamKind.TRADES}
    streams: list[Stream] = []
    for symbol in dict.fromkeys([*trades, *built]):
        own = trades.get(symbol) or Subscription(symbol=symbol, kind=StreamKind.TRADES)
        streams.append(TradeStream(own, parts, built.get(symbol, ()), tell=symbol in trades))
    rest = (each for each in wanted if each.kind is not StreamKind.TRADES and not each.from_trades)
    return (*streams, *(_OF_KIND[each.kind](each, parts) for each in rest))


_OF_KIND: Mapping[StreamKind, type[Stream]] = {
    StreamKind.QUOTES: QuoteStream,
    StreamKind.BOOKS: BookStream,
    StreamKind.BARS: BarStream,
    StreamKind.MARKS: MarkStream,
}
