"""Our side of a rehearsal: what the daemon believes, as its events and its books tell it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol

from tradingd.commands.rehearsal_report import Deal, Evidence, SentOrder
from tradingd.domain.enums import HaltScope, HaltState, Side
from tradingd.domain.events import (
    AccountSnapshot,
    Event,
    EventType,
    Fill,
    HaltChanged,
    OrderUpdate,
    VenueCondition,
    VenueStatus,
)

__all__ = ["OurSide", "TheirSide"]


class TheirSide(Protocol):
    """The exchange, as `tradingd.testing.rehearsal.Stage` reads it."""

    def sent(self) -> tuple[SentOrder, ...]:
        """Every request for a new order, as it arrived."""

    def deals(self) -> tuple[Deal, ...]:
        """The trades of all accounts, in order."""

    def balances(self) -> dict[str, Decimal]:
        """What the accounts hold together, by asset."""


class OurSide:
    """Listens to a run. `symbols` are the account and the exchange's symbol by the name in the run."""

    event_types = (
        EventType.FILL,
        EventType.ORDER_UPDATE,
        EventType.HALT,
        EventType.VENUE_STATUS,
        EventType.ACCOUNT_SNAPSHOT,
    )

    def __init__(self, symbols: Mapping[str, tuple[str, str]]) -> None:
        self._symbols = symbols
        self.deals: list[Deal] = []
        self.orders: set[str] = set()
        self.snapshots: set[str] = set()
        """The accounts that were compared with the books; to be cleared by who wants to know of the next ones."""
        self._halts: dict[str, str] = {}
        self._refused: dict[str, str] = {}

    @property
    def is_halted(self) -> bool:
        """Whether trading is halted anywhere."""
        return bool(self._halts or self._refused)

    @property
    def is_over(self) -> bool:
        """Whether all trading is halted: no order will be sent any more."""
        return "" in self._halts or self._halts.keys() >= {symbol for _, symbol in self._symbols.values()}

    @property
    def refused(self) -> set[str]:
        """The accounts whose key is refused: nothing is read of them any more."""
        return set(self._refused)

    def observe(self, event: Event) -> None:
        """Take note of what is told."""
        match event:
            case Fill():
                self.deals.append(self._deal(event))
                self.orders.add(event.order_id)
            case OrderUpdate():
                self.orders.add(event.order_id)
            case HaltChanged():
                self._on_halt(event)
            case VenueStatus():
                self._on_status(event)
            case AccountSnapshot():
                self.snapshots.add(event.venue)

    def evidence(self, theirs: TheirSide, balances: Iterable[tuple[str, Decimal]]) -> Evidence:
        """Both sides; `balances` are those of our ledger."""
        return Evidence(
            sent=theirs.sent(),
            theirs=theirs.deals(),
            ours=tuple(self.deals),
            their_balances=theirs.balances(),
            our_balances=dict(balances),
            known_orders=frozenset(self.orders),
            halts={**self._halts, **self._refused},
        )

    def _deal(self, fill: Fill) -> Deal:
        _, symbol = self._symbols.get(fill.symbol, (fill.venue, fill.symbol))
        fees = tuple(sorted((fee.asset, fee.amount) for fee in fill.fees if fee.amount))
        return Deal(fill.venue, symbol, fill.trade_id, fill.side is Side.BUY, fill.quantity, fill.price, fees)

    def _on_halt(self, halt: HaltChanged) -> None:
        if halt.scope is HaltScope.STRATEGY:
            return  # its own affair: books of a halted strategy have to agree
        key = "" if halt.scope is HaltScope.ACCOUNT else self._symbols.get(halt.key, ("", halt.key))[1]
        if halt.state is HaltState.TRADING:
            self._halts.pop(key, None)
        else:
            self._halts[key] = halt.reason

    def _on_status(self, status: VenueStatus) -> None:
        if status.condition is VenueCondition.REFUSED:
            self._refused[status.venue] = status.reason
        else:
            self._refused.pop(status.venue, None)
