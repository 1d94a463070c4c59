"""The exchange's own exact arithmetic. It shares none with `tradingd.domain.money`: an oracle must not."""

from decimal import ROUND_DOWN, Context, Decimal, Inexact, InvalidOperation

__all__ = ["EIGHT", "ZERO", "add", "floor", "mul", "quotient", "sub", "text"]

ZERO = Decimal(0)
EIGHT = Decimal("1e-8")
"""What commissions are rounded to, downwards."""

_EXACT = Context(prec=60, traps=[InvalidOperation, Inexact])
_DOWN = Context(prec=60, rounding=ROUND_DOWN, traps=[InvalidOperation])

add = _EXACT.add
sub = _EXACT.subtract
mul = _EXACT.multiply


def floor(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value` (towards zero)."""
    return mul(_DOWN.divide_int(value, step), step)


def quotient(dividend: Decimal, divisor: Decimal, step: Decimal) -> Decimal:
    """`dividend / divisor`, cut off to a multiple of `step`."""
    return floor(_DOWN.divide(dividend, divisor), step)


def text(value: Decimal) -> str:
    """Plain digits with at least eight decimals, as Binance writes amounts; more where the value has more."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:  # noqa: PLR2004 - eight decimals is the rule told above
        value = value.normalize(_EXACT)
    digits = max(8, -int(value.as_tuple().exponent))
    return f"{value:.{digits}f}"
