"""How orders of ours become what they are: seen, doubted, over.

Nothing here waits, sends or tells the time. Each order is a `Tracked` with a phase:

    QUEUED -> SENDING -> LIVE -> ENDING -> OVER
                  |        ^
                  +-> UNKNOWN -> OVER (absent)

- An order is sent once. SENDING is left by the answer; an answer that does not prove anything leads to UNKNOWN.
- UNKNOWN is left by evidence only: the order seen under its client id, or its absence proved (`evidence`).
- The venue's word that an order is over leads to ENDING; it is OVER, and told so, when the trades that we have
  read add up to what the venue says was filled. A fill is never inferred.
- What was reported as absent and shows life after all is tracked again, and its instrument is halted.

What is done with commands and answers is in `desk`, with what is read in `search`.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from tradingd.broker.ccxt import changes
from tradingd.broker.ccxt.evidence import Case
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.tape import Tape
from tradingd.broker.ccxt.tracked import Book, Phase, Tracked
from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events import BrokerReport, Event, HaltRequest, ReportKind
from tradingd.domain.money import ZERO, add
from tradingd.venues.model import OrderSeen, SeenStatus, VenueAccount

__all__ = ["Fates"]

_OVER = frozenset({SeenStatus.CLOSED, SeenStatus.CANCELED, SeenStatus.EXPIRED, SeenStatus.REJECTED})
_NEVER = float("inf")


class Fates:
    """The orders of one account. `now` is ns UTC (for events), `monotonic` seconds (for durations).

    What is to be told collects in `out`, oldest first. `since_ns` is where the trade histories begin; with
    `cursors` (symbol to ns) they go on where an earlier run left off, and its books are open already.
    """

    def __init__(
        self,
        account: VenueAccount,
        policy: EvidencePolicy,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        since_ns: int,
        cursors: Mapping[str, int] | None = None,
    ) -> None:
        self.venue = account.name
        self.account = account
        self.policy = policy
        self.now = now
        self.monotonic = monotonic
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
        self.trades_at: dict[str, float] = {}
        """When the trades of a symbol are to be read."""
        self.reading: set[str] = set()
        """The symbols whose trades are being read: news in the meantime is for the read after that."""
        self._read_from: dict[str, float] = {}
        self._late_until: dict[str, float] = {}
        self.moves = 0
        """Grows with whatever happens to an order."""

    # --- being there -----------------------------------------------------------------------------------------

    def lose(self, tracked: Tracked, why: str, *, known: bool = False) -> None:
        """The answer to an order is missing; `known`: but it is there."""
        now = self.monotonic()
        span = max(self.policy.span_s, self.account.traits.visibility_s)
        tracked.phase = Phase.UNKNOWN
        tracked.case = Case(now, why, span, known=known)
        tracked.read_at = now
        self.moves += 1
        self.report(tracked.order_id, ReportKind.UNKNOWN, why)
        if tracked.cancel_wanted:
            tracked.cancel_at = now

    def find(self, seen: OrderSeen) -> Tracked | None:
        """The order of ours that the venue shows, by our id or by its own."""
        known = self.book.get(seen.order_id) if seen.order_id else None
        return known or self.tape.orders.get((seen.symbol, seen.exchange_order_id))

    def see(self, tracked: Tracked, seen: OrderSeen) -> None:
        """The venue shows an order of ours."""
        if tracked.phase is Phase.OVER and not (tracked.absent and _alive(seen)):
            return
        if seen.status is SeenStatus.REJECTED and not tracked.traded and not seen.filled:
            tracked.absent = True
            self.end(tracked, ReportKind.REJECTED, "REJECTED: the venue lists it as rejected")
            return
        self.exists(tracked, seen.exchange_order_id)
        if seen.status in _OVER:
            self._ending(tracked, seen)
        elif (seen.filled or ZERO) > tracked.traded:
            tracked.told = max(tracked.told, seen.filled or ZERO)
            self.want_trades(tracked.symbol)

    def exists(self, tracked: Tracked, exchange_id: str) -> None:
        """The venue has, or had, an order of ours."""
        now = self.monotonic()
        for trade in self.tape.name(tracked, exchange_id, now):
            tracked.traded = add(tracked.traded, trade.quantity)
        if tracked.absent:
            self._revive(tracked)
        if tracked.phase in {Phase.SENDING, Phase.UNKNOWN}:
            tracked.phase, tracked.case, tracked.live_at = Phase.LIVE, None, now
            tracked.read_at, tracked.reads = None, 0
            self.moves += 1
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
        """What was reported as not being there is there."""
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
            tracked.ended_at = self.monotonic()
            tracked.cancel_at, tracked.read_at, tracked.reads = None, None, 0
            self.moves += 1
        if before is None or (seen.filled or ZERO) >= (before.filled or ZERO):
            tracked.ended = seen
        tracked.phase = Phase.ENDING
        self.settle(tracked)

    def settle(self, tracked: Tracked) -> None:
        """Report an order as over when its trades add up to what the venue says was filled; else read on."""
        seen = tracked.ended
        if seen is None or tracked.phase is not Phase.ENDING:
            return
        due = _due(seen, tracked)
        if due is not None and tracked.traded >= due:
            self._over(tracked)
            return
        self.want_trades(tracked.symbol, 0.0 if tracked.reads == 0 else self.policy.pause(tracked.reads))
        tracked.reads += 1
        if self.monotonic() >= tracked.overdue_at(self.policy):
            self.halt_unsettled(tracked)

    def halt_unsettled(self, tracked: Tracked) -> None:
        """Ask for a halt because the trades of an order that is over do not add up."""
        if tracked.ended is not None:
            due = _due(tracked.ended, tracked)
            told = "an untold quantity" if due is None else due
            state = tracked.ended.status
            self.halt(tracked, f"{state} with {told} filled, but the trades add up to {tracked.traded}")

    def _over(self, tracked: Tracked) -> None:
        """All trades are in: tell how the order ended, unless they tell that it filled."""
        seen = tracked.ended
        if seen is None or tracked.traded >= tracked.order.quantity:
            self._close(tracked)
            return
        kind = ReportKind.EXPIRED if seen.status is SeenStatus.EXPIRED else ReportKind.CANCELED
        reason = (
            "" if seen.status is not SeenStatus.CLOSED else f"closed by the venue with {tracked.traded} filled"
        )
        self.end(tracked, kind, reason, filled=tracked.traded)

    def end(self, tracked: Tracked, kind: ReportKind, reason: str, *, filled: Decimal | None = None) -> None:
        """An order is over, and told so."""
        self._close(tracked)
        self.report(tracked.order_id, kind, reason, tracked.exchange_id, filled)

    def _close(self, tracked: Tracked) -> None:
        tracked.phase, tracked.case = Phase.OVER, None
        tracked.read_at = tracked.cancel_at = None
        tracked.cancel_wanted = False
        while tracked.changes:
            self.out.extend(changes.drop(tracked, self.venue, self.now(), "the order is over"))
        self.moves += 1
        now = self.monotonic()
        forgotten = self.book.close(tracked)
        if forgotten is not None:
            self.tape.forget(forgotten)
        self.tape.release(self.book.open.values(), now)
        if not any(one.symbol == tracked.symbol for one in self.book.open.values()):
            late = max(self.policy.late_s, self.account.traits.visibility_s)
            self._late_until[tracked.symbol] = now + late

    def want_trades(self, symbol: str, in_s: float = 0.0) -> None:
        """Have the trades of a symbol read in so many seconds, or sooner; not too soon after the last read."""
        if symbol not in self.account.instruments:
            return
        pause = self.policy.between_reads(self.account.load)
        at = max(self.monotonic() + in_s, self._read_from.get(symbol, -_NEVER) + pause)
        self.trades_at[symbol] = min(at, self.trades_at.get(symbol, _NEVER))

    def trades_due(self) -> list[str]:
        """The symbols whose trades are to be read now; from here on they are being read."""
        now = self.monotonic()
        due = [symbol for symbol, at in self.trades_at.items() if at <= now and symbol not in self.reading]
        for symbol in due:
            del self.trades_at[symbol]
            self.reading.add(symbol)
            self._read_from[symbol] = now
        return due

    def trades_next(self) -> float:
        """When trades are to be read next, by the monotonic clock."""
        waiting = (at for symbol, at in self.trades_at.items() if symbol not in self.reading)
        return min(waiting, default=_NEVER)

    def misses_trades(self, symbol: str) -> bool:
        """Whether trades of a symbol are known to be there that have not been read."""
        return any(one.symbol == symbol and one.misses_trades for one in self.book.open.values())

    def wants_wide(self, symbol: str) -> bool:
        """Whether trades of a symbol are missed that may have come up late, behind those that are known."""
        return any(
            one.symbol == symbol and (one.case is not None or (one.phase is Phase.ENDING and one.reads > 1))
            for one in self.book.open.values()
        )

    def trades_again(self, symbol: str) -> None:
        """Settle when to read a symbol's trades again, after a read that was complete or failed."""
        for tracked in tuple(self.book.open.values()):
            if tracked.symbol == symbol:
                self.settle(tracked)
        if self._late_until.get(symbol, 0.0) > self.monotonic():
            self.want_trades(symbol, self.policy.poll_s)

    # --- all together ----------------------------------------------------------------------------------------

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever something of the account does."""
        return self.moves, self.tape.version

    @property
    def busy(self) -> bool:
        """Whether an answer, evidence or a trade is outstanding."""
        return bool(self.tape.orphans) or any(one.unsettled for one in self.book.open.values())

    def is_calm(self, quiet_s: float) -> bool:
        """Whether a barrier may be tried: nothing outstanding, and no trade for so long."""
        return not self.busy and self.monotonic() - self.tape.last_trade_at >= quiet_s

    def report(
        self,
        order_id: str,
        kind: ReportKind,
        reason: str = "",
        exchange_id: str = "",
        filled: Decimal | None = None,
        change: int = 0,
    ) -> None:
        """Tell of an order."""
        ts, venue = self.now(), self.venue
        report = BrokerReport(ts, venue, order_id, kind, exchange_id, reason, filled=filled, change=change)
        self.out.append(report)

    def halt(self, tracked: Tracked, why: str) -> None:
        """Ask once for a halt of an order's instrument."""
        if not tracked.halted:
            tracked.halted = True
            self.halt_symbol(tracked.symbol, f"{tracked.order_id}: {why}")

    def halt_symbol(self, symbol: str, why: str) -> None:
        """Ask for a halt of an instrument."""
        reason = f"{self.venue}: {why}"
        self.out.append(HaltRequest(self.now(), HaltScope.INSTRUMENT, symbol, HaltState.NO_NEW, reason))


def _alive(seen: OrderSeen) -> bool:
    """Whether the venue shows an order that works, or has traded."""
    return bool(seen.filled) or seen.status in {SeenStatus.OPEN, SeenStatus.CLOSED, SeenStatus.UNTOLD}


def _due(seen: OrderSeen, tracked: Tracked) -> Decimal | None:
    """What the trades of an order that is over have to add up to, as far as it is known."""
    due = _filled(seen, tracked)
    if due is None and tracked.end_reads > 1:  # never told: two complete reads that began after the end agree
        return tracked.traded
    return due


def _filled(seen: OrderSeen, tracked: Tracked) -> Decimal | None:
    """What the venue says was filled of an order that is over; a filled one was filled in full, unless told."""
    if seen.filled is None and seen.status is SeenStatus.CLOSED:
        return tracked.order.quantity
    return seen.filled
