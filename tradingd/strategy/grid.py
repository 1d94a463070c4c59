"""The grid: buy a step lower, sell a step higher, over and over."""

from decimal import Decimal
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction, OrderStatus, Side
from tradingd.domain.events import Bar, Fill, OrderUpdate, Quote, Trade
from tradingd.domain.money import ZERO, add, floor_to, mul, sub
from tradingd.errors import StrategyError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.ladder import Cell, Ladder, arithmetic_lines, geometric_lines
from tradingd.strategy.tickets import Backoff, Ticket, Tickets

__all__ = ["Grid"]

_SEED = -1
"""The key of the order that buys the first inventory."""


class Grid(Strategy):
    """A ladder of limit orders between `lower` and `upper`: buys below the price, sells above it.

    `levels` lines make `levels` - 1 cells. A cell buys `quantity` at its lower line; when that has filled it sells
    at its upper line, one level away; then it buys again. Each round trip earns the step, less fees. Only cells
    below the price buy. `buy_at_start` buys at market, once, what the cells above the price are there to sell;
    without it they stay empty until the price has risen above them.

    The position never exceeds `max_inventory`, whichever orders fill: the buys nearest to the price are placed as
    far as it reaches, and those farthest away are canceled for them. Above the range everything is sold, below it
    everything is held: then the grid waits. At `stop_below` or `stop_above` it cancels all, closes the position
    and is over until the next start. It never goes short.

    When things go wrong:

    - A partial fill leaves the rest of its order working. If the price rises above the cell before its buy is
      complete, the rest is canceled and what was bought is sold.
    - An order that is denied, rejected or canceled by somebody else makes its side and its cell wait `retry_s`,
      twice as long after each further refusal, the side up to ten times that, the cell up to an hour. After that,
      as for the first ladder, a single order is tried, and all others only when that one has been accepted: a
      refusal never comes in dozens.
    - A late fill (after a cancel) counts for its cell. What a fee in the base coin has taken is not sold.
    - The first inventory, where it is refused, is not asked for again.
    - At a start, orders that work already are canceled, and the position there is becomes the stock of the cells
      above the price and of the one around it; what they have no room for is left alone.
    """

    class Params(StrategyParams):
        """Prices are in the quote currency, quantities in units of the instrument."""

        symbol: str = Field(min_length=1, description="What to trade.")
        lower: Decimal = Field(gt=0, allow_inf_nan=False, description="The lowest line.")
        upper: Decimal = Field(gt=0, allow_inf_nan=False, description="The highest line; above lower.")
        levels: int = Field(11, ge=2, le=501, description="How many lines, with both ends.")
        spacing: Literal["arithmetic", "geometric"] = Field(
            "geometric", description="Lines at equal differences, or at equal ratios."
        )
        quantity: Decimal = Field(gt=0, allow_inf_nan=False, description="What each cell buys and sells.")
        max_inventory: Decimal | None = Field(
            None, gt=0, allow_inf_nan=False, description="The greatest position; what all cells hold unless told."
        )
        buy_at_start: bool = Field(default=True, description="Buy at market what is to be sold above the price.")
        stop_below: Decimal | None = Field(
            None, gt=0, allow_inf_nan=False, description="Close all at this price or below; below lower."
        )
        stop_above: Decimal | None = Field(
            None, gt=0, allow_inf_nan=False, description="Close all at this price or above; above upper."
        )
        post_only: bool = Field(default=False, description="Orders that may only rest in the book.")
        retry_s: float = Field(60.0, gt=0, le=86_400, description="Seconds until a refused side is tried again.")

        @model_validator(mode="after")
        def _prices_ascend(self) -> Self:
            prices = (self.stop_below, self.lower, self.upper, self.stop_above)
            given = [price for price in prices if price is not None]
            if any(low >= high for low, high in pairwise(given)):
                raise ValueError("prices must ascend: stop_below < lower < upper < stop_above")
            if self.max_inventory is not None and self.max_inventory < self.quantity:
                raise ValueError(
                    f"max_inventory ({self.max_inventory}) must not be less than quantity ({self.quantity})"
                )
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self._ladder: Ladder
        self._most = params.max_inventory or mul(params.quantity, Decimal(params.levels - 1))
        self._stops = (float(params.stop_below or 0), float(params.stop_above or "inf"))
        self._tickets = Tickets()
        self._backoffs = {side: Backoff(params.retry_s, 10 * params.retry_s) for side in Side}
        self._proven = dict.fromkeys(Side, False)
        """Whether the last order of that side that anybody has judged was accepted."""
        self._dirty = False
        """Something waits for an order of ours."""
        self._wake = _NEVER
        """When something that waits for its time may be tried again, nanoseconds UTC."""
        self._seeded = ZERO
        """What the order for the first inventory has brought."""
        self._begun = False
        self._over = False
        self._exit = ""
        """The intent of the closing signal under way."""

    # --- what the run tells --------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Draw the lines, and see that the instrument has room for them."""
        params = self.params
        instrument = self.instrument(params.symbol)
        draw = arithmetic_lines if params.spacing == "arithmetic" else geometric_lines
        exact = draw(params.lower, params.upper, params.levels - 1)
        lines = [floor_to(line, instrument.tick) for line in exact]
        if lines[0] <= 0 or any(low >= high for low, high in pairwise(lines)):
            raise StrategyError(
                f"{params.levels} lines from {params.lower} to {params.upper} are closer together than the tick "
                f"{instrument.tick} of {params.symbol}; ask for fewer levels or a wider range"
            )
        violation = instrument.violation(params.quantity, lines[0], None)
        if violation:
            raise StrategyError(f"the grid's quantity cannot be ordered at its lowest line: {violation}")
        self._ladder = Ladder(lines, params.quantity, params.retry_s)

    def on_bar(self, bar: Bar) -> None:
        """See where the price is."""
        self._see(bar.close)

    def on_trade(self, trade: Trade) -> None:
        """See where the price is."""
        self._see(trade.price)

    def on_quote(self, quote: Quote) -> None:
        """See where the middle is, where there are two sides."""
        if 0 < quote.bid <= quote.ask:
            self._see(quote.price)

    def on_order(self, update: OrderUpdate) -> None:
        """Go on when an order has ended; wait when one was refused."""
        if update.intent_id == self._exit:
            if update.status.is_terminal:
                self._exit = ""
                self._backoffs[Side.SELL].fail(self.now)
            return
        known = self._tickets.get(update.intent_id)
        unjudged = known is not None and known.status in _UNJUDGED
        ticket = self._tickets.on_order(update)
        if ticket is not None:
            if unjudged and (ticket.status is OrderStatus.OPEN or ticket.filled):
                self._accepted(ticket)
            elif ticket.status is OrderStatus.OPEN and ticket.key != _SEED:
                self._cancel_refused(self._ladder.cells[ticket.key])
            self._follow(ticket)
        elif (
            not self._begun and not self.orders and self._ladder.below >= 0
        ):  # the last order of an earlier run is gone
            self._begin()

    def on_fill(self, fill: Fill) -> None:
        """Count what the cells hold, and turn those that are through."""
        ticket = self._tickets.on_fill(fill)
        if ticket is None:
            return
        gained = mul(fill.quantity, Decimal(fill.side.sign))
        for fee in fill.fees:
            if fee.asset == self.instrument(fill.symbol).base:
                gained = sub(gained, fee.amount)
        if ticket.key == _SEED:
            self._seeded = add(self._seeded, gained)
        else:
            cell = self._ladder.cells[ticket.key]
            cell.held = max(ZERO, add(cell.held, gained))
        self._follow(ticket)

    # --- the price -----------------------------------------------------------------------------------------

    def _see(self, price: float) -> None:
        """Act where the price has crossed a line, or something waits to be done."""
        if not 0 < price < _NO_PRICE:
            return
        if self._over or not self._stops[0] < price < self._stops[1]:
            self._close()
            return
        if not self._ladder.moved_to(price) and self.now < self._wake:
            return
        if self._begun:
            self._reconcile()
            self._arrange()
        else:
            self._begin()

    def _begin(self) -> None:
        """Make the position that is there the stock; buy what is missing of it."""
        if self.orders:  # of an earlier run
            for intent_id, order in tuple(self.orders.items()):
                if order.status is OrderStatus.OPEN:
                    self.cancel(intent_id)
            return
        self._begun = True
        held = self._position()
        self._ladder.stock(held)
        wanted = min(self._ladder.room_above, self._most)
        missing = self.instrument(self.params.symbol).floor_quantity(sub(wanted, held))
        if self.params.buy_at_start and missing > 0:
            intent = self.buy(self.params.symbol, missing, tag="stock")
            self._tickets.add(intent, Side.BUY, missing, _SEED)
        else:
            self._arrange()

    def _reconcile(self) -> None:
        """Let go of what somebody else has sold, and of the orders that were to sell it."""
        if any(ticket.ended for ticket in self._tickets):
            return  # its fills are on their way
        surplus = sub(self._ladder.inventory, max(ZERO, self.position(self.params.symbol).quantity))
        for cell in reversed(self._ladder.cells):
            if surplus <= 0:
                return
            part = min(surplus, cell.held)
            surplus = sub(surplus, part)
            cell.held = sub(cell.held, part)
            if part and cell.ticket is not None and cell.ticket.side is Side.SELL:
                self._cancel(cell)

    # --- what becomes of orders ----------------------------------------------------------------------------

    def _accepted(self, ticket: Ticket) -> None:
        """The venue takes orders of this side: the others may follow."""
        self._backoffs[ticket.side].succeed()
        if ticket.key != _SEED:
            self._ladder.cells[ticket.key].backoff.succeed()
        if not self._proven[ticket.side]:
            self._proven[ticket.side] = self._dirty = True

    def _follow(self, ticket: Ticket) -> None:
        """When the outcome of an order is certain its cell is free for the next."""
        if ticket.settled:
            if ticket.key == _SEED:
                self._ladder.stock(self._seeded)
            else:
                self._turn(self._ladder.cells[ticket.key], ticket)
            self._dirty = True
        if self._dirty and self._begun and not self._over:
            self._arrange()

    def _cancel_refused(self, cell: Cell) -> None:
        """An order that was to be canceled still works: ask again, but not at once."""
        if cell.cancels:
            cell.cancels = False
            cell.cancel_after = self.now + int(self.params.retry_s * _NS)
            self._dirty = True

    def _turn(self, cell: Cell, ticket: Ticket) -> None:
        """Decide what a cell does next; a refusal makes it and its side wait."""
        if cell.ticket is ticket:
            if not ticket.failed:
                cell.side = Side.SELL if ticket.side is Side.BUY else Side.BUY
            elif not cell.cancels:
                cell.backoff.fail(self.now)
                self._backoffs[ticket.side].fail(self.now)
                self._proven[ticket.side] = False
            cell.ticket, cell.cancels = None, False
        if not self._orderable(self._whole(cell.held), cell.high):
            cell.side = Side.BUY
        elif not self._orderable(self._missing(cell), cell.low):
            cell.side = Side.SELL

    def _whole(self, quantity: Decimal) -> Decimal:
        return self.instrument(self.params.symbol).floor_quantity(quantity)

    def _orderable(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether the venue takes an order of that size; what it does not take is not worth a refusal."""
        return not self.instrument(self.params.symbol).violation(quantity, price, None)

    def _position(self) -> Decimal:
        """What we hold, in whole lots; a short, which is none of ours, is nothing."""
        return max(ZERO, self._whole(self.position(self.params.symbol).quantity))

    # --- placing orders ------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        """Let every cell have the order that it should have, as far as that is possible now."""
        if any(ticket.key == _SEED for ticket in self._tickets):
            return
        self._dirty = False
        self._wake = _NEVER
        for cell in self._ladder.left_behind:
            if cell.side is Side.BUY and cell.held and self._orderable(self._whole(cell.held), cell.high):
                if cell.ticket is None:
                    cell.side = Side.SELL
                else:
                    self._cancel(cell)
        self._place_sells()
        self._place_buys(self._affordable([cell for cell in self._ladder.under if cell.side is Side.BUY]))

    def _affordable(self, buys: list[Cell]) -> list[Cell]:
        """The buys that `max_inventory` has room for, nearest first; orders of the others are canceled."""
        room = sub(self._most, self._ladder.inventory)
        for number, cell in enumerate(buys):
            room = sub(room, self._missing(cell) if cell.ticket is None else cell.ticket.outstanding)
            if room < 0:
                for other in buys[number:]:
                    if other.ticket is not None:
                        self._cancel(other)
                return buys[:number]
        return buys

    def _cancel(self, cell: Cell) -> None:
        """Ask once; what works but cannot be canceled yet is asked again later."""
        ticket = cell.ticket
        if ticket is None or ticket.status is not OrderStatus.OPEN:
            self._dirty = True
        elif self.now < cell.cancel_after:
            self._wake = min(self._wake, cell.cancel_after)
        elif not cell.cancels:
            cell.cancels = True
            self.cancel(ticket.intent_id)

    def _missing(self, cell: Cell) -> Decimal:
        return self._whole(self._ladder.missing(cell))

    def _place_buys(self, cells: list[Cell]) -> None:
        """Buy at the lower lines, below everything that we are selling."""
        committed = self._ladder.inventory
        for ticket in self._tickets:
            if ticket.side is Side.BUY:
                committed = add(committed, ticket.outstanding)
        lowest_sell = min((each.high for each in self._ladder.cells if self._sells(each)), default=None)
        for cell in cells:
            quantity = self._missing(cell)
            if cell.ticket is not None or not self._orderable(quantity, cell.low):
                continue
            blocked = lowest_sell is not None and cell.low >= lowest_sell
            if blocked or add(committed, quantity) > self._most or not self._may_ask(cell, Side.BUY):
                self._dirty = True
                continue
            committed = add(committed, quantity)
            self._order(cell, Side.BUY, quantity, cell.low)

    def _sells(self, cell: Cell) -> bool:
        """Whether a cell has something for sale, now or soon."""
        if cell.ticket is not None and cell.ticket.side is Side.SELL:
            return True
        return bool(cell.held) and self._orderable(self._whole(cell.held), cell.high)

    def _place_sells(self) -> None:
        """Sell at the upper lines, above everything that we are buying."""
        highest_buy = max((each.low for each in self._ladder.working(Side.BUY)), default=ZERO)
        for cell in self._ladder.cells:
            if cell.side is Side.BUY or cell.ticket is not None:
                continue
            quantity = self._whole(cell.held)
            if not self._orderable(quantity, cell.high):  # a fee has taken it, or somebody else
                cell.side = Side.BUY
            elif cell.high <= highest_buy or not self._may_ask(cell, Side.SELL):
                self._dirty = True
            else:
                self._order(cell, Side.SELL, quantity, cell.high)

    def _may_ask(self, cell: Cell, side: Side) -> bool:
        """Not while cell or side are to wait; and only one at a time until one has been accepted."""
        until = max(cell.backoff.until, self._backoffs[side].until)
        if self.now < until:
            self._wake = min(self._wake, until)
            return False
        unjudged = any(other.ticket and other.ticket.status in _UNJUDGED for other in self._ladder.working(side))
        return self._proven[side] or not unjudged

    def _order(self, cell: Cell, side: Side, quantity: Decimal, price: Decimal) -> None:
        rests = cell.index < self._ladder.below if side is Side.BUY else cell.index + 1 >= self._ladder.below
        intent = self.order(
            self.params.symbol, side, quantity, limit=price, post_only=self.params.post_only and rests, tag="grid"
        )
        cell.ticket = self._tickets.add(intent, side, quantity, cell.index)

    # --- the end -------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Have risk cancel everything and close the position, until that is done."""
        self._over = True
        if self._exit or self._backoffs[Side.SELL].waits(self.now):
            return
        if self.orders or self._tickets or self._position():
            self._exit = self.signal(self.params.symbol, Direction.FLAT, tag="stop")


_NO_PRICE = 1e150
"""No price is so high, infinity for one."""
_NEVER = 2**63 - 1
_NS = 1_000_000_000
_UNJUDGED = {None, OrderStatus.NEW, OrderStatus.PREPARED, OrderStatus.SENDING}
"""The states of an order that the venue has not answered to."""
