"""What positions could become: the worst that any subset of fills of the working orders could do."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, magnitude, neg, sub, worth
from tradingd.domain.ports import InstrumentLookup, PortfolioView
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import OrderTerms
from tradingd.domain.venue import EVERYTHING, VenueCapabilities, Venues
from tradingd.risk.outcomes import Part, Quantities, Reductions, raced, races, worst_case
from tradingd.risk.reservation import Group, Reservation
from tradingd.risk.reservations import ReservationBook

__all__ = ["Claim", "ExposureBook", "Reservation"]


_OTHERS = "external"
"""Whom execution tells fills for that are of no order of ours."""


class Claim(Quantities, Protocol):
    """What exposure needs to know of an order, approved or only proposed."""

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""

    @property
    def side(self) -> Side:
        """Which way it trades."""

    @property
    def price(self) -> Decimal:
        """What it counts at where the market makes less of it."""


class _Bounds(NamedTuple):
    """The worst notionals of a symbol, and the very objects that they derive from."""

    event: object
    revision: int
    held: Decimal
    cost: Decimal
    rate: Decimal | None
    worst: tuple[Decimal, Decimal]


class _With(NamedTuple):
    """The worst notional with one more order, and the very objects that it derives from."""

    claim: Claim
    event: object
    revision: int
    held: Decimal
    cost: Decimal
    worst: Decimal


class ExposureBook(ReservationBook):
    """Reservations, and the exposures they could lead to.

    The portfolio tells positions; this book adds what working orders could still do to them. Orders count at
    the latest price or at their own, whichever makes more of them; before the first price at their own. Amounts
    are in the account's currency. Of the legs of one OCO group that the venue keeps, what has filled counts,
    and of the rest the largest leg alone: its fills are taken from the others. Reduce-only legs on their way may
    fill beside it, though together no more than there is to reduce. Per-symbol figures are cached
    under everything they derive from, so that a stale one cannot be read.
    """

    def __init__(
        self,
        portfolio: PortfolioView,
        prices: PriceBoard,
        instruments: InstrumentLookup | None = None,
        venues: Venues | None = None,
    ) -> None:
        super().__init__(instruments, portfolio.currency)
        self._venues: Venues = venues or {}
        self._portfolio = portfolio
        self._prices = prices
        self._cache: dict[str, _Bounds] = {}
        self._with: _With | None = None

    def capabilities(self, instrument: Instrument) -> VenueCapabilities:
        """What the instrument's venue can do of itself."""
        return self._venues.get(instrument.venue, EVERYTHING)

    def pairs(self, instrument: Instrument, order_type: OrderType) -> bool:
        """Whether the venue itself keeps an order of this type in an OCO group.

        It cannot where execution does anything for the order: waits for its trigger, or replaces it to change it.
        """
        venue = self.capabilities(instrument)
        return venue.oco and venue.modify and order_type in venue.order_types

    def group(
        self, strategy_id: str, instrument: Instrument, order_type: OrderType, terms: OrderTerms
    ) -> Group | None:
        """The group that an order shares with; None where it has none, or the venue does not keep it."""
        worked = terms.algo is not None or terms.requote is not None
        if not terms.oco or worked or not self.pairs(instrument, order_type):
            return None
        return strategy_id, terms.oco

    # --- quantities ------------------------------------------------------------------------------------------

    def pending(self, symbol: str, side: Side, strategy_id: str | None = None) -> Decimal:
        """The quantity that working orders of `side` may still fill."""
        return worst_case(self._of(symbol, side, strategy_id))

    def bounds(
        self, symbol: str, strategy_id: str | None = None, claim: Claim | None = None
    ) -> tuple[Decimal, Decimal]:
        """The lowest and highest position that any fills could lead to, of the working orders and of one more."""
        if strategy_id is None:
            held = self._portfolio.get_position(symbol).quantity
        else:
            held = self._portfolio.get_strategy_position(strategy_id, symbol).quantity
        if symbol not in self._by_symbol:  # mostly nothing works, or one order
            if claim is None:
                return held, held
            if claim.side is Side.BUY:
                return held, add(held, claim.outstanding)
            return sub(held, claim.outstanding), held
        sells, buys = self._of(symbol, Side.SELL, strategy_id), self._of(symbol, Side.BUY, strategy_id)
        if claim is not None:
            (buys if claim.side is Side.BUY else sells).append(claim)
        low, high = worst_case(sells), worst_case(buys)
        if races(sells) or races(buys):
            long, short = self._reducible(symbol, held, strategy_id, claim)
            low, high = max(low, raced(sells, long)), max(high, raced(buys, short))
        return sub(held, low), add(held, high)

    def _reducible(
        self, symbol: str, held: Decimal, strategy_id: str | None, claim: Claim | None
    ) -> tuple[Decimal, Decimal]:
        """What reduce-only sells, and buys, may find at most to reduce.

        Of the account that is what it holds: what reduces what is bought first leaves it no lower. One strategy's
        orders may also reduce what others hold, and what anybody buys first.
        """
        if strategy_id is None:
            return max(ZERO, held), max(ZERO, neg(held))
        total = self._portfolio.get_position(symbol).quantity
        own = ZERO if claim is None else claim.outstanding
        up, down = self.pending(symbol, Side.BUY), self.pending(symbol, Side.SELL)
        return max(ZERO, add(add(total, up), own)), max(ZERO, add(sub(down, total), own))

    def reduces(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal,
        shares: Group | None = None,
        unbooked: Decimal = ZERO,
        *,
        reduce_only: bool = False,
    ) -> bool:
        """Whether an order could only shrink the account's position, whichever subset of orders fills.

        With it, all that the working orders of its side could take away must not exceed what is held. For one
        that is `reduce_only` itself a group counts as its largest leg from the first moment: a race at the venue,
        which lets it cross no zero, must not keep protection away. What such a race may do to other orders of its
        side is for `only_shrinks`.
        """
        held = self._own(symbol)
        if not held or (held > 0) == (side is Side.BUY):
            return False
        if symbol not in self._by_symbol:
            return quantity <= magnitude(held)
        orders: list[Quantities] = [*self._of(symbol, side), Part(quantity, unbooked, shares)]
        if worst_case(orders) > magnitude(held):
            return False
        return reduce_only or not races(orders) or raced(orders, magnitude(held)) <= magnitude(held)

    def only_shrinks(self, claim: Claim) -> bool:
        """Whether the orders of its side, and that one, only shrink the account's position, whichever fill.

        As `reduces`, and no race of legs on their way to the venue leaves another order too little to reduce.
        """
        held = self._own(claim.symbol)
        if not held or (held > 0) == (claim.side is Side.BUY):
            return False
        return Reductions(magnitude(held)).take_all([*self._of(claim.symbol, claim.side), claim])

    def _own(self, symbol: str) -> Decimal:
        """The account's position as far as it can be reduced.

        Coins that somebody else sold, by hand or by the stop of an earlier run, were the owner's and no position
        of this run: where the books say "short" for that, a buy grows what the account holds.
        """
        held = self._portfolio.get_position(symbol).quantity
        if held >= 0 or self.instrument(symbol).kind.is_contract:
            return held
        sold = min(ZERO, self._portfolio.get_strategy_position(_OTHERS, symbol).quantity)
        return min(ZERO, sub(held, sold))

    # --- money -----------------------------------------------------------------------------------------------

    def price(self, symbol: str) -> Decimal | None:
        """The latest market price; None before the first, and where there is none above 0."""
        latest = self._prices.exact(symbol)
        return latest if latest is not None and latest > 0 else None

    def value(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """The notional of a quantity in the account's currency.

        Raises:
            AccountingError: the settlement currency has no price.

        """
        notional = instrument.notional(quantity, price)
        if not notional or instrument.settle == self._portfolio.currency:
            return notional
        return worth(notional, self._portfolio.rate(instrument.settle))

    def notional_bounds(self, symbol: str) -> tuple[Decimal, Decimal]:
        """The worst short (<= 0) and long (>= 0) notional of a symbol."""
        position = self._portfolio.get_position(symbol)
        if not position.quantity and symbol not in self._by_symbol:
            return ZERO, ZERO
        settle = self.instrument(symbol).settle
        rate = None if settle == self._portfolio.currency else self._portfolio.rate(settle)
        event, revision = self._prices.latest.get(symbol), self._revision.get(symbol, 0)
        cached = self._cache.get(symbol)
        if (
            cached is not None
            and cached.event is event
            and cached.revision == revision
            and cached.held is position.quantity
            and cached.cost is position.cost
            and cached.rate == rate
        ):
            return cached.worst
        low, high = self.bounds(symbol)
        sells, buys = self._of(symbol, Side.SELL), self._of(symbol, Side.BUY)
        worst = (neg(self._worst(symbol, neg(low), sells)), self._worst(symbol, high, buys))
        self._cache[symbol] = _Bounds(event, revision, position.quantity, position.cost, rate, worst)
        return worst

    def notional_with(self, claim: Claim, strategy_id: str | None = None) -> Decimal:
        """The worst notional that a symbol could have on the side of one more order, with that order.

        Several limits ask it of the same order, one after the other: of the account it is kept for them.
        """
        if strategy_id is not None:
            return self._notional_with(claim, strategy_id)
        symbol = claim.symbol
        position = self._portfolio.get_position(symbol)
        event, revision = self._prices.latest.get(symbol), self._revision.get(symbol, 0)
        known = self._with
        if (
            known is not None
            and known.claim is claim
            and known.event is event
            and known.revision == revision
            and known.held is position.quantity
            and known.cost is position.cost
        ):
            return known.worst
        worst = self._notional_with(claim, None)
        if self.instrument(symbol).settle == self._portfolio.currency:  # else it hangs on another price, too
            self._with = _With(claim, event, revision, position.quantity, position.cost, worst)
        return worst

    def _notional_with(self, claim: Claim, strategy_id: str | None) -> Decimal:
        low, high = self.bounds(claim.symbol, strategy_id, claim)
        far = high if claim.side is Side.BUY else neg(low)
        orders = [*self._of(claim.symbol, claim.side, strategy_id), claim]
        return self._worst(claim.symbol, far, orders)

    def _of(self, symbol: str, side: Side, strategy_id: str | None = None) -> list[Claim]:
        if symbol not in self._by_symbol:
            return []
        return [order for order in self.working(symbol, strategy_id) if order.side is side]

    def _worst(self, symbol: str, reach: Decimal, orders: Sequence[Claim]) -> Decimal:
        """The notional of a bound: all of it at the latest price, and orders for what they may be worth more."""
        if reach <= 0:
            return ZERO
        instrument = self.instrument(symbol)
        mark = self._mark(symbol, orders)
        total = self.value(instrument, reach, mark) if mark > 0 else ZERO
        for order in orders:
            if order.price > 0 and order.price != mark:
                own = self.value(instrument, order.outstanding, order.price)
                total = add(total, max(ZERO, sub(own, self.value(instrument, order.outstanding, mark))))
        return total

    def _mark(self, symbol: str, orders: Sequence[Claim]) -> Decimal:
        """The latest price; before the first one, what orders would pay or the position has cost."""
        latest = self.price(symbol)
        if latest is not None:
            return latest
        average = magnitude(self._portfolio.get_position(symbol).average_price)
        return max(average, *(order.price for order in orders)) if orders else average

    def symbols(self) -> Iterable[str]:
        """The symbols with a position or a working order."""
        return dict.fromkeys((*self._portfolio.positions, *self._by_symbol))

    def gross(self, claim: Claim | None = None) -> Decimal:
        """The greatest gross exposure any subset of fills could lead to, of one more order too."""
        total = ZERO
        symbols = self.symbols() if claim is None else dict.fromkeys((*self.symbols(), claim.symbol))
        for symbol in symbols:
            low, high = self.notional_bounds(symbol)
            worst = max(neg(low), high)
            if claim is not None and symbol == claim.symbol:
                worst = max(worst, self.notional_with(claim))
            total = add(total, worst)
        return total

    def net_with(self, claim: Claim) -> Decimal:
        """How far net exposure could get on the side of one more order, with that order.

        A symbol that cannot leave the other side counts 0, which is on the safe side: it may always be closed.
        """
        total = self.notional_with(claim)
        for symbol in self.symbols():
            if symbol != claim.symbol:
                low, high = self.notional_bounds(symbol)
                total = add(total, high if claim.side is Side.BUY else neg(low))
        return total

    def strategy_notional(self, strategy_id: str, claim: Claim | None = None) -> Decimal:
        """The greatest notional that one strategy's positions and orders could add up to, with one more order."""
        symbols = {symbol for _, symbol in self._portfolio.strategy_symbols(strategy_id)}
        symbols.update(order.symbol for order in self if order.strategy_id == strategy_id)
        if claim is not None:
            symbols.add(claim.symbol)
        total = ZERO
        for symbol in sorted(symbols):
            low, high = self.bounds(symbol, strategy_id)
            short = self._worst(symbol, neg(low), self._of(symbol, Side.SELL, strategy_id))
            worst = max(short, self._worst(symbol, high, self._of(symbol, Side.BUY, strategy_id)))
            if claim is not None and symbol == claim.symbol:
                worst = max(worst, self.notional_with(claim, strategy_id))
            total = add(total, worst)
        return total
