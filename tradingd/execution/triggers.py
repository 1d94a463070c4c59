"""When a conditional order that is held here has been touched, and where a trailing stop stands.

Pure functions of prices. What an event says of the price depends on what it is:

- a trade: its price;
- a quote or book: what the order would get as a taker, the ask to buy and the bid to sell;
- a bar, at its close: all that lies between its low and its high; of a bar that had opened before the order was
  held, only the close, since nobody can tell when the rest was made.
"""

from decimal import Decimal
from math import inf
from typing import NamedTuple

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, add, from_market, mul, sub
from tradingd.domain.terms import Trail

__all__ = ["Seen", "best_of", "level_of", "seen_since", "taken_at", "touches", "trailing_level", "triggers_above"]

_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_PERCENT = Decimal("0.01")


class Seen(NamedTuple):
    """What one event tells of the price."""

    first: float
    low: float
    high: float
    last: float

    @classmethod
    def at(cls, price: float) -> "Seen":
        """One price and no other."""
        return cls(price, price, price, price)


def triggers_above(kind: OrderType, side: Side) -> bool:
    """Whether an order triggers when the price rises to its level (else: when it falls to it)."""
    return (kind in _STOPS) == (side is Side.BUY)


def level_of(price: Decimal | None) -> float | None:
    """An order's own price as market data has prices, to be compared with them."""
    return None if price is None else float(price)


def touches(seen: Seen, level: float, *, above: bool) -> bool:
    """Whether a price has reached a level."""
    return seen.high >= level if above else seen.low <= level


def seen_since(placed: int, event: MarketEvent, side: Side) -> Seen | None:
    """What an order that is held since `placed` (nanoseconds UTC) sees of an event; None for nothing."""
    if isinstance(event, Bar):
        if event.ts <= placed and event.ts_open < placed:
            return None
        whole = event.ts_open >= placed
        seen = Seen(event.open, event.low, event.high, event.close) if whole else Seen.at(event.close)
        return seen if seen.low > 0 and 0 < seen.first < inf and seen.high < inf else None
    price = taken_at(event, side)
    return Seen.at(price) if 0 < price < inf else None


def taken_at(event: MarketEvent, side: Side) -> float:
    """The price that a taker of this side would get, as far as the event tells; 0 where there is nobody."""
    if isinstance(event, Quote):
        return event.ask if side is Side.BUY else event.bid
    if isinstance(event, Book):
        levels = event.asks if side is Side.BUY else event.bids
        return levels[0][0] if levels else 0
    return event.price


def best_of(event: MarketEvent, side: Side) -> float | None:
    """The best price of one's own side, where an order would be first in the queue; None when there is none.

    Of trades and bars that is the latest price.
    """
    price = taken_at(event, Side.SELL if side is Side.BUY else Side.BUY)
    return price if 0 < price < inf else None


def trailing_level(best: float, trail: Trail, side: Side, instrument: Instrument | None) -> Decimal:
    """Where a trailing stop stands when `best` is the best price seen: at its distance, on the tick behind."""
    price = from_market(best)
    if trail.is_percent:
        part = mul(trail.offset, _PERCENT)
        level = mul(price, sub(ONE, part) if side is Side.SELL else add(ONE, part))
    else:
        level = sub(price, trail.offset) if side is Side.SELL else add(price, trail.offset)
    return level if instrument is None else instrument.worse_price(level, side)
