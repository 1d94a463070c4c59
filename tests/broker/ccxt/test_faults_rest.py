"""Faults of requests (section A of the catalogue), over real sockets, each by its number.

`agree` at the end of each asserts what must hold whatever goes wrong: no client order id twice on the exchange's
wire, no fill lost or doubled, books equal to the exchange's own ledger, and nothing halted without need.
"""

import asyncio

import pytest

from tests.broker.ccxt.loopback import ANN, BTC, LoopbackRig, loopback
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import ReportKind as K
from tradingd.domain.events import SubmitOrder
from tradingd.domain.events import VenueCondition as C
from tradingd.errors import UsageError
from tradingd.testing.exchange import rest_faults
from tradingd.venues.model import Lane

BUY, SELL = Side.BUY, Side.SELL


async def resting(rig: LoopbackRig, price: str = "49000", quantity: str = "0.1") -> str:
    """A limit order below the market that works."""
    order_id = rig.order(BUY, quantity, price, symbol=BTC)
    await rig.until_status(order_id, S.OPEN)
    return order_id


async def settle(rig: LoopbackRig, fault: str, ends: S) -> None:
    """An order whose answer is spoilt ends as it did at the exchange, and was sent once."""
    rig.strike(fault)
    order_id = rig.order(BUY, "0.1", "49000", symbol=BTC)
    await rig.until_status(order_id, S.OPEN, S.VOID, S.REJECTED)
    assert rig.status(order_id) is ends
    assert [call.client_id for call in rig.posts] == [order_id]
    assert rig.working == ([order_id] if ends is S.OPEN else [])
    assert rig.faults.hits[fault] == 1
    await rig.agree()


async def test_nothing_wrong() -> None:
    """Without a fault: bought at market and sold by a limit, books equal to the exchange's ledger."""
    async with loopback() as rig:
        bought = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(bought, S.FILLED)
        rests = rig.order(SELL, "0.5", "51000", symbol=BTC)
        await rig.until_status(rests, S.OPEN)
        rig.hit("BTCUSDT", "51000", "10", "BUY")
        await rig.until_status(rests, S.FILLED)
        await rig.agree()


async def test_nothing_wrong_over_tls() -> None:
    """The same over TLS, by production's host names."""
    async with loopback(tls=True) as rig:
        bought = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(bought, S.FILLED)
        await resting(rig)
        await rig.agree()


async def test_a01_post_times_out_but_is_accepted() -> None:
    """A1: the order is there; it is found by its client id, and not sent again."""
    async with loopback() as rig:
        await settle(rig, "timeout-after", S.OPEN)


async def test_a01_post_times_out_and_never_arrived() -> None:
    """A1: the order is not there; that is proved, over the venue's visibility bound, before it counts as void."""
    async with loopback() as rig:
        began = rig.time.monotonic()
        await settle(rig, "timeout-before", S.VOID)
        assert rig.time.monotonic() - began > 30


async def test_a01_market_order_times_out_and_fills() -> None:
    """A1: a market order without an answer has filled: its trades are booked."""
    async with loopback() as rig:
        rig.strike("timeout-after")
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        assert len(rig.posts) == 1
        await rig.agree()


@pytest.mark.parametrize(("fault", "ends"), [("reset-after", S.OPEN), ("reset-before", S.VOID)])
async def test_a02_connection_is_reset(fault: str, ends: S) -> None:
    """A2: a reset tells nothing; what there is, is found, what there is not, is proved."""
    async with loopback() as rig:
        await settle(rig, fault, ends)


@pytest.mark.parametrize("fault", ["truncated", "bad-gzip"])
async def test_a03_answer_is_cut_or_broken(fault: str) -> None:
    """A3: the order of a broken answer is found."""
    async with loopback() as rig:
        await settle(rig, fault, S.OPEN)


@pytest.mark.parametrize("fault", ["html-200", "empty-200", "half-json-200", "empty-object-200", "status-555"])
async def test_a04_garbage_is_no_acceptance(fault: str) -> None:
    """A4: an answer without ids accepts nothing; the order is found by reads."""
    async with loopback() as rig:
        await settle(rig, fault, S.OPEN)
        assert all(report.exchange_order_id for report in rig.reports(K.ACCEPTED))


async def test_a05_garbage_on_reads_is_no_news() -> None:
    """A5: while reads bring garbage nothing is flat, none or absent; it is as before when they are sound again."""
    async with loopback() as rig:
        bought = rig.order(BUY, "0.2", symbol=BTC)
        await rig.until_status(bought, S.FILLED)
        rests = await resting(rig)
        for shape in ("html", "object", "message", "half"):
            for what in ("openOrders", "account", "myTrades"):
                rig.strike(f"{what}-{shape}", times=2)
        held = rig.held("BTC")
        await rig.time.pass_by(300)
        assert rig.status(rests) is S.OPEN
        assert rig.held("BTC") == held
        assert rig.faults.hits["account-html"]
        await rig.agree()


async def test_a05_garbage_proves_no_absence() -> None:
    """A5: an order that never arrived stays UNKNOWN while the lists are garbage, and halts its instrument."""
    async with loopback() as rig:
        rig.strike("timeout-before")
        rig.strike("openOrders-object", times=0)
        rig.strike("myTrades-html", times=0)
        order_id = rig.order(BUY, "0.1", "49000", symbol=BTC)
        await rig.until(lambda: bool(rig.halts))
        assert rig.status(order_id) is S.UNKNOWN
        assert order_id in rig.halts[0]
        rig.faults.calm()
        await rig.until_status(order_id, S.VOID)
        rig.compare()


@pytest.mark.parametrize(
    "fault", ["status-500", "status-502", "status-503", "status-504", "unknown-1006", "unknown-1007"]
)
async def test_a06_status_unknown(fault: str) -> None:
    """A6: the exchange does not know what became of the order: we look."""
    async with loopback() as rig:
        await settle(rig, fault, S.OPEN)


async def test_a07_id_of_a_filled_order_is_not_sent_again() -> None:
    """A7: the exchange would take the id of a filled order again: it is posted once, whatever is asked."""
    async with loopback() as rig:
        rig.strike("timeout-after")
        order_id = rig.order(BUY, "0.3", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        with pytest.raises(UsageError, match="never used twice"):
            rig.broker.place_order(rig.log.of(SubmitOrder)[0])
        await rig.time.pass_by(120)
        assert len(rig.posts) == 1
        await rig.agree()


async def test_a08_library_repeats_nothing() -> None:
    """A8: an order that meets five failures in a row is one POST on the wire."""
    async with loopback() as rig:
        rig.strike("reset-before", times=5)
        order_id = rig.order(BUY, "0.1", "49000", symbol=BTC)
        await rig.until_status(order_id, S.VOID)
        assert len(rig.posts) == 1
        await rig.agree()


async def test_a09_order_is_not_visible_at_first() -> None:
    """A9: reads do not show the order for a while; it is not taken for absent."""
    async with loopback() as rig:
        rig.strike("dropped-event", times=0)
        rig.strike("timeout-after")
        rig.strike(rest_faults.hidden(1e6), times=16)
        order_id = rig.order(BUY, "0.1", "49000", symbol=BTC)
        await rig.until_status(order_id, S.OPEN, S.VOID)
        assert rig.status(order_id) is S.OPEN
        assert rig.faults.hits["hidden"] == 16
        await rig.agree()


async def test_a12_cancel_does_not_wait_behind_market_data() -> None:
    """A12: 300 market calls wait in line; a cancel is on the wire before them."""
    async with loopback() as rig:
        order_id = await resting(rig)
        calls = [
            asyncio.create_task(rig.public.client.call("fetch_ticker", BTC, lane=Lane.MARKET)) for _ in range(300)
        ]
        await asyncio.sleep(0)
        before = len(rig.exchange.wire)
        rig.cancel(order_id)
        await rig.until(lambda: rig.status(order_id) is S.CANCELED)
        ahead = [call for call in rig.exchange.wire[before:] if call.path.endswith("ticker/24hr")]
        assert rig.calls("DELETE", "order")
        assert len(ahead) < 150
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await rig.agree()


@pytest.mark.parametrize("fault", ["waf-403", "page-400"])
async def test_a13_page_of_a_firewall(fault: str) -> None:
    """A13: a page tells nothing of the order: it is looked for, and its absence proved."""
    async with loopback() as rig:
        await settle(rig, fault, S.VOID)


async def test_a14_unknown_order_is_not_canceled() -> None:
    """A14: a cancel answered 'unknown order' though the order works is repeated, until it is read as over."""
    async with loopback() as rig:
        order_id = await resting(rig)
        rig.strike("unknown-order-2011")
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED)
        assert len(rig.calls("DELETE", "order")) == 2
        await rig.agree()


async def test_a14_unknown_order_that_had_filled() -> None:
    """A14: a cancel answered 'unknown order' because the order filled: it ends FILLED, by its trades."""
    async with loopback() as rig:
        order_id = await resting(rig)
        rig.strike("dropped-event", times=0)
        rig.hit("BTCUSDT", "49000", "0.1")
        rig.hit("BTCUSDT", "49000", "10")
        rig.cancel(order_id)
        await rig.until_status(order_id, S.FILLED, S.CANCELED)
        assert rig.status(order_id) is S.FILLED
        await rig.agree()


async def test_a15_history_in_pages_of_two() -> None:
    """A15: the history comes two trades at a time; all of them are booked, each once."""
    async with loopback() as rig:
        rig.strike("paging", times=0)
        order_id = await resting(rig, quantity="0.9")
        rig.hit("BTCUSDT", "49010", "10")
        for _ in range(9):
            moment = rig.exchange.now_ms()
            await rig.until(lambda moment=moment: rig.exchange.now_ms() > moment)
            rig.hit("BTCUSDT", "49000", "0.1")
        await rig.until_status(order_id, S.FILLED)
        await rig.agree()


async def test_a15_history_cut_inside_an_instant_halts() -> None:
    """A15: more trades of one millisecond than a page shows are never passed over: complete, or halted."""
    async with loopback() as rig:
        rig.strike("paging", times=0)
        instant = rig.exchange.now_ms() + 1
        rig.exchange._clock = lambda: instant
        order_id = await resting(rig, quantity="0.4")
        rig.hit("BTCUSDT", "49010", "10")
        for _ in range(4):
            rig.hit("BTCUSDT", "49000", "0.1")
        await rig.until(lambda: rig.status(order_id) is S.FILLED or bool(rig.halts))
        if not rig.halts:
            await rig.agree()


async def test_a20_refused_stop_is_told_at_once() -> None:
    """A20: a stop that the exchange refuses is REJECTED with its code, so that risk can act on it."""
    async with loopback() as rig:
        rig.strike("stop-refused-2010")
        order_id = rig.order(SELL, "0.1", symbol=BTC, kind=OrderType.STOP, stop_price=rig.decimal("48000"))
        await rig.until_status(order_id, S.REJECTED, within_s=2)
        assert "-2010" in rig.get(order_id).reason
        await rig.agree()


async def test_a26_key_is_revoked() -> None:
    """A26: one refusal of the key: the account is halted, and nothing more is asked of the exchange."""
    async with loopback() as rig:
        rests = await resting(rig)
        assert rig.exchange.revoke_keys(ANN)
        refused = rig.order(BUY, "0.1", "48000", symbol=BTC)
        await rig.until(lambda: rig.broker.condition is C.REFUSED)
        await rig.time.settle()
        asked = len(rig.exchange.wire)
        later = rig.order(BUY, "0.1", "47000", symbol=BTC)
        await rig.until_status(later, S.VOID)
        await rig.time.pass_by(600)
        assert len(rig.exchange.wire) == asked
        assert rig.status(refused) is S.REJECTED
        assert rig.status(rests) is S.OPEN
        assert [halt for halt in rig.halts if halt.startswith("account: acc refuses the key")]


async def test_a28_change_is_never_two_orders() -> None:
    """A28: where no order is changed in place the new one follows the old; refused, none is left, never two."""
    async with loopback() as rig:
        order_id = await resting(rig)
        most = 0

        def watch(_event: object) -> None:
            nonlocal most
            most = max(most, len(rig.working))

        stop = rig.matching.listen(watch)
        rig.strike("refused-2010")
        rig.modify(order_id, price="48500")
        await rig.until(lambda: len(rig.posts) == 2 and not rig.engine.orders)
        stop()
        assert most <= 1
        assert rig.working == []
        assert not [call for call in rig.exchange.wire if "cancelReplace" in call.path]
        await rig.agree()
