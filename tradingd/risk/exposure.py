"""What positions could become: the worst that any subset of fills of the working orders could do."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from tradingd.domain.enums import Side
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, magnitude, neg, sub, worth
from tradingd.domain.ports import InstrumentLookup, PortfolioView
from tradingd.domain.prices import PriceBoard
from tradingd.risk.reservations import Reservation, ReservationBook

__all__ = ["Claim", "ExposureBook", "Reservation"]


class Claim(Protocol):
    """What exposure needs to know of an order, approved or only proposed."""

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""

    @property
    def side(self) -> Side:
        """Which way it trades."""

    @property
    def outstanding(self) -> Decimal:
        """What it may still add to the booked position."""

    @property
    def price(self) -> Decimal:
        """What it counts at where the market makes less of it."""


class ExposureBook(ReservationBook):
    """Reservations, and the exposures they could lead to.

    The portfolio tells positions; this book adds what working orders could still do to them. Orders count at the
    latest price or at their own, whichever makes more of them; before the first price at their own. Amounts are
    in the account's currency. Per-symbol figures are cached under everything they derive from, so that a stale
    one cannot be read.
    """

    def __init__(
        self, portfolio: PortfolioView, prices: PriceBoard, instruments: InstrumentLookup | None = None
    ) -> None:
        super().__init__(instruments, portfolio.currency)
        self._portfolio = portfolio
        self._prices = prices
        self._cache: dict[str, tuple[tuple[object, ...], tuple[Decimal, Decimal]]] = {}

    # --- quantities ------------------------------------------------------------------------------------------

    def pending(self, symbol: str, side: Side, strategy_id: str | None = None) -> Decimal:
        """The quantity that working orders of `side` may still fill."""
        total = ZERO
        for reservation in self.working(symbol, strategy_id):
            if reservation.side is side:
                total = add(total, reservation.outstanding)
        return total

    def bounds(self, symbol: str, strategy_id: str | None = None) -> tuple[Decimal, Decimal]:
        """The lowest and highest position that any subset of fills of the working orders could lead to."""
        if strategy_id is None:
            held = self._portfolio.get_position(symbol).quantity
        else:
            held = self._portfolio.get_strategy_position(strategy_id, symbol).quantity
        low = sub(held, self.pending(symbol, Side.SELL, strategy_id))
        return low, add(held, self.pending(symbol, Side.BUY, strategy_id))

    def reduces(self, symbol: str, side: Side, quantity: Decimal) -> bool:
        """Whether an order could only shrink the account's position, whichever subset of orders fills.

        It must not exceed what is held less all that working orders of its side could take away.
        """
        held = self._portfolio.get_position(symbol).quantity
        if not held or (held > 0) == (side is Side.BUY):
            return False
        return quantity <= sub(magnitude(held), self.pending(symbol, side))

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
        revision = self._revision.get(symbol, 0)
        if not position.quantity and not self._by_symbol.get(symbol):
            return ZERO, ZERO
        settle = self.instrument(symbol).settle
        rate = None if settle == self._portfolio.currency else self._portfolio.rate(settle)
        key = (self._prices.latest.get(symbol), position.quantity, position.cost, revision, rate)
        cached = self._cache.get(symbol)
        if cached is None or cached[0] != key:
            low, high = self.bounds(symbol)
            sells, buys = self._of(symbol, Side.SELL), self._of(symbol, Side.BUY)
            worst = (neg(self._worst(symbol, neg(low), sells)), self._worst(symbol, high, buys))
            cached = self._cache[symbol] = (key, worst)
        return cached[1]

    def notional_with(self, claim: Claim, strategy_id: str | None = None) -> Decimal:
        """The worst notional that a symbol could have on the side of one more order, with that order."""
        low, high = self.bounds(claim.symbol, strategy_id)
        far = high if claim.side is Side.BUY else neg(low)
        orders = [*self._of(claim.symbol, claim.side, strategy_id), claim]
        return self._worst(claim.symbol, add(far, claim.outstanding), orders)

    def _of(self, symbol: str, side: Side, strategy_id: str | None = None) -> list[Claim]:
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
