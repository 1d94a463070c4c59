"""Which hosts a client may talk to: those of its ccxt class and environment, and no other."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from tradingd.errors import ConfigError
from tradingd.venues.untyped import Untyped

__all__ = ["Origins", "loopback_only", "origins_of"]

LOOPBACK_HOST = "127.0.0.1"
_SECURE = frozenset({"https", "wss"})
_SHORT = 3


class Origins(msgspec.Struct, frozen=True):
    """The allow-list: origins by their exact host, and domains whose hosts a venue names at run time."""

    exact: frozenset[tuple[str, str]]
    """(scheme, host with port)."""
    domains: frozenset[str]
    """A host of one of these is allowed over TLS, unless it is `denied`: some venues tell the address of
    their streams in an answer."""
    denied: frozenset[str] = frozenset()
    """Hosts of another environment."""

    def allows(self, url: str) -> bool:
        """Whether `url` may be talked to."""
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) in self.exact:
            return True
        if parts.scheme not in _SECURE or parts.netloc in self.denied:
            return False
        return _domain(parts.hostname or "") in self.domains


def _domain(host: str) -> str:
    """The part of a host name that one owner has: its last two labels, three under such as `co.jp`."""
    labels = host.split(".")
    is_wide = len(labels) > 2 and len(labels[-1]) < _SHORT and len(labels[-2]) <= _SHORT  # noqa: PLR2004
    return ".".join(labels[-3 if is_wide else -2 :])


def _urls(value: Untyped) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _urls(entry)


def _named(urls: Untyped, hostname: str | None) -> frozenset[tuple[str, str]]:
    texts = (url.replace("{hostname}", hostname or "") for url in _urls(urls))
    parts = (urlsplit(text) for text in texts if "://" in text)
    return frozenset((part.scheme, part.netloc) for part in parts)


def origins_of(exchange: Untyped, environment: str, *, has_session: bool) -> Origins:
    """The allow-list of an instance of ccxt's, by the urls that it uses in this environment.

    Raises:
        ConfigError: an address does not belong to the environment.

    """
    used = _named(exchange.urls["api"], exchange.hostname)
    if environment == "loopback":
        outside = [
            f"{scheme}://{host}" for scheme, host in used if urlsplit(f"//{host}").hostname != LOOPBACK_HOST
        ]
        if outside and not has_session:
            raise ConfigError(f"{exchange.id}: the loopback environment may talk to {LOOPBACK_HOST} only")
        return Origins(used, frozenset())
    plain = sorted(host for scheme, host in used if scheme not in _SECURE)
    if plain:
        raise ConfigError(f"{exchange.id}: {plain[0]} is talked to without TLS; this venue cannot be used live")
    real = frozenset(host for _, host in _named(exchange.describe()["urls"]["api"], exchange.hostname))
    hosts = frozenset(host for _, host in used)
    if environment == "production":
        return Origins(used, frozenset(_domain(urlsplit(f"//{host}").hostname or "") for host in hosts))
    domains = frozenset(_domain(urlsplit(f"//{host}").hostname or "") for host in hosts)
    return Origins(used, domains, real - hosts)


def loopback_only(urls: Untyped, base: str) -> Untyped:
    """All addresses in `urls` moved to where nothing is served on the loopback, keeping their scheme's kind."""
    if isinstance(urls, Mapping):
        return {name: loopback_only(value, base) for name, value in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    if urlsplit(urls).hostname == LOOPBACK_HOST:
        return urls
    kind = "ws" if urls.startswith("ws") else "http"
    return f"{kind}://{urlsplit(base).netloc or LOOPBACK_HOST}/unserved"
