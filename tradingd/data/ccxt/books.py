"""Whether a symbol's book is known. After a gap it is not, until the venue has told a whole one anew.

ccxt keeps a book up to date by its sequence numbers and checksums and raises when one is missed; the next watch
then begins with a new snapshot. In between nobody may trade on what was there before, so one empty `Book` tells
that the book is not known, as a replay of recorded books does.
"""

from tradingd.data.ccxt.convert import Refusal
from tradingd.domain.events import Book

__all__ = ["BookKeeper"]


class BookKeeper:
    """The validity of one symbol's book."""

    __slots__ = ("_known", "_symbol", "_ts", "invalidations")

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._known = False
        self._ts = 0
        self.invalidations = 0

    @property
    def is_known(self) -> bool:
        """Whether the last book that was told still holds."""
        return self._known

    def told(self, book: Book | Refusal) -> Book | None:
        """A book came from the stream; the one to publish, if any. A refused one changes nothing by itself."""
        if isinstance(book, Refusal):
            return None
        self._known, self._ts = True, book.ts
        return book

    def lost(self, now_ns: int) -> Book | None:
        """A gap, a bad checksum, or the socket is gone; returns what tells so, once."""
        if not self._known:
            return None
        self._known = False
        self.invalidations += 1
        return Book(max(self._ts, now_ns - now_ns % 1_000_000), self._symbol, (), ())
