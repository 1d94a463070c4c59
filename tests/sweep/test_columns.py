"""Prices as whole numbers: exact, or known to lie between two."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sweep.columns import columns
from tradingd.broker.models import fixed_bps_slippage
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, MarketEvent
from tradingd.domain.money import from_market
from tradingd.errors import UsageError
from tradingd.sweep.columns import decimals_of, price_columns, read_columns
from tradingd.testing import make_bar, make_instrument, make_trade

OPENS = st.one_of(
    st.floats(0.5, 1e5), st.integers(1, 10**7).map(lambda n: n / 100), st.integers(1, 10**6).map(lambda n: n / 20)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(OPENS, min_size=1, max_size=30),
    st.sampled_from(("0.01", "0.05", "0.25", "1", "0.0001")),
    st.sampled_from(("0", "1", "2.5", "33", "999")),
)
def test_fill_prices_are_those_of_the_slippage_model(opens: list[float], tick: str, bps: str) -> None:
    """Every open, on the tick or off it, is filled on both sides at the price that the broker's model gives."""
    slippage, instrument = fixed_bps_slippage(Decimal(bps)), make_instrument(tick=Decimal(tick))
    prices = price_columns(columns([*opens, opens[-1]]), instrument, slippage, Decimal(bps), 6)
    # make_bars opens each bar where the last one closed
    for side, found in ((Side.BUY, prices.buys), (Side.SELL, prices.sells)):
        expected = [slippage(instrument, side, from_market(value)) for value in (opens[0], *opens)]
        assert [Decimal(price).scaleb(-prices.digits) for price in found.tolist()] == expected


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(OPENS, min_size=1, max_size=30), st.integers(2, 8))
def test_closes_are_exact_or_between_two_numbers(closes: list[float], most: int) -> None:
    """A close is its whole number, or, where that is marked, not below it and not above the next."""
    prices = price_columns(columns(closes), make_instrument(), fixed_bps_slippage(Decimal(0)), Decimal(0), most)
    for close, whole, inexact in zip(closes, prices.closes.tolist(), prices.inexact.tolist(), strict=True):
        exact = from_market(close).scaleb(prices.digits)
        assert whole <= exact <= whole + inexact


@pytest.mark.parametrize(
    ("prices", "digits"), [([1.0, 20.0], 0), ([1.5, 2.25], 2), ([0.1 + 0.2], 16), ([4092.56783507], 8)]
)
def test_decimals_are_those_of_the_shortest_text(prices: list[float], digits: int) -> None:
    """The number of decimals that tells all prices; 16 when it takes more than 15 digits."""
    assert decimals_of(np.array(prices)) == digits


def test_sums_of_closes_give_windows() -> None:
    """The difference of two sums is the window between them, in units that are exact for such prices."""
    closes = [100.0 + i / 4 for i in range(50)]
    bars = columns(closes)
    assert (bars.close_sums[40] - bars.close_sums[10]) * bars.close_unit == sum(closes[10:40])


def _overlapping() -> list[MarketEvent]:
    first, second = make_bar(100.0, minute=0), make_bar(101.0, minute=0.5)
    return [first, second]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: [make_bar(100.0), make_trade(100.0)], "runs on bars"),
        (_overlapping, "before the one above closes"),
        (lambda: [Bar(60, "AAPL", 1.0, 1.0, 0.0, 1.0, 1.0, 0)], "prices above 0"),
    ],
)
def test_what_cannot_be_simulated_in_order_is_refused(make: Callable[[], list[MarketEvent]], said: str) -> None:
    """Other market data, bars that overlap and prices that fill nothing are refused with the reason."""
    events = make()
    with pytest.raises(UsageError, match=said):
        read_columns(iter(events), len(events))


def test_prices_with_more_digits_than_a_float_are_refused() -> None:
    """A tick that is too fine for the height of the prices is told."""
    slippage = fixed_bps_slippage(Decimal(0))
    with pytest.raises(UsageError, match="correct the tick"):
        price_columns(columns([1e9]), make_instrument(tick=Decimal("1e-8")), slippage, Decimal(0), 10)
