"""Further faults of the catalogue: what the venue does of itself, fees that flip, ids that collide."""

from decimal import Decimal

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.broker.ccxt.loopback import ANN, BTC, ETH, loopback
from tests.broker.ccxt.test_faults_rest import resting
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.errors import VenueUnavailableError
from tradingd.testing.exchange.model import FeeCoin, FeePlan
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.venues.model import Lane
from tradingd.venues.public import make_public
from tradingd.venues.settings import VenueSettings

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


async def test_a19_dust_is_refused_once_and_left() -> None:
    """A19: an order below the exchange's least ends at once, with the reason; nothing is sent, then or later."""
    async with loopback() as rig:
        order_id = rig.order(BUY, "0.00001", "40000", symbol=BTC)
        await rig.until_status(order_id, S.VOID, S.REJECTED)
        assert "MIN_NOTIONAL: 0.40000 is below the minimum 5 USDT" in rig.get(order_id).reason
        assert rig.posts == []
        await rig.agree()


async def test_a22_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    """A22: TLS is verified: behind a certificate that we do not know nothing is read, and nothing sent to it."""
    async with LoopbackExchange(tls=True) as exchange:
        trusting = exchange.production_session()
        resolver = trusting.connector._resolver  # type: ignore[union-attr]
        strict = ClientSession(connector=TCPConnector(resolver=resolver, limit=0))
        public = make_public(VenueSettings("acc", "binance", "loopback"), session=strict)
        try:
            with pytest.raises(VenueUnavailableError):
                await public.open([BTC])
            assert exchange.wire == []
        finally:
            await public.close()
            await strict.close()
            await trusting.close()


async def test_a22_a_name_that_cannot_be_resolved_is_no_answer() -> None:
    """A22: where nobody listens, a call says that the venue is not there; it is no empty answer."""
    async with LoopbackExchange() as exchange:
        url = exchange.rest_url
    public = make_public(VenueSettings("acc", "binance", "loopback", url))
    try:
        with pytest.raises(VenueUnavailableError):
            await public.client.call("fetch_time", lane=Lane.MARKET)
    finally:
        await public.close()


async def test_a24_an_order_that_the_venue_ends_is_told_so() -> None:
    """A24: an order that the exchange expires of itself, after a part of it traded, ends with what had filled."""
    async with loopback() as rig:
        order_id = rig.order(BUY, "0.3", "49995", symbol=BTC)
        await rig.until_status(order_id, S.OPEN)
        rig.hit("BTCUSDT", "49995", "0.1")
        [working] = rig.matching.open_orders(ANN)
        rig.matching.expire(ANN, "BTCUSDT", working.id)
        await rig.until_status(order_id, S.EXPIRED, S.CANCELED)
        assert rig.status(order_id) is S.EXPIRED
        assert rig.get(order_id).filled == D("0.1")
        await rig.agree()


async def test_a27_the_coin_that_fees_are_taken_in_changes() -> None:
    """A27: when the third coin runs out, fees come out of what was bought; each is booked in its own coin."""
    fees = FeePlan(coin=FeeCoin("BNB", D("0.00075"), D("0.00075"), D(600)))
    async with loopback(fees=fees, ready=False) as rig:
        rig.matching.deposit(ANN, "BNB", D("0.01"))
        await rig.ready()
        for _ in range(3):
            order_id = rig.order(BUY, "0.1", symbol=BTC)
            await rig.until_status(order_id, S.FILLED)
        assert {fee.asset for fill in rig.fills for fee in fill.fees} == {"BNB", "BTC"}
        rig.compare()


async def test_b04_what_was_handed_over_does_not_change_any_more() -> None:
    """B4: an order that was read keeps saying what it said, however the exchange's picture of it goes on."""
    async with loopback() as rig:
        order_id = rig.order(BUY, "0.3", "49995", symbol=BTC)
        await rig.until_status(order_id, S.OPEN)
        [before] = await rig.venue.fetch_open_orders(BTC)
        told = repr(before)
        rig.hit("BTCUSDT", "49995", "0.1")
        await rig.until(lambda: rig.get(order_id).filled == D("0.1"))
        assert repr(before) == told
        assert before.filled == 0
        with pytest.raises(AttributeError):
            before.filled = D(1)  # type: ignore[misc]


async def test_b15_the_same_ids_name_different_things_on_different_markets() -> None:
    """B15: where ids count per market, both markets' trades are booked, each for its own order."""
    async with loopback() as rig:
        bitcoin = rig.order(BUY, "0.1", symbol=BTC)
        ether = rig.order(BUY, "0.4", symbol=ETH)
        for order_id in (bitcoin, ether):
            await rig.until_status(order_id, S.FILLED)
        ids = {(fill.symbol, fill.trade_id): fill.order_id for fill in rig.fills}
        assert ids == {(BTC, "1"): bitcoin, (ETH, "1"): ether}
        assert rig.get(bitcoin).exchange_order_id == rig.get(ether).exchange_order_id
        await resting(rig)
        await rig.agree()
