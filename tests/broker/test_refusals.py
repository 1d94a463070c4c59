"""The simulated exchange refuses what an exchange would refuse."""

from decimal import Decimal
from typing import Any

import pytest

from tests.broker.market import BUY, SELL, Market, instrument
from tradingd.broker.account import AccountType
from tradingd.broker.models import maker_taker_fee
from tradingd.domain.enums import InstrumentKind, OrderType, Side
from tradingd.domain.events import Fee, ReportKind
from tradingd.testing import make_instrument

REJECTED, CANCELED = ReportKind.REJECTED, ReportKind.CANCELED
TENTH = maker_taker_fee(Decimal(0), Decimal("0.1"))


def at_100(cash: Any = 10_000, **options: Any) -> Market:
    """An exchange where everything trades at 100."""
    market = Market(cash, **options)
    for symbol in market.broker._instruments:
        market.flat(100, symbol)
    return market


@pytest.mark.parametrize(
    ("fields", "order", "code"),
    [
        ({}, {"symbol": "NOPE"}, "UNKNOWN_SYMBOL"),
        ({}, {"limit": "100.001"}, "TICK"),
        ({}, {"stop": "100.001"}, "TICK"),
        ({}, {"limit": "0"}, "TICK"),
        ({}, {"quantity": "1.5"}, "LOT"),
        ({}, {"quantity": "0"}, "LOT"),
        ({}, {"quantity": "-1"}, "LOT"),
        ({"min_quantity": Decimal(2)}, {}, "MIN_QUANTITY"),
        ({"max_quantity": Decimal(2)}, {"quantity": 3}, "MAX_QUANTITY"),
        ({"min_notional": Decimal(101)}, {}, "MIN_NOTIONAL"),
        ({"max_notional": Decimal(99)}, {}, "MAX_NOTIONAL"),
        ({}, {"order_type": OrderType.LIMIT}, "WRONG_PRICE"),
        ({}, {"order_type": OrderType.STOP}, "WRONG_PRICE"),
        ({}, {"order_type": OrderType.MARKET, "limit": 100}, "WRONG_PRICE"),
        ({}, {"order_type": OrderType.LIMIT, "stop": 100}, "WRONG_PRICE"),
        ({}, {"order_type": OrderType.LIMIT, "limit": 100, "stop": 100}, "WRONG_PRICE"),
        ({}, {"reduce_only": True}, "REDUCE_ONLY"),
        ({}, {"quantity": 101}, "INSUFFICIENT_FUNDS"),
        ({}, {"side": SELL}, "INSUFFICIENT_FUNDS"),
    ],
)
def test_refused(fields: dict[str, Any], order: dict[str, Any], code: str) -> None:
    """An order that breaks a rule of the exchange is rejected by name of the rule, and leaves no lock."""
    market = at_100(instruments=instrument(**fields))
    market.order(**{"side": BUY, "quantity": 1, **order})
    assert market.reason(REJECTED) == code
    assert not market.broker.account.locks


def test_no_price_yet() -> None:
    """A market order in a symbol that has not traded yet is rejected."""
    market = Market()
    market.order(BUY, 1)
    assert market.reason(REJECTED) == "NO_PRICE"


def test_duplicate_id() -> None:
    """A client order id that has been used is rejected, also when that order is over."""
    market = at_100()
    market.order(BUY, 1, order_id="same")
    market.flat(100)
    market.order(BUY, 1, order_id="same")
    assert market.reason(REJECTED) == "DUPLICATE_ORDER_ID"


def test_reduce_only_of_the_wrong_side() -> None:
    """A reduce-only order that would add to the position is rejected."""
    market = Market()
    market.holding(5)
    market.order(BUY, 1, reduce_only=True)
    assert market.reason(REJECTED) == "REDUCE_ONLY"


def test_funds_that_other_orders_hold() -> None:
    """What a working order holds is not there for another."""
    market = at_100()
    market.order(BUY, 60, limit=100)
    market.order(BUY, 41, limit=100)
    assert market.reason(REJECTED) == "INSUFFICIENT_FUNDS"
    assert market.free() == 4_000


def test_shares_that_other_orders_hold() -> None:
    """Shares that a working sale holds cannot be sold twice."""
    market = Market()
    market.holding(10)
    market.order(SELL, 6, limit=110)
    market.order(SELL, 5, limit=110)
    assert market.reason(REJECTED) == "INSUFFICIENT_FUNDS"


def test_fee_counts() -> None:
    """A purchase needs the taker's fee besides its price."""
    market = at_100(110, fee_model=TENTH)
    market.order(BUY, 1)
    assert market.free() == 0
    assert at_100("109.99", fee_model=TENTH).order(BUY, 1)


def test_fee_is_missing() -> None:
    """A purchase whose fee cannot be paid is rejected."""
    market = at_100("109.99", fee_model=TENTH)
    market.order(BUY, 1)
    assert market.reason(REJECTED) == "INSUFFICIENT_FUNDS"


def test_fee_in_a_third_coin() -> None:
    """A fee in a coin that the account does not have is missing funds, too."""
    market = at_100(fee_model=lambda *_: (Fee("BNB", Decimal("0.1")),))
    market.order(BUY, 1)
    assert market.reason(REJECTED) == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize("prices", [{}, {"stop": 100}])
def test_open_gapped_up(prices: dict[str, int]) -> None:
    """An order that the account can no longer pay at the open is canceled, not filled."""
    market = at_100(instruments=instrument())
    order = market.order(BUY, 100, **prices)
    market.flat(100.01)
    assert market.kinds(order) == ["ACCEPTED", "CANCELED"]
    assert market.reason(CANCELED) == "INSUFFICIENT_FUNDS"
    assert market.free() == 10_000


def test_gap_may_not_take_what_others_hold() -> None:
    """An order that gapped up cannot pay with what another working order holds."""
    market = at_100(instruments=instrument())
    market.order(BUY, 50, limit=90)
    market.order(BUY, 55)
    market.flat(101)
    assert market.reason(CANCELED) == "INSUFFICIENT_FUNDS"


# --- margin accounts -----------------------------------------------------------------------------------------


def margin(cash: Any = 1_000, leverage: int = 2, **options: Any) -> Market:
    """A margin account where everything trades at 100."""
    return at_100(cash, account_type=AccountType.MARGIN, leverage=Decimal(leverage), **options)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("symbol", ["AAPL", "PERP"])
def test_leverage_bound(side: Side, symbol: str) -> None:
    """A margin account bears exactly leverage times equity, long or short."""
    market = margin()
    market.order(side, 20, symbol=symbol)
    market.order(side, 21, symbol=symbol)
    assert market.kinds("o1") == ["ACCEPTED"]
    assert market.reason(REJECTED) == "INSUFFICIENT_MARGIN"


def test_bound_holds_at_the_fill() -> None:
    """Two orders that are bearable one by one do not both fill when together they are not."""
    market = margin()
    first, second = market.order(BUY, 15), market.order(BUY, 15)
    market.flat(100)
    assert [order_id for order_id, _ in market.fills] == [first]
    assert market.kinds(second) == ["ACCEPTED", "CANCELED"]


def test_short_sale() -> None:
    """A short sale brings its proceeds and owes the shares."""
    market = margin()
    market.order(SELL, 5)
    market.flat(100)
    assert (market.balance(), market.balance("AAPL")) == (1_500, -5)


def test_losses_shrink_what_is_bearable() -> None:
    """Losses on open positions count against equity."""
    market = margin()
    market.holding(10)
    market.flat(60)
    market.order(BUY, 11)  # 21 x 60 = 1,260 of 2 x (1,000 - 400)
    assert market.reason(REJECTED) == "INSUFFICIENT_MARGIN"


def test_reversal_is_judged_by_what_it_leads_to() -> None:
    """A reversal needs margin for the position after it, not for both."""
    market = margin(leverage=1)
    market.holding(9)
    market.order(SELL, 19)
    assert market.kinds("o2") == ["ACCEPTED"]


def test_reducing_is_always_borne() -> None:
    """An order that shrinks the position passes however bad the account is."""
    market = margin()
    market.holding(20)
    market.flat(10)
    market.order(SELL, 20)
    assert market.kinds("o2") == ["ACCEPTED"]


def test_position_without_a_price_still_counts() -> None:
    """An empty book does not hide a position from the leverage bound."""
    market = margin()
    market.holding(20)
    market.broker._prices.latest.clear()
    market.order(BUY, 1, limit=100)
    assert market.reason(REJECTED) == "INSUFFICIENT_MARGIN"


# --- contracts -----------------------------------------------------------------------------------------------


def test_contract_in_a_cash_account_holds_its_notional() -> None:
    """An open contract holds its full notional: it cannot be margined twice."""
    market = at_100(1_000)
    market.order(BUY, 10, symbol="PERP")
    market.flat(100, "PERP")
    assert (market.balance(), market.free()) == (1_000, 0)
    market.order(BUY, "0.1", symbol="PERP")
    assert market.reason(REJECTED) == "INSUFFICIENT_FUNDS"


def test_contract_gains_are_settled() -> None:
    """Closing a contract settles its profit and frees its margin."""
    market = at_100(1_000)
    market.order(BUY, 10, symbol="PERP")
    market.flat(100, "PERP")
    market.order(SELL, 10, symbol="PERP")
    market.flat(110, "PERP")
    assert market.balance() == market.free() == 1_100


def test_contract_reversal() -> None:
    """A reversal pays for its new half with what its old half frees."""
    market = at_100(1_000)
    market.order(BUY, 10, symbol="PERP")
    market.flat(100, "PERP")
    market.order(SELL, 20, symbol="PERP")
    market.flat(100, "PERP")
    assert market.broker.account.positions["PERP"].quantity == -10
    assert market.free() == 0


def test_contract_reversal_beyond_the_funds() -> None:
    """A reversal into more than the account can margin is rejected."""
    market = at_100(1_000)
    market.order(BUY, 10, symbol="PERP")
    market.flat(100, "PERP")
    market.order(SELL, "20.1", symbol="PERP")
    assert market.reason(REJECTED) == "INSUFFICIENT_FUNDS"


def test_losing_contract_can_be_closed() -> None:
    """A contract that has lost more than the account has can still be closed."""
    market = at_100(1_000)
    market.order(SELL, 10, symbol="PERP")
    market.flat(100, "PERP")
    order = market.order(BUY, 10, symbol="PERP")
    market.flat(250, "PERP")
    assert market.kinds(order) == ["ACCEPTED", "TRADE"]
    assert market.balance() == -500


def test_inverse_contract() -> None:
    """An inverse contract is margined and settled in its base coin."""
    market = at_100({"BTC": 10})
    market.order(BUY, 10, symbol="INV")
    market.flat(100, "INV")
    assert market.free("BTC") == 0
    market.order(SELL, 10, symbol="INV")
    market.flat(125, "INV")
    assert market.balance("BTC") == 12


def test_inverse_contract_in_a_margin_account() -> None:
    """The leverage bound of an inverse contract is counted in its base coin."""
    market = margin({"BTC": 5})
    market.order(BUY, 10, symbol="INV")
    market.order(BUY, 11, symbol="INV")
    assert market.kinds("o1") == ["ACCEPTED"]
    assert market.reason(REJECTED) == "INSUFFICIENT_MARGIN"


def test_fee_of_an_inverse_contract() -> None:
    """The fee of an inverse contract is a share of its notional in the base coin."""
    market = at_100({"BTC": 100}, fee_model=TENTH)
    market.order(BUY, 10, symbol="INV")
    market.flat(100, "INV")
    assert market.trades[0].fees == (Fee("BTC", Decimal(1)),)


def test_multiplier() -> None:
    """A contract's multiplier counts in its margin."""
    future = make_instrument("ES", kind=InstrumentKind.FUTURE, base="ES", multiplier=Decimal(50))
    market = at_100(5_000, instruments={"ES": future})
    market.order(BUY, 1, symbol="ES")
    assert market.free() == 0


def test_buying_back_for_more_than_there_is() -> None:
    """A cash account that sold coins it had cannot owe for buying them back, reduce-only or not."""
    market = Market({"USD": 0, "AAPL": 10})
    market.holding(-10, 100.0)
    order = market.order(BUY, 10, reduce_only=True)
    market.flat(200.0)
    assert market.kinds(order) == ["ACCEPTED", "CANCELED"]
    assert market.reason(ReportKind.CANCELED) == "INSUFFICIENT_FUNDS"
