"""Limits on losses, on mark-to-market equity: unrealised losses count."""

from decimal import Decimal

from tradingd.domain.enums import HaltState
from tradingd.domain.money import ZERO, DecimalLike, divide, mul, sub, to_decimal
from tradingd.risk.limits.base import Denied, HaltOrder, Proposal, RiskContext

__all__ = ["DailyLoss", "MaxDrawdown"]

_DAY_NS = 86_400_000_000_000


class DailyLoss:
    """How much equity may fall below where the UTC day began, in percent of that.

    The day begins with the last equity of the day before. Beyond the limit nothing that could grow a position
    passes until the next day; with `halt_state` the account is halted as well, and stays so until resumed.
    """

    def __init__(self, percent: DecimalLike, halt_state: HaltState | None = None) -> None:
        self.percent = to_decimal(percent)
        self.halt_state = halt_state
        self._day = -1
        self._start = ZERO
        self._last = ZERO

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny entries while the day's loss is above the limit."""
        if order.reduces:
            return None
        loss = self._loss(context)
        if loss < self.percent:
            return None
        return Denied("DAILY_LOSS", f"{loss:.4f} % lost since the day began, the limit is {self.percent} %")

    def watch(self, context: RiskContext) -> HaltOrder | None:
        """Follow equity; demand the halt once the limit is reached."""
        loss = self._loss(context)
        if self.halt_state is None or loss < self.percent:
            return None
        return HaltOrder(self.halt_state, f"DAILY_LOSS: {loss:.4f} % lost since the day began")

    def _loss(self, context: RiskContext) -> Decimal:
        equity = context.portfolio.get_equity()
        day = context.now // _DAY_NS
        if day > self._day:
            self._start = self._last if self._day >= 0 else equity
            self._day = day
        self._last = equity
        return _percent_below(equity, self._start)


class MaxDrawdown:
    """How far equity may fall below its peak, in percent of the peak; beyond it the account is halted."""

    def __init__(self, percent: DecimalLike, halt_state: HaltState = HaltState.REDUCE_ONLY) -> None:
        self.percent = to_decimal(percent)
        self.halt_state = halt_state
        self._peak = ZERO

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny entries while the drawdown is above the limit."""
        if order.reduces:
            return None
        drawdown = self._drawdown(context)
        if drawdown < self.percent:
            return None
        return Denied("MAX_DRAWDOWN", f"{drawdown:.4f} % below the peak, the limit is {self.percent} %")

    def watch(self, context: RiskContext) -> HaltOrder | None:
        """Follow the peak; demand the halt once the limit is reached."""
        drawdown = self._drawdown(context)
        if drawdown < self.percent:
            return None
        return HaltOrder(self.halt_state, f"MAX_DRAWDOWN: {drawdown:.4f} % below the peak {self._peak}")

    def _drawdown(self, context: RiskContext) -> Decimal:
        equity = context.portfolio.get_equity()
        self._peak = max(self._peak, equity)
        return _percent_below(equity, self._peak)


def _percent_below(equity: Decimal, reference: Decimal) -> Decimal:
    if reference <= 0:
        return ZERO if equity >= reference else Decimal(100)
    return mul(divide(sub(reference, equity), reference), Decimal(100))
