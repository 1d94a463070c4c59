"""Matching: at what price, if any, a market event fills a working order.

Pure functions of one order's terms and one event. What a bar hides is resolved against us:

- market orders fill at the open;
- a stop whose level the open has jumped over fills at the open, else at its level once the bar touches it; a
  take-profit does so on the other side of the market;
- a resting limit order fills at its limit only when the bar trades *through* it (or touches it, where so
  configured), even if the open is better; one that was placed after the previous bar and is marketable at the
  open takes the open;
- a stop-limit or take-profit-limit order that is triggered takes the trigger's price if its limit allows that. If
  not it rests (`AWAKE`), and fills inside the same bar only at what provably came after the trigger: of a trigger
  at the open all of the bar; of one inside the bar the close, and for a take-profit, whose limit lies beyond its
  trigger, the extreme on that side;
- a trailing stop's level comes from what is known before: from the extremes before the bar, then from the open,
  which is the bar's first price. Only after the bar has been tried against that level do its extremes move it;
  where the close then lies beyond the moved level, the stop was hit on the way and fills at the close
  (`match_trailing`);
- an order that arrived while a bar was being made cannot have had its open, and nobody can tell when its high and
  low were made: of such a bar only the close counts (`seen_by`).

`Phase` gives the order of events inside a bar: what happens at the open, then stops, then limits and
take-profits, so that a stop-loss is hit before a profit target in a bar that contains both. A limit that the open
has jumped over is no such doubt: it filled at the open.

A price that is not a positive finite number (an empty side told as 0 or NaN) is no price, and fills nothing.
"""

from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import NamedTuple

from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote, Trade

__all__ = ["AWAKE", "Match", "Phase", "is_marketable", "match", "match_trailing", "seen_by", "taker_price"]


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
    size: float = inf
    """How much of the event reaches the order, where its queue tells."""


AWAKE = Match(Phase.STOP, 0.0, Liquidity.MAKER)
"""No fill: a trigger was touched, and the limit order that it woke rests."""

_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_TAKER, _MAKER = Liquidity.TAKER, Liquidity.MAKER
_MARKET, _LIMIT, _BUY = OrderType.MARKET, OrderType.LIMIT, Side.BUY


def seen_by(arrived: int, event: MarketEvent, side: Side) -> MarketEvent | None:
    """What an order that arrived at `arrived` (nanoseconds UTC) may know of an event; None for nothing.

    Of a bar that opened before, that is its close, as a single trade; of one that had closed by then, nothing. Nor
    of any other event of the time before: live, what was missed is told later, after a reconnect.
    """
    if type(event) is not Bar:
        return event if event.ts >= arrived else None
    if event.ts_open >= arrived:
        return event
    if event.ts <= arrived:
        return None
    return Trade(event.ts, event.symbol, event.close, event.volume, side)


def match(
    order_type: OrderType,
    side: Side,
    level: float,
    event: MarketEvent,
    *,
    fresh: bool,
    touch: bool,
    limit: float = 0.0,
) -> Match | None:
    """The fill that `event` offers to an order, or None.

    `level` is the limit of a limit order and the trigger of a conditional one (ignored for market orders), `limit`
    what a conditional order with a limit becomes; `fresh` tells that this is the order's first event; `touch` that
    a resting limit order fills when its price is merely touched.
    """
    if type(event) is Bar:
        return _match_bar(order_type, side, level, event, fresh=fresh, touch=touch, limit=limit)
    is_trade = type(event) is Trade
    price = event.price if is_trade else taker_price(side, event)  # type: ignore[arg-type]  # only Quote and Book
    if not 0 < price < inf:
        return None
    if order_type is _MARKET:
        return Match(Phase.OPEN, price, _TAKER)
    if order_type is _LIMIT:
        return _match_limit(side, level, price, fresh=fresh, touch=touch or not is_trade)
    if not is_triggered(order_type, side, level, price):
        return None
    phase = Phase.STOP if order_type in _STOPS else Phase.LIMIT
    allowed = not order_type.has_limit or is_marketable(side, price, limit)
    return Match(phase, price, _TAKER) if allowed else AWAKE


def is_marketable(side: Side, price: float, limit: float) -> bool:
    """Whether a taker at `price` keeps to `limit`."""
    return price <= limit if side is _BUY else price >= limit


def is_triggered(order_type: OrderType, side: Side, level: float, price: float) -> bool:
    """Whether the market at `price` wakes a conditional order."""
    return price >= level if _is_rise(order_type, side) else price <= level


def taker_price(side: Side, event: Quote | Book) -> float:
    """What a taker would get: the ask for a buyer, the bid for a seller; 0 where that side is empty."""
    if type(event) is Quote:
        return event.ask if side is _BUY else event.bid
    levels = event.asks if side is _BUY else event.bids  # type: ignore[union-attr]  # a Book
    return levels[0][0] if levels else 0.0


# --- bars ----------------------------------------------------------------------------------------------------


def _match_bar(
    order_type: OrderType, side: Side, level: float, bar: Bar, *, fresh: bool, touch: bool, limit: float
) -> Match | None:
    if not _is_plausible(bar):
        return None
    if order_type is _MARKET:
        return Match(Phase.OPEN, bar.open, _TAKER)
    if order_type is _LIMIT:
        return _match_bar_limit(side, level, bar, fresh=fresh, touch=touch)
    rise = _is_rise(order_type, side)
    if bar.open >= level if rise else bar.open <= level:
        return _woken_at_open(order_type, side, limit, bar, touch=touch)
    if not (bar.high >= level if rise else bar.low <= level):
        return None
    return _woken_inside(order_type, side, level, limit, bar, touch=touch)


def _is_plausible(bar: Bar) -> bool:
    return 0 < bar.open < inf and bar.low > 0 and bar.high < inf


def _is_rise(order_type: OrderType, side: Side) -> bool:
    """Whether it is a rise of the market that triggers: of buy stops and sell take-profits."""
    return (side is _BUY) is (order_type in _STOPS)


def _match_bar_limit(side: Side, level: float, bar: Bar, *, fresh: bool, touch: bool) -> Match | None:
    if fresh and is_marketable(side, bar.open, level):
        return Match(Phase.OPEN, bar.open, _TAKER)
    if not _reaches(bar.low if side is _BUY else bar.high, side, level, touch=touch):
        return None
    jumped = _reaches(bar.open, side, level, touch=touch)
    return Match(Phase.OPEN if jumped else Phase.LIMIT, level, _MAKER)


def _woken_at_open(order_type: OrderType, side: Side, limit: float, bar: Bar, *, touch: bool) -> Match:
    """Triggered by the bar's first price: all the rest of the bar came after."""
    if not order_type.has_limit or is_marketable(side, bar.open, limit):
        return Match(Phase.OPEN, bar.open, _TAKER)
    best = bar.low if side is _BUY else bar.high
    return Match(Phase.LIMIT, limit, _MAKER) if _reaches(best, side, limit, touch=touch) else AWAKE


def _woken_inside(
    order_type: OrderType, side: Side, level: float, limit: float, bar: Bar, *, touch: bool
) -> Match:
    """Triggered between the open and the close, at its level."""
    is_stop = order_type in _STOPS
    if not order_type.has_limit or is_marketable(side, level, limit):
        return Match(Phase.STOP if is_stop else Phase.LIMIT, level, _TAKER)
    beyond = bar.low if side is _BUY else bar.high  # where a take-profit's limit lies, behind its trigger
    last = bar.close if is_stop else beyond
    return Match(Phase.LIMIT, limit, _MAKER) if _reaches(last, side, limit, touch=touch) else AWAKE


def match_trailing(side: Side, level: float, event: MarketEvent, follow: Callable[[float], float]) -> Match | None:
    """The fill that `event` offers to a trailing stop at `level`, or None.

    `follow(price)` lets the stop follow the market to `price` and returns its level then.
    """
    if type(event) is not Bar:
        found = match(OrderType.STOP, side, level, event, fresh=False, touch=False)
        if found is None:
            price = event.price if type(event) is Trade else taker_price(side, event)  # type: ignore[arg-type]
            if 0 < price < inf:
                follow(price)
        return found
    if not _is_plausible(event):
        return None
    found = _match_bar(OrderType.STOP, side, level, event, fresh=False, touch=False, limit=0.0)
    if found is not None and found.phase is Phase.OPEN:
        return found
    level = follow(event.open)
    found = _match_bar(OrderType.STOP, side, level, event, fresh=False, touch=False, limit=0.0)
    if found is not None:
        return found
    level = follow(event.low if side is _BUY else event.high)
    hit = event.close >= level if side is _BUY else event.close <= level
    return Match(Phase.STOP, event.close, _TAKER) if hit else None


# --- prices --------------------------------------------------------------------------------------------------


def _match_limit(side: Side, level: float, price: float, *, fresh: bool, touch: bool) -> Match | None:
    """Match against one price: a public trade's, or the quote's side that a taker would get."""
    if fresh and is_marketable(side, price, level):
        return Match(Phase.OPEN, price, _TAKER)
    return Match(Phase.LIMIT, level, _MAKER) if _reaches(price, side, level, touch=touch) else None


def _reaches(price: float, side: Side, level: float, *, touch: bool) -> bool:
    """Whether the market at `price` fills a resting limit order at `level`."""
    return (touch and price == level) or (price < level if side is _BUY else price > level)
