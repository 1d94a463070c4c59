"""The Donchian breakout and the life of its protective stop, driven bar by bar."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.strategy.harness import REAL_FILES, Harness, Market, event_types, only, only_signal, real_columns
from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side
from tradingd.domain.events import CancelRequest, Event, EventType, ModifyRequest, OrderRequest

LONG, SHORT, FLAT = Direction.LONG, Direction.SHORT, Direction.FLAT
ENDED = [status for status in OrderStatus if status.is_terminal and status is not OrderStatus.FILLED]


def breakout(**params: object) -> Harness:
    """Small periods, warmed up on four bars from 99 to 101 (ATR 2), all of them inside the channel."""
    run = Harness("donchian_breakout", **{"entry_period": 3, "exit_period": 2, "atr_period": 2, **params})
    assert run.strategy.warmup_bars == 4
    for _ in range(4):
        assert quiet(run) == []
    return run


def quiet(run: Harness) -> list[Event]:
    """A bar from 99 to 101 that closes at 100."""
    return run.bar(100.0, 101.0, 99.0)


def break_up(run: Harness) -> list[Event]:
    """A bar that closes at 105, above all; its true range of 6 makes the ATR 4."""
    return run.bar(105.0, 106.0, 100.0)


def filled(quantity: str = "3", **params: object) -> tuple[Harness, OrderRequest]:
    """A run whose entry has filled, and the stop that it asked for."""
    run = breakout(**params)
    entry = only_signal(break_up(run), LONG)
    stop = only(run.fill(entry.intent_id, Side.BUY, quantity, "105"))
    assert isinstance(stop, OrderRequest)
    return run, stop


def protected(quantity: str = "3", **params: object) -> tuple[Harness, OrderRequest]:
    """A run that is long, with its stop working."""
    run, stop = filled(quantity, **params)
    assert run.accept(stop) == []
    return run, stop


# --- entry -------------------------------------------------------------------------------------------------


def test_it_enters_on_a_close_above_the_channel_of_the_bars_before() -> None:
    """At market; the signal asks risk for no stop, since the strategy keeps one itself."""
    signal = only_signal(break_up(breakout()), LONG)
    assert (signal.price, signal.stop, signal.limit) == (105.0, None, None)


def test_a_close_at_the_channel_is_no_breakout() -> None:
    """The close must exceed the highest high, and a high alone does not count."""
    assert breakout().bar(101.0, 110.0, 99.0) == []


def test_the_channel_is_that_of_the_last_bars() -> None:
    """A high that has left the window no longer counts."""
    run = breakout()
    run.bar(100.0, 120.0, 99.0)
    assert break_up(run) == []  # 105 is below 120
    for _ in range(3):
        quiet(run)
    only_signal(break_up(run), LONG)


def test_nothing_is_asked_for_during_the_warm_up() -> None:
    """The first bar that may break out is the one after the longest window."""
    run = Harness("donchian_breakout", entry_period=3, exit_period=2, atr_period=2)
    assert run.closes([100.0, 110.0, 120.0]) == []
    only_signal(run.bar(130.0), LONG)


def test_the_warm_up_waits_for_the_slowest_indicator() -> None:
    """A long ATR lengthens the warm-up."""
    run = Harness("donchian_breakout", entry_period=3, exit_period=2, atr_period=5)
    assert run.strategy.warmup_bars == 6
    assert run.closes([100.0, 110.0, 120.0, 130.0, 140.0]) == []
    only_signal(run.bar(150.0), LONG)


@pytest.mark.parametrize("status", ENDED)
def test_a_refused_entry_waits_for_a_new_breakout(status: OrderStatus) -> None:
    """While the close stays outside the channel the refused entry is not repeated; a fresh breakout is."""
    run = breakout()
    run.order(only_signal(break_up(run), LONG).intent_id, status)
    assert run.bar(110.0, 111.0, 105.0) == []
    assert run.bar(115.0, 116.0, 110.0) == []
    assert run.bar(112.0, 114.0, 110.0) == []  # inside again
    only_signal(run.bar(120.0, 121.0, 112.0), LONG)


def test_no_entry_while_an_order_works() -> None:
    """A breakout is let pass while an entry, possibly unknown, still works."""
    run = breakout()
    run.order(only_signal(break_up(run), LONG).intent_id, OrderStatus.UNKNOWN)
    assert quiet(run) == []
    assert run.bar(120.0, 121.0, 100.0) == []


def test_it_never_shorts_when_long_only() -> None:
    """A close below the channel means nothing to a long-only strategy that is flat."""
    assert breakout().bar(95.0, 100.0, 94.0) == []


def test_it_shorts_the_mirror_image() -> None:
    """Below the channel: SHORT, a buy stop above, trailed down, exit above the exit channel."""
    run = breakout(long_only=False)
    signal = only_signal(run.bar(95.0, 100.0, 94.0), SHORT)
    stop = only(run.fill(signal.intent_id, Side.SELL, "2", "95"))
    assert (stop.side, stop.quantity, stop.stop_price) == (Side.BUY, Decimal(2), Decimal("103.0"))
    run.accept(stop)
    change = only(run.bar(90.0, 92.0, 90.0))  # true range 5, ATR 4.5
    assert (change.quantity, change.stop_price) == (None, Decimal("99.0"))
    run.accept(stop, stop="99")
    only_signal(run.bar(101.0, 102.0, 91.0), FLAT)


# --- protection --------------------------------------------------------------------------------------------


def test_a_fill_is_protected_at_once() -> None:
    """The first fill leads to a reduce-only sell stop for the whole position at the signalled price."""
    _, stop = filled("3")
    assert (stop.side, stop.order_type, stop.reduce_only) == (Side.SELL, OrderType.STOP, True)
    assert (stop.quantity, stop.stop_price) == (Decimal(3), Decimal("97.0"))


def test_the_stop_is_trailed_up_only() -> None:
    """It follows close minus two ATRs upward and stays when that falls."""
    run, stop = protected()
    change = only(run.bar(110.0, 110.0, 106.0))  # true range 5, ATR 4.5
    assert isinstance(change, ModifyRequest)
    assert (change.intent_id, change.quantity, change.stop_price) == (stop.intent_id, None, Decimal("101.0"))
    assert run.accept(stop, stop="101") == []
    assert run.bar(108.0, 110.0, 107.0) == []


def test_a_stop_price_is_put_on_the_tick() -> None:
    """The level is rounded to the tick, up for a sell, and an unchanged tick asks for nothing."""
    run, stop = protected(atr_stop=1.2345)
    assert stop.stop_price == Decimal("100.07")  # 105 - 4.938 = 100.062
    change = only(run.bar(108.0, 108.0, 106.0))
    assert change.stop_price == Decimal("103.68")  # 108 - 1.2345 * 3.5 = 103.67925


def test_a_stop_is_never_at_or_below_zero() -> None:
    """When the distance exceeds the price the stop is one tick."""
    _, stop = filled(atr_stop=90)
    assert stop.stop_price == Decimal("0.01")


def test_a_change_on_its_way_is_not_hurried_within_the_bar() -> None:
    """Updates of the stop that still show the old price do not repeat the change; the next bar does."""
    run, stop = protected()
    only(run.bar(110.0, 110.0, 106.0))
    assert run.accept(stop, reason="MODIFY_REJECTED: busy") == []
    change = only(run.bar(110.0, 111.0, 109.0))
    assert change.stop_price > Decimal("101.0")


def test_a_further_fill_enlarges_the_stop() -> None:
    """A second partial fill of the entry changes the stop's quantity to the whole position."""
    run, stop = protected("1")
    change = only(run.fill("donchian_breakout:1", Side.BUY, "2", "105"))
    assert (change.intent_id, change.quantity, change.stop_price) == (stop.intent_id, Decimal(3), None)


def test_a_further_fill_before_the_stop_works_enlarges_it_as_soon_as_it_does() -> None:
    """The change waits until the order can be changed."""
    run, stop = filled("1")
    assert run.fill("donchian_breakout:1", Side.BUY, "2", "105") == []
    assert run.accept(stop, OrderStatus.PREPARED) == []
    assert run.accept(stop, OrderStatus.SENDING) == []
    assert only(run.accept(stop)).quantity == Decimal(3)


@pytest.mark.parametrize("reason", ["MODIFY_DENIED: LOT", "MODIFY_REJECTED: busy"])
def test_a_stop_that_may_not_be_enlarged_ends_the_trade(reason: str) -> None:
    """A position greater than its stop is closed rather than left half protected."""
    run, stop = protected("1")
    only(run.fill("donchian_breakout:1", Side.BUY, "2", "105"))
    only_signal(run.accept(stop, reason=reason), FLAT)


def test_a_position_cut_by_somebody_else_shrinks_the_stop() -> None:
    """The stop follows the position down, too."""
    run, _ = protected("3")
    assert only(run.fill("by-hand", Side.SELL, "1", "105")).quantity == Decimal(2)


@pytest.mark.parametrize("order_first", [False, True])
def test_a_partial_fill_of_the_stop_leaves_it_alone(order_first: bool) -> None:  # noqa: FBT001
    """What remains of the order covers what remains of the position, whichever news comes first."""
    run, stop = protected("3")
    if order_first:
        assert run.accept(stop, filled="1") == []
    assert run.fill(stop.intent_id, Side.SELL, "1", "97") == []
    if not order_first:
        assert run.accept(stop, filled="1") == []
    change = only(run.bar(110.0, 110.0, 106.0))
    assert (change.quantity, change.stop_price) == (None, Decimal("101.0"))


@pytest.mark.parametrize("status", ENDED)
def test_a_stop_that_does_not_work_ends_the_trade(status: OrderStatus) -> None:
    """Denied, rejected, canceled by another: the position is closed at once instead of standing naked."""
    run, stop = filled()
    only_signal(run.accept(stop, status), FLAT)


@pytest.mark.parametrize("status", ENDED)
def test_a_stop_that_stops_working_ends_the_trade(status: OrderStatus) -> None:
    """The same holds for a stop that has worked before."""
    run, stop = protected()
    only_signal(run.accept(stop, status), FLAT)


def test_a_stop_of_unknown_fate_is_left_to_execution() -> None:
    """Unknown is not dead: neither a second stop nor an exit is asked for."""
    run, stop = protected()
    assert run.accept(stop, OrderStatus.UNKNOWN) == []
    assert run.bar(110.0, 110.0, 106.0) == []
    assert run.accept(stop)[0].stop_price == Decimal("101.0")  # type: ignore[attr-defined]


# --- exit --------------------------------------------------------------------------------------------------


def test_it_exits_below_the_exit_channel() -> None:
    """A close below the lowest low of the exit bars before it is one FLAT signal and nothing besides."""
    run, stop = protected()
    run.accept(stop, stop=only(run.bar(105.0, 106.0, 104.0)).stop_price)
    signal = only_signal(run.bar(99.5, 105.0, 99.0), FLAT)
    assert signal.price == 99.5


def test_its_exit_leaves_the_stop_to_risk() -> None:
    """That the stop is canceled for the exit is no alarm, and after the exit it may enter again."""
    run, stop = protected()
    exit_ = only_signal(run.bar(98.0, 100.0, 98.0), FLAT)
    assert run.accept(stop, OrderStatus.CANCELED) == []
    assert run.order(exit_.intent_id, OrderStatus.OPEN, side=Side.SELL) == []
    assert run.bar(97.0, 98.0, 96.0) == []
    assert run.fill(exit_.intent_id, Side.SELL, "3", "97") == []
    assert run.order(exit_.intent_id, OrderStatus.FILLED, side=Side.SELL, filled="3") == []
    assert run.bar(100.0, 101.0, 97.0) == []
    only_signal(run.bar(108.0, 108.0, 100.0), LONG)


@pytest.mark.parametrize("status", ENDED)
def test_a_failed_exit_is_tried_again_at_the_next_bar(status: OrderStatus) -> None:
    """Not in a loop at once, but at every bar while the position is held, even if prices recover."""
    run, stop = protected()
    exit_ = only_signal(run.bar(98.0, 100.0, 98.0), FLAT)
    run.accept(stop, OrderStatus.CANCELED)
    for _ in range(3):
        assert run.order(exit_.intent_id, status, side=Side.SELL) == []
        exit_ = only_signal(run.bar(103.0, 103.0, 103.0), FLAT)


def test_a_denied_exit_is_tried_again_though_the_stop_still_works() -> None:
    """An exit that was denied before the stop was canceled leaves the stop working, and is repeated."""
    run, _ = protected()
    exit_ = only_signal(run.bar(98.0, 100.0, 98.0), FLAT)
    run.order(exit_.intent_id, OrderStatus.DENIED)
    only_signal(run.bar(103.0, 103.0, 103.0), FLAT)


def test_a_late_fill_of_the_entry_during_the_exit_is_closed_too() -> None:
    """What the exit did not know of is closed with the next one."""
    run, stop = protected("2")
    exit_ = only_signal(run.bar(98.0, 100.0, 98.0), FLAT)
    run.accept(stop, OrderStatus.CANCELED)
    assert run.fill("donchian_breakout:1", Side.BUY, "1", "98") == []
    assert run.fill(exit_.intent_id, Side.SELL, "2", "98") == []
    assert run.order(exit_.intent_id, OrderStatus.FILLED, side=Side.SELL, filled="2") == []
    only_signal(run.bar(98.0, 98.0, 98.0), FLAT)


@pytest.mark.parametrize("order_first", [False, True])
def test_a_filled_stop_ends_the_trade(order_first: bool) -> None:  # noqa: FBT001
    """Whichever news comes first, the trade is over, and the next close outside the channel is a new one."""
    run, stop = protected()
    told = {"filled": "3", "status": OrderStatus.FILLED}
    if order_first:
        assert run.accept(stop, **told) == []
    assert run.fill(stop.intent_id, Side.SELL, "3", "97") == []
    if not order_first:
        assert run.accept(stop, **told) == []
    only_signal(run.bar(108.0, 108.0, 100.0), LONG)


def test_a_stop_filled_in_parts_told_as_done_first_is_awaited() -> None:
    """When the order is told FILLED before its fills are booked, they are not taken for a naked rest."""
    run, stop = protected()
    assert run.accept(stop, OrderStatus.FILLED, filled="3") == []
    assert run.fill(stop.intent_id, Side.SELL, "1", "97") == []
    assert run.fill(stop.intent_id, Side.SELL, "2", "97") == []


def test_a_late_fill_of_the_entry_after_the_stop_is_protected_anew() -> None:
    """What arrives when the stop is spent gets a stop of its own."""
    run, stop = protected("2")
    run.accept(stop, OrderStatus.FILLED, filled="2")
    new = only(run.fill("donchian_breakout:1", Side.BUY, "1", "105"))
    assert isinstance(new, OrderRequest)
    assert new.intent_id != stop.intent_id


def test_a_late_fill_after_the_trade_is_protected_too() -> None:
    """A fill that comes when the trade was thought over gets a stop by the present ATR."""
    run, stop = protected("2")
    run.fill(stop.intent_id, Side.SELL, "2", "97")
    run.accept(stop, OrderStatus.FILLED, filled="2")
    new = only(run.fill("donchian_breakout:1", Side.BUY, "1", "105"))
    assert (new.quantity, new.stop_price) == (Decimal(1), Decimal("97.0"))


def test_a_position_closed_by_somebody_else_takes_its_stop_along() -> None:
    """A stop left working without a position is canceled at the next bar, once."""
    run, stop = protected()
    assert run.fill("by-hand", Side.SELL, "3", "105") == []
    request = only(quiet(run))
    assert isinstance(request, CancelRequest)
    assert request.intent_id == stop.intent_id
    assert run.accept(stop, OrderStatus.CANCELING) == []
    assert quiet(run) == []


def test_less_than_a_lot_is_neither_protected_nor_a_position() -> None:
    """The stop is for whole lots, and what an exit leaves over does not bar the next entry."""
    run, stop = filled("2.9995")
    assert stop.quantity == Decimal("2.999")
    run.accept(stop)
    run.fill(stop.intent_id, Side.SELL, "2.999", "97")
    run.accept(stop, OrderStatus.FILLED, filled="2.999")
    assert run.bar(97.0, 100.0, 96.0) == []
    only_signal(run.bar(108.0, 108.0, 100.0), LONG)


# --- restart -----------------------------------------------------------------------------------------------


# --- without a stop ----------------------------------------------------------------------------------------


def test_without_a_stop_only_the_channel_ends_a_trade() -> None:
    """No order but the entry and the exit, and an exit that failed is tried again."""
    run = breakout(atr_stop=0)
    entry = only_signal(break_up(run), LONG)
    assert run.fill(entry.intent_id, Side.BUY, "3", "105") == []
    assert run.bar(104.0, 105.0, 103.0) == []
    exit_ = only_signal(run.bar(90.0, 105.0, 89.0), FLAT)
    assert run.order(exit_.intent_id, OrderStatus.REJECTED, side=Side.SELL) == []
    only_signal(run.bar(104.0, 105.0, 103.0), FLAT)


def test_without_a_stop_it_waits_for_no_true_ranges() -> None:
    """The warm-up is that of the channels."""
    run = Harness("donchian_breakout", entry_period=3, exit_period=2, atr_period=50, atr_stop=0)
    assert run.strategy.warmup_bars == 4
    for _ in range(4):
        quiet(run)
    only_signal(break_up(run), LONG)


def test_a_position_found_at_the_start_gets_a_stop_after_the_warm_up() -> None:
    """Without a working stop, one is placed at the first bar that may trade."""
    run = Harness("donchian_breakout", entry_period=3, exit_period=2, atr_period=2)
    run.hold("1.5")
    assert [quiet(run) for _ in range(3)] == [[], [], []]
    stop = only(quiet(run))
    assert (stop.side, stop.quantity, stop.stop_price) == (Side.SELL, Decimal("1.5"), Decimal("96.0"))


def test_a_stop_found_at_the_start_is_taken_over() -> None:
    """The stop from before the restart is kept, not loosened, and resized to the position; no second one."""
    run = Harness("donchian_breakout", entry_period=3, exit_period=2, atr_period=2)
    run.hold("1.5")
    old = {"side": Side.SELL, "kind": OrderType.STOP, "quantity": "2", "stop": "98.5"}
    assert run.order("before:7", OrderStatus.OPEN, **old) == []
    assert [quiet(run) for _ in range(2)] == [[], []]
    change = only(quiet(run))  # the first bar with an ATR
    assert (change.intent_id, change.quantity, change.stop_price) == ("before:7", Decimal("1.5"), None)
    run.order("before:7", OrderStatus.OPEN, **{**old, "quantity": "1.5"})
    assert quiet(run) == []


# --- on real bars ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
def test_on_real_bars_no_position_is_ever_without_its_stop(path: Path) -> None:
    """At the end of every bar one stop covers the position exactly and was never loosened, or an exit works."""
    run = Harness("donchian_breakout", long_only=False)
    market = Market(run)
    before: OrderRequest | None = None
    protected_bars = 0
    for _ in market.run(real_columns(path)):
        held = run.books.get_position("X").quantity
        if not held or market.orders:
            before = None
            continue
        (stop,) = market.stops.values()
        assert stop.quantity == abs(held)
        assert stop.side is (Side.SELL if held > 0 else Side.BUY)
        if before is not None and before.intent_id == stop.intent_id:
            assert (stop.stop_price - before.stop_price) * stop.side.sign <= 0
        before = stop
        protected_bars += 1
    assert protected_bars > 20
    assert {EventType.SIGNAL, EventType.ORDER_REQUEST, EventType.MODIFY_REQUEST} == set(event_types(run.emitted))
