"""What a strategy may ask for, and what it may see: the part of its base class that speaks with the run."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from tradingd.domain.enums import Direction, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    CancelRequest,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    ProtectRequest,
    Signal,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import DecimalLike, PriceLike, to_decimal
from tradingd.domain.terms import PLAIN, AlgoSpec, OrderTerms, Requote, Trail
from tradingd.errors import StrategyError
from tradingd.strategy.context import PositionView, StrategyContext
from tradingd.strategy.exits import Bracket, check_exits, exact, exits_of
from tradingd.strategy.timeframes import WarmUp

__all__ = ["StrategyTools"]

_NS = 1_000_000_000


class StrategyTools:
    """Asks for trades and shows the run; `Strategy` adds the handlers."""

    def __init__(self, strategy_id: str) -> None:
        self.strategy_id = strategy_id
        self._context: StrategyContext | None = None
        self._bars_missing = WarmUp()

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
        terms = PLAIN
        if post_only or expire_ts or oco or parent or trail or requote or algo:
            terms = OrderTerms(
                post_only=post_only,
                expire_ts=expire_ts,
                trail=trail,
                oco=oco,
                parent=parent,
                requote=requote,
                algo=algo,
            )
        context, trigger = self.context, stop if take_profit is None else take_profit
        prices = self._on_tick(symbol, side, limit), self._on_tick(symbol, side, trigger)
        what = (symbol, side, to_decimal(quantity), kind, *prices)
        intent_id = context.next_intent_id()
        context.emit(
            OrderRequest(context.now, self.strategy_id, intent_id, *what, time_in_force, reduce_only, tag, terms)
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
        target a limit order at `target`. Each of the three is an order of its own to `cancel` and `modify`; who
        makes the entry larger has to do so with the exits as well.

        Raises:
            MoneyError: a quantity or price is no finite number, or the quantity is a float.
            StrategyError: neither stop, trail nor target is given: that is `order`; or an exit is on the wrong
                side of the entry. Nothing has been asked for then.

        """
        exits = exits_of(stop, trail, target)
        check_exits(side, limit if entry_stop is None else entry_stop, stop, trail, target)
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
        """Ask to change a working order of this strategy; None leaves a field as it is.

        A price of an order with a `parent` is that of all orders that its parent's fills have led to.
        """
        order = self.orders.get(intent_id) or self._further(intent_id)
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

    def _further(self, intent_id: str) -> OrderUpdate | None:
        """A further order of a child whose first one is over; they are called `<intent>+2` and so on."""
        name = f"{intent_id}+"
        return next((order for key, order in self.orders.items() if key.startswith(name)), None)

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
