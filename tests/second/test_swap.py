"""A perpetual swap whose quantities are contracts of a hundredth of a bitcoin."""

import pytest

from tests.second.okx import SPOT, SWAP
from tests.second.world import BTC, PERPETUAL, SecondRig, second
from tradingd.domain.enums import InstrumentKind, Side
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.events import AccountPosition

BUY, SELL = Side.BUY, Side.SELL
MARKETS = (SPOT[0], SWAP)
OF = {"markets": MARKETS, "symbols": (BTC, PERPETUAL), "market_types": ("spot", "swap")}


async def traded(rig: SecondRig, side: Side, quantity: str, **fields: object) -> None:
    """A market order that fills."""
    order_id = rig.order(side, quantity, symbol=PERPETUAL, **fields)
    await rig.until_status(order_id, S.FILLED)


async def test_the_instrument() -> None:
    """Its multiplier is the size of a contract, lot and limits are in contracts."""
    async with second(**OF) as rig:
        swap = rig.venue.instruments[PERPETUAL]
        assert (swap.kind, swap.settle, swap.inverse) == (InstrumentKind.SWAP, "USDT", False)
        assert (swap.multiplier, swap.lot, swap.min_quantity) == tuple(map(rig.decimal, ("0.01", "0.1", "0.1")))
        assert swap.notional(rig.decimal(2), rig.decimal(50_000)) == 1_000


@pytest.mark.parametrize("legs", [[(BUY, "5"), (SELL, "5")], [(BUY, "5"), (SELL, "8"), (BUY, "3")], [(SELL, "2.5")]])
async def test_positions_and_profits(legs: list[tuple[Side, str]]) -> None:
    """Contracts on the wire, profits and fees in the settle coin, positions as the venue tells them; no halt."""
    async with second(**OF) as rig:
        for number, (side, quantity) in enumerate(legs):
            await traded(rig, side, quantity)
            middle = 50_000 + 100 * (number + 1)
            rig.site.set_book("BTC-USDT-SWAP", middle - 10, middle + 10)
        await rig.agree()
        held = rig.snapshots[-1].positions
        signed = sum(rig.decimal(quantity) * side.sign for side, quantity in legs)
        assert [each.quantity for each in held] == ([signed] if signed else [])


async def test_an_open_profit_is_no_cash() -> None:
    """The venue's equity has what a position has gained; the books have cash, and that is what is compared."""
    async with second(**OF) as rig:
        await traded(rig, BUY, "5")
        rig.site.set_book("BTC-USDT-SWAP", 50_990, 51_010)
        rig.site.hit("BTC-USDT-SWAP", "BUY", "1", "51010")
        await rig.agree()
        assert [(each.symbol, each.quantity) for each in rig.snapshots[-1].positions] == [
            (PERPETUAL, rig.decimal(5))
        ]
        balance = next(each for each in rig.snapshots[-1].balances if each.asset == "USDT")
        assert balance.total == rig.held("USDT")


async def test_an_answer_that_is_lost() -> None:
    """It is found, once."""
    async with second(**OF) as rig:
        rig.site.streams.silent = True
        rig.site.strike("/trade/batch-orders", "reset")
        await traded(rig, SELL, "5")
        await rig.agree()


async def test_an_order_that_never_arrived() -> None:
    """The position that did not move is part of the evidence."""
    async with second(**OF) as rig:
        rig.site.strike("/trade/batch-orders", "reset", after=False)
        order_id = rig.order(BUY, "5", symbol=PERPETUAL)
        await rig.until_status(order_id, S.VOID)
        await rig.agree()


async def test_spot_and_swap_of_one_account() -> None:
    """Both are traded by one broker, under one balance."""
    async with second(**OF) as rig:
        await traded(rig, BUY, "5")
        order_id = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(order_id, S.FILLED)
        await rig.agree()
        assert isinstance(rig.snapshots[-1].positions[0], AccountPosition)
