"""Faults of requests, as the unmodified ccxt client meets them: shared/ccxt.md section 3 and 6."""

import contextlib

import ccxt
import pytest
from aiohttp import ClientConnectorError, ClientOSError, ClientSession, ServerDisconnectedError

from tests.exchange.rig import BTC, IMPATIENT, KEY, PATIENT, rig
from tradingd.testing.exchange import rest_faults

GONE = (ClientOSError, ServerDisconnectedError, ClientConnectorError)


# -- orders whose outcome the client cannot know
ACCEPTED = {
    "timeout-after": ccxt.RequestTimeout,
    "reset-after": ccxt.ExchangeNotAvailable,
    "truncated": ccxt.ExchangeError,
    "bad-gzip": ccxt.ExchangeError,
    "status-500": ccxt.ExchangeNotAvailable,
    "status-502": ccxt.ExchangeNotAvailable,
    "status-503": ccxt.ExchangeNotAvailable,
    "status-504": ccxt.RequestTimeout,
    "unknown-1006": ccxt.OperationFailed,
    "unknown-1007": ccxt.RequestTimeout,
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_an_error_after_acceptance_leaves_the_order_on_the_exchange(name: str) -> None:
    """A1, A2, A3, A6: the client sees an error of the class that ccxt.md tells, and the order rests."""
    async with rig() as it:
        it.strike(name)
        it.client.timeout = IMPATIENT
        with pytest.raises(ccxt.BaseError) as caught:
            await it.buy("t1-1-1")
        assert type(caught.value) is ACCEPTED[name]
        assert it.booked() == ["t1-1-1"]
        assert it.faults.hits[name] == 1
        it.client.timeout = PATIENT
        found = await it.client.fetch_order(None, BTC, {"clientOrderId": "t1-1-1"})
        assert found["status"] == "open"


NEVER_SENT = {
    "timeout-before": ccxt.RequestTimeout,
    "reset-before": ccxt.ExchangeNotAvailable,
    "waf-403": ccxt.ExchangeNotAvailable,
    "page-400": ccxt.ExchangeNotAvailable,
}


@pytest.mark.parametrize("name", NEVER_SENT)
async def test_an_error_before_acceptance_looks_the_same_and_there_is_no_order(name: str) -> None:
    """A1, A2, A13: the very classes of the accepted ones, and the exchange never booked it."""
    async with rig() as it:
        it.strike(name)
        it.client.timeout = IMPATIENT
        with pytest.raises(ccxt.BaseError) as caught:
            await it.buy()
        assert type(caught.value) is NEVER_SENT[name]
        assert it.booked() == []
        assert len(it.posts) == 1


@pytest.mark.parametrize("name", ["html-200", "empty-200", "half-json-200", "empty-object-200", "status-555"])
async def test_garbage_for_an_answer_is_an_order_without_an_id(name: str) -> None:
    """A4: ccxt returns an order whose id is None, and raises nothing."""
    async with rig() as it:
        it.strike(name)
        order = await it.buy()
        assert order["id"] is None
        assert it.booked() == ["t1-1-1"]


# -- refusals
REFUSED = {
    "refused-1021": (ccxt.InvalidNonce, "recvWindow"),
    "refused-2010": (ccxt.InsufficientFunds, "insufficient balance"),
    "stop-refused-2010": (ccxt.OrderImmediatelyFillable, "trigger immediately"),
    "rejected-key-2015": (ccxt.DDoSProtection, "-2015"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_says_why_and_books_nothing(name: str) -> None:
    """A10, A20, A26: the class is the one that ccxt.md tells, and there is no order."""
    async with rig() as it:
        await it.client.fetch_balance()  # a login that went well: -2015 looks like rate limiting after it
        it.strike(name)
        kind, words = REFUSED[name]
        with pytest.raises(ccxt.BaseError, match=words) as caught:
            await it.buy()
        assert type(caught.value) is kind
        assert it.booked() == []


async def test_a_refused_cancel_leaves_the_order_working() -> None:
    """A14: "unknown order" to a cancel, and the order is still open."""
    async with rig() as it:
        order = await it.buy()
        it.strike("unknown-order-2011")
        with pytest.raises(ccxt.OrderNotFound):
            await it.client.cancel_order(order["id"], BTC)
        assert [one.client_id for one in it.engine.open_orders(KEY)] == ["t1-1-1"]


async def test_an_order_that_exists_is_not_found_for_a_while() -> None:
    """A9: reads do not show a young order; once it is older they do."""
    async with rig() as it:
        it.strike(rest_faults.hidden(seconds=60), times=0)
        await it.buy()
        assert await it.client.fetch_open_orders(BTC) == []
        with pytest.raises(ccxt.OrderNotFound):
            await it.client.fetch_order(None, BTC, {"clientOrderId": "t1-1-1"})
        it.exchange.skew_ms += 61_000
        await it.client.load_time_difference()
        assert len(await it.client.fetch_open_orders(BTC)) == 1


async def test_young_trades_are_hidden_too() -> None:
    """A9: trade history lags behind the fills."""
    async with rig() as it:
        it.strike(rest_faults.hidden(seconds=60), times=2)
        await it.take()
        assert await it.client.fetch_my_trades(BTC) == []
        assert await it.client.fetch_my_trades(BTC) == []
        assert len(await it.client.fetch_my_trades(BTC)) == len(it.engine.my_trades(KEY))


# -- limits and outages
async def test_429_has_retry_after_and_who_goes_on_is_banned() -> None:
    """A11: 429 with Retry-After, then 418 with a longer one; when the time is over it is over."""
    now = 0.0
    async with rig() as it:
        it.faults.monotonic = lambda: now
        it.strike(rest_faults.too_many_requests(retry_after_s=10, patience=2, ban_s=100), target="GET time")
        seen = []
        async with ClientSession() as session:
            for _ in range(5):
                async with session.get(f"{it.exchange.rest_url}/api/v3/time") as answer:
                    seen.append((answer.status, answer.headers.get("Retry-After")))
            now = 50.0
            async with session.get(f"{it.exchange.rest_url}/api/v3/time") as answer:
                assert answer.status == 418
            now = 101.0
            async with session.get(f"{it.exchange.rest_url}/api/v3/time") as answer:
                assert answer.status == 200
        assert seen == [(429, "10")] * 3 + [(418, "100")] * 2


async def test_ccxt_makes_ddos_protection_of_429() -> None:
    """A11: the class is DDoSProtection, the header is left in last_response_headers."""
    async with rig() as it:
        it.strike("too-many-requests", target="GET time")
        with pytest.raises(ccxt.DDoSProtection):
            await it.client.fetch_time()
        assert it.client.last_response_headers["Retry-After"] == "1"


async def test_in_maintenance_everything_is_away() -> None:
    """A16: requests get 503, sockets end, handshakes are refused; afterwards all is well."""
    now = 0.0
    async with rig() as it:
        it.faults.monotonic = lambda: now
        await it.client.watch_order_book(BTC)
        it.strike(rest_faults.maintenance(seconds=10), target="GET time")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await it.client.fetch_time()
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await it.buy()
        with pytest.raises(ccxt.NetworkError):
            await it.client.watch_trades(BTC)
        now = 11.0
        await it.buy()


async def test_a_lost_link_resets_every_connection() -> None:
    """D20: no request gets through, and no handshake."""
    async with rig() as it:
        it.strike("link-lost", target="GET time")
        async with ClientSession() as session:
            with pytest.raises(GONE):
                await session.get(f"{it.exchange.rest_url}/api/v3/time")
            with pytest.raises(GONE):
                await session.ws_connect(f"ws://127.0.0.1:{it.exchange.port}/ws")
            it.faults.calm()
            async with session.get(f"{it.exchange.rest_url}/api/v3/time") as answer:
                assert answer.status == 200


# -- reads
async def test_garbage_on_reads_is_believed_by_ccxt() -> None:
    """A5: an empty object for balances is an empty balance; a page for trades is one "trade" per character."""
    async with rig() as it:
        it.strike("account-object")
        balance = await it.client.fetch_balance()
        assert balance["total"] == {}
        it.strike("myTrades-html")
        assert len(await it.client.fetch_my_trades(BTC)) == len(rest_faults.HTML)


@pytest.mark.parametrize("what", ["openOrders", "account", "myTrades"])
@pytest.mark.parametrize("kind", ["html", "object", "message", "half"])
async def test_each_read_has_its_garbage(what: str, kind: str) -> None:
    """A5: the answer is 200 and not what was asked for."""
    async with rig() as it:
        it.strike(f"{what}-{kind}")
        read = {
            "openOrders": lambda: it.client.fetch_open_orders(BTC),
            "account": it.client.fetch_balance,
            "myTrades": lambda: it.client.fetch_my_trades(BTC),
        }[what]
        # what ccxt makes of it differs; what counts is what was on the wire
        with contextlib.suppress(ccxt.BaseError, KeyError, TypeError, AttributeError):
            await read()
        assert it.faults.hits[f"{what}-{kind}"] == 1


async def test_trade_history_comes_in_pages_of_two() -> None:
    """A15: from an id the next two, without one the newest two; a cursor gets all of them."""
    async with rig() as it:
        for _ in range(3):
            await it.take()
        all_ids = [str(trade.id) for trade in it.engine.my_trades(KEY, "BTCUSDT")]
        it.strike("paging", times=0)
        assert [trade["id"] for trade in await it.client.fetch_my_trades(BTC)] == all_ids[-2:]
        found: list[str] = []
        cursor = 0
        while page := await it.client.fetch_my_trades(BTC, params={"fromId": cursor}):
            found += [trade["id"] for trade in page]
            cursor = int(found[-1]) + 1
        assert found == all_ids


async def test_a_balance_is_older_than_the_fills() -> None:
    """A21: the balance that was told before the fill is told again after it, once."""
    async with rig() as it:
        it.strike("stale-balance", nth=2)
        before = await it.client.fetch_balance()
        await it.take()
        assert (await it.client.fetch_balance())["BTC"] == before["BTC"]
        assert (await it.client.fetch_balance())["BTC"]["total"] > before["BTC"]["total"]
