"""Strategies by name: a dict, a path `package.module:Class`, or an installed entry point."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from tradingd.domain.loading import check_class, explain, load_class
from tradingd.errors import ConfigError, StrategyError
from tradingd.strategy.base import Strategy
from tradingd.strategy.context import StrategyContext
from tradingd.strategy.timeframes import BarInput

__all__ = ["BUILTIN_STRATEGIES", "ENTRY_POINT_GROUP", "StrategyFactory", "load_strategy_class"]

BUILTIN_STRATEGIES: Mapping[str, str] = {
    "cross_sectional_momentum": "tradingd.strategy.cross_sectional_momentum:CrossSectionalMomentum",
    "dca": "tradingd.strategy.dca:DollarCostAveraging",
    "donchian_breakout": "tradingd.strategy.donchian_breakout:DonchianBreakout",
    "grid": "tradingd.strategy.grid:Grid",
    "ma_crossover": "tradingd.strategy.ma_crossover:MovingAverageCrossover",
    "market_maker": "tradingd.strategy.market_maker:MarketMaker",
    "pairs": "tradingd.strategy.pairs:Pairs",
    "rsi_reversion": "tradingd.strategy.rsi_reversion:RsiReversion",
}
"""The shipped strategies."""

ENTRY_POINT_GROUP = "tradingd.strategies"
"""Installed packages offer strategies under this entry-point group."""


def load_strategy_class(name: str) -> type[Strategy]:
    """The class behind a shipped name, an entry point or `package.module:Class`.

    Raises:
        ConfigError: there is no such strategy; the message names the nearest that there is.

    """
    path = BUILTIN_STRATEGIES.get(name)
    if path is None and ":" in name:
        path = name
    if path is not None:
        return load_class(path, Strategy, "strategy")
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if name in installed:
        return check_class(installed[name].load(), Strategy, f"strategy {name!r}")
    known = sorted({*BUILTIN_STRATEGIES, *installed})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    raise ConfigError(f"no strategy is called {name!r}; {hint}. Your own is named by 'package.module:Class'")


class StrategyFactory:
    """Creates strategies and binds each to the run."""

    def __init__(self, make_context: Callable[[str], StrategyContext]) -> None:
        self._make_context = make_context
        self._ids: set[str] = set()

    def create(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        strategy_id: str = "",
        *,
        bars: str | None = None,
        bars_from: BarInput | None = None,
    ) -> Strategy:
        """Create a strategy by name with validated parameters.

        `strategy_id` names it in orders, logs and figures; left empty it is the strategy's name, numbered from
        the second on. With `bars`, a rule such as "5m", its `on_bar` gets bars that are built by that rule from
        `bars_from` ("bars", "trades" or "quotes") instead of raw ones.

        Raises:
            ConfigError: the name, a parameter or the id is wrong.

        """
        cls = load_strategy_class(name)
        try:
            validated = cls.Params.model_validate(dict(params or {}))
        except ValidationError as error:
            raise ConfigError(f"strategy {name!r}: {_explain(error, cls)}") from error
        _refuse_coroutines(name, cls)
        taken = self._take_id(strategy_id, name)
        try:
            strategy = cls(validated, taken)
            if bars is not None:
                _replace_bars(strategy, bars, bars_from)
            strategy.bind(self._make_context(taken))
            tuple(strategy.symbols)
        except (Exception, SystemExit) as error:  # a user's constructor may raise anything
            raise ConfigError(
                f"strategy {name!r} cannot be made: {explain(error)}; "
                "what needs prices, positions or orders belongs into on_start"
            ) from error
        return strategy

    def _take_id(self, wanted: str, name: str) -> str:
        base = wanted or name.rpartition(":")[2]
        strategy_id, number = base, 1
        while strategy_id in self._ids:
            if wanted:
                raise ConfigError(f"two strategies have the id {wanted!r}; give each its own")
            number += 1
            strategy_id = f"{base}-{number}"
        self._ids.add(strategy_id)
        return strategy_id


def _replace_bars(strategy: Strategy, rule: str, source: BarInput | None) -> None:
    if type(strategy).on_bar is Strategy.on_bar:
        raise StrategyError(f"bars = {rule!r} would build bars for its on_bar, and it has none")
    strategy.timeframes.replace_bars(rule, source)


def _refuse_coroutines(name: str, cls: type[Strategy]) -> None:
    """A handler that is a coroutine would never run: the run calls it and gets something to await."""
    for handler in dir(cls):
        if handler.startswith("on_") and inspect.iscoroutinefunction(getattr(cls, handler)):
            raise ConfigError(f"strategy {name!r}: {handler} is `async def`; a handler is a plain function: `def`")


def _explain(error: ValidationError, cls: type[Strategy]) -> str:
    known = list(cls.Params.model_fields)
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]) or "parameters"
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1)
            text = (
                f"no such parameter; did you mean {near[0]!r}?" if near else f"no such parameter; known: {known}"
            )
        lines.append(f"{name}: {text}")
    return "; ".join(lines)
