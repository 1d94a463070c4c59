from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.enums import InstrumentKind, Side
from tradingd.domain.instrument import Instrument
from tradingd.errors import MoneyError
from tradingd.testing import make_instrument

D = Decimal

LINEAR = make_instrument("BTC/USD:USD", kind=InstrumentKind.SWAP, base="BTC", quote="USD", multiplier=D("0.01"))
INVERSE = make_instrument(
    "BTC/USD:BTC", kind=InstrumentKind.SWAP, base="BTC", quote="USD", multiplier=D(100), inverse=True
)


def test_limit_prices_move_to_the_better_tick() -> None:
    """A limit price is rounded so that a buy never pays more and a sale never takes less than asked for."""
    instrument = make_instrument(tick=D("0.05"))
    assert instrument.round_price(D("10.03"), Side.BUY) == D("10.00")
    assert instrument.round_price(D("10.03"), Side.SELL) == D("10.05")


def test_trade_prices_move_to_the_worse_tick() -> None:
    """A simulated trade is rounded against its side."""
    instrument = make_instrument(tick=D("0.05"))
    assert instrument.worse_price(D("10.03"), Side.BUY) == D("10.05")
    assert instrument.worse_price(D("10.03"), Side.SELL) == D("10.00")


@pytest.mark.parametrize("side", list(Side))
def test_prices_on_the_tick_stay(side: Side) -> None:
    """A price on the tick is left as it is, on both sides and in both roundings."""
    instrument = make_instrument(tick=D("0.05"))
    assert instrument.round_price(D("10.05"), side) == instrument.worse_price(D("10.05"), side) == D("10.05")


def test_negative_prices_round_by_value() -> None:
    """Rounding sides hold for negative prices, too: down is towards minus infinity."""
    instrument = make_instrument(tick=D("0.05"))
    assert instrument.round_price(D("-10.03"), Side.BUY) == D("-10.05")
    assert instrument.round_price(D("-10.03"), Side.SELL) == D("-10.00")


@given(
    st.floats(min_value=1e-6, max_value=1e9),
    st.sampled_from(["0.01", "0.05", "0.00000001", "0.25", "5", "0.003"]),
    st.sampled_from(Side),
)
@settings(derandomize=True)
def test_a_float_limit_is_never_worse_than_asked_for(price: float, tick: str, side: Side) -> None:
    """A float becomes a limit on the tick, less than one tick away and never on the worse side."""
    limit = make_instrument(tick=D(tick)).limit_from(price, side)
    distance = (D(repr(price)) - limit) * side.sign
    assert 0 <= distance < D(tick)
    assert limit % D(tick) == 0


@pytest.mark.parametrize(
    ("quantity", "expected"), [("1.29", "1.2"), ("0.05", "0"), ("-1.29", "-1.2"), ("3", "3.0")]
)
def test_quantities_are_cut_to_whole_lots(quantity: str, expected: str) -> None:
    """A quantity is cut to whole lots towards zero."""
    assert make_instrument(lot=D("0.1")).floor_quantity(D(quantity)) == D(expected)


@pytest.mark.parametrize(
    ("quantity", "limit", "reference", "code"),
    [
        ("0", None, "100", "LOT"),
        ("-1", None, "100", "LOT"),
        ("1.05", None, "100", "LOT"),
        ("0.4", None, "100", "MIN_QUANTITY"),
        ("10.1", None, "100", "MAX_QUANTITY"),
        ("1", "100.005", None, "TICK"),
        ("1", "0", None, "TICK"),
        ("1", "-0.01", None, "TICK"),
        ("0.5", "99.99", None, "MIN_NOTIONAL"),
        ("0.5", None, "99.99", "MIN_NOTIONAL"),
        ("10", "50.01", None, "MAX_NOTIONAL"),
        ("10", None, "50.01", "MAX_NOTIONAL"),
        ("0.5", "100", None, ""),
        ("10", "50", None, ""),
        ("10", None, None, ""),
        ("10", None, "0", ""),
    ],
)
def test_filters_name_what_an_order_breaks(
    quantity: str, limit: str | None, reference: str | None, code: str
) -> None:
    """Each filter of the venue is told by its code, at the very edge, and an order within all by nothing."""
    instrument = make_instrument(
        lot=D("0.1"), min_quantity=D("0.5"), max_quantity=D(10), min_notional=D(50), max_notional=D(500)
    )
    reason = instrument.violation(D(quantity), limit and D(limit), reference and D(reference))
    assert reason.partition(":")[0] == code


def test_violation_texts_tell_figures() -> None:
    """A violation tells what was asked for and what is allowed."""
    instrument = make_instrument(min_notional=D(50))
    assert instrument.violation(D(1), D("40.00"), None) == "MIN_NOTIONAL: 40.00 is below the minimum 50 USD"


def test_spot_is_worth_quantity_times_price() -> None:
    """A spot quantity is worth quantity x price, signed."""
    assert make_instrument().value(D(-3), D("10.50")) == D("-31.50")


def test_a_linear_contract_counts_its_multiplier() -> None:
    """A linear contract is worth quantity x multiplier x price."""
    assert LINEAR.value(D(5), D(60_000)) == D(3_000)


def test_an_inverse_contract_gains_for_a_long_when_the_price_rises() -> None:
    """An inverse contract is worth -quantity x multiplier / price of its base coin."""
    assert INVERSE.value(D(5), D(40_000)) == D("-0.0125")
    assert INVERSE.value(D(5), D(50_000)) - INVERSE.value(D(5), D(40_000)) == D("0.0025")


@pytest.mark.parametrize("quantity", ["5", "-5"])
def test_notional_has_no_sign(quantity: str) -> None:
    """The notional of a trade is never negative, on either side of either kind of contract."""
    assert LINEAR.notional(D(quantity), D(60_000)) == D(3_000)
    assert INVERSE.notional(D(quantity), D(40_000)) == D("0.0125")


@pytest.mark.parametrize("price", ["0", "-1"])
def test_an_inverse_contract_has_no_value_without_a_positive_price(price: str) -> None:
    """An inverse contract cannot be valued at a price of zero or less."""
    with pytest.raises(MoneyError, match="an inverse contract has no value at a price of"):
        INVERSE.value(D(1), D(price))


@pytest.mark.parametrize(
    ("instrument", "settle"),
    [(make_instrument(), "USD"), (make_instrument("ETH/BTC"), "BTC"), (LINEAR, "USD"), (INVERSE, "BTC")],
)
def test_settlement_defaults_to_the_quote_or_the_inverse_base(instrument: Instrument, settle: str) -> None:
    """What is not told settles in its quote, an inverse contract in its base coin."""
    assert instrument.settle == settle


def test_a_quanto_contract_settles_in_what_it_is_told() -> None:
    """A contract may settle in a third currency."""
    assert make_instrument("ETH/USD:BTC", kind=InstrumentKind.SWAP, settle="BTC").settle == "BTC"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tick": D(0)}, "AAPL: tick must be greater than 0, it is 0"),
        ({"lot": D(-1)}, "AAPL: lot must be greater than 0, it is -1"),
        ({"multiplier": D(0)}, "AAPL: multiplier must be greater than 0, it is 0"),
        ({"tick": D("NaN")}, "AAPL: tick: Decimal('NaN') is not a finite number"),
        ({"lot": D("Infinity")}, "AAPL: lot: Decimal('Infinity') is not a finite number"),
        ({"tick": 0.01}, "AAPL: tick: 0.01 is a float"),
        ({"min_notional": D(-1)}, "AAPL: min_notional must be 0 or greater, it is -1"),
        ({"max_quantity": 1e6}, "AAPL: max_quantity: 1000000.0 is a float"),
        ({"inverse": True}, "AAPL: only a contract can be inverse, this is equity"),
        ({"settle": "EUR"}, "AAPL: equity settles in its quote USD, not in EUR"),
    ],
)
def test_an_instrument_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    """An impossible instrument is refused when it is made, with its symbol and the field."""
    with pytest.raises(MoneyError) as caught:
        make_instrument(**fields)
    assert message in str(caught.value)


def test_decoding_validates_too() -> None:
    """An instrument read from a file is held to the same rules."""
    raw = {"symbol": "X", "kind": "spot", "base": "X", "quote": "USD", "tick": "0", "lot": "1"}
    with pytest.raises(msgspec.ValidationError, match="X: tick must be greater than 0"):
        msgspec.convert(raw, Instrument)


def test_instruments_are_frozen() -> None:
    """An instrument cannot be changed."""
    with pytest.raises(AttributeError):
        make_instrument().tick = D(1)  # type: ignore[misc]


def test_the_plain_share_trades_at_anything() -> None:
    """The instrument of a component used alone takes any price and fraction."""
    plain = Instrument.plain("AAPL", "EUR")
    assert (plain.kind, plain.base, plain.settle) == (InstrumentKind.EQUITY, "AAPL", "EUR")
    assert plain.violation(D("0.000000000000000001"), D("0.000000000000000007"), None) == ""
