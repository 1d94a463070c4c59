"""A broker of a venue that has little of its own, for whole runs: the simulated exchange behind a strict door."""

from decimal import Decimal
from typing import Any

from tests.execution.floor import BARE
from tradingd.broker.account import AccountType
from tradingd.broker.base import Broker
from tradingd.broker.models import maker_taker_fee
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import OrderType
from tradingd.domain.events import MarketEvent, SubmitOrder
from tradingd.domain.terms import PLAIN
from tradingd.domain.venue import VenueCapabilities


class Bare(Broker):
    """Knows market and limit orders that rest until canceled, and fails the run at anything else.

    A margin account of a million of all that is needed, with a fee.
    """

    def __init__(self, **parts: Any) -> None:
        super().__init__(parts["venue"])
        self.exchange = SimulatedBroker(
            **parts,
            balances={"USD": Decimal(1_000_000), "USDT": Decimal(1_000_000)},
            account_type=AccountType.MARGIN,
            leverage=Decimal(20),
            fee_model=maker_taker_fee(Decimal("0.0005"), Decimal("0.001")),
        )

    @property
    def capabilities(self) -> VenueCapabilities:
        """Next to nothing."""
        return BARE

    def place_order(self, order: SubmitOrder) -> None:
        """Take what it knows."""
        plain = order.order_type in {OrderType.MARKET, OrderType.LIMIT} and order.terms is PLAIN
        assert plain, f"it was to be emulated: {order}"
        self.exchange.place_order(order)

    def cancel_order(self, order_id: str) -> None:
        """Cancel."""
        self.exchange.cancel_order(order_id)

    def modify_order(self, order_id: str, *args: Any, **options: Any) -> None:
        """It has no such call."""
        raise AssertionError(f"{order_id}: it was to be replaced, not changed")

    def on_market_data(self, data: MarketEvent) -> None:
        """Match."""
        self.exchange.on_market_data(data)
