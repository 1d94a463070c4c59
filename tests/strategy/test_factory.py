"""The strategy factory: names, ids, classes of one's own, and what it says about parameters."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.strategy.harness import Harness
from tradingd.errors import ConfigError, StrategyError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.donchian_breakout import DonchianBreakout
from tradingd.strategy.factory import BUILTIN_STRATEGIES, StrategyFactory, load_strategy_class
from tradingd.strategy.ma_crossover import MovingAverageCrossover
from tradingd.strategy.rsi_reversion import RsiReversion


class Silent(Strategy):
    """A strategy of one's own."""


NOT_A_STRATEGY = object()


@pytest.fixture
def factory() -> StrategyFactory:
    """A factory whose strategies get a real context."""
    harness = Harness("ma_crossover")
    return StrategyFactory(harness._context)


def message(factory: StrategyFactory, name: str, **params: Any) -> str:
    """What the factory says about wrong parameters."""
    with pytest.raises(ConfigError) as caught:
        factory.create(name, params)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("donchian_breakout", DonchianBreakout),
        ("ma_crossover", MovingAverageCrossover),
        ("rsi_reversion", RsiReversion),
    ],
)
def test_a_shipped_strategy_is_created_by_name(factory: StrategyFactory, name: str, cls: type[Strategy]) -> None:
    """A name and a symbol are enough, for every shipped strategy."""
    strategy = factory.create(name, {"symbol": "AAPL"})
    assert type(strategy) is cls
    assert strategy.strategy_id == name
    assert strategy.symbols == ("AAPL",)
    assert strategy.warmup_bars > 0


@pytest.mark.parametrize(
    ("name", "params", "symbols"),
    [
        ("cross_sectional_momentum", {"symbols": ["A", "B"], "top": 1, "capital": "1000"}, ("A", "B")),
        ("dca", {"symbol": "A", "notional": "100", "every_bars": 5}, ("A",)),
        ("grid", {"symbol": "A", "lower": "90", "upper": "110", "quantity": "1"}, ("A",)),
        ("market_maker", {"symbol": "A", "quantity": "1", "max_inventory": "5"}, ("A",)),
        ("pairs", {"a": "A", "b": "B"}, ("A", "B")),
    ],
)
def test_what_needs_more_than_a_symbol_needs_no_more_than_this(
    factory: StrategyFactory, name: str, params: dict[str, Any], symbols: tuple[str, ...]
) -> None:
    """The least that each of the others has to be told, and what it then follows."""
    strategy = factory.create(name, params)
    assert (strategy.strategy_id, strategy.symbols) == (name, symbols)


def test_every_shipped_strategy_is_there_and_described() -> None:
    """Each name leads to a class whose parameters all tell what they mean."""
    for name in BUILTIN_STRATEGIES:
        for field in load_strategy_class(name).Params.model_fields.values():
            assert field.description


def test_the_specified_example_works(factory: StrategyFactory) -> None:
    """The call from the specification gives averages of 10 and 30 bars."""
    strategy = factory.create("ma_crossover", {"symbol": "AAPL", "fast_ma": 10, "slow_ma": 30})
    assert strategy.params == MovingAverageCrossover.Params(symbol="AAPL", fast_ma=10, slow_ma=30, long_only=True)
    assert strategy.warmup_bars == 30


def test_ids_are_numbered_from_the_second_on(factory: StrategyFactory) -> None:
    """Strategies without an id of their own are told apart by a number."""
    ids = [factory.create("ma_crossover", {"symbol": "X"}).strategy_id for _ in range(3)]
    assert ids == ["ma_crossover", "ma_crossover-2", "ma_crossover-3"]


def test_an_id_may_be_chosen_once(factory: StrategyFactory) -> None:
    """Two strategies with the same chosen id are refused."""
    assert factory.create("ma_crossover", {"symbol": "X"}, "mine").strategy_id == "mine"
    with pytest.raises(ConfigError, match="two strategies have the id 'mine'"):
        factory.create("ma_crossover", {"symbol": "X"}, "mine")


def test_a_class_of_ones_own_is_named_by_module_and_class(factory: StrategyFactory) -> None:
    """`package.module:Class` loads that class; its id is the class name."""
    strategy = factory.create(f"{__name__}:Silent")
    assert type(strategy).__name__ == "Silent"
    assert strategy.strategy_id == "Silent"
    assert strategy.symbols == ()


def test_what_is_no_strategy_is_refused(factory: StrategyFactory) -> None:
    """A path to something else says so."""
    assert "is not a subclass of tradingd.strategy.base.Strategy" in message(factory, f"{__name__}:NOT_A_STRATEGY")


def test_a_missing_class_is_named(factory: StrategyFactory) -> None:
    """A path to a class that is not there names it."""
    assert "has no 'Lost'" in message(factory, "tradingd.strategy.ma_crossover:Lost")


def test_a_missing_module_is_named(factory: StrategyFactory) -> None:
    """A path to a module that is not there names it and says where to look."""
    text = message(factory, "no_such_module_here:Thing")
    assert "cannot import 'no_such_module_here'" in text
    assert "PYTHONPATH" in text


def test_a_misspelt_name_is_answered_with_the_nearest(factory: StrategyFactory) -> None:
    """A typing error in a strategy's name gets a suggestion."""
    assert "did you mean 'ma_crossover'?" in message(factory, "ma_crosover", symbol="X")
    assert "known are cross_sectional_momentum, dca, donchian_breakout, grid" in message(
        factory, "zzz", symbol="X"
    )


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("ma_crossover", {}, "symbol: Field required"),
        ("ma_crossover", {"symbol": ""}, "symbol: String should have at least 1 character"),
        ("ma_crossover", {"symbol": "X", "fast": 3}, "fast: no such parameter"),
        ("ma_crossover", {"symbol": "X", "fast_m": 3}, "fast_m: no such parameter; did you mean 'fast_ma'?"),
        ("ma_crossover", {"symbol": "X", "fast_ma": 0}, "fast_ma: Input should be greater than or equal to 1"),
        ("ma_crossover", {"symbol": "X", "slow_ma": "many"}, "slow_ma: Input should be a valid integer"),
        ("ma_crossover", {"symbol": "X", "fast_ma": 30}, "fast_ma (30) must be smaller than slow_ma (30)"),
        ("rsi_reversion", {"symbol": "X", "period": 1}, "period: Input should be greater than or equal to 2"),
        ("rsi_reversion", {"symbol": "X", "oversold": 100}, "oversold: Input should be less than 100"),
        ("rsi_reversion", {"symbol": "X", "oversold": "nan"}, "oversold: Input should be"),
        ("rsi_reversion", {"symbol": "X", "exit": 30}, "oversold (30) < exit (30) <= overbought (70)"),
        ("rsi_reversion", {"symbol": "X", "exit": 71}, "oversold (30) < exit (71) <= overbought (70)"),
        (
            "donchian_breakout",
            {"symbol": "X", "atr_stop": -1},
            "atr_stop: Input should be greater than or equal to 0",
        ),
        ("dca", {"symbol": "X", "notional": "100"}, "give either interval_s or every_bars"),
        ("dca", {"symbol": "X", "notional": "100", "interval_s": 1, "every_bars": 1}, "give either interval_s or"),
        (
            "dca",
            {"symbol": "X", "notional": "100", "every_bars": 1, "dip_notional": "5"},
            "dip_notional does nothing without dip_percent",
        ),
        ("dca", {"symbol": "X", "notional": "-1", "every_bars": 1}, "notional: Input should be greater than 0"),
        ("donchian_breakout", {"symbol": "X", "exit_period": 21}, "exit_period (21) must not be greater than"),
    ],
)
def test_a_wrong_parameter_is_explained(
    factory: StrategyFactory, name: str, params: dict[str, Any], said: str
) -> None:
    """The message names the strategy, the parameter and what is wrong with it."""
    text = message(factory, name, **params)
    assert text.startswith(f"strategy '{name}': ")
    assert said in text


def test_parameters_cannot_be_changed(factory: StrategyFactory) -> None:
    """Validated parameters are frozen."""
    params = factory.create("ma_crossover", {"symbol": "X"}).params
    with pytest.raises(ValueError, match="frozen"):
        params.fast_ma = 99


def test_a_strategy_of_no_run_says_so() -> None:
    """A strategy made without the factory cannot trade and tells why."""
    with pytest.raises(StrategyError, match="belongs to no run yet"):
        _ = Silent(StrategyParams(), "alone").now


BROKEN = {
    "class S(Strategy:\n": "cannot import 'broken': SyntaxError: .*broken.py, line 2",
    "1 / 0\n": r"cannot import 'broken': ZeroDivisionError: division by zero \(broken.py:2 in <module>\)",
    "import sys\nsys.exit(3)\n": r"cannot import 'broken': SystemExit: 3 \(broken.py:3",
    "class S(Strategy):\n    def __init__(self):\n        pass\n": "cannot be made: TypeError: .*__init__",
    "class S(Strategy):\n    def __init__(self, *args):\n        super().__init__(*args)\n        self.now\n":
        r"cannot be made: StrategyError: S belongs to no run yet.*belongs into on_start",
    "class S(Strategy):\n    warmup_bars = 'ten'\n": "cannot be made: TypeError",
    "class S(Strategy):\n    async def on_bar(self, bar):\n        pass\n": "on_bar is `async def`",
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_a_strategy_that_cannot_be_loaded_says_where(
    factory: StrategyFactory, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strategy file with a mistake is one configuration error with the place of the mistake, whatever it is."""
    (tmp_path / "broken.py").write_text("from tradingd.strategy.base import Strategy\n" + code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    with pytest.raises(ConfigError, match=BROKEN[code]):
        factory.create("broken:S")
    sys.modules.pop("broken", None)
