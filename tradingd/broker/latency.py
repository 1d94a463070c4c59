"""Latency: orders take their time to the exchange, and so does what it tells.

`DelayedBroker` stands between the components and a simulated exchange. A command (order, cancel, change) becomes
effective at the exchange after a submit delay, and what the exchange tells arrives after an ack delay; both kinds
keep their order, as on one connection, and what is sent at one instant travels together (so do the orders of an
OCO group).

The exchange applies a command before the first market event *after* the instant at which the command arrives: what
happens at that very instant came first. It knows no later event then, not even to tell a price by. A report is
delivered with the first market event, of any symbol, at or after the instant of its arrival; a trade's delay
counts from the time of the trade. Times in reports are the exchange's.

Delays are drawn from `Delay` functions, which the composition root makes from a seeded generator. At the end of a
run `settle` lets everything arrive that is under way.
"""

from collections import deque
from collections.abc import Callable, Container
from decimal import Decimal
from math import log
from typing import NamedTuple

from tradingd.broker.account import SimulatedAccount
from tradingd.broker.base import Broker
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.events import CorporateAction, Event, MarketEvent, ModifyOrder, SubmitOrder
from tradingd.domain.ports import Clock, Emit
from tradingd.domain.prices import PriceBoard
from tradingd.domain.venue import VenueCapabilities

__all__ = ["Delay", "DelayedBroker", "MakeExchange", "exponential", "fixed", "uniform"]

Delay = Callable[[], int]
"""() -> a delay in nanoseconds, 0 or more."""

MakeExchange = Callable[[Emit, Clock, PriceBoard], SimulatedBroker]
"""(emit, clock, prices) -> the exchange that tells its reports, the time and prices by these."""


def fixed(ns: int) -> Delay:
    """Always the same delay."""
    return lambda: ns


def uniform(least: int, most: int, random: Callable[[], float]) -> Delay:
    """Evenly between two delays; `random` gives numbers in [0, 1)."""
    return lambda: least + int((most - least) * random())


def exponential(least: int, mean_extra: int, random: Callable[[], float]) -> Delay:
    """At least `least`, and an exponentially distributed extra on top: mostly short, now and then very long."""
    return lambda: least + int(-mean_extra * log(1 - random()))


class _Sent(NamedTuple):
    due: int
    deliver: Callable[[], None]


class _Line:
    """One direction of a connection: first in, first out, each after its delay."""

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._sent_at = -1
        self._due = 0
        self.under_way: deque[_Sent] = deque()

    def send(self, at: int, deliver: Callable[[], None]) -> None:
        """Send something at the instant `at`."""
        if at != self._sent_at:
            self._sent_at = at
            self._due = max(self._due, at + self._delay())
        self.under_way.append(_Sent(self._due, deliver))

    def arrive(self, until: int) -> None:
        """Deliver what arrives up to and with `until`."""
        while self.under_way and self.under_way[0].due <= until:
            self.under_way.popleft().deliver()


class DelayedBroker(Broker):
    """A simulated exchange behind a connection with latency, in both directions."""

    def __init__(
        self,
        make: MakeExchange,
        *,
        venue: str,
        emit: Emit,
        clock: Clock,
        prices: PriceBoard,
        submit: Delay,
        ack: Delay,
    ) -> None:
        super().__init__(venue)
        self._emit = emit
        self._clock = clock
        self._prices = prices
        self._commands = _Line(submit)
        self._reports = _Line(ack)
        self._instant: int | None = None
        """The time at the exchange while it handles a command."""
        self._known = PriceBoard()
        """The prices that the exchange knows."""
        self._known.latest, self._known.books = prices.latest, prices.books
        self._before = PriceBoard()
        """While commands are under way: the prices before the event at hand."""
        self.exchange = make(self._told, self, self._known)
        self._interest = self.exchange.market_interest()

    # --- what it is to others ------------------------------------------------------------------------------

    @property
    def capabilities(self) -> VenueCapabilities:
        """What the exchange offers."""
        return self.exchange.capabilities

    @property
    def account(self) -> SimulatedAccount:
        """The exchange's books."""
        return self.exchange.account

    @property
    def subscriptions(self) -> frozenset[str] | None:
        """The symbols whose market data the exchange takes."""
        return self.exchange.subscriptions

    def subscribe(self, *symbols: str) -> None:
        """Take the market data of these symbols only."""
        self.exchange.subscribe(*symbols)

    def unsubscribe(self, *symbols: str) -> None:
        """Take the market data of these symbols no more."""
        self.exchange.unsubscribe(*symbols)

    def takes(self, symbol: str) -> bool:
        """Whether the exchange takes the market data of `symbol`."""
        return self.exchange.takes(symbol)

    def market_interest(self) -> Container[str] | None:
        """While anything is under way every event matters: its time is what lets things arrive."""
        return self

    def __contains__(self, symbol: object) -> bool:
        """Whether an event of `symbol` matters now."""
        under_way = self._commands.under_way or self._reports.under_way
        return bool(under_way) or self._interest is None or symbol in self._interest

    def now(self) -> int:
        """The time at the exchange."""
        return self._clock.now() if self._instant is None else self._instant

    # --- to the exchange -----------------------------------------------------------------------------------

    def place_order(self, order: SubmitOrder) -> None:
        """Send an order on its way."""
        self._send(lambda: self.exchange.place_order(order))

    def cancel_order(self, order_id: str) -> None:
        """Send a cancel on its way."""
        self._send(lambda: self.exchange.cancel_order(order_id))

    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        *,
        change: int = 0,
    ) -> None:
        """Send a change on its way."""
        self._send(lambda: self.exchange.modify_order(order_id, quantity, limit_price, stop_price, change=change))

    def on_submit_modify(self, command: ModifyOrder) -> None:
        """Send execution's change on its way."""
        self._send(lambda: self.exchange.on_submit_modify(command))

    def _send(self, deliver: Callable[[], None]) -> None:
        line, now = self._commands, self._clock.now()
        if not line.under_way:
            self._before.latest, self._before.books = dict(self._prices.latest), dict(self._prices.books)
        line.send(now, deliver)
        if line.under_way[-1].due <= now:
            self._arrive(now)
        self._reports.arrive(now)

    def _arrive(self, until: int) -> None:
        """Let the exchange handle the commands that arrive up to and with `until`, each at its own time."""
        line = self._commands
        while line.under_way and line.under_way[0].due <= until:
            self._instant = line.under_way[0].due
            line.under_way.popleft().deliver()
        self._instant = None

    # --- from the exchange ---------------------------------------------------------------------------------

    def on_market_data(self, data: MarketEvent) -> None:
        """Let arrive what came before the event, show the exchange the event, and deliver what it told in time."""
        line = self._commands
        if line.under_way:
            self._know(self._before)
            self._arrive(data.ts - 1)
            self._know(self._prices)
            if line.under_way and self.takes(data.symbol):
                self._before.update(data)
        self.exchange.on_market_data(data)
        self._reports.arrive(self._clock.now())

    def before_action(self, action: CorporateAction) -> None:
        """Let everything arrive: orders in old shares to be canceled, fills in old shares to be booked."""
        self.settle()
        del action

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Let the exchange book the action; what it tells of orders takes its time."""
        if self._commands.under_way:
            self._before.update(action)
        self.exchange.on_corporate_action(action)
        self._reports.arrive(self._clock.now())

    def _know(self, board: PriceBoard) -> None:
        self._known.latest, self._known.books = board.latest, board.books

    def _told(self, event: Event) -> None:
        """The exchange tells something: it is on its way."""
        self._reports.send(event.ts, lambda: self._emit(event))

    def settle(self) -> bool:
        """Let everything arrive that is under way now; whether anything was."""
        anything = bool(self._commands.under_way or self._reports.under_way)
        for sent in tuple(self._commands.under_way):
            self._arrive(sent.due)
        told = self._reports.under_way
        if told:
            self._reports.arrive(told[-1].due)
        return anything
