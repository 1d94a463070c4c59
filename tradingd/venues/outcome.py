"""What an answer that is no success means. The default is that nothing is known.

ccxt's exception class does not tell whether an order exists: a truncated answer is a bare `ExchangeError`, a page
of a web application firewall a `NetworkError`, a clock that is off a `NetworkError` too though the refusal is
definite. So this judges the status, the parsed body and the venue's own code; the class only says what a code
means that ccxt's table of the venue knows and ours does not.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum, auto

import msgspec

from tradingd.venues.untyped import Untyped

__all__ = ["NOT_SENT", "UNKNOWN_ORDER", "Answer", "Codes", "Verdict", "judge", "venue_codes", "venue_text"]

UNKNOWN_ORDER = "UNKNOWN_ORDER"
"""The code of a refusal because the venue does not know the order (any more)."""
NOT_SENT = "NOT_SENT"
"""The code of a refusal of our own: no request has left."""


class Verdict(Enum):
    """What is known after a request that did not succeed."""

    UNKNOWN = auto()
    """Nothing: the venue may or may not have acted."""
    NOT_SENT = auto()
    """Proved: no request of ours that acts has left."""
    REFUSED = auto()
    DUPLICATE = auto()
    """An order of this client id exists: evidence, no refusal."""
    UNKNOWN_ORDER = auto()
    AUTH = auto()
    LIMITED = auto()
    TURNED_AWAY = auto()
    """Refused for too many requests by a code that we know: what was asked has not been done."""


class Answer(msgspec.Struct, frozen=True):
    """What came back of one call."""

    status: int | None = None
    """The HTTP status of the last request; None where no answer came."""
    body: Untyped = None
    """The parsed body; None where it did not parse to an object or a list."""
    kinds: AbstractSet[str] = frozenset()
    """The names of the exception's class and its bases."""
    acted: bool = True
    """Whether a request left that may have changed anything at the venue."""


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """A venue's codes by what they mean; a text such as `Duplicate order sent` counts as a code as well."""

    refused: AbstractSet[str] = frozenset()
    duplicate: AbstractSet[str] = frozenset()
    unknown_order: AbstractSet[str] = frozenset()
    auth: AbstractSet[str] = frozenset()
    limited: AbstractSet[str] = frozenset()
    unknown: AbstractSet[str] = frozenset()
    """Those that say themselves that the outcome is not known."""
    listed: AbstractSet[str] = frozenset()
    """All that ccxt's own table of the venue has."""


_OPEN_STATUSES = frozenset({408, 409, 425})
"""4xx that do not say that nothing was done."""
_BANNED = 418
_LIMITS = frozenset({_BANNED, 429})
_DEFINITE = frozenset({
    "ArgumentsRequired", "BadRequest", "BadSymbol", "ContractUnavailable", "InsufficientFunds", "InvalidOrder",
    "MarketClosed", "NotSupported", "OperationRejected", "PermissionDenied", "RestrictedLocation",
})  # fmt: skip
_AUTH = frozenset({"AuthenticationError"})
_LIMITED = frozenset({"DDoSProtection", "RateLimitExceeded"})
_CODE_KEYS = ("sCode", "retCode", "ret_code", "code", "label", "error_code", "errorCode", "err-code", "errno")
_TEXT_KEYS = ("sMsg", "retMsg", "ret_msg", "msg", "message", "error_description", "err-msg", "errorMessage")
_NESTED = ("data", "error", "errors", "error_response", "result")
_FINE = frozenset({"", "0", "00000", "200", "200000", "OK"})
_DEPTH = 3


def judge(answer: Answer, codes: Codes) -> tuple[Verdict, str]:
    """What is known, and the venue's code for it."""
    if not answer.acted:
        return Verdict.NOT_SENT, NOT_SENT
    if answer.status is None:
        return Verdict.UNKNOWN, ""
    told = tuple(venue_codes(answer.body))
    code = told[0] if told else str(answer.status)
    text = venue_text(answer.body)
    if _one_of(told, text, codes.duplicate):
        return Verdict.DUPLICATE, code
    if answer.status in _LIMITS:
        is_known = answer.status != _BANNED and _one_of(told, text, codes.limited | codes.refused)
        return (Verdict.TURNED_AWAY if is_known else Verdict.LIMITED), code
    is_open = answer.status >= 500 or answer.status in _OPEN_STATUSES or 300 <= answer.status < 400  # noqa: PLR2004
    if answer.body is None or is_open or _one_of(told, text, codes.unknown):
        return Verdict.UNKNOWN, code
    return _meaning(told, text, answer.kinds, codes), code


def _meaning(told: tuple[str, ...], text: str, kinds: AbstractSet[str], codes: Codes) -> Verdict:
    """What the codes of a parsed answer of a definite status mean."""
    for verdict, known in (
        (Verdict.UNKNOWN_ORDER, codes.unknown_order),
        (Verdict.AUTH, codes.auth),
        (Verdict.LIMITED, codes.limited),
        (Verdict.REFUSED, codes.refused),
    ):
        if _one_of(told, text, known):
            return verdict
    if not _one_of(told, text, codes.listed):
        return Verdict.UNKNOWN
    for verdict, classes in (
        (Verdict.DUPLICATE, {"DuplicateOrderId"}),
        (Verdict.UNKNOWN_ORDER, {"OrderNotFound"}),
        (Verdict.LIMITED, _LIMITED),
        (Verdict.AUTH, _AUTH),
        (Verdict.REFUSED, _DEFINITE),
    ):
        if classes & kinds:
            return verdict
    return Verdict.UNKNOWN


def _one_of(told: tuple[str, ...], text: str, known: AbstractSet[str]) -> bool:
    if not known:
        return False
    if any(code in known for code in told):
        return True
    return bool(text) and any(len(phrase) > 8 and phrase in text for phrase in known)  # noqa: PLR2004 - a phrase


def venue_codes(body: Untyped, depth: int = 0) -> Iterator[str]:
    """The codes in an answer, the most specific first: venues wrap the one that matters in a general one."""
    if isinstance(body, str):
        yield from (body,) if depth else ()
    elif isinstance(body, list):
        for entry in body[:1] if depth else ():
            yield from venue_codes(entry, depth)
    elif isinstance(body, Mapping) and depth < _DEPTH:
        for key in _NESTED:
            yield from venue_codes(body.get(key), depth + 1)
        for key in _CODE_KEYS:
            code = body.get(key)
            if isinstance(code, str | int) and str(code) not in _FINE:
                yield str(code)


def venue_text(body: Untyped, depth: int = 0) -> str:
    """What an answer says in words, the most specific first; empty where it says nothing."""
    if isinstance(body, str):
        return body if depth else ""
    if isinstance(body, list):
        return venue_text(body[0], depth) if body and depth else ""
    if not isinstance(body, Mapping) or depth >= _DEPTH:
        return ""
    told = [venue_text(body.get(key), depth + 1) for key in _NESTED]
    told += [body[key] for key in _TEXT_KEYS if isinstance(body.get(key), str)]
    return next((text for text in told if text), "")
