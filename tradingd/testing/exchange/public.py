"""What the exchange tells everybody: markets, time, trades, books, candles."""

from typing import Any

from tradingd.testing.exchange import views
from tradingd.testing.exchange.candles import INTERVALS, Candle, candles_of
from tradingd.testing.exchange.desk import Desk
from tradingd.testing.exchange.exact import ZERO, text
from tradingd.testing.exchange.model import MarketSpec, Refusal
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
_BEFORE = 100  # candles that are looked back for the close before a quiet one
_TICKER_NAMES = {
    "priceChange": "p",
    "priceChangePercent": "P",
    "weightedAvgPrice": "w",
    "prevClosePrice": "x",
    "lastPrice": "c",
    "bidPrice": "b",
    "bidQty": "B",
    "askPrice": "a",
    "askQty": "A",
    "openPrice": "o",
    "highPrice": "h",
    "lowPrice": "l",
    "volume": "v",
    "quoteVolume": "q",
    "openTime": "O",
    "closeTime": "C",
    "firstId": "F",
    "lastId": "L",
    "count": "n",
}
"""REST's names of what the ticker stream has in single letters."""
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
    last = desk.engine.last_price(spec.symbol) or ZERO
    tape = [trade for trade in desk.engine.public_trades(spec.symbol) if trade.ts > now - _DAY_MS]
    day = Candle(now - _DAY_MS, last).add_all(tape)
    best = _best(desk, spec)
    stream = day.ticker(spec.symbol, now, (best["bidPrice"], best["bidQty"], best["askPrice"], best["askQty"]))
    rest = {name: stream[key] for name, key in _TICKER_NAMES.items()}
    return {"symbol": spec.symbol, "lastQty": text(tape[-1].qty if tape else ZERO), **rest}


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
    """Candles of what was before and of the trades that are kept. As on Binance, the last may still be open."""
    step = INTERVALS.get(required(params, "interval"))
    if step is None:
        raise Refusal(-1120, "Invalid interval.")
    since, until = integer(params, "startTime"), integer(params, "endTime")
    symbol = required(params, "symbol")
    tape, past = desk.engine.public_trades(symbol), desk.engine.past.get(symbol, ())
    candles = candles_of(past, tape, step, desk.now(), (since or 0) - _BEFORE * step)
    rows = [_row(one, step) for one in candles if (since or 0) <= one.start <= (until or one.start)]
    return desk.page(rows, integer(params, "limit"), newest=since is None)


def _row(candle: Candle, step: int) -> list[Any]:
    return [
        candle.start,
        text(candle.open),
        text(candle.high),
        text(candle.low),
        text(candle.close),
        text(candle.volume),
        candle.start + step - 1,
        text(candle.quote),
        candle.count,
        text(candle.bought),
        text(candle.paid),
        "0",
    ]
