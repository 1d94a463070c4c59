"""Many rehearsals with random scripts of faults: `python -m tradingd.testing.campaign SEEDS`.

Each seed decides everything: what is traded, how the market moves, what the strategy does, what goes wrong and
when. So a seed that fails is all that has to be told. Waits are scaled down, so that a run of some 200 orders
takes seconds; sockets, signatures, ccxt and every component are those of `tradingd run`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import structlog

from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.commands.rehearsal_report import FaultReport
from tradingd.config import load_settings
from tradingd.data.ccxt.model import FeedOptions
from tradingd.testing.exchange.faults import FaultScript, Rule
from tradingd.testing.exchange.scripts import fault, random_script
from tradingd.testing.rehearsal.performance import Pace, Rehearsal
from tradingd.wiring.live import Tuning

__all__ = ["IN_A_HURRY", "Draw", "draw", "play"]

_HURRY = 0.1
"""What lasts in earnest (delays, outages, what is hidden) lasts a tenth."""
IN_A_HURRY = Pace(
    orders=200,
    duration_s=60.0,
    recovery_s=15.0,
    agreement_s=15.0,
    stop_s=10,
    orders_a_minute=1_000_000,
    rate=100.0,
    every=1,
    tuning=Tuning(
        policy=EvidencePolicy(
            span_s=0.3,
            halt_s=8.0,
            settle_s=8.0,
            edit_span_s=0.3,
            first_s=0.05,
            longest_s=0.5,
            poll_s=0.2,
            late_s=0.5,
            least_pause_s=0.02,
            overlap_s=60.0,
            barrier_s=0.5,
            barrier_due_s=5.0,
            quiet_s=0.05,
            stream_grace_s=1.0,
            stream_soon_s=0.05,
            stream_later_s=0.5,
            stale_s=2.0,
            refresh_s=0.5,
        ),
        feed=FeedOptions(stale_after_s=1.5, dials_per_minute=10_000, stagger_s=0.0, grace_s=0.3, tick_s=0.1),
        visibility_s=0.3,
        weight=10_000_000.0,
    ),
)
_LIMITS = {
    "max_order_notional": 200,
    "max_position_notional": 500,
    "max_gross_exposure_percent": 90,
    "price_collar_percent": 5,
    "stale_after_s": 5,
    "max_orders_per_minute": 1_000_000,
    "daily_loss_percent": 50,
    "max_drawdown_percent": 50,
}
_SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "XRP/USDT")


class Draw(msgspec.Struct, frozen=True):
    """What a seed comes to."""

    seed: int
    accounts: Mapping[str, Sequence[str]]
    notional: int
    """What the strategy trades at once, in USDT."""
    script: FaultScript
    streams: Sequence[str] = ()
    """What is streamed besides the trades that the strategy goes by."""

    def describe(self) -> str:
        """How to have it again, for who looks into a failure."""
        accounts = "; ".join(f"{name}: {', '.join(symbols)}" for name, symbols in self.accounts.items())
        streams = ", ".join(("trades", *self.streams))
        return f"seed {self.seed}: {accounts}; {streams}; notional {self.notional}; {self.script.options}"


def draw(seed: int, *, orders: int = IN_A_HURRY.orders) -> Draw:
    """All that a seed decides, but for what the strategy and the market do."""
    random = Random(seed)  # noqa: S311 - repeatable, nothing secret
    accounts: dict[str, list[str]] = {"main": ["BTC/USDT", *random.sample(_SYMBOLS[1:], random.randint(0, 2))]}
    if random.random() < _OF_TWO_ACCOUNTS:
        accounts["spare"] = ["BTC/USDT"]
    intensity = random.choice((0.05, 0.1, 0.2))
    script = random_script(seed, intensity=intensity, orders=orders, pace=_HURRY)
    rules = [rule for rule in script.rules if rule.fault.name not in _LAST_WORDS]
    if random.random() < _ENDED:
        rules.append(Rule(fault(random.choice(_LAST_WORDS), _HURRY), nth=orders))
    script = FaultScript(tuple(rules), options=script.options)
    streams = random.choice(_STREAMS)
    return Draw(seed, accounts, random.choice((60, 80, 100)), script, streams)


_OF_TWO_ACCOUNTS = 0.25
_STREAMS: tuple[tuple[str, ...], ...] = ((), (), ("quotes",), ("books",), ("ohlcv",), ("quotes", "books", "ohlcv"))
_LAST_WORDS = ("rejected-key-2015", "deposit", "withdrawal")
"""What halts all trading until somebody has looked, as it should: it may strike a run's last orders only."""
_ENDED = 0.1


async def play(drawn: Draw, pace: Pace = IN_A_HURRY) -> FaultReport:
    """Play a draw in this loop."""
    tree = _configuration(drawn)
    paper = {
        "run": {"mode": "paper", "accounts": list(drawn.accounts)},
        "data": {"feed": "live", "interval": "1m"},
    }
    base = load_settings([], environ={}, forced={**tree, **paper})
    rehearsal = Rehearsal(
        base,
        lambda forced: load_settings([], environ={}, forced=merged(tree, forced)),
        log=structlog.get_logger(),
        script=drawn.script,
        name=f"seed {drawn.seed}",
        seed=drawn.seed,
        pace=pace,
    )
    return await rehearsal.in_this_loop()


def _configuration(drawn: Draw) -> dict[str, Any]:
    where = {"exchange": "binance", "environment": "loopback", "loopback_url": "http://127.0.0.1:1"}
    return {
        "run": {"accounts": list(drawn.accounts)},
        "accounts": {
            name: {**where, "symbols": list(symbols), "order_timeout_s": Decimal("0.4")}
            for name, symbols in drawn.accounts.items()
        },
        "data": {"interval": "1m", "live": {"streams": list(drawn.streams), "bars_from": "ohlcv"}},
        "portfolio": {"currency": "USDT"},
        "risk": {"sizer": {"kind": "fixed_notional", "notional": drawn.notional}, "limits": _LIMITS},
    }


def merged(tree: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees as one, key by key."""
    result = dict(tree)
    for key, value in stronger.items():
        own = result.get(key)
        result[key] = merged(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return result
