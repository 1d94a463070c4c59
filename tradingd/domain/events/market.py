"""Market data: floats, as it comes."""

from tradingd.domain.enums import Side
from tradingd.domain.events.base import Event, EventType

__all__ = ["Bar", "Book", "MarketEvent", "Quote", "Trade"]


class Bar(Event, frozen=True, gc=False):
    """A closed price bar; `ts` is its close and `ts_open` its open, in nanoseconds UTC."""

    type = EventType.BAR
    route = "symbol"

    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    ts_open: int

    @property
    def price(self) -> float:
        """The latest price this event knows of."""
        return self.close


class Quote(Event, frozen=True, gc=False):
    """The best bid and ask with their sizes."""

    type = EventType.QUOTE
    route = "symbol"

    symbol: str
    bid: float
    ask: float
    bid_size: float
    ask_size: float

    @property
    def price(self) -> float:
        """The mid price."""
        return (self.bid + self.ask) / 2


class Trade(Event, frozen=True, gc=False):
    """A public trade; `side` is the taker's."""

    type = EventType.TRADE
    route = "symbol"

    symbol: str
    price: float
    amount: float
    side: Side
    trade_id: str = ""


class Book(Event, frozen=True, gc=False):
    """An order book: levels of (price, size), best first."""

    type = EventType.BOOK
    route = "symbol"

    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]

    @property
    def price(self) -> float:
        """The mid price of a two-sided book, else the best price of the side there is (NaN for none)."""
        best = [levels[0][0] for levels in (self.bids, self.asks) if levels]
        return sum(best) / len(best) if best else float("nan")


MarketEvent = Bar | Quote | Trade | Book
