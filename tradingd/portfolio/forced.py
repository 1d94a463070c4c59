"""Whose position a forced fill closes: that of the strategies that held it, in proportion to what they held."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from tradingd.domain.events import Fee, Fill
from tradingd.domain.money import ZERO, add, floor_to, magnitude, share, sub

__all__ = ["parts_of"]


def parts_of(fill: Fill, holdings: Iterable[tuple[str, Decimal]], lot: Decimal) -> list[Fill]:
    """Split a forced fill among strategies, given as (strategy id, signed quantity held).

    Each that holds what the fill closes gives its share of it, cut to whole lots; what the cuts leave over comes
    from the first that still hold some, and what nobody held stays under the fill's own strategy id. Quantities
    and fees add up to the fill's, to the last digit.
    """
    buys = fill.side.sign > 0
    closing = [(name, magnitude(held)) for name, held in holdings if held and (held < 0) == buys]
    shares = _shares(fill.quantity, [held for _, held in closing], lot)
    owners = [(name, quantity) for (name, _), quantity in zip(closing, shares, strict=True) if quantity]
    rest = fill.quantity
    for _, quantity in owners:
        rest = sub(rest, quantity)
    if rest:
        owners.append((fill.strategy_id, rest))
    return _split(fill, owners)


def _shares(quantity: Decimal, held: Sequence[Decimal], lot: Decimal) -> list[Decimal]:
    """How much of `quantity` each gives of what it holds; never more than it holds."""
    total = ZERO
    for each in held:
        total = add(total, each)
    if quantity >= total:
        return list(held)
    given = [floor_to(share(quantity, each, total), lot) for each in held]
    left = quantity
    for each in given:
        left = sub(left, each)
    for i, each in enumerate(held):
        more = min(left, sub(each, given[i]))
        given[i] = add(given[i], more)
        left = sub(left, more)
    return given


def _split(fill: Fill, owners: Sequence[tuple[str, Decimal]]) -> list[Fill]:
    """The fill as one fill per owner, with its share of the fees; the last one takes what rounding leaves."""
    parts, left = [], {fee.asset: fee.amount for fee in fill.fees}
    for name, quantity in owners[:-1]:
        fees = tuple(Fee(fee.asset, share(fee.amount, quantity, fill.quantity)) for fee in fill.fees)
        for fee in fees:
            left[fee.asset] = sub(left[fee.asset], fee.amount)
        parts.append(msgspec.structs.replace(fill, strategy_id=name, quantity=quantity, fees=fees))
    name, quantity = owners[-1]
    fees = tuple(Fee(asset, amount) for asset, amount in left.items())
    return [*parts, msgspec.structs.replace(fill, strategy_id=name, quantity=quantity, fees=fees)]
