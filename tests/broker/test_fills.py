"""The simulated exchange: when and at what price orders fill."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.market import BUY, SELL, Market
from tradingd.broker.models import fixed_bps_slippage, maker_taker_fee
from tradingd.domain.enums import Liquidity, Side, TimeInForce
from tradingd.domain.events import Bar, Book, Fee, Trade, TradeReport
from tradingd.domain.money import is_multiple, to_decimal
from tradingd.domain.prices import PriceBoard
from tradingd.testing import at, make_bar, make_instrument, make_quote

IOC = TimeInForce.IOC
FEES = maker_taker_fee(Decimal("0.0002"), Decimal("0.0005"))


def test_next_bar() -> None:
    """A market order placed after a bar fills at the open of the next one, with that instant."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1)
    market.bar(101, 103, 99, 102)
    assert [(trade.ts, trade.price) for trade in market.trades] == [(at(1), 101)]


@pytest.mark.parametrize("prices", [{}, {"limit": 200}, {"stop": 50}])
def test_event_already_seen(prices: dict[str, int]) -> None:
    """An order does not fill on the event that the exchange has seen before it."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1, **prices)
    assert not market.trades


def test_other_symbol() -> None:
    """Another symbol's events fill nothing."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1)
    market.flat(50, "MSFT")
    assert not market.trades


def test_bar_of_the_same_instant() -> None:
    """An order that another symbol's bar led to does not fill inside the bar that closed at the same instant."""
    market = Market()
    market.flat(100)
    market.see(make_bar(50, symbol="MSFT", minute=1))
    market.order(BUY, 1)
    market.bar(90, 120, 80, 110)
    assert not market.trades
    market.flat(111)
    assert market.fills == [("o1", "111")]


def test_bar_that_was_being_made() -> None:
    """An order placed while a bar was being made fills at that bar's close, not at its earlier open."""
    market = Market()
    market.flat(100)
    market.clock.advance(30)
    market.order(BUY, 1)
    market.bar(90, 120, 80, 110)
    assert [(trade.ts, trade.price) for trade in market.trades] == [(at(2), 110)]


def test_limit_in_a_bar_that_was_being_made() -> None:
    """A limit order does not fill at a low that may have been made before it came."""
    market = Market()
    market.flat(100)
    market.clock.advance(30)
    market.order(BUY, 1, limit=85)
    market.bar(90, 120, 80, 110)
    assert not market.trades


@pytest.mark.parametrize(("side", "taken"), [(BUY, "101"), (SELL, "99")])
def test_quote(side: Side, taken: str) -> None:
    """A market order takes the quote's other side."""
    market = Market({"USD": 10_000, "AAPL": 5})
    market.see(make_quote(99, 101))
    market.order(side, 1)
    market.see(make_quote(99, 101, minute=1))
    assert market.fills == [("o1", taken)]


def test_empty_side() -> None:
    """A market order waits while the side of the book that it needs is empty."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1)
    market.see(Book(at(2), "AAPL", ((99.0, 1.0),), ()))
    assert not market.trades
    market.see(Book(at(3), "AAPL", (), ((102.0, 1.0),)))
    assert market.fills == [("o1", "102")]


def test_empty_book_is_no_price() -> None:
    """An order that meets an empty book is refused for want of a price, and harms nothing else."""
    market = Market()
    market.see(Book(at(0), "AAPL", (), ()))
    market.order(BUY, 1)
    assert market.kinds("o1") == ["REJECTED"]


@pytest.mark.parametrize(
    ("placed", "liquidity", "fee"),
    [
        ({}, Liquidity.TAKER, "0.0500"),
        ({"limit": 95}, Liquidity.MAKER, "0.0190"),
        ({"stop": 104}, Liquidity.TAKER, "0.0520"),
    ],
)
def test_fees(placed: dict[str, int], liquidity: Liquidity, fee: str) -> None:
    """A fee is exactly the maker's or taker's share of the notional."""
    market = Market(fee_model=FEES)
    market.flat(100)
    market.order(BUY, 1, **placed)
    market.bar(100, 105, 90, 101)
    assert [(trade.liquidity, trade.fees) for trade in market.trades] == [(liquidity, (Fee("USD", Decimal(fee)),))]


def test_rebate() -> None:
    """A negative maker fee is paid to the account."""
    market = Market(1_000, fee_model=maker_taker_fee(Decimal("-0.0001"), Decimal(0)))
    market.flat(100)
    market.order(BUY, 1, limit=95)
    market.bar(100, 100, 90, 90)
    assert market.balance() == Decimal("905.0095")


@pytest.mark.parametrize(("side", "price"), [(BUY, "100.03"), (SELL, "99.97")])
def test_slippage(side: Side, price: str) -> None:
    """A taker without a limit gets a price that is worse by the basis points, on the tick beyond."""
    market = Market({"USD": 10_000, "AAPL": 5}, slippage=fixed_bps_slippage(Decimal("2.1")))
    market.flat(100)
    market.order(side, 1)
    market.flat(100)
    assert market.fills == [("o1", price)]


@pytest.mark.parametrize(("side", "limit", "price"), [(BUY, 101, "100"), (BUY, 99, "99"), (SELL, 99, "100")])
def test_limit_orders_do_not_slip(side: Side, limit: int, price: str) -> None:
    """A limit order fills at the market's price or its own, without slippage."""
    market = Market({"USD": 10_000, "AAPL": 5}, slippage=fixed_bps_slippage(Decimal(50)))
    market.flat(100)
    market.order(side, 1, limit=limit)
    market.bar(100, 100, 98, 98)
    assert market.fills == [("o1", price)]


def test_sale_below_one_tick() -> None:
    """A market below one tick cannot give a price: the order is canceled, not filled for nothing."""
    market = Market({"USD": 10, "AAPL": 5})
    market.flat(1)
    market.order(SELL, 1)
    market.flat(0.004)
    assert market.kinds("o1") == ["ACCEPTED", "CANCELED"]


def test_stop_before_target() -> None:
    """Of a reduce-only stop and target that one bar touches, the stop fills and the target is canceled."""
    market = Market()
    market.holding(10)
    target = market.order(SELL, 10, limit=110, reduce_only=True)
    stop = market.order(SELL, 10, stop=90, reduce_only=True)
    market.bar(100, 115, 85, 100)
    assert market.fills == [(stop, "90")]
    assert market.kinds(target) == ["ACCEPTED", "CANCELED"]
    assert market.log.events[-1].reason.startswith("REDUCE_ONLY")


def test_target_that_the_open_jumped_over() -> None:
    """A target that the open has jumped over filled there, before the bar could come down to the stop."""
    market = Market()
    market.holding(10)
    stop = market.order(SELL, 10, stop=90, reduce_only=True)
    target = market.order(SELL, 10, limit=110, reduce_only=True)
    market.flat(100)
    market.bar(112, 115, 85, 100)
    assert market.fills == [(target, "110")]
    assert market.kinds(stop) == ["ACCEPTED", "CANCELED"]


def test_market_orders_come_first() -> None:
    """A market order fills before a stop inside the same bar."""
    market = Market()
    market.holding(10)
    stop = market.order(SELL, 5, stop=99)
    exit_ = market.order(SELL, 5)
    market.bar(100, 101, 98, 99)
    assert [order_id for order_id, _ in market.fills] == [exit_, stop]


def test_reduce_only_is_clamped() -> None:
    """A reduce-only order fills no more than there is to reduce; the rest is canceled."""
    market = Market()
    market.holding(3)
    order = market.order(SELL, 5, reduce_only=True)
    market.flat(100)
    assert [trade.quantity for trade in market.trades] == [3]
    assert market.kinds(order) == ["ACCEPTED", "TRADE", "CANCELED"]


def test_reduce_only_fills_whole_lots() -> None:
    """A reduce-only order does not fill the fraction of a lot that a fee in the base coin has left."""
    instruments = {"BTC/USD": make_instrument("BTC/USD", lot=Decimal("0.1"))}
    market = Market(instruments=instruments, fee_model=lambda *_: (Fee("BTC", Decimal("0.01")),))
    market.flat(100, "BTC/USD")
    market.order(BUY, 1, symbol="BTC/USD")
    market.flat(100, "BTC/USD")
    market.order(SELL, 1, symbol="BTC/USD", reduce_only=True)
    market.flat(100, "BTC/USD")
    assert [trade.quantity for trade in market.trades] == [1, Decimal("0.9")]


def test_reduce_only_leaves_what_is_locked() -> None:
    """A reduce-only order of a cash account sells nothing that another working order holds."""
    market = Market()
    market.holding(10)
    market.order(SELL, 8, limit=120)
    market.order(SELL, 10, stop=90, reduce_only=True)
    market.flat(90)
    assert [trade.quantity for trade in market.trades] == [2]
    assert market.free("AAPL") == 0


@pytest.mark.parametrize("prices", [{"limit": 99}, {"limit": 90}])
def test_ioc_expires(prices: dict[str, int]) -> None:
    """An IOC order that is not marketable at its first event expires, even if the bar trades through it later."""
    market = Market()
    market.flat(100)
    order = market.order(BUY, 1, time_in_force=IOC, **prices)
    market.bar(100, 101, 95, 100)
    assert market.kinds(order) == ["ACCEPTED", "EXPIRED"]
    assert market.free() == 10_000


def test_ioc_fills() -> None:
    """An IOC order that is marketable at its first event fills."""
    market = Market()
    market.flat(100)
    order = market.order(BUY, 1, limit=101, time_in_force=IOC)
    market.flat(100)
    assert market.kinds(order) == ["ACCEPTED", "TRADE"]


def test_ioc_market_order_without_a_market() -> None:
    """An IOC market order expires when nobody is there to take it."""
    market = Market()
    market.flat(100)
    order = market.order(BUY, 1, time_in_force=IOC)
    market.see(Book(at(2), "AAPL", ((99.0, 1.0),), ()))
    assert market.kinds(order) == ["ACCEPTED", "EXPIRED"]


def test_ioc_stop_waits_for_its_trigger() -> None:
    """An IOC stop order waits: its first opportunity is its trigger."""
    market = Market()
    market.flat(100)
    order = market.order(BUY, 1, stop=105, time_in_force=IOC)
    market.flat(100)
    market.flat(106)
    assert market.kinds(order) == ["ACCEPTED", "TRADE"]


def test_given_price_board_is_only_read() -> None:
    """A broker that is given a price board leaves writing it to the board's owner."""
    board = PriceBoard()
    market = Market(prices=board)
    market.flat(100)
    assert board.price("AAPL") is None


def test_cancel_from_within_a_fill() -> None:
    """An order that the report of an earlier fill leads to cancel does not fill in the same event."""
    market = Market()
    market.flat(100)
    first, second = market.order(BUY, 1), market.order(BUY, 1)

    def cancel_the_second(event: Any) -> None:
        market.log(event)
        if isinstance(event, TradeReport) and event.order_id == first:
            market.broker.cancel_order(second)

    market.broker._desk.emit = cancel_the_second
    market.flat(100)
    assert market.kinds(second) == ["ACCEPTED", "CANCELED"]


cents = st.integers(50, 20_000).map(lambda n: n / 100)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """A bar of the second minute."""
    low, open_, close, high = sorted(draw(st.lists(cents, min_size=4, max_size=4)))
    return make_bar(close, open=open_, high=high, low=low, minute=1)


@given(
    bars(),
    st.sampled_from(Side),
    st.sampled_from(["limit", "stop", None]),
    cents,
    st.integers(0, 500),
    st.sampled_from(["0.01", "0.25", "3"]),
)
def test_price_on_the_worse_tick(
    event: Bar, side: Side, kind: str | None, level: float, bps: int, tick: str
) -> None:
    """A fill is on the tick, never better than the bar's range, and never beyond its limit."""
    instruments = {"AAPL": make_instrument(tick=Decimal(tick))}
    market = Market(
        {"USD": 10_000_000, "AAPL": 5},
        instruments=instruments,
        slippage=fixed_bps_slippage(Decimal(bps)),
    )
    market.flat(100)
    price = to_decimal(tick) * max(1, int(level / float(tick)))
    market.order(side, 1, **({kind: price} if kind else {}))
    market.see(event)
    for trade in market.trades:
        assert is_multiple(trade.price, Decimal(tick))
        best = event.low if side is BUY else event.high
        assert float(trade.price) * side.sign >= best * side.sign
        if kind == "limit":
            assert trade.price * side.sign <= price * side.sign


@given(st.sampled_from(Side), st.decimals("0.0001", "10000", places=6), st.integers(0, 9_999))
def test_slippage_never_improves(side: Side, price: Decimal, bps: int) -> None:
    """Slippage and the tick never make a price better."""
    slipped = fixed_bps_slippage(Decimal(bps))(make_instrument(), side, price)
    assert slipped * side.sign >= price * side.sign


def test_trade_event_fills_at_its_price() -> None:
    """A market order fills at the next public trade's price."""
    market = Market()
    market.flat(100)
    market.order(BUY, 1)
    market.see(Trade(at(2), "AAPL", 100.5, 1.0, BUY))
    assert market.fills == [("o1", "100.5")]
