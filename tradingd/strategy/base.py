"""The base class of strategies."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from tradingd.domain.events import (
    Bar,
    Book,
    CorporateAction,
    EventType,
    Fill,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Timer,
    Trade,
)
from tradingd.domain.ports import Stage
from tradingd.errors import StrategyError
from tradingd.strategy.context import StrategyContext
from tradingd.strategy.timeframes import BarInput, Need, Timeframes, WarmUp
from tradingd.strategy.tools import StrategyTools

__all__ = ["Strategy", "StrategyParams"]


class StrategyParams(BaseModel):
    """Parameters of a strategy: declare fields in a subclass; unknown names are refused.

    A field `symbol` (text) or `symbols` (list of texts) tells which market data the strategy gets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Strategy(StrategyTools):
    """Override the `on_...` methods you need; ask for trades with `signal`, `buy` and `sell`.

    A handler is an ordinary function: it takes one event, must return quickly, and never waits. Time, prices,
    positions and orders come from this class's own members, so the same code runs in a backtest, on paper and
    live. If a handler raises, this strategy alone is stopped (FAULTED): it may not enter any more, its working
    protective orders stay, other strategies run on.

    Parameters are declared as a pydantic model::

        class MyStrategy(Strategy):
            class Params(StrategyParams):
                symbol: str
                lookback: int = Field(20, ge=2)

            params: Params

            def on_bar(self, bar: Bar) -> None: ...
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams
    stage: ClassVar[Stage] = Stage.STRATEGY
    isolated: ClassVar[bool] = True
    """A fault of this component stops this component only."""
    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {EventType.ORDER_UPDATE, EventType.POSITION, EventType.TIMER}
    )

    params: Any
    """The validated parameters, an instance of `Params`."""

    def __init__(self, params: StrategyParams, strategy_id: str) -> None:
        super().__init__(strategy_id)
        self.params = params
        self.timeframes = Timeframes(strategy_id, self._handle_aggregate)

    # --- to override -------------------------------------------------------------------------------------

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols whose market data this strategy gets."""
        if symbols := getattr(self.params, "symbols", None):
            return tuple(symbols)
        symbol = getattr(self.params, "symbol", None)
        return (symbol,) if symbol else ()

    @property
    def warmup_bars(self) -> int:
        """How many bars of a symbol must have been seen before this strategy may trade it.

        The bar being handled counts. Until then `on_bar` is called all the same, so that indicators fill, and
        whatever it asks for is dropped.
        """
        return 0

    def on_start(self) -> None:
        """Before the first event."""

    def on_bar(self, bar: Bar) -> None:
        """At each closed bar."""

    def on_aggregate(self, bar: Bar, rule: str) -> None:
        """At each closed bar that `aggregate` asked for, before the event that closed it is told itself."""

    def on_quote(self, quote: Quote) -> None:
        """At each change of the best bid or ask."""

    def on_trade(self, trade: Trade) -> None:
        """At each public trade."""

    def on_book(self, book: Book) -> None:
        """At each order book."""

    def on_corporate_action(self, action: CorporateAction) -> None:
        """At a split or dividend, before the first event at new prices; `position` and `price` are new already.

        A split has canceled the symbol's orders by then. What was computed from older prices is in old shares.
        """

    def on_fill(self, fill: Fill) -> None:
        """When a fill of this strategy has been booked; `position` already contains it."""

    def on_order(self, update: OrderUpdate) -> None:
        """When one of this strategy's orders changed, or was denied.

        May come before or after the `on_fill` of the fill that completed the order.
        """

    def on_timer(self, timer: Timer) -> None:
        """When a timer set with `set_timer` came due."""

    def on_stop(self) -> None:
        """After the last event; orders asked for here are not sent."""

    # --- further bars ----------------------------------------------------------------------------------------

    def aggregate(self, symbol: str, rule: str, *, warmup: int = 0, source: BarInput | None = None) -> None:
        """Build other bars of `symbol`, by a rule such as "1h" or "volume:50", for `on_aggregate`.

        To be called in `__init__`. `warmup` of these bars must have closed before the symbol may be traded.
        `source` is "bars", "trades" or "quotes"; unless told, bars or trades, whichever the run has.

        Raises:
            StrategyError: it comes too late, nothing handles the bars, or they cannot be built from `source`.
            UsageError: that is no rule.

        """
        if self._context is not None:
            raise StrategyError("aggregate comes too late: call it in __init__, where the run can still prepare")
        if type(self).on_aggregate is Strategy.on_aggregate:
            raise StrategyError(f"bars by {rule!r} are asked for, but there is no on_aggregate that handles them")
        self.timeframes.want(symbol, rule, source, warmup)

    # --- how the run drives it -------------------------------------------------------------------------------

    def bind(self, context: StrategyContext) -> None:
        """Give the strategy its window on the run; the factory does this."""
        self._context = context
        self._bars_missing = self.timeframes.bind(self.symbols, self.warmup_bars)

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        handlers: Mapping[EventType, Callable[[Any], None]] = {
            EventType.BAR: self._handle_bar if self._bars_missing.needs_bars else self.on_bar,
            EventType.QUOTE: self.on_quote,
            EventType.TRADE: self.on_trade,
            EventType.BOOK: self.on_book,
            EventType.CORPORATE_ACTION: self.on_corporate_action,
            EventType.TIMER: self.on_timer,
            EventType.ORDER_UPDATE: self._handle_order,
            EventType.POSITION: self._handle_position,
        }
        return self.timeframes.around(handlers) if self.timeframes else handlers

    def event_filter(self, event_type: EventType) -> frozenset[str] | None:
        """Which symbols (market data) or strategy ids (all else) this component wants."""
        if event_type <= EventType.BOOK:
            return frozenset(self.symbols)
        return frozenset({self.strategy_id})

    def listened(self) -> frozenset[EventType]:
        """Which kinds of feed events this strategy overrides a handler for, and bars while it warms up on them.

        Raw bars are not among them where built ones stand in for them.
        """
        cls = type(self)
        wanted = {
            event_type
            for event_type, name in _MARKET_HANDLERS.items()
            if getattr(cls, name) is not getattr(Strategy, name)
        }
        if self._bars_missing.needs_bars:
            wanted.add(EventType.BAR)
        return frozenset(wanted - {EventType.BAR} if self.timeframes.stand_in else wanted)

    def needs(self) -> Sequence[Need]:
        """The bars that are built for this strategy, and how many of them it waits for."""
        return self.timeframes.needs(self.symbols, self.warmup_bars)

    def market_events(self) -> frozenset[EventType]:
        """Which kinds of feed events it takes: what it listens to, and what bars are built from."""
        return self.timeframes.events(self.listened())

    def _handle_bar(self, bar: Bar) -> None:
        if self._bars_missing:
            self._bars_missing.count(bar.symbol, WarmUp.ON_BAR)
        self.on_bar(bar)

    def _handle_aggregate(self, bar: Bar, rule: str) -> None:
        if self._bars_missing:
            self._bars_missing.count(bar.symbol, rule)
        self.on_aggregate(bar, rule)

    def _handle_order(self, update: OrderUpdate) -> None:
        if update.parent_id:
            return  # one of several orders that work an intent: its parent's updates tell of that
        self.context.track(update)
        self.on_order(update)

    def _handle_position(self, update: PositionUpdate) -> None:
        self.on_fill(update.fill)


_MARKET_HANDLERS = {
    EventType.BAR: "on_bar",
    EventType.QUOTE: "on_quote",
    EventType.TRADE: "on_trade",
    EventType.BOOK: "on_book",
    EventType.CORPORATE_ACTION: "on_corporate_action",
}
