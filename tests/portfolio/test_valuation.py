from decimal import Decimal

import pytest

from tradingd.domain.enums import InstrumentKind
from tradingd.domain.instrument import Instrument
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError
from tradingd.portfolio.valuation import Valuation
from tradingd.testing import make_bar, make_instrument

D = Decimal


class Market:
    """A valuation and the board its prices come from."""

    def __init__(self, *symbols: str, currency: str = "USD") -> None:
        self.board = PriceBoard()
        self.valuation = Valuation(currency, self.board)
        self.learn(*symbols)

    def learn(self, *symbols: str) -> None:
        for symbol in symbols:
            self.valuation.learn(make_instrument(symbol))

    def quote(self, **prices: float) -> None:
        """New prices; a symbol is written with an underscore for its slash."""
        for name, price in prices.items():
            symbol = name.replace("_", "/")
            self.board.update(make_bar(price, symbol=symbol))
            self.valuation.touch(symbol)


def test_nothing_is_worth_nothing() -> None:
    """Books without a line are worth zero."""
    assert Market().valuation.total() == 0


def test_a_new_price_moves_the_lines_that_hang_on_it() -> None:
    """Every line whose rate goes through a symbol follows that symbol's price."""
    market = Market("BTC/EUR", "ETH/EUR", "EUR/USD")
    market.quote(BTC_EUR=40_000.0, ETH_EUR=2_000.0, EUR_USD=1.0)
    market.valuation.set_asset("BTC", D(1))
    market.valuation.set_asset("ETH", D(10))
    assert market.valuation.total() == 60_000
    market.quote(EUR_USD=1.5)
    assert market.valuation.total() == 90_000


def test_a_price_learned_later_keeps_moving_the_line() -> None:
    """An asset that was owned before anything priced it follows its price from the first to the last."""
    market = Market()
    market.valuation.set_asset("BTC", D(1))
    with pytest.raises(AccountingError, match="BTC has no price"):
        market.valuation.total()
    market.learn("BTC/USD")
    for price in (50_000.0, 51_000.0, 52_000.0):
        market.quote(BTC_USD=price)
        assert market.valuation.total() == D(int(price))


def test_a_shorter_way_learned_later_takes_over() -> None:
    """Once an asset is quoted in the account's currency itself, that price and no other moves its lines."""
    market = Market("BTC/EUR", "EUR/USD")
    market.quote(BTC_EUR=40_000.0, EUR_USD=1.0)
    market.valuation.set_asset("BTC", D(1))
    market.learn("BTC/USD")
    market.quote(BTC_USD=50_000.0)
    assert market.valuation.total() == 50_000
    market.quote(BTC_EUR=1.0)
    assert market.valuation.total() == 50_000
    market.quote(BTC_USD=51_000.0)
    assert market.valuation.total() == 51_000


def test_a_trade_without_market_data_moves_all_that_hangs_on_it() -> None:
    """Where our last trade is the price, a new trade moves the lines of other assets, too."""
    market = Market("ETH/BTC", "BTC/USD")
    market.valuation.note_trade("ETH/BTC", D("0.05"))
    market.valuation.note_trade("BTC/USD", D(50_000))
    market.valuation.set_asset("ETH", D(1))
    assert market.valuation.total() == 2_500
    market.valuation.note_trade("BTC/USD", D(60_000))
    assert market.valuation.total() == 3_000


def test_market_data_outranks_our_trades() -> None:
    """A trade of ours does not move a mark that market data has set."""
    market = Market("BTC/USD")
    market.quote(BTC_USD=50_000.0)
    market.valuation.set_asset("BTC", D(1))
    market.valuation.note_trade("BTC/USD", D(1))
    assert market.valuation.total() == 50_000


def test_the_accounts_currency_may_be_the_base() -> None:
    """A currency that the account's own is quoted in is worth the inverse of that price."""
    market = Market("USD/JPY")
    market.quote(USD_JPY=160.0)
    market.valuation.set_asset("JPY", D(-16_000))
    assert market.valuation.total() == -100
    market.quote(USD_JPY=125.0)
    assert market.valuation.total() == -128


def test_an_inverse_rate_counts_the_multiplier() -> None:
    """The inverse price of an instrument with a multiplier is divided by that, too."""
    valuation = Valuation("USD", PriceBoard())
    valuation.learn(make_instrument("USD/JPY", multiplier=D(100)))
    valuation.note_trade("USD/JPY", D("1.6"))
    assert valuation.rate("JPY") == 1 / D(160)


def test_an_inverse_rate_needs_a_positive_price() -> None:
    """A price of zero has no inverse: the asset is unpriced, and no fault of arithmetic."""
    market = Market("USD/JPY")
    market.quote(USD_JPY=0.0)
    market.valuation.set_asset("JPY", D(1))
    with pytest.raises(AccountingError, match=r"JPY has no price in USD: USD/JPY, which prices it, is at 0\.0"):
        market.valuation.total()


def test_instruments_that_price_each_other_in_a_circle_price_nothing() -> None:
    """A circle that does not lead to the account's currency leaves its assets unpriced."""
    market = Market("ETH/BTC", "BTC/ETH")
    market.quote(ETH_BTC=0.05, BTC_ETH=20.0)
    with pytest.raises(AccountingError, match="ETH has no price in USD"):
        market.valuation.rate("ETH")


def test_a_circle_with_a_way_out_is_priced() -> None:
    """Instruments that price each other do not hide the one that prices both."""
    market = Market("ETH/BTC", "BTC/ETH", "BTC/USD")
    market.quote(ETH_BTC=0.05, BTC_ETH=20.0, BTC_USD=50_000.0)
    assert (market.valuation.rate("BTC"), market.valuation.rate("ETH")) == (50_000, 2_500)


def test_contracts_price_no_asset() -> None:
    """The price of a contract is not the rate of its base."""
    valuation = Valuation("USD", PriceBoard())
    valuation.learn(make_instrument("BTC/USD:USD", kind=InstrumentKind.SWAP, base="BTC", quote="USD"))
    valuation.note_trade("BTC/USD:USD", D(50_000))
    with pytest.raises(AccountingError, match="BTC has no price"):
        valuation.rate("BTC")


def test_the_first_unpriced_line_is_named_every_time() -> None:
    """With several assets unpriced it is the oldest line that is named, in every process alike."""
    market = Market()
    for asset in ("ZEC", "ADA", "XMR"):
        market.valuation.set_asset(asset, D(1))
    for _ in range(3):
        with pytest.raises(AccountingError, match="ZEC has no price"):
            market.valuation.total()


def test_a_line_that_is_dropped_needs_no_price() -> None:
    """What is not owned any more keeps nobody from being valued."""
    market = Market()
    market.valuation.set_asset("ZEC", D(1))
    market.valuation.set_asset("ZEC", D(0))
    assert market.valuation.total() == 0


def test_dropped_lines_leave_nothing_behind() -> None:
    """After all lines are closed the total is zero and no symbol is followed any more."""
    market = Market("BTC/EUR", "EUR/USD")
    market.quote(BTC_EUR=40_000.0, EUR_USD=1.1)
    for _ in range(3):
        market.valuation.set_asset("BTC", D(1))
        market.valuation.set_contract("SWAP", "EUR", lambda _: D(7))
        market.valuation.note_trade("SWAP", D(1))
        market.quote(EUR_USD=1.2)
        market.valuation.set_asset("BTC", D(0))
        market.valuation.set_contract("SWAP", "EUR", None)
    assert market.valuation.total() == 0
    assert market.valuation._lines_of_symbol == {}


def test_a_contract_without_a_price_is_named() -> None:
    """An open contract without a mark is named with the remedy."""
    market = Market()
    market.valuation.set_contract("SWAP", "USD", lambda price: price)
    with pytest.raises(AccountingError, match="SWAP has no price: add it to the market data"):
        market.valuation.total()


def test_long_prices_do_not_stop_the_books() -> None:
    """A chain of prices with all the digits a float has is valued, to 36 decimal places."""
    market = Market("A/B", "B/C", "C/D", "D/USD")
    third = 1 / 3
    market.quote(A_B=third, B_C=third, C_D=third, D_USD=third)
    market.valuation.set_asset("A", D("12345678.123456789012345678"))
    market.valuation.set_asset("USD", D("123456789.12"))
    total = market.valuation.total()
    expected = D("123456789.12") + D("12345678.123456789012345678") / 81
    assert abs(total - expected) < D("1e-8")


def test_a_plain_share_is_valued_by_its_own_symbol() -> None:
    """A share is an asset of its own name, priced by the symbol of the same name."""
    valuation = Valuation("USD", PriceBoard())
    valuation.learn(Instrument.plain("AAPL"))
    valuation.note_trade("AAPL", D("3.5"))
    valuation.set_asset("AAPL", D(2))
    assert valuation.total() == 7
