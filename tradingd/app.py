"""The composition root: settings in, a wired object graph out.

Everything is wired by hand in this file, in the order in which it depends on each other. Modes differ in
constructor arguments: a backtest gets the synchronous event manager, paper trading the asynchronous one; all else
is the same.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tradingd.broker.base import Broker
from tradingd.config import (
    DataFileSettings,
    Settings,
    load_settings,
)
from tradingd.data.actions import ActionFiles
from tradingd.data.catalog import Catalog
from tradingd.data.handler import DataHandler, LoadReport
from tradingd.data.instruments import InstrumentRegistry
from tradingd.data.series import SeriesKind, SeriesSpec, inputs_of, parse_interval, resolve_path
from tradingd.domain.events import Event
from tradingd.domain.loading import construct, load_class
from tradingd.domain.ports import InstrumentLookup
from tradingd.domain.prices import PriceBoard
from tradingd.errors import ConfigError, DataError
from tradingd.portfolio.manager import PortfolioManager
from tradingd.risk.manager import RiskManager
from tradingd.runtime.clock import ManualClock, SteppedClock, TimerQueue
from tradingd.runtime.container import Container
from tradingd.runtime.manager import EventManager
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.strategy.base import Strategy
from tradingd.strategy.context import StrategyContext
from tradingd.strategy.factory import StrategyFactory
from tradingd.wiring.execution import make_algorithms, make_engine, memory_of
from tradingd.wiring.market import LiveMarket
from tradingd.wiring.risk import make_limits, make_sizer
from tradingd.wiring.simulation import simulated_broker

__all__ = ["bootstrap", "build", "check_live_data", "load_market_data", "make_strategies", "register_all"]


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


def build(settings: Settings, market: LiveMarket | None = None) -> Container:
    """Build the parts of a run, each with what it needs, none of them running.

    `market` are the connected venues of a run on live data; None is a run on recorded data.
    """
    _make_importable(settings.base_dir)
    container = Container()
    add = container.register
    clock = ManualClock() if market is None else SteppedClock(market.now)
    prices = PriceBoard()
    timers = TimerQueue(clock)
    manager = _event_manager(settings, clock=clock, prices=prices, timers=timers)
    emit = manager.emit
    for name, part in {"config": settings, "clock": clock, "prices": prices}.items():
        add(name, part)
    add("event_manager", manager)
    add("event_bus", manager)

    instruments = _add_data(container, settings, market, emit)
    common: dict[str, Any] = {"emit": emit, "clock": clock, "prices": prices, "instruments": instruments}
    brokers = _brokers(settings, market, manager, common)
    add("brokers", brokers)
    add("broker", brokers[0])
    venues = {broker.venue: broker.capabilities for broker in brokers}
    portfolio = _portfolio(settings, instruments, prices, emit)
    sizer = make_sizer(settings.risk.sizer, instruments)
    add("portfolio_manager", portfolio)
    add("position_sizer", sizer)
    add(
        "risk_manager",
        RiskManager(
            portfolio=portfolio,
            position_sizer=sizer,
            risk_limits=make_limits(settings.risk),
            instruments=instruments,
            prices=prices,
            emit=emit,
            allow_short=settings.risk.allow_short,
            venues=venues,
        ),
    )
    algorithms = make_algorithms(settings.execution, timers=timers, **common)
    add("algorithms", algorithms)
    execution = make_engine(
        settings.execution,
        algorithms,
        epoch=1 if market is None else market.epoch,
        venues=venues,
        timers=timers,
        reroute=manager.reroute,
        **common,
        **memory_of(settings.broker),
    )
    add("execution_engine", execution)
    make_context = partial(StrategyContext, portfolio=portfolio, timers=timers, **common)
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
    handler: DataHandler = container.get("data_handler")
    report = handler.load_data(symbols, settings.data.start, settings.data.end)
    loaded = inputs_of(scanned.spec for scanned in report.series)
    for strategy in strategies:
        strategy.timeframes.check(loaded)
    _check_symbols(container, symbols)
    return report


def check_live_data(container: Container, strategies: Sequence[Strategy]) -> LoadReport:
    """Check that the accounts have all symbols that the strategies and the configuration name.

    Returns a report of nothing loaded, that begins now.

    Raises:
        ConfigError: a symbol is not among those of the accounts, or nothing tells what it is worth.

    """
    settings: Settings = container.get("config")
    for strategy in strategies:
        settings.refuse_foreign(f"strategy {strategy.strategy_id!r}", strategy.symbols)
    settings.refuse_foreign("data.symbols", settings.data.symbols)
    named = [symbol for strategy in strategies for symbol in strategy.symbols]
    symbols = list(dict.fromkeys((*named, *settings.data.symbols)))
    _check_symbols(container, symbols)
    now = container.get("clock").now()
    return LoadReport(series=(), total_events=0, first_ts=now, last_ts=now)


def _check_symbols(container: Container, symbols: Sequence[str]) -> None:
    """Make the instruments of a run, and see that each is paid in something whose worth will be known."""
    portfolio: PortfolioManager = container.get("portfolio_manager")
    portfolio.learn(*symbols)  # an instrument that cannot be made is told before the run, not in it
    instruments: InstrumentLookup = container.get("instruments")
    for symbol in symbols:
        settle = instruments[symbol].settle
        if not portfolio.can_price(settle):
            raise ConfigError(
                f"{symbol} is settled in {settle}, and nothing here tells what that is worth in "
                f'{portfolio.currency}: set portfolio.currency = "{settle}", or add a symbol such as '
                f"{settle}/{portfolio.currency} to data.symbols"
            )


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


def _add_data(
    container: Container, settings: Settings, market: LiveMarket | None, emit: Callable[[Event], None]
) -> InstrumentLookup:
    """Register where market data and instruments come from; returns the instruments."""
    catalog = _catalog(settings)
    files = tuple(_file_series(each, settings.base_dir) for each in settings.data.files)
    instruments = _instruments(settings, catalog, files) if market is None else market.instruments
    container.register("catalog", catalog)
    container.register("instruments", instruments)
    find = _finder(settings, catalog, files)
    actions = ActionFiles([each.path for each in settings.data.actions], settings.base_dir, instruments)
    handler = DataHandler(find, publish=emit, prices=settings.data.prices, actions=actions)
    container.register("data_handler", handler)
    return instruments


def _portfolio(
    settings: Settings, instruments: InstrumentLookup, prices: PriceBoard, emit: Callable[[Event], None]
) -> PortfolioManager:
    """The books: with the cash of the configuration, or opened by what the accounts hold."""
    live = settings.run.mode == "live"
    return PortfolioManager(
        0 if live else settings.portfolio.initial_cash,
        settings.portfolio.currency,
        instruments=instruments,
        prices=prices,
        emit=emit,
        opened_by=settings.run.accounts if live else (),
    )


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


def _brokers(
    settings: Settings, market: LiveMarket | None, manager: EventManager, common: Mapping[str, Any]
) -> tuple[Broker, ...]:
    """Who fills the orders: the exchanges of the accounts, or one simulated exchange, or the user's own."""
    if market is not None and settings.run.mode == "live":
        return market.brokers(manager)
    broker = settings.broker
    given = {**common, "venue": broker.venue}
    if broker.kind != "simulated":
        return (construct(load_class(broker.kind, Broker, "broker"), f"broker {broker.kind!r}", given),)
    return (simulated_broker(broker, given, {settings.portfolio.currency: settings.portfolio.initial_cash}),)
