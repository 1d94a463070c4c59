"""How an account at a venue is reached: what the configuration says, and its keys."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from tradingd.venues.untyped import Untyped

__all__ = ["Credentials", "Environment", "VenueSettings"]

Environment = Literal["production", "sandbox", "demo", "loopback"]


class VenueSettings(msgspec.Struct, frozen=True):
    """Where an account is, and what it trades there."""

    name: str
    """The account's id in the configuration: the `venue` of its instruments and orders."""
    exchange: str
    """ccxt's id of the exchange, such as `binance`."""
    environment: Environment = "production"
    loopback_url: str = ""
    """The loopback environment: `http://127.0.0.1:<port>`. Empty where `urls` says it, or a session resolves
    the production host names to 127.0.0.1."""
    market_types: tuple[str, ...] = ("spot",)
    order_timeout_s: float = 5.0
    options: Mapping[str, Untyped] = {}
    """Merged into ccxt's `options`; what is asserted at the start cannot be changed by it."""
    urls: Mapping[str, Untyped] = {}
    """The loopback environment: merged into ccxt's `urls`, for a protocol that `loopback_url` does not know."""
    recv_window_ms: int = 5_000
    market_timeout_s: float = 10.0
    keep_alive_ms: int = 5_000
    """How often a socket is pinged; a peer that misses two is dropped."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An account's keys. They are in no repr, and compare and hash by what they are."""

    api_key: str = ""
    secret: str = ""
    password: str = ""
    """The passphrase that some venues ask for."""
    uid: str = ""
    private_key: str = ""
    wallet_address: str = ""

    def __repr__(self) -> str:
        return "Credentials(<hidden>)"

    def for_ccxt(self) -> dict[str, str]:
        """As ccxt names them. A PEM is stripped: ccxt tells its kind by its length."""
        named = {
            "apiKey": self.api_key,
            "secret": self.secret.replace("\r\n", "\n"),
            "password": self.password,
            "uid": self.uid,
            "privateKey": self.private_key,
            "walletAddress": self.wallet_address,
        }
        return {name: text.strip() for name, text in named.items() if text}
