"""What a wrong key or value is answered with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tradingd.config import load_settings, nearest_hint
from tradingd.errors import ConfigError, UnknownKeyError

Write = Callable[..., Path]


def unknown(*overrides: str) -> str:
    """The message that an unknown key is refused with."""
    with pytest.raises(UnknownKeyError) as caught:
        load_settings([], environ={}, overrides=overrides)
    return str(caught.value)


def wrong(*overrides: str) -> str:
    """The message that a wrong value is refused with."""
    with pytest.raises(ConfigError) as caught:
        load_settings([], environ={}, overrides=overrides)
    return str(caught.value)


def test_an_unknown_key_of_a_file_names_file_key_and_nearest(write: Write) -> None:
    """All that is needed to correct it."""
    path = write("[portfolio]\ninital_cash = 5")
    with pytest.raises(UnknownKeyError) as caught:
        load_settings([path], environ={})
    assert str(caught.value) == f'{path}: portfolio.inital_cash: no such key; did you mean "initial_cash"?'


def test_an_unknown_key_in_an_array_of_tables_is_told_with_its_index(write: Write) -> None:
    """Arrays of tables are checked like tables."""
    path = write('[[strategies]]\nname = "a"\n[[strategies]]\nname = "b"\nparms = {}')
    with pytest.raises(UnknownKeyError, match=r'strategies\[1\]\.parms: no such key; did you mean "params"\?'):
        load_settings([path], environ={})


def test_an_unknown_section_of_the_environment_names_the_variable() -> None:
    """Even where no setting has that beginning."""
    with pytest.raises(
        UnknownKeyError, match="environment variable TRADINGD__FOO__X: foo: no such key; valid are:"
    ):
        load_settings([], environ={"TRADINGD__FOO__X": "1"})


def test_an_unknown_override_is_told_as_such() -> None:
    """With what was typed."""
    assert unknown("risk.limits.max_leverag=2").startswith(
        "--set risk.limits.max_leverag: risk.limits.max_leverag"
    )


def test_every_unknown_key_is_told_at_once(write: Write) -> None:
    """From every source."""
    path = write("[run]\nfoo = 1\n[bar]\nx = 1")
    with pytest.raises(UnknownKeyError) as caught:
        load_settings([path], environ={"TRADINGD__RUN__BAZ": "1"})
    assert len(str(caught.value).splitlines()) == 3


def test_an_unknown_key_in_an_overridden_layer_is_refused_all_the_same(write: Write) -> None:
    """An array that another replaces is checked before it goes."""
    path = write('[[instruments]]\nsymbl = "A"')
    with pytest.raises(UnknownKeyError, match="symbl"):
        load_settings([path], environ={"TRADINGD__INSTRUMENTS": "[]"})


def test_free_parameters_are_not_checked_here() -> None:
    """A strategy knows its own parameters."""
    settings = load_settings(
        [], environ={}, overrides=['strategies=[{name = "x", params = {anything = {deep = 1}}}]']
    )
    assert settings.strategies[0].params == {"anything": {"deep": 1}}


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("runtime.stop_timeout_ms=2000", 'the unit is seconds, write "stop_timeout_s" (1000 ms are 1 s)'),
        ("runtime.stop_timeout=2", 'the unit is seconds, write "stop_timeout_s"'),
        (
            "broker.taker_fee_bps=10",
            'the unit is percent (5 means 5 %), write "taker_fee_percent" (10 bps are 0.1 percent)',
        ),
        ("broker.slippage_percent=1", 'the unit is basis points (100 bps are 1 %), write "slippage_bps"'),
        ("risk.limits.daily_loss=5", 'the unit is percent (5 means 5 %), write "daily_loss_percent"'),
        ("risk.limits.max_order_notional_usd=5", 'write "max_order_notional", it has no unit in its name'),
    ],
)
def test_a_key_with_the_wrong_unit_is_told_the_right_one(override: str, hint: str) -> None:
    """The key is right but for its suffix, so the nearest name is not guessed."""
    assert hint in unknown(override)


def test_a_key_of_another_table_is_told_where_it_belongs() -> None:
    """A right key in a wrong place."""
    assert 'it belongs to "portfolio.initial_cash"' in unknown("broker.initial_cash=5")


@pytest.mark.parametrize(
    ("overrides", "key", "message"),
    [
        (["run.mode=real"], "run.mode", "must be one of 'paper', 'backtest' or 'live' (got 'real')"),
        (["run.mode=papr"], "run.mode", 'did you mean "paper"?'),
        (["run.name=My Bot"], "run.name", "must be lower-case letters and digits"),
        (["portfolio.initial_cash=0"], "portfolio.initial_cash", "must be greater than 0 (got 0)"),
        (["broker.leverage=0.5"], "broker.leverage", "must be at least 1 (got 0.5)"),
        (["broker.leverage=2"], "broker.leverage", '2 needs account = "margin"'),
        (
            ["broker.taker_fee_percent=11"],
            "broker.taker_fee_percent",
            "must be at most 10 (got 11); the unit is percent",
        ),
        (["broker.taker_fee_percent=0.001"], "broker.taker_fee_percent", "write 0.1 if you mean 0.1 %"),
        (["broker.slippage_bps=1001"], "broker.slippage_bps", "the unit is basis points"),
        (["broker.kind=simulatd"], "broker.kind", 'did you mean "simulated"?'),
        (
            ["runtime.stop_timeout_s=2000"],
            "runtime.stop_timeout_s",
            "must be at most 600 (got 2000); the unit is seconds",
        ),
        (["runtime.queue_capacity=15"], "runtime.queue_capacity", "must be at least 16 (got 15)"),
        (["runtime.queue_capacity=true"], "runtime.queue_capacity", "must be a whole number (got true)"),
        (["runtime.queue_capacity=16.5"], "runtime.queue_capacity", "must be a whole number (got 16.5)"),
        (["risk.allow_short=maybe"], "risk.allow_short", "must be true or false (got 'maybe')"),
        (
            ["risk.limits.daily_loss_percent=101"],
            "risk.limits.daily_loss_percent",
            "must be at most 100 (got 101)",
        ),
        (["risk.limits.daily_loss_percent=0.02"], "risk.limits.daily_loss_percent", "write 2 if you mean 2 %"),
        (["risk.limits.max_open_orders=0"], "risk.limits.max_open_orders", "must be at least 1 (got 0)"),
        (["risk.limits.extra=['x']"], "risk.limits.extra[0]", "must name a class as package.module:Class"),
        (
            ["risk.limits.on_daily_loss=halted"],
            "risk.limits.on_daily_loss",
            "does nothing without daily_loss_percent",
        ),
        (["data.symbols=AAPL"], "data.symbols", 'must be an array, such as ["a", "b"]'),
        (["strategies.0.name=x"], "strategies", "given as a whole; one of tables is written [[like.this]]"),
        (["run=3"], "run", "must be a table (got 3)"),
        (["data.interval=1x"], "data.interval", "such as 1m, 1h or 1d (got '1x')"),
        (["data.end=2020-01-01", "data.start=2020-01-02"], "data.end", "2020-01-01 is before start 2020-01-02"),
        (["data.replay.speed=1", "data.replay.duration_s=1"], "data.replay.speed", "are both set"),
        (["data.files=[{symbol = 'A'}]"], "data.files[0].path", "is required"),
        (["instruments=[{symbol = 'A', kind = 'swop'}]"], "instruments[0].kind", 'did you mean "swap"?'),
        (["instruments=[{symbol = 'A', tick = 0}]"], "instruments[0].tick", "must be greater than 0"),
        (["instruments=[{symbol = 'A'}, {symbol = 'A'}]"], "instruments", 'the symbol "A" is given twice'),
        (
            ["instruments=[{symbol='A',min_quantity=2,max_quantity=1}]"],
            "instruments[0].min_quantity",
            "2 is above",
        ),
        (["instruments=[{symbol='A',kind='spot',inverse=true}]"], "instruments[0].inverse", "only a swap"),
        (["strategies=[{name='a',id='x'},{name='b',id='x'}]"], "strategies", 'the id "x" is given twice'),
        (["strategies=[{name='a b'}]"], "strategies[0].name", "must be the name of a strategy"),
        (["execution.instance=123456789"], "execution.instance", "must be 1 to 8 letters and digits"),
        (["risk.sizer.percent=150"], "risk.sizer.percent", "cannot be bought with broker.leverage 1"),
    ],
)
def test_a_wrong_value_names_its_source_its_key_and_what_is_right(
    overrides: list[str], key: str, message: str
) -> None:
    """`source: section.key: what is wrong (got ...)`."""
    text = wrong(*overrides)
    assert text.startswith(f"--set {overrides[0].partition('=')[0]}: {key}: ")
    assert message in text


def test_text_without_quotes_is_told_to_be_quoted(write: Write) -> None:
    """TOML's 5 is no text."""
    with pytest.raises(ConfigError, match=r"must be text \(got 5\); put it in quotes"):
        load_settings([write("[execution]\norder_id_prefix = 5")], environ={})


def test_every_wrong_value_is_told_at_once(write: Write) -> None:
    """Each with the source that decided it."""
    path = write("[broker]\nleverage = 0\nslippage_bps = -1\n[run]\nmode = 'x'")
    with pytest.raises(ConfigError) as caught:
        load_settings([path], environ={"TRADINGD__BROKER__LEVERAGE": "0.5"})
    lines = str(caught.value).splitlines()
    assert lines[0] == "3 problems in the configuration:"
    assert (
        "  environment variable TRADINGD__BROKER__LEVERAGE: broker.leverage: must be at least 1 (got '0.5')"
        in lines
    )
    assert sum(str(path) in line for line in lines) == 2


def test_a_problem_in_a_replaced_array_is_blamed_on_the_array_that_counts(write: Write) -> None:
    """Not on an earlier file that has the key."""
    first = write('[[strategies]]\nname = "a"', "a.toml")
    second = write('[[strategies]]\nid = "a"', "b.toml")
    with pytest.raises(ConfigError, match=r"b\.toml: strategies\[0\]\.name: is required"):
        load_settings([first, second], environ={})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["kind=fixed_notional"], 'kind = "fixed_notional" needs "notional"'),
        (["kind=percent_of_equity"], 'kind = "percent_of_equity" needs "percent"'),
        (["kind=atr_target"], 'needs "risk_percent"'),
        (["quantity=1"], '"quantity" is not of kind = "percent_of_equity"; set kind = "fixed_quantity"'),
        (["atr_period=3"], '"atr_period" is not of kind = "percent_of_equity"; set kind = "atr_target"'),
        (["params={a = 1}"], "only a sizer of your own takes it"),
        (["kind=m:C", "percent=5"], '"percent" is not of kind = "m:C"'),
    ],
)
def test_a_sizer_has_the_fields_of_its_kind(overrides: list[str], message: str) -> None:
    """None missing, none foreign; the message says which."""
    assert message in wrong(*(f"risk.sizer.{text}" for text in overrides))


@pytest.mark.parametrize(
    "table",
    [
        "{}",
        "{percent = 5}",
        "{kind = 'fixed_quantity', quantity = 1}",
        "{kind = 'fixed_notional', notional = 100}",
        "{kind = 'atr_target', risk_percent = 1, atr_period = 20}",
        "{kind = 'my.pkg:Sizer', params = {x = 1}}",
        "{kind = 'fixed_quantity', quantity = 1, percent = 'none'}",
    ],
)
def test_each_kind_of_sizer_can_be_configured(table: str) -> None:
    """With exactly its own fields."""
    assert load_settings([], environ={}, overrides=[f"risk.sizer={table}"]).risk.sizer.kind


def test_sizing_beyond_equity_is_fine_with_leverage() -> None:
    """A margin account can buy more than its equity."""
    overrides = ["risk.sizer.percent=150", "broker.account=margin", "broker.leverage=2"]
    assert load_settings([], environ={}, overrides=overrides).risk.sizer.percent == 150


def test_nearest_hint_lists_all_when_none_is_near() -> None:
    """Sorted, so that the message is stable."""
    assert nearest_hint("zzz", ["b", "a"]) == "valid are: a, b"


def test_nearest_hint_names_the_nearest() -> None:
    """In quotes, ready to copy."""
    assert nearest_hint("slippage", ["slippage_bps", "kind"]) == 'did you mean "slippage_bps"?'
