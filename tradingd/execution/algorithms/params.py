"""The parameters of an algorithm: text from the order, read with errors that say what to write instead."""

from collections.abc import Collection, Iterable
from decimal import Decimal

from tradingd.domain.money import ZERO, mul, to_decimal
from tradingd.errors import MoneyError, UsageError

__all__ = ["Params"]

_NS = Decimal(1_000_000_000)


class Params:
    """Reads parameters by name; `finish` refuses what was not read.

    Raises:
        UsageError: a parameter is missing, of another kind, out of range, unknown, or named twice.

    """

    __slots__ = ("_read", "_text")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._text: dict[str, str] = {}
        self._read: list[str] = []
        for name, text in pairs:
            if name in self._text:
                raise UsageError(f"{name} is given twice")
            self._text[name] = text

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """A number above 0; needed where there is no default."""
        text = self._take(name)
        if text is None:
            if default is None:
                raise UsageError(f"{name} is missing")
            return default
        try:
            value = to_decimal(text)
        except MoneyError:
            raise UsageError(f"{name} must be a number, it is {text!r}") from None
        if value <= 0:
            raise UsageError(f"{name} must be above 0, it is {text}")
        return value

    def duration_ns(self, name: str) -> int:
        """Seconds, as nanoseconds."""
        return int(mul(self.number(name), _NS))

    def count(self, name: str, default: int | None = None, most: int = 10_000) -> int:
        """A whole number from 1 to `most`."""
        value = self.number(name, None if default is None else Decimal(default))
        if value != int(value) or value > most:
            raise UsageError(f"{name} must be a whole number from 1 to {most}, it is {value}")
        return int(value)

    def fraction(self, name: str) -> Decimal:
        """A number from 0 to 1; 0 unless given."""
        text = self._take(name)
        try:
            value = ZERO if text is None else to_decimal(text)
        except MoneyError:
            raise UsageError(f"{name} must be a number from 0 to 1, it is {text!r}") from None
        if not 0 <= value <= 1:
            raise UsageError(f"{name} must be from 0 to 1, it is {text}")
        return value

    def choice(self, name: str, among: Collection[str], default: str) -> str:
        """One of a few words."""
        text = self._take(name)
        if text is not None and text not in among:
            raise UsageError(f"{name} must be one of {', '.join(among)}; it is {text!r}")
        return default if text is None else text

    def text(self, name: str) -> str | None:
        """Any text; None where it is not given."""
        return self._take(name)

    def weights(self, name: str, text: str) -> tuple[Decimal, ...]:
        """Numbers of 0 or more with commas between, at least one of them above 0; zeros at the end are dropped."""
        try:
            found = [to_decimal(part.strip()) for part in text.split(",")]
        except MoneyError:
            raise UsageError(
                f"{name} must be numbers with commas between, such as 3,2,1,4; it is {text!r}"
            ) from None
        while found and not found[-1]:
            found.pop()
        if not found or min(found) < ZERO:
            raise UsageError(f"{name} needs a number above 0 and none below, it is {text!r}")
        return tuple(found)

    def finish(self) -> None:
        """All has been read that there may be."""
        unknown = sorted(set(self._text).difference(self._read))
        if unknown:
            known = ", ".join(sorted(set(self._read)))
            raise UsageError(f"no such parameter: {', '.join(unknown)}; there are {known}")

    def _take(self, name: str) -> str | None:
        self._read.append(name)
        return self._text.get(name)
