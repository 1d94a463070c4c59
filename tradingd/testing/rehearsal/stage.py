"""The exchange of a rehearsal: made for what a configuration trades, with faults, and read from outside."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Self, TypeVar

from tradingd.commands.rehearsal_report import Deal, SentOrder
from tradingd.domain.money import ZERO, add, divide
from tradingd.errors import UsageError
from tradingd.testing.exchange.faults import FaultScript, ScriptedFaults
from tradingd.testing.exchange.hooks import Call
from tradingd.testing.exchange.limits import LimitPlan
from tradingd.testing.exchange.model import MarketSpec, Order, Side, Trade
from tradingd.testing.exchange.server import LoopbackExchange
from tradingd.testing.exchange.source import MarketSource, Plan

__all__ = ["NO_FAULTS", "Stage"]

_WORTH = {"BTC": Decimal(60_000), "ETH": Decimal(3_000), "BNB": Decimal(600)}
_STABLE = frozenset({"USD", "USDT", "USDC", "EUR", "GBP", "TUSD", "FDUSD", "DAI"})
_OTHER = Decimal(10)
"""What one of another coin is worth: prices need only agree with one another."""
_DIGITS = 6
"""A price has about so many digits: its tick is a millionth of it."""
_LOT_WORTH, _LEAST_WORTH = Decimal("0.01"), Decimal(5)
_MOST_LOTS = 9
_CENT = Decimal("1E-8")
_START_S = 30.0
_NOT_RUNNING = "the rehearsal's exchange does not run; use it in a `with`"
_MANY = LimitPlan(weight=10_000_000, orders_10s=1_000_000, orders_day=10_000_000)

_T = TypeVar("_T")
NO_FAULTS = FaultScript()


class Stage:
    """An exchange for some accounts, with one seeded market per symbol, and the faults of a script.

    `accounts` are the symbols of each account, in ccxt's form; each begins with every quote currency,
    worth `cash`. `rate` is how often a second something happens in each market. As a context manager it runs in a
    thread of its own, which nothing that its user does can hold up; as an asynchronous one in the user's loop,
    which is quicker.
    """

    def __init__(
        self,
        accounts: Mapping[str, Sequence[str]],
        script: FaultScript = NO_FAULTS,
        *,
        seed: int = 1,
        cash: Decimal = Decimal(10_000),
        rate: float = 40.0,
    ) -> None:
        symbols = list(dict.fromkeys(symbol for each in accounts.values() for symbol in each))
        self._accounts = accounts
        self._names = {_exchange_name(symbol): symbol for symbol in symbols}
        self._seed, self._rate, self._cash = seed, rate, cash
        self.faults = ScriptedFaults(script)
        self._markets = [_market(symbol) for symbol in symbols]
        self._exchange: LoopbackExchange | None = None
        self._source: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = threading.Event()
        self._over = asyncio.Event()
        self._failure: BaseException | None = None
        self.held: Callable[[], bool] = lambda: False
        """Whether the markets stand still now; it may be asked in the exchange's thread."""
        self.keys = {account: {"api_key": f"key-of-{account}", "secret": "rehearsal"} for account in accounts}

    # --- its life ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        exchange = self._opened()
        plans = [Plan(each.symbol, price_of(self._names[each.symbol])) for each in self._markets]
        source = MarketSource(exchange.engine, plans, self._seed)
        await exchange.start()
        self._exchange = exchange
        self._source = asyncio.create_task(source.run(self._rate * len(plans), held=self._is_held))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._source is not None:
            self._source.cancel()
            await asyncio.gather(self._source, return_exceptions=True)
        await self._made.stop()

    def _opened(self) -> LoopbackExchange:
        exchange = LoopbackExchange(self._markets, faults=self.faults, limits=_MANY)
        for account, symbols in self._accounts.items():
            quotes = {quote: divide(self._cash, _worth(quote), _CENT) for _, quote in map(_assets, symbols)}
            key = self.keys[account]
            exchange.add_account(key["api_key"], key["secret"], quotes, name=account)
        return exchange

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)
        self._thread.start()
        if not self._begun.wait(_START_S) or self._failure is not None:
            raise UsageError(f"the rehearsal's exchange did not start: {self._failure or 'it took too long'}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - told in the other thread
            self._failure = error
        finally:
            self._begun.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self:
            self._begun.set()
            await self._over.wait()

    # --- what is asked of it -----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._made.rest_url

    @property
    def _made(self) -> LoopbackExchange:
        if self._exchange is None:
            raise UsageError(_NOT_RUNNING)
        return self._exchange

    def _is_held(self) -> bool:
        return self.held()

    def orders(self) -> int:
        """How many new orders were asked for until now."""
        return self._ask(lambda: sum(call.places_order for call in self._made.wire))

    def accepted(self) -> int:
        """How many orders the accounts have had until now, whatever became of them."""
        return self._ask(
            lambda: sum(
                len(self._made.engine.all_orders(account, symbol))
                for account in self._accounts
                for symbol in self._names
            )
        )

    def hits(self) -> int:
        """How often the fault struck."""
        return self._ask(lambda: len(self.faults.log))

    def struck(self) -> dict[str, int]:
        """How often each fault struck."""
        return self._ask(lambda: {name: number for name, number in self.faults.report().items() if number})

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self._ask(self.faults.calm)

    def recovery_s(self) -> float | None:
        """The longest that it took from a strike until the next order was accepted; None where none was."""
        return self._ask(
            lambda: longest_wait(
                [hit.at for hit in self.faults.log],
                [call.at for call in self._calls() if self._order(call) is not None],
            )
        )

    def sent(self) -> tuple[SentOrder, ...]:
        """Every request for a new order, as it arrived."""
        return self._ask(lambda: tuple(self._sent(call) for call in self._calls()))

    def deals(self) -> tuple[Deal, ...]:
        """The trades of all accounts, in order."""
        return self._ask(lambda: tuple(self._deals()))

    def balances(self) -> dict[str, Decimal]:
        """What the accounts hold together, free and locked, by asset."""
        return self._ask(self._balances)

    def _ask(self, question: Callable[[], _T]) -> _T:
        """The answer to a question that is put where the exchange runs."""
        if self._thread is None:
            return question()

        async def ask() -> _T:
            return question()

        if self._loop is None:
            raise UsageError(_NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(_START_S)

    # --- in its thread -----------------------------------------------------------------------------------------

    def _calls(self) -> Iterator[Call]:
        return (call for call in self._made.wire if call.places_order and call.account in self._accounts)

    def _order(self, call: Call) -> Order | None:
        orders = self._made.engine.all_orders(call.account, call.params.get("symbol", ""))
        return next((each for each in orders if each.client_id == call.client_id), None)

    def _sent(self, call: Call) -> SentOrder:
        order = self._order(call)
        symbol = call.params.get("symbol", "")
        asked = Decimal(call.params.get("quantity", "0")), Decimal(call.params.get("price", "0"))
        quantity, price = asked if order is None else (order.qty, _price(order))
        name = self._names.get(symbol, symbol)
        return SentOrder(call.account, call.client_id, name, quantity, price, accepted=order is not None)

    def _deals(self) -> Iterator[Deal]:
        trades = [each for account in self._accounts for each in self._made.engine.my_trades(account)]
        return (self._deal(each) for each in sorted(trades, key=lambda trade: (trade.ts, trade.id)))

    def _deal(self, trade: Trade) -> Deal:
        return Deal(
            trade.account,
            self._names.get(trade.symbol, trade.symbol),
            str(trade.id),
            trade.side is Side.BUY,
            trade.qty,
            trade.price,
            ((trade.fee_asset, trade.fee),) if trade.fee else (),
        )

    def _balances(self) -> dict[str, Decimal]:
        total: dict[str, Decimal] = {}
        for account in self._accounts:
            for asset, (free, locked) in self._made.engine.balances(account).items():
                total[asset] = add(total.get(asset, ZERO), add(free, locked))
        return total


def longest_wait(hits: Sequence[float], accepted: Sequence[float]) -> float | None:
    """The longest time from a strike to the next accepted order; None where one was never followed by any."""
    waits = [min((at - hit for at in accepted if at > hit), default=None) for hit in hits]
    found = [wait for wait in waits if wait is not None]
    return max(found) if found and len(found) == len(waits) else None


def _price(order: Order) -> Decimal:
    if order.price:
        return order.price
    return divide(order.quote_filled, order.filled) if order.filled else ZERO


# --- markets ---------------------------------------------------------------------------------------------------


def _assets(symbol: str) -> tuple[str, str]:
    base, _, quote = symbol.partition("/")
    if not quote or ":" in quote:
        raise UsageError(f"{symbol}: the rehearsal's exchange is a spot market; rehearse with spot symbols only")
    return base, quote


def _exchange_name(symbol: str) -> str:
    return "".join(_assets(symbol))


def price_of(symbol: str) -> Decimal:
    """A price for a symbol, such that all prices agree with one another, on its tick."""
    return divide(*_worths(symbol), _tick(symbol))


def _worths(symbol: str) -> tuple[Decimal, Decimal]:
    base, quote = _assets(symbol)
    return _worth(base), _worth(quote)


def _worth(asset: str) -> Decimal:
    return Decimal(1) if asset in _STABLE else _WORTH.get(asset, _OTHER)


def _tick(symbol: str) -> Decimal:
    return Decimal(1).scaleb(divide(*_worths(symbol)).adjusted() - _DIGITS)


def _market(symbol: str) -> MarketSpec:
    base, quote = _assets(symbol)
    lot = Decimal(1).scaleb(divide(_LOT_WORTH, _worth(base)).adjusted())
    tick, most = _tick(symbol), lot.scaleb(_MOST_LOTS)
    return MarketSpec(
        _exchange_name(symbol),
        base,
        quote,
        tick=tick,
        min_price=tick,
        max_price=tick.scaleb(2 * _DIGITS),
        lot=lot,
        min_qty=lot,
        max_qty=most,
        market_max_qty=most,
        min_notional=divide(_LEAST_WORTH, _worth(quote), _CENT),
    )
