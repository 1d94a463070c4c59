"""The desk that every request comes to, by REST or by ws-api: limits, keys, signatures, then the endpoint."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tradingd.testing.exchange.auth import ApiKey, check_signature, check_time
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.limits import LimitPlan, Limits
from tradingd.testing.exchange.model import Call, Refusal
from tradingd.testing.exchange.orders import Params

__all__ = ["Desk", "Endpoint", "Proof"]


class Proof(msgspec.Struct, frozen=True):
    """What a request brings to show who sent it: the text that was signed, and the signature."""

    payload: str = ""
    signature: str = ""
    logged_on: bool = False
    """The socket it came by was logged on with `session.logon`: no signature is asked for."""


class Endpoint(msgspec.Struct, frozen=True):
    """What answers a request. `handler(desk, account, params)` returns JSON or raises Refusal."""

    handler: Callable[["Desk", str, Params], Any]
    weight: int | Callable[[Params], int] = 1
    signed: bool = True
    order: bool = False
    """Counts as a new order, and needs a key that may trade."""
    trade: bool = False
    """Needs a key that may trade (cancels)."""


class Desk:
    """Checks requests and hands them to their endpoints. It knows nothing of sockets."""

    def __init__(self, engine: Engine, plan: LimitPlan) -> None:
        self.engine = engine
        self.limits = Limits(plan, engine.now)
        self.keys: dict[str, ApiKey] = {}
        self.page_limit = 1_000
        """The most rows that a list endpoint returns, whatever the caller asks for."""

    def now(self) -> int:
        """The exchange's own time (ms)."""
        return self.engine.now()

    def account_of(self, api_key: str) -> str:
        """Returns the account of a key, "" for a key that nobody has."""
        key = self.keys.get(api_key)
        return key.account if key is not None else ""

    def answer(self, endpoint: Endpoint, call: Call, proof: Proof) -> Any:  # noqa: ANN401 - it is JSON
        """Returns the JSON that answers the call; raises Refusal."""
        self.limits.spend(endpoint.weight if isinstance(endpoint.weight, int) else endpoint.weight(call.params))
        if endpoint.signed:
            key = self.authorize(call, proof)
            if (endpoint.order or endpoint.trade) and not key.can_trade:
                raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if endpoint.order:
            self.limits.spend_order()
        return endpoint.handler(self, call.account, call.params | {"apiKey": call.api_key})

    def authorize(self, call: Call, proof: Proof) -> ApiKey:
        """Returns the key of a signed call; raises Refusal for an unknown key, wrong signature or stale time."""
        if not call.api_key:
            raise Refusal(-2014, "API-key format invalid.", 401)
        key = self.keys.get(call.api_key)
        if key is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        check_time(call.params, self.now())
        if not proof.logged_on:
            check_signature(key, proof.payload, proof.signature)
        return key

    def page(self, rows: Iterable[Any], asked: int | None, *, newest: bool, default: int = 500) -> list[Any]:
        """Cuts a list, oldest first, to a page: its newest rows, or its oldest."""
        size = min(asked or default, self.page_limit)
        found = list(rows)
        return found[-size:] if newest else found[:size]
