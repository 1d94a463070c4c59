"""The live feed's own vocabulary: what is subscribed, what a stream's state is, what an operator is told."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from tradingd.domain.events import EventType
from tradingd.domain.times import format_interval
from tradingd.errors import ConfigError
from tradingd.venues.model import Lane

__all__ = [
    "FeedOptions",
    "FeedStatus",
    "MarkPrice",
    "MarketClient",
    "MarketVenue",
    "StreamKind",
    "StreamState",
    "StreamStatus",
    "Subscription",
    "ccxt_symbol",
]


class StreamKind(StrEnum):
    """What a stream brings."""

    TRADES = "trades"
    QUOTES = "quotes"
    BOOKS = "books"
    BARS = "bars"
    MARKS = "marks"
    """Mark prices and funding rates: no market data that strategies get, but told in the feed's status."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of market data of one symbol."""

    symbol: str
    kind: StreamKind
    interval_ns: int = 0
    """The length of bars; 0 for all else."""
    from_trades: bool = False
    """Whether bars are built from the trades; else they are the venue's candles."""
    depth: int = 20
    """How many levels a side of a book is told."""
    history: int = 0
    """How many bars are to be told before the first live one."""
    align_ns: int = 0
    """Where longer bars are built from these: their length, so that the history begins where one of them does."""

    def __post_init__(self) -> None:
        if (self.kind is StreamKind.BARS) != (self.interval_ns > 0):
            raise ConfigError(
                f"{self.symbol}: bars, and only bars, have an interval such as 1m: set data.interval"
            )

    @property
    def name(self) -> str:
        """As logs name it, such as `bars 1m BTC/USDT`."""
        length = f" {format_interval(self.interval_ns)}" if self.interval_ns else ""
        return f"{self.kind}{length} {self.symbol}"


class StreamState(StrEnum):
    """How far a stream's data can be traded on: only a LIVE one is current."""

    CONNECTING = "CONNECTING"
    """Nothing has come yet since it was opened, or opened anew."""
    JOINING = "JOINING"
    """Data comes; what was missed is being read over REST, and new data waits for it."""
    LIVE = "LIVE"
    STALE = "STALE"
    """Silent for too long; it is being opened anew."""
    BEHIND = "BEHIND"
    """We are too slow for it: it is not read until there is room, then what was missed is read over REST."""
    REFUSED = "REFUSED"
    """The venue refuses it, such as a symbol that it does not trade any more."""


class StreamStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, as operators see it. Times are nanoseconds UTC, 0 for never."""

    symbol: str
    kind: StreamKind
    interval_ns: int
    state: StreamState
    reason: str
    """Why it is in this state; empty where that goes without saying."""
    since_ns: int
    """Since when it is in this state."""
    last_message_ns: int
    """When something usable came last."""
    received: int
    """Trades, quotes, books or candles that came, by stream or REST."""
    published: int
    duplicates: int
    """What came a second time, and was left out."""
    conflated: int
    """Quotes or books that a later one replaced before anybody took them."""
    refused: Mapping[str, int]
    """What was no market data that anybody could trade on, by reason."""
    reconnects: int
    filled: int
    """Events read over REST because they were missed."""
    holes: int
    """Times at which something was missed that REST did not tell either."""


class MarkPrice(msgspec.Struct, frozen=True, gc=False):
    """A contract's mark price and funding, as far as the venue tells them."""

    ts: int
    symbol: str
    mark: float | None = None
    index: float | None = None
    funding_rate: float | None = None
    next_funding_ns: int = 0


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A live feed, as operators see it."""

    venue: str
    streams: tuple[StreamStatus, ...]
    marks: Mapping[str, MarkPrice]
    queued: int
    """Events that wait to be published."""
    capacity: int
    dials: int
    """Times that streams were opened, in all."""
    resets: int
    """Times that all sockets were closed because a stream was stale."""


class FeedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the feed behaves; the defaults fit a venue that is reached over the internet."""

    stale_after_s: float = 15.0
    capacity: int = 10_000
    """How many events may wait to be published before trades and bars are not read any more."""
    dials_per_minute: int = 120
    stagger_s: float = 0.05
    """How far apart streams are opened at the start."""
    grace_s: float = 2.0
    """How long after its close a bar is waited for, before it is closed by the clock or looked up over REST."""
    tick_s: float = 0.5
    """How often silence is looked at, and bars are closed by the clock."""
    page: int = 1_000
    """How many trades or candles are asked for at once."""
    pages: int = 100
    """How many pages are read for one gap at most."""
    workers: int = 2
    """How many gaps are filled at once."""


class MarketClient(Protocol):
    """What the feed uses of `tradingd.venues.client.VenueClient`."""

    @property
    def exchange_id(self) -> str:
        """The exchange, by ccxt's id."""

    @property
    def faults(self) -> int:
        """How many frames could not be read so far."""

    def has(self, method: str) -> bool:
        """Whether the venue offers a call, by ccxt's unified name, such as `fetchTrades`."""

    async def call(self, method: str, *args: Any, lane: Lane, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """One REST call; it is never repeated."""

    async def watch(
        self,
        method: str,
        *args: Any,  # noqa: ANN401
        params: Mapping[str, Any] | None = None,
        pick: Callable[[Any], Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Wait for news; `pick` takes what is needed of ccxt's own object before anything else runs."""

    async def reset_streams(self) -> None:
        """Close the sockets; every pending watch raises, the next one dials at once."""


class MarketVenue(Protocol):
    """What the feed uses of `tradingd.venues.public.PublicVenue`."""

    @property
    def name(self) -> str:
        """The account's id in the configuration."""

    @property
    def client(self) -> MarketClient:
        """The instance for market data."""


def ccxt_symbol(symbol: str) -> str:
    """The venue's own symbol of one that may be qualified by its account: `BTC/USDT@main` is `BTC/USDT`."""
    return symbol.partition("@")[0]


EVENT_OF = {
    StreamKind.TRADES: EventType.TRADE,
    StreamKind.QUOTES: EventType.QUOTE,
    StreamKind.BOOKS: EventType.BOOK,
    StreamKind.BARS: EventType.BAR,
}
"""What each kind of stream publishes."""
