"""Orders that are held back until the market touches them, at venues that have no such orders."""

from decimal import Decimal

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import MarketEvent
from tradingd.domain.order import Order
from tradingd.domain.ports import Clock, InstrumentLookup
from tradingd.domain.prices import PriceBoard
from tradingd.execution.triggers import (
    Seen,
    best_of,
    level_of,
    seen_since,
    taken_at,
    touches,
    trailing_level,
    triggers_above,
)
from tradingd.execution.work import Desk, Work

__all__ = ["Holding"]


class _Held:
    """An order that waits for a price."""

    __slots__ = ("above", "best", "level", "placed", "waits_for_price", "work")

    def __init__(self, work: Work, placed: int) -> None:
        order = work.order
        self.work = work
        self.placed = placed
        self.above = triggers_above(order.order_type, order.side)
        self.level = level_of(order.stop_price)
        self.best: float | None = None
        """The best price that a trailing stop has seen."""
        self.waits_for_price = False
        """A post-only order that waits for the first price, to know whether it would rest."""


class Holding:
    """Keeps the orders that are held back, and looks at market events of their symbols for them.

    Of several that one event touches, stops come first: that is the worse order for us, as in the simulated
    exchange. A trailing stop is first held against its old level; then it moves by the event's first price and is
    held against all of the event; then it moves by the best price and is held against the last one.
    """

    def __init__(self, desk: Desk, clock: Clock, prices: PriceBoard, instruments: InstrumentLookup | None) -> None:
        self._desk = desk
        self._clock = clock
        self._prices = prices
        self._instruments = instruments
        self._by_symbol: dict[str, dict[str, _Held]] = {}

    def hold(self, work: Work) -> None:
        """Keep a conditional order until its price is touched."""
        held = self._keep(work)
        if work.order.terms.trail is not None:
            price = self._prices.price(work.order.symbol)
            if price is not None and price > 0:
                self._follow(held, price)
        at = "its distance" if held.level is None else held.level
        self._desk.tell(work, f"HELD: until the market touches {at}")

    def hold_for_price(self, work: Work) -> None:
        """Keep a post-only order until somebody knows whether it would rest."""
        self._keep(work).waits_for_price = True
        self._desk.tell(work, "HELD: until there is a price that tells whether it would rest")

    def holds(self, work: Work) -> bool:
        """Whether an order is kept here."""
        return work.order.order_id in self._by_symbol.get(work.order.symbol, {})

    def drop(self, work: Work) -> None:
        """Keep an order no longer."""
        held = self._by_symbol.get(work.order.symbol)
        if held and held.pop(work.order.order_id, None) is not None and not held:
            del self._by_symbol[work.order.symbol]

    def moved(self, work: Work) -> None:
        """The prices of an order that is kept here were changed."""
        held = self._by_symbol[work.order.symbol][work.order.order_id]
        held.level = level_of(work.order.stop_price)

    def would_trade(self, order: Order, limit_price: Decimal | None) -> bool | None:
        """Whether an order would trade at once at a limit price; None when there is no price to tell."""
        latest = self._prices.latest.get(order.symbol)
        limit = level_of(limit_price)
        if latest is None or limit is None:
            return None
        other = taken_at(latest, order.side)
        if not other > 0:
            return False  # nobody is there to trade with
        return other <= limit if order.side is Side.BUY else other >= limit

    def own_best(self, symbol: str, side: Side) -> float | None:
        """The best price of one's own side; None when nobody knows."""
        latest = self._prices.latest.get(symbol)
        return None if latest is None else best_of(latest, side)

    def on_market_data(self, event: MarketEvent) -> None:
        """Release what the event touches."""
        waiting = self._by_symbol.get(event.symbol)
        if not waiting:
            return
        touched = [held for held in tuple(waiting.values()) if self._is_touched(held, event)]
        if len(touched) > 1:
            touched.sort(key=_stops_first)
        for held in touched:
            if self.holds(held.work):  # what came before may have led to its cancel
                held.work.triggered = not held.waits_for_price or held.work.triggered
                self._desk.release(held.work)

    def _keep(self, work: Work) -> _Held:
        held = _Held(work, self._clock.now())
        self._by_symbol.setdefault(work.order.symbol, {})[work.order.order_id] = held
        self._desk.watch(work.order.symbol)
        return held

    def _is_touched(self, held: _Held, event: MarketEvent) -> bool:
        if held.waits_for_price or held.work.triggered:
            return True
        seen = seen_since(held.placed, event, held.work.order.side)
        if seen is None:
            return False
        if self._is_hit(held, seen):
            return True
        if held.work.order.terms.trail is None:
            return False
        if self._follow(held, seen.first) and self._is_hit(held, seen):
            return True
        best = seen.low if held.above else seen.high
        return self._follow(held, best) and self._is_hit(held, Seen.at(seen.last))

    @staticmethod
    def _is_hit(held: _Held, seen: Seen) -> bool:
        return held.level is not None and touches(seen, held.level, above=held.above)

    def _follow(self, held: _Held, best: float) -> bool:
        """Let a trailing stop follow the market to `best`; whether it moved."""
        order, trail = held.work.order, held.work.order.terms.trail
        if trail is None or (held.best is not None and (best >= held.best if held.above else best <= held.best)):
            return False
        held.best = best
        instrument = None if self._instruments is None else self._instruments[order.symbol]
        level = trailing_level(best, trail, order.side, instrument)
        if order.stop_price is not None and not _is_tighter(level, order.stop_price, above=held.above):
            return False
        order.amend(None, None, level)
        held.level = level_of(level)
        return True


def _is_tighter(level: Decimal, than: Decimal, *, above: bool) -> bool:
    return level < than if above else level > than


def _stops_first(held: _Held) -> bool:
    return held.work.order.order_type in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
