"""The simulated exchange: OCO groups."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.market import BUY, SELL, Market
from tradingd.broker.models import maker_taker_fee
from tradingd.domain.enums import OrderType, TimeInForce
from tradingd.domain.events import BrokerReport, ReportKind
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.testing import at, make_bar, make_trade

EXIT = OrderTerms(oco="exit")
CANCELED = ReportKind.CANCELED


def exits(quantity: int = 10, *, stop: int = 10, target: int = 10, **options: Any) -> Market:
    """Ten shares with a target at 110 and a stop at 90 in one group."""
    market = Market({"USD": 10_000, "AAPL": quantity}, **options)
    market.flat(100)
    market.order(SELL, target, limit=110, terms=EXIT, order_id="target")
    market.order(SELL, stop, stop=90, terms=EXIT, order_id="stop")
    return market


@pytest.mark.parametrize(
    ("bar", "fills", "other"),
    [
        ((100, 111, 95, 100), [("target", "110")], "stop"),
        ((100, 105, 85, 100), [("stop", "90")], "target"),
        ((100, 115, 85, 100), [("stop", "90")], "target"),
        ((112, 115, 85, 100), [("target", "112")], "stop"),
    ],
)
def test_one_cancels_the_other(bar: tuple[float, ...], fills: list[tuple[str, str]], other: str) -> None:
    """The order of a group that fills cancels the other; of two that one bar touches, the stop is it."""
    market = exits()
    market.bar(*bar)
    assert market.fills == fills
    assert market.kinds(other) == ["ACCEPTED", "CANCELED"]
    assert market.reason(CANCELED) == "OCO"
    assert market.free("AAPL") == 0


def test_group_locks_once() -> None:
    """A group locks what its dearest order needs, not the sum: both exits of one position are accepted."""
    market = exits()
    assert market.free("AAPL") == 0
    assert market.kinds("stop") == ["ACCEPTED"]
    market = Market()
    market.flat(100)
    market.order(BUY, 50, limit=90, terms=EXIT)
    market.order(BUY, 40, stop=110, terms=EXIT)
    assert market.free() == 10_000 - 4_500
    market.order(BUY, 50, stop=110, terms=EXIT)
    assert market.free() == 10_000 - 5_500
    market.order(BUY, 200, limit=90, terms=EXIT)
    assert market.reason(ReportKind.REJECTED) == "INSUFFICIENT_FUNDS"
    assert market.free() == 10_000 - 5_500


def test_other_groups_and_symbols() -> None:
    """A group's name holds for one symbol; other names and symbols are other groups."""
    market = Market()
    for symbol, name in (("AAPL", "a"), ("AAPL", "b"), ("MSFT", "a")):
        market.flat(100, symbol)
        market.order(BUY, 1, limit=90, symbol=symbol, terms=OrderTerms(oco=name))
    market.flat(80)
    assert [market.kinds(order)[-1] for order in ("o1", "o2", "o3")] == ["TRADE", "TRADE", "ACCEPTED"]


def test_part_is_taken_from_the_other() -> None:
    """What fills of one order is taken from the other's quantity at once, and told."""
    market = exits(participation=Decimal("0.004"))
    market.bar(100, 111, 95, 100)
    assert [(trade.order_id, trade.quantity) for trade in market.trades] == [("target", 4)]
    change = market.log.last(BrokerReport)
    assert (change.order_id, change.kind, change.quantity) == ("stop", ReportKind.MODIFIED, 6)
    assert market.free("AAPL") == 0
    market.bar(100, 105, 85, 100)
    market.flat(85)
    assert [(trade.order_id, trade.quantity) for trade in market.trades] == [
        ("target", 4),
        ("stop", 4),
        ("stop", 2),
    ]
    assert market.kinds("target")[-1] == "CANCELED"


def test_smaller_target() -> None:
    """A target of half the position leaves the stop the other half."""
    market = exits(target=5)
    market.bar(100, 111, 95, 100)
    market.bar(100, 105, 85, 100)
    assert [(trade.order_id, trade.quantity) for trade in market.trades] == [("target", 5), ("stop", 5)]


@pytest.mark.parametrize("order", ["target", "stop"])
def test_cancel_of_one(order: str) -> None:
    """Whoever cancels one order of a group cancels all of it."""
    market = exits()
    market.broker.cancel_order(order)
    assert [market.kinds(each)[-1] for each in ("target", "stop")] == ["CANCELED", "CANCELED"]
    assert market.free("AAPL") == 10


def test_expiry_of_one() -> None:
    """The expiry of one order of a group cancels the other."""
    market = Market()
    market.holding(10)
    terms = OrderTerms(oco="exit", expire_ts=at(3))
    market.order(SELL, 10, limit=110, terms=terms, time_in_force=TimeInForce.GTD)
    market.order(SELL, 10, stop=90, terms=EXIT)
    market.see(make_trade(100, minute=4))
    assert market.kinds("o2")[-1] == "EXPIRED"
    assert market.kinds("o3")[-1] == "CANCELED"


def test_refused_member() -> None:
    """An order that is refused ends nothing of its group."""
    market = exits()
    market.order(SELL, 100, stop=80, terms=EXIT, order_id="more")
    assert market.kinds("more") == ["REJECTED"]
    market.bar(100, 111, 95, 100)
    assert market.fills == [("target", "110")]


def test_group_is_over() -> None:
    """The name of a group that is over can be used again."""
    market = exits()
    market.bar(100, 111, 95, 100)
    market.order(BUY, 1, limit=90, terms=EXIT, order_id="next")
    market.flat(85)
    assert market.fills[-1] == ("next", "85")


def test_change_in_a_group() -> None:
    """A changed order's group holds what it needs then; a refused change leaves all as it was."""
    market = Market()
    market.flat(100)
    market.order(BUY, 50, limit=90, terms=EXIT)
    market.order(BUY, 40, stop=110, terms=EXIT)
    market.broker.modify_order("o2", quantity=Decimal(60))
    assert market.free() == 10_000 - 6_600
    market.broker.modify_order("o1", quantity=Decimal(200))
    assert market.reason(ReportKind.MODIFY_REJECTED) == "INSUFFICIENT_FUNDS"
    assert market.free() == 10_000 - 6_600


prices = st.integers(80, 120)


@given(
    st.lists(st.tuples(st.sampled_from(OrderType), prices, st.integers(1, 10)), min_size=1, max_size=4),
    st.lists(st.lists(prices, min_size=4, max_size=4), min_size=1, max_size=6),
    st.integers(1, 30),
)
def test_group_never_fills_too_much(
    orders: list[tuple[OrderType, int, int]], bars: list[list[int]], thousandths: int
) -> None:
    """All orders of a group together fill no more than its greatest, whatever the bars and their volumes."""
    market = Market(
        {"USD": 100_000, "AAPL": 10},
        participation=Decimal(thousandths) / 1_000,
        fee_model=maker_taker_fee(Decimal(0), Decimal("0.001")),
    )
    market.flat(100)
    for kind, price, quantity in orders:
        fields: dict[str, Any] = {"order_type": kind}
        if kind.has_limit:
            fields["limit"] = price
        if kind.is_conditional:
            fields["stop"] = price
        trail = Trail(Decimal(3)) if kind is OrderType.TRAILING_STOP else None
        market.order(SELL, quantity, terms=OrderTerms(oco="exit", trail=trail), **fields)
    for minute, numbers in enumerate(bars, 1):
        low, open_, close, high = sorted(numbers)
        market.see(make_bar(close, open=open_, high=high, low=low, minute=minute))
        assert market.balance("AAPL") >= 0
        assert market.free("AAPL") >= 0
    assert sum(trade.quantity for trade in market.trades) <= max(quantity for *_, quantity in orders)
