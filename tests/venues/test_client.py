"""One connection: what is refused, what is told, and what never leaves."""

import asyncio
import gc
import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.venues.world import (
    KEY,
    KEYS,
    NOW_MS,
    PASSPHRASE,
    SECRET,
    SYMBOL,
    Venue,
    accepted,
    account_on,
    hang_up,
    public_side,
    serving,
    submit,
    truncated,
)
from tradingd.errors import (
    ConfigError,
    DuplicateOrderError,
    RateLimitedError,
    TradingdError,
    VenueAuthError,
    VenueRefusedError,
    VenueUnavailableError,
)
from tradingd.venues.account import make_account
from tradingd.venues.guarded import StreamFault
from tradingd.venues.model import Lane, OrderRef
from tradingd.venues.origins import Origins
from tradingd.venues.public import make_public
from tradingd.venues.settings import VenueSettings


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """A server that speaks as a test tells it."""
    async with serving(Venue()) as server:
        yield server


def loopback(venue: Venue, **changes: Any) -> VenueSettings:
    """Settings of an account on `venue`."""
    return VenueSettings("acc", "binance", "loopback", venue.url, **changes)


def label(answer: Any) -> str:
    """A name for an answer that is the same in each process."""
    return answer.__name__ if callable(answer) else str(answer)


GARBAGE = [
    (200, "<html>cf</html>"),
    (200, ""),
    (200, '{"orderId":'),
    (200, '"ok"'),
    (200, "{}"),
    (555, "<p>"),
    (200, "[]"),
]


@pytest.mark.parametrize(
    "answer", [*GARBAGE, hang_up, truncated, (502, "<html>"), (403, "<html>WAF</html>")], ids=label
)
async def test_a_create_that_is_answered_with_garbage_is_unknown(venue: Venue, answer: Any) -> None:
    """The order may exist: nothing else is said, and it is sent once."""
    venue.tell("POST", "/order", answer)
    async with account_on(venue) as account:
        with pytest.raises(VenueUnavailableError):
            await account.create_order(submit())
    assert len(venue.calls("/order")) == 1


@pytest.mark.parametrize("answer", [*GARBAGE[:5], (200, '{"msg":"x"}'), (200, '["a","b"]'), hang_up], ids=label)
@pytest.mark.parametrize("read", ["openOrders", "account", "myTrades"])
async def test_a_read_that_is_answered_with_garbage_is_never_none(venue: Venue, answer: Any, read: str) -> None:
    """Ccxt makes an empty list or balance of it."""
    venue.tell("GET", f"/{read}", answer)
    async with account_on(venue) as account:
        calls = {
            "openOrders": lambda: account.fetch_open_orders(SYMBOL),
            "account": account.fetch_balances,
            "myTrades": lambda: account.fetch_trades(SYMBOL, 0),
        }
        with pytest.raises(VenueUnavailableError):
            await calls[read]()


async def test_a_time_out_is_unknown(venue: Venue) -> None:
    """A late answer is none."""
    venue.tell("POST", "/order", venue.never)
    async with account_on(venue, loopback(venue, order_timeout_s=0.05)) as account:
        with pytest.raises(VenueUnavailableError, match="RequestTimeout"):
            await account.create_order(submit())


async def test_an_order_that_cannot_have_left_is_refused(venue: Venue) -> None:
    """Where no connection could be made there is nothing to look for."""
    async with account_on(venue) as account:
        async with serving(Venue()) as other:
            gone = other.url
        account.orders.ccxt.urls["api"]["private"] = f"{gone}/api/v3"
        account.orders._guard.origins = Origins(frozenset({("http", gone[7:])}), frozenset())
        with pytest.raises(VenueRefusedError) as caught:
            await account.create_order(submit())
        assert caught.value.code == "NOT_SENT"


@pytest.mark.parametrize(
    ("status", "code", "msg", "kind"),
    [
        (400, -2010, "Account has insufficient balance for requested action.", VenueRefusedError),
        (400, -2010, "Duplicate order sent.", DuplicateOrderError),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", VenueAuthError),
        (429, -1003, "Too much request weight used", VenueRefusedError),
        (418, -1003, "Way too much request weight used", RateLimitedError),
        (503, -1008, "Server is overloaded", VenueUnavailableError),
    ],
)
async def test_what_a_refusal_is(
    venue: Venue, status: int, code: int, msg: str, kind: type[TradingdError]
) -> None:
    """By the venue's own code; the message has the venue's own words."""
    venue.tell("POST", "/order", (status, f'{{"code":{code},"msg":"{msg}"}}'))
    async with account_on(venue) as account:
        with pytest.raises(TradingdError, match=msg) as caught:
            await account.create_order(submit())
    assert type(caught.value) is kind


async def test_a_refused_key_is_told_as_such_after_a_login(venue: Venue) -> None:
    """Ccxt calls -2015 a protection from floods once it has worked before."""
    venue.tell("GET", "/account", {"balances": []}, (401, '{"code":-2015,"msg":"Invalid API-key"}'))
    async with account_on(venue) as account:
        assert await account.fetch_balances() == []
        with pytest.raises(VenueAuthError):
            await account.fetch_balances()


async def test_retry_after_holds_for_all_connections_of_the_account(venue: Venue) -> None:
    """A 429 to the market side stops orders too, and an order that then did not leave is known not to have."""
    venue.tell("GET", "/depth", (429, '{"code":-1003,"msg":"slow"}', {"Retry-After": "30"}))
    async with account_on(venue) as account:
        with pytest.raises(RateLimitedError) as caught:
            await account.public.client.call("fetch_order_book", SYMBOL, lane=Lane.MARKET)
        assert caught.value.retry_after_s == pytest.approx(30, abs=1)
        with pytest.raises(VenueRefusedError) as refused:
            await account.create_order(submit())
        assert refused.value.code == "NOT_SENT"
        with pytest.raises(RateLimitedError):
            await account.fetch_open_orders(SYMBOL)
    assert venue.calls("/order") == venue.calls("/openOrders") == []


async def test_an_order_that_waits_long_for_its_turn_is_not_sent(venue: Venue) -> None:
    """What it was decided on is old when the budget lets it through: it is known not to have left, at once."""
    venue.tell("POST", "/order", accepted())
    async with account_on(venue, loopback(venue, order_timeout_s=0.05)) as account:
        budget = account.public.client.budget
        budget.allowance.spend(budget.allowance.capacity, 1e12)  # used up, and no window ends
        with pytest.raises(VenueRefusedError, match="turn did not come") as caught:
            await account.create_order(submit())
        assert caught.value.code == "NOT_SENT"
    assert not venue.calls("/order")


async def test_streams_are_reset_although_the_other_end_does_not_answer(venue: Venue) -> None:
    """A socket that is half open never says goodbye, and nobody can be kept waiting for it."""
    dialed = asyncio.Event()

    async def deaf(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        dialed.set()
        await venue.over.wait()
        return socket

    venue.tell("GET", "/ws/0", deaf)
    async with public_side(loopback(venue)) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await dialed.wait()
        async with asyncio.timeout(5):
            await public.client.reset_streams()
        with pytest.raises(VenueUnavailableError):
            await watching


async def test_a_redirect_is_not_followed(venue: Venue) -> None:
    """It would carry the key elsewhere, and could send an order twice."""
    venue.tell("POST", "/order", (307, "", {"Location": f"{venue.url}/elsewhere"}))
    async with account_on(venue) as account:
        with pytest.raises(VenueUnavailableError):
            await account.create_order(submit())
    assert not venue.calls("/elsewhere")


async def test_nothing_is_sent_to_a_host_that_is_not_on_the_list(venue: Venue) -> None:
    """Not even where an address was changed after the start."""
    async with account_on(venue) as account:
        account.orders.ccxt.urls["api"]["private"] = "http://127.0.0.1:9/api/v3"
        with pytest.raises(VenueRefusedError, match="allow-list") as caught:
            await account.create_order(submit())
        assert caught.value.code == "NOT_SENT"


async def test_the_loopback_environment_reaches_no_real_host(venue: Venue) -> None:
    """What has no address on the loopback is moved to where nothing is served."""
    async with public_side(loopback(venue)) as public:
        assert {host for _, host in public.client._guard.origins.exact} == {venue.url[7:]}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (VenueSettings("acc", "binance", "production", "http://127.0.0.1:1"), "loopback environment only"),
        (VenueSettings("acc", "binance", "loopback", "http://example.com:1"), "127.0.0.1"),
        (VenueSettings("acc", "binance", "loopback"), "127.0.0.1 only"),
        (VenueSettings("acc", "okx", "demo"), "no demo environment"),
        (VenueSettings("acc", "binanse"), "do you mean binance"),
    ],
)
async def test_settings_that_do_not_fit(settings: VenueSettings, says: str) -> None:
    """Each is refused with what to do."""
    with pytest.raises(ConfigError, match=says):
        make_public(settings)


@pytest.mark.parametrize("environment", ["production", "sandbox", "demo"])
async def test_an_environment_keeps_to_its_own_hosts(environment: Any) -> None:
    """The sandbox cannot reach the real exchange, nor the other way round."""
    origins = make_public(VenueSettings("acc", "binance", environment)).client._guard.origins
    assert origins.allows("https://api.binance.com/api/v3/order") is (environment == "production")
    assert origins.allows("https://testnet.binance.vision/api/v3/order") is (environment == "sandbox")
    assert not origins.allows("http://api.binance.com/api/v3/order")
    assert not origins.allows("https://api.binance.com.evil.example/api/v3/order")


@pytest.mark.parametrize(
    ("options", "attributes", "says"),
    [
        ({"maxRetriesOnFailure": 2}, {}, "sent twice"),
        ({}, {"verbose": True}, "prints keys"),
        ({}, {"number": float}, "not be exact"),
        ({"recvWindow": 60_000}, {}, "recvWindow"),
        ({}, {"timeout": 20_000}, "timeout"),
        ({}, {"enableRateLimit": False}, "limits"),
    ],
)
async def test_settings_of_ccxt_are_asserted(
    venue: Venue, options: dict[str, Any], attributes: dict[str, Any], says: str
) -> None:
    """Whatever changed them, the account does not open."""
    async with account_on(venue) as account:
        account.orders.ccxt.options.update(options)
        for name, value in attributes.items():
            setattr(account.orders.ccxt, name, value)
        with pytest.raises(ConfigError, match=says):
            await account.open()


async def test_the_users_options_cannot_undo_what_is_asserted(venue: Venue) -> None:
    """A retry that is configured stays off."""
    async with account_on(
        venue, loopback(venue, options={"maxRetriesOnFailure": 3, "recvWindow": 60_000})
    ) as account:
        assert account.orders.ccxt.options["maxRetriesOnFailure"] == 0
        assert account.orders.ccxt.options["recvWindow"] == 5_000


async def test_what_is_handed_out_is_a_copy(venue: Venue) -> None:
    """Ccxt goes on changing its own."""
    async with public_side(loopback(venue)) as public:
        markets = await public.client.call("load_markets", lane=Lane.MARKET)
        markets[SYMBOL]["precision"]["price"] = "7"
        assert public.client.ccxt.markets[SYMBOL]["precision"]["price"] == "0.01"


async def test_keys_are_in_no_error_repr_or_log(venue: Venue, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a venue answers, and however much is logged."""
    caplog.set_level(logging.DEBUG)
    echo = f'{{"code":-1,"msg":"bad signature for {KEY} {SECRET} {PASSPHRASE}"}}'
    texts = []
    async with account_on(venue) as account:
        for answer in (hang_up, truncated, (500, echo), (400, echo), (200, f"<html>{KEY}</html>"), (401, echo)):
            venue.tell("POST", "/order", answer)
            venue.tell("GET", "/account", answer)
            for call in (lambda: account.create_order(submit()), account.fetch_balances):
                with pytest.raises(TradingdError) as caught:
                    await call()
                texts += traceback.format_exception(caught.value, chain=True)
                assert caught.value.__context__ is None
        texts += [
            repr(account),
            repr(account.orders),
            repr(account.orders.__dict__),
            str(account.public),
            caplog.text,
        ]
    for text in texts:
        assert not any(secret in text for secret in (KEY, SECRET, PASSPHRASE, "signature=")), text


# --- streams -------------------------------------------------------------------------------------------------


def trade_frame(trade_id: int) -> str:
    """A trade as Binance's stream tells it."""
    return (
        f'{{"e":"aggTrade","E":{NOW_MS},"s":"BTCUSDT","a":{trade_id},"p":"100.01","q":"0.5",'
        f'"f":1,"l":1,"T":{NOW_MS},"m":true,"M":true}}'
    )


class Streams:
    """A stream of Binance's that sends what it is given."""

    def __init__(self, venue: Venue) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.subscribed = asyncio.Event()
        for stream in range(9):
            venue.tell("GET", f"/stream/ws/{stream}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            await socket.send_json({"result": None, "id": message.json()["id"]})
            self.subscribed.set()
        return socket

    async def send(self, *frames: str) -> None:
        await self.subscribed.wait()
        for frame in frames:
            await self.sockets[-1].send_str(frame)


@pytest.mark.parametrize(
    "frame", ["{not json", '{"e":"aggTrade","s":"BTCUSDT","p":{}}', '{"e":"aggTrade","T":"x"}', "[[["]
)
async def test_a_bad_frame_does_not_end_a_stream(venue: Venue, frame: str) -> None:
    """It is counted and kept; the next good one is told."""
    streams, faults = Streams(venue), list[StreamFault]()
    async with public_side(loopback(venue), on_fault=faults.append) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.send(frame, trade_frame(7))
        trades = await watching
        while all(trade["id"] != "7" for trade in trades):
            trades = await public.client.watch("watch_trades", SYMBOL)
        assert public.client.faults == len(faults)


async def test_what_came_while_nobody_awaited_is_told_at_once(venue: Venue) -> None:
    """Ccxt would tell it with the next event only, which may never come."""
    streams = Streams(venue)
    async with public_side(loopback(venue)) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.send(trade_frame(1), trade_frame(2))
        seen = [trade["id"] for trade in await watching]
        await public.client.call("fetch_time", lane=Lane.MARKET)  # the second frame comes meanwhile
        if "2" not in seen:
            async with asyncio.timeout(5):
                seen += [trade["id"] for trade in await public.client.watch("watch_trades", SYMBOL)]
        assert seen == ["1", "2"]


async def test_malformed_frames_are_counted_and_kept(venue: Venue) -> None:
    """An operator can see what came."""
    streams = Streams(venue)
    async with public_side(loopback(venue)) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.send("{not json", trade_frame(7))
        await watching
        assert public.client.faults == 1
        assert public.client.last_fault is not None
        assert public.client.last_fault.frame == "{not json"


async def test_trades_are_handed_over_once_and_not_kept(venue: Venue) -> None:
    """Memory does not grow with the trades that were seen."""
    streams = Streams(venue)
    async with public_side(loopback(venue)) as public:
        seen: list[str] = []
        await asyncio.gather(
            streams.send(*(trade_frame(number) for number in range(3_000))), self_watch(public.client, seen, 3_000)
        )
        assert sorted(map(int, seen)) == list(range(3_000))
        assert not public.client.ccxt.trades[SYMBOL]


async def self_watch(client: Any, seen: list[str], count: int) -> None:
    """Take trades until `count` have come."""
    while len(seen) < count:
        seen += await client.watch("watch_trades", SYMBOL, pick=lambda trades: [trade["id"] for trade in trades])


async def test_a_reset_wakes_who_waits_and_the_next_watch_dials(venue: Venue) -> None:
    """Even where the socket is open and silent."""
    streams = Streams(venue)
    async with public_side(loopback(venue)) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.subscribed.wait()
        streams.subscribed.clear()
        await public.client.reset_streams()
        with pytest.raises(VenueUnavailableError):
            await watching
        again = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.send(trade_frame(8))
        assert (await again)[0]["id"] == "8"
        assert len(streams.sockets) == 2


async def test_a_reset_leaves_no_failure_that_nobody_retrieves(venue: Venue) -> None:
    """Most of the futures of a socket are awaited by nobody any more: asyncio would print each of them."""
    streams, printed = Streams(venue), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: printed.append(context))
    async with public_side(loopback(venue)) as public:
        for method in ("watch_trades", "watch_order_book"):
            watching = asyncio.create_task(public.client.watch(method, SYMBOL))
            await streams.subscribed.wait()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            streams.subscribed.clear()
        for connection in public.client.ccxt.clients.values():
            connection.future("left behind")
        del connection
        await public.client.reset_streams()
        gc.collect()
        assert printed == []


async def test_who_waits_when_the_connection_is_closed_is_told(venue: Venue) -> None:
    """Closing is no cancellation of the task that waits."""
    streams = Streams(venue)
    async with public_side(loopback(venue)) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.subscribed.wait()
        await public.client.close()
        with pytest.raises(VenueUnavailableError):
            await watching


async def test_a_watch_that_is_canceled_is_canceled(venue: Venue) -> None:
    """A task's own end is not taken for the venue's."""
    streams = Streams(venue)
    async with public_side(loopback(venue)) as public:
        watching = asyncio.create_task(public.client.watch("watch_trades", SYMBOL))
        await streams.subscribed.wait()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching


async def test_a_refused_handshake_tells_how_long_to_wait(venue: Venue) -> None:
    """A storm of reconnects is answered with 429."""
    venue.tell("GET", "/stream/ws/0", (429, "", {"Retry-After": "9"}))
    async with public_side(loopback(venue)) as public:
        with pytest.raises(RateLimitedError) as caught:
            await public.client.watch("watch_trades", SYMBOL)
    assert caught.value.retry_after_s == 9


async def test_a_symbol_that_is_not_there_is_refused_before_anything_is_sent(venue: Venue) -> None:
    """There is nothing to wait for."""
    async with public_side(loopback(venue)) as public:
        with pytest.raises(VenueRefusedError) as caught:
            await public.client.watch("watch_trades", "NO/SUCH")
    assert caught.value.code == "NOT_SENT"


async def test_a_fee_coin_that_ccxt_does_not_know_ends_no_stream(venue: Venue) -> None:
    """Ccxt looks up its precision."""
    async with account_on(venue) as account:
        assert account.orders.ccxt.currency_to_precision("BNB", "0.00012") == "0.00012"


async def test_a_session_from_outside_stays_open(venue: Venue) -> None:
    """Who made it closes it."""
    async with aiohttp.ClientSession() as session:
        async with public_side(loopback(venue), session=session):
            pass
        assert not session.closed


async def test_an_accepted_order_is_the_proof(venue: Venue) -> None:
    """The venue's id, and ours echoed."""
    venue.tell("POST", "/order", accepted())
    async with account_on(venue) as account:
        seen = await account.create_order(submit())
        assert (seen.exchange_order_id, seen.order_id) == ("28", "t1-1-1")
        assert OrderRef("t1-1-1", SYMBOL, "28") == OrderRef(seen.order_id, seen.symbol, seen.exchange_order_id)


async def test_an_order_that_was_sent_by_a_get_may_exist(venue: Venue) -> None:
    """Deribit creates orders by GET: no verb proves that nothing was done."""
    venue.tell("GET", "/private/buy", hang_up)
    venue.tell("GET", "/public/get_time", {"result": NOW_MS})
    settings = VenueSettings("acc", "deribit", "loopback", urls={"api": {"rest": venue.url}})
    public = make_public(settings)
    account = make_account(settings, KEYS, public)
    market = {
        "id": "BTC_USDC", "symbol": "BTC/USDC", "base": "BTC", "quote": "USDC", "type": "spot", "spot": True,
        "precision": {"price": "1", "amount": "0.0001"}, "limits": {}, "contract": False,
    }  # fmt: skip
    client = account.orders
    client.ccxt.set_markets([client.ccxt.safe_market_structure(market)])
    await client.call("fetch_time", lane=Lane.MARKET)  # the connection is used again, which makes aiohttp retry
    with pytest.raises(VenueUnavailableError):
        await client.call("create_order", "BTC/USDC", "limit", "buy", "1", "100", lane=Lane.ORDER)
    assert len(venue.calls("/private/buy")) == 1
    await account.close()
    await public.close()
