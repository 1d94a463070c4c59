"""Risk, execution, portfolio and a venue as free-running components, for tests of every interleaving."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random

from tests.risk.desk import BUY, SELL, Desk
from tradingd.domain.events import (
    ApprovedOrder,
    BrokerReport,
    CancelCommand,
    CancelOrder,
    Event,
    Fill,
    ModifyCommand,
    ModifyOrder,
    OrderUpdate,
    PositionUpdate,
    ReportKind,
    SubmitOrder,
    TradeReport,
)
from tradingd.domain.venue import EVERYTHING, VenueCapabilities
from tradingd.execution.engine import ExecutionEngine
from tradingd.testing import ManualClock, make_instrument

LIMIT = 3


class Venue:
    """A venue that fills, cancels and changes when it is told to, and reports in order.

    It keeps OCO groups; `refuses` and `grants` tell, by the dice, which new
    orders it rejects and which changes it makes. With `clamps` a reduce-only
    order takes no more than there is.
    """

    def __init__(
        self,
        *,
        refuses: Callable[[int], bool] = lambda _: False,
        grants: Callable[[int], bool] = lambda dice: dice % 3 > 0,
        clamps: bool = False,
    ) -> None:
        self.open: dict[str, SubmitOrder] = {}
        self.total: dict[str, Decimal] = {}
        self.filled: dict[str, Decimal] = {}
        self.stop: dict[str, Decimal | None] = {}
        self.position = Decimal(0)
        self.reports: deque[Event] = deque()
        self._refuses = refuses
        self._grants = grants
        self._clamps = clamps

    def rest(self, order_id: str) -> Decimal:
        """What an order may still fill."""
        return self.total[order_id] - self.filled[order_id]

    def take(self, event: Event, number: int) -> None:
        """Handle what execution sends."""
        if isinstance(event, SubmitOrder):
            self._submit(event, number)
        elif isinstance(event, CancelOrder):
            known = event.order_id in self.open
            self._report(event.order_id, ReportKind.CANCELED if known else ReportKind.CANCEL_REJECTED)
            if known:
                others = self._others(event.order_id)
                del self.open[event.order_id]
                for other in others:
                    self._end(other)
        elif isinstance(event, ModifyOrder):
            self._modify(event, grant=self._grants(number))

    def _submit(self, event: SubmitOrder, number: int) -> None:
        if self._refuses(number):
            self._report(event.order_id, ReportKind.REJECTED)
            return
        self.open[event.order_id] = event
        self.total[event.order_id], self.filled[event.order_id] = event.quantity, Decimal(0)
        self.stop[event.order_id] = event.stop_price
        self._report(event.order_id, ReportKind.ACCEPTED)

    def _modify(self, event: ModifyOrder, *, grant: bool) -> None:
        order_id, wanted = event.order_id, event.quantity
        known = order_id in self.open and grant and (wanted is not None or event.stop_price is not None)
        if not known or (wanted is not None and wanted <= self.filled[order_id]):
            self._report(order_id, ReportKind.MODIFY_REJECTED, change=event.change)
            return
        self.total[order_id] = self.total[order_id] if wanted is None else wanted
        self.stop[order_id] = self.stop[order_id] if event.stop_price is None else event.stop_price
        self._report(order_id, ReportKind.MODIFIED, self.total[order_id], change=event.change)

    def fill(self, number: int, *, whole: bool) -> None:
        """Fill one of the working orders, or one unit of it."""
        if not self.open:
            return
        order_id, order = list(self.open.items())[number % len(self.open)]
        quantity = self.rest(order_id) if whole else min(self.rest(order_id), Decimal(1))
        if self._clamps and order.reduce_only:
            quantity = min(quantity, max(Decimal(0), -order.side.sign * self.position))
        if not quantity:
            return
        self.filled[order_id] += quantity
        self.position += quantity * order.side.sign
        self.last_fill = order
        others = self._others(order_id)
        if self.filled[order_id] == self.total[order_id]:
            del self.open[order_id]
        trade = f"T{sum(self.filled.values())}"
        self.reports.append(
            TradeReport(0, "SIM", order_id, trade, order.symbol, order.side, quantity, Decimal(100))
        )
        for other in others:
            self._take(other, quantity)

    def _others(self, order_id: str) -> list[str]:
        """The other working orders of an order's group."""
        group = self.open[order_id].terms.oco
        return [
            other for other, order in self.open.items() if group and order.terms.oco == group and other != order_id
        ]

    def _take(self, order_id: str, quantity: Decimal) -> None:
        if self.rest(order_id) <= quantity:
            self._end(order_id)
        else:
            self.total[order_id] -= quantity
            self._report(order_id, ReportKind.MODIFIED, self.total[order_id])

    def _end(self, order_id: str) -> None:
        """The other order of the group is over."""
        del self.open[order_id]
        self._report(order_id, ReportKind.CANCELED, reason="OCO")

    def lose(self, number: int) -> None:
        """Let nobody know of one of the working orders for now."""
        if self.open:
            self._report(list(self.open)[number % len(self.open)], ReportKind.UNKNOWN)

    def _report(
        self, order_id: str, kind: ReportKind, quantity: Decimal | None = None, reason: str = "", change: int = 0
    ) -> None:
        stop = self.stop.get(order_id) if kind is ReportKind.MODIFIED else None
        self.reports.append(
            BrokerReport(0, "SIM", order_id, kind, "", reason, quantity, stop_price=stop, change=change)
        )


class World:
    """Risk, execution, portfolio and venue, each with an inbox that is served when the test says so."""

    def __init__(
        self,
        *limits: object,
        ask: "Callable[[World, int], None] | None" = None,
        venue: Venue | None = None,
        able: VenueCapabilities = EVERYTHING,
    ) -> None:
        self.desk = Desk(
            *limits,  # type: ignore[arg-type]
            instruments=[make_instrument("AAPL")],
            venues={"SIM": able},
        )
        self.ask = ask or any_order
        self.minute = 0
        self.desk.react = self._route
        self.desk.portfolio._emit = self._route  # the test's own queue in place of the desk's list
        self.execution = ExecutionEngine(emit=self._route, clock=ManualClock())
        self.venue = venue or Venue()
        self.to_execution: deque[Event] = deque()
        self.to_venue: deque[Event] = deque()
        self.to_portfolio: deque[Fill] = deque()
        self.updates: deque[OrderUpdate] = deque()
        self.bookings: deque[PositionUpdate] = deque()

    def _route(self, event: Event) -> None:
        routes = {
            (ApprovedOrder, CancelCommand, ModifyCommand): self.to_execution,
            (SubmitOrder, CancelOrder, ModifyOrder): self.to_venue,
            (Fill,): self.to_portfolio,
            (OrderUpdate,): self.updates,
            (PositionUpdate,): self.bookings,
        }
        for kinds, queue in routes.items():
            if isinstance(event, kinds):
                queue.append(event)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Cancel everything and serve all inboxes until nothing moves."""
        for order in self.desk.orders:
            self.desk.cancel(order.intent_id)
        self.serve()

    def serve(self) -> None:
        """Serve all inboxes until nothing moves."""
        queues = (
            self.to_execution,
            self.to_venue,
            self.venue.reports,
            self.to_portfolio,
            self.updates,
            self.bookings,
        )
        while any(queues):
            for action in SERVICES:
                self.step(action, 1)

    def tick(self) -> None:
        """A minute passes."""
        self.minute += 1
        self.desk.market(100.0, minute=self.minute)

    def step(self, action: str, number: int) -> None:
        """Let one thing happen."""
        if action in SERVICES:
            self._serve(action, number)
            return
        desk, intents = self.desk, [reservation.intent_id for reservation in self.desk.risk.book]
        match action:
            case "ask":
                self.ask(self, number)
            case "cancel" if intents:
                desk.cancel(intents[number % len(intents)])
            case "change" if intents:
                desk.modify(intents[number % len(intents)], 1 + number % (LIMIT + 2))
            case "tick":
                self.tick()
            case "fill":
                self.venue.fill(number, whole=number % 3 > 0)
            case "lose":
                self.venue.lose(number)

    def _serve(self, action: str, number: int) -> None:
        """Let one component take the first event of its inbox."""
        desk = self.desk
        match action:
            case "execution" if self.to_execution:
                event = self.to_execution.popleft()
                self.execution.handlers()[event.type](event)
            case "venue" if self.to_venue:
                self.venue.take(self.to_venue.popleft(), number)
            case "report" if self.venue.reports:
                event = self.venue.reports.popleft()
                self.execution.handlers()[event.type](event)
            case "portfolio" if self.to_portfolio:
                desk.portfolio.on_fill(self.to_portfolio.popleft())
            case "update" if self.updates:
                desk.risk.on_order_update(self.updates.popleft())
            case "booking" if self.bookings:
                desk.risk.on_position(self.bookings.popleft())


def any_order(world: World, number: int) -> None:
    """Ask for a limit order that may, or may not, only reduce."""
    side = SELL if number % 2 else BUY
    world.desk.order(side, 1 + number % LIMIT, limit=100 + side.sign * -10, reduce_only=number % 5 == 0)


SERVICES = ("execution", "venue", "report", "portfolio", "update", "booking")
ACTIONS = (
    *("ask",) * 8, *("fill",) * 6, *("change",) * 4, *("cancel",) * 2, "lose",
    *SERVICES * 4,
)  # fmt: skip


def run(world: World, seed: int, actions: Sequence[str] = (), steps: int = 600) -> Iterator[World]:
    """Let 600 things happen in an order that only the seed decides."""
    dice = Random(seed)  # noqa: S311 - an interleaving, not a secret
    for _ in range(steps):
        action = dice.choice(actions or ACTIONS)
        for _ in range(dice.randrange(1, 20) if action in SERVICES else 1):
            world.step(action, dice.randrange(30))
        yield world
