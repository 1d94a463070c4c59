"""Exact money.

Money is `decimal.Decimal` under one context: 60 digits, and an inexact result raises instead of rounding.
`add`, `sub` and `mul` are that context's own methods, so the result never depends on whatever ambient decimal
context the calling thread or task happens to have. Division is inexact and therefore always an explicit
quantization, rounded once: `divide` and `share`. Marking to market (`worth`) is exact to 36 decimal places, so
that no chain of long prices can stop the books.

Only text, ints and Decimals become money. Floats live in market data and indicators; the one door from there
is `from_market`, which takes the shortest text that names the float: the very digits the data file had.
"""

from decimal import (
    ROUND_05UP,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)
from math import isfinite

from tradingd.errors import MoneyError

__all__ = [
    "MONEY",
    "MONEY_QUANTUM",
    "ONE",
    "ZERO",
    "DecimalLike",
    "PriceLike",
    "add",
    "divide",
    "floor_to",
    "from_market",
    "is_multiple",
    "magnitude",
    "mul",
    "neg",
    "quantize",
    "share",
    "sub",
    "to_decimal",
    "to_price",
    "worth",
]

DecimalLike = Decimal | int | str
"""What may become money."""
PriceLike = Decimal | int | str | float
"""What may name a market price: floats are allowed, because market data holds floats."""

ZERO = Decimal(0)
ONE = Decimal(1)

MONEY_QUANTUM = Decimal("1e-18")
"""The finest step that a division of money is rounded to."""

_MARK_DIGITS = 36
_MARK_QUANTUM = Decimal("1e-36")
_PLAIN = -6
"""Decimals whose first digit is not further behind the point are written without an exponent."""
_PRECISION = 60
_FATAL = [InvalidOperation, DivisionByZero, Overflow, FloatOperation]

MONEY = Context(prec=_PRECISION, rounding=ROUND_HALF_EVEN, traps=[*_FATAL, Inexact])
_ROUNDING = Context(prec=_PRECISION, rounding=ROUND_HALF_EVEN, traps=_FATAL)
# Holds the product of any two amounts. ROUND_05UP leaves a trace of what a division cuts off, so that the
# quantization that always follows rounds as if it had seen all digits.
_WIDE = Context(prec=2 * _PRECISION + 2, rounding=ROUND_05UP, traps=_FATAL)

add = MONEY.add
sub = MONEY.subtract
mul = MONEY.multiply
# Python's own `-x` and `abs(x)` round to the ambient context; these two never do.
neg = Decimal.copy_negate
magnitude = Decimal.copy_abs


def to_decimal(value: DecimalLike) -> Decimal:
    """Take text, an int or a Decimal as exact money; refuse floats, booleans, NaN and infinities.

    Raises:
        MoneyError: the value is of another type, not a number, or not finite.

    """
    if type(value) is Decimal and value.is_finite():
        return value
    return _converted(value)


def _converted(value: object) -> Decimal:
    """What is no plain, finite Decimal, as one; whatever callers pass in spite of the annotations is refused."""
    if isinstance(value, bool | float):
        raise MoneyError(
            f"{value!r} is a {type(value).__name__}; money takes text, int or Decimal, "
            f'for example Decimal("{value}")'
        )
    if not isinstance(value, int | str | Decimal):
        raise MoneyError(f"{value!r} is a {type(value).__name__}; money takes text, int or Decimal")
    try:
        result = Decimal(value, MONEY)  # keeps all digits; the context is for what junk text does
    except InvalidOperation:
        raise MoneyError(f"{value!r} is not a decimal number") from None
    if not result.is_finite():
        raise MoneyError(f"{value!r} is not a finite number")
    return result


def from_market(value: float | int) -> Decimal:  # noqa: PYI041 - an int keeps its digits: 5 is not 5.0
    """The exact decimal of a market-data float, by its shortest text (`0.1` gives `Decimal("0.1")`).

    Raises:
        MoneyError: the float is NaN or infinite.

    """
    if not isfinite(value):
        raise MoneyError(f"{value!r} is not a finite market price")
    if type(value) is float:
        return Decimal(repr(value))
    if isinstance(value, int):
        return to_decimal(value)
    return Decimal(float.__repr__(value))  # a subclass, such as numpy's, may have a repr of its own


def to_price(value: PriceLike) -> Decimal:
    """A market price as a Decimal: floats through `from_market`, all else through `to_decimal`."""
    if isinstance(value, float):
        return from_market(value)
    return to_decimal(value)


def quantize(value: Decimal, quantum: Decimal = MONEY_QUANTUM, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Round to a power of ten, explicitly."""
    return value.quantize(quantum, rounding=rounding, context=_ROUNDING)


def divide(
    numerator: Decimal,
    denominator: Decimal,
    quantum: Decimal = MONEY_QUANTUM,
    rounding: str = ROUND_HALF_EVEN,
) -> Decimal:
    """Divide and round to `quantum`, once."""
    return quantize(_WIDE.divide(numerator, denominator), quantum, rounding)


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The share of `amount` that `part` of `whole` has, rounded once to `MONEY_QUANTUM`."""
    return divide(_WIDE.multiply(amount, part), whole)


def worth(amount: Decimal, rate: Decimal) -> Decimal:
    """`amount` x `rate` for marking to market: exact, unless it has more than 36 decimal places."""
    value = _WIDE.multiply(amount, rate)
    # A number that is written without an exponent, and no longer than that, cannot have more decimal places. This
    # costs a quarter of `as_tuple`, and decides for nearly all.
    if value.adjusted() >= _PLAIN and len(str(value)) <= _MARK_DIGITS:
        return value
    exponent = value.as_tuple().exponent
    fits = isinstance(exponent, int) and exponent >= -_MARK_DIGITS
    return value if fits else quantize(value, _MARK_QUANTUM)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of `step` whose magnitude does not exceed that of `value` (towards zero)."""
    return mul(MONEY.divide_int(value, step), step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of `step`s."""
    return not MONEY.remainder(value, step)
