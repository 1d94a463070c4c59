"""Opening the books with what an account holds, and holding them against it later."""

from decimal import Decimal

import pytest

from tradingd.domain.enums import HaltScope, HaltState, InstrumentKind, Side
from tradingd.domain.events import AccountPosition, AccountSnapshot, Balance, EventType, Fee, Fill, HaltRequest
from tradingd.domain.instrument import Instrument
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError
from tradingd.portfolio.manager import PortfolioManager
from tradingd.testing import EventLog, make_instrument, make_quote

D = Decimal
BTC, ETH = (make_instrument(f"{base}/USDT", venue="main") for base in ("BTC", "ETH"))
SWAP = make_instrument("BTC/USDT:USDT", kind=InstrumentKind.SWAP, base="BTC", quote="USDT", venue="main")


def snapshot(
    ts: int = 1, venue: str = "main", *, positions: dict[str, str] | None = None, **totals: str
) -> AccountSnapshot:
    """What a venue says that its account holds."""
    balances = tuple(Balance(asset, D(total), D(0)) for asset, total in totals.items())
    held = tuple(AccountPosition(symbol, D(quantity)) for symbol, quantity in (positions or {}).items())
    return AccountSnapshot(ts, venue, balances, held)


class Books:
    """A portfolio that a venue opens, with what it tells."""

    def __init__(self, *instruments: Instrument, venues: tuple[str, ...] = ("main",)) -> None:
        self.log = EventLog()
        self.prices = PriceBoard()
        self.portfolio = PortfolioManager(
            0,
            "USDT",
            instruments={each.symbol: each for each in instruments or (BTC, ETH)},
            prices=self.prices,
            emit=self.log,
            opened_by=venues,
        )
        self.portfolio.learn(*(each.symbol for each in instruments or (BTC, ETH)))

    def price(self, symbol: str, price: float) -> None:
        self.prices.update(make_quote(price, price, symbol=symbol))
        self.portfolio.on_market_data(self.prices.latest[symbol])

    def fill(self, side: Side, quantity: str, price: str, *fees: Fee, symbol: str = "BTC/USDT") -> None:
        self.portfolio.on_fill(
            Fill(2, symbol, side, D(quantity), D(price), tuple(fees), "s", "s:1", "t1", "T1", "main")
        )

    @property
    def halts(self) -> list[tuple[HaltScope, str, HaltState]]:
        found = [event for event in self.log.events if event.type is EventType.HALT_REQUEST]
        assert all(isinstance(event, HaltRequest) and "MISMATCH at main" in event.reason for event in found)
        return [(event.scope, event.key, event.state) for event in found if isinstance(event, HaltRequest)]


def test_equity_cannot_be_told_before_the_books_are_open() -> None:
    """Until the venue has told what the account holds, equity is no number that a limit could begin with."""
    books = Books()
    with pytest.raises(AccountingError, match="main has not told what the account holds"):
        books.portfolio.get_equity()


def test_the_first_snapshot_opens_the_books() -> None:
    """What the account holds at first is the opening, and profit is counted from its worth."""
    books = Books()
    books.price("BTC/USDT", 50_000.0)
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", BTC="0.5"))
    assert books.portfolio.get_equity() == D(26_000)
    assert books.portfolio.initial_equity == D(26_000)
    assert books.portfolio.peak_equity == D(26_000)
    assert books.portfolio.drawdown == 0
    assert books.halts == []
    books.portfolio.ledger.verify()


def test_coins_of_the_owner_are_no_position() -> None:
    """A coin that the account held before the run belongs to no strategy, so none can sell it."""
    books = Books()
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", BTC="0.5"))
    assert not books.portfolio.positions


def test_books_of_two_accounts_open_when_both_have_told() -> None:
    """With several accounts, equity needs the opening of each."""
    books = Books(venues=("main", "other"))
    books.portfolio.on_account_snapshot(snapshot(USDT="1000"))
    with pytest.raises(AccountingError, match="other has not told"):
        books.portfolio.get_equity()
    books.portfolio.on_account_snapshot(snapshot(venue="other", USDT="500"))
    assert books.portfolio.get_equity() == D(1500)


def test_what_has_no_way_to_the_currency_is_named_and_not_counted() -> None:
    """A coin that nothing here prices is booked all the same, told as uncounted, and leaves equity tellable."""
    books = Books()
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", DOGE="7"))
    assert books.portfolio.get_equity() == D(1000)
    assert books.portfolio.uncounted == {"DOGE"}
    assert books.portfolio.cash("DOGE") == D(7)


def test_a_fee_in_an_uncounted_coin_leaves_equity_tellable() -> None:
    """A fee taken in a coin without a price moves its balance, and equity is still told."""
    books = Books()
    books.price("BTC/USDT", 100.0)
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", BNB="1"))
    books.fill(Side.BUY, "1", "100", Fee("BNB", D("0.01")))
    assert books.portfolio.get_equity() == D(1000)
    assert books.portfolio.cash("BNB") == D("0.99")


def test_books_that_agree_ask_for_nothing() -> None:
    """After a trade with a fee in the base coin, a snapshot that says the same halts nothing."""
    books = Books()
    books.price("BTC/USDT", 100.0)
    books.portfolio.on_account_snapshot(snapshot(USDT="1000"))
    books.fill(Side.BUY, "2", "100.5", Fee("BTC", D("0.002")))
    books.portfolio.on_account_snapshot(snapshot(3, USDT="799.0", BTC="1.998"))
    assert books.halts == []


def test_a_missing_fill_halts_the_instrument() -> None:
    """A base coin that the venue tells otherwise halts entries in the instruments that trade it, no others."""
    books = Books()
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", ETH="3"))
    books.portfolio.on_account_snapshot(snapshot(3, USDT="1000", ETH="2.999"))
    assert books.halts == [(HaltScope.INSTRUMENT, "ETH/USDT", HaltState.NO_NEW)]


def test_a_difference_in_the_quote_halts_all_that_is_paid_in_it() -> None:
    """Cash that is not there as booked concerns every instrument that is paid with it."""
    books = Books()
    books.portfolio.on_account_snapshot(snapshot(USDT="1000"))
    books.portfolio.on_account_snapshot(snapshot(3, USDT="1250"))
    assert sorted(key for _, key, _ in books.halts) == ["BTC/USDT", "ETH/USDT"]


def test_a_difference_in_a_fee_coin_halts_the_account() -> None:
    """A coin that only fees moved belongs to no instrument: the whole account stops growing."""
    books = Books()
    books.price("BTC/USDT", 100.0)
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", BNB="1"))
    books.fill(Side.BUY, "1", "100", Fee("BNB", D("0.01")))
    books.portfolio.on_account_snapshot(snapshot(3, USDT="900", BTC="1", BNB="0.98"))
    assert books.halts == [(HaltScope.ACCOUNT, "account", HaltState.NO_NEW)]


def test_a_difference_is_told_once_as_long_as_it_stays_the_same() -> None:
    """The same difference at the next barrier asks for no further halt; another one does."""
    books = Books()
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", ETH="3"))
    for ts, eth in ((3, "2"), (4, "2"), (5, "1")):
        books.portfolio.on_account_snapshot(snapshot(ts, USDT="1000", ETH=eth))
    assert len(books.halts) == 2


def test_a_trade_told_before_the_opening_is_counted_once() -> None:
    """The opening is what the account held before the trades that were told already."""
    books = Books()
    books.price("BTC/USDT", 100.0)
    books.fill(Side.BUY, "1", "100")
    books.portfolio.on_account_snapshot(snapshot(USDT="900", BTC="1"))
    assert books.portfolio.cash() == D(900)
    assert books.portfolio.cash("BTC") == D(1)
    assert books.halts == []


def test_a_contract_position_that_nobody_here_opened_halts_its_instrument() -> None:
    """A position that the account holds and the books do not know stops entries in it from the start."""
    books = Books(SWAP)
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", positions={"BTC/USDT:USDT": "-0.3"}))
    assert books.halts == [(HaltScope.INSTRUMENT, "BTC/USDT:USDT", HaltState.NO_NEW)]


def test_settlement_balances_of_contracts_are_not_compared() -> None:
    """Funding moves what contracts settle in, in each venue's own way: that alone halts nothing."""
    books = Books(SWAP)
    books.portfolio.on_account_snapshot(snapshot(USDT="1000"))
    books.portfolio.on_account_snapshot(snapshot(3, USDT="999.87"))
    assert books.halts == []


def test_other_coins_of_the_account_are_nobodys_business() -> None:
    """A deposit of a coin that this run neither trades nor pays fees in halts nothing, held before or not."""
    books = Books()
    books.portfolio.on_account_snapshot(snapshot(USDT="1000", SHIB="7"))
    books.portfolio.on_account_snapshot(snapshot(3, USDT="1000", SHIB="8", DOGE="100"))
    assert books.halts == []
