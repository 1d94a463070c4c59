"""The broker at a venue that is not like Binance: each order's life, and what goes wrong on the way."""

import pytest

from tests.second.world import BTC, ETH, SecondRig, second, subscribed
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.domain.events import ReportKind as K
from tradingd.domain.events import VenueCondition as C
from tradingd.domain.terms import OrderTerms
from tradingd.testing.exchange.model import FeePlan, OrderRequest
from tradingd.testing.exchange.model import OrderType as TheirType
from tradingd.testing.exchange.model import Side as TheirSide

BUY, SELL = Side.BUY, Side.SELL
CREATE = "/trade/batch-orders"


async def resting(rig: SecondRig, price: str = "49000", **fields: object) -> str:
    """An order that works."""
    order_id = rig.order(BUY, "0.1", price, symbol=BTC, **fields)
    await rig.until_status(order_id, S.OPEN)
    return order_id


async def test_a_market_order_fills_at_two_levels() -> None:
    """The answer tells nothing but ids; two trades are read, with the fee of each, and the books are the venue's."""
    async with second() as rig:
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        assert [fill.quantity for fill in rig.fills] == [rig.decimal("0.5"), rig.decimal("0.2")]
        await rig.agree()


async def test_partial_fills_then_a_cancel() -> None:
    """A resting order fills in parts and is canceled; what was filled stays."""
    async with second() as rig:
        order_id = await resting(rig, "50000")
        for part in ("0.03", "0.02"):
            rig.site.hit("BTC-USDT", "SELL", part, "50000")
        await rig.until(lambda: len(rig.fills) == 2)
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED)
        assert rig.get(order_id).filled == rig.decimal("0.05")
        await rig.agree()


async def test_rebates() -> None:
    """A negative maker fee is income, by the history as by the stream."""
    fees = FeePlan(maker=-FeePlan().maker, taker=FeePlan().taker)
    async with second(fees=fees) as rig:
        order_id = await resting(rig, "50000")
        rig.site.hit("BTC-USDT", "SELL", "0.1", "50000")
        await rig.until_status(order_id, S.FILLED)
        assert rig.held("BTC") == rig.decimal("2.1001")
        await rig.agree()


async def test_a_post_only_order_that_would_cross() -> None:
    """It is accepted, then canceled on the stream: it ends as canceled, and nothing is booked."""
    async with second() as rig:
        order_id = rig.order(BUY, "0.1", "50010", symbol=BTC, terms=OrderTerms(post_only=True))
        await rig.until_status(order_id, S.CANCELED)
        assert K.ACCEPTED in rig.kinds(order_id)
        await rig.agree()


async def test_a_post_only_order_that_would_cross_and_no_stream() -> None:
    """Where the stream does not tell, reads do."""
    async with second() as rig:
        rig.site.streams.silent = True
        order_id = rig.order(BUY, "0.1", "50010", symbol=BTC, terms=OrderTerms(post_only=True))
        await rig.until_status(order_id, S.CANCELED)
        await rig.agree()


@pytest.mark.parametrize(
    "what",
    [
        "hang",
        "reset",
        "200 <html>",
        "200 {}",
        '200 {"code": "0", "msg": "", "data": []}',
        '200 {"code": "0"',
        '200 {"code": "50004", "msg": "timeout", "data": []}',
        "502 <html>",
    ],
)
async def test_an_answer_that_is_lost(what: str) -> None:
    """The order was taken and the answer tells nothing: UNKNOWN, then found; it is sent once."""
    async with second() as rig:
        rig.site.streams.silent = True  # else it may be told before the answer is given up
        rig.site.strike(CREATE, what)
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        assert rig.kinds(order_id)[0] is K.UNKNOWN
        await rig.agree()


@pytest.mark.parametrize("what", ["hang", "reset", "502 <html>"])
async def test_an_order_that_never_arrived(what: str) -> None:
    """Absent by evidence, not sent again."""
    async with second() as rig:
        rig.site.strike(CREATE, what, after=False)
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.VOID)
        assert rig.kinds(order_id) == [K.UNKNOWN, K.ABSENT]
        await rig.agree()


async def test_a_refusal_inside_of_a_success() -> None:
    """REJECTED with the venue's code and words."""
    async with second() as rig:
        order_id = rig.order(BUY, "10", "49000", symbol=BTC)
        await rig.until_status(order_id, S.REJECTED)
        assert rig.get(order_id).reason.startswith("51008: ")
        await rig.agree()


@pytest.mark.parametrize("path", ["/trade/fills-history", "/trade/orders-pending", "/trade/order", "/account/balance"])
async def test_garbage_from_reads(path: str) -> None:
    """Reads that tell nothing change nothing; the next ones do."""
    async with second() as rig:
        resting_id = await resting(rig)
        for body in ("200 <html>", "200 {}", '200 {"code": "0", "data": {}}'):
            rig.site.strike(path, body, times=2)
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        await rig.agree()
        assert rig.status(resting_id) is S.OPEN


async def test_fills_that_the_stream_missed() -> None:
    """What filled while the sockets were down is read from the history."""
    async with second() as rig:
        order_id = await resting(rig, "50000")
        rig.site.hub.abort_all()
        rig.site.hit("BTC-USDT", "SELL", "0.1", "50000")
        await rig.until_status(order_id, S.FILLED)
        await subscribed(rig)
        await rig.until(lambda: rig.broker.condition is C.READY)
        await rig.agree()


async def test_a_cancel_whose_answer_is_lost() -> None:
    """It is repeated, and the order ends."""
    async with second() as rig:
        order_id = await resting(rig)
        rig.site.strike("/trade/cancel-order", "hang")
        rig.cancel(order_id)
        await rig.until_status(order_id, S.CANCELED)
        await rig.agree()


async def test_a_change_in_place() -> None:
    """The order keeps its id and works at the new price."""
    async with second() as rig:
        order_id = await resting(rig)
        rig.modify(order_id, price="48000")
        await rig.until(lambda: rig.get(order_id).limit_price == rig.decimal(48_000))
        await rig.agree()


async def test_the_owners_own_order() -> None:
    """An order that somebody placed by hand is booked as external, and the books agree."""
    async with second() as rig:
        request = OrderRequest("BTC-USDT", TheirSide.BUY, TheirType.MARKET, qty=rig.decimal("0.2"))
        rig.site.engine.place("ann", request)
        await rig.until(lambda: len(rig.fills) == 1)
        await rig.agree()


@pytest.mark.parametrize("page", [5, 2])
async def test_many_orders_with_small_pages(page: int) -> None:
    """Two symbols, both sides, histories in small pages newest first: nothing lost or doubled."""
    async with second() as rig:
        rig.site.page = page
        orders = []
        for number in range(10):
            symbol = (BTC, ETH)[number % 2]
            orders.append(rig.order(BUY if number % 3 else SELL, "0.1", symbol=symbol))
        await rig.until(lambda: all(rig.status(each) is S.FILLED for each in orders))
        await rig.agree()


async def test_ids_that_are_numbers() -> None:
    """Order ids of 18 digits that come as JSON numbers."""
    async with second() as rig:
        rig.site.ids_are_numbers = True
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        await rig.agree()
