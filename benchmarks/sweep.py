"""The sweep's benchmark: bars a second and core, and what they are beside a hand-written loop of small classes.

Work: SMA 10/30, long or flat, quantity 1, fee 0.1 %, next-open fills, over one-minute bars: a seeded bootstrap of
the shipped hourly EUR/USD returns, on a tick of 0.01. Bars a second are bars x parameter sets / CPU seconds of the
process, with one thread; making the machine code is told apart. Limits: a greatest order and gross exposure.

    python benchmarks/sweep.py [--bars 1000000] [--sets 20]
"""

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from run import class_loop

from tradingd.config import load_settings
from tradingd.sweep.grid import Grid, parse_axes
from tradingd.sweep.runner import Simulation, prepare
from tradingd.sweep.verify import verify

REPEATS = 5
SEED = 7
LOOP_BARS = 200_000
VERIFY_BARS = 20_000
CONFIG = """
[data]
[[data.files]]
symbol = "X/USD"
path = "bars.parquet"
interval = "1m"
[[instruments]]
symbol = "X/USD"
tick = "0.01"
lot = 1
[[strategies]]
name = "ma_crossover"
params = { symbol = "X/USD", fast_ma = 10, slow_ma = 30 }
[portfolio]
initial_cash = 10000000
[broker]
taker_fee_percent = 0.1
[risk.sizer]
kind = "fixed_quantity"
quantity = 1
[risk.limits]
max_order_quantity = 10
max_gross_exposure_percent = 100
"""
STRICT = ("risk.limits.daily_loss_percent=5", "risk.limits.max_drawdown_percent=50")


def write_bars(path: Path, count: int) -> None:
    """The bootstrapped bars as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sample = Path(sys.modules["tradingd"].__file__ or "").parent / "sample_data" / "fx_hourly"
    closes = pq.read_table(sample / "EURUSD_2017.parquet", columns=["close"])["close"].to_pylist()
    returns = [after / before for before, after in itertools.pairwise(closes)]
    chance = random.Random(SEED)  # noqa: S311 - a benchmark's data
    prices = [1_000.0]
    for step in chance.choices(returns, k=count):
        prices.append(round(min(max(prices[-1] * step, 100.0), 10_000.0), 2))
    opens, ends = np.array(prices[:-1]), np.array(prices[1:])
    columns = {
        "timestamp": 1_600_000_000_000 + 60_000 * np.arange(count),
        "open": opens,
        "high": np.maximum(opens, ends),
        "low": np.minimum(opens, ends),
        "close": ends,
        "volume": np.ones(count),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def measure(simulation: Simulation, grid: Grid, sets: int) -> tuple[float, int]:
    """Bars a CPU second (the median of several rounds) and the fills of the last set."""
    points = list(itertools.islice(itertools.cycle(grid), sets))
    simulation.compile(points[0].params)
    speeds, fills = [], 0
    for _ in range(REPEATS):
        began = time.process_time()
        for figures in simulation.all_figures(points, 1):
            fills = figures.fills
        speeds.append(len(simulation.bars.ts) * sets / (time.process_time() - began))
    return statistics.median(speeds), fills


def loop_speed(simulation: Simulation) -> float:
    """The same of the hand-written loop, over a part of the bars."""
    bars = simulation.bars
    columns = (bars.open, bars.high, bars.low, bars.close)
    rows = list(zip(*(column[:LOOP_BARS].tolist() for column in columns), strict=True))
    speeds = []
    for _ in range(REPEATS):
        began = time.process_time()
        class_loop(rows)
        speeds.append(len(rows) / (time.process_time() - began))
    return statistics.median(speeds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--sets", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bars(folder / "bars.parquet", arguments.bars)
        (folder / "c.toml").write_text(CONFIG)

        def prepared(*overrides: str) -> Simulation:
            files = [folder / "c.toml"]
            return prepare(load_settings(files, overrides=["run.mode=backtest", *overrides], environ={}))

        began = time.process_time()
        simulation = prepared()
        print(f"{arguments.bars:,} bars, median of {REPEATS}; read once in {time.process_time() - began:.2f} s")
        reference = loop_speed(simulation)
        print(f"  class loop (reference)      {reference:14,.0f} bars/s")
        works = {
            "SMA 10/30, the work": ((), "ma_crossover", ("slow_ma=30",)),
            "... 10/30 to 10/400": ((), "ma_crossover", ("slow_ma=30:400:10",)),
            "... and loss limits": (STRICT, "ma_crossover", ("slow_ma=30",)),
            "... and percent of equity": (
                (
                    "risk.sizer.kind=percent_of_equity",
                    "risk.sizer.quantity=none",
                    "risk.sizer.percent=50",
                    "risk.limits.max_order_quantity=none",
                ),
                "ma_crossover",
                ("slow_ma=30",),
            ),
            "RSI 14": ((), "rsi_reversion", ("period=14",)),
        }
        for label, (overrides, strategy, axes) in works.items():
            named = f'strategies=[{{name="{strategy}",params={{symbol="X/USD"}}}}]'
            simulation = prepared(named, *overrides)
            params = list(simulation.strategy.Params.model_fields)
            grid = Grid(simulation.strategy, {"symbol": "X/USD"}, parse_axes(axes, params))
            compiled = simulation.compile(next(iter(grid)).params)
            speed, fills = measure(simulation, grid, arguments.sets)
            print(
                f"  {label:26}  {speed:14,.0f} bars/s a core, {speed / reference:,.0f} x the reference; "
                f"{fills} fills; compiled or loaded in {compiled:.2f} s"
            )
        part = f'data.end="{np.datetime64(1_600_000_000_000 + 60_000 * VERIFY_BARS, "ms")}Z"'
        agreed = verify(prepared(part), {"symbol": "X/USD", "fast_ma": 10, "slow_ma": 30})
        print(f"  the event engine makes the same {agreed.fills} fills of the first {VERIFY_BARS:,} bars")


if __name__ == "__main__":
    main()
