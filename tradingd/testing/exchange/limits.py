"""Rate limits: request weight per minute and orders per ten seconds; a warning (429), then a ban (418)."""

from collections.abc import Callable

import msgspec

from tradingd.testing.exchange.model import Refusal

__all__ = ["LimitPlan", "Limits", "TooMany"]

_MINUTE = 60_000
_TEN_SECONDS = 10_000
_DAY = 86_400_000


class LimitPlan(msgspec.Struct, frozen=True):
    """What a client may use. `warnings` 429s within a minute are answered by a ban of `ban_s` seconds."""

    weight: int = 6_000
    orders_10s: int = 100
    orders_day: int = 200_000
    warnings: int = 5
    ban_s: int = 120


class TooMany(Refusal):
    """Over a limit: `retry_after` in seconds goes into the Retry-After header."""

    def __init__(self, code: int, message: str, status: int, retry_after: int) -> None:
        super().__init__(code, message, status)
        self.retry_after = retry_after


class _Window:
    """A count that begins anew with each interval of the clock."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.count = 0
        self._start = -1

    def add(self, now: int, amount: int) -> int:
        start = now // self.length
        if start != self._start:
            self._start, self.count = start, 0
        self.count += amount
        return self.count

    def left_s(self, now: int) -> int:
        """Whole seconds to the end of the interval, at least one."""
        return max(1, -(-(self.length - now % self.length) // 1_000))


class Limits:
    """The counters of one client address. `now`: milliseconds UTC."""

    def __init__(self, plan: LimitPlan, now: Callable[[], int]) -> None:
        self.plan = plan
        self._now = now
        self._weight = _Window(_MINUTE)
        self._warned = _Window(_MINUTE)
        self._orders = {10: _Window(_TEN_SECONDS), 86_400: _Window(_DAY)}
        self._banned_until = 0

    def spend(self, weight: int) -> None:
        """Counts a request; raises TooMany over the limit, or while the ban lasts."""
        now = self._now()
        if now < self._banned_until:
            raise self._ban(now)
        if self._weight.add(now, weight) <= self.plan.weight:
            return
        if self._warned.add(now, 1) > self.plan.warnings:
            self._banned_until = now + self.plan.ban_s * 1_000
            raise self._ban(now)
        raise TooMany(
            -1003,
            f"Too much request weight used; current limit is {self.plan.weight} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
            429,
            self._weight.left_s(now),
        )

    def spend_order(self) -> None:
        """Counts a new order; raises TooMany over the limit."""
        now = self._now()
        plans = {10: (self.plan.orders_10s, "10 SECOND"), 86_400: (self.plan.orders_day, "1 DAY")}
        for length, (limit, words) in plans.items():
            window = self._orders[length]
            if window.add(now, 1) > limit:
                message = f"Too many new orders; current limit is {limit} orders per {words}."
                raise TooMany(-1015, message, 429, window.left_s(now))

    def _ban(self, now: int) -> TooMany:
        message = (
            f"Way too much request weight used; IP banned until {self._banned_until}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return TooMany(-1003, message, 418, max(1, -(-(self._banned_until - now) // 1_000)))

    def headers(self, *, orders: bool) -> dict[str, str]:
        """What has been used, as response headers."""
        used = str(self._weight.add(self._now(), 0))
        headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if orders:
            headers["X-MBX-ORDER-COUNT-10S"] = str(self._orders[10].count)
            headers["X-MBX-ORDER-COUNT-1D"] = str(self._orders[86_400].count)
        return headers

    def table(self) -> list[dict[str, object]]:
        """The limits as exchangeInfo has them."""
        rows = (
            ("REQUEST_WEIGHT", "MINUTE", 1, self.plan.weight),
            ("ORDERS", "SECOND", 10, self.plan.orders_10s),
            ("ORDERS", "DAY", 1, self.plan.orders_day),
        )
        return [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
            for kind, interval, number, limit in rows
        ]
