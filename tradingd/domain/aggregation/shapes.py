"""Bars redrawn: Heikin-Ashi and Renko. Their prices are for decisions; nobody traded at them."""

from collections.abc import Sequence
from math import ceil, floor

from tradingd.domain.aggregation.base import ANY_PRICE, Aggregator, EachBar
from tradingd.domain.events import Bar, MarketEvent
from tradingd.errors import DataError

__all__ = ["HeikinAshi", "Renko"]

_MOST_BRICKS = 10_000
"""One move that makes more bricks than this is a mistake, in the brick or in the price."""
_ON_EDGE = 1e-9
"""How much of a brick may be missing for an edge to be reached: 0.3 / 0.1 is less than 3 in floats."""


class HeikinAshi(Aggregator):
    """Redraws each bar that `of` closes (each input bar unless told).

    close = (open + high + low + close) / 4; open = the middle of the last drawn body, of the first the bar's own
    body; high and low enclose both. Source: D. Valcu, Using the Heikin-Ashi Technique, Technical Analysis of
    Stocks & Commodities 22(2), 2004. Times and volume are the bar's.
    """

    def __init__(self, of: Aggregator | None = None) -> None:
        super().__init__()
        self._of = of or EachBar()
        self.takes = self._of.takes
        self._middle: float | None = None
        """Of the last drawn body."""

    def update(self, event: MarketEvent) -> Sequence[Bar]:
        """Take the next event; returns what is drawn of the bars that are closed now."""
        return tuple(map(self._draw, self._of.update(event)))

    def _add(self, bar: Bar) -> Sequence[Bar]:
        return (self._draw(bar),)

    def _draw(self, bar: Bar) -> Bar:
        close = (bar.open + bar.high + bar.low + bar.close) / 4
        first = (bar.open + bar.close) / 2 if self._middle is None else self._middle
        self._middle = (first + close) / 2
        high, low = max(bar.high, first, close), min(bar.low, first, close)
        return Bar(bar.ts, bar.symbol, first, high, low, close, bar.volume, bar.ts_open)

    def __str__(self) -> str:
        return "heikin-ashi" if type(self._of) is EachBar else f"heikin-ashi:{self._of}"


class Renko(Aggregator):
    """A brick for each `brick` that the price moves on, and for two that it moves back.

    Edges are whole multiples of the brick; the first price counts from the nearest. Prices are those of trades,
    closes of bars, or mids of quotes: what a bar reached in between is not known in its order, and is left out.
    One move may make several bricks. The first of them has all the volume since the last brick; it spans from the
    input after that to the one that closed it, the rest open and close with it.
    """

    takes = ANY_PRICE

    def __init__(self, brick: float, decimals: int = 12) -> None:
        super().__init__()
        self.brick = brick
        self._decimals = decimals
        self._top: int | None = None
        self._bottom = 0
        """The edges of the last brick, in bricks; both where the count began before there is one."""
        self._volume = 0.0
        self._ts_open: int | None = None

    def _add(self, bar: Bar) -> Sequence[Bar]:
        at = bar.close / self.brick
        if self._top is None:
            self._top = self._bottom = floor(at + 0.5)
        if self._ts_open is None:
            self._ts_open = bar.ts_open
        self._volume += bar.volume
        if at + _ON_EDGE >= self._top + 1:
            return self._bricks(bar, self._top, floor(at + _ON_EDGE))
        if at - _ON_EDGE <= self._bottom - 1:
            return self._bricks(bar, self._bottom, ceil(at - _ON_EDGE))
        return ()

    def _bricks(self, bar: Bar, begin: int, end: int) -> Sequence[Bar]:
        """The bricks from edge to edge."""
        step = 1 if end > begin else -1
        if abs(end - begin) > _MOST_BRICKS:
            raise DataError(
                f"{bar.symbol}: at {bar.close} one move makes {abs(end - begin)} bricks of {self.brick:g}; "
                "choose a larger brick, or look at that price"
            )
        bricks = [self._brick(bar, edge, edge + step) for edge in range(begin, end, step)]
        self._top, self._bottom = max(end, end - step), min(end, end - step)
        self._ts_open = None
        return bricks

    def _brick(self, bar: Bar, begin: int, end: int) -> Bar:
        first, last = self._price(begin), self._price(end)
        volume, self._volume = self._volume, 0.0
        ts_open, self._ts_open = self._ts_open, bar.ts
        since = bar.ts if ts_open is None else ts_open
        return Bar(bar.ts, bar.symbol, first, max(first, last), min(first, last), last, volume, since)

    def _price(self, edge: int) -> float:
        # Rounded to the brick's own decimals: three bricks of 0.1 are at 0.3.
        return round(edge * self.brick, self._decimals)

    def __str__(self) -> str:
        return f"renko:{self.brick:.15g}"
