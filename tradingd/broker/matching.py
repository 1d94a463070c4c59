"""Matching: at what price, if any, a market event fills a working order.

Pure functions of one order's terms and one event. What a bar hides is resolved against us:

- market orders fill at the open;
- a stop whose level the open has jumped over fills at the open, else at its level once the bar touches it;
- a resting limit order fills at its limit only when the bar trades *through* it (or touches it, where so
  configured), even if the open is better; one that was placed after the previous bar and is marketable at the
  open takes the open.

`Phase` gives the order of events inside a bar: what happens at the open, then stops, then limits, so that a
stop-loss is hit before a profit target in a bar that contains both.
"""

from enum import IntEnum
from typing import NamedTuple

from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote, Trade

__all__ = ["Match", "Phase", "match"]


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


def match(
    order_type: OrderType, side: Side, level: float, event: MarketEvent, *, fresh: bool, touch: bool
) -> Match | None:
    """The fill that `event` offers to an order, or None.

    `level` is the limit or stop price (ignored for market orders); `fresh` tells that this is the order's first
    event; `touch` that a resting limit order fills when its price is merely touched.
    """
    if isinstance(event, Bar):
        return _match_bar(order_type, side, level, event, fresh=fresh, touch=touch)
    if isinstance(event, Trade):
        return _match_prices(order_type, side, level, event.price, fresh=fresh, through=not touch)
    taken = _taker_price(side, event)
    if taken is None:
        return None
    return _match_prices(order_type, side, level, taken, fresh=fresh, through=False)


def _match_bar(
    order_type: OrderType, side: Side, level: float, bar: Bar, *, fresh: bool, touch: bool
) -> Match | None:
    at_open = Match(Phase.OPEN, bar.open, Liquidity.TAKER)
    if order_type is OrderType.MARKET:
        return at_open
    buying = side is Side.BUY
    if order_type is OrderType.STOP:
        jumped = bar.open >= level if buying else bar.open <= level
        touched = bar.high >= level if buying else bar.low <= level
        if jumped:
            return at_open
        return Match(Phase.STOP, level, Liquidity.TAKER) if touched else None
    if fresh and (bar.open <= level if buying else bar.open >= level):
        return at_open
    reached = bar.low < level if buying else bar.high > level
    if not reached and touch:
        reached = bar.low == level if buying else bar.high == level
    return Match(Phase.LIMIT, level, Liquidity.MAKER) if reached else None


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
    reached = price < level if buying else price > level
    if not reached and not through:
        reached = price == level
    return Match(Phase.LIMIT, level, Liquidity.MAKER) if reached else None


def _taker_price(side: Side, event: Quote | Book) -> float | None:
    """What a taker would get: the ask for a buyer, the bid for a seller; None where that side is empty."""
    if isinstance(event, Quote):
        return event.ask if side is Side.BUY else event.bid
    levels = event.asks if side is Side.BUY else event.bids
    return levels[0][0] if levels else None
