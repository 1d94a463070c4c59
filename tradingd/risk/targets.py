"""From a signal's direction to an order's side and quantity."""

from decimal import Decimal

import msgspec

from tradingd.domain.enums import Direction, OrderType, Side
from tradingd.domain.events import Signal
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, from_market, magnitude, mul, neg
from tradingd.domain.ports import PortfolioView
from tradingd.risk.exposure import ExposureBook
from tradingd.risk.limits.base import Denied
from tradingd.risk.sizing import PositionSizer

__all__ = ["OrderDetails", "SignalSizing"]


class OrderDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What a signal becomes; true when there is something to order."""

    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    is_exit: bool = False
    """It only closes what the strategy holds."""
    reason: str = ""
    """Why the quantity is 0: a code, a colon, a detail."""

    def __bool__(self) -> bool:
        return self.quantity > 0


class SignalSizing:
    """Sizes signals for strategies that mean positions, not orders.

    LONG, when the strategy is flat, buys what the sizer says; when it is short, that plus what closes the short.
    SHORT mirrors it, or, where short selling is off, only closes a long. FLAT closes what the strategy holds.
    """

    def __init__(self, sizer: PositionSizer, portfolio: PortfolioView, *, allow_short: bool) -> None:
        self._sizer = sizer
        self._portfolio = portfolio
        self._allow_short = allow_short

    def pointless(self, signal: Signal, book: ExposureBook) -> Denied | None:
        """Why a signal asks for nothing new: the position is held, or on its way.

        Less than a lot, such as a fee in the base coin leaves behind, is nothing.
        """
        exact = self._portfolio.get_strategy_position(signal.strategy_id, signal.symbol).quantity
        held = book.instrument(signal.symbol).floor_quantity(exact)
        working = book.working(signal.symbol, signal.strategy_id)
        if signal.direction is Direction.FLAT:
            return None if held or working else Denied("ALREADY_FLAT", "there is nothing to close")
        long = signal.direction is Direction.LONG
        if held and (held > 0) == long:
            return Denied("ALREADY_HELD", f"{held} {signal.symbol}")
        side = Side.BUY if long else Side.SELL
        if not held and any(reservation.side is side for reservation in working):
            return Denied("ON_ITS_WAY", f"a {side} order is working")
        return None

    def details(
        self, instrument: Instrument, direction: Direction, price: Decimal, signal: Signal | None
    ) -> OrderDetails:
        """The order that takes the strategy's position to where `direction` wants it."""
        held = self._portfolio.get_strategy_position(
            signal.strategy_id if signal else "", instrument.symbol
        ).quantity
        if direction is Direction.FLAT or self._only_closes(direction, held):
            return self.exit(instrument, held)
        side = Side.BUY if direction is Direction.LONG else Side.SELL
        if side is Side.SELL and not self._allow_short:
            return _nothing(instrument, side, "SHORT_NOT_ALLOWED: short selling is off")
        size = self._sizer.calculate_position_size(instrument.symbol, direction, price, self._portfolio)
        if signal is not None and signal.strength != 1.0:
            size = mul(size, min(ONE, max(ZERO, from_market(signal.strength))))
        wanted = add(size, magnitude(held)) if held and (held > 0) != (side is Side.BUY) else size
        quantity = instrument.floor_quantity(wanted)
        if quantity <= 0:
            return _nothing(instrument, side, f"SIZE_ZERO: the sizer gives {size}, the lot is {instrument.lot}")
        limit = signal.limit if signal is not None else None
        return OrderDetails(
            symbol=instrument.symbol,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=None if limit is None else instrument.limit_from(limit, side),
        )

    def _only_closes(self, direction: Direction, held: Decimal) -> bool:
        return direction is Direction.SHORT and held > 0 and not self._allow_short

    def exit(self, instrument: Instrument, held: Decimal) -> OrderDetails:
        """The market order that closes `held`, as far as whole lots go."""
        side = Side.SELL if held > 0 else Side.BUY
        quantity = instrument.floor_quantity(held if held > 0 else neg(held))
        if quantity <= 0:
            reason = (
                f"DUST: {held} is less than the lot {instrument.lot}" if held else "ALREADY_FLAT: nothing is held"
            )
            return _nothing(instrument, side, reason)
        return OrderDetails(symbol=instrument.symbol, side=side, quantity=quantity, is_exit=True)


def _nothing(instrument: Instrument, side: Side, reason: str) -> OrderDetails:
    return OrderDetails(symbol=instrument.symbol, side=side, quantity=ZERO, reason=reason)
