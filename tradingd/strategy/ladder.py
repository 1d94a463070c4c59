"""The ladder of a grid: its lines, and what is held between them."""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from tradingd.domain.enums import Side
from tradingd.domain.money import ZERO, add, divide, from_market, mul, sub
from tradingd.strategy.tickets import Backoff, Ticket

__all__ = ["Cell", "Ladder", "arithmetic_lines", "geometric_lines"]


class Cell:
    """The space between two lines: bought at the lower one, sold at the upper one."""

    __slots__ = ("backoff", "cancel_after", "cancels", "held", "high", "index", "low", "side", "ticket")

    def __init__(self, index: int, low: Decimal, high: Decimal, retry_s: float) -> None:
        self.backoff = Backoff(retry_s)
        self.index = index
        self.low = low
        self.high = high
        self.held = ZERO
        """What has been bought and not been sold again."""
        self.side = Side.BUY
        """What it is to do next; the grid decides."""
        self.ticket: Ticket | None = None
        """Its order, until the outcome is certain."""
        self.cancels = False
        """We have asked to cancel that order."""
        self.cancel_after = 0
        """A cancel was rejected: when to ask again at the earliest, nanoseconds UTC."""


class Ladder:
    """The cells from the lowest up.

    `quantity` is what a cell has room for.
    """

    __slots__ = ("_lines", "_quantity", "below", "cells", "excess")

    def __init__(self, lines: Sequence[Decimal], quantity: Decimal, retry_s: float) -> None:
        self.cells = [Cell(index, low, high, retry_s) for index, (low, high) in enumerate(pairwise(lines))]
        self.below = -1
        """How many lines are below the price; -1 before the first."""
        self.excess = ZERO
        """What is held that no cell has room for."""
        self._lines = [float(line) for line in lines]
        self._quantity = quantity

    def moved_to(self, price: float) -> bool:
        """The price is now this; returns whether it has crossed a line."""
        below = bisect_left(self._lines, price)
        crossed = below != self.below
        self.below = below
        return crossed

    @property
    def under(self) -> list[Cell]:
        """The cells whose lower line is below the price, the nearest first."""
        return self.cells[: self.below][::-1]

    @property
    def left_behind(self) -> list[Cell]:
        """The cells that the price has left at the top."""
        return self.cells[: max(0, self.below - 1)]

    @property
    def room_above(self) -> Decimal:
        """What the cells that are not under the price have room for."""
        return mul(self._quantity, Decimal(max(0, len(self.cells) - self.below)))

    @property
    def inventory(self) -> Decimal:
        """What the cells hold, and what they have no room for."""
        total = self.excess
        for cell in self.cells:
            total = add(total, cell.held)
        return total

    def missing(self, cell: Cell) -> Decimal:
        """What the cell has still room for."""
        return sub(self._quantity, cell.held)

    def stock(self, quantity: Decimal) -> None:
        """Give the cells above the price, from the nearest up, and the one around it what they are to sell."""
        for cell in (*self.cells[self.below :], *self.under[:1]):
            part = min(quantity, self.missing(cell))
            if part > 0:
                cell.held = add(cell.held, part)
                cell.side = Side.SELL
                quantity = sub(quantity, part)
        self.excess = add(self.excess, quantity)

    def working(self, side: Side) -> list[Cell]:
        """The cells with an order on that side whose outcome is not certain."""
        return [cell for cell in self.cells if cell.ticket is not None and cell.ticket.side is side]


def arithmetic_lines(lower: Decimal, upper: Decimal, steps: int) -> list[Decimal]:
    """Lines at equal differences, both ends exact."""
    width = sub(upper, lower)
    return [add(lower, divide(mul(width, Decimal(number)), Decimal(steps))) for number in range(steps + 1)]


def geometric_lines(lower: Decimal, upper: Decimal, steps: int) -> list[Decimal]:
    """Lines at equal ratios, both ends exact."""
    first, ratio = float(lower), float(upper) / float(lower)
    return [lower, *(from_market(first * ratio ** (number / steps)) for number in range(1, steps)), upper]
