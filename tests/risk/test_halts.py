"""Halts: what each state lets pass, cancels and closes, and for whom."""

from decimal import Decimal
from typing import Any

import pytest

from tests.risk.desk import BUY, FLAT, LONG, SELL, SHORT, Desk, code
from tradingd.domain.enums import HaltScope, HaltState, OrderStatus
from tradingd.domain.events import (
    ApprovedOrder,
    CancelCommand,
    Event,
    MarginCall,
    OrderUpdate,
    StrategyFaulted,
)
from tradingd.errors import UsageError
from tradingd.risk.limits import MaxPositionQuantity, OrderRate
from tradingd.testing import at, make_instrument

ACCOUNT, INSTRUMENT, STRATEGY = HaltScope.ACCOUNT, HaltScope.INSTRUMENT, HaltScope.STRATEGY
NO_NEW, REDUCE_ONLY, CANCEL_ALL = HaltState.NO_NEW, HaltState.REDUCE_ONLY, HaltState.CANCEL_ALL
FLATTEN, HALTED = HaltState.FLATTEN, HaltState.HALTED
OPEN, CANCELED, REJECTED = OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.REJECTED


def halted(desk: Desk, state: HaltState, scope: HaltScope = ACCOUNT, key: str = "account") -> Desk:
    """Raise a halt."""
    desk.risk.halt(scope, key, state, "test")
    return desk


def holding(quantity: int | str = 10, **options: Any) -> Desk:
    """Strategy `s` holds `quantity`."""
    desk = Desk(**options)
    desk.hold(quantity)
    return desk


# --- raising and lifting -----------------------------------------------------------------------------------------


def test_a_halt_is_told_once_per_change() -> None:
    """Raising the same state again, or a lower one, tells nothing and changes nothing."""
    desk = Desk()
    for state in (NO_NEW, NO_NEW, CANCEL_ALL, REDUCE_ONLY, HaltState.TRADING):
        halted(desk, state)
    assert [state for _, _, state in desk.halts] == ["NO_NEW", "CANCEL_ALL"]


def test_a_resume_lifts_a_halt_and_is_told_with_who_and_why() -> None:
    """After it orders pass again."""
    desk = halted(Desk(), HALTED)
    desk.risk.resume(ACCOUNT, "account", operator="ann", reason="fixed")
    told = desk.log.events[-1]
    assert (told.state, told.reason) == (HaltState.TRADING, "resumed by ann: fixed")
    assert desk.order(BUY, 1) == ""


@pytest.mark.parametrize(("operator", "reason"), [("", "fixed"), ("ann", " ")])
def test_a_resume_needs_somebody_and_a_reason(operator: str, reason: str) -> None:
    """Unsigned, the halt stays."""
    desk = halted(Desk(), HALTED)
    with pytest.raises(UsageError):
        desk.risk.resume(ACCOUNT, "account", operator=operator, reason=reason)
    assert code(desk.order(BUY, 1)) == "HALTED"


def test_a_resume_of_what_is_not_halted_tells_nothing() -> None:
    """There is no change to tell."""
    desk = Desk()
    desk.risk.resume(ACCOUNT, "account", operator="ann", reason="fixed")
    assert desk.halts == []


def test_the_strictest_halt_holds() -> None:
    """Of the account's, the instrument's and the strategy's halts the reason names the strictest."""
    desk = halted(Desk(), NO_NEW)
    halted(desk, HALTED, STRATEGY, "s")
    halted(desk, CANCEL_ALL, INSTRUMENT, "AAPL")
    assert desk.order(BUY, 1) == "HALTED: strategy s is HALTED: test"


@pytest.mark.parametrize(("scope", "key"), [(INSTRUMENT, "AAPL"), (STRATEGY, "s")])
def test_a_halt_holds_for_its_scope_alone(scope: HaltScope, key: str) -> None:
    """Another strategy in another symbol trades on."""
    desk = halted(Desk(), HALTED, scope, key)
    desk.market(100.0, symbol="MSFT")
    assert code(desk.order(BUY, 1)) == "HALTED"
    assert desk.order(BUY, 1, symbol="MSFT", strategy="other") == ""


def test_evaluate_trade_tells_of_the_accounts_halt() -> None:
    """What is asked alone is held against halts, too."""
    decision = halted(Desk(), NO_NEW).risk.evaluate_trade("AAPL", "BUY", 1, 100)
    assert (decision.approved, decision.code) == (False, "HALTED")


# --- what passes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [NO_NEW, REDUCE_ONLY])
def test_mild_halts_let_reducing_orders_and_exits_pass(state: HaltState) -> None:
    """A position may be closed by order or by signal, and not be opened or grown."""
    desk = halted(holding(), state)
    assert (desk.order(SELL, 4), code(desk.order(BUY, 1))) == ("", "HALTED")
    assert code(desk.order(SELL, 7)) == "HALTED"
    assert code(desk.signal(LONG, strategy_id="other")) == "HALTED"


@pytest.mark.parametrize("state", [NO_NEW, REDUCE_ONLY])
@pytest.mark.parametrize(("direction", "allow_short"), [(FLAT, True), (SHORT, False)])
def test_mild_halts_let_signals_pass_that_only_close(
    state: HaltState, direction: Any, *, allow_short: bool
) -> None:
    """FLAT is an exit, and so is SHORT where short selling is off."""
    desk = halted(holding(allow_short=allow_short), state)
    assert (desk.signal(direction), desk.last) == ("", (SELL, 10))


def test_a_reversal_under_a_halt_leaves_the_protective_stop_alone() -> None:
    """It is denied before anything is canceled for it."""
    desk = holding()
    desk.order(SELL, 10, "stop", stop=90, reduce_only=True)
    halted(desk, NO_NEW)
    assert (code(desk.signal(SHORT)), desk.cancels) == ("HALTED", [])


@pytest.mark.parametrize("state", [CANCEL_ALL, HALTED])
def test_severe_halts_deny_everything(state: HaltState) -> None:
    """Not even an exit passes."""
    desk = halted(holding(), state)
    assert (code(desk.order(SELL, 1)), code(desk.signal(FLAT))) == ("HALTED", "HALTED")


# --- what is canceled --------------------------------------------------------------------------------------------


def crowded() -> Desk:
    """Long 10 with an entry, a stop for all of it, and a second sell that could flip it."""
    desk = holding()
    desk.order(SELL, 8, "plain", limit=120)
    desk.order(BUY, 5, "entry", limit=90)
    desk.order(SELL, 2, "stop", stop=90, reduce_only=True)
    desk.order(SELL, 5, "flip", limit=130)
    for intent in ("plain", "entry", "stop", "flip"):
        desk.update(intent)
    return desk


@pytest.mark.parametrize(
    ("state", "canceled"),
    [
        (NO_NEW, []),
        (REDUCE_ONLY, ["entry", "flip"]),
        (CANCEL_ALL, ["plain", "entry", "stop", "flip"]),
        (FLATTEN, ["plain", "entry", "stop", "flip"]),
        (HALTED, ["plain", "entry", "stop", "flip"]),
    ],
)
def test_each_state_cancels_what_it_does_not_let_work(state: HaltState, canceled: list[str]) -> None:
    """REDUCE_ONLY leaves what can only shrink the position together, the states above it nothing."""
    assert halted(crowded(), state).cancels == canceled


def test_a_halt_cancels_in_its_scope_alone() -> None:
    """Another strategy's orders work on."""
    desk = Desk()
    desk.order(BUY, 1, "mine")
    desk.order(BUY, 1, "theirs", strategy="other")
    assert halted(desk, CANCEL_ALL, STRATEGY, "s").cancels == ["mine"]


def test_canceling_is_safe_when_each_cancel_is_handled_in_between() -> None:
    """An order that ended with the one before is not canceled again."""
    desk = crowded()

    def end_two(event: Event) -> None:
        if isinstance(event, CancelCommand):
            desk.update("plain", CANCELED)
            desk.update("entry", CANCELED)

    desk.react = end_two
    halted(desk, CANCEL_ALL)
    assert desk.cancels == ["plain", "stop", "flip"]


def test_a_refused_cancel_is_repeated_at_a_later_market_event() -> None:
    """Not at once, and not at each event either."""
    desk = Desk()
    desk.order(BUY, 1, "a", limit=90)
    desk.update("a")
    halted(desk, CANCEL_ALL)
    desk.update("a", OPEN, reason="busy")
    counts = []
    for minute in (0.01, 0.05, 0.1, 0.11, 1):
        desk.market(100.0, minute=minute)
        counts.append(len(desk.cancels))
    assert counts == [1, 1, 2, 2, 2]


def test_an_order_that_begins_to_grow_is_canceled_under_reduce_only() -> None:
    """When the position is closed, the stop that protected it has nothing left to reduce."""
    desk = holding()
    desk.order(SELL, 10, "stop", stop=90, reduce_only=True)
    desk.update("stop")
    halted(desk, REDUCE_ONLY)
    before = list(desk.cancels)
    desk.hold(-10)
    desk.market(100.0, minute=1)
    assert (before, desk.cancels) == ([], ["stop"])


# --- flattening --------------------------------------------------------------------------------------------------


def test_flatten_closes_each_strategys_position() -> None:
    """One reduce-only market order per strategy and symbol, past the limits."""
    desk = Desk(MaxPositionQuantity(1), OrderRate(0))
    desk.hold(10)
    desk.hold(5, strategy="other")
    halted(desk, FLATTEN)
    assert [(order.strategy_id, order.side, order.quantity, order.reduce_only) for order in desk.orders] == [
        ("s", SELL, 10, True),
        ("other", SELL, 5, True),
    ]


def test_flatten_of_one_strategy_leaves_the_others_alone() -> None:
    """The scope of the halt is the scope of the exits."""
    desk = holding()
    desk.hold(5, strategy="other")
    halted(desk, FLATTEN, STRATEGY, "other")
    assert desk.last == (SELL, 5)


def test_flatten_waits_until_nothing_works() -> None:
    """A stop that may still fill, and a fill that is not booked, come first."""
    desk = holding()
    desk.order(SELL, 10, "stop", stop=90)
    desk.update("stop")
    halted(desk, FLATTEN)
    desk.update("stop", CANCELED, filled=4)
    waiting = len(desk.orders)
    desk.booked("stop", 4)
    assert (waiting, desk.last) == (1, (SELL, 6))


def test_flatten_does_not_cancel_its_own_exits() -> None:
    """While the exit works nothing more is asked for; when it has filled all is done."""
    desk = halted(holding(), FLATTEN)
    for minute in range(1, 5):
        desk.market(100.0, minute=minute)
    desk.filled("risk:flatten:1")
    desk.market(100.0, minute=9)
    assert (desk.cancels, len(desk.orders), desk.portfolio.positions) == ([], 1, {})


def test_halted_cancels_even_the_exits() -> None:
    """No order at all means none."""
    desk = halted(holding(), FLATTEN)
    halted(desk, HALTED)
    assert desk.cancels == ["risk:flatten:1"]


def test_a_rejected_exit_is_tried_again_later_and_not_in_a_loop() -> None:
    """The venue refuses at once each time; risk waits five seconds of the run's time between two tries."""
    desk = holding()

    def refuse(event: Event) -> None:
        if isinstance(event, ApprovedOrder):
            desk.update(event.intent_id, REJECTED)

    desk.react = refuse
    halted(desk, FLATTEN)
    counts = []
    for minute in (0.01, 0.05, 0.1, 0.11, 0.2):
        desk.market(100.0, minute=minute)
        counts.append(len(desk.orders))
    assert counts == [1, 1, 2, 2, 3]


def test_what_a_canceled_exit_left_is_closed_at_once() -> None:
    """Part of the exit filled, so the next one is for another position and need not wait."""
    desk = halted(holding(), FLATTEN)
    desk.booked("risk:flatten:1", 4)
    desk.update("risk:flatten:1", CANCELED, filled=4)
    assert desk.last == (SELL, 6)


def test_an_exit_above_the_venues_greatest_order_is_made_in_parts() -> None:
    """Each part follows when the one before has filled."""
    desk = holding(70, instruments=[make_instrument(max_quantity=Decimal(50))])
    halted(desk, FLATTEN)
    desk.filled("risk:flatten:1")
    assert [order.quantity for order in desk.orders] == [50, 20]


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ("0.4", "UNCLOSABLE: DUST: 0.4 is less than the lot 1"),
        (2, "UNCLOSABLE: MIN_NOTIONAL: 200.0 is below the minimum 300 USD"),
    ],
)
def test_what_cannot_be_closed_is_told_once(held: int | str, reason: str) -> None:
    """The reason is clear, and market events do not repeat it."""
    desk = holding(held, instruments=[make_instrument(min_notional=Decimal(300))])
    halted(desk, FLATTEN)
    for minute in range(1, 10):
        desk.market(100.0, minute=minute)
    told = [event.reason for event in desk.log.of(OrderUpdate)]
    assert (told, desk.orders) == ([reason], [])


def test_what_could_not_be_closed_is_closed_when_it_can_be() -> None:
    """A price that has risen lifts the position above the venue's minimum."""
    desk = halted(holding(2, instruments=[make_instrument(min_notional=Decimal(300))]), FLATTEN)
    desk.market(160.0, minute=1)
    assert desk.last == (SELL, 2)


def test_orders_that_strategies_ask_for_do_not_pass_while_flattening() -> None:
    """Only risk's own exits do."""
    desk = halted(holding(), FLATTEN)
    assert (code(desk.order(SELL, 1)), code(desk.signal(FLAT))) == ("HALTED", "HALTED")


# --- faults and plans --------------------------------------------------------------------------------------------


def test_a_faulted_strategy_enters_no_more_and_keeps_its_stop() -> None:
    """It alone is halted; what protects its position works on."""
    desk = holding()
    desk.order(SELL, 10, "stop", stop=90, reduce_only=True)
    desk.risk.on_fault(StrategyFaulted(at(0), "s", "ValueError: oops"))
    assert desk.halts == [("strategy", "s", "REDUCE_ONLY")]
    assert desk.cancels == []
    assert desk.order(BUY, 1) == "HALTED: strategy s is REDUCE_ONLY: FAULTED: ValueError: oops"
    assert desk.order(BUY, 1, strategy="other") == ""


def planned(*plans: tuple[str, Any, str]) -> Desk:
    """Each strategy is long 10 behind a stop, and has a signal that waits for the stop to be canceled."""
    desk = Desk()
    for strategy, direction, intent in plans:
        desk.hold(10, strategy=strategy)
        desk.order(SELL, 10, f"stop-{strategy}", stop=90, strategy=strategy)
        desk.update(f"stop-{strategy}")
        desk.signal(direction, strategy_id=strategy, intent_id=intent)
    return desk


@pytest.mark.parametrize("state", [NO_NEW, REDUCE_ONLY])
def test_a_mild_halt_drops_planned_entries_and_keeps_planned_exits(state: HaltState) -> None:
    """The entry is told at once; the exit is sent when its way is clear."""
    desk = halted(planned(("a", SHORT, "entry"), ("b", FLAT, "exit")), state)
    told = desk.denial("entry")
    for strategy in "ab":
        desk.update(f"stop-{strategy}", CANCELED)
    assert (code(told), [order.intent_id for order in desk.orders[2:]]) == ("HALTED", ["exit"])


def test_a_severe_halt_drops_planned_exits_too() -> None:
    """Under FLATTEN the exit is risk's own."""
    desk = halted(planned(("a", FLAT, "exit")), FLATTEN)
    told = desk.denial("exit")
    desk.update("stop-a", CANCELED)
    assert (code(told), desk.orders[-1].intent_id, desk.last) == ("HALTED", "risk:flatten:1", (SELL, 10))


def test_a_halt_drops_plans_in_its_scope_alone() -> None:
    """The other strategy's reversal goes on."""
    desk = halted(planned(("a", SHORT, "one"), ("b", SHORT, "two")), NO_NEW, STRATEGY, "a")
    assert (code(desk.denial("one")), desk.denial("two")) == ("HALTED", "")


def test_a_margin_call_stops_entries() -> None:
    """Nothing may grow any more until somebody resumes; what shrinks a position passes."""
    desk = holding(10)
    desk.risk.on_margin_call(MarginCall(at(1), "SIM", "USD", Decimal(90), Decimal(100)))
    assert desk.halts[-1][2] == "NO_NEW"
    assert code(desk.order(BUY, 1)) == "HALTED"
    assert desk.order(SELL, 1) == ""
    reason = desk.risk.halts.in_force[0].reason
    assert reason == "MARGIN_CALL: SIM: equity 90 USD, maintenance margin 100"
