"""One reservation: what an approved order may still do to positions."""

from decimal import Decimal
from typing import NamedTuple

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import OrderUpdate
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, sub
from tradingd.domain.terms import Requote

__all__ = ["Change", "Group", "Reservation"]

Group = tuple[str, str]
"""An OCO group of one symbol: strategy id and name."""


class Change(NamedTuple):
    """What was asked to be changed of an order; None leaves a field as it is."""

    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None

    def granted(self, update: OrderUpdate) -> bool:
        """Whether the order has become what was asked for."""
        now = (update.quantity, update.limit_price, update.stop_price)
        return all(wanted is None or wanted == got for wanted, got in zip(self, now, strict=True))


class Reservation:
    """One approved order's claim; `outstanding` is what it may still add to the position."""

    __slots__ = (
        "asked",
        "booked",
        "canceled_at",
        "canceling",
        "closed",
        "confirmed",
        "contested",
        "filled",
        "group",
        "instrument",
        "intent_id",
        "latest",
        "limit_price",
        "oco",
        "order_type",
        "price",
        "quantity",
        "raced",
        "reduce_only",
        "refused",
        "requote",
        "shrinkable",
        "side",
        "stop_price",
        "strategy_id",
        "symbol",
        "taken",
    )

    def __init__(
        self,
        *,
        intent_id: str,
        strategy_id: str,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        order_type: OrderType,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        reduce_only: bool = False,
        group: Group | None = None,
        oco: str = "",
        requote: Requote | None = None,
    ) -> None:
        self.intent_id = intent_id
        self.strategy_id = strategy_id
        self.symbol = instrument.symbol
        self.instrument = instrument
        self.side = side
        self.quantity = quantity
        """The greatest quantity that the order has, or may have been changed to."""
        self.price = price
        """What exposure counts it at where the market makes less of it; 0 when nothing is known."""
        self.order_type = order_type
        self.limit_price = limit_price
        self.stop_price = stop_price
        self.reduce_only = reduce_only
        self.group = group
        """The OCO group that the venue keeps it in."""
        self.oco = oco
        """Its OCO group, whoever keeps that."""
        self.shrinkable = ZERO
        """What other legs have filled that execution, who keeps the group, may take from this one and tell of."""
        self.requote = requote
        self.taken = ZERO
        """What other legs have filled, and the venue taken from this one."""
        self.filled = ZERO
        self.booked = ZERO
        self.closed = False
        self.confirmed = False
        """Whether the venue has accepted the order, or filled some of it; that it is being canceled is no sign."""
        self.latest: OrderUpdate | None = None
        """What execution last told of the order."""
        self.asked: list[Change] = []
        """The changes that the venue has not granted yet."""
        self.refused = 0
        """How many of these it refused, or granted too late to matter."""
        self.raced: Decimal | None = None
        """The least that the venue may have taken from the order, and not told of, while changes are asked for."""
        self.contested = False
        """Whether what seemed the answer to a change may have been the news of what another leg took."""
        self.canceling = False
        self.canceled_at: int | None = None

    @property
    def outstanding(self) -> Decimal:
        """What may still be added to the booked position by this order."""
        if self.closed:
            until = self.filled
        else:
            until = max(sub(self.quantity, self.taken) if self.taken else self.quantity, self.filled)
        return max(ZERO, sub(until, self.booked))

    @property
    def unbooked(self) -> Decimal:
        """The part of `outstanding` that has filled for certain."""
        return max(ZERO, sub(self.filled, self.booked))

    @property
    def shares(self) -> Group | None:
        """The group with whose other legs it counts as one order."""
        group = self.group
        return group if group is None or self.reduce_only or not self.is_on_its_way else None

    @property
    def is_on_its_way(self) -> bool:
        """Whether other legs may fill before the venue has it, as it is: what these do is not taken from it."""
        if self.group is None:
            return False
        over = self.latest is not None and self.latest.status.is_terminal
        settled = over or (self._is_at_the_venue and not self.contested)
        return not settled or any(change.quantity is not None for change in self.asked)

    @property
    def is_at_rest(self) -> bool:
        """Whether the venue has confirmed the order as it is, and nothing is under way."""
        told = self.latest
        return told is not None and told.status is OrderStatus.OPEN and not self.asked and not self.canceling

    @property
    def shrinks_by_itself(self) -> bool:
        """Whether what another leg of its group fills now is taken from it: the venue has it, as it is."""
        return self._is_at_the_venue and not self.asked and not self.contested

    @property
    def _is_at_the_venue(self) -> bool:
        """Whether the venue has said that it has the order, and nothing puts that in doubt."""
        return self.confirmed and self.latest is not None and self.latest.status in _AT_THE_VENUE

    @property
    def limit_prices(self) -> list[Decimal]:
        """The limit prices that the order may have at the venue; none for one that does not rest in the book."""
        known = [self.limit_price, *(change.limit_price for change in self.asked)]
        return [price for price in known if price is not None]

    def ask(self, change: Change) -> None:
        """Count the change that is asked for, until the venue has answered, where it makes more of the order."""
        self.asked.append(change)
        prices = [price for price in (self.price, change.limit_price, change.stop_price) if price]
        self.price = max(prices, key=lambda price: self.instrument.notional(ONE, price), default=ZERO)
        if change.quantity is not None:
            if self.taken:
                self.raced = ZERO  # it may not be told yet
            self.quantity = max(sub(self.quantity, self.taken), change.quantity)
            self.taken = ZERO  # a change tells what is to be left, whatever was taken before

    def follow(self, update: OrderUpdate) -> None:
        """Take over what execution tells."""
        told = self.latest
        lost = ZERO if told is None else sub(told.quantity, update.quantity)
        # From CANCELING it becomes OPEN when the cancel is refused, which may have got there before the order.
        accepted = update.status is OrderStatus.OPEN and (told is None or told.status not in _AT_THE_VENUE)
        self.confirmed = self.confirmed or accepted or bool(update.filled)
        self.latest = update
        self.filled = max(self.filled, update.filled)
        self.limit_price = update.limit_price
        self.stop_price = update.stop_price
        if self.order_type is OrderType.TRAILING_STOP and update.stop_price is not None and not self.asked:
            self.price = update.stop_price
        if update.status is OrderStatus.OPEN:
            self.canceling = False  # a cancel was refused, or is not known yet
        if self.asked:
            self._answered(update, lost)
        elif self.oco and update.reason.startswith("MODIFIED"):
            self._shrink(update)
        # An order that filled may have been changed to more before it did: its answer is still on the way.
        grown = update.status is OrderStatus.FILLED and self.asked and self.quantity > self.filled
        if update.status.is_terminal and not grown:
            self.closed = True
        elif not update.status.is_terminal:
            self.closed = False
            self.quantity = max(self.quantity, update.quantity)

    def take(self, quantity: Decimal) -> None:
        """Another leg of its group has filled: what of that the venue has taken from this one for certain."""
        if self.shrinks_by_itself:
            self.taken = add(self.taken, quantity)
        elif self.asked:
            self.raced = quantity if self.raced is None else min(self.raced, quantity)

    def _shrink(self, update: OrderUpdate) -> None:
        """Execution tells a smaller quantity unasked: believed as far as the fills of other legs explain it.

        Of an order that no venue has yet, execution's word is all there is: it may have joined a group late.
        """
        unsent = update.status is OrderStatus.PREPARED
        least = update.quantity if unsent else max(update.quantity, sub(self.quantity, self.shrinkable))
        if least < self.quantity:
            self.shrinkable = max(ZERO, sub(self.shrinkable, sub(self.quantity, least)))
            self.quantity = least

    def _answered(self, update: OrderUpdate, lost: Decimal) -> None:
        """Count answers; once there are as many as questions, the order is what execution tells.

        Where it lost no less than what another leg may have taken, that may be all that was told, and the change
        still be on its way: until another answer it counts at what it may be changed to, and shares with none.
        """
        if update.reason.startswith("MODIFY_REJECTED"):
            self.refused += 1
            self.contested = False
        elif update.reason.startswith("OVERTAKEN"):
            self.refused += 1  # a later change was granted, and told before: there is nothing left of this one
        elif update.reason.startswith("MODIFIED"):
            granted = next((change for change in self.asked if change.granted(update)), None)
            if granted is not None:  # else it repeats an earlier answer
                self.asked.remove(granted)
                if granted.quantity is not None:
                    self.contested = self.raced is not None and lost > 0 and lost >= self.raced
        if self.refused >= len(self.asked):
            self.asked.clear()
            self.refused = 0
            self.quantity = max(self.quantity, update.quantity) if self.contested else update.quantity
            self.taken = ZERO
            self.raced = None
            self.price = self._dearest(update)

    def _dearest(self, update: OrderUpdate) -> Decimal:
        """Of an order's own prices, and the worst of its re-quotes, the one that makes more of it."""
        worst = None if self.requote is None else self.requote.worst
        known = [price for price in (update.limit_price, update.stop_price, worst) if price is not None]
        return max(known, key=lambda price: self.instrument.notional(ONE, price), default=self.price)


_AT_THE_VENUE = (OrderStatus.OPEN, OrderStatus.CANCELING)
