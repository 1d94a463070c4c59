"""Each limit on positions alone: at the limit, just above, and what it lets pass."""

from decimal import Decimal

import pytest

from tests.risk.desk import BUY, LONG, SELL, Desk, code
from tradingd.domain.enums import InstrumentKind, OrderStatus
from tradingd.risk.limits import (
    Limit,
    MaxGrossExposure,
    MaxLeverage,
    MaxNetExposure,
    MaxOrderNotional,
    MaxPositionNotional,
    MaxPositionQuantity,
    MaxStrategyCapital,
    NoShort,
)
from tradingd.risk.targets import OrderDetails
from tradingd.testing import make_bar, make_instrument

# All of these let ten shares at 100 pass with a cash of 100,000, and not eleven.
TEN = [
    (MaxPositionQuantity(10), "MAX_POSITION_QUANTITY: AAPL could reach 11, the limit is 10"),
    (MaxPositionNotional(1000), "MAX_POSITION_NOTIONAL: AAPL could reach 1100.00 USD, the limit is 1000.00 USD"),
    (
        MaxGrossExposure(1),
        (
            "MAX_GROSS_EXPOSURE: gross exposure could reach 1100.00 USD, the limit is 1000.00 USD "
            "(1.00 % of equity 100000.00 USD)"
        ),
    ),
    (
        MaxLeverage("0.01"),
        (
            "MAX_LEVERAGE: gross exposure could reach 1100.00 USD, the limit is 1000.00 USD "
            "(1.0000 % of equity 100000.00 USD)"
        ),
    ),
    (MaxNetExposure(1), "MAX_NET_EXPOSURE: net exposure could reach 1100.00 USD, the limit is 1000.00 USD"),
    (MaxStrategyCapital(1000), "MAX_STRATEGY_CAPITAL: s could use 1100.00 USD, its capital is 1000.00 USD"),
]
LIMITS = [pytest.param(limit, id=type(limit).__name__) for limit, _ in TEN]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_order_up_to_the_limit_passes(limit: Limit, side: object) -> None:
    """Exactly at the limit is within it, long or short."""
    assert Desk(limit).order(side, 10) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(("limit", "reason"), [pytest.param(*each, id=type(each[0]).__name__) for each in TEN])
def test_an_order_above_the_limit_is_denied_with_the_figures(limit: Limit, reason: str) -> None:
    """One unit above the limit is denied, and the reason has the code, what could be reached and the limit."""
    assert Desk(limit).order(BUY, 11) == reason


@pytest.mark.parametrize("limit", LIMITS)
def test_working_orders_count(limit: Limit) -> None:
    """What an approved order may still fill takes room, before anything has filled."""
    desk = Desk(limit)
    desk.order(BUY, 6)
    assert (code(desk.order(BUY, 5)) == "", desk.order(BUY, 4)) == (False, "")


@pytest.mark.parametrize("limit", LIMITS)
def test_orders_of_both_sides_do_not_add_up(limit: Limit) -> None:
    """A buy and a sell can never both carry the position away from zero."""
    desk = Desk(limit)
    assert (desk.order(BUY, 10), desk.order(SELL, 10)) == ("", "")


@pytest.mark.parametrize("limit", LIMITS)
def test_a_position_that_has_outgrown_the_limit_may_shrink(limit: Limit) -> None:
    """An order that only reduces passes, however far the position is beyond."""
    desk = Desk(limit)
    desk.hold(30)
    assert desk.order(SELL, 5) == ""


@pytest.mark.parametrize("limit", LIMITS)
def test_a_reversal_is_judged_by_where_it_ends(limit: Limit) -> None:
    """From ten long to ten short is one order of twenty, and within a limit of ten."""
    desk = Desk(limit)
    desk.hold(10)
    assert (desk.order(SELL, 20), code(desk.order(SELL, 1)) == "") == ("", False)


@pytest.mark.parametrize("limit", LIMITS[1:])
def test_an_order_counts_at_its_own_price_where_that_is_higher(limit: Limit) -> None:
    """A buy limit above the market may pay its limit."""
    desk = Desk(limit)
    assert (code(desk.order(BUY, 10, limit=101)) == "", desk.order(BUY, 10, limit=100)) == (False, "")


@pytest.mark.parametrize("limit", LIMITS[1:])
def test_an_order_below_the_market_counts_at_the_market(limit: Limit) -> None:
    """What it would be worth once filled is told by the latest price, so the book keeps what was judged."""
    assert Desk(limit).order(BUY, 11, limit=91) != ""


@pytest.mark.parametrize("limit", LIMITS[1:])
def test_an_order_without_any_price_is_denied(limit: Limit) -> None:
    """Nobody knows what a market order costs before the first price."""
    reason = Desk(limit, price=None).order(BUY, 1)
    assert reason == "NO_REFERENCE_PRICE: AAPL has no price yet, so nobody knows what it costs"


def test_before_the_first_price_a_signal_counts_at_the_price_it_was_decided_on() -> None:
    """A strategy's own price stands in until the market has one."""
    desk = Desk(MaxPositionNotional(1000), price=None)
    assert code(desk.signal(LONG, 101.0)) == "MAX_POSITION_NOTIONAL"


def test_before_the_first_price_a_position_counts_at_what_it_cost() -> None:
    """Held shares without a price are not worth nothing."""
    desk = Desk(MaxPositionNotional(1000), price=None)
    desk.hold(8, 100)
    assert desk.order(BUY, 3, limit=50).startswith("MAX_POSITION_NOTIONAL: AAPL could reach 1100.00 USD")


def test_gross_exposure_adds_up_longs_and_shorts() -> None:
    """A long in one symbol and a short in another both count."""
    desk = Desk(MaxGrossExposure(1))
    desk.market(100.0, symbol="MSFT")
    desk.hold(-6, symbol="MSFT")
    assert code(desk.order(BUY, 5)) == "MAX_GROSS_EXPOSURE"


def test_net_exposure_counts_longs_and_shorts_apart() -> None:
    """A short makes no room for a long, because the short may be closed at any time; nor does it take any."""
    desk = Desk(MaxNetExposure(1))
    desk.market(100.0, symbol="MSFT")
    desk.hold(-6, symbol="MSFT")
    assert (code(desk.order(BUY, 11)), desk.order(BUY, 10)) == ("MAX_NET_EXPOSURE", "")


def test_exposure_is_measured_against_equity_at_market() -> None:
    """When equity has fallen, the same exposure is a greater part of it."""
    desk = Desk(MaxGrossExposure(100), cash=1000)
    desk.hold(5)
    desk.market(80.0)
    assert "the limit is 900.00 USD" in desk.order(BUY, 7)


def test_without_equity_nothing_may_be_opened() -> None:
    """A share of nothing, or of less, is nothing."""
    assert code(Desk(MaxGrossExposure(100), cash=0).order(BUY, 1)) == "MAX_GROSS_EXPOSURE"


def test_strategies_have_their_own_capital() -> None:
    """What one strategy uses is not taken from the other."""
    desk = Desk(MaxStrategyCapital(1000))
    assert (desk.order(BUY, 10, strategy="a"), desk.order(BUY, 10, strategy="b")) == ("", "")


def test_shrinking_somebody_elses_position_takes_capital() -> None:
    """A sell that shrinks the account but opens a short of its own strategy is that strategy's position."""
    desk = Desk(MaxStrategyCapital(1000))
    desk.hold(50, strategy="a")
    assert code(desk.order(SELL, 11, strategy="b")) == "MAX_STRATEGY_CAPITAL"


def test_without_short_selling_a_position_may_be_sold_to_the_last_share() -> None:
    """Selling all that is held passes, one more is denied."""
    desk = Desk(NoShort())
    desk.hold(10)
    reason = desk.order(SELL, 11)
    assert reason == "SHORT_NOT_ALLOWED: AAPL could become -1; short selling is off"
    assert desk.order(SELL, 10) == ""


def test_without_short_selling_the_same_shares_are_sold_once() -> None:
    """What a working order may sell cannot be sold again."""
    desk = Desk(NoShort())
    desk.hold(10)
    desk.order(SELL, 6)
    assert code(desk.order(SELL, 5)) == "SHORT_NOT_ALLOWED"


def test_shares_that_are_only_bought_yet_cannot_be_sold() -> None:
    """A working buy may never fill, so it covers no sell."""
    desk = Desk(NoShort())
    desk.order(BUY, 10)
    assert code(desk.order(SELL, 1)) == "SHORT_NOT_ALLOWED"


# --- currencies --------------------------------------------------------------------------------------------------

BTC_EUR = make_instrument("BTC/EUR")
EUR_USD = make_instrument("EUR/USD", tick=Decimal("0.0001"))


def european(*limits: Limit) -> Desk:
    """A USD account that trades BTC in EUR, with 1 EUR = 2 USD."""
    desk = Desk(*limits, instruments=[BTC_EUR, EUR_USD], price=None)
    desk.market(100.0, symbol="BTC/EUR")
    desk.market(2.0, symbol="EUR/USD")
    desk.portfolio.learn("EUR/USD")
    return desk


@pytest.mark.parametrize("limit", [MaxPositionNotional(1000), MaxOrderNotional(1000), MaxStrategyCapital(1000)])
def test_amounts_are_in_the_accounts_currency(limit: Limit) -> None:
    """Five BTC at 100 EUR are 1,000 USD when the euro is at two dollars."""
    desk = european(limit)
    assert desk.order(BUY, "5.01", symbol="BTC/EUR") != ""
    assert desk.order(BUY, 5, symbol="BTC/EUR") == ""


@pytest.mark.parametrize("limit", [MaxPositionNotional(1000), MaxGrossExposure(1), MaxOrderNotional(1000)])
def test_a_currency_without_a_price_denies_the_order(limit: Limit) -> None:
    """What cannot be valued in the account's currency is denied, with what is missing."""
    desk = Desk(limit, instruments=[BTC_EUR], price=None)
    desk.market(100.0, symbol="BTC/EUR")
    reason = desk.order(BUY, 1, symbol="BTC/EUR")
    assert reason.startswith("UNPRICED: EUR has no price in USD")


def test_a_position_in_a_currency_without_a_price_can_be_closed() -> None:
    """A reducing order needs no valuation."""
    desk = Desk(MaxPositionNotional(1000), instruments=[BTC_EUR], price=None)
    desk.market(100.0, symbol="BTC/EUR")
    desk.hold(5, symbol="BTC/EUR")
    assert desk.order(SELL, 5, symbol="BTC/EUR") == ""


def test_an_inverse_contract_counts_more_at_a_lower_price() -> None:
    """Contracts of 100 USD settled in the coin are more coins the lower the price, so a low limit counts."""
    inverse = make_instrument(
        "BTC/USD:BTC",
        kind=InstrumentKind.SWAP,
        base="BTC",
        quote="USD",
        multiplier=Decimal(100),
        inverse=True,
        lot=Decimal(1),
    )
    desk = Desk(MaxPositionNotional(1000), instruments=[inverse, make_instrument("BTC/USD")], price=None)
    desk.market(100.0, symbol="BTC/USD:BTC")
    desk.market(100.0, symbol="BTC/USD")
    desk.portfolio.learn("BTC/USD")
    assert code(desk.order(BUY, 10, symbol="BTC/USD:BTC", limit=50)) == "MAX_POSITION_NOTIONAL"
    assert desk.order(BUY, 5, symbol="BTC/USD:BTC", limit=50) == ""


# --- cached figures ----------------------------------------------------------------------------------------------


def test_figures_follow_the_price() -> None:
    """A new price makes the same position worth another amount."""
    desk = Desk()
    desk.hold(10)
    before = desk.risk.book.gross()
    desk.market(110.0)
    assert (before, desk.risk.book.gross()) == (1000, 1100)


def test_figures_follow_a_price_that_no_component_was_told_of() -> None:
    """The price board is enough: no event has to pass by risk."""
    desk = Desk()
    desk.hold(10)
    before = desk.risk.book.gross()
    desk.prices.update(make_bar(50.0))
    assert (before, desk.risk.book.gross()) == (1000, 500)


def test_figures_follow_a_booking_that_risk_was_not_told_of() -> None:
    """A portfolio that is changed directly is seen at once."""
    desk = Desk()
    desk.hold(10)
    before = desk.risk.book.gross()
    desk.hold(-4)
    assert (before, desk.risk.book.gross()) == (1000, 600)


def test_figures_follow_a_position_that_is_set_by_hand() -> None:
    """Even a position whose bookings were not counted is not read from an old figure."""
    desk = Desk()
    desk.hold(10)
    before = desk.risk.book.gross()
    desk.portfolio.get_position("AAPL").quantity = Decimal(3)
    assert (before, desk.risk.book.gross()) == (1000, 300)


def test_figures_follow_reservations() -> None:
    """An approval, a change, an update and a booking each show at once."""
    desk = Desk()
    seen = []
    desk.order(BUY, 10, "a", limit=100)
    seen.append(desk.risk.book.gross())
    desk.update("a")
    desk.modify("a", 12)
    seen.append(desk.risk.book.gross())
    desk.update("a", reason="MODIFIED", quantity=Decimal(11))
    desk.update("a", reason="MODIFY_REJECTED: no")
    seen.append(desk.risk.book.gross())
    desk.update("a", OrderStatus.CANCELED, filled=2)
    seen.append(desk.risk.book.gross())
    assert seen == [1000, 1200, 1100, 200]


def test_figures_follow_the_rate_of_a_foreign_currency() -> None:
    """A euro that rises makes a position in euros worth more dollars, with no news of its own symbol."""
    desk = european()
    desk.hold(5, symbol="BTC/EUR")
    before = desk.risk.book.gross()
    desk.market(3.0, symbol="EUR/USD")
    assert (before, desk.risk.book.gross()) == (1000, 1500)


def test_figures_do_not_count_an_order_while_its_change_is_judged() -> None:
    """Lifting an order out of the book shows at once, and so does putting it back."""
    desk = Desk()
    desk.order(BUY, 10, "a", limit=100)
    reservation = desk.risk.book.get("a")
    assert reservation is not None
    with desk.risk.book.without(reservation):
        lifted = desk.risk.book.gross()
    assert (lifted, desk.risk.book.gross()) == (0, 1000)


def test_what_one_order_could_lead_to_follows_all_that_it_hangs_on() -> None:
    """Asked again of the very same order, the figure follows the price, other orders and what is held."""
    desk = Desk()
    terms = OrderDetails(symbol="AAPL", side=BUY, quantity=Decimal(10))
    claim = desk.risk._gate.proposal("s", "s:1", terms, make_instrument("AAPL"))
    figures = [desk.risk.book.notional_with(claim)] * 2
    desk.market(110.0, minute=1)
    figures.append(desk.risk.book.notional_with(claim))
    desk.order(BUY, 1, "other", limit=110)
    figures.append(desk.risk.book.notional_with(claim))
    desk.hold(5)
    figures.append(desk.risk.book.notional_with(claim))
    assert figures == [1000, 1000, 1100, 1210, 1760]
