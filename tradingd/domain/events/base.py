"""The base of all events, and their kinds."""

from enum import IntEnum
from typing import ClassVar

import msgspec

__all__ = ["MARKET_EVENTS", "Event", "EventType"]


class EventType(IntEnum):
    """The kinds of events a component can subscribe to."""

    BAR = 0
    QUOTE = 1
    TRADE = 2
    BOOK = 3
    TIMER = 4
    SIGNAL = 5
    ORDER_REQUEST = 6
    CANCEL_REQUEST = 7
    MODIFY_REQUEST = 8
    ORDER = 9
    CANCEL = 10
    MODIFY = 11
    SUBMIT = 12
    SUBMIT_CANCEL = 13
    SUBMIT_MODIFY = 14
    BROKER_REPORT = 15
    TRADE_REPORT = 16
    FILL = 17
    ORDER_UPDATE = 18
    POSITION = 19
    LEDGER = 20
    FAULT = 21
    HALT = 22
    MARGIN_CALL = 23
    ALGO_ORDER = 24
    ALGO_UPDATE = 25
    ALGO_DONE = 26
    CHILD_ORDER = 27
    CHILD_CANCEL = 28
    PROTECT_REQUEST = 29
    VENUE_STATUS = 30
    HALT_REQUEST = 31
    ACCOUNT_SNAPSHOT = 32
    CORPORATE_ACTION = -1
    """Below 0, so that `<= BOOK` is all that a feed brings and that is routed by symbol."""


MARKET_EVENTS = frozenset({EventType.BAR, EventType.QUOTE, EventType.TRADE, EventType.BOOK})


class Event(msgspec.Struct, frozen=True, gc=False):
    """The base of all events."""

    type: ClassVar[EventType]
    route: ClassVar[str] = ""
    """The field that a component may filter this kind of event by; empty for none."""

    ts: int
