"""What the exchanges say: `tradingd check --online`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from tradingd.commands.output import echo_table
from tradingd.config import Settings
from tradingd.errors import NotReadyError

if TYPE_CHECKING:  # what talks to exchanges is imported when one is asked
    from tradingd.wiring.checks import Finding

__all__ = ["ask_exchanges", "show_results", "verdict"]


def ask_exchanges(settings: Settings) -> "list[Finding]":
    """Check every account of a run at its exchange: the public side only, where the run has no keys."""
    import asyncio

    from tradingd.wiring.checks import check_accounts

    return asyncio.run(check_accounts(settings))


def verdict(results: "Sequence[Finding]") -> int:
    """0 where every check passed, else 69."""
    return 0 if all(each.ok for each in results) else NotReadyError.exit_code


def show_results(results: "Sequence[Finding]") -> None:
    """Print a line per check, and what they come to."""
    rows = [(each.account, each.name, _word(each), each.reason) for each in results]
    echo_table(("Account", "Check", "", "What was found"), rows)
    failed, warned = sum(not each.ok for each in results), sum(each.is_warning for each in results)
    if failed:
        typer.echo(f"NOT READY: {failed} of {len(results)} checks failed")
    else:
        typer.echo(
            f"READY: {len(results)} checks passed" + (f", {warned} of them with a warning" if warned else "")
        )


def _word(result: "Finding") -> str:
    if not result.ok:
        return "FAIL"
    return "look" if result.is_warning else "ok"
