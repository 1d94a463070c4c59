"""Streaming indicators against TA-Lib, exact arithmetic and their own promises."""

import random
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from itertools import cycle, islice
from math import fsum, nan, sqrt
from pathlib import Path
from statistics import pstdev, stdev
from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.harness import real_columns
from tests.strategy.indicator_checks import agree, numbers, periods, prices, real_bars, repeatable, stream
from tradingd.strategy.indicators import ATR, EMA, RSI, SMA, Donchian, RollingStd

ONE_PRICE: list[tuple[Callable[[int], Any], Any]] = [
    (SMA, talib.SMA),
    (EMA, talib.EMA),
    (RSI, talib.RSI),
    (RollingStd, talib.STDDEV),
]


# --- against TA-Lib, on real bars --------------------------------------------------------------------------


@real_bars
@periods
@pytest.mark.parametrize(("ours", "theirs"), ONE_PRICE, ids=lambda f: getattr(f, "__name__", None))
def test_an_indicator_of_closes_agrees_with_talib(ours: Any, theirs: Any, period: int, path: Path) -> None:
    """SMA, EMA, RSI and standard deviation are TA-Lib's to 1e-9 on real bars, from the first value on."""
    closes = real_columns(path)["close"]
    agree(stream(ours(period), closes), theirs(np.array(closes), timeperiod=period))


@real_bars
@periods
def test_atr_agrees_with_talib(period: int, path: Path) -> None:
    """ATR is TA-Lib's to 1e-9 on real bars, from the first value on."""
    bars = real_columns(path)
    columns = [bars["high"], bars["low"], bars["close"]]
    agree(stream(ATR(period), *columns), talib.ATR(*map(np.array, columns), timeperiod=period))


@real_bars
@periods
def test_donchian_agrees_with_talib(period: int, path: Path) -> None:
    """The channel is exactly TA-Lib's rolling maximum and minimum."""
    bars = real_columns(path)
    channel, upper, lower = Donchian(period), [], []
    for high, low in zip(bars["high"], bars["low"], strict=True):
        channel.update(high, low)
        upper.append(nan if channel.upper is None else channel.upper)
        lower.append(nan if channel.lower is None else channel.lower)
    np.testing.assert_array_equal(upper, talib.MAX(np.array(bars["high"]), period))
    np.testing.assert_array_equal(lower, talib.MIN(np.array(bars["low"]), period))


@pytest.mark.parametrize(("ours", "theirs"), ONE_PRICE, ids=lambda f: getattr(f, "__name__", None))
def test_a_market_that_never_moves_gives_what_talib_gives(ours: Any, theirs: Any) -> None:
    """On equal prices averages are the price, and RSI and deviation are 0, as in TA-Lib."""
    agree(stream(ours(14), [0.1] * 60), theirs(np.full(60, 0.1), timeperiod=14))


# --- SMA ---------------------------------------------------------------------------------------------------


def assert_exactly_rounded(period: int, xs: list[float]) -> None:
    """Assert that every value is `fsum(window) / period`, bit for bit."""
    average = SMA(period)
    for i, x in enumerate(xs, 1):
        value = average.update(x)
        assert value == (fsum(xs[i - period : i]) / period if i >= period else None)


@real_bars
@pytest.mark.parametrize("period", [1, 10, 30])
def test_sma_is_exactly_rounded_on_real_closes(period: int, path: Path) -> None:
    """SMA is the correctly rounded mean of every window of the real closes."""
    assert_exactly_rounded(period, real_columns(path)["close"])


@repeatable
@given(st.integers(1, 40), st.lists(prices, max_size=200))
def test_sma_is_exactly_rounded_for_any_prices(period: int, xs: list[float]) -> None:
    """SMA is the correctly rounded mean for any prices from 1e-6 to 1e6."""
    assert_exactly_rounded(period, xs)


@repeatable
@given(st.integers(1, 10), st.lists(numbers, max_size=60))
def test_sma_is_exactly_rounded_for_any_numbers(period: int, xs: list[float]) -> None:
    """SMA is the correctly rounded mean even where two floats cannot hold the sum of the window."""
    assert_exactly_rounded(period, xs)


@pytest.mark.parametrize("spike", [1e16, 1e33, -1e100, 5e-324])
def test_sma_forgets_a_spike(spike: float) -> None:
    """After a spike has left the window the mean is exact again."""
    ordinary = [7424.91, 7405.0, 0.1, 7403.98, 1.0 / 3.0] * 8
    assert_exactly_rounded(7, [*ordinary, spike, *ordinary, spike, spike, *ordinary])


def test_sma_does_not_drift() -> None:
    """After a million updates the mean is still exact to the last bit."""
    cents = [(700_000 + (i * i * 7_919) % 100_003) / 100 for i in range(1_009)]
    xs = list(islice(cycle(cents), 1_000_000))
    average = SMA(30)
    for i, x in enumerate(xs, 1):
        value = average.update(x)
        if not i % 1_000:
            assert value == fsum(xs[i - 30 : i]) / 30


# --- RollingStd --------------------------------------------------------------------------------------------


@real_bars
@pytest.mark.parametrize("period", [2, 20])
def test_deviation_is_near_exact_on_real_closes(period: int, path: Path) -> None:
    """On real closes the deviation is within 1e-11 (relative) of exact rational arithmetic."""
    closes = real_columns(path)["close"]
    deviation = RollingStd(period)
    for i, x in enumerate(closes, 1):
        value = deviation.update(x)
        if i >= period and not i % 13:
            assert value == pytest.approx(pstdev(map(Fraction, closes[i - period : i])), rel=1e-11, abs=0)


@repeatable
@given(st.integers(2, 20), st.lists(st.integers(0, 3), max_size=100), st.sampled_from([0.01, 1.0, 1e5]))
def test_deviation_survives_cancellation(period: int, steps: list[int], tick: float) -> None:
    """Prices that are huge beside their movement still give the deviation of the movement."""
    xs = [1e9 + step * tick for step in steps]
    deviation = RollingStd(period)
    for i, x in enumerate(xs, 1):
        value = deviation.update(x)
        if i >= period:
            assert value == pytest.approx(pstdev(map(Fraction, xs[i - period : i])), rel=1e-9, abs=1e-12)


def test_deviation_forgets_a_spike() -> None:
    """Once a spike has left the window, nothing of its error remains."""
    xs = [1.0, 2.0, 4.0, 1e12, *[1.0, 2.0, 4.0] * 4]
    values = stream(RollingStd(3), xs)
    np.testing.assert_allclose(values[6:], sqrt(14 / 9), rtol=1e-12)


def test_deviation_is_exactly_zero_when_movement_ends() -> None:
    """A window of equal prices has no deviation at all, whatever came before."""
    values = stream(RollingStd(5), [7001.13, 6999.9, 12.5, 8000.0, *[0.1] * 7])
    assert list(values[8:]) == [0.0, 0.0, 0.0]


def test_deviation_of_a_sample_divides_by_one_less() -> None:
    """`ddof=1` gives the sample's standard deviation."""
    assert stream(RollingStd(4, ddof=1), [1.0, 2.0, 4.0, 8.0])[-1] == pytest.approx(stdev([1, 2, 4, 8]))


def test_deviation_refuses_a_ddof_that_leaves_nothing() -> None:
    """`ddof` must be less than the period."""
    with pytest.raises(ValueError, match="ddof is at least 0 and less than the period 3, this is 3"):
        RollingStd(3, ddof=3)


# --- RSI, ATR, EMA, Donchian -------------------------------------------------------------------------------


def test_rsi_tells_no_movement_from_a_fall() -> None:
    """Both give 0; `unmoved` holds for the market that has not moved."""
    still, falling = RSI(3), RSI(3)
    assert stream(still, [5.0] * 4)[-1] == 0.0
    assert stream(falling, [5.0, 4.0, 3.0, 2.0])[-1] == 0.0
    assert still.unmoved
    assert not falling.unmoved


def test_rsi_counts_movements_of_tiny_prices() -> None:
    """Prices of 1e-15 have an RSI, where TA-Lib would take them for unmoved."""
    xs = [3.0, 4.0, 2.0, 5.0, 4.0, 6.0]
    np.testing.assert_allclose(stream(RSI(3), [x * 1e-15 for x in xs]), stream(RSI(3), xs), rtol=1e-12)


def test_rsi_of_a_rise_is_one_hundred() -> None:
    """A market that only rises has RSI 100."""
    assert stream(RSI(3), [1.0, 2.0, 3.0, 4.0, 5.0])[-1] == 100.0


def test_atr_reaches_to_the_previous_close() -> None:
    """A gap counts as range, and the first bar has none."""
    assert list(stream(ATR(1), [10.0, 15.0, 8.0], [9.0, 14.0, 7.0], [9.5, 14.5, 7.5])[1:]) == [5.5, 7.5]


def test_ema_starts_from_the_simple_average() -> None:
    """The seed is the mean of the first observations; then the weight is 2 / (n + 1)."""
    assert list(stream(EMA(3), [1.0, 2.0, 6.0, 5.0])[2:]) == [3.0, 4.0]


@repeatable
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), max_size=80))
def test_donchian_is_the_extreme_of_the_window(period: int, bars: list[tuple[int, int]]) -> None:
    """Upper, lower and middle are those of the last bars, ties and all."""
    channel = Donchian(period)
    for i, (high, low) in enumerate(bars, 1):
        channel.update(high, low)
        window = bars[i - period : i]
        if i < period:
            assert (channel.upper, channel.lower, channel.middle) == (None, None, None)
        else:
            upper, lower = max(high for high, _ in window), min(low for _, low in window)
            assert (channel.upper, channel.lower, channel.middle) == (upper, lower, (upper + lower) / 2)


def test_donchian_read_before_update_excludes_the_bar() -> None:
    """A strategy that reads before it updates sees the channel of the bars before."""
    channel = Donchian(2)
    for high, low in [(3.0, 1.0), (4.0, 2.0)]:
        channel.update(high, low)
    before = (channel.upper, channel.lower)
    channel.update(9.0, 0.5)
    assert before == (4.0, 1.0)
    assert (channel.upper, channel.lower) == (9.0, 0.5)


def test_a_simple_average_costs_the_same_however_long_and_wild_its_window_is() -> None:
    """Prices that differ by orders of magnitude take a few floats more, not another sum over the window."""
    chance = random.Random(11)  # noqa: S311 - reproducible
    average, window = SMA(500), deque[float](maxlen=500)
    for _ in range(3_000):
        price = round(10.0 ** chance.uniform(-6, 12), 9)
        window.append(price)
        value = average.update(price)
        assert average._parts is None or len(average._parts) <= 20
        assert value is None or value == fsum(window) / 500
