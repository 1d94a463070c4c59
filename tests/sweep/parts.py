"""Configurations, bars and the comparison of kernel and event engine for the sweep's tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.runtime.parts import REPO
from tradingd.config import Settings, load_settings
from tradingd.errors import UsageError
from tradingd.sweep.runner import Simulation, SweepFill, prepare
from tradingd.sweep.verify import engine_fills

TESTS_ONLY = REPO.parent / "shared" / "data" / "tests_only"

Row = tuple[float, float, float, float]
"""Open, high, low, close."""

ACCOUNTS = {
    "cash, fixed quantity": """
[broker]
taker_fee_percent = 0.1
[risk.sizer]
kind = "fixed_quantity"
quantity = 1
""",
    "cash, all of equity": """
[portfolio]
initial_cash = 12345.67
[broker]
taker_fee_percent = 0.075
slippage_bps = 3
[risk.sizer]
kind = "percent_of_equity"
percent = 99.89
""",
    "cash, notional, tight limits": """
[broker]
taker_fee_percent = 0.05
slippage_bps = 1.5
[risk.sizer]
kind = "fixed_notional"
notional = 9000
[risk.limits]
max_order_notional = 8999.9
max_position_notional = 8999.97
max_strategy_capital = 8999.95
daily_loss_percent = 0.5
""",
    "margin, short, leverage": """
[broker]
account = "margin"
maintenance_margin_percent = 0
leverage = 3
taker_fee_percent = 0.04
slippage_bps = 2
[risk]
allow_short = true
[risk.sizer]
kind = "percent_of_equity"
percent = 150
[risk.limits]
max_gross_exposure_percent = 210
max_leverage = 2
max_net_exposure_percent = 180
max_orders_per_minute = 5
price_collar_percent = 5
stale_after_s = 60
""",
    "margin, short, full": """
[broker]
account = "margin"
maintenance_margin_percent = 0
taker_fee_percent = 0.5
slippage_bps = 0
[risk]
allow_short = true
[risk.sizer]
kind = "percent_of_equity"
percent = 99.45
""",
    "short in cash, quantity limits": """
[portfolio]
initial_cash = 50000
[broker]
taker_fee_percent = 0.1
slippage_bps = 0.5
[risk]
allow_short = true
[risk.sizer]
kind = "fixed_quantity"
quantity = 2.5
[risk.limits]
max_order_quantity = 3
max_position_quantity = 2.5
""",
    "margin, short, daily loss": """
[broker]
account = "margin"
maintenance_margin_percent = 0
taker_fee_percent = 0.1
[risk]
allow_short = true
[risk.sizer]
kind = "fixed_notional"
notional = 60000
[risk.limits]
daily_loss_percent = 0.3
max_drawdown_percent = 3
on_drawdown = "flatten"
""",
    "reversals of what has outgrown a limit": """
[broker]
account = "margin"
maintenance_margin_percent = 0
leverage = 5
taker_fee_percent = 0.02
[risk]
allow_short = true
[risk.sizer]
kind = "fixed_notional"
notional = 9000
[risk.limits]
max_strategy_capital = 9040
max_gross_exposure_percent = 9.3
max_leverage = 0.094
""",
    "drawdown halts": """
[broker]
account = "margin"
maintenance_margin_percent = 0
taker_fee_percent = -0.01
maker_fee_percent = -0.01
[risk]
allow_short = true
[risk.sizer]
kind = "percent_of_equity"
percent = 80
[risk.limits]
max_drawdown_percent = 1.5
on_drawdown = "no_new"
daily_loss_percent = 1
on_daily_loss = "cancel_all"
""",
}
"""Accounts, fees, slippage, sizers and limits, by what they are about."""

STRATEGIES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "ma_crossover": (
        {"fast_ma": 3, "slow_ma": 8, "long_only": False},
        {"fast_ma": 10, "slow_ma": 30},
        {"fast_ma": 1, "slow_ma": 2, "long_only": False},
    ),
    "rsi_reversion": (
        {"period": 3, "oversold": 35, "exit": 45, "overbought": 60, "long_only": False},
        {"period": 14},
        {"period": 2, "oversold": 20, "exit": 75, "overbought": 80, "long_only": False},
    ),
    "donchian_breakout": (
        {"entry_period": 5, "exit_period": 2, "atr_stop": 0, "long_only": False},
        {"entry_period": 20, "exit_period": 10, "atr_stop": 0},
        {"entry_period": 2, "exit_period": 1, "atr_stop": 0, "long_only": False},
    ),
}
"""Parameters of each strategy that offers a sweep."""


def write_rows(
    path: Path, rows: Sequence[Row], interval_ms: int = 60_000, start_ms: int = 1_700_000_000_000
) -> None:
    """Bars, one interval apart, as a Parquet file."""
    opens, highs, lows, closes = zip(*rows, strict=True)
    times = [start_ms + interval_ms * i for i in range(len(rows))]
    volumes = [1.0] * len(rows)
    columns = {"timestamp": times, "open": opens, "high": highs, "low": lows, "close": closes, "volume": volumes}
    pq.write_table(pa.table(columns), path)


def settings_for(
    folder: Path,
    data: Path,
    account: str,
    *,
    interval: str = "1m",
    tick: str = "0.01",
    lot: str = "0.001",
    strategy: str = "ma_crossover",
    more: str = "",
) -> Settings:
    """The settings of a sweep over one file of bars."""
    config = folder / "c.toml"
    config.write_text(
        f'[[data.files]]\nsymbol = "X/USD"\npath = "{data}"\ninterval = "{interval}"\n'
        f'[[instruments]]\nsymbol = "X/USD"\ntick = "{tick}"\nlot = "{lot}"\n{more}\n'
        f'[[strategies]]\nname = "{strategy}"\nparams = {{ symbol = "X/USD" }}\n' + account
    )
    return load_settings([config], overrides=["run.mode=backtest"], environ={})


def compare(simulation: Simulation, params: Mapping[str, Any]) -> list[SweepFill]:
    """The fills that kernel and event engine both make; that they differ fails the test."""
    named = {**params, "symbol": simulation.settings.strategies[0].params["symbol"]}
    ours, our_equity = simulation.fills(simulation.strategy.Params.model_validate(named))
    theirs, their_equity = engine_fills(simulation.settings, named)
    assert ours == theirs
    assert our_equity == their_equity
    return ours


def refusal(settings: Settings) -> str:
    """What `prepare` refuses settings with."""
    try:
        prepare(settings)
    except UsageError as error:
        return str(error)
    raise AssertionError("the settings were taken")
