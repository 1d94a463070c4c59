"""The exchange's books."""

import pytest

from tests.exchange.world import ANN, BTC, BUY, Desk, d
from tradingd.testing.exchange.ledger import OUTSIDE, Ledger, LedgerError
from tradingd.testing.exchange.model import BalanceChange, Refusal, Transfer


def test_legs_that_do_not_sum_to_zero_are_refused() -> None:
    """Nothing appears or vanishes."""
    with pytest.raises(LedgerError, match="do not sum to zero"):
        Ledger().post(1, "deposit", "x", [(ANN, "BTC", d(1)), (OUTSIDE, "USDT", d(-1))])


def test_no_more_can_be_locked_than_there_is() -> None:
    """Locks are part of the total."""
    ledger = Ledger()
    ledger.post(1, "opening", "x", [(ANN, "BTC", d(1)), (OUTSIDE, "BTC", d(-1))])
    ledger.lock(ANN, "BTC", d("0.6"))
    with pytest.raises(LedgerError, match="cannot have"):
        ledger.lock(ANN, "BTC", d("0.5"))
    assert ledger.free(ANN, "BTC") == d("0.4")


def test_history_explains_the_total(desk: Desk) -> None:
    """Opening, deposit, withdrawal, trade and fee sum to what the account has, per asset."""
    desk.book(asks=[(100, "1")])
    desk.engine.deposit(ANN, "USDT", d(7))
    desk.market(ANN, BUY, "1")
    desk.engine.withdraw(ANN, "USDT", d(3))
    history = [posting for posting in desk.engine.ledger.history(ANN) if posting.asset == "USDT"]
    assert [(posting.kind, int(posting.delta)) for posting in history] == [
        ("opening", 10_000_000),
        ("deposit", 7),
        ("trade", -100),
        ("withdrawal", -3),
    ]
    assert sum(posting.delta for posting in history) == desk.engine.ledger.total(ANN, "USDT")
    desk.engine.ledger.audit()


def test_audit_finds_a_total_that_history_does_not_explain() -> None:
    """The audit is worth something: a corrupted total is found."""
    ledger = Ledger()
    ledger.post(1, "opening", "x", [(ANN, "BTC", d(1)), (OUTSIDE, "BTC", d(-1))])
    ledger._totals[ANN]["BTC"] = d(2)
    with pytest.raises(LedgerError, match="its history says 1"):
        ledger.audit()


def test_a_withdrawal_takes_free_funds_only(desk: Desk) -> None:
    """What an order holds cannot leave."""
    desk.limit(ANN, BUY, "1", 100)
    with pytest.raises(Refusal, match="insufficient"):
        desk.engine.withdraw(ANN, "USDT", d(9_999_901))
    desk.engine.withdraw(ANN, "USDT", d(9_999_900))
    assert desk.engine.balances(ANN)["USDT"] == (0, 100)


def test_transfers_are_told_with_the_balance_after_them(desk: Desk) -> None:
    """A deposit is a balance update and then a position."""
    desk.events.clear()
    desk.engine.deposit(ANN, "DOGE", d(5))
    moved, after = desk.events
    assert isinstance(moved, Transfer)
    assert (moved.asset, moved.delta) == ("DOGE", 5)
    assert isinstance(after, BalanceChange)
    assert after.balances == (("DOGE", d(5), d(0)),)


def test_the_houses_dealings_are_not_kept(desk: Desk) -> None:
    """The market's own trading grows no history."""
    desk.book(bids=[(99, "1")], asks=[(100, "5")])
    for _ in range(50):
        desk.engine.house_market(BTC, BUY, d(5))
        desk.book(bids=[(99, "1")], asks=[(100, "5")])
    market = desk.engine._market(BTC)
    assert len(market.orders) == 2
    assert not desk.engine.ledger.history("house")


def test_audit_finds_an_asset_that_vanished(desk: Desk) -> None:
    """Over all accounts, counterparties included, each asset sums to zero."""
    desk.book(asks=[(100, "1")])
    desk.market(ANN, BUY, "1")
    desk.engine.ledger.audit()
    desk.engine.ledger._totals["house"]["BTC"] = d(0)
    with pytest.raises(LedgerError, match="appeared or vanished"):
        desk.engine.ledger.audit()
