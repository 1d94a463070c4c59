"""The exchange's websockets: what is open, and what is sent to each, past the faults' eyes.

A `Socket` keeps the order in which it was told to send: `send` only enqueues, one writer task per socket writes,
and the writer lets the fault layer see each frame. Pings are answered here and not by aiohttp, since a half-open
socket is one whose pings go unanswered.
"""

import asyncio
import contextlib
import itertools
import socket as sockets
import struct
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from tradingd.testing.exchange.model import Fate, FaultLayer, Frame, NoFaults

__all__ = ["Socket", "SocketHub", "abort"]

_BACKLOG = 200_000  # messages; a reader that is further behind is cut off, as exchanges do


class Socket:
    """One client's websocket. `channel` is "user" or "stream", `connection` its number at this exchange."""

    def __init__(
        self, hub: "SocketHub", ws: web.WebSocketResponse, channel: str, transport: asyncio.Transport | None
    ) -> None:
        self.channel = channel
        self.connection = next(hub.numbers)
        self.account = ""
        """Whose user data goes here; set by who logs it in."""
        self.half_open = False
        """Open for the client only: the peer is gone, nothing is answered, pings neither."""
        self.sent = 0
        self._hub = hub
        self._ws = ws
        self._transport = transport
        self._outbox: deque[tuple[str, str]] = deque()
        self._filled = asyncio.Event()

    def send(self, text: str, topic: str) -> None:
        """Send a text after those before it. `topic` tells faults what it is: the event's or the stream's name."""
        if len(self._outbox) >= _BACKLOG:
            self.abort()
            return
        self._outbox.append((text, topic))
        self._filled.set()

    def abort(self) -> None:
        """Cut the connection with a TCP reset: no close frame, what was not sent is lost."""
        self._outbox.clear()
        abort(self._transport)

    async def close(self, code: int = 1001) -> None:
        """Close it politely. What was not sent is lost."""
        self._outbox.clear()
        if self.half_open:
            self.abort()
        else:
            await self._ws.close(code=code)

    async def serve(self, on_text: Callable[[str], None]) -> None:
        """Give each text that comes in to the handler, until the client is gone."""
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
                await self._write_next(*self._outbox.popleft())

    async def _write_next(self, text: str, topic: str) -> None:
        faults = self._hub.faults()
        if type(faults) is NoFaults and not self.half_open:  # the way of a benchmark: thousands a second
            await self._put(text)
            return
        frame = Frame(self.channel, text, self.account, topic, connection=self.connection)
        for out in await faults.outgoing(frame):
            if self.half_open or out.fate is Fate.HANG:
                continue
            if out.fate is Fate.RESET:
                self.abort()
                return
            await self._put(out.text[: len(out.text) // 2] if out.fate is Fate.TRUNCATE else out.text)

    async def _put(self, text: str) -> None:
        self.sent += 1
        # lone surrogates stand for bytes that are no UTF-8: a fault may send those
        await self._ws.send_frame(text.encode("utf-8", "surrogateescape"), WSMsgType.TEXT)


class SocketHub:
    """All open websockets of an exchange. `faults` returns the fault layer that is in force."""

    def __init__(self, faults: Callable[[], FaultLayer]) -> None:
        self.faults = faults
        self.open: list[Socket] = []
        self.accepted = 0
        """How many were ever opened."""
        self.on_closed: list[Callable[[Socket], None]] = []
        """Told of each socket that is gone."""
        self.numbers = itertools.count(1)

    async def accept(self, request: web.Request, channel: str) -> tuple[Socket, web.WebSocketResponse]:
        """Answer the handshake; the caller then awaits `serve` and returns the response."""
        ws = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, timeout=0.5, max_msg_size=1 << 20
        )
        await ws.prepare(request)
        socket = Socket(self, ws, channel, request.transport)
        self.open.append(socket)
        self.accepted += 1
        return socket, ws

    def find(self, connection: int) -> Socket | None:
        """The open socket of that number."""
        return next((one for one in self.open if one.connection == connection), None)

    def of(self, channel: str | None = None, account: str = "") -> list[Socket]:
        """The open sockets of a channel (None: of all), of one account if it is told."""
        return [one for one in self.open if channel in {None, one.channel} and account in {"", one.account}]

    def forget(self, socket: Socket) -> None:
        """Take a socket that is gone off the list."""
        if socket in self.open:
            self.open.remove(socket)
            for told in self.on_closed:
                told(socket)

    def abort_all(self, channel: str | None = None) -> None:
        """Cut every connection of a channel at once, with resets."""
        for socket in self.of(channel):
            socket.abort()

    async def close(self) -> None:
        """Close all politely, at the end."""
        for socket in list(self.open):
            await socket.close()


def abort(transport: asyncio.Transport | None) -> None:
    """Close a connection so that the peer sees a reset (SO_LINGER 0), not an orderly end."""
    if transport is None or transport.is_closing():
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
