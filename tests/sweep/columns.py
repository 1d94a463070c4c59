"""Columns of bars from closes."""

from collections.abc import Sequence

from tradingd.strategy.sweep import BarColumns
from tradingd.sweep.columns import read_columns
from tradingd.testing import make_bars


def columns(closes: Sequence[float]) -> BarColumns:
    """Bars with these closes."""
    return read_columns(iter(make_bars(list(closes))), len(closes))
