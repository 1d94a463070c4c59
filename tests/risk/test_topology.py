"""Free-running components: every queue between them is served in an order of its own."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.risk.world import LIMIT, World, run
from tradingd.risk.limits import InstrumentFilters, MaxPositionQuantity, NoShort, ReduceOnly

SEEDS = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_the_position_never_exceeds_its_limit_however_late_the_portfolio_books(seed: int) -> None:
    """Orders, changes, cancels, fills and bookings in any interleaving: the venue's position keeps the limit."""
    for world in run(World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT)), seed):
        assert abs(world.venue.position) <= LIMIT


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_a_short_position_never_comes_about_however_late_the_portfolio_books(seed: int) -> None:
    """Where short selling is off, the venue's position never falls below zero in any interleaving."""
    for world in run(World(InstrumentFilters(), ReduceOnly(), NoShort(), MaxPositionQuantity(LIMIT)), seed):
        assert world.venue.position >= 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_a_reduce_only_fill_never_opens_a_position(seed: int) -> None:
    """Whatever filled before it, a fill of a reduce-only order brings the venue's position nearer to zero."""
    world = World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
    before = world.venue.position
    for _ in run(world, seed):
        traded, before = world.venue.position - before, world.venue.position
        if traded and world.venue.last_fill.reduce_only:
            assert abs(before) < abs(before - traded)
            assert before * (before - traded) >= 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_the_book_always_contains_the_true_position_and_ends_at_it(seed: int) -> None:
    """The venue's position lies between the bounds at any time; when all is quiet nothing is reserved."""
    world = World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
    book = world.desk.risk.book
    for _ in run(world, seed):
        low, high = book.bounds("AAPL")
        assert low <= world.venue.position <= high
    world.settle()
    assert (len(book), book.bounds("AAPL")) == (0, (world.venue.position, world.venue.position))


def test_the_interleavings_are_rich() -> None:
    """The runs above are worth something: they trade, change and reverse often."""
    trades = reached = changes = 0
    for seed in range(20):
        world = World(InstrumentFilters(), ReduceOnly(), MaxPositionQuantity(LIMIT))
        positions = [each.venue.position for each in run(world, seed)]
        trades += sum(before != after for before, after in pairwise(positions))
        reached += abs(max(positions, key=abs)) == LIMIT
        changes += len(world.desk.changes)
    assert (trades > 300, reached > 10, changes > 200) == (True, True, True)
