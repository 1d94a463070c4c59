"""Bars that a strategy has built for it out of its raw market data: other timeframes, ticks into bars."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Literal, NamedTuple, get_args

from tradingd.domain.aggregation import BarRule, parse_rule
from tradingd.domain.events import Bar, EventType, MarketEvent
from tradingd.errors import ConfigError, StrategyError

__all__ = ["BarInput", "Loaded", "Need", "Timeframes", "WarmUp"]

BarInput = Literal["bars", "trades", "quotes"]
"""What bars can be built from."""

Loaded = Mapping[str, Mapping[EventType, Sequence[int]]]
"""By symbol and kind, the lengths of the series that a run has (0 for ticks)."""

_KINDS = dict(zip(get_args(BarInput), (EventType.BAR, EventType.TRADE, EventType.QUOTE), strict=True))
_NAMES = {kind: name for name, kind in _KINDS.items()}
_UNLESS_TOLD = frozenset({EventType.BAR, EventType.TRADE})
"""Quotes are many and say no volume: nobody gets bars of them by accident."""

_HOW_TO_NAME = "source= in self.aggregate, or bars_from in [[strategies]]"

_Handler = Callable[[Any], None]
_Told = Callable[[Bar, str], None]
_close_time = itemgetter(0)


class Timeframes:
    """What a strategy has asked for, and the aggregators that make it.

    Bars that one event closes are told in the order of their closes, before that event itself. `tell` gets those
    of `want`; those of `replace_bars` go where raw bars would.
    """

    def __init__(self, owner: str, tell: _Told) -> None:
        self._owner = owner
        self._tell = tell
        self._wanted: list[tuple[str, BarRule, frozenset[EventType], int]] = []
        self._instead: tuple[BarRule, frozenset[EventType]] | None = None
        self._builders: list[_Builder] = []

    def __bool__(self) -> bool:
        return bool(self._wanted) or self._instead is not None

    @property
    def stand_in(self) -> bool:
        """Whether built bars stand in for raw ones."""
        return self._instead is not None

    def want(self, symbol: str, rule: str, source: BarInput | None, warmup: int) -> None:
        """Build bars of `symbol` besides its raw events; see `Strategy.aggregate`."""
        parsed = parse_rule(rule)
        self._wanted.append((symbol, parsed, _kinds(parsed, source), warmup))

    def replace_bars(self, rule: str, source: BarInput | None = None) -> None:
        """Build the bars that the strategy's `on_bar` gets, of all its symbols, instead of raw ones."""
        parsed = parse_rule(rule)
        self._instead = parsed, _kinds(parsed, source)

    def bind(self, symbols: Sequence[str], warmup_bars: int) -> "WarmUp":
        """Make the aggregators; returns the bars that are to be waited for.

        Raises:
            StrategyError: bars are wanted of a symbol that is not among `symbols`.

        """
        waits = WarmUp(symbols, warmup_bars)
        for symbol, rule, kinds, warmup in self._wanted:
            if symbol not in symbols:
                raise StrategyError(f"it wants {rule.text} of {symbol}, which is not among its symbols")
            waits.wait_for(symbol, rule.text, warmup)
            self._builders.append(_Builder(symbol, rule, kinds, partial(_told_as, self._tell, rule.text)))
        if self._instead is not None:
            self._builders.extend(_Builder(symbol, *self._instead, None) for symbol in symbols)
        return waits

    def events(self, listened: Iterable[EventType]) -> frozenset[EventType]:
        """Which kinds of market data are needed, for what the strategy itself listens to and for its builders."""
        raw = set(listened) if self._instead is None else set(listened) - {EventType.BAR}
        return frozenset(raw.union(*(builder.kinds for builder in self._builders)))

    def needs(self, symbols: Iterable[str], warmup_bars: int) -> tuple["Need", ...]:
        """What is built, for those who have to find its input; `warmup_bars` are those of `replace_bars`."""
        wanted = self._wanted
        if self._instead is not None:
            wanted = [*wanted, *((symbol, *self._instead, warmup_bars) for symbol in symbols)]
        return tuple(Need(symbol, kinds, rule.interval_ns, warmup) for symbol, rule, kinds, warmup in wanted)

    def around(self, handlers: Mapping[EventType, _Handler]) -> Mapping[EventType, _Handler]:
        """The strategy's handlers, with the builders before those of market data."""
        raw = {**handlers} if self._instead is None else {**handlers, EventType.BAR: _ignore}
        for builder in self._builders:
            builder.deliver = builder.deliver or handlers[EventType.BAR]
        for kind in _KINDS.values():
            routes: dict[str, list[_Builder]] = {}
            for builder in self._builders:
                if kind in builder.kinds:
                    routes.setdefault(builder.symbol, []).append(builder)
            if routes:
                raw[kind] = partial(_build_first, routes, raw[kind])
        return raw

    def check(self, loaded: Loaded) -> None:
        """See before a run whether all bars can be built from what it has.

        Raises:
            ConfigError: an input is missing, is there in several forms, or does not fit into the bars.

        """
        for builder in self._builders:
            if problem := builder.problem(loaded.get(builder.symbol, {})):
                raise ConfigError(f"strategy {self._owner!r}: {problem}")


class Need(NamedTuple):
    """Bars that are built for a strategy out of its raw market data."""

    symbol: str
    kinds: frozenset[EventType]
    """What they can be built from."""
    interval_ns: int
    """Their length, 0 when time is not what closes them."""
    warmup: int
    """How many of them are waited for before the symbol may be traded."""


class WarmUp(dict[str, dict[str, int]]):
    """By symbol, how many bars of each rule must close before the last that is missing; only who waits is in it.

    `on_bar`'s bar that is being handled counts, so one of those is nothing to wait for.
    """

    ON_BAR = ""
    """Stands for the rule of what `on_bar` gets."""

    def __init__(self, symbols: Iterable[str] = (), on_bar: int = 0) -> None:
        super().__init__({symbol: {WarmUp.ON_BAR: on_bar - 1} for symbol in symbols} if on_bar > 1 else {})

    def wait_for(self, symbol: str, rule: str, bars: int) -> None:
        """Let `symbol` wait until this many bars of a rule have closed."""
        if bars > 0:
            waits = self.setdefault(symbol, {})
            waits[rule] = max(bars - 1, waits.get(rule, 0))

    def count(self, symbol: str, rule: str) -> None:
        """A bar closed; the last that was missing counts before it is handled."""
        waits = self.get(symbol)
        if waits is None or rule not in waits:
            return
        if waits[rule]:
            waits[rule] -= 1
            return
        del waits[rule]
        if not waits:
            del self[symbol]

    @property
    def needs_bars(self) -> bool:
        """Whether a symbol waits for what `on_bar` gets."""
        return any(WarmUp.ON_BAR in waits for waits in self.values())


class _Builder:
    """One rule's bars of one symbol: their input, once that is settled, and who is told."""

    __slots__ = ("_aggregator", "_input", "_rule", "deliver", "kinds", "symbol")

    def __init__(self, symbol: str, rule: BarRule, kinds: frozenset[EventType], deliver: _Handler | None) -> None:
        self.symbol = symbol
        self.kinds = kinds
        self.deliver = deliver
        self._rule = rule
        self._aggregator = rule.make()
        self._input: EventType | None = None

    def update(self, event: MarketEvent) -> Sequence[Bar]:
        """Take an event; returns the bars that it closes."""
        if event.type is not self._input:
            if self._input is not None:
                raise StrategyError(self._ambiguous())
            self._input = event.type
        return self._aggregator.update(event)

    def problem(self, loaded: Mapping[EventType, Sequence[int]]) -> str:
        """Why these series are no input; empty when they are."""
        usable = self.kinds & loaded.keys()
        if not usable:
            wanted, there = (" or ".join(_NAMES[kind] for kind in sorted(kinds)) for kinds in (self.kinds, loaded))
            hint = "" if not loaded.keys() & self._rule.takes else f", which have to be named: {_HOW_TO_NAME}"
            return f"{self._what()} needs {wanted} of it; loaded: {there or 'nothing'}{hint}"
        if len(usable) > 1:
            return self._ambiguous()
        lengths = loaded[next(iter(usable))]
        if len(lengths) > 1:
            return f"{self._what()}: {len(lengths)} series of it are loaded; name one"
        refusal = self._rule.refusal(lengths[0]) if lengths[0] else ""
        return f"{self.symbol}: {refusal}" if refusal else ""

    def _what(self) -> str:
        return f"{self._rule.text} of {self.symbol}"

    def _ambiguous(self) -> str:
        return (
            f"{self._what()} could be built from bars or from trades, and there are both: say which, by "
            f"{_HOW_TO_NAME}"
        )


def _kinds(rule: BarRule, source: BarInput | None) -> frozenset[EventType]:
    """What a rule's bars may be built from."""
    if source is None:
        return rule.takes & _UNLESS_TOLD
    kind = _KINDS.get(source)
    if kind is None:
        raise StrategyError(f"{source!r} is nothing to build bars from; use {', '.join(_KINDS)}")
    if kind not in rule.takes:
        good = ", ".join(_NAMES[kind] for kind in sorted(rule.takes))
        raise StrategyError(f"{rule.text} cannot be built from {source}, but from {good}")
    return frozenset({kind})


def _build_first(routes: Mapping[str, Sequence[_Builder]], handle: _Handler, event: MarketEvent) -> None:
    """Tell the bars that an event closes, then the event."""
    due: list[tuple[int, _Handler, Bar]] = []
    for builder in routes.get(event.symbol, ()):
        for bar in builder.update(event):
            due.append((bar.ts, builder.deliver or _ignore, bar))  # noqa: PERF401 - mostly there are none
    if due:
        due.sort(key=_close_time)
        for _, deliver, bar in due:
            deliver(bar)
    handle(event)


def _told_as(tell: _Told, rule: str, bar: Bar) -> None:
    tell(bar, rule)


def _ignore(_event: object) -> None:
    """Raw bars that built ones stand in for."""
