"""The grid: what `--param` says and what it makes."""

import pytest

from tradingd.errors import UsageError
from tradingd.strategy.ma_crossover import MovingAverageCrossover
from tradingd.sweep.grid import Grid, Value, parse_axes

KNOWN = ["fast_ma", "slow_ma", "long_only"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast_ma=5:20:5", [5, 10, 15, 20]),
        ("fast_ma=5:19:5", [5, 10, 15]),
        ("fast_ma=3:5", [3, 4, 5]),
        ("fast_ma=0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("fast_ma=-1:1", [-1, 0, 1]),
        ("fast_ma=7", [7]),
        ("fast_ma=5, 10 ,20.5", [5, 10, 20.5]),
        ("long_only=true,false", [True, False]),
        ("fast_ma=close,open", ["close", "open"]),
    ],
)
def test_values(text: str, values: list[Value]) -> None:
    """Ranges have both their ends and no drift, lists their items; numbers, truths and texts are told apart."""
    (found,) = parse_axes([text], KNOWN).values()
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["fast_ma"], "give a name and its values"),
        (["=5"], "give a name and its values"),
        (["fast_ma="], "give a name and its values"),
        (["fastma=5"], "did you mean 'fast_ma'"),
        (["wing=5"], "there are fast_ma, slow_ma, long_only"),
        (["fast_ma=5", "fast_ma=6"], "given twice"),
        (["fast_ma=5,5"], "given twice"),
        (["fast_ma=5,,6"], "between the commas"),
        (["fast_ma=1:2:3:4"], "start:stop:step"),
        (["fast_ma=a:b"], "start:stop:step"),
        (["fast_ma=1:nan"], "start:stop:step"),
        (["fast_ma=1:inf"], "start:stop:step"),
        (["fast_ma=1:9:0"], "greater than 0"),
        (["fast_ma=1:9:-1"], "greater than 0"),
        (["fast_ma=9:1"], "ends before it starts"),
        (["fast_ma=1:1e30"], "at most 1,000,000"),
        (["fast_ma=1:2000", "slow_ma=1:2000"], "at most 1,000,000"),
        ([], "nothing to sweep"),
    ],
)
def test_nonsense_is_refused(texts: list[str], said: str) -> None:
    """What is no name with values, not known, without end or too much is refused with what to do."""
    with pytest.raises(UsageError, match=said):
        parse_axes(texts, KNOWN)


def test_combinations_that_the_strategy_refuses_are_left_out_and_counted() -> None:
    """The grid has every valid combination over the configured parameters, and tells of the first invalid one."""
    axes = parse_axes(["fast_ma=10,20", "slow_ma=15,30"], KNOWN)
    grid = Grid(MovingAverageCrossover, {"symbol": "AAPL", "long_only": False}, axes)
    found = list(grid)
    assert [tuple(point.values.values()) for point in found] == [(10, 15), (10, 30), (20, 30)]
    assert (grid.size, grid.invalid) == (4, 1)
    assert grid.complaint == "fast_ma (20) must be smaller than slow_ma (15)"
    assert found[0].params.long_only is False  # type: ignore[attr-defined]
    assert len(list(grid)) == 3
    assert grid.invalid == 1
