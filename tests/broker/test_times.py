"""The simulated exchange: times in force, and post-only orders."""

from decimal import Decimal
from typing import Any

import pytest

from tests.broker.market import BUY, SELL, Market
from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import Bar, Book, MarketEvent, ReportKind
from tradingd.domain.terms import OrderTerms
from tradingd.testing import at, make_bar, make_quote, make_trade

DAY, GTD, FOK = TimeInForce.DAY, TimeInForce.GTD, TimeInForce.FOK
NS_DAY = 86_400_000_000_000
MIDNIGHT = at(0) // NS_DAY * NS_DAY + NS_DAY
"""The end of the day in which the tests' clock begins (a Tuesday, 22:13)."""
POST_ONLY = OrderTerms(post_only=True)


def gtd(minutes: float) -> dict[str, Any]:
    """An order that works until so many minutes."""
    return {"time_in_force": GTD, "terms": OrderTerms(expire_ts=at(minutes))}


def day_bar(day: int, low: float = 95, symbol: str = "AAPL") -> Bar:
    """A daily bar from 100 over `low` back to 100, `day` days after the tests' first midnight."""
    begin = MIDNIGHT + day * NS_DAY
    return Bar(begin + NS_DAY, symbol, 100.0, 101.0, low, 100.0, 1_000.0, begin)


def test_day_order_works_through_its_day() -> None:
    """A DAY order fills inside the daily bar of its day."""
    market = Market()
    market.flat(100)
    market.clock.advance_to(MIDNIGHT)
    market.order(BUY, 1, limit=96, time_in_force=DAY)
    market.see(day_bar(0))
    assert market.kinds("o1") == ["ACCEPTED", "TRADE"]


def test_day_order_expires() -> None:
    """A DAY order that did not fill on its day is over before the next day's prices."""
    market = Market()
    market.flat(100)
    market.clock.advance_to(MIDNIGHT)
    market.order(BUY, 1, limit=96, time_in_force=DAY)
    market.see(day_bar(0, low=97))
    assert market.kinds("o1") == ["ACCEPTED"]
    market.see(day_bar(1, low=90))
    assert market.kinds("o1") == ["ACCEPTED", "EXPIRED"]
    assert market.reason(ReportKind.EXPIRED) == "DAY"
    assert market.free() == 10_000


def test_day_order_over_a_weekend() -> None:
    """A DAY order's day is that of the first event it meets, not the one it was sent on."""
    market = Market()
    market.see(day_bar(0))
    market.order(BUY, 1, limit=96, time_in_force=DAY)
    market.see(day_bar(3))
    assert market.kinds("o1") == ["ACCEPTED", "TRADE"]


def test_day_of_a_bar_that_ends_at_midnight() -> None:
    """A DAY order that meets only the close of the day's last bar ends with that day."""
    market = Market()
    market.flat(100)
    begin = MIDNIGHT - 60_000_000_000
    market.clock.advance_to(begin + 1)
    market.order(BUY, 1, limit=96, time_in_force=DAY)
    market.see(Bar(MIDNIGHT, "AAPL", 100.0, 100.0, 100.0, 100.0, 1.0, begin))
    market.see(Bar(MIDNIGHT + NS_DAY, "AAPL", 90.0, 90.0, 90.0, 90.0, 1.0, MIDNIGHT))
    assert market.kinds("o1") == ["ACCEPTED", "EXPIRED"]


@pytest.mark.parametrize("event", [make_trade(90, minute=5), make_quote(90, 90.5, minute=5)])
def test_gtd_ends_before_its_moment(event: MarketEvent) -> None:
    """What happens at the very moment of its expiry comes too late for a GTD order."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, limit=95, **gtd(5))
    market.see(event)
    assert market.kinds("o1") == ["ACCEPTED", "EXPIRED"]
    assert market.reason(ReportKind.EXPIRED) == "GTD"


def test_gtd_until_its_moment() -> None:
    """A bar that closes at the moment of expiry is still all before it."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, limit=95, **gtd(2))
    market.bar(100, 100, 90, 99)
    assert market.kinds("o1") == ["ACCEPTED", "TRADE"]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({"limit": 95}, ["ACCEPTED", "EXPIRED"]),
        ({"limit": 100}, ["ACCEPTED", "TRADE"]),
        ({"stop": 101}, ["ACCEPTED", "EXPIRED"]),
        ({"stop": 100}, ["ACCEPTED", "TRADE"]),
        ({}, ["ACCEPTED", "TRADE"]),
    ],
)
def test_bar_that_spans_the_expiry(prices: dict[str, int], told: list[str]) -> None:
    """Of a bar that ends after an order expired only the open provably came before."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, **prices, **gtd(1.5))
    market.bar(100, 110, 90, 100)
    assert market.kinds("o1") == told


def test_expired_by_another_symbol() -> None:
    """Without bars an order expires with the first later event, of whatever symbol."""
    market = Market()
    market.see(make_quote(99, 101))
    market.order(BUY, 1, limit=95, **gtd(5))
    market.see(make_quote(9, 10, symbol="MSFT", minute=5))
    assert market.kinds("o1") == ["ACCEPTED"]
    market.see(make_quote(9, 10, symbol="MSFT", minute=6))
    assert market.kinds("o1") == ["ACCEPTED", "EXPIRED"]
    assert not market.broker._desk.by_symbol


def test_bars_of_another_symbol_expire_nothing() -> None:
    """With bars an order waits for its own symbol's: that one may have opened before the expiry."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, limit=101, **gtd(3))
    market.see(make_bar(10, symbol="MSFT", minute=4))
    market.see(make_bar(100, minute=1, interval_minutes=10))
    assert market.kinds("o1") == ["ACCEPTED", "TRADE"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"time_in_force": GTD}, "WRONG_TERMS"),
        (gtd(1), "WRONG_TERMS"),
        ({"terms": OrderTerms(expire_ts=at(9))}, "WRONG_TERMS"),
        ({"terms": POST_ONLY}, "POST_ONLY"),
        ({"limit": 90, "terms": POST_ONLY, "time_in_force": TimeInForce.IOC}, "POST_ONLY"),
        ({"limit": 90, "terms": POST_ONLY, "time_in_force": FOK}, "POST_ONLY"),
        ({"stop": 110, "terms": POST_ONLY}, "POST_ONLY"),
    ],
)
def test_contradicting_terms(fields: dict[str, Any], code: str) -> None:
    """Terms that contradict one another, or the clock, are refused."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, **fields)
    assert market.reason(ReportKind.REJECTED) == code


def test_fok_without_a_bound() -> None:
    """A FOK order fills in full when its first event lets it take, else it expires."""
    market = Market()
    market.flat(100)
    market.order(BUY, 3, limit=100, time_in_force=FOK)
    market.order(BUY, 3, limit=99, time_in_force=FOK)
    market.bar(100, 100, 98, 100)
    assert market.kinds("o1") == ["ACCEPTED", "TRADE"]
    assert market.kinds("o2") == ["ACCEPTED", "EXPIRED"]


def test_fok_of_more_than_can_be_reduced() -> None:
    """A reduce-only FOK order of more than the position expires: it cannot fill in full."""
    market = Market()
    market.holding(3)
    market.order(SELL, 5, reduce_only=True, time_in_force=FOK)
    market.flat(100)
    assert not market.trades


@pytest.mark.parametrize("side", Side)
def test_post_only_that_would_take(side: Side) -> None:
    """Where a quote tells that a post-only order would take at once, it is rejected."""
    market = Market({"USD": 10_000, "AAPL": 9})
    market.see(make_quote(99, 101))
    market.order(side, 1, limit=101 if side is BUY else 99, terms=POST_ONLY)
    assert market.reason(ReportKind.REJECTED) == "POST_ONLY"
    market.order(side, 1, limit=100, terms=POST_ONLY)
    assert market.kinds("o2") == ["ACCEPTED"]


def test_post_only_and_a_book() -> None:
    """The latest book decides, also where the latest event is a trade."""
    market = Market()
    market.see(Book(at(0), "AAPL", ((99.0, 1.0),), ((101.0, 1.0),)))
    market.see(make_trade(100, minute=1))
    market.order(BUY, 1, limit=101, terms=POST_ONLY)
    assert market.reason(ReportKind.REJECTED) == "POST_ONLY"


@pytest.mark.parametrize(("limit", "told"), [(100, "CANCELED"), (99, "TRADE")])
def test_post_only_in_bars(limit: int, told: str) -> None:
    """On bars the first open tells whether a post-only order would take: it is canceled then, else it rests."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, limit=limit, terms=POST_ONLY)
    market.bar(100, 100, 90, 95)
    assert market.kinds("o1") == ["ACCEPTED", told]


def test_post_only_woken() -> None:
    """A post-only stop-limit order that its trigger would let take is canceled."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, order_type=OrderType.STOP_LIMIT, stop=105, limit=106, terms=POST_ONLY)
    market.bar(100, 106, 99, 105)
    assert market.reason(ReportKind.CANCELED) == "POST_ONLY"


def test_post_only_changed_across_the_market() -> None:
    """A post-only order cannot be changed to a price at which it would take."""
    market = Market()
    market.see(make_quote(99, 101))
    market.order(BUY, 1, limit=98, terms=POST_ONLY)
    market.broker.modify_order("o1", limit_price=Decimal(101))
    assert market.reason(ReportKind.MODIFY_REJECTED) == "POST_ONLY"
