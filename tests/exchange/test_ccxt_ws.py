"""What the unmodified ccxt client makes of user data and orders over ws-api."""

import asyncio
from typing import Any

import pytest

from tests.exchange.conftest import MakeClient
from tests.exchange.world import d, until
from tradingd.testing.exchange.model import Side
from tradingd.testing.exchange.server import LoopbackExchange

BTC, ANN = "BTC/USDT", "ann"


async def collect(client: Any, method: str, count: int) -> list[Any]:
    """The next `count` things that a watch returns."""
    found: list[Any] = []
    while len(found) < count:
        found += [dict(one) for one in await getattr(client, method)(BTC)]
    return found


async def subscribed(exchange: LoopbackExchange, count: int = 1) -> None:
    """Waits until the account's user data goes somewhere."""
    await until(lambda: exchange.subscribers(ANN) == count)


async def test_orders_and_trades_are_told_as_they_happen(exchange: LoopbackExchange, client: Any) -> None:
    """A resting order, hit twice by the market: its trades as maker, and its states to the end."""
    trades = asyncio.create_task(collect(client, "watch_my_trades", 2))
    orders = asyncio.create_task(client.watch_orders(BTC))
    await subscribed(exchange)
    placed = await client.create_order(BTC, "limit", "buy", 0.02, 50_001, {"clientOrderId": "t1-1-1"})
    first = (await orders)[-1]
    assert (first["id"], first["clientOrderId"], first["status"]) == (placed["id"], "t1-1-1", "open")
    for _ in range(2):
        exchange.engine.house_market("BTCUSDT", Side.SELL, d("0.01"))
    found = await trades
    assert [(one["order"], one["amount"], one["takerOrMaker"]) for one in found] == [
        (placed["id"], 0.01, "maker")
    ] * 2
    assert [one["fee"] for one in found] == [{"currency": "BTC", "cost": 0.00001}] * 2
    await until(lambda: client.orders[-1]["status"] == "closed")
    last = client.orders[-1]
    assert (last["filled"], last["cost"], last["clientOrderId"]) == (0.02, 1_000.02, "t1-1-1")


async def test_a_cancel_is_told_under_the_orders_own_client_id(exchange: LoopbackExchange, client: Any) -> None:
    """The report of a cancel has the cancel's id in c and the order's in C; ccxt takes the latter."""
    watch = asyncio.create_task(client.watch_orders(BTC))
    await subscribed(exchange)
    await client.create_order(BTC, "limit", "buy", 0.01, 49_000, {"clientOrderId": "t1-1-1"})
    await watch
    exchange.engine.cancel(ANN, "BTCUSDT", client_id="t1-1-1", request_id="by-hand")
    await until(lambda: client.orders[-1]["status"] == "canceled")
    assert client.orders[-1]["clientOrderId"] == "t1-1-1"
    assert client.orders[-1]["info"]["c"] == "by-hand"


async def test_an_expiry_by_the_exchange_is_told(exchange: LoopbackExchange, client: Any) -> None:
    """An order that nobody cancelled ends as expired, and its lock is given back."""
    watch = asyncio.create_task(client.watch_orders(BTC))
    await subscribed(exchange)
    placed = await client.create_order(BTC, "limit", "buy", 0.01, 49_000, {"clientOrderId": "t1-1-1"})
    await watch
    exchange.engine.expire(ANN, "BTCUSDT", int(placed["id"]))
    await until(lambda: client.orders[-1]["status"] == "expired")
    assert client.orders[-1]["clientOrderId"] == "t1-1-1"
    assert exchange.engine.ledger.locked(ANN, "USDT") == 0


async def test_balances_are_told_after_orders_and_transfers(exchange: LoopbackExchange, client: Any) -> None:
    """OutboundAccountPosition has free and locked; a deposit is a balanceUpdate and a position."""
    watch = asyncio.create_task(client.watch_balance())
    await subscribed(exchange)
    await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
    assert (await watch)["USDT"] == {"free": 99_510.0, "used": 490.0, "total": 100_000.0}
    exchange.engine.deposit(ANN, "USDT", d(5))
    await until(lambda: client.balance["spot"]["USDT"]["free"] == 99_515.0)


async def test_other_accounts_hear_nothing(
    exchange: LoopbackExchange, client: Any, make_client: MakeClient
) -> None:
    """User data goes to the account's own sockets only."""
    exchange.add_account("other", "s", {"USDT": 1_000_000}, name="bob")
    other = await make_client(exchange, "other")
    watches = [asyncio.create_task(one.watch_orders()) for one in (client, other)]
    await subscribed(exchange)
    await until(lambda: exchange.subscribers("bob") == 1)
    await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
    await watches[0]
    assert not watches[1].done()
    watches[1].cancel()
    await asyncio.gather(*watches, return_exceptions=True)


async def test_orders_are_placed_queried_edited_and_cancelled_over_the_socket(
    exchange: LoopbackExchange, client: Any
) -> None:
    """order.place, .status, .cancelReplace and .cancel on the one socket."""
    params = {"newClientOrderId": "t1-1-1"}
    placed = await client.create_order_ws(BTC, "limit", "buy", 0.01, 49_000, params)
    assert (placed["clientOrderId"], placed["status"]) == ("t1-1-1", "open")
    assert (await client.fetch_order_ws(placed["id"], BTC))["clientOrderId"] == "t1-1-1"
    edited = await client.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.01, 48_000)
    assert (await client.cancel_order_ws(edited["id"], BTC))["status"] == "canceled"
    assert [call.method for call in exchange.wire if call.kind == "ws"] == [
        "order.place",
        "order.status",
        "order.cancelReplace",
        "order.cancel",
    ]
    assert len([call for call in exchange.wire if call.kind == "connect"]) == 1


async def test_a_market_order_over_the_socket_answers_with_its_fills(client: Any) -> None:
    """The same full response as over REST."""
    order = await client.create_order_ws(BTC, "market", "buy", 0.1)
    assert (order["status"], order["filled"]) == ("closed", 0.1)


async def test_refusals_over_the_socket_are_the_ones_of_rest(client: Any) -> None:
    """Status 400 and the error object."""
    import ccxt

    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order_ws(BTC, "limit", "buy", 50, 49_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order_ws("77", BTC)


async def test_a_wrong_signature_subscribes_nobody(exchange: LoopbackExchange, make_client: MakeClient) -> None:
    """Signatures are enforced on the socket too."""
    import ccxt

    client = await make_client(exchange, secret="not the secret")  # noqa: S106 - wrong on purpose
    await client.load_markets()
    with pytest.raises(KeyError):  # ccxt 4.5.90 trips over its own bookkeeping when a subscription is refused
        await client.watch_orders()
    with pytest.raises(ccxt.AuthenticationError):
        await client.create_order_ws(BTC, "limit", "buy", 0.01, 49_000)
    assert exchange.subscribers(ANN) == 0
    assert not exchange.engine.all_orders(ANN, "BTCUSDT")


async def test_after_a_reset_the_client_subscribes_anew(exchange: LoopbackExchange, client: Any) -> None:
    """All sockets cut: the pending watch fails, and the next one dials and signs again."""
    import ccxt

    watch = asyncio.create_task(client.watch_orders())
    await subscribed(exchange)
    exchange.hub.abort_all()
    with pytest.raises(ccxt.NetworkError):
        await watch
    await until(lambda: exchange.subscribers(ANN) == 0)
    again = asyncio.create_task(client.watch_orders())
    await subscribed(exchange)
    exchange.engine.deposit(ANN, "USDT", d(1))
    await client.create_order(BTC, "limit", "buy", 0.01, 49_000)
    assert (await again)[-1]["status"] == "open"
