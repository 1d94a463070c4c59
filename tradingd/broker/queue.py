"""Where in the queue a resting limit order stands: an estimate from the sizes that a book shows.

A book tells how much rests at a price, not whose it is. An order joins behind all that is shown. Trades at its
price take from the front; that much is certain. When the size shown shrinks without trades, somebody canceled, and
a queue model says how much of that stood ahead of us:

- `risk_averse`: nothing, as long as what is shown still has room for it. An upper bound of what is ahead.
- `proportional`: cancels are spread evenly over the queue.

These are the models called RiskAdverseQueueModel and ProbQueueModel (with f(x) = x) in hftbacktest; the idea is in
R. Cont, S. Stoikov, R. Talreja, "A stochastic model for order book dynamics", Operations Research 58 (2010), and
E. Rigtorp's "Estimating order queue position".
"""

from collections.abc import Callable
from typing import Final

__all__ = ["QUEUE_MODELS", "Queue", "QueueModel", "proportional", "risk_averse"]

QueueModel = Callable[[float, float, float], float]
"""(ahead, shown, now) -> how much is ahead, now that `now` is shown where `shown` was left after the trades."""


def risk_averse(ahead: float, shown: float, now: float) -> float:
    """All cancels stood behind us, as far as that is possible."""
    del shown
    return min(ahead, now)


def proportional(ahead: float, shown: float, now: float) -> float:
    """Cancels are spread evenly over the queue; what is new stands behind us."""
    return min(ahead, now, ahead * now / shown) if now < shown else min(ahead, now)


QUEUE_MODELS: Final[dict[str, QueueModel]] = {"risk_averse": risk_averse, "proportional": proportional}


class Queue:
    """The place of one order in the queue at its price; sizes as the market tells them."""

    __slots__ = ("ahead", "shown")

    def __init__(self, shown: float) -> None:
        self.ahead = shown
        self.shown = shown

    def trade(self, amount: float) -> float:
        """A trade at the price: takes from the front. Returns how much of it got past what was ahead."""
        before = self.ahead
        self.ahead = max(0.0, before - amount)
        self.shown = max(0.0, self.shown - amount)
        return max(0.0, amount - before)

    def show(self, now: float, model: QueueModel) -> None:
        """A book shows `now` at the price."""
        self.ahead = model(self.ahead, self.shown, now)
        self.shown = now

    def clear(self) -> None:
        """The market went through the price: nobody is ahead any more."""
        self.ahead = 0.0
