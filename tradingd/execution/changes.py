"""Changes of working orders: asked for, granted or refused, and what fills mean meanwhile."""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import BrokerReport, ReportKind
from tradingd.domain.money import add
from tradingd.domain.order import Order, Trigger
from tradingd.execution.register import OrderRegister

__all__ = ["Changes"]

_CHANGEABLE = frozenset({OrderStatus.SENDING, OrderStatus.OPEN})
_UNANSWERED = 64
"""How many changes of one order are remembered as unanswered: some brokers never say what they answer."""


class Changes:
    """The changes under way that raise an order's quantity, and what the venue says of changes."""

    __slots__ = ("_number", "_raises", "_register")

    def __init__(self, register: OrderRegister) -> None:
        self._register = register
        self._number = 0
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
        self._number += 1
        order.changes = (*order.changes, self._number)[-_UNANSWERED:]
        self._register.request_change(order, quantity, limit_price, stop_price, self._number)
        return True

    def is_news(self, order: Order, report: BrokerReport) -> bool:
        """Whether an answer to a change is the first one to it, and so to be followed; it is noted as answered.

        What says not what it answers always is. A change that seemed rejected may turn out to have been made.
        """
        number = report.change
        if not number:
            return True
        if number in order.changes:
            order.changes = tuple(other for other in order.changes if other != number)
            return True
        return report.kind is ReportKind.MODIFIED and number > max(order.changed)

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

    def answered(self, order: Order, report: BrokerReport) -> str:
        """Follow the venue's answer to a change; returns what to tell of the order."""
        if report.kind is ReportKind.MODIFIED:
            return self._granted(order, report)
        self._rejected(order, report)
        return f"MODIFY_REJECTED: {report.reason}"

    def _rejected(self, order: Order, report: BrokerReport) -> None:
        """The venue has rejected a change: take back a quantity that was assumed, unless others are under way."""
        if report.change and _is_another_under_way(order):
            return
        before, _ = self._raises.pop(order.order_id, (order.quantity, order.quantity))
        if before < order.quantity:
            order.amend(before, None, None)
            _complete(order)

    def _granted(self, order: Order, report: BrokerReport) -> str:
        """The venue has changed the order, which proves besides that it has it; returns what to tell of it."""
        said = told = report.quantity, report.limit_price, report.stop_price
        if report.change:
            told = _not_overtaken(order, report.change, said)
            if told == _NOTHING != said:
                return f"OVERTAKEN: change {max(order.changed)} came after it and is in force"
        quantity, limit_price, stop_price = told
        self._raised(order, report.change, quantity)
        if order.status is OrderStatus.FILLED and quantity is not None and quantity > order.filled:
            return f"CONTRADICTION: changed to {quantity} when {order.filled} had completed it"
        if order.status is OrderStatus.PREPARED:
            return "CONTRADICTION: changed by the venue when nothing of it was sent"
        order.apply(Trigger.ACCEPT)
        order.amend(quantity, limit_price, stop_price)
        _complete(order)
        return "MODIFIED"

    def _raised(self, order: Order, number: int, quantity: Decimal | None) -> None:
        """A change was answered: a greater quantity that a later one asks for is still under way."""
        _, asked = self._raises.pop(order.order_id, (order.quantity, order.quantity))
        now = order.quantity if quantity is None else quantity
        if number and asked > now and _is_another_under_way(order):
            self._raises[order.order_id] = now, asked


_Told = tuple[Decimal | None, Decimal | None, Decimal | None]
"""Quantity, limit price and stop price; None for what is not told."""
_NOTHING: _Told = (None, None, None)


def _not_overtaken(order: Order, number: int, told: _Told) -> _Told:
    """What a change has made that no later one has made anew; it is noted as in force."""
    news = [value if number > latest else None for value, latest in zip(told, order.changed, strict=True)]
    order.changed = tuple(
        number if value is not None else latest for value, latest in zip(news, order.changed, strict=True)
    )  # type: ignore[assignment]  # three of three
    return news[0], news[1], news[2]


def _is_another_under_way(order: Order) -> bool:
    """Whether a change is unanswered that came after all that are in force."""
    return any(number > max(order.changed) for number in order.changes)


def _complete(order: Order) -> None:
    """An order whose quantity has become no more than what is filled is complete."""
    if order.is_open and order.filled >= order.quantity:
        order.apply(Trigger.COMPLETE)
