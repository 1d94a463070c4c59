"""Which events of a run are logged, at which level, and what of them."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from tradingd.analytics.summary import decimal_text
from tradingd.domain.enums import HaltState, OrderStatus
from tradingd.domain.events import Event, EventType, Fill, HaltChanged, OrderUpdate

__all__ = ["EventLogger"]

_ORDER: Final = ("side", "order_type", "quantity", "limit_price", "stop_price")
_WHO: Final = ("intent_id", "strategy_id", "symbol")
_EVENTS: Final[Mapping[EventType, tuple[str, int, tuple[str, ...]]]] = {
    EventType.SIGNAL: ("signal", logging.DEBUG, (*_WHO, "direction", "price", "limit", "stop", "target", "tag")),
    EventType.ORDER_REQUEST: ("order_request", logging.DEBUG, (*_WHO, *_ORDER, "tag")),
    EventType.CANCEL_REQUEST: ("cancel_request", logging.DEBUG, ("intent_id", "strategy_id")),
    EventType.PROTECT_REQUEST: ("protect_request", logging.DEBUG, (*_WHO, "stop", "target", "then")),
    EventType.ORDER: ("order_approved", logging.DEBUG, (*_WHO, "venue", *_ORDER)),
    EventType.ORDER_UPDATE: (
        "order_update",
        logging.INFO,
        (*_WHO, "order_id", "status", *_ORDER, "filled", "reason"),
    ),
    EventType.FILL: ("fill", logging.INFO, (*_WHO, "order_id", "trade_id", "venue", "side", "quantity", "price")),
    EventType.CORPORATE_ACTION: (
        "corporate_action",
        logging.INFO,
        ("symbol", "kind", "numerator", "denominator", "amount", "currency"),
    ),
    EventType.FAULT: ("strategy_faulted", logging.ERROR, ("strategy_id", "error")),
    EventType.MARGIN_CALL: ("margin_call", logging.WARNING, ("venue", "currency", "equity", "required")),
    EventType.HALT: ("halt", logging.WARNING, ("scope", "key", "state", "reason")),
}
"""How each kind of event is told: its name, level and fields. An `intent_id` leads from a signal to its fills."""
_WORRYING: Final = frozenset({OrderStatus.UNKNOWN, OrderStatus.REJECTED})


class EventLogger:
    """Turns domain events into log lines; `at` is the event's own time. Fields that say nothing are left out."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        debugging = log.is_enabled_for(logging.DEBUG)
        self._told = {kind: line for kind, line in _EVENTS.items() if debugging or line[1] > logging.DEBUG}

    def observe(self, event: Event) -> None:
        """Log the event, if its kind is told at this level."""
        told = self._told.get(event.type)
        if told is None:
            return
        name, level, fields = told
        values = {field: value for field in fields if (value := getattr(event, field)) not in {None, ""}}
        if isinstance(event, Fill) and event.fees:
            values["fees"] = [f"{decimal_text(fee.amount)} {fee.asset}" for fee in event.fees]
        elif isinstance(event, OrderUpdate) and event.status in _WORRYING:
            level = logging.WARNING
        elif isinstance(event, HaltChanged) and event.state is HaltState.TRADING:
            name, level = "resume", logging.INFO
        self._log.log(level, name, at=_iso(event.ts), **values)


def _iso(ts: int) -> str:
    seconds, nanos = divmod(ts, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos // 1000:06d}Z"
