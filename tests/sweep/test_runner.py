"""A sweep's runs: figures, threads, what it cannot tell, strategies of a user's own."""

import math
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.sweep.own import Cheat, EveryNth, Reckless, Silent, TooFew
from tests.sweep.parts import Row, compare, settings_for, write_rows
from tradingd.config import Settings
from tradingd.errors import ComponentError, UsageError
from tradingd.runtime.backtest import BacktestSession
from tradingd.strategy.ma_crossover import MovingAverageCrossover
from tradingd.sweep.grid import Grid, ParameterSet, parse_axes
from tradingd.sweep.runner import Simulation, offered_signals, prepare
from tradingd.sweep.verify import verify

from tests.runtime.parts import wired  # isort: skip

HOURLY = 3_600_000


def wave(count: int, height: float = 10.0, drift: float = 0.0) -> list[Row]:
    """Bars along a sine, in cents."""
    closes = [round(100 + drift * i + height * math.sin(i / 5), 2) for i in range(count)]
    return [(a, max(a, b), min(a, b), b) for a, b in pairwise(closes)]


def made(folder: Path, rows: list[Row], account: str = "", **options: str) -> Settings:
    """Settings over these hourly bars."""
    write_rows(folder / "bars.parquet", rows, interval_ms=HOURLY)
    return settings_for(folder, folder / "bars.parquet", account, interval="1h", **options)


def point(simulation: Simulation, **values: int) -> ParameterSet:
    """One parameter set of a simulation."""
    return ParameterSet(dict(values), simulation.strategy.Params.model_validate({"symbol": "X/USD", **values}))


def test_figures_are_those_of_a_backtest(tmp_path: Path) -> None:
    """Return, drawdown, fees, fills and equity are what the event engine's summary tells."""
    settings = made(tmp_path, wave(300), '[run]\nmode = "backtest"')
    simulation = prepare(settings)
    figures = simulation.figures(point(simulation, fast_ma=10, slow_ma=30))
    container, strategies, report = wired(settings)
    summary = BacktestSession(container, strategies, report, name="x", run_id="x").run()
    assert figures.fills == summary.fills > 5
    assert (figures.equity, figures.return_percent) == (summary.equity, summary.return_percent)
    assert figures.fees == summary.fees["USD"]
    assert figures.max_drawdown_percent == pytest.approx(float(summary.max_drawdown_percent), abs=1e-4)


def test_the_sharpe_ratio_is_a_year_of_the_returns_between_closes(tmp_path: Path) -> None:
    """It is mean / deviation of equity's returns from close to close, times the root of the bars in a year."""
    rows = [(100.0, 100.0, 100.0, 100.0)] * 4 + [(100.0, 102.0, 100.0, 102.0), (102.0, 102.0, 101.0, 101.0)]
    account = '[broker]\ntaker_fee_percent = 0\n[risk.sizer]\nkind = "fixed_quantity"\nquantity = 100\n'
    simulation = prepare(made(tmp_path, rows, account, strategy="tests.sweep.own:EveryNth"))
    figures = simulation.figures(point(simulation, n=4))
    returns = [0.0, 0.0, 0.0, 0.0, 200 / 100_000, 0.0]
    mean = sum(returns) / 6
    deviation = math.sqrt(sum((each - mean) ** 2 for each in returns) / 6)
    assert figures.sharpe == pytest.approx(mean / deviation * math.sqrt(365.25 * 24), rel=1e-9)


def test_nothing_traded_is_no_sharpe_and_no_change(tmp_path: Path) -> None:
    """A set that never trades keeps its cash and has no Sharpe ratio."""
    simulation = prepare(made(tmp_path, [(100.0, 100.0, 100.0, 100.0)] * 50))
    figures = simulation.figures(point(simulation, fast_ma=2, slow_ma=5))
    assert (figures.fills, figures.equity, figures.max_drawdown_percent) == (0, Decimal(100_000), 0.0)
    assert math.isnan(figures.sharpe)


def test_threads_give_the_results_of_one(tmp_path: Path) -> None:
    """However many threads, the results are the same and in the order of the grid."""
    simulation = prepare(made(tmp_path, wave(400)))
    axes = parse_axes(["fast_ma=2:12", "slow_ma=15:40:5"], ["fast_ma", "slow_ma"])
    grid = Grid(MovingAverageCrossover, {"symbol": "X/USD"}, axes)
    alone = list(simulation.all_figures(grid, 1))
    assert len({each.equity for each in alone}) > 20
    assert list(simulation.all_figures(grid, 3)) == alone


def test_digits_that_are_not_kept_are_no_guess(tmp_path: Path) -> None:
    """A quantity that hangs on digits of a close which the kernel does not have ends the set as undecided."""
    rows = [tuple(price * (1 + 1e-9 * math.pi) for price in row) for row in wave(100)]
    account = '[portfolio]\ninitial_cash = 100000\n[risk.sizer]\nkind = "percent_of_equity"\npercent = 50\n'
    simulation = prepare(made(tmp_path, rows, account, lot="0.000001"))  # type: ignore[arg-type]
    chosen = point(simulation, fast_ma=2, slow_ma=5)
    assert simulation.figures(chosen).status == "undecided"
    with pytest.raises(UsageError, match="cannot tell what happens at bar"):
        simulation.fills(chosen.params)


def test_an_account_that_outgrows_the_numbers_is_no_wrap_around(tmp_path: Path) -> None:
    """A fortune that 64 bits cannot hold ends the set as an overflow."""
    prices = [round(1.05**i, 2) for i in range(260)]
    rows = [(a, max(a, b), min(a, b), b) for a, b in pairwise(prices)]
    account = '[risk.sizer]\nkind = "percent_of_equity"\npercent = 90\n'
    settings = made(tmp_path, rows, account, lot="0.000001", strategy="tests.sweep.own:EveryNth")
    simulation = prepare(settings)
    assert simulation.figures(point(simulation, n=3)).status == "overflow"


def test_a_strategy_of_a_users_own_is_swept_and_verified(tmp_path: Path) -> None:
    """A class with `signals` in plain numpy makes the fills of its `on_bar`."""
    simulation = prepare(made(tmp_path, wave(60), strategy="tests.sweep.own:EveryNth"))
    assert len(compare(simulation, {"n": 5})) == 22
    assert verify(simulation, {"symbol": "X/USD", "n": 3}).fills > 30


def test_signals_that_are_not_what_the_strategy_does_are_found(tmp_path: Path) -> None:
    """Verification tells the first fill in which a strategy's `signals` and `on_bar` differ."""
    simulation = prepare(made(tmp_path, wave(60), strategy="tests.sweep.own:Cheat"))
    with pytest.raises(ComponentError, match="differ at fill 1"):
        verify(simulation, {"symbol": "X/USD", "n": 6})


def test_codes_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    """One int8 a bar, or an error that says so."""
    simulation = prepare(made(tmp_path, wave(60), strategy="tests.sweep.own:TooFew"))
    with pytest.raises(UsageError, match="one int8 a bar"):
        simulation.figures(point(simulation, n=3))


def test_a_subclass_that_changes_the_strategy_inherits_no_signals() -> None:
    """Signals count only for the class that they were written for; one that offers none is told how to."""
    assert offered_signals(EveryNth) is EveryNth.signals
    assert offered_signals(Cheat) is Cheat.signals
    assert offered_signals(TooFew) is TooFew.signals
    with pytest.raises(UsageError, match="Reckless changes on_bar but not `signals`"):
        offered_signals(Reckless)
    with pytest.raises(UsageError, match="Silent offers no sweep"):
        offered_signals(Silent)
