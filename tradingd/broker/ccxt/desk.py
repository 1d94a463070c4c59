"""What the broker decides: commands, answers, reads and hints in; reports and what is to be done next out.

Nothing here waits, sends or tells the time. Each order is a `Tracked` with a phase:

    QUEUED -> SENDING -> LIVE -> ENDING -> OVER
                  |        ^
                  +-> UNKNOWN -> OVER (absent)

- An order is sent once. SENDING is left by the answer; an answer that does not prove anything leads to UNKNOWN.
- UNKNOWN is left by evidence only: the order seen under its client id, or its absence proved (`evidence`).
- The venue's word that an order is over leads to ENDING; it is OVER, and told so, when the trades that we have read
  add up to what the venue says was filled. A fill is never inferred.
- What was reported as absent and shows life after all is tracked again, and its instrument is halted.

Calls that are due are taken out by the rim: `cancels_due`, `reads_due`, `trades_due`, `changes_due`.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from tradingd.broker.ccxt import changes
from tradingd.broker.ccxt.cursor import Paging, Step
from tradingd.broker.ccxt.evidence import Case, Endpoint
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.tape import Orphan, Tape
from tradingd.broker.ccxt.tracked import Book, Change, Phase, Tracked
from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events import BrokerReport, Event, HaltRequest, ReportKind, SubmitOrder
from tradingd.domain.money import ZERO, add
from tradingd.venues.model import OrderSeen, SeenStatus, TradeSeen, VenueAccount

__all__ = ["Desk"]

_OVER = frozenset({SeenStatus.CLOSED, SeenStatus.CANCELED, SeenStatus.EXPIRED, SeenStatus.REJECTED})
_NEVER = float("inf")


class Desk:
    """The orders of one account. `now` is ns UTC (for events), `monotonic` seconds (for durations).

    What is to be told collects in `out`, oldest first.
    """

    def __init__(
        self,
        account: VenueAccount,
        policy: EvidencePolicy,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        since_ns: int,
        cursors: dict[str, int] | None = None,
    ) -> None:
        self.venue = account.name
        self._account = account
        self.policy = policy
        self._now = now
        self._monotonic = monotonic
        self.out: list[Event] = []
        self.book = Book()
        self.tape = Tape(
            account.name,
            account.instruments,
            account.traits,
            policy,
            tell=self.out.append,
            since_ns=since_ns,
            cursors=cursors,
        )
        self._trades_at: dict[str, float] = {}
        """When the trades of a symbol are to be read."""
        self._late_until: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._moves = 0

    # --- commands --------------------------------------------------------------------------------------------

    def place(self, order: SubmitOrder) -> bool:
        """Take an order in; False for an id that was used: it is never sent twice."""
        if self.book.get(order.order_id) is not None:
            return False
        self._moves += 1
        self.book.add(Tracked(order, self._monotonic()))
        return True

    def adopt(self, order: SubmitOrder, exchange_order_id: str = "", traded: Decimal = ZERO) -> None:
        """Look for an order of an earlier run: it may be at the venue, `traded` of it is booked already."""
        tracked = Tracked(order, self._monotonic(), Phase.SENDING, traded=traded)
        self.book.add(tracked)
        self.tape.name(tracked, exchange_order_id, self._monotonic())
        self._lose(tracked, "sent by an earlier run")

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel: at once where the order is there, else as soon as its own answer has come."""
        tracked = self.book.get(order_id)
        if tracked is None or tracked.phase is Phase.OVER:
            self.report(order_id, ReportKind.CANCEL_REJECTED, "UNKNOWN_ORDER: no order of this run works by that id")
            return
        self._moves += 1
        if tracked.phase is Phase.QUEUED:
            self._end(tracked, ReportKind.CANCELED, "canceled before it was sent")
            return
        tracked.cancel_wanted = True
        if tracked.phase is not Phase.SENDING:
            tracked.cancel_at = self._monotonic()

    def modify(self, order_id: str, quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None) -> None:
        """Ask for a change in place."""
        tracked = self.book.open.get(order_id)
        if tracked is None or not self._account.capabilities.modify:
            why = "UNKNOWN_ORDER: not open" if tracked is None else f"UNSUPPORTED: {self.venue} changes no orders"
            self.report(order_id, ReportKind.MODIFY_REJECTED, why)
            return
        self._moves += 1
        tracked.changes.append(Change(quantity, limit, stop))

    # --- sending ---------------------------------------------------------------------------------------------

    def begin(self, order_id: str) -> SubmitOrder | None:
        """Begin to send an order; None where it is not wanted any more."""
        tracked = self.book.open.get(order_id)
        if tracked is None or tracked.phase is not Phase.QUEUED:
            return None
        tracked.phase = Phase.SENDING
        return tracked.order

    def may_send(self, order_id: str, hindrance: str = "") -> bool:
        """Whether an order may leave now: the last question before the socket. If not, it is reported as unsent."""
        tracked = self.book.open[order_id]
        age = self._monotonic() - tracked.asked_at
        if tracked.cancel_wanted:
            self._end(tracked, ReportKind.CANCELED, "canceled before it was sent")
        elif hindrance:
            self.not_sent(order_id, hindrance)
        elif age > self.policy.stale_s:
            self.not_sent(order_id, f"STALE: it waited for {age:.1f} s")
        else:
            return True
        return False

    def not_sent(self, order_id: str, why: str) -> None:
        """An order provably did not leave. (UNKNOWN comes first: from there the table of states has VOID.)"""
        reason = f"NOT_SENT: {why}"
        tracked = self.book.open[order_id]
        self.report(order_id, ReportKind.UNKNOWN, reason)
        self._end(tracked, ReportKind.ABSENT, reason)

    def accepted(self, order_id: str, seen: OrderSeen) -> None:
        """The venue answered that it has the order."""
        tracked = self.book.get(order_id)
        if tracked is not None:
            self._see(tracked, seen)

    def refused(self, order_id: str, code: str, text: str) -> None:
        """The venue refused the order, definitely."""
        tracked = self.book.open.get(order_id)
        if tracked is not None and tracked.phase in {Phase.SENDING, Phase.UNKNOWN}:
            tracked.absent = True
            self._end(tracked, ReportKind.REJECTED, f"{code}: {text}" if code else text)

    def lost(self, order_id: str, why: str) -> None:
        """Nothing that can be believed came back: only evidence can tell."""
        tracked = self.book.open.get(order_id)
        if tracked is not None and tracked.phase is Phase.SENDING:
            self._lose(tracked, why)

    def _lose(self, tracked: Tracked, why: str) -> None:
        now = self._monotonic()
        span = max(self.policy.span_s, self._account.traits.visibility_s)
        tracked.phase = Phase.UNKNOWN
        tracked.case = Case(now, why, span)
        tracked.read_at = now
        self._moves += 1
        self.report(tracked.order_id, ReportKind.UNKNOWN, why)
        if tracked.cancel_wanted:
            tracked.cancel_at = now

    # --- canceling -------------------------------------------------------------------------------------------

    def cancels_due(self) -> list[Tracked]:
        """The orders whose cancel is to be asked for now; each is marked as being under way."""
        now = self._monotonic()
        due = [one for one in self.book.open.values() if one.cancel_at is not None and one.cancel_at <= now]
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
            self._see(tracked, seen)
        if tracked.phase in {Phase.LIVE, Phase.UNKNOWN} and tracked.cancel_wanted:
            self._cancel_again(tracked)

    def cancel_refused(self, order_id: str, code: str, text: str) -> None:
        """The venue refused a cancel. That it does not know the order is no word on how the order ended."""
        tracked = self._cancel_over(order_id)
        if tracked is None or tracked.phase is Phase.OVER:
            return
        if code == "UNKNOWN_ORDER":
            self._cancel_again(tracked)
        else:
            tracked.cancel_wanted = False
            self.report(order_id, ReportKind.CANCEL_REJECTED, f"{code}: {text}")

    def cancel_lost(self, order_id: str) -> None:
        """Nothing came back: look at the order, and ask again; a cancel may be repeated."""
        tracked = self._cancel_over(order_id)
        if tracked is not None and tracked.phase is not Phase.OVER:
            self._cancel_again(tracked)

    def _cancel_over(self, order_id: str) -> Tracked | None:
        tracked = self.book.get(order_id)
        if tracked is not None:
            tracked.canceling = False
        return tracked

    def _cancel_again(self, tracked: Tracked) -> None:
        """Read the order now; ask again after a pause, should it still be there."""
        now = self._monotonic()
        tracked.cancels += 1
        tracked.read_at = now if tracked.read_at is None else min(now, tracked.read_at)
        tracked.doubt_since = now if tracked.doubt_since is None else tracked.doubt_since
        tracked.cancel_at = now + self.policy.pause(tracked.cancels)

    # --- changes: see `changes` --------------------------------------------------------------------------------

    def changes_due(self) -> list[Tracked]:
        """The working orders with a change to be sent now; each is marked as being under way."""
        return [one for one in self.book.open.values() if one.phase is Phase.LIVE and changes.take_next(one)]

    def changed(self, order_id: str, seen: OrderSeen) -> None:
        """The venue answered that it changed the order."""
        tracked = self.book.open.get(order_id)
        if tracked is not None:
            self.out.extend(changes.granted(tracked, self.venue, self._now()))
            self._see(tracked, seen)

    def change_refused(self, order_id: str, code: str, text: str) -> None:
        """The venue refused a change, definitely."""
        tracked = self.book.open.get(order_id)
        if tracked is not None:
            changes.drop(tracked)
            self.report(order_id, ReportKind.MODIFY_REJECTED, f"{code}: {text}")
            if code == "UNKNOWN_ORDER":
                tracked.read_at = self._monotonic()

    def change_lost(self, order_id: str) -> None:
        """Nothing came back: what the order looks like now will tell."""
        tracked = self.book.open.get(order_id)
        if tracked is not None and tracked.change is not None:
            tracked.read_at = tracked.change.lost_at = self._monotonic()

    # --- what the venue shows --------------------------------------------------------------------------------

    def hint(self, orders: Iterable[OrderSeen]) -> None:
        """A stream told of orders."""
        for seen in orders:
            tracked = self._find(seen)
            if tracked is not None:
                self._see(tracked, seen)

    def reads_due(self) -> list[Tracked]:
        """The orders to be read now; each is marked as being read."""
        now = self._monotonic()
        due = [one for one in self.book.open.values() if _is_due(one, now)]
        for tracked in due:
            tracked.reading = True
        return due

    def order_read(self, order_id: str, seen: OrderSeen | None, asked_at: float) -> None:
        """An order was read: `seen`, or the venue's word that it does not know it."""
        tracked = self.book.get(order_id)
        if tracked is None:
            return
        if seen is not None:
            tracked.doubt_since = None
            self._see(tracked, seen)
            if tracked.phase is Phase.LIVE:
                self.out.extend(
                    changes.judge(tracked, seen, self.policy, self.venue, asked_at, self._now())
                )
            return
        if tracked.case is not None:
            tracked.case.note(Endpoint.ORDER, asked_at)
        elif tracked.doubt_since is None:
            tracked.doubt_since = self._monotonic()

    def listed(self, symbol: str, endpoint: Endpoint, seen: Sequence[OrderSeen], asked_at: float) -> None:
        """A list of orders of a symbol was read: those that are in it exist, those missing were not seen there."""
        self.hint(seen)
        for tracked in self.book.open.values():
            if tracked.symbol == symbol and tracked.case is not None:
                tracked.case.note(endpoint, asked_at)

    def listed_open(self, seen: Sequence[OrderSeen], asked_at: float) -> None:
        """All open orders of the account were read: a working order that is not among them has to be looked at."""
        self.hint(seen)
        listed = {(one.symbol, one.exchange_order_id) for one in seen}
        for tracked in self.book.open.values():
            settled = asked_at - tracked.live_at > self._account.traits.visibility_s
            if tracked.phase is Phase.LIVE and (tracked.symbol, tracked.exchange_id) not in listed and settled:
                tracked.read_at = asked_at

    def read_over(self, order_id: str) -> None:
        """A round of reads for an order is over, whatever came of it: judge, and settle when to look again."""
        tracked = self.book.get(order_id)
        if tracked is None:
            return
        tracked.reading = False
        tracked.read_at = None
        if tracked.phase is Phase.OVER:
            return
        tracked.reads += 1
        now = self._monotonic()
        if tracked.case is not None:
            tracked.read_at = tracked.case.next_read(now, tracked.reads, self.policy)
            if tracked.case.overdue(now, self.policy):
                self.halt(tracked, f"UNKNOWN for {now - tracked.case.opened:.0f} s: {tracked.case}")
        elif tracked.doubt_since is not None or tracked.cancel_wanted or changes.in_doubt(tracked):
            tracked.read_at = now + self.policy.pause(tracked.reads)
            if tracked.doubt_since is not None and now - tracked.doubt_since >= self.policy.halt_s:
                self.halt(tracked, f"not known to the venue any more for {now - tracked.doubt_since:.0f} s")
        else:
            tracked.reads = 0

    def unseen(self, symbol: str) -> list[Tracked]:
        """The unknown orders of a symbol that no read knows: only the balances can still speak for them."""
        return [
            one
            for one in self.book.open.values()
            if one.symbol == symbol and one.case is not None and one.case.unseen(self.policy)
        ]

    def balances_say(self, order_id: str, *, explained: bool) -> None:
        """Whether the balances moved by nothing but known trades: then an unseen order is proved absent."""
        tracked = self.book.open.get(order_id)
        if tracked is None or tracked.case is None:
            return
        tracked.case.unexplained = not explained
        if explained and tracked.case.unseen(self.policy):
            tracked.absent = True
            self._end(tracked, ReportKind.ABSENT, f"ABSENT: {tracked.case}")

    def _find(self, seen: OrderSeen) -> Tracked | None:
        known = self.book.get(seen.order_id) if seen.order_id else None
        return known or self.tape.orders.get((seen.symbol, seen.exchange_order_id))

    def _see(self, tracked: Tracked, seen: OrderSeen) -> None:
        """The venue shows an order of ours."""
        if tracked.phase is Phase.OVER and not tracked.absent:
            return
        if seen.status is SeenStatus.REJECTED and not tracked.traded and not seen.filled:
            if tracked.phase is not Phase.OVER:
                tracked.absent = True
                self._end(tracked, ReportKind.REJECTED, "REJECTED: the venue lists it as rejected")
            return
        self._exists(tracked, seen.exchange_order_id)
        if seen.status in _OVER:
            self._ending(tracked, seen)
        elif (seen.filled or ZERO) > tracked.traded:
            self.want_trades(tracked.symbol)

    def _exists(self, tracked: Tracked, exchange_id: str) -> None:
        now = self._monotonic()
        for trade in self.tape.name(tracked, exchange_id, now):
            tracked.traded = add(tracked.traded, trade.quantity)
        if tracked.absent:
            self._revive(tracked)
        if tracked.phase in {Phase.SENDING, Phase.UNKNOWN}:
            tracked.phase, tracked.case, tracked.live_at = Phase.LIVE, None, now
            tracked.read_at, tracked.reads = None, 0
            self._moves += 1
            if tracked.cancel_wanted and not tracked.canceling:
                tracked.cancel_at = now
        if not tracked.accepted_told:
            tracked.accepted_told = True
            self.report(tracked.order_id, ReportKind.ACCEPTED, "", tracked.exchange_id)
            self._late_until[tracked.symbol] = _NEVER
            self.want_trades(tracked.symbol, self.policy.poll_s)
            self.tape.release(self.book.open.values(), now)
        if tracked.traded >= tracked.order.quantity and not tracked.changes:
            self._over(tracked)

    def _revive(self, tracked: Tracked) -> None:
        """What was reported as absent is there."""
        tracked.absent = False
        tracked.phase = Phase.UNKNOWN
        self.book.add(tracked)
        self.halt(tracked, "reported as not being at the venue, and there it is")

    # --- the end ---------------------------------------------------------------------------------------------

    def _ending(self, tracked: Tracked, seen: OrderSeen) -> None:
        if tracked.phase is Phase.OVER:
            return
        before = tracked.ended
        if before is None:
            tracked.ended_at = self._monotonic()
            tracked.cancel_at, tracked.read_at = None, None
            self._moves += 1
        if before is None or (seen.filled or ZERO) >= (before.filled or ZERO):
            tracked.ended = seen
        tracked.phase = Phase.ENDING
        self.settle(tracked)

    def settle(self, tracked: Tracked) -> None:
        """Report an order as over when its trades add up to what the venue says was filled; else read on."""
        seen = tracked.ended
        if seen is None or tracked.phase is not Phase.ENDING:
            return
        due = _filled(seen, tracked)
        if due is None:  # never told: two complete reads of trades that began after the end have to agree
            due = tracked.traded if tracked.end_reads > 1 else None
        if due is not None and tracked.traded >= due:
            self._over(tracked)
            return
        now = self._monotonic()
        self.want_trades(tracked.symbol, 0.0 if tracked.reads == 0 else self.policy.pause(tracked.reads))
        tracked.reads += 1
        if now - tracked.ended_at >= self.policy.settle_s:
            told = "an untold quantity" if due is None else due
            self.halt(tracked, f"{seen.status} with {told} filled, but the trades add up to {tracked.traded}")

    def _over(self, tracked: Tracked) -> None:
        """All trades are in: tell how the order ended, unless they tell that it filled."""
        seen = tracked.ended
        if seen is None or tracked.traded >= tracked.order.quantity:
            self._close(tracked)
            return
        kind = ReportKind.EXPIRED if seen.status is SeenStatus.EXPIRED else ReportKind.CANCELED
        reason = "" if seen.status is not SeenStatus.CLOSED else f"closed by the venue with {tracked.traded} filled"
        self._end(tracked, kind, reason, filled=tracked.traded)

    def _end(self, tracked: Tracked, kind: ReportKind, reason: str, *, filled: Decimal | None = None) -> None:
        self._close(tracked)
        self.report(tracked.order_id, kind, reason, tracked.exchange_id, filled)

    def _close(self, tracked: Tracked) -> None:
        tracked.phase, tracked.case = Phase.OVER, None
        tracked.read_at = tracked.cancel_at = None
        tracked.cancel_wanted = False
        for _ in tracked.changes:
            self.report(tracked.order_id, ReportKind.MODIFY_REJECTED, "the order is over")
        tracked.changes.clear()
        self._moves += 1
        now = self._monotonic()
        forgotten = self.book.close(tracked)
        if forgotten is not None:
            self.tape.forget(forgotten)
        self.tape.release(self.book.open.values(), now)
        if not any(one.symbol == tracked.symbol for one in self.book.open.values()):
            late = max(self.policy.late_s, self._account.traits.visibility_s)
            self._late_until[tracked.symbol] = now + late

    # --- trades ----------------------------------------------------------------------------------------------

    def want_trades(self, symbol: str, in_s: float = 0.0) -> None:
        """Have the trades of a symbol read, at the latest in so many seconds."""
        at = self._monotonic() + in_s
        if symbol in self._account.instruments:
            self._trades_at[symbol] = min(at, self._trades_at.get(symbol, _NEVER))

    def trades_due(self) -> list[str]:
        """The symbols whose trades are to be read now."""
        now = self._monotonic()
        due = [symbol for symbol, at in self._trades_at.items() if at <= now]
        for symbol in due:
            del self._trades_at[symbol]
        return due

    def trades_page(self, symbol: str, paging: Paging, page: Sequence[TradeSeen]) -> Step:
        """Take a page of trades."""
        now = self._monotonic()
        step, ours = self.tape.take(paging, page, self.book, now)
        for tracked, trade in ours:
            tracked.traded = add(tracked.traded, trade.quantity)
        for tracked in {one.order_id: one for one, _ in ours}.values():
            if tracked.phase is not Phase.OVER or tracked.absent:
                self._exists(tracked, ours[0][1].exchange_order_id if len(ours) == 1 else "")
            self.settle(tracked)
        if step is Step.STUCK:
            why = "TRADES: its history shows only a part of the trades of one instant; some may be missing"
            self.halt_symbol(symbol, why)
        return step

    def trades_complete(self, symbol: str, asked_at: float) -> None:
        """All trades of a symbol that the venue shows were read, from `asked_at` on."""
        for tracked in tuple(self.book.open.values()):
            if tracked.symbol != symbol:
                continue
            if tracked.case is not None:
                tracked.case.note(Endpoint.TRADES, asked_at)
            if tracked.phase is Phase.ENDING and asked_at >= tracked.ended_at:
                tracked.end_reads += 1
                self.settle(tracked)
        self.trades_again(symbol)

    def trades_again(self, symbol: str) -> None:
        """Settle when to read a symbol's trades again, after a read that may have failed."""
        if self._late_until.get(symbol, 0.0) > self._monotonic():
            self.want_trades(symbol, self.policy.poll_s)

    # --- orders of nobody yet ----------------------------------------------------------------------------------

    def orphans_due(self) -> list[Orphan]:
        """Orders of the venue's to be read, since their trades may be ours."""
        now = self._monotonic()
        due = [one for one in self.tape.orphans.values() if one.read_at <= now]
        for orphan in due:
            orphan.read_at = _NEVER
        return due

    def orphan_read(self, orphan: Orphan, seen: OrderSeen | None) -> None:
        """Such an order was read, or could not be (None)."""
        if seen is not None:
            self.hint((seen,))
        self.tape.identified(orphan, seen, self._monotonic())

    # --- all together ----------------------------------------------------------------------------------------

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever something of the account does."""
        return self._moves, self.tape.version

    @property
    def busy(self) -> bool:
        """Whether an answer, evidence or a trade is outstanding."""
        return bool(self.tape.orphans) or any(one.unsettled for one in self.book.open.values())

    @property
    def is_calm(self) -> bool:
        """Whether a barrier may be tried: nothing outstanding, and no trade just now."""
        return not self.busy and self._monotonic() - self.tape.last_trade_at >= self.policy.quiet_s

    def next_due(self) -> float:
        """When something is due next, by the monotonic clock."""
        moments = [*self._trades_at.values(), *(one.read_at for one in self.tape.orphans.values())]
        for one in self.book.open.values():
            if one.cancel_at is not None:
                moments.append(one.cancel_at)
            if one.read_at is not None and not one.reading:
                moments.append(one.read_at)
        return min(moments, default=_NEVER)

    def report(
        self,
        order_id: str,
        kind: ReportKind,
        reason: str = "",
        exchange_id: str = "",
        filled: Decimal | None = None,
    ) -> None:
        """Tell of an order."""
        self.out.append(
            BrokerReport(self._now(), self.venue, order_id, kind, exchange_id, reason, filled=filled)
        )

    def halt(self, tracked: Tracked, why: str) -> None:
        """Ask once for a halt of an order's instrument."""
        if not tracked.halted:
            tracked.halted = True
            self.halt_symbol(tracked.symbol, f"{tracked.order_id}: {why}")

    def halt_symbol(self, symbol: str, why: str) -> None:
        """Ask for a halt of an instrument."""
        reason = f"{self.venue}: {why}"
        self.out.append(HaltRequest(self._now(), HaltScope.INSTRUMENT, symbol, HaltState.NO_NEW, reason))


def _is_due(tracked: Tracked, now: float) -> bool:
    return tracked.read_at is not None and tracked.read_at <= now and not tracked.reading


def _filled(seen: OrderSeen, tracked: Tracked) -> Decimal | None:
    """What the venue says was filled of an order that is over; a filled one was filled in full, unless told."""
    if seen.filled is None and seen.status is SeenStatus.CLOSED:
        return tracked.order.quantity
    return seen.filled


_ = msgspec
