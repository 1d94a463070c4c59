"""The other commands: check, strategies, init, version, data; and usage errors."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Result
from tradingd import __version__
from tradingd.strategy.factory import BUILTIN_STRATEGIES

Cli = Callable[..., Result]
CONFIG = REPO / "config.toml"
LIVE = REPO / "examples" / "live.toml"


def test_help_lists_the_commands(tradingd: Cli) -> None:
    """--help names every command and ends with 0."""
    result = tradingd("--help")
    assert result.code == 0
    for command in ("run", "backtest", "check", "data", "strategies", "init", "version"):
        assert f"  {command} " in result.out


@pytest.mark.parametrize("arguments", [("--help",), ("version",)])
def test_light_commands_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help and version import neither ccxt nor pyarrow, numpy, asyncio or any of our own machinery."""
    script = (
        "import sys\n"
        "sys.argv = ['tradingd', *sys.argv[1:]]\n"
        "from tradingd.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'ccxt', 'pyarrow', 'numpy', 'asyncio', 'tradingd.app'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=REPO
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_a_backtest_does_not_import_ccxt() -> None:
    """A whole backtest runs without ccxt, pandas or uvloop."""
    script = (
        "import sys\n"
        "from tradingd.commands.run import run_backtest\n"
        "from pathlib import Path\n"
        "run_backtest([Path('config.toml')], ['data.end=2006-06-01'], None, None)\n"
        "print(sorted({'ccxt', 'pandas', 'uvloop'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(tradingd: Cli) -> None:
    """`version` prints the version, as text or JSON."""
    assert tradingd("version").out == f"{__version__}\n"
    assert tradingd("version", "--json").json == {"version": __version__}


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("run",), ("backtest", "c.toml", "--nonsense"), ("data", "import", "x.csv")]
)
def test_usage_errors_end_with_64(tradingd: Cli, arguments: tuple[str, ...]) -> None:
    """Unknown commands and options, and missing arguments, end with 64 and say what is wrong."""
    result = tradingd(*arguments)
    assert (result.code, result.out) == (64, "")
    assert "Error" in result.err


def test_a_missing_configuration_is_one_clear_line(tradingd: Cli) -> None:
    """A file that is not there ends with 78 and one line that names it."""
    result = tradingd("check", "nowhere.toml")
    assert result.code == 78
    assert result.err.startswith("tradingd: ")
    assert "nowhere.toml" in result.err
    assert "Traceback" not in result.err


def test_check_prints_the_resolved_configuration(tradingd: Cli) -> None:
    """`check` prints every key with its value, the limits as money, the data, and OK."""
    result = tradingd("check", CONFIG)
    assert (result.code, result.err) == (0, "")
    assert 'mode = "paper"' in result.out
    assert "daily_loss_percent: 5 % = 5,000.00 USD" in result.out
    assert "max_order_notional: 50,000.00 USD" in result.out
    assert "AAPL: 1802 bars" in result.out
    assert result.out.splitlines()[-1].startswith("OK: trend-aapl on AAPL")


def test_what_check_prints_is_a_configuration(tradingd: Cli, tmp_path: Path) -> None:
    """The TOML that `check` prints can be run as it is."""
    (tmp_path / "resolved.toml").write_text(tradingd("check", CONFIG).out.rpartition("\nOK:")[0])
    again = tradingd("check", "resolved.toml")
    assert (again.code, again.err) == (0, "")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A secrets directory with the keys of the account `main`."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name in ("api_key", "secret"):
        (folder / f"main.{name}").write_text("topsecret")
        (folder / f"main.{name}").chmod(0o600)
    return folder


def test_check_masks_secrets(tradingd: Cli, secrets: Path) -> None:
    """Secrets are shown as stars, in text and JSON."""
    for arguments in ((), ("--json",)):
        result = tradingd("check", LIVE, *arguments, TRADINGD_SECRETS_DIR=str(secrets))
        assert (result.code, result.err) == (0, "")
        assert "topsecret" not in result.out
        assert "**********" in result.out


def test_check_tells_the_accounts_of_a_live_configuration(tradingd: Cli, secrets: Path) -> None:
    """Where each trades, and what; limits are told without an amount, since nobody knows the equity yet."""
    told = tradingd("check", LIVE, TRADINGD_SECRETS_DIR=str(secrets)).out
    assert "#   main: binance, sandbox, BTC/USDT\n" in told
    assert "#   daily_loss_percent: 1 % of equity\n" in told
    assert told.endswith("OK: trend-btc on BTC/USDT\n")
    shown = tradingd("check", LIVE, "--json", TRADINGD_SECRETS_DIR=str(secrets)).json
    assert shown["symbols"] == {"BTC/USDT": ["main", "BTC/USDT"]}


@pytest.mark.parametrize("command", ["check", "run"])
def test_live_trading_without_keys_says_where_they_belong(tradingd: Cli, command: str) -> None:
    """With 77, and the names of the files."""
    result = tradingd(command, LIVE)
    assert result.code == 77
    assert "write main.api_key and main.secret, each of mode 600" in result.err


def test_check_refuses_a_strategy_of_another_symbol(tradingd: Cli, secrets: Path) -> None:
    """Only what an account names may be traded."""
    strategy = "strategies=[{name = 'ma_crossover', params = {symbol = 'ETH/USDT'}}]"
    result = tradingd("check", LIVE, "--set", strategy, TRADINGD_SECRETS_DIR=str(secrets))
    assert result.code == 78
    assert (
        "'ma_crossover': ETH/USDT: no account of this run trades it; add it to accounts.main.symbols" in result.err
    )


def test_check_of_paper_on_live_data_needs_no_keys(tradingd: Cli) -> None:
    """Its example is right."""
    result = tradingd("check", REPO / "examples" / "paper_live.toml")
    assert (result.code, result.err) == (0, "")
    assert "#   main: binance, production, BTC/USDT, ETH/USDT\n" in result.out
    assert "[credentials" not in result.out


def test_a_live_configuration_can_be_backtested(tradingd: Cli) -> None:
    """Where its symbols have recorded data: without keys, with the same strategies and limits."""
    data = ("--set", "data.catalog=pkg:tradingd/sample_data", "--set", "data.interval=1d")
    strategy = "strategies=[{name = 'ma_crossover', params = {symbol = 'AAPL'}}]"
    money = ("--set", "portfolio.currency=USD", "--set", "data.end=2001-01-01")
    result = tradingd("backtest", LIVE, *data, "--set", strategy, *money, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["mode"] == "BACKTEST"


def test_check_finds_what_a_run_would_stumble_over(tradingd: Cli) -> None:
    """`check` refuses a symbol without data and names the nearest."""
    result = tradingd("check", CONFIG, "--set", 'data.symbols=["APPL"]')
    assert result.code == 65
    assert "APPL" in result.err
    assert "AAPL" in result.err


def test_strategies_lists_parameters(tradingd: Cli) -> None:
    """`strategies` lists the shipped strategies with their parameters and defaults."""
    result = tradingd("strategies", "--json")
    found = {each["name"]: each["params"] for each in result.json}
    assert set(found) == set(BUILTIN_STRATEGIES)
    assert "required" in found["grid"]["lower"]
    assert "default 30" in found["ma_crossover"]["slow_ma"]
    assert "ma_crossover" in tradingd("strategies").out


def test_init_writes_what_runs(tradingd: Cli) -> None:
    """What `init` writes passes check and trades in a backtest, its own strategy included."""
    assert tradingd("init", "mine").code == 0
    assert tradingd("check", "mine/config.toml").code == 0
    summary = tradingd("backtest", "mine/config.toml", "--json").json
    assert {line["strategy_id"]: line["fills"] > 0 for line in summary["strategies"]} == {
        "mine-aapl": True,
        "trend-msft": True,
    }


def test_init_writes_a_live_configuration(tradingd: Cli, secrets: Path) -> None:
    """It passes check once the keys are there: on the test venue, with every mandatory limit."""
    assert tradingd("init", "mine", "--template", "live").code == 0
    result = tradingd("check", "mine/config.toml", TRADINGD_SECRETS_DIR=str(secrets))
    assert (result.code, result.err) == (0, "")
    assert 'environment = "sandbox"' in result.out
    assert result.out.endswith("OK: mine-btc on BTC/USDT\n")


def test_init_knows_its_templates(tradingd: Cli) -> None:
    """Another one is a usage error that names them."""
    result = tradingd("init", "--template", "swap")
    assert (result.code, result.err) == (64, "tradingd: --template swap: use paper or live\n")


def test_init_overwrites_nothing(tradingd: Cli, tmp_path: Path) -> None:
    """`init` refuses to overwrite a file, unless forced."""
    (tmp_path / "config.toml").write_text("precious")
    refused = tradingd("init")
    assert refused.code == 64
    assert "--force" in refused.err
    assert (tmp_path / "config.toml").read_text() == "precious"
    assert tradingd("init", "--force").code == 0


def test_data_list_and_check_of_the_sample(tradingd: Cli) -> None:
    """The shipped data lists its series and passes its check."""
    listed = tradingd("data", "list", "pkg:tradingd/sample_data", "--json").json
    assert {"AAPL", "EUR/USD"} <= {each["symbol"] for each in listed["series"]}
    checked = tradingd("data", "check", "pkg:tradingd/sample_data")
    assert checked.code == 0
    assert "ok      AAPL" in checked.out


def test_imported_data_can_be_traded(tradingd: Cli, tmp_path: Path) -> None:
    """A CSV that was imported is listed, checked and backtested."""
    rows = "\n".join(
        f"{1_600_000_000 + 60 * i},{100 + i % 7},{110 + i % 7},{90 + i % 7},{101.5 + i % 5},5" for i in range(200)
    )
    (tmp_path / "mine.csv").write_text(f"timestamp,open,high,low,close,volume\n{rows}\n")
    options = ("--catalog", "cat", "--symbol", "FOO/USD", "--interval", "1m")
    imported = tradingd("data", "import", "mine.csv", *options)
    assert imported.code == 0
    assert "tick was not given: 0.1, the finest step of the prices" in imported.out
    (tmp_path / "c.toml").write_text(
        '[data]\ncatalog = "cat"\n[[strategies]]\nname = "ma_crossover"\n'
        'params = { symbol = "FOO/USD", fast_ma = 2, slow_ma = 5 }\n'
    )
    assert tradingd("backtest", "c.toml", "--json").json["fills"] > 0
    refused = tradingd("data", "import", "mine.csv", *options)
    assert refused.code == 65
    assert "overwrite" in refused.err


def test_resampled_data_can_be_traded(tradingd: Cli, tmp_path: Path) -> None:
    """Longer bars that were built of a series are listed and backtested, by their interval."""
    rows = "\n".join(f"{1_600_000_200 + 60 * i},{100 + i % 7},110,90,{101.5 + i % 5},5" for i in range(200))
    (tmp_path / "mine.csv").write_text(f"timestamp,open,high,low,close,volume\n{rows}\n")
    tradingd("data", "import", "mine.csv", "--catalog", "cat", "--symbol", "FOO/USD", "--interval", "1m")
    told = tradingd("data", "resample", "FOO/USD", "--to", "5m", "--catalog", "cat")
    assert told.out == f"{tmp_path / 'cat/resampled_5m/FOO_USD.parquet'}: 40 bars of FOO/USD\n"
    (tmp_path / "c.toml").write_text(
        '[data]\ncatalog = "cat"\ninterval = "5m"\n[[strategies]]\nname = "ma_crossover"\n'
        'params = { symbol = "FOO/USD", fast_ma = 2, slow_ma = 5 }\n'
    )
    assert tradingd("backtest", "c.toml", "--json").json["events"] == 40
    again = tradingd("data", "resample", "FOO/USD", "--to", "5m", "--catalog", "cat", "--from", "1m", "--json")
    assert (again.code, "--overwrite" in again.err) == (65, True)


def test_import_says_what_it_cannot_do(tradingd: Cli, tmp_path: Path) -> None:
    """A missing --interval and a catalog that cannot be written are one clear line each."""
    (tmp_path / "x.csv").write_text("timestamp,open,high,low,close,volume\n1600000000,1,1,1,1,1\n")
    missing = tradingd("data", "import", "x.csv", "--catalog", "cat", "--symbol", "X")
    assert (missing.code, missing.err) == (64, "tradingd: bars need --interval, for example --interval 1m\n")
    options = ("--symbol", "X", "--interval", "1m")
    unwritable = tradingd("data", "import", "x.csv", "--catalog", "x.csv", *options)
    assert unwritable.code == 65
    assert "give another catalog" in unwritable.err
    assert "is a file" in tradingd("data", "list", "x.csv").err


def test_damaged_data_is_refused_with_row_and_reason(tradingd: Cli, tmp_path: Path) -> None:
    """`data check` tells file, row and reason of damage, and ends with 65; so does a backtest on it."""
    folder = tmp_path / "cat"
    folder.mkdir()
    (folder / "BAD.csv").write_text(
        "timestamp,open,high,low,close,volume\n1600000000,1,2,0.5,1,1\n1600000060,1,0.5,2,1,1\n"
    )
    (folder / "dataset.toml").write_text('interval = "1m"\n')
    checked = tradingd("data", "check", "cat")
    assert checked.code == 65
    assert "BAD.csv" in checked.out
    assert "row 2" in checked.out
    (tmp_path / "c.toml").write_text(
        '[data]\ncatalog = "cat"\n[[strategies]]\nname = "ma_crossover"\nparams = { symbol = "BAD" }\n'
    )
    refused = tradingd("backtest", "c.toml")
    assert refused.code == 65
    assert "row 2" in refused.err
    assert "Traceback" not in refused.err


def test_json_results_are_one_document(tradingd: Cli) -> None:
    """Every command with --json prints exactly one JSON document."""
    for arguments in (
        ("check", CONFIG),
        ("strategies",),
        ("version",),
        ("data", "list", "pkg:tradingd/sample_data"),
        ("data", "check", "pkg:tradingd/sample_data"),
        ("backtest", CONFIG, "--set", "data.end=2006-06-01"),
    ):
        assert json.loads(tradingd(*arguments, "--json").out)
