"""The equity curve of a session: which instants are points."""

from decimal import Decimal

from tradingd.analytics.recorder import RunRecorder
from tradingd.analytics.summary import SessionStats
from tradingd.domain.enums import Side
from tradingd.domain.prices import PriceBoard
from tradingd.portfolio.manager import PortfolioManager
from tradingd.runtime.session import EquitySampler
from tradingd.testing import at, make_bar, make_fill


class Curve(RunRecorder):
    """Keeps the points instead of writing them."""

    def __init__(self) -> None:
        self.points: list[tuple[int, Decimal]] = []

    def on_equity(self, ts: int, equity: Decimal) -> None:
        self.points.append((ts, equity))


class World:
    """A portfolio that a test moves through bars."""

    def __init__(self) -> None:
        self.prices = PriceBoard()
        self.portfolio = PortfolioManager(1000, prices=self.prices)
        self.stats = SessionStats()
        self.curve = Curve()
        self.sampler = EquitySampler(self.portfolio, self.stats, self.curve)

    def bar(self, minute: int, close: float, symbol: str = "AAPL") -> None:
        bar = make_bar(close, symbol=symbol, minute=minute - 1)
        self.prices.update(bar)
        self.portfolio.on_market_data(bar)
        self.sampler.observe(bar)


def test_an_equity_that_stays_the_same_is_one_point() -> None:
    """Flat for a while, then a position: points where the value changed, and the last instant."""
    world = World()
    for minute in (1, 2, 3):
        world.bar(minute, 10.0)
    world.portfolio.on_fill(make_fill(Side.BUY, 10, "10"))
    for minute, close in ((4, 10.0), (5, 11.0), (6, 11.0), (7, 12.0), (8, 12.0)):
        world.bar(minute, close)
    world.sampler.flush()
    assert world.curve.points == [(at(5), 1010), (at(7), 1020), (at(8), 1020)]


def test_the_point_of_an_instant_is_what_its_last_event_made_of_it() -> None:
    """Bars of several symbols at one instant are one point."""
    world = World()
    for symbol in ("AAPL", "IBM"):
        world.bar(1, 10.0, symbol)
        world.portfolio.on_fill(make_fill(Side.BUY, 1, "10", symbol=symbol))
    for minute in (2, 3):
        world.bar(minute, 10.0 + minute, "AAPL")
        world.bar(minute, 20.0 + minute, "IBM")
    world.sampler.flush()
    assert world.curve.points == [(at(2), 1014), (at(3), 1016)]


def test_drawdown_is_that_of_all_instants() -> None:
    """The points that are left out could not have been a peak or a trough."""
    world = World()
    world.portfolio.on_fill(make_fill(Side.BUY, 10, "10"))
    for minute, close in enumerate((10.0, 20.0, 20.0, 5.0, 5.0, 8.0), 1):
        world.bar(minute, close)
    world.sampler.flush()
    assert world.stats.peak == 1100
    assert world.stats.max_drawdown == Decimal("0.136363636363636364")
