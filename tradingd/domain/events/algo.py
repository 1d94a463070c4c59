"""What execution and its algorithms tell one another.

An algorithm is a component that splits one order, the parent, into children, the orders at the venue::

    execution -> AlgoOrder -> algorithm      a parent to be worked
    algorithm -> ChildOrder, ChildCancel -> execution
    execution -> AlgoUpdate -> algorithm     what became of a child, or that the parent is over
    algorithm -> AlgoDone -> execution       no further child will come; or the parent cannot be worked at all

Orders stay execution's own: it checks each child against what is left of its parent, makes and sends it.
"""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events.base import Event, EventType

__all__ = ["AlgoDone", "AlgoOrder", "AlgoUpdate", "ChildCancel", "ChildOrder"]


class AlgoOrder(Event, frozen=True, gc=False):
    """A parent order that the algorithm is to work."""

    type = EventType.ALGO_ORDER
    route = "algorithm"

    algorithm: str
    intent_id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal | None
    """No child may trade at a worse price; without one, children may be market orders."""
    params: tuple[tuple[str, str], ...] = ()


class AlgoUpdate(Event, frozen=True, gc=False):
    """A child changed; with `child` 0 the parent did: it is over when `status` is terminal.

    A child that execution refuses to send is VOID. One that is over may be so no more, and fill: rarely, and late.
    """

    type = EventType.ALGO_UPDATE
    route = "algorithm"

    algorithm: str
    intent_id: str
    child: int
    status: OrderStatus
    filled: Decimal
    reason: str = ""


class AlgoDone(Event, frozen=True, gc=False):
    """The algorithm asks for nothing more: the parent is over once its children are.

    A parent that has had no child becomes VOID, for `reason`.
    """

    type = EventType.ALGO_DONE

    algorithm: str
    intent_id: str
    reason: str


class ChildOrder(Event, frozen=True, gc=False):
    """An algorithm wants a child; `child` is a number above 0 that it has not used for this parent."""

    type = EventType.CHILD_ORDER

    algorithm: str
    intent_id: str
    child: int
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None


class ChildCancel(Event, frozen=True, gc=False):
    """An algorithm wants a child canceled."""

    type = EventType.CHILD_CANCEL

    algorithm: str
    intent_id: str
    child: int
