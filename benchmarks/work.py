"""The work that is measured: its data, its configuration, and the loop it is compared with.

Work: SMA 10/30, long or flat, quantity 1, fee 0.1 %, next-open fills, over a seeded bootstrap of real returns as
one-minute bars in Parquet; about 4 % of the bars have a fill.
"""

import itertools
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEED = 7
MINUTE_MS = 60_000
FIRST_MS = 1_600_000_000_000
CASH = 100_000_000.0

CONFIG = """
[run]
mode = "backtest"
[data]
{files}
{instruments}
{strategies}
[portfolio]
initial_cash = 100000000
[broker]
taker_fee_percent = 0.1
[risk.sizer]
kind = "fixed_quantity"
quantity = 1
[risk.limits]
max_order_quantity = 10
max_order_notional = 1000000
max_position_notional = 1000000
max_gross_exposure_percent = 100
price_collar_percent = 10
max_open_orders = 1000
daily_loss_percent = 50
max_drawdown_percent = 50
"""


def crossover(symbol: str, name: str) -> str:
    """The strategy that is measured."""
    params = f'{{ symbol = "{symbol}", fast_ma = 10, slow_ma = 30 }}'
    return f'[[strategies]]\nname = "ma_crossover"\nid = "{name}"\nparams = {params}'


def trader(symbol: str, every: int) -> str:
    """A strategy that trades at every so many bars, never for 0."""
    return f'[[strategies]]\nname = "benchmarks.every:Every"\nparams = {{ symbol = "{symbol}", every = {every} }}'


def write_config(path: Path, symbols: list[str], strategies: list[str] | None = None) -> Path:
    """The configuration of a run over `symbols`, each with a file `<symbol>.parquet` beside it.

    `strategies` are `[[strategies]]` tables; a crossover of each symbol unless given.
    """
    if strategies is None:
        strategies = [crossover(symbol, f"s{i}") for i, symbol in enumerate(symbols)]
    files = "\n".join(f'[[data.files]]\nsymbol = "{s}"\npath = "{s}.parquet"\ninterval = "1m"' for s in symbols)
    instruments = "\n".join(f'[[instruments]]\nsymbol = "{s}"\ntick = "0.01"\nlot = 1' for s in symbols)
    path.write_text(CONFIG.format(files=files, instruments=instruments, strategies="\n".join(strategies)))
    return path


def returns() -> list[float]:
    """The returns of the shipped hourly EUR/USD bars of 2017, twelvefold, so that a tick is a small step."""
    import pyarrow.parquet as pq

    import tradingd

    sample = Path(tradingd.__file__).parent / "sample_data" / "fx_hourly" / "EURUSD_2017.parquet"
    closes = pq.read_table(sample, columns=["close"])["close"].to_pylist()
    return [1 + 12 * (after / before - 1) for before, after in itertools.pairwise(closes)]


def write_bars(path: Path, count: int, seed: int = SEED) -> None:
    """A seeded bootstrap of real returns as a Parquet file of one-minute bars."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance, pool = random.Random(seed), returns()  # noqa: S311 - a benchmark's data
    columns: dict[str, list[float]] = {name: [] for name in ("open", "high", "low", "close")}
    price = 1_000.0
    for step in chance.choices(pool, k=count):
        opened, price = price, round(min(max(price * step, 100.0), 10_000.0), 2)
        for name, value in zip(columns, (opened, max(opened, price), min(opened, price), price), strict=True):
            columns[name].append(value)
    times = [FIRST_MS + MINUTE_MS * i for i in range(count)]
    table = pa.table({"timestamp": pa.array(times, pa.int64()), **columns, "volume": [1.0] * count})
    pq.write_table(table, path, compression="zstd")


# --- the reference: what one writes in an afternoon; floats, nothing recorded, nothing checked ---------------


@dataclass(slots=True)
class Bar:
    """A bar."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(slots=True)
class Order:
    """A market order."""

    side: int
    quantity: float


@dataclass(slots=True)
class Fill:
    """A fill."""

    ts: int
    side: int
    quantity: float
    price: float
    fee: float


class SummedAverage:
    """A moving average, summed at each bar."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.window: deque[float] = deque(maxlen=period)

    def update(self, price: float) -> float | None:
        """Take a price."""
        self.window.append(price)
        return sum(self.window) / self.period if len(self.window) == self.period else None


class RunningAverage:
    """A moving average with a running sum (which drifts)."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.window: deque[float] = deque()
        self.total = 0.0

    def update(self, price: float) -> float | None:
        """Take a price."""
        window = self.window
        window.append(price)
        self.total += price
        if len(window) > self.period:
            self.total -= window.popleft()
        return self.total / self.period if len(window) == self.period else None


class Portfolio:
    """Cash, position, equity and its peak."""

    def __init__(self, cash: float) -> None:
        self.cash = self.equity = self.peak = cash
        self.position = self.fees = 0.0
        self.fills = 0

    def on_fill(self, fill: Fill) -> None:
        """Book a fill."""
        self.cash -= fill.side * fill.quantity * fill.price + fill.fee
        self.position += fill.side * fill.quantity
        self.fees += fill.fee
        self.fills += 1

    def on_bar(self, bar: Bar) -> None:
        """Mark to market."""
        self.equity = self.cash + self.position * bar.close
        self.peak = max(self.peak, self.equity)


class Broker:
    """Fills market orders at the next open."""

    def __init__(self, portfolio: Portfolio, fee: float) -> None:
        self.portfolio = portfolio
        self.fee = fee
        self.pending: list[Order] = []

    def submit(self, order: Order) -> None:
        """Take an order."""
        self.pending.append(order)

    def on_bar(self, bar: Bar) -> None:
        """Fill what waits."""
        for order in self.pending:
            fee = bar.open * order.quantity * self.fee
            self.portfolio.on_fill(Fill(bar.ts, order.side, order.quantity, bar.open, fee))
        self.pending.clear()


class Strategy:
    """Long while the fast average is above the slow one."""

    def __init__(
        self, broker: Broker, portfolio: Portfolio, average: type[SummedAverage | RunningAverage]
    ) -> None:
        self.broker = broker
        self.portfolio = portfolio
        self.fast = average(10)
        self.slow = average(30)

    def on_bar(self, bar: Bar) -> None:
        """Decide."""
        fast, slow = self.fast.update(bar.close), self.slow.update(bar.close)
        if fast is None or slow is None:
            return
        if fast > slow and not self.portfolio.position:
            self.broker.submit(Order(1, 1.0))
        elif fast < slow and self.portfolio.position:
            self.broker.submit(Order(-1, self.portfolio.position))


def rows(path: Path) -> Iterator[tuple[float, ...]]:
    """The file's rows, as plainly as pyarrow reads them."""
    import pyarrow.parquet as pq

    names = ["timestamp", "open", "high", "low", "close", "volume"]
    for batch in pq.ParquetFile(path).iter_batches(columns=names):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def run_loop(path: Path, average: type[SummedAverage | RunningAverage] = SummedAverage) -> tuple[int, Portfolio]:
    """The reference over a file; returns its bars and what it has come to."""
    portfolio = Portfolio(CASH)
    broker = Broker(portfolio, 0.001)
    strategy = Strategy(broker, portfolio, average)
    bars = 0
    for row in rows(path):
        bar = Bar(*row)  # type: ignore[arg-type]
        broker.on_bar(bar)
        portfolio.on_bar(bar)
        strategy.on_bar(bar)
        bars += 1
    return bars, portfolio


def class_loop(path: Path, average: type[SummedAverage | RunningAverage] = SummedAverage) -> int:
    """The reference over a file; returns its fills."""
    return run_loop(path, average)[1].fills
