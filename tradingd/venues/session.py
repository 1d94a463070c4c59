"""The HTTP session that ccxt gets: aiohttp's, but one that never follows a redirect.

A redirect would carry the key's header to wherever it points, and could send an order twice.
"""

import ssl
from functools import cache

import aiohttp

from tradingd.venues.untyped import Untyped

__all__ = ["Session", "own_session"]

_VERBS = frozenset({"get", "post", "put", "delete", "patch", "head", "options"})


class Session:
    """What ccxt uses of a session; `is_ours` tells who closes it."""

    def __init__(self, session: aiohttp.ClientSession, *, is_ours: bool) -> None:
        self._session = session
        self._is_ours = is_ours
        self.headers = session.headers
        self.cookie_jar = session.cookie_jar
        self.ws_connect = session.ws_connect

    def __getattr__(self, name: str) -> Untyped:
        if name not in _VERBS:
            raise AttributeError(name)
        method = getattr(self._session, name)

        def request(url: Untyped, **options: Untyped) -> Untyped:
            return method(url, allow_redirects=False, **options)

        self.__dict__[name] = request
        return request

    async def close(self) -> None:
        """Close the connections, if they are ours to close."""
        if self._is_ours:
            await self._session.close()


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, as ccxt does; reading them takes longer than all else here, so it is done once."""
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def own_session(*, is_plain: bool) -> Session:
    """A session of our own: no cookies, and no proxy from the environment; `is_plain` where TLS is never used."""
    context: ssl.SSLContext | bool = True if is_plain else _certificates()
    connector = aiohttp.TCPConnector(ssl=context, limit=0, ttl_dns_cache=60)
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
    # aiohttp would send a GET or DELETE again on a connection that turns out to be closed, and there are venues
    # that create orders by GET.
    session._retry_connection = False  # noqa: SLF001 - it has no public face
    return Session(session, is_ours=True)
