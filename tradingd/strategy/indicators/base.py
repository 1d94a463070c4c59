"""What all indicators share."""

from typing import NoReturn

_HUGE = 1e150
"""Observations are smaller than this, so that neither their sums nor their squares overflow."""


class Indicator:
    """What all indicators share; `update` differs in what it takes."""

    __slots__ = ("_missing", "period", "value", "warmup")

    period: int
    """The length of the window, or of the smoothing, in observations."""
    warmup: int
    """How many updates it takes until there is a value."""
    value: float | None
    """The latest value, None until `ready`. To read; a plain attribute, because it is read at every bar."""

    def __init__(self, period: int, warmup: int) -> None:
        if period < 1:
            raise ValueError(f"{type(self).__name__}: a period is at least 1, this is {period}")
        self.period = period
        self.warmup = warmup
        self.value = None
        self._missing = warmup

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.period}, value={self.value})"

    @property
    def ready(self) -> bool:
        """Whether there is a value yet."""
        return self.value is not None

    def _refuse(self, *observation: float) -> NoReturn:
        shown = ", ".join(map(repr, observation))
        raise ValueError(f"{type(self).__name__}({self.period}): {shown} is no finite price (magnitude < 1e150)")


class MeanSeeded(Indicator):
    """Begins with the plain mean of its first `period` inputs, as TA-Lib does."""

    __slots__ = ("_seed",)

    def __init__(self, period: int, warmup: int) -> None:
        super().__init__(period, warmup)
        self._seed = 0.0

    def _warm_up(self, x: float) -> float | None:
        self._seed += x
        self._missing -= 1
        if not self._missing:
            self.value = self._seed / self.period
        return self.value
