"""What positions could become: reservations, and the worst that any subset of fills could do.

Risk reserves an order's full quantity when it approves it, and releases it only on evidence: the part that filled
once the portfolio has booked it, the rest once the order is terminal. A cancel request releases nothing. Between
a fill and its booking a quantity may thus be counted twice, never not at all.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import OrderUpdate, PositionUpdate
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, from_market, magnitude, mul, neg, sub
from tradingd.domain.ports import InstrumentLookup, PortfolioView
from tradingd.domain.prices import PriceBoard

__all__ = ["ExposureBook", "Reservation"]


class Reservation:
    """One approved order's claim; `outstanding` is what it may still add to the position."""

    __slots__ = (
        "booked",
        "closed",
        "filled",
        "instrument",
        "intent_id",
        "latest",
        "limit_price",
        "order_type",
        "price",
        "quantity",
        "side",
        "stop_price",
        "strategy_id",
        "symbol",
    )

    def __init__(
        self,
        *,
        intent_id: str,
        strategy_id: str,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        order_type: OrderType,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> None:
        self.intent_id = intent_id
        self.strategy_id = strategy_id
        self.symbol = instrument.symbol
        self.instrument = instrument
        self.side = side
        self.quantity = quantity
        self.price = price
        self.order_type = order_type
        self.limit_price = limit_price
        self.stop_price = stop_price
        self.filled = ZERO
        self.booked = ZERO
        self.closed = False
        self.latest: OrderUpdate | None = None
        """What execution last told of the order."""

    @property
    def outstanding(self) -> Decimal:
        """What may still be added to the booked position by this order."""
        until = self.filled if self.closed else max(self.quantity, self.filled)
        return max(ZERO, sub(until, self.booked))


class ExposureBook:
    """Reservations per symbol and strategy, and the exposures they could lead to.

    The portfolio tells positions; this book adds what working orders could still do to them. Per-symbol figures
    are cached under the revisions of everything they derive from, so that a stale one cannot be read.
    """

    def __init__(
        self, portfolio: PortfolioView, prices: PriceBoard, instruments: InstrumentLookup | None = None
    ) -> None:
        self._portfolio = portfolio
        self._prices = prices
        self._instruments = instruments
        self._reservations: dict[str, Reservation] = {}
        self._by_symbol: dict[str, dict[str, Reservation]] = {}
        self._revision: dict[str, int] = {}
        self._cache: dict[str, tuple[tuple[object, ...], tuple[Decimal, Decimal]]] = {}

    # --- reservations --------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Reservation]:
        return iter(tuple(self._reservations.values()))

    def __len__(self) -> int:
        return len(self._reservations)

    def get(self, intent_id: str) -> Reservation | None:
        """The reservation of an intent, None when it holds none."""
        return self._reservations.get(intent_id)

    def reserve(self, reservation: Reservation) -> None:
        """Count an approved order at its full quantity from now on."""
        self._reservations[reservation.intent_id] = reservation
        self._by_symbol.setdefault(reservation.symbol, {})[reservation.intent_id] = reservation
        self._touch(reservation.symbol)

    def without(self, reservation: Reservation) -> "_Lifted":
        """A context in which that order does not count, to judge what it may be changed to."""
        return _Lifted(self, reservation)

    def raise_to(self, reservation: Reservation, quantity: Decimal) -> None:
        """Count a changed order at the greater of its old and new quantity until the venue has answered."""
        reservation.quantity = max(reservation.quantity, quantity)
        self._touch(reservation.symbol)

    def on_order_update(self, update: OrderUpdate) -> Reservation | None:
        """Follow an order; returns its reservation when that has just been released completely."""
        reservation = self._reservations.get(update.intent_id)
        if reservation is None:
            return None
        reservation.latest = update
        reservation.filled = max(reservation.filled, update.filled)
        reservation.limit_price = update.limit_price
        reservation.stop_price = update.stop_price
        if update.status.is_terminal:
            reservation.closed = True
        elif update.reason.startswith("MODIF"):
            reservation.quantity = update.quantity
        self._touch(reservation.symbol)
        return self._settle(reservation)

    def on_position(self, update: PositionUpdate) -> Reservation | None:
        """A fill has been booked; returns its reservation when that has just been released completely."""
        reservation = self._reservations.get(update.fill.intent_id)
        if reservation is None:
            return None
        reservation.booked = add(reservation.booked, update.fill.quantity)
        reservation.filled = max(reservation.filled, reservation.booked)
        self._touch(reservation.symbol)
        return self._settle(reservation)

    def _settle(self, reservation: Reservation) -> Reservation | None:
        if not reservation.closed or reservation.outstanding:
            return None
        del self._reservations[reservation.intent_id]
        held = self._by_symbol[reservation.symbol]
        del held[reservation.intent_id]
        if not held:
            del self._by_symbol[reservation.symbol]
        return reservation

    def lift(self, reservation: Reservation) -> None:
        """Stop counting an order, for `without`."""
        self._by_symbol[reservation.symbol].pop(reservation.intent_id)
        self._touch(reservation.symbol)

    def _touch(self, symbol: str) -> None:
        self._revision[symbol] = self._revision.get(symbol, 0) + 1

    # --- quantities ----------------------------------------------------------------------------------------

    def working(self, symbol: str, strategy_id: str | None = None) -> list[Reservation]:
        """The reservations of a symbol, of one strategy or of all."""
        return [
            reservation
            for reservation in self._by_symbol.get(symbol, {}).values()
            if strategy_id in (None, reservation.strategy_id)
        ]

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

        It must be smaller than what is held less all that working orders of its side could take away.
        """
        held = self._portfolio.get_position(symbol).quantity
        if not held or (held > 0) == (side is Side.BUY):
            return False
        return quantity <= sub(magnitude(held), self.pending(symbol, side))

    # --- money ---------------------------------------------------------------------------------------------

    def price(self, symbol: str) -> Decimal | None:
        """The latest market price."""
        latest = self._prices.price(symbol)
        return None if latest is None else from_market(latest)

    def value(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """The notional of a quantity in the account's currency."""
        notional = instrument.notional(quantity, price)
        if instrument.settle == self._portfolio.currency:
            return notional
        return mul(notional, self._portfolio.rate(instrument.settle))

    def notional_bounds(self, symbol: str) -> tuple[Decimal, Decimal]:
        """The worst short (<= 0) and long (>= 0) notional of a symbol, in the account's currency.

        Orders count at the greater of their own price and the latest one.
        """
        latest = self._prices.latest.get(symbol)
        position = self._portfolio.get_position(symbol)
        key = (latest, position.revision, self._revision.get(symbol, 0))
        cached = self._cache.get(symbol)
        if cached is not None and cached[0] == key:
            return cached[1]
        bounds = self._notional_bounds(symbol)
        self._cache[symbol] = (key, bounds)
        return bounds

    def _notional_bounds(self, symbol: str) -> tuple[Decimal, Decimal]:
        low, high = self.bounds(symbol)
        if not low and not high:
            return ZERO, ZERO
        return neg(self._worst(symbol, low, Side.SELL, None)), self._worst(symbol, high, Side.BUY, None)

    def _worst(self, symbol: str, quantity: Decimal, side: Side, strategy_id: str | None) -> Decimal:
        """The notional of a bound: all of it at the latest price, and orders for what they may pay above that."""
        if (quantity > 0) != (side is Side.BUY) or not quantity:
            return ZERO
        instrument = self.instrument(symbol)
        working = [r for r in self.working(symbol, strategy_id) if r.side is side]
        latest = self._mark(symbol, working)
        total = self.value(instrument, quantity, latest)
        for reservation in working:
            if reservation.price > latest:
                dearer = self.value(instrument, reservation.outstanding, reservation.price)
                total = add(total, sub(dearer, self.value(instrument, reservation.outstanding, latest)))
        return total

    def _mark(self, symbol: str, working: list[Reservation]) -> Decimal:
        """The latest price; before the first one, what orders would pay or the position has cost."""
        latest = self.price(symbol)
        if latest is not None and latest > 0:
            return latest
        average = magnitude(self._portfolio.get_position(symbol).average_price)
        return max((r.price for r in working), default=average) or average

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of `symbol`; a plain share where none are known."""
        if self._instruments is None:
            return Instrument.plain(symbol, self._portfolio.currency)
        return self._instruments[symbol]

    def symbols(self) -> Iterable[str]:
        """The symbols with a position or a working order."""
        return dict.fromkeys((*self._portfolio.positions, *self._by_symbol))

    def gross(self) -> Decimal:
        """The greatest gross exposure any subset of fills could lead to, in the account's currency."""
        total = ZERO
        for symbol in self.symbols():
            low, high = self.notional_bounds(symbol)
            total = add(total, max(neg(low), high))
        return total

    def net(self) -> tuple[Decimal, Decimal]:
        """The lowest and highest net exposure any subset of fills could lead to.

        A symbol that cannot leave its side counts 0 on the other, which is on the safe side.
        """
        lowest = highest = ZERO
        for symbol in self.symbols():
            low, high = self.notional_bounds(symbol)
            lowest, highest = add(lowest, low), add(highest, high)
        return lowest, highest

    def strategy_notional(self, strategy_id: str) -> Decimal:
        """The greatest notional that one strategy's positions and orders could add up to."""
        symbols = {symbol for _, symbol in self._portfolio.strategy_symbols(strategy_id)}
        symbols.update(r.symbol for r in self._reservations.values() if r.strategy_id == strategy_id)
        total = ZERO
        for symbol in sorted(symbols):
            low, high = self.bounds(symbol, strategy_id)
            short = self._worst(symbol, low, Side.SELL, strategy_id)
            total = add(total, max(short, self._worst(symbol, high, Side.BUY, strategy_id)))
        return total


class _Lifted:
    """Lifts one reservation out of its book for the length of a `with`."""

    def __init__(self, book: ExposureBook, reservation: Reservation) -> None:
        self._book = book
        self._reservation = reservation

    def __enter__(self) -> None:
        self._book.lift(self._reservation)

    def __exit__(self, *_: object) -> None:
        self._book.reserve(self._reservation)
