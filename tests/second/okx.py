"""A second venue: OKX's protocol on 127.0.0.1, over the loopback exchange's engine, as ccxt's client expects it.

It differs from Binance's in all that `docs/venues.md` names: a create is answered with two ids and nothing else,
refusals come with HTTP 200 and a code inside, a crossing post-only order is accepted and then canceled, the key has
a passphrase, client ids are letters and digits, histories come newest first in pages, amounts of swaps are contracts.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from aiohttp import web
from msgspec.structs import replace

from tests.second import views
from tests.second.contracts import ContractClearing, ContractSpec
from tests.second.streams import Streams
from tradingd.testing.exchange.candles import INTERVALS, candles_of
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import ZERO, add, mul, sub
from tradingd.testing.exchange.model import (
    FeePlan,
    MarketSpec,
    NoFaults,
    Order,
    OrderRequest,
    OrderType,
    Refusal,
    Side,
    Status,
    TimeInForce,
    Trade,
)
from tradingd.testing.exchange.sockets import SocketHub, abort

KEY, SECRET, PASSPHRASE = "second-key-4be1", "second-secret-77aa", "second-phrase-c0de"
ANN = "ann"
SPOT = (
    MarketSpec("BTC-USDT", "BTC", "USDT", tick=Decimal("0.1"), min_notional=ZERO, max_notional=Decimal("1e12")),
    MarketSpec("ETH-USDT", "ETH", "USDT", lot=Decimal("0.0001"), min_qty=Decimal("0.0001"), min_notional=ZERO),
)
SWAP = ContractSpec(
    "BTC-USDT-SWAP",
    "BTC",
    "USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.1"),
    min_qty=Decimal("0.1"),
    min_notional=ZERO,
    max_notional=Decimal("1e12"),
    size=Decimal("0.01"),
    settle="USDT",
)
_CODES = {"-2010": "51008", "-1013": "51121", "-2011": "51400", "-2013": "51603", "-1121": "51001"}
_TYPES = {
    "limit": (OrderType.LIMIT, TimeInForce.GTC),
    "ioc": (OrderType.LIMIT, TimeInForce.IOC),
    "fok": (OrderType.LIMIT, TimeInForce.FOK),
    "market": (OrderType.MARKET, TimeInForce.GTC),
    "post_only": (OrderType.LIMIT_MAKER, TimeInForce.GTC),
}
_STALE_MS = 30_000
Query = Mapping[str, str]


class Hitch:
    """Something that goes wrong with requests of a path: before they are handled, or with the answer to them."""

    def __init__(self, path: str, what: str, *, after: bool = True, times: int = 1) -> None:
        self.path, self.what, self.after, self.left = path, what, after, times

    def takes(self, path: str, *, after: bool) -> bool:
        """Whether it strikes now."""
        if self.left and after is self.after and path.endswith(self.path):
            self.left -= 1
            return True
        return False


class Denied(Exception):  # noqa: N818 - the venue says no
    """A request that is refused as a whole: the code is that of the envelope."""

    def __init__(self, code: str, msg: str, status: int = 200) -> None:
        super().__init__(code)
        self.code, self.msg, self.status = code, msg, status


class SecondVenue:
    """The venue. `engine` and its ledger are what all other books are compared with."""

    def __init__(
        self, markets: Iterable[MarketSpec] = SPOT, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.now = clock
        self.engine = Engine(markets, clock, clearing=ContractClearing)
        self.page = 100
        self.ids_are_numbers = False
        """Whether ids come as JSON numbers."""
        self.can_withdraw = False
        self.hitches: list[Hitch] = []
        self.wire: list[tuple[str, str, Any]] = []
        """Method, path, and query or body of each request as it came."""
        self.creates: list[str] = []
        """The client ids of all orders that were asked for, as they came."""
        self.hidden: list[Order] = []
        """Post-only orders that were accepted, and canceled since they would have crossed."""
        self.hub = SocketHub(NoFaults)
        self.streams = Streams(self)
        self._index = {spec.symbol: number for number, spec in enumerate(self.engine.markets.values(), 1)}
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    # --- life --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/ws/v5/{kind}", self.streams.serve)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self.streams.close()
        await self.hub.close()
        assert self._runner is not None
        await self._runner.cleanup()

    def add_account(self, balances: Mapping[str, int | str], fees: FeePlan | None = None) -> None:
        """The one account that there is."""
        self.engine.add_account(ANN, {asset: Decimal(amount) for asset, amount in balances.items()}, fees)

    def set_book(self, symbol: str, bid: int, ask: int, near: str = "0.5", far: str = "50") -> None:
        """Two levels a side."""
        sides = [
            [(Decimal(price), Decimal(near)), (Decimal(price + away), Decimal(far))]
            for price, away in ((bid, -10), (ask, 10))
        ]
        self.engine.house_set_book(symbol, *sides)

    def hit(self, symbol: str, side: str, quantity: str, price: str) -> None:
        """The house takes what rests up to a price."""
        self.engine.house_place(symbol, Side(side), Decimal(quantity), Decimal(price), TimeInForce.IOC)

    def strike(self, path: str, what: str, *, after: bool = True, times: int = 1) -> None:
        """Let something go wrong: hang, reset, or `STATUS BODY`."""
        self.hitches.append(Hitch(path, what, after=after, times=times))

    # --- the wire ----------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text) if text else dict(request.query)
        path = request.path.removeprefix("/api/v5")
        self.wire.append((request.method, path, body))
        if path == "/trade/batch-orders":
            self.creates += [each["clOrdId"] for each in body]
        broken = await self._broken(request, path, after=False)
        if broken is not None:
            return broken
        status, answer = self._answer(request, path, body, text)
        return await self._broken(request, path, after=True) or web.json_response(answer, status=status)

    async def _broken(self, request: web.Request, path: str, *, after: bool) -> web.StreamResponse | None:
        hitch = next((each for each in self.hitches if each.takes(path, after=after)), None)
        if hitch is None:
            return None
        if hitch.what == "hang":
            await self._over.wait()
            return web.Response()
        if hitch.what == "reset":
            abort(request.transport)
            return web.Response()
        status, _, text = hitch.what.partition(" ")
        return web.Response(status=int(status), text=text, content_type="text/html" if "<" in text else "application/json")

    def _answer(self, request: web.Request, path: str, body: Any, text: str) -> tuple[int, Any]:
        try:
            handler = _ROUTES.get((request.method, path))
            if handler is None:
                raise Denied("50014", f"{request.method} {path} is not here", 404)
            if not path.startswith(("/public", "/market")):
                self._authorize(request, text)
            return 200, handler(self, body)
        except Denied as denied:
            return denied.status, views.told(code=denied.code, msg=denied.msg)

    def _authorize(self, request: web.Request, text: str) -> None:
        head = request.headers
        stamp = head.get("OK-ACCESS-TIMESTAMP", "")
        if head.get("OK-ACCESS-KEY") != KEY:
            raise Denied("50111", "Invalid OK-ACCESS-KEY", 401)
        if head.get("OK-ACCESS-PASSPHRASE") != PASSPHRASE:
            raise Denied("50105", "Your OK-ACCESS-PASSPHRASE is incorrect.", 401)
        if abs(datetime.fromisoformat(stamp).timestamp() * 1000 - self.now()) > _STALE_MS:
            raise Denied("50102", "Timestamp request expired", 401)
        if head.get("OK-ACCESS-SIGN") != signature(stamp + request.method + request.raw_path + text):
            raise Denied("50113", "Invalid Sign", 401)

    # --- orders ------------------------------------------------------------------------------------------------

    def number(self, order: Order) -> str:
        """An order's id."""
        return views.order_number(order, self._index[order.symbol])

    def _id(self, number: str) -> Any:
        return int(number) if self.ids_are_numbers else number

    def entry(self, order: Order) -> dict[str, Any]:
        """An order as reads tell it."""
        trades = [each for each in self.engine.my_trades(ANN, order.symbol) if each.order_id == order.id]
        found = views.order_entry(order, self.engine.markets[order.symbol], self.number(order), trades)
        return {**found, "ordId": self._id(found["ordId"])}

    def create(self, body: list[Query]) -> dict[str, Any]:
        """POST trade/batch-orders: ids alone, or a code inside of a success."""
        sent = body[0]
        try:
            order = self._place(sent)
        except Refusal as refusal:
            code = "51016" if "Duplicate" in refusal.message else _CODES.get(str(refusal.code), "51000")
            return views.told(_result(sent, "", code, refusal.message), code="1", msg="All operations failed")
        return views.told(_result(sent, self._id(self.number(order)), "0", ""))

    def _place(self, sent: Query) -> Order:
        kind, tif = _TYPES[sent["ordType"]]
        if not (sent["clOrdId"].isalnum() and len(sent["clOrdId"]) <= 32):
            raise Refusal(-1100, "Parameter clOrdId error")
        request = OrderRequest(
            sent["instId"],
            Side(sent["side"].upper()),
            kind,
            qty=Decimal(sent["sz"]),
            price=Decimal(sent.get("px") or 0),
            tif=tif,
            client_id=sent["clOrdId"],
        )
        if self._find(sent["instId"], "", sent["clOrdId"]) is not None:
            raise Refusal(-2010, "Duplicate client id")
        try:
            return self.engine.place(ANN, request)[0]
        except Refusal as refusal:
            if "immediately match" not in refusal.message:
                raise
        return self._crossed(request)

    def _crossed(self, request: OrderRequest) -> Order:
        """A post-only order that would take: accepted, then canceled on the stream."""
        order = self.engine.check(ANN, replace(request, type=OrderType.LIMIT))
        order = replace(order, type=OrderType.LIMIT_MAKER, id=500_000_000 + len(self.hidden))
        self.hidden.append(order)
        self.streams.tell_order(order)
        order.status = Status.CANCELED
        self.streams.tell_order(order)
        return order

    def _orders(self, symbol: str = "") -> list[Order]:
        spots = [symbol] if symbol else list(self.engine.markets)
        known = [order for each in spots for order in self.engine.all_orders(ANN, each)]
        return known + [order for order in self.hidden if order.symbol in spots]

    def _find(self, symbol: str, number: str, client_id: str) -> Order | None:
        for order in self._orders(symbol):
            if (number and self.number(order) == number) or (client_id and order.client_id == client_id):
                return order
        return None

    def cancel(self, body: Query) -> dict[str, Any]:
        """POST trade/cancel-order."""
        order = self._find(body["instId"], str(body.get("ordId", "")), body.get("clOrdId", ""))
        if order is None or not order.open:
            code = "51400" if order is None else "51401"
            return views.told(_result(body, body.get("ordId", ""), code, "gone"), code="1", msg="failed")
        self.engine.cancel(ANN, order.symbol, order.id)
        return views.told(_result({"clOrdId": order.client_id}, self._id(self.number(order)), "0", ""))

    def amend(self, body: Query) -> dict[str, Any]:
        """POST trade/amend-order: in place, by taking it out and putting it in again at the engine."""
        order = self._find(body["instId"], str(body.get("ordId", "")), body.get("clOrdId", ""))
        if order is None or not order.open:
            return views.told(_result(body, body.get("ordId", ""), "51503", "gone"), code="1", msg="failed")
        live = self.engine._market(order.symbol).orders[order.id]  # noqa: SLF001 - Binance cannot change in place
        market = self.engine._market(order.symbol)  # noqa: SLF001
        market.book.side(live.side).remove(live)
        live.qty = Decimal(body.get("newSz", live.qty))
        live.price = Decimal(body.get("newPx", live.price))
        self.engine._clearing.relock(live, market.spec)  # noqa: SLF001
        market.book.side(live.side).add(live)
        self.streams.tell_order(replace(live))
        return views.told({**_result(body, self._id(self.number(order)), "0", ""), "reqId": ""})

    def order(self, query: Query) -> dict[str, Any]:
        """GET trade/order."""
        found = self._find(query["instId"], query.get("ordId", ""), query.get("clOrdId", ""))
        if found is None:
            raise Denied("51603", "Order does not exist")
        return views.told(self.entry(found))

    def pending(self, query: Query) -> dict[str, Any]:
        """GET trade/orders-pending, newest first."""
        found = self.engine.open_orders(ANN, query.get("instId"))
        return views.told(*[self.entry(each) for each in reversed(found)][: self._limit(query)])

    def history(self, query: Query) -> dict[str, Any]:
        """GET trade/orders-history, newest first."""
        found = [
            order
            for order in self._orders(query.get("instId", ""))
            if not order.open
            and views.STATES[order.status] == query.get("state", views.STATES[order.status])
            and int(query.get("begin", 0)) <= order.ts <= int(query.get("end", 1 << 62))
        ]
        found.sort(key=lambda order: -order.ts)
        return views.told(*[self.entry(each) for each in found][: self._limit(query)])

    def _limit(self, query: Query) -> int:
        return min(int(query.get("limit") or 100), self.page)

    def fills(self, query: Query) -> dict[str, Any]:
        """GET trade/fills-history, newest first."""
        begin, end = int(query.get("begin", 0)), int(query.get("end", 1 << 62))
        mine = self.engine.my_trades(ANN, query.get("instId"))
        found = [self._fill(number, each) for number, each in enumerate(mine) if begin <= each.ts <= end]
        return views.told(*list(reversed(found))[: self._limit(query)])

    def _fill(self, bill: int, trade: Trade) -> dict[str, Any]:
        order = self.engine.query(ANN, trade.symbol, trade.order_id)
        return views.fill_entry(trade, self.engine.markets[trade.symbol], self._id(self.number(order)), bill)

    # --- the account -------------------------------------------------------------------------------------------

    def details(self) -> list[dict[str, Any]]:
        """All coins."""
        profits: dict[str, Decimal] = {}
        for spec, held, mark in self._positions():
            gained = mul(mul(sub(mark, held.entry), held.contracts), spec.size)
            profits[spec.settle] = add(profits.get(spec.settle, ZERO), gained)
        return [
            views.balance_detail(asset, *amounts, profits.get(asset, ZERO))
            for asset, amounts in self.engine.balances(ANN).items()
        ]

    def _positions(self) -> list[tuple[ContractSpec, Any, Decimal]]:
        clearing: Any = self.engine._clearing  # noqa: SLF001 - positions are this venue's own
        return [
            (spec, held, self.engine.last_price(symbol) or held.entry)
            for (_, symbol), held in clearing.positions.items()
            if held.contracts and isinstance(spec := self.engine.markets[symbol], ContractSpec)
        ]

    def balance(self, _query: Query) -> dict[str, Any]:
        """GET account/balance."""
        return views.told({"details": self.details(), "uTime": str(self.now()), "totalEq": "0"})

    def positions(self, _query: Query) -> dict[str, Any]:
        """GET account/positions."""
        return views.told(*(views.position_entry(*each, self.now()) for each in self._positions()))

    def config(self, _query: Query) -> dict[str, Any]:
        """GET account/config."""
        return views.told({"uid": "1", "acctLv": "2", "perm": "read_only,withdraw,trade" if self.can_withdraw else "read_only,trade"})

    # --- the market --------------------------------------------------------------------------------------------

    def instruments(self, query: Query) -> dict[str, Any]:
        """GET public/instruments."""
        found = [spec for spec in self.engine.markets.values() if views.kind_of(spec) == query["instType"]]
        return views.told(*map(views.instrument, found))

    def book(self, query: Query) -> dict[str, Any]:
        """GET market/books."""
        return views.told(self.streams.levels(query["instId"], int(query.get("sz") or 1)))

    def trades(self, query: Query) -> dict[str, Any]:
        """GET market/trades: the newest, newest first, whatever time is asked for."""
        found = self.engine.public_trades(query["instId"])[-min(int(query.get("limit") or 100), 500) :]
        return views.told(*(views.public_trade(each) for each in reversed(found)))

    def candles(self, query: Query) -> dict[str, Any]:
        """GET market/candles: newest first, those between `before` and `after`, both left out."""
        step = INTERVALS[query["bar"].replace("H", "h").replace("D", "d").replace("utc", "")]
        early, late = int(query.get("before") or 0), int(query.get("after") or 1 << 62)
        made = candles_of(self.engine.past.get(query["instId"], ()), self.engine.public_trades(query["instId"]), step, self.now())
        found = [each for each in made if early < each.start < late]
        size = min(int(query.get("limit") or 100), 300)
        rows = [views.candle_row(each, closed=each.start + step <= self.now()) for each in found]
        return views.told(*list(reversed(rows))[:size])

    def ticker(self, query: Query) -> dict[str, Any]:
        """GET market/ticker."""
        return views.told(self.streams.ticker(query["instId"]))

    def time(self, _query: Query) -> dict[str, Any]:
        """GET public/time."""
        return views.told({"ts": str(self.now())})


def _result(sent: Query, number: Any, code: str, message: str) -> dict[str, Any]:
    return {"clOrdId": sent.get("clOrdId", ""), "ordId": number, "tag": "", "sCode": code, "sMsg": message}


def signature(text: str) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()


def utc(ms: int) -> str:
    """An ISO time."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


_ROUTES: dict[tuple[str, str], Callable[[SecondVenue, Any], dict[str, Any]]] = {
    ("GET", "/public/instruments"): SecondVenue.instruments,
    ("GET", "/public/time"): SecondVenue.time,
    ("GET", "/market/books"): SecondVenue.book,
    ("GET", "/market/trades"): SecondVenue.trades,
    ("GET", "/market/candles"): SecondVenue.candles,
    ("GET", "/market/history-candles"): SecondVenue.candles,
    ("GET", "/market/ticker"): SecondVenue.ticker,
    ("POST", "/trade/batch-orders"): SecondVenue.create,
    ("POST", "/trade/cancel-order"): SecondVenue.cancel,
    ("POST", "/trade/amend-order"): SecondVenue.amend,
    ("GET", "/trade/order"): SecondVenue.order,
    ("GET", "/trade/orders-pending"): SecondVenue.pending,
    ("GET", "/trade/orders-history"): SecondVenue.history,
    ("GET", "/trade/fills-history"): SecondVenue.fills,
    ("GET", "/account/balance"): SecondVenue.balance,
    ("GET", "/account/positions"): SecondVenue.positions,
    ("GET", "/account/config"): SecondVenue.config,
}
