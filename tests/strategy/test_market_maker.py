"""The market maker: where it quotes, how often it asks, and when it pulls."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from tests.strategy.desk import Desk, cancels, cents, changes, requests, stray, wanted
from tradingd.domain.enums import OrderStatus, Side
from tradingd.domain.events import Book, CancelRequest, ModifyRequest, OrderRequest
from tradingd.errors import StrategyError
from tradingd.strategy.market_maker import MarketMaker
from tradingd.testing import at, make_quote


class Maker(Desk):
    """Ten shares 50 bps around the mid, at most thirty, shifted by 30 bps at thirty."""

    def __init__(self, **params: Any) -> None:
        given = {
            "symbol": "AAPL",
            "quantity": "10",
            "max_inventory": "30",
            "half_spread_bps": 50,
            "skew_bps": 30,
            "min_change_bps": 5,
            "allow_short": True,
            **params,
        }
        super().__init__(MarketMaker, given)
        self.second = 0.0
        self.working: dict[Side, OrderRequest] = {}

    def quote(self, bid: float, ask: float, after: float = 2.0) -> list[Any]:
        """A quote, seconds after the last one."""
        self.second += after
        return self.market(make_quote(bid, ask, minute=self.second / 60))

    def start(self, bid: float = 99.99, ask: float = 100.01) -> "Maker":
        """Both orders work."""
        self.accept_all(self.quote(bid, ask))
        return self

    def accept_all(self, asked: list[Any]) -> list[Any]:
        answers = []
        for order in requests(asked):
            self.working[order.side] = order
            answers += self.accept(order)
        return answers

    def modified(self, change: ModifyRequest) -> list[Any]:
        """The venue has changed the order."""
        return self.tell(change.intent_id, OrderStatus.OPEN, "MODIFIED", limit_price=change.limit_price)

    def limits(self, asked: list[Any]) -> dict[str, str]:
        """The price asked for per side, by a new order or a change."""
        intents = {order.intent_id: side for side, order in self.working.items()}
        new = {str(each.side): cents(each.limit_price) for each in requests(asked)}
        return new | {str(intents[each.intent_id]): cents(each.limit_price) for each in changes(asked)}


# --- where -------------------------------------------------------------------------------------------------


def test_flat_it_quotes_evenly_around_the_mid() -> None:
    """A bid and an ask at half the spread from it, each in full size, post-only."""
    asked = Maker().quote(99.99, 100.01)
    assert wanted(asked) == [("BUY", "10", "99.50"), ("SELL", "10", "100.50")]
    assert all(order.terms.post_only for order in requests(asked))


@pytest.mark.parametrize(
    ("held", "prices"),
    [("30", {"SELL": "100.20"}), ("15", {"BUY": "99.35", "SELL": "100.36"}), ("-30", {"BUY": "99.79"})],
)
def test_inventory_shifts_both_prices_against_it(held: str, prices: dict[str, str]) -> None:
    """Long, it sells cheaper and buys cheaper; at the greatest position it does not add to it.

    100 x (1 - 0.003 x 15 / 30) is 99.85; half a percent around it and outwards to the tick.
    """
    run = Maker()
    run.hold("AAPL", held, "100")
    assert run.limits(run.quote(99.99, 100.01)) == prices


def test_it_never_crosses_the_market() -> None:
    """However strong the shift, an ask stays a tick above the best bid, a bid a tick below the best ask."""
    run = Maker(half_spread_bps=1, skew_bps=500)
    run.hold("AAPL", "15", "100")
    assert run.limits(run.quote(99.90, 100.10))["SELL"] == "99.91"
    run = Maker(half_spread_bps=1, skew_bps=500)
    run.hold("AAPL", "-15", "100")
    assert run.limits(run.quote(99.90, 100.10))["BUY"] == "100.09"


def test_the_size_is_what_there_is_room_for() -> None:
    """With 24 held of 30 the bid is for six; the ask stays ten."""
    run = Maker()
    run.hold("AAPL", "24", "100")
    assert [(side, quantity) for side, quantity, _ in wanted(run.quote(99.99, 100.01))] == [
        ("BUY", "6"),
        ("SELL", "10"),
    ]


def test_without_short_selling_it_sells_what_it_has() -> None:
    """Flat there is no ask; with four held it is for four."""
    run = Maker(allow_short=False)
    assert [each[:2] for each in wanted(run.quote(99.99, 100.01))] == [("BUY", "10")]
    run = Maker(allow_short=False)
    run.hold("AAPL", "4", "100")
    assert [each[:2] for each in wanted(run.quote(99.99, 100.01))] == [("BUY", "10"), ("SELL", "4")]


def test_a_book_is_as_good_as_a_quote() -> None:
    """Its best prices are taken; without one side it is no market."""
    run = Maker()
    book = Book(at(1), "AAPL", ((99.99, 5.0), (99.0, 5.0)), ((100.01, 5.0),))
    assert [each[2] for each in wanted(run.market(book))] == ["99.50", "100.50"]
    assert Maker().market(Book(at(1), "AAPL", (), ((100.01, 5.0),))) == []


# --- how often ---------------------------------------------------------------------------------------------


def test_a_small_move_changes_nothing() -> None:
    """Within `min_change_bps` the orders stay where they are."""
    run = Maker().start()
    assert run.quote(100.02, 100.04) == []


def test_a_move_is_followed_with_changes_not_with_new_orders() -> None:
    """One change a side."""
    run = Maker().start()
    asked = run.quote(100.19, 100.21)
    assert run.limits(asked) == {"BUY": "99.69", "SELL": "100.71"}
    assert len(asked) == len(changes(asked)) == 2


def test_no_second_change_while_one_is_under_way() -> None:
    """The next one follows when the venue has answered."""
    run = Maker().start()
    first = changes(run.quote(100.19, 100.21))
    assert run.quote(100.39, 100.41) == []
    for change in first:
        assert run.modified(change) == []
    assert len(changes(run.quote(100.39, 100.41))) == 2


def test_no_change_sooner_than_requote_s() -> None:
    """A market that flickers is not followed at every tick."""
    run = Maker(requote_s=10).start()
    asked = [run.quote(100.0 + 0.2 * (n % 2), 100.02 + 0.2 * (n % 2), after=1.0) for n in range(9)]
    assert asked == [[]] * 9
    assert changes(run.quote(100.2, 100.22, after=2.0))


def test_it_does_not_flood() -> None:
    """Over a thousand quotes of a walk, ten a second, at most one request a side and second."""
    run = Maker().start()
    for number in range(1_000):
        mid = 100 + 0.05 * ((number * 37) % 101) / 10
        asked = run.quote(mid - 0.01, mid + 0.01, after=0.1)
        for change in changes(asked):
            run.modified(change)
    asked = [
        event for event in run.run.log.events if isinstance(event, OrderRequest | ModifyRequest | CancelRequest)
    ]
    assert 20 < len(asked) <= 2 + 2 * 100


def test_a_change_does_not_run_into_the_own_order_on_the_other_side() -> None:
    """After a jump up the ask moves first, and the bid when that is certain."""
    run = Maker().start()
    asked = run.quote(101.99, 102.01)
    assert run.limits(asked) == {"SELL": "102.51"}
    run.modified(changes(asked)[0])
    assert list(run.limits(run.quote(101.99, 102.01))) == ["BUY"]


def test_a_filled_order_is_replaced() -> None:
    """At the next quote, with the prices shifted."""
    run = Maker().start()
    assert run.fill(run.working[Side.BUY]) == []
    asked = run.quote(99.99, 100.01)
    assert run.limits(asked) == {"BUY": "99.40", "SELL": "100.40"}


@pytest.mark.parametrize("late", [False, True])
def test_the_position_stays_within_the_bound_whichever_news_comes_first(late: bool) -> None:  # noqa: FBT001
    """Buying only: three fills of ten make thirty, and there is no fourth bid."""
    run = Maker().start()
    for _ in range(5):
        if Side.BUY in run.working:
            run.fill(run.working.pop(Side.BUY), late=late)
        run.accept_all(run.quote(99.99, 100.01))
    assert run.position("AAPL") == 30
    assert Side.BUY not in run.working


def test_a_partial_fill_leaves_the_rest_at_work() -> None:
    """It fits, so nothing is asked for."""
    run = Maker(skew_bps=0).start()
    assert run.fill(run.working[Side.BUY], "4") == []
    assert run.quote(99.99, 100.01) == []


# --- when it pulls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        (100.02, 100.01),
        (100.01, 100.01),
        (0.0, 100.01),
        (99.99, 0.0),
        (99.99, float("inf")),
        (float("nan"), 100.0),
    ],
)
def test_it_pulls_out_of_a_market_that_is_none(bid: float, ask: float) -> None:
    """Crossed, locked, one-sided: both orders are canceled at once, and once."""
    run = Maker().start()
    asked = run.quote(bid, ask, after=0.1)
    assert sorted(cancels(asked)) == sorted(order.intent_id for order in run.working.values())
    assert run.quote(bid, ask, after=0.1) == []


def test_it_pulls_out_of_a_market_that_is_too_narrow() -> None:
    """Below `min_spread_bps` there is nothing to be earned."""
    run = Maker(min_spread_bps=2).start(99.95, 100.05)
    assert len(cancels(run.quote(99.995, 100.005))) == 2


def test_it_pulls_when_no_quote_has_come() -> None:
    """A timer sees to it; with the next quote it is back."""
    run = Maker(stale_after_s=4).start()
    since = run.run.clock.now()
    assert run.until(since + 3_900_000_000) == []
    gone = cancels(run.until(since + 6_100_000_000))
    assert len(gone) == 2
    for intent in gone:
        run.tell(intent, OrderStatus.CANCELED)
    assert len(requests(run.quote(99.99, 100.01, after=10))) == 2


def test_an_order_that_begins_to_work_after_the_pull_is_canceled() -> None:
    """It was on its way when the market went bad."""
    run = Maker()
    orders = requests(run.quote(99.99, 100.01))
    assert run.quote(100.02, 100.01) == []
    assert cancels(run.accept(orders[0])) == [orders[0].intent_id]


def test_a_change_under_way_at_the_pull_is_canceled_after_it() -> None:
    """First the venue's answer, then the cancel."""
    run = Maker().start()
    change = changes(run.quote(100.19, 100.21))[0]
    run.quote(100.22, 100.21, after=0.1)
    assert cancels(run.modified(change)) == [change.intent_id]


def test_a_rejected_cancel_is_repeated_but_not_at_every_quote() -> None:
    """After `requote_s` at the earliest."""
    run = Maker(requote_s=1).start()
    intent = run.working[Side.BUY].intent_id
    assert intent in cancels(run.quote(100.02, 100.01))
    run.tell(intent, OrderStatus.CANCELING)
    assert run.tell(intent, OrderStatus.OPEN, "CANCEL_REJECTED") == []
    assert run.quote(100.02, 100.01, after=0.5) == []
    assert cancels(run.quote(100.02, 100.01, after=0.6)) == [intent]


# --- when things go wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED])
def test_a_refused_order_is_asked_for_again_ever_later(status: OrderStatus) -> None:
    """After 1, 2, 4 ... seconds, up to a minute."""
    run = Maker(allow_short=False, requote_s=0)
    times = []
    for _ in range(1_000):
        for order in requests(run.quote(99.99, 100.01, after=0.5)):
            times.append(run.second)
            run.tell(order, status, "no")
    waits = [int(later - earlier) for earlier, later in pairwise(times)]
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("reason", ["MODIFY_DENIED: PRICE_COLLAR", "MODIFY_REJECTED: busy"])
def test_an_order_whose_change_was_refused_is_replaced(reason: str) -> None:
    """It is canceled, and a new one is placed at the price of the day."""
    run = Maker().start()
    change = changes(run.quote(100.19, 100.21))[0]
    assert cancels(run.tell(change.intent_id, OrderStatus.OPEN, reason)) == [change.intent_id]
    run.tell(change.intent_id, OrderStatus.CANCELED)
    assert len(requests(run.quote(100.19, 100.21))) == 1


def test_an_order_of_unknown_fate_keeps_its_side_quiet() -> None:
    """It may be in the book: no second one."""
    run = Maker().start()
    run.tell(run.working[Side.BUY], OrderStatus.UNKNOWN)
    assert list(run.limits(run.quote(100.39, 100.41))) == ["SELL"]


def test_an_order_that_a_late_fill_leaves_no_room_is_canceled() -> None:
    """With 25 held from elsewhere a bid of ten could make 35."""
    run = Maker().start()
    run.hold("AAPL", "25", "100")
    assert cancels(run.quote(99.99, 100.01)) == [run.working[Side.BUY].intent_id]


def test_orders_from_before_are_canceled_before_anything_is_quoted() -> None:
    """They would count against nothing, and could meet what we quote."""
    run = Maker()
    old = stray("AAPL", Side.BUY, "97")
    run.tell(old, OrderStatus.OPEN)
    assert cancels(run.quote(99.99, 100.01)) == ["s:old"]
    run.tell(old, OrderStatus.CANCELED)
    assert len(requests(run.quote(99.99, 100.01))) == 2


def test_a_size_that_cannot_be_ordered_is_an_error_at_the_start() -> None:
    """It says why."""
    with pytest.raises(StrategyError, match=r"quantity cannot be ordered: LOT: quantity 0.5"):
        Maker(quantity="0.5")


def test_wrong_parameters_are_refused() -> None:
    """There must be room for one order."""
    with pytest.raises(ValidationError, match="must not be less than quantity"):
        Maker(max_inventory=Decimal(9))
