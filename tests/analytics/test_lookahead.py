"""The comparison behind the look-ahead check: where runs part, who is to blame, where to cut."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.analytics.lookahead import (
    CutResult,
    Decision,
    DecisionLog,
    Finding,
    Verdict,
    choose_cuts,
    differences,
    findings,
    hint,
)
from tradingd.domain.enums import Direction, Side
from tradingd.domain.events import OrderRequest
from tradingd.testing import at, make_signal


class Steps:
    """A run that has been through some market events."""

    market_events = 0


def decision(step: int, text: str = "SIGNAL x", owner: str = "s") -> Decision:
    """A decision made on the market event after `step` others, one a minute."""
    return Decision(step, at(step + 1), owner, text)


def cut_after(events: int, *decisions: Decision) -> CutResult:
    """A run whose data end with this many events."""
    return CutResult(at(events), events, list(decisions))


def test_a_decision_tells_all_that_an_event_says_but_its_defaults() -> None:
    """Every field that is not as it is unless told is in the text, exactly; time, step and owner are apart."""
    log = DecisionLog(Steps)
    log.observe(make_signal(Direction.LONG, 0.1 + 0.2, tag="why"))
    log.observe(OrderRequest(at(0), "s", "s:2", "AAPL", Side.BUY, Decimal("1.50"), reduce_only=True))
    assert log.decisions == [
        Decision(
            0, at(0), "s", "SIGNAL intent_id=s:1 symbol=AAPL direction=LONG price=0.30000000000000004 tag=why"
        ),
        Decision(0, at(0), "s", "ORDER_REQUEST intent_id=s:2 symbol=AAPL side=BUY quantity=1.50 reduce_only=True"),
    ]


def test_equal_runs_do_not_part() -> None:
    """The same decisions have no difference."""
    run = [decision(1), decision(2, owner="t"), decision(3)]
    assert differences(run, list(run)) == []


@pytest.mark.parametrize(
    "other",
    [
        [decision(1), decision(3, "SIGNAL y")],
        [decision(1)],
        [decision(1), decision(2)],
        [decision(1), decision(3), decision(4)],
    ],
)
def test_a_changed_missing_early_or_further_decision_is_a_difference(other: list[Decision]) -> None:
    """Whatever is not the same is found, from either side."""
    run = [decision(1), decision(3)]
    (found,) = differences(run, other)
    (mirrored,) = differences(other, run)
    assert found.first != found.second
    assert (found.first, found.second) == (mirrored.second, mirrored.first)
    assert found.step == min(each.step for each in (found.first, found.second) if each is not None)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.sampled_from("xy")), max_size=12), st.data()
)
def test_any_change_of_one_decision_is_found(rows: list[tuple[int, str, str]], data: st.DataObject) -> None:
    """Dropping any one decision of any run parts the two, at that decision's step or later, in its strategy."""
    run = [decision(step, text, owner) for step, owner, text in sorted(rows)]
    if not run:
        return
    index = data.draw(st.integers(0, len(run) - 1))
    (found,) = differences(run, run[:index] + run[index + 1 :])
    assert found.strategy_id == run[index].strategy_id
    assert found.step >= run[index].step


def test_decisions_beyond_the_cut_are_not_compared() -> None:
    """What the full run decides after the cut, a timer's decision at its very step included, says nothing."""
    full = [decision(1), Decision(5, at(4), "s", "SIGNAL timer"), decision(7)]
    (found,) = findings(full, [cut_after(5, decision(1))], ["s"])
    assert (found.verdict, found.decisions) == (Verdict.CLEAN, 1)


def test_who_changes_first_has_looked_ahead_and_who_changes_later_may_follow() -> None:
    """At each cut the earliest to change is to blame; those that change later in every cut only follow."""
    full = [decision(1, owner="a"), decision(2, owner="b"), decision(3, owner="c")]
    cut = cut_after(9, decision(1, owner="a"), decision(2, "SIGNAL other", "b"))
    verdicts = {each.strategy_id: each.verdict for each in findings(full, [cut], ["a", "b", "c", "d"])}
    assert verdicts == {
        "a": Verdict.CLEAN,
        "b": Verdict.LOOK_AHEAD,
        "c": Verdict.FOLLOWS,
        "d": Verdict.IDLE,
    }


def test_two_that_change_on_the_same_event_are_both_to_blame() -> None:
    """Within one event no order between strategies is evidence."""
    full = [decision(1, owner="a"), decision(1, owner="b")]
    found = findings(full, [cut_after(2)], ["a", "b"])
    assert [each.verdict for each in found] == [Verdict.LOOK_AHEAD] * 2


def test_the_earliest_difference_of_all_cuts_is_told() -> None:
    """A finding counts its cuts and shows the difference that comes first in the run, with its cut."""
    full = [decision(1), decision(4), decision(8)]
    (found,) = findings(full, [cut_after(9, decision(1), decision(4)), cut_after(6, decision(1))], ["s"])
    assert (found.cuts, found.cut, found.lead) == (2, at(6), 1)
    assert found.difference is not None
    assert (found.difference.first, found.difference.second) == (decision(4), None)


@pytest.mark.parametrize(
    ("lead", "cut", "texts", "words"),
    [
        (0, 6, ("SIGNAL x", "SIGNAL y"), "looks a few bars ahead"),
        (50, 5, ("SIGNAL x", "SIGNAL y"), "looks a few bars ahead"),
        (50, 90, ("SIGNAL x", "SIGNAL y"), "a figure of the whole series"),
        (0, 6, ("SIGNAL x", "FAULT error=IndexError"), "fails where the data end"),
        (50, 90, ("ORDER quantity=1", "ORDER quantity=2"), "a sizer, a limit or a broker"),
    ],
)
def test_the_hint_goes_by_where_it_changes(lead: int, cut: int, texts: tuple[str, str], words: str) -> None:
    """Where the data end (on the last events, or at the last time of many symbols), before, or what it is."""
    (difference,) = differences([decision(4, texts[0])], [decision(4, texts[1])])
    finding = Finding(
        strategy_id="s",
        verdict=Verdict.LOOK_AHEAD,
        decisions=1,
        cuts=1,
        cut=at(cut),
        lead=lead,
        difference=difference,
    )
    assert words in hint(finding)


def test_cuts_are_half_spread_and_half_at_decisions_of_every_strategy() -> None:
    """Both kinds of cuts are there, and each strategy has one at a decision of its own."""
    marks = [at(minute) for minute in range(10, 1001, 10)]
    decisions = [
        *(Decision(step, at(step) + 1, "busy", "SIGNAL x") for step in range(1, 900)),
        Decision(37, at(37) + 2, "rare", "SIGNAL x"),
    ]
    cuts = choose_cuts(decisions, marks, 0, 8)
    assert len(cuts) == 8
    assert cuts == sorted(set(cuts))
    spread = [ts for ts in cuts if ts in marks]
    assert len(spread) == 4
    assert all(later - before >= at(200) - at(0) for before, later in pairwise(spread))
    assert at(37) + 2 in cuts
    assert sum(ts in {each.ts for each in decisions} for ts in cuts) == 4
    assert marks[-2] in cuts


def test_no_cut_is_where_it_would_say_nothing() -> None:
    """None is before the last series begins, none where the data end anyway, none at an order or fill."""
    marks = [at(minute) for minute in range(1, 11)]
    decisions = [decision(1), decision(9), Decision(6, at(6) + 1, "s", "ORDER x"), decision(5)]
    assert choose_cuts(decisions, marks, at(5), 100) == [at(minute) for minute in range(5, 10)]
    assert choose_cuts([], [at(1)], 0, 5) == []
    assert choose_cuts([], [], 0, 5) == []
