"""ccxt's caches of streams: what came while nobody awaited, and what was handed over.

An event that comes between two awaits stays in a cache of ccxt's and does not complete the next await: it would be
told with the next event only. So whoever watches is first given what lies there. Trades are emptied out once they
have been handed over; nothing can come in between, as no await is. Orders are kept, as ccxt merges later news
into them, and are told by ccxt's own count of what is new.
"""

from tradingd.venues.untyped import Untyped

__all__ = ["forget", "left_behind"]

_BY_SYMBOL = frozenset({"watch_trades", "watch_trades_for_symbols"})
_MINE = {"watch_my_trades": "myTrades", "watch_orders": "orders"}


def left_behind(exchange: Untyped, method: str, args: tuple[Untyped, ...]) -> list[Untyped]:
    """What has come since the last hand-over of a stream and has not been told; ccxt's own objects."""
    if method in _BY_SYMBOL and args:
        symbols = args[0] if isinstance(args[0], list | tuple) else [args[0]]
        held = exchange.trades or {}
        return next((list(held[symbol]) for symbol in symbols if held.get(symbol)), [])
    cache = getattr(exchange, _MINE[method], None) if method in _MINE and not args else None
    if not cache:
        return []
    if method == "watch_my_trades":
        return list(cache)
    return _new_orders(cache)


def _new_orders(cache: Untyped) -> list[Untyped]:
    """The orders that changed since they were last asked for: the flag says that they have been."""
    if cache._clear_all_updates or not cache._all_new_updates:  # noqa: SLF001 - ccxt tells this by nothing public
        return []
    count = cache.getLimit(None, None)
    return list(cache)[-count:] if count else []


def forget(exchange: Untyped, method: str, told: Untyped) -> None:
    """Empty what has just been handed over."""
    if method in _BY_SYMBOL and isinstance(told, list):
        for symbol in {trade.get("symbol") for trade in told if isinstance(trade, dict)}:
            if symbol in exchange.trades:
                exchange.trades[symbol].clear()
    elif method == "watch_my_trades" and exchange.myTrades is not None:
        exchange.myTrades.clear()
