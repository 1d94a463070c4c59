"""Kraken's protocol: dicts by id, errors in a list of a success, one history of trades for all symbols, `ofs`."""

import base64
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from tests.venues.world import NOW_MS, Venue, account_on, serving, submit
from tradingd.domain.enums import OrderType
from tradingd.domain.events import Balance, Fee
from tradingd.errors import VenueRefusedError, VenueUnavailableError
from tradingd.venues.account import CcxtAccount
from tradingd.venues.model import OrderRef, SeenStatus
from tradingd.venues.settings import VenueSettings

XBT, ETHER = "BTC/USD", "ETH/USD"
NOW = NOW_MS / 1000


def told(result: Any, *errors: str) -> dict[str, Any]:
    """Kraken's envelope."""
    return {"error": list(errors), "result": result}


def pair(base: str, name: str) -> dict[str, Any]:
    """A market."""
    return {
        "altname": name,
        "wsname": f"{name[:-3]}/USD",
        "base": base,
        "quote": "ZUSD",
        "lot_decimals": 8,
        "pair_decimals": 1,
        "cost_decimals": 5,
        "lot_multiplier": 1,
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "ordermin": "0.0001",
        "costmin": "0.5",
        "tick_size": "0.1",
        "status": "online",
    }


def order(status: str = "open", **changes: Any) -> dict[str, Any]:
    """An order as reads have it."""
    descr = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "100.0", "price2": "0"}
    made = {"status": status, "opentm": NOW, "cl_ord_id": "t1-1-1", "userref": None, "descr": descr}
    return {**made, "vol": "0.50000000", "vol_exec": "0.00000000", "oflags": "fciq", **changes}


def trade(number: int, name: str) -> dict[str, Any]:
    """A trade; all of a test are in one second."""
    return {
        "ordertxid": "OAAAAA-BBBBB-CCCCCC",
        "pair": name,
        "time": NOW + number / 10_000,
        "type": "buy",
        "ordertype": "limit",
        "price": "100.0",
        "cost": "10",
        "fee": "0.04",
        "vol": "0.1",
        "maker": False,
    }


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """A server that speaks Kraken's protocol as a test tells it."""
    async with serving(Venue()) as server:
        assets = {
            name: {"altname": name[1:], "decimals": 10, "status": "enabled"} for name in ("XXBT", "XETH", "ZUSD")
        }
        server.tell("GET", "/public/Assets", told(assets))
        pairs = {"XXBTZUSD": pair("XXBT", "XBTUSD"), "XETHZUSD": pair("XETH", "ETHUSD")}
        server.tell("GET", "/public/AssetPairs", told(pairs))
        server.tell("GET", "/public/Time", told({"unixtime": int(NOW)}))
        yield server


@pytest.fixture
async def account(venue: Venue) -> AsyncIterator[CcxtAccount]:
    """An account on it, found by `loopback_url`; its secret is base64, as Kraken's are."""
    settings = VenueSettings("acc", "kraken", "loopback", venue.url)
    async with account_on(venue, settings, (XBT, ETHER)) as made:
        made.orders.ccxt.secret = made.kill.ccxt.secret = base64.b64encode(b"any").decode()
        made.public.client.budget.allowance.capacity = 1e6
        yield made


async def test_an_order(venue: Venue, account: CcxtAccount) -> None:
    """Our id goes out as `cl_ord_id` and does not come back; the venue's is proof."""
    venue.tell(
        "POST",
        "/private/AddOrder",
        told({"descr": {"order": "buy 0.50000000 XBTUSD @ limit 100.0"}, "txid": ["OAAAAA-BBBBB-CCCCCC"]}),
    )
    seen = await account.create_order(submit(symbol=XBT))
    assert seen.exchange_order_id == "OAAAAA-BBBBB-CCCCCC"
    sent = venue.calls("/private/AddOrder")[0]
    assert (sent["cl_ord_id"], sent["volume"], sent["price"], sent["ordertype"]) == (
        "t1-1-1",
        "0.5",
        "100",
        "limit",
    )


async def test_a_market_order_is_told_in_the_base_coin(venue: Venue, account: CcxtAccount) -> None:
    """No price goes with it."""
    venue.tell("POST", "/private/AddOrder", told({"descr": {"order": "buy 0.5 XBTUSD @ market"}, "txid": ["OA"]}))
    await account.create_order(submit(symbol=XBT, order_type=OrderType.MARKET, limit_price=None))
    sent = venue.calls("/private/AddOrder")[0]
    assert (sent["volume"], sent["ordertype"], sent.get("price")) == ("0.5", "market", None)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("EOrder:Insufficient funds", VenueRefusedError),
        ("EService:Timeout", VenueUnavailableError),
        ("EService:Unheard of", VenueUnavailableError),
    ],
)
async def test_errors_in_a_success(
    venue: Venue, account: CcxtAccount, error: str, raised: type[Exception]
) -> None:
    """HTTP 200 with a list of errors: definite where the table knows it."""
    venue.tell("POST", "/private/AddOrder", {"error": [error]})
    with pytest.raises(raised):
        await account.create_order(submit(symbol=XBT))


async def test_an_order_that_is_named_by_ours_is_looked_for_among_those_that_work(
    venue: Venue, account: CcxtAccount
) -> None:
    """Kraken's read of one order takes ccxt's client id for a `userref`: it is never asked so."""
    venue.tell("POST", "/private/OpenOrders", told({"open": {"OA": order()}}))
    found = await account.fetch_order(OrderRef("t1-1-1", XBT))
    assert found is not None
    assert (found.exchange_order_id, found.status, found.quantity) == ("OA", SeenStatus.OPEN, Decimal("0.5"))
    with pytest.raises(VenueUnavailableError):
        await account.fetch_order(OrderRef("t1-1-2", XBT))
    assert venue.calls("/private/QueryOrders") == []


async def test_orders_that_are_over(venue: Venue, account: CcxtAccount) -> None:
    """Canceled ones are among the closed."""
    orders = {"OA": order("closed", vol_exec="0.50000000"), "OB": order("canceled", cl_ord_id="t1-1-2")}
    venue.tell("POST", "/private/ClosedOrders", told({"closed": orders, "count": 2}))
    found = {each.order_id: each.status for each in await account.fetch_closed_orders(XBT, 0)}
    assert found == {"t1-1-1": SeenStatus.CLOSED, "t1-1-2": SeenStatus.CANCELED}


async def test_a_cancel_by_our_id(venue: Venue, account: CcxtAccount) -> None:
    """The answer is a count and no order."""
    venue.tell("POST", "/private/CancelOrder", told({"count": 1}))
    assert await account.cancel_order(OrderRef("t1-1-1", XBT)) is None
    assert venue.calls("/private/CancelOrder")[0]["cl_ord_id"] == "t1-1-1"


@pytest.mark.parametrize("many", [3, 170])
async def test_trades_of_one_history_for_all_symbols(venue: Venue, account: CcxtAccount, many: int) -> None:
    """A symbol's trades are found behind pages of another's, though all are of one second."""
    rows = {"T1": trade(0, "XXBTZUSD")} | {f"E{each}": trade(each, "XETHZUSD") for each in range(1, many)}
    newest = dict(reversed(rows.items()))

    async def page(request: web.Request) -> web.StreamResponse:
        offset = int((await request.post()).get("ofs", 0))  # type: ignore[arg-type]
        found = dict(list(newest.items())[offset : offset + 50])
        return web.json_response(told({"trades": found, "count": len(rows)}))

    venue.tell("POST", "/private/TradesHistory", page)
    trades = await account.fetch_trades(XBT, (NOW_MS - 1000) * 1_000_000)
    assert [(each.trade_id, each.symbol, each.fees) for each in trades] == [
        ("T1", XBT, (Fee("USD", Decimal("0.04")),))
    ]
    assert len(await account.fetch_trades(ETHER, (NOW_MS - 1000) * 1_000_000)) == many - 1


async def test_a_balance(venue: Venue, account: CcxtAccount) -> None:
    """By unified coins, exact."""
    venue.tell("POST", "/private/BalanceEx", told({"XXBT": {"balance": "1.5", "hold_trade": "0.5"}}))
    assert await account.fetch_balances() == [Balance("BTC", Decimal("1.5"), Decimal("0.5"))]
