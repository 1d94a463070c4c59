"""Market streams, as the unmodified ccxt client sees them."""

import asyncio
from decimal import Decimal
from itertools import pairwise

from tests.exchange.rig import BTC, collect, raw, rig, settled, subscribed
from tradingd.testing.exchange.model import MarketSpec, Side


async def test_trades_arrive_with_price_amount_side_and_id() -> None:
    """watch_trades tells each public trade once, with the taker's side."""
    async with rig() as it:
        watching = asyncio.ensure_future(it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.source.take("BTCUSDT", Side.SELL, Decimal("0.00005"))
        (trade,) = await watching
        told = it.engine.public_trades("BTCUSDT")[-1]
        assert (trade["id"], trade["side"], trade["amount"]) == (str(told.id), "sell", 0.00005)
        assert Decimal(str(trade["price"])) == told.price


async def test_aggregated_trades_have_the_ids_of_rest() -> None:
    """The aggTrade stream and GET aggTrades tell the same trades by the same ids."""
    async with rig() as it:
        watching = asyncio.ensure_future(it.client.watch_trades(BTC, params={"name": "aggTrade"}))
        await subscribed(it, "btcusdt@aggTrade")
        it.source.take("BTCUSDT", Side.BUY, Decimal("0.00005"))
        (trade,) = await watching
        history = await it.client.fetch_trades(BTC)
        assert history[-1]["id"] == trade["id"]
        assert history[-1]["price"] == trade["price"]


async def test_best_bid_and_ask_follow_the_book() -> None:
    """watch_bids_asks tells the best prices and sizes that the engine has."""
    async with rig() as it:
        watching = asyncio.ensure_future(it.client.watch_bids_asks([BTC]))
        await subscribed(it, "btcusdt@bookTicker")
        it.source.move("BTCUSDT", 5)
        await watching
        _, bids, asks = it.engine.depth("BTCUSDT")
        quote = await settled(lambda: it.client.bidsasks[BTC], lambda found: found["bid"] == float(bids[0][0]))
        assert (quote["ask"], quote["askVolume"]) == (float(asks[0][0]), float(asks[0][1]))


async def test_the_order_book_is_the_engines_after_many_changes() -> None:
    """Snapshot and depth updates join without a gap, and the client's book is the engine's."""
    async with rig() as it:
        await it.client.watch_order_book(BTC)
        for _ in range(5):
            watching = asyncio.ensure_future(it.client.watch_order_book(BTC))
            it.source.step(50)
            it.streams.flush()
            await watching
        _, bids, asks = it.engine.depth("BTCUSDT")
        book = it.client.orderbooks[BTC]
        assert [tuple(map(float, level)) for level in bids] == [
            tuple(level) for level in book["bids"][: len(bids)]
        ]
        assert [tuple(map(float, level)) for level in asks] == [
            tuple(level) for level in book["asks"][: len(asks)]
        ]


async def test_a_candle_grows_with_its_trades() -> None:
    """watch_ohlcv tells open, high, low, close and volume of the trades of its minute."""
    async with rig(frozen=True) as it:
        watching = asyncio.ensure_future(it.client.watch_ohlcv(BTC, "1m"))
        await subscribed(it, "btcusdt@kline_1m")
        it.source.step(200)
        it.streams.flush()
        (candle,) = (await watching)[-1:]
        rest = await it.client.fetch_ohlcv(BTC, "1m")
        assert candle == rest[-1]


async def test_there_is_a_history_to_warm_up_with() -> None:
    """fetch_ohlcv has two weeks from before the exchange began, without a gap, up to the candle that grows."""
    async with rig(frozen=True) as it:
        watching = asyncio.ensure_future(it.client.watch_ohlcv(BTC, "1h"))
        await subscribed(it, "btcusdt@kline_1h")
        it.source.take("BTCUSDT", Side.BUY, Decimal("0.01"))
        it.streams.flush()
        told = (await watching)[-1]
        hours = await it.client.fetch_ohlcv(BTC, "1h", limit=300)
        assert [later[0] - hour[0] for hour, later in pairwise(hours)] == [3_600_000] * 299
        assert hours[-1] == told
        assert all(later[1] == hour[4] for hour, later in pairwise(hours[:-1]))


async def test_a_candle_is_told_closed_once_at_its_end() -> None:
    """The last message of a candle has the closed flag, and the next candle opens at its close."""
    async with rig(frozen=True) as it, collect(it, "btcusdt@kline_1s") as told:
        it.source.take("BTCUSDT", Side.BUY, Decimal("0.01"))
        it.streams.flush()
        it.exchange.skew_ms += 2_000
        it.streams.flush()
        await settled(lambda: told, lambda found: sum(frame["data"]["k"]["x"] for frame in found) == 2)
        closed = [frame["data"]["k"] for frame in told if frame["data"]["k"]["x"]]
        assert closed[1]["t"] - closed[0]["t"] == 1_000
        assert (closed[1]["o"], closed[1]["v"]) == (closed[0]["c"], "0.00000000")


async def test_a_ticker_tells_the_day_and_the_best_prices() -> None:
    """watch_ticker with the full ticker has last, volume, bid and ask."""
    async with rig() as it:
        watching = asyncio.ensure_future(it.client.watch_ticker(BTC, {"name": "ticker"}))
        await subscribed(it, "btcusdt@ticker")
        it.source.step(100)
        it.streams.flush()
        ticker = await watching
        assert ticker["last"] == float(it.engine.last_price("BTCUSDT") or 0)
        assert 0 < ticker["bid"] < ticker["ask"]


async def test_small_tickers_of_all_markets_come_as_one_message() -> None:
    """watch_tickers without symbols gets an array of those that traded."""
    async with rig() as it:
        watching = asyncio.ensure_future(it.client.watch_tickers(params={"name": "miniTicker"}))
        await subscribed(it, "!miniTicker@arr")
        it.source.take("BTCUSDT", Side.BUY, Decimal("0.01"))
        it.source.take("ETHUSDT", Side.BUY, Decimal("0.1"))
        it.streams.flush()
        assert set(await watching) == {BTC, "ETH/USDT"}


async def test_what_is_unsubscribed_is_told_no_more() -> None:
    """UNSUBSCRIBE ends one stream of a socket; LIST_SUBSCRIPTIONS tells the rest."""
    async with rig() as it, raw(it, "/ws/btcusdt@trade") as ws:
        await subscribed(it, "btcusdt@trade")
        await ws.send_json({"method": "SUBSCRIBE", "params": ["ethusdt@trade"], "id": 1})
        await ws.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
        answers = [await ws.receive_json() for _ in range(3)]
        assert answers[2] == {"result": ["ethusdt@trade"], "id": 3}
        it.source.take("BTCUSDT", Side.BUY, Decimal("0.01"))
        it.source.take("ETHUSDT", Side.BUY, Decimal("0.1"))
        assert (await ws.receive_json())["s"] == "ETHUSDT"


async def test_a_combined_stream_names_each_message() -> None:
    """/stream?streams= wraps what it tells into {"stream", "data"}."""
    async with rig() as it, raw(it, "/stream?streams=btcusdt@trade/ethusdt@trade") as ws:
        await subscribed(it, "ethusdt@trade")
        it.source.take("ETHUSDT", Side.BUY, Decimal("0.1"))
        told = await ws.receive_json()
        assert (told["stream"], told["data"]["s"]) == ("ethusdt@trade", "ETHUSDT")


async def test_a_book_of_five_levels_is_told_whole() -> None:
    """@depth5 tells the five best levels of each side with the id of the last change."""
    async with rig() as it, collect(it, "btcusdt@depth5@100ms") as told:
        it.source.move("BTCUSDT", 3)
        it.streams.flush()
        await settled(lambda: told, bool)
        last, bids, _ = it.engine.depth("BTCUSDT")
        assert told[0]["data"]["lastUpdateId"] == last
        assert [Decimal(price) for price, _ in told[0]["data"]["bids"]] == [price for price, _ in bids[:5]]


async def test_a_command_that_is_none_is_refused_and_the_socket_lives() -> None:
    """What cannot be read is answered with an error; the next command is heard."""
    async with rig() as it, raw(it, "/ws") as ws:
        await ws.send_str("nonsense")
        await ws.send_json({"method": "FLY", "id": 1})
        await ws.send_json({"method": "SUBSCRIBE", "params": [], "id": 2})
        assert (await ws.receive_json())["code"] == 2
        assert (await ws.receive_json())["error"]["code"] == 2
        assert await ws.receive_json() == {"result": None, "id": 2}


async def test_a_client_that_is_gone_is_forgotten() -> None:
    """After its socket ends a client has no subscriptions and costs nothing."""
    async with rig() as it:
        async with raw(it, "/ws/btcusdt@trade"):
            await subscribed(it, "btcusdt@trade")
        await settled(lambda: it.exchange.hub.open, lambda found: not found)
        assert it.streams.subscribers("btcusdt@trade") == 0


async def test_many_markets_are_told_at_once() -> None:
    """One source makes forty markets, and each of them reaches its stream."""
    symbols = [f"C{number}USDT" for number in range(40)]
    markets = [MarketSpec(symbol, symbol[:-4], "USDT") for symbol in ("BTCUSDT", "ETHUSDT", *symbols)]
    async with rig(markets) as it, collect(it, *(f"{symbol.lower()}@trade" for symbol in symbols)) as told:
        for symbol in symbols:
            it.engine.house_print(symbol, Side.BUY, Decimal(10), Decimal(1))
        await settled(lambda: told, lambda found: len(found) == 40)
        assert {frame["data"]["s"] for frame in told} == set(symbols)
