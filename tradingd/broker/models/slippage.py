"""Slippage models: how much worse than its price a fill without a limit price really is.

A plain model knows instrument, side and price. A detailed one says which market data it needs (`MarketNeeds`) and
is given a `Taking`; the broker watches nothing that its model does not need. Every model ends on the tick that is
worse for the taker.

The square root of the volume share is the law that Almgren, Thum, Hauptmann and Li, "Direct Estimation of Equity
Market Impact" (Risk, July 2005; they fit an exponent of 0.6) and Toth et al., "Anomalous Price Impact and the
Critical Nature of Liquidity in Financial Markets" (Physical Review X 1, 021006, 2011; exponent 0.5, Y of order
one) find in orders of institutions.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import IntFlag
from math import inf, sqrt
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from tradingd.domain.enums import Side
from tradingd.domain.events import Book, MarketEvent, Quote
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, add, from_market, mul, sub

__all__ = [
    "DetailedSlippage",
    "MarketContext",
    "MarketNeeds",
    "PlainSlippage",
    "SlippageModel",
    "Taking",
    "fixed_bps_slippage",
    "half_spread_slippage",
    "no_slippage",
    "square_root_impact",
]

PlainSlippage = Callable[[Instrument, Side, Decimal], Decimal]
"""(instrument, side, price) -> the price that a taker really gets."""

_BPS = Decimal("0.0001")
_HALF = Decimal("0.5")


class MarketNeeds(IntFlag):
    """Which market data a detailed slippage model needs to have been watched."""

    QUOTES = 1
    BARS = 2


class MarketContext(msgspec.Struct, frozen=True, gc=False):
    """What was seen of a symbol before the event that fills; what was not asked for, or is not known, is 0."""

    bid: float = 0.0
    ask: float = 0.0
    """The latest quote's sides."""
    bars: int = 0
    """How many bars the next two figures are from: 0, or the whole window."""
    volatility: float = 0.0
    """The standard deviation of the logarithmic returns from close to close."""
    volume: float = 0.0
    """The mean volume of a bar."""


class Taking(msgspec.Struct, frozen=True, gc=False):
    """A fill without a limit price, as the market offers it."""

    instrument: Instrument
    side: Side
    price: Decimal
    quantity: Decimal
    event: MarketEvent
    context: MarketContext


@runtime_checkable
class DetailedSlippage(Protocol):
    """A slippage model that needs to know more than the price."""

    @property
    def needs(self) -> MarketNeeds:
        """Which market data it needs to have been watched."""

    @property
    def window(self) -> int:
        """Over how many bars volatility and volume are taken."""

    def slip(self, taking: Taking) -> Decimal:
        """The price that the taker really gets."""


SlippageModel = PlainSlippage | DetailedSlippage
"""A slippage model of either kind."""


class _Detailed(NamedTuple):
    """A function, and what it needs."""

    slip: Callable[[Taking], Decimal]
    needs: MarketNeeds
    window: int = 0


def no_slippage(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    """The price itself, on the tick."""
    return instrument.worse_price(price, side)


def fixed_bps_slippage(bps: Decimal) -> PlainSlippage:
    """A price worse by `bps` basis points, then moved to the tick on the worse side."""
    if not bps:
        return no_slippage
    up, down = add(ONE, mul(bps, _BPS)), sub(ONE, mul(bps, _BPS))

    def slip(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
        return instrument.worse_price(mul(price, up if side is Side.BUY else down), side)

    return slip


def half_spread_slippage(spread_bps: Decimal) -> DetailedSlippage:
    """Half of the spread of the latest quote; half of `spread_bps` of the price before the first.

    A fill on a quote or a book has the price of its own side already, and suffers nothing more. A quote that is
    one-sided or crossed is none.
    """
    assumed = fixed_bps_slippage(mul(spread_bps, _HALF))

    def slip(taking: Taking) -> Decimal:
        instrument, side, price = taking.instrument, taking.side, taking.price
        if isinstance(taking.event, Quote | Book):
            return instrument.worse_price(price, side)
        context = taking.context
        if not 0 < context.bid <= context.ask < inf:
            return assumed(instrument, side, price)
        half = mul(sub(from_market(context.ask), from_market(context.bid)), _HALF)
        return instrument.worse_price(_moved(price, side, half), side)

    return _Detailed(slip, MarketNeeds.QUOTES)


def square_root_impact(
    coefficient: Decimal, *, window: int = 20, fallback_bps: Decimal, max_fraction: Decimal = _HALF
) -> DetailedSlippage:
    """Price x Y x sigma x sqrt(q / V): Y is `coefficient`, q the quantity of this fill.

    sigma is the standard deviation of a bar's return and V the mean volume of a bar, both over the last `window`
    bars before the one that fills. The length of a bar cancels out: over n bars sigma grows with sqrt(n) and V
    with n. Volumes have to count what quantities count. While there are fewer bars, or these have no volume, it
    is `fallback_bps`. No impact is greater than `max_fraction` of the price.
    """
    assumed = fixed_bps_slippage(fallback_bps)
    scale, most = float(coefficient), float(max_fraction)

    def slip(taking: Taking) -> Decimal:
        context = taking.context
        if not context.bars or not context.volume > 0:
            return assumed(taking.instrument, taking.side, taking.price)
        share = float(taking.quantity) / context.volume
        fraction = from_market(min(scale * context.volatility * sqrt(share), most))
        moved = _moved(taking.price, taking.side, mul(taking.price, fraction))
        return taking.instrument.worse_price(moved, taking.side)

    return _Detailed(slip, MarketNeeds.BARS, window)


def _moved(price: Decimal, side: Side, by: Decimal) -> Decimal:
    """A price moved against the taker."""
    return add(price, by) if side is Side.BUY else sub(price, by)
