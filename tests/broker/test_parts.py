"""The simulated exchange: partial fills by what an event has to offer."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.market import BUY, SELL, Market
from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    ApprovedOrder,
    BrokerReport,
    MarketEvent,
    OrderUpdate,
    ReportKind,
    SubmitOrder,
    TradeReport,
)
from tradingd.domain.money import mul
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.execution.engine import ExecutionEngine
from tradingd.testing import EventLog, ManualClock, at, make_bar, make_quote, make_trade

IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
TENTH = Decimal("0.1")


def quantities(market: Market, order: str = "o1") -> list[Decimal]:
    """What an order filled, piece by piece."""
    return [trade.quantity for trade in market.trades if trade.order_id == order]


def shared(share: Decimal = TENTH, **options: Any) -> Market:
    """A market at 100, of which a tenth may be ours; bars have a volume of 1000."""
    market = Market({"USD": 1_000_000, "AAPL": 1_000}, participation=share, **options)
    market.flat(100)
    return market


def test_market_order_in_parts() -> None:
    """A market order takes its share of each bar's volume, at each bar's open, until it is filled."""
    market = shared()
    market.order(BUY, 250)
    for price in (100, 101, 102, 103):
        market.flat(price)
    assert quantities(market) == [100, 100, 50]
    assert [price for _, price in market.fills] == ["100", "101", "102"]
    assert market.kinds("o1") == ["ACCEPTED", "TRADE", "TRADE", "TRADE"]


def test_lock_of_the_rest() -> None:
    """What has filled is locked no more; the rest is."""
    market = shared()
    market.order(BUY, 250, limit=90)
    market.bar(95, 95, 85, 85)
    assert quantities(market) == [100]
    assert market.free() == 1_000_000 - 250 * 90


def test_woken_stop_works_on_as_a_market_order() -> None:
    """What a triggered stop did not get it takes at the next open, wherever that is."""
    market = shared()
    market.order(SELL, 150, stop=95)
    market.bar(100, 100, 94, 97)
    market.flat(99)
    assert [price for _, price in market.fills] == ["95", "99"]


def test_orders_share() -> None:
    """Orders share one event's volume in the order in which they fill."""
    market = shared()
    first = market.order(BUY, 70)
    second = market.order(BUY, 70)
    market.flat(100)
    assert (quantities(market, first), quantities(market, second)) == ([70], [30])


def test_better_price_first() -> None:
    """Of resting orders the better price gets its share first, whoever came first."""
    market = shared()
    low = market.order(BUY, 100, limit=90)
    high = market.order(BUY, 60, limit=95)
    market.bar(99, 99, 85, 86)
    assert (quantities(market, high), quantities(market, low)) == ([60], [40])


@pytest.mark.parametrize(
    ("event", "had"),
    [
        (make_trade(100, minute=2, amount=55), 5),
        (make_quote(99, 100, minute=2, size=120), 12),
        (make_bar(100, minute=2, volume=9), None),
        (make_bar(100, minute=2, volume=0), None),
        (make_bar(100, minute=2, volume=float("nan")), None),
    ],
)
def test_share_of_an_event(event: MarketEvent, had: int | None) -> None:
    """An order has its share of a trade's amount, of a quote's size or of a bar's volume, in whole lots."""
    market = shared()
    market.order(BUY, 20)
    market.see(event)
    assert quantities(market) == ([] if had is None else [had])


def test_each_side_of_a_quote_is_shared_alone() -> None:
    """Buyers share what is offered, sellers what is bid for."""
    market = shared()
    for side in Side:
        market.order(side, 20)
    market.see(make_quote(99, 101, minute=2, size=100))
    assert (quantities(market, "o1"), quantities(market, "o2")) == ([10], [10])


def test_volume_before_the_expiry() -> None:
    """Of a bar that spans an order's expiry, only the part of the volume up to it counts."""
    market = shared()
    market.order(BUY, 100, time_in_force=TimeInForce.GTD, terms=OrderTerms(expire_ts=at(1.25)))
    market.flat(100)
    assert quantities(market) == [25]
    assert market.kinds("o1") == ["ACCEPTED", "TRADE", "EXPIRED"]


def test_ioc_takes_what_there_is() -> None:
    """An IOC order takes what there is at once; the rest expires."""
    market = shared()
    market.order(BUY, 150, time_in_force=IOC)
    market.flat(100)
    assert market.kinds("o1") == ["ACCEPTED", "TRADE", "EXPIRED"]
    assert market.free() == 1_000_000 - 100 * 100


def test_fok_takes_all_or_nothing() -> None:
    """A FOK order for more than there is expires without a fill."""
    market = shared()
    market.order(BUY, 101, time_in_force=FOK)
    market.order(BUY, 100, time_in_force=FOK)
    market.flat(100)
    assert market.kinds("o1") == ["ACCEPTED", "EXPIRED"]
    assert market.kinds("o2") == ["ACCEPTED", "TRADE"]


def test_reduce_only_in_parts() -> None:
    """A reduce-only order fills in parts, and is over when there is nothing left to reduce."""
    market = Market(1_000_000, participation=TENTH)
    market.holding(60)
    market.order(SELL, 90, reduce_only=True, order_id="x")
    market.see(make_bar(100, minute=2, volume=400))
    assert market.kinds("x") == ["ACCEPTED", "TRADE"]
    market.see(make_bar(100, minute=3, volume=400))
    assert quantities(market, "x") == [40, 20]
    assert market.kinds("x")[-1] == "CANCELED"


def test_change_of_a_part_filled_order() -> None:
    """A change counts what has filled: the new quantity is the total, and cannot be below that."""
    market = shared()
    market.order(BUY, 250, limit=100)
    market.flat(100)
    market.broker.modify_order("o1", quantity=Decimal(100))
    assert market.reason(ReportKind.MODIFY_REJECTED) == "QUANTITY"
    market.broker.modify_order("o1", quantity=Decimal(120))
    assert market.free() == 1_000_000 - 120 * 100
    market.bar(99, 99, 98, 98)
    assert quantities(market) == [100, 20]


# --- what must hold of any orders and events -------------------------------------------------------------------

prices = st.integers(90, 110)
volumes = st.sampled_from([0.0, 3.0, 17.0, 40.0, 1_000.0])
KINDS, TIMES = st.sampled_from(OrderType), st.sampled_from(TimeInForce)
ORDERS = st.tuples(st.sampled_from(Side), KINDS, TIMES, prices, prices, st.integers(1, 30), st.integers(0, 3))
EVENTS = st.tuples(st.sampled_from(["bar", "quote", "trade"]), st.lists(prices, min_size=4, max_size=4), volumes)


def make_event(kind: str, numbers: list[int], volume: float, minute: int) -> MarketEvent:
    """An event of a minute from four numbers."""
    low, open_, close, high = sorted(numbers)
    if kind == "bar":
        return make_bar(close, open=open_, high=high, low=low, minute=minute, volume=volume)
    if kind == "quote":
        return make_quote(open_, open_ + 1, minute=minute + 1, size=volume)
    return make_trade(open_, minute=minute + 1, amount=volume)


def terms(kind: OrderType, time: TimeInForce, flavour: int) -> OrderTerms:
    """Terms that fit the order; its flavour makes it post-only or a member of a group."""
    return OrderTerms(
        post_only=flavour == 1 and kind.has_limit and time not in {IOC, FOK},
        oco="g" if flavour == 2 else "",
        trail=Trail(Decimal(2)) if kind is OrderType.TRAILING_STOP else None,
        expire_ts=at(6.5) if time is TimeInForce.GTD else 0,
    )


class Engine:
    """Execution in front of the exchange: it would tell of any report that contradicts the order's state."""

    def __init__(self, market: Market, clock: ManualClock) -> None:
        self.updates = EventLog()
        self.market = market
        self.engine = ExecutionEngine(emit=self.emit, clock=clock)
        self.sent = 0

    def emit(self, event: Any) -> None:
        """Pass commands on, and keep what is told."""
        if isinstance(event, SubmitOrder):
            self.market.broker.place_order(event)
        else:
            self.updates(event)

    def tell(self, event: Any) -> None:
        """Take what the exchange tells."""
        self.market.log(event)
        if isinstance(event, TradeReport):
            self.engine.on_trade_report(event)
        else:
            self.engine.on_broker_report(event)

    def place(
        self, side: Side, kind: OrderType, time: TimeInForce, price: int, other: int, size: int, flavour: int
    ) -> None:
        """Send an order."""
        self.sent += 1
        self.engine.place_order(
            ApprovedOrder(
                self.market.clock.now(),
                "s",
                f"s:{self.sent}",
                "AAPL",
                "SIM",
                side,
                Decimal(size),
                kind,
                Decimal(price) if kind.has_limit else None,
                Decimal(other) if kind.is_conditional else None,
                time,
                flavour == 3,
                terms=terms(kind, time, flavour),
            )
        )


@given(
    st.lists(ORDERS, min_size=1, max_size=8),
    st.lists(EVENTS, min_size=1, max_size=8),
    st.sampled_from([None, "0.1", "1"]),
)
def test_nothing_is_made_up(orders: list[Any], events: list[Any], share: str | None) -> None:
    """Fills exceed neither an order nor an event's share, no report contradicts, and nothing stays locked."""
    participation = None if share is None else Decimal(share)
    market = Market({"USD": 20_000, "AAPL": 100}, participation=participation)
    engine = Engine(market, market.clock)
    market.broker._desk.emit = engine.tell
    market.flat(100)
    for minute, (kind, numbers, volume) in enumerate(events, 1):
        for order in orders[minute - 1 :: len(events)]:
            engine.place(*order)
        before = len(market.trades)
        market.see(make_event(kind, numbers, volume, minute))
        if participation is not None:
            assert_within(
                market.trades[before:], mul(Decimal(int(volume)), participation), per_side=kind == "quote"
            )
    assert {order.status for order in engine.engine.orders.values()} <= {OrderStatus.OPEN}
    for order_id in tuple(engine.engine.orders):
        market.broker.cancel_order(order_id)
    assert not engine.engine.orders
    assert not market.broker.account.locks
    assert not [update for update in engine.updates.of(OrderUpdate) if "CONTRADICTION" in update.reason]
    assert not [update for update in engine.updates.of(OrderUpdate) if "OVERFILL" in update.reason]
    assert all(report.reason for report in market.log.of(BrokerReport) if report.kind is ReportKind.EXPIRED)


def assert_within(trades: list[TradeReport], most: Decimal, *, per_side: bool) -> None:
    """The trades of one event are no more than `most`, of each side where each has its own."""
    totals: dict[Any, Decimal] = defaultdict(Decimal)
    for trade in trades:
        totals[trade.side if per_side else None] += trade.quantity
    assert all(total <= most for total in totals.values())
