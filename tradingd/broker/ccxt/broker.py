"""The rim of the broker: queues, tasks, and every call to the venue. What is decided is decided elsewhere."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from tradingd.broker.base import Broker
from tradingd.broker.ccxt.deadman import DeadMan
from tradingd.broker.ccxt.desk import Desk
from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.keeping import Keeper
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.reading import Reader, UnreadError
from tradingd.broker.ccxt.search import Search
from tradingd.broker.ccxt.sending import Sender
from tradingd.broker.ccxt.streams import StreamWatch
from tradingd.broker.ccxt.tape import Orphan
from tradingd.broker.ccxt.tracked import Change, Phase, Tracked
from tradingd.domain.events import Balance, Event, MarketEvent, ModifyOrder, SubmitOrder, VenueCondition
from tradingd.domain.money import ZERO
from tradingd.domain.venue import VenueCapabilities
from tradingd.errors import UsageError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import OrderSeen, TradeSeen, VenueAccount

__all__ = ["CcxtBroker"]

_WORKERS = 4
_CANCEL_TRIES = 5
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
        self._account = account
        self._inject = inject
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random
        self._policy = policy or EvidencePolicy()
        self._fates = Fates(account, self._policy, now=now, monotonic=monotonic, since_ns=now(), cursors=cursors)
        self._desk = Desk(self._fates)
        self._search = Search(self._fates)
        self._streams = StreamWatch(self._policy.stream_grace_s)
        self._link = Link(account.name, self._policy, tell=self._fates.out.append, now=now, monotonic=monotonic)
        self._reader = Reader(self._fates, self._search, self._link, self._streams, self._changed)
        self._keeper = Keeper(self._fates, self._link, self._reader, quiet, self._changed)
        self._sender = Sender(self._desk, self._link, account, before_send, self._changed)
        self._dead_man = DeadMan(account, self._link, dead_man_s, sleep, monotonic, self._changed)
        self._sends: asyncio.Queue[str | Tracked] = asyncio.Queue()
        self._cancels: asyncio.Queue[Tracked] = asyncio.Queue()
        self._looks: asyncio.Queue[Tracked | Orphan | str] = asyncio.Queue()
        self._hints: deque[Sequence[OrderSeen] | Sequence[TradeSeen] | Sequence[Balance]] = deque()
        self._due = asyncio.Event()
        self._link_news = asyncio.Event()
        self._dead = asyncio.Event()
        self._redial = {name: asyncio.Event() for name in ("orders", "trades", "balances")}
        self._waiting: set[asyncio.Future[None]] = set()

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
        *,
        change: int = 0,
    ) -> None:
        """Ask for a change in place; the answer repeats the number `change`."""
        self._desk.modify(order_id, Change(quantity, limit_price, stop_price, change))
        self._due.set()

    def on_submit_modify(self, command: ModifyOrder) -> None:
        """Take execution's change."""
        quantity, limit, stop = command.quantity, command.limit_price, command.stop_price
        self.modify_order(command.order_id, quantity, limit, stop, change=command.change)

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
            if (
                tracked.phase < Phase.LIVE
            ):  # what is on its way may get there after the call: it has its own cancel
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
        await self._dead_man.disarm()

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What has to run: each is restarted, or halts the run, as the supervisor has it."""
        account = self._account
        tasks: dict[str, Callable[[], Awaitable[None]]] = {
            "agenda": self._keep_agenda,
            "orders": lambda: self._work(self._sends, self._sender.send),
            "cancels": lambda: self._work(self._cancels, self._sender.cancel),
            "reads": lambda: self._work(self._looks, self._look),
            "link": self._keep_link,
            "resets": self._reset_dead,
            "watch-orders": lambda: self._watch("orders", account.watch_orders),
            "watch-trades": lambda: self._watch("trades", account.watch_trades),
            "watch-balances": lambda: self._watch("balances", account.watch_balances),
        }
        if self._dead_man.is_armed:
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
                self._reader.hint(self._hints.popleft())
            self._dispatch()
            self._tell()
            if self._streams.take_dead(self._monotonic()):
                self._dead.set()
            moment = min(self._search.next_due(), self._streams.next_due())
            await self._rest(self._due, moment - self._monotonic())

    def _dispatch(self) -> None:
        self._search.judge_all()
        for tracked in self._desk.cancels_due():
            self._cancels.put_nowait(tracked)
        for tracked in self._desk.changes_due():
            self._sends.put_nowait(tracked)
        looks: list[Tracked | Orphan | str] = [*self._search.reads_due(), *self._search.orphans_due()]
        looks += self._fates.trades_due()
        if self._sender.take_refresh(self._monotonic(), self._policy.refresh_s):
            looks.append("")
        for look in looks:
            self._looks.put_nowait(look)

    async def _rest(self, news: asyncio.Event, seconds: float) -> None:
        """Sleep, but no longer than until there is news."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(news.wait())]
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

    # --- reads -----------------------------------------------------------------------------------------------

    async def _look(self, what: Tracked | Orphan | str) -> None:
        if isinstance(what, Tracked):
            await self._reader.look(what)
        elif isinstance(what, Orphan):
            await self._reader.identify(what)
        elif what:
            await self._reader.poll_trades(what)
        else:
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            await self._reader.ask(self._account.refresh_instruments)
        except UnreadError:
            self._sender.refresh_failed()

    # --- streams ---------------------------------------------------------------------------------------------

    async def _reset_dead(self) -> None:
        """Closes streams that are dead: a task of its own, as closing what does not answer takes its time."""
        while True:
            await self._dead.wait()
            self._dead.clear()
            await self._account.reset_streams()
            for redial in self._redial.values():
                redial.set()

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
        await self._forever()

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

    # --- the link --------------------------------------------------------------------------------------------

    async def _keep_link(self) -> None:
        """Catches up after each loss of the connection, and holds a barrier now and then."""
        self._link.start()
        self._changed()
        tries, again_at = 0, 0.0
        while not self._link.is_refused:
            self._link_news.clear()
            if self._link.is_ready:
                await self._rest(self._link_news, self._keeper.barrier_at - self._monotonic())
                if self._monotonic() >= self._keeper.barrier_at:
                    await self._keeper.hold_barrier()
                continue
            begins_at = max(again_at, self._link.begins_at)
            if self._monotonic() < begins_at:
                longest = self._policy.barrier_s  # where a stream is not dialed yet, there is no telling
                await self._rest(self._link_news, min(longest, begins_at - self._monotonic()))
            elif await self._keeper.catch_up():
                tries = 0
            else:
                again_at = self._monotonic() + self._spread(self._policy.pause(tries))
                tries += 1
        await self._forever()

    async def _keep_dead_man(self) -> None:
        await self._dead_man.keep()
        await self._forever()

    async def _forever(self) -> None:
        """A task whose work is over, because the venue refuses us, waits for the end of the run."""
        await asyncio.get_running_loop().create_future()
