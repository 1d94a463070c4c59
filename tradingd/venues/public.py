"""The public side of a venue: markets, instruments, its clock, and the connection that market data uses."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal

from tradingd.domain.instrument import Instrument
from tradingd.errors import ConfigError, VenueUnavailableError
from tradingd.venues.client import VenueClient, budget_of
from tradingd.venues.clock import ClockReading, offset_ns
from tradingd.venues.convert import exact
from tradingd.venues.guarded import StreamFault
from tradingd.venues.loader import specimen
from tradingd.venues.markets import SIGNIFICANT_DIGITS, instrument_of
from tradingd.venues.model import Lane
from tradingd.venues.settings import VenueSettings
from tradingd.venues.table import VenueRow, row_of
from tradingd.venues.untyped import Untyped

__all__ = ["PublicVenue", "make_public"]

_READINGS = 5
_MS = 1_000_000


class PublicVenue:
    """What anyone may ask of a venue. Symbols may be qualified, `BTC/USDT@account`, where several accounts run."""

    def __init__(
        self,
        settings: VenueSettings,
        client: VenueClient,
        row: VenueRow,
        *,
        now: Callable[[], int],
    ) -> None:
        self.name = settings.name
        self.client = client
        self.row = row
        self.instruments: dict[str, Instrument] = {}
        self.inactive: frozenset[str] = frozenset()
        """The symbols of this run that the venue does not trade now, or knows no more."""
        self._ours: dict[str, str] = {}
        self._now = now

    def __repr__(self) -> str:
        return f"PublicVenue({self.name}, {self.client!r})"

    # --- symbols ---------------------------------------------------------------------------------------------

    def to_ccxt(self, symbol: str) -> str:
        """How ccxt calls a symbol of this run."""
        return symbol.partition("@")[0]

    def ours(self, symbol: str) -> str:
        """This run's name of a symbol of ccxt's; as it is where the run has no such symbol."""
        return self._ours.get(symbol, symbol)

    def market(self, symbol: str) -> Mapping[str, Untyped]:
        """The market of ccxt's that is a symbol of this run.

        Raises:
            ConfigError: the venue has no such market.

        """
        found = (self.client.ccxt.markets or {}).get(self.to_ccxt(symbol))
        if found is None:
            raise ConfigError(f"{self.name}: {self.client.exchange_id} has no market {self.to_ccxt(symbol)}")
        market: Mapping[str, Untyped] = found
        return market

    # --- life ------------------------------------------------------------------------------------------------

    async def open(self, symbols: Iterable[str]) -> None:
        """Load the markets and make the instruments of `symbols`.

        Raises:
            ConfigError: ccxt's settings are not as they have to be, or the venue lacks a market.
            DataError: a market makes no instrument.

        """
        faults = self.client.setting_faults()
        if faults:
            raise ConfigError(f"{self.name}: {faults[0]}")
        self._ours = {self.to_ccxt(symbol): symbol for symbol in symbols}
        await self.client.load_markets()
        for symbol in self._ours.values():
            self.instruments[symbol] = await self._instrument(symbol)
        self._note_inactive()

    async def refresh_instruments(self) -> None:
        """Read the markets anew; a market that is gone keeps its last instrument and is `inactive`."""
        await self.client.load_markets(is_anew=True)
        known = self.client.ccxt.markets
        for symbol in self._ours.values():
            if self.to_ccxt(symbol) in known:
                self.instruments[symbol] = await self._instrument(symbol)
        self._note_inactive()

    def _note_inactive(self) -> None:
        known = self.client.ccxt.markets
        self.inactive = frozenset(
            ours
            for theirs, ours in self._ours.items()
            if theirs not in known or known[theirs].get("active") is False
        )

    async def _instrument(self, symbol: str) -> Instrument:
        mode = self.client.ccxt.precisionMode
        reference = await self._reference(symbol) if mode == SIGNIFICANT_DIGITS else None
        return instrument_of(
            self.market(symbol), symbol=symbol, venue=self.name, precision_mode=mode, reference=reference
        )

    async def _reference(self, symbol: str) -> Decimal | None:
        ticker = await self.client.call("fetch_ticker", self.to_ccxt(symbol), lane=Lane.MARKET)
        return exact(ticker.get("last") or ticker.get("close"), f"{self.name}: fetch_ticker")

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()
        self.client.budget.close()

    # --- the clock -------------------------------------------------------------------------------------------

    async def clock_offset_ns(self) -> int:
        """The venue's clock minus ours, the median of several readings; 0 where the venue has no clock to ask."""
        if not self.client.has("fetchTime"):
            return 0
        return offset_ns([await self._reading() for _ in range(_READINGS)])

    async def _reading(self) -> ClockReading:
        sent = self._now()
        told = await self.client.call("fetch_time", lane=Lane.EVIDENCE)
        received = self._now()
        if not isinstance(told, int) or isinstance(told, bool):
            raise VenueUnavailableError(f"{self.name}: fetch_time: the answer is no time")
        return ClockReading(sent, received, told * _MS)

    async def set_clock(self) -> int:
        """Measure the offset and sign with the venue's time from now on; returns it."""
        offset = await self.clock_offset_ns()
        self.client.ccxt.options["timeDifference"] = round(-offset / _MS)
        return offset


def make_public(
    settings: VenueSettings,
    *,
    session: Untyped = None,
    now: Callable[[], int] = time.time_ns,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    on_fault: Callable[[StreamFault], None] | None = None,
    adapt: Callable[[VenueRow], VenueRow] = lambda row: row,
) -> PublicVenue:
    """The public side of the venue that `settings` names; `adapt` may change what is known of it.

    An external `session` is left open; it should have no bound on its connections, so that a cancel need not wait
    for one.

    Raises:
        ConfigError: ccxt has no such exchange, or not in this environment.

    """
    row = adapt(row_of(settings.exchange, has_dead_man=_has_dead_man(settings.exchange)))
    client = VenueClient(
        settings,
        row,
        budget=budget_of(settings.exchange, monotonic=monotonic, sleep=sleep),
        lane=Lane.MARKET,
        session=session,
        timeout_s=settings.market_timeout_s,
        on_fault=on_fault,
    )
    return PublicVenue(settings, client, row, now=now)


def _has_dead_man(exchange_id: str) -> bool:
    return bool(specimen(exchange_id).has.get("cancelAllOrdersAfter"))
