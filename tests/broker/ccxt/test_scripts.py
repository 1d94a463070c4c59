"""Seeded scripts of faults over thirty orders: whatever they hit, the books are the exchange's at the end."""

import random

import pytest

from tests.broker.ccxt.loopback import BTC, ETH, loopback
from tradingd.domain.enums import Side
from tradingd.testing.exchange import scripts

# Faults that only a halt can answer, or that last for real seconds, have tests of their own.
_LEFT_OUT = {
    *scripts.FINAL,
    "clock-skew",
    "delay",
    "deposit",
    "fee-coin-gone",
    "filter-change",
    "handshake-429",
    "hidden",
    "link-lost",
    "maintenance",
    "market-break",
    "rejected-key-2015",
    "too-many-requests",
    "withdrawal",
}
KINDS = [one.name for one in scripts.catalogue() if one.name not in _LEFT_OUT and "@" not in one.target]


@pytest.mark.parametrize("seed", [4, 7, 35, 57])
async def test_books_equal_the_exchanges_ledger_after_any_script(seed: int) -> None:
    """Orders and cancels under faults; afterwards nothing works on unseen, nothing is doubled, nothing is lost."""
    draw = random.Random(seed)  # noqa: S311 - a test's
    async with loopback() as rig:
        rig.faults.add(*scripts.random_script(seed, KINDS, orders=30).rules)
        sent = []
        for _ in range(30):
            symbol, middle, most = draw.choice([(BTC, 50_000, 500), (ETH, 2_000, 5_000)])
            quantity = str(rig.decimal(draw.randint(most // 5, most)).scaleb(-4))
            price = None if draw.random() < 0.4 else str(middle + draw.randint(-30, 30))
            sent.append(rig.order(draw.choice([Side.BUY, Side.SELL]), quantity, price, symbol=symbol))
            if draw.random() < 0.5:
                await rig.time.pass_by(draw.uniform(0, 3))
            rig.cancel(draw.choice(sent))
        rig.faults.calm()
        await rig.until(lambda: not rig.broker._fates.busy)
        for order_id in sent:
            rig.cancel(order_id)
        await rig.until(lambda: not rig.engine.orders)
        assert rig.working == []
        await rig.agree()
