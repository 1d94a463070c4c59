"""An account on the loopback exchange, by the unmodified client, plain and with TLS under production's names."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from tests.venues.world import KEY, KEYS, SECRET, SYMBOL, public_side, submit
from tradingd.domain.enums import OrderType, Side
from tradingd.errors import DuplicateOrderError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.testing.exchange.model import Call, NoFaults, Reply
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.venues.account import CcxtAccount, make_account
from tradingd.venues.checks import check_account, check_public
from tradingd.venues.model import Lane, OrderRef, SeenStatus
from tradingd.venues.public import make_public
from tradingd.venues.settings import VenueSettings

BOOK = (
    [(Decimal(99), Decimal(5))],
    [(Decimal(101), Decimal("0.1")), (Decimal(102), Decimal("0.2")), (Decimal(103), Decimal(5))],
)


@asynccontextmanager
async def trading(
    *, tls: bool = False, stands: bool = False, **key: bool
) -> AsyncIterator[tuple[LoopbackExchange, CcxtAccount]]:
    """An exchange with a book, and an account on it; its clock may stand still."""
    began = time.time_ns() // 1_000_000
    clock = (lambda: began) if stands else (lambda: time.time_ns() // 1_000_000)
    async with LoopbackExchange(tls=tls, clock=clock) as exchange:
        exchange.add_account(KEY, SECRET, {"USDT": 10_000, "BTC": 10}, **key)
        exchange.engine.house_set_book("BTCUSDT", *BOOK)
        session = exchange.production_session() if tls else None
        settings = VenueSettings("acc", "binance", "loopback", "" if tls else exchange.rest_url)
        try:
            async with public_side(settings, session=session) as public:
                account = make_account(settings, KEYS, public, session=session)
                try:
                    await account.open()
                    yield exchange, account
                finally:
                    await account.close()
        finally:
            if session is not None:
                await session.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_order_lives_and_dies(tls: bool) -> None:  # noqa: FBT001 - a row
    """Created, found by either id, listed, canceled, and then unknown to a second cancel."""
    async with trading(tls=tls) as (_, account):
        seen = await account.create_order(submit(limit_price=Decimal(90)))
        assert (seen.order_id, seen.status, seen.quantity) == ("t1-1-1", SeenStatus.OPEN, Decimal("0.5"))
        ours = OrderRef("t1-1-1", SYMBOL)
        theirs = OrderRef("t1-1-1", SYMBOL, seen.exchange_order_id)
        for ref in (ours, theirs):
            found = await account.fetch_order(ref)
            assert found is not None
            assert (found.order_id, found.limit_price) == ("t1-1-1", Decimal(90))
        assert [each.order_id for each in await account.fetch_open_orders(SYMBOL)] == ["t1-1-1"]
        canceled = await account.cancel_order(ours)
        assert canceled is not None
        assert (canceled.order_id, canceled.status) == ("t1-1-1", SeenStatus.CANCELED)
        with pytest.raises(VenueRefusedError) as caught:
            await account.cancel_order(ours)
        assert caught.value.code == "UNKNOWN_ORDER"
        closed = await account.fetch_closed_orders(SYMBOL, 0)
        assert [each.order_id for each in closed] == ["t1-1-1"]


async def test_a_sweep_of_several_trades_in_one_instant_is_read_whole() -> None:
    """With pages of two the third trade of an instant cannot be reached by time."""
    async with trading(stands=True) as (exchange, account):
        exchange.desk.page_limit = 2
        await account.create_order(submit(order_type=OrderType.MARKET, limit_price=None))
        trades = await account.fetch_trades(SYMBOL, (exchange.now_ms() - 60_000) * 1_000_000)
        assert [(trade.price, trade.quantity) for trade in trades] == [
            (Decimal(101), Decimal("0.1")),
            (Decimal(102), Decimal("0.2")),
            (Decimal(103), Decimal("0.2")),
        ]
        assert {trade.fees[0].asset for trade in trades} == {"BTC"}


async def test_a_stop_is_sent_as_one() -> None:
    """With its trigger, and found among the working orders."""
    async with trading() as (_, account):
        order = submit(
            side=Side.SELL, order_type=OrderType.STOP_LIMIT, limit_price=Decimal(80), stop_price=Decimal(85)
        )
        await account.create_order(order)
        (seen,) = await account.fetch_open_orders(SYMBOL)
        assert (seen.stop_price, seen.limit_price) == (Decimal(85), Decimal(80))


async def test_a_duplicate_is_told_as_evidence() -> None:
    """The venue has an order of this id already."""
    async with trading() as (_, account):
        await account.create_order(submit(limit_price=Decimal(90)))
        with pytest.raises(DuplicateOrderError):
            await account.create_order(submit(limit_price=Decimal(90)))


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal("0.500001")},
        {"quantity": Decimal("0.000001")},
        {"limit_price": Decimal("100.001")},
        {"limit_price": Decimal(1), "quantity": Decimal("0.1")},
        {"symbol": "ETH/USDT"},
        {"order_type": OrderType.TRAILING_STOP, "limit_price": None},
        {"order_id": "t1-" + "9" * 40},
    ],
    ids=str,
)
async def test_what_would_be_rounded_or_refused_does_not_leave(changes: dict[str, object]) -> None:
    """Off the step, too small, not traded, not offered, too long an id: known not to have been sent."""
    async with trading() as (exchange, account):
        with pytest.raises(VenueRefusedError) as caught:
            await account.create_order(submit(**changes))
        assert caught.value.code == "NOT_SENT"
        assert not [call for call in exchange.wire if call.method == "POST"]


async def test_a_clock_that_is_off_is_set_before_the_next_call() -> None:
    """One definite refusal, no retry of the order; the next one is signed with the venue's time."""
    async with trading() as (exchange, account):
        exchange.skew_ms = 60_000
        with pytest.raises(VenueRefusedError) as caught:
            await account.create_order(submit(limit_price=Decimal(90)))
        assert caught.value.code == "-1021"
        seen = await account.create_order(submit("t1-1-2", limit_price=Decimal(90)))
        assert seen.order_id == "t1-1-2"
        assert [call.client_id for call in exchange.wire if call.method == "POST"] == ["t1-1-1", "t1-1-2"]
        assert abs(await account.clock_offset_ns() - 60_000_000_000) < 1_000_000_000


async def test_streams_tell_orders_trades_and_balances() -> None:
    """As hints, in the same terms as the reads."""
    async with trading() as (exchange, account):
        watching = [
            asyncio.ensure_future(each())
            for each in (account.watch_orders, account.watch_trades, account.watch_balances)
        ]
        while not exchange.subscribers(KEY):
            await account.fetch_balances()
        await account.create_order(submit(quantity=Decimal("0.1"), order_type=OrderType.MARKET, limit_price=None))
        orders, trades, balances = [await each for each in watching]
        assert {order.order_id for order in orders} == {"t1-1-1"}
        assert [(trade.quantity, trade.price) for trade in trades] == [(Decimal("0.1"), Decimal(101))]
        assert "BTC" in {balance.asset for balance in balances}


async def test_a_stream_that_the_clock_is_refused_for_is_cured_by_itself() -> None:
    """Ccxt tells of that refusal by a KeyError; nothing else may be asked meanwhile that would set the clock."""
    async with trading() as (exchange, account):
        exchange.skew_ms = 60_000
        with pytest.raises(VenueUnavailableError):
            await account.watch_orders()
        watching = asyncio.ensure_future(account.watch_orders())
        async with asyncio.timeout(5):
            while not exchange.subscribers(KEY):  # noqa: ASYNC110 - the exchange has no event for it
                await asyncio.sleep(0)
        await account.create_order(submit(limit_price=Decimal(90)))
        assert [order.order_id for order in await watching] == ["t1-1-1"]


async def test_the_kill_path_cancels_everything() -> None:
    """Of a symbol or of all, and nothing left is no error."""
    async with trading() as (_, account):
        for number in range(3):
            await account.create_order(submit(f"t1-1-{number}", limit_price=Decimal(90)))
        await account.cancel_all()
        assert await account.fetch_open_orders() == []
        await account.cancel_all(SYMBOL)


async def test_300_market_calls_do_not_hold_up_a_cancel() -> None:
    """The cancel is on the wire before any market call that waits."""
    async with trading() as (exchange, account):
        seen = await account.create_order(submit(limit_price=Decimal(90)))
        budget = account.public.client.budget
        budget.allowance.spend(budget.allowance.capacity * 0.65, budget._monotonic())
        client = account.public.client
        waiting = [
            asyncio.ensure_future(client.call("fetch_trades", SYMBOL, lane=Lane.MARKET)) for _ in range(300)
        ]
        for _ in range(5):
            await asyncio.sleep(0)
        assert budget.waiting(Lane.MARKET) == 8  # the others wait for one of these
        before = len(exchange.wire)
        await account.cancel_order(OrderRef("t1-1-1", SYMBOL, seen.exchange_order_id))
        assert [call.method for call in exchange.wire[before:]] == ["DELETE"]
        for task in waiting:
            task.cancel()


class Holding(NoFaults):
    """Keeps public trades waiting until told."""

    def __init__(self) -> None:
        self.held = 0
        self.gate = asyncio.Event()

    async def before(self, call: Call) -> Reply | None:
        if call.path.endswith("rades"):
            self.held += 1
            await self.gate.wait()
        return None


async def test_market_calls_go_a_few_at_a_time() -> None:
    """Where the budget would let all of 40 go at once, eight are under way; cancels do not wait for them."""
    async with trading() as (exchange, account):
        exchange.faults = holding = Holding()
        seen = await account.create_order(submit(limit_price=Decimal(90)))
        client = account.public.client
        calls = [asyncio.ensure_future(client.call("fetch_trades", SYMBOL, lane=Lane.MARKET)) for _ in range(40)]
        while holding.held < 8:
            await account.fetch_balances()
        for _ in range(5):
            await account.fetch_balances()
        await account.cancel_order(OrderRef("t1-1-1", SYMBOL, seen.exchange_order_id))
        assert holding.held == 8
        holding.gate.set()
        await asyncio.gather(*calls)
        assert holding.held == 40


async def test_a_changed_filter_is_seen_after_a_refresh() -> None:
    """The same mapping then has the new instrument."""
    async with trading() as (_, account):
        before = account.instruments[SYMBOL]
        await account.refresh_instruments()
        assert account.instruments[SYMBOL] == before
        assert account.is_filter_refusal("-1013")
        assert not account.is_filter_refusal("-2010")


async def test_the_checks_pass_for_an_ordinary_key() -> None:
    """Each with its reason in one line."""
    async with trading() as (_, account):
        found = await check_account(account, needs=[("USDT", Decimal(20_000))])
        assert all(result.ok for result in found), found
        assert not any("\n" in result.reason for result in found)
        assert [result.name for result in found if result.is_warning] == ["balance"]


async def test_a_key_that_may_withdraw_is_refused() -> None:
    """Unless the operator has given a word for it."""
    async with trading(can_withdraw=True) as (_, account):
        found = {result.name: result for result in await check_account(account)}
        assert not found["permissions"].ok
        found = {result.name: result for result in await check_account(account, may_withdraw=True)}
        assert found["permissions"].ok


async def test_a_refused_key_is_told_in_one_line() -> None:
    """With what to look at."""
    async with trading() as (exchange, account):
        exchange.revoke_keys(KEY)
        with pytest.raises(VenueAuthError):
            await account.fetch_balances()
        found = {result.name: result for result in await check_account(account)}
        assert not found["balance"].ok
        assert "IP list" in found["balance"].reason


async def test_a_venue_that_cannot_be_reached() -> None:
    """The checks that rest on it are left out."""
    async with LoopbackExchange() as exchange:
        settings = VenueSettings("acc", "binance", "loopback", exchange.rest_url)
    public = make_public(settings)
    found = await check_public(public, [SYMBOL])
    await public.close()
    assert [(result.name, result.ok) for result in found] == [("settings", True), ("reachable", False)]
