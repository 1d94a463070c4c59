"""The crown jewel: the synchronous and the asynchronous driver make the same decisions."""

from collections import Counter
from pathlib import Path

import pytest

from tests.runtime.parts import REPO, journal_of
from tradingd.domain.events import EventType
from tradingd.strategy.factory import BUILTIN_STRATEGIES

TESTS_ONLY = REPO.parent / "shared" / "data" / "tests_only"

SHIPPED = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
[broker]
account = "margin"
leverage = 2
slippage_bps = 1
[risk]
allow_short = true
[risk.sizer]
kind = "percent_of_equity"
percent = 30
[risk.limits]
max_gross_exposure_percent = 150
max_order_notional = 90000
max_orders_per_minute = 10
daily_loss_percent = 4
max_drawdown_percent = 30
"""


def strategies(name: str, symbols: list[str], params: str = "") -> str:
    """Two strategies a symbol, so that several share an instrument."""
    return "".join(
        f'[[strategies]]\nname = "{name}"\nid = "{name}-{symbol.lower()}-{long}"\n'
        f'params = {{ symbol = "{symbol}", long_only = {long}{params} }}\n'
        for symbol in symbols
        for long in ("true", "false")
    )


def configured(name: str, *params: str) -> str:
    """A strategy for each of these sets of parameters."""
    return "".join(
        f'[[strategies]]\nname = "{name}"\nid = "{name}-{number}"\nparams = {{ {each} }}\n'
        for number, each in enumerate(params)
    )


OVER_BARS = {
    **{
        name: strategies(name, ["AAPL", "GOOG", "MSFT"])
        for name in ("donchian_breakout", "ma_crossover", "rsi_reversion")
    },
    "cross_sectional_momentum": configured(
        "cross_sectional_momentum",
        'symbols = ["AAPL", "FB", "GOOG", "IBM", "MSFT"], lookback = 60, top = 2, capital = "30000"',
        'symbols = ["IBM", "MSFT", "AAPL"], lookback = 20, top = 1, bottom = 1, capital = "20000", '
        'rebalance = "week"',
    ),
    "dca": configured(
        "dca",
        'symbol = "AAPL", notional = "300", interval_s = 864000, dip_percent = 10, take_profit_percent = 30',
        'symbol = "MSFT", notional = "500", every_bars = 10, max_invested = "20000"',
    ),
    "grid": configured(
        "grid",
        'symbol = "MSFT", lower = "15", upper = "30", levels = 16, quantity = "40"',
        'symbol = "IBM", lower = "70", upper = "200", levels = 20, quantity = "20", max_inventory = "100"',
    ),
    "pairs": configured(
        "pairs",
        'a = "MSFT", b = "IBM", lookback = 40, notional = "20000"',
        'a = "AAPL", b = "GOOG", max_bars = 20',
    ),
}
"""One configuration over the shipped daily bars for each strategy that trades bars."""


def test_every_shipped_strategy_is_here() -> None:
    """Those over bars, and the market maker over ticks."""
    assert {*OVER_BARS, "market_maker"} == set(BUILTIN_STRATEGIES)


@pytest.mark.parametrize("name", sorted(OVER_BARS))
def test_both_drivers_make_identical_journals(name: str, tmp_path: Path) -> None:
    """For every shipped strategy over recorded data: the same signals, orders, fills and ledger, in one order."""
    config = tmp_path / "c.toml"
    config.write_text(SHIPPED + OVER_BARS[name])
    synchronous = journal_of([config], "backtest")
    asynchronous = journal_of([config], "paper")
    counts = Counter(event.type for event in synchronous)
    assert counts[EventType.FILL] > 50, counts
    assert counts[EventType.LEDGER] > 2 * counts[EventType.FILL]
    assert synchronous == asynchronous


def test_both_drivers_agree_on_the_shipped_configuration() -> None:
    """The configuration that `make run` starts with gives one journal in both drivers."""
    files = [REPO / "config.toml"]
    assert journal_of(files, "backtest") == journal_of(files, "paper")


TICKERS = (
    '[[strategies]]\nname = "tests.runtime.ticker:Ticker"\nparams = { symbols = ["BTC/USDT", "ETH/USDT"] }\n',
    configured(
        "market_maker",
        'symbol = "BTC/USDT", quantity = "0.01", max_inventory = "0.05", half_spread_bps = 0.2, skew_bps = 1, '
        "min_change_bps = 0.1, requote_s = 0.5, stale_after_s = 0.5",
    ),
    configured(
        "grid",
        'symbol = "BTC/USDT", lower = "61550", upper = "61900", levels = 71, quantity = "0.01"',
    ),
    configured("dca", 'symbol = "BTC/USDT", notional = "100", interval_s = 1, dip_percent = 0.05'),
)


@pytest.mark.parametrize("strategy", TICKERS, ids=["ticker", "market_maker", "grid", "dca"])
def test_both_drivers_agree_on_ticks(strategy: str, tmp_path: Path) -> None:
    """Over recorded trades and quotes of two symbols, with fills on ticks, both drivers agree."""
    ticks = TESTS_ONLY / "crypto_ticks"
    if not ticks.is_dir():
        pytest.skip(f"the recorded ticks are not here: {ticks}")
    config = tmp_path / "c.toml"
    config.write_text(
        "".join(
            f'[[data.files]]\nsymbol = "{symbol}"\nkind = "{kind}"\npath = "{ticks}/binance_{file}.parquet"\n'
            for symbol, kind, file in (
                ("BTC/USDT", "trades", "BTCUSDT_20240808_trades"),
                ("BTC/USDT", "quotes", "BTCUSDT_20240808_quotes"),
                ("ETH/USDT", "trades", "ETHUSDT_20240808_trades"),
            )
        )
        + '[[instruments]]\nsymbol = "BTC/USDT"\ntick = "0.01"\nlot = "0.00001"\n'
        + '[[instruments]]\nsymbol = "ETH/USDT"\ntick = "0.01"\nlot = "0.0001"\n'
        + '[portfolio]\ncurrency = "USDT"\ninitial_cash = 1000000\n'
        + '[risk.sizer]\nkind = "fixed_notional"\nnotional = 10000\n'
        + strategy
    )
    synchronous = journal_of([config], "backtest")
    assert Counter(event.type for event in synchronous)[EventType.FILL] > 20
    assert synchronous == journal_of([config], "paper")


def test_a_run_repeats_itself(tmp_path: Path) -> None:
    """Two runs of one configuration give one journal: nothing depends on time, chance or hash order."""
    config = tmp_path / "c.toml"
    config.write_text(SHIPPED + strategies("donchian_breakout", ["AAPL", "MSFT"]))
    assert journal_of([config], "backtest") == journal_of([config], "backtest")
