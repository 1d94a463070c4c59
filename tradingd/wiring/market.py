"""What the composition root needs of venues that are connected; `tradingd.wiring.live` makes it."""

from typing import Protocol

from tradingd.broker.base import Broker
from tradingd.domain.ports import InstrumentLookup
from tradingd.runtime.manager import EventManager

__all__ = ["LiveMarket"]


class LiveMarket(Protocol):
    """The connected venues of a run on live data.

    A protocol of its own, so that a backtest imports nothing that talks to an exchange.
    """

    epoch: int
    """Tells this run of the accounts from all earlier ones: it is in every client order id."""

    @property
    def instruments(self) -> InstrumentLookup:
        """The instruments of all symbols that the accounts trade, by their names in the run."""

    def now(self) -> int:
        """Nanoseconds UTC."""

    def brokers(self, manager: EventManager) -> tuple[Broker, ...]:
        """A broker for each account, that tells its events through `manager`."""
