"""Live trading through the unmodified ccxt client, against the loopback exchange in a process of its own.

- tick to wire: from a trade that the exchange prints to the arrival, there, of the order that a strategy asked for
  because of it. Both are read from the machine's one monotonic clock, in the exchange's process: the way there and
  back, ccxt's parsing, every component with limits on, signing and the POST are in it.
- cancel: from the moment a strategy asks for a cancel to that at which the exchange has received it, while 300
  market calls are made: where the budget lets all of them go, and where they wait in line. It fails where a p99 is
  not below 100 ms.
- flood: how many trades a second one core takes, from the socket to the strategy, as fast as they can come.
- soak: memory at a steady rate of messages; the slope is a line fitted through the second half.

`python benchmarks/venue.py --soak-minutes 30` writes the figures of docs/performance.md.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from tradingd.commands.run import run_connected
from tradingd.config import load_settings
from tradingd.domain.enums import OrderStatus, RunState, TimeInForce
from tradingd.domain.events import Trade
from tradingd.runtime.daemon import DaemonSession
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.testing.exchange.limits import LimitPlan
from tradingd.testing.exchange.model import Side
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.venues.model import Lane
from tradingd.wiring.live import ConnectedMarket, connect

KEY, SECRET = "benchmark-key-0001", "benchmark-secret-0001"
SYMBOL, MARKET = "BTC/USDT", "BTCUSDT"
_TICK = Decimal("0.01")
_FIRST = Decimal(50_000)
_BELOW = Decimal(1_000)
_IN_LINE = 300
_CANCEL_P99_MS = 100.0
_MIB = 1024 * 1024
_PAGE = 4096

CONFIG = """
[run]
mode = "live"
accounts = ["main"]
[accounts.main]
exchange = "binance"
environment = "loopback"
symbols = ["BTC/USDT"]
[[strategies]]
name = "benchmarks.venue:{strategy}"
params = {{ symbol = "BTC/USDT", every = {every} }}
[portfolio]
currency = "USDT"
[risk.limits]
max_order_notional = 50000
max_position_notional = 60000
max_gross_exposure_percent = 100
price_collar_percent = 10
stale_after_s = 30
max_orders_per_minute = 6000
daily_loss_percent = 5
max_drawdown_percent = 25
[runtime]
queue_capacity = 100000
"""


class Echo(Strategy):
    """Answers every `every`th trade with an order at a price that tells which one it was; it never fills."""

    class Params(StrategyParams):
        """Which symbol, and how often; 0 for never."""

        symbol: str
        every: int = 1

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.seen = 0

    def on_trade(self, trade: Trade) -> None:
        """Count; perhaps answer."""
        self.seen += 1
        if self.params.every and self.seen % self.params.every == 0:
            self.buy(
                trade.symbol, Decimal("0.001"), limit=trade.price - float(_BELOW), time_in_force=TimeInForce.IOC
            )


class Withdraw(Echo):
    """Rests an order with each trade and cancels the one before; `asked` has when, by the machine's clock."""

    def __init__(self, params: Echo.Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.asked: list[float] = []

    def on_trade(self, trade: Trade) -> None:
        """Cancel, then order anew."""
        self.seen += 1
        for intent_id, order in self.context.orders.items():
            if order.status is OrderStatus.OPEN:
                self.asked.append(time.monotonic())
                self.cancel(intent_id)
        self.buy(trade.symbol, Decimal("0.001"), limit=trade.price - float(_BELOW))


# --- the exchange's process ----------------------------------------------------------------------------------


def serve(pipe: Connection) -> None:
    """Serve until told to stop. Commands: (how many trades, how many a second; 0 as fast as possible)."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    limits = LimitPlan(weight=10**9, orders_10s=10**9, orders_day=10**9)
    async with LoopbackExchange(limits=limits) as exchange:
        exchange.add_account(KEY, SECRET, {"USDT": Decimal(1_000_000)})
        exchange.engine.house_print(MARKET, Side.BUY, _FIRST, Decimal("0.01"))
        pipe.send(exchange.rest_url)
        loop = asyncio.get_running_loop()
        while True:
            command = await loop.run_in_executor(None, pipe.recv)
            if command is None:
                return
            exchange.wire.clear()
            printed = await _print(exchange, *command)
            await asyncio.sleep(1.0)
            got = {Decimal(call.params["price"]): call.at for call in exchange.wire if call.places_order}
            answered = [at - printed[price + _BELOW] for price, at in got.items() if price + _BELOW in printed]
            canceled = [call.at for call in exchange.wire if call.method == "DELETE"]
            pipe.send((answered, canceled))


async def _print(exchange: LoopbackExchange, count: int, rate: float) -> dict[Decimal, float]:
    """Print trades, each at a price of its own; returns when each was printed."""
    printed: dict[Decimal, float] = {}
    began = time.monotonic()
    for number in range(count):
        price = _FIRST + number % 100_000 * _TICK
        if rate:
            ahead = number / rate - (time.monotonic() - began)
            if ahead > 0:
                await asyncio.sleep(ahead)
        elif number % 500 == 0:
            await asyncio.sleep(0)
        printed[price] = time.monotonic()
        exchange.engine.house_print(MARKET, Side.BUY, price, Decimal("0.01"))
    return printed


# --- the daemon's process ------------------------------------------------------------------------------------


class Live:
    """A running daemon against an exchange in a process of its own."""

    market: ConnectedMarket

    def __init__(self, every: int, strategy: type[Echo] = Echo) -> None:
        self._every = every
        self._kind = strategy
        context = multiprocessing.get_context("spawn")
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=serve, args=(far,), daemon=True)

    async def run(self, body: Callable[["Live"], Any]) -> Any:  # noqa: ANN401 - what the body found
        """Start everything, run `body`, stop everything."""
        self.process.start()
        url = await self.ask(None)
        keys = {"main": {"api_key": KEY, "secret": SECRET}}
        with TemporaryDirectory() as folder:
            path = Path(folder) / "venue.toml"
            path.write_text(CONFIG.format(every=self._every, strategy=self._kind.__name__))
            forced = {"accounts": {"main": {"loopback_url": url}}, "credentials": keys}
            settings = load_settings([path], environ={}, forced=forced)
        market = self.market = await connect(settings)
        running = asyncio.create_task(run_connected(settings, market, self._start))
        try:
            while not hasattr(self, "session") or self.session.state is not RunState.TRADING:
                if running.done():
                    running.result()
                await asyncio.sleep(0.05)
            return await body(self)
        finally:
            self.session.supervisor.request_stop("measured")
            await running
            await market.close()
            self.pipe.send(None)
            self.process.join()

    def _start(self, *parts: Any, **options: Any) -> DaemonSession:  # noqa: ANN401 - those of DaemonSession
        log = structlog.testing.CapturingLogger()
        self.session = DaemonSession(*parts, name="b", run_id="b", log=log, **options)
        return self.session

    @property
    def strategy(self) -> Any:  # noqa: ANN401 - `Echo`, or what was given instead
        """The strategy that is measured."""
        return self.session.strategies[0]

    async def ask(self, command: tuple[int, float] | None) -> Any:  # noqa: ANN401 - the answer
        """Give the exchange a command and wait for its answer."""
        if command is not None:
            self.pipe.send(command)
        return await asyncio.get_running_loop().run_in_executor(None, self.pipe.recv)


async def tick_to_wire(live: Live) -> dict[str, float]:
    """Latency at 20 trades a second, each answered."""
    await live.ask((50, 20.0))  # warm
    answered, _ = await live.ask((400, 20.0))
    return {"orders": len(answered), **_percentiles(answered)}


def _percentiles(found: Sequence[float]) -> dict[str, float]:
    """Of seconds, in milliseconds."""
    ordered = sorted(found)
    return {"p50_ms": statistics.median(ordered) * 1e3, "p99_ms": ordered[int(len(ordered) * 0.99) - 1] * 1e3}


async def cancel_to_wire(live: Live) -> dict[str, Any]:
    """Latency of cancels while 300 market calls are made: those that may go at once, and those that wait."""
    await live.ask((20, 10.0))  # warm
    found: dict[str, Any] = {}
    for name, rounds, is_short in (("going", 5, False), ("waiting", 1, True)):
        canceled = await _cancels(live, rounds, is_short=is_short)
        found[name] = {"cancels": len(canceled), **_percentiles(canceled)}
    assert all(each["p99_ms"] < _CANCEL_P99_MS for each in found.values()), found
    return found


async def _cancels(live: Live, rounds: int, *, is_short: bool) -> list[float]:
    """How long each of some 200 cancels took; 300 market calls are asked for at the beginning of each round."""
    client = live.market.publics[0].client
    allowance = client.budget.allowance
    calls: list[asyncio.Task[Any]] = []
    taken: list[float] = []
    for _ in range(rounds):
        asked = len(live.strategy.asked)
        if is_short:
            now = time.monotonic()
            allowance.spend(allowance.capacity * 0.65 - allowance.used(now), now)
        calls += [
            asyncio.create_task(client.call("fetch_ticker", SYMBOL, lane=Lane.MARKET)) for _ in range(_IN_LINE)
        ]
        _, arrived = await live.ask((200 // rounds, 10.0))
        times = live.strategy.asked[asked:]
        assert len(times) == len(arrived), (len(times), len(arrived))
        taken += [there - here for here, there in zip(times, arrived, strict=True)]
        assert sum(call.done() for call in calls) == (0 if is_short else len(calls))
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return taken


async def flood(live: Live, count: int = 100_000) -> dict[str, float]:
    """How many trades a second of our own CPU, and of wall time, go from the socket to the strategy."""
    first = live.strategy.seen
    began, cpu = time.perf_counter(), time.process_time()
    answer = asyncio.create_task(live.ask((count, 0.0)))
    while live.strategy.seen - first < count:
        await asyncio.sleep(0.02)
        if answer.done() and time.perf_counter() - began > 120:
            break
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    await answer
    seen = live.strategy.seen - first
    return {"sent": count, "seen": seen, "per_second": seen / wall, "per_cpu_second": seen / spent}


async def soak(live: Live, minutes: float, rate: float = 2_000.0) -> dict[str, Any]:
    """Resident memory over time at a steady rate."""
    first = live.strategy.seen
    samples: list[tuple[float, float]] = []
    began, cpu = time.monotonic(), time.process_time()
    answer = asyncio.create_task(live.ask((int(minutes * 60 * rate), rate)))
    while not answer.done():
        samples.append((time.monotonic() - began, _rss()))
        await asyncio.sleep(5.0)
    late = samples[len(samples) // 2 :]
    slope = statistics.linear_regression(*zip(*late, strict=True)).slope if len(late) > 1 else 0.0
    return {
        "minutes": minutes,
        "rate": rate,
        "seen": live.strategy.seen - first,
        "cpu": (time.process_time() - cpu) / (time.monotonic() - began),
        "rss_mib": [round(value / _MIB, 1) for _, value in samples[:: max(1, len(samples) // 12)]],
        "slope_mib_per_hour": slope * 3600 / _MIB,
    }


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def measure(every: int, body: Callable[[Live], Any], strategy: type[Echo] = Echo) -> Any:  # noqa: ANN401
    """Run one measurement on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Live(every, strategy).run(body))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="wire,cancel,flood,soak")
    parser.add_argument("--soak-minutes", type=float, default=1.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    wanted: Any = parser.parse_args()
    found: dict[str, Any] = {}
    jobs: dict[str, tuple[Any, ...]] = {
        "wire": (1, tick_to_wire),
        "cancel": (1, cancel_to_wire, Withdraw),
        "flood": (0, flood),
        "soak": (0, lambda live: soak(live, wanted.soak_minutes)),
    }
    for name in wanted.only.split(","):
        found[name] = measure(*jobs[name])
        print(name, json.dumps(found[name]))
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
