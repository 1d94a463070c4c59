"""An `emit` that remembers."""

from typing import Any, TypeVar

from tradingd.domain.events import Event

__all__ = ["EventLog"]

E = TypeVar("E", bound=Event)


class EventLog:
    """Collects events: pass it as `emit`, or observe an event manager with its `observe`."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Event) -> None:
        """Collect an event."""
        self.events.append(event)

    def observe(self, event: Event) -> None:
        """Collect an event."""
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The collected events of one class, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[E]) -> E:
        """The latest event of one class; IndexError when there is none."""
        return self.of(kind)[-1]

    def clear(self) -> None:
        """Forget everything."""
        self.events.clear()
