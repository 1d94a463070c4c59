"""Fee models: what a fill costs.

A plain model knows the trade and nothing else. A detailed one says what more it needs (`FeeNeeds`), and is given
that as a `FeeBasis`; the broker keeps nothing that its model does not need.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, Decimal
from enum import IntFlag
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from tradingd.domain.enums import Liquidity
from tradingd.domain.events import Fee
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, divide, mul, sub

__all__ = [
    "DetailedFee",
    "FeeBasis",
    "FeeModel",
    "FeeNeeds",
    "PlainFee",
    "Tier",
    "fixed_fee",
    "maker_taker_fee",
    "no_fee",
    "per_share_fee",
    "third_coin_fee",
    "tiered_fee",
]

PlainFee = Callable[[Instrument, Decimal, Decimal, Liquidity], tuple[Fee, ...]]
"""(instrument, quantity, price, liquidity) -> the fees of that fill."""

_COIN_QUANTUM = Decimal("1e-8")
"""Fees in a coin are rounded up to this step, as venues tell them."""


class FeeNeeds(IntFlag):
    """What a detailed fee model needs to know besides the trade."""

    ORDER = 1
    """What of the same order has been filled and charged before."""
    VOLUME = 2
    """The notional traded in the last 30 UTC days."""
    COIN = 4
    """The price of the model's `coin`, and how much of it is free."""


class FeeBasis(msgspec.Struct, frozen=True, gc=False):
    """What a detailed fee model is told besides the trade; fields that it did not ask for have their defaults."""

    filled: Decimal = ZERO
    """How much of the same order had been filled before."""
    traded: Decimal = ZERO
    """The notional of that, in the settlement currency."""
    paid: Decimal = ZERO
    """What had been charged for that in the settlement currency."""
    volume: Decimal = ZERO
    """The notional traded before, in this settlement currency: today (UTC) and in the 29 days before."""
    coin_price: Decimal | None = None
    """One unit of the model's coin in the settlement currency; None where nothing tells."""
    coin_free: Decimal = ZERO
    """How much of the coin the account can spend."""


@runtime_checkable
class DetailedFee(Protocol):
    """A fee model that needs to know more than the trade. Its `coin` and `coin_symbol` are for `FeeNeeds.COIN`."""

    @property
    def needs(self) -> FeeNeeds:
        """What it needs."""

    def charge(
        self, instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity, basis: FeeBasis
    ) -> tuple[Fee, ...]:
        """The fees of that fill."""


FeeModel = PlainFee | DetailedFee
"""A fee model of either kind."""


class _Detailed(NamedTuple):
    """A function, and what it needs."""

    charge: Callable[[Instrument, Decimal, Decimal, Liquidity, FeeBasis], tuple[Fee, ...]]
    needs: FeeNeeds
    coin: str = ""
    coin_symbol: str = ""


def no_fee(
    instrument: Instrument,  # noqa: ARG001 - a model's signature
    quantity: Decimal,  # noqa: ARG001
    price: Decimal,  # noqa: ARG001
    liquidity: Liquidity,  # noqa: ARG001
) -> tuple[Fee, ...]:
    """Nothing is charged."""
    return ()


def maker_taker_fee(maker: Decimal, taker: Decimal) -> PlainFee:
    """A share of the notional, in the settlement currency; rates are fractions (0.001 is 0.1 %).

    A negative rate is a rebate. The fee is exact, not rounded to the currency's cents.
    """

    def fee(instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> tuple[Fee, ...]:
        rate = maker if liquidity is Liquidity.MAKER else taker
        return (Fee(instrument.settle, mul(instrument.notional(quantity, price), rate)),) if rate else ()

    return fee


def fixed_fee(amount: Decimal) -> DetailedFee:
    """`amount` of the settlement currency per order, however many fills it takes; the first one pays it."""

    def charge(
        instrument: Instrument, _quantity: Decimal, _price: Decimal, _liquidity: Liquidity, basis: FeeBasis
    ) -> tuple[Fee, ...]:
        return () if basis.filled or not amount else (Fee(instrument.settle, amount),)

    return _Detailed(charge, FeeNeeds.ORDER)


def per_share_fee(rate: Decimal, minimum: Decimal = ZERO, maximum: Decimal | None = None) -> DetailedFee:
    """`rate` per unit, at least `minimum` and at most the fraction `maximum` of the notional, per order.

    All three count the whole order: each fill pays what the order has come to less what it has paid, so that the
    minimum is charged once. Where the maximum is below the minimum, the maximum holds (as at Interactive Brokers:
    10 shares at 0.20 cost 1 % of 2.00, not the minimum of 1.00).
    """

    def charge(
        instrument: Instrument, quantity: Decimal, price: Decimal, _liquidity: Liquidity, basis: FeeBasis
    ) -> tuple[Fee, ...]:
        total = max(minimum, mul(rate, add(basis.filled, quantity)))
        if maximum is not None:
            total = min(total, mul(maximum, add(basis.traded, instrument.notional(quantity, price))))
        due = sub(total, basis.paid)
        return (Fee(instrument.settle, due),) if due else ()

    return _Detailed(charge, FeeNeeds.ORDER)


class Tier(NamedTuple):
    """The rates that hold from a trailing volume on; rates are fractions, negative for a rebate."""

    volume: Decimal
    maker: Decimal
    taker: Decimal


def tiered_fee(tiers: Sequence[Tier]) -> DetailedFee:
    """A share of the notional that depends on the notional traded in 30 days.

    The tier is the last whose volume has been reached *before* the trade; below the first one's volume the first
    one holds. Volumes are counted in, and compared with thresholds in, each settlement currency by itself.
    """
    ordered = sorted(tiers)
    models = [maker_taker_fee(tier.maker, tier.taker) for tier in ordered]

    def charge(
        instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity, basis: FeeBasis
    ) -> tuple[Fee, ...]:
        reached = sum(tier.volume <= basis.volume for tier in ordered)
        return models[max(reached - 1, 0)](instrument, quantity, price, liquidity)

    return _Detailed(charge, FeeNeeds.VOLUME)


def third_coin_fee(
    maker: Decimal, taker: Decimal, coin: str, *, discount: Decimal = ZERO, coin_symbol: str = ""
) -> DetailedFee:
    """A share of the notional less `discount`, paid in `coin` at its latest price, rounded up to 1e-8 coins.

    `discount` is a fraction. The price is that of `coin_symbol` where it is quoted in the settlement currency, or,
    where none is given, of `COIN/SETTLE`. Where there is no such price, or less than the fee is free of the coin,
    the whole fee is paid in the settlement currency without the discount, as at Binance. Rebates are paid so, too.
    """
    plain = maker_taker_fee(maker, taker)
    part = sub(ONE, discount)

    def charge(
        instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity, basis: FeeBasis
    ) -> tuple[Fee, ...]:
        fees = plain(instrument, quantity, price, liquidity)
        if not fees or fees[0].amount <= 0:
            return fees
        reduced = mul(fees[0].amount, part)
        if instrument.settle == coin:
            return (Fee(coin, reduced),)
        if basis.coin_price is None:
            return fees
        amount = divide(reduced, basis.coin_price, _COIN_QUANTUM, ROUND_CEILING)
        return (Fee(coin, amount),) if amount <= basis.coin_free else fees

    return _Detailed(charge, FeeNeeds.COIN, coin, coin_symbol)
