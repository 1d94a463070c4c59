"""Bars built from trades, quotes and smaller bars: what closes them, what is in them, what is refused."""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from math import fsum
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.aggregation import RULE_FORMS, HeikinAshi, Renko, TimeBars, parse_rule, period_start
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote, Trade
from tradingd.domain.times import format_time, parse_interval
from tradingd.errors import DataError, UsageError
from tradingd.testing import make_quote

S = 10**9
M = 60 * S
H = 60 * M
D = 24 * H
NOON = 1_577_880_000 * S
"""2020-01-01 12:00, a Wednesday."""


def trade(at: int, price: float = 100.0, amount: float = 1.0, side: Side = Side.BUY) -> Trade:
    """A trade `at` nanoseconds after noon."""
    return Trade(NOON + at, "X", price, amount, side)


def minute(number: int, close: float = 100.0, volume: float = 1.0, length: int = 1) -> Bar:
    """A bar that opens `number` minutes after noon, at its close, and reaches one up and one down."""
    opens = NOON + number * M
    return Bar(opens + length * M, "X", close, close + 1, close - 1, close, volume, opens)


def build(rule: str, events: Iterable[MarketEvent]) -> list[Bar]:
    """All bars that these events close."""
    aggregator = parse_rule(rule).make()
    return [bar for event in events for bar in aggregator.update(event)]


def spans(bars: Sequence[Bar]) -> list[tuple[float, float]]:
    """When bars open and close, in minutes after noon."""
    return [((bar.ts_open - NOON) / M, (bar.ts - NOON) / M) for bar in bars]


# --- time ---------------------------------------------------------------------------------------------------


def test_a_time_bar_sums_up_its_period() -> None:
    """Open of the first, extremes of all, close of the last, all volume, and the nominal times."""
    events = [trade(70 * S, 10.0, 1.0), trade(80 * S, 12.0, 2.0), trade(90 * S, 9.0, 4.0), trade(110 * S, 11.0)]
    (bar,) = build("1m", [*events, trade(125 * S)])
    assert bar == Bar(NOON + 2 * M, "X", 10.0, 12.0, 9.0, 11.0, 8.0, NOON + M)


def test_what_happens_at_a_close_belongs_to_the_next_bar() -> None:
    """A trade at exactly the close closes the bar and is not in it."""
    (bar,) = build("1m", [trade(0, 1.0), trade(M, 2.0)])
    assert (bar.close, bar.volume, bar.ts) == (1.0, 1.0, NOON + M)


def test_a_smaller_bar_closes_the_larger_one_it_ends_with() -> None:
    """From bars nothing has to be waited for: the larger bar is closed by its last part."""
    aggregator = TimeBars(5 * M)
    closed = [aggregator.update(minute(number, 100.0 + number)) for number in range(5)]
    assert closed[:4] == [(), (), (), ()]
    assert closed[4] == (Bar(NOON + 5 * M, "X", 100.0, 105.0, 99.0, 104.0, 5.0, NOON),)


def test_a_hole_delays_a_bar_and_leaves_empty_periods_out() -> None:
    """A bar whose end is missing is told with its nominal times once something later comes; none is made up."""
    aggregator = TimeBars(5 * M)
    assert [aggregator.update(minute(number)) for number in (0, 1, 2)] == [(), (), ()]
    late, whole = aggregator.update(minute(19))
    assert spans([late, whole]) == [(0, 5), (15, 20)]
    assert (late.volume, whole.volume) == (3.0, 1.0)


def test_an_unfinished_bar_is_not_told() -> None:
    """The data's end closes nothing."""
    assert build("5m", [minute(0), minute(1)]) == []


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        ("1m", "2020-01-01 12:34"), ("45m", "2020-01-01 12:00"), ("4h", "2020-01-01 12:00"),
        ("1d", "2020-01-01 00:00"), ("1w", "2019-12-30 00:00"), ("7d", "2019-12-30 00:00"),
    ],
)  # fmt: skip
def test_periods_begin_at_round_times(interval: str, start: str) -> None:
    """Lengths that divide a day begin at midnight UTC, weeks on Monday (12:34:56 on Wednesday 2020-01-01)."""
    ts = NOON + 34 * M + 56 * S
    assert format_time(period_start(ts, parse_interval(interval))) == f"{start}:00"


@settings(deadline=None, derandomize=True)
@given(st.integers(-(10**18), 4 * 10**18), st.sampled_from(["1s", "7m", "15m", "1h", "3d", "1w", "2w"]))
def test_periods_tile_time(ts: int, interval: str) -> None:
    """Every instant is in exactly one period, and its start is its own period's start."""
    length = parse_interval(interval)
    start = period_start(ts, length)
    assert start <= ts < start + length
    assert period_start(start, length) == start
    assert period_start(start - 1, length) == start - length


def test_a_bar_across_a_boundary_is_refused() -> None:
    """A smaller bar that is not contained in one larger bar would put later prices into it."""
    with pytest.raises(DataError, match=r"from 2020-01-01 12:04:00 to .* crosses 2020-01-01 12:05:00"):
        build("5m", [minute(number, length=2) for number in (0, 2, 4)])


def test_a_larger_bar_is_refused() -> None:
    """Hours cannot go into minutes."""
    with pytest.raises(DataError, match="build 5m from bars that fit into it"):
        build("5m", [minute(0, length=60)])


@pytest.mark.parametrize("rule", ["5m", "tick:3", "renko:5", "heikin-ashi"])
def test_overlapping_inputs_are_refused(rule: str) -> None:
    """An input that begins before the last one ended would count something twice."""
    with pytest.raises(DataError, match=r"must follow one another.*loaded twice"):
        build(rule, [minute(0), minute(1, length=2), minute(2)])


def test_quotes_make_bars_of_their_mid() -> None:
    """Bars from quotes have mid prices and no volume."""
    quotes = [make_quote(99.0, 101.0, minute=0), make_quote(100.0, 104.0, minute=0.1), make_quote(1, 2, minute=9)]
    (bar,) = build("5m", quotes)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (100.0, 102.0, 100.0, 102.0, 0.0)


# --- activity -------------------------------------------------------------------------------------------------


def test_tick_bars_count_trades() -> None:
    """Every third trade closes a bar, from the first trade's time to the third's."""
    bars = build("tick:3", [trade(number * S, 100.0 + number) for number in range(7)])
    assert [(bar.open, bar.close, bar.volume) for bar in bars] == [(100.0, 102.0, 3.0), (103.0, 105.0, 3.0)]
    assert (bars[1].ts_open, bars[1].ts) == (NOON + 3 * S, NOON + 5 * S)


def test_tick_bars_of_bars_count_bars() -> None:
    """Five minutes from five one-minute bars, wherever they begin."""
    bars = build("tick:5", [minute(number) for number in range(3, 14)])
    assert spans(bars) == [(3, 8), (8, 13)]


def test_a_trade_is_whole_in_one_bar() -> None:
    """A trade far beyond the threshold is one bar, and what it overshoots by is not carried over."""
    bars = build("volume:10", [trade(number, amount=amount) for number, amount in enumerate((6, 25, 9, 1))])
    assert [bar.volume for bar in bars] == [31, 10]


def test_a_threshold_is_reached_in_spite_of_rounding() -> None:
    """Ten trades of 0.1 are one volume bar of 1, though floats add them up to a little less."""
    assert reduce(add, [0.1] * 10) < 1
    assert len(build("volume:1", [trade(number, amount=0.1) for number in range(10)])) == 1


def test_value_bars_count_price_times_amount() -> None:
    """A bar closes when what was paid reaches the threshold; of a bar the middle of its range is taken."""
    assert [bar.volume for bar in build("value:1000", [trade(0, 300, 2), trade(1, 400, 1), trade(2, 999)])] == [3]
    assert len(build("value:1000", [minute(0, 100, 4), minute(1, 100, 6)])) == 1


@pytest.mark.parametrize(
    ("rule", "amounts", "closed"),
    [
        ("tick-imbalance:2", [1, -1, 1, 1], [4]),
        ("tick-imbalance:2", [-5, -5, 1], [10]),
        ("volume-imbalance:10", [6, -3, 6, 2, -11], [17, 11]),
        ("value-imbalance:1000", [6, -3, 6, 2, -11], [17, 11]),
    ],
)
def test_imbalance_bars_close_on_one_sided_trading(rule: str, amounts: list[float], closed: list[float]) -> None:
    """Buying minus selling, in trades, volume or value, closes a bar when it is far enough from 0 either way."""
    sides = {True: Side.BUY, False: Side.SELL}
    bars = build(rule, [trade(at, 100.0, abs(size), sides[size > 0]) for at, size in enumerate(amounts)])
    assert [bar.volume for bar in bars] == closed


@pytest.mark.parametrize(
    ("rule", "event"),
    [
        ("volume-imbalance:1", minute(0)), ("volume:1", make_quote(1, 2)), ("value:1", make_quote(1, 2)),
        ("heikin-ashi", trade(0)), ("heikin-ashi:1m", None),
    ],
)  # fmt: skip
def test_an_input_that_does_not_tell_what_is_counted_is_refused(rule: str, event: MarketEvent | None) -> None:
    """Bars have no side, quotes no volume; nothing is guessed."""
    with pytest.raises(UsageError, match="cannot go into"):
        build(rule, [event or Book(NOON, "X", (), ())])


# --- shapes ---------------------------------------------------------------------------------------------------


def test_heikin_ashi() -> None:
    """Close is the mean of the bar's prices, open the middle of the last drawn body; extremes enclose both."""
    bars = [
        Bar(NOON + M, "X", 10.0, 12.0, 8.0, 11.0, 5.0, NOON),
        Bar(NOON + 2 * M, "X", 11.0, 16.0, 11.0, 14.0, 6.0, NOON + M),
    ]
    assert build("heikin-ashi", bars) == [
        Bar(NOON + M, "X", 10.5, 12.0, 8.0, 10.25, 5.0, NOON),
        Bar(NOON + 2 * M, "X", 10.375, 16.0, 10.375, 13.0, 6.0, NOON + M),
    ]


def test_heikin_ashi_of_built_bars() -> None:
    """`heikin-ashi:5m` draws what `5m` closes."""
    events = [trade(second * S, 100.0 + second % 7) for second in range(0, 1_000, 11)]
    aggregator = HeikinAshi()
    assert build("heikin-ashi:5m", events) == [
        drawn for bar in build("5m", events) for drawn in aggregator.update(bar)
    ]


def bricks(rule: str, *prices: float) -> list[tuple[float, float]]:
    """The (open, close) of the bricks that these prices make."""
    return [(bar.open, bar.close) for bar in build(rule, [trade(at, price) for at, price in enumerate(prices)])]


def test_renko_bricks_follow_the_price() -> None:
    """A brick for each whole step, several for a large one, and none for less."""
    assert bricks("renko:5", 100, 104.9, 105, 109, 121) == [(100, 105), (105, 110), (110, 115), (115, 120)]


def test_renko_reverses_by_two_bricks() -> None:
    """After a brick up, a brick down needs the price one whole brick below the last one's open."""
    assert bricks("renko:5", 100, 105, 100.1, 95.1) == [(100, 105)]
    assert bricks("renko:5", 100, 105, 95) == [(100, 105), (100, 95)]
    assert bricks("renko:5", 100, 95, 105) == [(100, 95), (100, 105)]


def test_renko_edges_are_multiples_of_the_brick() -> None:
    """The count begins at the multiple nearest to the first price; three bricks of 0.1 are exactly 0.3."""
    assert bricks("renko:5", 102.6, 110) == [(105, 110)]
    assert bricks("renko:0.1", 0.2, 0.3, 0.6000000000000001) == [(0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6)]


def test_renko_volume_goes_to_the_first_brick_of_a_move() -> None:
    """All volume since the last brick is in the first of the next, which spans that time."""
    bars = build("renko:5", [trade(0, 100), trade(1 * M, 103), trade(2 * M, 110), trade(3 * M, 115)])
    assert [bar.volume for bar in bars] == [3, 0, 1]
    assert spans(bars) == [(0, 2), (2, 2), (3, 3)]


def test_renko_takes_closes_of_bars() -> None:
    """What a bar reached in between is left out: its order is not known."""
    assert build("renko:1", [minute(0, 100.0), minute(1, 100.5)]) == []


def test_a_brick_that_is_far_too_small_is_refused() -> None:
    """A move that would make tens of thousands of bricks is told, not made."""
    with pytest.raises(DataError, match=r"one move makes 100000 bricks of 0\.001"):
        build("renko:0.001", [trade(0, 100), trade(1, 200)])


# --- the text form ----------------------------------------------------------------------------------------------


def test_every_rule_that_is_offered_is_one() -> None:
    """The examples in the message about wrong rules are right ones, and print as they are written."""
    for form in RULE_FORMS.split(", "):
        assert str(parse_rule(form).make()) == form
    assert str(parse_rule(" 15M ").make()) == "15m"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no rule for bars; use 15m"),
        ("15", "is no rule for bars; use 15m"),
        ("0m", "is no rule for bars; use 15m"),
        ("renko", "is no rule for bars; use 15m"),
        ("ticks:5", "is no rule for bars; use 15m"),
        ("tick:0", "'0' is no whole number above 0"),
        ("tick:1.5", "'1.5' is no whole number above 0"),
        ("volume:-1", "'-1' is no number above 0"),
        ("volume:nan", "'nan' is no number above 0"),
        ("value:1e400", "'1e400' is no number above 0"),
        ("renko:0.0", "'0.0' is no number above 0"),
        ("1000w", "no bar is longer than ten years"),
        ("heikin-ashi:", "is no rule for bars"),
        ("heikin-ashi:heikin-ashi:1h", "redrawn once"),
    ],
)
def test_nonsense_is_refused(text: str, message: str) -> None:
    """What is no rule is refused with what one looks like."""
    with pytest.raises(UsageError, match=message):
        parse_rule(text)


@pytest.mark.parametrize(
    ("rule", "smaller", "refusal"),
    [
        ("15m", "1m", ""),
        ("1w", "1d", ""),
        ("tick:3", "1d", ""),
        ("7m", "2m", "7m cannot be built from bars of 2m: it is no whole number of 2m"),
        ("heikin-ashi:1m", "1h", "heikin-ashi:1m cannot be built from bars of 1h: it is no whole number of 1h"),
    ],
)
def test_a_rule_tells_what_lengths_it_can_be_built_from(rule: str, smaller: str, refusal: str) -> None:
    """Before any data is seen a rule says whether bars of some length fit into its own."""
    assert parse_rule(rule).refusal(parse_interval(smaller)) == refusal


# --- whatever the data -----------------------------------------------------------------------------------------

PRICES = st.integers(1, 400).map(lambda eighths: eighths / 8)
STEPS = st.one_of(st.integers(0, 40), st.integers(0, 4_000))
"""Seconds from one trade to the next, with holes."""


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    """Trades with holes between them; their sums are exact in floats."""
    rows = draw(st.lists(st.tuples(STEPS, PRICES, st.integers(0, 64), st.sampled_from(list(Side))), max_size=80))
    found, at = [], 0
    for step, price, amount, side in rows:
        at += step * S
        found.append(trade(at, price, amount / 8, side))
    return found


@st.composite
def minutes(draw: st.DrawFn) -> list[Bar]:
    """One-minute bars with holes between them."""
    rows = draw(
        st.lists(st.tuples(st.one_of(st.just(0), st.integers(0, 90)), PRICES, PRICES, PRICES), max_size=80)
    )
    found, at = [], 0
    for hole, first, last, other in rows:
        at += hole
        extremes = (first, last, other)
        opens = NOON + at * M
        found.append(Bar(opens + M, "X", first, max(extremes), min(extremes), last, other, opens))
        at += 1
    return found


def batch(interval: int, inputs: Sequence[Bar | Trade]) -> list[Bar]:
    """The plain definition of time bars: group by period, sum each group up."""
    groups: dict[int, list[Bar]] = {}
    for event in inputs:
        bar = as_bar(event)
        groups.setdefault(bar.ts_open // interval * interval, []).append(bar)
    return [sum_up(group, start, start + interval) for start, group in sorted(groups.items())]


def as_bar(event: Bar | Trade | Quote) -> Bar:
    """A tick as a bar that closes when it opens."""
    if isinstance(event, Bar):
        return event
    amount = event.amount if isinstance(event, Trade) else 0.0
    return Bar(event.ts, event.symbol, event.price, event.price, event.price, event.price, amount, event.ts)


def sum_up(group: Sequence[Bar], start: int, end: int) -> Bar:
    """The bar that these make up."""
    high, low = max(bar.high for bar in group), min(bar.low for bar in group)
    volume = sum(bar.volume for bar in group)
    return Bar(end, group[0].symbol, group[0].open, high, low, group[-1].close, volume, start)


@settings(deadline=None, derandomize=True)
@given(st.one_of(trades(), minutes()), st.sampled_from(["1m", "5m", "7m", "1h", "1d"]))
def test_time_bars_are_those_of_a_batch(events: list[Bar | Trade], rule: str) -> None:
    """After each event the bars told are those a batch makes of all events so far, but for the unfinished one."""
    interval = parse_interval(rule)
    aggregator = TimeBars(interval)
    told: list[Bar] = []
    for number, event in enumerate(events, 1):
        told += aggregator.update(event)
        known = as_bar(event)
        finished = [bar for bar in batch(interval, events[:number]) if bar.ts <= known.ts]
        assert told == finished


ACTIVITY = ["tick:3", "volume:10", "value:100", "tick-imbalance:3", "volume-imbalance:10", "value-imbalance:100"]


@settings(deadline=None, derandomize=True)
@given(trades(), st.sampled_from([*ACTIVITY, "1m", "1h", "renko:2", "heikin-ashi:5m"]))
def test_no_volume_is_lost_or_counted_twice(events: list[Trade], rule: str) -> None:
    """The bars' volumes add up to those of the trades up to the last close, exactly."""
    bars = build(rule, events)
    if bars:
        last = bars[-1].ts
        timed = parse_rule(rule).interval_ns > 0
        counted = [each.amount for each in events if each.ts < last or (not timed and each.ts == last)]
        ties = [each.amount for each in events if each.ts == last]
        total = fsum(bar.volume for bar in bars)
        # Trades of the very instant at which an activity bar closed may belong to the next one.
        assert fsum(counted) - fsum(ties) * (not timed) <= total <= fsum(counted)


@settings(deadline=None, derandomize=True)
@given(trades(), st.sampled_from(ACTIVITY))
def test_activity_bars_partition_the_trades(events: list[Trade], rule: str) -> None:
    """Each bar is the plain sum of the trades from the last close to the one that closed it."""
    aggregator = parse_rule(rule).make()
    since: list[Bar] = []
    for event in events:
        since.append(as_bar(event))
        for bar in aggregator.update(event):
            assert bar == sum_up(since, since[0].ts, event.ts)
            since = []


@settings(deadline=None, derandomize=True)
@given(st.one_of(trades(), minutes()), st.sampled_from([0.5, 1, 2, 7]))
def test_renko_bricks_join_on(events: list[Bar | Trade], brick: float) -> None:
    """A brick begins where the last one ended, or turns back at its open; the price is never a brick beyond."""
    aggregator = Renko(brick)
    told: list[Bar] = []
    for event in events:
        new = aggregator.update(event)
        told += new
        if told:
            up = told[-1].close > told[-1].open
            top, bottom = told[-1].high, told[-1].low
            assert bottom - brick < event.price < top + brick
            assert not new or (event.price >= top if up else event.price <= bottom)
    for before, after in pairwise(told):
        same_way = (before.close > before.open) == (after.close > after.open)
        assert after.open == (before.close if same_way else before.open)
    assert all(abs(bar.close - bar.open) == brick for bar in told)
