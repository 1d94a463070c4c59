"""Whether risk has a use for market events."""

from tradingd.risk.guards import NEVER
from tradingd.risk.halts import HaltBoard
from tradingd.risk.protection import Protection

__all__ = ["RiskInterest"]


class RiskInterest:
    """The symbols whose market events risk has a use for now: all, or none."""

    __slots__ = ("_halts", "_protection")

    def __init__(self, halts: HaltBoard, protection: Protection) -> None:
        self._halts = halts.live
        self._protection = protection

    def __contains__(self, symbol: object) -> bool:
        return bool(self._halts) or self._protection.due < NEVER
