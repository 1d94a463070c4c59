"""The live path in paper mode: ticks through the asynchronous driver on uvloop, held against a bare pipeline.

`tick to order` is the time from the moment a feed publishes a tick to the moment the broker is handed the order
that a strategy asks for because of it, through market-data task, strategy, risk (limits on) and execution.

- closed loop: the next tick comes when all is quiet; what one tick costs.
- open loop: ticks come at a fixed rate, whether or not the last one is done; what waiting adds.
- throughput: ticks as fast as the bounded queue takes them, no orders; with orders from one tick in a hundred.
- fan-out: 50 strategies on 50 symbols at 2,000 ticks/s; how late the loop is for a timer meanwhile.

The bare pipeline is five asyncio tasks joined by five queues that do nothing but pass the tick on.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tradingd.app import build, make_strategies, register_all
from tradingd.broker.simulated import SimulatedBroker
from tradingd.config import load_settings
from tradingd.domain.enums import TimeInForce
from tradingd.domain.events import Quote, SubmitOrder
from tradingd.runtime.async_manager import AsyncEventManager
from tradingd.strategy.base import Strategy, StrategyParams

SEED = 7
_US = 1_000.0
_NS = 1_000_000_000

CONFIG = """
[run]
mode = "paper"
{strategies}
{instruments}
[portfolio]
initial_cash = 100000000
[risk.limits]
max_order_quantity = 10
max_order_notional = 1000000
max_position_notional = 1000000
max_gross_exposure_percent = 100
price_collar_percent = 10
daily_loss_percent = 50
max_drawdown_percent = 50
"""


class Eager(Strategy):
    """Asks for a limit order that cannot fill at every `every`th tick; it expires at the next tick."""

    class Params(StrategyParams):
        """Which symbol, and how often."""

        symbol: str
        every: int = 1

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._ticks = 0

    def on_quote(self, quote: Quote) -> None:
        """Ask for an order at every so many ticks."""
        self._ticks += 1
        if self.params.every and self._ticks % self.params.every == 0:
            self.buy(quote.symbol, 1, limit=quote.bid - 1, time_in_force=TimeInForce.IOC)


class Run:
    """A wired daemon without its feed, that notes when orders reach the broker."""

    def __init__(self, folder: Path, symbols: list[str], every: int = 1) -> None:
        path = folder / "live.toml"
        strategies = "\n".join(
            f'[[strategies]]\nname = "benchmarks.live:Eager"\nid = "s{i}"\n'
            f'params = {{ symbol = "{symbol}", every = {every} }}'
            for i, symbol in enumerate(symbols)
        )
        instruments = "\n".join(f'[[instruments]]\nsymbol = "{s}"\ntick = "0.01"\nlot = 1' for s in symbols)
        path.write_text(CONFIG.format(strategies=strategies, instruments=instruments))
        container = build(load_settings([path], environ={}))
        self.manager: AsyncEventManager = container.get("event_manager")
        broker: SimulatedBroker = container.get("broker")
        self.reached: list[int] = []
        self._place = broker.place_order
        broker.place_order = self._note  # type: ignore[method-assign]
        register_all(container, make_strategies(container))

    def _note(self, order: SubmitOrder) -> None:
        self.reached.append(time.perf_counter_ns())
        self._place(order)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(task()) for task in self.manager.tasks().values()]
        await self.manager.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def ticks(symbols: list[str], count: int) -> list[Quote]:
    """A seeded random walk of quotes, the symbols in turn."""
    chance = random.Random(SEED)  # noqa: S311 - a benchmark's data
    prices = dict.fromkeys(symbols, 1_000.0)
    made = []
    for number in range(count):
        symbol = symbols[number % len(symbols)]
        prices[symbol] = price = max(100.0, round(prices[symbol] + chance.choice((-0.01, 0.0, 0.01)), 2))
        made.append(Quote(1_700_000_000 * _NS + number * 1_000_000, symbol, price, price + 0.01, 5.0, 5.0))
    return made


class Pipeline:
    """Five tasks that pass a tick on."""

    def __init__(self) -> None:
        self.queues: list[asyncio.Queue[Quote]] = [asyncio.Queue(10_000) for _ in range(5)]
        self.reached: list[int] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._stage(i)) for i in range(5)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stage(self, index: int) -> None:
        source = self.queues[index]
        while True:
            tick = await source.get()
            if index + 1 < len(self.queues):
                self.queues[index + 1].put_nowait(tick)
            else:
                self.reached.append(time.perf_counter_ns())

    async def publish(self, tick: Quote) -> None:
        """Take a tick."""
        await self.queues[0].put(tick)


async def closed_loop(
    publish: Callable[[Quote], Awaitable[None]], reached: list[int], made: list[Quote], every: int = 1
) -> list[float]:
    """Latencies in microseconds of those ticks that lead to an order, one tick at a time."""
    latencies = []
    for number, tick in enumerate(made, 1):
        began, seen = time.perf_counter_ns(), len(reached)
        await publish(tick)
        if number % every == 0:
            while len(reached) == seen:
                await asyncio.sleep(0)
            latencies.append((reached[-1] - began) / _US)
        for _ in range(12):  # the answers to the order go round before the next tick
            await asyncio.sleep(0)
    return latencies


async def open_loop(
    publish: Callable[[Quote], Awaitable[None]], reached: list[int], made: list[Quote], rate: float, every: int = 1
) -> list[float]:
    """Latencies in microseconds from when a tick was due, at `rate` ticks a second."""
    due = []
    began = time.perf_counter_ns()
    for number, tick in enumerate(made, 1):
        at = began + int(number * _NS / rate)
        while (ahead := at - time.perf_counter_ns()) > 0:
            await asyncio.sleep(ahead / _NS if ahead > 100_000 else 0)
        if number % every == 0:
            due.append(at)
        await publish(tick)
    while len(reached) < len(due):
        await asyncio.sleep(0.001)
    return [(there - at) / _US for at, there in zip(due, reached, strict=False)]


async def throughput(folder: Path, made: list[Quote], every: int) -> float:
    """Ticks a second, as fast as they are taken."""
    async with Run(folder, ["X"], every) as run:
        began = time.perf_counter()
        for tick in made:
            await run.manager.publish(tick)
        await run.manager.finish()
        return len(made) / (time.perf_counter() - began)


async def fan_out(folder: Path, seconds: float) -> list[float]:
    """How late a timer of 1 ms fires (in ms) while 50 strategies take 2,000 ticks/s and order at one in ten."""
    symbols = [f"S{i}" for i in range(50)]
    made = ticks(symbols, int(2_000 * seconds))
    late: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - before - 0.001) * 1_000)

    async with Run(folder, symbols, every=10) as run:
        watching = asyncio.ensure_future(watch())
        began = time.perf_counter_ns()
        for number, tick in enumerate(made):
            ahead = began + int(number * _NS / 2_000) - time.perf_counter_ns()
            if ahead > 200_000:
                await asyncio.sleep(ahead / _NS)
            await run.manager.publish(tick)
        watching.cancel()
    return late


Figures = dict[str, dict[str, float]]


def quantiles(values: list[float]) -> dict[str, float]:
    """The usual ones."""
    cuts = statistics.quantiles(values, n=1_000)
    return {"p50": cuts[499], "p99": cuts[989], "p99.9": cuts[998]}


async def measure(count: int) -> Figures:
    """All of it, over `count` ticks; the names end with the unit."""
    figures: Figures = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        made = ticks(["X"], count)
        warm, rest = made[: count // 10], made[count // 10 :]
        async with Pipeline() as bare:
            await closed_loop(bare.publish, bare.reached, warm)
            latencies = await closed_loop(bare.publish, bare.reached, rest)
        figures["bare pipeline, closed loop, us"] = quantiles(latencies)
        async with Run(folder, ["X"], every=2) as run:
            await closed_loop(run.manager.publish, run.reached, warm, 2)
            latencies = await closed_loop(run.manager.publish, run.reached, rest, 2)
        figures["tick to order, closed loop, us"] = quantiles(latencies)
        paced = ticks(["X"], min(count, 5_000))
        async with Pipeline() as bare:
            latencies = await open_loop(bare.publish, bare.reached, paced, 1_000)
        figures["bare pipeline, 1,000 ticks/s, us"] = quantiles(latencies)
        async with Run(folder, ["X"], every=2) as run:
            latencies = await open_loop(run.manager.publish, run.reached, paced, 1_000, 2)
        figures["tick to order, 1,000 ticks/s, us"] = quantiles(latencies)
        many = ticks(["X"], count * 10)
        for every, label in ((0, "no orders"), (100, "an order at 1 in 100")):
            figures[f"throughput, {label}"] = {"ticks/s": await throughput(folder, many, every)}
        figures["loop lag, 50 x 50 at 2,000 ticks/s, ms"] = quantiles(await fan_out(folder, 3.0))
    figures["peak RSS"] = {"MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    return figures


def main() -> None:
    """Measure, print, and write down what `--json` asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=int, default=20_000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    wanted: Any = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measure(wanted.ticks))
    for name, values in figures.items():
        print(f"  {name:40}" + "".join(f" {each} {value:10,.1f}" for each, value in values.items()))
    if wanted.json is not None:
        wanted.json.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
