"""Faults of market streams by their numbers in the catalogue, over real sockets: what must hold, holds."""

import asyncio
from typing import Any

import pytest

from tests.data.ccxt.world import BTC, ETH, START_NS, World, bars, books, quotes, rounds, trades, until, world
from tradingd.data.ccxt.model import FeedOptions, StreamKind, StreamState
from tradingd.domain.events import Bar, Book, Quote, Trade
from tradingd.testing.exchange import stream_faults
from tradingd.testing.exchange.faults import RequestFault, ScriptedFaults
from tradingd.testing.exchange.model import Call, Reply

T, Q, B, C = "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@kline_1m"
S = StreamState


def ids(it: World, symbol: str = BTC) -> list[int]:
    """The ids of the trades that were published."""
    return [int(trade.trade_id) for trade in it.of(Trade, symbol)]


async def silence(it: World, target: str) -> None:
    """The stream's socket carries nothing any more, and answers pings."""
    it.strike(stream_faults.silent(), target=target)


async def test_b1_a_silent_stream_is_noticed_opened_anew_and_filled() -> None:
    """B1: a socket that brings nothing is stale within 15 s, closed and opened anew; what was missed is read."""
    async with world([trades()]) as it:
        await it.subscribed(T)
        it.trade()
        await until(lambda: ids(it) == [1])
        await silence(it, T)
        it.trade()
        await it.seconds(5)
        it.trade()
        await it.seconds(4)
        assert ids(it) == [1]
        await it.seconds(6.5)
        stale = [status for status in it.told if status.state is S.STALE]
        assert len(stale) == 1
        assert stale[0].since_ns - START_NS <= 15_500_000_000
        await until(lambda: it.exchange.hub.accepted == 2)
        await it.subscribed(T)
        await until(lambda: ids(it) == [1, 2, 3])
        it.trade()
        await until(lambda: ids(it) == [1, 2, 3, 4])
        await until(lambda: it.state() is S.LIVE)
        assert (it.status().holes, it.feed.status().resets) == (0, 1)


async def test_b1_a_silent_quote_stream_is_noticed() -> None:
    """B1: quotes that stand still while the book moves on are stale; their socket is opened anew."""
    async with world([quotes()]) as it:
        await it.subscribed(Q)
        it.book(59_999.0, 60_001.0)
        await until(lambda: it.of(Quote))
        await silence(it, Q)
        it.book(59_000.0, 59_002.0)
        await it.seconds(16)
        assert S.STALE in [status.state for status in it.told]
        await until(lambda: it.exchange.hub.accepted == 2)
        await it.subscribed(Q)
        it.book(58_999.0, 59_002.0)
        await until(lambda: it.of(Quote)[-1].bid == 58_999.0)
        assert it.state(StreamKind.QUOTES) is S.LIVE


async def test_b1_a_quiet_market_is_not_stale() -> None:
    """A market in which nothing happens is looked at over REST, and stays live; the looks become rare."""
    async with world([trades(), quotes()]) as it:
        await it.subscribed(T, Q)
        it.book(59_999.0, 60_001.0)
        it.trade()
        await until(lambda: it.of(Trade) and it.of(Quote))
        await it.seconds(300, step=2.5)
        assert S.STALE not in [status.state for status in it.told]
        assert it.feed.is_live
        looks = [call for call in it.exchange.wire if call.path.endswith(("aggTrades", "depth"))]
        assert 4 <= len(looks) <= 20


async def test_b1_a_market_that_sleeps_from_the_start_is_live() -> None:
    """A symbol in which nothing happens is told as REST has it, and is live, also after a reconnect: no storm."""

    async def before(it: World) -> None:
        it.book(59_999.0, 60_001.0)
        it.trade()
        await it.time.pass_(90)
        it.trade()
        await it.time.pass_(5)

    kinds = (trades(), quotes(), books(), bars(), bars(ETH, from_trades=True))
    async with world(kinds, before=before) as it:
        await it.subscribed(T, Q, C, "ethusdt@aggTrade")
        await it.seconds(60, step=1)
        assert it.feed.is_live
        it.exchange.hub.abort_all()
        await until(lambda: not it.feed.is_live)
        await it.seconds(90, step=1)
        assert it.feed.is_live
        assert it.feed.status().resets == 0
        assert S.STALE not in [status.state for status in it.told]
        assert [quote.bid for quote in it.of(Quote)] == [59_999.0]
        assert it.of(Book)[-1].bids[0] == (59_999.0, 1.0)
        assert [bar.volume for bar in it.of(Bar)] == [0.01, 0.0, 0.0]  # this venue has candles of nothing


@pytest.mark.parametrize(
    "body",
    ["{", '{"e":"aggTrade"', "[]", '{"e":"aggTrade","s":"BTCUSDT"}', '{"e":"aggTrade","s":"BTCUSDT","p":[]}'],
)
async def test_b2_a_malformed_frame_ends_no_stream(body: str) -> None:
    """B2: after a frame that cannot be parsed, or that no handler takes, the trades go on, and none is lost."""
    async with world([trades()]) as it:
        await it.subscribed(T)
        it.trade()
        await until(lambda: ids(it) == [1])
        it.strike(stream_faults.malformed("bad", "a bad frame", body=body, target=T))
        it.trade()
        it.trade()
        await it.seconds(16)
        it.trade()
        await until(lambda: ids(it)[-1:] == [4])
        assert ids(it) == [1, 2, 3, 4]


async def test_b10_a_book_is_unknown_after_a_gap_until_its_next_snapshot() -> None:
    """B10: after a missed change nobody gets the book until a whole one has come; an empty one tells so."""
    async with world([books()]) as it:
        it.book(59_999.0, 60_001.0)
        await it.subscribed(B)
        it.book(59_998.0, 60_001.0)
        it.streams.flush()
        await until(lambda: it.of(Book))
        it.strike(stream_faults.skipped("gap", "B10", "a change is left out", target=B))
        it.book(59_997.0, 60_001.0)
        it.streams.flush()
        it.book(59_996.0, 60_001.0)
        it.streams.flush()
        await until(lambda: it.of(Book)[-1].bids == ())
        known = len(it.of(Book))
        assert it.state(StreamKind.BOOKS) is not S.LIVE
        await it.seconds(3)
        it.book(59_995.0, 60_002.0)
        it.streams.flush()
        await until(lambda: it.of(Book)[-1].bids[:1] == ((59_995.0, 1.0),))
        assert all(book.bids[0][0] in {59_996.0, 59_995.0} for book in it.of(Book)[known:])
        assert it.state(StreamKind.BOOKS) is S.LIVE


def quote_with(**fields: str) -> Any:
    """A quote's frame with other figures in it."""
    return stream_faults.altered(
        "bad quote", "B11", "a quote is none", target=Q, change=lambda body: body.update(fields)
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"b": "60100"}, "crossed"),
        ({"b": "0"}, "empty"),  # which is what ccxt makes of it
        ({"a": "-1"}, "not positive"),
        ({"a": "NaN"}, "not finite"),
        ({"B": "Infinity"}, "not finite"),
    ],
)
async def test_b11_a_quote_that_is_none_is_refused_and_counted(fields: dict[str, str], reason: str) -> None:
    """B11: crossed, zero, negative and NaN quotes are counted by reason, and nobody gets them."""
    async with world([quotes()]) as it:
        await it.subscribed(Q)
        it.strike(quote_with(**fields))
        it.book(59_999.0, 60_001.0)
        await until(lambda: it.status(StreamKind.QUOTES).refused)
        assert it.status(StreamKind.QUOTES).refused == {reason: 1}
        it.book(59_998.0, 60_001.0)
        await until(lambda: it.of(Quote))
        assert [quote.bid for quote in it.of(Quote)] == [59_998.0]


@pytest.mark.parametrize("price", ["0", "-5", "NaN"])
async def test_b11_a_trade_at_no_price_is_refused(price: str) -> None:
    """B11: a trade at a price that is none is left out; those around it are told."""
    async with world([trades()]) as it:
        await it.subscribed(T)
        bad = stream_faults.altered(
            "bad", "B11", "a bad price", target=T, change=lambda body: body.update(p=price)
        )
        it.strike(bad, nth=2)
        for _ in range(3):
            it.trade()
        await until(lambda: len(ids(it)) == 2)
        assert ids(it) == [1, 3]
        assert sum(it.status().refused.values()) + it.public.client.faults == 1


async def test_b12_a_slow_consumer_gets_the_latest_quote_and_every_trade() -> None:
    """B12: while nobody takes events, quotes conflate, trades are not read, and none is lost in the end."""
    options = FeedOptions(stagger_s=0.0, capacity=50)
    async with world([trades(), quotes()], options=options) as it:
        await it.subscribed(T, Q)
        it.blocked = asyncio.Event()
        for number in range(400):
            it.trade(60_000.0 + number)
            it.book(59_000.0 + number, 61_000.0 + number)
            if number % 20 == 0:
                await rounds(200)
        await until(lambda: it.state() is S.BEHIND)
        assert it.feed.status().queued < 500
        it.blocked.set()
        await it.seconds(3)
        it.trade(70_000.0)
        await until(lambda: 401 in ids(it))
        assert ids(it) == list(range(1, 402))
        assert it.status(StreamKind.QUOTES).conflated > 0
        assert it.of(Quote)[-1].bid == 59_399.0


async def test_b12_a_burst_above_every_cache_loses_nothing() -> None:
    """B12: 30,000 trades in one go, thirty times what ccxt keeps by default, all come out."""
    async with world([trades()]) as it:
        await it.subscribed(T)
        for number in range(30_000):
            it.trade(60_000.0 + number % 100, 0.001)
        await until(lambda: len(it.of(Trade)) == 30_000, seconds=60)
        assert ids(it) == list(range(1, 30_001))


def refused_handshake(status: int, headers: dict[str, str]) -> RequestFault:
    """The exchange refuses websockets."""

    async def before(_: ScriptedFaults, call: Call) -> Reply | None:
        del call
        return Reply(status, "{}", headers)

    text = "handshakes of websockets are refused"
    return RequestFault(name="handshake-refused", number="B13", target="CONNECT stream", before=before, text=text)


async def test_b13_a_cut_of_all_sockets_is_no_storm() -> None:
    """B13: after all sockets end and handshakes are refused, streams come back staggered, and miss nothing."""
    async with world([trades(), trades(ETH), quotes()]) as it:
        await it.subscribed(T, Q, "ethusdt@aggTrade")
        it.trade()
        await until(lambda: ids(it) == [1])
        it.strike(refused_handshake(429, {"Retry-After": "5"}), times=6)
        it.time.sleeps.clear()
        it.exchange.hub.abort_all()
        it.trade()
        await until(lambda: it.state() is S.CONNECTING)
        await it.seconds(2)
        for _ in range(40):
            await it.seconds(3, step=1)
            if it.streams.subscribers(T) and it.streams.subscribers(Q):
                break
        it.trade()
        await until(lambda: ids(it) == [1, 2, 3])
        dials = [call for call in it.exchange.wire if call.kind == "connect"]
        assert len(dials) < 30
        waits = [seconds for seconds in it.time.sleeps if seconds != 0.5]
        assert len(set(waits)) == len(waits)  # no two streams come back at once


async def test_b14_each_symbol_has_its_own_liveness() -> None:
    """B14: a symbol whose subscription is not served is stale by itself, while the other is live."""
    async with world([trades(), trades(ETH)]) as it:
        await it.subscribed(T, "ethusdt@aggTrade")
        it.strike(stream_faults.not_served(), target="ethusdt@aggTrade", times=1)
        it.trade(3_000.0, symbol="ETHUSDT")
        for _ in range(12):
            it.trade()
            await it.seconds(1)
        states = [(status.symbol, status.state) for status in it.told]
        assert (ETH, S.STALE) not in states
        it.trade(3_001.0, symbol="ETHUSDT")
        for _ in range(5):
            it.trade()
            await it.seconds(1)
        stale = [status for status in it.told if status.state is S.STALE]
        assert {status.symbol for status in stale} == {ETH}
        await until(lambda: ids(it, ETH) == [1, 2])


@pytest.mark.parametrize(
    "body",
    ["\\u0000" * 8, "x" * 11_000_000, "[" * 100_000, '{"e":"aggTrade","s":' + "[" * 5_000 + "]" * 5_000 + "}"],
    ids=["control", "11 MiB", "deep", "deep object"],
)
async def test_b16_a_monstrous_frame_is_survived(body: str) -> None:
    """B16: a frame that is too large, too deep or no text at all ends at most its socket; no trade is lost."""
    async with world([trades()]) as it:
        await it.subscribed(T)
        it.trade()
        await until(lambda: ids(it) == [1])
        it.strike(stream_faults.malformed("monster", "a monstrous frame", body=body, target=T, number="B16"))
        it.trade()
        await it.seconds(20)
        await it.subscribed(T)
        it.trade()
        await until(lambda: ids(it)[-1:] == [3])
        assert ids(it) == [1, 2, 3]


async def test_b17_a_missing_candle_is_read() -> None:
    """B17: a candle that the stream leaves out is read over REST; bars come once each, closed, in order."""
    async with world([bars()]) as it:
        await it.subscribed(C)
        for minute in range(4):
            if minute == 1:
                it.strike(stream_faults.skipped("missing", "B17", "candles are left out", target=C), times=2)
            it.trade(60_000.0 + minute, 1.0)
            it.streams.flush()
            await it.seconds(60, step=2)
        await until(lambda: len(it.of(Bar)) >= 3)
        assert [bar.close for bar in it.of(Bar)][:3] == [60_000.0, 60_001.0, 60_002.0]


def candle(**fields: Any) -> Any:
    """A candle's frame with other figures."""
    return stream_faults.altered(
        "candle", "B17", "a candle is another", target=C, change=lambda body: body["k"].update(fields)
    )


async def test_b17_a_revised_or_misaligned_candle_changes_no_bar() -> None:
    """B17: what is told again after its bar is out is counted; a candle out of step is refused."""
    async with world([bars()]) as it:
        await it.subscribed(C)
        it.trade(60_000.0, 1.0)
        it.streams.flush()
        await it.seconds(60, step=2)
        it.trade(60_001.0, 1.0)
        it.streams.flush()
        await until(lambda: it.of(Bar))
        it.strike(candle(t=START_NS // 1_000_000 + 7))
        it.trade(60_002.0, 1.0)
        it.streams.flush()
        await until(lambda: it.status(StreamKind.BARS).refused)
        assert it.status(StreamKind.BARS).refused == {"misaligned": 1}
        assert [bar.close for bar in it.of(Bar)] == [60_000.0]


@pytest.mark.parametrize("shift_ms", [-3_600_000, 3_600_000, -400])
async def test_b18_times_never_go_back(shift_ms: int) -> None:
    """B18: a venue's time that is absurd is replaced by ours, and one that goes back by the one before it."""
    async with world([trades()]) as it:
        await it.subscribed(T)

        def change(body: dict[str, Any]) -> None:
            body["T"] += shift_ms

        it.strike(stream_faults.altered("skewed", "B18", "a time is wrong", target=T, change=change), nth=2)
        for _ in range(3):
            it.trade()
            await until(lambda: it.status().received)
            await it.time.pass_(0.1)
        await until(lambda: len(ids(it)) == 3)
        times = [trade.ts for trade in it.of(Trade)]
        assert times == sorted(times)
        assert all(0 <= ts - START_NS <= 300_000_000 for ts in times)
        assert ids(it) == [1, 2, 3]
