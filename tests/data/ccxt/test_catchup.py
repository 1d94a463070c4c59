"""Reading over REST: pages that overlap, windows of an hour, thin markets, holes."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.data.ccxt.catchup import Pages, read_bars, read_history, read_trades
from tradingd.data.ccxt.convert import Refusal, bar_of, trade_of
from tradingd.domain.events import Bar, Trade
from tradingd.venues.model import Lane

MS = 1_000_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
START_MS = 1_700_000_040_000


class Venue:
    """REST of a venue whose pages are small and reach an hour."""

    exchange_id = "fake"
    faults = 0

    def __init__(self, times: list[int], page: int = 3, keeps: int = 10**9) -> None:
        self.times, self.page, self.keeps = times, page, keeps
        self.calls = 0

    def has(self, method: str) -> bool:
        del method
        return True

    async def call(self, method: str, *args: Any, lane: Lane, params: Mapping[str, Any] | None = None) -> Any:
        assert lane is Lane.MARKET
        assert params is None
        self.calls += 1
        return getattr(self, method)(*args)

    async def watch(self, method: str, *args: Any, params: Any = None, pick: Any = None) -> Any:
        raise NotImplementedError

    async def reset_streams(self) -> None: ...

    def fetch_trades(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]:
        assert symbol == "X"
        kept = list(enumerate(self.times))[-self.keeps :]
        found = [(n, ms) for n, ms in kept if since <= ms < since + HOUR_MS][: min(limit, self.page)]
        return [{"id": n, "price": 1, "amount": 1, "side": "buy", "timestamp": ms} for n, ms in found]

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[float]]:
        assert (symbol, timeframe) == ("X", "1m")
        opens = sorted({ms - ms % MINUTE_MS for ms in self.times})
        return [[ms, 1, 1, 1, 1, 1] for ms in opens if ms >= since][: min(limit, self.page)]


def trade(raw: Any) -> Trade | Refusal:
    """One trade with the venue's time."""
    return trade_of(raw, "X", "X", raw["timestamp"] * MS)


def candle(row: Any) -> Bar | Refusal:
    """One candle."""
    return bar_of(row, "X", MINUTE_MS * MS)


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0, 0, 1, 700, 40_000, 2 * HOUR_MS]), min_size=1, max_size=30),
    since=st.integers(0, 29),
    page=st.integers(3, 9),
)
async def test_all_trades_since_are_read(gaps: list[int], since: int, page: int) -> None:
    """Whatever the pages and the pauses, even of hours, all trades since the last known one are read, in order."""
    times = [START_MS]
    for gap in gaps:
        # no more trades in a millisecond than a page holds: what is beyond that, no venue tells
        times.append(times[-1] + (gap if times[-page + 1 :] != [times[-1]] * (page - 1) else max(gap, 1)))
    last = min(since, len(times) - 1)
    venue = Venue(times, page)
    now = (times[-1] + 1) * MS
    answer = await read_trades(venue, "X", times[last] * MS, now, trade, Pages(1_000, 500))
    assert answer.reached
    assert answer.whole
    got = [int(each.trade_id) for each in answer.trades]
    assert got == sorted(got)
    assert set(range(last, len(times))) <= set(got)


async def test_a_hole_that_the_venue_cannot_fill_is_told() -> None:
    """Where the oldest trade that is kept is later than the last known one, the answer does not reach."""
    venue = Venue([START_MS + n * 10 for n in range(100)], page=50, keeps=20)
    answer = await read_trades(venue, "X", START_MS * MS, (START_MS + 2_000) * MS, trade, Pages())
    assert not answer.reached


async def test_a_bound_of_pages_is_told() -> None:
    """An answer that was cut off is not whole."""
    venue = Venue([START_MS + n * 10 for n in range(100)], page=3)
    answer = await read_trades(venue, "X", START_MS * MS, (START_MS + 2_000) * MS, trade, Pages(1_000, 4))
    assert not answer.whole


async def test_candles_are_read_page_by_page_and_each_once() -> None:
    """Pages of candles are put together without gap or double, the forming one last."""
    venue = Venue([START_MS + n * MINUTE_MS for n in range(50)], page=7)
    now = (START_MS + 49 * MINUTE_MS + 5_000) * MS
    bars = await read_bars(venue, "X", MINUTE_MS * MS, START_MS * MS, now, candle, Pages(7, 100))
    assert [bar.ts_open // MS for bar in bars] == [START_MS + n * MINUTE_MS for n in range(50)]


async def test_the_history_of_a_thin_market_reaches_back_further() -> None:
    """Where only every fifth minute was traded, as many bars are found by reading further back."""
    venue = Venue([START_MS + n * 5 * MINUTE_MS for n in range(100)], page=500)
    now = (START_MS + 99 * 5 * MINUTE_MS + 1_000) * MS
    bars = await read_history(venue, "X", MINUTE_MS * MS, 40, now, candle, Pages())
    assert len(bars) == 41
    assert bars[-1].ts_open // MS == START_MS + 99 * 5 * MINUTE_MS


async def test_a_young_market_has_the_history_that_it_has() -> None:
    """A market that is younger than the warm-up gives all that there is."""
    venue = Venue([START_MS + n * MINUTE_MS for n in range(5)], page=500)
    now = (START_MS + 5 * MINUTE_MS) * MS
    bars = await read_history(venue, "X", MINUTE_MS * MS, 1_000, now, candle, Pages())
    assert len(bars) == 5
    assert venue.calls < 10


class Busy(Venue):
    """A venue at which trades happen faster than they can be read."""

    def fetch_trades(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]:
        self.times += [self.times[-1] + n for n in (1, 2, 3)]
        return super().fetch_trades(symbol, since, limit)


async def test_reading_ends_in_a_market_that_never_pauses() -> None:
    """Each page of a busy market has something new; reading ends all the same, soon after it has caught up."""
    venue = Busy([START_MS + n for n in range(5_000)], page=1_000)
    answer = await read_trades(venue, "X", START_MS * MS, (START_MS + 5_000) * MS, trade, Pages())
    assert answer.whole
    assert venue.calls < 10
    assert {str(n) for n in range(5_000)} <= {each.trade_id for each in answer.trades}


async def test_reading_ends_with_the_first_trade_that_waits() -> None:
    """What the stream has told already need not be read; short pages are no end before that."""
    venue = Busy([START_MS + n * 10 for n in range(40)], page=2)
    answer = await read_trades(venue, "X", START_MS * MS, (START_MS + 5_000) * MS, trade, Pages(), ends_at="30")
    assert answer.whole
    assert [int(each.trade_id) for each in answer.trades][:31] == list(range(31))
    assert len(answer.trades) < 34
