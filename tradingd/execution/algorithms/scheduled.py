"""TWAP and VWAP: an order in slices over time, by a flat or a given curve of volume."""

from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal

from tradingd.domain.enums import Side
from tradingd.domain.money import ONE, ZERO, add, mul, share, sub
from tradingd.errors import UsageError
from tradingd.execution.algorithms.base import Algorithm, Parent
from tradingd.execution.algorithms.params import Params

__all__ = ["Scheduled", "Twap", "Vwap"]


class _Plan:
    """Where an order stands in its schedule."""

    __slots__ = ("canceling", "end", "finish", "moments", "next", "style", "weights")

    def __init__(
        self, moments: Sequence[int], weights: Sequence[Decimal], end: int, style: str, finish: str
    ) -> None:
        self.moments = moments
        """When each slice is due, nanoseconds UTC, ascending."""
        self.weights = weights
        self.end = end
        self.style = style
        self.finish = finish
        self.next = 0
        """The first slice that has not been sent."""
        self.canceling = False
        """The end has come, and what works is being canceled."""


class Scheduled(Algorithm):
    """Sends slices at given moments, each in proportion to its weight.

    A slice is its weight's share of what is left, by the weights that are left: what did not fill is spread over
    the slices to come, and the last one takes all the rest, so that whole lots add up exactly. A slice too small
    for the venue is sent with the next one; so is a rest that would be too small, with the slice before.

    Parameters of both kinds: `duration_s`; `style`: "market" (an order without a limit price only), "limit" (at
    the order's limit price) or "passive" (at the best price of its own side, put there anew at each slice, never
    beyond the order's limit price), by default market or limit after what the order is; `finish`: what becomes of
    the rest when the time is over: "take" (at market, or at the order's limit price, where it stays until it
    fills) or "cancel".

    Time is the run's own: slices that come due while the market is closed are sent then, and trade when it opens.
    """

    @abstractmethod
    def schedule(self, params: Params, duration_ns: int) -> tuple[Sequence[int], Sequence[Decimal]]:
        """The offset of each slice from the start, in nanoseconds, and its weight."""

    def accept(self, parent: Parent, params: Params) -> None:
        """Make the plan."""
        duration = params.duration_ns("duration_s")
        offsets, weights = self.schedule(params, duration)
        limited = parent.order.limit_price is not None
        style = params.choice("style", ("market", "limit", "passive"), "limit" if limited else "market")
        if style != "passive" and limited is not (style == "limit"):
            has = "has one" if limited else "has none"
            raise UsageError(f'style "{style}" does not fit the order\'s limit price: it {has}')
        finish = params.choice("finish", ("take", "cancel"), "take")
        start = self.clock.now()
        parent.state = _Plan([start + each for each in offsets], weights, start + duration, style, finish)

    def advance(self, parent: Parent) -> None:
        """Send what is due, or finish when the time is over."""
        plan: _Plan = parent.state
        now = self.clock.now()
        if now >= plan.end:
            self._finish(parent, plan)
            return
        due = len([moment for moment in plan.moments if moment <= now])
        if due > plan.next:
            self._slice(parent, plan, due)
        self.wake_at(parent, plan.moments[due] if due < len(plan.moments) else plan.end)

    def _slice(self, parent: Parent, plan: _Plan, due: int) -> None:
        """Send the slices up to `due` as one, once what is to make way for it is gone."""
        live = parent.live
        if plan.style == "passive" and live:
            for label in live:
                self.cancel(parent, label)
            return  # its end brings us back here
        quantity = self._size(parent, plan, due)
        if self.is_too_small(parent, quantity) and due < len(plan.moments):
            return
        limit = self._price(parent, plan)
        if plan.style == "passive" and limit is None:
            return  # there is no price yet: a later slice takes this one along
        plan.next = due
        if quantity > 0:
            self.send(parent, quantity, limit)

    def _size(self, parent: Parent, plan: _Plan, due: int) -> Decimal:
        available = parent.available
        if due == len(plan.moments):
            return available
        part, whole = _sum(plan.weights[plan.next : due]), _sum(plan.weights[plan.next :])
        quantity = self.instrument(parent).floor_quantity(share(available, part, whole))
        if self.is_too_small(parent, quantity):
            return quantity
        return available if self.is_too_small(parent, sub(available, quantity)) else quantity

    def _price(self, parent: Parent, plan: _Plan) -> Decimal | None:
        """The limit price of a slice; None of a market order, and of a passive one when there is no price."""
        limit = parent.order.limit_price
        if plan.style != "passive":
            return limit
        best = self.own_best(parent)
        if best is None or limit is None:
            return best
        return min(best, limit) if parent.order.side is Side.BUY else max(best, limit)

    def _finish(self, parent: Parent, plan: _Plan) -> None:
        """The time is over: what works makes way for the rest, which is taken or given up."""
        live = parent.live
        if live and plan.style != "market" and not plan.canceling:
            for label in live:
                self.cancel(parent, label)
        plan.canceling = True
        if live:
            return
        rest = parent.available
        if rest > 0 and plan.finish == "take":
            self.send(parent, rest, parent.order.limit_price)
        self.done(parent, f"UNFILLED: {rest} at the end of the {self.name}")


class Twap(Scheduled):
    """Equal slices at equal intervals, the first at once.

    Parameters besides those of `Scheduled`: `slices` (10); `jitter` (0): by which fraction of the interval a slice
    may come earlier or later than its time, half of it to each side, by the run's seeded chance.
    """

    def schedule(self, params: Params, duration_ns: int) -> tuple[Sequence[int], Sequence[Decimal]]:
        """Equal weights, at intervals that are equal but for the jitter."""
        slices, jitter = params.count("slices", 10), params.fraction("jitter")
        span = int(mul(Decimal(duration_ns // slices), jitter))
        shifts = [int(span * self.draw()) - span // 2 if span else 0 for _ in range(slices)]
        offsets = [max(0, duration_ns * number // slices + shift) for number, shift in enumerate(shifts)]
        return offsets, [ONE] * slices


class Vwap(Scheduled):
    """Slices in proportion to the volume that is expected in equal parts of the time.

    Parameters besides those of `Scheduled`: `curve`: the volume of each part, as numbers with commas between (they
    need not add up to 1), or the name of a curve in `execution.volume_curves`.
    """

    def schedule(self, params: Params, duration_ns: int) -> tuple[Sequence[int], Sequence[Decimal]]:
        """One slice at the beginning of each part."""
        text = params.text("curve")
        if text is None:
            raise UsageError("curve is missing: the volume of each part of the time, such as 3,2,1,4, or a name")
        named = self.curves.get(text)
        if named is None and not any(letter.isdigit() for letter in text.partition(",")[0]):
            known = ", ".join(sorted(self.curves)) or "none"
            raise UsageError(f"curve {text!r} is not in execution.volume_curves; there are: {known}")
        source = text if named is None else named
        parts = source.count(",") + 1
        weights = params.weights("curve", source)
        return [duration_ns * number // parts for number in range(len(weights))], weights


def _sum(weights: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for weight in weights:
        total = add(total, weight)
    return total
