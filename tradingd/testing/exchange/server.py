"""The loopback exchange: Binance spot's protocol served on 127.0.0.1 for the unmodified ccxt client."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, Protocol, Self, runtime_checkable

from aiohttp import ClientSession, web

from tradingd.testing.exchange import rest, wsapi
from tradingd.testing.exchange.auth import ApiKey
from tradingd.testing.exchange.desk import Desk
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.limits import LimitPlan
from tradingd.testing.exchange.model import (
    BalanceChange,
    Call,
    EngineEvent,
    Fate,
    FaultLayer,
    FeePlan,
    MarketSpec,
    NoFaults,
    OrderEvent,
    Refusal,
    Reply,
    SelfTrade,
    Transfer,
)
from tradingd.testing.exchange.sockets import Socket, SocketHub
from tradingd.testing.exchange.streams import MarketStreams
from tradingd.testing.exchange.tls import Certificate, make_certificate, session_for

__all__ = ["MARKETS", "Environment", "LoopbackExchange"]

Environment = Literal["production", "sandbox", "demo"]

MARKETS = (
    MarketSpec("BTCUSDT", "BTC", "USDT"),
    MarketSpec("ETHUSDT", "ETH", "USDT", lot=Decimal("0.0001"), min_qty=Decimal("0.0001")),
    MarketSpec(
        "ETHBTC",
        "ETH",
        "BTC",
        tick=Decimal("0.00001"),
        min_price=Decimal("0.00001"),
        max_price=Decimal(1_000),
        lot=Decimal("0.0001"),
        min_qty=Decimal("0.0001"),
        min_notional=Decimal("0.0001"),
    ),
    MarketSpec("BNBUSDT", "BNB", "USDT", lot=Decimal("0.001"), min_qty=Decimal("0.001")),
)
"""The markets of an exchange that was not told otherwise."""

_SPOT_ONLY = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}
"""Without these three ccxt asks hosts for markets that this exchange does not have."""
_URLS = {"production": "api", "sandbox": "test", "demo": "demo"}


@runtime_checkable
class _Binds(Protocol):
    def bind(self, exchange: "LoopbackExchange") -> None: ...


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class LoopbackExchange:
    """An exchange on 127.0.0.1. Use it as an async context manager, or `start()` and `stop()` it.

    `extra_routes` adds routes before the exchange's own; `faults` spoils what passes; `clock` returns
    milliseconds.
    All state is this object's own: several may run in one process, each in a loop or a thread of its own.
    """

    def __init__(
        self,
        markets: Iterable[MarketSpec] = MARKETS,
        *,
        limits: LimitPlan | None = None,
        faults: FaultLayer | None = None,
        extra_routes: "Callable[[LoopbackExchange], Iterable[web.RouteDef]] | None" = None,
        self_trade: SelfTrade = SelfTrade.NONE,
        tls: bool = False,
        clock: Callable[[], int] = _wall_ms,
    ) -> None:
        self.skew_ms = 0
        """How far the exchange's clock runs ahead of the real one."""
        self._clock = clock
        self.engine = Engine(markets, self.now_ms, self_trade)
        self.desk = Desk(self.engine, limits or LimitPlan())
        self.faults: FaultLayer = faults or NoFaults()
        self.hub = SocketHub(lambda: self.faults)
        self.wire: list[Call] = []
        """Every request as it was received, handled or not."""
        self.defects: list[BaseException] = []
        """What went wrong in the exchange itself; `stop` raises it, since a test must not pass over it."""
        self.streams = MarketStreams(self)
        self._sessions: dict[int, tuple[Socket, wsapi.Session]] = {}
        self._extra_routes = extra_routes
        self._certificate: Certificate | None = make_certificate() if tls else None
        self._runner: web.AppRunner | None = None
        self._ports: list[int] = []
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.engine.listen(self._tell_users)
        if isinstance(self.faults, _Binds):
            self.faults.bind(self)

    def now_ms(self) -> int:
        """The exchange's clock, its skew included."""
        return self._clock() + self.skew_ms

    # -- life
    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens on free ports of 127.0.0.1."""
        app = web.Application(client_max_size=1 << 20)
        extra = self._extra_routes(self) if self._extra_routes is not None else ()
        app.add_routes([*extra, web.get("/ws-api/v3", self._ws_api), *self.streams.routes()])
        app.router.add_route("*", "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        if self._certificate is not None:
            await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._certificate.server_context()).start()
        self._ports = [int(address[1]) for address in self._runner.addresses]

    async def stop(self) -> None:
        """Closes every socket and stops listening; what hangs is let go.

        Raises BaseExceptionGroup where the exchange itself failed meanwhile: what it told is worth nothing then.
        """
        self._stopped.set()
        self.streams.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.defects:
            raise BaseExceptionGroup("defects of the loopback exchange itself", self.defects)

    # -- how to reach it
    @property
    def port(self) -> int:
        """The plain port."""
        return self._ports[0]

    @property
    def rest_url(self) -> str:
        """The base of all REST paths: http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self.port}"

    def ccxt_config(
        self, key: str = "", environment: Environment = "production", *, plain: bool = True
    ) -> dict[str, Any]:
        """Returns what to construct `ccxt.pro.binance` with; `key` is an API key that `add_account` was given.

        "sandbox" wants `set_sandbox_mode(True)` after construction, "demo" `enable_demo_trading(True)`. `plain`
        False is for the TLS face: no URLs, since `production_session` leads ccxt's own ones here.
        """
        config: dict[str, Any] = {"options": dict(_SPOT_ONLY)}
        if key:
            config |= {"apiKey": key, "secret": self.desk.keys[key].secret}
        if plain:
            config["urls"] = {_URLS[environment]: self._urls()}
        return config

    def _urls(self) -> dict[str, Any]:
        socket_url = f"ws://127.0.0.1:{self.port}"
        return {
            "public": f"{self.rest_url}/api/v3",
            "private": f"{self.rest_url}/api/v3",
            "sapi": f"{self.rest_url}/sapi/v1",
            "ws": {"spot": f"{socket_url}/stream/ws", "ws-api": {"spot": f"{socket_url}/ws-api/v3"}},
        }

    def production_session(self) -> ClientSession:
        """A session for ccxt's `session` argument that finds production's host names here; its user closes it."""
        if self._certificate is None:
            raise RuntimeError("this exchange has no TLS face: construct it with tls=True")
        return session_for(self._ports[1], self._certificate)

    # -- who may come
    def add_account(
        self,
        key: str,
        secret: str,
        balances: Mapping[str, Decimal | int | str],
        *,
        name: str = "",
        fees: FeePlan | None = None,
        can_trade: bool = True,
        can_withdraw: bool = False,
    ) -> str:
        """Opens an account (`name`: else the key's) with one API key; returns its name.

        `secret` is an HMAC secret, or the PEM text of an ed25519 private key.
        """
        account = name or key
        self.engine.add_account(account, {asset: Decimal(amount) for asset, amount in balances.items()}, fees)
        self.add_key(key, secret, account, can_trade=can_trade, can_withdraw=can_withdraw)
        return account

    def add_key(
        self, key: str, secret: str, account: str, *, can_trade: bool = True, can_withdraw: bool = False
    ) -> None:
        """Gives an account one more API key."""
        self.desk.keys[key] = ApiKey(key, secret, account, can_trade, can_withdraw, created=self.now_ms())

    def revoke_keys(self, account: str) -> bool:
        """Takes the API keys of an account out of force; tells whether there were any."""
        keys = [key.key for key in self.desk.keys.values() if key.account == account]
        for key in keys:
            del self.desk.keys[key]
        return bool(keys)

    def subscribers(self, account: str) -> int:
        """How many user data subscriptions the account has at this moment."""
        names = [name for _, session in self._sessions.values() for name in session.subscriptions.values()]
        return names.count(account)

    # -- REST
    async def _rest(self, request: web.Request) -> web.StreamResponse:
        raw = request.rel_url.raw_query_string
        body = await request.text()
        call = self._record("rest", request.method, request.path, rest.params_of(f"{raw}&{body}"), request)
        reply = await self.faults.before(call)
        if reply is None:
            reply = await self.faults.after(call, self._answer(call, raw + body))
        return await rest.send(request, reply, self._stopped)

    def _answer(self, call: Call, raw: str) -> Reply:
        try:
            return rest.answer(self.desk, call, raw)
        except Exception as defect:  # noqa: BLE001 - kept for stop() to raise; the client sees a server's error
            self.defects.append(defect)
            return rest.error_reply(-1000, "An unknown error occurred while processing the request.", 500)

    def _record(
        self, kind: str, method: str, path: str, params: dict[str, str], request: web.Request | None = None
    ) -> Call:
        at = time.monotonic()
        key = request.headers.get("X-MBX-APIKEY", "") if request is not None else params.get("apiKey", "")
        call = Call(
            kind=kind,
            method=method,
            path=path,
            params=params,
            at=at,
            seq=len(self.wire) + 1,
            api_key=key,
            account=self.desk.account_of(key),
            client_id=params.get("newClientOrderId") or params.get("origClientOrderId", ""),
        )
        self.wire.append(call)
        return call

    # -- ws-api
    async def _ws_api(self, request: web.Request) -> web.StreamResponse:
        call = self._record("connect", "CONNECT", request.path, {})
        refused = await self.faults.before(call)
        if refused is not None:
            return await rest.send(request, refused, self._stopped)
        socket, ws = await self.hub.accept(request, "user")
        session = wsapi.Session()
        self._sessions[socket.connection] = (socket, session)
        try:
            await socket.serve(lambda message: self._start(self._ask(socket, session, message)))
        finally:
            del self._sessions[socket.connection]
        return ws

    def _start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        defect = None if task.cancelled() else task.exception()
        if defect is not None:
            self.defects.append(defect)

    async def _ask(self, socket: Socket, session: wsapi.Session, message: str) -> None:
        try:
            request_id, method, raw = wsapi.read(self.desk, session, message)
        except Refusal as refusal:
            socket.send(rest.dump(wsapi.refused(None, refusal)), "reply")
            return
        call = self._record("ws", method, "/ws-api/v3", wsapi.texts(raw))
        reply = await self.faults.before(call)
        if reply is None:
            reply = await self.faults.after(call, wsapi.respond(self.desk, session, request_id, call, raw))
            socket.account = socket.account or next(iter(session.subscriptions.values()), "")
        _send(socket, reply)

    def _tell_users(self, event: EngineEvent) -> None:
        if isinstance(event, (OrderEvent, BalanceChange, Transfer)):
            for socket, session in self._sessions.values():
                for body, topic in session.wrap(event.account, event):
                    socket.send(body, topic)


def _send(socket: Socket, reply: Reply) -> None:
    if reply.fate is Fate.RESET:
        socket.abort()
    elif reply.fate is Fate.TRUNCATE:
        socket.send(reply.text[: len(reply.text) // 2], "reply")
    elif reply.fate is Fate.SEND:
        socket.send(reply.text, "reply")
