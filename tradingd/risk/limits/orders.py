"""Limits on single orders and on how many there are."""

from collections import deque
from decimal import Decimal

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.money import DecimalLike, divide, magnitude, mul, sub, to_decimal
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
        price = order.limit_price if order.limit_price is not None else order.stop_price
        violation = order.instrument.violation(order.quantity, price, order.reference)
        if not violation:
            return None
        code, _, detail = violation.partition(": ")
        return Denied(code, f"{order.symbol}: {detail}")


class ReduceOnly:
    """A reduce-only order may only shrink the position, whichever subset of the working orders fills."""

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a reduce-only order that could open or flip a position."""
        if not order.reduce_only or order.reduces:
            return None
        held = context.portfolio.get_position(order.symbol).quantity
        pending = context.book.pending(order.symbol, order.side)
        return Denied(
            "REDUCE_ONLY",
            f"{order.side} {order.quantity} {order.symbol} could do more than reduce {held} "
            f"of which {pending} are already being reduced",
        )


class MaxOrderQuantity:
    """The greatest quantity of one order; orders that only reduce pass."""

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a fat finger."""
        del context
        if order.reduces or order.quantity <= self.limit:
            return None
        return Denied("MAX_ORDER_QUANTITY", f"{order.quantity} {order.symbol}, the limit is {self.limit}")


class MaxOrderNotional:
    """The greatest notional of one order, in the account's currency; orders that only reduce pass."""

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a fat finger."""
        if order.reduces:
            return None
        value = context.book.value(order.instrument, order.quantity, order.price)
        if value <= self.limit:
            return None
        currency = context.portfolio.currency
        return Denied("MAX_ORDER_NOTIONAL", f"{value} {currency}, the limit is {self.limit} {currency}")


class PriceCollar:
    """How far a limit price, or the price a strategy decided on, may be from the latest one, in percent."""

    def __init__(self, percent: DecimalLike) -> None:
        self.percent = to_decimal(percent)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a price that is far from the market; exits at market pass."""
        del context
        price = order.limit_price if order.limit_price is not None else order.decided_at
        if price is None or (order.reduces and order.limit_price is None):
            return None
        reference = order.reference
        if reference is None or reference <= 0:
            return Denied("NO_REFERENCE_PRICE", f"{order.symbol} has no price to hold {price} against")
        away = mul(divide(magnitude(sub(price, reference)), reference), Decimal(100))
        if away <= self.percent:
            return None
        return Denied(
            "PRICE_COLLAR",
            f"{price} is {away.normalize():.4g} % away from {reference}, the limit is {self.percent} %",
        )


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
        if order.is_change:
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
        if not order.is_change:
            self._times.setdefault((order.strategy_id, order.reduces), deque()).append(order.ts)


class RepeatedOrders:
    """How often an identical order may be placed within a window: a loop that has gone mad does that."""

    def __init__(self, max_repeats: int, window_s: DecimalLike) -> None:
        self.max_repeats = max_repeats
        self.window_ns = int(mul(to_decimal(window_s), Decimal(_NS)))
        self._seen: dict[tuple[object, ...], deque[int]] = {}

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny one repetition too many."""
        if order.is_change:
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
        if order.is_change:
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
        )


_KEYS_KEPT = 1_000


class SelfMatch:
    """No order that would trade against one of our own."""

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny an order that crosses an own limit order on the other side."""
        taker = order.limit_price if order.order_type is OrderType.LIMIT else order.reference
        if order.order_type is OrderType.STOP or taker is None:
            return None
        for other in context.book.working(order.symbol):
            resting = other.limit_price
            if other.side is order.side or resting is None or other.intent_id == order.intent_id:
                continue
            if (taker >= resting) if order.side is Side.BUY else (taker <= resting):
                return Denied(
                    "SELF_MATCH",
                    f"{order.side} at {taker} would meet our own {other.side} at {resting} ({other.intent_id})",
                )
        return None
