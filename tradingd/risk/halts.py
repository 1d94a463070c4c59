"""Halts: how far trading is stopped, for whom, and why. Raised by anything, lowered only by a resume."""

from collections.abc import Mapping
from typing import NamedTuple

from tradingd.domain.enums import HaltScope, HaltState
from tradingd.errors import UsageError

__all__ = ["ACCOUNT_KEY", "Halt", "HaltBoard"]

ACCOUNT_KEY = "account"


class Halt(NamedTuple):
    """A halt in force."""

    scope: HaltScope
    key: str
    state: HaltState
    reason: str


class HaltBoard:
    """The halts in force, per strategy, per instrument and for the account.

    Raising is one-way: a lower state never replaces a higher one, and only `resume`, with somebody's name and a
    reason, lowers it.
    """

    def __init__(self) -> None:
        self._halts: dict[tuple[HaltScope, str], Halt] = {}

    def __bool__(self) -> bool:
        return bool(self._halts)

    @property
    def live(self) -> Mapping[tuple[HaltScope, str], Halt]:
        """The halts by scope and key, as they come and go."""
        return self._halts

    @property
    def in_force(self) -> tuple[Halt, ...]:
        """All halts above TRADING."""
        return tuple(self._halts.values())

    def escalate(self, scope: HaltScope, key: str, state: HaltState, reason: str) -> bool:
        """Raise a halt; returns False when it already stands at that state or above."""
        known = self._halts.get((scope, key))
        if state is HaltState.TRADING or (known is not None and known.state >= state):
            return False
        self._halts[scope, key] = Halt(scope, key, state, reason)
        return True

    def resume(self, scope: HaltScope, key: str, *, operator: str, reason: str) -> Halt | None:
        """Lift a halt; returns what was lifted, None when there was none.

        Raises:
            UsageError: nobody signs for it, or no reason is given.

        """
        if not operator.strip() or not reason.strip():
            raise UsageError("a halt is lifted only with an operator's name and a reason")
        return self._halts.pop((scope, key), None)

    def strictest(self, strategy_id: str, symbol: str) -> Halt | None:
        """The strictest halt that holds for an order of `strategy_id` in `symbol`."""
        if not self._halts:
            return None
        found = [
            halt
            for key in (
                (HaltScope.ACCOUNT, ACCOUNT_KEY),
                (HaltScope.INSTRUMENT, symbol),
                (HaltScope.STRATEGY, strategy_id),
            )
            if (halt := self._halts.get(key)) is not None
        ]
        return max(found, key=lambda halt: halt.state, default=None)
