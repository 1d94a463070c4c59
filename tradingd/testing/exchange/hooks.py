"""Where faults come in: requests before and after they are handled, and each outgoing frame."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

__all__ = ["Call", "Fate", "FaultLayer", "Frame", "NoFaults", "Reply"]


class Fate(Enum):
    """What becomes of a reply or a frame."""

    SEND = "send"
    RESET = "reset"
    """The connection is aborted (RST); nothing is sent."""
    TRUNCATE = "truncate"
    """The headers promise the whole body; half of it is sent, then the connection ends."""
    HANG = "hang"
    """Nothing is sent and the connection stays open until the client gives up or the server stops."""


class Call(msgspec.Struct):
    """One request as it arrived: by REST, or as a message of ws-api. The exchange's wire log keeps these."""

    kind: str
    """"rest", "ws" (a message of ws-api) or "connect" (a websocket's handshake)."""
    method: str
    """The HTTP method; for ws-api the method name ("order.place"), for a handshake "CONNECT"."""
    path: str
    """The path ("/api/v3/order"); for ws-api "/ws-api/v3"."""
    params: dict[str, str]
    at: float
    """Monotonic seconds, taken on receipt."""
    seq: int
    api_key: str = ""
    account: str = ""
    """The account that the key belongs to; "" for no key or a key that nobody has."""
    client_id: str = ""
    """The client order id that the request names: newClientOrderId, else origClientOrderId."""

    @property
    def places_order(self) -> bool:
        """Whether the request asks for a new order (order/test is not one)."""
        return (self.method, self.path.rsplit("/", 1)[-1]) in _PLACES or self.method in _PLACES_WS


_PLACES = frozenset({("POST", "order"), ("POST", "cancelReplace")})
_PLACES_WS = frozenset({"order.place", "order.cancelReplace"})


class Reply(msgspec.Struct):
    """What goes back for a call. `text` is the body as sent; for ws-api the whole frame."""

    status: int
    text: str
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    content_type: str = "application/json"
    fate: Fate = Fate.SEND


class Frame(msgspec.Struct):
    """One outgoing websocket message. RESET aborts its socket, HANG drops it, TRUNCATE sends half its text."""

    channel: str
    """"user" for ws-api, "stream" for market data."""
    text: str
    account: str = ""
    topic: str = ""
    """The event's name ("executionReport"), "reply", or the stream's name ("btcusdt@trade")."""
    fate: Fate = Fate.SEND
    connection: int = 0
    """The number of the socket, counted by the server from 1."""


class FaultLayer(Protocol):
    """What stands between the wire and the exchange, and may spoil what passes. Awaiting in it delays what passes.

    Calls are independent of one another: a delayed call does not hold up others. Outgoing frames of one socket
    are passed one after the other, in order; a delay there delays the frames behind it.
    """

    async def before(self, call: Call) -> Reply | None:
        """Runs before the call is handled. A Reply is sent instead: the exchange never sees the request."""
        ...

    async def after(self, call: Call, reply: Reply) -> Reply:
        """Runs after the call took effect; what it returns is sent."""
        ...

    async def outgoing(self, frame: Frame) -> Sequence[Frame]:
        """Returns the frames to send for this one: none, several, others, spoilt ones."""
        ...


class NoFaults:
    """Lets everything pass."""

    async def before(self, call: Call) -> Reply | None:  # noqa: ARG002 - the protocol's signature
        """Nothing is answered on the exchange's behalf."""
        return None

    async def after(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - the protocol's signature
        """Returns the reply as it is."""
        return reply

    async def outgoing(self, frame: Frame) -> Sequence[Frame]:
        """Returns the frame as it is."""
        return (frame,)
