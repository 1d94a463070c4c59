"""A venue that tells less: no orders by our ids, no streams of ours, no list of what was canceled."""

import pytest

from tests.second.okx import SecondVenue
from tests.second.world import BTC, account_at, second, venue_of
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.testing.exchange.model import Side as TheirSide
from tradingd.testing.exchange.model import TimeInForce
from tradingd.venues.checks import check_account, check_public
from tradingd.venues.codec import PlainCodec
from tradingd.venues.table import DEFAULT, NOWHERE

BUY = Side.BUY
_SELL, _IOC = TheirSide.SELL, TimeInForce.IOC
CREATE = "/trade/batch-orders"
STREAMS = ("watchMyTrades", "watchBalance")
NO_IDS = {
    "row": {
        "traits": DEFAULT("okx").traits,
        "cancel": NOWHERE,
        "fetch": NOWHERE,
        "echoes_client_id": False,
        "own_id_fields": (),
    }
}
KINDS = {
    "no streams of trades and balances": {"lacks": STREAMS},
    "no orders by our ids": NO_IDS,
    "no list of canceled orders": {"lacks": ("fetchCanceledOrders",)},
    "no lists of orders that are over": {"lacks": ("fetchCanceledOrders", "fetchClosedOrders")},
    "none of these": {
        **NO_IDS,
        "lacks": (*STREAMS, "fetchCanceledOrders", "fetchClosedOrders", "fetchTime", "cancelAllOrders"),
    },
    "no stream of orders": {"lacks": (*STREAMS, "watchOrders")},
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
async def test_a_day(kind: str) -> None:
    """A market order, one that is canceled after a part of it, one that is refused: the books are the venue's."""
    async with second(**KINDS[kind]) as rig:
        bought = rig.order(BUY, "0.7", symbol=BTC)
        resting = rig.order(BUY, "0.1", "49000", symbol=BTC)
        refused = rig.order(BUY, "10", "49000", symbol=BTC)
        await rig.until_status(bought, S.FILLED)
        await rig.until_status(resting, S.OPEN)
        await rig.until_status(refused, S.REJECTED)
        rig.site.engine.house_place("BTC-USDT", _SELL, rig.decimal("50.54"), rig.decimal(49_000), _IOC)
        await rig.until(lambda: rig.get(resting).filled > 0)
        rig.cancel(resting)
        await rig.until_status(resting, S.CANCELED)
        await rig.agree()


@each_kind
async def test_an_answer_that_is_lost(kind: str) -> None:
    """A filled and a resting order are found by what there is to read, and sent once."""
    async with second(**KINDS[kind]) as rig:
        rig.site.streams.silent = True
        rig.site.strike(CREATE, "reset", times=2)
        filled = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(filled, S.FILLED)
        resting = rig.order(BUY, "0.1", "49000", symbol=BTC)
        await rig.until_status(resting, S.OPEN)
        await rig.agree()


@each_kind
async def test_an_order_that_never_arrived(kind: str) -> None:
    """Absent by evidence of two places; where there is no more than one, it is asked for that somebody looks."""
    async with second(**KINDS[kind]) as rig:
        rig.site.strike(CREATE, "reset", after=False)
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until(lambda: rig.status(order_id) is S.VOID or bool(rig.halts))
        assert rig.status(order_id) is S.VOID, rig.halts
        await rig.agree()


async def test_a_venue_without_a_history_of_trades_is_refused() -> None:
    """Live trading does not begin there, and why is told in a line."""
    async with venue_of() as venue, account_at(venue) as account:
        account.orders.ccxt.has["fetchMyTrades"] = False
        found = {each.name: each for each in await check_account(account)}
        assert not found["calls"].ok
        assert "okx has no fetchMyTrades: fills could be lost; it cannot be live" in found["calls"].reason


async def test_a_venue_that_tells_no_time() -> None:
    """Our own clock is believed, and that is told."""
    async with venue_of() as venue, account_at(venue) as account:
        asked = _asked_time(venue)
        account.public.client.ccxt.has["fetchTime"] = False
        assert await account.clock_offset_ns() == 0
        found = {each.name: each for each in await check_public(account.public, [BTC])}
        assert (found["clock"].ok, found["clock"].is_warning) == (True, True)
        assert _asked_time(venue) == asked


def _asked_time(venue: SecondVenue) -> int:
    return [path for _, path, _ in venue.wire].count("/public/time")


async def test_another_form_of_ids() -> None:
    """The table's codec is all that knows of it: an id that the venue does not take is a definite refusal."""
    async with second(row={"codec": PlainCodec(32)}) as rig:
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.REJECTED, S.VOID)
        await rig.agree()
