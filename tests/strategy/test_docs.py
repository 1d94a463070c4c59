"""The strategies in docs/strategies.md run as they are written."""

import re
from pathlib import Path
from typing import Any

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar, Signal
from tradingd.strategy.base import Strategy
from tradingd.testing import StrategyRun

PAGE = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"
MINUTE = 60 * 10**9
FULL_HOUR = 1_700_002_800 * 10**9


def documented(name: str) -> type[Strategy]:
    """The class of that name, from the page's own code."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
               if f"class {name}(" in block)  # fmt: skip
    scope: dict[str, Any] = {"__name__": __name__}
    exec(code, scope)  # noqa: S102 - it is our own page
    cls: type[Strategy] = scope[name]
    return cls


def test_the_strategy_on_two_timeframes() -> None:
    """It buys at the minute that closes the third rising hour, and leaves when the hours fall."""
    run = StrategyRun(documented("WithTheHour"), {"symbol": "AAPL"})
    closes = [100.0 + number for number in range(200)] + [300.0 - number for number in range(120)]
    for number, close in enumerate(closes):
        opens = FULL_HOUR + number * MINUTE
        run.market(Bar(opens + MINUTE, "AAPL", close, close, close, close, 1.0, opens))
    signals = run.log.of(Signal)
    first_long = next(each for each in signals if each.direction is Direction.LONG)
    assert first_long.ts == FULL_HOUR + 180 * MINUTE
    assert signals[-1].direction is Direction.FLAT
