"""Our side of a rehearsal: what events come to, in the exchange's own terms."""

from decimal import Decimal

import pytest

from tradingd.commands.rehearsal_report import Deal, SentOrder
from tradingd.commands.rehearsal_sides import OurSide
from tradingd.domain.enums import HaltScope, HaltState, Side
from tradingd.domain.events import AccountSnapshot, Fee, Fill, HaltChanged, VenueCondition, VenueStatus

D = Decimal
SYMBOLS = {"BTC/USDT@main": ("main", "BTC/USDT"), "ETH/USDT": ("main", "ETH/USDT")}


class Nothing:
    """An exchange that has seen nothing."""

    def sent(self) -> tuple[SentOrder, ...]:
        return ()

    def deals(self) -> tuple[Deal, ...]:
        return ()

    def balances(self) -> dict[str, Decimal]:
        return {}


@pytest.fixture
def ours() -> OurSide:
    """Our side of a run that has just begun."""
    return OurSide(SYMBOLS)


def halts(ours: OurSide) -> dict[str, str]:
    """What is halted, as the evidence has it."""
    return dict(ours.evidence(Nothing(), ()).halts)


def test_a_fill_is_a_deal_of_the_exchange_s_symbol(ours: OurSide) -> None:
    """Qualified names are the run's; fees of nothing are none."""
    fees = (Fee("BNB", D("0.1")), Fee("BTC", D(0)))
    ours.observe(
        Fill(1, "BTC/USDT@main", Side.SELL, D(1), D(2), fees, order_id="t1-1-1", trade_id="9", venue="main")
    )
    assert ours.deals == [Deal("main", "BTC/USDT", "9", False, D(1), D(2), (("BNB", D("0.1")),))]
    assert ours.orders == {"t1-1-1"}


def test_halts_are_those_of_symbols_and_of_everything(ours: OurSide) -> None:
    """By the exchange's symbols; a strategy's halt is its own affair, and a resume ends one."""
    ours.observe(HaltChanged(1, HaltScope.INSTRUMENT, "BTC/USDT@main", HaltState.NO_NEW, "MISMATCH"))
    ours.observe(HaltChanged(1, HaltScope.ACCOUNT, "account", HaltState.HALTED, "DRAWDOWN"))
    ours.observe(HaltChanged(1, HaltScope.STRATEGY, "x", HaltState.HALTED, "FAULT"))
    assert halts(ours) == {"BTC/USDT": "MISMATCH", "": "DRAWDOWN"}
    ours.observe(HaltChanged(2, HaltScope.INSTRUMENT, "BTC/USDT@main", HaltState.TRADING, "resumed"))
    ours.observe(HaltChanged(2, HaltScope.ACCOUNT, "account", HaltState.TRADING, "resumed"))
    assert not ours.is_halted


def test_a_refused_key_halts_its_account(ours: OurSide) -> None:
    """A venue that is down does not: that passes."""
    ours.observe(VenueStatus(1, "main", VenueCondition.DOWN, "503"))
    assert not ours.is_halted
    ours.observe(VenueStatus(1, "main", VenueCondition.REFUSED, "-2015"))
    assert halts(ours) == {"main": "-2015"}


def test_accounts_that_were_compared_are_remembered(ours: OurSide) -> None:
    """Until who wants to know of the next ones forgets them."""
    ours.observe(AccountSnapshot(1, "main", ()))
    assert ours.snapshots == {"main"}
