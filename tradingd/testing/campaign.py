"""`python -m tradingd.testing.campaign 0:1000`: rehearsals with random faults, each of a seed."""

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import structlog

from tradingd.commands.rehearsal_report import FaultReport
from tradingd.testing.exchange.scripts import names
from tradingd.testing.rehearsal.campaign import draw, play

__all__ = ["main", "play_seed"]

_SEEDS_PER_PROCESS = 25
"""After so many a process makes room for a new one."""


def play_seed(seed: int) -> tuple[int, FaultReport, float]:
    """Play one seed in a loop of its own; how long it took comes with it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.perf_counter()
    try:
        report = asyncio.run(play(draw(seed)))
    except Exception as error:  # noqa: BLE001 - a seed that breaks is a finding, and the others go on
        report = FaultReport(f"seed {seed}", 0, 0, 0, violations=(f"it broke: {type(error).__name__}: {error}",))
    return seed, report, time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Play all seeds; 0 where none has a violation."""
    parser = argparse.ArgumentParser(prog="python -m tradingd.testing.campaign", description=__doc__)
    parser.add_argument("seeds", metavar="FROM:TO", type=_seeds, help="as in a slice of Python: 0:1000")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="how many at once (2)")
    chosen = parser.parse_args(arguments)
    reports: list[FaultReport] = []
    began = time.perf_counter()
    with ProcessPoolExecutor(chosen.processes, max_tasks_per_child=_SEEDS_PER_PROCESS) as pool:
        for done in as_completed([pool.submit(play_seed, seed) for seed in chosen.seeds]):
            seed, report, seconds = done.result()
            reports.append(report)
            _tell(seed, report, seconds)
    failed = [each for each in reports if each.violations]
    _say(_summary(reports, time.perf_counter() - began))
    return 1 if failed or not reports else 0


def _seeds(text: str) -> range:
    first, _, last = text.partition(":")
    try:
        return range(int(first), int(last)) if last else range(int(first), int(first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write FROM:TO, or one seed") from None


def _tell(seed: int, report: FaultReport, seconds: float) -> None:
    drawn = draw(seed)
    if report.violations:
        _say(f"FAIL {drawn.describe()}")
    told = f"{report.result:7} seed {seed}: {report.orders} orders, {report.fills} fills, {report.hits} hits"
    _say(f"{told}, {seconds:.1f} s")
    for line in (*report.violations, *(f"halted: {halt}" for halt in report.halts)):
        _say(f"        {line}")


def _summary(reports: Sequence[FaultReport], seconds: float) -> str:
    results = Counter(each.result for each in reports)
    told = ", ".join(f"{number} {result}" for result, number in sorted(results.items()))
    totals = ", ".join(f"{sum(getattr(each, name) for each in reports)} {name}" for name in ("orders", "fills"))
    violations = sum(len(each.violations) for each in reports)
    struck: Counter[str] = sum((Counter(each.struck) for each in reports), Counter())
    never = [name for name in names() if not struck[name]]
    lines = [f"{number:6} {name}" for name, number in sorted(struck.items(), key=lambda item: (-item[1], item[0]))]
    return "\n".join(
        [
            *lines,
            f"never struck: {', '.join(never) or 'none'}",
            (
                f"{len(reports)} seeds in {seconds:.0f} s: {told}; {totals}, {sum(struck.values())} hits, "
                f"{violations} violations"
            ),
        ]
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
