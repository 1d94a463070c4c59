"""`tradingd check`: a configuration, resolved."""

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from tradingd.app import build, load_market_data, make_strategies
from tradingd.commands.output import echo_json
from tradingd.config import LimitSettings, Settings, load_settings
from tradingd.data.series import format_time
from tradingd.domain.money import mul

__all__ = ["check_config", "limits_as_money"]


def check_config(files: Sequence[Path], sets: Sequence[str], *, as_json: bool) -> None:
    """Load, build and check everything that a run would need, and print what it came to."""
    settings = load_settings(files, overrides=sets, environ=os.environ)
    container = build(settings)
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    money = limits_as_money(settings)
    masked = settings.masked()
    if as_json:
        echo_json({"config": masked, "limits": money, "events": report.total_events})
        return
    for line in _as_toml(masked):
        typer.echo(line)
    typer.echo("\n# What the limits come to with the initial cash:")
    for name, text in money.items():
        typer.echo(f"#   {name}: {text}")
    if not money:
        typer.echo("#   no limit is set")
    typer.echo("\n# Data:")
    for scanned in report.series:
        spec = scanned.spec
        first, last = format_time(scanned.range_first_ts or 0), format_time(scanned.range_last_ts or 0)
        typer.echo(f"#   {spec.symbol}: {scanned.rows_in_range} {spec.kind}, {first} to {last}")
    typer.echo("\nOK: " + ", ".join(f"{each.strategy_id} on {'/'.join(each.symbols)}" for each in strategies))


def limits_as_money(settings: Settings) -> dict[str, str]:
    """Each limit that is set, percentages of equity told as amounts at the initial cash."""
    cash, currency = settings.portfolio.initial_cash, settings.portfolio.currency
    found: dict[str, str] = {}
    for name in LimitSettings.model_fields:
        value = getattr(settings.risk.limits, name)
        if not isinstance(value, Decimal | int) or isinstance(value, bool) or name == "repeat_window_s":
            continue
        if name == "price_collar_percent":
            found[name] = f"{value} % of the latest price"
        elif name.endswith("_percent"):
            found[name] = f"{value} % = {mul(cash, mul(Decimal(value), Decimal('0.01'))):,.2f} {currency}"
        elif name == "max_leverage":
            found[name] = f"{value} x = {mul(cash, Decimal(value)):,.2f} {currency}"
        elif name.endswith(("_notional", "_capital")):
            found[name] = f"{value:,.2f} {currency}"
        else:
            found[name] = str(value)
    return found


def _as_toml(tree: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The tree as TOML; keys that are not set are comments."""
    plain = {key: value for key, value in tree.items() if not _is_table(value)}
    if path and plain:
        yield f"\n[{path}]"
    for key, value in plain.items():
        yield f"# {key} is not set" if value is None else f"{key} = {_toml_value(value)}"
    for key, value in tree.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from _as_toml(value, inner)
        elif _is_table(value):
            for each in value:
                yield f"\n[[{inner}]]"
                yield from (f"{name} = {_toml_value(item)}" for name, item in each.items() if item is not None)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
