"""The second venue's websockets: public trades, best prices, books and candles; the owner's orders and balances."""

import contextlib
import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.second import views
from tradingd.testing.exchange.candles import INTERVALS, candles_of
from tradingd.testing.exchange.model import BalanceChange, BookChange, Order, OrderEvent, PublicTrade, Transfer
from tradingd.testing.exchange.sockets import Socket

if TYPE_CHECKING:
    from tests.second.okx import SecondVenue


class Streams:
    """Who has subscribed to what, and what they are told."""

    def __init__(self, venue: "SecondVenue") -> None:
        self.venue = venue
        self.aggregates = False
        """Whether the trades of one taker at one price are told as one, by the last one's id."""
        self.silent = False
        """Whether what happens to orders is not told: the history alone tells."""
        self._wanted: dict[int, tuple[Socket, set[tuple[str, str]]]] = {}
        self._sequence: dict[str, int] = defaultdict(int)
        self._trades: list[PublicTrade] = []
        self._stop = venue.engine.listen(self._tell)

    def close(self) -> None:
        """Tell nobody any more."""
        self._stop()

    def subscribers(self, channel: str, symbol: str = "") -> int:
        """How many sockets have a channel."""
        return sum((channel, symbol) in wanted for _, wanted in self._wanted.values())

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One client's socket."""
        socket, ws = await self.venue.hub.accept(request, request.match_info["kind"])
        self._wanted[socket.connection] = (socket, set())
        try:
            await socket.serve(lambda text: self._asked(socket, text))
        finally:
            self._wanted.pop(socket.connection, None)
        return ws

    def _asked(self, socket: Socket, text: str) -> None:
        if text == "ping":
            socket.send("pong", "pong")
            return
        message = json.loads(text)
        if message["op"] == "login":
            self._login(socket, message["args"][0])
            return
        for arg in message["args"]:
            getattr(self, f"_{message['op']}")(socket, arg)

    def _login(self, socket: Socket, arg: dict[str, str]) -> None:
        from tests.second.okx import ANN, KEY, PASSPHRASE, signature

        wanted = signature(f"{arg['timestamp']}GET/users/self/verify")
        if (arg["apiKey"], arg["passphrase"], arg["sign"]) != (KEY, PASSPHRASE, wanted):
            socket.send(json.dumps({"event": "error", "code": "60009", "msg": "Login failed."}), "error")
            return
        socket.account = ANN
        socket.send(json.dumps({"event": "login", "code": "0", "msg": ""}), "login")

    def _subscribe(self, socket: Socket, arg: dict[str, str]) -> None:
        channel, symbol = arg["channel"], arg.get("instId", "")
        if channel in {"orders", "account"} and not socket.account:
            socket.send(json.dumps({"event": "error", "code": "60011", "msg": "Please log in"}), "error")
            return
        if symbol and symbol not in self.venue.engine.markets:
            message = f"channel:{channel},instId:{symbol} doesn't exist"
            socket.send(json.dumps({"event": "error", "code": "60018", "msg": message}), "error")
            return
        socket.send(json.dumps({"event": "subscribe", "arg": arg}), "subscribed")
        self._wanted[socket.connection][1].add((channel, symbol))
        if channel == "account":
            self._push(socket, arg, [{"uTime": str(self.venue.now()), "details": self.venue.details()}])
        elif channel in {"books", "books5", "bbo-tbt"}:
            self._book(socket, channel, symbol, "snapshot")

    def _unsubscribe(self, socket: Socket, arg: dict[str, str]) -> None:
        self._wanted[socket.connection][1].discard((arg["channel"], arg.get("instId", "")))
        socket.send(json.dumps({"event": "unsubscribe", "arg": arg}), "unsubscribed")

    # --- what is told ------------------------------------------------------------------------------------------

    def _push(self, socket: Socket, arg: dict[str, str], data: list[Any], **more: Any) -> None:
        socket.send(json.dumps({"arg": arg, **more, "data": data}), arg["channel"])

    def _tell_all(self, channel: str, symbol: str, data: list[Any]) -> None:
        arg = {"channel": channel, **({"instId": symbol} if symbol else {})}
        for socket, wanted in list(self._wanted.values()):
            if (channel, symbol) in wanted:
                self._push(socket, arg, data)

    def tell_order(self, order: Order, entry: dict[str, Any] | None = None) -> None:
        """News of an order to its owner."""
        if not self.silent:
            self._tell_all("orders", "", [entry or self.venue.entry(order)])

    def _tell(self, event: Any) -> None:
        if isinstance(event, OrderEvent):
            entry = self.venue.entry(event.order)
            self.tell_order(event.order, entry if event.trade is None else views.filled_entry(entry, event.trade))
        elif isinstance(event, (BalanceChange, Transfer)):
            self._tell_all("account", "", [{"uTime": str(event.ts), "details": self.venue.details()}])
        elif isinstance(event, PublicTrade):
            self._traded(event)
        elif isinstance(event, BookChange):
            self._changed(event)

    def _traded(self, trade: PublicTrade) -> None:
        if not self.aggregates:
            self._tell_all("trades", trade.symbol, [{**views.public_trade(trade), "count": "1"}])
            return
        self._trades.append(trade)

    def flush(self) -> None:
        """Tell the trades that were put together, and the candles that form."""
        parts, self._trades = self._trades, []
        if parts:
            total = sum((each.qty for each in parts), Decimal(0))
            row = {**views.public_trade(parts[-1]), "sz": views.digits(total), "count": str(len(parts))}
            self._tell_all("trades", parts[-1].symbol, [row])
        for channel, symbol in {each for _, wanted in self._wanted.values() for each in wanted}:
            if channel.startswith("candle"):
                self._candle(channel, symbol)

    def _candle(self, channel: str, symbol: str) -> None:
        step = INTERVALS[channel.removeprefix("candle")]
        engine, now = self.venue.engine, self.venue.now()
        found = candles_of(engine.past.get(symbol, ()), engine.public_trades(symbol), step, now)
        self._tell_all(channel, symbol, [views.candle_row(each, closed=False) for each in found[-1:]])

    # --- books -------------------------------------------------------------------------------------------------

    def levels(self, symbol: str, size: int) -> dict[str, Any]:
        """The book as it is."""
        _, bids, asks = self.venue.engine.depth(symbol)
        sides = {
            name: [[views.digits(price), views.digits(quantity), "0", "1"] for price, quantity in side[:size]]
            for name, side in (("bids", bids), ("asks", asks))
        }
        return {**sides, "ts": str(self.venue.now()), "instId": symbol}

    def ticker(self, symbol: str) -> dict[str, Any]:
        """The market at a glance."""
        top = self.levels(symbol, 1)
        best = {
            f"{name}{what}": top[f"{name}s"][0][place] if top[f"{name}s"] else ""
            for name in ("bid", "ask")
            for place, what in enumerate(("Px", "Sz"))
        }
        last = self.venue.engine.last_price(symbol)
        prices = dict.fromkeys(("last", "open24h", "high24h", "low24h"), views.digits(last or Decimal(1)))
        return {"instId": symbol, **best, **prices, "vol24h": "1", "volCcy24h": "1", "ts": top["ts"]}

    def tell_ticker(self, symbol: str) -> None:
        """The market at a glance, to who wants it."""
        self._tell_all("tickers", symbol, [self.ticker(symbol)])

    def _book(self, socket: Socket, channel: str, symbol: str, action: str) -> None:
        body = self.levels(symbol, {"bbo-tbt": 1, "books5": 5}.get(channel, 400))
        arg = {"channel": channel, "instId": symbol}
        if channel == "books":
            body |= {"seqId": self._sequence[symbol], "prevSeqId": -1, "checksum": 0}
            self._push(socket, arg, [body], action=action)
        else:
            self._push(socket, arg, [body])

    def _changed(self, change: BookChange) -> None:
        before = self._sequence[change.symbol]
        self._sequence[change.symbol] = before + 1
        side = "bids" if change.side.value == "BUY" else "asks"
        row = [views.digits(change.price), views.digits(change.qty), "0", "1"]
        body = {"bids": [], "asks": [], side: [row], "ts": str(change.ts), "seqId": before + 1, "prevSeqId": before}
        for socket, wanted in list(self._wanted.values()):
            with contextlib.suppress(KeyError):
                if ("books", change.symbol) in wanted:
                    arg = {"channel": "books", "instId": change.symbol}
                    self._push(socket, arg, [body], action="update")
                for channel in ("books5", "bbo-tbt"):
                    if (channel, change.symbol) in wanted:
                        self._book(socket, channel, change.symbol, "")
