"""How cost grows with bars, fills, symbols and strategies: in a straight line, or one more costs more and more."""

import statistics
from collections.abc import Iterable
from functools import partial

from benchmarks.children import Result, alternate, child
from benchmarks.suites import Run, title

Point = tuple[int, float, float]
"""How many, CPU seconds of all, microseconds of one."""


def scaling(run: Run) -> None:
    """Measure the four axes; tell the straight line's fit, and the dearest unit against that of the fewest."""
    axes = {
        "bar": ("bars", _bars(run)),
        "fill": ("fills", _fills(run)),
        "bar of one of so many symbols": ("symbols", _symbols(run)),
        "bar and strategy": ("strategies on one symbol", _strategies(run)),
    }
    title("scaling: engine, in memory; CPU time without reading the configuration and checking the data")
    for unit, (axis, points) in axes.items():
        print(f"  us a {unit}, by number of {axis}:")
        print("   " + "".join(f" {count:>11,}" for count, _, _ in points))
        print("   " + "".join(f" {each:11.2f}" for _, _, each in points))
        print(f"    the most against the fewest: {growth(points):.2f}")
        run.aim(f"cost of one, the most {axis} against the fewest", growth(points), "<=", 1.5)
    print(f"  straight line through the seconds by bars: R2 = {straightness(axes['bar'][1]):.4f}")
    run.found["scaling"] = {axis: {"unit": f"us a {unit}", "points": pts} for unit, (axis, pts) in axes.items()}


def growth(points: list[Point]) -> float:
    """What one costs among the most, in terms of what one costs among the fewest."""
    return points[-1][2] / points[0][2]


def straightness(points: list[Point]) -> float:
    """How well a straight line tells the seconds by the number: 1 is exactly (R squared)."""
    counts, seconds = [count for count, _, _ in points], [spent for _, spent, _ in points]
    return statistics.correlation(counts, seconds) ** 2


def _measured(run: Run, configs: Iterable[tuple[int, object]]) -> list[tuple[int, Result]]:
    """The median run (by CPU) of each configuration, all of them in turn; only the run itself counts."""
    jobs = {count: partial(child, "backtest", config=config, record=False) for count, config in configs}
    found = alternate({str(count): job for count, job in jobs.items()}, run.repeats)
    for results in found.values():
        for result in results:
            result["run_s"] = result["cpu_s"] - result["load_cpu_s"]
    middle = (len(next(iter(found.values()))) - 1) // 2
    return [(count, sorted(found[str(count)], key=lambda each: each["run_s"])[middle]) for count in jobs]


def _each(measured: list[tuple[int, Result]]) -> list[Point]:
    return [(count, run["run_s"], run["run_s"] / run["bars"] * 1e6) for count, run in measured]


def _bars(run: Run) -> list[Point]:
    sizes = sorted({max(int(run.bars * share), 100) for share in (0.01, 0.03, 0.1, 0.3, 1.0)})
    return _each(_measured(run, ((bars, run.config(1, bars)) for bars in sizes)))


def _fills(run: Run) -> list[Point]:
    """The same bars with more and more fills: what they cost beyond those of a run without any.

    At full size there are more of them than any part of the engine remembers (100,000).
    """
    bars = max(run.bars // 4, 500)
    rates = (0, 100, 25, 5, 2)
    measured = _measured(run, ((rate, run.config(1, bars, trade_every=rate)) for rate in rates))
    idle = measured[0][1]["run_s"]
    spent = [(result["fills"], result["run_s"] - idle) for _, result in measured[1:]]
    return [(fills, seconds, seconds / fills * 1e6) for fills, seconds in spent]


def _symbols(run: Run) -> list[Point]:
    """As many bars in all, of more and more symbols."""
    bars = max(run.bars // 5, 10_000)
    return _each(_measured(run, ((count, run.config(count, bars // count)) for count in (1, 3, 10, 30, 100))))


def _strategies(run: Run) -> list[Point]:
    """The same bars for more and more strategies, all of which trade."""
    bars = max(run.bars // 50, 200)
    counts = (1, 2, 5, 10, 20, 50)
    measured = _measured(run, ((count, run.config(1, bars, strategies=count)) for count in counts))
    return [(count, each["run_s"], each["run_s"] / each["bars"] / count * 1e6) for count, each in measured]
