"""The shipped strategies' signals over whole columns; each makes the decisions of its class, to the last bit."""

from math import fabs
from typing import TYPE_CHECKING

import numpy as np

from tradingd.strategy.compiled import compiled
from tradingd.strategy.sweep import (
    BREAKOUT,
    DOWN,
    END_LONG,
    END_SHORT,
    FLAT,
    HOLD,
    LEAVE_LONG,
    LEAVE_SHORT,
    LONG,
    NEWS,
    SHORT,
    UP,
    BarColumns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["breakout", "crossover", "reversion"]

_TIE = 1e-12
"""How near averages count as equal; see `MovingAverageCrossover`."""
_PARTIALS = 64
"""An exact sum of finite floats has at most 2098 / 53 = 40 parts that do not overlap."""


def crossover(bars: BarColumns, fast: int, slow: int, *, long_only: bool) -> "NDArray[np.int8]":
    """A code at each crossing of two simple moving averages of the closes."""
    codes = np.full(len(bars.close), HOLD, np.int8)
    _crossings(bars.close, bars.close_sums, bars.close_unit, fast, slow, FLAT if long_only else SHORT, codes)
    return codes


def reversion(
    bars: BarColumns, period: int, oversold: float, exit_long: float, overbought: float, *, long_only: bool
) -> "NDArray[np.int8]":
    """Entries where the RSI leaves an extreme, and the places where it has recovered."""
    codes = np.full(len(bars.close), HOLD, np.int8)
    exit_short = oversold + overbought - exit_long
    _turns(bars.close, period, oversold, exit_long, overbought, exit_short, long_only, codes)
    return codes


def breakout(bars: BarColumns, entry: int, leave: int, *, long_only: bool) -> "NDArray[np.int8]":
    """Where the close leaves the channel of the `entry` bars before it, and that of the `leave` bars."""
    codes = np.zeros(len(bars.close), np.int8)
    _beyond(bars.high, bars.close, entry, 1.0, UP, codes)
    _beyond(bars.low, bars.close, leave, -1.0, END_LONG, codes)
    if not long_only:
        _beyond(bars.low, bars.close, entry, -1.0, DOWN, codes)
        _beyond(bars.high, bars.close, leave, 1.0, END_SHORT, codes)
    _told(codes, max(entry, leave))
    return codes


@compiled
def _beyond(
    values: "NDArray[np.float64]",
    closes: "NDArray[np.float64]",
    period: int,
    sign: float,
    flag: int,
    codes: "NDArray[np.int8]",
) -> None:
    """Flag the closes above (below, with sign -1) all the values of the `period` bars before."""
    places = np.empty(period + 1, np.int64)  # of values of which each is beyond all that came after it, in a ring
    first, count = 0, 0
    for i in range(len(closes)):
        if i >= period:
            if places[first] < i - period:
                first, count = (first + 1) % (period + 1), count - 1
            if sign * closes[i] > sign * values[places[first]]:
                codes[i] |= flag
        while count > 0 and sign * values[places[(first + count - 1) % (period + 1)]] <= sign * values[i]:
            count -= 1
        places[(first + count) % (period + 1)] = i
        count += 1


@compiled
def _told(codes: "NDArray[np.int8]", warmup: int) -> None:
    """Make codes of flags."""
    before = 0
    for i in range(len(codes)):
        flags = np.int64(codes[i])
        stand = flags & (UP | DOWN)
        if i < warmup or flags == 0:
            codes[i] = HOLD
        else:
            codes[i] = BREAKOUT + flags + (0 if stand in (0, before) else NEWS)
        before = int(stand)


@compiled
def _crossings(
    closes: "NDArray[np.float64]",
    sums: "NDArray[np.int64]",
    unit: float,
    fast: int,
    slow: int,
    below: int,
    codes: "NDArray[np.int8]",
) -> None:
    """Compare sums in fixed point; what is too near for their rounding is compared as the class does it."""
    fast_share, slow_share = unit / fast, unit / slow
    decided = HOLD
    for i in range(slow - 1, len(closes)):
        fast_mean = np.float64(sums[i + 1] - sums[i + 1 - fast]) * fast_share
        slow_mean = np.float64(sums[i + 1] - sums[i + 1 - slow]) * slow_share
        apart = fast_mean - slow_mean
        # Each mean is off by half a unit at most, and some ulps of 1.1e-16; a tie is nearer than 1e-12 of the
        # greater. What is further apart than all that together cannot be one.
        if fabs(apart) > 1.01e-12 * max(fast_mean, slow_mean) + 2.0 * unit:
            stand = LONG if apart > 0.0 else below
        else:
            stand = _near(closes, i, fast, slow, below, decided)
        if stand != decided:
            codes[i] = stand
            decided = stand


@compiled
def _near(closes: "NDArray[np.float64]", i: int, fast: int, slow: int, below: int, decided: int) -> int:
    """The stand of averages that are next to equal: of exactly rounded sums, by the rule of `math.isclose`."""
    fast_mean = _exact_sum(closes, i + 1 - fast, i + 1) / fast
    slow_mean = _exact_sum(closes, i + 1 - slow, i + 1) / slow
    apart = fabs(fast_mean - slow_mean)
    if apart <= fabs(_TIE * slow_mean) or apart <= fabs(_TIE * fast_mean):
        return decided
    return LONG if fast_mean > slow_mean else below


@compiled
def _exact_sum(values: "NDArray[np.float64]", start: int, stop: int) -> float:
    """`math.fsum(values[start:stop])`: Shewchuk's partial sums (1997), rounded once, half to even."""
    partials = np.empty(_PARTIALS)
    count = 0
    for j in range(start, stop):
        x = values[j]
        kept = 0
        for k in range(count):
            y = partials[k]
            if fabs(x) < fabs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low != 0.0:
                partials[kept] = low
                kept += 1
            x = high
        partials[kept] = x
        count = kept + 1
    return _rounded(partials, count)


@compiled
def _rounded(partials: "NDArray[np.float64]", count: int) -> float:
    """The sum of partials that do not overlap, the least first."""
    count -= 1
    total = partials[count]
    low = 0.0
    while count > 0:
        count -= 1
        before = total
        total = before + partials[count]
        low = partials[count] - (total - before)
        if low != 0.0:
            break
    # half an ulp is rounded by the sign of what comes after it
    if count > 0 and ((low < 0.0 and partials[count - 1] < 0.0) or (low > 0.0 and partials[count - 1] > 0.0)):
        twice = low * 2.0
        beyond = total + twice
        if twice == beyond - total:
            total = beyond
    return float(total)


@compiled
def _turns(
    closes: "NDArray[np.float64]",
    period: int,
    oversold: float,
    exit_long: float,
    overbought: float,
    exit_short: float,
    long_only: bool,  # noqa: FBT001 - numba takes positional arguments
    codes: "NDArray[np.int8]",
) -> None:
    """Wilder's RSI, step by step as `indicators.RSI` does it, and the strategy's rules on it."""
    if len(closes) <= period:
        return
    gain, loss = _seed(closes, period)
    kept = np.float64(period - 1)
    last = -1.0  # there is none
    for i in range(period, len(closes)):
        moved = gain + loss
        rsi = 100.0 * (gain / moved) if moved != 0.0 else 0.0
        if i == period:
            gain, loss = gain / period, loss / period
        if rsi != 0.0 or gain != 0.0 or loss != 0.0:
            if 0.0 <= last <= oversold < rsi < exit_long:
                codes[i] = LONG
            elif not long_only and last >= overbought and exit_short < rsi < overbought:
                codes[i] = SHORT
            else:
                codes[i] = _recovered(rsi, exit_long, exit_short)
            last = rsi
        if i + 1 < len(closes):
            change = closes[i + 1] - closes[i]
            # one of the two is 0, and to add that changes nothing: the class's two cases without a branch
            gain = (gain * kept + max(change, 0.0)) / period
            loss = (loss * kept + max(-change, 0.0)) / period


@compiled
def _seed(closes: "NDArray[np.float64]", period: int) -> tuple[float, float]:
    """The sums of the first `period` gains and losses."""
    gain, loss = 0.0, 0.0
    for i in range(1, period + 1):
        change = closes[i] - closes[i - 1]
        gain += max(change, 0.0)
        loss += max(-change, 0.0)
    return gain, loss


@compiled
def _recovered(rsi: float, exit_long: float, exit_short: float) -> int:
    """Which state this RSI ends."""
    if rsi >= exit_long:
        return FLAT if rsi <= exit_short else LEAVE_LONG
    return LEAVE_SHORT if rsi <= exit_short else HOLD
