"""Matching where a symbol has order books: takers walk them, resting orders wait in their queues.

Books say what can be taken, so market orders and limit orders that have met no book yet fill from books only, and
public trades serve to move the queues (and to trigger conditional orders). Bars and quotes of such a symbol fill
nothing. A resting order fills

- by a trade at its price, of a taker of the other side, by as much as gets past what is ahead of it;
- by a trade beyond its price, by no more than that trade's amount;
- when the other side of the book reaches its price, by what is shown there: whoever sells at our bid sells to us.
"""

from math import inf

from tradingd.broker.matching import AWAKE, Match, Phase, is_marketable, match, match_trailing, taker_price
from tradingd.broker.queue import Queue, QueueModel
from tradingd.broker.supply import size_at
from tradingd.broker.working import Working
from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import Book, MarketEvent, Trade

__all__ = ["is_opportunity", "join", "match_in_depth"]

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def is_opportunity(working: Working, event: MarketEvent) -> bool:
    """Whether an event can fill or move an order of a symbol that has books."""
    if type(event) is Book:
        return True
    takes = working.kind is OrderType.MARKET or (working.kind is OrderType.LIMIT and working.fresh)
    return type(event) is Trade and not takes


def join(working: Working, book: Book | None) -> None:
    """Put a limit order that the latest book does not let trade at once at the end of its queue."""
    if book is None or working.kind is not OrderType.LIMIT or working.order.time_in_force in _AT_ONCE:
        return
    price = taker_price(working.side, book)
    if not (0 < price < inf and is_marketable(working.side, price, working.level)):
        _rest(working, book)


def _rest(working: Working, book: Book) -> None:
    working.fresh = False
    working.queue = Queue(size_at(book.bids if working.side is Side.BUY else book.asks, working.level))


def match_in_depth(working: Working, event: Book | Trade, model: QueueModel) -> Match | None:
    """The fill that a book or a trade offers to an order; its queue moves with it."""
    if working.kind is OrderType.TRAILING_STOP:
        return _only_triggered(match_trailing(working.side, working.level, event, working.follow), event)
    if working.kind is not OrderType.LIMIT or working.fresh:
        found = match(
            working.kind, working.side, working.level, event, fresh=working.fresh, touch=True, limit=working.limit
        )
        if found is None and working.kind is OrderType.LIMIT:
            _rest(working, event)  # type: ignore[arg-type]  # a book: see `is_opportunity`
        return _only_triggered(found, event)
    return _by_trade(working, event) if type(event) is Trade else _by_book(working, event, model)  # type: ignore[arg-type]


def _only_triggered(found: Match | None, event: Book | Trade) -> Match | None:
    """A trade may trigger an order, but it is a book that it then takes from."""
    return found if found is None or type(event) is Book else AWAKE


def _by_trade(working: Working, trade: Trade) -> Match | None:
    level, queue = working.level, working.queue
    if not (0 < trade.price < inf and 0 < trade.amount < inf):
        return None
    beyond = trade.price < level if working.side is Side.BUY else trade.price > level
    if beyond:
        if queue is not None:
            queue.clear()
        return Match(Phase.LIMIT, level, Liquidity.MAKER, trade.amount)
    if trade.price != level or trade.side is working.side or queue is None:
        return None
    past = queue.trade(trade.amount)
    return Match(Phase.LIMIT, level, Liquidity.MAKER, past) if past else None


def _by_book(working: Working, book: Book, model: QueueModel) -> Match | None:
    side, level, queue = working.side, working.level, working.queue
    price = taker_price(side, book)
    if 0 < price < inf and is_marketable(side, price, level):
        if queue is not None:
            queue.clear()
        return Match(Phase.LIMIT, level, Liquidity.MAKER)
    if queue is None:
        _rest(working, book)
    else:
        queue.show(size_at(book.bids if side is Side.BUY else book.asks, level), model)
    return None
