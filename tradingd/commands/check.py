"""`tradingd check`: a configuration, resolved."""

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from tradingd.app import build, load_market_data, make_strategies
from tradingd.commands.online import ask_exchanges, show_results, verdict
from tradingd.commands.output import echo_json
from tradingd.config import LimitSettings, Settings, load_settings
from tradingd.data.series import format_time
from tradingd.domain.money import mul
from tradingd.errors import UsageError
from tradingd.strategy.base import Strategy

__all__ = ["check_config", "limits_as_money"]


_AS_PAPER: Mapping[str, Any] = {
    "run": {"mode": "paper"},
    "data": {"feed": "live"},
    "broker": {"kind": "simulated"},
}
"""What makes a live configuration one that can be built without keys and without asking an exchange."""


def check_config(files: Sequence[Path], sets: Sequence[str], *, online: bool = False, as_json: bool) -> int:
    """Load, build and check everything that a run would need, and print what it came to; returns the exit code.

    `online` asks the exchanges of a run on live data as well.

    Raises:
        UsageError: `online` of a run on recorded data.

    """
    settings = load_settings(files, overrides=sets, environ=os.environ)
    if settings.data.feed == "live":
        return _check_live(settings, files, sets, online=online, as_json=as_json)
    if online:
        raise UsageError("--online asks the exchanges of a run on live data; this one replays what is recorded")
    container = build(settings)
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    if as_json:
        echo_json({**_resolved(settings), "events": report.total_events})
        return 0
    _echo_resolved(settings)
    typer.echo("\n# Data:")
    for scanned in report.series:
        spec = scanned.spec
        first, last = format_time(scanned.range_first_ts or 0), format_time(scanned.range_last_ts or 0)
        typer.echo(f"#   {spec.symbol}: {scanned.rows_in_range} {spec.kind}, {first} to {last}")
    _echo_strategies(strategies)
    return 0


def _check_live(
    settings: Settings, files: Sequence[Path], sets: Sequence[str], *, online: bool, as_json: bool
) -> int:
    """Check what can be checked without an exchange, and then ask it."""
    paper = load_settings(files, overrides=sets, environ=os.environ, forced=_AS_PAPER)
    strategies = make_strategies(build(paper))
    for strategy in strategies:
        settings.refuse_foreign(f"strategy {strategy.strategy_id!r}", strategy.symbols)
    settings.refuse_foreign("data.symbols", settings.data.symbols)
    results = ask_exchanges(settings) if online else []
    if as_json:
        told = {"online": results} if online else {}
        echo_json({**_resolved(settings), "symbols": settings.symbols, **told})
        return verdict(results)
    _echo_resolved(settings)
    typer.echo("\n# Accounts:")
    for each in settings.run.accounts:
        account = settings.accounts[each]
        typer.echo(f"#   {each}: {account.exchange}, {account.environment}, {', '.join(account.symbols)}")
    if not online:
        typer.echo("#   `tradingd check --online` asks the exchanges whether they agree")
    _echo_strategies(strategies)
    if online:
        typer.echo("")
        show_results(results)
    return verdict(results)


def _resolved(settings: Settings) -> dict[str, Any]:
    return {"config": settings.masked(), "limits": limits_as_money(settings)}


def _echo_resolved(settings: Settings) -> None:
    for line in _as_toml(settings.masked()):
        typer.echo(line)
    live = settings.run.mode == "live"
    typer.echo("\n# What the limits come to" + (":" if live else " with the initial cash:"))
    money = limits_as_money(settings)
    for name, text in money.items():
        typer.echo(f"#   {name}: {text}")
    if not money:
        typer.echo("#   no limit is set")


def _echo_strategies(strategies: Sequence[Strategy]) -> None:
    typer.echo("\nOK: " + ", ".join(f"{each.strategy_id} on {'/'.join(each.symbols)}" for each in strategies))


def limits_as_money(settings: Settings) -> dict[str, str]:
    """Each limit that is set, percentages of equity told as amounts at the initial cash.

    Live trading has no initial cash: there they are told of what the accounts are worth.
    """
    cash, currency = settings.portfolio.initial_cash, settings.portfolio.currency
    live = settings.run.mode == "live"
    found: dict[str, str] = {}
    for name in LimitSettings.model_fields:
        value = getattr(settings.risk.limits, name)
        if not isinstance(value, Decimal | int) or isinstance(value, bool) or name == "repeat_window_s":
            continue
        if name == "price_collar_percent":
            found[name] = f"{value} % of the latest price"
        elif live and name.endswith("_percent"):
            found[name] = f"{value} % of equity"
        elif live and name == "max_leverage":
            found[name] = f"{value} x equity"
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
