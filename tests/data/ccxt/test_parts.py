"""The pure parts of the live feed: conversion, liveness, books, conflation, dialling."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.data.ccxt.books import BookKeeper
from tradingd.data.ccxt.conflation import Outbox
from tradingd.data.ccxt.convert import Refusal, Stamp, bar_of, book_of, mark_of, quote_of, time_of, trade_of
from tradingd.data.ccxt.dialing import Dialer
from tradingd.data.ccxt.liveness import Liveness, ResetPolicy, Silence
from tradingd.data.rules import row_fault
from tradingd.data.series import SeriesKind
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, Book, Quote, Trade
from tradingd.testing import make_bar, make_quote, make_trade

MS = 1_000_000
NOW = 1_700_000_040_000 * MS
MINUTE = 60_000 * MS

numbers = st.one_of(
    st.floats(), st.integers(-5, 10**6), st.none(), st.sampled_from(["1.5", "0", "-1", "NaN", "Infinity", "x", ""])
)
junk = st.recursive(
    numbers | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def jitter() -> Random:
    """A seeded generator."""
    return Random(1)  # noqa: S311 - jitter


# --- conversion --------------------------------------------------------------------------------------------------


@given(
    raw=junk
    | st.fixed_dictionaries({"price": numbers, "amount": numbers, "side": st.sampled_from(["buy", "sell", None])})
)
def test_a_trade_is_sound_or_refused(raw: Any) -> None:
    """Whatever a venue sends becomes a trade that the catalog's rules pass, or a reason."""
    made = trade_of(raw, "X", "X", NOW)
    if isinstance(made, Trade):
        assert not row_fault(
            SeriesKind.TRADES, (made.price, made.amount), (made.side.lower(),), allow_negative=False
        )
    else:
        assert isinstance(made, Refusal)


@given(
    raw=junk | st.fixed_dictionaries({"bid": numbers, "ask": numbers, "bidVolume": numbers, "askVolume": numbers})
)
def test_a_quote_is_sound_or_refused(raw: Any) -> None:
    """Whatever a venue sends becomes a quote that the catalog's rules pass, or a reason."""
    made = quote_of(raw, "X", NOW)
    if isinstance(made, Quote):
        values = (made.bid, made.ask, made.bid_size, made.ask_size)
        assert not row_fault(SeriesKind.QUOTES, values, (), allow_negative=False)
    else:
        assert isinstance(made, Refusal)


@given(row=junk | st.lists(numbers, min_size=6, max_size=7))
def test_a_candle_is_sound_or_refused(row: Any) -> None:
    """Whatever a venue sends becomes a bar that the catalog's rules pass, or a reason."""
    made = bar_of(row, "X", MINUTE)
    if isinstance(made, Bar):
        values = (made.open, made.high, made.low, made.close, made.volume)
        assert not row_fault(SeriesKind.BARS, values, (), allow_negative=False)
    else:
        assert isinstance(made, Refusal)


@given(
    bids=junk | st.lists(st.lists(numbers, min_size=2, max_size=3), max_size=4), asks=junk | st.just([[2.0, 1.0]])
)
def test_a_book_is_sound_or_refused(bids: Any, asks: Any) -> None:
    """Whatever a venue sends becomes a book in order and not crossed, or a reason."""
    made = book_of(bids, asks, "X", NOW, 3)
    if isinstance(made, Book):
        prices = [price for price, _ in reversed(made.bids)] + [price for price, _ in made.asks]
        assert prices == sorted(set(prices))
        assert all(price > 0 and size > 0 for price, size in (*made.bids, *made.asks))
    else:
        assert isinstance(made, Refusal)


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        ([[10, 1]], [[9, 1]], Refusal.CROSSED),
        ([[10, 1]], [[10, 1]], Refusal.CROSSED),
        ([], [], Refusal.EMPTY),
        ([[9, 1], [10, 1]], [], Refusal.INCONSISTENT),
        ([[0, 1]], [], Refusal.NOT_POSITIVE),
        ([[1, float("nan")]], [], Refusal.NOT_FINITE),
        (None, [[1, 1]], Refusal.SHAPE),
    ],
)
def test_why_a_book_is_refused(bids: Any, asks: Any, reason: Refusal) -> None:
    """Each kind of book that is none has its reason."""
    assert book_of(bids, asks, "X", NOW, 5) is reason


def test_another_symbols_trade_is_refused() -> None:
    """B15: what is told under another symbol is not taken for ours."""
    raw = {"symbol": "BTC/USDT:USDT", "price": "1", "amount": "1", "side": "buy"}
    assert trade_of(raw, "BTC/USDT", "BTC/USDT", NOW) is Refusal.SYMBOL


def test_negative_prices_where_they_are_declared() -> None:
    """A market that is declared to have negative prices may have them."""
    raw = {"price": -37.63, "amount": 1, "side": "sell", "id": 7}
    assert trade_of(raw, "CL", "CL", NOW) is Refusal.NOT_POSITIVE
    assert trade_of(raw, "CL", "CL", NOW, allow_negative=True) == Trade(NOW, "CL", -37.63, 1.0, Side.SELL, "7")


def test_one_side_of_a_book_is_a_book() -> None:
    """A book may lack a side; a quote may not."""
    assert book_of([[10, 1]], [], "X", NOW, 5) == Book(NOW, "X", ((10.0, 1.0),), ())
    assert quote_of({"bid": 10, "ask": None}, "X", NOW) is Refusal.EMPTY


def test_marks() -> None:
    """Mark prices and funding rates are kept as far as they are told."""
    made = mark_of({"markPrice": "101.5", "fundingRate": 0.0001, "fundingTimestamp": 1_700_000_000_000}, "X", NOW)
    assert not isinstance(made, Refusal)
    assert (made.mark, made.index, made.funding_rate) == (101.5, None, 0.0001)
    assert made.next_funding_ns == 1_700_000_000_000 * MS
    assert mark_of({"last": 1}, "X", NOW) is Refusal.EMPTY


@given(st.lists(st.one_of(st.none(), st.integers(-(10**7), 10**7), st.text(max_size=2)), max_size=30))
def test_times_are_monotone_whole_and_sane(shifts: list[Any]) -> None:
    """B18: whatever times a venue tells, an event's is a whole millisecond, near ours, and never goes back."""
    stamp, last = Stamp(), 0
    for index, shift in enumerate(shifts):
        now = NOW + index * MS + 12_345
        told = now // MS + shift if isinstance(shift, int) else shift
        ts = stamp(told, now)
        assert ts % MS == 0
        assert ts >= last
        assert abs(ts - now) <= 300_000 * MS + len(shifts) * MS
        last = ts


def test_no_time() -> None:
    """What is no number is no time."""
    assert [time_of(value) for value in (True, None, "x", [1], float("inf"))] == [None] * 5
    assert time_of("1700") == 1_700 * MS


# --- liveness ----------------------------------------------------------------------------------------------------


def test_silence_is_looked_at_and_then_stale() -> None:
    """A stream is looked at after ten seconds of silence, and stale after fifteen."""
    live = Liveness()
    live.opened(100.0)
    assert [live.judge(100.0 + seconds) for seconds in (9.9, 10.0, 14.9, 15.0)] == [
        Silence.FINE,
        Silence.LOOK,
        Silence.LOOK,
        Silence.STALE,
    ]
    live.heard(116.0)
    assert live.judge(117.0) is Silence.FINE


def test_an_expected_cadence_widens_the_limit() -> None:
    """Where something comes only once a minute, three minutes are the limit."""
    live = Liveness(cadence_s=60.0)
    live.opened(0.0)
    assert live.judge(179.0) is Silence.LOOK
    assert live.judge(180.0) is Silence.STALE


def test_a_quiet_market_is_given_more_time_and_a_busy_one_less() -> None:
    """Silence that REST knows to be quiet becomes usual, up to a minute; a market that speaks takes that back."""
    live = Liveness()
    live.opened(0.0)
    now = 0.0
    for _ in range(20):
        now += live.limit_s * 0.7
        live.looked(now, now, is_quiet=True)
        assert live.judge(now) is Silence.FINE
    assert live.limit_s == 180.0
    for _ in range(5):
        now += 0.1
        live.heard(now)
    assert live.limit_s == 15.0


def test_a_stream_that_missed_something_is_not_cleared_by_a_later_look() -> None:
    """Once REST told what the stream should have, only the stream itself can prove that it lives."""
    live = Liveness()
    live.opened(0.0)
    live.looked(10.0, 10.1, is_quiet=False)
    live.looked(12.0, 12.1, is_quiet=True)
    assert live.judge(15.0) is Silence.STALE
    live.heard(15.5)
    assert live.judge(16.0) is Silence.FINE


def test_silence_that_cannot_be_looked_at_is_given_more_time() -> None:
    """Where no look tells a quiet market from a dead stream, a stream that was stale may be silent for longer."""
    live, limits = Liveness(can_look=False), list[float]()
    for number in range(6):
        live.opened(float(number))
        limits.append(live.limit_s)
        live.gave_up()
    assert limits == [15.0, 30.0, 60.0, 120.0, 180.0, 180.0]
    blind = Liveness()
    blind.gave_up()
    blind.opened(0.0)
    assert blind.limit_s == 15.0


def test_a_look_that_the_stream_overtook_says_nothing() -> None:
    """What was asked before the stream spoke may well differ from what it says now."""
    live = Liveness()
    live.opened(0.0)
    live.heard(10.5)
    live.looked(10.0, 11.0, is_quiet=False)
    live.looked(21.0, 21.1, is_quiet=True)
    assert live.limit_s > 15.0


def test_resets_become_rare_until_the_stream_speaks() -> None:
    """A dead symbol closes the sockets of all at once, then after 15, 30, 60 s and so on."""
    policy, when = ResetPolicy(), list[int]()
    for second in range(400):
        if policy.claim(float(second)):
            when.append(second)
    assert when == [0, 15, 45, 105, 225]
    policy.spoke()
    assert policy.claim(400.0)


# --- books -------------------------------------------------------------------------------------------------------


def test_a_book_that_is_lost_is_told_once() -> None:
    """An empty book tells that the book is not known; a lost one that was not known tells nothing."""
    keeper = BookKeeper("X")
    assert keeper.lost(NOW) is None
    book = Book(NOW, "X", ((1.0, 1.0),), ())
    assert keeper.told(book) == book
    assert keeper.told(Refusal.CROSSED) is None
    assert keeper.lost(NOW + 5) == Book(NOW, "X", (), ())
    assert keeper.lost(NOW + 9) is None
    assert not keeper.is_known


# --- conflation --------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["trade", "bar", "quote A", "quote B", "book A", "take"]), max_size=60))
def test_only_quotes_and_books_are_replaced(moves: list[str]) -> None:
    """Trades and bars come out all and in order; of a symbol's quotes and books the latest, the rest counted."""
    box, kept, out, put, latest = Outbox(10), list[Any](), list[Any](), 0, dict[tuple[type, str], Any]()
    for index, move in enumerate(moves):
        event: Any
        if move == "take":
            event = box.take()
            if event is not None:
                out.append(event)
        elif move in {"trade", "bar"}:
            event = make_trade(float(index + 1)) if move == "trade" else make_bar(float(index + 1))
            kept.append(event)
            box.put(event)
        else:
            symbol = move[-1]
            event = make_quote(index + 1.0, index + 2.0, symbol=symbol)
            if move.startswith("book"):
                event = Book(index, symbol, ((1.0, 1.0),), ())
            latest[type(event), symbol] = event
            put += 1
            box.put_latest(event)
    while (event := box.take()) is not None:
        out.append(event)
    assert [event for event in out if isinstance(event, Trade | Bar)] == kept
    conflatable = [event for event in out if not isinstance(event, Trade | Bar)]
    assert len(conflatable) + sum(box.conflated.values()) == put
    assert {(type(event), event.symbol): event for event in conflatable} == latest


def test_full_and_room() -> None:
    """Only what is never dropped fills the line; there is room again when half of it is free."""
    box = Outbox(4)
    for number in range(10):
        box.put_latest(make_quote(1.0, 2.0, symbol=f"S{number}"))
    assert not box.is_full
    for _ in range(4):
        box.put(make_trade(1.0))
    assert box.is_full
    taken = 0
    while not box.has_room:
        box.take()
        taken += 1
    assert taken == 12


# --- dialling ----------------------------------------------------------------------------------------------------


def test_streams_start_one_after_another() -> None:
    """At the start each stream waits its turn."""
    dialer = Dialer(jitter(), stagger_s=0.1)
    assert [round(dialer.first(number, 0.0), 6) for number in range(4)] == [0.0, 0.1, 0.2, 0.3]


def test_backoff_grows_with_jitter_and_has_an_end() -> None:
    """Failures in a row double the delay up to half a minute, half of it at random; a venue's own wish counts."""
    dialer = Dialer(jitter(), per_minute=10_000)
    for failures in range(40):
        full = min(30.0, 0.25 * 2**failures)
        assert full / 2 <= dialer.again(failures, 0.0) <= full
    assert 77.1 < dialer.again(0, 0.0, retry_after_s=77.0) < 77.3
    assert len({dialer.again(3, 0.0) for _ in range(20)}) == 20


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.integers(1, 20))
def test_no_minute_has_more_dials_than_allowed(pauses: list[float], most: int) -> None:
    """However often streams fail, no span of a minute has more dials than the cap."""
    dialer, now, dials = Dialer(jitter(), per_minute=most), 0.0, list[float]()
    for pause in pauses:
        now += pause
        dials.append(now + dialer.again(0, now))
    dials.sort()
    for first, later in zip(dials, dials[most:], strict=False):
        assert later - first >= 60.0 - 1e-6 - 0.25
