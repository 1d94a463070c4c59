"""The ws-api face: signed requests and the user data stream over one websocket."""

from typing import Any

import msgspec

from tradingd.testing.exchange import private, public, views
from tradingd.testing.exchange.auth import sorted_payload, wire_text
from tradingd.testing.exchange.desk import Desk, Endpoint, Proof
from tradingd.testing.exchange.limits import TooMany
from tradingd.testing.exchange.model import Call, EngineEvent, Refusal, Reply
from tradingd.testing.exchange.rest import dump

__all__ = ["METHODS", "Session", "read", "refused", "respond", "texts"]

METHODS: dict[str, Endpoint] = {
    "ping": Endpoint(public.ping, signed=False),
    "time": Endpoint(public.time, signed=False),
    "exchangeInfo": Endpoint(public.exchange_info, 20, signed=False),
    "depth": Endpoint(public.depth, public.depth_weight, signed=False),
    "ticker.book": Endpoint(public.book_ticker, 2, signed=False),
    "order.place": Endpoint(private.place_order, 1, order=True),
    "order.test": Endpoint(private.test_order, 1, trade=True),
    "order.status": Endpoint(private.query_order, 4),
    "order.cancel": Endpoint(private.cancel_order, 1, trade=True),
    "order.cancelReplace": Endpoint(private.cancel_replace, 1, order=True),
    "openOrders.status": Endpoint(private.open_orders, private.open_orders_weight),
    "openOrders.cancelAll": Endpoint(private.cancel_all, 1, trade=True),
    "allOrders": Endpoint(private.all_orders, 20),
    "myTrades": Endpoint(private.my_trades, 20),
    "account.status": Endpoint(private.account, 20),
}
"""Requests that are answered like their REST twins."""


class Session(msgspec.Struct):
    """What one websocket knows of its client."""

    api_key: str = ""
    """The key of session.logon."""
    subscriptions: dict[int, str] = msgspec.field(default_factory=dict)
    """Account by subscription id."""
    next_id: int = 0

    def wrap(self, account: str, event: EngineEvent) -> list[tuple[str, str]]:
        """Returns (text, topic) per subscription to the account."""
        subscribed = [number for number, name in self.subscriptions.items() if name == account]
        body = views.user_event(event) if subscribed else None
        if body is None:
            return []
        return [(dump({"subscriptionId": number, "event": body}), str(body["e"])) for number in subscribed]


class _Request(msgspec.Struct):
    method: str
    id: str | int | None = None
    params: dict[str, Any] | None = None


def read(desk: Desk, session: Session, text: str) -> tuple[str | int | None, str, dict[str, Any]]:
    """Returns (id, method, parameters) of a message; raises Refusal for what is not a request."""
    try:
        message = msgspec.json.decode(text, type=_Request)
    except msgspec.DecodeError:  # not JSON, or not of this shape
        raise Refusal(-1135, "Invalid JSON Request") from None
    params = message.params or {}
    if session.api_key and "apiKey" not in params and desk.account_of(session.api_key):
        params = params | {"apiKey": session.api_key}
    return message.id, message.method, params


def texts(params: dict[str, Any]) -> dict[str, str]:
    """Parameters as REST would have them."""
    return {name: wire_text(value) for name, value in params.items()}


def respond(desk: Desk, session: Session, request_id: object, call: Call, raw: dict[str, Any]) -> Reply:
    """Handles one request; the reply's text is the whole frame."""
    try:
        body: dict[str, Any] = {"id": request_id, "status": 200, "result": _result(desk, session, call, raw)}
    except Refusal as refusal:
        body = refused(request_id, refusal)
    if call.params.get("returnRateLimits", "true") != "false":
        body["rateLimits"] = desk.limits.table()
    return Reply(int(body["status"]), dump(body))


def refused(request_id: object, refusal: Refusal) -> dict[str, Any]:
    """The frame that says no."""
    error = views.error(refusal)
    if isinstance(refusal, TooMany):
        error["data"] = {"retryAfter": refusal.retry_after}
    return {"id": request_id, "status": refusal.status, "error": error}


def _result(desk: Desk, session: Session, call: Call, raw: dict[str, Any]) -> Any:  # noqa: ANN401 - it is JSON
    own = _SESSION_METHODS.get(call.method)
    signature = str(raw.get("signature", ""))
    logged_on = bool(session.api_key) and session.api_key == call.api_key and not signature
    proof = Proof(sorted_payload(raw), signature, logged_on)
    if own is not None:
        desk.limits.spend(2)
        return own(desk, session, call, proof)
    endpoint = METHODS.get(call.method)
    if endpoint is None:
        raise Refusal(-1000, f"Unknown method '{call.method}'.")
    return desk.answer(endpoint, call, proof)


def _log_on(desk: Desk, session: Session, call: Call, proof: Proof) -> dict[str, Any]:
    key = desk.authorize(call, proof)
    if "PRIVATE KEY" not in key.secret:
        raise Refusal(-4056, "HMAC_SHA256 API key is not supported.")
    session.api_key = key.key
    return _standing(desk, session, call, proof)


def _log_out(desk: Desk, session: Session, call: Call, proof: Proof) -> dict[str, Any]:
    session.api_key = ""
    return _standing(desk, session, call, proof)


def _standing(desk: Desk, session: Session, _call: Call, _proof: Proof) -> dict[str, Any]:
    now = desk.now()
    return {
        "apiKey": session.api_key or None,
        "authorizedSince": now if session.api_key else None,
        "connectedSince": now,
        "returnRateLimits": True,
        "serverTime": now,
        "userDataStream": bool(session.subscriptions),
    }


def _subscribe(desk: Desk, session: Session, call: Call, proof: Proof) -> dict[str, Any]:
    return _subscribe_account(session, desk.authorize(call, proof).account)


def _subscribe_session(desk: Desk, session: Session, call: Call, _proof: Proof) -> dict[str, Any]:
    if not session.api_key:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return _subscribe_account(session, desk.account_of(call.api_key))


def _subscribe_account(session: Session, account: str) -> dict[str, Any]:
    number = session.next_id
    session.next_id += 1
    session.subscriptions[number] = account
    return {"subscriptionId": number}


def _unsubscribe(_desk: Desk, session: Session, call: Call, _proof: Proof) -> dict[str, Any]:
    asked = call.params.get("subscriptionId", "")
    for number in [number for number in session.subscriptions if asked in {"", str(number)}]:
        del session.subscriptions[number]
    return {}


_SESSION_METHODS = {
    "session.logon": _log_on,
    "session.logout": _log_out,
    "session.status": _standing,
    "userDataStream.subscribe": _subscribe_session,
    "userDataStream.subscribe.signature": _subscribe,
    "userDataStream.unsubscribe": _unsubscribe,
}
