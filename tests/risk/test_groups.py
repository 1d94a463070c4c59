"""OCO groups: where the venue keeps them their legs count as one order, where it does not each counts in full."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.risk.desk import BUY, SELL, Desk, code
from tests.risk.world import LIMIT, Venue, World, run
from tradingd.domain.enums import HaltScope, HaltState, OrderStatus, OrderType, Side
from tradingd.domain.terms import AlgoSpec, OrderTerms
from tradingd.domain.venue import VenueCapabilities
from tradingd.risk.limits import (
    InstrumentFilters,
    Limit,
    MaxPositionNotional,
    MaxPositionQuantity,
    MaxStrategyCapital,
    NoShort,
    ReduceOnly,
)
from tradingd.testing import make_instrument

OPEN, CANCELED, FILLED = OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.FILLED
LONE = {"SIM": VenueCapabilities(oco=False)}


def paired(held: int = 10) -> Desk:
    """Long, with a reduce-only stop and target of the whole position in one group, both working."""
    desk = Desk(ReduceOnly(), NoShort())
    desk.hold(held)
    assert desk.order(SELL, held, "stop", stop=90, oco="x", reduce_only=True) == ""
    assert desk.order(SELL, held, "target", limit=110, oco="x", reduce_only=True) == ""
    for intent in ("stop", "target"):
        desk.update(intent)
    return desk


def test_a_stop_and_a_target_may_both_reduce_the_same_position() -> None:
    """What fills of one is taken from the other, so together they never close more than there is."""
    desk = paired()
    assert (desk.risk.book.pending("AAPL", SELL), desk.risk.book.bounds("AAPL")) == (10, (0, 10))


def test_an_order_beside_a_group_finds_only_what_the_group_leaves() -> None:
    """The group takes the whole position, whichever leg fills."""
    desk = paired()
    assert code(desk.order(SELL, 1, reduce_only=True)) == "REDUCE_ONLY"


@pytest.mark.parametrize("order", list(permutations(["told", "booked", "shrunk"])))
def test_a_partial_fill_of_one_leg_is_taken_from_the_other(order: tuple[str, ...]) -> None:
    """In whatever order its word, its booking and the smaller leg's news arrive, nothing is missed on the way."""
    desk = paired()
    steps = {
        "told": lambda: desk.update("target", filled=4),
        "booked": lambda: desk.booked("target", 4, 110),
        "shrunk": lambda: desk.update("stop", quantity=Decimal(6), reason="MODIFIED"),
    }
    for step in order:
        steps[step]()
        assert desk.risk.book.bounds("AAPL")[0] == 0
    assert (desk.outstanding("stop"), desk.outstanding("target")) == (6, 6)


def test_a_fill_before_the_venue_had_the_other_leg_is_not_taken_from_it() -> None:
    """A leg that joins late joins as it is: only what fills after its acceptance shrinks it."""
    desk = Desk()
    desk.hold(10)
    desk.order(SELL, 10, "target", limit=110, oco="x")
    desk.update("target")
    desk.order(SELL, 10, "stop", stop=90, oco="x")
    desk.update("target", filled=4)
    desk.booked("target", 4, 110)
    desk.update("stop")
    assert (desk.outstanding("stop"), desk.risk.book.bounds("AAPL")[0]) == (10, -4)


@pytest.mark.parametrize("answer", [None, OPEN])
def test_a_leg_that_was_canceled_on_its_way_is_not_believed_to_be_there(answer: OrderStatus | None) -> None:
    """The other fills before the venue has it and takes nothing from it; a refused cancel proves nothing."""
    desk = Desk()
    for intent in ("first", "second"):
        desk.order(SELL, 10, intent, limit=110, oco="x")
        desk.update(intent, OrderStatus.SENDING)
        desk.update(intent, OrderStatus.CANCELING)
    if answer is not None:
        desk.update("second", answer)
    shared = desk.risk.book.bounds("AAPL")[0]
    desk.update("first", FILLED, 10)
    assert (shared, desk.risk.book.bounds("AAPL")[0], desk.outstanding("second")) == (-20, -20, 10)


def test_a_leg_that_the_venue_accepted_shares_while_it_is_being_canceled() -> None:
    """It is there until the cancel gets there."""
    desk = entries()
    desk.update("stop", OrderStatus.CANCELING)
    desk.update("limit", filled=4)
    assert (desk.outstanding("stop"), desk.risk.book.bounds("AAPL")) == (6, (0, 10))


@pytest.mark.parametrize("told", ["before", "after"])
def test_the_news_of_what_a_leg_lost_is_no_answer_to_a_change_to_the_same_quantity(told: str) -> None:
    """The change may reach the venue later and give back what yet another fill took."""
    desk = entries()
    if told == "before":
        desk.update("stop", filled=1)
    desk.modify("limit", 9)
    if told == "after":
        desk.update("stop", filled=1)
    desk.update("limit", quantity=Decimal(9), reason="MODIFIED")
    desk.update("stop", filled=5)
    assert desk.outstanding("limit") >= 9
    assert desk.risk.book.bounds("AAPL")[1] >= 10 + 9


@pytest.mark.parametrize("filled", [0, 4])
def test_a_leg_shares_again_once_its_change_is_granted(filled: int) -> None:
    """A quantity that no fill of another explains can only be the answer."""
    desk = entries()
    desk.modify("limit", 9)
    desk.update("stop", filled=filled)
    desk.update("limit", quantity=Decimal(9), reason="MODIFIED")
    desk.update("stop", filled=filled + 1)
    assert desk.outstanding("limit") == 8


def test_legs_that_only_reduce_may_fill_one_after_the_other_while_they_are_on_their_way() -> None:
    """What the first fills is not taken from the second yet: the venue stops at nothing held, not at one leg."""
    desk = Desk(MaxPositionQuantity(10), ReduceOnly())
    desk.hold(10)
    for intent, prices in {"stop": {"stop": 90}, "target": {"limit": 110}}.items():
        assert desk.order(SELL, 6, intent, oco="x", reduce_only=True, **prices) == ""
    on_the_way = desk.risk.book.bounds("AAPL")
    denied = desk.order(SELL, 11, limit=110)
    for intent in ("stop", "target"):
        desk.update(intent)
    assert (on_the_way, code(denied), desk.risk.book.bounds("AAPL")) == (
        (0, 10),
        "MAX_POSITION_QUANTITY",
        (4, 10),
    )


def test_a_sell_beside_legs_on_their_way_may_do_more_than_reduce() -> None:
    """Both legs and the sell could fill: only once the venue has the legs is the rest free."""
    desk = Desk(NoShort(), ReduceOnly())
    desk.hold(10)
    for intent, prices in {"stop": {"stop": 90}, "target": {"limit": 110}}.items():
        desk.order(SELL, 6, intent, oco="x", reduce_only=True, **prices)
    early = desk.order(SELL, 4)
    for intent in ("stop", "target"):
        desk.update(intent)
    assert (code(early), desk.order(SELL, 4)) == ("SHORT_NOT_ALLOWED", "")


def test_a_race_at_the_venue_keeps_no_protection_away() -> None:
    """Orders that only reduce are judged by the largest leg at once, beside a sell that works too."""
    desk = Desk(NoShort(), ReduceOnly())
    desk.hold(10)
    assert desk.order(SELL, 4, limit=110) == ""
    for prices in ({"stop": 90}, {"limit": 110}):
        assert desk.order(SELL, 6, oco="x", reduce_only=True, **prices) == ""


def test_one_strategy_s_legs_on_their_way_may_reduce_what_others_hold() -> None:
    """The venue looks at the account: a strategy of which both legs fill ends below zero of its own."""
    desk = Desk()
    desk.hold(6)
    desk.hold(4, strategy="t")
    for prices in ({"stop": 90}, {"limit": 110}):
        desk.order(SELL, 6, oco="x", reduce_only=True, **prices)
    assert (desk.risk.book.bounds("AAPL", "s"), desk.risk.book.bounds("AAPL")) == ((-4, 6), (0, 10))


def test_a_fill_while_a_leg_is_being_changed_may_or_may_not_be_taken_from_it() -> None:
    """The change may reach the venue after the fill and restore the leg, so until its answer it counts in full."""
    desk = paired()
    desk.modify("stop", 9)
    desk.update("target", filled=4)
    desk.booked("target", 4, 110)
    during = desk.outstanding("stop")
    desk.update("stop", quantity=Decimal(9), reason="MODIFIED")
    assert (during, desk.outstanding("stop")) == (10, 9)


def test_a_change_of_a_shrunk_leg_counts_from_what_is_left_of_it() -> None:
    """After four of ten were taken, making the leg eight makes it greater."""
    desk = paired()
    desk.update("target", filled=4)
    desk.booked("target", 4, 110)
    reason = desk.modify("stop", 8)
    assert code(reason.removeprefix("MODIFY_DENIED: ")) == "REDUCE_ONLY"


def test_the_price_of_a_shrunk_leg_can_be_changed() -> None:
    """Its size is what is left of it."""
    desk = paired()
    desk.update("target", filled=4)
    desk.booked("target", 4, 110)
    assert desk.modify("stop", stop=95) == ""
    assert desk.outstanding("stop") == 6


def test_a_full_fill_of_one_leg_leaves_nothing_of_the_other() -> None:
    """It cannot fill any more, even before its cancel is told."""
    desk = paired()
    desk.filled("target", 110)
    assert (desk.outstanding("stop"), desk.risk.book.bounds("AAPL")) == (0, (0, 0))


def test_a_leg_that_ended_leaves_the_other_counting_in_full() -> None:
    """A cancel of one takes nothing from the other's size."""
    desk = paired()
    desk.update("target", CANCELED)
    assert desk.risk.book.pending("AAPL", SELL) == 10


def test_groups_of_different_strategies_share_nothing() -> None:
    """The same name means another group: both positions may be taken away."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.order(SELL, 6, stop=90, oco="x", reduce_only=True)
    assert code(desk.order(SELL, 6, stop=90, oco="x", reduce_only=True, strategy="t")) == "REDUCE_ONLY"


def test_a_venue_without_oco_leaves_room_for_one_leg_only() -> None:
    """Both could fill, so the second could do more than reduce; its refusal says what the venue lacks."""
    desk = Desk(ReduceOnly(), NoShort(), venues=LONE)
    desk.hold(10)
    desk.order(SELL, 10, stop=90, oco="x", reduce_only=True)
    reason = desk.order(SELL, 10, limit=110, oco="x", reduce_only=True)
    assert code(reason) == "REDUCE_ONLY"
    assert "venue SIM keeps no OCO group of LIMIT orders, so each of them counts in full" in reason


def test_both_legs_count_in_full_where_the_venue_has_no_oco() -> None:
    """In bounds and notionals: the account could end short by the size of one leg."""
    desk = Desk(venues=LONE)
    desk.hold(10)
    for options in ({"stop": 90}, {"limit": 110}):
        desk.order(SELL, 10, oco="x", **options)
    assert desk.risk.book.bounds("AAPL") == (-10, 10)


@pytest.mark.parametrize(
    "able",
    [
        VenueCapabilities(modify=False),
        VenueCapabilities(order_types=frozenset({OrderType.MARKET, OrderType.LIMIT})),
    ],
)
def test_a_leg_that_execution_has_to_stand_in_for_counts_in_full(able: VenueCapabilities) -> None:
    """The venue keeps no group of orders that it does not have as they are."""
    desk = Desk(venues={"SIM": able})
    desk.hold(10)
    for options in ({"stop": 90}, {"limit": 110}):
        desk.order(SELL, 10, oco="x", **options)
    assert desk.risk.book.bounds("AAPL")[0] == -10


def test_a_leg_that_an_algorithm_works_counts_in_full() -> None:
    """Its pieces are not the venue's group."""
    desk = Desk()
    desk.hold(10)
    desk.order(SELL, 10, stop=90, oco="x")
    desk.order(SELL, 10, limit=110, terms=OrderTerms(oco="x", algo=AlgoSpec("twap")))
    assert desk.risk.book.bounds("AAPL")[0] == -10


def test_a_halt_leaves_a_protective_pair_alone() -> None:
    """REDUCE_ONLY cancels what could do more than reduce; a stop and a target that share the position cannot."""
    desk = paired()
    desk.risk.halt(HaltScope.STRATEGY, "s", HaltState.REDUCE_ONLY, "test")
    assert desk.cancels == []


def entries(*limits: Limit) -> Desk:
    """A buy stop above and a limit below the market in one group, both working."""
    desk = Desk(*limits)
    desk.order(BUY, 10, "stop", stop=105, oco="x")
    desk.order(BUY, 10, "limit", limit=95, oco="x")
    for intent in ("stop", "limit"):
        desk.update(intent)
    return desk


def test_of_entries_in_a_group_the_largest_counts_once_all_of_them_work() -> None:
    """One of the two can fill: the limits see one entry."""
    desk = entries(MaxPositionQuantity(20), MaxStrategyCapital(2_100), MaxPositionNotional(2_100))
    assert desk.risk.book.bounds("AAPL") == (0, 10)
    assert desk.order(BUY, 9, limit=95) == ""


def test_an_entry_on_its_way_into_a_group_counts_in_full() -> None:
    """The other may fill before it gets to the venue, and it would be there all the same."""
    desk = Desk(MaxPositionQuantity(10))
    assert desk.order(BUY, 10, stop=105, oco="x") == ""
    assert code(desk.order(BUY, 1, limit=95, oco="x")) == "MAX_POSITION_QUANTITY"


def test_an_entry_whose_quantity_is_changed_counts_beside_its_group() -> None:
    """The other may fill before the change gets to the venue, and the change would give back what that took."""
    desk = entries(MaxPositionQuantity(20))
    denied = desk.modify("limit", 11)
    assert (code(denied.removeprefix("MODIFY_DENIED: ")), desk.modify("limit", 6)) == ("MAX_POSITION_QUANTITY", "")
    assert desk.risk.book.bounds("AAPL") == (0, 20)  # until the answer the limit order may have ten


# --- every outcome -----------------------------------------------------------------------------------------


Leg = tuple[Side, int, str, bool]
"""Side, quantity, group ("" for none), reduce-only."""

legs = st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 4), st.sampled_from(["", "x", "y"]), st.booleans())


def outcomes(approved: Sequence[Leg]) -> set[int]:
    """Every position change that fills could make: one unit after the other, taken from the rest of its group."""
    first = tuple(quantity for _, quantity, _, _ in approved)
    seen, todo = {(first, 0)}, [(first, 0)]
    while todo:
        left, change = todo.pop()
        for number, (side, _, group, _) in enumerate(approved):
            if left[number]:
                taken = tuple(
                    max(0, rest - 1) if other == number or (group and approved[other][2] == group) else rest
                    for other, rest in enumerate(left)
                )
                after = (taken, change + side.sign)
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
    return {change for _, change in seen}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(-6, 6), st.lists(legs, min_size=1, max_size=4), st.integers(2, 8))
def test_no_outcome_of_groups_breaks_a_limit_or_flips_what_only_reduces(
    held: int, asked: list[Leg], limit: int
) -> None:
    """Whichever legs fill, and in whatever part: the position keeps its limit, reduce-only orders cross no zero.

    The bounds are reached by some outcome and passed by none.
    """
    desk = Desk(ReduceOnly(), MaxPositionQuantity(limit), instruments=[make_instrument("AAPL")])
    if held:
        desk.hold(held)
    approved = []
    for leg in asked:
        side, quantity, group, reduce_only = leg
        intent = str(len(approved))
        if not desk.order(side, quantity, intent, oco=group, limit=100, reduce_only=reduce_only):
            desk.update(intent)
            approved.append(leg)
    reached = [held + change for change in outcomes(approved)]
    assert desk.risk.book.bounds("AAPL") == (min(reached), max(reached))
    assert max(abs(position) for position in reached) <= max(limit, abs(held))
    reducing = [leg for leg in approved if leg[3]]
    assert all(held * (held + change) >= 0 for change in outcomes(reducing))


def any_pair(world: World, number: int) -> None:
    """Ask for orders of which most belong to one of three groups."""
    side = SELL if number % 2 else BUY
    group = "" if number % 7 == 0 else f"g{side}{number % 3}"
    world.desk.order(side, 1 + number % LIMIT, limit=100 + side.sign * -10, reduce_only=number % 5 == 0, oco=group)


SEEDS = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
@example(600_000)  # legs that were canceled on their way fill one after the other
@example(600_132)  # reduce-only ones do
def test_the_book_contains_the_true_position_when_orders_share(seed: int) -> None:
    """Fills, changes, cancels and what the venue takes from other legs, in any interleaving."""
    limits = (InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
    world = World(*limits, ask=any_pair, venue=Venue(clamps=True))
    book = world.desk.risk.book
    for _ in run(world, seed):
        low, high = book.bounds("AAPL")
        assert low <= world.venue.position <= high
        assert abs(world.venue.position) <= LIMIT
    world.settle()
    assert (len(book), book.bounds("AAPL")) == (0, (world.venue.position, world.venue.position))


# --- groups that execution keeps -----------------------------------------------------------------------------


def emulated(*, asked: bool = False) -> Desk:
    """Two orders of a group at a venue without OCO, working, of which the first has filled 40 of 100."""
    desk = Desk(venues=LONE)
    for intent, price in (("a", 90), ("b", 91)):
        desk.order(BUY, 100, intent, limit=price, oco="g")
        desk.update(intent)
    if asked:
        assert desk.modify("b", limit=92) == ""
    desk.update("a", filled=40)
    return desk


def left(desk: Desk, intent: str = "b") -> int:
    """What an order counts."""
    reservation = desk.risk.book.get(intent)
    assert reservation is not None
    return int(reservation.outstanding)


def test_a_leg_that_execution_made_smaller_counts_less_once_that_is_told() -> None:
    """Until then both count in full: the venue may fill the one before it hears of the other."""
    desk = emulated()
    assert left(desk) == 100
    desk.update("b", quantity=Decimal(60), reason="MODIFIED")
    assert left(desk) == 60


def test_a_leg_shrinks_unasked_no_further_than_fills_explain() -> None:
    """A smaller quantity that nobody asked for may be an old answer that comes twice."""
    desk = emulated()
    desk.update("b", quantity=Decimal(30), reason="MODIFIED")
    assert left(desk) == 60
    desk.update("b", quantity=Decimal(30), reason="MODIFIED")
    assert left(desk) == 60


def test_a_leg_that_joins_late_counts_as_execution_takes_it() -> None:
    """What others of the group had filled before is taken from it before it is sent."""
    desk = emulated()
    desk.order(BUY, 100, "c", limit=92, oco="g")
    desk.update("c", OrderStatus.PREPARED, quantity=Decimal(60), reason="MODIFIED")
    assert left(desk, "c") == 60


def test_an_answer_takes_nothing_twice() -> None:
    """While a change is asked for, what execution tells is its answer and not a leg made smaller."""
    desk = emulated(asked=True)
    desk.update("b", quantity=Decimal(60), reason="MODIFIED")
    assert left(desk) == 100
