"""The bars of one symbol as columns, and their prices as whole numbers.

Money is exact here, too: a price is a whole number of units of a power of ten. Fill prices always are (they are on
the tick). A close is where the data's digits allow it; where they do not (adjusted prices have as many as a float
has), it is known to lie between two neighbouring whole numbers, and what the kernel decides must be the same
at both.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tradingd.broker.models import PlainSlippage
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, FeedEvent
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import from_market
from tradingd.errors import UsageError
from tradingd.strategy.sweep import BarColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PriceColumns", "decimals_of", "digits_of", "price_columns", "read_columns"]

_CHUNK = 8192
_TIMES = ("ts_open", "ts")
_PRICES = ("open", "high", "low", "close", "volume")
_TINY = 1e-300
_UNIT_BITS = 48
"""A close has so many bits in fixed point: a window of 2**14 of them fits 63."""
_DIGITS = 15
_EXACT = 10**_DIGITS
"""A float's shortest text has at most 15 digits if and only if it is the float nearest to them."""
_MOST_DECIMALS = 15
_DOUBT = 1e-6
"""How near to a whole tick, in ticks, an approximate price is not trusted."""


class PriceColumns(NamedTuple):
    """Prices in whole units of 10**-digits; the kernel's view of the bars."""

    digits: int
    buys: "NDArray[np.int64]"
    """What a market order to buy pays at each bar's open, slippage and tick included."""
    sells: "NDArray[np.int64]"
    """What a market order to sell gets; 0 or less where that is below one tick."""
    closes: "NDArray[np.int64]"
    """The close, rounded down."""
    inexact: "NDArray[np.int8]"
    """1 where the close is above that, by less than a unit; else 0."""


def read_columns(events: Iterator[FeedEvent], count: int) -> BarColumns:
    """Collect `count` bars; what they hold beside is one chunk at a time.

    Raises:
        UsageError: an event is no bar, or the bars cannot be simulated in order.

    """
    kinds = [np.int64] * len(_TIMES) + [np.float64] * len(_PRICES)
    columns: dict[str, Any] = {
        name: np.empty(count, kind) for name, kind in zip((*_TIMES, *_PRICES), kinds, strict=True)
    }
    start = 0
    while chunk := list(islice(events, _CHUNK)):
        if not all(type(event) is Bar for event in chunk):
            raise UsageError(f"a sweep runs on bars; {chunk[0].symbol} has other market data, too")
        for name, column in columns.items():
            column[start : start + len(chunk)] = [getattr(event, name) for event in chunk]
        start += len(chunk)
    unit = 2.0 ** (int(np.ceil(np.log2(max(float(columns["close"].max()), _TINY)))) - _UNIT_BITS)
    sums = np.zeros(count + 1, np.int64)
    # exact but for the rounding to units: the division is by a power of two
    np.cumsum(np.rint(columns["close"] / unit).astype(np.int64), out=sums[1:])
    bars = BarColumns(**columns, close_sums=sums, close_unit=unit)
    _refuse_odd(bars)
    return bars


def _refuse_odd(bars: BarColumns) -> None:
    if min(float(bars.low.min()), float(bars.open.min()), float(bars.close.min())) <= 0:
        raise UsageError("a sweep needs prices above 0; such bars fill nothing: use `tradingd backtest`")
    early = np.flatnonzero(bars.ts_open[1:] < bars.ts[:-1])
    if len(early):
        moment = np.datetime64(int(bars.ts_open[early[0] + 1]), "ns")
        raise UsageError(
            f"the bar that opens at {moment} opens before the one above closes; correct the interval of the data, "
            "or use `tradingd backtest`"
        )


def price_columns(
    bars: BarColumns, instrument: Instrument, slippage: PlainSlippage, bps: Decimal, most_digits: int
) -> PriceColumns:
    """The prices in the coarsest units that tell closes exactly; in `most_digits`, if that takes more.

    `slippage` is the broker's model with `bps`; it is asked wherever arithmetic on whole columns could differ.

    Raises:
        UsageError: prices are too great for their tick.

    """
    highest = max(float(bars.close.max()), float(bars.open.max()))
    room = _DIGITS - len(str(int(highest)))
    digits = max(digits_of(instrument.tick), min(decimals_of(bars.close), most_digits, room))
    if digits > room:
        raise UsageError(
            f"{instrument.symbol} at {highest:g} on a tick of {instrument.tick} has more digits than a float "
            "keeps; correct the tick, or use `tradingd backtest`"
        )
    closes, inexact = _whole(bars.close, digits)
    return PriceColumns(
        digits,
        _fills(bars.open, instrument, Side.BUY, slippage, bps, digits),
        _fills(bars.open, instrument, Side.SELL, slippage, bps, digits),
        closes,
        inexact,
    )


def digits_of(value: Decimal) -> int:
    """How many decimal places a Decimal has, trailing zeros not counted."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def decimals_of(prices: "NDArray[np.float64]") -> int:
    """The decimal places that tell all prices exactly, by their shortest text; above 15 where it takes more."""
    for digits in range(_MOST_DECIMALS + 1):
        if bool(_on_grid(prices, digits).all()):
            return digits
    return _MOST_DECIMALS + 1


def _on_grid(prices: "NDArray[np.float64]", digits: int) -> "NDArray[np.bool_]":
    """Which prices are whole multiples of 10**-digits, as their shortest text tells them."""
    scale = 10.0**digits
    whole = np.rint(prices * scale)
    found: NDArray[np.bool_] = (whole < _EXACT) & (whole / scale == prices)
    return found


def _whole(prices: "NDArray[np.float64]", digits: int) -> "tuple[NDArray[np.int64], NDArray[np.int8]]":
    """Prices in units of 10**-digits, rounded down, and which of them were."""
    scaled = prices * 10.0**digits
    whole = np.floor(scaled).astype(np.int64)
    exact = _on_grid(prices, digits)
    whole[exact] = np.rint(scaled[exact]).astype(np.int64)
    # A product is rounded: beside a whole number nobody knows on which side the exact one lies.
    step = Decimal(1).scaleb(-digits)
    for i in np.flatnonzero(~exact & (np.abs(scaled - np.rint(scaled)) <= 4 * np.spacing(scaled))):
        whole[i] = int(from_market(float(prices[i])) // step)
    return whole, (~exact).astype(np.int8)


def _fills(
    opens: "NDArray[np.float64]",
    instrument: Instrument,
    side: Side,
    slippage: PlainSlippage,
    bps: Decimal,
    digits: int,
) -> "NDArray[np.int64]":
    """What the broker's slippage model makes of each open, in units of 10**-digits."""
    tick, rate = float(instrument.tick), float(bps) * 1e-4
    ticks = opens * (1.0 + rate if side is Side.BUY else 1.0 - rate) / tick
    whole = np.ceil(ticks) if side is Side.BUY else np.floor(ticks)
    unit = int(instrument.tick.scaleb(digits))
    prices = whole.astype(np.int64) * unit
    doubtful = np.flatnonzero(np.abs(ticks - np.rint(ticks)) < _DOUBT + np.abs(ticks) * 1e-14)
    values, places = np.unique(opens[doubtful], return_inverse=True)
    asked = [int(slippage(instrument, side, from_market(float(value))).scaleb(digits)) for value in values]
    prices[doubtful] = np.array(asked, np.int64)[places]
    return prices
