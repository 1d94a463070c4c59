"""Matching: at what price, if any, a market event fills a working order.

Pure functions of one order's terms and one event. What a bar hides is resolved against us:

- market orders fill at the open;
- a stop whose level the open has jumped over fills at the open, else at its level once the bar touches it;
- a resting limit order fills at its limit only when the bar trades *through* it (or touches it, where so
  configured), even if the open is better; one that was placed after the previous bar and is marketable at the
  open takes the open;
- an order that arrived while a bar was being made cannot have had its open, and nobody can tell when its high and
  low were made: of such a bar only the close counts (`seen_by`).

`Phase` gives the order of events inside a bar: what happens at the open, then stops, then limits, so that a
stop-loss is hit before a profit target in a bar that contains both. A limit that the open has jumped over is no
such doubt: it filled at the open.

A price that is not a positive finite number (an empty side told as 0 or NaN) is no price, and fills nothing.
"""

from enum import IntEnum
from math import inf
from typing import NamedTuple

from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote, Trade

__all__ = ["Match", "Phase", "match", "seen_by"]


class Phase(IntEnum):
    """When inside one market event a fill happens."""

    OPEN = 0
    STOP = 1
    LIMIT = 2


class Match(NamedTuple):
    """A fill that a market event offers: `price` before slippage, which only takers of no limit price suffer."""

    phase: Phase
    price: float
    liquidity: Liquidity


def seen_by(arrived: int, event: MarketEvent, side: Side) -> MarketEvent | None:
    """What an order that arrived at `arrived` (nanoseconds UTC) may know of an event; None for nothing.

    Of a bar that opened before, that is its close, as a single trade; of one that had closed by then, nothing.
    """
    if not isinstance(event, Bar) or event.ts_open >= arrived:
        return event
    if event.ts <= arrived:
        return None
    return Trade(event.ts, event.symbol, event.close, event.volume, side)


def match(
    order_type: OrderType, side: Side, level: float, event: MarketEvent, *, fresh: bool, touch: bool
) -> Match | None:
    """The fill that `event` offers to an order, or None.

    `level` is the limit or stop price (ignored for market orders); `fresh` tells that this is the order's first
    event; `touch` that a resting limit order fills when its price is merely touched.
    """
    if isinstance(event, Bar):
        return _match_bar(order_type, side, level, event, fresh=fresh, touch=touch)
    is_trade = isinstance(event, Trade)
    taken = event.price if isinstance(event, Trade) else _taker_price(side, event)
    if not 0 < taken < inf:
        return None
    return _match_prices(order_type, side, level, taken, fresh=fresh, through=is_trade and not touch)


def _match_bar(
    order_type: OrderType, side: Side, level: float, bar: Bar, *, fresh: bool, touch: bool
) -> Match | None:
    if not (0 < bar.open < inf and bar.low > 0 and bar.high < inf):
        return None
    at_open = Match(Phase.OPEN, bar.open, Liquidity.TAKER)
    if order_type is OrderType.MARKET:
        return at_open
    if order_type is OrderType.LIMIT:
        return _match_bar_limit(side, level, bar, fresh=fresh, touch=touch)
    buying = side is Side.BUY
    if bar.open >= level if buying else bar.open <= level:
        return at_open
    touched = bar.high >= level if buying else bar.low <= level
    return Match(Phase.STOP, level, Liquidity.TAKER) if touched else None


def _match_bar_limit(side: Side, level: float, bar: Bar, *, fresh: bool, touch: bool) -> Match | None:
    buying = side is Side.BUY
    if fresh and (bar.open <= level if buying else bar.open >= level):
        return Match(Phase.OPEN, bar.open, Liquidity.TAKER)
    if not _reaches(bar.low if buying else bar.high, level, buying=buying, touch=touch):
        return None
    jumped = _reaches(bar.open, level, buying=buying, touch=touch)
    return Match(Phase.OPEN if jumped else Phase.LIMIT, level, Liquidity.MAKER)


def _reaches(price: float, level: float, *, buying: bool, touch: bool) -> bool:
    """Whether the market at `price` fills a resting limit order at `level`."""
    return (touch and price == level) or (price < level if buying else price > level)


def _match_prices(
    order_type: OrderType, side: Side, level: float, price: float, *, fresh: bool, through: bool
) -> Match | None:
    """Match against one price: a public trade's, or the quote's side that a taker would get."""
    if order_type is OrderType.MARKET:
        return Match(Phase.OPEN, price, Liquidity.TAKER)
    buying = side is Side.BUY
    if order_type is OrderType.STOP:
        hit = price >= level if buying else price <= level
        return Match(Phase.STOP, price, Liquidity.TAKER) if hit else None
    if fresh and (price <= level if buying else price >= level):
        return Match(Phase.OPEN, price, Liquidity.TAKER)
    reached = _reaches(price, level, buying=buying, touch=not through)
    return Match(Phase.LIMIT, level, Liquidity.MAKER) if reached else None


def _taker_price(side: Side, event: Quote | Book) -> float:
    """What a taker would get: the ask for a buyer, the bid for a seller; 0 where that side is empty."""
    if isinstance(event, Quote):
        return event.ask if side is Side.BUY else event.bid
    levels = event.asks if side is Side.BUY else event.bids
    return levels[0][0] if levels else 0.0
