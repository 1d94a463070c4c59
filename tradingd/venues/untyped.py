"""A name for what ccxt hands out: nothing is known of it until `convert.py` has looked."""

from typing import Any, TypeAlias

__all__ = ["Untyped"]

Untyped: TypeAlias = Any
