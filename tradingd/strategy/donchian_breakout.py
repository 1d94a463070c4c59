"""The Donchian channel breakout with a trailing protective stop, after the Turtles' rules."""

from decimal import Decimal
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side
from tradingd.domain.events import Bar, Fill, OrderUpdate
from tradingd.domain.money import ZERO, add, magnitude
from tradingd.errors import UsageError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.indicators import ATR, Donchian
from tradingd.strategy.sweep import BarColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DonchianBreakout"]


class _Trade:
    """What is known of the trade at hand; a new one for each."""

    __slots__ = ("asked", "exit", "exiting", "level", "stop", "stop_done", "stop_filled")

    def __init__(self) -> None:
        self.level: float | None = None
        """Where the stop belongs."""
        self.stop = ""
        """The intent of the stop order, from its request on."""
        self.stop_filled = ZERO
        """What the portfolio has booked of that order."""
        self.stop_done = False
        """That order has filled; its last fills may still be on their way to the portfolio."""
        self.asked: tuple[Decimal, Decimal] | None = None
        """The quantity and price last asked for that order."""
        self.exiting = False
        """A FLAT signal was sent."""
        self.exit = ""
        """The intent of that signal, empty when it failed."""


class DonchianBreakout(Strategy):
    """Enter when the close leaves the channel of the bars before it; protect the position with a stop.

    Entry: a close above the highest high of the `entry_period` bars before it (unless `long_only` also: below
    their lowest low). The signal has no stop of its own: this strategy keeps one itself, `atr_stop` average
    true ranges from the close. One signal a breakout: if it is denied or does not fill, the next one is sent
    only after a close inside the channel. No signal while a position is held or an order of ours works.

    Protection: as soon as a fill has been booked, a reduce-only stop order for the whole position works at that
    price. It follows every further fill in size, and at every bar in price, by close and ATR, but never away
    from the market. A change that did not come through is asked for again at the next bar.

    Exit: when the stop fills, or with a FLAT signal at a close below the lowest low (short: above the highest
    high) of the `exit_period` bars before it. Risk then cancels the stop before it closes the position, so the
    strategy leaves both to risk. An exit that fails is signalled again at every bar while the position is held.

    A position is never left without its stop: if the stop is denied, rejected, expires or is canceled by somebody
    else, or may not be enlarged to the position, the position is closed with a FLAT signal at once. After a
    restart the strategy goes on with the stop order that it finds working, or places one at the first bar after
    its warm-up. With `atr_stop` 0 there is no stop: only a close beyond the exit channel ends a trade. That is for
    sweeps, which know no stops.
    """

    class Params(StrategyParams):
        """Periods are counted in bars."""

        symbol: str = Field(min_length=1, description="What to trade.")
        entry_period: int = Field(20, ge=2, le=10_000, description="Bars in the channel whose break is the entry.")
        exit_period: int = Field(
            10, ge=1, le=10_000, description="Bars in the channel whose break is the exit; at most entry_period."
        )
        atr_period: int = Field(14, ge=1, le=10_000, description="Bars that the average true range smooths over.")
        atr_stop: float = Field(
            2.0,
            ge=0,
            le=100,
            description="Distance of the protective stop from the close, in average true ranges; 0 for no stop.",
        )
        long_only: bool = Field(default=True, description="Never go short.")

        @model_validator(mode="after")
        def _exit_is_no_slower(self) -> Self:
            if self.exit_period > self.entry_period:
                raise ValueError(
                    f"exit_period ({self.exit_period}) must not be greater than entry_period ({self.entry_period})"
                )
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._entry_channel = Donchian(params.entry_period)
        self._exit_channel = Donchian(params.exit_period)
        self._atr = ATR(params.atr_period)
        self._breakout: Direction | None = None
        """Where the close before was: outside the channel to this side, or (None) inside."""
        self._trade = _Trade()
        self._keeps_stop = params.atr_stop > 0

    @property
    def warmup_bars(self) -> int:
        """The bars of the longest channel, or true ranges of the ATR, and the one that is compared."""
        params = self.params
        return max(params.entry_period, params.exit_period, params.atr_period if params.atr_stop else 0) + 1

    @staticmethod
    def signals(bars: BarColumns, params: Params) -> "NDArray[np.int8]":
        """What it asks for, bar by bar, for `tradingd sweep`; without the stop, which works inside bars.

        Raises:
            UsageError: there is to be a stop.

        """
        from tradingd.strategy.kernels import breakout

        if params.atr_stop:
            raise UsageError(
                f"a sweep does not simulate stops, which fill inside bars: atr_stop is {params.atr_stop}; "
                "with 0 it sweeps the channels alone, or use `tradingd backtest`"
            )
        return breakout(bars, params.entry_period, params.exit_period, long_only=params.long_only)

    # --- what the run tells --------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        """Look for an entry when flat, manage the position otherwise."""
        close = bar.close
        floor, roof = self._exit_channel.lower, self._exit_channel.upper  # of the bars before this one
        breakout = self._broken_out(close)
        self._entry_channel.update(bar.high, bar.low)
        self._exit_channel.update(bar.high, bar.low)
        atr = self._atr.update(bar.high, bar.low, close)
        if floor is None or roof is None or (atr is None and self._keeps_stop):
            return
        is_news = breakout is not self._breakout
        self._breakout = breakout
        held = self._held()
        if not held:
            self._when_flat(breakout if is_news else None, close)
        elif self._trade.exiting:
            self._exit_again(close)
        elif close < floor if held > 0 else close > roof:
            self._leave(close)
        elif self._keeps_stop:
            self._trail(self._level(close, is_long=held > 0), is_long=held > 0)
            self._protect(held, again=True)

    def on_fill(self, fill: Fill) -> None:
        """Keep the stop in step with the position."""
        trade = self._trade
        held = self._held()
        if not held:
            self._trade = _Trade()
            self._breakout = None  # the next close outside the channel is a new breakout
        elif trade.stop and fill.intent_id == trade.stop:
            trade.stop_filled = add(trade.stop_filled, fill.quantity)
        elif self._keeps_stop and not trade.exiting:
            if trade.level is None and self._atr.value is not None:
                trade.level = self._level(float(fill.price), is_long=held > 0)
            self._protect(held)

    def on_order(self, update: OrderUpdate) -> None:
        """See to it that the stop works, and that an exit which failed is tried again."""
        trade = self._trade
        if trade.exit and update.intent_id == trade.exit:
            if update.status.is_terminal and update.status is not OrderStatus.FILLED:
                trade.exit = ""
        elif trade.stop and update.intent_id == trade.stop:
            self._on_stop_order(update)

    def _held(self) -> Decimal:
        """What we hold in whole lots: nobody can trade, or protect, the rest."""
        symbol = self.params.symbol
        held = self.position(symbol).quantity
        return self.instrument(symbol).floor_quantity(held) if held else held

    # --- in and out ----------------------------------------------------------------------------------------

    def _broken_out(self, close: float) -> Direction | None:
        """To which side `close` leaves the channel of the bars before it."""
        upper, lower = self._entry_channel.upper, self._entry_channel.lower
        if upper is None or lower is None:
            return None
        if close > upper:
            return Direction.LONG
        return Direction.SHORT if close < lower and not self.params.long_only else None

    def _when_flat(self, entry: Direction | None, close: float) -> None:
        if self.orders:
            self._cancel_stray_stops()
            return
        if entry is not None:
            self._trade = trade = _Trade()
            if self._keeps_stop:
                trade.level = self._level(close, is_long=entry is Direction.LONG)
            self.signal(self.params.symbol, entry, close)

    def _cancel_stray_stops(self) -> None:
        """A position that was closed by somebody else leaves its stop behind."""
        for intent_id, order in tuple(self.orders.items()):
            if order.order_type is OrderType.STOP and order.status is OrderStatus.OPEN:
                self.cancel(intent_id)

    def _leave(self, price: float | None = None) -> None:
        """Ask risk to cancel our orders and close the position; no price given is the latest."""
        trade = self._trade
        trade.exiting = True
        trade.exit = self.signal(self.params.symbol, Direction.FLAT, price)

    def _exit_again(self, close: float) -> None:
        """Unless the exit is still under way."""
        if not (self._trade.exit and self.orders):
            self._leave(close)

    # --- the protective stop -------------------------------------------------------------------------------

    def _level(self, price: float, *, is_long: bool) -> float:
        """The stop's distance from `price`, but at least one tick above 0."""
        distance = self.params.atr_stop * (self._atr.value or 0.0)
        if not is_long:
            return price + distance
        return max(price - distance, float(self.instrument(self.params.symbol).tick))

    def _trail(self, level: float, *, is_long: bool) -> None:
        """Move the stop's place towards the market, never away from it."""
        trade = self._trade
        if trade.level is None:
            trade.level = level
        else:
            trade.level = max(trade.level, level) if is_long else min(trade.level, level)

    def _protect(self, held: Decimal, *, again: bool = False) -> None:
        """Place the stop, or change it to the position and level; `again` repeats a change that did not come."""
        trade = self._trade
        side = Side.SELL if held > 0 else Side.BUY
        if trade.stop_done:  # and yet something is held: a late fill of the entry
            trade.stop, trade.stop_filled, trade.stop_done = "", ZERO, False
        if not trade.stop:
            self._adopt(side)
        if trade.level is None:
            return
        price = self.instrument(self.params.symbol).limit_from(trade.level, side)
        wanted = (add(magnitude(held), trade.stop_filled), price)
        if not trade.stop:
            trade.asked = wanted
            trade.stop = self.order(self.params.symbol, side, magnitude(held), stop=price, reduce_only=True)
        elif again or wanted != trade.asked:
            self._change_stop(*wanted)

    def _adopt(self, side: Side) -> None:
        """Take over a stop order that works already: after a restart, the one from before."""
        trade = self._trade
        for intent_id, order in self.orders.items():
            if order.order_type is OrderType.STOP and order.side is side and order.stop_price is not None:
                trade.stop, trade.stop_filled = intent_id, order.filled
                self._trail(float(order.stop_price), is_long=side is Side.SELL)
                return

    def _change_stop(self, quantity: Decimal, price: Decimal) -> None:
        """Ask for what differs; while the order is not known to work, its next update leads here again."""
        trade = self._trade
        order = self.orders.get(trade.stop)
        if order is None or order.status is not OrderStatus.OPEN:
            return
        trade.asked = (quantity, price)
        new_quantity = quantity if quantity != order.quantity else None
        new_price = price if price != order.stop_price else None
        if new_quantity is not None or new_price is not None:
            self.modify(trade.stop, quantity=new_quantity, stop=new_price)

    def _on_stop_order(self, update: OrderUpdate) -> None:
        trade = self._trade
        held = self._held()
        if update.status is OrderStatus.FILLED:
            trade.stop_done = True
        elif trade.exiting or not held:
            return
        elif update.status.is_terminal:
            trade.stop = ""
            self._leave()
        elif _refuses_change(update) and update.quantity < add(magnitude(held), trade.stop_filled):
            self._leave()
        elif update.status is OrderStatus.OPEN:
            self._protect(held)


def _refuses_change(update: OrderUpdate) -> bool:
    """Whether risk (MODIFY_DENIED) or the venue (MODIFY_REJECTED) leaves the order as it was."""
    return update.reason.startswith(("MODIFY_DENIED", "MODIFY_REJECTED"))
