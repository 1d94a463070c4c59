"""The compiled signals decide as the classes do, to the last bit."""

from math import fsum, nextafter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sweep.columns import columns
from tradingd.strategy.compiled import compiled
from tradingd.strategy.indicators import RSI, SMA, Donchian
from tradingd.strategy.kernels import _exact_sum, breakout, crossover, reversion
from tradingd.strategy.sweep import BREAKOUT, DOWN, END_LONG, END_SHORT, HOLD, LEAVE_LONG, LONG, NEWS, SHORT, UP

PRICES = st.floats(1e-6, 1e6, allow_nan=False)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=40))
def test_sums_are_those_of_fsum(values: list[float]) -> None:
    """The exact sum is `math.fsum`, correctly rounded, whatever the magnitudes."""
    assert _exact_sum(np.array(values), 0, len(values)) == fsum(values)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.one_of(PRICES, st.sampled_from((1.0, 1.1, 3.3))), min_size=8, max_size=60))
def test_crossings_are_those_of_the_streaming_averages(closes: list[float]) -> None:
    """A code comes where the streaming averages, more than a tie apart, change sides."""
    fast, slow, decided, expected = SMA(2), SMA(5), None, []
    for close in closes:
        quick, lazy = fast.update(close), slow.update(close)
        stand = decided
        if quick is not None and lazy is not None and abs(quick - lazy) > 1e-12 * max(quick, lazy):
            stand = LONG if quick > lazy else SHORT
        expected.append(HOLD if stand is decided else stand)
        decided = stand
    assert crossover(columns(closes), 2, 5, long_only=False).tolist() == expected


def test_averages_of_equal_prices_never_cross() -> None:
    """Prices that stand still are a tie, although sums of different length round differently."""
    assert set(crossover(columns([0.1] * 200), 10, 30, long_only=False).tolist()) == {HOLD}


def test_the_last_digit_decides_beyond_a_tie() -> None:
    """Averages that are apart by just more than a tie cross; those just within one do not."""
    for factor, crosses in ((1 + 4e-12, True), (1 + 1e-12, False)):
        closes = [100.0] * 10 + [100.0 * factor]
        assert bool(crossover(columns(closes), 1, 2, long_only=True)[-1] == LONG) is crosses
    closes = [100.0] * 10 + [nextafter(100.0, 200.0)]
    assert crossover(columns(closes), 1, 2, long_only=True)[-1] == HOLD


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.one_of(PRICES, st.just(5.0)), min_size=1, max_size=60), st.integers(2, 6))
def test_the_rsi_is_the_streaming_one(closes: list[float], period: int) -> None:
    """LEAVE_LONG comes where the streaming RSI is at its level or above; an unmoved market says nothing."""
    rsi, expected = RSI(period), []
    for close in closes:
        value = rsi.update(close)
        quiet = value is None or (value == 0 and rsi.unmoved)
        expected.append(not quiet and value is not None and value >= 60)
    codes = reversion(columns(closes), period, 1e-9, 60.0, 99.0, long_only=True)
    assert [code in {LEAVE_LONG, 0} for code in codes.tolist()] == expected


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(*[st.sampled_from((1.0, 2.0, 3.0, 4.0, 5.0)) | PRICES] * 3), min_size=1, max_size=60),
    st.integers(2, 6),
    st.integers(1, 6),
)
def test_breakouts_are_those_of_the_streaming_channel(
    rows: list[tuple[float, float, float]], entry: int, leave: int
) -> None:
    """Each flag comes where the close is beyond the channel of the bars before; news where it was not before."""
    leave = min(entry, leave)
    bars = columns([sorted(row)[1] for row in rows], [max(row) for row in rows], [min(row) for row in rows])
    long, short, before, expected = Donchian(entry), Donchian(leave), 0, []
    for low, close, high in map(sorted, rows):
        flags, stand = 0, 0
        if (
            long.upper is not None
            and long.lower is not None
            and short.upper is not None
            and short.lower is not None
        ):
            stand = UP if close > long.upper else DOWN if close < long.lower else 0
            flags = stand + END_LONG * (close < short.lower) + END_SHORT * (close > short.upper)
            flags += NEWS * (stand not in {0, before})
        expected.append(BREAKOUT + flags if flags else HOLD)
        before = stand
        long.update(high, low)
        short.update(high, low)
    assert breakout(bars, entry, leave, long_only=False).tolist() == expected


def test_long_only_breakouts_flag_nothing_of_shorts() -> None:
    """Falling below the channel ends what is long and begins nothing."""
    codes = breakout(columns([5.0, 5.0, 6.0, 1.0]), 2, 1, long_only=True)
    assert codes.tolist() == [HOLD, HOLD, BREAKOUT + UP + NEWS, BREAKOUT + END_LONG]


def test_fewer_bars_than_the_warm_up_say_nothing() -> None:
    """Series that are shorter than the periods, give no code."""
    for count in (1, 2, 4):
        closes = [100.0 + i for i in range(count)]
        assert set(crossover(columns(closes), 2, 5, long_only=True).tolist()) <= {HOLD}
        assert set(breakout(columns(closes), 5, 2, long_only=False).tolist()) <= {HOLD}
        assert set(reversion(columns(closes), 4, 30.0, 50.0, 70.0, long_only=True).tolist()) <= {HOLD}


def test_code_that_cannot_be_kept_is_compiled_all_the_same() -> None:
    """A function whose machine code has no place on disk runs nevertheless."""
    scope: dict[str, Any] = {}
    exec(compile("def twice(x):\n    return 2 * x", "<nowhere>", "exec"), scope)  # noqa: S102 - has no file
    assert compiled(scope["twice"])(21) == 42
