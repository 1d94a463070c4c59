"""OCO groups at venues that have none: what fills of one order is taken from the others.

All legs stay counted by risk. When one fills, the others are made smaller at once, or canceled when nothing of
them is left. The venue may fill two before it hears of that: such an excess is real, is booked, and is told as
OVERFILL.

A leg that is held here and whose price is touched goes out only when no other leg is at the venue any more: those
are canceled first, which also frees the funds that they lock. If a cancel is refused, or its outcome is unknown,
the touched leg goes out all the same: a stop that protects a position does not wait for ever. A leg that has
become a market order is never canceled for another; the other waits until it is over.
"""

from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import ReportKind
from tradingd.domain.money import ZERO, add, sub
from tradingd.execution.work import Desk, OcoGroup, Work

__all__ = ["OcoGroups"]

_Key = tuple[str, str, str]


class OcoGroups:
    """Keeps the groups, and takes from the others what fills of one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._groups: dict[_Key, OcoGroup] = {}

    def join(self, work: Work) -> None:
        """Take an order into its group; one that comes after others have filled is made smaller like them."""
        group = self._groups.setdefault(_key(work), OcoGroup())
        work.group = group
        group.legs.append(work)
        group.native = group.native and work.needs.group_native

    def count(self, work: Work, quantity: Decimal) -> None:
        """A fill of a leg counts for its whole group."""
        group = work.group
        if group is None:
            return
        self._arrive(work, sub(work.order.filled, quantity))
        group.filled = add(group.filled, quantity)
        if work not in group.had:
            group.had.append(work)

    def told(self, work: Work, kind: ReportKind) -> None:
        """The venue has told of a leg: of one that it keeps, what it has or is changed to counts from then on."""
        group = work.group
        if group is None or not group.native:
            return
        if kind is ReportKind.ACCEPTED:
            self._arrive(work, work.order.filled)
        elif kind is ReportKind.MODIFIED:
            work.base = max(work.base, add(work.order.quantity, sub(group.filled, work.order.filled)))

    def _arrive(self, work: Work, filled: Decimal) -> None:
        """A venue takes from a leg what others fill from its arrival on, and not what they filled before."""
        group = work.group
        if group is not None and group.native and not work.arrived:
            work.arrived = True
            work.base = add(work.order.quantity, sub(group.filled, filled))

    def leave(self, work: Work) -> None:
        """The order is over; a group of which all are over is forgotten."""
        group = work.group
        if group is None:
            return
        group.legs = [leg for leg in group.legs if leg.order.is_open]
        if not group.legs and self._groups.get(_key(work)) is group:
            del self._groups[_key(work)]

    def rebase(self, work: Work, quantity: Decimal | None) -> None:
        """A strategy has changed the quantity of a leg: to what it is to be now, whatever others have filled.

        What the venue keeps is lowered by the venue's word alone.
        """
        group = work.group
        if group is not None and quantity is not None:
            work.asked = quantity
            base = add(quantity, sub(group.filled, work.order.filled))
            work.base = max(work.base, base) if group.native else base

    def refused(self, work: Work) -> None:
        """The venue will not change a leg: one that is too large for what others have filled is canceled."""
        group, order = work.group, work.order
        if group is None or not order.is_open:
            return
        taken = sub(group.filled, order.filled)
        if group.native:  # what others filled the venue takes, or has taken, of itself
            work.base, work.asked = min(work.base, add(order.quantity, taken)), order.quantity
        elif taken > 0 and order.quantity > sub(work.base, taken):
            if order.status is not OrderStatus.CANCELING:
                self._desk.cancel(work, f"OCO: filled by another order of group {order.terms.oco!r}")
        else:
            work.base, work.asked = add(order.quantity, taken), order.quantity

    def enforce(self, work: Work) -> None:
        """A leg has changed: make the others what they are to be now, and send those that waited for it."""
        group = work.group
        if group is None:
            return
        if work.order.is_open and work not in group.legs:
            group.legs.append(work)  # it was thought to be over
        if not group.native:
            for leg in tuple(group.legs):
                if leg.order.is_open:
                    self._shrink(group, leg)
        for leg in tuple(group.legs):
            if leg.triggered and leg.order.status is OrderStatus.PREPARED and leg.order.is_open:
                self._desk.release(leg)

    def must_wait(self, work: Work) -> bool:
        """Whether a touched leg has to wait for others that are still at the venue; asks for their cancel."""
        group = work.group
        if group is None:
            return False
        others = [leg for leg in group.legs if leg is not work and leg.at_venue]
        for leg in others:
            if not _trades_at_once(leg) and not leg.yielded:
                leg.yielded = True
                self._desk.cancel(leg, f"OCO: another order of group {work.order.terms.oco!r} was triggered")
        return any(_trades_at_once(leg) or leg.order.status is OrderStatus.CANCELING for leg in others)

    def _shrink(self, group: OcoGroup, leg: Work) -> None:
        order = leg.order
        wanted = sub(leg.base, sub(group.filled, order.filled))
        if wanted >= leg.asked or order.status is OrderStatus.CANCELING:
            return
        leg.asked = wanted
        if wanted > max(order.filled, ZERO) and not self._desk.shrink(leg, wanted):
            return
        self._desk.cancel(leg, f"OCO: filled by another order of group {order.terms.oco!r}")


def _trades_at_once(leg: Work) -> bool:
    """Whether it is a market order by now: nobody cancels that, and it is soon over (unless worked in slices)."""
    kind = leg.order.order_type
    return not kind.has_limit and (leg.triggered or not (kind.is_conditional or leg.needs.algorithm))


def _key(work: Work) -> _Key:
    return work.order.strategy_id, work.order.symbol, work.order.terms.oco
