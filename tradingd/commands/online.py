"""What the exchanges say: `tradingd check --online`, and the same before live trading begins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from tradingd.commands.output import echo_table
from tradingd.config import Settings

if TYPE_CHECKING:  # what talks to exchanges is imported when one is asked
    from tradingd.wiring.checks import Finding

__all__ = ["UNREADY", "ask_exchanges", "show_findings", "verdict"]

UNREADY = 69
"""The exit code where a check failed."""


def ask_exchanges(settings: Settings) -> "list[Finding]":
    """Check every account of a run at its exchange: the public side only, where the run has no keys."""
    import asyncio

    return asyncio.run(_ask(settings))


async def _ask(settings: Settings) -> "list[Finding]":
    return [finding for account in settings.run.accounts for finding in await _ask_one(settings, account)]


async def _ask_one(settings: Settings, name: str) -> "list[Finding]":
    from tradingd.venues.account import make_account
    from tradingd.venues.public import make_public
    from tradingd.wiring.checks import check_venue
    from tradingd.wiring.venues import venue_credentials, venue_settings

    where = venue_settings(name, settings.accounts[name])
    public = make_public(where)
    live = settings.run.mode == "live"
    account = make_account(where, venue_credentials(settings, name), public) if live else None
    try:
        return await check_venue(settings, name, public, account)
    finally:
        if account is not None:
            await account.close()
        await public.close()


def verdict(findings: "Sequence[Finding]") -> int:
    """0 where every check passed, else 69."""
    return 0 if all(each.ok for each in findings) else UNREADY


def show_findings(findings: "Sequence[Finding]") -> None:
    """Print a line per check, and what they come to."""
    rows = [(each.account, each.check, _word(each), each.reason) for each in findings]
    echo_table(("Account", "Check", "", "What was found"), rows)
    failed, warned = sum(not each.ok for each in findings), sum(each.is_warning for each in findings)
    if failed:
        typer.echo(f"NOT READY: {failed} of {len(findings)} checks failed")
    else:
        typer.echo(
            f"READY: {len(findings)} checks passed" + (f", {warned} of them with a warning" if warned else "")
        )


def _word(finding: "Finding") -> str:
    if not finding.ok:
        return "FAIL"
    return "look" if finding.is_warning else "ok"
