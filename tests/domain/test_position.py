from decimal import Context, Decimal, FloatOperation, Inexact, Rounded, localcontext
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.enums import InstrumentKind
from tradingd.domain.money import divide, neg
from tradingd.domain.position import Position
from tradingd.errors import MoneyError
from tradingd.testing import make_instrument

D = Decimal
QUANTUM = Fraction(1, 10**18)

LINEAR = make_instrument("BTC/USD:USD", kind=InstrumentKind.SWAP, multiplier=D("0.001"))
INVERSE = make_instrument("BTC/USD:BTC", kind=InstrumentKind.SWAP, multiplier=D(100), inverse=True)


class Step(NamedTuple):
    """One step of a random life: trade a signed size, close all or a third, or give some up."""

    kind: str
    size: Decimal
    price: Decimal


sizes = st.one_of(
    st.integers(1, 50).map(D),
    st.integers(1, 10**12).map(lambda units: D(units).scaleb(-18)),
    st.decimals(min_value=D("1e-8"), max_value=10**12, places=8),
)
prices = st.one_of(
    st.integers(1, 500).map(D),
    st.decimals(min_value=D("1e-12"), max_value=10**9, places=12),
)
steps = st.builds(
    Step, st.sampled_from(["buy", "sell", "buy", "sell", "close", "third", "give up", "rebate"]), sizes, prices
)


class Model:
    """What fractions say of the same life: cash, quantity, and the cost without any rounding."""

    def __init__(self) -> None:
        self.cash = Fraction(0)
        self.quantity = Fraction(0)
        self.cost = Fraction(0)
        self.partial_closes = 0

    def trade(self, size: Fraction, price: Fraction) -> None:
        held, after = self.quantity, self.quantity + size
        self.cash -= size * price
        self.quantity = after
        if held * size >= 0:
            self.cost += size * price
        elif held * after > 0:
            self.cost *= after / held
            self.partial_closes += 1
        else:
            self.cost = after * price
            self.partial_closes = 0


def live(position: Position, model: Model, step: Step) -> None:
    """Take one step in both."""
    size = {"buy": step.size, "sell": neg(step.size), "give up": neg(step.size), "rebate": step.size}.get(
        step.kind
    )
    if size is None:
        size = divide(neg(position.quantity), D(1 if step.kind == "close" else 3))
    if step.kind in {"give up", "rebate"}:
        position.give_up(neg(size))
        model.trade(Fraction(size), Fraction(0))
    elif size > 0:
        position.add_quantity(size, step.price)
        model.trade(Fraction(size), Fraction(step.price))
    elif size < 0:
        position.reduce_quantity(neg(size), step.price)
        model.trade(Fraction(size), Fraction(step.price))


@given(st.lists(steps, max_size=30))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_profit_less_cost_is_the_cash_that_moved(life: list[Step]) -> None:
    """Over any stream of trades realised profit less cost equals the cash moved, to the last digit."""
    position, model = Position("X"), Model()
    for step in life:
        live(position, model, step)
        assert Fraction(position.realized_pnl) - Fraction(position.cost) == model.cash
        assert Fraction(position.quantity) == model.quantity
        assert position.quantity or not position.cost


@given(st.lists(steps, max_size=30))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_cost_is_within_half_a_quantum_per_partial_close(life: list[Step]) -> None:
    """Cost, and with it the average price, is off the exact one by half of 1e-18 per partial close at most."""
    position, model = Position("X"), Model()
    for step in life:
        live(position, model, step)
        slack = model.partial_closes * QUANTUM / 2
        assert abs(Fraction(position.cost) - model.cost) <= slack
        if model.quantity:
            average = model.cost / model.quantity
            assert abs(Fraction(position.average_price) - average) <= slack / abs(model.quantity) + QUANTUM / 2


@given(st.lists(steps, max_size=20), prices)
@settings(derandomize=True, deadline=None)
def test_closing_realises_what_was_unrealised(life: list[Step], mark: Decimal) -> None:
    """Closing all at a price realises exactly the unrealised profit at that price and leaves nothing."""
    position, model = Position("X"), Model()
    for step in life:
        live(position, model, step)
    promised, before = position.unrealized_pnl(mark), position.realized_pnl
    live(position, model, Step("close", D(0), mark))
    assert Fraction(position.realized_pnl) - Fraction(before) == Fraction(promised)
    assert (position.is_flat, position.cost, position.average_price) == (True, 0, 0)


@given(st.lists(st.tuples(st.integers(-20, 20).filter(bool), st.integers(1_000, 100_000)), max_size=20))
@settings(derandomize=True, deadline=None)
def test_inverse_profit_is_within_a_quantum_per_trade(trades: list[tuple[int, int]]) -> None:
    """An inverse contract's profit is off the exact one by 1e-18 of the coin per trade at most, plus a mark's."""
    position = Position("BTC/USD:BTC", INVERSE)
    exact = Fraction(0)
    for size, price in trades:
        position.trade(D(size), D(price))
        exact += Fraction(100 * size, price)
    held = sum(size for size, _ in trades)
    assert position.quantity == held
    total = Fraction(position.realized_pnl) + Fraction(position.unrealized_pnl(50_000))
    assert abs(total - (exact - Fraction(100 * held, 50_000))) <= (len(trades) + 1) * QUANTUM


def test_an_inverse_average_is_the_harmonic_mean() -> None:
    """Equal contracts bought at two prices average to their harmonic mean."""
    position = Position("BTC/USD:BTC", INVERSE)
    position.add_quantity(10, 40_000)
    position.add_quantity(10, 60_000)
    assert position.average_price.quantize(D("0.000001")) == 48_000


def test_a_short_inverse_gains_when_the_price_falls() -> None:
    """Selling inverse contracts and covering lower earns base coin."""
    position = Position("BTC/USD:BTC", INVERSE)
    position.reduce_quantity(10, 50_000)
    assert position.add_quantity(10, 40_000) == D("0.005")


def test_a_linear_contract_counts_its_multiplier() -> None:
    """Profit and average of a contract take its multiplier into account."""
    position = Position("BTC/USD:USD", LINEAR)
    position.add_quantity(10, 60_000)
    assert position.average_price == 60_000
    assert position.unrealized_pnl(61_000) == 10
    assert position.reduce_quantity(4, 61_000) == 4


def test_the_public_words_work_alone() -> None:
    """A position needs nothing but a symbol."""
    position = Position("AAPL")
    assert position.add_quantity(10, "3.3") == 0
    assert position.average_price == D("3.3")
    assert position.market_value(3.5) == 35
    assert position.unrealized_pnl(3.5) == 2
    assert position.reduce_quantity("4", D("3.8")) == 2
    assert (position.quantity, position.cost, position.realized_pnl) == (6, D("19.8"), 2)


def test_a_short_loses_when_the_price_rises() -> None:
    """Selling what is not held opens a short with a negative cost and value."""
    position = Position("AAPL")
    position.reduce_quantity(10, 5)
    assert (position.quantity, position.cost, position.average_price) == (-10, -50, 5)
    assert position.market_value(6) == -60
    assert position.unrealized_pnl(6) == -10


def test_crossing_zero_closes_and_opens() -> None:
    """A sale of more than is held realises the whole long and opens a short at the new price."""
    position = Position("AAPL")
    position.add_quantity(10, 5)
    assert position.reduce_quantity(25, 7) == 20
    assert (position.quantity, position.cost, position.average_price) == (-15, -105, 7)


def test_a_third_released_three_times_leaves_nothing() -> None:
    """Closing in thirds releases the whole cost in the end, although no third of it is exact."""
    position = Position("AAPL")
    position.add_quantity(3, "3.333333333333333333")
    position.add_quantity(0 + 4, "0.1")
    for _ in range(7):
        position.reduce_quantity(1, 1)
    assert position.cost == 0
    assert position.realized_pnl == 7 - D("3.333333333333333333") * 3 - D("0.4")


def test_the_cost_of_long_figures_can_be_shared() -> None:
    """A partial close works where cost x quantity has more digits than money does."""
    position = Position("SHIB")
    position.add_quantity("123456789012.123456789012345678", "0.000012345678901234")
    position.reduce_quantity("23456789012.123456789012345679", "0.000012345678901235")
    position.reduce_quantity(position.quantity, "0.00001")
    assert (position.quantity, position.cost) == (0, 0)


@pytest.mark.parametrize("quantity", [0, -1, "0.0"])
def test_quantities_must_be_positive(quantity: int | str) -> None:
    """Adding or reducing by nothing or less is refused."""
    position = Position("AAPL")
    for change in (position.add_quantity, position.reduce_quantity):
        with pytest.raises(MoneyError, match="a quantity must be greater than 0"):
            change(quantity, 1)


def test_floats_are_marks_but_no_money() -> None:
    """A float may value a position, and may not trade it."""
    position = Position("AAPL")
    with pytest.raises(MoneyError, match=r"3\.3 is a float"):
        position.add_quantity(10, 3.3)  # type: ignore[arg-type]
    with pytest.raises(MoneyError, match=r"0\.5 is a float"):
        position.reduce_quantity(0.5, 3)  # type: ignore[arg-type]
    assert position.is_flat
    assert position.revision == 0


@pytest.mark.parametrize("mark", [float("nan"), float("inf"), "NaN"])
def test_a_mark_must_be_a_number(mark: float | str) -> None:
    """A position is not valued at NaN or infinity."""
    position = Position("AAPL")
    position.add_quantity(1, 1)
    with pytest.raises(MoneyError, match="is not a finite"):
        position.market_value(mark)


def test_a_fee_in_the_base_coin_shrinks_a_long_at_a_loss() -> None:
    """Giving up a tenth of a long loses a tenth of its cost and leaves the average as it was."""
    position = Position("BTC/USD")
    position.add_quantity(1, 100)
    assert position.give_up("0.1") == -10
    assert (position.quantity, position.cost, position.average_price) == (D("0.9"), 90, 100)


def test_a_fee_in_the_base_coin_deepens_a_short_for_nothing() -> None:
    """Giving up coins while short adds to the short at a price of 0."""
    position = Position("BTC/USD")
    position.reduce_quantity(1, 100)
    assert position.give_up("0.1") == 0
    assert (position.quantity, position.cost) == (D("-1.1"), -100)
    assert position.unrealized_pnl(100) == -10


def test_a_rebate_in_the_base_coin_is_bought_for_nothing() -> None:
    """A negative fee adds to a long without adding to its cost."""
    position = Position("BTC/USD")
    position.add_quantity(1, 100)
    assert position.give_up("-0.1") == 0
    assert (position.quantity, position.cost) == (D("1.1"), 100)


def test_giving_up_nothing_is_no_booking() -> None:
    """A fee of zero does not count as a booking."""
    position = Position("BTC/USD")
    assert position.give_up(0) == 0
    assert position.revision == 0


def test_a_fee_on_the_last_coin_leaves_a_short_without_a_negative_zero() -> None:
    """Giving up more than is held leaves a short that cost nothing, and no minus in front of a zero."""
    position = Position("BTC/USD")
    position.add_quantity(1, 100)
    position.give_up("1.5")
    assert position.quantity == D("-0.5")
    assert not position.cost.is_signed()


def test_every_booking_is_counted() -> None:
    """The revision moves with every trade, so that cached figures know when they are stale."""
    position = Position("AAPL")
    position.add_quantity(1, 1)
    position.reduce_quantity(2, 1)
    position.give_up(1)
    assert position.revision == 3


def test_the_ambient_context_changes_nothing() -> None:
    """The same life has the same figures in a decimal context of one digit that traps all rounding."""

    def figures() -> list[str]:
        position = Position("BTC/USD:BTC", INVERSE)
        plain = Position("X")
        for size, price in (("12345", "50123.5"), ("-2345", "51234.5"), ("-30000", "49876.5"), ("123", "48765.5")):
            position.trade(D(size), D(price))
            plain.trade(D(size), D(price))
        plain.give_up("0.0012345")
        return [
            repr(figure)
            for held in (position, plain)
            for figure in (
                held,
                held.average_price,
                held.realized_pnl,
                held.market_value(51234.56789),
                held.unrealized_pnl(51234.56789),
            )
        ]

    expected = figures()
    with localcontext(Context(prec=1, traps=[Inexact, Rounded, FloatOperation])):
        assert figures() == expected
