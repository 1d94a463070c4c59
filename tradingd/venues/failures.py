"""Errors of ours for what ccxt raises: the class says what is known, the text has no address, key or signature."""

from collections.abc import Callable, Mapping

import msgspec

from tradingd.errors import (
    DuplicateOrderError,
    RateLimitedError,
    TradingdError,
    VenueAuthError,
    VenueRefusedError,
    VenueUnavailableError,
)
from tradingd.venues.guarded import Call, seconds
from tradingd.venues.outcome import NOT_SENT, UNKNOWN_ORDER, Answer, Codes, Verdict, judge, venue_text
from tradingd.venues.untyped import Untyped

__all__ = ["BrokenStreamError", "Judge", "with_listed"]

_ACTIONS = ("create", "cancel", "edit")
_LOCAL = frozenset({"ArgumentsRequired", "BadRequest", "BadSymbol", "InvalidOrder", "NotSupported"})
"""What ccxt raises of its own accord before it asks the venue."""
_EXPECTED = frozenset({"BaseError", "TimeoutError", "ClientError", "OSError"})
"""What a stream may end with; all else is a handler that broke."""
_NOT_MADE = frozenset(
    {"ClientConnectorError", "ClientConnectorDNSError", "ClientConnectorCertificateError", "gaierror"}
)
"""What aiohttp raises where no connection was made."""
_LIMITS = frozenset({418, 429})
_WORDS = 160


class BrokenStreamError(VenueUnavailableError):
    """A handler of ccxt's raised what it never should."""


class Judge(msgspec.Struct, frozen=True):
    """Makes the errors of one connection."""

    name: str
    """The account's."""
    codes: Codes
    banned_for: Callable[[], float]
    secrets: tuple[str, ...]
    """What no text may have in it."""

    def __repr__(self) -> str:
        return f"Judge({self.name})"

    def own(self, method: str, call: Call, error: TradingdError) -> TradingdError:
        """For an error of the budget or the allow-list; before an order has left, that it has not is known."""
        text = f"{self.name}: {method}: {error}"
        if method.startswith(_ACTIONS) and not call.sent:
            return VenueRefusedError(f"{text}; it was not sent", NOT_SENT)
        if isinstance(error, RateLimitedError):
            return RateLimitedError(text, error.retry_after_s)
        return VenueUnavailableError(text) if isinstance(error, VenueUnavailableError) else error

    def judged(self, method: str, call: Call, error: Exception) -> TradingdError:
        """For whatever ccxt raised."""
        kinds = frozenset(kind.__name__ for kind in type(error).__mro__)
        if not call.sent and kinds & _LOCAL:
            return VenueRefusedError(f"{self._told(method, call, error)}; it was not sent", NOT_SENT)
        if method.startswith("watch"):
            return self._stream_failure(self._told(method, call, error), kinds, error)
        # A connection that was never made proves it only for a first request: some calls of ccxt's are several.
        left = call.sent > 1 or (call.sent == 1 and _was_connected(error))
        acted = left or not method.startswith(_ACTIONS)
        verdict, code = judge(Answer(call.status, call.body, kinds, acted), self.codes)
        return self._error_of(verdict, code, method, self._told(method, call, error, code))

    def _error_of(self, verdict: Verdict, code: str, method: str, text: str) -> TradingdError:
        if verdict is Verdict.DUPLICATE and method.startswith("create"):
            return DuplicateOrderError(f"{text}; the venue has this order", code)
        if verdict is Verdict.AUTH:
            return VenueAuthError(text, code)
        if verdict is Verdict.UNKNOWN_ORDER:
            return VenueRefusedError(text, UNKNOWN_ORDER)
        is_limit = verdict is Verdict.TURNED_AWAY and not method.startswith("create")
        if is_limit or verdict is Verdict.LIMITED:
            return RateLimitedError(text, self.banned_for() or None)
        if verdict is Verdict.UNKNOWN:
            return VenueUnavailableError(text)
        return VenueRefusedError(text, code)

    def _stream_failure(self, text: str, kinds: frozenset[str], error: Exception) -> TradingdError:
        if not kinds & _EXPECTED:
            return BrokenStreamError(text)
        status, headers = _handshake(error)
        if status in _LIMITS:
            return RateLimitedError(text, seconds(headers.get("Retry-After")))
        return VenueAuthError(text) if "AuthenticationError" in kinds else VenueUnavailableError(text)

    def _told(self, method: str, call: Call, error: Exception, code: str = "") -> str:
        """What happened, in a line."""
        parts = [type(error).__name__]
        if call.status is not None:
            parts.append(f"HTTP {call.status}")
        if code and code != str(call.status):
            parts.append(code)
        words = self._clean(venue_text(call.body))
        return f"{self.name}: {method}: {', '.join(parts)}" + (f": {words}" if words else "")

    def _clean(self, words: str) -> str:
        line = " ".join(words.split())[:_WORDS]
        is_telling = any(secret in words for secret in self.secrets if secret)
        return "" if is_telling or "://" in line or "signature=" in line.lower() else line


def _was_connected(error: BaseException) -> bool:
    """False where no connection was made at all: then nothing was sent."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in _NOT_MADE:
            return False
        cause = cause.__cause__
    return True


def _handshake(error: Exception) -> tuple[int | None, Mapping[str, str]]:
    """The status and headers of a refused handshake; ccxt hides aiohttp's error in its own."""
    inner = error.args[0] if error.args else None
    return getattr(inner, "status", None), getattr(inner, "headers", None) or {}


def with_listed(codes: Codes, exceptions: Untyped) -> Codes:
    """A venue's codes, and all that ccxt's table of it has."""
    return msgspec.structs.replace(codes, listed=frozenset(_listed(exceptions)))


def _listed(exceptions: Untyped) -> set[str]:
    """The codes and phrases in ccxt's table of an exchange, however deep."""
    found: set[str] = set()
    for name, value in exceptions.items() if isinstance(exceptions, Mapping) else ():
        if isinstance(value, Mapping):
            found |= _listed(value)
        else:
            found.add(str(name))
    return found
