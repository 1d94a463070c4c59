"""The algorithms that come with tradingd, by name, and users' own."""

from collections.abc import Mapping

from tradingd.domain.loading import load_class
from tradingd.execution.algorithms.base import Algorithm
from tradingd.execution.algorithms.iceberg import Iceberg
from tradingd.execution.algorithms.scheduled import Twap, Vwap

__all__ = ["SHIPPED", "algorithm_classes"]

SHIPPED: Mapping[str, type[Algorithm]] = {"iceberg": Iceberg, "twap": Twap, "vwap": Vwap}


def algorithm_classes(own: Mapping[str, str]) -> dict[str, type[Algorithm]]:
    """The classes by name: the shipped ones, and users' own (or in their place) as `package.module:Class`.

    Raises:
        ConfigError: a class does not exist, or is no Algorithm.

    """
    base: type[Algorithm] = Algorithm  # type: ignore[type-abstract]  # what users' classes are to be
    return {**SHIPPED, **{name: load_class(path, base, "algorithm") for name, path in own.items()}}
