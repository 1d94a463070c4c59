"""Orders on a venue in memory: each outcome, and what is told of it."""

import pytest

from tests.broker.ccxt.rig import BTC, D, Rig
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.events import ReportKind as K
from tradingd.domain.events import VenueCondition as C
from tradingd.errors import RateLimitedError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import SeenStatus

BUY, SELL = Side.BUY, Side.SELL
LOST = VenueUnavailableError("timed out")


async def test_start_opens_the_books_with_what_the_venue_holds() -> None:
    """READY comes after the first snapshot, and what was traded before is in it, not beside it."""
    rig = Rig()
    rig.venue.trade_by_hand(BTC, BUY, D(1), D(50_000))
    async with rig:
        await rig.ready()
        assert rig.conditions == [C.CONNECTING, C.CATCHING_UP, C.READY]
        assert rig.held("BTC") == 11
        assert rig.fills == []


async def test_market_order_fills() -> None:
    """A market order is accepted, its trade is read, and the books are the venue's."""
    rig = Rig()
    rig.venue.fee_rate = D("0.001")
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2")
        await rig.until_status(order_id, S.FILLED, within_s=1)
        assert rig.kinds(order_id) == [K.ACCEPTED]
        assert rig.get(order_id).exchange_order_id == "1"
        await rig.agree()


async def test_refusal_is_told_with_code_and_text() -> None:
    """A definite refusal rejects the order, and has the markets read anew."""
    rig = Rig()
    rig.venue.script("create_order", VenueRefusedError("Filter failure: LOT_SIZE", code="-1013"))
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.REJECTED)
        assert rig.get(order_id).reason == "-1013: Filter failure: LOT_SIZE"
        await rig.until(lambda: rig.venue.refreshed == 1)
        await rig.agree()


async def test_lost_answer_is_settled_by_a_read() -> None:
    """An order whose answer was lost is UNKNOWN until it is read; it is not sent again."""
    rig = Rig()
    rig.venue.muted = True
    rig.venue.script("create_order", LOST, done=True)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN, within_s=5)
        assert rig.kinds(order_id) == [K.UNKNOWN, K.ACCEPTED]
        assert rig.venue.sent == [order_id]
        await rig.agree()


async def test_order_that_never_arrived_is_absent_after_the_span() -> None:
    """Absence is proved by reads that span the venue's visibility bound, not sooner."""
    rig = Rig()
    rig.venue.script("create_order", LOST)
    async with rig:
        await rig.ready()
        sent_at = rig.time.monotonic()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.VOID)
        assert 30 <= rig.time.monotonic() - sent_at < 60
        assert rig.kinds(order_id) == [K.UNKNOWN, K.ABSENT]
        await rig.agree()


async def test_order_that_becomes_visible_late_is_found() -> None:
    """An order out of sight for 25 s is not taken for absent."""
    rig = Rig()
    rig.venue.muted = True
    rig.venue.visibility_s = 25
    rig.venue.script("create_order", LOST, done=True)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN, S.VOID)
        assert rig.status(order_id) is S.OPEN
        await rig.agree()


async def test_unexplained_balance_forbids_absence() -> None:
    """Where the balance moved by more than the trades we know, the order may have filled: halted, not void."""
    rig = Rig()
    rig.venue.script("create_order", LOST)
    async with rig:
        await rig.ready()
        rig.venue.totals["BTC"] += 2
        order_id = rig.order(BUY, "2", "49000")
        await rig.until(lambda: bool(rig.halts))
        assert rig.status(order_id) is S.UNKNOWN
        assert rig.halts[0].startswith(f"{BTC}: X: {order_id}: UNKNOWN for 6")
        assert "balance moved" in rig.halts[0]


async def test_failed_reads_never_count() -> None:
    """While the venue answers nothing an order stays UNKNOWN, its instrument is halted, and the venue is DOWN."""
    rig = Rig()
    rig.venue.script("create_order", LOST)
    async with rig:
        await rig.ready()
        for method in ("fetch_order", "fetch_open_orders", "fetch_closed_orders", "fetch_trades"):
            rig.venue.script(method, LOST, times=1000)
        order_id = rig.order(BUY, "2", "49000")
        await rig.until(lambda: bool(rig.halts))
        assert rig.status(order_id) is S.UNKNOWN
        assert rig.conditions[-1] is C.DOWN
        rig.venue.clear_scripts()
        await rig.until_status(order_id, S.VOID)
        await rig.ready()


async def test_nothing_is_sent_while_the_venue_is_down() -> None:
    """An order for a venue that is DOWN ends as never sent."""
    rig = Rig()
    async with rig:
        await rig.ready()
        for method in ("fetch_order", "fetch_open_orders", "fetch_trades"):
            rig.venue.script(method, RateLimitedError("banned", 120), times=2)
        await rig.until(lambda: rig.conditions[-1] is C.DOWN)
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.VOID)
        assert rig.venue.sent == []
        assert rig.get(order_id).reason.startswith("NOT_SENT: the venue is DOWN")
        banned_at = rig.time.monotonic()
        calls = len(rig.log.events)
        await rig.until(lambda: rig.conditions[-1] is C.READY)
        assert rig.time.monotonic() - banned_at >= 100
        assert calls


async def test_revoked_key_is_tried_once() -> None:
    """A refused key stops everything at the first refusal: status, halt of the account, no further call."""
    rig = Rig()
    rig.venue.script("create_order", VenueAuthError("Invalid API-key", code="-2015"))
    async with rig:
        await rig.ready()
        first = rig.order(BUY, "2", "49000")
        await rig.until_status(first, S.REJECTED)
        second = rig.order(BUY, "1", "49000")
        await rig.until_status(second, S.VOID)
        await rig.time.pass_by(300)
        assert rig.venue.sent == [first]
        assert rig.conditions[-1] is C.REFUSED
        assert len(rig.halts) == 1
        assert rig.halts[0].startswith("account: X refuses the key")


async def test_duplicate_id_is_evidence() -> None:
    """That the venue has the id already is no refusal: the order is read."""
    rig = Rig()
    rig.venue.muted = True
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        rig.venue._create(rig.log.events[-1])  # the first attempt of a connection that sent twice
        await rig.until_status(order_id, S.OPEN)
        assert rig.kinds(order_id) == [K.UNKNOWN, K.ACCEPTED]


async def test_stale_request_is_dropped_unsent() -> None:
    """What could not be recorded within 2 s is not sent any more, and is told as never sent."""

    async def slow(_order: object) -> None:
        await rig.time.sleep(2.5)

    rig = Rig(before_send=slow)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.VOID)
        assert rig.venue.sent == []
        assert "STALE" in rig.get(order_id).reason


async def test_intent_is_recorded_before_the_socket_is_touched() -> None:
    """`before_send` is over before the order is on the wire."""
    recorded: list[list[str]] = []

    async def record(_order: object) -> None:
        await rig.time.sleep(0.1)
        recorded.append(list(rig.venue.sent))

    rig = Rig(before_send=record)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        assert recorded == [[]]


async def test_cancel_of_a_working_order() -> None:
    """A canceled order is told as such when the venue says so."""
    rig = Rig()
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED, within_s=1)
        await rig.agree()


async def test_cancel_that_finds_nothing_reads_how_the_order_ended() -> None:
    """'Unknown order' is no word on the order: it had filled, and that is what its trades tell."""
    rig = Rig()
    rig.venue.muted = True
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.venue.fill(order_id, D(2), D(49_000))
        rig.cancel(order_id)
        await rig.until_status(order_id, S.FILLED, S.CANCELED, within_s=5)
        assert rig.status(order_id) is S.FILLED
        await rig.agree()


async def test_lost_cancel_is_repeated_until_the_order_is_over() -> None:
    """A cancel without an answer leaves the order CANCELING; it is asked for again."""
    rig = Rig()
    rig.venue.muted = True
    rig.venue.script("cancel_order", LOST, times=3)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED, within_s=20)
        assert [order for method, order in rig.venue.wire if method == "cancel_order"] == [order_id] * 4
        await rig.agree()


async def test_cancel_that_did_not_leave_is_asked_for_again() -> None:
    """No connection, or a venue that asks us to wait: nobody has refused the cancel, so it is not given up."""
    rig = Rig()
    unsent = VenueRefusedError("no connection; it was not sent", "NOT_SENT")
    rig.venue.script("cancel_order", unsent, times=3)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED, within_s=20)
        assert K.CANCEL_REJECTED not in rig.kinds(order_id)
        await rig.agree()


async def test_cancel_of_an_order_in_flight_follows_its_answer() -> None:
    """A cancel that comes while the order is being sent is sent after it, by its id."""
    rig = Rig()
    rig.venue.script("create_order", delay_s=1.0)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.time.settle()
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED)
        assert [method for method, _ in rig.venue.wire] == ["create_order", "cancel_order"]
        await rig.agree()


async def test_cancel_before_sending_sends_nothing() -> None:
    """An order that waits to be sent is canceled by not sending it."""
    rig = Rig()
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED)
        assert rig.venue.wire == []


async def test_canceled_is_told_when_the_trades_add_up() -> None:
    """The venue says canceled with a part filled: it is told after that part was read."""
    rig = Rig()
    rig.venue.trades_lag_s = 8
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.venue.fill(order_id, D("0.5"), D(49_000))
        rig.venue.end(order_id, SeenStatus.CANCELED)
        await rig.until_status(order_id, S.CANCELED)
        assert rig.get(order_id).filled == D("0.5")
        assert rig.time.monotonic() >= 8
        await rig.agree()


async def test_trades_that_never_add_up_halt_the_instrument() -> None:
    """What the venue says was filled and does not show for a minute halts, and is still looked for."""
    rig = Rig()
    rig.venue.trades_lag_s = 100
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2")
        await rig.until(lambda: bool(rig.halts))
        assert "CLOSED".lower() in rig.halts[0]
        assert rig.status(order_id) is S.OPEN
        await rig.until_status(order_id, S.FILLED)
        rig.compare()


async def test_late_fill_after_a_cancel_is_booked() -> None:
    """A trade that shows up after the order was told canceled is read by the next polls."""
    rig = Rig()
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED)
        rig.venue.muted = True
        rig.venue._book(BTC, BUY, D(1), D(49_000), "1", Liquidity.MAKER)
        await rig.until(lambda: rig.get(order_id).filled == 1, within_s=10)


async def test_trade_by_hand_is_booked_as_external() -> None:
    """A trade of nobody's order is told once, under its own id."""
    rig = Rig()
    async with rig:
        await rig.ready()
        rig.venue.trade_by_hand(BTC, SELL, D(1), D(50_000))
        await rig.agree()
        assert [(fill.strategy_id, fill.order_id) for fill in rig.fills] == [("external", "manual-0")]


async def test_fill_before_the_answer_is_of_the_order() -> None:
    """A trade read while its order is still being sent is not taken for somebody else's."""
    rig = Rig()
    rig.venue.script("create_order", done=True, delay_s=3.0)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2")
        await rig.until_status(order_id, S.FILLED, within_s=10)
        assert [fill.order_id for fill in rig.fills] == [order_id]
        await rig.agree()


async def test_change_in_place() -> None:
    """A change is told when the venue has made it."""
    rig = Rig()
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.modify(order_id, quantity="3", price="48000")
        await rig.until(lambda: rig.get(order_id).quantity == 3)
        assert rig.venue.orders[order_id].order.limit_price == 48_000
        await rig.agree()


@pytest.mark.parametrize(("made", "expected"), [(True, K.MODIFIED), (False, K.MODIFY_REJECTED)])
async def test_lost_change_is_settled_by_what_is_read(*, made: bool, expected: K) -> None:
    """A change without an answer is told by how the order reads afterwards."""
    rig = Rig()
    rig.venue.muted = True
    rig.venue.script("edit_order", LOST, done=made)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        rig.modify(order_id, price="48000")
        await rig.until(lambda: rig.kinds(order_id)[-1] is not K.ACCEPTED, within_s=30)
        assert rig.kinds(order_id)[-1] is expected
        await rig.agree()


async def test_an_unknown_order_halts_in_time_also_where_no_read_comes_back() -> None:
    """Reads may wait for their turn, or for an answer, longer than anybody may trade on."""
    rig = Rig()
    rig.venue.script("create_order", LOST)
    rig.venue.script("fetch_order", delay_s=10_000)
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.time.pass_by(61)
        assert len(rig.halts) == 1
        assert rig.halts[0].startswith(f"{BTC}: X: {order_id}: UNKNOWN for 60 s")


async def test_trades_that_cannot_be_read_halt_in_time() -> None:
    """An order is over and filled, by the stream's word; its trades do not come, as the read hangs."""
    rig = Rig()
    async with rig:
        await rig.ready()
        order_id = rig.order(BUY, "2", "49000")
        await rig.until_status(order_id, S.OPEN)
        await rig.time.pass_by(20)
        rig.venue.script("fetch_trades", delay_s=10_000, times=10)
        rig.venue.fill(order_id, D(2), D(49_000))
        await rig.time.pass_by(62)
        assert len(rig.halts) == 1
        assert "the trades add up to 0" in rig.halts[0]
