"""OCO groups at a venue that has none: what fills of one leg is taken from the others."""

from decimal import Decimal
from typing import Any

from tests.execution.desk import K, S
from tests.execution.floor import BARE, SELL, Floor, lacking
from tradingd.domain.enums import OrderType
from tradingd.domain.events import AlgoOrder, CancelOrder, ModifyOrder, OrderUpdate, SubmitOrder
from tradingd.domain.terms import PLAIN, AlgoSpec, OrderTerms
from tradingd.domain.venue import EVERYTHING

LEG = OrderTerms(oco="exit")


def pair(floor: Floor) -> tuple[str, str]:
    """A profit target and a stop for 10 shares: their client order ids."""
    target = floor.limit("110", "s:target", side=SELL, terms=LEG)
    stop = floor.place("s:stop", order_type=OrderType.STOP, side=SELL, stop_price="90", terms=LEG)
    return target, stop


def test_venue_is_not_told_of_the_group() -> None:
    """A venue without OCO gets plain orders."""
    floor = Floor(lacking("oco"))
    pair(floor)
    assert [order.terms for order in floor.sent] == [PLAIN, PLAIN]


def test_left_to_a_venue_that_has_it() -> None:
    """A venue with OCO gets the group's name, and keeps the group itself."""
    floor = Floor()
    target, _ = pair(floor)
    floor.fill(target, 10, "110")
    assert [order.terms for order in floor.sent] == [LEG, LEG]
    assert not floor.canceled()


def test_filled_leg_cancels_the_other() -> None:
    """The fill of one leg cancels the other at once."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.fill(target, 10, "110")
    assert floor.canceled() == [stop]
    assert (floor.told("s:target")[-1], floor.told("s:stop")[-1]) == (S.FILLED, S.CANCELED)


def test_partly_filled_leg_shrinks_the_other() -> None:
    """A part that fills of one leg is taken from the other by a change."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.fill(target, 4, "110")
    floor.fill(target, 1, "110")
    assert [(change.order_id, change.quantity) for change in floor.log.of(ModifyOrder)] == [(stop, 6), (stop, 5)]
    floor.fill(stop, 5, "90")
    assert floor.order("s:stop").status is S.FILLED
    assert floor.canceled() == [target]


def test_refused_change_becomes_a_cancel() -> None:
    """A leg that the venue will not make smaller is canceled."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.venue.answers = False
    floor.fill(target, 4, "110")
    floor.report(stop, K.MODIFY_REJECTED, reason="no")
    assert floor.canceled() == [stop]


def test_held_leg_shrinks_here() -> None:
    """A leg that is held here is made smaller or ended here, without a word to the venue."""
    floor = Floor(BARE)
    target, _ = pair(floor)
    child = floor.latest
    floor.fill(child, 4, "110")
    assert (floor.order("s:stop").quantity, floor.order("s:stop").status) == (Decimal(6), S.PREPARED)
    floor.fill(child, 6, "110")
    assert (floor.order("s:target").status, floor.order("s:stop").status) == (S.FILLED, S.CANCELED)
    assert not floor.log.of(ModifyOrder)
    assert target != child


def test_touched_leg_waits_until_the_other_has_made_way() -> None:
    """A held leg that is touched goes out when the resting one is canceled, less what had filled of that."""
    floor = Floor(lacking("oco", "stop"))
    target, stop = pair(floor)
    floor.venue.answers = False
    floor.quote(89, 89.5, 1)
    assert (floor.canceled(), floor.latest) == ([target], target)
    floor.fill(target, 3, "110")
    floor.report(target, K.CANCELED)
    assert (floor.sent[-1].order_id, floor.sizes) == (stop, [10, 7])


def test_touched_leg_goes_when_the_cancel_is_refused() -> None:
    """A stop does not wait for a cancel that is refused or whose outcome is unknown."""
    for kind in (K.CANCEL_REJECTED, K.UNKNOWN):
        floor = Floor(lacking("oco", "stop"))
        target, stop = pair(floor)
        floor.venue.answers = False
        floor.quote(89, 89.5, 1)
        floor.report(target, kind)
        assert floor.latest == stop


def test_of_two_touched_legs_one_goes() -> None:
    """When one event touches two held legs, the stop goes, and the other ends with its fill."""
    floor = Floor(BARE)
    floor.place("s:target", order_type=OrderType.TAKE_PROFIT, side=SELL, stop_price="110", terms=LEG)
    floor.place("s:stop", order_type=OrderType.STOP, side=SELL, stop_price="90", terms=LEG)
    floor.bar(85, 115, 100, minute=1)
    assert floor.sizes == [10]
    floor.fill(floor.latest, 10, "90")
    floor.bar(85, 115, 100, minute=2)
    assert (floor.told("s:stop")[-1], floor.told("s:target")[-1]) == (S.FILLED, S.CANCELED)
    assert len(floor.sent) == 1


def test_other_touched_leg_goes_when_the_first_is_rejected() -> None:
    """When the leg that went first is rejected, the other one that was touched is sent."""
    floor = Floor(BARE)
    floor.place("s:target", order_type=OrderType.TAKE_PROFIT, side=SELL, stop_price="110", terms=LEG)
    floor.place("s:stop", order_type=OrderType.STOP, side=SELL, stop_price="90", terms=LEG)
    floor.venue.rejects = True
    floor.bar(85, 115, 100, minute=1)
    assert [floor.told(f"s:{leg}")[-1] for leg in ("stop", "target")] == [S.REJECTED, S.REJECTED]
    assert len(floor.sent) == 2


def test_both_fill() -> None:
    """Two legs that both filled before the cancel came are booked, and told as OVERFILL, no contradiction."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.venue.answers = False
    floor.fill(target, 10, "110")
    floor.fill(stop, 10, "90")
    floor.report(stop, K.CANCEL_REJECTED)
    assert floor.fills == [("s:target", 10), ("s:stop", 10)]
    assert [floor.order(f"s:{leg}").status for leg in ("target", "stop")] == [S.FILLED, S.FILLED]
    reasons = [update.reason for update in floor.log.of(OrderUpdate) if update.intent_id == "s:stop"]
    assert "OVERFILL: 10 more than ordered" in reasons
    assert not any(reason.startswith("CONTRADICTION") for reason in reasons)


def overfills(floor: Floor) -> list[str]:
    """The overfills told, as `intent: quantity`."""
    told = [update for update in floor.log.of(OrderUpdate) if update.reason.startswith("OVERFILL")]
    return [f"{update.intent_id}: {update.reason.split()[1]}" for update in told]


def test_venue_that_does_not_keep_its_group() -> None:
    """Where a venue that has OCO fills both legs, the excess over the greater one is told as OVERFILL."""
    floor = Floor()
    target = floor.limit("110", "s:target", side=SELL, quantity="6", terms=LEG)
    stop = floor.place("s:stop", order_type=OrderType.STOP, side=SELL, stop_price="90", terms=LEG)
    floor.fill(target, 6, "110")
    floor.report(target, K.CANCELED, reason="late and wrong")
    floor.fill(stop, 7, "90")
    assert overfills(floor) == ["s:stop: 3"]


def test_legs_of_different_sizes_may_be_told_in_any_order() -> None:
    """Fills that some order of them explains are no overfill: the smaller leg may have filled first."""
    for able in (EVERYTHING, lacking("oco")):
        floor = Floor(able)
        small = floor.limit("110", "s:small", side=SELL, quantity="5", terms=LEG)
        great = floor.limit("111", "s:great", side=SELL, quantity="10", terms=LEG)
        floor.venue.answers = False
        floor.fill(great, 5, "111")
        floor.fill(small, 5, "110")
        assert overfills(floor) == []
        floor.fill(great, 1, "111")
        assert overfills(floor) == ["s:great: 1"]


def test_two_smaller_legs_that_both_fill() -> None:
    """A leg has filled too much when those as small as it have had its quantity, though a greater one had not."""
    floor = Floor(lacking("oco"))
    first, second = (floor.limit("110", f"s:{name}", side=SELL, quantity="5", terms=LEG) for name in "ab")
    floor.limit("120", "s:great", side=SELL, quantity="10", terms=LEG)
    floor.venue.answers = False
    floor.fill(first, 5, "110")
    floor.fill(second, 5, "110")
    assert overfills(floor) == ["s:b: 5"]


def test_leg_that_comes_late_to_a_venue_that_keeps_groups() -> None:
    """A venue takes from a leg what others fill from its arrival on: the late one may fill all of itself."""
    floor = Floor()
    first, _ = pair(floor)
    floor.fill(first, 4, "110")
    late = floor.limit("120", "s:late", side=SELL, terms=LEG)
    floor.fill(late, 10, "120")
    assert (floor.sizes, overfills(floor)) == ([10, 10, 10], [])
    floor.fill(first, 6, "110")
    assert overfills(floor) == ["s:target: 6"]


def test_fill_before_the_venue_s_word_that_it_has_the_leg() -> None:
    """A fill proves that the venue has a late leg as well as its acceptance, which comes after it, does."""
    floor = Floor()
    first, _ = pair(floor)
    floor.fill(first, 4, "110")
    floor.venue.answers = False
    late = floor.limit("120", "s:late", side=SELL, terms=LEG)
    floor.fill(late, 10, "120")
    floor.report(late, K.ACCEPTED)
    assert overfills(floor) == []


def test_leg_that_a_venue_with_oco_makes_greater() -> None:
    """A leg that was changed to more, and filled before the venue could say so, has not filled too much."""
    floor = Floor()
    target, stop = pair(floor)
    floor.venue.answers = False
    floor.fill(target, 2, "110")
    floor.change("s:stop", quantity="20")
    floor.fill(stop, 20, "90")
    assert overfills(floor) == []


def test_refused_change_of_a_leg_that_the_venue_keeps() -> None:
    """What the venue takes from a leg of itself, execution does not cancel it for when a change is refused."""
    floor = Floor()
    target, stop = pair(floor)
    floor.fill(target, 4, "110")
    floor.report(stop, K.MODIFY_REJECTED, reason="no")
    assert floor.canceled() == []


def test_rejected_or_canceled_leg_leaves_the_other() -> None:
    """A leg that ends without a fill takes nothing from the other."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.cancel("s:target")
    assert not floor.order("s:target").is_open
    assert floor.order("s:stop").status is S.OPEN
    assert (floor.canceled(), floor.order("s:stop").quantity, stop) == ([target], Decimal(10), floor.latest)


def test_changed_leg_keeps_what_was_asked_for() -> None:
    """A changed quantity tells what is to be left, whatever others have filled before: only later fills count."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.fill(target, 4, "110")
    floor.change("s:stop", quantity="8")
    assert floor.log.of(ModifyOrder)[-1].quantity == 8
    assert floor.order("s:stop").quantity == 8
    floor.fill(target, 1, "110")
    assert floor.order("s:stop").quantity == 7
    assert stop == floor.order("s:stop").order_id


def test_leg_that_comes_late() -> None:
    """A leg that joins when others have filled is made smaller by that, or not sent at all."""
    floor = Floor(lacking("oco"))
    target, _ = pair(floor)
    floor.fill(target, 4, "110")
    floor.limit("120", "s:late", side=SELL, terms=LEG)
    assert floor.sizes == [10, 10, 6]


def test_groups_are_of_one_strategy_and_symbol() -> None:
    """The same name in another strategy is another group."""
    floor = Floor(lacking("oco"))
    target, _ = pair(floor)
    floor.limit("110", "t:1", strategy_id="t", side=SELL, terms=LEG)
    floor.fill(target, 10, "110")
    assert floor.order("t:1").status is S.OPEN


def test_strategy_changes_a_leg() -> None:
    """A leg that its strategy has made greater is counted from that quantity."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.change("s:target", quantity="20")
    floor.change("s:stop", quantity="20")
    floor.fill(target, 5, "110")
    assert (floor.log.last(ModifyOrder).order_id, floor.log.last(ModifyOrder).quantity) == (stop, Decimal(15))


def test_mixed_group() -> None:
    """At a venue with OCO, a leg that has to be held here is kept in step with the one that is there."""
    floor = Floor(lacking("stop"))
    target, stop = pair(floor)
    floor.fill(target, 4, "110")
    assert floor.order("s:stop").quantity == Decimal(6)
    floor.quote(89, 89.5, 1)
    sent: list[Any] = floor.log.of(SubmitOrder) + floor.log.of(CancelOrder)
    assert [each.order_id for each in sent] == [target, stop, target]
    assert floor.sizes == [10, 6]


def test_leg_made_greater_after_another_has_filled() -> None:
    """A leg whose quantity its strategy has set anew loses only what others fill after that."""
    for able in (lacking("oco"), lacking("oco", "stop"), lacking("oco", "modify"), BARE):
        floor = Floor(able)
        pair(floor)
        target = floor.sent[0].order_id
        floor.fill(target, 4, "110")
        floor.change("s:stop", quantity="10")
        floor.fill(target, 1, "110")
        assert floor.order("s:stop").quantity == Decimal(9)


def test_refused_raise_leaves_a_leg_in_step() -> None:
    """A leg that the venue would not make greater goes on shrinking from what it is."""
    floor = Floor(lacking("oco"))
    target, stop = pair(floor)
    floor.fill(target, 4, "110")
    floor.venue.answers = False
    floor.change("s:stop", quantity="10")
    floor.report(stop, K.MODIFY_REJECTED, reason="no")
    floor.fill(target, 1, "110")
    assert (floor.log.last(ModifyOrder).quantity, floor.canceled()) == (Decimal(5), [])


def test_leg_shrinks_while_it_is_being_replaced() -> None:
    """At a venue without changes, what fills while a leg is being replaced makes its successor smaller."""
    floor = Floor(lacking("oco", "modify"))
    pair(floor)
    target, stop = (order.order_id for order in floor.sent)
    floor.venue.answers = False
    floor.fill(target, 4, "110")
    floor.fill(target, 1, "110")
    floor.report(stop, K.CANCELED)
    assert (floor.sizes, floor.order("s:stop").is_open) == ([10, 10, 5], True)


def test_leg_that_cannot_be_replaced_is_canceled() -> None:
    """A leg that is too large, and that the venue refused to cancel for a smaller one, is canceled as a whole."""
    floor = Floor(lacking("oco", "modify"))
    pair(floor)
    target, stop = (order.order_id for order in floor.sent)
    floor.venue.answers = False
    floor.fill(target, 4, "110")
    floor.report(stop, K.CANCEL_REJECTED)
    assert (floor.canceled(), floor.order("s:stop").status) == ([stop, stop], S.CANCELING)


def test_touched_leg_that_an_algorithm_works_is_handed_over_once() -> None:
    """What becomes of another leg does not hand a touched leg to its algorithm again."""
    floor = Floor(BARE)
    pair(floor)
    floor.place(
        "s:twap",
        order_type=OrderType.STOP,
        side=SELL,
        stop_price="95",
        terms=OrderTerms(oco="exit", algo=AlgoSpec.of("twap", duration_s=60, slices=2)),
    )
    floor.quote(94, 94.5, 1)
    floor.cancel("s:stop")
    assert [order.intent_id for order in floor.log.of(AlgoOrder)] == ["s:twap"]


def test_touched_leg_goes_once_when_the_other_is_over_at_once() -> None:
    """A leg between two slices of its algorithm ends at once, and the touched one is sent, once."""
    floor = Floor(BARE)
    floor.place(
        "s:twap", side=SELL, terms=OrderTerms(oco="exit", algo=AlgoSpec.of("twap", duration_s=600, slices=2))
    )
    floor.place("s:stop", order_type=OrderType.STOP, side=SELL, stop_price="90", terms=LEG)
    floor.fill(floor.latest, 5, "100")
    floor.quote(89, 89.5, 1)
    assert (floor.sizes, floor.order("s:twap").status) == ([5, 5], S.CANCELED)
    assert floor.order("s:stop").status is S.OPEN


def test_group_that_lives_long_keeps_no_old_legs() -> None:
    """A group of which one leg stays for good remembers none of those that came and went beside it."""
    floor = Floor(lacking("oco"), closed_kept=3)
    pair(floor)
    for number in range(10):
        floor.limit("120", f"s:{number}", side=SELL, terms=LEG)
        floor.cancel(f"s:{number}")
    group = next(work.group for work in floor.engine._register.works.values())
    assert group is not None
    assert [leg.order.intent_id for leg in group.legs] == ["s:target", "s:stop"]
