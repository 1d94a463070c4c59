"""`tradingd sweep`, run as users run it."""

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import REPO, Result

Cli = Callable[..., Result]

CONFIG = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
start = 2006-01-03
[[strategies]]
name = "ma_crossover"
params = { symbol = "AAPL" }
"""
GRID = ("--param", "fast_ma=5:25:5", "--param", "slow_ma=20:60:20")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that can be swept."""
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return path


def test_the_table_is_ranked_and_the_best_verified(tradingd: Cli, config: Path) -> None:
    """The best sets are listed, invalid ones counted, and the event engine agrees with the first."""
    result = tradingd("sweep", config, *GRID, "--top", 3, "--verify")
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines() if line.strip() and line.split()[0].isdigit()][:3]
    returns = [float(row[2]) for row in rows]
    assert returns == sorted(returns, reverse=True)
    assert "13 parameter sets of ma_crossover on" in result.out
    assert "2 combinations are invalid and left out; the first: fast_ma (20) must be smaller" in result.out
    assert "Verified: the event engine makes the same" in result.out


def test_json_and_a_file_of_all_results(tradingd: Cli, config: Path, tmp_path: Path) -> None:
    """--json tells the best and what it cost; --out has every set, as CSV or Parquet, in the order of the grid."""
    out = tradingd("sweep", config, *GRID, "--json", "--top", 2, "--workers", 2, "--out", "all.csv").json
    assert (out["parameter_sets"], out["invalid"], len(out["best"])) == (13, 2, 2)
    assert out["bars_per_core_s"] > 0
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["fast_ma"], row["slow_ma"]) for row in rows[:4]] == [
        ("5", "20"),
        ("5", "40"),
        ("5", "60"),
        ("10", "20"),
    ]
    best = max(rows, key=lambda row: float(row["return_percent"]))
    assert best["equity"] == out["best"][0]["equity"]
    tradingd("sweep", config, *GRID, "--json", "--out", "deep/all.parquet")
    table = pq.read_table(tmp_path / "deep" / "all.parquet").to_pylist()
    assert [row["equity"] for row in table] == [row["equity"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 64, "--param"),
        (("--param", "fast=5"), 64, "did you mean 'fast_ma'?"),
        (("--param", "symbol=AAPL,MSFT"), 64, "no parameter 'symbol'"),
        (("--param", "fast_ma=40", "--param", "slow_ma=30"), 64, "all 1 parameter sets are invalid"),
        (("--param", "fast_ma=5", "--top", 0), 64, "--top 0"),
        (("--param", "fast_ma=5", "--workers", 0), 64, "--workers 0"),
        (("--param", "fast_ma=5", "--out", "x.txt"), 64, "ends in .csv or .parquet"),
        (("--param", "fast_ma=5", "--set", "risk.limits.max_repeats=3"), 64, "risk.limits.max_repeats = 3"),
        (("--param", "fast_ma=5", "--set", "broker.slippage_bps=-1"), 78, "slippage_bps"),
    ],
)
def test_mistakes_end_with_one_clear_line(
    arguments: tuple[object, ...], code: int, said: str, tradingd: Cli, config: Path
) -> None:
    """Nonsense ranges, unknown parameters and settings that are not simulated are told, without a traceback."""
    result = tradingd("sweep", config, *arguments)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_strategy_without_signals_is_told(tradingd: Cli, config: Path) -> None:
    """A strategy that offers no sweep ends with 64 and the way to write one."""
    config.write_text(CONFIG.replace("ma_crossover", "tests.sweep.own:Silent"))
    result = tradingd("sweep", config, "--param", "n=1")
    assert result.code == 64
    assert "no parameter 'n'" in result.err


def test_a_missing_extra_is_told_with_what_mends_it(config: Path, tmp_path: Path) -> None:
    """Without numba the command ends with 64 and how to install it."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "numba.py").write_text('raise ImportError("no numba")')
    result = subprocess.run(
        [sys.executable, "-m", "tradingd", "sweep", str(config), "--param", "fast_ma=5"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path / 'bare'}:{REPO}", "PATH": ""},
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (64, "")
    assert "pip install 'tradingd[sweep]'" in result.stderr


def test_nothing_else_imports_numba() -> None:
    """A whole backtest of a strategy that offers a sweep runs without numba, and without the sweep's code."""
    script = (
        "import sys\n"
        "from tradingd.commands.run import run_backtest\n"
        "from pathlib import Path\n"
        "run_backtest([Path('config.toml')], ['data.end=2006-06-01'], None, None)\n"
        "print(sorted({'numba', 'tradingd.strategy.kernels', 'tradingd.sweep'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.splitlines()[-1] == "[]"
