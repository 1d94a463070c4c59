"""A session at one instant, for whoever shows it."""

from decimal import Decimal

import msgspec

from tradingd.analytics.summary import PositionLine, StrategyLine

__all__ = ["OrderLine", "Snapshot"]


class OrderLine(msgspec.Struct, kw_only=True, frozen=True):
    """A working order as it is told."""

    symbol: str
    side: str
    order_type: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None = None
    status: str


class Snapshot(msgspec.Struct, kw_only=True, frozen=True):
    """A session at one instant. Unknown totals (a live feed) are None: then there is no bar."""

    mode: str
    state: str
    clock_ns: int
    currency: str
    equity: Decimal
    pnl: Decimal
    return_percent: Decimal
    drawdown_percent: Decimal
    name: str = ""
    progress: float | None = None
    """From 0 to 1."""
    events_done: int = 0
    events_total: int | None = None
    positions: tuple[PositionLine, ...] = ()
    open_orders: tuple[OrderLine, ...] = ()
    recent: tuple[str, ...] = ()
    """Event lines, the latest last."""
    halts: tuple[str, ...] = ()
    strategies: tuple[StrategyLine, ...] = ()
