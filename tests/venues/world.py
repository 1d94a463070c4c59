"""A server that answers as a test tells it to, and an account of Binance's protocol on it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from aiohttp import web

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import SubmitOrder
from tradingd.venues.account import CcxtAccount, make_account
from tradingd.venues.public import PublicVenue, make_public
from tradingd.venues.settings import Credentials, VenueSettings

KEY, SECRET, PASSPHRASE = "canary-key-7f3a", "canary-secret-91bc", "canary-phrase-55de"
KEYS = Credentials(api_key=KEY, secret=SECRET, password=PASSPHRASE)
SYMBOL = "BTC/USDT"
NOW_MS = 1_700_000_000_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def binance_market(**changes: Any) -> dict[str, Any]:
    """A market as Binance tells it."""
    return {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000"},
        ],
    } | changes


class Venue:
    """Serves what was `told` for a method and the end of a path, the last of it for ever; keeps what it saw."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.over = asyncio.Event()
        self._told: dict[tuple[str, str], list[Any]] = {}
        self.tell("GET", "/exchangeInfo", {"symbols": [binance_market()], "rateLimits": [], "serverTime": NOW_MS})
        self.tell("GET", "/time", {"serverTime": NOW_MS})

    def tell(self, method: str, path: str, *answers: Any) -> None:
        """Answers: a JSON value, (status, text), (status, text, headers), or a handler."""
        self._told[method, path] = list(answers)

    def calls(self, path: str) -> list[dict[str, str]]:
        return [params for _, seen, params in self.seen if seen.endswith(path)]

    async def never(self, request: web.Request) -> web.StreamResponse:
        """Takes a request, and does not answer it while the test runs."""
        await self.over.wait()
        return web.Response()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = dict(await request.post()) if request.method == "POST" else {}
        if request.method == "POST" and not body and await request.text():
            loaded = json.loads(await request.text())
            body = loaded if isinstance(loaded, dict) else {"list": loaded}
        self.seen.append((request.method, request.path, {**request.query, **body}))
        self.headers.append(dict(request.headers))
        for (method, path), answers in sorted(self._told.items(), key=lambda told: -len(told[0][1])):
            if method == request.method and request.path.endswith(path):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return await _response(answer, request)
        return web.json_response({"code": -1, "msg": f"{request.method} {request.path} is not told"}, status=404)


async def _response(answer: Any, request: web.Request) -> web.StreamResponse:
    if callable(answer):
        return await answer(request)
    if isinstance(answer, tuple):
        headers = answer[2] if len(answer) == 3 else {}
        return web.Response(status=answer[0], text=answer[1], headers=headers, content_type="text/html")
    return web.json_response(answer)


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Takes the request, then resets the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def truncated(request: web.Request) -> web.StreamResponse:
    """Says more than it sends."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"orderId":')
    assert request.transport is not None
    request.transport.close()
    return response


@asynccontextmanager
async def serving(venue: Venue) -> AsyncIterator[Venue]:
    """The venue on a port of its own."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", venue.answer)
    runner = web.AppRunner(app, shutdown_timeout=0, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield venue
    finally:
        venue.over.set()
        await runner.cleanup()


@asynccontextmanager
async def public_side(
    settings: VenueSettings, symbols: tuple[str, ...] = (SYMBOL,), **seams: Any
) -> AsyncIterator[PublicVenue]:
    """The public side, opened and closed."""
    public = make_public(settings, **seams)
    try:
        await public.open(symbols)
        yield public
    finally:
        await public.close()


@asynccontextmanager
async def account_on(
    venue: Venue,
    settings: VenueSettings | None = None,
    symbols: tuple[str, ...] = (SYMBOL,),
    **seams: Any,
) -> AsyncIterator[CcxtAccount]:
    """An account on the venue, opened and closed."""
    settings = settings or VenueSettings("acc", "binance", "loopback", venue.url)
    async with public_side(settings, symbols, **seams) as public:
        account = make_account(settings, KEYS, public)
        try:
            await account.open()
            yield account
        finally:
            await account.close()


def submit(order_id: str = "t1-1-1", **changes: Any) -> SubmitOrder:
    """An order of ours."""
    fields: dict[str, Any] = {
        "ts": 1,
        "venue": "acc",
        "order_id": order_id,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal("0.5"),
        "order_type": OrderType.LIMIT,
        "limit_price": Decimal("100.00"),
    }
    return SubmitOrder(**(fields | changes))


def accepted(order_id: str = "t1-1-1", **changes: Any) -> dict[str, Any]:
    """Binance's answer to a create."""
    return {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "clientOrderId": order_id,
        "transactTime": NOW_MS,
        "price": "100.00",
        "origQty": "0.50000",
        "executedQty": "0.00000",
        "cummulativeQuoteQty": "0",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "fills": [],
    } | changes
