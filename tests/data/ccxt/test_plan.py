"""Which streams a run needs follows from what its strategies handle."""

import pytest

from tradingd.data.ccxt.model import StreamKind, Subscription
from tradingd.data.ccxt.plan import PlanSettings, loaded_by, plan_subscriptions
from tradingd.domain.events import Bar, Book, EventType, Quote, Trade
from tradingd.errors import ConfigError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.testing import StrategyRun

MINUTE = 60_000_000_000
K = StreamKind


class Params(StrategyParams):
    symbol: str = "BTC/USDT"
    warmup: int = 0


class OnBars(Strategy):
    Params = Params
    params: Params

    @property
    def warmup_bars(self) -> int:
        return self.params.warmup

    def on_bar(self, bar: Bar) -> None: ...


class OnTicks(Strategy):
    Params = Params

    def on_trade(self, trade: Trade) -> None: ...

    def on_quote(self, quote: Quote) -> None: ...

    def on_book(self, book: Book) -> None: ...


class Hourly(Strategy):
    """Hours out of whatever there is."""

    Params = Params
    params: Params

    def __init__(self, params: Params, strategy_id: str) -> None:
        super().__init__(params, strategy_id)
        self.aggregate(params.symbol, "1h", warmup=params.warmup)

    def on_aggregate(self, bar: Bar, rule: str) -> None: ...


def bound(cls: type[Strategy], **params: object) -> Strategy:
    """A strategy as the factory makes it."""
    return StrategyRun(cls, params).strategy


def kinds(*strategies: Strategy, **settings: object) -> list[tuple[str, StreamKind]]:
    """What is planned."""
    planned = plan_subscriptions(strategies, PlanSettings(**{"interval_ns": MINUTE, **settings}))  # type: ignore[arg-type]
    return [(each.symbol, each.kind) for each in planned]


def test_a_strategy_gets_what_it_handles() -> None:
    """Handlers decide what is streamed, each once."""
    assert kinds(bound(OnBars)) == [("BTC/USDT", K.BARS)]
    assert kinds(bound(OnTicks), bound(OnTicks)) == [("BTC/USDT", kind) for kind in (K.TRADES, K.QUOTES, K.BOOKS)]


def test_a_symbol_to_be_priced_by_gets_quotes() -> None:
    """Who has no strategy is there for its price."""
    assert kinds(bound(OnBars), symbols=("EUR/USDT",)) == [("BTC/USDT", K.BARS), ("EUR/USDT", K.QUOTES)]


def test_further_streams_are_of_every_symbol() -> None:
    """What the configuration adds comes with each symbol."""
    assert kinds(bound(OnBars), extra=frozenset({K.MARKS})) == [("BTC/USDT", K.BARS), ("BTC/USDT", K.MARKS)]


def test_bars_need_an_interval() -> None:
    """How long bars are has to be said."""
    with pytest.raises(ConfigError, match=r"data\.interval"):
        kinds(bound(OnBars), interval_ns=0)


def test_the_history_is_what_the_strategies_wait_for() -> None:
    """The longest warm-up counts, in bars of the stream."""
    planned = plan_subscriptions(
        [bound(OnBars, warmup=30), bound(OnBars, warmup=50)], PlanSettings(interval_ns=MINUTE)
    )
    assert planned == (
        Subscription(symbol="BTC/USDT", kind=K.BARS, interval_ns=MINUTE, from_trades=True, history=50),
    )


def test_longer_bars_need_more_history_from_where_they_begin() -> None:
    """Three hours out of minutes are 180 bars, and they begin with a whole hour."""
    (planned,) = plan_subscriptions([bound(Hourly, warmup=3)], PlanSettings(interval_ns=MINUTE))
    assert (planned.kind, planned.history, planned.align_ns) == (K.BARS, 180, 60 * MINUTE)


def test_without_an_interval_longer_bars_are_built_from_trades() -> None:
    """What may be built from bars or trades is built from what there is."""
    assert kinds(bound(Hourly), interval_ns=0) == [("BTC/USDT", K.TRADES)]
    assert kinds(bound(OnTicks), bound(Hourly), interval_ns=0)[0] == ("BTC/USDT", K.TRADES)


def test_no_warm_up() -> None:
    """Warm-up may be turned off."""
    (planned,) = plan_subscriptions([bound(OnBars, warmup=30)], PlanSettings(interval_ns=MINUTE, warmup=False))
    assert planned.history == 0


def test_what_is_streamed_can_be_checked_against_what_is_built() -> None:
    """The plan tells strategies' builders what they will get."""
    planned = plan_subscriptions([bound(OnBars), bound(OnTicks)], PlanSettings(interval_ns=MINUTE))
    found = loaded_by(planned)
    assert found == {
        "BTC/USDT": {EventType.TRADE: [0], EventType.QUOTE: [0], EventType.BOOK: [0], EventType.BAR: [MINUTE]}
    }
