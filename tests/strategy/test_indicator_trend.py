"""ADX against TA-Lib; Keltner, Supertrend and Ichimoku against plain computations over the whole series."""

from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.indicator_checks import (
    agree_all,
    periods,
    real_bars,
    real_ohlcv,
    repeatable,
    some_bars,
    still_bars,
    stream,
    streams,
)
from tradingd.strategy.indicators import ADX, Ichimoku, Keltner, Supertrend

Bars = list[tuple[float, float, float]]
Column = list[float]
NAN = float("nan")
CLOUD = ("conversion", "base", "leading_a", "leading_b", "cloud_a", "cloud_b")


def columns(bars: Bars) -> tuple[Column, Column, Column]:
    """High, low and close of bars."""
    return [high for high, _, _ in bars], [low for _, low, _ in bars], [close for _, _, close in bars]


# --- ADX ---------------------------------------------------------------------------------------------------


@real_bars
@periods
def test_adx_agrees_with_talib(period: int, path: Path) -> None:
    """ADX, +DI and -DI are TA-Lib's to 1e-9 on real bars, each from its own first value on."""
    bars = real_ohlcv(path)[:3]
    ours = streams(ADX(period), *bars, outs=("value", "plus_di", "minus_di"))
    theirs = [f(*map(np.array, bars), period) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)]
    agree_all(ours, theirs)


@repeatable
@given(st.integers(2, 6), st.one_of(some_bars, still_bars))
def test_adx_agrees_with_talib_on_any_bars(period: int, bars: Bars) -> None:
    """Ties, gaps and bars without range are treated as TA-Lib treats them; all stays within 0 and 100."""
    high, low, close = columns(bars)
    ours = streams(ADX(period), high, low, close, outs=("value", "plus_di", "minus_di"))
    if len(bars) > 2 * period:
        theirs = [
            f(*map(np.array, (high, low, close)), period) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
        ]
        agree_all(ours, theirs)
    assert all(0.0 <= x <= 100.0 for out in ours for x in out[~np.isnan(out)])


def test_adx_is_zero_in_a_market_that_never_moved() -> None:
    """Without any movement there is no direction, and the index is 0 as in TA-Lib."""
    index = ADX(3)
    stream(index, [5.0] * 20, [5.0] * 20, [5.0] * 20)
    assert (index.value, index.plus_di, index.minus_di) == (0.0, 0.0, 0.0)


def test_adx_stays_as_it_is_while_nothing_moves() -> None:
    """Where both directional indicators are 0 there is no new index to average, and the old average stays."""
    index = ADX(1)
    stream(index, [5.0, 6.0, 6.0], [4.0, 5.0, 5.0], [5.0, 6.0, 6.0])
    assert (index.value, index.plus_di, index.minus_di) == (100.0, 0.0, 0.0)


def test_adx_of_a_pure_rise_is_one_hundred() -> None:
    """A market that only makes higher highs moves in one direction entirely."""
    rise = [float(i) for i in range(30)]
    index = ADX(5)
    stream(index, [x + 1 for x in rise], rise, [x + 0.5 for x in rise])
    assert index.value == 100.0
    assert index.minus_di == 0.0
    assert index.plus_di == pytest.approx(100 * 1 / 1.5)


# --- Keltner -----------------------------------------------------------------------------------------------


def plain_ema(xs: Column, n: int) -> Column:
    """From its definition, over the whole series."""
    out = [NAN] * (n - 1) + [sum(xs[:n]) / n]
    for x in xs[n:]:
        out.append(2 / (n + 1) * x + (1 - 2 / (n + 1)) * out[-1])
    return out[: len(xs)] if len(xs) >= n else [NAN] * len(xs)


def plain_atr(high: Column, low: Column, close: Column, n: int) -> Column:
    """From its definition, over the whole series: Wilder's average of the true ranges."""
    ranges = [
        max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])) for i in range(1, len(high))
    ]
    if len(ranges) < n:
        return [NAN] * len(high)
    out = [NAN] * n + [sum(ranges[:n]) / n]
    for true_range in ranges[n:]:
        out.append((out[-1] * (n - 1) + true_range) / n)
    return out


def plain_keltner(high: Column, low: Column, close: Column, n: int, k: float, m: int) -> list[np.ndarray]:
    """Upper, middle and lower over the whole series."""
    middle, reach = np.array(plain_ema(close, n)), k * np.array(plain_atr(high, low, close, m))
    middle = np.where(np.isnan(reach), NAN, middle)
    return [middle + reach, middle, middle - reach]


@real_bars
@pytest.mark.parametrize("made", [(20, 2.0, 10), (3, 1.5, 30)])
def test_keltner_is_its_definition_on_real_bars(made: tuple[int, float, int], path: Path) -> None:
    """The channel is EMA and ATR, each computed over the whole series, to 1e-9."""
    bars = real_ohlcv(path)[:3]
    agree_all(streams(Keltner(*made), *bars, outs=("upper", "middle", "lower")), plain_keltner(*bars, *made))


@repeatable
@given(st.integers(1, 6), st.integers(1, 6), st.one_of(some_bars, still_bars))
def test_keltner_is_its_definition_on_any_bars(n: int, m: int, bars: Bars) -> None:
    """Whichever part takes longer to warm up, the channel is that of the plain computation."""
    ours = streams(Keltner(n, 1.5, m), *columns(bars), outs=("upper", "middle", "lower"))
    agree_all(ours, plain_keltner(*columns(bars), n, 1.5, m))


# --- Supertrend --------------------------------------------------------------------------------------------


def plain_supertrend(high: Column, low: Column, close: Column, n: int, k: float) -> list[np.ndarray]:
    """Value, upper, lower and direction over the whole series, line for line as the Pine reference has it."""
    atr = plain_atr(high, low, close, n)
    size = len(high)
    upper, lower, value, direction = ([NAN] * size for _ in range(4))
    for i in range(n, size):
        middle = (high[i] + low[i]) / 2
        upper[i], lower[i] = middle + k * atr[i], middle - k * atr[i]
        if i == n:
            direction[i] = -1.0
        else:
            lower[i] = lower[i] if lower[i] > lower[i - 1] or close[i - 1] < lower[i - 1] else lower[i - 1]
            upper[i] = upper[i] if upper[i] < upper[i - 1] or close[i - 1] > upper[i - 1] else upper[i - 1]
            if direction[i - 1] == -1.0:
                direction[i] = 1.0 if close[i] > upper[i] else -1.0
            else:
                direction[i] = -1.0 if close[i] < lower[i] else 1.0
        value[i] = lower[i] if direction[i] == 1.0 else upper[i]
    return [np.array(column) for column in (value, upper, lower, direction)]


@real_bars
@pytest.mark.parametrize("made", [(10, 3.0), (2, 0.7)])
def test_supertrend_is_its_definition_on_real_bars(made: tuple[int, float], path: Path) -> None:
    """Line, bands and direction are those of the plain computation to 1e-9, and the trend does turn."""
    bars = real_ohlcv(path)[:3]
    ours = streams(Supertrend(*made), *bars, outs=("value", "upper", "lower", "direction"))
    agree_all(ours, plain_supertrend(*bars, *made))
    assert {1.0, -1.0} <= set(ours[3]) or len(bars[0]) < 200


@repeatable
@given(st.integers(1, 5), st.sampled_from([0.125, 0.5, 2.0]), st.one_of(some_bars, still_bars))
def test_supertrend_is_its_definition_on_any_bars(n: int, k: float, bars: Bars) -> None:
    """Gaps, ties and bars without range turn the trend where the plain computation turns it."""
    ours = streams(Supertrend(n, k), *columns(bars), outs=("value", "upper", "lower", "direction"))
    for one, plain in zip(ours, plain_supertrend(*columns(bars), n, k), strict=True):
        np.testing.assert_array_equal(one, plain)


def test_supertrend_turns_when_a_close_crosses_it() -> None:
    """It begins down; the close above the upper band turns it up, the one below the lower band down again."""
    closes = [10.0, 10.0, 10.0, 14.0, 15.0, 16.0, 9.0]
    trend = Supertrend(1, 1.0)
    seen = [(trend.update(c + 0.5, c - 0.5, c), trend.direction)[1] for c in closes]
    assert seen == [None, -1, -1, 1, 1, 1, -1]


# --- Ichimoku ----------------------------------------------------------------------------------------------


def plain_ichimoku(high: Column, low: Column, made: tuple[int, int, int, int]) -> list[np.ndarray]:
    """All lines over the whole series, each from its own slices; nothing before the last of them begins."""
    n, m, span, ahead = made

    def middle(length: int) -> np.ndarray:
        out = [(max(high[i - length : i]) + min(low[i - length : i])) / 2 for i in range(length, len(high) + 1)]
        return np.array(([NAN] * (length - 1) + out)[: len(high)])

    def drawn(line: np.ndarray) -> np.ndarray:
        return np.concatenate([np.full(ahead - 1, NAN), line])[: len(line)]

    conversion, base, second = middle(n), middle(m), middle(span)
    first = (conversion + base) / 2
    lines = [conversion, base, first, second, drawn(first), drawn(second)]
    begun = ~np.isnan(lines).any(axis=0)
    return [np.where(begun, line, NAN) for line in lines]


@real_bars
@pytest.mark.parametrize("made", [(9, 26, 52, 26), (30, 5, 7, 1)])
def test_ichimoku_is_its_definition_on_real_bars(made: tuple[int, int, int, int], path: Path) -> None:
    """All lines are exactly those cut from the whole series."""
    high, low, _, _ = real_ohlcv(path)
    for ours, plain in zip(
        streams(Ichimoku(*made), high, low, outs=CLOUD), plain_ichimoku(high, low, made), strict=True
    ):
        np.testing.assert_array_equal(ours, plain)


@repeatable
@given(st.tuples(*[st.integers(1, 6)] * 4), st.one_of(some_bars, still_bars))
def test_ichimoku_is_its_definition_on_any_bars(made: tuple[int, int, int, int], bars: Bars) -> None:
    """Any lengths, in any order, give the lines cut from the whole series."""
    high, low, _ = columns(bars)
    for ours, plain in zip(
        streams(Ichimoku(*made), high, low, outs=CLOUD), plain_ichimoku(high, low, made), strict=True
    ):
        np.testing.assert_array_equal(ours, plain)


def test_ichimoku_warms_up_until_its_cloud_has_arrived() -> None:
    """By default 52 bars for the second span, drawn as the 26th bar from there: 77."""
    assert Ichimoku().warmup == 77
