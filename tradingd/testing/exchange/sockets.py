"""The exchange's websockets: what is open, what is sent to each, and where faults listen in.

A `Socket` keeps the order in which it was told to send: `send` only enqueues, one writer task per socket writes.
Pings are answered here and not by aiohttp, since a half-open socket is one whose pings go unanswered.
"""

import asyncio
import contextlib
import socket as sockets
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import WSMsgType, web

__all__ = ["Message", "Socket", "SocketHub", "Tap", "abort", "encode"]

Message = Mapping[str, Any]

MARKET = "market"
USER = "user"

_BACKLOG = 200_000  # messages; a reader that is further behind is cut off, as exchanges do

_encode = msgspec.json.Encoder().encode


def encode(message: Message | Sequence[Message]) -> str:
    """A message as it goes on the wire."""
    return _encode(message).decode()


class Tap(Protocol):
    """Faults on websockets: sees what is about to be sent and may change it."""

    def outgoing(self, socket: "Socket", message: Message) -> Iterable[Message | str]:
        """What to send instead of the message: nothing, itself, several; text goes out as it is."""

    def subscribing(self, socket: "Socket", stream: str) -> bool:
        """Whether a stream that was acknowledged is served, too."""


class Socket:
    """One client's websocket."""

    def __init__(
        self, hub: "SocketHub", ws: web.WebSocketResponse, kind: str, transport: asyncio.Transport | None
    ) -> None:
        self.kind = kind
        """`market` or `user`."""
        self.account = ""
        """Whose user data goes here; set by who logs it in."""
        self.silent = False
        """Open, answers pings, and carries no data any more."""
        self.half_open = False
        """Open for the client only: the peer is gone and answers nothing."""
        self.sent = 0
        self._hub = hub
        self._ws = ws
        self._transport = transport
        self._outbox: deque[str] = deque()
        self._filled = asyncio.Event()

    def send(self, message: Message) -> None:
        """Send a message after those before it, or what the faults make of it."""
        tap = self._hub.tap
        if tap is None:
            self.send_text(encode(message))
            return
        for item in tap.outgoing(self, message):
            self.send_text(item if isinstance(item, str) else encode(item))

    def send_text(self, text: str) -> None:
        """Send a text past the faults' eyes. A silent socket takes it and carries nothing."""
        if self.silent or self.half_open:
            return
        if len(self._outbox) >= _BACKLOG:
            self.abort()
            return
        self._outbox.append(text)
        self._filled.set()

    def abort(self) -> None:
        """Cut the connection with a TCP reset: no close frame, what was not sent is lost."""
        self._outbox.clear()
        abort(self._transport)

    async def close(self, code: int = 1001) -> None:
        """Close it politely, after what was to be sent."""
        while self._outbox and not self._ws.closed:
            await self._write_next()
        await self._ws.close(code=code)

    async def serve(self, on_text: Callable[[str], None]) -> None:
        """Give each text that comes in to the handler, until the client is gone. Returns; does not raise."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read(on_text)
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writer
            self._hub.forget(self)

    async def _read(self, on_text: Callable[[str], None]) -> None:
        while True:
            message = await self._ws.receive()
            if message.type in (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                return
            if self.half_open:
                continue
            if message.type is WSMsgType.CLOSE:
                await self._ws.close()
                return
            if message.type is WSMsgType.PING:
                with contextlib.suppress(ConnectionError):
                    await self._ws.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                on_text(message.data)

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._outbox:
                await self._write_next()

    async def _write_next(self) -> None:
        text = self._outbox.popleft()
        self.sent += 1
        await self._ws.send_str(text)


class SocketHub:
    """All open websockets of an exchange."""

    def __init__(self) -> None:
        self.open: list[Socket] = []
        self.tap: Tap | None = None
        """Set by the fault layer. None costs nothing."""
        self.accepted = 0
        """How many were ever opened."""
        self.on_closed: list[Callable[[Socket], None]] = []
        """Told of each socket that is gone."""

    async def accept(self, request: web.Request, kind: str) -> tuple[Socket, web.WebSocketResponse]:
        """Answer the handshake; the caller then runs `serve` and returns the response."""
        ws = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, timeout=0.5, max_msg_size=1 << 20
        )
        await ws.prepare(request)
        socket = Socket(self, ws, kind, request.transport)
        self.open.append(socket)
        self.accepted += 1
        return socket, ws

    def of(self, kind: str, account: str = "") -> list[Socket]:
        """The open sockets of a kind, of one account if it is told."""
        return [one for one in self.open if one.kind == kind and account in {"", one.account}]

    def forget(self, socket: Socket) -> None:
        """Take a socket that is gone off the list."""
        if socket in self.open:
            self.open.remove(socket)
            for told in self.on_closed:
                told(socket)

    def abort_all(self) -> None:
        """Cut every connection at once, with resets."""
        for socket in list(self.open):
            socket.abort()

    async def close(self) -> None:
        """Close all politely, at the end."""
        for socket in list(self.open):
            if socket.half_open:
                socket.abort()
            else:
                await socket.close()


def abort(transport: asyncio.Transport | None) -> None:
    """Close a connection so that the peer sees a reset (SO_LINGER 0), not an orderly end."""
    if transport is None or transport.is_closing():
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
