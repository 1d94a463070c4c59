"""What pydantic found wrong, told with the source, the key, the value and what to write instead."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError

from tradingd.config.hints import nearest_hint, unit_of
from tradingd.config.layers import Layer, dotted, origin
from tradingd.errors import ConfigError

__all__ = ["explain"]

_WORDS = {
    "missing": "is required",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "list_type": 'must be an array, such as ["a", "b"], given as a whole; one of tables is written [[like.this]]',
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_WORDS_BY_BEGINNING = {
    "bool": "must be true or false",
    "int": "must be a whole number",
    "string_type": "must be text",
    "dict": "must be a table",
    "model": "must be a table",
}
_LONGEST = 60


def explain(error: ValidationError, layers: Sequence[Layer]) -> ConfigError:
    """One error with a line per problem: `source: section.key: what is wrong (got ...)`."""
    lines = [_line(problem, layers) for problem in error.errors(include_url=False)]
    if len(lines) == 1:
        return ConfigError(lines[0])
    return ConfigError(
        "\n".join([f"{len(lines)} problems in the configuration:", *(f"  {line}" for line in lines)])
    )


def _line(problem: Mapping[str, Any], layers: Sequence[Layer]) -> str:
    inner = problem.get("ctx", {}).get("path", ())
    path = (*(part for part in problem["loc"] if part != "[key]"), *inner)
    parts = (origin(layers, path), dotted(path), _what(problem) + _got(problem, path) + _advice(problem, path))
    return ": ".join(part for part in parts if part)


def _what(problem: Mapping[str, Any]) -> str:
    kind = problem["type"]
    if kind in _WORDS:
        return _WORDS[kind].format(**problem.get("ctx", {}))
    for beginning, words in _WORDS_BY_BEGINNING.items():
        if kind.startswith(beginning):
            return words
    return str(problem["msg"]).removeprefix("Value error, ")


def _got(problem: Mapping[str, Any], path: Sequence[str | int]) -> str:
    value = problem["input"]
    if problem["type"] == "missing" or isinstance(value, Mapping | BaseModel) or path[:1] == ("credentials",):
        return ""
    return f" (got {_shown(value)})"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "an array"
    text = (
        str(value).lower()
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, Decimal)
        else repr(value)
    )
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _advice(problem: Mapping[str, Any], path: Sequence[str | int]) -> str:
    kind, value = problem["type"], problem["input"]
    if kind in ("literal_error", "enum") and isinstance(value, str):
        names = [name.strip("'") for name in problem["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        hint = nearest_hint(value, names)
        return f"; {hint}" if hint.startswith("did") else ""
    if kind == "string_type" and isinstance(value, int | Decimal):
        return "; put it in quotes"
    if kind.startswith(("greater", "less", "tradingd")) and path and (unit := unit_of(str(path[-1]))):
        return f"; the unit is {unit}"
    return ""
