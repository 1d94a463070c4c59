"""The simulated exchange: conditional orders of every type, on bars, quotes and trades."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.market import BUY, SELL, Market
from tradingd.broker.account import AccountType
from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import Bar, ReportKind
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.testing import make_bar, make_quote, make_trade

STOP_LIMIT, TAKE_PROFIT = OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT
TAKE_PROFIT_LIMIT, TRAILING_STOP = OrderType.TAKE_PROFIT_LIMIT, OrderType.TRAILING_STOP
TAKER, MAKER = Liquidity.TAKER, Liquidity.MAKER


def trailing(offset: str, *, percent: bool = False, **fields: Any) -> dict[str, Any]:
    """A trailing stop's terms."""
    terms = OrderTerms(trail=Trail(Decimal(offset), percent))
    return {"order_type": TRAILING_STOP, "terms": terms, **fields}


def at_100(**order: Any) -> Market:
    """A market at 100 with 50 shares, and an order `o` for one."""
    market = Market({"USD": 10_000, "AAPL": 50})
    market.flat(100)
    market.order(quantity=1, order_id="o", **order)
    return market


def told(market: Market) -> list[tuple[str, Liquidity]]:
    """Price and liquidity of the trades."""
    return [(f"{trade.price.normalize():f}", trade.liquidity) for trade in market.trades]


@pytest.mark.parametrize(
    ("order", "bar", "trades"),
    [
        # a stop-limit that the open jumps over
        ({"side": BUY, "stop": 105, "limit": 107}, (106, 108, 105, 107), [("106", TAKER)]),
        ({"side": BUY, "stop": 105, "limit": 107}, (109, 110, 108, 109), []),
        ({"side": BUY, "stop": 105, "limit": 107}, (109, 110, 106, 108), [("107", MAKER)]),
        ({"side": BUY, "stop": 105, "limit": 107}, (109, 110, 107, 108), []),
        ({"side": SELL, "stop": 95, "limit": 93}, (92, 94, 90, 91), [("93", MAKER)]),
        # one that is touched inside the bar
        ({"side": BUY, "stop": 105, "limit": 107}, (100, 112, 99, 111), [("105", TAKER)]),
        ({"side": SELL, "stop": 95, "limit": 93}, (100, 101, 80, 81), [("95", TAKER)]),
        # and whose limit is on the far side: only the close is known to have come after the trigger
        ({"side": BUY, "stop": 105, "limit": 103}, (100, 106, 99, 104), []),
        ({"side": BUY, "stop": 105, "limit": 103}, (100, 106, 99, 102), [("103", MAKER)]),
        ({"side": SELL, "stop": 95, "limit": 97}, (100, 101, 94, 96), []),
        ({"side": SELL, "stop": 95, "limit": 97}, (100, 101, 94, 98), [("97", MAKER)]),
        # not touched
        ({"side": BUY, "stop": 105, "limit": 107}, (100, 104.99, 90, 100), []),
    ],
)
def test_stop_limit_in_a_bar(
    order: dict[str, Any], bar: tuple[float, ...], trades: list[tuple[str, Liquidity]]
) -> None:
    """A triggered stop-limit takes within its limit, else rests and fills only at what came after the trigger."""
    market = at_100(order_type=STOP_LIMIT, **order)
    market.bar(*bar)
    assert told(market) == trades


@pytest.mark.parametrize(
    ("order", "bar", "trades"),
    [
        ({"side": SELL, "stop": 105}, (107, 108, 106, 107), [("107", TAKER)]),
        ({"side": SELL, "stop": 105}, (100, 105, 99, 101), [("105", TAKER)]),
        ({"side": SELL, "stop": 105}, (100, 104, 99, 101), []),
        ({"side": BUY, "stop": 95}, (93, 96, 92, 95), [("93", TAKER)]),
        ({"side": BUY, "stop": 95}, (100, 101, 95, 100), [("95", TAKER)]),
        ({"side": SELL, "stop": 105, "limit": 104}, (100, 106, 99, 100), [("105", TAKER)]),
        ({"side": SELL, "stop": 105, "limit": 104}, (107, 108, 106, 107), [("107", TAKER)]),
        ({"side": SELL, "stop": 105, "limit": 108}, (107, 108, 106, 107), []),
        ({"side": SELL, "stop": 105, "limit": 108}, (107, 109, 106, 107), [("108", MAKER)]),
        ({"side": SELL, "stop": 105, "limit": 108}, (100, 109, 99, 101), [("108", MAKER)]),
        ({"side": BUY, "stop": 95, "limit": 92}, (100, 101, 91, 101), [("92", MAKER)]),
    ],
)
def test_take_profit_in_a_bar(
    order: dict[str, Any], bar: tuple[float, ...], trades: list[tuple[str, Liquidity]]
) -> None:
    """A take-profit triggers on the other side than a stop; a limit beyond its trigger comes after it."""
    market = at_100(order_type=TAKE_PROFIT_LIMIT if "limit" in order else TAKE_PROFIT, **order)
    market.bar(*bar)
    assert told(market) == trades


def test_woken_limit_rests() -> None:
    """A stop-limit that was triggered and has not filled is a resting limit order, whatever the market does."""
    market = at_100(side=BUY, order_type=STOP_LIMIT, stop=105, limit=106)
    market.flat(108)
    market.bar(104, 104, 103, 104)
    assert told(market) == [("106", MAKER)]


def test_woken_order_keeps_its_trigger() -> None:
    """The stop price of an order that was triggered cannot be changed any more; its limit can."""
    market = at_100(side=BUY, order_type=STOP_LIMIT, stop=105, limit=106)
    market.flat(108)
    market.broker.modify_order("o", stop_price=Decimal(110))
    assert market.reason(ReportKind.MODIFY_REJECTED) == "WRONG_PRICE"
    market.broker.modify_order("o", limit_price=Decimal(109))
    market.flat(108)
    assert told(market) == [("108", TAKER)]


def test_both_prices_are_on_the_tick() -> None:
    """A stop-limit's stop price is held to the tick, too."""
    market = at_100(side=BUY, order_type=STOP_LIMIT, stop="105.001", limit=106)
    assert market.reason(ReportKind.REJECTED) == "TICK"


@pytest.mark.parametrize(
    ("order", "quotes", "trades"),
    [
        ({"side": BUY, "order_type": STOP_LIMIT, "stop": 105, "limit": 106}, [(104, 105)], [("105", TAKER)]),
        ({"side": BUY, "order_type": STOP_LIMIT, "stop": 105, "limit": 106}, [(106, 107)], []),
        (
            {"side": BUY, "order_type": STOP_LIMIT, "stop": 105, "limit": 106},
            [(106, 107), (105, 106)],
            [("106", MAKER)],
        ),
        ({"side": SELL, "order_type": TAKE_PROFIT, "stop": 105}, [(104, 106), (105, 107)], [("105", TAKER)]),
        (
            {"side": SELL, **trailing("2")},
            [(100, 101), (105, 106), (103.01, 104), (103, 104)],
            [("103", TAKER)],
        ),
        ({"side": BUY, **trailing("2")}, [(95, 96), (97, 97.99), (97, 98)], [("98", TAKER)]),
        ({"side": SELL, **trailing("10", percent=True)}, [(200, 201), (181, 182), (180, 182)], [("180", TAKER)]),
    ],
)
def test_quotes(
    order: dict[str, Any], quotes: list[tuple[float, float]], trades: list[tuple[str, Liquidity]]
) -> None:
    """On quotes a conditional order is triggered, and trails, by the price that a taker would get."""
    market = at_100(**order)
    for minute, (bid, ask) in enumerate(quotes, 1):
        market.see(make_quote(bid, ask, minute=minute))
    assert told(market) == trades


def test_trades_move_a_trailing_stop() -> None:
    """On public trades a trailing stop follows their prices and fills at the one that reaches it."""
    market = at_100(side=SELL, **trailing("2"))
    for minute, price in enumerate([101, 104, 103, 101.5], 1):
        market.see(make_trade(price, minute=minute))
    assert told(market) == [("101.5", TAKER)]


@pytest.mark.parametrize(
    ("bars", "trades"),
    [
        ([(100, 101, 98.01, 100)], []),
        ([(100, 101, 98, 100)], [("98", TAKER)]),  # the high may have come after the low
        ([(97, 99, 96, 98)], [("97", TAKER)]),
        ([(103, 104, 101, 103)], [("101", TAKER)]),  # the open comes first and moves it
        ([(100, 106, 99, 105), (105, 105, 104, 104)], [("104", TAKER)]),
        ([(100, 106, 99, 103)], [("103", TAKER)]),  # high, then close: it must have been hit on the way
        ([(100, 106, 99, 104.01), (104.5, 107, 104.01, 106), (106, 106, 100, 101)], [("105", TAKER)]),
    ],
)
def test_trailing_stop_in_bars(bars: list[tuple[float, ...]], trades: list[tuple[str, Liquidity]]) -> None:
    """A bar meets the level that was known before its extremes; these move it afterwards."""
    market = at_100(side=SELL, **trailing("2"))
    for bar in bars:
        market.bar(*bar)
    assert told(market) == trades


def test_trailing_stop_begins_where_told() -> None:
    """A trailing stop with a stop price begins there and follows once its distance allows more."""
    market = at_100(side=SELL, **trailing("2", stop=90))
    market.bar(91, 91.5, 90.5, 91.5)
    assert not market.trades  # its distance from 91.5 is at 89.5
    market.bar(95, 96, 94.5, 95)
    market.bar(95, 95, 94, 95)
    assert told(market) == [("94", TAKER)]


def test_trailing_stop_is_on_the_tick() -> None:
    """A percentage of the best price is moved to the tick that is the worse one."""
    market = at_100(side=SELL, **trailing("0.333", percent=True))
    market.bar(100, 100, 99, 99)
    assert told(market) == [("99.66", TAKER)]


def test_trailing_stop_without_a_price() -> None:
    """A trailing stop that is told no stop price needs a market to start from."""
    market = Market()
    market.order(BUY, 1, **trailing("2"))
    assert market.reason(ReportKind.REJECTED) == "NO_PRICE"


@pytest.mark.parametrize(
    "order",
    [
        {"order_type": TRAILING_STOP},
        trailing("0"),
        trailing("-1"),
        trailing("100", percent=True),
        {"terms": OrderTerms(trail=Trail(Decimal(1)))},
    ],
)
def test_wrong_trail(order: dict[str, Any]) -> None:
    """A trailing stop without a sensible distance is refused, and a distance of another order."""
    market = at_100(side=SELL, **order)
    assert market.reason(ReportKind.REJECTED) == "WRONG_TERMS"


def test_trailing_stop_below_nothing() -> None:
    """A trailing stop whose distance is more than the price has no level to begin at."""
    market = at_100(side=SELL, **trailing("100"))
    assert market.reason(ReportKind.REJECTED) == "TICK"


def test_changed_trailing_stop() -> None:
    """A trailing stop can be moved by hand; it is told where it stands."""
    market = at_100(side=SELL, **trailing("2"))
    market.broker.modify_order("o", stop_price=Decimal(99))
    assert market.log.events[-1].stop_price == 99
    market.bar(100, 100, 99, 100)
    assert told(market) == [("99", TAKER)]


@pytest.mark.parametrize("kind", [STOP_LIMIT, TAKE_PROFIT_LIMIT])
def test_immediate_conditional(kind: OrderType) -> None:
    """An IOC order that its trigger does not let take at once expires then, not before."""
    prices = (105, 104) if kind is STOP_LIMIT else (95, 94)
    market = at_100(side=BUY, order_type=kind, stop=prices[0], limit=prices[1], time_in_force=TimeInForce.IOC)
    market.flat(100)
    assert market.kinds("o") == ["ACCEPTED"]
    market.bar(100, 106, 94.5, 100)
    assert market.kinds("o") == ["ACCEPTED", "EXPIRED"]


# --- what must hold of any bar ---------------------------------------------------------------------------------

cents = st.integers(4_000, 16_000).map(lambda n: n / 100)


@st.composite
def bars(draw: st.DrawFn) -> list[Bar]:
    """A few bars, one minute each."""
    made = []
    for minute in range(1, draw(st.integers(2, 5))):
        low, first, last, high = sorted(draw(st.lists(cents, min_size=4, max_size=4)))
        open_, close = draw(st.sampled_from([(first, last), (last, first)]))
        made.append(make_bar(close, open=open_, high=high, low=low, minute=minute))
    return made


@given(bars(), st.sampled_from(Side), st.sampled_from(OrderType), cents, cents, st.integers(1, 3_000))
def test_fills_are_possible_and_not_too_good(
    events: list[Bar], side: Side, kind: OrderType, stop: float, limit: float, offset: int
) -> None:
    """A fill lies in its bar, keeps to its limit, comes after its trigger, and no stop betters its level."""
    order: dict[str, Any] = {"side": side, "order_type": kind}
    if kind.has_limit:
        order["limit"] = str(limit)
    if kind.is_conditional:
        order["stop"] = str(stop)
    if kind is TRAILING_STOP:
        order |= trailing(str(Decimal(offset) / 100), stop=str(stop))
    market = Market({"USD": 100_000, "AAPL": 5})
    market.flat(100)
    market.order(quantity=1, order_id="o", **order)
    past: list[Bar] = []
    for event in events:
        if not market.trades:
            past.append(event)
            market.see(event)
    assert len(market.trades) <= 1
    for trade in market.trades:
        bar = past[-1]
        price, sign = float(trade.price), side.sign
        jumped_over = kind.has_limit and price == limit and (price < bar.low if side is SELL else price > bar.high)
        assert bar.low <= price <= bar.high or jumped_over  # a resting limit takes nothing better than itself
        if kind.has_limit:
            assert price * sign <= limit * sign
        rises = (side is BUY) == (kind in {OrderType.STOP, STOP_LIMIT})
        if kind.is_conditional and kind is not TRAILING_STOP:
            assert max(b.high for b in past) >= stop if rises else min(b.low for b in past) <= stop
        if kind is OrderType.STOP:
            assert price * sign >= stop * sign
        if kind is TRAILING_STOP:
            best = max([stop, *(b.high - offset / 100 for b in past)]) if side is SELL else None
            assert best is None or price <= best + 1e-9


@given(bars(), st.sampled_from(Side), st.integers(1, 3_000))
def test_trailing_stop_only_tightens(events: list[Bar], side: Side, offset: int) -> None:
    """A trailing stop's level never moves away from the market."""
    market = Market({"USD": 100_000, "AAPL": 5})
    market.flat(100)
    market.order(side, 1, order_id="o", **trailing(str(Decimal(offset) / 100)))
    working = market.broker._desk.by_id["o"]
    levels = [working.level]
    for event in events:
        market.see(event)
        if not working.over:
            levels.append(working.level)
    wanted = sorted(levels, reverse=side is BUY)
    assert levels == wanted


@pytest.mark.parametrize(("held", "side"), [(-10, BUY), (10, SELL)])
def test_trailing_stop_while_there_is_no_price(held: int, side: Side) -> None:
    """A trailing stop that came while there was no price begins at the first one, and is not triggered by it."""
    market = Market(account_type=AccountType.MARGIN, leverage=Decimal(2))
    market.holding(held)
    market.see(make_quote(0.0, 0.0, minute=3))
    terms = OrderTerms(trail=Trail(Decimal(5)))
    order = market.order(side, 10, order_type=OrderType.TRAILING_STOP, reduce_only=True, terms=terms)
    market.see(make_quote(100.0, 100.1, minute=4))
    assert market.kinds(order) == ["ACCEPTED"]
    beyond = make_quote(105.0, 105.2, minute=5) if side is BUY else make_quote(94.0, 95.0, minute=5)
    market.see(beyond)
    assert market.kinds(order) == ["ACCEPTED", "TRADE"]
