"""Configuration files, TOML and YAML."""

import os
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tradingd.config.hints import nearest_hint
from tradingd.config.layers import Layer, check_plain
from tradingd.config.private import others_access
from tradingd.errors import ConfigError, CredentialsError

__all__ = ["absolute_paths", "exact_decimal", "read_file"]

_PACKAGE_PREFIX = "pkg:"


def exact_decimal(text: str) -> Decimal:
    """The Decimal of a number's text; a ValueError where not even Decimal has room for it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]} is not a number that can be kept exactly") from None


def _parse_toml(text: str) -> object:
    return tomllib.loads(text, parse_float=exact_decimal)


def _parse_yaml(text: str) -> object:
    from tradingd.config.yamlfile import parse_yaml

    return parse_yaml(text)


_PARSERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    ".toml": ("TOML", _parse_toml),
    ".yaml": ("YAML", _parse_yaml),
    ".yml": ("YAML", _parse_yaml),
}


def read_file(path: Path) -> Layer:
    """What a file says, with its relative paths made absolute.

    Raises:
        ConfigError: it is missing, unreadable, of another kind, or not what its suffix says.
        CredentialsError: it has secrets and others can read it.

    """
    language, parse = _parser(path)
    layer = Layer(str(path), _parse(path, language, parse))
    check_plain(layer)
    _refuse_open_secrets(layer, path)
    return Layer(layer.label, absolute_paths(layer.tree, path.absolute().parent))


def _parser(path: Path) -> tuple[str, Callable[[str], object]]:
    if os.path.isdir(path):  # noqa: PTH112  # total, Path's is not
        raise ConfigError(f"{path}: is a directory; name the file in it{_siblings(path / 'config.toml')}")
    try:
        return _PARSERS[path.suffix.lower()]
    except KeyError:
        raise ConfigError(
            f"{path}: is neither .toml nor .yaml (.yml); give a file whose name ends in one"
        ) from None


def _parse(path: Path, language: str, parse: Callable[[str], object]) -> dict[str, Any]:
    text = _read(path)
    try:
        tree = parse(text)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is not valid {language}: {error}; correct it there") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f'{path}: must be a table of sections, such as "portfolio:"; it is a {type(tree).__name__}'
        )
    return tree


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file{_siblings(path)}") from None
    except PermissionError:
        raise ConfigError(f"{path}: may not be read by this user; change its owner or mode") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def _siblings(path: Path) -> str:
    """A hint with what is in the folder that could have been meant."""
    try:
        names = [entry.name for entry in path.absolute().parent.iterdir() if entry.suffix.lower() in _PARSERS]
    except (OSError, ValueError):
        return f", nor a folder {path.absolute().parent}; check the path"
    return f"; {nearest_hint(path.name, names[:20])}" if names else "; no .toml or .yaml file is in that folder"


def _refuse_open_secrets(layer: Layer, path: Path) -> None:
    if not layer.tree.get("credentials"):
        return
    access = others_access(path)
    if access:
        raise CredentialsError(
            f"{path}: has [credentials], and {access}; keep secrets in a secrets directory "
            f"(TRADINGD_SECRETS_DIR), or run: chmod 600 {path}"
        )


def absolute_paths(tree: dict[str, Any], base: Path) -> dict[str, Any]:
    """`tree` with the catalogs of `[data]` and each `data.files[].path` made absolute from `base`."""
    data = tree.get("data")
    if not isinstance(data, dict):
        return tree
    data = _with(data, "catalog", base)
    if isinstance(data.get("record"), dict):
        data["record"] = _with(data["record"], "catalog", base)
    if isinstance(data.get("files"), list):
        data["files"] = [_with(entry, "path", base) for entry in data["files"]]
    return {**tree, "data": data}


def _with(entry: Any, key: str, base: Path) -> Any:  # noqa: ANN401 - whatever a file says
    if isinstance(entry, dict) and key in entry:
        return {**entry, key: _absolute(entry[key], base)}
    return entry


def _absolute(value: object, base: Path) -> object:
    if not isinstance(value, str) or value in ("", "none") or value.startswith(_PACKAGE_PREFIX):
        return value
    return os.path.abspath(base / os.path.expanduser(value))  # noqa: PTH100, PTH111  # total, Path's are not
