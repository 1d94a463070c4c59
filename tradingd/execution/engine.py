"""The execution engine: sole owner of orders and client order ids."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import (
    MARKET_EVENTS,
    ApprovedOrder,
    BrokerReport,
    CancelCommand,
    EventType,
    Fill,
    ModifyCommand,
    ReportKind,
    TradeReport,
)
from tradingd.domain.money import sub
from tradingd.domain.order import TRANSITIONS, Order, Trigger
from tradingd.domain.ports import Clock, Emit, InstrumentLookup, Stage, TimerService
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import PLAIN, Requote
from tradingd.domain.venue import EVERYTHING, Venues
from tradingd.errors import UsageError
from tradingd.execution.changes import Changes
from tradingd.execution.expiry import OWNER
from tradingd.execution.ids import OrderIds
from tradingd.execution.register import OrderRegister
from tradingd.execution.special import SpecialOrders
from tradingd.execution.trades import is_trade
from tradingd.execution.work import Work

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
    each trade exactly once (by venue, symbol, trade id and side) and emits one `Fill` for it. Memory is bounded:
    the latest `closed_kept` closed orders are remembered for late fills and duplicates, and the latest
    `remembered` intents and trades beyond those.

    A report that cannot be true of its order (the table of states has no such row, the trade has no id, no
    quantity or another symbol) changes nothing of the order and is told as an `OrderUpdate` whose reason begins
    with CONTRADICTION: a venue's nonsense must not stop the engine, and must not pass unseen. What is our own
    doing (a second order for one intent, a transition of ours that the table forbids) raises.

    What a venue lacks is emulated, and an order with an algorithm or a re-quote is worked by children: see
    `SpecialOrders` and docs/execution.md. `venues` tells what each venue can do (everything, unless told),
    `unfilled_timeout_ns` is for limit orders without a word of their own, `algorithms` are the names of those that
    are registered, and `reroute` is called when market events of another symbol are needed.

    Reasons that others may rely on begin with MODIFIED, MODIFY_REJECTED (the order stays as it was), OVERTAKEN (a
    change was made, and all of it changed again by a later one that was told before), HELD, REQUOTED, OVERFILL,
    CONTRADICTION or EXTERNAL; those of orders that end without having been sent (VOID) with UNSUPPORTED,
    WRONG_TERMS, WRONG_PARAMETER, UNKNOWN_ALGORITHM, ALGORITHM_FAULTED or POST_ONLY.
    """

    stage: ClassVar[Stage] = Stage.EXECUTION
    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {
            EventType.ORDER,
            EventType.CANCEL,
            EventType.MODIFY,
            EventType.BROKER_REPORT,
            EventType.TRADE_REPORT,
            EventType.TIMER,
            EventType.FAULT,
            EventType.ALGO_DONE,
            EventType.CHILD_ORDER,
            EventType.CHILD_CANCEL,
            *MARKET_EVENTS,
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
        venues: Venues | None = None,
        timers: TimerService | None = None,
        prices: PriceBoard | None = None,
        instruments: InstrumentLookup | None = None,
        algorithms: Collection[str] = (),
        unfilled_timeout_ns: int = 0,
        reroute: Callable[[], None] | None = None,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._register = OrderRegister(
            emit, clock, ids or OrderIds(), closed_kept=closed_kept, remembered=remembered
        )
        self._changes = Changes(self._register)
        self._watched: frozenset[str] = frozenset()
        self._reroute = reroute
        self._special = SpecialOrders(
            self._register,
            self._changes,
            venues=venues or {},
            timers=timers,
            prices=prices if prices is not None else PriceBoard(),
            instruments=instruments,
            algorithms=algorithms,
            timeout=Requote(after_ns=unfilled_timeout_ns) if unfilled_timeout_ns else None,
            watch=self._watch,
        )
        able = all(venue == EVERYTHING for venue in (venues or {}).values())
        self._sends_plain = able and not unfilled_timeout_ns
        """Whether an order without terms is simply sent."""

    # --- public calls --------------------------------------------------------------------------------------

    @property
    def orders(self) -> Mapping[str, Order]:
        """The orders that are not terminal, parents and children both, by client order id; read only."""
        return MappingProxyType(self._register.open)

    @property
    def watched(self) -> frozenset[str]:
        """The symbols whose market events some order waits for, or has waited for."""
        return self._watched

    def get_order(self, order_id: str) -> Order | None:
        """A working or recently closed order."""
        return self._register.get(order_id)

    def place_order(self, order: ApprovedOrder) -> str:
        """Send an approved order, or do for it what its terms ask; returns its client order id.

        Raises:
            UsageError: the order was not approved by risk, or its intent already has an order.

        """
        if not isinstance(order, ApprovedOrder):
            raise UsageError(f"execution accepts only orders that risk has approved, not {type(order).__name__}")
        owned = self._register.take(order)
        if self._register.refusing:
            self._register.end(owned, Trigger.VOID, self._register.refusing)
        elif self._sends_plain and order.terms is PLAIN:
            self._register.submit(owned)
        else:
            self._special.place(owned)
        return owned.order_id

    def cancel_order(self, order_id: str, reason: str = "") -> bool:
        """Cancel an order, at the venue or here; False when it is not open (any more)."""
        order = self._register.open.get(order_id)
        if order is None:
            return False
        work = self._work_of(order)
        if work is None:
            self._register.request_cancel(order, reason)
        elif order is work.order:
            self._special.cancel(work, reason)
        else:
            self._special.parents.cancel_child(order, reason)
        return True

    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> bool:
        """Change an open order, at the venue or here; False when it cannot be changed (any more)."""
        return not self._modify(order_id, quantity, limit_price, stop_price)

    def cancel_all(self, reason: str = "", *, spare_reducing: bool = False) -> int:
        """Cancel every open order that is not being canceled, children with their parents; returns how many.

        `spare_reducing` leaves those at work that can only reduce: the stops of what is held.
        """
        open_orders = [
            order
            for order in self._register.open.values()
            if order.status is not OrderStatus.CANCELING
            and not order.parent_id
            and not (spare_reducing and order.reduce_only)
        ]
        return sum(self.cancel_order(order.order_id, reason) for order in open_orders)

    def refuse_new(self, reason: str) -> None:
        """Send no new order from now on: approved ones become VOID. Cancels still go out."""
        self._register.refusing = reason

    # --- events --------------------------------------------------------------------------------------------

    def on_order(self, event: ApprovedOrder) -> None:
        """Place an approved order."""
        self.place_order(event)

    def on_cancel(self, command: CancelCommand) -> None:
        """Cancel the order of an intent, if it has one that is open."""
        order_id = self._register.by_intent.get(command.intent_id)
        if order_id is not None:
            self.cancel_order(order_id, command.reason)

    def on_modify(self, command: ModifyCommand) -> None:
        """Change the order of an intent; tell its present state when that is not possible (any more)."""
        order_id = self._register.by_intent.get(command.intent_id, "")
        refusal = self._modify(order_id, command.quantity, command.limit_price, command.stop_price)
        if refusal:
            order = self.get_order(order_id)
            if order is not None:
                self._emit(order.update(self._clock.now(), f"MODIFY_REJECTED: {refusal}"))

    def on_broker_report(self, report: BrokerReport) -> None:
        """Apply what the venue says of an order; a report about an order that is not ours is told as external."""
        order = self._register.get(report.order_id)
        if order is None:
            self._tell_external(report)
            return
        if report.exchange_order_id:
            order.exchange_order_id = report.exchange_order_id
        work = self._work_of(order)
        if report.kind is ReportKind.MODIFY_REJECTED or report.kind is ReportKind.MODIFIED:
            if not self._changes.is_news(order, report):
                return
            self._tell(order, self._changes.answered(order, report))
        else:
            self._apply(order, work, report)
        if work is not None:
            self._special.after_report(work, order, report)

    def on_trade_report(self, report: TradeReport) -> None:
        """Apply a trade once: count it, tell the fill, tell the order's new state.

        A trade of an order that is not ours, that was never sent, or whose symbol or side is not that order's, is
        money all the same: it is booked as told, under the strategy id `external`; one that the venue forced on us
        is told as such.
        """
        order = self._register.get(report.order_id)
        trades = self._register.trades
        booked_for = trades.order_of(report)
        if booked_for is not None:
            if booked_for != report.order_id:
                self._contradict(order, report, f"trade {report.trade_id} is of order {booked_for} already")
            return
        if not is_trade(report):
            self._contradict(order, report, f"no trade: {report.quantity} at {report.price}, {report.trade_id!r}")
            return
        trades.add(report, ours=order is not None)
        if order is None:
            self._tell_fill(None, report)
        elif (order.symbol, order.side) != (report.symbol, report.side):
            self._tell_fill(None, report)
            self._contradict(order, report, f"a trade of it: {report.side} {report.symbol}")
            if order.symbol != report.symbol:
                self._contradict(None, report, f"booked for {order.order_id}, an order in {order.symbol}")
        elif order.status is OrderStatus.PREPARED:
            self._tell_fill(None, report)
            self._contradict(order, report, f"a trade of it, when nothing of it was sent: {report.quantity}")
        else:
            self._fill(order, report)

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        special = self._special
        return {
            EventType.ORDER: self.on_order,
            EventType.CANCEL: self.on_cancel,
            EventType.MODIFY: self.on_modify,
            EventType.BROKER_REPORT: self.on_broker_report,
            EventType.TRADE_REPORT: self.on_trade_report,
            EventType.TIMER: special.alarms.on_timer,
            EventType.FAULT: special.algorithms.on_fault,
            EventType.ALGO_DONE: special.algorithms.on_done,
            EventType.CHILD_ORDER: special.algorithms.on_child_order,
            EventType.CHILD_CANCEL: special.algorithms.on_child_cancel,
            **dict.fromkeys(MARKET_EVENTS, special.on_market_data),
        }

    def event_filter(self, event_type: EventType) -> frozenset[str] | None:
        """The symbols that orders wait for, its own timers, and all of the rest."""
        if event_type in MARKET_EVENTS:
            return self._watched
        return _OWN if event_type is EventType.TIMER else None

    # --- inside --------------------------------------------------------------------------------------------

    def _watch(self, symbol: str) -> None:
        """Take the market events of a symbol from now on; it stays so, since routes are found anew each time."""
        if symbol not in self._watched:
            self._watched |= {symbol}
            if self._reroute is not None:
                self._reroute()

    def _work_of(self, order: Order) -> Work | None:
        return self._register.work_of(order) if self._register.works else None

    def _modify(
        self, order_id: str, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> str:
        """Change an order; returns why not, or nothing when that is done or under way."""
        order = self._register.open.get(order_id)
        if order is None or order.parent_id:
            return "the order is not open"
        work = self._work_of(order)
        if work is not None:
            return self._special.modify(work, quantity, limit_price, stop_price)
        asked = self._changes.ask(order, quantity, limit_price, stop_price)
        return "" if asked else "the order is not open"

    def _apply(self, order: Order, work: Work | None, report: BrokerReport) -> None:
        """Make the transition that a report asks for, where the table has it."""
        trigger = _TRIGGERS[report.kind]
        if work is not None and trigger is Trigger.CANCEL and order is work.order:
            trigger = work.ends_as
        if trigger in TRANSITIONS[order.status]:
            order.apply(trigger, report.reason)
            self._tell(order, report.reason)
            return
        said = f"reported {report.kind.name} when it was {order.status}. {report.reason}"
        self._tell_contradiction(order, said.rstrip())

    def _fill(self, order: Order, report: TradeReport) -> None:
        work, before = self._work_of(order), order.status
        self._changes.count(order, report.quantity)
        if work is None:
            self._tell_fill(order, report)
            self._tell(order, _oddity(before, sub(order.filled, order.quantity)))
            return
        self._special.count(work, order, report.quantity)
        self._tell_fill(order, report)
        oddity = _oddity(before, work.total_over())
        self._tell(order, oddity if order is work.order else "")
        self._special.after_fill(work, order, oddity)

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
                order.booked_as if order else "",
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
            self._register.tell_of_nobody(report.ts, report.order_id, f"CONTRADICTION: {what}", report.symbol)
        else:
            self._tell_contradiction(order, what)

    def _tell_contradiction(self, order: Order, what: str) -> None:
        """Tell of an order, and of its parent, what cannot be true of it."""
        self._tell(order, f"CONTRADICTION: {what}")
        work = self._work_of(order)
        if work is not None and order is not work.order:
            self._special.tell(work, f"CONTRADICTION: {order.order_id}, a part of it: {what}")

    def _tell(self, order: Order, reason: str = "") -> None:
        self._register.tell(order, reason)
        if self._changes.under_way and not order.is_open:
            self._changes.forget(order)

    def _tell_external(self, report: BrokerReport) -> None:
        """Somebody else's order at the venue: nothing of ours changes, but it is not kept quiet."""
        reason = f"EXTERNAL: {report.kind.name} for an order that is not ours. {report.reason}".rstrip()
        self._register.tell_of_nobody(report.ts, report.order_id, reason)


_OWN = frozenset({OWNER})


_NEVER_THERE = frozenset({OrderStatus.REJECTED, OrderStatus.VOID})


def _oddity(before: OrderStatus, over: Decimal) -> str:
    """What is wrong with a fill of an order: in that state before it, and by now `over` its quantity."""
    told = f"OVERFILL: {over} more than ordered" if over > 0 else ""
    return f"CONTRADICTION: it filled when it was {before}" if before in _NEVER_THERE else told
