"""What is emulated fills as what is native does, where the data leave no doubt.

An emulated conditional order is sent by the event that touches it and so fills at the next one. On quotes that
stay for two events each, that is the same price.
"""

from collections.abc import Iterator
from random import Random

import pytest

from tests.runtime.parts import drive
from tradingd.app import build, make_strategies, register_all
from tradingd.config import BrokerSettings, load_settings
from tradingd.domain.enums import OrderType
from tradingd.domain.events import EventType, Fill, OrderUpdate, Quote
from tradingd.testing import EventLog, at

CONDITIONAL = ["stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop"]
CONFIG = """
[broker]
account = "margin"
leverage = 10
{lacks}
[portfolio]
initial_cash = 10000000
[risk]
allow_short = true
limits = {{ prevent_self_match = false }}
[[instruments]]
symbol = "AAPL"
kind = "equity"
tick = "0.01"
lot = "1"
[[strategies]]
name = "tests.execution.scripted:Scripted"
params = {{ symbol = "AAPL", kinds = [{kinds}] }}
"""


def quotes(count: int) -> Iterator[Quote]:
    """A random walk with a spread of some cents, a quote each half second, each of them twice."""
    chance = Random(3)  # noqa: S311 - repeatable on purpose
    middle = 10_000
    for number in range(count):
        middle += chance.choice((-3, -1, 0, 1, 3))
        spread = chance.choice((1, 2, 3))
        ts = at(0) + number * 500_000_000
        for twin in range(2):
            yield Quote(ts + twin, "AAPL", (middle - spread) / 100, (middle + spread) / 100, 1000, 1000)


def fills(tmp_path: object, kinds: list[str], lacks: list[str]) -> tuple[dict[str, list[str]], EventLog]:
    """By intent, what was filled at which price; and all that happened."""
    named = ", ".join(f'"{name}"' for name in lacks)
    text = CONFIG.format(
        lacks=f"lacks = [{named}]" if lacks else "", kinds=", ".join(f'"{kind}"' for kind in kinds)
    )
    config = tmp_path / f"{len(lacks)}.toml"  # type: ignore[operator]
    config.write_text(text)
    container = build(load_settings([config], overrides=["run.mode=backtest"], environ={}))
    register_all(container, make_strategies(container))
    manager = container.get("event_manager")
    log = EventLog()
    manager.observe(log.observe, (EventType.FILL, EventType.ORDER_UPDATE, EventType.SUBMIT))
    manager.clock.advance_to(at(0) - 1)
    drive(manager, quotes(5_000))
    found: dict[str, list[str]] = {}
    for fill in log.of(Fill):
        found.setdefault(fill.intent_id, []).append(f"{fill.side} {fill.quantity} at {fill.price}")
    return found, log


@pytest.mark.skipif(
    "lacks" not in BrokerSettings.model_fields, reason="the simulated exchange cannot be told what to lack yet"
)
@pytest.mark.parametrize(
    ("kinds", "lacks"),
    [
        *(([kind], [kind]) for kind in CONDITIONAL),
        (["gtd", "day"], ["gtd", "day"]),
        (["post_only"], ["post_only"]),
        (["oco"], ["oco"]),
        (["oco"], ["oco", "modify"]),
        (CONDITIONAL, [*CONDITIONAL, "modify"]),
    ],
)
def test_emulated_as_native(tmp_path: object, kinds: list[str], lacks: list[str]) -> None:
    """The same orders fill in the same quantities at the same prices, whether the venue has their kind or not."""
    native, _ = fills(tmp_path, kinds, [])
    emulated, log = fills(tmp_path, kinds, lacks)
    assert len(native) > 25
    assert emulated == native
    if set(kinds) <= set(CONDITIONAL):
        held = [update for update in log.of(OrderUpdate) if update.reason.startswith("HELD")]
        assert {update.order_type for update in held} == {OrderType[kind.upper()] for kind in kinds}
