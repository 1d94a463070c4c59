"""What a market was before the exchange began: candles made up from a seed, so that strategies can warm up."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import overload

from tradingd.testing.exchange.candles import INTERVALS, Candle, opened
from tradingd.testing.exchange.exact import mul, quotient
from tradingd.testing.exchange.model import MarketSpec, PublicTrade

__all__ = ["Past"]

_MINUTE = INTERVALS["1m"]
_MOVE = 0.0004  # what a minute's close is away from the one before, standard deviation, as a share of the price


class Past(Sequence[Candle]):
    """So many minutes that end where a market begins: at a price, at a time. Made when somebody looks."""

    def __init__(self, spec: MarketSpec, price: Decimal, now: int, minutes: int, seed: int) -> None:
        self._spec = spec
        self._ticks = max(2, int(quotient(price, spec.tick, Decimal(1))))
        self._end = opened(now, _MINUTE)
        self._minutes = minutes
        self._seed = seed
        self._made: list[Candle] = []

    def __len__(self) -> int:
        return self._minutes

    def __iter__(self) -> Iterator[Candle]:
        return iter(self._candles())

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Candle]: ...
    def __getitem__(self, index: int | slice) -> Candle | Sequence[Candle]:
        return self._candles()[index]

    def _candles(self) -> list[Candle]:
        if not self._made:
            self._made = self._make()
        return self._made

    def _make(self) -> list[Candle]:
        random = Random(f"{self._seed}/{self._spec.symbol}")  # noqa: S311 - repeatable, nothing secret
        closes = [self._ticks]
        for _ in range(self._minutes):  # backwards, since it must end at the market's first price
            closes.append(max(2, round(closes[-1] * (1 + random.gauss(0, _MOVE)))))
        closes.reverse()
        return [
            self._candle(
                self._end - (self._minutes - number) * _MINUTE, closes[number], closes[number + 1], random
            )
            for number in range(self._minutes)
        ]

    def _candle(self, start: int, first: int, last: int, random: Random) -> Candle:
        wick = max(1, round(first * _MOVE / 2))
        low, high = min(first, last) - random.randint(0, wick), max(first, last) + random.randint(0, wick)
        candle = Candle(start)
        for number, ticks in enumerate((first, max(1, low), high, last)):
            qty = mul(Decimal(random.randint(1, 2_000)), self._spec.lot)
            price = mul(Decimal(ticks), self._spec.tick)
            is_sale = random.random() < 0.5  # noqa: PLR2004 - as often as not
            candle.add(PublicTrade(start + number, self._spec.symbol, 0, price, qty, is_sale, 0, 0))
        return candle
