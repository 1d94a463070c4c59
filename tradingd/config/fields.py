"""The types of configuration values: exact numbers with ranges, slugs, class paths, moments."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, ClassVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from tradingd.config.hints import nearest_hint
from tradingd.domain.money import to_decimal
from tradingd.errors import MoneyError

__all__ = [
    "ClassPath",
    "Count",
    "Interval",
    "Moment",
    "NotNegative",
    "Number",
    "Percent",
    "Positive",
    "Section",
    "Slug",
    "Symbol",
    "Text",
    "first_instant",
    "last_instant",
    "matching",
    "name_or_class",
    "not_a_fraction",
    "wrong",
]

_MAGNITUDE = 30
"""Numbers beyond 30 digits before or after the point are no prices, quantities or money."""

_CLASS_PATH = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
_DATE_LENGTH = len("2020-12-31")


def wrong(message: str, *path: str, kind: str = "tradingd") -> PydanticCustomError:
    """A problem told in our own words; `path` leads from the table that is checked to the key at fault."""
    return PydanticCustomError(kind, "{message}", {"message": message, "path": path})


def _exact(value: object) -> Decimal:
    if isinstance(value, float):
        raise wrong("must be text, an int or a Decimal, never a binary float")
    try:
        number = to_decimal(value)  # type: ignore[arg-type]  # it refuses every other type itself
    except MoneyError:
        raise wrong("must be a plain, finite number") from None
    exponent = number.as_tuple().exponent
    if number.adjusted() >= _MAGNITUDE or not isinstance(exponent, int) or abs(exponent) > _MAGNITUDE:
        raise wrong(f"is not plausible: it needs more than {_MAGNITUDE} digits")
    return number


def _whole(value: object) -> object:
    if isinstance(value, bool):
        raise wrong("must be a whole number")
    return value


def _class_path(value: str) -> str:
    if not re.fullmatch(_CLASS_PATH, value):
        raise wrong("must name a class as package.module:Class")
    return value


def name_or_class(*names: str) -> AfterValidator:
    """One of `names`, or a class of the user's own as `package.module:Class`."""

    def check(value: str) -> str:
        if value in names or re.fullmatch(_CLASS_PATH, value):
            return value
        raise wrong(f"must be one of {', '.join(names)} or package.module:Class; {nearest_hint(value, names)}")

    return AfterValidator(check)


def not_a_fraction(below: str) -> AfterValidator:
    """Refuse a percentage so small that a fraction must have been meant."""
    bound = Decimal(below)

    def check(value: Decimal) -> Decimal:
        if 0 < value < bound:
            raise wrong(
                f"looks like a fraction, but the unit is percent: {value:f} means {value:f} %; "
                f"write {(value * 100).normalize():f} if you mean {(value * 100).normalize():f} %",
                kind="fraction",
            )
        return value

    return AfterValidator(check)


def _moment(value: object) -> object:
    """Dates stay dates (a whole day); a time without a zone is UTC."""
    if isinstance(value, str):
        value = _parse_moment(value.strip())
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if value is None or isinstance(value, date):
        return value
    raise wrong("must be a date or a date and time, such as 2020-12-31 or 2020-12-31T14:30:00Z")


def _parse_moment(text: str) -> object:
    try:
        return date.fromisoformat(text) if len(text) == _DATE_LENGTH else datetime.fromisoformat(text)
    except ValueError:
        return text


def first_instant(moment: date | datetime) -> datetime:
    """The moment itself, or the beginning of the day (UTC)."""
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time.min, UTC)


def last_instant(moment: date | datetime) -> datetime:
    """The moment itself, or the end of the day (UTC)."""
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time.max, UTC)


def matching(pattern: str, message: str) -> Callable[[str], str]:
    """A check that a text is all `pattern`."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise wrong(message)
        return value

    return check


Number = Annotated[Decimal, BeforeValidator(_exact)]
"""An exact decimal: text, an int or a Decimal; never a float, NaN or infinity."""
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Percent = Annotated[Number, Field(gt=0, le=100)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1_000_000_000)]
Text = Annotated[str, Field(min_length=1)]
ClassPath = Annotated[str, AfterValidator(_class_path)]
"""A class of the user's own, as `package.module:Class`."""
Moment = Annotated[date | datetime | None, BeforeValidator(_moment)]
Slug = Annotated[
    str,
    AfterValidator(
        matching(
            r"[a-z0-9]+(?:[_-][a-z0-9]+)*",
            "must be lower-case letters and digits, with single - or _ between, such as my_bot-2",
        )
    ),
]
Symbol = Annotated[
    str, AfterValidator(matching(r"\S{1,64}", "must be a symbol without blanks, such as AAPL or BTC/USDT"))
]
Interval = Annotated[
    str, AfterValidator(matching(r"[1-9]\d{0,4}[smhdw]", "must be a length of bars, such as 1m, 1h or 1d"))
]


class Section(BaseModel):
    """A table of the configuration: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    none_unsets: ClassVar[bool] = True
    """Whether the text "none" unsets a key: TOML and the environment have no null."""

    @field_validator("*", mode="before")
    @classmethod
    def _none_word(cls, value: object, info: ValidationInfo) -> object:
        if value != "none" or not cls.none_unsets:
            return value
        field = cls.model_fields.get(info.field_name or "")
        may_be_unset = field is not None and type(None) in get_args(field.annotation)
        return None if may_be_unset else value
