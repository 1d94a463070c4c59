from decimal import Decimal

from tradingd.domain.events import Book
from tradingd.domain.prices import PriceBoard
from tradingd.testing import at, make_bar, make_quote


def test_the_latest_event_counts() -> None:
    """The board knows the price and time of the latest event of each symbol."""
    board = PriceBoard()
    board.update(make_bar(100.0, minute=0))
    board.update(make_quote(100.5, 101.5, minute=2))
    assert (board.price("AAPL"), board.time("AAPL")) == (101.0, at(2))


def test_an_unseen_symbol_has_no_price() -> None:
    """Before its first event a symbol has neither price nor time."""
    board = PriceBoard()
    assert (board.price("AAPL"), board.time("AAPL")) == (None, None)


def test_an_empty_book_says_no_price() -> None:
    """An empty book leaves the last price in place, with the age it has."""
    board = PriceBoard()
    board.update(make_bar(100.0, minute=0))
    board.update(Book(at(5), "AAPL", (), ()))
    assert (board.price("AAPL"), board.time("AAPL")) == (100.0, at(1))


def test_the_exact_price_is_the_latest_events() -> None:
    """The digits of the float; None before the first event and for what is no number; made once an event."""
    board = PriceBoard()
    assert board.exact("AAPL") is None
    board.update(make_bar(10.1))
    first = board.exact("AAPL")
    assert (first, board.exact("AAPL") is first) == (Decimal("10.1"), True)
    board.update(make_bar(10.2, minute=1))
    assert board.exact("AAPL") == Decimal("10.2")
    board.update(make_quote(float("nan"), 1.0, minute=3))
    assert board.exact("AAPL") is None
