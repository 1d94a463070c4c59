"""How much of one market event our orders may have: a share of a bar's volume, of a trade, of what is quoted."""

from collections.abc import Sequence
from decimal import Decimal
from math import inf
from typing import NamedTuple

from tradingd.broker.matching import Match
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote, Trade
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, from_market, mul, sub

__all__ = ["Offer", "Supply", "size_at"]

Levels = Sequence[tuple[float, float]]


class Offer(NamedTuple):
    """A quantity that can be had at a price; `source` numbers what of the event it is taken from."""

    source: int
    price: float
    quantity: Decimal


class Supply:
    """What one market event holds for our orders, which share it in the order in which they fill.

    `share` is the part of each size that may be ours. Quantities are whole lots: less than a lot is not had. A
    size that is no positive finite number is none.
    """

    __slots__ = ("_share", "_taken")

    def __init__(self, share: Decimal = ONE) -> None:
        self._share = share
        self._taken: dict[int, Decimal] = {}

    def offers(
        self, event: MarketEvent, side: Side, wanted: Decimal, limit: float, found: Match, instrument: Instrument
    ) -> list[Offer]:
        """What an order of `side` can have of `event`, as the order saw it, best price first.

        No more than `wanted`. A taker walks a book level by level as far as its limit (infinite for none) allows.
        """
        if type(event) is not Book:
            source, size = _pool(event, side)  # type: ignore[arg-type]  # no Book
            return self._single(source, min(size, found.size), wanted, found.price, instrument)
        levels = event.asks if side is Side.BUY else event.bids
        walked = self._walk(side, levels, wanted, limit, instrument)
        if found.liquidity is Liquidity.TAKER:
            return walked
        return [offer._replace(price=found.price) for offer in walked]  # they come to us, at our price

    def took(self, offer: Offer) -> None:
        """An order has taken this offer."""
        self._taken[offer.source] = add(self._taken.get(offer.source, ZERO), offer.quantity)

    def _single(
        self, source: int, size: float, wanted: Decimal, price: float, instrument: Instrument
    ) -> list[Offer]:
        quantity = min(wanted, self._left(source, size, instrument))
        return [Offer(source, price, quantity)] if quantity > 0 else []

    def _walk(
        self, side: Side, levels: Levels, wanted: Decimal, limit: float, instrument: Instrument
    ) -> list[Offer]:
        offers: list[Offer] = []
        for depth, (price, size) in enumerate(levels):
            if not 0 < price < inf or (price > limit if side is Side.BUY else price < limit) or not wanted:
                break
            source = 2 * depth + (side is Side.SELL)
            quantity = min(wanted, self._left(source, size, instrument))
            if quantity > 0:
                offers.append(Offer(source, price, quantity))
                wanted = sub(wanted, quantity)
        return offers

    def _left(self, source: int, size: float, instrument: Instrument) -> Decimal:
        if not 0 < size < inf:
            return ZERO
        whole = instrument.floor_quantity(mul(from_market(size), self._share))
        taken = self._taken.get(source)
        return whole if taken is None else sub(whole, taken)


def _pool(event: Bar | Quote | Trade, side: Side) -> tuple[int, float]:
    """What orders of `side` share of an event, and its size: both sides share a bar's volume and a trade."""
    if type(event) is Quote:
        return (0, event.ask_size) if side is Side.BUY else (1, event.bid_size)
    return 0, event.amount if type(event) is Trade else event.volume  # type: ignore[union-attr]  # a Bar


def size_at(levels: Levels, price: float) -> float:
    """The size that a side of a book shows at a price; 0 where it shows none."""
    return next((size for level, size in levels if level == price and 0 < size < inf), 0.0)
