"""MACD, stochastic and CCI, against TA-Lib, exact arithmetic and by hand."""

from fractions import Fraction
from functools import reduce
from itertools import cycle, islice
from operator import add
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.harness import real_columns
from tests.strategy.indicator_checks import (
    agree,
    agree_all,
    periods,
    real_bars,
    real_ohlcv,
    repeatable,
    some_bars,
    state,
    still_bars,
    stream,
    streams,
)
from tradingd.strategy.indicators import CCI, EMA, MACD, Stochastic

Bars = list[tuple[float, float, float]]


# --- MACD --------------------------------------------------------------------------------------------------


@real_bars
@pytest.mark.parametrize("lengths", [(12, 26, 9), (3, 10, 16), (2, 3, 1), (5, 100, 2)])
def test_macd_agrees_with_talib(lengths: tuple[int, int, int], path: Path) -> None:
    """Line, signal and histogram are TA-Lib's to 1e-9 on real bars, seeds and warm-up included."""
    closes = real_columns(path)["close"]
    ours = streams(MACD(*lengths), closes, outs=("value", "signal", "histogram"))
    agree_all(ours, talib.MACD(np.array(closes), *lengths))


def test_macd_begins_both_averages_at_the_slow_period() -> None:
    """The fast average is seeded with the observations just before the slow one begins, not with the first."""
    xs = [100.0, 1.0, 2.0, 3.0, 5.0]
    fast, slow = (2 + 3) / 2, (100 + 1 + 2 + 3) / 4
    values = stream(MACD(2, 4, 1), xs)
    assert values[3] == fast - slow
    assert values[4] == pytest.approx((fast + (5 - fast) * 2 / 3) - (slow + (5 - slow) * 2 / 5))


def test_macd_of_a_long_run_is_the_difference_of_two_averages() -> None:
    """When the seeds are forgotten it is EMA less EMA: after a million updates too."""
    xs = list(islice(cycle((700_000 + (i * i * 7_919) % 100_003) / 100 for i in range(1_009)), 1_000_000))
    macd, fast, slow = MACD(), EMA(12), EMA(26)
    for x in xs:
        values = (macd.update(x), fast.update(x), slow.update(x))
    assert None not in values
    assert values[0] == pytest.approx(values[1] - values[2], rel=1e-12)
    assert macd.histogram == values[0] - macd.signal


@pytest.mark.parametrize("fast", [26, 30])
def test_macd_refuses_a_fast_that_is_not_faster(fast: int) -> None:
    """TA-Lib would swap them in silence; here the mistake is told."""
    with pytest.raises(ValueError, match=f"MACD: the fast period is less than the slow one 26, this is {fast}"):
        MACD(fast, 26)


# --- Stochastic --------------------------------------------------------------------------------------------


@real_bars
@periods
def test_slow_stochastic_agrees_with_talib(period: int, path: Path) -> None:
    """%K and %D are TA-Lib's STOCH to 1e-9 on real bars, from the first value on."""
    bars = real_ohlcv(path)[:3]
    ours = streams(Stochastic(period, 3, 4), *bars, outs=("k", "d"))
    agree_all(ours, talib.STOCH(*map(np.array, bars), period, 3, 0, 4, 0))


@real_bars
@periods
def test_fast_stochastic_agrees_with_talib(period: int, path: Path) -> None:
    """Without smoothing %K and %D are TA-Lib's STOCHF to 1e-9 on real bars."""
    bars = real_ohlcv(path)[:3]
    agree_all(
        streams(Stochastic(period, 1), *bars, outs=("k", "d")), talib.STOCHF(*map(np.array, bars), period, 3)
    )


@repeatable
@given(st.integers(1, 6), st.integers(1, 3), st.one_of(some_bars, still_bars))
def test_stochastic_is_that_of_the_window(period: int, smoothing: int, bars: Bars) -> None:
    """%K is the mean place of the close between the extremes of each window; within 0 and 100, ties and all."""
    indicator = Stochastic(period, smoothing, 1)
    raw: list[float] = []
    for i, bar in enumerate(bars, 1):
        value = indicator.update(*bar)
        window = bars[max(0, i - period) : i]
        top, bottom = max(h for h, _, _ in window), min(low for _, low, _ in window)
        raw.append(100 * (bar[2] - bottom) / (top - bottom) if top > bottom else 0.0)
        if i >= period + smoothing - 1:
            assert value == pytest.approx(sum(raw[-smoothing:]) / smoothing, rel=1e-9, abs=1e-9)
            assert 0.0 <= value <= 100.0


def test_stochastic_without_range_counts_as_zero() -> None:
    """While highest and lowest are equal there is no place between them; as in TA-Lib that is 0."""
    fast = Stochastic(2, 1, 1)
    assert list(stream(fast, *[[5.0, 6.0, 6.0, 7.0]] * 3)[1:]) == [100.0, 0.0, 100.0]


@pytest.mark.parametrize("close", [8.9, 10.1])
def test_stochastic_refuses_a_close_outside_its_bar(close: float) -> None:
    """Such a bar would lead out of 0 to 100: it is refused and changes nothing."""
    indicator = Stochastic(3)
    before = state(indicator)
    with pytest.raises(ValueError, match=r"Stochastic\(3, 3, 3\): 10\.0, 9\.0, .* with low <= close <= high"):
        indicator.update(10.0, 9.0, close)
    assert state(indicator) == before


# --- CCI ---------------------------------------------------------------------------------------------------


def exact_cci(window: Bars) -> float:
    """By the definition, in rational numbers; 0 without deviation."""
    typical = [sum(map(Fraction, bar)) / 3 for bar in window]
    mean = sum(typical) / len(typical)
    deviation = sum(abs(price - mean) for price in typical) / len(typical)
    return float((typical[-1] - mean) / (Fraction(15, 1000) * deviation)) if deviation else 0.0


def assert_exact(value: float | None, window: Bars) -> None:
    """Assert the exact index to 1e-12, 0 where typical prices differ by the rounding of decimals only."""
    sums = [sum(bar) for bar in window]
    moved = max(sums) - min(sums) > 1e-14 * max(sums)
    assert value == pytest.approx(exact_cci(window) if moved else 0.0, rel=1e-12, abs=1e-12)


@real_bars
@pytest.mark.parametrize("period", [2, 5, 14, 20, 200])
def test_cci_agrees_with_talib(period: int, path: Path) -> None:
    """CCI is TA-Lib's to 1e-9 on real bars, or to 1e-6 where prices hardly move and TA-Lib's rounding shows."""
    bars = real_ohlcv(path)[:3]
    agree(stream(CCI(period), *bars), talib.CCI(*map(np.array, bars), period), atol=1e-6)


@real_bars
@pytest.mark.parametrize("period", [2, 20])
def test_cci_is_near_exact_on_real_bars(period: int, path: Path) -> None:
    """On real bars CCI is exact to 1e-12, nearer than TA-Lib."""
    bars = list(zip(*real_ohlcv(path)[:3], strict=True))
    indicator = CCI(period)
    for i, bar in enumerate(bars, 1):
        value = indicator.update(*bar)
        if i >= period and not i % 7:
            assert_exact(value, bars[i - period : i])


@repeatable
@given(st.integers(1, 8), st.one_of(some_bars, still_bars))
def test_cci_is_near_exact(period: int, bars: Bars) -> None:
    """Any bars give the exact index to 1e-12, those that hardly move included."""
    indicator = CCI(period)
    for i, bar in enumerate(bars, 1):
        value = indicator.update(*bar)
        if i >= period and not i % 3:
            assert_exact(value, bars[i - period : i])


def test_cci_of_equal_typical_prices_is_zero() -> None:
    """Sums that differ by rounding only are no movement, where TA-Lib may show -66.7."""
    bars = [(0.3, 0.1, 0.2), (0.3, 0.2, 0.1), (0.2, 0.3, 0.1), (0.1, 0.2, 0.3)]
    assert len({reduce(add, bar) for bar in bars}) > 1
    assert list(stream(CCI(2), *map(list, zip(*bars, strict=True)))[1:]) == [0.0, 0.0, 0.0]


def test_cci_is_the_same_at_any_price_level() -> None:
    """Movements of a cent about a billion have the index that they have about a hundred."""
    moves = [0.0, 1.0, -2.0, 3.0, 0.5, -0.5, 2.0]
    low, high = ([level + move for move in moves] for level in (128.0, 2.0**30))
    np.testing.assert_allclose(stream(CCI(3), high, high, high)[2:], stream(CCI(3), low, low, low)[2:], rtol=1e-12)
