"""Where the loopback exchange's market comes from: a seeded house that quotes and trades like a busy market.

The house keeps a two-sided book around a price that walks at random, and sends takers of random size. It trades
by the same engine as everybody: whoever quotes better than it is traded with. It is driven in steps (`step`),
which is deterministic, or in real time at a rate (`run`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import mul, quotient
from tradingd.testing.exchange.model import EngineEvent, MarketChange, MarketSpec, Side
from tradingd.testing.exchange.past import Past

__all__ = ["MarketSource", "Plan"]

_REQUOTE, _MOVE = 0.45, 0.65  # of all steps: a level changes its size; the price walks; the rest are takers
_TAKEN = 0.15  # a taker's mean size, as a share of a level
_TICK_S = 0.01  # how often `run` wakes


@dataclass(frozen=True, slots=True)
class Plan:
    """How the house makes one market. Money is in the quote asset."""

    symbol: str
    price: Decimal
    """Where it starts."""
    levels: int = 10
    """How many levels each side has."""
    level_value: Decimal = Decimal(20_000)
    """What a level is worth on the average."""
    half_spread: int = 1
    """Ticks from the middle to the best price."""
    step_ticks: int = 2
    """How far the price walks at once, at most, in ticks."""


@dataclass(slots=True)
class _House:
    """The house's orders in one market: by side, ticks of the price to order id."""

    plan: Plan
    spec: MarketSpec
    mid: int
    lots: int
    orders: dict[Side, dict[int, int]] = field(default_factory=lambda: {side: {} for side in Side})

    @classmethod
    def of(cls, plan: Plan, spec: MarketSpec, price: Decimal) -> "_House":
        """A house with nothing in the book yet."""
        value = mul(price, spec.lot)
        lots = max(2, int(quotient(plan.level_value, value, Decimal(1))))
        return cls(plan, spec, max(plan.levels * 2, int(quotient(price, spec.tick, Decimal(1)))), lots)

    def ticks(self, side: Side, level: int) -> int:
        """The price of a level, in ticks."""
        away = self.plan.half_spread + level
        return self.mid - away if side is Side.BUY else self.mid + away


class MarketSource:
    """Makes the markets of an exchange. `seed` decides everything that it does.

    So many minutes of candles from before it began are told by `GET klines`: what strategies warm up with.
    """

    def __init__(
        self, engine: Engine, plans: Iterable[Plan], seed: int = 1, *, past_minutes: int = 14 * 24 * 60
    ) -> None:
        self._engine = engine
        self._random = Random(seed)  # noqa: S311 - repeatable, nothing secret
        specs = engine.markets
        self._houses = [_House.of(plan, specs[plan.symbol], plan.price) for plan in plans]
        for house in self._houses:
            spec, price = house.spec, house.plan.price
            engine.past[spec.symbol] = Past(spec, price, engine.now(), past_minutes, seed)
        self._stop_listening = engine.listen(self._hear)
        self.steps = 0
        for house in self._houses:
            self._fill(house)

    def step(self, count: int = 1) -> None:
        """Let something happen so many times, each time in one market."""
        for _ in range(count):
            if not self._houses:
                return
            self.steps += 1
            house = self._random.choice(self._houses)
            if house.spec.status != "TRADING":
                continue
            what = self._random.random()
            if what < _REQUOTE:
                self._requote(house)
            elif what < _MOVE:
                self.move(house.plan.symbol, self._random.choice((-1, 1)) * self._up_to(house.plan.step_ticks))
            else:
                self._take(house)

    def move(self, symbol: str, ticks: int) -> None:
        """Move a market's price by so many ticks, the house's book with it; who is in the way is traded with."""
        house = next(one for one in self._houses if one.plan.symbol == symbol)
        if house.mid + ticks < house.plan.levels * 2:
            ticks = -ticks  # a price stays above zero
        house.mid += ticks
        rising = ticks > 0
        # the side that the price moves towards makes way first, or the house would trade with itself
        for side in (Side.SELL, Side.BUY) if rising else (Side.BUY, Side.SELL):
            self._place_levels(house, side)

    def take(self, symbol: str, side: Side, qty: Decimal) -> None:
        """Send a taker of the house."""
        self._engine.house_market(symbol, side, qty)

    async def run(
        self,
        rate: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        held: Callable[[], bool] = lambda: False,
    ) -> None:
        """Step in real time, `rate` times a second, until cancelled. What a busy loop made late is left out.

        Nothing happens while it is `held`, for clients that share a loop or a machine with it and are behind.
        """
        started, done = monotonic(), 0
        while True:
            due = int((monotonic() - started) * rate) - done
            done += due
            if not held():
                self.step(min(due, int(rate * _TICK_S * 10) + 1))
            await sleep(_TICK_S)

    def close(self) -> None:
        """Leave the book as it is and hear of nothing more."""
        self._stop_listening()
        self._houses.clear()

    def _hear(self, event: EngineEvent) -> None:
        if not isinstance(event, MarketChange):
            return
        for index, house in enumerate(self._houses):
            if house.plan.symbol != event.spec.symbol:
                continue
            if event.delisted:
                del self._houses[index]
            else:
                self._houses[index] = self._reborn(house, event.spec)
            return

    def _reborn(self, house: _House, spec: MarketSpec) -> _House:
        """The house under new filters, at the same price."""
        for side in Side:
            for order_id in house.orders[side].values():
                self._engine.house_cancel(spec.symbol, order_id)
        reborn = _House.of(house.plan, spec, mul(Decimal(house.mid), house.spec.tick))
        self._fill(reborn)
        return reborn

    def _fill(self, house: _House) -> None:
        for side in Side:
            self._place_levels(house, side)

    def _place_levels(self, house: _House, side: Side) -> None:
        wanted = {house.ticks(side, level) for level in range(house.plan.levels)}
        orders = house.orders[side]
        for ticks in orders.keys() - wanted:
            self._engine.house_cancel(house.spec.symbol, orders.pop(ticks))
        for ticks in sorted(wanted - orders.keys(), reverse=side is Side.BUY):
            self._place(house, side, ticks)

    def _place(self, house: _House, side: Side, ticks: int) -> None:
        spec = house.spec
        qty = mul(Decimal(1 + self._up_to(2 * house.lots - 1)), spec.lot)
        order = self._engine.house_place(spec.symbol, side, qty, mul(Decimal(ticks), spec.tick))
        house.orders[side][ticks] = order.id

    def _requote(self, house: _House) -> None:
        side = self._random.choice((Side.BUY, Side.SELL))
        ticks = house.ticks(side, min(int(self._random.expovariate(0.5)), house.plan.levels - 1))
        old = house.orders[side].pop(ticks, None)
        if old is not None:
            self._engine.house_cancel(house.spec.symbol, old)
        self._place(house, side, ticks)

    def _take(self, house: _House) -> None:
        side = self._random.choice((Side.BUY, Side.SELL))
        lots = 1 + int(self._random.expovariate(1 / max(1.0, house.lots * _TAKEN)))
        self._engine.house_market(house.spec.symbol, side, mul(Decimal(lots), house.spec.lot))

    def _up_to(self, most: int) -> int:
        return self._random.randint(1, max(1, most))
