"""Orders that wait for the last price."""

import pytest

from tests.exchange.world import ANN, BTC, BUY, SELL, Desk, d
from tradingd.testing.exchange.model import OrderType, Refusal, Side, Status


@pytest.fixture
def traded(desk: Desk) -> Desk:
    """A market whose last price is 100."""
    desk.book(bids=[(99, "50"), (80, "50")], asks=[(100, "1"), (101, "50"), (120, "50")])
    desk.engine.house_market(BTC, BUY, d(1))
    return desk


@pytest.mark.parametrize(
    ("kind", "side", "stop", "prices"),
    [
        (OrderType.STOP_LOSS, SELL, 95, (96, 95)),
        (OrderType.STOP_LOSS, BUY, 105, (104, 105)),
        (OrderType.TAKE_PROFIT, SELL, 105, (104, 105)),
        (OrderType.TAKE_PROFIT, BUY, 95, (96, 95)),
    ],
)
def test_a_stop_waits_for_its_price_and_then_goes_to_market(
    traded: Desk, kind: OrderType, side: Side, stop: int, prices: tuple[int, int]
) -> None:
    """Stop losses trigger against the position, profit takers for it; until then the order is not in the book."""
    order, trades = traded.send(ANN, side, kind, "1", stop_price=d(stop))
    assert (order.status, order.working, trades) == (Status.NEW, False, [])
    for price, status in zip(prices, (Status.NEW, Status.FILLED), strict=True):
        traded.engine.house_print(BTC, BUY if price > 100 else SELL, d(price), d("0.001"))
        traded.engine.house_print(BTC, SELL if price > 100 else BUY, d(price), d("0.001"))
        assert traded.engine.query(ANN, BTC, order.id).status is status, price


def test_a_stop_limit_rests_at_its_limit_once_triggered(traded: Desk) -> None:
    """Triggered, it is a limit order like any other, and it can be cancelled before and after."""
    order, _ = traded.send(ANN, SELL, OrderType.STOP_LOSS_LIMIT, "1", 105, stop_price=d(95))
    assert traded.engine.ledger.locked(ANN, "BTC") == 1
    traded.engine.house_print(BTC, SELL, d(90), d("0.001"))
    traded.book(bids=[(80, "1")])
    traded.engine.house_print(BTC, SELL, d(90), d("0.001"))
    found = traded.engine.query(ANN, BTC, order.id)
    assert (found.status, found.working) == (Status.NEW, True)
    assert (105, "1") in [(int(price), str(qty)) for price, qty in traded.engine.depth(BTC)[2]]
    traded.engine.cancel(ANN, BTC, order.id)
    assert traded.engine.ledger.locked(ANN, "BTC") == 0


def test_a_stop_that_would_trigger_at_once_is_refused(traded: Desk) -> None:
    """Binance refuses it rather than send it in."""
    with pytest.raises(Refusal, match="-2010: Stop price would trigger immediately"):
        traded.send(ANN, SELL, OrderType.STOP_LOSS, "1", stop_price=d(101))


def test_one_stop_may_set_off_the_next(traded: Desk) -> None:
    """A cascade runs to its end before the call returns."""
    first, _ = traded.send(ANN, SELL, OrderType.STOP_LOSS, "50", stop_price=d(99))
    second, _ = traded.send(ANN, SELL, OrderType.STOP_LOSS, "1", stop_price=d(81))
    traded.engine.house_market(BTC, SELL, d("0.001"))
    found = [traded.engine.query(ANN, BTC, order.id) for order in (first, second)]
    assert [order.status for order in found] == [Status.FILLED, Status.FILLED]
    assert found[1].quote_filled == 80


def test_a_triggered_buy_stop_fills_as_far_as_the_money_goes() -> None:
    """It set aside stop price times quantity; a worse market than that fills less, and the rest expires."""
    desk = Desk(usdt=105)
    desk.book(bids=[(99, "1")], asks=[(110, "1")])
    desk.engine.house_print(BTC, BUY, d(100), d("0.001"))
    order, _ = desk.send(ANN, BUY, OrderType.STOP_LOSS, "1", stop_price=d(105))
    desk.engine.house_print(BTC, BUY, d(110), d("0.001"))
    found = desk.engine.query(ANN, BTC, order.id)
    assert (found.status, found.filled) == (Status.EXPIRED, d("0.954"))
    desk.engine.ledger.audit()
