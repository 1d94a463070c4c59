"""What all indicators share."""

from typing import ClassVar, NoReturn

_HUGE = 1e150
"""Observations are smaller than this, so that neither their sums nor their squares overflow."""


class Indicator:
    """What all indicators share; `update` differs in what it takes."""

    __slots__ = ("_label", "_missing", "period", "value", "warmup")

    _takes: ClassVar[str] = "finite price (magnitude < 1e150)"

    period: int
    """The length of the window, or of the smoothing, in observations."""
    warmup: int
    """How many updates it takes until there is a value (and all further outputs)."""
    value: float | None
    """The latest value, None until `ready`. To read; a plain attribute, because it is read at every bar."""

    def __init__(self, period: int, warmup: int, *, made_with: tuple[float, ...] | None = None) -> None:
        self._check_periods(period)
        self.period = period
        self.warmup = warmup
        self._label = (
            f"{type(self).__name__}({', '.join(map(str, (period,) if made_with is None else made_with))})"
        )
        self.value = None
        self._missing = warmup

    def __repr__(self) -> str:
        return f"{self._label[:-1]}{'' if self._label.endswith('()') else ', '}value={self.value})"

    @property
    def ready(self) -> bool:
        """Whether there is a value yet."""
        return self.value is not None

    def _refuse(self, *observation: float) -> NoReturn:
        shown = ", ".join(map(repr, observation))
        raise ValueError(f"{self._label}: {shown} is no {self._takes}")

    def _check_periods(self, *periods: int) -> None:
        for period in periods:
            if period < 1:
                raise ValueError(f"{type(self).__name__}: a period is at least 1, this is {period}")

    def _check_multiplier(self, multiplier: float) -> None:
        if not 0.0 < multiplier < _HUGE:
            raise ValueError(f"{type(self).__name__}: a multiplier is greater than 0, this is {multiplier}")


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
