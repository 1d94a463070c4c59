"""What a strategy may see and do: a read-only view and a way to emit."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from tradingd.domain.events import (
    CancelRequest,
    Event,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    ProtectRequest,
    Signal,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import PriceLike
from tradingd.domain.ports import Clock, Emit, InstrumentLookup, PortfolioView, TimerService
from tradingd.domain.position import Position
from tradingd.domain.prices import PriceBoard
from tradingd.errors import StrategyError

__all__ = ["PositionView", "StrategyContext"]

_REQUESTS = (Signal, OrderRequest, CancelRequest, ModifyRequest, ProtectRequest)


class PositionView:
    """A strategy's own position in one symbol, to read."""

    __slots__ = ("_position",)

    def __init__(self, position: Position) -> None:
        self._position = position

    @property
    def quantity(self) -> Decimal:
        """What is held: positive long, negative short, 0 flat."""
        return self._position.quantity

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return self._position.is_flat

    @property
    def average_price(self) -> Decimal:
        """The average entry price, 0 when flat."""
        return self._position.average_price

    @property
    def realized_pnl(self) -> Decimal:
        """What closed trades have gained, before fees, in the settlement currency."""
        return self._position.realized_pnl

    def unrealized_pnl(self, price: PriceLike) -> Decimal:
        """What closing all at `price` would realise."""
        return self._position.unrealized_pnl(price)


class StrategyContext:
    """One strategy's window on the run; the composition root makes one per strategy."""

    def __init__(
        self,
        strategy_id: str,
        *,
        emit: Emit,
        clock: Clock,
        prices: PriceBoard,
        portfolio: PortfolioView,
        instruments: InstrumentLookup,
        timers: TimerService,
    ) -> None:
        self.strategy_id = strategy_id
        self._emit = emit
        self._clock = clock
        self._prices = prices
        self._portfolio = portfolio
        self._instruments = instruments
        self._timers = timers
        self._orders: dict[str, OrderUpdate] = {}
        self._intents = 0

    def emit(self, event: Event) -> None:
        """Ask for something; nothing else than a strategy's own requests passes.

        Raises:
            StrategyError: it is another kind of event, or another strategy's.

        """
        if not isinstance(event, _REQUESTS) or event.strategy_id != self.strategy_id:
            raise StrategyError(
                f"{self.strategy_id} may emit only its own signals, order requests, cancels and changes, "
                f"not {type(event).__name__}"
            )
        self._emit(event)

    @property
    def now(self) -> int:
        """The run's time, nanoseconds UTC: the latest event's in a backtest, the wall clock's in live."""
        return self._clock.now()

    @property
    def orders(self) -> Mapping[str, OrderUpdate]:
        """This strategy's working orders by intent id."""
        return MappingProxyType(self._orders)

    def price(self, symbol: str) -> float | None:
        """The latest price of `symbol`, None before its first event."""
        return self._prices.price(symbol)

    def position(self, symbol: str) -> PositionView:
        """This strategy's own position in `symbol`."""
        return PositionView(self._portfolio.get_strategy_position(self.strategy_id, symbol))

    def instrument(self, symbol: str) -> Instrument:
        """The instrument behind `symbol`."""
        return self._instruments[symbol]

    def next_intent_id(self) -> str:
        """A name for a new wish, unique in the run."""
        self._intents += 1
        return f"{self.strategy_id}:{self._intents}"

    def set_timer(self, name: str, interval_ns: int) -> None:
        """Ask for a Timer event every `interval_ns`."""
        self._timers.schedule(self.strategy_id, name, interval_ns)

    def cancel_timer(self, name: str) -> None:
        """Stop a timer."""
        self._timers.unschedule(self.strategy_id, name)

    def track(self, update: OrderUpdate) -> None:
        """Keep `orders` in step with what execution and risk tell.

        Risk's refusal of a change repeats an older state, which may come after a newer one, or the order's end.
        """
        if update.reason.startswith("MODIFY_DENIED"):
            return
        if update.status.is_terminal:
            self._orders.pop(update.intent_id, None)
        else:
            self._orders[update.intent_id] = update
