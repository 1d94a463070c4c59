"""A price-time book: best price first, and at one price the order that came first."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from decimal import Decimal

from tradingd.testing.exchange.exact import ZERO, add, sub
from tradingd.testing.exchange.model import Order, Side

__all__ = ["Book", "BookSide", "remaining"]

Level = tuple[Decimal, Decimal]
"""(price, total quantity)"""


def remaining(order: Order) -> Decimal:
    """What of an order has not been filled."""
    return sub(order.qty, order.filled)


class BookSide:
    """One side. Prices are kept as keys that ascend from the best: the price for asks, its negative for bids."""

    def __init__(self, side: Side, changed: Callable[[Side, Decimal, Decimal], None]) -> None:
        self.side = side
        self._changed = changed
        self._keys: list[Decimal] = []
        self._queues: dict[Decimal, dict[int, Order]] = {}
        self._totals: dict[Decimal, Decimal] = {}

    def _key(self, price: Decimal) -> Decimal:
        return price if self.side is Side.SELL else price.copy_negate()

    def best(self) -> Order | None:
        """The order that trades next."""
        if not self._keys:
            return None
        return next(iter(self._queues[self._keys[0]].values()))

    def crosses(self, price: Decimal, limit: Decimal) -> bool:
        """Whether a resting `price` is at least as good as `limit` for who takes (0: no limit)."""
        return not limit or self._key(price) <= self._key(limit)

    def within(self, limit: Decimal) -> Iterator[Level]:
        """Yields (price, total) from the best up to `limit` (0: all of them)."""
        for key in self._keys:
            price = key.copy_abs()
            if not self.crosses(price, limit):
                return
            yield price, self._totals[key]

    def orders(self) -> Iterator[Order]:
        """Yields resting orders in the order in which they would trade."""
        for key in self._keys:
            yield from self._queues[key].values()

    def add(self, order: Order) -> None:
        """Puts an order at the end of its price's queue."""
        key = self._key(order.price)
        if key not in self._queues:
            insort(self._keys, key)
            self._queues[key] = {}
            self._totals[key] = ZERO
        self._queues[key][order.id] = order
        self._resize(key, remaining(order))

    def remove(self, order: Order) -> None:
        """Takes an order with what is left of it away; one that is not here is passed over."""
        key = self._key(order.price)
        if self._queues.get(key, {}).pop(order.id, None) is not None:
            self._resize(key, remaining(order).copy_negate())

    def reduce(self, order: Order, qty: Decimal) -> None:
        """Accounts for a fill of a resting order (whose `filled` has grown by `qty`), and drops it when done."""
        key = self._key(order.price)
        if not remaining(order):
            del self._queues[key][order.id]
        self._resize(key, qty.copy_negate())

    def _resize(self, key: Decimal, delta: Decimal) -> None:
        total = self._totals[key] = add(self._totals[key], delta)
        if not self._queues[key]:
            del self._queues[key], self._totals[key], self._keys[bisect_left(self._keys, key)]
        self._changed(self.side, key.copy_abs(), total)


class Book:
    """Both sides, and the count of changes. `changed` gets (side, price, total)."""

    def __init__(self, changed: Callable[[Side, Decimal, Decimal], None]) -> None:
        self._sides = {side: BookSide(side, changed) for side in Side}

    def side(self, side: Side) -> BookSide:
        """Returns the side where orders of `side` rest."""
        return self._sides[side]

    def against(self, side: Side) -> BookSide:
        """Returns the side that an order of `side` trades against."""
        return self._sides[side.opposite]
