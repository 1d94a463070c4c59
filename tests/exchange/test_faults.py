"""Faults of requests, as the unmodified ccxt client meets them: shared/ccxt.md section 3 and 6."""

import asyncio
import contextlib
from collections.abc import Awaitable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from aiohttp import ClientConnectorError, ClientOSError, ClientSession, ServerDisconnectedError

from tests.exchange.rig import BTC, IMPATIENT, KEY, PATIENT, Rig, rig
from tradingd.testing.exchange import rest_faults, scripts, world_faults
from tradingd.testing.exchange.faults import Rule
from tradingd.testing.exchange.model import FeeCoin, FeePlan
from tradingd.testing.exchange.oracle import Oracle

GONE = (ClientOSError, ServerDisconnectedError, ClientConnectorError)


async def strike(it: Rig, name: str, **options: Any) -> None:
    """Arms a fault of the catalogue."""
    it.strike(scripts.fault(name), **options)


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
        await strike(it, name)
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
        await strike(it, name)
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
        await strike(it, name)
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
        await strike(it, name)
        kind, words = REFUSED[name]
        with pytest.raises(ccxt.BaseError, match=words) as caught:
            await it.buy()
        assert type(caught.value) is kind
        assert it.booked() == []


async def test_a_refused_cancel_leaves_the_order_working() -> None:
    """A14: "unknown order" to a cancel, and the order is still open."""
    async with rig() as it:
        order = await it.buy()
        await strike(it, "unknown-order-2011")
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
        await strike(it, "too-many-requests", target="GET time")
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
        await strike(it, "link-lost", target="GET time")
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
        await strike(it, "account-object")
        balance = await it.client.fetch_balance()
        assert balance["total"] == {}
        await strike(it, "myTrades-html")
        assert len(await it.client.fetch_my_trades(BTC)) == len(rest_faults.HTML)


@pytest.mark.parametrize("what", ["openOrders", "account", "myTrades"])
@pytest.mark.parametrize("kind", ["html", "object", "message", "half"])
async def test_each_read_has_its_garbage(what: str, kind: str) -> None:
    """A5: the answer is 200 and not what was asked for."""
    async with rig() as it:
        await strike(it, f"{what}-{kind}")
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
        await strike(it, "paging", times=0)
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
        await strike(it, "stale-balance", nth=2)
        before = await it.client.fetch_balance()
        await it.take()
        assert (await it.client.fetch_balance())["BTC"] == before["BTC"]
        assert (await it.client.fetch_balance())["BTC"]["total"] > before["BTC"]["total"]


# -- the world
async def test_a_skewed_clock_refuses_what_is_signed_until_the_client_looks() -> None:
    """A10: -1021 when the clocks differ by more than recvWindow; load_time_difference mends it, calm ends it."""
    async with rig() as it:
        it.faults.inject(world_faults.clock_skewed(-60_000), KEY)
        with pytest.raises(ccxt.InvalidNonce):
            await it.client.fetch_balance()
        await it.client.load_time_difference()
        await it.client.fetch_balance()
        it.faults.calm()
        assert it.exchange.skew_ms == 0


async def test_filters_change_under_the_client() -> None:
    """A18: a lot that was good is refused with -1013 until the markets are loaded again."""
    async with rig() as it:
        it.faults.inject(world_faults.filters_changed(), KEY)
        with pytest.raises(ccxt.InvalidOrder):
            await it.client.create_order(BTC, "limit", "buy", 0.00101, 50_000.01)
        await it.client.load_markets(reload=True)
        assert it.client.market(BTC)["precision"]["price"] == 0.1


async def test_a_market_in_break_takes_no_orders_until_calm() -> None:
    """A17: orders of that market are refused, others go on; after calm it trades."""
    async with rig() as it:
        it.faults.inject(world_faults.paused(), KEY)
        with pytest.raises(ccxt.BaseError):
            await it.buy()
        await it.client.create_order("ETH/USDT", "limit", "buy", 0.1, 2_000)
        it.faults.calm()
        await it.buy()


async def test_a_delisted_market_takes_its_orders_with_it() -> None:
    """A17: the orders end, the market is unknown."""
    async with rig() as it:
        await it.buy()
        it.faults.inject(world_faults.delisted(), KEY)
        assert it.engine.open_orders(KEY) == []
        with pytest.raises(ccxt.BadSymbol):
            await it.client.fetch_order_book(BTC)


async def test_the_owner_trades_and_cancels_by_hand() -> None:
    """C9, E7: there is an order that is not ours, and one of ours is gone."""
    async with rig() as it:
        await it.take()
        await it.buy()
        assert it.faults.inject(world_faults.manual_cancel(), KEY)
        assert it.faults.inject(world_faults.manual_order(), KEY)
        assert it.engine.open_orders(KEY) == []
        trades = await it.client.fetch_my_trades(BTC)
        assert len({trade["order"] for trade in trades}) == 2


async def test_money_comes_and_goes() -> None:
    """C10: a deposit and a withdrawal change what is free, and nothing was traded."""
    async with rig() as it:
        free = it.engine.balances(KEY)["USDT"][0]
        it.faults.inject(scripts.fault("deposit"), KEY)  # type: ignore[arg-type]
        assert it.engine.balances(KEY)["USDT"][0] == free + free / 10
        it.faults.inject(scripts.fault("withdrawal"), KEY)  # type: ignore[arg-type]
        assert it.engine.balances(KEY)["USDT"][0] < free + free / 10
        assert it.engine.my_trades(KEY) == []


async def test_a_revoked_key_signs_nothing_any_more() -> None:
    """A26: -2015 to each signed request, for good."""
    async with rig() as it:
        it.faults.inject(world_faults.key_revoked(), KEY)
        for _ in range(2):
            with pytest.raises(ccxt.BaseError, match="2015"):
                await it.client.fetch_balance()


async def test_the_fee_coin_runs_out_in_the_middle() -> None:
    """A27: fees were paid in the third coin, and are taken from what is bought once that is gone."""
    async with rig() as it:
        coin = FeeCoin("BNB", Decimal("0.00075"), Decimal("0.00075"), Decimal(600))
        it.engine.set_fees(KEY, FeePlan(coin=coin))
        await it.take()
        assert it.faults.inject(world_faults.fee_coin_gone(), KEY)
        await it.take()
        coins = [trade["fee"]["currency"] for trade in await it.client.fetch_my_trades(BTC)]
        assert (coins[0], coins[-1]) == ("BNB", "BTC")


async def test_what_cannot_happen_yet_happens_at_the_next_order() -> None:
    """E7: a cancel by hand needs a working order; the rule waits for one, and counts when it strikes."""
    async with rig() as it:
        await strike(it, "manual-cancel", target="POST order")
        await it.take()
        assert it.faults.report() == {"manual-cancel": 0}
        await it.buy()
        assert it.faults.report() == {"manual-cancel": 1}
        assert it.engine.open_orders(KEY) == []


async def test_a_request_may_be_late() -> None:
    """A1: it takes its time to arrive, and then all is well."""
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with rig() as it:
        it.faults.sleep = sleep
        await strike(it, "delay")
        await it.buy()
        assert waited == [0.3]
        assert it.booked() == ["t1-1-1"]


async def test_an_edit_ends_with_no_order_at_all() -> None:
    """A28: the old order is canceled, the new one refused; the client sees an error and nothing works."""
    async with rig() as it:
        order = await it.buy()
        await strike(it, "edit-half-done")
        with pytest.raises(ccxt.ExchangeError):
            await it.client.edit_order(order["id"], BTC, "limit", "buy", 0.01, 51_000)
        assert it.engine.open_orders(KEY) == []


async def test_a_query_is_refused_though_the_order_exists() -> None:
    """A9: -2013 once, then the order is there."""
    async with rig() as it:
        order = await it.buy()
        await strike(it, "not-found-2013")
        with pytest.raises(ccxt.OrderNotFound):
            await it.client.fetch_order(order["id"], BTC)
        assert (await it.client.fetch_order(order["id"], BTC))["status"] == "open"


# -- scripts
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_under_a_random_script_the_exchange_stays_right(seed: int) -> None:
    """A client that takes every error and goes on: the ledger balances, ids are booked once, calm is calm."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # ccxt raises in callbacks, see B2
    now = 0.0
    async with rig() as it:
        it.faults.monotonic = lambda: now
        it.client.timeout = IMPATIENT
        it.faults.add(*scripts.random_script(seed, intensity=0.5, orders=40).rules)
        it.faults.sleep = lambda _: asyncio.sleep(0)
        watching = [
            asyncio.ensure_future(it.client.watch_trades(BTC)),
            asyncio.ensure_future(it.client.watch_orders()),
        ]
        for number in range(40):
            now += 1
            await errors_passed(it.buy(f"t1-1-{number}"))
            await errors_passed(it.client.cancel_all_orders(BTC) if number % 5 else it.take())
            await errors_passed(it.client.fetch_my_trades(BTC))
            it.source.step(5)
        it.faults.calm()
        it.client.timeout = PATIENT
        for one in watching:
            one.cancel()
        it.engine.ledger.audit()
        assert sum(it.faults.hits.values()) > 5
        assert Oracle(it.exchange, KEY).booked_twice() == []
        await it.client.load_time_difference()
        await it.client.fetch_balance()


async def errors_passed(what: Awaitable[Any]) -> None:
    """Does something, and takes every error for an answer."""
    with contextlib.suppress(ccxt.BaseError, KeyError, TypeError, AttributeError):
        await what


async def test_a_rule_strikes_from_its_nth_on_and_as_often_as_told() -> None:
    """Of five orders the second and the third meet the fault."""
    async with rig() as it:
        it.faults.add(Rule(scripts.fault("refused-2010"), nth=2, times=2))
        met = []
        for number in range(5):
            try:
                await it.buy(f"t1-1-{number}")
            except ccxt.InsufficientFunds:
                met.append(number)
        assert met == [1, 2]
        assert it.faults.report() == {"refused-2010": 2}


async def test_after_calm_nothing_strikes() -> None:
    """The second phase: a rule without an end has one at calm."""
    async with rig() as it:
        await strike(it, "refused-2010", times=0)
        with pytest.raises(ccxt.InsufficientFunds):
            await it.buy()
        it.faults.calm()
        await it.buy()


async def test_two_faults_may_meet_in_one_request() -> None:
    """A slow answer that is cut off, too: both are counted."""
    async with rig() as it:
        it.strike(rest_faults.slow_answer(seconds=0.01))
        await strike(it, "truncated")
        with pytest.raises(ccxt.ExchangeError):
            await it.buy()
        assert it.faults.report() == {"fill-before-ack": 1, "truncated": 1}


def test_the_same_seed_draws_the_same_script() -> None:
    """A random script tells how to get it again."""
    one, two = scripts.random_script(7), scripts.random_script(7)
    assert one == two
    assert one != scripts.random_script(8)
    assert one.describe().startswith("random_script(seed=7, kinds=all, intensity=0.2, orders=200)")


def test_every_fault_has_a_name_of_its_own_a_number_and_a_sentence() -> None:
    """The catalogue is one of distinct things."""
    names = [one.name for one in scripts.catalogue()]
    assert len(names) == len(set(names))
    assert all(one.number and one.text for one in scripts.catalogue())


def test_a_fault_that_does_not_exist_is_told_with_those_that_do() -> None:
    """A typing error in --faults is met with the list."""
    with pytest.raises(KeyError, match="timeout-after"):
        scripts.fault("timeout-aftr")


def test_faults_are_chosen_by_name_number_or_letter() -> None:
    """`all`, `A2`, `B` and names may be mixed; each is taken once."""
    assert scripts.choose("all") == scripts.names()
    assert scripts.choose("A2, reset-after") == ["reset-before", "reset-after"]
    assert set(scripts.choose("B")) > {"silent-stream", "depth-gap"}
    assert scripts.choose("delisting") == ["delisting"]
    with pytest.raises(ValueError, match=r"no fault 'Z9'; there are: all, delay \(A1\)"):
        scripts.choose("A1,Z9")


def test_what_nobody_recovers_from_must_be_named() -> None:
    """A revoked key and a delisting are in no script that did not ask for them."""
    assert scripts.FINAL.isdisjoint(scripts.names())
    assert [rule.fault.name for rule in scripts.script(["delisting"]).rules] == ["delisting"]


def test_the_documentation_has_the_catalogue() -> None:
    """docs/exchange.md lists each fault with its number and sentence, and no other."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "exchange.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(scripts.catalogue())
    for row, fault in zip(rows, scripts.catalogue(), strict=True):
        assert row.startswith(f"| `{fault.name}` | {fault.number} |")
        assert row.endswith(f"| {fault.text} |")
