"""Strategies on several timeframes, and on bars built from ticks: nobody ever sees an unclosed bar."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.aggregation import parse_rule
from tradingd.domain.enums import Direction, Side
from tradingd.domain.events import Bar, EventType, MarketEvent, Trade
from tradingd.domain.times import parse_interval
from tradingd.errors import ConfigError, StrategyError, UsageError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.indicators import SMA
from tradingd.strategy.ma_crossover import MovingAverageCrossover
from tradingd.testing import StrategyRun, make_bar, make_quote

S = 10**9
M = 60 * S
HOUR = 1_700_002_800 * S
"""A full hour: 2023-11-14 23:00, soon after the clock of `StrategyRun` begins."""


class Watcher(Strategy):
    """Wants bars by some rules and notes all it is told, with the time it is told at."""

    class Params(StrategyParams):
        symbol: str = "AAPL"
        rules: tuple[str, ...] = ("5m",)
        source: Any = None
        warmup: int = 0
        bars_needed: int = 0

    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.told: list[tuple[int, str, Any]] = []
        self.intents: list[str] = []
        for rule in params.rules:
            self.aggregate(params.symbol, rule, warmup=params.warmup, source=params.source)

    @property
    def warmup_bars(self) -> int:
        return self.params.bars_needed

    def on_aggregate(self, bar: Bar, rule: str) -> None:
        self.told.append((self.now, rule, bar))
        self.intents.append(self.signal(bar.symbol, Direction.LONG))

    def on_bar(self, bar: Bar) -> None:
        self.told.append((self.now, "", bar))


class Plain(Strategy):
    """Wants nothing but raw bars."""

    class Params(StrategyParams):
        symbol: str = "AAPL"

    def on_bar(self, bar: Bar) -> None:
        """Nothing."""


def minute(number: int, close: float = 100.0, length: int = 1) -> Bar:
    """A bar that opens `number` minutes after the full hour."""
    opens = HOUR + number * M
    return Bar(opens + length * M, "AAPL", close, close, close, close, 1.0, opens)


def trade(second: int, price: float = 100.0, amount: float = 1.0) -> Trade:
    """A trade `second` seconds after the full hour."""
    return Trade(HOUR + second * S, "AAPL", price, amount, Side.BUY)


def kinds(run: StrategyRun) -> list[str]:
    """The rules of what a watcher was told, raw bars as ""."""
    return [rule for _, rule, _ in run.strategy.told]


# --- asking for bars ----------------------------------------------------------


def test_a_closed_bar_is_told_before_the_raw_bar_that_closed_it() -> None:
    """The fifth minute closes five minutes, which are told first; the time is already that minute's close."""
    run = StrategyRun(Watcher)
    run.bars([minute(number, 100.0 + number) for number in range(6)])
    assert kinds(run) == ["", "", "", "", "5m", "", ""]
    now, _, bar = run.strategy.told[4]
    assert now == HOUR + 5 * M
    assert bar == Bar(HOUR + 5 * M, "AAPL", 100.0, 104.0, 100.0, 104.0, 5.0, HOUR)


def test_bars_that_close_together_come_in_the_order_of_their_closes() -> None:
    """After a hole the older close is told first, whatever the order of the wishes; ties keep that order."""
    run = StrategyRun(Watcher, {"rules": ["10m", "5m"]})
    run.bars([minute(0), minute(29)])
    told = [(rule, (bar.ts - HOUR) // M) for _, rule, bar in run.strategy.told if rule]
    assert told == [("5m", 5), ("10m", 10), ("10m", 30), ("5m", 30)]


def test_the_rule_is_told_as_it_was_written() -> None:
    """A strategy compares the rule with the text it used itself."""
    run = StrategyRun(Watcher, {"rules": ["60m", "1H"]})
    run.bars([minute(number) for number in range(60)])
    assert [rule for rule in kinds(run) if rule] == ["60m", "1H"]


def test_trades_build_bars_for_a_strategy_that_does_not_listen_to_trades() -> None:
    """Wishes bring the inputs they need; the strategy's own handlers stay as they are."""
    run = StrategyRun(Watcher, {"rules": ["1m", "tick:2"]})
    for second in (0, 30, 60):
        run.market(trade(second))
    assert kinds(run) == ["tick:2", "1m"]
    assert run.strategy.market_events() == {EventType.BAR, EventType.TRADE}


def test_quotes_are_used_only_where_they_are_named() -> None:
    """Unless told, bars are built from bars or trades; `source` takes quotes, and nothing else then."""
    assert EventType.QUOTE not in StrategyRun(Watcher).strategy.market_events()
    run = StrategyRun(Watcher, {"rules": ["1m"], "source": "quotes"})
    assert run.strategy.market_events() == {EventType.BAR, EventType.QUOTE}
    for at in (0, 0.5, 2):
        run.market(make_quote(99.0, 101.0, minute=at))
        run.market(make_bar(1.0, minute=at - 1))
    assert [(rule, bar.close) for _, rule, bar in run.strategy.told if rule] == [("1m", 100.0)]


def test_other_symbols_go_into_nothing() -> None:
    """Only the symbol that was named is built."""
    run = StrategyRun(Watcher, {"rules": ["tick:1"]}, symbols=["MSFT"])
    run.market(make_bar(1.0, symbol="MSFT"))
    assert kinds(run) == [""]


def test_without_wishes_the_raw_handler_is_called_directly() -> None:
    """A strategy that wants no other bars pays nothing for those that do."""
    strategy = StrategyRun(Plain).strategy
    assert strategy.handlers()[EventType.BAR] == strategy.on_bar
    assert strategy.market_events() == {EventType.BAR}


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"rules": ["5 minutes"]}, UsageError, "'5 minutes' is no rule for bars"),
        ({"source": "book"}, StrategyError, "'book' is nothing to build bars from; use bars, trades, quotes"),
        ({"rules": ["volume:5"], "source": "quotes"}, StrategyError, "from quotes, but from bars, trades"),
        ({"rules": ["volume-imbalance:5"], "source": "bars"}, StrategyError, "from bars, but from trades"),
    ],
)
def test_impossible_wishes_are_refused(params: Mapping[str, Any], error: type[Exception], message: str) -> None:
    """A wish that can never come true is refused when the strategy is made."""
    with pytest.raises(error, match=message):
        StrategyRun(Watcher, params)


def test_wishes_nobody_handles_are_refused() -> None:
    """Bars that are asked for without an on_aggregate would be built for nothing."""
    strategy = Plain(Plain.Params(), "s")
    with pytest.raises(StrategyError, match="no on_aggregate"):
        strategy.aggregate("AAPL", "5m")


def test_wishes_come_before_the_run() -> None:
    """Once the run has been wired a wish would go unheard, so it raises."""
    with pytest.raises(StrategyError, match="call it in __init__"):
        StrategyRun(Watcher).strategy.aggregate("AAPL", "5m")


def test_only_own_symbols_can_be_wished_for() -> None:
    """A symbol whose market data the strategy does not get cannot be built."""

    class Elsewhere(Watcher):
        @property
        def symbols(self) -> tuple[str, ...]:
            return ("MSFT",)

    with pytest.raises(StrategyError, match="5m of AAPL, which is not among its symbols"):
        StrategyRun(Elsewhere)


def test_mixed_inputs_are_refused() -> None:
    """Bars and trades of one symbol say the same twice; which of them counts has to be said."""
    run = StrategyRun(Watcher)
    run.market(trade(0))
    with pytest.raises(StrategyError, match=r"there are both: say which, by source="):
        run.market(minute(1))


def test_a_named_input_ignores_the_other() -> None:
    """With `source` the other kind is only what the strategy's own handler gets."""
    run = StrategyRun(Watcher, {"rules": ["tick:1"], "source": "trades"})
    run.market(trade(0))
    run.market(minute(1))
    assert kinds(run) == ["tick:1", ""]


# --- warm-up ---------------------------------------------------------------------------------------------


def test_a_symbol_is_not_traded_before_its_larger_bars_have_closed() -> None:
    """With two five-minute bars to wait for, the second is the first that may trade."""
    run = StrategyRun(Watcher, {"warmup": 2})
    run.bars([minute(number) for number in range(15)])
    assert run.strategy.intents == ["", "s:1", "s:2"]


def test_all_warm_ups_have_to_be_over() -> None:
    """Raw bars and every rule's bars are waited for, each by its own count."""
    run = StrategyRun(Watcher, {"rules": ["2m", "5m"], "warmup": 1, "bars_needed": 7})
    run.bars([minute(number) for number in range(10)])
    by_rule = [rule for rule in kinds(run) if rule]
    assert list(zip(by_rule, run.strategy.intents, strict=True)) == [
        ("2m", ""), ("2m", ""), ("5m", ""), ("2m", ""), ("2m", "s:1"), ("2m", "s:2"), ("5m", "s:3"),
    ]  # fmt: skip


# --- built bars instead of raw ones ----------------------------------------------------------


def instead(cls: type[Strategy], rule: str, params: Mapping[str, Any], source: Any = None) -> StrategyRun:
    """A strategy whose bars are built by this rule."""
    return StrategyRun(cls, params, bars=rule, bars_from=source)


def test_built_bars_can_stand_in_for_raw_ones() -> None:
    """With bars = "1m" a strategy's on_bar gets minutes of trades, and its warm-up counts those."""
    run = instead(MovingAverageCrossover, "1m", {"symbol": "AAPL", "fast_ma": 1, "slow_ma": 2})
    assert run.strategy.market_events() == {EventType.BAR, EventType.TRADE}
    for second, price in ((0, 100.0), (59, 99.0), (61, 101.0), (119, 103.0), (120, 50.0)):
        run.market(trade(second, price))
    (signal,) = run.log.events
    assert (signal.direction, signal.price, signal.ts) == (Direction.LONG, 103.0, HOUR + 120 * S)


def test_raw_bars_are_not_told_where_built_ones_are() -> None:
    """on_bar gets bars of one length only; wishes of the strategy itself come first."""
    run = instead(Watcher, "2m", {"rules": ["4m"]})
    run.bars([minute(number) for number in range(5)])
    assert [(rule, (bar.ts - bar.ts_open) // M) for _, rule, bar in run.strategy.told] == [
        ("", 2), ("4m", 4), ("", 2),
    ]  # fmt: skip


def test_raw_bars_beside_ticks_are_left_out() -> None:
    """With bars_from = "trades" a bar series of the same symbol reaches nobody."""
    run = instead(Watcher, "tick:1", {"rules": []}, "trades")
    assert run.strategy.market_events() == {EventType.TRADE}
    run.market(minute(0, 1.0))
    run.market(trade(60, 2.0))
    assert [bar.close for _, _, bar in run.strategy.told] == [2.0]


# --- what a run has ----------------------------------------------------------


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        ({"AAPL": {EventType.BAR: [M]}}, ""),
        ({"AAPL": {EventType.TRADE: [0], EventType.QUOTE: [0]}}, ""),
        (
            {"AAPL": {EventType.QUOTE: [0]}},
            r"needs bars or trades of it; loaded: quotes, which have to be named: source=",
        ),
        ({}, "5m of AAPL needs bars or trades of it; loaded: nothing$"),
        ({"AAPL": {EventType.BAR: [M], EventType.TRADE: [0]}}, "there are both: say which"),
        ({"AAPL": {EventType.BAR: [M, 5 * M]}}, "2 series of it are loaded"),
        ({"AAPL": {EventType.BAR: [2 * M]}}, "5m cannot be built from bars of 2m"),
        ({"AAPL": {EventType.BAR: [60 * M]}}, "5m cannot be built from bars of 1h"),
    ],
)
def test_a_run_without_a_fitting_input_is_refused(loaded: Any, message: str) -> None:
    """Before a run it is told what bars cannot be built, and why."""
    timeframes = StrategyRun(Watcher).strategy.timeframes
    if not message:
        timeframes.check(loaded)
        return
    with pytest.raises(ConfigError, match=message):
        timeframes.check(loaded)


# --- nothing is ever seen before its close ----------------------------------------------------------

PRICES = st.integers(1, 400).map(lambda eighths: eighths / 8)
TIMED = ["2m", "5m", "7m", "15m", "1h", "4h", "1d"]
OTHER = ["tick:4", "volume:9", "value:200", "renko:3", "heikin-ashi:15m"]


@st.composite
def series(draw: st.DrawFn) -> list[Bar] | list[Trade]:
    """Minute bars or trades, with holes, of prices that have exact sums."""
    hole = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 300))
    rows = draw(st.lists(st.tuples(hole, PRICES, PRICES, st.integers(0, 8)), min_size=1, max_size=60))
    first = draw(st.integers(0, 100))
    if draw(st.booleans()):
        times = running(first, [gap + 1 for gap, *_ in rows])
        return [
            Bar(HOUR + at * M, "AAPL", a, max(a, b), min(a, b), b, float(size), HOUR + (at - 1) * M)
            for at, (_, a, b, size) in zip(times, rows, strict=True)
        ]
    times = running(first, [gap * 7 for gap, *_ in rows])
    return [trade(at, a, float(size)) for at, (_, a, _, size) in zip(times, rows, strict=True)]


def running(first: int, steps: Sequence[int]) -> list[int]:
    """The sums of all beginnings of `steps`."""
    return [first + sum(steps[: number + 1]) for number in range(len(steps))]


def opened(event: Bar | Trade) -> int:
    """Since when an event tells of the market."""
    return event.ts_open if isinstance(event, Bar) else event.ts


def inside(bar: Bar, inputs: Sequence[Bar | Trade]) -> list[Bar | Trade]:
    """The inputs that lie within a time bar."""
    return [event for event in inputs if bar.ts_open <= opened(event) < bar.ts]


def summed(inputs: Sequence[Bar | Trade]) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume of inputs."""
    bars = [event for event in inputs if isinstance(event, Bar)]
    if bars:
        extremes = max(bar.high for bar in bars), min(bar.low for bar in bars)
        return bars[0].open, *extremes, bars[-1].close, sum(bar.volume for bar in bars)
    prices = [event.price for event in inputs]
    amounts = sum(event.amount for event in inputs if isinstance(event, Trade))
    return prices[0], max(prices), min(prices), prices[-1], amounts


@settings(deadline=None, derandomize=True)
@given(series(), st.lists(st.sampled_from(TIMED), min_size=1, max_size=4, unique=True))
def test_a_time_bar_is_closed_whole_and_known_when_it_is_told(
    events: list[Bar] | list[Trade], rules: list[str]
) -> None:
    """Of every bar that is told: its close has passed, all that was in it is known, and nothing later is in it."""
    run = StrategyRun(Watcher, {"rules": rules})
    for number, event in enumerate(events, 1):
        run.strategy.told.clear()
        run.market(event)
        known = events[:number]
        for now, rule, bar in run.strategy.told:
            if not rule:
                continue
            assert bar.ts - bar.ts_open == parse_interval(rule)
            assert bar.ts <= now == event.ts
            parts = inside(bar, known)
            assert all(part.ts <= bar.ts for part in parts)
            assert parts == inside(bar, events), "all inputs of this bar are known now, none is to come"
            assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == summed(parts)


@settings(deadline=None, derandomize=True)
@given(series(), st.lists(st.sampled_from(TIMED), min_size=1, max_size=4, unique=True))
def test_no_closed_time_bar_is_missing_or_told_twice(events: list[Bar] | list[Trade], rules: list[str]) -> None:
    """At every event each period that has ended and had inputs has been told exactly once, in order."""
    run = StrategyRun(Watcher, {"rules": rules})
    for number, event in enumerate(events, 1):
        run.market(event)
        for rule in rules:
            length = parse_interval(rule)
            ends = sorted({opened(each) // length * length + length for each in events[:number]})
            told = [bar.ts for _, name, bar in run.strategy.told if name == rule]
            assert told == [end for end in ends if end <= event.ts]


@settings(deadline=None, derandomize=True)
@given(series(), st.lists(st.sampled_from([*TIMED, *OTHER]), min_size=1, max_size=4, unique=True))
def test_what_is_told_does_not_depend_on_what_comes_later(
    events: list[Bar] | list[Trade], rules: list[str]
) -> None:
    """All bars told up to an event are those of a batch that ends with it, whatever the rules."""
    run = StrategyRun(Watcher, {"rules": rules})
    for number, event in enumerate(events, 1):
        run.market(event)
        for rule in rules:
            aggregator = parse_rule(rule).make()
            batch = [bar for each in events[:number] for bar in aggregator.update(each)]
            assert [bar for _, name, bar in run.strategy.told if name == rule] == batch


class ThreeFrames(Strategy):
    """Trades one-minute bars in the direction in which 15 minutes and the hour agree."""

    class Params(StrategyParams):
        symbol: str = "AAPL"

    def __init__(self, params: Any, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.trends = {"15m": SMA(3), "1h": SMA(2)}
        self.up: dict[str, bool] = {}
        for rule, average in self.trends.items():
            self.aggregate("AAPL", rule, warmup=average.warmup)

    def on_aggregate(self, bar: Bar, rule: str) -> None:
        mean = self.trends[rule].update(bar.close)
        if mean is not None:
            self.up[rule] = bar.close > mean

    def on_bar(self, bar: Bar) -> None:
        agreed = set(self.up.values())
        if len(self.up) == len(self.trends) and len(agreed) == 1:
            self.signal(bar.symbol, Direction.LONG if agreed.pop() else Direction.FLAT, bar.close)


def decisions(events: Sequence[MarketEvent]) -> list[Any]:
    """What the three-frame strategy asks for."""
    run = StrategyRun(ThreeFrames)
    for event in events:
        run.market(event)
    return run.log.events


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 300))
def test_decisions_on_three_timeframes_do_not_change_when_the_future_is_cut_off(seed: int, cut: int) -> None:
    """Every decision up to a bar is the same whether the data ends there or goes on."""
    chance = Random(seed)  # noqa: S311 - data, from a seed
    at, bars = 0, []
    for _ in range(300):
        at += chance.choice((0, 0, 0, 0, 1, 20, 70))
        bars.append(minute(at, chance.randint(80, 120) / 8))
        at += 1
    assert decisions(bars[:cut]) == [each for each in decisions(bars) if each.ts <= bars[cut - 1].ts]


def test_the_three_frame_strategy_decides_something() -> None:
    """The property above is about real decisions: rising hours go long, falling ones flat."""
    closes = [100.0 + abs(200 - number) / 10 for number in range(500)]
    asked = decisions([minute(number, close) for number, close in enumerate(closes)])
    assert {each.direction for each in asked} == {Direction.LONG, Direction.FLAT}
