"""Reads of the venue, and what is done with their answers. A read that fails says nothing, and changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tradingd.broker.ccxt.cursor import Step
from tradingd.broker.ccxt.evidence import Endpoint
from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.search import Search
from tradingd.broker.ccxt.streams import StreamWatch
from tradingd.broker.ccxt.tape import Orphan
from tradingd.broker.ccxt.tracked import Phase, Tracked
from tradingd.domain.events import AccountPosition, AccountSnapshot, Balance
from tradingd.errors import RateLimitedError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import OrderSeen, TradeSeen

__all__ = ["Reader", "UnreadError"]

T = TypeVar("T")
_NS = 1_000_000_000
_WAIT_S = 5.0
"""How long we wait where a venue asks us to, but does not say for how long."""
_JUST_NOW_S = 0.2
"""Lists of a symbol that were read so lately serve all its orders."""
_LOOK_BACK_S = 60.0
"""How far before it was sent a lost order is looked for among those that are over: clocks differ."""


class UnreadError(Exception):
    """A read failed; the link has been told why."""


class Reader:
    """Reads through `ask`: each failure is told to the link, and a venue that refuses us is asked nothing more.

    `changed` is called after each answer that was worked in: what it led to is to be told then.
    """

    def __init__(
        self, fates: Fates, search: Search, link: Link, streams: StreamWatch, changed: Callable[[], None]
    ) -> None:
        self._fates = fates
        self._account = fates.account
        self._search = search
        self._link = link
        self._streams = streams
        self._changed = changed
        self._barrier_read_at = float("-inf")
        self._listed_at: dict[str, float] = {}
        self._unexplained_since: float | None = None
        self._read_all = True
        """Whether the next barrier has to read the trades of every symbol, not only of those that we work in."""

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that reads.

        Raises:
            UnreadError: nothing that can be believed came back.

        """
        if self._link.is_refused:
            raise UnreadError
        try:
            answer = await call()
        except VenueAuthError as error:
            self._link.refused(str(error))
            raise UnreadError from error
        except RateLimitedError as error:
            wait = _WAIT_S if error.retry_after_s is None else error.retry_after_s
            self._link.failed(str(error), wait_s=wait)
            raise UnreadError from error
        except VenueUnavailableError as error:
            self._link.failed(str(error))
            raise UnreadError from error
        except VenueRefusedError as error:
            raise UnreadError from error
        self._link.answered()
        return answer

    # --- orders ----------------------------------------------------------------------------------------------

    async def look(self, tracked: Tracked) -> None:
        """Look for an order wherever it may show: one round."""
        try:
            if self._account.traits.fetches_by_client_id or tracked.exchange_id:
                await self._quietly(self._read_order(tracked))
            if self._wants_lists(tracked):
                self._listed_at[tracked.symbol] = self._fates.monotonic()
                await self._quietly(self._list_open(tracked))
                await self._quietly(self._list_closed(tracked))
                await self.read_trades(tracked.symbol)
            if tracked.case is not None and not self._fates.tape.movements.has_base:
                await self._quietly(self._take_base())
            if self._search.unseen(tracked.symbol):
                await self._quietly(self._weigh(tracked.symbol))
        finally:
            self._search.read_over(tracked.order_id)
            self._changed()

    def _wants_lists(self, tracked: Tracked) -> bool:
        """Whether to read the lists of its symbol: not where that was done for another order just now."""
        since = tracked.case.opened if tracked.case is not None else tracked.doubt_since
        if since is None or tracked.phase not in {Phase.UNKNOWN, Phase.LIVE}:
            return False
        listed_at = self._listed_at.get(tracked.symbol, -_JUST_NOW_S)
        return listed_at < since or self._fates.monotonic() - listed_at >= _JUST_NOW_S

    async def _take_base(self) -> None:
        """There was no barrier yet: what the account holds now is what later balances are compared with."""
        balances, positions = await self._holdings()
        self._fates.tape.movements.take(balances, positions)

    async def _quietly(self, read: Awaitable[None]) -> None:
        """One read of several: that it failed is known to the link, the others are made all the same."""
        try:
            await read
        except UnreadError:
            return

    async def _read_order(self, tracked: Tracked) -> None:
        asked_at, ref = self._fates.monotonic(), tracked.ref
        seen = await self.ask(lambda: self._account.fetch_order(ref))
        self._search.order_read(tracked.order_id, seen, asked_at)
        self._changed()

    async def _list_open(self, tracked: Tracked) -> None:
        asked_at, symbol = self._fates.monotonic(), tracked.symbol
        seen = await self.ask(lambda: self._account.fetch_open_orders(symbol))
        self._search.listed(symbol, Endpoint.OPEN, seen, asked_at)
        self._changed()

    async def _list_closed(self, tracked: Tracked) -> None:
        """An empty list is no evidence: venues without such a call give one, too."""
        asked_at, symbol = self._fates.monotonic(), tracked.symbol
        since = tracked.order.ts - int(_LOOK_BACK_S * _NS)
        seen = await self.ask(lambda: self._account.fetch_closed_orders(symbol, since))
        if seen:
            self._search.listed(symbol, Endpoint.CLOSED, seen, asked_at)
            self._changed()

    async def _weigh(self, symbol: str) -> None:
        """Whether the balances have moved by known trades only; it takes a moment without trades to tell."""
        fates = self._fates
        if not await self.read_trades(symbol):
            return
        version = fates.tape.version
        balances, positions = await self._holdings()
        if not await self.read_trades(symbol) or fates.tape.version != version:
            return
        explained = fates.tape.movements.explains(symbol, balances, positions)
        for tracked in self._search.unseen(symbol):
            self._search.balances_say(tracked.order_id, explained=explained)
        self._changed()

    async def identify(self, orphan: Orphan) -> None:
        """Read the order that trades are of, to learn whose it is."""
        seen = None
        try:
            ref = orphan.ref
            seen = await self.ask(lambda: self._account.fetch_order(ref))
        except UnreadError:
            pass
        finally:
            self._search.orphan_read(orphan, seen)
            self._changed()

    async def open_orders(self) -> None:
        """Read all working orders of the account."""
        asked_at = self._fates.monotonic()
        seen = await self.ask(lambda: self._account.fetch_open_orders(None))
        self._search.listed_open(seen, asked_at)
        self._changed()

    # --- trades ----------------------------------------------------------------------------------------------

    async def poll_trades(self, symbol: str) -> None:
        """Read what is new of a symbol's trades; those that came up late only where some are missed.

        One page is enough where it brings all that is known to be missing: what else there may be, the next poll
        or barrier brings.
        """
        fates = self._fates
        try:
            if fates.wants_wide(symbol):
                await self.read_trades(symbol)
            else:
                await self.read_trades(symbol, wide=False, enough=lambda: not fates.misses_trades(symbol))
        finally:
            fates.reading.discard(symbol)
            self._changed()

    async def read_trades(
        self, symbol: str, *, wide: bool = True, enough: Callable[[], bool] = lambda: False
    ) -> bool:
        """Read a symbol's trades since the last known ones, all or until `enough`; whether that worked."""
        asked_at = self._fates.monotonic()
        paging = self._fates.tape.paging(symbol, self._fates.now(), wide=wide)
        step = Step.GO_ON
        try:
            while step is not Step.DONE:
                since = paging.since_ns
                page = await self.ask(lambda since=since: self._account.fetch_trades(symbol, since))  # type: ignore[misc]
                step = self._search.trades_page(symbol, paging, page)
                self._compare_with_streams()
                self._changed()
                if step is Step.GO_ON and enough():
                    self._fates.trades_again(symbol)
                    self._changed()
                    return True
        except UnreadError:
            self._fates.trades_again(symbol)
            self._changed()
            return False
        self._fates.tape.read_whole(symbol, paging)
        self._search.trades_complete(symbol, asked_at)
        self._changed()
        return True

    def _compare_with_streams(self) -> None:
        found, now = self._fates.tape.found, self._fates.monotonic()
        for trade in found:
            self._streams.found(trade.symbol, trade.trade_id, now)
        found.clear()

    async def read_all_trades(self, symbols: Sequence[str]) -> None:
        """Read the trades of these symbols.

        Raises:
            UnreadError: one could not be read.

        """
        for symbol in symbols:
            if not await self.read_trades(symbol):
                raise UnreadError

    # --- hints -----------------------------------------------------------------------------------------------

    def hint(self, news: Sequence[OrderSeen] | Sequence[TradeSeen] | Sequence[Balance]) -> None:
        """A stream told something. States of orders are taken over; that there are trades has them read."""
        now = self._fates.monotonic()
        for seen in news:
            if isinstance(seen, OrderSeen):
                self._streams.order_told(seen.symbol, now)
                self._search.hint((seen,))
            elif isinstance(seen, TradeSeen):
                self._streams.trade_told(seen.symbol, seen.trade_id)
                self._fates.want_trades(seen.symbol)

    # --- the account -----------------------------------------------------------------------------------------

    async def barrier(self, quiet: Callable[[], Awaitable[None]], quiet_s: float) -> AccountSnapshot | None:
        """Read what the account holds at a moment at which nothing of it moves; None where there was none.

        Trades are read before and after the balances: the same ones, or it was no such moment. The last one has to
        be `quiet_s` old.

        Raises:
            UnreadError: something could not be read.

        """
        fates, now = self._fates, self._fates.monotonic()
        if not fates.is_calm(quiet_s) and now - self._barrier_read_at < fates.policy.barrier_s:
            return None  # what would be read now was read not long ago, and there will be no barrier
        self._barrier_read_at = now
        every = self._read_all
        symbols = tuple(self._account.instruments) if every else self._worked()
        await self.open_orders()
        await self.read_all_trades(symbols)
        version = fates.version
        if not fates.is_calm(quiet_s):
            return None
        balances, positions = await self._holdings()
        await self.read_all_trades(symbols)
        if fates.version != version or fates.busy or not self._believed(balances, every=every):
            return None
        await quiet()
        if fates.version != version or fates.busy:
            return None
        fates.tape.movements.take(balances, positions)
        fates.tape.opened = True
        return AccountSnapshot(fates.now(), fates.venue, tuple(balances), tuple(positions))

    def _worked(self) -> tuple[str, ...]:
        """The symbols that we have orders in, or lately had."""
        symbols = {one.symbol for one in self._fates.book.open.values()} | set(self._fates.trades_at)
        return tuple(symbol for symbol in self._account.instruments if symbol in symbols)

    def _believed(self, balances: Sequence[Balance], *, every: bool) -> bool:
        """Whether to tell of these balances.

        What the known trades do not explain may be trades in other symbols: they are read next time. What those do
        not explain either may be balances older than the trades: they are told only when that does not pass.
        """
        movements, now = self._fates.tape.movements, self._fates.monotonic()
        if not movements.has_base or movements.explains_all(balances):
            self._unexplained_since, self._read_all = None, False
            return True
        if self._unexplained_since is None or not every:
            self._read_all = True
            if self._unexplained_since is None:
                self._unexplained_since = now
            return False
        if now - self._unexplained_since < self._account.traits.visibility_s:
            return False
        self._unexplained_since = None
        return True

    async def _holdings(self) -> tuple[Sequence[Balance], Sequence[AccountPosition]]:
        balances = await self.ask(self._account.fetch_balances)
        positions = await self.ask(self._account.fetch_positions)
        return balances, positions
