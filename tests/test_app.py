"""The composition root: what is built, and what is refused before a run."""

from pathlib import Path
from typing import Any

import pytest

from tradingd import bootstrap
from tradingd.app import load_market_data, make_strategies, register_all
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import OrderStatus
from tradingd.errors import ConfigError, DataError, UsageError
from tradingd.runtime.async_manager import AsyncEventManager
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.strategy.base import Strategy

SAMPLE = '[data]\ncatalog = "pkg:tradingd/sample_data"\ninterval = "1d"\n'
STRATEGY = '[[strategies]]\nname = "ma_crossover"\nparams = { symbol = "AAPL" }\n'


def build(folder: Path, text: str, *overrides: str) -> Any:
    """A container built from this configuration."""
    (folder / "c.toml").write_text(text)
    return bootstrap([folder / "c.toml"], overrides=overrides, environ={})


def prepare(folder: Path, text: str, *overrides: str) -> Any:
    """The same, with its strategies made and its data loaded."""
    container = build(folder, text, *overrides)
    load_market_data(container, make_strategies(container))
    return container


def test_the_container_has_the_specified_parts(tmp_path: Path) -> None:
    """All parts of the public vocabulary can be taken out by name."""
    container = build(tmp_path, SAMPLE + STRATEGY)
    parts = (
        "portfolio_manager", "risk_manager", "broker", "execution_engine", "event_manager", "event_bus",
        "strategy_factory", "data_handler", "position_sizer", "config",
    )  # fmt: skip
    assert all(container.get(name) is not None for name in parts)
    assert container.get("event_bus") is container.get("event_manager")


def test_a_wrong_part_name_gets_the_nearest(tmp_path: Path) -> None:
    """A part that is not there is told with the nearest that is."""
    with pytest.raises(UsageError, match="no part called 'portfolio'; did you mean 'portfolio_manager'"):
        build(tmp_path, SAMPLE).get("portfolio")


def test_modes_differ_in_the_driver_only(tmp_path: Path) -> None:
    """Backtest and paper get another event manager and the same broker."""
    paper = build(tmp_path, SAMPLE)
    back = build(tmp_path, SAMPLE, "run.mode=backtest")
    assert type(paper.get("event_manager")) is AsyncEventManager
    assert type(back.get("event_manager")) is SyncEventManager
    assert type(paper.get("broker")) is type(back.get("broker")) is SimulatedBroker


def test_configuration_sections_can_be_read(tmp_path: Path) -> None:
    """`get_section` gives values by type and the whole section as a dict."""
    section = build(tmp_path, "[portfolio]\ninitial_cash = 5000\n").get("config").get_section("portfolio")
    assert section.get_float("initial_cash") == 5000.0
    assert section.as_dict()["currency"] == "USD"


def test_a_run_needs_a_strategy(tmp_path: Path) -> None:
    """Without a strategy the error shows how to add one."""
    with pytest.raises(ConfigError, match=r"no strategy is configured; add one, for example:\n\[\[strategies\]\]"):
        prepare(tmp_path, SAMPLE)


def test_a_run_needs_data(tmp_path: Path) -> None:
    """Without catalog and files the error names the keys to set."""
    with pytest.raises(DataError, match=r"no data for 'AAPL'.*data\.catalog.*data\.files"):
        prepare(tmp_path, STRATEGY)


def test_a_missing_catalog_is_named(tmp_path: Path) -> None:
    """A catalog folder that is not there is told with its path."""
    with pytest.raises(DataError, match="nowhere"):
        build(tmp_path, '[data]\ncatalog = "nowhere"\n')


def test_bars_of_a_file_need_their_interval(tmp_path: Path) -> None:
    """A file of bars without an interval is refused with an example."""
    with pytest.raises(ConfigError, match='interval = "1m"'):
        build(tmp_path, '[[data.files]]\nsymbol = "AAPL"\npath = "x.csv"\n')


def test_a_currency_that_cannot_be_valued_is_refused_before_the_run(tmp_path: Path) -> None:
    """A symbol settled in a currency without a rate is refused, with both ways to mend it."""
    text = SAMPLE.replace("1d", "1h") + STRATEGY.replace("AAPL", "EUR/USD")
    prepare(tmp_path, text)
    with pytest.raises(ConfigError, match=r'EUR/USD is settled in USD.*portfolio\.currency = "USD".*USD/CHF'):
        prepare(tmp_path, text, "portfolio.currency=CHF")


def test_a_quoted_currency_is_valued_through_its_pair(tmp_path: Path) -> None:
    """With EUR as the account's currency, EUR/USD itself tells what a dollar is worth."""
    text = SAMPLE.replace("1d", "1h") + STRATEGY.replace("AAPL", "EUR/USD")
    container = prepare(tmp_path, text, "portfolio.currency=EUR")
    assert container.get("portfolio_manager").can_price("USD")


def test_a_wrong_strategy_is_told_by_its_place(tmp_path: Path) -> None:
    """Of several strategies the one with the mistake is named by its number in the configuration."""
    with pytest.raises(ConfigError, match=r"\[\[strategies\]\] number 2: no strategy is called 'ma_crosover'"):
        prepare(tmp_path, SAMPLE + STRATEGY + STRATEGY.replace("crossover", "crosover"))


def test_a_strategy_without_symbols_is_refused(tmp_path: Path) -> None:
    """A strategy that asks for no market data would never do anything."""
    text = SAMPLE + '[[strategies]]\nname = "tests.test_app:Deaf"\n'
    with pytest.raises(ConfigError, match="'Deaf' asks for no market data"):
        prepare(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('broker.kind="tests.test_app:Deaf"', "not a subclass of tradingd.broker.base.Broker"),
        ('risk.sizer={kind="tests.test_app:Deaf"}', "has no method 'calculate_position_size'"),
        ('risk.limits.extra=["tests.test_app:Deaf"]', "has no method 'check'"),
        ('risk.limits.extra=["no.such:Limit"]', "cannot import 'no.such'"),
        ('risk.limits.extra=["tests.test_app:Nothing"]', "has no 'Nothing'"),
    ],
)
def test_own_classes_are_checked_when_built(tmp_path: Path, line: str, message: str) -> None:
    """A class of the user's that is missing or of the wrong kind is told before the run."""
    with pytest.raises(ConfigError, match=message):
        build(tmp_path, SAMPLE, line)


def test_modules_beside_the_configuration_are_found(tmp_path: Path) -> None:
    """A strategy in a file beside the configuration needs no PYTHONPATH."""
    (tmp_path / "beside_the_config.py").write_text(
        "from tradingd.strategy.ma_crossover import MovingAverageCrossover\n"
        "class Mine(MovingAverageCrossover):\n    '''Mine.'''\n"
    )
    text = SAMPLE + STRATEGY.replace("ma_crossover", "beside_the_config:Mine")
    container = build(tmp_path, text)
    assert [strategy.strategy_id for strategy in make_strategies(container)] == ["Mine"]


class Deaf(Strategy):
    """A strategy that hears nothing, and nothing else."""


def test_the_symbol_that_prices_a_fee_coin_has_to_be_there(tmp_path: Path) -> None:
    """A fee in a coin whose symbol nobody knows is told before the run."""
    config = tmp_path / "c.toml"
    config.write_text('[broker.fees]\nkind = "third_coin"\ncoin = "BNB"\ncoin_symbol = "BNBUSD"\n')
    with pytest.raises(ConfigError, match="there is no 'BNBUSD'"):
        bootstrap([config], environ={})


# --- execution -----------------------------------------------------------------------------------------------

OWN = """
from tradingd.execution.algorithms.base import Algorithm

class Sniper(Algorithm):
    def accept(self, parent, params):
        pass

    def advance(self, parent):
        pass
"""


def test_the_shipped_algorithms_and_own_ones_are_built(tmp_path: Path) -> None:
    """A user's algorithm beside the configuration is built beside the shipped ones, and orders may name it."""
    (tmp_path / "my_sniper.py").write_text(OWN)
    text = '[execution]\nalgorithms = { sniper = "my_sniper:Sniper" }\nvolume_curves = { day = [3, 1.5] }\n'
    container = build(tmp_path, SAMPLE + text)
    algorithms = {algorithm.name: algorithm for algorithm in container.get("algorithms")}
    assert list(algorithms) == ["iceberg", "twap", "vwap", "sniper"]
    assert type(algorithms["sniper"]).__name__ == "Sniper"
    assert algorithms["vwap"].curves == {"day": "3,1.5"}


@pytest.mark.parametrize("path", ["tests.test_app:nothing", "tradingd.strategy.base:Strategy"])
def test_what_is_no_algorithm_is_refused(tmp_path: Path, path: str) -> None:
    """A class that does not exist, or is no Algorithm, is told before the run."""
    with pytest.raises(ConfigError, match=f"algorithm {path!r}"):
        build(tmp_path, SAMPLE + f'[execution]\nalgorithms = {{ own = "{path}" }}\n')


def test_a_curve_needs_volume(tmp_path: Path) -> None:
    """A curve of nothing but zeros is refused."""
    with pytest.raises(ConfigError, match="the curve 'day' needs a number above 0"):
        build(tmp_path, SAMPLE + "[execution]\nvolume_curves = { day = [0, 0] }\n")


def test_a_default_unfilled_timeout(tmp_path: Path) -> None:
    """The configured timeout cancels a resting limit order that has no word of its own."""
    script = """
from tradingd.strategy.base import Strategy, StrategyParams

class Once(Strategy):
    class Params(StrategyParams):
        symbol: str

    def on_bar(self, bar):
        if not getattr(self, "asked", False):
            self.asked = True
            self.buy(bar.symbol, 1, limit=0.01)
"""
    (tmp_path / "my_once.py").write_text(script)
    text = '[[strategies]]\nname = "my_once:Once"\nparams = { symbol = "AAPL" }\n'
    for timeout, status in (
        ("", OrderStatus.OPEN),
        ("[execution]\nunfilled_timeout_s = 90000\n", OrderStatus.CANCELED),
    ):
        container = build(tmp_path, SAMPLE + timeout + text, "run.mode=backtest", "data.end=2000-04-01")
        strategies = make_strategies(container)
        load_market_data(container, strategies)
        register_all(container, strategies)
        for event in container.get("data_handler").stream():
            container.get("event_manager").publish(event)
        assert container.get("execution_engine").get_order("t1-1-1").status is status
