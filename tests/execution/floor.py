"""An engine with its algorithms on a real event manager, timers and clock, and a venue that the test plays."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from tests.execution.desk import K, approved
from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    BrokerReport,
    CancelCommand,
    CancelOrder,
    Event,
    EventType,
    Fill,
    MarketEvent,
    ModifyCommand,
    ModifyOrder,
    OrderUpdate,
    ReportKind,
    SubmitOrder,
    TradeReport,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import to_decimal
from tradingd.domain.order import Order
from tradingd.domain.prices import PriceBoard
from tradingd.domain.venue import EVERYTHING, VenueCapabilities
from tradingd.execution.algorithms.base import Algorithm
from tradingd.execution.algorithms.shipped import SHIPPED
from tradingd.execution.engine import ExecutionEngine
from tradingd.runtime.clock import ManualClock, TimerQueue
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.testing import EventLog, at, make_bar, make_instrument, make_quote, make_trade

D = Decimal


def lacking(*names: str) -> VenueCapabilities:
    """A venue that lacks order types and times in force by their names, or `post_only`, `oco`, `modify`."""
    flags = {name: False for name in names if name in {"post_only", "oco", "modify"}}
    return msgspec.structs.replace(
        EVERYTHING,
        order_types=frozenset(kind for kind in OrderType if kind.name.lower() not in names),
        times_in_force=frozenset(force for force in TimeInForce if force.name.lower() not in names),
        **flags,
    )


CONDITIONAL = tuple(kind.name.lower() for kind in OrderType if kind.is_conditional)
BARE = lacking(*CONDITIONAL, "day", "gtd", "post_only", "oco", "modify")
"""A venue that knows market and limit orders, IOC and FOK, and nothing else."""


class Venue:
    """Takes whatever comes: accepts, cancels and changes at once while `answers`, else not at all."""

    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {EventType.SUBMIT, EventType.SUBMIT_CANCEL, EventType.SUBMIT_MODIFY}
    )

    def __init__(self, emit: Callable[[Event], None], clock: ManualClock) -> None:
        self._emit = emit
        self._clock = clock
        self.answers = True
        self.rejects = False

    def on_submit(self, order: SubmitOrder) -> None:
        self.report(order.order_id, K.REJECTED if self.rejects else K.ACCEPTED)

    def on_submit_cancel(self, cancel: CancelOrder) -> None:
        self.report(cancel.order_id, K.CANCELED)

    def on_submit_modify(self, change: ModifyOrder) -> None:
        fields = {name: getattr(change, name) for name in ("quantity", "limit_price", "stop_price")}
        self.report(change.order_id, K.MODIFIED, **fields)

    def report(self, order_id: str, kind: ReportKind, **fields: Any) -> None:
        if self.answers:
            self._emit(BrokerReport(self._clock.now(), "SIM", order_id, kind, **fields))


class Floor:
    """The test plays risk, the market, and (by `fill` and `report`) the venue."""

    def __init__(
        self,
        able: VenueCapabilities = EVERYTHING,
        *,
        instrument: Instrument | None = None,
        draw: Callable[[], float] = lambda: 0.5,
        curves: Mapping[str, str] | None = None,
        algorithms: Mapping[str, type[Algorithm]] = SHIPPED,
        **options: Any,
    ) -> None:
        self.clock = ManualClock(at(0))
        self.prices = PriceBoard()
        self.timers = TimerQueue(self.clock)
        self.manager = SyncEventManager(clock=self.clock, prices=self.prices, timers=self.timers)
        common: dict[str, Any] = {
            "emit": self.manager.emit,
            "clock": self.clock,
            "timers": self.timers,
            "prices": self.prices,
            "instruments": {"AAPL": instrument or make_instrument()},
        }
        self.engine = ExecutionEngine(
            **{
                **common,
                "venues": {"SIM": able},
                "algorithms": tuple(algorithms),
                "reroute": self.manager.reroute,
                **options,
            }
        )
        self.venue = Venue(self.manager.emit, self.clock)
        self.manager.register_component("broker", self.venue)
        self.manager.register_component("execution_engine", self.engine)
        for name, cls in algorithms.items():
            component = cls(name, **common, draw=draw, curves=curves or {})
            self.manager.register_component(component.strategy_id, component)
        self.log = EventLog()
        self.manager.observe(self.log.observe)
        self._trades = 0
        self.manager.start()

    # --- risk ------------------------------------------------------------------------------------------------

    def place(self, intent_id: str = "s:1", **fields: Any) -> str:
        """Approve an order; prices and quantity may be text. Returns its client order id."""
        for name in ("quantity", "limit_price", "stop_price"):
            if fields.get(name) is not None:
                fields[name] = to_decimal(fields[name])
        self.manager.emit(approved(intent_id, ts=self.clock.now(), **fields))
        return self.order(intent_id).order_id

    def limit(self, price: str, intent_id: str = "s:1", **fields: Any) -> str:
        """Approve a limit order."""
        return self.place(intent_id, order_type=OrderType.LIMIT, limit_price=price, **fields)

    def cancel(self, intent_id: str = "s:1") -> None:
        """Pass a cancel on."""
        self.manager.emit(CancelCommand(self.clock.now(), intent_id, "requested"))

    def change(self, intent_id: str = "s:1", **fields: str) -> None:
        """Pass a change on."""
        parts = [to_decimal(fields[name]) if name in fields else None for name in _CHANGEABLE]
        self.manager.emit(ModifyCommand(self.clock.now(), intent_id, *parts))

    # --- the market ------------------------------------------------------------------------------------------

    def market(self, *events: MarketEvent) -> None:
        """Market events, one after another."""
        for event in events:
            self.manager.publish(event)

    def quote(self, bid: float, ask: float, minute: float) -> None:
        """A quote."""
        self.market(make_quote(bid, ask, minute=minute))

    def trade_at(self, price: float, minute: float) -> None:
        """A public trade."""
        self.market(make_trade(price, minute=minute))

    def bar(self, low: float, high: float, close: float, minute: float, **fields: Any) -> None:
        """A bar of one minute that opens at `minute`."""
        self.market(make_bar(close, low=low, high=high, minute=minute, **fields))

    def wait_until(self, minute: float) -> None:
        """Let time pass, with a trade of another symbol at its end."""
        self.market(make_trade(1.0, symbol="OTHER", minute=minute))

    # --- the venue -------------------------------------------------------------------------------------------

    def fill(self, order_id: str, quantity: Any, price: str = "100") -> None:
        """Tell a trade."""
        order = self.engine.get_order(order_id)
        assert order is not None
        self._trades += 1
        self.manager.emit(
            TradeReport(
                self.clock.now(),
                "SIM",
                order_id,
                f"T{self._trades}",
                order.symbol,
                order.side,
                to_decimal(quantity),
                to_decimal(price),
            )
        )

    def report(self, order_id: str, kind: ReportKind, **fields: Any) -> None:
        """Tell of an order."""
        self.manager.emit(BrokerReport(self.clock.now(), "SIM", order_id, kind, **fields))

    # --- what came of it -------------------------------------------------------------------------------------

    def order(self, intent_id: str = "s:1") -> Order:
        """The order of an intent."""
        update = next(update for update in self.log.of(OrderUpdate) if update.intent_id == intent_id)
        order = self.engine.get_order(update.order_id)
        assert order is not None
        return order

    @property
    def sent(self) -> list[SubmitOrder]:
        """What the venue was sent."""
        return self.log.of(SubmitOrder)

    @property
    def latest(self) -> str:
        """The id of the latest order that the venue was sent."""
        return self.sent[-1].order_id

    @property
    def sizes(self) -> list[int]:
        """The quantities that the venue was sent."""
        return [int(order.quantity) for order in self.sent]

    def canceled(self) -> list[str]:
        """The orders that the venue was asked to cancel."""
        return [command.order_id for command in self.log.of(CancelOrder)]

    def told(self, intent_id: str = "s:1") -> list[OrderStatus]:
        """The states of an intent as told, repeats left out."""
        states = [update.status for update in self.log.of(OrderUpdate) if update.intent_id == intent_id]
        return [state for state, before in zip(states, [None, *states], strict=False) if state is not before]

    def reason(self, intent_id: str = "s:1") -> str:
        """The latest reason told of an intent."""
        return [update.reason for update in self.log.of(OrderUpdate) if update.intent_id == intent_id][-1]

    @property
    def fills(self) -> Iterable[tuple[str, int]]:
        """The fills told, as (intent id, quantity)."""
        return [(fill.intent_id, int(fill.quantity)) for fill in self.log.of(Fill)]


_CHANGEABLE = ("quantity", "limit_price", "stop_price")
SELL = Side.SELL
