"""History and live data as one, recording, and venues that lack something."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.data.ccxt.world import (
    BTC,
    MINUTE,
    START_NS,
    Time,
    World,
    bars,
    books,
    quotes,
    rounds,
    trades,
    until,
    world,
)
from tradingd.data import Catalog, SeriesKind, read_events
from tradingd.data.ccxt.feed import LiveFeed
from tradingd.data.ccxt.model import FeedOptions, MarkPrice, StreamKind, StreamState, Subscription
from tradingd.data.ccxt.warmup import joined_history, recorded_in
from tradingd.data.recorder import FeedRecorder
from tradingd.domain.aggregation import TimeBars
from tradingd.domain.events import Bar, Book, FeedEvent, Quote, Trade
from tradingd.errors import ConfigError, DataError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import Lane

T, Q, B, C = "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@kline_1m"


def by_minute(events: list[Trade]) -> list[Bar]:
    """The bars of trades by the rule that everybody uses."""
    rule = TimeBars(MINUTE)
    return [bar for event in events for bar in rule.update(event)]


@pytest.mark.parametrize("from_trades", [True, False])
async def test_the_first_live_bar_is_whole(from_trades: bool) -> None:  # noqa: FBT001
    """A feed that begins within a minute tells that minute whole: what it did not see it reads."""

    async def before(it: World) -> None:
        await it.time.pass_(20)
        it.trade(60_000.0, 1.0)
        await it.time.pass_(10)

    async with world([bars(from_trades=from_trades)], before=before) as it:
        await it.subscribed(T if from_trades else C)
        for price in (60_010.0, 60_020.0, 60_030.0, 60_040.0):
            it.trade(price, 1.0)
            it.streams.flush()
            await it.seconds(25, step=1)
        await until(lambda: len(it.of(Bar)) >= 1)
        first = it.of(Bar)[0]
        assert (first.ts_open, first.open, first.close, first.volume) == (START_NS, 60_000.0, 60_020.0, 3.0)


async def test_bars_of_trades_are_those_of_the_trades_that_were_told() -> None:
    """Whoever builds bars of the trades gets the very bars that the feed tells, over reconnects, too."""
    async with world([trades(), bars(from_trades=True)]) as it:
        await it.subscribed(T)
        for number in range(60):
            it.trade(60_000.0 + number * 7 % 13, 1.0 + number % 3)
            if number % 17 == 16:
                it.exchange.hub.abort_all()
            await it.seconds(7, step=1)
            while not it.streams.subscribers(T):
                await it.seconds(1)
        await it.seconds(70, step=1)
        built = by_minute(it.of(Trade))
        assert len(built) >= 6
        assert it.of(Bar)[: len(built)] == built
        assert it.status(StreamKind.BARS).holes == 0


def recorded(folder: Path, closes: list[float]) -> Catalog:
    """A catalog that has the last minutes before the start."""
    made = FeedRecorder(folder, kinds=[SeriesKind.BARS], monotonic=lambda: 0.0)
    for index, close in enumerate(closes):
        opened = START_NS + (index - len(closes)) * MINUTE
        made(Bar(opened + MINUTE, BTC, close, close, close, close, 1.0, opened))
    made.close()
    return Catalog(folder)


async def test_history_out_of_the_catalog_is_joined(tmp_path: Path) -> None:
    """What the catalog has is told first, what came after it is read, and then it goes on live."""
    catalog = recorded(tmp_path, [1.0, 2.0, 3.0, 4.0])

    async def before(it: World) -> None:
        for minute in range(2):
            it.trade(60_000.0 + minute, 1.0)
            await it.time.pass_(60)

    async with world([bars(history=4)], before=before, recorded=recorded_in(catalog)) as it:
        await until(lambda: len(it.of(Bar)) == 4)
        assert [bar.close for bar in it.of(Bar)] == [3.0, 4.0, 60_000.0, 60_001.0]


async def test_a_catalog_that_does_not_reach_is_not_used(tmp_path: Path) -> None:
    """Where the venue's answer does not begin where the recording ends, all of the history is the venue's."""
    catalog = recorded(tmp_path, [1.0, 2.0, 3.0, 4.0])

    async def before(it: World) -> None:
        await it.time.pass_(60)
        for minute in range(4):
            it.trade(60_000.0 + minute, 1.0)
            await it.time.pass_(60)

    async with world([bars(history=3)], before=before, recorded=recorded_in(catalog)) as it:
        await until(lambda: len(it.of(Bar)) == 3)
        assert [bar.close for bar in it.of(Bar)] == [60_001.0, 60_002.0, 60_003.0]


def test_a_recording_and_an_answer_as_one_history() -> None:
    """Enough bars, without a hole between them, or none."""
    made = [Bar(MINUTE * (n + 1), "X", 1.0, 1.0, 1.0, 1.0, 1.0, MINUTE * n) for n in range(6)]
    assert joined_history(made[:4], made[4:], 4) == made[1:]
    assert joined_history(made[:3], made[4:], 4) == []
    assert joined_history(made[:4], [], 3) == []
    assert joined_history(made[:4], made[4:], 6) == []


def test_a_damaged_recording_is_no_history(tmp_path: Path) -> None:
    """The recording is checked before strategies learn from it."""
    catalog = recorded(tmp_path, [1.0, -2.0, 3.0])
    with pytest.raises(DataError, match="cannot be used"):
        recorded_in(catalog)(BTC, MINUTE, 3, START_NS)
    assert recorded_in(catalog)("ETH/USDT", MINUTE, 3, START_NS) == ()


async def test_a_live_feed_is_recorded_and_replayed(tmp_path: Path) -> None:
    """What a live feed published is what the catalog replays: trades, quotes, books, bars."""
    kinds = (SeriesKind.TRADES, SeriesKind.QUOTES, SeriesKind.BOOKS, SeriesKind.BARS)
    recorder = FeedRecorder(tmp_path, kinds=kinds, part_rows=20, monotonic=lambda: 0.0)
    async with world([trades(), quotes(), books(), bars(from_trades=True)]) as it:
        it.book(59_999.0, 60_001.0)
        await it.subscribed(T, Q, B)
        for number in range(40):
            it.trade(60_000.5 + number, 0.25)
            it.book(59_999.0 + number, 60_001.0 + number)
            it.streams.flush()
            if number == 20:
                it.exchange.hub.abort_all()
            await it.seconds(7, step=1)
        for event in it.events:
            recorder(event)  # type: ignore[arg-type]
        recorder.close()
        replayed = {spec.kind: list(read_events(spec)) for spec in Catalog(tmp_path).series()}
        for kind, events in zip(kinds, (Trade, Quote, Book, Bar), strict=True):
            assert replayed[kind] == it.of(events)
        assert len(it.of(Trade)) == 40
        assert Book(it.of(Book)[0].ts, BTC, (), ()) not in it.of(Book)[:1]


# --- venues that lack something ----------------------------------------------------------------------------------


class Lacking:
    """A client of a venue that offers only what it is told; what streams bring is put in by hand."""

    exchange_id = "lacking"
    name = "main"
    faults = 0
    trades_limit = 0

    def __init__(self, *offers: str) -> None:
        self.offers = offers
        self.queues: dict[str, asyncio.Queue[Any]] = {}
        self.watched: list[tuple[str, Any, Any]] = []
        self.rest: dict[str, Any] = {}

    @property
    def client(self) -> "Lacking":
        return self

    def has(self, method: str) -> bool:
        return method in self.offers

    async def call(self, method: str, *args: Any, lane: Lane, params: Mapping[str, Any] | None = None) -> Any:
        del args, params
        assert lane is Lane.MARKET
        told = self.rest.get(method, [])
        if isinstance(told, Exception):
            raise told
        return told

    async def watch(
        self,
        method: str,
        *args: Any,
        params: Mapping[str, Any] | None = None,
        pick: Callable[[Any], Any] | None = None,
    ) -> Any:
        self.watched.append((method, args, params))
        told = await self.queue(method).get()
        return pick(told) if pick is not None else told

    def queue(self, method: str) -> "asyncio.Queue[Any]":
        return self.queues.setdefault(method, asyncio.Queue())

    async def reset_streams(self) -> None: ...


def feed_of(
    client: Lacking, time: Time, events: list[FeedEvent], *subscriptions: Subscription, stale_after_s: float = 15.0
) -> LiveFeed:
    """A feed of a venue that lacks something."""

    async def publish(event: FeedEvent) -> None:
        events.append(event)

    return LiveFeed(
        client,
        subscriptions,
        publish=publish,
        now=time.now,
        monotonic=time.monotonic,
        sleep=time.sleep,
        random=Random(1),  # noqa: S311 - jitter
        options=FeedOptions(stagger_s=0.0, stale_after_s=stale_after_s),
    )


async def running(feed: LiveFeed, what: Callable[[], Any]) -> None:
    """Run a feed while something happens."""
    tasks = [asyncio.ensure_future(task()) for task in feed.tasks().values()]
    await rounds()
    try:
        await what()
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []


async def test_quotes_of_a_ticker() -> None:
    """Where no stream of best prices is offered, the full ticker is asked for, which has them."""
    client, events = Lacking("watchTicker"), list[FeedEvent]()
    feed = feed_of(client, Time(), events, quotes())

    async def what() -> None:
        client.queue("watch_ticker").put_nowait({"bid": "1.5", "ask": "2.5", "bidVolume": None, "timestamp": None})
        await rounds()

    await running(feed, what)
    assert client.watched[0] == ("watch_ticker", (BTC,), {"name": "ticker"})
    assert events == [Quote(START_NS, BTC, 1.5, 2.5, 0.0, 0.0)]


async def test_quotes_of_a_book() -> None:
    """Where neither is offered, the top of the book is the quote."""
    client, events = Lacking("watchOrderBook"), list[FeedEvent]()
    feed = feed_of(client, Time(), events, quotes())

    async def what() -> None:
        client.queue("watch_order_book").put_nowait(
            {"bids": [[1.5, 3.0]], "asks": [[2.5, 4.0]], "timestamp": None}
        )
        await rounds()

    await running(feed, what)
    assert events == [Quote(START_NS, BTC, 1.5, 2.5, 3.0, 4.0)]


async def test_mark_prices_are_told_in_the_status() -> None:
    """Mark prices and funding are no market data for strategies: the status has the latest."""
    client, events = Lacking("watchMarkPrice"), list[FeedEvent]()
    feed = feed_of(client, Time(), events, Subscription(symbol="BTC/USDT:USDT", kind=StreamKind.MARKS))

    async def what() -> None:
        client.queue("watch_mark_price").put_nowait({"markPrice": "100.5", "indexPrice": "100.4"})
        await rounds()

    await running(feed, what)
    assert events == []
    assert feed.status().marks == {"BTC/USDT:USDT": MarkPrice(START_NS, "BTC/USDT:USDT", 100.5, 100.4)}


async def test_without_a_history_of_trades_the_clock_closes_bars() -> None:
    """Where no past trades are told, bars close by the clock; one that was broken into is left out."""
    client, events, time = Lacking("watchTrades"), list[FeedEvent](), Time()
    feed = feed_of(client, time, events, bars(from_trades=True), stale_after_s=1_000.0)
    feed.streams[0].interrupted(StreamState.CONNECTING, "before the start")

    async def trade(number: int) -> None:
        told = {"id": number, "price": number, "amount": 1, "side": "buy", "timestamp": time.now_ms()}
        client.queue("watch_trades").put_nowait([told])
        await rounds()

    async def what() -> None:
        await trade(1)
        await time.pass_(60)
        await trade(2)
        await time.pass_(62)
        await trade(3)
        feed.streams[0].interrupted(StreamState.CONNECTING, "broken into")
        await trade(4)
        await time.pass_(60)
        await trade(5)
        await time.pass_(120)

    await running(feed, what)
    assert [event.price for event in events if isinstance(event, Bar)] == [2.0, 5.0]


def test_a_venue_that_streams_no_candles_is_told_at_once() -> None:
    """What cannot be streamed is said when the feed is made, with what to do about it."""
    with pytest.raises(ConfigError, match="bars_from"):
        feed_of(Lacking("watchTrades"), Time(), [], bars())
    for kind in (StreamKind.QUOTES, StreamKind.BOOKS, StreamKind.TRADES, StreamKind.MARKS):
        with pytest.raises(ConfigError, match="streams no"):
            feed_of(Lacking(), Time(), [], Subscription(symbol=BTC, kind=kind))


async def test_candles_without_a_history() -> None:
    """Where no past candles are told, what the stream leaves out is left out, and the rest comes."""
    client, events, time = Lacking("watchOHLCV"), list[FeedEvent](), Time()
    feed = feed_of(client, time, events, bars(history=5))

    async def what() -> None:
        for minute in (0, 2, 3):
            opened = START_NS // 1_000_000 + minute * 60_000
            client.queue("watch_ohlcv").put_nowait([[opened, 1, 2, 1, 1.5, 1]])
            await rounds()

    await running(feed, what)
    assert [(event.ts - START_NS) // MINUTE for event in events] == [1, 3]


async def test_a_history_that_is_refused_is_told_and_asked_for_again() -> None:
    """While REST refuses the history the stream is JOINING and says why; the bars come once it answers."""
    client, events, time = Lacking("watchOHLCV", "fetchOHLCV"), list[FeedEvent](), Time()
    feed = feed_of(client, time, events, bars(history=1))
    opened = START_NS // 1_000_000
    client.rest["fetch_ohlcv"] = VenueRefusedError("no such interval")

    async def what() -> None:
        client.queue("watch_ohlcv").put_nowait([[opened, 1, 2, 1, 1.5, 1]])
        await rounds()
        assert feed.streams[0].state is StreamState.JOINING
        await time.pass_(3)
        assert "no such interval" in feed.status().streams[0].reason
        client.rest["fetch_ohlcv"] = [[opened - 60_000, 1, 2, 1, 1.5, 1], [opened, 1, 2, 1, 1.5, 1]]
        await time.pass_(10)
        assert feed.is_live
        assert feed.status().streams[0].reason == ""

    await running(feed, what)
    assert [event.ts for event in events] == [START_NS]


async def test_a_gap_that_nobody_fills_is_a_hole_after_half_a_minute() -> None:
    """While REST fails the new trades wait; after half a minute they are told; the hole is counted."""
    client, events, time = Lacking("watchTrades", "fetchTrades"), list[FeedEvent](), Time()
    feed = feed_of(client, time, events, trades(), bars(from_trades=True))
    client.rest["fetch_trades"] = VenueUnavailableError("no answer")

    async def trade(number: int) -> None:
        told = {"id": number, "price": number, "amount": 1, "side": "buy", "timestamp": time.now_ms()}
        client.queue("watch_trades").put_nowait([told])
        await rounds()

    async def what() -> None:
        await trade(1)
        feed.streams[0].interrupted(StreamState.CONNECTING, "cut")
        for number in range(2, 11):
            await trade(number)
            await time.pass_(3)
        assert feed.streams[0].state is StreamState.JOINING
        assert [event.price for event in events] == [1.0]
        for number in range(11, 30):
            await trade(number)
            await time.pass_(3)
        assert feed.is_live

    await running(feed, what)
    assert [event.price for event in events if isinstance(event, Trade)] == [float(n) for n in range(1, 30)]
    assert feed.status().streams[0].holes == 1


async def test_a_feed_without_streams_is_ready() -> None:
    """Nothing to wait for is nothing to wait for."""
    await asyncio.wait_for(feed_of(Lacking(), Time(), []).ready(), 1)
