"""Pairs trading: sell the dear one of two symbols that move together, buy the cheap one."""

from decimal import ROUND_FLOOR, Decimal
from math import log
from typing import Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction, Side
from tradingd.domain.events import Bar, Fill, OrderUpdate
from tradingd.domain.money import MONEY_QUANTUM, ONE, ZERO, divide, from_market, mul, quantize
from tradingd.errors import StrategyError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.regression import Line, RollingRegression
from tradingd.strategy.tickets import Ticket, Tickets

__all__ = ["Pairs"]


class _Trade:
    """The trade at hand: from the wish to enter until both legs are gone."""

    __slots__ = ("bars", "later", "leaving", "legs", "line", "sign")

    def __init__(self, sign: int, line: Line) -> None:
        self.sign = sign
        """+1: long a, short b (the spread was low); -1: the other way round."""
        self.line = line
        """The relation as it was when the trade was decided on."""
        self.legs: dict[str, Ticket] = {}
        """The entry order of each leg that has been sent."""
        self.later: tuple[str, Side, Decimal] | None = None
        """The leg that waits until the one sold short has passed risk."""
        self.bars = 0
        self.leaving = False


class Pairs(Strategy):
    """Trade the spread log(a) - beta log(b) between two symbols back to its mean.

    At every instant with a bar of both, log(a) is held against its regression on log(b) over the `lookback` such
    pairs before (ordinary least squares): beta is the hedge ratio, and z tells how many standard deviations of the
    residuals a is above the line. Above `entry` a is sold and b bought, below -`entry` the other way round. Leg a
    is worth `notional`, b beta times that, so that what moves both, as far as beta describes it, cancels. They are
    closed when z, by the line *of their entry* (a line that followed the prices would call any drift a return),
    comes back to `exit` or reaches `stop`, or after `max_bars`. (E. Gatev, W. Goetzmann, K. Rouwenhorst, "Pairs
    Trading", Review of Financial Studies 19, 2006; the regression as in M. Avellaneda and J.-H. Lee, "Statistical
    arbitrage in the US equities market", Quantitative Finance 10, 2010.)

    No entry while beta is not above 0, or the correlation is below `min_correlation`, or z is beyond `stop`.

    When things go wrong:

    - The leg that is sold short goes first; the other is sent once risk has passed it. If short selling is off
      the strategy stops with an error that says so, before anything has been traded.
    - A leg that is denied, rejected, or ends partly filled: the other is unwound, and what was filled of this one.
      The same when the legs are not both filled after `leg_bars`, or when a leg is closed by somebody else.
    - Nothing is sent twice: an order whose outcome is unknown is canceled and waited for like any other.
    - After a failed entry or an end that was no return to the mean (stop, `max_bars`), nothing is entered before
      |z| has been below `exit`, or below `entry` where that failed.
    - Closing is a FLAT signal for each leg, at every pair of bars again while a leg is held and no order works.
    - A bar without its partner at the same instant is no observation: the spread of two moments is none.
    - A position that no trade accounts for (from before the start, or by a fill that came late) is adopted with
      the line of the day where both legs are held with opposite signs; any other is closed.
    - A `notional` that buys no lot of a is an error at the first entry; a hedge of less than a lot is no entry.
    """

    class Params(StrategyParams):
        """z is in standard deviations; periods are counted in pairs of bars."""

        a: str = Field(min_length=1, description="The symbol whose logarithm is explained.")
        b: str = Field(min_length=1, description="The symbol that explains and hedges it.")
        lookback: int = Field(60, ge=10, le=10_000, description="Pairs of bars that the line is fitted to.")
        entry: float = Field(2.0, gt=0, le=100, description="Enter when |z| is above this; between exit and stop.")
        exit: float = Field(0.5, ge=0, le=100, description="Close when z is back within this, or beyond the line.")
        stop: float = Field(4.0, gt=0, le=1000, description="Close at a loss when |z| reaches this.")
        max_bars: int = Field(0, ge=0, le=100_000, description="Close after this many pairs of bars; 0 for never.")
        leg_bars: int = Field(
            3, ge=1, le=1_000, description="Give up an entry whose legs are not both filled after so many."
        )
        min_correlation: float = Field(
            0.5, ge=0, lt=1, description="Enter only where the logarithms correlate at least so much."
        )
        notional: Decimal = Field(
            Decimal(10_000), gt=0, allow_inf_nan=False, description="What leg a is worth, in the legs' currency."
        )

        @model_validator(mode="after")
        def _levels_ascend(self) -> Self:
            if self.a == self.b:
                raise ValueError(f"a and b are both {self.a!r}; a pair is two symbols")
            if not self.exit < self.entry < self.stop:
                raise ValueError(
                    f"levels must ascend: exit ({self.exit:g}) < entry ({self.entry:g}) < stop ({self.stop:g})"
                )
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._bars: dict[str, Bar] = {}
        self._regression = RollingRegression(params.lookback)
        self._line: Line | None = None
        """The line through the pairs of bars so far."""
        self._tickets = Tickets()
        self._trade: _Trade | None = None
        self._calm_below = float("inf")
        """No entry before |z| has been below this; infinite when nothing is to be waited for."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Both legs."""
        return (self.params.a, self.params.b)

    @property
    def warmup_bars(self) -> int:
        """What the first line is fitted to, and the pair that is held against it."""
        return self.params.lookback + 1

    # --- what the run tells --------------------------------------------------------------------------------

    def on_start(self) -> None:
        """See that the legs can be weighed against each other."""
        a, b = (self.instrument(symbol).settle for symbol in self.symbols)
        if a != b:
            raise StrategyError(
                f"{self.params.a} is settled in {a}, {self.params.b} in {b}; the legs of a pair need one currency"
            )

    def on_bar(self, bar: Bar) -> None:
        """Wait for the partner's bar, then look at the spread."""
        self._bars[bar.symbol] = bar
        a, b = (self._bars.get(symbol) for symbol in self.symbols)
        if a is None or b is None or a.ts != b.ts:
            return
        if a.close <= 0 or b.close <= 0:  # no logarithm, no observation
            return
        x, y = log(b.close), log(a.close)
        line, self._line = self._line, self._regression.update(x, y)
        if self._trade is not None:
            self._manage(self._trade, self._trade.line.score(x, y))
        elif line is not None and self._held_any():
            self._adopt(line)
        elif line is not None:
            self._look(line, line.score(x, y))

    def on_order(self, update: OrderUpdate) -> None:
        """See the legs through their entry."""
        ticket = self._tickets.on_order(update)
        trade = self._trade
        if ticket is None or trade is None:
            return
        if trade.leaving:
            self._end_when_flat(trade)
        elif ticket.failed:
            self._entry_failed(trade, update)
        elif trade.later is not None and update.order_id:
            symbol, side, quantity = trade.later
            trade.later = None
            self._send(trade, symbol, side, quantity)

    def on_fill(self, fill: Fill) -> None:
        """Follow the legs; a trade whose last leg is gone is over."""
        self._tickets.on_fill(fill)
        trade = self._trade
        if trade is not None and trade.leaving:
            self._end_when_flat(trade)

    # --- entering ------------------------------------------------------------------------------------------

    def _look(self, line: Line, z: float) -> None:
        """Enter when the spread is wide, the relation is sound, and nothing is to be waited for."""
        params = self.params
        if abs(z) < self._calm_below < float("inf"):
            self._calm_below = float("inf")
        if self._calm_below < float("inf") or not params.entry < abs(z) < params.stop:
            return
        if line.slope <= 0 or line.correlation < params.min_correlation or self.orders or self._held_any():
            return
        self._enter(line, -1 if z > 0 else 1)

    def _enter(self, line: Line, sign: int) -> None:
        """Send the short leg; the long one follows when risk has passed it."""
        hedge = quantize(mul(self.params.notional, from_market(line.slope)))
        legs = [
            (self.params.a, Side.BUY if sign > 0 else Side.SELL, self._lots(self.params.a, self.params.notional)),
            (self.params.b, Side.SELL if sign > 0 else Side.BUY, self._lots(self.params.b, hedge)),
        ]
        if not legs[1][2]:  # a hedge of less than a lot is none
            return
        self._trade = trade = _Trade(sign, line)
        legs.sort(key=lambda leg: leg[1] is Side.BUY)
        trade.later = legs[1]
        self._send(trade, *legs[0])

    def _lots(self, symbol: str, money: Decimal) -> Decimal:
        """How much of a symbol `money` is, in whole lots."""
        instrument = self.instrument(symbol)
        price = from_market(self._bars[symbol].close)
        quantity = instrument.floor_quantity(
            divide(money, instrument.notional(ONE, price), MONEY_QUANTUM, ROUND_FLOOR)
        )
        if symbol == self.params.a and quantity <= 0:
            raise StrategyError(
                f"notional {money:f} {instrument.settle} is less than a lot ({instrument.lot}) of {symbol} "
                f"at {price}; raise that parameter"
            )
        return quantity

    def _send(self, trade: _Trade, symbol: str, side: Side, quantity: Decimal) -> None:
        ticket = self._tickets.add(self.order(symbol, side, quantity, tag="entry"), side, quantity)
        if ticket is not None:
            trade.legs[symbol] = ticket

    def _entry_failed(self, trade: _Trade, update: OrderUpdate) -> None:
        """One leg is not to be had: give up the other, and say so where only the configuration can help."""
        if update.reason.startswith("SHORT_NOT_ALLOWED"):
            self._trade = None
            raise StrategyError(f"a pair sells one leg short; set risk.allow_short = true ({update.reason})")
        trade.later = None
        self._leave(trade, calm_below=self.params.entry)

    # --- while a trade is on -------------------------------------------------------------------------------

    def _manage(self, trade: _Trade, z: float) -> None:
        """Close the trade when it is due, or when it is no pair any more."""
        params = self.params
        trade.bars += 1
        gain = -z * trade.sign  # above 0 while the spread is still on the side that it was entered on
        if trade.leaving:
            self._leave_again(trade)
        elif self._is_lame(trade):
            self._leave(trade, calm_below=params.entry)
        elif gain <= params.exit:
            self._leave(trade, calm_below=float("inf"))
        elif gain >= params.stop or (params.max_bars and trade.bars >= params.max_bars):
            self._leave(trade, calm_below=max(params.exit, _LEAST_CALM))

    def _is_lame(self, trade: _Trade) -> bool:
        """Whether a leg is missing that should be there by now."""
        complete = all(self._held(symbol) == sign for symbol, sign in self._meant(trade))
        settled = len(trade.legs) in {0, 2} and all(ticket.settled for ticket in trade.legs.values())
        if settled:
            return not complete
        return trade.bars >= self.params.leg_bars

    def _meant(self, trade: _Trade) -> tuple[tuple[str, int], tuple[str, int]]:
        return (self.params.a, trade.sign), (self.params.b, -trade.sign)

    def _held(self, symbol: str) -> int:
        """The sign of what we hold; less than a lot, which nobody can trade, is nothing."""
        held = self.position(symbol).quantity
        whole = self.instrument(symbol).floor_quantity(held) if held else ZERO
        return (whole > 0) - (whole < 0)

    def _held_any(self) -> bool:
        return any(self._held(symbol) for symbol in self.symbols)

    # --- leaving -------------------------------------------------------------------------------------------

    def _leave(self, trade: _Trade, *, calm_below: float) -> None:
        """Have risk cancel what works of the legs and close what is held of them."""
        trade.leaving = True
        trade.later = None
        self._calm_below = calm_below
        working = {order.symbol for order in self.orders.values()}
        for symbol in self.symbols:
            if self._held(symbol) or symbol in working:
                self.signal(symbol, Direction.FLAT)
        self._end_when_flat(trade)

    def _leave_again(self, trade: _Trade) -> None:
        """Repeat an exit that failed, unless an order is still under way."""
        working = {order.symbol for order in self.orders.values()}
        for symbol in self.symbols:
            if self._held(symbol) and symbol not in working:
                self.signal(symbol, Direction.FLAT)
        self._end_when_flat(trade)

    def _end_when_flat(self, trade: _Trade) -> None:
        """Forget the trade when nothing of it is held and none of its orders can still fill."""
        if all(ticket.settled for ticket in trade.legs.values()) and not self._held_any():
            self._trade = None

    def _adopt(self, line: Line) -> None:
        """Take over what no trade of ours accounts for: from before the start, or a fill that came late."""
        a, b = (self._held(symbol) for symbol in self.symbols)
        self._trade = trade = _Trade(a or -b, line)
        if a != -b:
            self._leave(trade, calm_below=self.params.entry)


_LEAST_CALM = 0.1
"""With an exit at the line itself, what counts as being back there."""
