"""Dollar-cost averaging: the same amount of money at regular times, whatever the price."""

from decimal import ROUND_FLOOR, Decimal
from typing import Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction, OrderStatus, Side
from tradingd.domain.events import Bar, Fill, MarketEvent, OrderUpdate, Quote, Trade
from tradingd.domain.money import MONEY_QUANTUM, ONE, ZERO, add, divide, from_market, mul, sub
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.tickets import Backoff, Tickets

__all__ = ["DollarCostAveraging"]

_NS = 1_000_000_000


class DollarCostAveraging(Strategy):
    """Buy for `notional` every `interval_s` seconds or every `every_bars` bars, at market, beginning at once.

    What is to be bought is kept as an amount of money that is *due*. Each interval adds `notional` to it; each
    booked fill takes off what it has cost. Orders of at most `notional` are sent, one at a time, while what is due
    buys at least the least order of the instrument. So nothing is lost or doubled:

    - an order that is denied, rejected or ends partly filled leaves the rest due; it is asked for again after
      `retry_s`, and twice as long after each further refusal, up to a day;
    - what whole lots leave over is added to the next buy; a `notional` below one lot is saved up;
    - intervals without market data (nights, an outage) are made up for with the first data after them. Bars that
      were never made are no bars: with `every_bars` a hole only delays;
    - while the outcome of an order is unknown nothing further is sent.

    With `dip_percent` a further `dip_notional` is due each time the price is that far below the last buy (or dip).
    With `take_profit_percent` all is sold when the price is that far above the average price; what was due is
    forgotten, and buying goes on at the next interval. A sale that fails is asked for again like a buy.

    `max_invested` caps what the position has cost (without fees). It is checked at the latest price, so a fill
    after a jump may exceed it by the jump; nothing more is bought then. What is not bought because of the cap is
    not due later.

    Time is that of the market data: a buy comes with the first event at or after its time, since without one there
    is no price to buy at.

    After a restart the cap counts the position that is there, and the schedule begins anew: with a buy at once, so
    each restart buys once more than was planned. `aligned` begins with the next whole multiple of `interval_s`
    since 1970 instead (UTC; of a day, midnight), which is the same moment in every run. What was due and not
    bought when the run ended (a refused order, a rest of a lot, intervals without data) is known to nobody then,
    and not made up for: a position tells neither when nor for how much its buys were planned.
    """

    class Params(StrategyParams):
        """Amounts are in the currency that the instrument is settled in."""

        symbol: str = Field(min_length=1, description="What to buy.")
        notional: Decimal = Field(gt=0, allow_inf_nan=False, description="How much money each interval.")
        interval_s: float | None = Field(
            None, gt=0, le=31_622_400, description="Seconds between buys; or give every_bars."
        )
        every_bars: int | None = Field(None, ge=1, le=1_000_000, description="Bars between buys.")
        aligned: bool = Field(
            default=False,
            description="Begin at a whole multiple of interval_s (UTC), not at once: a restart doubles no buy.",
        )
        dip_percent: float | None = Field(
            None,
            gt=0,
            lt=100,
            description="Buy extra when the price is so far below the last buy; none for never.",
        )
        dip_notional: Decimal | None = Field(
            None, gt=0, allow_inf_nan=False, description="How much extra; notional unless told."
        )
        take_profit_percent: float | None = Field(
            None, gt=0, le=100_000, description="Sell all when so far above the average price; none for never."
        )
        max_invested: Decimal | None = Field(
            None, gt=0, allow_inf_nan=False, description="What the position may cost at most; none for no cap."
        )
        retry_s: float = Field(
            60.0, gt=0, le=86_400, description="Seconds until a refused order is asked for again."
        )

        @model_validator(mode="after")
        def _one_schedule(self) -> Self:
            if (self.interval_s is None) == (self.every_bars is None):
                raise ValueError("give either interval_s or every_bars")
            if self.aligned and self.interval_s is None:
                raise ValueError("aligned does nothing without interval_s; set that, too")
            if self.dip_notional is not None and self.dip_percent is None:
                raise ValueError("dip_notional does nothing without dip_percent; set that, too")
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._tickets = Tickets()
        self._backoff = Backoff(params.retry_s, 86_400)
        self._due = ZERO
        """What is still to be bought for, in money."""
        self._interval = 0 if params.interval_s is None else max(1, int(params.interval_s * _NS))
        self._next_ts: int | None = None
        """When the next interval begins, nanoseconds UTC; None before the first event."""
        self._bars_left = 0
        self._dip_below: float | None = None
        """The price whose undershooting makes an extra buy due; None before the first buy."""
        self._exit = ""
        """The intent of the sale under way."""

    # --- what the run tells --------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        """Count the bar, and buy what is due."""
        if self.params.every_bars is not None:
            if not self._bars_left:
                self._bars_left = self.params.every_bars
                self._owe(self.params.notional)
            self._bars_left -= 1
        self._look(bar, bar.close, bar.close)

    def on_trade(self, trade: Trade) -> None:
        """Buy what is due."""
        self._look(trade, trade.price, trade.price)

    def on_quote(self, quote: Quote) -> None:
        """Buy what is due, where there is an ask to buy at."""
        if 0 < quote.bid <= quote.ask:
            self._look(quote, quote.ask, quote.bid)

    def on_order(self, update: OrderUpdate) -> None:
        """Wait after a refusal."""
        if update.intent_id == self._exit:
            self._on_exit(update)
            return
        ticket = self._tickets.on_order(update)
        if ticket is None:
            return
        if ticket.failed and not ticket.filled:
            self._backoff.fail(self.now)
        elif ticket.filled:
            self._backoff.succeed()

    def on_fill(self, fill: Fill) -> None:
        """Take off what a buy has cost."""
        if self._tickets.on_fill(fill) is None:
            return
        spent = self.instrument(fill.symbol).notional(fill.quantity, fill.price)
        self._due = sub(
            self._due, spent
        )  # below 0 after a fill at a worse price: the next buy is that much smaller
        self._watch_dip_from(float(fill.price))

    # --- what is due ---------------------------------------------------------------------------------------

    def _look(self, event: MarketEvent, price: float, sale_price: float) -> None:
        """Do what is due at these prices, to buy and to sell."""
        if not 0 < price < _NO_PRICE:
            return
        if self._interval:
            self._count_intervals(event.ts)
        if self._dip_below is not None and price < self._dip_below:
            self._watch_dip_from(price)
            self._owe(self.params.dip_notional or self.params.notional)
        if self.params.take_profit_percent is not None and self._takes_profit(sale_price):
            self._due = ZERO
            return
        if self._due > 0 and not self._tickets and not self._exit and not self._backoff.waits(event.ts):
            self._buy(price)

    def _count_intervals(self, ts: int) -> None:
        """Owe the buys of all intervals that have begun by `ts`, those without any data, too."""
        if self._next_ts is None:
            self._next_ts = -(-ts // self._interval) * self._interval if self.params.aligned else ts
        if ts >= self._next_ts:
            begun = 1 + (ts - self._next_ts) // self._interval
            self._next_ts += begun * self._interval
            self._owe(mul(self.params.notional, Decimal(begun)))

    def _owe(self, money: Decimal) -> None:
        """A further amount is due, as far as the cap allows."""
        self._due = self._capped(add(self._due, money))

    def _capped(self, money: Decimal) -> Decimal:
        """As much of that as may still be invested."""
        cap = self.params.max_invested
        if cap is None:
            return money
        position = self.position(self.params.symbol)
        if position.quantity <= 0:
            return min(money, cap)
        cost = self.instrument(self.params.symbol).notional(position.quantity, position.average_price)
        return min(money, max(ZERO, sub(cap, cost)))

    def _watch_dip_from(self, price: float) -> None:
        if self.params.dip_percent is not None:
            self._dip_below = price * (1 - self.params.dip_percent / 100)

    # --- orders --------------------------------------------------------------------------------------------

    def _buy(self, price: float) -> None:
        """Order what is due: `notional` at most, unless that is less than the least order."""
        self._due = self._capped(self._due)
        for money in (min(self._due, self.params.notional), self._due):
            quantity = self._lots(money, price)
            if quantity:
                intent = self.buy(self.params.symbol, quantity, tag="dca")
                self._tickets.add(intent, Side.BUY, quantity)
                return

    def _lots(self, money: Decimal, price: float) -> Decimal:
        """How much `money` buys, in whole lots; 0 where the venue takes no order so small."""
        instrument = self.instrument(self.params.symbol)
        exact = from_market(price)
        quantity = instrument.floor_quantity(
            divide(money, instrument.notional(ONE, exact), MONEY_QUANTUM, ROUND_FLOOR)
        )
        if quantity < max(instrument.lot, instrument.min_quantity):
            return ZERO
        return quantity if instrument.notional(quantity, exact) >= instrument.min_notional else ZERO

    def _takes_profit(self, price: float) -> bool:
        """Whether everything is being, or is now to be, sold."""
        if self._exit:
            return True
        position = self.position(self.params.symbol)
        held = self.instrument(self.params.symbol).floor_quantity(position.quantity)
        target = float(position.average_price) * (1 + (self.params.take_profit_percent or 0) / 100)
        if held <= 0 or price < target or self._backoff.waits(self.now):
            return False
        self._exit = self.signal(self.params.symbol, Direction.FLAT, price, tag="take-profit")
        return bool(self._exit)

    def _on_exit(self, update: OrderUpdate) -> None:
        """The sale has ended, well or not."""
        if not update.status.is_terminal:
            return
        self._exit = ""
        if update.status is OrderStatus.FILLED:
            self._backoff.succeed()
            self._due = ZERO
            self._dip_below = None
        else:
            self._backoff.fail(self.now)


_NO_PRICE = 1e150
"""No price is so high, infinity for one."""
