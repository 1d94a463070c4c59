"""The latest market event per symbol: one writer (market data), many readers."""

from tradingd.domain.events import Book, MarketEvent

__all__ = ["PriceBoard"]


class PriceBoard:
    """Latest market event per symbol that names a price.

    Written by whoever delivers market data, before any component sees the event; read by all. Floats, because
    these are market prices; whoever moves money by one takes it through `from_market`.
    """

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest: dict[str, MarketEvent] = {}

    def update(self, event: MarketEvent) -> None:
        """Take a market event as its symbol's latest; an empty book says no price, so the last one ages on."""
        if type(event) is not Book or event.bids or event.asks:
            self.latest[event.symbol] = event

    def price(self, symbol: str) -> float | None:
        """The latest price of `symbol`, or None before its first event."""
        event = self.latest.get(symbol)
        return None if event is None else event.price

    def time(self, symbol: str) -> int | None:
        """When that price was made (nanoseconds UTC), or None before the first event."""
        event = self.latest.get(symbol)
        return None if event is None else event.ts
