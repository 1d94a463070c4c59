"""Limits on single orders and on how many there are."""

from collections import deque
from decimal import Decimal
from math import isfinite

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import Book, Quote
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import (
    DecimalLike,
    divide,
    from_market,
    is_multiple,
    magnitude,
    mul,
    sub,
    to_decimal,
)
from tradingd.risk.exposure import Reservation
from tradingd.risk.limits.base import Denied, Proposal, RiskContext

__all__ = [
    "InstrumentFilters",
    "MaxOpenOrders",
    "MaxOrderNotional",
    "MaxOrderQuantity",
    "OrderRate",
    "PriceCollar",
    "ReduceOnly",
    "RepeatedOrders",
    "SelfMatch",
    "StaleData",
]

_NS = 1_000_000_000


class InstrumentFilters:
    """The venue's own filters, checked before it has to refuse: tick, lot, minima and maxima."""

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what the venue would reject."""
        del context
        instrument, stop = order.instrument, order.stop_price
        violation = instrument.violation(order.ordered, order.own_price, order.reference)
        if not violation and stop is not None and order.limit_price is not None:
            violation = _off_tick(instrument, stop) or _off_tick(instrument, order.limit_price)
        if not violation and order.worst is not None:
            violation = _off_tick(instrument, order.worst)
        if not violation:
            return None
        code, _, detail = violation.partition(": ")
        return Denied(code, f"{order.symbol}: {detail}")


def _off_tick(instrument: Instrument, price: Decimal) -> str:
    tick = instrument.tick
    return "" if is_multiple(price, tick) else f"TICK: price {price} is not a positive multiple of the tick {tick}"


class ReduceOnly:
    """A reduce-only order may only shrink the position, whichever orders fill, and in whatever order.

    Hence it also holds back an order that could take away what a working reduce-only order is there to reduce.
    """

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what would let a reduce-only order, this one or a working one, open or flip a position."""
        if order.reduces:
            return None
        held = context.portfolio.get_position(order.symbol).quantity
        pending = context.book.pending(order.symbol, order.side)
        if not order.reduce_only:
            return self._endangers(order, context, held)
        return Denied(
            "REDUCE_ONLY",
            f"{order.side} {order.quantity} {order.symbol} could do more than reduce {held} "
            f"of which {pending} are already being reduced",
        )

    def _endangers(self, order: Proposal, context: RiskContext, held: Decimal) -> Denied | None:
        for other in context.book.working(order.symbol):
            if other.reduce_only and other.side is order.side and other.outstanding:
                return Denied(
                    "REDUCE_ONLY",
                    f"with {order.side} {order.quantity} {order.symbol}, the reduce-only order {other.intent_id} "
                    f"of {other.outstanding} could do more than reduce {held}; cancel it first",
                )
        return None


class MaxOrderQuantity:
    """The greatest quantity of one order; orders that only reduce pass."""

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a fat finger."""
        del context
        if order.reduces or order.ordered <= self.limit:
            return None
        return Denied("MAX_ORDER_QUANTITY", f"{order.ordered} {order.symbol}, the limit is {self.limit}")


class MaxOrderNotional:
    """The greatest notional of one order, in the account's currency; orders that only reduce pass."""

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a fat finger."""
        if order.reduces:
            return None
        value = context.book.value(order.instrument, order.ordered, order.trade_price)
        if value <= self.limit:
            return None
        currency = context.portfolio.currency
        return Denied("MAX_ORDER_NOTIONAL", f"{value} {currency}, the limit is {self.limit} {currency}")


class PriceCollar:
    """How far a limit price, or the price a strategy decided on, may be from the latest one, in percent.

    The limit of an order that sleeps until its stop price is touched is held against that price: the market will
    be there when the limit begins to count. Exits at market pass, and changes that leave the price as it is.
    """

    def __init__(self, percent: DecimalLike) -> None:
        self.percent = to_decimal(percent)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a price that is far from the market."""
        del context
        price = order.limit_price if order.limit_price is not None else order.decided_at
        if price is None or order.keeps_price or (order.reduces and order.limit_price is None):
            return None
        asleep = order.limit_price is not None and order.stop_price is not None
        reference = order.stop_price if asleep else order.reference
        if reference is None or reference <= 0:
            return Denied("NO_REFERENCE_PRICE", f"{order.symbol} has no price to hold {price} against")
        distance = mul(magnitude(sub(price, reference)), Decimal(100))
        if distance <= mul(self.percent, reference):
            return None
        away = divide(distance, reference, Decimal("0.0001"))
        return Denied("PRICE_COLLAR", f"{price} is {away} % away from {reference}, the limit is {self.percent} %")


class StaleData:
    """How old the latest price may be for an order that could grow a position, in seconds."""

    def __init__(self, max_age_s: DecimalLike) -> None:
        self.max_age_ns = int(mul(to_decimal(max_age_s), Decimal(_NS)))

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny an entry on a price that is old or missing."""
        if order.reduces:
            return None
        made = context.prices.time(order.symbol)
        if made is None:
            return Denied("STALE_DATA", f"{order.symbol} has no price yet")
        age = context.now - made
        if age <= self.max_age_ns:
            return None
        return Denied(
            "STALE_DATA",
            f"{order.symbol}'s price is {age / _NS:g} s old, the limit is {self.max_age_ns / _NS:g} s",
        )


class MaxOpenOrders:
    """How many orders may be working, over all and per symbol; reducing orders pass."""

    def __init__(self, total: int | None = None, per_symbol: int | None = None) -> None:
        self.total = total
        self.per_symbol = per_symbol

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny one order too many."""
        if order.reduces or order.is_change:
            return None
        if self.total is not None and len(context.book) >= self.total:
            return Denied("MAX_OPEN_ORDERS", f"{len(context.book)} orders are working, the limit is {self.total}")
        working = len(context.book.working(order.symbol))
        if self.per_symbol is not None and working >= self.per_symbol:
            return Denied(
                "MAX_OPEN_ORDERS",
                f"{working} orders are working in {order.symbol}, the limit is {self.per_symbol}",
            )
        return None


class OrderRate:
    """How many orders a strategy may place in a sliding minute of the run's time.

    Orders that only reduce have an allowance of their own of the same size, so that a strategy that floods
    entries can still get out.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._times: dict[tuple[str, bool], deque[int]] = {}

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny an order above the rate."""
        if order.is_change or order.protects:
            return None
        times = self._times.get((order.strategy_id, order.reduces))
        if times is None:
            return None
        while times and context.now - times[0] >= 60 * _NS:
            times.popleft()
        if len(times) < self.per_minute:
            return None
        return Denied("ORDER_RATE", f"{order.strategy_id} placed {len(times)} orders within a minute, the limit")

    def passed(self, order: Proposal) -> None:
        """Count an order that was approved."""
        if not order.is_change and not order.protects:
            self._times.setdefault((order.strategy_id, order.reduces), deque()).append(order.ts)


class RepeatedOrders:
    """How often an order may be repeated within a sliding window: a loop that has gone mad does that.

    The first does not count as a repetition. What a strategy sends again under the same conditions is the same
    order: instrument, side, quantity, type, prices and trail.
    """

    def __init__(self, max_repeats: int, window_s: DecimalLike) -> None:
        self.max_repeats = max_repeats
        self.window_ns = int(mul(to_decimal(window_s), Decimal(_NS)))
        self._seen: dict[tuple[object, ...], deque[int]] = {}

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny one repetition too many."""
        if order.is_change or order.protects:
            return None
        times = self._seen.get(self._key(order))
        if times is None:
            return None
        while times and context.now - times[0] >= self.window_ns:
            times.popleft()
        if len(times) <= self.max_repeats:
            return None
        return Denied(
            "REPEATED_ORDER",
            f"the same {order.side} {order.quantity} {order.symbol} {len(times)} times "
            f"within {self.window_ns // _NS} s",
        )

    def passed(self, order: Proposal) -> None:
        """Count an order that was approved; forget those whose window has passed."""
        if order.is_change or order.protects:
            return
        self._seen.setdefault(self._key(order), deque()).append(order.ts)
        if len(self._seen) > _KEYS_KEPT:
            self._seen = {key: times for key, times in self._seen.items() if order.ts - times[-1] < self.window_ns}

    def _key(self, order: Proposal) -> tuple[object, ...]:
        return (
            order.strategy_id,
            order.symbol,
            order.side,
            order.quantity,
            order.order_type,
            order.limit_price,
            order.stop_price,
            order.terms.trail,
        )


_KEYS_KEPT = 1_000


class SelfMatch:
    """No order that would trade against one of our own that rests in the book.

    A market order is held against the best price it would meet: a quote's or book's other side, else the latest
    price. A change that the venue has not confirmed may rest at its old price or at its new one. An order that
    sleeps until its stop price is touched meets nothing yet; a stop-limit order rests once the latest price is
    beyond its stop.
    """

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny an order that crosses an own limit order on the other side."""
        if order.order_type.is_conditional:
            return None
        taker = order.limit_price if order.order_type is OrderType.LIMIT else _best(order, context)
        if taker is None:
            return None
        for other in context.book.working(order.symbol):
            if other.side is order.side or not other.outstanding or _asleep(other, context):
                continue
            for resting in other.limit_prices:
                if (taker >= resting) if order.side is Side.BUY else (taker <= resting):
                    return Denied(
                        "SELF_MATCH",
                        f"{order.side} at {taker} would meet our own {other.side} at {resting} "
                        f"({other.intent_id})",
                    )
        return None


def _asleep(other: Reservation, context: RiskContext) -> bool:
    """Whether a stop-limit order cannot rest in the book: the market is not beyond its stop price.

    One that was triggered before and did not fill has the market beyond its limit, and thus beyond its stop.
    """
    if other.order_type is not OrderType.STOP_LIMIT or other.stop_price is None or other.asked:
        return False
    latest = context.book.price(other.symbol)
    if latest is None:
        return False
    return latest > other.stop_price if other.side is Side.SELL else latest < other.stop_price


def _best(order: Proposal, context: RiskContext) -> Decimal | None:
    """The price that a market order would meet first."""
    latest = context.prices.latest.get(order.symbol)
    best: float | None = None
    if isinstance(latest, Quote):
        best = latest.ask if order.side is Side.BUY else latest.bid
    elif isinstance(latest, Book):
        levels = latest.asks if order.side is Side.BUY else latest.bids
        best = levels[0][0] if levels else None
    return from_market(best) if best is not None and isfinite(best) else order.reference
