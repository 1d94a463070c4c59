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
