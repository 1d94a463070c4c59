"""Execution's side of algorithms: hands them parents, checks the children they ask for, tells them what became."""

from collections.abc import Collection
from decimal import Decimal

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import AlgoDone, AlgoOrder, AlgoUpdate, ChildCancel, ChildOrder, StrategyFaulted
from tradingd.domain.money import ZERO
from tradingd.domain.order import Order, Trigger
from tradingd.execution.parents import Parents
from tradingd.execution.register import OrderRegister
from tradingd.execution.work import Desk, Work

__all__ = ["AlgorithmDesk", "component_name"]


def component_name(algorithm: str) -> str:
    """The name under which an algorithm is registered with the event manager."""
    return f"algo.{algorithm}"


class AlgorithmDesk:
    """Works parents through algorithm components."""

    def __init__(self, desk: Desk, register: OrderRegister, parents: Parents, names: Collection[str]) -> None:
        self.names = frozenset(names)
        self._desk = desk
        self._register = register
        self._parents = parents
        self._faulted: dict[str, str] = {}

    # --- as a worker -----------------------------------------------------------------------------------------

    def begin(self, work: Work) -> None:
        """Hand a parent to its algorithm."""
        order, algo = work.order, work.order.terms.algo
        if algo is None:
            return
        if algo.name in self._faulted:
            self._desk.end(work, Trigger.VOID, f"ALGORITHM_FAULTED: {algo.name}: {self._faulted[algo.name]}")
            return
        self._desk.tell(work, f"HELD: worked by {algo.name}")
        self._register.emit(
            AlgoOrder(
                self._register.clock.now(),
                algo.name,
                order.intent_id,
                order.symbol,
                order.side,
                order.quantity,
                order.limit_price,
                algo.params,
            )
        )

    def on_child(self, work: Work, child: Order, label: int) -> None:
        """Tell the algorithm of a child; that it is over only when its trades are all there."""
        if child.order_id in work.owed:
            return
        self._tell(work, label, child.status, child.filled, child.reason)

    def on_over(self, work: Work) -> None:
        """Tell the algorithm that its parent is over."""
        self._tell(work, 0, work.order.status, work.order.filled, work.order.reason)

    def change(
        self, work: Work, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> str:
        """An algorithm's plan is for the order as it was."""
        del work, quantity, limit_price, stop_price
        return "an order that an algorithm works is not changed; cancel it and ask for another"

    def shrink(self, work: Work, quantity: Decimal) -> bool:
        """Nothing that an algorithm works is being changed."""
        del work, quantity
        return False

    # --- what algorithms ask ---------------------------------------------------------------------------------

    def on_child_order(self, wanted: ChildOrder) -> None:
        """Send a child, or tell its algorithm why not."""
        work = self._work(wanted.algorithm, wanted.intent_id)
        if work is None:
            return
        refusal = self._parents.send(work, wanted.child, wanted.quantity, wanted.order_type, wanted.limit_price)
        if refusal:
            self._tell(work, wanted.child, OrderStatus.VOID, ZERO, refusal)

    def on_child_cancel(self, wanted: ChildCancel) -> None:
        """Ask the venue to cancel a child."""
        work = self._work(wanted.algorithm, wanted.intent_id)
        child = None if work is None else work.children.get(wanted.child)
        if child is not None:
            self._parents.cancel_child(child, "the algorithm's wish")

    def on_done(self, done: AlgoDone) -> None:
        """The parent is over as soon as its children are; VOID when it never had one."""
        work = self._work(done.algorithm, done.intent_id)
        if work is not None and not work.ending:
            unsent = work.order.status is OrderStatus.PREPARED
            self._parents.finish(work, Trigger.VOID if unsent else Trigger.CANCEL, done.reason)

    def on_fault(self, fault: StrategyFaulted) -> None:
        """An algorithm is out of order: what it worked is canceled."""
        name = fault.strategy_id.removeprefix(component_name(""))
        if name == fault.strategy_id or name not in self.names:
            return
        self._faulted[name] = fault.error
        for work in tuple(self._register.works.values()):
            algo = work.order.terms.algo
            if algo is not None and algo.name == name and work.worker is self and work.order.is_open:
                self._desk.cancel(work, f"ALGORITHM_FAULTED: {fault.error}")

    def _work(self, algorithm: str, intent_id: str) -> Work | None:
        """An open parent that this algorithm works; None for any other."""
        work = self._register.works.get(self._register.by_intent.get(intent_id, ""))
        if work is None or work.worker is not self or not work.order.is_open:
            return None
        algo = work.order.terms.algo
        return work if algo is not None and algo.name == algorithm else None

    def _tell(self, work: Work, label: int, status: OrderStatus, filled: Decimal, reason: str) -> None:
        algo = work.order.terms.algo
        if algo is None:
            return
        now, order = self._register.clock.now(), work.order
        self._register.emit(AlgoUpdate(now, algo.name, order.intent_id, label, status, filled, reason))
