"""The crown test: whatever subset of the approved orders fills, no limit is broken."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.risk.desk import BUY, SELL, Desk
from tradingd.domain.enums import Side
from tradingd.risk.limits import (
    InstrumentFilters,
    MaxGrossExposure,
    MaxLeverage,
    MaxNetExposure,
    MaxPositionNotional,
    MaxPositionQuantity,
    MaxStrategyCapital,
    NoShort,
    ReduceOnly,
)
from tradingd.testing import make_instrument

SYMBOLS = ("X", "Y")
OWNERS = ("s", "t")


class Plan(NamedTuple):
    """An order to ask for."""

    symbol: str
    owner: str
    side: Side
    quantity: int
    limit: int | None
    reduce_only: bool


class Case(NamedTuple):
    """Prices, positions per strategy and symbol, and the orders to ask for."""

    prices: dict[str, int]
    held: dict[tuple[str, str], int]
    plans: list[Plan]


class Done(NamedTuple):
    """An order that was approved, and how much of it fills."""

    plan: Plan
    filled: Decimal


plans = st.builds(
    Plan,
    symbol=st.sampled_from(SYMBOLS),
    owner=st.sampled_from(OWNERS),
    side=st.sampled_from([BUY, SELL]),
    quantity=st.integers(1, 12),
    limit=st.none() | st.integers(5, 20),
    reduce_only=st.booleans(),
)


def cases(lowest: int) -> st.SearchStrategy[Case]:
    """Cases whose positions are not below `lowest`."""
    return st.builds(
        Case,
        prices=st.fixed_dictionaries({symbol: st.integers(5, 20) for symbol in SYMBOLS}),
        held=st.fixed_dictionaries(
            {(owner, symbol): st.integers(lowest, 10) for owner in OWNERS for symbol in SYMBOLS}
        ),
        plans=st.lists(plans, min_size=1, max_size=8),
    )


def ask(case: Case, *limits: object) -> tuple[Desk, list[Plan]]:
    """Ask for the orders one by one; returns those that were approved."""
    desk = Desk(
        InstrumentFilters(),
        ReduceOnly(),
        *limits,  # type: ignore[arg-type]
        cash=10_000,
        instruments=[make_instrument(symbol) for symbol in SYMBOLS],
        price=None,
    )
    for symbol, price in case.prices.items():
        desk.market(float(price), symbol=symbol)
    for (owner, symbol), quantity in case.held.items():
        if quantity:
            desk.hold(quantity, case.prices[symbol], strategy=owner, symbol=symbol)
    approved = []
    for plan in case.plans:
        options = {"strategy": plan.owner, "symbol": plan.symbol, "limit": plan.limit}
        if not desk.order(plan.side, plan.quantity, reduce_only=plan.reduce_only, **options):
            approved.append(plan)
    return desk, approved


def outcomes(approved: Sequence[Plan]) -> Iterator[list[Done]]:
    """Each order not filled, or in full; up to five orders also in part."""
    shares = (Decimal(0), Decimal("0.5"), Decimal(1)) if len(approved) <= 5 else (Decimal(0), Decimal(1))
    for filled in product(shares, repeat=len(approved)):
        yield [Done(plan, plan.quantity * share) for plan, share in zip(approved, filled, strict=True)]


def after(case: Case, done: Sequence[Done], symbol: str, owner: str | None = None) -> Decimal:
    """The position that an outcome leaves, of the account or of one strategy."""
    position = Decimal(0)
    for (name, where), quantity in case.held.items():
        if where == symbol and owner in (None, name):
            position += quantity
    for plan, filled in done:
        if plan.symbol == symbol and owner in (None, plan.owner):
            position += filled * plan.side.sign
    return position


def notional(case: Case, done: Sequence[Done], symbol: str, owner: str | None = None) -> Decimal:
    """The value of what an outcome leaves, with what its orders paid above the latest price."""
    position, price = after(case, done, symbol, owner), case.prices[symbol]
    value = abs(position) * price
    for plan, filled in done:
        mine = plan.symbol == symbol and owner in (None, plan.owner)
        if mine and position and (plan.side is BUY) == (position > 0):
            value += filled * max(0, (plan.limit or price) - price)
    return value


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(-10), st.integers(1, 15))
def test_no_subset_of_fills_carries_a_position_beyond_its_quantity(case: Case, limit: int) -> None:
    """|position| stays within the limit, or where it was when it began beyond."""
    _, approved = ask(case, MaxPositionQuantity(limit))
    for done in outcomes(approved):
        for symbol in SYMBOLS:
            assert abs(after(case, done, symbol)) <= max(limit, abs(after(case, (), symbol)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(-10), st.integers(20, 250))
def test_no_subset_of_fills_carries_a_position_beyond_its_notional(case: Case, limit: int) -> None:
    """A position's value stays within the limit, or where it was when it began beyond."""
    _, approved = ask(case, MaxPositionNotional(limit))
    for done in outcomes(approved):
        for symbol in SYMBOLS:
            assert notional(case, done, symbol) <= max(limit, notional(case, (), symbol))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(-10), st.integers(20, 400))
def test_no_subset_of_fills_carries_the_account_beyond_its_gross_exposure(case: Case, limit: int) -> None:
    """The sum of absolute values stays within the limit, whether told in percent or as leverage."""
    percent = Decimal(limit) / 100
    for check in (MaxGrossExposure(percent), MaxLeverage(percent / 100)):
        _, approved = ask(case, check)
        began = sum(notional(case, (), symbol) for symbol in SYMBOLS)
        for done in outcomes(approved):
            assert sum(notional(case, done, symbol) for symbol in SYMBOLS) <= max(limit, began)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(-10), st.integers(20, 400))
def test_no_subset_of_fills_carries_the_account_beyond_its_net_exposure(case: Case, limit: int) -> None:
    """The longs alone and the shorts alone, and hence their difference, stay within the limit."""
    _, approved = ask(case, MaxNetExposure(Decimal(limit) / 100))
    for done in outcomes(approved):
        for sign in (1, -1):
            now, began = (
                sum(notional(case, fills, each) for each in SYMBOLS if after(case, fills, each) * sign > 0)
                for fills in (done, ())
            )
            assert now <= max(limit, began)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(-10), st.integers(20, 400))
def test_no_subset_of_fills_carries_a_strategy_beyond_its_capital(case: Case, limit: int) -> None:
    """What one strategy's positions are worth stays within its capital, or where it was when it began beyond."""
    _, approved = ask(case, MaxStrategyCapital(limit))
    for done in outcomes(approved):
        for owner in OWNERS:
            now, began = (sum(notional(case, fills, each, owner) for each in SYMBOLS) for fills in (done, ()))
            assert now <= max(limit, began)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(0))
def test_no_subset_of_fills_leads_to_a_short_position(case: Case) -> None:
    """Where short selling is off, no outcome leaves less than nothing."""
    _, approved = ask(case, NoShort())
    for done in outcomes(approved):
        for symbol in SYMBOLS:
            assert after(case, done, symbol) >= 0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(cases(-10))
def test_a_reduce_only_order_reduces_whatever_filled_before_it(case: Case) -> None:
    """Whichever other orders have filled, a reduce-only order finds a position to take all of itself from."""
    _, approved = ask(case)
    for number, plan in enumerate(approved):
        if plan.reduce_only:
            others = approved[:number] + approved[number + 1 :]
            for done in outcomes(others):
                assert -plan.side.sign * after(case, done, plan.symbol) >= plan.quantity


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(-10))
def test_the_book_foretells_the_farthest_outcomes(case: Case) -> None:
    """The bounds are reached by some outcome and passed by none."""
    desk, approved = ask(case)
    for symbol in SYMBOLS:
        reached = [after(case, done, symbol) for done in outcomes(approved)]
        assert desk.risk.book.bounds(symbol) == (min(reached), max(reached))
