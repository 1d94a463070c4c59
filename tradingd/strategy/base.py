"""The base class of strategies."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from tradingd.domain.enums import Direction, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    Bar,
    Book,
    CancelRequest,
    CorporateAction,
    EventType,
    Fill,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    ProtectRequest,
    Quote,
    Signal,
    Timer,
    Trade,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import DecimalLike, PriceLike, to_decimal
from tradingd.domain.ports import Stage
from tradingd.domain.terms import PLAIN, AlgoSpec, OrderTerms, Requote, Trail
from tradingd.errors import StrategyError
from tradingd.strategy.context import PositionView, StrategyContext
from tradingd.strategy.exits import Bracket, exact, exits_of
from tradingd.strategy.timeframes import BarInput, Timeframes, WarmUp

__all__ = ["Strategy", "StrategyParams"]

_NS = 1_000_000_000


class StrategyParams(BaseModel):
    """Parameters of a strategy: declare fields in a subclass; unknown names are refused.

    A field `symbol` (text) or `symbols` (list of texts) tells which market data the strategy gets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Strategy:
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
        self.params = params
        self.strategy_id = strategy_id
        self._context: StrategyContext | None = None
        self.timeframes = Timeframes(strategy_id, self._handle_aggregate)
        self._bars_missing = WarmUp()

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

    # --- what a strategy may do ----------------------------------------------------------------------------

    def signal(
        self,
        symbol: str,
        direction: Direction,
        price: float | None = None,
        *,
        strength: float = 1.0,
        limit: float | None = None,
        stop: float | None = None,
        target: float | None = None,
        tag: str = "",
    ) -> str:
        """Ask for a position; risk sizes it. Returns the intent id ("" while warming up).

        `direction` may be its name ("LONG"). `price` is what the decision was made on; the latest price unless
        given. Repeating a signal for a position that is already held or on its way asks for nothing.
        """
        if type(direction) is not Direction:
            direction = Direction.parse(direction)
        if symbol in self._bars_missing:
            return ""
        context = self.context
        if price is None:
            price = context.price(symbol)
            if price is None:
                raise StrategyError(f"{symbol} has no price yet; give one, or wait for its first event")
        intent_id = context.next_intent_id()
        context.emit(
            Signal(
                context.now,
                self.strategy_id,
                intent_id,
                symbol,
                direction,
                price,
                strength,
                limit,
                stop,
                target,
                tag,
            )
        )
        return intent_id

    def buy(self, symbol: str, quantity: DecimalLike, **options: Any) -> str:  # noqa: ANN401
        """Request a buy order of exactly `quantity`; see `order` for the options and the result."""
        return self.order(symbol, Side.BUY, quantity, **options)

    def sell(self, symbol: str, quantity: DecimalLike, **options: Any) -> str:  # noqa: ANN401
        """Request a sell order of exactly `quantity`; see `order` for the options and the result."""
        return self.order(symbol, Side.SELL, quantity, **options)

    def order(
        self,
        symbol: str,
        side: Side,
        quantity: DecimalLike,
        *,
        limit: PriceLike | None = None,
        stop: PriceLike | None = None,
        take_profit: PriceLike | None = None,
        trail: Trail | None = None,
        reduce_only: bool = False,
        post_only: bool = False,
        time_in_force: TimeInForce = TimeInForce.GTC,
        expire_ts: int = 0,
        oco: str = "",
        parent: str = "",
        requote: Requote | None = None,
        algo: AlgoSpec | None = None,
        tag: str = "",
    ) -> str:
        """Request an order; its prices decide its type.

        None: market. `limit`: limit. `stop`: stop; with `limit` as well, stop-limit. `take_profit`: the trigger of
        a take-profit; with `limit` as well, take-profit-limit. `trail`: trailing stop, which begins at `stop`
        where that is given, else at its distance from the latest price.

        Prices given as floats are put on the instrument's tick, never for worse; a quantity is text, int or
        Decimal. `expire_ts` (nanoseconds UTC) is for GTD. For `oco`, `parent`, `requote` and `algo` see
        `tradingd.domain.terms.OrderTerms`. Returns the intent id that `cancel` and `modify` take ("" while warming
        up). Risk may deny the order; `on_order` tells.

        Raises:
            MoneyError: a quantity or price is no finite number, or the quantity is a float.
            StrategyError: prices are given that no order type has together, or `side` is no Side.

        """
        if type(side) is not Side:
            raise StrategyError(f"{side!r} is no side; use Side.BUY or Side.SELL (or buy() and sell())")
        kind = _order_type(limit, stop, take_profit, trail)
        if symbol in self._bars_missing:
            return ""
        special = post_only or expire_ts or oco or parent or trail or requote or algo
        intent_id = self.context.next_intent_id()
        self.context.emit(
            OrderRequest(
                self.context.now,
                self.strategy_id,
                intent_id,
                symbol,
                side,
                to_decimal(quantity),
                kind,
                self._on_tick(symbol, side, limit),
                self._on_tick(symbol, side, stop if take_profit is None else take_profit),
                time_in_force,
                reduce_only,
                tag,
                OrderTerms(
                    post_only=post_only,
                    expire_ts=expire_ts,
                    trail=trail,
                    oco=oco,
                    parent=parent,
                    requote=requote,
                    algo=algo,
                )
                if special
                else PLAIN,
            )
        )
        return intent_id

    def bracket(
        self,
        symbol: str,
        side: Side,
        quantity: DecimalLike,
        *,
        limit: PriceLike | None = None,
        entry_stop: PriceLike | None = None,
        stop: PriceLike | None = None,
        trail: Trail | None = None,
        target: PriceLike | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        tag: str = "",
    ) -> Bracket:
        """Request an entry with its exits: a stop and a target that wait for its fills, one cancels the other.

        The entry is at market, at `limit`, or sleeps until `entry_stop`; `time_in_force` is the entry's. The exits
        are reduce-only, of the size that has filled: the stop at `stop` or behind the market by `trail`, the
        target a limit order at `target`. Each of the three is an order of its own to `cancel` and `modify`.

        Raises:
            StrategyError: neither stop, trail nor target is given: that is `order`.

        """
        exits = exits_of(stop, trail, target)
        entry = self.order(
            symbol, side, quantity, limit=limit, stop=entry_stop, time_in_force=time_in_force, tag=tag
        )
        if not entry:
            return Bracket("", "", "")
        out = Side.SELL if side is Side.BUY else Side.BUY
        group = f"bracket {entry}" if all(exits) else ""
        common: dict[str, Any] = {"reduce_only": True, "parent": entry, "oco": group, "tag": tag}
        placed = [each and self.order(symbol, out, quantity, **each, **common) for each in exits]
        return Bracket(entry, *(intent_id or "" for intent_id in placed))

    def protect(
        self,
        symbol: str,
        *,
        stop: PriceLike | None = None,
        trail: Trail | None = None,
        target: PriceLike | None = None,
        then: Literal["close", "alarm"] = "close",
        tries: int = 3,
    ) -> str:
        """Have risk keep a protective stop as large as whatever this strategy holds in `symbol`, from now on.

        At `stop`, or trailing by `trail` (beginning at `stop` where that is given, too); with `target` also a
        limit order of that size, where the venue lets one cancel the other. Asking again replaces what was asked
        before; asking for nothing calls it off, as `cancel` with the intent id does. For `then` and `tries` see
        `ProtectRequest`. Returns the intent id ("" while warming up).

        An exit of the strategy's own beside the stop belongs into its group: `oco=PROTECTION` (domain.terms).
        """
        if symbol in self._bars_missing:
            return ""
        intent_id = self.context.next_intent_id()
        where = (None if stop is None else exact(stop), trail, None if target is None else exact(target))
        self.context.emit(ProtectRequest(self.now, self.strategy_id, intent_id, symbol, *where, then, tries))
        return intent_id

    def cancel(self, intent_id: str) -> None:
        """Ask to cancel an order of this strategy."""
        self.context.emit(CancelRequest(self.context.now, self.strategy_id, intent_id))

    def modify(
        self,
        intent_id: str,
        *,
        quantity: DecimalLike | None = None,
        limit: PriceLike | None = None,
        stop: PriceLike | None = None,
    ) -> None:
        """Ask to change a working order of this strategy; None leaves a field as it is."""
        order = self.orders.get(intent_id)
        if order is None or order.side is None:
            raise StrategyError(f"{intent_id!r} is no working order of {self.strategy_id}")
        self.context.emit(
            ModifyRequest(
                self.context.now,
                self.strategy_id,
                intent_id,
                None if quantity is None else to_decimal(quantity),
                self._on_tick(order.symbol, order.side, limit),
                self._on_tick(order.symbol, order.side, stop),
            )
        )

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

    def set_timer(self, name: str, interval_s: float) -> None:
        """Call `on_timer` every `interval_s` seconds of the run's own time.

        Time moves with the market data there: between two events a timer fires once at most.
        """
        self.context.set_timer(name, int(interval_s * _NS))

    def cancel_timer(self, name: str) -> None:
        """Stop a timer."""
        self.context.cancel_timer(name)

    # --- what a strategy may see -----------------------------------------------------------------------------

    @property
    def context(self) -> StrategyContext:
        """The strategy's window on the run.

        Raises:
            StrategyError: the strategy has not been bound to a run; create it with the strategy factory.

        """
        if self._context is None:
            raise StrategyError(f"{self.strategy_id} belongs to no run yet; create it with the strategy factory")
        return self._context

    @property
    def now(self) -> int:
        """The run's time, nanoseconds UTC."""
        return self.context.now

    @property
    def orders(self) -> Mapping[str, OrderUpdate]:
        """This strategy's working orders by intent id."""
        return self.context.orders

    def position(self, symbol: str) -> PositionView:
        """This strategy's own position in `symbol`."""
        return self.context.position(symbol)

    def price(self, symbol: str) -> float | None:
        """The latest price of `symbol`, None before its first event."""
        return self.context.price(symbol)

    def instrument(self, symbol: str) -> Instrument:
        """The instrument behind `symbol`."""
        return self.context.instrument(symbol)

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

    def market_events(self) -> frozenset[EventType]:
        """Which kinds of feed events this strategy overrides a handler for, and bars while it warms up on them."""
        cls = type(self)
        wanted = {
            event_type
            for event_type, name in _MARKET_HANDLERS.items()
            if getattr(cls, name) is not getattr(Strategy, name)
        }
        return self.timeframes.events(wanted | ({EventType.BAR} if self._bars_missing.needs_bars else set()))

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

    def _on_tick(self, symbol: str, side: Side, price: PriceLike | None) -> Decimal | None:
        if price is None:
            return None
        return self.context.instrument(symbol).round_price(exact(price), side)


def _order_type(
    limit: PriceLike | None, stop: PriceLike | None, take_profit: PriceLike | None, trail: Trail | None
) -> OrderType:
    """The type of order that has these prices."""
    if trail is not None:
        if limit is not None or take_profit is not None:
            raise StrategyError("a trailing stop has no limit and no take-profit price")
        return OrderType.TRAILING_STOP
    if stop is not None and take_profit is not None:
        raise StrategyError(
            "an order has a stop or a take-profit price, not both; two orders with the same `oco` do"
        )
    if stop is not None:
        return OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    if take_profit is not None:
        return OrderType.TAKE_PROFIT if limit is None else OrderType.TAKE_PROFIT_LIMIT
    return OrderType.MARKET if limit is None else OrderType.LIMIT


_MARKET_HANDLERS = {
    EventType.BAR: "on_bar",
    EventType.QUOTE: "on_quote",
    EventType.TRADE: "on_trade",
    EventType.BOOK: "on_book",
    EventType.CORPORATE_ACTION: "on_corporate_action",
}
