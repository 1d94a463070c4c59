"""Fakes and builders for testing strategies and components, without mocks or sleeps.

`StrategyRun` drives one strategy by hand. `ManualClock` stands still until moved; `EventLog` is an `emit` that
remembers; the `make_...` functions fill in what a test does not care about. `VirtualTime` is clock and sleep for
what waits; `venue.ScriptedVenue` is an exchange account in memory (it is imported from there).
"""

from tradingd.runtime.clock import ManualClock as ManualClock
from tradingd.testing.builders import at as at
from tradingd.testing.builders import make_bar as make_bar
from tradingd.testing.builders import make_bars as make_bars
from tradingd.testing.builders import make_fill as make_fill
from tradingd.testing.builders import make_instrument as make_instrument
from tradingd.testing.builders import make_quote as make_quote
from tradingd.testing.builders import make_signal as make_signal
from tradingd.testing.builders import make_trade as make_trade
from tradingd.testing.log import EventLog as EventLog
from tradingd.testing.strategy import StrategyRun as StrategyRun
from tradingd.testing.virtual import VirtualTime as VirtualTime

__all__ = [
    "EventLog",
    "ManualClock",
    "StrategyRun",
    "VirtualTime",
    "at",
    "make_bar",
    "make_bars",
    "make_fill",
    "make_instrument",
    "make_quote",
    "make_signal",
    "make_trade",
]
