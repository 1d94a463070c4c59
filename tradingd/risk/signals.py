"""Signals: wishes for positions, acted on when the strategy's working orders are out of the way."""

from decimal import Decimal
from math import inf

import msgspec

from tradingd.domain.actions import restated_price
from tradingd.domain.enums import Direction, TimeInForce
from tradingd.domain.events import CancelRequest, CorporateAction, Signal
from tradingd.domain.money import to_price
from tradingd.errors import MoneyError, UsageError
from tradingd.risk.children import ChildDesk
from tradingd.risk.gate import Gate
from tradingd.risk.limits.base import Denied
from tradingd.risk.protection import Protection
from tradingd.risk.targets import SignalSizing

__all__ = ["SignalDesk"]


class SignalDesk:
    """Turns signals into orders.

    A signal that needs its strategy's working orders in that symbol out of the way (an exit, a reversal) is a
    plan: the orders are canceled, and it is acted on when the last of them is terminal and its fills are booked.
    What it then finds may be another position than when it came, so everything about it is asked again. A later
    signal takes a plan's place.
    """

    def __init__(
        self,
        gate: Gate,
        sizing: SignalSizing,
        plans: dict[tuple[str, str], Signal],
        children: ChildDesk,
        protection: Protection,
    ) -> None:
        self._gate = gate
        self._book = gate.book
        self._sizing = sizing
        self._plans = plans
        self._children = children
        self._protection = protection

    def on_signal(self, signal: Signal) -> None:
        """Size a signal and send the order, now or when the strategy's working orders are out of the way."""
        if type(signal.direction) is not Direction:
            try:
                # text such as "LONG" would compare as no direction at all, and be taken for the other one
                direction = Direction.parse(signal.direction)
            except UsageError as error:
                self._gate.deny_signal(signal, Denied("INVALID_DIRECTION", str(error)))
                return
            signal = msgspec.structs.replace(signal, direction=direction)
        self._on_signal(signal)

    def _on_signal(self, signal: Signal) -> None:
        key = (signal.strategy_id, signal.symbol)
        plan = self._plans.get(key)
        denied = self._problem(signal) or self._halted(signal)
        if denied is None and (plan is None or plan.direction is signal.direction):
            denied = self._planned(plan) or self._sizing.pointless(signal, self._book)
        if denied is not None:
            self._gate.deny_signal(signal, denied)
        elif not self._book.working(signal.symbol, signal.strategy_id):
            self._act_on(signal)
        else:
            self._plans[key] = signal
            if plan is not None:
                self._gate.deny_signal(plan, Denied("SUPERSEDED", f"by {signal.intent_id}"))
        self._make_way(key)

    def on_cleared(self, strategy_id: str, symbol: str) -> None:
        """No order of the strategy works in that symbol any more: act on what waited for it."""
        plan = self._plans.pop((strategy_id, symbol), None)
        if plan is None:
            return
        denied = self._halted(plan) or self._sizing.pointless(plan, self._book)
        if denied is None:
            self._act_on(plan)
        else:
            self._gate.deny_signal(plan, denied)

    def on_cancel_request(self, request: CancelRequest) -> None:
        """Give up a plan that its strategy takes back."""
        for key, plan in tuple(self._plans.items()):
            if plan.intent_id == request.intent_id and plan.strategy_id == request.strategy_id:
                del self._plans[key]
                self._gate.deny_signal(plan, Denied("CANCELED", "before it was sent"))

    def on_halt(self) -> None:
        """Give up the plans that a halt stands against; exits survive the mild ones."""
        for key, plan in tuple(self._plans.items()):
            denied = self._halted(plan)
            if denied is not None and self._plans.get(key) is plan:
                del self._plans[key]
                self._gate.deny_signal(plan, denied)

    def restate(self, action: CorporateAction) -> None:
        """A split comes: what waits asks for the same at prices of new shares."""
        for key, plan in self._plans.items():
            if plan.symbol == action.symbol:
                old = {name: getattr(plan, name) for name in ("price", "limit", "stop", "target")}
                new = {
                    name: float(restated_price(action, to_price(price)))
                    for name, price in old.items()
                    if price is not None
                }
                self._plans[key] = msgspec.structs.replace(plan, **new)

    def remind(self) -> None:
        """Ask again for the cancels that plans wait for, where they were refused."""
        for key in tuple(self._plans):
            self._make_way(key)

    def _make_way(self, key: tuple[str, str]) -> None:
        """Cancel what a plan waits for. Its handling may, in between, end orders and even the plan."""
        plan = self._plans.get(key)
        if plan is None:
            return
        if self._children.active:
            self._children.end(key, f"makes way for {plan.intent_id}")
        for reservation in self._book.working(plan.symbol, plan.strategy_id):
            if self._plans.get(key) is plan:
                self._gate.cancel(reservation, f"makes way for {plan.intent_id}")

    def _act_on(self, signal: Signal) -> None:
        """Turn a signal into an order, now that nothing of its strategy works in that symbol."""
        instrument = self._book.instrument(signal.symbol)
        price = to_price(signal.price)
        details = self._sizing.details(instrument, signal.direction, price, signal)
        if not details:
            self._gate.deny_signal(signal, Denied.parse(details.reason))
            return
        proposal = self._gate.proposal(
            signal.strategy_id, signal.intent_id, details, instrument, price, binds_others=False
        )
        denied = self._gate.judge(proposal)
        if denied is None:
            if not details.is_exit:
                self._protection.on_entry(signal)
            self._gate.approve(proposal, TimeInForce.GTC, signal.tag)
        else:
            self._gate.deny_signal(signal, denied)

    def _planned(self, plan: Signal | None) -> Denied | None:
        return None if plan is None else Denied("ON_ITS_WAY", f"{plan.intent_id} waits for orders to be canceled")

    def _problem(self, signal: Signal) -> Denied | None:
        """What makes a signal no wish at all."""
        if not _is_positive(signal.price):
            return Denied("INVALID_NUMBER", f"the signal's price is {signal.price}")
        for name, number in (("limit", signal.limit), ("stop", signal.stop), ("target", signal.target)):
            if number is not None and not _is_positive(number):
                return Denied("INVALID_NUMBER", f"the signal's {name} is {number}")
        if signal.strength != 0 and not _is_positive(signal.strength):
            return Denied("INVALID_NUMBER", f"the signal's strength is {signal.strength}")
        if not self._book.knows(signal.symbol):
            return Denied("UNKNOWN_INSTRUMENT", f"{signal.symbol!r} is not configured")
        if self._book.had(signal.intent_id):
            return Denied("DUPLICATE_INTENT", f"{signal.intent_id} has an order already; it is never sent twice")
        return None if signal.stop is None and signal.target is None else _wrong_exit(signal)

    def _halted(self, signal: Signal) -> Denied | None:
        closes = self._sizing.only_closes(signal, self._book)
        return self._gate.halted(signal.strategy_id, signal.symbol, shrinks=closes)


def _wrong_exit(signal: Signal) -> Denied | None:
    """An exit on the wrong side of the entry: it would be out again at once."""
    if signal.direction is Direction.FLAT:
        return None
    name, given = ("price", signal.price) if signal.limit is None else ("limit", signal.limit)
    entry = to_price(given)
    for exit_name, exit_price, gains in (("stop", signal.stop, False), ("target", signal.target, True)):
        above = gains is (signal.direction is Direction.LONG)
        price = entry if exit_price is None else to_price(exit_price)
        if exit_price is not None and (price <= entry if above else price >= entry):
            must = f"must be {'above' if above else 'below'} its {name} {given}"
            return Denied("WRONG_EXIT", f"the {exit_name} {exit_price} of a {signal.direction} signal {must}")
    return None


def _is_positive(given: object) -> bool:
    """Whether what a strategy gave is a finite number above 0."""
    if type(given) is float:
        return 0 < given < inf
    if not isinstance(given, float | int | str | Decimal):
        return False
    try:
        return to_price(given) > 0
    except MoneyError:
        return False
