"""What the exchange does and tells for the owner of a key: orders, trades, balances, the key itself."""

from typing import Any

from tradingd.testing.exchange import views
from tradingd.testing.exchange.desk import Desk
from tradingd.testing.exchange.exact import text
from tradingd.testing.exchange.model import FeePlan, Order, OrderType, Refusal, Trade
from tradingd.testing.exchange.orders import Params, integer, order_request, required, which_order

__all__ = [
    "account",
    "all_orders",
    "api_restrictions",
    "cancel_all",
    "cancel_order",
    "cancel_replace",
    "my_trades",
    "open_orders",
    "open_orders_weight",
    "place_order",
    "query_order",
    "test_order",
    "trade_fee",
]

Json = dict[str, Any]
_DAY_MS = 86_400_000
_FULL = frozenset({OrderType.MARKET, OrderType.LIMIT})


def _detail(params: Params) -> str:
    kind = params.get("type", "")
    return params.get("newOrderRespType") or ("FULL" if kind in _FULL else "ACK")


def _request_id(desk: Desk, params: Params) -> str:
    """The id of a cancel itself: the client's, else one that the exchange makes up."""
    return params.get("newClientOrderId") or f"cancel-{desk.now():x}-{integer(params, 'orderId') or 0}"


def place_order(desk: Desk, who: str, params: Params) -> Json:
    """Places an order."""
    order, trades = desk.engine.place(who, order_request(params))
    return views.placed(order, trades, _detail(params))


def test_order(desk: Desk, who: str, params: Params) -> Json:
    """Checks an order as if it were placed."""
    desk.engine.check(who, order_request(params))
    return {}


def query_order(desk: Desk, who: str, params: Params) -> Json:
    """One order, open or not."""
    return views.queried(desk.engine.query(who, required(params, "symbol"), *which_order(params)))


def cancel_order(desk: Desk, who: str, params: Params) -> Json:
    """Cancels one order."""
    request_id = _request_id(desk, params)
    order = desk.engine.cancel(who, _symbol(desk, params), *which_order(params), request_id)
    return views.canceled(order, request_id)


def cancel_all(desk: Desk, who: str, params: Params) -> list[Json]:
    """Cancels all open orders of a symbol."""
    symbol = _symbol(desk, params)
    orders = desk.engine.open_orders(who, symbol)
    if not orders:
        raise Refusal(-2011, "Unknown order sent.")
    return [
        views.canceled(desk.engine.cancel(who, symbol, order.id, request_id=f"all-{order.id}"), f"all-{order.id}")
        for order in orders
    ]


def cancel_replace(desk: Desk, who: str, params: Params) -> Json:
    """Cancels one order and places another."""
    mode = required(params, "cancelReplaceMode")
    request_id = params.get("cancelNewClientOrderId") or f"replace-{desk.now():x}"
    outcome = desk.engine.cancel_replace(
        who,
        order_request(params),
        *which_order(params, "cancelOrderId", "cancelOrigClientOrderId"),
        request_id,
        allow_failure=mode == "ALLOW_FAILURE",
    )
    return views.replaced(outcome, request_id, _detail(params))


def open_orders_weight(params: Params) -> int:
    """All symbols at once cost more."""
    return 6 if "symbol" in params else 80


def open_orders(desk: Desk, who: str, params: Params) -> list[Json]:
    """Open orders of a symbol, or of all."""
    symbol = _symbol(desk, params) if "symbol" in params else None
    return [views.queried(order) for order in desk.engine.open_orders(who, symbol)]


def all_orders(desk: Desk, who: str, params: Params) -> list[Json]:
    """Orders from an id, or within at most 24 hours, else the newest."""
    first, (since, until) = integer(params, "orderId"), _window(params)
    rows: list[Order] = [
        order
        for order in desk.engine.all_orders(who, _symbol(desk, params))
        if order.id >= (first or 0) and (since or 0) <= order.ts <= (until or order.ts)
    ]
    newest = first is None and since is None
    return [views.queried(order) for order in desk.page(rows, integer(params, "limit"), newest=newest)]


def my_trades(desk: Desk, who: str, params: Params) -> list[Json]:
    """Trades from an id, of an order, or within at most 24 hours, else the newest."""
    first, order_id, (since, until) = integer(params, "fromId"), integer(params, "orderId"), _window(params)
    if first is not None and (since is not None or until is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    rows: list[Trade] = [
        trade
        for trade in desk.engine.my_trades(who, _symbol(desk, params))
        if trade.id >= (first or 0)
        and order_id in {None, trade.order_id}
        and (since or 0) <= trade.ts <= (until or trade.ts)
    ]
    newest = first is None and since is None
    return [views.my_trade(trade) for trade in desk.page(rows, integer(params, "limit"), newest=newest)]


def _window(params: Params) -> tuple[int | None, int | None]:
    """(startTime, endTime): never more than 24 hours, also where only the start is given."""
    since, until = integer(params, "startTime"), integer(params, "endTime")
    if since is not None and until is None:
        return since, since + _DAY_MS
    if since is not None and until is not None and until - since > _DAY_MS:
        raise Refusal(-1127, "More than 24 hours between startTime and endTime.")
    return since, until


def _symbol(desk: Desk, params: Params) -> str:
    symbol = required(params, "symbol")
    if symbol not in desk.engine.markets:
        raise Refusal(-1121, "Invalid symbol.")
    return symbol


def account(desk: Desk, who: str, params: Params) -> Json:
    """Balances and what the account pays."""
    plan = desk.engine.fees(who)
    hide = params.get("omitZeroBalances", "").lower() == "true"
    return {
        "makerCommission": _points(plan, maker=True),
        "takerCommission": _points(plan, maker=False),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": text(plan.maker),
            "taker": text(plan.taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "updateTime": desk.now(),
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": text(free), "locked": text(locked)}
            for asset, (free, locked) in desk.engine.balances(who).items()
            if not hide or free or locked
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def _points(plan: FeePlan, *, maker: bool) -> int:
    return int((plan.maker if maker else plan.taker).scaleb(4))


def trade_fee(desk: Desk, who: str, params: Params) -> list[Json]:
    """Fee rates per symbol (sapi)."""
    plan = desk.engine.fees(who)
    names = [_symbol(desk, params)] if "symbol" in params else list(desk.engine.markets)
    rates = {"makerCommission": text(plan.maker), "takerCommission": text(plan.taker)}
    return [{"symbol": name, **rates} for name in names]


def api_restrictions(desk: Desk, _who: str, params: Params) -> Json:
    """What the key that asks may do (sapi)."""
    key = desk.keys[params["apiKey"]]
    return {
        "ipRestrict": key.ip_restricted,
        "createTime": key.created,
        "enableReading": True,
        "enableWithdrawals": key.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": key.can_trade,
        "enablePortfolioMarginTrading": False,
    }
