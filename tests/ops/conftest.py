"""What the tests of logging share."""

from collections.abc import Callable, Iterator
from typing import Any, TextIO

import pytest

from tradingd.ops.logging import LogHandle, configure_logging

PATIENCE_S = 20.0
Configure = Callable[..., LogHandle]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """`configure_logging` with defaults, undone at the end of the test."""
    handles: list[LogHandle] = []

    def make(stream: TextIO, level: str = "debug", fmt: Any = "json", **limits: int) -> LogHandle:
        handles.append(configure_logging(level, fmt, stream, "run-1", **limits))
        return handles[-1]

    yield make
    for handle in handles:
        handle.close(PATIENCE_S)
