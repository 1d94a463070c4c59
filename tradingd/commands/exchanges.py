"""`tradingd exchanges`: where one could trade."""

from collections.abc import Iterator, Sequence

import msgspec
import typer

from tradingd.commands.output import echo_json, echo_table
from tradingd.venues.catalog import ExchangeInfo, describe_exchanges

__all__ = ["list_exchanges"]

_NOT_LISTED = frozenset({"production", "loopback"})
"""Environments that every exchange has."""


def list_exchanges(ids: Sequence[str], *, as_json: bool) -> None:
    """Print what the exchanges of these ids offer through ccxt, all where none is given. Nothing is asked online.

    Raises:
        ConfigError: ccxt has no exchange of such an id.

    """
    found = list(describe_exchanges(ids))
    if as_json:
        echo_json([{**msgspec.to_builtins(each), "can_be_live": each.can_be_live} for each in found])
        return
    if ids:
        for each in found:
            typer.echo("\n".join((f"{each.id}: {each.name}", *(f"    {line}" for line in _lines(each)))))
        return
    echo_table(("Exchange", "Live", "Markets", "Streams", "Test venue", "Dead man"), map(_row, found))
    live = sum(each.can_be_live for each in found)
    typer.echo(f"{live} of {len(found)} can be traded live; `tradingd exchanges ID` tells more of one.")


def _row(info: ExchangeInfo) -> tuple[str, ...]:
    live, dead_man = ("yes" if yes else "" for yes in (info.can_be_live, info.dead_man))
    return info.id, live, " ".join(info.markets), " ".join(info.streams), " ".join(_tests(info)), dead_man


def _tests(info: ExchangeInfo) -> list[str]:
    return [name for name in info.environments if name not in _NOT_LISTED]


def _lines(info: ExchangeInfo) -> Iterator[str]:
    yield f"live trading: {'yes' if info.can_be_live else 'no'}"
    for what, names in (
        ("markets", info.markets),
        ("streams", info.streams),
        ("orders", info.order),
        ("test venues", _tests(info)),
        ("keys", info.credentials),
    ):
        yield f"{what}: {', '.join(names) or 'none'}"
    yield f"dead-man switch: {info.dead_man or 'none'}"
    if info.notes:
        yield info.notes
