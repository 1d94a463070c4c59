"""One connection to a venue: an instance of ccxt's class behind lanes, guards and our own errors.

What ccxt hands out it may change later, so it is copied on receipt. What it raises has the signed address in it,
so it never leaves: the errors raised here have the method, the venue's own code and words, and nothing else.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress

from tradingd.errors import ConfigError, TradingdError, VenueUnavailableError
from tradingd.venues.budget import WeightBudget
from tradingd.venues.caches import forget, left_behind
from tradingd.venues.failures import BrokenStreamError, Judge, with_listed
from tradingd.venues.guarded import CALL, Call, Guard, StreamFault, guarded_class
from tradingd.venues.loader import exchange_class, specimen
from tradingd.venues.model import Lane
from tradingd.venues.origins import Origins, origins_of
from tradingd.venues.session import Session, own_session
from tradingd.venues.settings import Credentials, VenueSettings
from tradingd.venues.setup import TRADES_LIMIT, ccxt_config, setting_faults
from tradingd.venues.table import VenueRow
from tradingd.venues.untyped import Untyped

__all__ = ["VenueClient", "budget_of"]

_IDLE_WINDOW_S = 2.0
"""The window of a venue that ccxt knows only an interval of."""
_GOODBYE_S = 0.5
_PUBLIC_CACHES = ("trades", "ohlcvs", "orderbooks", "tickers", "bidsasks")
"""What a new socket must not begin with."""
_MARKET_CALLS = 8
"""How many market calls are under way at once: hundreds, let go together, keep the loop busy for half a second,
and a cancel waits with all else."""
_AT_ONCE = nullcontext()


class _Currencies(dict[str, Untyped]):
    """ccxt's currencies; one that it does not know has no precision instead of ending a stream with KeyError."""

    def __missing__(self, code: str) -> dict[str, Untyped]:
        return {}


class VenueClient:
    """One connection; `call` and `watch` raise only the Venue* errors of `tradingd.errors`."""

    def __init__(
        self,
        settings: VenueSettings,
        row: VenueRow,
        *,
        budget: WeightBudget,
        lane: Lane,
        credentials: Credentials | None = None,
        session: Untyped = None,
        timeout_s: float | None = None,
        is_order_path: bool = False,
        on_fault: Callable[[StreamFault], None] | None = None,
    ) -> None:
        self.exchange_id = settings.exchange
        self._settings = settings
        self._is_order_path = is_order_path
        self.trade_count_field = row.trade_count_field
        """Where a raw trade of the public stream tells how many trades it is; empty where each is told."""
        self._session = session
        self._owned: Session | None = None
        self._market_calls = asyncio.Semaphore(_MARKET_CALLS)
        self._guard = Guard(
            budget=budget,
            lane=lane,
            origins=Origins(frozenset(), frozenset()),
            has_counting_nonce=row.has_counting_nonce,
            used_weight_header=row.used_weight_header,
            used_weight_limit=row.used_weight_limit,
            on_fault=on_fault,
        )
        timeout = timeout_s if timeout_s is not None else settings.order_timeout_s
        config = ccxt_config(settings, row, credentials, timeout)
        self._exchange = guarded_class(exchange_class(settings.exchange))(config | {"guard": self._guard})
        self._enter_environment()
        secrets = () if credentials is None else tuple(credentials.for_ccxt().values())
        self._judge = Judge(
            settings.name, with_listed(row.codes, self._exchange.exceptions), budget.banned_for, secrets
        )

    def __repr__(self) -> str:
        return f"VenueClient({self.exchange_id}, {self._settings.environment}, {self._guard.lane.name})"

    def _enter_environment(self) -> None:
        exchange, environment = self._exchange, self._settings.environment
        try:
            if environment == "sandbox":
                exchange.set_sandbox_mode(True)
            elif environment == "demo":
                exchange.enable_demo_trading(True)
        except Exception as error:  # noqa: BLE001 - NotSupported, or a KeyError where ccxt has no such address
            failure = f"{self.exchange_id} has no {environment} environment ({type(error).__name__})"
        else:
            self._guard.origins = origins_of(exchange, environment, has_session=self._session is not None)
            return
        raise ConfigError(f"{self._settings.name}: {failure}")

    # --- what it is ------------------------------------------------------------------------------------------

    @property
    def ccxt(self) -> Untyped:
        """The instance of ccxt's class, for `tradingd.venues` only."""
        return self._exchange

    @property
    def faults(self) -> int:
        """How many frames ccxt's handlers could not take; each may have been a fill, so read the trades."""
        return self._guard.faults

    @property
    def last_fault(self) -> StreamFault | None:
        """The latest of them."""
        return self._guard.last_fault

    @property
    def budget(self) -> WeightBudget:
        """The account's budget."""
        return self._guard.budget

    def has(self, method: str) -> bool:
        """Whether the exchange offers a unified method, such as `fetchMyTrades`, itself or by emulation."""
        return bool(self._exchange.has.get(method))

    def setting_faults(self) -> list[str]:
        """What of ccxt's settings is not as it has to be."""
        return setting_faults(self._exchange, is_order_path=self._is_order_path)

    # --- calls -----------------------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        *args: Untyped,
        lane: Lane,
        params: Mapping[str, Untyped] | None = None,
        timeout_s: float | None = None,
        patience_s: float | None = None,
    ) -> Untyped:
        """One call of the unified (or implicit) interface by its Python name, when it is its turn; never repeated.

        `timeout_s` bounds it with its wait for the turn; without it ccxt's time-out bounds each request alone.
        `patience_s` bounds each wait for a turn: RateLimitedError after that, or VenueRefusedError for an order.

        Raises:
            VenueUnavailableError: nothing is known; `RateLimitedError` where the venue asks to wait.
            VenueRefusedError: a definite refusal; also `VenueAuthError` and `DuplicateOrderError`.

        """
        return await self._guarded(
            method, args, params, Call(lane, patience_s), timeout_s, _copied, self._line_of(lane)
        )

    async def read(
        self,
        method: str,
        *args: Untyped,
        lane: Lane,
        params: Mapping[str, Untyped] | None = None,
    ) -> tuple[Untyped, Untyped]:
        """`call`, and the parsed body of its last answer: whether an empty result is one is told by that alone."""
        call = Call(lane)
        return await self._guarded(method, args, params, call, None, _copied, self._line_of(lane)), call.body

    def _line_of(self, lane: Lane) -> "AbstractAsyncContextManager[None]":
        return self._market_calls if lane is Lane.MARKET else _AT_ONCE

    async def watch(
        self,
        method: str,
        *args: Untyped,
        params: Mapping[str, Untyped] | None = None,
        pick: Callable[[Untyped], Untyped] | None = None,
    ) -> Untyped:
        """One wait for news of a stream; the same errors. Await it in a loop that does nothing else.

        `pick` is given ccxt's own object at once and takes a copy of what is wanted of it; all is copied without.
        What came while nobody awaited is told at once.
        """

        def take(told: Untyped) -> Untyped:
            result = _copied(told) if pick is None else pick(told)
            forget(self._exchange, method, told)
            return result

        waiting = left_behind(self._exchange, method, args)
        if waiting:
            return take(waiting)
        try:
            return await self._guarded(method, args, params, Call(self._guard.lane), None, take)
        except BrokenStreamError as error:
            failure = VenueUnavailableError(str(error))
        # Some handlers of ccxt's raise errors of Python's own, and leave everybody else waiting for ever.
        await self.reset_streams()
        raise failure

    @property
    def trades_limit(self) -> int:
        """How many trades a hand-over of a stream has at most: one of as many may have lost some."""
        return TRADES_LIMIT

    async def _guarded(
        self,
        method: str,
        args: tuple[Untyped, ...],
        params: Mapping[str, Untyped] | None,
        call: Call,
        timeout_s: float | None,
        take: Callable[[Untyped], Untyped],
        line: "AbstractAsyncContextManager[None]" = _AT_ONCE,
    ) -> Untyped:
        self._open()
        token = CALL.set(call)
        try:
            async with asyncio.timeout(timeout_s), line:
                named = {} if params is None else {"params": dict(params)}
                return take(await getattr(self._exchange, method)(*args, **named))
        except asyncio.CancelledError:
            if _is_ours_to_end():
                raise
            failure: TradingdError = VenueUnavailableError(f"{self._judge.name}: {method}: connection closed")
        except TradingdError as error:
            failure = self._judge.own(method, call, error)
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises is judged, and its text stays here
            failure = self._judge.judged(method, call, error)
        finally:
            CALL.reset(token)
        raise failure  # outside, so that ccxt's exception is not its context

    # --- life ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._exchange.session is not None:
            return
        if self._session is not None:
            self._exchange.session = Session(self._session, is_ours=False)
        else:
            self._owned = own_session(is_plain=self._settings.environment == "loopback")
            self._exchange.session = self._owned
        self._exchange.own_session = False

    def take_markets(self, source: "VenueClient") -> None:
        """Share the markets that another client of the same exchange has loaded."""
        self._exchange.set_markets_from_exchange(source.ccxt)
        self._exchange.currencies = _Currencies(self._exchange.currencies or {})
        self._exchange.options["timeDifference"] = source.ccxt.options.get("timeDifference", 0)

    async def load_markets(self, *, is_anew: bool = False) -> Mapping[str, Untyped]:
        """All markets of the exchange by symbol, as ccxt has them: not to be changed."""
        await self.call("load_markets", is_anew, lane=Lane.MARKET)
        self._exchange.currencies = _Currencies(self._exchange.currencies or {})
        markets: Mapping[str, Untyped] = self._exchange.markets
        return markets

    async def reset_streams(self) -> None:
        """Close the sockets; who awaits a stream gets VenueUnavailableError, and the next watch dials at once."""
        for cache in _PUBLIC_CACHES:
            held = getattr(self._exchange, cache, None)
            if isinstance(held, dict):
                held.clear()
        clients = dict(self._exchange.clients or {})
        self._exchange.clients = {}
        dials = getattr(self._exchange, "ws_dial_backoff", None)
        if dials:
            dials.clear()
        for client in clients.values():
            client.error = client.error or ConnectionError("reset")
            client.reject(VenueUnavailableError("the streams were reset"))
        await asyncio.gather(*map(_close_socket, clients.values()))

    async def close(self) -> None:
        """Close all connections."""
        await self.reset_streams()
        await self._exchange.close()
        if self._owned is not None:
            await self._owned.close()
        self._owned = None


async def _close_socket(client: Untyped) -> None:
    """Close a socket; one whose other end is gone does not say goodbye, and aiohttp would wait 10 s for that."""
    with suppress(TimeoutError):
        await asyncio.wait_for(client.aiohttp_close(), _GOODBYE_S)


def _is_ours_to_end() -> bool:
    """Whether it is our own task that is canceled, and not a future of ccxt's that we wait for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _copied(value: Untyped) -> Untyped:
    """A copy of what ccxt hands out, in plain dicts and lists: it goes on changing its own."""
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(entry) for entry in value]
    return value


def budget_of(exchange_id: str, **seams: Untyped) -> WeightBudget:
    """A budget of the size that ccxt knows of an exchange: its window, else an interval taken over two seconds."""
    exchange = specimen(exchange_id)
    window_s = (exchange.rollingWindowSize or 0) / 1000 or _IDLE_WINDOW_S
    interval_s = max(exchange.rateLimit / 1000, 1e-4)
    return WeightBudget(capacity=max(window_s / interval_s, 2.0), window_s=window_s, **seams)
