"""Fee and slippage models: small pure functions."""

from collections.abc import Callable
from decimal import Decimal

from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Fee
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, add, mul, sub

__all__ = ["FeeModel", "SlippageModel", "fixed_bps_slippage", "maker_taker_fee"]

FeeModel = Callable[[Instrument, Decimal, Decimal, Liquidity], tuple[Fee, ...]]
"""(instrument, quantity, price, liquidity) -> the fees of that fill."""

SlippageModel = Callable[[Instrument, Side, Decimal], Decimal]
"""(instrument, side, price) -> the price that a taker really gets."""

_BPS = Decimal("0.0001")


def maker_taker_fee(maker: Decimal, taker: Decimal) -> FeeModel:
    """A share of the notional, in the settlement currency; rates are fractions (0.001 is 0.1 %).

    A negative maker rate is a rebate. The fee is exact, not rounded to the currency's cents.
    """

    def fee(instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> tuple[Fee, ...]:
        rate = maker if liquidity is Liquidity.MAKER else taker
        return (Fee(instrument.settle, mul(instrument.notional(quantity, price), rate)),) if rate else ()

    return fee


def fixed_bps_slippage(bps: Decimal) -> SlippageModel:
    """A price worse by `bps` basis points, then moved to the tick on the worse side."""
    up, down = add(ONE, mul(bps, _BPS)), sub(ONE, mul(bps, _BPS))

    def slip(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
        moved = mul(price, up if side is Side.BUY else down) if bps else price
        return instrument.worse_price(moved, side)

    return slip
