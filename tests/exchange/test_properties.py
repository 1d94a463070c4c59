"""What holds after any sequence of orders."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exchange.world import ANN, BOB, BTC, BUY, FREE, SELL, Desk, d
from tradingd.testing.exchange.model import (
    FeeCoin,
    FeePlan,
    Order,
    OrderType,
    Refusal,
    SelfTrade,
    Side,
    TimeInForce,
)

PRICES = st.integers(95, 105)
QUANTITIES = st.integers(50, 3_000).map(lambda thousandths: f"{thousandths / 1000:.3f}")
SIDES = st.sampled_from(Side)
MODES = st.sampled_from(SelfTrade)
WHO = st.sampled_from([ANN, BOB])
TIFS = st.sampled_from(TimeInForce)
KINDS = st.sampled_from(
    [
        OrderType.LIMIT,
        OrderType.LIMIT,
        OrderType.MARKET,
        OrderType.LIMIT_MAKER,
        OrderType.STOP_LOSS,
        OrderType.TAKE_PROFIT_LIMIT,
    ]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), WHO, SIDES, KINDS, QUANTITIES, PRICES, PRICES, TIFS, MODES),
        st.tuples(st.just("house"), SIDES, QUANTITIES, PRICES),
        st.tuples(st.just("cancel"), WHO, st.integers(0, 20)),
        st.tuples(st.just("transfer"), WHO, st.integers(-50, 50)),
    ),
    max_size=40,
)
FEES = FeePlan(d("0.001"), d("0.002"), FeeCoin("BNB", d("0.0005"), d("0.00075"), d(300)))


def take(desk: Desk, step: Any) -> None:
    """One step; what the exchange refuses changes nothing."""
    before = {who: desk.engine.balances(who) for who in (ANN, BOB)}
    try:
        _take(desk, *step)
    except Refusal:
        assert {who: desk.engine.balances(who) for who in (ANN, BOB)} == before


def _take(desk: Desk, what: str, *terms: Any) -> None:
    if what == "house":
        side, qty, price = terms
        desk.engine.house_place(BTC, side, d(qty), d(price))
    elif what == "cancel":
        desk.engine.cancel(terms[0], BTC, terms[1])
    elif what == "transfer":
        move = desk.engine.deposit if terms[1] > 0 else desk.engine.withdraw
        move(terms[0], "USDT", abs(d(terms[1])))
    else:
        who, side, kind, qty, price, stop, tif, mode = terms
        priced = kind in {OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT_LIMIT}
        stopped = kind in {OrderType.STOP_LOSS, OrderType.TAKE_PROFIT_LIMIT}
        more = {
            "stop_price": d(stop) if stopped else d(0),
            "tif": tif if kind is OrderType.LIMIT else TimeInForce.GTC,
            "self_trade": mode,
        }
        desk.send(who, side, kind, qty, price if priced else 0, **more)


def held(order: Order) -> tuple[str, Decimal]:
    """What an open order must hold, worked out anew."""
    left = order.qty - order.filled
    if order.side is SELL:
        return "BTC", left
    return "USDT", left * (order.price or order.stop_price)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_books_hold_after_every_step(steps: list[Any]) -> None:
    """No crossed book; the ledger is whole; locks are what open orders need; totals are what trades say."""
    desk = Desk(fees=FEES, btc=5, usdt=600)
    desk.engine.house_print(BTC, BUY, d(100), d("0.001"))
    for step in steps:
        take(desk, step)
        bids, asks = desk.engine.depth(BTC)[1:]
        assert not bids or not asks or bids[0][0] < asks[0][0]
        desk.engine.ledger.audit()
        check_account(desk, ANN)
        check_account(desk, BOB)


def check_account(desk: Desk, who: str) -> None:
    """Locks and totals, from orders and trades alone."""
    locks: dict[str, Decimal] = defaultdict(Decimal)
    for order in desk.engine.open_orders(who):
        asset, amount = held(order)
        locks[asset] += amount
    totals = {"BTC": d(5), "USDT": d(600), "BNB": d(1)}
    for trade in desk.engine.my_trades(who):
        sign = 1 if trade.side is BUY else -1
        totals["BTC"] += sign * trade.qty
        totals["USDT"] -= sign * trade.qty * trade.price
        totals[trade.fee_asset] -= trade.fee
    for posting in desk.engine.ledger.history(who):
        if posting.kind in {"deposit", "withdrawal"}:
            totals[posting.asset] += posting.delta
    for asset, total in totals.items():
        assert desk.engine.ledger.total(who, asset) == total
        assert desk.engine.ledger.locked(who, asset) == locks[asset]
    filled: dict[int, Decimal] = defaultdict(Decimal)
    for trade in desk.engine.my_trades(who):
        filled[trade.order_id] += trade.qty
    for order in desk.engine.all_orders(who, BTC):
        assert order.filled == filled[order.id] <= order.qty


class Naive:
    """Price-time matching in the plainest way: all resting orders in one list, searched for each fill."""

    def __init__(self) -> None:
        self.resting: list[list[Any]] = []  # [id, side, price, left], oldest first
        self.fills: list[tuple[int, int, Decimal]] = []

    def limit(self, number: int, side: Side, price: int, left: Decimal, *, rests: bool) -> None:
        while left:
            others = [order for order in self.resting if order[1] is not side and crosses(side, price, order[2])]
            if not others:
                break
            best = min(others, key=lambda order: order[2] if side is BUY else -order[2])
            qty = min(left, best[3])
            self.fills.append((best[0], best[2], qty))
            left -= qty
            best[3] -= qty
            self.resting = [order for order in self.resting if order[3]]
        if left and rests:
            self.resting.append([number, side, price, left])


def crosses(side: Side, price: int, other: int) -> bool:
    """Whether an order meets one of the other side."""
    return other <= price if side is BUY else other >= price


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WHO, SIDES, QUANTITIES, PRICES, st.booleans()), max_size=40))
def test_matching_agrees_with_the_plainest_price_time_matcher(orders: list[Any]) -> None:
    """The same orders make the same fills, in the same order, against the same resting orders."""
    desk, naive = Desk(fees=FREE), Naive()
    for who, side, qty, price, rests in orders:
        tif = TimeInForce.GTC if rests else TimeInForce.IOC
        order = desk.limit(who, side, qty, price, tif=tif)
        naive.limit(order.id, side, price, d(qty), rests=rests)
    makers = [
        (trade.sell_order if not trade.buyer_maker else trade.buy_order, int(trade.price), trade.qty)
        for trade in desk.engine.public_trades(BTC)
    ]
    assert makers == naive.fills
