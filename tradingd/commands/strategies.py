"""`tradingd strategies`: what there is."""

import inspect
from importlib.metadata import entry_points
from typing import TypedDict

import typer
from pydantic_core import PydanticUndefined

from tradingd.commands.output import echo_json
from tradingd.strategy.base import Strategy
from tradingd.strategy.factory import BUILTIN_STRATEGIES, ENTRY_POINT_GROUP, load_strategy_class

__all__ = ["list_strategies"]


def list_strategies(*, as_json: bool) -> None:
    """Print the shipped and installed strategies with their parameters."""
    names = sorted({*BUILTIN_STRATEGIES, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})
    found = [_describe(name, load_strategy_class(name)) for name in names]
    if as_json:
        echo_json(found)
        return
    for each in found:
        typer.echo(f"{each['name']}\n    {each['summary']}")
        for name, text in each["params"].items():
            typer.echo(f"    {name}: {text}")
        typer.echo("")
    typer.echo(
        "Your own strategies are named by `package.module:Class`; `tradingd init` writes one to begin with."
    )


class _Described(TypedDict):
    name: str
    summary: str
    params: dict[str, str]


def _describe(name: str, cls: type[Strategy]) -> _Described:
    doc = inspect.getdoc(cls) or ""
    params = {}
    for field, info in cls.Params.model_fields.items():
        default = "required" if info.default is PydanticUndefined else f"default {info.default}"
        params[field] = f"{info.description or ''} ({default})".strip()
    return {"name": name, "summary": doc.partition("\n")[0], "params": params}
