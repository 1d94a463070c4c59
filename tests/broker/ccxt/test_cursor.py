"""Reading the trade history: complete, or told that it is not."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.broker.ccxt.rig import BTC, D
from tradingd.broker.ccxt.cursor import Cursor, Paging, Step, key_of
from tradingd.domain.enums import Side
from tradingd.venues.model import TradeSeen

_MS = 1_000_000


def trade(number: int, ms: int, trade_id: str | None = None) -> TradeSeen:
    """A trade at a millisecond."""
    named = str(number) if trade_id is None else trade_id
    return TradeSeen(named, "1", "", BTC, Side.BUY, D(1), D(1), ts=ms * _MS)


def read(history: list[TradeSeen], page: int, window_ms: int | None = None) -> tuple[set[tuple[str, str]], bool]:
    """Read a history to its end; returns what was found, and whether some of it may be missing."""
    window = None if window_ms is None else window_ms / 1000
    paging = Paging.of(Cursor(0), 100 * _MS, 0, window)
    found: set[tuple[str, str]] = set()
    stuck, step = False, Step.GO_ON
    while step is not Step.DONE:
        since = paging.since_ns
        end = since + window_ms * _MS if window_ms is not None else 10**18
        step, fresh = paging.take([one for one in history if since <= one.ts <= end][:page])
        found |= set(map(key_of, fresh))
        stuck = stuck or step is Step.STUCK
    return found, stuck


@example([5, 5, 5, 6, 9], 2, 3)  # what lies behind the instant begins within its window and ends beyond it
@given(st.lists(st.integers(0, 12), max_size=30), st.integers(1, 6), st.sampled_from([None, 3, 50]))
def test_all_is_found_or_told_missing(moments: list[int], page: int, window_ms: int | None) -> None:
    """Whatever the page and the window: every trade is found, unless one instant has more than a page shows.

    Where a window shows nothing behind an instant nobody can tell by paging: there the orders' figures have to.
    """
    history = [trade(number, ms) for number, ms in enumerate(sorted(moments))]
    found, stuck = read(history, page, window_ms)
    missing = {one.ts // _MS for one in history if key_of(one) not in found}
    reach = window_ms or 10**9
    silent = {ms for ms in moments if not any(ms < other <= ms + reach for other in moments)}
    assert stuck or missing <= silent or page == 1
    if stuck:
        assert any(moments.count(ms) >= page for ms in moments)


def test_new_trade_during_a_read_is_no_cut() -> None:
    """A trade that happens while the read looks behind an instant does not make that instant's page a cut one."""
    paging = Paging.of(Cursor(0), 0, 0, None)
    pair = [trade(1, 5), trade(2, 5)]
    assert paging.take(pair)[0] is Step.GO_ON
    assert paging.take(pair)[0] is Step.GO_ON  # behind the instant
    assert paging.take([trade(3, 7)]) == (Step.GO_ON, [trade(3, 7)])
    assert paging.since_ns == 5 * _MS
    assert paging.take([*pair, trade(3, 7)])[0] is Step.GO_ON
    assert paging.take([trade(3, 7)])[0] is Step.DONE


def test_trades_without_ids_are_told_apart() -> None:
    """Equal trades without an id, in one page, are several; read again they are the same several."""
    cursor = Cursor(0)
    for _ in range(2):
        _, fresh = Paging.of(cursor, 0, 0, None).take([trade(1, 5, ""), trade(2, 5, ""), trade(3, 6, "")])
        new = [one for one in fresh if cursor.is_new(one)]
        if _ == 0:
            assert len(new) == 3
    assert new == []


def test_memory_is_bounded() -> None:
    """A cursor remembers the latest keys only."""
    cursor = Cursor(0, kept=10)
    assert all(cursor.is_new(trade(number, number)) for number in range(100))
    assert len(cursor._known) == 10
    assert not cursor.is_new(trade(99, 99))
