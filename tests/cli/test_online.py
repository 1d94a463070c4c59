"""`check --online`, `exchanges` and `rehearse`: against an exchange on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Result
from tradingd.testing.rehearsal import Stage

Cli = Callable[..., Result]
LIVE = REPO / "examples" / "live.toml"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """An exchange on which nothing goes wrong."""
    with Stage({"main": ["BTC/USDT"]}) as running:
        yield running


@pytest.fixture
def online(tradingd: Cli, tmp_path: Path, stage: Stage) -> Cli:
    """`check --online` of the live example, at that exchange."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name, text in stage.keys["main"].items():
        (folder / f"main.{name}").write_text(text)
        (folder / f"main.{name}").chmod(0o600)
    where = ("accounts.main.environment=loopback", f"accounts.main.loopback_url={stage.url}")

    def run(*sets: str, **extra: str) -> Result:
        options = [option for each in (*where, *sets) for option in ("--set", each)]
        secrets = {"TRADINGD_SECRETS_DIR": str(folder), **extra}
        return tradingd("check", LIVE, "--online", "--json", *options, **secrets)

    return run


def failed(result: Result) -> dict[str, str]:
    """The checks that failed, with their reasons."""
    return {each["name"]: each["reason"] for each in result.json["online"] if not each["ok"]}


def test_an_account_that_can_be_traded_passes(online: Cli) -> None:
    """Every check is told with what it found, and the exit code is 0."""
    result = online()
    assert (result.code, result.err) == (0, "")
    assert failed(result) == {}
    assert {"reachable", "clock", "market BTC/USDT", "permissions", "balance"} <= {
        each["name"] for each in result.json["online"]
    }


def test_what_does_not_fit_the_venue_fails(online: Cli) -> None:
    """Limits below its filters, a dead-man switch that it lacks: 69, and a reason each."""
    result = online("risk.limits.max_order_notional=3", "accounts.main.dead_man_s=60")
    assert result.code == 69
    told = failed(result)
    assert set(told) == {"limits BTC/USDT", "dead man"}
    assert "risk.limits.max_order_notional is 3; raise it" in told["limits BTC/USDT"]
    assert told["dead man"] == "binance has no dead-man switch; take dead_man_s out"


def test_a_key_that_the_venue_does_not_know_fails(online: Cli, tmp_path: Path) -> None:
    """Without showing it."""
    folder = tmp_path / "others"
    folder.mkdir(mode=0o700)
    for name in ("api_key", "secret"):
        (folder / f"main.{name}").write_text("canary")
        (folder / f"main.{name}").chmod(0o600)
    result = online(TRADINGD_SECRETS_DIR=str(folder))
    assert result.code == 69
    assert failed(result)
    assert "canary" not in result.out + result.err


def test_live_trading_does_not_begin_where_a_check_fails(tradingd: Cli, tmp_path: Path, stage: Stage) -> None:
    """`run` asks the same, and ends with 69 and the reason before it connects."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name, text in stage.keys["main"].items():
        (folder / f"main.{name}").write_text(text)
        (folder / f"main.{name}").chmod(0o600)
    sets = (
        "accounts.main.environment=loopback",
        f"accounts.main.loopback_url={stage.url}",
        "risk.limits.max_order_notional=3",
    )
    options = [option for each in sets for option in ("--set", each)]
    result = tradingd("run", LIVE, *options, TRADINGD_SECRETS_DIR=str(folder))
    assert result.code == 69
    assert "main: limits BTC/USDT: the venue takes no order below 5" in result.err


def test_a_run_on_recorded_data_has_no_exchange_to_ask(tradingd: Cli) -> None:
    """--online without live data is a usage error."""
    result = tradingd("check", REPO / "config.toml", "--online")
    assert result.code == 64
    assert "this one replays what is recorded" in result.err


def test_paper_on_live_data_is_checked_without_keys(tradingd: Cli, stage: Stage) -> None:
    """The public side only."""
    sets = (
        "accounts.main.environment=loopback",
        f"accounts.main.loopback_url={stage.url}",
        "accounts.main.symbols=['BTC/USDT']",
        "strategies=[{name = 'ma_crossover', params = {symbol = 'BTC/USDT'}}]",
    )
    options = [option for each in sets for option in ("--set", each)]
    result = tradingd("check", REPO / "examples" / "paper_live.toml", "--online", "--json", *options)
    assert (result.code, result.err) == (0, "")
    assert "balance" not in {each["name"] for each in result.json["online"]}


def test_exchanges_are_told_one_by_one(tradingd: Cli) -> None:
    """What each supports, from ccxt's own tables, offline."""
    told = tradingd("exchanges", "binance", "okx").out
    assert "binance: Binance\n    live trading: yes\n" in told
    assert "keys: apiKey, password, secret\n    dead-man switch: cancelAllOrdersAfter" in told
    found = tradingd("exchanges", "okx", "--json").json
    assert [(each["exchange_id"], each["can_be_live"]) for each in found] == [("okx", True)]


def test_an_exchange_that_ccxt_does_not_have_is_told(tradingd: Cli) -> None:
    """With 78 and the nearest that it has."""
    result = tradingd("exchanges", "binanc")
    assert result.code == 78
    assert "binance" in result.err


def test_faults_are_listed(tradingd: Cli) -> None:
    """By name and number, with what happens; no exchange is started for that."""
    found = tradingd("rehearse", "--config", LIVE, "--faults", "list", "--json").json
    assert {"timeout-after", "disconnect"} <= {each["name"] for each in found}
    assert all(each["text"] and each["number"] for each in found)


def test_a_fault_that_does_not_exist_is_told(tradingd: Cli) -> None:
    """As a usage error."""
    result = tradingd("rehearse", "--config", LIVE, "--faults", "nope")
    assert result.code == 64
    assert "there is no fault 'nope'" in result.err


def test_a_rehearsal_passes_and_reads_no_keys(tradingd: Cli) -> None:
    """The live example, without faults and with one that every order meets: both sides agree to the last unit."""
    result = tradingd(
        *("rehearse", "--config", LIVE, "--faults", "html-200", "--orders", 12, "--seed", 3, "--json"),
        TRADINGD_SECRETS_DIR="/nowhere",
    )
    assert (result.code, result.err) == (0, "")
    (fault,) = result.json["faults"]
    assert (fault["fault"], fault["result"], fault["violations"]) == ("html-200", "PASS", [])
    assert fault["hits"] >= 1
    assert fault["orders"] >= 12
    assert fault["fills"] >= 1


def test_only_what_the_exchange_has_can_be_rehearsed(tradingd: Cli) -> None:
    """Swaps are a usage error, told before anything is started."""
    sets = ("accounts.main.symbols=['BTC/USDT:USDT']", "accounts.main.market_types=['swap']")
    options = [option for each in sets for option in ("--set", each)]
    result = tradingd("rehearse", "--config", LIVE, "--faults", "none", *options)
    assert result.code == 64
    assert "rehearse with spot symbols only" in result.err
