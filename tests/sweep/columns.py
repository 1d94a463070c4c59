"""Columns of bars from closes."""

from collections.abc import Sequence

from msgspec.structs import replace

from tradingd.strategy.sweep import BarColumns
from tradingd.sweep.columns import read_columns
from tradingd.testing import make_bars


def columns(
    closes: Sequence[float], highs: Sequence[float] | None = None, lows: Sequence[float] | None = None
) -> BarColumns:
    """Bars with these closes, that stood still unless told."""
    bars = make_bars(list(closes))
    if highs is not None and lows is not None:
        bars = [replace(bar, high=high, low=low) for bar, high, low in zip(bars, highs, lows, strict=True)]
    return read_columns(iter(bars), len(closes))
