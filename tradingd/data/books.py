"""Order books out of recorded snapshots and changes, streaming: memory holds one book.

A file has a row per price level, several rows in a row being one message (they share type and sequence numbers)::

    recv_timestamp, timestamp, type (snapshot | delta), seq_first, seq_last, side (bid | ask), price, amount

A snapshot replaces the book; a delta sets its levels, and an amount of 0 removes one. Deltas follow one another
without a hole: each begins at the number after the last one's end. One that ends before that is old and changes
nothing; so does an old snapshot. Changes that came before a snapshot are kept a while, as it may be older.

After a hole the book is not known until the next snapshot: one empty `Book` tells so, then nothing comes. A
crossed book (a bid at or above an ask) is no market that anybody could have traded in: it is not told.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from tradingd.data.rules import SNAPSHOT
from tradingd.data.series import NS_PER_MS, SeriesSpec
from tradingd.data.tables import Batch, Problem
from tradingd.domain.events import Book

__all__ = ["BookReplay", "Row", "rows_of"]

_KEPT = 1_000
"""How many messages before a snapshot are kept."""


class Row(NamedTuple):
    """A level in a message; `number` and `line` are its place in the file."""

    time: int
    kind: str
    seq_first: float
    seq_last: float
    side: str
    price: float
    amount: float
    number: int
    line: int

    @property
    def message(self) -> tuple[str, float, float]:
        """What all rows of one message share."""
        return self.kind, self.seq_first, self.seq_last


def rows_of(batch: Batch) -> Iterator[Row]:
    """The rows of a batch that was read by the layout of books."""
    price, amount, first, last = batch.numbers
    kinds, sides = batch.texts
    lines = batch.lines or [0] * len(batch.times)
    return map(Row, batch.times, kinds, first, last, sides, price, amount, batch.rows, lines)


class _Side:
    """One side's levels: amounts by price, and the prices in order."""

    __slots__ = ("_amounts", "_is_bid", "_prices")

    def __init__(self, *, is_bid: bool) -> None:
        self._is_bid = is_bid
        self._amounts: dict[float, float] = {}
        self._prices: list[float] = []
        """Best first: bids as negative numbers."""

    def set(self, price: float, amount: float) -> None:
        key = -price if self._is_bid else price
        if amount:
            if key not in self._amounts:
                insort(self._prices, key)
            self._amounts[key] = amount
        elif self._amounts.pop(key, None) is not None:
            del self._prices[bisect_left(self._prices, key)]

    def best(self, depth: int) -> tuple[tuple[float, float], ...]:
        return tuple((abs(key), self._amounts[key]) for key in self._prices[:depth])


class BookReplay:
    """Rebuilds the books of one file; `doubt` is told of holes and of books that are crossed."""

    def __init__(self, spec: SeriesSpec, doubt: Callable[[Problem], None]) -> None:
        self._spec = spec
        self._doubt = doubt
        self._bids, self._asks = _Side(is_bid=True), _Side(is_bid=False)
        self._last: float | None = None
        """The sequence number that the book stands at; None while it is not known."""
        self._early: deque[list[Row]] = deque(maxlen=_KEPT)

    def books(self, rows: Iterable[Row]) -> Iterator[Book]:
        """The book after each message that changed it, as many levels as the series asks for."""
        for _, group in groupby(rows, lambda row: row.message):
            message = list(group)
            changed = self._snapshot(message) if message[0].kind == SNAPSHOT else self._delta(message)
            if changed:
                book = self._book(message[-1])
                if book is not None:
                    yield book

    def _snapshot(self, message: list[Row]) -> bool:
        if self._last is not None and message[0].seq_last < self._last:
            return False
        self._bids, self._asks = _Side(is_bid=True), _Side(is_bid=False)
        self._set(message)
        early, self._early = self._early, deque(maxlen=_KEPT)
        for each in early:
            self._delta(each)
        return True

    def _delta(self, message: list[Row]) -> bool:
        if self._last is None:
            self._early.append(message)
            return False
        row = message[0]
        if row.seq_last <= self._last:
            return False
        if row.seq_first > self._last + 1:
            self._tell(row, f"changes {self._last + 1:.0f} to {row.seq_first - 1:.0f} are missing before it")
            self._last = None
            self._bids, self._asks = _Side(is_bid=True), _Side(is_bid=False)
            self._early.append(message)
            return True
        self._set(message)
        return True

    def _set(self, message: list[Row]) -> None:
        for row in message:
            (self._bids if row.side == "bid" else self._asks).set(row.price, row.amount)
        self._last = message[0].seq_last

    def _book(self, row: Row) -> Book | None:
        bids, asks = self._bids.best(self._spec.depth), self._asks.best(self._spec.depth)
        if bids and asks and bids[0][0] >= asks[0][0]:
            self._tell(row, f"the book is crossed after it: bid {bids[0][0]}, ask {asks[0][0]}; it is left out")
            return None
        return Book(row.time * NS_PER_MS, self._spec.symbol, bids, asks)

    def _tell(self, row: Row, what: str) -> None:
        self._doubt(Problem(self._spec.path, row.number, what, row.line))
