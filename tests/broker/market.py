"""A simulated exchange with its log: what the tests of the broker share."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import InstrumentKind, OrderType, Side
from tradingd.domain.events import BrokerReport, MarketEvent, ReportKind, SubmitOrder, TradeReport
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import to_decimal
from tradingd.testing import EventLog, ManualClock, at, make_bar, make_instrument

BUY, SELL = Side.BUY, Side.SELL
INSTRUMENTS = {
    "AAPL": make_instrument("AAPL"),
    "MSFT": make_instrument("MSFT"),
    "BTC/USD": make_instrument("BTC/USD"),
    "PERP": make_instrument("PERP", kind=InstrumentKind.SWAP, base="ETH", lot=Decimal("0.1")),
    "INV": make_instrument(
        "INV",
        kind=InstrumentKind.SWAP,
        base="BTC",
        inverse=True,
        multiplier=Decimal(100),
        tick=Decimal("0.5"),
    ),
}


def instrument(**fields: Any) -> Mapping[str, Instrument]:
    """AAPL with other filters."""
    return {"AAPL": make_instrument("AAPL", **fields)}


class Market:
    """A simulated exchange; events move its clock, as an event manager would."""

    def __init__(self, cash: Any = 10_000, **options: Any) -> None:
        self.log = EventLog()
        self.clock = ManualClock(at(0))
        balances = cash if isinstance(cash, dict) else {"USD": cash}
        self.broker = SimulatedBroker(
            emit=self.log,
            clock=self.clock,
            instruments=options.pop("instruments", INSTRUMENTS),
            balances={asset: to_decimal(amount) for asset, amount in balances.items()},
            **options,
        )
        self._orders = 0
        self._minute = 0

    def order(self, side: Side, quantity: Any, *, order_id: str = "", **fields: Any) -> str:
        """Place an order: a limit, a stop or, without a price, a market order. Returns its id."""
        self._orders += 1
        name = order_id or f"o{self._orders}"
        prices = {
            f"{kind}_price": to_decimal(fields.pop(kind))
            for kind in ("limit", "stop")
            if fields.get(kind) is not None
        }
        given = next((OrderType[name.removesuffix("_price").upper()] for name in prices), OrderType.MARKET)
        defaults: dict[str, Any] = {"symbol": "AAPL", "order_type": given, **prices, **fields}
        command = SubmitOrder(
            ts=self.clock.now(), venue="SIM", order_id=name, side=side, quantity=to_decimal(quantity), **defaults
        )
        self.broker.place_order(command)
        return name

    def bar(self, open: float, high: float, low: float, close: float, symbol: str = "AAPL") -> None:  # noqa: A002
        """The next minute's bar."""
        bar = make_bar(close, open=open, high=high, low=low, symbol=symbol, minute=self._minute)
        self._minute += 1
        self.see(bar)

    def flat(self, price: float, symbol: str = "AAPL") -> None:
        """The next minute's bar, all at one price."""
        self.bar(price, price, price, price, symbol)

    def see(self, event: MarketEvent) -> None:
        """Let the exchange see a market event."""
        self.clock.advance_to(max(event.ts, self.clock.now()))
        self.broker.on_market_data(event)

    def holding(self, quantity: Any, price: float = 100.0, symbol: str = "AAPL") -> None:
        """Buy (or, negative, sell) at the next bar, and forget how that was told."""
        amount = to_decimal(quantity)
        self.flat(price, symbol)
        self.order(BUY if amount > 0 else SELL, abs(amount), symbol=symbol)
        self.flat(price, symbol)
        assert self.broker.account.positions[symbol].quantity == amount
        self.log.clear()

    # --- what it told ----------------------------------------------------------------------------------------

    @property
    def trades(self) -> list[TradeReport]:
        """The trades told."""
        return self.log.of(TradeReport)

    @property
    def fills(self) -> list[tuple[str, str]]:
        """The trades told, as (order id, price)."""
        return [(trade.order_id, f"{trade.price.normalize():f}") for trade in self.trades]

    def kinds(self, order_id: str) -> list[str]:
        """What was told of an order, in order."""
        told = [event for event in self.log.events if event.order_id == order_id]
        return [event.kind.name if isinstance(event, BrokerReport) else "TRADE" for event in told]

    def reason(self, kind: ReportKind) -> str:
        """The code of the latest report of a kind: what stands before the colon."""
        return [report for report in self.log.of(BrokerReport) if report.kind is kind][-1].reason.partition(":")[0]

    def free(self, asset: str = "USD") -> Decimal:
        """What is free of an asset."""
        return self.broker.account.free(asset)

    def balance(self, asset: str = "USD") -> Decimal:
        """The balance of an asset."""
        return self.broker.account.balances[asset]
