"""What is true of the last n numbers, kept up at constant cost: parts of indicators."""

from collections import deque


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
