"""What a detailed slippage model needs to have seen of the market, in constant memory."""

from collections import deque
from itertools import pairwise
from math import inf, log, sqrt

from tradingd.broker.models.slippage import DetailedSlippage, MarketContext, MarketNeeds
from tradingd.domain.events import Bar, MarketEvent, Quote

__all__ = ["MarketWatch"]

_UNKNOWN = MarketContext()


class MarketWatch:
    """Remembers the latest quote, or a window of bars, of each symbol; computes only when it is asked.

    It has to see each event *after* the orders were matched against it: a fill at a bar's open must not know that
    bar's volume.
    """

    __slots__ = ("_bars", "_quotes", "_wants_bars", "_wants_quotes", "_window")

    def __init__(self, model: DetailedSlippage) -> None:
        self._wants_quotes = bool(model.needs & MarketNeeds.QUOTES)
        self._wants_bars = bool(model.needs & MarketNeeds.BARS)
        self._window = max(model.window, 2)
        self._quotes: dict[str, Quote] = {}
        self._bars: dict[str, deque[tuple[float, float]]] = {}

    def see(self, event: MarketEvent) -> None:
        """Take a market event."""
        if self._wants_quotes and isinstance(event, Quote):
            self._quotes[event.symbol] = event
        elif self._wants_bars and isinstance(event, Bar) and 0 < event.close < inf:
            bars = self._bars.get(event.symbol)
            if bars is None:  # one close more than returns
                bars = self._bars[event.symbol] = deque(maxlen=self._window + 1)
            bars.append((event.close, event.volume))

    def context(self, symbol: str) -> MarketContext:
        """What is known of a symbol now."""
        quote = self._quotes.get(symbol)
        bid, ask = (quote.bid, quote.ask) if quote is not None else (0.0, 0.0)
        bars = self._bars.get(symbol)
        if bars is None or len(bars) <= self._window:
            return MarketContext(bid, ask) if quote is not None else _UNKNOWN
        returns = [log(after[0] / before[0]) for before, after in pairwise(bars)]
        mean = sum(returns) / self._window
        variance = sum((each - mean) ** 2 for each in returns) / (self._window - 1)
        volume = sum(bar[1] for bar in list(bars)[1:]) / self._window
        return MarketContext(bid, ask, self._window, sqrt(variance), volume)
