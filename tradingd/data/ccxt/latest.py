"""Streams of which only the latest counts: quotes, books, mark prices."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from tradingd.data.ccxt.books import BookKeeper
from tradingd.data.ccxt.convert import Refusal, book_of, mark_of, quote_of, quote_of_book
from tradingd.data.ccxt.model import MarkPrice
from tradingd.data.ccxt.streams import Answer, Stream, Work
from tradingd.domain.events import Book, Quote
from tradingd.errors import ConfigError

__all__ = ["BookStream", "MarkStream", "QuoteStream"]

_Watched = tuple[str, tuple[Any, ...], Mapping[str, Any]]


class _TopStream(Stream):
    """A stream whose best bid and ask can be looked up."""

    looks_by = "fetchOrderBook"

    def work(self, *, looking: bool) -> Work | None:
        """Look up the book."""
        if not looking or not self.parts.client.has(self.looks_by):
            return None
        return Work(what="book", asked_ns=self.parts.now(), looking=True)

    def answer(self, work: Work, answer: Answer) -> bool | None:
        """Whether the best prices are those that were told last; where nothing was, they are told."""
        del work
        raw = answer if isinstance(answer, Mapping) else {}
        book = self._book(raw)
        if isinstance(book, Refusal):
            return None
        top = self._top()
        if top is None:
            self._tell(book)
            return None
        return top == _best(book)

    def _book(self, raw: Mapping[str, Any]) -> Book | Refusal:
        ts = self.stamp(raw.get("timestamp"), self.parts.now())
        return book_of(raw.get("bids"), raw.get("asks"), self.symbol, ts, self.subscription.depth)

    @abstractmethod
    def _top(self) -> tuple[float | None, float | None] | None:
        """The best prices that were told last; None while nothing is known."""

    @abstractmethod
    def _tell(self, book: Book) -> int:
        """Publish what the book is to this stream."""


def _best(book: Book) -> tuple[float | None, float | None]:
    return (book.bids[0][0] if book.bids else None, book.asks[0][0] if book.asks else None)


class QuoteStream(_TopStream):
    """The best bid and ask: of the venue's own stream of them, else of its tickers, else of its books."""

    _last: Quote | None = None

    def _watched(self) -> _Watched:
        has = self.parts.client.has
        if has("watchBidsAsks"):
            return "watch_bids_asks", ([self.wire],), {}
        if has("watchTicker"):
            return "watch_ticker", (self.wire,), {"name": "ticker"}
        if has("watchOrderBook"):
            return "watch_order_book", (self.wire,), {}
        raise ConfigError(f"{self.parts.client.exchange_id} streams no quotes of {self.symbol}")

    def _take(self, raw: Any) -> int:  # noqa: ANN401
        self.received += 1
        return self._told(self._quote(raw))

    def _tell(self, book: Book) -> int:
        return self._told(quote_of_book(book))

    def _told(self, quote: Quote | Refusal) -> int:
        if isinstance(quote, Refusal):
            return self._refuse(quote)
        self._last = quote
        self.published += 1
        self.parts.outbox.put_latest(quote)
        return 1

    def _quote(self, raw: Any) -> Quote | Refusal:  # noqa: ANN401
        if not isinstance(raw, Mapping):
            return Refusal.SHAPE
        if self.method == "watch_bids_asks":
            raw = raw.get(self.wire)
            if raw is None:
                return Refusal.SYMBOL
        if self.method == "watch_order_book":
            book = self._book(raw)
            return book if isinstance(book, Refusal) else quote_of_book(book)
        return quote_of(raw, self.symbol, self.stamp(raw.get("timestamp"), self.parts.now()))

    def _top(self) -> tuple[float | None, float | None] | None:
        return None if self._last is None else (self._last.bid, self._last.ask)


class BookStream(_TopStream):
    """Order books; while one is not known, that is what is told."""

    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - those of Stream
        super().__init__(*args)
        self.keeper = BookKeeper(self.symbol)
        self._last: Book | None = None

    def _watched(self) -> _Watched:
        if not self.parts.client.has("watchOrderBook"):
            raise ConfigError(f"{self.parts.client.exchange_id} streams no books of {self.symbol}")
        return "watch_order_book", (self.wire,), {}

    def _take(self, raw: Any) -> int:  # noqa: ANN401
        self.received += 1
        if not isinstance(raw, Mapping):
            return self._refuse(Refusal.SHAPE)
        if raw.get("symbol", self.wire) != self.wire:
            return self._refuse(Refusal.SYMBOL)
        book = self._book(raw)
        return self._refuse(book) if isinstance(book, Refusal) else self._tell(book)

    def _tell(self, book: Book) -> int:
        self.keeper.told(book)
        self._last = book
        self.published += 1
        self.parts.outbox.put_latest(book)
        return 1

    def _broken(self) -> None:
        gone = self.keeper.lost(self.stamp(None, self.parts.now()))
        if gone is not None:
            self.parts.outbox.put_latest(gone)

    def _top(self) -> tuple[float | None, float | None] | None:
        return _best(self._last) if self._last is not None and self.keeper.is_known else None


class MarkStream(Stream):
    """Mark prices and funding: kept as the latest of a symbol, for the status."""

    last: MarkPrice | None = None

    def _watched(self) -> _Watched:
        has = self.parts.client.has
        if has("watchMarkPrice"):
            return "watch_mark_price", (self.wire,), {}
        if has("watchFundingRate"):
            return "watch_funding_rate", (self.wire,), {}
        if has("watchTicker"):
            return "watch_ticker", (self.wire,), {}
        raise ConfigError(f"{self.parts.client.exchange_id} streams no mark prices of {self.symbol}")

    def _take(self, raw: Any) -> int:  # noqa: ANN401
        self.received += 1
        told = raw.get("timestamp") if isinstance(raw, Mapping) else None
        mark = mark_of(raw, self.symbol, self.stamp(told, self.parts.now()))
        if isinstance(mark, Refusal):
            return self._refuse(mark)
        self.last = mark
        return 1
