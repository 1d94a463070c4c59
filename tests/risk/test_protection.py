"""The protective-stop monitor: what a strategy holds has a working stop of that size, where it asks for that."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.risk.desk import BUY, FLAT, LONG, SELL, SHORT, Desk, code
from tests.risk.world import SERVICES, Venue, World, run
from tradingd.domain.enums import HaltScope, HaltState, OrderStatus, OrderType
from tradingd.domain.events import StrategyFaulted
from tradingd.domain.terms import PROTECTION, Trail
from tradingd.domain.venue import VenueCapabilities
from tradingd.risk.limits import InstrumentFilters, MaxPositionQuantity, ReduceOnly, RepeatedOrders
from tradingd.testing import at, make_instrument

OPEN, CANCELED, REJECTED, FILLED = OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.FILLED
FIXED = {"SIM": VenueCapabilities(modify=False)}
LONE = {"SIM": VenueCapabilities(oco=False)}


def guarded(held: int = 10, *limits: Any, venues: Any = None, **wanted: Any) -> Desk:
    """Strategy `s` holds some, and its protection was asked for; the stop works unless nothing is held."""
    desk = Desk(InstrumentFilters(), ReduceOnly(), *limits, instruments=[make_instrument("AAPL")], venues=venues)
    if held:
        desk.hold(held)
    desk.protect("guard", **({"stop": 90} | wanted))
    for order in desk.orders:
        desk.update(order.intent_id)
    return desk


def entered(desk: Desk, quantity: int, intent: str = "entry") -> None:
    """Another order of the strategy fills."""
    desk.order(BUY, quantity, intent)
    desk.filled(intent)


def sizes(desk: Desk) -> list[tuple[str, int]]:
    """Side and size of the approved orders."""
    return [(order.side.value, int(order.quantity)) for order in desk.orders]


# --- the invariant -----------------------------------------------------------------------------------------


def test_what_is_held_gets_its_stop_at_once() -> None:
    """A reduce-only stop of the position's size, at the price, on the tick, of that strategy."""
    desk = guarded(10, stop="90.004")
    order = desk.orders[0]
    assert (order.side, order.quantity, order.order_type, order.stop_price) == (
        SELL,
        10,
        OrderType.STOP,
        Decimal("90.01"),
    )
    assert (order.strategy_id, order.reduce_only, order.terms.oco) == ("s", True, f"s/{PROTECTION}")


def test_a_short_position_is_protected_above() -> None:
    """The mirror image."""
    desk = guarded(-10, stop=110)
    assert (desk.last, desk.orders[0].stop_price) == ((BUY, 10), 110)


def test_a_protection_asked_for_while_flat_waits_for_the_position() -> None:
    """The first fill that is booked is protected."""
    desk = guarded(0)
    desk.order(BUY, 10, "entry", limit=100)
    desk.update("entry", filled=4)
    before = len(desk.orders)
    desk.booked("entry", 4)
    assert (before, desk.last) == (1, (SELL, 4))


def test_the_stop_grows_with_the_position() -> None:
    """Once it is known to work, by a change."""
    desk = guarded(10)
    entered(desk, 5)
    assert [(change.quantity, change.stop_price) for change in desk.changes] == [(15, None)]


def test_a_stop_on_its_way_is_waited_for() -> None:
    """It is not protection yet, and two at once could close more than there is."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.protect(stop=90)
    entered(desk, 5)
    waiting = (len(desk.orders), len(desk.changes))
    desk.update("guard:stop1")
    assert (waiting, desk.changes[0].quantity) == ((2, 0), 15)


def test_the_stop_shrinks_with_the_position() -> None:
    """What was sold by another order needs no stop any more."""
    desk = guarded(10)
    desk.hold(-4)
    desk.risk.on_market_data(desk.market(100.0))
    desk.protect(stop=90)
    assert desk.changes[-1].quantity == 6


def test_a_stop_that_may_not_shrink_is_canceled() -> None:
    """Another's reduce-only order forbids the change, and left as it is the stop could turn the position."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.hold(-10, strategy="t")
    desk.protect(stop=90)
    desk.update("guard:stop1")
    desk.hold(18, strategy="t")
    assert desk.order(SELL, 8, "other", limit=110, strategy="t", reduce_only=True) == ""
    desk.update("other")
    desk.hold(-4)
    desk.hold(-6, strategy="t")
    desk.protect(stop=90)
    assert (desk.changes, desk.cancels) == ([], ["guard:stop1"])


def test_the_stop_goes_with_the_position() -> None:
    """Nothing is held: nothing may be left that could open the other side."""
    desk = guarded(10)
    desk.signal(FLAT, intent_id="exit")
    desk.update("guard:stop1", CANCELED)
    desk.filled("exit")
    assert (desk.cancels, len(desk.orders)) == (["guard:stop1"], 2)


def test_a_stop_that_filled_in_part_protects_the_rest() -> None:
    """What it has sold is neither held nor protected."""
    desk = guarded(10)
    desk.booked("guard:stop1", 4, 90)
    desk.update("guard:stop1", filled=4)
    assert (desk.changes, len(desk.orders), desk.outstanding("guard:stop1")) == ([], 1, 6)


def test_a_filled_stop_that_is_not_booked_yet_is_not_replaced() -> None:
    """The position only seems to be without it."""
    desk = guarded(10)
    desk.update("guard:stop1", FILLED, 10)
    before = len(desk.orders)
    desk.booked("guard:stop1", 10, 90)
    assert (before, len(desk.orders)) == (1, 1)


def test_another_price_moves_the_stop() -> None:
    """The latest wish counts."""
    desk = guarded(10)
    desk.protect("again", stop=95)
    assert [(change.intent_id, change.quantity, change.stop_price) for change in desk.changes] == [
        ("guard:stop1", None, 95)
    ]


def test_a_wish_for_another_kind_of_stop_replaces_it() -> None:
    """A stop cannot be changed into a trailing one: it is canceled, and the other placed when it is gone."""
    desk = guarded(10)
    desk.protect("again", trail=Trail(Decimal(5)))
    before = (desk.cancels, len(desk.orders))
    desk.update("guard:stop1", CANCELED)
    order = desk.orders[-1]
    assert (before, order.order_type, order.quantity) == ((["guard:stop1"], 1), OrderType.TRAILING_STOP, 10)


def test_a_trailing_stop_that_has_to_be_placed_again_begins_where_it_was() -> None:
    """Protection never moves away from the market."""
    desk = guarded(10, stop=None, trail=Trail(Decimal(5)))
    desk.update("guard:stop1", stop_price=Decimal(107))
    desk.update("guard:stop1", OrderStatus.EXPIRED, stop_price=Decimal(107))
    desk.market(111.0, minute=1)
    assert (desk.orders[0].stop_price, desk.orders[1].stop_price) == (None, 107)


@pytest.mark.parametrize("how", ["nothing", "cancel"])
def test_a_protection_can_be_called_off(how: str) -> None:
    """By a wish for nothing, or by canceling it: its order goes, and nothing comes again."""
    desk = guarded(10)
    if how == "cancel":
        desk.cancel("guard")
    else:
        desk.protect("off")
    desk.update("guard:stop1", CANCELED)
    entered(desk, 5)
    assert (desk.cancels, sizes(desk)[1:]) == (["guard:stop1"], [("BUY", 5)])


def test_other_stops_of_the_strategy_count_as_protection() -> None:
    """Only what they leave open is protected besides."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.order(SELL, 6, stop=92, reduce_only=True)
    desk.protect(stop=90)
    assert desk.last == (SELL, 4)


def test_dust_needs_no_stop() -> None:
    """Less than a lot can neither be traded nor protected."""
    desk = Desk(instruments=[make_instrument("AAPL", lot="1")])
    desk.hold("10.4")
    desk.protect(stop=90)
    assert desk.last == (SELL, 10)


@pytest.mark.parametrize("wanted", [{"stop": 0}, {"stop": -1}, {"tries": 0}, {"then": "pray"}, {"symbol": "NOPE"}])
def test_a_wish_that_makes_no_sense_is_denied(wanted: dict[str, Any]) -> None:
    """It is told, and nothing of it is done."""
    desk = Desk(instruments=[make_instrument("AAPL")])
    desk.hold(10)
    assert code(desk.protect(**({"stop": 90} | wanted))) in {
        "INVALID_NUMBER",
        "INVALID_PROTECTION",
        "UNKNOWN_INSTRUMENT",
    }
    assert desk.orders == []


# --- beside a target ---------------------------------------------------------------------------------------


def test_a_target_shares_the_position_with_the_stop() -> None:
    """Both reduce-only, of the whole position, in one group."""
    desk = guarded(10, target=120)
    assert [(each.order_type.value, each.quantity, each.terms.oco) for each in desk.orders] == [
        ("STOP", 10, "s/protect"),
        ("LIMIT", 10, "s/protect"),
    ]


def test_a_partial_fill_of_the_target_needs_no_change_of_the_stop() -> None:
    """The venue takes it from the stop of itself."""
    desk = guarded(10, target=120)
    desk.update("guard:target2", filled=4)
    desk.booked("guard:target2", 4, 120)
    desk.update("guard:stop1", quantity=Decimal(6), reason="MODIFIED")
    assert (desk.changes, desk.outstanding("guard:stop1")) == ([], 6)


def test_a_target_that_the_venue_cannot_pair_is_told_and_left_away() -> None:
    """The stop is what must work; both could close the position twice."""
    desk = guarded(10, target=120, venues=LONE)
    assert [order.order_type for order in desk.orders] == [OrderType.STOP]
    assert code(desk.denial("guard:target")) == "OCO"


def test_an_exit_of_the_strategys_own_may_join_the_stops_group() -> None:
    """What it fills is taken from the stop; beside the group it would be denied."""
    desk = guarded(10)
    assert desk.order(SELL, 4, limit=110, reduce_only=True, oco=PROTECTION) == ""
    assert code(desk.order(SELL, 4, limit=110, reduce_only=True)) == "REDUCE_ONLY"


# --- where the venue changes no orders ---------------------------------------------------------------------


def test_growth_is_an_order_beside_where_the_venue_changes_none() -> None:
    """The stops together are the position."""
    desk = guarded(10, venues=FIXED)
    entered(desk, 5)
    assert (sizes(desk)[-1], desk.changes) == (("SELL", 5), [])


def test_a_refused_change_of_size_leads_to_an_order_beside() -> None:
    """The stop that works is left alone, and what it does not cover gets its own."""
    desk = guarded(10)
    entered(desk, 5)
    desk.update("guard:stop1", reason="MODIFY_REJECTED: no")
    assert sizes(desk)[-1] == ("SELL", 5)


def test_a_moved_stop_is_a_new_one_where_the_venue_changes_none() -> None:
    """Canceled first: two at once could close more than there is."""
    desk = guarded(10, venues=FIXED)
    desk.protect("again", stop=95)
    before = (desk.cancels, len(desk.orders))
    desk.update("guard:stop1", CANCELED)
    assert (before, desk.orders[-1].stop_price, desk.last) == ((["guard:stop1"], 1), 95, (SELL, 10))


# --- refusals ----------------------------------------------------------------------------------------------


def test_a_rejected_stop_is_tried_again_with_growing_pauses() -> None:
    """Five seconds after the first refusal, ten after the second."""
    desk = guarded(10, tries=5)
    desk.update("guard:stop1", REJECTED)
    counts = []
    for second in (4, 5, 6):
        desk.market(100.0, minute=second / 60)
        counts.append(len(desk.orders))
    desk.update("guard:stop2", REJECTED, minute=6 / 60)
    for second in (15, 17):
        desk.market(100.0, minute=second / 60)
        counts.append(len(desk.orders))
    assert counts == [1, 2, 2, 2, 3]


def test_market_events_are_wanted_while_a_try_is_due() -> None:
    """Time comes with them; otherwise risk has no use for them."""
    desk = guarded(10)
    known = [desk.risk.market_interest()]
    wanted = ["AAPL" in interest for interest in known if interest is not None]
    desk.update("guard:stop1", REJECTED)
    wanted += ["AAPL" in interest for interest in known if interest is not None]
    desk.market(100.0, minute=1)
    desk.update("guard:stop2")
    desk.market(100.0, minute=2)
    wanted += ["AAPL" in interest for interest in known if interest is not None]
    assert wanted == [False, True, False]


def test_a_position_that_cannot_be_protected_is_closed() -> None:
    """After the last try, at market, in the strategy's name; it is told how that came about."""
    desk = guarded(10, tries=2)
    desk.update("guard:stop1", REJECTED)
    desk.market(100.0, minute=1)
    desk.update("guard:stop2", REJECTED, minute=1)
    order = desk.orders[-1]
    assert (order.order_type, order.side, order.quantity, order.tag) == (OrderType.MARKET, SELL, 10, "UNPROTECTED")
    assert desk.halts == []


def test_no_stop_is_placed_beside_the_exit() -> None:
    """What is being closed needs no protection, until the exit fails."""
    desk = guarded(10, tries=1)
    desk.update("guard:stop1", REJECTED)
    desk.market(100.0, minute=1)
    before = len(desk.orders)
    desk.update("guard:close2", REJECTED, minute=1)
    desk.market(100.0, minute=2)
    assert (before, desk.orders[-1].order_type) == (2, OrderType.STOP)


def test_an_alarm_halts_the_strategys_entries_instead() -> None:
    """Where the strategy chose that; the tries go on."""
    desk = guarded(10, tries=1, then="alarm")
    desk.update("guard:stop1", REJECTED, reason="no stops here")
    assert (desk.halts, len(desk.orders)) == ([("strategy", "s", "NO_NEW")], 1)
    assert "UNPROTECTED" in desk.order(BUY, 1)
    desk.market(100.0, minute=1)
    assert desk.last == (SELL, 10)


def test_a_position_that_cannot_even_be_closed_raises_the_alarm() -> None:
    """Another strategy's short makes the account flat: an exit could open a position, which a halt forbids."""
    desk = guarded(10, tries=1)
    desk.hold(-10, strategy="t")
    desk.risk.halt(HaltScope.ACCOUNT, "account", HaltState.NO_NEW, "test")
    desk.update("guard:stop1", CANCELED)
    assert (desk.halts[-1], len(desk.orders)) == (("strategy", "s", "NO_NEW"), 1)


def test_a_denied_stop_counts_as_a_try() -> None:
    """Whoever refuses it: an exit that rests outside the group leaves no room for it."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.order(SELL, 10, "limit", limit=110, reduce_only=True)
    desk.update("limit")
    desk.protect(stop=90, tries=1)
    assert (code(desk.denial("guard:stop1")), desk.cancels) == ("REDUCE_ONLY", ["limit"])


def test_a_part_too_small_for_the_venue_waits_while_the_entry_works() -> None:
    """The next fill makes it great enough; that is no refusal."""
    desk = Desk(InstrumentFilters(), instruments=[make_instrument("AAPL", min_quantity="5")])
    desk.protect(stop=90, tries=1)
    desk.order(BUY, 10, "entry", limit=100)
    desk.booked("entry", 4)
    early = len(desk.orders)
    desk.booked("entry", 6)
    assert (early, desk.last) == (1, (SELL, 10))


def test_the_rates_of_orders_do_not_stand_against_protection() -> None:
    """A stop placed again and again under the same conditions is the monitor's doing, not a loop gone mad."""
    desk = guarded(10, RepeatedOrders(0, 3600), tries=9)
    desk.update("guard:stop1", REJECTED)
    desk.market(100.0, minute=1)
    assert len(desk.orders) == 2


# --- signals -----------------------------------------------------------------------------------------------


def test_a_signals_stop_and_target_become_orders_as_it_fills() -> None:
    """Sized to what has filled, on the tick, and canceled with the position."""
    desk = Desk(ReduceOnly(), InstrumentFilters(), instruments=[make_instrument("AAPL")])
    desk.signal(LONG, intent_id="in", stop=95.0, target=120.0)
    desk.booked("in", 4)
    made = [(each.intent_id, each.quantity, each.order_type.value) for each in desk.orders[1:]]
    assert made == [("in:stop1", 4, "STOP"), ("in:target2", 4, "LIMIT")]
    assert all(order.reduce_only for order in desk.orders[1:])


def test_a_reversal_is_protected_in_what_it_holds_then() -> None:
    """Twenty are sold: ten close, ten open, and only those get a stop, above the market."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.signal(SHORT, intent_id="turn", stop=110.0)
    desk.booked("turn", 6)
    desk.booked("turn", 4)
    early = len(desk.orders)
    desk.booked("turn", 10)
    order = desk.orders[-1]
    assert (early, order.side, order.quantity, order.stop_price) == (1, BUY, 10, 110)


def test_a_limit_reversal_puts_no_stop_on_the_side_it_leaves() -> None:
    """The stop of the short to come would close the long at once."""
    desk = Desk()
    desk.hold(10)
    desk.signal(SHORT, intent_id="turn", limit=101.0, stop=110.0)
    desk.booked("turn", 5, 101)
    assert len(desk.orders) == 1


def test_an_exit_makes_way_for_itself_through_a_signals_orders() -> None:
    """Stop and target go first; nothing is placed again meanwhile."""
    desk = Desk(ReduceOnly())
    desk.signal(LONG, intent_id="in", stop=95.0, target=120.0)
    desk.filled("in")
    for intent in ("in:stop1", "in:target2"):
        desk.update(intent)
    desk.signal(FLAT, intent_id="out")
    for intent in ("in:stop1", "in:target2"):
        desk.update(intent, CANCELED)
    desk.filled("out")
    assert (desk.cancels, sizes(desk)) == (
        ["in:stop1", "in:target2"],
        [("BUY", 10), ("SELL", 10), ("SELL", 10), ("SELL", 10)],
    )


def test_a_later_signal_without_a_stop_wants_none() -> None:
    """What an earlier signal wanted ends with its position."""
    desk = Desk(ReduceOnly())
    desk.signal(LONG, intent_id="in", stop=95.0)
    desk.filled("in")
    desk.filled("in:stop1", 95)
    desk.signal(LONG, intent_id="again")
    desk.filled("again")
    assert len(desk.orders) == 3


def test_a_protection_that_was_asked_for_outlives_signals_and_positions() -> None:
    """It is not a signal's: the next position is protected, too."""
    desk = guarded(0)
    for number in (1, 2):
        desk.signal(LONG, intent_id=f"in{number}")
        desk.filled(f"in{number}")
        desk.filled(desk.orders[-1].intent_id, 90)
    assert sizes(desk) == [("BUY", 10), ("SELL", 10)] * 2


def test_a_target_that_fills_leaves_no_stop() -> None:
    """The venue takes the stop away; the position is closed, and so is the matter."""
    desk = Desk(ReduceOnly())
    desk.signal(LONG, intent_id="in", stop=95.0, target=120.0)
    desk.filled("in")
    for intent in ("in:stop1", "in:target2"):
        desk.update(intent)
    desk.update("in:target2", FILLED, 10)
    desk.update("in:stop1", CANCELED, reason="OCO: the other order of the group has filled")
    desk.booked("in:target2", 10, 120)
    desk.market(100.0, minute=1)
    assert (len(desk.orders), desk.changes, len(desk.risk.book)) == (3, [], 0)


# --- halts and faults --------------------------------------------------------------------------------------


def test_protection_passes_the_mild_halts() -> None:
    """It only reduces."""
    desk = guarded(0)
    desk.order(BUY, 10, "entry", limit=100)
    desk.risk.halt(HaltScope.ACCOUNT, "account", HaltState.NO_NEW, "test")
    desk.booked("entry", 10)
    assert desk.last == (SELL, 10)


def test_the_monitor_goes_on_for_a_faulted_strategy() -> None:
    """Its stop stays, and grows with a late fill of its entry."""
    desk = guarded(10)
    desk.order(BUY, 5, "entry", limit=99)
    desk.update("entry")
    desk.risk.on_fault(StrategyFaulted(at(0), "s", "boom"))
    desk.booked("entry", 5, 99)
    assert (desk.cancels, desk.changes[-1].quantity) == (["entry"], 15)


def test_nothing_is_placed_where_a_halt_cancels_all_orders() -> None:
    """It would be canceled again; after the resume it is placed."""
    desk = guarded(10)
    desk.risk.halt(HaltScope.ACCOUNT, "account", HaltState.CANCEL_ALL, "test")
    desk.update("guard:stop1", CANCELED)
    desk.market(100.0, minute=1)
    before = len(desk.orders)
    desk.risk.resume(HaltScope.ACCOUNT, "account", operator="me", reason="test")
    assert (before, desk.last, len(desk.orders)) == (1, (SELL, 10), 2)


# --- any interleaving --------------------------------------------------------------------------------------


def any_entry(world: World, number: int) -> None:
    """Buy some more, now and then move the stop, or exit by a signal."""
    desk = world.desk
    if number < 24:
        desk.order(BUY, 1 + number % 4, limit=90)
    elif number < 27:
        desk.protect(f"g{number}", stop=70 + number)
    else:
        desk.signal(FLAT)


ACTIONS = (*("ask",) * 2, *("fill",) * 5, "tick", *SERVICES * 4)
SEEDS = st.integers(0, 2**32)


def closing(world: World) -> Decimal:
    """What the stops, and the exits under way, at the venue could still sell."""
    kinds = (OrderType.STOP, OrderType.MARKET)
    orders = [order for order in world.venue.open.values() if order.side is SELL and order.order_type in kinds]
    return sum((world.venue.rest(order.order_id) for order in orders), Decimal(0))


def protected_world(**venue: Any) -> World:
    """A world whose strategy has asked for a stop."""
    able = venue.pop("able", VenueCapabilities())
    world = World(
        InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(12), ask=any_entry, venue=Venue(**venue), able=able
    )
    world.desk.protect("g", stop=80, tries=1_000)
    return world


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS, modifies=st.booleans())
def test_stops_never_exceed_the_position_in_any_interleaving(*, seed: int, modifies: bool) -> None:
    """Entries, stops, exits, refusals, changes: what stops at the venue could sell is held there at any time."""
    able = VenueCapabilities(modify=modifies)
    world = protected_world(refuses=lambda dice: dice % 5 == 0, able=able)
    for _ in run(world, seed, (*ACTIONS, "lose"), 500):
        assert closing(world) <= max(0, world.venue.position)
        assert world.venue.position >= 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS, modifies=st.booleans())
def test_when_all_is_quiet_the_stop_is_the_position(*, seed: int, modifies: bool) -> None:
    """Whatever was refused, and how often: in the end what is held has its stop, or its exit."""
    refusing = [True]
    able = VenueCapabilities(modify=modifies)
    world = protected_world(refuses=lambda dice: refusing[0] and dice % 5 == 0, able=able)
    for _ in run(world, seed, ACTIONS, 500):
        pass
    refusing[0] = False
    for _ in range(12):
        world.serve()
        for _ in range(10):
            world.tick()
    world.serve()
    assert closing(world) == world.venue.position


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
@example(1_000_408)  # an order's last fill came before the answer to a change that was asked for before it
def test_with_a_target_beside_it_the_stop_is_the_position_too(seed: int) -> None:
    """The venue takes from one what fills of the other, and no outcome flips the position."""
    world = protected_world(clamps=True)
    world.desk.protect("g", stop=80, target=130, tries=1_000)
    for _ in run(world, seed, ACTIONS, 500):
        assert world.venue.position >= 0
    for _ in range(12):
        world.serve()
        for _ in range(10):
            world.tick()
    world.serve()
    assert closing(world) == world.venue.position


def test_the_interleavings_are_rich() -> None:
    """The runs above are worth something: stops are placed, enlarged, refused and filled."""
    placed = changed = refused = 0
    for seed in range(10):
        world = protected_world(refuses=lambda dice: dice % 5 == 0)
        for _ in run(world, seed, ACTIONS, 500):
            pass
        placed += sum(order.order_type is OrderType.STOP for order in world.desk.orders)
        changed += len(world.desk.changes)
        refused += sum(order.status is REJECTED for order in world.execution._register.closed.values())
    assert (placed > 50, changed > 10, refused > 10) == (True, True, True)
