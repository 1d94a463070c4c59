"""A rule's text form, such as `15m`, `tick:1000` or `heikin-ashi:1h`."""

import re
from collections.abc import Callable
from functools import partial

import msgspec

from tradingd.domain.aggregation.activity import ActivityBars, Measure
from tradingd.domain.aggregation.base import Aggregator
from tradingd.domain.aggregation.periods import TimeBars
from tradingd.domain.aggregation.shapes import HeikinAshi, Renko
from tradingd.domain.events import EventType
from tradingd.domain.times import format_interval, parse_interval
from tradingd.errors import DataError, UsageError

__all__ = ["RULE_FORMS", "BarRule", "parse_rule"]

RULE_FORMS = (
    "15m, 4h, 1d, 1w, tick:1000, volume:50, value:1000000, tick-imbalance:200, "
    "volume-imbalance:50, value-imbalance:1000000, renko:25, heikin-ashi, heikin-ashi:15m"
)
"""The text forms there are, by example."""

_MEASURES: tuple[Measure, ...] = ("tick", "volume", "value")
_NUMBER = re.compile(r"(?=.*[1-9])[0-9]{1,15}(?:\.([0-9]{1,12}))?")
_LONGEST = parse_interval("520w")


class BarRule(msgspec.Struct, frozen=True):
    """How bars are built."""

    text: str
    """As it was written."""
    takes: frozenset[EventType]
    """The kinds of market data it can be built from."""
    make: Callable[[], Aggregator]
    """An aggregator; each symbol needs its own."""
    interval_ns: int = 0
    """The length of its bars, 0 when that is not what closes them."""

    def refusal(self, input_ns: int) -> str:
        """Why bars of this length cannot be built from bars of length `input_ns`; empty when they can."""
        if not self.interval_ns or self.interval_ns % input_ns == 0:
            return ""
        whole = f"whole number of {format_interval(input_ns)}"
        return f"{self.text} cannot be built from bars of {format_interval(input_ns)}: it is no {whole}"


def parse_rule(text: str) -> BarRule:
    """Read the text form of a rule.

    Raises:
        UsageError: the text is no rule; the message tells what the forms are.

    """
    name, colon, argument = text.strip().lower().partition(":")
    if name == "heikin-ashi":
        return _heikin_ashi(text, argument, bare=not colon)
    if not colon:
        return _time(text, name)
    make = _MAKERS.get(name)
    if make is None:
        raise UsageError(f"{text!r} is no rule for bars; use {RULE_FORMS}")
    return _rule(text, make(text, argument))


def _rule(text: str, make: Callable[[], Aggregator], interval_ns: int = 0) -> BarRule:
    return BarRule(text, make().takes, make, interval_ns)


def _time(text: str, interval: str) -> BarRule:
    try:
        interval_ns = parse_interval(interval)
    except DataError:
        raise UsageError(f"{text!r} is no rule for bars; use {RULE_FORMS}") from None
    if interval_ns > _LONGEST:
        raise UsageError(f"{text!r} is no rule for bars: no bar is longer than ten years")
    return _rule(text, partial(TimeBars, interval_ns), interval_ns)


def _heikin_ashi(text: str, of: str, *, bare: bool) -> BarRule:
    if bare:
        return _rule(text, HeikinAshi)
    inner = parse_rule(of)
    if isinstance(inner.make(), HeikinAshi):
        raise UsageError(f"{text!r}: bars are redrawn once, not twice; use heikin-ashi or heikin-ashi:15m")
    return _rule(text, lambda: HeikinAshi(inner.make()), inner.interval_ns)


def _number(text: str, argument: str, *, whole: bool = False) -> float:
    match = _NUMBER.fullmatch(argument)
    if match is None or (whole and match[1] is not None):
        raise UsageError(f"{text!r} is no rule for bars: {argument!r} is no {'whole ' * whole}number above 0")
    return float(argument)


def _activity(measure: Measure, imbalance: bool, text: str, argument: str) -> Callable[[], Aggregator]:  # noqa: FBT001 - bound by partial
    threshold = _number(text, argument, whole=measure == "tick")
    return partial(ActivityBars, measure, threshold, imbalance=imbalance)


def _renko(text: str, argument: str) -> Callable[[], Aggregator]:
    brick = _number(text, argument)
    return partial(Renko, brick, len(argument.partition(".")[2]))


_MAKERS: dict[str, Callable[[str, str], Callable[[], Aggregator]]] = {
    **{measure: partial(_activity, measure, False) for measure in _MEASURES},
    **{f"{measure}-imbalance": partial(_activity, measure, True) for measure in _MEASURES},
    "renko": _renko,
}
