"""Measuring in fresh child processes: what one piece of work leaves in memory and caches is not the next one's."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
COMPILED = ROOT / "build" / "compiled"
"""Where `make compile` puts the compiled copy of the package."""


def child(job: str, *, compiled: Path | None = None, **arguments: Any) -> Result:  # noqa: ANN401 - the job's own
    """Run a job of `benchmarks/jobs.py` in a process of its own, from the compiled copy if one is given.

    Raises:
        SystemExit: it failed; its own words have been shown.

    """
    script = str(ROOT / "benchmarks" / "jobs.py")
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, script, job, json.dumps(arguments, default=str)],
        env=environment(compiled),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the benchmark's job {job} failed with {done.returncode}")
    result: Result = json.loads(done.stdout)
    if "compiled" in result and result["compiled"] != (compiled is not None):
        raise SystemExit(f"the benchmark's job {job} ran from the wrong tree (compiled: {result['compiled']})")
    return result


def environment(compiled: Path | None = None) -> dict[str, str]:
    """The environment in which a child imports this tree, or the compiled copy of it."""
    places = [str(ROOT)] if compiled is None else [str(compiled), str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def timed(*arguments: str, folder: Path) -> Result:
    """Start Python with these arguments; what it took from the start of the process to its exit."""
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"python {' '.join(arguments)} failed with {process.returncode}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime}


def alternate(jobs: Mapping[str, Callable[[], Result]], repeats: int) -> dict[str, list[Result]]:
    """Do all jobs in turn, `repeats` times, so that what disturbs the machine meanwhile disturbs all of them."""
    found: dict[str, list[Result]] = {name: [] for name in jobs}
    for number in range(1, repeats + 1):
        for name, job in jobs.items():
            sys.stderr.write(f"\r\033[K  round {number} of {repeats}: {name}" if sys.stderr.isatty() else "")
            found[name].append(job())
    sys.stderr.write("\r\033[K" if sys.stderr.isatty() else "")
    return found


def median(results: Sequence[Result], figure: str) -> float:
    """The median of one figure."""
    values: list[float] = [each[figure] for each in results]
    return statistics.median(values)


def ratio(results: Sequence[Result], reference: Sequence[Result], figure: str = "cpu_s") -> float:
    """How many times the reference's bars a second: the median of the rounds, each compared within itself."""
    rates: list[float] = [
        (mine["bars"] / mine[figure]) / (other["bars"] / other[figure])
        for mine, other in zip(results, reference, strict=True)
    ]
    return statistics.median(rates)


def is_current(compiled: Path) -> bool:
    """Whether a compiled copy is of the very sources of this tree."""
    sources = sorted(path.relative_to(ROOT) for path in (ROOT / "tradingd").rglob("*.py"))
    copies = sorted(path.relative_to(compiled) for path in (compiled / "tradingd").rglob("*.py"))
    there = any((compiled / "tradingd").rglob("*.so")) or any((compiled / "tradingd").rglob("*.pyd"))
    return (
        there
        and sources == copies
        and all((ROOT / path).read_bytes() == (compiled / path).read_bytes() for path in sources)
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "commit": _commit(),
        "load_average": load,
    }


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    lines = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return lines[0] if lines else platform.processor()


def _commit() -> str:
    """The commit of this tree, marked where files differ from it; empty outside of a git checkout."""
    try:
        words = ("git", "describe", "--always", "--dirty", "--exclude=*")
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip()
