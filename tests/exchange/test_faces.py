"""The ways to reach the exchange: plain, sandbox, demo, and TLS under production's names; life and hooks."""

import asyncio
import ssl
import threading
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from tests.exchange.conftest import KEY, SECRET, MakeClient, stock
from tests.exchange.world import until
from tradingd.testing.exchange.model import Call, Fate, Frame, NoFaults, Reply, Side
from tradingd.testing.exchange.server import LoopbackExchange

BTC = "BTC/USDT"


async def test_sandbox_and_demo_clients_are_led_here_too(
    exchange: LoopbackExchange, make_client: MakeClient
) -> None:
    """Each environment has its own table of URLs in ccxt; user data follows it."""
    for environment, switch in (("sandbox", "set_sandbox_mode"), ("demo", "enable_demo_trading")):
        client = await make_client(exchange, **exchange.ccxt_config(KEY, environment))  # type: ignore[arg-type]
        getattr(client, switch)(True)
        watch = asyncio.create_task(client.watch_orders())
        await until(lambda: exchange.subscribers("ann") == 1)
        order = await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
        assert (await watch)[0]["id"] == order["id"]
        await client.close()
        await until(lambda: exchange.subscribers("ann") == 0)


async def test_an_unconfigured_client_trades_over_tls_under_productions_names(make_client: MakeClient) -> None:
    """No URL is overridden: REST, market streams and user data all go to production's hosts, which are here."""
    async with LoopbackExchange(tls=True) as exchange:
        stock(exchange)
        async with exchange.production_session() as session:
            config = exchange.ccxt_config(KEY, plain=False)
            assert "urls" not in config
            client = await make_client(exchange, **config, session=session, urls={})
            assert client.urls["api"]["private"] == "https://api.binance.com/api/v3"
            orders = asyncio.create_task(client.watch_orders())
            trades = asyncio.create_task(client.watch_trades(BTC))
            await until(lambda: exchange.subscribers("ann") == 1)
            await until(lambda: exchange.streams.subscribers("btcusdt@trade") == 1)
            await client.create_order(BTC, "market", "buy", 0.1)
            assert (await orders)[-1]["status"] == "closed"
            assert (await trades)[-1]["amount"] == 0.1
            assert (await client.sapi_get_account_apirestrictions())["enableReading"]


async def test_over_tls_errors_are_those_of_production(make_client: MakeClient) -> None:
    """The same code is another class over http://127.0.0.1 than on https://api.binance.com."""

    class Overloaded(NoFaults):
        async def before(self, call: Call) -> Reply | None:
            if not call.places_order:
                return None
            return Reply(400, '{"code":-2021,"msg":"Order cancel-replace partially failed"}')

    import ccxt

    async with LoopbackExchange(tls=True, faults=Overloaded()) as exchange:
        stock(exchange)
        async with exchange.production_session() as session:
            production = await make_client(
                exchange, **exchange.ccxt_config(KEY, plain=False), session=session, urls={}
            )
            plain = await make_client(exchange)
            classes = []
            for client in (plain, production):
                with pytest.raises(ccxt.BaseError) as caught:
                    await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
                classes.append(type(caught.value).__name__)
    assert classes == ["ExchangeError", "BadResponse"]


async def test_the_session_reaches_nothing_but_the_exchange_and_trusts_no_other_certificate() -> None:
    """Other names do not resolve; a session that does not know the certificate refuses it."""
    async with LoopbackExchange(tls=True) as exchange:
        async with exchange.production_session() as session:
            with pytest.raises(aiohttp.ClientConnectorError, match="not a name of the loopback exchange"):
                await session.get("https://fapi.binance.com/")
            async with session.get("https://api.binance.com/api/v3/ping") as response:
                assert response.status == 200
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await stranger.get(f"https://127.0.0.1:{exchange._ports[1]}/api/v3/ping")
            assert isinstance(caught.value, aiohttp.ClientConnectorCertificateError | ssl.SSLError)


def test_without_tls_there_is_no_production_session() -> None:
    """The error says how to mend it."""
    with pytest.raises(RuntimeError, match="construct it with tls=True"):
        LoopbackExchange().production_session()


async def test_an_unknown_path_is_not_found(exchange: LoopbackExchange) -> None:
    """404 with a page, as a gateway would."""
    url = f"{exchange.rest_url}/api/v3/nothing"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert (response.status, response.content_type) == (404, "text/html")


class Spoiler(NoFaults):
    """Gives the next order's reply a fate."""

    def __init__(self) -> None:
        self.fate = Fate.SEND
        self.seen: list[Call] = []

    async def before(self, call: Call) -> Reply | None:
        self.seen.append(call)
        return None

    async def after(self, call: Call, reply: Reply) -> Reply:
        if call.places_order:
            reply.fate = self.fate
        return reply

    async def outgoing(self, frame: Frame) -> Sequence[Frame]:
        return (frame, frame) if frame.topic == "outboundAccountPosition" else (frame,)


@pytest.mark.parametrize(
    ("fate", "error"),
    [(Fate.RESET, "ExchangeNotAvailable"), (Fate.TRUNCATE, "ExchangeError"), (Fate.HANG, "RequestTimeout")],
)
async def test_a_spoilt_reply_hides_an_order_that_was_taken(
    make_client: MakeClient, fate: Fate, error: str
) -> None:
    """Accepted, then reset, cut short or never answered: the order is there, and ccxt's class does not tell."""
    import ccxt

    spoiler = Spoiler()
    async with LoopbackExchange(faults=spoiler) as exchange:
        stock(exchange)
        client = await make_client(exchange, timeout=200)
        await client.load_markets()
        spoiler.fate = fate
        with pytest.raises(getattr(ccxt, error)) as caught:
            await client.create_order(BTC, "limit", "buy", 0.01, 49_000, {"clientOrderId": "t1-1-1"})
        assert type(caught.value).__name__ == error
        spoiler.fate = Fate.SEND
        assert (await client.fetch_order(None, BTC, {"clientOrderId": "t1-1-1"}))["status"] == "open"
        assert len([call for call in exchange.wire if call.places_order]) == 1


@pytest.mark.parametrize("fate", [Fate.RESET, Fate.TRUNCATE, Fate.HANG])
async def test_a_spoilt_reply_over_the_socket_hides_it_too(fate: Fate) -> None:
    """The socket is reset, a frame is cut, or nothing comes; the order stands."""
    spoiler = Spoiler()
    spoiler.fate = fate
    async with LoopbackExchange(faults=spoiler) as exchange:
        stock(exchange)
        exchange.desk.keys[KEY].secret = SECRET
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.rest_url}/ws-api/v3") as ws:
            await ws.send_json({"id": 1, "method": "order.place", "params": _signed(exchange)})
            await until(lambda: len(exchange.engine.all_orders("ann", "BTCUSDT")) == 1)
            if fate is Fate.RESET:
                assert (await ws.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
            elif fate is Fate.TRUNCATE:
                assert not (await ws.receive_str()).endswith("}")


def _signed(exchange: LoopbackExchange) -> dict[str, Any]:
    import hashlib
    import hmac

    params: dict[str, Any] = {
        "apiKey": KEY,
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "49000",
        "timestamp": exchange.now_ms(),
    }
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"signature": hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()}


async def test_hooks_see_handshakes_requests_and_frames(make_client: MakeClient) -> None:
    """Each kind of call passes the layer, with the account behind its key; a frame may become two."""
    spoiler = Spoiler()
    async with LoopbackExchange(faults=spoiler) as exchange:
        stock(exchange)
        client = await make_client(exchange)
        frames: list[str] = []
        watch = asyncio.create_task(client.watch_balance())
        await until(lambda: exchange.subscribers("ann") == 1)
        exchange.engine.listen(lambda event: frames.append(type(event).__name__))
        exchange.engine.deposit("ann", "USDT", exchange.engine.balances("ann")["USDT"][0])
        await watch
        (socket,) = exchange.hub.of("user")
        await until(lambda: socket.sent == 4)  # the subscription's reply, balanceUpdate, and the position twice
        assert frames == ["Transfer", "BalanceChange"]
        assert {(call.kind, call.account) for call in spoiler.seen} == {
            ("rest", ""),
            ("connect", ""),
            ("ws", "ann"),
        }


async def test_stopping_lets_hanging_clients_go() -> None:
    """A reply that hangs and open sockets do not keep the exchange from stopping; its port is free after."""

    class Silent(NoFaults):
        async def after(self, call: Call, reply: Reply) -> Reply:
            reply.fate = Fate.HANG
            return reply

    async with aiohttp.ClientSession() as session:
        async with LoopbackExchange(faults=Silent()) as exchange:
            url = exchange.rest_url
            hanging = asyncio.create_task(session.get(f"{url}/api/v3/ping"))
            ws = await session.ws_connect(f"{url}/ws-api/v3")
            await until(lambda: len(exchange.wire) == 2)
        with pytest.raises(aiohttp.ClientError):
            await hanging
        assert (await ws.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        await ws.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/api/v3/ping")


async def test_a_defect_of_the_exchange_itself_is_not_passed_over() -> None:
    """The client sees a server's error; stopping the exchange raises what went wrong in it."""
    exchange = LoopbackExchange()
    await exchange.start()
    del exchange.engine._markets["BTCUSDT"].__dict__["book"]
    url = f"{exchange.rest_url}/api/v3/depth?symbol=BTCUSDT"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 500
    with pytest.raises(BaseExceptionGroup, match="defects of the loopback exchange") as caught:
        await exchange.stop()
    assert caught.group_contains(AttributeError)


def test_the_exchange_shares_no_code_with_what_it_judges() -> None:
    """An oracle that used our ledger, our order states or our broker would agree with their mistakes."""
    import ast
    from pathlib import Path

    import tradingd.testing.exchange as package

    judged = ("tradingd.portfolio", "tradingd.execution", "tradingd.broker", "tradingd.risk", "tradingd.venues")
    for file in Path(package.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module]
            assert not any(name.startswith((*judged, "tradingd.domain.money")) for name in names), (
                file.name,
                names,
            )


async def test_it_runs_in_a_thread_of_its_own_beside_another(exchange: LoopbackExchange) -> None:
    """Nothing is global: an exchange in another thread has its own books, and is reached like any other."""
    started: asyncio.Future[LoopbackExchange] = asyncio.get_running_loop().create_future()
    home = asyncio.get_running_loop()

    async def serve(done: asyncio.Event) -> None:
        async with LoopbackExchange() as other:
            home.call_soon_threadsafe(started.set_result, other)
            await done.wait()

    elsewhere = asyncio.new_event_loop()
    done = asyncio.Event()
    thread = threading.Thread(target=elsewhere.run_until_complete, args=(serve(done),))
    thread.start()
    try:
        other = await started
        async with aiohttp.ClientSession() as session, session.get(f"{other.rest_url}/api/v3/time") as response:
            assert abs((await response.json())["serverTime"] - exchange.now_ms()) < 60_000
        assert (len(other.wire), len(exchange.wire)) == (1, 0)
        assert exchange.engine.depth("BTCUSDT")[1]
        assert not other.engine.depth("BTCUSDT")[1]
    finally:
        elsewhere.call_soon_threadsafe(done.set)
        await asyncio.to_thread(thread.join)
        elsewhere.close()


async def test_a_house_order_by_market_is_told_to_the_owner_as_maker(
    exchange: LoopbackExchange, client: Any
) -> None:
    """The market trades against users by price and time."""
    await client.create_order(BTC, "limit", "buy", 0.2, 50_005)
    exchange.engine.house_market("BTCUSDT", Side.SELL, exchange.engine.balances("ann")["BTC"][0] / 10)
    (trade,) = exchange.engine.my_trades("ann")
    assert (trade.maker, str(trade.price)) == (True, "50005")
