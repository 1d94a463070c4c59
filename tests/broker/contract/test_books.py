"""The contract of every broker: fees, and that everything adds up, whatever was done in whatever order."""

from decimal import Decimal
from random import Random

import pytest

from tests.broker.contract.conftest import Contract
from tests.broker.contract.stand import HOLDINGS, Stand
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side, TimeInForce
from tradingd.domain.events import OrderUpdate
from tradingd.domain.money import ZERO, add

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(("fees", "side"), [("base", BUY), ("quote", SELL), ("BNB", BUY), ("BNB", SELL)])
async def test_fees_are_told_with_each_trade_in_their_coin(contract: Contract, fees: str, side: Side) -> None:
    """Each trade has its fee in the coin that paid it; trades and fees add up exactly to what the account has."""
    coin = {"base": "BTC", "quote": "USDT"}.get(fees, fees)
    async with contract(fees=fees) as stand:
        order_id = stand.order(side, "0.80001")
        await stand.until_status(order_id, S.FILLED)
        fills = stand.fills(order_id)
        assert len(fills) == 2
        assert [fee.asset for fill in fills for fee in fill.fees] == [coin, coin]
        paid = sum((fee.amount for fill in fills for fee in fill.fees), ZERO)
        assert paid > 0
        change = add(stand.totals()[coin], -HOLDINGS[coin])
        assert change == -paid + (_moved(stand, coin))


def _moved(stand: Stand, coin: str) -> Decimal:
    """What the trades themselves brought of a coin."""
    moved = ZERO
    for fill in stand.fills():
        if coin == "BTC":
            moved += fill.quantity * fill.side.sign
        elif coin == "USDT":
            moved -= fill.quantity * fill.price * fill.side.sign
    return moved


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_done_adds_up(contract: Contract, seed: int) -> None:
    """Random orders, cancels, changes, trades: no report contradicts the table of states, all books agree."""
    dice = Random(seed)  # noqa: S311 - a test's
    async with contract() as stand:
        for _ in range(40):
            await _do_something(stand, dice)
        await stand.pass_by(60)
        assert stand.fills()
        assert any(one.status is S.CANCELED for one in stand.books.log.of(OrderUpdate))


async def _do_something(stand: Stand, dice: Random) -> None:
    side = dice.choice((BUY, SELL))
    own = "49995" if side is BUY else "50005"
    working = list(stand.books.engine.orders)
    action = dice.randrange(8)
    if action == 0:
        stand.order(side, "0.01")
    elif action in {1, 2}:
        stand.order(side, dice.choice(("0.02", "0.03")), own)
    elif action == 3:
        stand.order(side, "0.6", "50010" if side is BUY else "49990", tif=TimeInForce.IOC)
    elif action == 4:
        stand.hit(SELL if side is BUY else BUY, dice.choice(("0.01", "0.02")), own)
    elif action == 5 and working:
        stand.books.cancel(dice.choice(working))
    elif action == 6 and working:
        stand.books.modify(dice.choice(working), quantity="0.04")
    else:
        await stand.pass_by(dice.choice((0.05, 1.0, 5.0)))
