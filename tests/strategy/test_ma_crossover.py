"""The moving-average crossover, driven bar by bar."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import talib

from tests.strategy.harness import REAL_FILES, Harness, Market, only_signal, real_columns
from tradingd.domain.enums import Direction, OrderStatus, Side
from tradingd.domain.events import EventType, Signal

LONG, SHORT, FLAT = Direction.LONG, Direction.SHORT, Direction.FLAT

UP = [10.0, 11.0, 12.0]
"""With averages of 2 and 3 bars: warm, and the fast one above the slow one."""

UNFILLED = [status for status in OrderStatus if status.is_terminal and status is not OrderStatus.FILLED]


def crossover(**params: object) -> Harness:
    """Averages of 2 and 3 bars."""
    return Harness("ma_crossover", **{"fast_ma": 2, "slow_ma": 3, **params})


def long_one() -> Harness:
    """A crossover that is long one unit."""
    run = crossover()
    run.fill(only_signal(run.closes(UP), LONG).intent_id, Side.BUY, "1")
    return run


def test_the_first_decision_is_made_when_the_slow_average_is_ready() -> None:
    """With a slow average of 3 the third bar is the first that may signal, and does."""
    run = crossover()
    assert run.strategy.warmup_bars == 3
    assert run.closes(UP[:2]) == []
    signal = only_signal(run.bar(UP[2]), LONG)
    assert (signal.symbol, signal.price, signal.strategy_id) == ("X", 12.0, "ma_crossover")


def test_it_asks_only_for_bars() -> None:
    """It wants the bars of its symbol, and no other market data."""
    strategy = crossover().strategy
    assert strategy.market_events() == {EventType.BAR}
    assert strategy.symbols == ("X",)


def test_a_state_is_signalled_once() -> None:
    """While the fast average stays above, nothing more is asked for."""
    run = long_one()
    assert run.closes([13.0, 14.0, 15.0]) == []


def test_below_means_flat_when_long_only() -> None:
    """The crossing down closes the position."""
    run = long_one()
    assert only_signal(run.bar(5.0), FLAT).price == 5.0


def test_below_means_short_otherwise() -> None:
    """Without long_only the crossing down reverses, and the crossing up reverses back."""
    run = crossover(long_only=False)
    run.fill(only_signal(run.closes(UP), LONG).intent_id, Side.BUY, "1")
    run.fill(only_signal(run.bar(5.0), SHORT).intent_id, Side.SELL, "2")
    only_signal(run.closes([4.0, 20.0]), LONG)


def test_a_first_decision_below_signals_nothing_when_flat() -> None:
    """Flat is what a run starts as, so there is nothing to ask for."""
    assert crossover().closes([12.0, 11.0, 10.0, 9.0]) == []


def test_a_first_decision_below_is_short_otherwise() -> None:
    """Without long_only the first decision may be a short."""
    only_signal(crossover(long_only=False).closes([12.0, 11.0, 10.0]), SHORT)


def test_equal_averages_do_not_decide() -> None:
    """On equal prices the averages are tied, and a tie as the first thing seen decides nothing."""
    run = crossover(long_only=False)
    assert run.closes([0.1] * 10) == []
    only_signal(run.bar(0.2), LONG)


def test_a_tie_keeps_the_last_decision() -> None:
    """A rounding difference between equal averages is no crossing: 10 and 30 times 0.1, say."""
    run = crossover(fast_ma=10, slow_ma=30, long_only=False)
    assert len(run.closes([0.1] * 29 + [0.2])) == 1
    assert run.closes([0.2] * 100) == []


@pytest.mark.parametrize("status", UNFILLED)
def test_an_entry_without_a_fill_is_not_repeated_at_every_bar(status: OrderStatus) -> None:
    """After a denial, rejection, cancel or expiry the next entry waits for the next crossing."""
    run = crossover()
    run.order(only_signal(run.closes(UP), LONG).intent_id, status)
    assert run.closes([13.0, 14.0]) == []
    assert run.closes([5.0, 4.0]) == []  # nothing is held, so there is nothing to close
    only_signal(run.closes([20.0]), LONG)


def test_an_entry_on_its_way_is_withdrawn_by_the_crossing_back() -> None:
    """An entry whose fate is not known yet is followed by FLAT, which cancels it."""
    run = crossover()
    run.order(only_signal(run.closes(UP), LONG).intent_id, OrderStatus.UNKNOWN)
    only_signal(run.bar(5.0), FLAT)


def test_a_partly_filled_entry_is_held() -> None:
    """The rest being canceled, what has been filled is kept until the crossing."""
    run = crossover()
    intent_id = only_signal(run.closes(UP), LONG).intent_id
    run.fill(intent_id, Side.BUY, "0.4")
    run.order(intent_id, OrderStatus.CANCELED, filled="0.4")
    assert run.bar(13.0) == []
    only_signal(run.bar(5.0), FLAT)


@pytest.mark.parametrize("status", UNFILLED)
def test_a_failed_exit_is_tried_again_at_every_bar(status: OrderStatus) -> None:
    """While the position is still held, FLAT is signalled once a bar until it is gone."""
    run = long_one()
    signal = only_signal(run.bar(5.0), FLAT)
    for close in (4.0, 3.0):
        assert run.order(signal.intent_id, status, side=Side.SELL) == []
        signal = only_signal(run.bar(close), FLAT)
    run.fill(signal.intent_id, Side.SELL, "1")
    assert run.bar(2.0) == []


def test_an_exit_that_works_is_awaited() -> None:
    """While the exit order works, possibly unknown, no second one is asked for."""
    run = long_one()
    signal = only_signal(run.bar(5.0), FLAT)
    run.order(signal.intent_id, OrderStatus.UNKNOWN, side=Side.SELL)
    assert run.bar(4.0) == []
    run.order(signal.intent_id, OrderStatus.CANCELED, side=Side.SELL)
    only_signal(run.bar(3.0), FLAT)


def test_a_failed_reversal_closes_the_wrong_side() -> None:
    """When the short is denied, the long is closed at the next bar, and no short follows before a crossing."""
    run = crossover(long_only=False)
    run.fill(only_signal(run.closes(UP), LONG).intent_id, Side.BUY, "1")
    run.order(only_signal(run.bar(5.0), SHORT).intent_id, OrderStatus.DENIED)
    run.fill(only_signal(run.bar(4.0), FLAT).intent_id, Side.SELL, "1")
    assert run.closes([3.0, 2.0]) == []


def test_a_late_fill_of_a_canceled_entry_is_closed_at_the_crossing() -> None:
    """A fill that comes after the cancel is held like any other, and closed like any other."""
    run = crossover()
    intent_id = only_signal(run.closes(UP), LONG).intent_id
    run.order(intent_id, OrderStatus.CANCELED)
    run.fill(intent_id, Side.BUY, "1")
    assert run.bar(13.0) == []
    only_signal(run.bar(5.0), FLAT)


def test_a_position_found_at_the_start_is_closed_if_the_averages_are_against_it() -> None:
    """A run that starts holding what the averages say it should not closes it at the first decision."""
    run = crossover()
    run.hold("1")
    only_signal(run.closes([12.0, 11.0, 10.0]), FLAT)


def test_everything_is_market_orders_by_signal() -> None:
    """It only ever emits signals, without limit or stop."""
    run = long_one()
    run.closes([5.0, 30.0, 1.0])
    assert all(isinstance(event, Signal) and event.limit is None and event.stop is None for event in run.emitted)


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
def test_it_signals_where_talib_averages_cross(path: Path) -> None:
    """On real bars its signals are TA-Lib's crossings, bar for bar."""
    columns = real_columns(path)
    market = Market(Harness("ma_crossover", fast_ma=10, slow_ma=30, long_only=False))
    assert len(list(market.run(columns))) == len(columns["close"])
    closes = np.array(columns["close"])
    gaps = talib.SMA(closes, 10) - talib.SMA(closes, 30)
    decided = [(i, LONG if gap > 0 else SHORT) for i, gap in enumerate(gaps) if abs(gap) > 1e-9]
    expected = decided[:1] + [now for before, now in pairwise(decided) if before[1] is not now[1]]
    assert market.signals == expected


def test_less_than_a_lot_is_no_position() -> None:
    """What fees in the base coin leave over cannot be sold, so no bar asks for it."""
    run = long_one()
    signal = only_signal(run.bar(5.0), FLAT)
    run.fill(signal.intent_id, Side.SELL, "0.9995")
    assert run.closes([4.0, 3.0]) == []
