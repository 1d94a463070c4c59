"""A backtest: recorded data through the components, synchronously."""

import gc
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tradingd.analytics.summary import Summary
from tradingd.errors import UsageError
from tradingd.runtime.session import Session
from tradingd.runtime.sync_manager import SyncEventManager

__all__ = ["BacktestSession"]


_YOUNG = 100_000
"""Allocations between two collections. Events hold no cycles: nearly all that a collection looks at lives on."""


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let the garbage collector look at the run's own state less often than after every 700 allocations."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_YOUNG, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


class BacktestSession(Session):
    """Runs all loaded data through the synchronous event manager."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of Session
        super().__init__(*args, mode="BACKTEST", **options)
        if not isinstance(self.manager, SyncEventManager):
            raise UsageError('a backtest needs run.mode = "backtest"')
        self._driver = self.manager
        self._interrupted = False

    def run(self) -> Summary:
        """Run to the end of the data, or to the first Ctrl-C, which ends it after the event at hand.

        Raises:
            ComponentError: a component other than a strategy failed.

        """
        began = time.perf_counter()
        driver = self._driver
        try:
            with self._graceful_interrupt(), _seldom_collected():
                driver.start()
                driver.run(self.data.stream())
                self.execution.refuse_new("STOPPING")
                self.execution.cancel_all("STOPPING")
                while self.settle():
                    pass  # what arrived may have set off more
                driver.stop()
        finally:
            self.finish_records()
        reason = "interrupted" if self._interrupted else "end of data"
        return self.summary(reason, time.perf_counter() - began)

    @contextmanager
    def _graceful_interrupt(self) -> Iterator[None]:
        """Ctrl-C ends the loop between two events; a second one ends it at once."""

        def stop(number: int, _frame: FrameType | None) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = self._driver.stopping = True
            os.write(2, b"stopping after the event at hand; Ctrl-C again stops at once\n")
            del number

        previous = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
