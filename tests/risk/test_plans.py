"""Plans: signals that wait until their strategy's working orders are out of the way."""

from typing import Any

from tests.risk.desk import BUY, FLAT, LONG, SELL, SHORT, Desk, code
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import CancelCommand, CancelRequest, Event, OrderUpdate
from tradingd.risk.limits import ReduceOnly
from tradingd.testing import at, make_signal

OPEN, CANCELING = OrderStatus.OPEN, OrderStatus.CANCELING
CANCELED, REJECTED = OrderStatus.CANCELED, OrderStatus.REJECTED


def holding(*limits: Any) -> Desk:
    """Strategy `s` holds 10."""
    desk = Desk(*limits)
    desk.hold(10)
    return desk


def protected(*limits: Any) -> Desk:
    """Long 10 with a working protective stop."""
    desk = holding(ReduceOnly(), *limits)
    desk.order(SELL, 10, "stop", stop=90, reduce_only=True)
    desk.update("stop")
    return desk


def test_an_exit_first_cancels_the_protective_stop() -> None:
    """As long as the stop works nothing is sold, or it could be sold twice."""
    desk = protected()
    desk.signal(FLAT)
    desk.update("stop", CANCELING)
    assert (desk.cancels, len(desk.orders)) == (["stop"], 1)


def test_an_exit_is_sent_when_the_stop_is_gone() -> None:
    """The terminal update clears the way."""
    desk = protected()
    desk.signal(FLAT, intent_id="exit")
    desk.update("stop", CANCELED)
    assert (desk.orders[-1].intent_id, desk.last, desk.orders[-1].reduce_only) == ("exit", (SELL, 10), True)


def test_an_exit_waits_for_the_booking_of_what_the_stop_still_filled() -> None:
    """Terminal is not enough: until its fill is booked the position is not known."""
    desk = protected()
    desk.signal(FLAT)
    desk.update("stop", CANCELED, filled=4)
    waiting = len(desk.orders)
    desk.booked("stop", 4, 90)
    assert (waiting, desk.last) == (1, (SELL, 6))


def test_an_exit_whose_position_vanished_is_not_sent() -> None:
    """The stop filled during the cancel, so an exit would open a short."""
    desk = protected()
    desk.signal(FLAT, intent_id="exit")
    desk.filled("stop", 90)
    assert (len(desk.orders), desk.denial("exit")) == (1, "ALREADY_FLAT: there is nothing to close")


def test_a_reversal_finds_the_position_that_is_left() -> None:
    """The stop filled during the cancel, so from flat only the sizer's quantity is sold."""
    desk = protected()
    desk.signal(SHORT)
    desk.filled("stop", 90)
    assert desk.last == (SELL, 10)


def test_an_entry_finds_the_position_that_came_meanwhile() -> None:
    """Long is what the signal wanted, and the buy that it was to replace filled after all."""
    desk = Desk()
    desk.order(SELL, 5, "short", limit=101)
    desk.order(BUY, 5, "buy", limit=99)
    desk.signal(SHORT, intent_id="late")
    desk.signal(LONG, intent_id="long")
    desk.filled("buy", 99)
    desk.update("short", CANCELED)
    assert code(desk.denial("long")) in {"ON_ITS_WAY", "ALREADY_HELD"}
    assert len(desk.orders) == 2


def test_a_later_signal_takes_a_plans_place() -> None:
    """The strategy changed its mind while the stop was being canceled; the first wish is told so."""
    desk = protected()
    desk.signal(FLAT, intent_id="first")
    desk.signal(SHORT, intent_id="second")
    desk.update("stop", CANCELED)
    assert (desk.denial("first"), desk.last) == ("SUPERSEDED: by second", (SELL, 20))


def test_a_plan_to_exit_gives_way_to_the_wish_to_stay() -> None:
    """LONG while the exit waits means: keep what is held."""
    desk = protected()
    desk.signal(FLAT, intent_id="exit")
    desk.signal(LONG, intent_id="stay")
    desk.update("stop", CANCELED)
    assert (desk.denial("exit"), code(desk.denial("stay"))) == ("SUPERSEDED: by stay", "ALREADY_HELD")
    assert len(desk.orders) == 1


def test_the_wish_to_stay_recalls_an_exit_that_works() -> None:
    """LONG while the market exit works cancels it, and buys again what it sold before that."""
    desk = holding()
    desk.signal(FLAT, intent_id="exit")
    desk.signal(LONG, intent_id="stay")
    desk.filled("exit")
    assert (desk.cancels, desk.last) == (["exit"], (BUY, 10))


def test_the_same_wish_again_leaves_the_plan_and_its_cancels_alone() -> None:
    """A strategy that repeats FLAT at each event does not flood the venue with cancels."""
    desk = protected()
    desk.signal(FLAT)
    again = [desk.signal(FLAT) for _ in range(3)]
    assert (set(map(code, again)), desk.cancels) == ({"ON_ITS_WAY"}, ["stop"])


def test_the_same_wish_again_repeats_a_cancel_that_was_refused() -> None:
    """A plan does not wait for ever for a cancel that the venue did not take."""
    desk = protected()
    desk.signal(FLAT)
    desk.update("stop", OPEN, reason="busy")
    desk.signal(FLAT, ts=at(1))
    assert desk.cancels == ["stop", "stop"]


def test_a_plan_waits_for_an_order_of_unknown_outcome() -> None:
    """An order that may be alive is not passed by."""
    desk = protected()
    desk.signal(FLAT)
    desk.update("stop", OrderStatus.UNKNOWN)
    assert len(desk.orders) == 1


def test_orders_of_other_strategies_are_not_in_the_way() -> None:
    """A plan clears only its own strategy's orders, in its own symbol."""
    desk = holding()
    desk.hold(10, strategy="other")
    desk.order(SELL, 10, strategy="other", stop=90)
    desk.signal(FLAT)
    assert (desk.cancels, desk.last) == ([], (SELL, 10))


def test_a_plan_can_be_taken_back() -> None:
    """A cancel of the signal's own intent before its order was sent ends it."""
    desk = protected()
    desk.signal(FLAT, intent_id="exit")
    desk.cancel("exit")
    desk.update("stop", CANCELED)
    assert (desk.denial("exit"), len(desk.orders)) == ("CANCELED: before it was sent", 1)


def test_nobody_takes_back_somebody_elses_plan() -> None:
    """A cancel request for another strategy's intent is ignored."""
    desk = protected()
    desk.signal(FLAT, intent_id="exit")
    desk.cancel("exit", strategy="other")
    desk.update("stop", CANCELED)
    assert desk.orders[-1].intent_id == "exit"


def test_a_plan_is_acted_on_once_when_cancels_are_handled_in_between() -> None:
    """Each cancel may end orders, clear the way and send the exit before the next one is asked for."""
    desk = holding()
    desk.order(SELL, 5, "a", stop=90)
    desk.order(SELL, 5, "b", stop=85)
    for intent in ("a", "b"):
        desk.update(intent)

    def end_at_once(event: Event) -> None:
        if isinstance(event, CancelCommand):
            for intent in ("a", "b"):
                desk.update(intent, CANCELED)

    desk.react = end_at_once
    desk.signal(FLAT)
    assert (desk.cancels, [order.quantity for order in desk.orders]) == (["a"], [5, 5, 10])


def test_a_strategy_may_signal_again_from_within_its_denial() -> None:
    """The answer to SUPERSEDED is itself the latest wish, and nothing is lost of it."""
    desk = protected()
    desk.signal(FLAT, intent_id="first")
    answered: list[str] = []

    def answer(event: Event) -> None:
        if isinstance(event, OrderUpdate) and event.reason.startswith("SUPERSEDED") and not answered:
            answered.append("third")
            desk.risk.on_signal(make_signal(FLAT, intent_id="third"))

    desk.react = answer
    desk.signal(SHORT, intent_id="second")
    desk.update("stop", CANCELED)
    assert (desk.denial("second"), desk.orders[-1].intent_id) == ("SUPERSEDED: by third", "third")


def test_no_more_is_canceled_for_a_plan_that_was_taken_back_meanwhile() -> None:
    """The strategy gives the exit up while its first cancel is handled, so the second order works on."""
    desk = holding()
    desk.order(SELL, 5, "a", stop=90)
    desk.order(SELL, 5, "b", stop=85)

    def give_up(event: Event) -> None:
        if isinstance(event, CancelCommand):
            desk.cancel("exit")

    desk.react = give_up
    desk.signal(FLAT, intent_id="exit")
    assert desk.cancels == ["a"]


def test_an_exit_that_was_rejected_is_not_repeated_by_itself() -> None:
    """Whether to try again is the strategy's decision, and its next FLAT is taken."""
    desk = holding()
    desk.signal(FLAT, intent_id="exit")
    desk.update("exit", REJECTED)
    assert len(desk.orders) == 1
    assert desk.signal(FLAT) == ""


def test_a_cancel_request_of_an_order_that_is_over_has_nothing_to_do() -> None:
    """It is neither passed on nor answered."""
    desk = Desk()
    desk.order(BUY, 1, "a")
    desk.update("a", REJECTED)
    events = len(desk.log.events)
    desk.risk.on_cancel_request(CancelRequest(at(0), "s", "a"))
    assert len(desk.log.events) == events
