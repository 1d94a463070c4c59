"""Matching: at what price an event fills an order."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.broker.matching import AWAKE, Match, Phase, match, seen_by
from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import Bar, Book, MarketEvent, Trade
from tradingd.testing import at, make_bar, make_quote, make_trade

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP
MAKER, TAKER = Liquidity.MAKER, Liquidity.TAKER


def bar(open: float = 100, high: float = 105, low: float = 95, close: float = 101) -> Bar:  # noqa: A002
    """A bar from 95 to 105."""
    return make_bar(close, open=open, high=high, low=low)


def book(bid: float | None, ask: float | None) -> Book:
    """A book of one level a side, or of none."""
    return Book(at(0), "AAPL", *(() if price is None else ((price, 1.0),) for price in (bid, ask)))


def matched(
    kind: OrderType, side: Side, level: float, event: MarketEvent, *, fresh: bool = False, touch: bool = False
) -> Match | None:
    """`match` for a resting order, unless told."""
    return match(kind, side, level, event, fresh=fresh, touch=touch)


@pytest.mark.parametrize("side", Side)
def test_market_order_in_a_bar(side: Side) -> None:
    """A market order takes the bar's open."""
    assert matched(MARKET, side, 0, bar(), fresh=True) == Match(Phase.OPEN, 100, TAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 103), (BUY, 105), (SELL, 97), (SELL, 95)])
def test_stop_inside_a_bar(side: Side, level: float) -> None:
    """A stop that the bar touches after its open fills at its level."""
    assert matched(STOP, side, level, bar()) == Match(Phase.STOP, level, TAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 99), (BUY, 100), (SELL, 101), (SELL, 100)])
def test_gap_through_a_stop(side: Side, level: float) -> None:
    """A stop that the open has reached or jumped over fills at the open."""
    assert matched(STOP, side, level, bar()) == Match(Phase.OPEN, 100, TAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 105.01), (SELL, 94.99)])
def test_stop_out_of_reach(side: Side, level: float) -> None:
    """A stop that the bar does not touch does not fill."""
    assert matched(STOP, side, level, bar()) is None


@pytest.mark.parametrize(("side", "level"), [(BUY, 95.01), (SELL, 104.99)])
def test_limit_traded_through(side: Side, level: float) -> None:
    """A resting limit order that the bar trades through makes liquidity at its limit."""
    assert matched(LIMIT, side, level, bar()) == Match(Phase.LIMIT, level, MAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 95), (SELL, 105)])
@pytest.mark.parametrize("touch", [False, True])
def test_limit_touched(side: Side, level: float, touch: bool) -> None:  # noqa: FBT001
    """A resting limit order that is merely touched fills only where touching is configured to suffice."""
    assert matched(LIMIT, side, level, bar(), touch=touch) == (Match(Phase.LIMIT, level, MAKER) if touch else None)


@pytest.mark.parametrize(("side", "level"), [(BUY, 102), (BUY, 100), (SELL, 98), (SELL, 100)])
def test_fresh_marketable_limit(side: Side, level: float) -> None:
    """A new limit order that is marketable at the open takes the open, which may improve its price."""
    assert matched(LIMIT, side, level, bar(), fresh=True) == Match(Phase.OPEN, 100, TAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 102), (SELL, 98)])
def test_resting_limit_gapped_through(side: Side, level: float) -> None:
    """A resting limit order that the open jumps over filled at the open, at its own limit."""
    assert matched(LIMIT, side, level, bar()) == Match(Phase.OPEN, level, MAKER)


@pytest.mark.parametrize(("side", "taken"), [(BUY, 101.0), (SELL, 99.0)])
@pytest.mark.parametrize("make", [make_quote, book])
def test_market_order_in_a_quote_or_book(side: Side, taken: float, make: type[Book]) -> None:
    """A buyer takes the ask and a seller the bid."""
    event: MarketEvent = make(99.0, 101.0)  # type: ignore[arg-type, call-arg]
    assert matched(MARKET, side, 0, event) == Match(Phase.OPEN, taken, TAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 101.0), (BUY, 102.0), (SELL, 99.0), (SELL, 98.0)])
def test_resting_limit_met_by_a_quote(side: Side, level: float) -> None:
    """A resting limit order fills at its limit when the other side of the quote has come to it."""
    assert matched(LIMIT, side, level, make_quote(99, 101)) == Match(Phase.LIMIT, level, MAKER)


@pytest.mark.parametrize(("side", "level", "taken"), [(BUY, 102.0, 101.0), (SELL, 98.0, 99.0)])
def test_fresh_limit_crosses_a_quote(side: Side, level: float, taken: float) -> None:
    """A new limit order that crosses the quote takes its price."""
    assert matched(LIMIT, side, level, make_quote(99, 101), fresh=True) == Match(Phase.OPEN, taken, TAKER)


@pytest.mark.parametrize(("side", "level"), [(BUY, 100.99), (SELL, 99.01)])
def test_limit_inside_the_spread(side: Side, level: float) -> None:
    """A limit order inside the spread rests."""
    assert matched(LIMIT, side, level, make_quote(99, 101), fresh=True) is None


@pytest.mark.parametrize(("side", "level", "taken"), [(BUY, 100.0, 101.0), (SELL, 100.0, 99.0)])
def test_stop_in_a_quote(side: Side, level: float, taken: float) -> None:
    """A stop that a quote has passed fills at the quote's price, not at its level."""
    assert matched(STOP, side, level, make_quote(99, 101)) == Match(Phase.STOP, taken, TAKER)


@pytest.mark.parametrize(
    ("kind", "side", "level", "expected"),
    [
        (MARKET, BUY, 0.0, Match(Phase.OPEN, 100, TAKER)),
        (STOP, BUY, 99.0, Match(Phase.STOP, 100, TAKER)),
        (STOP, SELL, 99.0, None),
        (LIMIT, BUY, 100.5, Match(Phase.LIMIT, 100.5, MAKER)),
        (LIMIT, BUY, 100.0, None),
        (LIMIT, SELL, 99.5, Match(Phase.LIMIT, 99.5, MAKER)),
    ],
)
def test_public_trade(kind: OrderType, side: Side, level: float, expected: Match | None) -> None:
    """A public trade matches by its own price, and a limit order only by a trade through it."""
    assert matched(kind, side, level, make_trade(100)) == expected


def test_public_trade_at_the_limit_where_touching_suffices() -> None:
    """A public trade at the limit fills a resting order where touching is configured to suffice."""
    assert matched(LIMIT, BUY, 100, make_trade(100), touch=True) == Match(Phase.LIMIT, 100, MAKER)


@pytest.mark.parametrize(("side", "event"), [(BUY, book(99, None)), (SELL, book(None, 101))])
@pytest.mark.parametrize("kind", OrderType)
def test_one_sided_book(side: Side, event: Book, kind: OrderType) -> None:
    """An empty side of a book fills nothing."""
    assert matched(kind, side, 100, event, fresh=True) is None


@pytest.mark.parametrize("price", [0.0, -1.0, nan, inf])
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", OrderType)
def test_price_that_is_none(price: float, side: Side, kind: OrderType) -> None:
    """A price that is not a positive finite number fills nothing, whatever event tells it."""
    events = (make_quote(price, price), make_trade(price), bar(price, price, price, price), book(price, price))
    assert [matched(kind, side, 100, event, fresh=True) for event in events] == [None] * 4


def test_event_seen_in_full() -> None:
    """An order that arrived by a bar's open knows all of the bar."""
    event = make_bar(minute=1)
    assert seen_by(event.ts_open, event, BUY) is event


def test_bar_that_was_being_made() -> None:
    """An order that arrived after a bar's open knows only its close."""
    seen = seen_by(at(0) + 1, make_bar(101, open=100, minute=0), BUY)
    assert isinstance(seen, Trade)
    assert (seen.ts, seen.price) == (at(1), 101)


def test_bar_that_had_closed() -> None:
    """An order that arrived at a bar's close knows nothing of it."""
    assert seen_by(at(1), make_bar(minute=0), BUY) is None


def test_event_of_the_time_before() -> None:
    """A trade or quote from before an order arrived, told late, is nothing that it can fill on; one of then is."""
    trade, quote = make_trade(100, minute=1), make_quote(99, 101, minute=1)
    assert [seen_by(at(1) + 1, event, BUY) for event in (trade, quote)] == [None, None]
    assert seen_by(at(1), trade, BUY) is trade


prices = st.integers(1, 400).map(lambda cents: cents / 4)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """A bar with its open and close inside its range."""
    low, open_, close, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    return bar(*draw(st.sampled_from([(open_, high, low, close), (close, high, low, open_)])))


@given(bars(), st.sampled_from(Side), st.sampled_from(OrderType), prices, st.booleans(), st.booleans())
def test_no_fill_is_better_than_it_could_be(
    event: Bar,
    side: Side,
    kind: OrderType,
    level: float,
    fresh: bool,  # noqa: FBT001
    touch: bool,  # noqa: FBT001
) -> None:
    """A fill is never better than the bar's range, never worse than a limit, never better than a stop's level."""
    found = matched(kind, side, level, event, fresh=fresh, touch=touch)
    if found is None or found is AWAKE:
        return
    paid = found.price * side.sign
    assert paid >= min(event.low * side.sign, event.high * side.sign)
    if kind is LIMIT:
        assert paid <= level * side.sign
    if kind is STOP:
        assert paid >= level * side.sign
