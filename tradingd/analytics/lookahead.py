"""Look-ahead by comparison: what a run decided, and what it decides when the data end earlier.

A decision up to a moment may depend on nothing later. So the decisions of a run whose data end at a cut must be
the first decisions of the full run, each in every field. Decisions are placed by steps, the number of market
events that had been through all their stages: a timer that comes due after the last event before the cut is not
fired in the cut run, and is beyond the cut in the full one, whatever its time says.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, StrEnum
from functools import cache
from itertools import zip_longest
from typing import Any

import msgspec

from tradingd.domain.events import Event, EventType

__all__ = [
    "DECISIONS",
    "CutResult",
    "Decision",
    "DecisionLog",
    "Difference",
    "Finding",
    "Verdict",
    "choose_cuts",
    "differences",
    "findings",
    "hint",
]

DECISIONS = (
    EventType.SIGNAL,
    EventType.ORDER_REQUEST,
    EventType.CANCEL_REQUEST,
    EventType.MODIFY_REQUEST,
    EventType.ORDER,
    EventType.FILL,
    EventType.FAULT,
)
"""What is compared: all that a strategy emits, and what sizing, limits and the broker made of it."""

_FAULT = f"{EventType.FAULT.name} "
_CAUSED = (f"{EventType.ORDER.name} ", f"{EventType.FILL.name} ", _FAULT)
"""How decisions begin that are not the strategy's own."""

_NEAR = 3
"""Decisions that change only in the last market events before a cut look at what comes right after it."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Something that was decided: the market events before it, its time, whose it is, and all that it says."""

    step: int
    ts: int
    strategy_id: str
    text: str


class DecisionLog:
    """Collects the decisions of a run: let an event manager's observer be its `observe`."""

    def __init__(self, steps: Any) -> None:  # noqa: ANN401 - whatever counts: an event manager
        self._run = steps
        self.decisions: list[Decision] = []

    def observe(self, event: Event) -> None:
        """Note one decision."""
        owner: str = getattr(event, "strategy_id", "")
        self.decisions.append(Decision(self._run.market_events, event.ts, owner, _text(event)))


class Difference(msgspec.Struct, frozen=True):
    """The first decision of a strategy that is not the same in two runs; None where a run has none there."""

    strategy_id: str
    first: Decision | None
    second: Decision | None

    @property
    def step(self) -> int:
        """After how many market events they part."""
        return min(each.step for each in (self.first, self.second) if each is not None)

    @property
    def ts(self) -> int:
        """When they part, nanoseconds UTC."""
        return min((each.step, each.ts) for each in (self.first, self.second) if each is not None)[1]


class CutResult(msgspec.Struct, frozen=True):
    """A run on data that end at `cut`: how many market events it had, what it decided, or what ended it."""

    cut: int
    events: int
    decisions: list[Decision]
    failure: str = ""


class Verdict(StrEnum):
    """What is found of one strategy."""

    CLEAN = "clean"
    LOOK_AHEAD = "look-ahead"
    FOLLOWS = "follows"
    """It changes only after another one has, whose orders it may feel: limits, cash."""
    IDLE = "no decisions"
    """Nothing was there to be compared."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is found of one strategy: how often it changed, and the difference that comes earliest in the run."""

    strategy_id: str
    verdict: Verdict
    decisions: int
    """Of the full run, up to the last cut."""
    cuts: int = 0
    """At how many cuts it changed."""
    cut: int = 0
    lead: int = 0
    """How many market events came after the one that it changed at, up to the cut."""
    difference: Difference | None = None


def differences(first: Iterable[Decision], second: Iterable[Decision]) -> list[Difference]:
    """Where two runs part, strategy by strategy, the earliest first."""
    found = []
    ours, theirs = _by_strategy(first), _by_strategy(second)
    for owner in dict.fromkeys((*ours, *theirs)):
        pairs = zip_longest(ours.get(owner, ()), theirs.get(owner, ()))
        parted = next(((one, other) for one, other in pairs if one != other), None)
        if parted is not None:
            found.append(Difference(owner, *parted))
    return sorted(found, key=_step)


def findings(full: Sequence[Decision], cuts: Sequence[CutResult], strategies: Iterable[str]) -> list[Finding]:
    """What the cut runs show of each strategy.

    Up to the first difference at a cut, all runs had the same data and the same past: who differs there has
    looked ahead. Who differs later may only feel what the first one did.
    """
    blamed: dict[str, list[tuple[CutResult, Difference]]] = {}
    following: set[str] = set()
    for each in cuts:
        parted = differences((one for one in full if one.step < each.events), each.decisions)
        for difference in parted:
            if difference.step == parted[0].step:
                blamed.setdefault(difference.strategy_id, []).append((each, difference))
            else:
                following.add(difference.strategy_id)
    last = max((each.events for each in cuts), default=0)
    counts = {owner: sum(one.step < last for one in own) for owner, own in _by_strategy(full).items()}
    names = dict.fromkeys((*strategies, *blamed))
    return [_finding(name, counts.get(name, 0), blamed.get(name, ()), name in following) for name in names]


def _finding(
    name: str,
    count: int,
    changes: Sequence[tuple[CutResult, Difference]],
    follows: bool,  # noqa: FBT001
) -> Finding:
    if not changes:
        quiet = Verdict.FOLLOWS if follows else Verdict.CLEAN if count else Verdict.IDLE
        return Finding(strategy_id=name, verdict=quiet, decisions=count)
    at, clearest = min(changes, key=lambda change: (change[1].step, change[0].cut))
    return Finding(
        strategy_id=name,
        verdict=Verdict.LOOK_AHEAD,
        decisions=count,
        cuts=len(changes),
        cut=at.cut,
        lead=max(at.events - clearest.step - 1, 0),
        difference=clearest,
    )


def hint(finding: Finding) -> str:
    """What usually makes decisions change like this."""
    difference = finding.difference
    if difference is None:
        return ""
    texts = [each.text for each in (difference.first, difference.second) if each is not None]
    if texts[-1].startswith(_FAULT):
        return "it fails where the data end: as when it indexes bars that have not come yet"
    if texts[0].startswith(_CAUSED):
        return "it asks for the same: what looks ahead is a sizer, a limit or a broker of your own"
    if finding.lead < _NEAR or difference.ts >= finding.cut:
        return (
            "it changes right where the data end: as when it looks a few bars ahead, in a file of its own or in "
            "what it has kept of one"
        )
    return (
        "it changes long before the data end: as when a figure of the whole series (mean, maximum, scaling, a "
        "fitted model, a centred window) is used from the start"
    )


def choose_cuts(decisions: Sequence[Decision], marks: Sequence[int], earliest: int, number: int) -> list[int]:
    """At most `number` moments to end the data at, in order: half of them spread over the run, half at decisions.

    `marks` are times spread over the run's market events. A cut at a decision keeps the event that it was made
    on and nothing after it. Decisions are taken from all strategies in turn. No cut is before `earliest`, nor at
    the last mark, where nothing would be cut off; one is at the mark before that, so that nearly all is compared.
    """
    if not marks:
        return []
    inside = [ts for ts in dict.fromkeys(marks) if earliest <= ts < marks[-1]]
    own = [each for each in decisions if earliest <= each.ts < marks[-1] and not each.text.startswith(_CAUSED)]
    made = [_times(some) for some in _by_strategy(own).values()]
    share = -(-(number // 2) // len(made)) if made else 0
    in_turn = zip_longest(*(_spread(times, share) for times in made))
    of_each = [ts for turn in in_turn for ts in turn if ts is not None]
    chosen = dict.fromkeys(_spread(inside, number - number // 2))
    for ts in (*of_each, *_spread(_times(own), number), *_spread(inside, number)):
        if len(chosen) >= number:
            break
        chosen[ts] = None
    return sorted(chosen)


def _times(decisions: Iterable[Decision]) -> list[int]:
    return list(dict.fromkeys(each.ts for each in decisions))


def _spread(items: Sequence[int], number: int) -> list[int]:
    """At most `number` of the items, at even distances, the last one among them."""
    if len(items) <= number:
        return list(items)
    return [items[(index + 1) * len(items) // number - 1] for index in range(number)]


def _by_strategy(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    found: dict[str, list[Decision]] = {}
    for each in decisions:
        found.setdefault(each.strategy_id, []).append(each)
    return found


def _step(difference: Difference) -> int:
    return difference.step


# Ids of orders and trades are counted over all strategies: they tell of others' orders.
_UNTOLD = frozenset({"ts", "strategy_id", "order_id", "trade_id"})


@cache
def _fields(kind: type[Event]) -> Mapping[str, Any]:
    """The fields that a decision's text tells, with their defaults."""
    return {field.name: field.default for field in msgspec.structs.fields(kind) if field.name not in _UNTOLD}


def _text(event: Event) -> str:
    """All that an event says, but for what is as it is unless told."""
    parts = [event.type.name]
    for name, default in _fields(type(event)).items():
        value = getattr(event, name)
        if value != default:
            parts.append(f"{name}={value.name if isinstance(value, Enum) else value}")
    return " ".join(parts)
