"""An exchange with a market, faults that can be added, and ccxt's own client, unmodified."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from aiohttp import ClientSession, ClientWebSocketResponse

from tradingd.testing.exchange import scripts
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.faults import Fault, Rule, ScriptedFaults
from tradingd.testing.exchange.model import Call, MarketSpec, Side
from tradingd.testing.exchange.server import MARKETS, LoopbackExchange
from tradingd.testing.exchange.source import MarketSource, Plan
from tradingd.testing.exchange.streams import MarketStreams

KEY = "key-of-tests"
BTC = "BTC/USDT"
PATIENT, IMPATIENT = 10_000, 300  # milliseconds
HALF_PAST = 1_800_001_830_500  # milliseconds: in the middle of an hour, of a minute, of a second
T = TypeVar("T")


def wall_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


@dataclass
class Rig:
    exchange: LoopbackExchange
    streams: MarketStreams
    source: MarketSource
    faults: ScriptedFaults
    client: Any

    @property
    def engine(self) -> Engine:
        return self.exchange.engine

    @property
    def posts(self) -> list[Call]:
        return [call for call in self.exchange.wire if call.places_order]

    def strike(self, what: Fault | str, *, nth: int = 1, times: int = 1, target: str = "") -> None:
        """Arms a fault, or the one of that name."""
        found = scripts.fault(what) if isinstance(what, str) else what
        self.faults.add(Rule(found, target, nth, times))

    async def buy(self, client_id: str = "t1-1-1") -> dict[str, Any]:
        """A limit order far below the market: it rests."""
        params = {"newClientOrderId": client_id}
        order: dict[str, Any] = await self.client.create_order(BTC, "limit", "buy", 0.01, 50_000, params)
        return order

    async def take(self) -> dict[str, Any]:
        """A market order: it fills at once."""
        order: dict[str, Any] = await self.client.create_order(BTC, "market", "buy", 0.001)
        return order

    def booked(self) -> list[str]:
        """The client ids of all orders that the exchange has."""
        return [order.client_id for order in self.engine.all_orders(KEY, "BTCUSDT")]

    def move(self, ticks: int = 10) -> None:
        """The market moves: book, quotes and trades follow."""
        self.source.move("BTCUSDT", ticks)
        self.source.take("BTCUSDT", Side.BUY, Decimal("0.01"))


@asynccontextmanager
async def rig(markets: Sequence[MarketSpec] = MARKETS, *, frozen: bool = False) -> AsyncIterator[Rig]:
    """An exchange that serves two markets of a seeded house, and a client with an account on it.

    With `frozen` its clock stands still at HALF_PAST: for candles. What is signed is then refused.
    """
    import ccxt.pro

    faults = ScriptedFaults()
    exchange = LoopbackExchange(markets, faults=faults, clock=(lambda: HALF_PAST) if frozen else wall_ms)
    exchange.add_account(KEY, "secret-of-tests", {"USDT": 100_000, "BTC": 2, "BNB": 5})
    source = MarketSource(exchange.engine, [Plan("BTCUSDT", Decimal(60_000)), Plan("ETHUSDT", Decimal(3_000))])
    async with exchange:
        options = {"timeout": PATIENT, "enableRateLimit": False, "timeout_on_exit": 0}
        client = ccxt.pro.binance(exchange.ccxt_config(KEY) | options)
        try:
            await client.load_markets()
            yield Rig(exchange, exchange.streams, source, faults, client)
        finally:
            faults.calm()
            await client.close()


async def settled(get: Callable[[], T], met: Callable[[T], bool], seconds: float = 5.0) -> T:
    """What `get` returns once it meets a condition; TimeoutError if it never does."""
    async with asyncio.timeout(seconds):
        while not met(get()):  # noqa: ASYNC110 - what is waited for happens on a real socket
            await asyncio.sleep(0)
    return get()


async def subscribed(it: Rig, *streams: str) -> None:
    """Waits until somebody has subscribed to the streams."""
    await settled(lambda: [it.streams.subscribers(name) for name in streams], all)


@asynccontextmanager
async def raw(it: Rig, path: str, **options: Any) -> AsyncIterator[ClientWebSocketResponse]:
    """A bare websocket to the exchange."""
    url = f"ws://127.0.0.1:{it.exchange.port}{path}"
    async with ClientSession() as session, session.ws_connect(url, **options) as ws:
        yield ws


@asynccontextmanager
async def collect(it: Rig, *streams: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What streams tell, as it comes."""
    told: list[dict[str, Any]] = []

    async def read(ws: ClientWebSocketResponse) -> None:
        async for message in ws:
            told.append(message.json())  # noqa: PERF401 - it is looked at while it grows

    async with raw(it, "/stream?streams=" + "/".join(streams)) as ws:
        await subscribed(it, *streams)
        reading = asyncio.ensure_future(read(ws))
        try:
            yield told
        finally:
            reading.cancel()
