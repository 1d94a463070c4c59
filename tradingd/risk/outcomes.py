"""What orders of one side could fill at worst, where legs of OCO groups share and may race one another.

Legs of one group count as the largest of them: what fills of one is taken from the others. That holds once the
venue has them as they are. A leg on its way may come too late for that: others fill, and it fills as well.
Reduce-only legs share all the same, since the venue lets them cross no zero; but what they reduce so another order
of that side does not find any more.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from tradingd.domain.money import ZERO, add, sub
from tradingd.risk.reservation import Group

__all__ = ["Part", "Quantities", "Reductions", "raced", "races", "worst_case"]


class Quantities(Protocol):
    """A claim, or as much of it as quantities need."""

    @property
    def outstanding(self) -> Decimal:
        """What it may still add to the booked position."""

    @property
    def unbooked(self) -> Decimal:
        """The part of `outstanding` that has filled for certain."""

    @property
    def shares(self) -> Group | None:
        """The group with whose other legs it counts as one order; None when it counts by itself."""

    @property
    def reduce_only(self) -> bool:
        """Whether the venue lets it do no more than shrink the position."""

    @property
    def is_on_its_way(self) -> bool:
        """Whether other legs of its group may fill before the venue has it, as it is."""


class Part(NamedTuple):
    """As much of a claim as quantities need, and nothing else."""

    outstanding: Decimal
    unbooked: Decimal
    shares: Group | None
    reduce_only: bool = False
    is_on_its_way: bool = False


class _Total:
    """The most that the orders put into it could fill; legs of one group share."""

    __slots__ = ("_largest", "amount")

    def __init__(self) -> None:
        self.amount = ZERO
        self._largest: dict[Group, Decimal] = {}

    def with_(self, order: Quantities) -> Decimal:
        """What it would be with one more order."""
        group, takes = order.shares, order.outstanding
        if group is not None:
            takes = sub(takes, min(sub(takes, order.unbooked), self._largest.get(group, ZERO)))
        return add(self.amount, takes)

    def put(self, order: Quantities) -> None:
        """Count one more order."""
        self.amount, group = self.with_(order), order.shares
        if group is not None:
            self._largest[group] = max(sub(order.outstanding, order.unbooked), self._largest.get(group, ZERO))


class Reductions:
    """Orders that, whichever of them fill and in what order, only shrink a position of `room`."""

    __slots__ = ("_late", "_plain", "_room", "_there", "_worst")

    def __init__(self, room: Decimal) -> None:
        self._room = room
        self._worst = _Total()
        self._there = _Total()
        """Of those that race no other."""
        self._plain = _Total()
        """Of those that the venue does not keep from crossing zero."""
        self._late = ZERO

    def take(self, order: Quantities) -> bool:
        """Count one more order, if with it they still do that; whether it does."""
        late = order.shares is not None and order.is_on_its_way
        there = self._there.amount if late else self._there.with_(order)
        raced = add(there, add(self._late, order.outstanding) if late else self._late)
        plain = self._plain.amount if order.reduce_only else self._plain.with_(order)
        if self._worst.with_(order) > self._room or min(raced, add(plain, self._room)) > self._room:
            return False
        self._worst.put(order)
        if late:
            self._late = add(self._late, order.outstanding)
        else:
            self._there.put(order)
        if not order.reduce_only:
            self._plain.put(order)
        return True

    def take_all(self, orders: Iterable[Quantities]) -> bool:
        """Whether all of these orders are such."""
        return all(self.take(order) for order in orders)


def worst_case(orders: Sequence[Quantities]) -> Decimal:
    """What orders of one side could fill at worst; legs of one group share."""
    total = ZERO
    groups: dict[Group, Decimal] | None = None
    for order in orders:
        group = order.shares
        if group is None:
            total = add(total, order.outstanding)
            continue
        total = add(total, order.unbooked)
        groups = {} if groups is None else groups
        groups[group] = max(groups.get(group, ZERO), sub(order.outstanding, order.unbooked))
    for largest in groups.values() if groups is not None else ():
        total = add(total, largest)
    return total


def races(orders: Sequence[Quantities]) -> bool:
    """Whether legs that share from the first moment may yet fill beside their group."""
    return any(order.shares is not None and order.is_on_its_way for order in orders)


def raced(orders: Sequence[Quantities], reducible: Decimal) -> Decimal:
    """What orders of one side could fill when legs on their way come too late to be taken from.

    Together reduce-only orders fill no more than there is to reduce.
    """
    late = [order for order in orders if order.shares is not None and order.is_on_its_way]
    there = [order for order in orders if order.shares is None or not order.is_on_its_way]
    full = worst_case(there)
    for order in late:
        full = add(full, order.outstanding)
    return min(full, add(worst_case([order for order in orders if not order.reduce_only]), reducible))
