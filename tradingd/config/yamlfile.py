"""YAML, made safe for money.

Numbers with a point or exponent become the Decimal of their very text. Only `true` and `false` are truth values:
`on`, `off`, `yes` and `no` are text (YAML 1.2), so neither Norway nor the ticker ON turns into a bool. A key that
is given twice is refused.
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

__all__ = ["parse_yaml"]

_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
_INFINITE = {".inf": "Infinity", "+.inf": "Infinity", "-.inf": "-Infinity", ".nan": "NaN"}
_NUMBER = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_QUOTED_TAIL = re.compile(r" '[^']*'$")


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[object] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node


def _constructor(convert: Callable[[str], object]) -> Callable[[_Loader, yaml.ScalarNode], object]:
    """Construct with `convert`; what it cannot convert is told with its place."""

    def construct(loader: _Loader, node: yaml.ScalarNode) -> object:
        text = str(loader.construct_scalar(node))
        try:
            return convert(text)
        except (ValueError, InvalidOperation):
            raise yaml.MarkedYAMLError(problem="this is not a number", problem_mark=node.start_mark) from None

    return construct


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_yaml_timestamp(node)
    except (ValueError, AttributeError):
        raise yaml.MarkedYAMLError(problem="there is no such date or time", problem_mark=node.start_mark) from None


_TRUTH = {"true": True, "false": False}


def _bool(loader: _Loader, node: yaml.ScalarNode) -> object:
    value = _TRUTH.get(str(loader.construct_scalar(node)).lower())
    if value is None:
        raise yaml.MarkedYAMLError(problem="this is neither true nor false", problem_mark=node.start_mark)
    return value


def _set_up() -> None:
    tag = "tag:yaml.org,2002:"
    _Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] in _KEPT]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    digits = list("-+0123456789")
    _Loader.add_implicit_resolver(
        f"{tag}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
    )
    _Loader.add_implicit_resolver(f"{tag}int", re.compile(r"^[-+]?[0-9][0-9_]*$"), digits)
    _Loader.add_implicit_resolver(f"{tag}float", _NUMBER, [*digits, "."])
    _Loader.add_constructor(f"{tag}bool", _bool)
    _Loader.add_constructor(f"{tag}timestamp", _timestamp)
    _Loader.add_constructor(f"{tag}int", _constructor(int))
    _Loader.add_constructor(f"{tag}float", _constructor(lambda text: Decimal(_INFINITE.get(text.lower(), text))))


_set_up()


def parse_yaml(text: str) -> object:
    """The one document in `text`.

    Raises:
        ValueError: it is not YAML; the message has line and column, and quotes nothing that may be a secret.
        RecursionError: it is nested too deeply.

    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # our loader is a SafeLoader
    except yaml.YAMLError as error:
        problem = _describe(error)
    raise ValueError(problem)


def _describe(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "this is not YAML"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    # an alias or tag may be the beginning of an unquoted password
    return _QUOTED_TAIL.sub("", str(problem)) + place
