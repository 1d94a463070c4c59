"""The replay feed's pace, on a clock that is moved by its own sleeping."""

from tradingd.data.replay import ReplayFeed
from tradingd.domain.events import MarketEvent
from tradingd.testing import at, make_bars


class Time:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


async def replay(speed: float | None, takes: float = 0.0) -> tuple[Time, list[float]]:
    """When each of four one-minute bars was published, in seconds since the start."""
    time = Time()
    times: list[float] = []

    async def publish(_: MarketEvent) -> None:
        times.append(round(time.now - 100.0, 6))
        time.now += takes

    feed = ReplayFeed(
        make_bars([1.0] * 4),
        first_ts=at(1),
        publish=publish,
        sleep=time.sleep,
        monotonic=time.monotonic,
        speed=speed,
    )
    await feed.run()
    assert feed.delivered == 4
    return time, times


async def test_events_come_at_their_pace() -> None:
    """At speed 60 one-minute bars come a second apart, the first at once."""
    _, times = await replay(60.0)
    assert times == [0.0, 1.0, 2.0, 3.0]


async def test_without_a_speed_nothing_waits() -> None:
    """Without a speed the feed never sleeps."""
    time, _ = await replay(None)
    assert time.slept == []


async def test_a_slow_daemon_is_not_slowed_further() -> None:
    """When handling takes longer than the pace, the feed does not sleep on top of it."""
    time, times = await replay(60.0, takes=2.0)
    assert (time.slept, times) == ([], [0.0, 2.0, 4.0, 6.0])
