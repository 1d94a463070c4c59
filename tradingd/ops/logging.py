"""Logging: one event name per happening, with key-values, and never a wait for whoever reads it.

A line goes from the caller into a bounded queue and from there, by one thread, to the stream. When the reader is
slow (a full pipe, a stopped terminal) the queue fills: debug and info lines are then dropped and counted; warnings
and errors have a larger reserve of their own before they are. As soon as there is room again a `log_dropped` line
tells how many are missing. A reader that is gone costs lines, never the daemon.

Lines are rendered by the caller, while the values are what they were. Decimals become plain text, enums their
values (numbered ones their names), exceptions text; secrets are masked.
"""

import logging
from typing import Any, Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from tradingd.errors import UsageError
from tradingd.ops.log_queue import LineQueue, StreamWriter
from tradingd.ops.log_values import console_line, describe, json_line, make_plain

__all__ = ["LogHandle", "configure_logging"]

_CAPACITY: Final = 8_192
"""Debug and info lines that may wait for the writer."""
_RESERVE: Final = 32_768
"""Warnings and errors that may."""


class _Sink:
    """What structlog hands rendered lines to."""

    def __init__(self, queue: LineQueue) -> None:
        self._queue = queue

    def info(self, line: bytes) -> None:
        self._queue.put(line, urgent=False)

    def warning(self, line: bytes) -> None:
        self._queue.put(line, urgent=True)

    debug = info
    error = critical = warning


class _Bridge(logging.Handler):
    """Routes warnings and errors of the standard library's logging (asyncio, ccxt, ...) into ours."""

    def __init__(self, level: int, processors: list[Processor], queue: LineQueue) -> None:
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

    def __init__(self, logger: FilteringBoundLogger, queue: LineQueue, bridge: logging.Handler) -> None:
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
        make_plain,
        json_line if fmt == "json" else console_line(colors=stream.isatty()),
    ]

    def tell_dropped(lines: int, total: int) -> bytes:
        return _render(processors, "warning", {"event": "log_dropped", "lines": lines, "total": total})

    queue = LineQueue(StreamWriter(stream), tell_dropped, (capacity, reserve))
    bridge = _Bridge(max(number, logging.WARNING), processors, queue)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Sink(queue),
    )
    logging.getLogger().addHandler(bridge)
    logging.captureWarnings(capture=True)
    return LogHandle(structlog.get_logger().bind(), queue, bridge)


def _render(processors: list[Processor], level: str, event: EventDict) -> bytes:
    result: Any = event
    for processor in processors:
        result = processor(None, level, result)
    return cast("bytes", result)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - somebody's arguments do not fit their format; both are told
        return f"{record.msg} {describe(record.args)} ({type(error).__name__})"
