"""What the protective-stop monitor knows of one strategy's position in one symbol."""

from decimal import Decimal
from typing import Literal, NamedTuple

from tradingd.domain.actions import restated_price
from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side
from tradingd.domain.events import CorporateAction, OrderUpdate, ProtectRequest
from tradingd.domain.instrument import Instrument
from tradingd.domain.terms import Trail
from tradingd.risk.exposure import Reservation

__all__ = ["NEVER", "Guard", "Leg", "Spec", "Wish", "closing_side", "failed", "heard", "lost", "serves"]

NEVER = 1 << 63
"""Later than any time that a run tells."""


class Spec(NamedTuple):
    """What an order of a leg is to be."""

    side: Side
    order_type: OrderType
    price: Decimal | None
    """The stop's or the target's price; a trailing stop's first one, None for its distance from the market."""
    trail: Trail | None = None

    def is_like(self, other: "Spec") -> bool:
        """Whether an order of one can be made one of the other by a change of price and quantity."""
        return (self.order_type, self.trail) == (other.order_type, other.trail)

    def other_price(self, order: Reservation) -> Decimal | None:
        """The price that a working order ought to have and has not; a trailing one looks after itself."""
        if self.order_type is OrderType.TRAILING_STOP:
            return None
        has = order.limit_price if self.order_type.has_limit else order.stop_price
        return None if has == self.price else self.price


class Leg:
    """The stop, or the target: its orders, and how often it was refused."""

    __slots__ = ("canceled", "failures", "fixed", "name", "orders", "retry_at")

    def __init__(self, name: str) -> None:
        self.name = name
        self.orders: dict[str, Spec] = {}
        """What its orders that are not over were placed as, by intent."""
        self.fixed: set[str] = set()
        """Those that the venue refused to change."""
        self.canceled: set[str] = set()
        """Those whose cancel the monitor asked for."""
        self.failures = 0
        self.retry_at = 0
        """Nothing is placed before, nanoseconds UTC."""


class Wish(NamedTuple):
    """What a guard wants, to be kept aside; the names are those of `Guard`."""

    intent_id: str
    stop_price: Decimal | None
    trail: Trail | None
    target_price: Decimal | None
    direction: Direction | None
    level: Decimal | None
    trailed: Side | None

    def restated(self, action: CorporateAction) -> "Wish":
        """The same in new shares."""
        stop, target, level = (
            None if price is None else restated_price(action, price)
            for price in (self.stop_price, self.target_price, self.level)
        )
        trail = self.trail
        if trail is not None and not trail.is_percent:
            trail = Trail(restated_price(action, trail.offset))
        return self._replace(stop_price=stop, target_price=target, level=level, trail=trail)


class Guard:
    """What is wanted, and what works, for one strategy and symbol."""

    __slots__ = (
        "_made",
        "_target_price",
        "direction",
        "former",
        "instrument",
        "intent_id",
        "level",
        "stop",
        "stop_price",
        "strategy_id",
        "target",
        "then",
        "told_lone",
        "trail",
        "trailed",
        "tries",
        "was_held",
    )

    def __init__(self, strategy_id: str, instrument: Instrument) -> None:
        self.strategy_id = strategy_id
        self.instrument = instrument
        self.stop, self.target = Leg("stop"), Leg("target")
        self.then: Literal["close", "alarm"] = "close"
        self.tries = 3
        self._made = 0
        self.renew("")

    def renew(
        self,
        intent_id: str,
        *,
        stop: Decimal | None = None,
        trail: Trail | None = None,
        target: Decimal | None = None,
        direction: Direction | None = None,
    ) -> None:
        """Want something else from now on; with neither stop, trail nor target nothing any more.

        `direction` is that of the signal which wants it: a position on the other side is none of its concern, and
        with its position it ends.
        """
        self.intent_id = intent_id
        self.stop_price, self.trail, self._target_price = stop, trail, target
        self.direction = direction
        self.level: Decimal | None = None
        """Where the trailing stop was last."""
        self.trailed: Side | None = None
        """The side of the trailing stop that worked last; None before the first."""
        self.former: Wish | None = None
        """What holds for the position that a signal is to reverse, should it not come to that."""
        self.was_held = False
        self.told_lone = False
        for leg in self.legs:
            leg.failures, leg.retry_at = 0, 0

    def wish(self) -> Wish:
        """What is wanted now."""
        return Wish(
            self.intent_id,
            self.stop_price,
            self.trail,
            self._target_price,
            self.direction,
            self.level,
            self.trailed,
        )

    def restore(self, wish: Wish) -> None:
        """Want again what was wanted before."""
        self.renew(wish.intent_id, direction=wish.direction)
        self._take(wish)

    def restate(self, action: CorporateAction) -> None:
        """Want the same in new shares."""
        self._take(self.wish().restated(action))
        if self.former is not None:
            self.former = self.former.restated(action)

    def _take(self, wish: Wish) -> None:
        self.stop_price, self.trail, self._target_price = wish.stop_price, wish.trail, wish.target_price
        self.level, self.trailed = wish.level, wish.trailed

    @property
    def key(self) -> tuple[str, str]:
        """Strategy id and symbol."""
        return self.strategy_id, self.instrument.symbol

    @property
    def legs(self) -> tuple[Leg, Leg]:
        """The stop first: it is the one that must work."""
        return self.stop, self.target

    @property
    def has_stop(self) -> bool:
        """Whether a stop is wanted."""
        return self.stop_price is not None or self.trail is not None

    @property
    def has_both(self) -> bool:
        """Whether a stop and a target are wanted."""
        return self.has_stop and self._target_price is not None

    def spec(self, leg: Leg, held: Decimal) -> Spec | None:
        """What an order of a leg is to be for what is held; None when none is wanted."""
        if not held:
            self.level = None
            return None
        side = closing_side(held)
        if self.is_reversed(held):
            return None
        self.was_held = True
        if leg is self.target:
            return (
                None
                if self._target_price is None
                else Spec(side, OrderType.LIMIT, self._on_tick(self._target_price, side))
            )
        if self.trail is not None:
            first = self._begins_at(side)
            return Spec(
                side, OrderType.TRAILING_STOP, None if first is None else self._on_tick(first, side), self.trail
            )
        return (
            None if self.stop_price is None else Spec(side, OrderType.STOP, self._on_tick(self.stop_price, side))
        )

    def is_reversed(self, held: Decimal) -> bool:
        """Whether what is held is on the other side than the signal's position."""
        return bool(held) and self.direction is not None and (self.direction is Direction.LONG) != (held > 0)

    def _begins_at(self, side: Side) -> Decimal | None:
        """Where a trailing stop begins: where the last one was; the first one where it is wanted.

        After one on the other side, or a position that is closed, such a price is one that the market has left.
        """
        if self.trailed is None:
            return self.stop_price
        return self.level if self.trailed is side else None

    def is_done(self, held: Decimal) -> bool:
        """Whether it can be forgotten: nothing is wanted any more, or the signal's position is closed again."""
        if self.former is not None:
            return False
        over = self.direction is not None and self.was_held and not held
        wanted = self.has_stop or self._target_price is not None
        return (over or not wanted) and not self.stop.orders and not self.target.orders

    def next_intent(self, leg: Leg | str) -> str:
        """A name for an order of a leg, unique in the run."""
        self._made += 1
        return f"{self.intent_id}:{leg if isinstance(leg, str) else leg.name}{self._made}"

    def as_request(self, ts: int, what: str) -> ProtectRequest:
        """What is wanted, to be told of."""
        return ProtectRequest(ts, self.strategy_id, self.intent_id + what, self.instrument.symbol)

    def _on_tick(self, price: Decimal, side: Side) -> Decimal:
        return self.instrument.round_price(price, side)


def closing_side(held: Decimal) -> Side:
    """The side that makes less of what is held."""
    return Side.SELL if held > 0 else Side.BUY


def heard(guard: Guard, leg: Leg, update: OrderUpdate) -> None:
    """Take from an update of a leg's order what the next step needs to know."""
    if update.reason.startswith("MODIFY_REJECTED"):
        leg.fixed.add(update.intent_id)
    if update.order_type is OrderType.TRAILING_STOP and update.stop_price is not None:
        guard.level, guard.trailed = update.stop_price, update.side


def serves(order: Reservation, leg: Leg, spec: Spec | None) -> bool:
    """Whether an order can be made what is wanted now, by no more than a change."""
    return spec is not None and order.side is spec.side and leg.orders[order.intent_id].is_like(spec)


def lost(order: Reservation) -> bool:
    """Whether nobody can tell if the venue has the order: it may fill, and cannot be waited for."""
    return order.latest is not None and order.latest.status is OrderStatus.UNKNOWN


def failed(reservation: Reservation) -> bool:
    """Whether an order ended by anything but fills, a split, or because another leg of its group is over."""
    told = reservation.latest
    if told is None or told.status is OrderStatus.FILLED:
        return False
    by_group = reservation.taken or told.reason.startswith(("OCO", "SPLIT"))
    return not (told.status is OrderStatus.CANCELED and by_group)
