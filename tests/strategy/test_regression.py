"""The rolling least-squares line against its definition."""

import math
import random

import numpy as np
import pytest

from tradingd.strategy.regression import RollingRegression


def test_it_is_the_least_squares_line_of_the_window() -> None:
    """Slope, intercept, deviation and correlation are numpy's, over 2,000 updates."""
    source = random.Random(7)  # noqa: S311 - a seeded series
    regression = RollingRegression(30)
    xs: list[float] = []
    ys: list[float] = []
    x, y = 10.0, 4.0
    for _ in range(2_000):
        x += source.gauss(0, 0.01)
        y += source.gauss(0, 0.01)
        xs.append(x)
        ys.append(y)
        line = regression.update(x, y)
        if len(xs) < 30:
            assert line is None
            continue
        assert line is not None
        window_x, window_y = np.array(xs[-30:]), np.array(ys[-30:])
        slope, intercept = np.polyfit(window_x - window_x.mean(), window_y, 1)
        residuals = window_y - intercept - slope * (window_x - window_x.mean())
        assert line.slope == pytest.approx(slope, rel=1e-7, abs=1e-9)
        assert line.intercept == pytest.approx(intercept - slope * window_x.mean(), rel=1e-7, abs=1e-7)
        assert line.deviation == pytest.approx(math.sqrt((residuals**2).sum() / 28), rel=1e-7)
        assert line.correlation == pytest.approx(np.corrcoef(window_x, window_y)[0, 1], abs=1e-7)
        assert line.score(x, y) == pytest.approx(residuals[-1] / line.deviation, abs=1e-6)


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.1), (0.1, 0.0), (0.1, 0.2)])
def test_there_is_no_line_where_nothing_can_be_scored(dx: float, dy: float) -> None:
    """When x stands still, or y stands still, or y is on the line exactly."""
    regression = RollingRegression(5)
    steps = [0, 1, 3, 2, 5, 4, 7, 6]
    assert [regression.update(3.3 + dx * step, 1.1 + dy * step) for step in steps] == [None] * 8


def test_a_period_has_at_least_three_points() -> None:
    """Two points are always on a line."""
    with pytest.raises(ValueError, match="at least 3"):
        RollingRegression(2)
