"""The simulated exchange on order books: walking them, and waiting in their queues."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.market import BUY, SELL, Market
from tradingd.broker.queue import Queue, QueueModel, proportional, risk_averse
from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import Book, ReportKind, Trade
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.testing import at, make_bar, make_quote

TAKER, MAKER = Liquidity.TAKER, Liquidity.MAKER
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
BIDS = ((99.0, 10.0), (98.0, 20.0), (97.0, 30.0))
ASKS = ((101.0, 10.0), (102.0, 20.0), (103.0, 30.0))


class Pit(Market):
    """A market with a book: bids 99, 98, 97 and asks 101, 102, 103, with 10, 20 and 30 to be had."""

    def __init__(self, **options: Any) -> None:
        super().__init__({"USD": 1_000_000, "AAPL": 1_000}, **options)
        self.now = 0.0
        self.book()

    def book(self, bids: Any = BIDS, asks: Any = ASKS) -> None:
        """The next book."""
        self.now += 1
        self.see(Book(at(self.now), "AAPL", tuple(bids), tuple(asks)))

    def trade(self, price: float, amount: float, side: Side = SELL) -> None:
        """The next public trade, by a selling taker unless told."""
        self.now += 1
        self.see(Trade(at(self.now), "AAPL", price, amount, side))

    @property
    def pieces(self) -> list[tuple[int, float]]:
        """What was filled: quantities and prices."""
        return [(int(trade.quantity), float(trade.price)) for trade in self.trades]


@pytest.mark.parametrize(
    ("side", "quantity", "pieces"),
    [
        (BUY, 5, [(5, 101)]),
        (BUY, 25, [(10, 101), (15, 102)]),
        (SELL, 45, [(10, 99), (20, 98), (15, 97)]),
    ],
)
def test_market_order_walks_the_book(side: Side, quantity: int, pieces: list[Any]) -> None:
    """A market order takes level by level, one trade at each."""
    pit = Pit()
    pit.order(side, quantity)
    pit.book()
    assert pit.pieces == pieces
    assert {trade.liquidity for trade in pit.trades} == {TAKER}


def test_thin_book() -> None:
    """What a book does not hold is taken from the next one."""
    pit = Pit()
    pit.order(BUY, 70)
    pit.book()
    pit.book(asks=[(105, 100)])
    assert pit.pieces == [(10, 101), (20, 102), (30, 103), (10, 105)]


def test_walk_to_the_limit() -> None:
    """A limit order takes as far as its limit allows; the rest rests, ahead of nobody."""
    pit = Pit()
    pit.order(BUY, 35, limit=102)
    pit.book()
    assert pit.pieces == [(10, 101), (20, 102)]
    pit.book(bids=[(102, 7), *BIDS], asks=[(103, 30)])
    pit.trade(102, 9)
    assert pit.pieces[2:] == [(2, 102)]
    assert pit.trades[-1].liquidity is MAKER


@pytest.mark.parametrize(("time", "told"), [(IOC, ["TRADE", "TRADE", "EXPIRED"]), (FOK, ["EXPIRED"])])
def test_immediate_orders_and_a_thin_book(time: TimeInForce, told: list[str]) -> None:
    """IOC takes what the levels within its limit hold, FOK nothing unless that is all of it."""
    pit = Pit()
    pit.order(BUY, 35, limit=102, time_in_force=time)
    pit.trade(100, 1)  # no opportunity: a book is
    pit.book()
    assert pit.kinds("o1") == ["ACCEPTED", *told]


def test_fok_that_fills() -> None:
    """A FOK order that the levels hold fills through all of them."""
    pit = Pit()
    pit.order(BUY, 30, limit=102, time_in_force=FOK)
    pit.book()
    assert pit.pieces == [(10, 101), (20, 102)]


def test_orders_share_levels() -> None:
    """What one order took from a level of a book is not there for the next one."""
    pit = Pit()
    pit.order(BUY, 15)
    pit.order(BUY, 15)
    pit.book()
    assert pit.pieces == [(10, 101), (5, 102), (15, 102)]


def test_share_of_levels() -> None:
    """Participation bounds what is ours of each level."""
    pit = Pit(participation=Decimal("0.5"))
    pit.order(BUY, 20)
    pit.book()
    assert pit.pieces == [(5, 101), (10, 102), (5, 103)]


def test_levels_of_less_than_a_lot() -> None:
    """Levels of less than a lot, of nothing or of nonsense are passed over."""
    pit = Pit()
    pit.order(BUY, 5)
    pit.book(asks=[(101, 0.9), (102, 0.0), (103, float("nan")), (104, 7.5)])
    assert pit.pieces == [(5, 104)]


@pytest.mark.parametrize("event", [make_bar(90, minute=5), make_quote(89, 90, minute=5)])
def test_other_events_of_a_symbol_with_books(event: Any) -> None:
    """Where there are books, bars and quotes fill nothing."""
    pit = Pit()
    pit.order(BUY, 5)
    pit.see(event)
    assert not pit.trades


def test_trade_triggers_and_a_book_fills() -> None:
    """A trade wakes a stop order; it takes from the next book."""
    pit = Pit()
    pit.order(BUY, 15, stop=101)
    pit.book()  # its best ask is what a taker would get: that triggers, too
    assert pit.pieces == [(10, 101), (5, 102)]
    pit.order(SELL, 15, stop=98)
    pit.trade(98, 1)
    assert len(pit.pieces) == 2
    pit.book()
    assert pit.pieces[2:] == [(10, 99), (5, 98)]


def test_woken_limit_may_take() -> None:
    """A stop-limit order woken by a trade takes from the next book as far as its limit allows, then rests."""
    pit = Pit()
    pit.order(BUY, 15, order_type=OrderType.STOP_LIMIT, stop=104, limit=101)
    pit.trade(104, 1, BUY)
    pit.book()
    assert pit.pieces == [(10, 101)]


def test_trailing_stop_on_books() -> None:
    """A trailing stop follows the side of the book that it would take from, and the trades."""
    terms = OrderTerms(trail=Trail(Decimal(2)))
    pit = Pit()
    pit.order(SELL, 5, order_type=OrderType.TRAILING_STOP, terms=terms)
    pit.trade(105, 1)
    pit.trade(103, 1)
    pit.book(bids=[(104, 3), (102, 9)], asks=[(106, 1)])
    assert pit.pieces == [(3, 104), (2, 102)]


# --- queues --------------------------------------------------------------------------------------------------


def test_trades_at_the_price_move_the_queue() -> None:
    """A resting order fills by what trades at its price beyond what stood ahead of it."""
    pit = Pit()
    pit.order(BUY, 5, limit=99)
    pit.trade(99, 10)
    assert not pit.trades
    pit.trade(99, 3)
    assert pit.pieces == [(3, 99)]
    pit.trade(99, 8)
    assert pit.pieces == [(3, 99), (2, 99)]


def test_part_of_a_trade_gets_past_the_queue() -> None:
    """Of a trade that is larger than the queue, what is left reaches us."""
    pit = Pit()
    pit.order(BUY, 5, limit=99)
    pit.trade(99, 12)
    assert pit.pieces == [(2, 99)]


def test_trades_of_the_wrong_side() -> None:
    """A taker that buys at our bid's price does not trade with bids."""
    pit = Pit()
    pit.order(BUY, 5, limit=99)
    pit.trade(99, 100, BUY)
    assert not pit.trades


def test_trade_through_the_price() -> None:
    """A trade beyond our price would have met us first: it fills us, up to its amount."""
    pit = Pit()
    pit.order(BUY, 5, limit=99)
    pit.trade(98, 3)
    pit.trade(99, 1)
    assert pit.pieces == [(3, 99), (1, 99)]


def test_book_that_reaches_the_price() -> None:
    """When the other side comes to our price it trades with us, up to what it shows there."""
    pit = Pit()
    pit.order(SELL, 30, limit=101)
    pit.book(bids=[(102, 4), (101, 7), (100, 50)], asks=[(103, 1)])
    assert pit.pieces == [(4, 101), (7, 101)]
    assert {trade.liquidity for trade in pit.trades} == {MAKER}


def test_new_price_level() -> None:
    """An order that makes a new level has nobody ahead."""
    pit = Pit()
    pit.order(BUY, 5, limit=100)
    pit.trade(100, 1)
    assert pit.pieces == [(1, 100)]


@pytest.mark.parametrize(("model", "had"), [(risk_averse, 0), (proportional, 3)])
def test_cancels(model: QueueModel, had: int) -> None:
    """Cancels move a proportional queue, and a risk-averse one only when it would not fit any more."""
    pit = Pit(queue_model=model)
    pit.order(BUY, 5, limit=98)  # 20 ahead
    pit.book(bids=[(99, 10), (98, 40)])  # 20 more, behind
    pit.book(bids=[(99, 10), (98, 20)])  # half of it cancels: proportionally 10 of those ahead
    pit.trade(98, 13)
    assert [size for size, _ in pit.pieces] == ([had] if had else [])


def test_queue_that_shrinks_below_our_place() -> None:
    """No more can be ahead than is shown."""
    pit = Pit()
    pit.order(BUY, 5, limit=98)
    pit.book(bids=[(99, 10), (98, 4)])
    pit.trade(98, 5)
    assert pit.pieces == [(1, 98)]


def test_trades_are_not_taken_for_cancels() -> None:
    """What has traded since the last book is not counted again when the next book shows less."""
    pit = Pit(queue_model=proportional)
    pit.order(BUY, 5, limit=98)
    pit.book(bids=[(98, 40)])
    pit.trade(98, 10)  # 10 ahead of 30
    pit.book(bids=[(98, 30)])
    pit.trade(98, 11)
    assert pit.pieces == [(1, 98)]


def test_unrelated_books_reset_nothing() -> None:
    """Books that change elsewhere leave the place in the queue as it is."""
    pit = Pit()
    pit.order(BUY, 5, limit=99)
    pit.trade(99, 8)
    pit.book(bids=[(99.5, 3), (99, 20), (98, 1)], asks=[(100, 5)])
    pit.trade(99, 3)
    assert pit.pieces == [(1, 99)]


@pytest.mark.parametrize(
    ("change", "pieces"),
    [
        ({"quantity": Decimal(4)}, [(2, 99)]),
        ({"quantity": Decimal(9)}, []),
        ({"limit_price": Decimal(98)}, []),
    ],
)
def test_changes_and_the_place(change: dict[str, Decimal], pieces: list[Any]) -> None:
    """Less keeps the place in the queue; more, or another price, joins at the end."""
    pit = Pit()
    pit.order(BUY, 5, limit=99)
    pit.trade(99, 8)
    pit.broker.modify_order("o1", **change)
    pit.trade(99, 4)
    assert pit.pieces == pieces


def test_two_orders_in_one_queue() -> None:
    """One trade does not fill two of our orders with the same amount."""
    pit = Pit()
    pit.order(BUY, 3, limit=99)
    pit.order(BUY, 3, limit=99)
    pit.trade(99, 14)
    assert pit.pieces == [(3, 99), (1, 99)]


def test_post_only_rests() -> None:
    """A post-only order that the book lets rest waits in its queue like any other."""
    pit = Pit()
    pit.order(BUY, 3, limit=99, terms=OrderTerms(post_only=True))
    pit.book()
    pit.trade(99, 11)
    assert pit.pieces == [(1, 99)]


def test_post_only_that_the_market_met() -> None:
    """A post-only order is canceled by the book that would make it take."""
    pit = Pit()
    pit.broker._prices.books.clear()  # the exchange knew no book when the order came
    pit.broker._prices.latest.clear()
    pit.order(BUY, 3, limit=101, terms=OrderTerms(post_only=True))
    pit.book()
    assert pit.reason(ReportKind.CANCELED) == "POST_ONLY"


sizes = st.floats(0, 100)


@given(sizes, st.lists(st.tuples(st.booleans(), sizes), max_size=12), st.sampled_from([risk_averse, proportional]))
def test_place_only_gets_better(first: float, moves: list[tuple[bool, float]], model: QueueModel) -> None:
    """Whatever trades and is shown, what is ahead never grows, is never negative nor more than is shown."""
    queue = Queue(first)
    before = queue.ahead
    for is_trade, size in moves:
        if is_trade:
            past = queue.trade(size)
            assert 0 <= past <= size
        else:
            queue.show(size, model)
            assert queue.ahead <= size
        assert 0 <= queue.ahead <= before
        before = queue.ahead
