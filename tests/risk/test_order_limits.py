"""Each limit on single orders alone: at the limit, just above, and what it lets pass."""

from decimal import Decimal

import pytest

from tests.risk.desk import BUY, FLAT, LONG, SELL, Desk, code
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import Book
from tradingd.risk.limits import (
    InstrumentFilters,
    MaxOpenOrders,
    MaxOrderNotional,
    MaxOrderQuantity,
    OrderRate,
    PriceCollar,
    ReduceOnly,
    RepeatedOrders,
    SelfMatch,
    StaleData,
)
from tradingd.testing import at, make_instrument, make_quote


def test_an_order_of_the_greatest_quantity_passes_and_one_more_is_denied() -> None:
    """The quantity of one order is limited in units."""
    desk = Desk(MaxOrderQuantity(10))
    assert desk.order(BUY, 11) == "MAX_ORDER_QUANTITY: 11 AAPL, the limit is 10"
    assert desk.order(BUY, 10) == ""


def test_an_order_of_the_greatest_notional_passes_and_a_cent_more_is_denied() -> None:
    """The value of one order is limited in the account's currency."""
    desk = Desk(MaxOrderNotional(1000))
    assert desk.order(BUY, 10, limit="100.01") == "MAX_ORDER_NOTIONAL: 1000.10 USD, the limit is 1000 USD"
    assert desk.order(BUY, 10) == ""


def test_a_buy_below_the_market_is_worth_its_limit() -> None:
    """A limit buy cannot pay more than its limit."""
    assert Desk(MaxOrderNotional(1000)).order(BUY, 20, limit=50) == ""


def test_a_sell_below_the_market_is_worth_the_market() -> None:
    """A limit sell takes what the market pays."""
    assert code(Desk(MaxOrderNotional(1000)).order(SELL, 20, limit=50)) == "MAX_ORDER_NOTIONAL"


@pytest.mark.parametrize("limit", [MaxOrderQuantity(1), MaxOrderNotional(1), StaleData(1), MaxOpenOrders(0)])
def test_an_order_that_only_reduces_is_not_held_back(limit: object) -> None:
    """A position can be closed in one go, on an old price, with any number of orders working."""
    desk = Desk(limit)  # type: ignore[arg-type]
    desk.hold(50)
    assert desk.order(SELL, 50, minute=60) == ""


@pytest.mark.parametrize(
    ("quantity", "options", "reason"),
    [
        ("1.5", {}, "LOT: AAPL: quantity 1.5 is not a positive multiple of the lot 1"),
        (1, {}, "MIN_QUANTITY: AAPL: 1 is below the minimum 2"),
        (51, {}, "MAX_QUANTITY: AAPL: 51 is above the maximum 50"),
        (2, {}, "MIN_NOTIONAL: AAPL: 200.0 is below the minimum 300 USD"),
        (41, {}, "MAX_NOTIONAL: AAPL: 4100.0 is above the maximum 4000 USD"),
        (4, {"limit": "99.995"}, "TICK: AAPL: price 99.995 is not a positive multiple of the tick 0.01"),
        (4, {"stop": "99.995"}, "TICK: AAPL: price 99.995 is not a positive multiple of the tick 0.01"),
    ],
)
def test_what_the_venue_would_refuse_is_denied(quantity: str | int, options: dict[str, str], reason: str) -> None:
    """Lot, tick, minima and maxima are checked before the order leaves."""
    shares = make_instrument(
        min_quantity=Decimal(2), max_quantity=Decimal(50), min_notional=Decimal(300), max_notional=Decimal(4000)
    )
    assert Desk(InstrumentFilters(), instruments=[shares]).order(BUY, quantity, **options) == reason  # type: ignore[arg-type]


# --- reduce-only ----------------------------------------------------------------------------------------------


def test_a_reduce_only_order_may_take_all_that_is_held() -> None:
    """A reduce-only order of the whole position passes, one of more is denied."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    reason = desk.order(SELL, 11, reduce_only=True)
    assert reason == "REDUCE_ONLY: SELL 11 AAPL could do more than reduce 10 of which 0 are already being reduced"
    assert desk.order(SELL, 10, reduce_only=True) == ""


@pytest.mark.parametrize(("held", "side"), [(0, SELL), (0, BUY), (10, BUY), (-10, SELL)])
def test_a_reduce_only_order_that_could_open_or_grow_is_denied(held: int, side: object) -> None:
    """From flat, or on the position's own side, there is nothing to reduce."""
    desk = Desk(ReduceOnly())
    if held:
        desk.hold(held)
    assert code(desk.order(side, 1, reduce_only=True)) == "REDUCE_ONLY"  # type: ignore[arg-type]


def test_reduce_only_orders_share_what_is_held() -> None:
    """Two reduce-only orders may not both take the same shares."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.order(SELL, 6, stop=90, reduce_only=True)
    assert code(desk.order(SELL, 5, limit=110, reduce_only=True)) == "REDUCE_ONLY"


def test_a_plain_order_may_not_take_away_what_a_reduce_only_order_is_to_reduce() -> None:
    """After that sell the working stop would open a short, which it was approved never to do."""
    desk = Desk(ReduceOnly())
    desk.hold(10)
    desk.order(SELL, 10, "stop", stop=90, reduce_only=True)
    assert "the reduce-only order stop of 10 could do more than reduce 10; cancel it first" in desk.order(SELL, 1)


# --- prices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "edge", "beyond"), [(BUY, 110, "110.01"), (SELL, 90, "89.99")])
def test_a_limit_price_within_the_collar_passes_and_beyond_is_denied(side: object, edge: int, beyond: str) -> None:
    """A limit may be just as far from the latest price as the collar is wide."""
    desk = Desk(PriceCollar(10))
    reason = desk.order(side, 1, limit=beyond)  # type: ignore[arg-type]
    assert reason == f"PRICE_COLLAR: {beyond} is 10.0100 % away from 100.0, the limit is 10 %"
    assert desk.order(side, 1, limit=edge) == ""  # type: ignore[arg-type]


def test_a_signal_decided_on_a_price_far_from_the_market_is_denied() -> None:
    """A strategy that saw another market than we do may not enter on it."""
    assert code(Desk(PriceCollar(10)).signal(LONG, 111.0)) == "PRICE_COLLAR"


def test_an_exit_at_market_passes_the_collar_whatever_it_was_decided_on() -> None:
    """Getting out is not held up by the price that the strategy saw."""
    desk = Desk(PriceCollar(10))
    desk.hold(10)
    assert desk.signal(FLAT, 200.0) == ""


def test_a_limit_price_needs_a_price_to_be_held_against() -> None:
    """Before the first price a collar cannot tell, so it denies."""
    reason = Desk(PriceCollar(10), price=None).order(BUY, 1, limit=100)
    assert reason == "NO_REFERENCE_PRICE: AAPL has no price to hold 100 against"


def test_an_order_on_a_price_just_old_enough_passes_and_older_is_denied() -> None:
    """The age of the latest price is measured in the run's own time, by the events' timestamps."""
    desk = Desk(StaleData(60))
    assert desk.order(BUY, 1, minute=1) == ""
    assert desk.order(BUY, 1, minute=1.5) == "STALE_DATA: AAPL's price is 90 s old, the limit is 60 s"


def test_an_order_without_any_price_is_stale() -> None:
    """No price is older than any."""
    assert Desk(StaleData(60), price=None).order(BUY, 1, limit=100) == "STALE_DATA: AAPL has no price yet"


# --- how many ----------------------------------------------------------------------------------------------------


def test_as_many_orders_as_the_limit_may_work() -> None:
    """The last of them passes, one more is denied, and each that ends makes room."""
    desk = Desk(MaxOpenOrders(2))
    desk.order(BUY, 1, "a")
    desk.order(BUY, 1, "b")
    denied = desk.order(BUY, 1)
    desk.update("a", OrderStatus.CANCELED)
    assert denied == "MAX_OPEN_ORDERS: 2 orders are working, the limit is 2"
    assert desk.order(BUY, 1) == ""


def test_working_orders_are_limited_per_symbol() -> None:
    """Another symbol has room of its own."""
    desk = Desk(MaxOpenOrders(per_symbol=1))
    desk.market(100.0, symbol="MSFT")
    desk.order(BUY, 1)
    assert desk.order(BUY, 1) == "MAX_OPEN_ORDERS: 1 orders are working in AAPL, the limit is 1"
    assert desk.order(BUY, 1, symbol="MSFT") == ""


def test_the_rate_of_orders_is_limited_over_a_sliding_minute() -> None:
    """The third order within a minute is denied; exactly a minute after the first there is room again."""
    desk = Desk(OrderRate(2))
    desk.order(BUY, 1, minute=0)
    desk.order(BUY, 1, minute=0.5)
    assert desk.order(BUY, 1, minute=0.99) == "ORDER_RATE: s placed 2 orders within a minute, the limit"
    assert desk.order(BUY, 1, minute=1) == ""
    assert code(desk.order(BUY, 1, minute=1.4)) == "ORDER_RATE"


def test_denied_orders_do_not_count_towards_the_rate() -> None:
    """Only what was sent is counted."""
    desk = Desk(OrderRate(1), MaxOrderQuantity(5))
    desk.order(BUY, 6)
    assert desk.order(BUY, 5) == ""


def test_each_strategy_has_a_rate_of_its_own() -> None:
    """One strategy's flood does not hold up the other."""
    desk = Desk(OrderRate(1))
    desk.order(BUY, 1, strategy="a")
    assert desk.order(BUY, 1, strategy="b") == ""


def test_a_strategy_that_floods_entries_can_still_get_out() -> None:
    """Reducing orders have an allowance of their own of the same size."""
    desk = Desk(OrderRate(1))
    desk.hold(10)
    desk.order(BUY, 1)
    assert (desk.order(SELL, 1), code(desk.order(SELL, 1))) == ("", "ORDER_RATE")


def test_an_order_may_be_repeated_so_often_within_the_window() -> None:
    """The first and two repetitions pass, a third does not, until the first has left the window."""
    desk = Desk(RepeatedOrders(2, 60))
    passed = [desk.order(BUY, 1, minute=minute) for minute in (0, 0.1, 0.2)]
    assert passed == ["", "", ""]
    assert desk.order(BUY, 1, minute=0.3) == "REPEATED_ORDER: the same BUY 1 AAPL 3 times within 60 s"
    assert desk.order(BUY, 1, minute=1) == ""


def test_another_price_is_another_order() -> None:
    """Only what is alike in all it says is a repetition."""
    desk = Desk(RepeatedOrders(0, 60))
    assert (desk.order(BUY, 1, limit=99), desk.order(BUY, 1, limit=98)) == ("", "")


def test_the_memory_of_repetitions_is_bounded() -> None:
    """Orders whose window has passed are forgotten."""
    limit = RepeatedOrders(0, 60)
    desk = Desk(limit)
    for number in range(1, 1_500):
        desk.order(BUY, number, minute=number)
    assert len(limit._seen) <= 1_001


def test_changes_are_not_counted_as_new_orders() -> None:
    """An order that trails the market is one order."""
    desk = Desk(OrderRate(1), RepeatedOrders(0, 60), MaxOpenOrders(1))
    desk.order(BUY, 1, "a", limit=99)
    desk.update("a")
    assert desk.modify("a", limit=98) == ""


# --- our own orders ----------------------------------------------------------------------------------------------


def test_a_limit_that_crosses_our_own_is_denied() -> None:
    """A buy at or above our resting sell would trade with ourselves; one below does not."""
    desk = Desk(SelfMatch())
    desk.order(SELL, 1, "mine", limit=105)
    reason = desk.order(BUY, 1, limit=105)
    assert reason == "SELF_MATCH: BUY at 105 would meet our own SELL at 105 (mine)"
    assert desk.order(BUY, 1, limit="104.99") == ""


def test_a_market_order_meets_our_own_at_the_latest_price() -> None:
    """A market sell trades with our buy that rests at the market."""
    desk = Desk(SelfMatch())
    desk.order(BUY, 1, limit=100)
    desk.order(BUY, 1, limit=99)
    assert "SELL at 100.0 would meet our own BUY at 100" in desk.order(SELL, 1)


@pytest.mark.parametrize(("ours", "denied"), [("100.10", True), ("100.11", False)])
def test_a_market_order_is_held_against_the_other_side_of_a_quote(ours: str, *, denied: bool) -> None:
    """Our sell at the ask is what a market buy meets first, though the mid is lower."""
    desk = Desk(SelfMatch())
    desk.prices.update(make_quote(99.9, 100.1))
    desk.order(SELL, 1, limit=ours)
    assert (code(desk.order(BUY, 1)) == "SELF_MATCH") is denied


def test_a_market_order_is_held_against_the_other_side_of_a_book() -> None:
    """Our buy at the best bid is what a market sell meets first."""
    desk = Desk(SelfMatch())
    desk.prices.update(Book(at(0), "AAPL", ((99.0, 1.0),), ((101.0, 1.0),)))
    desk.order(BUY, 1, limit=99)
    assert code(desk.order(SELL, 1)) == "SELF_MATCH"


def test_a_change_that_is_not_confirmed_may_rest_at_either_price() -> None:
    """While our sell is on its way from 105 to 102, a buy may meet it at both."""
    desk = Desk(SelfMatch())
    desk.order(SELL, 1, "mine", limit=105)
    desk.update("mine")
    desk.modify("mine", limit=102)
    during = desk.order(BUY, 1, limit=103)
    desk.update("mine", reason="MODIFIED", limit_price=Decimal(106))
    assert code(during) == "SELF_MATCH"


@pytest.mark.parametrize("options", [{"stop": 110}, {"limit": 90}])
def test_an_order_that_does_not_trade_at_once_meets_nothing(options: dict[str, int]) -> None:
    """Neither a stop nor a limit short of our own meets it."""
    desk = Desk(SelfMatch())
    desk.order(SELL, 1, limit=105)
    assert desk.order(BUY, 1, **options) == ""  # type: ignore[arg-type]


def test_a_change_does_not_meet_itself() -> None:
    """An order is not its own other side, and the other orders of its side are none either."""
    desk = Desk(SelfMatch())
    desk.order(BUY, 1, "a", limit=99)
    desk.order(BUY, 1, limit=98)
    desk.update("a")
    assert desk.modify("a", limit=100) == ""
