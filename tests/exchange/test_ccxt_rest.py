"""What the unmodified ccxt client makes of the REST face."""

from typing import Any

import pytest

from tests.exchange.conftest import KEY, MakeClient
from tests.exchange.world import d
from tradingd.testing.exchange.model import FeeCoin, FeePlan, MarketSpec, Side
from tradingd.testing.exchange.server import LoopbackExchange

BTC, ANN = "BTC/USDT", "ann"


async def test_markets_carry_ticks_lots_and_limits(client: Any) -> None:
    """load_markets reads exchangeInfo, and asks nobody else."""
    markets = await client.load_markets()
    assert sorted(markets) == ["BNB/USDT", "BTC/USDT", "ETH/BTC", "ETH/USDT"]
    market = markets[BTC]
    assert (market["active"], market["spot"], market["type"]) == (True, True, "spot")
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert market["limits"]["amount"] == {"min": 0.00001, "max": 9000.0}
    assert market["limits"]["cost"]["min"] == 5.0
    assert market["limits"]["market"]["max"] == 500.0


async def test_the_clock_is_told_with_its_skew(exchange: LoopbackExchange, client: Any) -> None:
    """A skewed exchange refuses time stamps until the client has measured the difference."""
    import ccxt

    await client.load_markets()
    exchange.skew_ms = -5_000
    with pytest.raises(ccxt.InvalidNonce, match="1000ms ahead"):
        await client.fetch_balance()
    await client.load_time_difference()
    assert client.options["timeDifference"] == pytest.approx(5_000, abs=900)
    assert (await client.fetch_balance())["BTC"]["free"] == 2.0


async def test_a_stale_time_stamp_is_refused(exchange: LoopbackExchange, client: Any) -> None:
    """RecvWindow bounds how old a request may be."""
    import ccxt

    await client.load_markets()
    exchange.skew_ms = 3_000
    await client.fetch_balance({"recvWindow": 5_000})
    with pytest.raises(ccxt.InvalidNonce, match="outside of the recvWindow"):
        await client.fetch_balance({"recvWindow": 2_000})


async def test_ticker_book_and_trades_show_the_market(exchange: LoopbackExchange, client: Any) -> None:
    """Public data over REST comes from the book and the tape."""
    exchange.engine.house_market("BTCUSDT", Side.BUY, d("0.7"))
    ticker = await client.fetch_ticker(BTC)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (50_000.0, 50_020.0, 50_020.0)
    assert (ticker["open"], ticker["baseVolume"]) == (50_010.0, 0.7)
    book = await client.fetch_order_book(BTC, 5)
    assert book["asks"] == [[50_020.0, 0.8]]
    assert book["nonce"] == exchange.engine.depth("BTCUSDT")[0]
    trades = await client.fetch_trades(BTC)
    assert [(trade["id"], trade["price"], trade["amount"], trade["side"]) for trade in trades] == [
        ("1", 50_010.0, 0.5, "buy"),
        ("2", 50_020.0, 0.2, "buy"),
    ]
    assert (await client.fetch_bids_asks([BTC]))[BTC]["bidVolume"] == 0.5
    since = await client.fetch_trades(BTC, since=trades[1]["timestamp"] + 1)
    assert since == []


async def test_candles_are_made_of_the_tape(make_client: MakeClient) -> None:
    """Open, high, low, close, volume per interval; a quiet one repeats the close with no volume."""
    ms = 1_700_000_040_000
    async with LoopbackExchange(clock=lambda: ms) as exchange:
        exchange.add_account(KEY, "s", {})
        for minute, price in ((0, "10"), (0, "12"), (0, "11"), (2, "13")):
            ms = 1_700_000_040_000 + minute * 60_000
            exchange.engine.house_print("BTCUSDT", Side.BUY, d(price), d(1))
        client = await make_client(exchange)
        rows = await client.fetch_ohlcv(BTC, "1m")
        start = 1_700_000_040_000
        assert rows == [
            [start, 10.0, 12.0, 10.0, 11.0, 3.0],
            [start + 60_000, 11.0, 11.0, 11.0, 11.0, 0.0],
            [start + 120_000, 13.0, 13.0, 13.0, 13.0, 1.0],
        ]


async def test_a_market_order_answers_with_its_fills(exchange: LoopbackExchange, client: Any) -> None:
    """The full response: status, average, both fills, the fee in the base coin."""
    order = await client.create_order(BTC, "market", "buy", 0.7, None, {"clientOrderId": "t1-1-1"})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.7, "t1-1-1")
    assert order["cost"] == pytest.approx(35_009.0)
    assert len(order["trades"]) == 2
    assert order["fees"] == [{"currency": "BTC", "cost": 0.0007}]
    assert exchange.wire[-1].client_id == "t1-1-1"
    assert exchange.wire[-1].places_order


async def test_a_price_on_a_market_order_makes_it_one_in_quote(exchange: LoopbackExchange, client: Any) -> None:
    """Ccxt sends amount times price as quoteOrderQty; the exchange spends that."""
    await client.create_order(BTC, "market", "buy", 0.1, 50_000)
    assert "quantity" not in exchange.wire[-1].params
    trade = exchange.engine.my_trades(ANN)[0]
    assert trade.quote_qty == d("4999.9998") or trade.qty == d("0.09998")


async def test_a_limit_order_rests_is_found_and_is_cancelled(exchange: LoopbackExchange, client: Any) -> None:
    """Open orders, order by id and by client id, all orders, locks, cancel."""
    client.options["fetchOpenOrders"]["warnWithoutSymbol"] = False
    placed = await client.create_order(BTC, "limit", "buy", 0.01, 49_000, {"clientOrderId": "t1-1-2"})
    assert (placed["status"], placed["timeInForce"]) == ("open", "GTC")
    balance = await client.fetch_balance()
    assert (balance["USDT"]["free"], balance["USDT"]["used"]) == (99_510.0, 490.0)
    by_client = await client.fetch_order(None, BTC, {"origClientOrderId": "t1-1-2"})
    found = [
        by_client,
        await client.fetch_order(placed["id"], BTC),
        *await client.fetch_open_orders(BTC),
        *await client.fetch_open_orders(),
        *await client.fetch_orders(BTC),
    ]
    assert [one["id"] for one in found] == [placed["id"]] * 5
    cancelled = await client.cancel_order(placed["id"], BTC)
    assert cancelled["status"] == "canceled"
    assert cancelled["clientOrderId"] != "t1-1-2"
    assert cancelled["info"]["origClientOrderId"] == "t1-1-2"
    assert (await client.fetch_order(placed["id"], BTC))["clientOrderId"] == "t1-1-2"
    assert exchange.engine.ledger.locked(ANN, "USDT") == 0


async def test_cancel_all_cancels_the_orders_of_the_symbol(exchange: LoopbackExchange, client: Any) -> None:
    """Nothing is left open, and with nothing open it is refused."""
    import ccxt

    for price in (48_000, 49_000):
        await client.create_order(BTC, "limit", "buy", 0.01, price)
    assert len(await client.cancel_all_orders(BTC)) == 2
    assert not exchange.engine.open_orders(ANN)
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_all_orders(BTC)


async def test_an_edit_is_one_atomic_cancel_and_replace(exchange: LoopbackExchange, client: Any) -> None:
    """The edited order has a new id; a failed cancel places nothing."""
    import ccxt

    first = await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
    second = await client.edit_order(first["id"], BTC, "limit", "buy", 0.01, 48_000)
    assert second["id"] != first["id"]
    assert [str(order.id) for order in exchange.engine.open_orders(ANN)] == [second["id"]]
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        await client.edit_order(first["id"], BTC, "limit", "buy", 0.01, 47_000)
    assert len(exchange.engine.open_orders(ANN)) == 1


async def test_an_edit_may_cancel_and_then_fail_to_place(exchange: LoopbackExchange, client: Any) -> None:
    """The new order is refused (409, -2021): the old one is gone all the same, and nothing replaces it."""
    import ccxt

    order = await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
    with pytest.raises(ccxt.ExchangeError, match="-2021"):
        await client.edit_order(order["id"], BTC, "limit", "buy", 0.01, 50_010, {"postOnly": True})
    assert not exchange.engine.open_orders(ANN)
    assert (await client.fetch_order(order["id"], BTC))["status"] == "canceled"


@pytest.mark.parametrize(
    ("params", "kind", "wire", "price"),
    [
        ({"stopLossPrice": 45_000}, "market", "STOP_LOSS", None),
        ({"takeProfitPrice": 55_000}, "market", "TAKE_PROFIT", None),
        ({"stopLossPrice": 45_000}, "limit", "STOP_LOSS_LIMIT", 44_900),
        ({"takeProfitPrice": 55_000}, "limit", "TAKE_PROFIT_LIMIT", 55_100),
        ({"triggerPrice": 45_000}, "market", "STOP_LOSS", None),
    ],
)
async def test_stops_of_every_kind_are_taken(
    exchange: LoopbackExchange, client: Any, params: dict[str, int], kind: str, wire: str, price: int | None
) -> None:
    """Ccxt's trigger parameters become the spot market's four stop types."""
    exchange.engine.house_print("BTCUSDT", Side.BUY, d(50_005), d("0.001"))
    order = await client.create_order(BTC, kind, "sell", 0.1, price, params)
    assert exchange.wire[-1].params["type"] == wire
    found = await client.fetch_order(order["id"], BTC)
    assert (found["status"], found["stopPrice"]) == ("open", float(next(iter(params.values()))))
    assert found["info"]["isWorking"] is False


async def test_a_crossing_maker_order_is_refused(client: Any) -> None:
    """PostOnly becomes LIMIT_MAKER."""
    import ccxt

    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await client.create_order(BTC, "limit", "buy", 0.01, 50_010, {"postOnly": True})
    order = await client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"postOnly": True})
    assert order["status"] == "open"


async def test_trades_tell_fees_in_base_quote_and_third_coin(exchange: LoopbackExchange, client: Any) -> None:
    """fetch_my_trades has what the ledger booked."""
    await client.create_order(BTC, "market", "buy", 0.1)
    await client.create_order(BTC, "market", "sell", 0.1)
    coin = FeeCoin("BNB", d("0.00075"), d("0.00075"), d(500))
    exchange.engine.set_fees(ANN, FeePlan(coin=coin))
    await client.create_order(BTC, "market", "buy", 0.1)
    trades = await client.fetch_my_trades(BTC)
    fees = [(trade["fee"]["currency"], trade["fee"]["cost"]) for trade in trades]
    assert fees == [("BTC", 0.0001), ("USDT", 5.0), ("BNB", 0.0075015)]
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
    exchange.engine.ledger.audit()
    balance = await client.fetch_balance()
    assert balance["BNB"]["total"] == 0.9924985


async def test_trades_are_paged_by_id(exchange: LoopbackExchange, client: Any) -> None:
    """FromId walks the history, whatever the size of a page."""
    exchange.desk.page_limit = 2
    for _ in range(5):
        await client.create_order(BTC, "market", "buy", 0.01)
    seen: list[str] = []
    cursor = 1
    while page := await client.fetch_my_trades(BTC, params={"fromId": cursor}):
        seen += [trade["id"] for trade in page]
        cursor = int(seen[-1]) + 1
    assert seen == ["1", "2", "3", "4", "5"]
    assert [trade["id"] for trade in await client.fetch_my_trades(BTC)] == ["4", "5"]


async def test_a_window_of_trades_is_at_most_a_day(make_client: MakeClient) -> None:
    """A start alone reaches 24 hours; a longer window is refused; a start and an id exclude each other."""
    import ccxt

    ms = 1_700_000_000_000
    async with LoopbackExchange(clock=lambda: ms) as exchange:
        exchange.add_account(KEY, "s", {"USDT": 100_000}, name=ANN)
        exchange.engine.house_set_book("BTCUSDT", [], [(d(100), d(100))])
        client = await make_client(exchange, recvWindow=60_000)
        await client.load_markets()
        await client.load_time_difference()
        await client.create_order(BTC, "market", "buy", 1)
        ms += 25 * 3_600_000
        await client.load_time_difference()
        await client.create_order(BTC, "market", "buy", 2)
        start = 1_700_000_000_000
        assert [trade["amount"] for trade in await client.fetch_my_trades(BTC, start)] == [1.0]
        assert [trade["amount"] for trade in await client.fetch_my_trades(BTC, start + 3_600_000)] == [2.0]
        for params, code in (({"until": ms}, "-1127"), ({"fromId": 1}, "-1128")):
            with pytest.raises(ccxt.BadRequest, match=code):
                await client.fetch_my_trades(BTC, start, None, params)


async def test_a_duplicate_client_id_is_refused_while_open(client: Any) -> None:
    """Binance's words for it reach the caller."""
    import ccxt

    await client.create_order(BTC, "limit", "buy", 0.01, 49_000, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await client.create_order(BTC, "limit", "buy", 0.01, 48_000, {"clientOrderId": "twice"})


async def test_a_test_order_changes_nothing(exchange: LoopbackExchange, client: Any) -> None:
    """order/test checks as the real one does."""
    import ccxt

    await client.create_order(BTC, "limit", "buy", 0.01, 49_000, {"test": True})
    assert not exchange.wire[-1].places_order
    assert not exchange.engine.all_orders(ANN, "BTCUSDT")
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order(BTC, "limit", "buy", 50, 49_000, {"test": True})


async def test_unknown_orders_have_their_codes(client: Any) -> None:
    """-2013 for a query, -2011 for a cancel."""
    import ccxt

    with pytest.raises(ccxt.OrderNotFound, match="Order does not exist"):
        await client.fetch_order("77", BTC)
    with pytest.raises(ccxt.OrderNotFound, match="Unknown order sent"):
        await client.cancel_order("77", BTC)


@pytest.mark.parametrize(
    ("kind", "qty", "price", "filter_name"),
    [
        ("limit", "0.000015", "49000", "LOT_SIZE"),
        ("limit", "0.01", "49000.005", "PRICE_FILTER"),
        ("limit", "0.0001", "49000", "NOTIONAL"),
        ("limit", "0.01", "500000", "PERCENT_PRICE_BY_SIDE"),
        ("market", "501", "", "MARKET_LOT_SIZE"),
        ("limit", "0.01", "49000", "MAX_NUM_ORDERS"),
    ],
)
async def test_each_filter_refuses_by_its_name(
    exchange: LoopbackExchange, client: Any, kind: str, qty: str, price: str, filter_name: str
) -> None:
    """-1013 with the filter's name; the request is made raw, since ccxt would round it."""
    import ccxt

    exchange.engine.house_print("BTCUSDT", Side.BUY, d(50_005), d("0.001"))
    if filter_name == "MAX_NUM_ORDERS":
        exchange.engine.change_filters(MarketSpec("BTCUSDT", "BTC", "USDT", max_orders=0))
    request = {"symbol": "BTCUSDT", "side": "BUY", "type": kind.upper(), "quantity": qty}
    if price:
        request |= {"price": price, "timeInForce": "GTC"}
    with pytest.raises(
        ccxt.ExchangeError, match=filter_name
    ):  # the class depends on the filter's name and the URL
        await client.private_post_order(request)
    assert exchange.engine.ledger.locked(ANN, "USDT") == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"side": "HOLD"}, "-1117"),
        ({"type": "ICEBERG"}, "-1116"),
        ({"timeInForce": "GTD"}, "-1115"),
        ({"quantity": "ten"}, "-1100"),
        ({"quantity": "0"}, "-1013"),
        ({"quantity": "0.123456789"}, "-1111"),
        ({"price": ""}, "-1102"),
        ({"stopPrice": "1"}, "-1106"),
        ({"newClientOrderId": "no spaces"}, "-1100"),
        ({"symbol": "XXXUSDT"}, "-1121"),
    ],
)
async def test_malformed_orders_are_refused_by_code(
    exchange: LoopbackExchange, client: Any, change: dict[str, str], code: str
) -> None:
    """What is missing, malformed or out of place has Binance's code."""
    import ccxt

    request = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "49000",
    }
    with pytest.raises(ccxt.ExchangeError, match=code):
        await client.private_post_order(request | change)
    assert not exchange.engine.all_orders(ANN, "BTCUSDT")


async def test_a_halted_or_delisted_market_takes_no_orders(exchange: LoopbackExchange, client: Any) -> None:
    """BREAK closes the market; delisting takes it out of exchangeInfo and gives locks back."""
    import ccxt

    await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
    exchange.engine.change_filters(MarketSpec("BTCUSDT", "BTC", "USDT", status="BREAK"))
    with pytest.raises(ccxt.ExchangeError, match="Market is closed"):
        await client.create_order(BTC, "market", "buy", 0.01)
    exchange.engine.delist("BTCUSDT")
    with pytest.raises(ccxt.BadSymbol):
        await client.create_order(BTC, "market", "buy", 0.01)
    assert BTC not in await client.load_markets(reload=True)
    assert (await client.fetch_balance())["USDT"]["used"] == 0


async def test_a_key_tells_what_it_may_do(
    exchange: LoopbackExchange, client: Any, make_client: MakeClient
) -> None:
    """Keys that may withdraw can be told from those that may not, and a read-only key cannot trade."""
    import ccxt

    assert (await client.sapi_get_account_apirestrictions())["enableWithdrawals"] is False
    exchange.add_key("rich", "s", ANN, can_trade=False, can_withdraw=True)
    other = await make_client(exchange, "rich")
    told = await other.sapi_get_account_apirestrictions()
    assert (told["enableWithdrawals"], told["enableSpotAndMarginTrading"]) == (True, False)
    with pytest.raises(ccxt.BaseError, match="-2015"):
        await other.create_order(BTC, "market", "buy", 0.01)
    assert (await other.fetch_trading_fee(BTC))["taker"] == 0.001
