"""Orders: one table of states.

An order is a small state machine, and this file is all of it. What can happen to an order is a `Trigger`; what a
trigger leads to in each state is `TRANSITIONS`; a pair that is not in the table cannot happen, and raises.

The states tell what we *know*, not what we hope:

- NEW: execution has the order. PREPARED: its intent is recorded. A crash here provably sent nothing (VOID).
- SENDING: the socket may have been touched; the venue may or may not have the order.
- OPEN: the venue told us it works. Partly filled is not a state: it is `0 < filled < quantity`.
- CANCELING: we asked for a cancel. It may still fill, so nothing is released yet.
- UNKNOWN: an answer is missing. It is left only by evidence: the order seen, refused, or proved absent. It counts
  at full size meanwhile and is never sent again.
- FILLED, CANCELED, REJECTED (by the venue), EXPIRED, DENIED (by our risk), VOID (never reached the venue) are
  terminal. Terminal is not deaf: acknowledgements and fills arrive in any order, so each terminal state has rows
  for what may come late. A fill after a cancel is real and is booked. A fill on an order that was thought refused
  or absent contradicts what we knew, so it becomes UNKNOWN until somebody has looked; the news that such an order
  is over (canceled, expired) leaves nothing open and is believed. A filled order opens again when the venue
  confirms, late, that it had been changed to a greater quantity.

A PREPARED order may be held back for long: execution waits for its trigger where the venue has no such orders.
As nothing was sent it can be canceled, expire, or be void, at once and of our own accord.

An intent may be worked by several orders at the venue (an execution algorithm, a re-quote). The order that risk
approved is then their parent and is never sent itself; the orders at the venue are its children. A parent sums
up its children: SENDING when the first one goes out, OPEN when one works, terminal when all are over. When a
child that was over shows signs of life after that, its parent is in DOUBT: UNKNOWN, until it is over again.

Nothing assigns `status`: `apply`, and through it `apply_fill` and `amend`, are the only ways to move.
"""

from decimal import Decimal
from enum import IntEnum, auto

from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import ApprovedOrder, OrderUpdate
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.terms import PLAIN, OrderTerms
from tradingd.errors import IllegalTransitionError, MoneyError

__all__ = ["TRANSITIONS", "Order", "Trigger"]


class Trigger(IntEnum):
    """What can happen to an order."""

    PREPARE = auto()
    DENY = auto()
    VOID = auto()
    SEND = auto()
    ACCEPT = auto()
    REJECT = auto()
    LOSE = auto()
    """The answer is missing: time-out, reset, garbage."""
    FILL = auto()
    """A fill that leaves something open."""
    COMPLETE = auto()
    """The fill that completes the quantity (or exceeds it)."""
    REQUEST_CANCEL = auto()
    CANCEL = auto()
    CANCEL_REJECT = auto()
    EXPIRE = auto()
    REOPEN = auto()
    """The venue confirmed a greater quantity than had filled."""
    DOUBT = auto()
    """A child of this parent, thought to be over, may fill after all."""


_S = OrderStatus
_T = Trigger

TRANSITIONS: dict[OrderStatus, dict[Trigger, OrderStatus]] = {
    _S.NEW: {
        _T.PREPARE: _S.PREPARED,
        _T.DENY: _S.DENIED,
    },
    _S.PREPARED: {
        _T.SEND: _S.SENDING,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.VOID: _S.VOID,
    },
    _S.SENDING: {
        _T.ACCEPT: _S.OPEN,
        _T.REJECT: _S.REJECTED,
        _T.LOSE: _S.UNKNOWN,
        _T.FILL: _S.OPEN,
        _T.COMPLETE: _S.FILLED,
        _T.REQUEST_CANCEL: _S.CANCELING,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
    },
    _S.OPEN: {
        _T.ACCEPT: _S.OPEN,
        _T.REJECT: _S.REJECTED,
        _T.LOSE: _S.UNKNOWN,
        _T.FILL: _S.OPEN,
        _T.COMPLETE: _S.FILLED,
        _T.REQUEST_CANCEL: _S.CANCELING,
        _T.CANCEL: _S.CANCELED,
        _T.CANCEL_REJECT: _S.OPEN,
        _T.EXPIRE: _S.EXPIRED,
    },
    _S.CANCELING: {
        _T.ACCEPT: _S.CANCELING,
        _T.REJECT: _S.REJECTED,
        _T.LOSE: _S.UNKNOWN,
        _T.FILL: _S.CANCELING,
        _T.COMPLETE: _S.FILLED,
        _T.REQUEST_CANCEL: _S.CANCELING,
        _T.CANCEL: _S.CANCELED,
        _T.CANCEL_REJECT: _S.OPEN,
        _T.EXPIRE: _S.EXPIRED,
    },
    _S.UNKNOWN: {
        _T.ACCEPT: _S.OPEN,
        _T.REJECT: _S.REJECTED,
        _T.LOSE: _S.UNKNOWN,
        _T.FILL: _S.OPEN,
        _T.COMPLETE: _S.FILLED,
        _T.REQUEST_CANCEL: _S.UNKNOWN,
        _T.CANCEL: _S.CANCELED,
        _T.CANCEL_REJECT: _S.UNKNOWN,
        _T.EXPIRE: _S.EXPIRED,
        _T.VOID: _S.VOID,
    },
    _S.FILLED: {
        _T.ACCEPT: _S.FILLED,
        _T.CANCEL: _S.FILLED,
        _T.CANCEL_REJECT: _S.FILLED,
        _T.EXPIRE: _S.FILLED,
        _T.LOSE: _S.FILLED,
        _T.FILL: _S.FILLED,
        _T.COMPLETE: _S.FILLED,
        _T.REOPEN: _S.OPEN,
        _T.DOUBT: _S.UNKNOWN,
    },
    _S.CANCELED: {
        _T.ACCEPT: _S.CANCELED,
        _T.CANCEL: _S.CANCELED,
        _T.CANCEL_REJECT: _S.CANCELED,
        _T.EXPIRE: _S.CANCELED,
        _T.LOSE: _S.CANCELED,
        _T.FILL: _S.CANCELED,
        _T.COMPLETE: _S.FILLED,
        _T.DOUBT: _S.UNKNOWN,
    },
    _S.EXPIRED: {
        _T.ACCEPT: _S.EXPIRED,
        _T.CANCEL: _S.EXPIRED,
        _T.CANCEL_REJECT: _S.EXPIRED,
        _T.EXPIRE: _S.EXPIRED,
        _T.LOSE: _S.EXPIRED,
        _T.FILL: _S.EXPIRED,
        _T.COMPLETE: _S.FILLED,
        _T.DOUBT: _S.UNKNOWN,
    },
    _S.REJECTED: {
        _T.REJECT: _S.REJECTED,
        _T.CANCEL_REJECT: _S.REJECTED,
        _T.LOSE: _S.REJECTED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.ACCEPT: _S.UNKNOWN,
        _T.FILL: _S.UNKNOWN,
        _T.COMPLETE: _S.FILLED,
        _T.DOUBT: _S.UNKNOWN,
    },
    _S.VOID: {
        _T.VOID: _S.VOID,
        _T.REJECT: _S.VOID,
        _T.CANCEL_REJECT: _S.VOID,
        _T.LOSE: _S.VOID,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.ACCEPT: _S.UNKNOWN,
        _T.FILL: _S.UNKNOWN,
        _T.COMPLETE: _S.FILLED,
        _T.DOUBT: _S.UNKNOWN,
    },
    _S.DENIED: {},
}


class Order:
    """One order, owned by the execution engine.

    The fields other than `status`, `filled`, the amendable `quantity` and prices, and the numbers of changes never
    change.
    """

    __slots__ = (
        "_status",
        "booked_as",
        "changed",
        "changes",
        "exchange_order_id",
        "filled",
        "intent_id",
        "limit_price",
        "order_id",
        "order_type",
        "parent_id",
        "quantity",
        "reason",
        "reduce_only",
        "side",
        "stop_price",
        "strategy_id",
        "symbol",
        "tag",
        "terms",
        "time_in_force",
        "venue",
    )

    def __init__(self, order_id: str, approved: ApprovedOrder) -> None:
        self.order_id = order_id
        self.intent_id = approved.intent_id
        self.booked_as = approved.intent_id
        """The intent that its fills are booked for: its own, or its parent's."""
        self.parent_id = ""
        """The client order id of its parent; empty for all but children."""
        self.strategy_id = approved.strategy_id
        self.symbol = approved.symbol
        self.venue = approved.venue
        self.side: Side = approved.side
        self.quantity: Decimal = approved.quantity
        self.order_type: OrderType = approved.order_type
        self.limit_price = approved.limit_price
        self.stop_price = approved.stop_price
        self.time_in_force: TimeInForce = approved.time_in_force
        self.reduce_only = approved.reduce_only
        self.tag = approved.tag
        self.terms = approved.terms
        self.exchange_order_id = ""
        self.filled = ZERO
        self.changes: tuple[int, ...] = ()
        """The numbers of the changes that were asked for and not answered yet."""
        self.changed = (0, 0, 0)
        """The numbers of the changes that quantity, limit and stop price are from."""
        self.reason = ""
        self._status = OrderStatus.NEW

    @classmethod
    def child(
        cls,
        parent: "Order",
        order_id: str,
        label: str,
        *,
        quantity: Decimal,
        order_type: OrderType,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        terms: OrderTerms = PLAIN,
    ) -> "Order":
        """A new order that works a part of `parent`; its fills are booked for the parent's intent."""
        order = cls(
            order_id,
            ApprovedOrder(
                0,
                parent.strategy_id,
                f"{parent.intent_id}/{label}",
                parent.symbol,
                parent.venue,
                parent.side,
                quantity,
                order_type,
                limit_price,
                stop_price,
                time_in_force,
                parent.reduce_only,
                parent.tag,
                terms,
            ),
        )
        order.parent_id, order.booked_as = parent.order_id, parent.intent_id
        return order

    def __repr__(self) -> str:
        return (
            f"Order({self.order_id!r}, {self.side} {self.quantity} {self.symbol} {self.order_type}, "
            f"{self._status}, filled={self.filled})"
        )

    @property
    def status(self) -> OrderStatus:
        """What we know of the order."""
        return self._status

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet; never negative."""
        return max(ZERO, sub(self.quantity, self.filled))

    @property
    def is_open(self) -> bool:
        """Whether the order still holds, or may hold, a place at the venue."""
        return not self._status.is_terminal

    def apply(self, trigger: Trigger, reason: str = "") -> OrderStatus:
        """Make a transition.

        Raises:
            IllegalTransitionError: the table has no such row.

        """
        target = TRANSITIONS[self._status].get(trigger)
        if target is None:
            raise IllegalTransitionError(
                f"order {self.order_id} is {self._status} and cannot {trigger.name}"
                f" (it can: {', '.join(t.name for t in TRANSITIONS[self._status]) or 'nothing'})"
            )
        self._status = target
        if reason:
            self.reason = reason
        return target

    def apply_fill(self, quantity: Decimal) -> OrderStatus:
        """Count a fill of `quantity` and make its transition.

        Raises:
            MoneyError: the quantity is not greater than 0.
            IllegalTransitionError: the order cannot fill; nothing has been counted.

        """
        if not quantity > 0:
            raise MoneyError(f"order {self.order_id}: a fill must be greater than 0, this is {quantity}")
        filled = add(self.filled, quantity)
        status = self.apply(Trigger.COMPLETE if filled >= self.quantity else Trigger.FILL)
        self.filled = filled
        return status

    def amend(self, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None) -> None:
        """Take over what the venue confirmed as changed; None leaves a field as it is.

        FILLED follows the quantity: a confirmation and the fills arrive in any order.
        """
        if quantity is not None:
            self.quantity = quantity
            if self.filled >= quantity:
                self.apply(Trigger.COMPLETE)
            elif self._status is OrderStatus.FILLED:
                self.apply(Trigger.REOPEN)
        if limit_price is not None:
            self.limit_price = limit_price
        if stop_price is not None:
            self.stop_price = stop_price

    def update(self, ts: int, reason: str = "") -> OrderUpdate:
        """The order's present state as an event."""
        return OrderUpdate(
            ts,
            self.strategy_id,
            self.intent_id,
            self.order_id,
            self.symbol,
            self.side,
            self.order_type,
            self.quantity,
            self.filled,
            self._status,
            reason or self.reason,
            self.limit_price,
            self.stop_price,
            self.parent_id,
        )
