"""The rim of the broker: queues, tasks, and every call to the venue. What is decided is decided elsewhere."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from tradingd.broker.base import Broker
from tradingd.broker.ccxt import changes
from tradingd.broker.ccxt.desk import Desk
from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.reading import Reader, UnreadError
from tradingd.broker.ccxt.search import Search
from tradingd.broker.ccxt.streams import StreamWatch
from tradingd.broker.ccxt.tape import Orphan
from tradingd.broker.ccxt.tracked import Phase, Tracked
from tradingd.domain.events import Balance, Event, MarketEvent, SubmitOrder, VenueCondition
from tradingd.domain.money import ZERO
from tradingd.domain.venue import VenueCapabilities
from tradingd.errors import (
    DuplicateOrderError,
    UsageError,
    VenueAuthError,
    VenueRefusedError,
    VenueUnavailableError,
)
from tradingd.venues.model import OrderSeen, TradeSeen, VenueAccount

__all__ = ["CcxtBroker"]

_WORKERS = 4
_CANCEL_TRIES = 5
_NOT_SENT = "NOT_SENT"
T = TypeVar("T")


class Dice(Protocol):
    """What spreads delays: a `random.Random`."""

    def random(self) -> float:
        """A number from 0 up to 1."""


async def _at_once(_order: SubmitOrder) -> None:
    """Record nothing."""


class CcxtBroker(Broker):
    """Works orders at one account of a real venue.

    `account` is open already. Events are told by `inject`. `quiet` waits until the components have handled all
    that was told. `before_send` is awaited for each order before anything of it leaves: what it has not recorded
    is not sent. `cursors` is how far an earlier run has booked the trades of each symbol, ns UTC; without it the
    books open with the first `AccountSnapshot`. `dead_man_s` arms the venue's dead-man switch: it then cancels all
    orders, protective stops included, when it has not heard of us for so long. docs/broker-ccxt.md tells the rest.
    """

    def __init__(
        self,
        account: VenueAccount,
        *,
        inject: Callable[[Event], None],
        now: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        random: Dice,
        quiet: Callable[[], Awaitable[None]],
        policy: EvidencePolicy | None = None,
        before_send: Callable[[SubmitOrder], Awaitable[None]] = _at_once,
        dead_man_s: float | None = None,
        cursors: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(account.name)
        if dead_man_s is not None and (dead_man_s <= 0 or not account.traits.dead_man):
            raise UsageError(
                f"account {account.name}: {account.traits.exchange_id} has no dead-man switch, or {dead_man_s} s is "
                "no time for one; leave it off"
            )
        self._account = account
        self._inject = inject
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random
        self._quiet = quiet
        self._policy = policy or EvidencePolicy()
        self._before_send = before_send
        self._dead_man_s = dead_man_s
        self._fates = Fates(
            account, self._policy, now=now, monotonic=monotonic, since_ns=now(), cursors=cursors
        )
        self._desk = Desk(self._fates)
        self._search = Search(self._fates)
        self._streams = StreamWatch(self._policy.stream_grace_s)
        self._link = Link(
            account.name, self._policy, tell=self._fates.out.append, now=now, monotonic=monotonic
        )
        self._reader = Reader(self._fates, self._search, self._link, self._streams, self._changed)
        self._sends: asyncio.Queue[str | Tracked] = asyncio.Queue()
        self._cancels: asyncio.Queue[Tracked] = asyncio.Queue()
        self._looks: asyncio.Queue[Tracked | Orphan | str] = asyncio.Queue()
        self._hints: deque[Sequence[OrderSeen] | Sequence[TradeSeen] | Sequence[Balance]] = deque()
        self._due = asyncio.Event()
        self._link_news = asyncio.Event()
        self._redial = {name: asyncio.Event() for name in ("orders", "trades", "balances")}
        self._waiting: set[asyncio.Future[None]] = set()
        self._barrier_at = 0.0
        self._refreshed_at = float("-inf")

    # --- what the rest of the daemon asks ----------------------------------------------------------------------

    @property
    def capabilities(self) -> VenueCapabilities:
        """What its venue can do of itself."""
        return self._account.capabilities

    @property
    def condition(self) -> VenueCondition:
        """How far the venue can be traded with."""
        return self._link.condition

    @property
    def cursors(self) -> Mapping[str, int]:
        """How far the trades of each symbol have been told, ns UTC: what a later run goes on from."""
        return self._fates.tape.cursors

    def place_order(self, order: SubmitOrder) -> None:
        """Take an order; it is sent once, or not at all."""
        if not self._desk.place(order):
            raise UsageError(f"order {order.order_id} was sent already; an id is never used twice")
        self._sends.put_nowait(order.order_id)

    def cancel_order(self, order_id: str) -> None:
        """Ask for a cancel; it goes ahead of orders."""
        self._desk.cancel(order_id)
        self._due.set()

    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> None:
        """Ask for a change in place."""
        self._desk.modify(order_id, quantity, limit_price, stop_price)
        self._due.set()

    def on_market_data(self, data: MarketEvent) -> None:
        """A real venue needs no telling."""

    def market_interest(self) -> frozenset[str]:
        """No market event is of use here."""
        return frozenset()

    def adopt(self, order: SubmitOrder, exchange_order_id: str = "", traded: Decimal = ZERO) -> None:
        """Look for an order that an earlier run sent or may have sent; `traded` of it is booked already."""
        self._desk.adopt(order, exchange_order_id, traded)
        self._due.set()

    async def ready(self) -> None:
        """Wait until the venue can be traded with."""
        await self._until(lambda: self._link.is_ready)

    async def settled(self) -> None:
        """Wait until no answer, evidence or trade is outstanding."""
        await self._until(lambda: not (self._hints or self._fates.busy))

    async def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel everything, past all queues: what waits to be sent is dropped, the rest canceled at one call.

        Raises:
            VenueUnavailableError: the venue did not confirm it in several tries.

        """
        mine = [one for one in self._fates.book.open.values() if symbol in {None, one.symbol}]
        for tracked in mine:
            if tracked.phase is Phase.QUEUED:
                self._desk.cancel(tracked.order_id)
        self._changed()
        for tries in range(_CANCEL_TRIES):
            try:
                await self._account.cancel_all(symbol)
                break
            except VenueUnavailableError:
                if tries == _CANCEL_TRIES - 1:
                    raise
                await self._pause(tries)
        for tracked in mine:
            if tracked.phase is Phase.LIVE:
                tracked.read_at = self._monotonic()
        self._due.set()

    async def disarm(self) -> None:
        """Switch the dead-man switch off: before an announced maintenance, and at an orderly stop."""
        if self._dead_man_s is not None:
            self._dead_man_s = None
            await self._account.set_dead_man(0)

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What has to run: each is restarted, or halts the run, as the supervisor has it."""
        account = self._account
        tasks: dict[str, Callable[[], Awaitable[None]]] = {
            "agenda": self._keep_agenda,
            "orders": lambda: self._work(self._sends, self._send),
            "cancels": lambda: self._work(self._cancels, self._cancel),
            "reads": lambda: self._work(self._looks, self._look),
            "link": self._keep_link,
            "watch-orders": lambda: self._watch("orders", account.watch_orders),
            "watch-trades": lambda: self._watch("trades", account.watch_trades),
            "watch-balances": lambda: self._watch("balances", account.watch_balances),
        }
        if self._dead_man_s is not None:
            tasks["dead-man"] = self._keep_dead_man
        return tasks

    # --- telling ---------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        out = self._fates.out
        while out:
            event, out[:1] = out[0], []
            self._inject(event)

    def _changed(self) -> None:
        """Something happened: tell what it led to, and let everybody look whether it concerns them."""
        self._tell()
        self._due.set()
        if not self._link.is_ready:
            self._link_news.set()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            await waiting

    async def _pause(self, tries: int) -> None:
        await self._sleep(self._spread(self._policy.pause(tries)))

    def _spread(self, seconds: float) -> float:
        return seconds * (0.8 + 0.4 * self._random.random())

    # --- the agenda ------------------------------------------------------------------------------------------

    async def _keep_agenda(self) -> None:
        """Puts what is due into the queues, in time."""
        while True:
            self._due.clear()
            while self._hints:
                self._take_hint(self._hints.popleft())
            self._dispatch()
            self._tell()
            if self._streams.take_dead(self._monotonic()):
                await self._account.reset_streams()
                for redial in self._redial.values():
                    redial.set()
            moment = min(self._search.next_due(), self._streams.next_due())
            await self._rest(self._due, moment - self._monotonic())

    def _dispatch(self) -> None:
        for tracked in self._desk.cancels_due():
            self._cancels.put_nowait(tracked)
        for tracked in self._desk.changes_due():
            self._sends.put_nowait(tracked)
        for look in (*self._search.reads_due(), *self._search.orphans_due(), *self._search.trades_due()):
            self._looks.put_nowait(look)

    async def _rest(self, news: asyncio.Event, seconds: float) -> None:
        """Sleep, but no longer than until there is news."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waits = [asyncio.ensure_future(news.wait())]
        if seconds != float("inf"):
            waits.append(asyncio.ensure_future(self._sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _work(self, queue: "asyncio.Queue[T]", do: Callable[[T], Awaitable[None]]) -> None:
        """Several workers take from one queue."""

        async def worker() -> None:
            while True:
                await do(await queue.get())

        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(worker())

    # --- orders ----------------------------------------------------------------------------------------------

    async def _send(self, job: "str | Tracked") -> None:
        try:
            if isinstance(job, Tracked):
                await self._change(job)
            else:
                await self._submit(job)
        finally:
            self._changed()

    async def _submit(self, order_id: str) -> None:
        order = self._desk.begin(order_id)
        if order is None:
            return
        try:
            await self._before_send(order)
        except BaseException as error:
            self._desk.not_sent(order_id, f"its intent was not recorded: {type(error).__name__}")
            raise
        if not self._desk.may_send(order_id, self._link.hindrance):
            return
        try:
            seen = await self._account.create_order(order)
        except DuplicateOrderError as error:
            self._desk.lost(order_id, f"the venue has this id already: {error}", known=True)
        except VenueRefusedError as error:
            self._refused(order_id, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the order may be there: told as UNKNOWN
            self._desk.lost(order_id, f"{type(error).__name__}: {error}")
        except BaseException as error:
            self._desk.lost(order_id, f"{type(error).__name__} while it was being sent")
            raise
        else:
            if seen.order_id == order_id and seen.exchange_order_id:
                self._desk.accepted(order_id, seen)
            else:
                self._desk.lost(order_id, f"the answer tells of another order: {seen.order_id!r}")

    def _refused(self, order_id: str, error: VenueRefusedError) -> None:
        if error.code == _NOT_SENT:
            self._desk.not_sent(order_id, str(error))
            return
        self._desk.refused(order_id, error.code, str(error))
        if isinstance(error, VenueAuthError):
            self._link.refused(str(error))
        elif self._monotonic() - self._refreshed_at >= self._policy.refresh_s:
            self._refreshed_at = self._monotonic()  # a changed filter may be the reason
            self._looks.put_nowait("")

    async def _change(self, tracked: Tracked) -> None:
        order_id = tracked.order_id
        if tracked.change is None:
            return
        try:
            seen = await self._account.edit_order(tracked.ref, changes.wanted(tracked))
        except VenueRefusedError as error:
            self._desk.change_refused(order_id, error.code, str(error))
            if isinstance(error, VenueAuthError):
                self._link.refused(str(error))
        except VenueUnavailableError:
            self._desk.change_lost(order_id)
        except BaseException:
            self._desk.change_lost(order_id)
            raise
        else:
            self._desk.changed(order_id, seen)

    async def _cancel(self, tracked: Tracked) -> None:
        order_id = tracked.order_id
        try:
            if self._link.is_refused:
                self._desk.cancel_lost(order_id)
                return
            self._desk.canceled(order_id, await self._account.cancel_order(tracked.ref))
        except VenueAuthError as error:
            self._desk.cancel_lost(order_id)
            self._link.refused(str(error))
        except VenueRefusedError as error:
            self._desk.cancel_refused(order_id, error.code, str(error))
        except VenueUnavailableError:
            self._desk.cancel_lost(order_id)
        except BaseException:
            self._desk.cancel_lost(order_id)
            raise
        finally:
            self._changed()

    # --- reads -----------------------------------------------------------------------------------------------

    async def _look(self, what: Tracked | Orphan | str) -> None:
        if isinstance(what, Tracked):
            await self._reader.look(what)
        elif isinstance(what, Orphan):
            await self._reader.identify(what)
        elif what:
            await self._reader.read_trades(what)
        else:
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            await self._reader.ask(self._account.refresh_instruments)
        except UnreadError:
            self._refreshed_at = float("-inf")  # at the next refusal again

    # --- streams ---------------------------------------------------------------------------------------------

    async def _watch(self, name: str, watch: Callable[[], Awaitable[Sequence[object]]]) -> None:
        """Takes what one stream tells, and nothing else; dials anew when it is lost."""
        tries = 0
        while not self._link.is_refused:
            self._link.stream_dialed(name)
            self._link_news.set()
            try:
                news = await self._next(name, watch)
            except VenueAuthError as error:
                self._link.refused(str(error))
                self._changed()
            except VenueRefusedError:
                break  # the venue has no such stream: reads have to do
            except VenueUnavailableError as error:
                self._link.stream_lost(name, str(error))
                self._changed()
                await self._pause(tries)
                tries += 1
            else:
                tries = 0
                self._link.stream_heard(name)
                self._hints.append(news)  # type: ignore[arg-type]
                self._due.set()
        await asyncio.get_running_loop().create_future()

    async def _next(self, name: str, watch: Callable[[], Awaitable[Sequence[object]]]) -> Sequence[object]:
        """One await of a stream, given up when the streams are to be dialed anew."""
        redial = self._redial[name]
        redial.clear()
        watching = asyncio.ensure_future(watch())
        given_up = asyncio.ensure_future(redial.wait())
        try:
            await asyncio.wait((watching, given_up), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return await watching
            raise VenueUnavailableError("it did not tell what reads found: dead")
        finally:
            watching.cancel()
            given_up.cancel()

    def _take_hint(self, news: Sequence[OrderSeen] | Sequence[TradeSeen] | Sequence[Balance]) -> None:
        """Order states are taken over; of trades only that there are some: their truth is read."""
        now = self._monotonic()
        for seen in news:
            if isinstance(seen, OrderSeen):
                self._streams.heard(seen.symbol, now)
                self._search.hint((seen,))
            elif isinstance(seen, TradeSeen):
                self._streams.heard(seen.symbol, now)
                self._fates.want_trades(seen.symbol)

    # --- the link --------------------------------------------------------------------------------------------

    async def _keep_link(self) -> None:
        """Catches up after each loss of the connection, and holds a barrier now and then."""
        self._link.start()
        self._changed()
        tries = 0
        while not self._link.is_refused:
            self._link_news.clear()
            if self._link.is_ready:
                await self._rest(self._link_news, self._barrier_at - self._monotonic())
                if self._link.is_ready and self._monotonic() >= self._barrier_at:
                    await self._hold_barrier()
            else:
                await self._sleep(self._spread(self._link.pause(tries)))
                if self._link.may_begin:
                    tries = 0 if await self._catch_up() else tries + 1
        await asyncio.get_running_loop().create_future()

    async def _catch_up(self) -> bool:
        """Read what happened meanwhile; whether the venue is ready now."""
        try:
            await self._reader.open_orders()
            self._link.catching_up()
            self._tell()
            await self._reader.read_all_trades(tuple(self._account.instruments))
        except UnreadError:
            self._changed()
            return False
        self._barrier_at = self._monotonic()
        if not self._fates.tape.opened and not await self._hold_barrier():
            return False
        ready = self._link.caught_up()
        self._changed()
        return ready

    async def _hold_barrier(self) -> bool:
        try:
            snapshot = await self._reader.barrier(self._told)
        except UnreadError:
            snapshot = None
        self._barrier_at = self._monotonic() + (self._policy.quiet_s if snapshot is None else self._policy.barrier_s)
        if snapshot is not None:
            self._fates.out.append(snapshot)
        self._changed()
        return snapshot is not None

    async def _told(self) -> None:
        self._tell()
        await self._quiet()

    async def _keep_dead_man(self) -> None:
        """Arms the switch anew at a third of its time. Where it may have fired, the orders are read."""
        armed_at = self._monotonic()
        while self._dead_man_s is not None and not self._link.is_refused:
            try:
                await self._account.set_dead_man(self._dead_man_s)
                armed_at = self._monotonic()
            except VenueAuthError as error:
                self._link.refused(str(error))
                self._changed()
            except (VenueUnavailableError, VenueRefusedError):
                if self._monotonic() - armed_at >= self._dead_man_s:
                    self._link.stream_lost("dead-man", "the dead-man switch may have fired")
                    self._link.stream_dialed("dead-man")
                    self._changed()
            await self._sleep(self._dead_man_s / 3 if self._dead_man_s is not None else 0)
        await asyncio.get_running_loop().create_future()
