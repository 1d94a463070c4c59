"""Limits on losses, on mark-to-market equity: unrealised losses count."""

from decimal import Decimal
from typing import ClassVar

from tradingd.domain.enums import HaltState
from tradingd.domain.money import ZERO, DecimalLike, divide, mul, quantize, sub, to_decimal
from tradingd.risk.limits.base import DAY_NS, Denied, HaltOrder, Proposal, RiskContext

__all__ = ["DailyLoss", "MaxDrawdown"]

_HUNDRED = Decimal(100)
_CENT = Decimal("0.01")


class DailyLoss:
    """How much equity may fall below where the UTC day began, in percent of that; a loss of just that passes.

    The day begins with the last equity of the day before. Beyond the limit nothing that could grow a position
    passes while the loss lasts, at most until the next day; with `halt_state` the account is halted as well, and
    stays so until resumed.
    """

    watches_equity: ClassVar[bool] = True

    def __init__(self, percent: DecimalLike, halt_state: HaltState | None = None) -> None:
        self.percent = to_decimal(percent)
        self.halt_state = halt_state
        self._day_ends = 0
        """When the day that is counted is over, nanoseconds UTC; 0 before the first."""
        self._start = ZERO
        self._floor = ZERO
        """What equity may fall to."""
        self._last = ZERO

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny entries while the day's loss is above the limit."""
        if order.reduces:
            return None
        loss = self._breach(context)
        if loss is None:
            return None
        return Denied("DAILY_LOSS", f"{loss} % lost since the day began, the limit is {self.percent} %")

    def watch(self, context: RiskContext) -> HaltOrder | None:
        """Follow equity; demand the halt once the loss is above the limit."""
        loss = self._breach(context)
        if loss is None or self.halt_state is None:
            return None
        return HaltOrder(
            self.halt_state, f"DAILY_LOSS: {loss} % lost since the day began, the limit is {self.percent} %"
        )

    def _breach(self, context: RiskContext) -> Decimal | None:
        equity = context.portfolio.get_equity()
        if context.now >= self._day_ends:
            self._start = self._last if self._day_ends else equity
            self._floor = _floor(self._start, self.percent)
            self._day_ends = (context.now // DAY_NS + 1) * DAY_NS
        self._last = equity
        return None if equity >= self._floor else _lost(equity, self._start)


class MaxDrawdown:
    """How far equity may fall below its peak, in percent of the peak; beyond it the account is halted."""

    watches_equity: ClassVar[bool] = True

    def __init__(self, percent: DecimalLike, halt_state: HaltState = HaltState.REDUCE_ONLY) -> None:
        self.percent = to_decimal(percent)
        self.halt_state = halt_state
        self._peak = ZERO
        self._floor = ZERO
        """What equity may fall to."""

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Deny entries while the drawdown is above the limit."""
        if order.reduces:
            return None
        drawdown = self._breach(context)
        if drawdown is None:
            return None
        return Denied("MAX_DRAWDOWN", f"{drawdown} % below the peak, the limit is {self.percent} %")

    def watch(self, context: RiskContext) -> HaltOrder | None:
        """Follow the peak; demand the halt once the drawdown is above the limit."""
        drawdown = self._breach(context)
        if drawdown is None:
            return None
        peak = quantize(self._peak, _CENT)
        return HaltOrder(
            self.halt_state,
            f"MAX_DRAWDOWN: {drawdown} % below the peak {peak}, the limit is {self.percent} %",
        )

    def _breach(self, context: RiskContext) -> Decimal | None:
        equity = context.portfolio.get_equity()
        if equity > self._peak:
            self._peak = equity
            self._floor = _floor(equity, self.percent)
        return None if equity >= self._floor else _lost(equity, self._peak)


def _floor(reference: Decimal, percent: Decimal) -> Decimal:
    """What is left of `reference` after a loss of `percent`; the reference itself where that is not above 0."""
    return sub(reference, mul(mul(percent, reference), _CENT)) if reference > 0 else reference


def _lost(equity: Decimal, reference: Decimal) -> Decimal:
    """How many percent `equity` is below `reference`, to four places; all of it where that is not above 0."""
    if reference <= 0:
        return _HUNDRED
    return divide(mul(sub(reference, equity), _HUNDRED), reference, Decimal("0.0001"))
