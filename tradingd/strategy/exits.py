"""Brackets: an entry and the orders that get out again."""

from decimal import Decimal
from typing import Any, NamedTuple

from tradingd.domain.money import PriceLike, from_market, to_decimal
from tradingd.domain.terms import Trail
from tradingd.errors import StrategyError

__all__ = ["Bracket", "exact", "exits_of"]


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


def exact(price: PriceLike) -> Decimal:
    """A strategy's price as a Decimal: a float's shortest text, anything else as it is.

    Raises:
        MoneyError: it is no finite number.

    """
    return from_market(price) if isinstance(price, float) else to_decimal(price)
