"""What the exchange tells everybody: markets, time, trades, books, candles."""

from collections.abc import Sequence
from typing import Any

from tradingd.testing.exchange import views
from tradingd.testing.exchange.desk import Desk
from tradingd.testing.exchange.exact import EIGHT, ZERO, add, mul, quotient, sub, text
from tradingd.testing.exchange.model import MarketSpec, PublicTrade, Refusal
from tradingd.testing.exchange.orders import Params, integer, required

__all__ = [
    "agg_trades",
    "avg_price",
    "book_ticker",
    "day_ticker",
    "depth",
    "depth_weight",
    "exchange_info",
    "klines",
    "ping",
    "price_ticker",
    "time",
    "trades",
]

Json = dict[str, Any]

_DAY_MS = 86_400_000
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": _DAY_MS, "w": 7 * _DAY_MS}
_MONDAY = 4 * _DAY_MS
"""The first Monday after 1970-01-01, which was a Thursday: weeks begin on Mondays."""
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50))


def ping(_desk: Desk, _account: str, _params: Params) -> Json:
    """Answers that the exchange is there."""
    return {}


def time(desk: Desk, _account: str, _params: Params) -> Json:
    """The exchange's clock."""
    return {"serverTime": desk.now()}


def exchange_info(desk: Desk, _account: str, params: Params) -> Json:
    """Markets with their filters, and the rate limits."""
    return {
        "timezone": "UTC",
        "serverTime": desk.now(),
        "rateLimits": desk.limits.table(),
        "exchangeFilters": [],
        "symbols": [views.market(spec) for spec in _chosen(desk, params)],
    }


def _chosen(desk: Desk, params: Params) -> list[MarketSpec]:
    markets = desk.engine.markets
    names = list(markets)
    if "symbol" in params:
        names = [params["symbol"]]
    elif "symbols" in params:
        names = [name.strip('" ') for name in params["symbols"].strip("[]").split(",")]
    try:
        return [markets[name] for name in names]
    except KeyError:
        raise Refusal(-1121, "Invalid symbol.") from None


def _rows(desk: Desk, params: Params, row: Any) -> Any:  # noqa: ANN401 - a JSON object or a list of them
    rows = [row(desk, spec) for spec in _chosen(desk, params)]
    return rows[0] if "symbol" in params else rows


def day_ticker(desk: Desk, _account: str, params: Params) -> Any:  # noqa: ANN401 - an object or a list
    """Statistics of the last 24 hours."""
    return _rows(desk, params, _day)


def _day(desk: Desk, spec: MarketSpec) -> Json:
    now = desk.now()
    tape = [trade for trade in desk.engine.public_trades(spec.symbol) if trade.ts > now - _DAY_MS]
    prices = [trade.price for trade in tape] or [desk.engine.last_price(spec.symbol) or ZERO]
    volume, quote = _volumes(tape)
    return {
        "symbol": spec.symbol,
        "priceChange": text(sub(prices[-1], prices[0])),
        "priceChangePercent": str(quotient(mul(sub(prices[-1], prices[0]), EIGHT), prices[0] or EIGHT, EIGHT)),
        "weightedAvgPrice": text(quotient(quote, volume, EIGHT) if volume else ZERO),
        "prevClosePrice": text(prices[0]),
        "lastPrice": text(prices[-1]),
        "lastQty": text(tape[-1].qty if tape else ZERO),
        **{name: value for name, value in _best(desk, spec).items() if name != "symbol"},
        "openPrice": text(prices[0]),
        "highPrice": text(max(prices)),
        "lowPrice": text(min(prices)),
        "volume": text(volume),
        "quoteVolume": text(quote),
        "openTime": now - _DAY_MS,
        "closeTime": now,
        "firstId": tape[0].id if tape else -1,
        "lastId": tape[-1].id if tape else -1,
        "count": len(tape),
    }


def _volumes(tape: Sequence[PublicTrade]) -> tuple[Any, Any]:
    volume, quote = ZERO, ZERO
    for trade in tape:
        volume, quote = add(volume, trade.qty), add(quote, mul(trade.price, trade.qty))
    return volume, quote


def book_ticker(desk: Desk, _account: str, params: Params) -> Any:  # noqa: ANN401 - an object or a list
    """Best bid and ask."""
    return _rows(desk, params, _best)


def _best(desk: Desk, spec: MarketSpec) -> Json:
    _, bids, asks = desk.engine.depth(spec.symbol)
    bid, ask = (side[0] if side else (ZERO, ZERO) for side in (bids, asks))
    return {
        "symbol": spec.symbol,
        "bidPrice": text(bid[0]),
        "bidQty": text(bid[1]),
        "askPrice": text(ask[0]),
        "askQty": text(ask[1]),
    }


def price_ticker(desk: Desk, _account: str, params: Params) -> Any:  # noqa: ANN401 - an object or a list
    """The last price."""
    return _rows(desk, params, _last)


def _last(desk: Desk, spec: MarketSpec) -> Json:
    return {"symbol": spec.symbol, "price": text(desk.engine.last_price(spec.symbol) or ZERO)}


def avg_price(desk: Desk, _account: str, params: Params) -> Json:
    """The price that the percent filter goes by: here the last one."""
    symbol = required(params, "symbol")
    return {"mins": 5, "price": text(desk.engine.last_price(symbol) or ZERO), "closeTime": desk.now()}


def depth_weight(params: Params) -> int:
    """A deeper book costs more."""
    limit = integer(params, "limit") or 100
    return next((weight for most, weight in _DEPTH_WEIGHTS if limit <= most), 250)


def depth(desk: Desk, _account: str, params: Params) -> Json:
    """The book with the id of its last change."""
    limit = integer(params, "limit") or 100
    last, bids, asks = desk.engine.depth(required(params, "symbol"))
    sides = ([[text(price), text(qty)] for price, qty in side[:limit]] for side in (bids, asks))
    return {"lastUpdateId": last, **dict(zip(("bids", "asks"), sides, strict=True))}


def trades(desk: Desk, _account: str, params: Params) -> list[Json]:
    """The newest trades."""
    tape = desk.engine.public_trades(required(params, "symbol"))
    return [views.public_trade(trade) for trade in desk.page(tape, integer(params, "limit"), newest=True)]


def agg_trades(desk: Desk, _account: str, params: Params) -> list[Json]:
    """Trades from an id or within a time, else the newest."""
    since, until, first = (integer(params, name) for name in ("startTime", "endTime", "fromId"))
    tape = [
        trade
        for trade in desk.engine.public_trades(required(params, "symbol"))
        if trade.id >= (first or 0) and (since or 0) <= trade.ts <= (until or trade.ts)
    ]
    newest = since is None and first is None
    return [views.agg_trade(trade) for trade in desk.page(tape, integer(params, "limit"), newest=newest)]


def klines(desk: Desk, _account: str, params: Params) -> list[list[Any]]:
    """Candles made of the trades that are kept. As on Binance, the last one may still be open."""
    step = _step(required(params, "interval"))
    since, until = integer(params, "startTime"), integer(params, "endTime")
    candles: dict[int, list[PublicTrade]] = {}
    for trade in desk.engine.public_trades(required(params, "symbol")):
        candles.setdefault(_opened(trade.ts, step), []).append(trade)
    rows = [
        _candle(start, step, tape)
        for start, tape in _without_gaps(candles, step, desk.now())
        if (since or 0) <= start <= (until or start)
    ]
    return desk.page(rows, integer(params, "limit"), newest=since is None)


def _step(interval: str) -> int:
    unit = _UNITS.get(interval[-1:])
    if unit is None or not interval[:-1].isdigit() or not int(interval[:-1]):
        raise Refusal(-1120, "Invalid interval.")
    return int(interval[:-1]) * unit


def _opened(ts: int, step: int) -> int:
    origin = _MONDAY if step == _UNITS["w"] else 0
    return ts - (ts - origin) % step


def _without_gaps(
    candles: dict[int, list[PublicTrade]], step: int, now: int
) -> list[tuple[int, list[PublicTrade]]]:
    """Every interval from the first trade to now; a quiet one has the price before it and no volume."""
    if not candles:
        return []
    rows: list[tuple[int, list[PublicTrade]]] = []
    last = candles[min(candles)][0]
    for start in range(min(candles), max(_opened(now, step), *candles) + 1, step):
        tape = candles.get(start) or [_quiet(last)]
        last = tape[-1]
        rows.append((start, tape))
    return rows


def _quiet(last: PublicTrade) -> PublicTrade:
    return PublicTrade(last.ts, last.symbol, last.id, last.price, ZERO, last.buyer_maker, 0, 0)


def _candle(start: int, step: int, tape: Sequence[PublicTrade]) -> list[Any]:
    volume, quote = _volumes(tape)
    bought, paid = _volumes([trade for trade in tape if not trade.buyer_maker])
    prices = [trade.price for trade in tape]
    return [
        start,
        text(prices[0]),
        text(max(prices)),
        text(min(prices)),
        text(prices[-1]),
        text(volume),
        start + step - 1,
        text(quote),
        len(tape) if volume else 0,
        text(bought),
        text(paid),
        "0",
    ]
