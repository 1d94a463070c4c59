"""The simulated exchange: cancels, changes, subscriptions."""

from decimal import Decimal
from typing import Any

import pytest

from tests.broker.market import BUY, SELL, Market, instrument
from tradingd.domain.enums import Liquidity
from tradingd.domain.events import BrokerReport, EventType, ModifyOrder, ReportKind
from tradingd.testing import make_quote

MODIFY_REJECTED = ReportKind.MODIFY_REJECTED


def working(**prices: Any) -> Market:
    """An exchange with an order `o1` to buy 10 at 90, unless told."""
    market = Market(instruments=instrument(min_notional=Decimal(50)))
    market.flat(100)
    market.order(BUY, 10, **(prices or {"limit": 90}))
    market.flat(100)
    return market


def test_cancel() -> None:
    """A canceled order frees what it held and never fills."""
    market = working()
    market.broker.cancel_order("o1")
    market.flat(80)
    assert market.kinds("o1") == ["ACCEPTED", "CANCELED"]
    assert market.free() == 10_000


@pytest.mark.parametrize("order_id", ["o1", "never-seen"])
def test_cancel_of_what_is_not_there(order_id: str) -> None:
    """Canceling an order that is over, or never was, is rejected."""
    market = working()
    market.flat(80)
    market.broker.cancel_order(order_id)
    assert market.reason(ReportKind.CANCEL_REJECTED) == "UNKNOWN_ORDER"


def test_modified() -> None:
    """An accepted change is told with all the order's values, and the lock follows."""
    market = working()
    market.broker.modify_order("o1", quantity=Decimal(20), limit_price=Decimal(80))
    told = market.log.last(BrokerReport)
    assert (told.kind, told.quantity, told.limit_price, told.stop_price) == (ReportKind.MODIFIED, 20, 80, None)
    assert market.free() == 8_400


def test_modified_quantity_alone() -> None:
    """A change of the quantity alone is told with the price that stays."""
    market = working(stop=110)
    market.broker.modify_order("o1", quantity=Decimal(5))
    told = market.log.last(BrokerReport)
    assert (told.quantity, told.limit_price, told.stop_price) == (5, None, 110)
    assert market.free() == 9_450


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"stop_price": Decimal(95)}, "WRONG_PRICE"),
        ({"limit_price": Decimal("90.001")}, "TICK"),
        ({"quantity": Decimal("0.5")}, "LOT"),
        ({"quantity": Decimal(0)}, "LOT"),
        ({"quantity": Decimal(1), "limit_price": Decimal(40)}, "MIN_NOTIONAL"),
        ({"quantity": Decimal(112)}, "INSUFFICIENT_FUNDS"),
    ],
)
def test_refused_change(change: dict[str, Decimal], code: str) -> None:
    """A change that breaks a rule is rejected by its name; order and lock stay as they were."""
    market = working()
    market.broker.modify_order("o1", **change)
    assert market.reason(MODIFY_REJECTED) == code
    assert market.free() == 9_100
    market.flat(80)
    assert [(trade.quantity, trade.price) for trade in market.trades] == [(10, 90)]


def test_change_of_what_is_not_there() -> None:
    """Changing an order that is not in the book is rejected."""
    market = Market()
    market.broker.modify_order("o1", quantity=Decimal(1))
    assert market.reason(MODIFY_REJECTED) == "UNKNOWN_ORDER"


def test_refused_change_of_a_market_order_keeps_its_lock() -> None:
    """A refused change does not make a market order hold more than it held, though the price has moved."""
    market = Market()
    market.flat(100)
    market.order(BUY, 100)
    market.broker._prices.update(make_quote(199, 201))
    market.broker.modify_order("o1", quantity=Decimal(101))
    assert market.reason(MODIFY_REJECTED) == "INSUFFICIENT_FUNDS"
    assert market.free() == 0


def test_limit_changed_to_be_marketable_takes_the_open() -> None:
    """An order whose limit was changed across the market takes the open, instead of paying its limit."""
    market = working()
    market.broker.modify_order("o1", limit_price=Decimal(110))
    market.flat(100)
    assert [(trade.price, trade.liquidity) for trade in market.trades] == [(100, Liquidity.TAKER)]


def test_changed_quantity_keeps_the_place() -> None:
    """An order whose quantity alone was changed rests on: a jump over its limit fills at its limit."""
    market = working()
    market.broker.modify_order("o1", quantity=Decimal(5))
    market.flat(80)
    assert [(trade.quantity, trade.price, trade.liquidity) for trade in market.trades] == [
        (5, 90, Liquidity.MAKER)
    ]


def test_changed_stop() -> None:
    """A stop fills at its changed level."""
    market = Market()
    market.holding(10)
    order = market.order(SELL, 10, stop=90)
    market.broker.modify_order(order, stop_price=Decimal(95))
    market.bar(100, 100, 92, 93)
    assert market.fills == [(order, "95")]


def test_change_inside_a_bar() -> None:
    """A price that was changed while a bar was being made does not meet what the bar did before."""
    market = working()
    market.clock.advance(30)
    market.broker.modify_order("o1", limit_price=Decimal(95))
    market.bar(100, 100, 91, 99)
    assert not market.trades


# --- subscriptions -------------------------------------------------------------------------------------------


def test_takes_all_unless_told() -> None:
    """A broker takes the market data of all symbols unless told otherwise."""
    broker = Market().broker
    assert broker.subscriptions is None
    assert broker.takes("AAPL")


def test_subscribed() -> None:
    """A broker with subscriptions takes those symbols only, and trades no other."""
    market = Market()
    market.broker.subscribe("MSFT")
    market.broker.subscribe("BTC/USD")
    assert market.broker.subscriptions == {"MSFT", "BTC/USD"}
    market.flat(100)
    market.order(BUY, 1)
    assert market.reason(ReportKind.REJECTED) == "UNKNOWN_SYMBOL"


def test_unsubscribed() -> None:
    """Unsubscribing ends one symbol's market data; the other subscriptions stay."""
    broker = Market().broker
    broker.subscribe("AAPL", "MSFT")
    broker.unsubscribe("AAPL")
    assert broker.subscriptions == {"MSFT"}
    assert not broker.takes("AAPL")


def test_unsubscribed_from_all() -> None:
    """Unsubscribing one symbol from a broker that takes all leaves it all others."""
    broker = Market().broker
    broker.unsubscribe("AAPL")
    assert not broker.takes("AAPL")
    assert broker.takes("MSFT")


def test_subscribed_again() -> None:
    """A symbol can be subscribed again."""
    broker = Market().broker
    broker.unsubscribe("AAPL")
    broker.subscribe("AAPL")
    assert broker.takes("AAPL")


def test_data_of_an_unsubscribed_symbol() -> None:
    """Market data of a symbol that is not taken fills nothing."""
    market = working()
    market.broker.unsubscribe("AAPL")
    market.flat(80)
    assert not market.trades


def test_answers_repeat_the_number_of_the_change() -> None:
    """Granted or refused, an answer tells which change it answers."""
    market = working()
    for number, quantity in ((7, 20), (8, 1_000)):
        price = Decimal(80)
        command = ModifyOrder(market.clock.now(), "SIM", "o1", Decimal(quantity), price, None, number)
        market.broker.handlers()[EventType.SUBMIT_MODIFY](command)
    told = [(report.kind, report.change) for report in market.log.of(BrokerReport)[-2:]]
    assert told == [(ReportKind.MODIFIED, 7), (MODIFY_REJECTED, 8)]
