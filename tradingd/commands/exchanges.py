"""`tradingd exchanges`: where one could trade."""

from collections.abc import Iterator, Sequence

import msgspec
import typer

from tradingd.commands.output import echo_json, echo_table
from tradingd.venues.catalog import ExchangeFacts, describe_exchanges

__all__ = ["list_exchanges"]


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
            typer.echo("\n".join((f"{each.exchange_id}: {each.name}", *(f"    {line}" for line in _lines(each)))))
        return
    columns = ("Exchange", "Live", "Markets", "Streams", "Test venue", "Dead man")
    echo_table(columns, [_row(each) for each in found])
    live = sum(each.can_be_live for each in found)
    typer.echo(f"{live} of {len(found)} can be traded live; `tradingd exchanges ID` tells more of one.")


def _row(facts: ExchangeFacts) -> tuple[str, ...]:
    return (
        facts.exchange_id,
        "yes" if facts.can_be_live else "no",
        " ".join(facts.kinds),
        " ".join(facts.streams),
        _tests(facts),
        "yes" if facts.dead_man else "",
    )


def _tests(facts: ExchangeFacts) -> str:
    return " ".join(name for name in ("sandbox", "demo") if getattr(facts, name))


def _lines(facts: ExchangeFacts) -> Iterator[str]:
    if facts.can_be_live:
        yield "live trading: yes"
    else:
        yield f"live trading: no, it lacks {', '.join(facts.lacks)}"
    yield f"markets: {', '.join(facts.kinds) or 'not told'}"
    yield f"streams: {', '.join(facts.streams) or 'none'}"
    yield f"test venues: {_tests(facts) or 'none'}"
    yield f"keys: {', '.join(facts.credentials) or 'none'}"
    yield f"dead-man switch: {facts.dead_man or 'none'}"
    if not facts.is_in_table:
        yield "its codes are not in our table: more outcomes of orders are unknown at first than need be"
