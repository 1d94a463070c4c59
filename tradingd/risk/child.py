"""What is known of one child: an order that waits for the fills of another."""

from decimal import ROUND_FLOOR, Decimal

import msgspec

from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import OrderRequest, OrderUpdate
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import MONEY_QUANTUM, ZERO, divide, mul
from tradingd.domain.terms import PLAIN, OrderTerms

__all__ = ["Child", "Key"]

Key = tuple[str, str]
"""Strategy id and symbol."""


class Child:
    """An order that waits, all of it or a part."""

    __slots__ = ("exceeds", "fixed", "grows", "over", "parent", "placed", "refused", "request", "told_over")

    def __init__(self, request: OrderRequest, *, exceeds: bool = False) -> None:
        self.request = request
        """As the strategy means it now."""
        self.exceeds = exceeds
        """It was asked for with more than its parent's quantity: it is to do more than get out of it."""
        self.parent = request.terms.parent
        self.placed: list[str] = []
        """The intents of its orders."""
        self.refused = ZERO
        """The share whose release was refused last: it is not tried again."""
        self.grows = False
        """Its order was asked to become larger, and the venue has not answered."""
        self.fixed = False
        """Its order refused to be enlarged."""
        self.over = False
        """Nothing more is released."""
        self.told_over = False
        """Its strategy was told that it ended; what a late fill releases has another intent."""

    @property
    def key(self) -> Key:
        """Its strategy and symbol."""
        return self.request.strategy_id, self.request.symbol

    @property
    def is_held(self) -> bool:
        """Whether all of it waits."""
        return not self.placed and not self.over and not self.told_over

    def next_intent(self) -> str:
        """The name of its next order: its own for the first one."""
        number = len(self.placed) + 1 + self.told_over
        return self.request.intent_id if number == 1 else f"{self.request.intent_id}+{number}"

    def share(self, quantity: Decimal, booked: Decimal, instrument: Instrument) -> Decimal:
        """How much of it a parent of `quantity` covers with what of it is `booked`.

        In proportion, in whole lots, and all of it by the last fill. One that was no larger than its parent covers
        no more than what has filled, also where the parent has been made smaller since.
        """
        whole = self.request.quantity
        if booked >= quantity:
            share = whole if booked else ZERO
        else:
            share = instrument.floor_quantity(divide(mul(whole, booked), quantity, MONEY_QUANTUM, ROUND_FLOOR))
        return share if self.exceeds else min(share, booked)

    def next_terms(self, group: str) -> OrderTerms:
        """The terms of its next order, in that OCO group: it waits for nobody."""
        terms = msgspec.structs.replace(self.request.terms, parent="", oco=group)
        return PLAIN if terms == PLAIN else terms

    def told(self, ts: int, status: OrderStatus, reason: str) -> OrderUpdate:
        """What its strategy is told of it while nothing of it has been sent."""
        request = self.request
        return OrderUpdate(
            ts,
            request.strategy_id,
            request.intent_id,
            "",
            request.symbol,
            request.side,
            request.order_type,
            request.quantity,
            ZERO,
            status,
            reason,
            request.limit_price,
            request.stop_price,
        )
