"""Scripted faults: what goes wrong between the exchange and whoever talks to it, and when.

A `Fault` is one named thing that goes wrong, with its number in the catalogue of faults. A `Rule` says at which
matching occurrence it strikes and how often; a `FaultScript` is a list of rules. `ScriptedFaults` injects them at
the exchange's three hooks (a request arrives, its answer leaves, a frame leaves) and counts what struck, so that a
report can say that a fault was met, not only that it was asked for.

`calm()` ends all of it: nothing new goes wrong. What a fault has broken stays broken, such as a half-open socket
or a subscription that was lost: noticing that is the client's work.
"""

import asyncio
import fnmatch
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.model import Call, Frame, Reply
from tradingd.testing.exchange.sockets import SocketHub

__all__ = [
    "Exchange",
    "Fault",
    "FaultScript",
    "FrameFault",
    "Held",
    "Hit",
    "RequestFault",
    "Rule",
    "ScriptedFaults",
    "Window",
    "WorldFault",
    "label_of_call",
    "label_of_frame",
]


class Exchange(Protocol):
    """What faults need of the exchange that they are bound to: `LoopbackExchange` has it."""

    engine: Engine
    hub: SocketHub
    skew_ms: int

    def revoke_keys(self, account: str) -> bool:
        """Takes the API keys of an account out of force; tells whether there were any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    number: str
    """Its number in the catalogue of faults, such as A1."""
    text: str
    """What happens, in a sentence."""
    target: str
    """What it hits unless a rule says otherwise: a pattern, see `Rule`."""


Before = Callable[["ScriptedFaults", Call], Awaitable[Reply | None]]
After = Callable[["ScriptedFaults", Call, Reply], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault(Fault):
    """Something that goes wrong with a request: `before` it is handled, or with its answer, `after`."""

    before: Before | None = None
    after: After | None = None
    note: Callable[["ScriptedFaults", Call, Reply], None] | None = None
    """Sees the answers of all matching requests, those that it does not strike too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFault(Fault):
    """Something that goes wrong with a frame on a websocket: what is sent in its stead."""

    act: Callable[["ScriptedFaults", Frame], Iterable[Frame]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFault(Fault):
    """Something that happens at the exchange; a matching request is only the moment at which it does.

    It acts after that request was handled. Where there was nothing to do it to, it strikes at the next one.
    """

    act: Callable[["ScriptedFaults", str], bool]
    """Given the layer and the account that made the request; tells whether there was anything to do it to."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a fault strikes.

    What it matches has a label: `POST order`, `GET openOrders` for REST, `WS order.place` for ws-api,
    `CONNECT user` and `CONNECT stream` for handshakes; `executionReport/TRADE`, `outboundAccountPosition`, `reply`
    for frames of user data; the stream's name for market data, `btcusdt@trade`. Patterns are those of `fnmatch`;
    several are separated by `|`.
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

    def matches(self, label: str) -> bool:
        """Whether it is about what has this label."""
        return any(fnmatch.fnmatchcase(label, one) for one in self.pattern.split("|"))

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
    """A fault that struck, what it struck, and when by the monotonic clock, seconds."""

    fault: Fault
    label: str
    at: float


@dataclass(slots=True)
class Window:
    """A time in which every request gets the same bad answer. `until` is in monotonic seconds."""

    until: float
    answer: Callable[[Call], Reply]


@dataclass(slots=True)
class Held:
    """A frame that is kept back until so many more have gone out on its connection."""

    frame: Frame
    frames: int


@dataclass(slots=True)
class _Armed:
    rule: Rule
    seen: int = 0
    owed: int = 0
    """Strikes that found nothing to do and wait for the next occurrence."""


@dataclass(slots=True)
class ScriptedFaults:
    """Injects a script's faults, counts them, and can be told to stop. It is the exchange's fault layer."""

    script: FaultScript = FaultScript()
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    calmed: bool = False
    hits: Counter[str] = field(default_factory=Counter)
    """How often each fault struck, by name."""
    log: list[Hit] = field(default_factory=list)
    window: Window | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    """What single faults remember, by keys of their own."""
    lost: set[tuple[int, str]] = field(default_factory=set)
    """Subscriptions that are not served any more: (connection, label); label "*" is all data of that socket."""
    held: dict[int, list["Held"]] = field(default_factory=dict)
    """Frames that are kept back, by connection."""
    _exchange: Exchange | None = None
    _armed: list[_Armed] = field(default_factory=list)
    _by_label: dict[str, list[_Armed]] = field(default_factory=dict)
    _under_way: dict[int, list[_Armed]] = field(default_factory=dict)
    _at_calm: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._armed = [_Armed(rule) for rule in self.script.rules]

    def bind(self, exchange: Exchange) -> None:
        """Tell the faults which exchange they may change."""
        self._exchange = exchange

    @property
    def exchange(self) -> Exchange:
        """The exchange; RuntimeError if the faults are not bound to one."""
        if self._exchange is None:
            raise RuntimeError("these faults are bound to no exchange: call bind(exchange) first")
        return self._exchange

    def add(self, *rules: Rule) -> None:
        """Arm further rules; occurrences are counted from now on."""
        self._armed.extend(_Armed(rule) for rule in rules)
        self._by_label.clear()

    def inject(self, fault: WorldFault, account: str) -> bool:
        """Let something happen at the exchange now. Returns whether there was something to do it to."""
        done = fault.act(self, account)
        if done:
            self._count(fault, "now")
        return done

    def calm(self) -> None:
        """End all faults: nothing strikes any more, windows close, the clock is right, markets trade."""
        self.calmed = True
        self.window = None
        for undo in self._at_calm:
            undo()
        self._at_calm.clear()

    def at_calm(self, undo: Callable[[], None]) -> None:
        """Have something put right when all faults end."""
        self._at_calm.append(undo)

    def report(self) -> dict[str, int]:
        """How often each fault of the script struck, those that never did included."""
        return {one.rule.fault.name: self.hits[one.rule.fault.name] for one in self._armed}

    # -- the exchange's hooks
    async def before(self, call: Call) -> Reply | None:
        """A request has arrived and is not handled yet."""
        if self.calmed:
            return None
        if self.window is not None and call.kind != "ws":  # what is asked on an open socket is answered
            if self.monotonic() < self.window.until:
                return self.window.answer(call)
            self.window = None
        label = label_of_call(call)
        struck = self._struck(label, (RequestFault, WorldFault))
        if struck:
            self._under_way[call.seq] = struck
        for one in struck:
            fault = one.rule.fault
            if not isinstance(fault, RequestFault):
                continue
            self._count(fault, label)
            reply = await fault.before(self, call) if fault.before is not None else None
            if reply is not None:
                self._under_way.pop(call.seq, None)
                return reply
        return None

    async def after(self, call: Call, reply: Reply) -> Reply:
        """A request has been handled and its answer is about to leave."""
        under_way = self._under_way.pop(call.seq, ())
        if self.calmed:
            return reply
        label = label_of_call(call)
        self._take_notes(label, call, reply)
        for one in under_way:
            fault = one.rule.fault
            if isinstance(fault, WorldFault):
                self._befall(one, fault, call.account, label)
            elif isinstance(fault, RequestFault) and fault.after is not None:
                reply = await fault.after(self, call, reply)
        return reply

    async def outgoing(self, frame: Frame) -> Sequence[Frame]:
        """A frame is about to leave on a websocket."""
        label = label_of_frame(frame)
        if self._is_lost(frame, label):
            return ()
        due = self._due(frame.connection) if label != "reply" else []
        if self.calmed:
            return (frame, *due)
        sent: list[Frame] = [frame]
        for one in self._struck(label, (FrameFault,)):
            fault = one.rule.fault
            if isinstance(fault, FrameFault):
                self._count(fault, label)
                sent = [out for each in sent for out in fault.act(self, each)]
        return [*sent, *due]

    def keep_back(self, frame: Frame, frames: int) -> None:
        """Send a frame only after so many more frames of data on its connection."""
        self.held.setdefault(frame.connection, []).append(Held(frame, frames))

    def _due(self, connection: int) -> list[Frame]:
        held = self.held.get(connection)
        if not held:
            return []
        for one in held:
            one.frames -= 1
        due = [one.frame for one in held if one.frames <= 0 or self.calmed]
        self.held[connection] = [one for one in held if one.frames > 0 and not self.calmed]
        return due

    def _is_lost(self, frame: Frame, label: str) -> bool:
        if not self.lost or label == "reply":
            return False
        return (frame.connection, "*") in self.lost or (frame.connection, label) in self.lost

    def _befall(self, one: _Armed, fault: WorldFault, account: str, label: str) -> None:
        if fault.act(self, account):
            self._count(fault, label)
        else:
            one.owed += 1

    def _take_notes(self, label: str, call: Call, reply: Reply) -> None:
        for one in self._about(label):
            fault = one.rule.fault
            if isinstance(fault, RequestFault) and fault.note is not None:
                fault.note(self, call, reply)

    def _struck(self, label: str, kinds: tuple[type[Fault], ...]) -> list[_Armed]:
        found: list[_Armed] = []
        for one in self._about(label):
            if not isinstance(one.rule.fault, kinds):
                continue
            one.seen += 1
            if one.rule.strikes(one.seen):
                found.append(one)
            elif one.owed:
                one.owed -= 1
                found.append(one)
        return found

    def _about(self, label: str) -> list[_Armed]:
        """The rules that match a label. Labels are few and frames are many, so what was found is kept."""
        found = self._by_label.get(label)
        if found is None:
            found = self._by_label[label] = [one for one in self._armed if one.rule.matches(label)]
        return found

    def _count(self, fault: Fault, label: str) -> None:
        self.hits[fault.name] += 1
        self.log.append(Hit(fault, label, self.monotonic()))


def label_of_call(call: Call) -> str:
    """What a request is called in rules: `POST order`, `GET ticker/24hr`, `WS order.place`, `CONNECT user`."""
    if call.kind == "connect":
        return "CONNECT user" if "ws-api" in call.path else "CONNECT stream"
    if call.kind == "ws":
        return f"WS {call.method}"
    _, _, rest = call.path.partition("/v3/")
    return f"{call.method} {rest or call.path.lstrip('/')}"


def label_of_frame(frame: Frame) -> str:
    """What a frame is called in rules: the stream's name; for user data the event's, with its execution type."""
    if frame.channel != "user":
        return frame.topic or "reply"
    try:
        event = json.loads(frame.text).get("event")
    except (ValueError, AttributeError):
        return frame.topic or "reply"
    if not isinstance(event, dict):
        return "reply"
    kind = event.get("x")
    return f"{event.get('e')}/{kind}" if kind else str(event.get("e"))
