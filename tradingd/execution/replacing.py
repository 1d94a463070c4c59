"""One child after another: re-quotes, and changes of orders at a venue that cannot change them.

A replacement is sent when the venue has confirmed that the one before is over, so the two never work together; in
between, the order has no place in the book.
"""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.money import from_market
from tradingd.domain.order import Order, Trigger
from tradingd.domain.ports import Clock, InstrumentLookup
from tradingd.execution.expiry import Alarms
from tradingd.execution.holding import Holding
from tradingd.execution.needs import form_of
from tradingd.execution.parents import Parents
from tradingd.execution.work import Desk, Work

__all__ = ["Replacer"]

_S = OrderStatus
_ENDS = {
    _S.REJECTED: Trigger.REJECT,
    _S.CANCELED: Trigger.CANCEL,
    _S.EXPIRED: Trigger.EXPIRE,
    _S.VOID: Trigger.CANCEL,
}
"""What the end of its one child, brought about by the venue, means for a parent."""


class _Plan:
    """Where a parent stands."""

    __slots__ = ("asked", "at_market", "change", "left", "reason", "replacing", "worst")

    def __init__(self, order: Order) -> None:
        requote = order.terms.requote
        self.left = 0 if requote is None else requote.times
        """How many re-quotes are left."""
        own = order.limit_price
        self.worst = own if requote is None or requote.worst is None else requote.worst
        self.replacing = False
        """The working child is being canceled, and another one is to follow."""
        self.change: tuple[Decimal | None, Decimal | None, Decimal | None] = (None, None, None)
        """What the next child is to have changed: quantity, limit price, stop price."""
        self.asked = False
        """The strategy asked for that change, and waits for an answer."""
        self.at_market = False
        self.reason = ""


class Replacer:
    """Works a parent by one child at a time."""

    def __init__(
        self,
        desk: Desk,
        parents: Parents,
        holding: Holding,
        alarms: Alarms,
        clock: Clock,
        instruments: InstrumentLookup | None,
    ) -> None:
        self._desk = desk
        self._parents = parents
        self._holding = holding
        self._alarms = alarms
        self._clock = clock
        self._instruments = instruments
        alarms.handler("requote", self._on_alarm)

    def begin(self, work: Work) -> None:
        """Send the first child."""
        work.state = _Plan(work.order)
        self._send(work)

    def on_over(self, work: Work) -> None:
        """The parent is over: its alarms are stopped by whoever tells that.

        A change that was asked for before its last fill gets its answer: risk counts it until then.
        """
        if isinstance(work.state, _Plan) and work.state.asked and work.order.status is _S.FILLED:
            work.state.asked = False
            self._desk.tell(work, "MODIFY_REJECTED: it filled before it could be replaced")

    def on_child(self, work: Work, child: Order, label: int) -> None:
        """Go on when a child is over: with the next one, or not at all."""
        plan = _plan(work)
        if child.is_open:
            if plan.replacing and child.status is _S.OPEN and label == work.labels:  # its cancel was refused
                self._stay(work, plan)
            return
        if work.children or work.ending:
            return  # it is owed trades; or nothing is to follow
        if plan.replacing:
            self._replace(work, plan)
        else:
            self._parents.finish(work, _ENDS.get(child.status, Trigger.CANCEL), child.reason)

    def change(
        self, work: Work, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> str:
        """Replace the working child by a changed one."""
        plan, child = _plan(work), work.children.get(work.labels)
        if plan.replacing or work.ending:
            return "it is being replaced or canceled"
        if child is None or child.status not in {_S.SENDING, _S.OPEN}:
            return "the order is not open"
        if stop_price is not None and not child.order_type.is_conditional:
            return "it has triggered already"
        plan.change, plan.asked, plan.reason = (quantity, limit_price, stop_price), True, "MODIFIED"
        plan.replacing = True
        self._parents.cancel_child(child, "to be replaced")
        return ""

    def shrink(self, work: Work, quantity: Decimal) -> bool:
        """Let the child that is to follow be smaller."""
        plan = _plan(work)
        if not plan.replacing or work.ending:
            return False
        plan.change = (quantity, *plan.change[1:])
        return True

    # --- inside ----------------------------------------------------------------------------------------------

    def _send(self, work: Work) -> None:
        plan = _plan(work)
        form = form_of(work.order, work.needs)
        kind = OrderType.MARKET if plan.at_market else form.order_type
        limit = None if plan.at_market else form.limit_price
        refusal = self._parents.send(work, work.labels + 1, work.available, kind, limit)
        if refusal:
            unsent = work.order.status is _S.PREPARED
            self._parents.finish(work, Trigger.VOID if unsent else Trigger.CANCEL, refusal)
        else:
            self._arm(work)

    def _arm(self, work: Work) -> None:
        requote = work.order.terms.requote
        if requote is not None and work.needs.timeout is None and not _plan(work).at_market:
            self._alarms.set("requote", work, self._clock.now() + requote.after_ns)

    def _replace(self, work: Work, plan: _Plan) -> None:
        """The child before is over: the parent becomes what was asked for, and the next child is sent."""
        asked, plan.replacing, plan.asked = plan.asked, False, False
        (quantity, *prices), plan.change = plan.change, (None, None, None)
        if quantity is not None:
            quantity = max(quantity, work.order.filled)  # more may have filled before the cancel arrived
        work.order.amend(quantity, *prices)
        requote = work.order.terms.requote
        if asked and (requote is None or requote.worst is None):
            plan.worst = work.order.limit_price  # the strategy's own limit is the worst price
        if not work.order.is_open:
            self._desk.tell(work, plan.reason)  # as much had filled as it was to be made
            return
        self._send(work)
        if work.order.is_open:
            self._desk.tell(work, plan.reason)

    def _stay(self, work: Work, plan: _Plan) -> None:
        """The child keeps working: whatever it was to be replaced for does not happen."""
        plan.replacing = False
        plan.at_market = False
        plan.change = (None, None, None)
        if plan.asked:
            plan.asked = False
            self._desk.tell(work, "MODIFY_REJECTED: the venue did not cancel the order that was to be replaced")
        self._arm(work)
        self._desk.kept(work)

    def _on_alarm(self, work: Work) -> None:
        """The order has not filled in time."""
        plan, child, requote = _plan(work), work.children.get(work.labels), work.order.terms.requote
        if requote is None or work.ending or not work.order.is_open:
            return
        if child is None or child.status is not _S.OPEN or plan.replacing:
            self._arm(work)
        elif plan.left > 0:
            plan.left -= 1
            self._requote(work, plan, child)
        elif requote.then == "market":
            plan.at_market, plan.replacing = True, True
            plan.reason = "REQUOTED: the rest at market"
            self._parents.cancel_child(child, "UNFILLED: the rest is sent at market")
        else:
            self._desk.cancel(work, f"UNFILLED: re-quoted {requote.times} times")

    def _requote(self, work: Work, plan: _Plan, child: Order) -> None:
        """Move the order to the best price of its side; it stays where it is if that is its price already."""
        price = self._better_price(work, plan)
        if price is None or price == work.order.limit_price or self._too_small(work, child, price):
            self._arm(work)
            return
        plan.change, plan.replacing = (None, price, None), True
        plan.reason = f"REQUOTED: to {price}, {plan.left} left"
        self._parents.cancel_child(child, f"REQUOTED: to {price}")

    def _better_price(self, work: Work, plan: _Plan) -> Decimal | None:
        order = work.order
        best = self._holding.own_best(order.symbol, order.side)
        if best is None:
            return None
        price = from_market(best)
        if self._instruments is not None:
            price = self._instruments[order.symbol].round_price(price, order.side)
        if plan.worst is None:
            return price
        return min(price, plan.worst) if order.side is Side.BUY else max(price, plan.worst)

    def _too_small(self, work: Work, child: Order, price: Decimal) -> bool:
        """Whether the venue would refuse what is left as an order of its own."""
        if self._instruments is None:
            return False
        return bool(self._instruments[work.order.symbol].violation(child.remaining, price, None))


def _plan(work: Work) -> _Plan:
    if not isinstance(work.state, _Plan):
        raise TypeError(f"{work.order.order_id} is not worked by one child after another")
    return work.state
