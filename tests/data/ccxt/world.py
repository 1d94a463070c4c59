"""A loopback exchange whose clock is moved by hand, and a live feed of it through the unmodified ccxt client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from tradingd.data.ccxt.feed import LiveFeed
from tradingd.data.ccxt.model import FeedOptions, StreamKind, StreamState, StreamStatus, Subscription
from tradingd.domain.events import FeedEvent
from tradingd.testing.exchange import streams
from tradingd.testing.exchange.faults import Fault, Rule, ScriptedFaults
from tradingd.testing.exchange.model import MarketSpec, Side
from tradingd.testing.exchange.server import MARKETS, LoopbackExchange
from tradingd.venues.public import PublicVenue, make_public
from tradingd.venues.settings import VenueSettings

MINUTE = 60_000_000_000
START_NS = 1_700_000_040_000_000_000  # a whole minute
BTC, ETH = "BTC/USDT", "ETH/USDT"
SPECS = tuple(spec for spec in MARKETS if spec.symbol in {"BTCUSDT", "ETHUSDT"})


class Time:
    """Time that is moved by hand; who sleeps in it wakes when it has come so far."""

    def __init__(self, start_ns: int = START_NS) -> None:
        self.ns = start_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self.sleeps: list[float] = []

    def now(self) -> int:
        return self.ns

    def now_ms(self) -> int:
        return self.ns // 1_000_000

    def monotonic(self) -> float:
        return (self.ns - START_NS) / 1e9

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.ns + round(seconds * 1e9), next(self._numbers), future))
        await future

    async def pass_(self, seconds: float) -> None:
        """Let so much time pass, each sleeper waking at its own."""
        end = self.ns + round(seconds * 1e9)
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heappop(self._sleepers)
            self.ns = max(self.ns, due)
            if not future.done():
                future.set_result(None)
            await rounds()
        self.ns = end
        await rounds()


async def rounds(number: int = 8) -> None:
    """Let the tasks that are ready run."""
    for _ in range(number):
        await asyncio.sleep(0)


async def until(met: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once a condition is met, which happens on real sockets; TimeoutError if it never is."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 - what is waited for happens on a real socket
            await asyncio.sleep(0)


@dataclass
class World:
    """What a test has in hand."""

    time: Time
    exchange: LoopbackExchange
    streams: streams.MarketStreams
    faults: ScriptedFaults
    public: PublicVenue
    events: list[FeedEvent] = field(default_factory=list)
    told: list[StreamStatus] = field(default_factory=list)
    feed: LiveFeed = field(init=False)
    blocked: asyncio.Event | None = None

    def trade(
        self, price: float = 60_000.0, amount: float = 0.01, symbol: str = "BTCUSDT", side: Side = Side.BUY
    ) -> None:
        """A public trade."""
        self.exchange.engine.house_print(symbol, side, Decimal(str(price)), Decimal(str(amount)))

    def book(self, bid: float, ask: float, symbol: str = "BTCUSDT", size: float = 1.0) -> None:
        """The book as it is now: two levels a side."""
        levels = [
            [(Decimal(str(price + step * way)), Decimal(str(size))) for step in (0, 1)]
            for price, way in ((bid, -1), (ask, 1))
        ]
        self.exchange.engine.house_set_book(symbol, *levels)

    def strike(self, fault: Fault, *, nth: int = 1, times: int = 1, target: str = "") -> None:
        """Let a fault happen."""
        self.faults.add(Rule(fault, target, nth, times))

    async def publish(self, event: FeedEvent) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        self.events.append(event)

    def of(self, kind: type, symbol: str | None = None) -> list[Any]:
        """The events of a kind, in the order in which they were published."""
        return [event for event in self.events if isinstance(event, kind) and symbol in {None, event.symbol}]

    def status(self, kind: StreamKind = StreamKind.TRADES, symbol: str = BTC) -> StreamStatus:
        """One stream's status."""
        found = (each for each in self.feed.status().streams if (each.kind, each.symbol) == (kind, symbol))
        return next(found)

    def state(self, kind: StreamKind = StreamKind.TRADES, symbol: str = BTC) -> StreamState:
        return self.status(kind, symbol).state

    async def subscribed(self, *names: str) -> None:
        """Wait until the exchange serves these streams."""
        await until(lambda: all(self.streams.subscribers(name) for name in names))

    async def seconds(self, number: float, step: float = 0.5) -> None:
        """Let time pass in steps, with the sockets and REST having their turn in between."""
        for _ in range(round(number / step)):
            await self.time.pass_(step)
            await rounds(200)


@asynccontextmanager
async def world(
    subscriptions: Sequence[Subscription],
    *,
    before: Callable[[World], Awaitable[None]] | None = None,
    options: FeedOptions | None = None,
    specs: Sequence[MarketSpec] = SPECS,
    **feed: Any,
) -> AsyncIterator[World]:
    """An exchange, and a running feed of it. `before` happens at the exchange before the feed starts."""
    made: list[streams.MarketStreams] = []

    def routes(exchange: LoopbackExchange) -> Any:
        made.append(streams.MarketStreams(exchange))
        return made[0].routes()

    time, faults = Time(), ScriptedFaults()
    exchange = LoopbackExchange(specs, faults=faults, extra_routes=routes, clock=time.now_ms)
    async with exchange:
        settings = VenueSettings("main", "binance", "loopback", f"http://127.0.0.1:{exchange.port}")
        public = make_public(settings, now=time.now)
        tasks: list[asyncio.Task[None]] = []
        try:
            await public.open([BTC, ETH])
            it = World(time, exchange, made[0], faults, public)
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
                options=options or FeedOptions(stagger_s=0.0),
                **feed,
            )
            tasks = [asyncio.ensure_future(task()) for task in it.feed.tasks().values()]
            await time.pass_(0)
            yield it
            failed = [task for task in tasks if task.done()]
            assert not failed, [task.exception() for task in failed]
        finally:
            faults.calm()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await public.close()
            made[0].close()


def trades(symbol: str = BTC) -> Subscription:
    """A subscription."""
    return Subscription(symbol=symbol, kind=StreamKind.TRADES)


def quotes(symbol: str = BTC) -> Subscription:
    """A subscription."""
    return Subscription(symbol=symbol, kind=StreamKind.QUOTES)


def books(symbol: str = BTC, depth: int = 20) -> Subscription:
    """A subscription."""
    return Subscription(symbol=symbol, kind=StreamKind.BOOKS, depth=depth)


def bars(symbol: str = BTC, *, from_trades: bool = False, history: int = 0) -> Subscription:
    """A subscription to bars of a minute."""
    return Subscription(
        symbol=symbol, kind=StreamKind.BARS, interval_ns=MINUTE, from_trades=from_trades, history=history
    )
