"""What is true of the last n numbers, kept up at constant cost: parts of indicators."""

from collections import deque
from itertools import chain
from math import fsum


class RollingMax:
    """The maximum of the last `period` numbers, in amortised constant time.

    Keeps only candidates: a number that a later one exceeds can never be the maximum again (the "monotonic
    queue"; Lemire, Nordic Journal of Computing 13, 2006). Equal ones are kept, one for each time they leave.
    """

    __slots__ = ("_candidates", "_window")

    def __init__(self, period: int) -> None:
        self._window: deque[float] = deque(maxlen=period)
        self._candidates: deque[float] = deque()

    def update(self, x: float) -> float:
        """Take the next number; returns the new maximum."""
        window = self._window
        candidates = self._candidates
        if len(window) == window.maxlen and window[0] == candidates[0]:
            candidates.popleft()
        window.append(x)
        while candidates and candidates[-1] < x:
            candidates.pop()
        candidates.append(x)
        return candidates[0]


class RunningSum:
    """A sum of all numbers so far, with what rounding lost kept in a second float.

    Knuth's TwoSum (The Art of Computer Programming, vol. 2, 4.2.2) in Neumaier's sum (Zeitschrift fuer
    angewandte Mathematik und Mechanik 54, 1974): the error does not grow with the number of terms but by 1e-32
    of the greatest sum at each.
    """

    __slots__ = ("_hi", "_lo")

    def __init__(self) -> None:
        self._hi = 0.0
        self._lo = 0.0

    def add(self, x: float) -> float:
        """Add a number; returns the new sum."""
        hi = self._hi
        self._hi = total = hi + x
        arrived = total - hi
        self._lo = lo = self._lo + ((hi - (total - arrived)) + (x - arrived))
        return total + lo


class RollingSum:
    """The sum of the last `period` numbers (0 where there are none yet), in amortised constant time.

    Carries what rounding loses as `RunningSum` does, for the number that comes and the one that goes. Numbers
    that differ so much (1e9) that even this second float loses the small ones are summed afresh when the
    great ones have left: a sum that should be 0 is exactly 0.
    """

    __slots__ = ("_floor", "_hi", "_lo", "_window")

    def __init__(self, period: int) -> None:
        self._window = deque([0.0] * period, period)
        self._hi = 0.0
        self._lo = 0.0
        self._floor = 0.0

    def update(self, x: float) -> float:
        """Take the next number; returns the new sum."""
        window = self._window
        old = window[0]
        window.append(x)
        change = x - old
        back = change - x
        lost = (x - (change - back)) - (old + back)
        hi = self._hi
        self._hi = total = hi + change
        arrived = total - hi
        self._lo = lo = self._lo + (lost + ((hi - (total - arrived)) + (change - arrived)))
        size = abs(total)
        floor = self._floor
        if size < floor:
            return self._sum_afresh()
        if size * 1e-9 > floor:
            self._floor = size * 1e-9
        return total + lo

    def _sum_afresh(self) -> float:
        self._hi = hi = fsum(self._window)
        self._lo = fsum(chain(self._window, (-hi,)))
        self._floor = abs(hi) * 1e-9
        return hi
