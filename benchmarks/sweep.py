"""The sweep's benchmark: bars a second and core, beside the hand-written loop of small classes.

The work is that of `benchmarks/work.py`, all its limits on, over 1,000,000 one-minute bars. Bars a second are bars
x parameter sets / CPU seconds of the process, with one thread; making the machine code is told apart.

    python benchmarks/sweep.py [--bars 1000000] [--sets 20]
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.work import FIRST_MS, MINUTE_MS, class_loop, write_bars, write_config
from tradingd.config import load_settings
from tradingd.config.risk import LimitSettings
from tradingd.sweep.grid import Grid, parse_axes
from tradingd.sweep.runner import Simulation, prepare
from tradingd.sweep.verify import verify

REPEATS = 5
LOOP_BARS = 200_000
VERIFY_BARS = 20_000
SYMBOL = "BENCH"

NO_LIMITS = [
    f"risk.limits.{name}=none" for name, field in LimitSettings.model_fields.items() if field.default is None
]
PERCENT = ["risk.sizer.kind=percent_of_equity", "risk.sizer.quantity=none", "risk.sizer.percent=50"]
WORKS = {
    "SMA 10/30, all limits": ([], "ma_crossover", ("slow_ma=30",)),
    "SMA 10/30, no limits": (NO_LIMITS, "ma_crossover", ("slow_ma=30",)),
    "SMA 10/30 to 10/220": ([], "ma_crossover", ("slow_ma=30:220:10",)),
    "SMA 10/30, percent of equity": ([*NO_LIMITS, *PERCENT], "ma_crossover", ("slow_ma=30",)),
    "RSI 14, all limits": ([], "rsi_reversion", ("period=14",)),
}
"""What is measured: overrides of the configuration, the strategy, the grid."""


def prepared(config: Path, strategy: str, *overrides: str) -> Simulation:
    """A simulation of the work with another strategy or other settings."""
    named = f'strategies=[{{name="{strategy}",params={{symbol="{SYMBOL}"}}}}]'
    return prepare(load_settings([config], overrides=[named, *overrides], environ={}))


def measure(simulation: Simulation, grid: Grid, sets: int) -> tuple[float, int]:
    """Bars a CPU second (the median of several rounds) and the fills of the last set."""
    points = list(itertools.islice(itertools.cycle(grid), sets))
    speeds, fills = [], 0
    for _ in range(REPEATS):
        began = time.process_time()
        for figures in simulation.all_figures(points, 1):
            fills = figures.fills
        speeds.append(len(simulation.bars.ts) * sets / (time.process_time() - began))
    return statistics.median(speeds), fills


def loop_speed(path: Path) -> float:
    """The same of the hand-written loop, over fewer bars."""
    write_bars(path, LOOP_BARS)
    speeds = []
    for _ in range(REPEATS):
        began = time.process_time()
        class_loop(path)
        speeds.append(LOOP_BARS / (time.process_time() - began))
    return statistics.median(speeds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--sets", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_config(folder / "c.toml", [SYMBOL])
        reference = loop_speed(folder / f"{SYMBOL}.parquet")
        write_bars(folder / f"{SYMBOL}.parquet", arguments.bars)
        print(f"{arguments.bars:,} bars, median of {REPEATS}")
        print(f"  {'class loop (reference)':30} {reference:14,.0f} bars/s")
        for label, (overrides, strategy, axes) in WORKS.items():
            began = time.process_time()
            simulation = prepared(config, strategy, *overrides)
            read = time.process_time() - began
            params = list(simulation.strategy.Params.model_fields)
            grid = Grid(simulation.strategy, {"symbol": SYMBOL}, parse_axes(axes, params))
            compiled = simulation.compile(next(iter(grid)).params)
            speed, fills = measure(simulation, grid, arguments.sets)
            print(
                f"  {label:30} {speed:14,.0f} bars/s a core, {speed / reference:4,.0f} x the reference; "
                f"{fills} fills; read in {read:.1f} s, compiled or loaded in {compiled:.1f} s"
            )
        end = np.datetime64(FIRST_MS + MINUTE_MS * VERIFY_BARS, "ms")
        agreed = verify(prepared(config, "ma_crossover", f'data.end="{end}Z"'), {"symbol": SYMBOL})
        print(f"  the event engine makes the same {agreed.fills} fills of the first {VERIFY_BARS:,} bars")


if __name__ == "__main__":
    main()
