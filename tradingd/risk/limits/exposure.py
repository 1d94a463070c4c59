"""Limits on what positions could become. All count working orders at the worst subset of their fills.

An order that can only shrink a position passes all of these: a position that has outgrown a limit must be
allowed to shrink.
"""

from decimal import Decimal

from tradingd.domain.enums import Side
from tradingd.domain.money import DecimalLike, mul, neg, quantize, to_decimal
from tradingd.risk.limits.base import Denied, Proposal, RiskContext

__all__ = [
    "MaxGrossExposure",
    "MaxLeverage",
    "MaxNetExposure",
    "MaxPositionNotional",
    "MaxPositionQuantity",
    "MaxStrategyCapital",
    "NoShort",
]

_PERCENT = Decimal("0.01")


def _reach(order: Proposal, context: RiskContext) -> Decimal:
    """How far from flat the account's position could get on the order's side, with the order."""
    low, high = context.book.bounds(order.symbol, claim=order)
    return high if order.side is Side.BUY else neg(low)


class NoShort:
    """No position below zero, whichever orders fill."""

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny a sell that could cross zero."""
        if order.side is Side.BUY or order.reduces:
            return None
        reach, _ = context.book.bounds(order.symbol, claim=order)
        if reach < 0:
            return Denied("SHORT_NOT_ALLOWED", f"{order.symbol} could become {reach}; short selling is off")
        return None


class MaxPositionQuantity:
    """The greatest |position| per symbol, in units of quantity."""

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what could carry the position beyond the limit."""
        if order.reduces:
            return None
        reach = _reach(order, context)
        if reach <= self.limit:
            return None
        return Denied("MAX_POSITION_QUANTITY", f"{order.symbol} could reach {reach}, the limit is {self.limit}")


class MaxPositionNotional:
    """The greatest notional per symbol, in the account's currency."""

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what could carry the position's value beyond the limit."""
        if order.reduces:
            return None
        reach = context.book.notional_with(order)
        if reach <= self.limit:
            return None
        return Denied(
            "MAX_POSITION_NOTIONAL",
            f"{order.symbol} could reach {_money(reach, context)}, the limit is {_money(self.limit, context)}",
        )


class MaxGrossExposure:
    """The greatest sum of |notional| over all symbols, in percent of equity."""

    code = "MAX_GROSS_EXPOSURE"

    def __init__(self, percent: DecimalLike) -> None:
        self.fraction = mul(to_decimal(percent), _PERCENT)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what could carry gross exposure beyond the limit."""
        if order.reduces:
            return None
        equity = context.portfolio.get_equity()
        allowed = mul(equity, self.fraction)
        reach = context.book.gross(order)
        if reach <= allowed:
            return None
        return Denied(
            self.code,
            f"gross exposure could reach {_money(reach, context)}, the limit is {_money(allowed, context)} "
            f"({mul(self.fraction, Decimal(100)):f} % of equity {_money(equity, context)})",
        )


class MaxLeverage(MaxGrossExposure):
    """The greatest gross exposure as a multiple of equity."""

    code = "MAX_LEVERAGE"

    def __init__(self, leverage: DecimalLike) -> None:
        super().__init__(mul(to_decimal(leverage), Decimal(100)))


class MaxNetExposure:
    """The greatest |net notional| over all symbols, in percent of equity.

    It must hold whatever is closed next, because an order that reduces always passes: hence longs do not make
    room for shorts, nor shorts for longs.
    """

    def __init__(self, percent: DecimalLike) -> None:
        self.fraction = mul(to_decimal(percent), _PERCENT)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what could carry net exposure beyond the limit on the order's side."""
        if order.reduces:
            return None
        reach = context.book.net_with(order)
        allowed = mul(context.portfolio.get_equity(), self.fraction)
        if reach <= allowed:
            return None
        return Denied(
            "MAX_NET_EXPOSURE",
            f"net exposure could reach {_money(reach, context)}, the limit is {_money(allowed, context)}",
        )


class MaxStrategyCapital:
    """The greatest notional that one strategy's positions and orders may add up to, in the account's currency.

    Only what shrinks the strategy's own position is free: closing somebody else's takes capital, too.
    """

    def __init__(self, limit: DecimalLike) -> None:
        self.limit = to_decimal(limit)

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny what could carry the strategy beyond its capital; what shrinks its own position passes."""
        low, high = context.book.bounds(order.symbol, order.strategy_id, order)
        shrinks = low >= 0 if order.side is Side.SELL else high <= 0
        if shrinks or order.eases:
            return None
        reach = context.book.strategy_notional(order.strategy_id, order)
        if reach <= self.limit:
            return None
        return Denied(
            "MAX_STRATEGY_CAPITAL",
            f"{order.strategy_id} could use {_money(reach, context)}, "
            f"its capital is {_money(self.limit, context)}",
        )


def _money(amount: Decimal, context: RiskContext) -> str:
    return f"{quantize(amount, Decimal('0.01'))} {context.portfolio.currency}"
