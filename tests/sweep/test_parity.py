"""The proof of the sweep: its kernel makes the fills of the event engine, to the last digit."""

import random
from pathlib import Path

import pytest

from tests.sweep.parts import ACCOUNTS, STRATEGIES, TESTS_ONLY, Row, compare, settings_for, write_rows
from tradingd.strategy.factory import BUILTIN_STRATEGIES, load_strategy_class
from tradingd.sweep.runner import prepare

CRYPTO = {
    "coinbase_ETHUSD_20180404_20180405": ("0.01", "0.00001"),
    "binance_BTCBUSD_20221213": ("0.01", "0.00001"),
    "bybit_BTCUSDT_20221213": ("0.05", "0.1"),
    "bitfinex_BTCUSD_20190329": ("0.1", "0.001"),
    "binanceusdm_ADAUSDT_PERP_20221213": ("0.0001", "1"),
}


def check(folder: Path, data: Path, account: str, strategy: str, sets: int = 3, **instrument: str) -> int:
    """Compare parameter sets of a strategy; returns how many fills there were."""
    settings = settings_for(folder, data, ACCOUNTS[account], strategy=strategy, **instrument)
    simulation = prepare(settings)
    return sum(len(compare(simulation, params)) for params in STRATEGIES[strategy][:sets])


def test_every_strategy_that_offers_a_sweep_is_proved_here() -> None:
    """No shipped strategy has `signals` without being in the parity tests."""
    offering = {name for name in BUILTIN_STRATEGIES if hasattr(load_strategy_class(name), "signals")}
    assert offering == set(STRATEGIES)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_minute_bars_of_crypto(strategy: str, account: str, tmp_path: Path) -> None:
    """On recorded one-minute bars, holes included, both make the same fills under each account and its limits."""
    folder = TESTS_ONLY / "crypto_1m"
    if not folder.is_dir():
        pytest.skip(f"the recorded bars are not here: {folder}")
    number = list(ACCOUNTS).index(account) + list(STRATEGIES).index(strategy)
    name = list(CRYPTO)[number % len(CRYPTO)]
    tick, lot = CRYPTO[name]
    assert check(tmp_path, folder / f"{name}.parquet", account, strategy, 2, tick=tick, lot=lot)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_daily_bars_of_shares(strategy: str, account: str, tmp_path: Path) -> None:
    """On recorded daily bars, whose closes are not on the tick, both make the same fills."""
    folder = TESTS_ONLY / "equities_daily_2013_2018"
    if not folder.is_dir():
        pytest.skip(f"the recorded bars are not here: {folder}")
    names = ("AMZN", "BAC", "GE", "NVDA", "AAPL")
    name = names[(list(ACCOUNTS).index(account) + list(STRATEGIES).index(strategy)) % len(names)]
    assert check(tmp_path, folder / f"{name}.parquet", account, strategy, 2, interval="1d", lot="1")


def walk(seed: int, count: int, step: float, *, flat: float = 0.3, gap: float = 0.05) -> list[Row]:
    """A seeded random walk on a grid, with stretches that stand still, ties, and gaps between bars."""
    chance = random.Random(seed)  # noqa: S311 - bars for a test
    rows, price = [], 100.0
    for _ in range(count):
        jump = chance.choice((-20, 20)) * step if chance.random() < gap else 0.0
        opened = max(round(price + jump, 2), step)
        moved = 0.0 if chance.random() < flat else chance.choice((-3, -2, -1, 1, 2, 3)) * step
        price = max(round(opened + moved, 2), step)
        rows.append((opened, max(opened, price), min(opened, price), price))
    return rows


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("step", [0.01, 0.5, 4.0])
def test_generated_bars(step: float, strategy: str, account: str, tmp_path: Path) -> None:
    """On random walks full of ties, standing markets and gaps, both make the same fills, whatever is refused."""
    data = tmp_path / "bars.parquet"
    write_rows(data, walk(len(account) * 7 + len(strategy), 400, step), interval_ms=1_200_000)
    check(tmp_path, data, account, strategy, interval="20m", lot="0.5" if step < 1 else "0.001")
