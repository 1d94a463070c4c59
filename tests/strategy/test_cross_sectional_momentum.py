"""Cross-sectional momentum: instants, rankings, selections and what becomes of orders."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from tests.strategy.desk import Desk, requests, signals
from tradingd.domain.enums import OrderStatus, Side
from tradingd.domain.events import Bar
from tradingd.errors import StrategyError
from tradingd.strategy.cross_sectional_momentum import CrossSectionalMomentum
from tradingd.testing import at, make_bar, make_instrument

DAY = 86_400_000_000_000


def desk(symbols: str = "ABC", **params: Any) -> Desk:
    """One winner of a look-back of one bar, 1,000 USD, ranked at every instant."""
    given = {
        "symbols": list(symbols),
        "lookback": 1,
        "top": 1,
        "capital": "1000",
        "invest_percent": 100,
        "rebalance": "instants",
        "every": 1,
        **params,
    }
    return Desk(CrossSectionalMomentum, given)


def instant(run: Desk, minute: float, **closes: float) -> list[Any]:
    """The bars of one instant in this order; what they lead to all together."""
    return [
        asked
        for symbol, close in closes.items()
        for asked in run.market(make_bar(close, symbol=symbol, minute=minute))
    ]


def orders(events: list[Any]) -> list[tuple[str, str, int]]:
    """Symbol, side and quantity of each explicit order."""
    return [(each.symbol, str(each.side), int(each.quantity)) for each in requests(events)]


def held(run: Desk, asked: list[Any], price: str) -> list[Any]:
    """All orders among these fill at `price`."""
    answers = []
    for order in requests(asked):
        answers += [*run.accept(order), *run.fill(order, price=price)]
    return answers


# --- instants ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations("ABC")))
def test_it_decides_with_the_last_bar_of_an_instant(order: tuple[str, ...]) -> None:
    """Whatever order bars come in, nothing is decided before all are there, and the decision is the same."""
    run = desk()
    closes = {"A": 11.0, "B": 12.0, "C": 10.5}
    assert instant(run, 0, **dict.fromkeys(order, 10.0)) == []
    for symbol in order[:-1]:
        assert run.market(make_bar(closes[symbol], symbol=symbol, minute=1)) == []
    last = run.market(make_bar(closes[order[-1]], symbol=order[-1], minute=1))
    assert orders(last) == [("B", "BUY", 83)]


@pytest.mark.parametrize("order", list(permutations("ABC")))
def test_newcomers_and_those_who_come_back_do_not_depend_on_the_order(order: tuple[str, ...]) -> None:
    """C begins at minute 2 and B is back at minute 4, at any place among the bars of the instant."""
    run = desk(lookback=2, max_missing=0, every=100)
    closes = {"A": [10.0] * 6, "B": [10.0, 10.0, 0.0, 0.0, 30.0, 31.0], "C": [0.0, 0.0, 5.0, 6.0, 7.0, 50.0]}
    run.strategy._since = -10_000
    rankings = []
    for minute in range(6):
        here = {symbol: closes[symbol][minute] for symbol in order if closes[symbol][minute]}
        instant(run, minute, **here)
        run.until(at(minute + 1) + 6_000_000_000)
        momentum = run.strategy._momentum
        members = run.strategy._members.items()
        rankings.append({symbol: momentum(member) for symbol, member in members if momentum(member) is not None})
    assert [sorted(each) for each in rankings] == [[], [], ["A"], ["A"], ["A", "C"], ["A", "B", "C"]]
    assert rankings[5] == {"A": 0.0, "B": pytest.approx(2.1), "C": pytest.approx(50 / 6 - 1)}


def test_it_waits_for_a_missing_bar_and_not_for_ever() -> None:
    """With a bar missing the timer decides, five seconds after the first one."""
    run = desk()
    instant(run, 0, A=10.0, B=10.0, C=10.0)
    assert instant(run, 1, A=11.0, C=12.0) == []
    assert run.until(at(2) + 4_999_999_999) == []
    assert orders(run.until(at(2) + 5_000_000_000)) == [("C", "BUY", 83)]


def test_the_next_instant_closes_the_one_before() -> None:
    """Where bars come faster than the timer, a later bar tells that an instant is over."""
    run = desk(wait_s=3600)
    instant(run, 0, A=10.0, B=10.0, C=10.0)
    assert instant(run, 1, A=11.0, C=12.0) == []
    assert orders(run.market(make_bar(99.0, symbol="A", minute=2))) == [("C", "BUY", 83)]


def test_a_bar_that_is_too_late_decides_nothing_but_is_history() -> None:
    """The ranking stands; the next one knows the close, and that the symbol lives."""
    run = desk(max_missing=0)
    instant(run, 0, A=10.0, B=10.0, C=10.0)
    instant(run, 1, A=11.0, B=10.0)
    asked = run.until(at(2) + 6_000_000_000)
    assert orders(asked) == [("A", "BUY", 90)]
    held(run, asked, "11")
    run.strategy.on_bar(make_bar(20.0, symbol="C", minute=1))
    assert run.new() == []
    assert signals(instant(run, 3, A=11.0, B=10.0, C=40.0)) == [("A", "FLAT")]


# --- rankings ----------------------------------------------------------------------------------------------


def test_the_return_leaves_out_the_latest_instants() -> None:
    """With a skip of 1 the latest jump counts for nothing."""
    run = desk("AB", lookback=1, skip=1)
    instant(run, 0, A=10.0, B=10.0)
    instant(run, 1, A=11.0, B=10.0)
    assert orders(instant(run, 2, A=10.0, B=50.0)) == [("A", "BUY", 100)]


def test_a_hole_is_ranked_by_the_close_before_it() -> None:
    """All returns are between the same two instants, however many bars a symbol has."""
    run = desk("AB", lookback=2, every=10)
    instant(run, 0, A=10.0, B=10.0)
    instant(run, 1, B=30.0)
    run.until(at(2) + 6_000_000_000)
    assert orders(instant(run, 2, A=21.0, B=20.0)) == [("A", "BUY", 47)]


def test_a_symbol_that_begins_late_is_ranked_after_its_first_look_back() -> None:
    """B's first bars do not count until they reach back far enough."""
    run = desk("AB", lookback=2)
    wanted = []
    for minute in range(6):
        late = {"B": 1.0 + minute} if minute > 2 else {}
        asked = [*instant(run, minute, A=10.0 + minute, **late), *run.until(at(minute + 1) + 6_000_000_000)]
        for order in requests(asked):
            wanted.append((minute, order.symbol))
            run.deny(order)
    assert wanted == [(2, "A"), (3, "A"), (4, "A"), (5, "B")]


def test_a_symbol_that_ends_is_closed_and_ranked_no_more() -> None:
    """After more than max_missing instants without a bar; its one exit holds up nobody."""
    run = desk("AB", max_missing=1, every=1, lookback=1, sells_first=False)
    instant(run, 0, A=10.0, B=10.0)
    held(run, instant(run, 1, A=12.0, B=10.0), "12")
    assert run.position("A") == 83
    instant(run, 2, B=10.5)
    asked = run.until(at(3) + 6_000_000_000)
    assert (signals(asked), orders(asked)) == ([("A", "FLAT")], [("B", "BUY", 95)])  # B was better
    run.tell(asked[0], OrderStatus.OPEN)
    held(run, asked, "10.5")
    instant(run, 3, B=11.0)
    assert run.until(at(4) + 6_000_000_000) == []
    assert instant(run, 4, A=12.0, B=11.5) == []


def test_an_ended_symbol_that_is_held_is_closed_even_between_rankings() -> None:
    """Nobody waits a month to leave what has stopped trading."""
    run = desk("AB", max_missing=0, every=1000)
    instant(run, 0, A=10.0, B=10.0)
    held(run, instant(run, 1, A=12.0, B=10.0), "12")
    instant(run, 2, B=10.5)
    assert signals(run.until(at(3) + 6_000_000_000)) == [("A", "FLAT")]


def test_ties_go_to_what_is_held_then_to_the_order_of_symbols() -> None:
    """Equal returns cause no trades, and no other choice than the list's."""
    run = desk()
    instant(run, 0, A=10.0, B=10.0, C=10.0)
    asked = instant(run, 1, A=10.0, B=10.0, C=10.0)
    assert orders(asked) == [("A", "BUY", 100)]
    run.deny(requests(asked)[0])
    held(run, instant(run, 2, A=10.0, B=11.0, C=10.0), "11")
    assert run.position("B") > 0
    assert instant(run, 3, A=10.0, B=11.0, C=10.0) == []


def test_fewer_returns_than_places_take_what_there_is() -> None:
    """One symbol of three has a history: it gets its third of the capital, and no short is taken from it."""
    run = desk("ABC", top=2, bottom=1, wait_s=1)
    instant(run, 0, A=10.0)
    assert orders(instant(run, 1, A=10.0)) == [("A", "BUY", 50)]


def test_the_worst_are_sold_short() -> None:
    """With `bottom` the last of the ranking are sold, each for its share."""
    run = desk("ABCD", top=2, bottom=1)
    instant(run, 0, A=10.0, B=10.0, C=10.0, D=10.0)
    asked = instant(run, 1, A=12.0, B=10.0, C=8.0, D=20.0)
    assert orders(asked) == [("D", "BUY", 25), ("A", "BUY", 41), ("C", "SELL", 125)]


# --- weights and orders ------------------------------------------------------------------------------------


def test_sales_come_before_purchases() -> None:
    """The new winner is bought when the old one has been sold, with what that has left."""
    run = desk("AB")
    instant(run, 0, A=10.0, B=10.0)
    held(run, instant(run, 1, A=12.0, B=10.0), "12")
    asked = instant(run, 2, A=12.0, B=20.0)
    assert (signals(asked), orders(asked)) == ([("A", "FLAT")], [])
    assert orders(run.close(asked[0], "12")) == [("B", "BUY", 50)]


def test_a_sale_that_fails_holds_up_nothing_and_is_repeated() -> None:
    """Denied: the purchase goes ahead; the sale is signalled again at the next instant."""
    run = desk("AB", every=100)
    run.hold("B", "5", "10")
    instant(run, 0, A=10.0, B=10.0)
    asked = instant(run, 1, A=12.0, B=10.0)
    assert signals(asked) == [("B", "FLAT")]
    assert orders(run.deny(asked[0])) == [("A", "BUY", 79)]  # for what B leaves of 1,000
    assert signals(instant(run, 2, A=12.0, B=10.0)) == [("B", "FLAT")]


def test_a_sale_under_way_is_not_repeated_and_waited_for_one_instant() -> None:
    """Purchases follow at the next instant at the latest."""
    run = desk("AB", every=100)
    run.hold("B", "5", "10")
    instant(run, 0, A=10.0, B=10.0)
    asked = instant(run, 1, A=12.0, B=10.0)
    run.tell(asked[0], OrderStatus.OPEN, side=Side.SELL)
    later = instant(run, 2, A=12.0, B=10.0)
    assert (signals(later), orders(later)) == ([], [("A", "BUY", 79)])  # for what B leaves of 1,000


def test_without_sells_first_all_is_sent_at_once() -> None:
    """A margin account has no need to wait."""
    run = desk("AB", sells_first=False)
    run.hold("B", "5", "10")
    instant(run, 0, A=10.0, B=10.0)
    asked = instant(run, 1, A=12.0, B=10.0)
    assert (signals(asked), orders(asked)) == ([("B", "FLAT")], [("A", "BUY", 83)])


def test_a_position_that_stays_is_brought_back_to_its_share() -> None:
    """Of 1,000 and a gain of 250 each of two gets 625: the greater one is trimmed, then the other grows."""
    run = desk("AB", top=2, every=1)
    instant(run, 0, A=10.0, B=10.0)
    held(run, instant(run, 1, A=10.0, B=10.0), "10")
    asked = instant(run, 2, A=15.0, B=10.0)
    assert orders(asked) == [("A", "SELL", 8)]
    run.accept(requests(asked)[0])
    assert orders(run.fill(requests(asked)[0], price="15")) == [("B", "BUY", 12)]


def test_a_position_near_its_share_is_left_alone() -> None:
    """Within the band nothing is traded."""
    run = desk("AB", top=2, every=1, band_percent=30)
    instant(run, 0, A=10.0, B=10.0)
    held(run, instant(run, 1, A=10.0, B=10.0), "10")
    assert instant(run, 2, A=15.0, B=10.0) == []


def test_fees_are_taken_off_the_capital() -> None:
    """What the strategy has paid it cannot invest again."""
    run = desk("AB", every=1)
    instant(run, 0, A=10.0, B=10.0)
    (order,) = requests(instant(run, 1, A=10.0, B=9.0))
    run.accept(order)
    run.fill(order, "1", "10", fees=[("USD", "500")])
    run.tell(order, OrderStatus.CANCELED)
    assert orders(instant(run, 2, A=10.0, B=9.0)) == [("A", "BUY", 49)]


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED])
def test_a_refused_purchase_waits_for_the_next_ranking(status: OrderStatus) -> None:
    """It is not asked for again at every instant."""
    run = desk("AB", every=3)
    instant(run, 0, A=10.0, B=10.0)
    asked = instant(run, 1, A=12.0, B=10.0)
    run.tell(requests(asked)[0], status, "no")
    assert instant(run, 2, A=13.0, B=10.0) == []
    assert instant(run, 3, A=14.0, B=10.0) == []
    assert orders(instant(run, 4, A=15.0, B=10.0)) == [("A", "BUY", 66)]


def test_a_share_below_a_lot_leaves_its_place_empty() -> None:
    """Nothing is sent that would be refused."""
    run = desk("AB")
    instant(run, 0, A=10.0, B=10.0)
    assert instant(run, 1, A=2_000.0, B=10.0) == []


def test_what_one_position_holds_too_much_another_gets_less() -> None:
    """Within the band A keeps its 575 of 1,075; B gets the 500 that are left, not its half."""
    run = desk("AB", top=2, every=1, band_percent=20)
    instant(run, 0, A=10.0, B=10.0)
    bought = requests(instant(run, 1, A=10.0, B=10.0))
    held(run, bought[:1], "10")
    run.deny(bought[1])
    assert orders(instant(run, 2, A=11.5, B=10.0)) == [("B", "BUY", 50)]


def test_with_everything_above_its_share_nothing_is_bought() -> None:
    """Both are worth 520 of 500, within the band: there is neither need nor money."""
    run = desk("AB", top=2, every=1)
    run.hold("A", "52", "10")
    run.hold("B", "52", "10")
    instant(run, 0, A=10.0, B=10.0)
    assert instant(run, 1, A=10.0, B=10.0) == []


def test_what_is_not_to_be_invested_is_not() -> None:
    """With 90 % of 1,000 the winner gets 900."""
    run = desk("AB", invest_percent=90)
    instant(run, 0, A=10.0, B=10.0)
    assert orders(instant(run, 1, A=10.0, B=9.0)) == [("A", "BUY", 90)]


# --- the calendar ------------------------------------------------------------------------------------------


def day(run: Desk, date: str, **closes: float) -> list[Any]:
    """The daily bars of that date, closing at its end."""
    opens = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
    run.run.clock._now = min(run.run.clock.now(), opens)
    return [
        asked
        for symbol, close in closes.items()
        for asked in run.market(Bar(opens + DAY, symbol, close, close, close, close, 1.0, opens))
    ]


@pytest.mark.parametrize(
    ("rebalance", "dates", "ranked"),
    [
        ("month", ["2024-01-29", "2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-03-01"], [1, 3, 5]),
        ("week", ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-12", "2024-01-16"], [1, 2, 5]),
        ("month", ["2023-12-28", "2023-12-29", "2024-12-30", "2024-12-31"], [1, 2]),
    ],
)
def test_it_ranks_at_the_first_instant_of_a_calendar_period(
    rebalance: str, dates: list[str], ranked: list[int]
) -> None:
    """A daily bar belongs to its own day though it closes at midnight; the first ranking is as soon as can be."""
    run = desk("AB", rebalance=rebalance)
    found = []
    for number, date in enumerate(dates):
        asked = day(run, date, A=10.0 + number, B=10.0)
        if asked:
            found.append(number)
            run.deny(requests(asked)[0])
    assert found == ranked


# --- parameters and starts ---------------------------------------------------------------------------------


def test_positions_from_before_are_left_until_the_first_ranking() -> None:
    """While there is no return nothing is decided on them."""
    run = desk("AB", lookback=2)
    run.hold("B", "5", "10")
    assert instant(run, 0, A=10.0, B=10.0) == []
    assert instant(run, 1, A=11.0, B=10.0) == []
    assert signals(instant(run, 2, A=12.0, B=10.0)) == [("B", "FLAT")]


def test_one_currency_is_needed() -> None:
    """Capital in one currency cannot be shared out over two."""
    with pytest.raises(StrategyError, match="settled in EUR, USD"):
        Desk(
            CrossSectionalMomentum,
            {"symbols": ["A", "B"], "capital": "1", "top": 1},
            instruments={"A": make_instrument("A"), "B": make_instrument("B", quote="EUR")},
        )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"symbols": ["A"]}, "at least 2"),
        ({"symbols": ["A", "A"]}, "symbols must be different"),
        ({"symbols": ["A", "B"], "top": 2, "bottom": 1}, "must not exceed the 2 symbols"),
        ({"symbols": ["A", "B"], "capital": "NaN"}, "finite"),
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any], said: str) -> None:
    """With a message that says what is wrong."""
    with pytest.raises(ValidationError, match=said):
        CrossSectionalMomentum.Params.model_validate({"capital": Decimal(1), "top": 1, **params})
