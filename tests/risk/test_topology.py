"""Free-running components: every queue between them is served in an order of its own."""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

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
from tradingd.execution.engine import ExecutionEngine
from tradingd.risk.limits import InstrumentFilters, MaxPositionQuantity, NoShort, ReduceOnly
from tradingd.testing import ManualClock, make_instrument

LIMIT = 3


class Venue:
    """A venue that fills, cancels and changes when it is told to, and reports in order."""

    def __init__(self) -> None:
        self.open: dict[str, SubmitOrder] = {}
        self.total: dict[str, Decimal] = {}
        self.filled: dict[str, Decimal] = {}
        self.position = Decimal(0)
        self.reports: deque[Event] = deque()

    def take(self, event: Event, *, grant: bool) -> None:
        """Handle what execution sends."""
        if isinstance(event, SubmitOrder):
            self.open[event.order_id] = event
            self.total[event.order_id], self.filled[event.order_id] = event.quantity, Decimal(0)
            self._report(event.order_id, ReportKind.ACCEPTED)
        elif isinstance(event, CancelOrder):
            known = self.open.pop(event.order_id, None)
            self._report(event.order_id, ReportKind.CANCELED if known else ReportKind.CANCEL_REJECTED)
        elif isinstance(event, ModifyOrder):
            wanted, filled = event.quantity, self.filled[event.order_id]
            if event.order_id in self.open and grant and wanted is not None and wanted > filled:
                self.total[event.order_id] = wanted
                self._report(event.order_id, ReportKind.MODIFIED, wanted)
            else:
                self._report(event.order_id, ReportKind.MODIFY_REJECTED)

    def fill(self, number: int, *, whole: bool) -> None:
        """Fill one of the working orders, or one unit of it."""
        if not self.open:
            return
        order_id, order = list(self.open.items())[number % len(self.open)]
        rest = self.total[order_id] - self.filled[order_id]
        quantity = rest if whole else min(rest, Decimal(1))
        self.filled[order_id] += quantity
        self.position += quantity * order.side.sign
        self.last_fill = order
        if self.filled[order_id] == self.total[order_id]:
            del self.open[order_id]
        trade = f"T{sum(self.filled.values())}"
        self.reports.append(
            TradeReport(0, "SIM", order_id, trade, order.symbol, order.side, quantity, Decimal(100))
        )

    def lose(self, number: int) -> None:
        """Let nobody know of one of the working orders for now."""
        if self.open:
            self._report(list(self.open)[number % len(self.open)], ReportKind.UNKNOWN)

    def _report(self, order_id: str, kind: ReportKind, quantity: Decimal | None = None) -> None:
        self.reports.append(BrokerReport(0, "SIM", order_id, kind, quantity=quantity))


class World:
    """Risk, execution, portfolio and venue, each with an inbox that is served when the test says so."""

    def __init__(self, *limits: object) -> None:
        self.desk = Desk(*limits, instruments=[make_instrument("AAPL")])  # type: ignore[arg-type]
        self.desk.react = self._route
        self.desk.portfolio._emit = self._route  # the test's own queue in place of the desk's list
        self.execution = ExecutionEngine(emit=self._route, clock=ManualClock())
        self.venue = Venue()
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
                self.step(action, 0)

    def step(self, action: str, number: int) -> None:
        """Let one thing happen."""
        desk, intents = self.desk, [reservation.intent_id for reservation in self.desk.risk.book]
        match action:
            case "ask":
                reduce_only = number % 5 == 0
                side = SELL if number % 2 else BUY
                desk.order(side, 1 + number % LIMIT, limit=100 + side.sign * -10, reduce_only=reduce_only)
            case "cancel" if intents:
                desk.cancel(intents[number % len(intents)])
            case "change" if intents:
                desk.modify(intents[number % len(intents)], 1 + number % (LIMIT + 2))
            case "fill":
                self.venue.fill(number, whole=number % 3 > 0)
            case "lose":
                self.venue.lose(number)
            case "execution" if self.to_execution:
                event = self.to_execution.popleft()
                self.execution.handlers()[event.type](event)
            case "venue" if self.to_venue:
                self.venue.take(self.to_venue.popleft(), grant=number % 3 > 0)
            case "report" if self.venue.reports:
                event = self.venue.reports.popleft()
                self.execution.handlers()[event.type](event)
            case "portfolio" if self.to_portfolio:
                desk.portfolio.on_fill(self.to_portfolio.popleft())
            case "update" if self.updates:
                desk.risk.on_order_update(self.updates.popleft())
            case "booking" if self.bookings:
                desk.risk.on_position(self.bookings.popleft())


SERVICES = ("execution", "venue", "report", "portfolio", "update", "booking")
ACTIONS = (
    *("ask",) * 8, *("fill",) * 6, *("change",) * 4, *("cancel",) * 2, "lose",
    *SERVICES * 4,
)  # fmt: skip


def run(world: World, seed: int) -> Iterator[World]:
    """Let 600 things happen in an order that only the seed decides."""
    dice = Random(seed)  # noqa: S311 - an interleaving, not a secret
    for _ in range(600):
        action = dice.choice(ACTIONS)
        for _ in range(dice.randrange(1, 20) if action in SERVICES else 1):
            world.step(action, dice.randrange(30))
        yield world


SEEDS = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_the_position_never_exceeds_its_limit_however_late_the_portfolio_books(seed: int) -> None:
    """Orders, changes, cancels, fills and bookings in any interleaving: the venue's position keeps the limit."""
    for world in run(World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT)), seed):
        assert abs(world.venue.position) <= LIMIT


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_a_short_position_never_comes_about_however_late_the_portfolio_books(seed: int) -> None:
    """Where short selling is off, the venue's position never falls below zero in any interleaving."""
    for world in run(World(InstrumentFilters(), ReduceOnly(), NoShort(), MaxPositionQuantity(LIMIT)), seed):
        assert world.venue.position >= 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_a_reduce_only_fill_never_opens_a_position(seed: int) -> None:
    """Whatever filled before it, a fill of a reduce-only order brings the venue's position nearer to zero."""
    world = World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
    before = world.venue.position
    for _ in run(world, seed):
        traded, before = world.venue.position - before, world.venue.position
        if traded and world.venue.last_fill.reduce_only:
            assert abs(before) < abs(before - traded)
            assert before * (before - traded) >= 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_the_book_always_contains_the_true_position_and_ends_at_it(seed: int) -> None:
    """The venue's position lies between the bounds at any time; when all is quiet nothing is reserved."""
    world = World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
    book = world.desk.risk.book
    for _ in run(world, seed):
        low, high = book.bounds("AAPL")
        assert low <= world.venue.position <= high
    world.settle()
    assert (len(book), book.bounds("AAPL")) == (0, (world.venue.position, world.venue.position))


def test_the_interleavings_are_rich() -> None:
    """The runs above are worth something: they trade, change and reverse often."""
    trades = reached = changes = 0
    for seed in range(20):
        world = World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
        positions = [each.venue.position for each in run(world, seed)]
        trades += sum(before != after for before, after in pairwise(positions))
        reached += abs(max(positions, key=abs)) == LIMIT
        changes += len(world.desk.changes)
    assert (trades > 300, reached > 10, changes > 200) == (True, True, True)
