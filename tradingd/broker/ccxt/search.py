"""What is read, listed and streamed: whose it is, what it proves, and what is to be read next."""

from collections.abc import Iterable, Sequence

from tradingd.broker.ccxt import changes
from tradingd.broker.ccxt.cursor import Paging, Step
from tradingd.broker.ccxt.evidence import Endpoint
from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.tape import Orphan
from tradingd.broker.ccxt.tracked import Phase, Tracked
from tradingd.domain.events import ReportKind
from tradingd.domain.money import add
from tradingd.venues.model import OrderSeen, TradeSeen

__all__ = ["Search"]

_NEVER = float("inf")


class Search:
    """Takes what the venue shows. What is to be read is taken out by the methods `..._due`."""

    def __init__(self, fates: Fates) -> None:
        self._fates = fates

    def hint(self, orders: Iterable[OrderSeen]) -> None:
        """A stream told of orders."""
        for seen in orders:
            tracked = self._fates.find(seen)
            if tracked is not None:
                self._fates.see(tracked, seen)

    def reads_due(self) -> list[Tracked]:
        """The orders to be read now; each is marked as being read."""
        now = self._fates.monotonic()
        due = [one for one in self._fates.book.open.values() if _is_due(one, now)]
        for tracked in due:
            tracked.reading, tracked.read_at = True, None
        return due

    def order_read(self, order_id: str, seen: OrderSeen | None, asked_at: float) -> None:
        """An order was read: `seen`, or the venue's word that it does not know it."""
        tracked = self._fates.book.get(order_id)
        if tracked is None:
            return
        if seen is not None:
            tracked.doubt_since = None
            self._fates.see(tracked, seen)
            if tracked.phase is Phase.LIVE:
                self._judge_change(tracked, seen, asked_at)
            return
        if tracked.case is not None:
            tracked.case.note(Endpoint.ORDER, asked_at)
        elif tracked.doubt_since is None:
            tracked.doubt_since = self._fates.monotonic()

    def _judge_change(self, tracked: Tracked, seen: OrderSeen, asked_at: float) -> None:
        fates = self._fates
        told = changes.judge(tracked, seen, fates.policy, fates.venue, asked_at, fates.now())
        if told:
            fates.out.extend(told)
            fates.exists(tracked, "")

    def listed(self, symbol: str, endpoint: Endpoint, seen: Sequence[OrderSeen], asked_at: float) -> None:
        """A list of orders of a symbol was read: those that are in it exist, those missing were not seen there."""
        self.hint(seen)
        for tracked in self._fates.book.open.values():
            if tracked.symbol == symbol and tracked.case is not None:
                tracked.case.note(endpoint, asked_at)

    def listed_open(self, seen: Sequence[OrderSeen], asked_at: float) -> None:
        """All open orders of the account were read: a working order that is not among them has to be looked at."""
        self.hint(seen)
        listed = {(one.symbol, one.exchange_order_id) for one in seen}
        for tracked in self._fates.book.open.values():
            settled = asked_at - tracked.live_at > self._fates.account.traits.visibility_s
            if tracked.phase is Phase.LIVE and (tracked.symbol, tracked.exchange_id) not in listed and settled:
                tracked.read_at = asked_at

    def read_over(self, order_id: str) -> None:
        """A round of reads for an order is over, whatever came of it: judge, and settle when to look again."""
        tracked = self._fates.book.get(order_id)
        if tracked is None:
            return
        tracked.reading = False
        policy, now = self._fates.policy, self._fates.monotonic()
        if tracked.case is not None:
            tracked.reads += 1
            tracked.read_at = tracked.case.next_read(now, tracked.reads, policy)
        elif tracked.phase is Phase.LIVE and (tracked.in_doubt is not None or tracked.cancel_wanted):
            tracked.reads += 1
            asked = _NEVER if tracked.read_at is None else tracked.read_at
            tracked.read_at = min(now + policy.pause(tracked.reads), asked)
        else:
            tracked.reads = 0
        self.judge(tracked)

    def judge(self, tracked: Tracked) -> None:
        """Halt the instrument of an order of which has not been told for too long what became of it."""
        now = self._fates.monotonic()
        if tracked.halted or now < tracked.overdue_at(self._fates.policy):
            return
        if tracked.phase is Phase.ENDING:
            self._fates.halt_unsettled(tracked)
        elif tracked.case is not None:
            self._fates.halt(tracked, f"UNKNOWN for {now - tracked.case.opened:.0f} s: {tracked.case}")
        elif tracked.in_doubt is not None:
            doubt_s = now - tracked.in_doubt
            self._fates.halt(tracked, f"the venue has not told for {doubt_s:.0f} s what became of it")

    def judge_all(self) -> None:
        """Judge by the clock alone: also where no read comes back, or none gets its turn."""
        for tracked in tuple(self._fates.book.open.values()):
            self.judge(tracked)

    def unseen(self, symbol: str) -> list[Tracked]:
        """The unknown orders of a symbol that no read knows: only the balances can still speak for them."""
        return [
            one
            for one in self._fates.book.open.values()
            if one.symbol == symbol and one.case is not None and one.case.unseen(self._fates.policy)
        ]

    def balances_say(self, order_id: str, *, explained: bool) -> None:
        """Whether the balances moved by nothing but known trades: then an unseen order is proved absent."""
        tracked = self._fates.book.open.get(order_id)
        if tracked is None or tracked.case is None:
            return
        tracked.case.unexplained = not explained
        if explained and tracked.case.unseen(self._fates.policy):
            tracked.absent = True
            self._fates.end(tracked, ReportKind.ABSENT, f"ABSENT: {tracked.case}")

    def trades_page(self, symbol: str, paging: Paging, page: Sequence[TradeSeen]) -> Step:
        """Take a page of trades."""
        now = self._fates.monotonic()
        step, ours = self._fates.tape.take(paging, page, self._fates.book, now)
        for tracked, trade in ours:
            tracked.traded = add(tracked.traded, trade.quantity)
            if tracked.phase is not Phase.OVER or tracked.absent:
                self._fates.exists(tracked, trade.exchange_order_id)
            self._fates.settle(tracked)
        if step is Step.STUCK:
            why = "TRADES: its history shows only a part of the trades of one instant; some may be missing"
            self._fates.halt_symbol(symbol, why)
        return step

    def trades_complete(self, symbol: str, asked_at: float) -> None:
        """All trades of a symbol that the venue shows were read, from `asked_at` on."""
        for tracked in tuple(self._fates.book.open.values()):
            if tracked.symbol != symbol:
                continue
            if tracked.case is not None:
                tracked.case.note(Endpoint.TRADES, asked_at)
            if tracked.phase is Phase.ENDING and asked_at >= tracked.ended_at:
                tracked.end_reads += 1
        self._fates.trades_again(symbol)

    # --- orders of nobody yet ----------------------------------------------------------------------------------

    def orphans_due(self) -> list[Orphan]:
        """Orders of the venue's to be read, since their trades may be ours."""
        now = self._fates.monotonic()
        due = [one for one in self._fates.tape.orphans.values() if one.read_at <= now]
        for orphan in due:
            orphan.read_at = _NEVER
        return due

    def orphan_read(self, orphan: Orphan, seen: OrderSeen | None) -> None:
        """Such an order was read, or could not be (None)."""
        if seen is not None:
            self.hint((seen,))
        self._fates.tape.identified(orphan, seen, self._fates.monotonic())

    def next_due(self) -> float:
        """When something is due next, by the monotonic clock."""
        moments = [self._fates.trades_next(), *(one.read_at for one in self._fates.tape.orphans.values())]
        for one in self._fates.book.open.values():
            if not one.halted:
                moments.append(one.overdue_at(self._fates.policy))
            if one.cancel_at is not None:
                moments.append(one.cancel_at)
            if one.read_at is not None and not one.reading:
                moments.append(one.read_at)
        return min(moments, default=_NEVER)


def _is_due(tracked: Tracked, now: float) -> bool:
    return tracked.read_at is not None and tracked.read_at <= now and not tracked.reading
