"""One market as the streams see it: a mirror of the book's levels, the best of them, and what changed since."""

from collections.abc import Iterable
from decimal import Decimal

from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import text
from tradingd.testing.exchange.model import BookChange, Side

__all__ = ["Mirror"]

Level = tuple[Decimal, Decimal]


class Mirror:
    """Follows the engine's level changes from the moment it is made."""

    def __init__(self, engine: Engine, symbol: str) -> None:
        self.symbol = symbol
        self.update_id, bids, asks = engine.depth(symbol)
        self._levels: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: dict(bids), Side.SELL: dict(asks)}
        self._best: dict[Side, Decimal | None] = dict.fromkeys(Side)
        for side in Side:
            self._find_best(side)
        self.tracking = False
        """Whether changes are noted for `take_changes`; while nobody wants them they would only pile up."""
        self.first_id = 0
        """The first change since `take_changes`; 0 while there is none."""
        self._changed: dict[Side, dict[Decimal, Decimal]] = {side: {} for side in Side}

    def apply(self, change: BookChange) -> bool:
        """Take a change in; returns whether the best of its side is another one or of another size."""
        levels, best = self._levels[change.side], self._best[change.side]
        self.update_id = change.update_id
        if self.tracking:
            self.first_id = self.first_id or change.update_id
            self._changed[change.side][change.price] = change.qty
        if change.qty:
            levels[change.price] = change.qty
            if best is None or not self._is_worse(change.side, change.price, best):
                self._best[change.side] = change.price
                return True
            return False
        levels.pop(change.price, None)
        if change.price != best:
            return False
        self._find_best(change.side)
        return True

    def take_changes(self) -> tuple[int, int, list[list[str]], list[list[str]]]:
        """The changes since last time: first and last update id, bids, asks; the next ones begin anew."""
        bids, asks = (_texts(self._changed[side].items()) for side in (Side.BUY, Side.SELL))
        first, self.first_id = self.first_id, 0
        self._changed = {side: {} for side in Side}
        return first, self.update_id, bids, asks

    def best(self) -> tuple[str, str, str, str] | None:
        """Best bid, its size, best ask, its size; None while a side is empty."""
        bid, ask = self._best[Side.BUY], self._best[Side.SELL]
        if bid is None or ask is None:
            return None
        return text(bid), text(self._levels[Side.BUY][bid]), text(ask), text(self._levels[Side.SELL][ask])

    def top(self, depth: int) -> tuple[list[list[str]], list[list[str]]]:
        """The best levels of both sides."""
        bids = sorted(self._levels[Side.BUY].items(), reverse=True)[:depth]
        asks = sorted(self._levels[Side.SELL].items())[:depth]
        return _texts(bids), _texts(asks)

    def _find_best(self, side: Side) -> None:
        levels = self._levels[side]
        self._best[side] = (max if side is Side.BUY else min)(levels, default=None)

    @staticmethod
    def _is_worse(side: Side, price: Decimal, best: Decimal) -> bool:
        return price < best if side is Side.BUY else price > best


def _texts(levels: Iterable[Level]) -> list[list[str]]:
    return [[text(price), text(qty)] for price, qty in levels]
