"""Instruments and capabilities out of what ccxt knows."""

from decimal import Decimal
from typing import Any

import pytest

from tradingd.domain.enums import InstrumentKind, OrderType, TimeInForce
from tradingd.errors import DataError
from tradingd.venues.loader import exchange_class
from tradingd.venues.markets import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    common_capabilities,
    instrument_of,
)


def market(**changes: Any) -> dict[str, Any]:
    """A market as ccxt has it."""
    return {
        "type": "spot",
        "spot": True,
        "base": "BTC",
        "quote": "USDT",
        "settle": None,
        "precision": {"price": "0.01", "amount": "0.00001"},
        "limits": {"amount": {"min": "0.00002", "max": "9000"}, "cost": {"min": "5", "max": None}, "price": {}},
        "contractSize": None,
    } | changes


def made(mode: int = TICK_SIZE, reference: Decimal | None = None, **changes: Any) -> Any:
    """The instrument of such a market."""
    return instrument_of(market(**changes), symbol="X", venue="acc", precision_mode=mode, reference=reference)


def test_a_spot_market() -> None:
    """Steps and bounds are the venue's, exactly."""
    spot = made()
    assert (spot.kind, spot.tick, spot.lot) == (InstrumentKind.SPOT, Decimal("0.01"), Decimal("0.00001"))
    assert (spot.min_quantity, spot.max_quantity) == (Decimal("0.00002"), Decimal(9000))
    assert (spot.min_notional, spot.max_notional, spot.settle, spot.venue) == (Decimal(5), None, "USDT", "acc")


@pytest.mark.parametrize("kind", ["swap", "future", "option"])
def test_a_linear_contract(kind: str) -> None:
    """The contract's size is the multiplier; it settles in the quote."""
    contract = made(type=kind, spot=False, linear=True, settle="USDT", contractSize="0.001")
    assert (contract.kind.value, contract.multiplier, contract.settle) == (kind, Decimal("0.001"), "USDT")
    assert contract.notional(Decimal(2), Decimal(50_000)) == 100


def test_an_inverse_contract() -> None:
    """Each contract is an amount of the quote, and settles in the base; bounds in the quote do not hold for it."""
    contract = made(type="swap", spot=False, inverse=True, quote="USD", settle="BTC", contractSize="100")
    assert (contract.inverse, contract.multiplier, contract.settle) == (True, Decimal(100), "BTC")
    assert contract.min_notional == 0
    assert contract.notional(Decimal(10), Decimal(50_000)) == Decimal("0.02")


def test_precision_in_decimal_places() -> None:
    """A number of places is a step."""
    places = made(DECIMAL_PLACES, precision={"price": "2", "amount": "8"})
    assert (places.tick, places.lot) == (Decimal("0.01"), Decimal("1E-8"))


@pytest.mark.parametrize(("price", "tick"), [("43000", "1"), ("60000", "10"), ("0.0234", "0.000001")])
def test_precision_in_significant_digits(price: str, tick: str) -> None:
    """Five digits of a price as high as twice the last one."""
    digits = made(SIGNIFICANT_DIGITS, Decimal(price), precision={"price": "5", "amount": "8"})
    assert digits.tick == Decimal(tick)


@pytest.mark.parametrize(
    ("mode", "changes"),
    [
        (TICK_SIZE, {"precision": {"price": None, "amount": "1"}}),
        (TICK_SIZE, {"precision": {"price": "0", "amount": "1"}}),
        (SIGNIFICANT_DIGITS, {}),
        (TICK_SIZE, {"type": "prediction"}),
        (TICK_SIZE, {"precision": {"price": "<html>", "amount": "1"}}),
    ],
)
def test_a_market_that_cannot_be_told_exactly_is_refused(mode: int, changes: dict[str, Any]) -> None:
    """No step is made up."""
    with pytest.raises(DataError):
        made(mode, **changes)


def test_binance_takes_stops_itself() -> None:
    """They are in the same list as other orders there."""
    able = common_capabilities(exchange_class("binance")(), ["spot"], amends=False)
    assert able.order_types >= {OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT}
    assert able.times_in_force == {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}
    assert (able.post_only, able.oco, able.modify) == (True, False, False)


def test_stops_in_a_list_of_their_own_are_left_to_execution() -> None:
    """OKX keeps them apart, under other ids: reads of orders would not see them."""
    able = common_capabilities(exchange_class("okx")(), ["spot"], amends=True)
    assert able.order_types == {OrderType.MARKET, OrderType.LIMIT}


def test_an_account_can_what_all_its_kinds_of_markets_can() -> None:
    """Binance's contracts keep stops apart, so an account with both kinds has none."""
    able = common_capabilities(exchange_class("binance")(), ["spot", "swap"], amends=False)
    assert OrderType.STOP not in able.order_types
