"""From market events to fills: which working orders an event reaches, in what order, and what they get."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import inf

from tradingd.broker.depth import is_opportunity, match_in_depth
from tradingd.broker.desk import Desk, expired
from tradingd.broker.expiry import DAY_OPEN, end_of_day, until
from tradingd.broker.matching import AWAKE, Match, Phase, match, match_trailing, seen_by
from tradingd.broker.queue import QueueModel
from tradingd.broker.supply import Offer, Supply
from tradingd.broker.working import Working
from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import Bar, Book, MarketEvent, ReportKind, TradeReport
from tradingd.domain.money import ZERO, add, from_market, sub
from tradingd.domain.terms import PLAIN

__all__ = ["Filling"]

_IOC, _FOK = TimeInForce.IOC, TimeInForce.FOK
_TAKER, _MAKER = Liquidity.TAKER, Liquidity.MAKER
_MARKET = OrderType.MARKET


class Filling:
    """Matches working orders against market events and carries the fills out.

    `participation` is the part of an event's volume or sizes that our orders may have, None for no bound (but what
    a book shows).
    """

    def __init__(self, desk: Desk, *, touch: bool, participation: Decimal | None, queue: QueueModel) -> None:
        self._desk = desk
        self._touch = touch
        self._share = participation
        self._queue = queue
        self._trades = 0

    def on_event(self, orders: Sequence[Working], event: MarketEvent) -> None:
        """Match the working orders of the event's symbol, in the order that is worst for us."""
        deep = event.symbol in self._desk.prices.books
        late: list[Working] = []
        if len(orders) == 1:
            alone = self._look(orders[0], event, late, deep=deep)
            if alone is not None:
                self._fill(orders[0], alone[0], alone[1], self._supply(deep=deep))
        else:
            self._match_all(orders, event, late, deep=deep)
        for working in late:
            if not working.over:
                self._desk.end(working, ReportKind.EXPIRED, expired(working))

    def _supply(self, *, deep: bool) -> Supply | None:
        """What orders share of an event; None where each has all that it wants."""
        if self._share is None:
            return Supply() if deep else None
        return Supply(self._share)

    def _match_all(
        self, orders: Sequence[Working], event: MarketEvent, late: list[Working], *, deep: bool
    ) -> None:
        matched: list[tuple[Match, Working, MarketEvent]] = []
        for working in orders:
            if not working.over:  # the end of another one of its group has ended it
                found = self._look(working, event, late, deep=deep)
                if found is not None:
                    matched.append((found[0], working, found[1]))
        if not matched:
            return
        supply = self._supply(deep=deep)
        matched.sort(key=_by_phase if supply is None else _by_priority)
        for match_, working, seen in matched:
            if not working.over:  # an earlier fill ended its group, or its report led to a cancel
                self._fill(working, match_, seen, supply)

    def _look(
        self, working: Working, event: MarketEvent, late: list[Working], *, deep: bool
    ) -> tuple[Match, MarketEvent] | None:
        """What the event offers to an order, and the event as it sees it; notes in `late` an order's last one."""
        seen = seen_by(working.arrived, event, working.side)
        if seen is not None and event.ts >= working.expires:
            seen = self._before_expiry(working, event, seen)
            if event.ts > working.expires:
                late.append(working)
        if seen is None or (deep and not is_opportunity(working, seen)):
            return None
        found = self._match(working, seen, deep=deep)
        return None if found is None else (found, seen)

    def _before_expiry(self, working: Working, event: MarketEvent, seen: MarketEvent) -> MarketEvent | None:
        """What the order may know of an event that is not before its expiry; it ends where that is nothing."""
        if working.expires == DAY_OPEN:
            working.expires = end_of_day(event, seen)
            self._desk.watch(working)
        left = until(working.expires, event, seen)
        if left is None:
            self._desk.end(working, ReportKind.EXPIRED, expired(working))
        return left

    def _match(self, working: Working, seen: MarketEvent, *, deep: bool) -> Match | None:
        """What the event offers to the order, after what the order's own terms make of that."""
        if deep:
            found = match_in_depth(working, seen, self._queue)  # type: ignore[arg-type]  # see `is_opportunity`
        elif working.kind is OrderType.TRAILING_STOP:
            found = match_trailing(working.side, working.level, seen, working.follow)
        else:
            found = match(
                working.kind,
                working.side,
                working.level,
                seen,
                fresh=working.fresh,
                touch=self._touch,
                limit=working.limit,
            )
        working.fresh = False
        if found is not None and working.kind is not _MARKET and working.kind.is_conditional:
            working.wake(fresh=deep and type(seen) is not Book)
            if working.fresh:
                return None  # woken by a trade: its first opportunity is the next book
        return self._allowed(working, None if found is AWAKE else found)

    def _allowed(self, working: Working, found: Match | None) -> Match | None:
        """What immediate and post-only orders make of a match: the ones must take, the others must not."""
        order = working.order
        if order.time_in_force is _IOC or order.time_in_force is _FOK:
            if found is None or found.liquidity is _MAKER:
                if not working.sleeps:
                    self._expire_at_once(working)
                return None
        elif (
            found is not None and order.terms is not PLAIN and order.terms.post_only and found.liquidity is _TAKER
        ):
            self._desk.end(working, ReportKind.CANCELED, f"POST_ONLY: it would have taken at {found.price}")
            return None
        return found

    def _expire_at_once(self, working: Working) -> None:
        self._desk.end(working, ReportKind.EXPIRED, f"{working.order.time_in_force}: not filled at once")

    # --- fills -----------------------------------------------------------------------------------------------

    def _fill(self, working: Working, found: Match, seen: MarketEvent, supply: Supply | None) -> None:
        order = working.order
        self._release(working)
        wanted = self._reducing(working) if order.reduce_only else working.left
        if not wanted:
            self._desk.end(working, ReportKind.CANCELED, "REDUCE_ONLY: nothing left to reduce")
        elif order.time_in_force is _FOK and wanted < working.left:
            self._expire_at_once(working)
        elif supply is not None:
            self._fill_from(supply, working, found, seen, wanted)
        else:
            self._trade(working, found, found.price, wanted, seen)
            if not working.over:
                self._after_a_part(working, wanted, wanted)

    def _fill_from(
        self, supply: Supply, working: Working, found: Match, seen: MarketEvent, wanted: Decimal
    ) -> None:
        """Fill as much as there is, at each price that it is to be had at."""
        offers = supply.offers(seen, working.side, wanted, _limit(working), found, working.instrument)
        if working.order.time_in_force is _FOK and _total(offers) < wanted:
            self._expire_at_once(working)
            return
        for offer in offers:
            if not working.over:
                supply.took(offer)
                self._trade(working, found, offer.price, offer.quantity, seen)
        if not working.over:
            self._after_a_part(working, _total(offers), wanted)

    def _after_a_part(self, working: Working, had: Decimal, wanted: Decimal) -> None:
        """What becomes of an order that has not filled in full."""
        if had == wanted:  # less than the order's own rest: a reduce-only order
            self._desk.end(working, ReportKind.CANCELED, "REDUCE_ONLY: nothing left to reduce")
        elif working.order.time_in_force in (_IOC, _FOK):
            self._desk.end(
                working, ReportKind.EXPIRED, f"{working.order.time_in_force}: the rest was not to be had"
            )
        else:
            self._desk.hold(working)

    def _release(self, working: Working) -> None:
        """Free what the order, or its group, holds: it is about to spend that."""
        desk = self._desk
        if working.group:
            desk.lift(desk.group(working.order.symbol, working.group))
        else:
            desk.account.unlock(working.order_id)

    def _trade(self, working: Working, found: Match, at: float, quantity: Decimal, seen: MarketEvent) -> None:
        """Carry one fill out, or cancel the order where the account cannot bear it."""
        order, instrument, desk = working.order, working.instrument, self._desk
        if working.group:
            self._release(working)  # an earlier part of this fill has changed the group
        price = self._price(working, found, at, quantity, seen)
        if price <= 0:
            desk.end(working, ReportKind.CANCELED, f"NO_PRICE: the market is below one tick of {instrument.tick}")
            return
        fees = desk.fees(working, quantity, price, found.liquidity)
        if not order.reduce_only or _is_paid_in_full(working, desk):
            refusal = desk.account.refusal(instrument, order.side, quantity, price, fees, desk.mark)
            if refusal:
                desk.end(working, ReportKind.CANCELED, refusal)
                return
        if quantity == working.left:
            desk.drop(working)
        working.left = sub(working.left, quantity)
        desk.account.settle(instrument, order.side, quantity, price, fees)
        if desk.costs.keeper is not None:
            working.charged = desk.costs.book(instrument, quantity, price, fees, working.charged)
        self._trades += 1
        desk.emit(
            TradeReport(
                seen.ts_open if found.phase is Phase.OPEN and type(seen) is Bar else seen.ts,
                desk.venue,
                working.order_id,
                f"{desk.venue}-T{self._trades}",
                order.symbol,
                order.side,
                quantity,
                price,
                fees,
                found.liquidity,
            )
        )
        if working.group:
            desk.take_from_group(working, quantity)

    def _reducing(self, working: Working) -> Decimal:
        """How much of a reduce-only order may fill: whole lots, no more than the position, none that is locked."""
        instrument, account = working.instrument, self._desk.account
        quantity = min(working.left, self._desk.reducible(working.side, instrument))
        if account.holds_funds and working.side is Side.SELL and not instrument.kind.is_contract:
            quantity = min(quantity, max(ZERO, account.free(instrument.base)))
        return instrument.floor_quantity(quantity)

    def _price(
        self, working: Working, found: Match, price: float, quantity: Decimal, seen: MarketEvent
    ) -> Decimal:
        """The price of a fill: exact at a limit, slipped where there is none."""
        limit = working.limit_price
        if limit is None:
            exact = from_market(price)
            return self._desk.costs.slipped(working.instrument, working.side, exact, quantity, seen)
        if found.liquidity is _MAKER:
            return limit
        exact = working.instrument.worse_price(from_market(price), working.side)
        return min(exact, limit) if working.side is Side.BUY else max(exact, limit)


def _is_paid_in_full(working: Working, desk: Desk) -> bool:
    """Whether an order pays for what it buys back: coins that a cash account had, and sold."""
    return working.side is Side.BUY and desk.account.holds_funds and not working.instrument.kind.is_contract


def _limit(working: Working) -> float:
    """How far a taker goes: its limit, or however far."""
    if working.limit_price is not None:
        return working.level
    return inf if working.side is Side.BUY else 0.0


def _total(offers: Iterable[Offer]) -> Decimal:
    total = ZERO
    for offer in offers:
        total = add(total, offer.quantity)
    return total


def _by_phase(matched: tuple[Match, Working, MarketEvent]) -> int:
    return matched[0].phase


def _by_priority(matched: tuple[Match, Working, MarketEvent]) -> tuple[int, float]:
    """By phase, then the better price first, where orders share what there is."""
    found, working, _ = matched
    return found.phase, -working.level * working.side.sign if found.liquidity is _MAKER else -inf
