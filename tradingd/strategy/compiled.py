"""How numba compiles the loops of the sweep. Only a sweep imports this module, and with it numba."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function` as machine code, made at its first call and kept on disk where that can be written.

    Floats are IEEE to the letter (no fastmath, no fused operations), so that decisions are those of plain Python.
    Threads run it side by side. Functions that call one another belong into one file: numba renews what it keeps
    on disk when that file changes, not when another does.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return cast("F", numba.njit(function, cache=True, **options))
    except RuntimeError:  # neither beside the file nor in the user's folder may be written
        return cast("F", numba.njit(function, **options))
