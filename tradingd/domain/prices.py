"""The latest market event per symbol: one writer (market data), many readers."""

from decimal import Decimal
from math import isfinite

from tradingd.domain.actions import restated, restated_book, restated_price
from tradingd.domain.events import Bar, Book, CorporateAction, FeedEvent, MarketEvent
from tradingd.domain.money import from_market

__all__ = ["PriceBoard"]


class PriceBoard:
    """Latest market event per symbol that names a price.

    Written by whoever delivers market data, before any component sees the event; read by all. Floats, because
    these are market prices; whoever moves money by one takes it through `from_market`.
    """

    __slots__ = ("_exact", "books", "latest")

    def __init__(self) -> None:
        self.latest: dict[str, MarketEvent] = {}
        self.books: dict[str, Book] = {}
        """The latest order book of the symbols that have any."""
        self._exact: dict[str, tuple[MarketEvent, Decimal | None]] = {}

    def update(self, event: FeedEvent) -> None:
        """Take a market event as its symbol's latest; an empty book says no price, so the last one ages on.

        A corporate action makes the latest event, and book, one at the prices to be expected after it.
        """
        if type(event) is Bar:
            self.latest[event.symbol] = event
        elif isinstance(event, CorporateAction):
            self._restate(event)
        elif not isinstance(event, Book):
            self.latest[event.symbol] = event
        else:
            self.books[event.symbol] = event
            if event.bids or event.asks:
                self.latest[event.symbol] = event

    def _restate(self, action: CorporateAction) -> None:
        book = self.books.get(action.symbol)
        if book is not None:
            self.books[action.symbol] = restated_book(action, book)
        event, exact = self.latest.get(action.symbol), self.exact(action.symbol)
        if event is None or exact is None:
            return
        event = self.latest[action.symbol] = restated(action, event)
        self._exact[action.symbol] = (event, restated_price(action, exact))

    def price(self, symbol: str) -> float | None:
        """The latest price of `symbol`, or None before its first event."""
        event = self.latest.get(symbol)
        return None if event is None else event.price

    def exact(self, symbol: str) -> Decimal | None:
        """The latest price of `symbol` as a Decimal; None before its first event and when it is no finite number.

        Made once an event, however many ask for it.
        """
        event = self.latest.get(symbol)
        if event is None:
            return None
        cached = self._exact.get(symbol)
        if cached is not None and cached[0] is event:
            return cached[1]
        price = event.price
        exact = from_market(price) if isfinite(price) else None
        self._exact[symbol] = (event, exact)
        return exact

    def time(self, symbol: str) -> int | None:
        """When that price was made (nanoseconds UTC), or None before the first event."""
        event = self.latest.get(symbol)
        return None if event is None else event.ts
