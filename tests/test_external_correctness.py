"""What can be checked from outside: a backtest against a plain loop over the same arrays.

The loop below shares no code with tradingd. It reads the file, compares the averages in exact decimal arithmetic
(so that equal averages are equal), fills at the next open and keeps cash in decimals.
"""

import csv
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

CRYPTO = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "tests_only" / "crypto_1m"
FEE = Decimal("0.001")
CASH = Decimal(1_000_000)

FILES = {
    "coinbase_BTCUSD_20180404_20180406": ("BTC/USD", "0.01"),
    "coinbase_BTCEUR_20180404_20180406": ("BTC/EUR", "0.01"),
    "coinbase_ETHUSD_20180404_20180405": ("ETH/USD", "0.01"),
    "coinbase_LTCUSD_20180404_20180406": ("LTC/USD", "0.01"),
    "bitfinex_BTCUSD_20190329": ("BTC/USD", "0.00000001"),
    "bybit_BTCUSDT_20221213": ("BTC/USDT", "0.01"),
    "binance_BTCBUSD_20221213": ("BTC/BUSD", "0.01"),
    "binanceusdm_ADAUSDT_PERP_20221213": ("ADA/USDT:USDT", "0.0001"),
}


class PlainFill(NamedTuple):
    ts: int
    side: str
    price: Decimal
    fee: Decimal


class Outcome(NamedTuple):
    fills: list[PlainFill]
    cash: Decimal
    equity: Decimal


def plain_loop(path: Path) -> Outcome:
    """SMA 10/30, long or flat, quantity 1, fee 0.1 %, filled at the next open."""
    rows = pq.read_table(path).to_pydict()
    opens = [Decimal(repr(x)) for x in rows["open"]]
    closes = [Decimal(repr(x)) for x in rows["close"]]
    fills: list[PlainFill] = []
    cash, holding, wanted = CASH, False, False
    for i in range(len(closes)):
        if wanted != holding:
            price, fee = opens[i], opens[i] * FEE
            cash += -price - fee if wanted else price - fee
            fills.append(PlainFill(rows["timestamp"][i] * 1_000_000, "BUY" if wanted else "SELL", price, fee))
            holding = wanted
        if i >= 29:
            fast, slow = sum(closes[i - 9 : i + 1]) * 3, sum(closes[i - 29 : i + 1])
            if fast > slow:
                wanted = True
            elif fast < slow:
                wanted = False
    return Outcome(fills, cash, cash + (closes[-1] if holding else 0))


def write_config(folder: Path, path: Path, symbol: str, tick: str) -> Path:
    """The same as a configuration."""
    quote = symbol.partition("/")[2].partition(":")[0]
    config = folder / "config.toml"
    config.write_text(
        f"""
[data]
[[data.files]]
symbol = "{symbol}"
path = "{path}"
interval = "1m"
[[instruments]]
symbol = "{symbol}"
tick = "{tick}"
lot = 1
[[strategies]]
name = "ma_crossover"
params = {{ symbol = "{symbol}", fast_ma = 10, slow_ma = 30, long_only = true }}
[portfolio]
initial_cash = {CASH}
currency = "{quote}"
[broker]
maker_fee_percent = 0.1
taker_fee_percent = 0.1
[risk.sizer]
kind = "fixed_quantity"
quantity = 1
"""
    )
    return config


def read_csv(path: Path) -> list[dict[str, str]]:
    """A table as written by --out."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def backtest(folder: Path, config: Path) -> dict[str, Any]:
    """Run the command as a user would; the tables that it wrote."""
    command = [sys.executable, "-m", "tradingd", "backtest", str(config), "--out", str(folder), "--format", "csv"]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    return {name: read_csv(folder / f"{name}.csv") for name in ("fills", "orders", "equity", "ledger")}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_backtest_equals_a_plain_loop_fill_by_fill(name: str, tmp_path: Path) -> None:
    """Fills (time, side, price, fee), final cash and equity equal those of a plain loop over the same arrays."""
    path = CRYPTO / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"the recorded bars are not here: {path}")
    symbol, tick = FILES[name]
    expected = plain_loop(path)
    tables = backtest(tmp_path / "out", write_config(tmp_path, path, symbol, tick))
    fills = [
        PlainFill(int(row["ts"]), row["side"], Decimal(row["price"]), Decimal(row["fee"]))
        for row in tables["fills"]
    ]
    assert fills == expected.fills
    assert len(fills) > 40
    assert Decimal(tables["equity"][-1]["equity"]) == expected.equity
    if ":" not in symbol:  # of a contract only profits and fees move cash
        quote = symbol.partition("/")[2]
        moved = sum(Decimal(row["amount"]) for row in tables["ledger"] if row["asset"] == quote)
        assert CASH + moved == expected.cash


def test_every_fill_has_its_order_and_its_ledger_entries(tmp_path: Path) -> None:
    """In what --out writes, each fill belongs to a filled order and has a trade leg per asset and a fee leg."""
    name = "coinbase_BTCUSD_20180404_20180406"
    path = CRYPTO / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"the recorded bars are not here: {path}")
    tables = backtest(tmp_path / "out", write_config(tmp_path, path, *FILES[name]))
    filled = {row["order_id"] for row in tables["orders"] if row["status"] == "FILLED"}
    assert {row["order_id"] for row in tables["fills"]} == filled
    legs: dict[str, list[tuple[str, str]]] = {}
    for row in tables["ledger"]:
        legs.setdefault(row["reference"], []).append((row["kind"], row["asset"]))
    expected = [("trade", "BTC"), ("trade", "USD"), ("fee", "USD")]
    assert all(legs[row["trade_id"]] == expected for row in tables["fills"])
    assert len(legs) == len(tables["fills"])
