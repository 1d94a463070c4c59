"""Commands from execution, and what the venue answers to what was sent for them."""

from decimal import Decimal

from tradingd.broker.ccxt import changes
from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.tracked import Change, Phase, Tracked
from tradingd.domain.events import ReportKind, SubmitOrder
from tradingd.domain.money import ZERO
from tradingd.venues.model import OrderSeen

__all__ = ["Desk"]

_CANCELABLE = frozenset({Phase.LIVE, Phase.UNKNOWN})
_NO_WORD = frozenset({"UNKNOWN_ORDER", "NOT_SENT"})
"""Codes of refusals of a cancel that do not say that the order stays."""


class Desk:
    """Takes commands and answers. What is due is taken out by `begin`, `cancels_due` and `changes_due`."""

    def __init__(self, fates: Fates) -> None:
        self._fates = fates

    # --- commands --------------------------------------------------------------------------------------------

    def place(self, order: SubmitOrder) -> bool:
        """Take an order in; False for an id that was used: it is never sent twice."""
        if self._fates.book.get(order.order_id) is not None:
            return False
        self._fates.moves += 1
        self._fates.book.add(Tracked(order, self._fates.monotonic()))
        return True

    def adopt(self, order: SubmitOrder, exchange_order_id: str = "", traded: Decimal = ZERO) -> None:
        """Look for an order of an earlier run: it may be at the venue, `traded` of it is booked already."""
        tracked = Tracked(order, self._fates.monotonic(), Phase.SENDING, traded=traded)
        self._fates.book.add(tracked)
        self._fates.tape.name(tracked, exchange_order_id, self._fates.monotonic())
        self._fates.lose(tracked, "sent by an earlier run")

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel: at once where the order is there, else as soon as its own answer has come."""
        tracked = self._fates.book.get(order_id)
        if tracked is None or tracked.phase is Phase.OVER:
            self._fates.report(
                order_id, ReportKind.CANCEL_REJECTED, "UNKNOWN_ORDER: no order of this run works by that id"
            )
            return
        self._fates.moves += 1
        if tracked.phase is Phase.QUEUED:
            self._fates.end(tracked, ReportKind.CANCELED, "canceled before it was sent")
            return
        tracked.cancel_wanted = True
        if tracked.phase in _CANCELABLE and not tracked.canceling:
            tracked.cancel_at = self._fates.monotonic()

    def modify(self, order_id: str, change: Change) -> None:
        """Ask for a change in place; those of one order are made one after the other."""
        tracked = self._fates.book.open.get(order_id)
        rejected = ReportKind.MODIFY_REJECTED
        if tracked is None:
            self._fates.report(order_id, rejected, "UNKNOWN_ORDER: not open", change=change.number)
        elif not self._fates.account.capabilities.modify:
            why = f"UNSUPPORTED: {self._fates.venue} changes no orders"
            self._fates.report(order_id, rejected, why, change=change.number)
        else:
            self._fates.moves += 1
            tracked.changes.append(change)

    # --- sending ---------------------------------------------------------------------------------------------

    def begin(self, order_id: str) -> SubmitOrder | None:
        """Begin to send an order; None where it is not wanted any more."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is None or tracked.phase is not Phase.QUEUED:
            return None
        tracked.phase = Phase.SENDING
        return tracked.order

    def may_send(self, order_id: str, hindrance: str = "") -> bool:
        """Whether an order may leave now: the last question before the socket. If not, it is told as unsent."""
        tracked = self._fates.book.open[order_id]
        age = self._fates.monotonic() - tracked.asked_at
        if tracked.cancel_wanted:
            self._fates.end(tracked, ReportKind.CANCELED, "canceled before it was sent")
        elif hindrance:
            self.not_sent(order_id, hindrance)
        elif age > self._fates.policy.stale_s:
            self.not_sent(order_id, f"STALE: it waited for {age:.1f} s")
        else:
            return True
        return False

    def not_sent(self, order_id: str, why: str) -> None:
        """An order provably did not leave. UNKNOWN is told first: from there the table of states has VOID."""
        reason = f"NOT_SENT: {why}"
        tracked = self._fates.book.open[order_id]
        self._fates.report(order_id, ReportKind.UNKNOWN, reason)
        self._fates.end(tracked, ReportKind.ABSENT, reason)

    def accepted(self, order_id: str, seen: OrderSeen) -> None:
        """The venue answered that it has the order."""
        tracked = self._fates.book.get(order_id)
        if tracked is not None:
            self._fates.see(tracked, seen)

    def refused(self, order_id: str, code: str, text: str) -> None:
        """The venue refused the order, definitely."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is not None and tracked.phase in {Phase.SENDING, Phase.UNKNOWN}:
            tracked.absent = True
            self._fates.end(tracked, ReportKind.REJECTED, f"{code}: {text}" if code else text)

    def lost(self, order_id: str, why: str, *, known: bool = False) -> None:
        """Nothing came back that can be believed: evidence has to tell. `known`: the venue says it has the id."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is not None and tracked.phase is Phase.SENDING:
            self._fates.lose(tracked, why, known=known)

    # --- canceling -------------------------------------------------------------------------------------------

    def cancels_due(self) -> list[Tracked]:
        """The orders whose cancel is to be asked for now; each is marked as being under way."""
        now = self._fates.monotonic()
        due = [one for one in self._fates.book.open.values() if one.cancel_at is not None and one.cancel_at <= now]
        for tracked in due:
            tracked.cancel_at = None
            tracked.canceling = True
        return due

    def canceled(self, order_id: str, seen: OrderSeen | None) -> None:
        """The venue said yes to a cancel; what the order was worth by then is read where it did not tell."""
        tracked = self._cancel_over(order_id)
        if tracked is None:
            return
        if seen is not None:
            self._fates.see(tracked, seen)
        if tracked.case is not None:
            tracked.case.known = True
        self._cancel_again(tracked)

    def cancel_refused(self, order_id: str, code: str, text: str) -> None:
        """The venue refused a cancel. That it does not know the order is no word on how the order ended.

        A cancel that did not leave, for want of a connection or because the venue asked us to wait, was not
        refused by anybody: it is asked for again.
        """
        tracked = self._cancel_over(order_id)
        if tracked is None:
            return
        if code in _NO_WORD:
            self._cancel_again(tracked)
        elif tracked.phase is not Phase.OVER:
            tracked.cancel_wanted = False
            self._fates.report(order_id, ReportKind.CANCEL_REJECTED, f"{code}: {text}")

    def cancel_lost(self, order_id: str) -> None:
        """Nothing came back: look at the order, and ask again; a cancel may be repeated."""
        tracked = self._cancel_over(order_id)
        if tracked is not None:
            self._cancel_again(tracked)

    def _cancel_over(self, order_id: str) -> Tracked | None:
        tracked = self._fates.book.get(order_id)
        if tracked is not None:
            tracked.canceling = False
        return tracked

    def _cancel_again(self, tracked: Tracked) -> None:
        """Read the order now; ask again after a pause, should it still be there and wanted gone."""
        if tracked.phase not in _CANCELABLE or not tracked.cancel_wanted:
            return
        now = self._fates.monotonic()
        tracked.cancels += 1
        tracked.read_at = now if tracked.read_at is None else min(now, tracked.read_at)
        tracked.doubt_since = now if tracked.doubt_since is None else tracked.doubt_since
        tracked.cancel_at = now + self._fates.policy.pause(tracked.cancels)

    # --- changes: see `changes` --------------------------------------------------------------------------------

    def changes_due(self) -> list[Tracked]:
        """The working orders with a change to be sent now; each is marked as being under way."""
        return [
            one for one in self._fates.book.open.values() if one.phase is Phase.LIVE and changes.take_next(one)
        ]

    def changed(self, order_id: str, seen: OrderSeen) -> None:
        """The venue answered that it changed the order."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is not None:
            self._fates.out.extend(changes.granted(tracked, self._fates.venue, self._fates.now()))
            self._fates.see(tracked, seen)

    def change_refused(self, order_id: str, code: str, text: str) -> None:
        """The venue refused a change, definitely."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is not None:
            told = changes.drop(tracked, self._fates.venue, self._fates.now(), f"{code}: {text}")
            self._fates.out.extend(told)
            self._fates.exists(tracked, "")
            if code == "UNKNOWN_ORDER":
                tracked.read_at = self._fates.monotonic()

    def change_lost(self, order_id: str) -> None:
        """Nothing came back: what the order looks like now will tell."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is not None and tracked.change is not None:
            tracked.read_at = tracked.change.lost_at = self._fates.monotonic()
