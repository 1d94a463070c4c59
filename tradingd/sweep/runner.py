"""A sweep: the data read once, every parameter set simulated on it, on as many threads as asked for."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice
from math import nan, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import numpy as np

from tradingd.analytics.summary import percent
from tradingd.app import build, load_market_data, make_strategies
from tradingd.broker.models import fixed_bps_slippage
from tradingd.config import Settings
from tradingd.data.handler import DataHandler
from tradingd.data.series import SeriesKind
from tradingd.domain.enums import HaltState, Side
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import add, from_market, sub
from tradingd.errors import UsageError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.sweep import BarColumns
from tradingd.sweep.columns import PriceColumns, price_columns, read_columns
from tradingd.sweep.grid import ParameterSet, Value
from tradingd.sweep.kernel import run
from tradingd.sweep.records import DONE, STATE, UNDECIDED, State
from tradingd.sweep.rules import Scales, make_rules, most_digits, refuse_unmodelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Figures", "Simulation", "SweepFill", "offered_signals", "prepare"]

_YEAR_NS = 365.25 * 86_400e9
_AHEAD = 4
"""How many parameter sets a thread has waiting, so that a great grid is not held in memory."""

_FEW = 2
_COLUMNS = ("buys", "sells", "closes", "inexact")

Signals = Callable[[BarColumns, Any], "NDArray[np.int8]"]


class SweepFill(NamedTuple):
    """A fill, as the event engine would tell it."""

    ts: int
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal


class Figures(msgspec.Struct, kw_only=True, frozen=True):
    """What one parameter set came to."""

    params: dict[str, Value]
    status: str
    """"ok", or why there are no figures: "undecided", "overflow"."""
    equity: Decimal
    return_percent: Decimal
    max_drawdown_percent: float
    sharpe: float
    """Mean / deviation of the returns from bar to bar, a year's worth; NaN without any."""
    fills: int
    fees: Decimal
    refused: int
    """How often the strategy asked in vain: denied by risk, rejected or canceled by the broker."""
    halt: str
    """The halt that stood at the end; empty for none."""


class Simulation:
    """One strategy class on one symbol's bars under one configuration; `run` it with any parameters.

    Threads may share it.
    """

    def __init__(
        self,
        settings: Settings,
        strategy: type[Strategy],
        instrument: Instrument,
        bars: BarColumns,
        prices: PriceColumns,
        interval_ns: int,
    ) -> None:
        self.settings = settings
        self.strategy = strategy
        self.bars = bars
        self._signals = offered_signals(strategy)
        self._instrument = instrument
        self._prices = prices
        self._scales = Scales(settings, instrument, prices.digits)
        self._rules = make_rules(settings, instrument, self._scales, prices).packed()
        self._no_fills = np.empty((0, 3), np.int64)
        self._yearly = sqrt(_YEAR_NS / _spacing(bars, interval_ns))

    @property
    def symbol(self) -> str:
        """What is traded."""
        return self._instrument.symbol

    @property
    def currency(self) -> str:
        """What money is counted in."""
        return self.settings.portfolio.currency

    def compile(self, params: StrategyParams) -> float:
        """Make the machine code, if that has not been done; returns the seconds it took."""
        began = time.perf_counter()
        few = _first_bars(self.bars)
        prices = self._prices._replace(**{name: getattr(self._prices, name)[:_FEW] for name in _COLUMNS})
        self._run(few, prices, self._signals(few, params), self._no_fills)
        return time.perf_counter() - began

    def figures(self, point: ParameterSet) -> Figures:
        """Simulate one parameter set."""
        outcome = self._simulate(point.params, self._no_fills)
        if outcome.status != DONE:
            return _no_figures(point, "undecided" if outcome.status == UNDECIDED else "overflow")
        equity = self.equity(outcome)
        cash = self.settings.portfolio.initial_cash
        return Figures(
            params=point.values,
            status="ok",
            equity=equity,
            return_percent=percent(sub(equity, cash), cash),
            max_drawdown_percent=float(outcome.max_drawdown) * 100,
            sharpe=self._sharpe(outcome),
            fills=int(outcome.fills),
            fees=self._scales.to_money(int(outcome.fees)),
            refused=int(outcome.refused),
            halt=HaltState(int(outcome.halt)).name if outcome.halt else "",
        )

    def all_figures(self, points: Iterable[ParameterSet], workers: int) -> Iterator[Figures]:
        """Simulate parameter sets on `workers` threads; the results come in the order of the sets."""
        if workers == 1:
            yield from map(self.figures, points)
            return
        waiting = iter(points)
        with ThreadPoolExecutor(workers) as pool:
            ahead = [pool.submit(self.figures, point) for point in islice(waiting, workers * _AHEAD)]
            while ahead:
                yield ahead.pop(0).result()
                ahead.extend(pool.submit(self.figures, point) for point in islice(waiting, 1))

    def fills(self, params: StrategyParams) -> tuple[list[SweepFill], Decimal]:
        """Every fill of one parameter set, and the equity at the end.

        Raises:
            UsageError: the kernel cannot tell.

        """
        kept = np.empty((len(self.bars.ts), 3), np.int64)
        outcome = self._simulate(params, kept)
        if outcome.status != DONE:
            raise UsageError(f"the kernel cannot tell what happens at bar {outcome.bar}; use `tradingd backtest`")
        found = [self._fill(*row) for row in kept[: outcome.fills].tolist()]
        return found, self.equity(outcome)

    def equity(self, outcome: State) -> Decimal:
        """The exact equity at the last close."""
        held = self._scales.to_quantity(int(outcome.held))
        worth = self._instrument.value(held, from_market(float(self.bars.close[-1])))
        return add(self._scales.to_money(int(outcome.cash)), worth)

    def _simulate(self, params: StrategyParams, kept: "NDArray[np.int64]") -> State:
        codes = self._signals(self.bars, params)
        if codes.dtype != np.int8 or codes.shape != self.bars.ts.shape:
            raise UsageError(
                f"{self.strategy.__name__}.signals must return one int8 a bar; it returned {codes.dtype} of shape "
                f"{codes.shape} for {len(self.bars.ts)} bars"
            )
        return self._run(self.bars, self._prices, codes, kept)

    def _run(
        self, bars: BarColumns, prices: PriceColumns, codes: "NDArray[np.int8]", kept: "NDArray[np.int64]"
    ) -> State:
        state = cast("State", np.zeros(1, STATE).view(np.recarray)[0])
        columns = (prices.buys, prices.sells, prices.closes, prices.inexact)
        run(self._rules, state, bars.ts, *columns, codes, kept)
        return state

    def _fill(self, bar: int, signed: int, price: int) -> SweepFill:
        scales = self._scales
        return SweepFill(
            int(self.bars.ts_open[bar]),
            Side.BUY if signed > 0 else Side.SELL,
            scales.to_quantity(abs(signed)),
            scales.to_price(price),
            scales.to_money(abs(signed) * price * int(self._rules.fee_scale)),
        )

    def _sharpe(self, outcome: State) -> float:
        count = len(self.bars.ts)
        mean = float(outcome.return_sum) / count
        variance = float(outcome.return_squares) / count - mean * mean
        return mean / sqrt(variance) * self._yearly if variance > 0 else nan


def _first_bars(bars: BarColumns) -> BarColumns:
    """A few bars, for code that is run only in order to be compiled."""
    columns = {name: getattr(bars, name)[:_FEW] for name in BarColumns.__slots__ if not name.startswith("close_")}
    return BarColumns(**columns, close_sums=bars.close_sums[: _FEW + 1], close_unit=bars.close_unit)


def _spacing(bars: BarColumns, interval_ns: int) -> float:
    """The mean time from bar to bar, nanoseconds."""
    count = len(bars.ts)
    return float(bars.ts[-1] - bars.ts[0]) / (count - 1) if count > 1 else float(interval_ns)


def _no_figures(point: ParameterSet, status: str) -> Figures:
    nothing = Decimal(0)
    return Figures(
        params=point.values, status=status, equity=nothing, return_percent=nothing, max_drawdown_percent=nan,
        sharpe=nan, fills=0, fees=nothing, refused=0, halt="",
    )  # fmt: skip


def offered_signals(strategy: type[Strategy]) -> Signals:
    """The static method by which a strategy offers itself to a sweep.

    Raises:
        UsageError: it has none, or a subclass has changed what it does at a bar but not this.

    """
    for cls in strategy.__mro__:
        if "signals" in vars(cls):
            signals: Signals = cls.signals  # type: ignore[attr-defined]
            return signals
        changed = [name for name in vars(cls) if name in _BEHAVIOUR]
        if changed and cls is not Strategy and hasattr(strategy, "signals"):
            raise UsageError(
                f"{cls.__name__} changes {', '.join(sorted(changed))} but not `signals`, which would sweep "
                "another strategy; give it a `signals` of its own (docs/sweep.md)"
            )
    raise UsageError(
        f"{strategy.__name__} offers no sweep: it has no static method `signals` (docs/sweep.md tells how to "
        "write one); use `tradingd backtest`"
    )


_BEHAVIOUR = frozenset(
    {
        *("__init__", "on_start", "on_bar", "on_quote", "on_trade", "on_book", "on_fill", "on_order", "on_timer"),
        *("warmup_bars", "symbols"),
    }
)


def prepare(settings: Settings) -> Simulation:
    """Check that the configured strategy can be swept, read its bars and turn the configuration into rules.

    Raises:
        ConfigError: the configuration is wrong.
        DataError: the data are.
        UsageError: they are right, but not for a sweep.

    """
    container = build(settings)
    strategies = make_strategies(container)
    strategy, symbol = _the_one(settings, strategies)
    instrument: Instrument = container.get("instruments")[symbol]
    offered_signals(type(strategy))
    report = load_market_data(container, strategies)
    if len(report.series) != 1 or report.series[0].spec.kind is not SeriesKind.BARS:
        raise UsageError(f"a sweep runs on one series of bars; {symbol} has other market data, too")
    interval = report.series[0].spec.interval_ns
    refuse_unmodelled(settings, instrument, interval)
    digits = most_digits(settings, instrument)
    handler: DataHandler = container.get("data_handler")
    bars = read_columns(handler.stream(), report.total_events)
    bps = settings.broker.slippage_bps
    prices = price_columns(bars, instrument, fixed_bps_slippage(bps), bps, digits)
    return Simulation(settings, type(strategy), instrument, bars, prices, interval)


def _the_one(settings: Settings, strategies: Sequence[Strategy]) -> tuple[Strategy, str]:
    """The one strategy and its one symbol."""
    if len(strategies) != 1:
        raise UsageError(
            f"a sweep runs one strategy, {len(strategies)} are configured: "
            f"{', '.join(each.strategy_id for each in strategies)}; set enabled = false in the others"
        )
    strategy = strategies[0]
    symbols = list(dict.fromkeys((*strategy.symbols, *settings.data.symbols)))
    if len(symbols) != 1:
        raise UsageError(f"a sweep runs on one symbol, these are {', '.join(symbols)}; use `tradingd backtest`")
    return strategy, symbols[0]
