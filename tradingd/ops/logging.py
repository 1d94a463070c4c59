"""Logging: one event name per happening, with key-values, and never a wait for whoever reads it.

A line goes from the caller into a bounded queue and from there, by one thread, to the stream. When the reader is
slow (a full pipe, a stopped terminal) the queue fills: debug and info lines are then dropped and counted; warnings
and errors have a larger reserve of their own before they are. As soon as there is room again a `log_dropped` line
tells how many are missing. A reader that is gone costs lines, never the daemon.

Lines are rendered by the caller, while the values are what they were. Decimals become plain text, enums their
values (numbered ones their names), exceptions text; secrets are masked.
"""

import json
import logging
import os
import re
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from tradingd.analytics.summary import decimal_text
from tradingd.domain.enums import HaltState, OrderStatus
from tradingd.domain.events import Event, EventType, Fill, HaltChanged, OrderUpdate
from tradingd.errors import UsageError

__all__ = ["EventLogger", "LogHandle", "configure_logging"]

_CAPACITY: Final = 8_192
"""Debug and info lines that may wait for the writer."""
_RESERVE: Final = 32_768
"""Warnings and errors that may."""
_BATCH: Final = 256
"""Lines written at once."""
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


_WORD: Final = 2


class _Line(NamedTuple):
    """A rendered line; `kind` is 0, 1 for a warning or worse, or `_WORD` for a word on dropped ones."""

    kind: int
    data: bytes


class _LineQueue:
    """A bounded queue of lines in front of one writer thread; putting a line never waits for the reader."""

    def __init__(
        self, writer: "_Writer", tell_dropped: Callable[[int, int], bytes], limits: tuple[int, int]
    ) -> None:
        self.dropped = 0
        self.write_error = ""
        self._writer = writer
        self._tell_dropped = tell_dropped
        self._limits = limits
        self._lines: deque[_Line] = deque()
        self._waiting = [0, 0, 0]
        self._untold = 0
        self._closed = False
        self._writing = False
        # Its lock is re-entrant on purpose: a collected object's __del__ may log in the middle of a put.
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes, *, urgent: bool) -> None:
        """Queue a line, or count it as dropped."""
        with self._ready:
            if self._closed or self._waiting[urgent] >= self._limits[urgent]:
                self._miss(1)
                return
            self._lines.append(_Line(int(urgent), line))
            self._waiting[urgent] += 1
            self._ready.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until all lines so far are written; returns whether they were in time."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._lines and not self._writing, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Take no more lines and wait for the writer; returns whether it is through with the queue."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _miss(self, lines: int) -> None:
        self.dropped += lines
        self._untold += lines

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._writer.write(b"".join(line.data for line in batch))
            except (OSError, ValueError) as error:  # the reader is gone, the disk is full, the stream is closed
                with self._ready:
                    self.write_error = f"{type(error).__name__}: {error}"
                    self._miss(sum(line.kind < _WORD for line in batch))
            with self._ready:
                self._writing = False
                self._ready.notify_all()
        self._writer.close()

    def _take(self) -> list[_Line]:
        """The next lines, waiting for one; none at the end."""
        with self._ready:
            while not self._lines and not self._closed:
                self._ready.wait()
            batch = [self._lines.popleft() for _ in range(min(_BATCH, len(self._lines)))]
            self._writing = bool(batch)
            for line in batch:
                self._waiting[line.kind] -= 1
            # Only after real lines, or a failing stream would be told of its own word for ever.
            if self._untold and any(line.kind < _WORD for line in batch):
                self._lines.append(_Line(_WORD, self._tell_dropped(self._untold, self.dropped)))
                self._waiting[_WORD] += 1
                self._untold = 0
            return batch


class _Sink:
    """What structlog hands rendered lines to."""

    def __init__(self, queue: _LineQueue) -> None:
        self._queue = queue

    def info(self, line: bytes) -> None:
        self._queue.put(line, urgent=False)

    def warning(self, line: bytes) -> None:
        self._queue.put(line, urgent=True)

    debug = info
    error = critical = warning


class _Bridge(logging.Handler):
    """Routes warnings and errors of the standard library's logging (asyncio, ccxt, ...) into ours."""

    def __init__(self, level: int, processors: list[Processor], queue: _LineQueue) -> None:
        super().__init__(level)
        self._processors = processors
        self._queue = queue

    def emit(self, record: logging.LogRecord) -> None:
        event: EventDict = {"event": "library_log", "logger": record.name, "message": _message(record)}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        self._queue.put(_render(self._processors, record.levelname.lower(), event), urgent=True)


class LogHandle:
    """Logging while it is configured; every line has the run id. `close` takes everything back."""

    def __init__(self, logger: FilteringBoundLogger, queue: _LineQueue, bridge: logging.Handler) -> None:
        self.logger = logger
        self._queue = queue
        self._bridge = bridge

    @property
    def dropped(self) -> int:
        """Lines that were lost so far, to a full queue or a failing stream."""
        return self._queue.dropped

    @property
    def write_error(self) -> str:
        """What the stream last failed with; empty if it never did."""
        return self._queue.write_error

    def drain(self, timeout_s: float) -> bool:
        """Wait, for at most `timeout_s`, until what was logged so far is written: at the end of a run only."""
        return self._queue.drain(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Write what is queued, for at most `timeout_s`; returns whether the writer is through. Drops later lines.

        A writer blocked by its reader is left behind: a daemon thread with no lock the interpreter needs to end.
        """
        logging.getLogger().removeHandler(self._bridge)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        return self._queue.close(timeout_s)


def configure_logging(
    level: str,
    fmt: Literal["json", "console"],
    stream: TextIO,
    run_id: str,
    *,
    capacity: int = _CAPACITY,
    reserve: int = _RESERVE,
) -> LogHandle:
    """Set up structlog, and the standard library's logging behind it, to write to `stream`.

    Raises:
        UsageError: there is no such level or format.

    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None or fmt not in {"json", "console"}:
        raise UsageError(f"log level {level!r}, format {fmt!r}: use debug, info, warning, error; json, console")
    processors: list[Processor] = [
        lambda _logger, _method, event: {"run_id": run_id, **event},
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _make_plain,
        _json_line if fmt == "json" else _console_line(colors=stream.isatty()),
    ]

    def tell_dropped(lines: int, total: int) -> bytes:
        return _render(processors, "warning", {"event": "log_dropped", "lines": lines, "total": total})

    queue = _LineQueue(_Writer(stream), tell_dropped, (capacity, reserve))
    bridge = _Bridge(max(number, logging.WARNING), processors, queue)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Sink(queue),
    )
    logging.getLogger().addHandler(bridge)
    logging.captureWarnings(capture=True)
    return LogHandle(structlog.get_logger().bind(), queue, bridge)


class _Writer:
    """Writes to a stream: by its file descriptor where it has one.

    A thread that is blocked inside a buffered stream holds that stream's lock, which the interpreter needs to end.
    The descriptor is our own copy, so that nobody closes it and lets its number stand for another file.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._fd: int | None = None
        with suppress(OSError, ValueError):  # a stream without a descriptor, such as StringIO
            stream.flush()
            self._fd = os.dup(stream.fileno())

    def write(self, data: bytes) -> None:
        """Write all of it, waiting for the reader."""
        if self._fd is None:
            self._stream.write(data.decode("utf-8", "replace"))
            self._stream.flush()
            return
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:  # somebody made the pipe non-blocking; this thread may wait
                select.select([], [self._fd], [])

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)


def _render(processors: list[Processor], level: str, event: EventDict) -> bytes:
    result: Any = event
    for processor in processors:
        result = processor(None, level, result)
    return cast("bytes", result)


def _json_line(_logger: object, _method: str, event: EventDict) -> bytes:
    line = {**{key: event.pop(key, "") for key in ("timestamp", "level", "event", "run_id")}, **event}
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in somebody's text
        return json.dumps(line).encode() + b"\n"


def _console_line(*, colors: bool) -> Processor:
    render = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)

    def line(logger: Any, method: str, event: EventDict) -> bytes:  # noqa: ANN401 - a processor's signature
        for key, value in event.items():
            if isinstance(value, str) and key != "exception" and not value.isprintable():
                event[key] = repr(value)  # nobody's text moves our cursor
        return f"{render(logger, method, event)}\n".encode("utf-8", "backslashreplace")

    return line


def _make_plain(_logger: object, _method: str, event: EventDict) -> EventDict:
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
    return _plain_tree(value, depth) if depth < _DEEPEST else _text(_describe(value))


def _plain_tree(value: Any, depth: int) -> Any:  # noqa: ANN401 - logged values can be anything
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return {
            str(key): _MASK if _is_secret(str(key)) else _plain(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return _text(_describe(value))


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _text(text: str) -> str:
    """A text without secrets (`apiKey=...`, `Authorization: Bearer ...`), cut to a length that is bearable."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text) - _LONGEST} more)"
    return _SECRET_TEXT.sub(rf"\1{_MASK}", text) if "=" in text or ":" in text else text


def _describe(value: object) -> str:
    """Any object as text; pydantic's SecretStr masks itself in its repr."""
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001 - somebody's __repr__ may raise anything, and that is told instead
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - somebody's arguments do not fit their format; both are told
        return f"{record.msg} {_describe(record.args)} ({type(error).__name__})"


_ORDER: Final = ("side", "order_type", "quantity", "limit_price", "stop_price")
_WHO: Final = ("intent_id", "strategy_id", "symbol")
_EVENTS: Final[Mapping[EventType, tuple[str, int, tuple[str, ...]]]] = {
    EventType.SIGNAL: ("signal", logging.DEBUG, (*_WHO, "direction", "price", "limit", "stop", "target", "tag")),
    EventType.ORDER_REQUEST: ("order_request", logging.DEBUG, (*_WHO, *_ORDER, "tag")),
    EventType.CANCEL_REQUEST: ("cancel_request", logging.DEBUG, ("intent_id", "strategy_id")),
    EventType.PROTECT_REQUEST: ("protect_request", logging.DEBUG, (*_WHO, "stop", "target", "then")),
    EventType.ORDER: ("order_approved", logging.DEBUG, (*_WHO, "venue", *_ORDER)),
    EventType.ORDER_UPDATE: (
        "order_update",
        logging.INFO,
        (*_WHO, "order_id", "status", *_ORDER, "filled", "reason"),
    ),
    EventType.FILL: ("fill", logging.INFO, (*_WHO, "order_id", "trade_id", "venue", "side", "quantity", "price")),
    EventType.CORPORATE_ACTION: (
        "corporate_action",
        logging.INFO,
        ("symbol", "kind", "numerator", "denominator", "amount", "currency"),
    ),
    EventType.FAULT: ("strategy_faulted", logging.ERROR, ("strategy_id", "error")),
    EventType.MARGIN_CALL: ("margin_call", logging.WARNING, ("venue", "currency", "equity", "required")),
    EventType.HALT: ("halt", logging.WARNING, ("scope", "key", "state", "reason")),
}
"""How each kind of event is told: its name, level and fields. An `intent_id` leads from a signal to its fills."""
_WORRYING: Final = frozenset({OrderStatus.UNKNOWN, OrderStatus.REJECTED})


class EventLogger:
    """Turns domain events into log lines; `at` is the event's own time. Fields that say nothing are left out."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        debugging = log.is_enabled_for(logging.DEBUG)
        self._told = {kind: line for kind, line in _EVENTS.items() if debugging or line[1] > logging.DEBUG}

    def observe(self, event: Event) -> None:
        """Log the event, if its kind is told at this level."""
        told = self._told.get(event.type)
        if told is None:
            return
        name, level, fields = told
        values = {field: value for field in fields if (value := getattr(event, field)) not in {None, ""}}
        if isinstance(event, Fill) and event.fees:
            values["fees"] = [f"{decimal_text(fee.amount)} {fee.asset}" for fee in event.fees]
        elif isinstance(event, OrderUpdate) and event.status in _WORRYING:
            level = logging.WARNING
        elif isinstance(event, HaltChanged) and event.state is HaltState.TRADING:
            name, level = "resume", logging.INFO
        self._log.log(level, name, at=_iso(event.ts), **values)


def _iso(ts: int) -> str:
    seconds, nanos = divmod(ts, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos // 1000:06d}Z"
