"""Parents and their children: one intent worked by several orders at the venue.

The one rule is that a parent never promises more than it has: what its children have filled and what they may
still fill is never more than its quantity. An order whose fate is unknown may fill in full; one that is over may
still be owed trades, where the venue told how much of it had filled.
"""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.money import neg
from tradingd.domain.order import Order, Trigger
from tradingd.domain.terms import PLAIN
from tradingd.execution.holding import Holding
from tradingd.execution.needs import Form, form_of
from tradingd.execution.register import OrderRegister
from tradingd.execution.work import Desk, Work, Worker

__all__ = ["Parents"]

_S = OrderStatus


class Parents:
    """Makes children, follows them, and ends parents."""

    def __init__(self, desk: Desk, register: OrderRegister, holding: Holding) -> None:
        self._desk = desk
        self._register = register
        self._holding = holding

    def adopt(self, work: Work, worker: Worker) -> None:
        """Let `worker` work an order from now on."""
        work.worker = worker
        worker.begin(work)

    def send(
        self, work: Work, label: int, quantity: Decimal, order_type: OrderType, limit_price: Decimal | None = None
    ) -> str:
        """Make a child and send it; returns why not, or nothing when it is on its way.

        Conditional types are for a parent of that very type.
        """
        refusal = self._refusal(work, label, quantity, order_type, limit_price)
        if refusal:
            return refusal
        parent, own = work.order, form_of(work.order, work.needs)
        stop = own.stop_price if order_type is own.order_type else None
        terms = own.terms if order_type.has_limit or order_type is own.order_type else PLAIN
        child = self._register.take_child(
            parent, label, quantity, Form(order_type, limit_price, stop, own.time_in_force, terms)
        )
        work.labels = label
        work.children[label] = child
        if parent.status is _S.PREPARED:
            parent.apply(Trigger.SEND)
            self._desk.tell(work)
        self._register.submit(child)
        return ""

    def cancel(self, work: Work, ends_as: Trigger, reason: str) -> None:
        """Cancel a parent: no further children, and those it has are to be canceled."""
        parent = work.order
        work.ending, work.ends_as = True, ends_as
        if parent.status is not _S.PREPARED:
            parent.apply(Trigger.REQUEST_CANCEL, reason)
            self._desk.tell(work)
            self.cancel_children(work, reason)
        self.finish(work, ends_as, reason)

    def cancel_children(self, work: Work, reason: str = "") -> None:
        """Ask the venue to cancel all children that are not being canceled."""
        for child in tuple(work.children.values()):
            self.cancel_child(child, reason)

    def cancel_child(self, child: Order, reason: str = "") -> None:
        """Ask the venue to cancel one child, unless that is under way or it is over."""
        if child.is_open and child.status is not _S.CANCELING:
            self._register.request_cancel(child, reason)

    def finish(self, work: Work, ends_as: Trigger, reason: str) -> None:
        """No further children: the parent ends like this once those it has are over."""
        work.ending, work.ends_as, work.end_reason = True, ends_as, reason
        self._settle(work)

    def on_child(self, work: Work, child: Order) -> None:
        """Follow a child that has changed; its fills have been counted for the parent already."""
        label = int(child.intent_id.rpartition("/")[2])
        parent = work.order
        self._keep(work, child, label)
        if parent.status is _S.SENDING and child.status is _S.OPEN:
            parent.apply(Trigger.ACCEPT)
            self._desk.tell(work)
        elif parent.status is _S.CANCELING and self._was_refused(work):
            parent.apply(Trigger.CANCEL_REJECT)
            self._desk.tell(work)
        if not parent.is_open:
            self.cancel_children(work, "the order is over")
        elif work.worker is not None:
            work.worker.on_child(work, child, label)
        self._settle(work)

    def _keep(self, work: Work, child: Order, label: int) -> None:
        """Count a child for as long as it may fill; a parent that is over when one of them is not is in doubt."""
        if not child.is_open:
            if child.order_id not in work.owed:
                work.children.pop(label, None)
            return
        if label in work.children:
            return
        work.children[label] = child
        if not work.order.is_open:
            work.order.apply(Trigger.DOUBT)
            work.ending = True
            self._desk.tell(work, f"CONTRADICTION: {child.order_id}, a part of it, is {child.status} again")

    def _was_refused(self, work: Work) -> bool:
        """Whether the venue has refused to cancel what is left of a parent."""
        states = {child.status for child in work.children.values()}
        return _S.OPEN in states and _S.CANCELING not in states

    def _settle(self, work: Work) -> None:
        """A parent that gets no further children is over when it has none that may fill."""
        parent = work.order
        if not work.ending or work.children or not parent.is_open:
            return
        complete = parent.filled >= parent.quantity
        if parent.status is _S.PREPARED and work.ends_as is Trigger.REJECT:
            work.ends_as = Trigger.VOID
        self._desk.end(work, Trigger.COMPLETE if complete else work.ends_as, work.end_reason)

    def _refusal(
        self, work: Work, label: int, quantity: Decimal, order_type: OrderType, limit_price: Decimal | None
    ) -> str:
        parent = work.order
        if self._register.refusing:
            return f"REFUSED: {self._register.refusing}"
        if work.ending or not parent.is_open or parent.status is _S.CANCELING:
            return "REFUSED: the parent is over, or about to be"
        if label <= work.labels:
            return f"REFUSED: child {label} is not a new number; the latest was {work.labels}"
        if not 0 < quantity <= work.available:
            return f"REFUSED: {quantity}, when {work.available} of the parent are left"
        if order_type.has_limit is not (limit_price is not None):
            return f"REFUSED: a {order_type} child cannot have the limit price {limit_price}"
        return self._price_refusal(work, limit_price)

    def _price_refusal(self, work: Work, limit_price: Decimal | None) -> str:
        """Why a child's price is beyond what its parent allows."""
        parent = work.order
        if parent.limit_price is None:
            return ""
        if limit_price is None:
            return "REFUSED: a market child could break its parent's limit price" if work.needs.algorithm else ""
        if work.needs.algorithm and _is_worse(limit_price, parent.limit_price, parent.side):
            return f"REFUSED: the limit price {limit_price} is worse than the parent's {parent.limit_price}"
        if work.needs.priced and self._holding.would_trade(parent, limit_price):
            return f"POST_ONLY: at {limit_price} it would trade at once"
        return ""


def _is_worse(price: Decimal, than: Decimal, side: Side) -> bool:
    """Whether a limit price is worse for `side` than another."""
    return price > than if side is Side.BUY else neg(price) > neg(than)
