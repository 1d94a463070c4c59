"""What is asked of ccxt's `create_order` and `edit_order`: decided here, sent elsewhere."""

from decimal import Decimal

import msgspec

from tradingd.domain.enums import OrderType, TimeInForce
from tradingd.domain.events import SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.venue import VenueCapabilities
from tradingd.errors import VenueRefusedError
from tradingd.venues.outcome import NOT_SENT
from tradingd.venues.table import VenueRow
from tradingd.venues.untyped import Untyped

__all__ = ["OrderRequest", "order_request", "plain"]

_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class OrderRequest(msgspec.Struct, frozen=True):
    """The arguments of a `create_order`; amounts and prices are texts, so that nothing is lost on the way."""

    symbol: str
    kind: str
    side: str
    amount: str
    price: str | None
    params: dict[str, Untyped]

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """The figures that have to survive ccxt's rounding unchanged: amount and prices, by what they are."""
        prices = [self.price, self.params.get("stopLossPrice"), self.params.get("takeProfitPrice")]
        return [("amount", self.amount), *(("price", price) for price in prices if price is not None)]


def plain(value: Decimal) -> str:
    """A number without an exponent and without zeros behind it."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_request(
    order: SubmitOrder,
    instrument: Instrument,
    symbol: str,
    row: VenueRow,
    capabilities: VenueCapabilities,
) -> OrderRequest:
    """How `order` is sent to the venue; `symbol` is ccxt's.

    Raises:
        VenueRefusedError: the venue has no such order, or it breaks a filter; nothing was sent.

    """
    _refuse_unsendable(order, instrument, capabilities)
    params: dict[str, Untyped] = {row.create_param: row.codec.encode(order.order_id)}
    if order.time_in_force is not TimeInForce.GTC:
        params["timeInForce"] = order.time_in_force.value
    if order.terms.post_only:
        params["postOnly"] = True
    if order.reduce_only and instrument.kind.is_contract:
        params["reduceOnly"] = True
    if order.stop_price is not None:
        params["stopLossPrice" if order.order_type in _STOPS else "takeProfitPrice"] = plain(order.stop_price)
    return OrderRequest(
        symbol=symbol,
        kind="limit" if order.order_type.has_limit else "market",
        side=order.side.value.lower(),
        amount=plain(order.quantity),
        # A price with a market order makes some adapters send the amount to spend instead of the quantity.
        price=None if order.limit_price is None else plain(order.limit_price),
        params=params,
    )


def _refuse_unsendable(order: SubmitOrder, instrument: Instrument, capabilities: VenueCapabilities) -> None:
    kind, time = order.order_type, order.time_in_force
    lacks = ""
    if kind not in capabilities.order_types:
        lacks = f"{kind} orders"
    elif time not in capabilities.times_in_force:
        lacks = f"{time} orders"
    elif order.terms.post_only and not capabilities.post_only:
        lacks = "post-only orders"
    elif order.terms.oco and not capabilities.oco:
        lacks = "OCO groups"
    elif not kind.prices_fit(order.limit_price, order.stop_price):
        lacks = f"{kind} orders with these prices"
    if lacks:
        raise VenueRefusedError(f"{order.order_id}: {order.venue} offers no {lacks}; it was not sent", NOT_SENT)
    reason = instrument.violation(order.quantity, order.limit_price, None)
    if reason:
        raise VenueRefusedError(f"{order.order_id}: {reason}; it was not sent", NOT_SENT)
