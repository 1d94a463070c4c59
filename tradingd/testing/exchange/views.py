"""How the exchange's things look as JSON: Binance's field names and order."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tradingd.testing.exchange.book import remaining
from tradingd.testing.exchange.exact import ZERO, text
from tradingd.testing.exchange.filters import describe
from tradingd.testing.exchange.model import (
    BalanceChange,
    EngineEvent,
    Execution,
    MarketSpec,
    Order,
    OrderEvent,
    OrderType,
    PublicTrade,
    Refusal,
    Replacement,
    Side,
    Trade,
    Transfer,
)

__all__ = [
    "agg_trade",
    "canceled",
    "error",
    "market",
    "my_trade",
    "placed",
    "public_trade",
    "queried",
    "replaced",
    "user_event",
]

Json = dict[str, Any]


def error(refusal: Refusal) -> Json:
    """Code and message, and the data that belongs to them."""
    body: Json = {"code": refusal.code, "msg": refusal.message}
    return body if refusal.data is None else body | {"data": refusal.data}


def market(spec: MarketSpec) -> Json:
    """One row of exchangeInfo's symbols."""
    return {
        "symbol": spec.symbol,
        "status": spec.status,
        "baseAsset": spec.base,
        "baseAssetPrecision": 8,
        "quoteAsset": spec.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [str(kind) for kind in OrderType],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": describe(spec),
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _order(order: Order, client_id: str) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": client_id,
        "price": text(order.price),
        "origQty": text(order.qty),
        "executedQty": text(order.filled),
        "origQuoteOrderQty": text(order.quote_qty),
        "cummulativeQuoteQty": text(order.quote_filled),
        "status": str(order.status),
        "timeInForce": str(order.tif),
        "type": str(order.type),
        "side": str(order.side),
    }


def _stop(order: Order) -> Json:
    return {"stopPrice": text(order.stop_price)} if order.stop_price else {}


def placed(order: Order, trades: Sequence[Trade], detail: str) -> Json:
    """The answer to a new order: `detail` is ACK, RESULT or FULL."""
    ack = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.updated,
    }
    if detail == "ACK":
        return ack
    result = _order(order, order.client_id) | _stop(order)
    result |= {"transactTime": order.updated, "workingTime": order.updated if order.working else -1}
    result["selfTradePreventionMode"] = str(order.self_trade)
    return result if detail == "RESULT" else result | {"fills": [_fill(trade) for trade in trades]}


def _fill(trade: Trade) -> Json:
    return {
        "price": text(trade.price),
        "qty": text(trade.qty),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "tradeId": trade.id,
    }


def canceled(order: Order, request_id: str) -> Json:
    """The answer to a cancel: `clientOrderId` is the cancel's own id, the order's is `origClientOrderId`."""
    ids = {"origClientOrderId": order.client_id, "transactTime": order.updated}
    return _order(order, request_id) | ids | _stop(order) | {"selfTradePreventionMode": str(order.self_trade)}


def queried(order: Order) -> Json:
    """An order as GET order, openOrders and allOrders have it."""
    return _order(order, order.client_id) | {
        "stopPrice": text(order.stop_price),
        "icebergQty": text(ZERO),
        "time": order.ts,
        "updateTime": order.updated,
        "isWorking": order.working,
        "workingTime": order.ts if order.working else -1,
        "selfTradePreventionMode": str(order.self_trade),
    }


def replaced(outcome: Replacement, request_id: str, detail: str) -> Json:
    """The answer to a cancel-and-replace; raises Refusal, with this as its data, where a part of it failed."""
    done, new = outcome.canceled, outcome.placed
    body: Json = {
        "cancelResult": "FAILURE" if isinstance(done, Refusal) else "SUCCESS",
        "newOrderResult": "NOT_ATTEMPTED" if new is None else "SUCCESS" if isinstance(new, Order) else "FAILURE",
        "cancelResponse": error(done) if isinstance(done, Refusal) else canceled(done, request_id),
        "newOrderResponse": None,
    }
    if new is not None:
        body["newOrderResponse"] = placed(new, outcome.trades, detail) if isinstance(new, Order) else error(new)
    if isinstance(done, Order) and isinstance(new, Order):
        return body
    if isinstance(done, Order) or isinstance(new, Order):
        raise Refusal(-2021, "Order cancel-replace partially failed.", 409, body)
    raise Refusal(-2022, "Order cancel-replace failed.", 400, body)


def my_trade(trade: Trade) -> Json:
    """One row of myTrades."""
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": text(trade.price),
        "qty": text(trade.qty),
        "quoteQty": text(trade.quote_qty),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.ts,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def public_trade(trade: PublicTrade) -> Json:
    """One row of trades."""
    return {
        "id": trade.id,
        "price": text(trade.price),
        "qty": text(trade.qty),
        "quoteQty": text(trade.price * trade.qty),
        "time": trade.ts,
        "isBuyerMaker": trade.buyer_maker,
        "isBestMatch": True,
    }


def agg_trade(trade: PublicTrade) -> Json:
    """One row of aggTrades: here each trade stands alone."""
    return {
        "a": trade.id,
        "p": text(trade.price),
        "q": text(trade.qty),
        "f": trade.id,
        "l": trade.id,
        "T": trade.ts,
        "m": trade.buyer_maker,
        "M": True,
    }


def user_event(event: EngineEvent) -> Json | None:
    """An event of the user data stream, without its wrapper; None for what is not one."""
    if isinstance(event, OrderEvent):
        return _execution_report(event)
    if isinstance(event, BalanceChange):
        rows = [{"a": asset, "f": text(free), "l": text(locked)} for asset, free, locked in event.balances]
        return {"e": "outboundAccountPosition", "E": event.ts, "u": event.ts, "B": rows}
    if isinstance(event, Transfer):
        return {"e": "balanceUpdate", "E": event.ts, "a": event.asset, "d": text(event.delta), "T": event.ts}
    return None


def _execution_report(event: OrderEvent) -> Json:
    order, trade = event.order, event.trade
    report: Json = {
        "e": "executionReport",
        "E": event.ts,
        "s": order.symbol,
        "c": event.request_id,
        "S": str(order.side),
        "o": str(order.type),
        "f": str(order.tif),
        "q": text(order.qty),
        "p": text(order.price),
        "P": text(order.stop_price),
        "F": text(ZERO),
        "g": -1,
        "C": event.reference,
        "x": str(event.execution),
        "X": str(order.status),
        "r": event.reason,
        "i": order.id,
        "l": _or_zero(trade.qty if trade else None),
        "z": text(order.filled),
        "L": _or_zero(trade.price if trade else None),
        "n": text(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": event.ts,
        "t": trade.id if trade else -1,
        "I": event.ts,
        "w": order.working and order.open and bool(remaining(order)),
        "m": trade.maker if trade else False,
        "M": False,
        "O": order.ts,
        "Z": text(order.quote_filled),
        "Y": _or_zero(trade.quote_qty if trade else None),
        "Q": text(order.quote_qty),
        "V": str(order.self_trade),
    }
    if event.execution is not Execution.REJECTED and order.working:
        report["W"] = order.ts
    return report


def _or_zero(value: Decimal | None) -> str:
    return text(ZERO if value is None else value)
