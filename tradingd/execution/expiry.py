"""The ends of orders that come with time: DAY and GTD where the venue has none, and unfilled timeouts."""

from collections.abc import Callable
from decimal import Decimal

from tradingd.domain.enums import OrderStatus, TimeInForce
from tradingd.domain.events import Bar, MarketEvent, Timer
from tradingd.domain.order import Trigger
from tradingd.domain.ports import Clock, TimerService
from tradingd.execution.work import Desk, Work

__all__ = ["OWNER", "Alarms", "Expiry", "seconds"]

OWNER = "@execution"
"""Whose timers they are: no strategy may have an id like this."""

_DAY = 86_400_000_000_000


def seconds(ns: int) -> str:
    """Nanoseconds as text in seconds."""
    text = f"{Decimal(ns).scaleb(-9):f}"
    return text.rstrip("0").rstrip(".")


class Alarms:
    """Timers for orders: each wakes one handler for one order, once."""

    def __init__(self, timers: TimerService | None) -> None:
        self._timers = timers
        self._handlers: dict[str, Callable[[Work], None]] = {}
        self._waiting: dict[str, Work] = {}

    @property
    def work(self) -> bool:
        """Whether there are timers at all."""
        return self._timers is not None

    def handler(self, kind: str, handler: Callable[[Work], None]) -> None:
        """Who takes alarms of a kind."""
        self._handlers[kind] = handler

    def set(self, kind: str, work: Work, due_ns: int) -> None:
        """Wake the handler of `kind` for an order at `due_ns`; replaces an earlier alarm of that kind."""
        name = f"{kind} {work.order.order_id}"
        self._waiting[name] = work
        if self._timers is not None:
            self._timers.schedule_at(OWNER, name, due_ns)

    def stop(self, work: Work) -> None:
        """The order is over: nobody is to be woken for it."""
        for kind in self._handlers:
            name = f"{kind} {work.order.order_id}"
            if self._waiting.pop(name, None) is not None and self._timers is not None:
                self._timers.unschedule(OWNER, name)

    def on_timer(self, timer: Timer) -> None:
        """Wake who asked for it."""
        work = self._waiting.pop(timer.name, None)
        if work is not None:
            self._handlers[timer.name.partition(" ")[0]](work)


class Expiry:
    """Cancels orders when their time is over; those with an end of their own are EXPIRED once that is confirmed.

    A DAY order ends with the UTC day of the first market event of its symbol after it was placed. A bar belongs to
    the day in which it opens; one that had opened before, to the day that it ends.
    """

    def __init__(self, desk: Desk, clock: Clock, alarms: Alarms) -> None:
        self._desk = desk
        self._clock = clock
        self._alarms = alarms
        self._days: dict[str, dict[str, tuple[Work, int]]] = {}
        """By symbol: DAY orders that have met no event yet, and when they were placed."""
        alarms.handler("expire", self._expire)
        alarms.handler("unfilled", self._give_up)

    def watch_end(self, work: Work) -> None:
        """End a DAY or GTD order in time."""
        order = work.order
        if order.time_in_force is TimeInForce.GTD:
            self._alarms.set("expire", work, order.terms.expire_ts)
        else:
            self._days.setdefault(order.symbol, {})[order.order_id] = work, self._clock.now()
            self._desk.watch(order.symbol)

    def watch_timeout(self, work: Work) -> None:
        """Cancel an order that has not filled in time, from now on."""
        if work.needs.timeout is not None:
            self._alarms.set("unfilled", work, self._clock.now() + work.needs.timeout.after_ns)

    def forget(self, work: Work) -> None:
        """The order is over."""
        self._alarms.stop(work)
        waiting = self._days.get(work.order.symbol)
        if waiting and waiting.pop(work.order.order_id, None) is not None and not waiting:
            del self._days[work.order.symbol]

    def on_market_data(self, event: MarketEvent) -> None:
        """The day of DAY orders that have met no event yet begins."""
        waiting = self._days.get(event.symbol)
        if not waiting:
            return
        for order_id, (work, placed) in tuple(waiting.items()):
            end = _end_of_day(event, placed)
            if end is None:
                continue
            del waiting[order_id]
            if end > self._clock.now():
                self._alarms.set("expire", work, end)
            else:
                self._expire(work)
        if not waiting:
            self._days.pop(event.symbol, None)

    def _expire(self, work: Work) -> None:
        work.overdue = True
        self._desk.cancel(work, f"{work.order.time_in_force}: its time is over", Trigger.EXPIRE)

    def _give_up(self, work: Work) -> None:
        timeout = work.needs.timeout
        if timeout is None or work.order.status is OrderStatus.CANCELING:
            return
        self._desk.cancel(work, f"UNFILLED: not filled within {seconds(timeout.after_ns)} s")


def _end_of_day(event: MarketEvent, placed: int) -> int | None:
    """The end of the UTC day of an event that an order placed then can meet; None of one that was over by then."""
    moment = event.ts
    if isinstance(event, Bar):
        if event.ts <= placed and event.ts_open < placed:
            return None
        moment = event.ts_open if event.ts_open >= placed else event.ts - 1
    return (moment // _DAY + 1) * _DAY
