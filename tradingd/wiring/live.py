"""A run on live data: the venues connected, their feeds and brokers made."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from tradingd.broker.base import Broker
from tradingd.broker.ccxt.broker import CcxtBroker
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.config import Settings
from tradingd.data.catalog import Catalog
from tradingd.data.ccxt.feed import LiveFeed
from tradingd.data.ccxt.model import FeedOptions, StreamKind, StreamState, StreamStatus, Subscription
from tradingd.data.ccxt.plan import PlanSettings, loaded_by, plan_subscriptions
from tradingd.data.ccxt.warmup import Recorded, recorded_in
from tradingd.data.recorder import FeedRecorder
from tradingd.data.series import SeriesKind, parse_interval, resolve_path
from tradingd.domain.events import FeedEvent
from tradingd.domain.instrument import Instrument
from tradingd.domain.ports import InstrumentLookup
from tradingd.runtime.clock import steady_wall_time
from tradingd.runtime.daemon import Feed, MakeFeed
from tradingd.runtime.manager import EventManager
from tradingd.strategy.base import Strategy
from tradingd.venues.account import CcxtAccount, make_account
from tradingd.venues.public import PublicVenue, make_public
from tradingd.venues.table import VenueRow
from tradingd.wiring.venues import venue_credentials, venue_settings

__all__ = [
    "AT_A_DISTANCE",
    "ConnectedMarket",
    "Tuning",
    "connect",
    "feed_recorder",
    "live_options",
    "without_keys",
]

_EPOCH_BEGAN_S = 1_700_000_000
"""What epochs count from, so that they are short: seconds of Unix time."""
Publish = Callable[[FeedEvent], Awaitable[None]]


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a run is with its venues; the defaults fit venues that are reached over the internet."""

    policy: EvidencePolicy = EvidencePolicy()
    feed: FeedOptions | None = None
    """Instead of what the configuration says."""
    visibility_s: float | None = None
    """Instead of what is known of each venue: how long it may hide what is new."""
    weight: float | None = None
    """Instead of what is known of each venue: how much weight a window has."""

    def adapted(self, row: VenueRow) -> VenueRow:
        """What is known of a venue, with these figures."""
        if self.visibility_s is not None:
            traits = msgspec.structs.replace(row.traits, visibility_s=self.visibility_s)
            row = msgspec.structs.replace(row, traits=traits)
        return row if self.weight is None else msgspec.structs.replace(row, used_weight_limit=self.weight)


AT_A_DISTANCE = Tuning()


class _Instruments(Mapping[str, Instrument]):
    """The instruments of all accounts by their names in the run; refreshed ones are seen at once."""

    def __init__(self, venues: Sequence[PublicVenue], renamed: str) -> None:
        self._venues = venues
        self._renamed = renamed
        """The one venue that they all belong to in this run; empty where each has its own."""
        self._made: dict[str, tuple[Instrument, Instrument]] = {}

    def __getitem__(self, symbol: str) -> Instrument:
        for venue in self._venues:
            found = venue.instruments.get(symbol)
            if found is not None:
                return self._as_here(symbol, found)
        raise KeyError(f"{symbol} is not traded by the accounts of this run")

    def _as_here(self, symbol: str, found: Instrument) -> Instrument:
        if not self._renamed:
            return found
        made = self._made.get(symbol)
        if made is None or made[0] is not found:
            made = self._made[symbol] = found, msgspec.structs.replace(found, venue=self._renamed)
        return made[1]

    def __iter__(self) -> Iterator[str]:
        return (symbol for venue in self._venues for symbol in venue.instruments)

    def __len__(self) -> int:
        return sum(len(venue.instruments) for venue in self._venues)


class _Feeds:
    """The feeds of several venues as one."""

    def __init__(self, feeds: Sequence[LiveFeed]) -> None:
        self.feeds = feeds

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {name: task for feed in self.feeds for name, task in feed.tasks().items()}

    async def ready(self) -> None:
        for feed in self.feeds:
            await feed.ready()


class ConnectedMarket:
    """The connected venues of a run. `close` it whatever happens."""

    def __init__(
        self,
        settings: Settings,
        publics: Sequence[PublicVenue],
        accounts: Sequence[CcxtAccount],
        epoch: int,
        tuning: Tuning,
    ) -> None:
        self.publics = tuple(publics)
        self.accounts = tuple(accounts)
        self.epoch = epoch
        self._tuning = tuning
        self._settings = settings
        self._offsets: dict[str, int] = {}
        """The venues' clocks minus ours, nanoseconds, as measured when they were connected."""
        self._time = steady_wall_time()
        renamed = "" if settings.run.mode == "live" else settings.broker.venue
        self._instruments = _Instruments(self.publics, renamed)

    @property
    def instruments(self) -> InstrumentLookup:
        """The instruments of all symbols that the accounts trade, by their names in the run."""
        return self._instruments

    def now(self) -> int:
        """Nanoseconds UTC."""
        return self._time()

    def brokers(self, manager: EventManager) -> tuple[Broker, ...]:
        """A broker for each account, that tells its events through `manager`."""
        driver: Any = manager  # the asynchronous one: a run on live data has no other
        return tuple(
            CcxtBroker(
                account,
                inject=driver.inject,
                now=self.now,
                monotonic=time.monotonic,
                sleep=asyncio.sleep,
                random=Random(),  # noqa: S311 - jitter of delays
                quiet=driver.until_quiet,
                policy=self._tuning.policy,
                dead_man_s=_seconds(self._settings.accounts[account.name].dead_man_s),
            )
            for account in self.accounts
        )

    def plan(self, strategies: Sequence[Strategy]) -> tuple[Subscription, ...]:
        """The streams that a run needs, and what its strategies build bars from, checked.

        Raises:
            ConfigError: a strategy needs what the configuration does not stream.

        """
        data = self._settings.data
        needed = plan_subscriptions(
            strategies,
            PlanSettings(
                interval_ns=parse_interval(data.interval) if data.interval else 0,
                from_trades=data.live.bars_from == "trades",
                symbols=tuple(data.symbols),
                extra=frozenset(_KINDS[stream] for stream in data.live.streams),
                depth=data.live.book_depth,
                warmup=data.live.warmup != "off",
            ),
        )
        loaded = loaded_by(needed)
        for strategy in strategies:
            strategy.timeframes.check(loaded)
        return needed

    def feed(self, needed: Sequence[Subscription], on_status: Callable[[StreamStatus], None]) -> MakeFeed:
        """How to make the feed of all venues."""

        def make(publish: Publish) -> Feed:
            return _Feeds([self._feed_of(venue, needed, publish, on_status) for venue in self.publics])

        return make

    def _feed_of(
        self,
        venue: PublicVenue,
        needed: Sequence[Subscription],
        publish: Publish,
        on_status: Callable[[StreamStatus], None],
    ) -> LiveFeed:
        return LiveFeed(
            venue,
            [each for each in needed if each.symbol in venue.instruments],
            publish=publish,
            now=self.now,
            monotonic=time.monotonic,
            sleep=asyncio.sleep,
            random=Random(),  # noqa: S311 - jitter of delays
            on_status=on_status,
            options=self._tuning.feed or self._feed_options(),
            clock_offset_ns=lambda: self._offsets.get(venue.name, 0),
            wire=venue.to_ccxt,
            recorded=self._recorded(),
        )

    def _recorded(self) -> Recorded | None:
        """Where history comes from before the venue is asked."""
        data = self._settings.data
        if data.live.warmup != "catalog" or data.catalog is None:
            return None
        return recorded_in(Catalog(resolve_path(data.catalog, self._settings.base_dir)))

    async def measure_clocks(self) -> None:
        """Measure how far the venues' clocks are from ours: when a bar has closed is told by theirs."""
        for venue in self.publics:
            self._offsets[venue.name] = await venue.clock_offset_ns()

    def _feed_options(self) -> FeedOptions:
        live = self._settings.data.live
        return FeedOptions(
            stale_after_s=float(live.stale_after_s),
            capacity=self._settings.runtime.queue_capacity,
            dials_per_minute=live.max_dials_per_minute,
        )

    async def close(self) -> None:
        """Close all connections."""
        for account in self.accounts:
            await account.close()
        for venue in self.publics:
            await venue.close()


_KINDS: Mapping[str, StreamKind] = {
    "trades": StreamKind.TRADES,
    "quotes": StreamKind.QUOTES,
    "books": StreamKind.BOOKS,
    "ohlcv": StreamKind.BARS,
    "funding": StreamKind.MARKS,
    "mark_prices": StreamKind.MARKS,
}


def live_options(settings: Settings, market: ConnectedMarket, strategies: Sequence[Strategy]) -> dict[str, Any]:
    """What `DaemonSession` is told of a run on live data."""
    needed = market.plan(strategies)
    return {
        "mode": mode_of(settings),
        "make_feed": lambda log: market.feed(needed, _teller(log)),
        "tick_s": _TICK_S,
        "keep_reducing": settings.runtime.on_stop == "keep_protective",
    }


def mode_of(settings: Settings) -> str:
    """What a run is called wherever it is shown: LIVE only where real money may move, else the kind of venue."""
    if settings.run.mode != "live":
        return settings.run.mode.upper()
    environments = {settings.accounts[account].environment for account in settings.run.accounts}
    return "LIVE" if "production" in environments else min(environments).upper()


def _teller(log: Any) -> Callable[[StreamStatus], None]:  # noqa: ANN401 - structlog's loggers have no common type
    """Log each stream whose state changes."""

    def tell(status: StreamStatus) -> None:
        level = log.info if status.state in _FINE else log.warning
        level(
            "stream_state",
            symbol=status.symbol,
            kind=status.kind.value,
            state=status.state.value,
            reason=status.reason,
            reconnects=status.reconnects,
        )

    return tell


_FINE = frozenset({StreamState.LIVE, StreamState.JOINING})
_TICK_S = 0.05
"""How late a timer may be in a market that is quiet."""


async def connect(
    settings: Settings,
    *,
    session: Any = None,  # noqa: ANN401 - aiohttp's
    tuning: Tuning = AT_A_DISTANCE,
) -> ConnectedMarket:
    """Connect the venues of `run.accounts`: load their markets, and for live trading open the accounts.

    Raises:
        ConfigError: an account's settings cannot be, or its venue lacks a symbol.
        VenueUnavailableError: a venue does not answer.
        VenueRefusedError: a venue refuses us.

    """
    publics: list[PublicVenue] = []
    accounts: list[CcxtAccount] = []
    epoch = int(time.time()) - _EPOCH_BEGAN_S
    try:
        for name in settings.run.accounts:
            chosen = venue_settings(name, settings.accounts[name])
            public = make_public(chosen, session=session, adapt=tuning.adapted)
            if tuning.weight is not None:
                public.client.budget.allowance.capacity = tuning.weight
            publics.append(public)
            await public.open(_names_of(settings, name))
            if settings.run.mode == "live":
                keys = venue_credentials(settings, name)
                account = make_account(chosen, keys, public, session=session)
                accounts.append(account)
                await account.open()
        market = ConnectedMarket(settings, publics, accounts, epoch, tuning)
        await market.measure_clocks()
    except BaseException:
        await ConnectedMarket(settings, publics, accounts, epoch, tuning).close()
        raise
    return market


def feed_recorder(settings: Settings, instruments: InstrumentLookup) -> FeedRecorder | None:
    """What keeps the live feed in a catalog, where the configuration asks for it."""
    record = settings.data.record
    if record.catalog is None:
        return None
    return FeedRecorder(
        resolve_path(record.catalog, settings.base_dir),
        dataset=record.dataset,
        kinds=[SeriesKind(kind) for kind in record.kinds],
        instruments=instruments,
        depth=settings.data.live.book_depth,
        part_rows=record.part_rows,
        part_s=3600.0 * float(record.part_hours),
        monotonic=time.monotonic,
    )


def without_keys(settings: Settings) -> Settings:
    """The same configuration without its keys: what the components of a run may see."""
    return settings.model_copy(update={"credentials": {}})


def _names_of(settings: Settings, account: str) -> list[str]:
    """The symbols of an account by their names in the run."""
    return [name for name, (owner, _) in settings.symbols.items() if owner == account]


def _seconds(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
