"""Random trading held against a slow, independent account in fractions."""

from collections.abc import Iterable
from decimal import ROUND_UP, Context, Decimal, FloatOperation, Inexact, Rounded, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.portfolio.world import (
    INSTRUMENTS,
    INVERSE_PRICES,
    INVERSE_SWAP,
    Happening,
    SlowBooks,
    World,
    movements,
    rate,
)
from tradingd.domain.events import LedgerEntry, PositionUpdate

D = Decimal
exactly = settings(derandomize=True, max_examples=150, deadline=None)


def prices_of(symbol: str) -> st.SearchStrategy[Decimal]:
    """Prices whose figures stay within 36 decimal places."""
    if symbol == INVERSE_SWAP:
        return st.sampled_from(INVERSE_PRICES).map(D)
    return st.decimals(min_value=D("0.0001"), max_value=90_000, places=4)


def sizes_of(symbol: str) -> st.SearchStrategy[Decimal]:
    """Signed sizes: whole contracts, coins to the eighth decimal."""
    if INSTRUMENTS[symbol].kind.is_contract:
        return st.integers(-50, 50).map(D)
    return st.decimals(min_value=-50, max_value=50, places=8)


@st.composite
def happenings(draw: st.DrawFn) -> Happening:
    """A fill with up to three fees (negative ones are rebates), or a new price."""
    symbol = draw(st.sampled_from(sorted(INSTRUMENTS)))
    instrument = INSTRUMENTS[symbol]
    coins = st.sampled_from([instrument.base, instrument.quote, instrument.settle, "BNB"])
    fee = st.tuples(coins, st.decimals(min_value=D("-0.05"), max_value=D("0.1"), places=9))
    size = draw(st.one_of(sizes_of(symbol), st.just(D(0))))
    fees = draw(st.lists(fee, max_size=3)) if size else []
    return Happening(symbol, size, draw(prices_of(symbol)), tuple(fees), draw(st.sampled_from("ab")))


streams = st.lists(happenings(), max_size=25)


def lived(stream: Iterable[Happening]) -> tuple[World, SlowBooks]:
    """A world and its slow account after all that has happened."""
    world, slow = World(), SlowBooks()
    for happening in stream:
        world.happen(happening)
        slow.happen(happening)
    return world, slow


@given(streams)
@exactly
def test_equity_is_what_a_recount_from_the_first_fill_gives(stream: list[Happening]) -> None:
    """After every fill and every price, equity is exactly what recounting everything in fractions gives."""
    world, slow = World(), SlowBooks()
    for happening in stream:
        world.happen(happening)
        slow.happen(happening)
        assert Fraction(world.portfolio.get_equity()) == slow.equity(world)


@given(streams)
@exactly
def test_asking_for_equity_changes_nothing(stream: list[Happening]) -> None:
    """Equity asked for once at the end is the same as when asked for after each event."""
    world, slow = lived(stream)
    assert Fraction(world.portfolio.get_equity()) == slow.equity(world)


@given(streams)
@exactly
def test_the_ledger_explains_every_balance(stream: list[Happening]) -> None:
    """The movements told as events add up to the balance of every asset and account, and to zero over all."""
    world, slow = lived(stream)
    entries = world.log.of(LedgerEntry)
    owned = movements(entries, "assets")
    ledger = world.portfolio.ledger
    ledger.verify()
    for account in ("assets", "market", "fees", "pnl", "equity"):
        for asset, amount in movements(entries, account).items():
            assert Fraction(ledger.balance(asset, account)) == amount
    spot = {asset: amount for asset, amount in slow.assets().items() if asset not in {"USD", "BTC"}}
    assert {asset: owned.get(asset, 0) for asset in spot} == spot


@given(streams)
@exactly
def test_fees_are_told_per_coin_and_strategy(stream: list[Happening]) -> None:
    """Fees and rebates add up per coin, for the account and for each strategy."""
    world, slow = lived(stream)
    for strategy in (None, "a", "b"):
        expected: dict[str, Fraction] = {}
        for happening in slow.fills:
            for asset, amount in happening.fees if strategy in (None, happening.strategy) else ():
                expected[asset] = expected.get(asset, Fraction(0)) + Fraction(amount)
        told = world.portfolio.fees(strategy)
        assert {asset: Fraction(told.get(asset, 0)) for asset in expected} == expected
        assert all(told[asset] == 0 for asset in told.keys() - expected.keys())


@given(streams)
@exactly
def test_positions_hold_what_was_traded_less_fees_in_the_base_coin(stream: list[Happening]) -> None:
    """The account holds in each symbol what it traded less what fees took of it, and lists what is not flat."""
    world, slow = lived(stream)
    held = {symbol: slow.quantity(symbol) for symbol in INSTRUMENTS}
    assert {symbol: Fraction(world.portfolio.get_position(symbol).quantity) for symbol in held} == held
    assert world.portfolio.positions.keys() == {symbol for symbol, quantity in held.items() if quantity}


@given(streams)
@exactly
def test_strategies_add_up_to_the_account(stream: list[Happening]) -> None:
    """The strategies' own positions and profits add up to the account's, symbol by symbol, exactly."""
    world, slow = lived(stream)
    portfolio = world.portfolio
    for symbol in INSTRUMENTS:
        mark = portfolio.price(symbol)
        assert mark is not None
        account = portfolio.get_position(symbol)
        own = [portfolio.get_strategy_position(strategy, symbol) for strategy in "ab"]
        assert sum(Fraction(held.quantity) for held in own) == Fraction(account.quantity)
        earned = [Fraction(held.realized_pnl) + Fraction(held.unrealized_pnl(mark)) for held in (account, *own)]
        assert earned == [slow.profit(symbol, Fraction(mark), strategy) for strategy in (None, "a", "b")]
        assert earned[0] == earned[1] + earned[2]


@given(streams)
@exactly
def test_profit_and_exposure_are_told_in_the_accounts_currency(stream: list[Happening]) -> None:
    """Total profit and both exposures are the slow account's at the present marks and rates."""
    world, slow = lived(stream)
    profit, gross, net = Fraction(0), Fraction(0), Fraction(0)
    for symbol, instrument in INSTRUMENTS.items():
        mark, settle = world.mark(symbol), rate(world, instrument.settle)
        size = slow.quantity(symbol) * Fraction(instrument.multiplier)
        value = settle * (-size / mark if instrument.inverse else size * mark)
        profit += slow.profit(symbol, mark) * settle
        gross, net = gross + abs(value), net + value
    portfolio = world.portfolio
    assert Fraction(portfolio.realized_pnl()) + Fraction(portfolio.unrealized_pnl()) == profit
    # Marks of an inverse contract are rounded to 1e-18 of its coin unless its price divides well, as here.
    coarse = 0 if float(world.mark(INVERSE_SWAP)) in INVERSE_PRICES else Fraction(1, 10**12)
    assert abs(Fraction(portfolio.gross_exposure()) - gross) <= coarse
    assert abs(Fraction(portfolio.net_exposure()) - net) <= coarse


@given(streams)
@exactly
def test_each_fill_is_told_once_after_its_booking(stream: list[Happening]) -> None:
    """One PositionUpdate per fill follows the fill's ledger entries and tells the account's position then."""
    world = World()
    for happening in stream:
        world.log.clear()
        world.happen(happening)
        updates = world.log.of(PositionUpdate)
        assert len(updates) == bool(happening.size)
        if updates:
            assert world.log.events[-1] is updates[0]
            position = world.portfolio.get_position(happening.symbol)
            told = (updates[0].quantity, updates[0].cost, updates[0].realized_pnl)
            assert told == (position.quantity, position.cost, position.realized_pnl)
            assert updates[0].fill == happening.fill()


@pytest.mark.parametrize("traps", [[], [Inexact, Rounded, FloatOperation]])
@given(stream=streams)
@settings(exactly, max_examples=50)
def test_the_ambient_context_changes_nothing(traps: list[type[Exception]], stream: list[Happening]) -> None:
    """The books are the same, event for event, under a decimal context of one digit, trapping or not."""

    def told() -> list[str]:
        world, _ = lived(stream)
        portfolio = world.portfolio
        figures = [
            portfolio.get_equity(),
            portfolio.drawdown,
            portfolio.unrealized_pnl(),
            portfolio.realized_pnl(),
        ]
        figures += [portfolio.gross_exposure(), portfolio.net_exposure(), portfolio.peak_equity]
        return [repr(event) for event in world.log.events] + [str(figure) for figure in figures]

    expected = told()
    with localcontext(Context(prec=1, rounding=ROUND_UP, traps=traps)):  # type: ignore[arg-type]
        assert told() == expected
