"""What all aggregators share: one way in, the order of their inputs, and the bar that is being made."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tradingd.domain.events import Bar, EventType, MarketEvent, Quote, Trade
from tradingd.domain.times import format_time
from tradingd.errors import DataError, UsageError

__all__ = ["ANY_PRICE", "ANY_VOLUME", "Aggregator", "EachBar", "FormingBar"]

ANY_PRICE = frozenset({EventType.BAR, EventType.TRADE, EventType.QUOTE})
"""Inputs of rules that only need a price; a quote's is its mid."""
ANY_VOLUME = frozenset({EventType.BAR, EventType.TRADE})
"""Inputs of rules that need a traded volume, too."""

_BEFORE_ALL = -(2**63)


class Aggregator(ABC):
    """Builds bars of one symbol by one rule.

    Every input is whole in exactly one bar (Heikin-Ashi apart, which only redraws bars), so no volume is lost or
    counted twice.
    """

    takes: frozenset[EventType]
    """The kinds of market data it can be built from; one of them at a time, never mixed."""

    def __init__(self) -> None:
        self._seen = _BEFORE_ALL
        """Until when its inputs have told what happened."""

    def update(self, event: MarketEvent) -> Sequence[Bar]:
        """Take the next event; returns the bars that are closed now, oldest first.

        Raises:
            DataError: the event began before the last one ended, or does not fit into one bar.
            UsageError: this kind of event says nothing of what the rule counts.

        """
        if event.type not in self.takes:
            raise UsageError(f"a {type(event).__name__} of {event.symbol} cannot go into {self}")
        bar = event if type(event) is Bar else _AS_BAR[event.type](event)
        if bar.ts_open < self._seen:
            raise DataError(
                f"{event.symbol}: {format_time(bar.ts_open)} comes after {format_time(self._seen)}: inputs of "
                f"{self} must follow one another, without overlap; is the symbol loaded twice?"
            )
        self._seen = bar.ts
        return self._add(bar)

    @abstractmethod
    def _add(self, bar: Bar) -> Sequence[Bar]:
        """Take an input, a tick as a bar that closes when it opens; returns the bars that are closed now."""

    @abstractmethod
    def __str__(self) -> str:
        """The rule, as a message names it."""


class EachBar(Aggregator):
    """Passes each bar on as it is: what Heikin-Ashi is drawn from unless told."""

    takes = frozenset({EventType.BAR})

    def _add(self, bar: Bar) -> Sequence[Bar]:
        return (bar,)

    def __str__(self) -> str:
        return "each bar"


class FormingBar:
    """A bar that is being made; while it has no `inputs` its prices mean nothing."""

    __slots__ = ("_close", "_high", "_low", "_open", "_symbol", "inputs", "ts_open", "volume")

    _symbol: str
    _open: float
    _high: float
    _low: float
    _close: float
    ts_open: int
    """When its first input began."""
    volume: float

    def __init__(self) -> None:
        self.inputs = 0

    def add(self, bar: Bar) -> None:
        """Take an input."""
        if self.inputs:
            if bar.high > self._high:  # noqa: PLR1730 - spares every input two calls
                self._high = bar.high
            if bar.low < self._low:  # noqa: PLR1730
                self._low = bar.low
            self.volume += bar.volume
        else:
            self._symbol, self._open, self._high, self._low = bar.symbol, bar.open, bar.high, bar.low
            self.volume, self.ts_open = bar.volume, bar.ts_open
        self._close = bar.close
        self.inputs += 1

    def finish(self, ts_open: int, ts: int) -> Bar:
        """The bar as it is, which spans these times; then a new one begins."""
        self.inputs = 0
        return Bar(ts, self._symbol, self._open, self._high, self._low, self._close, self.volume, ts_open)


def _trade_as_bar(trade: Trade) -> Bar:
    price = trade.price
    return Bar(trade.ts, trade.symbol, price, price, price, price, trade.amount, trade.ts)


def _quote_as_bar(quote: Quote) -> Bar:
    mid = quote.price
    return Bar(quote.ts, quote.symbol, mid, mid, mid, mid, 0.0, quote.ts)


_AS_BAR: Mapping[EventType, Callable[[Any], Bar]] = {
    EventType.TRADE: _trade_as_bar,
    EventType.QUOTE: _quote_as_bar,
}
