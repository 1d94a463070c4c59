"""A protocol that is not like Binance's: OKX's, with ids alone, codes inside successes, pages backwards."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from tests.venues.world import NOW_MS, PASSPHRASE, SYMBOL, Venue, account_on, serving, submit
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import Balance, Fee
from tradingd.errors import DuplicateOrderError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.account import CcxtAccount
from tradingd.venues.model import OrderRef, SeenStatus
from tradingd.venues.settings import VenueSettings

MARKET = {
    "instType": "SPOT",
    "instId": "BTC-USDT",
    "baseCcy": "BTC",
    "quoteCcy": "USDT",
    "lotSz": "0.00000001",
    "minSz": "0.00001",
    "tickSz": "0.1",
    "state": "live",
    "ctVal": "",
    "settleCcy": "",
    "listTime": "1548133413000",
    "expTime": "",
    "lever": "10",
}


def told(*data: Any, code: str = "0") -> dict[str, Any]:
    """OKX's envelope."""
    return {"code": code, "msg": "", "data": list(data)}


def created(code: str = "0", **changes: Any) -> dict[str, Any]:
    """The answer to a create: two ids, and nothing else."""
    answer = {
        "clOrdId": "t1Z1Z1",
        "ordId": "312269865356374016",
        "sCode": code,
        "sMsg": "why",
        "tag": "",
    } | changes
    return told(answer, code="0" if code == "0" else "1")


def fill(number: int, ts: int) -> dict[str, Any]:
    """A trade of ours as OKX's history tells it."""
    return {
        "side": "buy",
        "fillSz": "0.1",
        "fillPx": "100.5",
        "fee": "-0.0001",
        "feeCcy": "BTC",
        "ordId": "312269865356374016",
        "instType": "SPOT",
        "instId": "BTC-USDT",
        "clOrdId": "t1Z1Z1",
        "billId": str(number),
        "execType": "M",
        "tradeId": str(number),
        "ts": str(ts),
    }


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """A server that speaks OKX's protocol as a test tells it."""
    async with serving(Venue()) as server:
        server.tell("GET", "/public/instruments", told(MARKET))
        server.tell("GET", "/public/time", told({"ts": str(NOW_MS)}))
        server.tell("GET", "/asset/currencies", told())
        yield server


@pytest.fixture
async def account(venue: Venue) -> AsyncIterator[CcxtAccount]:
    """An account on it."""
    urls = {"api": {"rest": venue.url, "ws": venue.url.replace("http", "ws") + "/ws/v5"}}
    async with account_on(venue, VenueSettings("acc", "okx", "loopback", urls=urls)) as made:
        yield made


async def test_a_create_that_is_answered_with_ids_alone_is_a_proof(venue: Venue, account: CcxtAccount) -> None:
    """Nothing else is known of the order, and nothing else is guessed; the passphrase is a header."""
    venue.tell("POST", "/trade/batch-orders", created())
    seen = await account.create_order(submit())
    assert (seen.exchange_order_id, seen.order_id, seen.status) == (
        "312269865356374016",
        "t1-1-1",
        SeenStatus.UNTOLD,
    )
    sent = venue.calls("/trade/batch-orders")[0]["list"][0]
    assert (sent["clOrdId"], sent["sz"], sent["px"], sent["ordType"]) == ("t1Z1Z1", "0.5", "100", "limit")
    assert venue.headers[-1]["OK-ACCESS-PASSPHRASE"] == PASSPHRASE


async def test_a_market_buy_is_told_in_the_base_coin(venue: Venue, account: CcxtAccount) -> None:
    """OKX's own default is the amount to spend."""
    venue.tell("POST", "/trade/batch-orders", created())
    await account.create_order(submit(order_type=OrderType.MARKET, limit_price=None))
    sent = venue.calls("/trade/batch-orders")[0]["list"][0]
    assert (sent["sz"], sent["tgtCcy"], sent["ordType"]) == ("0.5", "base_ccy", "market")


async def test_a_refusal_inside_a_success(venue: Venue, account: CcxtAccount) -> None:
    """HTTP 200 with the code that matters inside is definite."""
    venue.tell("POST", "/trade/batch-orders", created("51008", ordId=""))
    with pytest.raises(VenueRefusedError) as caught:
        await account.create_order(submit())
    assert caught.value.code == "51008"


async def test_a_duplicate_is_evidence(venue: Venue, account: CcxtAccount) -> None:
    """Ccxt calls it an invalid order."""
    venue.tell("POST", "/trade/batch-orders", created("51016", ordId=""))
    with pytest.raises(DuplicateOrderError):
        await account.create_order(submit())


@pytest.mark.parametrize(
    "answer", [created("50004"), told(), created(clOrdId="t1Z1Z9"), created(clOrdId=""), {"code": "0"}]
)
async def test_what_proves_nothing_is_unknown(venue: Venue, account: CcxtAccount, answer: Any) -> None:
    """A time-out inside, no order, another one's id, no echo."""
    venue.tell("POST", "/trade/batch-orders", answer)
    with pytest.raises(VenueUnavailableError):
        await account.create_order(submit())


async def test_an_order_is_found_by_our_id(venue: Venue, account: CcxtAccount) -> None:
    """Coded on the way there, decoded on the way back."""
    order = {
        "instId": "BTC-USDT",
        "instType": "SPOT",
        "ordId": 312269865356374016,
        "clOrdId": "t1Z1Z1",
        "side": "buy",
        "ordType": "post_only",
        "px": "100",
        "sz": "0.5",
        "accFillSz": "0",
        "state": "canceled",
        "cTime": str(NOW_MS),
        "uTime": str(NOW_MS),
    }
    venue.tell("GET", "/trade/order", told(order))
    seen = await account.fetch_order(OrderRef("t1-1-1", SYMBOL))
    assert seen is not None
    assert (seen.order_id, seen.status, seen.exchange_order_id) == (
        "t1-1-1",
        SeenStatus.CANCELED,
        "312269865356374016",
    )
    assert venue.calls("/trade/order")[0]["clOrdId"] == "t1Z1Z1"


async def test_an_order_that_is_not_there(venue: Venue, account: CcxtAccount) -> None:
    """The venue's definite word is None."""
    venue.tell("GET", "/trade/order", {"code": "51603", "msg": "Order does not exist", "data": []})
    assert await account.fetch_order(OrderRef("t1-1-1", SYMBOL)) is None


@pytest.mark.parametrize("is_included", [True, False], ids=["end included", "end left out"])
async def test_trades_are_read_back_to_the_cursor(venue: Venue, account: CcxtAccount, is_included: bool) -> None:  # noqa: FBT001 - a row
    """OKX tells the newest page since a time: the pages before it are read as well, none is missed or doubled."""
    fills = [fill(number, NOW_MS + number // 2) for number in range(11)]

    async def newest(request: web.Request) -> web.StreamResponse:
        end = int(request.query.get("end", NOW_MS * 2)) - (not is_included)
        found = [each for each in fills if int(request.query["begin"]) <= int(each["ts"]) <= end]
        return web.json_response(told(*reversed(found[-4:])))

    venue.tell("GET", "/trade/fills-history", newest)
    trades = await account.fetch_trades(SYMBOL, NOW_MS * 1_000_000)
    assert [trade.trade_id for trade in trades] == [str(number) for number in range(11)]
    assert trades[0].fees == (Fee("BTC", Decimal("0.0001")),)
    assert (trades[0].order_id, trades[0].side) == ("t1-1-1", Side.BUY)


async def test_everything_is_canceled_where_there_is_no_such_call(venue: Venue, account: CcxtAccount) -> None:
    """One by one, on the connection that is kept for it; what is gone already does not stop it."""
    order = {
        "instId": "BTC-USDT",
        "instType": "SPOT",
        "side": "buy",
        "sz": "1",
        "px": "9",
        "ordType": "limit",
        "state": "live",
    }
    venue.tell(
        "GET", "/trade/orders-pending", told(*({**order, "ordId": str(each), "clOrdId": ""} for each in (1, 2)))
    )
    gone = {"code": "1", "msg": "", "data": [{"ordId": "1", "sCode": "51400", "sMsg": "gone", "clOrdId": ""}]}
    venue.tell("POST", "/trade/cancel-order", gone, told({"ordId": "2", "sCode": "0", "sMsg": "", "clOrdId": ""}))
    await account.cancel_all()
    assert [call["ordId"] for call in venue.calls("/trade/cancel-order")] == ["1", "2"]


async def test_a_balance(venue: Venue, account: CcxtAccount) -> None:
    """Numbers as texts, in details."""
    held = {"ccy": "BTC", "eq": "1.5", "cashBal": "1.5", "availBal": "1", "availEq": "1", "frozenBal": "0.5"}
    venue.tell("GET", "/account/balance", told({"details": [held], "uTime": str(NOW_MS)}))
    assert await account.fetch_balances() == [Balance("BTC", Decimal("1.5"), Decimal("0.5"))]


async def test_the_dead_man(venue: Venue, account: CcxtAccount) -> None:
    """By the unified call, in its milliseconds; OKX takes seconds."""
    venue.tell("POST", "/trade/cancel-all-after", told({"triggerTime": "0", "ts": str(NOW_MS)}))
    await account.set_dead_man(30)
    assert venue.calls("/trade/cancel-all-after")[0]["timeOut"] == 30
