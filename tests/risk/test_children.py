"""One triggers the other: children wait for the fills of their parents."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.risk.desk import BUY, FLAT, SELL, Desk, code
from tests.risk.world import SERVICES, Venue, World, run
from tradingd.domain.enums import HaltScope, HaltState, OrderStatus
from tradingd.domain.events import OrderUpdate
from tradingd.domain.venue import VenueCapabilities
from tradingd.risk.limits import InstrumentFilters, MaxPositionQuantity, ReduceOnly
from tradingd.testing import make_instrument

OPEN, CANCELED, REJECTED, FILLED = OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.FILLED
FIXED = {"SIM": VenueCapabilities(modify=False)}


def waiting(quantity: int | str = 10, *, entry: int = 10, **venue: object) -> Desk:
    """An entry that works and a stop that waits for it."""
    desk = Desk(InstrumentFilters(), ReduceOnly(), instruments=[make_instrument("AAPL", lot="1")], **venue)  # type: ignore[arg-type]
    desk.order(BUY, entry, "entry", limit=100)
    desk.update("entry")
    desk.order(SELL, quantity, "stop", stop=90, parent="entry", reduce_only=True)
    return desk


def part(desk: Desk, quantity: int, filled: int) -> None:
    """The entry fills in part, is booked and told."""
    desk.booked("entry", quantity)
    desk.update("entry", FILLED if filled == 10 else OPEN, filled)


def sizes(desk: Desk, name: str = "stop") -> list[tuple[str, int]]:
    """The approved orders of a child."""
    return [(order.intent_id, int(order.quantity)) for order in desk.orders if order.intent_id.startswith(name)]


# --- held --------------------------------------------------------------------------------------------------


def test_a_child_is_held_and_told_so() -> None:
    """It is not sent, counts nothing, and its strategy sees it among its orders."""
    desk = waiting()
    assert (sizes(desk), desk.outstanding("stop"), desk.told("stop")) == ([], 0, [("NEW", "HELD")])


def test_a_child_is_released_by_the_booking_of_its_parents_fill() -> None:
    """Then it can be judged by the position that is there; it waits for nobody any more."""
    desk = waiting()
    desk.update("entry", FILLED, 10)
    before = sizes(desk)
    desk.booked("entry", 10)
    assert (before, sizes(desk), desk.orders[-1].terms.parent) == ([], [("stop", 10)], "")
    assert desk.orders[-1].reduce_only


def test_a_part_is_released_in_proportion_and_in_whole_lots() -> None:
    """Four of ten have filled, and of a child of 8 three whole lots are covered."""
    desk = waiting(8)
    part(desk, 4, 4)
    assert sizes(desk) == [("stop", 3)]


def test_further_fills_enlarge_the_childs_order() -> None:
    """By a change, once the order is known to work; the last fill completes it."""
    desk = waiting(8)
    part(desk, 4, 4)
    part(desk, 1, 5)
    early = len(desk.changes)
    desk.update("stop")
    desk.update("stop", quantity=Decimal(4), reason="MODIFIED")
    part(desk, 5, 10)
    assert (early, [change.quantity for change in desk.changes]) == (0, [4, 8])


def test_where_the_venue_changes_no_orders_further_fills_lead_to_further_orders() -> None:
    """Each with a name of its own; together they are what has filled."""
    desk = waiting(venues=FIXED)
    for filled in (4, 7, 10):
        part(desk, 4 if filled == 4 else 3, filled)
    assert sizes(desk) == [("stop", 4), ("stop+2", 3), ("stop+3", 3)]


def test_a_refused_change_leads_to_an_order_beside() -> None:
    """The venue leaves the order as it is, and the position still has to be covered."""
    desk = waiting()
    part(desk, 4, 4)
    desk.update("stop")
    part(desk, 6, 10)
    desk.update("stop", reason="MODIFY_REJECTED: no")
    assert sizes(desk) == [("stop", 4), ("stop+2", 6)]


def test_a_child_that_filled_already_covers_later_fills_with_another_order() -> None:
    """What stopped out first is done; the rest of the entry gets its stop all the same."""
    desk = waiting()
    part(desk, 4, 4)
    desk.update("stop")
    desk.filled("stop", 90)
    part(desk, 6, 10)
    assert sizes(desk) == [("stop", 4), ("stop+2", 6)]


def test_a_child_of_an_order_that_has_filled_is_released_at_once() -> None:
    """Its parent is over, and all of it is held."""
    desk = Desk()
    desk.order(BUY, 10, "entry", limit=100)
    desk.filled("entry")
    assert desk.order(SELL, 10, "stop", stop=90, parent="entry", reduce_only=True) == ""
    assert sizes(desk) == [("stop", 10)]


def test_a_child_of_an_order_that_filled_in_part_is_released_in_that_part() -> None:
    """The parent was canceled after four of ten."""
    desk = Desk()
    desk.order(BUY, 10, "entry", limit=100)
    desk.booked("entry", 4)
    desk.update("entry", CANCELED, 4)
    desk.order(SELL, 10, "stop", stop=90, parent="entry")
    assert sizes(desk) == [("stop", 4)]


# --- the parent's end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [CANCELED, REJECTED, OrderStatus.EXPIRED, OrderStatus.VOID])
def test_the_parents_end_without_a_fill_ends_its_children(status: OrderStatus) -> None:
    """They are told as canceled, and no longer held."""
    desk = waiting()
    desk.update("entry", status)
    assert (desk.told("stop")[-1], sizes(desk)) == (("CANCELED", "PARENT"), [])
    assert desk.modify("stop", 5) == ""


def test_the_parents_end_after_a_part_leaves_the_childs_part() -> None:
    """Four are held, four are covered, and nothing more is to come."""
    desk = waiting()
    part(desk, 4, 4)
    desk.update("stop")
    desk.update("entry", CANCELED, 4)
    assert (desk.cancels, desk.changes, sizes(desk)) == ([], [], [("stop", 4)])


def test_a_late_fill_of_a_parent_that_was_canceled_is_covered() -> None:
    """The child was told as canceled, so its order has a new name; the position is real."""
    desk = waiting()
    desk.update("entry", CANCELED)
    desk.booked("entry", 3)
    desk.update("entry", CANCELED, 3)
    assert sizes(desk) == [("stop+2", 3)]


def test_an_overfill_releases_no_more_than_was_asked_for() -> None:
    """A child never exceeds its own quantity."""
    desk = waiting()
    desk.booked("entry", 12)
    desk.update("entry", FILLED, 12)
    assert sizes(desk) == [("stop", 10)]


@pytest.mark.parametrize(
    ("parent", "says"),
    [("nobody", "is no order"), ("held", "is held itself"), ("others", "is an order of t in AAPL")],
)
def test_a_parent_that_is_none_is_denied(parent: str, says: str) -> None:
    """Unknown, waiting itself, or somebody else's: there is no fill to wait for."""
    desk = Desk()
    desk.order(BUY, 1, "entry", limit=99)
    desk.order(BUY, 1, "held", limit=99, parent="entry")
    desk.order(BUY, 1, "others", limit=99, strategy="t")
    reason = desk.order(SELL, 1, "stop", stop=90, parent=parent)
    assert code(reason) == "PARENT"
    assert says in reason


def test_a_parent_that_ended_unfilled_is_denied() -> None:
    """Nothing will fill any more."""
    desk = Desk()
    desk.order(BUY, 1, "entry", limit=99)
    desk.update("entry", CANCELED)
    assert desk.order(SELL, 1, parent="entry") == "PARENT: entry has ended, and nothing of it filled"


# --- judged when released ----------------------------------------------------------------------------------


def test_a_child_is_judged_when_it_is_released() -> None:
    """What it would break then is told, and it is over."""
    desk = Desk(MaxPositionQuantity(10))
    desk.order(BUY, 10, "entry", limit=100)
    desk.order(BUY, 5, "more", limit=99, parent="entry")
    desk.filled("entry")
    assert code(desk.denial("more")) == "MAX_POSITION_QUANTITY"


def test_a_part_too_small_for_the_venue_waits_for_more() -> None:
    """Nothing is told of it: the next fill may make it great enough."""
    desk = Desk(InstrumentFilters(), instruments=[make_instrument("AAPL", min_quantity="5")])
    desk.order(BUY, 10, "entry", limit=100)
    desk.order(SELL, 10, "stop", stop=90, parent="entry")
    desk.booked("entry", 4)
    early = (sizes(desk), desk.denial("stop"))
    desk.booked("entry", 1)
    assert (early, sizes(desk)) == (([], ""), [("stop", 5)])


def test_a_part_that_stays_too_small_is_told_as_denied() -> None:
    """The parent is over, so no further fill makes it greater."""
    desk = Desk(InstrumentFilters(), instruments=[make_instrument("AAPL", min_quantity="5")])
    desk.order(BUY, 10, "entry", limit=100)
    desk.order(SELL, 10, "stop", stop=90, parent="entry")
    desk.booked("entry", 4)
    desk.update("entry", CANCELED, 4)
    assert code(desk.denial("stop")) == "MIN_QUANTITY"


# --- what strategies ask -----------------------------------------------------------------------------------


def test_a_held_child_can_be_canceled() -> None:
    """It is told at once, and its parent's fills release nothing."""
    desk = waiting()
    desk.cancel("stop")
    part(desk, 10, 10)
    assert (desk.told("stop")[-1], sizes(desk)) == (("CANCELED", "requested"), [])


def test_canceling_a_child_cancels_its_orders_and_ends_its_growth() -> None:
    """Whichever of its orders work."""
    desk = waiting(venues=FIXED)
    part(desk, 4, 4)
    part(desk, 3, 7)
    desk.cancel("stop")
    part(desk, 3, 10)
    assert (sorted(desk.cancels), len(sizes(desk))) == (["stop", "stop+2"], 2)


def test_a_held_child_can_be_changed() -> None:
    """Its new terms are told, and hold when it is released."""
    desk = waiting()
    desk.modify("stop", 5, stop=95)
    told = desk.log.last(OrderUpdate)
    part(desk, 10, 10)
    order = desk.approved("stop")
    assert (told.quantity, told.stop_price, told.status) == (5, 95, OrderStatus.NEW)
    assert (order.quantity, order.stop_price) == (5, 95)


def test_an_impossible_change_of_a_held_child_is_told() -> None:
    """A stop has no limit price; it stays as it is."""
    desk = waiting()
    assert desk.modify("stop", limit=95).startswith("MODIFY_DENIED: WRONG_PRICE")


def test_a_changed_price_of_a_child_that_works_holds_for_its_further_orders() -> None:
    """The order works at the new price, and what comes beside it as well."""
    desk = waiting(venues=FIXED)
    part(desk, 4, 4)
    desk.update("stop")
    desk.modify("stop", stop=95)
    part(desk, 6, 10)
    assert (desk.changes[0].stop_price, desk.approved("stop+2").stop_price) == (95, 95)


def test_who_resizes_a_child_that_works_ends_its_growth() -> None:
    """The strategy has taken its size over."""
    desk = waiting()
    part(desk, 4, 4)
    desk.update("stop")
    desk.modify("stop", 2)
    desk.update("stop", quantity=Decimal(2), reason="MODIFIED")
    part(desk, 6, 10)
    assert [change.quantity for change in desk.changes] == [2]


def test_nobody_touches_somebody_elses_child() -> None:
    """Neither its cancel nor its change is heard."""
    desk = waiting()
    desk.cancel("stop", strategy="t")
    desk.modify("stop", 1, strategy="t")
    part(desk, 10, 10)
    assert sizes(desk) == [("stop", 10)]


def test_an_intent_is_held_once() -> None:
    """A second child of the same name is denied."""
    desk = waiting()
    assert code(desk.order(SELL, 1, "stop", stop=90, parent="entry")) == "DUPLICATE_INTENT"


# --- signals and halts -------------------------------------------------------------------------------------


def test_a_signal_ends_the_children_that_wait() -> None:
    """Orders make way for an exit: what fills until the entry is gone is closed by it, not covered again."""
    desk = waiting()
    desk.signal(FLAT, intent_id="exit")
    held = desk.told("stop")[-1]
    part(desk, 4, 4)
    desk.update("entry", CANCELED, 4)
    assert (held, sizes(desk), desk.last) == (("CANCELED", "makes way for exit"), [], (SELL, 4))


def test_no_order_is_taken_while_orders_make_way() -> None:
    """It would be in the way again, child or not."""
    desk = waiting()
    desk.signal(FLAT)
    assert code(desk.order(SELL, 1, "late", stop=90, parent="entry")) == "MAKES_WAY"
    assert code(desk.order(BUY, 1, limit=90)) == "MAKES_WAY"


def test_a_halt_that_cancels_all_orders_ends_held_children() -> None:
    """They are orders, too."""
    desk = waiting()
    desk.risk.halt(HaltScope.ACCOUNT, "account", HaltState.CANCEL_ALL, "test")
    assert desk.told("stop")[-1] == ("CANCELED", "halt")


def test_a_mild_halt_leaves_children_waiting() -> None:
    """A protective child passes it when it is released."""
    desk = waiting()
    desk.risk.halt(HaltScope.STRATEGY, "s", HaltState.NO_NEW, "test")
    part(desk, 10, 10)
    assert sizes(desk) == [("stop", 10)]


# --- brackets ----------------------------------------------------------------------------------------------


def bracketed(**venue: object) -> Desk:
    """An entry of which four have filled, with a stop and a target in one group."""
    desk = waiting(**venue)
    desk.cancel("stop")
    for intent, options in (("guard", {"stop": 90}), ("take", {"limit": 110})):
        desk.order(SELL, 10, intent, oco="x", parent="entry", reduce_only=True, **options)
    part(desk, 4, 4)
    return desk


def test_both_exits_of_a_bracket_are_released_in_what_has_filled() -> None:
    """They share the position."""
    desk = bracketed()
    assert [(each.intent_id, each.quantity) for each in desk.orders[1:]] == [("guard", 4), ("take", 4)]


def test_both_exits_of_a_bracket_grow_from_what_the_other_left() -> None:
    """One of four was taken at the target; with six more, nine are to be covered."""
    desk = bracketed()
    for intent in ("guard", "take"):
        desk.update(intent)
    desk.booked("take", 1, 110)
    desk.update("take", filled=1)
    desk.update("guard", quantity=Decimal(3), reason="MODIFIED")
    part(desk, 6, 10)
    assert [(each.intent_id, each.quantity) for each in desk.changes] == [("guard", 9), ("take", 10)]


def test_exits_of_later_fills_are_a_pair_of_their_own() -> None:
    """The first pair is over by the target's fill; the rest of the entry gets a new one."""
    desk = bracketed()
    for intent in ("guard", "take"):
        desk.update(intent)
    desk.filled("take", 110)
    desk.update("guard", CANCELED, reason="OCO")
    part(desk, 6, 10)
    pair = [(each.intent_id, each.quantity, each.terms.oco) for each in desk.orders[3:]]
    assert pair == [("guard+2", 6, "s/x+4"), ("take+2", 6, "s/x+4")]


def test_an_exit_that_the_venue_canceled_of_itself_is_over() -> None:
    """Neither it nor the other has filled: it is told, and its strategy decides."""
    desk = bracketed()
    desk.update("guard")
    desk.update("guard", CANCELED, reason="risk of the venue's")
    part(desk, 6, 10)
    assert sizes(desk, "guard") == [("guard", 4)]


# --- any interleaving --------------------------------------------------------------------------------------


def any_bracket(world: World, number: int) -> None:
    """Ask for an entry with a stop, and mostly a target as well."""
    desk, made = world.desk, len(world.desk.log.of(OrderUpdate)) + len(world.desk.orders)
    entry = f"e{made}.{world.desk._intents}"
    quantity = 1 + number % 6
    if desk.order(BUY, quantity, entry, limit=90):
        return
    group = f"g{entry}" if number % 3 else ""
    desk.order(SELL, quantity, f"{entry}:stop", stop=80, parent=entry, oco=group, reduce_only=True)
    if group:
        desk.order(SELL, quantity, f"{entry}:take", limit=120, parent=entry, oco=group, reduce_only=True)


def lone_bracket(world: World, number: int) -> None:
    """Ask for one when the last one is over: what exits of another sold by a race would be missing here."""
    if not world.venue.position and not len(world.desk.risk.book):
        any_bracket(world, number)


ACTIONS = (*("ask",) * 2, *("fill",) * 6, *("cancel",) * 1, *SERVICES * 4)
SEEDS = st.integers(0, 2**32)


def family(world: World, entry: str, leg: str) -> tuple[Decimal, Decimal]:
    """What the orders of a child have filled at the venue, and what they may still fill."""
    filled = still_open = Decimal(0)
    for order in (*world.execution.orders.values(), *world.execution._register.closed.values()):
        if order.intent_id.partition("+")[0] == f"{entry}:{leg}":
            filled += world.venue.filled.get(order.order_id, Decimal(0))
            if order.order_id in world.venue.open:
                still_open += world.venue.rest(order.order_id)
    return filled, still_open


def entries(world: World) -> list[tuple[str, Decimal]]:
    """The entries, and what they have filled at the venue."""
    orders = (*world.execution.orders.values(), *world.execution._register.closed.values())
    return [
        (order.intent_id, world.venue.filled.get(order.order_id, Decimal(0)))
        for order in orders
        if ":" not in order.intent_id
    ]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
@example(1_000_165)  # a leg in doubt is trimmed once, not for ever
def test_exits_never_exceed_their_entry_in_any_interleaving(seed: int) -> None:
    """What a bracket's orders have sold, and its stop could still sell, is never more than its entry."""
    world = World(InstrumentFilters(), ReduceOnly(), ask=any_bracket, venue=Venue(refuses=lambda dice: dice == 7))
    for number, _ in enumerate(run(world, seed, ACTIONS, 400)):
        if number % 20 == 0:
            for entry, bought in entries(world):
                (stopped, still_open), (taken, _) = family(world, entry, "stop"), family(world, entry, "take")
                alone = not taken and not family(world, entry, "take")[1]
                assert stopped + (still_open if alone else 0) <= bought
    world.serve()
    assert world.venue.position >= 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
def test_when_all_is_quiet_every_stop_is_as_large_as_what_is_left_of_its_entry(seed: int) -> None:
    """Partial fills, late bookings, refused changes: stops end up with what entries bought and exits left."""
    world = World(
        InstrumentFilters(), ReduceOnly(), ask=lone_bracket, venue=Venue(clamps=True, grants=lambda _: True)
    )
    for _ in run(world, seed, tuple(action for action in ACTIONS if action != "cancel"), 400):
        pass
    world.serve()
    for entry, bought in entries(world):
        (stopped, guards), (taken, _) = family(world, entry, "stop"), family(world, entry, "take")
        assert guards == bought - stopped - taken


def test_the_interleavings_are_rich() -> None:
    """The runs above are worth something: children grow, and orders come beside them."""
    changes = beside = 0
    for seed in range(10):
        world = World(InstrumentFilters(), ReduceOnly(), ask=any_bracket)
        for _ in run(world, seed, ACTIONS, 400):
            pass
        changes += len(world.desk.changes)
        beside += sum("+" in order.intent_id for order in world.desk.orders)
    assert (changes > 20, beside > 20) == (True, True)
