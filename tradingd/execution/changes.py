"""Changes of working orders: asked for, granted or refused, and what fills mean meanwhile."""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import BrokerReport
from tradingd.domain.money import add
from tradingd.domain.order import Order, Trigger
from tradingd.execution.register import OrderRegister

__all__ = ["Changes"]

_CHANGEABLE = frozenset({OrderStatus.SENDING, OrderStatus.OPEN})


class Changes:
    """The changes under way that raise an order's quantity, and what the venue says of changes."""

    __slots__ = ("_raises", "_register")

    def __init__(self, register: OrderRegister) -> None:
        self._register = register
        self._raises: dict[str, tuple[Decimal, Decimal]] = {}
        """(before, asked for): the quantities of orders with a change under way that raises theirs."""

    @property
    def under_way(self) -> bool:
        """Whether some order is being raised."""
        return bool(self._raises)

    def ask(
        self, order: Order, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> bool:
        """Ask the venue to change an order; False when it is not open, unknown or being canceled."""
        if order.status not in _CHANGEABLE:
            return False
        before, asked = self._raises.get(order.order_id, (order.quantity, order.quantity))
        if quantity is not None and quantity > asked:
            self._raises[order.order_id] = before, quantity
        self._register.request_change(order, quantity, limit_price, stop_price)
        return True

    def count(self, order: Order, quantity: Decimal) -> None:
        """Count a fill; while the quantity is being raised, one that reaches the old quantity completes nothing.

        The venue may have raised it already and tell so only after the fill: its answer decides.
        """
        if self._raises:
            _, asked = self._raises.get(order.order_id, (order.quantity, order.quantity))
            if asked > order.quantity and add(order.filled, quantity) >= order.quantity:
                order.amend(asked, None, None)
        order.apply_fill(quantity)

    def forget(self, order: Order) -> None:
        """The order is over."""
        self._raises.pop(order.order_id, None)

    def rejected(self, order: Order) -> None:
        """The venue has rejected a change: take back a quantity that was assumed."""
        before, _ = self._raises.pop(order.order_id, (order.quantity, order.quantity))
        if before < order.quantity:
            order.amend(before, None, None)
            _complete(order)

    def granted(self, order: Order, report: BrokerReport) -> str:
        """The venue has changed the order, which proves besides that it has it; returns what to tell of it."""
        self._raises.pop(order.order_id, None)
        if order.status is OrderStatus.FILLED and report.quantity is not None and report.quantity > order.filled:
            return f"CONTRADICTION: changed to {report.quantity} when {order.filled} had completed it"
        if order.status is OrderStatus.PREPARED:
            return "CONTRADICTION: changed by the venue when nothing of it was sent"
        order.apply(Trigger.ACCEPT)
        order.amend(report.quantity, report.limit_price, report.stop_price)
        _complete(order)
        return "MODIFIED"


def _complete(order: Order) -> None:
    """An order whose quantity has become no more than what is filled is complete."""
    if order.is_open and order.filled >= order.quantity:
        order.apply(Trigger.COMPLETE)
