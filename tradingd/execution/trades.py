"""Which trades have been booked: the memory behind "every fill exactly once"."""

from collections import OrderedDict

from tradingd.domain.enums import Side
from tradingd.domain.events import TradeReport

__all__ = ["BookedTrades", "TradeKey", "is_trade"]

TradeKey = tuple[str, str, str, Side]
"""(venue, symbol, trade id, side): what a venue calls one trade. The side, because a trade with oneself is two."""


class BookedTrades:
    """The keys of booked trades and the order each was booked for, in bounded memory.

    Keys of an order are kept for as long as the order is; those of forgotten orders and of orders that are not
    ours go into one pool that holds the latest `pooled`.
    """

    __slots__ = ("_by_order", "_orders", "_pool", "_pooled")

    def __init__(self, pooled: int) -> None:
        self._orders: dict[TradeKey, str] = {}
        self._by_order: dict[str, list[TradeKey]] = {}
        self._pool: OrderedDict[TradeKey, str] = OrderedDict()
        self._pooled = pooled

    def __len__(self) -> int:
        return len(self._orders) + len(self._pool)

    @staticmethod
    def key(report: TradeReport) -> TradeKey:
        """What names the trade of a report."""
        return report.venue, report.symbol, report.trade_id, report.side

    def order_of(self, report: TradeReport) -> str | None:
        """The order id that this trade has been booked for; None when it has not."""
        key = self.key(report)
        return self._orders.get(key, self._pool.get(key))

    def add(self, report: TradeReport, *, ours: bool) -> None:
        """Remember a trade as booked, of an order that is `ours` or not."""
        key = self.key(report)
        if ours:
            self._orders[key] = report.order_id
            self._by_order.setdefault(report.order_id, []).append(key)
        else:
            self._put_in_pool(key, report.order_id)

    def forget(self, order_id: str) -> None:
        """The order is not remembered any more: its trades move into the pool."""
        for key in self._by_order.pop(order_id, ()):
            self._put_in_pool(key, self._orders.pop(key))

    def _put_in_pool(self, key: TradeKey, order_id: str) -> None:
        self._pool[key] = order_id
        if len(self._pool) > self._pooled:
            self._pool.popitem(last=False)


def is_trade(report: TradeReport) -> bool:
    """Whether a report tells of a trade that can be booked, and booked once."""
    amounts = (report.quantity, report.price)
    return bool(report.trade_id) and all(amount.is_finite() and amount > 0 for amount in amounts)
