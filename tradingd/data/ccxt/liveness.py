"""When a stream is silent for too long, and when its socket is to be closed and opened anew.

A socket may stay open, answer pings and bring nothing: a library notices that after minutes, if at all. So each
stream of each symbol has its own clock. Most silence is a quiet market, which a read over REST can tell: at two
thirds of the limit the feed looks; if there was nothing to hear, the limit becomes three times the silence that
was just found to be usual, and shrinks again when the market does speak. If it was not told in time, the stream
is stale: nobody may trade on it, and its socket is closed. Times are monotonic seconds.
"""

from enum import Enum, auto

__all__ = ["Liveness", "ResetPolicy", "Silence"]

_CADENCES = 3.0
"""How many expected pauses a stream may be silent for."""
_LOOK_AT = 2 / 3
_LONGEST_CADENCE_S = 60.0


class Silence(Enum):
    """What a stream's silence means."""

    FINE = auto()
    LOOK = auto()
    """Look over REST whether there was anything to hear."""
    STALE = auto()


class Liveness:
    """The clock of one stream: silence is too long after `stale_after_s`, or three expected pauses if longer."""

    __slots__ = ("_base_s", "_cadence_s", "_can_look", "_heard", "_is_suspect", "_least_s", "_sure")

    def __init__(self, stale_after_s: float = 15.0, cadence_s: float = 0.0, *, can_look: bool = True) -> None:
        self._least_s = stale_after_s
        self._can_look = can_look
        self._base_s = self._cadence_s = cadence_s
        self._heard = self._sure = 0.0
        self._is_suspect = False

    @property
    def limit_s(self) -> float:
        """How long the stream may be silent now."""
        return max(self._least_s, _CADENCES * self._cadence_s)

    def opened(self, now: float) -> None:
        """The stream is being opened: its time starts anew, and what was usual has to be found out again."""
        self._heard = self._sure = now
        self._is_suspect = False
        if self._can_look:
            self._cadence_s = self._base_s

    def gave_up(self) -> None:
        """It was stale. Where no look tells a quiet market from a dead stream, silence is given more time."""
        if not self._can_look:
            self._cadence_s = min(_LONGEST_CADENCE_S, max(2 * self._cadence_s, self._least_s / _CADENCES * 2))

    def heard(self, now: float) -> None:
        """Something usable came."""
        if now - self._heard < self._cadence_s / 2:
            self._cadence_s = max(self._base_s, self._cadence_s / 2)
        self._heard = self._sure = now
        self._is_suspect = False

    def looked(self, asked: float, now: float, *, is_quiet: bool | None) -> None:
        """A look over REST, asked for at `asked`, found whether the stream has told all that it should have.

        If it has, this silence is usual. If not, no later look clears the stream: only what it tells itself.
        None is for a look that there was nothing to compare with yet.
        """
        if self._heard > asked or self._is_suspect or is_quiet is None:
            return
        if not is_quiet:
            self._is_suspect = True
            return
        silence = min(now - self._heard, _LONGEST_CADENCE_S)
        self._cadence_s = max(self._cadence_s, silence)
        self._sure = now

    def judge(self, now: float) -> Silence:
        """What the silence so far means."""
        silent = now - self._sure
        if silent >= self.limit_s:
            return Silence.STALE
        return Silence.LOOK if silent >= self.limit_s * _LOOK_AT else Silence.FINE


class ResetPolicy:
    """How often one stream's silence may close the sockets of all: at once, then more and more seldom."""

    __slots__ = ("_due", "_first_s", "_most_s", "_wait_s")

    def __init__(self, first_s: float = 15.0, most_s: float = 600.0) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._wait_s = first_s
        self._due = 0.0

    def spoke(self) -> None:
        """The stream brought something: the next silence is a new one."""
        self._wait_s, self._due = self._first_s, 0.0

    def claim(self, now: float) -> bool:
        """Whether the sockets may be closed for it now; counts as done if so."""
        if now < self._due:
            return False
        self._due = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, self._most_s)
        return True
