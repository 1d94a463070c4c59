"""Every call of an account at a venue that is not like Binance, through ccxt's unmodified client."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tests.second.okx import ANN, SecondVenue
from tests.second.world import BTC, ETH, account_at, venue_of
from tests.venues.world import submit
from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import Balance, Fee
from tradingd.errors import DuplicateOrderError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.account import CcxtAccount
from tradingd.venues.model import OrderRef, SeenStatus
from tradingd.venues.settings import Credentials

D = Decimal


@pytest.fixture
async def venue() -> AsyncIterator[SecondVenue]:
    """The second venue."""
    async with venue_of() as made:
        yield made


@pytest.fixture
async def account(venue: SecondVenue) -> AsyncIterator[CcxtAccount]:
    """An account on it, found by `loopback_url` alone."""
    async with account_at(venue) as made:
        yield made


def order(order_id: str = "t1-1-1", price: str | None = "49000", quantity: str = "0.1", **changes: object) -> object:
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    limit = None if price is None else D(price)
    return submit(order_id, **{"quantity": D(quantity), "limit_price": limit, "order_type": kind, **changes})


async def test_instruments(account: CcxtAccount) -> None:
    """Tick, lot and limits are the venue's, under the account's name."""
    btc = account.instruments[BTC]
    assert (btc.tick, btc.lot, btc.min_quantity, btc.venue) == (D("0.1"), D("0.00001"), D("0.00001"), "acc")


async def test_a_create_is_answered_with_ids_alone_and_read_as_a_whole(account: CcxtAccount) -> None:
    """What the answer lacks a read has: by the venue's id and by ours."""
    seen = await account.create_order(order())
    assert (seen.order_id, seen.status, seen.quantity, seen.filled) == ("t1-1-1", SeenStatus.UNTOLD, None, None)
    for ref in (OrderRef("t1-1-1", BTC), OrderRef("t1-1-1", BTC, seen.exchange_order_id)):
        found = await account.fetch_order(ref)
        assert found is not None
        assert (found.order_id, found.status, found.quantity, found.limit_price) == (
            "t1-1-1",
            SeenStatus.OPEN,
            D("0.1"),
            D(49_000),
        )


@pytest.mark.parametrize("is_known", [True, False], ids=["by its id", "by ours"])
async def test_cancels(account: CcxtAccount, is_known: bool) -> None:  # noqa: FBT001 - a row
    """A cancel names the order by the venue's id where it is known, else by ours; it ends as canceled."""
    seen = await account.create_order(order())
    await account.cancel_order(OrderRef("t1-1-1", BTC, seen.exchange_order_id if is_known else ""))
    assert await account.fetch_open_orders(BTC) == []
    assert [each.status for each in await account.fetch_closed_orders(BTC, 0)] == [SeenStatus.CANCELED]
    with pytest.raises(VenueRefusedError) as caught:
        await account.cancel_order(OrderRef("t1-1-1", BTC, seen.exchange_order_id))
    assert caught.value.code == "UNKNOWN_ORDER"


async def test_refusals_in_a_success(account: CcxtAccount) -> None:
    """HTTP 200 with a code inside: too much, a second time, not on the step, unknown."""
    with pytest.raises(VenueRefusedError) as caught:
        await account.create_order(order(quantity="10"))
    assert caught.value.code == "51008"
    await account.create_order(order())
    with pytest.raises(DuplicateOrderError):
        await account.create_order(order())
    assert await account.fetch_order(OrderRef("t1-1-9", BTC)) is None


async def test_the_passphrase_is_part_of_the_key(venue: SecondVenue) -> None:
    """Without it, or with another, the key is refused."""
    from tests.second.okx import KEY, SECRET

    async with account_at(venue, keys=Credentials(api_key=KEY, secret=SECRET, password="no")) as account:
        with pytest.raises(VenueAuthError):
            await account.fetch_balances()


async def test_ids_that_are_numbers(venue: SecondVenue, account: CcxtAccount) -> None:
    """Ids that come as JSON numbers of 18 digits lose none."""
    venue.ids_are_numbers = True
    seen = await account.create_order(order(price=None))
    assert seen.exchange_order_id == venue.number(venue.engine.all_orders(ANN, "BTC-USDT")[0])
    trades = await account.fetch_trades(BTC, 0)
    assert {trade.exchange_order_id for trade in trades} == {seen.exchange_order_id}


@pytest.mark.parametrize("page", [100, 4, 2])
async def test_trades_newest_first_in_pages(venue: SecondVenue, account: CcxtAccount, page: int) -> None:
    """All trades since the cursor, oldest first, each once, whatever a page has."""
    venue.page = page
    began = time.time_ns() - 1_000_000_000
    for number in range(9):
        await account.create_order(order(f"t1-1-{number}", price=None, quantity="0.01"))
    trades = await account.fetch_trades(BTC, began)
    assert [int(trade.trade_id) for trade in trades] == list(range(1, 10))
    assert trades[0].fees == (Fee("BTC", D("0.00001")),)
    assert (trades[0].order_id, trades[0].side, trades[0].price) == ("t1-1-0", Side.BUY, D(50_010))


async def test_balances(account: CcxtAccount) -> None:
    """Totals and what orders hold."""
    await account.create_order(order())
    assert {each.asset: each for each in await account.fetch_balances()} == {
        "BTC": Balance("BTC", D(2), D(0)),
        "USDT": Balance("USDT", D(100_000), D(4_900)),
        "ETH": Balance("ETH", D(10), D(0)),
    }


async def test_a_change_in_place(account: CcxtAccount) -> None:
    """The order keeps its id."""
    seen = await account.create_order(order())
    ref = OrderRef("t1-1-1", BTC, seen.exchange_order_id)
    await account.edit_order(ref, order(price="48000", quantity="0.2"))
    found = await account.fetch_order(ref)
    assert found is not None
    assert (found.limit_price, found.quantity, found.exchange_order_id) == (D(48_000), D("0.2"), seen.exchange_order_id)


async def test_everything_is_canceled(account: CcxtAccount) -> None:
    """Of one symbol, then of all."""
    for number, symbol, price in ((1, BTC, "49000"), (2, BTC, "48000"), (3, ETH, "1900")):
        await account.create_order(order(f"t1-1-{number}", price=price, symbol=symbol))
    await account.cancel_all(BTC)
    assert [each.symbol for each in await account.fetch_open_orders()] == [ETH]
    await account.cancel_all()
    assert await account.fetch_open_orders() == []


async def test_times_in_force(account: CcxtAccount) -> None:
    """IOC takes what is there, and is over."""
    await account.create_order(order(price="50010", quantity="0.6", time_in_force=TimeInForce.IOC))
    found = await account.fetch_order(OrderRef("t1-1-1", BTC))
    assert found is not None
    assert (found.status, found.filled) == (SeenStatus.CANCELED, D("0.5"))


async def test_streams(venue: SecondVenue, account: CcxtAccount) -> None:
    """Orders, trades and balances are told; a fee that is negative on the wire is a charge."""
    import asyncio

    watching = [asyncio.ensure_future(each()) for each in (account.watch_orders, account.watch_trades)]
    while not venue.streams.subscribers("orders"):
        await asyncio.sleep(0)
    while venue.streams.subscribers("orders") < 1:
        await asyncio.sleep(0)
    await account.create_order(order(price=None))
    orders, trades = await asyncio.wait_for(asyncio.gather(*watching), 5)
    assert orders[-1].order_id == "t1-1-1"
    assert trades[0].fees == (Fee("BTC", D("0.0001")),)
    assert (trades[0].order_id, trades[0].price, trades[0].quantity) == ("t1-1-1", D(50_010), D("0.1"))
    balances = {each.asset: each.total for each in await asyncio.wait_for(account.watch_balances(), 5)}
    assert balances["BTC"] == D("2.0999")


@pytest.mark.parametrize("body", ["200 <html>", "200 {}", '200 {"code": "0"}', '200 {"code": "0", "msg": "hello"}', '200 {"code"'])
@pytest.mark.parametrize("path", ["/trade/orders-pending", "/trade/fills-history", "/account/balance", "/trade/order"])
async def test_garbage_is_never_nothing(venue: SecondVenue, account: CcxtAccount, path: str, body: str) -> None:
    """A body of another shape is no empty list, no empty balance, no missing order."""
    reads = {
        "/trade/orders-pending": lambda: account.fetch_open_orders(BTC),
        "/trade/fills-history": lambda: account.fetch_trades(BTC, 0),
        "/account/balance": account.fetch_balances,
        "/trade/order": lambda: account.fetch_order(OrderRef("t1-1-1", BTC)),
    }
    venue.strike(path, body)
    with pytest.raises(VenueUnavailableError):
        await reads[path]()
