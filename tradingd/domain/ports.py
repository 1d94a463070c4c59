"""What components may ask of one another without knowing one another.

Strategy, risk, execution, broker and portfolio never import each other. Where one reads another's state it takes
one of these protocols, and the composition root passes the owner in.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import IntEnum
from typing import Protocol

from tradingd.domain.events import Event
from tradingd.domain.instrument import Instrument
from tradingd.domain.position import Position

__all__ = ["Clock", "Emit", "InstrumentLookup", "PortfolioView", "Stage", "TimerService"]

Emit = Callable[[Event], None]
"""How a component tells what happened or what it wants."""

InstrumentLookup = Mapping[str, Instrument]
"""Instruments by symbol; a missing symbol raises KeyError with what to do about it."""


class Stage(IntEnum):
    """The order in which components are offered one market event, with quiet in between.

    Fills of a bar are thus booked before the strategy sees that bar.
    """

    BROKER = 0
    PORTFOLIO = 1
    EXECUTION = 2
    """Orders that are held back for the market, before risk and strategies see the event."""
    RISK = 3
    STRATEGY = 4


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""


class TimerService(Protocol):
    """Wakes components at intervals of the run's own time."""

    def schedule(self, owner: str, name: str, interval_ns: int) -> None:
        """Deliver a Timer event to `owner` every `interval_ns`, the first one interval from now."""

    def schedule_at(self, owner: str, name: str, due_ns: int) -> None:
        """Deliver one Timer event to `owner` at `due_ns`, or as soon as possible where that is past."""

    def unschedule(self, owner: str, name: str) -> None:
        """Stop that timer; an unknown one is no error."""


class PortfolioView(Protocol):
    """What risk and strategies may read of the portfolio."""

    currency: str
    """The currency that equity is told in."""

    @property
    def positions(self) -> Mapping[str, Position]:
        """The account's positions that are not flat, by symbol; read only."""

    def get_equity(self) -> Decimal:
        """Everything owned, marked to market, in the account's currency."""

    def get_position(self, symbol: str) -> Position:
        """The account's position in `symbol`, flat if there is none; read only."""

    def rate(self, asset: str) -> Decimal:
        """What one unit of `asset` is worth in the account's currency; raises AccountingError when unpriced."""

    def strategy_symbols(self, strategy_id: str | None = None) -> Iterable[tuple[str, str]]:
        """The (strategy id, symbol) pairs with a position that is not flat, of one strategy or of all."""

    def get_strategy_position(self, strategy_id: str, symbol: str) -> Position:
        """One strategy's own position in `symbol`, flat if there is none; read only."""
