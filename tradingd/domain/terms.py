"""What an order may have beyond side, quantity, type and prices: most orders have none of it."""

from decimal import Decimal
from typing import Literal

import msgspec

__all__ = ["PLAIN", "PROTECTION", "AlgoSpec", "OrderTerms", "Requote", "Trail"]


class Trail(msgspec.Struct, frozen=True, gc=False):
    """How far a trailing stop stays behind the best price seen since it works.

    `offset` is an amount in the quote currency, or percent of that best price where `is_percent` (2 is 2 %).
    """

    offset: Decimal
    is_percent: bool = False


class Requote(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What becomes of a limit order that has not filled for `after_ns` nanoseconds of the run's time.

    It is put on the best price of its own side, up to `times` times, never beyond `worst` (a limit for the limit;
    the order's own limit price where none is given); when it has still not filled by then it is canceled, or the
    rest is sent at market (`then`). With `times` 0 this is a plain unfilled timeout.
    """

    after_ns: int
    times: int = 0
    worst: Decimal | None = None
    then: Literal["cancel", "market"] = "cancel"


class AlgoSpec(msgspec.Struct, frozen=True, gc=False):
    """An execution algorithm that is to split the order, by name, with its parameters as text."""

    name: str
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, name: str, **params: object) -> "AlgoSpec":
        """The algorithm `name` with these parameters: `AlgoSpec.of("twap", duration_s=600, slices=10)`."""
        return cls(name, tuple((key, str(value)) for key, value in params.items()))


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of an order beyond its type and prices."""

    post_only: bool = False
    """It may only rest in the book: a venue refuses it where it would trade at once."""
    expire_ts: int = 0
    """GTD: when it ends, nanoseconds UTC."""
    trail: Trail | None = None
    """TRAILING_STOP: the distance."""
    oco: str = ""
    """One cancels the other: of the orders of one strategy and symbol with the same group name here, what fills of
    one is taken from the others."""
    parent: str = ""
    """One triggers the other: the intent id of the order whose fills release this one, in the quantity filled."""
    requote: Requote | None = None
    algo: AlgoSpec | None = None


PLAIN = OrderTerms()
"""The terms of an order that has none."""

PROTECTION = "protect"
"""The OCO group of the protective orders that risk keeps for a strategy's position in a symbol."""
