"""The rig over real sockets: ccxt's own client, the loopback exchange, its faults."""

import time as wall
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from inspect import iscoroutinefunction
from typing import Any

from tests.broker.ccxt.rig import Rig
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.testing import VirtualTime
from tradingd.testing.exchange import scripts
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.faults import Fault, Rule, ScriptedFaults
from tradingd.testing.exchange.limits import LimitPlan, Limits
from tradingd.testing.exchange.model import Call, FeePlan, Side, TimeInForce
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.venues.account import make_account
from tradingd.venues.model import Lane
from tradingd.venues.public import PublicVenue, make_public
from tradingd.venues.settings import Credentials, VenueSettings

BTC, ETH = "BTC/USDT", "ETH/USDT"
KEY, SECRET, ANN = "loopback-key", "loopback-secret", "ann"

POLICY = EvidencePolicy(stream_grace_s=1e6)
"""Virtual time leaps while a stream's frame is still in the socket: only tests of that judge the streams."""


class Counted:
    """An account that tells how many of its calls are under way."""

    def __init__(self, account: Any, time: VirtualTime) -> None:
        self._account = account
        self._time = time
        self.under_way = 0

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._account, name)
        if not iscoroutinefunction(member) or name.startswith("watch_"):
            return member

        async def counted(*args: Any) -> Any:
            self.under_way += 1
            try:
                return await member(*args)
            finally:
                self.under_way -= 1

        return counted


class Delays:
    """What the exchange keeps calls waiting for: virtual time goes on meanwhile."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.asleep = 0

    async def sleep(self, seconds: float) -> None:
        self.asleep += 1
        try:
            await self._time.sleep(seconds)
        finally:
            self.asleep -= 1


class LoopbackRig(Rig):
    """A rig whose account is on the loopback exchange."""

    public: PublicVenue

    def __init__(self, exchange: LoopbackExchange, faults: ScriptedFaults, account: Any, **options: Any) -> None:
        self.exchange = exchange
        self.faults = faults
        super().__init__(account, **{"now": wall.time_ns, "policy": POLICY, **options})

    @property
    def matching(self) -> Engine:
        return self.exchange.engine

    @property
    def posts(self) -> list[Call]:
        """The requests for new orders, as they arrived."""
        return [call for call in self.exchange.wire if call.places_order]

    def strike(self, fault: Fault | str, *, nth: int = 1, times: int = 1, target: str = "") -> None:
        """Arm a fault."""
        self.faults.add(Rule(scripts.fault(fault) if isinstance(fault, str) else fault, target, nth, times))

    def calls(self, method: str, path: str) -> list[Call]:
        """The requests of a kind, as they arrived."""
        return [call for call in self.exchange.wire if call.method == method and call.path.endswith(path)]

    def hit(self, symbol: str, price: str, quantity: str, side: str = "SELL") -> None:
        """The house takes what rests up to a price."""
        self.matching.house_place(symbol, Side(side), Decimal(quantity), Decimal(price), TimeInForce.IOC)

    @property
    def working(self) -> list[str]:
        """The client ids of the orders that work at the exchange."""
        return [order.client_id for order in self.matching.open_orders(ANN)]

    def compare(self) -> None:
        ids = [call.client_id for call in self.posts]
        assert len(set(ids)) == len(ids), f"an order was sent twice: {ids}"
        for asset, (free, locked) in self.matching.balances(ANN).items():
            assert self.held(asset) == free + locked, (asset, self.held(asset), free + locked)
        traded = sorted((trade.id, trade.qty) for trade in self.matching.my_trades(ANN))
        assert sorted((int(fill.trade_id), fill.quantity) for fill in self.fills) == traded


@asynccontextmanager
async def loopback(
    *, tls: bool = False, ready: bool = True, fees: FeePlan | None = None, **options: Any
) -> AsyncIterator[LoopbackRig]:
    """An exchange with a book of two levels a side, and a broker with an account on it."""
    time = VirtualTime(wall.time_ns())
    delays = Delays(time)
    faults = ScriptedFaults(monotonic=time.monotonic, sleep=delays.sleep)
    async with LoopbackExchange(faults=faults, tls=tls) as exchange:
        # Its clock is the real one, for signatures; what it counts per minute is counted by virtual time.
        exchange.desk.limits = Limits(LimitPlan(), lambda: time.now() // 1_000_000)
        exchange.add_account(KEY, SECRET, {"BTC": 2, "USDT": 100_000, "ETH": 10}, name=ANN, fees=fees)
        for symbol, middle in (("BTCUSDT", 50_000), ("ETHUSDT", 2_000)):
            exchange.engine.house_set_book(
                symbol,
                bids=[(Decimal(middle - 10), Decimal("0.5")), (Decimal(middle - 20), Decimal(5))],
                asks=[(Decimal(middle + 10), Decimal("0.5")), (Decimal(middle + 20), Decimal(5))],
            )
        session = exchange.production_session() if tls else None
        url = "" if tls else exchange.rest_url
        settings = VenueSettings("acc", "binance", "loopback", url, order_timeout_s=1.0, market_timeout_s=3.0)
        public = make_public(
            settings, session=session, now=wall.time_ns, monotonic=time.monotonic, sleep=time.sleep
        )
        account = make_account(settings, Credentials(api_key=KEY, secret=SECRET), public, session=session)
        counted = Counted(account, time)
        budget = public.client.budget

        def busy() -> bool:
            """Whether a call is under way that waits neither for its turn nor for a fault's delay."""
            return counted.under_way > delays.asleep + sum(map(budget.waiting, Lane))

        time.busy = busy
        try:
            await public.open([BTC, ETH])
            await account.open()
            rig = LoopbackRig(exchange, faults, counted, time=time, **options)
            rig.public = public
            async with rig:
                if ready:
                    await rig.ready()
                    await rig.until(lambda: exchange.subscribers(ANN) > 0)
                yield rig
        finally:
            faults.calm()
            await account.close()
            await public.close()
            if session is not None:
                await session.close()
