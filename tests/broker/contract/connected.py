"""`CcxtBroker` as a stand: on an account in memory, and over sockets on the loopback exchange."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

from tests.broker.ccxt.loopback import ANN, LoopbackRig, loopback
from tests.broker.ccxt.rig import Rig
from tests.broker.contract.market import MarketVenue
from tests.broker.contract.stand import HOLDINGS, MIDDLE, SYMBOL, Stand, levels
from tradingd.domain.enums import Side
from tradingd.domain.venue import EVERYTHING
from tradingd.testing import VirtualTime, make_instrument
from tradingd.testing.exchange.model import FeeCoin, FeePlan
from tradingd.testing.exchange.model import Side as TheirSide
from tradingd.venues.model import SeenStatus

MARKET = "BTCUSDT"
_RATE = Decimal("0.001")


class ConnectedStand(Stand):
    """A rig in virtual time."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig, rig.broker)
        self.rig = rig

    async def until(self, reached: Callable[[], bool]) -> None:
        await self.rig.until(reached)

    async def pass_by(self, seconds: float) -> None:
        await self.rig.time.pass_by(seconds)

    async def settled(self) -> None:
        assert not self.broker.settle(), "a venue that is real has nothing to be let arrive"
        waiting = asyncio.ensure_future(self.broker.settled())
        await self.rig.until(waiting.done)
        await waiting

    async def agree(self) -> None:
        await super().agree()
        await self.rig.agree()  # the broker's own barrier, too


class ScriptedStand(ConnectedStand):
    """On the account in memory."""

    def __init__(self, rig: Rig, venue: MarketVenue) -> None:
        super().__init__(rig)
        self.venue = venue

    def hit(self, side: Side, quantity: str, price: str) -> None:
        self.venue.hit(side, Decimal(quantity), Decimal(price))

    def move(self, middle: str) -> None:
        self.venue.show(*levels(Decimal(middle)))
        self.venue.print(Decimal(middle))

    def totals(self) -> Mapping[str, Decimal]:
        return self.venue.totals

    def trades(self) -> list[tuple[str, str, Decimal]]:
        return [(trade.trade_id, trade.exchange_order_id, trade.quantity) for _, trade in self.venue.trades]

    def working(self) -> set[str]:
        return {one.exchange_id for one in self.venue.orders.values() if one.status is SeenStatus.OPEN}

    def arrived(self, order_id: str) -> bool:
        return order_id in self.venue.orders

    def described(self, order_id: str) -> tuple[Decimal, Decimal | None]:
        order = self.venue.orders[order_id].order
        return order.quantity, order.limit_price


class LoopbackStand(ConnectedStand):
    """Over sockets."""

    rig: LoopbackRig

    def hit(self, side: Side, quantity: str, price: str) -> None:
        self.rig.hit(MARKET, price, quantity, side.value)

    def move(self, middle: str) -> None:
        self.rig.matching.house_set_book(MARKET, *levels(Decimal(middle)))
        self.rig.matching.house_print(MARKET, TheirSide.SELL, Decimal(middle), Decimal("0.001"))

    def totals(self) -> Mapping[str, Decimal]:
        return {asset: free + locked for asset, (free, locked) in self.rig.matching.balances(ANN).items()}

    def trades(self) -> list[tuple[str, str, Decimal]]:
        return [(str(one.id), str(one.order_id), one.qty) for one in self.rig.matching.my_trades(ANN)]

    def working(self) -> set[str]:
        return {str(order.id) for order in self.rig.matching.open_orders(ANN)}

    def arrived(self, order_id: str) -> bool:
        coded = self.rig.venue.row.codec.encode(order_id)
        return any(order.client_id == coded for order in self.rig.matching.all_orders(ANN, MARKET))

    def described(self, order_id: str) -> tuple[Decimal, Decimal | None]:
        number = int(self.books.get(order_id).exchange_order_id)
        order = self.rig.matching.query(ANN, MARKET, number)
        return order.qty, order.price or None


@asynccontextmanager
async def in_memory(*, fees: str = "quote") -> AsyncIterator[Stand]:
    """A stand on an account in memory; books are compared at the end."""
    time = VirtualTime()
    instrument = make_instrument(SYMBOL, venue="X", lot=Decimal("0.00001"), min_notional=Decimal(5))
    venue = MarketVenue(
        [instrument], HOLDINGS, symbol=SYMBOL, now=time.now, monotonic=time.monotonic, sleep=time.sleep
    )
    venue.fee_coin = fees
    venue.show(*levels(MIDDLE))
    rig = Rig(venue, time=time, believed=EVERYTHING)
    async with rig:
        await rig.ready()
        stand = ScriptedStand(rig, venue)
        yield stand
        await stand.agree()


@asynccontextmanager
async def over_sockets(*, tls: bool = False, fees: str = "quote") -> AsyncIterator[Stand]:
    """A stand on the loopback exchange; `fees` in the coin that a trade brings, or in BNB."""
    coin = FeeCoin("BNB", _RATE, _RATE, Decimal(500)) if fees == "BNB" else None
    async with loopback(tls=tls, ready=False, fees=FeePlan(coin=coin), believed=EVERYTHING) as rig:
        rig.matching.deposit(ANN, "BNB", HOLDINGS["BNB"])
        rig.matching.house_set_book(MARKET, *levels(MIDDLE))
        rig.matching.house_print(MARKET, TheirSide.SELL, MIDDLE, Decimal("0.001"))
        await rig.ready()
        await rig.until(lambda: rig.exchange.subscribers(ANN) > 0)
        stand = LoopbackStand(rig)
        yield stand
        await stand.agree()
