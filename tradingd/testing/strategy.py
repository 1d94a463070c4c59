"""One strategy by itself, with a real portfolio, price board, clock and timers around it."""

from collections.abc import Iterable, Mapping
from typing import Any

from tradingd.domain.events import Bar, EventType, Fill, MarketEvent, OrderUpdate, PositionUpdate
from tradingd.domain.instrument import Instrument
from tradingd.domain.prices import PriceBoard
from tradingd.portfolio.manager import PortfolioManager
from tradingd.runtime.clock import ManualClock, TimerQueue
from tradingd.strategy.base import Strategy
from tradingd.strategy.context import StrategyContext
from tradingd.strategy.timeframes import BarInput
from tradingd.testing.builders import at, make_instrument
from tradingd.testing.log import EventLog

__all__ = ["StrategyRun"]


class StrategyRun:
    """Drives a strategy by hand: the test plays market, risk and exchange.

    What the strategy asks for is in `log`. `params` are validated as in a run; every symbol that the strategy
    names, and those in `symbols`, have an instrument (`make_instrument`) unless `instruments` says otherwise. With
    `bars`, a rule such as "1m", what `on_bar` gets is built by it, as with that key of `[[strategies]]`.

    ::

        run = StrategyRun(MyStrategy, {"symbol": "AAPL", "lookback": 3})
        run.bars(make_bars([1.0, 2.0, 3.0, 4.0]))
        assert run.log.last(Signal).direction is Direction.LONG
        run.fill(make_fill(Side.BUY, 10, "4.00"))
        assert run.strategy.position("AAPL").quantity == 10
    """

    def __init__(
        self,
        cls: type[Strategy],
        params: Mapping[str, Any] | None = None,
        *,
        symbols: Iterable[str] = (),
        instruments: Mapping[str, Instrument] | None = None,
        strategy_id: str = "s",
        bars: str | None = None,
        bars_from: BarInput | None = None,
    ) -> None:
        self.log = EventLog()
        self.clock = ManualClock(at(0))
        self.prices = PriceBoard()
        self.timers = TimerQueue(self.clock)
        self.strategy: Any = cls(cls.Params.model_validate(dict(params or {})), strategy_id)
        if bars is not None:
            self.strategy.timeframes.replace_bars(bars, bars_from)
        known = {symbol: make_instrument(symbol) for symbol in (*self.strategy.symbols, *symbols)}
        known.update(instruments or {})
        self.portfolio = PortfolioManager(instruments=known, prices=self.prices)
        self.strategy.bind(
            StrategyContext(
                strategy_id,
                emit=self.log,
                clock=self.clock,
                prices=self.prices,
                portfolio=self.portfolio,
                instruments=known,
                timers=self.timers,
            )
        )
        self._handlers = self.strategy.handlers()
        self.strategy.on_start()

    def market(self, event: MarketEvent) -> None:
        """A market event: time moves, the price board has it, then the strategy."""
        self.clock.advance_to(event.ts)
        self.prices.update(event)
        self._handlers[event.type](event)

    def bars(self, bars: Iterable[Bar]) -> None:
        """One bar after another."""
        for bar in bars:
            self.market(bar)

    def order(self, update: OrderUpdate) -> None:
        """Execution, or risk, tells of an order of this strategy."""
        self._handlers[EventType.ORDER_UPDATE](update)

    def fill(self, fill: Fill) -> None:
        """A fill is booked; if it is this strategy's, it hears of it."""
        self.portfolio.on_fill(fill)
        if fill.strategy_id != self.strategy.strategy_id:
            return
        position = self.portfolio.get_position(fill.symbol)
        self._handlers[EventType.POSITION](
            PositionUpdate(
                fill.ts,
                fill.strategy_id,
                fill.symbol,
                position.quantity,
                position.cost,
                position.realized_pnl,
                fill,
            )
        )
