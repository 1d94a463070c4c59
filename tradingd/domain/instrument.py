"""Instruments: the only place that rounds prices and quantities."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from tradingd.domain.enums import InstrumentKind, Side
from tradingd.domain.money import (
    MONEY_QUANTUM,
    ONE,
    ZERO,
    divide,
    floor_to,
    from_market,
    is_multiple,
    magnitude,
    mul,
    neg,
    to_decimal,
)
from tradingd.errors import MoneyError

__all__ = ["Instrument"]

_STEPS = ("tick", "lot", "multiplier")
_NUMBERS = (*_STEPS, "min_quantity", "max_quantity", "min_notional", "max_notional")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What can be traded, with the filters its venue applies.

    `tick` is the price step and `lot` the quantity step. `multiplier` is how much of the base asset one unit of
    quantity stands for (1 for spot and shares). An `inverse` contract is quoted in `quote` but worth, and
    settled in, its base coin: each contract is `multiplier` units of the quote currency.
    """

    symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    settle: str = ""
    """The currency that gains, losses and fees are paid in; the quote (inverse: base) unless told."""
    min_quantity: Decimal = ZERO
    max_quantity: Decimal | None = None
    min_notional: Decimal = ZERO
    max_notional: Decimal | None = None
    multiplier: Decimal = ONE
    inverse: bool = False
    venue: str = "SIM"

    def __post_init__(self) -> None:
        self._take_numbers()
        if self.inverse and not self.kind.is_contract:
            raise MoneyError(f"{self.symbol}: only a contract can be inverse, this is {self.kind}")
        if not self.settle:
            msgspec.structs.force_setattr(self, "settle", self.base if self.inverse else self.quote)
        if not self.kind.is_contract and self.settle != self.quote:
            raise MoneyError(f"{self.symbol}: {self.kind} settles in its quote {self.quote}, not in {self.settle}")

    def _take_numbers(self) -> None:
        """Refuse floats, NaN, infinities and what is out of range, before any order depends on it."""
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is None:
                continue
            try:
                number = to_decimal(value)
            except MoneyError as error:
                raise MoneyError(f"{self.symbol}: {name}: {error}") from None
            if number < 0 or (name in _STEPS and not number):
                least = "greater than 0" if name in _STEPS else "0 or greater"
                raise MoneyError(f"{self.symbol}: {name} must be {least}, it is {number}")
            # The very object, so that the usual case is told by `is`.
            msgspec.structs.force_setattr(self, name, ONE if number == ONE else number)

    @classmethod
    def plain(cls, symbol: str, quote: str = "USD") -> "Instrument":
        """A share that trades at any price and quantity, for components that are used alone."""
        kind = InstrumentKind.EQUITY
        return cls(symbol=symbol, kind=kind, base=symbol, quote=quote, tick=MONEY_QUANTUM, lot=MONEY_QUANTUM)

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What a signed `quantity` is worth at `price`, in the settlement currency.

        Differences of this value are profit: linear quantity x multiplier x price; inverse
        -quantity x multiplier / price, so that a long gains when the price rises there, too.

        Raises:
            MoneyError: an inverse contract has no value at a price of 0 or less.

        """
        size = quantity if self.multiplier is ONE else mul(quantity, self.multiplier)
        if self.inverse:
            if price <= 0:
                raise MoneyError(f"{self.symbol}: an inverse contract has no value at a price of {price}")
            return divide(neg(size), price)
        return mul(size, price)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """The size of a trade in the settlement currency, never negative."""
        return magnitude(self.value(quantity, price))

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """`quantity` cut to whole lots, towards zero."""
        return floor_to(quantity, self.lot)

    def round_price(self, price: Decimal, side: Side) -> Decimal:
        """A limit price moved to the tick that never pays more (BUY: down) or takes less (SELL: up)."""
        return self._on_tick(price, ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)

    def worse_price(self, price: Decimal, side: Side) -> Decimal:
        """A trade price moved to the tick that is the worse one for `side` (BUY: up, SELL: down)."""
        return self._on_tick(price, ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)

    def limit_from(self, price: float, side: Side) -> Decimal:
        """A strategy's float as a limit or stop price on the tick, never worse than asked for."""
        return self.round_price(from_market(price), side)

    def _on_tick(self, price: Decimal, rounding: str) -> Decimal:
        if is_multiple(price, self.tick):
            return price
        ticks = divide(price, self.tick, ONE, rounding)
        return mul(ticks, self.tick)

    def violation(self, quantity: Decimal, limit_price: Decimal | None, reference: Decimal | None) -> str:
        """The first filter of the venue that an order would break, as text; empty when it breaks none.

        `reference` prices a market order for the notional filters.
        """
        reason = self._quantity_violation(quantity)
        if reason:
            return reason
        if limit_price is not None and (limit_price <= 0 or not is_multiple(limit_price, self.tick)):
            return f"TICK: price {limit_price} is not a positive multiple of the tick {self.tick}"
        price = limit_price if limit_price is not None else reference
        if price is None or price <= 0 or not (self.min_notional or self.max_notional is not None):
            return ""
        notional = self.notional(quantity, price)
        if notional < self.min_notional:
            return f"MIN_NOTIONAL: {notional} is below the minimum {self.min_notional} {self.settle}"
        if self.max_notional is not None and notional > self.max_notional:
            return f"MAX_NOTIONAL: {notional} is above the maximum {self.max_notional} {self.settle}"
        return ""

    def _quantity_violation(self, quantity: Decimal) -> str:
        if quantity <= 0 or not is_multiple(quantity, self.lot):
            return f"LOT: quantity {quantity} is not a positive multiple of the lot {self.lot}"
        if quantity < self.min_quantity:
            return f"MIN_QUANTITY: {quantity} is below the minimum {self.min_quantity}"
        if self.max_quantity is not None and quantity > self.max_quantity:
            return f"MAX_QUANTITY: {quantity} is above the maximum {self.max_quantity}"
        return ""
