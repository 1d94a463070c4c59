"""Daily loss and drawdown, on equity at market."""

from tests.risk.desk import BUY, FLAT, SELL, Desk, code
from tradingd.domain.enums import HaltScope, HaltState
from tradingd.risk.limits import DailyLoss, MaxDrawdown
from tradingd.testing import make_fill, make_instrument

# `at(0)` is 22:13:20 UTC, so the day ends after 106 minutes and 40 seconds.
TODAY, TOMORROW = 60, 120


def invested(*limits: object) -> Desk:
    """1,000 of cash, all of it in ten shares at 100."""
    desk = Desk(*limits, cash=1000)  # type: ignore[arg-type]
    desk.hold(10)
    desk.market(100.0)
    return desk


def test_a_loss_of_just_the_limit_passes_and_more_is_denied() -> None:
    """Five percent down is within five percent; a cent more is not."""
    desk = invested(DailyLoss(5))
    desk.market(95.0)
    at_limit = desk.order(BUY, 1)
    desk.market(94.99)
    assert at_limit == ""
    assert desk.order(BUY, 1) == "DAILY_LOSS: 5.0100 % lost since the day began, the limit is 5 %"


def test_after_a_days_loss_positions_may_be_closed() -> None:
    """What only reduces passes on the worst of days."""
    desk = invested(DailyLoss(5))
    desk.market(50.0)
    assert (desk.order(SELL, 4), desk.signal(FLAT)) == ("", "")


def test_a_daily_loss_without_a_state_halts_nothing() -> None:
    """It only denies, and only for as long as the loss lasts."""
    desk = invested(DailyLoss(5))
    desk.market(90.0)
    denied = desk.order(BUY, 1)
    desk.market(96.0)
    assert (code(denied), desk.order(BUY, 1), desk.halts) == ("DAILY_LOSS", "", [])


def test_a_daily_loss_with_a_state_halts_the_account_once() -> None:
    """The halt is told once, with the figures, and outlives the recovery."""
    desk = invested(DailyLoss(5, HaltState.REDUCE_ONLY))
    desk.market(90.0)
    desk.market(89.0)
    desk.market(100.0)
    assert desk.halts == [("account", "account", "REDUCE_ONLY")]
    assert desk.order(BUY, 1) == (
        "HALTED: account account is REDUCE_ONLY: DAILY_LOSS: 10.0000 % lost since the day began, the limit is 5 %"
    )


def test_a_new_day_begins_with_the_last_equity_of_the_day_before() -> None:
    """A gap over midnight is a loss of the new day; what was lost before is not."""
    desk = invested(DailyLoss(5))
    desk.market(90.0, minute=TODAY)
    desk.market(86.0, minute=TOMORROW)
    within = desk.order(BUY, 1, minute=TOMORROW)
    desk.market(85.0, minute=TOMORROW + 1)
    assert within == ""
    assert "DAILY_LOSS: 5.5556 % lost" in desk.order(BUY, 1, minute=TOMORROW + 1)


def test_the_first_day_begins_with_the_first_equity_seen() -> None:
    """A run that starts in the middle of a day knows of nothing before."""
    desk = Desk(DailyLoss(5), cash=1000, price=None)
    desk.hold(10)
    desk.market(60.0)
    first = desk.order(BUY, 1)
    desk.market(56.0)
    assert (first, code(desk.order(BUY, 1))) == ("", "DAILY_LOSS")


def test_days_that_were_skipped_make_no_difference() -> None:
    """After a weekend without events the baseline is Friday's last equity."""
    desk = invested(DailyLoss(5))
    desk.market(96.0, minute=TODAY)
    desk.market(92.0, minute=TODAY + 3 * 1440)
    assert desk.order(BUY, 1, minute=TODAY + 3 * 1440) == ""


def test_a_drawdown_of_just_the_limit_passes_and_more_halts() -> None:
    """The account is halted when equity at market is more than the limit below its peak."""
    desk = invested(MaxDrawdown(10))
    desk.market(120.0)
    desk.market(108.0)
    within = list(desk.halts)
    desk.market(107.99)
    assert (within, desk.halts) == ([], [("account", "account", "REDUCE_ONLY")])
    assert "MAX_DRAWDOWN: 10.0083 % below the peak 1200.00, the limit is 10 %" in desk.order(BUY, 1)


def test_a_drawdown_denies_entries_even_without_its_halt() -> None:
    """After a resume entries stay denied while equity is as far below its peak."""
    desk = invested(MaxDrawdown(10))
    desk.market(80.0)
    desk.risk.resume(HaltScope.ACCOUNT, "account", operator="me", reason="looked")
    assert desk.order(BUY, 1) == "MAX_DRAWDOWN: 20.0000 % below the peak, the limit is 10 %"


def test_a_drawdown_halts_again_after_a_resume() -> None:
    """A resume does not move the peak: the next event finds the same drawdown."""
    desk = invested(MaxDrawdown(10, HaltState.NO_NEW))
    desk.market(80.0)
    desk.risk.resume(HaltScope.ACCOUNT, "account", operator="me", reason="looked")
    desk.market(80.0)
    assert [state for _, _, state in desk.halts] == ["NO_NEW", "TRADING", "NO_NEW"]


def test_without_equity_at_the_start_any_loss_is_all_of_it() -> None:
    """Less than nothing is beyond every limit."""
    desk = Desk(MaxDrawdown(10), DailyLoss(5), cash=0)
    desk.hold(10)
    desk.market(99.0)
    assert desk.halts == [("account", "account", "REDUCE_ONLY")]


def test_equity_that_cannot_be_told_denies_entries_and_stops_nothing() -> None:
    """A coin without a price leaves the watching limits blind: they wait, and nothing new passes meanwhile."""
    desk = Desk(MaxDrawdown(10), instruments=[make_instrument()])
    desk.portfolio.on_fill(make_fill(BUY, 10, 100, fees=[("BNB", "0.1")]))
    desk.market(50.0)
    assert (desk.halts, code(desk.order(BUY, 1)), desk.order(SELL, 10)) == ([], "UNPRICED", "")


def test_a_halt_that_is_lifted_while_the_loss_stands_is_raised_again() -> None:
    """The limits are asked anew at the next market event, although equity has not moved since."""
    desk = invested(MaxDrawdown(5, HaltState.REDUCE_ONLY))
    desk.market(90.0)
    desk.risk.resume(HaltScope.ACCOUNT, "account", operator="ann", reason="looked at it")
    assert not desk.risk.halts
    desk.market(90.0, minute=1)
    assert desk.risk.halts.in_force[0].state is HaltState.REDUCE_ONLY


class Counting:
    """A limit that counts how often it is asked to watch."""

    def __init__(self) -> None:
        self.asked = 0

    def check(self, order: object, context: object) -> None:
        """Let everything pass."""

    def watch(self, context: object) -> None:
        """Count."""
        self.asked += 1


class CountingEquity(Counting):
    """The same, but it says that it looks only at equity."""

    watches_equity = True


def test_a_limit_is_asked_at_each_event_unless_it_looks_only_at_equity() -> None:
    """Such a one is asked when equity has moved, and on a new day; a user's own is asked every time."""
    for limit, expected in ((Counting(), 3), (CountingEquity(), 2)):
        desk = invested(limit)
        before = limit.asked
        desk.market(100.0, minute=1)
        desk.market(101.0, minute=2)
        desk.market(101.0, minute=TOMORROW)
        assert limit.asked - before == expected
