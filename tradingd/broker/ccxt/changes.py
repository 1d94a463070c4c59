"""Changes of working orders, in place: one at a time per order, judged by what the venue shows."""

from decimal import Decimal

import msgspec

from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.tracked import Change, Tracked
from tradingd.domain.events import BrokerReport, ReportKind, SubmitOrder
from tradingd.venues.model import OrderSeen

__all__ = ["drop", "granted", "judge", "take_next", "wanted"]


def take_next(tracked: Tracked) -> bool:
    """Whether a change is to be sent now: it is marked as under way."""
    change = tracked.change
    if change is None or change.sent:
        return False
    change.sent = True
    return True


def wanted(tracked: Tracked) -> SubmitOrder:
    """How the order is to be after the change under way."""
    change, order = tracked.changes[0], tracked.order
    return msgspec.structs.replace(
        order,
        quantity=_or(change.quantity, order.quantity),
        limit_price=_or(change.limit_price, order.limit_price),
        stop_price=_or(change.stop_price, order.stop_price),
    )


def drop(tracked: Tracked, venue: str, ts: int, reason: str) -> list[BrokerReport]:
    """The change under way was not made."""
    if not tracked.changes:
        return []
    number, rejected = tracked.changes.popleft().number, ReportKind.MODIFY_REJECTED
    return [BrokerReport(ts, venue, tracked.order_id, rejected, tracked.exchange_id, reason, change=number)]


def granted(tracked: Tracked, venue: str, ts: int) -> list[BrokerReport]:
    """The change under way was made: the order is as it was wanted."""
    if not tracked.changes:
        return []
    tracked.order = wanted(tracked)
    change = tracked.changes.popleft()
    return [
        BrokerReport(
            ts,
            venue,
            tracked.order_id,
            ReportKind.MODIFIED,
            tracked.exchange_id,
            "",
            change.quantity,
            change.limit_price,
            change.stop_price,
            change=change.number,
        )
    ]


def judge(
    tracked: Tracked, seen: OrderSeen, policy: EvidencePolicy, venue: str, asked_at: float, ts: int
) -> list[BrokerReport]:
    """Compare an order that was read with a change whose answer is missing.

    As wanted: it was made. As before, and still so after `edit_span_s`: it was not. A venue that tells neither
    quantity nor prices leaves it open.
    """
    change = tracked.change
    if change is None or change.lost_at is None or asked_at < change.lost_at:
        return []
    if _shows(seen, change):
        return granted(tracked, venue, ts)
    if change.unchanged_at is None:
        change.unchanged_at = asked_at
    elif asked_at - change.unchanged_at >= policy.edit_span_s:
        return drop(tracked, venue, ts, "no answer came, and the order is read as it was")
    return []


def _shows(seen: OrderSeen, change: Change) -> bool:
    pairs = (
        (change.quantity, seen.quantity),
        (change.limit_price, seen.limit_price),
        (change.stop_price, seen.stop_price),
    )
    return all(asked is None or told == asked for asked, told in pairs)


def _or(value: Decimal | None, default: Decimal | None) -> Decimal | None:
    return default if value is None else value
