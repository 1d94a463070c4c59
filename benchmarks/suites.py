"""The sub-benchmarks: what each measures, and what of it is printed. See docs/performance.md."""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.children import ROOT, Result, alternate, child, environment, median, ratio, timed
from benchmarks.jobs import configure
from benchmarks.work import CASH

LOOP = "class loop (reference)"
"""What the others are compared with."""
_TOLERANCE = 1e-6


@dataclass
class Run:
    """What all of them share: how much, how often, where, and what has been found."""

    folder: Path
    bars: int
    repeats: int
    compiled: Path | None
    found: dict[str, object] = field(default_factory=dict)
    """The raw figures, by sub-benchmark."""
    targets: list[tuple[str, float, str, float]] = field(default_factory=list)
    """What was measured against what was asked for: name, value, "<=" or ">=", bound."""

    def data(self, symbols: int, bars: int) -> Path:
        """A folder with `symbols` files of `bars` each."""
        folder = self.folder / f"{symbols}x{bars}"
        if not folder.exists():
            folder.mkdir()
            child("make", folder=folder, symbols=symbols, bars=bars)
        return folder

    def config(self, symbols: int, bars: int, *, strategies: int = 1, trade_every: int | None = None) -> Path:
        """A configuration over such a folder."""
        path = self.data(symbols, bars) / f"{strategies}-{trade_every}.toml"
        configure(str(path), symbols, strategies, trade_every)
        return path

    def aim(self, name: str, value: float, relation: str, bound: float) -> None:
        """Note how a figure compares with what was asked for."""
        self.targets.append((name, value, relation, bound))


def title(text: str) -> None:
    """The line above a table."""
    print(f"\n{text}")


# --- engine ------------------------------------------------------------------------------------------------------


def engine(run: Run) -> None:
    """The loop, the event engine, its compiled copy and the daemon over the same bars."""
    config = run.config(1, run.bars)
    jobs: dict[str, Callable[[], Result]] = {
        LOOP: partial(child, "loop", config=config),
        "tight loop": partial(child, "tight_loop", config=config),
        "engine, recording to disk": partial(child, "backtest", config=config),
        "engine, in memory": partial(child, "backtest", config=config, record=False),
    }
    if run.compiled is not None:
        for record, what in ((True, "recording to disk"), (False, "in memory")):
            jobs[f"compiled engine, {what}"] = partial(
                child, "backtest", compiled=run.compiled, config=config, record=record
            )
    jobs["daemon, recording to disk"] = partial(child, "daemon", config=config)
    found = alternate(jobs, run.repeats)
    agree({name: result for name, results in found.items() for result in results})
    title(f"engine: {run.bars:,} bars, {found[LOOP][0]['fills']:,} fills in each")
    print(f"  {'':32} {'bars/s of CPU':>14} {'x loop':>7} {'of wall':>12} {'x loop':>7} {'peak MiB':>9}")
    for name, results in found.items():
        bars, cpu, wall = run.bars, median(results, "cpu_s"), median(results, "wall_s")
        print(
            f"  {name:32} {bars / cpu:14,.0f} {ratio(results, found[LOOP]):7.2f} {bars / wall:12,.0f}"
            f" {ratio(results, found[LOOP], 'wall_s'):7.2f} {median(results, 'peak_mib'):9.0f}"
        )
    for name, bound in (("recording to disk", 0.7), ("in memory", 1.2)):
        for kind in ("engine", "compiled engine"):
            if (job := f"{kind}, {name}") in found:
                run.aim(f"{job}: times the class loop", ratio(found[job], found[LOOP]), ">=", bound)
    run.found["engine"] = found


def agree(results: dict[str, Result]) -> None:
    """Make sure that all have done the same work: the same fills, and the same money.

    The engine's profit is exact, so it is the same to the last digit in all its runs. A loop's equity may be off
    by a millionth: where the averages are exactly equal, the last digit of its floats decides (once in the million
    bars), so that it may trade at another bar than the engine, for which a tie is no crossing.

    Raises:
        SystemExit: they have not.

    """
    exact = {result["profit"] for result in results.values() if isinstance(result["profit"], str)}
    floats = [result["profit"] for result in results.values() if isinstance(result["profit"], float)]
    same = len({result["fills"] for result in results.values()}) == 1 and len(exact) <= 1
    near = (
        math.isclose(CASH + mine, CASH + float(profit), rel_tol=_TOLERANCE) for mine in floats for profit in exact
    )
    if not same or not all(near):
        told = {name: (result["fills"], result["profit"]) for name, result in results.items()}
        raise SystemExit(f"they have not done the same work; fills and profits: {told}")


# --- memory, symbols, start ------------------------------------------------------------------------------------


def memory(run: Run) -> None:
    """Peak memory of a recorded backtest, however long the file."""
    found: dict[str, list[Result]] = {}
    title("memory: engine, recording to disk")
    for bars in sorted({max(run.bars // part, 100) for part in (100, 10, 1)}):
        job = partial(child, "backtest", config=run.config(1, bars))
        found[str(bars)] = alternate({f"{bars:,} bars": job}, run.repeats)[f"{bars:,} bars"]
        print(f"  {bars:12,} bars {median(found[str(bars)], 'peak_mib'):8.1f} MiB")
    peaks = [median(results, "peak_mib") for results in found.values()]
    fewest, most = peaks[0], peaks[-1]
    run.aim("peak RSS of the most bars, MiB", most, "<=", 120)
    run.aim("peak RSS of the most bars, times that of the fewest", most / fewest, "<=", 1.1)
    run.found["memory"] = found


def symbols(run: Run) -> None:
    """Many symbols against one: the same engine, everything recorded."""
    each = max(run.bars // 50, 100)
    one, many = run.config(1, run.bars), run.config(100, each)
    names = f"1 x {run.bars:,}", f"100 x {each:,}"
    found = alternate(
        {names[0]: partial(child, "backtest", config=one), names[1]: partial(child, "backtest", config=many)},
        run.repeats,
    )
    title("symbols: engine, recording to disk")
    for name, results in found.items():
        print(
            f"  {name:18} {results[0]['bars'] / median(results, 'cpu_s'):12,.0f} bars/s of CPU"
            f" {results[0]['fills']:9,} fills {median(results, 'peak_mib'):6.0f} MiB"
        )
    value = ratio(found[names[1]], found[names[0]])
    print(f"  {value:.2f} of the rate of one symbol")
    run.aim("100 symbols: times the rate of one", value, ">=", 0.7)
    run.found["symbols"] = found


def start(run: Run) -> None:
    """From the start of a process to its exit."""
    config = run.config(1, 1_000)
    commands = {
        "Python itself": ("-c", "pass"),
        "import tradingd": ("-c", "import tradingd"),
        "tradingd --help": ("-m", "tradingd", "--help"),
        "backtest of 1,000 bars": ("-m", "tradingd", "backtest", config.name),
    }
    jobs = {name: partial(timed, *words, folder=config.parent) for name, words in commands.items()}
    found = alternate(jobs, run.repeats)
    title("start: process start to exit")
    for name, results in found.items():
        print(f"  {name:24} {median(results, 'wall_s'):7.3f} s {median(results, 'cpu_s'):7.3f} s of CPU")
    run.aim("import tradingd, s", median(found["import tradingd"], "wall_s"), "<=", 0.2)
    run.aim("backtest of 1,000 bars, s", median(found["backtest of 1,000 bars"], "wall_s"), "<=", 0.8)
    run.found["start"] = found


# --- those that live in files of their own ---------------------------------------------------------------------


def live(run: Run) -> None:
    """The live path, see benchmarks/live.py; its ticks grow with --bars up to its own number."""
    ticks = min(20_000, max(run.bars // 50, 1_000))
    rounds = alternate({"live": partial(_live, ticks)}, run.repeats)["live"]
    figures = {name: {each: _middle(rounds, name, each) for each in values} for name, values in rounds[0].items()}
    title(f"live: {ticks:,} ticks through the daemon's driver on uvloop")
    for name, values in figures.items():
        print(f"  {name:36}" + "".join(f" {each} {value:9,.1f}" for each, value in values.items()))
    closed, bare, paced = (
        figures[name]
        for name in (
            "tick to order, closed loop, us",
            "bare pipeline, 1,000 ticks/s, us",
            "tick to order, 1,000 ticks/s, us",
        )
    )
    run.aim("tick to order, closed loop, p50 us", closed["p50"], "<=", 50)
    run.aim("tick to order, closed loop, p99 us", closed["p99"], "<=", 150)
    for each in ("p50", "p99"):
        run.aim(f"1,000 ticks/s: {each}, times the bare pipeline", paced[each] / bare[each], "<=", 2)
    run.aim("throughput, no orders, ticks/s", figures["throughput, no orders"]["ticks/s"], ">=", 40_000)
    run.aim(
        "loop lag of 50 x 50 at 2,000 ticks/s, p99 ms",
        figures["loop lag, 50 x 50 at 2,000 ticks/s, ms"]["p99"],
        "<",
        20,
    )
    run.found["live"] = rounds


def _live(ticks: int) -> Result:
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        script = str(ROOT / "benchmarks" / "live.py")
        words = [sys.executable, script, "--ticks", str(ticks), "--json", answer.name]
        subprocess.run(words, env=environment(), stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - ours
        result: Result = json.loads(Path(answer.name).read_text(encoding="utf-8"))
        return result


def _middle(rounds: list[Result], name: str, figure: str) -> float:
    return median([each[name] for each in rounds], figure)


def sweep(run: Run) -> None:
    """The sweep's kernel, where it and numba are there; it repeats by itself."""
    script = ROOT / "benchmarks" / "sweep.py"
    title("sweep")
    if not script.exists():
        print("  not in this tree")
        return
    words = [sys.executable, str(script), "--bars", str(run.bars)]
    done = subprocess.run(words, env=environment(), stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit("benchmarks/sweep.py failed; is the extra `sweep` installed? --only leaves it out")
    print(done.stdout.rstrip())
    run.found["sweep"] = done.stdout.splitlines()
