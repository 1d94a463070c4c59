"""Joining a stream to REST: over arbitrary interruptions, every bar and every trade comes out once, in order."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.data.ccxt.bars import TradeBars
from tradingd.data.ccxt.gaps import BarJoin, Phase, TradeJoin
from tradingd.domain.aggregation import TimeBars
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, Trade

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_700_000_040 * SECOND  # a whole minute
PERIODS = 8


def trade(ts: int, number: int, price: float = 100.0) -> Trade:
    """A trade with an id."""
    return Trade(ts, "X", price, 1.0, Side.BUY, str(number))


def candles(trades: Sequence[Trade], until: int) -> list[Bar]:
    """A venue's candles as they are at a time: the last one may be forming."""
    bars = TimeBars(MINUTE)
    found: list[Bar] = []
    for each in trades:
        if each.ts <= until:
            found += bars.update(each)
    last = bars.close_by(2**62)
    return found if last is None else [*found, last]


tick_times = st.lists(st.integers(0, PERIODS * 60 - 1), min_size=1, max_size=60).map(sorted)
cuts = st.lists(st.tuples(st.integers(0, PERIODS * 60), st.integers(1, 150)), max_size=4)


def connected(second: int, gaps: Sequence[tuple[int, int]]) -> bool:
    """Whether the stream is up."""
    return not any(begin <= second < begin + length for begin, length in gaps)


class BarWorld:
    """A venue's candles, and a join that hears of them by a stream with gaps and by late REST answers."""

    def __init__(self, seconds: Sequence[int], gaps: Sequence[tuple[int, int]], first: int, delay: int) -> None:
        self.trades = [trade(START + second * SECOND, n, 100.0 + n) for n, second in enumerate(seconds)]
        self.gaps, self.delay = gaps, delay
        self.join = BarJoin(MINUTE, START, grace_ns=2 * SECOND, held=first > 0)
        self.first = first
        self.out: list[Bar] = []
        self.pending: tuple[int, int, int] | None = None

    def run(self) -> list[Bar]:
        up = False
        for second in range(self.first, (PERIODS + 12) * 60):
            now = START + second * SECOND
            is_up = connected(second, self.gaps)
            if up and not is_up:
                self.join.interrupted()
            up = is_up
            if up:
                self.hear(now)
            self.read(second, now)
        return self.out

    def hear(self, now: int) -> None:
        """Each trade brings its candle anew."""
        for each in self.trades:
            if each.ts == now:
                self.out += self.join.live(candles(self.trades, now)[-1])

    def read(self, second: int, now: int) -> None:
        if self.pending is not None:
            due, since, asked = self.pending
            if second >= due:
                rows = [bar for bar in candles(self.trades, asked) if bar.ts_open >= since]
                self.out += self.join.history(rows, asked)
                self.pending = None
        elif self.join.is_held:
            self.pending = second + self.delay, START, now
        else:
            since = self.join.wants(now)
            if since is not None:
                self.pending = second + self.delay, since, now


@settings(max_examples=300, deadline=None)
@given(seconds=tick_times, gaps=cuts, first=st.integers(0, PERIODS * 60), delay=st.integers(0, 70))
def test_history_and_live_are_the_uninterrupted_bars(
    seconds: list[int], gaps: list[tuple[int, int]], first: int, delay: int
) -> None:
    """Wherever the live stream begins or breaks, and however late REST answers, what comes out is the same."""
    world = BarWorld(seconds, gaps, first, delay)
    assert world.run() == candles(world.trades, 2**62)
    assert world.join.holes == 0


def test_a_bar_is_told_when_it_is_closed_and_once() -> None:
    """B17: a candle that forms, comes twice and is revised after its close makes one bar."""
    join = BarJoin(MINUTE, START)
    first, second = make(0, 10.0), make(1, 11.0)
    assert join.live(make(0, 9.0)) == []
    assert join.live(first) == []
    assert join.live(first) == []
    assert join.live(second) == [first]
    assert join.live(make(0, 12.0)) == []
    assert join.live(first) == []
    assert (join.revised, join.duplicates) == (1, 1)


def test_a_missing_candle_is_read() -> None:
    """B17: a candle that the stream leaves out is read over REST, and comes out in its place."""
    join = BarJoin(MINUTE, START)
    assert join.live(make(0, 10.0)) == []
    assert join.live(make(2, 12.0)) == [make(0, 10.0)]
    assert join.wants(START + 2 * MINUTE) == START + MINUTE
    rows = [make(1, 11.0), make(2, 12.0)]
    assert join.history(rows, START + 2 * MINUTE + SECOND) == [make(1, 11.0)]


def test_a_period_without_trades_has_no_bar() -> None:
    """What the venue does not tell, though it tells a later one, was not traded."""
    join = BarJoin(MINUTE, START)
    join.live(make(2, 12.0))
    assert join.history([make(2, 12.0)], START + 2 * MINUTE + SECOND) == []
    assert join.absent == 2
    assert join.live(make(3, 13.0)) == [make(2, 12.0)]


def test_a_bar_is_not_given_up_because_rest_lags() -> None:
    """While REST tells nothing later either, it is asked again, more and more seldom, before there is a hole."""
    join = BarJoin(MINUTE, START)
    join.live(make(1, 11.0))
    now, asked = START + MINUTE, 0
    while join.holes == 0:
        if join.wants(now) is not None:
            asked += 1
            join.history([], now)
        now += SECOND
    assert asked == 6
    assert join.next_ns == START + MINUTE


def test_an_unclosed_candle_of_rest_is_no_bar() -> None:
    """B17: the candle that still forms is not taken for a closed one."""
    join = BarJoin(MINUTE, START, grace_ns=SECOND)
    assert join.history([make(0, 10.0)], START + MINUTE) == []
    assert join.history([make(0, 10.5)], START + MINUTE + SECOND) == [make(0, 10.5)]


def test_candles_of_nothing() -> None:
    """Where bars are those of trades, a candle in which nothing was traded is none."""
    rows = [
        make(0, 10.0),
        Bar(START + 2 * MINUTE, "X", 10.0, 10.0, 10.0, 10.0, 0.0, START + MINUTE),
        make(2, 12.0),
    ]
    assert BarJoin(MINUTE, START).history(rows, START + 3 * MINUTE) == rows
    assert BarJoin(MINUTE, START, empty=False).history(rows, START + 3 * MINUTE) == [rows[0], rows[2]]


def make(minute: int, close: float) -> Bar:
    """A bar of one minute."""
    opened = START + minute * MINUTE
    return Bar(opened + MINUTE, "X", close, close, close, close, 1.0, opened)


@settings(max_examples=300, deadline=None)
@given(seconds=tick_times, gaps=cuts, delay=st.integers(0, 90), overlap=st.integers(0, 3))
def test_trades_are_told_once_and_in_order(
    seconds: list[int], gaps: list[tuple[int, int]], delay: int, overlap: int
) -> None:
    """From the first trade that was heard on, all come out once, whatever interruptions there are."""
    trades = [trade(START + second * SECOND, n) for n, second in enumerate(seconds)]
    join, out = TradeJoin(), list[Trade]()
    pending: tuple[int, int, Phase] | None = None
    up = False
    for second in range((PERIODS + 8) * 60):
        now = START + second * SECOND
        is_up = connected(second, gaps)
        if up and not is_up:
            join.interrupted()
        up = is_up
        if up:
            batch = [each for each in trades if each.ts == now]
            out += join.live(batch) if batch else []
        if pending is not None and second >= pending[0]:
            since, answered = pending[1], [each for each in trades if pending[1] <= each.ts <= now]
            out += join.history(answered, pending[2], reached=bool(since))
            pending = None
        elif pending is None and join.wants():
            pending = second + delay, (join.last_ts or 0) - overlap * SECOND, join.asked()
    # what came after the last interruption, and was followed by nothing, is read when the stream speaks again
    expected = trades[trades.index(out[0]) :] if out else []
    assert out == expected[: len(out)]
    if join.phase is Phase.LIVE:
        assert out == expected


def test_what_is_held_is_bounded() -> None:
    """While REST does not answer, so much is held and no more; it is read again later."""
    join = TradeJoin(held=3)
    join.live([trade(START, 0)])
    join.interrupted()
    for number in range(1, 6):
        assert join.live([trade(START + number, number)]) == []
    assert join.phase is Phase.BACK
    asked = join.asked()
    out = join.history([trade(START + n, n) for n in range(6)], asked, reached=True)
    assert [each.trade_id for each in out] == ["1", "2", "3", "4", "5"]


def test_trades_without_ids_are_told_apart_by_their_number() -> None:
    """Two equal trades in one millisecond are two; the same two again over REST are duplicates."""
    join = TradeJoin()
    twin = Trade(START, "X", 1.0, 1.0, Side.BUY)
    assert len(join.live([twin, twin])) == 2
    join.interrupted()
    assert join.history([twin, twin], join.asked(), reached=True) == []
    assert join.duplicates == 2


def test_a_hole_is_told() -> None:
    """Trades that begin after the last known one may lack some: that is counted."""
    join = TradeJoin()
    join.live([trade(START, 0)])
    join.interrupted()
    join.history([trade(START + MINUTE, 9)], join.asked(), reached=False)
    assert join.holes == 1


@settings(max_examples=200, deadline=None)
@given(seconds=tick_times, first=st.integers(0, PERIODS * 60), quiet=st.lists(st.integers(0, PERIODS * 60)))
def test_bars_of_trades_are_whole(seconds: list[int], first: int, quiet: list[int]) -> None:
    """Bars of trades are the venue's own, from the first period on that was heard as a whole."""
    trades = [trade(START + second * SECOND, n, 100.0 + n) for n, second in enumerate(seconds)]
    bars, out = TradeBars(MINUTE), list[Bar]()
    for second in range(first, (PERIODS + 1) * 60 + 1):
        now = START + second * SECOND
        for each in trades:
            if each.ts == now:
                out += bars.add(each)
        if second in quiet or second == (PERIODS + 1) * 60:
            out += bars.until(now)
    heard = [each for each in trades if each.ts >= START + first * SECOND]
    whole = bars.whole_from
    assert out == [bar for bar in candles(trades, 2**62) if whole is not None and bar.ts_open >= whole]
    assert whole is None or whole - heard[0].ts <= MINUTE


def test_a_broken_period_is_left_out() -> None:
    """A period in which trades were missed makes no bar."""
    bars = TradeBars(MINUTE)
    bars.add(trade(START - MINUTE, 0))
    bars.add(trade(START, 1))
    bars.broken(START + SECOND)
    bars.add(trade(START + 2 * SECOND, 2))
    assert bars.add(trade(START + MINUTE, 3)) == []
    assert [bar.ts_open for bar in bars.add(trade(START + 2 * MINUTE, 4))] == [START + MINUTE]
