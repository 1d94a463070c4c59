"""What the tests of indicators share: streams of values, how near is near enough, what an indicator holds."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from tests.strategy.harness import REAL_FILES, real_columns

real_bars = pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
periods = pytest.mark.parametrize("period", [2, 10, 14, 30, 200])

repeatable = settings(deadline=None, derandomize=True)
"""The same examples at every run, however slow the machine."""

prices = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)
numbers = st.floats(min_value=-1e149, max_value=1e149, allow_nan=False)


def runs(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists that end during the warm-up, and lists that go on long after it."""
    return st.one_of(st.lists(one, max_size=12), st.lists(one, min_size=24, max_size=60))


def bars_of(ticks: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[float, float, float]]]:
    """Lists of (high, low, close) in cents about 100, consistent, with ties and jumps as the ticks have them."""
    bar = st.tuples(ticks, ticks, ticks).map(sorted)
    return runs(bar.map(lambda p: (100 + p[2] / 100, 100 + p[0] / 100, 100 + p[1] / 100)))


some_bars = bars_of(st.integers(-300, 300))
still_bars = bars_of(st.integers(-1, 1))


def real_ohlcv(path: Path) -> tuple[list[float], list[float], list[float], list[float]]:
    """High, low, close and volume of a file of real bars."""
    columns = real_columns(path)
    high, low, close, volume = ([float(x) for x in columns[name]] for name in ("high", "low", "close", "volume"))
    return high, low, close, volume


def stream(indicator: Any, *columns: Sequence[float], out: str = "value") -> np.ndarray:
    """All values of one output, NaN until there is one."""
    return streams(indicator, *columns, outs=(out,))[0]


def streams(indicator: Any, *columns: Sequence[float], outs: Iterable[str]) -> list[np.ndarray]:
    """All values of several outputs, NaN until there is one."""
    names = list(outs)
    rows: list[list[float]] = []
    for row in zip(*columns, strict=True):
        returned = indicator.update(*row)
        assert returned == indicator.value
        rows.append([nan if (value := getattr(indicator, name)) is None else value for name in names])
    return list(np.array(rows).reshape(-1, len(names)).T)


def agree(ours: np.ndarray, theirs: np.ndarray, atol: float = 1e-9) -> None:
    """Assert the same warm-up, and 1e-9 relatively or `atol` absolutely after it."""
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    ready = ~np.isnan(theirs)
    np.testing.assert_allclose(ours[ready], theirs[ready], rtol=1e-9, atol=atol)


def agree_all(ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray], atol: float = 1e-9) -> None:
    """`agree` for each of several outputs."""
    for one, other in zip(ours, theirs, strict=True):
        agree(one, other, atol)


def state(thing: Any) -> Any:
    """Everything an indicator holds, as nested plain values that compare."""
    if isinstance(thing, deque | tuple | list):
        return [state(part) for part in thing]
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    if slots:
        return {name: state(getattr(thing, name)) for name in slots}
    return repr(thing)  # of a float: NaN equals itself, and -0.0 is not 0.0


def held(thing: Any) -> int:
    """How many numbers an indicator holds."""
    if isinstance(thing, dict):
        return sum(map(held, thing.values()))
    return sum(map(held, thing)) if isinstance(thing, list) else 1


class OneMarket:
    """Rows for any indicator's `update`, of a market with a unit of range and volume and a time that passes."""

    def __init__(self, *columns: str) -> None:
        self.columns = columns
        self._times = count(0, 60_000_000_000)

    def row(self, close: float) -> list[Any]:
        """The arguments of the next update."""
        every = {"high": close + 1.0, "low": close - 1.0, "close": close, "volume": 1.0 + close % 3.0}
        return [next(self._times) if name == "ts" else every[name] for name in self.columns]
