"""Sizers: how much a signal becomes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.risk.desk import BUY, LONG, SHORT, Desk, code
from tradingd.domain.enums import InstrumentKind
from tradingd.errors import ConfigError
from tradingd.risk.sizing import (
    AtrTargetSizer,
    FixedNotionalSizer,
    FixedQuantitySizer,
    PercentOfEquitySizer,
    PositionSizer,
)
from tradingd.strategy.indicators import ATR
from tradingd.testing import make_instrument

BTC_EUR = make_instrument("BTC/EUR")
EUR_USD = make_instrument("EUR/USD", tick=Decimal("0.0001"))
FUTURE = make_instrument("ES", kind=InstrumentKind.FUTURE, multiplier=Decimal(50))


def size(sizer: PositionSizer, desk: Desk, price: float = 100.0, symbol: str = "AAPL") -> Decimal:
    """What the sizer says of a long."""
    return sizer.calculate_position_size(symbol, LONG, price, desk.portfolio)


def european() -> Desk:
    """A USD account that trades BTC in EUR, with 1 EUR = 2 USD."""
    desk = Desk(instruments=[BTC_EUR, EUR_USD], price=None)
    desk.market(2.0, symbol="EUR/USD")
    desk.portfolio.learn("EUR/USD")
    return desk


def atr_sizer(risk_percent: str = "1", multiple: str = "2", known: Any = None) -> AtrTargetSizer:
    """The ATR sizer over the last two bars."""
    return AtrTargetSizer(risk_percent, multiple=multiple, make_atr=lambda: ATR(2), instruments=known)


def ranging(sizer: AtrTargetSizer, bars: int, desk: Desk | None = None, symbol: str = "AAPL") -> Desk:
    """Bars from 98 to 102 around 100: a true range of 4."""
    made = desk or Desk(sizer=sizer, price=None)
    for minute in range(bars):
        made.market(100.0, symbol=symbol, minute=minute, high=102.0, low=98.0)
    return made


def test_a_fixed_quantity_is_the_same_at_any_price() -> None:
    """It ignores price and equity."""
    assert size(FixedQuantitySizer("2.5"), Desk(cash=0), 1e6) == Decimal("2.5")


def test_a_fixed_notional_buys_what_it_is_worth() -> None:
    """1,000 at 40 are 25."""
    assert size(FixedNotionalSizer(1000), Desk(), 40.0) == 25


def test_a_percentage_follows_equity() -> None:
    """A tenth of the present equity, with its unrealised losses."""
    desk = Desk(cash=1000)
    desk.hold(10)
    desk.market(50.0)
    assert size(PercentOfEquitySizer(10), desk, 50.0) == 1


def test_quantities_are_never_rounded_up() -> None:
    """A third is cut, so that it costs no more than was meant."""
    assert size(FixedNotionalSizer(1), Desk(), 3.0) == Decimal("0.333333333333333333")


@pytest.mark.parametrize(
    "make", [lambda known: FixedNotionalSizer(1000, known), lambda known: PercentOfEquitySizer(1, known)]
)
def test_a_contracts_multiplier_counts(make: Callable[[Any], PositionSizer]) -> None:
    """One contract of 50 at 10 is worth 500."""
    assert size(make({"ES": FUTURE}), Desk(), 10.0, "ES") == 2


@pytest.mark.parametrize(
    "make", [lambda known: FixedNotionalSizer(1000, known), lambda known: PercentOfEquitySizer(1, known)]
)
def test_money_is_the_accounts_currency(make: Callable[[Any], PositionSizer]) -> None:
    """1,000 USD are 500 EUR, which buy 5 at 100 EUR."""
    assert size(make({"BTC/EUR": BTC_EUR}), european(), 100.0, "BTC/EUR") == 5


@pytest.mark.parametrize(
    "sizer", [PercentOfEquitySizer(10, {"BTC/EUR": BTC_EUR}), FixedNotionalSizer(1000, {"BTC/EUR": BTC_EUR})]
)
def test_a_signal_that_cannot_be_sized_for_want_of_a_rate_is_denied(sizer: PositionSizer) -> None:
    """The reason tells what is missing; the gate goes on."""
    desk = Desk(instruments=[BTC_EUR], sizer=sizer, price=None)
    desk.market(100.0, symbol="BTC/EUR")
    assert desk.signal(LONG, symbol="BTC/EUR").startswith("UNPRICED: EUR has no price in USD")


def test_the_atr_sizer_risks_a_share_of_equity() -> None:
    """1 % of 100,000 over two ranges of 4: a move of 8 against 125 shares costs the 1,000."""
    sizer = atr_sizer()
    assert size(sizer, ranging(sizer, 5)) == 125


def test_the_atr_sizer_does_not_depend_on_the_price() -> None:
    """The range, not the level, makes the risk."""
    sizer = atr_sizer()
    desk = ranging(sizer, 5)
    assert size(sizer, desk, 50.0) == size(sizer, desk, 200.0) == 125


def test_the_atr_sizer_gives_nothing_while_its_range_warms_up() -> None:
    """An entry waits for the indicator."""
    desk = ranging(atr_sizer(), 1)
    assert desk.signal(LONG) == "SIZE_ZERO: the sizer gives 0, the lot is 1E-18"


def test_the_atr_sizer_counts_multipliers_and_currencies() -> None:
    """In a contract of 2 BTC quoted in EUR at 2 USD, a move of 8 costs 32 USD."""
    swap = make_instrument("BTC/EUR", multiplier=Decimal(2))
    sizer = atr_sizer(known={"BTC/EUR": swap})
    desk = ranging(sizer, 5, european(), "BTC/EUR")
    for minute in range(5):
        sizer.on_bar(desk.market(100.0, symbol="BTC/EUR", minute=minute, high=102.0, low=98.0))
    assert size(sizer, desk, 100.0, "BTC/EUR") == Decimal("31.25")


def test_the_atr_sizer_gives_nothing_when_nothing_moves() -> None:
    """A range of zero would be a position without bound."""
    sizer = atr_sizer()
    desk = Desk(sizer=sizer, price=None)
    for minute in range(5):
        desk.market(100.0, minute=minute)
    assert size(sizer, desk) == 0


def test_the_atr_sizer_takes_any_length_of_digits() -> None:
    """Prices with all the digits of a float do not stop the gate."""
    sizer = atr_sizer("0.37", "2.7")
    desk = Desk(sizer=sizer, price=None)
    for minute in range(5):
        desk.market(
            12345.678901234567, minute=minute, high=12345.98765432101, low=12344.123456789012,
        )  # fmt: skip
    assert size(sizer, desk, 12345.678901234567) > 0


@pytest.mark.parametrize("cash", [0, -500])
@pytest.mark.parametrize("sizer", [PercentOfEquitySizer(10), atr_sizer()])
def test_without_equity_there_is_no_size(sizer: PositionSizer, cash: int) -> None:
    """Zero or negative equity buys nothing."""
    desk = Desk(cash=cash, price=None)
    if isinstance(sizer, AtrTargetSizer):
        for minute in range(5):
            sizer.on_bar(desk.market(100.0, minute=minute, high=102.0, low=98.0))
    assert size(sizer, desk) == 0


@pytest.mark.parametrize("price", [0.0, -1.0])
@pytest.mark.parametrize("sizer", [FixedNotionalSizer(1000), PercentOfEquitySizer(10), atr_sizer()])
def test_without_a_price_there_is_no_size(sizer: PositionSizer, price: float) -> None:
    """What costs nothing is not bought without end."""
    assert size(sizer, Desk(), price) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedQuantitySizer(0),
        lambda: FixedNotionalSizer(-1),
        lambda: PercentOfEquitySizer(0),
        lambda: atr_sizer(risk_percent="0"),
        lambda: atr_sizer(multiple="0"),
    ],
)
def test_a_sizer_of_nothing_is_refused(make: Callable[[], PositionSizer]) -> None:
    """Its number must be greater than 0."""
    with pytest.raises(ConfigError, match="must be greater than 0"):
        make()


@pytest.mark.parametrize(("strength", "quantity"), [(0.5, 5), (0.19, 1), (1.0, 10), (3.0, 10)])
def test_strength_scales_the_size_down_and_never_up(strength: float, quantity: int) -> None:
    """Half a strength is half the size, cut to the lot; more than 1 counts as 1."""
    desk = Desk(instruments=[make_instrument()])
    desk.signal(LONG, strength=strength)
    assert desk.last == (BUY, quantity)


@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_no_strength_is_no_order(strength: float) -> None:
    """Less than a lot is nothing."""
    desk = Desk(instruments=[make_instrument()])
    assert code(desk.signal(LONG, strength=strength)) == "SIZE_ZERO"


def test_strength_does_not_scale_what_closes() -> None:
    """A weak reversal closes all of the old position and opens little of the new one."""
    desk = Desk(instruments=[make_instrument()])
    desk.hold(7)
    desk.signal(SHORT, strength=0.2)
    assert desk.last[1] == 9


class Odd:
    """A sizer of somebody's own."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def calculate_position_size(self, *_: object) -> Any:
        """Whatever it was made with."""
        return self.answer


@pytest.mark.parametrize("answer", [1.5, Decimal("NaN"), None])
def test_a_sizer_that_gives_no_exact_number_is_told_so(answer: object) -> None:
    """A float or NaN from a sizer of one's own denies the signal and stops nothing."""
    assert code(Desk(sizer=Odd(answer)).signal(LONG)) == "INVALID_SIZE"


def test_a_sizer_that_gives_less_than_nothing_gives_nothing() -> None:
    """A negative size neither flips the order nor spares a part of the position in a reversal."""
    desk = Desk(sizer=Odd(Decimal(-5)))
    denied = desk.signal(LONG)
    desk.hold(7)
    desk.signal(SHORT)
    assert (code(denied), desk.last[1], desk.orders[0].reduce_only) == ("SIZE_ZERO", 7, True)
