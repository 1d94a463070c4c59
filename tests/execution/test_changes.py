"""The execution engine: changes of working orders."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.execution.desk import Desk, K, S
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import ModifyCommand, ModifyOrder, OrderUpdate, ReportKind
from tradingd.testing import at


def change(desk: Desk, **fields: Any) -> None:
    """Risk passes a change on."""
    terms = {"quantity": None, "limit_price": None, "stop_price": None, **fields}
    desk.engine.on_modify(ModifyCommand(at(0), "s:1", **terms))


def opened(filled: int = 0) -> Desk:
    """A desk with an open order."""
    desk = Desk()
    desk.tell(K.ACCEPTED)
    if filled:
        desk.trade("T0", filled)
    desk.log.clear()
    return desk


@pytest.mark.parametrize("status", [S.SENDING, S.OPEN])
def test_change_goes_to_the_broker(status: OrderStatus) -> None:
    """A change of a working order goes to its broker; the order stays as it was until the venue has answered."""
    desk = Desk()
    desk.bring_to(status)
    change(desk, limit_price=Decimal(99))
    sent = desk.log.last(ModifyOrder)
    assert (sent.order_id, sent.quantity, sent.limit_price) == (desk.placed, None, 99)
    assert desk.order.limit_price is None


@pytest.mark.parametrize("status", [S.CANCELING, S.UNKNOWN, S.FILLED, S.CANCELED])
def test_order_that_cannot_be_changed(status: OrderStatus) -> None:
    """A change of an order that is over, unknown or being canceled is answered as rejected, and not sent."""
    desk = Desk()
    desk.bring_to(status)
    change(desk, quantity=Decimal(5))
    assert [type(event) for event in desk.log.events] == [OrderUpdate]
    assert (desk.statuses, desk.code) == ([status], "MODIFY_REJECTED")


def test_modified() -> None:
    """The order takes over what the venue has confirmed, and tells it."""
    desk = opened()
    desk.tell(K.MODIFIED, quantity=Decimal(7), limit_price=Decimal(99))
    told = desk.log.last(OrderUpdate)
    assert (told.status, told.quantity, told.limit_price, told.reason) == (S.OPEN, 7, 99, "MODIFIED")


def test_modify_rejected() -> None:
    """A change that the venue rejects leaves the order as it was, and tells so with the venue's reason."""
    desk = opened()
    change(desk, quantity=Decimal(7))
    desk.tell(K.MODIFY_REJECTED, reason="TICK: no")
    told = desk.log.last(OrderUpdate)
    assert (told.status, told.quantity, told.reason) == (S.OPEN, 10, "MODIFY_REJECTED: TICK: no")


def test_change_proves_that_the_order_exists() -> None:
    """A confirmed change ends the doubt about an order whose fate was unknown."""
    desk = Desk()
    desk.bring_to(S.UNKNOWN)
    desk.tell(K.MODIFIED, quantity=Decimal(7))
    assert desk.statuses == [S.OPEN]


def test_changed_to_what_is_filled() -> None:
    """An order whose quantity is changed to what is filled is complete."""
    desk = opened(filled=4)
    desk.tell(K.MODIFIED, quantity=Decimal(4))
    assert desk.statuses == [S.FILLED]
    assert not desk.engine.orders


def test_fill_overtakes_the_confirmation_of_a_raise() -> None:
    """A fill beyond the old quantity that comes before the raise is confirmed is no overfill."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.trade("T1", 15)
    desk.tell(K.MODIFIED, quantity=Decimal(20))
    assert desk.statuses == [S.OPEN, S.OPEN]
    assert (desk.order.quantity, desk.order.filled) == (20, 15)


def test_old_quantity_is_filled_while_it_is_being_raised() -> None:
    """An order filled to its old quantity is not taken for complete until the venue has answered its raise."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.trade("T1", 10)
    assert desk.statuses == [S.OPEN]


def test_raise_is_rejected_after_the_fill() -> None:
    """An order that was filled while its raise was under way is complete when the raise is rejected."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.trade("T1", 10)
    desk.tell(K.MODIFY_REJECTED, reason="too late")
    assert desk.statuses[-1] is S.FILLED
    assert desk.order.quantity == 10


def test_raise_is_rejected_before_the_fill() -> None:
    """After a rejected raise the old quantity completes the order."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.tell(K.MODIFY_REJECTED)
    desk.trade("T1", 10)
    assert desk.statuses[-1] is S.FILLED


def test_more_than_the_raise() -> None:
    """A fill beyond even the raised quantity is an overfill."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.trade("T1", 21)
    assert desk.code == "OVERFILL"


def test_order_ends_with_a_change_under_way() -> None:
    """A change that was under way when its order ended leaves nothing behind."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.tell(K.CANCELED)
    assert not desk.engine._changes._raises


def test_completed_order_cannot_grow() -> None:
    """A venue that tells of a filled order growing contradicts; the order stays as it was."""
    desk = opened(filled=10)
    desk.tell(K.MODIFIED, quantity=Decimal(20))
    assert (desk.order.status, desk.order.quantity, desk.code) == (S.FILLED, 10, "CONTRADICTION")


def test_venue_grants_less_than_asked() -> None:
    """An order is complete at the quantity that the venue has confirmed, not at the one that was asked for."""
    desk = opened()
    change(desk, quantity=Decimal(20))
    desk.tell(K.MODIFIED, quantity=Decimal(15))
    desk.trade("T1", 15)
    assert desk.statuses[-1] is S.FILLED


# --- answers that tell what they answer --------------------------------------------------------------------


def asked(desk: Desk, **fields: Any) -> int:
    """Ask for a change; the number it got."""
    change(desk, **fields)
    return desk.log.last(ModifyOrder).change


def test_older_of_two_answers_comes_last() -> None:
    """What the later change made stays; the older answer is told as overtaken."""
    desk = opened()
    first = asked(desk, quantity=Decimal(5), limit_price=Decimal(99))
    second = asked(desk, quantity=Decimal(7), limit_price=Decimal(98))
    desk.tell(K.MODIFIED, quantity=Decimal(7), limit_price=Decimal(98), change=second)
    desk.tell(K.MODIFIED, quantity=Decimal(5), limit_price=Decimal(99), change=first)
    assert (second > first, desk.order.quantity, desk.order.limit_price) == (True, 7, 98)
    assert (desk.code, desk.statuses[-1]) == ("OVERTAKEN", S.OPEN)


def test_older_answer_tells_what_the_later_change_left() -> None:
    """An older change of another value is in force beside the later one."""
    desk = opened()
    first, second = asked(desk, quantity=Decimal(5)), asked(desk, limit_price=Decimal(98))
    desk.tell(K.MODIFIED, limit_price=Decimal(98), change=second)
    desk.tell(K.MODIFIED, quantity=Decimal(5), limit_price=Decimal(99), change=first)
    assert (desk.order.quantity, desk.order.limit_price, desk.code) == (5, 98, "MODIFIED")


@pytest.mark.parametrize("kind", [K.MODIFIED, K.MODIFY_REJECTED])
def test_answer_that_comes_twice(kind: ReportKind) -> None:
    """Each answer is told once: the second could be taken for the answer to another change."""
    desk = opened()
    first = asked(desk, quantity=Decimal(5))
    asked(desk, quantity=Decimal(20))
    for _ in range(2):
        desk.tell(kind, quantity=Decimal(5), change=first)
    assert [update.reason.partition(":")[0] for update in desk.log.of(OrderUpdate)] == [kind.name]


def test_change_that_was_made_after_all() -> None:
    """An order that is found changed when its change was taken for rejected is what it was found to be."""
    desk = opened()
    number = asked(desk, quantity=Decimal(5))
    desk.tell(K.MODIFY_REJECTED, change=number)
    desk.tell(K.MODIFIED, quantity=Decimal(5), change=number)
    assert (desk.order.quantity, desk.code) == (5, "MODIFIED")


def test_answer_without_values() -> None:
    """A venue that tells nothing but that it has changed the order has changed it."""
    desk = opened()
    desk.tell(K.MODIFIED, change=asked(desk, limit_price=Decimal(99)))
    assert desk.code == "MODIFIED"


def test_raise_that_is_under_way_when_another_is_answered() -> None:
    """A fill to the quantity of the first raise completes nothing while the second is unanswered."""
    desk = opened()
    first, second = asked(desk, quantity=Decimal(20)), asked(desk, quantity=Decimal(30))
    desk.tell(K.MODIFIED, quantity=Decimal(20), change=first)
    desk.trade("T1", 20)
    between = desk.order.status
    desk.tell(K.MODIFIED, quantity=Decimal(30), change=second)
    assert (between, desk.order.status, desk.order.quantity, desk.code) == (S.OPEN, S.OPEN, 30, "MODIFIED")


@pytest.mark.parametrize("first", [K.MODIFIED, K.MODIFY_REJECTED])
def test_last_raise_is_rejected(first: ReportKind) -> None:
    """When the last of several raises is rejected, an order that has filled what the venue gave it is complete."""
    desk = opened()
    numbers = asked(desk, quantity=Decimal(20)), asked(desk, quantity=Decimal(30))
    given = 20 if first is K.MODIFIED else 10
    desk.tell(first, quantity=Decimal(20) if first is K.MODIFIED else None, change=numbers[0])
    desk.trade("T1", given)
    desk.tell(K.MODIFY_REJECTED, change=numbers[1])
    assert (desk.order.status, desk.order.quantity) == (S.FILLED, given)


def test_overtaken_raise_is_not_waited_for() -> None:
    """A greater quantity that a later change took back is under way no more, answered or not."""
    desk = opened()
    asked(desk, quantity=Decimal(30))
    desk.tell(K.MODIFIED, quantity=Decimal(15), change=asked(desk, quantity=Decimal(15)))
    desk.trade("T1", 15)
    assert desk.order.status is S.FILLED


def test_broker_that_never_says_what_it_answers() -> None:
    """Its answers count as they come, and what is remembered of the questions is bounded."""
    desk = opened()
    for price in range(1, 201):
        change(desk, limit_price=Decimal(price))
        desk.tell(K.MODIFIED, limit_price=Decimal(price))
    assert (desk.order.limit_price, len(desk.order.changes) < 100) == (200, True)


CHANGE = st.tuples(st.none() | st.integers(5, 30), st.none() | st.integers(90, 99), st.booleans()).filter(
    lambda change: change[:2] != (None, None)
)


@given(st.lists(CHANGE, min_size=1, max_size=5), st.booleans(), st.data())
def test_answers_in_any_order(changes: list[Any], whole: bool, data: st.DataObject) -> None:  # noqa: FBT001
    """However answers are permuted and repeated, the order becomes what the venue made of it; each is told once.

    Venues tell all of an order's values, or those that were changed.
    """
    desk = opened()
    values: dict[str, Decimal] = {"quantity": Decimal(10), "limit_price": Decimal(100)}
    answers: list[tuple[ReportKind, dict[str, Any]]] = []
    for quantity, limit, granted in changes:
        named = (("quantity", quantity), ("limit_price", limit))
        wanted = {name: Decimal(value) for name, value in named if value is not None}
        number = asked(desk, **wanted)
        if granted:
            values |= wanted
            answers.append((K.MODIFIED, {**(values if whole else wanted), "change": number}))
        else:
            answers.append((K.MODIFY_REJECTED, {"change": number}))
    again = data.draw(st.lists(st.sampled_from(answers), max_size=4), label="again")
    desk.log.clear()
    for kind, fields in data.draw(st.permutations([*answers, *again]), label="order"):
        desk.tell(kind, **fields)
    assert (desk.order.quantity, desk.order.limit_price or 100) == (values["quantity"], values["limit_price"])
    assert (len(desk.statuses), desk.order.changes, desk.engine._changes.under_way) == (len(changes), (), False)
