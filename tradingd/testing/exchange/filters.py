"""The filters of a market, with Binance's codes and messages. Each check raises `Refusal` or passes."""

from decimal import Decimal

from tradingd.testing.exchange.exact import ZERO, floor, mul
from tradingd.testing.exchange.model import MarketSpec, OrderRequest, OrderType, Refusal, Side

__all__ = ["LIMITED", "STOPS", "check_filters", "describe"]

STOPS = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
"""Types that wait for a price."""
LIMITED = frozenset(
    {OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT}
)
"""Types with a limit price."""


def check_filters(spec: MarketSpec, request: OrderRequest, last: Decimal | None, open_orders: int) -> None:
    """Raises the refusal that Binance would give; `last` stands for its average price."""
    if spec.status != "TRADING":
        raise Refusal(-1013, "Market is closed.")
    if request.type in LIMITED:
        _check_price(spec, request.price)
        _check_percent(spec, request, last)
    if request.type in STOPS:
        _check_price(spec, request.stop_price)
    if request.qty:
        _check_lot(spec, request)
    _check_notional(spec, request, last)
    if open_orders >= spec.max_orders:
        raise Refusal(-1013, "Filter failure: MAX_NUM_ORDERS")


def _check_price(spec: MarketSpec, price: Decimal) -> None:
    if not spec.min_price <= price <= spec.max_price or floor(price, spec.tick) != price:
        raise Refusal(-1013, "Filter failure: PRICE_FILTER")


def _check_percent(spec: MarketSpec, request: OrderRequest, last: Decimal | None) -> None:
    if last is None:
        return
    if not mul(last, spec.percent_down) <= request.price <= mul(last, spec.percent_up):
        raise Refusal(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")


def _check_lot(spec: MarketSpec, request: OrderRequest) -> None:
    if not spec.min_qty <= request.qty <= spec.max_qty or floor(request.qty, spec.lot) != request.qty:
        raise Refusal(-1013, "Filter failure: LOT_SIZE")
    if request.type is OrderType.MARKET and request.qty > spec.market_max_qty:
        raise Refusal(-1013, "Filter failure: MARKET_LOT_SIZE")


def _check_notional(spec: MarketSpec, request: OrderRequest, last: Decimal | None) -> None:
    price = request.price or request.stop_price or last or ZERO
    notional = request.quote_qty or mul(price, request.qty)
    if price and not spec.min_notional <= notional <= spec.max_notional:
        raise Refusal(-1013, "Filter failure: NOTIONAL")


def describe(spec: MarketSpec) -> list[dict[str, object]]:
    """Returns the filters as exchangeInfo has them."""
    up, down = str(spec.percent_up), str(spec.percent_down)
    multipliers: dict[str, object] = {}
    for name in ("bid" if side is Side.BUY else "ask" for side in Side):
        multipliers |= {f"{name}MultiplierUp": up, f"{name}MultiplierDown": down}
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": str(spec.min_price),
            "maxPrice": str(spec.max_price),
            "tickSize": str(spec.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": str(spec.min_qty),
            "maxQty": str(spec.max_qty),
            "stepSize": str(spec.lot),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": str(spec.market_max_qty),
            "stepSize": "0.00000000",
        },
        {"filterType": "PERCENT_PRICE_BY_SIDE", **multipliers, "avgPriceMins": 5},
        {
            "filterType": "NOTIONAL",
            "minNotional": str(spec.min_notional),
            "applyMinToMarket": True,
            "maxNotional": str(spec.max_notional),
            "applyMaxToMarket": True,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": spec.max_orders},
    ]
