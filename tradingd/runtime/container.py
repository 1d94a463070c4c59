"""A registry of the parts of one run: plain code that the composition root fills."""

import difflib
from collections.abc import Iterator
from typing import Any

from tradingd.errors import UsageError

__all__ = ["Container"]


class Container:
    """The parts of a run by name.

    Nothing registers itself here: `tradingd.app.build` puts every part in, wired, and users take them out.
    """

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}

    def register(self, name: str, part: Any) -> None:  # noqa: ANN401 - any part
        """Put a part in; a name is given once.

        Raises:
            UsageError: the name is taken.

        """
        if name in self._parts:
            raise UsageError(f"the container has a part called {name!r} already")
        self._parts[name] = part

    def get(self, name: str) -> Any:  # noqa: ANN401 - any part
        """The part called `name`.

        Raises:
            UsageError: there is none; the message names the nearest.

        """
        try:
            return self._parts[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._parts, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(self._parts))}"
            raise UsageError(f"the container has no part called {name!r}; {hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)
