"""Logging: nobody ever waits for the reader, and what is lost is told."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tradingd.ops.logging import LogHandle

PATIENCE_S = 20.0
"""How long a test waits for a thread that is expected to end at once."""

Configure = Callable[..., LogHandle]


class Pipe:
    """A real pipe: a stream to write to, and a reader that reads when it is told to."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding="utf-8")
        self.received = b""
        self._reader = threading.Thread(target=self._read_all)

    def _read_all(self) -> None:
        while chunk := os.read(self._reading, 65_536):
            self.received += chunk

    def read(self) -> None:
        """Start to read, until all writers are gone."""
        self.stream.close()
        self._reader.start()

    def lines(self) -> list[dict[str, Any]]:
        """Everything that was received, once the writers are gone."""
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive()
        return [json.loads(line) for line in self.received.splitlines()]

    def hang_up(self) -> None:
        """Let the reader be gone."""
        os.close(self._reading)
        self._reading = -1

    def close(self) -> None:
        """Give everything back; whoever else writes has to be gone by now."""
        self.stream.close()
        if self._reader.ident:
            self._reader.join(PATIENCE_S)
        if self._reading >= 0:
            os.close(self._reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads yet."""
    pipe = Pipe()
    yield pipe
    pipe.close()


def ends_at_once(work: Callable[[], None]) -> bool:
    """Whether `work` returns, done in a thread so that a block cannot hang the test."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return not thread.is_alive()


def written(handle: LogHandle, stream: io.StringIO) -> list[dict[str, Any]]:
    """Every JSON line that went to `stream`."""
    assert handle.close(PATIENCE_S)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


LONG = "x" * 8_000


def test_a_reader_that_does_not_read_never_blocks_the_caller(configure: Configure, pipe: Pipe) -> None:
    """With the pipe full, logging returns at once and drops lines instead."""
    handle = configure(pipe.stream, capacity=20, reserve=20)

    def work() -> None:
        for _ in range(500):
            handle.logger.info("tick", pad=LONG)

    assert ends_at_once(work)
    assert handle.dropped > 0
    pipe.read()
    handle.close(PATIENCE_S)


def test_every_dropped_line_is_counted_and_told(configure: Configure, pipe: Pipe) -> None:
    """Lines that arrive and those that log_dropped tells of add up to those that were logged."""
    handle = configure(pipe.stream, capacity=20, reserve=20)
    for number in range(500):
        handle.logger.info("tick", number=number, pad=LONG)
    pipe.read()
    assert handle.close(PATIENCE_S)
    lines = pipe.lines()
    told = [line for line in lines if line["event"] == "log_dropped"]
    ticks = [line["number"] for line in lines if line["event"] == "tick"]
    assert sum(line["lines"] for line in told) == handle.dropped == told[-1]["total"] > 0
    assert len(ticks) + handle.dropped == 500
    assert ticks == sorted(ticks)


def test_warnings_have_a_reserve_of_their_own(configure: Configure, pipe: Pipe) -> None:
    """When ordinary lines are dropped already, warnings and errors still get through."""
    handle = configure(pipe.stream, capacity=20, reserve=20)
    for _ in range(500):
        handle.logger.info("tick", pad=LONG)
    for _ in range(10):
        handle.logger.warning("halt")
        handle.logger.error("fault")
    pipe.read()
    handle.close(PATIENCE_S)
    events = [line["event"] for line in pipe.lines()]
    assert (events.count("halt"), events.count("fault")) == (10, 10)


def test_the_reserve_is_bounded_too(configure: Configure, pipe: Pipe) -> None:
    """Even warnings do not fill memory; they are counted like the others."""
    handle = configure(pipe.stream, capacity=20, reserve=20)
    for _ in range(500):
        handle.logger.warning("halt", pad=LONG)
    dropped = handle.dropped
    pipe.read()
    handle.close(PATIENCE_S)
    assert dropped > 0


def test_close_gives_up_on_a_reader_that_does_not_read(configure: Configure, pipe: Pipe) -> None:
    """A blocked writer does not hold up the end of the process beyond the time it is given."""
    handle = configure(pipe.stream)
    for _ in range(100):
        handle.logger.info("tick", pad=LONG)
    assert not handle.close(0.01)
    pipe.read()
    assert handle.close(PATIENCE_S)


def test_a_reader_that_is_gone_costs_lines_only(
    configure: Configure, pipe: Pipe, capfd: pytest.CaptureFixture[str]
) -> None:
    """A broken pipe raises nothing, prints nothing, and the lines are counted."""
    handle = configure(pipe.stream)
    pipe.hang_up()
    for _ in range(1_000):
        handle.logger.warning("tick")
    assert handle.close(PATIENCE_S)
    assert (handle.dropped, handle.write_error) == (1_000, "BrokenPipeError: [Errno 32] Broken pipe")
    assert capfd.readouterr().err == ""


class FullDisk(io.StringIO):
    """A stream that fails once."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = threading.Event()

    def write(self, text: str) -> int:
        """Fail the first time, write afterwards."""
        if self.failed.is_set():
            return super().write(text)
        self.failed.set()
        raise OSError(28, "No space left on device")


def test_a_stream_that_works_again_is_written_to_again(configure: Configure) -> None:
    """After a failed write the next lines are written, with a word on what is missing."""
    stream = FullDisk()
    handle = configure(stream)
    handle.logger.info("lost")
    assert stream.failed.wait(PATIENCE_S)
    handle.logger.info("written")
    lines = written(handle, stream)
    assert [line["event"] for line in lines] == ["written", "log_dropped"]
    assert (lines[1]["lines"], lines[1]["level"], lines[1]["run_id"]) == (1, "warning", "run-1")


def test_a_pipe_somebody_made_non_blocking_loses_nothing(configure: Configure, pipe: Pipe) -> None:
    """The writer waits for room instead of failing with EAGAIN."""
    os.set_blocking(pipe.stream.fileno(), False)
    handle = configure(pipe.stream)
    for _ in range(100):
        handle.logger.info("tick", pad=LONG)
    pipe.read()
    assert handle.close(PATIENCE_S)
    assert (len(pipe.lines()), handle.dropped) == (100, 0)


def test_lines_after_close_are_dropped_quietly(configure: Configure) -> None:
    """A late line of a straggling task raises nothing."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.close(PATIENCE_S)
    handle.logger.error("late")
    assert (stream.getvalue(), handle.dropped) == ("", 1)


def test_lines_of_many_threads_are_all_written_whole(configure: Configure) -> None:
    """Threads may log at the same time."""
    stream = io.StringIO()
    handle = configure(stream)

    def work() -> None:
        for _ in range(200):
            handle.logger.info("tick")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(written(handle, stream)) == 800


def test_a_blocked_writer_does_not_keep_the_process_from_ending() -> None:
    """A daemon whose stdout nobody reads still exits, and cleanly."""
    program = """
import sys
from tradingd.ops.logging import configure_logging
handle = configure_logging("info", "json", sys.stdout, "run-1")
for _ in range(100):
    handle.logger.info("tick", pad="x" * 8000)
handle.close(0.01)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
