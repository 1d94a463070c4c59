"""Whether an answer has the shape that it should have: valid JSON of another shape is no answer.

ccxt turns `{}` and `{"msg": "..."}` into an empty list or balance. A reconciler that trusts this flattens
positions.
"""

from collections.abc import Mapping

from tradingd.errors import VenueUnavailableError
from tradingd.venues.untyped import Untyped

__all__ = ["entries", "holds_nothing", "named"]

_NO_RESULT = frozenset({"error", "errors", "retExtInfo", "ext_info"})
_DEPTH = 3


def entries(result: Untyped, body: Untyped, what: str) -> list[dict[str, Untyped]]:
    """The dicts in a list that ccxt made of `body`.

    Raises:
        VenueUnavailableError: it is no list of dicts, or it is empty though the body does not say so.

    """
    if not isinstance(result, list) or not all(isinstance(entry, dict) for entry in result):
        raise VenueUnavailableError(f"{what}: the answer is no list")
    if not result and not holds_nothing(body):
        raise VenueUnavailableError(f"{what}: the answer has not the shape of a list")
    return result


def holds_nothing(body: Untyped, depth: int = 0) -> bool:
    """Whether a raw answer has the place of entries: a list of them, or a dict below the first level."""
    if isinstance(body, list):
        return all(isinstance(entry, dict | list) for entry in body)
    if not isinstance(body, Mapping) or depth > _DEPTH:
        return False
    below = [(name, value) for name, value in body.items() if name not in _NO_RESULT]
    if depth and (not below or any(value is None for _, value in below)):
        return True
    return any(holds_nothing(value, depth + 1) for _, value in below if isinstance(value, list | Mapping))


def named(entry: Mapping[str, Untyped], field: str, what: str) -> str:
    """A text or whole number of an entry as text; some venues tell ids as numbers.

    Raises:
        VenueUnavailableError: it has none.

    """
    value = entry.get(field)
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    raise VenueUnavailableError(f"{what}: an entry without {field}")
