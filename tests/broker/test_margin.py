"""Margin: what an order may open, when the exchange calls, and how it liquidates."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.market import BUY, INSTRUMENTS, SELL, Market
from tradingd.broker.account import AccountType
from tradingd.broker.margin import MarginRules
from tradingd.broker.models import fixed_bps_slippage, maker_taker_fee
from tradingd.domain.enums import Side
from tradingd.domain.events import BrokerReport, Fee, MarginCall, ReportKind, TradeReport
from tradingd.domain.money import ZERO, add, mul
from tradingd.domain.prices import PriceBoard
from tradingd.testing import make_bar, make_quote, make_trade

QUARTER = MarginRules(Decimal("0.25"))


def margin(cash: Any = 1_000, leverage: int = 2, rules: MarginRules | None = QUARTER, **options: Any) -> Market:
    """A margin account at an exchange where everything is at 100."""
    market = Market(cash, account_type=AccountType.MARGIN, leverage=Decimal(leverage), margin=rules, **options)
    for symbol in ("AAPL", "MSFT", "PERP", "INV"):
        market.flat(100, symbol)
    market.log.clear()
    return market


def hold(market: Market, side: Side, quantity: Any, symbol: str = "AAPL") -> None:
    """Have a position opened at 100."""
    market.order(side, quantity, symbol=symbol)
    market.flat(100, symbol)
    assert market.broker.account.positions[symbol].quantity * side.sign == Decimal(quantity)
    market.log.clear()


def quantity(market: Market, symbol: str = "AAPL") -> Decimal:
    """What is held."""
    return market.broker.account.positions[symbol].quantity


def liquidations(market: Market) -> list[tuple[str, str, str]]:
    """The exchange's own trades: symbol, signed quantity, price."""
    return [
        (trade.symbol, f"{trade.side.sign * trade.quantity:f}", f"{trade.price.normalize():f}")
        for trade in market.trades
        if trade.forced
    ]


# --- initial margin ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_initial_margin(side: Side) -> None:
    """With 40 % to be left, 1,000 bear 2,500, whatever the leverage says."""
    market = margin(leverage=1, rules=MarginRules(ZERO, initial=Decimal("0.4")))
    market.order(side, 26)
    assert market.reason(ReportKind.REJECTED) == "INSUFFICIENT_MARGIN"
    market.order(side, 25)
    assert market.kinds("o2") == ["ACCEPTED"]


def test_fees_come_out_of_equity() -> None:
    """A fee of 2 % of 1,960 leaves 960.80 of 1,000: twice that bears 1,921.60 only."""
    fee = maker_taker_fee(ZERO, Decimal("0.02"))
    market = margin(fee_model=fee)
    market.order(BUY, 20, limit="98")
    assert market.reason(ReportKind.REJECTED) == "INSUFFICIENT_MARGIN"
    market.order(BUY, 19, limit="98")  # 1,862 of 2 x (1,000 - 37.24)
    assert market.kinds("o2") == ["ACCEPTED"]


# --- calls and liquidation ---------------------------------------------------------------------------------------


def test_a_long_is_liquidated_where_maintenance_is_breached() -> None:
    """20 at 100 with 1,000: equity 20 p - 1,000 is a quarter of 20 p at 66.666...; it trades at the tick below."""
    market = margin()
    hold(market, BUY, 20)
    market.bar(80, 81, 66, 75)
    assert liquidations(market) == [("AAPL", "-20", "66.66")]
    assert (quantity(market), market.balance()) == (0, Decimal("333.20"))


def test_a_short_is_liquidated_where_maintenance_is_breached() -> None:
    """20 sold at 100 with 1,000: 3,000 - 20 p is a quarter of 20 p at 120."""
    market = margin()
    hold(market, SELL, 20)
    market.bar(110, 121, 105, 110)
    assert liquidations(market) == [("AAPL", "20", "120")]
    assert market.balance() == 600


@pytest.mark.parametrize(
    ("side", "touches", "breaks"), [(BUY, (80, 80, 66.67, 80), (80, 80, 66.66, 80)),
                                    (SELL, (110, 120, 110, 110), (110, 120.01, 110, 110))]
)  # fmt: skip
def test_the_last_tick_counts(side: Side, touches: Any, breaks: Any) -> None:
    """Just met is met: a call and a liquidation come with the next tick."""
    market = margin()
    hold(market, side, 20)
    market.bar(*touches)
    assert market.log.events == []
    market.bar(*breaks)
    assert quantity(market) == 0


def test_a_gap_liquidates_at_the_open() -> None:
    """A bar that opens beyond trades at its open; what is lost beyond equity is a debt."""
    market = margin()
    hold(market, BUY, 20)
    market.bar(40, 70, 39, 69)
    assert liquidations(market) == [("AAPL", "-20", "40")]
    assert market.balance() == -200


def test_what_trades_in_a_bar_counts_at_its_close() -> None:
    """Nobody can tell whether the low came before the fill."""
    market = margin()
    market.order(BUY, 20, limit="90")
    market.bar(100, 100, 50, 80)
    assert (quantity(market), liquidations(market)) == (20, [])
    market.order(SELL, 1)
    market.bar(80, 80, 50, 60)  # 19 left, 1,140 - 720 at the close; at the low 950 - 720 would breach
    assert (quantity(market), liquidations(market)) == (19, [])


def test_a_position_that_cannot_be_kept_at_the_close_goes_there() -> None:
    """A bar in which it was opened liquidates at its close."""
    market = margin()
    market.order(BUY, 20, limit="99")
    market.bar(100, 100, 50, 60)
    assert liquidations(market) == [("AAPL", "-20", "60")]


def test_on_quotes_it_trades_at_the_side_of_the_taker() -> None:
    """The mid price breaches, the bid is paid."""
    market = margin()
    hold(market, BUY, 20)
    market.see(make_quote(66, 67, symbol="AAPL", minute=60))
    assert liquidations(market) == [("AAPL", "-20", "66")]


def test_on_trades_it_trades_at_the_trade() -> None:
    """The public trade that breaches."""
    market = margin()
    hold(market, SELL, 20)
    market.see(make_trade(130, symbol="AAPL", minute=60))
    assert liquidations(market) == [("AAPL", "20", "130")]


def test_the_call_comes_first_then_cancels_then_the_trade() -> None:
    """Orders of the symbol are canceled before it is closed; others work on."""
    market = margin(leverage=4)
    hold(market, BUY, 20)
    market.order(SELL, 5, limit="150")
    market.order(SELL, 5, stop="1", reduce_only=True)
    market.order(SELL, 1, limit="150", symbol="MSFT")
    market.log.clear()
    market.bar(80, 81, 66, 75)
    call, first, second, trade = market.log.events
    assert isinstance(call, MarginCall)
    assert (call.equity, call.required, call.currency) == (Decimal("320.0"), Decimal("330.00"), "USD")
    assert [(each.order_id, each.kind) for each in (first, second) if isinstance(each, BrokerReport)] == [
        ("o2", ReportKind.CANCELED),
        ("o3", ReportKind.CANCELED),
    ]
    assert isinstance(trade, TradeReport)
    assert (trade.order_id, trade.trade_id, trade.forced) == ("SIM-L1", "SIM-L1", True)
    assert set(market.broker._desk.by_symbol) == {"MSFT"}


def test_an_early_call_is_told_once_until_it_is_met() -> None:
    """With calls at 120 %, the warning comes before the liquidation, again only after it was met."""
    market = margin(rules=QUARTER._replace(call=Decimal("1.2")))
    hold(market, BUY, 20)  # calls below 71.43, liquidates below 66.67
    for price in (71, 70, 72, 71):
        market.flat(price)
    assert len(market.log.of(MarginCall)) == 2
    assert liquidations(market) == []


def test_the_liquidation_fee_replaces_the_fee_of_an_order() -> None:
    """1 % of 2,400, and no taker fee."""
    rules = QUARTER._replace(liquidation_fee=Decimal("0.01"))
    market = margin(rules=rules, fee_model=maker_taker_fee(ZERO, Decimal("0.05")), leverage=4)
    hold(market, SELL, 20)  # a fee of 100: 2,900 - 20 p is a quarter of 20 p at 116
    market.bar(110, 121, 105, 110)
    assert market.trades[0].fees == (Fee("USD", Decimal("23.2000")),)
    assert market.balance() == Decimal("556.80")


def test_a_liquidation_slips() -> None:
    """It is a market order of the exchange."""
    market = margin(slippage=fixed_bps_slippage(Decimal(100)))
    market.order(SELL, 19)
    market.flat(100)  # at 99.00: 2,881 - 19 p is a quarter of 19 p at 121.305...
    market.log.clear()
    market.bar(110, 123, 110, 110)
    assert liquidations(market) == [("AAPL", "19", "122.52")]


def test_the_largest_goes_first_and_only_what_is_needed() -> None:
    """8 AAPL and 10 MSFT: a fall of AAPL costs the greater MSFT, at its latest price, and AAPL is kept."""
    market = margin(900)
    hold(market, BUY, 8)
    hold(market, BUY, 10, "MSFT")
    market.flat(52)  # equity 416 + 1,000 - 900 = 516: kept
    assert market.log.events == []
    market.flat(30)  # 340 of 310: kept
    market.flat(25)  # 300 of exactly 300: kept
    market.flat(24)  # 292 of 298: MSFT goes at 100, and 292 of 48 is enough
    assert liquidations(market) == [("MSFT", "-10", "100")]
    assert quantity(market) == 8


def test_currencies_are_margined_by_themselves() -> None:
    """A loss in BTC liquidates the inverse contract, and nothing that settles in USD."""
    market = margin({"USD": 1_000, "BTC": 10})
    hold(market, BUY, 10)
    hold(market, SELL, 20, "INV")  # 20 x 100 USD short: 20 BTC at 100, on 10 BTC
    market.flat(100)
    assert market.log.events == []
    # Value 2000/p, equity 10 - (20 - 2000/p) = 2000/p - 10 of 500/p: 1500/p = 10 at 150
    market.bar(140, 151, 140, 140, "INV")
    assert liquidations(market) == [("INV", "20", "150")]
    assert (quantity(market), market.balance()) == (10, 0)


def test_an_inverse_long_is_liquidated() -> None:
    """20 long at 100 on 10 BTC: equity 30 - 2000/p of 500/p: 2500/p = 30 at 83.33, half a tick lower."""
    market = margin({"BTC": 10})
    hold(market, BUY, 20, "INV")
    market.bar(90, 90, 80, 90, "INV")
    assert liquidations(market) == [("INV", "-20", "83")]


def test_a_contract_is_liquidated_on_its_profit() -> None:
    """A linear swap: equity is cash plus what it has gained or lost."""
    market = margin()
    hold(market, BUY, 20, "PERP")
    market.bar(80, 81, 66, 75, "PERP")
    assert liquidations(market) == [("PERP", "-20", "66.66")]
    assert market.balance() == Decimal("333.20")


def test_a_cash_account_is_never_called() -> None:
    """It owes nothing."""
    market = Market(account_type=AccountType.CASH, margin=QUARTER)
    market.holding(50)
    market.flat(0.01)
    assert market.log.events == []


@pytest.mark.parametrize("rules", [None, MarginRules(ZERO)])
def test_maintenance_of_nothing_liquidates_nothing(rules: MarginRules | None) -> None:
    """As it was before there was any."""
    market = margin(rules=rules)
    hold(market, BUY, 20)
    market.flat(1)
    assert market.log.events == []


def test_the_market_is_of_interest_while_something_is_held() -> None:
    """Of a margin account, symbols with an order or a position; with nothing of either the broker may idle."""
    prices = PriceBoard()
    market = margin(prices=prices)
    interest = market.broker.market_interest()
    assert interest is not None
    seen = []

    def bar(price: float) -> None:
        event = make_bar(price, minute=60 + len(seen))
        prices.update(event)
        market.see(event)
        seen.append(["AAPL" in interest, "MSFT" in interest])

    bar(100)
    market.order(BUY, 1)
    assert "AAPL" in interest
    bar(100)
    market.order(SELL, 1)
    bar(100)
    assert seen == [[False, False], [True, False], [False, False]]


def test_events_without_a_price_judge_nothing() -> None:
    """A bar of NaN or an empty side."""
    market = margin()
    hold(market, BUY, 20)
    nan = float("nan")
    market.see(make_bar(nan, open=nan, high=nan, low=nan, minute=60))
    market.see(make_bar(50, low=0, minute=61))
    market.see(make_quote(0, 0, symbol="AAPL", minute=62))
    assert market.log.events == []


def test_reentry_after_a_debt_is_refused() -> None:
    """An account that owes bears nothing."""
    market = margin()
    hold(market, BUY, 20)
    market.flat(10)
    market.order(BUY, 1)
    assert market.reason(ReportKind.REJECTED) == "INSUFFICIENT_MARGIN"


def test_a_loss_that_is_taken_may_cost_another_position_its_margin() -> None:
    """The fill that closes one position in a gap is judged at once, not at the next event of what is left."""
    market = margin(1_000, leverage=2, rules=MarginRules(Decimal("0.25")))
    market.flat(20)
    market.order(BUY, 27)
    market.flat(20)
    market.flat(128, "MSFT")
    market.order(BUY, 8, symbol="MSFT")
    market.flat(128, "MSFT")
    market.order(SELL, 8, symbol="MSFT")
    market.log.clear()
    market.flat(19, "MSFT")
    assert [(trade.symbol, trade.quantity, trade.forced) for trade in market.trades] == [
        ("MSFT", 8, False),
        ("AAPL", 27, True),
    ]


def test_after_a_liquidation_a_symbol_that_never_traded_is_no_matter() -> None:
    """Its events say nothing of the positions that are left."""
    market = margin(1_000, leverage=3, rules=MarginRules(Decimal("0.25")))
    hold(market, BUY, 20)
    hold(market, BUY, 1, "PERP")
    market.flat(60)
    assert [trade.forced for trade in market.trades] == [True]
    market.log.clear()
    market.flat(100, "MSFT")
    assert market.trades == []


# --- whatever happens --------------------------------------------------------------------------------------------

SYMBOLS = ["AAPL", "MSFT", "PERP"]
step = st.tuples(
    st.sampled_from(SYMBOLS),
    st.sampled_from(Side),
    st.integers(0, 40),
    st.lists(st.integers(20, 300), min_size=4, max_size=4).map(sorted),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(step, min_size=5, max_size=40), st.sampled_from([2, 3, 5]))
def test_margin_is_met_or_nothing_is_held(steps: list[Any], leverage: int) -> None:
    """After every event maintenance is met at the marks, or all is flat."""
    maintenance = Decimal(1) / (2 * leverage)
    market = margin(rules=MarginRules(maintenance), leverage=leverage, slippage=fixed_bps_slippage(Decimal(7)))
    account, prices = market.broker.account, market.broker._prices
    for symbol, side, size, (low, first, last, high), flips in steps:
        if size:
            market.order(side, size, symbol=symbol)
        opened, closed = (last, first) if flips else (first, last)
        market.bar(opened, high, low, closed, symbol)
        equity, exposure = account.equity_and_exposure("USD", market.broker._desk.mark)
        assert equity >= mul(exposure, maintenance) or not exposure
        assert {name for name, p in account.positions.items() if p.quantity} <= set(prices.latest)


@settings(max_examples=100, deadline=None)
@given(st.lists(step, min_size=3, max_size=25))
def test_the_floats_never_miss_a_breach(steps: list[Any]) -> None:
    """The quick look and the exact figures agree at every event: nothing is judged too late."""
    rules = MarginRules(Decimal("0.25"))
    market, plain = margin(rules=rules), margin(rules=None)
    for symbol, side, size, (low, first, last, high), flips in steps:
        opened, closed = (last, first) if flips else (first, last)
        for each in (market, plain):
            if size:
                each.order(side, size, symbol=symbol)
            before = {name: p.revision for name, p in each.broker.account.positions.items()}
            each.bar(opened, high, low, closed, symbol)
        if market.log.of(MarginCall):
            return
        account = plain.broker.account
        position = account.positions.get(symbol)
        if position is None or not position.quantity:
            continue
        traded = before.get(symbol) != position.revision
        worst = Decimal(closed if traded else low if position.quantity > 0 else high)
        equity, exposure = account.equity_and_exposure(
            "USD",
            lambda name, symbol=symbol, worst=worst: worst if name == symbol else plain.broker._desk.mark(name),  # type: ignore[misc]
        )
        assert equity >= mul(exposure, rules.maintenance)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 30)), max_size=12), st.sampled_from([1, 2, 5]))
def test_an_accepted_fill_leaves_its_initial_margin(orders: list[tuple[Side, int]], leverage: int) -> None:
    """At an unchanged price, no accepted order leads to more than leverage x equity."""
    market = margin(rules=QUARTER, leverage=leverage, fee_model=maker_taker_fee(ZERO, Decimal("0.001")))
    for side, size in orders:
        market.order(side, size)
        before = add(quantity(market) if "AAPL" in market.broker.account.positions else ZERO, ZERO)
        market.flat(100)
        equity, exposure = market.broker.account.equity_and_exposure("USD", market.broker._desk.mark)
        after = market.broker.account.positions["AAPL"].quantity if market.trades else ZERO
        assert exposure <= mul(equity, Decimal(leverage)) or abs(after) <= abs(before)


def test_instruments_of_all_kinds_are_here() -> None:
    """The market of these tests has what they need."""
    assert {"AAPL", "MSFT", "PERP", "INV"} <= set(INSTRUMENTS)
