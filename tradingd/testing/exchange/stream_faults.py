"""Faults of websockets: what goes wrong with frames, subscriptions and connections."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tradingd.testing.exchange.faults import FrameFault, ScriptedFaults, WorldFault
from tradingd.testing.exchange.model import Fate, Frame

__all__ = [
    "all_disconnected",
    "altered",
    "disconnected",
    "doubled",
    "dropped",
    "evicted",
    "half_open",
    "late",
    "malformed",
    "not_served",
    "repeated",
    "silent",
    "skipped",
    "unserved_user_data",
]

USER = "executionReport/*|outboundAccountPosition"
MARKET = "*@*"


def doubled() -> FrameFault:
    """An event comes twice."""
    return FrameFault(
        name="duplicate-event",
        number="B8",
        target="executionReport/*",
        act=lambda _, frame: (frame, frame),
        text="an event of user data comes twice",
    )


def repeated() -> FrameFault:
    """An update of a candle comes twice."""
    return FrameFault(
        name="repeated-candle",
        number="B17",
        target="*@kline_*",
        act=lambda _, frame: (frame, frame),
        text="an update of a candle comes twice",
    )


def dropped() -> FrameFault:
    """An event does not come."""
    return FrameFault(
        name="dropped-event",
        number="B5",
        target=USER,
        act=lambda *_: (),
        text="an event of user data does not come",
    )


def late(name: str, text: str, *, frames: int, target: str = "executionReport/*") -> FrameFault:
    """An event comes only after so many that followed it."""

    def act(layer: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        layer.keep_back(frame, frames)
        return ()

    return FrameFault(name=name, number="B9", target=target, act=act, text=text)


def malformed(name: str, text: str, *, body: str, target: str, number: str = "B2") -> FrameFault:
    """A frame that nobody expects comes before a good one."""

    def act(_: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        return (msgspec.structs.replace(frame, text=body), frame)

    return FrameFault(name=name, number=number, target=target, act=act, text=text)


def altered(
    name: str, number: str, text: str, *, target: str, change: Callable[[dict[str, Any]], None]
) -> FrameFault:
    """A frame comes with other figures in it. The change is made to the event itself."""

    def act(_: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        try:
            message = json.loads(frame.text)
            change(message.get("event") or message.get("data") or message)
        except (ValueError, KeyError, AttributeError):
            return (frame,)  # another fault has spoilt it already
        return (msgspec.structs.replace(frame, text=json.dumps(message)),)

    return FrameFault(name=name, number=number, target=target, act=act, text=text)


def skipped(name: str, number: str, text: str, *, target: str) -> FrameFault:
    """A frame of market data does not come."""
    return FrameFault(name=name, number=number, target=target, act=lambda *_: (), text=text)


def disconnected() -> FrameFault:
    """The connection is reset in the middle of the data."""

    def act(_: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        return (msgspec.structs.replace(frame, fate=Fate.RESET),)

    text = "a websocket is reset in the middle of its data"
    return FrameFault(name="disconnect", number="B6", target="*", act=act, text=text)


def silent() -> FrameFault:
    """The socket stays open, answers pings, and carries no data any more."""

    def act(layer: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        layer.lost.add((frame.connection, "*"))
        return ()

    text = "a socket stays open and answers pings, and carries no data any more"
    return FrameFault(name="silent-stream", number="B1", target=MARKET, act=act, text=text)


def unserved_user_data() -> FrameFault:
    """User data is subscribed to and does not come any more."""

    def act(layer: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        layer.lost.add((frame.connection, "*"))
        return ()

    text = "the user data of a socket does not come any more; requests on it are answered"
    return FrameFault(name="silent-user-data", number="B7", target=USER, act=act, text=text)


def not_served() -> FrameFault:
    """One stream of a socket is acknowledged and not served; the others are."""

    def act(layer: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        layer.lost.add((frame.connection, frame.topic))
        return ()

    text = "a subscription is acknowledged and not served, while others on its socket are"
    return FrameFault(name="subscription-lost", number="B14", target=MARKET, act=act, text=text)


def half_open() -> FrameFault:
    """The peer is gone without a word: no data, no pongs, no answer to a close."""

    def act(layer: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        socket = layer.exchange.hub.find(frame.connection)
        if socket is not None:
            socket.half_open = True
        return ()

    text = "the peer of a socket is gone without a word: no data, no pongs"
    return FrameFault(name="half-open", number="B1", target="*", act=act, text=text)


def evicted() -> FrameFault:
    """The exchange ends the subscription to user data and says so."""

    def act(layer: ScriptedFaults, frame: Frame) -> Iterable[Frame]:
        layer.lost.add((frame.connection, "*"))
        end = {"e": "eventStreamTerminated", "E": layer.exchange.engine.now()}
        text = json.dumps({"subscriptionId": 0, "event": end})
        return (msgspec.structs.replace(frame, text=text, topic="eventStreamTerminated"),)

    text = "the exchange ends the subscription to user data (eventStreamTerminated)"
    return FrameFault(name="user-data-ended", number="B7", target=USER, act=act, text=text)


def all_disconnected() -> WorldFault:
    """All sockets end at once, as after 24 hours."""

    def act(layer: ScriptedFaults, account: str) -> bool:  # noqa: ARG001
        layer.exchange.hub.abort_all()
        return True

    text = "all websockets end at once, as at the 24 h cut"
    return WorldFault(name="all-disconnected", number="B13", target="POST order", act=act, text=text)
