"""Pairs: the spread, the two legs of a trade, and every way in which one of them may fail."""

from math import exp, log
from typing import Any

import pytest
from pydantic import ValidationError

from tests.strategy.desk import Desk, requests, signals
from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.errors import StrategyError
from tradingd.strategy.pairs import Pairs
from tradingd.testing import make_bar, make_instrument

WOBBLE = [0.0, 1.0, -1.0, 0.5, -0.5, 1.0, -1.0, 0.0, 0.5, -0.5]
"""How far a is off the line, in percent, while nothing happens."""


class Spread(Desk):
    """a is twice as nervous as b (beta 2), with a little wobble; ten pairs of bars make the line."""

    def __init__(self, *, warm: bool = True, **params: Any) -> None:
        given = {"a": "A", "b": "B", "lookback": 10, "notional": "1000", "max_bars": 0, **params}
        super().__init__(Pairs, given)
        self.minute = 0
        if warm:
            for off in WOBBLE:
                assert self.pair(off) == []

    def pair(self, off: float) -> list[Any]:
        """A pair of bars with a `off` percent above (or below) its line."""
        b = 50.0 * exp(0.02 * ((self.minute * 7) % 10))
        a = 0.04 * b**2 * exp(off / 100)
        asked = self.market(make_bar(a, symbol="A", minute=self.minute))
        asked += self.market(make_bar(b, symbol="B", minute=self.minute))
        self.minute += 1
        return asked

    def widen(self, off: float = 2.5) -> Any:
        """A wide spread leads to one order: the leg that is sold short."""
        (short,) = requests(self.pair(off))
        assert short.side is Side.SELL
        return short

    def entered(self, off: float = 2.5) -> "Spread":
        """Both legs have filled."""
        short = self.widen(off)
        (long,) = requests(self.accept(short))
        assert self.fill(short, price="100") == []
        assert self.accept(long) == []
        assert self.fill(long, price="100") == []
        return self


# --- entering ----------------------------------------------------------------------------------------------


def test_a_dear_a_is_sold_and_b_bought_by_the_hedge_ratio() -> None:
    """Of a the notional, b for beta times it; the short leg first, the other once risk has passed it."""
    run = Spread()
    short = run.widen()
    assert (short.symbol, short.order_type) == ("A", OrderType.MARKET)
    (long,) = requests(run.tell(short, OrderStatus.SENDING))
    assert (long.symbol, long.side) == ("B", Side.BUY)
    a, b = (float(run.run.prices.price(symbol) or 0) for symbol in "AB")
    beta = float(long.quantity) * b / (float(short.quantity) * a)
    assert beta == pytest.approx(2.0, rel=0.25)
    assert float(short.quantity) * a == pytest.approx(1000, rel=0.2)
    assert run.tell(short, OrderStatus.OPEN) == []  # the long leg is sent once


def test_a_cheap_a_is_bought_and_b_sold() -> None:
    """The other way round b is the short leg, and goes first."""
    run = Spread()
    short = run.widen(-2.5)
    assert short.symbol == "B"
    (long,) = requests(run.accept(short))
    assert (long.symbol, long.side) == ("A", Side.BUY)


def test_a_narrow_spread_enters_nothing() -> None:
    """Within `entry` nothing is asked for."""
    assert Spread().pair(1.2) == []


def test_a_spread_beyond_the_stop_enters_nothing() -> None:
    """What is that wide is no pair any more."""
    assert Spread(stop=2.2).pair(30.0) == []


def test_an_uncorrelated_pair_enters_nothing() -> None:
    """Nor does one whose correlation is below the least wanted."""
    assert Spread(min_correlation=0.9999).pair(2.5) == []


def test_a_negative_hedge_ratio_enters_nothing() -> None:
    """Two longs are no hedge."""
    run = Spread(warm=False, min_correlation=0)
    for minute, off in enumerate([*WOBBLE, 2.5]):
        b = 50.0 * exp(0.02 * ((minute * 7) % 10))
        run.market(make_bar(1000.0 / b * exp(off / 100), symbol="A", minute=minute))
        assert run.market(make_bar(b, symbol="B", minute=minute)) == []


def test_a_bar_without_its_partner_is_no_observation() -> None:
    """Bars of two instants make no spread, whichever comes later."""
    run = Spread()
    minute = run.minute
    assert run.market(make_bar(500.0, symbol="A", minute=minute)) == []
    assert run.market(make_bar(50.0, symbol="B", minute=minute + 1)) == []
    run.minute = minute + 2
    run.widen()


# --- leaving -----------------------------------------------------------------------------------------------


def test_it_leaves_both_legs_when_the_spread_is_back() -> None:
    """One FLAT signal for each leg; then it may enter again."""
    run = Spread().entered()
    assert run.pair(2.5) == []
    asked = run.pair(0.0)
    assert signals(asked) == [("A", "FLAT"), ("B", "FLAT")]
    for signal in asked:
        run.close(signal, "100")
    for off in WOBBLE:
        assert run.pair(off) == []
    run.widen()


def test_the_line_of_the_entry_decides_on_the_exit() -> None:
    """However long the spread stays wide, it does not become narrow by being looked at."""
    run = Spread().entered()
    for _ in range(30):
        assert run.pair(2.5) == []


def test_it_stops_out_and_waits_until_the_spread_was_back() -> None:
    """After a stop a spread that stays wide is not entered again."""
    run = Spread(stop=6.0).entered()
    asked = run.pair(9.0)
    assert signals(asked) == [("A", "FLAT"), ("B", "FLAT")]
    for signal in asked:
        run.close(signal, "100")
    assert run.pair(3.0) == []
    run.pair(0.0)
    assert run.strategy._calm_below == float("inf")


def test_it_leaves_after_max_bars() -> None:
    """A spread that does not come back is given up in time."""
    run = Spread(max_bars=3).entered()
    assert [len(run.pair(2.5)) for _ in range(3)] == [0, 0, 2]


def test_an_exit_that_fails_is_repeated_while_no_order_works() -> None:
    """Denied: again at the next pair of bars; working: not."""
    run = Spread().entered()
    a, b = run.pair(0.0)
    run.deny(a)
    run.tell(b, OrderStatus.OPEN, side=Side.BUY)
    assert signals(run.pair(0.0)) == [("A", "FLAT")]


# --- one leg fails -----------------------------------------------------------------------------------------


def test_without_short_selling_it_says_so_before_anything_is_traded() -> None:
    """The strategy stops with what to change; the long leg was never sent."""
    run = Spread()
    short = run.widen()
    with pytest.raises(StrategyError, match=r"set risk.allow_short = true \(SHORT_NOT_ALLOWED: no\)"):
        run.deny(short, "SHORT_NOT_ALLOWED: no")
    assert run.new() == []


def test_a_short_leg_that_is_denied_is_all_that_happens() -> None:
    """Nothing is to be unwound, and it is not asked for again while the spread stays wide."""
    run = Spread()
    assert run.deny(run.widen()) == []
    assert run.pair(2.5) == []
    assert run.pair(2.5) == []


def test_after_a_failed_entry_the_next_excursion_is_entered() -> None:
    """Once the spread has been narrow."""
    run = Spread()
    run.deny(run.widen())
    for off in WOBBLE:
        assert run.pair(off) == []
    run.widen()


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.EXPIRED])
def test_when_the_long_leg_fails_the_short_one_is_unwound(status: OrderStatus) -> None:
    """Filled already: closed. Nobody stays with half a pair."""
    run = Spread()
    short = run.widen()
    (long,) = requests(run.accept(short))
    run.fill(short, price="100")
    asked = run.tell(long, status, "no")
    assert signals(asked) == [("A", "FLAT")]
    run.close(asked[0], "100")
    assert run.position("A") == 0
    assert run.pair(2.5) == []


def test_when_the_short_leg_is_rejected_later_the_long_one_is_unwound() -> None:
    """Working or filled, it is given up, and nothing else is sent."""
    run = Spread()
    short = run.widen()
    (long,) = requests(run.tell(short, OrderStatus.SENDING))
    run.accept(long)
    assert signals(run.tell(short, OrderStatus.REJECTED, "no")) == [("B", "FLAT")]


def test_a_partly_filled_leg_is_unwound_with_the_other() -> None:
    """What was filled of it goes, too."""
    run = Spread()
    short = run.widen()
    (long,) = requests(run.accept(short))
    run.fill(short, price="100")
    run.accept(long)
    run.fill(long, "1", "100")
    assert signals(run.tell(long, OrderStatus.CANCELED)) == [("A", "FLAT"), ("B", "FLAT")]


def test_legs_that_do_not_come_together_are_given_up() -> None:
    """A leg that still works after `leg_bars` pairs of bars is canceled with the other."""
    run = Spread(leg_bars=2)
    short = run.widen()
    (long,) = requests(run.accept(short))
    run.fill(short, price="100")
    run.accept(long)
    assert run.pair(2.5) == []
    assert signals(run.pair(2.5)) == [("A", "FLAT"), ("B", "FLAT")]


def test_a_leg_that_somebody_else_closes_takes_the_other_with_it() -> None:
    """A liquidation, an operator: the other leg alone is no pair."""
    run = Spread().entered()
    held = run.position("A")
    run.hold("A", f"{-held}", "100")
    assert signals(run.pair(2.5)) == [("B", "FLAT")]


def test_a_late_fill_is_closed() -> None:
    """A fill after the trade was over is no position anybody wanted."""
    run = Spread()
    short = run.widen()
    run.tell(short, OrderStatus.REJECTED, "no")
    run.book(short, "1", "100")
    assert signals(run.pair(2.5)) == [("A", "FLAT")]


# --- starts and parameters ---------------------------------------------------------------------------------


def test_a_pair_from_before_is_adopted() -> None:
    """It is closed when the spread is back, as if it had been entered in this run."""
    run = Spread(warm=False)
    run.hold("A", "-10", "100")
    run.hold("B", "40", "50")
    for off in WOBBLE:
        assert run.pair(off) == []
    assert run.pair(2.5) == []
    assert signals(run.pair(0.0)) == [("A", "FLAT"), ("B", "FLAT")]


def test_half_a_pair_from_before_is_closed() -> None:
    """As soon as there is a line."""
    run = Spread(warm=False)
    run.hold("A", "-10", "100")
    for off in WOBBLE:
        assert run.pair(off) == []
    assert signals(run.pair(0.0)) == [("A", "FLAT")]


def test_a_notional_below_a_lot_is_an_error() -> None:
    """It says what to raise."""
    run = Spread(notional="5")
    with pytest.raises(StrategyError, match=r"notional 5 USD is less than a lot \(1\) of A at .*; raise"):
        run.pair(2.5)


def test_two_currencies_are_an_error_at_the_start() -> None:
    """The legs could not be weighed against each other."""
    with pytest.raises(StrategyError, match="A is settled in USD, B in EUR"):
        Desk(
            Pairs,
            {"a": "A", "b": "B"},
            instruments={"A": make_instrument("A"), "B": make_instrument("B", quote="EUR")},
        )


def test_prices_without_a_logarithm_are_no_observation() -> None:
    """A price of zero or less changes nothing."""
    run = Spread()
    run.market(make_bar(0.0, symbol="A", minute=run.minute))
    assert run.market(make_bar(50.0, symbol="B", minute=run.minute)) == []
    run.minute += 1
    run.widen()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"a": "X", "b": "X"}, "a pair is two symbols"),
        ({"exit": 2.0}, "levels must ascend"),
        ({"stop": 2.0}, "levels must ascend"),
        ({"notional": "inf"}, "finite"),
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any], said: str) -> None:
    """With a message that says what is wrong."""
    with pytest.raises(ValidationError, match=said):
        Pairs.Params.model_validate({"a": "A", "b": "B", **params})


def test_the_spread_of_the_tests_is_what_it_says() -> None:
    """log(a) = log(0.04) + 2 log(b) + off."""
    run = Spread(warm=False)
    run.pair(3.0)
    a, b = (run.run.prices.price(symbol) or 0 for symbol in "AB")
    assert log(a) - 2 * log(b) - log(0.04) == pytest.approx(0.03)
