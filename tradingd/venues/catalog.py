"""What ccxt's exchanges offer, for `tradingd exchanges`: no network is needed."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tradingd.venues.loader import exchange_class, exchange_ids
from tradingd.venues.table import is_listed, row_of
from tradingd.venues.untyped import Untyped

__all__ = ["ExchangeInfo", "describe_exchange", "describe_exchanges"]

_STREAMS = {
    "watchTrades": "trades",
    "watchBidsAsks": "quotes",
    "watchOrderBook": "books",
    "watchOHLCV": "ohlcv",
    "watchOrders": "orders",
    "watchMyTrades": "my_trades",
    "watchBalance": "balance",
}
_ORDERS = {"createOrder": "create", "cancelOrder": "cancel", "editOrder": "edit", "cancelAllOrders": "cancel_all"}
_CREDENTIALS = {
    "apiKey": "api_key",
    "secret": "secret",
    "password": "password",
    "uid": "uid",
    "walletAddress": "wallet_address",
    "privateKey": "private_key",
}
_NOT_LIVE = "not for live trading"
_KINDS = ("spot", "margin", "swap", "future", "option")
_NEEDED = ("createOrder", "cancelOrder", "fetchOpenOrders", "fetchBalance", "fetchMyTrades")


class ExchangeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What one exchange offers through ccxt."""

    id: str
    name: str
    markets: tuple[str, ...]
    """Their kinds."""
    streams: tuple[str, ...]
    order: tuple[str, ...]
    """What can be done with orders."""
    environments: tuple[str, ...]
    dead_man: str
    """How the venue can be told to cancel everything unless it hears from us; empty where it cannot."""
    credentials: tuple[str, ...]
    """What its keys consist of, by the names of our configuration."""
    client_id: bool
    """Whether our table knows how the venue takes and finds client order ids."""
    notes: str
    """What keeps it from being traded live, or what is to be known."""

    @property
    def can_be_live(self) -> bool:
        """Whether real money can be traded there."""
        return not self.notes.startswith(_NOT_LIVE)


def describe_exchange(exchange_id: str) -> ExchangeInfo:
    """What one exchange offers.

    Raises:
        ConfigError: ccxt has no such exchange, or none with streams.

    """
    exchange = exchange_class(exchange_id)()
    has = exchange.has
    row = row_of(exchange_id, has_dead_man=bool(has.get("cancelAllOrdersAfter")))
    return ExchangeInfo(
        id=exchange_id,
        name=str(exchange.name),
        markets=tuple(kind for kind in _KINDS if has.get(kind)),
        streams=_offered(has, _STREAMS),
        order=_offered(has, _ORDERS),
        environments=("production", *_others(exchange.urls), "loopback"),
        dead_man=row.traits.dead_man,
        credentials=tuple(
            ours for theirs, ours in _CREDENTIALS.items() if exchange.requiredCredentials.get(theirs)
        ),
        client_id=is_listed(exchange_id),
        notes=_notes(exchange_id, has),
    )


def _offered(has: Mapping[str, Untyped], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for method, name in names.items() if has.get(method))


def _others(urls: Mapping[str, Untyped]) -> list[str]:
    return [name for name, key in (("sandbox", "test"), ("demo", "demo")) if key in urls]


def _notes(exchange_id: str, has: Mapping[str, Untyped]) -> str:
    lacks = [name for name in _NEEDED if not has.get(name)]
    if lacks:
        return f"{_NOT_LIVE}: no {', '.join(lacks)}"
    if not is_listed(exchange_id):
        return "not in our table of codes and ids: more outcomes have to be looked up than need be"
    return ""


def describe_exchanges(ids: Sequence[str] | None = None) -> Iterator[ExchangeInfo]:
    """What the exchanges of these ids offer, all where none is given; each is imported when it is its turn."""
    for exchange_id in ids or exchange_ids():
        yield describe_exchange(exchange_id)
