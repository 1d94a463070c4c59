"""Candles that grow with the trades, for the kline and ticker streams."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tradingd.testing.exchange.exact import EIGHT, ZERO, add, mul, quotient, sub, text
from tradingd.testing.exchange.model import PublicTrade

__all__ = ["INTERVALS", "Candle", "candles_of", "opened"]

_MINUTE = 60_000
_DAY = 86_400_000
_MONDAY = 4 * _DAY
"""The first Monday after 1970-01-01: weeks begin on Mondays."""

INTERVALS = {
    "1s": 1_000,
    **{f"{minutes}m": minutes * _MINUTE for minutes in (1, 3, 5, 15, 30)},
    **{f"{hours}h": hours * 60 * _MINUTE for hours in (1, 2, 4, 6, 8, 12)},
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": 7 * _DAY,
}
"""Milliseconds by interval. Months are not offered."""


def opened(ts: int, step: int) -> int:
    """When the candle opened that a time is in, milliseconds."""
    origin = _MONDAY if step == INTERVALS["1w"] else 0
    return ts - (ts - origin) % step


class Candle:
    """Open, high, low, close and volumes of an interval that began at `start`."""

    __slots__ = (
        "bought",
        "close",
        "count",
        "first",
        "high",
        "last",
        "low",
        "open",
        "paid",
        "quote",
        "start",
        "volume",
    )

    def __init__(self, start: int, price: Decimal = ZERO) -> None:
        self.start = start
        self.open = self.high = self.low = self.close = price
        self.volume = self.quote = self.bought = self.paid = ZERO
        self.first = self.last = -1
        self.count = 0

    def add(self, trade: PublicTrade) -> None:
        """Take a trade in."""
        price, value = trade.price, mul(trade.price, trade.qty)
        if not self.count:
            self.open = self.high = self.low = price
            self.first = trade.id
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume, self.quote = add(self.volume, trade.qty), add(self.quote, value)
        if not trade.buyer_maker:
            self.bought, self.paid = add(self.bought, trade.qty), add(self.paid, value)
        self.last = trade.id
        self.count += 1

    def add_all(self, trades: Iterable[PublicTrade]) -> "Candle":
        """Take trades in; returns itself."""
        for trade in trades:
            self.add(trade)
        return self

    def absorb(self, other: "Candle") -> None:
        """Take a shorter candle in that lies within this one and comes after what is in it."""
        if not self.count:
            self.open, self.high, self.low, self.first = other.open, other.high, other.low, other.first
        self.high, self.low, self.close = max(self.high, other.high), min(self.low, other.low), other.close
        self.volume, self.quote = add(self.volume, other.volume), add(self.quote, other.quote)
        self.bought, self.paid = add(self.bought, other.bought), add(self.paid, other.paid)
        self.last = other.last
        self.count += other.count

    def kline(self, symbol: str, interval: str, now: int, *, closed: bool) -> dict[str, Any]:
        """The message of a kline stream."""
        body = {
            "t": self.start,
            "T": self.start + INTERVALS[interval] - 1,
            "s": symbol,
            "i": interval,
            "f": self.first,
            "L": self.last,
            "o": text(self.open),
            "c": text(self.close),
            "h": text(self.high),
            "l": text(self.low),
            "v": text(self.volume),
            "n": self.count,
            "x": closed,
            "q": text(self.quote),
            "V": text(self.bought),
            "Q": text(self.paid),
            "B": "0",
        }
        return {"e": "kline", "E": now, "s": symbol, "k": body}

    def mini_ticker(self, symbol: str, now: int) -> dict[str, Any]:
        """The message of a miniTicker stream."""
        return {
            "e": "24hrMiniTicker",
            "E": now,
            "s": symbol,
            "c": text(self.close),
            "o": text(self.open),
            "h": text(self.high),
            "l": text(self.low),
            "v": text(self.volume),
            "q": text(self.quote),
        }

    def ticker(self, symbol: str, now: int, best: tuple[str, str, str, str]) -> dict[str, Any]:
        """The message of a ticker stream; `best` is bid, its size, ask, its size."""
        change = sub(self.close, self.open)
        percent = quotient(mul(change, Decimal(100)), self.open, Decimal("0.001")) if self.open else ZERO
        bid, bid_size, ask, ask_size = best
        return {
            **self.mini_ticker(symbol, now),
            "e": "24hrTicker",
            "p": text(change),
            "P": f"{percent:.3f}",
            "w": text(quotient(self.quote, self.volume, EIGHT) if self.volume else ZERO),
            "x": text(self.open),
            "Q": text(ZERO),
            "b": bid,
            "B": bid_size,
            "a": ask,
            "A": ask_size,
            "O": now - _DAY,
            "C": now,
            "F": self.first,
            "L": self.last,
            "n": self.count,
        }


def candles_of(
    past: Iterable[Candle], tape: Iterable[PublicTrade], step: int, now: int, since: int = 0
) -> list[Candle]:
    """Every candle of `step` ms from `since` to now, out of candles of a minute and the trades after them.

    A quiet one has the close before it, and no volume. Candles shorter than a minute are made of trades alone.
    """
    found: list[Candle] = []
    first = opened(since, step)
    for minute in past if step >= _MINUTE else ():
        if minute.start >= first:
            _at(found, opened(minute.start, step), step).absorb(minute)
    for trade in tape:
        if trade.ts >= first:
            _at(found, opened(trade.ts, step), step).add(trade)
    if found:
        _at(found, opened(now, step), step)
    return found


def _at(found: list[Candle], start: int, step: int) -> Candle:
    """The candle that starts there, after those that fill the time until it."""
    if not found:
        found.append(Candle(start))
    while found[-1].start < start:
        found.append(Candle(found[-1].start + step, found[-1].close))
    return found[-1]
