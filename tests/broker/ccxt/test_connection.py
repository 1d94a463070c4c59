"""Streams, barriers, the kill path and the dead man, on a venue in memory."""

import asyncio
from typing import Any

from tests.broker.ccxt.rig import BTC, D, Rig
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.domain.events import VenueCondition as C
from tradingd.errors import VenueUnavailableError
from tradingd.venues.model import SeenStatus

BUY, SELL = Side.BUY, Side.SELL
LOST = VenueUnavailableError("timed out")


async def test_lost_streams_lead_to_catching_up() -> None:
    """After a reconnect open orders and trades are read before the venue is READY; what happened is not lost."""
    rig = Rig()
    async with rig:
        await rig.ready()
        filled = rig.order(BUY, "2", "49000")
        ended = rig.order(BUY, "1", "48000")
        await rig.until_status(ended, S.OPEN)
        rig.venue.muted = True
        rig.venue.fill(filled, D(2), D(49_000))
        rig.venue.end(ended, SeenStatus.CANCELED)
        rig.venue.lose_streams()
        await rig.until(lambda: rig.conditions[-1] is C.CONNECTING)
        assert rig.status(filled) is S.OPEN
        await rig.ready()
        assert rig.status(filled) is S.FILLED
        assert rig.conditions[-3:] == [C.CONNECTING, C.CATCHING_UP, C.READY]
        await rig.until_status(ended, S.CANCELED)
        await rig.agree()


async def test_silent_streams_are_dialed_anew() -> None:
    """Streams that do not tell of a trade that a read found are dead, whatever their sockets say."""
    rig = Rig()
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        await rig.time.pass_by(100)
        assert rig.venue.resets == 0
        rig.venue.muted = True
        rig.venue.fill(order_id, D(2), D(49_000))
        await rig.until(lambda: rig.venue.resets == 1, within_s=25)
        await rig.until(lambda: rig.conditions[-1] is C.CONNECTING)
        await rig.ready()
        await rig.agree()


async def test_kill_cancels_past_the_queues() -> None:
    """cancel_all drops what waits, cancels the rest at one call, and what became of each is read."""
    rig = Rig()
    async with rig:
        await rig.ready()
        working = [rig.order(BUY, "1", "49000") for _ in range(3)]
        await rig.until_status(working[-1], S.OPEN)
        rig.venue.muted = True
        rig.venue.script("cancel_order", delay_s=1000, times=10)
        rig.cancel(working[0])
        waiting = rig.order(BUY, "1", "48000")
        await rig.broker.cancel_all()
        for order_id in (*working, waiting):
            await rig.until_status(order_id, S.CANCELED, within_s=10)
        assert waiting not in rig.venue.sent


async def test_kill_reaches_what_is_on_its_way() -> None:
    """An order that gets there after cancel_all is canceled by itself."""
    rig = Rig()
    rig.venue.script("create_order", delay_s=1.0)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "1", "49000")
        await rig.until(lambda: order_id in rig.venue.sent)
        entry = rig.venue.orders.pop(order_id)
        await rig.broker.cancel_all()
        rig.venue.orders[order_id] = entry  # it was slow
        await rig.until_status(order_id, S.CANCELED, within_s=10)
        await rig.agree()


async def test_cancels_do_not_wait_for_dead_streams() -> None:
    """Closing sockets whose other end is gone takes its time: cancels go out meanwhile."""
    rig = Rig()
    rig.venue.script("reset_streams", delay_s=10)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        await rig.time.pass_by(10)  # what is told of the order now is no news of the trade
        rig.venue.muted = True
        rig.venue.fill(order_id, D(1), D(49_000))
        await rig.until(lambda: rig.venue.resets == 1, within_s=25)
        rig.cancel(order_id)
        await rig.until(lambda: ("cancel_order", order_id) in rig.venue.wire, within_s=1)
        await rig.until_status(order_id, S.CANCELED)


async def test_trade_of_another_run_while_the_books_open_is_in_them() -> None:
    """A trade between the reads of the first barrier makes it none: the balances may be from before it."""
    rig = Rig()
    balances, traded = rig.venue.fetch_balances, []

    async def fetch() -> Any:
        held = await balances()
        if not traded:
            traded.append(rig.venue.trade_by_hand(BTC, BUY, D(1), D(49_000)))
        return held

    rig.venue.fetch_balances = fetch
    async with rig:
        await rig.ready()
        await rig.until(lambda: len(rig.snapshots) > 1)
        assert rig.halts == []
        assert rig.held("BTC") == rig.venue.totals["BTC"] == 11


async def test_dead_man_switch_is_armed_at_a_third_and_disarmed() -> None:
    """The switch is armed anew at a third of its time, and off after an orderly stop."""
    rig = Rig(dead_man_s=30)
    async with rig:
        await rig.ready()
        await rig.time.pass_by(25)
        await rig.broker.disarm()
        await rig.time.pass_by(60)
        assert rig.venue.dead_man == [30, 30, 30, 0]


async def test_disarming_waits_for_an_arming_under_way() -> None:
    """An arming that reached the venue after the disarming would leave the switch armed."""
    rig = Rig(dead_man_s=30)
    rig.venue.script("set_dead_man", delay_s=3, times=1)
    async with rig:
        await rig.time.pass_by(1)
        disarming = asyncio.create_task(rig.broker.disarm())
        await rig.time.pass_by(1)
        assert not disarming.done()
        await rig.time.pass_by(20)
        assert rig.venue.dead_man == [30, 0]


async def test_periodic_barrier_tells_the_account() -> None:
    """Once a minute the account is told, at a moment when nothing of it moves."""
    rig = Rig()
    async with rig:
        await rig.ready()
        await rig.time.pass_by(185)
        assert len(rig.snapshots) == 4


async def test_unknown_order_does_not_let_barriers_flood_the_venue() -> None:
    """While an order is UNKNOWN there is no barrier: it is not read for every two seconds."""
    rig = Rig()
    rig.venue.script("create_order", LOST)
    async with rig:
        await rig.ready()
        rig.venue.totals["BTC"] += 2  # so that the order's absence cannot be proved
        reads: list[float] = []
        read = rig.venue.fetch_open_orders

        async def counted(symbol: str | None = None) -> object:
            if symbol is None:
                reads.append(rig.time.monotonic())
            return await read(symbol)

        rig.venue.fetch_open_orders = counted
        rig.order(BUY, "2", "49000")
        await rig.time.pass_by(600)
        assert len(reads) <= 11


async def test_settled_waits_for_what_is_outstanding() -> None:
    """`settled` returns when no answer and no trade is outstanding."""
    rig = Rig()
    rig.venue.script("create_order", done=True, delay_s=3.0)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2")
        done = []

        async def wait() -> None:
            await rig.broker.settled()
            done.append(rig.status(order_id))

        task = asyncio.create_task(wait())
        await rig.until(lambda: bool(done))
        await task
        assert done == [S.FILLED]
