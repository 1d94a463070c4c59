"""Dollar-cost averaging: nothing lost, nothing doubled."""

from decimal import Decimal
from typing import Any

import pytest

from tests.strategy.desk import Desk, requests, signals, wanted
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import CancelRequest
from tradingd.strategy.dca import DollarCostAveraging
from tradingd.testing import make_bar, make_instrument, make_quote, make_trade


def desk(**params: Any) -> Desk:
    """100 USD a minute into a share in whole lots, or what is told."""
    given: dict[str, Any] = {"symbol": "AAPL", "notional": "100", "interval_s": 60, **params}
    if "every_bars" in given:
        del given["interval_s"]
    return Desk(DollarCostAveraging, given)


def bar(minute: float, price: float = 10.0) -> Any:
    """A bar that opens at that minute."""
    return make_bar(price, minute=minute)


def bought(run: Desk, minute: float, price: float = 10.0) -> Any:
    """The one order that this bar leads to."""
    (order,) = requests(run.market(bar(minute, price)))
    return order


# --- the schedule ------------------------------------------------------------------------------------------


def test_it_buys_at_once_and_then_every_interval() -> None:
    """One market order of the notional each minute."""
    run = desk()
    for minute in range(4):
        order = bought(run, minute)
        assert (order.quantity, order.limit_price) == (Decimal(10), None)
        run.accept(order)
        assert run.fill(order, price="10") == []


def test_it_buys_every_so_many_bars() -> None:
    """Bars are counted, not time."""
    run = desk(every_bars=3)
    buys = []
    for number in range(7):
        for order in requests(run.market(bar(number * 100))):
            buys.append(number)
            run.accept(order)
            run.fill(order, price="10")
    assert buys == [0, 3, 6]


def times(run: Desk, *minutes: float) -> list[float]:
    """At which of these minutes it buys; each buy is filled."""
    bought = []
    for minute in minutes:
        for order in requests(run.market(make_trade(10.0, minute=minute))):
            bought.append(minute)
            run.accept(order)
            run.fill(order, price="10")
    return bought


def test_aligned_buys_come_at_whole_multiples_of_the_interval() -> None:
    """A run buys at the same moments whenever it begins, so a restart doubles no buy; on one of them at once."""
    first = 5 / 3  # 22:15:00, that many minutes after the tests' first instant
    every = {"interval_s": 300, "aligned": True}
    assert times(desk(**every), 0, first - 0.1, first, first + 1, first + 5) == [first, first + 5]
    assert times(desk(**every), first + 1, first + 4.9, first + 5.5, first + 6) == [first + 5.5]
    assert times(desk(**every), first, first + 1) == [first]
    assert times(desk(interval_s=300), 0, first, 5) == [0, 5]


def test_aligned_needs_an_interval() -> None:
    """Bars have no moment to be aligned with."""
    with pytest.raises(ValueError, match="aligned does nothing without interval_s"):
        desk(every_bars=3, aligned=True)


def test_what_a_gap_swallowed_is_made_up_for_one_order_at_a_time() -> None:
    """After three missed minutes four buys are due; each waits for the one before."""
    run = desk()
    order = bought(run, 0)
    run.accept(order)
    run.fill(order, price="10")
    quantities = []
    for number in range(6):
        for order in requests(run.market(bar(4 + number / 100))):
            quantities.append(order.quantity)
            run.accept(order)
            assert run.fill(order, price="10") == []
    assert quantities == [10, 10, 10, 10]


def test_quotes_and_trades_drive_it_too() -> None:
    """A quote buys at its ask, a trade at its price; a crossed or one-sided quote at nothing."""
    assert requests(desk().market(make_quote(9.0, 12.5)))[0].quantity == 8
    assert requests(desk().market(make_trade(20.0)))[0].quantity == 5
    assert desk().market(make_quote(13.0, 12.5)) == []
    assert desk().market(make_quote(0.0, 12.5)) == []


# --- nothing lost, nothing doubled -------------------------------------------------------------------------


def test_one_order_at_a_time() -> None:
    """While the outcome of a buy is not known, further intervals only add to what is due."""
    run = desk()
    order = bought(run, 0)
    run.accept(order)
    run.tell(order, OrderStatus.UNKNOWN)
    assert run.market(bar(1)) == []
    assert run.market(bar(2)) == []
    run.tell(order, OrderStatus.OPEN)
    run.fill(order, price="10")
    assert bought(run, 2.1).quantity == 10


@pytest.mark.parametrize("late", [False, True])
def test_a_fill_counts_once_whichever_news_comes_first(late: bool) -> None:  # noqa: FBT001
    """Neither way round leads to a second order for the same money."""
    run = desk(interval_s=3600)
    order = bought(run, 0)
    run.accept(order)
    assert run.fill(order, price="10", late=late) == []
    assert run.market(bar(1)) == []


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.EXPIRED])
def test_a_refused_buy_is_asked_for_again_later_and_ever_later(status: OrderStatus) -> None:
    """After 1, then 2, then 4 minutes; in between, nothing."""
    run = desk(interval_s=86_400)
    asked = []
    for tenth in range(100):
        for order in requests(run.market(bar(tenth / 10))):
            asked.append(tenth / 10)
            assert run.tell(order, status, "no") == []
    assert asked == [0.0, 1.0, 3.0, 7.0]


def test_a_success_makes_it_patient_no_more() -> None:
    """The wait of a refusal is over when a buy has filled."""
    run = desk(interval_s=120)
    run.deny(bought(run, 0))
    order = bought(run, 1)
    run.accept(order)
    run.fill(order, price="10")
    run.deny(bought(run, 2))
    assert bought(run, 3).quantity == 10


def test_the_rest_of_a_partial_fill_stays_due() -> None:
    """What an order that ended early has not spent is spent by the next."""
    run = desk(interval_s=3600)
    order = bought(run, 0)
    run.accept(order)
    run.fill(order, "4", "10")
    assert run.market(bar(0.5)) == []  # the rest still works
    run.tell(order, OrderStatus.CANCELED)
    assert bought(run, 0.6).quantity == 6


def test_what_lots_leave_over_is_added_to_the_next_buy() -> None:
    """100 buys 3 shares of 30; the 10 left make the 4th share of the third interval."""
    run = desk()
    total = Decimal(0)
    for minute in range(3):
        for part in (0.0, 0.1, 0.2):
            for order in requests(run.market(bar(minute + part, 30.0))):
                run.accept(order)
                run.fill(order, price="30")
                total += order.quantity
    assert total == 10  # of 300


def test_a_notional_below_a_lot_is_saved_up() -> None:
    """A share of 250 is bought every time three hundred have come together."""
    run = desk()
    buys = []
    for minute in range(6):
        for order in requests(run.market(bar(minute, 250.0))):
            buys.append((minute, order.quantity))
            run.accept(order)
            run.fill(order, price="250")
    assert buys == [(2, 1), (4, 1)]


def test_what_the_venue_takes_no_order_for_is_not_asked_for() -> None:
    """Below the least notional nothing is sent, and so nothing refused."""
    run = Desk(
        DollarCostAveraging,
        {"symbol": "AAPL", "notional": "100", "interval_s": 60},
        instruments={"AAPL": make_instrument("AAPL", min_notional="150")},
    )
    assert run.market(bar(0)) == []
    assert bought(run, 1).quantity == 20


def test_a_fill_at_a_worse_price_makes_the_next_buy_smaller() -> None:
    """Over time no more than the schedule is spent."""
    run = desk()
    order = bought(run, 0)
    run.accept(order)
    run.fill(order, price="11")
    assert bought(run, 1).quantity == 9


# --- the cap, dips, profits --------------------------------------------------------------------------------


def test_the_cap_bounds_what_is_invested() -> None:
    """250 in all: two buys and a half, then nothing, and nothing is owed for it."""
    run = desk(max_invested="250")
    spent = []
    for minute in range(10):
        for order in requests(run.market(bar(minute))):
            run.accept(order)
            run.fill(order, price="10")
            spent.append(order.quantity * 10)
    assert spent == [100, 100, 50]


def test_the_cap_counts_a_position_from_before() -> None:
    """After a restart the position that is there has used up its part."""
    run = desk(max_invested="250")
    run.hold("AAPL", "20", "10")
    assert bought(run, 0).quantity == 5


def test_a_dip_makes_an_extra_buy_due() -> None:
    """10 % below the last buy, and again 10 % below that dip; not twice on the way."""
    run = desk(interval_s=86_400, dip_percent=10, dip_notional="50")
    asked = []
    for number, price in enumerate([10.0, 9.5, 8.9, 8.8, 8.5, 7.9, 7.8]):
        for order in requests(run.market(bar(number, price))):
            asked.append((price, order.quantity))
            run.accept(order)
            run.fill(order, price=str(price))
    assert asked == [(10.0, 10), (8.9, 5), (7.9, 7)]  # 5.5 were left over from the first dip


def test_it_takes_profit_above_the_average_price() -> None:
    """All is sold with one signal; buying goes on with the next interval."""
    run = desk(interval_s=600, take_profit_percent=20)
    order = bought(run, 0)
    run.accept(order)
    run.fill(order, price="10")
    assert run.market(bar(1, 11.9)) == []
    asked = run.market(bar(2, 12.0))
    assert signals(asked) == [("AAPL", "FLAT")]
    assert run.market(bar(3, 12.5)) == []  # on its way
    run.close(asked[0], "12.5")
    assert run.position("AAPL") == 0
    assert run.market(bar(4, 13.0)) == []
    assert bought(run, 10, 10.0).quantity == 10


def test_a_sale_that_fails_is_asked_for_again_later() -> None:
    """And nothing is bought meanwhile, nor at once after it."""
    run = desk(take_profit_percent=20, retry_s=120)
    order = bought(run, 0)
    run.accept(order)
    run.fill(order, price="10")
    (signal,) = run.market(bar(1, 12.5))
    assert run.deny(signal) == []
    assert run.market(bar(2, 12.5)) == []
    assert signals(run.market(bar(3.5, 12.5))) == [("AAPL", "FLAT")]


def test_a_quote_takes_profit_at_its_bid() -> None:
    """What a sale would get decides, not what a purchase would cost."""
    run = desk(interval_s=86_400, take_profit_percent=20)
    run.hold("AAPL", "10", "10")
    assert signals(run.market(make_quote(11.9, 12.6))) == []
    assert signals(run.market(make_quote(12.0, 12.6, minute=1))) == [("AAPL", "FLAT")]


def test_a_price_that_is_none_buys_nothing() -> None:
    """Zero and infinity are no prices."""
    run = desk()
    assert run.market(make_trade(0.0)) == []
    assert run.market(make_trade(float("inf"))) == []
    assert run.market(make_trade(-3.0)) == []


def test_it_only_ever_buys_at_market() -> None:
    """No limit, no cancel, no change."""
    run = desk()
    assert wanted(run.market(bar(0))) == [("BUY", "10", "None")]
    assert not run.run.log.of(CancelRequest)
