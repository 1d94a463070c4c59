"""One table of the configuration, read by name and type."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from tradingd.config.hints import nearest_hint
from tradingd.domain.money import to_decimal
from tradingd.errors import ConfigError, UnknownKeyError

__all__ = ["ConfigSection"]


class ConfigSection:
    """A table by name, for code that reads settings as text keys: `section.get_float("initial_cash")`.

    Every key of the table exists, at its default unless set; other names raise `UnknownKeyError`. Values are
    converted only where nothing is guessed; else, and where a key is not set and no default is given, the
    typed getters raise `ConfigError`.
    """

    def __init__(self, name: str, values: BaseModel) -> None:
        self.name = name
        self._values = values

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """The value as it is, or `default` where the key is not set (None)."""
        value = self._value(name)
        return default if value is None else value

    def get_float(self, name: str, default: float | None = None) -> float:
        """A number as a float: for figures, not for money."""
        value = self._given(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise self._wrong(name, "a number", value)
        return float(value)

    def get_decimal(self, name: str, default: Decimal | None = None) -> Decimal:
        """A number as an exact Decimal."""
        value = self._given(name, default)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._wrong(name, "an exact number", value)
        return to_decimal(value)

    def get_int(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        value = self._given(name, default)
        whole = isinstance(value, int | Decimal) and not isinstance(value, bool) and value == int(value)
        if not whole:
            raise self._wrong(name, "a whole number", value)
        return int(value)

    def get_bool(self, name: str, default: bool | None = None) -> bool:  # noqa: FBT001
        """True or false."""
        value = self._given(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def get_str(self, name: str, default: str | None = None) -> str:
        """A text."""
        value = self._given(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "text", value)
        return str(value)

    def as_dict(self) -> dict[str, Any]:
        """The table and those in it as plain dicts; secrets stay wrapped."""
        return self._values.model_dump()

    def __contains__(self, name: object) -> bool:
        return name in type(self._values).model_fields

    def __repr__(self) -> str:
        return f"ConfigSection({self.name!r}, {self._values!r})"

    def _value(self, name: str) -> Any:  # noqa: ANN401
        if name not in self:
            known = type(self._values).model_fields
            raise UnknownKeyError(f"{self.name}.{name}: no such key; {nearest_hint(name, known)}")
        return getattr(self._values, name)

    def _given(self, name: str, default: object) -> Any:  # noqa: ANN401
        value = self.get(name, default)
        if value is None:
            raise ConfigError(f"{self.name}.{name}: is not set; set it in the configuration")
        return value

    def _wrong(self, name: str, wanted: str, value: object) -> ConfigError:
        return ConfigError(f"{self.name}.{name}: is not {wanted} (it is a {type(value).__name__})")
