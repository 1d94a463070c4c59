from decimal import Decimal
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import ApprovedOrder
from tradingd.domain.order import TRANSITIONS, Order, Trigger
from tradingd.errors import IllegalTransitionError, MoneyError

D = Decimal
S = OrderStatus
T = Trigger


def make_order(quantity: str = "10", *triggers: Trigger) -> Order:
    """An order that has taken these triggers."""
    approved = ApprovedOrder(
        ts=1,
        strategy_id="s",
        intent_id="s:1",
        symbol="AAPL",
        venue="SIM",
        side=Side.BUY,
        quantity=D(quantity),
        order_type=OrderType.LIMIT,
        limit_price=D(5),
        stop_price=None,
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        tag="entry",
    )
    order = Order("id-1", approved)
    for trigger in triggers:
        order.apply(trigger)
    return order


def sent(quantity: str = "10", *triggers: Trigger) -> Order:
    """An order that may be at the venue."""
    return make_order(quantity, T.PREPARE, T.SEND, *triggers)


@pytest.mark.parametrize(("status", "trigger"), list(product(OrderStatus, Trigger)))
def test_every_pair_is_in_the_table_or_raises(status: OrderStatus, trigger: Trigger) -> None:
    """A trigger leads where the table says, and raises and changes nothing where the table says nothing."""
    order = make_order()
    order._status = status
    target = TRANSITIONS[status].get(trigger)
    if target is not None:
        assert order.apply(trigger) is target is order.status
        return
    with pytest.raises(IllegalTransitionError) as caught:
        order.apply(trigger, "why")
    possible = ", ".join(known.name for known in TRANSITIONS[status]) or "nothing"
    assert str(caught.value) == f"order id-1 is {status} and cannot {trigger.name} (it can: {possible})"
    assert (order.status, order.reason) == (status, "")


def test_every_status_has_a_row_and_is_reached() -> None:
    """The table has a row for each status, and each but the first is reached from another."""
    assert set(TRANSITIONS) == set(OrderStatus)
    reached = {target for row, targets in TRANSITIONS.items() for target in targets.values() if target is not row}
    assert reached == set(OrderStatus) - {S.NEW}


def test_terminal_states_are_left_only_by_contradicting_evidence() -> None:
    """Out of a terminal state lead late fills, the news that an order lived, doubt, and a late change."""
    ways_out = {
        (status, trigger, target)
        for status, row in TRANSITIONS.items()
        if status.is_terminal
        for trigger, target in row.items()
        if target is not status
    }
    assert ways_out == {
        (S.FILLED, T.REOPEN, S.OPEN),
        (S.CANCELED, T.COMPLETE, S.FILLED),
        (S.EXPIRED, T.COMPLETE, S.FILLED),
        *((thought, T.DOUBT, S.UNKNOWN) for thought in S if thought.is_terminal and thought is not S.DENIED),
        *(
            (thought, trigger, target)
            for thought in (S.REJECTED, S.VOID)
            for trigger, target in {
                T.ACCEPT: S.UNKNOWN,
                T.FILL: S.UNKNOWN,
                T.COMPLETE: S.FILLED,
                T.CANCEL: S.CANCELED,
                T.EXPIRE: S.EXPIRED,
            }.items()
        ),
    }


@pytest.mark.parametrize("status", [S.SENDING, S.OPEN, S.CANCELING])
def test_a_lost_answer_is_unknown(status: OrderStatus) -> None:
    """Whatever may be at the venue becomes UNKNOWN when an answer is missing, and stays open."""
    order = make_order()
    order._status = status
    assert order.apply(T.LOSE) is S.UNKNOWN
    assert order.is_open


@pytest.mark.parametrize("status", [S.OPEN, S.CANCELING, S.SENDING, S.NEW, S.FILLED, S.CANCELED])
def test_only_what_provably_never_arrived_is_void(status: OrderStatus) -> None:
    """An order is never declared void from a state in which the venue has it or might have it."""
    assert T.VOID not in TRANSITIONS[status]


def test_happy_path() -> None:
    """An order is prepared, sent, accepted, filled in part and then completely."""
    order = make_order()
    seen = [order.apply(trigger) for trigger in (T.PREPARE, T.SEND, T.ACCEPT)]
    seen += [order.apply_fill(D(4)), order.apply_fill(D(6))]
    assert seen == [S.PREPARED, S.SENDING, S.OPEN, S.OPEN, S.FILLED]
    assert (order.filled, order.remaining, order.is_open) == (10, 0, False)


def test_a_cancel_is_pending_until_the_venue_says_so() -> None:
    """Asking for a cancel leaves the order open until the venue confirms."""
    order = sent("10", T.ACCEPT, T.REQUEST_CANCEL)
    assert order.is_open
    assert order.apply(T.CANCEL) is S.CANCELED


def test_a_refused_cancel_leaves_the_order_working() -> None:
    """An order whose cancel was refused is open again."""
    assert sent("10", T.ACCEPT, T.REQUEST_CANCEL, T.CANCEL_REJECT).status is S.OPEN


def test_a_fill_after_a_cancel_is_counted() -> None:
    """A late fill of a canceled order counts, and leaves it canceled."""
    order = sent("10", T.ACCEPT, T.CANCEL)
    assert order.apply_fill(D(4)) is S.CANCELED
    assert order.filled == 4


def test_fills_after_a_cancel_may_complete_the_order() -> None:
    """An order that turns out completely filled after its cancel is FILLED."""
    assert sent("10", T.ACCEPT, T.CANCEL).apply_fill(D(10)) is S.FILLED


def test_a_fill_proves_what_an_ack_would() -> None:
    """A fill before the acknowledgement opens the order, and the acknowledgement changes nothing then."""
    order = sent()
    assert order.apply_fill(D(1)) is S.OPEN
    assert order.apply(T.ACCEPT) is S.OPEN


def test_an_ack_after_the_last_fill_changes_nothing() -> None:
    """Acknowledgements of a filled order are late, not wrong."""
    order = sent()
    order.apply_fill(D(10))
    assert order.apply(T.ACCEPT) is S.FILLED


def test_an_overfill_is_counted_in_full() -> None:
    """More than ordered is FILLED, and every unit of it counted."""
    order = sent("10", T.ACCEPT)
    assert order.apply_fill(D(12)) is S.FILLED
    assert order.apply_fill(D(1)) is S.FILLED
    assert (order.filled, order.remaining) == (13, 0)


@pytest.mark.parametrize("believed", [T.REJECT, T.VOID])
@pytest.mark.parametrize("evidence", ["ack", "fill"])
def test_evidence_against_a_refusal_is_unknown(believed: Trigger, evidence: str) -> None:
    """A refused or void order that shows a sign of life is UNKNOWN, and so open again."""
    order = sent("10", T.LOSE, believed)
    status = order.apply(T.ACCEPT) if evidence == "ack" else order.apply_fill(D(1))
    assert status is S.UNKNOWN
    assert order.is_open


def test_answers_to_a_cancel_may_come_after_the_proof_of_absence() -> None:
    """The venue's refusal to cancel what it never had, or the late refusal of the order, agrees with VOID."""
    for answer in (T.CANCEL_REJECT, T.REJECT, T.LOSE):
        assert sent("10", T.LOSE, T.REQUEST_CANCEL, T.VOID, answer).status is S.VOID


@pytest.mark.parametrize("trigger", list(Trigger))
def test_a_denied_order_is_dead(trigger: Trigger) -> None:
    """Nothing happens to an order that our own risk denied, because nobody else ever heard of it."""
    with pytest.raises(IllegalTransitionError, match="it can: nothing"):
        make_order("10", T.DENY).apply(trigger)


@pytest.mark.parametrize("quantity", ["0", "-1"])
def test_a_fill_must_be_positive(quantity: str) -> None:
    """A fill of nothing or less is refused, and nothing counted."""
    order = sent()
    with pytest.raises(MoneyError, match="order id-1: a fill must be greater than 0"):
        order.apply_fill(D(quantity))
    assert (order.filled, order.status) == (0, S.SENDING)


def test_an_impossible_fill_is_not_counted() -> None:
    """A fill of an order that was never sent raises and counts nothing."""
    order = make_order("10", T.PREPARE)
    with pytest.raises(IllegalTransitionError):
        order.apply_fill(D(1))
    assert order.filled == 0


@given(st.data(), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(-2, 5))
@settings(derandomize=True, deadline=None)
def test_the_order_of_reports_does_not_matter(data: st.DataObject, parts: list[int], unfilled: int) -> None:
    """Whatever the order of ack, fills, lost answer and cancel, all fills count and the end is the same."""
    quantity = max(1, sum(parts) + unfilled)
    reports = [T.ACCEPT, T.LOSE, T.CANCEL, *parts]
    order = sent(str(quantity))
    for report in data.draw(st.permutations(reports)):
        if isinstance(report, Trigger):
            order.apply(report)
        else:
            order.apply_fill(D(report))
    assert order.filled == sum(parts)
    assert order.status is (S.FILLED if order.filled >= quantity else S.CANCELED)
    assert order.remaining == max(0, quantity - sum(parts))


@pytest.mark.parametrize("changed", ["4", "6", "10", "15"])
def test_a_change_and_the_fills_may_come_in_any_order(changed: str) -> None:
    """An order is FILLED exactly when it filled what it was last changed to, in whatever order that is told."""
    for reports in permutations(("ack", "2", "4", "changed")):
        order = sent("6")
        for report in reports:
            if report == "ack":
                order.apply(T.ACCEPT)
            elif report == "changed":
                order.amend(D(changed), None, None)
            else:
                order.apply_fill(D(report))
        assert order.filled == 6
        assert order.status is (S.FILLED if D(changed) <= 6 else S.OPEN)


def test_a_change_of_prices_leaves_the_rest() -> None:
    """A change takes over what it names and nothing else."""
    order = sent("10", T.ACCEPT)
    order.amend(None, D(6), D(7))
    assert (order.quantity, order.limit_price, order.stop_price, order.status) == (10, 6, 7, S.OPEN)


def test_an_update_tells_the_present_state() -> None:
    """An order tells its state as an event, with the reason given or else the last one."""
    order = sent("10", T.ACCEPT)
    order.apply_fill(D(3))
    order.apply(T.CANCEL, "the operator wished so")
    update = order.update(99)
    assert (update.ts, update.order_id, update.intent_id, update.symbol) == (99, "id-1", "s:1", "AAPL")
    assert (update.status, update.filled, update.quantity) == (S.CANCELED, 3, 10)
    assert (update.reason, order.update(99, "else").reason) == ("the operator wished so", "else")


def test_a_representation_says_what_matters() -> None:
    """An order in a log line tells side, size, symbol, status and fills."""
    assert repr(sent()) == "Order('id-1', BUY 10 AAPL LIMIT, SENDING, filled=0)"
