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
from tradingd.domain.money import sub
from tradingd.domain.order import Order, Trigger
from tradingd.domain.ports import Clock, Emit
from tradingd.errors import UsageError
from tradingd.execution.ids import OrderIds

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


class ExecutionEngine:
    """Turns approved orders into orders at a venue, and the venue's reports into facts told once.

    It accepts only what risk has approved. Brokers report at least once and in any order; this engine applies
    each trade exactly once (by venue, symbol and trade id, for as long as it remembers the order) and emits one
    `Fill` for it. Closed orders are remembered, the latest `closed_kept` of them, for late fills and duplicates.
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
        self, *, emit: Emit, clock: Clock, ids: OrderIds | None = None, closed_kept: int = 10_000
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._ids = ids or OrderIds()
        self._closed_kept = closed_kept
        self._open: dict[str, Order] = {}
        self._closed: dict[str, Order] = {}
        self._by_intent: dict[str, str] = {}
        self._trades_seen: dict[str, set[tuple[str, str, str]]] = {}
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
        if order.intent_id in self._by_intent:
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
        """Ask the broker to change an open order; False when it is not open or a cancel is under way."""
        order = self._open.get(order_id)
        if order is None or order.status is OrderStatus.CANCELING:
            return False
        command = ModifyOrder(self._clock.now(), order.venue, order_id, quantity, limit_price, stop_price)
        self._emit(command)
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
        if report.kind is ReportKind.MODIFIED:
            order.amend(report.quantity, report.limit_price, report.stop_price)
            self._tell(order, "MODIFIED")
        elif report.kind is ReportKind.MODIFY_REJECTED:
            self._tell(order, f"MODIFY_REJECTED: {report.reason}")
        else:
            order.apply(_TRIGGERS[report.kind], report.reason)
            self._tell(order, report.reason)

    def on_trade_report(self, report: TradeReport) -> None:
        """Apply a trade once: count it, tell the fill, tell the order's new state."""
        key = (report.venue, report.symbol, report.trade_id)
        seen = self._trades_seen.setdefault(report.order_id, set())
        if key in seen:
            return
        order = self.get_order(report.order_id)
        if order is not None:
            order.apply_fill(report.quantity)
        seen.add(key)
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
            )
        )
        if order is not None:
            over = sub(order.filled, order.quantity)
            self._tell(order, f"OVERFILL: {over} more than ordered" if over > 0 else "")

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
        self._emit(
            OrderUpdate(
                report.ts,
                "external",
                "",
                report.order_id,
                "",
                None,
                None,
                Decimal(0),
                Decimal(0),
                OrderStatus.UNKNOWN,
                reason,
            )
        )

    def _close(self, order: Order) -> None:
        self._closed[order.order_id] = order
        if len(self._closed) > self._closed_kept:
            oldest = next(iter(self._closed))
            self._by_intent.pop(self._closed.pop(oldest).intent_id, None)
            self._trades_seen.pop(oldest, None)
