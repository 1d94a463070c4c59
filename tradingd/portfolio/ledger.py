"""A double-entry ledger: every movement takes from one account what it gives to another."""

from collections.abc import Iterator
from decimal import Decimal

from tradingd.domain.events import LedgerEntry
from tradingd.domain.money import ZERO, add, sub
from tradingd.errors import AccountingError

__all__ = ["ASSETS", "DIVIDENDS", "EQUITY", "FEES", "MARKET", "PNL", "Ledger"]

ASSETS = "assets"
"""What we own, per asset. Everything else explains where it came from or went."""
MARKET = "market"
"""The other side of our trades."""
FEES = "fees"
PNL = "pnl"
"""Gains (negative: losses) settled in cash on contracts."""
DIVIDENDS = "dividends"
"""What shares have paid, or (for shorts) we have paid for them."""
EQUITY = "equity"
"""Deposits and withdrawals."""


class Ledger:
    """Balances per account and asset. It keeps no history: entries are events, recorders keep them.

    The balances of one asset over all accounts add up to zero at any time, exactly; hence
    `opening + sum of movements = total` for what we own.
    """

    __slots__ = ("_balances",)

    def __init__(self) -> None:
        self._balances: dict[str, dict[str, Decimal]] = {}

    def post(self, entry: LedgerEntry) -> None:
        """Book one movement: `entry.debit` gains what `entry.credit` gives."""
        if entry.debit == entry.credit:
            raise AccountingError(f"{entry.reference}: {entry.debit} cannot be both sides of a movement")
        debit = self._balances.setdefault(entry.debit, {})
        credit = self._balances.setdefault(entry.credit, {})
        debit[entry.asset] = add(debit.get(entry.asset, ZERO), entry.amount)
        credit[entry.asset] = sub(credit.get(entry.asset, ZERO), entry.amount)

    def balance(self, asset: str, account: str = ASSETS) -> Decimal:
        """The balance of `asset` in `account`, 0 if it never moved."""
        return self._balances.get(account, {}).get(asset, ZERO)

    def balances(self, account: str = ASSETS) -> Iterator[tuple[str, Decimal]]:
        """The (asset, balance) pairs of `account`."""
        yield from self._balances.get(account, {}).items()

    def verify(self) -> None:
        """Check that each asset's balances add up to zero over all accounts.

        Raises:
            AccountingError: they do not; the message names the asset and the difference.

        """
        totals: dict[str, Decimal] = {}
        for account in self._balances.values():
            for asset, balance in account.items():
                totals[asset] = add(totals.get(asset, ZERO), balance)
        for asset, total in totals.items():
            if total:
                raise AccountingError(f"the ledger of {asset} is out of balance by {total}")
