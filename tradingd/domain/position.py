"""Positions: cost, not average price, so that no rounding is ever lost."""

from decimal import Decimal

from tradingd.domain.actions import SplitShare
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import (
    ZERO,
    DecimalLike,
    PriceLike,
    add,
    divide,
    magnitude,
    mul,
    neg,
    share,
    sub,
    to_decimal,
    to_price,
)
from tradingd.errors import MoneyError

__all__ = ["Position"]


class Position:
    """A long, short or flat holding of one symbol.

    `cost` is what the open quantity was bought for (negative for a short: what it was sold for). A reduction
    releases the closed share of it, rounded once to 1e-18, and keeps the exact remainder; closing releases all
    of it. Hence, over any sequence of trades of a linear instrument, `realized_pnl - cost` equals the cash that
    the trades moved, to the last digit.

    Crossing zero is a close followed by an open.
    """

    __slots__ = ("_instrument", "cost", "quantity", "realized_pnl", "revision", "symbol")

    def __init__(self, symbol: str, instrument: Instrument | None = None) -> None:
        self.symbol = symbol
        self._instrument = instrument or Instrument.plain(symbol)
        self.quantity = ZERO
        self.cost = ZERO
        self.realized_pnl = ZERO
        self.revision = 0
        """Counts the bookings, so that figures derived from this position know when they are stale."""

    def __repr__(self) -> str:
        return f"Position({self.symbol!r}, quantity={self.quantity}, cost={self.cost})"

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return not self.quantity

    @property
    def average_price(self) -> Decimal:
        """The average entry price, 0 when flat; derived from cost and rounded for display."""
        if not self.quantity:
            return ZERO
        size = mul(self.quantity, self._instrument.multiplier)
        if self._instrument.inverse:
            return divide(neg(size), self.cost)
        return divide(self.cost, size)

    def add_quantity(self, quantity: DecimalLike, price: DecimalLike) -> Decimal:
        """Buy `quantity` (> 0) at `price`; returns the profit realised by covering a short, else 0."""
        return self.trade(_positive(quantity), to_decimal(price))

    def reduce_quantity(self, quantity: DecimalLike, price: DecimalLike) -> Decimal:
        """Sell `quantity` (> 0) at `price`; returns the profit realised by closing a long, else 0.

        Selling more than is held crosses into a short.
        """
        return self.trade(neg(_positive(quantity)), to_decimal(price))

    def trade(self, quantity: Decimal, price: Decimal, value: Decimal | None = None) -> Decimal:
        """Book a trade of a signed `quantity`; returns the realised profit in the settlement currency.

        `value` is what the trade is worth (`Instrument.value`), for a caller that knows it already.
        """
        self.revision += 1
        held = self.quantity
        if value is None:
            value = self._instrument.value(quantity, price)
        if not held or (held > 0) == (quantity > 0):
            self.cost = add(self.cost, value)
            self.quantity = add(held, quantity)
            return ZERO
        if magnitude(quantity) <= magnitude(held):
            return self._close(quantity, value)
        realized = self._close(neg(held), self._instrument.value(neg(held), price))
        rest = add(quantity, held)
        self.cost = add(ZERO, self._instrument.value(rest, price))
        self.quantity = rest
        return realized

    def _close(self, quantity: Decimal, value: Decimal) -> Decimal:
        """Close a part or all by a trade worth `value`: `quantity` is opposite to the holding and not greater."""
        closed = neg(quantity)
        closes_all = closed == self.quantity
        released = self.cost if closes_all else share(self.cost, closed, self.quantity)
        realized = sub(neg(value), released)
        self.realized_pnl = add(self.realized_pnl, realized)
        self.cost = ZERO if closes_all else sub(self.cost, released)
        self.quantity = ZERO if closes_all else add(self.quantity, quantity)
        return realized

    def give_up(self, quantity: DecimalLike) -> Decimal:
        """Part with `quantity` for nothing, as when a fee is taken in the base coin; a negative one is a rebate.

        Returns the realised profit: what the parted quantity had cost is lost (negative for a long).
        """
        amount = to_decimal(quantity)
        return self.trade(neg(amount), ZERO) if amount else ZERO

    def split(self, given: SplitShare) -> Decimal:
        """Become what a split makes of the holding; returns the profit realised on what is paid for.

        The cost stays what it was, less the part of what is paid for instead of given.
        """
        self.revision += 1
        self.quantity = given.quantity
        if not given.rest:
            return ZERO
        if (given.rest > 0) != (given.due > 0):  # given more than is due: bought
            self.cost = sub(self.cost, given.cash)
            return ZERO
        released = share(self.cost, given.rest, given.due) if given.quantity else self.cost
        realized = sub(given.cash, released)
        self.cost = sub(self.cost, released)
        self.realized_pnl = add(self.realized_pnl, realized)
        return realized

    def market_value(self, price: PriceLike) -> Decimal:
        """What the open quantity is worth at `price`, in the settlement currency; negative for a short."""
        if not self.quantity:
            return ZERO
        return self._instrument.value(self.quantity, to_price(price))

    def unrealized_pnl(self, price: PriceLike) -> Decimal:
        """What closing all at `price` would realise."""
        if not self.quantity:
            return ZERO
        return sub(self._instrument.value(self.quantity, to_price(price)), self.cost)


def _positive(quantity: DecimalLike) -> Decimal:
    amount = to_decimal(quantity)
    if amount <= 0:
        raise MoneyError(f"a quantity must be greater than 0, this is {amount}")
    return amount
