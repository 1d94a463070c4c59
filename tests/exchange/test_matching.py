"""How orders meet."""

import pytest

from tests.exchange.world import ANN, BOB, BTC, BUY, FOK, IOC, SELL, Desk, d
from tradingd.testing.exchange.model import (
    BalanceChange,
    BookChange,
    Execution,
    OrderEvent,
    OrderRequest,
    OrderType,
    PublicTrade,
    Refusal,
    SelfTrade,
    Status,
)


def test_the_best_price_trades_first_and_at_one_price_the_first_order(desk: Desk) -> None:
    """A sweep goes up the prices, and through each price in the order of arrival."""
    late_but_cheap = ("0.2", 100)
    orders = [desk.limit(BOB, SELL, *terms) for terms in (("1", 101), ("1", 101), late_but_cheap)]
    desk.market(ANN, BUY, "1.5")
    assert desk.prints() == [(100, "0.2"), (101, "1"), (101, "0.3")]
    assert [trade.order_id for trade in desk.engine.my_trades(BOB)] == [orders[2].id, orders[0].id, orders[1].id]


def test_a_limit_order_trades_at_the_makers_price_and_rests_with_what_is_left(desk: Desk) -> None:
    """The taker gets the better price; the remainder stands in the book at the limit."""
    desk.book(asks=[(100, "1"), (103, "1")])
    order = desk.limit(ANN, BUY, "2", 102)
    assert (order.status, order.filled, order.quote_filled) == (Status.PARTIALLY_FILLED, d(1), d(100))
    assert desk.levels() == ([(102, "1")], [(103, "1")])


def test_ioc_expires_what_it_cannot_have_at_once(desk: Desk) -> None:
    """Nothing of an IOC order rests."""
    desk.book(asks=[(100, "1")])
    order = desk.limit(ANN, BUY, "2", 100, tif=IOC)
    assert (order.status, order.filled, desk.levels()) == (Status.EXPIRED, d(1), ([], []))


def test_fok_fills_whole_or_not_at_all(desk: Desk) -> None:
    """A FOK order that the book cannot fill leaves the book as it was."""
    desk.book(asks=[(100, "1"), (101, "1")])
    assert desk.limit(ANN, BUY, "2", 100, tif=FOK).status is Status.EXPIRED
    assert desk.prints() == []
    assert desk.limit(ANN, BUY, "2", 101, tif=FOK).status is Status.FILLED


def test_a_maker_order_that_would_take_is_refused(desk: Desk) -> None:
    """LIMIT_MAKER never takes."""
    desk.book(asks=[(100, "1")])
    with pytest.raises(Refusal, match="-2010: Order would immediately match and take"):
        desk.send(ANN, BUY, OrderType.LIMIT_MAKER, "1", 100)
    assert desk.send(ANN, BUY, OrderType.LIMIT_MAKER, "1", 99)[0].status is Status.NEW


def test_a_market_order_in_quote_spends_no_more_than_told(desk: Desk) -> None:
    """QuoteOrderQty goes down the book in whole lots; the order's quantity becomes what it bought."""
    desk.book(asks=[(100, "1"), (300, "1")])
    order = desk.market(ANN, BUY, quote_qty=d(200))
    assert (order.status, order.qty, order.quote_filled) == (Status.FILLED, d("1.333"), d("199.9"))


def test_a_market_order_expires_with_what_the_book_could_not_give(desk: Desk) -> None:
    """An empty book fills nothing."""
    desk.book(asks=[(100, "1")])
    order = desk.market(ANN, BUY, "3")
    assert (order.status, order.filled) == (Status.EXPIRED, d(1))


def test_what_cannot_be_paid_is_refused_whatever_the_type() -> None:
    """Funds are checked before anything is booked: free ones only."""
    desk = Desk(usdt=150, btc=1)
    desk.book(bids=[(90, "5")], asks=[(100, "2")])
    desk.limit(ANN, BUY, "1", 80)
    for kind, terms in ((OrderType.LIMIT, ("1", 95)), (OrderType.MARKET, ("1", 0))):
        with pytest.raises(Refusal, match="-2010: Account has insufficient balance for requested action"):
            desk.send(ANN, BUY, kind, *terms)
    with pytest.raises(Refusal, match="insufficient balance"):
        desk.market(ANN, SELL, "1.001")
    assert len(desk.engine.all_orders(ANN, BTC)) == 1


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        (SelfTrade.NONE, Status.FILLED, Status.FILLED),
        (SelfTrade.EXPIRE_MAKER, Status.EXPIRED_IN_MATCH, Status.NEW),
        (SelfTrade.EXPIRE_TAKER, Status.NEW, Status.EXPIRED_IN_MATCH),
        (SelfTrade.EXPIRE_BOTH, Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH),
    ],
)
def test_self_trade_prevention_expires_who_it_says(mode: SelfTrade, maker: Status, taker: Status) -> None:
    """An account that meets itself trades with itself unless told otherwise."""
    desk = Desk(self_trade=mode)
    resting = desk.limit(ANN, SELL, "1", 100)
    crossing = desk.limit(ANN, BUY, "1", 100)
    found = [desk.engine.query(ANN, BTC, order.id).status for order in (resting, crossing)]
    assert found == [maker, taker]
    desk.engine.ledger.audit()


def test_events_come_in_the_order_of_what_happened(desk: Desk) -> None:
    """NEW with its lock, then per fill: the book, the public trade, the report, the balances."""
    desk.book(asks=[(100, "1"), (101, "1")])
    desk.events.clear()
    desk.limit(ANN, BUY, "1.5", 101, client_id="mine")
    kinds = [type(event) for event in desk.events]
    fill = [BookChange, PublicTrade, OrderEvent, BalanceChange]
    assert kinds == [OrderEvent, BalanceChange, *fill, *fill]
    reports = [event for event in desk.events if isinstance(event, OrderEvent)]
    assert [(one.execution, one.order.status) for one in reports] == [
        (Execution.NEW, Status.NEW),
        (Execution.TRADE, Status.PARTIALLY_FILLED),
        (Execution.TRADE, Status.FILLED),
    ]


def test_book_changes_are_counted_without_a_gap_and_tell_the_whole_book(desk: Desk) -> None:
    """Applying every change to an empty book gives the book that depth tells, with the same last id."""
    desk.book(bids=[(99, "2"), (98, "1")], asks=[(101, "1"), (102, "3")])
    desk.limit(ANN, BUY, "1.5", 101)
    desk.market(BOB, SELL, "2")
    changes = [event for event in desk.events if isinstance(event, BookChange)]
    assert [change.update_id for change in changes] == list(range(1, len(changes) + 1))
    book = {(change.side, change.price): change.qty for change in changes}
    last, bids, asks = desk.engine.depth(BTC)
    assert last == len(changes)
    rebuilt = {key: qty for key, qty in book.items() if qty}
    assert rebuilt == {**{(BUY, price): qty for price, qty in bids}, **{(SELL, price): qty for price, qty in asks}}


def test_a_client_id_is_refused_only_while_its_order_is_open(desk: Desk) -> None:
    """After the first has filled the same id is taken again: a second fill, as on Binance."""
    desk.book(asks=[(100, "5")])
    desk.limit(ANN, BUY, "1", 90, client_id="twice")
    with pytest.raises(Refusal, match="-2010: Duplicate order sent"):
        desk.market(ANN, BUY, "1", client_id="twice")
    desk.limit(BOB, BUY, "1", 90, client_id="twice")
    desk.engine.cancel(ANN, BTC, client_id="twice")
    for _ in range(2):
        desk.market(ANN, BUY, "1", client_id="twice")
    assert [trade.client_id for trade in desk.engine.my_trades(ANN)] == ["twice", "twice"]
    assert desk.engine.query(ANN, BTC, client_id="twice").id == desk.engine.all_orders(ANN, BTC)[-1].id


def test_orders_of_others_can_be_neither_seen_nor_cancelled(desk: Desk) -> None:
    """Ids are per account, whatever the number."""
    order = desk.limit(ANN, BUY, "1", 90)
    with pytest.raises(Refusal, match="-2013: Order does not exist"):
        desk.engine.query(BOB, BTC, order.id)
    with pytest.raises(Refusal, match="-2011: Unknown order sent"):
        desk.engine.cancel(BOB, BTC, order.id)


def test_cancel_replace_stops_or_goes_on_after_a_failed_cancel(desk: Desk) -> None:
    """STOP_ON_FAILURE places nothing when the cancel fails; ALLOW_FAILURE does."""
    request = desk.limit(ANN, BUY, "1", 90)
    desk.engine.cancel(ANN, BTC, request.id)
    new = OrderRequest(BTC, BUY, OrderType.LIMIT, qty=d(1), price=d(91))
    stopped = desk.engine.cancel_replace(ANN, new, request.id)
    assert isinstance(stopped.canceled, Refusal)
    assert stopped.placed is None
    assert not desk.engine.open_orders(ANN)
    assert not isinstance(desk.engine.cancel_replace(ANN, new, request.id, allow_failure=True).placed, Refusal)
    assert len(desk.engine.open_orders(ANN)) == 1


def test_delisting_cancels_what_is_open_and_keeps_the_history(desk: Desk) -> None:
    """Locks are given back; the market no longer exists; trades can still be read by the oracle."""
    desk.book(asks=[(100, "1")])
    desk.limit(ANN, BUY, "2", 100)
    desk.engine.delist(BTC)
    assert not desk.engine.open_orders(ANN)
    assert desk.engine.ledger.locked(ANN, "USDT") == 0
    assert len(desk.engine.my_trades(ANN)) == 1
    with pytest.raises(Refusal, match="-1121: Invalid symbol"):
        desk.market(ANN, BUY, "1")


def test_a_listener_may_call_the_engine(desk: Desk) -> None:
    """What a listener does is told after the events that are already under way."""
    told: list[Execution] = []

    def chase(event: object) -> None:
        if isinstance(event, OrderEvent):
            told.append(event.execution)
            if len(told) == 1:
                desk.engine.cancel(event.account, BTC, event.order.id)

    desk.engine.listen(chase)
    desk.limit(ANN, BUY, "1", 90)
    assert told == [Execution.NEW, Execution.CANCELED]
