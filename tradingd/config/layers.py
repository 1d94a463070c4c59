"""Layers: what each source says, and what the models make of it before it is merged.

A layer is one file, one secret, one environment variable or one `--set`: so whatever turns out to be wrong can
be told with the name of its source.
"""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from tradingd.config.hints import nearest_hint, unit_hint
from tradingd.errors import ConfigError, UnknownKeyError

__all__ = [
    "Layer",
    "Path",
    "alternatives",
    "annotation_at",
    "check_plain",
    "dotted",
    "is_table",
    "nested",
    "origin",
    "refuse_unknown_keys",
    "without_empty_tables",
]

Path = tuple[str | int, ...]
"""The way to a value: `("strategies", 0, "name")`."""

_MAX_DEPTH = 32
_MAX_VALUES = 100_000
_MAX_DIGITS = 30
_PLAIN = (str, bool, int, Decimal, date, time, type(None))


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says."""

    label: str
    """Names the source to the user."""
    tree: dict[str, Any]


def dotted(path: Sequence[str | int]) -> str:
    """`strategies[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def nested(path: Sequence[str], value: object) -> dict[str, Any]:
    """The tree that has `value` at `path` and nothing else."""
    tree: Any = value
    for part in reversed(path):
        tree = {part: tree}
    return dict(tree)


# --- what the models say ---------------------------------------------------------------------------------------


def alternatives(annotation: object) -> tuple[Any, ...]:
    """The types an annotation allows: without Annotated, with unions taken apart."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for arg in get_args(annotation) for kind in alternatives(arg))
    return (annotation,)


def is_table(kind: object) -> bool:
    """Whether a type is written as a table."""
    return get_origin(kind) is dict or _is_model(kind)


def annotation_at(annotation: object, path: Sequence[str | int]) -> object:
    """The type of the value at `path` below `annotation`; None where no key has that path."""
    for part in path:
        annotation = _child(annotation, part)
    return annotation


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _child(annotation: object, part: str | int) -> object:
    for kind in alternatives(annotation):
        if kind is Any:
            return Any
        if _is_model(kind) and part in kind.model_fields:
            return kind.model_fields[part].annotation
        if get_origin(kind) is dict and isinstance(part, str):
            return get_args(kind)[1]
        if get_origin(kind) is list and isinstance(part, int):
            return get_args(kind)[0]
    return None


def _children(value: object) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def without_empty_tables(tree: Mapping[str, Any], root: type[BaseModel]) -> dict[str, Any]:
    """Drop what is null where a table belongs: in YAML, a table whose keys are all commented out."""
    result = {}
    for key, value in tree.items():
        models = [kind for kind in alternatives(_child(root, key)) if is_table(kind)]
        if models and value is None:
            continue
        nest = isinstance(value, Mapping) and models and _is_model(models[0])
        result[key] = without_empty_tables(value, models[0]) if nest else value
    return result


# --- keys that do not exist --------------------------------------------------------------------------------------


def refuse_unknown_keys(layers: Iterable[Layer], root: type[BaseModel]) -> None:
    """Check every key of every layer against the models.

    Raises:
        UnknownKeyError: some do not exist; each is told with its source and the nearest key that does.

    """
    lines = [
        f"{layer.label}: {dotted(path)}: no such key; {_hint(path, known, root)}"
        for layer in layers
        for path, known in _unknown(root, layer.tree, ())
    ]
    if lines:
        raise UnknownKeyError("\n".join(lines))


def _unknown(annotation: object, value: object, path: Path) -> Iterator[tuple[Path, list[str]]]:
    models = [kind for kind in alternatives(annotation) if _is_model(kind)]
    for part, item in _children(value):
        child = _child(annotation, part)
        if child is not None:
            yield from _unknown(child, item, (*path, part))
        elif models and isinstance(value, Mapping):
            yield (*path, part), list(models[0].model_fields)


def _hint(path: Path, known: list[str], root: type[BaseModel]) -> str:
    name = str(path[-1])
    hint = unit_hint(name, known)
    if hint:
        return hint
    elsewhere = _tables_with(name, root, ())
    if len(elsewhere) == 1:
        return f'it belongs to "{elsewhere[0]}"'
    return nearest_hint(name, known)


def _tables_with(name: str, model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    found = [dotted((*path, name))] if name in model.model_fields else []
    for key, field in model.model_fields.items():
        for kind in alternatives(field.annotation):
            if _is_model(kind):
                found += _tables_with(name, kind, (*path, key))
    return found


# --- values that cannot be anything ------------------------------------------------------------------------------


def check_plain(layer: Layer) -> None:
    """Check that a layer is made of tables, arrays, texts, finite numbers, truth values and dates only.

    Raises:
        ConfigError: it is not, or it is too deep (an alias that contains itself is infinitely deep) or too big.

    """
    todo: list[tuple[Path, Any]] = [((), layer.tree)]
    seen = 0
    while todo:
        path, value = todo.pop()
        seen += 1
        reason = _oddity(value) or (seen > _MAX_VALUES and "has too many values")
        if reason or len(path) > _MAX_DEPTH:
            raise ConfigError(f"{layer.label}: {dotted(path[:8])}: {reason or 'is nested too deeply'}")
        todo += [((*path, part), item) for part, item in _children(value)]


def _oddity(value: object) -> str:
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        return "" if odd is None else f"has the key {odd!s:.40}, but keys are text; put it in quotes"
    if isinstance(value, list):
        return ""
    if not isinstance(value, _PLAIN):
        return f"is a {type(value).__name__}, which no setting takes"
    return "" if _is_plausible(value) else "is not a plausible, finite number"


def _is_plausible(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value.adjusted() < _MAX_DIGITS
    return not isinstance(value, int) or abs(value) < 10**_MAX_DIGITS


# --- where a value came from -------------------------------------------------------------------------------------


def origin(layers: Sequence[Layer], path: Path) -> str:
    """The label of the layer (lowest first) that decides the value at `path`, or the table it is missing in."""
    best, depth = "", -1
    for layer in reversed(layers):
        reached, replaces = _reach(layer.tree, path)
        if reached > depth:
            best, depth = layer.label, reached
        if replaces:
            break
    return best


def _reach(tree: Any, path: Path) -> tuple[int, bool]:  # noqa: ANN401
    """How far `path` leads in `tree`, and whether what is there hides all lower layers."""
    for reached, part in enumerate(path):
        if isinstance(tree, Mapping):
            if part not in tree:
                return reached, False
            tree = tree[part]
        else:
            return reached, True
    return len(path), True
