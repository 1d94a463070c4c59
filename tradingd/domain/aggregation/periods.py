"""Bars of equal length in time."""

from collections.abc import Sequence

from tradingd.domain.aggregation.base import ANY_PRICE, Aggregator, FormingBar
from tradingd.domain.events import Bar
from tradingd.domain.times import format_interval, format_time, parse_interval
from tradingd.errors import DataError

__all__ = ["TimeBars", "period_start"]

_WEEK = parse_interval("1w")
_FIRST_MONDAY = 4 * parse_interval("1d")
"""1970-01-05: the epoch itself was a Thursday."""


def period_start(ts: int, interval_ns: int) -> int:
    """When the period that contains `ts` begins.

    Periods are counted from the epoch (UTC), so all lengths that divide a day begin at midnight; whole weeks
    are counted from a Monday.
    """
    return ts - (ts - (_FIRST_MONDAY if interval_ns % _WEEK == 0 else 0)) % interval_ns


class TimeBars(Aggregator):
    """Bars of `interval_ns`, each told with its nominal open and close, whatever inputs it had.

    A period contains what happened from its open on, up to but not at its close. It is closed by a bar that ends
    with it, or by the first input of a later period; a period without inputs has no bar.
    """

    takes = ANY_PRICE

    def __init__(self, interval_ns: int) -> None:
        super().__init__()
        self.interval_ns = interval_ns
        self._forming = FormingBar()
        self._end = self._seen
        """The close of the current period."""

    def _add(self, bar: Bar) -> Sequence[Bar]:
        closed: tuple[Bar, ...] = ()
        if bar.ts_open >= self._end:
            if self._forming.inputs:
                closed = (self._finish(),)
            self._end = period_start(bar.ts_open, self.interval_ns) + self.interval_ns
        if bar.ts >= self._end:
            if bar.ts > self._end:
                self._refuse(bar)
            self._forming.add(bar)
            return (*closed, self._finish())
        self._forming.add(bar)
        return closed

    def close_by(self, ts: int) -> Bar | None:
        """Nothing more comes of what happened before `ts`: the current bar, if its period has ended by then.

        For those who have a clock, or know that the market was quiet; an input of that period is refused then.
        """
        if not self._forming.inputs or self._end > ts:
            return None
        self._seen = self._end
        return self._finish()

    def _finish(self) -> Bar:
        return self._forming.finish(self._end - self.interval_ns, self._end)

    def _refuse(self, bar: Bar) -> None:
        raise DataError(
            f"{bar.symbol}: the bar from {format_time(bar.ts_open)} to {format_time(bar.ts)} crosses "
            f"{format_time(self._end)}, where a bar of {self} ends; build {self} from bars that fit into it"
        )

    def __str__(self) -> str:
        return format_interval(self.interval_ns)
