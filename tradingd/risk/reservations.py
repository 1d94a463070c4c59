"""Reservations: what approved orders may still do to positions.

Risk reserves an order's full quantity when it approves it, and releases it only on evidence: the part that filled
once the portfolio has booked it, the rest once the order is terminal. A cancel request releases nothing. Between
a fill and its booking a quantity may thus be counted twice, never not at all.

A change counts at the greater of the old and the new quantity until the venue has answered all that was asked of
the order; answers may come in any order and more than once. An order that was thought over and shows signs of
life (a late fill, an order that was thought refused) is counted again, less what of it has been booked.

The legs of a group that the venue itself keeps (one cancels the other) share: what fills of one is taken from the
others. A leg counts less by what others filled since the venue confirmed it as it is; what they filled before is
not taken from it, and what they filled while it was being changed may or may not be, so it is not believed to be.
For the same reason a leg that is on its way to the venue, or whose quantity is being changed, shares with none:
these may fill before it gets there, and it would still be there in full. It is on its way until the venue has
accepted it: one that is being canceled need not have got there. Only reduce-only legs share from the first
moment where a reduce-only order is judged: what they exceed the position by then, the venue itself does not fill.
Wherever else it is asked how far a position could get, they count in full, up to what there is to reduce.

The venue's news of what it took from a leg may look like the answer to a change that is still on its way. Where
a fill explains what seems to be an answer, the leg counts in full, by itself, until another change is answered.

Legs of a group that execution keeps count in full each, and less only once execution has told so of one.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

from tradingd.domain.events import OrderUpdate, PositionUpdate
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.ports import InstrumentLookup
from tradingd.risk.reservation import Change, Reservation

__all__ = ["Outcome", "ReservationBook"]


_RELEASED_KEPT = 10_000
"""How many orders that are over are remembered, for late fills and for intents that come twice."""


class Outcome(NamedTuple):
    """How far an order has come, one that works or one that is over and still remembered."""

    strategy_id: str
    symbol: str
    quantity: Decimal
    booked: Decimal
    over: bool


_Over = tuple[Decimal, Decimal, str, str]
"""Of an order that is over: what of it has been booked, its quantity, strategy and symbol."""


class ReservationBook:
    """The reservations, by intent and by symbol."""

    def __init__(self, instruments: InstrumentLookup | None = None, currency: str = "USD") -> None:
        self._instruments = instruments
        self._currency = currency
        self._reservations: dict[str, Reservation] = {}
        self._by_symbol: dict[str, dict[str, Reservation]] = {}
        self._revision: dict[str, int] = {}
        self._lifted: Reservation | None = None
        self._heard: dict[str, Decimal] = {}
        """The account's positions after the bookings that have been heard of."""
        self._released: OrderedDict[str, _Over] = OrderedDict()
        """What is remembered of orders that are over."""

    def __iter__(self) -> Iterator[Reservation]:
        return iter(tuple(self._reservations.values()))

    def __len__(self) -> int:
        return len(self._reservations)

    def get(self, intent_id: str) -> Reservation | None:
        """The reservation of an intent, None when it holds none."""
        return self._reservations.get(intent_id)

    def outcome(self, intent_id: str) -> Outcome | None:
        """How far an order has come; None when it never was one, or is long over."""
        reservation = self._reservations.get(intent_id)
        if reservation is not None:
            quantity, booked = reservation.quantity, reservation.booked
            return Outcome(reservation.strategy_id, reservation.symbol, quantity, booked, over=False)
        over = self._released.get(intent_id)
        if over is None:
            return None
        booked, quantity, strategy_id, symbol = over
        return Outcome(strategy_id, symbol, quantity, booked, over=True)

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
        orders = self._by_symbol.get(symbol)
        if orders is None:
            return []
        return [
            reservation
            for reservation in orders.values()
            if strategy_id in (None, reservation.strategy_id) and reservation is not self._lifted
        ]

    def is_settled(self, symbol: str, position: Decimal) -> bool:
        """Whether nothing of the symbol is under way that could leave more room than there seems to be.

        All orders rest at the venue as they are, all fills are booked, and `position` contains no booking that has
        yet to be heard of.
        """
        heard = self._heard.get(symbol, position) == position
        return heard and all(order.is_at_rest and not order.unbooked for order in self.working(symbol))

    # --- what changes them -----------------------------------------------------------------------------------

    def reserve(self, reservation: Reservation) -> None:
        """Count an approved order at its full quantity from now on."""
        self._reservations[reservation.intent_id] = reservation
        orders = self._by_symbol.get(reservation.symbol)
        if orders is None:
            orders = self._by_symbol[reservation.symbol] = {}
        orders[reservation.intent_id] = reservation
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
        if not update.order_id or (update.reason and update.reason.startswith("MODIFY_DENIED")):
            return None  # risk's own words: nothing happened to an order
        reservation = self._reservations.get(update.intent_id)
        if reservation is None:
            if update.parent_id:
                return None  # a part of an order that is counted as a whole, and whose fills are booked for that
            reservation = self._recalled(update)
            if reservation is None:
                return None
        if not reservation.oco:
            reservation.follow(update)
        else:
            before = reservation.filled
            reservation.follow(update)
            self._share(reservation, before)
        self._touch(reservation.symbol)
        return self._settle(reservation)

    def on_position(self, update: PositionUpdate) -> Reservation | None:
        """A fill has been booked; returns its reservation when that has just been released completely."""
        intent_id, quantity = update.fill.intent_id, update.fill.quantity
        self._heard[update.symbol] = update.quantity
        reservation = self._reservations.get(intent_id)
        if reservation is None:
            over = self._released.get(intent_id)
            if over is not None:
                self._released[intent_id] = (add(over[0], quantity), *over[1:])
            return None
        before = reservation.filled
        reservation.booked = add(reservation.booked, quantity)
        reservation.filled = max(before, reservation.booked)
        if reservation.oco:
            self._share(reservation, before)
        self._touch(reservation.symbol)
        return self._settle(reservation)

    def _share(self, leg: Reservation, before: Decimal) -> None:
        """What a leg has filled more than `before` is taken from the others that the venue has as they are.

        Where execution keeps the two together, it is taken when execution tells so.
        """
        more = sub(leg.filled, before)
        if more <= 0:
            return
        for other in self._by_symbol[leg.symbol].values():
            if other is leg or other.oco != leg.oco or other.strategy_id != leg.strategy_id:
                continue
            if leg.group is None or other.group is None:
                other.shrinkable = add(other.shrinkable, more)
            else:
                other.take(more)

    def _recalled(self, update: OrderUpdate) -> Reservation | None:
        """Count an order that holds no reservation and yet may move a position; None when it cannot.

        One that was never reserved here (it is older than this run) is taken as booked as far as it filled.
        """
        if update.side is None or update.order_type is None or not self.knows(update.symbol):
            return None
        over = self._released.get(update.intent_id)
        booked = update.filled if over is None else over[0]
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
        self._released[reservation.intent_id] = (
            reservation.booked,
            reservation.quantity,
            reservation.strategy_id,
            reservation.symbol,
        )
        if len(self._released) > _RELEASED_KEPT:
            self._released.popitem(last=False)
        return reservation

    def _touch(self, symbol: str) -> None:
        self._revision[symbol] = self._revision.get(symbol, 0) + 1
