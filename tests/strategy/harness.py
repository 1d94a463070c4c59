"""Drives one strategy by hand, or over a small market, through the very handlers that a run would call."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tradingd
from tradingd.domain.enums import Direction, InstrumentKind, OrderStatus, OrderType, Side
from tradingd.domain.events import (
    Bar,
    CancelRequest,
    Event,
    EventType,
    Fill,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    Signal,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import from_market, magnitude
from tradingd.domain.position import Position
from tradingd.domain.prices import PriceBoard
from tradingd.strategy.base import Strategy
from tradingd.strategy.context import StrategyContext
from tradingd.strategy.factory import StrategyFactory

MINUTE = 60_000_000_000
SHIPPED = Path(tradingd.__file__).parent / "sample_data" / "equities_daily"
CRYPTO = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tests_only" / "crypto_1m"
REAL_FILES = [
    *(SHIPPED / f"{name}.parquet" for name in ("AAPL", "FB", "GOOG", "IBM", "MSFT")),
    CRYPTO / "coinbase_BTCUSD_20180404_20180406.parquet",
    CRYPTO / "coinbase_BTCEUR_20180404_20180406.parquet",
    CRYPTO / "coinbase_ETHUSD_20180404_20180405.parquet",
    CRYPTO / "coinbase_LTCUSD_20180404_20180406.parquet",
]


def instrument(symbol: str = "X") -> Instrument:
    """Shares with a cent of tick and a lot of 0.001."""
    return Instrument(
        symbol=symbol,
        kind=InstrumentKind.EQUITY,
        base=symbol,
        quote="USD",
        tick=Decimal("0.01"),
        lot=Decimal("0.001"),
    )


def real_columns(path: Path) -> dict[str, list[float]]:
    """Open, high, low, close and volume of a file of real bars; skips where it is absent."""
    if not path.exists():
        pytest.skip(f"the real bars {path} are not in this checkout")
    table = pq.read_table(path, columns=["open", "high", "low", "close", "volume"])
    return {name: table[name].to_pylist() for name in table.column_names}


class ManualClock:
    """Shows the time of the last bar."""

    time = 0

    def now(self) -> int:
        """Nanoseconds UTC."""
        return self.time


class NoTimers:
    """No strategy here uses one."""

    def schedule(self, owner: str, name: str, interval_ns: int) -> None:
        """Never called."""

    def unschedule(self, owner: str, name: str) -> None:
        """Never called."""


class Books:
    """Real positions, one book for all: as much of a portfolio as a strategy can see."""

    currency = "USD"

    def __init__(self) -> None:
        self.held: dict[str, Position] = {}

    @property
    def positions(self) -> Mapping[str, Position]:
        """What is not flat."""
        return {symbol: position for symbol, position in self.held.items() if not position.is_flat}

    def get_equity(self) -> Decimal:
        """Nothing here asks for it."""
        return Decimal(0)

    def get_position(self, symbol: str) -> Position:
        """The account's position, which is the strategy's."""
        return self.held.setdefault(symbol, Position(symbol, instrument(symbol)))

    def get_strategy_position(self, strategy_id: str, symbol: str) -> Position:
        """The strategy's position, which is the account's."""
        return self.get_position(symbol)


class Harness:
    """One strategy, bound to a run in which the test plays risk, execution and portfolio."""

    def __init__(self, name: str, **params: Any) -> None:
        self.emitted: list[Event] = []
        self.clock = ManualClock()
        self.prices = PriceBoard()
        self.books = Books()
        self.strategy: Strategy = StrategyFactory(self._context).create(name, {"symbol": "X", **params})
        self.strategy.on_start()
        self._handlers = self.strategy.handlers()
        self._trades = count(1)

    def _context(self, strategy_id: str) -> StrategyContext:
        return StrategyContext(
            strategy_id,
            emit=self.emitted.append,
            clock=self.clock,
            prices=self.prices,
            portfolio=self.books,
            instruments={"X": instrument()},
            timers=NoTimers(),
        )

    def handle(self, event: Event) -> list[Event]:
        """Hand the strategy an event; returns what it asked for."""
        before = len(self.emitted)
        self._handlers[event.type](event)
        return self.emitted[before:]

    def bar(
        self, close: float, high: float | None = None, low: float | None = None, open_: float | None = None
    ) -> list[Event]:
        """Close a bar; without more than a close it is a dash."""
        self.clock.time += MINUTE
        event = Bar(
            self.clock.time,
            "X",
            close if open_ is None else open_,
            close if high is None else high,
            close if low is None else low,
            close,
            1.0,
            self.clock.time - MINUTE,
        )
        self.prices.update(event)
        return self.handle(event)

    def closes(self, closes: Iterable[float]) -> list[Event]:
        """Close bar after bar; returns all that was asked for."""
        before = len(self.emitted)
        for close in closes:
            self.bar(close)
        return self.emitted[before:]

    def hold(self, quantity: str, price: str = "100") -> None:
        """Begin with a position that no fill of this run has made."""
        self.books.get_position("X").trade(Decimal(quantity), Decimal(price))

    def fill(self, intent_id: str, side: Side, quantity: str, price: str = "100") -> list[Event]:
        """Book a fill and tell the strategy of it."""
        fill = Fill(
            self.clock.time,
            "X",
            side,
            Decimal(quantity),
            Decimal(price),
            strategy_id=self.strategy.strategy_id,
            intent_id=intent_id,
            trade_id=str(next(self._trades)),
        )
        position = self.books.get_position("X")
        realized = position.trade(side.sign * fill.quantity, fill.price)
        return self.handle(
            PositionUpdate(fill.ts, fill.strategy_id, "X", position.quantity, position.cost, realized, fill)
        )

    def order(
        self,
        intent_id: str,
        status: OrderStatus,
        *,
        side: Side = Side.BUY,
        kind: OrderType = OrderType.MARKET,
        quantity: str | Decimal = "1",
        filled: str = "0",
        stop: str | Decimal | None = None,
        reason: str = "",
    ) -> list[Event]:
        """Tell the strategy of one of its orders."""
        order_id = "" if status is OrderStatus.DENIED else f"client-{intent_id}"
        return self.handle(
            OrderUpdate(
                self.clock.time,
                self.strategy.strategy_id,
                intent_id,
                order_id,
                "X",
                side,
                kind,
                Decimal(quantity),
                Decimal(filled),
                status,
                reason,
                stop_price=None if stop is None else Decimal(stop),
            )
        )

    def accept(self, request: OrderRequest, status: OrderStatus = OrderStatus.OPEN, **changes: Any) -> list[Event]:
        """Tell the strategy that its stop works (or whatever `status` says)."""
        told: dict[str, Any] = {"quantity": request.quantity, "stop": request.stop_price, **changes}
        return self.order(request.intent_id, status, side=request.side, kind=request.order_type, **told)


def only(events: list[Event]) -> Any:
    """The one event there is."""
    assert len(events) == 1, events
    return events[0]


def only_signal(events: list[Event], direction: Direction) -> Signal:
    """The one event there is, which is a signal in that direction."""
    signal = only(events)
    assert isinstance(signal, Signal)
    assert signal.direction is direction
    return signal


class Market:
    """Plays risk, execution and broker over bars: one unit a signal, market orders at the next open.

    A stop fills at its price, or at the open when that is beyond it. FLAT cancels what works, then closes.
    """

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.stops: dict[str, OrderRequest] = {}
        self.orders: list[tuple[str, Side, Decimal]] = []
        self.signals: list[tuple[int, Direction]] = []

    def run(self, columns: dict[str, list[float]]) -> Iterator[int]:
        """Trade the bars one by one; yields the number of each bar when all is quiet again."""
        rows = zip(columns["open"], columns["high"], columns["low"], columns["close"], strict=True)
        for number, (open_, high, low, close) in enumerate(rows):
            self._match(open_, high, low)
            self._serve(number, self.harness.bar(close, high, low, open_))
            yield number

    def _match(self, open_: float, high: float, low: float) -> None:
        due, self.orders = self.orders, []
        for intent_id, side, quantity in due:
            self._trade(intent_id, side, quantity, from_market(open_))
        for intent_id, stop in list(self.stops.items()):
            touched = low <= stop.stop_price if stop.side is Side.SELL else high >= stop.stop_price
            if touched:
                del self.stops[intent_id]
                beyond = min if stop.side is Side.SELL else max
                self._trade(intent_id, stop.side, stop.quantity, beyond(from_market(open_), stop.stop_price))

    def _trade(self, intent_id: str, side: Side, quantity: Decimal, price: Decimal) -> None:
        told = {"side": side, "quantity": str(quantity), "filled": str(quantity)}
        self._serve(-1, self.harness.fill(intent_id, side, str(quantity), str(price)))
        self._serve(-1, self.harness.order(intent_id, OrderStatus.FILLED, **told))

    def _serve(self, number: int, wishes: list[Event]) -> None:
        for wish in wishes:
            match wish:
                case Signal():
                    self.signals.append((number, wish.direction))
                    self._on_signal(number, wish)
                case OrderRequest():
                    self.stops[wish.intent_id] = wish
                    self._serve(number, self.harness.accept(wish))
                case ModifyRequest():
                    self._modify(number, wish)
                case CancelRequest():
                    self._cancel(number, wish.intent_id)

    def _on_signal(self, number: int, signal: Signal) -> None:
        held = self.harness.books.get_position("X").quantity
        wanted = {Direction.LONG: 1, Direction.SHORT: -1, Direction.FLAT: 0}[signal.direction]
        if signal.direction is Direction.FLAT:
            for intent_id in list(self.stops):
                self._cancel(number, intent_id)
        if change := wanted - held:
            side = Side.BUY if change > 0 else Side.SELL
            self.orders.append((signal.intent_id, side, magnitude(change)))
            self.harness.order(signal.intent_id, OrderStatus.OPEN, side=side, quantity=magnitude(change))

    def _modify(self, number: int, wish: ModifyRequest) -> None:
        old = self.stops[wish.intent_id]
        new = OrderRequest(
            old.ts,
            old.strategy_id,
            old.intent_id,
            old.symbol,
            old.side,
            wish.quantity or old.quantity,
            old.order_type,
            stop_price=wish.stop_price or old.stop_price,
        )
        self.stops[wish.intent_id] = new
        self._serve(number, self.harness.accept(new))

    def _cancel(self, number: int, intent_id: str) -> None:
        self._serve(number, self.harness.accept(self.stops.pop(intent_id), OrderStatus.CANCELED))


def event_types(events: list[Event]) -> list[EventType]:
    """What kinds of events these are."""
    return [event.type for event in events]
