"""Corporate actions: exact arithmetic of holdings and prices."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.domain.actions import dividend, restated, restated_price, split, split_among
from tradingd.domain.enums import ActionKind
from tradingd.domain.events import Book, CorporateAction, EventType, MarketEvent
from tradingd.domain.money import ZERO, add
from tradingd.domain.position import Position
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError
from tradingd.testing import make_bar, make_quote, make_trade

D = Decimal
LOT = D(1)


def a_split(new: int, old: int) -> CorporateAction:
    """A split of AAPL."""
    return CorporateAction(0, "AAPL", ActionKind.SPLIT, new, old)


def a_dividend(amount: str) -> CorporateAction:
    """A dividend of AAPL."""
    return CorporateAction(0, "AAPL", ActionKind.DIVIDEND, amount=D(amount))


def test_a_split_multiplies_what_is_held() -> None:
    """Two for one makes 200 shares of 100, with nothing to be paid for and no digits behind the point."""
    share = split(a_split(2, 1), D(100), LOT, None)
    assert (str(share.quantity), share.cash) == ("200", 0)


@pytest.mark.parametrize(
    ("held", "new", "old", "lots", "cash"),
    [
        ("5", 3, 2, "7", "5"),
        ("-5", 3, 2, "-7", "-5"),
        ("3", 1, 8, "0", "3.75"),
        ("10", 1, 3, "3", "3.333333333333333333"),
    ],
)
def test_a_fraction_is_paid_at_the_price_after_the_split(
    held: str, new: int, old: int, lots: str, cash: str
) -> None:
    """Whole lots are given; the rest brings the new price, of a short it costs that."""
    share = split(a_split(new, old), D(held), LOT, D(10))
    assert (share.quantity, share.cash) == (D(lots), D(cash))


def test_a_fraction_without_a_price_is_no_guess() -> None:
    """Where nothing tells what a fraction is worth, the books stop and say so."""
    with pytest.raises(AccountingError, match="no price tells what to pay"):
        split(a_split(3, 2), D(1), LOT, None)


@given(
    st.lists(st.integers(-1000, 1000), max_size=5),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(["1", "100", "0.01"]),
    st.decimals("0.01", "900", places=2),
)
def test_parts_add_up_to_the_account(lots: list[int], new: int, old: int, lot: str, price: D) -> None:
    """Strategies' lots and payments add up to the account's, and nobody is off by a lot or more."""
    step, action = D(lot), a_split(new, old)
    holdings = [step * count for count in lots]
    shares = split_among(action, holdings, step, price)
    account = split(action, sum(holdings, ZERO), step, price)
    assert sum((share.quantity for share in shares), ZERO) == account.quantity
    total = ZERO
    for share in shares:
        total = add(total, share.cash)
    assert total == account.cash
    for held, share in zip(holdings, shares, strict=True):
        assert share.quantity % step == 0
        assert abs(Fraction(share.quantity) - Fraction(held) * new / old) < Fraction(step)


@given(
    st.integers(-500, 500).filter(bool), st.integers(1, 9), st.integers(1, 9), st.decimals("0.01", "99", places=2)
)
def test_a_position_keeps_its_cash(held: int, new: int, old: int, price: D) -> None:
    """Over a split, realised profit less cost changes by the cash paid, to the last digit."""
    position = Position("AAPL")
    position.trade(D(held), D("33.33"))
    before = position.realized_pnl - position.cost
    share = split(a_split(new, old), D(held), LOT, price)
    position.split(share)
    assert position.quantity == share.quantity
    assert position.realized_pnl - position.cost - before == share.cash
    assert position.quantity or not position.cost


def test_a_split_realises_nothing_but_what_is_paid_for() -> None:
    """The cost of what is given goes over whole; the average price is divided."""
    position = Position("AAPL")
    position.trade(D(100), D(90))
    position.split(split(a_split(2, 1), D(100), LOT, D(45)))
    assert (position.cost, position.average_price, position.realized_pnl) == (9000, 45, 0)


def test_a_dividend_is_per_share() -> None:
    """A long receives the amount for each share, a short pays it."""
    assert dividend(a_dividend("0.18"), D(100)) == D("18.00")
    assert dividend(a_dividend("0.18"), D(-50)) == D("-9.00")


def test_prices_are_what_is_to_be_expected_after_it() -> None:
    """A split divides a price, a dividend is taken off; one of more than the price is left out."""
    assert restated_price(a_split(2, 1), D("88.99")) == D("44.495")
    assert restated_price(a_dividend("0.5"), D(20)) == D("19.5")
    assert restated_price(a_dividend("30"), D(20)) == 20


@pytest.mark.parametrize(
    "event",
    [
        make_bar(90.0, symbol="AAPL"),
        make_quote(89.0, 91.0, symbol="AAPL"),
        make_trade(90.0, symbol="AAPL"),
        Book(1, "AAPL", ((89.0, 5.0),), ((91.0, 7.0),)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_the_board_is_at_new_prices_at_once(event: MarketEvent) -> None:
    """Whatever the latest event was, its price is the new one from the split on, exactly, at its old time."""
    board = PriceBoard()
    board.update(event)
    board.update(a_split(3, 1))
    assert (board.price("AAPL"), board.exact("AAPL"), board.time("AAPL")) == (30.0, D(30), event.ts)
    assert type(board.latest["AAPL"]) is type(event)


def test_quantities_of_the_latest_event_are_in_new_shares() -> None:
    """Sizes grow as prices shrink, so that what is offered is worth the same."""
    book = restated(a_split(2, 1), Book(1, "AAPL", ((89.0, 5.0),), ((91.0, 7.0),)))
    assert isinstance(book, Book)
    assert (book.bids, book.asks) == (((44.5, 10.0),), ((45.5, 14.0),))


def test_an_action_without_a_price_changes_no_price() -> None:
    """Before a symbol's first event there is nothing to restate."""
    board = PriceBoard()
    board.update(a_split(2, 1))
    assert board.price("AAPL") is None


def test_kinds_of_events_are_places_in_lists() -> None:
    """The event managers index lists by kind: every kind, the negative one too, has a place of its own there."""
    count = len(EventType)
    assert sorted(kind % count for kind in EventType) == list(range(count))
    assert [kind for kind in EventType if kind <= EventType.BOOK] == [
        EventType.BAR, EventType.QUOTE, EventType.TRADE, EventType.BOOK, EventType.CORPORATE_ACTION,
    ]  # fmt: skip
