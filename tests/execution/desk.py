"""An execution engine with a log: what its tests share. The test plays risk and the broker."""

from decimal import Decimal
from typing import Any

from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import ApprovedOrder, BrokerReport, Fill, OrderUpdate, ReportKind, TradeReport
from tradingd.domain.money import to_decimal
from tradingd.domain.order import Order
from tradingd.execution.engine import ExecutionEngine
from tradingd.testing import EventLog, ManualClock, at

S = OrderStatus
K = ReportKind


def approved(intent_id: str = "s:1", **fields: Any) -> ApprovedOrder:
    """A market order to buy 10 AAPL."""
    defaults: dict[str, Any] = {
        "ts": at(0),
        "strategy_id": "s",
        "symbol": "AAPL",
        "venue": "SIM",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "order_type": OrderType.MARKET,
        "limit_price": None,
        "stop_price": None,
        "time_in_force": TimeInForce.GTC,
        "reduce_only": False,
    }
    return ApprovedOrder(intent_id=intent_id, **{**defaults, **fields})


def report(order_id: str, kind: ReportKind, **fields: Any) -> BrokerReport:
    """A broker's report."""
    return BrokerReport(at(1), "SIM", order_id, kind, **fields)


def trade(order_id: str, trade_id: str, quantity: Any, **fields: Any) -> TradeReport:
    """A broker's report of a purchase of AAPL at 100."""
    defaults: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "price": Decimal(100)}
    return TradeReport(at(1), "SIM", order_id, trade_id, quantity=to_decimal(quantity), **{**defaults, **fields})


class Desk:
    """An engine; `placed` is the id of its one order, already sent, when it was asked for."""

    def __init__(self, *, place: bool = True, **options: Any) -> None:
        self.log = EventLog()
        self.clock = ManualClock(at(0))
        self.engine = ExecutionEngine(emit=self.log, clock=self.clock, **options)
        self.placed = self.engine.place_order(approved()) if place else ""
        self.log.clear()

    @property
    def order(self) -> Order:
        """The order."""
        order = self.engine.get_order(self.placed)
        assert order is not None
        return order

    def tell(self, *kinds: ReportKind, **fields: Any) -> None:
        """Report of the order."""
        for kind in kinds:
            self.engine.on_broker_report(report(self.placed, kind, **fields))

    def trade(self, trade_id: str, quantity: Any, **fields: Any) -> None:
        """Report a trade of the order."""
        self.engine.on_trade_report(trade(self.placed, trade_id, quantity, **fields))

    def bring_to(self, status: OrderStatus) -> None:
        """Let the venue bring the order into a state, and forget how that was told."""
        if status is S.CANCELING:
            self.engine.cancel_order(self.placed)
        elif status is S.FILLED:
            self.trade("T-all", 10)
        elif status is S.VOID:
            self.tell(K.UNKNOWN, K.ABSENT)
        elif status is not S.SENDING:
            self.tell(K.ACCEPTED if status is S.OPEN else K[status.name])
        assert self.order.status is status
        self.log.clear()

    @property
    def fills(self) -> list[tuple[str, Decimal]]:
        """The fills told, as (trade id, quantity)."""
        return [(fill.trade_id, fill.quantity) for fill in self.log.of(Fill)]

    @property
    def statuses(self) -> list[OrderStatus]:
        """The order's states as told."""
        return [update.status for update in self.log.of(OrderUpdate)]

    @property
    def code(self) -> str:
        """The latest update's reason, up to the colon."""
        return self.log.last(OrderUpdate).reason.partition(":")[0]
