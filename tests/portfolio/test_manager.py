from decimal import Decimal
from typing import Any

import pytest

from tests.portfolio.world import INSTRUMENTS, INVERSE_SWAP, LINEAR_SWAP, Happening, World
from tradingd.domain.enums import Side
from tradingd.domain.events import Book, EventType, Fee, Fill, LedgerEntry, PositionUpdate
from tradingd.errors import AccountingError, MoneyError
from tradingd.portfolio.manager import PortfolioManager
from tradingd.testing import EventLog, at, make_bar, make_fill, make_quote

D = Decimal


def test_it_works_alone() -> None:
    """A portfolio needs nothing but its cash: shares are then valued at their last trade."""
    portfolio = PortfolioManager(initial_cash=100_000)
    portfolio.on_fill(make_fill(Side.BUY, 100, "50.25", fees=[("USD", "1.5")]))
    assert portfolio.get_equity() == D("99998.5")
    portfolio.on_fill(make_fill(Side.SELL, 40, "60.25"))
    assert portfolio.get_equity() == D("100998.5")
    assert portfolio.get_position("AAPL").quantity == 60
    assert portfolio.realized_pnl() == 400
    assert portfolio.unrealized_pnl() == 600
    assert portfolio.cash() == D("97383.5")


def test_an_empty_portfolio_is_its_cash() -> None:
    """Without a trade equity is the cash, all else is zero, and any symbol is flat."""
    portfolio = PortfolioManager(initial_cash="1234.56", currency="EUR")
    assert (portfolio.get_equity(), portfolio.drawdown) == (D("1234.56"), 0)
    assert portfolio.get_position("ANY").is_flat
    assert not portfolio.positions
    assert not portfolio.fees()


@pytest.mark.parametrize("cash", [1e5, "nan", True])
def test_initial_cash_must_be_money(cash: Any) -> None:
    """Cash that is a float, a truth value or no number is refused."""
    with pytest.raises(MoneyError):
        PortfolioManager(initial_cash=cash)


def test_it_subscribes_to_fills_and_market_data() -> None:
    """It handles exactly the events it requires."""
    portfolio = PortfolioManager()
    assert portfolio.handlers().keys() == portfolio.required_events
    assert EventType.FILL in portfolio.required_events


def test_a_fee_in_the_base_coin_is_taken_from_what_was_bought() -> None:
    """What is owned after a buy with a fee in the coin is the coin bought less the fee, in every book."""
    world = World()
    world.happen(Happening("BTC/USD", D(1), D(50_000), (("BTC", D("0.001")),)))
    assert world.portfolio.cash("BTC") == D("0.999")
    assert world.portfolio.get_position("BTC/USD").quantity == D("0.999")
    assert world.portfolio.get_strategy_position("s", "BTC/USD").quantity == D("0.999")
    assert world.portfolio.get_equity() == 99_950


def test_a_rebate_in_the_base_coin_adds_to_what_was_bought() -> None:
    """A negative fee in the coin adds to the coin bought, in every book."""
    world = World()
    world.happen(Happening("BTC/USD", D(1), D(50_000), (("BTC", D("-0.001")),)))
    assert world.portfolio.cash("BTC") == world.portfolio.get_position("BTC/USD").quantity == D("1.001")
    assert world.portfolio.fees() == {"BTC": D("-0.001")}


def test_a_fee_in_a_third_coin_leaves_the_position_alone() -> None:
    """A fee in a third coin is owed in that coin and counts in equity at its price."""
    world = World()
    world.happen(Happening("BTC/USD", D(1), D(50_000), (("BNB", D("0.1")),)))
    assert world.portfolio.get_position("BTC/USD").quantity == 1
    assert world.portfolio.cash("BNB") == D("-0.1")
    assert world.portfolio.get_equity() == 99_970


def test_a_contracts_fee_in_its_base_coin_leaves_the_contracts_alone() -> None:
    """A fee in the coin that an inverse contract settles in is cash, not contracts."""
    world = World()
    world.happen(Happening(INVERSE_SWAP, D(5), D(50_000), (("BTC", D("0.0001")),)))
    assert world.portfolio.get_position(INVERSE_SWAP).quantity == 5
    assert world.portfolio.cash("BTC") == D("-0.0001")


def test_a_contract_moves_no_cash_until_it_is_closed() -> None:
    """Opening a contract moves no money; closing it moves the profit."""
    world = World()
    world.happen(Happening(LINEAR_SWAP, D(10), D(50_000)))
    assert world.portfolio.cash() == 100_000
    assert world.portfolio.get_equity() == 100_010  # marked at 50 100
    world.happen(Happening(LINEAR_SWAP, D(-10), D(50_200)))
    assert world.portfolio.cash() == world.portfolio.get_equity() == 100_020


def test_the_legs_of_a_fill_name_fill_and_strategy() -> None:
    """A fill becomes one movement per asset, each with the fill's trade id, time and strategy."""
    log = EventLog()
    portfolio = PortfolioManager(emit=log)
    log.clear()
    fees = [("USD", "1"), ("BNB", "-0.1")]
    portfolio.on_fill(make_fill(Side.SELL, 2, 50, ts=7, trade_id="T9", strategy_id="mine", fees=fees))
    assert log.of(LedgerEntry) == [
        LedgerEntry(7, "T9", "trade", "AAPL", D(-2), "assets", "market", "mine"),
        LedgerEntry(7, "T9", "trade", "USD", D(100), "assets", "market", "mine"),
        LedgerEntry(7, "T9", "fee", "USD", D(-1), "assets", "fees", "mine"),
        LedgerEntry(7, "T9", "fee", "BNB", D("0.1"), "assets", "fees", "mine"),
    ]


def test_the_opening_deposit_is_a_movement() -> None:
    """Initial cash is told as a deposit, so that the movements alone explain all balances."""
    log = EventLog()
    PortfolioManager(initial_cash=500, emit=log)
    assert log.events == [LedgerEntry(0, "", "deposit", "USD", D(500), "assets", "equity")]


def test_a_withdrawal_takes_out() -> None:
    """A negative deposit takes out, in any asset."""
    portfolio = PortfolioManager(initial_cash=500)
    portfolio.deposit(-200)
    portfolio.deposit("0.5", "BTC")
    portfolio.deposit("-0.5", "BTC")
    assert (portfolio.get_equity(), portfolio.cash("BTC")) == (300, 0)
    portfolio.ledger.verify()


def test_an_unpriced_asset_is_named_with_the_remedy() -> None:
    """Equity with an asset that nothing prices raises, names it and says what to add."""
    portfolio = PortfolioManager()
    portfolio.deposit(1, "DOGE")
    for figure in (portfolio.get_equity, lambda: portfolio.rate("DOGE")):
        with pytest.raises(AccountingError) as caught:
            figure()
        expected = "DOGE has no price in USD: add an instrument such as DOGE/USD to the market data"
        assert str(caught.value) == expected


def test_a_link_without_a_price_is_named() -> None:
    """Equity with an asset whose way to the currency lacks a price names the symbol that lacks it."""
    world = World(opening_prices={"ETH/BTC": 0.05})
    world.portfolio.deposit(1, "ETH")
    with pytest.raises(
        AccountingError, match="ETH has no price in USD: BTC/USD, which prices it, has no market data"
    ):
        world.portfolio.get_equity()


def test_fills_are_booked_without_a_price() -> None:
    """A fee in an unpriced coin is booked all the same; only asking for equity fails, until the price is there."""
    world = World(opening_prices={})
    world.happen(Happening("AAPL", D(1), D(100), (("BNB", D("0.1")),)))
    assert len(world.log.of(PositionUpdate)) == 1
    with pytest.raises(AccountingError, match="BNB has no price"):
        world.portfolio.get_equity()
    world.market(make_bar(300.0, symbol="BNB/USD"))
    assert world.portfolio.get_equity() == 99_970


@pytest.mark.parametrize("quote", [make_quote(float("nan"), 1.0), Book(at(0), "AAPL", ((float("inf"), 1.0),), ())])
def test_a_price_that_is_no_number_stops_valuation_not_booking(quote: Any) -> None:
    """A NaN or infinite market price makes equity unknown, and keeps no fill from being booked."""
    world = World()
    world.market(quote)
    world.happen(Happening("AAPL", D(1), D(100)))
    assert world.portfolio.get_position("AAPL").quantity == 1
    for figure in (world.portfolio.get_equity, world.portfolio.unrealized_pnl):
        with pytest.raises(AccountingError, match="AAPL"):
            figure()
    world.market(make_bar(101.0))
    assert world.portfolio.get_equity() == 100_001


def test_an_inverse_contract_at_zero_is_unpriced() -> None:
    """A price of zero makes an inverse contract's worth unknown instead of dividing by it."""
    world = World()
    world.happen(Happening(INVERSE_SWAP, D(5), D(50_000)))
    world.market(make_bar(0.0, symbol=INVERSE_SWAP))
    with pytest.raises(AccountingError, match="an inverse contract has no value at a price of 0"):
        world.portfolio.get_equity()


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": D(0)},
        {"quantity": D(-1)},
        {"quantity": D("NaN")},
        {"quantity": 1.0},
        {"price": D("NaN")},
        {"price": 50.0},
        {"fees": (Fee("USD", D("Infinity")),)},
        {"fees": (Fee("USD", D(1)), Fee("BNB", 0.1))},  # type: ignore[arg-type]
    ],
)
def test_a_fill_that_is_no_money_books_nothing(fields: dict[str, Any]) -> None:
    """A fill with a figure that is no money is refused as a whole."""
    world = World()
    world.log.clear()
    sound: dict[str, Any] = {"ts": 1, "symbol": "AAPL", "side": Side.BUY, "quantity": D(1), "price": D(50)}
    with pytest.raises(MoneyError):
        world.portfolio.on_fill(Fill(**{**sound, **fields}))
    assert world.log.events == []
    assert world.portfolio.get_position("AAPL").is_flat
    assert world.portfolio.get_equity() == 100_000


def test_an_unknown_symbol_books_nothing() -> None:
    """A fill of a symbol without an instrument raises before anything is booked."""
    world = World()
    world.log.clear()
    with pytest.raises(KeyError):
        world.happen(Happening("NOBODY", D(1), D(1)))
    assert world.log.events == []


def test_drawdown_is_measured_from_the_highest_equity_asked_for() -> None:
    """Peak follows equity up and stays; drawdown is the share of it that is lost."""
    world = World()
    world.happen(Happening("AAPL", D(100), D(180)))
    for price, drawdown in ((1180.0, 0), (380.0, "0.4"), (680.0, "0.25"), (1380.0, 0)):
        world.market(make_bar(price))
        assert world.portfolio.drawdown == D(drawdown)
    assert world.portfolio.peak_equity == 220_000


def test_a_portfolio_without_money_has_no_drawdown() -> None:
    """A drawdown of nothing is zero, not a division by it."""
    assert PortfolioManager(initial_cash=0).drawdown == 0


def test_exposures_add_longs_and_shorts() -> None:
    """Gross exposure adds the sizes of longs and shorts, net exposure their signed values."""
    world = World()
    world.happen(Happening("AAPL", D(10), D(180)))
    world.happen(Happening("SAP", D(-10), D(120)))
    assert world.portfolio.gross_exposure() == 10 * D("180.5") + 10 * D("120.25") * D("1.08")
    assert world.portfolio.net_exposure() == 10 * D("180.5") - 10 * D("120.25") * D("1.08")


def test_what_is_flat_needs_no_price() -> None:
    """Realised profit of a closed position needs no mark of it."""
    world = World(opening_prices={})
    world.happen(Happening("AAPL", D(1), D(100)))
    world.happen(Happening("AAPL", D(-1), D(110)))
    world.market(make_quote(float("nan"), 1.0))
    assert (world.portfolio.realized_pnl(), world.portfolio.unrealized_pnl()) == (10, 0)


def test_positions_are_read_only() -> None:
    """The mapping of positions cannot be written to, and follows what is open."""
    world = World()
    positions = world.portfolio.positions
    world.happen(Happening("AAPL", D(1), D(100)))
    assert list(positions) == ["AAPL"]
    with pytest.raises(TypeError):
        positions["AAPL"] = None  # type: ignore[index]
    world.happen(Happening("AAPL", D(-1), D(100)))
    assert list(positions) == []


def test_strategies_are_told_apart() -> None:
    """Each strategy has its own position, profit and fees in a symbol the account may be flat in."""
    world = World()
    world.happen(Happening("AAPL", D(10), D(180), (("USD", D(1)),), "up"))
    world.happen(Happening("AAPL", D(-10), D(181), (("USD", D(2)),), "down"))
    portfolio = world.portfolio
    assert portfolio.get_position("AAPL").is_flat
    assert set(portfolio.strategy_symbols()) == {("up", "AAPL"), ("down", "AAPL")}
    assert list(portfolio.strategy_symbols("up")) == [("up", "AAPL")]
    assert (portfolio.unrealized_pnl("up"), portfolio.unrealized_pnl("down")) == (5, 5)
    assert (portfolio.realized_pnl(), portfolio.realized_pnl("up")) == (10, 0)
    assert (portfolio.fees("up"), portfolio.fees("down"), portfolio.fees()) == ({"USD": 1}, {"USD": 2}, {"USD": 3})


def test_a_price_is_the_market_or_the_last_trade() -> None:
    """A symbol is marked at its latest market price, before the first one at our last trade."""
    world = World(opening_prices={})
    assert world.portfolio.price("AAPL") is None
    world.happen(Happening("AAPL", D(1), D(100)))
    assert world.portfolio.price("AAPL") == 100
    world.market(make_bar(101.5))
    assert world.portfolio.price("AAPL") == D("101.5")


def test_the_instruments_of_a_world_price_one_another() -> None:
    """An asset is worth the product of the prices on its way to the account's currency."""
    portfolio = World().portfolio
    assert portfolio.rate("USD") == 1
    assert portfolio.rate("EUR") == D("1.08")
    assert portfolio.rate("SAP") == D("120.25") * D("1.08")
    assert portfolio.rate("ETH") == D("0.05") * 50_000
    assert set(INSTRUMENTS) >= {"EUR/USD"}
