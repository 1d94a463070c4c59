from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.portfolio.world import movements
from tradingd.domain.events import LedgerEntry
from tradingd.errors import AccountingError
from tradingd.portfolio.ledger import ASSETS, EQUITY, FEES, MARKET, PNL, Ledger

D = Decimal
ACCOUNTS = (ASSETS, EQUITY, FEES, MARKET, PNL)

entries = st.builds(
    lambda asset, amount, sides: LedgerEntry(0, "ref", "test", asset, amount, *sides),
    st.sampled_from(["USD", "BTC", "EUR"]),
    st.decimals(min_value=-(10**9), max_value=10**9, places=18),
    st.permutations(ACCOUNTS).map(lambda accounts: accounts[:2]),
)


@given(st.lists(entries))
@settings(derandomize=True, deadline=None)
def test_balances_are_the_sums_of_movements(posted: list[LedgerEntry]) -> None:
    """After any postings each account has what its movements add up to, and the ledger is in balance."""
    ledger = Ledger()
    for entry in posted:
        ledger.post(entry)
    for account in ACCOUNTS:
        assert dict(ledger.balances(account)) == movements(posted, account)
    ledger.verify()


def test_a_movement_gives_what_it_takes() -> None:
    """A posting moves an amount from its credit to its debit account."""
    ledger = Ledger()
    ledger.post(LedgerEntry(0, "ref", "deposit", "USD", D(5), ASSETS, EQUITY))
    assert (ledger.balance("USD"), ledger.balance("USD", EQUITY)) == (5, -5)


def test_what_never_moved_is_zero() -> None:
    """An asset or account that never moved has a balance of zero."""
    ledger = Ledger()
    assert ledger.balance("USD") == ledger.balance("USD", FEES) == 0
    assert list(ledger.balances(FEES)) == []


def test_a_movement_needs_two_sides() -> None:
    """A movement from an account to itself is refused and told by its reference."""
    with pytest.raises(AccountingError, match="T7: assets cannot be both sides of a movement"):
        Ledger().post(LedgerEntry(0, "T7", "trade", "USD", D(5), ASSETS, ASSETS))


def test_an_imbalance_is_found() -> None:
    """A balance that no posting explains is found, with the asset and the difference."""
    ledger = Ledger()
    ledger.post(LedgerEntry(0, "ref", "deposit", "USD", D(5), ASSETS, EQUITY))
    ledger._balances[ASSETS]["USD"] = D("5.000000000000000001")
    with pytest.raises(AccountingError, match="the ledger of USD is out of balance by 1E-18"):
        ledger.verify()
