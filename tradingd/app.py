"""The composition root: settings in, a wired object graph out.

Everything is wired by hand in this file, in the order in which it depends on each other. Modes differ in
constructor arguments: a backtest gets the synchronous event manager, paper trading the asynchronous one; all else
is the same.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from tradingd.broker.base import Broker
from tradingd.config import (
    DataFileSettings,
    LimitSettings,
    Settings,
    SizerSettings,
    load_settings,
)
from tradingd.data.actions import ActionFiles
from tradingd.data.catalog import Catalog
from tradingd.data.handler import DataHandler, LoadReport
from tradingd.data.instruments import InstrumentRegistry
from tradingd.data.series import SeriesKind, SeriesSpec, inputs_of, parse_interval, resolve_path
from tradingd.domain.enums import HaltState
from tradingd.domain.events import Event
from tradingd.domain.loading import construct, load_class
from tradingd.domain.prices import PriceBoard
from tradingd.errors import ConfigError, DataError
from tradingd.portfolio.manager import PortfolioManager
from tradingd.risk import limits as risk_limits
from tradingd.risk.manager import RiskManager
from tradingd.risk.sizing import (
    AtrTargetSizer,
    FixedNotionalSizer,
    FixedQuantitySizer,
    PercentOfEquitySizer,
    PositionSizer,
)
from tradingd.runtime.clock import ManualClock, TimerQueue
from tradingd.runtime.container import Container
from tradingd.runtime.manager import EventManager
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.strategy.base import Strategy
from tradingd.strategy.context import StrategyContext
from tradingd.strategy.factory import StrategyFactory
from tradingd.strategy.indicators import ATR
from tradingd.wiring.execution import make_algorithms, make_engine, memory_of
from tradingd.wiring.simulation import simulated_broker

__all__ = ["bootstrap", "build", "load_market_data", "make_strategies", "register_all"]


def bootstrap(
    files: Sequence[str | Path],
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    secrets_dir: Path | None = None,
) -> Container:
    """Load configuration files and build a run from them; see `tradingd.config.load_settings` for the sources.

    The container has `config`, `clock`, `prices`, `instruments`, `catalog`, `data_handler`, `event_manager` (also
    as `event_bus`), `broker`, `execution_engine`, `algorithms` (each a component), `portfolio_manager`,
    `position_sizer`, `risk_manager` and `strategy_factory`. Nothing is registered with the event manager yet:
    do that as in `examples/spec_example.py`, or let `register_all` do it.

    Raises:
        ConfigError: the configuration is wrong.

    """
    return build(load_settings(files, overrides=overrides, environ=environ, secrets_dir=secrets_dir))


def build(settings: Settings) -> Container:
    """Build the parts of a run, each with what it needs, none of them running."""
    _make_importable(settings.base_dir)
    container = Container()
    add = container.register
    clock, prices = ManualClock(), PriceBoard()
    timers = TimerQueue(clock)
    manager = _event_manager(settings, clock=clock, prices=prices, timers=timers)
    emit = manager.emit
    for name, part in {"config": settings, "clock": clock, "prices": prices}.items():
        add(name, part)
    add("event_manager", manager)
    add("event_bus", manager)

    catalog = _catalog(settings)
    files = tuple(_file_series(each, settings.base_dir) for each in settings.data.files)
    instruments = _instruments(settings, catalog, files)
    add("catalog", catalog)
    add("instruments", instruments)
    find = _finder(settings, catalog, files)
    actions = ActionFiles([each.path for each in settings.data.actions], settings.base_dir, instruments)
    add("data_handler", DataHandler(find, publish=emit, prices=settings.data.prices, actions=actions))

    books = settings.portfolio
    portfolio = PortfolioManager(
        books.initial_cash, books.currency, instruments=instruments, prices=prices, emit=emit
    )
    sizer = _sizer(settings.risk.sizer, instruments)
    broker = _broker(settings, emit, clock, instruments, prices)
    risk = RiskManager(
        portfolio=portfolio,
        position_sizer=sizer,
        risk_limits=_limits(settings),
        instruments=instruments,
        prices=prices,
        emit=emit,
        allow_short=settings.risk.allow_short,
        venues={broker.venue: broker.capabilities},
    )
    add("broker", broker)
    add("brokers", (broker,))
    algorithms = make_algorithms(
        settings.execution, emit=emit, clock=clock, timers=timers, prices=prices, instruments=instruments
    )
    add("algorithms", algorithms)
    execution = make_engine(
        settings.execution,
        algorithms,
        emit=emit,
        clock=clock,
        venues={broker.venue: broker.capabilities},
        timers=timers,
        prices=prices,
        instruments=instruments,
        reroute=manager.reroute,
        **memory_of(settings.broker),
    )
    add("execution_engine", execution)
    add("portfolio_manager", portfolio)
    add("position_sizer", sizer)
    add("risk_manager", risk)
    make_context = partial(
        StrategyContext,
        emit=emit,
        clock=clock,
        prices=prices,
        portfolio=portfolio,
        instruments=instruments,
        timers=timers,
    )
    add("strategy_factory", StrategyFactory(make_context))
    return container


# --- from a built container to a run that can start ----------------------------------------------------------


def make_strategies(container: Container) -> list[Strategy]:
    """Create the configured strategies.

    Raises:
        ConfigError: there is none, or one is wrong.

    """
    settings: Settings = container.get("config")
    wanted = [each for each in settings.strategies if each.enabled]
    if not wanted:
        raise ConfigError(
            "no strategy is configured; add one, for example:\n"
            '[[strategies]]\nname = "ma_crossover"\nparams = { symbol = "AAPL" }\n'
            "(`tradingd strategies` lists what there is)"
        )
    factory: StrategyFactory = container.get("strategy_factory")
    strategies = []
    for number, each in enumerate(wanted, 1):
        try:
            strategies.append(
                factory.create(each.name, each.params, each.id or "", bars=each.bars, bars_from=each.bars_from)
            )
        except ConfigError as error:
            raise ConfigError(f"[[strategies]] number {number}: {error}") from error
    for strategy in strategies:
        if not strategy.symbols:
            raise ConfigError(
                f"strategy {strategy.strategy_id!r} asks for no market data: it has neither a parameter "
                "`symbol` or `symbols` nor a `symbols` property of its own"
            )
    return strategies


def load_market_data(container: Container, strategies: Sequence[Strategy]) -> LoadReport:
    """Check and load the data of all symbols that the strategies and the configuration name.

    Raises:
        DataError: a symbol is unknown, or a file is damaged or not plausible.

    """
    settings: Settings = container.get("config")
    named = [symbol for strategy in strategies for symbol in strategy.symbols]
    symbols = list(dict.fromkeys((*named, *settings.data.symbols)))
    instruments: InstrumentRegistry = container.get("instruments")
    handler: DataHandler = container.get("data_handler")
    report = handler.load_data(symbols, settings.data.start, settings.data.end)
    loaded = inputs_of(scanned.spec for scanned in report.series)
    for strategy in strategies:
        strategy.timeframes.check(loaded)
    portfolio: PortfolioManager = container.get("portfolio_manager")
    portfolio.learn(*symbols)  # an instrument that cannot be made is told before the run, not in it
    for symbol in symbols:
        settle = instruments[symbol].settle
        if not portfolio.can_price(settle):
            raise ConfigError(
                f"{symbol} is settled in {settle}, and nothing here tells what that is worth in "
                f'{portfolio.currency}: set portfolio.currency = "{settle}", or add a symbol such as '
                f"{settle}/{portfolio.currency} to data.symbols"
            )
    return report


def register_all(container: Container, strategies: Sequence[Strategy]) -> None:
    """Register every component with the event manager, in the order of the picture in docs/design.md."""
    manager: EventManager = container.get("event_manager")
    brokers: Sequence[Broker] = container.get("brokers")
    for broker in brokers:
        name = "broker" if len(brokers) == 1 else f"broker.{broker.venue}"
        manager.register_component(name, broker, tuple(broker.handlers()))
    for name in ("execution_engine", "portfolio_manager", "risk_manager"):
        manager.register_component(name, container.get(name))
    for algorithm in container.get("algorithms"):
        manager.register_component(algorithm.strategy_id, algorithm)
    for strategy in strategies:
        manager.register_component(f"strategy.{strategy.strategy_id}", strategy, strategy.market_events())


# --- parts ---------------------------------------------------------------------------------------------------


def _event_manager(settings: Settings, **parts: Any) -> EventManager:  # noqa: ANN401 - those of EventManager
    """The synchronous driver for a backtest, else the asynchronous one; asyncio is imported only for that."""
    capacity = settings.runtime.queue_capacity
    if settings.run.mode == "backtest":
        return SyncEventManager(**parts, capacity=capacity)
    from tradingd.runtime.async_manager import AsyncEventManager

    return AsyncEventManager(**parts, capacity=capacity)


def _make_importable(folder: Path) -> None:
    """Let `package.module:Class` name modules beside the configuration file."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _catalog(settings: Settings) -> Catalog | None:
    where = settings.data.catalog
    return None if where is None else Catalog(resolve_path(where, settings.base_dir))


def _file_series(each: DataFileSettings, base_dir: Path) -> SeriesSpec:
    kind = SeriesKind(each.kind)
    if kind is SeriesKind.BARS and each.interval is None:
        raise ConfigError(f'data.files: {each.symbol}: bars need their interval, for example interval = "1m"')
    return SeriesSpec(
        symbol=each.symbol,
        path=resolve_path(each.path, base_dir),
        kind=kind,
        interval_ns=parse_interval(each.interval) if each.interval and kind is SeriesKind.BARS else 0,
        calendar=each.calendar,
        depth=each.depth,
    )


def _finder(
    settings: Settings, catalog: Catalog | None, files: Sequence[SeriesSpec]
) -> Callable[[str], Sequence[SeriesSpec]]:
    """Where a symbol's data is: the files that the configuration names, else the catalog."""
    interval = parse_interval(settings.data.interval) if settings.data.interval else None

    def find(symbol: str) -> Sequence[SeriesSpec]:
        own = [spec for spec in files if spec.symbol == symbol]
        if own:
            return own
        if catalog is None:
            raise DataError(
                f"there is no data for {symbol!r}: the configuration names neither a catalog (data.catalog) "
                "nor a file of it (data.files)"
            )
        return [catalog.find(symbol, interval)]

    return find


def _instruments(settings: Settings, catalog: Catalog | None, files: Sequence[SeriesSpec]) -> InstrumentRegistry:
    recorded: dict[str, Mapping[str, Any]] = {spec.symbol: {} for spec in files}
    for spec in catalog.series() if catalog is not None else ():
        recorded.setdefault(spec.symbol, spec.instrument)
    configured = {
        each.symbol: {name: value for name, value in each.model_dump().items() if value is not None}
        for each in settings.instruments
    }
    return InstrumentRegistry(
        recorded, configured, currency=settings.portfolio.currency, venue=settings.broker.venue
    )


def _broker(
    settings: Settings,
    emit: Callable[[Event], None],
    clock: ManualClock,
    instruments: InstrumentRegistry,
    prices: PriceBoard,
) -> Broker:
    broker = settings.broker
    common: dict[str, Any] = {
        "emit": emit,
        "clock": clock,
        "instruments": instruments,
        "venue": broker.venue,
        "prices": prices,
    }
    if broker.kind != "simulated":
        own: Broker = construct(load_class(broker.kind, Broker, "broker"), f"broker {broker.kind!r}", common)
        return own
    return simulated_broker(broker, common, {settings.portfolio.currency: settings.portfolio.initial_cash})


def _sizer(sizer: SizerSettings, instruments: InstrumentRegistry) -> PositionSizer:
    match sizer.kind:
        case "fixed_quantity":
            return FixedQuantitySizer(_needed(sizer.quantity), instruments)
        case "fixed_notional":
            return FixedNotionalSizer(_needed(sizer.notional), instruments)
        case "percent_of_equity":
            return PercentOfEquitySizer(_needed(sizer.percent), instruments)
        case "atr_target":
            return AtrTargetSizer(
                _needed(sizer.risk_percent),
                multiple=sizer.atr_multiple,
                make_atr=lambda: ATR(sizer.atr_period),
                instruments=instruments,
            )
        case path:
            custom: PositionSizer = _custom(path, "position sizer", "calculate_position_size", sizer.params)
            return custom


def _needed(value: Decimal | None) -> Decimal:
    """A sizer's field; the settings have checked that it is there."""
    if value is None:
        raise ConfigError("risk.sizer: a needed field is missing")
    return value


def _custom(path: str, what: str, method: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a user's class
    """An object of a user's class that has the method it will be called by."""
    cls = load_class(path, object, what)
    if not callable(getattr(cls, method, None)):
        raise ConfigError(f"{what} {path!r} has no method {method!r}")
    return construct(cls, f"{what} {path!r}", params)


def _limits(settings: Settings) -> list[risk_limits.Limit]:
    """The limits in the order in which they are asked: cheap and telling ones first."""
    chosen = settings.risk.limits
    found: list[risk_limits.Limit] = [risk_limits.InstrumentFilters(), risk_limits.ReduceOnly()]
    if not settings.risk.allow_short:
        found.append(risk_limits.NoShort())
    if chosen.prevent_self_match:
        found.append(risk_limits.SelfMatch())
    found += [make(value) for name, make in _SIMPLE_LIMITS.items() if (value := getattr(chosen, name)) is not None]
    if chosen.max_open_orders is not None or chosen.max_open_orders_per_symbol is not None:
        found.append(risk_limits.MaxOpenOrders(chosen.max_open_orders, chosen.max_open_orders_per_symbol))
    if chosen.max_repeats is not None:
        found.append(risk_limits.RepeatedOrders(chosen.max_repeats, chosen.repeat_window_s))
    found += _loss_limits(chosen)
    return found + [_custom(path, "limit", "check", {}) for path in chosen.extra]


_SIMPLE_LIMITS: Mapping[str, Callable[[Any], risk_limits.Limit]] = {
    "stale_after_s": risk_limits.StaleData,
    "price_collar_percent": risk_limits.PriceCollar,
    "max_order_quantity": risk_limits.MaxOrderQuantity,
    "max_order_notional": risk_limits.MaxOrderNotional,
    "max_orders_per_minute": risk_limits.OrderRate,
    "max_position_quantity": risk_limits.MaxPositionQuantity,
    "max_position_notional": risk_limits.MaxPositionNotional,
    "max_strategy_capital": risk_limits.MaxStrategyCapital,
    "max_gross_exposure_percent": risk_limits.MaxGrossExposure,
    "max_net_exposure_percent": risk_limits.MaxNetExposure,
    "max_leverage": risk_limits.MaxLeverage,
}


def _loss_limits(chosen: LimitSettings) -> list[risk_limits.Limit]:
    found: list[risk_limits.Limit] = []
    if chosen.daily_loss_percent is not None:
        state = None if chosen.on_daily_loss is None else HaltState[chosen.on_daily_loss.upper()]
        found.append(risk_limits.DailyLoss(chosen.daily_loss_percent, state))
    if chosen.max_drawdown_percent is not None:
        state = HaltState[chosen.on_drawdown.upper()]
        found.append(risk_limits.MaxDrawdown(chosen.max_drawdown_percent, state))
    return found
