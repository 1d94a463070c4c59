"""What live trading asks for, and what means nothing in which mode."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.config.conftest import LIVE, Load, Write, put
from tradingd.config import Settings, load_settings, run_symbols
from tradingd.config.accounts import market_type_of
from tradingd.config.live import MANDATORY_LIMITS
from tradingd.errors import ConfigError, UnknownKeyError

PAPER_LIVE = ("run.mode=paper", "data.feed=live")


@pytest.fixture
def keys(secrets: Path) -> Path:
    """The keys of the account `main`."""
    put(secrets, "main.secret", "hunter2")
    return secrets


def problem(load: Load, *overrides: str, text: str = "") -> str:
    """What is wrong with the least that live trading asks for, changed so; without the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    return str(caught.value).partition(": ")[2]


def test_live_trading_implies_live_data_and_orders_to_the_exchange(load: Load, keys: Path) -> None:
    """Nobody has to say it three times."""
    settings = load(secrets_dir=keys)
    assert (settings.run.mode, settings.data.feed, settings.broker.kind) == ("live", "live", "ccxt")


def test_a_live_stop_keeps_protective_orders_and_takes_its_time(load: Load, keys: Path) -> None:
    """Unless told otherwise: a position must not lose its stop because a process ends."""
    runtime = load(secrets_dir=keys).runtime
    assert (runtime.on_stop, runtime.stop_timeout_s) == ("keep_protective", 10)
    told = load("", "runtime.on_stop=cancel", "runtime.stop_timeout_s=3", secrets_dir=keys).runtime
    assert (told.on_stop, told.stop_timeout_s) == ("cancel", 3)
    paper = load("", "run.mode=paper").runtime
    assert (paper.on_stop, paper.stop_timeout_s) == ("cancel", 2)


def test_a_resolved_live_configuration_is_a_live_configuration(load: Load, keys: Path) -> None:
    """What `tradingd check` prints names every key, at its default, too."""
    settings = load(secrets_dir=keys)
    told = {key: table for key, table in settings.masked().items() if key != "credentials"}
    again = Settings(**told, credentials=settings.credentials)
    assert again.masked() == settings.masked()


def test_the_mode_alone_makes_a_live_configuration_a_backtest(load: Load) -> None:
    """What live trading implies is implied by nothing else."""
    settings = load("", "run.mode=backtest")
    assert (settings.data.feed, settings.broker.kind) == ("replay", "simulated")


def test_paper_trades_on_live_data_without_keys(load: Load, tmp_path: Path) -> None:
    """The exchange of the account gives its public data; the simulated one fills."""
    settings = load("", *PAPER_LIVE, secrets_dir=tmp_path / "nowhere")
    assert (settings.data.feed, settings.broker.kind) == ("live", "simulated")
    assert settings.symbols == {"BTC/USDT": ("main", "BTC/USDT")}


@pytest.mark.parametrize("group", MANDATORY_LIMITS, ids=lambda group: group[0])
def test_live_trading_refuses_without_a_mandatory_limit(load: Load, group: tuple[str, ...]) -> None:
    """Each of them by itself, and says which."""
    off = [f"risk.limits.{name}=none" for name in group]
    assert problem(load, *off) == (
        f"risk.limits: live trading does not begin without {' or '.join(group)}; set each of them (docs/risk.md)"
    )


@pytest.mark.parametrize(
    "group", [group for group in MANDATORY_LIMITS if len(group) > 1], ids=lambda group: group[1]
)
def test_one_limit_of_a_group_is_enough(load: Load, keys: Path, group: tuple[str, str]) -> None:
    """A position is bound by its quantity as well as by its value."""
    first, second = group
    settings = load("", f"risk.limits.{first}=none", f"risk.limits.{second}=1", secrets_dir=keys)
    assert getattr(settings.risk.limits, second) == 1


def test_all_missing_limits_are_told_at_once(load: Load) -> None:
    """One run of the command, one list."""
    told = problem(load, *(f"risk.limits.{name}=none" for group in MANDATORY_LIMITS for name in group))
    assert all(name in told for group in MANDATORY_LIMITS for name in group)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["run.accounts=[]"],
            'run.accounts: name the accounts that may trade, for example accounts = ["main"]',
        ),
        (
            ["run.accounts=[]", *PAPER_LIVE],
            'run.accounts: name the accounts that give the market data, for example accounts = ["main"]',
        ),
        (["run.accounts=['mian']"], 'run.accounts: there is no [accounts.mian]; did you mean "main"?'),
        (["data.feed=replay"], 'data.feed: live trading needs live data; remove it, or set run.mode = "paper"'),
        (
            ["broker.kind=simulated"],
            (
                "broker.kind: live trading sends orders to the exchanges of run.accounts; remove it, or set "
                'run.mode = "paper"'
            ),
        ),
        (
            ["broker.kind=ccxt", "run.mode=paper"],
            'broker.kind: a paper run sends no orders to an exchange; remove it, or set run.mode = "live"',
        ),
        (
            ["data.feed=live", "run.mode=backtest"],
            'data.feed: a backtest replays recorded data; set data.feed = "replay"',
        ),
        (
            ["broker.taker_fee_percent=0.2"],
            (
                "broker.taker_fee_percent: describes the simulated exchange; live, the exchange itself says "
                "what it takes and costs: remove it"
            ),
        ),
        (
            ["portfolio.initial_cash=5000"],
            "portfolio.initial_cash: live trading begins with what the accounts hold; remove it",
        ),
        (
            ["data.start=2020-01-01"],
            'data.start: is of recorded data, and does nothing with data.feed = "live"; remove it',
        ),
        (
            ["data.end=2020-01-01", *PAPER_LIVE],
            'data.end: is of recorded data, and does nothing with data.feed = "live"; remove it',
        ),
        (
            ["accounts.main.environment=loopback"],
            (
                'accounts.main.loopback_url: environment = "loopback" needs its url; `tradingd rehearse` sets it '
                "by itself"
            ),
        ),
    ],
)
def test_what_does_not_fit_the_mode_is_told_in_one_line(load: Load, overrides: list[str], told: str) -> None:
    """What, where, and how to mend it."""
    assert problem(load, *overrides) == told


def test_costs_of_the_simulated_exchange_are_for_paper_on_live_data_too(load: Load) -> None:
    """There the simulated exchange fills."""
    assert load("", *PAPER_LIVE, "broker.taker_fee_percent=0.2").broker.taker_fee_percent == Decimal("0.2")


ACCOUNT = "exchange = 'binance', environment = 'production', symbols = ['BTC/USDT']"


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ("environment = 'sandbox', symbols = ['BTC/USDT']", "exchange: is required"),
        ("exchange = 'binance', symbols = ['BTC/USDT']", "environment: is required"),
        ("exchange = 'binance', environment = 'sandbox'", "symbols: is required"),
        ("exchange = 'binance', environment = 'sandbox', symbols = []", "symbols: must not be empty"),
        ("exchange = 'Binance', environment = 'sandbox', symbols = ['A/B']", "exchange: must be ccxt's id"),
        ("exchange = 'binance', environment = 'testnet', symbols = ['A/B']", "environment: must be one of"),
        (f"{ACCOUNT}, order_timeout_s = 6", "order_timeout_s: must be at most 5"),
        (f"{ACCOUNT}, order_timeout_s = 0", "order_timeout_s: must be greater than 0"),
        (f"{ACCOUNT}, dead_man_s = 1", "dead_man_s: must be at least 5"),
        (f"{ACCOUNT}, market_types = []", "market_types: must not be empty"),
        (f"{ACCOUNT}, market_types = ['spot', 'spot']", "market_types: spot is given twice; remove one"),
        (f"{ACCOUNT}, options = {{maxRetriesOnFailure = 2}}", "options: maxRetriesOnFailure would send an order"),
        (
            f"{ACCOUNT}, loopback_url = 'http://127.0.0.1:1'",
            'loopback_url: does nothing with environment = "production"',
        ),
        (
            f"{ACCOUNT}, urls = {{api = {{rest = 'http://127.0.0.1:1'}}}}",
            'urls: does nothing with environment = "production"',
        ),
        (
            "exchange = 'okx', environment = 'loopback', symbols = ['A/B'], urls = {api = {ws = 'wss://ws.okx.com:1'}}",
            "urls: must be http(s):// or ws(s):// and an address of this machine",
        ),
        (
            f"{ACCOUNT}, market_types = ['swap']",
            'symbols: BTC/USDT is of the spot market; add "spot" to market_types',
        ),
    ],
)
def test_a_wrong_account_is_told(account: str, told: str) -> None:
    """Every key of it is checked, also of an account that no run uses."""
    with pytest.raises(ConfigError) as caught:
        load_settings([], overrides=[f"accounts.main={{{account}}}"], environ={})
    assert str(caught.value).startswith(f"--set accounts.main: accounts.main.{told}")


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        ("BTC/USDT:USDT", 'is of the swap market; add "swap" to market_types, or write BTC/USDT for spot'),
        ("BTC/USDT:USDT-261225", 'is of the future market; add "future" to market_types'),
        ("BTC/USDT:USDT-261225-60000-C", 'is of the option market; add "option" to market_types'),
        ("BTCUSDT", "is not in ccxt's form; write BASE/QUOTE (spot) or BASE/QUOTE:SETTLE (swap)"),
        ("BTC/USDT@main", "is not in ccxt's form"),
        ("BTC-USDT", "is not in ccxt's form"),
    ],
)
def test_a_symbol_is_of_a_market_of_its_account(symbol: str, told: str) -> None:
    """Spot and swap of one pair are easily taken for each other."""
    table = f"{{exchange = 'binance', environment = 'sandbox', symbols = ['{symbol}']}}"
    with pytest.raises(ConfigError) as caught:
        load_settings([], overrides=[f"accounts.main={table}"], environ={})
    assert f"accounts.main.symbols: {symbol} {told}" in str(caught.value)


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        ("BTC/USDT", "spot"),
        ("BTC/USDT:USDT", "swap"),
        ("BTC/USD:BTC", "swap"),
        ("BTC/USDT:USDT-261225", "future"),
        ("BTC/USD:BTC-261225-60000-P", "option"),
        ("ETH/USDT:USDT-261225-0.5-C", "option"),
        ("BTC", None),
        ("BTC/USDT:", None),
        ("BTC/USDT:USDT-2612", None),
    ],
)
def test_the_form_of_a_symbol_tells_its_market(symbol: str, market: str | None) -> None:
    """As ccxt writes them."""
    assert market_type_of(symbol) == market


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://127.0.0.1:8799", True),
        ("http://localhost:8799", True),
        ("https://[::1]:8799", True),
        ("http://127.0.0.1", False),
        ("http://10.0.0.1:8799", False),
        ("http://127.0.0.1.example.com:8799", False),
        ("http://127.0.0.1@example.com:8799", False),
        ("http://user@127.0.0.1:8799", False),
        ("ws://127.0.0.1:8799", False),
        ("http://127.0.0.1:99999", False),
        ("http://[::1", False),
    ],
)
def test_a_loopback_exchange_is_on_this_machine(url: str, accepted: bool) -> None:  # noqa: FBT001 - a parameter
    """Rehearsals send their orders nowhere else."""
    table = f"{{exchange='binance', environment='loopback', symbols=['BTC/USDT'], loopback_url='{url}'}}"
    try:
        load_settings([], overrides=[f"accounts.main={table}"], environ={})
    except ConfigError as error:
        assert "must be http(s):// and an address of this machine" in str(error)  # noqa: PT017 - either may be
        assert not accepted
    else:
        assert accepted


def test_a_loopback_exchange_may_be_told_by_ccxts_urls(load: Load, keys: Path) -> None:
    """Where its protocol has other paths; sockets, too."""
    where = "{api = {rest = 'http://127.0.0.1:1', ws = 'ws://127.0.0.1:1/ws'}}"
    settings = load("", "accounts.main.environment=loopback", f"accounts.main.urls={where}", secrets_dir=keys)
    assert settings.accounts["main"].urls["api"]["ws"] == "ws://127.0.0.1:1/ws"


def test_an_unknown_key_of_an_account_is_refused() -> None:
    """With the nearest that exists."""
    with pytest.raises(
        UnknownKeyError, match=r'accounts\.main\.enviroment: no such key; did you mean "environment"'
    ):
        load_settings([], overrides=["accounts.main.enviroment=sandbox"], environ={})


def test_a_symbol_of_several_accounts_is_qualified() -> None:
    """Each by its account; one that a single account has keeps its name."""
    assert run_symbols({"a": ["BTC/USDT", "ETH/USDT"], "b": ["BTC/USDT"]}) == {
        "BTC/USDT@a": ("a", "BTC/USDT"),
        "BTC/USDT@b": ("b", "BTC/USDT"),
        "ETH/USDT": ("a", "ETH/USDT"),
    }


def test_only_accounts_of_the_run_have_symbols_in_it(load: Load) -> None:
    """Another account with the same symbol does not qualify it."""
    spare = "[accounts.spare]\nexchange = 'kraken'\nenvironment = 'production'\nsymbols = ['BTC/USDT']\n"
    assert load(spare, *PAPER_LIVE).symbols == {"BTC/USDT": ("main", "BTC/USDT")}


TWO = """
[accounts.spare]
exchange = "kraken"
environment = "production"
symbols = ["BTC/USDT", "ETH/EUR"]
"""


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        ("BTC/USDT", "several accounts trade it; write one of BTC/USDT@main, BTC/USDT@spare"),
        ("ETH/EUR@spare", "only one account of this run trades it; write ETH/EUR"),
        (
            "ETH/EUT",
            (
                "no account of this run trades it; add it to accounts.main.symbols or accounts.spare.symbols, "
                'did you mean "ETH/EUR"?'
            ),
        ),
    ],
)
def test_a_symbol_that_no_account_trades_is_refused(load: Load, symbol: str, told: str) -> None:
    """Only what is named may be traded; the message says where to name it."""
    settings = load(TWO, "run.accounts=['main', 'spare']", *PAPER_LIVE)
    settings.refuse_foreign("strategy 'x'", ["BTC/USDT@main", "ETH/EUR"])
    with pytest.raises(ConfigError) as caught:
        settings.refuse_foreign("strategy 'x'", [symbol])
    assert str(caught.value) == f"strategy 'x': {symbol}: {told}"


def test_a_command_may_insist_on_a_mode(write: Write) -> None:
    """A backtest of a live configuration; the sources cannot overrule it."""
    settings = load_settings(
        [write(LIVE)], overrides=["run.mode=paper"], environ={}, forced={"run": {"mode": "backtest"}}
    )
    assert settings.run.mode == "backtest"


def test_a_mode_that_does_not_exist_is_told_whatever_a_command_insists_on(write: Write) -> None:
    """The file is wrong all the same."""
    path = write("[run]\nmode = 'papr'")
    with pytest.raises(ConfigError) as caught:
        load_settings([path], environ={}, forced={"run": {"mode": "backtest"}})
    assert str(caught.value).startswith(f"{path}: run.mode: must be one of")
    assert 'did you mean "paper"?' in str(caught.value)


def test_keys_that_a_command_brings_leave_all_others_alone(write: Write, tmp_path: Path) -> None:
    """A rehearsal has made-up keys, and opens no secrets directory."""
    path = write(LIVE + '[credentials.main]\napi_key = "real"\nsecret = "real"\npassword = "real"\n')
    keys = {"main": {"api_key": "made", "secret": "up"}}
    settings = load_settings([path], environ={}, secrets_dir=tmp_path / "nowhere", forced={"credentials": keys})
    assert settings.credentials["main"].password is None
    assert settings.credentials["main"].is_complete


def test_the_record_s_folder_belongs_to_the_file_that_names_it(write: Write, tmp_path: Path) -> None:
    """Like that of the catalog."""
    path = write("[data.record]\ncatalog = 'kept'", "sub/config.toml")
    assert load_settings([path], environ={}).data.record.catalog == str(tmp_path / "sub" / "kept")
