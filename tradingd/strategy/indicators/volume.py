"""Figures that weigh prices by the volume traded at them."""

from operator import index
from typing import ClassVar

from tradingd.strategy.indicators.base import _HUGE, Indicator
from tradingd.strategy.indicators.windows import RollingSum, RunningSum

_TAKES = "finite price and volume (magnitude < 1e150, volume >= 0)"
_DAY_NS = 86_400_000_000_000


class OBV(Indicator):
    """On-balance volume: the volumes of rising closes less those of falling ones. Warm-up: 1 update.

    Joseph Granville, Granville's New Key to Stock Market Profits (1963). In the unit of the volume. As in
    TA-Lib it begins with the first volume, so only its changes mean something. The sum is compensated: it is
    exact to one rounding after any number of bars.
    """

    __slots__ = ("_close", "_sum")

    _takes: ClassVar[str] = _TAKES

    def __init__(self) -> None:
        super().__init__(1, 1, made_with=())
        self._sum = RunningSum()
        self._close = 0.0

    def update(self, close: float, volume: float) -> float | None:
        """Take the next bar; returns the new value."""
        if not (-_HUGE < close < _HUGE and 0.0 <= volume < _HUGE):
            self._refuse(close, volume)
        previous = self._close
        self._close = close
        if self._missing:
            self._missing = 0
            self.value = self._sum.add(volume)
        elif close > previous:
            self.value = self._sum.add(volume)
        elif close < previous:
            self.value = self._sum.add(-volume)
        return self.value


class VWAP(Indicator):
    """The volume-weighted average price since the session began. Warm-up: 1 update.

    Berkowitz, Logue and Noser, The Total Cost of Transactions on the NYSE (Journal of Finance 43, 1988). A
    session is an interval of `interval_ns` nanoseconds; one begins at every multiple of it since 1970-01-01 UTC,
    shifted by `offset_ns`. By default that is the day in UTC; an offset of 13.5 hours begins it at 13:30.

    `update(price, volume, ts)` takes trades, or bars: then the price is (high + low + close) / 3 and `ts` is
    the bar's `ts_open` (a bar that closes at midnight belongs to the day that ends). Time may not fall back
    behind the session's beginning. As long as a session has no volume, the value is its latest price.
    """

    __slots__ = ("_begins", "_ends", "_first", "_interval", "_offset", "_turnover", "_volume")

    _takes: ClassVar[str] = _TAKES

    def __init__(self, interval_ns: int = _DAY_NS, offset_ns: int = 0) -> None:
        super().__init__(1, 1, made_with=(interval_ns, offset_ns))
        if interval_ns < 1:
            raise ValueError(f"VWAP: an anchor interval is at least 1 ns, this is {interval_ns}")
        self._interval = interval_ns
        self._offset = offset_ns
        self._begins = self._ends = 0  # empty: the first update begins a session
        self._first = 0.0
        self._turnover = RunningSum()  # of (price - first) x volume: small, so it rounds little
        self._volume = RunningSum()

    def update(self, price: float, volume: float, ts: int) -> float | None:
        """Take the next trade or bar, `ts` in nanoseconds UTC; returns the new value."""
        if not (-_HUGE < price < _HUGE and 0.0 <= volume < _HUGE):
            self._refuse(price, volume)
        if not self._begins <= ts < self._ends:
            self._begin(price, index(ts))
        first = self._first
        turnover = self._turnover.add((price - first) * volume)
        total = self._volume.add(volume)
        self.value = value = first + turnover / total if total else price
        return value

    def _begin(self, price: float, ts: int) -> None:
        begins = ts - (ts - self._offset) % self._interval
        if self.value is not None and begins < self._begins:
            raise ValueError(
                f"{self._label}: ts {ts} lies before the present session, which began at {self._begins}"
            )
        self._begins = begins
        self._ends = begins + self._interval
        self._first = price
        self._turnover = RunningSum()
        self._volume = RunningSum()


class RollingVWAP(Indicator):
    """The volume-weighted average price of the last `period` trades or bars. Warm-up: `period` updates.

    As `VWAP`, over a window that moves. A window without any volume has the latest price for value.
    """

    __slots__ = ("_turnover", "_volume")

    _takes: ClassVar[str] = _TAKES

    def __init__(self, period: int) -> None:
        super().__init__(period, period)
        self._turnover = RollingSum(period)
        self._volume = RollingSum(period)

    def update(self, price: float, volume: float) -> float | None:
        """Take the next trade or bar (its typical price); returns the new value."""
        if not (-_HUGE < price < _HUGE and 0.0 <= volume < _HUGE):
            self._refuse(price, volume)
        turnover = self._turnover.update(price * volume)
        total = self._volume.update(volume)
        if self._missing:
            self._missing -= 1
            if self._missing:
                return None
        self.value = value = turnover / total if total else price
        return value
