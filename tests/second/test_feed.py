"""The live feed at a venue that is not like Binance."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

from tests.data.ccxt.world import MINUTE, START_NS, Time, bars, books, quotes, rounds, trades, until
from tests.second.okx import SPOT, SecondVenue
from tests.second.world import BTC, ETH, settings_for
from tradingd.data.ccxt.feed import LiveFeed
from tradingd.data.ccxt.model import FeedOptions, StreamKind, StreamState, StreamStatus, Subscription
from tradingd.domain.events import Bar, Book, FeedEvent, Quote, Trade
from tradingd.testing.exchange.model import Side, TimeInForce
from tradingd.venues.public import PublicVenue, make_public

NAME = "BTC-USDT"


class World:
    """A venue whose clock is moved by hand, and a feed of it."""

    def __init__(self, time: Time, venue: SecondVenue, public: PublicVenue) -> None:
        self.time, self.venue, self.public = time, venue, public
        self.events: list[FeedEvent] = []
        self.told: list[StreamStatus] = []
        self.feed: LiveFeed

    async def publish(self, event: FeedEvent) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def trade(self, price: float = 60_000.0, amount: float = 0.01) -> None:
        """A public trade."""
        self.venue.engine.house_print(NAME, Side.BUY, Decimal(str(price)), Decimal(str(amount)))

    def status(self, kind: StreamKind = StreamKind.TRADES) -> StreamStatus:
        return next(each for each in self.feed.status().streams if each.kind is kind)

    async def subscribed(self, *channels: str) -> None:
        """Wait until the venue tells these."""
        await until(lambda: all(self.venue.streams.subscribers(each, NAME) for each in channels))

    async def seconds(self, number: float, step: float = 0.5) -> None:
        for _ in range(round(number / step)):
            await self.time.pass_(step)
            await rounds(200)


@asynccontextmanager
async def world(
    subscriptions: Sequence[Subscription], *, before: Callable[[World], Awaitable[None]] | None = None, **options: Any
) -> AsyncIterator[World]:
    """A running feed; `before` happens at the venue before it starts."""
    time = Time()
    async with SecondVenue(SPOT, clock=time.now_ms) as venue:
        public = make_public(settings_for(venue), now=time.now)
        public.client.budget.allowance.capacity = 1e6
        tasks: list[asyncio.Task[None]] = []
        try:
            await public.open([BTC, ETH])
            it = World(time, venue, public)
            if before is not None:
                await before(it)
            it.feed = LiveFeed(
                public,
                subscriptions,
                publish=it.publish,
                now=time.now,
                monotonic=time.monotonic,
                sleep=time.sleep,
                random=Random(7),  # noqa: S311 - jitter
                on_status=it.told.append,
                options=FeedOptions(stagger_s=0.0, **options),
            )
            tasks = [asyncio.ensure_future(task()) for task in it.feed.tasks().values()]
            await time.pass_(0)
            yield it
            failed = [task for task in tasks if task.done()]
            assert not failed, [task.exception() for task in failed]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await public.close()


async def test_trades() -> None:
    """Trades come with the venue's ids and times, without keys."""
    async with world([trades()]) as it:
        await it.subscribed("trades")
        it.trade(60_000.5, 0.25)
        it.trade(60_001.0, 0.5)
        await until(lambda: len(it.of(Trade)) == 2)
        first = it.of(Trade)[0]
        assert (first.symbol, first.price, first.amount, first.ts, first.trade_id) == (
            BTC,
            60_000.5,
            0.25,
            START_NS,
            "1",
        )
        assert it.status().state is StreamState.LIVE


async def test_quotes_and_books() -> None:
    """Best prices and books, by a snapshot and its changes."""

    async def before(it: World) -> None:
        it.venue.set_book(NAME, 59_999, 60_001)

    async with world([quotes(), books(depth=2)], before=before) as it:
        await it.subscribed("books", "bbo-tbt")
        it.venue.set_book(NAME, 59_998, 60_002, near="2")
        await until(lambda: it.of(Quote) and it.of(Quote)[-1].bid == 59_998 and it.of(Quote)[-1].ask == 60_002)
        await until(lambda: it.of(Book) and it.of(Book)[-1].asks[:1] == ((60_002.0, 2.0),))
        assert it.of(Book)[-1] == Book(
            START_NS, BTC, ((59_998.0, 2.0), (59_988.0, 50.0)), ((60_002.0, 2.0), (60_012.0, 50.0))
        )


async def test_candles() -> None:
    """A bar of the venue's candles is told once, when the next has begun."""
    async with world([bars()]) as it:
        await it.subscribed("candle1m")
        for price in (60_000.0, 60_010.0, 59_990.0, 60_005.0):
            it.trade(price, 1.0)
            it.venue.streams.flush()
            await it.seconds(10)
        await it.seconds(20)
        it.trade(60_020.0, 1.0)
        it.venue.streams.flush()
        await until(lambda: it.of(Bar))
        assert it.of(Bar) == [Bar(START_NS + MINUTE, BTC, 60_000.0, 60_010.0, 59_990.0, 60_005.0, 4.0, START_NS)]


async def test_history_before_the_first_live_bar() -> None:
    """The warm-up is read over REST, newest first as the venue tells it, and joins the live bars."""

    async def before(it: World) -> None:
        for minute in range(6):
            it.trade(60_000.0 + minute, 1.0)
            await it.time.pass_(60)

    async with world([bars(history=4)], before=before) as it:
        await until(lambda: len(it.of(Bar)) == 4)
        await it.subscribed("candle1m")
        for minute in range(6, 9):
            it.trade(60_000.0 + minute, 1.0)
            it.venue.streams.flush()
            await it.seconds(60, step=5)
        await until(lambda: len(it.of(Bar)) >= 6)
        assert [bar.close for bar in it.of(Bar)][:6] == [60_002.0, 60_003.0, 60_004.0, 60_005.0, 60_006.0, 60_007.0]


async def test_a_reconnect_is_filled() -> None:
    """Trades while the sockets are down are read over REST, by the ids that the stream has."""
    async with world([trades(), bars(from_trades=True)]) as it:
        await it.subscribed("trades")
        it.trade(60_000.0, 1.0)
        await until(lambda: len(it.of(Trade)) == 1)
        for number in range(3):
            it.venue.hub.abort_all()
            it.trade(60_001.0 + number, 1.0)
            await until(lambda: it.venue.streams.subscribers("trades", NAME) == 0)
            it.trade(60_002.0 + number, 1.0)
            while not it.venue.streams.subscribers("trades", NAME):
                await it.seconds(1)
        it.trade(60_100.0, 1.0)
        await until(lambda: [trade.trade_id for trade in it.of(Trade)] == [str(each) for each in range(1, 9)])
        assert it.status().holes == 0


async def test_trades_that_the_stream_puts_together() -> None:
    """What a taker trades at one price is told as one, by its last id; REST tells each: nothing is told twice."""

    async def before(it: World) -> None:
        it.venue.streams.aggregates = True
        for _ in range(3):
            it.venue.engine.house_place(NAME, Side.SELL, Decimal(1), Decimal(60_000))

    async with world([trades(), bars(from_trades=True)], before=before) as it:
        await it.subscribed("trades")
        it.venue.engine.house_place(NAME, Side.BUY, Decimal("2.5"), Decimal(60_000), TimeInForce.IOC)
        it.venue.streams.flush()
        await until(lambda: it.of(Trade))
        await it.seconds(63, step=1)
        it.trade(60_000.0, 0.5)
        it.venue.streams.flush()
        await until(lambda: len(it.of(Trade)) > 1)
        await it.seconds(63, step=1)
        await until(lambda: len(it.of(Bar)) == 2)
        assert [(trade.trade_id, trade.amount) for trade in it.of(Trade)] == [("3", 2.5), ("4", 0.5)]
        assert [bar.volume for bar in it.of(Bar)] == [2.5, 0.5]
        assert it.feed.status().resets == 0


async def test_quotes_of_books() -> None:
    """Where a venue streams neither best prices nor tickers, the best of its books is told."""

    async def before(it: World) -> None:
        it.venue.set_book(NAME, 59_999, 60_001)
        it.public.client.ccxt.has |= {"watchBidsAsks": False, "watchTicker": False}

    async with world([quotes()], before=before) as it:
        await it.subscribed("books")
        it.venue.set_book(NAME, 59_998, 60_002)
        await until(lambda: it.of(Quote) and (it.of(Quote)[-1].bid, it.of(Quote)[-1].ask) == (59_998, 60_002))


async def test_quotes_of_tickers() -> None:
    """Where it streams no best prices, its tickers are watched by the venue's own default."""

    async def before(it: World) -> None:
        it.venue.set_book(NAME, 59_999, 60_001)
        it.public.client.ccxt.has |= {"watchBidsAsks": False}

    async with world([quotes()], before=before) as it:
        await it.subscribed("tickers")
        it.venue.streams.tell_ticker(NAME)
        await until(lambda: it.of(Quote) and (it.of(Quote)[-1].bid, it.of(Quote)[-1].ask) == (59_999, 60_001))


async def test_trades_put_together_after_a_reconnect() -> None:
    """One that waits for what was missed does not stand for trades that REST has told meanwhile, nor hides any."""

    async def before(it: World) -> None:
        it.venue.streams.aggregates = True
        for _ in range(9):
            it.venue.engine.house_place(NAME, Side.SELL, Decimal(1), Decimal(60_000))

    def take(it: World, quantity: str) -> None:
        it.venue.engine.house_place(NAME, Side.BUY, Decimal(quantity), Decimal(60_000), TimeInForce.IOC)
        it.venue.streams.flush()

    async with world([trades()], before=before) as it:
        await it.subscribed("trades")
        take(it, "2")
        await until(lambda: it.of(Trade))
        it.venue.hub.abort_all()
        await until(lambda: it.venue.streams.subscribers("trades", NAME) == 0)
        take(it, "3")
        while not it.venue.streams.subscribers("trades", NAME):
            await it.seconds(1)
        take(it, "3")
        await until(lambda: sum(trade.amount for trade in it.of(Trade)) >= 8)
        await it.seconds(5)
        assert sum(trade.amount for trade in it.of(Trade)) == 8
