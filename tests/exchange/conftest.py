"""A served exchange with a book, and the unmodified ccxt client that talks to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.world import Desk, d
from tradingd.testing.exchange.server import LoopbackExchange

KEY, SECRET = "loopback-key", "loopback-secret"

MakeClient = Callable[..., Awaitable[Any]]


@pytest.fixture
def desk() -> Desk:
    """An engine without a wire."""
    return Desk()


@pytest.fixture
async def exchange() -> AsyncIterator[LoopbackExchange]:
    """A running exchange: BTC/USDT with two levels a side, one account."""
    async with LoopbackExchange() as served:
        stock(served)
        yield served


def stock(served: LoopbackExchange) -> None:
    """An account and a book."""
    served.add_account(KEY, SECRET, {"BTC": 2, "USDT": 100_000, "BNB": 1}, name="ann")
    served.engine.house_set_book(
        "BTCUSDT",
        bids=[(d(50_000), d("0.5")), (d(49_990), Decimal(1))],
        asks=[(d(50_010), d("0.5")), (d(50_020), Decimal(1))],
    )


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """Constructs unmodified `ccxt.pro.binance` clients and closes them after the test."""
    import ccxt.pro

    clients: list[Any] = []

    async def make(served: LoopbackExchange, key: str = KEY, **more: Any) -> Any:
        client = ccxt.pro.binance(
            {**served.ccxt_config(key), "enableRateLimit": False, "timeout_on_exit": 0, **more}
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def client(exchange: LoopbackExchange, make_client: MakeClient) -> Any:
    """A client of the exchange with the account's key."""
    return await make_client(exchange)
