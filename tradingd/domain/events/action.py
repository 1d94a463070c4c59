"""What companies do to their shares."""

from decimal import Decimal

from tradingd.domain.enums import ActionKind
from tradingd.domain.events.base import Event, EventType
from tradingd.domain.events.market import MarketEvent
from tradingd.domain.money import ZERO

__all__ = ["CorporateAction", "FeedEvent"]


class CorporateAction(Event, frozen=True, gc=False):
    """A split or dividend takes effect: all that is held now is held from before the ex-date.

    It comes from the feed, after the last market event at old prices and before the first at new ones. A split
    makes `numerator` new shares of `denominator` old ones; a dividend pays `amount` per share, in the currency the
    share is quoted in, which `currency` may repeat.
    """

    type = EventType.CORPORATE_ACTION
    route = "symbol"

    symbol: str
    kind: ActionKind
    numerator: int = 1
    denominator: int = 1
    amount: Decimal = ZERO
    currency: str = ""


FeedEvent = MarketEvent | CorporateAction
"""All that comes from a feed."""
