"""What ccxt's exchanges offer, for `tradingd exchanges`: no network is needed."""

from collections.abc import Iterator, Sequence

import msgspec

from tradingd.venues.loader import exchange_ids, specimen
from tradingd.venues.table import is_listed, row_of
from tradingd.venues.untyped import Untyped

__all__ = ["ExchangeFacts", "describe_exchange", "describe_exchanges"]

_STREAMS = {
    "watchTrades": "trades",
    "watchOrderBook": "books",
    "watchBidsAsks": "quotes",
    "watchTicker": "tickers",
    "watchOHLCV": "bars",
    "watchOrders": "orders",
    "watchMyTrades": "fills",
    "watchBalance": "balances",
}
_KINDS = ("spot", "margin", "swap", "future", "option")
_NEEDED = ("createOrder", "cancelOrder", "fetchOpenOrders", "fetchBalance", "fetchMyTrades")


class ExchangeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one exchange offers through ccxt."""

    exchange_id: str
    name: str
    streams: tuple[str, ...]
    kinds: tuple[str, ...]
    """Of markets."""
    sandbox: bool
    demo: bool
    dead_man: str
    """How the venue can be told to cancel everything unless it hears from us; empty where it cannot."""
    client_ids: str
    """How our client order ids are sent; empty where only ccxt's unified parameter is known."""
    credentials: tuple[str, ...]
    """What its keys consist of, by ccxt's names."""
    lacks: tuple[str, ...]
    """What live trading rests on and the venue has not."""
    is_in_table: bool
    """Whether its codes and ids are in our per-venue table; else more outcomes are unknown than need be."""

    @property
    def can_be_live(self) -> bool:
        """Whether real money can be traded there."""
        return not self.lacks


def describe_exchange(exchange_id: str) -> ExchangeFacts:
    """What one exchange offers.

    Raises:
        ConfigError: ccxt has no such exchange, or none with streams.

    """
    exchange = specimen(exchange_id)
    has = exchange.has
    row = row_of(exchange_id, has_dead_man=bool(has.get("cancelAllOrdersAfter")))
    return ExchangeFacts(
        exchange_id=exchange_id,
        name=str(exchange.name),
        streams=tuple(name for method, name in _STREAMS.items() if has.get(method)),
        kinds=tuple(kind for kind in _KINDS if has.get(kind)),
        sandbox=bool(exchange.urls.get("test")),
        demo=bool(exchange.urls.get("demo")),
        dead_man=row.traits.dead_man,
        client_ids=row.create_param if is_listed(exchange_id) else "",
        credentials=tuple(sorted(name for name, is_needed in exchange.requiredCredentials.items() if is_needed)),
        lacks=_lacks(exchange),
        is_in_table=is_listed(exchange_id),
    )


def _lacks(exchange: Untyped) -> tuple[str, ...]:
    return tuple(name for name in _NEEDED if not exchange.has.get(name))


def describe_exchanges(ids: Sequence[str] = ()) -> Iterator[ExchangeFacts]:
    """What the exchanges of these ids offer, all where none is given; each is imported when it is its turn."""
    for exchange_id in ids or exchange_ids():
        yield describe_exchange(exchange_id)
