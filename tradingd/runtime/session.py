"""What every session has, whichever driver runs it: statistics, the equity curve, a snapshot, a summary."""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from tradingd.analytics.recorder import RunRecorder
from tradingd.analytics.snapshot import OrderLine, Snapshot
from tradingd.analytics.summary import (
    PositionLine,
    SessionStats,
    StrategyLine,
    Summary,
    build_summary,
    decimal_text,
    percent,
    position_line,
)
from tradingd.broker.base import Broker
from tradingd.data.handler import DataHandler, LoadReport
from tradingd.domain.enums import HaltScope, OrderStatus
from tradingd.domain.events import (
    MARKET_EVENTS,
    Event,
    EventType,
    Fill,
    HaltChanged,
    MarketEvent,
    OrderUpdate,
    StrategyFaulted,
)
from tradingd.domain.money import ONE, ZERO, divide, sub
from tradingd.errors import AccountingError
from tradingd.execution.engine import ExecutionEngine
from tradingd.portfolio.manager import PortfolioManager
from tradingd.runtime.container import Container
from tradingd.runtime.manager import EventManager
from tradingd.strategy.base import Strategy

__all__ = ["EquitySampler", "Session"]

_TOLD = (EventType.FILL, EventType.ORDER_UPDATE, EventType.FAULT, EventType.HALT)
_RECENT = 50


class EquitySampler:
    """The equity curve: a point per instant of market data at which it has another value than before.

    The value of an instant is the one after all that happened at that instant. The last instant is a point, too.
    """

    def __init__(self, portfolio: PortfolioManager, stats: SessionStats, recorder: RunRecorder | None) -> None:
        self._portfolio = portfolio
        self._stats = stats
        self._recorder = recorder
        self._ts = 0
        self._equity = self._told = portfolio.initial_equity
        self._opened = portfolio.is_open

    def observe(self, event: MarketEvent) -> None:
        """Take the equity after a market event; the last one of an instant is its point."""
        if event.ts > self._ts:  # live, events of several streams may come in another order than they happened
            if self._equity is not self._told:
                self.flush()
            self._ts = event.ts
        if not self._opened and not self._open():
            return
        self._equity = self._portfolio.get_equity()

    def _open(self) -> bool:
        """Begin with the first equity, once every account has told what it holds and that has prices."""
        try:
            self._equity = self._told = self._portfolio.get_equity()
        except AccountingError:
            return False
        self._opened = True
        self._stats.on_equity(self._ts, self._equity)
        return True

    @property
    def equity(self) -> Decimal:
        """The account's equity; where it cannot be told at this moment, the last one that could."""
        try:
            return self._portfolio.get_equity()
        except AccountingError:
            return self._equity

    def flush(self) -> None:
        """Write the point of the latest instant."""
        if self._ts and self._opened:
            self._told = self._equity
            self._stats.on_equity(self._ts, self._equity)
            if self._recorder is not None:
                self._recorder.on_equity(self._ts, self._equity)


class Session:
    """A run that is wired and loaded: its parts, and what is told of them."""

    def __init__(
        self,
        container: Container,
        strategies: Sequence[Strategy],
        report: LoadReport,
        *,
        name: str,
        mode: str,
        run_id: str,
        recorder: RunRecorder | None = None,
    ) -> None:
        self.name = name
        self.mode = mode
        self.run_id = run_id
        self.report = report
        self.strategies = tuple(strategies)
        self.manager: EventManager = container.get("event_manager")
        self.execution: ExecutionEngine = container.get("execution_engine")
        self.portfolio: PortfolioManager = container.get("portfolio_manager")
        self.brokers: Sequence[Broker] = container.get("brokers")
        self.data: DataHandler = container.get("data_handler")
        self.recorder = recorder
        self.stats = SessionStats()
        self._recent: deque[Event] = deque(maxlen=_RECENT)
        self.observer_failures: list[str] = []
        self.manager.on_observer_failure = self._on_observer_failure
        self._sampler = EquitySampler(self.portfolio, self.stats, recorder)
        if self.portfolio.is_open:
            self.stats.on_equity(report.first_ts, self.portfolio.initial_equity)
        self.manager.clock.advance_to(report.first_ts)
        self.manager.observe(self._observe, _TOLD)
        self.manager.observe(self.stats.observe, [EventType.POSITION])
        self.manager.observe(self._sampler.observe, MARKET_EVENTS)
        if recorder is not None:
            self.manager.observe(recorder.observe, recorder.event_types)

    def _on_observer_failure(self, name: str, error: Exception) -> None:
        """Something that only watches failed and watches no more; the run goes on."""
        self.observer_failures.append(f"{name} failed: {type(error).__name__}: {error}")

    def settle(self) -> bool:
        """Let what is under way to or from simulated venues arrive; returns whether anything was."""
        any_was = False
        for broker in self.brokers:  # each of them, not only up to the first
            any_was = broker.settle() or any_was
        return any_was

    # --- what is told ----------------------------------------------------------------------------------------

    def finish_records(self) -> None:
        """Write what is still held back: the last equity point, the recorder's files."""
        self._sampler.flush()
        if self.recorder is not None:
            self.recorder.close()

    def summary(self, stop_reason: str, wall_s: float) -> Summary:
        """What the session came to."""
        return build_summary(
            self.stats,
            run_id=self.run_id,
            name=self.name,
            mode=self.mode,
            stop_reason=stop_reason,
            started_ns=self.report.first_ts,
            ended_ns=self.manager.clock.now(),
            wall_s=wall_s,
            events=self.manager.market_events,
            currency=self.portfolio.currency,
            initial_equity=self.portfolio.initial_equity,
            equity=self._sampler.equity,
            positions=self._positions(),
            strategies=self._strategy_lines(),
            dividends=self.portfolio.dividends(),
        )

    def snapshot(self, state: str) -> Snapshot:
        """The session at this instant."""
        equity = self._sampler.equity
        pnl = sub(equity, self.portfolio.initial_equity)
        total = self.report.total_events
        return Snapshot(
            name=self.name,
            mode=self.mode,
            state=state,
            clock_ns=self.manager.clock.now(),
            currency=self.portfolio.currency,
            equity=equity,
            pnl=pnl,
            return_percent=percent(pnl, self.portfolio.initial_equity),
            drawdown_percent=percent(self._drawdown(equity), ONE),
            progress=self.manager.market_events / total if total else None,
            events_done=self.manager.market_events,
            events_total=total or None,
            positions=self._positions(),
            open_orders=self._open_orders(),
            recent=self.recent,
            halts=tuple(f"{' '.join(key)}: {halt.name}" for key, halt in self.stats.halted.items()),
            strategies=self._strategy_lines(),
        )

    def _drawdown(self, equity: Decimal) -> Decimal:
        peak = self.portfolio.peak_equity
        return divide(sub(peak, equity), peak) if peak > 0 else ZERO

    def _positions(self) -> tuple[PositionLine, ...]:
        return tuple(
            position_line(position, self.portfolio.price(symbol))
            for symbol, position in sorted(self.portfolio.positions.items())
        )

    def _open_orders(self) -> tuple[OrderLine, ...]:
        return tuple(
            OrderLine(
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                quantity=order.quantity,
                filled=order.filled,
                price=order.limit_price if order.limit_price is not None else order.stop_price,
                status=order.status,
            )
            for order in self.execution.orders.values()
            if not order.parent_id  # a part of an order that is a line itself
        )

    def _strategy_lines(self) -> tuple[StrategyLine, ...]:
        faulted = set(self.manager.faulted)
        return tuple(
            self.stats.strategy_line(
                strategy.strategy_id,
                self._state_of(strategy, faulted),
                self.portfolio.realized_pnl(strategy.strategy_id),
                self.portfolio.unrealized_pnl(strategy.strategy_id),
            )
            for strategy in self.strategies
        )

    def _state_of(self, strategy: Strategy, faulted: set[str]) -> str:
        if f"strategy.{strategy.strategy_id}" in faulted:
            return "FAULTED"
        halt = self.stats.halted.get((HaltScope.STRATEGY.value, strategy.strategy_id))
        return "RUNNING" if halt is None else halt.name

    @property
    def recent(self) -> tuple[str, ...]:
        """The latest that happened, in words."""
        return tuple(map(_line, self._recent))

    def _observe(self, event: Event) -> None:
        self.stats.observe(event)
        if not isinstance(event, OrderUpdate) or event.status in _REFUSALS:
            self._recent.append(event)


_REFUSALS = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})


def _line(event: Event) -> str:
    if isinstance(event, Fill):
        traded = f"{decimal_text(event.quantity)} {event.symbol} at {decimal_text(event.price)}"
        return f"{event.strategy_id}: {event.side} {traded}"
    if isinstance(event, OrderUpdate):
        return f"{event.strategy_id}: {event.status} {event.symbol} {event.reason}"
    if isinstance(event, StrategyFaulted):
        return f"{event.strategy_id}: FAULTED {event.error}"
    if isinstance(event, HaltChanged):
        return f"{event.scope} {event.key}: {event.state.name} {event.reason}"
    return ""
