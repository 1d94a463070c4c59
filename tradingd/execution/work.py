"""What is kept of an order that needs more than being sent, and what its parts ask of one another."""

from decimal import Decimal
from typing import Protocol

from tradingd.domain.enums import OrderStatus
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.order import Order, Trigger
from tradingd.domain.venue import VenueCapabilities
from tradingd.execution.needs import Needs

__all__ = ["Desk", "OcoGroup", "Work", "Worker"]


class OcoGroup:
    """Orders of which what fills of one is taken from the others."""

    __slots__ = ("filled", "had", "legs", "native")

    def __init__(self) -> None:
        self.legs: list[Work] = []
        """Those that may still fill."""
        self.native = True
        """Whether the venue has kept all its legs in step so far."""
        self.filled: Decimal = Decimal(0)
        self.had: list[Work] = []
        """The legs that have filled some, also those that are over."""

    def over(self, leg: "Work") -> Decimal:
        """By how much fills exceed what `leg`, and those that may fill for longer, could have had; 0 if not.

        A leg may fill until the group has filled its `base` in all. Fills are told in any order, so legs of
        different sizes have filled too much only where no order of their fills would have been right; if any is,
        the one by these bounds is.
        """
        most = ZERO
        for last in self.had:
            if last.base >= leg.base:
                total = ZERO
                for other in self.had:
                    if other.base <= last.base:
                        total = add(total, other.order.filled)
                most = max(most, sub(total, last.base))
        return most


class Work:
    """One order that risk approved, and what is done for it."""

    __slots__ = (
        "able",
        "arrived",
        "asked",
        "base",
        "children",
        "end_reason",
        "ending",
        "ends_as",
        "group",
        "labels",
        "needs",
        "order",
        "over",
        "overdue",
        "owed",
        "state",
        "triggered",
        "worker",
        "yielded",
    )

    def __init__(self, order: Order, able: VenueCapabilities, needs: Needs) -> None:
        self.order = order
        self.able = able
        self.needs = needs
        self.ends_as = Trigger.CANCEL
        """What the confirmation of a cancel means."""
        self.end_reason = ""
        self.ending = False
        """A parent that gets no further children: it is over when those it has are."""
        self.over = False
        """It has been told that the order is over."""
        self.overdue = False
        """Its time (DAY, GTD) is over: a cancel that the venue refuses, whoever asked for it, is tried again."""
        self.triggered = False
        """A conditional order whose price was touched: it is a market or limit order now."""
        self.worker: Worker | None = None
        """Who splits a parent; None of an order that is sent itself."""
        self.children: dict[int, Order] = {}
        """The children that may still fill, by the number their worker gave them."""
        self.labels = 0
        """The highest number given to a child."""
        self.owed: dict[str, Decimal] = {}
        """By children that are over: what the venue says has filled of them, and no trade was told of yet."""
        self.group: OcoGroup | None = None
        self.base = order.quantity
        """In an OCO group: what the group may have filled in all for this leg to fill still."""
        self.arrived = False
        """In an OCO group that the venue keeps: the venue has told that it has the leg."""
        self.asked = order.quantity
        """In an OCO group: the quantity that was last asked for."""
        self.yielded = False
        """In an OCO group: it was asked to make way for a leg that was triggered."""
        self.state: object = None
        """The worker's own notes."""

    @property
    def at_venue(self) -> bool:
        """Whether the venue has, or may have, some of it."""
        return self.order.is_open and self.order.status is not OrderStatus.PREPARED

    @property
    def is_out(self) -> bool:
        """Whether it is not held (any more): sent, handed to a worker, or over."""
        return self.worker is not None or self.order.status is not OrderStatus.PREPARED

    @property
    def available(self) -> Decimal:
        """What of a parent is neither filled nor may fill by a child; below 0 only when a venue overfilled."""
        left = sub(self.order.quantity, self.order.filled)
        for child in self.children.values():
            if child.is_open:
                left = sub(left, child.remaining)
        for missing in self.owed.values():
            left = sub(left, missing)
        return left

    def owes(self, child: Order, told: Decimal | None) -> None:
        """The child is over, and the venue told how much of it had filled."""
        missing = told is not None and told > child.filled
        if missing and told is not None:
            self.owed[child.order_id] = sub(told, child.filled)

    def pay(self, child: Order, quantity: Decimal) -> None:
        """A trade of a child was told: less is owed."""
        missing = self.owed.pop(child.order_id, None)
        if missing is not None and missing > quantity:
            self.owed[child.order_id] = sub(missing, quantity)

    def total_over(self) -> Decimal:
        """By how much the order, or its group, has filled beyond its quantity; 0 or less when it has not."""
        over = sub(self.order.filled, self.order.quantity)
        return over if self.group is None else max(over, self.group.over(self))


class Worker(Protocol):
    """Splits parents into children."""

    def begin(self, work: Work) -> None:
        """Work a parent; nothing of it has been sent yet."""

    def on_child(self, work: Work, child: Order, label: int) -> None:
        """A child changed."""

    def on_over(self, work: Work) -> None:
        """The parent is over."""

    def change(
        self, work: Work, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> str:
        """Change a parent; returns why not, or nothing when the change is under way."""

    def shrink(self, work: Work, quantity: Decimal) -> bool:
        """Let a change that is under way lead to this quantity instead; whether there is one."""


class Desk(Protocol):
    """What the parts that do something for orders ask of the whole."""

    def tell(self, work: Work, reason: str = "") -> None:
        """Tell an order's state, and clean up after one that is over."""

    def end(self, work: Work, trigger: Trigger, reason: str) -> None:
        """Make the transition that ends an order, and tell it."""

    def release(self, work: Work) -> None:
        """What an order was held for has come: send it."""

    def cancel(self, work: Work, reason: str, ends_as: Trigger = Trigger.CANCEL) -> None:
        """Cancel an open order, wherever it is."""

    def change(
        self,
        work: Work,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> str:
        """Change an open order, wherever it is; returns why not, or nothing when that is under way or done."""

    def shrink(self, work: Work, quantity: Decimal) -> str:
        """Make less of an open order, also while it is being replaced; returns why not."""

    def kept(self, work: Work) -> None:
        """The venue will not change or replace an order: it works on as it is."""

    def watch(self, symbol: str) -> None:
        """Market events of `symbol` are needed from now on."""
