"""What ccxt is told when an instance is made, and the assertion that it has heard."""

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from tradingd.errors import ConfigError
from tradingd.venues.loader import specimen
from tradingd.venues.origins import LOOPBACK_HOST, loopback_only
from tradingd.venues.settings import Credentials, VenueSettings
from tradingd.venues.table import VenueRow
from tradingd.venues.untyped import Untyped

__all__ = ["TRADES_LIMIT", "ccxt_config", "merged", "setting_faults"]

TRADES_LIMIT = 100_000
"""Emptied on each hand-over (`client.py`): only a burst between two polls is ever held."""
_ORDERS_CACHE = 20_000
_SLOWEST_ORDER_S = 5.0
_WIDEST_WINDOW_MS = 5_000

_LOOPBACK_URLS = {
    "binance": {
        "public": "{http}/api/v3",
        "private": "{http}/api/v3",
        "sapi": "{http}/sapi/v1",
        "ws": {"spot": "{ws}/stream/ws", "ws-api": {"spot": "{ws}/ws-api/v3"}},
    },
}
"""What `loopback_url` means: where the exchange of `tradingd.testing` serves what. For others: ccxt's own paths."""


def merged(first: Mapping[str, Untyped], second: Mapping[str, Untyped]) -> dict[str, Untyped]:
    """`second` over `first`, at every depth."""
    result = dict(first)
    for name, value in second.items():
        below = result.get(name)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[name] = merged(below, value) if both and isinstance(below, Mapping) else value
    return result


def ccxt_config(
    settings: VenueSettings,
    row: VenueRow,
    credentials: Credentials | None,
    timeout_s: float,
) -> dict[str, Untyped]:
    """The config that an instance of ccxt's is made with."""
    options: dict[str, Untyped] = {
        **_market_types(settings),
        "fetchCurrencies": False,
        "fetchMargins": False,
        "defaultType": settings.market_types[0],
        "tradesLimit": TRADES_LIMIT,
        "ordersLimit": _ORDERS_CACHE,
    }
    # What the user says counts over these, and what is asserted over both.
    options = merged(merged(options, row.options), settings.options)
    options |= {"maxRetriesOnFailure": 0, "recvWindow": settings.recv_window_ms, "adjustForTimeDifference": False}
    options["ws"] = merged(options.get("ws", {}), {"keepAlive": settings.keep_alive_ms})
    return {
        **({} if credentials is None else credentials.for_ccxt()),
        "number": str,
        "verbose": False,
        "enableRateLimit": True,
        "rateLimiterAlgorithm": "rollingWindow",
        "newUpdates": True,
        "timeout": round(timeout_s * 1000),
        "timeout_on_exit": 0,
        "aiohttp_trust_env": False,
        "options": options,
        **_urls(settings),
    }


def _market_types(settings: VenueSettings) -> dict[str, Untyped]:
    """Which kinds of markets are read, where ccxt's class can be told: each is a request or more."""
    known = specimen(settings.exchange).options.get("fetchMarkets")
    types = known.get("types") if isinstance(known, Mapping) else None
    wanted = set(settings.market_types)
    if wanted & {"swap", "future"}:
        wanted |= {"linear", "inverse", "contract"}
    if isinstance(types, Mapping):
        return {
            "fetchMarkets": {"types": {name: told if name in wanted else False for name, told in types.items()}}
        }
    if isinstance(types, list):
        return {"fetchMarkets": {"types": [name for name in types if name in wanted] or types}}
    return {}


def _urls(settings: VenueSettings) -> dict[str, Untyped]:
    if settings.environment != "loopback":
        if settings.loopback_url or settings.urls:
            raise ConfigError(
                f"{settings.name}: addresses may be given for the loopback environment only, "
                f'not for {settings.environment}; set environment = "loopback"'
            )
        return {}
    if not settings.loopback_url and not settings.urls:
        return {}
    own = specimen(settings.exchange).urls
    moved = {name: own[name] for name in ("api", "test", "demo") if name in own}
    if settings.loopback_url:
        moved = merged(moved, {"api": _loopback_urls(settings, moved.get("api"))})
    moved = merged(moved, settings.urls)
    base = settings.loopback_url or _first_url(settings.urls)
    return {"urls": loopback_only(moved, base)}


def _loopback_urls(settings: VenueSettings, own: Untyped) -> Untyped:
    """Where a server on the loopback has what ccxt asks for."""
    base = _loopback_base(settings.loopback_url)
    known = _LOOPBACK_URLS.get(settings.exchange)
    return _filled(known, base) if known is not None else _at(own, base)


def _loopback_base(url: str) -> str:
    host = urlsplit(url)
    if host.scheme != "http" or host.hostname != LOOPBACK_HOST:
        raise ConfigError(f"{url}: a loopback address is http://{LOOPBACK_HOST}:<port>")
    return url.rstrip("/")


def _at(urls: Untyped, base: str) -> Untyped:
    """ccxt's own addresses with another host: what is served there has the paths that the venue has."""
    if isinstance(urls, Mapping):
        return {name: _at(value, base) for name, value in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    parts = urlsplit(urls)
    host = base.replace("http://", "ws://", 1) if parts.scheme.startswith("ws") else base
    return host + parts.path


def _first_url(urls: Untyped) -> str:
    """An address in `urls`, for what has none of its own."""
    if isinstance(urls, str):
        return urls
    found = (_first_url(value) for value in urls.values()) if isinstance(urls, Mapping) else ()
    return next((url for url in found if url), "")


def _filled(urls: Untyped, base: str) -> Untyped:
    if isinstance(urls, Mapping):
        return {name: _filled(value, base) for name, value in urls.items()}
    return urls.format(http=base, ws=f"ws://{urlsplit(base).netloc}")


def setting_faults(exchange: Untyped, *, is_order_path: bool) -> list[str]:
    """What of ccxt's settings is not as it has to be: one line each, with why."""
    option = exchange.options.get
    faults = {
        "number is not str: amounts would not be exact": exchange.number is not str,
        "maxRetriesOnFailure is not 0: an order could be sent twice": option("maxRetriesOnFailure", 0) != 0,
        "verbose is on: it prints keys": bool(exchange.verbose),
        "enableRateLimit is off: nothing would keep to the venue's limits": not exchange.enableRateLimit,
        "rateLimiterAlgorithm is not rollingWindow: idle time would not count": (
            exchange.rollingWindowSize and exchange.rateLimiterAlgorithm != "rollingWindow"
        ),
        "newUpdates is off: streams would tell everything again": not exchange.newUpdates,
        f"timeout is above {_SLOWEST_ORDER_S:g} s: an order's outcome would be unknown for too long": (
            is_order_path and exchange.timeout > _SLOWEST_ORDER_S * 1000
        ),
        f"recvWindow is above {_WIDEST_WINDOW_MS} ms: a late order could still be taken": (
            option("recvWindow") or 0
        )
        > _WIDEST_WINDOW_MS,
        "the log is below WARNING: it would have keys": exchange.logger.isEnabledFor(logging.INFO),
    }
    return [fault for fault, is_so in faults.items() if is_so]
