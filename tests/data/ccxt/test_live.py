"""The live feed over real sockets: ccxt's unmodified client against the loopback exchange."""

import asyncio

from tests.data.ccxt.world import BTC, ETH, MINUTE, START_NS, World, bars, books, quotes, trades, until, world
from tradingd.data.ccxt.model import StreamKind, StreamState
from tradingd.domain.events import Bar, Book, Quote, Trade

T, Q, B, C = "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@kline_1m"


def ids(it: World, symbol: str = BTC) -> list[int]:
    """The ids of the trades that were published."""
    return [int(trade.trade_id) for trade in it.of(Trade, symbol)]


async def test_trades_are_published_as_they_come() -> None:
    """Public trades come as events with the venue's ids and times, in order."""
    async with world([trades()]) as it:
        await it.subscribed(T)
        it.trade(60_000.5, 0.25)
        it.trade(60_001.0, 0.5)
        await until(lambda: len(it.of(Trade)) == 2)
        first, second = it.of(Trade)
        assert (first.symbol, first.price, first.amount, first.ts) == (BTC, 60_000.5, 0.25, START_NS)
        assert int(second.trade_id) == int(first.trade_id) + 1
        assert it.state() is StreamState.LIVE


async def test_quotes_and_books_are_published() -> None:
    """The best bid and ask, and the levels of the book, come as the venue has them."""

    async def before(it: World) -> None:
        it.book(59_999.0, 60_001.0)

    async with world([quotes(), books(depth=2)], before=before) as it:
        await it.subscribed(Q, B)
        it.book(59_998.0, 60_002.0, size=2.0)
        it.streams.flush()
        await until(lambda: it.of(Quote) and it.of(Book))
        assert it.of(Quote)[-1] == Quote(START_NS, BTC, 59_998.0, 60_002.0, 2.0, 2.0)
        assert it.of(Book)[-1] == Book(
            START_NS, BTC, ((59_998.0, 2.0), (59_997.0, 2.0)), ((60_002.0, 2.0), (60_003.0, 2.0))
        )


async def test_candles_are_published_when_they_are_closed() -> None:
    """A bar of the venue's candles is told once, when the next one has begun."""
    async with world([bars()]) as it:
        await it.subscribed(C)
        for price in (60_000.0, 60_010.0, 59_990.0, 60_005.0):
            it.trade(price, 1.0)
            it.streams.flush()
            await it.seconds(10)
        assert it.of(Bar) == []
        await it.seconds(20)
        it.trade(60_020.0, 1.0)
        it.streams.flush()
        await until(lambda: it.of(Bar))
        assert it.of(Bar) == [Bar(START_NS + MINUTE, BTC, 60_000.0, 60_010.0, 59_990.0, 60_005.0, 4.0, START_NS)]


async def test_bars_of_trades_close_by_the_clock() -> None:
    """In a quiet market a bar of trades is told soon after its end, though no later trade comes."""
    async with world([bars(from_trades=True)]) as it:
        await it.subscribed(T)
        it.trade(60_000.0, 1.0)
        await until(lambda: it.status(StreamKind.BARS).received)
        await it.seconds(61)
        it.trade(60_010.0, 1.0)
        await it.seconds(65)
        await until(lambda: len(it.of(Bar)) == 2)
        assert [(bar.ts_open, bar.close) for bar in it.of(Bar)] == [
            (START_NS, 60_000.0),
            (START_NS + MINUTE, 60_010.0),
        ]


async def test_history_is_told_before_the_first_live_bar() -> None:
    """The declared warm-up is read over REST and joined to the live bars without a gap or a double."""

    async def before(it: World) -> None:
        for minute in range(6):
            it.trade(60_000.0 + minute, 1.0)
            await it.time.pass_(60)

    async with world([bars(history=4), bars(ETH)], before=before) as it:
        await until(lambda: len(it.of(Bar)) == 4)
        await it.subscribed(C)
        for minute in range(6, 9):
            it.trade(60_000.0 + minute, 1.0)
            it.streams.flush()
            await it.seconds(60, step=5)
        await until(lambda: len(it.of(Bar, BTC)) >= 6)
        closes = [bar.close for bar in it.of(Bar, BTC)]
        assert closes[:6] == [60_002.0, 60_003.0, 60_004.0, 60_005.0, 60_006.0, 60_007.0]


async def test_a_reconnect_is_filled() -> None:
    """Trades that happen while the socket is down are read after the reconnect, whether or not more follow."""
    async with world([trades(), bars(from_trades=True)]) as it:
        await it.subscribed(T)
        it.trade(60_000.0, 1.0)
        await until(lambda: ids(it) == [1])
        for round_ in range(5):
            it.exchange.hub.abort_all()
            it.trade(60_001.0 + round_, 1.0)
            await until(lambda: it.streams.subscribers(T) == 0)
            it.trade(60_002.0 + round_, 1.0)
            while not it.streams.subscribers(T):
                await it.seconds(1)
        it.trade(60_100.0, 1.0)
        await until(lambda: ids(it) == list(range(1, 13)))
        assert it.status().filled >= 5
        assert it.status().holes == 0


async def test_a_refused_symbol_does_not_stop_the_others() -> None:
    """A symbol that the venue does not know is REFUSED; the rest is live, and the feed is ready."""
    async with world([trades(), trades("NIX/USDT")]) as it:
        await it.subscribed(T)
        it.trade()
        await asyncio.wait_for(it.feed.ready(), 5)
        assert it.state(symbol="NIX/USDT") is StreamState.REFUSED
        assert it.state() is StreamState.LIVE
        assert "BadSymbol" in it.status(symbol="NIX/USDT").reason


async def test_ready_waits_for_every_stream() -> None:
    """The feed is ready when each stream has been live; a silent one counts once REST knows that it is quiet."""
    async with world([trades(), trades(ETH)]) as it:
        await it.subscribed(T, "ethusdt@aggTrade")
        waiting = asyncio.ensure_future(it.feed.ready())
        it.trade()
        await until(lambda: it.state() is StreamState.LIVE)
        assert not waiting.done()
        await it.seconds(11)
        await until(waiting.done)
        assert it.state(symbol=ETH) is StreamState.LIVE


async def test_a_bar_comes_before_the_trade_that_closes_it() -> None:
    """A trade of the next minute closes the bar, which is told first."""
    async with world([trades(), bars(from_trades=True)]) as it:
        await it.subscribed(T)
        for _ in range(3):
            it.trade()
            await until(lambda: it.of(Trade))
            await it.time.pass_(60.5)
        it.trade()
        await until(lambda: len(it.of(Bar)) >= 3 and len(it.of(Trade)) == 4)
        watched = [event for event in it.events if event.ts > START_NS + MINUTE]
        assert [type(event) for event in watched[-3:]] == [Trade, Bar, Trade]
        assert [event.ts for event in watched] == sorted(event.ts for event in watched)
