"""What is sent to the venue: orders, changes and cancels, and what each kind of answer means."""

from collections.abc import Awaitable, Callable

from tradingd.broker.ccxt import changes
from tradingd.broker.ccxt.desk import Desk
from tradingd.broker.ccxt.link import Link
from tradingd.broker.ccxt.tracked import Tracked
from tradingd.domain.events import SubmitOrder
from tradingd.errors import DuplicateOrderError, VenueAuthError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import VenueAccount

__all__ = ["Sender"]

_NOT_SENT = "NOT_SENT"
"""The code of a refusal by our own side of the wire: nothing has left."""


class Sender:
    """Sends one thing at a time; `changed` is called when its answer has been worked in."""

    def __init__(
        self,
        desk: Desk,
        link: Link,
        account: VenueAccount,
        before_send: Callable[[SubmitOrder], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._link = link
        self._account = account
        self._before_send = before_send
        self._changed = changed
        self._refresh_wanted = False
        self._refreshed_at = float("-inf")

    async def send(self, job: str | Tracked) -> None:
        """Send an order, by its id, or the next change of one."""
        try:
            if isinstance(job, Tracked):
                await self._change(job)
            else:
                await self._submit(job)
        finally:
            self._changed()

    async def _submit(self, order_id: str) -> None:
        order = self._desk.begin(order_id)
        if order is None:
            return
        try:
            await self._before_send(order)
        except BaseException as error:
            self._desk.not_sent(order_id, f"its intent was not recorded: {type(error).__name__}")
            raise
        if not self._desk.may_send(order_id, self._link.hindrance):
            return
        try:
            seen = await self._account.create_order(order)
        except DuplicateOrderError as error:
            self._desk.lost(order_id, f"the venue has this id already: {error}", known=True)
        except VenueRefusedError as error:
            self._refused(order_id, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the order may be there: told as UNKNOWN
            self._desk.lost(order_id, f"{type(error).__name__}: {error}")
        except BaseException as error:
            self._desk.lost(order_id, f"{type(error).__name__} while it was being sent")
            raise
        else:
            if seen.order_id == order_id and seen.exchange_order_id:
                self._desk.accepted(order_id, seen)
            else:
                self._desk.lost(order_id, f"the answer tells of another order: {seen.order_id!r}")

    def _refused(self, order_id: str, error: VenueRefusedError) -> None:
        if error.code == _NOT_SENT:
            self._desk.not_sent(order_id, str(error))
            return
        self._desk.refused(order_id, error.code, str(error))
        if isinstance(error, VenueAuthError):
            self._link.refused(str(error))
        else:
            self._refresh_wanted = True  # a changed filter may be the reason

    async def _change(self, tracked: Tracked) -> None:
        order_id = tracked.order_id
        if tracked.change is None:
            return
        try:
            seen = await self._account.edit_order(tracked.ref, changes.wanted(tracked))
        except VenueRefusedError as error:
            self._desk.change_refused(order_id, error.code, str(error))
            if isinstance(error, VenueAuthError):
                self._link.refused(str(error))
        except VenueUnavailableError:
            self._desk.change_lost(order_id)
        except BaseException:
            self._desk.change_lost(order_id)
            raise
        else:
            self._desk.changed(order_id, seen)

    async def cancel(self, tracked: Tracked) -> None:
        """Ask for a cancel."""
        order_id = tracked.order_id
        try:
            if self._link.is_refused:
                self._desk.cancel_lost(order_id)
                return
            self._desk.canceled(order_id, await self._account.cancel_order(tracked.ref))
        except VenueAuthError as error:
            self._desk.cancel_lost(order_id)
            self._link.refused(str(error))
        except VenueRefusedError as error:
            self._desk.cancel_refused(order_id, error.code, str(error))
        except VenueUnavailableError:
            self._desk.cancel_lost(order_id)
        except BaseException:
            self._desk.cancel_lost(order_id)
            raise
        finally:
            self._changed()

    # --- instruments -----------------------------------------------------------------------------------------

    def take_refresh(self, now: float, least_s: float) -> bool:
        """Whether the markets are to be read anew, not more often than every `least_s`; told once."""
        if not self._refresh_wanted or now - self._refreshed_at < least_s:
            return False
        self._refresh_wanted, self._refreshed_at = False, now
        return True

    def refresh_failed(self) -> None:
        """It did not work: at the next refusal again."""
        self._refreshed_at = float("-inf")
