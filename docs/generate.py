"""Writes docs/configuration.md from the configuration's own models: `make docs`.

The file is committed; a test compares it with what this script would write.
"""

import json
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tradingd.config import Settings

TARGET = Path(__file__).with_name("configuration.md")

HEAD = """\
# Configuration

<!-- written by docs/generate.py from tradingd.config: edit the descriptions there, then `make docs` -->

Configuration files are TOML or YAML. Several may be given; each overrides those before it, table by table and key
by key. Arrays are replaced as a whole, and so are `[[strategies]]`, `[[instruments]]` and `[[data.files]]`.
Stronger than the files are, in this order: the secrets directory (for `[credentials.*]` only), environment
variables `TRADINGD__SECTION__KEY=value` (never for secrets), and `--set section.key=value`.

An unknown key is refused, with the nearest that exists. Units are in the names: `_s` is seconds, `_percent`
percent (5 means 5 %), `_bps` basis points. Numbers are exact: `0.1` is one tenth. The text `"none"` unsets an
optional key that a weaker source has set. Relative paths belong to the file that names them; `pkg:NAME/path` is a
path inside an installed package.

Secrets belong in a secrets directory (`$TRADINGD_SECRETS_DIR`, or systemd's `$CREDENTIALS_DIRECTORY`): one file a
secret, `<account>.api_key`, `<account>.secret`, `<account>.password`, `<account>.uid`, readable by you alone. Only
live trading opens it, for the accounts of `run.accounts`; backtests and paper runs cannot have keys. See
[go-live.md](go-live.md).

`tradingd check FILE...` prints what all sources together come to, secrets masked and limits told as money.
"""


def table(title: str, model: type[BaseModel]) -> Iterator[str]:
    """A model's fields as a table, then the tables inside it."""
    inner: list[tuple[str, type[BaseModel]]] = []
    rows = []
    for name, field in model.model_fields.items():
        nested, many = nested_model(field)
        if nested is not None:
            path = f"{title}.{name}" if title else name
            inner.append(({"list": f"[[{path}]]", "dict": f"{path}.<account>"}.get(many, path), nested))
        else:
            meaning = " ".join(filter(None, (field.description, choices_of(field.annotation))))
            rows.append(f"| `{name}` | {default_of(field)} | {meaning} |")
    if rows:
        yield f"\n## {title if title.startswith('[') else f'[{title}]'}\n"
        yield "| key | default | meaning |\n|---|---|---|"
        yield from rows
    for path, nested in inner:
        yield from table(path, nested)


def nested_model(field: FieldInfo) -> tuple[type[BaseModel] | None, str]:
    """The model that a field holds, and whether in a list or dict."""
    kinds = [(field.annotation, "")]
    for argument in typing.get_args(field.annotation):
        origin = typing.get_origin(field.annotation)
        kinds.append((argument, origin.__name__ if origin in {list, dict} else ""))
    for kind, many in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind, many
    return None, ""


def choices_of(annotation: object) -> str:
    """The values that a field may have, where they are few."""
    if typing.get_origin(annotation) is typing.Literal:
        return "One of " + ", ".join(f"`{value}`" for value in typing.get_args(annotation)) + "."
    return next(filter(None, map(choices_of, typing.get_args(annotation))), "")


def default_of(field: FieldInfo) -> str:
    """A default as one would write it."""
    if field.default_factory is not None:
        return "empty"
    if field.default is PydanticUndefined:
        return "**required**"
    if field.default is None:
        return "not set"
    if isinstance(field.default, list):
        return f"`{json.dumps(field.default)}`"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def text() -> str:
    """The whole page."""
    return HEAD + "\n".join(table("", Settings)) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
