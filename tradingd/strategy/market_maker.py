"""A simple market maker: a bid and an ask around a price that leans against the inventory."""

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from tradingd.domain.enums import OrderStatus, Side
from tradingd.domain.events import Book, Fill, OrderUpdate, Quote, Timer
from tradingd.domain.money import ZERO, add, from_market, neg, sub
from tradingd.errors import StrategyError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.tickets import Backoff, Ticket, Tickets

__all__ = ["MarketMaker"]

_BPS = 1e-4
_NS = 1_000_000_000
_STALE = "stale"


class _Quoting:
    """One side of the quote: at most one order."""

    __slots__ = ("asked", "backoff", "busy", "canceled", "side", "since", "ticket")

    def __init__(self, side: Side, retry_s: float) -> None:
        self.side = side
        self.ticket: Ticket | None = None
        """The order, until its outcome is certain."""
        self.asked = ZERO
        """The price that was asked for last."""
        self.busy = False
        """A change or a cancel is under way."""
        self.since = 0
        """When something was asked for last, nanoseconds UTC."""
        self.canceled = 0
        """When a cancel was asked for last, nanoseconds UTC."""
        self.backoff = Backoff(retry_s, 60.0)


class MarketMaker(Strategy):
    """Quote a bid and an ask around the mid price, shifted against the inventory.

    Reservation price: mid x (1 - `skew_bps` x inventory / `max_inventory`); bid and ask are `half_spread_bps` of
    the mid below and above it. That is the shape of M. Avellaneda and S. Stoikov, "High-frequency trading in a
    limit order book" (Quantitative Finance 8, 2008), with what they derive from volatility, risk aversion and
    order flow given as two figures: their shift is inventory x gamma sigma^2 (T - t). Neither price crosses the
    market: a bid stays a tick below the best ask, an ask a tick above the best bid.

    Size: `quantity`, less where `max_inventory` leaves no room for so much; a side without room is not quoted. The
    position stays within 0 (with `allow_short`: -`max_inventory`) and `max_inventory` whichever orders fill.

    An order is changed only when its price is off by `min_change_bps` or more, no sooner than `requote_s` after
    the last request for that side, never while one is under way, and never to where it would meet our own order on
    the other side. One that has been filled is replaced.

    When things go wrong:

    - Both orders are canceled while the market is crossed or locked, one side is missing or no finite price, the
      spread is narrower than `min_spread_bps`, or no quote has come for `stale_after_s` (a timer looks twice in
      that time); they come back with the next sound quote. A cancel is repeated after `requote_s` at the earliest.
    - A refused order is asked for again after `retry_s`, twice as long after each further refusal, up to a minute.
      An order whose change was refused is canceled and replaced.
    - An order whose fate is unknown keeps its side quiet until it is known. A position that leaves an order no
      room (a late fill, somebody else's trade) has that order canceled.
    - Orders found working at the start are canceled before anything is quoted.
    """

    class Params(StrategyParams):
        """Distances are in basis points of the mid price, quantities in units of the instrument."""

        symbol: str = Field(min_length=1, description="What to quote.")
        quantity: Decimal = Field(gt=0, allow_inf_nan=False, description="The size of a bid or ask.")
        max_inventory: Decimal = Field(
            gt=0, allow_inf_nan=False, description="The greatest position; at least quantity."
        )
        half_spread_bps: float = Field(
            5.0, gt=0, le=5_000, description="From the reservation price to each order."
        )
        skew_bps: float = Field(
            5.0, ge=0, le=5_000, description="How far the reservation price shifts at the greatest position."
        )
        min_change_bps: float = Field(1.0, ge=0, le=1_000, description="Leave an order that is off by less.")
        min_spread_bps: float = Field(0.0, ge=0, le=1_000, description="Quote nothing into a narrower market.")
        stale_after_s: float = Field(
            5.0, gt=0, le=86_400, description="Cancel when no quote has come for so long."
        )
        requote_s: float = Field(1.0, ge=0, le=3_600, description="Between two requests for one side, at least.")
        retry_s: float = Field(1.0, gt=0, le=60, description="Seconds until a refused order is asked for again.")
        post_only: bool = Field(default=True, description="Orders that may only rest in the book.")
        allow_short: bool = Field(default=False, description="Quote an ask without inventory, too.")

        @model_validator(mode="after")
        def _room_for_one(self) -> Self:
            if self.max_inventory < self.quantity:
                raise ValueError(
                    f"max_inventory ({self.max_inventory}) must not be less than quantity ({self.quantity})"
                )
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._tickets = Tickets()
        self._sides = {side: _Quoting(side, params.retry_s) for side in Side}
        self._least = neg(params.max_inventory) if params.allow_short else ZERO
        self._seen = 0
        """When the latest sound quote came, nanoseconds UTC."""
        self._pulled = True
        """Nothing is being quoted."""

    # --- what the run tells --------------------------------------------------------------------------------

    def on_start(self) -> None:
        """See that the size can be ordered, and have the age of the quotes looked at."""
        instrument = self.instrument(self.params.symbol)
        violation = instrument.violation(self.params.quantity, None, None)
        if violation:
            raise StrategyError(f"the market maker's quantity cannot be ordered: {violation}")
        self.set_timer(_STALE, self.params.stale_after_s / 2)

    def on_quote(self, quote: Quote) -> None:
        """Quote around it."""
        self._market(quote.bid, quote.ask)

    def on_book(self, book: Book) -> None:
        """Quote around its best prices."""
        self._market(book.bids[0][0] if book.bids else 0.0, book.asks[0][0] if book.asks else 0.0)

    def on_timer(self, timer: Timer) -> None:
        """Cancel what rests on a quote that is too old."""
        if timer.name == _STALE and self.now - self._seen >= int(self.params.stale_after_s * _NS):
            self._pull()

    def on_order(self, update: OrderUpdate) -> None:
        """Follow an order; wait after a refusal."""
        ticket = self._tickets.on_order(update)
        if ticket is None:
            return
        quoting = self._sides[ticket.side]
        if quoting.ticket is not ticket:
            return
        if update.reason.startswith(("MODIFY_DENIED", "MODIFY_REJECTED")):
            self._change_refused(quoting)
        elif ticket.status is OrderStatus.OPEN:
            quoting.busy = False
            quoting.backoff.succeed()
        self._clear(quoting)

    def on_fill(self, fill: Fill) -> None:
        """Follow an order."""
        ticket = self._tickets.on_fill(fill)
        if ticket is not None and self._sides[ticket.side].ticket is ticket:
            self._clear(self._sides[ticket.side])

    # --- the market ----------------------------------------------------------------------------------------

    def _market(self, bid: float, ask: float) -> None:
        """Quote around a sound market, pull out of any other."""
        if not (0 < bid < ask < _NO_PRICE) or (ask - bid) < self.params.min_spread_bps * _BPS * (ask + bid) / 2:
            self._pull()
            return
        self._seen = self.now
        if self._pulled:
            if not self._alone():
                return
            self._pulled = False
        mid = (bid + ask) / 2
        params = self.params
        held = self.position(params.symbol).quantity
        reservation = mid * (1 - params.skew_bps * _BPS * float(held) / float(params.max_inventory))
        half = mid * params.half_spread_bps * _BPS
        self._keep(self._sides[Side.BUY], reservation - half, ask, sub(params.max_inventory, held), mid)
        self._keep(self._sides[Side.SELL], reservation + half, bid, sub(held, self._least), mid)

    def _pull(self) -> None:
        """Have nothing in the book."""
        self._pulled = True
        for quoting in self._sides.values():
            self._cancel(quoting)

    def _alone(self) -> bool:
        """Whether no order of an earlier run works any more; asks to cancel those that do."""
        strangers = [intent for intent in self.orders if self._tickets.get(intent) is None]
        for intent in strangers:
            if self.orders[intent].status is OrderStatus.OPEN:
                self.cancel(intent)
        return not strangers

    # --- one side ------------------------------------------------------------------------------------------

    def _keep(self, quoting: _Quoting, wanted: float, other: float, room: Decimal, mid: float) -> None:
        """Have the side's order at `wanted`, short of the market's `other` side, within `room`."""
        ticket = quoting.ticket
        if quoting.busy:
            return
        if ticket is None:
            self._place(quoting, self._price(quoting.side, wanted, other), room)
        elif ticket.status is not OrderStatus.OPEN:
            return
        elif ticket.outstanding > max(ZERO, room):
            self._cancel(quoting)
        elif self._may_ask(quoting):
            price = self._price(quoting.side, wanted, other)
            far = abs(float(price) - float(quoting.asked)) >= self.params.min_change_bps * _BPS * mid
            if far and price > 0 and price != quoting.asked and not self._meets_own(quoting.side, price):
                quoting.asked, quoting.busy, quoting.since = price, True, self.now
                self.modify(ticket.intent_id, limit=price)

    def _place(self, quoting: _Quoting, price: Decimal, room: Decimal) -> None:
        """Ask for an order as far as there is room, if it is time to."""
        instrument = self.instrument(self.params.symbol)
        quantity = instrument.floor_quantity(min(self.params.quantity, max(ZERO, room)))
        if price <= 0 or instrument.violation(quantity, price, None):
            return
        if not self._may_ask(quoting) or quoting.backoff.waits(self.now) or self._meets_own(quoting.side, price):
            return
        intent = self.order(
            self.params.symbol, quoting.side, quantity, limit=price, post_only=self.params.post_only, tag="quote"
        )
        quoting.ticket = self._tickets.add(intent, quoting.side, quantity)
        quoting.asked, quoting.since = price, self.now

    def _may_ask(self, quoting: _Quoting) -> bool:
        return self.now - quoting.since >= int(self.params.requote_s * _NS)

    def _meets_own(self, side: Side, price: Decimal) -> bool:
        """Whether our order on the other side, at its old price or its new one, would trade with this."""
        other = self._sides[Side.SELL if side is Side.BUY else Side.BUY]
        if other.ticket is None:
            return False
        order = self.orders.get(other.ticket.intent_id)
        resting = other.asked if order is None or order.limit_price is None else order.limit_price
        if side is Side.BUY:
            return price >= min(resting, other.asked)
        return price <= max(resting, other.asked)

    def _cancel(self, quoting: _Quoting) -> None:
        """Ask for the cancel of what works, unless that is under way or has been refused a moment ago."""
        ticket = quoting.ticket
        if ticket is None or ticket.status is not OrderStatus.OPEN or quoting.busy:
            return
        if self.now - quoting.canceled >= int(self.params.requote_s * _NS):
            quoting.busy, quoting.canceled, quoting.since = True, self.now, self.now
            self.cancel(ticket.intent_id)

    def _change_refused(self, quoting: _Quoting) -> None:
        """Take out an order that stands at a price of the past."""
        quoting.busy = False
        self._cancel(quoting)

    def _clear(self, quoting: _Quoting) -> None:
        """Make room for the next order when the outcome of this one is certain; pull what only now works."""
        ticket = quoting.ticket
        if ticket is None:
            return
        if ticket.settled:
            if ticket.failed and not quoting.busy:
                quoting.backoff.fail(self.now)
            quoting.ticket, quoting.busy = None, False
        elif self._pulled:
            self._cancel(quoting)

    def _price(self, side: Side, wanted: float, other: float) -> Decimal:
        """On the tick, away from the market, and never across it."""
        instrument = self.instrument(self.params.symbol)
        price = instrument.limit_from(wanted, side)
        if side is Side.BUY:
            return min(price, sub(instrument.round_price(from_market(other), Side.SELL), instrument.tick))
        return max(price, add(instrument.round_price(from_market(other), Side.BUY), instrument.tick))


_NO_PRICE = 1e150
"""No price is so high, infinity for one."""
