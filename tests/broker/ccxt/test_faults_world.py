"""Faults of the exchange as a whole, and what the account's owner does, over real sockets."""

from decimal import Decimal

from tests.broker.ccxt.loopback import ANN, BTC, ETH, loopback
from tests.broker.ccxt.test_faults_rest import resting
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.domain.events import VenueCondition as C
from tradingd.testing.exchange import rest_faults, scripts
from tradingd.testing.exchange.model import OrderRequest
from tradingd.testing.exchange.model import OrderType as TheirType
from tradingd.testing.exchange.model import Side as TheirSide

BUY, SELL = Side.BUY, Side.SELL


async def test_a10_clock_skew_is_a_definite_refusal() -> None:
    """A10: an order refused for its timestamp is REJECTED; the next one goes through, the clock measured anew."""
    async with loopback() as rig:
        rig.exchange.skew_ms = -8_000
        first = rig.order(BUY, "0.1", "49000", symbol=BTC)
        await rig.until_status(first, S.REJECTED, S.OPEN)
        assert rig.status(first) is S.REJECTED
        await resting(rig)
        await rig.agree()


async def test_a11_too_many_requests() -> None:
    """A11: told to wait, the broker waits: the venue is DOWN, nothing is sent, and it is never banned."""
    async with loopback() as rig:
        await resting(rig)
        rig.strike(rest_faults.too_many_requests(retry_after_s=20, patience=3, ban_s=60), target="GET myTrades")
        await rig.until(lambda: rig.broker.condition is C.DOWN)
        order_id = rig.order(BUY, "0.1", "49000", symbol=BTC)
        await rig.until_status(order_id, S.VOID)
        await rig.ready()
        assert rig.faults.hits["too-many-requests-ban"] == 0
        await resting(rig)
        await rig.agree()


async def test_a16_maintenance() -> None:
    """A16: the exchange is away for two minutes; what works there is known again before the venue is READY."""
    async with loopback() as rig:
        order_id = await resting(rig)
        rig.strike(rest_faults.maintenance(120), target="GET myTrades")
        await rig.until(lambda: rig.broker.condition is C.DOWN)
        await rig.ready()
        assert rig.time.monotonic() > 120
        assert rig.status(order_id) is S.OPEN
        await rig.agree()


async def test_a17_delisting_ends_the_orders_of_that_market_only() -> None:
    """A17: a market goes away with its orders; they end, and the other market trades on."""
    async with loopback() as rig:
        gone = rig.order(BUY, "1", "1900", symbol=ETH)
        await rig.until_status(gone, S.OPEN)
        stays = await resting(rig)
        rig.matching.delist("ETHUSDT")
        await rig.until(lambda: rig.status(gone).is_terminal or bool(rig.halts))
        bought = rig.order(BUY, "0.1", symbol=BTC)
        await rig.until_status(bought, S.FILLED)
        assert rig.status(stays) is S.OPEN
        assert not [halt for halt in rig.halts if halt.startswith(BTC)]


async def test_a18_refusal_for_a_filter_has_the_markets_read_anew() -> None:
    """A18: the lot has become larger: the refusal is told, and the instrument is the new one afterwards."""
    async with loopback() as rig:
        before = rig.venue.instruments[BTC].lot
        assert rig.faults.inject(scripts.fault("filter-change"), ANN)  # type: ignore[arg-type]
        order_id = rig.order(BUY, str(before * 20001), symbol=BTC)
        await rig.until_status(order_id, S.REJECTED)
        await rig.until(lambda: rig.venue.instruments[BTC].lot == before * 10)
        await rig.agree()


async def test_a21_balance_older_than_the_fills() -> None:
    """A21: a balance that lags behind the trades is not told; the next sound one is."""
    async with loopback() as rig:
        order_id = rig.order(BUY, "0.1", symbol=BTC)
        rig.strike("stale-balance", times=2)
        await rig.until_status(order_id, S.FILLED)
        await rig.until(lambda: rig.faults.hits["stale-balance"] == 2)
        await rig.agree()


async def test_c09_trade_by_hand() -> None:
    """C9: what the account's owner buys on the website is booked as external, and the books agree."""
    async with loopback() as rig:
        request = OrderRequest("BTCUSDT", TheirSide.BUY, TheirType.MARKET, qty=Decimal("0.2"), client_id="web_1")
        rig.matching.place(ANN, request)
        await rig.agree()
        assert [fill.strategy_id for fill in rig.fills] == ["external"]


async def test_c10_deposit_halts_until_somebody_looks() -> None:
    """C10: money that came from nowhere we know halts, with both figures, once it is sure."""
    async with loopback() as rig:
        rig.matching.deposit(ANN, "USDT", Decimal(10))
        await rig.until(lambda: bool(rig.halts))
        reason = "MISMATCH at acc: USDT: our books say 100000, the venue 100010"
        assert rig.halts == [f"{symbol}: {reason}" for symbol in (BTC, ETH)]


async def test_e07_cancel_by_hand() -> None:
    """E7: an order canceled on the website ends as canceled, once, and nothing puts it back."""
    async with loopback() as rig:
        order_id = await resting(rig)
        rig.matching.cancel(ANN, "BTCUSDT", client_id=order_id, request_id="web_1")
        await rig.until_status(order_id, S.CANCELED)
        assert len(rig.posts) == 1
        await rig.agree()
