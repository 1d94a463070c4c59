"""Brackets: an entry and the orders that get out again."""

from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from tradingd.domain.enums import Side
from tradingd.domain.money import PriceLike, from_market, to_decimal
from tradingd.domain.terms import Trail
from tradingd.errors import StrategyError

__all__ = ["Bracket", "check_exits", "exact", "exits_of"]


class Bracket(NamedTuple):
    """The intent ids of an entry and its exits; "" for one that was not asked for."""

    entry: str
    stop: str
    target: str


def exits_of(
    stop: PriceLike | None, trail: Trail | None, target: PriceLike | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The options of a bracket's stop and target order, None for one that is not wanted.

    Raises:
        StrategyError: none is wanted.

    """
    if stop is None and trail is None and target is None:
        raise StrategyError("a bracket needs a stop, a trail or a target; without one it is an order()")
    has_stop = stop is not None or trail is not None
    return {"stop": stop, "trail": trail} if has_stop else None, None if target is None else {"limit": target}


def check_exits(
    side: Side, entry: PriceLike | None, stop: PriceLike | None, trail: Trail | None, target: PriceLike | None
) -> None:
    """Check an entry and its exits before anything is asked for: the entry must not go out without them.

    The stop must be on the side where the entry loses and the target where it gains; `entry` is its limit or stop
    price, None at market.

    Raises:
        MoneyError: a price is no finite number, such as that of an indicator that has none yet.
        StrategyError: a price is not above 0, or they are not in that order.

    """
    if type(side) is not Side:
        return  # `order` tells that
    named = {"stop": stop, "entry": entry, "target": target}
    prices = {name: exact(price) for name, price in named.items() if price is not None}
    distance = {} if trail is None else {"trail": trail.offset}
    for name, number in (prices | distance).items():
        if not number > 0:
            raise StrategyError(f"the bracket's {name} is {number}; it must be greater than 0")
    given = list(prices.items())
    for (lower, low), (upper, high) in pairwise(given):
        if not (low < high if side is Side.BUY else low > high):
            below = "below" if side is Side.BUY else "above"
            problem = f"the {lower} {low} of a {side} bracket is not {below} its {upper} {high}"
            raise StrategyError(f"{problem}: it would be out again at once")


def exact(price: PriceLike) -> Decimal:
    """A strategy's price as a Decimal: a float's shortest text, anything else as it is.

    Raises:
        MoneyError: it is no finite number.

    """
    return from_market(price) if isinstance(price, float) else to_decimal(price)
