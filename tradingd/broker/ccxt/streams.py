"""Whether the user streams are alive: judged by what they should have told."""

from collections import OrderedDict

__all__ = ["StreamWatch"]

_NEVER = float("inf")
_KEPT = 10_000
_RECENT_S = 5.0
"""News of an order is taken to have told of a trade that was found so shortly after."""
_ANY = ""
"""Stands for all trades of a symbol, where no stream tells of trades."""


class StreamWatch:
    """Compares what reads find with what the streams told. Nothing may happen for hours, and that is no fault.

    But a trade that a read found, and that no stream has told of for `grace_s` since, shows that the streams are
    dead, whatever their sockets say. Where none has ever told of a trade (some venues have no such stream), news
    of an order of that symbol has to do. Times are seconds of the monotonic clock.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._tells_trades = False
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._heard: dict[str, float] = {}
        self._missing: dict[tuple[str, str], float] = {}

    def order_told(self, symbol: str, now: float) -> None:
        """A stream told of an order."""
        self._heard[symbol] = now
        self._missing.pop((symbol, _ANY), None)

    def trade_told(self, symbol: str, trade_id: str) -> None:
        """A stream told of a trade."""
        self._tells_trades = True
        key = symbol, trade_id
        self._missing.pop(key, None)
        self._told[key] = None
        if len(self._told) > _KEPT:
            self._told.popitem(last=False)

    def found(self, symbol: str, trade_id: str, now: float) -> None:
        """A read found a new trade."""
        if not self._tells_trades:
            if now - self._heard.get(symbol, -_NEVER) > _RECENT_S:
                self._missing.setdefault((symbol, _ANY), now)
        elif (symbol, trade_id) not in self._told:
            self._missing[symbol, trade_id] = now

    def take_dead(self, now: float) -> bool:
        """Whether the streams are dead; told once."""
        if self.next_due() > now:
            return False
        self._missing.clear()
        return True

    def next_due(self) -> float:
        """When they are dead unless they tell something before."""
        return next(iter(self._missing.values()), _NEVER) + self._grace_s
