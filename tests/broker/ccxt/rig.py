"""A CcxtBroker with real components around it; the test plays risk, and the account is given."""

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self, TypeVar

from tradingd.broker.ccxt.broker import CcxtBroker
from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    AccountSnapshot,
    ApprovedOrder,
    BrokerReport,
    CancelCommand,
    Fill,
    HaltRequest,
    ModifyCommand,
    OrderUpdate,
    ReportKind,
    VenueCondition,
    VenueStatus,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.order import Order
from tradingd.domain.prices import PriceBoard
from tradingd.domain.venue import VenueCapabilities
from tradingd.execution.engine import ExecutionEngine
from tradingd.portfolio.manager import PortfolioManager
from tradingd.runtime.clock import ManualClock, TimerQueue
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.testing import EventLog, VirtualTime, make_instrument
from tradingd.testing.venue import ScriptedVenue
from tradingd.venues.model import VenueTraits

BTC, ETH = "BTC/USD", "ETH/USD"
D = Decimal
V = TypeVar("V", bound=ScriptedVenue)


def instruments() -> list[Instrument]:
    """What the account trades."""
    return [make_instrument(symbol, venue="X") for symbol in (BTC, ETH)]


class Books:
    """Execution and portfolio on the synchronous manager: events in, books out."""

    def __init__(self, account: Any, capabilities: VenueCapabilities, broker: object, now: int) -> None:
        self.clock = ManualClock(now)
        self.prices = prices = PriceBoard()
        timers = TimerQueue(self.clock)
        self.manager = SyncEventManager(clock=self.clock, prices=prices, timers=timers)
        self.portfolio = PortfolioManager(
            "0",
            currency="USD",
            instruments=account.instruments,
            prices=prices,
            emit=self.manager.emit,
            opened_by=(account.name,),
        )
        self.portfolio.learn(*account.instruments)
        self.engine = ExecutionEngine(
            emit=self.manager.emit,
            clock=self.clock,
            venues={account.name: capabilities},
            timers=timers,
            prices=prices,
            instruments=account.instruments,
        )
        self.log = EventLog()
        self.manager.observe(self.log.observe)
        self.manager.register_component("broker", broker)
        self.manager.register_component("portfolio_manager", self.portfolio)
        self.manager.register_component("execution_engine", self.engine)
        self.manager.start()
        self._intents = 0
        self._venue = account.name

    def order(
        self,
        side: Side,
        quantity: str,
        price: str | None = None,
        *,
        symbol: str = BTC,
        kind: OrderType | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        **fields: Any,
    ) -> str:
        """Approve an order; returns its client order id."""
        self._intents += 1
        order_type = kind or (OrderType.MARKET if price is None else OrderType.LIMIT)
        limit = None if price is None else D(price)
        self.manager.emit(
            ApprovedOrder(
                self.clock.now(),
                "s",
                f"s:{self._intents}",
                symbol,
                self._venue,
                side,
                D(quantity),
                order_type,
                limit,
                fields.pop("stop_price", None),
                tif,
                reduce_only=False,
                **fields,
            )
        )
        return self.log.last(OrderUpdate).order_id

    def cancel(self, order_id: str) -> None:
        """Ask execution for a cancel."""
        self.manager.emit(CancelCommand(self.clock.now(), self.get(order_id).booked_as))

    def modify(self, order_id: str, quantity: str | None = None, price: str | None = None) -> None:
        """Ask execution for a change."""
        amount, limit = (None if text is None else D(text) for text in (quantity, price))
        self.manager.emit(ModifyCommand(self.clock.now(), self.get(order_id).booked_as, amount, limit, None))

    def get(self, order_id: str) -> Order:
        """An order of execution's."""
        order = self.engine.get_order(order_id)
        assert order is not None
        return order

    def status(self, order_id: str) -> OrderStatus:
        """What execution knows of an order."""
        return self.get(order_id).status

    @property
    def halts(self) -> list[str]:
        """(scope key: reason) of all halts that were asked for."""
        return [f"{halt.key}: {halt.reason}" for halt in self.log.of(HaltRequest)]

    @property
    def conditions(self) -> list[VenueCondition]:
        """What was told of the venue."""
        return [status.condition for status in self.log.of(VenueStatus)]

    def kinds(self, order_id: str) -> list[ReportKind]:
        """What was reported of an order."""
        return [report.kind for report in self.log.of(BrokerReport) if report.order_id == order_id]

    def reports(self, kind: ReportKind) -> list[BrokerReport]:
        """All reports of a kind."""
        return [report for report in self.log.of(BrokerReport) if report.kind is kind]

    def decimal(self, text: str | int) -> Decimal:
        """Exact."""
        return D(text)

    def held(self, asset: str) -> Decimal:
        """What our books say we hold."""
        return self.portfolio.ledger.balance(asset)

    @property
    def fills(self) -> list[Fill]:
        """All fills."""
        return self.log.of(Fill)

    @property
    def snapshots(self) -> list[AccountSnapshot]:
        """All snapshots of the account."""
        return self.log.of(AccountSnapshot)


class _Late:
    """A broker that is set after the manager it is registered with was made."""

    def __init__(self) -> None:
        self.broker: Any = None

    @property
    def required_events(self) -> Any:
        return CcxtBroker.required_events

    def handlers(self) -> Any:
        kinds = CcxtBroker.required_events
        return {kind: (lambda event, kind=kind: self.broker.handlers()[kind](event)) for kind in kinds}


class Rig(Books):
    """All of it, running in virtual time. `believed` is what execution thinks the venue can do."""

    def __init__(self, account: Any = None, *, time: VirtualTime | None = None, **options: Any) -> None:
        self.time = time or VirtualTime()
        self.venue: Any = account if account is not None else scripted(self.time)
        self._now: Callable[[], int] = options.get("now", self.time.now)
        late = _Late()
        believed = options.pop("believed", self.venue.capabilities)
        super().__init__(self.venue, believed, late, self.time.now())
        self.broker = CcxtBroker(
            self.venue,
            **{
                "inject": self._inject,
                "now": self.time.now,
                "monotonic": self.time.monotonic,
                "sleep": self.time.sleep,
                "random": random.Random(7),  # noqa: S311 - it spreads delays
                "quiet": self._quiet,
                **options,
            },
        )
        late.broker = self.broker
        self._tasks: list[asyncio.Task[None]] = []

    def _inject(self, event: Any) -> None:
        self.clock.advance_to(max(self.clock.now(), self._now()))
        self.manager.emit(event)

    async def _quiet(self) -> None:
        """The synchronous manager has handled everything already."""

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(start(), name=name) for name, start in self.broker.tasks().items()]
        return self

    async def ready(self) -> "Rig":
        """Wait until the venue can be traded with."""
        await self.until(lambda: self.broker.condition is VenueCondition.READY)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception) and exc[0] is None:
                raise result

    async def until(self, reached: Callable[[], bool], within_s: float = 600.0) -> None:
        """Let time pass until `reached`."""

        def or_dead() -> bool:
            for task in self._tasks:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    raise AssertionError(f"task {task.get_name()} died") from task.exception()
            return reached()

        await self.time.until(or_dead, within_s=within_s)

    async def until_status(self, order_id: str, *statuses: OrderStatus, within_s: float = 600.0) -> None:
        """Let time pass until execution has an order so."""
        await self.until(lambda: self.status(order_id) in statuses, within_s)

    async def agree(self) -> None:
        """Hold one more barrier, and compare: nothing twice on the wire, books equal to the venue's, no halt."""
        count = len(self.snapshots)
        await self.until(lambda: len(self.snapshots) > count)
        self.compare()
        assert self.halts == [], self.halts

    def compare(self) -> None:
        """What must hold whatever happened."""
        assert len(set(self.venue.sent)) == len(self.venue.sent), "an order was sent twice"
        for asset, total in self.venue.totals.items():
            assert self.held(asset) == total, (asset, self.held(asset), total)
        traded = [(trade.trade_id, trade.quantity) for _, trade in self.venue.trades]
        assert sorted((fill.trade_id, fill.quantity) for fill in self.fills) == sorted(traded)


def scripted(time: VirtualTime, kind: type[V] = ScriptedVenue, **options: Any) -> V:  # type: ignore[assignment]
    """An account in memory with 10 BTC, 100 ETH and a million."""
    venue = kind(
        instruments(),
        {"BTC": D(10), "ETH": D(100), "USD": D(1_000_000)},
        **{
            "now": time.now,
            "monotonic": time.monotonic,
            "sleep": time.sleep,
            "traits": VenueTraits(exchange_id="scripted", visibility_s=30.0, dead_man="cancelAllOrdersAfter"),
            **options,
        },
    )
    venue.prices = {BTC: D(50_000), ETH: D(2_000)}
    return venue
