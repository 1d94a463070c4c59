"""Reading over REST what a stream missed, or what came before it: page after page, within a bound."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tradingd.data.ccxt.convert import NS_PER_MS, Refusal
from tradingd.data.ccxt.model import MarketClient
from tradingd.domain.events import Bar, Trade
from tradingd.domain.times import format_interval
from tradingd.venues.model import Lane

__all__ = ["Pages", "TradeAnswer", "read_bars", "read_book", "read_history", "read_trades"]

_OVERLAP_MS = 1_000
"""How much of what is known is asked for again, so that the answer proves to join."""
_WINDOW_MS = 3_600_000
"""How much time one answer may be bounded to (binance: an hour); an empty answer says nothing beyond it."""
_WIDENINGS = 4


class Pages(msgspec.Struct, frozen=True):
    """How much is asked for at once, and how often at most."""

    size: int = 1_000
    most: int = 100


class TradeAnswer(msgspec.Struct, frozen=True):
    """The trades since a time, oldest first.

    `reached` is whether they begin at or before it, `whole` whether they end with the latest there was.
    """

    trades: list[Trade]
    reached: bool
    whole: bool


async def read_trades(
    client: MarketClient,
    wire: str,
    since_ns: int,
    now_ns: int,
    convert: Callable[[Any], Trade | Refusal],
    pages: Pages,
    ends_at: str = "",
) -> TradeAnswer:
    """The public trades from `since_ns` on, with some from before it.

    They end with the trade `ends_at`, the first that is known otherwise. Without one they end with a page that is
    shorter than another, or tells nothing new: in a busy market there is something new on every page.
    """
    cursor = since_ns // NS_PER_MS - _OVERLAP_MS
    fullest = 0
    out: dict[str, Trade] = {}
    earliest: int | None = None
    for _ in range(pages.most):
        raw = await client.call("fetch_trades", wire, cursor, pages.size, lane=Lane.MARKET)
        rows = [trade for each in raw if isinstance(trade := convert(each), Trade)]
        known = len(out)
        for number, trade in enumerate(rows):
            out.setdefault(trade.trade_id or f"{cursor}/{number}", trade)
        if rows:
            earliest = rows[0].ts if earliest is None else min(earliest, rows[0].ts)
        if ends_at in out:
            return _answer(out, earliest, since_ns, whole=True)
        is_last = len(raw) < fullest and not ends_at and cursor + _WINDOW_MS >= now_ns // NS_PER_MS
        fullest = max(fullest, len(raw))
        if is_last:
            return _answer(out, earliest, since_ns, whole=True)
        if len(out) > known:
            cursor = max(cursor, rows[-1].ts // NS_PER_MS)
        elif rows and rows[-1].ts // NS_PER_MS == cursor:
            cursor += 1  # a page may be full of one millisecond's trades
        elif cursor + _WINDOW_MS < now_ns // NS_PER_MS:
            cursor += _WINDOW_MS
        else:
            return _answer(out, earliest, since_ns, whole=True)
    return _answer(out, earliest, since_ns, whole=False)


def _answer(found: dict[str, Trade], earliest: int | None, since_ns: int, *, whole: bool) -> TradeAnswer:
    trades = sorted(found.values(), key=_order)
    return TradeAnswer(trades, earliest is None or earliest <= since_ns, whole)


def _order(trade: Trade) -> tuple[int, int, str]:
    """By time, then by number: ccxt sorts ids as text, where 100 comes before 99."""
    number = trade.trade_id if trade.trade_id.isdecimal() else ""
    return trade.ts, len(number), number


async def read_bars(
    client: MarketClient,
    wire: str,
    interval_ns: int,
    since_ns: int,
    asked_ns: int,
    convert: Callable[[Any], Bar | Refusal],
    pages: Pages,
) -> list[Bar]:
    """The candles that open at `since_ns` or later, oldest first, each once; the last may be forming."""
    step = interval_ns // NS_PER_MS
    cursor, end = since_ns // NS_PER_MS, asked_ns // NS_PER_MS
    out: list[Bar] = []
    for _ in range(pages.most):
        raw = await client.call(
            "fetch_ohlcv", wire, format_interval(interval_ns), cursor, pages.size, lane=Lane.MARKET
        )
        rows = [bar for row in raw if isinstance(bar := convert(row), Bar) and bar.ts_open >= cursor * NS_PER_MS]
        for bar in sorted(rows, key=lambda bar: bar.ts_open):
            if not out or bar.ts_open > out[-1].ts_open:
                out.append(bar)
        cursor = out[-1].ts // NS_PER_MS if rows else cursor + pages.size * step
        if cursor > end:
            break
    return out


async def read_history(
    client: MarketClient,
    wire: str,
    interval_ns: int,
    bars: int,
    asked_ns: int,
    convert: Callable[[Any], Bar | Refusal],
    pages: Pages,
) -> list[Bar]:
    """The last `bars` closed candles and the forming one; fewer only where the venue has no more.

    Where a thin market has holes, it is read from further back.
    """
    span = (bars + 1) * interval_ns
    rows: list[Bar] = []
    for _ in range(_WIDENINGS):
        since = asked_ns - asked_ns % interval_ns - span
        found = await read_bars(client, wire, interval_ns, since, asked_ns, convert, pages)
        if len(found) > bars or len(found) == len(rows):
            return found[-bars - 1 :]
        rows, span = found, span * 3
    return rows[-bars - 1 :]


async def read_book(client: MarketClient, wire: str) -> Mapping[str, Any]:
    """The order book now, as ccxt tells it."""
    book = await client.call("fetch_order_book", wire, lane=Lane.MARKET)
    return book if isinstance(book, Mapping) else {}
