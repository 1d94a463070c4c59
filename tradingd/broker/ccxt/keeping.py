"""Catching up with a venue after the connection was lost, and the barriers at which accounts are compared."""

from collections.abc import Awaitable, Callable

from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.reading import Reader, UnreadError

__all__ = ["Keeper"]


class Keeper:
    """What the link task does, step by step. `quiet` waits until the components have handled all that was told."""

    def __init__(
        self,
        fates: Fates,
        link: Link,
        reader: Reader,
        quiet: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self._fates = fates
        self._link = link
        self._reader = reader
        self._quiet = quiet
        self._changed = changed
        self.barrier_at = 0.0
        """When to hold the next barrier, by the monotonic clock."""
        self.held_at = fates.monotonic()
        """When the last one was held, or the keeper was made."""

    async def catch_up(self) -> bool:
        """Read what happened meanwhile; whether the venue is ready now."""
        try:
            await self._reader.open_orders()
            self._link.catching_up()
            self._changed()
            await self._reader.read_all_trades(tuple(self._fates.account.instruments))
        except UnreadError:
            self._changed()
            return False
        self.barrier_at = self._fates.monotonic()
        if not self._fates.tape.opened and not await self.hold_barrier():
            return False
        ready = self._link.caught_up()
        self._changed()
        return ready

    async def hold_barrier(self) -> bool:
        """Tell what the account holds, if there is a moment at which nothing of it moves; whether there was."""
        now, policy = self._fates.monotonic(), self._fates.policy
        # Where trades never pause for long, two equal reads of them have to do.
        quiet_s = policy.quiet_s if now - self.held_at < 2 * policy.barrier_s else 0.0
        try:
            snapshot = await self._reader.barrier(self._quiet, quiet_s)
        except UnreadError:
            snapshot = None
        self.barrier_at = self._fates.monotonic() + (policy.quiet_s if snapshot is None else policy.barrier_s)
        if snapshot is not None:
            self.held_at = self._fates.monotonic()
            self._fates.out.append(snapshot)
        self._changed()
        return snapshot is not None
