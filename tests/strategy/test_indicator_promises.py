"""What every indicator promises, whatever it computes."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from math import inf, nan
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.indicator_checks import OneMarket, held, repeatable, state
from tradingd.strategy import indicators
from tradingd.strategy.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    MACD,
    OBV,
    RSI,
    SMA,
    VWAP,
    WMA,
    Bollinger,
    Donchian,
    Ichimoku,
    Indicator,
    Keltner,
    LinRegSlope,
    RollingStd,
    RollingVWAP,
    Stochastic,
    Supertrend,
    ZScore,
)

HLC = ("high", "low", "close")


class Kind(NamedTuple):
    """One kind of indicator: how to make it for a period, what it takes and gives, how it presents itself."""

    make: Callable[[int], Any]
    takes: tuple[str, ...]
    outs: tuple[str, ...]
    shown: str
    """Its repr for a period of 3, before the value."""
    windowed: bool = False
    """Whether it has forgotten all but the last `warmup` updates."""

    @property
    def name(self) -> str:
        """The class's name."""
        return self.shown.partition("(")[0]


ALL = [
    Kind(SMA, ("close",), (), "SMA(3", windowed=True),
    Kind(EMA, ("close",), (), "EMA(3"),
    Kind(WMA, ("close",), (), "WMA(3", windowed=True),
    Kind(lambda n: LinRegSlope(n + 1), ("close",), (), "LinRegSlope(4", windowed=True),
    Kind(RSI, ("close",), (), "RSI(3"),
    Kind(RollingStd, ("close",), (), "RollingStd(3", windowed=True),
    Kind(ZScore, ("close",), (), "ZScore(3, 0", windowed=True),
    Kind(Bollinger, ("close",), ("upper", "middle", "lower"), "Bollinger(3, 2.0", windowed=True),
    Kind(lambda n: MACD(n, n + 3, n), ("close",), ("signal", "histogram"), "MACD(3, 6, 3"),
    Kind(ATR, HLC, (), "ATR(3"),
    Kind(ADX, HLC, (), "ADX(3"),
    Kind(CCI, HLC, (), "CCI(3", windowed=True),
    Kind(lambda n: Keltner(n, 1.5, n), HLC, ("upper", "middle", "lower"), "Keltner(3, 1.5, 3"),
    Kind(lambda n: Stochastic(n, 2, 4), HLC, ("k", "d"), "Stochastic(3, 2, 4", windowed=True),
    Kind(lambda n: Supertrend(n, 2.5), HLC, ("upper", "lower", "direction"), "Supertrend(3, 2.5"),
    Kind(Donchian, ("high", "low"), ("upper", "middle", "lower"), "Donchian(3", windowed=True),
    Kind(
        lambda n: Ichimoku(n, 2 * n, 3 * n, n),
        ("high", "low"),
        ("conversion", "base", "leading_a", "leading_b", "cloud_a", "cloud_b"),
        "Ichimoku(3, 6, 9, 3",
        windowed=True,
    ),
    Kind(lambda _: OBV(), ("close", "volume"), (), "OBV("),
    Kind(lambda n: VWAP(n * 3_600_000_000_000), ("close", "volume", "ts"), (), "VWAP(10800000000000, 0"),
    Kind(RollingVWAP, ("close", "volume"), (), "RollingVWAP(3", windowed=True),
]

every_kind = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)


def outputs(kind: Kind, indicator: Any) -> list[Any]:
    """The value and all further outputs."""
    return [indicator.value, *(getattr(indicator, name) for name in kind.outs)]


@every_kind
@pytest.mark.parametrize("period", [1, 2, 14])
def test_warmup_is_the_update_that_gives_the_first_value(kind: Kind, period: int) -> None:
    """There is no output before `warmup` updates and all from then on; `update` returns what `value` shows."""
    indicator, market = kind.make(period), OneMarket(*kind.takes)
    for i in range(1, indicator.warmup + 3):
        assert indicator.update(*market.row(float(i))) == indicator.value
        ready = i >= indicator.warmup
        assert indicator.ready == ready
        assert [out is not None for out in outputs(kind, indicator)] == [ready] * (1 + len(kind.outs))


@every_kind
@pytest.mark.parametrize("poison", [nan, inf, -inf, 1e151])
@pytest.mark.parametrize("seen", [0, 3, 40])
def test_poison_is_refused_and_leaves_no_trace(kind: Kind, poison: float, seen: int) -> None:
    """NaN, infinities and absurd sizes, in any argument, raise naming the indicator and change nothing."""
    indicator, market = kind.make(3), OneMarket(*kind.takes)
    for i in range(seen):
        indicator.update(*market.row(float(i % 7)))
    before = state(indicator)
    for position, name in enumerate(kind.takes):
        if name != "ts":
            row = market.row(5.0)
            row[position] = poison
            with pytest.raises(ValueError, match=r"is no (finite price|bar of finite prices)") as refusal:
                indicator.update(*row)
            assert str(refusal.value).startswith(f"{kind.shown}): ")
            assert repr(poison) in str(refusal.value)
    assert state(indicator) == before


@every_kind
@repeatable
@given(data=st.data())
def test_a_refusal_changes_nothing_at_any_time(kind: Kind, data: st.DataObject) -> None:
    """Whatever has been seen, after a refused observation the indicator goes on as if it had not been offered."""
    closes = data.draw(st.lists(st.integers(0, 50), max_size=40))
    at = data.draw(st.integers(0, len(closes)))
    poisoned, clean = kind.make(2), kind.make(2)
    market, same = OneMarket(*kind.takes), OneMarket(*kind.takes)
    for i, close in enumerate(closes):
        if i == at:
            with pytest.raises(ValueError, match="is no"):
                poisoned.update(*[nan if name != "ts" else 0 for name in kind.takes])
        poisoned.update(*market.row(float(close)))
        clean.update(*same.row(float(close)))
    assert state(poisoned) == state(clean)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.windowed], ids=lambda kind: kind.name)
@repeatable
@given(closes=st.lists(st.integers(0, 10_000), min_size=12, max_size=150))
def test_a_window_forgets_what_has_left_it(kind: Kind, closes: list[int]) -> None:
    """After any past the outputs are those of a fresh one that has seen the last `warmup` updates only."""
    old, market = kind.make(3), OneMarket(*kind.takes)
    rows = [market.row(cents / 100) for cents in closes]
    for row in rows:
        old.update(*row)
    fresh = kind.make(3)
    for row in rows[-old.warmup :]:
        fresh.update(*row)
    assert outputs(kind, old) == pytest.approx(outputs(kind, fresh), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((kind.make, kind.name) for kind in ALL if kind.name not in {"OBV", "VWAP", "LinRegSlope"}),
        (LinRegSlope, "LinRegSlope"),
        (partial(MACD, 2, 3), "MACD"),
        (partial(Stochastic, 2, 3), "Stochastic"),
        (lambda zero: Stochastic(2, zero), "Stochastic"),
        (partial(Keltner, 2, 2.0), "Keltner"),
        (partial(Ichimoku, 1, 2, 3), "Ichimoku"),
        (partial(Ichimoku, 1, 2), "Ichimoku"),
    ],
)
def test_a_period_is_at_least_one(make: Any, name: str) -> None:
    """A period of 0 is refused, in the indicator's own name."""
    with pytest.raises(ValueError, match=f"{name}: a period is at least 1, this is 0"):
        make(0)


@pytest.mark.parametrize("make", [Bollinger, Keltner, Supertrend])
@pytest.mark.parametrize("multiplier", [0.0, -1.0, nan, inf])
def test_a_multiplier_is_greater_than_zero(make: Any, multiplier: float) -> None:
    """A band without width, or with one that is no number, is refused."""
    with pytest.raises(ValueError, match=f"{make.__name__}: a multiplier is greater than 0, this is {multiplier}"):
        make(20, multiplier)


@every_kind
@pytest.mark.parametrize("step", [1.0, -1.0], ids=["rising", "falling"])
def test_memory_does_not_grow(kind: Kind, step: float) -> None:
    """Five thousand updates take no more memory than the first thousand, even on a one-way market."""
    indicator, market = kind.make(50), OneMarket(*kind.takes)
    tracemalloc.start()
    try:
        for i in range(1_000):
            indicator.update(*market.row(1e5 + i * step))
        early = tracemalloc.get_traced_memory()[0]
        for i in range(1_000, 5_000):
            indicator.update(*market.row(1e5 + i * step))
        grown = tracemalloc.get_traced_memory()[0] - early
    finally:
        tracemalloc.stop()
    assert grown < 4_096
    assert (
        held(state(indicator)) <= 40 + 12 * 50 + 12 * 50
    )  # Ichimoku: 2 x (window, candidates) of 50, 100 and 150


@every_kind
def test_an_indicator_takes_no_other_attributes(kind: Kind) -> None:
    """Indicators are slotted: a typing error in an attribute raises. Their repr is how they were made."""
    indicator: Indicator = kind.make(3)
    with pytest.raises(AttributeError):
        indicator.vaule = 1.0  # type: ignore[attr-defined]
    assert repr(indicator) == f"{kind.shown}{', ' if kind.name != 'OBV' else ''}value=None)"


def test_the_public_names_are_sorted() -> None:
    """`__all__` is sorted, every name in it exists, and every indicator is put to the tests above."""
    names = indicators.__all__
    assert sorted(names, key=lambda name: (not name.isupper(), name)) == list(names)
    assert all(hasattr(indicators, name) for name in names)
    assert {kind.name for kind in ALL} | {"Indicator"} == set(names)


def test_indicators_need_no_numpy() -> None:
    """Importing them brings in neither numpy nor pandas nor pydantic."""
    check = (
        "import sys, tradingd.strategy.indicators as i; print({'numpy', 'pandas', 'pydantic'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True).stdout
        == "set()\n"
    )
