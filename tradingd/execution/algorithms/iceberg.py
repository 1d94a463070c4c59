"""Iceberg: a limit order of which only a part is shown at a time."""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import AlgoUpdate
from tradingd.errors import UsageError
from tradingd.execution.algorithms.base import Algorithm, Parent
from tradingd.execution.algorithms.params import Params

__all__ = ["Iceberg"]


class Iceberg(Algorithm):
    """Shows `display` of the order at its limit price, and the next part when that one has filled.

    Each part is new to the venue: it goes to the end of the queue, as that of a native iceberg does. A rest too
    small for an order of its own is shown with the part before. When the venue refuses or ends a part, the order
    ends, too.
    """

    def accept(self, parent: Parent, params: Params) -> None:
        """The order needs a limit price, and parts that the venue takes."""
        display = params.number("display")
        if parent.order.limit_price is None:
            raise UsageError("only a limit order can be worked as an iceberg, this is a market order")
        if self.instrument(parent).floor_quantity(display) != display or self.is_too_small(parent, display):
            raise UsageError(f"display {display} is less than the venue takes, or not in whole lots")
        parent.state = display

    def advance(self, parent: Parent) -> None:
        """Show the next part, if none is shown."""
        available = parent.available
        if parent.live or available <= 0:
            return
        display: Decimal = min(parent.state, available)
        if display < available and self.is_too_small(parent, available - display):
            display = available
        self.send(parent, display, parent.order.limit_price)

    def on_child_over(self, parent: Parent, update: AlgoUpdate) -> None:
        """The next part, or the end."""
        if update.status is OrderStatus.FILLED:
            self.advance(parent)
        else:
            self.done(parent, update.reason or f"a part of it was {update.status}")
