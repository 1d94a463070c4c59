"""The queue of log lines and the thread that writes them: whoever logs never waits for whoever reads."""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, TextIO

__all__ = ["LineQueue", "StreamWriter"]

_BATCH: Final = 256
"""Lines written at once."""
_WORD: Final = 2


class _Line(NamedTuple):
    """A rendered line; `kind` is 0, 1 for a warning or worse, or `_WORD` for a word on dropped ones."""

    kind: int
    data: bytes


class LineQueue:
    """A bounded queue of lines in front of one writer thread; putting a line never waits for the reader."""

    def __init__(
        self, writer: "StreamWriter", tell_dropped: Callable[[int, int], bytes], limits: tuple[int, int]
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


class StreamWriter:
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
        """Give the descriptor back; the stream itself is its owner's."""
        if self._fd is not None:
            os.close(self._fd)
