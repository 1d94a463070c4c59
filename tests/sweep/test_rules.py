"""What the kernel does not simulate is refused; nothing configured is passed over."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.sweep.parts import refusal, settings_for, write_rows
from tradingd.config import LimitSettings, Settings, load_settings
from tradingd.domain.enums import InstrumentKind
from tradingd.domain.instrument import Instrument
from tradingd.errors import UsageError
from tradingd.sweep.rules import refuse_unmodelled
from tradingd.sweep.runner import prepare
from tradingd.testing import make_instrument

MINUTE = 60_000_000_000
ROWS = [(100.0, 101.0, 99.0, 100.5)] * 4


def configured(folder: Path, text: str) -> Settings:
    """Settings from a file's text."""
    (folder / "c.toml").write_text(text)
    return load_settings([folder / "c.toml"], environ={})


def refused(settings: Settings, instrument: Instrument | None = None, interval_ns: int = MINUTE) -> str:
    """What the settings are refused for; empty when they are taken."""
    try:
        refuse_unmodelled(settings, instrument or make_instrument(), interval_ns)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[risk.sizer]\nkind = "atr_target"\nrisk_percent = 1', "risk.sizer.kind = 'atr_target'"),
        ('[risk.sizer]\nkind = "my:Sizer"', "risk.sizer.kind = 'my:Sizer'"),
        ("[risk.limits]\nmax_repeats = 3", "risk.limits.max_repeats = 3"),
        ("[risk.limits]\nextra = ['my:Limit']", "risk.limits.extra = ['my:Limit']"),
        ('[broker]\nkind = "my:Broker"', "broker.kind = 'my:Broker'"),
        ('[[data.actions]]\npath = "a.csv"', "data.actions"),
        ('[portfolio]\ncurrency = "EUR"', "settled in USD, not in portfolio.currency"),
    ],
)
def test_what_is_not_simulated_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """A sizer, limit, broker or currency beyond the kernel is named, with what to do."""
    message = refused(configured(tmp_path, text))
    assert said in message
    assert "tradingd backtest" in message


def test_all_that_is_not_simulated_is_told_at_once(tmp_path: Path) -> None:
    """One refusal names everything, so that one look is enough to mend it."""
    message = refused(configured(tmp_path, '[broker]\nkind = "my:Broker"\n[risk.limits]\nmax_repeats = 3'))
    assert "broker.kind" in message
    assert "max_repeats" in message


def test_contracts_are_refused(tmp_path: Path) -> None:
    """A swap's margin is not simulated."""
    swap = make_instrument(kind=InstrumentKind.SWAP)
    assert "contracts such as" in refused(configured(tmp_path, ""), swap)


@pytest.mark.parametrize(
    "text",
    [
        "[risk.limits]\nmax_orders_per_minute = 1",
        '[risk.limits]\nmax_drawdown_percent = 5\non_drawdown = "flatten"',
    ],
)
def test_short_bars_make_some_limits_count(text: str, tmp_path: Path) -> None:
    """Limits that cannot strike on bars of a minute are refused on bars of a second."""
    settings = configured(tmp_path, text)
    assert not refused(settings)
    assert refused(settings, interval_ns=MINUTE // 60)


def test_every_limit_is_simulated_cannot_strike_or_is_refused(tmp_path: Path) -> None:
    """A limit that is added to the configuration is refused by the sweep until somebody has thought of it."""
    everything = {
        "max_repeats": "3",
        "extra": "['my:Limit']",
        "on_daily_loss": '"no_new"\ndaily_loss_percent = 1',
        "on_drawdown": '"no_new"\nmax_drawdown_percent = 1',
        "prevent_self_match": "false",
    }
    taken = set()
    for name in LimitSettings.model_fields:
        settings = configured(tmp_path, f"[risk.limits]\n{name} = {everything.get(name, '2')}")
        if not refused(settings):
            taken.add(name)
    assert set(LimitSettings.model_fields) - taken == {"max_repeats", "extra"}


@pytest.mark.parametrize(
    ("more", "account", "said"),
    [
        ("", '[data]\nsymbols = ["Y/USD"]', "one symbol, these are X/USD, Y/USD"),
        ("", '[[strategies]]\nname = "rsi_reversion"\nparams = { symbol = "X/USD" }', "one strategy, 2 are"),
        ("", '[[data.files]]\nsymbol = "X/USD"\nkind = "trades"\npath = "t.parquet"', "one series of bars"),
        ('lot = "1e-9"', "[portfolio]\ninitial_cash = 1000000", "64-bit numbers"),
    ],
)
def test_settings_beyond_one_series_of_bars_are_refused(
    more: str, account: str, said: str, tmp_path: Path
) -> None:
    """Several symbols, strategies or kinds of data, and an account too finely divided, are told before any run."""
    write_rows(tmp_path / "bars.parquet", ROWS)
    import pyarrow as pa
    import pyarrow.parquet as pq

    trades = {"timestamp": [1], "price": [1.0], "amount": [1.0], "side": ["buy"]}
    pq.write_table(pa.table(trades), tmp_path / "t.parquet")
    lot = "0.000000001" if more else "0.001"
    assert said in refusal(settings_for(tmp_path, tmp_path / "bars.parquet", account, lot=lot))


def test_shares_with_too_many_digits_are_refused(tmp_path: Path) -> None:
    """A percentage whose fraction does not fit the kernel's numbers is told."""
    write_rows(tmp_path / "bars.parquet", ROWS)
    percent = Decimal("33.33333333333333333333")
    account = f"[risk.limits]\nmax_gross_exposure_percent = {percent}"
    assert "round them" in refusal(settings_for(tmp_path, tmp_path / "bars.parquet", account))


def test_a_margin_account_that_can_be_liquidated_is_refused(tmp_path: Path) -> None:
    """The kernel liquidates nothing, so it must be turned off by name."""
    margin = '[broker]\naccount = "margin"\nleverage = 3\n'
    assert "liquidation" in refused(configured(tmp_path, margin))
    assert not refused(configured(tmp_path, f"{margin}maintenance_margin_percent = 0\n"))


def test_a_stop_inside_bars_is_refused(tmp_path: Path) -> None:
    """Donchian's protective stop fills inside bars, which the kernel cannot tell: it is swept without one."""
    write_rows(tmp_path / "bars.parquet", ROWS)
    account = "[risk.sizer]\nkind = 'fixed_quantity'\nquantity = 1\n"
    made = settings_for(tmp_path, tmp_path / "bars.parquet", account, strategy="donchian_breakout")
    simulation = prepare(made)
    params = simulation.strategy.Params.model_validate({"symbol": "X/USD"})
    with pytest.raises(UsageError, match=r"atr_stop is 2\.0; with 0 it sweeps the channels alone"):
        simulation.fills(params)
