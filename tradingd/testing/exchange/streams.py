"""The exchange's market streams: /stream/ws/N, /ws/N, /ws/<stream> and /stream?streams=.

Trades and best prices are told at once, depth every 100 ms, candles every 250 ms while they change and at their
end, tickers every second. The timers run only while somebody has subscribed to what they tell; `flush` does by
hand what they do, for tests that must not wait.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from tradingd.testing.exchange.candles import INTERVALS, Candle, candles_of, opened
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import text
from tradingd.testing.exchange.mirror import Mirror
from tradingd.testing.exchange.model import (
    BookChange,
    Call,
    EngineEvent,
    Fate,
    FaultLayer,
    MarketChange,
    PublicTrade,
    Reply,
)
from tradingd.testing.exchange.sockets import Socket, SocketHub, abort

__all__ = ["Host", "MarketStreams"]

_DEPTH_S, _KLINE_S, _TICKER_S = 0.1, 0.25, 1.0
_PARTIAL = (5, 10, 20)
_encode = msgspec.json.Encoder().encode


class Host(Protocol):
    """What the streams need of the exchange: `LoopbackExchange` has it."""

    engine: Engine
    hub: SocketHub
    faults: FaultLayer


class _Timer:
    """Calls again and again while told that there is something to do."""

    def __init__(self, seconds: float, what: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._what = what
        self._handle: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """See that it runs."""
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(self._seconds, self._fire)

    def stop(self) -> None:
        """Not any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        if self._what():
            self.wake()


class MarketStreams:
    """Turns the engine's events into Binance's stream messages for whoever has subscribed."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._engine = host.engine
        self._subscribers: dict[str, dict[Socket, str]] = {}
        """By stream: who gets it, and in which wrapper ("" none, else the stream's name as asked for)."""
        self._mirrors = {symbol: Mirror(self._engine, symbol) for symbol in self._engine.markets}
        self._candles: dict[str, dict[str, Candle]] = {}
        self._days: dict[str, Candle] = {}
        self._moved: set[tuple[str, str]] = set()
        self._ticked: set[str] = set()
        self._timers = (
            _Timer(_DEPTH_S, self._flush_depth),
            _Timer(_KLINE_S, self._flush_klines),
            _Timer(_TICKER_S, self._flush_tickers),
        )
        self._stop_listening = host.engine.listen(self._hear)
        host.hub.on_closed.append(self._drop)

    # -- the wire
    def routes(self) -> list[web.RouteDef]:
        """Where they are served."""
        return [web.get(path, self.handle) for path in ("/stream", "/ws", "/stream/ws/{name}", "/ws/{name}")]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket."""
        refused = await self._refused(request)
        if refused is not None:
            return refused
        socket, ws = await self._host.hub.accept(request, "stream")
        combined = request.path.rstrip("/").endswith("/stream")
        names = request.query.get("streams", "") if combined else request.path.rpartition("/")[2]
        for name in names.split("/"):
            if "@" in name:
                self._subscribe(socket, name, combined=combined)
        await socket.serve(lambda frame: self._command(socket, frame, combined=combined))
        return ws

    async def _refused(self, request: web.Request) -> web.Response | None:
        call = Call("connect", "CONNECT", request.path, dict(request.query), asyncio.get_running_loop().time(), 0)
        reply: Reply | None = await self._host.faults.before(call)
        if reply is None:
            return None
        if reply.fate is not Fate.SEND:
            abort(request.transport)
        return web.Response(
            status=reply.status or 503, text=reply.text, headers=reply.headers, content_type=reply.content_type
        )

    def _command(self, socket: Socket, frame: str, *, combined: bool) -> None:
        try:
            command = json.loads(frame)
            method, number = command["method"], command.get("id")
            names = command.get("params", [])
        except (ValueError, KeyError, TypeError):
            socket.send('{"code":2,"msg":"Invalid request: could not be parsed"}', "reply")
            return
        result: Any = None
        if method == "LIST_SUBSCRIPTIONS":
            result = [name for name, sockets in self._subscribers.items() if socket in sockets]
        elif method not in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            answer = {"error": {"code": 2, "msg": f"Invalid request: unknown variant {method}"}, "id": number}
            socket.send(json.dumps(answer), "reply")
            return
        socket.send(json.dumps({"result": result, "id": number}), "reply")
        for name in names if method != "LIST_SUBSCRIPTIONS" else ():
            if method == "SUBSCRIBE":
                self._subscribe(socket, name, combined=combined)
            else:
                self._subscribers.get(name, {}).pop(socket, None)

    def _subscribe(self, socket: Socket, name: str, *, combined: bool) -> None:
        self._subscribers.setdefault(name, {})[socket] = name if combined else ""
        symbol, _, kind = name.partition("@")
        if kind.startswith("kline_") and kind[6:] in INTERVALS:
            self._follow(symbol.upper(), kind[6:])
        if kind.startswith("depth") and symbol.upper() in self._mirrors:
            self._mirrors[symbol.upper()].tracking = True
        self._wake()

    def _wake(self) -> None:
        for timer, marks in zip(self._timers, (("@depth",), ("@kline_",), ("icker",)), strict=True):
            if any(mark in name for name in self._subscribers for mark in marks):
                timer.wake()

    def _drop(self, socket: Socket) -> None:
        for name in list(self._subscribers):
            self._subscribers[name].pop(socket, None)
            if not self._subscribers[name]:
                del self._subscribers[name]

    def subscribers(self, name: str) -> int:
        """How many sockets get a stream."""
        return len(self._subscribers.get(name, ()))

    def close(self) -> None:
        """Stop listening and telling."""
        self._stop_listening()
        for timer in self._timers:
            timer.stop()

    # -- what happens
    def _hear(self, event: EngineEvent) -> None:
        if isinstance(event, BookChange):
            self._book_changed(event)
        elif isinstance(event, PublicTrade):
            self._traded(event)
        elif isinstance(event, MarketChange) and event.delisted:
            self._mirrors.pop(event.spec.symbol, None)

    def _book_changed(self, change: BookChange) -> None:
        mirror = self._mirrors.get(change.symbol)
        if mirror is None or not mirror.apply(change):
            return
        names = [
            name for name in (f"{change.symbol.lower()}@bookTicker", "!bookTicker") if name in self._subscribers
        ]
        best = mirror.best() if names else None
        if best is not None:
            bid, bid_size, ask, ask_size = best
            body = {"u": mirror.update_id, "s": change.symbol, "b": bid, "B": bid_size, "a": ask, "A": ask_size}
            for name in names:
                self._tell(name, body)

    def _traded(self, trade: PublicTrade) -> None:
        symbol = trade.symbol.lower()
        if f"{symbol}@trade" in self._subscribers:
            self._tell(f"{symbol}@trade", _trade(trade))
        if f"{symbol}@aggTrade" in self._subscribers:
            self._tell(f"{symbol}@aggTrade", _agg_trade(trade))
        candles = self._candles.get(trade.symbol, {})
        for interval in candles:
            self._roll(trade.symbol, interval, trade.ts)
            candles[interval].add(trade)
            self._moved.add((trade.symbol, interval))
        day = self._days.get(trade.symbol)
        if day is not None:
            day.add(trade)
            self._ticked.add(trade.symbol)

    def _follow(self, symbol: str, interval: str) -> None:
        if interval in self._candles.get(symbol, {}) or symbol not in self._engine.markets:
            return
        step, now = INTERVALS[interval], self._engine.now()
        past, tape = self._engine.past.get(symbol, ()), self._engine.public_trades(symbol)
        known = candles_of(past, tape, step, now)
        self._candles.setdefault(symbol, {})[interval] = known[-1] if known else Candle(opened(now, step))

    def _roll(self, symbol: str, interval: str, now: int) -> None:
        """Tell the end of candles that are over, and begin the next; quiet ones come one by one."""
        step = INTERVALS[interval]
        candle = self._candles[symbol][interval]
        while opened(now, step) > candle.start:
            if candle.close:
                self._tell(f"{symbol.lower()}@kline_{interval}", candle.kline(symbol, interval, now, closed=True))
            candle = self._candles[symbol][interval] = Candle(candle.start + step, candle.close)

    # -- the timers
    def flush(self) -> None:
        """Tell now what the timers would tell: depth, candles, tickers."""
        self._flush_depth()
        self._flush_klines()
        self._flush_tickers()

    def _flush_depth(self) -> bool:
        for name in [
            name for name in self._subscribers if name.partition("@depth")[2].partition("@")[0].isdigit()
        ]:
            self._tell_partial(name)
        tracked = [mirror for mirror in self._mirrors.values() if mirror.tracking]
        for mirror in tracked:
            self._tell_depth(mirror)
        return bool(tracked)

    def _tell_partial(self, name: str) -> None:
        symbol, _, kind = name.partition("@depth")
        mirror = self._mirrors.get(symbol.upper())
        depth = int(kind.partition("@")[0])
        if mirror is not None and mirror.first_id and depth in _PARTIAL:
            bids, asks = mirror.top(depth)
            self._tell(name, {"lastUpdateId": mirror.update_id, "bids": bids, "asks": asks})

    def _tell_depth(self, mirror: Mirror) -> None:
        stem = f"{mirror.symbol.lower()}@depth"
        mirror.tracking = any(name.startswith(stem) for name in self._subscribers)
        if not mirror.first_id:
            return
        first, last, bids, asks = mirror.take_changes()
        body = {"e": "depthUpdate", "E": self._engine.now(), "s": mirror.symbol, "U": first, "u": last}
        for rate in ("@100ms", "", "@1000ms"):
            if stem + rate in self._subscribers:
                self._tell(stem + rate, body | {"b": bids, "a": asks})

    def _flush_klines(self) -> bool:
        now = self._engine.now()
        for symbol, interval in [
            (symbol, interval) for symbol, some in self._candles.items() for interval in some
        ]:
            name = f"{symbol.lower()}@kline_{interval}"
            if name not in self._subscribers:
                del self._candles[symbol][interval]
                continue
            self._roll(symbol, interval, now)
            if (symbol, interval) in self._moved:
                self._tell(name, self._candles[symbol][interval].kline(symbol, interval, now, closed=False))
        self._moved.clear()
        return any(self._candles.values())

    def _flush_tickers(self) -> bool:
        names = [name for name in self._subscribers if name.endswith(("icker", "icker@arr"))]
        names = [name for name in names if "bookTicker" not in name]
        now = self._engine.now()
        for symbol in self._engine.markets if names else ():
            if symbol not in self._days:
                self._days[symbol] = Candle(now).add_all(self._engine.public_trades(symbol))
                self._ticked.add(symbol)
        told = {symbol: self._days[symbol] for symbol in sorted(self._ticked) if self._days[symbol].count}
        self._ticked.clear()
        for name in names:
            make = self._mini if "miniTicker" in name else self._full
            if name.startswith("!"):
                rows = [make(symbol, day, now) for symbol, day in told.items()]
                if rows:
                    self._tell(name, rows)
            elif (symbol := name.partition("@")[0].upper()) in told:
                self._tell(name, make(symbol, told[symbol], now))
        return bool(names)

    @staticmethod
    def _mini(symbol: str, day: Candle, now: int) -> dict[str, Any]:
        return day.mini_ticker(symbol, now)

    def _full(self, symbol: str, day: Candle, now: int) -> dict[str, Any]:
        mirror = self._mirrors.get(symbol) or Mirror(self._engine, symbol)
        return day.ticker(symbol, now, mirror.best() or ("0", "0", "0", "0"))

    def _tell(self, name: str, body: dict[str, Any] | list[dict[str, Any]]) -> None:
        sockets = self._subscribers.get(name)
        if not sockets:
            return
        plain = _encode(body).decode()
        for socket, wrapper in sockets.items():
            socket.send(f'{{"stream":"{wrapper}","data":{plain}}}' if wrapper else plain, name)


def _trade(trade: PublicTrade) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": trade.ts,
        "s": trade.symbol,
        "t": trade.id,
        "p": text(trade.price),
        "q": text(trade.qty),
        "b": trade.buy_order,
        "a": trade.sell_order,
        "T": trade.ts,
        "m": trade.buyer_maker,
        "M": True,
    }


def _agg_trade(trade: PublicTrade) -> dict[str, Any]:
    return {
        "e": "aggTrade",
        "E": trade.ts,
        "s": trade.symbol,
        "a": trade.id,
        "p": text(trade.price),
        "q": text(trade.qty),
        "f": trade.id,
        "l": trade.id,
        "T": trade.ts,
        "m": trade.buyer_maker,
        "M": True,
    }
