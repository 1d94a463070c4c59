"""From a signal's direction to an order's side and quantity."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

import msgspec

from tradingd.domain.enums import Direction, OrderType, Side
from tradingd.domain.events import Signal
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, magnitude, quantize, to_decimal, to_price, worth
from tradingd.domain.ports import PortfolioView
from tradingd.errors import AccountingError, MoneyError
from tradingd.risk.exposure import ExposureBook, Reservation
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
    Less than a lot, such as a fee in the base coin leaves behind, is nothing: nobody can trade it.
    """

    def __init__(self, sizer: PositionSizer, portfolio: PortfolioView, *, allow_short: bool) -> None:
        self._sizer = sizer
        self._portfolio = portfolio
        self._allow_short = allow_short

    def pointless(self, signal: Signal, book: ExposureBook) -> Denied | None:
        """Why a signal asks for nothing new: the position is held, or on its way."""
        held = self._held(signal, book.instrument(signal.symbol))
        working = book.working(signal.symbol, signal.strategy_id)
        if signal.direction is Direction.FLAT:
            return _pointless_exit(held, working)
        side = Side.BUY if signal.direction is Direction.LONG else Side.SELL
        if held and (held > 0) == (side is Side.BUY):
            # a market order is an exit under way; stops and limits on the other side protect what is held
            leaves = any(order.side is not side and order.order_type is OrderType.MARKET for order in working)
            return None if leaves else Denied("ALREADY_HELD", f"{held} {signal.symbol}")
        if any(order.side is side and order.outstanding > magnitude(held) for order in working):
            return Denied("ON_ITS_WAY", f"a {side} order is working")
        return None

    def only_closes(self, signal: Signal, book: ExposureBook) -> bool:
        """Whether all that a signal could do is close what its strategy holds."""
        held = self._held(signal, book.instrument(signal.symbol))
        return signal.direction is Direction.FLAT or self._is_exit(signal.direction, held)

    def details(
        self, instrument: Instrument, direction: Direction, price: Decimal, signal: Signal | None
    ) -> OrderDetails:
        """The order that takes the strategy's position to where `direction` wants it."""
        held = self._portfolio.get_strategy_position(
            signal.strategy_id if signal else "", instrument.symbol
        ).quantity
        if direction is Direction.FLAT or self._is_exit(direction, held):
            return self.exit(instrument, held)
        side = Side.BUY if direction is Direction.LONG else Side.SELL
        if side is Side.SELL and not self._allow_short:
            return _nothing(instrument, side, "SHORT_NOT_ALLOWED: short selling is off")
        try:
            size = self._size(instrument.symbol, direction, price, signal)
        except (AccountingError, MoneyError) as error:
            code = "UNPRICED" if isinstance(error, AccountingError) else "INVALID_SIZE"
            return _nothing(instrument, side, f"{code}: {error}")
        closes = magnitude(held) if held and (held > 0) != (side is Side.BUY) else ZERO
        quantity = _whole_lots(instrument, add(size, closes))
        if quantity <= 0:
            return _nothing(instrument, side, f"SIZE_ZERO: the sizer gives {size}, the lot is {instrument.lot}")
        limit = None if signal is None or signal.limit is None else to_price(signal.limit)
        return OrderDetails(
            symbol=instrument.symbol,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=None if limit is None else instrument.round_price(limit, side),
            is_exit=quantity <= closes,
        )

    def exit(self, instrument: Instrument, held: Decimal) -> OrderDetails:
        """The market order that closes `held`, as far as whole lots and the venue's greatest order go."""
        side = Side.SELL if held > 0 else Side.BUY
        quantity = _whole_lots(instrument, magnitude(held))
        if quantity <= 0:
            reason = (
                f"DUST: {held} is less than the lot {instrument.lot}" if held else "ALREADY_FLAT: nothing is held"
            )
            return _nothing(instrument, side, reason)
        if instrument.max_quantity is not None:
            quantity = min(quantity, _whole_lots(instrument, instrument.max_quantity))
        return OrderDetails(symbol=instrument.symbol, side=side, quantity=quantity, is_exit=True)

    def _size(self, symbol: str, direction: Direction, price: Decimal, signal: Signal | None) -> Decimal:
        """What the sizer says, scaled by the signal's strength of 0 to 1; never below 0."""
        size = to_decimal(self._sizer.calculate_position_size(symbol, direction, price, self._portfolio))
        if signal is not None and signal.strength != 1:
            size = quantize(worth(size, min(ONE, max(ZERO, to_price(signal.strength)))), rounding=ROUND_FLOOR)
        return max(ZERO, size)

    def _held(self, signal: Signal, instrument: Instrument) -> Decimal:
        exact = self._portfolio.get_strategy_position(signal.strategy_id, signal.symbol).quantity
        return _whole_lots(instrument, exact)

    def _is_exit(self, direction: Direction, held: Decimal) -> bool:
        return direction is Direction.SHORT and held > 0 and not self._allow_short


def _pointless_exit(held: Decimal, working: Sequence[Reservation]) -> Denied | None:
    """Why there is nothing to close, or nothing more to be done about it."""
    if not working:
        return None if held else Denied("ALREADY_FLAT", "there is nothing to close")
    closing = Side.SELL if held > 0 else Side.BUY
    leaving = ZERO
    for order in working:
        if order.side is not closing or order.order_type is not OrderType.MARKET:
            return None
        leaving = add(leaving, order.outstanding)
    on_its_way = held and leaving == magnitude(held)
    return Denied("ON_ITS_WAY", f"a {closing} order is working") if on_its_way else None


def _whole_lots(instrument: Instrument, quantity: Decimal) -> Decimal:
    """`quantity` cut to the lot; left as it was written where there is nothing to cut."""
    whole = instrument.floor_quantity(quantity)
    return quantity if whole == quantity else whole


def _nothing(instrument: Instrument, side: Side, reason: str) -> OrderDetails:
    return OrderDetails(symbol=instrument.symbol, side=side, quantity=ZERO, reason=reason)
