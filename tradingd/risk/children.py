"""One triggers the other: orders that wait for the fills of another order.

A child is held by risk, not sent. As fills of its parent are booked it is released in the share that has
filled, and only then judged, like any order, by what is held then. Further fills enlarge its order by a change;
where the venue takes none, where it refused one, or where the child's order has filled already, by one more
order (`<intent>+2`, `+3`, ...). The parent's end without a fill ends the child; a late fill after that is
released all the same, as an order of its own, since the position is real.

A child releases no more once its strategy has canceled or resized it, once its order was denied or ended by
anything but fills (its own, or those of another leg of its OCO group), and when a signal makes way for itself.
"""

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tradingd.domain.enums import HaltState, OrderStatus
from tradingd.domain.events import CancelRequest, OrderRequest, OrderUpdate
from tradingd.domain.money import ZERO, add, neg, sub
from tradingd.risk.changes import TOO_SMALL, ChangeDesk, change_problem
from tradingd.risk.child import Child, Key
from tradingd.risk.exposure import Reservation
from tradingd.risk.gate import Gate
from tradingd.risk.limits.base import Denied
from tradingd.risk.reservation import Change

__all__ = ["CHILDREN_MOST", "ChildDesk"]

CHILDREN_MOST = 100
"""How many children an order may have: what is held counts nowhere else."""

_PARENTS_KEPT = 1_000
"""How many parents that are over are remembered, for late fills."""

_NOTHING = Change(None, None, None)


class ChildDesk:
    """Holds the children, and releases them."""

    def __init__(self, gate: Gate, changes: ChangeDesk) -> None:
        self._gate = gate
        self._book = gate.book
        self._changes = changes
        self._of: dict[str, dict[str, Child]] = {}
        """Children by parent."""
        self._children: dict[str, Child] = {}
        self._by_key: dict[Key, dict[str, Child]] = {}
        """Children that may release more."""
        self._orders: dict[str, Child] = {}
        """Children by the intents of their orders."""
        self._crowded: dict[str, dict[str, Child]] = {}
        """By symbol, those that found no room where orders may yet turn out to take less than they count."""
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Parents that are over, oldest first."""

    @property
    def active(self) -> bool:
        """Whether there is any child, or parent of one, to be told of updates."""
        return bool(self._of)

    def has(self, intent_id: str) -> bool:
        """Whether a child of that name is held, or was."""
        return intent_id in self._children

    # --- what strategies ask ---------------------------------------------------------------------------------

    def take(self, request: OrderRequest) -> None:
        """Hold a child until fills of its parent are booked; release at once what they cover already."""
        denied = self._parent_problem(request)
        if denied is not None:
            self._gate.deny(request, denied)
            return
        parent = self._book.outcome(request.terms.parent)
        child = Child(request, exceeds=parent is not None and request.quantity > parent.quantity)
        self._children[request.intent_id] = child
        self._of.setdefault(child.parent, {})[request.intent_id] = child
        self._by_key.setdefault(child.key, {})[request.intent_id] = child
        self._ended.pop(child.parent, None)
        self._tell_held(child)
        self.on_parent(child.parent)

    def on_cancel_request(self, request: CancelRequest) -> bool:
        """Cancel a child with all of its orders; False when it is none of that strategy."""
        child = self._children.get(request.intent_id)
        if child is None or child.request.strategy_id != request.strategy_id:
            return False
        self._end(child, "requested")
        for reservation in tuple(self._working(child)):
            self._gate.pass_cancel(reservation, "requested")
        return True

    def modify(self, strategy_id: str, intent_id: str, change: Change) -> bool:
        """Change a held child; False when its order works, or it is none of that strategy.

        A changed price holds for all of its orders and for what is released later; who changes the quantity of an
        order that works has taken its size over from here on.
        """
        child = self._children.get(intent_id)
        if child is None or child.request.strategy_id != strategy_id or child.over:
            return False
        denied = change_problem(child.request.order_type, change)
        if not child.is_held:
            self._modify_orders(child, change, denied)
        elif denied is None:
            self._rewrite(child, change)
            self._tell_held(child)
            self.on_parent(child.parent)
        else:
            self._tell(child, OrderStatus.NEW, f"MODIFY_DENIED: {denied}")
        return True

    def _modify_orders(self, child: Child, change: Change, denied: Denied | None) -> None:
        """Ask for the change of its orders: the quantity is that of the one with its name, a price that of all."""
        prices = Change(None, change.limit_price, change.stop_price)
        asked, refusals = 0, 0
        for order in tuple(self._working(child))[::-1]:
            wanted = change if order.intent_id == child.request.intent_id else prices
            if wanted != _NOTHING:
                asked += 1
                refusals += self._changes.ask(order, wanted) is not None
        if denied is None and (refusals < asked or not asked):
            self._rewrite(child, change)

    def _rewrite(self, child: Child, change: Change) -> None:
        names = ("quantity", "limit_price", "stop_price")
        wanted = {name: value for name, value in zip(names, change, strict=True) if value is not None}
        if not child.is_held and wanted.pop("quantity", None) is not None:
            child.over = True
        child.request = msgspec.structs.replace(child.request, **wanted)

    # --- what happens to parents and children ----------------------------------------------------------------

    def on_parent(self, intent_id: str) -> None:
        """Fills of an order have been booked, or it is over: release what they cover."""
        children = self._of.get(intent_id)
        if children is None:
            return
        outcome = self._book.outcome(intent_id)
        if outcome is None:
            return  # long over, and forgotten
        for child in tuple(children.values()):
            self._release(
                child, child.share(outcome.quantity, outcome.booked, self._book.instrument(child.request.symbol))
            )
        if outcome.over:
            self._parent_over(intent_id)

    def on_order_update(self, update: OrderUpdate) -> None:
        """The order of a child changed: enlarge it, if it had to wait for that."""
        child = self._orders.get(update.intent_id)
        if child is not None:
            self._on_own_update(child, update)
        self.settle(update.symbol)

    def on_booked(self, intent_id: str, symbol: str) -> None:
        """A fill has been booked: of a parent, of a child, or of another order that may have been in the way."""
        child = self._orders.get(intent_id)
        if child is not None:
            child.refused = ZERO
            self.on_parent(child.parent)
        self.on_parent(intent_id)
        self.settle(symbol)

    def settle(self, symbol: str) -> None:
        """Something of the symbol has changed: try again what found no room in it."""
        for child in self._crowded.pop(symbol, {}).values():
            self.on_parent(child.parent)

    def _on_own_update(self, child: Child, update: OrderUpdate) -> None:
        """Its order has changed; a leg that may not be enlarged is tried again at the next occasion."""
        child.refused = ZERO
        reservation = self._book.get(update.intent_id)
        refused = child.grows and update.reason.startswith("MODIFY_REJECTED")
        if reservation is None or not reservation.asked:
            child.grows = False
        if refused and child.request.terms.oco and reservation is not None:
            return
        child.fixed = child.fixed or refused
        if update.status.is_terminal and not self._ended_by_fills(child, update):
            child.over = True
        self.on_parent(child.parent)

    def end(self, key: Key, reason: str) -> None:
        """Nothing more is released of any child of that strategy and symbol; what is held is told as canceled."""
        for child in tuple(self._by_key.get(key, {}).values()):
            self._end(child, reason)

    def on_halt(self) -> None:
        """End what is held where a halt stands that cancels all orders."""
        for key in tuple(self._by_key):
            halt = self._gate.halts.strictest(*key)
            if halt is not None and halt.state >= HaltState.CANCEL_ALL:
                self.end(key, f"halt: {halt.reason}")

    def _end(self, child: Child, reason: str) -> None:
        held = child.is_held
        child.over = True
        self._drop(child)
        if held:
            child.told_over = True
            self._tell(child, OrderStatus.CANCELED, reason)

    def _parent_over(self, intent_id: str) -> None:
        """Tell the children for which nothing filled that they ended; remember them for late fills."""
        for child in tuple(self._of[intent_id].values()):
            if child.is_held:
                child.told_over = True
                self._tell(child, OrderStatus.CANCELED, f"PARENT: {intent_id} ended, and nothing filled for this")
        self._ended.pop(intent_id, None)
        self._ended[intent_id] = None
        if len(self._ended) > _PARENTS_KEPT:
            self._forget_one()

    def _forget_one(self) -> None:
        """Forget the oldest parent that is over and of which no child works any more."""
        for _ in range(len(self._ended)):
            parent = next(iter(self._ended))
            if not any(any(self._working(child)) for child in self._of[parent].values()):
                self._forget(parent)
                return
            self._ended.move_to_end(parent)

    def _forget(self, parent: str) -> None:
        del self._ended[parent]
        for intent_id, child in self._of.pop(parent).items():
            del self._children[intent_id]
            self._drop(child)
            for placed in child.placed:
                del self._orders[placed]

    def _drop(self, child: Child) -> None:
        """It is none of those that may release more."""
        alike = self._by_key.get(child.key, {})
        alike.pop(child.request.intent_id, None)
        if not alike:
            self._by_key.pop(child.key, None)

    def _ended_by_fills(self, child: Child, update: OrderUpdate) -> bool:
        """Whether an order ended by its own fills, or by those of another leg of its group."""
        if update.status is OrderStatus.FILLED:
            return True
        return update.status is OrderStatus.CANCELED and any(self._filled(leg) for leg in self._legs(child))

    def _legs(self, child: Child) -> list[Child]:
        """The other children of its parent in its group."""
        group = child.request.terms.oco
        alike = self._of[child.parent].values() if group else ()
        return [each for each in alike if each is not child and each.request.terms.oco == group]

    def _filled(self, child: Child) -> Decimal:
        """What its orders have filled."""
        total = ZERO
        for intent_id in child.placed:
            reservation, outcome = self._book.get(intent_id), self._book.outcome(intent_id)
            if reservation is not None:
                total = add(total, reservation.filled)
            elif outcome is not None:
                total = add(total, outcome.booked)
        return total

    def _covered(self, child: Child) -> Decimal:
        """What has been released and is not lost: what it, and the other legs for it, filled; what is still open.

        Read off what is known of the orders at any moment, so that nothing has to be put right when a change was
        refused or came too late.
        """
        total = self._filled(child)
        for leg in self._legs(child):
            total = add(total, self._filled(leg))
        for order in self._working(child):
            total = add(total, sub(order.outstanding, order.unbooked))
        return total

    # --- releasing -------------------------------------------------------------------------------------------

    def _release(self, child: Child, share: Decimal) -> None:
        """Bring the child's orders to its share of what its parent has filled."""
        if child.over or share == child.refused:
            return
        covered = self._covered(child)
        due = sub(share, covered)
        working = next(self._working(child), None)
        if due < 0 and working is not None and working.is_at_rest:
            self._trim(working, neg(due))
        elif due > 0 and (
            working is None or child.fixed or not self._book.capabilities(working.instrument).modify
        ):
            self._place(child, due, share, covered)
        elif due > 0 and working is not None and working.is_at_rest:
            self._enlarge(child, working, due, share)
        # else its next update leads here again

    def _trim(self, working: Reservation, excess: Decimal) -> None:
        """Make a leg's order smaller that another leg's fill found on its way: the venue took nothing from it."""
        total = sub(sub(working.quantity, working.taken), excess)
        if total > working.filled:
            self._changes.ask(working, Change(total, None, None))
        else:
            self._gate.cancel(working, "OCO: the other order of the group has filled")

    def _enlarge(self, child: Child, working: Reservation, due: Decimal, share: Decimal) -> None:
        """Ask for a change of its order; what it is refused is told by the change desk."""
        total = add(sub(working.quantity, working.taken), due)
        child.grows = True
        denied = self._changes.ask(working, Change(total, None, None))
        if denied is not None:
            child.grows = False
            if not self._finds_room_later(child, denied):
                child.refused = share

    def _place(self, child: Child, due: Decimal, share: Decimal, covered: Decimal) -> None:
        """Send an order for what is due."""
        request = msgspec.structs.replace(
            child.request,
            intent_id=child.next_intent(),
            quantity=due,
            terms=child.next_terms(self._group_name(child, covered)),
        )
        proposal = self._gate.requested(request)
        if request.reduce_only or child.placed:  # the parent, or the first of these orders, has been counted
            proposal = msgspec.structs.replace(proposal, protects=True)
        denied = self._gate.judge_requested(proposal)
        if denied is None:
            child.placed.append(request.intent_id)
            child.fixed = False
            self._orders[request.intent_id] = child
            self._gate.approve(proposal, request.time_in_force, request.tag)
        elif not self._finds_room_later(child, denied):
            child.refused = share
            child.over = child.is_held or child.over
            self._gate.deny(request, denied)

    def _group_name(self, child: Child, covered: Decimal) -> str:
        """The group of a leg's next order: that of another leg's order which has none of this one beside it.

        Else, after the first one, a new one: in an old one it would share with this leg's own orders.
        """
        group = child.request.terms.oco
        own = {order.group for order in self._working(child)}
        for leg in self._legs(child):
            for order in self._working(leg):
                if order.group is not None and order.group not in own:
                    return order.group[1]
        return f"{group}+{covered}" if group and child.placed else group

    def _finds_room_later(self, child: Child, denied: Denied) -> bool:
        """Whether a refusal may be none when more has filled, or when what is under way is known."""
        if denied.code in TOO_SMALL:
            return self._book.get(child.parent) is not None
        symbol = child.request.symbol
        if denied.code != "REDUCE_ONLY" or self._gate.is_settled(symbol):
            return False
        self._crowded.setdefault(symbol, {})[child.request.intent_id] = child
        return True

    def _working(self, child: Child) -> Iterator[Reservation]:
        """Its orders that are not over, the latest first."""
        for intent_id in reversed(child.placed):
            reservation = self._book.get(intent_id)
            if reservation is not None and not reservation.closed:
                yield reservation

    def _parent_problem(self, request: OrderRequest) -> Denied | None:
        parent = request.terms.parent
        outcome = self._book.outcome(parent)
        if outcome is None:
            why = "is held itself" if self.has(parent) else "is no order, was refused, or is long over"
            return Denied("PARENT", f"{parent} {why}")
        if (outcome.strategy_id, outcome.symbol) != (request.strategy_id, request.symbol):
            return Denied("PARENT", f"{parent} is an order of {outcome.strategy_id} in {outcome.symbol}")
        if outcome.over and not outcome.booked:
            return Denied("PARENT", f"{parent} has ended, and nothing of it filled")
        if len(self._of.get(parent, ())) >= CHILDREN_MOST:
            return Denied("PARENT", f"{parent} has {CHILDREN_MOST} children, the most that an order may have")
        return None

    # --- telling ---------------------------------------------------------------------------------------------

    def _tell_held(self, child: Child) -> None:
        self._tell(child, OrderStatus.NEW, f"HELD: waits for fills of {child.parent}")

    def _tell(self, child: Child, status: OrderStatus, reason: str) -> None:
        self._gate.tell(child.told(self._gate.now, status, reason))
