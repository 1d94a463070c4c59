"""The interface that every broker, simulated or real, offers."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Container, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from tradingd.domain.events import CancelOrder, CorporateAction, EventType, MarketEvent, ModifyOrder, SubmitOrder
from tradingd.domain.ports import Stage
from tradingd.domain.venue import EVERYTHING, VenueCapabilities

__all__ = ["Broker"]


class Broker(ABC):
    """Takes orders to one venue and tells of their fate by events.

    A broker never returns an order's outcome: it emits `BrokerReport` (accepted, rejected, canceled, ...) and
    `TradeReport` events, possibly twice, possibly in any order, and the execution engine makes sense of them.
    """

    stage: ClassVar[Stage] = Stage.BROKER
    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {EventType.SUBMIT, EventType.SUBMIT_CANCEL, EventType.SUBMIT_MODIFY}
    )

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self._subscribed: set[str] | None = None
        self._unsubscribed: set[str] = set()

    @property
    def capabilities(self) -> VenueCapabilities:
        """What its venue can do of itself."""
        return EVERYTHING

    @property
    def subscriptions(self) -> frozenset[str] | None:
        """The symbols whose market data this broker takes; None for all there are (but those unsubscribed)."""
        return None if self._subscribed is None else frozenset(self._subscribed)

    def subscribe(self, *symbols: str) -> None:
        """Take the market data of `symbols`, and of those subscribed before, only.

        During a run the event manager has to be told: `event_manager.reroute()`.
        """
        self._subscribed = {*(self._subscribed or ()), *symbols}
        self._unsubscribed.difference_update(symbols)

    def unsubscribe(self, *symbols: str) -> None:
        """Take the market data of `symbols` no more; all others stay as they are."""
        self._unsubscribed.update(symbols)
        if self._subscribed is not None:
            self._subscribed.difference_update(symbols)

    def takes(self, symbol: str) -> bool:
        """Whether this broker takes the market data of `symbol`."""
        return symbol not in self._unsubscribed and (self._subscribed is None or symbol in self._subscribed)

    def market_interest(self) -> Container[str] | None:
        """A live container of the symbols whose market events it has a use for; None for all."""
        return None

    def settle(self) -> bool:
        """No market event will follow: let what is under way to or from the venue arrive now.

        Returns whether anything was; what arrives may set off more, so call it again, once that is dealt with.
        """
        return False

    # --- what a broker with a connection of its own adds -------------------------------------------------------

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What has to run beside the components, by name, for the supervisor; nothing unless told."""
        return {}

    async def ready(self) -> None:  # noqa: B027 - a simulated one always is
        """Wait until its venue can be traded with; at once unless told."""

    async def settled(self) -> None:  # noqa: B027 - a simulated one answers at once
        """Wait until nothing is under way to the venue whose answer is still to come; at once unless told."""

    async def disarm(self) -> None:  # noqa: B027 - a simulated one does nothing by itself
        """Let the venue do nothing of its own accord once it does not hear of us any more; for an orderly stop."""

    # --- to implement --------------------------------------------------------------------------------------

    @abstractmethod
    def place_order(self, order: SubmitOrder) -> None:
        """Place an order."""

    @abstractmethod
    def cancel_order(self, order_id: str) -> None:
        """Cancel an order by its client order id."""

    @abstractmethod
    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> None:
        """Change a working order; None leaves a field as it is. `quantity` is the new total."""

    @abstractmethod
    def on_market_data(self, data: MarketEvent) -> None:
        """Take a market event of a subscribed symbol."""

    def before_action(self, action: CorporateAction) -> None:  # noqa: B027 - most have nothing under way
        """Tell now what the venue did before a corporate action: it is booked first, in old shares."""

    def on_corporate_action(self, action: CorporateAction) -> None:  # noqa: B027 - real venues do it of themselves
        """Take a split or dividend; a venue that is real needs no telling."""

    def on_submit(self, command: SubmitOrder) -> None:
        """Take execution's order."""
        self.place_order(command)

    def on_submit_cancel(self, command: CancelOrder) -> None:
        """Take execution's cancel."""
        self.cancel_order(command.order_id)

    def on_submit_modify(self, command: ModifyOrder) -> None:
        """Take execution's change; a broker that repeats its number in the answer overrides this."""
        self.modify_order(command.order_id, command.quantity, command.limit_price, command.stop_price)

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        return {
            EventType.SUBMIT: self.on_submit,
            EventType.SUBMIT_CANCEL: self.on_submit_cancel,
            EventType.SUBMIT_MODIFY: self.on_submit_modify,
            EventType.BAR: self.on_market_data,
            EventType.QUOTE: self.on_market_data,
            EventType.TRADE: self.on_market_data,
            EventType.BOOK: self.on_market_data,
            EventType.CORPORATE_ACTION: self.on_corporate_action,
        }

    def event_filter(self, event_type: EventType) -> frozenset[str] | None:
        """Which symbols (market data) or venues (commands) this component wants."""
        return self.subscriptions if event_type <= EventType.BOOK else frozenset({self.venue})
