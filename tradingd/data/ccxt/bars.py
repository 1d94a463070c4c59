"""Bars out of a live stream of trades: by the time rule of `tradingd.domain.aggregation`, and by the clock.

A period is closed by the first trade after it, or, in a quiet market, once it is certain that no trade of it is
missing. A period without trades has no bar, as in recorded data. Only periods that were watched from their open
on make bars: the first ones, and those after a hole in the trades, are left to REST.
"""

from collections.abc import Sequence

from tradingd.domain.aggregation import TimeBars, period_start
from tradingd.domain.events import Bar, Trade

__all__ = ["TradeBars"]


class TradeBars:
    """One symbol's bars of one length. Trades must come in order of time."""

    def __init__(self, interval_ns: int) -> None:
        self.interval_ns = interval_ns
        self._bars = TimeBars(interval_ns)
        self.whole_from: int | None = None
        """Periods that open here or later are watched as a whole; None before the first trade."""
        self.closed_until = 0
        """Every watched period that opens before this has been told, if it had trades."""

    def add(self, trade: Trade) -> list[Bar]:
        """Take a trade; returns the bars that are closed now, whole ones only."""
        if self.whole_from is None:
            self.whole_from = self._after(trade.ts)
        self.closed_until = max(self.closed_until, period_start(trade.ts, self.interval_ns))
        return self._whole(self._bars.update(trade))

    def until(self, ts: int) -> list[Bar]:
        """All trades before `ts` have come: close what ended by then."""
        if self.whole_from is not None:
            self.closed_until = max(self.closed_until, period_start(ts, self.interval_ns))
        bar = self._bars.close_by(ts)
        return [] if bar is None else self._whole((bar,))

    def broken(self, ts: int) -> None:
        """Trades before `ts` are missing for good: the period that contains it is not whole."""
        if self.whole_from is not None:
            self.whole_from = max(self.whole_from, self._after(ts))

    def _after(self, ts: int) -> int:
        return period_start(ts, self.interval_ns) + self.interval_ns

    def _whole(self, bars: Sequence[Bar]) -> list[Bar]:
        return [bar for bar in bars if self.whole_from is not None and bar.ts_open >= self.whole_from]
