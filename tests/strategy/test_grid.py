"""The grid: its ladder, round trips, bounds, refusals and its end."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from tests.strategy.desk import cancels, requests, signals, stray, wanted
from tests.strategy.grid_desk import Ladder
from tradingd.domain.enums import OrderStatus, Side
from tradingd.errors import StrategyError
from tradingd.strategy.ladder import arithmetic_lines, geometric_lines
from tradingd.testing import make_bar, make_instrument, make_quote

# --- the ladder --------------------------------------------------------------------------------------------


def test_it_buys_below_the_price() -> None:
    """A limit order at each line below, the nearest first, and a single one until that is accepted."""
    run = Ladder()
    (first,) = requests(run.price(102.0))
    assert wanted([first]) == [("BUY", "10", "100.00")]
    assert wanted(run.accept_all([first])[1:]) == [("BUY", "10", "95.00"), ("BUY", "10", "90.00")]


def test_a_buy_that_fills_is_sold_one_level_up_and_bought_again() -> None:
    """The round trip of a cell."""
    run = Ladder().start()
    run.price(100.0)
    assert wanted(run.filled("BUY", "100")) == [("SELL", "10", "105.00")]
    run.price(105.5)
    assert wanted(run.filled("SELL", "105")) == [("BUY", "10", "105.00"), ("BUY", "10", "100.00")]


@pytest.mark.parametrize("late", [False, True])
def test_a_fill_turns_its_cell_once_whichever_news_comes_first(late: bool) -> None:  # noqa: FBT001
    """One sell for one buy."""
    run = Ladder().start()
    run.price(100.0)
    assert wanted(run.filled("BUY", "100", late=late)) == [("SELL", "10", "105.00")]


def test_the_first_inventory_is_what_the_cells_above_sell() -> None:
    """At 102 two cells are above: 20 are bought at market, then sold at 105 and 110... and buys wait below."""
    run = Ladder(buy_at_start=True)
    (seed,) = requests(run.price(102.0))
    assert wanted([seed]) == [("BUY", "10", "None")]
    assert run.accept(seed) == []
    asked = run.accept_all(run.fill(seed, price="102"))
    assert wanted(asked) == [
        ("SELL", "10", "110.00"),
        ("BUY", "10", "100.00"),
        ("BUY", "10", "95.00"),
        ("BUY", "10", "90.00"),
    ]


def test_a_first_inventory_that_is_refused_is_not_asked_for_again() -> None:
    """The buys below begin all the same."""
    run = Ladder(buy_at_start=True)
    (seed,) = requests(run.price(92.0))
    assert wanted([seed]) == [("BUY", "30", "None")]
    assert wanted(run.deny(seed)) == [("BUY", "10", "90.00")]


def test_a_position_from_before_is_stock() -> None:
    """17 held at 102: ten for the cell above the price, seven for the one around it."""
    run = Ladder()
    run.hold("AAPL", "17", "100")
    asked = run.accept_all(run.price(102.0))
    assert sorted(wanted(asked)) == [
        ("BUY", "10", "90.00"),
        ("BUY", "10", "95.00"),
        ("SELL", "10", "110.00"),
        ("SELL", "7", "105.00"),
    ]


def test_what_no_cell_has_room_for_is_left_alone_and_counts() -> None:
    """25 held at 102: twenty are for sale, and the bound has room for 15 more: one cell."""
    run = Ladder(max_inventory="40")
    run.hold("AAPL", "25", "100")
    asked = run.accept_all(run.price(102.0))
    assert sorted(wanted(asked)) == [
        ("BUY", "10", "95.00"),
        ("SELL", "10", "105.00"),
        ("SELL", "10", "110.00"),
    ]


def test_orders_from_before_are_canceled_first() -> None:
    """Nothing is placed while one of them may still fill."""
    run = Ladder()
    old = stray("AAPL", Side.BUY, "97")
    run.tell(old, OrderStatus.OPEN)
    assert cancels(run.price(102.0)) == ["s:old"]
    assert run.price(103.0) == []
    assert wanted(run.tell(old, OrderStatus.CANCELED)) == [("BUY", "10", "100.00")]


def test_above_the_range_it_buys_nothing_new_and_below_it_nothing_at_all() -> None:
    """The price may leave the range; the ladder stays as it is."""
    run = Ladder().start(120.0)
    assert sorted(str(o.limit_price) for o in run.working.values()) == ["100.00", "105.00", "90.00", "95.00"]
    assert run.price(130.0) == []
    assert Ladder().price(85.0) == []


def test_quotes_and_bars_drive_it_too() -> None:
    """The close of a bar, the middle of a quote; a crossed quote is none."""
    assert wanted(Ladder().market(make_bar(102.0))) == [("BUY", "10", "100.00")]
    assert wanted(Ladder().market(make_quote(101.0, 103.0))) == [("BUY", "10", "100.00")]
    assert Ladder().market(make_quote(103.0, 101.0)) == []


def test_a_market_that_crosses_no_line_asks_for_nothing() -> None:
    """The ladder is looked at only when there is something to do."""
    run = Ladder().start()
    assert [run.price(price) for price in (101.0, 104.9, 100.1, 103.0)] == [[]] * 4


# --- bounds ------------------------------------------------------------------------------------------------


def test_the_inventory_is_bounded_whichever_orders_fill() -> None:
    """With room for two cells only the two nearest buys are placed."""
    run = Ladder(max_inventory="20").start()
    assert sorted(str(o.limit_price) for o in run.working.values()) == ["100.00", "95.00"]
    run.price(100.0)
    run.filled("BUY", "100")
    run.price(95.0)
    run.filled("BUY", "95")
    run.price(89.0)
    assert {str(o.side) for o in run.working.values()} == {"SELL"}
    assert run.position("AAPL") == 20


def test_buys_follow_the_price_up_within_the_bound() -> None:
    """The farthest is canceled; the nearer one is placed when that is certain."""
    run = Ladder(max_inventory="20").start()
    asked = run.price(106.0)
    assert (cancels(asked), requests(asked)) == ([run.at("BUY", "95").intent_id], [])
    assert run.price(106.1) == []
    assert wanted(run.ended(run.at("BUY", "95").intent_id)) == [("BUY", "10", "105.00")]


def test_a_cancel_that_was_rejected_is_asked_for_again() -> None:
    """But not at once: a venue that always rejects it is not flooded."""
    run = Ladder(max_inventory="20").start()
    intent = run.at("BUY", "95").intent_id
    assert cancels(run.price(106.0)) == [intent]
    run.tell(intent, OrderStatus.CANCELING)
    assert run.tell(intent, OrderStatus.OPEN, "CANCEL_REJECTED") == []
    assert run.price(106.0, after=0.5) == []
    assert cancels(run.price(106.0, after=0.6)) == [intent]


def test_it_never_sells_into_its_own_buys() -> None:
    """Two buys fill in one event: the lower cell's sell waits until the upper one's order is out of the book."""
    run = Ladder().start()
    run.price(94.0)
    first = run.at("BUY", "95")
    asked = run.fill(first)  # while the buy at 100 has not been told of yet
    del run.working[first.intent_id]
    assert requests(asked) == []
    asked = run.accept_all(run.fill(run.at("BUY", "100")))
    assert wanted(asked) == [("SELL", "10", "100.00"), ("SELL", "10", "105.00")]


def test_what_a_fee_in_the_base_coin_has_taken_is_not_sold() -> None:
    """Ten bought, a share of them given up: nine are sold."""
    run = Ladder().start()
    run.price(100.0)
    assert wanted(run.filled("BUY", "100", fees=[("AAPL", "1")])) == [("SELL", "9", "105.00")]


def test_what_somebody_else_has_sold_is_let_go() -> None:
    """The sell is canceled at the next crossing, and the cell buys again when the price is above it."""
    run = Ladder().start()
    run.price(100.0)
    run.filled("BUY", "100")
    run.hold("AAPL", "-10", "100")
    intent = run.at("SELL", "105").intent_id
    assert cancels(run.price(94.0)) == [intent]
    assert run.ended(intent) == []
    assert wanted(run.price(102.0)) == [("BUY", "10", "100.00")]


# --- partial fills -----------------------------------------------------------------------------------------


def test_a_partial_buy_works_on() -> None:
    """Its rest stays in the book; nothing is sold yet."""
    run = Ladder().start()
    run.price(100.0)
    assert run.filled("BUY", "100", "4") == []
    assert wanted(run.filled("BUY", "100", "6")) == [("SELL", "10", "105.00")]


def test_a_partial_buy_that_the_price_leaves_behind_is_sold() -> None:
    """The rest is canceled, what was bought goes out at the upper line."""
    run = Ladder().start()
    run.price(100.0)
    run.filled("BUY", "100", "4")
    intent = run.at("BUY", "100").intent_id
    assert cancels(run.price(106.0)) == [intent]
    assert wanted(run.ended(intent)) == [("SELL", "4", "105.00")]


def test_a_partial_buy_that_is_canceled_by_somebody_is_completed_later() -> None:
    """The missing six, once the side may be tried again."""
    run = Ladder().start()
    run.price(100.5)
    run.filled("BUY", "100", "4")
    assert run.ended(run.at("BUY", "100").intent_id) == []
    assert wanted(run.price(100.6, after=2)) == [("BUY", "6", "100.00")]


def test_a_partial_sell_works_on() -> None:
    """What is not sold stays for sale at the same price."""
    run = Ladder().start()
    run.price(100.0)
    run.filled("BUY", "100")
    assert run.price(105.5) == []  # it would meet a buy at 105
    assert run.filled("SELL", "105", "4") == []
    assert wanted(run.filled("SELL", "105", "6")) == [("BUY", "10", "105.00"), ("BUY", "10", "100.00")]


def test_a_part_that_the_venue_takes_no_order_for_waits_for_the_rest() -> None:
    """Four are less than the least order of five: the cell buys on."""
    run = Ladder(instruments={"AAPL": make_instrument("AAPL", min_quantity="5")}).start()
    run.price(100.5)
    run.filled("BUY", "100", "4")
    run.ended(run.at("BUY", "100").intent_id)
    asked = run.accept_all(run.price(106.0, after=2))
    assert wanted(asked) == [("BUY", "10", "105.00"), ("BUY", "6", "100.00")]


def test_a_late_fill_counts_for_its_cell() -> None:
    """A buy that filled after its cancel is sold like any other; the buy it makes one too many is canceled."""
    run = Ladder(max_inventory="20").start()
    run.price(106.0)
    old = run.at("BUY", "95")
    run.accept_all(run.ended(old.intent_id))
    asked = [*run.book(old, "10", "95"), *run.tell(old, OrderStatus.FILLED, filled=Decimal(10))]
    assert cancels(asked) == [run.at("BUY", "100").intent_id]
    asked = [*run.ended(run.at("BUY", "100").intent_id), *run.ended(run.at("BUY", "105").intent_id)]
    assert wanted(asked) == [("SELL", "10", "100.00")]


# --- refusals ----------------------------------------------------------------------------------------------


def test_a_refusal_never_comes_in_dozens() -> None:
    """Of a side that is always denied one order at a time is tried, and ever more rarely: every ten minutes."""
    run = Ladder()
    denied: list[float] = []
    for _ in range(6_000):
        for order in requests(run.price(102.0, after=0.1)):
            denied.append(run.minute)
            assert run.deny(order) == []
    assert all(later - earlier > 0.99 for earlier, later in pairwise(denied))
    assert 20 < len(denied) < 50  # in ten hours


def test_after_a_refusal_all_follow_when_one_is_accepted() -> None:
    """The ladder is completed at once."""
    run = Ladder()
    run.deny(requests(run.price(102.0))[0])
    assert run.price(102.0, after=0.5) == []
    asked = run.accept_all(run.price(102.0, after=1.0))
    assert len(asked) == 3


def test_one_bad_cell_does_not_stop_the_others() -> None:
    """A line that risk never allows is tried ever more rarely; the round trips of the others go on."""
    run = Ladder()
    asked = requests(run.price(102.0))
    while asked:
        order = asked.pop(0)
        if order.limit_price == 90:
            run.deny(order, "PRICE_COLLAR: too far")
        else:
            run.working[order.intent_id] = order
            asked += requests(run.accept(order))
    (again,) = requests(run.price(100.0, after=2))
    assert again.limit_price == 90
    run.deny(again)
    assert wanted(run.fill(run.at("BUY", "100"))) == [("SELL", "10", "105.00")]


@pytest.mark.parametrize("status", [OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.EXPIRED])
def test_an_order_that_ends_by_another_hand_waits(status: OrderStatus) -> None:
    """It is not put back at once: whoever canceled it meant it."""
    run = Ladder().start()
    assert run.ended(run.at("BUY", "95").intent_id, status) == []
    assert run.price(102.0, after=0.5) == []
    assert wanted(run.price(102.0, after=1.0)) == [("BUY", "10", "95.00")]


def test_an_unknown_order_keeps_its_cell() -> None:
    """Nothing is sent in its place, and it counts in full."""
    run = Ladder(max_inventory="20").start()
    run.tell(run.at("BUY", "95"), OrderStatus.UNKNOWN)
    assert run.price(106.0) == []
    assert run.price(107.0, after=120) == []


# --- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("price", [80.0, 79.0, 120.0])
def test_at_a_stop_it_closes_and_is_over(price: float) -> None:
    """One FLAT signal; risk cancels the orders and closes the position. No order after it."""
    run = Ladder(stop_below="80", stop_above="120").start()
    run.price(100.0)
    run.filled("BUY", "100")
    asked = run.price(price)
    assert signals(asked) == [("AAPL", "FLAT")]
    assert run.price(price) == []
    for intent in tuple(run.working):
        assert run.ended(intent) == []
    run.close(asked[0], str(price))
    assert [run.price(102.0) for _ in range(3)] == [[]] * 3
    assert run.position("AAPL") == 0


def test_a_closing_that_fails_is_tried_again_later() -> None:
    """Every retry_s, until nothing is held and nothing works."""
    run = Ladder(stop_below="80").start()
    run.price(100.0)
    run.filled("BUY", "100")
    (signal,) = run.price(79.0)
    run.deny(signal)
    assert run.price(79.0, after=0.5) == []
    assert signals(run.price(79.0, after=1.0)) == [("AAPL", "FLAT")]


# --- lines and parameters ----------------------------------------------------------------------------------


def test_lines_are_at_equal_differences_or_equal_ratios() -> None:
    """Both ends are exact."""
    low, high = Decimal(100), Decimal(400)
    assert [float(line) for line in arithmetic_lines(low, high, 3)] == [100, 200, 300, 400]
    assert [float(line) for line in geometric_lines(low, high, 2)] == pytest.approx([100, 200, 400])
    assert (geometric_lines(low, high, 7)[0], geometric_lines(low, high, 7)[-1]) == (low, high)


def test_post_only_is_passed_on_where_an_order_rests() -> None:
    """Not for one that is meant to trade at once."""
    run = Ladder(post_only=True).start()
    assert all(order.terms.post_only for order in run.working.values())
    run.price(100.0)
    run.filled("BUY", "100", "4")
    intent = run.at("BUY", "100").intent_id
    run.price(106.0)
    (sell,) = [order for order in requests(run.ended(intent)) if str(order.side) == "SELL"]
    assert not sell.terms.post_only


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"levels": 400}, "400 lines from 90 to 91 are closer together than the tick 0.01 of AAPL"),
        ({"quantity": "0.5"}, "cannot be ordered at its lowest line: LOT: quantity 0.5"),
    ],
)
def test_a_grid_that_cannot_be_ordered_is_an_error_at_the_start(params: dict[str, Any], said: str) -> None:
    """It says what to change."""
    with pytest.raises(StrategyError, match=said):
        Ladder(upper="91", **params)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"lower": "110"}, "prices must ascend"),
        ({"stop_below": "95"}, "prices must ascend"),
        ({"stop_above": "105"}, "prices must ascend"),
        ({"max_inventory": "5"}, "must not be less than quantity"),
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any], said: str) -> None:
    """With a message that says what is wrong."""
    with pytest.raises(ValidationError, match=said):
        Ladder(**params)
