"""The REST face: which path is answered by what, and how replies (spoilt ones too) get onto the wire."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tradingd.testing.exchange import private, public, views
from tradingd.testing.exchange.auth import query_payload
from tradingd.testing.exchange.desk import Desk, Endpoint, Proof
from tradingd.testing.exchange.limits import TooMany
from tradingd.testing.exchange.model import Call, Fate, Refusal, Reply
from tradingd.testing.exchange.sockets import abort

__all__ = ["ENDPOINTS", "answer", "dump", "error_reply", "params_of", "send"]

_API, _SAPI = "/api/v3/", "/sapi/v1/"


def _open(handler: Any, weight: Any = 1) -> Endpoint:  # noqa: ANN401 - the types are Endpoint's own
    return Endpoint(handler, weight, signed=False)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", f"{_API}ping"): _open(public.ping),
    ("GET", f"{_API}time"): _open(public.time),
    ("GET", f"{_API}exchangeInfo"): _open(public.exchange_info, 20),
    ("GET", f"{_API}ticker/24hr"): _open(public.day_ticker, lambda params: 2 if "symbol" in params else 80),
    ("GET", f"{_API}ticker/bookTicker"): _open(public.book_ticker, lambda params: 2 if "symbol" in params else 4),
    ("GET", f"{_API}ticker/price"): _open(public.price_ticker, lambda params: 2 if "symbol" in params else 4),
    ("GET", f"{_API}avgPrice"): _open(public.avg_price, 2),
    ("GET", f"{_API}depth"): _open(public.depth, public.depth_weight),
    ("GET", f"{_API}trades"): _open(public.trades, 25),
    ("GET", f"{_API}aggTrades"): _open(public.agg_trades, 4),
    ("GET", f"{_API}klines"): _open(public.klines, 2),
    ("POST", f"{_API}order"): Endpoint(private.place_order, 1, order=True),
    ("POST", f"{_API}order/test"): Endpoint(private.test_order, 1, trade=True),
    ("GET", f"{_API}order"): Endpoint(private.query_order, 4),
    ("DELETE", f"{_API}order"): Endpoint(private.cancel_order, 1, trade=True),
    ("POST", f"{_API}order/cancelReplace"): Endpoint(private.cancel_replace, 1, order=True),
    ("GET", f"{_API}openOrders"): Endpoint(private.open_orders, private.open_orders_weight),
    ("DELETE", f"{_API}openOrders"): Endpoint(private.cancel_all, 1, trade=True),
    ("GET", f"{_API}allOrders"): Endpoint(private.all_orders, 20),
    ("GET", f"{_API}myTrades"): Endpoint(private.my_trades, 20),
    ("GET", f"{_API}account"): Endpoint(private.account, 20),
    ("GET", f"{_SAPI}account/apiRestrictions"): Endpoint(private.api_restrictions, 1),
    ("GET", f"{_SAPI}asset/tradeFee"): Endpoint(private.trade_fee, 1),
}
"""By method and path. Weights are Binance's of 2025."""


def params_of(raw: str) -> dict[str, str]:
    """Reads a query string or a form."""
    return dict(parse_qsl(raw, keep_blank_values=True))


def error_reply(code: int, message: str, status: int = 400) -> Reply:
    """An error in Binance's words."""
    return Reply(status, dump({"code": code, "msg": message}))


def answer(desk: Desk, call: Call, raw: str) -> Reply:
    """Handles a call: `raw` is its query string followed by its body, as they came, for the signature."""
    endpoint = ENDPOINTS.get((call.method, call.path))
    if endpoint is None:
        return Reply(404, "<html><body>404 Not Found</body></html>", content_type="text/html")
    try:
        reply = Reply(200, dump(desk.answer(endpoint, call, Proof(*query_payload(raw)))))
    except Refusal as refusal:
        reply = Reply(refusal.status, dump(views.error(refusal)))
        if isinstance(refusal, TooMany):
            reply.headers["Retry-After"] = str(refusal.retry_after)
    reply.headers.update(desk.limits.headers(orders=endpoint.order))
    return reply


def dump(body: object) -> str:
    """JSON as the exchange writes it."""
    return json.dumps(body, separators=(",", ":"))


async def send(request: web.Request, reply: Reply, stopped: asyncio.Event) -> web.StreamResponse:
    """Puts a reply onto the wire, as its fate will have it."""
    if reply.fate is Fate.HANG:
        await stopped.wait()
    if reply.fate in {Fate.HANG, Fate.RESET}:
        abort(request.transport)
    body = reply.text.encode()
    if reply.fate is Fate.TRUNCATE:
        return await _send_half(request, reply, body)
    return web.Response(
        status=reply.status, body=body, headers=reply.headers, content_type=reply.content_type, charset="utf-8"
    )


async def _send_half(request: web.Request, reply: Reply, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_type = reply.content_type
    response.content_length = max(len(body), 2)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
