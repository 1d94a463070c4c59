"""A watchdog against strategies that block the event loop.

The loop cannot watch itself while it is blocked, so a thread does. When one handler runs for too long it logs
where, and, if it is a strategy's, interrupts it: a signal makes the main thread raise `HandlerTimeoutError`
inside the handler, which faults that strategy alone. Code that never returns from C cannot be interrupted; the
log says so, and systemd's watchdog is what ends it.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Self

from tradingd.errors import HandlerTimeoutError
from tradingd.runtime.manager import EventManager, Node

__all__ = ["HandlerWatchdog"]

_SIGNAL = signal.SIGVTALRM
_CHECKS = 4
"""How often within the time-out the thread looks."""


class HandlerWatchdog:
    """Watches one event manager that runs on the main thread; use as a context manager there.

    `report(component, seconds, stack)` is called on the watchdog's thread for each handler that blocks.
    """

    def __init__(self, manager: EventManager, timeout_s: float, report: Callable[[str, float, str], None]) -> None:
        self._manager = manager
        self._timeout_s = timeout_s
        self._report = report
        self._suspect: tuple[Node | None, int] = (None, -1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="handler-watchdog", daemon=True)
        self._main = threading.main_thread()
        self._previous: signal.Handlers | Callable[[int, FrameType | None], object] | int | None = None

    def __enter__(self) -> Self:
        self._previous = signal.signal(_SIGNAL, self._interrupt)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        signal.signal(_SIGNAL, self._previous)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """On the main thread: raise inside the handler, if it is still the same strategy's."""
        (suspect, handled), self._suspect = self._suspect, (None, -1)
        if suspect is None or (self._manager.current, self._manager.events_handled) != (suspect, handled):
            return
        error = HandlerTimeoutError(f"{suspect.name} blocked the event loop for over {self._timeout_s:g} s")
        if self._manager.shield:
            self._manager.interrupt = (suspect, handled, error)
            return
        raise error

    def _watch(self) -> None:
        interval = self._timeout_s / _CHECKS
        seen: tuple[Node | None, int] = (None, -1)
        checks = 0
        while not self._stop.wait(interval):
            now = (self._manager.current, self._manager.events_handled)
            if now[0] is None or now != seen:
                seen, checks = now, 0
                continue
            checks += 1
            if checks == _CHECKS:
                self._tell(now[0])
            if checks >= _CHECKS:  # again and again: code may have swallowed the last one
                self._strike(now[0], now[1])

    def _tell(self, node: Node) -> None:
        frame = sys._current_frames().get(self._main.ident or 0)  # noqa: SLF001 - how one gets a thread's stack
        stack = "".join(traceback.format_stack(frame)[-3:]) if frame is not None else ""
        self._report(node.name, self._timeout_s, stack)

    def _strike(self, node: Node, handled: int) -> None:
        if node.isolated and self._main.ident is not None:
            self._suspect = (node, handled)
            signal.pthread_kill(self._main.ident, _SIGNAL)
