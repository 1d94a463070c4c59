"""`tradingd backtest --check-lookahead`: whether a decision changes when the data after it are not there yet."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer

from tradingd.analytics.lookahead import (
    CutResult,
    Decision,
    Difference,
    Finding,
    Verdict,
    choose_cuts,
    differences,
    findings,
    hint,
)
from tradingd.commands.output import echo_json, echo_table
from tradingd.commands.recording import Recording, Runner, Survey
from tradingd.config import load_settings
from tradingd.domain.times import format_time
from tradingd.errors import ConfigError, UsageError

__all__ = ["LOOK_AHEAD", "UNDECIDED", "check_lookahead"]

LOOK_AHEAD = 10
"""The exit code where a decision changed."""
UNDECIDED = 11
"""The exit code where it could not be told."""

_MOST_CUTS = 1_000
_CHANCE = "two processes decide differently: it depends on chance, the wall clock or the order of a set"
_KEPT = (
    "a second run in one process decides differently: it keeps state in a class, a module or a seeded generator"
)

_NOT_OVERLAID = (
    "this system lets no process put a copy in a file's place: a data file that a strategy opens by an absolute "
    "path of its own, and not by Python's open, is not cut"
)


class _Report(msgspec.Struct, kw_only=True):
    """What the check came to."""

    verdict: str = "clean"
    events: int
    cuts: list[CutResult] = []
    found: list[Finding] = []
    unsteady: dict[str, tuple[str, Difference]] = {}
    """Strategies that do not repeat themselves: why, and where."""
    failures: list[CutResult] = []
    """Cut runs whose strategies could not be made."""
    overlaid: bool = True
    bypassed: list[str] = []
    notes: list[str] = []


def check_lookahead(
    files: Sequence[Path], sets: Sequence[str], cuts: int, *, as_json: bool, in_place: bool = True
) -> int:
    """Run a backtest in full and on data that end at `cuts` moments, and tell what differs; returns the exit code.

    `in_place`: whether data files may be cut at their own paths, where the system allows that; see `overlay`.

    Raises:
        TradingdError: the full run itself fails.

    """
    if not 1 <= cuts <= _MOST_CUTS:
        raise UsageError(f"--lookahead-cuts {cuts}: use 1 to {_MOST_CUTS}")
    name = load_settings(files, overrides=sets, environ=os.environ).run.name
    with tempfile.TemporaryDirectory(prefix="tradingd-lookahead-") as folder:
        runner = Runner(tuple(files), tuple(sets), Path(folder).resolve(), in_place)
        report = _check(runner, cuts)
    if as_json:
        echo_json(_as_fields(name, report))
    else:
        _show(name, report)
    return {"clean": 0, "look-ahead": LOOK_AHEAD}.get(report.verdict, UNDECIDED)


# --- the check -------------------------------------------------------------------------------------------------


def _check(runner: Runner, number: int) -> _Report:
    survey = runner.survey()
    full, again = runner.twice(survey)
    report = _Report(events=full.events, notes=_notes(survey))
    _judge_repeats(report, full.decisions, again.decisions, runner.afresh(survey).decisions)
    if not any(why == _CHANCE for why, _ in report.unsteady.values()):
        _judge_cuts(report, runner, survey, full, number)
    if not report.overlaid:
        report.notes.append(_NOT_OVERLAID)
    report.verdict = _verdict(report)
    return report


def _judge_repeats(report: _Report, full: list[Decision], again: list[Decision], afresh: list[Decision]) -> None:
    """Only what repeats itself can be compared with a cut run."""
    for why, others in ((_KEPT, again), (_CHANCE, afresh)):
        parted = differences(full, others)
        # those that part later may only feel what the first one did
        report.unsteady.update({each.strategy_id: (why, each) for each in parted if each.step == parted[0].step})


def _judge_cuts(report: _Report, runner: Runner, survey: Survey, full: Recording, number: int) -> None:
    for cut in choose_cuts(full.decisions, full.marks, survey.earliest, number):
        try:
            recording = runner.cut(survey, cut)
        except ConfigError as error:  # a strategy cannot be made without what comes later
            report.failures.append(CutResult(cut, 0, [], str(error)))
            continue
        report.cuts.append(CutResult(cut, recording.events, recording.decisions))
        report.overlaid = report.overlaid and recording.overlaid
        report.bypassed += [path for path in recording.bypassed if path not in report.bypassed]
    report.found = findings(full.decisions, report.cuts, survey.strategies)
    if not report.cuts and not report.failures:
        report.notes.append("the data are too short to be cut anywhere: nothing was compared")


def _verdict(report: _Report) -> str:
    if report.failures or any(each.verdict is Verdict.LOOK_AHEAD for each in report.found):
        return "look-ahead"
    if report.unsteady:
        return "not reproducible"
    compared = sum(each.decisions for each in report.found)
    return "undecided" if report.bypassed or not compared else "clean"


def _notes(survey: Survey) -> list[str]:
    notes = [f"{each}: it is the same in every run, and is not checked" for each in survey.uncut]
    if survey.earliest > survey.first_ts:
        notes.append(f"no cut is before {format_time(survey.earliest)}, when the last series begins")
    return notes


# --- what is told ------------------------------------------------------------------------------------------------


def _show(name: str, report: _Report) -> None:
    typer.echo(f"look-ahead check of {name}: {report.events} market events, {len(report.cuts)} cuts")
    echo_table(("strategy", "decisions", "verdict"), _rows(report))
    for line in _details(report):
        typer.echo(line)
    typer.echo(f"verdict: {report.verdict}")


def _rows(report: _Report) -> Iterator[tuple[str, str, str]]:
    names = dict.fromkeys((*(each.strategy_id for each in report.found), *report.unsteady))
    found = {each.strategy_id: each for each in report.found}
    for name in names:
        finding = found.get(name)
        words = ["NOT REPRODUCIBLE"] if name in report.unsteady else []
        words += [_in_words(finding, len(report.cuts))] if finding is not None else []
        yield name, str(finding.decisions) if finding is not None else "", ", ".join(words)


def _in_words(finding: Finding, cuts: int) -> str:
    if finding.verdict is Verdict.LOOK_AHEAD:
        return f"LOOK-AHEAD at {finding.cuts} of {cuts} cuts"
    if finding.verdict is Verdict.FOLLOWS:
        return "changes only after another strategy has: check it alone"
    return finding.verdict.value


def _details(report: _Report) -> Iterator[str]:
    for name, (why, difference) in report.unsteady.items():
        yield f"{name}: not reproducible: {why}"
        yield from _sides(difference, "one run", "another run")
    for finding in report.found:
        if finding.difference is not None:
            yield f"{finding.strategy_id}: look-ahead: {hint(finding)}"
            yield f"  data end     {format_time(finding.cut)}, market events in between: {finding.lead}"
            yield from _sides(finding.difference, "full run", "cut run")
    for each in report.failures:
        yield f"look-ahead: with data that end at {format_time(each.cut)} it cannot start: {each.failure}"
    for path in report.bypassed:
        yield f"{path} is opened by a path that cannot be led to a cut copy: take it from the parameters"
    yield from (f"note: {note}" for note in report.notes)


def _sides(difference: Difference, first: str, second: str) -> Iterator[str]:
    yield f"  {'at':<12} {format_time(difference.ts)}"
    for label, decision in ((first, difference.first), (second, difference.second)):
        yield f"  {label:<12} {_told(decision)}"


def _told(decision: Decision | None) -> str:
    return "nothing more" if decision is None else f"{format_time(decision.ts)} {decision.text}"


def _as_fields(name: str, report: _Report) -> dict[str, Any]:
    return {
        "name": name,
        "verdict": report.verdict,
        "events": report.events,
        "cuts": [{"time": format_time(each.cut), "ts": each.cut, "events": each.events} for each in report.cuts],
        "strategies": [_finding_fields(each) for each in report.found],
        "not_reproducible": [
            {"strategy_id": owner, "why": why, **_difference_fields(difference, "one_run", "another_run")}
            for owner, (why, difference) in report.unsteady.items()
        ],
        "failures": [{"time": format_time(each.cut), "error": each.failure} for each in report.failures],
        "not_cut": report.bypassed,
        "notes": report.notes,
    }


def _finding_fields(finding: Finding) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "strategy_id": finding.strategy_id,
        "verdict": finding.verdict,
        "decisions": finding.decisions,
    }
    if finding.difference is None:
        return fields
    return {
        **fields,
        "cuts": finding.cuts,
        "first": {
            "cut": format_time(finding.cut),
            "events_before_cut": finding.lead,
            **_difference_fields(finding.difference, "full_run", "cut_run"),
        },
        "hint": hint(finding),
    }


def _difference_fields(difference: Difference, first: str, second: str) -> dict[str, Any]:
    return {"time": format_time(difference.ts), first: difference.first, second: difference.second}
