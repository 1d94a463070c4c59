"""Orders that need more than being sent: emulated types and ends, OCO groups, parents.

`SpecialOrders` brings together what does one thing each: `Holding` waits for prices, `Expiry` for moments,
`OcoGroups` keeps groups, `Parents` makes children for a worker (`Replacer`, `AlgorithmDesk`).
"""

from collections.abc import Callable, Collection
from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import BrokerReport, MarketEvent, ReportKind
from tradingd.domain.order import Order, Trigger
from tradingd.domain.ports import InstrumentLookup, TimerService
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import PLAIN, Requote
from tradingd.domain.venue import EVERYTHING, Venues
from tradingd.execution.algodesk import AlgorithmDesk
from tradingd.execution.changes import Changes
from tradingd.execution.expiry import Alarms, Expiry
from tradingd.execution.holding import Holding
from tradingd.execution.needs import NOTHING, Needs, form_of, needs_of
from tradingd.execution.oco import OcoGroups
from tradingd.execution.parents import Parents
from tradingd.execution.register import OrderRegister
from tradingd.execution.replacing import Replacer
from tradingd.execution.work import Work, Worker

__all__ = ["SpecialOrders"]

_RETRY_NS = 5_000_000_000
"""How long to wait before an order whose time is over is canceled again, when the venue has refused."""


class SpecialOrders:
    """Does for orders what their venue does not, and works parents."""

    def __init__(
        self,
        register: OrderRegister,
        changes: Changes,
        *,
        venues: Venues,
        timers: TimerService | None,
        prices: PriceBoard,
        instruments: InstrumentLookup | None,
        algorithms: Collection[str],
        timeout: Requote | None,
        watch: Callable[[str], None],
    ) -> None:
        self.watch = watch
        self._register = register
        self._changes = changes
        self._venues = venues
        self._timeout = timeout
        clock = register.clock
        self.alarms = Alarms(timers)
        self.holding = Holding(self, clock, prices, instruments)
        self.expiry = Expiry(self, clock, self.alarms)
        self.groups = OcoGroups(self)
        self.parents = Parents(self, register, self.holding)
        self.algorithms = AlgorithmDesk(self, register, self.parents, algorithms)
        self._replacer = Replacer(self, self.parents, self.holding, self.alarms, clock, instruments)

    # --- an order's way --------------------------------------------------------------------------------------

    def place(self, order: Order) -> None:
        """Take on a prepared order."""
        able = self._venues.get(order.venue, EVERYTHING)
        needs = needs_of(order, able, timeout=self._timeout, algorithms=self.algorithms.names)
        if needs == NOTHING:
            self._register.submit(order, None if order.terms is PLAIN else form_of(order, needs))
            return
        refusal = needs.refusal or self._timer_refusal(needs)
        if refusal:
            self._register.end(order, Trigger.VOID, refusal)
            return
        work = Work(order, able, needs)
        self._register.works[order.order_id] = work
        if needs.group:
            self.groups.join(work)
            self.groups.enforce(work)
            if not order.is_open:
                return  # others of its group have filled all there is
        if needs.ended:
            self.expiry.watch_end(work)
        if needs.held:
            self.holding.hold(work)
        else:
            self.release(work)

    def release(self, work: Work) -> None:
        """What an order was held for has come, or it waited for nothing: send it, or have it worked."""
        order, needs = work.order, work.needs
        if self._register.refusing:
            self.end(work, Trigger.VOID, self._register.refusing)
            return
        if work.triggered and (work.is_out or self.groups.must_wait(work) or work.is_out):
            return  # what had to make way for it may have been over at once, and have sent it
        if needs.priced and not self._would_rest(work):
            return
        self.holding.drop(work)
        self.expiry.watch_timeout(work)
        worker: Worker | None = self._replacer if needs.replaced else None
        if needs.algorithm:
            worker = self.algorithms
        if worker is None:
            self._register.submit(order, form_of(order, needs))
        else:
            self.parents.adopt(work, worker)

    def _would_rest(self, work: Work) -> bool:
        """Whether a post-only order may go now; it ends when it would trade, and is held when nobody knows."""
        trades = self.holding.would_trade(work.order, work.order.limit_price)
        if trades is None:
            if not self.holding.holds(work):
                self.holding.hold_for_price(work)
            return False
        if trades:
            self.end(work, Trigger.VOID, f"POST_ONLY: at {work.order.limit_price} it would trade at once")
        return not trades

    def cancel(self, work: Work, reason: str, ends_as: Trigger = Trigger.CANCEL) -> None:
        """Cancel an open order: at once where nothing of it was sent."""
        order = work.order
        if not order.is_open or (ends_as is Trigger.EXPIRE and order.status is OrderStatus.CANCELING):
            return
        work.ends_as = ends_as
        if work.worker is not None:
            self.parents.cancel(work, ends_as, reason)
        elif order.status is OrderStatus.PREPARED:
            self.end(work, ends_as, reason)
        else:
            self._register.request_cancel(order, reason)

    def modify(
        self, work: Work, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> str:
        """Change an order for its strategy; returns why not, or nothing when that is done or under way."""
        refusal = self.change(work, quantity, limit_price, stop_price)
        if not refusal:
            self.groups.rebase(work, quantity)
        return refusal

    def change(
        self,
        work: Work,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> str:
        """Change an order: at once where nothing of it was sent."""
        order = work.order
        if work.worker is not None:
            return work.worker.change(work, quantity, limit_price, stop_price)
        if order.status is OrderStatus.PREPARED:
            order.amend(quantity, limit_price, stop_price)
            if self.holding.holds(work):
                self.holding.moved(work)
            self.tell(work, "MODIFIED")
            return ""
        if stop_price is not None and work.triggered:
            return "it has triggered already"
        return "" if self._changes.ask(order, quantity, limit_price, stop_price) else "the order is not open"

    def shrink(self, work: Work, quantity: Decimal) -> str:
        """Make less of an open order, also while it is being replaced."""
        if work.worker is not None and work.worker.shrink(work, quantity):
            return ""
        return self.change(work, quantity=quantity)

    def kept(self, work: Work) -> None:
        """The venue will not change or replace an order: its group has to know."""
        self.groups.refused(work)

    def tell(self, work: Work, reason: str = "") -> None:
        """Tell an order's state, and clean up after one that is over."""
        self._register.tell(work.order, reason)
        if not work.order.is_open:
            self._over(work)

    def end(self, work: Work, trigger: Trigger, reason: str) -> None:
        """Make the transition that ends an order, and tell it."""
        work.order.apply(trigger, reason)
        self.tell(work)
        self.groups.enforce(work)

    # --- what the venue says ---------------------------------------------------------------------------------

    def count(self, work: Work, order: Order, quantity: Decimal) -> None:
        """Count a fill of an order for its parent and its group."""
        if order is not work.order:
            work.pay(order, quantity)
            work.order.apply_fill(quantity)
        self.groups.count(work, quantity)

    def after_fill(self, work: Work, order: Order, reason: str) -> None:
        """A fill has been told, with its order's state: go on."""
        if order is not work.order:
            self.tell(work, reason)
        self._go_on(work, order)

    def after_report(self, work: Work, order: Order, report: BrokerReport) -> None:
        """The venue's report has been told with its order's state: go on."""
        if order is not work.order and not order.is_open:
            work.owes(order, report.filled)
        if report.kind is ReportKind.MODIFY_REJECTED:
            self.kept(work)
        elif order is work.order:
            self.groups.told(work, report.kind)
        self._go_on(work, order)

    def on_market_data(self, event: MarketEvent) -> None:
        """Look at a market event for the orders that wait for one."""
        self.holding.on_market_data(event)
        self.expiry.on_market_data(event)

    # --- inside ----------------------------------------------------------------------------------------------

    def _go_on(self, work: Work, order: Order) -> None:
        if order is not work.order:
            self.parents.on_child(work, order)
        elif not order.is_open:
            self._over(work)
        if work.overdue and work.order.status is OrderStatus.OPEN:
            self.alarms.set("expire", work, self._register.clock.now() + _RETRY_NS)
        self.groups.enforce(work)

    def _over(self, work: Work) -> None:
        """The order is over: nothing waits for it any more."""
        if work.over:
            return
        work.over = True
        self.holding.drop(work)
        self.expiry.forget(work)
        self.groups.leave(work)
        if work.worker is not None:
            work.worker.on_over(work)

    def _timer_refusal(self, needs: Needs) -> str:
        if self.alarms.work or not (needs.ended or needs.timeout or needs.replaced):
            return ""
        return "UNSUPPORTED: this engine was given no timers, so nothing can be ended or re-quoted in time"
