"""Faults of streams (section B of the catalogue), over real sockets, each by its number."""

import pytest

from tests.broker.ccxt.loopback import BTC, LoopbackRig, loopback
from tests.broker.ccxt.test_faults_rest import resting
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.domain.events import TradeReport
from tradingd.domain.events import VenueCondition as C

BUY, SELL = Side.BUY, Side.SELL


async def trade(rig: LoopbackRig) -> None:
    """An order that fills at once, one that fills in parts, and one that is canceled with a part filled."""
    bought = rig.order(BUY, "0.7", symbol=BTC)
    await rig.until_status(bought, S.FILLED)
    rig.hit("BTCUSDT", "49010", "10")  # the house's own bids above are gone
    filled = await resting(rig, quantity="0.3")
    for _ in range(3):
        rig.hit("BTCUSDT", "49000", "0.1")
    await rig.until_status(filled, S.FILLED)
    canceled = await resting(rig, quantity="0.3")
    rig.hit("BTCUSDT", "49000", "0.1")
    rig.cancel(canceled)
    await rig.until_status(canceled, S.CANCELED)
    await rig.until(lambda: rig.get(canceled).filled == rig.decimal("0.1"))
    await rig.agree()


async def test_b02_frame_that_nobody_expects() -> None:
    """B2: malformed frames of user data end nothing; what they hid is read."""
    async with loopback() as rig:
        for fault in ("user-bad-json", "user-bad-shape", "unknown-fee-coin"):
            rig.strike(fault, times=2)
        await trade(rig)


async def test_b03_more_fills_than_a_stream_keeps() -> None:
    """B3: 1,500 fills come in one burst; none is lost, none doubled."""
    async with loopback() as rig:
        rig.hit("BTCUSDT", "49010", "10")
        order_id = await resting(rig, quantity="1.5")
        for _ in range(1500):
            rig.hit("BTCUSDT", "49000", "0.001")
        await rig.until_status(order_id, S.FILLED)
        assert len(rig.fills) == 1500
        await rig.agree()


async def test_b05_events_that_never_come() -> None:
    """B5: no event of user data arrives at all: reads find everything."""
    async with loopback() as rig:
        rig.strike("dropped-event", times=0)
        await trade(rig)


async def test_b06_what_happens_during_a_reconnect_is_not_lost() -> None:
    """B6: the sockets break, the order fills and another is canceled meanwhile; both are known before READY."""
    async with loopback() as rig:
        rig.hit("BTCUSDT", "49010", "10")
        filled = await resting(rig)
        ended = await resting(rig, "48000")
        rig.exchange.hub.abort_all()
        rig.hit("BTCUSDT", "49000", "0.1")
        rig.matching.cancel("ann", "BTCUSDT", client_id=ended)
        await rig.until(lambda: rig.conditions[-1] is C.CONNECTING)
        await rig.ready()
        assert rig.status(filled) is S.FILLED
        await rig.until_status(ended, S.CANCELED)
        await rig.agree()


@pytest.mark.parametrize("fault", ["silent-user-data", "user-data-ended"])
async def test_b07_user_data_ends_without_a_word(fault: str) -> None:
    """B7: the stream is not served any more: reads find the trade, and the stream is dialed anew."""
    async with loopback(policy=EvidencePolicy()) as rig:
        rig.hit("BTCUSDT", "49010", "10")
        first = await resting(rig)
        await rig.time.pass_by(20)
        rig.strike(fault)
        rig.hit("BTCUSDT", "49000", "0.1")
        await rig.until_status(first, S.FILLED)
        await rig.until(lambda: rig.conditions[-1] is C.CONNECTING)
        await rig.ready()
        await rig.agree()


async def test_b08_fill_told_twice_is_booked_once() -> None:
    """B8: every event comes twice, and by stream and by read; each fill is booked once, and told once by us."""
    async with loopback() as rig:
        rig.strike("duplicate-event", times=0)
        await trade(rig)
        told = [report.trade_id for report in rig.log.of(TradeReport)]
        assert len(told) == len(set(told))


@pytest.mark.parametrize("fault", ["fill-before-ack", "reordered-events", "delayed-event"])
async def test_b09_any_order_of_answers_and_events(fault: str) -> None:
    """B9: fills before the answer, events in another order: the same books."""
    async with loopback() as rig:
        rig.strike(fault, times=3)
        await trade(rig)
