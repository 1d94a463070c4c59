"""The execution engine: changes of working orders."""

from decimal import Decimal
from typing import Any

import pytest

from tests.execution.desk import Desk, K, S
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import ModifyCommand, ModifyOrder, OrderUpdate
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
