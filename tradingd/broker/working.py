"""A working order as the exchange keeps it."""

from decimal import Decimal
from math import inf

from tradingd.broker.expiry import expiry
from tradingd.broker.models import Charged
from tradingd.broker.queue import Queue
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import add, from_market, mul, sub
from tradingd.domain.terms import Trail

__all__ = ["Working", "trailing_stop"]

_PERCENT = Decimal("0.01")


def trailing_stop(instrument: Instrument, side: Side, trail: Trail, price: float) -> Decimal:
    """Where a trailing stop stands when the best price is `price`: on the tick that is the worse one for us."""
    best = from_market(price)
    distance = mul(best, mul(trail.offset, _PERCENT)) if trail.is_percent else trail.offset
    return instrument.worse_price(add(best, distance) if side is Side.BUY else sub(best, distance), side)


class Working:
    """An order in the exchange's book, with what has become of it.

    `kind` is what it works as now: a conditional order that was triggered works as a market or limit order.
    `level` is the price that matching goes by (a limit's limit, a conditional order's trigger) and `limit` the
    limit of a conditional order, as floats. `fresh` tells that it has met no event yet.
    """

    __slots__ = (
        "arrived",
        "best",
        "charged",
        "expires",
        "fresh",
        "group",
        "instrument",
        "kind",
        "left",
        "level",
        "limit",
        "limit_price",
        "order",
        "order_id",
        "over",
        "quantity",
        "queue",
        "side",
        "stop_price",
    )

    def __init__(self, order: SubmitOrder, instrument: Instrument, arrived: int) -> None:
        self.order = order
        self.order_id = order.order_id
        self.side = order.side
        self.instrument = instrument
        self.kind = order.order_type
        self.quantity = order.quantity
        self.left = order.quantity
        self.group = order.terms.oco
        self.expires = expiry(order)
        self.over = False
        self.charged: Charged | None = None
        self.queue: Queue | None = None
        self.best = -inf if order.side is Side.SELL else inf
        self.reprice(order.limit_price, order.stop_price, arrived)

    @property
    def price(self) -> Decimal | None:
        """What it would pay or get as far as its own prices tell; None of a market order."""
        return self.limit_price if self.limit_price is not None else self.stop_price

    @property
    def filled(self) -> Decimal:
        """How much of its quantity has filled."""
        return sub(self.quantity, self.left)

    @property
    def sleeps(self) -> bool:
        """Whether it waits for its trigger."""
        return self.kind.is_conditional

    def reprice(self, limit_price: Decimal | None, stop_price: Decimal | None, arrived: int) -> None:
        """Work at these prices from `arrived` (nanoseconds UTC) on, like an order that is new at that time."""
        self.limit_price = limit_price
        self.stop_price = stop_price
        self.arrived = arrived
        self.fresh = True
        self.queue = None
        self.limit = self.level = 0.0 if limit_price is None else float(limit_price)
        if stop_price is not None and self.sleeps:
            self.level = float(stop_price)
        elif self.kind is OrderType.TRAILING_STOP and self.side is Side.BUY:
            self.level = inf  # there is no price yet to trail: none may trigger it

    def wake(self, *, fresh: bool) -> None:
        """It was triggered: it works as a market or limit order from now on."""
        self.kind = OrderType.MARKET if self.limit_price is None else OrderType.LIMIT
        self.level = self.limit
        self.fresh = fresh

    def follow(self, price: float) -> float:
        """Let a trailing stop follow the market to `price`, if that is the best since it works; its level then."""
        trail = self.order.terms.trail
        selling = self.side is Side.SELL
        if trail is None or price <= 0 or not (price > self.best if selling else price < self.best):
            return self.level
        self.best = price
        stop = trailing_stop(self.instrument, self.side, trail, price)
        if self.stop_price is None or (stop > self.stop_price if selling else stop < self.stop_price):
            self.stop_price = stop
            self.level = float(stop)
        return self.level
