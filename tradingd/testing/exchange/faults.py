"""The fault layer: between the exchange and whoever talks to it.

It hooks in at three places and needs nothing of the engine there: a middleware around every REST handler (and every
websocket handshake), a tap on what websockets send, and one on what they subscribe to. A `Fault` is one named thing
that goes wrong; a `Rule` says at which matching occurrence, how often; a `FaultScript` is a list of rules. What was
injected is counted per fault, so a report can say that a fault was met and not only asked for.

`calm()` ends all of it: nothing new goes wrong, what was held back is let go. What a fault has broken stays broken
(a half-open socket, a subscription that was lost): noticing that is the client's work.
"""

import asyncio
import fnmatch
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler

from tradingd.testing.exchange.sockets import Message, Socket, SocketHub

__all__ = [
    "Call",
    "Fault",
    "FaultLayer",
    "FaultScript",
    "Hit",
    "MessageFault",
    "RequestFault",
    "Rule",
    "SubscriptionFault",
    "Window",
    "World",
    "WorldFault",
]


class World(Protocol):
    """What faults may do to the exchange itself; `tradingd.testing.exchange.world` has it for the engine."""

    def now_ms(self) -> int:
        """The exchange's clock, milliseconds UTC."""

    def skew(self, milliseconds: int) -> None:
        """Set the exchange's clock off by this much; 0 puts it right."""

    def change_filters(self) -> None:
        """Make tick and lot of every market ten times as large."""

    def pause_market(self, *, trading: bool) -> None:
        """Take one market out of trading (status BREAK), or all back into it."""

    def manual_order(self) -> None:
        """The owner of the account trades by hand: a small market order with an id that is not ours."""

    def manual_cancel(self) -> None:
        """The owner cancels the oldest working order by hand."""

    def expire_order(self) -> None:
        """The exchange itself ends the oldest working order."""

    def transfer(self, asset: str, share: float) -> None:
        """Deposit (share > 0) or withdraw (< 0) a share of what is free of an asset; "" means the first quote."""

    def fee_coin_runs_out(self) -> None:
        """The third coin in which fees are taken at a discount is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    number: str
    """Its number in the catalogue of faults, such as A1."""
    text: str
    """What happens, in a sentence."""
    target: str
    """What it hits unless a rule says otherwise: a pattern over labels, see `Rule`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault(Fault):
    """Something that goes wrong with a REST request or its answer."""

    act: Callable[["FaultLayer", "Call"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFault(Fault):
    """Something that goes wrong with a message on a websocket: what is sent in its stead."""

    act: Callable[["FaultLayer", Socket, Message], Iterable[Message | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFault(Fault):
    """A stream that is acknowledged and never served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFault(Fault):
    """Something that happens at the exchange; a matching request is only the moment at which it does."""

    act: Callable[["FaultLayer"], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a fault strikes.

    Labels are `POST order`, `GET openOrders`, `CONNECT user` for requests; `executionReport/TRADE`,
    `outboundAccountPosition`, `depthUpdate/BTCUSDT`, `bookTicker/BTCUSDT`, `kline/BTCUSDT` for messages; the
    stream's name, `btcusdt@trade`, for subscriptions. Patterns are those of `fnmatch`.
    """

    fault: Fault
    target: str = ""
    """A pattern; empty means the fault's own."""
    nth: int = 1
    """The first matching occurrence that it strikes, counted from 1."""
    times: int = 1
    """How many it strikes in a row; 0 means all until `calm()`."""

    @property
    def pattern(self) -> str:
        """What it matches."""
        return self.target or self.fault.target

    def strikes(self, occurrence: int) -> bool:
        """Whether it strikes the n-th matching occurrence."""
        return occurrence >= self.nth and (self.times == 0 or occurrence < self.nth + self.times)

    def describe(self) -> str:
        """The rule in a line."""
        span = "until calm" if self.times == 0 else f"x{self.times}"
        return f"{self.fault.number} {self.fault.name} at {self.pattern!r} no. {self.nth} {span}"


@dataclass(frozen=True, slots=True)
class FaultScript:
    """What goes wrong in a run."""

    rules: tuple[Rule, ...] = ()
    options: str = ""
    """How to get the same script again, where it was drawn at random."""

    def describe(self) -> str:
        """The script for a report: its options, then a line per rule."""
        head = [self.options] if self.options else []
        return "\n".join([*head, *(rule.describe() for rule in self.rules)])


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that struck."""

    fault: Fault
    label: str
    at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which every request gets the same bad answer."""

    until: float
    """Monotonic seconds."""
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Call:
    """One request on its way to the exchange."""

    request: web.Request
    label: str
    params: Mapping[str, str]
    """Query and form fields together."""
    proceed: Callable[[], Awaitable[web.StreamResponse]]
    """Lets the exchange handle it (or the next fault of the same request)."""

    async def body(self) -> bytes:
        """What the exchange answers."""
        return body_of(await self.proceed())


@dataclass(slots=True)
class _Armed:
    rule: Rule
    seen: int = 0


@dataclass(slots=True)
class FaultLayer:
    """Injects a script's faults, counts them, and can be told to stop."""

    script: FaultScript = FaultScript()
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    hub: SocketHub | None = None
    world: World | None = None
    calmed: bool = False
    hits: Counter[str] = field(default_factory=Counter)
    """How often each fault struck, by name."""
    log: list[Hit] = field(default_factory=list)
    window: Window | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    """What single faults remember, by their names."""
    _armed: list[_Armed] = field(default_factory=list)
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _on_calm: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._armed = [_Armed(rule) for rule in self.script.rules]

    def bind(self, hub: SocketHub, world: World | None) -> None:
        """Hook into an exchange's sockets, and tell what may be done to its world."""
        self.hub, self.world = hub, world
        hub.tap = self

    def add(self, *rules: Rule) -> None:
        """Arm further rules; their occurrences are counted from now on."""
        self._armed.extend(_Armed(rule) for rule in rules)

    def inject(self, fault: WorldFault) -> None:
        """Let something happen at the exchange now, without a script."""
        self._count(fault, "now")
        fault.act(self)

    def calm(self) -> None:
        """End all faults: nothing strikes any more, what is held is let go, the clock is right, markets trade."""
        self.calmed = True
        self.window = None
        self._released.set()
        for undo in self._on_calm:
            undo()
        self._on_calm.clear()
        if self.world is not None:
            self.world.skew(0)
            self.world.pause_market(trading=True)

    def at_calm(self, undo: Callable[[], None]) -> None:
        """Have something done when all faults end."""
        self._on_calm.append(undo)

    def report(self) -> dict[str, int]:
        """How often each fault of the script struck, those that never did included."""
        return {one.rule.fault.name: self.hits[one.rule.fault.name] for one in self._armed}

    async def hold(self, seconds: float) -> None:
        """Keep a request waiting, until the time is over or all is calm."""
        waiter = asyncio.ensure_future(self._released.wait())
        timer = asyncio.ensure_future(self.sleep(seconds))
        _, pending = await asyncio.wait((waiter, timer), return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()

    @property
    def socket_hub(self) -> SocketHub:
        """The exchange's sockets; RuntimeError if the layer is not bound to one."""
        if self.hub is None:
            raise RuntimeError("the fault layer is bound to no exchange: call bind() first")
        return self.hub

    @property
    def exchange_world(self) -> World:
        """The exchange's world; RuntimeError if the layer is not bound to one."""
        if self.world is None:
            raise RuntimeError("the fault layer has no world to act on: give bind() one")
        return self.world

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Stand around every handler of the exchange."""
        if self.calmed:
            return await handler(request)
        label = label_of(request)
        if self.window is not None:
            if self.monotonic() < self.window.until:
                return await self.window.answer(request)
            self.window = None
        struck = self._struck(label, (RequestFault, WorldFault))
        if not struck:
            return await handler(request)
        params = await _params(request)

        async def to_exchange() -> web.StreamResponse:
            return await handler(request)

        proceed: Callable[[], Awaitable[web.StreamResponse]] = to_exchange
        for fault in reversed(struck):
            proceed = self._around(fault, Call(request, label, params, proceed))
        return await proceed()

    def outgoing(self, socket: Socket, message: Message) -> Iterable[Message | str]:
        """What goes out instead of a message (the hub's tap)."""
        if self.calmed:
            return (message,)
        sent: Iterable[Message | str] = (message,)
        for fault in self._struck(label_of_message(message), (MessageFault,)):
            if isinstance(fault, MessageFault):
                sent = [out for one in sent for out in self._changed(fault, socket, one)]
        return sent

    def subscribing(self, socket: Socket, stream: str) -> bool:  # noqa: ARG002 - the tap's signature
        """Whether an acknowledged stream is served (the hub's tap)."""
        return self.calmed or not self._struck(stream, (SubscriptionFault,))

    def _changed(self, fault: MessageFault, socket: Socket, one: Message | str) -> Iterable[Message | str]:
        return (one,) if isinstance(one, str) else fault.act(self, socket, one)

    def _around(self, fault: Fault, call: Call) -> Callable[[], Awaitable[web.StreamResponse]]:
        async def run() -> web.StreamResponse:
            if isinstance(fault, RequestFault):
                return await fault.act(self, call)
            if isinstance(fault, WorldFault):
                fault.act(self)
            return await call.proceed()

        return run

    def _struck(self, label: str, kinds: tuple[type[Fault], ...]) -> list[Fault]:
        found: list[Fault] = []
        for one in self._armed:
            rule = one.rule
            if isinstance(rule.fault, kinds) and fnmatch.fnmatchcase(label, rule.pattern):
                one.seen += 1
                if rule.strikes(one.seen):
                    self._count(rule.fault, label)
                    found.append(rule.fault)
        return found

    def _count(self, fault: Fault, label: str) -> None:
        self.hits[fault.name] += 1
        self.log.append(Hit(fault, label, self.monotonic()))


def label_of(request: web.Request) -> str:
    """What a request is called in rules: `POST order`, `GET ticker/24hr`, `CONNECT market`, `CONNECT user`."""
    path = request.path
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return "CONNECT user" if "ws-api" in path else "CONNECT market"
    _, _, rest = path.partition("/v3/")
    return f"{request.method} {rest or path.lstrip('/')}"


def label_of_message(message: Message) -> str:
    """What a message is called in rules: its event's name, then its execution type or its symbol."""
    event = message.get("event")
    if isinstance(event, Mapping):
        kind = event.get("x")
        return f"{event.get('e')}/{kind}" if kind else str(event.get("e"))
    data = message.get("data", message)
    if not isinstance(data, Mapping):
        return "reply"
    if "e" in data:
        return f"{data['e']}/{data.get('s', '')}"
    if "s" in data and "B" in data:
        return f"bookTicker/{data['s']}"
    return "reply" if "id" in message else "snapshot"


async def _params(request: web.Request) -> dict[str, str]:
    params = dict(request.query)
    if request.can_read_body:
        params.update(parse_qsl(await request.text()))
    return params


def body_of(response: web.StreamResponse) -> bytes:
    """The body of an answer that was made whole; b"" for one that streams."""
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""
