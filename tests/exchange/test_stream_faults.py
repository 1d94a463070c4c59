"""Faults of websockets, as the unmodified ccxt client meets them: shared/ccxt.md sections 4 and 6."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.exchange.rig import BTC, KEY, Rig, collect, raw, rig, settled, subscribed
from tradingd.testing.exchange import stream_faults
from tradingd.testing.exchange.model import Side

BRIEF = 0.2  # seconds in which something that must not come does not come


class Inbox:
    """One task per stream that only enqueues: ccxt's lost wake-ups do not blur what faults do."""

    def __init__(self, watch: Any) -> None:
        self.got: list[Any] = []
        self.error: BaseException | None = None
        self._watch = watch
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            while True:
                self.got += await self._watch()
        except ccxt.BaseError as error:
            self.error = error


@asynccontextmanager
async def fills(it: Rig) -> AsyncIterator[Inbox]:
    """What watch_my_trades tells, from when the user data is subscribed to."""
    inbox = Inbox(it.client.watch_my_trades)
    try:
        await settled(lambda: [one.account for one in it.exchange.hub.of("user")], lambda found: found == [KEY])
        yield inbox
    finally:
        inbox.task.cancel()


def print_trade(it: Rig) -> None:
    """One public trade, too small to empty a level."""
    it.source.take("BTCUSDT", Side.BUY, Decimal("0.00001"))


# -- user data
async def test_an_event_that_comes_twice_has_one_trade_id() -> None:
    """B8: the same trade is told twice, word for word."""
    async with rig() as it, raw_user(it) as seen:
        it.strike("duplicate-event", target="executionReport/TRADE")
        await it.take()
        trades = await settled(
            lambda: [event for event in seen if event.get("x") == "TRADE"], lambda got: len(got) > 1
        )
        assert trades[0] == trades[1]


async def test_an_event_that_is_dropped_is_in_the_history_only() -> None:
    """B5: the stream never tells of the fill, GET myTrades does."""
    async with rig() as it, fills(it) as inbox:
        it.strike(stream_faults.dropped(), target="executionReport/TRADE")
        await it.take()
        await it.take()
        got = await settled(lambda: inbox.got, bool)
        history = await it.client.fetch_my_trades(BTC)
        assert [trade["id"] for trade in got] == [trade["id"] for trade in history[1:]]


async def test_a_fill_is_told_before_the_order_that_it_fills() -> None:
    """B9: NEW comes after the two events that followed it, a balance and a fill."""
    async with rig() as it, raw_user(it) as seen:
        it.strike("reordered-events", target="executionReport/NEW")
        await it.take()
        kinds = await settled(lambda: [event.get("x") for event in seen], lambda found: "NEW" in found)
        assert kinds[1:3] == ["TRADE", "NEW"]


async def test_an_event_comes_three_too_late() -> None:
    """B9: what is kept back comes after three others."""
    async with rig() as it, raw_user(it) as seen:
        it.strike("delayed-event", target="executionReport/NEW")
        await it.take()
        await it.take()
        kinds = await settled(lambda: [event.get("x") for event in seen], lambda found: "NEW" in found[:4])
        assert kinds.index("NEW") == 3


async def test_a_fill_is_told_before_the_answer_to_its_order() -> None:
    """B9: while create_order still waits, the trade is there."""
    async with rig() as it, fills(it) as inbox:
        it.strike("fill-before-ack")
        taking = asyncio.ensure_future(it.take())
        await settled(lambda: inbox.got, bool)
        assert not taking.done()
        await taking


async def test_user_data_falls_silent_and_requests_are_answered() -> None:
    """B7: no event any more on that socket, and no error either; a new socket is served."""
    async with rig() as it, fills(it) as inbox:
        it.strike("silent-user-data")
        await it.take()
        assert await nothing(inbox)
        assert await it.client.fetch_balance_ws()
        await it.client.close()
        again = Inbox(it.client.watch_my_trades)
        await settled(lambda: [one.account for one in it.exchange.hub.of("user")], lambda found: found == [KEY])
        await it.take()
        assert await settled(lambda: again.got, bool)
        again.task.cancel()


async def test_user_data_that_is_ended_says_so() -> None:
    """B7: eventStreamTerminated, then nothing: watchers hang."""
    async with rig() as it, raw_user(it) as seen:
        it.strike("user-data-ended")
        await it.take()
        assert await settled(lambda: [event["e"] for event in seen], bool) == ["eventStreamTerminated"]


@pytest.mark.parametrize("name", ["user-bad-json", "user-bad-shape", "unknown-fee-coin"])
async def test_one_bad_event_reaches_the_client_as_it_is(name: str) -> None:
    """B2: what nobody expects is on the wire, next to what is true."""
    async with rig() as it, raw_user(it) as seen:
        it.strike(name, target="executionReport/TRADE")
        await it.take()
        told = await settled(lambda: seen, lambda found: any(event.get("X") == "FILLED" for event in found))
        odd = {"user-bad-json": {"e": "?"}, "user-bad-shape": {"e": "executionReport"}}.get(name)
        assert odd in told or any(event.get("N") == "ZZZ" for event in told)


async def test_two_faults_may_meet_in_one_frame() -> None:
    """B2: a frame that one fault has spoilt passes the next as it is; both are counted, the socket goes on."""
    async with rig() as it, collect(it, "btcusdt@bookTicker") as told:
        it.strike(stream_faults.malformed("odd", "", body="{}", target="*@bookTicker"))
        it.strike("crossed-quote")
        it.source.move("BTCUSDT", 5)
        await settled(lambda: told, lambda found: len(found) > 2)
        assert told[0] == {}
        assert it.faults.report() == {"odd": 1, "crossed-quote": 1}


# -- market data
@pytest.mark.parametrize("name", ["bad-json", "deep-json", "unknown-symbol"])
async def test_a_malformed_frame_is_followed_by_good_ones(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """B2, B16: after the bad frame the exchange goes on; whether the client does is the client's affair."""
    caplog.set_level(logging.CRITICAL)
    async with rig() as it, raw(it, "/ws/btcusdt@trade") as ws:
        await subscribed(it, "btcusdt@trade")
        it.strike(name)
        print_trade(it)
        bad, good = await ws.receive_str(), await ws.receive_json()
        assert bad == stream_body(name)
        assert good["s"] == "BTCUSDT"


async def test_one_malformed_frame_ends_ccxts_receiving_for_good() -> None:
    """B2: the client's receive loop dies, its socket stays open, later trades are not heard."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the JSON error is raised in a callback
    async with rig() as it:
        inbox = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.strike("bad-json")
        print_trade(it)
        print_trade(it)
        assert await nothing(inbox)
        assert it.streams.subscribers("btcusdt@trade") == 1
        inbox.task.cancel()


async def test_a_huge_frame_closes_the_clients_socket() -> None:
    """B16: more than 10 MiB is refused by the client, which loses that connection."""
    async with rig() as it:
        inbox = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.strike("huge-frame")
        print_trade(it)
        await settled(lambda: inbox.error, lambda error: isinstance(error, ccxt.NetworkError))


async def test_bytes_that_are_no_text_close_the_clients_socket() -> None:
    """B16: invalid UTF-8 in a text frame is a protocol error, which costs the client that connection."""
    async with rig() as it:
        inbox = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.strike("bad-utf8")
        print_trade(it)
        await settled(lambda: inbox.error, lambda error: isinstance(error, ccxt.NetworkError))


async def test_a_trade_without_its_fields_is_on_the_wire() -> None:
    """B2: valid JSON of the wrong shape comes before the true trade."""
    async with rig() as it, collect(it, "btcusdt@trade") as told:
        it.strike("bad-shape")
        print_trade(it)
        got = await settled(lambda: told, lambda found: len(found) == 2)
        assert got[0] == {"e": "trade", "s": "BTCUSDT"}


async def test_a_silent_stream_still_answers_pings() -> None:
    """B1: no data, but pongs: nothing in the protocol tells."""
    async with rig() as it, raw(it, "/ws/btcusdt@trade", autoping=False) as ws:
        await subscribed(it, "btcusdt@trade")
        it.strike("silent-stream")
        print_trade(it)
        print_trade(it)
        await ws.ping(b"there?")
        message = await ws.receive(timeout=2)
        assert message.data == b"there?"


async def test_a_half_open_socket_answers_nothing() -> None:
    """B1: ccxt's keep-alive finds out, after it has missed its pongs."""
    async with rig() as it:
        it.client.options["ws"] = {"cost": 5, "keepAlive": 100}
        inbox = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.strike("half-open")
        print_trade(it)
        await settled(lambda: inbox.error, lambda error: isinstance(error, ccxt.RequestTimeout))


async def test_one_subscription_is_lost_and_its_neighbour_is_served() -> None:
    """B14: of two streams on one socket one is told."""
    async with rig() as it, collect(it, "btcusdt@trade", "ethusdt@trade") as told:
        it.strike("subscription-lost", target="btcusdt@trade")
        for _ in range(3):
            print_trade(it)
        it.source.take("ETHUSDT", Side.BUY, Decimal("0.001"))
        await settled(lambda: told, bool)
        assert [frame["stream"] for frame in told] == ["ethusdt@trade"]


async def test_a_disconnect_raises_in_the_watcher_and_the_next_watch_dials() -> None:
    """B6: NetworkError; what happened meanwhile is not replayed."""
    async with rig() as it:
        inbox = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.strike("disconnect")
        print_trade(it)
        await settled(lambda: inbox.error, lambda error: isinstance(error, ccxt.NetworkError))
        print_trade(it)
        it.client.ws_dial_backoff.clear()
        again = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        print_trade(it)
        got = await settled(lambda: again.got, bool)
        assert [trade["id"] for trade in got] == [str(it.engine.public_trades("BTCUSDT")[-1].id)]
        again.task.cancel()


async def test_all_sockets_end_at_once() -> None:
    """B13: user data and market data are cut together."""
    async with rig() as it, fills(it) as inbox:
        market = Inbox(lambda: it.client.watch_trades(BTC))
        await subscribed(it, "btcusdt@trade")
        it.strike("all-disconnected")
        await it.buy()
        await settled(lambda: (inbox.error, market.error), all)


async def test_a_handshake_is_refused_with_429() -> None:
    """B13: who dials too often is told to wait."""
    async with rig() as it:
        it.strike("handshake-429")
        with pytest.raises(ccxt.NetworkError, match="429"):
            await it.client.watch_trades(BTC)


async def test_a_gap_in_depth_is_a_checksum_error_to_ccxt() -> None:
    """B10: the watcher gets ChecksumError, the next watch gets a new snapshot."""
    async with rig() as it:
        await it.client.watch_order_book(BTC)
        watching = asyncio.ensure_future(it.client.watch_order_book(BTC))
        await moved(it)
        await watching
        it.strike("depth-gap")
        watching = asyncio.ensure_future(it.client.watch_order_book(BTC))
        await moved(it)
        await moved(it)
        with pytest.raises(ccxt.ChecksumError):
            await watching
        book = await it.client.watch_order_book(BTC)
        assert book["bids"][0][0] == float(it.engine.depth("BTCUSDT")[1][0][0])


@pytest.mark.parametrize(
    ("name", "stream", "field", "value"),
    [
        ("zero-quote", "btcusdt@bookTicker", "b", "0"),
        ("nan-quote", "btcusdt@bookTicker", "a", "NaN"),
        ("zero-trade", "btcusdt@trade", "p", "0"),
    ],
)
async def test_a_figure_that_cannot_be(name: str, stream: str, field: str, value: str) -> None:
    """B11: prices of zero and NaN are on the wire."""
    async with rig() as it, collect(it, stream) as told:
        it.strike(name)
        it.source.move("BTCUSDT", 5)
        print_trade(it)
        await settled(lambda: told, bool)
        assert told[0]["data"][field] == value


async def test_a_quote_is_crossed() -> None:
    """B11: the bid is above the ask."""
    async with rig() as it, collect(it, "btcusdt@bookTicker") as told:
        it.strike("crossed-quote")
        it.source.move("BTCUSDT", 5)
        await settled(lambda: told, bool)
        assert Decimal(told[0]["data"]["b"]) > Decimal(told[0]["data"]["a"])


async def test_a_trades_time_goes_back() -> None:
    """B18: an hour earlier than the one before."""
    async with rig() as it, collect(it, "btcusdt@aggTrade") as told:
        it.strike("time-goes-back", nth=2)
        print_trade(it)
        print_trade(it)
        await settled(lambda: told, lambda found: len(found) == 2)
        assert told[0]["data"]["T"] - told[1]["data"]["T"] > 3_500_000


async def test_candles_are_missing_revised_and_repeated() -> None:
    """B17: of three updates the first does not come, the second has another close, the third comes twice."""
    async with rig(frozen=True) as it, collect(it, "btcusdt@kline_1m") as told:
        it.strike("missing-candle")
        it.strike("revised-candle", nth=2)
        it.strike("repeated-candle", nth=3)
        for ticks in (50, 50, 50):
            it.source.move("BTCUSDT", ticks)
            print_trade(it)
            it.streams.flush()
        await settled(lambda: told, lambda found: len(found) == 3)
        candles = [frame["data"]["k"] for frame in told]
        assert [candle["n"] for candle in candles] == [2, 3, 3]
        assert candles[0]["c"] == candles[0]["l"]


async def moved(it: Rig) -> None:
    """The book moves, and the depth stream tells."""
    it.source.move("BTCUSDT", 3)
    it.streams.flush()


async def nothing(inbox: Inbox) -> bool:
    """Whether nothing comes for a while."""
    try:
        await settled(lambda: inbox.got, bool, seconds=BRIEF)
    except TimeoutError:
        return True
    return False


def stream_body(name: str) -> str:
    """The text that a fault of malformed frames sends."""
    return {
        "bad-json": '{"e":"trade","s":',
        "deep-json": "[" * 100_000,
        "unknown-symbol": '{"e":"trade","s":"ZZZYYY","t":1,"p":"1","q":"1","T":1,"m":true}',
    }[name]


@asynccontextmanager
async def raw_user(it: Rig) -> AsyncIterator[list[dict[str, Any]]]:
    """The events of user data as they are on the wire; one that is no JSON is {"e": "?"}."""
    seen: list[dict[str, Any]] = []

    async def read(ws: Any) -> None:
        async for message in ws:
            try:
                event = message.json().get("event")
            except ValueError:
                event = {"e": "?"}
            if event:
                seen.append(event)

    request = it.client.sign_params({"apiKey": KEY})
    async with raw(it, "/ws-api/v3") as ws:
        await ws.send_json({"id": 1, "method": "userDataStream.subscribe.signature", "params": request})
        reading = asyncio.ensure_future(read(ws))
        await settled(lambda: [one.account for one in it.exchange.hub.of("user")], lambda found: found == [KEY])
        try:
            yield seen
        finally:
            reading.cancel()
