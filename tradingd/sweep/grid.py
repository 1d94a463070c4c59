"""The grid of parameters: what `--param name=values` says, and the parameter sets it makes."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from typing import Any, NamedTuple

from pydantic import ValidationError

from tradingd.errors import UsageError
from tradingd.strategy.base import Strategy, StrategyParams

__all__ = ["Grid", "ParameterSet", "parse_axes"]

_MOST_SETS = 1_000_000
_EXAMPLE = "for example --param fast_ma=5:50:5 or --param fast_ma=5,10,20"

Value = int | float | bool | str


class ParameterSet(NamedTuple):
    """One point of the grid."""

    values: dict[str, Value]
    """The swept parameters."""
    params: StrategyParams
    """All parameters, validated."""


def parse_axes(texts: Sequence[str], known: Sequence[str]) -> dict[str, list[Value]]:
    """What each `name=start:stop:step` (the stop belongs to it) or `name=a,b,c` stands for, by name.

    Raises:
        UsageError: a text is none of these, a name is not in `known` or comes twice, or a range has no end.

    """
    axes: dict[str, list[Value]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals or not name or not values.strip():
            raise UsageError(f"--param {text}: give a name and its values, {_EXAMPLE}")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"--param {text}: the strategy has no parameter {name!r}; {hint}")
        if name in axes:
            raise UsageError(
                f"--param {text}: {name!r} is given twice; give all its values at once, as in {_EXAMPLE}"
            )
        axes[name] = _values(text, values)
    if not axes:
        raise UsageError(f"nothing to sweep over; give at least one --param, {_EXAMPLE}")
    count = prod(map(len, axes.values()))
    if count > _MOST_SETS:
        raise UsageError(
            f"these are {count:,} parameter sets; a sweep takes at most {_MOST_SETS:,}, use wider steps"
        )
    return axes


def _values(text: str, values: str) -> list[Value]:
    if ":" in values:
        return _range(text, values.split(":"))
    listed = [_value(part.strip()) for part in values.split(",")]
    if "" in listed:
        raise UsageError(f"--param {text}: a value is missing between the commas")
    if len(set(listed)) != len(listed):
        raise UsageError(f"--param {text}: a value is given twice")
    return listed


def _range(text: str, parts: list[str]) -> list[Value]:
    numbers = [_number(part) for part in parts]
    if len(numbers) not in {2, 3} or None in numbers:
        raise UsageError(f"--param {text}: a range is start:stop or start:stop:step, in numbers, {_EXAMPLE}")
    start, stop, step = (*(number for number in numbers if number is not None), Decimal(1))[:3]
    if step <= 0:
        raise UsageError(f"--param {text}: the step must be greater than 0, it is {step}")
    if stop < start:
        raise UsageError(f"--param {text}: the range ends before it starts")
    count = int((stop - start) / step) + 1
    if count > _MOST_SETS:
        raise UsageError(f"--param {text}: these are {count:,} values; a sweep takes at most {_MOST_SETS:,}")
    return [_plain(start + step * number) for number in range(count)]


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _value(text: str) -> Value:
    if text in {"true", "false"}:
        return text == "true"
    number = _number(text)
    return text if number is None else _plain(number)


class Grid:
    """The parameter sets of a strategy: every combination of the axes' values, over what is configured."""

    def __init__(
        self, strategy: type[Strategy], configured: Mapping[str, Any], axes: Mapping[str, Sequence[Value]]
    ) -> None:
        self._strategy = strategy
        self._configured = dict(configured)
        self._axes = axes
        self.size = prod(map(len, axes.values()))
        self.invalid = 0
        """How many combinations the strategy itself refused, of those that were asked for so far."""
        self.complaint = ""
        """What it said of the first of them."""

    @property
    def names(self) -> list[str]:
        """The swept parameters."""
        return list(self._axes)

    def with_values(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """The configured parameters with these in their place, as a configuration would have them."""
        return {**self._configured, **values}

    def __iter__(self) -> Iterator[ParameterSet]:
        self.invalid, self.complaint = 0, ""
        for point in product(*self._axes.values()):
            values = dict(zip(self._axes, point, strict=True))
            try:
                params = self._strategy.Params.model_validate(self.with_values(values))
            except ValidationError as error:
                self.invalid += 1
                problem = error.errors()[0]
                place = ".".join(map(str, problem["loc"]))
                said = problem["msg"].removeprefix("Value error, ")
                self.complaint = self.complaint or (f"{place}: {said}" if place else said)
            else:
                yield ParameterSet(values, params)
