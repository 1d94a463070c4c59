"""What happens at the exchange itself, as the unmodified ccxt client meets it."""

from decimal import Decimal

import ccxt
import pytest

from tests.exchange.rig import BTC, KEY, rig, settled
from tradingd.testing.exchange import scripts, world_faults
from tradingd.testing.exchange.model import FeeCoin, FeePlan


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
        it.faults.inject(world_faults.filters_changed(), KEY)
        assert it.engine.markets["BTCUSDT"].tick == Decimal("0.01")


async def test_a_market_in_break_takes_no_orders_until_calm() -> None:
    """A17: orders of that market are refused, others go on; after calm it trades."""
    async with rig() as it:
        it.faults.inject(world_faults.paused(), KEY)
        with pytest.raises(ccxt.BaseError):
            await it.buy()
        await it.client.create_order("ETH/USDT", "limit", "buy", 0.1, 2_000)
        it.faults.calm()
        await it.buy()


async def test_a_break_is_over_after_its_time() -> None:
    """A17: without calm, too."""
    async with rig() as it:
        it.faults.inject(world_faults.paused(seconds=0.01), KEY)
        assert it.engine.markets["BTCUSDT"].status == "BREAK"
        await settled(lambda: it.engine.markets["BTCUSDT"].status, lambda status: status == "TRADING")


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


async def test_the_exchange_ends_an_order_by_itself() -> None:
    """A24: the order is expired, and nobody asked for it."""
    async with rig() as it:
        await it.buy()
        assert it.faults.inject(world_faults.expired(), KEY)
        assert it.engine.open_orders(KEY) == []
        order = await it.client.fetch_order(None, BTC, {"clientOrderId": "t1-1-1"})
        assert order["status"] == "expired"


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
        it.strike("manual-cancel", target="POST order")
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
        it.strike("delay")
        await it.buy()
        assert waited == [0.3]
        assert it.booked() == ["t1-1-1"]


async def test_an_edit_ends_with_no_order_at_all() -> None:
    """A28: the old order is canceled, the new one refused; the client sees an error and nothing works."""
    async with rig() as it:
        order = await it.buy()
        it.strike("edit-half-done")
        with pytest.raises(ccxt.ExchangeError):
            await it.client.edit_order(order["id"], BTC, "limit", "buy", 0.01, 51_000)
        assert it.engine.open_orders(KEY) == []


async def test_a_query_is_refused_though_the_order_exists() -> None:
    """A9: -2013 once, then the order is there."""
    async with rig() as it:
        order = await it.buy()
        it.strike("not-found-2013")
        with pytest.raises(ccxt.OrderNotFound):
            await it.client.fetch_order(order["id"], BTC)
        assert (await it.client.fetch_order(order["id"], BTC))["status"] == "open"
