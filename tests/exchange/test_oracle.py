"""What the exchange knows afterwards, and differences from it in words."""

from decimal import Decimal

import ccxt
import pytest

from tests.exchange.rig import BTC, KEY, rig
from tradingd.testing.exchange.oracle import (
    Oracle,
    OrderRow,
    TradeRow,
    compare_balances,
    compare_orders,
    compare_trades,
)

ONE = TradeRow("BTCUSDT", "7", "t1-1-1", "BUY", Decimal(100), Decimal(2), (("BNB", Decimal("0.1")),))


async def test_the_oracle_tells_what_was_traded_and_what_is_owned() -> None:
    """A market order: its trades, and balances that have changed by them and their fees."""
    async with rig() as it:
        oracle = Oracle(it.exchange, KEY)
        before = oracle.balances()
        await it.take()
        trades = oracle.trades()
        bought = sum((row.qty for row in trades), Decimal(0))
        fees = sum((amount for row in trades for _, amount in row.fees), Decimal(0))
        assert bought == Decimal("0.001")
        assert oracle.balances()["BTC"] == before["BTC"] + bought - fees
        assert oracle.positions() == {"BTCUSDT": bought}
        assert oracle.positions(lambda client_id: client_id.startswith("t1")) == {}


async def test_two_requests_with_one_client_id_are_told() -> None:
    """A second POST is told even where the exchange refuses it."""
    async with rig() as it:
        oracle = Oracle(it.exchange, KEY)
        await it.buy("t1-1-1")
        assert oracle.sent_twice() == []
        with pytest.raises(ccxt.InvalidOrder):
            await it.buy("t1-1-1")
        assert oracle.sent_twice() == ["order t1-1-1 was sent 2 times"]
        assert oracle.booked_twice() == []


async def test_two_filled_orders_of_one_client_id_are_told() -> None:
    """A7: a filled order's id is taken again, and that is a double fill."""
    async with rig() as it:
        for _ in range(2):
            await it.client.create_order(BTC, "market", "buy", 0.001, None, {"newClientOrderId": "t1-1-1"})
        assert [line.partition(":")[0] for line in Oracle(it.exchange, KEY).booked_twice()] == ["BTCUSDT"]


async def test_an_intent_may_be_replaced_but_not_doubled() -> None:
    """A canceled order without a fill, then another of the same intent: one. Two that live: told."""
    async with rig() as it:
        oracle = Oracle(it.exchange, KEY)
        first = await it.buy("t1-1-1")
        await it.client.cancel_order(first["id"], BTC)
        await it.buy("t1-1-2")
        assert oracle.booked_twice(lambda _: "wish") == []
        await it.buy("t1-1-3")
        assert len(oracle.booked_twice(lambda _: "wish")) == 1
        assert oracle.booked_twice(lambda _: None) == []


def test_trades_that_are_equal_make_no_difference() -> None:
    """The same rows in another order, the client id unknown here: nothing to tell."""
    two = ONE._replace(trade_id="8")
    assert compare_trades([ONE, two], [two, ONE._replace(client_id="")]) == []


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([], "BTCUSDT trade 7: lost"),
        ([ONE, ONE], "BTCUSDT trade 7: booked 2 times"),
        ([ONE, ONE._replace(trade_id="9")], "BTCUSDT trade 9: the exchange has no such trade"),
        ([ONE._replace(price=Decimal(99))], "BTCUSDT trade 7: price 99, the exchange has 100"),
        ([ONE._replace(qty=Decimal(1))], "BTCUSDT trade 7: quantity 1, the exchange has 2"),
        ([ONE._replace(side="SELL")], "BTCUSDT trade 7: side SELL, the exchange has BUY"),
        ([ONE._replace(client_id="x")], "BTCUSDT trade 7: booked to x, the exchange has t1-1-1"),
    ],
)
def test_a_difference_in_trades_is_told_in_words(ours: list[TradeRow], said: str) -> None:
    """Lost, doubled, made up, or with other figures."""
    assert compare_trades([ONE], ours) == [said]


def test_other_fees_are_a_difference() -> None:
    """A fee in another coin is another trade to the books."""
    (said,) = compare_trades([ONE], [ONE._replace(fees=(("USDT", Decimal("0.1")),))])
    assert "fees" in said


def test_balances_are_compared_to_the_last_digit() -> None:
    """A coin that is missing is none of it; a difference in the eighth place is one."""
    truth = {"BTC": Decimal("0.99999999"), "BNB": Decimal(0)}
    assert compare_balances(truth, {"BTC": Decimal("0.999999990")}) == []
    assert compare_balances(truth, {"BTC": Decimal(1)}) == ["BTC: 1, the exchange has 0.99999999"]


def test_orders_are_compared_by_their_state_and_fill() -> None:
    """Open here and over there, filled otherwise, unknown to one of the two."""
    here = [
        OrderRow("BTCUSDT", "a", Decimal(0), is_open=True),
        OrderRow("BTCUSDT", "b", Decimal(1), is_open=True),
        OrderRow("BTCUSDT", "c", Decimal(1), is_open=False),
        OrderRow("BTCUSDT", "never sent", Decimal(0), is_open=False),
    ]
    there = [
        OrderRow("BTCUSDT", "a", Decimal(0), is_open=False),
        OrderRow("BTCUSDT", "b", Decimal(2), is_open=True),
        OrderRow("BTCUSDT", "d", Decimal(0), is_open=True),
    ]
    assert compare_orders(there, here) == [
        "BTCUSDT order a: open, at the exchange it is over",
        "BTCUSDT order b: filled 1, the exchange has 2",
        "BTCUSDT order c: the exchange has no such order",
        "BTCUSDT order d: at the exchange, and unknown here",
    ]
