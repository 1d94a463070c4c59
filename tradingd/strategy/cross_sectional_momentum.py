"""Cross-sectional momentum: hold those of many symbols that have risen most."""

from collections import deque
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from itertools import islice
from typing import Literal, Self

from pydantic import Field, model_validator

from tradingd.domain.enums import Direction, OrderStatus, Side
from tradingd.domain.events import Bar, Fill, OrderUpdate, Timer
from tradingd.domain.money import ONE, ZERO, add, divide, from_market, magnitude, mul, quantize, share, sub
from tradingd.errors import StrategyError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.tickets import Tickets

__all__ = ["CrossSectionalMomentum"]

_DAY_NS = 86_400_000_000_000
_NS = 1_000_000_000
_WAIT = "instant"


class _Member:
    """What is known of one symbol of the universe."""

    __slots__ = ("back", "closes", "last", "missing", "place")

    def __init__(self, place: int, kept: int) -> None:
        self.place = place
        """Its place in `symbols`."""
        self.closes: deque[float] = deque(maxlen=kept)
        """One close per instant since its first bar; an instant without a bar repeats the last one."""
        self.last: float | None = None
        self.missing = 0
        """How many instants have passed since its last bar."""
        self.back = False
        """It counted as ended before its bar of this instant."""


class CrossSectionalMomentum(Strategy):
    """Rank `symbols` by their past return and hold the first `top` of them, equally weighted.

    The momentum of N. Jegadeesh and S. Titman, "Returns to Buying Winners and Selling Losers" (Journal of Finance
    48, 1993): the return over `lookback` instants, leaving out the latest `skip`. With `bottom` the last ones are
    sold short. Rebalanced every `every` instants, or at the first instant of each calendar week or month (UTC).

    An *instant* is the common close of bars. It is ranked only once all its bars are there: when every symbol that
    trades (has begun, and not ended) has told its bar, else `wait_s` after the first one, at the latest when a bar
    of a later instant comes. Bars that come after that are taken for the history alone. All closes that a ranking
    compares are of the same two instants, so a symbol with a hole is ranked by the last close before it.

    Weights: at each ranking every long is to be worth 1/`top`, every short 1/`bottom`, of `invest_percent` of
    `capital` and what the strategy has gained or lost with it since, fees included. Explicit market orders bring
    positions there; one that is off by less than `band_percent` is left alone, and what it holds too much others
    get less. `[risk.sizer]` has no say; the limits have. Orders are sized at the close and fill after it: what is
    not invested is there for gaps.

    When things go wrong:

    - A symbol that begins late is ranked from its first full look-back on, one that comes back from its second bar
      on: so the order in which the bars of an instant arrive changes nothing. One without a bar for more than
      `max_missing` instants (delisted, halted) is not ranked, and closed if it is held; that order works until
      the symbol trades again, and holds up no other. What cannot be sold is not there to be invested.
    - Equal returns: what is held goes before what is not, then the order of `symbols` decides.
    - Fewer symbols with a return than `top`: those there are. Shorts are taken only from what the longs leave.
    - With `sells_first` purchases wait until what is to be sold has been, as a cash account needs it, but no
      longer than until the next instant.
    - A purchase that is denied or does not fill is not asked for again before the next ranking, nor is a position
      trimmed again. An exit that fails is signalled again at every instant until the position is gone, while no
      order of it works. Short sales need `risk.allow_short`; without it they are denied, and only the longs held.
    - A share of the capital that buys no lot of a symbol leaves its place empty.
    - Positions that the run starts with are left alone until the first rebalance, which then decides on them.
    """

    class Params(StrategyParams):
        """Periods are counted in instants: bars, where every symbol has all of them."""

        symbols: list[str] = Field(min_length=2, description="The universe; at least two.")
        lookback: int = Field(126, ge=1, le=10_000, description="Instants over which the return is measured.")
        skip: int = Field(0, ge=0, le=1_000, description="Latest instants left out of it, against reversal.")
        top: int = Field(3, ge=1, description="How many of the best to hold.")
        bottom: int = Field(0, ge=0, description="How many of the worst to sell short; 0 for none.")
        capital: Decimal = Field(
            gt=0, allow_inf_nan=False, description="What the positions of a side are worth at first, all together."
        )
        band_percent: float = Field(
            10.0, ge=0, le=100, description="Leave a position that is off its share by less than this."
        )
        invest_percent: float = Field(
            98.0, gt=0, le=100, description="How much of the capital to hold; the rest is for gaps and fees."
        )
        rebalance: Literal["instants", "week", "month"] = Field(
            "month", description="When to rank anew: every `every` instants, or each calendar week or month."
        )
        every: int = Field(
            21, ge=1, le=10_000, description="Instants between rankings, with rebalance = instants."
        )
        max_missing: int = Field(
            3, ge=0, le=1_000, description="Instants without a bar after which a symbol counts as ended."
        )
        sells_first: bool = Field(default=True, description="Buy only when the sales are done.")
        wait_s: float = Field(
            5.0, gt=0, le=3600, description="How long to wait for the bars of an instant, in seconds."
        )

        @model_validator(mode="after")
        def _selection_fits(self) -> Self:
            if len(set(self.symbols)) != len(self.symbols) or not all(self.symbols):
                raise ValueError("symbols must be different and not empty")
            if self.top + self.bottom > len(self.symbols):
                raise ValueError(
                    f"top ({self.top}) + bottom ({self.bottom}) must not exceed the {len(self.symbols)} symbols"
                )
            return self

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        kept = params.lookback + params.skip + 1
        self._members = {symbol: _Member(place, kept) for place, symbol in enumerate(params.symbols)}
        self._instant = -1
        """The close of the bars that are coming in, nanoseconds UTC."""
        self._told: set[str] = set()
        """Who has told its bar of that instant."""
        self._trading: frozenset[str] = frozenset()
        """Who has begun and not ended."""
        self._awaited: set[str] = set()
        """Who of them has not told its bar of that instant."""
        self._closed = True
        """That instant has been dealt with."""
        self._period = -1
        self._since = 0
        """Instants since the last ranking."""
        self._wanted: dict[str, Direction] | None = None
        """What the last ranking selected; None before the first."""
        self._shares: dict[Direction, Decimal] = {}
        """What a position of each direction is to be worth, as of the last ranking."""
        self._to_grow: list[str] = []
        """What waits for the sales."""
        self._exits: dict[str, str] = {}
        """The exits under way: the symbol of each intent."""
        self._trims = Tickets()
        self._fees = ZERO

    # --- what the run tells --------------------------------------------------------------------------------

    def on_start(self) -> None:
        """See that the capital can be shared out."""
        currencies = sorted({self.instrument(symbol).settle for symbol in self.params.symbols})
        if len(currencies) > 1:
            raise StrategyError(f"the symbols are settled in {', '.join(currencies)}; capital needs one currency")

    def on_bar(self, bar: Bar) -> None:
        """Collect the bars of an instant; deal with it when the last one is there."""
        member = self._members[bar.symbol]
        if bar.ts > self._instant:
            self._close_instant()
            self._instant, self._closed = bar.ts, False
            self._told.clear()
            self._awaited = set(self._trading)
            self.set_timer(_WAIT, self.params.wait_s)
        member.last = bar.close
        if bar.ts < self._instant or self._closed:
            self._remember(member, bar)
            return
        self._told.add(bar.symbol)
        self._awaited.discard(bar.symbol)
        if not self._awaited:
            self._close_instant()

    def on_timer(self, timer: Timer) -> None:
        """Nobody waits for ever."""
        if timer.name == _WAIT:
            self._close_instant()

    def on_order(self, update: OrderUpdate) -> None:
        """A sale that has failed holds up nothing any more."""
        self._trims.on_order(update)
        if update.status.is_terminal and update.status is not OrderStatus.FILLED:
            self._exits.pop(update.intent_id, None)
        self._grow_when_sold()

    def on_fill(self, fill: Fill) -> None:
        """An exit is done when the position is gone, a trim when its order is."""
        settle = self.instrument(fill.symbol).settle
        for fee in fill.fees:
            if fee.asset == settle:
                self._fees = add(self._fees, fee.amount)
        self._trims.on_fill(fill)
        if fill.intent_id in self._exits and not self._held(fill.symbol):
            del self._exits[fill.intent_id]
        self._grow_when_sold()

    # --- instants ------------------------------------------------------------------------------------------

    def _remember(self, member: _Member, bar: Bar) -> None:
        """A bar is too late for the ranking of its instant, but history and a sign of life."""
        member.back = member.missing > self.params.max_missing
        member.missing = 0
        if not member.closes:
            member.closes.append(bar.close)
        elif bar.ts == self._instant:
            member.closes[-1] = bar.close
        self._trading |= {bar.symbol}

    def _close_instant(self) -> None:
        """All bars of the instant that one can wait for are there."""
        if self._closed:
            return
        self._closed = True
        self.cancel_timer(_WAIT)
        most = self.params.max_missing
        for symbol, member in self._members.items():
            told = symbol in self._told
            member.back = told and member.missing > most
            member.missing = 0 if told else member.missing + 1
            if member.last is not None:
                member.closes.append(member.last)
        self._trading = frozenset(s for s, each in self._members.items() if each.closes and each.missing <= most)
        if self._is_due():
            self._rank()
            self._exits.clear()
            self._trim()
            self._leave()
            if self.params.sells_first:
                self._grow_when_sold()
                return
        else:
            self._leave()
        self._grow()  # whatever holds up a sale, an instant is long enough

    def _is_due(self) -> bool:
        """Whether this instant is one to rank at; the first one that can be ranked always is."""
        period, self._period = self._period, self._period_of(self._instant)
        self._since += 1
        if self._wanted is None:
            return any(self._momentum(member) is not None for member in self._members.values())
        if self.params.rebalance == "instants":
            return self._since >= self.params.every
        return self._period != period

    def _period_of(self, close: int) -> int:
        """The number of the calendar period that a bar closing then belongs to, were it of no length."""
        if self.params.rebalance == "instants":
            return 0
        day = (close - 1) // _DAY_NS  # a bar that closes at midnight is of the day before
        if self.params.rebalance == "week":
            return (day + 3) // 7  # 1970-01-01 was a Thursday
        date = datetime.fromtimestamp(day * _DAY_NS // _NS, UTC)
        return date.year * 12 + date.month

    # --- the selection -------------------------------------------------------------------------------------

    def _momentum(self, member: _Member) -> float | None:
        """The return over the look-back; None without a full one, a positive price, or recent bars."""
        closes, params = member.closes, self.params
        full = len(closes) == closes.maxlen
        if not full or member.back or member.missing > params.max_missing:
            return None
        then = closes[0]
        now = next(islice(reversed(closes), params.skip, None))
        return now / then - 1.0 if then > 0 else None

    def _rank(self) -> None:
        """Select anew: what is wanted, and which of it is not held."""
        self._since = 0
        ranked = [
            (momentum, symbol, member.place)
            for symbol, member in self._members.items()
            if (momentum := self._momentum(member)) is not None
        ]
        held = {symbol: self._held(symbol) for _, symbol, _ in ranked}
        best = sorted(ranked, key=lambda each: (-each[0], held[each[1]] is not Direction.LONG, each[2]))
        longs = [symbol for _, symbol, _ in best[: self.params.top]]
        rest = [each for each in ranked if each[1] not in longs]
        worst = sorted(rest, key=lambda each: (each[0], held[each[1]] is not Direction.SHORT, each[2]))
        shorts = [symbol for _, symbol, _ in worst[: self.params.bottom]]
        self._wanted = dict.fromkeys(longs, Direction.LONG) | dict.fromkeys(shorts, Direction.SHORT)
        self._to_grow = list(self._wanted)
        part = divide(from_market(self.params.invest_percent), Decimal(100))
        money = quantize(mul(max(ZERO, self._equity()), part))
        self._shares = {
            Direction.LONG: divide(money, Decimal(self.params.top)),
            Direction.SHORT: divide(money, Decimal(max(1, self.params.bottom))),
        }

    def _equity(self) -> Decimal:
        """The capital, and what has been made of it."""
        total = sub(self.params.capital, self._fees)
        for symbol, member in self._members.items():
            if member.last is not None:
                position = self.position(symbol)
                total = add(total, add(position.realized_pnl, position.unrealized_pnl(member.last)))
        return total

    # --- orders --------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Close what is held and not wanted, where no order of ours works already."""
        if self._wanted is None:
            return
        working = self._working()
        for symbol, member in self._members.items():
            held = self._held(symbol)
            ended = member.missing > self.params.max_missing
            if held is None or (held is self._wanted.get(symbol) and not ended) or symbol in working:
                continue
            intent = self.signal(symbol, Direction.FLAT)
            if not ended:
                self._exits[intent] = symbol

    def _trim(self) -> None:
        """Sell (or buy back) what positions that stay are too great by."""
        for symbol, direction in (self._wanted or {}).items():
            if self._held(symbol) is direction:
                self._order(symbol, direction, self._shares[direction], grow=False)

    def _grow_when_sold(self) -> None:
        """When the last sale is done the purchases may follow."""
        if self._to_grow and not self._exits and not self._trims:
            self._grow()

    def _grow(self) -> None:
        """Buy (or sell short) what is missing of the shares; less, where what is held leaves less money for it."""
        symbols, self._to_grow = self._to_grow, []
        wanted = self._wanted or {}
        growing = [symbol for symbol in symbols if self._held(symbol) in {wanted[symbol], None}]
        needs = {symbol: max(ZERO, sub(self._shares[wanted[symbol]], self._value(symbol))) for symbol in growing}
        needed, free = ZERO, mul(self._shares[Direction.LONG], Decimal(self.params.top)) if symbols else ZERO
        for symbol in self._members:
            stays = self.params.sells_first or wanted.get(symbol) is Direction.LONG
            if stays and self._held(symbol) is Direction.LONG:
                free = sub(free, self._value(symbol))
            if wanted.get(symbol) is Direction.LONG:
                needed = add(needed, needs.get(symbol, ZERO))
        for symbol, need in needs.items():
            scarce = wanted[symbol] is Direction.LONG and needed > free
            money = share(need, max(ZERO, free), needed) if need and scarce else need
            if money:
                self._order(symbol, wanted[symbol], add(self._value(symbol), money), grow=True)

    def _value(self, symbol: str) -> Decimal:
        """What we hold of a symbol is worth, at its last close."""
        last = self._members[symbol].last
        held = self.position(symbol).quantity
        return ZERO if not held or last is None else self.instrument(symbol).notional(held, from_market(last))

    def _order(self, symbol: str, direction: Direction, money: Decimal, *, grow: bool) -> None:
        """Take a position towards being worth `money`, where that is in this direction and worth an order."""
        last = self._members[symbol].last
        if last is None or last <= 0 or symbol in self._working():
            return
        instrument = self.instrument(symbol)
        target = divide(money, instrument.notional(ONE, from_market(last)), rounding=ROUND_FLOOR)
        held = magnitude(self.position(symbol).quantity)
        quantity = instrument.floor_quantity(magnitude(sub(target, held)))
        near = held and mul(quantity, Decimal(100)) < mul(target, from_market(self.params.band_percent))
        if near or (target > held) is not grow or instrument.violation(quantity, None, from_market(last)):
            return
        side = Side.BUY if (direction is Direction.LONG) is grow else Side.SELL
        intent = self.order(symbol, side, quantity, tag="grow" if grow else "trim")
        if not grow:
            self._trims.add(intent, side, quantity)

    def _working(self) -> set[str]:
        return {order.symbol for order in self.orders.values()}

    def _held(self, symbol: str) -> Direction | None:
        """What we hold; less than a lot, which nobody can trade, is nothing."""
        held = self.position(symbol).quantity
        if not held or not self.instrument(symbol).floor_quantity(held):
            return None
        return Direction.LONG if held > 0 else Direction.SHORT
