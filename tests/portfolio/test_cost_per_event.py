"""The work of an event does not grow with history or with what else is held: counted in calls, not timed."""

import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.portfolio.world import Happening, World
from tradingd.domain.instrument import Instrument
from tradingd.domain.prices import PriceBoard
from tradingd.portfolio.manager import PortfolioManager
from tradingd.testing import make_bar, make_instrument

D = Decimal


def calls(work: Callable[[], object]) -> Counter[str]:
    """How often each function, ours or built in, is called by some work."""
    counted: Counter[str] = Counter()

    def count(frame: Any, event: str, function: Any) -> None:
        if event == "call":
            counted[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            counted[function.__qualname__] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    del counted["setprofile"]
    return counted


def arithmetic(counted: Counter[str]) -> list[str]:
    """The decimal operations among some calls."""
    return [name for name in counted if name.startswith(("Context.", "Decimal."))]


def crowd(size: int) -> tuple[PortfolioManager, PriceBoard]:
    """A portfolio that holds `size` shares quoted in EUR, all priced."""
    shares: dict[str, Instrument] = {f"S{i}": make_instrument(f"S{i}", quote="EUR") for i in range(size)}
    board = PriceBoard()
    portfolio = PortfolioManager(instruments={**shares, "EUR/USD": make_instrument("EUR/USD")}, prices=board)
    portfolio.learn("EUR/USD", *shares)
    for symbol in ("EUR/USD", *shares):
        board.update(make_bar(1.25, symbol=symbol))
    for symbol in shares:
        portfolio.on_fill(Happening(symbol, D(10), D(1)).fill())
    portfolio.get_equity()
    return portfolio, board


def churn(world: World, fills: int) -> None:
    """A life of buys and sells that ends as it began, with 1 BTC held."""
    for number in range(fills):
        world.happen(Happening("BTC/USD", D(1 if number % 2 == 0 else -1), D(50_000), (("BNB", D("0.01")),)))
        world.portfolio.get_equity()


@pytest.mark.parametrize("symbol", ["BTC/USD", "AAPL", "BTC/USD:USD", "BTC/USD:BTC"])
def test_a_fill_costs_the_same_after_thousands(symbol: str) -> None:
    """A fill makes the same calls as the 11th as it does as the 2001st."""
    counted = []
    for past in (11, 2_001):
        world = World()
        churn(world, past)
        world.log.clear()
        world.happen(Happening(symbol, D(1), D(50_000)))
        fill = Happening(symbol, D(1), D(50_000)).fill()
        counted.append(calls(lambda world=world, fill=fill: world.portfolio.on_fill(fill)))  # type: ignore[misc]
    assert counted[0] == counted[1]
    assert arithmetic(counted[0])


def test_a_bar_and_equity_cost_the_same_after_thousands() -> None:
    """Marking a held symbol and asking for equity makes the same calls however many fills have gone before."""
    counted = []
    for past in (11, 2_001):
        world = World()
        churn(world, past)
        bar = make_bar(50_001.0, symbol="BTC/USD")
        counted.append(calls(lambda world=world, bar=bar: (world.market(bar), world.portfolio.get_equity())))  # type: ignore[misc]
    assert counted[0] == counted[1]


def test_a_bar_costs_the_same_whatever_else_is_held() -> None:
    """A bar of one symbol values that symbol's line, not the others'."""
    counted = []
    for size in (3, 300):
        portfolio, board = crowd(size)
        bar = make_bar(1.5, symbol="S1")

        def work(portfolio: PortfolioManager = portfolio, board: PriceBoard = board, bar: Any = bar) -> None:
            board.update(bar)
            portfolio.on_market_data(bar)
            portfolio.get_equity()

        counted.append(calls(work))
    assert counted[0] == counted[1]


def test_closing_a_position_costs_the_same_whatever_else_is_held() -> None:
    """Dropping a line does not search the others."""
    counted = []
    for size in (3, 300):
        portfolio, _ = crowd(size)
        fill = Happening("S1", D(-10), D(1)).fill()
        counted.append(calls(lambda portfolio=portfolio, fill=fill: portfolio.on_fill(fill)))  # type: ignore[misc]
    assert counted[0] == counted[1]


def test_a_bar_of_what_is_not_held_is_looked_up_and_left() -> None:
    """A bar of a symbol that no line hangs on does no arithmetic at all, then or when equity is asked for."""
    world = World()
    world.portfolio.get_equity()
    bar = make_bar(1.0)
    assert calls(lambda: world.portfolio.on_market_data(bar)).total() <= 3
    assert not arithmetic(calls(world.portfolio.get_equity))


def test_equity_asked_for_again_is_remembered() -> None:
    """Between two events equity is worked out once."""
    world = World()
    world.happen(Happening("AAPL", D(1), D(100)))
    world.market(make_bar(101.0))
    assert arithmetic(calls(world.portfolio.get_equity))
    assert not arithmetic(calls(world.portfolio.get_equity))


def test_books_hold_no_history() -> None:
    """The portfolio keeps nothing per fill."""
    sizes = []
    for past in (11, 2_001):
        world = World()
        churn(world, past)
        portfolio = world.portfolio
        held = (portfolio._account, portfolio._open, portfolio._by_strategy, portfolio._strategy_fees)
        lines = (portfolio._valuation._lines, portfolio._valuation._lines_of_symbol, portfolio._valuation._dirty)
        accounts = portfolio.ledger._balances
        sizes.append([len(kept) for kept in (*held, *lines, *accounts.values())])
    assert sizes[0] == sizes[1]
