"""An engine to try things on, and short ways to say them."""

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.model import (
    EngineEvent,
    FeePlan,
    MarketSpec,
    OrderRequest,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
)

BTC = "BTCUSDT"
ANN, BOB = "ann", "bob"
FREE = FeePlan(Decimal(0), Decimal(0))
SPEC = MarketSpec(
    BTC, "BTC", "USDT", tick=Decimal(1), min_price=Decimal(1), lot=Decimal("0.001"), min_notional=Decimal(1)
)

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


def d(value: str | int) -> Decimal:
    """Exact."""
    return Decimal(value)


class Desk:
    """An engine with two accounts, a clock that ticks a millisecond per look, and a record of all events."""

    def __init__(
        self,
        spec: MarketSpec = SPEC,
        fees: FeePlan = FREE,
        self_trade: SelfTrade = SelfTrade.NONE,
        btc: str | int = 1_000,
        usdt: str | int = 10_000_000,
    ) -> None:
        self.ms = 1_700_000_000_000
        self.engine = Engine([spec], self.now, self_trade)
        self.events: list[EngineEvent] = []
        self.engine.listen(self.events.append)
        for name in (ANN, BOB):
            self.engine.add_account(name, {"BTC": d(btc), "USDT": d(usdt), "BNB": d(1)}, fees)

    def now(self) -> int:
        self.ms += 1
        return self.ms

    def book(self, bids: Iterable[tuple[int, str]] = (), asks: Iterable[tuple[int, str]] = ()) -> None:
        """What the house has resting: (price, quantity)."""
        sides = ([(d(price), d(qty)) for price, qty in side] for side in (bids, asks))
        self.engine.house_set_book(BTC, *sides)

    def levels(self) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """All that rests: (bids, asks)."""
        _, bids, asks = self.engine.depth(BTC)
        return tuple([(int(price), str(qty)) for price, qty in side] for side in (bids, asks))  # type: ignore[return-value]

    def send(self, who: str, side: Side, kind: OrderType, qty: str = "0", price: int = 0, **more: Any) -> Any:
        """Places an order; returns (order, trades)."""
        request = OrderRequest(BTC, side, kind, qty=d(qty), price=d(price), **more)
        return self.engine.place(who, request)

    def limit(self, who: str, side: Side, qty: str, price: int, **more: Any) -> Any:
        """Places a limit order; returns the order."""
        return self.send(who, side, OrderType.LIMIT, qty, price, **more)[0]

    def market(self, who: str, side: Side, qty: str = "0", **more: Any) -> Any:
        """Places a market order; returns the order."""
        return self.send(who, side, OrderType.MARKET, qty, **more)[0]

    def totals(self, who: str) -> dict[str, str]:
        """What the account has, free and locked together."""
        return {asset: str(self.engine.ledger.total(who, asset).normalize()) for asset in ("BTC", "USDT")}

    def prints(self) -> list[tuple[int, str]]:
        """The public tape: (price, quantity)."""
        return [(int(trade.price), str(trade.qty)) for trade in self.engine.public_trades(BTC)]


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a condition on another party's state has no event to wait for
            await asyncio.sleep(0)
