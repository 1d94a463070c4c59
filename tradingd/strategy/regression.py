"""The least-squares line through the last n points, updated in constant time."""

from collections import deque
from math import fsum, sqrt

__all__ = ["Line", "RollingRegression"]


class Line:
    """A fitted line y = intercept + slope x, with how well it fits."""

    __slots__ = ("correlation", "deviation", "intercept", "slope")

    def __init__(self, slope: float, intercept: float, deviation: float, correlation: float) -> None:
        self.slope = slope
        self.intercept = intercept
        self.deviation = deviation
        """The residuals' standard deviation, with n - 2 degrees of freedom."""
        self.correlation = correlation
        """Pearson's, -1 to 1."""

    def score(self, x: float, y: float) -> float:
        """How many standard deviations y is above the line at x."""
        return (y - self.intercept - self.slope * x) / self.deviation


class RollingRegression:
    """Ordinary least squares of y on x over the last `period` points.

    The means and the sums of squared deviations move by the point that comes and the one that goes (Welford's
    update, Technometrics 4, 1962, sliding; for the products likewise). They are computed afresh from the window
    every `period` updates, so that rounding errors do not gather.
    """

    __slots__ = ("_mean_x", "_mean_y", "_points", "_sxx", "_sxy", "_syy", "_until_afresh", "period")

    def __init__(self, period: int) -> None:
        if period < 3:  # noqa: PLR2004 - two points are always on a line
            raise ValueError(f"RollingRegression: a period is at least 3, this is {period}")
        self.period = period
        self._points: deque[tuple[float, float]] = deque(maxlen=period)
        self._mean_x = self._mean_y = self._sxx = self._sxy = self._syy = 0.0
        self._until_afresh = 0

    def update(self, x: float, y: float) -> Line | None:
        """Take the next point; returns the line, None before there are `period` points or if there is no line."""
        points = self._points
        if len(points) < self.period:
            points.append((x, y))
            if len(points) < self.period:
                return None
            self._sum_afresh()
        else:
            old_x, old_y = points[0]
            points.append((x, y))
            self._until_afresh -= 1
            if self._until_afresh:
                self._slide(x, y, old_x, old_y)
            else:
                self._sum_afresh()
        return self._line()

    def _slide(self, x: float, y: float, old_x: float, old_y: float) -> None:
        dx, dy = x - old_x, y - old_y
        before_x, before_y = self._mean_x, self._mean_y
        self._mean_x = mean_x = before_x + dx / self.period
        self._mean_y = mean_y = before_y + dy / self.period
        self._sxx += dx * ((x - mean_x) + (old_x - before_x))
        self._syy += dy * ((y - mean_y) + (old_y - before_y))
        self._sxy += dx * (y - mean_y) + (old_x - before_x) * dy

    def _sum_afresh(self) -> None:
        n = self.period
        self._mean_x = mean_x = fsum(x for x, _ in self._points) / n
        self._mean_y = mean_y = fsum(y for _, y in self._points) / n
        self._sxx = fsum((x - mean_x) ** 2 for x, _ in self._points)
        self._syy = fsum((y - mean_y) ** 2 for _, y in self._points)
        self._sxy = fsum((x - mean_x) * (y - mean_y) for x, y in self._points)
        self._until_afresh = n

    def _line(self) -> Line | None:
        """None where x or y does not move, or y is on the line to within rounding: there is nothing to score."""
        sxx, syy, sxy = self._sxx, self._syy, self._sxy
        if sxx <= _NOISE * (1.0 + self._mean_x**2) or syy <= _NOISE * (1.0 + self._mean_y**2):
            return None
        slope = sxy / sxx
        unexplained = syy - slope * sxy
        if unexplained <= _NOISE * syy:
            return None
        return Line(
            slope,
            self._mean_y - slope * self._mean_x,
            sqrt(unexplained / (self.period - 2)),
            max(-1.0, min(1.0, sxy / sqrt(sxx * syy))),
        )


_NOISE = 1e-12
"""Relative to what rounding may leave of sums that are 0 in exact arithmetic."""
