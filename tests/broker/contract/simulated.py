"""The simulated exchange as a stand, at once and behind a connection with latency."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from tests.broker.ccxt.rig import Books
from tests.broker.contract.market import Levels
from tests.broker.contract.stand import HOLDINGS, MIDDLE, SYMBOL, Stand, levels
from tradingd.broker.base import Broker
from tradingd.broker.latency import DelayedBroker, fixed
from tradingd.broker.models import FeeModel, maker_taker_fee, third_coin_fee
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import AccountSnapshot, Balance, Book, Event, EventType, Fee, Quote, Trade, TradeReport
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import mul
from tradingd.domain.venue import EVERYTHING, VenueCapabilities
from tradingd.testing import at, make_instrument

_RATE = Decimal("0.001")
_DELAY_NS = 30_000_000
_STEP_S = 0.02
_PATIENCE = 10_000
VENUE = "SIM"


def base_fee(instrument: Instrument, quantity: Decimal, _price: Decimal, _liquidity: Liquidity) -> tuple[Fee, ...]:
    """A fee in the coin that was traded."""
    return (Fee(instrument.base, mul(quantity, _RATE)),)


FEES: dict[str, FeeModel] = {
    "base": base_fee,
    "quote": maker_taker_fee(_RATE, _RATE),
    "BNB": third_coin_fee(_RATE, _RATE, "BNB"),
}
"""Fee models by the coin that pays."""


class _Slot:
    """The place of a broker that needs what the manager it is registered with has."""

    required_events = Broker.required_events | {EventType.BOOK, EventType.TRADE, EventType.QUOTE}
    stage = Broker.stage

    def __init__(self) -> None:
        self.broker: Any = None

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        return {
            kind: (lambda event, kind=kind: self.broker.handlers()[kind](event)) for kind in self.required_events
        }


class SimulatedStand(Stand):
    """A simulated exchange whose house shows the same book every 20 ms."""

    def __init__(self, capabilities: VenueCapabilities, fees: str) -> None:
        instruments = {
            symbol: make_instrument(symbol, venue=VENUE, lot=Decimal("0.00001"), min_notional=Decimal(5))
            for symbol in (SYMBOL, "BNB/USDT")
        }
        account: Any = SimpleNamespace(name=VENUE, instruments=instruments)
        slot = _Slot()
        books = Books(account, EVERYTHING, slot, at(0))
        self._given = capabilities
        self._fees = FEES[fees]
        self._instruments = instruments
        self._traded: list[TradeReport] = []
        self._accepted: dict[str, str] = {}
        slot.broker = self._make(books)
        super().__init__(books, slot.broker)
        self._middle = MIDDLE
        balances = tuple(Balance(asset, total, Decimal(0)) for asset, total in HOLDINGS.items())
        books.manager.emit(AccountSnapshot(books.clock.now(), VENUE, balances))
        self._see(Quote(books.clock.now(), "BNB/USDT", 500.0, 500.0, 1.0, 1.0))
        self._step()

    def _make(self, books: Books) -> Broker:
        return self._exchange(books.manager.emit, books.clock, books.prices)

    def _exchange(self, emit: Callable[[Event], None], clock: Any, prices: Any) -> SimulatedBroker:
        def tell(event: Any) -> None:
            if isinstance(event, TradeReport):
                self._traded.append(event)
            elif event.exchange_order_id:
                self._accepted[event.order_id] = event.exchange_order_id
            emit(event)

        return SimulatedBroker(
            emit=tell,
            clock=clock,
            prices=prices,
            instruments=self._instruments,
            balances=dict(HOLDINGS),
            fee_model=self._fees,
            capabilities=self._given,
        )

    @property
    def exchange(self) -> SimulatedBroker:
        """The exchange itself."""
        assert isinstance(self.broker, SimulatedBroker)
        return self.broker

    def _see(self, event: Any) -> None:
        self.books.manager.publish(event)

    def _later(self, seconds: float = 0.0) -> int:
        return self.books.clock.now() + int(seconds * 1e9)

    def _step(self) -> None:
        bids, asks = (_floats(side) for side in levels(self._middle))
        self._see(Book(self._later(_STEP_S), SYMBOL, bids, asks))

    # --- the stand -------------------------------------------------------------------------------------------

    def hit(self, side: Side, quantity: str, price: str) -> None:
        self._see(Trade(self._later(), SYMBOL, float(price), float(quantity), side, ""))

    def move(self, middle: str) -> None:
        self._middle = Decimal(middle)
        self._step()
        self._see(Trade(self._later(), SYMBOL, float(middle), 0.001, Side.SELL, ""))
        self._step()

    async def until(self, reached: Callable[[], bool]) -> None:
        for _ in range(_PATIENCE):
            if reached():
                return
            self._step()
        raise TimeoutError

    async def pass_by(self, seconds: float) -> None:
        end = self._later(seconds)
        while self.books.clock.now() < end:
            self._step()

    async def settled(self) -> None:
        while self.broker.settle():
            pass
        await self.broker.settled()

    def totals(self) -> Mapping[str, Decimal]:
        return self.exchange.account.balances

    def trades(self) -> list[tuple[str, str, Decimal]]:
        return [(trade.trade_id, self._accepted[trade.order_id], trade.quantity) for trade in self._traded]

    def working(self) -> set[str]:
        return {self._accepted[order_id] for order_id in self.exchange._desk.by_id}

    def arrived(self, order_id: str) -> bool:
        return order_id in self._accepted

    def described(self, order_id: str) -> tuple[Decimal, Decimal | None]:
        working = self.exchange._desk.by_id[order_id]
        return working.quantity, working.limit_price


class DelayedStand(SimulatedStand):
    """The same, 30 ms away in each direction."""

    def _make(self, books: Books) -> Broker:
        return DelayedBroker(
            self._exchange,
            venue=VENUE,
            emit=books.manager.emit,
            clock=books.clock,
            prices=books.prices,
            submit=fixed(_DELAY_NS),
            ack=fixed(_DELAY_NS),
        )

    @property
    def exchange(self) -> SimulatedBroker:
        assert isinstance(self.broker, DelayedBroker)
        return self.broker.exchange


@asynccontextmanager
async def simulated(
    kind: type[SimulatedStand] = SimulatedStand,
    *,
    fees: str = "quote",
    capabilities: VenueCapabilities = EVERYTHING,
) -> AsyncIterator[Stand]:
    """A stand of the simulated exchange; its books and the broker's are compared at the end."""
    stand = kind(capabilities, fees)
    yield stand
    await stand.agree()


def _floats(side: Levels) -> tuple[tuple[float, float], ...]:
    return tuple((float(price), float(size)) for price, size in side)
