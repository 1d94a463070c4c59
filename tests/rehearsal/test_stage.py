"""The stage of a rehearsal: a real exchange on a real socket, used through ccxt, and read."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal

import pytest

from tradingd.commands.rehearsal_report import Deal, SentOrder
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import SubmitOrder
from tradingd.errors import UsageError, VenueUnavailableError
from tradingd.testing.exchange.scripts import script
from tradingd.testing.rehearsal import Stage
from tradingd.testing.rehearsal.stage import longest_wait, price_of
from tradingd.venues.account import CcxtAccount, make_account
from tradingd.venues.public import make_public
from tradingd.venues.settings import Credentials, VenueSettings

D = Decimal


def order(order_id: str, **changes: object) -> SubmitOrder:
    """A market buy of a thousandth of a bitcoin."""
    made: dict[str, object] = {"quantity": D("0.001"), "order_type": OrderType.MARKET, **changes}
    return SubmitOrder(0, "main", order_id, "BTC/USDT", Side.BUY, **made)  # type: ignore[arg-type]


def act(stage: Stage, use: Callable[[CcxtAccount], Awaitable[None]]) -> None:
    """Use the account `main` of a stage through ccxt."""

    async def run() -> None:
        where = VenueSettings("main", "binance", "loopback", stage.url)
        public = make_public(where)
        account = make_account(where, Credentials(**stage.keys["main"]), public)
        try:
            await public.open(["BTC/USDT"])
            await account.open()
            await use(account)
        finally:
            await account.close()
            await public.close()

    asyncio.run(run())


def test_both_sides_of_an_order_are_read() -> None:
    """The request as it arrived, the trades it led to, and what the account holds after them."""

    async def use(account: CcxtAccount) -> None:
        await account.create_order(order("t1-1-1"))

    with Stage({"main": ["BTC/USDT"]}, rate=0) as stage:
        act(stage, use)
        sent, deals, balances = stage.sent(), stage.deals(), stage.balances()
        assert (stage.orders(), stage.hits(), stage.recovery_s()) == (1, 0, None)
    assert [(each.account, each.client_id, each.symbol, each.quantity, each.accepted) for each in sent] == [
        ("main", "t1-1-1", "BTC/USDT", D("0.001"), True)
    ]
    assert sent[0].price == deals[0].price
    assert {(each.account, each.symbol, each.buy) for each in deals} == {("main", "BTC/USDT", True)}
    bought = sum(each.quantity for each in deals)
    fee = sum(amount for each in deals for _, amount in each.fees)
    assert (bought, balances["BTC"]) == (D("0.001"), D("0.001") - fee)
    assert balances["USDT"] == 10_000 - sum(each.quantity * each.price for each in deals)


def test_a_fault_strikes_until_all_is_calm() -> None:
    """A script of the seed; what it hit is told, and how long it took to get over it."""

    async def use(account: CcxtAccount) -> None:
        with suppress(VenueUnavailableError):
            for number in range(40):
                await account.create_order(order(f"t1-1-{number}"))
        stage.calm()
        await account.create_order(order("t1-1-99"))

    with Stage({"main": ["BTC/USDT"]}, script(["empty-object-200"]), rate=0) as stage:
        act(stage, use)
        assert stage.hits() == 1
        wait = stage.recovery_s()
        assert wait is not None
        assert wait > 0
        assert all(each.accepted for each in stage.sent())  # it took the order, and said nothing of it


def test_a_stage_that_is_not_entered_says_so() -> None:
    """Instead of hanging."""
    with pytest.raises(UsageError, match="use it in a `with`"):
        _ = Stage({"main": ["BTC/USDT"]}).url


def test_only_spot_can_be_rehearsed() -> None:
    """The exchange is a spot market."""
    with pytest.raises(UsageError, match="BTC/USDT:USDT: the rehearsal's exchange is a spot market"):
        Stage({"main": ["BTC/USDT:USDT"]})


def test_prices_agree_with_one_another() -> None:
    """A coin is worth the same by whatever way; every price has about as many digits."""
    assert price_of("BTC/USDT") == 60_000
    assert price_of("ETH/BTC") * price_of("BTC/USDT") == price_of("ETH/USDT")
    assert price_of("XYZ/EUR") == 10


def test_the_longest_wait_is_told() -> None:
    """From each strike to the next order that was accepted; none if one was never followed by any."""
    assert longest_wait([1.0, 5.0], [0.5, 1.5, 7.0, 9.0]) == 2.0
    assert longest_wait([1.0, 8.0], [2.0]) is None
    assert longest_wait([], [2.0]) is None


def test_records_compare_by_value() -> None:
    """Both sides make the same record of the same thing."""
    assert Deal("a", "B/C", "1", True, D("1.0"), D(2)) == Deal("a", "B/C", "1", True, D(1), D("2.00"))
    assert SentOrder("a", "x", "B/C", D(1), D(2)) == SentOrder("a", "x", "B/C", D("1.00"), D(2))
