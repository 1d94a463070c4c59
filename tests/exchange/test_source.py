"""Where the exchange's market comes from: a seeded house, and recordings."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tradingd.data.series import SeriesKind
from tradingd.domain.enums import Side as DomainSide
from tradingd.domain.events import Book, Quote, Trade
from tradingd.testing.exchange.candles import candles_of, opened
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.model import (
    EngineEvent,
    MarketSpec,
    OrderRequest,
    OrderType,
    PublicTrade,
    Side,
)
from tradingd.testing.exchange.past import Past
from tradingd.testing.exchange.recorded import RecordedSource, read_recording
from tradingd.testing.exchange.source import MarketSource, Plan

TICKS = Path(__file__).resolve().parents[3] / "shared" / "data" / "tests_only" / "crypto_ticks"


@pytest.fixture
def engine() -> Engine:
    """Two markets and an account."""
    made = Engine([MarketSpec("BTCUSDT", "BTC", "USDT"), MarketSpec("ETHUSDT", "ETH", "USDT")], lambda: 1_000)
    made.add_account("me", {"USDT": Decimal(1_000_000), "BTC": Decimal(10)})
    return made


def house(engine: Engine, seed: int = 1) -> MarketSource:
    """The house makes both markets."""
    return MarketSource(engine, [Plan("BTCUSDT", Decimal(60_000)), Plan("ETHUSDT", Decimal(3_000))], seed)


def heard(engine: Engine, count: int, seed: int) -> list[EngineEvent]:
    """What an engine tells of so many steps."""
    told: list[EngineEvent] = []
    source = house(engine, seed)
    engine.listen(told.append)
    source.step(count)
    return told


def test_the_same_seed_makes_the_same_market() -> None:
    """Every trade and level change is the same, and another seed makes another market."""

    def fresh() -> Engine:
        return Engine([MarketSpec("BTCUSDT", "BTC", "USDT"), MarketSpec("ETHUSDT", "ETH", "USDT")], lambda: 0)

    assert heard(fresh(), 500, 7) == heard(fresh(), 500, 7)
    assert heard(fresh(), 500, 7) != heard(fresh(), 500, 8)


def test_the_book_is_two_sided_and_never_crossed(engine: Engine) -> None:
    """After any number of steps there is a bid below an ask."""
    source = house(engine)
    for _ in range(200):
        source.step(10)
        for symbol in engine.markets:
            _, bids, asks = engine.depth(symbol)
            assert bids[0][0] < asks[0][0]


def test_prices_move_and_stay_above_zero(engine: Engine) -> None:
    """The price walks; a market that starts near zero turns before it."""
    source = MarketSource(engine, [Plan("BTCUSDT", Decimal("0.30"), step_ticks=9)], 3)
    prices = set()
    for _ in range(300):
        source.step(10)
        prices.add(engine.depth("BTCUSDT")[1][-1][0])
    assert len(prices) > 5
    assert min(prices) > 0


def test_who_is_in_the_way_is_traded_with(engine: Engine) -> None:
    """A user's bid above the market's new place is filled as the market comes down."""
    source = house(engine)
    request = OrderRequest("BTCUSDT", Side.BUY, OrderType.LIMIT, qty=Decimal("0.001"), price=Decimal(59_999))
    order, _ = engine.place("me", request)
    source.move("BTCUSDT", -300)
    assert engine.query("me", "BTCUSDT", order.id).filled == Decimal("0.001")


def test_the_house_goes_with_new_filters(engine: Engine) -> None:
    """After a change of the tick its whole book is on the new grid."""
    source = house(engine)
    engine.change_filters(msgspec.structs.replace(engine.markets["BTCUSDT"], tick=Decimal(10)))
    source.step(200)
    _, bids, asks = engine.depth("BTCUSDT")
    assert all(price % 10 == 0 for price, _ in [*bids, *asks])


def test_the_house_leaves_a_market_that_does_not_trade(engine: Engine) -> None:
    """In a break nothing happens there; a delisted market is forgotten; the other one goes on."""
    source = house(engine)
    told: list[PublicTrade] = []
    engine.listen(lambda event: told.append(event) if isinstance(event, PublicTrade) else None)
    engine.change_filters(msgspec.structs.replace(engine.markets["BTCUSDT"], status="BREAK"))
    source.step(200)
    engine.delist("BTCUSDT")
    source.step(200)
    assert {trade.symbol for trade in told} == {"ETHUSDT"}


async def test_in_real_time_it_steps_at_its_rate(engine: Engine) -> None:
    """A hundredth of a second at a thousand a second is ten steps."""
    source = house(engine)
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > 0.995:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await source.run(1_000, sleep=sleep, monotonic=lambda: now)
    assert 980 <= source.steps <= 1_000


async def test_while_it_is_held_nothing_happens(engine: Engine) -> None:
    """And what did not happen is not made up for."""
    source = house(engine)
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > 0.995:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await source.run(1_000, sleep=sleep, monotonic=lambda: now, held=lambda: now < 0.495)
    assert 480 <= source.steps <= 510


# -- the past
def test_the_past_ends_where_the_market_begins() -> None:
    """Each minute opens at the close before it, and the last one closes at the market's first price."""
    spec = MarketSpec("BTCUSDT", "BTC", "USDT")
    past = Past(spec, Decimal(60_000), 1_000_000_000, 500, seed=3)
    assert len(list(past)) == len(past) == 500
    assert past[-1].close == Decimal(60_000)
    assert past[-1].start + 60_000 == opened(1_000_000_000, 60_000)
    for before, candle in pairwise(past):
        assert (candle.start, candle.open) == (before.start + 60_000, before.close)
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high


def test_the_past_is_the_seeds() -> None:
    """The same seed has the same past, another seed and another market have another."""
    spec, other = MarketSpec("BTCUSDT", "BTC", "USDT"), MarketSpec("ETHUSDT", "ETH", "USDT")

    def closes(spec: MarketSpec, seed: int) -> list[Decimal]:
        return [candle.close for candle in Past(spec, Decimal(1_000), 10**9, 50, seed)]

    assert closes(spec, 1) == closes(spec, 1)
    assert len({tuple(closes(spec, 1)), tuple(closes(spec, 2)), tuple(closes(other, 1))}) == 3


def test_longer_candles_are_made_of_minutes_and_of_trades(engine: Engine) -> None:
    """A candle that began before the market did has what was before and what was traded; gaps are filled."""
    past = Past(engine.markets["BTCUSDT"], Decimal(100), 420_000, 10, seed=1)
    tape = [
        PublicTrade(421_000, "BTCUSDT", 1, Decimal(200), Decimal(1), buyer_maker=False, buy_order=0, sell_order=0),
        PublicTrade(1_300_000, "BTCUSDT", 2, Decimal(50), Decimal(1), buyer_maker=True, buy_order=0, sell_order=0),
    ]
    candles = candles_of(past, tape, 300_000, 1_600_000)
    assert [candle.start for candle in candles[-5:]] == [300_000, 600_000, 900_000, 1_200_000, 1_500_000]
    joined, quiet, _, late, now = candles[-5:]
    assert (joined.open, joined.high, joined.close) == (past[-2].open, Decimal(200), Decimal(200))
    assert (quiet.open, quiet.close, quiet.volume) == (Decimal(200), Decimal(200), 0)
    assert (late.open, now.close) == (Decimal(50), Decimal(50))


# -- recordings
def recording() -> Iterator[Trade | Quote | Book]:
    """A book, a trade in it, a quote, and a trade that no book gave."""
    yield Book(1, "BTC/USDT", ((99.0, 1.0), (98.0, 2.0)), ((101.0, 1.0), (102.0, 2.0)))
    yield Trade(2, "BTC/USDT", 101.0, 0.4, DomainSide.BUY, "1")
    yield Quote(3, "BTC/USDT", 100.0, 103.0, 0.5, 0.25)
    yield Trade(4, "BTC/USDT", 90.0, 3.0, DomainSide.SELL, "2")
    yield Trade(5, "DOGE/USDT", 1.0, 1.0, DomainSide.SELL, "3")


def test_a_recording_sets_the_book_and_trades_in_it(engine: Engine) -> None:
    """Book, then trade: the level has less; a quote is a book of one level a side."""
    source = RecordedSource(engine, recording(), {"BTC/USDT": "BTCUSDT"})
    source.step(2)
    assert engine.depth("BTCUSDT")[2] == [(Decimal(101), Decimal("0.6")), (Decimal(102), Decimal(2))]
    source.step()
    assert engine.depth("BTCUSDT")[1:] == ([(Decimal(100), Decimal("0.5"))], [(Decimal(103), Decimal("0.25"))])


def test_the_tape_is_the_recorded_one(engine: Engine) -> None:
    """What no book gave is printed at its price; symbols that nobody asked for are left out."""
    source = RecordedSource(engine, recording(), {"BTC/USDT": "BTCUSDT"})
    assert source.step(100) == 4
    volume = sum((trade.qty for trade in engine.public_trades("BTCUSDT")), Decimal(0))
    assert volume == Decimal("3.4")
    assert engine.last_price("BTCUSDT") == Decimal(90)


def test_a_recorded_trade_fills_a_user_on_its_way(engine: Engine) -> None:
    """A user's bid at a better price than the recorded sale is filled first."""
    request = OrderRequest("BTCUSDT", Side.BUY, OrderType.LIMIT, qty=Decimal(1), price=Decimal(95))
    order, _ = engine.place("me", request)
    RecordedSource(engine, recording(), {"BTC/USDT": "BTCUSDT"}).step(100)
    assert engine.query("me", "BTCUSDT", order.id).filled == 1


def test_trades_alone_make_a_market_of_their_own(engine: Engine) -> None:
    """With `made_market` there is something to trade with on both sides of each trade."""
    only = [event for event in recording() if isinstance(event, Trade)]
    RecordedSource(engine, only, {"BTC/USDT": "BTCUSDT"}, made_market=True).step(1)
    _, bids, asks = engine.depth("BTCUSDT")
    assert (bids[0][0], asks[0][0]) == (Decimal("100.99"), Decimal("101.01"))


async def test_a_recording_keeps_its_rhythm(engine: Engine) -> None:
    """Ten times as fast, a second of the recording takes a tenth."""
    events = [Trade(second * 10**9, "BTC/USDT", 100.0, 1.0, DomainSide.BUY) for second in range(6)]
    source = RecordedSource(engine, events, {"BTC/USDT": "BTCUSDT"})
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    await source.run(speed=10, sleep=sleep, monotonic=lambda: now)
    assert now == pytest.approx(0.5)
    assert source.replayed == 6


@pytest.mark.skipif(not TICKS.is_dir(), reason="the recorded ticks of shared/data/tests_only are not here")
def test_a_minute_of_binance_is_replayed(engine: Engine) -> None:
    """9,757 recorded trades and the book's changes: the tape has their volume, the book is never crossed."""
    files = {
        TICKS / "binance_BTCUSDT_20240808_trades.parquet": SeriesKind.TRADES,
        TICKS / "binance_BTCUSDT_20240808_l2.parquet": SeriesKind.BOOKS,
    }
    events = list(read_recording(files, "BTC/USDT"))
    volume: list[Decimal] = []
    engine.listen(lambda event: volume.append(event.qty) if isinstance(event, PublicTrade) else None)
    source = RecordedSource(engine, events, {"BTC/USDT": "BTCUSDT"})
    while source.step(500):
        _, bids, asks = engine.depth("BTCUSDT")
        assert not bids or not asks or bids[0][0] < asks[0][0]
    recorded = sum(event.amount for event in events if isinstance(event, Trade))
    assert float(sum(volume)) == pytest.approx(recorded, rel=1e-9)
