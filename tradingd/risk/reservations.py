"""Reservations: what approved orders may still do to positions.

Risk reserves an order's full quantity when it approves it, and releases it only on evidence: the part that filled
once the portfolio has booked it, the rest once the order is terminal. A cancel request releases nothing. Between
a fill and its booking a quantity may thus be counted twice, never not at all.

A change counts at the greater of the old and the new quantity until the venue has answered all that was asked of
the order; answers may come in any order and more than once. An order that was thought over and shows signs of
life (a late fill, an order that was thought refused) is counted again, less what of it has been booked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import OrderUpdate, PositionUpdate
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, sub
from tradingd.domain.ports import InstrumentLookup

__all__ = ["Change", "Reservation", "ReservationBook"]

_RELEASED_KEPT = 10_000
"""How many orders that are over are remembered, for late fills and for intents that come twice."""


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
        "filled",
        "instrument",
        "intent_id",
        "latest",
        "limit_price",
        "order_type",
        "price",
        "quantity",
        "reduce_only",
        "refused",
        "side",
        "stop_price",
        "strategy_id",
        "symbol",
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
        self.filled = ZERO
        self.booked = ZERO
        self.closed = False
        self.latest: OrderUpdate | None = None
        """What execution last told of the order."""
        self.asked: list[Change] = []
        """The changes that the venue has not granted yet."""
        self.refused = 0
        """How many of these it refused."""
        self.canceling = False
        self.canceled_at: int | None = None

    @property
    def outstanding(self) -> Decimal:
        """What may still be added to the booked position by this order."""
        until = self.filled if self.closed else max(self.quantity, self.filled)
        return max(ZERO, sub(until, self.booked))

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
            self.quantity = max(self.quantity, change.quantity)

    def follow(self, update: OrderUpdate) -> None:
        """Take over what execution tells."""
        self.latest = update
        self.filled = max(self.filled, update.filled)
        self.limit_price = update.limit_price
        self.stop_price = update.stop_price
        if update.status is OrderStatus.OPEN:
            self.canceling = False  # a cancel was refused, or is not known yet
        if self.asked:
            self._answered(update)
        # An order that filled may have been changed to more before it did: its answer is still on the way.
        grown = update.status is OrderStatus.FILLED and self.asked and self.quantity > self.filled
        if update.status.is_terminal and not grown:
            self.closed = True
        elif not update.status.is_terminal:
            self.closed = False
            self.quantity = max(self.quantity, update.quantity)

    def _answered(self, update: OrderUpdate) -> None:
        """Count answers; once there are as many as questions, the order is what execution tells."""
        if update.reason.startswith("MODIFY_REJECTED"):
            self.refused += 1
        elif update.reason.startswith("MODIFIED"):
            granted = next((change for change in self.asked if change.granted(update)), None)
            if granted is not None:  # else it repeats an earlier answer
                self.asked.remove(granted)
        if self.refused >= len(self.asked):
            self.asked.clear()
            self.refused = 0
            self.quantity = update.quantity
            own = update.limit_price if update.limit_price is not None else update.stop_price
            self.price = self.price if own is None else own


class ReservationBook:
    """The reservations, by intent and by symbol."""

    def __init__(self, instruments: InstrumentLookup | None = None, currency: str = "USD") -> None:
        self._instruments = instruments
        self._currency = currency
        self._reservations: dict[str, Reservation] = {}
        self._by_symbol: dict[str, dict[str, Reservation]] = {}
        self._revision: dict[str, int] = {}
        self._lifted: Reservation | None = None
        self._released: dict[str, Decimal] = {}
        """How much of an order that is over has been booked."""

    def __iter__(self) -> Iterator[Reservation]:
        return iter(tuple(self._reservations.values()))

    def __len__(self) -> int:
        return len(self._reservations)

    def get(self, intent_id: str) -> Reservation | None:
        """The reservation of an intent, None when it holds none."""
        return self._reservations.get(intent_id)

    def had(self, intent_id: str) -> bool:
        """Whether an intent has, or lately had, an order: it never gets a second one."""
        return intent_id in self._reservations or intent_id in self._released

    def knows(self, symbol: str) -> bool:
        """Whether the symbol can be traded at all."""
        return self._instruments is None or symbol in self._instruments

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of `symbol`; a plain share where none are known."""
        if self._instruments is None:
            return Instrument.plain(symbol, self._currency)
        return self._instruments[symbol]

    def working(self, symbol: str, strategy_id: str | None = None) -> list[Reservation]:
        """The reservations of a symbol, of one strategy or of all."""
        return [
            reservation
            for reservation in self._by_symbol.get(symbol, {}).values()
            if strategy_id in (None, reservation.strategy_id) and reservation is not self._lifted
        ]

    # --- what changes them -----------------------------------------------------------------------------------

    def reserve(self, reservation: Reservation) -> None:
        """Count an approved order at its full quantity from now on."""
        self._reservations[reservation.intent_id] = reservation
        self._by_symbol.setdefault(reservation.symbol, {})[reservation.intent_id] = reservation
        self._touch(reservation.symbol)

    @contextmanager
    def without(self, reservation: Reservation) -> Iterator[None]:
        """A context in which that order does not count, to judge what it may be changed to."""
        self._lifted = reservation
        self._touch(reservation.symbol)
        try:
            yield
        finally:
            self._lifted = None
            self._touch(reservation.symbol)

    def ask(self, reservation: Reservation, change: Change) -> None:
        """Count a changed order at the greater of its old and new quantity until the venue has answered."""
        reservation.ask(change)
        self._touch(reservation.symbol)

    def on_order_update(self, update: OrderUpdate) -> Reservation | None:
        """Follow an order; returns its reservation when that has just been released completely."""
        if not update.order_id or update.reason.startswith("MODIFY_DENIED"):
            return None  # risk's own words: nothing happened to an order
        reservation = self._reservations.get(update.intent_id) or self._recalled(update)
        if reservation is None:
            return None
        reservation.follow(update)
        self._touch(reservation.symbol)
        return self._settle(reservation)

    def on_position(self, update: PositionUpdate) -> Reservation | None:
        """A fill has been booked; returns its reservation when that has just been released completely."""
        intent_id, quantity = update.fill.intent_id, update.fill.quantity
        reservation = self._reservations.get(intent_id)
        if reservation is None:
            if intent_id in self._released:
                self._released[intent_id] = add(self._released[intent_id], quantity)
            return None
        reservation.booked = add(reservation.booked, quantity)
        reservation.filled = max(reservation.filled, reservation.booked)
        self._touch(reservation.symbol)
        return self._settle(reservation)

    def _recalled(self, update: OrderUpdate) -> Reservation | None:
        """Count an order that holds no reservation and yet may move a position; None when it cannot.

        One that was never reserved here (it is older than this run) is taken as booked as far as it filled.
        """
        if update.side is None or update.order_type is None or not self.knows(update.symbol):
            return None
        booked = self._released.get(update.intent_id, update.filled)
        if (update.filled if update.status.is_terminal else max(update.quantity, update.filled)) <= booked:
            return None
        own = update.limit_price if update.limit_price is not None else update.stop_price
        reservation = Reservation(
            intent_id=update.intent_id,
            strategy_id=update.strategy_id,
            instrument=self.instrument(update.symbol),
            side=update.side,
            quantity=update.quantity,
            price=ZERO if own is None else own,
            order_type=update.order_type,
        )
        reservation.booked = booked
        self.reserve(reservation)
        return reservation

    def _settle(self, reservation: Reservation) -> Reservation | None:
        if not reservation.closed or reservation.outstanding:
            return None
        del self._reservations[reservation.intent_id]
        held = self._by_symbol[reservation.symbol]
        del held[reservation.intent_id]
        if not held:
            del self._by_symbol[reservation.symbol]
        self._released.pop(reservation.intent_id, None)
        self._released[reservation.intent_id] = reservation.booked
        if len(self._released) > _RELEASED_KEPT:
            del self._released[next(iter(self._released))]
        return reservation

    def _touch(self, symbol: str) -> None:
        self._revision[symbol] = self._revision.get(symbol, 0) + 1
