"""What a venue tells of itself and of the account, besides orders and trades."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events.base import Event, EventType

__all__ = [
    "AccountPosition",
    "AccountSnapshot",
    "Balance",
    "HaltRequest",
    "MarginCall",
    "VenueCondition",
    "VenueStatus",
]


class VenueCondition(StrEnum):
    """How far a venue can be traded with now."""

    CONNECTING = "CONNECTING"
    """Not connected yet, or again: nothing is known of what happened meanwhile."""
    CATCHING_UP = "CATCHING_UP"
    """Connected; orders and trades since the last known ones are being read."""
    READY = "READY"
    DOWN = "DOWN"
    """Unreachable, under maintenance, or it bans us for a time."""
    REFUSED = "REFUSED"
    """It refuses our key: nothing is tried again until an operator has looked."""


class VenueStatus(Event, frozen=True, gc=False):
    """A venue's condition changed; only a READY one may be sent orders that open or grow a position.

    `venue` is empty for the run itself: it is ready once its feed is live and its strategies have their history.
    """

    type = EventType.VENUE_STATUS
    route = "venue"

    venue: str
    condition: VenueCondition
    reason: str = ""


class HaltRequest(Event, frozen=True, gc=False):
    """A component found something that nobody may trade on: risk raises the halt."""

    type = EventType.HALT_REQUEST

    scope: HaltScope
    key: str
    state: HaltState
    reason: str


class Balance(msgspec.Struct, frozen=True, gc=False):
    """What an account has of one asset: `total`, of which `used` is bound in orders or as margin."""

    asset: str
    total: Decimal
    used: Decimal


class AccountPosition(msgspec.Struct, frozen=True, gc=False):
    """A contract position as the venue tells it: a signed quantity, in units of the instrument's quantity."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal | None = None


class AccountSnapshot(Event, frozen=True, gc=False):
    """What the venue says the account holds, read at a barrier.

    At the barrier every trade the venue knows has been reported before, no order is on its way, and nothing of
    the account changed while it was read. So the books must agree with it to the last unit; the first snapshot of
    a run is what they open with.
    """

    type = EventType.ACCOUNT_SNAPSHOT
    route = "venue"

    venue: str
    balances: tuple[Balance, ...]
    positions: tuple[AccountPosition, ...] = ()


class MarginCall(Event, frozen=True, gc=False):
    """A venue tells that an account's equity is too low for what it holds; its liquidation may follow at once.

    `required` is the maintenance margin. Both amounts are in `currency`, the settlement currency they count in.
    """

    type = EventType.MARGIN_CALL

    venue: str
    currency: str
    equity: Decimal
    required: Decimal
