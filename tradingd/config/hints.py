"""Hints for keys that do not exist: the nearest that does, or the unit that is meant."""

import difflib
import re
from collections.abc import Iterable

__all__ = ["nearest_hint", "unit_hint", "unit_of"]

_UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "percent": "percent (5 means 5 %)",
    "bps": "basis points (100 bps are 1 %)",
}
_CONVERSIONS = {
    ("ms", "s"): "1000 ms are 1 s",
    ("us", "s"): "1000000 us are 1 s",
    ("ns", "s"): "1000000000 ns are 1 s",
    ("minutes", "s"): "1 minute is 60 s",
    ("bps", "percent"): "10 bps are 0.1 percent",
    ("percent", "bps"): "0.1 percent are 10 bps",
    ("ratio", "percent"): "a ratio of 0.05 is 5 percent",
    ("fraction", "percent"): "a fraction of 0.05 is 5 percent",
}
_UNIT_SUFFIX = re.compile(
    r"_(s|secs?|seconds?|ms|millis|milliseconds?|us|ns|min|minutes?|h|hours?|days?"
    r"|percent|percentage|pct|perc|bps?|ratio|fraction|rate|usd|eur)$"
)


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or all the valid names when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"valid are: {', '.join(names)}" if names else "nothing is valid here"


def unit_of(name: str) -> str:
    """The unit that the name of a key carries, in words; empty when it carries none."""
    return _UNITS.get(name.rpartition("_")[2], "") if "_" in name or name == "percent" else ""


def unit_hint(name: str, known: Iterable[str]) -> str:
    """The hint for a key that is right but for its unit suffix; empty when that is not what is wrong."""
    stem, unit = _split(name)
    for candidate in known:
        candidate_stem, candidate_unit = _split(candidate)
        if candidate_stem != stem or candidate == name:
            continue
        conversion = _CONVERSIONS.get((unit, candidate_unit), "")
        told = f'the unit is {unit_of(candidate)}, write "{candidate}"' if candidate_unit else ""
        return (told or f'write "{candidate}", it has no unit in its name') + (conversion and f" ({conversion})")
    return ""


def _split(name: str) -> tuple[str, str]:
    match = _UNIT_SUFFIX.search(name)
    return (name[: match.start()], match[1]) if match else (name, "")
