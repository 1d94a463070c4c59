"""Brokers of venues that have little of their own, for whole runs: the same simulated exchange, told to refuse."""

from decimal import Decimal
from typing import Any

from tests.execution.floor import BARE
from tradingd.broker.account import AccountType
from tradingd.broker.models import maker_taker_fee
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import OrderType
from tradingd.domain.events import SubmitOrder
from tradingd.domain.terms import PLAIN
from tradingd.domain.venue import EVERYTHING, VenueCapabilities


class Rich(SimulatedBroker):
    """A margin account of a million of all that is needed, with a fee."""

    able = EVERYTHING

    def __init__(self, **parts: Any) -> None:
        super().__init__(
            **parts,
            balances={"USD": Decimal(1_000_000), "USDT": Decimal(1_000_000)},
            account_type=AccountType.MARGIN,
            leverage=Decimal(20),
            fee_model=maker_taker_fee(Decimal("0.0005"), Decimal("0.001")),
        )

    @property
    def capabilities(self) -> VenueCapabilities:
        """What the test lets it have."""
        return self.able


class Bare(Rich):
    """Knows market and limit orders that rest until canceled, and refuses to see anything else."""

    able = BARE

    def place_order(self, order: SubmitOrder) -> None:
        """Take what it knows."""
        plain = order.order_type in {OrderType.MARKET, OrderType.LIMIT} and order.terms is PLAIN
        assert plain, f"it was to be emulated: {order}"
        super().place_order(order)

    def modify_order(self, order_id: str, *args: Any, **options: Any) -> None:
        """It has no such call."""
        raise AssertionError(f"{order_id}: it was to be replaced, not changed")
