"""What the engine knows, as OKX writes it: everything a text, fees from the account's view, empty texts for nothing."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.second.contracts import ContractSpec, Position
from tradingd.testing.exchange.candles import Candle
from tradingd.testing.exchange.exact import ZERO, add, quotient
from tradingd.testing.exchange.model import (
    MarketSpec,
    Order,
    OrderType,
    PublicTrade,
    Side,
    Status,
    TimeInForce,
    Trade,
)

STATES = {
    Status.NEW: "live",
    Status.PARTIALLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "canceled",
    Status.EXPIRED_IN_MATCH: "canceled",
}


def digits(value: Decimal) -> str:
    """A number as OKX writes it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def told(*data: Any, code: str = "0", msg: str = "") -> dict[str, Any]:
    """OKX's envelope."""
    return {"code": code, "msg": msg, "data": list(data)}


def kind_of(spec: MarketSpec) -> str:
    """SPOT or SWAP."""
    return "SWAP" if isinstance(spec, ContractSpec) else "SPOT"


def instrument(spec: MarketSpec) -> dict[str, Any]:
    """A market."""
    is_swap = isinstance(spec, ContractSpec)
    base, quote = spec.symbol.split("-")[:2]
    return {
        "instType": kind_of(spec),
        "instId": spec.symbol,
        "uly": f"{base}-{quote}" if is_swap else "",
        "instFamily": f"{base}-{quote}" if is_swap else "",
        "baseCcy": "" if is_swap else base,
        "quoteCcy": "" if is_swap else quote,
        "settleCcy": spec.settle if isinstance(spec, ContractSpec) else "",
        "ctVal": digits(spec.size) if isinstance(spec, ContractSpec) else "",
        "ctMult": "1" if is_swap else "",
        "ctType": ("inverse" if spec.inverse else "linear") if isinstance(spec, ContractSpec) else "",
        "lotSz": digits(spec.lot),
        "minSz": digits(spec.min_qty),
        "tickSz": digits(spec.tick),
        "maxLmtSz": digits(spec.max_qty),
        "maxMktSz": "1000000",
        "state": "live" if spec.status == "TRADING" else "suspend",
        "listTime": "1548133413000",
        "expTime": "",
        "lever": "10",
    }


def order_number(order: Order, index: int) -> str:
    """Ids are OKX's: one number for all markets, too long for a float."""
    return str(700_000_000_000_000_000 + index * 1_000_000_000 + order.id)


def order_type(order: Order) -> str:
    """market, limit, post_only, ioc or fok."""
    if order.type is OrderType.LIMIT_MAKER:
        return "post_only"
    if order.type is OrderType.MARKET:
        return "market"
    return {TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok"}.get(order.tif, "limit")


def order_entry(order: Order, spec: MarketSpec, number: str, trades: Iterable[Trade]) -> dict[str, Any]:
    """An order, as reads and the stream have it; `trades` are its own until then."""
    fees = ZERO
    currency = ""
    for trade in trades:
        fees, currency = add(fees, trade.fee), trade.fee_asset
    average = quotient(order.quote_filled, order.filled, Decimal("1e-8")) if order.filled else None
    return {
        "instType": kind_of(spec),
        "instId": spec.symbol,
        "ordId": number,
        "clOrdId": order.client_id if not order.client_id.startswith("own-") else "",
        "tag": "",
        "side": order.side.value.lower(),
        "posSide": "net",
        "tdMode": "cross" if isinstance(spec, ContractSpec) else "cash",
        "ordType": order_type(order),
        "px": digits(order.price) if order.price else "",
        "sz": digits(order.qty),
        "tgtCcy": "base_ccy" if order.type is OrderType.MARKET else "",
        "accFillSz": digits(order.filled),
        "avgPx": "" if average is None else digits(average),
        "state": STATES[order.status],
        "fee": digits(fees.copy_negate()) if currency else "0",
        "feeCcy": currency,
        "reduceOnly": "false",
        "cTime": str(order.ts),
        "uTime": str(order.updated),
        "fillPx": "",
        "fillSz": "0",
        "fillTime": "",
        "tradeId": "",
        "execType": "",
        "fillFee": "0",
        "fillFeeCcy": "",
    }


def filled_entry(entry: dict[str, Any], trade: Trade) -> dict[str, Any]:
    """The stream's news of a fill: its fee is from the account's view, negative for a charge."""
    return {
        **entry,
        "fillPx": digits(trade.price),
        "fillSz": digits(trade.qty),
        "fillTime": str(trade.ts),
        "tradeId": str(trade.id),
        "execType": "M" if trade.maker else "T",
        "fillFee": digits(trade.fee.copy_negate()),
        "fillFeeCcy": trade.fee_asset,
    }


def fill_entry(trade: Trade, spec: MarketSpec, number: str, bill: int) -> dict[str, Any]:
    """A trade of the history."""
    return {
        "instType": kind_of(spec),
        "instId": spec.symbol,
        "tradeId": str(trade.id),
        "ordId": number,
        "clOrdId": trade.client_id if not trade.client_id.startswith("own-") else "",
        "billId": str(900_000_000 + bill),
        "side": trade.side.value.lower(),
        "posSide": "net",
        "fillPx": digits(trade.price),
        "fillSz": digits(trade.qty),
        "execType": "M" if trade.maker else "T",
        "feeCcy": trade.fee_asset,
        "fee": digits(trade.fee.copy_negate()),
        "ts": str(trade.ts),
        "fillTime": str(trade.ts),
    }


def public_trade(trade: PublicTrade) -> dict[str, Any]:
    """A trade as everybody sees it."""
    return {
        "instId": trade.symbol,
        "tradeId": str(trade.id),
        "px": digits(trade.price),
        "sz": digits(trade.qty),
        "side": Side.SELL.lower() if trade.buyer_maker else Side.BUY.lower(),
        "ts": str(trade.ts),
    }


def balance_detail(asset: str, free: Decimal, locked: Decimal, profit: Decimal) -> dict[str, Any]:
    """One coin. Its equity has what open positions have gained and nobody has been paid yet."""
    total = add(free, locked)
    return {
        "ccy": asset,
        "eq": digits(add(total, profit)),
        "cashBal": digits(total),
        "availBal": digits(free),
        "availEq": digits(add(free, profit)),
        "frozenBal": digits(locked),
        "upl": digits(profit),
        "uTime": "0",
    }


def position_entry(spec: ContractSpec, held: Position, mark: Decimal, now: int) -> dict[str, Any]:
    """A position in contracts, above 0 for long."""
    return {
        "instType": "SWAP",
        "instId": spec.symbol,
        "posId": "1",
        "posSide": "net",
        "pos": digits(held.contracts),
        "avgPx": digits(held.entry),
        "markPx": digits(mark),
        "mgnMode": "cross",
        "lever": "10",
        "imr": "1",
        "mmr": "1",
        "upl": "0",
        "uplRatio": "0",
        "notionalUsd": "1",
        "liqPx": "",
        "margin": "",
        "ccy": spec.settle,
        "cTime": str(now),
        "uTime": str(now),
    }


def candle_row(candle: Candle, *, closed: bool) -> list[str]:
    """A candle."""
    prices = [digits(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    volume, quote = digits(candle.volume), digits(candle.quote)
    return [str(candle.start), *prices, volume, quote, quote, "1" if closed else "0"]
