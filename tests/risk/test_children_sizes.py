"""Children whose parent was resized, whose orders are several, and of which there are many."""

from decimal import Decimal

from tests.risk.desk import BUY, SELL, Desk, code
from tests.risk.test_children import CANCELED, FILLED, FIXED, OPEN, part, sizes, waiting
from tradingd.risk.children import CHILDREN_MOST
from tradingd.risk.limits import InstrumentFilters, OrderRate, ReduceOnly, RepeatedOrders
from tradingd.testing import make_instrument


def test_an_exit_is_no_larger_than_what_a_reduced_entry_has_filled() -> None:
    """Ten became five, which filled: a stop of ten would be refused, and the position have none."""
    desk = waiting()
    desk.modify("entry", 5)
    desk.update("entry", quantity=Decimal(5), reason="MODIFIED")
    desk.booked("entry", 5)
    desk.update("entry", FILLED, 5)
    assert sizes(desk) == [("stop", 5)]


def test_a_child_that_is_larger_than_its_parent_stays_in_proportion() -> None:
    """Twice the parent's quantity, as a reversal has it: half of it for half of the parent."""
    desk = waiting(venues=FIXED)
    desk.cancel("stop")
    desk.order(SELL, 20, "twice", limit=110, parent="entry")
    part(desk, 4, 4)
    assert sizes(desk, "twice") == [("twice", 8)]


def test_a_changed_price_reaches_all_orders_of_a_child() -> None:
    """Else a part of the position would keep the stop that was."""
    desk = waiting(venues=FIXED)
    for filled in (4, 10):
        part(desk, 4 if filled == 4 else 6, filled)
        desk.update(desk.orders[-1].intent_id)
    desk.modify("stop", stop=95)
    assert [(change.intent_id, change.stop_price) for change in desk.changes] == [("stop", 95), ("stop+2", 95)]


def test_a_changed_price_reaches_the_other_orders_when_the_first_is_over() -> None:
    """The first part has filled; the child is known by its name all the same."""
    desk = waiting()
    part(desk, 4, 4)
    desk.update("stop")
    desk.filled("stop")
    part(desk, 6, 10)
    desk.update("stop+2")
    desk.modify("stop", stop=95)
    assert [(change.intent_id, change.stop_price) for change in desk.changes] == [("stop+2", 95)]


def test_a_price_that_was_denied_holds_for_no_further_order() -> None:
    """Off the tick: further parts are placed at the price that stands."""
    desk = waiting(venues=FIXED)
    part(desk, 4, 4)
    desk.update("stop")
    denied = desk.modify("stop", stop="95.001")
    part(desk, 6, 10)
    assert (denied.split(": ")[:2], desk.orders[-1].stop_price) == (["MODIFY_DENIED", "TICK"], 90)


def test_the_parts_of_a_child_are_no_repetition() -> None:
    """An entry that fills one by one leads to many like orders where the venue changes none."""
    instruments = [make_instrument("AAPL", lot="1")]
    desk = Desk(InstrumentFilters(), ReduceOnly(), RepeatedOrders(1, 60), instruments=instruments, venues=FIXED)
    desk.order(BUY, 10, "entry", limit=100)
    desk.update("entry")
    desk.order(SELL, 10, "stop", stop=90, parent="entry", reduce_only=True)
    for filled in range(1, 6):
        part(desk, 1, filled)
    assert [quantity for _, quantity in sizes(desk)] == [1] * 5


def test_exits_of_an_entry_that_passed_have_no_rate() -> None:
    """Two exits for each entry would use up the allowance of the reducing orders at half of the entries."""
    desk = Desk(InstrumentFilters(), ReduceOnly(), OrderRate(1), instruments=[make_instrument("AAPL", lot="1")])
    desk.order(BUY, 10, "entry", limit=100)
    desk.update("entry")
    for name in ("near", "far"):
        desk.order(SELL, 5, name, limit=110, parent="entry", reduce_only=True)
    desk.booked("entry", 10)
    assert (sizes(desk, "near"), sizes(desk, "far")) == ([("near", 5)], [("far", 5)])


def test_a_parent_has_so_many_children_and_no_more() -> None:
    """A loop that has gone mad must not fill memory, nor flood the venue when the parent fills."""
    desk = waiting()
    most = CHILDREN_MOST
    denied = [desk.order(SELL, 1, f"c{n}", stop=90, parent="entry", reduce_only=True) for n in range(most)]
    assert ([code(each) for each in denied[-2:]], desk.told(f"c{most - 1}")) == (
        ["", "PARENT"],
        [("DENIED", "PARENT")],
    )


def test_a_child_that_works_is_not_forgotten_for_later_parents() -> None:
    """However many parents end after its own, a cancel still reaches all of its orders."""
    desk = waiting(venues=FIXED)
    for filled in (4, 10):
        part(desk, 4 if filled == 4 else 6, filled)
    for number in range(1_001):
        desk.order(BUY, 1, f"p{number}", limit=50)
        desk.order(SELL, 1, f"x{number}", stop=90, parent=f"p{number}", reduce_only=True)
        desk.update(f"p{number}", OPEN)
        desk.update(f"p{number}", CANCELED)
    desk.cancel("stop")
    assert desk.cancels == ["stop+2", "stop"]
