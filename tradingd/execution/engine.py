"""The execution engine: sole owner of orders and client order ids."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import (
    ApprovedOrder,
    BrokerReport,
    CancelCommand,
    CancelOrder,
    EventType,
    Fill,
    ModifyCommand,
    ModifyOrder,
    OrderUpdate,
    ReportKind,
    SubmitOrder,
    TradeReport,
)
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.order import TRANSITIONS, Order, Trigger
from tradingd.domain.ports import Clock, Emit
from tradingd.errors import UsageError
from tradingd.execution.ids import OrderIds
from tradingd.execution.trades import BookedTrades

__all__ = ["ExecutionEngine"]

_TRIGGERS = {
    ReportKind.ACCEPTED: Trigger.ACCEPT,
    ReportKind.REJECTED: Trigger.REJECT,
    ReportKind.CANCELED: Trigger.CANCEL,
    ReportKind.EXPIRED: Trigger.EXPIRE,
    ReportKind.CANCEL_REJECTED: Trigger.CANCEL_REJECT,
    ReportKind.UNKNOWN: Trigger.LOSE,
    ReportKind.ABSENT: Trigger.VOID,
}


_CHANGEABLE = frozenset({OrderStatus.SENDING, OrderStatus.OPEN})


class ExecutionEngine:
    """Turns approved orders into orders at a venue, and the venue's reports into facts told once.

    It accepts only what risk has approved. Brokers report at least once and in any order; this engine applies
    each trade exactly once (by venue, symbol, trade id and side) and emits one `Fill` for it. Memory is bounded:
    the latest `closed_kept` closed orders are remembered for late fills and duplicates, and the latest
    `remembered` intents and trades beyond those.

    A report that cannot be true of its order (the table of states has no such row, the trade has no id, no
    quantity or another symbol) changes nothing of the order and is told as an `OrderUpdate` whose reason begins
    with CONTRADICTION: a venue's nonsense must not stop the engine, and must not pass unseen. What is our own
    doing (a second order for one intent, a transition of ours that the table forbids) raises.

    Reasons that others may rely on begin with MODIFIED, MODIFY_REJECTED (the order stays as it was), OVERFILL,
    CONTRADICTION or EXTERNAL.
    """

    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {
            EventType.ORDER,
            EventType.CANCEL,
            EventType.MODIFY,
            EventType.BROKER_REPORT,
            EventType.TRADE_REPORT,
        }
    )

    def __init__(
        self,
        *,
        emit: Emit,
        clock: Clock,
        ids: OrderIds | None = None,
        closed_kept: int = 10_000,
        remembered: int = 100_000,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._ids = ids or OrderIds()
        self._closed_kept = closed_kept
        self._remembered = remembered
        self._open: dict[str, Order] = {}
        self._closed: dict[str, Order] = {}
        self._by_intent: dict[str, str] = {}
        self._past_intents: dict[str, None] = {}
        self._trades = BookedTrades(remembered)
        self._raises: dict[str, tuple[Decimal, Decimal]] = {}
        """(before, asked for): the quantities of orders with a change under way that raises theirs."""
        self._refusing = ""

    # --- public calls --------------------------------------------------------------------------------------

    @property
    def orders(self) -> Mapping[str, Order]:
        """The orders that are not terminal, by client order id; read only."""
        return MappingProxyType(self._open)

    def get_order(self, order_id: str) -> Order | None:
        """A working or recently closed order."""
        return self._open.get(order_id) or self._closed.get(order_id)

    def place_order(self, order: ApprovedOrder) -> str:
        """Send an approved order to its venue's broker; returns its client order id.

        Raises:
            UsageError: the order was not approved by risk, or its intent already has an order.

        """
        if not isinstance(order, ApprovedOrder):
            raise UsageError(f"execution accepts only orders that risk has approved, not {type(order).__name__}")
        if order.intent_id in self._by_intent or order.intent_id in self._past_intents:
            raise UsageError(f"intent {order.intent_id} already has an order; it is never sent twice")
        owned = Order(self._ids.next(), order)
        self._open[owned.order_id] = owned
        self._by_intent[owned.intent_id] = owned.order_id
        owned.apply(Trigger.PREPARE)
        if self._refusing:
            owned.apply(Trigger.VOID, self._refusing)
            self._tell(owned)
            return owned.order_id
        owned.apply(Trigger.SEND)
        self._tell(owned)  # before the broker can answer
        self._emit(
            SubmitOrder(
                self._clock.now(),
                owned.venue,
                owned.order_id,
                owned.symbol,
                owned.side,
                owned.quantity,
                owned.order_type,
                owned.limit_price,
                owned.stop_price,
                owned.time_in_force,
                owned.reduce_only,
                owned.terms,
            )
        )
        return owned.order_id

    def cancel_order(self, order_id: str, reason: str = "") -> bool:
        """Ask the broker to cancel; False when the order is not open (any more)."""
        order = self._open.get(order_id)
        if order is None:
            return False
        order.apply(Trigger.REQUEST_CANCEL, reason)
        self._tell(order)
        self._emit(CancelOrder(self._clock.now(), order.venue, order_id))
        return True

    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> bool:
        """Ask the broker to change an open order; False when it is not open, unknown or being canceled."""
        order = self._open.get(order_id)
        if order is None or order.status not in _CHANGEABLE:
            return False
        before, asked = self._raises.get(order_id, (order.quantity, order.quantity))
        if quantity is not None and quantity > asked:
            self._raises[order_id] = before, quantity
        self._emit(ModifyOrder(self._clock.now(), order.venue, order_id, quantity, limit_price, stop_price))
        return True

    def cancel_all(self, reason: str = "") -> int:
        """Ask to cancel every open order that is not being canceled; returns how many."""
        open_orders = [order for order in self._open.values() if order.status is not OrderStatus.CANCELING]
        return sum(self.cancel_order(order.order_id, reason) for order in open_orders)

    def refuse_new(self, reason: str) -> None:
        """Send no new order from now on: approved ones become VOID. Cancels still go out."""
        self._refusing = reason

    # --- events --------------------------------------------------------------------------------------------

    def on_order(self, event: ApprovedOrder) -> None:
        """Place an approved order."""
        self.place_order(event)

    def on_cancel(self, command: CancelCommand) -> None:
        """Cancel the order of an intent, if it has one that is open."""
        order_id = self._by_intent.get(command.intent_id)
        if order_id is not None:
            self.cancel_order(order_id, command.reason)

    def on_modify(self, command: ModifyCommand) -> None:
        """Change the order of an intent; tell its present state when that is not possible (any more)."""
        order_id = self._by_intent.get(command.intent_id, "")
        if not self.modify_order(order_id, command.quantity, command.limit_price, command.stop_price):
            order = self.get_order(order_id)
            if order is not None:
                self._emit(order.update(self._clock.now(), "MODIFY_REJECTED: the order is not open"))

    def on_broker_report(self, report: BrokerReport) -> None:
        """Apply what the venue says of an order; a report about an order that is not ours is told as external."""
        order = self.get_order(report.order_id)
        if order is None:
            self._tell_external(report)
            return
        if report.exchange_order_id:
            order.exchange_order_id = report.exchange_order_id
        if report.kind is ReportKind.MODIFY_REJECTED:
            self._end_change(order)
            self._tell(order, f"MODIFY_REJECTED: {report.reason}")
        elif report.kind is ReportKind.MODIFIED:
            self._modified(order, report)
        elif _TRIGGERS[report.kind] not in TRANSITIONS[order.status]:
            said = f"reported {report.kind.name} when it was {order.status}. {report.reason}"
            self._tell(order, f"CONTRADICTION: {said}".rstrip())
        else:
            order.apply(_TRIGGERS[report.kind], report.reason)
            self._tell(order, report.reason)

    def on_trade_report(self, report: TradeReport) -> None:
        """Apply a trade once: count it, tell the fill, tell the order's new state.

        A trade of an order that is not ours, or whose symbol or side is not that order's, is money all the same:
        it is booked as told, under the strategy id `external`; one that the venue forced on us is told as such.
        """
        order = self.get_order(report.order_id)
        booked_for = self._trades.order_of(report)
        if booked_for is not None:
            if booked_for != report.order_id:
                self._contradict(order, report, f"trade {report.trade_id} is of order {booked_for} already")
            return
        if not _is_trade(report):
            self._contradict(order, report, f"no trade: {report.quantity} at {report.price}, {report.trade_id!r}")
            return
        self._trades.add(report, ours=order is not None)
        if order is not None and (order.symbol, order.side) != (report.symbol, report.side):
            self._tell_fill(None, report)
            self._contradict(order, report, f"a trade of it: {report.side} {report.symbol}")
            return
        if order is not None:
            self._count(order, report.quantity)
        self._tell_fill(order, report)
        if order is not None:
            self._tell(order, _overfill(order))

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        return {
            EventType.ORDER: self.on_order,
            EventType.CANCEL: self.on_cancel,
            EventType.MODIFY: self.on_modify,
            EventType.BROKER_REPORT: self.on_broker_report,
            EventType.TRADE_REPORT: self.on_trade_report,
        }

    # --- inside --------------------------------------------------------------------------------------------

    def _count(self, order: Order, quantity: Decimal) -> None:
        """Count a fill; while the quantity is being raised, one that reaches the old quantity completes nothing.

        The venue may have raised it already and tell so only after the fill: its answer decides.
        """
        _, asked = self._raises.get(order.order_id, (order.quantity, order.quantity))
        if asked > order.quantity and add(order.filled, quantity) >= order.quantity:
            order.amend(asked, None, None)
        order.apply_fill(quantity)

    def _end_change(self, order: Order) -> None:
        """The venue has rejected a change: take back a quantity that was assumed."""
        before, _ = self._raises.pop(order.order_id, (order.quantity, order.quantity))
        if before < order.quantity:
            order.amend(before, None, None)
            self._complete(order)

    def _modified(self, order: Order, report: BrokerReport) -> None:
        """The venue has changed the order, which proves besides that it has it."""
        self._raises.pop(order.order_id, None)
        if order.status is OrderStatus.FILLED and report.quantity is not None and report.quantity > order.filled:
            self._tell(order, f"CONTRADICTION: changed to {report.quantity} when {order.filled} had completed it")
            return
        order.apply(Trigger.ACCEPT)
        order.amend(report.quantity, report.limit_price, report.stop_price)
        self._complete(order)
        self._tell(order, "MODIFIED")

    def _complete(self, order: Order) -> None:
        """An order whose quantity has become no more than what is filled is complete."""
        if order.is_open and order.filled >= order.quantity:
            order.apply(Trigger.COMPLETE)

    def _tell_fill(self, order: Order | None, report: TradeReport) -> None:
        self._emit(
            Fill(
                report.ts,
                report.symbol,
                report.side,
                report.quantity,
                report.price,
                report.fees,
                order.strategy_id if order else "external",
                order.intent_id if order else "",
                report.order_id,
                report.trade_id,
                report.venue,
                report.liquidity,
                report.forced and order is None,
            )
        )

    def _contradict(self, order: Order | None, report: TradeReport, what: str) -> None:
        """Tell of a trade report that cannot be true of its order."""
        if order is None:
            self._tell_of_nobody(report.ts, report.order_id, f"CONTRADICTION: {what}", report.symbol)
        else:
            self._tell(order, f"CONTRADICTION: {what}")

    def _tell(self, order: Order, reason: str = "") -> None:
        if order.is_open:
            if self._closed.pop(order.order_id, None) is not None:
                self._open[order.order_id] = order  # a late fill contradicted what we believed
        elif self._open.pop(order.order_id, None) is not None:
            self._close(order)
        self._emit(order.update(self._clock.now(), reason))

    def _tell_external(self, report: BrokerReport) -> None:
        """Somebody else's order at the venue: nothing of ours changes, but it is not kept quiet."""
        reason = f"EXTERNAL: {report.kind.name} for an order that is not ours. {report.reason}".rstrip()
        self._tell_of_nobody(report.ts, report.order_id, reason)

    def _tell_of_nobody(self, ts: int, order_id: str, reason: str, symbol: str = "") -> None:
        unknown = OrderStatus.UNKNOWN
        self._emit(OrderUpdate(ts, "external", "", order_id, symbol, None, None, ZERO, ZERO, unknown, reason))

    def _close(self, order: Order) -> None:
        self._raises.pop(order.order_id, None)
        self._closed[order.order_id] = order
        if len(self._closed) > self._closed_kept:
            self._forget(self._closed.pop(next(iter(self._closed))))

    def _forget(self, order: Order) -> None:
        self._trades.forget(order.order_id)
        self._by_intent.pop(order.intent_id, None)
        self._past_intents[order.intent_id] = None
        if len(self._past_intents) > self._remembered:
            del self._past_intents[next(iter(self._past_intents))]


def _is_trade(report: TradeReport) -> bool:
    """Whether a report tells of a trade that can be booked, and booked once."""
    amounts = (report.quantity, report.price)
    return bool(report.trade_id) and all(amount.is_finite() and amount > 0 for amount in amounts)


def _overfill(order: Order) -> str:
    over = sub(order.filled, order.quantity)
    return f"OVERFILL: {over} more than ordered" if over > 0 else ""
