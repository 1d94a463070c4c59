"""What an approved order counts, and when it stops counting."""

from decimal import Decimal
from itertools import permutations

import pytest

from tests.risk.desk import BUY, SELL, Desk
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import OrderUpdate
from tradingd.risk.limits import MaxPositionQuantity
from tradingd.testing import at, make_fill

OPEN, CANCELING, UNKNOWN = OrderStatus.OPEN, OrderStatus.CANCELING, OrderStatus.UNKNOWN
FILLED, CANCELED, REJECTED = OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED


@pytest.fixture
def desk() -> Desk:
    """With one working limit order `a` to buy 10."""
    made = Desk()
    made.order(BUY, 10, "a", limit=100)
    made.update("a")
    return made


def test_an_approved_order_counts_at_once_and_in_full() -> None:
    """An order counts from its approval on, before execution has said a word."""
    desk = Desk()
    desk.order(BUY, 10, "a", limit=100)
    assert desk.outstanding("a") == 10


def test_a_cancel_request_releases_nothing(desk: Desk) -> None:
    """An order that is being canceled may still fill, so it counts in full."""
    desk.cancel("a")
    desk.update("a", CANCELING)
    assert (desk.cancels, desk.outstanding("a")) == (["a"], 10)


def test_a_cancel_releases_the_unfilled_rest_and_the_booking_the_filled_part(desk: Desk) -> None:
    """After a terminal update only what filled still counts, until it is booked."""
    desk.update("a", CANCELED, filled=4)
    before = desk.outstanding("a")
    desk.booked("a", 4)
    assert (before, desk.outstanding("a"), len(desk.risk.book)) == (4, 0, 0)


def test_a_booking_ahead_of_the_update_is_counted_once(desk: Desk) -> None:
    """When the portfolio is faster than execution's word, the booked part leaves the reservation at once."""
    desk.booked("a", 4)
    before = desk.outstanding("a")
    desk.update("a", CANCELED, filled=4)
    assert (before, len(desk.risk.book)) == (6, 0)


_IN_ORDER = [
    arrival
    for arrival in permutations(["part", "rest", "part booked", "rest booked"])
    if arrival.index("part") < arrival.index("rest")  # execution tells an order's states in order
]


@pytest.mark.parametrize("arrival", _IN_ORDER)
def test_any_order_of_arrival_ends_with_nothing_reserved(desk: Desk, arrival: tuple[str, ...]) -> None:
    """Whatever arrives first, the position and what is outstanding never miss a fill, and end at the position."""
    steps = {
        "part": lambda: desk.update("a", OPEN, filled=4),
        "rest": lambda: desk.update("a", FILLED, filled=10),
        "part booked": lambda: desk.booked("a", 4),
        "rest booked": lambda: desk.booked("a", 6),
    }
    for step in arrival:
        steps[step]()
        assert desk.risk.book.bounds("AAPL")[1] == 10
    assert len(desk.risk.book) == 0


def test_an_unknown_outcome_counts_in_full(desk: Desk) -> None:
    """Nobody knows whether the venue has the order, so it counts as if it had."""
    desk.update("a", UNKNOWN)
    assert desk.outstanding("a") == 10


@pytest.mark.parametrize("status", [REJECTED, OrderStatus.VOID, OrderStatus.EXPIRED])
def test_an_order_that_ended_without_a_fill_counts_no_more(desk: Desk, status: OrderStatus) -> None:
    """A rejected, void or expired order holds nothing."""
    desk.update("a", status)
    assert len(desk.risk.book) == 0


def test_an_overfill_counts_until_it_is_booked(desk: Desk) -> None:
    """What filled beyond the quantity is a position to come like any other fill."""
    desk.update("a", FILLED, filled=12)
    before = desk.outstanding("a")
    desk.booked("a", 12)
    assert (before, len(desk.risk.book)) == (12, 0)


def test_an_overfill_halts_entries_in_the_instrument(desk: Desk) -> None:
    """An order that filled more than it was for contradicts what we know, so that instrument takes no entries."""
    desk.update("a", FILLED, filled=12)
    assert desk.halts == [("instrument", "AAPL", "NO_NEW")]
    assert "OVERFILL: 12 of 10 (a)" in desk.order(BUY, 1)


def test_an_overfill_of_a_group_halts_entries_in_the_instrument(desk: Desk) -> None:
    """Legs of a group may fill too much together, though none of them did alone."""
    desk.update("a", FILLED, filled=10, reason="OVERFILL: 4 more than ordered")
    assert desk.halts == [("instrument", "AAPL", "NO_NEW")]
    assert "OVERFILL: 4 more than ordered" in desk.order(BUY, 1)


def test_a_contradicting_report_halts_entries_in_the_instrument(desk: Desk) -> None:
    """What a venue said against all evidence is told by execution, and that instrument takes no entries."""
    desk.update("a", reason="CONTRADICTION: ACCEPTED for an order that is DENIED")
    assert desk.halts == [("instrument", "AAPL", "NO_NEW")]
    assert "CONTRADICTION" in desk.order(BUY, 1)


def test_a_late_fill_counts_between_its_report_and_its_booking(desk: Desk) -> None:
    """A fill after the cancel is counted again until the portfolio has it."""
    desk.update("a", CANCELED)
    desk.update("a", CANCELED, filled=3)
    before = desk.risk.book.bounds("AAPL")
    desk.booked("a", 3)
    assert (before, desk.risk.book.bounds("AAPL"), len(desk.risk.book)) == ((0, 3), (3, 3), 0)


def test_a_late_fill_that_is_booked_first_is_not_counted_twice(desk: Desk) -> None:
    """When the booking of a late fill overtakes its report, the report reserves nothing."""
    desk.update("a", CANCELED)
    desk.booked("a", 3)
    desk.update("a", CANCELED, filled=3)
    assert desk.risk.book.bounds("AAPL") == (3, 3)


def test_an_order_thought_refused_counts_again_when_it_shows_up(desk: Desk) -> None:
    """A rejected order that the venue turns out to have is UNKNOWN, and counts in full."""
    desk.update("a", REJECTED)
    desk.update("a", UNKNOWN)
    assert desk.outstanding("a") == 10


def test_a_filled_order_that_reopens_counts_its_new_rest(desk: Desk) -> None:
    """A confirmed change to a greater quantity that comes after the last fill leaves the difference working."""
    desk.filled("a")
    desk.update("a", OPEN, filled=10, quantity=Decimal(15), reason="MODIFIED")
    assert desk.outstanding("a") == 5


def test_an_order_of_nobody_here_is_counted_for_its_rest() -> None:
    """A working order that this gate never approved counts for what it has not filled."""
    desk = Desk()
    desk.order(BUY, 10, "a", limit=100)
    other = Desk()
    other.log.events = desk.log.events
    other.update("a", OPEN, filled=4)
    assert other.risk.book.bounds("AAPL") == (0, 6)


def test_somebody_elses_order_at_the_venue_counts_nothing(desk: Desk) -> None:
    """An external order's update, without side or intent, changes nothing."""
    external = OrderUpdate(at(0), "external", "", "x", "", None, None, Decimal(0), Decimal(0), UNKNOWN, "EXTERNAL")
    desk.risk.on_order_update(external)
    assert [reservation.intent_id for reservation in desk.risk.book] == ["a"]


def test_a_change_counts_at_the_greater_quantity_until_it_is_answered(desk: Desk) -> None:
    """While nobody knows whether the change came through, the greater quantity counts."""
    desk.modify("a", 15)
    raised = desk.outstanding("a")
    desk.update("a", reason="MODIFIED", quantity=Decimal(15))
    desk.modify("a", 5)
    assert (raised, desk.outstanding("a")) == (15, 15)


def test_a_granted_change_counts_at_its_quantity(desk: Desk) -> None:
    """Once the venue has confirmed a smaller quantity, that counts."""
    desk.modify("a", 5)
    desk.update("a", reason="MODIFIED", quantity=Decimal(5))
    assert desk.outstanding("a") == 5


def test_a_refused_change_counts_at_the_old_quantity(desk: Desk) -> None:
    """Once the venue has refused the greater quantity, the old one counts."""
    desk.modify("a", 15)
    desk.update("a", reason="MODIFY_REJECTED: no")
    assert desk.outstanding("a") == 10


def test_a_plain_update_does_not_answer_a_change(desk: Desk) -> None:
    """A partial fill that was on its way says nothing of the change that was asked for."""
    desk.modify("a", 15)
    desk.update("a", filled=2)
    assert desk.outstanding("a") == 15


def test_risks_own_denial_does_not_answer_a_change(desk: Desk) -> None:
    """When a second change is denied by risk itself, the first one is still under way."""
    desk.modify("a", 15)
    denied = desk.modify("a", -1)
    desk.risk.on_order_update(desk.log.events[-1])
    assert denied.startswith("MODIFY_DENIED: INVALID_NUMBER")
    assert desk.outstanding("a") == 15


def test_the_answer_to_the_first_of_two_changes_leaves_the_second_counted(desk: Desk) -> None:
    """Two changes under way count at the greatest quantity until both are answered."""
    desk.modify("a", 15)
    desk.modify("a", 20)
    desk.update("a", reason="MODIFIED", quantity=Decimal(15))
    assert desk.outstanding("a") == 20


def test_a_change_that_was_overtaken_is_answered(desk: Desk) -> None:
    """When the later of two changes was told before the earlier, nothing of that one is waited for."""
    desk.update("a")
    desk.modify("a", 5)
    desk.modify("a", 7)
    desk.update("a", quantity=Decimal(7), reason="MODIFIED")
    before = desk.outstanding("a")
    desk.update("a", quantity=Decimal(7), reason="OVERTAKEN: change 2 came after it and is in force")
    reservation = desk.risk.book.get("a")
    assert reservation is not None
    assert (before, desk.outstanding("a"), reservation.is_at_rest) == (10, 7, True)


def test_an_answer_that_comes_twice_does_not_answer_the_next_change(desk: Desk) -> None:
    """Brokers tell at least once: a repeated confirmation of the first change leaves the second one open."""
    desk.modify("a", 15)
    desk.modify("a", 20)
    for _ in range(2):
        desk.update("a", reason="MODIFIED", quantity=Decimal(15))
    assert desk.outstanding("a") == 20


def test_two_changes_are_over_when_both_are_answered(desk: Desk) -> None:
    """After the last answer the order counts what execution tells."""
    desk.modify("a", 20)
    desk.modify("a", 5)
    desk.update("a", reason="MODIFY_REJECTED: no")
    desk.update("a", reason="MODIFIED", quantity=Decimal(5))
    assert desk.outstanding("a") == 5


def test_an_order_that_fills_with_a_change_under_way_may_have_more_to_come(desk: Desk) -> None:
    """All of the old quantity filled, but the venue may have granted the greater one before that."""
    desk.modify("a", 15)
    desk.filled("a")
    before = desk.outstanding("a")
    desk.update("a", FILLED, filled=10, reason="MODIFY_REJECTED: not in the book")
    assert (before, len(desk.risk.book)) == (5, 0)


def test_a_canceled_order_has_nothing_to_come_whatever_was_asked(desk: Desk) -> None:
    """A cancel is the end of an order, even with a change under way."""
    desk.modify("a", 15)
    desk.update("a", CANCELED)
    assert len(desk.risk.book) == 0


def test_what_filled_but_is_not_booked_counts_when_a_change_is_judged() -> None:
    """A change is judged by all that the order could still add to the booked position."""
    desk = Desk(MaxPositionQuantity(12))
    desk.order(BUY, 10, "a", limit=100)
    desk.update("a", filled=4)
    assert desk.modify("a", 12) == ""
    assert "could reach 13, the limit is 12" in desk.modify("a", 13)


def test_a_denied_twin_does_not_release_the_working_order(desk: Desk) -> None:
    """An intent that is used again is denied, and risk's own denial does not end the first order."""
    reason = desk.order(BUY, 10, "a", limit=100)
    desk.risk.on_order_update(desk.log.events[-1])
    assert reason.startswith("DUPLICATE_INTENT: a has an order already")
    assert desk.outstanding("a") == 10


def test_an_intent_that_is_over_gets_no_second_order(desk: Desk) -> None:
    """Execution would never send an intent twice, so risk denies it while it can still be told politely."""
    desk.update("a", CANCELED)
    assert desk.order(BUY, 10, "a", limit=100).startswith("DUPLICATE_INTENT")


def test_the_memory_of_orders_that_are_over_is_bounded(desk: Desk) -> None:
    """A run of many orders remembers the latest 10,000 of those that are over."""
    for number in range(10_050):
        desk.order(BUY, 1, f"n{number}", limit=100)
        desk.log.events[:] = desk.log.events[-1:]
        desk.update(f"n{number}", CANCELED)
    assert len(desk.risk.book._released) == 10_000


def test_a_fill_of_no_known_intent_changes_no_reservation(desk: Desk) -> None:
    """A booking of somebody else's fill leaves our reservations alone."""
    fill = make_fill(SELL, 3, 100, strategy_id="external", ts=at(0))
    desk.portfolio.on_fill(fill)
    desk.risk.on_position(desk.bookings.pop())
    assert (desk.outstanding("a"), len(desk.risk.book)) == (10, 1)
