"""`tradingd backtest --check-lookahead`: cheats are caught, honest strategies pass, chance is told apart."""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import REPO, Result, environment
from tradingd.strategy.factory import BUILTIN_STRATEGIES

Cli = Callable[..., Result]
START_S = 1_600_000_200  # at a whole five minutes
CHECK = ("--check-lookahead", "--lookahead-cuts", "4", "--json")
CHEATS = "tradingd.testing.cheats"


def bars(folder: Path, name: str = "bars.csv", minutes: int = 240, seed: int = 7) -> Path:
    """One-minute bars of a random walk that is the same each time."""
    walk = random.Random(seed)  # noqa: S311 - prices of a test
    rows, close = [], 100.0
    for minute in range(minutes):
        before, close = close, round(close * (1 + walk.gauss(0, 0.01)), 2)
        rows.append(f"{START_S + 60 * minute},{before},{max(before, close)},{min(before, close)},{close},5")
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return path


def trades(folder: Path) -> Path:
    """A trade every quarter of a minute or so, for as long as there are bars."""
    walk = random.Random(11)  # noqa: S311 - prices of a test
    rows, time, price = [], START_S * 1000, 50.0
    for _ in range(900):
        time += walk.randrange(1_000, 31_000)
        price = round(price * (1 + walk.gauss(0, 0.001)), 2)
        rows.append(f"{time},{price},{walk.randrange(1, 9)},{walk.choice(['buy', 'sell'])}")
    path = folder / "trades.csv"
    path.write_text("timestamp,price,amount,side\n" + "\n".join(rows) + "\n")
    return path


def quotes(folder: Path) -> Path:
    """A quote every five seconds, two basis points wide and more."""
    walk = random.Random(13)  # noqa: S311 - prices of a test
    rows, bid = [], 80.0
    for number in range(800):
        bid = round(bid * (1 + walk.gauss(0, 0.0005)), 2)
        rows.append(f"{START_S * 1000 + number * 5_000},{bid},5,{bid + walk.choice([0.02, 0.05]):.2f},5")
    path = folder / "quotes.csv"
    path.write_text("timestamp,bid,bid_size,ask,ask_size\n" + "\n".join(rows) + "\n")
    return path


def config(folder: Path, *strategies: str, files: Sequence[str] = ()) -> None:
    """A configuration of strategies (the lines of their tables) on the bars of X/USD, and further files."""
    symbols = ["X/USD", *(symbol for symbol in ("T/USD", "L/USD", "Q/USD") if symbol in "".join(files))]
    parts = [
        '[[data.files]]\nsymbol = "X/USD"\ninterval = "1m"\npath = "bars.csv"\n',
        *files,
        *(f'[[instruments]]\nsymbol = "{symbol}"\ntick = "0.01"\nlot = "0.001"\n' for symbol in symbols),
        '[risk.sizer]\nkind = "fixed_notional"\nnotional = 100\n',
        *(f"[[strategies]]\n{each}\n" for each in strategies),
    ]
    (folder / "c.toml").write_text("".join(parts))


def verdicts(result: Result) -> dict[str, str]:
    """What is found of each strategy."""
    return {each["strategy_id"]: each["verdict"] for each in result.json["strategies"]}


def first(result: Result) -> Any:
    """The difference that is shown of the only strategy."""
    (strategy,) = result.json["strategies"]
    return strategy["first"]


# --- honest strategies -----------------------------------------------------------------------------------------


X = 'params = { symbol = "X/USD"'
SHIPPED = {
    "cross_sectional_momentum": 'params = { symbols = ["X/USD", "L/USD"], lookback = 10, top = 1, capital = 500, '
    'rebalance = "instants", every = 15 }',
    "dca": X + ", notional = 50, interval_s = 600 }",
    "donchian_breakout": X + ", entry_period = 8, exit_period = 4 }",
    "grid": X + ', lower = 80, upper = 120, quantity = "0.1" }',
    "ma_crossover": X + ", fast_ma = 3, slow_ma = 8 }",
    "market_maker": 'params = { symbol = "Q/USD", quantity = "1", max_inventory = "5" }',
    "pairs": 'params = { a = "X/USD", b = "L/USD", lookback = 15, entry = 1.2, '
    "min_correlation = 0, notional = 100 }",
    "rsi_reversion": X + ", period = 5, oversold = 45, overbought = 55 }",
}
OWN_INPUT = (
    f'name = "ma_crossover"\nid = "on-5m"\nbars = "5m"\n{X}, fast_ma = 2, slow_ma = 4 }}',
    'name = "ma_crossover"\nid = "on-ticks"\nbars = "1m"\nparams = { symbol = "T/USD", fast_ma = 3, slow_ma = 8 }',
    'name = "tests.runtime.frames:Frames"\nparams = { symbols = ["X/USD"], rules = ["3m", "5m"] }',
    'name = "tests.runtime.ticker:Ticker"\nparams = { symbols = ["T/USD"] }',
)


def test_shipped_strategies_pass(tradingd: Cli, tmp_path: Path) -> None:
    """Every shipped strategy, and some on built bars, two timeframes, ticks and timers: all decide, all clean."""
    assert SHIPPED.keys() == BUILTIN_STRATEGIES.keys()
    bars(tmp_path)
    bars(tmp_path, "other.csv", seed=8)
    trades(tmp_path)
    quotes(tmp_path)
    config(
        tmp_path,
        *(f'name = "{name}"\n{params}' for name, params in SHIPPED.items()),
        *OWN_INPUT,
        files=[
            '[[data.files]]\nsymbol = "L/USD"\ninterval = "1m"\npath = "other.csv"\n',
            '[[data.files]]\nsymbol = "T/USD"\nkind = "trades"\npath = "trades.csv"\n',
            '[[data.files]]\nsymbol = "Q/USD"\nkind = "quotes"\npath = "quotes.csv"\n',
        ],
    )
    result = tradingd("backtest", "c.toml", *CHECK)
    assert (result.code, result.err) == (0, "")
    assert result.json["verdict"] == "clean"
    assert set(verdicts(result).values()) == {"clean"}
    assert all(each["decisions"] > 3 for each in result.json["strategies"])
    assert len(result.json["cuts"]) == 4
    assert len({each["events"] for each in result.json["cuts"]}) == 4


def test_the_table_of_a_clean_check(tradingd: Cli) -> None:
    """The shipped configuration passes; the table has a row for each strategy and the verdict comes last."""
    result = tradingd("backtest", REPO / "config.toml", "--set", "data.end=2006-06-01", *CHECK[:-1])
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "look-ahead check of sample: 416 market events, 4 cuts"
    for name in ("trend-aapl", "trend-goog", "revert-ibm", "breakout-msft"):
        assert any(line.split()[::2] == [name, "clean"] for line in lines)
    assert lines[-1] == "verdict: clean"


# --- cheats ----------------------------------------------------------------------------------------------------


def test_a_strategy_that_trades_on_the_next_close_is_caught(tradingd: Cli, tmp_path: Path) -> None:
    """It reads the price file that its parameters name; it is caught at the very bar where the data end."""
    bars(tmp_path)
    config(
        tmp_path,
        f'name = "{CHEATS}:TomorrowsClose"\nparams = {{ symbol = "X/USD", interval = "1m", path = "bars.csv" }}',
    )
    result = tradingd("backtest", "c.toml", "--check-lookahead", "--lookahead-cuts", 8, "--json")
    assert (result.code, result.err) == (10, "")
    assert verdicts(result) == {"TomorrowsClose": "look-ahead"}
    found = first(result)
    assert found["events_before_cut"] == 0
    assert found["time"] == found["cut"]
    assert "direction=LONG" in found["full_run"]["text"]
    assert "direction=FLAT" in found["cut_run"]["text"]


def test_the_worked_example_is_what_the_page_says(tradingd: Cli, tmp_path: Path) -> None:
    """docs/lookahead.md shows what its configuration comes to, line by line: the row, the hint, both decisions."""
    page = (REPO / "docs" / "lookahead.md").read_text(encoding="utf-8")
    (tmp_path / "c.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    result = tradingd("backtest", "c.toml", "--check-lookahead")
    shown = page.partition("```\nlook-ahead check")[2].partition("```")[0]
    assert (result.code, result.err) == (10, "")
    assert _lines(result.out) == _lines("look-ahead check" + shown)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_a_figure_of_the_whole_series_is_caught_and_others_are_not_blamed(tradingd: Cli, tmp_path: Path) -> None:
    """It is caught though its class keeps the figure, far from where the data end; the honest one stays clean."""
    bars(tmp_path)
    bars(tmp_path, "other.csv")
    config(
        tmp_path,
        f'name = "{CHEATS}:WholeSeries"\nparams = {{ symbol = "X/USD", interval = "1m", path = "bars.csv" }}',
        'name = "ma_crossover"\nparams = { symbol = "L/USD", fast_ma = 3, slow_ma = 8 }',
        files=['[[data.files]]\nsymbol = "L/USD"\ninterval = "1m"\npath = "other.csv"\n'],
    )
    result = tradingd("backtest", "c.toml", *CHECK)
    assert result.code == 10
    assert verdicts(result) == {"WholeSeries": "look-ahead", "ma_crossover": "clean"}
    cheat = result.json["strategies"][0]
    assert cheat["first"]["events_before_cut"] > 10
    assert "whole series" in cheat["hint"]


OWN = """
import pathlib
from tradingd.domain.enums import Direction
from tradingd.strategy.base import Strategy, StrategyParams

ROWS = {read}.splitlines()[1:]
NEXT = {{int(row.split(",")[0]) + 60: float(row.split(",")[4]) for row in ROWS}}

class Own(Strategy):
    class Params(StrategyParams):
        symbol: str

    def on_bar(self, bar):
        rises = NEXT.get(bar.ts // 10**9 + 60, 0) > bar.close
        self.signal(bar.symbol, Direction.LONG if rises else Direction.FLAT)
"""


def own(folder: Path, read: str) -> None:
    """A strategy of one's own beside the configuration, whose module reads the prices in its own way."""
    bars(folder)
    config(folder, 'name = "own:Own"\nparams = { symbol = "X/USD" }')
    imports = "import pyarrow\n" if "pyarrow" in read else ""
    (folder / "own.py").write_text(imports + OWN.format(read=read))


@pytest.mark.parametrize(
    "read",
    [
        'open("bars.csv").read()',
        'open(pathlib.Path(__file__).parent / "bars.csv").read()',
        'pyarrow.OSFile("{folder}/bars.csv").read().decode()',
    ],
    ids=["relative", "beside-the-module", "absolute-and-not-by-python"],
)
def test_a_path_that_is_written_in_a_strategy_is_cut_too(tradingd: Cli, tmp_path: Path, read: str) -> None:
    """No parameter names the file, the module reads it when it is imported: caught all the same."""
    own(tmp_path, read.replace("{folder}", str(tmp_path)))
    result = tradingd("backtest", "c.toml", *CHECK)
    if "{folder}" in read and any("lets no process" in note for note in result.json["notes"]):
        pytest.skip("this system has no mount namespaces for its users")
    assert (result.code, result.json["verdict"]) == (10, "look-ahead")


def without_namespaces(folder: Path) -> Result:
    """The check as it is on systems that allow no mounts."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom tradingd.commands.lookahead import check_lookahead\n"
        "sys.exit(check_lookahead([Path('c.toml')], [], 4, as_json=True, in_place=False))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=folder,
        env=environment(PYTHONPATH=str(REPO)),
    )  # fmt: skip
    return Result(done)


def test_a_file_that_cannot_be_cut_is_told_not_passed(tmp_path: Path) -> None:
    """Where files cannot be cut in place, opening one by an absolute path leaves the verdict open."""
    own(tmp_path, f'open("{tmp_path}/bars.csv").read()')
    result = without_namespaces(tmp_path)
    assert (result.code, result.json["verdict"]) == (11, "undecided")
    assert result.json["not_cut"] == [f"{tmp_path}/bars.csv"]
    assert "lets no process" in result.json["notes"][0]


def test_a_view_is_enough_for_paths_in_parameters(tmp_path: Path) -> None:
    """Where files cannot be cut in place, those that parameters name still are."""
    bars(tmp_path)
    config(
        tmp_path,
        f'name = "{CHEATS}:WholeSeries"\n'
        f'params = {{ symbol = "X/USD", interval = "1m", path = "{tmp_path}/bars.csv" }}',
    )
    assert without_namespaces(tmp_path).code == 10


def test_what_cannot_start_without_the_future_is_caught(tradingd: Cli, tmp_path: Path) -> None:
    """A strategy that cannot even be made from less data is told with its error."""
    own(tmp_path, 'open("bars.csv").read()')
    source = (tmp_path / "own.py").read_text()
    (tmp_path / "own.py").write_text(source + "LAST = ROWS[239]\n")
    result = tradingd("backtest", "c.toml", *CHECK)
    assert result.code == 10
    assert len(result.json["failures"]) == 4
    assert "IndexError" in result.json["failures"][0]["error"]


# --- what does not repeat itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cheat", "why"),
    [("Chance", "chance"), ("SetOrder", "the order of a set"), ("FirstRunOnly", "keeps state in a class")],
)
def test_what_does_not_repeat_itself_is_no_look_ahead(tradingd: Cli, tmp_path: Path, cheat: str, why: str) -> None:
    """Chance, the order of sets and state kept between runs are told as what they are, with exit code 11."""
    bars(tmp_path)
    config(tmp_path, f'name = "{CHEATS}:{cheat}"\nparams = {{ symbol = "X/USD" }}')
    result = tradingd("backtest", "c.toml", *CHECK)
    assert (result.code, result.json["verdict"]) == (11, "not reproducible")
    (told,) = result.json["not_reproducible"]
    assert told["strategy_id"] == cheat
    assert why in told["why"]
    assert told["one_run"] != told["another_run"]
    assert "look-ahead" not in verdicts(result).values()


# --- around it ---------------------------------------------------------------------------------------------------


def test_a_series_that_begins_late_bounds_the_cuts(tradingd: Cli, tmp_path: Path) -> None:
    """No cut leaves a series without a row; it is said from when on there are cuts."""
    bars(tmp_path)
    late = bars(tmp_path, "late.csv").read_text().splitlines()
    (tmp_path / "late.csv").write_text("\n".join([late[0], *late[200:]]) + "\n")
    config(
        tmp_path,
        'name = "ma_crossover"\nparams = { symbol = "X/USD", fast_ma = 3, slow_ma = 8 }',
        files=['[[data.files]]\nsymbol = "L/USD"\ninterval = "1m"\npath = "late.csv"\n'],
    )
    result = tradingd("backtest", "c.toml", *CHECK, "--set", 'data.symbols=["L/USD"]')
    assert result.code == 0
    begins = (START_S + 200 * 60) * 10**9
    assert all(each["ts"] >= begins for each in result.json["cuts"])
    assert "no cut is before 2020-09-13 15:50:00" in result.json["notes"][0]


def test_no_decision_is_no_clean_verdict(tradingd: Cli, tmp_path: Path) -> None:
    """Where nothing was decided nothing was compared; that is told and not passed."""
    bars(tmp_path, minutes=20)
    config(tmp_path, 'name = "ma_crossover"\nparams = { symbol = "X/USD", fast_ma = 10, slow_ma = 30 }')
    result = tradingd("backtest", "c.toml", *CHECK)
    assert (result.code, result.json["verdict"]) == (11, "undecided")
    assert verdicts(result) == {"ma_crossover": "no decisions"}


def test_a_file_in_no_known_form_is_noted(tradingd: Cli, tmp_path: Path) -> None:
    """A parameter may name a file that has no times; it is said that it is the same in every run."""
    own(tmp_path, '""')
    (tmp_path / "model.json").write_text("{}")
    text = (tmp_path / "own.py").read_text().replace("symbol: str", "symbol: str\n        model: str = ''")
    (tmp_path / "own.py").write_text(text)
    config(tmp_path, 'name = "own:Own"\nparams = { symbol = "X/USD", model = "model.json" }')
    result = tradingd("backtest", "c.toml", *CHECK)
    assert result.code == 0
    (note,) = result.json["notes"]
    assert "model.json is neither .parquet nor .csv" in note
    assert "is not checked" in note


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lookahead-cuts", "3"), "is of --check-lookahead"),
        (("--check-lookahead", "--lookahead-cuts", "0"), "use 1 to 1000"),
        (("--check-lookahead", "--out", "o"), "leave out --out"),
    ],
)
def test_options_that_make_no_sense_are_refused(tradingd: Cli, arguments: tuple[str, ...], message: str) -> None:
    """They are usage errors of one line, told before anything is run."""
    result = tradingd("backtest", REPO / "config.toml", *arguments)
    assert (result.code, result.out) == (64, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_errors_of_the_run_itself_are_those_of_a_backtest(tradingd: Cli, tmp_path: Path) -> None:
    """A configuration that does not run is told as `backtest` tells it, with its exit code; no file is left."""
    config(tmp_path, 'name = "ma_crossover"\nparams = { symbol = "X/USD" }')
    (tmp_path / "tmp").mkdir()
    result = tradingd("backtest", "c.toml", *CHECK, TMPDIR=str(tmp_path / "tmp"))
    plain = tradingd("backtest", "c.toml")
    assert (result.code, result.err) == (plain.code, plain.err)
    assert result.code == 65
    assert list((tmp_path / "tmp").iterdir()) == []
