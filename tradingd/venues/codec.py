"""Client order ids as each venue takes them, and back: no form suits all.

OKX forbids the `-` that ours have, Gate demands the prefix `t-`, Hyperliquid wants 16 bytes in hexadecimal. Every
codec is reversible: what `decode` cannot be sure to be one of ours it leaves as the venue told it.
"""

import re
from typing import Protocol

import msgspec

from tradingd.errors import VenueRefusedError
from tradingd.venues.outcome import NOT_SENT

__all__ = ["AlphanumericCodec", "HexCodec", "IdCodec", "PlainCodec"]

_PLAIN = re.compile(r"[A-Za-z0-9._:/-]+")
_OURS = re.compile(r"[A-Za-z0-9-]+")
_ESCAPES = {"Y": "Y0", "Z": "Y1", "-": "Z"}
_UNESCAPED = {coded: plain for plain, coded in _ESCAPES.items()}
_CODED = re.compile(r"Y0|Y1|Z")


class IdCodec(Protocol):
    """Turns our client order ids into a venue's and back."""

    def encode(self, order_id: str) -> str:
        """`order_id` as the venue takes it.

        Raises:
            VenueRefusedError: it does not fit; nothing was sent.

        """

    def decode(self, text: str) -> str:
        """Ours again; `text` itself where it is none of ours."""


def _fitting(order_id: str, coded: str, limit: int) -> str:
    if len(coded) > limit:
        raise VenueRefusedError(
            f"{order_id}: the client order id is {len(coded)} characters as this venue takes it, "
            f"which is more than {limit}; use a shorter instance name",
            NOT_SENT,
        )
    return coded


class PlainCodec(msgspec.Struct, frozen=True):
    """As they are, behind a prefix that the venue demands."""

    limit: int
    prefix: str = ""

    def encode(self, order_id: str) -> str:
        """`order_id` behind the prefix."""
        if not _PLAIN.fullmatch(order_id):
            raise VenueRefusedError(f"{order_id!r}: a client order id has letters, digits and - only", NOT_SENT)
        return _fitting(order_id, self.prefix + order_id, self.limit)

    def decode(self, text: str) -> str:
        """What is behind the prefix."""
        return text.removeprefix(self.prefix)


class AlphanumericCodec(msgspec.Struct, frozen=True):
    """Letters and digits only: `-` becomes `Z`, and what that leaves ambiguous is escaped by `Y`."""

    limit: int

    def encode(self, order_id: str) -> str:
        """`order_id` in letters and digits."""
        if not _OURS.fullmatch(order_id):
            raise VenueRefusedError(f"{order_id!r}: a client order id has letters, digits and - only", NOT_SENT)
        return _fitting(order_id, "".join(_ESCAPES.get(letter, letter) for letter in order_id), self.limit)

    def decode(self, text: str) -> str:
        """`encode` undone, where it can have made this."""
        plain = _CODED.sub(lambda match: _UNESCAPED[match.group()], text)
        coded = "".join(_ESCAPES.get(letter, letter) for letter in plain)
        return plain if coded == text else text


class HexCodec(msgspec.Struct, frozen=True):
    """The characters as `size` bytes in hexadecimal behind `0x`, filled with zeros from the left."""

    size: int = 16

    def encode(self, order_id: str) -> str:
        """`order_id` in hexadecimal."""
        if not _OURS.fullmatch(order_id):
            raise VenueRefusedError(f"{order_id!r}: a client order id has letters, digits and - only", NOT_SENT)
        return "0x" + _fitting(order_id, order_id.encode().hex(), 2 * self.size).rjust(2 * self.size, "0")

    def decode(self, text: str) -> str:
        """`encode` undone, where it can have made this."""
        try:
            plain = bytes.fromhex(text.removeprefix("0x")).lstrip(b"\0").decode("ascii")
        except ValueError:
            return text
        return plain if _OURS.fullmatch(plain) and self.encode(plain) == text.lower() else text
