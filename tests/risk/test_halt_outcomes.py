"""Mild halts: what passes them, and what they leave working, only shrinks the position, whichever orders fill."""

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import pytest

from tests.risk.desk import BUY, SELL, Desk, code
from tradingd.domain.enums import HaltScope, HaltState

NO_NEW, REDUCE_ONLY = HaltState.NO_NEW, HaltState.REDUCE_ONLY


class Leg(NamedTuple):
    """An order that closes; whether the venue has it by now, or it is on its way."""

    quantity: int
    group: str
    reduce_only: bool
    there: bool


KINDS = [Leg(*kind) for kind in product((1, 2), ("", "x"), (False, True), (False, True))]


def positions(held: int, legs: Sequence[Leg]) -> set[int]:
    """Every position that fills could lead to: orders arrive when they will, and fill unit by unit once there.

    What fills of a leg is taken from those of its group that are there; a reduce-only one crosses no zero.
    """
    state = held, tuple(leg.quantity for leg in legs), tuple(leg.there for leg in legs)
    seen, todo = {state}, [state]
    while todo:
        for after in _next(*todo.pop(), legs):
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return {position for position, _, _ in seen}


def _next(
    position: int, left: tuple[int, ...], there: tuple[bool, ...], legs: Sequence[Leg]
) -> Iterator[tuple[int, tuple[int, ...], tuple[bool, ...]]]:
    for number, leg in enumerate(legs):
        if not there[number]:
            yield position, left, (*there[:number], True, *there[number + 1 :])
        elif left[number] and (position > 0 or not leg.reduce_only):
            shared = [other == number or (leg.group and at and legs[other].group == leg.group)
                      for other, at in enumerate(there)]  # fmt: skip
            rest = tuple(max(0, rest - 1) if taken else rest for rest, taken in zip(left, shared, strict=True))
            yield position - 1, rest, there


def ask(desk: Desk, held: int, legs: Sequence[Leg]) -> dict[str, Leg]:
    """Ask for these orders, one after the other, and return those that passed."""
    passed = {}
    for number, leg in enumerate(legs):
        intent, side = str(number), SELL if held > 0 else BUY
        limit = 110 if held > 0 else 90
        if not desk.order(side, leg.quantity, intent, limit=limit, oco=leg.group, reduce_only=leg.reduce_only):
            passed[intent] = leg
            if leg.there:
                desk.update(intent)
    return passed


@pytest.mark.parametrize("held", [1, 2, 3, -3])
def test_what_reduce_only_leaves_working_shrinks_the_position_in_every_outcome(held: int) -> None:
    """All closing orders of three kinds each: those that the halt does not cancel flip nothing, whatever fills."""
    kept_some = 0
    for legs in combinations_with_replacement(KINDS, 3):
        desk = Desk()
        desk.hold(held)
        passed = ask(desk, held, legs)
        desk.risk.halt(HaltScope.ACCOUNT, "account", REDUCE_ONLY, "test")
        kept = [leg for intent, leg in passed.items() if intent not in desk.cancels]
        kept_some += bool(kept)
        assert min(positions(abs(held), kept)) >= 0, (legs, kept)
    assert kept_some > 400


@pytest.mark.parametrize("state", [NO_NEW, REDUCE_ONLY])
@pytest.mark.parametrize("held", [2, 3])
def test_what_passes_a_mild_halt_shrinks_the_position_in_every_outcome(held: int, state: HaltState) -> None:
    """What is asked for under the halt passes only where no order can flip the position, whatever else fills."""
    passed_some = 0
    for legs in combinations_with_replacement(KINDS, 3):
        desk = Desk()
        desk.hold(held)
        desk.risk.halt(HaltScope.ACCOUNT, "account", state, "test")
        passed = list(ask(desk, held, legs).values())
        passed_some += len(passed) > 1
        assert min(positions(held, passed)) >= 0, (legs, passed)
    assert passed_some > 400


def test_a_race_of_protective_legs_takes_the_room_of_a_plain_order() -> None:
    """Stop and target may both fill before the venue pairs them: a plain sell beside them could go short."""
    desk = Desk()
    desk.hold(10)
    desk.order(SELL, 5, "plain", limit=110)
    desk.update("plain")
    desk.order(SELL, 5, "stop", stop=90, oco="x", reduce_only=True)
    desk.order(SELL, 5, "target", limit=110, oco="x", reduce_only=True)
    desk.risk.halt(HaltScope.ACCOUNT, "account", REDUCE_ONLY, "test")
    assert desk.cancels == ["plain"]


def test_legs_that_the_venue_has_leave_the_room() -> None:
    """Once both are there, what fills of one is taken from the other."""
    desk = Desk()
    desk.hold(10)
    for intent, kind in (("stop", {"stop": 90}), ("target", {"limit": 110})):
        desk.order(SELL, 5, intent, oco="x", reduce_only=True, **kind)
        desk.update(intent)
    desk.order(SELL, 5, "plain", limit=110)
    desk.risk.halt(HaltScope.ACCOUNT, "account", REDUCE_ONLY, "test")
    assert desk.cancels == []


def test_a_pair_is_not_let_in_beside_a_plain_order_that_its_race_would_flip() -> None:
    """Under a halt the second leg is denied; without one it passes: the venue's own reduce-only is enough."""
    desk = Desk()
    desk.hold(10)
    desk.order(SELL, 5, "plain", limit=110)
    desk.update("plain")
    desk.order(SELL, 5, "stop", stop=90, oco="x", reduce_only=True)
    desk.update("stop")
    assert desk.order(SELL, 5, "before", limit=120, oco="x", reduce_only=True) == ""
    desk.update("before")
    desk.risk.halt(HaltScope.ACCOUNT, "account", NO_NEW, "test")
    assert code(desk.order(SELL, 5, "after", limit=120, oco="x", reduce_only=True)) == "HALTED"


def test_buying_back_what_others_sold_reduces_nothing() -> None:
    """Coins that the owner, or an earlier run's stop, sold were no position: buying grows what is held."""
    desk = Desk()
    desk.hold(-5, strategy="external")
    desk.risk.halt(HaltScope.ACCOUNT, "account", REDUCE_ONLY, "drawdown")
    denied = desk.risk.evaluate_trade("AAPL", BUY, 5, 100.0)
    assert (denied.approved, denied.code) == (False, "HALTED")
