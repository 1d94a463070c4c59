"""The execution engine: placing, canceling, and what brokers report."""

from decimal import Decimal
from typing import Any

import pytest

from tests.execution.desk import Desk, K, S, approved, report, trade
from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import (
    CancelCommand,
    CancelOrder,
    EventType,
    OrderRequest,
    OrderUpdate,
    ReportKind,
    SubmitOrder,
)
from tradingd.domain.order import TRANSITIONS, Trigger
from tradingd.errors import IllegalTransitionError, UsageError
from tradingd.execution.ids import OrderIds
from tradingd.testing import at

KINDS_OF_STATE = [kind for kind in ReportKind if kind not in {K.MODIFIED, K.MODIFY_REJECTED}]
TRIGGER_OF = {
    K.ACCEPTED: Trigger.ACCEPT,
    K.REJECTED: Trigger.REJECT,
    K.CANCELED: Trigger.CANCEL,
    K.EXPIRED: Trigger.EXPIRE,
    K.CANCEL_REJECTED: Trigger.CANCEL_REJECT,
    K.UNKNOWN: Trigger.LOSE,
    K.ABSENT: Trigger.VOID,
}
REACHABLE = [S.SENDING, S.OPEN, S.CANCELING, S.UNKNOWN, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.VOID]


# --- placing -------------------------------------------------------------------------------------------------


def test_only_approved_orders() -> None:
    """Anything but an order that risk has approved is refused."""
    request = OrderRequest(at(0), "s", "s:1", "AAPL", Side.BUY, Decimal(1))
    with pytest.raises(UsageError, match="approved"):
        Desk(place=False).engine.place_order(request)  # type: ignore[arg-type]


def test_state_is_told_before_the_broker_can_answer() -> None:
    """An order's state is told before the order is handed to the broker."""
    desk = Desk(place=False)
    desk.engine.on_order(approved())
    assert [type(event) for event in desk.log.events] == [OrderUpdate, SubmitOrder]
    assert desk.statuses == [S.SENDING]


def test_submitted_as_approved() -> None:
    """The broker gets the order's terms unchanged, under the order's own id."""
    desk = Desk(place=False)
    terms: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(99), "reduce_only": True}
    order_id = desk.engine.place_order(approved(**terms, side=Side.SELL))
    sent = desk.log.last(SubmitOrder)
    assert (sent.order_id, sent.venue, sent.side, sent.quantity) == (order_id, "SIM", Side.SELL, 10)
    assert {name: getattr(sent, name) for name in terms} == terms


def test_one_order_per_intent() -> None:
    """A second order for one intent is refused."""
    desk = Desk()
    with pytest.raises(UsageError, match="never sent twice"):
        desk.engine.place_order(approved())


def test_one_order_per_intent_ever() -> None:
    """An intent is never sent twice, also when its order has long been forgotten."""
    desk = Desk(closed_kept=0)
    desk.tell(K.REJECTED)
    assert desk.engine.get_order(desk.placed) is None
    with pytest.raises(UsageError, match="never sent twice"):
        desk.engine.place_order(approved())


def test_remembered_intents_are_bounded() -> None:
    """The memory for intents of forgotten orders does not grow without bound."""
    desk = Desk(place=False, closed_kept=1, remembered=5)
    for number in range(20):
        order_id = desk.engine.place_order(approved(f"s:{number}"))
        desk.engine.on_broker_report(report(order_id, K.REJECTED))
    assert len(desk.engine._register.past_intents) == 5
    assert len(desk.engine._register.by_intent) == 1


def test_order_ids() -> None:
    """A client order id is prefix and epoch, instance and a counter."""
    ids = OrderIds(prefix="x", epoch=7, instance="b", counter=40)
    assert [ids.next(), ids.next()] == ["x7-b-41", "x7-b-42"]


def test_orders_have_ids_of_their_own() -> None:
    """Each order gets another id."""
    desk = Desk(place=False)
    made = [desk.engine.place_order(approved(f"s:{number}")) for number in range(3)]
    assert made == ["t1-1-1", "t1-1-2", "t1-1-3"]


def test_refusing() -> None:
    """While new orders are refused an approved one becomes VOID and is not sent."""
    desk = Desk(place=False)
    desk.engine.refuse_new("stopping")
    desk.engine.on_order(approved())
    assert desk.statuses == [S.VOID]
    assert desk.log.last(OrderUpdate).reason == "stopping"
    assert not desk.log.of(SubmitOrder)


def test_cancels_go_out_while_refusing() -> None:
    """Cancels still go out while new orders are refused."""
    desk = Desk()
    desk.engine.refuse_new("stopping")
    assert desk.engine.cancel_order(desk.placed)
    assert desk.log.of(CancelOrder)


# --- canceling -----------------------------------------------------------------------------------------------


def test_cancel() -> None:
    """A cancel is told as CANCELING before the broker is asked; the reason is kept."""
    desk = Desk()
    desk.engine.on_cancel(CancelCommand(at(0), "s:1", "enough"))
    assert [type(event) for event in desk.log.events] == [OrderUpdate, CancelOrder]
    assert desk.statuses == [S.CANCELING]
    assert desk.log.last(OrderUpdate).reason == "enough"


@pytest.mark.parametrize("status", [status for status in REACHABLE if status.is_terminal])
def test_cancel_of_a_closed_order(status: OrderStatus) -> None:
    """Canceling an order that is over does nothing."""
    desk = Desk()
    desk.bring_to(status)
    assert not desk.engine.cancel_order(desk.placed)
    assert not desk.log.events


def test_cancel_of_an_unknown_intent() -> None:
    """Canceling an intent that has no order does nothing."""
    desk = Desk()
    desk.engine.on_cancel(CancelCommand(at(0), "s:2"))
    assert not desk.log.events


def test_cancel_of_an_unknown_outcome() -> None:
    """A cancel of an order whose fate is unknown goes out, and the order stays UNKNOWN."""
    desk = Desk()
    desk.bring_to(S.UNKNOWN)
    desk.engine.cancel_order(desk.placed)
    assert desk.statuses == [S.UNKNOWN]
    assert desk.log.of(CancelOrder)


def test_cancel_all() -> None:
    """All open orders that are not being canceled are asked to be."""
    desk = Desk(place=False)
    first, second, third = (desk.engine.place_order(approved(f"s:{number}")) for number in range(3))
    desk.engine.cancel_order(first)
    desk.engine.on_broker_report(report(second, K.REJECTED))
    desk.log.clear()
    assert desk.engine.cancel_all("halt") == 1
    assert [command.order_id for command in desk.log.of(CancelOrder)] == [third]


def test_rejected_cancel() -> None:
    """An order whose cancel was rejected is open again."""
    desk = Desk()
    desk.bring_to(S.CANCELING)
    desk.tell(K.CANCEL_REJECTED, reason="TOO_LATE")
    assert desk.statuses == [S.OPEN]


# --- reports -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS_OF_STATE)
@pytest.mark.parametrize("status", REACHABLE)
def test_report(status: OrderStatus, kind: ReportKind) -> None:
    """A report makes the transition of the table; one that the table forbids is told as a CONTRADICTION."""
    desk = Desk()
    desk.bring_to(status)
    desk.tell(kind, reason="because")
    target = TRANSITIONS[status].get(TRIGGER_OF[kind])
    assert desk.statuses == [target or status]
    assert (desk.code == "CONTRADICTION") == (target is None)
    assert (desk.placed in desk.engine.orders) == (not (target or status).is_terminal)


def test_contradiction_tells_what_it_contradicts() -> None:
    """A contradiction names the report, the state and the venue's own words."""
    desk = Desk()
    desk.bring_to(S.CANCELED)
    desk.tell(K.REJECTED, reason="no funds")
    assert desk.log.last(OrderUpdate).reason == "CONTRADICTION: reported REJECTED when it was CANCELED. no funds"


def test_bug_of_ours_still_raises() -> None:
    """A transition of our own that the table forbids raises."""
    desk = Desk()
    with pytest.raises(IllegalTransitionError):
        desk.order.apply(Trigger.PREPARE)


def test_exchange_order_id() -> None:
    """The exchange's own id is kept once told."""
    desk = Desk()
    desk.tell(K.ACCEPTED, exchange_order_id="X-1")
    desk.tell(K.ACCEPTED)
    assert desk.order.exchange_order_id == "X-1"


def test_unknown_outcome_is_not_dead() -> None:
    """An order whose fate is unknown stays open, and is not sent again."""
    desk = Desk()
    desk.tell(K.UNKNOWN)
    assert desk.placed in desk.engine.orders
    assert not desk.log.of(SubmitOrder)


def test_order_of_nobody() -> None:
    """A report of an order that is not ours is told as external, and makes no order."""
    desk = Desk()
    desk.engine.on_broker_report(report("theirs", K.CANCELED))
    told = desk.log.last(OrderUpdate)
    assert (told.strategy_id, told.order_id, told.status, desk.code) == (
        "external",
        "theirs",
        S.UNKNOWN,
        "EXTERNAL",
    )
    assert desk.engine.get_order("theirs") is None


def test_closed_orders_are_bounded() -> None:
    """The latest closed orders are remembered, older ones forgotten."""
    desk = Desk(place=False, closed_kept=2)
    made = [desk.engine.place_order(approved(f"s:{number}")) for number in range(4)]
    for order_id in made:
        desk.engine.on_trade_report(trade(order_id, f"T{order_id}", 10))
    assert [desk.engine.get_order(order_id) is None for order_id in made] == [True, True, False, False]


def test_orders_are_read_only() -> None:
    """The engine's orders cannot be changed from outside."""
    with pytest.raises(TypeError):
        Desk().engine.orders["x"] = None  # type: ignore[index]


def test_handles_what_it_cannot_do_without() -> None:
    """The engine handles each event that it requires."""
    engine = Desk().engine
    assert set(engine.handlers()) == engine.required_events >= {EventType.ORDER, EventType.TRADE_REPORT}


def test_cancel_all_may_spare_what_only_reduces() -> None:
    """With `spare_reducing` the protective orders of what is held stay at work."""
    desk = Desk(place=False)
    terms: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price": Decimal(90), "side": Side.SELL}
    desk.engine.place_order(approved(intent_id="s:1", **terms, reduce_only=True))
    entry = desk.engine.place_order(approved(intent_id="s:2", order_type=OrderType.LIMIT, limit_price=Decimal(95)))
    assert desk.engine.cancel_all("STOPPING", spare_reducing=True) == 1
    assert [command.order_id for command in desk.log.of(CancelOrder)] == [entry]
