"""Faults of requests (section A of the catalogue), over real sockets, each by its number."""

from tests.broker.ccxt.loopback import BTC, loopback
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.domain.events import ReportKind as K

BUY, SELL = Side.BUY, Side.SELL


async def test_nothing_wrong() -> None:
    """Without a fault: bought at market and sold by a limit, books equal to the exchange's ledger."""
    async with loopback() as rig:
        bought = rig.order(BUY, "0.7", symbol=BTC)
        await rig.until_status(bought, S.FILLED)
        rests = rig.order(SELL, "0.5", "51000", symbol=BTC)
        await rig.until_status(rests, S.OPEN)
        rig.hit("BTCUSDT", "51000", "0.5", "BUY")
        rig.hit("BTCUSDT", "51000", "10", "BUY")
        await rig.until_status(rests, S.FILLED)
        await rig.agree()
