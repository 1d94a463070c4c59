"""From a request's parameters to an order request, with Binance's words for what is wrong with them."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from tradingd.testing.exchange.exact import ZERO
from tradingd.testing.exchange.filters import LIMITED, STOPS
from tradingd.testing.exchange.model import OrderRequest, OrderType, Refusal, SelfTrade, Side, TimeInForce

__all__ = ["Params", "integer", "order_request", "required", "which_order"]

Params = Mapping[str, str]
_E = TypeVar("_E", bound=StrEnum)
_CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
_DECIMALS = 8
_NUMBER = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")


def required(params: Params, name: str) -> str:
    """Returns a parameter that must be there."""
    value = params.get(name, "")
    if not value:
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def integer(params: Params, name: str) -> int | None:
    """Returns a whole number, or None where it was not sent."""
    value = params.get(name, "")
    if not value:
        return None
    if not value.isascii() or not value.isdigit():
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(value)


def _amount(params: Params, name: str) -> Decimal:
    value = required(params, name)
    if not _NUMBER.match(value):
        raise Refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; "
            "legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:  # pragma: no cover - the pattern lets only numbers through
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.") from None
    if -int(amount.normalize().as_tuple().exponent) > _DECIMALS:
        raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
    if amount == ZERO:
        raise Refusal(-1013, f"Invalid {name}.")
    return amount


def _choice(kind: type[_E], value: str, code: int, message: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise Refusal(code, message) from None


def order_request(params: Params) -> OrderRequest:
    """Reads a new order; raises Refusal for what is missing, malformed, or not of that type's parameters."""
    kind = _choice(OrderType, required(params, "type"), -1116, "Invalid orderType.")
    client_id = params.get("newClientOrderId", "")
    if client_id and not _CLIENT_ID.match(client_id):
        raise Refusal(
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; "
            "legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
        )
    by_quote = kind is OrderType.MARKET and "quoteOrderQty" in params
    _refuse_extras(params, kind, by_quote=by_quote)
    mode = params.get("selfTradePreventionMode")
    return OrderRequest(
        symbol=required(params, "symbol"),
        side=_choice(Side, required(params, "side"), -1117, "Invalid side."),
        type=kind,
        qty=ZERO if by_quote else _amount(params, "quantity"),
        quote_qty=_amount(params, "quoteOrderQty") if by_quote else ZERO,
        price=_amount(params, "price") if kind in LIMITED else ZERO,
        stop_price=_amount(params, "stopPrice") if kind in STOPS else ZERO,
        tif=_time_in_force(params, kind),
        client_id=client_id,
        self_trade=_choice(SelfTrade, mode, -1013, "Invalid selfTradePreventionMode.") if mode else None,
    )


def _time_in_force(params: Params, kind: OrderType) -> TimeInForce:
    if kind not in LIMITED or kind is OrderType.LIMIT_MAKER:
        return TimeInForce.GTC
    return _choice(TimeInForce, required(params, "timeInForce"), -1115, "Invalid timeInForce.")


def _refuse_extras(params: Params, kind: OrderType, *, by_quote: bool) -> None:
    extras = []
    if kind not in LIMITED:
        extras += ["price", "timeInForce"]
    if kind is OrderType.LIMIT_MAKER:
        extras.append("timeInForce")
    if kind not in STOPS:
        extras.append("stopPrice")
    extras.append("quantity" if by_quote else "quoteOrderQty")
    for name in extras:
        if params.get(name):
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")


def which_order(
    params: Params, by_id: str = "orderId", by_client: str = "origClientOrderId"
) -> tuple[int | None, str]:
    """Returns (order id or None, client id): the exchange's id goes before ours."""
    order_id, client_id = integer(params, by_id), params.get(by_client, "")
    if order_id is None and not client_id:
        raise Refusal(-1102, f"Param '{by_client}' or '{by_id}' must be sent, but both were empty/null!")
    return order_id, client_id
