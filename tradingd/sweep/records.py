"""What the kernel reads and writes: the rules and the state of a run, as records of whole numbers.

Machine code that is kept on disk has the constants of this file within it: delete it when one of them changes.
"""

from typing import Final, NamedTuple, cast

import numpy as np

__all__ = [
    "DONE",
    "FIXED_NOTIONAL",
    "FIXED_QUANTITY",
    "OFF",
    "OVERFLOW",
    "PERCENT_OF_EQUITY",
    "STATE",
    "UNDECIDED",
    "Rules",
    "State",
]

DONE: Final = 0
UNDECIDED: Final = 1
OVERFLOW: Final = 2

FIXED_QUANTITY: Final = 0
FIXED_NOTIONAL: Final = 1
PERCENT_OF_EQUITY: Final = 2

OFF: Final = 2**62
"""A limit that is not set, and the size that no figure may reach."""


class Rules(NamedTuple):
    """What is configured, in whole numbers; a share is `_of` (numerator) and `_in` (denominator, 0 for off)."""

    cash: int
    value_scale: int
    """Money of one unit of quantity x one unit of price."""
    fee_scale: int
    """The fee on that."""
    sizer: int
    size: int
    """Fixed quantity: that many units, cut to the lot. Fixed notional: it, in units of quantity x price."""
    size_share_of: int
    """Percent of equity."""
    size_share_in: int
    multiplier: int
    """Units of value of one unit of quantity x one unit of price (with 1 for spot)."""
    to_value: int
    """Money of one unit of value."""
    lot: int
    min_quantity: int
    max_quantity: int
    min_notional: int
    max_notional: int
    allow_short: bool
    margin: bool
    leverage_of: int
    leverage_in: int
    max_order_quantity: int
    max_order_notional: int
    max_position_quantity: int
    max_position_notional: int
    max_capital: int
    gross_of: int
    gross_in: int
    max_leverage_of: int
    max_leverage_in: int
    net_of: int
    net_in: int
    daily_loss_of: int
    daily_loss_in: int
    daily_halt: int
    drawdown_of: int
    drawdown_in: int
    drawdown_halt: int

    def packed(self) -> "Rules":
        """The same as a record of int64, which is what the machine code reads."""
        return cast("Rules", np.array([tuple(map(int, self))], RULES).view(np.recarray)[0])


class State:
    """A run's state, and what it came to; a record of numpy with these fields. Amounts in units of money."""

    status: int
    bar: int
    """Where it is, or ended."""
    cash: int
    held: int
    order: int
    """The working order, signed; 0 for none."""
    own: int
    """Whether that is the strategy's, not risk's."""
    wanted: int
    """The state that the strategy asked for last, 0 when that was in vain."""
    filled_at: int
    """The bar of the last fill."""
    halt: int
    fills: int
    fees: int
    refused: int
    """How often the strategy asked in vain: denied, rejected or canceled."""
    last: int
    """The equity at the close before."""
    peak: int
    trough: int
    most: int
    """The highest price there is."""
    day_end: int
    """When the UTC day ends, nanoseconds; -OFF before the first bar."""
    last_low: int
    """The last equity that was watched, and the least that it may not be above."""
    last_high: int
    daily_low: int
    """Below which equity the day's loss is beyond its limit; as above."""
    daily_high: int
    daily: int
    """Whether it is."""
    peak_low: int
    """The highest equity that was watched."""
    peak_high: int
    drawn_low: int
    """Below which equity the drawdown is beyond its limit."""
    drawn_high: int
    drawn: int
    """Whether it is."""
    max_drawdown: float
    """A fraction of the peak."""
    return_sum: float
    """Of the returns from close to close, for their mean and deviation."""
    return_squares: float


RULES = np.dtype([(name, np.int64) for name in Rules._fields])
STATE = np.dtype(
    [(name, np.float64 if kind is float else np.int64) for name, kind in State.__annotations__.items()]
)
