"""The rules of rows and the rules of columns of columns say the same."""

from math import inf, nan

from hypothesis import given
from hypothesis import strategies as st

from tradingd.data import SeriesKind
from tradingd.data.column_rules import CLEAN
from tradingd.data.rules import bar_oddity, row_fault

number = st.one_of(st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, nan, inf, -inf]), st.floats(0.5, 4.0))
side = st.sampled_from(["buy", "sell", "BUY", "", "x"])


@given(st.lists(number, min_size=6, max_size=6), st.integers(5, 6), st.booleans())
def test_bar_rules_agree(values: list[float], width: int, allow_negative: bool) -> None:  # noqa: FBT001
    """The rules of columns pass a bar exactly when the row's rules find neither fault nor oddity."""
    row = values[:width]
    clean = CLEAN[SeriesKind.BARS]([[value] for value in row], [], allow_negative=allow_negative)
    fault = row_fault(SeriesKind.BARS, row, (), allow_negative=allow_negative)
    assert clean == (not fault and not bar_oddity(row))


@given(st.lists(number, min_size=4, max_size=4), st.booleans())
def test_quote_rules_agree(row: list[float], allow_negative: bool) -> None:  # noqa: FBT001
    """The rules of columns pass a quote exactly when the row's rules find no fault."""
    clean = CLEAN[SeriesKind.QUOTES]([[value] for value in row], [], allow_negative=allow_negative)
    assert clean == (not row_fault(SeriesKind.QUOTES, row, (), allow_negative=allow_negative))


@given(st.lists(number, min_size=2, max_size=2), side, st.booleans())
def test_trade_rules_agree(row: list[float], word: str, allow_negative: bool) -> None:  # noqa: FBT001
    """The rules of columns pass no trade that the row's rules refuse."""
    clean = CLEAN[SeriesKind.TRADES]([[value] for value in row], [[word]], allow_negative=allow_negative)
    sound = not row_fault(SeriesKind.TRADES, row, (word,), allow_negative=allow_negative)
    assert clean == (sound and word != "BUY")
