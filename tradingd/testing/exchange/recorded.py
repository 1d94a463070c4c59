"""Where the loopback exchange's market comes from, too: trades and books that somebody recorded.

A recording is replayed into the engine event by event. A book sets what the house has resting; a trade of a taker
takes from what rests (from users as well), and what the book does not give is printed at its price all the same.
Without books a quote, or a narrow spread around the trades, makes the market.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from tradingd.data.merge import merge_by_time
from tradingd.data.readers import read_events
from tradingd.data.series import SeriesKind, SeriesSpec
from tradingd.domain.events import Book, Quote, Trade
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import ZERO, mul
from tradingd.testing.exchange.model import MarketSpec, Side

__all__ = ["RecordedSource", "read_recording"]

Recorded = Trade | Quote | Book

_LATE_S = 0.05  # sooner than this is now: a sleep would cost more than it is off


def read_recording(files: Mapping[Path, SeriesKind], symbol: str, *, depth: int = 20) -> Iterator[Recorded]:
    """The trades, quotes and books of files (Parquet or CSV), merged by time, as events of `symbol`.

    Raises:
        DataError: a file cannot be read, or lacks a column.

    """
    specs = [SeriesSpec(symbol=symbol, path=path, kind=kind, depth=depth) for path, kind in files.items()]
    for event in merge_by_time([read_events(spec) for spec in specs]):
        if isinstance(event, Recorded):
            yield event


class RecordedSource:
    """Replays recorded market events into an exchange.

    `symbols` maps a recording's symbol to the exchange's, "BTC/USDT" to "BTCUSDT"; events of others are left out.
    `made_market` is true where the recording has trades only: a level is then made around each of them.
    """

    def __init__(
        self,
        engine: Engine,
        events: Iterable[Recorded],
        symbols: Mapping[str, str],
        *,
        made_market: bool = False,
    ) -> None:
        self._engine = engine
        self._events = (event for event in events if event.symbol in symbols)
        self._symbols = symbols
        self._made = made_market
        self.replayed = 0

    def step(self, count: int = 1) -> int:
        """Replay the next so many events; returns how many there were."""
        done = 0
        for event in self._events:
            self._replay(event)
            done += 1
            if done == count:
                break
        return done

    async def run(
        self,
        *,
        speed: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Replay to the end in the recording's own rhythm, `speed` times as fast."""
        started = monotonic()
        first: int | None = None
        for event in self._events:
            first = event.ts if first is None else first
            wait = started + (event.ts - first) / 1e9 / speed - monotonic()
            if wait > _LATE_S or self.replayed % 100 == 99:  # noqa: PLR2004 - lets others run in a burst
                await sleep(max(0.0, wait))
            self._replay(event)

    def _replay(self, event: Recorded) -> None:
        self.replayed += 1
        spec = self._engine.markets.get(self._symbols[event.symbol])
        if spec is None or spec.status != "TRADING":
            return
        if isinstance(event, Trade):
            self._trade(spec, event)
        elif isinstance(event, Quote):
            bid, ask = _level(spec, event.bid, event.bid_size), _level(spec, event.ask, event.ask_size)
            self._engine.house_set_book(spec.symbol, _whole([bid]), _whole([ask]))
        else:
            bids = _whole([_level(spec, price, size) for price, size in event.bids])
            asks = _whole([_level(spec, price, size) for price, size in event.asks])
            self._engine.house_set_book(spec.symbol, bids, asks)

    def _trade(self, spec: MarketSpec, event: Trade) -> None:
        price, qty = _level(spec, event.price, event.amount)
        if not price or not qty:
            return
        side = Side(event.side.value.upper())
        if self._made:
            around = [(price - spec.tick, mul(qty, Decimal(10)))], [(price + spec.tick, mul(qty, Decimal(10)))]
            self._engine.house_set_book(spec.symbol, *around)
        self._engine.house_print(spec.symbol, side, price, qty)


def _level(spec: MarketSpec, price: float, size: float) -> tuple[Decimal, Decimal]:
    """A recorded price and size, exact and on the market's grid."""
    return _on_grid(price, spec.tick), _on_grid(size, spec.lot)


def _on_grid(value: float, step: Decimal) -> Decimal:
    return mul((Decimal(repr(value)) / step).to_integral_value(ROUND_HALF_EVEN), step)


def _whole(levels: Iterable[tuple[Decimal, Decimal]]) -> list[tuple[Decimal, Decimal]]:
    """Levels by price; those that fall on one price together, those too small for a lot left out."""
    whole: dict[Decimal, Decimal] = {}
    for price, size in levels:
        if price > ZERO and size > ZERO:
            whole[price] = whole.get(price, ZERO) + size
    return list(whole.items())
