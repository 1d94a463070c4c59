"""Whether the user streams are alive: judged by what they should have told."""

__all__ = ["StreamWatch"]

_NEVER = float("inf")


class StreamWatch:
    """Compares what reads find with what the streams told. Nothing may happen for hours, and that is no fault.

    But a trade that a read found, and that no stream has told of within `grace_s` before or after, shows that the
    streams are dead, whatever their sockets say. Times are seconds of the monotonic clock.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._heard: dict[str, float] = {}
        self._found: dict[str, float] = {}

    def heard(self, symbol: str, now: float) -> None:
        """A stream told something of a symbol."""
        self._heard[symbol] = now
        self._found.pop(symbol, None)

    def found(self, symbol: str, now: float) -> None:
        """A read found a new trade of a symbol."""
        if now - self._heard.get(symbol, -_NEVER) > self._grace_s:
            self._found.setdefault(symbol, now)

    def take_dead(self, now: float) -> bool:
        """Whether the streams are dead; told once."""
        if self.next_due() > now:
            return False
        self._found.clear()
        return True

    def next_due(self) -> float:
        """When they are dead unless they tell something before."""
        return min(self._found.values(), default=_NEVER) + self._grace_s
