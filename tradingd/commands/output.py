"""How commands print results."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import typer

from tradingd.analytics.summary import Summary, to_json

_PIPED_WIDTH = 1_000
"""Wide enough that no cell of a piped table is folded."""

__all__ = ["echo_json", "echo_table", "show_summary"]


def echo_json(result: Any) -> None:  # noqa: ANN401 - what JSON can hold
    """Print a result as one line of JSON, Decimals as text."""
    typer.echo(msgspec.json.encode(result, enc_hook=str).decode())


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a plain table that fits the terminal, and keeps its full width when piped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(table, markup=False)


def show_summary(summary: Summary, *, as_json: bool) -> None:
    """Print a summary as a table, or as JSON."""
    if as_json:
        typer.echo(to_json(summary).decode())
        return
    from rich.console import Console

    from tradingd.ops.console import render_summary

    render_summary(summary, Console())
