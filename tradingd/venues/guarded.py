"""ccxt's exchange class with what we cannot do without: a subclass made at run time, ccxt's files untouched.

- `throttle` asks the account's weight budget, in the lane of the call that is under way.
- `fetch` sends to hosts on the allow-list only, and counts the requests that leave.
- `on_rest_response` refuses what is not a JSON object or list: ccxt makes an order without an id of it.
- A frame that raises in a handler ends ccxt's receive loop for good; here it is counted, kept and passed over.
- Failures of futures that nobody awaits are retrieved: asyncio would print each.
- A socket that was given up while it was dialled is closed when it connects.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from urllib.parse import urlsplit

import msgspec

from tradingd.errors import RateLimitedError, VenueUnavailableError
from tradingd.venues.budget import WeightBudget
from tradingd.venues.model import Lane
from tradingd.venues.origins import Origins
from tradingd.venues.untyped import Untyped

__all__ = ["CALL", "Call", "GarbledAnswerError", "Guard", "StreamFault", "guarded_class", "seconds"]

_NO_CONTENT = 204
_BANNED = 418
_TOO_MANY = 429
_KEPT_CHARACTERS = 2_000


class GarbledAnswerError(Exception):
    """An answer that is no JSON object or list: nothing is known."""


class StreamFault(msgspec.Struct, frozen=True):
    """A frame that the venue's handler in ccxt could not take."""

    host: str
    error: str
    """The class of the error."""
    frame: str
    """Its beginning, for whoever mends the handler. Private frames have no keys, but orders and balances."""


class Call:
    """What is noted of one call while it is under way."""

    __slots__ = ("body", "lane", "patience_s", "sent", "status")

    def __init__(self, lane: Lane, patience_s: float | None = None) -> None:
        self.lane = lane
        self.patience_s = patience_s
        """How long it may wait for its turn; None for ever."""
        self.status: int | None = None
        self.body: Untyped = None
        self.sent = 0
        """How many requests were about to leave. Any may act: some venues create orders by a GET."""


CALL: ContextVar[Call | None] = ContextVar("venue_call", default=None)


class Guard:
    """What the methods of a guarded class share with the client that made it."""

    def __init__(
        self,
        *,
        budget: WeightBudget,
        lane: Lane,
        origins: Origins,
        has_counting_nonce: bool = False,
        used_weight_header: str = "",
        used_weight_limit: float = 0.0,
        on_fault: Callable[[StreamFault], None] | None = None,
    ) -> None:
        self.budget = budget
        self.lane = lane
        """The lane of what ccxt sends of its own accord, such as a listen key's renewal."""
        self.origins = origins
        """What may be talked to."""
        self.has_counting_nonce = has_counting_nonce
        self.faults = 0
        self.last_fault: StreamFault | None = None
        self.on_fault = on_fault
        self._header = used_weight_header
        self._limit = used_weight_limit
        self._parsed: tuple[str, Untyped] = ("", None)

    def check(self, url: str) -> None:
        """Refuse to talk to a host that is not on the allow-list."""
        if not self.origins.allows(url):
            parts = urlsplit(url)
            raise VenueUnavailableError(f"{parts.scheme}://{parts.netloc} is not on this venue's allow-list")

    def sending(self, url: str) -> None:
        """Note that a request is about to leave."""
        self.check(url)
        call = CALL.get()
        if call is not None:
            call.status, call.body = None, None
            call.sent += 1

    def answered(self, status: int, headers: Mapping[str, str], body: str) -> str:
        """Note an answer; raise where its body is no JSON object or list."""
        self._heed(status, {name.lower(): value for name, value in headers.items()})
        call = CALL.get()
        if call is not None:
            call.status = status
        text = body.strip()
        if status == _NO_CONTENT and not text:
            return text
        value = _parsed_json(text)
        self._parsed = (text, value)
        if call is not None:
            call.body = value
        if value is None:
            raise GarbledAnswerError
        return text

    def parsed(self, text: str) -> Untyped:
        """The body that `answered` has parsed just now."""
        kept, value = self._parsed
        return value if kept is text else _parsed_json(text)

    def _heed(self, status: int, headers: Mapping[str, str]) -> None:
        if status in {_TOO_MANY, _BANNED}:
            self.budget.stop(seconds(headers.get("retry-after")), is_ban=status == _BANNED)
        told = seconds(headers.get(self._header)) if self._header else None
        if told is not None:
            self.budget.told(told / self._limit)

    def fault(self, url: str, error: Exception, message: Untyped) -> None:
        """Note a frame that a handler could not take."""
        self.faults += 1
        frame = str(getattr(message, "data", ""))[:_KEPT_CHARACTERS]
        self.last_fault = StreamFault(urlsplit(url).netloc, type(error).__name__, frame)
        if self.on_fault is not None:
            self.on_fault(self.last_fault)


def seconds(text: str | None) -> float | None:
    """A number of seconds in a header; None where it is none."""
    try:
        value = None if text is None else float(text)
    except ValueError:
        return None
    return value if value is None or 0 <= value < 1e6 else None  # noqa: PLR2004 - NaN and nonsense


def _parsed_json(text: str) -> Untyped:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


@cache
def guarded_class(base: Untyped) -> Untyped:
    """A subclass of ccxt's class `base`; an instance is given its `guard` in ccxt's config."""
    namespace = {
        "throttle": _throttle,
        "fetch": _fetch_of(base),
        "on_rest_response": _on_rest_response,
        "parse_json": _parse_json,
        "client": _client_of(base),
        "on_connected": _on_connected_of(base),
        "nonce": _nonce_of(base),
    }
    return type(base.__name__, (base,), namespace)


async def _throttle(self: Untyped, cost: float | None = None) -> None:
    call = CALL.get()
    lane = self.guard.lane if call is None else call.lane
    patience_s = None if call is None else call.patience_s
    try:
        async with asyncio.timeout(patience_s):
            await self.guard.budget.turn(lane, 1.0 if cost is None else float(cost))
    except TimeoutError:
        raise RateLimitedError(f"its turn did not come within {patience_s:g} s") from None


def _fetch_of(base: Untyped) -> Untyped:
    async def fetch(
        self: Untyped, url: str, method: str = "GET", headers: Untyped = None, body: Untyped = None
    ) -> Untyped:
        self.guard.sending(url)
        return await base.fetch(self, url, method, headers, body)

    return fetch


def _on_rest_response(self: Untyped, code: int, reason: str, url: str, method: str, *rest: Untyped) -> str:  # noqa: ARG001
    headers, body = rest[0], rest[1]
    text: str = self.guard.answered(code, headers, body)
    return text


def _parse_json(self: Untyped, http_response: str) -> Untyped:
    return self.guard.parsed(http_response)


def _client_of(base: Untyped) -> Untyped:
    def client(self: Untyped, url: str) -> Untyped:
        known = self.clients.get(url) if self.clients else None
        self.guard.check(url)
        made = base.client(self, url)
        if made is not known:
            made.handle_message = _tolerant(made, self.guard)
            made.reject = _retrieving(made)
        return made

    return client


def _tolerant(client: Untyped, guard: Guard) -> Callable[[Untyped], None]:
    handle = client.handle_message

    def handle_message(message: Untyped) -> None:
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001 - whatever ccxt's handler raises would end its receive loop
            guard.fault(client.url, error, message)

    return handle_message


def _retrieving(client: Untyped) -> Callable[..., Untyped]:
    """`reject` that leaves no failure unseen: of many futures of a socket most are awaited by nobody."""
    reject = client.reject

    def retrieving(result: Untyped, message_hash: str | None = None) -> Untyped:
        future = client.futures.get(message_hash)
        reject(result, message_hash)  # without a hash it rejects each by its own, through here
        if future is not None and future.done() and not future.cancelled():
            future.exception()
        return result

    return retrieving


def _on_connected_of(base: Untyped) -> Untyped:
    def on_connected(self: Untyped, client: Untyped, message: Untyped = None) -> None:
        if self.clients.get(client.url) is client:
            base.on_connected(self, client, message)
        else:
            client.error = client.error or ConnectionError("given up before it connected")
            self.guard.closing = asyncio.ensure_future(client.aiohttp_close())

    return on_connected


def _nonce_of(base: Untyped) -> Untyped:
    def nonce(self: Untyped) -> int:
        value = int(base.nonce(self))
        return self.guard.budget.next_nonce(value) if self.guard.has_counting_nonce else value

    return nonce
