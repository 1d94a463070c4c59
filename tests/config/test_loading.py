"""Files, environment and overrides, and which of them wins."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tradingd.config import Settings, load_settings
from tradingd.errors import ConfigError

Write = Callable[..., Path]


def test_an_empty_configuration_is_valid() -> None:
    """Every setting has a default."""
    assert load_settings([], environ={}) == Settings()


def test_the_ambient_environment_is_not_read_when_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """`environ` replaces the process's environment, also for sections' bare names."""
    monkeypatch.setenv("TRADINGD__RUN__NAME", "ambient")
    monkeypatch.setenv("RUN", '{"name": "ambient"}')
    assert load_settings([], environ={}).run.name == "tradingd"


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `environ`, os.environ counts."""
    monkeypatch.setenv("TRADINGD__RUN__NAME", "ambient")
    assert load_settings([]).run.name == "ambient"


@pytest.mark.parametrize("name", ["config.toml", "config.yaml", "config.yml"])
def test_decimals_of_files_are_exact(write: Write, name: str) -> None:
    """A number with a point becomes the Decimal of its very digits."""
    text = "0.100000000000000005551115123"
    body = f"[broker]\nslippage_bps = {text}" if name.endswith("toml") else f"broker:\n  slippage_bps: {text}"
    assert load_settings([write(body, name)], environ={}).broker.slippage_bps == Decimal(text)


@pytest.mark.parametrize("value", ["5000", "5000.10", '"5000.10"'])
def test_money_is_text_int_or_decimal(write: Write, value: str) -> None:
    """All exact spellings of an amount are accepted."""
    settings = load_settings([write(f"[portfolio]\ninitial_cash = {value}")], environ={})
    assert str(settings.portfolio.initial_cash) == value.strip('"')


def test_an_environment_number_is_exact() -> None:
    """Decimals from the environment keep their digits."""
    environ = {"TRADINGD__PORTFOLIO__INITIAL_CASH": "0.10"}
    assert str(load_settings([], environ=environ).portfolio.initial_cash) == "0.10"


def test_a_json_number_is_exact() -> None:
    """Decimals inside JSON keep their digits, too."""
    environ = {"TRADINGD__PORTFOLIO": '{"initial_cash": 0.100000000000000005551115123}'}
    cash = load_settings([], environ=environ).portfolio.initial_cash
    assert str(cash) == "0.100000000000000005551115123"


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", '"NaN"', '"Infinity"', "1e400", '"1e400"', "true", '"5 %"']
)
def test_what_is_no_finite_number_is_no_money(write: Write, value: str) -> None:
    """NaN, infinities, absurd sizes, truth values and units in the text are refused."""
    with pytest.raises(ConfigError, match=r"config\.toml: portfolio\.initial_cash"):
        load_settings([write(f"[portfolio]\ninitial_cash = {value}")], environ={})


def test_later_files_win_key_by_key(write: Write) -> None:
    """Tables are merged; a key that the later file leaves out keeps its value."""
    first = write('[broker]\nslippage_bps = 1\nvenue = "A"', "a.toml")
    second = write("broker:\n  slippage_bps: 2\n", "b.yaml")
    broker = load_settings([first, second], environ={}).broker
    assert (broker.slippage_bps, broker.venue) == (2, "A")


def test_arrays_are_replaced_as_a_whole(write: Write) -> None:
    """A later array does not add to an earlier one."""
    first = write('[data]\nsymbols = ["A", "B"]', "a.toml")
    second = write('[data]\nsymbols = ["C"]', "b.toml")
    assert load_settings([first, second], environ={}).data.symbols == ["C"]


def test_overrides_win_over_environment_over_files(write: Write) -> None:
    """The order of the sources, all four at once."""
    path = write("[broker]\nslippage_bps = 1\nmaker_fee_percent = 1\n[portfolio]\ninitial_cash = 1")
    settings = load_settings(
        [path],
        environ={"TRADINGD__BROKER__SLIPPAGE_BPS": "2", "TRADINGD__BROKER__MAKER_FEE_PERCENT": "2"},
        overrides=["broker.slippage_bps=3"],
    )
    broker = settings.broker
    assert (broker.slippage_bps, broker.maker_fee_percent, settings.portfolio.initial_cash) == (3, 2, 1)
    assert broker.taker_fee_percent == Decimal("0.1")


def test_environment_names_are_case_insensitive() -> None:
    """Lower-case variables count like upper-case ones."""
    assert load_settings([], environ={"tradingd__Run__name": "x"}).run.name == "x"


def test_the_more_particular_variable_wins() -> None:
    """A variable for a key is stronger than one for its table."""
    environ = {
        "TRADINGD__RUN__NAME": "particular",
        "TRADINGD__RUN": '{"name": "table", "mode": "backtest"}',
    }
    run = load_settings([], environ=environ).run
    assert (run.name, run.mode) == ("particular", "backtest")


def test_lists_from_the_environment_are_json() -> None:
    """Arrays, and arrays of tables, are given as JSON."""
    environ = {"TRADINGD__STRATEGIES": '[{"name": "ma_crossover", "params": {"fast_ma": 10}}]'}
    assert load_settings([], environ=environ).strategies[0].params == {"fast_ma": 10}


@pytest.mark.parametrize("text", ['["A",', '{"a": 1, "a": 2}', "[" * 100_000, "[1e99999999999999999999]"])
def test_broken_json_is_told_with_its_variable(text: str) -> None:
    """What begins like JSON and is not names the variable."""
    with pytest.raises(ConfigError, match="environment variable TRADINGD__DATA: is not valid JSON"):
        load_settings([], environ={"TRADINGD__DATA": text})


@pytest.mark.parametrize("name", ["TRADINGD__", "TRADINGD__RUN__", "TRADINGD____NAME"])
def test_a_variable_with_an_empty_part_is_refused(name: str) -> None:
    """Such a name is a mistake, not a setting."""
    with pytest.raises(ConfigError, match=name):
        load_settings([], environ={name: "x"})


def test_override_values_are_toml_or_text() -> None:
    """TOML where it parses, text where it does not, and text where text is wanted."""
    overrides = ["data.symbols=['A']", "data.prices=adjusted", "data.start=2020-01-02", "run.name=7", "run.mode="]
    with pytest.raises(ConfigError, match="got ''"):
        load_settings([], environ={}, overrides=overrides)
    settings = load_settings([], environ={}, overrides=overrides[:-1])
    assert settings.data.symbols == ["A"]
    assert (settings.data.prices, settings.data.start, settings.run.name) == ("adjusted", date(2020, 1, 2), "7")


def test_later_overrides_win() -> None:
    """The last `--set` of a key counts."""
    assert load_settings([], environ={}, overrides=["run.name=a", "run.name=b"]).run.name == "b"


@pytest.mark.parametrize("text", ["run.name", "=x", "run..name=x", ""])
def test_a_malformed_override_is_refused(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(ConfigError, match=r"write section\.key=value"):
        load_settings([], environ={}, overrides=[text])


def test_the_word_none_unsets_what_an_earlier_file_set(write: Write) -> None:
    """TOML has no null; the text "none" turns a limit off."""
    first = write("[risk.limits]\nmax_open_orders = 3\nmax_leverage = 2", "a.toml")
    second = write('[risk.limits]\nmax_open_orders = "none"', "b.toml")
    limits = load_settings([first, second], environ={}).risk.limits
    assert (limits.max_open_orders, limits.max_leverage) == (None, 2)


def test_an_empty_yaml_table_changes_nothing(write: Write) -> None:
    """A table whose keys are all commented out is null to YAML; it is no table of nulls to us."""
    first = write("[risk.limits]\nmax_open_orders = 3", "a.toml")
    second = write("risk:\n  limits:\n    # max_open_orders: 4\n", "b.yaml")
    assert load_settings([first, second], environ={}).risk.limits.max_open_orders == 3


@pytest.mark.parametrize("suffix", ["toml", "yaml"])
def test_an_empty_file_is_valid(write: Write, suffix: str) -> None:
    """It sets nothing."""
    assert load_settings([write("", f"empty.{suffix}")], environ={}).run.name == "tradingd"


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """Windows editors write one."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[run]\r\nname = 'x'\r\n")
    assert load_settings([path], environ={}).run.name == "x"


def test_paths_are_relative_to_the_file_that_names_them(write: Write, tmp_path: Path) -> None:
    """Each file's paths are its own; `pkg:` paths stay."""
    first = write("[data]\ncatalog = 'history'", "one/a.toml")
    second = write(
        "data:\n  files:\n    - {symbol: A, path: ../a.csv}\n    - {symbol: B, path: 'pkg:p/b.csv'}", "two/b.yaml"
    )
    data = load_settings([first, second], environ={}).data
    assert data.catalog == str(tmp_path / "one" / "history")
    assert [file.path for file in data.files] == [str(tmp_path / "a.csv"), "pkg:p/b.csv"]


def test_paths_of_overrides_are_relative_to_the_working_directory() -> None:
    """A path typed in a shell means what the shell means."""
    settings = load_settings([], environ={}, overrides=["data.catalog=history"])
    assert settings.data.catalog == str(Path.cwd() / "history")


def test_base_dir_is_the_folder_of_the_first_file(write: Write, tmp_path: Path) -> None:
    """Whatever comes later."""
    files = [write("", "one/a.toml"), write("", "two/b.toml")]
    assert load_settings(files, environ={}).base_dir == tmp_path / "one"


def test_base_dir_without_files_is_the_working_directory() -> None:
    """There is nothing else it could be."""
    assert load_settings([], environ={}).base_dir == Path.cwd()


@pytest.mark.parametrize("value", ["2020-01-02", '"2020-01-02"'])
def test_a_date_is_a_date(write: Write, value: str) -> None:
    """TOML dates and text give the same."""
    assert load_settings([write(f"[data]\nstart = {value}")], environ={}).data.start == date(2020, 1, 2)


@pytest.mark.parametrize("value", ["2020-01-02T03:04:05", '"2020-01-02T03:04:05Z"', "2020-01-02T05:04:05+02:00"])
def test_a_moment_has_a_zone(write: Write, value: str) -> None:
    """Without one it is UTC."""
    start = load_settings([write(f"[data]\nstart = {value}")], environ={}).data.start
    assert start == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2020", '"yesterday"', "12:30:00", "true"])
def test_what_is_no_date_is_refused(write: Write, value: str) -> None:
    """A bare number is not taken for seconds since 1970."""
    with pytest.raises(ConfigError, match=r"data\.start: must be a date"):
        load_settings([write(f"[data]\nstart = {value}")], environ={})


def test_an_end_on_the_day_of_the_start_is_in_order() -> None:
    """The end date is the whole day."""
    overrides = ["data.start=2020-01-02T10:00:00Z", "data.end=2020-01-02"]
    assert load_settings([], environ={}, overrides=overrides).data.end == date(2020, 1, 2)


def test_where_a_value_came_from_can_be_asked(write: Write) -> None:
    """By dotted key, the strongest source that set it."""
    path = write("[run]\nname = 'x'\nmode = 'backtest'")
    sources = load_settings([path], environ={"TRADINGD__RUN__NAME": "y"}).describe_sources()
    assert sources == {"run.mode": str(path), "run.name": "environment variable TRADINGD__RUN__NAME"}


def test_importing_is_lean() -> None:
    """Reading configuration needs no exchange library and no arrays."""
    code = "import sys, tradingd.config; print({'ccxt', 'pyarrow', 'numpy', 'pandas'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "set()\n"
