"""The register: every order that is ours, open or lately closed, and the one place that tells of them."""

from collections import OrderedDict
from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import ApprovedOrder, CancelOrder, Event, ModifyOrder, OrderUpdate, SubmitOrder
from tradingd.domain.money import ZERO
from tradingd.domain.order import Order, Trigger
from tradingd.domain.ports import Clock, Emit
from tradingd.errors import UsageError
from tradingd.execution.ids import OrderIds
from tradingd.execution.needs import Form
from tradingd.execution.trades import BookedTrades
from tradingd.execution.work import Work

__all__ = ["OrderRegister"]


class OrderRegister:
    """Owns the orders and their ids. Memory is bounded: see `ExecutionEngine`."""

    __slots__ = (
        "_closed_kept",
        "_emit",
        "_ids",
        "_remembered",
        "by_intent",
        "clock",
        "closed",
        "open",
        "past_intents",
        "refusing",
        "trades",
        "works",
    )

    def __init__(self, emit: Emit, clock: Clock, ids: OrderIds, *, closed_kept: int, remembered: int) -> None:
        self._emit = emit
        self.clock = clock
        self._ids = ids
        self._closed_kept = closed_kept
        self._remembered = remembered
        self.open: dict[str, Order] = {}
        self.closed: OrderedDict[str, Order] = OrderedDict()
        # Ordered, because taking the oldest from a plain dict searches through all that went before it.
        self.by_intent: dict[str, str] = {}
        self.past_intents: OrderedDict[str, None] = OrderedDict()
        self.trades = BookedTrades(remembered)
        self.refusing = ""
        """Why no new order may be sent; empty when it may."""
        self.works: dict[str, Work] = {}
        """What is done for orders that need more than being sent, by order id; children are not in it."""

    def get(self, order_id: str) -> Order | None:
        """An open or lately closed order."""
        return self.open.get(order_id) or self.closed.get(order_id)

    def work_of(self, order: Order) -> Work | None:
        """What is done for an order, or for its parent; None for one that was simply sent."""
        return self.works.get(order.parent_id or order.order_id)

    def take(self, approved: ApprovedOrder) -> Order:
        """A new order for what risk has approved, PREPARED.

        Raises:
            UsageError: its intent has, or had, an order.

        """
        intent_id = approved.intent_id
        if intent_id in self.by_intent or intent_id in self.past_intents:
            raise UsageError(f"intent {intent_id} already has an order; it is never sent twice")
        order = Order(self._ids.next(), approved)
        self.open[order.order_id] = order
        self.by_intent[intent_id] = order.order_id
        order.apply(Trigger.PREPARE)
        return order

    def take_child(self, parent: Order, label: int, quantity: Decimal, form: Form) -> Order:
        """A new order that works a part of `parent`, PREPARED."""
        order = Order.child(
            parent,
            self._ids.next(),
            str(label),
            quantity=quantity,
            order_type=form.order_type,
            limit_price=form.limit_price,
            stop_price=form.stop_price,
            time_in_force=form.time_in_force,
            terms=form.terms,
        )
        self.open[order.order_id] = order
        order.apply(Trigger.PREPARE)
        return order

    # --- to the venue ----------------------------------------------------------------------------------------

    def submit(self, order: Order, form: Form | None = None) -> None:
        """Send a prepared order; its state is told before the broker can answer."""
        order.apply(Trigger.SEND)
        self.tell(order)
        told = order if form is None else form
        self._emit(
            SubmitOrder(
                self.clock.now(),
                order.venue,
                order.order_id,
                order.symbol,
                order.side,
                order.quantity,
                told.order_type,
                told.limit_price,
                told.stop_price,
                told.time_in_force,
                order.reduce_only,
                told.terms,
            )
        )

    def request_cancel(self, order: Order, reason: str = "") -> None:
        """Ask the venue to cancel an order that may be there."""
        order.apply(Trigger.REQUEST_CANCEL, reason)
        self.tell(order)
        self._emit(CancelOrder(self.clock.now(), order.venue, order.order_id))

    def request_change(
        self,
        order: Order,
        quantity: Decimal | None,
        limit_price: Decimal | None,
        stop_price: Decimal | None,
        number: int,
    ) -> None:
        """Ask the venue to change an order."""
        now = self.clock.now()
        self._emit(ModifyOrder(now, order.venue, order.order_id, quantity, limit_price, stop_price, number))

    # --- telling ---------------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Tell something that is not an order's state."""
        self._emit(event)

    def tell(self, order: Order, reason: str = "") -> None:
        """Tell an order's state, and keep it where orders of that state are."""
        if order.is_open:
            if self.closed.pop(order.order_id, None) is not None:
                self.open[order.order_id] = order  # a late fill contradicted what we believed
        elif self.open.pop(order.order_id, None) is not None:
            self._close(order)
        self._emit(order.update(self.clock.now(), reason))

    def end(self, order: Order, trigger: Trigger, reason: str = "") -> None:
        """Make the transition that ends an order, and tell it."""
        order.apply(trigger, reason)
        self.tell(order)

    def tell_of_nobody(self, ts: int, order_id: str, reason: str, symbol: str = "") -> None:
        """Tell of an order that is not ours."""
        unknown = OrderStatus.UNKNOWN
        self._emit(OrderUpdate(ts, "external", "", order_id, symbol, None, None, ZERO, ZERO, unknown, reason))

    def _close(self, order: Order) -> None:
        self.closed[order.order_id] = order
        if len(self.closed) > self._closed_kept:
            self._forget(self.closed.popitem(last=False)[1])

    def _forget(self, order: Order) -> None:
        self.trades.forget(order.order_id)
        self.works.pop(order.order_id, None)
        if order.parent_id:
            return
        self.by_intent.pop(order.intent_id, None)
        self.past_intents[order.intent_id] = None
        if len(self.past_intents) > self._remembered:
            self.past_intents.popitem(last=False)
