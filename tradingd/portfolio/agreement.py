"""Opening the books with what accounts hold, and whether the books and the venues say the same later."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events import AccountSnapshot, HaltRequest
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.position import Position
from tradingd.errors import AccountingError

__all__ = ["Agreement", "Difference", "Opening"]

_ACCOUNT = "account"


class Difference(NamedTuple):
    """Something that a venue tells otherwise than the books, and where trading has to stop for it."""

    what: str
    """An asset, or the symbol of a contract."""
    ours: Decimal
    theirs: Decimal
    symbols: tuple[str, ...]
    """The instruments that it concerns; none is the whole account."""

    def __str__(self) -> str:
        return f"{self.what}: our books say {self.ours}, the venue {self.theirs}"


class Agreement:
    """What each venue's account should hold by our books, asset by asset, and where the venue says otherwise.

    A venue's first snapshot opens its books; from then on every movement that is booked moves what is expected,
    and each further snapshot has to say just that, to the last unit. Compared are the assets that instruments of
    this run exchange, and those that fees moved; what else the account holds is none of this run's business.

    Balances that contracts settle in move by funding and by profits not taken yet, in ways each venue tells
    differently: they are not compared. The contract positions themselves are.
    """

    def __init__(self, venues: Iterable[str]) -> None:
        self.unopened = set(venues)
        """The venues that have not told yet what their accounts hold."""
        self._expected: dict[str, dict[str, Decimal]] = {}
        self._moved: dict[str, set[str]] = {}
        """The assets that our books have moved, by venue."""
        self._told: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}

    def open(self, snapshot: AccountSnapshot) -> dict[str, Decimal]:
        """Take a venue's first snapshot as what its books begin with; returns the assets and amounts."""
        self.unopened.discard(snapshot.venue)
        told = {balance.asset: balance.total for balance in snapshot.balances if balance.total}
        booked = self._expected.get(snapshot.venue, {})  # nothing, unless a trade was told before
        self._expected[snapshot.venue] = dict(told)
        opening = {asset: sub(told.get(asset, ZERO), booked.get(asset, ZERO)) for asset in {**told, **booked}}
        return {asset: amount for asset, amount in opening.items() if amount}

    def move(self, venue: str, asset: str, amount: Decimal) -> None:
        """The books have moved: `amount` more of `asset`."""
        expected = self._expected.setdefault(venue, {})
        expected[asset] = add(expected.get(asset, ZERO), amount)
        self._moved.setdefault(venue, set()).add(asset)

    def expected(self, venue: str) -> Mapping[str, Decimal]:
        """What a venue's account should hold, by asset."""
        return MappingProxyType(self._expected.get(venue, {}))

    def news(
        self, snapshot: AccountSnapshot, instruments: Iterable[Instrument], positions: Mapping[str, Position]
    ) -> Iterator[Difference]:
        """Differences that have not been told as they are now."""
        own = [instrument for instrument in instruments if instrument.venue == snapshot.venue]
        for difference in (*self._assets(snapshot, own), *_contracts(snapshot, own, positions)):
            key, figures = (snapshot.venue, difference.what), (difference.ours, difference.theirs)
            if self._told.get(key) != figures:
                self._told[key] = figures
                yield difference

    def _assets(self, snapshot: AccountSnapshot, own: Iterable[Instrument]) -> Iterator[Difference]:
        expected = self._expected.get(snapshot.venue, {})
        told = {balance.asset: balance.total for balance in snapshot.balances}
        settled = {instrument.settle for instrument in own if instrument.kind.is_contract}
        concerned: dict[str, list[str]] = {}
        for instrument in own:
            if not instrument.kind.is_contract:
                concerned.setdefault(instrument.base, []).append(instrument.symbol)
                concerned.setdefault(instrument.quote, []).append(instrument.symbol)
        for asset in dict.fromkeys((*concerned, *sorted(self._moved.get(snapshot.venue, ())))):
            if asset in settled:
                continue
            ours, theirs = expected.get(asset, ZERO), told.get(asset, ZERO)
            if ours != theirs:
                yield Difference(asset, ours, theirs, tuple(concerned.get(asset, ())))


def _contracts(
    snapshot: AccountSnapshot, own: Iterable[Instrument], positions: Mapping[str, Position]
) -> Iterator[Difference]:
    told = {position.symbol: position.quantity for position in snapshot.positions}
    for instrument in own:
        if not instrument.kind.is_contract:
            continue
        symbol = instrument.symbol
        held = positions.get(symbol)
        ours, theirs = (ZERO if held is None else held.quantity), told.get(symbol, ZERO)
        if ours != theirs:
            yield Difference(symbol, ours, theirs, (symbol,))


class Opening:
    """How books begin: with the cash of a configuration, or with what each of `venues` tells first.

    `uncounted` are the assets that accounts held at the opening and nothing leads to the account's currency for:
    they are booked, and not counted in equity.
    """

    def __init__(self, venues: Iterable[str] = ()) -> None:
        self._agreement = Agreement(venues)
        self.uncounted: set[str] = set()
        self.live = bool(self._agreement.unopened)
        """Whether venues open the books, and have to agree with them later."""
        self.is_due = self.live
        """Whether the equity that profit counts from is still to be told."""

    @property
    def missing(self) -> set[str]:
        """The venues that have not told yet what their accounts hold."""
        return self._agreement.unopened

    def check(self) -> None:
        """See whether equity can be told.

        Raises:
            AccountingError: an account has not told what it holds.

        """
        if self.missing:
            told = ", ".join(sorted(self.missing))
            raise AccountingError(f"the books are not open yet: {told} has not told what the account holds")

    def move(self, venue: str, asset: str, amount: Decimal) -> None:
        """The books have moved."""
        self._agreement.move(venue, asset, amount)

    def holdings(self, venue: str) -> Mapping[str, Decimal]:
        """What an account holds by our books; nothing before its opening."""
        return self._agreement.expected(venue)

    def take(
        self,
        snapshot: AccountSnapshot,
        instruments: Iterable[Instrument],
        positions: Mapping[str, Position],
        begin_with: Callable[[str, Decimal], None],
    ) -> list[HaltRequest]:
        """Take a snapshot: `begin_with` each asset of a first one; returns the halts that differences demand."""
        if not self.live:
            return []
        if snapshot.venue in self.missing:
            for asset, amount in self._agreement.open(snapshot).items():
                begin_with(asset, amount)
        news = self._agreement.news(snapshot, instruments, positions)
        return [halt for found in news for halt in _halts_for(found, snapshot.venue, snapshot.ts)]


def _halts_for(difference: Difference, venue: str, ts: int) -> Iterator[HaltRequest]:
    """The halts that a difference demands: nothing may grow where the books are wrong."""
    reason = f"MISMATCH at {venue}: {difference}"
    for symbol in difference.symbols:
        yield HaltRequest(ts, HaltScope.INSTRUMENT, symbol, HaltState.NO_NEW, reason)
    if not difference.symbols:
        yield HaltRequest(ts, HaltScope.ACCOUNT, _ACCOUNT, HaltState.NO_NEW, reason)
