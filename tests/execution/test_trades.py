"""The execution engine books each trade exactly once."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.execution.desk import Desk, K, S, approved, report, trade
from tradingd.domain.enums import Liquidity, OrderStatus, Side
from tradingd.domain.events import BrokerReport, Fee, Fill, OrderUpdate


def test_fill() -> None:
    """A trade becomes a fill with the order's strategy and intent, before the order's new state is told."""
    desk = Desk()
    fees = (Fee("BNB", Decimal("0.1")),)
    desk.trade("T1", 4, fees=fees, liquidity=Liquidity.MAKER)
    fill = desk.log.last(Fill)
    assert (fill.strategy_id, fill.intent_id, fill.order_id) == ("s", "s:1", desk.placed)
    assert (fill.quantity, fill.price, fill.fees, fill.liquidity) == (4, 100, fees, Liquidity.MAKER)
    assert [type(event) for event in desk.log.events] == [Fill, OrderUpdate]


def test_partial_fill() -> None:
    """A partly filled order is open with what is filled counted."""
    desk = Desk()
    desk.trade("T1", 4)
    told = desk.log.last(OrderUpdate)
    assert (told.status, told.filled, told.quantity) == (S.OPEN, 4, 10)


def test_completed() -> None:
    """An order is filled when its quantity is."""
    desk = Desk()
    desk.trade("T1", 4)
    desk.trade("T2", 6)
    assert desk.statuses == [S.OPEN, S.FILLED]
    assert not desk.engine.orders


def test_fill_before_the_acknowledgement() -> None:
    """A fill that comes before the acknowledgement is booked, and the late acknowledgement changes nothing."""
    desk = Desk()
    desk.trade("T1", 10)
    desk.tell(K.ACCEPTED)
    assert desk.statuses == [S.FILLED, S.FILLED]


def test_duplicate() -> None:
    """A trade that is told twice is booked once, and nothing is said of it again."""
    desk = Desk()
    desk.trade("T1", 4)
    desk.log.clear()
    desk.trade("T1", 4)
    assert not desk.log.events
    assert desk.order.filled == 4


def test_duplicate_after_the_end() -> None:
    """A trade that is told again after its order is over is not booked again."""
    desk = Desk()
    desk.trade("T1", 10)
    desk.trade("T1", 10)
    assert desk.fills == [("T1", 10)]


def test_duplicate_after_the_order_is_forgotten() -> None:
    """A trade that is told again when its order has been forgotten is not booked again as an external one."""
    desk = Desk(closed_kept=0)
    desk.trade("T1", 10)
    desk.trade("T1", 10)
    assert desk.fills == [("T1", 10)]


@pytest.mark.parametrize("other", [{"trade_id": "T2"}, {"venue": "ELSE"}])
def test_another_trade(other: dict[str, Any]) -> None:
    """A trade with another id, or of another venue, is another trade."""
    desk = Desk()
    desk.trade("T1", 4)
    desk.engine.on_trade_report(replace(trade(desk.placed, "T1", 4), **other))
    assert len(desk.fills) == 2


def test_trade_with_oneself() -> None:
    """The two sides of a trade between two orders of ours have one id, and are two fills."""
    desk = Desk()
    other = desk.engine.place_order(approved("s:2", side=Side.SELL))
    desk.trade("T1", 4)
    desk.engine.on_trade_report(trade(other, "T1", 4, side=Side.SELL))
    assert len(desk.fills) == 2


def test_trade_told_for_two_orders() -> None:
    """A trade that is told for a second order is not booked again, but contradicts."""
    desk = Desk()
    other = desk.engine.place_order(approved("s:2"))
    desk.trade("T1", 4)
    desk.engine.on_trade_report(trade(other, "T1", 4))
    assert desk.fills == [("T1", 4)]
    assert (desk.log.last(OrderUpdate).order_id, desk.code) == (other, "CONTRADICTION")


@pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED])
def test_late_fill(status: OrderStatus) -> None:
    """A fill that comes after the end is booked and counted; the order stays as it is."""
    desk = Desk()
    desk.bring_to(status)
    desk.trade("T1", 4)
    assert desk.fills == [("T1", 4)]
    assert (desk.statuses, desk.order.filled) == ([status], 4)


@pytest.mark.parametrize("status", [S.REJECTED, S.VOID])
def test_fill_of_what_was_thought_dead(status: OrderStatus) -> None:
    """A fill of an order that was thought refused or absent is booked, and the order becomes UNKNOWN and open."""
    desk = Desk()
    desk.bring_to(status)
    desk.trade("T1", 4)
    assert (desk.fills, desk.statuses) == ([("T1", 4)], [S.UNKNOWN])
    assert desk.placed in desk.engine.orders


def test_overfill() -> None:
    """More than was ordered is booked to the last unit, and told."""
    desk = Desk()
    desk.trade("T1", 7)
    desk.trade("T2", 7)
    assert desk.fills == [("T1", 7), ("T2", 7)]
    assert (desk.order.filled, desk.log.last(OrderUpdate).reason) == (14, "OVERFILL: 4 more than ordered")


def test_external_trade() -> None:
    """A trade of an order that is not ours is booked once, under the strategy `external`."""
    desk = Desk()
    for _ in range(2):
        desk.engine.on_trade_report(trade("theirs", "T9", 3))
    assert [(fill.strategy_id, fill.intent_id, fill.order_id) for fill in desk.log.of(Fill)] == [
        ("external", "", "theirs")
    ]


def test_remembered_trades_are_bounded() -> None:
    """The memory for trades of orders that are not ours, or forgotten, does not grow without bound."""
    desk = Desk(closed_kept=2, remembered=5)
    for number in range(50):
        desk.engine.on_trade_report(trade(f"theirs{number}", f"X{number}", 1))
        order_id = desk.engine.place_order(approved(f"o:{number}"))
        desk.engine.on_trade_report(trade(order_id, f"T{number}", 10))
    assert len(desk.engine._register.trades) == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-1)},
        {"quantity": Decimal("NaN")},
        {"price": Decimal(0)},
        {"price": Decimal("Infinity")},
        {"trade_id": ""},
    ],
)
@pytest.mark.parametrize("order_id", ["", "theirs"])
def test_malformed_trade(fields: dict[str, Any], order_id: str) -> None:
    """A trade without an id, a quantity or a price is not booked, but told as a contradiction."""
    desk = Desk()
    desk.engine.on_trade_report(replace(trade(order_id or desk.placed, "T1", 1), **fields))
    assert not desk.fills
    assert desk.code == "CONTRADICTION"


@pytest.mark.parametrize("fields", [{"symbol": "MSFT"}, {"side": Side.SELL}])
def test_trade_that_cannot_be_the_orders(fields: dict[str, Any]) -> None:
    """A trade of another symbol or side is booked once as external, not counted to the order, and told."""
    desk = Desk()
    desk.trade("T1", 4, **fields)
    desk.trade("T1", 4, **fields)
    assert [fill.strategy_id for fill in desk.log.of(Fill)] == ["external"]
    assert (desk.order.filled, desk.order.status, desk.code) == (0, S.SENDING, "CONTRADICTION")


def test_trade_of_another_symbol_is_told_of_both() -> None:
    """The books of the symbol that was traded are in doubt as much as those of the order's."""
    desk = Desk()
    desk.trade("T1", 4, symbol="MSFT")
    told = [update for update in desk.log.of(OrderUpdate) if update.reason.startswith("CONTRADICTION")]
    assert [update.symbol for update in told] == ["AAPL", "MSFT"]


@pytest.mark.parametrize("quantity", [4, 10])
@pytest.mark.parametrize("status", [S.REJECTED, S.VOID])
def test_fill_of_an_order_that_was_never_there(status: OrderStatus, quantity: int) -> None:
    """It is booked, counted, and told as what it is: the venue, or what proved the order absent, was wrong."""
    desk = Desk()
    desk.bring_to(status)
    desk.trade("T1", quantity)
    assert (desk.fills, desk.order.filled, desk.code) == ([("T1", quantity)], quantity, "CONTRADICTION")


@given(st.data())
def test_any_order_of_reports(data: st.DataObject) -> None:
    """However reports are permuted and repeated, each trade is told exactly once and counted in full."""
    parts = data.draw(st.lists(st.integers(1, 4), max_size=5), label="trades")
    desk = Desk()
    reports = [
        report(desk.placed, K.ACCEPTED),
        *(trade(desk.placed, f"T{number}", quantity) for number, quantity in enumerate(parts)),
        report(desk.placed, K.CANCELED),
    ]
    again = data.draw(st.lists(st.sampled_from(reports), max_size=5), label="again")
    for told in data.draw(st.permutations([*reports, *again]), label="order"):
        handle = desk.engine.on_broker_report if isinstance(told, BrokerReport) else desk.engine.on_trade_report
        handle(told)
    assert Counter(desk.fills) == Counter({(f"T{n}", Decimal(q)): 1 for n, q in enumerate(parts)})
    assert desk.order.filled == sum(parts)
    assert desk.order.status is (S.FILLED if sum(parts) >= 10 else S.CANCELED)
    assert not desk.engine.orders


def test_a_forced_trade_is_told_as_such() -> None:
    """A liquidation is nobody's order; a venue that calls a trade of our order forced is not followed in that."""
    desk = Desk()
    desk.engine.on_trade_report(trade("SIM-L1", "SIM-L1", 3, forced=True))
    desk.engine.on_trade_report(trade("theirs", "T9", 3))
    desk.trade("T1", 10, forced=True)
    assert [(fill.strategy_id, fill.forced) for fill in desk.log.of(Fill)] == [
        ("external", True),
        ("external", False),
        ("s", False),
    ]
