"""Slippage models: what each makes of a price, and what is watched for it."""

from decimal import Decimal
from math import exp, log, sqrt
from statistics import stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.market import BUY, INSTRUMENTS, SELL, Market
from tradingd.broker.models import (
    MarketContext,
    MarketNeeds,
    MarketWatch,
    SlippageModel,
    Taking,
    fixed_bps_slippage,
    half_spread_slippage,
    no_slippage,
    square_root_impact,
)
from tradingd.domain.enums import Side
from tradingd.domain.events import Book, MarketEvent
from tradingd.domain.prices import PriceBoard
from tradingd.testing import at, make_bar, make_instrument, make_quote, make_trade

AAPL = INSTRUMENTS["AAPL"]


def taking(
    side: Side, price: str, quantity: str = "1", event: MarketEvent | None = None, **context: Any
) -> Taking:
    """A fill as the market offers it."""
    seen = event or make_bar(float(price))
    return Taking(AAPL, side, Decimal(price), Decimal(quantity), seen, MarketContext(**context))


def test_no_slippage_only_rounds() -> None:
    """The price on the tick."""
    assert no_slippage(AAPL, BUY, Decimal("100.001")) == Decimal("100.01")
    assert fixed_bps_slippage(Decimal(0)) is no_slippage


# --- half spread -------------------------------------------------------------------------------------------------

HALF = half_spread_slippage(Decimal(20))


@pytest.mark.parametrize(("side", "price"), [(BUY, "100.05"), (SELL, "99.95")])
def test_half_of_the_latest_quotes_spread(side: Side, price: str) -> None:
    """A spread of 0.10 costs 0.05."""
    assert HALF.slip(taking(side, "100", bid=101.0, ask=101.1)) == Decimal(price)


@pytest.mark.parametrize(("side", "price"), [(BUY, "100.10"), (SELL, "99.90")])
@pytest.mark.parametrize(
    "quote", [{}, {"bid": 0.0, "ask": 101.0}, {"bid": 101.0, "ask": 0.0}, {"bid": 5.0, "ask": 4.0},
              {"bid": float("nan"), "ask": 1.0}, {"bid": 1.0, "ask": float("inf")}]
)  # fmt: skip
def test_the_assumed_spread_where_there_is_no_quote(side: Side, price: str, quote: dict[str, float]) -> None:
    """20 bps cost 10; a quote with an empty side, or a crossed one, is none."""
    assert HALF.slip(taking(side, "100", **quote)) == Decimal(price)


@pytest.mark.parametrize(
    "event", [make_quote(99, 101), Book(at(0), "AAPL", bids=((99.0, 1.0),), asks=((101.0, 1.0),))]
)
def test_a_quotes_own_side_pays_the_spread_already(event: MarketEvent) -> None:
    """A fill at the ask suffers nothing more."""
    assert HALF.slip(taking(BUY, "101", event=event, bid=99.0, ask=101.0)) == Decimal(101)


def test_half_spread_through_the_broker() -> None:
    """The quote before the bar that fills gives the spread."""
    market = Market(slippage=HALF)
    market.see(make_quote(99.5, 100.5, symbol="AAPL"))
    market.order(BUY, 1)
    market.flat(100)
    assert market.fills == [("o1", "100.5")]


@pytest.mark.parametrize("model", [HALF, square_root_impact(Decimal(1), fallback_bps=Decimal(0))])
def test_a_model_that_watches_sees_every_event(model: SlippageModel) -> None:
    """The broker is never left out of an event, whether orders work or not."""
    assert Market(slippage=model, prices=PriceBoard()).broker.market_interest() is None
    assert Market(slippage=no_slippage, prices=PriceBoard()).broker.market_interest() is not None


# --- square root -------------------------------------------------------------------------------------------------


def test_square_root_impact() -> None:
    """100 x 0.8 x 0.02 x sqrt(400 / 10,000) = 0.32."""
    model = square_root_impact(Decimal("0.8"), fallback_bps=Decimal(0))
    known = {"bars": 20, "volatility": 0.02, "volume": 10_000.0}
    assert model.slip(taking(BUY, "100", "400", **known)) == Decimal("100.32")
    assert model.slip(taking(SELL, "100", "400", **known)) == Decimal("99.68")


@pytest.mark.parametrize("context", [{}, {"bars": 20, "volatility": 0.1}, {"bars": 2, "volume": float("nan")}])
def test_impact_before_anything_is_known(context: dict[str, Any]) -> None:
    """Too few bars, or bars without volume: the fallback."""
    model = square_root_impact(Decimal(1), fallback_bps=Decimal(30))
    assert model.slip(taking(BUY, "100", **context)) == Decimal("100.30")


def test_impact_is_bounded() -> None:
    """Nobody pays more than the bound, nor sells below nothing."""
    model = square_root_impact(Decimal(1), fallback_bps=Decimal(0), max_fraction=Decimal("0.1"))
    known = {"bars": 20, "volatility": 5.0, "volume": 1.0}
    assert model.slip(taking(BUY, "100", "1000", **known)) == 110
    assert model.slip(taking(SELL, "100", "1000", **known)) == 90


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from(Side))
def test_more_quantity_has_no_less_impact(quantity: int, more: int, side: Side) -> None:
    """The price only gets worse with size, and is never better than what the market offers."""
    model = square_root_impact(Decimal(1), fallback_bps=Decimal(0))
    known = {"bars": 20, "volatility": 0.03, "volume": 1e6}
    small = model.slip(taking(side, "100", str(quantity), **known))
    large = model.slip(taking(side, "100", str(quantity + more), **known))
    assert 0 <= (small - 100) * side.sign <= (large - 100) * side.sign


def test_the_window_is_of_the_bars_before_the_fill() -> None:
    """Volatility and volume are those of the last bars, and the bar that fills is not among them."""
    market = Market(cash=10**9, slippage=square_root_impact(Decimal(1), window=3, fallback_bps=Decimal(100)))
    closes, volumes = [100.0, 102.0, 99.0, 101.0, 104.0], [7.0, 100.0, 300.0, 200.0, 900.0]
    for minute, (close, volume) in enumerate(zip(closes[:3], volumes[:3], strict=True)):
        market.see(make_bar(close, volume=volume, minute=minute))
    market.order(BUY, 50)
    market.see(make_bar(closes[3], open=100.0, high=105, low=90, volume=volumes[3], minute=3))
    assert market.fills == [("o1", "101")]  # three closes are two returns: the fallback of 1 %
    market.order(BUY, 50)
    market.see(make_bar(closes[4], open=100.0, high=105, low=90, volume=volumes[4], minute=4))
    returns = [log(102 / 100), log(99 / 102), log(101 / 99)]
    expected = 100 * (1 + stdev(returns) * sqrt(50 / 200))
    assert float(market.trades[1].price) == pytest.approx(expected, abs=0.01)
    assert float(market.trades[1].price) >= expected


def test_the_length_of_a_bar_cancels_out() -> None:
    """Bars four times as long have twice the volatility and four times the volume: the same impact."""
    model = square_root_impact(Decimal(1), fallback_bps=Decimal(0))
    short = model.slip(taking(BUY, "100", "50", bars=20, volatility=0.01, volume=1000.0))
    assert short == model.slip(taking(BUY, "100", "50", bars=20, volatility=0.02, volume=4000.0))


def test_memory_is_bounded_by_the_window() -> None:
    """A watch keeps one close more than it takes returns, per symbol, and no quotes that it does not need."""
    watch = MarketWatch(square_root_impact(Decimal(1), window=5, fallback_bps=Decimal(0)))
    for minute in range(100):
        watch.see(make_bar(exp(minute / 100), volume=10.0, minute=minute))
        watch.see(make_quote(1, 2, symbol="AAPL"))
        watch.see(make_trade(1.0, symbol="AAPL"))
    assert len(watch._bars["AAPL"]) == 6
    assert not watch._quotes
    assert watch.context("AAPL").bars == 5
    assert watch.context("AAPL").volatility == pytest.approx(0, abs=1e-12)
    assert watch.context("MSFT") == MarketContext()


def test_a_bar_without_a_price_is_not_taken() -> None:
    """A close of 0 or NaN makes no return."""
    watch = MarketWatch(square_root_impact(Decimal(1), window=2, fallback_bps=Decimal(0)))
    for minute, close in enumerate([100.0, 0.0, 101.0, float("nan"), 102.0]):
        watch.see(make_bar(close, minute=minute))
    assert watch.context("AAPL").bars == 2


# --- models of one's own -----------------------------------------------------------------------------------------


class Own:
    """Worse by the quantity in ticks."""

    needs = MarketNeeds(0)
    window = 0

    def slip(self, taking: Taking) -> Decimal:
        return taking.price + taking.quantity / 100


def test_a_detailed_model_is_told_the_fill() -> None:
    """Instrument, side, price, quantity and event."""
    market = Market(slippage=Own())
    market.flat(100)
    market.order(BUY, 7)
    market.flat(100)
    assert market.fills == [("o1", "100.07")]


def test_plain_models_have_nothing_watched() -> None:
    """Nothing is kept of the market, so an idle broker needs no events."""
    market = Market(slippage=fixed_bps_slippage(Decimal(3)), instruments={"AAPL": make_instrument()})
    assert market.broker._watch is None
