"""What halts do: cancel what must not work any more, close what must not be held."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from tradingd.domain.enums import HaltScope, HaltState, Side, TimeInForce
from tradingd.domain.events import HaltChanged
from tradingd.domain.money import magnitude
from tradingd.risk.exposure import Reservation
from tradingd.risk.gate import RETRY_NS, Gate
from tradingd.risk.halts import Halt
from tradingd.risk.limits.base import Denied
from tradingd.risk.outcomes import Reductions
from tradingd.risk.signals import SignalDesk
from tradingd.risk.targets import SignalSizing

__all__ = ["Halting"]


class _Attempt(NamedTuple):
    """An exit that risk tried of itself."""

    held: Decimal
    ts: int


class Halting:
    """Raises and lifts halts, and sees to it that what is in force is done.

    NO_NEW denies what is not provably reducing. REDUCE_ONLY also cancels the working orders that could do more
    than reduce, CANCEL_ALL all of them; FLATTEN, when nothing of a strategy works in a symbol any more, closes
    its position there. Beyond these only exits of FLATTEN pass; HALTED cancels even those.

    What was refused (a cancel, an exit) is tried again at a later market event, not before `RETRY_NS`.
    """

    def __init__(self, gate: Gate, sizing: SignalSizing, signals: SignalDesk) -> None:
        self._gate = gate
        self._book = gate.book
        self._board = gate.halts
        self._sizing = sizing
        self._signals = signals
        self._exits: set[str] = set()
        self._exits_made = 0
        self._tried: dict[tuple[str, str], _Attempt] = {}
        self._unclosable: dict[tuple[str, str], Decimal] = {}

    def halt(self, scope: HaltScope, key: str, state: HaltState, reason: str) -> bool:
        """Raise a halt and do at once what it demands; False where it is no higher than the present state."""
        if not self._board.escalate(scope, key, state, reason):
            return False
        self._gate.tell(HaltChanged(self._gate.now, scope, key, state, reason))
        self._signals.on_halt()
        self.enforce()
        return True

    def resume(self, scope: HaltScope, key: str, *, operator: str, reason: str) -> None:
        """Lift a halt, signed by an operator and with a reason."""
        if self._board.resume(scope, key, operator=operator, reason=reason) is not None:
            self._tried.clear()
            self._unclosable.clear()
            told = f"resumed by {operator}: {reason}"
            self._gate.tell(HaltChanged(self._gate.now, scope, key, HaltState.TRADING, told))

    def enforce(self) -> None:
        """Do what the halts in force demand and is not done yet."""
        if not self._board:
            return
        for reservation, halt in tuple(self._unwanted()):
            self._gate.cancel(reservation, f"halt: {halt.reason}")
        self.flatten()

    # --- canceling -------------------------------------------------------------------------------------------

    def _unwanted(self) -> Iterator[tuple[Reservation, Halt]]:
        """The working orders that a halt does not let work on."""
        growing: dict[str, set[str]] = {}
        for reservation in self._book:
            halt = self._board.strictest(reservation.strategy_id, reservation.symbol)
            if halt is None or halt.state < HaltState.REDUCE_ONLY:
                continue
            if halt.state is HaltState.REDUCE_ONLY:
                symbol = reservation.symbol
                if symbol not in growing:
                    growing[symbol] = self._growing(symbol)
                if reservation.intent_id in growing[symbol]:
                    yield reservation, halt
            elif halt.state is not HaltState.FLATTEN or reservation.intent_id not in self._exits:
                yield reservation, halt

    def _growing(self, symbol: str) -> set[str]:
        """The orders of a symbol that could do more than shrink the account's position, whichever others fill."""
        held = self._gate.portfolio.get_position(symbol).quantity
        closing = Side.SELL if held > 0 else Side.BUY
        kept, growing = Reductions(magnitude(held)), set()
        for order in sorted(self._book.working(symbol), key=lambda order: not order.reduce_only):
            if order.side is not closing or not kept.take(order):
                growing.add(order.intent_id)
        return growing

    # --- flattening ------------------------------------------------------------------------------------------

    def flatten(self) -> None:
        """Close what a FLATTEN halt covers, one market order per strategy and symbol, once nothing else works."""
        self._exits = {intent_id for intent_id in self._exits if self._book.get(intent_id) is not None}
        for strategy_id, symbol in self._gate.portfolio.strategy_symbols():
            halt = self._board.strictest(strategy_id, symbol)
            if halt is None or halt.state is not HaltState.FLATTEN or self._book.working(symbol, strategy_id):
                continue
            held = self._gate.portfolio.get_strategy_position(strategy_id, symbol).quantity
            tried = self._tried.get((strategy_id, symbol))
            if tried is None or tried.held != held or self._gate.now - tried.ts >= RETRY_NS:
                self._tried[strategy_id, symbol] = _Attempt(held, self._gate.now)
                self._close(strategy_id, symbol, held, halt)

    def _close(self, strategy_id: str, symbol: str, held: Decimal, halt: Halt) -> None:
        """Send the exit past the limits: nothing but the venue's own filters may stop it."""
        instrument = self._book.instrument(symbol)
        details = self._sizing.exit(instrument, held)
        intent_id = f"risk:flatten:{self._exits_made + 1}"
        proposal = self._gate.proposal(strategy_id, intent_id, details, instrument)
        problem = details.reason or instrument.violation(proposal.quantity, None, proposal.reference)
        if not problem:
            self._exits_made += 1
            self._exits.add(intent_id)
            self._unclosable.pop((strategy_id, symbol), None)
            self._gate.approve(proposal, TimeInForce.GTC, f"flatten: {halt.reason}")
        elif self._unclosable.get((strategy_id, symbol)) != held:
            self._exits_made += 1
            self._unclosable[strategy_id, symbol] = held
            self._gate.deny(proposal, Denied("UNCLOSABLE", problem))
