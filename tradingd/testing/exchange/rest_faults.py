"""Faults of requests: what goes wrong with a REST call, or with the way its answer takes.

Each function makes a fault; the names and numbers are told in `scripts.catalogue()`. "Accepted" means that the
exchange has handled the request, and only the client does not learn of it.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from tradingd.testing.exchange import views
from tradingd.testing.exchange.faults import RequestFault, ScriptedFaults, Window
from tradingd.testing.exchange.model import Call, Fate, Refusal, Reply

__all__ = [
    "answered",
    "bad_gzip",
    "delay",
    "edit_half_done",
    "hidden",
    "link_lost",
    "maintenance",
    "page_instead",
    "paged",
    "refused",
    "reset_after",
    "reset_before",
    "slow_answer",
    "stale_balance",
    "status_unknown",
    "timeout_after",
    "timeout_before",
    "too_many_requests",
    "truncated",
]

HTML = "<html><head><title>403 Forbidden</title></head><body>Request blocked (cloudfront)</body></html>"
ORDER = "POST order"
REST = "GET *|POST *|DELETE *"
YOUNG = "GET order|GET openOrders|GET allOrders|GET myTrades"


def refusal(code: int, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> Reply:
    """The answer with which Binance refuses."""
    return Reply(status, json.dumps({"code": code, "msg": message}), dict(headers or {}))


def delay(seconds: float = 0.3) -> RequestFault:
    """The request reaches the exchange late."""

    async def before(layer: ScriptedFaults, call: Call) -> None:  # noqa: ARG001
        await layer.sleep(seconds)

    return RequestFault(
        name="delay", number="A1", target=REST, before=before, text=f"a request takes {seconds:g} s to arrive"
    )


def slow_answer(seconds: float = 0.3) -> RequestFault:
    """The order is accepted at once, its answer comes after its fills were told on the stream."""

    async def after(layer: ScriptedFaults, call: Call, reply: Reply) -> Reply:  # noqa: ARG001
        await layer.sleep(seconds)
        return reply

    return RequestFault(
        name="fill-before-ack",
        number="B9",
        target=ORDER,
        after=after,
        text=f"the answer to an order comes {seconds:g} s after the stream told of it",
    )


def _instead(fate: Fate, name: str, number: str, text: str) -> RequestFault:
    async def before(layer: ScriptedFaults, call: Call) -> Reply:  # noqa: ARG001
        return Reply(200, "", fate=fate)

    return RequestFault(name=name, number=number, target=ORDER, before=before, text=text)


def _spoilt(
    change: Callable[[Reply], None], name: str, number: str, text: str, target: str = ORDER
) -> RequestFault:
    async def after(layer: ScriptedFaults, call: Call, reply: Reply) -> Reply:  # noqa: ARG001
        change(reply)
        return reply

    return RequestFault(name=name, number=number, target=target, after=after, text=text)


def timeout_before() -> RequestFault:
    """No answer, and the request never reached the exchange."""
    return _instead(Fate.HANG, "timeout-before", "A1", "an order gets no answer and was never accepted")


def reset_before() -> RequestFault:
    """The connection is reset, and the request never reached the exchange."""
    return _instead(Fate.RESET, "reset-before", "A2", "the connection is reset before an order is accepted")


def timeout_after() -> RequestFault:
    """No answer, and the request was accepted."""

    def change(reply: Reply) -> None:
        reply.fate = Fate.HANG

    return _spoilt(change, "timeout-after", "A1", "an order is accepted and gets no answer")


def reset_after() -> RequestFault:
    """The connection is reset, and the request was accepted."""

    def change(reply: Reply) -> None:
        reply.fate = Fate.RESET

    return _spoilt(change, "reset-after", "A2", "the connection is reset after an order was accepted")


def truncated() -> RequestFault:
    """The answer ends in the middle, and the request was accepted."""

    def change(reply: Reply) -> None:
        reply.fate = Fate.TRUNCATE

    return _spoilt(change, "truncated", "A3", "the answer to an accepted order ends in the middle")


def bad_gzip() -> RequestFault:
    """The answer calls itself gzip and is not, and the request was accepted."""

    def change(reply: Reply) -> None:
        reply.headers["Content-Encoding"] = "gzip"

    return _spoilt(change, "bad-gzip", "A3", "the answer to an accepted order is broken gzip")


def answered(
    name: str, number: str, text: str, *, body: str, status: int = 200, target: str = ORDER, html: bool = False
) -> RequestFault:
    """Another body or status in place of the answer; the exchange has handled the request."""

    def change(reply: Reply) -> None:
        reply.status, reply.text = status, body
        if html:
            reply.content_type = "text/html"

    return _spoilt(change, name, number, text, target)


def page_instead(name: str, number: str, text: str, *, status: int, target: str = ORDER) -> RequestFault:
    """A page of some proxy in place of an answer: the exchange never saw the request."""

    async def before(layer: ScriptedFaults, call: Call) -> Reply:  # noqa: ARG001
        return Reply(status, HTML, content_type="text/html")

    return RequestFault(name=name, number=number, target=target, before=before, text=text)


def refused(
    name: str, number: str, text: str, *, code: int, message: str, status: int = 400, target: str = ORDER
) -> RequestFault:
    """The exchange refuses, in its own words, and does nothing."""

    async def before(layer: ScriptedFaults, call: Call) -> Reply:  # noqa: ARG001
        return refusal(code, message, status)

    return RequestFault(name=name, number=number, target=target, before=before, text=text)


def status_unknown(code: int, status: int, message: str) -> RequestFault:
    """The exchange says that it does not know what became of the order; it was accepted."""

    def change(reply: Reply) -> None:
        spoilt = refusal(code, message, status)
        reply.status, reply.text = spoilt.status, spoilt.text

    return _spoilt(
        change, f"unknown{code}", "A6", f"an accepted order is answered {status} {code}: status unknown"
    )


def too_many_requests(retry_after_s: float = 1, patience: int = 3, ban_s: float = 2) -> RequestFault:
    """429 with Retry-After; who asks `patience` times more within that time is banned: 418, with a longer one."""

    async def before(layer: ScriptedFaults, call: Call) -> Reply:
        window = Window(layer.monotonic() + retry_after_s, lambda _: Reply(0, ""))
        asked = 0

        def answer(_: Call) -> Reply:
            nonlocal asked
            asked += 1
            if asked <= patience + 1:
                return refusal(-1003, "Too much request weight used.", 429, {"Retry-After": _whole(retry_after_s)})
            if asked == patience + 2:
                layer.hits["too-many-requests-ban"] += 1
                window.until = layer.monotonic() + ban_s
            return refusal(
                -1003, "Way too much request weight used; IP banned.", 418, {"Retry-After": _whole(ban_s)}
            )

        window.answer = answer
        layer.window = window
        return answer(call)

    return RequestFault(
        name="too-many-requests",
        number="A11",
        target=REST,
        before=before,
        text=f"429, Retry-After {retry_after_s:g} s; asked {patience} times more meanwhile, 418 for {ban_s:g} s",
    )


def maintenance(seconds: float = 1.0) -> RequestFault:
    """The whole exchange is away: sockets end, every request and handshake gets 503."""

    def down(_: Call) -> Reply:
        return Reply(503, "<html>Service Unavailable</html>", {"Retry-After": "1"}, content_type="text/html")

    async def before(layer: ScriptedFaults, call: Call) -> Reply:
        layer.window = Window(layer.monotonic() + seconds, down)
        layer.exchange.hub.abort_all()
        return down(call)

    text = f"for {seconds:g} s every request gets 503, every socket ends"
    return RequestFault(name="maintenance", number="A16", target=REST, before=before, text=text)


def link_lost(seconds: float = 1.0) -> RequestFault:
    """The way to the exchange is gone: every connection is reset, new ones too."""

    def gone(_: Call) -> Reply:
        return Reply(0, "", fate=Fate.RESET)

    async def before(layer: ScriptedFaults, call: Call) -> Reply:
        layer.window = Window(layer.monotonic() + seconds, gone)
        layer.exchange.hub.abort_all()
        return gone(call)

    text = f"for {seconds:g} s every connection is reset, sockets too"
    return RequestFault(name="link-lost", number="D20", target=REST, before=before, text=text)


def hidden(seconds: float = 1.0) -> RequestFault:
    """Reads do not show orders and trades that are younger than this."""

    async def after(layer: ScriptedFaults, call: Call, reply: Reply) -> Reply:  # noqa: ARG001
        known = _parsed(reply)
        young = layer.exchange.engine.now() - seconds * 1000
        if isinstance(known, list):
            reply.text = json.dumps([row for row in known if row.get("time", 0) <= young])
        elif isinstance(known, dict) and known.get("time", 0) > young:
            return refusal(-2013, "Order does not exist.")
        return reply

    return RequestFault(
        name="hidden",
        number="A9",
        target=YOUNG,
        after=after,
        text=f"reads do not show orders and trades younger than {seconds:g} s",
    )


def paged(rows: int = 2) -> RequestFault:
    """Histories come in pages of so few rows: the oldest of what was asked for by id or time, else the newest."""

    async def after(layer: ScriptedFaults, call: Call, reply: Reply) -> Reply:  # noqa: ARG001
        known = _parsed(reply)
        if isinstance(known, list):
            forward = {"fromId", "startTime", "orderId"} & set(call.params)
            reply.text = json.dumps(known[:rows] if forward else known[-rows:])
        return reply

    text = f"histories of trades and orders come in pages of {rows}"
    return RequestFault(name="paging", number="A15", target="GET myTrades|GET allOrders", after=after, text=text)


def edit_half_done() -> RequestFault:
    """A cancel-and-replace cancels, and its new order is refused: -2021."""

    async def before(layer: ScriptedFaults, call: Call) -> Reply | None:
        number, params = call.params.get("cancelOrderId"), call.params
        try:
            canceled = layer.exchange.engine.cancel(
                call.account,
                params.get("symbol", ""),
                int(number) if number else None,
                params.get("cancelOrigClientOrderId", ""),
            )
        except Refusal:
            return None  # there is nothing to cancel: the exchange says so itself
        data = {
            "cancelResult": "SUCCESS",
            "newOrderResult": "FAILURE",
            "cancelResponse": views.canceled(canceled, f"edit{call.seq}"),
            "newOrderResponse": {"code": -2010, "msg": "Order would immediately match and take."},
        }
        body = {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": data}
        return Reply(409, json.dumps(body))

    text = "an edit cancels the old order, and its new one is refused"
    return RequestFault(
        name="edit-half-done", number="A28", target="POST order/cancelReplace", before=before, text=text
    )


def stale_balance() -> RequestFault:
    """A balance is the one that was told last time, older than the fills since."""

    def note(layer: ScriptedFaults, call: Call, reply: Reply) -> None:
        if reply.status == 200 and reply.fate is Fate.SEND:  # noqa: PLR2004 - HTTP OK
            key = f"balance/{call.account}"
            told = layer.memory.setdefault(key, [])
            told.append(reply.text)
            del told[:-2]

    async def after(layer: ScriptedFaults, call: Call, reply: Reply) -> Reply:
        told = layer.memory.get(f"balance/{call.account}")
        if told:
            reply.text = told[0]
        return reply

    text = "a balance is the one told the time before, older than the fills since"
    return RequestFault(
        name="stale-balance", number="A21", target="GET account", after=after, note=note, text=text
    )


def _whole(seconds: float) -> str:
    """Seconds as the header has them, which knows no parts of one."""
    return str(max(1, math.ceil(seconds)))


def _parsed(reply: Reply) -> Any:  # noqa: ANN401 - JSON
    if reply.status != 200:  # noqa: PLR2004 - HTTP OK
        return None
    try:
        return json.loads(reply.text)
    except ValueError:
        return None
