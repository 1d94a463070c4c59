"""`tradingd rehearse`: a live configuration against an exchange on this machine on which things go wrong.

Each fault is rehearsed by itself, with a fresh exchange and a fresh daemon, so that what it does can be told and
done again: `--faults NAME --seed N`.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
import typer

from tradingd.commands.output import echo_json, echo_table
from tradingd.commands.rehearsal_report import FaultReport, RehearsalReport
from tradingd.config import Settings, load_settings
from tradingd.domain.loading import load_object
from tradingd.errors import UsageError

__all__ = ["rehearse"]

_STAGE = "tradingd.testing.rehearsal.command:performer"
"""Loaded by name: the daemon does not import what it is tested with."""
_FAILED = 1
_FLUSH_S = 5.0


class _Performer(Protocol):
    """How the exchange's side is used; see `tradingd.testing.rehearsal.command`."""

    def choose(self, faults: str) -> Sequence[str]:
        """The names of the faults that a text means."""

    def known(self) -> Sequence[tuple[str, str, str]]:
        """Name, number and meaning of every fault."""

    def perform(
        self,
        name: str,
        base: Settings,
        load: Callable[[Mapping[str, Any]], Settings],
        log: Any,  # noqa: ANN401 - structlog's loggers have no common type
        **options: Any,  # noqa: ANN401 - those of the pace
    ) -> FaultReport:
        """Rehearse one fault; the empty name is none."""


def rehearse(
    files: Sequence[Path],
    sets: Sequence[str],
    faults: str,
    *,
    seed: int,
    as_json: bool,
    log: Path | None = None,
    **options: Any,  # noqa: ANN401 - those of the pace: orders, duration_s, cash
) -> int:
    """Rehearse each fault and print what came of it; returns 0 where all is passed, else 1.

    Raises:
        UsageError: there is no such fault, or the configuration trades what cannot be rehearsed.

    """
    performer: _Performer = load_object(_STAGE, "the rehearsal's exchange")
    if faults == "list":
        _list_faults(performer.known(), as_json=as_json)
        return 0
    chosen = [""] if faults == "none" else performer.choose(faults)
    base = _base(files, sets)
    load = partial(_load, files, sets)
    reports = []
    with _logging(log, base.logging.level) as logger:
        for fault in chosen:
            logger.info("rehearsal", fault=fault, seed=seed)
            reports.append(performer.perform(fault, base, load, logger, seed=seed, **options))
            if not as_json:
                typer.echo(f"{reports[-1].result:8} {_named(reports[-1])}", err=True)
    report = RehearsalReport(seed, tuple(reports))
    if as_json:
        echo_json(_as_json(report))
    else:
        _show(report)
    return 0 if report.passed else _FAILED


def _load(files: Sequence[Path], sets: Sequence[str], forced: Mapping[str, Any]) -> Settings:
    return load_settings(files, overrides=sets, environ=os.environ, forced=forced)


def _base(files: Sequence[Path], sets: Sequence[str]) -> Settings:
    """The configuration on paper: without its keys, which nobody reads here."""
    as_paper = {"run": {"mode": "paper"}, "data": {"feed": "live"}, "broker": {"kind": "simulated"}}
    return load_settings(files, overrides=sets, environ=os.environ, forced=as_paper)


@contextmanager
def _logging(path: Path | None, level: str) -> Iterator[Any]:
    """A logger of what the daemons tell: to a file that is added to, or to nobody."""
    from tradingd.ops.logging import configure_logging

    try:
        stream = Path(os.devnull if path is None else path).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"--log {path}: cannot be written: {error.strerror}") from error
    with stream:
        handle = configure_logging(level, "json", stream, "rehearsal")
        try:
            yield handle.logger
        finally:
            handle.close(_FLUSH_S)


# --- what is printed -------------------------------------------------------------------------------------------


def _list_faults(known: Sequence[tuple[str, str, str]], *, as_json: bool) -> None:
    if as_json:
        echo_json([{"name": name, "number": number, "text": text} for name, number, text in known])
        return
    echo_table(("Fault", "Number", "What happens"), known)


def _as_json(report: RehearsalReport) -> dict[str, Any]:
    faults = [{**msgspec.to_builtins(each), "result": each.result} for each in report.faults]
    return {"passed": report.passed, "seed": report.seed, "faults": faults}


def _show(report: RehearsalReport) -> None:
    rows = [
        (_named(each), *map(str, (each.hits, each.orders, each.fills)), _seconds(each), each.result)
        for each in report.faults
    ]
    echo_table(("Fault", "Hits", "Orders", "Fills", "Recovery", "Result"), rows)
    for each in report.faults:
        for line in each.violations:
            typer.echo(f"{_named(each)}: {line}")
        for line in each.halts:
            typer.echo(f"{_named(each)}: halted: {line}")
    typer.echo(_verdict(report))


def _named(report: FaultReport) -> str:
    return report.fault or "no fault"


def _seconds(report: FaultReport) -> str:
    return "" if report.recovery_s is None else f"{report.recovery_s:.2f} s"


def _verdict(report: RehearsalReport) -> str:
    results = Counter(each.result for each in report.faults)
    told = ", ".join(f"{number} {result}" for result, number in sorted(results.items()))
    if report.passed:
        return f"PASS (seed {report.seed}): {told}"
    if results["FAIL"]:
        return f"FAIL (seed {report.seed}): {told}"
    return f"FAIL (seed {report.seed}): nothing was rehearsed: no fault met an order; raise --orders or --duration"
