"""Which streams a run needs: what its strategies handle, and what the configuration adds."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from tradingd.data.ccxt.model import EVENT_OF, StreamKind, Subscription
from tradingd.domain.events import EventType
from tradingd.errors import ConfigError

__all__ = ["Listener", "Need", "PlanSettings", "loaded_by", "plan_subscriptions"]


class Need(Protocol):
    """Bars that a strategy has built out of its raw market data; `tradingd.strategy.timeframes.Need`."""

    @property
    def symbol(self) -> str:
        """Whose."""

    @property
    def kinds(self) -> frozenset[EventType]:
        """What they can be built from."""

    @property
    def interval_ns(self) -> int:
        """Their length, 0 when time is not what closes them."""

    @property
    def warmup(self) -> int:
        """How many of them are waited for before the symbol may be traded."""


class Listener(Protocol):
    """What is asked of a strategy."""

    strategy_id: str

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its symbols."""

    @property
    def warmup_bars(self) -> int:
        """How many bars it waits for before it may trade."""

    def listened(self) -> frozenset[EventType]:
        """The kinds of events it has handlers for, besides those that bars are built from."""

    def needs(self) -> Sequence[Need]:
        """The bars that are to be built for it."""


class PlanSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of live data."""

    interval_ns: int = 0
    """The length of bars, 0 where none is set."""
    from_trades: bool = True
    symbols: tuple[str, ...] = ()
    """Symbols beside those of the strategies: what they are worth has to be known."""
    extra: frozenset[StreamKind] = frozenset()
    """Streams of every symbol beside those that strategies need."""
    depth: int = 20
    warmup: bool = True


class _Wanted:
    """What one symbol needs."""

    def __init__(self) -> None:
        self.kinds: set[EventType] = set()
        self.history = 0
        self.align_ns = 0


def plan_subscriptions(strategies: Sequence[Listener], settings: PlanSettings) -> tuple[Subscription, ...]:
    """The subscriptions of a run, each once. A symbol that nobody listens to gets quotes, to be priced by.

    Raises:
        ConfigError: bars are needed, and nothing says how long they are or how they are built.

    """
    wanted: dict[str, _Wanted] = {}
    for strategy in strategies:
        for symbol in strategy.symbols:
            _add(wanted.setdefault(symbol, _Wanted()), strategy, symbol, settings)
    for symbol in settings.symbols:
        wanted.setdefault(symbol, _Wanted())
    return tuple(each for symbol, want in wanted.items() for each in _subscriptions(symbol, want, settings))


def _add(want: _Wanted, strategy: Listener, symbol: str, settings: PlanSettings) -> None:
    needs = [need for need in strategy.needs() if need.symbol == symbol]
    listened = strategy.listened()
    want.kinds |= listened & set(EVENT_OF.values())
    for need in needs:
        want.kinds |= _source(need, want.kinds, settings)
    if EventType.BAR not in want.kinds:
        return
    if not settings.interval_ns:
        raise ConfigError(
            f'strategy {strategy.strategy_id!r} needs bars of {symbol}; set data.interval = "1m", or what it needs'
        )
    if EventType.BAR in listened:
        want.history = max(want.history, strategy.warmup_bars)
    for need in needs:
        if need.interval_ns and EventType.BAR in need.kinds and need.warmup:
            bars = -(-need.warmup * need.interval_ns // settings.interval_ns)
            want.history = max(want.history, bars)
            want.align_ns = max(want.align_ns, need.interval_ns)


def _source(need: Need, listened: AbstractSet[EventType], settings: PlanSettings) -> AbstractSet[EventType]:
    """What is streamed for bars that may be built from several kinds: what comes anyway, else bars."""
    if len(need.kinds) == 1:
        return need.kinds
    there = need.kinds & listened
    if there:
        return there
    preferred = EventType.BAR if settings.interval_ns else EventType.TRADE
    return {preferred} if preferred in need.kinds else {min(need.kinds)}


def _subscriptions(symbol: str, want: _Wanted, settings: PlanSettings) -> list[Subscription]:
    kinds = {kind for kind, event in EVENT_OF.items() if event in want.kinds} | settings.extra
    if not kinds - {StreamKind.MARKS}:
        kinds.add(StreamKind.QUOTES)
    if StreamKind.BARS in kinds and not settings.interval_ns:
        raise ConfigError(f'candles of {symbol} are to be streamed; set data.interval = "1m", or what you need')
    return [_subscription(symbol, kind, want, settings) for kind in StreamKind if kind in kinds]


def _subscription(symbol: str, kind: StreamKind, want: _Wanted, settings: PlanSettings) -> Subscription:
    if kind is not StreamKind.BARS:
        return Subscription(symbol=symbol, kind=kind, depth=settings.depth)
    return Subscription(
        symbol=symbol,
        kind=kind,
        interval_ns=settings.interval_ns,
        from_trades=settings.from_trades,
        history=want.history if settings.warmup else 0,
        align_ns=want.align_ns,
    )


def loaded_by(subscriptions: Sequence[Subscription]) -> Mapping[str, Mapping[EventType, Sequence[int]]]:
    """What events a run has of each symbol, as `Timeframes.check` asks for it."""
    found: dict[str, dict[EventType, list[int]]] = {}
    for each in subscriptions:
        if each.kind in EVENT_OF:
            found.setdefault(each.symbol, {}).setdefault(EVENT_OF[each.kind], []).append(each.interval_ns)
    return found
