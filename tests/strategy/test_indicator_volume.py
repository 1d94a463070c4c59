"""OBV, VWAP and rolling VWAP, against TA-Lib and plain sums."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from math import fsum, nan
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.harness import CRYPTO
from tests.strategy.indicator_checks import agree, real_bars, real_ohlcv, repeatable, runs, state, stream
from tradingd.strategy.indicators import OBV, VWAP, RollingVWAP

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

volumes = st.one_of(st.just(0.0), st.floats(1e-8, 1e9))
trades = runs(st.tuples(st.floats(-40.0, 1e6), volumes))


def exact_vwap(window: list[tuple[float, float]]) -> float:
    """Turnover by volume in rational numbers; without volume the latest price."""
    total = sum(Fraction(volume) for _, volume in window)
    turnover = sum(Fraction(price) * Fraction(volume) for price, volume in window)
    return float(turnover / total) if total else window[-1][0]


# --- OBV ---------------------------------------------------------------------------------------------------


@real_bars
def test_obv_agrees_with_talib(path: Path) -> None:
    """OBV is TA-Lib's to 1e-9 on real bars, from the first bar on."""
    _, _, closes, traded = real_ohlcv(path)
    agree(stream(OBV(), closes, traded), talib.OBV(np.array(closes), np.array(traded)))


def test_obv_does_not_drift() -> None:
    """After a million bars OBV is the exact sum of the signed volumes, rounded once."""
    closes = [float(i * i * 7_919 % 1_009) for i in range(1_000_000)]
    traded = [0.1 + (i * 31 % 977) / 7 for i in range(1_000_000)]
    balance = OBV()
    for close, volume in zip(closes, traded, strict=True):
        balance.update(close, volume)
    signs = [1, *((b > a) - (b < a) for a, b in pairwise(closes))]
    assert balance.value == fsum(sign * volume for sign, volume in zip(signs, traded, strict=True))


def test_obv_keeps_its_value_at_an_equal_close() -> None:
    """A rise adds, a fall subtracts, an equal close does neither."""
    assert list(stream(OBV(), [5.0, 6.0, 6.0, 4.0], [10.0, 3.0, 99.0, 8.0])) == [10.0, 13.0, 13.0, 5.0]


@pytest.mark.parametrize("indicator", [OBV(), RollingVWAP(3)])
def test_a_negative_volume_is_refused(indicator: OBV | RollingVWAP) -> None:
    """There is no trade of less than nothing."""
    before = state(indicator)
    with pytest.raises(ValueError, match=r"5\.0, -1\.0 is no finite price and volume .*volume >= 0"):
        indicator.update(5.0, -1.0)
    assert state(indicator) == before


# --- VWAP of a session -------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0.0, 13.5])
def test_vwap_begins_anew_every_day(hours: float) -> None:
    """On real minutes of three days VWAP is turnover by volume since the day's beginning, as a calendar has it."""
    path = CRYPTO / "coinbase_BTCUSD_20180404_20180406.parquet"
    high, low, close, traded = real_ohlcv(path)
    opened = [int(ms) for ms in pq.read_table(path, columns=["timestamp"])["timestamp"].to_pylist()]
    typical = [sum(bar) / 3 for bar in zip(high, low, close, strict=True)]
    ours = stream(VWAP(offset_ns=int(hours * HOUR)), typical, traded, [ms * 1_000_000 for ms in opened])
    days = [(datetime.fromtimestamp(ms / 1000, UTC) - timedelta(hours=hours)).date() for ms in opened]
    expected: list[float] = []
    for _, rows in groupby(zip(days, typical, traded, strict=True), key=itemgetter(0)):
        session = [(price, volume) for _, price, volume in rows]
        weighted = np.cumsum([p * v for p, v in session]) / np.cumsum([v for _, v in session])
        expected.extend(weighted)
    assert len(set(days)) == (3 if not hours else 4)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@repeatable
@given(trades, st.integers(0, 3 * HOUR), st.integers(1, 3 * HOUR))
def test_vwap_of_any_trades_is_turnover_by_volume(taken: list[tuple[float, float]], start: int, step: int) -> None:
    """Any trades, at any pace, give the exact average of their own two-hour session."""
    average = VWAP(2 * HOUR, 17)
    seen: list[tuple[int, float, float]] = []
    for i, (price, volume) in enumerate(taken):
        ts = start + i * step
        seen.append(((ts - 17) // (2 * HOUR), price, volume))
        value = average.update(price, volume, ts)
        session = [(p, v) for number, p, v in seen if number == seen[-1][0]]
        widest = max(abs(p) for p, _ in session)
        assert value == pytest.approx(exact_vwap(session), rel=1e-13, abs=1e-13 * widest)


def test_vwap_does_not_drift() -> None:
    """After a million trades of one session the average is exact to 1e-15."""
    tape = [(7_000 + (i * i * 7_919 % 100_003) / 1_000, 0.001 + (i * 31 % 977) / 7) for i in range(1_000_000)]
    average = VWAP(1_000_000 * MINUTE)
    for i, (price, volume) in enumerate(tape):
        average.update(price, volume, i * MINUTE)
    exact = fsum(price * volume for price, volume in tape) / fsum(volume for _, volume in tape)
    assert average.value == pytest.approx(exact, rel=1e-15, abs=0)


def test_a_bar_that_closes_at_midnight_belongs_to_the_day_it_opened_in() -> None:
    """Told by its opening time, the last bar of a day counts in that day; the next begins anew."""
    average = VWAP()
    assert average.update(10.0, 1.0, DAY - 2 * MINUTE) == 10.0
    assert average.update(20.0, 1.0, DAY - MINUTE) == 15.0
    assert average.update(40.0, 1.0, DAY) == 40.0


def test_vwap_without_volume_is_the_latest_price() -> None:
    """As long as a session has traded nothing there is nothing to weigh: the latest price stands for it."""
    average = VWAP()
    assert [average.update(price, 0.0, 0) for price in (10.0, 12.0)] == [10.0, 12.0]
    assert average.update(14.0, 2.0, 1) == 14.0
    assert average.update(99.0, 0.0, 2) == 14.0


def test_vwap_takes_trades_out_of_order_within_a_session() -> None:
    """Only the session matters, not the order within it."""
    average = VWAP(HOUR)
    assert [average.update(10.0, 1.0, 5), average.update(20.0, 1.0, 3)] == [10.0, 15.0]


def test_vwap_refuses_a_time_before_its_session() -> None:
    """A trade of an earlier session cannot be averaged any more: it is refused, and nothing changes."""
    average = VWAP(HOUR)
    average.update(10.0, 1.0, HOUR + 5)
    before = state(average)
    with pytest.raises(ValueError, match=rf"ts 7 lies before the present session, which began at {HOUR}"):
        average.update(10.0, 1.0, 7)
    with pytest.raises(TypeError):
        average.update(10.0, 1.0, nan)  # type: ignore[arg-type]
    assert state(average) == before


def test_vwap_refuses_an_interval_of_nothing() -> None:
    """An anchor interval has a length."""
    with pytest.raises(ValueError, match="VWAP: an anchor interval is at least 1 ns, this is 0"):
        VWAP(0)


# --- VWAP of a window --------------------------------------------------------------------------------------


@repeatable
@given(st.integers(1, 8), trades)
def test_rolling_vwap_is_turnover_by_volume(period: int, taken: list[tuple[float, float]]) -> None:
    """Any trades give the average of the last `period`, to 1e-9 however much their volumes differ."""
    average = RollingVWAP(period)
    for i, (price, volume) in enumerate(taken, 1):
        value = average.update(price, volume)
        if i >= period:
            window = taken[i - period : i]
            widest = max(abs(p) for p, _ in window)
            assert value == pytest.approx(exact_vwap(window), rel=1e-9, abs=1e-9 * widest)


@real_bars
def test_rolling_vwap_is_near_exact_on_real_bars(path: Path) -> None:
    """On real bars it is exact to 1e-15."""
    high, low, close, traded = real_ohlcv(path)
    typical = [sum(bar) / 3 for bar in zip(high, low, close, strict=True)]
    values = stream(RollingVWAP(20), typical, traded)
    for i in range(20, len(typical) + 1, 13):
        window = list(zip(typical[i - 20 : i], traded[i - 20 : i], strict=True))
        assert values[i - 1] == pytest.approx(exact_vwap(window), rel=1e-15, abs=0)


def test_rolling_vwap_forgets_a_burst() -> None:
    """When an enormous volume has left, the small ones count in full again, and none at all gives the price."""
    average = RollingVWAP(2)
    values = stream(average, [10.0, 1e5, 30.0, 40.0, 50.0, 60.0], [1.0, 1e30, 1e-7, 1e-7, 0.0, 0.0])
    assert list(values[3:]) == [pytest.approx(35.0, rel=1e-15), pytest.approx(40.0, rel=1e-15), 60.0]


def test_rolling_vwap_does_not_drift() -> None:
    """After a million trades it is exact to 1e-15."""
    tape = [(7_000 + (i * i * 7_919 % 100_003) / 1_000, (i * 31 % 977) / 7) for i in range(1_000_000)]
    average = RollingVWAP(30)
    for i, (price, volume) in enumerate(tape, 1):
        value = average.update(price, volume)
        if not i % 50_000:
            assert value == pytest.approx(exact_vwap(tape[i - 30 : i]), rel=1e-15, abs=0)
