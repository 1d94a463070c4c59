"""ccxt's dicts in our own terms."""

from decimal import Decimal
from typing import Any

import pytest

from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Balance, Fee
from tradingd.errors import VenueUnavailableError
from tradingd.venues.clock import ClockReading, offset_ns
from tradingd.venues.convert import Converter, exact
from tradingd.venues.model import SeenStatus
from tradingd.venues.shapes import entries, holds_nothing
from tradingd.venues.table import row_of

BINANCE = Converter(row_of("binance"), str)
OKX = Converter(row_of("okx"), lambda symbol: f"{symbol}@main")


def trade(**changes: Any) -> dict[str, Any]:
    """A trade as ccxt tells it."""
    return {
        "id": "7",
        "order": "28",
        "symbol": "BTC/USDT",
        "side": "buy",
        "amount": "0.1",
        "price": "100.01",
        "timestamp": 1_700_000_000_123,
        "takerOrMaker": "maker",
        "fee": {"cost": "0.0001", "currency": "BTC"},
        "fees": [],
        "info": {},
    } | changes


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.1", "0.1"),
        ("1e-8", "0.00000001"),
        (3, "3"),
        (0.1, "0.1"),
        ("123456789.123456789012", "123456789.123456789012"),
    ],
)
def test_numbers_are_exact(value: object, number: str) -> None:
    """Texts, ints and floats become the decimal that they show, in plain notation."""
    assert exact(value, "x") == Decimal(number)


@pytest.mark.parametrize("value", ["nan", "Infinity", "<html>", True, {}, float("nan")])
def test_what_is_no_number_is_no_answer(value: object) -> None:
    """It does not become none or nought."""
    with pytest.raises(VenueUnavailableError):
        exact(value, "x")


def test_an_order_of_which_a_venue_tells_only_its_id() -> None:
    """OKX's answer to a create has ids and nothing else: what it does not tell is not guessed."""
    seen = OKX.order(
        {"id": 312269865356374016, "clientOrderId": "t1Z1Z7", "info": {}}, "x", symbol="BTC/USDT@main"
    )
    assert (seen.exchange_order_id, seen.order_id, seen.symbol) == (
        "312269865356374016",
        "t1-1-7",
        "BTC/USDT@main",
    )
    assert (seen.side, seen.status, seen.quantity, seen.filled, seen.ts) == (
        None,
        SeenStatus.UNTOLD,
        None,
        None,
        0,
    )


def test_the_id_of_a_cancel_request_is_not_taken_for_ours() -> None:
    """Binance's answer to a cancel has the request's own client id; ours is beside it."""
    told = {"id": "28", "clientOrderId": "zz9", "info": {"clientOrderId": "zz9", "origClientOrderId": "t1-1-1"}}
    assert BINANCE.order(told, "x").order_id == "t1-1-1"


def test_a_market_order_has_no_limit_price() -> None:
    """Ccxt puts the average price where the limit price would be."""
    assert BINANCE.order({"id": "1", "type": "market", "price": "99.5"}, "x").limit_price is None


@pytest.mark.parametrize("order", [{}, {"id": None}, {"id": ""}, {"id": True}, {"id": " "}, "<html>", None])
def test_an_order_without_an_id_proves_nothing(order: object) -> None:
    """Ccxt makes such an order of an empty answer."""
    with pytest.raises(VenueUnavailableError):
        BINANCE.order(order, "x")


def test_a_trade() -> None:
    """Amounts and fee are exact, the time is in nanoseconds."""
    seen = BINANCE.trade(trade(), "x")
    assert (seen.quantity, seen.price, seen.fees) == (
        Decimal("0.1"),
        Decimal("100.01"),
        (Fee("BTC", Decimal("0.0001")),),
    )
    assert (seen.side, seen.liquidity, seen.ts) == (Side.BUY, Liquidity.MAKER, 1_700_000_000_123_000_000)


@pytest.mark.parametrize(
    ("fee", "fees", "told"),
    [
        ({"cost": "0.1", "currency": "BNB"}, [], [("BNB", "0.1")]),
        (
            None,
            [{"cost": "0.1", "currency": "BNB"}, {"cost": "-0.2", "currency": "USDT"}],
            [("BNB", "0.1"), ("USDT", "-0.2")],
        ),
        ({"cost": "0.1", "currency": "BNB"}, [{"cost": "0.1", "currency": "BNB"}], [("BNB", "0.1")]),
        ({"cost": None, "currency": None}, [], []),
        ({"cost": "0", "currency": "BTC"}, None, []),
    ],
)
def test_fees_are_read_wherever_they_are(fee: object, fees: object, told: list[tuple[str, str]]) -> None:
    """`fee`, `fees` or both; several coins; rebates are negative; nought is none."""
    seen = BINANCE.trade(trade(fee=fee, fees=fees), "x")
    assert seen.fees == tuple(Fee(coin, Decimal(amount)) for coin, amount in told)


def test_okx_tells_fees_on_its_stream_from_the_accounts_view() -> None:
    """A charge is negative there, and positive in the history."""
    told = trade(fee={"cost": "-0.0472", "currency": "USDT"})
    assert OKX.trade(told, "x", fee_sign=OKX.row.stream_fee_sign).fees == (Fee("USDT", Decimal("0.0472")),)


@pytest.mark.parametrize(
    "lack",
    [
        {"id": None},
        {"side": None},
        {"amount": None},
        {"amount": "0"},
        {"price": None},
        {"fee": {"cost": "1", "currency": None}},
    ],
)
def test_a_trade_that_is_not_whole_is_no_answer(lack: dict[str, Any]) -> None:
    """It could be a character of a page."""
    with pytest.raises(VenueUnavailableError):
        BINANCE.trade(trade(**lack), "x")


def test_balances_of_any_two_figures() -> None:
    """Venues tell total, free and used, or two of them."""
    told = {
        "info": {},
        "free": {},
        "BTC": {"total": "2", "free": "1.5", "used": "0.5"},
        "ETH": {"total": None, "free": "1", "used": "0.25"},
        "USDT": {"total": "10", "free": "4", "used": None},
        "EUR": {"total": "0", "free": "0", "used": "0"},
    }
    assert list(BINANCE.balances(told, "x")) == [
        Balance("BTC", Decimal(2), Decimal("0.5")),
        Balance("ETH", Decimal("1.25"), Decimal("0.25")),
        Balance("USDT", Decimal(10), Decimal(6)),
        Balance("EUR", Decimal(0), Decimal(0)),
    ]


def test_a_short_position_is_negative() -> None:
    """Ccxt tells the size and the side apart."""
    told = [
        {"symbol": "BTC/USDT:USDT", "contracts": "3", "side": "short", "entryPrice": "100.5"},
        {"symbol": "ETH/USDT:USDT", "contracts": "0", "side": None},
    ]
    assert [(each.symbol, each.quantity) for each in BINANCE.positions(told, "x")] == [
        ("BTC/USDT:USDT", Decimal(-3))
    ]


@pytest.mark.parametrize(
    ("body", "is_a_list"),
    [
        ([], True),
        ({"code": "0", "data": []}, True),
        ({"retCode": 0, "result": {"list": []}}, True),
        ({"error": [], "result": {"open": {}}}, True),
        ({"code": "00000", "data": {"orderList": None}}, True),
        ({}, False),
        ({"msg": "hello"}, False),
        ({"error": []}, False),
        ({"code": 0, "data": "none"}, False),
        (None, False),
    ],
)
def test_an_empty_answer_has_to_look_like_one(body: object, is_a_list: bool) -> None:  # noqa: FBT001 - a row
    """`{}` is not an empty list of orders, whatever ccxt makes of it."""
    assert holds_nothing(body) is is_a_list
    if not is_a_list:
        with pytest.raises(VenueUnavailableError):
            entries([], body, "x")


def test_the_clock_is_the_median_of_the_quickest_readings() -> None:
    """Each reading is taken in the middle of its round trip; slow ones do not count."""
    readings = [
        ClockReading(0, trip, offset + trip // 2) for trip, offset in ((10, 5), (12, 7), (14, 6), (900, 400))
    ]
    assert offset_ns(readings) == 6
