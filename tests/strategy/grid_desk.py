"""A desk around a grid of four cells."""

from decimal import Decimal
from typing import Any

from tests.strategy.desk import Desk, requests
from tradingd.domain.enums import OrderStatus
from tradingd.strategy.grid import Grid
from tradingd.testing import make_trade


class Ladder(Desk):
    """Lines at 90, 95, 100, 105 and 110, ten shares a cell; no first inventory unless told."""

    def __init__(self, **params: Any) -> None:
        given = {
            "symbol": "AAPL",
            "lower": "90",
            "upper": "110",
            "levels": 5,
            "spacing": "arithmetic",
            "quantity": "10",
            "buy_at_start": False,
            **params,
        }
        options = {"instruments": params.pop("instruments")} if "instruments" in params else {}
        given.pop("instruments", None)
        super().__init__(Grid, given, **options)
        self.minute = 0.0
        self.working: dict[str, Any] = {}

    def price(self, price: float, after: float = 1.0) -> list[Any]:
        """The market moves there; nothing fills by itself."""
        self.minute += after
        return self.market(make_trade(price, minute=self.minute))

    def accept_all(self, asked: list[Any]) -> list[Any]:
        """The venue takes all orders, and those that follow from it; returns them all."""
        orders = requests(asked)
        for order in orders:
            self.working[order.intent_id] = order
            orders.extend(requests(self.accept(order)))
        return orders

    def start(self, price: float = 102.0) -> "Ladder":
        """The first ladder is in the book."""
        self.accept_all(self.price(price))
        return self

    def at(self, side: str, price: str) -> Any:
        """The working order there."""
        (found,) = [o for o in self.working.values() if str(o.side) == side and o.limit_price == Decimal(price)]
        return found

    def filled(self, side: str, price: str, quantity: str = "", **how: Any) -> list[Any]:
        """The order there fills; what follows is accepted and returned."""
        order = self.at(side, price)
        asked = self.fill(order, quantity, **how)
        if self.orders[order.intent_id].status is OrderStatus.FILLED:
            del self.working[order.intent_id]
        return self.accept_all(asked)

    def ended(self, intent: str, status: OrderStatus = OrderStatus.CANCELED) -> list[Any]:
        del self.working[intent]
        return self.tell(intent, status, "because")
