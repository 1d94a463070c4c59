"""The simulated exchange: what it can be told to lack, and which events it needs."""

from decimal import Decimal
from typing import Any, get_args

import pytest

from tests.broker.market import BUY, INSTRUMENTS, Market
from tradingd.broker.capabilities import LACKABLE, lacking
from tradingd.config.broker import Lackable
from tradingd.domain.enums import OrderType, TimeInForce
from tradingd.domain.events import ReportKind
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.domain.venue import EVERYTHING
from tradingd.errors import UsageError
from tradingd.testing import at, make_quote

ORDERS: dict[str, dict[str, Any]] = {
    "stop": {"stop": 110},
    "stop_limit": {"order_type": OrderType.STOP_LIMIT, "stop": 110, "limit": 111},
    "take_profit": {"order_type": OrderType.TAKE_PROFIT, "stop": 90},
    "take_profit_limit": {"order_type": OrderType.TAKE_PROFIT_LIMIT, "stop": 90, "limit": 91},
    "trailing_stop": {"order_type": OrderType.TRAILING_STOP, "terms": OrderTerms(trail=Trail(Decimal(1)))},
    "day": {"limit": 90, "time_in_force": TimeInForce.DAY},
    "gtd": {"limit": 90, "time_in_force": TimeInForce.GTD, "terms": OrderTerms(expire_ts=at(9))},
    "ioc": {"time_in_force": TimeInForce.IOC},
    "fok": {"time_in_force": TimeInForce.FOK},
    "post_only": {"limit": 90, "terms": OrderTerms(post_only=True)},
    "oco": {"limit": 90, "terms": OrderTerms(oco="g")},
}


@pytest.mark.parametrize("name", ORDERS)
def test_lacking_venue_refuses(name: str) -> None:
    """A venue that lacks something refuses the orders that need it, and no other venue does."""
    for lacks, kind in (((name,), "REJECTED"), (tuple(set(LACKABLE) - {name}), "ACCEPTED"), ((), "ACCEPTED")):
        market = Market(capabilities=lacking(lacks))
        market.flat(100)
        market.order(BUY, 1, **ORDERS[name])
        assert market.kinds("o1") == [kind]
        if kind == "REJECTED":
            assert market.reason(ReportKind.REJECTED) == "UNSUPPORTED"


def test_venue_that_changes_nothing() -> None:
    """A venue that cannot change orders rejects every change."""
    market = Market(capabilities=lacking(["modify"]))
    market.flat(100)
    market.order(BUY, 1, limit=90)
    market.broker.modify_order("o1", limit_price=Decimal(91))
    assert market.reason(ReportKind.MODIFY_REJECTED) == "UNSUPPORTED"


def test_capabilities_are_told() -> None:
    """What a broker was made to lack is what it tells of itself; without that it offers everything."""
    assert Market().broker.capabilities == EVERYTHING
    venue = Market(capabilities=lacking(["oco", "gtd", "trailing_stop"])).broker.capabilities
    assert not venue.oco
    assert venue.order_types == frozenset(OrderType) - {OrderType.TRAILING_STOP}
    assert venue.times_in_force == frozenset(TimeInForce) - {TimeInForce.GTD}


def test_unknown_lack() -> None:
    """What a venue cannot lack is refused by name."""
    with pytest.raises(UsageError, match="market"):
        lacking(["market"])


def test_configuration_knows_all() -> None:
    """The configuration offers just what can be lacked."""
    assert get_args(Lackable) == LACKABLE


def test_market_interest() -> None:
    """A symbol's events matter while an order of it works, and all symbols' while one may expire by them."""
    market = Market(prices=PriceBoard(), instruments=INSTRUMENTS)
    interest = market.broker.market_interest()
    assert interest is not None
    for symbol in ("AAPL", "MSFT"):
        market.broker._prices.update(make_quote(99, 101, symbol=symbol))
    assert "AAPL" not in interest
    market.order(BUY, 1, limit=90)
    assert ("AAPL" in interest, "MSFT" in interest) == (True, False)
    market.order(BUY, 1, limit=90, time_in_force=TimeInForce.GTD, terms=OrderTerms(expire_ts=at(9)))
    assert "MSFT" in interest
    market.broker.cancel_order("o1")
    assert "AAPL" in interest
    market.broker.cancel_order("o2")
    assert "AAPL" not in interest
    assert "MSFT" not in interest


def test_own_prices_need_every_event() -> None:
    """An exchange without a price board of others' needs every event to know the prices."""
    assert Market().broker.market_interest() is None
