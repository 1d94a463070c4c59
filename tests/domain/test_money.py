from collections.abc import Callable, Iterator
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Rounded,
    localcontext,
)
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.money import (
    MONEY_QUANTUM,
    add,
    divide,
    floor_to,
    from_market,
    is_multiple,
    magnitude,
    mul,
    neg,
    quantize,
    share,
    sub,
    to_decimal,
    to_price,
    worth,
)
from tradingd.errors import MoneyError

D = Decimal
LONG = D("12345678901234567890.12345678901234567890")

amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=18)
sizes = st.decimals(min_value=D("0.000000001"), max_value=10**9, places=9)


@pytest.fixture(params=["short", "silent"])
def ambient(request: pytest.FixtureRequest) -> Iterator[None]:
    """An ambient decimal context that any use of would show: it rounds to 3 digits, raising or not."""
    traps = [Inexact, Rounded, FloatOperation, InvalidOperation, DivisionByZero]
    with localcontext(Context(prec=3, traps=traps if request.param == "short" else [])):
        yield


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.1", D("0.1")),
        (" 1e-8 ", D("1e-8")),
        (-7, D(-7)),
        (10**70, D(10**70)),
        (D("1.10"), D("1.10")),
    ],
)
def test_text_ints_and_decimals_become_money(value: Any, expected: Decimal) -> None:
    """Text, ints and Decimals become money with every digit they have."""
    assert str(to_decimal(value)) == str(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.1, '0.1 is a float; money takes text, int or Decimal, for example Decimal("0.1")'),
        (True, "True is a bool; money takes text, int or Decimal"),
        (float("nan"), "nan is a float"),
        (np.float64(0.5), "is a float64; money takes text, int or Decimal"),
        (None, "None is a NoneType; money takes text, int or Decimal"),
        (b"1", "b'1' is a bytes"),
        ("", "'' is not a decimal number"),
        ("1,5", "'1,5' is not a decimal number"),
        ("ten", "'ten' is not a decimal number"),
        ("NaN", "'NaN' is not a finite number"),
        ("-Infinity", "'-Infinity' is not a finite number"),
        (D("NaN"), "Decimal('NaN') is not a finite number"),
        (D("sNaN"), "Decimal('sNaN') is not a finite number"),
        (D("Infinity"), "Decimal('Infinity') is not a finite number"),
    ],
)
def test_what_is_no_money_is_refused(value: Any, message: str) -> None:
    """What is no exact, finite number is refused with a message that shows it."""
    with pytest.raises(MoneyError) as caught:
        to_decimal(value)
    assert message in str(caught.value)


@pytest.mark.usefixtures("ambient")
def test_junk_is_refused_alike_in_any_context() -> None:
    """Junk text is called no decimal number even where the ambient context would turn it into a NaN."""
    with pytest.raises(MoneyError, match="'ten' is not a decimal number"):
        to_decimal("ten")


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (1e-7, "1E-7"), (1e22, "1E+22"), (np.float64(0.3), "0.3"), (5, "5")]
)
def test_market_floats_keep_the_digits_of_their_shortest_text(value: float, text: str) -> None:
    """A market float becomes the decimal of its shortest text, whatever class of float it is."""
    assert str(from_market(value)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_market_floats_must_be_finite(value: float) -> None:
    """A NaN or infinite market price is refused."""
    with pytest.raises(MoneyError, match="is not a finite market price"):
        from_market(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(derandomize=True)
def test_market_floats_survive_the_round_trip(value: float) -> None:
    """No market float changes on its way to a decimal and back."""
    assert float(from_market(value)) == value


def test_prices_may_be_floats_or_money() -> None:
    """A price may be a float, text, an int or a Decimal, and nothing else."""
    assert [to_price(value) for value in (1.5, "1.5", D("1.5"))] == [D("1.5")] * 3
    with pytest.raises(MoneyError, match="True is a bool"):
        to_price(True)


@given(amounts, amounts)
@settings(derandomize=True)
def test_sums_and_products_are_exact(a: Decimal, b: Decimal) -> None:
    """Addition, subtraction and multiplication have the very value of the fractions."""
    x, y = Fraction(a), Fraction(b)
    assert [Fraction(f(a, b)) for f in (add, sub, mul)] == [x + y, x - y, x * y]


def test_an_inexact_sum_raises() -> None:
    """A sum that 60 digits cannot hold raises instead of rounding."""
    with pytest.raises(Inexact):
        add(D("1e50"), D("1e-50"))


@given(amounts, sizes)
@settings(derandomize=True)
def test_division_is_rounded_half_even_at_the_quantum(a: Decimal, b: Decimal) -> None:
    """A quotient is the fraction rounded half to even at 1e-18."""
    assert Fraction(divide(a, b)) == Fraction(round(Fraction(a) / Fraction(b) * 10**18), 10**18)


def test_division_rounds_once() -> None:
    """A quotient a hair above half a quantum rounds up, however thin the hair."""
    for thin in (20, 50, 130):
        assert divide(D("0." + "0" * 18 + "5" + "0" * thin + "1"), D(1)) == MONEY_QUANTUM
    assert divide(D("0." + "9" * 65), D(1), D(1), ROUND_FLOOR) == 0
    assert divide(D("1." + "0" * 65 + "1"), D(1), D(1), ROUND_CEILING) == 2


@given(amounts, sizes, sizes)
@settings(derandomize=True)
def test_a_share_is_rounded_once(amount: Decimal, part: Decimal, whole: Decimal) -> None:
    """A share is the exact fraction of the amount, rounded once at 1e-18."""
    exact = Fraction(amount) * Fraction(part) / Fraction(whole)
    assert Fraction(share(amount, part, whole)) == Fraction(round(exact * 10**18), 10**18)


def test_a_share_of_a_long_amount_is_no_overflow() -> None:
    """A share is found even where amount x part has more than 60 digits."""
    assert share(LONG, LONG, LONG) == quantize(LONG)


@given(amounts, st.decimals(min_value=D("1e-17"), max_value=10**6, places=17))
@settings(derandomize=True)
def test_marks_are_exact_to_36_places(amount: Decimal, rate: Decimal) -> None:
    """A marked value is the exact product as long as that has no more than 36 decimal places."""
    assert Fraction(worth(amount, rate)) == Fraction(amount) * Fraction(rate)


def test_longer_marks_are_rounded_to_36_places() -> None:
    """A marked value with more than 36 decimal places is rounded there, not refused."""
    rate = D("1.2345678901234567890123")
    exact = Fraction(LONG) * Fraction(rate)
    assert Fraction(worth(LONG, rate)) == Fraction(round(exact * 10**36), 10**36)


@given(amounts, sizes)
@settings(derandomize=True)
def test_floor_to_goes_towards_zero(value: Decimal, step: Decimal) -> None:
    """Flooring gives the whole multiple next to the value on zero's side."""
    floored = Fraction(floor_to(value, step))
    assert (floored / Fraction(step)).denominator == 1
    assert abs(floored) <= abs(Fraction(value)) < abs(floored) + Fraction(step)


def test_is_multiple() -> None:
    """Multiples are told exactly, without a tolerance."""
    assert is_multiple(D("0.30"), D("0.1"))
    assert not is_multiple(D("0.300000000000000000000000001"), D("0.1"))


@pytest.mark.parametrize(
    "figure",
    [
        lambda: to_decimal(str(LONG)),
        lambda: to_decimal(10**30 + 1),
        lambda: from_market(1234567.891),
        lambda: add(LONG, D("0.00001")),
        lambda: sub(LONG, D("0.00001")),
        lambda: mul(LONG, D(3)),
        lambda: neg(LONG),
        lambda: magnitude(neg(LONG)),
        lambda: quantize(LONG, D("0.000001")),
        lambda: divide(LONG, D(7)),
        lambda: share(LONG, D(3), D(7)),
        lambda: worth(LONG, D("1.2345678901234567890123")),
        lambda: floor_to(LONG, D("0.0001")),
        lambda: is_multiple(LONG, D("0.0001")),
    ],
)
def test_the_ambient_context_changes_nothing(figure: Callable[[], Any]) -> None:
    """A result has the same digits whatever decimal context the caller happens to have."""
    expected = str(figure())
    for context in (Context(prec=3, traps=[Inexact, Rounded, FloatOperation]), Context(prec=3, traps=[])):
        with localcontext(context):
            assert str(figure()) == expected
