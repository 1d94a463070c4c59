"""The benchmarks: `make bench`. Ratios are of measurements in one run; absolute figures depend on the machine.

Work: SMA 10/30, long or flat, quantity 1, fee 0.1 %, next-open fills, over a seeded bootstrap of real one-minute
returns; the full path, with a limit, exact accounting and every order, fill and ledger entry observed.

Reference: the hand-written loop of small Python classes, floats, nothing recorded.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tradingd.app import build, load_market_data, make_strategies, register_all
from tradingd.config import load_settings
from tradingd.domain.events import EventType
from tradingd.runtime.container import Container
from tradingd.testing import EventLog

REPEATS = 5
SEED = 7
CONFIG = """
[data]
[[data.files]]
symbol = "X/USD"
path = "bars.csv"
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


def write_bars(path: Path, count: int) -> list[tuple[float, float, float, float]]:
    """A seeded bootstrap of the shipped hourly EUR/USD returns as a file of one-minute bars; its (o, h, l, c)."""
    import pyarrow.parquet as pq

    sample = Path(sys.modules["tradingd"].__file__ or "").parent / "sample_data" / "fx_hourly"
    closes = pq.read_table(sample / "EURUSD_2017.parquet", columns=["close"])["close"].to_pylist()
    returns = [after / before for before, after in itertools.pairwise(closes)]
    chance = random.Random(SEED)  # noqa: S311 - a benchmark's data
    bars, price = [], 1_000.0
    with path.open("w") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for i in range(count):
            opened, price = price, round(min(max(price * chance.choice(returns), 100.0), 10_000.0), 2)
            low, high = min(opened, price), max(opened, price)
            bars.append((opened, high, low, price))
            file.write(f"{1_600_000_000_000 + 60_000 * i},{opened},{high},{low},{price},1\n")
    return bars


class Average:
    """A running mean."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.window: list[float] = []
        self.total = 0.0

    def update(self, price: float) -> float:
        """Take a price."""
        self.window.append(price)
        self.total += price
        if len(self.window) > self.period:
            self.total -= self.window.pop(0)
        return self.total / self.period


class LoopStrategy:
    """What one writes in an hour."""

    def __init__(self) -> None:
        self.fast, self.slow, self.bars = Average(10), Average(30), 0

    def on_bar(self, close: float) -> bool | None:
        """Whether to be long; None for no opinion."""
        fast, slow = self.fast.update(close), self.slow.update(close)
        self.bars += 1
        return None if self.bars < 30 or fast == slow else fast > slow


class LoopBroker:
    """Fills at the next open."""

    def __init__(self) -> None:
        self.cash, self.position, self.wanted, self.fills = 10_000_000.0, 0, False, 0

    def on_open(self, price: float) -> None:
        """Fill what is wanted."""
        if self.wanted != bool(self.position):
            side = 1 if self.wanted else -1
            self.cash -= side * price + price * 0.001
            self.position += side
            self.fills += 1


def class_loop(bars: list[tuple[float, float, float, float]]) -> int:
    """The reference; returns its fills."""
    strategy, broker, peak = LoopStrategy(), LoopBroker(), 0.0
    for opened, _high, _low, close in bars:
        broker.on_open(opened)
        peak = max(peak, broker.cash + broker.position * close)
        wanted = strategy.on_bar(close)
        if wanted is not None:
            broker.wanted = wanted
    return broker.fills


def prepare(folder: Path, mode: str) -> tuple[Container, list[object], EventLog]:
    """A loaded run whose events are recorded, and its bars, already read."""
    container = build(load_settings([folder / "c.toml"], overrides=[f"run.mode={mode}"], environ={}))
    strategies = make_strategies(container)
    load_market_data(container, strategies)
    register_all(container, strategies)
    log = EventLog()
    recorded = (EventType.SIGNAL, EventType.ORDER_UPDATE, EventType.FILL, EventType.LEDGER)
    container.get("event_manager").observe(log.observe, recorded)
    return container, list(container.get("data_handler").stream()), log


def event_engine(folder: Path) -> Callable[[], int]:
    """One backtest, timed without reading the file, as the reference is; it returns its fills."""
    container, bars, log = prepare(folder, "backtest")
    publish = container.get("event_manager").publish

    def run() -> int:
        for bar in bars:
            publish(bar)
        return sum(event.type is EventType.FILL for event in log.events)

    return run


def daemon(folder: Path) -> Callable[[], int]:
    """The same bars through the asynchronous driver."""
    container, bars, log = prepare(folder, "paper")
    manager = container.get("event_manager")

    async def feed() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(task()) for task in manager.tasks().values()]
            await manager.start()
            for bar in bars:
                await manager.publish(bar)
            await manager.finish()
            for task in tasks:
                task.cancel()

    def run() -> int:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(feed())
        return sum(event.type is EventType.FILL for event in log.events)

    return run


def measure(make: Callable[[], Callable[[], int]], count: int) -> tuple[float, int]:
    """Bars a second (median of several runs) and the fills of a run."""
    seconds, fills = [], 0
    for _ in range(REPEATS):
        run = make()
        began = time.perf_counter()
        fills = run()
        seconds.append(time.perf_counter() - began)
    return count / statistics.median(seconds), fills


def start_up(*arguments: str) -> float:
    """Seconds from process start to exit of a command, the median of several."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603 - our own command
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=100_000)
    count = parser.parse_args().bars
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bars = write_bars(folder / "bars.csv", count)
        (folder / "c.toml").write_text(CONFIG)
        reference, expected = measure(lambda: lambda: class_loop(bars), count)
        print(f"{count:,} bars, median of {REPEATS}")
        print(f"  class loop (reference)  {reference:10,.0f} bars/s  {expected} fills")
        for label, make in (("event engine, recording", event_engine), ("daemon, uvloop", daemon)):
            speed, fills = measure(lambda make=make: make(folder), count)  # type: ignore[misc]
            ratio = speed / reference
            print(f"  {label:22}  {speed:10,.0f} bars/s  {fills} fills  {ratio:.2f} of the reference")
    bare = start_up("-c", "pass")
    for label, arguments in (
        ("import tradingd", ("-c", "import tradingd")),
        ("tradingd --help", ("-m", "tradingd", "--help")),
        ("import tradingd.config", ("-c", "import tradingd.config")),
    ):
        print(f"  {label:22}  {start_up(*arguments):10.3f} s, of which Python itself {bare:.3f} s")


if __name__ == "__main__":
    main()
