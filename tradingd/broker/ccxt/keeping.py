"""Catching up with a venue after the connection was lost, and the barriers at which accounts are compared."""

from collections.abc import Awaitable, Callable

from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.reading import Reader, UnreadError

__all__ = ["Keeper"]

_IMPATIENT = 1.5
"""After so many periods without a barrier it need not be quiet any more."""


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
        self._told_at = float("-inf")
        """When it was last told that one is overdue."""

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
        fates, policy = self._fates, self._fates.policy
        if self._link.is_comparing and not fates.is_calm(0.0):
            self.barrier_at = fates.monotonic() + policy.first_s  # nothing was asked of the venue: look again soon
            return False
        # Where trades never pause for long, two equal reads of them have to do.
        quiet_s = policy.quiet_s if fates.monotonic() - self.held_at < _IMPATIENT * policy.barrier_s else 0.0
        try:
            snapshot = await self._reader.barrier(self._quiet, quiet_s)
        except UnreadError:
            snapshot = None
        self.barrier_at = fates.monotonic() + (policy.quiet_s if snapshot is None else policy.barrier_s)
        if snapshot is not None:
            self.held_at = fates.monotonic()
            fates.out.append(snapshot)
            if self._link.is_comparing:
                self._link.caught_up()
        self._changed()
        return snapshot is not None

    # --- overdue ---------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Have nothing traded that grows while no barrier was held for too long; told anew each period.

        It ends with a barrier and with nothing else: who goes on trading on books that nobody could compare may be
        wrong about all that he holds.
        """
        now = self._fates.monotonic()
        if now < self.due_at:
            return
        self._told_at = now
        self._link.compare(f"a comparison of the books is due: the last was {now - self.held_at:.0f} s ago")

    @property
    def due_at(self) -> float:
        """When `judge` has something to tell, by the monotonic clock."""
        if not self._fates.tape.opened or not (self._link.is_ready or self._link.is_comparing):
            return float("inf")
        policy = self._fates.policy
        due = self.held_at + policy.barrier_due_s
        return max(due, self._told_at + policy.barrier_s) if self._link.is_comparing else due
