"""A strategy that buys once and answers to what happens to its shares."""

from tradingd.domain.enums import OrderStatus, Side
from tradingd.domain.events import Bar, CorporateAction, Fill, OrderUpdate
from tradingd.strategy.base import Strategy, StrategyParams


class Holder(Strategy):
    """Buys (or sells short) at the first bar, and keeps a stop and a far limit order at work."""

    class Params(StrategyParams):
        """What to hold, and whether orders work meanwhile."""

        symbol: str
        quantity: int
        orders: bool = False
        protect: bool = False

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.bars = 0
        self.seen: list[tuple[CorporateAction, str, float | None]] = []
        self.canceled: list[tuple[str, str]] = []

    def on_bar(self, bar: Bar) -> None:
        """Buy once; then place the orders once, at prices that will not be met."""
        self.bars += 1
        side = Side.BUY if self.params.quantity > 0 else Side.SELL
        quantity = abs(self.params.quantity)
        if self.bars == 1:
            self.order(bar.symbol, side, quantity)
        if self.bars == 3 and self.params.orders:
            self.order(bar.symbol, Side.SELL, quantity, stop=bar.close * 0.3, reduce_only=True)
            self.order(bar.symbol, Side.BUY, 1, limit=bar.close * 0.25)

    def on_fill(self, fill: Fill) -> None:
        """Protect what was bought, far away."""
        if self.params.protect:
            self.protect(fill.symbol, stop=float(fill.price) / 2)

    def on_order(self, update: OrderUpdate) -> None:
        """Note cancels, with what is held when they are told."""
        if update.status is OrderStatus.CANCELED:
            self.canceled.append((update.reason, str(self.position(update.symbol).quantity)))

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Note it, with what is held and the price."""
        held = str(self.position(action.symbol).quantity)
        self.seen.append((action, held, self.price(action.symbol)))
