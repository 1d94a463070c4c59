"""How values become log lines: as what JSON or a terminal can show, with secrets masked and lengths bounded."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from tradingd.analytics.summary import decimal_text

__all__ = ["console_line", "describe", "json_line", "make_plain"]

_LONGEST: Final = 16_384
"""Characters of one value; what is longer is cut, for the queue is bounded in lines."""
_DEEPEST: Final = 6
_NATIVE: Final = frozenset({int, float, bool, type(None)})
_MASK: Final = "***"
_SECRETS: Final = (
    r"api[_-]?key|secret|passw(?:or)?d|passphrase|token|private[_-]?key|credential|authorization|signature"
)
_SECRET_KEY: Final = re.compile(_SECRETS, re.IGNORECASE)
_SECRET_TEXT: Final = re.compile(
    rf"((?:{_SECRETS})\w*[\"']?\s*[=:]\s*[\"']?(?:Bearer\s+|Basic\s+)?)[^\s&\"',;)}}]+", re.IGNORECASE
)


def json_line(_logger: object, _method: str, event: EventDict) -> bytes:
    """One JSON object a line; time, level, name and run come first."""
    line = {**{key: event.pop(key, "") for key in ("timestamp", "level", "event", "run_id")}, **event}
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in somebody's text
        return json.dumps(line).encode() + b"\n"


def console_line(*, colors: bool) -> Processor:
    """A processor that makes one line for people of each event."""
    render = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)

    def line(logger: Any, method: str, event: EventDict) -> bytes:  # noqa: ANN401 - a processor's signature
        for key, value in event.items():
            if isinstance(value, str) and key != "exception" and not value.isprintable():
                event[key] = repr(value)  # nobody's text moves our cursor
        return f"{render(logger, method, event)}\n".encode("utf-8", "backslashreplace")

    return line


def make_plain(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The event with nothing but plain values, secrets masked."""
    return cast("EventDict", _plain(event, 0))


def _plain(value: Any, depth: int) -> Any:  # noqa: ANN401 - logged values can be anything
    """The same value as what JSON knows, secrets masked."""
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind in _NATIVE:
        return value
    if kind is Decimal:
        return decimal_text(value)
    if isinstance(value, Enum):
        return value.name if isinstance(value, int) else _plain(value.value, depth)
    return _plain_tree(value, depth) if depth < _DEEPEST else _text(describe(value))


def _plain_tree(value: Any, depth: int) -> Any:  # noqa: ANN401 - logged values can be anything
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return {
            str(key): _MASK if _is_secret(str(key)) else _plain(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return _text(describe(value))


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _text(text: str) -> str:
    """A text without secrets (`apiKey=...`, `Authorization: Bearer ...`), cut to a length that is bearable."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text) - _LONGEST} more)"
    return _SECRET_TEXT.sub(rf"\1{_MASK}", text) if "=" in text or ":" in text else text


def describe(value: object) -> str:
    """Any object as text; pydantic's SecretStr masks itself in its repr."""
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001 - somebody's __repr__ may raise anything, and that is told instead
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
