"""Runs on several timeframes and on bars built from ticks: real data, both drivers, cut-off futures."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import groupby, pairwise
from math import fsum
from operator import add
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.runtime.parts import REPO, drive, journal_of, loaded
from tradingd.data import SeriesKind, SeriesSpec, parse_interval, parse_time, read_events
from tradingd.domain.aggregation import parse_rule
from tradingd.domain.events import Bar, EventType, Fill, Signal, Trade
from tradingd.errors import ConfigError
from tradingd.testing import EventLog

TESTS_ONLY = REPO.parent / "shared" / "data" / "tests_only"
MINUTE = parse_interval("1m")


def plain_sum(numbers: Iterable[float]) -> float:
    """One addition after the other, as bars add up; from Python 3.12 on, `sum` does better than that."""
    return reduce(add, numbers, 0.0)


def recorded(name: str) -> Path:
    """A recorded file, or the test is skipped."""
    path = TESTS_ONLY / name
    if not path.is_file():
        pytest.skip(f"the recorded data are not here: {path}")
    return path


def trades() -> list[Trade]:
    """The recorded trades of BTC/USDT."""
    path = recorded("crypto_ticks/binance_BTCUSDT_20240808_trades.parquet")
    spec = SeriesSpec(symbol="BTC/USDT", path=path, kind=SeriesKind.TRADES)
    return [event for event in read_events(spec) if isinstance(event, Trade)]


MINUTES = ("crypto_1m/coinbase_BTCUSD_20180404_20180406.parquet", "crypto_1m/bitfinex_BTCUSD_20190329.parquet")


def minutes(name: str) -> list[Bar]:
    """Recorded one-minute bars, with holes."""
    spec = SeriesSpec(symbol="BTC/USD", path=recorded(name), interval_ns=MINUTE)
    return [event for event in read_events(spec) if isinstance(event, Bar)]


def built(rule: str, events: Any) -> list[Bar]:
    """The bars that these events close."""
    aggregator = parse_rule(rule).make()
    return [bar for event in events for bar in aggregator.update(event)]


def two_markets(folder: Path, text: str = "") -> Path:
    """A configuration of strategies (`Frames` unless told) on the recorded minutes of two markets."""
    files = {"BTC/USD": MINUTES[0], "LTC/USD": "crypto_1m/coinbase_LTCUSD_20180404_20180406.parquet"}
    config = folder / "c.toml"
    config.write_text(
        "".join(
            f'[[data.files]]\nsymbol = "{symbol}"\ninterval = "1m"\npath = "{recorded(name)}"\n'
            f'[[instruments]]\nsymbol = "{symbol}"\ntick = "0.01"\nlot = "0.00001"\n'
            for symbol, name in files.items()
        )
        + '[risk.sizer]\nkind = "fixed_notional"\nnotional = 1000\n'
        + (text or '[[strategies]]\nname = "tests.runtime.frames:Frames"\n'
           'params = { symbols = ["BTC/USD", "LTC/USD"] }\n')
    )  # fmt: skip
    return config


TICKS = """
[[data.files]]
symbol = "BTC/USDT"
kind = "trades"
path = "{path}"
[[instruments]]
symbol = "BTC/USDT"
tick = "0.01"
lot = "0.00001"
[portfolio]
currency = "USDT"
[risk.sizer]
kind = "fixed_notional"
notional = 10000
[[strategies]]
name = "ma_crossover"
bars = "{rule}"
params = {{ symbol = "BTC/USDT", fast_ma = 3, slow_ma = 8 }}
"""


def on_ticks(folder: Path, rule: str) -> Path:
    """A configuration that runs a bar strategy on recorded trades."""
    config = folder / "c.toml"
    path = recorded("crypto_ticks/binance_BTCUSDT_20240808_trades.parquet")
    config.write_text(TICKS.format(path=path, rule=rule))
    return config


# --- on recorded data -------------------------------------------------------------------------------------

MEASURES: dict[str, Callable[[Trade], float]] = {
    "tick": lambda _: 1.0,
    "volume": lambda trade: trade.amount,
    "value": lambda trade: trade.price * trade.amount,
}


def grouped(rule: str, events: list[Trade]) -> list[list[Trade]]:
    """The plain definition of a rule's bars: which trades are in which, the last ones unfinished."""
    if ":" not in rule:
        return [list(group) for _, group in groupby(events, lambda each: each.ts // parse_interval(rule))]
    name, _, threshold = rule.partition(":")
    measure = MEASURES[name.removesuffix("-imbalance")]
    signed = name.endswith("-imbalance")
    groups: list[list[Trade]] = [[]]
    total = 0.0
    for each in events:
        groups[-1].append(each)
        total += measure(each) * (each.side.sign if signed else 1)
        if abs(total) >= float(threshold):
            groups.append([])
            total = 0.0
    return groups


@pytest.mark.parametrize(
    "rule",
    ["1m", "5s", "tick:100", "volume:5", "value:300000", "tick-imbalance:50", "volume-imbalance:2",
     "value-imbalance:100000"],
)  # fmt: skip
def test_bars_of_recorded_trades_are_those_of_a_batch(rule: str) -> None:
    """9,757 real trades: each bar is the plain sum of its trades, none is lost or counted twice."""
    events = trades()
    *groups, rest = grouped(rule, events)
    bars = built(rule, events)
    assert len(bars) == len(groups) >= 5
    for bar, group in zip(bars, groups, strict=True):
        prices = [each.price for each in group]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert bar.volume == plain_sum(each.amount for each in group)
        length = parse_rule(rule).interval_ns
        begins = group[0].ts // length * length if length else group[0].ts
        assert (bar.ts_open, bar.ts) == (begins, begins + length if length else group[-1].ts)
    unfinished = fsum(each.amount for each in rest)
    whole = fsum(each.amount for each in events)
    assert fsum([*(bar.volume for bar in bars), unfinished]) == pytest.approx(whole, rel=1e-13)
    assert sum(len(group) for group in groups) + len(rest) == 9_757


@pytest.mark.parametrize("brick", [1, 5, 25])
def test_renko_bricks_of_recorded_trades_join_on(brick: int) -> None:
    """Bricks follow one another edge to edge, end within a brick of the price, and hold all volume so far."""
    events = trades()
    bars = built(f"renko:{brick}", events)
    assert len(bars) > 10
    for before, after in pairwise(bars):
        same_way = (before.close > before.open) == (after.close > after.open)
        assert after.open == (before.close if same_way else before.open)
        assert after.open % brick == 0
        assert before.ts <= after.ts_open <= after.ts
    assert bars[-1].low - brick < events[-1].price < bars[-1].high + brick
    counted = fsum(each.amount for each in events if each.ts <= bars[-1].ts)
    at_the_last = fsum(each.amount for each in events if each.ts == bars[-1].ts)
    assert counted - at_the_last <= fsum(bar.volume for bar in bars) <= counted + 1e-9


@pytest.mark.parametrize("name", MINUTES)
@pytest.mark.parametrize("rule", ["5m", "1h", "1d"])
def test_larger_bars_of_recorded_minutes_with_holes(name: str, rule: str) -> None:
    """From minutes with holes of up to seven hours: each larger bar is the batch of its own minutes."""
    events = minutes(name)
    length = parse_interval(rule)
    groups = {start: list(group) for start, group in groupby(events, lambda each: each.ts_open // length * length)}
    expected = [
        Bar(
            start + length, "BTC/USD", group[0].open, max(each.high for each in group),
            min(each.low for each in group), group[-1].close, plain_sum(each.volume for each in group), start,
        )
        for start, group in groups.items()
        if start + length <= events[-1].ts
    ]  # fmt: skip
    bars = built(rule, events)
    assert bars == expected
    missing = (events[-1].ts - events[0].ts_open) // MINUTE - len(events) + 1
    assert missing > 0


def test_hours_of_quarters_are_hours_of_minutes() -> None:
    """Built in two steps or in one, an hour is the same hour (volumes but for rounding)."""
    events = minutes(MINUTES[0])
    for stepwise, straight in zip(built("1h", built("15m", events)), built("1h", events), strict=False):
        assert stepwise.volume == pytest.approx(straight.volume)
        assert replace(stepwise, volume=0.0) == replace(straight, volume=0.0)


# --- in whole runs ------------------------------------------------------------------------------------------


def test_both_drivers_agree_on_several_timeframes(tmp_path: Path) -> None:
    """Minutes of two markets, with holes, decided on by 15 minutes and hours: one journal in both drivers."""
    config = two_markets(tmp_path)
    synchronous = journal_of([config], "backtest")
    assert Counter(event.type for event in synchronous)[EventType.FILL] > 20
    assert synchronous == journal_of([config], "paper")


@pytest.mark.parametrize("rule", ["1s", "tick:50", "volume-imbalance:1", "renko:2", "heikin-ashi:2s"])
def test_both_drivers_agree_on_bars_built_from_ticks(tmp_path: Path, rule: str) -> None:
    """A shipped bar strategy runs on recorded trades, and trades alike in both drivers."""
    config = on_ticks(tmp_path, rule)
    synchronous = journal_of([config], "backtest")
    assert Counter(event.type for event in synchronous)[EventType.FILL] > 4
    assert synchronous == journal_of([config], "paper")


def test_orders_decided_on_built_bars_fill_on_the_next_tick(tmp_path: Path) -> None:
    """The market is the raw data: a market order fills at the very trade after the one that closed the bar."""
    container, _, _ = loaded([on_ticks(tmp_path, "1s")], "backtest")
    manager = container.get("event_manager")
    log = EventLog()
    manager.observe(log.observe, [EventType.TRADE, EventType.SIGNAL, EventType.FILL])
    drive(manager, container.get("data_handler").stream())
    fills = [number for number, event in enumerate(log.events) if isinstance(event, Fill)]
    assert len(fills) > 4
    for number in fills:
        # Observers are told of a market event after what it set off: signal, its trade, fill, its trade.
        signal, closing, fill, filling = log.events[number - 2 : number + 2]
        assert isinstance(signal, Signal)
        assert signal.ts == closing.ts
        assert (fill.ts, float(fill.price)) == (filling.ts, filling.price)


def test_raw_events_are_what_a_run_counts(tmp_path: Path) -> None:
    """Built bars are the strategy's own: progress, prices and records are those of the recorded events."""
    container, _, report = loaded([on_ticks(tmp_path, "1s")], "backtest")
    manager = container.get("event_manager")
    drive(manager, container.get("data_handler").stream())
    assert manager.market_events == report.total_events == 9_757
    assert container.get("prices").price("BTC/USDT") == trades()[-1].price


def test_decisions_of_a_run_do_not_change_when_later_data_are_cut_off(tmp_path: Path) -> None:
    """With the data ending at noon, every decision up to noon is the one of the longer run."""
    config = two_markets(tmp_path)
    whole = [event for event in journal_of([config], "backtest") if isinstance(event, Signal)]
    for end in ("2018-04-04T12:00:00", "2018-04-05T03:07:00", "2018-04-05T23:59:00"):
        cut = [
            event for event in journal_of([config], "backtest", [f"data.end={end}"]) if isinstance(event, Signal)
        ]
        last = parse_time(end) + MINUTE  # the range is of opens
        assert cut == [event for event in whole if event.ts <= last]
        assert cut


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('bars = "7x"\n', "'7x' is no rule for bars"),
        ('bars_from = "trades"\n', "set bars to a rule"),
        ('bars = "5m"\nbars_from = "books"\n', "bars_from"),
        ('bars = "30s"\n', "30s cannot be built from bars of 1m"),
        (
            'bars = "tick:5"\nbars_from = "trades"\n',
            "tick:5 of BTC/USD needs trades of it; loaded: bars",
        ),
        ('bars = "volume-imbalance:5"\n', "needs trades of it; loaded: bars"),
    ],
)
def test_bars_that_cannot_be_built_are_told_before_the_run(tmp_path: Path, change: str, message: str) -> None:
    """A wrong rule, or one that the loaded data cannot serve, is a configuration error."""
    strategy = '[[strategies]]\nname = "ma_crossover"\nparams = { symbol = "BTC/USD" }\n'
    with pytest.raises(ConfigError, match=message):
        loaded([two_markets(tmp_path, strategy + change)], "backtest")


def test_bars_for_a_strategy_without_on_bar_are_refused(tmp_path: Path) -> None:
    """Bars that nobody would get are a mistake."""
    text = (
        '[[strategies]]\nname = "tests.runtime.ticker:Ticker"\nparams = { symbols = ["BTC/USD"] }\nbars = "5m"\n'
    )
    with pytest.raises(ConfigError, match="would build bars for its on_bar, and it has none"):
        loaded([two_markets(tmp_path, text)], "backtest")
