"""Who is asking: keys, what they may do, signatures and time stamps."""

import binascii
import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tradingd.testing.exchange.model import Refusal
from tradingd.testing.exchange.orders import Params, integer, required

__all__ = ["ApiKey", "check_signature", "check_time", "query_payload", "sorted_payload", "wire_text"]

_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")
_MAX_WINDOW_MS = 60_000
_DEFAULT_WINDOW_MS = 5_000
_MAX_AHEAD_MS = 1_000


class ApiKey(msgspec.Struct):
    """An API key. `secret` is the HMAC secret, or the PEM text of an ed25519 private key."""

    key: str
    secret: str
    account: str
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = False
    created: int = 0


def query_payload(raw: str) -> tuple[str, str]:
    """Splits a raw query (or query + body) into what was signed and the signature."""
    found = _SIGNATURE.search(raw)
    return _SIGNATURE.sub("", raw), unquote(found.group(2)) if found else ""


def sorted_payload(params: Mapping[str, Any]) -> str:
    """What a ws-api request signs: all parameters but the signature, sorted by name."""
    return "&".join(f"{name}={wire_text(params[name])}" for name in sorted(params) if name != "signature")


def wire_text(value: object) -> str:
    """A JSON value as parameters have it: text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_signature(key: ApiKey, payload: str, signature: str) -> None:
    """Raises Refusal unless the key's owner signed `payload`."""
    if not signature:
        raise Refusal(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
    signed = _signed_ed25519 if "PRIVATE KEY" in key.secret else _signed_hmac
    if not signed(key.secret, payload.encode(), signature):
        raise Refusal(-1022, "Signature for this request is not valid.")


def _signed_hmac(secret: str, payload: bytes, signature: str) -> bool:
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _signed_ed25519(secret: str, payload: bytes, signature: str) -> bool:
    key = load_pem_private_key(secret.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the loopback exchange knows HMAC secrets and ed25519 keys; this PEM is of another kind")
    try:
        key.public_key().verify(b64decode(signature, validate=True), payload)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def check_time(params: Params, now: int) -> None:
    """Raises Refusal unless the request's time stamp is within its recvWindow of `now` (ms)."""
    required(params, "timestamp")
    stamp = integer(params, "timestamp") or 0
    window = integer(params, "recvWindow") or _DEFAULT_WINDOW_MS
    if window > _MAX_WINDOW_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000.")
    if stamp >= now + _MAX_AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - stamp > window:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
