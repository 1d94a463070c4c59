"""The exchange's books: double entry, exact, with their whole history. The oracle for everybody else's books.

Every movement is a transaction whose legs sum to zero per asset. Besides the accounts of users there are three
counterparties: the house (the market source), `fees` (what the exchange earns) and `outside` (deposits and
withdrawals). Only those may go negative.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from tradingd.testing.exchange.exact import ZERO, add, sub
from tradingd.testing.exchange.model import HOUSE

__all__ = ["FEES", "OUTSIDE", "Ledger", "LedgerError", "Posting"]

FEES = "fees"
OUTSIDE = "outside"
_COUNTERPARTIES = frozenset({HOUSE, FEES, OUTSIDE})

Leg = tuple[str, str, Decimal]
"""(account, asset, delta)"""


class LedgerError(AssertionError):
    """The exchange's own books do not add up: a defect of the exchange, never a state of the market."""


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One leg: `delta` of `asset` for `account`. `kind`: opening, deposit, withdrawal, trade or fee."""

    transaction: int
    ts: int
    account: str
    asset: str
    delta: Decimal
    kind: str
    reference: str


class Ledger:
    """Totals and locks per account and asset, and the postings that led to them."""

    def __init__(self) -> None:
        self._totals: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self._locks: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self._history: dict[str, list[Posting]] = defaultdict(list)
        self._transactions = 0

    def post(self, ts: int, kind: str, reference: str, legs: Sequence[Leg]) -> None:
        """Books one transaction; its legs must sum to zero per asset and leave no user with less than is locked.

        The history is kept for users only: the counterparties' would grow with the market's own trading.
        """
        _must_balance(legs)
        self._transactions += 1
        for account, asset, delta in legs:
            totals = self._totals[account]
            totals[asset] = add(totals.get(asset, ZERO), delta)
            if account not in _COUNTERPARTIES:
                self._history[account].append(
                    Posting(self._transactions, ts, account, asset, delta, kind, reference)
                )
        for account, asset, _ in legs:
            if account not in _COUNTERPARTIES and self.free(account, asset) < ZERO:
                raise LedgerError(f"{account} is short of {asset} after {kind} {reference}")

    def lock(self, account: str, asset: str, amount: Decimal) -> None:
        """Sets free funds aside for an order; a negative amount gives them back."""
        locks = self._locks[account]
        locked = add(locks.get(asset, ZERO), amount)
        if locked < ZERO or locked > self.total(account, asset):
            raise LedgerError(f"{account} cannot have {locked} {asset} locked of {self.total(account, asset)}")
        locks[asset] = locked

    def total(self, account: str, asset: str) -> Decimal:
        """Free and locked together."""
        return self._totals[account].get(asset, ZERO)

    def locked(self, account: str, asset: str) -> Decimal:
        """What open orders hold."""
        return self._locks[account].get(asset, ZERO)

    def free(self, account: str, asset: str) -> Decimal:
        """What a new order may use."""
        return sub(self.total(account, asset), self.locked(account, asset))

    def assets(self, account: str) -> list[str]:
        """Returns every asset the account ever had, sorted."""
        return sorted(self._totals[account])

    def history(self, account: str) -> Sequence[Posting]:
        """Returns all postings of a user's account, oldest first: opening + the rest = total, for each asset."""
        return tuple(self._history[account])

    def audit(self) -> None:
        """Raises LedgerError unless history explains every total and each asset sums to zero over all accounts."""
        for account in [name for name in self._totals if name not in _COUNTERPARTIES]:
            sums = _sums((posting.asset, posting.delta) for posting in self._history[account])
            for asset, total in self._totals[account].items():
                if sums[asset] != total or not ZERO <= self.locked(account, asset) <= total:
                    raise LedgerError(f"{account}: {asset} is {total}, its history says {sums[asset]}")
        world = _sums((asset, total) for totals in self._totals.values() for asset, total in totals.items())
        if any(world.values()):
            raise LedgerError(f"assets appeared or vanished: {dict(world)}")


def _sums(items: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for asset, amount in items:
        sums[asset] = add(sums[asset], amount)
    return sums


def _must_balance(legs: Sequence[Leg]) -> None:
    if any(_sums((asset, delta) for _, asset, delta in legs).values()):
        raise LedgerError(f"the legs do not sum to zero: {legs}")
