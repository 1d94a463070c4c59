"""Grid, market maker and DCA against a market, risk and a venue that do anything: their bounds hold."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from tests.strategy.desk import Desk
from tradingd.domain.enums import Direction, OrderStatus, Side
from tradingd.domain.events import CancelRequest, ModifyRequest, OrderRequest, Signal
from tradingd.strategy.dca import DollarCostAveraging
from tradingd.strategy.grid import Grid
from tradingd.strategy.market_maker import MarketMaker
from tradingd.testing import at, make_quote

S = OrderStatus
ENDS = [S.DENIED, S.REJECTED, S.EXPIRED]


class Venue(Desk):
    """Answers late, refuses, fills in parts, loses orders, rejects cancels and changes; all by one seed.

    Of every order the venue knows what may still fill, whatever it has told of it.
    """

    def __init__(self, seed: int, cls: Any, params: dict[str, Any]) -> None:
        super().__init__(cls, params)
        self.random = Random(seed)  # noqa: S311 - a seeded market
        self.price = 100.0
        self.second = 0.0
        self.book_: dict[str, OrderRequest] = {}
        self.open: dict[str, Decimal] = {}
        self.limit: dict[str, Decimal | None] = {}
        self.asked = 0
        self.deals: list[tuple[Side, Decimal, Decimal]] = []
        self.waiting: list[Any] = []

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def step(self, check: Any) -> None:
        """The market moves, the venue catches up with what was asked, orders fill."""
        self.second += self.random.choice([0.2, 1.0, 5.0, 70.0])
        self.price += self.random.gauss(0, 3.0) - 0.08 * (self.price - 100.0)
        crossed = self.chance(0.03)
        half = -0.02 if crossed else 0.02
        self.take(self.market(make_quote(self.price - half, self.price + half, minute=self.second / 60)))
        check(self)
        for wish in self.due():
            self.serve(wish)
            check(self)
        for intent in tuple(self.open):
            if self.orders.get(intent) is not None and self.crosses(intent) and self.chance(0.8):
                self.trade(intent)
                check(self)

    def due(self) -> list[Any]:
        now = [wish for wish in self.waiting if self.chance(0.8)]
        self.waiting = [wish for wish in self.waiting if all(wish is not each for each in now)]
        return now

    def take(self, events: list[Any]) -> None:
        self.waiting += events
        self.asked += len(events)
        for event in events:
            if isinstance(event, OrderRequest):
                self.book_[event.intent_id] = event
                self.open[event.intent_id] = event.quantity
                self.limit[event.intent_id] = event.limit_price

    def end(self, intent: str, status: OrderStatus) -> None:
        self.open.pop(intent, None)
        self.take(self.tell(self.book_[intent], status, status.name))

    def serve(self, wish: Any) -> None:
        match wish:
            case OrderRequest():
                self.serve_order(wish)
            case CancelRequest() if wish.intent_id in self.open:
                self.take(self.tell(wish.intent_id, S.CANCELING))
                if self.chance(0.1):
                    self.take(self.tell(wish.intent_id, S.OPEN, "CANCEL_REJECTED"))
                else:
                    if self.chance(0.1):
                        self.trade(wish.intent_id)
                    if wish.intent_id in self.open:
                        self.end(wish.intent_id, S.CANCELED)
            case ModifyRequest() if wish.intent_id in self.open:
                if self.chance(0.2):
                    self.take(self.tell(wish.intent_id, S.OPEN, "MODIFY_REJECTED: no"))
                else:
                    self.limit[wish.intent_id] = wish.limit_price
                    self.take(self.tell(wish.intent_id, S.OPEN, "MODIFIED", limit_price=wish.limit_price))
            case Signal() if wish.direction is Direction.FLAT:
                self.take(self.tell(wish, S.DENIED, "not today"))

    def serve_order(self, wish: OrderRequest) -> None:
        intent = wish.intent_id
        if self.chance(0.12):
            self.end(intent, self.random.choice(ENDS))
            return
        self.take(self.tell(wish, S.SENDING))
        if self.chance(0.05):
            self.take(self.tell(wish, S.UNKNOWN))
        self.take(self.tell(wish, S.OPEN))

    def crosses(self, intent: str) -> bool:
        limit = self.limit[intent]
        if self.orders[intent].status is not S.OPEN:
            return False
        if limit is None:
            return True
        return float(limit) >= self.price if self.book_[intent].side is Side.BUY else float(limit) <= self.price

    def trade(self, intent: str) -> None:
        """All of it, or a part; the news in either order; now and then the rest is canceled by the venue."""
        wish, left = self.book_[intent], self.open[intent]
        part = left if self.chance(0.7) else max(Decimal(1), (left / 2).to_integral_value())
        self.open[intent] = left - part
        if part == left:
            del self.open[intent]
        price = self.limit[intent] or Decimal(f"{self.price:.2f}")
        self.deals.append((wish.side, part, price))
        self.take(self.fill(wish, part, f"{price}", late=self.chance(0.5)))
        if intent in self.open and self.chance(0.2):
            self.end(intent, S.CANCELED)

    def reach(self, side: Side) -> Decimal:
        """How far the position could get if everything on that side filled."""
        going = sum((left for intent, left in self.open.items() if self.book_[intent].side is side), Decimal(0))
        return self.position("AAPL") + going * side.sign


SEEDS = range(25)
STEPS = 250


@pytest.mark.parametrize("seed", SEEDS)
def test_a_grid_stays_within_its_inventory(seed: int) -> None:
    """Neither above `max_inventory` nor below 0, whichever of its orders fill; and it does not fall silent."""

    def check(venue: Venue) -> None:
        assert venue.reach(Side.BUY) <= 60
        assert venue.reach(Side.SELL) >= 0

    params = {"symbol": "AAPL", "lower": "80", "upper": "120", "levels": 11, "quantity": "10"}
    venue = Venue(seed, Grid, {**params, "max_inventory": "60", "retry_s": 5})
    for _ in range(STEPS):
        venue.step(check)
    assert len(venue.deals) > 25
    assert venue.asked < 5 * STEPS
    sides = [side for side, _, _ in venue.deals]
    assert sides.count(Side.SELL) > 10


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("allow_short", [False, True])
def test_a_market_maker_stays_within_its_inventory(seed: int, allow_short: bool) -> None:  # noqa: FBT001
    """Within `max_inventory` on both sides, or above 0; and never two orders on one side."""

    def check(venue: Venue) -> None:
        assert venue.reach(Side.BUY) <= 30
        assert venue.reach(Side.SELL) >= (-30 if allow_short else 0)
        sides = [venue.book_[intent].side for intent in venue.open]
        assert len(sides) == len(set(sides))

    params = {"symbol": "AAPL", "quantity": "10", "max_inventory": "30", "allow_short": allow_short}
    venue = Venue(seed, MarketMaker, {**params, "half_spread_bps": 20, "skew_bps": 20, "post_only": False})
    for _ in range(STEPS):
        venue.step(check)
    assert len(venue.deals) > 10
    assert venue.asked < 5 * STEPS


@pytest.mark.parametrize("seed", SEEDS)
def test_dca_spends_what_is_due_and_no_more(seed: int) -> None:
    """Never two orders at a time; at the end the money of the schedule, give or take the last order and a lot."""

    def check(venue: Venue) -> None:
        assert len(venue.open) <= 1

    venue = Venue(
        seed, DollarCostAveraging, {"symbol": "AAPL", "notional": "1000", "interval_s": 60, "retry_s": 5}
    )
    for _ in range(STEPS):
        venue.step(check)
    due = 1000 * (1 + int((venue.run.clock.now() - at(0)) / 60e9))
    spent = sum(float(quantity * price) for _, quantity, price in venue.deals)
    assert spent <= due + 100
    assert spent > 0.8 * due
