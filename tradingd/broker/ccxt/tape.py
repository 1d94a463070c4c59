"""Trades of the account: each told once, with the order that it is of."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from tradingd.broker.ccxt.cursor import Cursor, Paging, Step
from tradingd.broker.ccxt.movements import Movements
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.tracked import Book, Phase, Tracked
from tradingd.domain.events import Event, TradeReport
from tradingd.domain.instrument import Instrument
from tradingd.venues.model import OrderRef, OrderSeen, TradeSeen, VenueTraits

__all__ = ["Orphan", "Tape"]

OrderKey = tuple[str, str]
"""(symbol, the venue's order id): ids of some venues count per symbol."""


class Orphan(msgspec.Struct):
    """Trades of an order of the venue's that may be one of ours whose id there we do not know yet."""

    symbol: str
    exchange_id: str
    trades: list[TradeSeen]
    read_at: float
    tries: int = 0

    @property
    def ref(self) -> OrderRef:
        """What names the order at the venue."""
        return OrderRef("", self.symbol, self.exchange_id)


class Tape:
    """Finds out which trades are new and whose they are; `counted` is called with each trade of an order of ours.

    Until `opened`, trades of nobody we know are left out: the first snapshot of the account holds them already.
    """

    def __init__(
        self,
        venue: str,
        instruments: Mapping[str, Instrument],
        traits: VenueTraits,
        policy: EvidencePolicy,
        *,
        tell: Callable[[Event], None],
        since_ns: int,
        cursors: Mapping[str, int] | None = None,
    ) -> None:
        self._venue = venue
        self._traits = traits
        self._policy = policy
        self._tell = tell
        self.movements = Movements(instruments)
        told = cursors or {}
        self._cursors = {symbol: Cursor(told.get(symbol, since_ns)) for symbol in instruments}
        self.opened = cursors is not None
        self.orders: dict[OrderKey, Tracked] = {}
        """Our orders by the venue's id."""
        self.orphans: dict[OrderKey, Orphan] = {}
        self.last_trade_at = float("-inf")
        self.version = 0
        """How many trades came to light, told or left out."""
        self.found: list[TradeSeen] = []
        """Those that were told and not yet compared with what the streams told."""

    @property
    def cursors(self) -> dict[str, int]:
        """How far the trades of each symbol are known, ns UTC."""
        return {symbol: cursor.since_ns for symbol, cursor in self._cursors.items()}

    def paging(self, symbol: str, now_ns: int, *, wide: bool = True) -> Paging:
        """A complete read of a symbol's trades since the last known one; `wide`: those that came up late, too."""
        overlap = max(self._policy.overlap_s, self._traits.visibility_s) if wide else 0.0
        return Paging.of(self._cursors[symbol], now_ns, overlap, self._traits.trades_window_s)

    def read_whole(self, symbol: str, paging: Paging) -> None:
        """A read of a symbol's trades was complete."""
        self._cursors[symbol].whole_ns = paging.whole_ns

    def forget(self, tracked: Tracked) -> None:
        """An order is not remembered any more."""
        self.orders.pop((tracked.symbol, tracked.exchange_id), None)

    def name(self, tracked: Tracked, exchange_id: str, now: float) -> list[TradeSeen]:
        """An order of ours has this id at the venue; returns its trades that waited for it."""
        if not exchange_id or tracked.exchange_id:
            return []
        tracked.exchange_id = exchange_id
        key = tracked.symbol, exchange_id
        self.orders[key] = tracked
        orphan = self.orphans.pop(key, None)
        for trade in () if orphan is None else orphan.trades:
            self._report(trade, tracked.order_id, now)
        return [] if orphan is None else orphan.trades

    def take(
        self, paging: Paging, page: Iterable[TradeSeen], book: Book, now: float
    ) -> tuple[Step, list[tuple[Tracked, TradeSeen]]]:
        """Take a page of a read; returns what to do next, and the new trades of ours."""
        step, fresh = paging.take(tuple(page))
        ours = []
        for trade in fresh:
            if not self._cursors[trade.symbol].is_new(trade):
                continue
            owner = book.get(trade.order_id) or self.orders.get((trade.symbol, trade.exchange_order_id))
            if owner is not None:
                self._report(trade, owner.order_id, now)
                ours.append((owner, trade))
            else:
                self._hold(trade, book.open.values(), now)
        return step, ours

    def _hold(self, trade: TradeSeen, orders: Iterable[Tracked], now: float) -> None:
        """A trade of an order that we do not know by that id: perhaps ours all the same."""
        if trade.order_id or not any(_may_own(tracked, trade) for tracked in orders):
            self._external(trade, trade.order_id or trade.exchange_order_id, now)
            return
        key = trade.symbol, trade.exchange_order_id
        orphan = self.orphans.setdefault(key, Orphan(trade.symbol, trade.exchange_order_id, [], now))
        orphan.trades.append(trade)

    def release(self, orders: Iterable[Tracked], now: float) -> None:
        """Tell trades that none of our orders can own (any more) as somebody else's."""
        if not self.orphans:
            return
        waiting = tuple(orders)
        for key, orphan in tuple(self.orphans.items()):
            if not any(_may_own(tracked, orphan.trades[0]) for tracked in waiting):
                self._disown(key, orphan.exchange_id, now)

    def identified(self, orphan: Orphan, seen: OrderSeen | None, now: float) -> None:
        """The order of held trades was read, and is none of ours (one of ours is named by `name`)."""
        key = orphan.symbol, orphan.exchange_id
        orphan.tries += 1
        orphan.read_at = now + self._policy.pause(orphan.tries)
        if seen is not None and key in self.orphans:
            self._disown(key, seen.order_id or orphan.exchange_id, now)

    def _disown(self, key: OrderKey, order_id: str, now: float) -> None:
        for trade in self.orphans.pop(key).trades:
            self._external(trade, order_id, now)

    def _external(self, trade: TradeSeen, order_id: str, now: float) -> None:
        if self.opened:
            self._report(trade, order_id, now)
        else:
            self.version += 1  # the balances that are being read may be from before it

    def _report(self, trade: TradeSeen, order_id: str, now: float) -> None:
        self.version += 1
        self.found.append(trade)
        self.last_trade_at = now
        self.movements.count(trade)
        self._tell(
            TradeReport(
                trade.ts,
                self._venue,
                order_id,
                trade.trade_id,
                trade.symbol,
                trade.side,
                trade.quantity,
                trade.price,
                trade.fees,
                trade.liquidity,
            )
        )


def _may_own(tracked: Tracked, trade: TradeSeen) -> bool:
    """Whether a trade may be of an order of ours whose id at the venue is not known."""
    return (
        not tracked.exchange_id
        and Phase.QUEUED < tracked.phase < Phase.OVER
        and tracked.symbol == trade.symbol
        and tracked.order.side is trade.side
    )
