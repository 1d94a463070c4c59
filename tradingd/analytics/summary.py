"""What a session came to: statistics gathered while it runs, and the summary at its end."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from tradingd.domain.enums import HaltState, OrderStatus
from tradingd.domain.events import Event, Fill, HaltChanged, OrderUpdate, PositionUpdate, StrategyFaulted
from tradingd.domain.money import ZERO, PriceLike, add, divide, mul, quantize, sub, to_price
from tradingd.domain.position import Position

__all__ = [
    "PositionLine",
    "SessionStats",
    "StrategyLine",
    "Summary",
    "build_summary",
    "decimal_text",
    "percent",
    "position_line",
    "to_json",
]

_PERCENT: Final = Decimal("0.0001")
_HUNDRED: Final = Decimal(100)
_REMEMBERED: Final = 4096
"""How many finished orders are remembered, so that what comes late for one does not count it twice."""
_NOTES: Final = 100
"""How many halts and faults are kept in words; the earlier ones are only counted."""


class PositionLine(msgspec.Struct, kw_only=True, frozen=True):
    """A position as it is told; without a price there is nothing to tell of its unrealised profit."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    realized_pnl: Decimal


class StrategyLine(msgspec.Struct, kw_only=True, frozen=True):
    """A strategy as it is told; fees are by asset, as they were taken."""

    strategy_id: str
    state: str
    fills: int = 0
    realized_pnl: Decimal = ZERO
    unrealized_pnl: Decimal = ZERO
    fees: dict[str, Decimal] = {}


class Summary(msgspec.Struct, kw_only=True, frozen=True):
    """A finished session. Times `started_ns` and `ended_ns` are those of the data, `wall_s` is the machine's."""

    run_id: str
    name: str
    mode: str
    stop_reason: str
    started_ns: int
    ended_ns: int
    wall_s: float
    events: int
    currency: str
    initial_equity: Decimal
    equity: Decimal
    pnl: Decimal
    return_percent: Decimal
    max_drawdown_percent: Decimal
    fills: int
    fees: dict[str, Decimal]
    """By asset; a negative amount is a net rebate."""
    dividends: dict[str, Decimal] = {}
    """By asset; negative where shorts paid more."""
    orders: dict[str, int]
    """Every order once: by its terminal status, or by its last one if it still works."""
    denials: dict[str, int]
    """By reason code."""
    positions: tuple[PositionLine, ...]
    strategies: tuple[StrategyLine, ...]
    halts: tuple[str, ...]
    faults: tuple[str, ...]


class _Notes:
    """The latest of a list of lines, and the number of all."""

    __slots__ = ("_lines", "count")

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_NOTES)
        self.count = 0

    def add(self, line: str) -> None:
        """Take a line."""
        self._lines.append(line)
        self.count += 1

    def lines(self) -> tuple[str, ...]:
        """The latest lines, with a word on how many came before them."""
        earlier = self.count - len(self._lines)
        return (f"({earlier} earlier ones)", *self._lines) if earlier else tuple(self._lines)


class SessionStats:
    """Gathers what a summary needs, in memory that does not grow with fills or finished orders.

    Drawdown is measured on the equities told to `on_equity`, in their order::

        peak_t = max(equity_0 .. equity_t)      drawdown_t = (peak_t - equity_t) / peak_t
        max_drawdown = max over t of drawdown_t

    a fraction of the peak, 0 while equity only rises and above 1 if it goes below zero; instants whose peak is not
    above zero have none.

    An order counts once, by its terminal status; a fill that comes late and changes that moves the count. The
    latest 4,096 finished orders are remembered for this.

    A fill that the venue forced counts once in all, and for each strategy whose position it closed with its part.
    """

    __slots__ = (
        "__weakref__",
        "_denials",
        "_faults",
        "_fees",
        "_fees_of",
        "_fills",
        "_fills_of",
        "_finished",
        "_halts",
        "_orders",
        "_trough",
        "_working",
        "first_equity",
        "first_ns",
        "halted",
        "last_equity",
        "last_ns",
        "max_drawdown",
        "peak",
    )

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.first_equity: Decimal | None = None
        self.last_equity: Decimal | None = None
        self.peak = ZERO
        self._trough = ZERO
        self.max_drawdown = ZERO
        self.halted: dict[tuple[str, str], HaltState] = {}
        """The halts in force, by scope and key."""
        self._fills = 0
        self._fees: dict[str, Decimal] = {}
        self._fills_of: Counter[str] = Counter()
        self._fees_of: dict[str, dict[str, Decimal]] = {}
        self._orders: Counter[OrderStatus] = Counter()
        self._working: dict[str, OrderStatus] = {}
        self._finished: OrderedDict[str, OrderStatus] = OrderedDict()
        self._denials: Counter[str] = Counter()
        self._halts = _Notes()
        self._faults = _Notes()

    def observe(self, event: Event) -> None:
        """Take a Fill, OrderUpdate, StrategyFaulted, HaltChanged or the PositionUpdate of a forced fill.

        Any other event is of no account.
        """
        if isinstance(event, OrderUpdate):
            self._on_order(event)
        elif isinstance(event, Fill):
            self._on_fill(event)
        elif isinstance(event, PositionUpdate):
            if event.fill.forced:
                self._count_of(event.fill)
        elif isinstance(event, HaltChanged):
            self._on_halt(event)
        elif isinstance(event, StrategyFaulted):
            self._faults.add(f"{event.strategy_id}: {event.error}")

    def on_equity(self, ts_ns: int, equity: Decimal) -> None:
        """Take the equity at an instant; not earlier than the ones before."""
        if self.first_equity is None:
            self.first_ns, self.first_equity, self.peak = ts_ns, equity, equity
            self._trough = equity
        self.last_ns, self.last_equity = ts_ns, equity
        if equity >= self.peak:
            self.peak = self._trough = equity
        elif equity < self._trough and self.peak > 0:
            self._trough = equity
            self.max_drawdown = max(self.max_drawdown, divide(sub(self.peak, equity), self.peak))

    @property
    def fills(self) -> int:
        """How many fills were seen."""
        return self._fills

    @property
    def fees(self) -> dict[str, Decimal]:
        """All fees by asset."""
        return dict(sorted(self._fees.items()))

    @property
    def orders(self) -> dict[str, int]:
        """How many orders ended, or still are, in each status; in the order of the statuses."""
        counts = self._orders + Counter(self._working.values())
        return {status.value: counts[status] for status in OrderStatus if counts[status]}

    @property
    def denials(self) -> dict[str, int]:
        """How many orders were denied by reason code, the most frequent first."""
        return dict(sorted(self._denials.items(), key=lambda item: (-item[1], item[0])))

    @property
    def halts(self) -> tuple[str, ...]:
        """The halts that were raised, in words, the latest last."""
        return self._halts.lines()

    @property
    def faults(self) -> tuple[str, ...]:
        """The strategies that faulted, with their errors, the latest last."""
        return self._faults.lines()

    def strategy_line(
        self, strategy_id: str, state: str, realized_pnl: Decimal, unrealized_pnl: Decimal
    ) -> StrategyLine:
        """The line of one strategy, with the fills and fees that were seen of it."""
        return StrategyLine(
            strategy_id=strategy_id,
            state=state,
            fills=self._fills_of[strategy_id],
            realized_pnl=realized_pnl,
            unrealized_pnl=unrealized_pnl,
            fees=dict(sorted(self._fees_of.get(strategy_id, {}).items())),
        )

    def _on_fill(self, fill: Fill) -> None:
        self._fills += 1
        _charge(self._fees, fill)
        if not fill.forced:
            self._count_of(fill)

    def _count_of(self, fill: Fill) -> None:
        """Count a fill, or its part of a forced one, for its strategy."""
        self._fills_of[fill.strategy_id] += 1
        _charge(self._fees_of.setdefault(fill.strategy_id, {}), fill)

    def _on_order(self, update: OrderUpdate) -> None:
        if update.parent_id:
            return  # a part of an order that is counted as a whole
        status = update.status
        if not status.is_terminal and update.order_id not in self._finished:
            self._working[update.order_id] = status
            return
        known = self._finished.get(update.order_id)
        if known is status:
            return
        if known is not None:  # something came late for a finished order
            del self._finished[update.order_id]
            self._orders[known] -= 1
        if not status.is_terminal:
            self._working[update.order_id] = status
            return
        self._working.pop(update.order_id, None)
        self._orders[status] += 1
        if status is OrderStatus.DENIED:
            self._denials[update.reason.partition(":")[0].strip() or "UNSPECIFIED"] += 1
        if update.order_id:  # what risk denies never had one
            self._finished[update.order_id] = status
            if len(self._finished) > _REMEMBERED:
                self._finished.popitem(last=False)

    def _on_halt(self, event: HaltChanged) -> None:
        key = (event.scope.value, event.key)
        before = self.halted.pop(key, HaltState.TRADING)
        if event.state is not HaltState.TRADING:
            self.halted[key] = event.state
        if event.state > before:
            self._halts.add(f"{' '.join(filter(None, key))}: {event.state.name} ({event.reason})")


def _charge(fees: dict[str, Decimal], fill: Fill) -> None:
    for fee in fill.fees:
        fees[fee.asset] = add(fees.get(fee.asset, ZERO), fee.amount)


def position_line(position: Position, price: PriceLike | None) -> PositionLine:
    """A position's line at a market price, or at none."""
    return PositionLine(
        symbol=position.symbol,
        quantity=position.quantity,
        average_price=position.average_price,
        price=None if price is None else to_price(price),
        unrealized_pnl=None if price is None else position.unrealized_pnl(price),
        realized_pnl=position.realized_pnl,
    )


def percent(part: Decimal, whole: Decimal) -> Decimal:
    """`part` of `whole` in percent, rounded to 4 decimals; 0 of nothing."""
    return divide(mul(part, _HUNDRED), whole, _PERCENT) if whole else quantize(ZERO, _PERCENT)


def build_summary(
    stats: SessionStats,
    *,
    run_id: str,
    name: str,
    mode: str,
    stop_reason: str,
    started_ns: int,
    ended_ns: int,
    wall_s: float,
    events: int,
    currency: str,
    initial_equity: Decimal,
    equity: Decimal,
    positions: Iterable[PositionLine] = (),
    strategies: Iterable[StrategyLine] = (),
    dividends: Mapping[str, Decimal] | None = None,
) -> Summary:
    """The summary of a session: its statistics, and what only its components know."""
    pnl = sub(equity, initial_equity)
    return Summary(
        run_id=run_id,
        name=name,
        mode=mode,
        stop_reason=stop_reason,
        started_ns=started_ns,
        ended_ns=ended_ns,
        wall_s=wall_s,
        events=events,
        currency=currency,
        initial_equity=initial_equity,
        equity=equity,
        pnl=pnl,
        return_percent=percent(pnl, initial_equity),
        max_drawdown_percent=percent(stats.max_drawdown, Decimal(1)),
        fills=stats.fills,
        fees=stats.fees,
        dividends=dict(dividends or {}),
        orders=stats.orders,
        denials=stats.denials,
        positions=tuple(positions),
        strategies=tuple(strategies),
        halts=stats.halts,
        faults=stats.faults,
    )


def decimal_text(value: Decimal) -> str:
    """A Decimal exactly, in plain digits: no exponent, no trailing zeros behind the point, no minus zero."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def to_json(summary: Summary) -> bytes:
    """The summary as JSON, decimals as text in plain digits."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(summary, builtin_types=(Decimal,))))


def _plain(value: Any) -> Any:  # noqa: ANN401 - a tree of builtins
    """The same tree with every Decimal as its plain text."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
