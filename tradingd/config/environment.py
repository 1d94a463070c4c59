"""Environment variables and `--set`: a layer each."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, SecretStr

from tradingd.config.files import absolute_paths, exact_decimal
from tradingd.config.layers import Layer, alternatives, annotation_at, check_plain, is_table, nested
from tradingd.errors import ConfigError, CredentialsError

__all__ = ["PREFIX", "environment_layers", "override_layers"]

PREFIX = "TRADINGD__"


def environment_layers(environ: Mapping[str, str], root: type[BaseModel]) -> list[Layer]:
    """A layer per variable `TRADINGD__SECTION__KEY`, in any case; the more particular one is the stronger.

    Raises:
        ConfigError: a name has an empty part, or a value begins like JSON and is not.
        CredentialsError: one has a secret, which every process that is started from here would inherit.

    """
    names = [name for name in environ if name.upper().startswith(PREFIX)]
    names.sort(key=lambda name: (name.count("__"), name))
    return [_variable(name, environ[name], root) for name in names]


def _variable(name: str, text: str, root: type[BaseModel]) -> Layer:
    path = name[len(PREFIX) :].lower().split("__")
    if not all(path):
        raise ConfigError(f"environment variable {name}: names no key; write {PREFIX}SECTION__KEY")
    label = f"environment variable {name}"
    if path[0] == "credentials":
        raise CredentialsError(
            f"{label}: the environment is inherited by other processes and ends up in reports of crashes; use the "
            "secrets directory (TRADINGD_SECRETS_DIR), and unset it"
        )
    return _layer(label, path, _from_json(label, text, annotation_at(root, path)))


def _from_json(label: str, text: str, annotation: object) -> object:
    """Tables and arrays are JSON; all else stays text, which the models convert exactly."""
    takes = any(is_table(kind) or get_origin(kind) is list or kind is Any for kind in alternatives(annotation))
    if not takes or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(
            text, parse_float=exact_decimal, parse_constant=exact_decimal, object_pairs_hook=_without_duplicates
        )
    except json.JSONDecodeError as error:
        problem = f"{error.msg} (at line {error.lineno}, column {error.colno})"
    except ValueError as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    raise ConfigError(f"{label}: is not valid JSON: {problem}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key is given twice")
    return table


def override_layers(overrides: Iterable[str], root: type[BaseModel]) -> list[Layer]:
    """A layer per `section.key=value`; the value is TOML if it parses as such, else text.

    Raises:
        ConfigError: one is not of that form.
        CredentialsError: one sets a secret, which every user of the machine could read in the process list.

    """
    return [_override(text, root) for text in overrides]


def _override(text: str, root: type[BaseModel]) -> Layer:
    key, equals, value = text.partition("=")
    path = [part.strip() for part in key.split(".")]
    if text.strip().lower().startswith("credentials"):
        raise CredentialsError(
            "--set credentials: the command line can be read by every user of this machine; "
            "use the secrets directory (TRADINGD_SECRETS_DIR)"
        )
    if not equals or not all(path):
        raise ConfigError(f"--set {text!r}: write section.key=value, such as portfolio.initial_cash=5000")
    return _layer(f"--set {'.'.join(path)}", path, _from_toml(value.strip(), annotation_at(root, path)))


def _from_toml(text: str, annotation: object) -> object:
    try:
        parsed = tomllib.loads(f"value = {text}", parse_float=exact_decimal)
    except (ValueError, RecursionError):
        return text
    value = parsed["value"]
    if len(parsed) > 1 or (_takes_text(annotation) and not isinstance(value, str)):
        return text
    return value


def _takes_text(annotation: object) -> bool:
    return any(
        get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, str | Enum | SecretStr))
        for kind in alternatives(annotation)
    )


def _layer(label: str, path: list[str], value: object) -> Layer:
    layer = Layer(label, absolute_paths(nested(path, value), Path.cwd()))
    check_plain(layer)
    return layer
