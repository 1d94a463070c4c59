"""The contract of every broker: what becomes of orders. The fixture compares all books when a test is over."""

from decimal import Decimal
from typing import Any

import pytest

from tests.broker.contract.conftest import Contract
from tests.broker.contract.stand import Stand
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import OrderType, Side, TimeInForce
from tradingd.domain.events import OrderUpdate, ReportKind
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.testing import at

BUY, SELL = Side.BUY, Side.SELL
D = Decimal
POST_ONLY = OrderTerms(post_only=True)
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


# --- fills -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
async def test_market_order_fills_and_is_told_once(contract: Contract, side: Side) -> None:
    """A market order is accepted once, fills, and is told as filled once."""
    async with contract() as stand:
        order_id = stand.order(side, "0.3")
        await stand.until_status(order_id, S.FILLED)
        await stand.pass_by(90)
        assert stand.books.kinds(order_id) == [ReportKind.ACCEPTED]
        assert [state for state in stand.told(order_id) if state.is_terminal] == [S.FILLED]
        assert sum(fill.quantity for fill in stand.fills(order_id)) == D("0.3")


async def test_market_order_walks_the_book(contract: Contract) -> None:
    """A market order greater than the best level fills by more than one trade, each at its price."""
    async with contract() as stand:
        order_id = stand.order(BUY, "0.8")
        await stand.until_status(order_id, S.FILLED)
        got = [(fill.price, fill.quantity) for fill in stand.fills(order_id)]
        assert got == [(D(50_010), D("0.5")), (D(50_020), D("0.3"))]


async def test_limit_order_rests_and_fills_in_parts(contract: Contract) -> None:
    """A limit order rests, fills partly, stays open with the rest, and then fills wholly, at its own price."""
    async with contract() as stand:
        order_id = await stand.open(BUY, "1", "49995")
        assert not stand.fills()
        stand.hit(SELL, "0.4", "49995")
        await stand.until(lambda: stand.books.get(order_id).filled == D("0.4"))
        assert stand.books.status(order_id) is S.OPEN
        stand.hit(SELL, "0.6", "49995")
        await stand.until_status(order_id, S.FILLED)
        assert [(fill.price, fill.quantity) for fill in stand.fills()] == [
            (D(49_995), D("0.4")),
            (D(49_995), D("0.6")),
        ]


async def test_marketable_limit_order_never_pays_more_than_its_limit(contract: Contract) -> None:
    """A limit order that crosses takes what its limit allows; the rest rests at the limit."""
    async with contract() as stand:
        order_id = stand.order(BUY, "0.8", "50010")
        await stand.until(lambda: stand.books.get(order_id).filled == D("0.5"))
        assert {fill.price for fill in stand.fills()} == {D(50_010)}


async def test_trades_are_of_the_order_that_has_the_client_order_id(contract: Contract) -> None:
    """Of two orders at one price the older one trades first, and each trade is told of the order that it is of."""
    async with contract() as stand:
        first = await stand.open(SELL, "0.2", "50005")
        second = await stand.open(SELL, "0.2", "50005")
        other = await stand.open(BUY, "0.2", "49995")
        stand.hit(BUY, "0.3", "50005")
        await stand.until(lambda: sum(fill.quantity for fill in stand.fills()) == D("0.3"))
        traded = {one: sum(fill.quantity for fill in stand.fills(one)) for one in (first, second, other)}
        assert traded == {first: D("0.2"), second: D("0.1"), other: 0}


# --- cancels ---------------------------------------------------------------------------------------------------


async def test_canceled_order_keeps_what_had_filled(contract: Contract) -> None:
    """A resting order that is canceled ends as CANCELED, with what had filled, and trades no more."""
    async with contract() as stand:
        order_id = await stand.open(BUY, "1", "49995")
        stand.hit(SELL, "0.4", "49995")
        stand.books.cancel(order_id)
        order = await stand.until_over(order_id)
        assert (order.status, order.filled) == (S.CANCELED, D("0.4"))
        stand.hit(SELL, "0.6", "49995")
        await stand.pass_by(30)
        assert stand.books.get(order_id).filled == D("0.4")


async def test_cancel_that_comes_too_late_is_not_told_as_canceled(contract: Contract) -> None:
    """A cancel that meets an order that has just filled changes nothing: FILLED is told, and CANCELED never."""
    async with contract() as stand:
        order_id = await stand.open(BUY, "1", "49995")
        stand.hit(SELL, "1", "49995")
        stand.books.cancel(order_id)
        order = await stand.until_over(order_id)
        await stand.pass_by(30)
        assert (order.status, order.filled) == (S.FILLED, 1)
        assert S.CANCELED not in stand.told(order_id)


async def test_cancel_of_an_order_that_is_known_to_have_filled(contract: Contract) -> None:
    """A cancel of what is over is answered with CANCEL_REJECTED and a reason; the order stays FILLED."""
    async with contract() as stand:
        order_id = stand.order(BUY, "0.3")
        await stand.until_status(order_id, S.FILLED)
        stand.cancel(order_id)
        await stand.until(lambda: bool(stand.books.reports(ReportKind.CANCEL_REJECTED)))
        assert stand.books.reports(ReportKind.CANCEL_REJECTED)[0].reason
        assert stand.books.status(order_id) is S.FILLED


async def test_cancel_of_nobodys_order(contract: Contract) -> None:
    """A cancel of an order that was never sent is answered with CANCEL_REJECTED; nothing else happens."""
    async with contract() as stand:
        stand.cancel("nobodys")
        await stand.until(lambda: bool(stand.books.reports(ReportKind.CANCEL_REJECTED)))
        report = stand.books.reports(ReportKind.CANCEL_REJECTED)[0]
        assert (report.order_id, bool(report.reason)) == ("nobodys", True)


async def test_cancel_right_behind_the_order(contract: Contract) -> None:
    """An order that is canceled in the moment it is sent ends as CANCELED, whether it left or not."""
    async with contract() as stand:
        order_id = stand.order(BUY, "1", "49995")
        stand.books.cancel(order_id)
        assert (await stand.until_over(order_id)).status is S.CANCELED
        assert not stand.working()


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "price"), [("0.00000001", "49000"), ("0.0001", "49000"), ("1", "49000.001"), ("0.00009", None)]
)
async def test_order_that_breaks_a_filter_is_refused(contract: Contract, quantity: str, price: str | None) -> None:
    """An order below the lot or the least value, or off the tick, is refused with a reason, and not there."""
    async with contract() as stand:
        await stand.refused(stand.order(BUY, quantity, price))


async def test_order_without_the_money_is_rejected(contract: Contract) -> None:
    """What the account cannot pay the venue rejects, with its reason; working orders stay."""
    async with contract() as stand:
        works = await stand.open(BUY, "1", "49000")
        order = await stand.refused(stand.order(BUY, "1.5", "49000"))
        assert order.status is S.REJECTED
        assert stand.books.status(works) is S.OPEN


@pytest.mark.parametrize("price", ["50010", "50500"])
async def test_post_only_order_that_would_take_is_refused(contract: Contract, price: str) -> None:
    """A post-only order that would trade at once ends without a trade."""
    async with contract() as stand:
        await stand.refused(stand.order(BUY, "0.3", price, terms=POST_ONLY))


async def test_post_only_order_that_rests(contract: Contract) -> None:
    """A post-only order behind the best price works and fills as a maker; a venue without them refuses it."""
    async with contract() as stand:
        order_id = stand.order(BUY, "0.3", "49995", terms=POST_ONLY)
        if not stand.offers(post_only=True):
            await stand.refused(order_id)
            return
        await stand.until_status(order_id, S.OPEN)
        await stand.settled()
        stand.hit(SELL, "0.3", "49995")
        await stand.until_status(order_id, S.FILLED)
        assert [fill.liquidity.name for fill in stand.fills()] == ["MAKER"]


# --- times in force --------------------------------------------------------------------------------------------


async def test_rest_of_an_immediate_order_ends(contract: Contract) -> None:
    """IOC fills what is there, and the rest is over; a venue without IOC refuses it."""
    async with contract() as stand:
        order_id = stand.order(BUY, "0.8", "50010", tif=IOC)
        if not stand.offers(tif=IOC):
            await stand.refused(order_id)
            return
        order = await stand.until_over(order_id)
        assert order.status in {S.EXPIRED, S.CANCELED}
        assert order.filled == D("0.5")


@pytest.mark.parametrize(("quantity", "fills"), [("0.8", "0"), ("0.5", "0.5")])
async def test_all_or_nothing(contract: Contract, quantity: str, fills: str) -> None:
    """FOK fills in full or not at all; a venue without FOK refuses it."""
    async with contract() as stand:
        order_id = stand.order(BUY, quantity, "50010", tif=FOK)
        if not stand.offers(tif=FOK):
            await stand.refused(order_id)
            return
        order = await stand.until_over(order_id)
        assert order.filled == D(fills)
        assert order.status in ({S.FILLED} if order.filled else {S.EXPIRED, S.CANCELED})


# --- conditional orders ------------------------------------------------------------------------------------------

CONDITIONAL = {
    OrderType.STOP: (None, "49500", "49000"),
    OrderType.STOP_LIMIT: ("48000", "49500", "49000"),
    OrderType.TAKE_PROFIT: (None, "50500", "51000"),
    OrderType.TAKE_PROFIT_LIMIT: ("50400", "50500", "51000"),
}
"""Sells: limit, stop price, and where the market goes for it to trigger."""


@pytest.mark.parametrize("kind", CONDITIONAL)
async def test_conditional_order_triggers(contract: Contract, kind: OrderType) -> None:
    """A conditional order sleeps until its price is met, then takes; a venue without such refuses it."""
    limit, stop, there = CONDITIONAL[kind]
    async with contract() as stand:
        order_id = stand.order(SELL, "0.3", limit, kind=kind, stop_price=D(stop))
        if not stand.offers(kind):
            await stand.refused(order_id)
            return
        await stand.until_status(order_id, S.OPEN)
        await stand.pass_by(10)
        assert not stand.fills()
        stand.move(there)
        await stand.until_status(order_id, S.FILLED)
        assert sum(fill.quantity for fill in stand.fills()) == D("0.3")
        assert all(fill.price == D(there) - 10 for fill in stand.fills())


async def test_conditional_order_can_be_canceled_asleep(contract: Contract) -> None:
    """A stop that is canceled while it sleeps never trades."""
    async with contract() as stand:
        order_id = stand.order(SELL, "0.3", kind=OrderType.STOP, stop_price=D(49_500))
        if not stand.offers(OrderType.STOP):
            await stand.refused(order_id)
            return
        await stand.until_status(order_id, S.OPEN)
        stand.books.cancel(order_id)
        assert (await stand.until_over(order_id)).status is S.CANCELED
        stand.move("49000")
        await stand.pass_by(30)
        assert not stand.fills()


# --- changes ---------------------------------------------------------------------------------------------------


async def test_change_of_a_working_order(contract: Contract) -> None:
    """Where the venue changes orders, the change is told when it is made; where not, the order stays as it was."""
    async with contract() as stand:
        order_id = await stand.open(BUY, "0.5", "49000")
        stand.books.modify(order_id, quantity="0.7", price="49100")
        kinds = {ReportKind.MODIFIED, ReportKind.MODIFY_REJECTED}
        await stand.until(lambda: bool(kinds.intersection(stand.books.kinds(order_id))))
        expected = ("0.7", "49100") if stand.capabilities.modify else ("0.5", "49000")
        order = stand.books.get(order_id)
        assert (order.quantity, order.limit_price) == (D(expected[0]), D(expected[1]))
        assert stand.described(order_id) == (D(expected[0]), D(expected[1]))
        assert (ReportKind.MODIFIED in stand.books.kinds(order_id)) is stand.capabilities.modify


async def test_change_of_an_order_that_is_over(contract: Contract) -> None:
    """A change of what is over changes nothing."""
    async with contract() as stand:
        order_id = stand.order(BUY, "0.3")
        await stand.until_status(order_id, S.FILLED)
        stand.broker.modify_order(order_id, D(1))
        await stand.until(lambda: bool(stand.books.reports(ReportKind.MODIFY_REJECTED)))
        assert stand.books.get(order_id).quantity == D("0.3")


# --- capabilities ----------------------------------------------------------------------------------------------

SPECIAL: dict[str, dict[str, Any]] = {
    "trailing": {
        "kind": OrderType.TRAILING_STOP,
        "stop_price": D(49_000),
        "terms": OrderTerms(trail=Trail(D(100))),
    },
    "day": {"price": "51000", "tif": TimeInForce.DAY},
    "gtd": {"price": "51000", "tif": TimeInForce.GTD, "terms": OrderTerms(expire_ts=at(10**7))},
    "oco": {"price": "51000", "terms": OrderTerms(oco="g")},
}


@pytest.mark.parametrize("name", SPECIAL)
async def test_what_is_not_offered_is_refused(contract: Contract, name: str) -> None:
    """What the capabilities have works at the venue; what they lack is refused, never sent as another order."""
    async with contract() as stand:
        order_id = stand.order(SELL, "0.3", **SPECIAL[name])
        if _offered(stand, name):
            await stand.until_status(order_id, S.OPEN)
            assert stand.arrived(order_id)
        else:
            await stand.refused(order_id)


def _offered(stand: Stand, name: str) -> bool:
    asked = SPECIAL[name]
    if name == "oco":
        return stand.capabilities.oco
    return stand.offers(asked.get("kind", OrderType.LIMIT), asked.get("tif", TimeInForce.GTC))


async def test_every_broker_takes_market_and_limit_orders(contract: Contract) -> None:
    """What nothing can stand in for, every broker offers."""
    async with contract() as stand:
        assert stand.offers(OrderType.MARKET)
        assert stand.offers(OrderType.LIMIT)


# --- being done --------------------------------------------------------------------------------------------------


async def test_settled_returns_when_nothing_is_under_way(contract: Contract) -> None:
    """After `settled` no order waits for an answer: those that were canceled are gone, those sent are there."""
    async with contract() as stand:
        resting = await stand.open(BUY, "0.5", "49000")
        stays = stand.order(BUY, "0.5", "48000")
        stand.books.cancel(resting)
        await stand.settled()
        assert stand.books.status(resting) is S.CANCELED
        assert stand.books.status(stays) is S.OPEN
        assert not [one for one in stand.books.log.of(OrderUpdate) if one.status is S.UNKNOWN]
