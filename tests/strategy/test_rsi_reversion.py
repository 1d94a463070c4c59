"""RSI reversion, driven bar by bar."""

from pathlib import Path

import numpy as np
import pytest
import talib

from tests.strategy.harness import REAL_FILES, Harness, Market, only_signal, real_columns
from tradingd.domain.enums import Direction, OrderStatus, Side

LONG, SHORT, FLAT = Direction.LONG, Direction.SHORT, Direction.FLAT

FALL = [100.0, 99.0, 98.0]
"""With an RSI of 2: warm, and at 0."""
TURN = 98.6
"""After FALL: RSI 37.5."""
RISE = [100.0, 101.0, 102.0]
"""With an RSI of 2: warm, and at 100."""


def reversion(**params: object) -> Harness:
    """An RSI of 2 bars with the usual levels."""
    return Harness("rsi_reversion", **{"period": 2, **params})


def entered(**params: object) -> tuple[Harness, str]:
    """A run that has just signalled LONG, with the intent."""
    run = reversion(**params)
    return run, only_signal([*run.closes(FALL), *run.bar(TURN)], LONG).intent_id


def held() -> Harness:
    """A run that is long one unit."""
    run, intent_id = entered()
    run.fill(intent_id, Side.BUY, "1")
    return run


def test_it_enters_when_the_rsi_turns_up_through_oversold() -> None:
    """At or below oversold, then above: LONG; not before."""
    run = reversion()
    assert run.closes(FALL) == []
    assert only_signal(run.bar(TURN), LONG).price == TURN


def test_the_first_rsi_cannot_cross() -> None:
    """Warm-up ends with the first RSI; a crossing needs two."""
    run = reversion()
    assert run.strategy.warmup_bars == 3
    assert run.closes([100.0, 99.0, 99.6]) == []


def test_an_rsi_at_the_level_is_oversold() -> None:
    """Exactly at the level has not crossed yet; the next bar above has."""
    run = reversion(oversold=37.5)
    run.closes(FALL)
    assert run.bar(98.6) == []  # 37.5 to the last digit
    only_signal(run.bar(98.65), LONG)


def test_it_stays_long_below_the_exit_level() -> None:
    """Between oversold and exit, and back in the oversold zone, the position is kept."""
    run = held()
    assert run.closes([98.5, 98.0, 97.0]) == []


def test_it_exits_at_the_exit_level() -> None:
    """An RSI at or above `exit` closes the position."""
    run = held()
    only_signal(run.bar(105.0), FLAT)


def test_a_jump_through_the_whole_band_enters_nothing() -> None:
    """When the RSI goes from oversold beyond the exit level in one bar there is nothing left to win."""
    run = reversion()
    assert run.closes([*FALL, 120.0, 121.0]) == []


def test_a_second_crossing_while_long_asks_for_nothing() -> None:
    """Turning up again while the position is held is no news."""
    run = held()
    assert run.closes([95.0, 95.9]) == []


def test_a_market_that_has_not_moved_has_no_rsi() -> None:
    """The RSI's conventional 0 before any movement neither covers a short nor makes the first rise an entry."""
    run = reversion(long_only=False)
    run.hold("-1")
    assert run.closes([100.0] * 6) == []
    assert run.bar(100.1) == []
    only_signal(run.bar(90.0), FLAT)


def test_it_never_shorts_when_long_only() -> None:
    """Turning down through overbought means nothing to a long-only strategy."""
    assert reversion().closes([*RISE, 101.5, 101.3]) == []


def test_it_shorts_the_mirror_image() -> None:
    """Short below overbought; cover at or below the mirrored exit level."""
    run = reversion(long_only=False)
    assert run.closes(RISE) == []
    run.fill(only_signal(run.bar(101.4), SHORT).intent_id, Side.SELL, "1")
    assert run.bar(101.5) == []
    only_signal(run.bar(95.0), FLAT)


def test_the_short_exit_level_is_mirrored_in_the_band() -> None:
    """With exit 70 of a 30-70 band shorts are held down to 30."""
    run = reversion(exit=70, long_only=False)
    run.fill(only_signal([*run.closes(RISE), *run.bar(101.4)], SHORT).intent_id, Side.SELL, "1")
    assert run.bar(101.2) == []  # RSI 50: a plain exit level would cover here
    only_signal(run.bar(95.0), FLAT)


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.CANCELED])
def test_an_entry_without_a_fill_waits_for_the_next_crossing(status: OrderStatus) -> None:
    """A refused entry is not asked for again before the RSI has been oversold and turned again."""
    run, intent_id = entered()
    run.order(intent_id, status)
    assert run.closes([98.5, 95.0]) == []
    only_signal(run.bar(96.6), LONG)


def test_a_failed_exit_is_tried_again_whatever_the_rsi() -> None:
    """A position that should be gone is closed at the next bar, though the RSI has fallen back."""
    run = held()
    signal = only_signal(run.bar(105.0), FLAT)
    run.order(signal.intent_id, OrderStatus.REJECTED, side=Side.SELL)
    signal = only_signal(run.bar(104.0), FLAT)
    run.order(signal.intent_id, OrderStatus.OPEN, side=Side.SELL)
    assert run.bar(103.0) == []
    run.fill(signal.intent_id, Side.SELL, "1")
    run.order(signal.intent_id, OrderStatus.FILLED, side=Side.SELL, filled="1")
    assert run.bar(102.0) == []


def test_a_partly_filled_entry_is_held() -> None:
    """What was filled before the cancel is kept and exits normally."""
    run, intent_id = entered()
    run.fill(intent_id, Side.BUY, "0.5")
    run.order(intent_id, OrderStatus.CANCELED, filled="0.5")
    assert run.bar(98.5) == []
    only_signal(run.bar(105.0), FLAT)


@pytest.mark.parametrize(("quantity", "closes"), [("1", RISE), ("-1", FALL)])
def test_a_position_found_at_the_start_is_exited_normally(quantity: str, closes: list[float]) -> None:
    """A run that starts with a position treats it as its own."""
    run = reversion(long_only=False)
    run.hold(quantity)
    only_signal(run.closes(closes), FLAT)


def test_a_position_found_at_the_start_is_kept_until_its_exit() -> None:
    """Below the exit level the found position stays."""
    run = reversion()
    run.hold("1")
    assert run.closes(FALL) == []


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
def test_it_signals_where_talib_says(path: Path) -> None:
    """On real bars its signals follow from TA-Lib's RSI by the rule, bar for bar."""
    columns = real_columns(path)
    market = Market(Harness("rsi_reversion", long_only=False))
    assert len(list(market.run(columns))) == len(columns["close"])
    rsi = talib.RSI(np.array(columns["close"]), 14)
    expected, state = [], FLAT
    for i in range(15, len(rsi)):
        wanted = state
        if (state is LONG and rsi[i] >= 50) or (state is SHORT and rsi[i] <= 50):
            wanted = FLAT
        if rsi[i - 1] <= 30 < rsi[i] < 50:
            wanted = LONG
        if rsi[i - 1] >= 70 > rsi[i] > 50:
            wanted = SHORT
        if wanted is not state:
            expected.append((i, wanted))
            state = wanted
    assert market.signals == expected
    assert {direction for _, direction in expected} == {LONG, SHORT, FLAT}


def test_an_entry_denied_because_it_is_held_is_no_failure() -> None:
    """When a failed exit is overtaken by a new entry, the position is simply kept."""
    run = held()
    signal = only_signal(run.bar(105.0), FLAT)
    run.order(signal.intent_id, OrderStatus.REJECTED, side=Side.SELL)
    signal = only_signal(run.bar(80.0), FLAT)
    run.order(signal.intent_id, OrderStatus.REJECTED, side=Side.SELL)
    signal = only_signal(run.bar(88.0), LONG)
    run.order(signal.intent_id, OrderStatus.DENIED)
    assert run.bar(88.1) == []


def test_less_than_a_lot_is_no_position() -> None:
    """What fees in the base coin leave over cannot be sold, so no bar asks for it."""
    run = held()
    run.fill(only_signal(run.bar(105.0), FLAT).intent_id, Side.SELL, "0.9995")
    assert run.bar(104.0) == []
