"""The dead-man switch: the venue cancels all orders when it has not heard of us for a time."""

import asyncio
from collections.abc import Awaitable, Callable

from tradingd.broker.ccxt.link import Link
from tradingd.errors import UsageError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import VenueAccount

__all__ = ["DeadMan"]

_NAME = "dead-man"


class DeadMan:
    """Arms the switch anew at a third of its time, unless that is None. It cancels protective stops, too."""

    def __init__(
        self,
        account: VenueAccount,
        link: Link,
        timeout_s: float | None,
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        traits = account.traits
        if timeout_s is not None and (timeout_s <= 0 or not traits.dead_man):
            why = f"{timeout_s} s is no time" if traits.dead_man else f"{traits.exchange_id} has none"
            raise UsageError(f"account {account.name}: the dead-man switch cannot be armed: {why}; leave it off")
        self._account = account
        self._link = link
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._monotonic = monotonic
        self._changed = changed
        self._to_disarm = False
        """Whether the venue has still to be told that it is off."""
        self._calls = asyncio.Lock()

    @property
    def is_armed(self) -> bool:
        """Whether it is to be kept armed."""
        return self._timeout_s is not None

    async def disarm(self) -> None:
        """Switch it off for good; to be called again where it could not be.

        Raises:
            VenueUnavailableError, VenueRefusedError: it may be armed still.

        """
        self._to_disarm = self._to_disarm or self._timeout_s is not None
        self._timeout_s = None
        async with self._calls:  # one that arms it, and is on its way, comes first
            if self._to_disarm:
                await self._account.set_dead_man(0)
                self._to_disarm = False

    async def keep(self) -> None:
        """Arm it again and again; where it may have fired, everything is read anew. Returns when it is off."""
        armed_at = self._monotonic()
        while self._timeout_s is not None and not self._link.is_refused:
            try:
                async with self._calls:
                    await self._arm()
                armed_at = self._monotonic()
            except VenueAuthError as error:
                self._link.refused(str(error))
                self._changed()
            except (VenueUnavailableError, VenueRefusedError) as error:
                self._failed(error, self._monotonic() - armed_at)
            await self._sleep((self._timeout_s or 0) / 3)

    async def _arm(self) -> None:
        """Unless it was switched off while a call before was waited for."""
        if self._timeout_s is not None:
            await self._account.set_dead_man(self._timeout_s)

    def _failed(self, error: Exception, for_s: float) -> None:
        if self._timeout_s is not None and for_s >= self._timeout_s:
            self._link.stream_lost(_NAME, f"the dead-man switch may have fired: {error}")
            self._link.stream_dialed(_NAME)
            self._changed()
