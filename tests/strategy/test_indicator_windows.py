"""WMA, slope, Bollinger bands, z-score and the sums beneath them, against TA-Lib and exact arithmetic."""

from collections.abc import Callable
from fractions import Fraction
from itertools import cycle, islice
from math import fsum, sqrt
from pathlib import Path
from statistics import fmean, pstdev, stdev
from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.harness import real_columns
from tests.strategy.indicator_checks import (
    agree,
    agree_all,
    numbers,
    periods,
    prices,
    real_bars,
    repeatable,
    runs,
    stream,
    streams,
)
from tradingd.strategy.indicators import WMA, Bollinger, LinRegSlope, ZScore
from tradingd.strategy.indicators.windows import RollingSum, RunningSum

SPIKES = [1e16, 1e33, -1e100, 5e-324]


def exact_wma(window: list[float]) -> float:
    """By the definition, in rational numbers."""
    weights = range(1, len(window) + 1)
    return float(sum(w * Fraction(x) for w, x in zip(weights, window, strict=True)) / sum(weights))


def exact_slope(window: list[float]) -> float:
    """The least-squares slope by the normal equations, in rational numbers."""
    n = len(window)
    ys = list(map(Fraction, window))
    sum_x, sum_xx = Fraction(n * (n - 1), 2), sum(i * i for i in range(n))
    sum_xy = sum(i * y for i, y in enumerate(ys))
    return float((n * sum_xy - sum_x * sum(ys)) / (n * sum_xx - sum_x * sum_x))


def exact_z(window: list[float]) -> float:
    """The last one's distance from the mean in standard deviations, in rational numbers up to the root."""
    ys = list(map(Fraction, window))
    mean = sum(ys) / len(ys)
    variance = sum((y - mean) ** 2 for y in ys) / len(ys)
    return float(ys[-1] - mean) / sqrt(variance) if variance else 0.0


EXACT: list[tuple[Callable[[int], Any], Callable[[list[float]], float]]] = [
    (WMA, exact_wma),
    (LinRegSlope, exact_slope),
    (ZScore, exact_z),
]
against_exact = pytest.mark.parametrize(("make", "exact"), EXACT, ids=["wma", "slope", "z"])


# --- against TA-Lib, on real bars --------------------------------------------------------------------------


@real_bars
@periods
def test_wma_agrees_with_talib(period: int, path: Path) -> None:
    """WMA is TA-Lib's to 1e-9 on real bars, from the first value on."""
    closes = real_columns(path)["close"]
    agree(stream(WMA(period), closes), talib.WMA(np.array(closes), period))


@real_bars
@periods
def test_slope_agrees_with_talib(period: int, path: Path) -> None:
    """The slope is TA-Lib's to 1e-9, or to 1e-12 of the price where TA-Lib subtracts its great sums."""
    closes = real_columns(path)["close"]
    ours, theirs = stream(LinRegSlope(period), closes), talib.LINEARREG_SLOPE(np.array(closes), period)
    agree(ours, theirs, atol=max(closes) * 1e-12)


@real_bars
@periods
def test_bollinger_agrees_with_talib(period: int, path: Path) -> None:
    """The bands are TA-Lib's to 1e-9 on real bars, from the first value on."""
    closes = real_columns(path)["close"]
    ours = streams(Bollinger(period, 2.5), closes, outs=("upper", "middle", "lower"))
    agree_all(ours, talib.BBANDS(np.array(closes), period, 2.5, 2.5))


# --- against exact arithmetic ------------------------------------------------------------------------------


@real_bars
@against_exact
@pytest.mark.parametrize("period", [2, 10, 30])
def test_it_is_near_exact_on_real_closes(make: Any, exact: Any, period: int, path: Path) -> None:
    """On real closes WMA, slope and z-score are exact to 1e-12, relatively or of the window's own movement."""
    closes = real_columns(path)["close"]
    indicator = make(period)
    for i, x in enumerate(closes, 1):
        value = indicator.update(x)
        if i >= period and not i % 17:
            window = closes[i - period : i]
            moved = 1.0 if make is ZScore else max(window) - min(window)
            assert value == pytest.approx(exact(window), rel=1e-12, abs=1e-12 * moved)


@repeatable
@given(st.integers(2, 12), runs(prices))
def test_wma_is_near_exact_for_any_prices(period: int, xs: list[float]) -> None:
    """Prices from 1e-6 to 1e6 in any order give the exact WMA to 1e-12."""
    values = stream(WMA(period), xs)
    for i in range(period, len(xs) + 1):
        assert values[i - 1] == pytest.approx(exact_wma(xs[i - period : i]), rel=1e-12, abs=0)


@repeatable
@given(st.integers(2, 8), runs(st.integers(-3, 3)), st.sampled_from([0.01, 1.0, 1e5]))
def test_slope_survives_cancellation(period: int, steps: list[int], tick: float) -> None:
    """Prices that are huge beside their movement still give the slope of the movement."""
    xs = [1e9 + step * tick for step in steps]
    values = stream(LinRegSlope(period), xs)
    for i in range(period, len(xs) + 1):
        assert values[i - 1] == pytest.approx(exact_slope(xs[i - period : i]), rel=1e-12, abs=1e-13 * tick)


@repeatable
@given(st.integers(2, 8), runs(st.integers(-3, 3)), st.sampled_from([0.01, 1.0, 1e5]))
def test_z_survives_cancellation(period: int, steps: list[int], tick: float) -> None:
    """Prices that are huge beside their movement still give the z-score of the movement."""
    xs = [1e9 + step * tick for step in steps]
    values = stream(ZScore(period), xs)
    for i in range(period, len(xs) + 1):
        assert values[i - 1] == pytest.approx(exact_z(xs[i - period : i]), rel=1e-9, abs=1e-9)


@against_exact
@pytest.mark.parametrize("spike", SPIKES)
def test_it_forgets_a_spike(make: Any, exact: Any, spike: float) -> None:
    """Once a spike has left the window, nothing of its error remains."""
    ordinary = [7424.91, 7405.0, 0.1, 7403.98, 1.0 / 3.0] * 8
    xs = [*ordinary, spike, *ordinary, spike, spike, *ordinary]
    values = stream(make(7), xs)
    for i in range(7, len(xs) + 1):
        window = xs[i - 7 : i]
        if max(map(abs, window)) < 1e4:
            assert values[i - 1] == pytest.approx(exact(window), rel=1e-12, abs=1e-9)


@against_exact
def test_it_does_not_drift(make: Any, exact: Any) -> None:
    """After a million updates the value is as near to exact as after the first thousand."""
    cents = [(700_000 + (i * i * 7_919) % 100_003) / 100 for i in range(1_009)]
    xs = list(islice(cycle(cents), 1_000_000))
    indicator = make(30)
    for i, x in enumerate(xs, 1):
        value = indicator.update(x)
        if not i % 10_000:
            assert value == pytest.approx(exact(xs[i - 30 : i]), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("make", "still"), [(WMA, 0.1), (LinRegSlope, 0.0), (ZScore, 0.0), (Bollinger, 0.1)])
def test_a_market_that_has_come_to_rest_is_told_exactly(make: Any, still: float) -> None:
    """A window of equal prices gives that price, or exactly no slope and no distance, whatever came before."""
    values = stream(make(5), [7001.13, 6999.9, 12.5, 8000.0, *[0.1] * 17])
    assert list(values[8:]) == [still] * 13


# --- bands, z-score, slope by hand -------------------------------------------------------------------------


def test_bollinger_lies_as_far_above_as_below() -> None:
    """The lines are two population deviations from the mean."""
    bands = Bollinger(4)
    stream(bands, [9.0, 1.0, 2.0, 4.0, 8.0])
    spread = 2 * pstdev([1, 2, 4, 8])
    assert (bands.lower, bands.middle, bands.upper) == pytest.approx((3.75 - spread, 3.75, 3.75 + spread))


def test_z_of_a_sample_divides_by_one_less() -> None:
    """`ddof=1` measures in the sample's standard deviation."""
    xs = [1.0, 2.0, 4.0, 8.0]
    assert stream(ZScore(4, ddof=1), xs)[-1] == pytest.approx((8.0 - fmean(xs)) / stdev(xs))


def test_z_refuses_a_ddof_that_leaves_nothing() -> None:
    """`ddof` must be less than the period."""
    with pytest.raises(ValueError, match="ZScore: ddof is at least 0 and less than the period 3, this is 3"):
        ZScore(3, ddof=3)


def test_a_slope_takes_two_observations() -> None:
    """One point has no slope: that period is refused."""
    with pytest.raises(ValueError, match="LinRegSlope: a slope takes a period of at least 2, this is 1"):
        LinRegSlope(1)


def test_slope_of_a_line_is_its_slope() -> None:
    """Observations on a line give what it rises by from one to the next."""
    assert stream(LinRegSlope(5), [3.0 - 0.5 * i for i in range(9)])[4:] == pytest.approx([-0.5] * 5, rel=1e-15)


# --- sums --------------------------------------------------------------------------------------------------


@repeatable
@given(st.integers(1, 10), runs(numbers))
def test_rolling_sum_is_near_exact_for_any_numbers(period: int, xs: list[float]) -> None:
    """A rolling sum is that of the window, to 1e-15 of its greatest member."""
    total = RollingSum(period)
    for i, x in enumerate(xs, 1):
        window = xs[max(0, i - period) : i]
        assert total.update(x) == pytest.approx(fsum(window), rel=1e-15, abs=max(map(abs, window)) * 1e-15)


@repeatable
@given(st.integers(1, 6), runs(st.sampled_from([0.0, 0.1, 3.3e-7, 1e9, 1e18, 1e40])))
def test_rolling_sum_of_volumes_is_near_exact(period: int, xs: list[float]) -> None:
    """Numbers without a sign are summed to 1e-9 of the sum itself, and zeros to exactly 0."""
    total = RollingSum(period)
    for i, x in enumerate(xs, 1):
        assert total.update(x) == pytest.approx(fsum(xs[max(0, i - period) : i]), rel=1e-9, abs=0)


def test_rolling_sum_keeps_the_small_beside_the_great() -> None:
    """Summed afresh beside a great number, the small ones still count in full when that has left too."""
    total = RollingSum(3)
    sums = [total.update(x) for x in (1e40, 1e8, 0.1, 0.1, 0.1)]
    assert sums[-1] == pytest.approx(0.3, rel=1e-15)


def test_running_sum_does_not_drift() -> None:
    """A million additions that nearly cancel give the sum, correctly rounded."""
    xs = [(-1) ** i * (0.1 + (i * i % 7_919) / 3) * 10.0 ** (i % 9) for i in range(1_000_000)]
    total = RunningSum()
    assert [total.add(x) for x in xs][-1] == fsum(xs)
