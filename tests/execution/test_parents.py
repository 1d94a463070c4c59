"""Parents and children: one intent worked by several orders at the venue."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.execution.desk import K, S
from tests.execution.floor import Floor, lacking
from tradingd.domain.enums import OrderStatus, OrderType
from tradingd.domain.events import ChildCancel, ChildOrder, Fill, OrderUpdate
from tradingd.domain.terms import AlgoSpec, OrderTerms
from tradingd.execution.algorithms.base import Algorithm, Parent
from tradingd.execution.algorithms.params import Params

D = Decimal


class Manual(Algorithm):
    """Does nothing of itself: the test asks for children in its name."""

    def accept(self, parent: Parent, params: Params) -> None:
        """Take anything."""

    def advance(self, parent: Parent) -> None:
        """Leave it to the test."""


TERMS = OrderTerms(algo=AlgoSpec("manual"))


class Parents(Floor):
    """A floor whose one algorithm is the test; a parent for 10 is placed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        fields = options.pop("fields", {})
        super().__init__(*args, algorithms={"manual": Manual}, **options)
        self.parent_id = self.place(terms=TERMS, **fields)

    def child(self, number: int, quantity: Any, price: str | None = None) -> str:
        """Ask for a child: its client order id, "" when it was refused."""
        sent = len(self.sent)
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        limit = None if price is None else D(price)
        self.manager.emit(ChildOrder(self.clock.now(), "manual", "s:1", number, D(quantity), kind, limit))
        return self.latest if len(self.sent) > sent else ""

    @property
    def parent(self) -> Any:
        """The parent."""
        return self.engine.get_order(self.parent_id)


def test_parent_is_never_sent() -> None:
    """The parent is held, and the venue sees only children."""
    floor = Parents()
    assert floor.told() == [S.PREPARED]
    child = floor.child(1, 4)
    assert [order.order_id for order in floor.sent] == [child]
    assert floor.told() == [S.PREPARED, S.SENDING, S.OPEN]


def test_child_names_its_parent() -> None:
    """A child's updates have an intent of its own and its parent's id; its fills have the parent's intent."""
    floor = Parents()
    child = floor.child(1, 4)
    floor.fill(child, 4)
    told = {(u.intent_id, u.parent_id) for u in floor.log.of(OrderUpdate) if u.order_id == child}
    assert told == {("s:1/1", floor.parent_id)}
    fill = floor.log.last(Fill)
    assert (fill.intent_id, fill.order_id, fill.strategy_id) == ("s:1", child, "s")


def test_parent_fills_with_its_children() -> None:
    """The parent's filled quantity is the sum of its children's; the last fill completes it."""
    floor = Parents()
    first, second = floor.child(1, 4), floor.child(2, 6)
    floor.fill(second, 5)
    floor.fill(first, 4)
    assert (floor.parent.filled, floor.parent.status) == (D(9), S.OPEN)
    floor.fill(second, 1)
    assert floor.told() == [S.PREPARED, S.SENDING, S.OPEN, S.FILLED]


@pytest.mark.parametrize("quantity", ["7", "0", "-1"])
def test_no_child_beyond_what_is_left(quantity: str) -> None:
    """A child greater than what is left of the parent, or of no quantity, is refused."""
    floor = Parents()
    floor.child(1, 4)
    assert floor.child(2, quantity) == ""


def test_unknown_child_keeps_its_share() -> None:
    """A child whose fate is unknown counts in full, and keeps its parent open."""
    floor = Parents()
    child = floor.child(1, 4)
    floor.report(child, K.UNKNOWN)
    assert floor.child(2, 7) == ""
    assert floor.child(3, 6) != ""
    floor.venue.answers = False
    floor.cancel()
    floor.report(floor.latest, K.CANCELED)
    assert floor.parent.status is S.CANCELING
    floor.report(child, K.ABSENT)
    assert floor.parent.status is S.CANCELED


def test_rejected_child_gives_back() -> None:
    """What a rejected or canceled child has not filled can be asked for again."""
    floor = Parents()
    child = floor.child(1, 10)
    floor.fill(child, 3)
    floor.report(child, K.CANCELED)
    assert floor.child(2, 8) == ""
    assert floor.child(3, 7) != ""


def test_child_that_is_owed_trades() -> None:
    """What the venue says has filled of a canceled child counts, before its trades are told."""
    floor = Parents()
    child = floor.child(1, 10)
    floor.report(child, K.CANCELED, filled=D(6))
    assert floor.child(2, 5) == ""
    floor.fill(child, 4)
    floor.fill(child, 2)
    assert floor.child(3, 5) == ""
    assert floor.child(4, 4) != ""


def test_cancel_of_a_parent() -> None:
    """Canceling the parent cancels its children; it ends when they all have, and gets no new ones meanwhile."""
    floor = Parents()
    first, second = floor.child(1, 4), floor.child(2, 3)
    floor.venue.answers = False
    floor.cancel()
    assert floor.canceled() == [first, second]
    assert floor.child(3, 1) == ""
    floor.report(first, K.CANCELED)
    assert floor.parent.status is S.CANCELING
    floor.fill(second, 3)
    assert (floor.parent.status, floor.parent.filled) == (S.CANCELED, D(3))


def test_cancel_before_the_first_child() -> None:
    """A parent that has sent nothing is canceled at once."""
    floor = Parents()
    floor.cancel()
    assert floor.told() == [S.PREPARED, S.CANCELED]


def test_refused_cancel_of_a_parent() -> None:
    """When the venue refuses to cancel the last child the parent is open again, and can be canceled again."""
    floor = Parents()
    child = floor.child(1, 4)
    floor.venue.answers = False
    floor.cancel()
    floor.report(child, K.CANCEL_REJECTED)
    assert floor.parent.status is S.OPEN
    floor.venue.answers = True
    floor.cancel()
    assert floor.parent.status is S.CANCELED


def test_late_fill_of_a_child() -> None:
    """A fill of a child that comes after the parent's end is booked and counted."""
    floor = Parents()
    child = floor.child(1, 4)
    floor.cancel()
    floor.fill(child, 4)
    assert (floor.parent.status, floor.parent.filled, floor.fills) == (S.CANCELED, D(4), [("s:1", 4)])


def test_child_that_lives_after_all() -> None:
    """A child that was thought refused and is alive puts its parent, which was over, in doubt until it is over."""
    floor = Parents()
    child = floor.child(1, 4)
    floor.report(child, K.REJECTED)
    floor.cancel()
    assert floor.parent.status is S.CANCELED
    floor.report(child, K.ACCEPTED)
    assert floor.parent.status is S.UNKNOWN
    assert floor.reason().startswith("CONTRADICTION")
    floor.fill(child, 1)
    floor.report(child, K.CANCELED)
    assert (floor.parent.status, floor.parent.filled) == (S.CANCELED, D(1))


def test_overfilled_child_is_told_of_the_parent() -> None:
    """A venue that fills more than it was asked for is told as OVERFILL of the intent."""
    floor = Parents()
    child = floor.child(1, 10)
    floor.fill(child, 12)
    assert floor.reason() == "OVERFILL: 2 more than ordered"


def test_complete_parent_cancels_what_still_works() -> None:
    """When an overfill completes the parent, the children that still work are canceled."""
    floor = Parents()
    first, second = floor.child(1, 5), floor.child(2, 5)
    floor.fill(first, 10)
    assert floor.canceled() == [second]


def test_contradiction_of_a_child_is_told_of_the_parent() -> None:
    """Risk, which hears of the parent only, hears of a child's contradiction."""
    floor = Parents()
    child = floor.child(1, 4)
    floor.report(child, K.CANCELED)
    floor.report(child, K.REJECTED)
    assert floor.reason().startswith("CONTRADICTION: ")


def test_child_keeps_to_the_parents_limit() -> None:
    """A child with a limit price worse than its parent's is refused."""
    floor = Parents(fields={"order_type": OrderType.LIMIT, "limit_price": "100"})
    assert floor.child(1, 1, "100.01") == ""
    assert floor.child(2, 1, "100") != ""


def test_market_child_of_a_limit_parent() -> None:
    """A market child of a parent with a limit price is refused."""
    floor = Parents(fields={"order_type": OrderType.LIMIT, "limit_price": "100"})
    assert floor.child(1, 1) == ""


def test_no_children_while_stopping() -> None:
    """When new orders are refused, so are children."""
    floor = Parents()
    floor.engine.refuse_new("STOPPING")
    assert floor.child(1, 4) == ""


def test_children_are_canceled_with_all() -> None:
    """Canceling all orders cancels each child once, through its parent."""
    floor = Parents()
    child = floor.child(1, 4)
    assert floor.engine.cancel_all("STOPPING") == 1
    assert floor.canceled() == [child]


def test_reused_number() -> None:
    """A number that was used for a child is refused."""
    floor = Parents()
    floor.child(1, 2)
    assert floor.child(1, 2) == ""


def test_memory_is_bounded() -> None:
    """What is kept of parents goes when their orders are forgotten."""
    floor = Floor(lacking("modify"), closed_kept=10)
    for number in range(100):
        floor.limit("90", f"s:{number}")
        floor.fill(floor.latest, 10)
    assert len(floor.engine._register.works) <= 10
    assert len(floor.engine._register.by_intent) <= 10


# --- the invariant -------------------------------------------------------------------------------------------


class Chaos(RuleBasedStateMachine):
    """A venue that answers late, twice, in any order; but when it cancels, it says how much has filled."""

    @initialize()
    def begin(self) -> None:
        self.floor = Parents()
        self.floor.venue.answers = False
        self.numbers = 0
        self.real: dict[str, list[Any]] = {}
        """By child: its quantity, what it has really filled, what of that was told, and whether it is over."""

    @rule(quantity=st.integers(1, 12))
    def ask(self, quantity: int) -> None:
        self.numbers += 1
        child = self.floor.child(self.numbers, quantity)
        if child:
            self.real[child] = [quantity, 0, 0, False]

    def pick(self, number: int) -> str:
        return sorted(self.real)[number % len(self.real)]

    @precondition(lambda self: self.real)
    @rule(number=st.integers(0, 50), part=st.integers(1, 12), now=st.booleans())
    def trade(self, number: int, part: int, *, now: bool) -> None:
        """The venue fills a part; it may tell at once or later."""
        child = self.pick(number)
        quantity, filled, _, over = self.real[child]
        part = min(part, quantity - filled)
        if over or not part:
            return
        self.real[child][1] += part
        if now:
            self.tell_trades(number)

    @precondition(lambda self: self.real)
    @rule(number=st.integers(0, 50))
    def tell_trades(self, number: int) -> None:
        child = self.pick(number)
        _, filled, told, _ = self.real[child]
        if filled > told:
            self.real[child][2] = filled
            self.floor.fill(child, filled - told)

    @precondition(lambda self: self.real)
    @rule(number=st.integers(0, 50))
    def end(self, number: int) -> None:
        """The venue cancels what is left, perhaps again."""
        child = self.pick(number)
        self.real[child][3] = True
        self.floor.report(child, K.CANCELED, filled=D(self.real[child][1]))

    @precondition(lambda self: self.real)
    @rule(number=st.integers(0, 50), kind=st.sampled_from([K.ACCEPTED, K.UNKNOWN, K.CANCEL_REJECTED]))
    def say(self, number: int, kind: Any) -> None:
        self.floor.report(self.pick(number), kind)

    @precondition(lambda self: self.real)
    @rule(number=st.integers(0, 50))
    def cancel_child(self, number: int) -> None:
        label = int(self.floor.engine.get_order(self.pick(number)).intent_id.partition("/")[2])  # type: ignore[union-attr]
        self.floor.manager.emit(ChildCancel(self.floor.clock.now(), "manual", "s:1", label))

    @rule()
    def cancel(self) -> None:
        self.floor.cancel()

    @invariant()
    def never_promises_more_than_it_has(self) -> None:
        """What has really filled, and what may still fill at the venue, is no more than the parent."""
        if not hasattr(self, "floor"):
            return
        exposed = sum(filled if over else quantity for quantity, filled, _, over in self.real.values())
        assert exposed <= 10

    @invariant()
    def sums_up_its_children(self) -> None:
        if not hasattr(self, "floor"):
            return
        children = [self.floor.engine.get_order(child) for child in self.real]
        parent = self.floor.parent
        assert parent.filled == sum(child.filled for child in children if child is not None)
        assert parent.filled == sum(told for _, _, told, _ in self.real.values())
        if not parent.is_open:
            assert not any(child.is_open for child in children if child is not None)


Chaos.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestChaos = Chaos.TestCase


@given(st.lists(st.sampled_from(list(OrderStatus)), max_size=3))
@settings(max_examples=20, deadline=None)
def test_a_parent_over_has_no_open_child(statuses: list[OrderStatus]) -> None:
    """However its children end, a canceled parent is over exactly when none of them may fill."""
    floor = Parents()
    ends = {
        S.FILLED: None,
        S.CANCELED: K.CANCELED,
        S.REJECTED: K.REJECTED,
        S.EXPIRED: K.EXPIRED,
        S.UNKNOWN: K.UNKNOWN,
    }
    children = [floor.child(number, 2) for number in range(1, len(statuses) + 1)]
    floor.venue.answers = False
    floor.cancel()
    for child, status in zip(children, statuses, strict=True):
        kind = ends.get(status)
        if kind is not None:
            floor.report(child, kind)
        elif status in ends:
            floor.fill(child, 2)
    still = [child for child in children if child in floor.engine.orders]
    assert floor.parent.is_open == bool(still)
